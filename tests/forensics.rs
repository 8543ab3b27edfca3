//! The eight forensic queries on the live estate: a real cluster, two AWS accounts, git, this machine's processes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use indago_testkit::beds::Estate;
use serde_json::Value;

use crate::cli::indago;
use crate::support::{kubernetes_guide, output, root};

/// A query's rows; it must have no warnings.
fn ask(estate: &Estate, file: &Path) -> Vec<Value> {
    let program = indago();
    let mut query = estate.command(program.get_program());
    query.args(["query", "--strict", "--format", "ndjson", "-f"]).arg(file).stdin(Stdio::null());
    let output = query.output().expect("the estate runs programs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{}: {errors}", file.display());
    let text = std::str::from_utf8(&output.stdout).expect("rows are UTF-8");
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    assert!(!rows.is_empty(), "{} has no rows", file.display());
    rows
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_else(|| panic!("no text {column} in {row}"))
}

/// The distinct texts of a column.
fn texts<'a>(rows: &'a [Value], column: &str) -> BTreeSet<&'a str> {
    rows.iter().map(|row| text(row, column)).collect()
}

#[test]
fn each_query_shows_its_part_of_the_trail() {
    let estate = Estate::start().expect("the estate");
    let folder = root().join("queries/forensics");
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("the queries").flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let answers: Vec<Vec<Value>> = files.iter().map(|file| ask(&estate, file)).collect();
    let [shells, trail, reach, bindings, nodes, roles, commits, blast] = answers.as_slice() else {
        panic!("eight queries, not {}", answers.len())
    };

    // A shell in a web container, connected to the intruder.
    assert_eq!(texts(shells, "namespace"), ["shop"].into());
    assert!(
        shells.iter().any(|row| row["talks_to"] == "203.0.113.66:4444" && row["cmdline"] == "/bin/sh"),
        "{shells:?}"
    );
    let pods = texts(shells, "pod");
    assert!(pods.len() == 1 && pods.iter().all(|pod| pod.starts_with("storefront-")), "{pods:?}");

    // From these processes to their permissions, their nodes and the commits of their images.
    let pids = |rows: &[Value]| rows.iter().map(|row| row["pid"].as_i64()).collect::<BTreeSet<_>>();
    assert_eq!(pids(trail), pids(shells));
    for (column, expected) in [
        ("service_account", "storefront"),
        ("cluster_role", "probe-operator"),
        ("node_role", "acme-node"),
        ("committer", "root@build-7.local"),
    ] {
        assert_eq!(texts(trail, column), [expected].into(), "{column}");
    }
    let may = text(&trail[0], "may");
    assert!(may.contains("secrets") && may.contains("escalate|bind"), "{may}");

    // Its pods read secrets, start pods and bind roles; the intruder's binding allows this.
    assert!(reach.iter().any(|row| row["resources"] == "secrets" && row["verbs"] == "get, list"), "{reach:?}");
    assert_eq!((texts(reach, "binding"), texts(reach, "namespace")), (["storefront-probe"].into(), ["shop"].into()));
    assert_eq!(texts(bindings, "binding"), ["storefront-probe"].into());
    assert_eq!(text(&bindings[0], "revision"), text(&trail[0], "built_from"));

    // The node is an instance whose role may pass an administrator role.
    assert_eq!((nodes.len(), text(&nodes[0], "role")), (1, "acme-node"));
    assert_eq!(text(&nodes[0], "instance_id"), text(&trail[0], "node_instance"));
    assert!(nodes[0]["pods"].as_i64() >= Some(13), "{nodes:?}");
    let passable = |row: &Value| row["role"] == "acme-node" && row["passable_role"] == "acme-break-glass";
    assert!(roles.iter().any(passable), "{roles:?}");
    assert!(texts(roles, "passable_policies").contains("arn:aws:iam::aws:policy/AdministratorAccess"), "{roles:?}");

    // The commit that planted it, under its author's name.
    let planted = |row: &Value| {
        row["path"] == "bin/probe" && row["status"] == "added" && row["committer"] == "root@build-7.local"
    };
    assert!(commits.iter().any(planted), "{commits:?}");
    assert_eq!(texts(commits, "commit"), texts(trail, "built_from"));
    assert_eq!(texts(commits, "workload"), ["shop/storefront"].into());

    // The links of the guide to AWS, containers and git.
    let links = kubernetes_guide(false);
    assert_eq!(links.len(), 5);
    for link in links {
        let mut query = estate.command(indago().get_program());
        query.args(["query", "--strict", "--format", "ndjson", &link]).stdin(Stdio::null());
        let found = output(&mut query);
        assert!(!found.is_empty(), "{link}");
    }

    // Related findings.
    let steps: BTreeSet<_> = blast.iter().filter_map(|row| row["step"].as_i64()).collect();
    assert_eq!(steps, [1, 2, 3, 4].into(), "{blast:?}");
    assert!(blast.iter().any(|row| text(row, "what").starts_with("bastion")), "{blast:?}");
}
