//! `processes`: one row per process, read from `/proc/<pid>`.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use indago_table::prelude::*;
use indago_table::sys::ProcessFolder;

use crate::source::container;
use crate::source::procfs::{self, PTRACE};

/// All processes on the host, including kernel threads.
///
/// A file below `/proc/<pid>` is read only if the query needs one of its columns; listing `pid` opens none. All files
/// of a row belong to the same process, even if its ID is reused in the meantime. A process that exits while it is read
/// has no row. Columns that the caller may not read are NULL; as in osquery, `path`, `cwd` and `root` are empty instead,
/// and `on_disk` is -1.
#[derive(Debug, Default, Table)]
#[table(name = "processes", platforms("linux"), rows = 300, identity(pid, start_time))]
#[example(
    "The ten processes that use most memory.",
    "SELECT pid, name, resident_size FROM processes ORDER BY resident_size DESC LIMIT 10"
)]
#[example(
    "Processes whose program has been deleted since they started.",
    "SELECT pid, name, path FROM processes WHERE on_disk = 0"
)]
#[example(
    "Each process with its parent.",
    "SELECT child.pid, child.name, parent.name AS started_by FROM processes AS child JOIN processes AS parent ON child.parent = parent.pid"
)]
pub struct Process {
    /// Process ID.
    #[column(index)]
    pid: i64,
    /// Command name, truncated by the kernel to 15 bytes.
    // A kernel worker's name ends with its current work: `kworker/0:1-events`.
    #[column(volatile = "kworker/", source = stat_or_status)]
    name: Option<String>,
    /// Path of the running program, without the kernel's mark for a deleted file; empty for a kernel thread, and if it
    /// may not be read.
    #[column(source = exe, needs = "CAP_SYS_PTRACE")]
    path: Option<String>,
    /// Command line: the arguments joined by blanks; empty for a kernel thread.
    #[column(source = command_line)]
    cmdline: Option<String>,
    /// State as one letter: R running, S sleeping, D waiting for a device, T stopped, t traced, Z zombie, I idle kernel
    /// thread.
    #[column(volatile, source = stat_or_status)]
    state: Option<String>,
    /// Working directory.
    #[column(source = link("cwd"), needs = "CAP_SYS_PTRACE")]
    cwd: Option<String>,
    /// Root directory, as a path in the process's mount namespace.
    #[column(source = link("root"), needs = "CAP_SYS_PTRACE")]
    root: Option<String>,
    /// Real user ID.
    #[column(source = status)]
    uid: Option<i64>,
    /// Real group ID.
    #[column(source = status)]
    gid: Option<i64>,
    /// Effective user ID.
    #[column(source = status)]
    euid: Option<i64>,
    /// Effective group ID.
    #[column(source = status)]
    egid: Option<i64>,
    /// Saved user ID.
    #[column(source = status)]
    suid: Option<i64>,
    /// Saved group ID.
    #[column(source = status)]
    sgid: Option<i64>,
    /// Whether the program's file still exists: 1 yes, 0 deleted or replaced, -1 no program, or one that may not be
    /// read. The path is resolved as the process sees it, inside its container.
    #[column(source = exe, needs = "CAP_SYS_PTRACE")]
    on_disk: Option<i64>,
    /// Memory that cannot be paged out, in bytes; always 0, because Linux does not count it.
    wired_size: i64,
    /// Memory resident in RAM, in bytes.
    #[column(volatile, source = status)]
    resident_size: Option<i64>,
    /// Virtual memory, in bytes.
    #[column(volatile, source = status)]
    total_size: Option<i64>,
    /// Processor time in user mode, in milliseconds.
    #[column(volatile, source = stat)]
    user_time: Option<i64>,
    /// Processor time in the kernel, in milliseconds.
    #[column(volatile, source = stat)]
    system_time: Option<i64>,
    /// Bytes read from storage.
    #[column(volatile, source = io, needs = "CAP_SYS_PTRACE")]
    disk_bytes_read: Option<i64>,
    /// Bytes written to storage.
    #[column(volatile, source = io, needs = "CAP_SYS_PTRACE")]
    disk_bytes_written: Option<i64>,
    /// Start time, in seconds since 1970.
    #[column(source = stat)]
    start_time: Option<i64>,
    /// ID of the parent process; 0 if there is none.
    #[column(source = stat_or_status)]
    parent: Option<i64>,
    /// Process group ID.
    #[column(source = stat)]
    pgroup: Option<i64>,
    /// Number of threads.
    #[column(volatile, source = stat_or_status)]
    threads: Option<i64>,
    /// Nice value, from -20 (highest priority) to 19.
    #[column(source = stat)]
    nice: Option<i64>,
    /// Path of the control group: in the unified hierarchy if it is in use, else in systemd's, else the longest path.
    #[column(source = control_group)]
    cgroup_path: Option<String>,
    /// Start time, with the precision of a clock tick.
    #[column(added, source = stat)]
    started_at: Option<Timestamp>,
    /// Command line as a list of arguments.
    #[column(added, source = command_line)]
    arguments: Option<Vec<String>>,
    /// Session ID.
    #[column(added, source = stat)]
    session: Option<i64>,
    /// Controlling terminal: `pts/0`, `tty1`, or the device number; NULL if there is none.
    #[column(added, source = stat)]
    terminal: Option<String>,
    /// Whether it is a kernel thread.
    #[column(added, source = stat)]
    is_kernel_thread: Option<bool>,
    /// Process ID inside the innermost PID namespace: 1 for the first process of a container.
    #[column(added, source = status)]
    namespace_pid: Option<i64>,
    /// ID of the process that traces it; 0 if there is none.
    #[column(added, source = status)]
    tracer: Option<i64>,
    /// Effective capabilities, as the kernel's hexadecimal mask.
    #[column(added, source = status)]
    capabilities: Option<String>,
    /// Seccomp mode: 0 off, 1 strict, 2 filtered.
    #[column(added, source = status)]
    seccomp: Option<i64>,
    /// Whether `no_new_privs` is set, which stops programs from gaining privileges: 1 or 0.
    #[column(added, source = status)]
    no_new_privileges: Option<i64>,
    /// ID of the user who logged in, unchanged by `su` and `sudo`; NULL for a process that no login started.
    #[column(added, source = login)]
    login_uid: Option<i64>,
    /// Container that it runs in, by its full ID; NULL outside containers. It comes from the cgroups, so no runtime is
    /// called. Join it to `containers.id`.
    #[column(added, index)]
    container_id: Option<String>,
    /// UID of the Kubernetes pod of the container, as its kubelet knows it: join it to `kubelet_uid` of
    /// `kubernetes_pods`. NULL outside Kubernetes.
    #[column(added)]
    pod_uid: Option<String>,
    /// Mount namespace, by its inode number.
    #[column(hidden, added, source = namespace("mnt"), needs = "CAP_SYS_PTRACE")]
    mnt_namespace: Option<String>,
    /// Network namespace.
    #[column(hidden, added, source = namespace("net"), needs = "CAP_SYS_PTRACE")]
    net_namespace: Option<String>,
    /// Process ID namespace.
    #[column(hidden, added, source = namespace("pid"), needs = "CAP_SYS_PTRACE")]
    pid_namespace: Option<String>,
    /// User namespace.
    #[column(hidden, added, source = namespace("user"), needs = "CAP_SYS_PTRACE")]
    user_namespace: Option<String>,
    /// Namespace of System V IPC and POSIX message queues.
    #[column(hidden, added, source = namespace("ipc"), needs = "CAP_SYS_PTRACE")]
    ipc_namespace: Option<String>,
    /// Namespace of the host name.
    #[column(hidden, added, source = namespace("uts"), needs = "CAP_SYS_PTRACE")]
    uts_namespace: Option<String>,
    /// Control group namespace.
    #[column(hidden, added, source = namespace("cgroup"), needs = "CAP_SYS_PTRACE")]
    cgroup_namespace: Option<String>,
    /// Boot time, in seconds since 1970, from which start times are counted.
    #[column(skip)]
    booted_at: Option<i64>,
    /// Whether the query needs `status` for other columns and does not need `stat`.
    #[column(skip)]
    is_status_enough: bool,
    /// The process's files.
    #[column(skip)]
    folder: Option<ProcessFolder>,
}

