//! The host's tables on a hostile machine, and on the one that runs the tests.

use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use indago_table::scan::BoxFuture;
use indago_table::{Constraints, Error, Outcome, Reading, Scalar, ScanContext, Sink, Sys, TableRef, Warning};
use indago_tables_registry::{Environments, all};

/// Keeps what a scan sends.
#[derive(Default)]
struct Kept(Vec<RecordBatch>);

impl Sink for Kept {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        self.0.push(batch);
        true
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        self.0.push(batch);
        Box::pin(async { true })
    }
}

fn tables(sys: &Sys) -> Vec<TableRef> {
    all(&Environments { hosts: vec![sys.clone()], ..Environments::default() })
}

fn hostile() -> Sys {
    Sys::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts/hostile"))
}

fn table(sys: &Sys, name: &str) -> TableRef {
    tables(sys).into_iter().find(|table| table.spec().name == name).unwrap_or_else(|| panic!("no table {name}"))
}

/// A scan of named columns, with keys.
fn context(table: &TableRef, columns: &[&str], keys: &[(&str, Vec<Scalar>)]) -> ScanContext {
    let position = |name: &str| table.spec().column(name).unwrap_or_else(|| panic!("no column {name}"));
    let mut columns: Vec<usize> = columns.iter().map(|name| position(name)).collect();
    columns.sort_unstable();
    let mut constraints = Constraints::default();
    for (column, keys) in keys {
        constraints.0.entry(position(column)).or_default().keys = Some(Arc::new(keys.clone()));
    }
    ScanContext { constraints: Arc::new(constraints), ..ScanContext::new(columns) }
}

fn run(table: &TableRef, context: &ScanContext) -> (Vec<String>, Result<(), Error>) {
    let mut kept = Kept::default();
    let mut outcome = Ok(());
    for slice in table.slices(context).expect("slices are found without reading") {
        let Reading::Blocking(read) = slice.reading else { panic!("host tables block") };
        outcome = outcome.and(read(&mut kept));
    }
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &kept.0 {
        let cells = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).expect("a column"));
        let cells: Vec<_> = cells.collect();
        let row = |row| cells.iter().map(|cell| cell.value(row).to_string()).collect::<Vec<_>>().join("|");
        rows.extend((0..batch.num_rows()).map(row));
    }
    (rows, outcome)
}

/// Rows of a scan that must not fail, and what was missing.
fn read(sys: &Sys, name: &str, columns: &[&str], keys: &[(&str, Vec<Scalar>)]) -> (Vec<String>, Vec<Warning>) {
    let table = table(sys, name);
    let context = context(&table, columns, keys);
    let (rows, outcome) = run(&table, &context);
    outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
    (rows, context.query.diagnostics().warnings())
}

fn number(value: impl TryInto<i64>) -> Vec<Scalar> {
    vec![Scalar::Integer(value.try_into().unwrap_or_else(|_| panic!("a number")))]
}

fn text(path: &Path) -> Vec<Scalar> {
    vec![Scalar::Text(path.to_str().expect("a path of ours").to_owned())]
}

/// A program that waits until the test ends.
struct Waiting(Child);

impl Waiting {
    fn new() -> Self {
        Waiting(Command::new("sleep").arg("600").env("INDAGO_TEST", "a=b").spawn().expect("sleep starts"))
    }

