//! The host's tables on a hostile machine, and on the machine that runs the tests.

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
use indago_table::{
    Constraints, Error, Kind, Outcome, Reading, Scalar, ScanContext, Sink, Slice, Sys, TableRef, TableSpec, Warning,
};
use indago_tables_registry::{Environments, all};

/// Collects the batches of a scan.
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
    fn read(slice: Slice, kept: &mut Kept) -> Result<(), Error> {
        match slice.reading {
            Reading::Blocking(read) => read(kept),
            // Tables that make requests. On a host that is not running they return no rows.
            Reading::Async(read) => futures::executor::block_on(read(Box::<Kept>::default())),
            Reading::Finding(find) => {
                let mut outcome = Ok(());
                find(&mut |slice| {
                    outcome = std::mem::replace(&mut outcome, Ok(())).and(read(slice, kept));
                    true
                })?;
                outcome
            }
        }
    }
    let mut kept = Kept::default();
    let mut outcome = Ok(());
    for slice in table.slices(context).expect("slices are found without reading") {
        outcome = outcome.and(read(slice, &mut kept));
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

/// Rows of a scan that must not fail, and its warnings.
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

/// A program that runs until the test ends.
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

/// `path` and `on_disk` of a running program with this name, after a change to its file.
fn program_called(name: &[u8], then: impl FnOnce(&Path)) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join(std::ffi::OsStr::from_bytes(name));
    // `cp` writes the file: if this process had it open for writing, it could not run while another test starts a
    // program.
    assert!(Command::new("cp").arg("/bin/sleep").arg(&program).status().expect("cp runs").success());
    let waiting = Waiting(Command::new(&program).arg("600").spawn().expect("it starts"));
    then(&program);
    let (rows, warnings) = read(&Sys::live(), "processes", &["path", "on_disk"], &[("pid", waiting.pid())]);
    let is_odd = std::str::from_utf8(name).is_err();
    assert_eq!((rows.len(), warnings.len()), (1, usize::from(is_odd)), "{warnings:?}");
    let (path, on_disk) = rows[0].split_once('|').expect("two columns");
    let name = path.strip_prefix(folder.path().to_str().expect("UTF-8")).expect("a path of ours");
    (name.to_owned(), on_disk.to_owned())
}

#[test]
fn both_of_the_kernels_files_say_the_same_of_a_process() {
    let waiting = Waiting::new();
    let brief = ["name", "state", "parent", "threads"];
    // One column that is only in `status`, or only in `stat`, decides which file is read; the other is not read.
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
    // Wait until it sleeps.
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
        assert_eq!(errors, ["/nope: no such directory", &format!("{}: no such directory", file.display())]);
        assert!(!kept.0.is_empty(), "the first host's");
    }
}

/// Keys of a keyed table: for this column, or for the first one that a scan may need.
fn key<'a>(spec: &'a TableSpec, column: &str, texts: &[&str]) -> (&'a str, Vec<Scalar>) {
    let position = spec.column(column).unwrap_or_else(|| spec.require_any[0]);
    let column = &spec.columns[position];
    let keys = match column.kind {
        Kind::BigInt => vec![Scalar::Integer(10)],
        _ => texts.iter().map(|text| Scalar::Text((*text).to_owned())).collect(),
    };
    (&column.name, keys)
}

#[test]
fn a_hostile_host_breaks_nothing() {
    let sys = hostile();
    for table in tables(&sys) {
        let spec = table.spec();
        let columns: Vec<&str> = spec.columns.iter().map(|column| column.name.as_ref()).collect();
        // All columns together, and each column alone.
        for columns in std::iter::once(columns.clone()).chain(columns.iter().map(|column| vec![*column])) {
            let mut keys = Vec::new();
            if spec.is_keyed() {
                let folders = ["/etc", "/loop", "/loop/a", "/proc/14/cwd", "/outside", "/etc/passwd"];
                keys.push(key(spec, "directory", &folders));
            }
            let context = context(&table, &columns, &keys);
            let (_, outcome) = run(&table, &context);
            match outcome {
                Ok(()) | Err(Error::Malformed(_) | Error::Unsupported(_) | Error::Absent(_)) => {}
                Err(error) => panic!("{} ({columns:?}): {error}", spec.name),
            }
        }
    }
}

