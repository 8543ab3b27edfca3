//! Network interfaces, their addresses, and routes, from the kernel's routing socket.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use indago_table::prelude::*;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use super::held::{HeldList, owned, owned_bytes};
use super::namespace::is_shared;

/// One address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceAddress {
    pub(crate) interface: String,
    pub(crate) address: IpAddr,
    pub(crate) prefix_length: u8,
    pub(crate) broadcast: Option<IpAddr>,
    /// The other end of a point-to-point link.
    pub(crate) peer: Option<IpAddr>,
    /// Whether it stays until it is removed; otherwise it must be renewed.
    pub(crate) is_permanent: bool,
    pub(crate) is_loopback: bool,
    /// Whether it is valid only on its own link.
    pub(crate) is_link_local: bool,
}

/// What a request asks for: all entries of a kind. The kernel's response has messages of the number `new`.
#[derive(Debug, Clone, Copy)]
struct Dump {
    get: u16,
    new: u16,
}

const LINKS: Dump = Dump { get: 18, new: 16 };
const ADDRESSES: Dump = Dump { get: 22, new: 20 };
const ROUTES: Dump = Dump { get: 26, new: 24 };
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Flags of a request for all entries.
const REQUEST_DUMP: u16 = 0x1 | 0x300;

/// Fails unless the kernel's responses to this process describe the host's network.
pub(crate) fn require_host_network(sys: &Sys) -> Result<()> {
    sys.require_live("network interfaces")?;
    if !is_shared(sys, "net")? {
        let what = "the network interfaces belong to this program's network namespace, not to the host's";
        return Err(Error::Unsupported(format!("{what}; run Indago with the host's network (hostNetwork)")));
    }
    Ok(())
}

/// The addresses of all interfaces.
pub(crate) fn interface_addresses(sys: &Sys) -> Result<Vec<InterfaceAddress>> {
    let links = links_by_index(sys)?;
    let messages = dump(sys, ADDRESSES)?;
    Ok(messages.iter().filter_map(|message| interface_address(message, &links)).collect())
}

/// All interfaces, in the order of the kernel.
pub(crate) fn links(sys: &Sys) -> Result<Vec<Link>> {
    require_host_network(sys)?;
    let links: Vec<Link> = dump(sys, LINKS)?.iter().filter_map(|message| link(message)).collect();
    // An interface's name can contain any bytes.
    if links.iter().any(|link| link.name.contains(char::REPLACEMENT_CHARACTER)) {
        sys.meter().note_lossy();
    }
    Ok(links)
}

fn links_by_index(sys: &Sys) -> Result<HashMap<u32, Link>> {
    Ok(links(sys)?.into_iter().map(|link| (link.index, link)).collect())
}

/// The routes of all tables and address families, one per next hop.
pub(crate) fn routes(sys: &Sys) -> Result<HeldList<Route>> {
    let links = links_by_index(sys)?;
    let messages = dump(sys, ROUTES)?;
    let mut routes = HeldList::new(sys);
    for route in messages.iter().flat_map(|message| route(message, &links)) {
        let owned = owned([route.interface.as_deref().unwrap_or_default()]);
        routes.push(route, owned)?;
    }
    Ok(routes)
}

/// The payloads of the response to a request.
fn dump(sys: &Sys, request: Dump) -> Result<HeldList<Vec<u8>>> {
    let failed = |error: rustix::io::Errno| Error::io("the routing socket", &error.into());
    sys.meter().add_calls(1);
    // Routing is the family's protocol number 0.
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).map_err(failed)?;
    let mut payloads = HeldList::new(sys);
    let mut held = Ok(());
    // The address family: any.
    ask(sys, &socket, request.get, &[0; 4], |kind, payload| {
        if kind == request.new && held.is_ok() {
            held = payloads.push(payload.to_vec(), owned_bytes(payload.len()));
        }
    })?;
    held.map(|()| payloads)
}

/// Sends a request for all entries of a kind, and passes the messages of the response to `each`: kind and payload.
pub(crate) fn ask(
    sys: &Sys,
    socket: &OwnedFd,
    kind: u16,
    request: &[u8],
    mut each: impl FnMut(u16, &[u8]),
) -> Result<()> {
    let failed = |error: rustix::io::Errno| Error::io("the kernel's netlink socket", &error.into());
    let mut message = Vec::new();
    message.extend((HEADER as u32 + request.len() as u32).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(REQUEST_DUMP.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(request);
    send(socket, &message, SendFlags::empty()).map_err(failed)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        sys.check_cancelled()?;
        let (length, _) = recv(socket, buffer.as_mut_slice(), RecvFlags::empty()).map_err(failed)?;
        sys.meter().add_bytes(length as u64);
        if length == 0 {
            return Ok(());
        }
        for (kind, payload) in messages(&buffer[..length]) {
            match kind {
                DONE => return Ok(()),
                ERROR => {
                    let code = u32_at(payload, 0).map_or(0, |code| (code as i32).wrapping_neg());
                    let reason = std::io::Error::from_raw_os_error(code);
                    return Err(Error::Unsupported(format!("the kernel refused a netlink request: {reason}")));
                }
                kind => each(kind, payload),
            }
        }
    }
}

/// Length of a message's header.
const HEADER: usize = 16;

/// The messages in a datagram: kind and payload.
fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = u32_at(rest, 0)? as usize;
        let kind = u16_at(rest, 4)?;
        let payload = rest.get(HEADER..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, payload))
    })
}

