//! A host in a temporary directory, for tests that use it as a root path.
//!
//! ```
//! use indago_testkit::fixture::{Host, Proc};
//!
//! let host = Host::new()
//!     .process(Proc::new(1, "systemd").cmdline(["/lib/systemd/systemd"]).exe("/usr/lib/systemd/systemd"))
//!     .process(Proc::new(42, "sshd").ppid(1).cmdline(["sshd", "-D"]).exe("/usr/sbin/sshd"))
//!     .file("etc/hostname", "fixture\n");
//! assert!(host.root().join("proc/42/stat").exists());
//! ```

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Clock ticks per second in every fixture's `stat`.
pub const TICKS: u64 = 100;
/// Boot time of every fixture, seconds since 1970: 2026-01-01 00:00:00 UTC.
pub const BOOT_TIME: u64 = 1_767_225_600;

/// A process of a [`Host`]. Unset fields have plain values.
#[derive(Debug, Clone)]
pub struct Proc {
    /// Process ID.
    pub pid: u32,
    /// Parent's process ID.
    pub ppid: u32,
    /// Process group; the pid unless set.
    pub pgrp: u32,
    /// Session; the pid unless set.
    pub session: u32,
    /// Command name; may contain spaces and parentheses.
    pub comm: String,
    /// State letter.
    pub state: char,
    /// Arguments, as bytes; none for a kernel thread.
    pub cmdline: Vec<Vec<u8>>,
    /// Environment variables, each as `KEY=VALUE`.
    pub environ: Vec<Vec<u8>>,
    /// Target of `exe`; none for a kernel thread.
    pub exe: Option<PathBuf>,
    /// Target of `cwd`.
    pub cwd: Option<PathBuf>,
    /// Target of `root`.
    pub root: Option<PathBuf>,
    /// Real, effective, saved and file system user.
    pub uid: [u32; 4],
    /// Real, effective, saved and file system group.
    pub gid: [u32; 4],
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Number of threads; each gets a `task` directory with its `stat` and `comm`.
    pub threads: u32,
    /// Nice value.
    pub nice: i32,
    /// User time, in ticks.
    pub utime: u64,
    /// System time, in ticks.
    pub stime: u64,
    /// Start after boot, in ticks.
    pub start: u64,
    /// Virtual memory, in bytes.
    pub vsize: u64,
    /// Resident memory, in pages of 4096 bytes.
    pub rss: u64,
    /// Controlling terminal, as numbered in `stat`.
    pub tty: i32,
    /// Bytes read from disk and written; `None`: `io` may not be read.
    pub io: Option<(u64, u64)>,
    /// Lines of `cgroup`.
    pub cgroup: String,
    /// Open files: number and target of the link (`/path`, `socket:[1]`, `pipe:[2]`).
    pub fds: Vec<(u32, String)>,
    /// Namespaces: kind and inode number.
    pub namespaces: Vec<(String, u64)>,
    /// Text of `maps`.
    pub maps: String,
    /// Effective, permitted, inheritable, bounding and ambient capabilities.
    pub capabilities: [u64; 5],
    /// Further lines of `status`, such as `NoNewPrivs:\t1`.
    pub status: Vec<String>,
}