#[test]
fn what_is_missing_of_hostile_processes_is_said() {
    let (rows, warnings) = read(&hostile(), "processes", &["pid", "name", "uid", "cmdline"], &[]);
    // 11 has none of the files, 12 is truncated, 13 cannot be read, 14 is not UTF-8, 15 is noise.
    assert_eq!(rows[0], "10|fine|fine|0");
    assert_eq!(rows[1], "11|NULL|NULL|NULL");
    assert_eq!(rows[2], "12|NULL|cut --of|NULL");
    assert_eq!(rows[3], "13|NULL|NULL|NULL");
    assert_eq!(rows[4], "14|caf\u{fffd}|caf\u{fffd} \u{fffd}\u{fffd}|0");
    assert!(rows[5].starts_with("15|NULL|"), "{rows:?}");
    assert_eq!(rows.len(), 6);
    let mut found: Vec<_> =
        warnings.iter().map(|warning| (warning.origin.as_str(), warning.outcome, warning.count)).collect();
    found.sort_by_key(|(origin, outcome, _)| (*origin, outcome.name()));
    let expected = [
        ("cmdline", Outcome::Malformed, 2),
        ("command_line", Outcome::Malformed, 1),
        ("command_line", Outcome::Unsupported, 1),
        ("name", Outcome::Malformed, 1),
        ("stat_or_status", Outcome::Malformed, 3),
        ("stat_or_status", Outcome::Unsupported, 1),
        ("status", Outcome::Malformed, 3),
        ("status", Outcome::Unsupported, 1),
    ];
    assert_eq!(found, expected, "{warnings:?}");
}

#[test]
fn hostile_account_files_give_what_they_hold() {
    let (rows, warnings) = read(&hostile(), "users", &["uid", "username"], &[]);
    assert_eq!(rows, ["0|root", "5|caf\u{fffd}", "6|long", "7|no newline"]);
    let counted: Vec<_> = warnings.iter().map(|warning| (warning.origin.as_str(), warning.count)).collect();
    assert_eq!(counted, [("accounts", 3), ("username", 1)]);
    let (rows, warnings) = read(&hostile(), "groups", &["gid", "groupname", "members"], &[]);
    assert_eq!(rows, ["0|root|[]", "5|caf\u{fffd}|[root, \u{fffd}]"]);
    let counted: Vec<_> = warnings.iter().map(|warning| (warning.origin.as_str(), warning.count)).collect();
    assert_eq!(counted, [("groups", 1), ("groupname", 1), ("members", 1)]);
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

/// A directory with a file of each name, whose contents are `abc`.
fn files(names: &[&[u8]]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in names {
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), "abc").expect("there is room");
    }
    folder
}

const MD5_OF_ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

#[test]
fn a_name_that_is_not_utf_8_is_found_by_what_it_shows_and_reported() {
    let folder = files(&[b"plain", b"bad \x80 name", b"tell\xef\xbf\xbdtale"]);
    let keys = [("directory", text(folder.path()))];
    let (mut rows, warnings) = read(&Sys::live(), "file", &["path", "filename", "size"], &keys);
    rows.sort();
    let paths: Vec<String> = ["bad \u{fffd} name", "plain", "tell\u{fffd}tale"]
        .iter()
        .map(|name| format!("{}/{name}", folder.path().display()))
        .collect();
    let row = |path: &String| format!("{path}|{}|3", path.rsplit('/').next().unwrap_or_default());
    assert_eq!(rows, paths.iter().map(row).collect::<Vec<_>>());
    let counted: Vec<_> = warnings.iter().map(|warning| (warning.origin.as_str(), warning.outcome)).collect();
    assert_eq!(counted, [("path", Outcome::Malformed), ("filename", Outcome::Malformed)]);
    // As a key, it leads to the file.
    let of = |path: &String| read(&Sys::live(), "hash", &["md5"], &[("path", vec![Scalar::Text(path.clone())])]).0;
    assert_eq!(paths.iter().map(of).collect::<Vec<_>>(), vec![vec![MD5_OF_ABC]; 3]);
    // A column that is not read is not reported, and a real U+FFFD is normal text.
    assert_eq!(read(&Sys::live(), "file", &["size"], &keys).1, []);
    let folder = files(&[b"tell\xef\xbf\xbdtale"]);
    let keys = [("directory", text(folder.path()))];
    assert_eq!(read(&Sys::live(), "file", &["path"], &keys).1, []);
    // Directories above it, too.
    let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"dir\xff/below"));
    fs::create_dir_all(&odd).expect("a folder");
    fs::write(odd.join("file"), "abc").expect("there is room");
    let key = Scalar::Text(format!("{}/dir\u{fffd}/below/file", folder.path().display()));
    assert_eq!(read(&Sys::live(), "hash", &["md5"], &[("path", vec![key])]).0, [MD5_OF_ABC]);
}

