//! Git repositories of every kind, the same on every run.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::beds::kube_api::feed;
use crate::error::{Context, Result};
use crate::install;

const SCRIPT: &str = include_str!("../../beds/git-repositories.sh");

/// One repository of each kind in one directory.
#[derive(Debug)]
pub struct Repositories {
    root: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

impl Repositories {
    /// Creates them in a temporary directory.
    pub fn new() -> Result<Repositories> {
        let folder = tempfile::tempdir().context(|| "cannot create a temporary directory".to_owned())?;
        let repositories = Repositories::at(folder.path())?;
        Ok(Repositories { _folder: Some(folder), ..repositories })
    }

    /// Creates them in this directory, which is kept.
    pub fn at(root: &Path) -> Result<Repositories> {
        fs::create_dir_all(root).context(|| format!("cannot create {}", root.display()))?;
        let root = root.canonicalize().context(|| format!("cannot find {}", root.display()))?;
        let mut bash = Command::new("bash");
        isolate(&mut bash);
        feed(bash.current_dir(&root), SCRIPT.as_bytes())?;
        Ok(Repositories { root, _folder: None })
    }

    /// Directory that contains them.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Merges, a rename, a deletion, a binary file, branches, annotated and lightweight tags, notes, remotes, a stash,
    /// and a working tree without submodules, with staged, changed, untracked and ignored files. Branch `main`.
    pub fn normal(&self) -> PathBuf {
        self.root.join("normal")
    }

    /// A bare clone of [`Repositories::normal`].
    pub fn bare(&self) -> PathBuf {
        self.root.join("bare.git")
    }

    /// A repository without commits.
    pub fn empty(&self) -> PathBuf {
        self.root.join("empty")
    }

    /// A shallow clone with the last two commits of [`Repositories::normal`].
    pub fn shallow(&self) -> PathBuf {
        self.root.join("shallow")
    }

    /// A second working tree of [`Repositories::normal`], on branch `side`.
    pub fn worktree(&self) -> PathBuf {
        self.root.join("worktree")
    }

    /// HEAD is a commit, not a branch.
    pub fn detached(&self) -> PathBuf {
        self.root.join("detached")
    }

    /// An object of its history is malformed, another is missing, and a branch does not name an object.
    pub fn corrupt(&self) -> PathBuf {
        self.root.join("corrupt")
    }

    /// Author, message, branch and file names that are not UTF-8; newlines and quotes in names.
    pub fn names(&self) -> PathBuf {
        self.root.join("names")
    }

    /// Not a repository: a directory with a file.
    pub fn none(&self) -> PathBuf {
        self.root.join("none")
    }
}

/// Creates a repository at `path` with `commits` commits on `main`, by `git fast-import`: 20 authors, 500 files in 25
/// directories, a tag every 1000 commits, a merge every 100.
pub fn big(path: &Path, commits: usize) -> Result<()> {
    fs::create_dir_all(path).context(|| format!("cannot create {}", path.display()))?;
    install::run(git().args(["init", "-q", "-b", "main"]).arg(path))?;
    let mut stream = String::with_capacity(commits * 330);
    let mut add = |part: std::fmt::Arguments<'_>| stream.write_fmt(part).expect("writing to a string does not fail");
    for i in 1..=commits {
        let (author, time) = (i % 20, 1_700_000_000 + i * 60);
        let subject = if i % 50 == 0 {
            format!("Fix crash in part {} (CVE-2026-{i:05})", i % 25)
        } else {
            format!("Change {i} of file {}", i % 500)
        };
        let message = format!("{subject}\n\nSigned-off-by: Author {author} <author{author}@example.test>\n");
        let data = format!("file {} at {i}\n", i % 500);
        add(format_args!(
            "commit refs/heads/main\nmark :{i}\nauthor Author {author} <author{author}@example.test> {time} +0100\ncommitter Bot <bot@example.test> {} +0000\ndata {}\n{message}",
            time + 5,
            message.len()
        ));
        if i > 1 {
            add(format_args!("from :{}\n", i - 1));
        }
        if i % 100 == 0 {
            add(format_args!("merge :{}\n", i - 50));
        }
        add(format_args!("M 100644 inline part{}/file{}.txt\ndata {}\n{data}\n", i % 25, i % 500, data.len()));
        if i % 1000 == 0 {
            let text = format!("Release {}\n", i / 1000);
            add(format_args!(
                "tag v{}\nfrom :{i}\ntagger Bot <bot@example.test> {time} +0000\ndata {}\n{text}\n",
                i / 1000,
                text.len()
            ));
        }
    }
    feed(git().arg("-C").arg(path).args(["fast-import", "--quiet"]), stream.as_bytes())?;
    install::run(git().arg("-C").arg(path).args(["reset", "-q", "--hard", "main"]))
}

/// git without this machine's configuration.
pub fn git() -> Command {
    let mut command = Command::new("git");
    isolate(&mut command);
    command
}

fn isolate(command: &mut Command) {
    for (name, value) in std::env::vars_os() {
        drop(value);
        if name.as_bytes().starts_with(b"GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.test")
        .env("GIT_COMMITTER_NAME", "Carl")
        .env("GIT_COMMITTER_EMAIL", "carl@example.test");
}
