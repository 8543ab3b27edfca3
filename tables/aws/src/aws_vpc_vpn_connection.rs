//! `aws_vpc_vpn_connection`: one row per VPN connection, from `ec2:DescribeVpnConnections`.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Place};
use crate::call::Next;
use crate::resource::{Derived, Origin, Resource};
use crate::source::ec2;

/// Site-to-site VPN connections.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_vpn_connection", env = Aws, stream, rows = 2, needs("ec2:DescribeVpnConnections"), identity(arn)
)]
#[example(
    "Connections and the state of their tunnels.",
    "SELECT vpn_connection_id, vgw_telemetry FROM aws_vpc_vpn_connection"
)]
pub struct VpnConnection {
    /// ID of the connection.
    #[column(index, path = "VpnConnectionId")]
    vpn_connection_id: String,
    /// ARN of the connection.
    #[column(path = "@arn")]
    arn: String,
    /// `pending`, `available`, `deleting` or `deleted`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Type of VPN: `ipsec.1`.
    #[column(slice, path = "Type")]
    r#type: Option<String>,
    /// `VPN`, or `VPN-Classic` for an old connection.
    #[column(path = "Category")]
    category: Option<String>,
    /// ID of the virtual private gateway; NULL if a transit gateway is the AWS end.
    #[column(index, path = "VpnGatewayId")]
    vpn_gateway_id: Option<String>,
    /// ID of the customer gateway.
    #[column(index, path = "CustomerGatewayId")]
    customer_gateway_id: Option<String>,
    /// Configuration of the customer's device, as XML. It contains the pre-shared keys.
    #[column(secret, path = "CustomerGatewayConfiguration")]
    customer_gateway_configuration: Option<String>,
    /// ID of the transit gateway; NULL if a virtual private gateway is the AWS end.
    #[column(index, path = "TransitGatewayId")]
    transit_gateway_id: Option<String>,
    /// Options of the connection and its tunnels, without the pre-shared keys.
    #[column(path = "optionsWithoutKeys")]
    options: Option<Json>,
    /// Static routes.
    #[column(path = "Routes")]
    routes: Option<Json>,
    /// State of each tunnel.
    #[column(volatile, path = "VgwTelemetry")]
    vgw_telemetry: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The tag `Name`, or the ID if there is none.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for VpnConnection {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeVpnConnections")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("vpn-connection-id", scan.keys(Self::VPN_CONNECTION_ID)),
                ("state", scan.keys(Self::STATE)),
                ("type", scan.keys(Self::TYPE)),
                ("vpn-gateway-id", scan.keys(Self::VPN_GATEWAY_ID)),
                ("customer-gateway-id", scan.keys(Self::CUSTOMER_GATEWAY_ID)),
                ("transit-gateway-id", scan.keys(Self::TRANSIT_GATEWAY_ID)),
            ];
            let request = site.ec2().describe_vpn_connections();
            let fetch = move |filters, _| request.clone().set_filters(Some(filters)).send();
            ec2::rows(scan, site, "ec2:DescribeVpnConnections", &keys, fetch, |page| {
                (page.vpn_connections.unwrap_or_default(), Next::Token(None))
            })
        })
    }
}

impl Resource for VpnConnection {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{@account_id}:vpn-connection/{VpnConnectionId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{VpnConnectionId}";
    const DERIVED: &'static [Derived] = &[Derived::new("optionsWithoutKeys", "Options", without_keys)];
}

/// Options without the pre-shared keys of tunnels.
fn without_keys(options: &Value) -> Value {
    let mut options = options.clone();
    let tunnels = options.get_mut("TunnelOptions").and_then(Value::as_array_mut);
    for tunnel in tunnels.into_iter().flatten() {
        if let Some(tunnel) = tunnel.as_object_mut() {
            tunnel.remove("PreSharedKey");
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_without_pre_shared_keys() {
        let options =
            json!({"StaticRoutesOnly": true, "TunnelOptions": [{"PreSharedKey": "s", "DpdTimeoutSeconds": 30}, "odd"]});
        let expected = json!({"StaticRoutesOnly": true, "TunnelOptions": [{"DpdTimeoutSeconds": 30}, "odd"]});
        assert_eq!(without_keys(&options), expected);
        for other in [Value::Null, json!("odd"), json!({"TunnelOptions": "odd"}), json!({})] {
            assert_eq!(without_keys(&other), other);
        }
    }
}
