//! `interface_addresses`: one row per address of a network interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use indago_table::prelude::*;

use crate::source::netlink::{self, InterfaceAddress as Found};

/// IPv4 and IPv6 addresses of the network interfaces, in the host's network namespace.
#[derive(Debug, Default, Table)]
#[table(name = "interface_addresses", platforms("linux"), rows = 10, identity(interface, address))]
#[example(
    "Addresses at which this host can be reached.",
    "SELECT interface, address, mask FROM interface_addresses WHERE interface <> 'lo'"
)]
pub struct InterfaceAddress {
    /// Name of the interface, or the label of the address.
    interface: String,
    /// Address; a link-local IPv6 address is followed by `%` and the interface.
    address: String,
    /// Network mask.
    mask: String,
    /// Broadcast address; NULL if there is none.
    broadcast: Option<String>,
    /// Address of the other end of a point-to-point link; NULL for others.
    point_to_point: Option<String>,
    /// Origin, derived from the address's lifetime: `manual` for a permanent address, `dhcp` (IPv4) or `auto` (IPv6)
    /// for one that must be renewed, `other` for the loopback interface.
    r#type: String,
}

impl Rows for InterfaceAddress {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(netlink::interface_addresses(scan.sys())?.into_iter().map(row))
    }
}

fn row(found: Found) -> InterfaceAddress {
    let origin = match (found.is_loopback, found.is_permanent, found.address) {
        (true, ..) => "other",
        (_, true, _) => "manual",
        (_, false, IpAddr::V4(_)) => "dhcp",
        (_, false, IpAddr::V6(_)) => "auto",
    };
    let zone = match found.address {
        IpAddr::V6(_) if found.is_link_local => format!("%{}", found.interface),
        _ => String::new(),
    };
    InterfaceAddress {
        address: format!("{}{zone}", found.address),
        mask: mask(found.address, found.prefix_length),
        broadcast: found.broadcast.map(|address| address.to_string()),
        point_to_point: found.peer.map(|address| address.to_string()),
        interface: found.interface,
        r#type: origin.to_owned(),
    }
}

fn mask(address: IpAddr, prefix_length: u8) -> String {
    let length = u32::from(prefix_length);
    match address {
        IpAddr::V4(_) => Ipv4Addr::from(u32::MAX.checked_shl(32 - length.min(32)).unwrap_or(0)).to_string(),
        IpAddr::V6(_) => Ipv6Addr::from(u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_follow_the_prefix() {
        let any4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let any6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        for (address, length, text) in [
            (any4, 0, "0.0.0.0"),
            (any4, 20, "255.255.240.0"),
            (any4, 32, "255.255.255.255"),
            (any4, 200, "255.255.255.255"),
            (any6, 0, "::"),
            (any6, 64, "ffff:ffff:ffff:ffff::"),
            (any6, 128, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            assert_eq!(mask(address, length), text);
        }
    }
}
