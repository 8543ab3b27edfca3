//! Creates a table: a struct that compiles, its tests, its line in the list.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::root;

pub(crate) fn run(name: &str) -> Result<()> {
    for (path, text) in lay_out(&root(), name)? {
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("wrote {}", path.display());
    }
    println!("next: write the struct and its rows; complete the .slt; cargo xtask docs");
    Ok(())
}

/// An environment's directory, the prefix of its table names, and its simplest table, which has a column `name`.
struct Environment {
    name: &'static str,
    prefix: &'static str,
    template: &'static str,
}

const ENVIRONMENTS: [Environment; 5] = [
    Environment { name: "host", prefix: "", template: include_str!("template/host.txt") },
    Environment { name: "containers", prefix: "", template: include_str!("template/containers.txt") },
    Environment { name: "kubernetes", prefix: "kubernetes_", template: include_str!("template/kubernetes.txt") },
    Environment { name: "aws", prefix: "aws_", template: include_str!("template/aws.txt") },
    Environment { name: "git", prefix: "git_", template: include_str!("template/git.txt") },
];

/// A table's files, and `lib.rs` with the table in its list, for a project below `root`. It writes nothing yet, so that
/// a failure leaves no file behind.
fn lay_out(root: &Path, name: &str) -> Result<Vec<(PathBuf, String)>> {
    let Some((environment, table)) = name.split_once('/') else {
        bail!("name the table as ENVIRONMENT/NAME, as in host/kernel_modules");
    };
    let Some(environment) = ENVIRONMENTS.iter().find(|known| known.name == environment) else {
        let known: Vec<_> = ENVIRONMENTS.iter().map(|environment| environment.name).collect();
        bail!("no environment `{environment}`: tables/ has {}", known.join(", "));
    };
    let is_snake_case = table.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !is_snake_case || !table.starts_with(|first: char| first.is_ascii_lowercase()) {
        bail!("`{table}` is not a table name: snake_case, as in kernel_modules");
    }
    let Some(own_name) = table.strip_prefix(environment.prefix).filter(|name| !name.is_empty()) else {
        bail!("names of {} tables must start with `{}`", environment.name, environment.prefix);
    };
    let source_folder = root.join("tables").join(environment.name).join("src");
    let source = source_folder.join(table).with_extension("rs");
    let test = source.with_extension("slt");
    for path in [&source, &test] {
        if path.exists() {
            bail!("{} already exists", path.display());
        }
    }
    let row = row_name(own_name);
    let list = source_folder.join("lib.rs");
    let text = fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    let text = with_table(&text, table, &row)
        .with_context(|| format!("{} has no `pub mod` lines or no list of tables to extend", list.display()))?;
    let resources = own_name.replace('_', "");
    let template = environment.template.replace("TABLE", table).replace("ROW", &row).replace("RESOURCES", &resources);
    Ok(vec![(source, template), (test, slt(table)), (list, text)])
}

/// Names that every table's file already imports: `errors` would be a row `ErrorRow`.
const TAKEN: [&str; 12] = [
    "Error",
    "Json",
    "Map",
    "NoCase",
    "Option",
    "Result",
    "RowParts",
    "RowStream",
    "Rows",
    "Scan",
    "Table",
    "Timestamp",
];

/// `kernel_modules` has rows of type `KernelModule`.
fn row_name(table: &str) -> String {
    let singular = match table {
        _ if table.ends_with("ies") => format!("{}y", &table[..table.len() - 3]),
        _ if table.ends_with("sses") => table[..table.len() - 2].to_owned(),
        _ if table.ends_with("ss") || table.ends_with("us") || table.ends_with("is") => table.to_owned(),
        _ => table.strip_suffix('s').unwrap_or(table).to_owned(),
    };
    let capitalized = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_uppercase())
    };
    let name: String = singular.split('_').map(capitalized).collect();
    if TAKEN.contains(&name.as_str()) { format!("{name}Row") } else { name }
}

fn slt(table: &str) -> String {
    format!(
        "# On the bed or fixture that tests/slt.rs uses for this directory. Add the plain case, a key that exists, and \
         data that may not be read.\n\n# A key that does not exist.\nquery I\nSELECT count(*) FROM {table} \
         WHERE name = 'absent'\n----\n0\n"
    )
}

