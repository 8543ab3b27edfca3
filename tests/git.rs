//! The git tables on repositories of every kind, compared with git itself.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use indago_engine::{Engine, Outcome, Warning};
use indago_table::{ColumnConstraint, Constraints, Reading, Scalar, ScanContext, Sink, Slice, Sys};
use indago_tables_registry::{Environments, Git, GitRoot, all};
use indago_testkit::beds::git::{self, Repositories};

/// Separators of columns and rows, which do not occur in the repositories.
const COLUMN: char = '\u{1f}';

fn root(path: &Path) -> GitRoot {
    GitRoot { path: path.to_owned(), depth: 3 }
}

fn tables(git: Git) -> Vec<indago_table::TableRef> {
    all(&Environments { git: Some(git), ..Environments::default() })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Rows as texts over repositories under a directory, and the warnings.
fn ask(folder: &Path, sql: &str) -> (Vec<String>, Vec<Warning>) {
    ask_git(Git::with_roots(&Sys::live(), [root(folder)]), sql)
}

fn ask_git(git: Git, sql: &str) -> (Vec<String>, Vec<Warning>) {
    runtime().block_on(async {
        let engine = Engine::builder().tables(tables(git)).build().await.expect("an engine");
        let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).expect("a column"))
                .collect();
            for row in 0..batch.num_rows() {
                let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
                rows.push(cells.join(&COLUMN.to_string()));
            }
        }
        (rows, query.warnings())
    })
}

/// Rows of a query that must have no warnings but notes, sorted.
fn rows(folder: &Path, sql: &str) -> Vec<String> {
    let (mut rows, mut warnings) = ask(folder, sql);
    warnings.retain(|warning| warning.outcome != Outcome::Absent);
    assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    rows.sort();
    rows
}

/// Rows of a repository with names that are not UTF-8, sorted. Each column that shows such a name has a warning.
fn lossy_rows(folder: &Path, sql: &str, columns: &[&str]) -> Vec<String> {
    let (mut rows, warnings) = ask(folder, sql);
    let said: BTreeSet<_> = warnings.iter().map(|warning| warning.origin.as_str()).collect();
    assert_eq!(said, columns.iter().copied().collect(), "{sql}: {warnings:?}");
    assert!(warnings.iter().all(|warning| warning.message.contains("is not UTF-8")), "{sql}: {warnings:?}");
    rows.sort();
    rows
}

