//! The program on bad input without another bed: huge files, full disks, other users' processes.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indago_engine::Outcome;
use indago_table::Sys;

use crate::cli::indago;
use crate::support::host_engine;

fn run(arguments: &[&str]) -> Output {
    indago().args(arguments).output().expect("indago runs")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Peak memory of a process so far, in KiB; `None` if the process has ended.
fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn a_huge_file_is_hashed_in_little_memory_until_time_is_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("huge");
    File::create(&path).and_then(|file| file.set_len(10 << 30)).expect("a file of holes");
    let sql = format!("SELECT sha256, md5 FROM hash WHERE path = '{}'", path.display());
    let mut child = indago()
        .args(["query", "--timeout", "1s", &sql])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("indago runs");
    let (began, mut most) = (Instant::now(), 0);
    let status = loop {
        most = most.max(peak(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait().expect("a child can be asked") {
            break status;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "the timeout does not reach the file");
        std::thread::sleep(Duration::from_millis(10));
    };
    let took = began.elapsed();
    let mut told = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut told).expect("text");
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.starts_with("error[timeout]: the query ran longer than its limit of 1s"), "{told}");
    // The limit is about a second; a busy machine may start the program slowly.
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");
    assert!(most > 0 && most < 400 << 10, "{most} KiB");
}

#[test]
fn rows_that_find_no_room_are_an_error() {
    let full = || File::options().write(true).open("/dev/full").expect("this is Linux");
    for format in ["json", "ndjson", "csv", "table", "line", "markdown"] {
        let sql = "SELECT value FROM generate_series(1, 100000)";
        let output = indago().args(["query", "--format", format, sql]).stdout(full()).output().expect("indago runs");
        assert_eq!(output.status.code(), Some(1), "{format}: {}", errors(&output));
        assert!(errors(&output).contains("No space left on device"), "{format}: {}", errors(&output));
    }
    for option in ["--parquet", "--arrow"] {
        let output = run(&["query", "SELECT 1 AS a", option, "/dev/full"]);
        assert_eq!(output.status.code(), Some(1), "{option}: {}", errors(&output));
        assert!(errors(&output).contains("No space left on device"), "{option}: {}", errors(&output));
        // It is still the device, not a new file in its place.
        assert!(!Path::new("/dev/full").metadata().expect("it is there").is_file());
    }
}

#[test]
fn a_machine_without_aws_credentials_says_how_to_get_some() {
    let home = tempfile::tempdir().expect("a folder");
    let ask = |arguments: &[&str]| {
        let mut command = indago();
        for name in
            ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"]
        {
            command.env_remove(name);
        }
        command.env_remove("AWS_SHARED_CREDENTIALS_FILE").env_remove("AWS_WEB_IDENTITY_TOKEN_FILE");
        command.env("HOME", home.path()).env("AWS_EC2_METADATA_DISABLED", "true").current_dir(home.path());
        command.args(["query", "SELECT account_id FROM aws_account"]).args(arguments).output().expect("indago runs")
    };
    let output = ask(&[]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"[]\n"[..]), "{}", errors(&output));
    assert!(errors(&output).starts_with("warning: aws_account"), "{}", errors(&output));
    assert!(errors(&output).contains("no AWS credentials") && errors(&output).contains("`aws configure`"));
    assert_eq!(ask(&["--strict"]).status.code(), Some(3));
}

#[test]
fn a_folder_outside_any_repository_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = indago()
        .args(["query", "SELECT name FROM git_repositories"])
        .current_dir(folder.path())
        .output()
        .expect("indago runs");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"[]\n"[..]), "{}", errors(&output));
    let told = "warning: git_repositories: the current directory is not in a git repository; name one";
    assert!(errors(&output).starts_with(told), "{}", errors(&output));
}

