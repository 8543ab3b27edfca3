//! `aws_organizations_organizational_unit`: one row per organizational unit.

use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::resource::{Origin, Reader, Resource};
use crate::source::organization;

/// Organizational units. The tree is read with one call per root and unit.
///
/// Only the organization's management account and its delegated administrators may read it. The table has rows of the
/// profiles that belong to such an account.
#[derive(Debug, Default, Table)]
#[table(name = "aws_organizations_organizational_unit", env = Aws, stream, rows = 20, needs("organizations:ListRoots", "organizations:ListOrganizationalUnitsForParent"), identity(arn))]
#[example("Units and where they stand.", "SELECT name, path FROM aws_organizations_organizational_unit ORDER BY path")]
pub struct OrganizationalUnit {
    /// Name of the unit.
    #[column(path = "Name")]
    name: String,
    /// ID of the unit: `ou-`, the root's letters and its own.
    #[column(path = "Id")]
    id: String,
    /// ARN of the unit.
    #[column(path = "Arn")]
    arn: String,
    /// ID of the unit or root that it belongs to.
    #[column(path = "ParentId")]
    parent_id: Option<String>,
    /// IDs from the root to the unit, separated by dots, with `_` in place of `-`: `r_wxnb.ou_wxnb_m8l8t123`.
    #[column(path = "Path")]
    path: Option<String>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for OrganizationalUnit {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, "organizations:ListOrganizationalUnitsForParent")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, OrganizationalUnit::list)
    }
}

impl Resource for OrganizationalUnit {
    const TITLE_FORM: &'static str = "{Name}";
}

impl OrganizationalUnit {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let units = async move {
            let tree = organization::tree(scan, &site).await?;
            let reader = Reader::listed(scan, &site);
            let units = tree.iter().filter(|unit| !unit["ParentId"].is_null());
            let rows: Vec<_> = units.filter_map(|unit| reader.item(scan, unit)).map(Ok).collect();
            Ok(stream::iter(rows))
        };
        stream::once(units).try_flatten().boxed()
    }
}
