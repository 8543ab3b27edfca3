//! `aws_account_alternate_contact`: one row per alternate contact of an account, from `account:GetAlternateContact`.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::api::{Request, member, with_member};
use crate::aws_account_contact::linked_accounts;
use crate::resource::{Origin, Reader, Resource};
use crate::services::ACCOUNT;

/// Alternate contacts of accounts: for billing, operations and security.
///
/// The management account of an organization can read those of its member accounts: name them in `linked_account_id`.
/// Without that key, each profile's own account is read.
#[derive(Debug, Default, Table)]
#[table(name = "aws_account_alternate_contact", env = Aws, stream, rows = 3, needs("account:GetAlternateContact"), identity(account_id, linked_account_id, contact_type))]
#[example(
    "Accounts without a contact for security.",
    "SELECT a.account_id FROM aws_account a WHERE NOT EXISTS (SELECT 1 FROM aws_account_alternate_contact c WHERE c.account_id = a.account_id AND c.contact_type = 'SECURITY')"
)]
pub struct AlternateContact {
    /// Name of the contact.
    #[column(path = "Name")]
    name: Option<String>,
    /// `BILLING`, `OPERATIONS` or `SECURITY`.
    #[column(slice, path = "AlternateContactType")]
    contact_type: String,
    /// Email address.
    #[column(path = "EmailAddress")]
    email_address: Option<String>,
    /// Phone number.
    #[column(path = "PhoneNumber")]
    phone_number: Option<String>,
    /// Title of the contact.
    #[column(path = "Title")]
    contact_title: Option<String>,
    /// ID of the account whose contact it is.
    #[column(index, selects, path = "AccountId")]
    linked_account_id: String,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

const GET: &str = "account:GetAlternateContact";
const TYPES: [&str; 3] = ["BILLING", "OPERATIONS", "SECURITY"];

impl RowStream for AlternateContact {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, GET)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, AlternateContact::list)
    }
}

impl Resource for AlternateContact {
    const TITLE_FORM: &'static str = "{Name}";
}

impl AlternateContact {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let types = TYPES.iter().filter(|kind| scan.admits(Self::CONTACT_TYPE, &(**kind).to_owned()));
            let mut inputs = Vec::new();
            let accounts = linked_accounts(scan, &site, scan.keys(Self::LINKED_ACCOUNT_ID)).await?;
            for kind in types {
                for (account, input) in &accounts {
                    let mut input = input.clone();
                    input["AlternateContactType"] = (*kind).into();
                    inputs.push((account.clone(), input));
                }
            }
            let mut rows = site.each(scan, inputs, |site, (account, input)| async move {
                let request = Request::post(&["getAlternateContact"], input);
                let contact = member(site.send(scan, &ACCOUNT, GET, request).await?, "AlternateContact");
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
