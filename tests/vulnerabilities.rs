//! Packages and the records of vulnerabilities that affect them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use indago_engine::Engine;
use indago_table::Sys;
use indago_tables_registry::{Environments, Vulnerabilities, VulnerabilitySettings, all};

use crate::support::{Dice, ask, root, sql_blocks};

/// An engine over the packages of a host, and a directory with `records`, `epss.csv` and `known_exploited.json`.
pub(crate) async fn engine(host: Sys, folder: &Path) -> Engine {
    let settings = VulnerabilitySettings {
        osv: vec![folder.join("records")],
        epss: Some(folder.join("epss.csv")),
        known_exploited: Some(folder.join("known_exploited.json")),
    };
    of(host, settings).await
}

async fn of(host: Sys, settings: VulnerabilitySettings) -> Engine {
    let environments = Environments {
        hosts: vec![host],
        vulnerabilities: Some(Vulnerabilities::new(&Sys::live(), settings)),
        ..Environments::default()
    };
    Engine::builder().tables(all(&environments)).build().await.expect("the engine builds")
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}

/// A record about one package.
fn record(id: &str, ecosystem: &str, name: &str, events: &str) -> String {
    format!(
        r#"{{"id": "{id}", "modified": "2099-01-01T00:00:00Z", "affected": [{{
            "package": {{"ecosystem": "{ecosystem}", "name": "{name}"}},
            "ranges": [{{"type": "ECOSYSTEM", "events": [{events}]}}]}}]}}"#
    )
}

/// A Debian host with a binary package of another source package, one whose source has another version, and Python
/// packages.
fn debian() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let paragraph = |name: &str, version: &str, source: &str| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n{source}\n")
    };
    let status = [
        paragraph("libssl3", "3.0.11-1~deb12u1", "Source: openssl\n"),
        paragraph("gcc-12-base", "12.2.0-14+b1", "Source: gcc-12 (12.2.0-14)\n"),
        paragraph("openssh-client", "1:9.2p1-2", "Source: openssh\n"),
        paragraph("bash", "5.2.15-2+b2", ""),
    ];
    write(
        folder.path(),
        &[
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
            ("var/lib/dpkg/status", &status.concat()),
            ("usr/lib/python3/dist-packages/Jinja2-3.1.2.dist-info/METADATA", "Name: Jinja2\nVersion: 3.1.2\n"),
            ("usr/lib/python3/dist-packages/ruamel.yaml-0.17.dist-info/METADATA", "Name: ruamel.yaml\nVersion: 0.17\n"),
        ],
    );
    folder
}

const FOUND: &str = "SELECT p.name, v.id, array_to_string(v.fixed, ',') FROM sbom_packages p \
                     JOIN vulnerabilities v USING (purl) ORDER BY 1, 2";

