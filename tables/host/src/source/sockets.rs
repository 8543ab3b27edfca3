//! Open sockets: those that the kernel lists in each network namespace, and the descriptors that hold them.
//!
//! TCP and unix sockets come from the kernel's diagnostic socket (`diag.rs`). Where that is not possible, and for all
//! other kinds, they come from the files of `/proc/<pid>/net`.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use indago_table::prelude::*;
use indago_table::sys::ProcessFolder;

use super::container;
use super::diag;
use super::procfs::{self, PTRACE, number, text};

/// A socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) inode: i64,
    pub(crate) family: i64,
    pub(crate) protocol: i64,
    pub(crate) local_address: String,
    pub(crate) local_port: i64,
    pub(crate) remote_address: String,
    pub(crate) remote_port: i64,
    pub(crate) path: String,
    /// State of a TCP connection.
    pub(crate) state: Option<&'static str>,
    /// Whether it accepts connections or messages from any sender.
    pub(crate) is_listening: bool,
    /// ID of the user that created it, if the file has it.
    pub(crate) uid: Option<i64>,
}

/// A socket with one descriptor that holds it, or without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenSocket {
    /// -1 for a socket that no process holds, or only processes that the caller may not inspect.
    pub(crate) pid: i64,
    pub(crate) fd: i64,
    pub(crate) net_namespace: String,
    pub(crate) socket: Socket,
}

pub(crate) const TCP: i64 = 6;
pub(crate) const UNIX: i64 = 1;
pub(crate) const INET: i64 = 2;
const INET6: i64 = 10;
const NETLINK: i64 = 16;
const PACKET: i64 = 17;

/// The layout of a file's lines.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Internet,
    Unix,
    Packet,
    Netlink,
}

/// The files: name, layout, address family, protocol.
const FILES: [(&str, Layout, i64, i64); 13] = [
    ("tcp", Layout::Internet, INET, TCP),
    ("tcp6", Layout::Internet, INET6, TCP),
    ("udp", Layout::Internet, INET, 17),
    ("udp6", Layout::Internet, INET6, 17),
    ("udplite", Layout::Internet, INET, 136),
    ("udplite6", Layout::Internet, INET6, 136),
    ("icmp", Layout::Internet, INET, 1),
    ("icmp6", Layout::Internet, INET6, 58),
    ("raw", Layout::Internet, INET, 255),
    ("raw6", Layout::Internet, INET6, 255),
    ("unix", Layout::Unix, UNIX, 0),
    ("packet", Layout::Packet, PACKET, 0),
    ("netlink", Layout::Netlink, NETLINK, 0),
];

/// A network namespace that is being read.
struct Namespace {
    inode: String,
    /// Processes in it.
    pids: Vec<i64>,
    /// Index of the next file.
    file: usize,
    /// Whether at least one of the files exists.
    has_files: bool,
    /// The diagnostic socket in it; `None` if its files are read instead.
    diagnostic: Option<OwnedFd>,
}

/// The descriptors and namespaces of some processes.
#[derive(Default)]
struct Holders {
    /// Inode of a socket, process and descriptor.
    descriptors: Vec<(i64, i64, i64)>,
    namespaces: Vec<(i64, Result<Option<String>>)>,
    errors: Vec<Error>,
}

impl Holders {
    fn of(sys: &Sys, pids: &[i64]) -> Self {
        let mut found = Holders::default();
        for pid in pids {
            if sys.check_cancelled().is_err() {
                break;
            }
            found.add(sys, *pid);
        }
        found
    }