/// The output of git.
fn run(repository: &Path, arguments: &[&str]) -> String {
    let output = git::git().arg("-C").arg(repository).args(arguments).output().expect("git runs");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {problem}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a script in a directory, with git as in [`run`].
fn bash(folder: &Path, script: &str) {
    let mut bash = std::process::Command::new("bash");
    bash.args(["-euc", script]).current_dir(folder);
    for (name, value) in git::git().get_envs() {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    assert!(bash.status().expect("bash runs").success(), "{script}");
}

fn lines(repository: &Path, arguments: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = run(repository, arguments).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn columns(fields: &[&str]) -> String {
    fields.join(&COLUMN.to_string())
}

#[test]
fn commits_are_those_of_rev_list() {
    let bed = Repositories::new().expect("repositories");
    for repository in
        [bed.normal(), bed.bare(), bed.shallow(), bed.detached(), bed.worktree(), bed.names(), bed.empty()]
    {
        let name = repository.display();
        let listed = lines(&repository, &["rev-list", "--all"]);
        assert_eq!(rows(&repository, "SELECT hash FROM git_commits"), listed, "{name}");
        assert_eq!(rows(&repository, "SELECT count(*) FROM git_commits"), [listed.len().to_string()], "{name}");
        if repository != bed.empty() {
            let head = lines(&repository, &["rev-list", "HEAD"]);
            assert_eq!(rows(&repository, "SELECT hash FROM git_commits WHERE ref = 'HEAD'"), head, "{name}");
        }
    }
    // A commit graph changes no row, as a single file or as a chain.
    let listed = lines(&bed.bare(), &["rev-list", "--all"]);
    for arguments in
        [&["commit-graph", "write", "--reachable"][..], &["commit-graph", "write", "--reachable", "--split=no-merge"]]
    {
        run(&bed.bare(), arguments);
        assert_eq!(rows(&bed.bare(), "SELECT hash FROM git_commits"), listed);
    }
    let graph = bed.bare().join("objects/info/commit-graph");
    // git makes it read-only.
    fs::remove_file(&graph).expect("git wrote it");
    fs::write(graph, b"CGPH garbage").expect("written");
    assert_eq!(rows(&bed.bare(), "SELECT hash FROM git_commits"), listed);
}

#[test]
fn commits_say_what_git_log_says() {
    let bed = Repositories::new().expect("repositories");
    let sql = "SELECT hash, tree_hash, array_to_string(parents, ' '), parent_count, is_merge, author_name, author_email, \
               unixepoch(author_date), author_timezone, committer_name, committer_email, \
               unixepoch(committer_date), committer_timezone, summary, message FROM git_commits";
    for repository in [bed.normal(), bed.shallow(), bed.names()] {
        let format = "%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%at%x1f%ad%x1f%cn%x1f%ce%x1f%ct%x1f%cd%x1f%s%x1f%B%x1e";
        let log = run(&repository, &["log", "--all", "--date=format:%z", &format!("--format=tformat:{format}")]);
        let mut expected: Vec<String> = log
            .split('\u{1e}')
            .map(|row| row.trim_start_matches('\n'))
            .filter(|row| !row.is_empty())
            .map(|row| {
                let mut cells: Vec<String> = row.split(COLUMN).map(str::to_owned).collect();
                let parents = cells[2].split_ascii_whitespace().count();
                cells.insert(3, parents.to_string());
                cells.insert(4, (parents > 1).to_string());
                let last = cells.len() - 1;
                cells[last] = cells[last].trim_end_matches('\n').to_owned();
                cells.join(&COLUMN.to_string())
            })
            .collect();
        expected.sort();
        let lossy: &[&str] = if repository == bed.names() { &["author_name", "message", "summary"] } else { &[] };
        assert_eq!(lossy_rows(&repository, sql, lossy), expected, "{}", repository.display());
    }
}

#[test]
fn a_commit_is_found_by_its_hash_and_only_by_the_whole_of_it() {
    let bed = Repositories::new().expect("repositories");
    let normal = bed.normal();
    let hash = run(&normal, &["rev-parse", "main~2"]).trim().to_owned();
    let only = std::slice::from_ref(&hash);
    let by = |condition: &str| rows(&normal, &format!("SELECT hash FROM git_commits WHERE {condition}"));
    assert_eq!(by(&format!("hash = '{hash}'")), only);
    assert_eq!(by(&format!("hash IN ('{hash}', '{hash}', '{}')", "0".repeat(40))), only);
    for unknown in ["0".repeat(40), hash[..10].to_owned(), hash.to_uppercase(), "main".to_owned(), String::new()] {
        assert!(by(&format!("hash = '{unknown}'")).is_empty(), "{unknown}");
    }
    let tree = run(&normal, &["rev-parse", "main^{tree}"]);
    assert!(by(&format!("hash = '{}'", tree.trim())).is_empty());
    assert_eq!(by(&format!("hash = '{hash}' AND ref = 'main'")), only);
    assert!(by(&format!("hash = '{hash}' AND ref = 'light'")).is_empty());
    // An unreachable commit is still found by its hash.
    let lost = run(&normal, &["commit-tree", "-m", "lost", "main^{tree}"]).trim().to_owned();
    assert_eq!(by(&format!("hash = '{lost}'")), std::slice::from_ref(&lost));
    assert!(!by("true").contains(&lost));
}

#[test]
fn revisions_and_ranges_are_gits() {
    let bed = Repositories::new().expect("repositories");
    let normal = bed.normal();
    run(&normal, &["update-ref", "ORIG_HEAD", "main~1"]);
    let short = run(&normal, &["rev-parse", "--short=8", "main"]).trim().to_owned();
    let revisions = [
        "main",
        "refs/heads/main",
        "heads/main",
        "@",
        "HEAD~2",
        "main^2",
        "main~4^2",
        "v1.0",
        "v1.0^{}",
        "v1.0^{commit}~1",
        "origin",
        "origin/main",
        "light..main",
        "main..feature",
        "..feature",
        "main ^feature",
        "feature one ^light",
        "ORIG_HEAD",
        "stash",
        &short,
        "main^0",
        "main~0",
    ];
    for revision in revisions {
        let mut arguments = vec!["rev-list"];
        arguments.extend(revision.split(' '));
        let sql = format!("SELECT hash FROM git_commits WHERE ref = '{revision}'");
        assert_eq!(rows(&normal, &sql), lines(&normal, &arguments), "{revision}");
    }
    for unknown in [
        "nothing",
        "main~1000",
        "main^7",
        "..",
        "main^{tree}",
        "main~x",
        "^main",
        "",
        "deadbeef",
        "main^{",
        "ä~1",
        "main...feature",
    ] {
        let sql = format!("SELECT hash FROM git_commits WHERE ref = '{unknown}'");
        assert!(rows(&normal, &sql).is_empty() || unknown == "..", "{unknown}");
    }
    let both =
        rows(&normal, "SELECT ref, count(*) FROM git_commits WHERE ref IN ('light', 'v1.0', 'none') GROUP BY ref");
    let count = |revision: &str| run(&normal, &["rev-list", "--count", revision]).trim().to_owned();
    assert_eq!(both, [columns(&["light", &count("light")]), columns(&["v1.0", &count("v1.0")])]);
}

/// `hash, path, status, old path, additions, deletions, modes and blobs` of every commit against its first parent, from
/// git's own plumbing.
fn diff_tree(repository: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for line in run(repository, &["rev-list", "--all", "--parents"]).lines() {
        let mut names = line.split(' ');
        let hash = names.next().expect("a commit");
        let empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let parent = names.next().unwrap_or(empty);
        let diff = |format: &str| {
            let output = git::git()
                .arg("-C")
                .arg(repository)
                .args(["diff-tree", "-r", "-M", "-z", "--no-textconv", "--no-ext-diff", format, parent, hash])
                .output()
                .expect("git runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output
                .stdout
                .split(|byte| *byte == 0)
                .map(|field| String::from_utf8_lossy(field).into_owned())
                .collect::<Vec<_>>()
        };
        let (raw, counts) = (diff("--raw"), diff("--numstat"));
        let mut lines = std::collections::HashMap::new();
        let mut fields = counts.iter();
        while let Some(field) = fields.next().filter(|field| !field.is_empty()) {
            let parts: Vec<&str> = field.splitn(3, '\t').collect();
            let count = |text: &str| if text == "-" { "NULL".to_owned() } else { text.to_owned() };
            let path = if parts[2].is_empty() { fields.nth(1).expect("a path").clone() } else { parts[2].to_owned() };
            lines.insert(path, (count(parts[0]), count(parts[1])));
        }
        let mut fields = raw.iter();
        while let Some(field) = fields.next().filter(|field| !field.is_empty()) {
            let parts: Vec<&str> = field.trim_start_matches(':').split(' ').collect();
            let first = fields.next().expect("a path").clone();
            let (status, old, path) = match &parts[4][..1] {
                "A" => ("added", "NULL".to_owned(), first),
                "D" => ("deleted", "NULL".to_owned(), first),
                "M" => ("modified", "NULL".to_owned(), first),
                "T" => ("typechange", "NULL".to_owned(), first),
                "R" => ("renamed", first, fields.next().expect("a path").clone()),
                other => panic!("{other}"),
            };
            let similarity = if status == "renamed" { parts[4][1..].trim_start_matches('0') } else { "NULL" };
            let zero = |text: &str, none: &str| if text == none { "NULL".to_owned() } else { text.to_owned() };
            let (additions, deletions) = lines.get(&path).expect("counts").clone();
            let is_binary = (additions == "NULL").to_string();
            let (none, mode) = ("0".repeat(40), "000000");
            let whole = |id: &str| zero(run(repository, &["rev-parse", id]).trim(), &none);
            let id = |at: usize| if parts[at].chars().all(|c| c == '0') { "NULL".to_owned() } else { whole(parts[at]) };
            all.push(columns(&[
                hash,
                &zero(parent, empty),
                &path,
                status,
                &old,
                similarity,
                &additions,
                &deletions,
                &is_binary,
                &zero(parts[0], mode),
                &zero(parts[1], mode),
                &id(2),
                &id(3),
            ]));
        }
    }
    all.sort();
    all
}

const FILES: &str = "SELECT hash, parent_hash, path, status, old_path, similarity, additions, deletions, is_binary, old_mode, \
                     new_mode, old_blob, new_blob FROM git_commit_files";

#[test]
fn files_of_commits_are_those_of_diff_tree() {
    let bed = Repositories::new().expect("repositories");
    for repository in [bed.normal(), bed.shallow(), bed.names()] {
        let lossy: &[&str] = if repository == bed.names() { &["path"] } else { &[] };
        assert_eq!(lossy_rows(&repository, FILES, lossy), diff_tree(&repository), "{}", repository.display());
    }
}

#[test]
fn moved_and_changed_files_are_those_of_diff_tree() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = folder.path().join("moves");
    let script = r#"
        git init -q -b main moves; cd moves
        commit() { git add -A; git commit -q --allow-empty -m "$1"; }
        text() { for i in $(seq "$2" "$3"); do echo "$1 line number $i of this file"; done; }
        mkdir -p a/deep b c; text one 1 40 > a/one; text two 1 40 > a/deep/two; text three 1 40 > b/three
        text same 1 9 > a/same; cp a/same b/same; : > a/empty; printf 'no end' > a/end; printf 'dos\r\nline\r\n' > dos
        printf 'a\0b' > binary; ln -s one a/link; echo x > d; commit first
        git mv a/one c/one; text more 1 3 >> c/one; git mv b/three c/drei; text extra 1 30 >> c/drei; commit 'moved and changed'
        git mv a c; commit 'a folder moved'
        text same 1 9 > x1; text same 1 9 > x2; git rm -q b/same; commit 'one becomes two'
        git rm -q c/a/deep/two; text two 1 18 > two; text other 1 30 >> two; commit 'too little left'
        rm d; mkdir d; echo x > d/e; commit 'a file becomes a folder'
        rm c/a/link; echo link > c/a/link; rm dos; ln -s nowhere dos; commit 'types change'
        chmod +x c/one binary; commit 'modes change'
        printf 'a\0c' > binary; printf 'no end\n' > c/a/end; commit 'a binary, a last line'
        git mv c/a/empty c/leer; : > c/another; commit 'an empty file moves'
        for i in $(seq 1 12); do mkdir -p m/$i; text "m$i" 1 30 > m/$i/index; done; commit many
        for i in $(seq 1 12); do mkdir -p n/$i; git mv m/$i/index n/$i/index; text "m$i" 30 $((30 + i)) >> n/$i/index; done; commit 'many of one name'
        for i in $(seq 1 12); do sed -i "s/line number 1./other words $i/" n/$i/index; git mv n/$i/index n/$i/file$((13 - i)); done; commit 'many of another name'
        git update-index --add --cacheinfo 160000,1234567890123456789012345678901234567890,sub; git commit -q -m submodule
        git update-index --cacheinfo 160000,1234567890123456789012345678901234567891,sub; git commit -q -m 'submodule moves'
        seq 1 4000 > long; git add long; git commit -q -m long; seq 1 4000 | sed 's/^1\(.*\)7$/7\n8/;s/^2.*9$//' > long; git add long; git commit -q -m 'long changes'
        { seq 500 900; seq 1 4000; } | grep -v 3 > long; git add long; git commit -q -m 'long changes again'
    "#;
    bash(folder.path(), script);
    let expected = diff_tree(&repository);
    assert_eq!(rows(&repository, FILES), expected);
    assert!(expected.iter().filter(|row| row.contains("renamed")).count() > 25, "{expected:#?}");

    // A constraint on the path returns the same rows as a filter, wherever the other half of a rename is.
    let paths: BTreeSet<String> = rows(&repository, "SELECT DISTINCT path FROM git_commit_files").into_iter().collect();
    for path in &paths {
        let field = format!("{COLUMN}{path}{COLUMN}");
        let filtered: Vec<_> = expected.iter().filter(|row| row.split(COLUMN).nth(2) == Some(path)).cloned().collect();
        assert!(!filtered.is_empty(), "{field}");
        assert_eq!(rows(&repository, &format!("{FILES} WHERE path = '{path}'")), filtered, "{path}");
    }
    let inside: Vec<_> = expected
        .iter()
        .filter(|row| row.split(COLUMN).nth(2).is_some_and(|path| path.starts_with("n/1")))
        .cloned()
        .collect();
    assert_eq!(rows(&repository, &format!("{FILES} WHERE path LIKE 'n/1%'")), inside);

    // The totals of a commit.
    let totals = "SELECT hash, count(*), coalesce(sum(additions), 0), coalesce(sum(deletions), 0) FROM git_commit_files GROUP BY hash";
    let commits = "SELECT hash, files_changed, additions, deletions FROM git_commits WHERE files_changed > 0";
    assert_eq!(rows(&repository, commits), rows(&repository, totals));
}

#[test]
fn refs_are_those_of_for_each_ref() {
    let bed = Repositories::new().expect("repositories");
    let format = "%(refname)%1f%(objectname)%1f%(symref)%1f%(objecttype)%1f%(upstream)%1f%(*objectname)%1f%(HEAD)";
    for repository in [bed.normal(), bed.bare(), bed.detached(), bed.names(), bed.empty()] {
        let expected: Vec<String> = lines(&repository, &["for-each-ref", &format!("--format={format}")])
            .into_iter()
            .map(|line| {
                let cells: Vec<&str> = line.split(COLUMN).collect();
                let or_null = |cell: &'static str| cell;
                let commit = if cells[5].is_empty() { cells[1] } else { cells[5] };
                let null = |cell: &str| if cell.is_empty() { or_null("NULL").to_owned() } else { cell.to_owned() };
                columns(&[
                    cells[0],
                    cells[1],
                    &null(cells[2]),
                    cells[3],
                    &null(cells[4]),
                    commit,
                    &(cells[6] == "*").to_string(),
                ])
            })
            .collect();
        let sql = "SELECT full_name, hash, target, object_type, upstream, commit_hash, is_head FROM git_refs";
        let lossy: &[&str] = if repository == bed.names() { &["full_name"] } else { &[] };
        assert_eq!(lossy_rows(&repository, sql, lossy), expected, "{}", repository.display());
    }
    let normal = bed.normal();
    let kinds = rows(&normal, "SELECT type, name, remote FROM git_refs WHERE type <> 'branch'");
    let expected = [
        ["note", "commits", "NULL"],
        ["remote", "origin/HEAD", "origin"],
        ["remote", "origin/main", "origin"],
        ["stash", "stash", "NULL"],
        ["tag", "light", "NULL"],
        ["tag", "v1.0", "NULL"],
    ];
    assert_eq!(kinds, expected.map(|row| columns(&row)));
    let tag = rows(&normal, "SELECT tag_message, tagger_name, tagger_email FROM git_refs WHERE name = 'v1.0'");
    assert_eq!(tag, [columns(&["Version 1.0", "Carl", "carl@example.test"])]);
    let counted = rows(&normal, "SELECT commit_count FROM git_refs WHERE name = 'feature'");
    assert_eq!(counted, lines(&normal, &["rev-list", "--count", "feature"]));
    // Packed refs give the same rows.
    let sql = "SELECT full_name, hash, target, commit_hash FROM git_refs";
    let before = rows(&normal, sql);
    run(&normal, &["pack-refs", "--all"]);
    assert_eq!(rows(&normal, sql), before);
}

#[test]
fn remotes_are_those_of_git_remote() {
    let bed = Repositories::new().expect("repositories");
    let normal = bed.normal();
    run(&normal, &["config", "remote.origin.pushurl", "ssh://push.example.test/x"]);
    run(&normal, &["remote", "add", "odd.name/x", "https://user:secret@example.test/a b"]);
    let rows = rows(&normal, "SELECT name, url, push_url FROM git_remotes");
    let expected: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| {
            let cells: Vec<&str> = row.split(COLUMN).collect();
            [format!("{}\t{} (fetch)", cells[0], cells[1]), format!("{}\t{} (push)", cells[0], cells[2])]
        })
        .collect();
    assert_eq!(expected.into_iter().collect::<Vec<_>>(), lines(&normal, &["remote", "-v"]));
    let fetch = self::rows(
        &normal,
        "SELECT name, array_to_string(fetch_refspecs, ' '), is_default FROM git_remotes WHERE name = 'origin'",
    );
    assert_eq!(fetch, [columns(&["origin", "+refs/heads/*:refs/remotes/origin/*", "true"])]);
    let config = normal.join(".git/config");
    let mut settings = fs::read(&config).expect("a configuration");
    settings.extend_from_slice(b"[remote \"caf\xe9\"]\n\turl = x\n");
    fs::write(&config, settings).expect("a file");
    let sql = "SELECT name FROM git_remotes WHERE url = 'x'";
    assert_eq!(lossy_rows(&normal, sql, &["name"]), [columns(&["caf\u{fffd}"])]);
}

#[test]
fn repositories_of_every_kind_are_found() {
    let bed = Repositories::new().expect("repositories");
    std::os::unix::fs::symlink(bed.root(), bed.root().join("loop")).expect("a link");
    std::os::unix::fs::symlink(bed.normal(), bed.root().join("again")).expect("a link");
    let sql = "SELECT name, is_bare, is_worktree, is_shallow, is_empty, is_detached, head_ref, head_hash, state, object_format \
               FROM git_repositories";
    let (mut seen, _) = ask(bed.root(), sql);
    seen.sort();
    let head = |repository: PathBuf| run(&repository, &["rev-parse", "HEAD"]).trim().to_owned();
    let row = |name: &str, flags: [bool; 5], head_ref: &str, hash: &str| {
        let flags = flags.map(|flag| flag.to_string());
        columns(&[name, &flags[0], &flags[1], &flags[2], &flags[3], &flags[4], head_ref, hash, "none", "sha1"])
    };
    let main = "refs/heads/main";
    let expected = [
        row("bare", [true, false, false, false, false], main, &head(bed.bare())),
        row("corrupt", [false; 5], main, &head(bed.corrupt())),
        row("detached", [false, false, false, false, true], "NULL", &head(bed.detached())),
        row("empty", [false, false, false, true, false], main, "NULL"),
        row("names", [false; 5], main, &head(bed.names())),
        row("normal", [false; 5], main, &head(bed.normal())),
        row("shallow", [false, false, true, false, false], main, &head(bed.shallow())),
        row("worktree", [false, true, false, false, false], "refs/heads/side", &head(bed.worktree())),
    ];
    assert_eq!(seen, expected);

    // A key names any repository, under the roots or not, by its working tree, by its git directory, or through a link.
    let elsewhere = tempfile::tempdir().expect("a folder");
    for path in [bed.normal(), bed.normal().join(".git"), bed.bare(), bed.worktree(), bed.root().join("again")] {
        let sql = format!("SELECT repo FROM git_repositories WHERE repo = '{}'", path.display());
        assert_eq!(rows(elsewhere.path(), &sql), [path.display().to_string()]);
    }
    for path in [bed.none(), bed.normal().join("src"), bed.root().join("absent"), PathBuf::from("/proc/self/fd/9999")] {
        for table in ["git_repositories", "git_commits", "git_commit_files", "git_refs", "git_remotes"] {
            let sql = format!("SELECT * FROM {table} WHERE repo = '{}'", path.display());
            let (seen, warnings) = ask(elsewhere.path(), &sql);
            let told: Vec<_> = warnings.iter().map(|warning| warning.message.as_str()).collect();
            assert_eq!((seen, told), (vec![], vec!["no git repository at this path"]), "{sql}");
        }
    }
    // The worktree, and repositories next to each other, have separate rows.
    let sql = "SELECT r.name, count(*) FROM git_repositories r JOIN git_commits c ON c.repo = r.repo \
               WHERE r.name IN ('normal', 'worktree', 'shallow') GROUP BY r.name";
    let count = |repository: PathBuf| run(&repository, &["rev-list", "--all", "--count"]).trim().to_owned();
    let expected = [("normal", bed.normal()), ("shallow", bed.shallow()), ("worktree", bed.worktree())];
    assert_eq!(rows(bed.root(), sql), expected.map(|(name, repository)| columns(&[name, &count(repository)])));
}

#[test]
fn a_state_is_named() {
    let bed = Repositories::new().expect("repositories");
    let state = || rows(&bed.normal(), "SELECT state FROM git_repositories");
    for (file, expected) in [("BISECT_LOG", "bisect"), ("CHERRY_PICK_HEAD", "cherry-pick"), ("MERGE_HEAD", "merge")] {
        fs::write(bed.normal().join(".git").join(file), "x").expect("written");
        assert_eq!(state(), [expected]);
    }
    fs::create_dir(bed.normal().join(".git/rebase-merge")).expect("made");
    assert_eq!(state(), ["rebase"]);
}

#[test]
fn a_corrupt_repository_gives_what_it_has_and_says_the_rest() {
    let bed = Repositories::new().expect("repositories");
    let corrupt = bed.corrupt();
    let (commits, warnings) = ask(&corrupt, "SELECT summary FROM git_commits ORDER BY summary");
    assert_eq!(commits, ["Commit 1", "Commit 2", "Commit 3"]);
    let text = format!("{warnings:?}");
    assert!(warnings.iter().all(|warning| warning.outcome == Outcome::Malformed), "{text}");
    assert!(
        text.contains("refs/heads/broken does not name an object") && text.contains("refs/heads/dangling: commit"),
        "{text}"
    );

    // The first commit's tree is missing, so neither its files nor those of the second commit are known.
    let (files, warnings) = ask(&corrupt, "SELECT path, additions FROM git_commit_files ORDER BY path");
    assert_eq!(files, [columns(&["file3", "1"])]);
    assert!(format!("{warnings:?}").contains("changes of commit"), "{warnings:?}");

    let (refs, warnings) = ask(&corrupt, "SELECT name, object_type FROM git_refs ORDER BY name");
    assert_eq!(refs, [columns(&["dangling", "NULL"]), columns(&["main", "commit"])]);
    assert!(format!("{warnings:?}").contains("refs/heads/broken does not name an object"), "{warnings:?}");

    // A damaged repository does not affect the others.
    let (all, _) = ask(bed.root(), "SELECT DISTINCT repo FROM git_commits");
    assert_eq!(all.len(), 7, "{all:?}");
}

#[test]
fn broken_parts_are_named_and_the_rest_is_read() {
    type Break = fn(&Path);
    let cases: [(&str, Break, &str, &str, usize); 14] = [
        (
            "HEAD is garbage",
            |git| fs::write(git.join("HEAD"), b"\xff\xfe\0").expect("written"),
            "SELECT hash FROM git_commits",
            "HEAD does not name an object",
            1,
        ),
        (
            "HEAD is a folder",
            |git| {
                fs::remove_file(git.join("HEAD")).expect("removed");
                fs::create_dir(git.join("HEAD")).expect("made");
            },
            "SELECT head_ref FROM git_repositories",
            "HEAD is a directory, not a regular file",
            1,
        ),
        (
            "the configuration is garbage",
            |git| fs::write(git.join("config"), b"[core\nx").expect("written"),
            "SELECT * FROM git_remotes",
            "config, line 2: not a setting",
            0,
        ),
        (
            "the configuration is garbage",
            |git| fs::write(git.join("config"), b"[core\nx").expect("written"),
            "SELECT hash FROM git_commits",
            "",
            1,
        ),
        (
            "packed-refs is garbage",
            |git| fs::write(git.join("packed-refs"), b"zzz\n^\n").expect("written"),
            "SELECT name FROM git_refs",
            "packed-refs, line 1: not a ref",
            1,
        ),
        (
            "objects are named by SHA-256",
            |git| fs::write(git.join("config"), "[extensions]\nobjectFormat = sha256\n").expect("written"),
            "SELECT hash FROM git_commits",
            "sha256",
            0,
        ),
        (
            "objects are named by SHA-256",
            |git| fs::write(git.join("config"), "[extensions]\nobjectFormat = sha256\n").expect("written"),
            "SELECT name FROM git_repositories WHERE is_empty IS NOT NULL",
            "sha256",
            0,
        ),
        (
            "refs are a reftable",
            |git| fs::write(git.join("config"), "[extensions]\nrefStorage = reftable\n").expect("written"),
            "SELECT name FROM git_refs",
            "reftable",
            0,
        ),
        (
            "objects are gone",
            |git| {
                fs::remove_dir_all(git.join("objects/pack"))
                    .and_then(|()| {
                        for entry in fs::read_dir(git.join("objects"))? {
                            let path = entry?.path();
                            if path.is_dir() {
                                fs::remove_dir_all(path)?;
                            }
                        }
                        Ok(())
                    })
                    .expect("removed")
            },
            "SELECT hash FROM git_commits",
            "is missing from the repository",
            0,
        ),
        (
            "the folder of objects is gone",
            |git| fs::remove_dir_all(git.join("objects")).expect("removed"),
            "SELECT repo FROM git_repositories",
            "/.git has a HEAD but no `objects`; the repository is damaged",
            0,
        ),
        (
            "the folder of objects of a bare repository is gone",
            |git| {
                fs::remove_dir_all(git.join("objects")).expect("removed");
                let folder = git.parent().expect("a folder");
                for name in ["HEAD", "refs"] {
                    fs::rename(git.join(name), folder.join(name)).expect("moved");
                }
                fs::remove_dir_all(git).expect("removed");
            },
            "SELECT name FROM git_refs",
            " has a HEAD but no `objects`; the repository is damaged",
            0,
        ),
        (
            "a ref is a broken link",
            |git| std::os::unix::fs::symlink("/nowhere", git.join("refs/heads/link")).expect("made"),
            "SELECT name FROM git_refs",
            "refs/heads/link is a broken link",
            1,
        ),
        (
            "a ref leads to one that is not there",
            |git| {
                fs::create_dir_all(git.join("refs/remotes/origin")).expect("made");
                fs::write(git.join("refs/remotes/origin/HEAD"), "ref: refs/remotes/origin/gone\n").expect("written");
            },
            "SELECT name FROM git_refs",
            "refs/remotes/origin/HEAD points to refs/remotes/origin/gone, which does not resolve to an object",
            2,
        ),
        (
            "no commit was made on the branch that is checked out",
            |git| fs::write(git.join("HEAD"), "ref: refs/heads/unborn\n").expect("written"),
            "SELECT name FROM git_refs",
            "",
            1,
        ),
    ];
    for (what, damage, sql, message, count) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        run(folder.path(), &["init", "-q", "-b", "main"]);
        run(folder.path(), &["commit", "-q", "--allow-empty", "-m", "One"]);
        damage(&folder.path().join(".git"));
        let (seen, warnings) = ask(folder.path(), sql);
        assert_eq!(seen.len(), count, "{what}: {seen:?}");
        let said = warnings.iter().any(|warning| warning.message.contains(message));
        assert!(said || (message.is_empty() && warnings.is_empty()), "{what}: {warnings:?}");
    }
}

#[test]
fn a_missing_parent_ends_its_branch_only() {
    let bed = Repositories::new().expect("repositories");
    let normal = bed.normal();
    let lost = run(&normal, &["rev-parse", "feature"]).trim().to_owned();
    fs::remove_file(normal.join(".git/objects").join(&lost[..2]).join(&lost[2..])).expect("removed");
    fs::remove_file(normal.join(".git/refs/heads/feature")).expect("removed");
    let (seen, warnings) = ask(&normal, "SELECT hash, message FROM git_commits");
    assert!(seen.len() > 10 && !seen.iter().any(|row| row.starts_with(&lost)), "{seen:?}");
    assert!(warnings.len() == 1 && warnings[0].message.contains(&format!("commit {lost} is missing")), "{warnings:?}");
}

#[test]
fn a_clock_that_was_wrong_hides_no_late_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = folder.path();
    run(repository, &["init", "-q", "-b", "main"]);
    // The second commit's time is after those of its descendants.
    for time in [1_000_000_000_u64, 1_900_000_000, 1_100_000_000, 1_200_000_000] {
        let mut git = git::git();
        git.arg("-C").arg(repository).args(["commit", "-q", "--allow-empty", "-m", &time.to_string()]);
        assert!(git.env("GIT_COMMITTER_DATE", format!("{time} +0000")).status().expect("git runs").success());
    }
    for _ in 0..2 {
        let late = rows(repository, "SELECT summary FROM git_commits WHERE committer_date >= '2015-01-01'");
        assert_eq!(late, ["1900000000"]);
        let sql = "SELECT summary FROM git_commits WHERE committer_date >= '2008-01-01' AND ref = 'HEAD~1..HEAD'";
        assert_eq!(rows(repository, sql), ["1200000000"]);
        run(repository, &["commit-graph", "write", "--reachable"]);
    }
}