/// All names of a process that the process or others can choose.
#[test]
fn what_processes_show_that_is_not_utf_8_is_reported() {
    let folder = files(&[]);
    let program = folder.path().join(std::ffi::OsStr::from_bytes(b"evil\xff"));
    assert!(Command::new("cp").arg("/bin/sleep").arg(&program).status().expect("cp runs").success());
    let mut sleep = Command::new(&program);
    sleep.arg("600").env("ODD", std::ffi::OsStr::from_bytes(b"\xfe")).current_dir(folder.path());
    let child = Waiting(sleep.spawn().expect("it starts"));
    for (table, columns) in [
        ("processes", &["name"][..]),
        ("processes", &["name", "uid"]),
        ("processes", &["path"]),
        ("processes", &["cmdline"]),
        ("processes", &["arguments"]),
        ("process_envs", &["value"]),
    ] {
        let (rows, warnings) = read(&Sys::live(), table, columns, &[("pid", child.pid())]);
        assert!(rows.iter().any(|row| row.contains('\u{fffd}')), "{rows:?}");
        let of_column = warnings.iter().filter(|warning| warning.origin == columns[0]);
        assert_eq!(
            of_column.map(|warning| warning.count).collect::<Vec<_>>(),
            [1],
            "{table} {columns:?}: {warnings:?}"
        );
    }
    let (rows, warnings) = read(&Sys::live(), "processes", &["pid", "parent"], &[("pid", child.pid())]);
    assert_eq!((rows.len(), warnings), (1, vec![]), "nothing odd is shown");
}

#[test]
fn a_name_is_the_same_whichever_file_it_comes_from() {
    for name in ["a\\b", "a\\\\n", "line\nbreak", "tab\tx", ") S 1 ("] {
        let folder = files(&[]);
        let program = folder.path().join(name);
        assert!(Command::new("cp").arg("/bin/sleep").arg(&program).status().expect("cp runs").success());
        let child = Waiting(Command::new(&program).arg("600").spawn().expect("it starts"));
        let comm = || fs::read_to_string(format!("/proc/{}/comm", child.0.id())).expect("it runs");
        // The kernel resumes the parent before it sets the program's name.
        while comm() != format!("{name}\n") {
            std::thread::yield_now();
        }
        for others in [&[][..], &["uid"], &["nice"], &["uid", "nice"]] {
            let columns = [&["name"], others].concat();
            let (rows, _) = read(&Sys::live(), "processes", &columns, &[("pid", child.pid())]);
            assert_eq!(rows[0].split('|').next(), Some(name), "{columns:?}");
        }
    }
}