    fn pid(&self) -> Vec<Scalar> {
        number(self.0.id())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `path` and `on_disk` say of a program of this name, after something happened to its file.
fn program_called(name: &[u8], then: impl FnOnce(&Path)) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join(std::ffi::OsStr::from_bytes(name));
    // A file that this process had open for writing could not be run while another test starts a program.
    assert!(Command::new("cp").arg("/bin/sleep").arg(&program).status().expect("cp runs").success());
    let waiting = Waiting(Command::new(&program).arg("600").spawn().expect("it starts"));
    then(&program);
    let (rows, warnings) = read(&Sys::live(), "processes", &["path", "on_disk"], &[("pid", waiting.pid())]);
    assert_eq!((rows.len(), warnings.len()), (1, 0), "{warnings:?}");
    let (path, on_disk) = rows[0].split_once('|').expect("two columns");
    let name = path.strip_prefix(folder.path().to_str().expect("UTF-8")).expect("a path of ours");
    (name.to_owned(), on_disk.to_owned())
}

#[test]
fn both_of_the_kernels_files_say_the_same_of_a_process() {
    let waiting = Waiting::new();
    let brief = ["name", "state", "parent", "threads"];
    // One column that only `status` has, or only `stat`, decides which of them is read; the other one is not.
    let of = |other: &str| {
        let columns = [&brief[..], &[other]].concat();
        let table = table(&Sys::live(), "processes");
        let context = context(&table, &columns, &[("pid", waiting.pid())]);
        let (rows, outcome) = run(&table, &context);
        outcome.expect("it is read");
        let mut at = table.spec().columns.iter().filter(|column| columns.contains(&&*column.name));
        let at = at.position(|column| column.name == other).expect("it is asked for");
        let mut cells: Vec<_> = rows[0].split('|').map(str::to_owned).collect();
        cells.remove(at);
        (cells, context.meter.calls())
    };
    // It runs until it sleeps.
    let is_same = || of("uid") == of("nice");
    let settles = (0..100).any(|_| {
        is_same() || {
            std::thread::sleep(Duration::from_millis(20));
            false
        }
    });
    assert!(settles, "status: {:?}, stat: {:?}", of("uid"), of("nice"));
}

#[test]
fn a_program_is_on_disk_if_the_file_at_its_path_is_the_one_that_runs() {
    let of = |name: &str, on_disk: &str| (format!("/{name}"), on_disk.to_owned());
    let remove = |path: &Path| fs::remove_file(path).expect("removed");
    let beside = |path: &Path, name: &str| path.with_file_name(name);
    assert_eq!(program_called(b"plain", |_| ()), of("plain", "1"));
    assert_eq!(program_called(b"u\xff", |_| ()), of("u\u{fffd}", "1"));
    assert_eq!(program_called(b"x (deleted)", |_| ()), of("x (deleted)", "1"));
    assert_eq!(program_called(b"mal", remove), of("mal", "0"));
    assert_eq!(program_called(b"x (deleted)", remove), of("x (deleted)", "0"));
    let decoy = |path: &Path| {
        remove(path);
        fs::write(beside(path, "mal (deleted)"), "").expect("written");
    };
    assert_eq!(program_called(b"mal", decoy), of("mal", "0"));
    let replaced = |path: &Path| {
        remove(path);
        fs::write(path, "").expect("written");
    };
    assert_eq!(program_called(b"mal", replaced), of("mal", "0"));
    let linked_elsewhere = |path: &Path| {
        fs::hard_link(path, beside(path, "other")).expect("linked");
        decoy(path);
    };
    assert_eq!(program_called(b"mal", linked_elsewhere), of("mal", "0"));
    let linked_back = |path: &Path| {
        fs::hard_link(path, beside(path, "other")).expect("linked");
        remove(path);
        fs::hard_link(beside(path, "other"), path).expect("linked");
    };
    assert_eq!(program_called(b"mal", linked_back), of("mal", "1"));
}

#[test]
fn a_root_that_is_not_there_is_said_by_each_table_and_costs_no_other_host_its_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let hosts = vec![hostile(), Sys::at("/nope"), Sys::at(&file)];
    for (name, column) in [("users", "uid"), ("time", "unix_time")] {
        let tables = all(&Environments { hosts: hosts.clone(), ..Environments::default() });
        let table = tables.into_iter().find(|table| table.spec().name == name).expect("a table");
        let mut errors = Vec::new();
        let mut kept = Kept::default();
        for slice in table.slices(&context(&table, &[column], &[])).expect("slices are found without reading") {
            let Reading::Blocking(read) = slice.reading else { panic!("host tables block") };
            errors.extend(read(&mut kept).err().map(|error| error.to_string()));
        }
        assert_eq!(errors, ["/nope: no such folder", &format!("{}: no such folder", file.display())]);
        assert!(!kept.0.is_empty(), "the first host's");
    }
}

#[test]
fn a_hostile_host_breaks_nothing() {
    let sys = hostile();
    for table in tables(&sys) {
        let spec = table.spec();
        let columns: Vec<&str> = spec.columns.iter().map(|column| column.name.as_ref()).collect();
        // The whole row, and each column alone.
        for columns in std::iter::once(columns.clone()).chain(columns.iter().map(|column| vec![*column])) {
            let mut keys = Vec::new();
            if spec.is_keyed() {
                let folders = ["/etc", "/loop", "/loop/a", "/proc/14/cwd", "/outside", "/etc/passwd"];
                keys.push(("directory", folders.map(|folder| Scalar::Text(folder.into())).to_vec()));
            }
            let context = context(&table, &columns, &keys);
            let (_, outcome) = run(&table, &context);
            match outcome {
                Ok(()) | Err(Error::Malformed(_) | Error::Unsupported(_)) => {}
                Err(error) => panic!("{} ({columns:?}): {error}", spec.name),
            }
        }
    }
}