#[test]
fn a_damaged_pack_gives_what_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    git::big(folder.path(), 4000).expect("a repository");
    let packs = fs::read_dir(folder.path().join(".git/objects/pack")).expect("packs");
    let pack = packs
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "pack"))
        .expect("a pack");
    let mut bytes = fs::read(&pack).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2000].fill(0xAA);
    fs::set_permissions(&pack, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("set");
    fs::write(&pack, bytes).expect("written");
    let (seen, warnings) = ask(folder.path(), "SELECT hash, message FROM git_commits");
    assert!(seen.len() > 100 && seen.len() < 4000, "{}", seen.len());
    assert!(
        warnings.iter().all(|warning| warning.outcome == Outcome::Malformed) && !warnings.is_empty(),
        "{warnings:?}"
    );
}

#[test]
fn linked_folders_that_lead_nowhere_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in
        [("nowhere", "gitdir: /does/not/exist\n"), ("garbage", "hello"), ("self", "gitdir: .git\n"), ("empty", "")]
    {
        fs::create_dir(folder.path().join(name)).expect("made");
        fs::write(folder.path().join(name).join(".git"), content).expect("written");
    }
    fs::create_dir_all(folder.path().join("hollow/.git")).expect("made");
    let (seen, warnings) = ask(folder.path(), "SELECT * FROM git_repositories");
    assert!(seen.is_empty(), "{seen:?}");
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    let (seen, warnings) = ask(&folder.path().join("absent"), "SELECT * FROM git_repositories");
    assert!(seen.is_empty() && warnings.len() == 1 && warnings[0].message.contains("does not exist"), "{warnings:?}");
}