impl Rows for Process {
    /// Each row holds a descriptor.
    const TOGETHER: usize = procfs::TOGETHER;

    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let pids =
            container::asked(scan.sys(), scan.keys(Self::PID), scan.keys(Self::CONTAINER_ID), |origin, error| {
                scan.report(origin, error);
            })?;
        let mut booted_at = None;
        if scan.wants(Self::START_TIME) || scan.wants(Self::STARTED_AT) {
            match procfs::boot_time(scan.sys()) {
                Ok(time) => booted_at = Some(time),
                Err(error) => scan.report("/proc/stat", &error),
            }
        }
        let is_status_enough = scan.reads("status") && !scan.reads("stat");
        // `stat_or_status` reads no file of its own if one of the two is read anyway.
        let is_read_anyway = scan.reads("stat_or_status") && (scan.reads("stat") || scan.reads("status"));
        let files = scan.sources() - usize::from(is_read_anyway);
        let wants_place = scan.wants(Self::CONTAINER_ID) || scan.wants(Self::POD_UID);
        let files = files + usize::from(wants_place);
        let reads_one = files <= 1 && !scan.reads("exe");
        Ok(pids.into_iter().map(move |pid| {
            let folder = procfs::folder(scan.sys(), pid);
            let folder = Some(if reads_one { folder.for_one_file() } else { folder });
            let mut process = Process { booted_at, is_status_enough, folder, ..Process::unread(pid) };
            if wants_place {
                process.find_container(|error| scan.report("cgroup", error));
            }
            process
        }))
    }
}

