//! `aws_organizations_policy`: one row per policy of the organization, from `organizations:ListPolicies`.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::resource::{Origin, Reader, Resource};
use crate::source::organization;

/// Policies of organizations: service control policies, resource control policies and others.
///
/// There is one list per type; a key on `type` saves the others. The document costs one call per policy.
///
/// Only the organization's management account and its delegated administrators may read it. The table has rows of the
/// profiles that belong to such an account.
#[derive(Debug, Default, Table)]
#[table(name = "aws_organizations_policy", env = Aws, stream, rows = 20, needs("organizations:ListPolicies"), identity(arn))]
#[example(
    "Service control policies.",
    "SELECT name, content_std FROM aws_organizations_policy WHERE type = 'SERVICE_CONTROL_POLICY'"
)]
pub struct Policy {
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
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Policy {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, organization::POLICIES.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, Policy::list)
    }
}

impl Resource for Policy {
    const TITLE_FORM: &'static str = "{Name}";
    const KEPT: &'static [usize] = &[Self::ID.position()];
}

impl Policy {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let types = organization::types(scan.keys(Self::TYPE).as_deref());
            let mut rows = site.each(scan, types, |site, kind| async move {
                let policies = organization::policies(scan, &site, kind).await?;
                let reader = Reader::listed(scan, &site);
                Ok(policies.iter().filter_map(|policy| reader.item(scan, policy)).collect())
            });
            while let Some(row) = rows.next().await {
                yield row?;
            }
        }
        .boxed()
    }

    async fn document(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        (self.content, self.content_std) = organization::document(scan, &site, &self.id).await?;
        Ok(())
    }
}