/// The attributes of a message: kind and value.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)?;
        let value = rest.get(4..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn aligned(length: usize) -> usize {
    length.div_ceil(4) * 4
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Text that may end in a NUL.
fn name(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(b"\0").unwrap_or(value)).into_owned()
}

/// An interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) flags: u32,
    /// Type of the hardware, as in ARP.
    pub(crate) kind: u16,
    pub(crate) mtu: u32,
    /// Hardware address; empty if it has none.
    pub(crate) address: Vec<u8>,
    pub(crate) statistics: Statistics,
}

/// Counters of an interface since it was created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    pub(crate) received_packets: u64,
    pub(crate) sent_packets: u64,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) receive_errors: u64,
    pub(crate) send_errors: u64,
    pub(crate) receive_drops: u64,
    pub(crate) send_drops: u64,
    pub(crate) collisions: u64,
}

const LOOPBACK: u32 = 0x8;
const POINT_TO_POINT: u32 = 0x10;
const PROMISCUOUS: u32 = 0x100;
const ALL_MULTICAST: u32 = 0x200;

fn link(message: &[u8]) -> Option<Link> {
    let (kind, index, flags) = (u16_at(message, 2)?, u32_at(message, 4)?, u32_at(message, 8)?);
    let mut link = Link { index, flags, kind, ..Link::default() };
    for (kind, value) in attributes(message.get(16..)?) {
        match kind {
            1 => link.address = value.to_vec(),
            3 => link.name = name(value),
            4 => link.mtu = u32_at(value, 0)?,
            23 => link.statistics = statistics(value)?,
            // The flags lack the modes that a program such as a sniffer has requested; the counts of requests have them.
            30 if u32_at(value, 0)? > 0 => link.flags |= PROMISCUOUS,
            61 if u32_at(value, 0)? > 0 => link.flags |= ALL_MULTICAST,
            _ => {}
        }
    }
    (!link.name.is_empty()).then_some(link)
}

fn statistics(value: &[u8]) -> Option<Statistics> {
    let at = |position: usize| Some(u64::from_ne_bytes(value.get(position * 8..position * 8 + 8)?.try_into().ok()?));
    Some(Statistics {
        received_packets: at(0)?,
        sent_packets: at(1)?,
        received_bytes: at(2)?,
        sent_bytes: at(3)?,
        receive_errors: at(4)?,
        send_errors: at(5)?,
        receive_drops: at(6)?,
        send_drops: at(7)?,
        collisions: at(9)?,
    })
}

/// One next hop of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) is_ipv6: bool,
    /// `None` for all addresses.
    pub(crate) destination: Option<IpAddr>,
    pub(crate) prefix_length: u8,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) flags: u32,
    /// `None` if it has none, as a route that rejects packets.
    pub(crate) interface: Option<String>,
    pub(crate) mtu: u32,
    pub(crate) hop_limit: u32,
    pub(crate) metric: u32,
    /// The kernel's number of its type: 1 unicast, 2 local, 3 broadcast, 4 anycast, ...
    pub(crate) kind: u8,
    /// The routing table.
    pub(crate) table: u32,
    /// What installed it.
    pub(crate) protocol: u8,
}

/// Flag of an entry in a table of cached routes.
const CLONED: u32 = 0x200;
const IPV4: u8 = 2;
const IPV6: u8 = 10;

