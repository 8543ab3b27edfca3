//! `aws_organizations_delegated_administrator`: one row per account that administers an AWS service for the organization.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place};
use crate::api::List;
use crate::resource::{Origin, Resource};
use crate::source::organization;

/// Accounts that administer AWS services for the organization.
///
/// Only the organization's management account and its delegated administrators may read it. The table has rows of the
/// profiles that belong to such an account.
#[derive(Debug, Default, Table)]
#[table(name = "aws_organizations_delegated_administrator", env = Aws, stream, rows = 5, needs("organizations:ListDelegatedAdministrators"), identity(arn))]
#[example(
    "Delegated administrators and their services.",
    "SELECT a.name, s.service_principal FROM aws_organizations_delegated_administrator a JOIN aws_organizations_delegated_services_for_account s ON s.delegated_account_id = a.id"
)]
pub struct DelegatedAdministrator {
    /// ID of the account.
    #[column(path = "Id")]
    id: String,
    /// ARN of the account.
    #[column(path = "Arn")]
    arn: String,
    /// Email address of the account.
    #[column(path = "Email")]
    email: Option<String>,
    /// Name of the account.
    #[column(path = "Name")]
    name: String,
    /// Status: `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`.
    #[column(path = "Status")]
    status: Option<String>,
    /// How it joined: `INVITED` or `CREATED`.
    #[column(path = "JoinedMethod")]
    joined_method: Option<String>,
    /// When it joined.
    #[column(path = "JoinedTimestamp")]
    joined_timestamp: Option<Timestamp>,
    /// When it became a delegated administrator.
    #[column(path = "DelegationEnabledDate")]
    delegation_enabled_date: Option<Timestamp>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static ADMINISTRATORS: List =
    organization::list("organizations:ListDelegatedAdministrators", "DelegatedAdministrators");

impl RowStream for DelegatedAdministrator {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, ADMINISTRATORS.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| site.rows(scan, organization::items(scan, &site, &ADMINISTRATORS, json!({}))))
    }
}

impl Resource for DelegatedAdministrator {
    const TITLE_FORM: &'static str = "{Name}";
}