/// Flag in `stat`: kernel thread.
const KERNEL_THREAD: i64 = 0x0020_0000;

/// Suffix that the kernel adds to the path of a deleted program.
const DELETED: &[u8] = b" (deleted)";

/// Login user ID of a process that no login started.
const NO_LOGIN: i64 = u32::MAX as i64;

impl Process {
    /// A row before its sources ran, and after one failed. Queries for osquery compare these texts with `''`.
    fn unread(pid: i64) -> Self {
        let empty = || Some(String::new());
        Process { pid, path: empty(), cwd: empty(), root: empty(), on_disk: Some(-1), ..Process::default() }
    }

    fn folder(&self) -> &ProcessFolder {
        self.folder.as_ref().expect("each row has its directory")
    }

    fn find_container(&mut self, report: impl Fn(&Error)) {
        match container::place_of(self.folder()) {
            Ok(Some(place)) => (self.container_id, self.pod_uid) = (Some(place.container_id), place.pod_uid),
            Ok(None) => {}
            Err(error) => report(&error),
        }
    }

    /// Columns that `stat` and `status` both have, taken from the file that is read anyway.
    fn stat_or_status(&mut self, sys: &Sys) -> Result<()> {
        if self.is_status_enough { self.status(sys) } else { self.stat(sys) }
    }

    fn stat(&mut self, sys: &Sys) -> Result<()> {
        if self.pgroup.is_some() {
            return Ok(());
        }
        let stat = procfs::stat(self.folder())?;
        let milliseconds = |ticks: i64| ticks.saturating_mul(1000) / sys.clock_ticks();
        self.name = Some(stat.name);
        self.state = Some(stat.state.to_string());
        self.user_time = Some(milliseconds(stat.user_ticks));
        self.system_time = Some(milliseconds(stat.system_ticks));
        self.parent = Some(stat.parent);
        self.pgroup = Some(stat.group);
        self.session = Some(stat.session);
        self.terminal = procfs::terminal(stat.terminal);
        self.threads = Some(stat.threads);
        self.nice = Some(stat.nice);
        self.is_kernel_thread = Some(stat.flags & KERNEL_THREAD != 0);
        if let Some(booted_at) = self.booted_at {
            let micros = stat.start_ticks.saturating_mul(1_000_000) / sys.clock_ticks();
            let started_at = Timestamp(booted_at.saturating_mul(1_000_000).saturating_add(micros));
            self.start_time = Some(started_at.seconds());
            self.started_at = Some(started_at);
        }
        Ok(())
    }

    fn status(&mut self, _sys: &Sys) -> Result<()> {
        if self.uid.is_some() {
            return Ok(());
        }
        let status = procfs::status(self.folder())?;
        let (Some(user), Some(group)) = (status.user, status.group) else {
            return Err(Error::Malformed(format!("/proc/{}/status has no user or group ID", self.pid)));
        };
        if self.is_status_enough {
            (self.name, self.state) = (status.name, status.state.map(String::from));
            (self.parent, self.threads) = (status.parent, status.threads);
        }
        // Resident memory in `stat` is inaccurate by design. A kernel thread has no memory.
        self.total_size = Some(status.virtual_bytes.unwrap_or(0));
        self.resident_size = Some(status.resident_bytes.unwrap_or(0));
        (self.uid, self.euid, self.suid) = (Some(user.real), Some(user.effective), Some(user.saved));
        (self.gid, self.egid, self.sgid) = (Some(group.real), Some(group.effective), Some(group.saved));
        self.namespace_pid = status.innermost_pid;
        self.tracer = status.tracer;
        self.capabilities = status.capabilities;
        self.seccomp = status.seccomp;
        self.no_new_privileges = status.no_new_privileges;
        Ok(())
    }

    fn exe(&mut self, sys: &Sys) -> Result<()> {
        let Some(target) = procfs::link(self.folder(), "exe")? else {
            return Ok(());
        };
        let program = self.program(sys)?;
        let is_program = |path: &Path| match &program {
            Some(program) => self.is_at(sys, program, path),
            None => sys.exists(path),
        };
        let unmarked =
            target.as_os_str().as_bytes().strip_suffix(DELETED).map(|path| Path::new(OsStr::from_bytes(path)));
        let (path, on_disk) = match unmarked {
            // A file name can really end this way.
            _ if is_program(&target) => (&*target, true),
            // A host of files cannot show whether the path still has the same file.
            Some(path) => (path, program.is_some() && is_program(path)),
            None => (&*target, false),
        };
        self.on_disk = Some(on_disk.into());
        self.path = Some(sys.path_text(path));
        Ok(())
    }

