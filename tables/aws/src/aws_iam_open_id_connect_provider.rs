//! `aws_iam_open_id_connect_provider`: one row per OpenID Connect provider, from `iam:ListOpenIDConnectProviders`.

use futures::stream::Stream;
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::call::Next;
use crate::document::Document;
use crate::resource::{Origin, Reader, Resource};

/// OpenID Connect providers whose tokens AWS accepts for roles: EKS clusters, GitHub and others.
///
/// All columns but the ARN cost one call per provider.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_open_id_connect_provider", env = Aws, stream, rows = 3, needs("iam:ListOpenIDConnectProviders"), identity(arn))]
#[example("Providers and their audiences.", "SELECT url, client_id_list FROM aws_iam_open_id_connect_provider")]
pub struct OpenIdConnectProvider {
    /// ARN of the provider.
    #[column(index, path = "Arn")]
    arn: String,
    /// Audiences that tokens may have.
    #[column(path = "ClientIDList", source = details, needs = "iam:GetOpenIDConnectProvider")]
    client_id_list: Option<Vec<String>>,
    /// Creation time.
    #[column(path = "CreateDate", source = details, needs = "iam:GetOpenIDConnectProvider")]
    create_date: Option<Timestamp>,
    /// Thumbprints of the issuer's certificates.
    #[column(path = "ThumbprintList", source = details, needs = "iam:GetOpenIDConnectProvider")]
    thumbprint_list: Option<Vec<String>>,
    /// URL of the issuer, without `https://`.
    #[column(path = "Url", source = details, needs = "iam:GetOpenIDConnectProvider")]
    url: Option<String>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = details, needs = "iam:GetOpenIDConnectProvider")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "iam:GetOpenIDConnectProvider")]
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

const LIST: &str = "iam:ListOpenIDConnectProviders";
const GET: &str = "iam:GetOpenIDConnectProvider";

impl RowStream for OpenIdConnectProvider {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, if scan.keys(Self::ARN).is_some() { GET } else { LIST })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::ARN) {
            Some(arns) => site.look_up(scan, arns, |site, arn| OpenIdConnectProvider::get(scan, site, arn)),
            None => {
                let iam = site.iam();
                let fetch = move |_| iam.list_open_id_connect_providers().send();
                let providers = site.pages(scan, LIST, "", fetch, |page| {
                    (page.open_id_connect_provider_list.unwrap_or_default(), Next::Token(None))
                });
                site.rows(scan, providers)
            }
        })
    }
}

impl Resource for OpenIdConnectProvider {
    const ARN_FORM: &'static str = "{Arn}";
    const TITLE_FORM: &'static str = "{Arn}";
    const KEPT: &'static [usize] = &[Self::ARN.position()];
}

impl OpenIdConnectProvider {
    async fn get(scan: &Scan<Self>, site: Site, arn: String) -> Result<Self> {
        // IAM refuses to look up what is not an ARN of this kind.
        if !arn.starts_with("arn:") || !arn.contains(":oidc-provider/") {
            return Err(Error::Gone(arn));
        }
        let document = OpenIdConnectProvider::answer(scan, &site, &arn).await?;
        Reader::whole(scan, &site).row(scan, &document)
    }

    async fn answer(scan: &Scan<Self>, site: &Site, arn: &str) -> Result<Value> {
        let request = site.iam().get_open_id_connect_provider().open_id_connect_provider_arn(arn);
        let answer = site.call(scan, GET, || request.clone().send()).await?;
        let whole = Shape::whole();
        Ok(json!({
            "Arn": arn,
            "Url": answer.url,
            "ClientIDList": answer.client_id_list,
            "ThumbprintList": answer.thumbprint_list,
            "CreateDate": answer.create_date.document(&whole),
            "Tags": answer.tags.document(&whole),
        }))
    }

    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.tags.is_none() {
            let site = self.origin.site(scan).await?;
            let document = OpenIdConnectProvider::answer(scan, &site, &self.arn).await?;
            Reader::of_sources(&site, &["details"]).fill(scan, self, &document)?;
        }
        Ok(())
    }
}
