//! `aws_ec2_ssl_policy`: one row per policy, from `elasticloadbalancing:DescribeSSLPolicies`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::query::Listing;
use crate::resource::{Origin, Resource};
use crate::source::load_balancing::{self, LOAD_BALANCING};

/// Security policies of load balancers: TLS versions and ciphers that a listener accepts.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_ssl_policy", env = Aws, stream, rows = 30, needs("elasticloadbalancing:DescribeSSLPolicies"),
    identity(account_id, region, name)
)]
#[example(
    "Listeners that accept TLS 1.0.",
    "SELECT l.arn, l.ssl_policy FROM aws_ec2_load_balancer_listener l JOIN aws_ec2_ssl_policy p ON p.name = \
     l.ssl_policy AND p.region = l.region WHERE array_has(p.ssl_protocols, 'TLSv1')"
)]
pub struct SslPolicy {
    /// Name of the policy, such as `ELBSecurityPolicy-2016-08`.
    #[column(index, path = "Name")]
    name: String,
    /// Ciphers: `Name`, `Priority`.
    #[column(path = "Ciphers")]
    ciphers: Option<Json>,
    /// TLS versions.
    #[column(path = "SslProtocols")]
    ssl_protocols: Vec<String>,
    /// Types of load balancers that can use it.
    #[column(path = "SupportedLoadBalancerTypes")]
    supported_load_balancer_types: Vec<String>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for SslPolicy {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "elasticloadbalancing:DescribeSSLPolicies")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = load_balancing::names(scan.keys(Self::NAME)).map(|names| ("Names", names));
            site.rows(scan, load_balancing::items(scan, site.clone(), &POLICIES, keys))
        })
    }
}

impl Resource for SslPolicy {
    const ARN_FORM: &'static str = "arn:{@partition}:elbv2:{@region}:{@account_id}:ssl-policy/{Name}";
    const TITLE_FORM: &'static str = "{Name}";
}

static POLICIES: Listing = Listing {
    query: &LOAD_BALANCING,
    action: "elasticloadbalancing:DescribeSSLPolicies",
    items: "SslPolicies",
    tokens: ("Marker", "NextMarker"),
};
