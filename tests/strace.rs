//! The files that the program opens, observed with strace: none is opened unnecessarily.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::cli::indago;

/// A run of the program, and the paths of its system calls, in order.
struct Traced {
    output: Output,
    calls: Vec<Call>,
}

/// A system call on a path.
#[derive(Debug, PartialEq)]
struct Call {
    name: String,
    path: PathBuf,
}

/// Runs one query under strace.
fn trace(sql: &str) -> Traced {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("strace");
    let program = indago();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-s", "4096", "-e", "trace=%file", "-o"]).arg(&log);
    strace.arg(program.get_program()).args(["query", "--format", "ndjson", sql]);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    let output = strace.stdin(Stdio::null()).output().expect("strace is there: `cargo run --bin beds -- install`");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}: {errors}");
    let log = fs::read_to_string(&log).expect("strace writes its log");
    let calls: Vec<_> = log.lines().filter_map(call).collect();
    assert!(calls.iter().any(|call| call.name == "execve"), "{log}");
    Traced { output, calls }
}

impl Traced {
    fn rows(&self) -> Vec<serde_json::Value> {
        let text = std::str::from_utf8(&self.output.stdout).expect("rows are UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
    }

    /// The processes whose files were opened, and how often.
    fn processes(&self) -> BTreeMap<u32, usize> {
        let mut touched = BTreeMap::new();
        for call in &self.calls {
            let mut parts = call.path.strip_prefix("/proc").into_iter().flat_map(Path::components);
            let pid = parts.next().and_then(|part| part.as_os_str().to_str()?.parse().ok());
            if let Some(pid) = pid {
                *touched.entry(pid).or_default() += 1;
            }
        }
        touched
    }
}

/// The call in a line of strace's log: `PID openat(AT_FDCWD</cwd>, "file", ...`. A path relative to an open directory
/// is completed.
fn call(line: &str) -> Option<Call> {
    let (call, arguments) = line.split_once('(')?;
    let name = call.split_whitespace().last()?.to_owned();
    let (before, rest) = arguments.split_once('"')?;
    // Without a name, the call is on an open file.
    let file = rest.split('"').next().filter(|file| !file.is_empty())?;
    let folder = before.split_once('<').and_then(|(_, rest)| rest.split('>').next()).unwrap_or_default();
    Some(Call { name, path: Path::new(folder).join(file) })
}

/// Programs that run until the test ends.
struct Sleepers(Vec<Child>);

impl Sleepers {
    fn start(programs: impl IntoIterator<Item = PathBuf>) -> Sleepers {
        let start = |program: PathBuf| Command::new(&program).arg("600").spawn().expect("a sleeper starts");
        Sleepers(programs.into_iter().map(start).collect())
    }

