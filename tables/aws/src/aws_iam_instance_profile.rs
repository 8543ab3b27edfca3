//! `aws_iam_instance_profile`: one row per instance profile, from `iam:ListInstanceProfiles`.

use aws_sdk_iam::types::InstanceProfile as Answer;
use futures::StreamExt;
use futures::stream::{Stream, TryStreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::page_size;
use crate::document::{json, tags, time};
use crate::source::iam;

/// Instance profiles: what hands a role to EC2 instances.
///
/// `aws_ec2_instance.iam_instance_profile_arn` is this table's `arn`, and `role_arn` is `aws_iam_role.arn`.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_iam_instance_profile", env = Aws, stream, rows = 50, needs("iam:ListInstanceProfiles"),
    identity(arn)
)]
#[example("Which role does each instance profile hand out?", "SELECT arn, role_arn FROM aws_iam_instance_profile")]
#[example(
    "Which instances act as which role?",
    "SELECT i.instance_id, p.role_name FROM aws_ec2_instance i JOIN aws_iam_instance_profile p \
     ON p.arn = i.iam_instance_profile_arn"
)]
pub struct InstanceProfile {
    /// Name of the profile.
    #[column(index)]
    instance_profile_name: String,
    /// ARN of the profile.
    #[column(index)]
    arn: String,
    /// Unique id of the profile.
    instance_profile_id: String,
    /// When it was made.
    create_date: Timestamp,
    /// Path of its name; `/` where none was given.
    path: String,
    /// The roles that it hands out, whole; AWS allows one.
    roles: Option<Json>,
    /// ARN of the role that it hands out; NULL where it has none.
    role_arn: Option<String>,
    /// Name of the role that it hands out; NULL where it has none.
    role_name: Option<String>,
    /// Tags as AWS lists them.
    #[column(source = tagging, needs = "iam:GetInstanceProfile")]
    tags_src: Option<Json>,
    /// The same as the name.
    title: String,
    /// Tags by key.
    #[column(source = tagging, needs = "iam:GetInstanceProfile")]
    tags: Option<Map>,
    /// ARN of the profile as a list.
    akas: Vec<String>,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    partition: String,
    /// Always `global`: IAM has no regions.
    #[column(slice)]
    region: String,
    /// Id of the account.
    #[column(slice)]
    account_id: String,
    /// Profile of the credentials that it was read with.
    profile: String,
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

impl InstanceProfile {
    fn list(scan: &Scan<Self>, site: Site) -> futures::stream::BoxStream<'_, Result<Self>> {
        let iam = site.iam();
        let request = iam.list_instance_profiles().max_items(page_size(scan, 1..=1000));
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let profiles =
            site.pages(scan, "iam:ListInstanceProfiles", "", fetch, |page| (page.instance_profiles, page.marker));
        profiles.map_ok(move |profile| InstanceProfile::new(&site, profile)).boxed()
    }

    async fn get(scan: &Scan<Self>, site: Site, name: String) -> Result<Self> {
        let iam = site.iam();
        let request = iam.get_instance_profile().instance_profile_name(name);
        let answer = site.call(scan, "iam:GetInstanceProfile", || request.clone().send()).await?;
        let Some(profile) = answer.instance_profile else { return Err(site.nothing("iam:GetInstanceProfile")) };
        let mut row = InstanceProfile::new(&site, profile.clone());
        row.set_tags(&profile);
        Ok(row)
    }

    fn new(site: &Site, profile: Answer) -> Self {
        let role = profile.roles.first();
        InstanceProfile {
            roles: json(&profile.roles),
            role_arn: role.map(|role| role.arn.clone()),
            role_name: role.map(|role| role.role_name.clone()),
            title: profile.instance_profile_name.clone(),
            akas: vec![profile.arn.clone()],
            instance_profile_name: profile.instance_profile_name,
            arn: profile.arn,
            instance_profile_id: profile.instance_profile_id,
            create_date: time(profile.create_date),
            path: profile.path,
            partition: site.partition(),
            region: site.region(),
            account_id: site.account_id(),
            profile: site.profile(),
            ..InstanceProfile::default()
        }
    }

    /// Lists leave tags out.
    async fn tagging(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.tags.is_some() {
            return Ok(());
        }
        let site = scan.env().site(&self.profile, &self.region).await?;
        let row = InstanceProfile::get(scan, site, self.instance_profile_name.clone()).await?;
        (self.tags, self.tags_src) = (row.tags, row.tags_src);
        Ok(())
    }

    fn set_tags(&mut self, profile: &Answer) {
        self.tags = Some(tags(profile.tags.as_deref()));
        self.tags_src = json(&profile.tags.clone().unwrap_or_default());
    }
}