#[test]
fn a_repository_that_a_query_names_and_that_is_not_there_is_said() {
    let bed = Repositories::new().expect("repositories");
    let normal = bed.normal();
    let path = normal.to_string_lossy();
    let sql = format!("SELECT count(*) FROM git_repositories WHERE repo IN ('/nonexistent', '{path}')");
    let (seen, warnings) = ask(bed.root(), &sql);
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    let absent = "git_repositories (/nonexistent): no git repository at this path";
    assert_eq!((seen, told), (vec!["1".to_owned()], vec![absent.to_owned()]));
    // A condition on the path excludes reads.
    let counted = format!("SELECT count(*) FROM git_commits WHERE repo <> '{path}'");
    assert_eq!(rows(&normal, &counted), ["0"]);
}

#[test]
fn submodules_are_repositories_of_their_own() {
    let bed = Repositories::new().expect("repositories");
    let outer = bed.root().join("outer");
    run(bed.root(), &["init", "-q", "-b", "main", "outer"]);
    let inner = bed.normal();
    run(
        &outer,
        &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &inner.to_string_lossy(), "vendor/web"],
    );
    run(&outer, &["commit", "-q", "-m", "Add web"]);
    assert_eq!(
        rows(&outer, "SELECT name, is_submodule FROM git_repositories"),
        [columns(&["outer", "false"]), columns(&["web", "true"])]
    );
    let sql = "SELECT f.path, status, new_mode, additions FROM git_commit_files f JOIN git_repositories r ON r.repo = f.repo \
               WHERE r.name = 'outer' AND f.path = 'vendor/web'";
    assert_eq!(rows(&outer, sql), [columns(&["vendor/web", "added", "160000", "1"])]);
}

