//! `interface_ipv6`: one row per network interface with IPv6.

use indago_table::prelude::*;

use crate::source::netlink;

/// IPv6 settings of the network interfaces, in the host's network namespace.
///
/// A setting combines the interface's own value with that of `all`, as the kernel does. An interface without IPv6 has no
/// row; osquery shows one with -1.
#[derive(Debug, Default, Table)]
#[table(name = "interface_ipv6", platforms("linux"), rows = 5, identity(interface))]
#[example(
    "Interfaces that accept router advertisements.",
    "SELECT interface FROM interface_ipv6 WHERE rtadv_accept = 1"
)]
pub struct InterfaceIpv6 {
    /// Name of the interface.
    interface: String,
    /// Hop limit of sent packets.
    hop_limit: i64,
    /// 1 if packets are forwarded between interfaces, else 0.
    forwarding_enabled: i64,
    /// 1 if redirects of routers are accepted, else 0.
    redirect_accept: i64,
    /// 1 if router advertisements are accepted, else 0.
    rtadv_accept: i64,
}

impl Rows for InterfaceIpv6 {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let links = netlink::links(sys)?;
        let for_all = setting(sys, "all", "accept_redirects").if_present()?;
        if for_all.is_none() {
            return Err(sys.absent("the kernel has no IPv6 (/proc/sys/net/ipv6 is missing)"));
        }
        let redirects_of_all = for_all == Some(1);
        let row = move |name: &str| {
            let own = |key: &str| setting(sys, name, key);
            let forwards = own("forwarding")? != 0;
            let redirects = own("accept_redirects")? != 0;
            let advertisements = own("accept_ra")?;
            Ok(InterfaceIpv6 {
                interface: name.to_owned(),
                hop_limit: own("hop_limit")?,
                forwarding_enabled: forwards.into(),
                // A router needs both settings, a host one of them.
                redirect_accept: i64::from(if forwards {
                    redirects && redirects_of_all
                } else {
                    redirects || redirects_of_all
                }),
                rtadv_accept: i64::from(advertisements == 2 || advertisements == 1 && !forwards),
            })
        };
        Ok(links.into_iter().filter_map(move |link| match row(&link.name).if_present() {
            Ok(row) => row,
            Err(error) => {
                scan.report(&link.name, &error);
                None
            }
        }))
    }
}

fn setting(sys: &Sys, interface: &str, key: &str) -> Result<i64> {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/{key}");
    let text = sys.read_text(&path)?;
    text.trim().parse().map_err(|_| Error::Malformed(format!("{path} is not a number")))
}
