//! `aws_iam_server_certificate`: one row per server certificate in IAM, from `iam:ListServerCertificates`.

use futures::stream::Stream;
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::api::with_member;
use crate::call::Next;
use crate::document::Document;
use crate::resource::{Origin, Reader, Resource};
use crate::source::iam;

/// Server certificates that are stored in IAM. Private keys are never read.
///
/// The certificate itself and tags cost one call per certificate.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_server_certificate", env = Aws, stream, rows = 5, needs("iam:ListServerCertificates"), identity(arn))]
#[example(
    "Certificates that expire soon.",
    "SELECT name, expiration FROM aws_iam_server_certificate WHERE expiration < now() + INTERVAL '30 days'"
)]
pub struct ServerCertificate {
    /// Name of the certificate.
    #[column(index, path = "ServerCertificateName")]
    name: String,
    /// ARN of the certificate.
    #[column(path = "Arn")]
    arn: String,
    /// Unique ID of the certificate.
    #[column(path = "ServerCertificateId")]
    server_certificate_id: String,
    /// When it expires.
    #[column(path = "Expiration")]
    expiration: Option<Timestamp>,
    /// Certificate in PEM.
    #[column(path = "CertificateBody", source = details, needs = "iam:GetServerCertificate")]
    certificate_body: Option<String>,
    /// Certificates of its authorities in PEM; NULL if there are none.
    #[column(path = "CertificateChain", source = details, needs = "iam:GetServerCertificate")]
    certificate_chain: Option<String>,
    /// Path of the certificate; `/` by default.
    #[column(path = "Path")]
    path: String,
    /// When it was uploaded.
    #[column(path = "UploadDate")]
    upload_date: Option<Timestamp>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = details, needs = "iam:GetServerCertificate")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "iam:GetServerCertificate")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

const LIST: &str = "iam:ListServerCertificates";
const GET: &str = "iam:GetServerCertificate";

impl RowStream for ServerCertificate {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, if scan.keys(Self::NAME).is_some() { GET } else { LIST })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match iam::names(scan.keys(Self::NAME), None, "server-certificate", "") {
            Some(names) => site.look_up(scan, names, |site, name| ServerCertificate::get(scan, site, name)),
            None => {
                let request = site.iam().list_server_certificates();
                let fetch = move |marker| request.clone().set_marker(marker).send();
                let certificates = site.pages(scan, LIST, "", fetch, |page| {
                    (page.server_certificate_metadata_list, Next::marker(page.is_truncated, page.marker))
                });
                site.rows(scan, certificates)
            }
        })
    }
}

impl Resource for ServerCertificate {
    const TITLE_FORM: &'static str = "{ServerCertificateName}";
    const KEPT: &'static [usize] = &[Self::NAME.position(), Self::TAGS.position()];
}

impl ServerCertificate {
    async fn get(scan: &Scan<Self>, site: Site, name: String) -> Result<Self> {
        let document = ServerCertificate::answer(scan, &site, &name).await?;
        Reader::whole(scan, &site).row(scan, &document)
    }

    async fn answer(scan: &Scan<Self>, site: &Site, name: &str) -> Result<Value> {
        let request = site.iam().get_server_certificate().server_certificate_name(name);
        let answer = site.call(scan, GET, || request.clone().send()).await?;
        let certificate = answer.server_certificate.ok_or_else(|| site.nothing(GET))?;
        let document = certificate.server_certificate_metadata.document(&Shape::whole());
        let document = with_member(document, "CertificateBody", certificate.certificate_body);
        let document = with_member(document, "CertificateChain", json!(certificate.certificate_chain));
        Ok(with_member(document, "Tags", certificate.tags.document(&Shape::whole())))
    }

    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.tags.is_none() {
            let site = self.origin.site(scan).await?;
            let document = ServerCertificate::answer(scan, &site, &self.name).await?;
            Reader::of_sources(&site, &["details"]).fill(scan, self, &document)?;
        }
        Ok(())
    }
}
