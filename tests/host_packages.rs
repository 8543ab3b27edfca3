//! Tables of packages, row by row against the tools that own the data.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use indago_engine::Engine;
use indago_table::Sys;
use indago_testkit::install::apt;

use crate::support::{host_engine, rows};

/// What a tool prints. Its errors are shown if it fails.
fn output(command: &mut Command) -> String {
    crate::support::output(command.env("LC_ALL", "C.UTF-8"))
}

async fn engine(root: impl AsRef<Path>) -> Engine {
    host_engine(&Sys::of_root(root.as_ref())).build().await.expect("the engine builds")
}

/// A query's rows as lines, sorted.
async fn lines(engine: &Engine, sql: &str) -> Vec<String> {
    sorted(rows(engine, sql).await.into_iter().map(|row| row.join("|")))
}

fn sorted<T: Into<String>>(lines: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut lines: Vec<String> = lines.into_iter().map(Into::into).collect();
    lines.sort();
    lines
}

/// Rows of a table and of a tool, until no other test installed a package between the two.
async fn stable(engine: &Engine, sql: &str, tool: impl Fn() -> Vec<String>) -> (Vec<String>, Vec<String>) {
    let mut before = tool();
    loop {
        let found = lines(engine, sql).await;
        let after = tool();
        if before == after {
            return (found, after);
        }
        before = after;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deb_packages_are_those_of_dpkg_query() {
    let engine = engine("/").await;
    let columns =
        "name, version, arch, status, coalesce(CAST(size AS TEXT), ''), maintainer, section, priority, source";
    let (found, expected) = stable(&engine, &format!("SELECT {columns} FROM deb_packages"), || {
        let fields = ["Package", "Version", "Architecture", "Status", "Installed-Size"];
        let fields = fields.into_iter().chain(["Maintainer", "Section", "Priority", "Source"]);
        let format: Vec<String> = fields.map(|field| format!("${{{field}}}")).collect();
        sorted(output(Command::new("dpkg-query").args(["-W", &format!("-f={}\\n", format.join("|"))])).lines())
    })
    .await;
    assert!(found.len() > 100, "{}", found.len());
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_packages_are_ordered_as_dpkg_orders_them() {
    let engine = engine("/").await;
    let versions = rows(&engine, "SELECT DISTINCT version FROM deb_packages").await.concat();
    let pivot = "1:1.0.2-1";
    let older =
        rows(&engine, &format!("SELECT DISTINCT version FROM deb_packages WHERE version < '{pivot}'")).await.concat();
    let older: BTreeSet<&String> = older.iter().collect();
    // Each comparison starts a program, so every seventh version is enough.
    for version in versions.iter().step_by(7) {
        let status =
            Command::new("dpkg").args(["--compare-versions", version, "lt", pivot]).status().expect("dpkg runs");
        assert_eq!(older.contains(version), status.success(), "{version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deb_package_files_are_those_of_dpkg() {
    let engine = engine("/").await;
    for package in ["base-files", "dpkg", "libc6", "coreutils"] {
        let sql = format!("SELECT path FROM deb_package_files WHERE package = '{package}'");
        let found = lines(&engine, &sql).await;
        let listed = output(Command::new("dpkg-query").args(["-L", package]));
        // `dpkg-query -L` also prints where diverted files are.
        let is_path = |line: &&str| line.starts_with('/');
        assert_eq!(found, sorted(listed.lines().filter(is_path)), "{package}");
    }
    let owner = lines(&engine, "SELECT package FROM deb_package_files WHERE path = '/usr/bin/dpkg'").await;
    assert_eq!(owner, ["dpkg"]);
    // The sums of a package that nobody changes are the sums of its files.
    let sql = "SELECT CASE WHEN count(*) > 10 THEN 'many' END, sum(CASE WHEN h.md5 = f.md5 THEN 0 ELSE 1 END) \
               FROM deb_package_files f JOIN hash h ON h.path = f.path WHERE f.package = 'dpkg' AND f.md5 IS NOT NULL";
    assert_eq!(lines(&engine, sql).await, ["many|0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn apt_sources_are_those_of_apt() {
    let engine = engine("/").await;
    let sql = "SELECT DISTINCT rtrim(base_uri, '/') || '/', suite, release, version, maintainer FROM apt_sources \
               WHERE type = 'deb' AND release != ''";
    let format = "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(VERSION)|$(ORIGIN)|$(CREATED_BY)";
    let (found, expected) = stable(&engine, sql, || {
        let listed = output(Command::new("apt-get").args(["indextargets", "--format", format]));
        // A repository has several kinds of indexes. One whose release file was not downloaded has no code name.
        let packages = listed.lines().filter_map(|line| line.strip_suffix("|Packages"));
        let packages: BTreeSet<&str> = packages.filter(|line| line.split('|').nth(2) != Some("")).collect();
        sorted(packages)
    })
    .await;
    assert!(!found.is_empty(), "apt-get update has run on the machines that run tests");
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn python_packages_are_those_of_pip() {
    apt(&["python3-pip"]).expect("it is installed");
    let engine = engine("/").await;
    let folder = "/usr/lib/python3/dist-packages";
    let sql = format!("SELECT DISTINCT name, version FROM python_packages WHERE directory = '{folder}'");
    let (found, expected) = stable(&engine, &sql, || {
        let program = ["-m", "pip", "list", "--disable-pip-version-check", "--format", "json", "--path", folder];
        let listed = output(Command::new("/usr/bin/python3").args(program));
        let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).expect("JSON");
        let text = |package: &serde_json::Value, key: &str| package[key].as_str().expect("a text").to_owned();
        sorted(listed.iter().map(|package| format!("{}|{}", text(package, "name"), text(package, "version"))))
    })
    .await;
    assert!(!found.is_empty());
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn npm_packages_are_those_of_npm() {
    if Command::new("npm").arg("--version").output().is_err() {
        apt(&["npm"]).expect("it is installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("package.json", r#"{"name": "app", "version": "1.0.0", "dependencies": {"a": "*", "@s/b": "*"}}"#);
    write("node_modules/a/package.json", r#"{"name": "a", "version": "1.0.0", "dependencies": {"c": "^2.0.0"}}"#);
    write("node_modules/a/node_modules/c/package.json", r#"{"name": "c", "version": "2.1.0"}"#);
    write("node_modules/c/package.json", r#"{"name": "c", "version": "1.0.0-rc.1"}"#);
    write("node_modules/@s/b/package.json", r#"{"name": "@s/b", "version": "0.1.0", "dependencies": {"c": "*"}}"#);
    write("node_modules/.bin/a", "");
    let at = folder.path().to_str().expect("UTF-8");
    let engine = engine("/").await;
    let sql = format!(
        "SELECT replace(path, '/package.json', ''), name || '@' || version FROM npm_packages WHERE directory = '{at}'"
    );
    let found = lines(&engine, &sql).await;
    let listed = Command::new("npm").args(["ls", "--all", "--long", "--parseable"]).current_dir(at).output();
    let listed = String::from_utf8_lossy(&listed.expect("npm runs").stdout).into_owned();
    // The first line is the application itself.
    let expected = listed.lines().filter(|line| line.contains("node_modules")).map(|line| {
        let mut fields = line.split(':');
        format!("{}|{}", fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
    });
    assert_eq!(found.len(), 4);
    assert_eq!(found, sorted(expected));
}

/// Package databases that RPM itself wrote: two packages, built by the test.
struct RpmHost {
    folder: tempfile::TempDir,
}

const SPEC: &str = "\
Name: NAME
EXTRA
Version: 1.0~rc1
Release: 3.fc40
Summary: A package
License: MIT
BuildArch: noarch
%description
Text.
%install
mkdir -p %{buildroot}/usr/share/NAME
echo hello > %{buildroot}/usr/share/NAME/hello
chmod 4755 %{buildroot}/usr/share/NAME/hello
ln -s hello %{buildroot}/usr/share/NAME/link
%files
%dir /usr/share/NAME
%attr(-, daemon, mail) /usr/share/NAME/hello
/usr/share/NAME/link
";

impl RpmHost {
    fn new() -> Self {
        apt(&["rpm", "db-util"]).expect("they are installed");
        let host = RpmHost { folder: tempfile::tempdir().expect("a folder") };
        let top = host.folder.path().join("top");
        for (name, extra) in [("alpha", "Epoch: 2\nVendor: Example\nGroup: System/Base"), ("beta", "")] {
            let spec = host.folder.path().join(format!("{name}.spec"));
            fs::write(&spec, SPEC.replace("NAME", name).replace("EXTRA", extra)).expect("a file");
            let top = format!("_topdir {}", top.display());
            output(Command::new("rpmbuild").args(["-bb", "--quiet", "--define", &top]).arg(&spec));
        }
        let packages = fs::read_dir(top.join("RPMS/noarch")).expect("rpmbuild made it");
        let packages = packages.map(|package| package.expect("an entry").path());
        output(host.rpm("sqlite").args(["--justdb", "--nodeps", "--ignorearch", "-i"]).args(packages));
        host
    }

    fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("root/var/lib/rpm")
    }

    fn rpm(&self, backend: &str) -> Command {
        let mut command = Command::new("rpm");
        fs::create_dir_all(self.database()).expect("a folder");
        command.arg("--dbpath").arg(self.database()).args(["--define", &format!("_db_backend {backend}")]);
        command
    }

    /// Replaces the database by the same packages in Berkeley DB's format, written by Berkeley DB.
    fn convert_to_berkeley(&self) {
        let path = self.database().join("rpmdb.sqlite");
        let db = rusqlite::Connection::open(&path).expect("RPM's database");
        let mut dump = "VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=4096\nHEADER=END\n".to_owned();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut statement = db.prepare("SELECT hnum, blob FROM Packages").expect("RPM's table");
        let records = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?)));
        let records: Vec<_> = records.expect("rows").map(|record| record.expect("a row")).collect();
        let last = (0, (records.len() as u32).to_le_bytes().to_vec());
        for (number, header) in [last].into_iter().chain(records) {
            dump.push_str(&format!(" {}\n {}\n", hex(&number.to_le_bytes()), hex(&header)));
        }
        dump.push_str("DATA=END\n");
        drop(statement);
        drop(db);
        for name in fs::read_dir(self.database()).expect("a folder") {
            fs::remove_file(name.expect("an entry").path()).expect("removed");
        }
        let mut load = Command::new("db_load");
        let mut load =
            load.arg(self.database().join("Packages")).stdin(Stdio::piped()).spawn().expect("db_load starts");
        load.stdin.take().expect("a pipe").write_all(dump.as_bytes()).expect("it reads");
        assert!(load.wait().expect("it ends").success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rpm_packages_are_those_of_rpm() {
    let host = RpmHost::new();
    let engine = engine(host.folder.path().join("root")).await;
    for backend in ["sqlite", "bdb_ro"] {
        if backend == "bdb_ro" {
            host.convert_to_berkeley();
        }
        let columns = "name, coalesce(CAST(epoch AS TEXT), '(none)'), version, release, arch, source, size, sha1, \
                       install_time, \
                       CASE vendor WHEN '' THEN '(none)' ELSE vendor END, package_group";
        let format = "%{NAME}|%{EPOCH}|%{VERSION}|%{RELEASE}|%{ARCH}|%{SOURCERPM}|%{SIZE}|%{SHA1HEADER}|%{INSTALLTIME}|\
                      %{VENDOR}|%{GROUP}\n";
        let expected = output(host.rpm(backend).args(["-qa", "--qf", format]));
        let found = lines(&engine, &format!("SELECT {columns} FROM rpm_packages")).await;
        assert_eq!(found.len(), 2, "{backend}");
        assert_eq!(found, sorted(expected.lines()), "{backend}");

        let columns = "package, path, username, groupname, mode, size, sha256";
        let format =
            "[%{=NAME}|%{FILENAMES}|%{FILEUSERNAME}|%{FILEGROUPNAME}|%{FILEMODES:octal}|%{FILESIZES}|%{FILEDIGESTS}\n]";
        let expected = output(host.rpm(backend).args(["-qa", "--qf", format]));
        // The table shows the permission bits without the kind of file.
        let expected = expected.lines().map(|line| {
            let fields: Vec<&str> = line.split('|').collect();
            let mode = u32::from_str_radix(fields[4], 8).expect("octal digits") & 0o7777;
            [&fields[..4], &[&format!("{mode:04o}")], &fields[5..]].concat().join("|")
        });
        let found = lines(&engine, &format!("SELECT {columns} FROM rpm_package_files")).await;
        assert_eq!(found.len(), 6, "{backend}");
        assert_eq!(found, sorted(expected), "{backend}");

        for (condition, names) in [
            ("name = 'beta'", vec!["beta"]),
            ("epoch = 2", vec!["alpha"]),
            ("epoch IS NULL", vec!["beta"]),
            ("arch = 'noarch' AND release = '3.fc40'", vec!["alpha", "beta"]),
            ("version < '1.0'", vec!["alpha", "beta"]),
            ("release = '3'", vec![]),
        ] {
            let sql = format!("SELECT name FROM rpm_packages WHERE {condition}");
            assert_eq!(lines(&engine, &sql).await, names, "{backend}: {condition}");
        }
        let sql = "SELECT path FROM rpm_package_files WHERE package = 'alpha' AND path LIKE '%/link'";
        assert_eq!(lines(&engine, sql).await, ["/usr/share/alpha/link"]);
    }
}

/// A host with files, each a path and a content.
fn host(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_of_yum_come_from_its_files() {
    let repository = "[base]\nname=Base $releasever\nbaseurl=http://a/\n  http://b/\nenabled=1\ngpgcheck=1\n\
                      gpgkey=file:///k\n\n[extra]\nname = Extra\nmirrorlist=http://m\nmetalink=http://l\nenabled=0\n";
    let folder = host(&[
        ("etc/yum.conf", "[main]\ngpgcheck=0\nreposdir=/etc/repositories, /etc/none\n[inline]\nname=Inline\n"),
        ("etc/repositories/a.repo", repository),
        ("etc/repositories/a.repo.bak", "[no]\nname=No\n"),
        ("etc/yum.repos.d/unused.repo", "[no]\nname=No\n"),
        ("etc/zypp/repos.d/z.repo", "[zypp]\nname=Zypp\nbaseurl=http://z\n"),
    ]);
    let columns = "source, repository, name, baseurl, mirrorlist, metalink, enabled, gpgcheck, gpgkey";
    let found = lines(&engine(folder.path()).await, &format!("SELECT {columns} FROM yum_sources")).await;
    assert_eq!(
        found,
        [
            "/etc/repositories/a.repo|base|Base $releasever|http://a/\nhttp://b/|||1|1|file:///k",
            "/etc/repositories/a.repo|extra|Extra||http://m|http://l|0||",
            "/etc/yum.conf|inline|Inline||||||",
            "/etc/zypp/repos.d/z.repo|zypp|Zypp|http://z|||||",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_of_portage_come_from_its_database() {
    let vim = "var/db/pkg/app-editors/vim-9.1.0366-r1";
    let file = |name: &str| format!("{vim}/{name}");
    let (slot, time, repository, eapi, size) =
        (file("SLOT"), file("BUILD_TIME"), file("repository"), file("EAPI"), file("SIZE"));
    let (iuse, used) = (file("IUSE"), file("USE"));
    let folder = host(&[
        (&slot, "0/9\n"),
        (&time, "1714000000\n"),
        (&repository, "gentoo\n"),
        (&eapi, "8\n"),
        (&size, "4242\n"),
        (&iuse, "+acl X -gpm nls\n"),
        (&used, "acl amd64 nls elibc_glibc\n"),
        ("var/db/pkg/sys-libs/zlib-1.3/SLOT", "0/1\n"),
        ("var/lib/portage/world", "app-editors/vim\nsys-apps/x:0\n"),
        ("etc/portage/package.accept_keywords/a", "# note\n>=app-editors/vim-9.1 ~amd64\n"),
        ("etc/portage/package.accept_keywords/b~", "x/y **\n"),
        ("etc/portage/package.mask", "<sys-libs/zlib-1.3\n"),
        ("etc/portage/package.unmask", "sys-libs/zlib\n"),
    ]);
    let engine = engine(folder.path()).await;
    let sql = "SELECT package, version, slot, build_time, repository, eapi, size, world FROM portage_packages";
    assert_eq!(
        lines(&engine, sql).await,
        ["app-editors/vim|9.1.0366-r1|0/9|1714000000|gentoo|8|4242|1", "sys-libs/zlib|1.3|0/1|NULL||NULL|NULL|0"]
    );
    let sql = "SELECT package, version, \"use\" FROM portage_use";
    assert_eq!(lines(&engine, sql).await, ["app-editors/vim|9.1.0366-r1|acl", "app-editors/vim|9.1.0366-r1|nls"]);
    let sql = "SELECT package, version, operator, keyword, mask, unmask FROM portage_keywords";
    assert_eq!(
        lines(&engine, sql).await,
        ["app-editors/vim|9.1|>=|~amd64|0|0", "sys-libs/zlib|1.3|<||1|0", "sys-libs/zlib||||0|1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_of_jetbrains_come_from_their_jars() {
    apt(&["python3"]).expect("it is installed");
    let folder = host(&[("etc/passwd", "ada:x:1000:1000::/home/ada:/bin/sh\n")]);
    // Archives that Python's `zipfile` writes, as `jar` does: compressed.
    let script = "import sys, os, zipfile\n\
        def jar(path, name, text):\n    \
            path = os.path.join(sys.argv[1], 'home/ada/.local/share/JetBrains', path)\n    \
            os.makedirs(os.path.dirname(path), exist_ok=True)\n    \
            with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:\n        \
                archive.writestr('META-INF/MANIFEST.MF', 'x' * 1000)\n        \
                archive.writestr(name, text)\n\
        parts = '<id>a</id><name>A &amp; B</name><version>1.2</version><vendor>V</vendor>'\n\
        plugin = '<idea-plugin>' + parts + '</idea-plugin>'\n\
        jar('PyCharmCE2024.1/a/lib/a.jar', 'other', 'x')\n\
        jar('PyCharmCE2024.1/a/lib/b.jar', 'META-INF/plugin.xml', plugin)\n\
        jar('IntelliJIdea2023.3/single.jar', 'META-INF/plugin.xml', plugin.replace('1.2', '3'))\n\
        jar('Toolbox/x/lib/x.jar', 'META-INF/plugin.xml', plugin)\n";
    output(Command::new("/usr/bin/python3").args(["-c", script]).arg(folder.path()));
    let sql = "SELECT product_type, uid, name, version, vendor, path FROM jetbrains_plugins";
    let place = "/home/ada/.local/share/JetBrains";
    assert_eq!(
        lines(&engine(folder.path()).await, sql).await,
        [
            format!("intellij_idea|1000|A & B|3|V|{place}/IntelliJIdea2023.3/single.jar"),
            format!("pycharm_community_edition|1000|A & B|1.2|V|{place}/PyCharmCE2024.1/a"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_of_materials_has_packages_of_all_kinds() {
    apt(&["python3", "binutils"]).expect("they are installed");
    let apk = "C:Q1abc=\nP:busybox\nV:1.36.1-r29\nA:x86_64\nL:GPL-2.0-only\no:busybox\nF:bin\nR:busybox\na:0:0:755\n\n\
               C:Q1def=\nP:libssl3\nV:3.3.1-r3\nA:x86_64\nL:Apache-2.0\no:openssl\n";
    let folder = host(&[
        ("etc/os-release", "ID=alpine\nVERSION_ID=3.20.1\n"),
        ("lib/apk/db/installed", apk),
        ("srv/app/node_modules/left-pad/package.json", r#"{"name": "left-pad", "version": "1.3.0"}"#),
        ("srv/venv/lib/python3.11/site-packages/Flask_X-2.0.dist-info/METADATA", "Name: Flask_X\nVersion: 2.0\n"),
        ("proc/1/root/node_modules/never/package.json", r#"{"name": "never", "version": "1"}"#),
        ("srv/no-program", "#!/bin/sh\n"),
    ]);
    // A program with an audit section, as `cargo auditable` adds it, and a jar.
    let script = "import json, os, sys, zipfile, zlib\n\
        crates = [dict(name='serde', version='1.0.200'), dict(name='cc', version='1.0.0', kind='build')]\n\
        open(sys.argv[1] + '/dep', 'wb').write(zlib.compress(json.dumps(dict(packages=crates)).encode()))\n\
        with zipfile.ZipFile(sys.argv[1] + '/srv/log4j.jar', 'w', zipfile.ZIP_DEFLATED) as jar:\n    \
            text = 'groupId=org.apache.logging.log4j\\nartifactId=log4j-core\\nversion=2.14.1\\n'\n    \
            jar.writestr('META-INF/maven/a/b/pom.properties', text)\n\
        with zipfile.ZipFile(sys.argv[1] + '/srv/app.war', 'w') as war:\n    \
            war.write(sys.argv[1] + '/srv/log4j.jar', 'WEB-INF/lib/log4j.jar')\n";
    output(Command::new("/usr/bin/python3").args(["-c", script]).arg(folder.path()));
    let section = format!(".dep-v0={}/dep", folder.path().display());
    let program = folder.path().join("srv/program");
    output(Command::new("objcopy").args(["--add-section", &section, "/bin/true"]).arg(program));
    let engine = engine(folder.path()).await;
    let sql = "SELECT type, name, version, arch, license, source, purl, path FROM sbom_packages";
    let distribution = "arch=x86_64&distro=alpine-3.20.1";
    let apk = |name: &str, version: &str, license: &str, source: &str| {
        let upstream = if source == "NULL" { String::new() } else { format!("&upstream={source}") };
        let purl = format!("pkg:apk/alpine/{name}@{version}?{distribution}{upstream}");
        format!("apk|{name}|{version}|x86_64|{license}|{source}|{purl}|/lib/apk/db/installed")
    };
    let maven = "maven|org.apache.logging.log4j:log4j-core|2.14.1||NULL|NULL|\
                 pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1|";
    assert_eq!(
        lines(&engine, sql).await,
        [
            &apk("busybox", "1.36.1-r29", "GPL-2.0-only", "NULL"),
            &apk("libssl3", "3.3.1-r3", "Apache-2.0", "openssl"),
            "cargo|serde|1.0.200||NULL|NULL|pkg:cargo/serde@1.0.200|/srv/program",
            &format!("{maven}/srv/app.war!/WEB-INF/lib/log4j.jar"),
            &format!("{maven}/srv/log4j.jar"),
            "npm|left-pad|1.3.0||NULL|NULL|pkg:npm/left-pad@1.3.0|/srv/app/node_modules/left-pad/package.json",
            "pypi|Flask_X|2.0||NULL|NULL|pkg:pypi/flask-x@2.0|\
             /srv/venv/lib/python3.11/site-packages/Flask_X-2.0.dist-info",
        ]
    );
    let sql = "SELECT name FROM sbom_packages WHERE type IN ('cargo', 'deb')";
    assert_eq!(lines(&engine, sql).await, ["serde"]);
}

/// All pairs of some versions, as the engine orders them.
async fn ordered(engine: &Engine, flavour: &str, versions: &[&str]) -> Vec<i64> {
    let values: Vec<String> = versions.iter().enumerate().map(|(n, version)| format!("({n}, '{version}')")).collect();
    let sql = format!(
        "WITH v(n, t) AS (VALUES {}) SELECT printf('%03d %03d', a.n, b.n), version_compare(a.t, b.t, '{flavour}') \
         FROM v a, v b",
        values.join(", ")
    );
    rows(engine, &sql).await.iter().map(|row| row[1].parse().expect("a number")).collect()
}

/// The same pairs, as a tool orders them.
fn pairs<'a>(versions: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    versions.iter().flat_map(|a| versions.iter().map(|b| (*a, *b)))
}

fn numbers(text: &str) -> Vec<i64> {
    text.split_ascii_whitespace().map(|number| number.parse().expect("a number")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_ordered_as_their_tools_order_them() {
    apt(&["rpm", "python3-pip"]).expect("they are installed");
    if Command::new("npm").arg("--version").output().is_err() {
        apt(&["npm"]).expect("it is installed");
    }
    let engine = engine("/").await;

    let versions = [
        "1.0", "1.0-0", "1.0-1", "1.0~rc1", "1.0~~", "1.0a", "1.0+", "1.0+1", "1.0.1", "1.00", "1:0.1", "2.0-3-4",
        "1.10",
    ];
    let is = |a: &str, operator: &str, b: &str| {
        Command::new("dpkg").args(["--compare-versions", a, operator, b]).status().expect("dpkg runs").success()
    };
    let order = |(a, b)| if is(a, "lt", b) { -1 } else { i64::from(is(a, "gt", b)) };
    assert_eq!(ordered(&engine, "DPKG", &versions).await, pairs(&versions).map(order).collect::<Vec<_>>());

    let versions = [
        "1.0",
        "1.0.0",
        "1.0~rc1",
        "1.0^git1",
        "1.0.1",
        "1.0_1",
        "1.05",
        "1.5",
        "1.0-fc33",
        "1.0-fc4",
        "1.0-1",
        "1:0-1",
        "1.0a",
        "1.0-1~beta",
    ];
    let script: String = pairs(&versions).map(|(a, b)| format!("print(rpm.vercmp('{a}', '{b}') .. ' ');")).collect();
    let expected = output(Command::new("rpm").args(["--eval", &format!("%{{lua:{script}}}")]));
    assert_eq!(ordered(&engine, "RHEL", &versions).await, numbers(&expected));

    let versions = [
        "1.0",
        "1",
        "1.0.dev1",
        "1.0a1.dev1",
        "1.0a1",
        "1.0-A.1",
        "1.0b2",
        "1.0rc1",
        "1.0.post1",
        "1.0-1",
        "1.0+abc",
        "1.0+5",
        "1.0+abc.1",
        "1.10",
        "1!0.1",
        "v2",
        "1.0.post1.dev2",
    ];
    let script = "import sys\nfrom pip._vendor.packaging.version import Version\n\
                  v = [Version(t) for t in sys.argv[1:]]\n\
                  print(*[(a > b) - (a < b) for a in v for b in v])";
    let expected = output(Command::new("/usr/bin/python3").args(["-c", script]).args(versions));
    assert_eq!(ordered(&engine, "PEP440", &versions).await, numbers(&expected));

    let versions = [
        "1.0.0",
        "1.0.0-rc.1",
        "1.0.0-rc.10",
        "1.0.0-rc.2",
        "1.0.0-alpha",
        "1.0.0-alpha.beta",
        "1.0.0-1",
        "v1.0.0",
        "1.0.0+build",
        "1.0.10",
        "1.2.0",
        "1.0.0-A",
    ];
    // Debian's npm has its modules elsewhere.
    let script = "let s;\n\
                  try { s = require(process.argv[1] + '/npm/node_modules/semver') } catch { s = require('semver') }\n\
                  const v = process.argv.slice(2);\n\
                  console.log(v.flatMap(a => v.map(b => s.compare(a, b))).join(' '))";
    let modules = output(Command::new("npm").args(["root", "--global"]));
    let expected = output(Command::new("node").args(["-e", script, modules.trim()]).args(versions));
    assert_eq!(ordered(&engine, "SEMVER", &versions).await, numbers(&expected));
}