#[test]
fn what_is_missing_of_hostile_processes_is_said() {
    let (rows, warnings) = read(&hostile(), "processes", &["pid", "name", "uid", "cmdline"], &[]);
    // 11 vanished, 12 is cut off, 13 cannot be read, 14 is no UTF-8, 15 is noise.
    assert_eq!(rows[0], "10|fine|fine|0");
    assert_eq!(rows[1], "12|NULL|cut --of|NULL");
    assert_eq!(rows[2], "13|NULL|NULL|NULL");
    assert_eq!(rows[3], "14|caf\u{fffd}|caf\u{fffd} \u{fffd}\u{fffd}|0");
    assert!(rows[4].starts_with("15|NULL|"), "{rows:?}");
    assert_eq!(rows.len(), 5);
    let mut found: Vec<_> =
        warnings.iter().map(|warning| (warning.origin.as_str(), warning.outcome, warning.count)).collect();
    found.sort_by_key(|(origin, outcome, _)| (*origin, outcome.name()));
    let expected = [
        ("command_line", Outcome::Io, 1),
        ("stat_or_status", Outcome::Io, 1),
        ("stat_or_status", Outcome::Malformed, 2),
        ("status", Outcome::Io, 1),
        ("status", Outcome::Malformed, 2),
    ];
    assert_eq!(found, expected, "{warnings:?}");
}

#[test]
fn hostile_account_files_give_what_they_hold() {
    let (rows, warnings) = read(&hostile(), "users", &["uid", "username"], &[]);
    assert_eq!(rows, ["0|root", "5|caf\u{fffd}", "6|long", "7|no newline"]);
    assert_eq!(warnings.len(), 1);
    assert_eq!((warnings[0].outcome, warnings[0].count), (Outcome::Malformed, 3));
    let (rows, warnings) = read(&hostile(), "groups", &["gid", "groupname", "members"], &[]);
    assert_eq!(rows, ["0|root|[]", "5|caf\u{fffd}|[root, \u{fffd}]"]);
    assert_eq!(warnings.len(), 1);
}

#[test]
fn links_lead_nowhere_outside_a_host_of_files() {
    let sys = hostile();
    let paths = ["/outside", "/loop/a", "/loop/a/b", "/loop/self/self/file"].map(|path| Scalar::Text(path.into()));
    let (rows, warnings) = read(&sys, "file", &["path", "size", "type"], &[("path", paths.to_vec())]);
    let passwd = sys.metadata("/etc/passwd").expect("the fixture's own").len();
    assert_eq!(
        rows,
        [format!("/outside|{passwd}|regular"), "/loop/a|1|symlink".into(), "/loop/self/self/file|1|regular".into()]
    );
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn listing_processes_opens_none_of_them() {
    let sys = Sys::live();
    let table = table(&sys, "processes");
    let context = context(&table, &["pid"], &[]);
    let (rows, outcome) = run(&table, &context);
    assert_eq!(outcome, Ok(()));
    assert!(rows.contains(&std::process::id().to_string()));
    assert_eq!(context.meter.calls(), 1, "one listing of /proc");
}

#[test]
fn one_process_is_as_ps_shows_it() {
    let child = Waiting::new();
    let sys = Sys::live();
    let columns = ["pid", "name", "parent", "uid", "threads", "nice"];
    let (rows, warnings) = read(&sys, "processes", &columns, &[("pid", child.pid())]);
    assert!(warnings.is_empty(), "{warnings:?}");
    let pid = child.0.id();
    let options = ["-o", "pid=,comm=,uid=,ppid=,nlwp=,ni=", "-p", &pid.to_string()];
    let output = Command::new("ps").args(options).output().expect("ps runs");
    let words = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join("|");
    assert_eq!(rows, [words]);

    let (rows, _) = read(&sys, "process_envs", &["key", "value"], &[("pid", child.pid())]);
    assert!(rows.contains(&"INDAGO_TEST|a=b".to_owned()), "{rows:?}");
    let started =
        read(&sys, "processes", &["start_time"], &[("pid", child.pid())]).0[0].parse::<i64>().expect("a time");
    let now = sys.now().seconds();
    assert!((now - 60..=now + 2).contains(&started), "{started} of {now}");

    drop(child);
    let (rows, warnings) = read(&sys, "processes", &columns, &[("pid", number(pid))]);
    assert_eq!((rows.len(), warnings.len()), (0, 0), "it is gone, and nobody is warned");
}

#[test]
fn a_thread_is_no_process() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let link = fs::read_link("/proc/thread-self").expect("the kernel names threads");
        tell.send(link.file_name().and_then(|name| name.to_str()?.parse::<i64>().ok())).expect("the test listens");
        let _ = receiver.recv();
    });
    let thread_id = told.recv().expect("the thread runs").expect("a number");
    assert_ne!(thread_id, i64::from(std::process::id()));
    for name in ["processes", "process_envs", "process_namespaces", "process_open_files"] {
        let (rows, _) = read(&Sys::live(), name, &["pid"], &[("pid", number(thread_id))]);
        assert_eq!(rows, [""; 0], "{name}");
    }
    drop(sender);
    thread.join().expect("the thread ends");
}

