//! `aws_iam_instance_profile`: one row per instance profile, from `iam:ListInstanceProfiles`.

use aws_sdk_iam::types::InstanceProfile as Answer;
use futures::stream::{BoxStream, Stream};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Reader, Resource};
use crate::source::iam;

/// Instance profiles, which give roles to EC2 instances.
///
/// `aws_ec2_instance.iam_instance_profile_arn` joins `arn`, and `role_arn` joins `aws_iam_role.arn`.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_iam_instance_profile", env = Aws, stream, rows = 50, needs("iam:ListInstanceProfiles"),
    identity(arn)
)]
#[example("The role of each instance profile.", "SELECT arn, role_arn FROM aws_iam_instance_profile")]
#[example(
    "The role of each instance.",
    "SELECT i.instance_id, p.role_name FROM aws_ec2_instance i JOIN aws_iam_instance_profile p \
     ON p.arn = i.iam_instance_profile_arn"
)]
pub struct InstanceProfile {
    /// Name of the profile.
    #[column(index, path = "InstanceProfileName")]
    instance_profile_name: String,
    /// ARN of the profile.
    #[column(index, path = "Arn")]
    arn: String,
    /// Unique ID of the profile.
    #[column(path = "InstanceProfileId")]
    instance_profile_id: String,
    /// Creation time.
    #[column(path = "CreateDate")]
    create_date: Timestamp,
    /// Path of the profile; `/` by default.
    #[column(path = "Path")]
    path: String,
    /// The profile's roles with all details. AWS allows one.
    #[column(path = "Roles")]
    roles: Option<Json>,
    /// ARN of the profile's role; NULL if it has none.
    #[column(path = "Roles.0.Arn")]
    role_arn: Option<String>,
    /// Name of the profile's role; NULL if it has none.
    #[column(path = "Roles.0.RoleName")]
    role_name: Option<String>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = tagging, needs = "iam:GetInstanceProfile")]
    tags_src: Option<Json>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// Tags by key.
    #[column(path = "@tags", source = tagging, needs = "iam:GetInstanceProfile")]
    tags: Option<Map>,
    /// ARN of the profile, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for InstanceProfile {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        let is_named = scan.keys(Self::INSTANCE_PROFILE_NAME).is_some() || scan.keys(Self::ARN).is_some();
        Place::global(scan, if is_named { "iam:GetInstanceProfile" } else { "iam:ListInstanceProfiles" })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let names = scan.keys(Self::INSTANCE_PROFILE_NAME);
            match iam::names(names, scan.keys(Self::ARN), "instance-profile", &site.account_id()) {
                Some(names) => site.look_up(scan, names, |site, name| InstanceProfile::get(scan, site, name)),
                None => InstanceProfile::list(scan, site),
            }
        })
    }
}

impl Resource for InstanceProfile {
    const TITLE_FORM: &'static str = "{InstanceProfileName}";
    const KEPT: &'static [usize] = &[Self::INSTANCE_PROFILE_NAME.position(), Self::TAGS.position()];
}

impl InstanceProfile {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let request = site.iam().list_instance_profiles().max_items(page_size(scan, 1..=1000));
        let fetch = move |marker| request.clone().set_marker(marker).send();
        site.rows(
            scan,
            site.pages(scan, "iam:ListInstanceProfiles", "", fetch, |page| {
                (page.instance_profiles, Next::marker(page.is_truncated, page.marker))
            }),
        )
    }

    async fn get(scan: &Scan<Self>, site: Site, name: String) -> Result<Self> {
        let profile = InstanceProfile::answer(scan, &site, &name).await?;
        Reader::whole(scan, &site).row(scan, &profile)
    }

    async fn answer(scan: &Scan<Self>, site: &Site, name: &str) -> Result<Answer> {
        let request = site.iam().get_instance_profile().instance_profile_name(name);
        let answer = site.call(scan, "iam:GetInstanceProfile", || request.clone().send()).await?;
        answer.instance_profile.ok_or_else(|| site.nothing("iam:GetInstanceProfile"))
    }

    /// Lists do not contain tags.
    async fn tagging(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.tags.is_none() {
            let site = self.origin.site(scan).await?;
            let profile = InstanceProfile::answer(scan, &site, &self.instance_profile_name).await?;
            Reader::of_sources(&site, &["tagging"]).fill(scan, self, &profile)?;
        }
        Ok(())
    }
}