    fn pids(&self) -> BTreeSet<u32> {
        self.0.iter().map(Child::id).collect()
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn calls_are_read_from_a_log() {
    for (line, expected) in [
        (r#"7 openat(AT_FDCWD</tmp>, "/proc/1/stat", O_RDONLY) = 9</proc/1/stat>"#, Some(("openat", "/proc/1/stat"))),
        (r#"7 openat(9</proc/1>, "stat", O_RDONLY <unfinished ...>"#, Some(("openat", "/proc/1/stat"))),
        (r#"7 newfstatat(9</proc>, "", {st_mode=S_IFDIR|0555}, AT_EMPTY_PATH) = 0"#, None),
        (r#"7 readlink("/proc/1/exe", 0x7f, 255) = -1 EACCES"#, Some(("readlink", "/proc/1/exe"))),
        ("7 <... openat resumed>) = 9</proc/1/stat>", None),
    ] {
        let expected = expected.map(|(name, path)| Call { name: name.to_owned(), path: path.into() });
        assert_eq!(call(line), expected, "{line}");
    }
}

#[test]
fn listing_pids_opens_no_process() {
    let sleepers = Sleepers::start([PathBuf::from("sleep")]);
    let traced = trace("SELECT pid FROM processes");
    assert_eq!(traced.processes(), BTreeMap::new());
    let listed: BTreeSet<_> = traced.rows().iter().filter_map(|row| row["pid"].as_u64()).collect();
    assert!(sleepers.pids().iter().all(|pid| listed.contains(&u64::from(*pid))), "{listed:?}");

    // The same check finds a query that opens them: one file per process.
    let traced = trace("SELECT pid, name FROM processes");
    let touched = traced.processes();
    assert!(sleepers.pids().iter().all(|pid| touched.contains_key(pid)), "{touched:?}");
    for path in traced.calls.iter().map(|call| &call.path).filter(|path| path.starts_with("/proc")) {
        let name = path.components().nth(3).map(|part| part.as_os_str().to_owned());
        let is_process = path.components().nth(2).is_some_and(|part| part.as_os_str() != "self");
        assert!(!is_process || name.is_none_or(|name| name == "stat" || name.is_empty()), "{}", path.display());
    }
}

#[test]
fn a_key_touches_that_process_alone() {
    let sleepers = Sleepers::start(vec![PathBuf::from("sleep"); 3]);
    let pid = *sleepers.pids().first().expect("a sleeper");
    for columns in ["pid, name", "*"] {
        let traced = trace(&format!("SELECT {columns} FROM processes WHERE pid = {pid}"));
        let rows = traced.rows();
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!((rows[0]["pid"].as_u64(), rows[0]["name"].as_str()), (Some(u64::from(pid)), Some("sleep")));
        let touched: Vec<_> = traced.processes().into_keys().collect();
        assert_eq!(touched, [pid], "{columns}");
    }
}

/// 200 processes of ten programs: each program is read once, and no other program is read.
#[test]
fn a_lookup_join_reads_each_file_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let sleep = ["/usr/bin/sleep", "/bin/sleep"].map(Path::new).into_iter().find(|path| path.is_file());
    let programs: Vec<PathBuf> = (0..11).map(|number| folder.path().join(format!("sleeper-{number}"))).collect();
    for program in &programs {
        fs::copy(sleep.expect("sleep is installed"), program).expect("there is room");
    }
    let (idle, run) = programs.split_last().expect("eleven");
    let sleepers = Sleepers::start(run.iter().cycle().take(200).cloned());
    let sql = format!(
        "SELECT p.pid, h.sha256 FROM processes p JOIN hash h ON h.path = p.path WHERE p.path LIKE '{}/sleeper-%'",
        folder.path().display()
    );
    let traced = trace(&sql);
    let rows = traced.rows();
    let pids: BTreeSet<_> = rows.iter().filter_map(|row| u32::try_from(row["pid"].as_u64()?).ok()).collect();
    assert_eq!((rows.len(), pids), (200, sleepers.pids()));
    let digests: BTreeSet<_> = rows.iter().filter_map(|row| row["sha256"].as_str()).collect();
    assert_eq!(digests.len(), 1, "copies of one program");
    let opened = |program: &PathBuf| {
        let calls = traced.calls.iter().filter(|call| call.path == *program);
        calls.filter(|call| matches!(call.name.as_str(), "open" | "openat" | "openat2")).count()
    };
    assert_eq!(run.iter().map(opened).collect::<Vec<_>>(), [1; 10]);
    assert_eq!(opened(idle), 0);
    drop(sleepers);
}

/// Kernels before 5.6 do not have `openat2`, and old seccomp filters of containers refuse it. Links stay inside roots
/// without it.
#[test]
fn without_openat2_links_stay_inside_a_root() {
    let folder = tempfile::tempdir().expect("a folder");
    let hosts = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts");
    let config = folder.path().join("indago.toml");
    let roots = format!("[host]\nroots = [\"{0}/hostile\", \"{0}/plain\"]\n", hosts.display());
    fs::write(&config, roots).expect("written");
    let run = |inject: &[&str]| {
        let program = indago();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-e", "trace=openat2", "-o", "/dev/null"]).args(inject);
        strace.arg(program.get_program()).args(["query", "--format", "ndjson", "--config"]).arg(&config);
        strace.arg(
            "SELECT host_root, path, size, type, symlink_target_path, (SELECT count(*) FROM users) AS users FROM file
             WHERE path IN ('/outside', '/loop/a', '/loop/self/self/file', '/etc/passwd', '/home/ada/shadow') ORDER BY 1, 2",
        );
        let output = strace.env("NO_COLOR", "1").stdin(Stdio::null()).output().expect("strace runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("rows are UTF-8")
    };
    let with = run(&[]);
    assert_eq!(with.lines().count(), 6, "{with}");
    for error in ["ENOSYS", "EPERM"] {
        assert_eq!(run(&["-e", &format!("inject=openat2:error={error}")]), with, "{error}");
    }
}
