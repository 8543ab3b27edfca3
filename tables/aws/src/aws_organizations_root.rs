//! `aws_organizations_root`: one row per root of the organization, from `organizations:ListRoots`.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place};
use crate::resource::{Origin, Resource};
use crate::source::organization;

/// Roots of organizations, and the policy types that are enabled in them.
///
/// Only the organization's management account and its delegated administrators may read it. The table has rows of the
/// profiles that belong to such an account.
#[derive(Debug, Default, Table)]
#[table(name = "aws_organizations_root", env = Aws, stream, rows = 1, needs("organizations:ListRoots"), identity(arn))]
#[example("Whether service control policies are enabled.", "SELECT name, policy_types FROM aws_organizations_root")]
pub struct Root {
    /// Name of the root.
    #[column(path = "Name")]
    name: String,
    /// ID of the root: `r-` and letters.
    #[column(path = "Id")]
    id: String,
    /// ARN of the root.
    #[column(path = "Arn")]
    arn: String,
    /// Policy types and their status.
    #[column(path = "PolicyTypes")]
    policy_types: Option<Json>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Root {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, organization::ROOTS.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place
            .rows(scan, |scan, site| site.rows(scan, organization::items(scan, &site, &organization::ROOTS, json!({}))))
    }
}

impl Resource for Root {
    const TITLE_FORM: &'static str = "{Name}";
}
