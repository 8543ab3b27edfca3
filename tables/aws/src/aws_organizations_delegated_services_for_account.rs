//! `aws_organizations_delegated_services_for_account`: one row per AWS service that an account administers for the organization.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place, Site};
use crate::api::{List, with_member};
use crate::call::{all, distinct};
use crate::resource::{Origin, Reader, Resource};
use crate::source::organization;

/// AWS services that accounts administer for the organization.
///
/// Without a key on `delegated_account_id`, all delegated administrators are read, with one call each.
///
/// Only the organization's management account and its delegated administrators may read it. The table has rows of the
/// profiles that belong to such an account.
#[derive(Debug, Default, Table)]
#[table(name = "aws_organizations_delegated_services_for_account", env = Aws, stream, rows = 5, needs("organizations:ListDelegatedServicesForAccount"), identity(account_id, delegated_account_id, service_principal))]
#[example(
    "Who administers GuardDuty.",
    "SELECT delegated_account_id FROM aws_organizations_delegated_services_for_account WHERE service_principal = 'guardduty.amazonaws.com'"
)]
pub struct DelegatedService {
    /// ID of the account.
    #[column(index, path = "AccountId")]
    delegated_account_id: String,
    /// Name of the service.
    #[column(path = "ServicePrincipal")]
    service_principal: String,
    /// When the account became its administrator.
    #[column(path = "DelegationEnabledDate")]
    delegation_enabled_date: Option<Timestamp>,
    /// The same as the service.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

static ADMINISTRATORS: List =
    organization::list("organizations:ListDelegatedAdministrators", "DelegatedAdministrators");
static SERVICES: List = organization::list("organizations:ListDelegatedServicesForAccount", "DelegatedServices");

impl RowStream for DelegatedService {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, SERVICES.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, DelegatedService::list)
    }
}

impl Resource for DelegatedService {
    const TITLE_FORM: &'static str = "{ServicePrincipal}";
}

impl DelegatedService {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let accounts = match scan.keys(Self::DELEGATED_ACCOUNT_ID) {
                Some(ids) => distinct(ids),
                None => {
                    let found = all(organization::items(scan, &site, &ADMINISTRATORS, json!({}))).await?;
                    found.iter().filter_map(|account| account["Id"].as_str().map(str::to_owned)).collect()
                }
            };
            let mut rows = site.each(scan, accounts, |site, account| async move {
                let input = json!({"AccountId": account});
                let services = all(organization::items(scan, &site, &SERVICES, input)).await?;
                let reader = Reader::listed(scan, &site);
                let services = services.into_iter().map(|service| with_member(service, "AccountId", account.as_str()));
                Ok(services.filter_map(|service| reader.item(scan, &service)).collect())
            });
            while let Some(row) = rows.next().await {
                yield row?;
            }
        }
        .boxed()
    }
}