    /// The running file, whatever its path now refers to; `None` on a host that is a directory of files, where the
    /// kernel's link cannot be followed.
    fn program(&self, sys: &Sys) -> Result<Option<Metadata>> {
        match sys.has_live_kernel() {
            true => self.folder().metadata("exe").needs(PTRACE).map(Some),
            false => Ok(None),
        }
    }

    /// Whether a path refers to the program. The path is in the process's mount namespace: a container's /bin/sh is not
    /// the host's.
    fn is_at(&self, sys: &Sys, program: &Metadata, path: &Path) -> bool {
        let inside = [OsStr::new("root"), path.as_os_str()].join(OsStr::new(""));
        let is_program = |found: Result<Metadata>| {
            found.is_ok_and(|found| (found.dev(), found.ino()) == (program.dev(), program.ino()))
        };
        program.nlink() > 0 && (is_program(self.folder().metadata(inside)) || is_program(sys.metadata(path)))
    }

    fn command_line(&mut self, _sys: &Sys) -> Result<()> {
        let read = |bytes: &[u8]| Ok(procfs::texts(bytes).map(procfs::text).collect());
        let arguments: Vec<String> = procfs::with_bytes(self.folder(), "cmdline", read)?;
        self.cmdline = Some(arguments.join(" ").trim_end().to_owned());
        self.arguments = Some(arguments);
        Ok(())
    }

    fn link(&self, sys: &Sys, name: &str) -> Result<Option<String>> {
        Ok(Some(procfs::link(self.folder(), name)?.map(|path| sys.path_text(path)).unwrap_or_default()))
    }

    fn io(&mut self, _sys: &Sys) -> Result<()> {
        let (read, written) = procfs::io(self.folder()).needs(PTRACE)?;
        (self.disk_bytes_read, self.disk_bytes_written) = (Some(read), Some(written));
        Ok(())
    }

    fn control_group(&mut self, _sys: &Sys) -> Result<()> {
        self.cgroup_path = Some(procfs::cgroup(self.folder())?);
        Ok(())
    }

    /// One source per link: a query for one namespace reads one link.
    fn namespace(&self, _sys: &Sys, kind: &str) -> Result<Option<String>> {
        procfs::namespace(self.folder(), kind)
    }

    fn login(&mut self, _sys: &Sys) -> Result<()> {
        let uid = procfs::with_bytes(self.folder(), "loginuid", |bytes| {
            let uid = procfs::number(bytes.trim_ascii());
            uid.ok_or_else(|| Error::Malformed(format!("/proc/{}/loginuid does not contain a user ID", self.pid)))
        })?;
        self.login_uid = Some(uid).filter(|uid| *uid != NO_LOGIN);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use indago_table::{Load, ScanContext};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().expect("sleep starts")
    }

    fn end(mut child: Child) {
        child.kill().expect("it is our child");
        child.wait().expect("it ends");
    }

    /// `cargo xtask check --hermetic` leaves out the tests that call it.
    fn needs_root() {
        assert_eq!(Sys::live().uid(), 0, "this test needs root");
    }

    /// A process that reuses the ID of another. Other programs start processes too, so this may take several attempts.
    fn successor(pid: u32) -> Child {
        needs_root();
        for _ in 0..10_000 {
            std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).expect("root may set it");
            let child = sleeper();
            if child.id() == pid {
                return child;
            }
            end(child);
        }
        panic!("another process has the ID {pid}");
    }

    #[test]
    fn a_row_is_of_one_process_even_if_another_one_gets_its_id() {
        let child = sleeper();
        let pid = child.id();
        let scan = Scan::<Process>::new(
            ScanContext::new([Process::NAME.position(), Process::CMDLINE.position()]),
            &Sys::live(),
        );
        let row = || Process::rows(&scan).expect("/proc").find(|row| row.pid == i64::from(pid)).expect("it runs");
        let (mut first, mut untouched) = (row(), row());
        first.stat(scan.sys()).expect("it runs");
        end(child);
        let successor = successor(pid);
        for (position, source) in Process::SPEC.sources.iter().enumerate() {
            if source.name.starts_with("stat") && source.name != "status" {
                continue;
            }
            let outcome = first.load(position, scan.sys());
            assert!(matches!(outcome, Err(Error::Gone(_))), "{}: {outcome:?}", source.name);
        }
        // A row that has not read anything yet belongs to the successor.
        untouched.status(scan.sys()).expect("it runs");
        end(successor);
    }
}
