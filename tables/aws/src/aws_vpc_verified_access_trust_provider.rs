//! `aws_vpc_verified_access_trust_provider`: one row per trust provider, from
//! `ec2:DescribeVerifiedAccessTrustProviders`.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Resource, in_utc};
use crate::source::ec2;

/// Trust providers of Verified Access: sources of data about users and devices.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_verified_access_trust_provider", env = Aws, stream, rows = 2,
    needs("ec2:DescribeVerifiedAccessTrustProviders"), identity(account_id, region, verified_access_trust_provider_id)
)]
#[example(
    "Providers of users.",
    "SELECT verified_access_trust_provider_id, user_trust_provider_type FROM aws_vpc_verified_access_trust_provider \
     WHERE trust_provider_type = 'user'"
)]
pub struct VerifiedAccessTrustProvider {
    /// ID of the trust provider.
    #[column(path = "VerifiedAccessTrustProviderId")]
    verified_access_trust_provider_id: String,
    /// Time of creation.
    #[column(path = "creationTime")]
    creation_time: Option<Timestamp>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// `jamf`, `crowdstrike` or `jumpcloud`; NULL for users.
    #[column(path = "DeviceTrustProviderType")]
    device_trust_provider_type: Option<String>,
    /// Time of the last change.
    #[column(path = "lastUpdatedTime")]
    last_updated_time: Option<Timestamp>,
    /// Name of the provider in policies.
    #[column(path = "PolicyReferenceName")]
    policy_reference_name: Option<String>,
    /// `user` or `device`.
    #[column(path = "TrustProviderType")]
    trust_provider_type: Option<String>,
    /// `iam-identity-center` or `oidc`; NULL for devices.
    #[column(path = "UserTrustProviderType")]
    user_trust_provider_type: Option<String>,
    /// OpenID Connect settings, without the client secret.
    #[column(path = "oidcOptions")]
    oidc_options: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The tag `Name`, or the ID if there is none.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for VerifiedAccessTrustProvider {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeVerifiedAccessTrustProviders")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let request = site.ec2().describe_verified_access_trust_providers().max_results(page_size(scan, 5..=200));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeVerifiedAccessTrustProviders", &[], fetch, |page| {
                (page.verified_access_trust_providers.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for VerifiedAccessTrustProvider {
    const TITLE_FORM: &'static str = "{Tags.Name}|{VerifiedAccessTrustProviderId}";
    const DERIVED: &'static [Derived] = &[
        Derived::new("creationTime", "CreationTime", in_utc),
        Derived::new("lastUpdatedTime", "LastUpdatedTime", in_utc),
        Derived::new("oidcOptions", "OidcOptions", without_secret),
    ];
}

/// Settings without the client secret.
fn without_secret(options: &Value) -> Value {
    let mut options = options.clone();
    if let Some(options) = options.as_object_mut() {
        options.remove("ClientSecret");
    }
    options
}
