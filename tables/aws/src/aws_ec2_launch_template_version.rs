//! `aws_ec2_launch_template_version`: one row per version, from `ec2:DescribeLaunchTemplateVersions`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::{Next, all, of_parents, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Versions of launch templates, with the settings that instances are started with.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_launch_template_version", env = Aws, stream, rows = 50,
    needs("ec2:DescribeLaunchTemplateVersions"), identity(account_id, region, launch_template_id, version_number)
)]
#[example(
    "Versions whose instances return credentials without a session token.",
    "SELECT launch_template_name, version_number FROM aws_ec2_launch_template_version WHERE \
     json_extract(launch_template_data, '$.MetadataOptions.HttpTokens') = 'optional'"
)]
pub struct LaunchTemplateVersion {
    /// Name of the template.
    #[column(index, path = "LaunchTemplateName")]
    launch_template_name: String,
    /// ID of the template.
    #[column(index, path = "LaunchTemplateId")]
    launch_template_id: Option<String>,
    /// Time of creation.
    #[column(path = "CreateTime")]
    create_time: Option<Timestamp>,
    /// ARN of the principal that created it.
    #[column(path = "CreatedBy")]
    created_by: Option<String>,
    /// Whether it is the version that is used if none is stated.
    #[column(path = "DefaultVersion")]
    default_version: Option<bool>,
    /// Whether instances are protected against stopping.
    #[column(path = "LaunchTemplateData.DisableApiStop")]
    disable_api_stop: Option<bool>,
    /// Whether instances are protected against termination.
    #[column(path = "LaunchTemplateData.DisableApiTermination")]
    disable_api_termination: Option<bool>,
    /// Whether instances have dedicated bandwidth to their volumes.
    #[column(path = "LaunchTemplateData.EbsOptimized")]
    ebs_optimized: Option<bool>,
    /// ID of the image, or a parameter of Systems Manager.
    #[column(path = "LaunchTemplateData.ImageId")]
    image_id: Option<String>,
    /// Instance type.
    #[column(path = "LaunchTemplateData.InstanceType")]
    instance_type: Option<String>,
    /// Kernel image of an old paravirtual image.
    #[column(path = "LaunchTemplateData.KernelId")]
    kernel_id: Option<String>,
    /// Name of the key pair.
    #[column(path = "LaunchTemplateData.KeyName")]
    key_name: Option<String>,
    /// RAM disk of an old paravirtual image.
    #[column(path = "LaunchTemplateData.RamDiskId")]
    ram_disk_id: Option<String>,
    /// Names of security groups.
    #[column(path = "LaunchTemplateData.SecurityGroups")]
    security_groups: Vec<String>,
    /// IDs of security groups.
    #[column(path = "LaunchTemplateData.SecurityGroupIds")]
    security_group_ids: Vec<String>,
    /// Description of the version.
    #[column(path = "VersionDescription")]
    version_description: Option<String>,
    /// Number of the version, from 1.
    #[column(path = "VersionNumber")]
    version_number: Option<i64>,
    /// Script or data for instances, in base64.
    #[column(path = "LaunchTemplateData.UserData")]
    user_data: Option<String>,
    /// All settings.
    #[column(path = "LaunchTemplateData")]
    launch_template_data: Option<Json>,
    /// Name of the template.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for LaunchTemplateVersion {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeLaunchTemplateVersions")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let parents = LaunchTemplateVersion::templates(scan, site.clone());
            let versions = of_parents(scan, &site, parents, move |site, template| async move {
                let request = site.ec2().describe_launch_template_versions().launch_template_id(&template);
                let request = request.max_results(page_size(scan, 1..=200));
                let fetch = move |token| request.clone().set_next_token(token).send();
                let pages = site.pages(scan, "ec2:DescribeLaunchTemplateVersions", &template, fetch, |page| {
                    (page.launch_template_versions.unwrap_or_default(), Next::Token(page.next_token))
                });
                all(pages).await
            });
            site.rows(scan, versions)
        })
    }
}

impl Resource for LaunchTemplateVersion {
    const TITLE_FORM: &'static str = "{LaunchTemplateName}";
}

impl LaunchTemplateVersion {
    /// The IDs of the templates: AWS lists the versions of one template per call.
    async fn templates(scan: &Scan<Self>, site: Site) -> Result<Vec<String>> {
        if let Some(ids) = scan.keys(Self::LAUNCH_TEMPLATE_ID) {
            return Ok(ids);
        }
        let mut ids = Vec::new();
        for filters in ec2::requests(&[("launch-template-name", scan.keys(Self::LAUNCH_TEMPLATE_NAME))]) {
            let asked = format!("{filters:?}");
            let request = site.ec2().describe_launch_templates().max_results(200).set_filters(Some(filters));
            let fetch = move |token| request.clone().set_next_token(token).send();
            let pages = site.pages(scan, "ec2:DescribeLaunchTemplates", &asked, fetch, |page| {
                (page.launch_templates.unwrap_or_default(), Next::Token(page.next_token))
            });
            ids.extend(all(pages).await?.into_iter().filter_map(|template| template.launch_template_id));
        }
        Ok(ids)
    }
}
