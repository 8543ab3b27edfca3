//! `aws_eks_identity_provider_config`: one row per identity provider of an EKS cluster.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place};
use crate::api::{List, Request};
use crate::resource::{Origin, Reader, Resource};
use crate::services::EKS;
use crate::source::eks;

/// OpenID Connect providers of EKS clusters: whose tokens the API server accepts, besides IAM's and its own.
///
/// Lists have only names. All other columns cost one call per provider.
#[derive(Debug, Default, Table)]
#[table(name = "aws_eks_identity_provider_config", env = Aws, stream, rows = 5, needs("eks:ListIdentityProviderConfigs"), identity(account_id, region, cluster_name, name))]
#[example(
    "Issuers whose users a cluster accepts.",
    "SELECT cluster_name, name, issuer_url, groups_claim FROM aws_eks_identity_provider_config"
)]
pub struct IdentityProviderConfig {
    /// Name of the provider's configuration.
    #[column(path = "name")]
    name: String,
    /// Type: `oidc`.
    #[column(path = "type")]
    r#type: String,
    /// Audience of the tokens.
    #[column(path = "clientId", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    client_id: Option<String>,
    /// Name of the cluster.
    #[column(index, path = "clusterName")]
    cluster_name: String,
    /// ARN of the configuration.
    #[column(path = "identityProviderConfigArn", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    arn: Option<String>,
    /// Claim with the groups; NULL if there is none.
    #[column(path = "groupsClaim", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    groups_claim: Option<String>,
    /// Prefix of groups; NULL if there is none.
    #[column(path = "groupsPrefix", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    groups_prefix: Option<String>,
    /// URL of the issuer.
    #[column(path = "issuerUrl", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    issuer_url: Option<String>,
    /// Claim with the user name; NULL if it is `sub`.
    #[column(path = "usernameClaim", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    username_claim: Option<String>,
    /// Status: `CREATING`, `ACTIVE` or `DELETING`.
    #[column(path = "status", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    status: Option<String>,
    /// Prefix of user names; NULL if there is none.
    #[column(path = "usernamePrefix", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    username_prefix: Option<String>,
    /// Claims that a token must have, with their values.
    #[column(path = "requiredClaims", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    required_claims: Option<Map>,
    /// Tags as EKS returns them: an object.
    #[column(path = "tags", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas", source = details, needs = "eks:DescribeIdentityProviderConfig")]
    akas: Option<Vec<String>>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = eks::list("eks:ListIdentityProviderConfigs", "identityProviderConfigs");

impl RowStream for IdentityProviderConfig {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            eks::of_clusters(scan, site, scan.keys(Self::CLUSTER_NAME), &LIST, "identity-provider-configs")
        })
    }
}

impl Resource for IdentityProviderConfig {
    const ARN_FORM: &'static str = "{identityProviderConfigArn}";
    const TITLE_FORM: &'static str = "{name}";
    const TAGS: &'static str = "tags";
    const KEPT: &'static [usize] = &[Self::CLUSTER_NAME.position(), Self::NAME.position(), Self::TYPE.position()];
}

impl IdentityProviderConfig {
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let path = ["clusters", &self.cluster_name, "identity-provider-configs", "describe"];
        let input = json!({"identityProviderConfig": {"type": self.r#type, "name": self.name}});
        let action = "eks:DescribeIdentityProviderConfig";
        let mut answer = site.send(scan, &EKS, action, Request::post(&path, input)).await?;
        let config = answer.pointer_mut("/identityProviderConfig/oidc").map(Value::take);
        let config = config.ok_or_else(|| site.nothing(action))?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &config)
    }
}
