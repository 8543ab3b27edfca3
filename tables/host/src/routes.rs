//! `routes`: one row per next hop of a route.

use indago_table::prelude::*;

use crate::source::netlink::{self, Route as Found};

/// Routes of all routing tables and both address families, in the host's network namespace.
///
/// A route with several next hops has a row for each. osquery shows such a route without gateways, and 0 as the prefix
/// length of a route to a single address.
#[derive(Debug, Default, Table)]
#[table(
    name = "routes",
    platforms("linux"),
    rows = 20,
    identity(destination, netmask, gateway, interface, metric, r#type, table_id)
)]
#[example(
    "Default gateways.",
    "SELECT gateway, interface, metric FROM routes WHERE destination IN ('0.0.0.0', '::') AND netmask = 0 AND type = 'gateway'"
)]
pub struct Route {
    /// Address of the destination; `0.0.0.0` or `::` for a default route.
    destination: String,
    /// Length of the destination's prefix.
    netmask: i64,
    /// Address of the next hop; empty if the destination is reached directly.
    gateway: String,
    /// Preferred source address; empty if the route sets none.
    source: String,
    /// Flags of the kernel.
    flags: i64,
    /// Name of the interface; empty for a route without one, such as one that rejects packets.
    interface: String,
    /// Largest packet that the route sets, in bytes; 0 if it sets none.
    mtu: i64,
    /// Metric: the lowest is preferred.
    metric: i64,
    /// `gateway` for any unicast route, `local`, `broadcast`, `anycast`, or `other`.
    #[column(index)]
    r#type: String,
    /// Hop limit that the route sets; 0 if it sets none.
    hopcount: i64,
    /// Number of the routing table: 254 main, 255 local.
    #[column(added)]
    table_id: i64,
    /// What installed it, as `ip route` shows it: `kernel`, `boot` or `static` (an administrator), `ra` (router
    /// advertisements), `dhcp`, or the name or number of a routing daemon.
    #[column(added)]
    protocol: String,
}

impl Rows for Route {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let types = scan.keys(Self::TYPE);
        let rows = netlink::routes(scan.sys())?.into_iter().map(row);
        Ok(rows.filter(move |row| types.as_ref().is_none_or(|types| types.contains(&row.r#type))))
    }
}

fn row(found: Found) -> Route {
    let any = if found.is_ipv6 { "::" } else { "0.0.0.0" };
    let kind = match found.kind {
        1 => "gateway",
        2 => "local",
        3 => "broadcast",
        4 => "anycast",
        _ => "other",
    };
    let text = |address: Option<std::net::IpAddr>| address.map(|address| address.to_string());
    Route {
        destination: text(found.destination).unwrap_or_else(|| any.to_owned()),
        netmask: found.prefix_length.into(),
        gateway: text(found.gateway).unwrap_or_default(),
        source: text(found.source).unwrap_or_default(),
        flags: found.flags.into(),
        interface: found.interface.unwrap_or_default(),
        mtu: found.mtu.into(),
        metric: found.metric.into(),
        r#type: kind.to_owned(),
        hopcount: found.hop_limit.into(),
        table_id: found.table.into(),
        protocol: protocol(found.protocol),
    }
}

/// Names of iproute2's `rt_protos`.
fn protocol(number: u8) -> String {
    let name = match number {
        0 => "unspec",
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        8 => "gated",
        9 => "ra",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        13 => "dnrouted",
        14 => "xorp",
        15 => "ntk",
        16 => "dhcp",
        18 => "keepalived",
        42 => "babel",
        99 => "openr",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        _ => return number.to_string(),
    };
    name.to_owned()
}
