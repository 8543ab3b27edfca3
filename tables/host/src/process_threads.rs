//! `process_threads`: one row per thread.

use indago_table::prelude::*;
use indago_table::sys::ProcessFolder;

use crate::source::procfs::{self, number};

/// Threads of processes. Each process has at least one, with the process's own ID.
#[derive(Debug, Default, Table)]
#[table(name = "process_threads", platforms("linux"), rows = 1000, identity(pid, tid, start_time))]
#[example(
    "The threads that used most processor time.",
    "SELECT pid, tid, name, user_time + system_time AS milliseconds FROM process_threads ORDER BY milliseconds DESC LIMIT 10"
)]
#[example("Names of the threads of a process.", "SELECT tid, name, state FROM process_threads WHERE pid = 1")]
pub struct ProcessThread {
    /// Process ID.
    #[column(index)]
    pid: i64,
    /// Thread ID.
    tid: i64,
    /// Name of the thread, of at most 15 bytes.
    #[column(source = stat)]
    name: Option<String>,
    /// State as one letter, as in `processes`.
    #[column(volatile, source = stat)]
    state: Option<String>,
    /// Processor time in user mode, in milliseconds.
    #[column(volatile, source = stat)]
    user_time: Option<i64>,
    /// Processor time in the kernel, in milliseconds.
    #[column(volatile, source = stat)]
    system_time: Option<i64>,
    /// Nice value, from -20 (highest priority) to 19.
    #[column(source = stat)]
    nice: Option<i64>,
    /// Start time, in seconds since 1970.
    #[column(source = stat)]
    start_time: Option<i64>,
    /// Boot time, in seconds since 1970.
    #[column(skip)]
    booted_at: Option<i64>,
}

impl Rows for ProcessThread {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let pids = procfs::asked(scan.sys(), scan.keys(Self::PID), report)?;
        let booted_at = match scan.wants(Self::START_TIME) {
            true => procfs::boot_time(scan.sys()).map_err(|error| scan.report("/proc/stat", &error)).ok(),
            false => None,
        };
        Ok(pids.into_iter().flat_map(move |pid| {
            let folder = procfs::folder(scan.sys(), pid).for_one_file();
            let names = procfs::required_of(&folder, folder.read_dir("task"));
            let names = names.map_err(|error| scan.report("task", &error)).unwrap_or_default();
            let mut tids: Vec<i64> = names.iter().filter_map(|name| number(name.as_encoded_bytes())).collect();
            tids.sort_unstable();
            tids.into_iter().map(move |tid| ProcessThread { pid, tid, booted_at, ..ProcessThread::default() })
        }))
    }
}

impl ProcessThread {
    fn stat(&mut self, sys: &Sys) -> Result<()> {
        let folder: ProcessFolder = sys.process_folder(format!("/proc/{}/task/{}", self.pid, self.tid));
        let stat = procfs::stat(&folder.for_one_file())?;
        let milliseconds = |ticks: i64| ticks.saturating_mul(1000) / sys.clock_ticks();
        self.name = Some(stat.name);
        self.state = Some(stat.state.to_string());
        self.user_time = Some(milliseconds(stat.user_ticks));
        self.system_time = Some(milliseconds(stat.system_ticks));
        self.nice = Some(stat.nice);
        self.start_time =
            self.booted_at.map(|booted_at| booted_at.saturating_add(stat.start_ticks / sys.clock_ticks()));
        Ok(())
    }
}