/// A host on which every file is a FIFO, a device or a directory.
#[test]
fn no_table_waits_for_what_is_not_a_file() {
    let files = [
        "etc/passwd",
        "etc/group",
        "etc/os-release",
        "usr/lib/os-release",
        "etc/hostname",
        "etc/machine-id",
        "etc/nsswitch.conf",
        "proc/uptime",
        "proc/cpuinfo",
        "proc/meminfo",
        "proc/stat",
        "proc/sys/kernel/arch",
        "proc/sys/kernel/hostname",
        "proc/self/mountinfo",
        "proc/10/stat",
        "proc/10/status",
        "proc/10/cmdline",
        "proc/10/environ",
        "proc/10/io",
        "proc/10/cgroup",
        "proc/10/loginuid",
        "proc/10/fdinfo/3",
        "proc/10/net/tcp",
        "proc/10/net/unix",
        "sys/class/dmi/id/product_name",
        "sys/devices/system/cpu/online",
    ];
    for make in ["mkfifo", "mkdir"] {
        let root = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
            assert!(Command::new(make).arg(&path).status().expect("it runs").success());
        }
        fs::create_dir_all(root.path().join("proc/10/fd")).expect("a folder");
        fs::create_dir_all(root.path().join("proc/10/ns")).expect("a folder");
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("proc/10/fd/3")).expect("a link");
        std::os::unix::fs::symlink("net:[1]", root.path().join("proc/10/ns/net")).expect("a link");
        let sys = Sys::at(root.path());
        for table in tables(&sys) {
            let spec = table.spec();
            let columns: Vec<&str> = spec.columns.iter().map(|column| column.name.as_ref()).collect();
            let keys = spec.is_keyed().then(|| key(spec, "path", &["/etc/passwd"]));
            let context = context(&table, &columns, keys.as_slice());
            let (rows, outcome) = run(&table, &context);
            let is_told = outcome.is_err() || !context.query.diagnostics().is_empty();
            // A FIFO exists but cannot be hashed, and has no attributes; kernels differ in the kinds of namespaces; the
            // descriptor is a file.
            let answers = [
                "carves",
                "ebpf_maps",
                "ebpf_programs",
                "elf_info",
                "elf_symbols",
                "extended_attributes",
                "file",
                "file_capabilities",
                "hash",
                "magic",
                "process_namespaces",
                "process_open_pipes",
                "time",
                "yara_file",
            ];
            let is_answer = answers.contains(&spec.name.as_ref());
            assert!(is_told || is_answer, "{} of {make}: {rows:?}", spec.name);
        }
    }
}

/// A sparse file of a terabyte affects only its own column or table.
#[test]
fn a_file_without_end_is_an_error() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let endless = |name: &str| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
        fs::File::create(path).and_then(|file| file.set_len(1 << 40)).expect("a file of holes");
    };
    let files = ["etc/passwd", "etc/group", "proc/uptime", "proc/self/mountinfo", "proc/10/cmdline", "proc/10/environ"];
    files.iter().for_each(|name| endless(name));
    fs::create_dir_all(root.path().join("proc/11")).expect("a folder");
    fs::write(root.path().join("proc/11/cmdline"), "fine\0").expect("there is room");
    fs::write(root.path().join("proc/11/environ"), "A=b\0").expect("there is room");
    let sys = Sys::at(root.path());
    for name in ["users", "groups", "uptime", "mounts"] {
        let table = table(&sys, name);
        let columns: Vec<&str> = table.spec().columns.iter().map(|column| column.name.as_ref()).collect();
        let (rows, outcome) = run(&table, &context(&table, &columns, &[]));
        assert!(rows.is_empty() && matches!(outcome, Err(Error::Malformed(_))), "{name}: {outcome:?}");
    }
    let (rows, warnings) = read(&sys, "processes", &["pid", "cmdline"], &[]);
    assert_eq!(rows, ["10|NULL", "11|fine"]);
    let told =
        |warnings: Vec<Warning>| warnings.iter().map(|warning| (warning.outcome, warning.count)).collect::<Vec<_>>();
    assert_eq!(told(warnings), [(Outcome::Malformed, 1)]);
    let (rows, warnings) = read(&sys, "process_envs", &["pid", "key", "value"], &[]);
    assert_eq!((rows, told(warnings)), (vec!["11|A|b".to_owned()], vec![(Outcome::Malformed, 1)]));
}

