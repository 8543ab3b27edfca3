//! `process_open_sockets`: one row per socket and descriptor that holds it.

use indago_table::prelude::*;

use crate::source::sockets::{OpenSocket, Sockets};

/// Sockets of all network namespaces that processes live in, with the descriptors that hold them.
///
/// A socket that several descriptors hold has a row for each; one that none holds, as after a connection was closed,
/// has one row with `pid` -1. Sockets of processes that the caller may not look into show up with -1 as well.
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
#[example("Who captures network traffic.", "SELECT pid, fd FROM process_open_sockets WHERE family = 17")]
pub struct ProcessOpenSocket {
    /// ID of the process that holds it; -1 for none.
    #[column(index)]
    pid: i64,
    /// Number of the descriptor; -1 for none.
    fd: i64,
    /// Inode number of the socket; 0 for what is left of a closed connection.
    socket: i64,
    /// Address family: 2 IPv4, 10 IPv6, 1 unix, 16 netlink, 17 packet.
    family: i64,
    /// Protocol: 6 TCP, 17 UDP, 1 and 58 ICMP, 136 UDP-Lite, 255 raw; 0 for unix, and the family's own numbers for
    /// netlink and packet.
    protocol: i64,
    /// Address on this side; empty where the family has none.
    local_address: String,
    /// Address on the other side; empty where the family has none.
    remote_address: String,
    /// Port on this side; the IP protocol of a raw socket; 0 where the family has none.
    local_port: i64,
    /// Port on the other side; 0 while there is none.
    remote_port: i64,
    /// Path of a unix socket, with @ in front if it is abstract; empty without one.
    path: String,
    /// State of a TCP connection, such as `LISTEN` or `ESTABLISHED`; NULL for other protocols.
    state: Option<String>,
    /// Inode number of the network namespace.
    net_namespace: String,
    /// User who made the socket; NULL for unix and netlink.
    #[column(added)]
    uid: Option<i64>,
}

impl Rows for ProcessOpenSocket {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        Ok(Sockets::new(scan.sys(), scan.keys(Self::PID), report)?.map(row))
    }
}

fn row(OpenSocket { pid, fd, net_namespace, socket }: OpenSocket) -> ProcessOpenSocket {
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
        state: socket.state.map(str::to_owned),
        net_namespace,
        uid: socket.uid,
    }
}
