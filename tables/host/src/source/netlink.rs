//! Addresses of network interfaces, from the kernel's routing socket.

use std::collections::HashMap;
use std::net::IpAddr;

use indago_table::prelude::*;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

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

const GET_LINKS: u16 = 18;
const NEW_LINK: u16 = 16;
const GET_ADDRESSES: u16 = 22;
const NEW_ADDRESS: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Flags of a request for all entries.
const REQUEST_DUMP: u16 = 0x1 | 0x300;

/// The addresses of all interfaces in the caller's network namespace.
pub(crate) fn interface_addresses(sys: &Sys) -> Result<Vec<InterfaceAddress>> {
    sys.require_live("network interfaces")?;
    if !is_shared(sys, "net")? {
        let what = "the network interfaces belong to this program's network namespace, not to the host's";
        return Err(Error::Unsupported(format!("{what}; run Indago with the host's network (hostNetwork)")));
    }
    let mut links = HashMap::new();
    for message in dump(sys, GET_LINKS)? {
        if let Some((index, link)) = link(&message) {
            links.insert(index, link);
        }
    }
    let messages = dump(sys, GET_ADDRESSES)?;
    let found: Vec<_> = messages.iter().filter_map(|message| interface_address(message, &links)).collect();
    // An interface's name can contain any bytes.
    if found.iter().any(|found| found.interface.contains(char::REPLACEMENT_CHARACTER)) {
        sys.meter().note_lossy();
    }
    Ok(found)
}

/// The payloads of the response to a request.
fn dump(sys: &Sys, request: u16) -> Result<Vec<Vec<u8>>> {
    let failed = |error: rustix::io::Errno| Error::io("the routing socket", &error.into());
    sys.check_cancelled()?;
    sys.meter().add_calls(1);
    let flags = SocketFlags::CLOEXEC;
    // Routing is the family's protocol number 0.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).map_err(failed)?;
    // Header; then the address family: any.
    let mut message = Vec::new();
    message.extend(20u32.to_ne_bytes());
    message.extend(request.to_ne_bytes());
    message.extend(REQUEST_DUMP.to_ne_bytes());
    message.extend([0; 12]);
    send(&socket, &message, SendFlags::empty()).map_err(failed)?;
    let mut payloads = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        sys.check_cancelled()?;
        let (length, _) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty()).map_err(failed)?;
        sys.meter().add_bytes(length as u64);
        if length == 0 {
            return Ok(payloads);
        }
        for (kind, payload) in messages(&buffer[..length]) {
            match kind {
                DONE => return Ok(payloads),
                ERROR => return Err(Error::Unavailable("the routing socket refused the request".into())),
                NEW_LINK | NEW_ADDRESS => payloads.push(payload.to_vec()),
                _ => {}
            }
        }
    }
}

/// The messages in a datagram: kind and payload.
fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = u32_at(rest, 0)? as usize;
        let kind = u16_at(rest, 4)?;
        let payload = rest.get(16..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, payload))
    })
}

/// The attributes of a message: kind and value.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
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

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Text that may end in a NUL.
fn name(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(b"\0").unwrap_or(value)).into_owned()
}

/// The data about an interface that its addresses need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Link {
    name: String,
    flags: u32,
}

const LOOPBACK: u32 = 0x8;
const POINT_TO_POINT: u32 = 0x10;

fn link(message: &[u8]) -> Option<(u32, Link)> {
    let (index, flags) = (u32_at(message, 4)?, u32_at(message, 8)?);
    let name = attributes(message.get(16..)?).find_map(|(kind, value)| (kind == 3).then(|| name(value)))?;
    Some((index, Link { name, flags }))
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
        let (index, tunnel) = link(&message).expect("a link");
        assert_eq!((index, tunnel.name.as_str()), (7, "tun0"));

        let links = HashMap::from([(index, tunnel)]);
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

    #[test]
    fn messages_that_are_cut_give_nothing_and_end() {
        let whole = address_message(24, 0, &[attribute(1, &[1; 4])]);
        for end in 0..whole.len() {
            assert_eq!(interface_address(&whole[..end], &HashMap::new()), None);
        }
        let mut datagram = Vec::new();
        datagram.extend((16 + whole.len() as u32).to_ne_bytes());
        datagram.extend(NEW_ADDRESS.to_ne_bytes());
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