fn route(message: &[u8], links: &HashMap<u32, Link>) -> Vec<Route> {
    let parse = || {
        let (family, prefix_length) = (*message.first()?, *message.get(1)?);
        let (table, protocol, kind, flags) =
            (*message.get(4)?, *message.get(5)?, *message.get(7)?, u32_at(message, 8)?);
        if !matches!(family, IPV4 | IPV6) || flags & CLONED != 0 {
            return None;
        }
        let table = u32::from(table);
        let is_ipv6 = family == IPV6;
        let mut route = Route { is_ipv6, prefix_length, flags, kind, table, protocol, ..Route::default() };
        let mut hops = &[][..];
        for (kind, value) in attributes(message.get(12..)?) {
            match kind {
                1 => route.destination = ip(value),
                6 => route.metric = u32_at(value, 0)?,
                7 => route.source = ip(value),
                8 => {
                    for (metric, value) in attributes(value) {
                        match metric {
                            2 => route.mtu = u32_at(value, 0)?,
                            10 => route.hop_limit = u32_at(value, 0)?,
                            _ => {}
                        }
                    }
                }
                9 => hops = value,
                15 => route.table = u32_at(value, 0)?,
                _ => next_hop(&mut route, kind, value, links)?,
            }
        }
        Some((route, hops))
    };
    let Some((route, mut hops)) = parse() else { return Vec::new() };
    if hops.is_empty() {
        return vec![route];
    }
    let each = std::iter::from_fn(move || {
        let length = usize::from(u16_at(hops, 0)?);
        let mut hop = Route { flags: route.flags | u32::from(*hops.get(2)?), ..route.clone() };
        hop.interface = interface(u32_at(hops, 4)?, links);
        for (kind, value) in attributes(hops.get(8..length)?) {
            next_hop(&mut hop, kind, value, links)?;
        }
        hops = hops.get(aligned(length)..).unwrap_or_default();
        Some(hop)
    });
    each.collect()
}

fn next_hop(route: &mut Route, kind: u16, value: &[u8], links: &HashMap<u32, Link>) -> Option<()> {
    match kind {
        4 => route.interface = interface(u32_at(value, 0)?, links),
        5 => route.gateway = ip(value),
        // A gateway of the other family, after the number of that family.
        18 => route.gateway = ip(value.get(2..)?),
        _ => {}
    }
    Some(())
}

fn interface(index: u32, links: &HashMap<u32, Link>) -> Option<String> {
    links.get(&index).map(|link| link.name.clone())
}