/// A file, directory or program that a table reads is missing.
#[test]
fn a_missing_source_is_reported_by_each_table() {
    let empty = tempfile::tempdir().expect("a temporary folder");
    let only_proc = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir_all(only_proc.path().join("proc/10")).expect("a folder");
    for (root, what) in [(&empty, "nothing"), (&only_proc, "a process without files")] {
        let sys = Sys::at(root.path());
        for table in tables(&sys) {
            let spec = table.spec();
            // Two tables read nothing: of the time, and of osquery's archives, which are not made.
            if spec.is_keyed() || ["time", "carves"].contains(&spec.name.as_ref()) {
                continue;
            }
            let columns: Vec<&str> = spec.columns.iter().map(|column| column.name.as_ref()).collect();
            let context = context(&table, &columns, &[]);
            let (rows, outcome) = run(&table, &context);
            let warnings = context.query.diagnostics().warnings();
            assert!(!matches!(outcome, Err(Error::Gone(_))), "{} with {what}: {outcome:?}", spec.name);
            assert!(outcome.is_err() || !warnings.is_empty(), "{} with {what}: {rows:?}", spec.name);
        }
    }
    // With a key, too: there is no process at all.
    for name in ["processes", "process_envs", "process_namespaces", "process_open_files", "process_open_sockets"] {
        let table = table(&Sys::at(empty.path()), name);
        let context = context(&table, &["pid"], &[("pid", number(7))]);
        let (rows, outcome) = run(&table, &context);
        assert!(rows.is_empty() && matches!(outcome, Err(Error::Unsupported(_))), "{name}: {outcome:?}");
    }
    // Each source of an existing process.
    let sys = Sys::at(only_proc.path());
    let of_process = ["name", "uid", "cmdline", "cgroup_path", "disk_bytes_read", "login_uid"];
    for (table, column) in of_process.map(|column| ("processes", column)).into_iter().chain([
        ("process_namespaces", "net_namespace"),
        ("process_envs", "key"),
        ("process_open_files", "fd"),
        ("process_open_sockets", "fd"),
        ("listening_ports", "port"),
    ]) {
        let (_, warnings) = read(&sys, table, &[column], &[]);
        assert!(
            warnings.iter().any(|warning| warning.outcome == Outcome::Unsupported),
            "{table}.{column}: {warnings:?}"
        );
    }
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
    // Only the process with that name needs a read of its command line.
    let (rows, calls) = cost("SELECT cmdline FROM processes WHERE name = 'nginx'").await;
    assert!(rows > 0 && rows < all, "{rows} of {all}");
    assert_eq!(calls, names + rows);
    assert_eq!(cost("SELECT cmdline FROM processes WHERE name = 'no such'").await, (0, names));
    // A limit on the remaining rows ends the scan.
    assert_eq!(cost("SELECT cmdline FROM processes WHERE name <> '' LIMIT 1").await, (1, names + 1));
}

