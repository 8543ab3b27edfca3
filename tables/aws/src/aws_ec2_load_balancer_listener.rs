//! `aws_ec2_load_balancer_listener`: one row per listener, from `elasticloadbalancing:DescribeListeners`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::resource::{Derived, Origin, Resource};
use crate::source::load_balancing::{self, LISTENERS};

/// Listeners of application, network and gateway load balancers: the ports that they accept connections on.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_load_balancer_listener", env = Aws, stream, rows = 40,
    needs("elasticloadbalancing:DescribeListeners"), identity(arn)
)]
#[example(
    "Listeners without encryption.",
    "SELECT load_balancer_arn, port FROM aws_ec2_load_balancer_listener WHERE protocol = 'HTTP'"
)]
pub struct Listener {
    /// ARN of the listener.
    #[column(index, path = "ListenerArn")]
    arn: String,
    /// ARN of its load balancer.
    #[column(index, path = "LoadBalancerArn")]
    load_balancer_arn: Option<String>,
    /// Port; NULL for a gateway load balancer.
    #[column(path = "Port")]
    port: Option<i64>,
    /// `HTTP`, `HTTPS`, `TCP`, `TLS`, `UDP`, `TCP_UDP` or `GENEVE`.
    #[column(path = "Protocol")]
    protocol: Option<String>,
    /// Security policy: which TLS versions and ciphers it accepts; NULL without TLS.
    #[column(path = "SslPolicy")]
    ssl_policy: Option<String>,
    /// Policy of application-layer protocol negotiation, of a TLS listener.
    #[column(path = "AlpnPolicy")]
    alpn_policy: Vec<String>,
    /// Default certificate: `CertificateArn`.
    #[column(path = "Certificates")]
    certificates: Option<Json>,
    /// Actions for requests that no rule matches, without client secrets.
    #[column(path = "defaultActions")]
    default_actions: Option<Json>,
    /// Verification of client certificates.
    #[column(path = "MutualAuthentication")]
    mutual_authentication: Option<Json>,
    /// The same as the ARN.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Listener {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "elasticloadbalancing:DescribeListeners")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            if let Some(arns) = load_balancing::arns(scan.keys(Self::ARN), "listener/") {
                let items = load_balancing::items(scan, site.clone(), &LISTENERS, Some(("ListenerArns", arns)));
                return site.rows(scan, items);
            }
            let keys = load_balancing::load_balancer_keys(scan.keys(Self::LOAD_BALANCER_ARN));
            site.rows(scan, load_balancing::listeners(scan, site.clone(), keys))
        })
    }
}

impl Resource for Listener {
    const ARN_FORM: &'static str = "{ListenerArn}";
    const TITLE_FORM: &'static str = "{ListenerArn}";
    const DERIVED: &'static [Derived] =
        &[Derived::new("defaultActions", "DefaultActions", load_balancing::without_secrets)];
}
