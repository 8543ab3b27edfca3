//! `aws_ebs_volume`: one row per volume, from `ec2:DescribeVolumes`.

use aws_sdk_ec2::operation::describe_volume_attribute::DescribeVolumeAttributeOutput;
use aws_sdk_ec2::types::VolumeAttributeName;
use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::document::json;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// EBS volumes: disks of EC2 instances.
#[derive(Debug, Default, Table)]
#[table(name = "aws_ebs_volume", env = Aws, stream, rows = 300, needs("ec2:DescribeVolumes"), identity(arn))]
#[example("Volumes that are not encrypted.", "SELECT volume_id, size FROM aws_ebs_volume WHERE NOT encrypted")]
#[example(
    "Volumes that no instance uses.",
    "SELECT volume_id, create_time FROM aws_ebs_volume WHERE state = 'available'"
)]
pub struct Volume {
    /// ID of the volume.
    #[column(index, path = "VolumeId")]
    volume_id: String,
    /// ARN of the volume.
    #[column(path = "@arn")]
    arn: String,
    /// Type, such as `gp3`, `io2` or `standard`.
    #[column(slice, path = "VolumeType")]
    volume_type: Option<String>,
    /// `creating`, `available`, `in-use`, `deleting`, `deleted` or `error`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Time of creation.
    #[column(path = "CreateTime")]
    create_time: Option<Timestamp>,
    /// Whether input and output resume automatically after AWS found that the data may be damaged.
    #[column(source = auto_io, needs = "ec2:DescribeVolumeAttribute")]
    auto_enable_io: Option<bool>,
    /// Availability zone.
    #[column(slice, path = "AvailabilityZone")]
    availability_zone: Option<String>,
    /// Whether it is encrypted.
    #[column(path = "Encrypted")]
    encrypted: Option<bool>,
    /// Whether it was created from a snapshot with fast restore.
    #[column(path = "FastRestored")]
    fast_restored: Option<bool>,
    /// Operations per second; for `gp2`, the baseline.
    #[column(path = "Iops")]
    iops: Option<i64>,
    /// Throughput in MiB per second; NULL if the type has no setting for it.
    #[column(path = "Throughput")]
    throughput: Option<i64>,
    /// ARN of the KMS key that encrypts it; NULL if it is not encrypted.
    #[column(path = "KmsKeyId")]
    kms_key_id: Option<String>,
    /// Whether several instances can attach it.
    #[column(path = "MultiAttachEnabled")]
    multi_attach_enabled: Option<bool>,
    /// ARN of the Outpost that it is on.
    #[column(path = "OutpostArn")]
    outpost_arn: Option<String>,
    /// Size in GiB.
    #[column(path = "Size")]
    size: Option<i64>,
    /// ID of the snapshot that it was created from; NULL for an empty one.
    #[column(slice, path = "SnapshotId")]
    snapshot_id: Option<String>,
    /// Instances that it is attached to.
    #[column(path = "Attachments")]
    attachments: Option<Json>,
    /// Product codes of AWS Marketplace.
    #[column(source = codes, needs = "ec2:DescribeVolumeAttribute")]
    product_codes: Option<Json>,
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

impl RowStream for Volume {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeVolumes")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("volume-id", scan.keys(Self::VOLUME_ID)),
                ("volume-type", scan.keys(Self::VOLUME_TYPE)),
                ("status", scan.keys(Self::STATE)),
                ("availability-zone", scan.keys(Self::AVAILABILITY_ZONE)),
                ("snapshot-id", scan.keys(Self::SNAPSHOT_ID)),
            ];
            let request = site.ec2().describe_volumes().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeVolumes", &keys, fetch, |page| {
                (page.volumes.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for Volume {
    const ARN_FORM: &'static str = "{VolumeArn}|arn:{@partition}:ec2:{@region}:{@account_id}:volume/{VolumeId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{VolumeId}";
    const KEPT: &'static [usize] = &[Self::VOLUME_ID.position()];
}

impl Volume {
    /// AWS returns one attribute per call.
    async fn attribute(
        &self,
        scan: &Scan<Self>,
        attribute: VolumeAttributeName,
    ) -> Result<DescribeVolumeAttributeOutput> {
        let site = self.origin.site(scan).await?;
        let request = site.ec2().describe_volume_attribute().volume_id(&self.volume_id).attribute(attribute);
        site.call(scan, "ec2:DescribeVolumeAttribute", || request.clone().send()).await
    }

    async fn auto_io(&mut self, scan: &Scan<Self>) -> Result<()> {
        let answer = self.attribute(scan, VolumeAttributeName::AutoEnableIo).await?;
        self.auto_enable_io = answer.auto_enable_io.and_then(|attribute| attribute.value);
        Ok(())
    }

    async fn codes(&mut self, scan: &Scan<Self>) -> Result<()> {
        let answer = self.attribute(scan, VolumeAttributeName::ProductCodes).await?;
        self.product_codes = json(&answer.product_codes);
        Ok(())
    }
}