/// A container from scratch has no accounts, and no account files.
#[tokio::test(flavor = "multi_thread")]
async fn a_container_without_a_file_of_accounts_is_reported() {
    use crate::support::{host_engine, texts};
    let root = tempfile::tempdir().expect("a folder");
    for folder in ["etc", "scratch", "proc/7"] {
        fs::create_dir_all(root.path().join(folder)).expect("created");
    }
    for (file, text) in [("etc/passwd", "root:x:0:0::/root:/bin/sh\n"), ("etc/group", "root:x:0:\n")] {
        fs::write(root.path().join(file), text).expect("written");
    }
    std::os::unix::fs::symlink("/scratch", root.path().join("proc/7/root")).expect("created");
    let engine = host_engine(&Sys::at(root.path())).build().await.expect("it builds");
    for (sql, file) in [
        ("SELECT username FROM users WHERE pid_with_namespace IN (0, 7)", "/etc/passwd"),
        ("SELECT groupname FROM groups WHERE pid_with_namespace IN (0, 7)", "/etc/group"),
    ] {
        let query = engine.query(sql).await.expect("it plans");
        assert_eq!(texts(&query.collect().await.expect("it runs")), [["root"]], "{sql}");
        let warnings: Vec<String> = query.warnings().iter().map(ToString::to_string).collect();
        let told = format!("(the namespace of process 7): {file} does not exist");
        assert!(warnings.len() == 1 && warnings[0].contains(&told), "{warnings:?}");
    }
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

    // A constraint excludes the other host, which is not read; each host is a slice.
    let read = async |sql: &str| {
        let query = engine.query(sql).await.expect("it plans");
        let rows = texts(&query.collect().await.expect("it runs"));
        (rows, query.scans()[0].slices)
    };
    let root = format!("SELECT username, host_root FROM users WHERE username = 'root' AND host_root = '{plain}'");
    assert_eq!(read(&root).await, (vec![vec!["root".to_owned(), plain.clone()]], 1));
    assert_eq!(read("SELECT uid FROM users").await.1, 2);
    let elsewhere = "SELECT uid FROM users WHERE host_root = 'elsewhere'";
    assert_eq!(read(elsewhere).await, (Vec::new(), 0));
    let query = engine.query(elsewhere).await.expect("it plans");
    query.collect().await.expect("it runs");
    let told = format!("host_root = 'elsewhere' is not configured; there are: {plain}, {hostile}");
    assert_eq!(query.warnings().iter().map(|warning| warning.message.clone()).collect::<Vec<_>>(), [told]);

    // Conditions may combine it with other columns.
    let sql = format!("SELECT host_root FROM users WHERE username || host_root = 'root{hostile}'");
    assert_eq!(rows(&engine, &sql).await, [[hostile.clone()]]);

    // A lookup join passes it, so no host is read for the other's files.
    let sql = "SELECT u.host_root, f.path, f.host_root FROM users u
        JOIN file f ON f.path = '/etc/' || CASE WHEN u.uid = 0 THEN 'passwd' END AND f.host_root = u.host_root";
    let found = rows(&engine, sql).await;
    assert!(found.iter().all(|row| row[0] == row[2]), "{found:?}");
    for host in [&plain, &hostile] {
        assert!(found.contains(&vec![host.clone(), "/etc/passwd".to_owned(), host.clone()]), "{found:?}");
    }
}

/// Runs the program as nobody in separate mount namespaces, after a script as root set them up.
fn as_nobody(namespaces: &[&str], script: &str, arguments: &[&str]) -> (String, String) {
    crate::support::needs_root();
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
    fs::write(folder.path().join("indago"), "").expect("there is room");
    let program = crate::cli::indago();
    let script = format!(
        "set -e; cd {0}; mount --bind {1} indago; {script}\n\
         exec setpriv --reuid 65534 --regid 65534 --clear-groups -- {0}/indago \"$@\"",
        folder.path().display(),
        Path::new(program.get_program()).display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]).args(namespaces).args(["sh", "-c", &script, "sh"]);
    let output = command.args(arguments).env("NO_COLOR", "1").env("HOME", "/").output().expect("unshare runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr))
}

#[test]
fn what_the_kernel_hides_from_the_caller_is_reported_once() {
    let query = |sql| ["query", "--format", "ndjson", sql];
    let hide = "mount -t proc -o hidepid=2 proc /proc";
    for sql in ["SELECT count(*) AS n FROM processes WHERE pid = 1", "SELECT count(*) AS n FROM process_envs"] {
        let (rows, errors) = as_nobody(&[], hide, &query(sql));
        assert!(!rows.is_empty(), "{errors}");
        assert_eq!(errors.matches("hidepid").count(), 1, "{sql}: {errors}");
    }
    let (_, errors) = as_nobody(&[], "", &query("SELECT count(*) AS n FROM processes WHERE pid = 1"));
    assert_eq!(errors, "", "nothing is hidden");
    // One warning with a count, whatever the query reads of other users' processes.
    for sql in [
        "SELECT path, cwd FROM processes WHERE uid = 0",
        "SELECT path FROM process_open_files",
        "SELECT fd FROM process_open_sockets WHERE pid = 1",
        "SELECT mnt_namespace FROM process_namespaces",
    ] {
        let (_, errors) = as_nobody(&[], "", &query(sql));
        let columns = if sql.contains("cwd") { 2 } else { 1 };
        assert_eq!(errors.matches("needs CAP_SYS_PTRACE").count(), columns, "{sql}: {errors}");
    }
}