#[test]
fn sockets_and_files_of_this_process_are_found() {
    let sys = Sys::live();
    let own = number(std::process::id());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let (rows, _) = read(&sys, "listening_ports", &["pid", "port", "family", "address"], &[("pid", own.clone())]);
    assert!(rows.contains(&format!("{}|{port}|2|127.0.0.1", std::process::id())), "{rows:?}");
    let from = stream.local_addr().expect("it is connected").port();
    let columns = ["local_port", "remote_port", "state"];
    let (rows, _) = read(&sys, "process_open_sockets", &columns, &[("pid", own.clone())]);
    assert!(rows.contains(&format!("{from}|{port}|ESTABLISHED")), "{rows:?}");

    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(b"12345").expect("there is room");
    let (rows, _) = read(&sys, "process_open_files", &["path", "access", "offset"], &[("pid", own)]);
    let path = fs::canonicalize(file.path()).expect("it is there");
    assert!(rows.contains(&format!("{}|rw|5", path.display())), "{rows:?}");
}

#[test]
fn names_that_are_no_text_are_found_by_their_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::write(odd, "abc").expect("there is room");
    let keys = [("directory", text(folder.path()))];
    let (rows, warnings) = read(&Sys::live(), "file", &["filename", "size"], &keys);
    assert_eq!(rows, ["caf\u{fffd}|3"]);
    assert!(warnings.is_empty());
    let (rows, _) = read(&Sys::live(), "hash", &["md5"], &keys);
    assert_eq!(rows, ["900150983cd24fb0d6963f7d28e17f72"]);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = Command::new("mkfifo").arg(folder.path().join("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    let keys = [("directory", text(folder.path()))];
    assert_eq!(read(&Sys::live(), "hash", &["path", "sha256"], &keys).0, [""; 0]);
    assert_eq!(read(&Sys::live(), "file", &["type"], &keys).0, ["fifo"]);
}

#[test]
fn a_huge_file_is_read_in_pieces_and_let_go() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("huge");
    let file = fs::File::create(&path).expect("there is room");
    file.set_len(10 << 30).expect("a file of holes");
    let sys = Sys::live();
    let table = table(&sys, "hash");
    let context = context(&table, &["path", "md5", "sha1", "sha256"], &[("path", text(&path))]);
    let meter = context.meter.clone();
    let canceller = std::thread::spawn(move || {
        while meter.bytes() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        meter.cancel();
        Instant::now()
    });
    let (rows, outcome) = run(&table, &context);
    let ended = Instant::now();
    let cancelled = canceller.join().expect("it ends");
    assert_eq!((rows.len(), outcome), (0, Err(Error::Cancelled)));
    assert!(context.meter.bytes() < 10 << 30);
    assert!(ended.saturating_duration_since(cancelled) < Duration::from_millis(100), "cancelling takes effect at once");
}

#[test]
fn many_checksums_are_one_reading() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("file");
    fs::write(&path, vec![7; 1_000_000]).expect("there is room");
    let sys = Sys::live();
    let table = table(&sys, "hash");
    for columns in [&["sha256"][..], &["md5", "sha1", "sha256"]] {
        let context = context(&table, columns, &[("path", text(&path))]);
        let (rows, outcome) = run(&table, &context);
        assert_eq!((rows.len(), outcome), (1, Ok(())));
        assert_eq!(context.meter.bytes(), 1_000_000);
    }
    let context = context(&table, &["path"], &[("path", text(&path))]);
    assert_eq!(run(&table, &context).1, Ok(()));
    assert_eq!(context.meter.bytes(), 0, "no checksum, no reading");
}

