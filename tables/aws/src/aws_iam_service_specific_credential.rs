//! `aws_iam_service_specific_credential`: one row per service-specific credential, from `iam:ListServiceSpecificCredentials`.

use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::Next;
use crate::resource::{Origin, Resource};
use crate::source::iam;

/// Credentials of IAM users for one service: CodeCommit, Keyspaces, Bedrock. Passwords are never read.
///
/// One list has those of all users. A key on `user_name` reads those of that user.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_service_specific_credential", env = Aws, stream, rows = 5, needs("iam:ListServiceSpecificCredentials"), identity(service_specific_credential_id))]
#[example(
    "Active credentials and their users.",
    "SELECT user_name, service_name, create_date FROM aws_iam_service_specific_credential WHERE status = 'Active'"
)]
pub struct ServiceSpecificCredential {
    /// Name of the service.
    #[column(path = "ServiceName")]
    service_name: String,
    /// Unique ID of the credential.
    #[column(path = "ServiceSpecificCredentialId")]
    service_specific_credential_id: String,
    /// Creation time.
    #[column(path = "CreateDate")]
    create_date: Option<Timestamp>,
    /// User name for the service.
    #[column(path = "ServiceUserName")]
    service_user_name: String,
    /// `Active` or `Inactive`.
    #[column(path = "Status")]
    status: String,
    /// Name of the user.
    #[column(index, path = "UserName")]
    user_name: String,
    /// The same as the ID.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

const LIST: &str = "iam:ListServiceSpecificCredentials";

impl RowStream for ServiceSpecificCredential {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, LIST)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match iam::names(scan.keys(Self::USER_NAME), None, "user", "") {
            Some(names) => {
                let lists = crate::call::distinct(names).into_iter();
                let lists = lists.map(move |name| ServiceSpecificCredential::list(scan, &site, Some(name)));
                futures::stream::iter(lists).flatten().boxed()
            }
            None => ServiceSpecificCredential::list(scan, &site, None),
        })
    }
}

impl Resource for ServiceSpecificCredential {
    const TITLE_FORM: &'static str = "{ServiceSpecificCredentialId}";
}

impl ServiceSpecificCredential {
    fn list<'a>(scan: &'a Scan<Self>, site: &Site, user: Option<String>) -> BoxStream<'a, Result<Self>> {
        let asked = user.clone().unwrap_or_default();
        let all = user.is_none().then_some(true);
        let request = site.iam().list_service_specific_credentials().set_user_name(user).set_all_users(all);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let credentials = site.pages(scan, LIST, &asked, fetch, |page| {
            (page.service_specific_credentials.unwrap_or_default(), Next::marker(page.is_truncated, page.marker))
        });
        let present = |row: Result<Self>| std::future::ready(row.if_present().transpose());
        site.rows(scan, credentials).filter_map(present).boxed()
    }
}