    /// The processes are shared among threads: most of the time goes into calls of the kernel.
    fn of_all(sys: &Sys, pids: &[i64]) -> Vec<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        if threads == 1 || pids.len() < FEWEST_FOR_THREADS {
            return vec![Holders::of(sys, pids)];
        }
        std::thread::scope(|scope| {
            let parts = pids.chunks(pids.len().div_ceil(threads));
            let running: Vec<_> = parts.map(|part| scope.spawn(move || Holders::of(sys, part))).collect();
            let failed =
                || Holders { errors: vec![Error::Unavailable("a thread failed".to_owned())], ..Holders::default() };
            running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| failed())).collect()
        })
    }

    fn add(&mut self, sys: &Sys, pid: i64) {
        let folder = procfs::folder(sys, pid).for_one_file();
        let (descriptors, errors) = (&mut self.descriptors, &mut self.errors);
        let read = folder.links("fd", |fd, target| match target.needs(PTRACE) {
            Ok(target) => {
                let inode = target.to_str().and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']'));
                let inode = inode.and_then(|inode| number(inode.as_bytes()));
                descriptors.extend(inode.zip(number(fd.as_bytes())).map(|(inode, fd)| (inode, pid, fd)));
            }
            Err(error) => errors.push(error),
        });
        self.errors.extend(procfs::required_of(&folder, read.needs(PTRACE)).err());
        self.namespaces.push((pid, procfs::namespace(&folder, "net")));
    }
}

/// Threads that read descriptors.
const MOST_THREADS: usize = 4;
/// With fewer processes, starting threads takes longer than they save.
const FEWEST_FOR_THREADS: usize = 200;

/// The sockets that the given processes hold, or all sockets, including those that no process holds.
///
/// Memory grows with one file, and with the descriptors that hold sockets.
pub(crate) struct Sockets<'a, F> {
    sys: &'a Sys,
    report: F,
    holders: HashMap<i64, Vec<(i64, i64)>>,
    /// Sockets of the given processes that have not been found yet. `None` if all sockets are wanted.
    missing: Option<HashSet<i64>>,
    /// Whether other TCP sockets than listening ones may be left out.
    only_listening: bool,
    /// This process; `None` if the kernel does not run.
    own: Option<ProcessFolder>,
    /// Namespaces found so far.
    known: HashSet<String>,
    /// Namespaces that are still to be read.
    queue: VecDeque<Namespace>,
    ready: VecDeque<OpenSocket>,
}

impl<'a, F: Fn(&str, &Error)> Sockets<'a, F> {
    /// Without keys, `only_listening` may leave out other TCP sockets.
    pub(crate) fn new(
        sys: &'a Sys,
        keys: Option<Vec<i64>>,
        containers: Option<Vec<String>>,
        only_listening: bool,
        report: F,
    ) -> Result<Self> {
        // Finding the sockets that no process holds requires all holders.
        let keys = keys.filter(|keys| !keys.contains(&-1));
        let is_whole = keys.is_none() && containers.is_none();
        let pids = container::asked(sys, keys, containers, &report)?;
        let mut sockets = Sockets {
            sys,
            report,
            holders: HashMap::new(),
            missing: None,
            only_listening: only_listening && is_whole,
            own: sys.has_live_kernel().then(|| sys.process_folder("/proc/self").for_one_file()),
            known: HashSet::new(),
            queue: VecDeque::new(),
            ready: VecDeque::new(),
        };
        let namespaces = sockets.add_holders(&pids)?;
        if !is_whole {
            let missing: HashSet<i64> = sockets.holders.keys().copied().collect();
            if missing.is_empty() {
                return Ok(sockets);
            }
            sockets.missing = Some(missing);
        }
        sockets.add_namespaces(namespaces);
        Ok(sockets)
    }

    /// Adds the descriptors of processes, and returns their network namespaces.
    fn add_holders(&mut self, pids: &[i64]) -> Result<Vec<(i64, Result<Option<String>>)>> {
        let mut namespaces = Vec::new();
        for found in Holders::of_all(self.sys, pids) {
            for (inode, pid, fd) in found.descriptors {
                self.holders.entry(inode).or_default().push((pid, fd));
            }
            namespaces.extend(found.namespaces);
            found.errors.iter().for_each(|error| (self.report)("descriptors", error));
        }
        self.sys.check_cancelled()?;
        Ok(namespaces)
    }

    fn add_namespaces(&mut self, namespaces: impl IntoIterator<Item = (i64, Result<Option<String>>)>) {
        let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (pid, namespace) in namespaces {
            match namespace {
                Ok(Some(namespace)) => found.entry(namespace).or_default().push(pid),
                Ok(None) => {}
                Err(error) => (self.report)("network namespaces", &error),
            }
        }
        for (inode, pids) in found {
            if self.known.insert(inode.clone()) {
                self.queue.push_back(Namespace { inode, pids, file: 0, has_files: false, diagnostic: None });
            }
        }
    }

