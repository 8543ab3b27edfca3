//! `augeas`: one row per node of the host's settings files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::glob;
use crate::source::lenses::{FILES, Lens, Node};
use crate::source::texts::Texts;

/// Settings in files below `/etc`, as the trees that Augeas makes of them.
///
/// These formats are read: `cron.d`, `crontab`, `default`, `environment`, `fstab`, `group`, `hostname`, `hosts`,
/// `ld.so.conf`, `login.defs`, `nsswitch.conf`, `os-release`, `pam.d`, `passwd`, `protocols`, `resolv.conf`,
/// `services`, `shadow`, `shells`, `ssh/sshd_config`, `sudoers` and `sysctl.conf`. Other files have no rows. A query for
/// one that exists has a warning, a query for all files has a note.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "augeas", platforms("linux"), rows = 3000, identity(node), namespaces)]
#[example(
    "Settings of the SSH server.",
    "SELECT label, value FROM augeas WHERE path = '/etc/ssh/sshd_config' AND label NOT LIKE '#%'"
)]
pub struct Augeas {
    /// Path of the node: `/files`, the file's path, and the labels of the nodes above it. A label that its siblings
    /// have too is followed by its position: `user[2]`.
    #[column(index)]
    node: String,
    /// Value; empty for a node without one.
    value: String,
    /// Label, the last part of `node` without a position.
    label: String,
    /// Path of the file, or of a directory.
    #[column(index)]
    path: String,
}

const ROOT: &str = "/files";

impl Rows for Augeas {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let nodes = scan.keys(Self::NODE);
        let paths = scan.keys(Self::PATH);
        let report = |error: &Error| scan.report("files", error);
        let texts = Texts::new(scan.sys(), &report);
        if texts.got(scan.sys().metadata("/etc")).is_none() {
            return Err(Error::Unsupported("there are no settings (/etc does not exist)".to_owned()));
        }
        report_others(scan);
        let wanted = |path: &str| {
            let by_path = paths.as_ref().is_none_or(|paths| paths.iter().any(|wanted| wanted == path));
            let is_above = |node: &String| {
                let below = node.strip_prefix(ROOT).and_then(|node| node.strip_prefix(path));
                below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
            };
            by_path && nodes.as_ref().is_none_or(|nodes| nodes.iter().any(is_above))
        };
        let mut files: Vec<(PathBuf, Lens)> = Vec::new();
        for (pattern, lens) in FILES {
            // A pattern also matches directories.
            let is_file = |path: &PathBuf| {
                !pattern.contains('*') || scan.sys().metadata(path).map_or(true, |metadata| metadata.is_file())
            };
            let found = glob::expand(&texts, pattern).into_iter();
            let found = found.filter(|path| path.to_str().is_some_and(wanted)).filter(is_file);
            files.extend(found.map(|path| (path, *lens)));
        }
        let rows = files.into_iter().flat_map(move |(path, lens)| {
            read(scan, &path, lens).unwrap_or_else(|error| {
                scan.report("files", &error);
                Vec::new()
            })
        });
        Ok(rows)
    }
}

/// Reports that other files are not read: each that the query names, or once that there are others.
fn report_others(scan: &Scan<Augeas>) {
    let sys = scan.sys();
    let formats =
        || FILES.iter().map(|(pattern, _)| pattern.trim_start_matches("/etc/")).collect::<Vec<_>>().join(", ");
    let is_read = |path: &str| FILES.iter().any(|(pattern, _)| matches_path(pattern, path));
    let unread = |path: &str| {
        let is_file = || sys.metadata(path).is_ok_and(|metadata| metadata.is_file());
        (path.starts_with('/') && !is_read(path) && is_file())
            .then(|| format!("{path} is not read; of /etc these files are: {}", formats()))
    };
    let of_node = |node: &str| {
        let path = node.strip_prefix(ROOT)?;
        let ends = path.char_indices().filter(|(at, letter)| *at > 0 && *letter == '/').map(|(at, _)| at);
        // A file has no files below it.
        ends.chain([path.len()]).find_map(|end| unread(&path[..end]))
    };
    scan.context().report_absent(Augeas::SPEC, Augeas::PATH.position(), unread);
    scan.context().report_absent(Augeas::SPEC, Augeas::NODE.position(), of_node);
    if scan.keys(Augeas::PATH).is_none() && scan.keys(Augeas::NODE).is_none() {
        let what = format!("files in other formats have no rows; of /etc these files are read: {}", formats());
        scan.report("files", &Error::Absent(what));
    }
}

/// Whether a pattern, whose wildcards stay within a name, finds a path.
fn matches_path(pattern: &str, path: &str) -> bool {
    let is_match = |(pattern, name): (&str, &str)| glob::matches(pattern.as_bytes(), name.as_bytes());
    pattern.matches('/').count() == path.matches('/').count() && pattern.split('/').zip(path.split('/')).all(is_match)
}

fn read(scan: &Scan<Augeas>, path: &Path, lens: Lens) -> Result<Vec<Augeas>> {
    let sys = scan.sys();
    let file = sys.path_text(path);
    let Some(nodes) = lens(&sys.read_text(path)?) else {
        return Err(Error::Malformed(format!("{file} is not in the format that Augeas expects, and was skipped")));
    };
    let label = file.rsplit('/').next().unwrap_or_default().to_owned();
    let node = format!("{ROOT}{file}");
    let mut rows = vec![Augeas { node: node.clone(), value: String::new(), label, path: file.clone() }];
    add(&node, nodes, &file, &mut rows);
    Ok(rows)
}

/// Adds nodes and those below them. The trees of the lenses have few levels.
fn add(above: &str, nodes: Vec<Node>, file: &str, rows: &mut Vec<Augeas>) {
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    nodes.iter().for_each(|node| counts.entry(node.label.clone()).or_default().0 += 1);
    for Node { label, value, children } in nodes {
        let mut path = format!("{above}/{label}");
        if let Some((count, seen)) = counts.get_mut(&label).filter(|(count, _)| *count > 1) {
            *seen += 1;
            debug_assert!(seen <= count);
            path += &format!("[{seen}]");
        }
        let value = value.unwrap_or_default();
        rows.push(Augeas { node: path.clone(), value, label, path: file.to_owned() });
        add(&path, children, file, rows);
    }
}
