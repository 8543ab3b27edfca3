//! `aws_ec2_ami`: one row per image, from `ec2:DescribeImages`.

use aws_sdk_ec2::types::ImageAttributeName;
use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::document::json;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Images (AMIs) that instances are started from. Without a key on `image_id` or `owner_id`, those of the account
/// itself.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_ami", env = Aws, stream, rows = 100, needs("ec2:DescribeImages"),
    identity(account_id, region, image_id)
)]
#[example(
    "Images of running instances, with their owners.",
    "SELECT DISTINCT i.image_id, a.name, a.owner_id FROM aws_ec2_instance i JOIN aws_ec2_ami a ON a.image_id = \
     i.image_id"
)]
#[example("Own images that everyone can use.", "SELECT image_id, name FROM aws_ec2_ami WHERE public")]
pub struct Ami {
    /// Name of the image.
    #[column(index, path = "Name")]
    name: Option<String>,
    /// ID of the image.
    #[column(index, selects, path = "ImageId")]
    image_id: String,
    /// State, such as `available`, `pending` or `disabled`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// `machine`, `kernel` or `ramdisk`.
    #[column(slice, path = "ImageType")]
    image_type: Option<String>,
    /// Owner and name, or the location of its manifest in S3.
    #[column(path = "ImageLocation")]
    image_location: Option<String>,
    /// `legacy-bios`, `uefi` or `uefi-preferred`; NULL if the image does not state one.
    #[column(path = "BootMode")]
    boot_mode: Option<String>,
    /// ID of the instance that it was made from.
    #[column(path = "SourceInstanceId")]
    source_instance_id: Option<String>,
    /// `v2.0` if instances have a virtual TPM; NULL otherwise.
    #[column(path = "TpmSupport")]
    tpm_support: Option<String>,
    /// Time of creation.
    #[column(path = "CreationDate")]
    creation_date: Option<Timestamp>,
    /// Time from which it is deprecated; NULL if none is set.
    #[column(path = "DeprecationTime")]
    deprecation_time: Option<Timestamp>,
    /// Processor architecture, such as `x86_64` or `arm64`.
    #[column(slice, path = "Architecture")]
    architecture: Option<String>,
    /// Whether it is protected against deregistration.
    #[column(path = "DeregistrationProtection")]
    deregistration_protection: Option<String>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// Whether it supports enhanced networking (ENA).
    #[column(path = "EnaSupport")]
    ena_support: Option<bool>,
    /// Whether the free tier covers it.
    #[column(path = "FreeTierEligible")]
    free_tier_eligible: Option<bool>,
    /// `xen` or `ovm`.
    #[column(path = "Hypervisor")]
    hypervisor: Option<String>,
    /// Whether the account's setting of allowed images admits it.
    #[column(path = "ImageAllowed")]
    image_allowed: Option<bool>,
    /// `amazon`, `aws-backup-vault` or `aws-marketplace`; NULL for others.
    #[column(slice, path = "ImageOwnerAlias")]
    image_owner_alias: Option<String>,
    /// `v2.0` if its instances use only version 2 of the metadata service by default; NULL otherwise.
    #[column(path = "ImdsSupport")]
    imds_support: Option<String>,
    /// Kernel image of an old paravirtual image.
    #[column(path = "KernelId")]
    kernel_id: Option<String>,
    /// Time of the last launch, of which AWS learns within a day; NULL for an image of another account.
    #[column(path = "LastLaunchedTime")]
    last_launched_time: Option<Timestamp>,
    /// ID of the account that owns it.
    #[column(slice, extends, path = "OwnerId")]
    owner_id: Option<String>,
    /// `windows`; NULL for others.
    #[column(slice, path = "Platform")]
    platform: Option<String>,
    /// Platform as billed, such as `Linux/UNIX`.
    #[column(path = "PlatformDetails")]
    platform_details: Option<String>,
    /// Whether everyone can start instances from it.
    #[column(path = "Public")]
    public: Option<bool>,
    /// RAM disk of an old paravirtual image.
    #[column(path = "RamdiskId")]
    ramdisk_id: Option<String>,
    /// Device name of the root volume.
    #[column(path = "RootDeviceName")]
    root_device_name: Option<String>,
    /// `ebs` or `instance-store`.
    #[column(slice, path = "RootDeviceType")]
    root_device_type: Option<String>,
    /// ID of the image that it is a copy of.
    #[column(path = "SourceImageId")]
    source_image_id: Option<String>,
    /// Region of the image that it is a copy of.
    #[column(path = "SourceImageRegion")]
    source_image_region: Option<String>,
    /// `simple` if it has the older kind of enhanced networking.
    #[column(path = "SriovNetSupport")]
    sriov_net_support: Option<String>,
    /// Billed operation, such as `RunInstances`.
    #[column(path = "UsageOperation")]
    usage_operation: Option<String>,
    /// `hvm` or `paravirtual`.
    #[column(slice, path = "VirtualizationType")]
    virtualization_type: Option<String>,
    /// Volumes that an instance starts with.
    #[column(path = "BlockDeviceMappings")]
    block_device_mappings: Option<Json>,
    /// Product codes of AWS Marketplace.
    #[column(path = "ProductCodes")]
    product_codes: Option<Json>,
    /// Reason of the state: `Code`, `Message`.
    #[column(path = "StateReason")]
    state_reason: Option<Json>,
    /// Accounts and organizations that can start instances from it. AWS returns them to its owner only.
    #[column(source = permissions, needs = "ec2:DescribeImageAttribute")]
    launch_permissions: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The tag `Name`, or the ID if there is none.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Ami {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeImages")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("image-id", scan.keys(Self::IMAGE_ID)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
                ("name", scan.keys(Self::NAME)),
                ("state", scan.keys(Self::STATE)),
                ("image-type", scan.keys(Self::IMAGE_TYPE)),
                ("architecture", scan.keys(Self::ARCHITECTURE)),
                ("owner-alias", scan.keys(Self::IMAGE_OWNER_ALIAS)),
                ("platform", scan.keys(Self::PLATFORM)),
                ("root-device-type", scan.keys(Self::ROOT_DEVICE_TYPE)),
                ("virtualization-type", scan.keys(Self::VIRTUALIZATION_TYPE)),
            ];
            let is_any = keys[..2].iter().any(|(_, keys)| keys.is_some());
            let owners = (!is_any).then(|| vec!["self".to_owned()]);
            let request = site.ec2().describe_images().set_owners(owners).include_deprecated(true);
            let request = request.max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeImages", &keys, fetch, |page| {
                (page.images.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for Ami {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}::image/{ImageId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{Name}|{ImageId}";
    const KEPT: &'static [usize] = &[Self::IMAGE_ID.position()];
}

impl Ami {
    async fn permissions(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let attribute = ImageAttributeName::LaunchPermission;
        let request = site.ec2().describe_image_attribute().image_id(&self.image_id).attribute(attribute);
        let answer = site.call(scan, "ec2:DescribeImageAttribute", || request.clone().send()).await?;
        self.launch_permissions = json(&answer.launch_permissions.unwrap_or_default());
        Ok(())
    }
}