    /// The diagnostic socket in a namespace, if the kernel runs and the caller may open one.
    fn diagnostic(&self, inode: &str, pids: &[i64]) -> Option<OwnedFd> {
        let own = procfs::namespace(self.own.as_ref()?, "net").ok().flatten();
        let is_own = own.as_deref() == Some(inode);
        // The first process may have ended.
        pids.iter().take(2).find_map(|pid| diag::open(self.sys, *pid, is_own).ok())
    }

    /// Reads the next file; `false` if there is none.
    fn advance(&mut self) -> bool {
        let Some(mut namespace) = self.queue.pop_front() else {
            return self.look_elsewhere();
        };
        if namespace.file == 0 {
            namespace.diagnostic = self.diagnostic(&namespace.inode, &namespace.pids);
        }
        let (name, ..) = FILES[namespace.file];
        match self.read_diagnostic(&namespace).unwrap_or_else(|| self.read(&namespace)) {
            Ok(()) => namespace.has_files = true,
            Err(error) => (self.report)(name, &error),
        }
        namespace.file += 1;
        let is_complete = self.missing.as_ref().is_some_and(HashSet::is_empty);
        if namespace.file < FILES.len() && !is_complete {
            self.queue.push_front(namespace);
        } else if !namespace.has_files
            && let Some(pid) = namespace.pids.iter().find(|pid| procfs::folder(self.sys, **pid).is_alive())
        {
            let what = format!("/proc/{pid}/net has no file that lists sockets");
            (self.report)("net", &Error::Unsupported(what));
        }
        true
    }

    /// Reads the sockets of a file from the diagnostic socket; `None` if that is not possible.
    fn read_diagnostic(&mut self, namespace: &Namespace) -> Option<Result<()>> {
        let (sys, diagnostic) = (self.sys, namespace.diagnostic.as_ref()?);
        let only_listening = self.only_listening;
        let take = |socket| self.take(&namespace.inode, socket);
        let outcome = match FILES[namespace.file] {
            (_, _, family @ (INET | INET6), TCP) => diag::tcp(sys, diagnostic, family, only_listening, take),
            (_, Layout::Unix, ..) => diag::unix(sys, diagnostic, take),
            _ => return None,
        };
        // A kernel without the module refuses the request before it lists anything.
        if matches!(outcome, Err(Error::Unsupported(_) | Error::Gone(_))) { None } else { Some(outcome) }
    }

    /// Reads one file of a namespace, through the first of its processes that is still running.
    fn read(&mut self, namespace: &Namespace) -> Result<()> {
        let (sys, (name, layout, family, protocol)) = (self.sys, FILES[namespace.file]);
        let mut outcome = Err(Error::Gone(name.to_owned()));
        for pid in &namespace.pids {
            let path = format!("/proc/{pid}/net/{name}");
            let mut lines = 0;
            let each = |line: &[u8]| {
                lines += 1;
                if lines == 1 || line.trim_ascii().is_empty() {
                    return Ok(());
                }
                procfs::note_lossy(sys, line);
                match parse(line, layout, family, protocol) {
                    Some(socket) => self.take(&namespace.inode, socket),
                    None => {
                        (self.report)(name, &Error::Malformed(format!("{path} has a line that is not a socket")));
                    }
                }
                Ok(())
            };
            outcome = sys.lines(&path, each);
            match &outcome {
                // A kernel without the protocol lacks the file for every process: only a dead process is a reason to
                // try the next.
                Err(Error::Gone(_)) if lines == 0 && !procfs::folder(sys, *pid).is_alive() => {}
                _ => return outcome,
            }
        }
        outcome
    }

    /// A process may hold a socket from a namespace that it has left, or one that another process passed to it.
    fn look_elsewhere(&mut self) -> bool {
        if self.missing.as_ref().is_none_or(HashSet::is_empty) {
            return false;
        }
        let missing = self.missing.take();
        match procfs::pids(self.sys, &self.report) {
            Ok(pids) => {
                let sys = self.sys;
                let running = pids.into_iter().take_while(|_| sys.check_cancelled().is_ok());
                let namespace = |pid| (pid, procfs::namespace(&procfs::folder(sys, pid).for_one_file(), "net"));
                self.add_namespaces(running.map(namespace));
            }
            Err(error) => (self.report)("network namespaces", &error),
        }
        if self.queue.is_empty() {
            return false;
        }
        self.missing = missing;
        true
    }

