//! Dependencies between crates point down only.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::support::root;

/// Layer of each of our crates. A crate may depend on lower layers, and on the crates of its own layer that are named.
fn layer(name: &str) -> u32 {
    match name {
        "indago-table-derive" => 0,
        "indago-table" => 1,
        "indago-iam" | "indago-net" | "indago-reach" | "indago-versions" => 2,
        "indago-dialect" => 3,
        name if name.starts_with("indago-tables-") && name != "indago-tables-registry" => 3,
        "indago-engine" => 4,
        "indago-config" => 5,
        "indago-store" | "indago-packs" | "indago-tables-registry" => 6,
        "indago" => 7,
        "indago-shell" | "indago-daemon" => 8,
        "indago-cli" => 9,
        other => panic!("add a layer for the crate {other} in tests/layering.rs"),
    }
}

/// Crates outside the layers: test beds and tasks.
const BESIDE: [&str; 4] = ["indago-testkit", "indago-xtask", "indago-tests", "indago-benches"];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata of this workspace");
    let mut all = BTreeMap::new();
    for package in metadata.packages {
        let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        all.insert(package.name.to_string(), normal.map(|dependency| dependency.name.clone()).collect());
    }
    all
}

#[test]
fn arrows_point_down() {
    for (package, dependencies) in dependencies() {
        if BESIDE.contains(&package.as_str()) {
            continue;
        }
        for dependency in dependencies.iter().filter(|name| name.starts_with("indago")) {
            assert!(
                layer(dependency) < layer(&package),
                "{package} (layer {}) must not depend on {dependency} (layer {})",
                layer(&package),
                layer(dependency),
            );
        }
    }
}

#[test]
fn tables_know_no_query_engine() {
    for (package, dependencies) in dependencies() {
        if package.starts_with("indago-table") {
            let engine = dependencies.iter().find(|name| name.starts_with("datafusion") || *name == "indago-engine");
            assert_eq!(engine, None, "{package} must work without DataFusion and the engine");
        }
    }
}

#[test]
fn the_policy_evaluator_stands_alone() {
    let own = &dependencies()["indago-iam"];
    let known = ["base64", "percent-encoding", "serde", "serde_json", "thiserror"];
    assert!(own.iter().all(|name| known.contains(&name.as_str())), "indago-iam reads nothing: {own:?}");
}

#[test]
fn the_attack_graph_stands_alone() {
    let own = &dependencies()["indago-reach"];
    assert!(own.is_empty(), "indago-reach computes from structs alone: {own:?}");
}

#[test]
fn front_ends_use_the_facade_alone() {
    let allowed = ["indago", "indago-shell", "indago-daemon"];
    for (package, dependencies) in dependencies() {
        if ["indago-shell", "indago-daemon", "indago-cli"].contains(&package.as_str()) {
            for dependency in dependencies.iter().filter(|name| name.starts_with("indago")) {
                assert!(allowed.contains(&dependency.as_str()), "{package} must use the facade, not {dependency}");
            }
        }
    }
}

/// The source files below a directory.
fn sources(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of this project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn one_table_provider() {
    let mut files = Vec::new();
    for folder in ["crates", "tables"] {
        sources(&root().join(folder), &mut files);
    }
    let implementing = |path: &&std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("a source file");
        text.lines().any(|line| line.trim_start().starts_with("impl TableProvider for"))
    };
    let found: Vec<_> = files.iter().filter(implementing).collect();
    assert_eq!(found, [&root().join("crates/engine/src/provider.rs")]);
}

#[test]
fn engine_files_have_no_cycles() {
    assert_no_cycles("crates/engine/src");
}

/// A file below a crate's `src` is a subject, and so is a folder. Paths from one to another must not form a cycle, except
/// in unit tests.
fn assert_no_cycles(source: &str) {
    let folder = root().join(source);
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in &files {
        let path = file.strip_prefix(&folder).expect("a file below it").with_extension("");
        let subject = path.iter().next().expect("a file name").to_string_lossy().into_owned();
        if subject == "lib" {
            continue;
        }
        let text = std::fs::read_to_string(file).expect("a source file");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let used = uses.entry(subject.clone()).or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for path in line.split("crate::").skip(1) {
                let end = path.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(path.len());
                used.extend((path[..end] != subject).then(|| path[..end].to_owned()));
            }
        }
    }
    for (subject, used) in &uses {
        let unknown = used.iter().find(|name| !uses.contains_key(*name));
        assert_eq!(unknown, None, "{subject} must use `crate::` followed by the file or folder that it needs");
    }
    // A subject that uses no other is in no cycle, and neither is one that no other uses.
    loop {
        let is_used = |name: &String| uses.values().any(|used| used.contains(name));
        let Some(free) =
            uses.iter().find(|(name, used)| used.is_empty() || !is_used(name)).map(|(name, _)| name.clone())
        else {
            break;
        };
        uses.remove(&free);
        uses.values_mut().for_each(|used| _ = used.remove(&free));
    }
    assert!(uses.is_empty(), "a cycle of files in {source}: {uses:?}");
}

#[test]
fn what_is_committed_is_small() {
    // The largest is the schema of all tables.
    const MOST_BYTES: u64 = 3 << 20;
    let listed = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed = listed.expect("git is installed");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let files = String::from_utf8_lossy(&listed.stdout);
    let mut count = 0;
    for file in files.split_terminator('\0') {
        // A file may be deleted and not yet committed.
        let Ok(metadata) = std::fs::symlink_metadata(root().join(file)) else { continue };
        assert!(metadata.len() <= MOST_BYTES, "{file} has {} bytes; should it be committed?", metadata.len());
        count += 1;
    }
    assert!(count > 100, "git lists {count} files");
}

/// A program with one environment does not compile the clients of the others.
#[test]
fn an_environment_brings_only_its_own_dependencies() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = |features: &str| {
        let arguments = ["tree", "--offline", "-p", "indago", "-e", "normal", "--prefix", "none", "--format", "{lib}"];
        let mut command = std::process::Command::new(&cargo);
        command.args(arguments).args(["--no-default-features", "--features", features]).current_dir(root());
        let output = command.output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    let clients = ["kube", "kube_client", "aws_sdk_ec2", "aws_config", "rustls", "hyper", "tonic", "indago_net"];
    let has = |tree: &std::collections::BTreeSet<String>| clients.iter().any(|client| tree.contains(*client));
    let host = tree("host");
    assert!(host.contains("indago_tables_host") && !has(&host) && !host.contains("boreal"), "{host:?}");
    let web = tree("web");
    assert!(web.contains("indago_net") && !web.contains("kube") && !web.contains("aws_config"), "{web:?}");
    assert!(tree("yara").contains("boreal"));
    let all = tree("host,kubernetes,aws,containers");
    assert!(clients.iter().filter(|client| all.contains(**client)).count() > 5, "{all:?}");
}