fn interface_address(message: &[u8], links: &HashMap<u32, Link>) -> Option<InterfaceAddress> {
    let (prefix_length, short_flags, scope) = (*message.get(1)?, *message.get(2)?, *message.get(3)?);
    let link = links.get(&u32_at(message, 4)?).cloned().unwrap_or_default();
    let (mut address, mut local, mut broadcast, mut label) = (None, None, None, None);
    let mut flags = u32::from(short_flags);
    for (kind, value) in attributes(message.get(8..)?) {
        match kind {
            1 => address = ip(value),
            2 => local = ip(value),
            3 => label = Some(name(value)),
            4 => broadcast = ip(value),
            8 => flags = u32_at(value, 0)?,
            _ => {}
        }
    }
    let own = local.or(address)?;
    Some(InterfaceAddress {
        interface: label.unwrap_or(link.name),
        address: own,
        prefix_length,
        broadcast,
        peer: address.filter(|address| link.flags & POINT_TO_POINT != 0 && *address != own),
        is_permanent: flags & 0x80 != 0,
        is_loopback: link.flags & LOOPBACK != 0,
        is_link_local: scope == 253,
    })
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(value).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(value).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((4 + value.len() as u16).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn address_message(prefix: u8, scope: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![2, prefix, 0x80, scope];
        bytes.extend(7u32.to_ne_bytes());
        bytes.extend(attributes.concat());
        bytes
    }

    #[test]
    fn messages_become_addresses() {
        let mut message = vec![0; 4];
        message.extend(7u32.to_ne_bytes());
        message.extend(POINT_TO_POINT.to_ne_bytes());
        message.extend([0; 4]);
        message.extend(attribute(3, b"tun0\0"));
        let tunnel = link(&message).expect("a link");
        assert_eq!((tunnel.index, tunnel.name.as_str()), (7, "tun0"));

        let links = HashMap::from([(7, tunnel)]);
        let message = address_message(32, 0, &[attribute(1, &[10, 0, 0, 2]), attribute(2, &[10, 0, 0, 1])]);
        let found = interface_address(&message, &links).expect("an address");
        assert_eq!(found.interface, "tun0");
        assert_eq!((found.address.to_string(), found.prefix_length), ("10.0.0.1".into(), 32));
        assert_eq!(found.peer.map(|peer| peer.to_string()).as_deref(), Some("10.0.0.2"));
        assert!(found.is_permanent);

        let message =
            address_message(24, 0, &[attribute(1, &[1; 4]), attribute(3, b"eth0:1\0"), attribute(8, &[0; 4])]);
        let found = interface_address(&message, &HashMap::new()).expect("an address");
        assert_eq!((found.interface.as_str(), found.is_permanent), ("eth0:1", false));
    }

    fn route_message(family: u8, prefix: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![family, prefix, 0, 0, 254, 3, 0, 1];
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend(attributes.concat());
        bytes
    }

    fn hop(index: u32, gateway: [u8; 4]) -> Vec<u8> {
        let gateway = attribute(5, &gateway);
        let mut bytes = Vec::new();
        bytes.extend((8 + gateway.len() as u16).to_ne_bytes());
        bytes.extend([0, 0]);
        bytes.extend(index.to_ne_bytes());
        bytes.extend(gateway);
        bytes
    }

    #[test]
    fn messages_become_routes() {
        let eth0 = Link { index: 2, name: "eth0".to_owned(), ..Link::default() };
        let links = HashMap::from([(2, eth0)]);
        let metrics = [attribute(2, &1400u32.to_ne_bytes()), attribute(10, &64u32.to_ne_bytes())].concat();
        let message = route_message(
            IPV4,
            24,
            &[
                attribute(15, &1000u32.to_ne_bytes()),
                attribute(1, &[10, 1, 0, 0]),
                attribute(6, &50u32.to_ne_bytes()),
                attribute(7, &[10, 0, 0, 9]),
                attribute(8, &metrics),
                attribute(5, &[10, 0, 0, 1]),
                attribute(4, &2u32.to_ne_bytes()),
            ],
        );
        let found = route(&message, &links);
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(found.destination.map(|to| to.to_string()).as_deref(), Some("10.1.0.0"));
        assert_eq!(found.gateway.map(|to| to.to_string()).as_deref(), Some("10.0.0.1"));
        assert_eq!(found.source.map(|to| to.to_string()).as_deref(), Some("10.0.0.9"));
        assert_eq!((found.prefix_length, found.metric, found.mtu, found.hop_limit), (24, 50, 1400, 64));
        assert_eq!((found.interface.as_deref(), found.table), (Some("eth0"), 1000));

        let hops = [hop(2, [10, 0, 0, 1]), hop(9, [10, 0, 0, 2])].concat();
        let found = route(&route_message(IPV4, 0, &[attribute(9, &hops)]), &links);
        let gateways: Vec<_> = found.iter().filter_map(|hop| hop.gateway).map(|to| to.to_string()).collect();
        assert_eq!(gateways, ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(found.iter().map(|hop| hop.interface.as_deref()).collect::<Vec<_>>(), [Some("eth0"), None]);

        let mut via = 10u16.to_ne_bytes().to_vec();
        via.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let found = route(&route_message(IPV4, 0, &[attribute(18, &via)]), &links);
        assert_eq!(found[0].gateway.map(|to| to.to_string()).as_deref(), Some("fe80::1"));
        assert_eq!(route(&route_message(7, 0, &[]), &links), [], "neither IPv4 nor IPv6");
        let whole = route_message(IPV4, 0, &[attribute(9, &hops)]);
        for end in 0..whole.len() {
            assert!(route(&whole[..end], &links).len() <= 2);
            let mut changed = whole.clone();
            changed[end] ^= 0xff;
            assert!(route(&changed, &links).len() <= 4);
        }
    }

    #[test]
    fn a_requested_promiscuous_mode_is_a_flag() {
        let mut message = vec![0, 0, 1, 0];
        message.extend(3u32.to_ne_bytes());
        message.extend(0x1003u32.to_ne_bytes());
        message.extend([0; 4]);
        message.extend(attribute(3, b"eth0\0"));
        message.extend(attribute(1, &[2, 0xfc, 0, 0, 0, 5]));
        message.extend(attribute(23, &[1; 80]));
        let plain = link(&message).expect("a link");
        assert_eq!((plain.kind, plain.flags, plain.address.len()), (1, 0x1003, 6));
        assert_eq!(plain.statistics.collisions, u64::from_ne_bytes([1; 8]));
        message.extend(attribute(30, &1u32.to_ne_bytes()));
        assert_eq!(link(&message).map(|link| link.flags), Some(0x1103));
        for end in 0..message.len() {
            let _ = link(&message[..end]);
            let mut changed = message.clone();
            changed[end] ^= 0xff;
            let _ = link(&changed);
        }
    }

    #[test]
    fn messages_that_are_cut_give_nothing_and_end() {
        let whole = address_message(24, 0, &[attribute(1, &[1; 4])]);
        for end in 0..whole.len() {
            assert_eq!(interface_address(&whole[..end], &HashMap::new()), None);
        }
        let mut datagram = Vec::new();
        datagram.extend((16 + whole.len() as u32).to_ne_bytes());
        datagram.extend(ADDRESSES.new.to_ne_bytes());
        datagram.extend([0; 10]);
        datagram.extend(&whole);
        assert_eq!(messages(&datagram).count(), 1);
        for end in 0..datagram.len() {
            assert_eq!(messages(&datagram[..end]).count(), 0);
        }
        assert_eq!(messages(&[0; 64]).count(), 0, "a length of 0 does not loop forever");
        assert_eq!(attributes(&[0; 64]).count(), 0);
    }
}
