//! `listening_ports`: one row per listening socket and descriptor of it.

use indago_table::prelude::*;

use crate::source::container::InContainer;
use crate::source::sockets::{OpenSocket, Sockets};

/// Sockets that wait for connections or messages, in the network namespaces of all processes.
///
/// These are listening TCP sockets, UDP and raw sockets without a peer, and unix sockets with a path that accept
/// connections or messages.
#[derive(Debug, Default, Table)]
#[table(
    name = "listening_ports",
    platforms("linux"),
    rows = 50,
    needs("CAP_SYS_PTRACE"),
    identity(pid, fd, net_namespace)
)]
#[example(
    "Programs that other machines can connect to.",
    "SELECT DISTINCT processes.name, listening_ports.port, listening_ports.address FROM listening_ports JOIN processes USING (pid) WHERE listening_ports.family IN (2, 10) AND listening_ports.address NOT IN ('127.0.0.1', '::1')"
)]
pub struct ListeningPort {
    /// ID of the process that holds it; -1 if there is none.
    #[column(index)]
    pid: i64,
    /// Port; the IP protocol of a raw socket; 0 for a unix socket.
    port: i64,
    /// Protocol: 6 TCP, 17 UDP, 1 and 58 ICMP, 136 UDP-Lite, 255 raw; 0 for unix.
    protocol: i64,
    /// Address family: 2 IPv4, 10 IPv6, 1 unix.
    family: i64,
    /// Local address; `0.0.0.0` and `::` mean all addresses of the namespace. Empty for a unix socket.
    address: String,
    /// Number of the descriptor; -1 if there is none.
    fd: i64,
    /// Inode number of the socket.
    socket: i64,
    /// Path of a unix socket, with a leading `@` if it is abstract; empty for others.
    path: String,
    /// Inode number of the network namespace.
    net_namespace: String,
    /// ID of the user that created the socket; NULL for unix sockets.
    #[column(added)]
    uid: Option<i64>,
    #[column(flatten)]
    place: InContainer,
}

impl Rows for ListeningPort {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let sockets = Sockets::new(
            scan.sys(),
            scan.keys(Self::PID),
            scan.keys(Self::PLACE.at(InContainer::CONTAINER_ID)),
            true,
            report,
        )?;
        let wants_place = scan.wants(Self::PLACE.at(InContainer::CONTAINER_ID));
        Ok(sockets.filter(|open| open.socket.is_listening).map(move |open| {
            let place = InContainer::of(scan.sys(), open.pid, wants_place, report);
            row(open, place)
        }))
    }
}

fn row(OpenSocket { pid, fd, net_namespace, socket }: OpenSocket, place: InContainer) -> ListeningPort {
    ListeningPort {
        pid,
        port: socket.local_port,
        protocol: socket.protocol,
        family: socket.family,
        address: socket.local_address,
        fd,
        socket: socket.inode,
        path: socket.path,
        net_namespace,
        uid: socket.uid,
        place,
    }
}