    fn take(&mut self, namespace: &str, socket: Socket) {
        let row =
            |(pid, fd): (i64, i64)| OpenSocket { pid, fd, net_namespace: namespace.to_owned(), socket: socket.clone() };
        match (self.holders.get(&socket.inode), &mut self.missing) {
            (Some(holders), missing) => {
                if let Some(missing) = missing {
                    missing.remove(&socket.inode);
                }
                self.ready.extend(holders.iter().copied().map(row));
            }
            // The rest of a closed connection has inode 0. Other sockets without an inode belong to the kernel.
            (None, None) if socket.inode != 0 || socket.family == INET || socket.family == INET6 => {
                self.ready.push_back(row((-1, -1)));
            }
            _ => {}
        }
    }
}

impl<F: Fn(&str, &Error)> Iterator for Sockets<'_, F> {
    type Item = OpenSocket;

    fn next(&mut self) -> Option<OpenSocket> {
        loop {
            if let Some(socket) = self.ready.pop_front() {
                return Some(socket);
            }
            self.sys.check_cancelled().ok()?;
            if !self.advance() {
                return None;
            }
        }
    }
}

fn parse(line: &[u8], layout: Layout, family: i64, protocol: i64) -> Option<Socket> {
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let mut field = |position: usize| fields.nth(position);
    let mut socket = Socket { family, protocol, ..Socket::default() };
    match layout {
        Layout::Internet => {
            (socket.local_address, socket.local_port) = address(field(1)?, family)?;
            (socket.remote_address, socket.remote_port) = address(field(0)?, family)?;
            let state = hexadecimal(field(0)?)?;
            socket.uid = Some(number(field(3)?)?);
            socket.inode = number(field(1)?)?;
            if protocol == TCP {
                socket.state = Some(tcp_state(state));
                socket.is_listening = socket.state == Some(LISTEN);
            } else {
                socket.is_listening = socket.remote_port == 0;
            }
        }
        Layout::Unix => {
            let flags = hexadecimal(field(3)?)?;
            let kind = hexadecimal(field(0)?)?;
            socket.inode = number(field(1)?)?;
            socket.path = unix_path(line);
            let takes_connections = flags & ACCEPTS_CONNECTIONS != 0;
            socket.is_listening = !socket.path.is_empty() && (takes_connections || kind == DATAGRAM);
        }
        Layout::Packet => {
            socket.protocol = hexadecimal(field(3)?)?;
            socket.uid = Some(number(field(3)?)?);
            socket.inode = number(field(0)?)?;
        }
        Layout::Netlink => {
            socket.protocol = number(field(1)?)?;
            socket.inode = number(field(7)?)?;
        }
    }
    Some(socket)
}

/// Flag of a unix socket that accepts connections.
const ACCEPTS_CONNECTIONS: i64 = 0x10000;
/// Type of a datagram socket.
const DATAGRAM: i64 = 2;

/// The path is everything after the seventh field and one blank. It may contain blanks itself.
fn unix_path(line: &[u8]) -> String {
    let mut rest = line;
    for _ in 0..7 {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        rest = &rest[end..];
    }
    text(rest.strip_prefix(b" ").unwrap_or(rest))
}

fn hexadecimal(field: &[u8]) -> Option<i64> {
    i64::from_str_radix(std::str::from_utf8(field).ok()?, 16).ok()
}