/// Every file under a directory, with its size and times.
fn snapshot(folder: &Path) -> BTreeSet<String> {
    use std::os::unix::fs::MetadataExt as _;
    let mut all = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let found = entry.path().symlink_metadata().expect("still there");
            all.insert(format!("{:?} {} {} {}", entry.path(), found.len(), found.mtime_nsec(), found.ctime_nsec()));
            if found.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    all
}

#[test]
fn reading_writes_nothing_and_runs_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let bed = Repositories::new().expect("repositories");
    let outside = tempfile::tempdir().expect("a folder");
    let trap = outside.path().join("trap.sh");
    let mark = outside.path().join("mark");
    fs::write(&trap, format!("#!/bin/sh\ntouch {}\ncat\n", mark.display())).expect("written");
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).expect("set");
    let program = trap.display().to_string();
    let normal = bed.normal();
    for (name, value) in [
        ("core.fsmonitor", &program),
        ("diff.external", &program),
        ("diff.trap.textconv", &program),
        ("diff.trap.command", &program),
        ("filter.trap.smudge", &program),
        ("filter.trap.clean", &program),
        ("core.sshCommand", &program),
        ("core.pager", &program),
        ("uploadpack.packObjectsHook", &program),
        ("core.hooksPath", &outside.path().display().to_string()),
    ] {
        run(&normal, &["config", name, value]);
    }
    fs::write(normal.join(".gitattributes"), "* diff=trap filter=trap\n").expect("written");
    fs::copy(&trap, outside.path().join("post-checkout")).expect("copied");
    let before = snapshot(bed.root());
    for table in ["git_repositories", "git_commits", "git_commit_files", "git_refs", "git_remotes"] {
        ask(bed.root(), &format!("SELECT * FROM {table}"));
    }
    ask(bed.root(), "SELECT files_changed, additions FROM git_commits");
    assert_eq!(snapshot(bed.root()), before);
    assert!(!mark.exists(), "a program of the repository ran");
    let hooks = rows(&normal, "SELECT array_to_string(hooks, ' '), hooks_path FROM git_repositories");
    assert_eq!(hooks, [columns(&["post-checkout trap.sh", &outside.path().display().to_string()])]);
}

#[test]
fn repositories_of_other_users_are_read() {
    let bed = Repositories::new().expect("repositories");
    let count = run(&bed.normal(), &["rev-list", "--all", "--count"]);
    let mut folders = vec![bed.normal()];
    while let Some(folder) = folders.pop() {
        // Only root may change owners; for other users, the repository stays their own.
        if std::os::unix::fs::lchown(&folder, Some(12345), Some(12345)).is_err() {
            break;
        }
        for entry in fs::read_dir(&folder)
            .expect("a folder")
            .flatten()
            .filter(|entry| entry.path().symlink_metadata().is_ok_and(|found| found.is_dir()))
        {
            folders.push(entry.path());
        }
    }
    assert_eq!(rows(&bed.normal(), "SELECT count(*) FROM git_commits"), [count.trim()]);
    assert_eq!(rows(&bed.normal(), "SELECT name FROM git_repositories"), ["normal"]);
}

#[test]
fn paths_and_messages_of_any_bytes_are_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    run(folder.path(), &["init", "-q", "-b", "main"]);
    let huge = "x".repeat(3 << 20);
    let message = folder.path().join("message");
    fs::write(&message, format!("Huge\n\n{huge}")).expect("written");
    run(folder.path(), &["commit", "-q", "--allow-empty", "-F", "message"]);
    let lengths = rows(folder.path(), "SELECT length(message), length(summary) FROM git_commits");
    assert_eq!(lengths, [columns(&[&(huge.len() + 6).to_string(), "4"])]);
    // The path of a repository need not be UTF-8 either.
    fs::create_dir(&odd).expect("made");
    run(&odd, &["init", "-q", "-b", "main"]);
    run(&odd, &["commit", "-q", "--allow-empty", "-m", "Odd"]);
    for sql in [
        "SELECT repo, summary FROM git_commits WHERE summary = 'Odd'",
        "SELECT repo, head_ref FROM git_repositories WHERE is_empty = false AND name <> 'x' AND repo LIKE '%caf_'",
        "SELECT repo, commit_hash FROM git_refs WHERE repo LIKE '%caf_'",
    ] {
        let (seen, _) = ask(folder.path(), sql);
        assert!(seen.len() == 1 && seen[0].contains("caf\u{fffd}"), "{sql}: {seen:?}");
    }
}

/// Counts rows.
struct Count(usize);

impl Sink for Count {
    fn blocking_send(&mut self, batch: arrow_array::RecordBatch) -> bool {
        self.0 += batch.num_rows();
        true
    }

    fn send(&mut self, batch: arrow_array::RecordBatch) -> indago_table::scan::BoxFuture<'_, bool> {
        self.0 += batch.num_rows();
        Box::pin(async { true })
    }
}

/// Rows of a scan for commits at or after a time, with the number of objects and files read.
fn since(repository: &Path, seconds: i64) -> (usize, u64) {
    let from = Some(Scalar::Timestamp(seconds * 1_000_000));
    scan(
        repository,
        "git_commits",
        &["committer_date"],
        "committer_date",
        ColumnConstraint { from, ..Default::default() },
        None,
    )
}

/// Rows of one scan, with the number of objects and files read.
fn cost(
    repository: &Path,
    table: &str,
    wanted: &[&str],
    key: Option<(&str, &str)>,
    limit: Option<usize>,
) -> (usize, u64) {
    let (column, value) = key.unwrap_or(("repo", ""));
    let keys = key.map(|_| Arc::new(vec![Scalar::Text(value.to_owned())]));
    scan(repository, table, wanted, column, ColumnConstraint { keys, ..Default::default() }, limit)
}

fn scan(
    repository: &Path,
    table: &str,
    wanted: &[&str],
    constrained: &str,
    constraint: ColumnConstraint,
    limit: Option<usize>,
) -> (usize, u64) {
    let tables = tables(Git::with_roots(&Sys::live(), [GitRoot { path: repository.to_owned(), depth: 0 }]));
    let table = tables.iter().find(|other| other.spec().name == table).expect("a table");
    let column = |name: &str| table.spec().column(name).expect("a column");
    let mut columns: Vec<usize> = wanted.iter().map(|name| column(name)).collect();
    columns.sort_unstable();
    let mut constraints = Constraints::default();
    constraints.0.insert(column(constrained), constraint);
    let context = ScanContext { limit, constraints: Arc::new(constraints), ..ScanContext::new(columns) };
    let mut count = Count(0);
    for slice in table.slices(&context).expect("slices") {
        let Reading::Finding(find) = slice.reading else { panic!("git tables look for repositories") };
        let read = &mut |repository: Slice| match repository.reading {
            Reading::Blocking(read) => read(&mut count).is_ok(),
            other => panic!("a repository is read by blocking calls, not {other:?}"),
        };
        find(read).expect("the repositories are found and read");
    }
    (count.0, context.meter.calls())
}