#[tokio::test(flavor = "multi_thread")]
async fn packages_of_a_host_are_matched_and_no_others() {
    let (host, osv) = (debian(), tempfile::tempdir().expect("a folder"));
    let zero = |fixed: &str| format!(r#"{{"introduced": "0"}}, {{"fixed": "{fixed}"}}"#);
    let records = [
        // Affected: the source package, in this release.
        record("T-1", "Debian:12", "openssl", &zero("3.0.11-1~deb12u2")),
        record("T-2", "Debian:12", "gcc-12", &zero("12.2.0-14+deb12u1")),
        record("T-3", "Debian:12", "openssh", &zero("1:9.2p1-2+deb12u1")),
        record("T-4", "PyPI", "jinja2", &zero("3.1.3")),
        record("T-5", "PyPI", "ruamel-yaml", r#"{"introduced": "0.1"}, {"last_affected": "0.17.0"}"#),
        // Not affected: fixed, another release, the name of the binary package, another ecosystem, a lower epoch.
        record("N-1", "Debian:12", "openssl", &zero("3.0.11-1~deb12u1")),
        record("N-2", "Debian:11", "openssl", &zero("9")),
        record("N-3", "Debian:12", "libssl3", &zero("9")),
        record("N-4", "npm", "jinja2", &zero("9.0.0")),
        record("N-5", "Debian:12", "openssh", &zero("9.9")),
        record("N-6", "Debian:12", "gcc-12", &zero("12.2.0-14")),
        record("N-7", "PyPI", "jinja2", &zero("3.1.2rc1")),
        record("N-8", "Ubuntu:22.04:LTS", "bash", &zero("9")),
    ];
    for (number, text) in records.iter().enumerate() {
        write(osv.path(), &[(&format!("{}/{number}.json", number % 3), text)]);
    }
    let settings = VulnerabilitySettings { osv: vec![osv.path().to_owned()], ..VulnerabilitySettings::default() };
    let engine = of(Sys::at(host.path()), settings).await;
    let (found, warnings) = ask(&engine, FOUND).await;
    let expected = [
        "Jinja2 T-4 3.1.3",
        "gcc-12-base T-2 12.2.0-14+deb12u1",
        "libssl3 T-1 3.0.11-1~deb12u2",
        "openssh-client T-3 1:9.2p1-2+deb12u1",
        "ruamel.yaml T-5 ",
    ];
    assert_eq!(found, expected);
    assert!(warnings.is_empty(), "{warnings:?}");
    // Neither list is configured.
    let (found, _) =
        ask(&engine, "SELECT known_exploited, epss FROM vulnerabilities WHERE purl = 'pkg:pypi/jinja2@3.1.2'").await;
    assert_eq!(found, ["NULL NULL"]);
    // The join reads by keys.
    let (plan, _) = ask(&engine, &format!("EXPLAIN {FOUND}")).await;
    assert!(plan.join("\n").to_lowercase().contains("lookup"), "{plan:#?}");
    let error = engine.query("SELECT * FROM vulnerabilities").await.expect_err("a constraint is missing").to_string();
    assert!(error.contains("purl"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_files_are_read_again_and_faulty_ones_cost_only_themselves() {
    let (host, osv) = (debian(), tempfile::tempdir().expect("a folder"));
    let osv = osv.path();
    let all = r#"{"introduced": "0"}"#;
    write(
        osv,
        &[
            ("records/a.json", &record("T-1", "PyPI", "jinja2", all)),
            ("records/faulty.json", "{\"id\": "),
            ("records/no-record.json", "{\"id\": \"\"}"),
            ("records/readme.txt", "no record"),
            ("records/linux.json", &record("T-2", "Linux", "Kernel", all)),
            ("records/event.json", &record("T-3", "PyPI", "jinja2", r#"{"introduced": "no version"}"#)),
        ],
    );
    std::os::unix::fs::symlink("/etc", osv.join("records/link")).expect("a link");
    let settings = VulnerabilitySettings {
        osv: vec![osv.join("records"), osv.join("packed.zip"), osv.join("missing")],
        epss: Some(osv.join("epss.csv")),
        known_exploited: None,
    };
    let engine = of(Sys::at(host.path()), settings).await;
    let texts = |warnings: Vec<indago_table::Warning>| -> BTreeSet<String> {
        warnings.iter().map(ToString::to_string).collect()
    };
    let (found, warnings) = ask(&engine, FOUND).await;
    assert_eq!(found, ["Jinja2 T-1 "]);
    let warnings = texts(warnings);
    for part in [
        "faulty.json: not an OSV record",
        "no-record.json: not an OSV record: its `id` is empty",
        "packed.zip does not exist",
        "missing does not exist",
        "epss.csv does not exist",
        "Linux",
        "`introduced: no version` is not a version of PyPI",
    ] {
        assert!(warnings.iter().any(|warning| warning.contains(part)), "{part}: {warnings:#?}");
    }
    assert_eq!(warnings.len(), 7, "{warnings:#?}");

    // Files change, appear and vanish, and an archive of the same records and one more is added.
    write(osv, &[("records/faulty.json", &record("T-4", "PyPI", "jinja2", all))]);
    write(osv, &[("epss.csv", "cve,epss,percentile\n")]);
    fs::remove_file(osv.join("records/a.json")).expect("it is there");
    let script = "import sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as archive:\n    \
            archive.writestr('PyPI/T-5.json', sys.argv[2])\n    \
            archive.writestr('PyPI/T-6.json', '[]')\n";
    let packed = record("T-5", "PyPI", "ruamel.yaml", all);
    let status = Command::new("python3").args(["-c", script]).arg(osv.join("packed.zip")).arg(packed).status();
    assert!(status.expect("Python runs").success());
    let (found, warnings) = ask(&engine, FOUND).await;
    assert_eq!(found, ["Jinja2 T-4 ", "ruamel.yaml T-5 "]);
    let warnings = texts(warnings);
    assert!(warnings.iter().any(|warning| warning.contains("packed.zip!/PyPI/T-6.json")), "{warnings:#?}");
    assert!(!warnings.iter().any(|warning| warning.contains("/faulty.json")), "{warnings:#?}");
    let (found, _) = ask(&engine, "SELECT id FROM osv_records ORDER BY id").await;
    assert_eq!(found, ["T-2", "T-3", "T-4", "T-5"]);
    // The same record in two files: the one that was modified later counts.
    let newer = record("T-5", "PyPI", "jinja2", all).replace("2099-01-01", "2099-01-02");
    write(osv, &[("records/newer.json", &newer)]);
    let (found, _) = ask(&engine, FOUND).await;
    assert_eq!(found, ["Jinja2 T-4 ", "Jinja2 T-5 "]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_records_a_warning_states_what_to_set() {
    let host = debian();
    let engine = of(Sys::at(host.path()), VulnerabilitySettings::default()).await;
    let (found, warnings) = ask(&engine, FOUND).await;
    assert_eq!(found, Vec::<String>::new());
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings.iter().any(|warning| warning.contains("set `osv` in the section `[vulnerabilities]`")),
        "{warnings:?}"
    );
    let purls = "'pkg:deb/linuxmint/a@1', 'no purl', 'pkg:generic/a@1'";
    let (_, warnings) = ask(&engine, &format!("SELECT id FROM vulnerabilities WHERE purl IN ({purls})")).await;
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    for part in ["pkg:deb/linuxmint are not matched", "\"no purl\" is not a package URL", "pkg:generic are not matched"]
    {
        assert!(warnings.iter().any(|warning| warning.contains(part)), "{part}: {warnings:?}");
    }
}

/// Versions of random parts.
fn versions(dice: &mut Dice, parts: &[&str], count: usize) -> Vec<String> {
    let mut version = || {
        let length = 1 + dice.below(5);
        let numbers = ["0", "1", "2", "9", "10", "1.0", "2.1"];
        let mut text = numbers[dice.below(numbers.len())].to_owned();
        (0..length).for_each(|_| text.push_str(parts[dice.below(parts.len())]));
        text
    };
    (0..count).map(|_| version()).collect()
}

/// Whether a package with each version is affected by a range that a fix at another version ends, as the table decides it.
async fn is_below(folder: &Path, ecosystem: &str, purl: &str, fix: &str, versions: &[String]) -> Vec<bool> {
    write(
        folder,
        &[("records/T.json", &record("T", ecosystem, "a", &format!(r#"{{"introduced": "0"}}, {{"fixed": "{fix}"}}"#)))],
    );
    let settings = VulnerabilitySettings { osv: vec![folder.join("records")], ..VulnerabilitySettings::default() };
    let engine = of(Sys::at("/nonexistent"), settings).await;
    let purl = |version: &String| {
        let version = percent_encoding::utf8_percent_encode(version, percent_encoding::NON_ALPHANUMERIC);
        purl.replace("VERSION", &version.to_string())
    };
    let purls: Vec<String> = versions.iter().map(purl).collect();
    let list: Vec<String> = purls.iter().map(|purl| format!("'{purl}'")).collect();
    let sql = format!("SELECT DISTINCT purl FROM vulnerabilities WHERE purl IN ({})", list.join(", "));
    let found: BTreeSet<String> = ask(&engine, &sql).await.0.into_iter().collect();
    purls.iter().map(|purl| found.contains(purl)).collect()
}

/// The original tool decides whether a range contains a version.
#[tokio::test(flavor = "multi_thread")]
async fn ranges_end_where_the_original_tools_end_them() {
    let mut dice = Dice::seeded("INDAGO_VERSIONS_SEED");
    let folder = tempfile::tempdir().expect("a folder");
    let parts = ["~", "+", "-1", ".", "a", "1", "0", "rc1", "+b1", "-0ubuntu1", "~deb12u1", ".10"];
    for _ in 0..4 {
        let list = versions(&mut dice, &parts, 60);
        let found =
            is_below(folder.path(), "Debian:12", "pkg:deb/debian/a@VERSION?distro=debian-12", &list[0], &list).await;
        for (version, is_below) in list.iter().zip(found) {
            let arguments = ["--compare-versions", version, "lt", &list[0]];
            let status = Command::new("dpkg").args(arguments).stderr(std::process::Stdio::null()).status();
            assert_eq!(is_below, status.expect("dpkg runs").success(), "{version} < {}", list[0]);
        }
    }
}

/// The queries of the guide's page run on a host with vulnerable packages.
#[tokio::test(flavor = "multi_thread")]
async fn queries_of_the_guide_run() {
    let page = fs::read_to_string(root().join("docs/guide/vulnerabilities.md")).expect("the page");
    let engine = engine(crate::support::fixture_host("plain"), &root().join("tests/fixtures/osv")).await;
    let mut count = 0;
    for sql in sql_blocks(&page).filter(|sql| !sql.contains("containers")) {
        let (found, warnings) = ask(&engine, sql.trim().trim_end_matches(';')).await;
        assert!(!found.is_empty() && warnings.is_empty(), "{sql}: {warnings:?}");
        count += 1;
    }
    assert!(count >= 4, "{count}");
    let tables = all(&Environments::of(&Sys::at("/nonexistent")));
    let all = Engine::builder().tables(tables).build().await.expect("the engine builds");
    for sql in sql_blocks(&page).filter(|sql| sql.contains("containers")) {
        let _ = ask(&all, sql.trim().trim_end_matches(';')).await;
    }
}