/// A simulated node. Its first process starts a container, whose program exists in no other mount namespace, and a pod
/// with its own root, name and network, and with the node's root mounted.
const NODE: &str = r#"set -e
hostname node-1
unshare --mount --propagation private sh -c 'mount -t tmpfs none /mnt; cp /bin/sleep /mnt/inside; exec /mnt/inside 600' &
container=$!
until [ "$(readlink /proc/$container/exe)" = /mnt/inside ]; do :; done
sql=$(printf %s "$SQL" | sed "s/CONTAINER/$container/")
unshare --mount --uts --net --propagation private $PID_NAMESPACE sh -c "$POD" sh "$sql"
kill -9 $container"#;

const POD: &str = r#"set -e
mount $MOUNT / "$FOLDER/host"
mount --bind "$FOLDER/passwd" /etc/passwd
hostname pod-7
[ -z "$PID_NAMESPACE" ] || mount -t proc proc /proc
"$INDAGO" query --format ndjson --config "$FOLDER/indago.toml" "$1""#;

#[test]
fn a_pod_with_the_hosts_root_sees_the_running_host() {
    crate::support::needs_root();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("host")).expect("a folder");
    fs::write(at("passwd"), "pod:x:0:0::/:/bin/sh\n").expect("there is room");
    let config = format!("[host]\nroots = [\"{}\"]\n", at("host").display());
    fs::write(at("indago.toml"), config).expect("there is room");
    // With the host's submounts, and so its `/proc`; or without them, in a pod with `hostPID`.
    for (mount, pid_namespace) in [("--rbind", "--pid --fork"), ("--bind", "")] {
        let query = |sql: &str| {
            let mut node = Command::new("unshare");
            node.args(["--mount", "--propagation", "private", "--uts", "--pid", "--fork", "--mount-proc"]);
            node.args(["sh", "-c", NODE]).envs([("POD", POD), ("SQL", sql), ("MOUNT", mount)]);
            node.env("PID_NAMESPACE", pid_namespace).env("FOLDER", folder.path()).env("NO_COLOR", "1");
            node.env("INDAGO", crate::cli::indago().get_program());
            node.env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", "1");
            let output = node.output().expect("unshare runs");
            let rows = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (rows, String::from_utf8_lossy(&output.stderr).replace("Killed", "").trim().to_owned())
        };
        let answer = |sql: &str, expected: &str| {
            let (rows, errors) = query(sql);
            assert_eq!((rows.as_str(), errors.as_str()), (expected, ""), "{mount}: {sql}");
        };
        answer(
            "SELECT name, path, on_disk FROM processes WHERE pid = CONTAINER",
            r#"{"name":"inside","path":"/mnt/inside","on_disk":1}"#,
        );
        answer("SELECT username = 'pod' AS is_pod FROM users WHERE uid = 0", r#"{"is_pod":0}"#);
        // The container's own file, which the host does not have; the pod's mounts are not shown.
        let file = "SELECT type FROM file WHERE path = '/mnt/inside' AND pid_with_namespace =";
        answer(&format!("{file} CONTAINER"), r#"{"type":"regular"}"#);
        answer(&format!("{file} 0"), "");
        answer("SELECT count(*) AS n FROM mounts WHERE path = '/etc/passwd'", r#"{"n":0}"#);
        answer("SELECT blocks > 0 AS n FROM mounts WHERE path = '/' LIMIT 1", r#"{"n":1}"#);
        let name = fs::read_to_string("/etc/hostname").expect("the host has a name");
        answer("SELECT hostname FROM system_info", &format!(r#"{{"hostname":"{}"}}"#, name.trim()));
        let (_, errors) = query("SELECT * FROM interface_addresses");
        assert!(errors.contains("hostNetwork"), "{errors}");
        // The cluster is that of the pod's service account.
        let (_, errors) = query("SELECT name FROM kubernetes_namespaces");
        assert!(!errors.contains("no cluster is configured") && errors.contains("in-cluster"), "{errors}");
    }
}

/// A process may have few descriptors open, so rows that hold descriptors must not accumulate.
#[test]
fn many_processes_are_read_with_few_descriptors() {
    crate::support::needs_root();
    let sleepers: Vec<Waiting> = (0..150).map(|_| Waiting::new()).collect();
    let sql = "SELECT count(*) AS n FROM processes p WHERE name = 'sleep' AND cmdline LIKE '%600' AND uid = 0";
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 100; exec \"$0\" query --format ndjson \"$1\""]);
    let output =
        limited.arg(crate::cli::indago().get_program()).arg(sql).env("NO_COLOR", "1").output().expect("sh runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let row: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a row");
    assert!(row["n"].as_u64().is_some_and(|count| count >= sleepers.len() as u64), "{row}");
}

/// The same in a real pod with the host's processes and root, which reads a container of another pod.
#[test]
fn a_pod_of_a_real_cluster_sees_its_host_and_its_cluster() {
    let cluster = indago_testkit::beds::Cluster::start().expect("a cluster");
    cluster.wait_ready().expect("its pods run");
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("indago.toml"), "[host]\nroots = [\"/host\"]\n").expect("there is room");
    // The pod's image has no C library, so it uses the host's, at the path where the pod sees it.
    let in_pod = |path: &Path| format!("/host{}", fs::canonicalize(path).expect("it is there").display());
    let program = crate::cli::indago();
    let libraries = Command::new("ldd").arg(program.get_program()).output().expect("ldd runs").stdout;
    let libraries = String::from_utf8(libraries).expect("paths are UTF-8");
    let libraries: Vec<&str> = libraries.split_whitespace().filter(|word| word.starts_with('/')).collect();
    let loader = libraries.iter().find(|path| path.contains("/ld-")).expect("a dynamic program");
    let mut folders: Vec<String> =
        libraries.iter().map(|path| in_pod(Path::new(path).parent().expect("a folder"))).collect();
    folders.dedup();
    let (loader, folders) = (in_pod(Path::new(loader)), folders.join(":"));
    let (program, config) = (in_pod(Path::new(program.get_program())), in_pod(&folder.path().join("indago.toml")));
    let query = |sql: &str| {
        // The bed does not proxy service addresses: the pod, on the host's network, calls the server directly.
        let exec = [
            "exec",
            "-n",
            "shop",
            "priv",
            "--",
            "env",
            "KUBERNETES_SERVICE_HOST=127.0.0.1",
            "KUBERNETES_SERVICE_PORT=6443",
        ];
        let exec = [&exec[..], &[&loader, "--library-path", &folders, &program]].concat();
        let query = ["query", "--strict", "--format", "ndjson", "--config", &config, sql];
        let lines = cluster.kubectl(&[&exec[..], &query].concat()).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let row = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("a row");
        lines.lines().map(row).collect::<Vec<_>>()
    };
    // Programs of containers exist, although the host has no file at their paths; so do the host's own.
    let rows = query(
        "SELECT DISTINCT p.path, p.on_disk, k.name LIKE 'web-%' AS is_web FROM processes p
         JOIN container_processes c ON c.pid = p.pid JOIN kubernetes_pods k ON k.uid = c.pod_uid
         WHERE k.namespace = 'shop' AND p.cmdline LIKE '%httpd%' AND p.cmdline NOT LIKE '%SELECT%'",
    );
    assert_eq!(rows, [serde_json::json!({"path": "/bin/busybox", "on_disk": 1, "is_web": 1})]);
    let own = std::process::id();
    let rows = query(&format!("SELECT path, on_disk FROM processes WHERE pid = {own}"));
    let path = std::env::current_exe().expect("a test has a path");
    assert_eq!(rows, [serde_json::json!({"path": path.to_str(), "on_disk": 1})]);
    // Files and accounts are the host's, not the image's.
    let size = fs::metadata("/etc/passwd").expect("it is there").len();
    let rows = query("SELECT size, (SELECT count(*) FROM users) AS users FROM file WHERE path = '/etc/passwd'");
    let users = read(&Sys::live(), "users", &["uid"], &[]).0.len();
    assert_eq!(rows, [serde_json::json!({"size": size, "users": users})]);
    // The cluster is queried as the pod's service account.
    let rows = query("SELECT cluster, name FROM kubernetes_namespaces WHERE name = 'shop'");
    assert_eq!(rows, [serde_json::json!({"cluster": "in-cluster", "name": "shop"})]);
}
