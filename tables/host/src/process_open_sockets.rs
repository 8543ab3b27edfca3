//! `process_open_sockets`: one row per socket and descriptor of it.

use indago_table::prelude::*;

use crate::source::container::InContainer;
use crate::source::sockets::{OpenSocket, Sockets};

/// Sockets in the network namespaces of all processes, with the descriptors that hold them.
///
/// A socket held by several descriptors has a row for each. A socket that no process holds, such as the rest of a
/// closed connection, has one row with `pid` -1. Sockets of processes that the caller may not inspect also have `pid`
/// -1.
#[derive(Debug, Default, Table)]
#[table(
    name = "process_open_sockets",
    platforms("linux"),
    rows = 500,
    needs("CAP_SYS_PTRACE"),
    identity(pid, fd, socket, protocol, local_address, local_port, remote_address, remote_port)
)]
#[example(
    "Connections to other machines, by process.",
    "SELECT pid, remote_address, remote_port FROM process_open_sockets WHERE state = 'ESTABLISHED' AND remote_address NOT IN ('127.0.0.1', '::1')"
)]
#[example("Processes that capture network traffic.", "SELECT pid, fd FROM process_open_sockets WHERE family = 17")]
pub struct ProcessOpenSocket {
    /// ID of the process that holds it; -1 if there is none.
    #[column(index)]
    pid: i64,
    /// Number of the descriptor; -1 if there is none.
    fd: i64,
    /// Inode number of the socket; 0 for the rest of a closed connection.
    socket: i64,
    /// Address family: 2 IPv4, 10 IPv6, 1 unix, 16 netlink, 17 packet.
    family: i64,
    /// Protocol: 6 TCP, 17 UDP, 1 and 58 ICMP, 136 UDP-Lite, 255 raw; 0 for unix, and numbers of the family for
    /// netlink and packet.
    protocol: i64,
    /// Local address; empty if the family has none.
    local_address: String,
    /// Remote address; empty if the family has none.
    remote_address: String,
    /// Local port; the IP protocol of a raw socket; 0 if the family has none.
    local_port: i64,
    /// Remote port; 0 if there is none.
    remote_port: i64,
    /// Path of a unix socket, with a leading `@` if it is abstract; empty if there is none.
    path: String,
    /// State of a TCP connection, such as `LISTEN` or `ESTABLISHED`; empty for other protocols.
    state: String,
    /// Inode number of the network namespace.
    net_namespace: String,
    /// ID of the user that created the socket; NULL for unix and netlink sockets.
    #[column(added)]
    uid: Option<i64>,
    #[column(flatten)]
    place: InContainer,
}

impl Rows for ProcessOpenSocket {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let wants_place = scan.wants(Self::PLACE.at(InContainer::CONTAINER_ID));
        Ok(Sockets::new(
            scan.sys(),
            scan.keys(Self::PID),
            scan.keys(Self::PLACE.at(InContainer::CONTAINER_ID)),
            false,
            report,
        )?
        .map(move |open| {
            let place = InContainer::of(scan.sys(), open.pid, wants_place, report);
            row(open, place)
        }))
    }
}

fn row(OpenSocket { pid, fd, net_namespace, socket }: OpenSocket, place: InContainer) -> ProcessOpenSocket {
    ProcessOpenSocket {
        pid,
        fd,
        socket: socket.inode,
        family: socket.family,
        protocol: socket.protocol,
        local_address: socket.local_address,
        remote_address: socket.remote_address,
        local_port: socket.local_port,
        remote_port: socket.remote_port,
        path: socket.path,
        state: socket.state.unwrap_or_default().to_owned(),
        net_namespace,
        uid: socket.uid,
        place,
    }
}
