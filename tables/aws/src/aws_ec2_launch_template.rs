//! `aws_ec2_launch_template`: one row per launch template, from `ec2:DescribeLaunchTemplates`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Launch templates: settings that instances are started with. `aws_ec2_launch_template_version` has the settings.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_launch_template", env = Aws, stream, rows = 10, needs("ec2:DescribeLaunchTemplates"),
    identity(account_id, region, launch_template_id)
)]
#[example(
    "Templates with their number of versions.",
    "SELECT launch_template_name, latest_version_number FROM aws_ec2_launch_template"
)]
pub struct LaunchTemplate {
    /// Name of the template.
    #[column(index, path = "LaunchTemplateName")]
    launch_template_name: String,
    /// ID of the template.
    #[column(path = "LaunchTemplateId")]
    launch_template_id: Option<String>,
    /// Time of creation.
    #[column(path = "CreateTime")]
    create_time: Option<Timestamp>,
    /// ARN of the principal that created it.
    #[column(path = "CreatedBy")]
    created_by: Option<String>,
    /// Number of the version that is used if none is stated.
    #[column(path = "DefaultVersionNumber")]
    default_version_number: Option<i64>,
    /// Number of the newest version.
    #[column(path = "LatestVersionNumber")]
    latest_version_number: Option<i64>,
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

impl RowStream for LaunchTemplate {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeLaunchTemplates")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [("launch-template-name", scan.keys(Self::LAUNCH_TEMPLATE_NAME))];
            let request = site.ec2().describe_launch_templates().max_results(page_size(scan, 1..=200));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeLaunchTemplates", &keys, fetch, |page| {
                (page.launch_templates.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for LaunchTemplate {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{@account_id}:launch-template/{LaunchTemplateId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{LaunchTemplateName}";
}