/// A user other than root sees root's processes, and gets one warning that names the missing permission.
#[test]
fn what_another_user_may_not_see_is_null_and_said() {
    crate::support::needs_root();
    let program = indago();
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    fs::write(&secret, "x").expect("there is room");
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("it is ours");
    // Others can search its directory: they see the file, but not its contents.
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
    let nobody = |sql: &str| {
        let mut command = Command::new("bash");
        command
            .args(["-c", crate::support::AS_NOBODY])
            .arg(program.get_program())
            .args(["query", "--format", "csv", sql]);
        command.current_dir("/").env("HOME", "/nonexistent").output().expect("setpriv runs")
    };
    let own = std::process::id();
    let output = nobody(&format!(
        "SELECT pid, name IS NOT NULL, path = '' AND root = '', on_disk, disk_bytes_read FROM processes WHERE pid = {own}"
    ));
    let rows = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(rows.lines().nth(1), Some(format!("{own},1,1,-1,").as_str()), "{}", errors(&output));
    let told = errors(&output);
    assert_eq!(told.lines().count(), 3, "{told}");
    for source in ["exe", "root", "io"] {
        let warning = told.lines().find(|line| line.starts_with(&format!("warning: processes ({source})")));
        assert!(warning.is_some_and(|line| line.contains("permission denied (needs CAP_SYS_PTRACE)")), "{told}");
    }
    // 90 such processes are one warning with a count.
    let output = nobody("SELECT count(*) > 1, count(path) = count(*) FROM processes");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\n1,1\n"), "{}", errors(&output));
    assert_eq!(errors(&output).lines().count(), 1, "{}", errors(&output));

    let output = nobody(&format!("SELECT path IS NULL, sha256 FROM hash WHERE path = '{}'", secret.display()));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().nth(1), Some("0,"), "{}", errors(&output));
    assert!(errors(&output).contains("secret: permission denied"), "{}", errors(&output));
}

/// Processes start and end while they are read. This must produce no partial rows and no warnings.
#[test]
fn processes_that_exit_during_the_scan_are_passed_over() {
    let over = Arc::new(AtomicBool::new(false));
    let until = over.clone();
    let coming_and_going = std::thread::spawn(move || {
        let mut started = 0;
        while !until.load(Ordering::Relaxed) {
            let children = (0..20).map(|_| Command::new("true").spawn().expect("true runs")).collect::<Vec<_>>();
            started += children.len();
            for mut child in children {
                child.wait().expect("true ends");
            }
        }
        started
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let engine = host_engine(&Sys::live()).build().await.expect("an engine");
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3) {
            for sql in ["SELECT * FROM processes", "SELECT * FROM process_open_files", "SELECT * FROM process_envs"] {
                let query = engine.query(sql).await.expect("it plans");
                query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                // In a container, root may not read some data of the first process.
                let others: Vec<_> =
                    query.warnings().into_iter().filter(|warning| warning.outcome != Outcome::Denied).collect();
                assert!(others.is_empty(), "{sql}: {others:?}");
            }
        }
    });
    over.store(true, Ordering::Relaxed);
    let started = coming_and_going.join().expect("it ends");
    assert!(started > 100, "only {started} processes came and went");
}

/// The AWS SDK also opens these files itself. Files that would block it, or that have no end, are refused before.
#[test]
fn files_of_aws_profiles_are_regular_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fifo = folder.path().join("config");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    for (variable, file) in [
        ("AWS_CONFIG_FILE", &*fifo),
        ("AWS_CONFIG_FILE", Path::new("/dev/zero")),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &*fifo),
    ] {
        let mut query = indago();
        query.args(["query", "SELECT account_id FROM aws_sts_caller_identity"]).env("HOME", folder.path());
        query.env_remove("AWS_CONFIG_FILE").env("AWS_EC2_METADATA_DISABLED", "true").env(variable, file);
        let output = query.output().expect("indago runs");
        assert!(errors(&output).contains("is not a regular file"), "{variable}: {}", errors(&output));
    }
}