#[test]
fn a_scan_reads_no_more_than_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let big = folder.path().join("big");
    git::big(&big, 3000).expect("a repository");
    let hash = run(&big, &["rev-parse", "main~5"]).trim().to_owned();

    let (rows, calls) = cost(&big, "git_commits", &["hash", "message"], None, None);
    assert_eq!(rows, 3000);
    assert!(calls < 3100, "{calls} reads: each commit once");
    let log = lines(&big, &["log", "--all", "--format=%H%x1f%ct%x1f%s"]);
    assert_eq!(self::rows(&big, "SELECT hash, unixepoch(committer_date), summary FROM git_commits"), log);
    let (rows, calls) = cost(&big, "git_commits", &["message"], Some(("hash", &hash)), None);
    assert!(rows == 1 && calls < 20, "{rows} rows, {calls} reads");
    let (rows, calls) = cost(&big, "git_commits", &["message"], None, Some(10));
    assert!(rows == 10 && calls < 80, "{rows} rows, {calls} reads");

    // A file list needs three trees per side, line counts two blobs more, and only if they are wanted.
    let (rows, calls) = cost(&big, "git_commit_files", &["path"], Some(("hash", &hash)), None);
    assert!(rows == 1 && calls < 25, "{rows} rows, {calls} reads");
    let few = cost(&big, "git_commit_files", &["path"], None, None);
    let all = cost(&big, "git_commit_files", &["path", "additions"], None, None);
    assert_eq!(few.0, all.0);
    assert!(few.1 + 2000 < all.1, "{few:?} {all:?}");
    // A path that never existed needs only the root tree.
    let none = cost(&big, "git_commit_files", &["path"], Some(("path", "absent/file")), None);
    assert!(none.0 == 0 && none.1 < 4 * 3000 + 100, "{none:?}");

    // With a commit graph, counting reads no commit at all.
    run(&big, &["commit-graph", "write", "--reachable"]);
    let (rows, calls) = cost(&big, "git_commits", &[], None, None);
    assert!(rows == 3000 && calls < 100, "{rows} rows, {calls} reads");
    // Late commits are found without the early ones.
    let (rows, calls) = since(&big, 1_700_000_000 + 2901 * 60);
    assert!((100..200).contains(&rows) && calls < 400, "{rows} rows, {calls} reads");
}

/// The same history in each storage format of git, made with `git` and `grow`.
const STORED: [(&str, &str); 6] = [
    ("loose", ""),
    ("offset deltas", "git repack -q -adf --depth=50 --window=50"),
    ("deltas by name", "git -c repack.useDeltaBaseOffset=false repack -q -adf --depth=50 --window=50"),
    ("an index of the first version", "git -c pack.indexVersion=1 repack -q -adf"),
    (
        "several packs",
        "git repack -q; for i in 1 2 3; do echo $i >> text; git commit -qam \"more $i\"; git repack -q; done",
    ),
    (
        "many packs and an index over them",
        "git repack -q -d; echo x >> text; git commit -qam x; git repack -q --write-midx",
    ),
];

#[test]
fn objects_are_read_however_they_are_stored() {
    for (what, pack) in STORED {
        let folder = tempfile::tempdir().expect("a folder");
        let make = format!(
            "git init -q -b main one; cd one; seq 1 3000 > text; mkdir -p a/b; seq 5 900 > a/b/c; git add .; git commit -qm first
             for i in $(seq 1 12); do sed -i \"$((i * 200))s/.*/line $i/\" text; echo $i >> a/b/c; git add .; git commit -qm \"change $i\"; done
             git tag -a v1 -m one; {pack}
             cd ..; git clone -q --shared one two; cd two; echo two > two; git add .; git commit -qm two
             cd ..; git clone -q --shared two three; git init -q -b main 'four \" ä'; cd four*; echo '\"../../../two/.git/\\157bjects\"' > .git/objects/info/alternates; git update-ref refs/heads/main $(git -C ../two rev-parse HEAD)"
        );
        bash(folder.path(), &make);
        for name in ["one", "two", "three", "four \" ä"] {
            let repository = folder.path().join(name);
            assert_eq!(rows(&repository, FILES), diff_tree(&repository), "{what}, {name}");
            let short = run(&repository, &["rev-parse", "--short=7", "HEAD~3"]).trim().to_owned();
            let sql = format!("SELECT count(*) FROM git_commits WHERE ref = '{short}'");
            assert_eq!(rows(&repository, &sql), [run(&repository, &["rev-list", "--count", &short]).trim()], "{what}");
        }
    }
}

/// A repository below `root` that leads in some way to one in `outside`, where every name contains "secret".
fn with_a_secret(folder: &Path, point: &str) {
    let make =
        "mkdir root outside; for r in root/inside outside/secret; do git init -q -b main $r; echo $r > $r/${r##*/}
         git -C $r add .; git -C $r commit -qm $r; done; git -C outside/secret config remote.secret.url ssh://secret
         out=$PWD/outside/secret; git -C $out branch secret; secret=$(git -C $out rev-parse HEAD)
         cd root/inside; echo $secret > .git/refs/heads/lead; rm .git/COMMIT_EDITMSG";
    bash(
        folder,
        &format!(
            "{make}
{point}"
        ),
    );
}

/// Ways in which a repository can lead to another one. `$out` is that one's directory, `$secret` a commit there.
const POINTERS: [(&str, &str); 11] = [
    ("objects is a link", "rm -r .git/objects; ln -s $out/.git/objects .git/objects"),
    (
        "a folder of objects is a link",
        "d=${secret:0:2}; rm -rf .git/objects/$d; ln -s $out/.git/objects/$d .git/objects/$d",
    ),
    (
        "an object is a link",
        "d=${secret:0:2}; mkdir -p .git/objects/$d; ln -s $out/.git/objects/$d/${secret:2} .git/objects/$d/",
    ),
    (
        "packs are a link",
        "git -C $out repack -qad; rm -rf .git/objects/pack; ln -s $out/.git/objects/pack .git/objects/pack",
    ),
    ("alternates", "echo $out/.git/objects > .git/objects/info/alternates"),
    (".git is a link", "rm -r .git; ln -s $out/.git .git"),
    (".git points out", "rm -r .git; echo gitdir: $out/.git > .git"),
    ("commondir points out", "echo $out/.git > .git/commondir"),
    (
        "refs are a link",
        "rm -r .git/refs; ln -s $out/.git/refs .git/refs; echo $out/.git/objects > .git/objects/info/alternates",
    ),
    (
        "packed-refs is a link",
        "git -C $out pack-refs --all; ln -s $out/.git/packed-refs .git/packed-refs; echo $out/.git/objects > .git/objects/info/alternates",
    ),
    ("the configuration includes a file", "git config include.path $out/.git/config"),
];

/// Rows of all tables that show data of the other repository, and the number of warnings.
fn led_out(ask: impl Fn(&str) -> (Vec<String>, Vec<Warning>)) -> (Vec<String>, usize) {
    let (mut seen, mut warned) = (Vec::new(), 0);
    for sql in [
        "SELECT hash, message FROM git_commits",
        "SELECT hash, path, new_blob, additions FROM git_commit_files",
        "SELECT name, object_type, commit_date FROM git_refs",
        "SELECT name, url FROM git_remotes",
        "SELECT remote_url, git_dir, common_dir FROM git_repositories",
    ] {
        let (rows, warnings) = ask(sql);
        seen.extend(rows.into_iter().filter(|row| row.contains("secret")));
        warned += warnings.len();
    }
    (seen, warned)
}

#[test]
fn a_repository_leads_out_of_evidence_to_nothing_and_says_so() {
    crate::support::needs_root();
    for (what, point) in POINTERS {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        with_a_secret(folder.path(), point);
        // Below a root.
        let below =
            |sql: &str| ask_git(Git::with_roots(&Sys::at(&root), [GitRoot { path: "/".into(), depth: 3 }]), sql);
        let (seen, warned) = led_out(below);
        assert!(seen.is_empty() && warned > 0, "{what}: {seen:?}");
        // On the running machine, as git does for the user's own repository.
        let live = |sql: &str| ask(&root, sql);
        assert!(!led_out(live).0.is_empty(), "{what}");
        // Another user's repository leads to files of its owner.
        bash(folder.path(), "chown -hR 12345:12345 root");
        let (seen, warned) = led_out(live);
        assert!(seen.is_empty() && warned > 0, "{what}: {seen:?}");
        // Everything outside its directories must belong to its owner; links inside its directories never lead out.
        bash(folder.path(), "chown -hR 12345:12345 outside");
        let inner = ["a folder of objects is a link", "an object is a link", "packs are a link", "refs are a link"];
        let (seen, warned) = led_out(live);
        let is_followed = !inner.contains(&what) && !what.starts_with("the configuration");
        assert_eq!(!seen.is_empty(), is_followed, "{what}: {seen:?}");
        assert!(is_followed || warned > 0, "{what}");
    }
}