#[test]
fn interfaces_are_those_of_the_machine() {
    let (rows, warnings) = read(&Sys::live(), "interface_addresses", &["interface", "address", "mask"], &[]);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(rows.contains(&"lo|127.0.0.1|255.0.0.0".to_owned()), "{rows:?}");
}

#[test]
fn mounts_tell_their_room() {
    let (rows, _) = read(&Sys::live(), "mounts", &["path", "blocks_size", "blocks"], &[]);
    let root = rows.iter().find(|row| row.starts_with("/|")).expect("a root");
    let numbers: Vec<i64> = root.split('|').skip(1).map(|number| number.parse().expect("a number")).collect();
    assert!(numbers.iter().all(|number| *number > 0), "{root}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_process_are_read_only_if_the_filter_leaves_it() {
    let engine = crate::support::host_engine(&crate::support::fixture_host("plain")).build().await.expect("it builds");
    let cost = async |sql: &str| {
        let query = engine.query(sql).await.expect("it plans");
        let rows: usize = query.collect().await.expect("it runs").iter().map(RecordBatch::num_rows).sum();
        (rows as u64, query.scans()[0].calls)
    };
    let (all, listing) = cost("SELECT pid FROM processes").await;
    let (_, names) = cost("SELECT name FROM processes").await;
    assert_eq!(names, listing + all, "one file for each process");
    // The one process of that name costs its command line, and nobody else does.
    let (rows, calls) = cost("SELECT cmdline FROM processes WHERE name = 'nginx'").await;
    assert!(rows > 0 && rows < all, "{rows} of {all}");
    assert_eq!(calls, names + rows);
    assert_eq!(cost("SELECT cmdline FROM processes WHERE name = 'no such'").await, (0, names));
    // A limit ends the reading of what the filter leaves.
    assert_eq!(cost("SELECT cmdline FROM processes WHERE name <> '' LIMIT 1").await, (1, names + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_hosts_are_one_table_that_says_whose_a_row_is() {
    use crate::support::{fixture_host, hosts_engine, rows, texts};
    let hosts = ["plain", "hostile"].map(fixture_host);
    let [plain, hostile] = [&hosts[0], &hosts[1]].map(|host| host.root_name().to_string());
    let engine = hosts_engine(hosts.to_vec()).build().await.expect("it builds");
    let mut alone = Vec::new();
    for host in &hosts {
        let one = hosts_engine(vec![host.clone()]).build().await.expect("it builds");
        alone.push(rows(&one, "SELECT host_root, count(*) FROM users GROUP BY host_root").await.remove(0));
    }
    alone.sort();

    let counted = rows(&engine, "SELECT host_root, count(*) FROM users GROUP BY host_root").await;
    assert_eq!(counted, alone);
    assert!(!rows(&engine, "SELECT * FROM uptime").await.iter().flatten().any(|cell| *cell == plain), "it is hidden");

    // A constraint leaves the other host unread; each host is a part of its own otherwise.
    let read = async |sql: &str| {
        let query = engine.query(sql).await.expect("it plans");
        let rows = texts(&query.collect().await.expect("it runs"));
        (rows, query.scans()[0].slices)
    };
    let root = format!("SELECT username, host_root FROM users WHERE username = 'root' AND host_root = '{plain}'");
    assert_eq!(read(&root).await, (vec![vec!["root".to_owned(), plain.clone()]], 1));
    assert_eq!(read("SELECT uid FROM users").await.1, 2);
    assert_eq!(read("SELECT uid FROM users WHERE host_root = 'elsewhere'").await, (Vec::new(), 0));

    // Conditions may look at it together with other columns.
    let sql = format!("SELECT host_root FROM users WHERE username || host_root = 'root{hostile}'");
    assert_eq!(rows(&engine, &sql).await, [[hostile.clone()]]);

    // A lookup join brings it, so that no host is asked about the other's files.
    let sql = "SELECT u.host_root, f.path, f.host_root FROM users u
        JOIN file f ON f.path = '/etc/' || CASE WHEN u.uid = 0 THEN 'passwd' END AND f.host_root = u.host_root";
    let found = rows(&engine, sql).await;
    assert!(found.iter().all(|row| row[0] == row[2]), "{found:?}");
    for host in [&plain, &hostile] {
        assert!(found.contains(&vec![host.clone(), "/etc/passwd".to_owned(), host.clone()]), "{found:?}");
    }
}
