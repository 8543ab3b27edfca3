//! `aws_account_contact`: one row per account, from `account:GetContactInformation`.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::{Request, member, with_member};
use crate::call;
use crate::resource::{Origin, Reader, Resource};
use crate::services::ACCOUNT;

/// Contact information of accounts.
///
/// The management account of an organization can read that of its member accounts: name them in `linked_account_id`.
/// Without that key, each profile's own account is read.
#[derive(Debug, Default, Table)]
#[table(name = "aws_account_contact", env = Aws, stream, rows = 1, needs("account:GetContactInformation"), identity(account_id, linked_account_id))]
#[example(
    "Contacts of the accounts.",
    "SELECT account_id, full_name, company_name, country_code FROM aws_account_contact"
)]
pub struct Contact {
    /// Name of the contact.
    #[column(path = "FullName")]
    full_name: Option<String>,
    /// First line of the address.
    #[column(path = "AddressLine1")]
    address_line_1: Option<String>,
    /// Second line of the address.
    #[column(path = "AddressLine2")]
    address_line_2: Option<String>,
    /// Third line of the address.
    #[column(path = "AddressLine3")]
    address_line_3: Option<String>,
    /// Name of the company.
    #[column(path = "CompanyName")]
    company_name: Option<String>,
    /// City.
    #[column(path = "City")]
    city: Option<String>,
    /// ISO 3166 code of the country.
    #[column(path = "CountryCode")]
    country_code: Option<String>,
    /// District or county.
    #[column(path = "DistrictOrCounty")]
    district_or_county: Option<String>,
    /// Phone number.
    #[column(path = "PhoneNumber")]
    phone_number: Option<String>,
    /// Postal code.
    #[column(path = "PostalCode")]
    postal_code: Option<String>,
    /// State or region.
    #[column(path = "StateOrRegion")]
    state_or_region: Option<String>,
    /// URL of the website.
    #[column(path = "WebsiteUrl")]
    website_url: Option<String>,
    /// ID of the account whose contact it is.
    #[column(index, selects, path = "AccountId")]
    linked_account_id: String,
    /// The same as the full name.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

const GET: &str = "account:GetContactInformation";

impl RowStream for Contact {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, GET)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, Contact::list)
    }
}

impl Resource for Contact {
    const TITLE_FORM: &'static str = "{FullName}";
}

impl Contact {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let accounts = linked_accounts(scan, &site, scan.keys(Self::LINKED_ACCOUNT_ID)).await?;
            let mut rows = site.each(scan, accounts, |site, (account, input)| async move {
                let request = Request::post(&["getContactInformation"], input);
                let contact = member(site.send(scan, &ACCOUNT, GET, request).await?, "ContactInformation");
                let contact = with_member(contact, "AccountId", account);
                Ok(vec![Reader::listed(scan, &site).row(scan, &contact)?])
            });
            while let Some(row) = rows.next().await {
                yield row?;
            }
        }
        .boxed()
    }
}

/// The accounts that the keys name, otherwise the profile's own, each with the input of calls about it. The calls must
/// not name their own account.
pub(crate) async fn linked_accounts<T: Row<Env = Aws>>(
    scan: &Scan<T>,
    site: &Site,
    keys: Option<Vec<String>>,
) -> Result<Vec<(String, Value)>> {
    let (_, site) = call::identity(scan, site).await?;
    let own = site.account_id();
    let ids = keys.map_or_else(|| vec![own.clone()], call::distinct);
    let input = |id: String| match id == own {
        true => (id, json!({})),
        false => (id.clone(), json!({"AccountId": id})),
    };
    Ok(ids.into_iter().map(input).collect())
}