#[test]
fn hostile_repositories_cost_little_and_their_neighbours_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    // Objects whose stated size is wrong, or that inflate to more than that; a tree that contains itself ten times, ten
    // levels deep; pipes in place of files; configuration that includes itself.
    let script = r#"
        deflate() { python3 -c 'import sys,zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))'; }
        for r in good claims grows zeros pipes includes deep/a/b/nested; do git init -q -b main $r; echo $r > $r/file; git -C $r add .; git -C $r commit -qm $r; done
        object() { local id=$(git -C $1 rev-parse "$2"); echo $1/.git/objects/${id:0:2}/${id:2}; }
        f=$(object claims HEAD:file); rm $f; printf 'blob 400000000\0x' | deflate > $f
        f=$(object grows HEAD:file); rm $f; { printf 'blob 6\0'; head -c 300000000 /dev/zero; } | deflate > $f
        f=$(object zeros HEAD:file); rm $f; { printf 'blob 300000000\0'; head -c 300000000 /dev/zero; } | deflate > $f
        cd deep/a/b; t=$(git -C nested rev-parse HEAD^{tree})
        for i in 1 2 3 4 5 6 7 8 9 10; do t=$(for j in 0 1 2 3 4 5 6 7 8 9; do printf '040000 tree %s\t%s\n' $t $j; done | git -C nested mktree); done
        git -C nested update-ref refs/heads/main $(git -C nested commit-tree -m bomb $t); cd ../../..
        rm pipes/.git/HEAD pipes/.git/config; mkfifo pipes/.git/HEAD pipes/.git/config pipes/.git/packed-refs pipes/.git/shallow pipes/.git/objects/info/alternates
        for i in $(seq 1 60); do printf '[include]\n\tpath = config\n' >> includes/.git/config; done
    "#;
    bash(folder.path(), script);
    for (sql, good) in [
        ("SELECT c.repo, path, additions FROM git_commit_files c", true),
        ("SELECT repo, message, additions FROM git_commits", true),
        ("SELECT repo, name FROM git_refs", true),
        ("SELECT repo, head_ref, remote_url FROM git_repositories", true),
        ("SELECT repo, url FROM git_remotes", false),
    ] {
        let (seen, warnings) = ask(folder.path(), sql);
        let has_good = seen.iter().any(|row| row.split(COLUMN).next().is_some_and(|repo| repo.ends_with("/good")));
        assert!(has_good == good && !warnings.is_empty(), "{sql}: {warnings:?}");
        let of_good: Vec<_> = warnings.iter().filter(|warning| warning.origin.contains("/good")).collect();
        assert!(of_good.is_empty(), "{sql}: {of_good:?}");
    }
    let said = |repository: &str, sql: &str| {
        let (_, warnings) = ask(&folder.path().join(repository), sql);
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let lines = "SELECT path, additions FROM git_commit_files";
    assert!(said("claims", lines).contains("400000000 bytes"), "{}", said("claims", lines));
    assert!(said("grows", lines).contains("does not inflate to its stated size"), "{}", said("grows", lines));
    assert!(said("zeros", lines).contains("300000000 bytes"), "{}", said("zeros", lines));
    // The search goes deeper than in other tests, which takes time.
    let nested = said("deep/a/b/nested", lines);
    assert!(nested.contains("files changed, too many"), "{nested}");
    assert!(said("includes", "SELECT * FROM git_remotes").contains("too many included files"));
    for sql in [lines, "SELECT head_ref, is_shallow, alternates FROM git_repositories", "SELECT name FROM git_refs"] {
        assert!(said("pipes", sql).contains("is a FIFO"), "{sql}: {}", said("pipes", sql));
    }
}

#[test]
fn a_damaged_object_is_an_error_only_where_there_is_no_other_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "git init -q -b main one; cd one; seq 100 > file; git add .; git commit -qm one; git repack -qad
                  git cat-file blob HEAD:file > ../copy; id=$(git rev-parse HEAD:file)
                  mkdir -p .git/objects/${id:0:2}; echo garbage > .git/objects/${id:0:2}/${id:2}";
    bash(folder.path(), script);
    let sql = "SELECT path, additions FROM git_commit_files";
    assert_eq!(rows(folder.path(), sql), [columns(&["file", "100"])]);
    bash(folder.path(), "cd one; p=$(ls .git/objects/pack/*.pack); chmod +w $p; : > $p");
    let (seen, warnings) = ask(folder.path(), sql);
    assert!(seen.is_empty() && !warnings.is_empty(), "{seen:?}");
}

#[test]
fn what_git_packs_meanwhile_is_found() {
    let bed = Repositories::new().expect("repositories");
    let normal = bed.normal();
    let hash = run(&normal, &["rev-parse", "main"]).trim().to_owned();
    let listed = lines(&normal, &["rev-list", "--all"]);
    run(&normal, &["repack", "-qad"]);
    run(&normal, &["prune-packed", "-q"]);
    assert_eq!(rows(&normal, "SELECT hash FROM git_commits"), listed);
    assert_eq!(rows(&normal, &format!("SELECT hash FROM git_commits WHERE hash = '{hash}'")), [hash]);
}

#[test]
fn whether_a_repository_is_bare_is_what_rev_parse_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = r#"
        git init -q -b main src; git -C src commit -q --allow-empty -m one
        mkdir proj; git clone -q --bare src proj/.bare; echo "gitdir: ./.bare" > proj/.git
        git -C proj worktree add -q wt main
        git init -q --separate-git-dir=sep.git sepwork
        git clone -q --bare src bare.git
        cp -r bare.git noconfig.git; rm noconfig.git/config
        cp -r src noconfig; rm noconfig/.git/config
        mkdir linked; ln -s ../src/.git linked/.git
        git init -q -b main outer; git -C outer -c protocol.file.allow=always submodule --quiet add ../src vendor/web
        git -C src worktree add -q ../swt -b side
        cp -r bare.git corewt.git; git -C corewt.git config core.bare false; git -C corewt.git config core.worktree "$PWD/linked"
        cp -r src barenow; git -C barenow config core.bare true
        cp -r src mixed; git -C mixed config core.worktree ../../outer
        cp -r src wtc; git -C wtc config extensions.worktreeConfig true; git -C wtc config --worktree core.bare true
        git -C wtc worktree add -q ../wtcw -b z
    "#;
    bash(folder.path(), script);
    let root = folder.path().canonicalize().expect("a path");
    for name in [
        "src",
        "proj",
        "proj/.bare",
        "proj/wt",
        "proj/.bare/worktrees/wt",
        "sepwork",
        "sep.git",
        "bare.git",
        "noconfig.git",
        "noconfig",
        "noconfig/.git",
        "linked",
        "linked/.git",
        "outer",
        "outer/vendor/web",
        "outer/.git/modules/vendor/web",
        "swt",
        "src/.git",
        "src/.git/worktrees/swt",
        "corewt.git",
        "barenow",
        "barenow/.git",
        "mixed",
        "mixed/.git",
        "wtc",
        "wtcw",
    ] {
        let repository = root.join(name);
        let say = |what: &str| run(&repository, &["rev-parse", "--path-format=absolute", what]).trim().to_owned();
        let sql = format!(
            "SELECT is_bare, git_dir, common_dir, path FROM git_repositories WHERE repo = '{}'",
            repository.display()
        );
        let seen = rows(&root, &sql);
        assert_eq!(seen.len(), 1, "{name}");
        let cells: Vec<&str> = seen[0].split(COLUMN).collect();
        let expected = [say("--is-bare-repository"), say("--absolute-git-dir"), say("--git-common-dir")];
        assert_eq!(cells[..3], expected.each_ref().map(String::as_str), "{name}");
        let top =
            git::git().arg("-C").arg(&repository).args(["rev-parse", "--show-toplevel"]).output().expect("git runs");
        if top.status.success() {
            assert_eq!(cells[3], String::from_utf8_lossy(&top.stdout).trim(), "{name}");
        }
    }
    // Each repository once, with a path that finds it again.
    let found = rows(
        &root,
        "SELECT a.repo, a.git_dir FROM git_repositories a JOIN git_repositories b ON b.repo = a.repo AND b.git_dir = a.git_dir",
    );
    let folders: BTreeSet<_> = found.iter().map(|row| row.split(COLUMN).nth(1).expect("a path").to_owned()).collect();
    assert_eq!(found.len(), folders.len(), "{found:#?}");
    assert!(
        found.contains(&columns(&[
            &root.join("proj/.bare").to_string_lossy(),
            &root.join("proj/.bare").to_string_lossy()
        ])),
        "{found:#?}"
    );
}

