//! TCP and unix sockets of a network namespace, from the kernel's diagnostic socket.
//!
//! It lists listening sockets without walking the table of all connections, and the name of a unix socket is a value of
//! its own, so a name with line breaks cannot look like other sockets.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};

use indago_table::prelude::*;
use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::netlink::{ask, attributes, u32_at};
use super::sockets::{INET, Socket, TCP, UNIX, tcp_state};

/// Request for the sockets of a family.
const BY_FAMILY: u16 = 20;
const LISTEN: u8 = 10;
/// States of TCP that `/proc/net/tcp` lists; newer kernels have more.
const ALL_STATES: u32 = 0x1fff;
const UNIX_NAME: u16 = 0;
const SHOW_NAME: u32 = 1;
const DATAGRAM: u8 = 2;

/// A diagnostic socket in the network namespace of a process. It needs no right in the caller's own namespace, and
/// CAP_SYS_ADMIN in another.
pub(crate) fn open(sys: &Sys, pid: i64, is_own: bool) -> Result<OwnedFd> {
    sys.require_live("sockets")?;
    sys.meter().add_calls(1);
    let failed = |error: rustix::io::Errno| Error::io("the kernel's diagnostic socket", &error.into());
    let create = || {
        let flags = SocketFlags::CLOEXEC;
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::SOCK_DIAG)).map_err(failed)
    };
    if is_own {
        return create();
    }
    let namespace = sys.open(format!("/proc/{pid}/ns/net"))?;
    // A socket stays in the namespace that it was created in. Only the thread that creates it enters the namespace.
    std::thread::scope(|scope| {
        let create = scope.spawn(|| {
            let entered = move_into_link_name_space(namespace.as_file().as_fd(), Some(LinkNameSpaceType::Network));
            entered.map_err(failed).and_then(|()| create())
        });
        create.join().unwrap_or_else(|_| Err(Error::Unavailable("a thread failed".to_owned())))
    })
}

/// The TCP sockets of a family.
pub(crate) fn tcp(
    sys: &Sys,
    socket: &OwnedFd,
    family: i64,
    only_listening: bool,
    mut each: impl FnMut(Socket),
) -> Result<()> {
    let states = if only_listening { 1 << LISTEN } else { ALL_STATES };
    let mut request = vec![family as u8, TCP as u8, 0, 0];
    request.extend(u32::to_ne_bytes(states));
    request.resize(56, 0);
    ask(sys, socket, BY_FAMILY, &request, |kind, message| {
        if kind == BY_FAMILY {
            tcp_socket(message).into_iter().for_each(&mut each);
        }
    })
}

fn tcp_socket(message: &[u8]) -> Option<Socket> {
    let (family, state) = (i64::from(*message.first()?), *message.get(1)?);
    let port = |at: usize| Some(i64::from(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?)));
    let address = |at: usize| {
        if family == INET {
            return Some(Ipv4Addr::from(<[u8; 4]>::try_from(message.get(at..at + 4)?).ok()?).to_string());
        }
        Some(Ipv6Addr::from(<[u8; 16]>::try_from(message.get(at..at + 16)?).ok()?).to_string())
    };
    Some(Socket {
        family,
        protocol: TCP,
        local_port: port(4)?,
        remote_port: port(6)?,
        local_address: address(8)?,
        remote_address: address(24)?,
        state: Some(tcp_state(state.into())),
        is_listening: state == LISTEN,
        uid: Some(u32_at(message, 64)?.into()),
        inode: u32_at(message, 68)?.into(),
        path: String::new(),
    })
}

/// The unix sockets.
pub(crate) fn unix(sys: &Sys, socket: &OwnedFd, mut each: impl FnMut(Socket)) -> Result<()> {
    let mut request = vec![UNIX as u8, 0, 0, 0];
    for number in [u32::MAX, 0, SHOW_NAME, 0, 0] {
        request.extend(number.to_ne_bytes());
    }
    ask(sys, socket, BY_FAMILY, &request, |kind, message| {
        if kind == BY_FAMILY {
            unix_socket(sys, message).into_iter().for_each(&mut each);
        }
    })
}

fn unix_socket(sys: &Sys, message: &[u8]) -> Option<Socket> {
    let (kind, state) = (*message.get(1)?, *message.get(2)?);
    let mut socket = Socket { family: UNIX, inode: u32_at(message, 4)?.into(), ..Socket::default() };
    for (attribute, value) in attributes(message.get(16..)?) {
        if attribute == UNIX_NAME {
            socket.path = path(sys, value);
        }
    }
    socket.is_listening = !socket.path.is_empty() && (state == LISTEN || kind == DATAGRAM);
    Some(socket)
}

/// The name of a socket, as `/proc/net/unix` shows it: a NUL in an abstract name is `@`.
fn path(sys: &Sys, name: &[u8]) -> String {
    match name.split_first() {
        Some((0, _)) => {
            let shown: Vec<u8> = name.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }).collect();
            sys.text(&shown)
        }
        _ => sys.text(name.split(|byte| *byte == 0).next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp_message() -> Vec<u8> {
        let mut message = vec![2, LISTEN, 0, 0];
        message.extend(8080u16.to_be_bytes());
        message.extend(0u16.to_be_bytes());
        message.extend([127, 0, 0, 1]);
        message.resize(64, 0);
        message.extend(1000u32.to_ne_bytes());
        message.extend(4711u32.to_ne_bytes());
        message
    }

    fn unix_message(name: &[u8]) -> Vec<u8> {
        let mut message = vec![1, 1, LISTEN, 0];
        message.extend(77u32.to_ne_bytes());
        message.extend([0; 8]);
        message.extend((4 + name.len() as u16).to_ne_bytes());
        message.extend(UNIX_NAME.to_ne_bytes());
        message.extend(name);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    #[test]
    fn messages_become_sockets() {
        let socket = tcp_socket(&tcp_message()).expect("a socket");
        assert_eq!((socket.local_address.as_str(), socket.local_port), ("127.0.0.1", 8080));
        assert_eq!((socket.uid, socket.inode, socket.is_listening), (Some(1000), 4711, true));
        let sys = Sys::live();
        for (name, shown) in [
            (&b"/run/a\0"[..], "/run/a"),
            (b"/run/a\n0: 2 0 10000 1 1 9 /forged\0", "/run/a\n0: 2 0 10000 1 1 9 /forged"),
            (b"\0abstract\0x", "@abstract@x"),
        ] {
            let socket = unix_socket(&sys, &unix_message(name)).expect("a socket");
            assert_eq!((socket.path.as_str(), socket.inode, socket.is_listening), (shown, 77, true));
        }
    }

    #[test]
    fn messages_that_are_cut_or_changed_are_no_panic() {
        let sys = Sys::live();
        for (whole, least) in [(tcp_message(), 72), (unix_message(b"/run/a\0"), 8)] {
            for end in 0..whole.len() {
                assert!(end >= least || tcp_socket(&whole[..end]).is_none() || least == 8);
                let _ = unix_socket(&sys, &whole[..end]);
                let mut changed = whole.clone();
                changed[end] ^= 0xff;
                let (_, _) = (tcp_socket(&changed), unix_socket(&sys, &changed));
            }
        }
    }
}