/// The list with one more line, in alphabetical order, and its module.
fn with_table(text: &str, table: &str, row: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let module = format!("pub mod {table};");
    let is_module = |line: &String| line.starts_with("pub mod ");
    let first = lines.iter().position(is_module)?;
    // The tables' modules are adjacent; some belong to a feature.
    let is_feature = |line: &String| line.starts_with("#[cfg(feature");
    let count = lines[first..].iter().take_while(|line| is_module(line) || is_feature(line)).count();
    let block = &lines[first..first + count];
    let after = block.iter().position(|line| is_module(line) && *line > module);
    let at =
        after.map_or(count, |after| after - block[..after].iter().rev().take_while(|line| is_feature(line)).count());
    lines.insert(first + at, module);
    // `tables![`, or a macro of the environment that takes the same list; one table per line.
    let is_list = |line: &String| line.ends_with("![") || (line.contains("tables![") && !line.contains(']'));
    let start = lines.iter().position(is_list)? + 1;
    let end = start + lines[start..].iter().position(|line| line.trim_start().starts_with(']'))?;
    let is_entry = |line: &String| line.contains("::");
    let example = lines[start..end].iter().find(|line| is_entry(line))?;
    let indent = &example[..example.len() - example.trim_start().len()];
    let entry = format!("{indent}{table}::{row},");
    let at = lines[start..end].iter().position(|line| is_entry(line) && *line > entry).unwrap_or(end - start);
    lines.insert(start + at, entry);
    Some(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::process::Command;

    use super::*;
    use crate::cargo;

    #[test]
    fn rows_are_singular() {
        for (table, row) in [
            ("kernel_modules", "KernelModule"),
            ("entries", "Entry"),
            ("network_policies", "NetworkPolicy"),
            ("ingress_classes", "IngressClass"),
            ("ip_address", "IpAddress"),
            ("secureboot_status", "SecurebootStatus"),
            ("errors", "ErrorRow"),
        ] {
            assert_eq!(row_name(table), row);
        }
    }

    #[test]
    fn a_name_that_cannot_be_a_table_is_refused() {
        for (name, said) in [
            ("kernel_modules", "ENVIRONMENT/NAME"),
            ("moon/craters", "no environment `moon`"),
            ("host/Kernel", "not a table name"),
            ("host/2fast", "not a table name"),
            ("host/../etc", "not a table name"),
            ("kubernetes/secrets", "must start with `kubernetes_`"),
            ("host/uptime", "already exists"),
        ] {
            let error = lay_out(&root(), name).expect_err(name);
            assert!(format!("{error:#}").contains(said), "{name}: {error:#}");
        }
    }

    const TABLES: [(&str, &str); 5] = [
        ("host/xtask_probes", "xtask_probes::XtaskProbe,"),
        ("containers/xtask_probes", "xtask_probes::XtaskProbe,"),
        ("kubernetes/kubernetes_xtask_probes", "kubernetes_xtask_probes::XtaskProbe,"),
        ("aws/aws_xtask_probe", "aws_xtask_probe::XtaskProbe,"),
        ("git/git_xtask_probes", "git_xtask_probes::XtaskProbe,"),
    ];

    #[test]
    fn a_new_table_stands_in_the_list_of_its_environment_and_has_a_test() {
        for (name, entry) in TABLES {
            let files = lay_out(&root(), name).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            let [(_, _), (_, test), (path, list)] = files.as_slice() else { panic!("{name}: {files:?}") };
            let table = name.split('/').next_back().expect("a name");
            assert!(test.contains(&format!("FROM {table} ")) && test.contains("\n----\n"), "{test}");
            let before = fs::read_to_string(path).expect("a list");
            for line in [format!("pub mod {table};"), entry.to_owned()] {
                assert_eq!(list.lines().filter(|other| other.trim() == line).count(), 1, "{name}: {line}");
            }
            assert_eq!(list.lines().count(), before.lines().count() + 2, "{name}");
        }
    }

    /// The table crates with one more table each, copied into the target directory, which the copies share.
    #[test]
    fn a_new_table_of_each_environment_builds() {
        let target = std::env::current_exe().expect("a test's program");
        let target = target.ancestors().nth(3).expect("target/debug/deps/test");
        let scratch = target.join("new-table");
        let mut files = BTreeMap::new();
        let crates = ["crates/table", "crates/table-derive", "crates/net", "crates/iam"];
        let tables = ["tables/host", "tables/containers", "tables/kubernetes", "tables/aws", "tables/git"];
        for package in crates.into_iter().chain(tables) {
            add_files(&root().join(package), &mut files);
        }
        // A library does not need what only its tests use.
        for text in files.values_mut() {
            *text = text.replace("indago-testkit.workspace = true\n", "");
        }
        let packages = "members = [\"crates/*\", \"tables/*\"]";
        let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
        let members = manifest.lines().find(|line| line.starts_with("members = ")).expect("members");
        // A different version, so that cargo never confuses the copies' builds with the originals'.
        let version = manifest.lines().find(|line| line.starts_with("version = ")).expect("a version");
        let manifest = manifest.replace(members, packages).replace(version, "version = \"0.0.0\"");
        // The release profile names packages that the copies do without, and cargo would warn.
        let manifest = manifest.split("\n[profile.release.package.").next().unwrap_or_default().to_owned();
        files.insert(root().join("Cargo.toml"), manifest);
        files.insert(root().join("Cargo.lock"), fs::read_to_string(root().join("Cargo.lock")).expect("a lock file"));
        let laid_out: Vec<_> = TABLES.into_iter().flat_map(|(name, _)| lay_out(&root(), name).expect(name)).collect();
        let new: Vec<PathBuf> = laid_out.iter().map(|(path, _)| copy_of(path, &scratch)).collect();
        files.extend(laid_out);
        let files: BTreeMap<PathBuf, String> =
            files.into_iter().map(|(path, text)| (copy_of(&path, &scratch), text)).collect();

        let mut old = BTreeMap::new();
        add_files(&scratch, &mut old);
        for path in old.keys().filter(|path| !files.contains_key(*path)) {
            fs::remove_file(path).expect("a copy from an earlier test");
        }
        // An unchanged copy keeps its time, so that cargo does not check it again.
        for (path, text) in files.iter().filter(|(path, text)| old.get(*path) != Some(*text)) {
            fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            fs::write(path, text).expect("a copy");
        }

        let mut check = cargo();
        check.current_dir(&scratch).env("CARGO_TARGET_DIR", target);
        check.args(["check", "--workspace", "--lib", "--offline", "--message-format", "short"]);
        let output = check.output().expect("cargo runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("warning: "), "{said}");
        let mut format = Command::new("rustfmt");
        format.args(["--check", "--edition", "2024", "--config-path"]).arg(root().join("rustfmt.toml"));
        format.args(new.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")));
        let output = format.output().expect("rustfmt runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    fn copy_of(path: &Path, scratch: &Path) -> PathBuf {
        scratch.join(path.strip_prefix(root()).expect("a file of the project"))
    }

    /// Adds the text files below a directory.
    fn add_files(folder: &Path, files: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                add_files(&path, files);
            } else if let Ok(text) = fs::read_to_string(&path) {
                files.insert(path, text);
            }
        }
    }
}