/// An address and port. The address is in words of the machine's byte order.
fn address(field: &[u8], family: i64) -> Option<(String, i64)> {
    let colon = memchr::memchr(b':', field)?;
    let (words, port) = (&field[..colon], hexadecimal(&field[colon + 1..])?);
    let word = |position: usize| {
        let digits = std::str::from_utf8(words.get(position * 8..position * 8 + 8)?).ok()?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    if family == INET {
        if words.len() != 8 {
            return None;
        }
        return Some((Ipv4Addr::from(word(0)?).to_string(), port));
    }
    if words.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for position in 0..4 {
        bytes[position * 4..position * 4 + 4].copy_from_slice(&word(position)?);
    }
    Some((Ipv6Addr::from(bytes).to_string(), port))
}

const LISTEN: &str = "LISTEN";

pub(crate) fn tcp_state(state: i64) -> &'static str {
    match state {
        1 => "ESTABLISHED",
        2 => "SYN_SENT",
        3 | 12 => "SYN_RECV",
        4 => "FIN_WAIT1",
        5 => "FIN_WAIT2",
        6 => "TIME_WAIT",
        7 => "CLOSED",
        8 => "CLOSE_WAIT",
        9 => "LAST_ACK",
        10 => LISTEN,
        11 => "CLOSING",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn internet(line: &str, family: i64, protocol: i64) -> Option<Socket> {
        parse(line.as_bytes(), Layout::Internet, family, protocol)
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn internet_lines() {
        let tcp = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 00 100 0 0 10 0";
        let socket = internet(tcp, INET, TCP).expect("a socket");
        assert_eq!((socket.local_address.as_str(), socket.local_port), ("127.0.0.1", 8080));
        assert_eq!((socket.remote_address.as_str(), socket.remote_port), ("0.0.0.0", 0));
        assert_eq!((socket.state, socket.is_listening), (Some("LISTEN"), true));
        assert_eq!((socket.uid, socket.inode), (Some(1000), 4711));

        let tcp6 =
            "  12: 0000000000000000FFFF00000100007F:01BB 00000000000000000000000001000000:D431 01 0:0 00:0 0 0 0 99 1";
        let socket = internet(tcp6, INET6, TCP).expect("a socket");
        assert_eq!((socket.local_address.as_str(), socket.local_port), ("::ffff:127.0.0.1", 443));
        assert_eq!((socket.remote_address.as_str(), socket.remote_port), ("::1", 54321));
        assert!(!socket.is_listening);

        let udp = "  7: 00000000:0035 00000000:0000 07 0:0 00:0 0 0 0 5 2 0 0";
        let socket = internet(udp, INET, 17).expect("a socket");
        assert_eq!((socket.state, socket.is_listening), (None, true));
    }

    #[test]
    fn other_lines() {
        let unix = |line: &[u8]| parse(line, Layout::Unix, UNIX, 0).expect("a socket");
        let socket = unix(b"000000: 00000002 00000000 00010000 0001 01 106451 /run/a  b ");
        assert_eq!((socket.inode, socket.path.as_str(), socket.is_listening), (106_451, "/run/a  b ", true));
        let socket = unix(b"000000: 00000003 00000000 00000000 0001 03   42");
        assert_eq!((socket.inode, socket.path.as_str(), socket.is_listening), (42, "", false));
        let socket = unix(b"0: 2 0 0 0002 01 43 @odd\xff");
        assert_eq!((socket.path.as_str(), socket.is_listening), ("@odd\u{fffd}", true));
        let packet = b"0000 3      3    0003   2     1 0      0      77";
        let socket = parse(packet, Layout::Packet, PACKET, 0).expect("a socket");
        assert_eq!((socket.protocol, socket.inode, socket.uid), (3, 77, Some(0)));
        let netlink = b"00000000edfd 15  4242      00000001 0        0        0     2        0        78      ";
        let socket = parse(netlink, Layout::Netlink, NETLINK, 0).expect("a socket");
        assert_eq!((socket.protocol, socket.inode), (15, 78));
    }

    #[test]
    fn what_is_no_socket_is_none() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711";
        for end in 0..line.len() - 4 {
            assert_eq!(internet(&line[..end], INET, TCP), None, "cut at {end}");
        }
        for noise in ["0: zz:zz 0:0", "0: 0100007F 00000000:0000", "0: 0100007F1:0 0:0", "\u{fffd} \u{fffd} \u{fffd}"] {
            assert_eq!(internet(noise, INET, TCP), None, "{noise}");
            assert_eq!(internet(noise, INET6, TCP), None, "{noise}");
            for layout in [Layout::Unix, Layout::Packet, Layout::Netlink] {
                assert_eq!(parse(noise.as_bytes(), layout, 0, 0), None, "{noise}");
            }
        }
    }
}