impl Proc {
    /// A sleeping process of root, without arguments.
    pub fn new(pid: u32, comm: impl Into<String>) -> Proc {
        let namespaces = ["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "user", "uts"];
        Proc {
            pid,
            ppid: u32::from(pid > 1),
            pgrp: pid,
            session: pid,
            comm: comm.into(),
            state: 'S',
            cmdline: vec![],
            environ: vec![],
            exe: None,
            cwd: Some("/".into()),
            root: Some("/".into()),
            uid: [0; 4],
            gid: [0; 4],
            groups: vec![],
            threads: 1,
            nice: 0,
            utime: 10,
            stime: 5,
            start: 100 + u64::from(pid),
            vsize: 10 << 20,
            rss: 256,
            tty: 0,
            io: Some((0, 0)),
            cgroup: "0::/\n".into(),
            fds: vec![],
            namespaces: namespaces
                .iter()
                .zip(4_026_531_834_u64..)
                .map(|(kind, inode)| ((*kind).to_owned(), inode))
                .collect(),
            maps: String::new(),
            capabilities: [0x1ff_ffff_ffff, 0x1ff_ffff_ffff, 0, 0x1ff_ffff_ffff, 0],
            status: vec![],
        }
    }

    /// Sets the parent.
    pub fn ppid(self, ppid: u32) -> Proc {
        Proc { ppid, ..self }
    }

    /// Sets the arguments.
    pub fn cmdline<A: Into<Vec<u8>>>(self, cmdline: impl IntoIterator<Item = A>) -> Proc {
        Proc { cmdline: cmdline.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets the environment variables, each as `KEY=VALUE`.
    pub fn environ<A: Into<Vec<u8>>>(self, environ: impl IntoIterator<Item = A>) -> Proc {
        Proc { environ: environ.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets the executable; a deleted one ends in ` (deleted)`, as the kernel writes it.
    pub fn exe(self, exe: impl Into<PathBuf>) -> Proc {
        Proc { exe: Some(exe.into()), ..self }
    }

    /// Sets the working directory.
    pub fn cwd(self, cwd: impl Into<PathBuf>) -> Proc {
        Proc { cwd: Some(cwd.into()), ..self }
    }

    /// Sets all four user IDs.
    pub fn uid(self, uid: u32) -> Proc {
        Proc { uid: [uid; 4], ..self }
    }

    /// Sets all four group IDs.
    pub fn gid(self, gid: u32) -> Proc {
        Proc { gid: [gid; 4], ..self }
    }

    /// Sets the text of `cgroup`.
    pub fn cgroup(self, cgroup: impl Into<String>) -> Proc {
        Proc { cgroup: cgroup.into(), ..self }
    }

    /// Adds an open file.
    pub fn fd(mut self, number: u32, target: impl Into<String>) -> Proc {
        self.fds.push((number, target.into()));
        self
    }

    /// Sets the inode of one namespace.
    pub fn namespace(mut self, kind: &str, inode: u64) -> Proc {
        self.namespaces.retain(|(name, _)| name != kind);
        self.namespaces.push((kind.into(), inode));
        self
    }

    /// The line in `stat` of the process or of one thread.
    fn stat_line(&self, id: u32) -> String {
        let Proc { comm, state, ppid, pgrp, session, tty, utime, stime, nice, threads, start, vsize, rss, .. } = self;
        // The values of fields 38 to 52 of proc(5) are not used, but the fields must exist.
        format!(
            "{id} ({comm}) {state} {ppid} {pgrp} {session} {tty} -1 4194560 1200 0 3 0 {utime} {stime} 0 0 {priority} {nice} {threads} 0 {start} {vsize} {rss} \
             18446744073709551615 94000000000000 94000000100000 140700000000000 0 0 0 0 4096 16384 1 0 0 17 0 0 0 0 0 0 94000000200000 94000000300000 \
             94000000400000 140700000001000 140700000001100 140700000001100 140700000001200 0\n",
            priority = 20 + nice,
        )
    }

    fn status_text(&self) -> String {
        let row = |values: &[u32]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join("\t");
        let word = match self.state {
            'R' => "running",
            'S' => "sleeping",
            'D' => "disk sleep",
            'T' => "stopped",
            't' => "tracing stop",
            'Z' => "zombie",
            'I' => "idle",
            _ => "dead",
        };
        let mut lines = vec![
            format!("Name:\t{}", self.comm.replace('\\', "\\\\").replace('\n', "\\n")),
            "Umask:\t0022".into(),
            format!("State:\t{} ({word})", self.state),
            format!("Tgid:\t{}", self.pid),
            "Ngid:\t0".into(),
            format!("Pid:\t{}", self.pid),
            format!("PPid:\t{}", self.ppid),
            "TracerPid:\t0".into(),
            format!("Uid:\t{}", row(&self.uid)),
            format!("Gid:\t{}", row(&self.gid)),
            "FDSize:\t64".into(),
            format!("Groups:\t{} ", self.groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
            format!("NStgid:\t{}", self.pid),
            format!("NSpid:\t{}", self.pid),
            format!("NSpgid:\t{}", self.pgrp),
            format!("NSsid:\t{}", self.session),
        ];
        if self.exe.is_some() {
            lines.push(format!("VmPeak:\t{:8} kB", self.vsize / 1024));
            lines.push(format!("VmSize:\t{:8} kB", self.vsize / 1024));
            lines.push("VmLck:\t       0 kB".into());
            lines.push(format!("VmHWM:\t{:8} kB", self.rss * 4));
            lines.push(format!("VmRSS:\t{:8} kB", self.rss * 4));
            lines.push(format!("VmData:\t{:8} kB", 1024));
            lines.push("VmSwap:\t       0 kB".into());
        }
        lines.push(format!("Threads:\t{}", self.threads));
        for (name, value) in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"].iter().zip(self.capabilities) {
            lines.push(format!("{name}:\t{value:016x}"));
        }
        for line in ["NoNewPrivs:\t0", "Seccomp:\t0", "Cpus_allowed:\t3", "Cpus_allowed_list:\t0-1"] {
            let name = line.split(':').next().unwrap_or_default();
            if !self.status.iter().any(|own| own.split(':').next() == Some(name)) {
                lines.push(line.into());
            }
        }
        lines.extend(self.status.iter().cloned());
        lines.push("voluntary_ctxt_switches:\t150".into());
        lines.push("nonvoluntary_ctxt_switches:\t545".into());
        lines.join("\n") + "\n"
    }
}

/// A line of `proc/net/tcp` or a similar file; join it to a process with `.fd(3, "socket:[INODE]")`.
#[derive(Debug, Clone)]
pub struct Socket {
    /// File within `proc/net`: `tcp`, `tcp6`, `udp`, `udp6`, `raw`.
    pub family: String,
    /// Local address and port.
    pub local: std::net::SocketAddr,
    /// Remote address and port.
    pub remote: std::net::SocketAddr,
    /// State number: 1 established, 10 listening.
    pub state: u8,
    /// Owner.
    pub uid: u32,
    /// Inode.
    pub inode: u64,
}

impl Socket {
    /// A TCP listener.
    pub fn listen(local: std::net::SocketAddr, inode: u64) -> Socket {
        let any: std::net::IpAddr = if local.is_ipv4() {
            std::net::Ipv4Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
        let family = if local.is_ipv4() { "tcp" } else { "tcp6" };
        Socket { family: family.into(), local, remote: (any, 0).into(), state: 10, uid: 0, inode }
    }

    /// An established TCP connection.
    pub fn connection(local: std::net::SocketAddr, remote: std::net::SocketAddr, inode: u64) -> Socket {
        Socket { remote, state: 1, ..Socket::listen(local, inode) }
    }

    fn line(&self, number: usize) -> String {
        // The kernel prints each 32-bit word of the address in the machine's byte order.
        let hex = |address: &std::net::SocketAddr| {
            let bytes = match address.ip() {
                std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
                std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            let words: String = bytes
                .chunks_exact(4)
                .map(|word| format!("{:08X}", u32::from_ne_bytes([word[0], word[1], word[2], word[3]])))
                .collect();
            format!("{words}:{:04X}", address.port())
        };
        format!(
            "{number:4}: {} {} {:02X} 00000000:00000000 00:00000000 00000000 {:5}        0 {} 1 0000000000000000 100 0 0 10 0\n",
            hex(&self.local),
            hex(&self.remote),
            self.state,
            self.uid,
            self.inode,
        )
    }
}

/// A host's file tree in a temporary directory, which is removed when it is dropped.
///
/// It starts with the files that every Linux host has: `/etc/{passwd,group,os-release,hostname,hosts}` and
/// `/proc/{stat,uptime,meminfo,loadavg,mounts,version,cpuinfo,cmdline,modules,net,sys}`. Every method panics if the
/// directory cannot be written: without its fixture, a test is broken.
#[derive(Debug)]
pub struct Host {
    folder: tempfile::TempDir,
    sockets: Vec<Socket>,
}

impl Default for Host {
    fn default() -> Host {
        Host::new()
    }
}

impl Host {
    /// A small Debian host without processes.
    pub fn new() -> Host {
        let host = Host::bare();
        host.base()
    }

    /// An empty directory.
    pub fn bare() -> Host {
        Host { folder: tempfile::tempdir().expect("a temporary directory can be created"), sockets: vec![] }
    }

    /// The root path.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file of this host.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root().join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Writes a file, and creates its directories.
    pub fn file(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Host {
        self.put(path, content);
        self
    }

    /// Appends to a file.
    pub fn append(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Host {
        let mut all = fs::read(self.path(&path)).unwrap_or_default();
        all.extend_from_slice(content.as_ref());
        self.file(path, all)
    }

    /// Creates a directory.
    pub fn folder(self, path: impl AsRef<Path>) -> Host {
        let path = self.path(path);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// Creates a symbolic link. The target is used unchanged and need not exist.
    pub fn link(self, path: impl AsRef<Path>, target: impl AsRef<Path>) -> Host {
        self.put_link(path, target);
        self
    }

    /// Changes a file's permissions.
    pub fn mode(self, path: impl AsRef<Path>, mode: u32) -> Host {
        let path = self.path(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// Removes a file or directory. Together with [`Host::process`] this creates processes that exit during a read.
    pub fn remove(self, path: impl AsRef<Path>) -> Host {
        let path = self.path(path);
        let gone = if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        gone.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// Copies a recorded tree (`tests/fixtures/hosts/NAME`) over this one.
    pub fn tree(self, source: impl AsRef<Path>) -> Host {
        copy(source.as_ref(), self.root());
        self
    }

    /// Adds a process: `/proc/<pid>` with all files that the kernel shows.
    pub fn process(self, process: Proc) -> Host {
        let at = |name: &str| PathBuf::from(format!("proc/{}/{name}", process.pid));
        self.put(at("stat"), process.stat_line(process.pid));
        self.put(at("status"), process.status_text());
        self.put(at("statm"), format!("{} {} 100 20 0 200 0\n", process.vsize / 4096, process.rss));
        self.put(at("comm"), format!("{}\n", process.comm));
        let joined =
            |parts: &[Vec<u8>]| parts.iter().flat_map(|part| part.iter().copied().chain([0])).collect::<Vec<u8>>();
        self.put(at("cmdline"), joined(&process.cmdline));
        self.put(at("environ"), joined(&process.environ));
        self.put(at("cgroup"), &process.cgroup);
        self.put(at("maps"), &process.maps);
        self.put(at("limits"), "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 4096                 files     \n");
        self.put(at("mounts"), "/dev/vda / ext4 rw,relatime 0 0\n");
        self.put(at("mountinfo"), "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n");
        self.put(at("oom_score_adj"), "0\n");
        self.put(at("loginuid"), "4294967295");
        self.put(at("sessionid"), "4294967295");
        if let Some((read, written)) = process.io {
            self.put(at("io"), format!("rchar: {read}\nwchar: {written}\nsyscr: 1\nsyscw: 1\nread_bytes: {read}\nwrite_bytes: {written}\ncancelled_write_bytes: 0\n"));
        }
        for (name, target) in [("exe", &process.exe), ("cwd", &process.cwd), ("root", &process.root)] {
            if let Some(target) = target {
                self.put_link(at(name), target);
            }
        }
        self.put_link(at("net"), "../net");
        self.make(at("fd"));
        self.make(at("fdinfo"));
        for (number, target) in &process.fds {
            self.put_link(at("fd").join(number.to_string()), target);
            self.put(at("fdinfo").join(number.to_string()), "pos:\t0\nflags:\t02\nmnt_id:\t22\n");
        }
        for (kind, inode) in &process.namespaces {
            let name = if kind == "pid_for_children" { "pid" } else { kind };
            self.put_link(at("ns").join(kind), format!("{name}:[{inode}]"));
        }
        for thread in 0..process.threads {
            let id = process.pid + thread;
            self.put(at("task").join(id.to_string()).join("stat"), process.stat_line(id));
            self.put(at("task").join(id.to_string()).join("comm"), format!("{}\n", process.comm));
            self.put(at("task").join(id.to_string()).join("status"), process.status_text());
        }
        self
    }

    /// Adds a line to `proc/net/<family>`.
    pub fn socket(mut self, socket: Socket) -> Host {
        let family = socket.family.clone();
        self.sockets.push(socket);
        let lines = self.sockets.iter().filter(|socket| socket.family == family).enumerate();
        let text: String =
            std::iter::once(INET_HEADER.to_owned()).chain(lines.map(|(number, socket)| socket.line(number))).collect();
        self.put(format!("proc/net/{family}"), text);
        self
    }

    /// Adds a user to `etc/passwd` and a group with the same name and number to `etc/group`.
    pub fn user(self, name: &str, uid: u32, home: &str, shell: &str) -> Host {
        self.append("etc/passwd", format!("{name}:x:{uid}:{uid}:{name}:{home}:{shell}\n"))
            .append("etc/group", format!("{name}:x:{uid}:\n"))
            .append("etc/shadow", format!("{name}:!:20000:0:99999:7:::\n"))
    }

    fn put(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        let parent = path.parent().expect("a file of a host has a directory");
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn put_link(&self, path: impl AsRef<Path>, target: impl AsRef<Path>) {
        let path = self.path(path);
        let parent = path.parent().expect("a link of a host has a directory");
        fs::remove_file(&path).ok();
        fs::create_dir_all(parent).and_then(|()| symlink(&target, &path)).unwrap_or_else(|error| {
            panic!("{} -> {:?}: {error}", path.display(), target.as_ref().as_os_str().as_bytes())
        });
    }

    fn make(&self, path: impl AsRef<Path>) {
        let path = self.path(path);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn base(self) -> Host {
        for (path, content) in BASE {
            self.put(path, content);
        }
        self.put("proc/stat", format!("cpu  1000 20 300 40000 50 6 7 0 0 0\ncpu0 500 10 150 20000 25 3 3 0 0 0\ncpu1 500 10 150 20000 25 3 4 0 0 0\nintr 100\nctxt 2000\nbtime {BOOT_TIME}\nprocesses 4000\nprocs_running 1\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n"));
        for family in ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"] {
            self.put(format!("proc/net/{family}"), INET_HEADER);
        }
        self.put_link("proc/mounts", "self/mounts");
        self.put_link("etc/mtab", "/proc/self/mounts");
        for folder in ["tmp", "var/log", "home", "root", "sys/class/net", "run", "usr/bin", "var/lib/dpkg/info"] {
            self.make(folder);
        }
        self.put("proc/self/mounts", MOUNTS);
        self.put("proc/self/mountinfo", MOUNTINFO);
        self
    }
}

fn copy(from: &Path, to: &Path) {
    let entries = fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    for entry in entries {
        let path = entry.unwrap_or_else(|error| panic!("{}: {error}", from.display())).path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        let done = if path.is_symlink() {
            fs::remove_file(&target).ok();
            fs::read_link(&path).and_then(|link| symlink(link, &target))
        } else if path.is_dir() {
            fs::create_dir_all(&target).map(|()| copy(&path, &target))
        } else {
            fs::copy(&path, &target).map(|_| ())
        };
        done.unwrap_or_else(|error| panic!("{}: {error}", target.display()));
    }
}

const INET_HEADER: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

const MOUNTS: &str = "\
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0
tmpfs /run tmpfs rw,nosuid,nodev,size=1024k,mode=755 0 0
/dev/vdb /mnt/with\\040space xfs ro,nosuid 0 0
";

const MOUNTINFO: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:2 - proc proc rw
24 22 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:3 - sysfs sysfs rw
25 22 0:23 / /run rw,nosuid,nodev shared:4 - tmpfs tmpfs rw,size=1024k,mode=755
26 22 254:16 / /mnt/with\\040space ro,nosuid shared:5 - xfs /dev/vdb ro
";

const BASE: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("etc/group", "root:x:0:\ndaemon:x:1:\nsudo:x:27:\nnogroup:x:65534:\n"),
    ("etc/shadow", "root:*:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\nnobody:*:20000:0:99999:7:::\n"),
    (
        "etc/os-release",
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n",
    ),
    ("etc/debian_version", "12.5\n"),
    ("etc/hostname", "fixture\n"),
    (
        "etc/hosts",
        "127.0.0.1\tlocalhost\n127.0.1.1\tfixture.example.test fixture # itself\n::1\tlocalhost ip6-localhost\n",
    ),
    ("etc/shells", "# shells\n/bin/sh\n/bin/bash\n"),
    ("proc/uptime", "86400.50 170000.25\n"),
    ("proc/loadavg", "0.50 0.25 0.10 1/123 4567\n"),
    (
        "proc/version",
        "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0) #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)\n",
    ),
    ("proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz-6.1.0-18-amd64 root=/dev/vda ro quiet\n"),
    ("proc/filesystems", "nodev\tsysfs\nnodev\tproc\nnodev\ttmpfs\n\text4\n\txfs\n"),
    (
        "proc/meminfo",
        "MemTotal:        2048000 kB\nMemFree:         1024000 kB\nMemAvailable:    1500000 kB\nBuffers:           50000 kB\nCached:           400000 kB\nSwapCached:            0 kB\nActive:           300000 kB\nInactive:         200000 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n",
    ),
    (
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Fixture CPU @ 2.00GHz\nstepping\t: 7\nmicrocode\t: 0x1\ncpu MHz\t\t: 2000.000\ncache size\t: 1024 KB\nphysical id\t: 0\nsiblings\t: 2\ncore id\t\t: 0\ncpu cores\t: 2\nflags\t\t: fpu vme de pse\n\nprocessor\t: 1\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Fixture CPU @ 2.00GHz\nstepping\t: 7\nmicrocode\t: 0x1\ncpu MHz\t\t: 2000.000\ncache size\t: 1024 KB\nphysical id\t: 0\nsiblings\t: 2\ncore id\t\t: 1\ncpu cores\t: 2\nflags\t\t: fpu vme de pse\n\n",
    ),
    (
        "proc/modules",
        "overlay 151552 2 - Live 0xffffffffc0a00000\nveth 36864 0 - Live 0xffffffffc0900000\nbridge 311296 1 br_netfilter, Live 0xffffffffc0800000\n",
    ),
    (
        "proc/net/unix",
        "Num       RefCount Protocol Flags    Type St Inode Path\n0000000000000000: 00000002 00000000 00010000 0001 01 9001 /run/dbus/system_bus_socket\n0000000000000000: 00000003 00000000 00000000 0001 03 9002\n",
    ),
    (
        "proc/net/arp",
        "IP address       HW type     Flags       HW address            Mask     Device\n10.0.0.1         0x1         0x2         02:00:00:00:00:01     *        eth0\n",
    ),
    (
        "proc/net/route",
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\neth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
    ),
    (
        "proc/net/dev",
        "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo:    1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0\n  eth0:  200000     300    1    2    0     0          0         0    50000     100    0    0    0     0       0          0\n",
    ),
    ("proc/sys/kernel/hostname", "fixture\n"),
    ("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"),
    ("proc/sys/kernel/ostype", "Linux\n"),
    ("proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)\n"),
    ("proc/sys/kernel/random/boot_id", "00000000-0000-4000-8000-000000000001\n"),
    ("proc/sys/kernel/pid_max", "4194304\n"),
    ("etc/machine-id", "00000000000000000000000000000001\n"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_processes() {
        let host = Host::new()
            .process(Proc::new(1, "init"))
            .process(
                Proc::new(4242, "odd) name (x")
                    .cmdline(["/bin/sh", "-c", "sleep 1"])
                    .exe("/bin/dash (deleted)")
                    .uid(1000)
                    .fd(0, "/dev/null")
                    .fd(3, "socket:[777]"),
            )
            .socket(Socket::listen(([127, 0, 0, 1], 8080).into(), 777))
            .socket(Socket::listen((std::net::Ipv6Addr::LOCALHOST, 8080).into(), 778))
            .user("ada", 1000, "/home/ada", "/bin/bash");
        let read = |path: &str| fs::read_to_string(host.path(path)).expect("the file exists");
        let stat = read("/proc/4242/stat");
        assert_eq!(stat.rsplit_once(") ").map(|(_, rest)| rest.split_whitespace().count()), Some(50), "{stat}");
        assert!(read("proc/4242/status").contains("Uid:\t1000\t1000\t1000\t1000\n"));
        assert_eq!(read("proc/4242/cmdline"), "/bin/sh\0-c\0sleep 1\0");
        assert_eq!(fs::read_link(host.path("proc/4242/fd/3")).expect("a link"), Path::new("socket:[777]"));
        assert!(read("proc/net/tcp").contains(" 0100007F:1F90 00000000:0000 0A "), "{}", read("proc/net/tcp"));
        assert!(read("proc/net/tcp6").contains(" 00000000000000000000000001000000:1F90 "));
        assert!(read("etc/passwd").ends_with("ada:x:1000:1000:ada:/home/ada:/bin/bash\n"));
    }

    /// A fixture's `stat` has as many fields as the kernel's.
    #[test]
    fn field_count_is_the_kernels() {
        let real = fs::read_to_string("/proc/self/stat").expect("this is Linux");
        let ours = Proc::new(1, "init").stat_line(1);
        assert_eq!(ours.split_whitespace().count(), real.split_whitespace().count());
    }
}