#[test]
fn refs_in_reftables_are_those_of_for_each_ref() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "git init -q --ref-format=reftable -b main empty
        git init -q --ref-format=reftable -b main few; cd few; git commit -q --allow-empty -m one; git tag -a v1 -m v1; git branch old; git branch -D old
        git symbolic-ref refs/remotes/origin/HEAD refs/heads/main; cd ..
        git init -q --ref-format=reftable -b trunk many; cd many; git commit -q --allow-empty -m one; git commit -q --allow-empty -m two
        for i in $(seq 1 3000); do echo create refs/heads/branch/number$i HEAD~$((i % 2)); done | git update-ref --stdin
        git branch -m branch/number7 branch/zero; git worktree add -q ../wt branch/zero; git checkout -q --detach; git refs verify || true";
    bash(folder.path(), script);
    for (name, head) in [
        ("empty", Some("refs/heads/main")),
        ("few", Some("refs/heads/main")),
        ("many", None),
        ("wt", Some("refs/heads/branch/zero")),
    ] {
        let repository = folder.path().join(name);
        let format = "--format=%(refname)%1f%(objectname)%1f%(symref)";
        let listed: Vec<String> = lines(&repository, &["for-each-ref", format])
            .iter()
            .map(|line| line.strip_suffix(COLUMN).map_or(line.clone(), |line| format!("{line}{COLUMN}NULL")))
            .collect();
        assert_eq!(rows(&repository, "SELECT full_name, hash, target FROM git_refs"), listed, "{name}");
        let hash = git::git()
            .arg("-C")
            .arg(&repository)
            .args(["rev-parse", "-q", "--verify", "HEAD"])
            .output()
            .expect("git runs");
        let hash = String::from_utf8_lossy(&hash.stdout).trim().to_owned();
        let expected = columns(&[
            head.unwrap_or("NULL"),
            &head.is_none().to_string(),
            if hash.is_empty() { "NULL" } else { &hash },
            &hash.is_empty().to_string(),
            "reftable",
        ]);
        let sql = "SELECT head_ref, is_detached, head_hash, is_empty, ref_format FROM git_repositories";
        assert_eq!(rows(&repository, sql), [expected], "{name}");
        assert_eq!(rows(&repository, "SELECT head_ref FROM git_repositories"), [head.unwrap_or("NULL")], "{name}");
        if !hash.is_empty() {
            let count = run(&repository, &["rev-list", "--all", "--count"]);
            assert_eq!(rows(&repository, "SELECT count(*) FROM git_commits"), [count.trim()], "{name}");
        }
    }
    // A truncated reftable is reported by name.
    bash(folder.path(), "cd few/.git/reftable; for f in *.ref; do truncate -s -9 $f; done");
    for sql in ["SELECT head_ref FROM git_repositories", "SELECT name FROM git_refs", "SELECT hash FROM git_commits"] {
        let (seen, warnings) = ask(&folder.path().join("few"), sql);
        assert!(seen.is_empty() || seen == ["NULL"], "{sql}: {seen:?}");
        let said = warnings.iter().any(|warning| warning.origin.contains("few") && warning.message.contains(".ref"));
        assert!(said || warnings.iter().any(|warning| warning.to_string().contains(".ref")), "{sql}: {warnings:?}");
    }
}

#[test]
fn a_repository_of_sha256_says_what_it_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    bash(folder.path(), "git init -q --object-format=sha256 -b main new; cd new; git commit -q --allow-empty -m one");
    let new = folder.path().join("new");
    let heads = "SELECT head_ref, is_detached, object_format, is_bare FROM git_repositories";
    assert_eq!(rows(&new, heads), [columns(&["refs/heads/main", "false", "sha256", "false"])]);
    bash(folder.path(), "cd new; git checkout -q --detach");
    assert_eq!(rows(&new, heads), [columns(&["NULL", "true", "sha256", "false"])]);
    for sql in [
        "SELECT hash FROM git_commits",
        "SELECT path FROM git_commit_files",
        "SELECT name FROM git_refs",
        "SELECT head_hash FROM git_repositories",
    ] {
        let (seen, warnings) = ask(&new, sql);
        assert!(seen.is_empty() || seen == ["NULL"], "{sql}: {seen:?}");
        let said = warnings.iter().map(ToString::to_string).collect::<String>();
        assert!(said.contains("sha256") && said.contains("/new"), "{sql}: {said}");
    }
}

#[test]
fn commits_in_any_encoding_are_what_git_log_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let texts = [
        ("cp1251", "Привет, мир"),
        ("windows-1251", "Ёлка №5"),
        ("KOI8-R", "Привет, мир"),
        ("koi8-u", "Їжак"),
        ("Shift_JIS", "日本語 〜 ‖ ー カナ 100¥"),
        ("SJIS", "テスト"),
        ("CP932", "①テスト～\\"),
        ("EUC-JP", "日本語 〜 − ｶﾅ \\"),
        ("ISO-2022-JP", "日本語のコミット"),
        ("GBK", "中文提交 — ·"),
        ("GB2312", "中文 ― ・"),
        ("GB18030", "中文 𠀀"),
        ("Big5", "中文提交"),
        ("EUC-KR", "한국어"),
        ("ISO-8859-2", "Zażółć gęślą jaźń"),
        ("latin2", "Őrült"),
        ("ISO-8859-1", "René ÿ"),
        ("iso8859-15", "10 € œuf"),
        ("cp1252", "“quoted” – €"),
        ("CP850", "Größe"),
        ("UTF-8", "Größe"),
    ];
    run(folder.path(), &["init", "-q", "-b", "main"]);
    let commit = |header: &str, bytes: &[u8]| {
        let tree = run(folder.path(), &["mktree", "--missing"]);
        let parent = git::git().arg("-C").arg(folder.path()).args(["rev-parse", "-q", "--verify", "main"]).output();
        let parent = String::from_utf8_lossy(&parent.expect("git runs").stdout).trim().to_owned();
        let parent = if parent.is_empty() { String::new() } else { format!("parent {parent}\n") };
        let person = [bytes, b" <a@example.test> 1700000000 +0200"].concat();
        let raw = [
            format!("tree {}\n{parent}author ", tree.trim()).as_bytes(),
            &person,
            b"\ncommitter ",
            &person,
            format!("\n{header}\n").as_bytes(),
            bytes,
            b"\n\nbody ",
            bytes,
            b"\n",
        ]
        .concat();
        let file = folder.path().join("raw");
        fs::write(&file, raw).expect("written");
        let id = run(folder.path(), &["hash-object", "-t", "commit", "-w", "--literally", "raw"]);
        run(folder.path(), &["update-ref", "refs/heads/main", id.trim()]);
    };
    let encode = |name: &str, text: &str| {
        let file = folder.path().join("text");
        fs::write(&file, text).expect("written");
        let output = std::process::Command::new("iconv").args(["-f", "UTF-8", "-t", name]).arg(&file).output();
        let output = output.expect("iconv runs");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    for (name, text) in texts {
        commit(&format!("encoding {name}\n"), &encode(name, text));
    }
    // Unknown names, other names of encodings, two headers, bytes that the encoding does not have, no header.
    commit("encoding x-no-such-thing\n", "Größe".as_bytes());
    commit("encoding  cp1251 \n", &encode("cp1251", "Привет"));
    commit("encoding cp1251\nencoding koi8-r\n", &encode("cp1251", "Привет"));
    commit("encoding US-ASCII\n", "Größe".as_bytes());
    commit("encoding Shift_JIS\n", "back\\slash ~ only".as_bytes());
    commit("", "Größe".as_bytes());
    let log = run(folder.path(), &["log", "--format=%H%x1f%an%x1f%cn%x1f%s%x1f%B%x1e"]);
    let mut expected: Vec<String> =
        log.split('\u{1e}').map(|row| row.trim().to_owned()).filter(|row| !row.is_empty()).collect();
    expected.sort();
    let sql = "SELECT hash, author_name, committer_name, summary, message FROM git_commits";
    let (mut seen, _) = ask(folder.path(), sql);
    seen.sort();
    let seen: Vec<String> = seen.iter().map(|row| row.trim().to_owned()).collect();
    let wrong: Vec<_> = expected.iter().zip(&seen).filter(|(expected, seen)| expected != seen).collect();
    assert!(expected.len() == seen.len() && wrong.len() == KNOWN_WRONG, "{wrong:#?}");
    // Bytes that are invalid in the encoding are unchanged, and reported.
    commit("encoding cp1251\n", b"\x98\xcf\xf0");
    commit("", b"Ren\xe9");
}

/// A commit in code page 850, which `encoding_rs` does not have.
const KNOWN_WRONG: usize = 1;
