//! `aws_iam_saml_provider`: one row per SAML provider, from `iam:ListSAMLProviders`.

use futures::stream::Stream;
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::call::Next;
use crate::document::Document;
use crate::resource::{Origin, Reader, Resource};

/// SAML providers whose assertions AWS accepts for roles.
///
/// The metadata and tags cost one call per provider.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_saml_provider", env = Aws, stream, rows = 3, needs("iam:ListSAMLProviders"), identity(arn))]
#[example(
    "Providers whose metadata expire soon.",
    "SELECT arn, valid_until FROM aws_iam_saml_provider WHERE valid_until < now() + INTERVAL '30 days'"
)]
pub struct SamlProvider {
    /// ARN of the provider.
    #[column(index, path = "Arn")]
    arn: String,
    /// Creation time.
    #[column(path = "CreateDate")]
    create_date: Option<Timestamp>,
    /// When the provider's metadata expire.
    #[column(path = "ValidUntil")]
    valid_until: Option<Timestamp>,
    /// Metadata of the provider: XML with its certificates.
    #[column(path = "SAMLMetadataDocument", source = details, needs = "iam:GetSAMLProvider")]
    saml_metadata_document: Option<String>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = details, needs = "iam:GetSAMLProvider")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "iam:GetSAMLProvider")]
    tags: Option<Map>,
    /// The same as the ARN.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

const LIST: &str = "iam:ListSAMLProviders";
const GET: &str = "iam:GetSAMLProvider";

impl RowStream for SamlProvider {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, if scan.keys(Self::ARN).is_some() { GET } else { LIST })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::ARN) {
            Some(arns) => site.look_up(scan, arns, |site, arn| SamlProvider::get(scan, site, arn)),
            None => {
                let iam = site.iam();
                let fetch = move |_| iam.list_saml_providers().send();
                let providers = site.pages(scan, LIST, "", fetch, |page| {
                    (page.saml_provider_list.unwrap_or_default(), Next::Token(None))
                });
                site.rows(scan, providers)
            }
        })
    }
}

impl Resource for SamlProvider {
    const ARN_FORM: &'static str = "{Arn}";
    const TITLE_FORM: &'static str = "{Arn}";
    const KEPT: &'static [usize] = &[Self::ARN.position()];
}

impl SamlProvider {
    async fn get(scan: &Scan<Self>, site: Site, arn: String) -> Result<Self> {
        // IAM refuses to look up what is not an ARN of this kind.
        if !arn.starts_with("arn:") || !arn.contains(":saml-provider/") {
            return Err(Error::Gone(arn));
        }
        let document = SamlProvider::answer(scan, &site, &arn).await?;
        Reader::whole(scan, &site).row(scan, &document)
    }

    async fn answer(scan: &Scan<Self>, site: &Site, arn: &str) -> Result<Value> {
        let request = site.iam().get_saml_provider().saml_provider_arn(arn);
        let answer = site.call(scan, GET, || request.clone().send()).await?;
        let whole = Shape::whole();
        Ok(json!({
            "Arn": arn,
            "SAMLMetadataDocument": answer.saml_metadata_document,
            "CreateDate": answer.create_date.document(&whole),
            "ValidUntil": answer.valid_until.document(&whole),
            "Tags": answer.tags.document(&whole),
        }))
    }

    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.tags.is_none() {
            let site = self.origin.site(scan).await?;
            let document = SamlProvider::answer(scan, &site, &self.arn).await?;
            Reader::of_sources(&site, &["details"]).fill(scan, self, &document)?;
        }
        Ok(())
    }
}
