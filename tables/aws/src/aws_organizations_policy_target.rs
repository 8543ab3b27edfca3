//! `aws_organizations_policy_target`: one row per policy and root, unit or account that it is attached to.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::{List, with_member};
use crate::call::{all, distinct};
use crate::resource::{Origin, Reader, Resource};
use crate::source::organization;

/// Where the policies of organizations are attached.
///
/// A key on `target_id` reads the policies of that target. Without it, the targets of each policy are read, with one
/// call per policy. Policies that a target inherits are not listed.
///
/// Only the organization's management account and its delegated administrators may read it. The table has rows of the
/// profiles that belong to such an account.
#[derive(Debug, Default, Table)]
#[table(name = "aws_organizations_policy_target", env = Aws, stream, rows = 50, needs("organizations:ListPolicies", "organizations:ListTargetsForPolicy"), identity(arn, target_id))]
#[example(
    "What limits an account or unit.",
    "SELECT target_id, name, content FROM aws_organizations_policy_target WHERE type = 'SERVICE_CONTROL_POLICY' AND NOT aws_managed"
)]
pub struct PolicyTarget {
    /// Name of the policy.
    #[column(path = "Name")]
    name: String,
    /// ID of the policy: `p-` and letters.
    #[column(path = "Id")]
    id: String,
    /// ARN of the policy.
    #[column(path = "Arn")]
    arn: String,
    /// Type of the policy: `SERVICE_CONTROL_POLICY`, `RESOURCE_CONTROL_POLICY`, `TAG_POLICY`, `BACKUP_POLICY`.
    #[column(slice, path = "Type")]
    r#type: String,
    /// Whether the policy is AWS's own.
    #[column(path = "AwsManaged")]
    aws_managed: Option<bool>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// Document of the policy.
    #[column(source = document, needs = "organizations:DescribePolicy")]
    content: Option<Json>,
    /// Document in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = document, needs = "organizations:DescribePolicy")]
    content_std: Option<Json>,
    /// ID of the root, unit or account.
    #[column(index, path = "TargetId")]
    target_id: String,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static OF_TARGET: List = organization::list("organizations:ListPoliciesForTarget", "Policies");
static TARGETS: List = organization::list("organizations:ListTargetsForPolicy", "Targets");

impl RowStream for PolicyTarget {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, if scan.keys(Self::TARGET_ID).is_some() { OF_TARGET.action } else { TARGETS.action })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, PolicyTarget::list)
    }
}

impl Resource for PolicyTarget {
    const TITLE_FORM: &'static str = "{Name}";
    const KEPT: &'static [usize] = &[Self::ID.position()];
}

impl PolicyTarget {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let types = organization::types(scan.keys(Self::TYPE).as_deref());
            let mut rows = match scan.keys(Self::TARGET_ID) {
                Some(targets) => {
                    let pairs = distinct(targets).into_iter();
                    let pairs = pairs.flat_map(|target| types.iter().map(move |kind| (target.clone(), *kind)));
                    site.each(scan, pairs.collect(), |site, pair| Self::of_target(scan, site, pair))
                }
                None => site.each(scan, types, |site, kind| Self::of_type(scan, site, kind)),
            };
            while let Some(row) = rows.next().await {
                yield row?;
            }
        }
        .boxed()
    }

    async fn of_target(scan: &Scan<Self>, site: Site, (target, kind): (String, &'static str)) -> Result<Vec<Self>> {
        let input = json!({"TargetId": target, "Filter": kind});
        let policies = match all(organization::items(scan, &site, &OF_TARGET, input)).await {
            Err(error) if organization::lacks_type(&error) => Vec::new(),
            policies => policies?,
        };
        let reader = Reader::listed(scan, &site);
        Ok(policies.into_iter().filter_map(|policy| reader.item(scan, &with_target(policy, &target))).collect())
    }

    async fn of_type(scan: &Scan<Self>, site: Site, kind: &'static str) -> Result<Vec<Self>> {
        let policies = organization::policies(scan, &site, kind).await?;
        let rows = site.each(scan, policies, |site, policy| async move {
            let input = json!({"PolicyId": policy["Id"]});
            let targets = all(organization::items(scan, &site, &TARGETS, input)).await?;
            let reader = Reader::listed(scan, &site);
            let ids = targets.iter().filter_map(|target| target["TargetId"].as_str());
            Ok(ids.filter_map(|id| reader.item(scan, &with_target(policy.clone(), id))).collect())
        });
        all(rows).await
    }

    async fn document(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        (self.content, self.content_std) = organization::document(scan, &site, &self.id).await?;
        Ok(())
    }
}

fn with_target(policy: Value, target: &str) -> Value {
    with_member(policy, "TargetId", target)
}
