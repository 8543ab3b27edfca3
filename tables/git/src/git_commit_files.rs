//! `git_commit_files`: one row per file that a commit changes, compared with its first parent.

use std::sync::Arc;

use indago_table::Pattern;
use indago_table::prelude::*;

use crate::git_commits::{Found, Step, history};
use crate::source::find::Place;
use crate::source::tree::{Change, Filter, Side, Start};
use crate::source::walk::Wants;
use crate::source::{commit, lines};
use crate::{Git, places};

/// Files that each commit changes, compared with its first parent.
///
/// The first commit adds all its files, as does the oldest commit of a shallow clone. A merge shows the changes that it
/// brought to its first parent. Renames are found by git's rules (`git log -M`: at least half of the content is the
/// same). The content decides whether a file is binary, not `.gitattributes`.
#[derive(Debug, Default, Table)]
#[table(name = "git_commit_files", env = Git, parts, rows = 60000, identity(repo, hash, parent_hash, path))]
#[example(
    "Changes of the checked-out commit.",
    "SELECT f.path, f.status, f.additions, f.deletions FROM git_repositories r \
     JOIN git_commit_files f ON f.repo = r.repo AND f.hash = r.head_hash LIMIT 10"
)]
#[example(
    "Commits that changed a file.",
    "SELECT hash, status, additions, deletions FROM git_commit_files WHERE path = 'Cargo.toml' LIMIT 10"
)]
pub struct CommitFile {
    /// Repository: the path of its working tree, or of a bare repository itself. A query may name any repository on
    /// disk.
    #[column(slice, extends, pattern)]
    repo: Arc<str>,
    /// Hash of the commit: 40 hexadecimal digits.
    #[column(index, extends)]
    hash: String,
    /// Hash of the first parent, with which the commit is compared; NULL for a commit without parents.
    parent_hash: Option<String>,
    /// Path of the file in the repository: after the commit, or before it if the commit deletes the file.
    #[column(index, pattern)]
    path: String,
    /// Previous path of a renamed file; NULL for other changes.
    old_path: Option<String>,
    /// Kind of change: `added`, `modified`, `deleted`, `renamed`, or `typechange` (between a file, a link and a
    /// submodule).
    status: String,
    /// Similarity of a renamed file before and after, in percent; NULL for other changes.
    similarity: Option<i64>,
    /// Lines added; NULL for a binary file.
    #[column(source = lines)]
    additions: Option<i64>,
    /// Lines deleted; NULL for a binary file.
    #[column(source = lines)]
    deletions: Option<i64>,
    /// Whether it is binary before or after: a NUL among its first 8000 bytes, or more than 512 MiB.
    #[column(source = lines)]
    is_binary: Option<bool>,
    /// Mode before, in octal: `100644` a file, `100755` a program, `120000` a link, `160000` a submodule; NULL if it is
    /// new.
    old_mode: Option<String>,
    /// Mode after, in octal; NULL if it is deleted.
    new_mode: Option<String>,
    /// Hash of the content before (of a submodule: its commit); NULL if the file is new.
    old_blob: Option<String>,
    /// Hash of the content after (of a submodule: its commit); NULL if the file is deleted.
    new_blob: Option<String>,
    /// Revision whose history is read: a branch, a tag, a hash, `HEAD~3`, or a range like `main..feature`; NULL if the
    /// query names none: the commits come from all refs together.
    #[column(slice, selects, hidden)]
    r#ref: Option<String>,
    /// Location of the repository.
    #[column(skip)]
    place: Option<Arc<Place>>,
}

impl RowParts for CommitFile {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<impl Iterator<Item = Place>> {
        Ok(places(scan, Self::REPO))
    }

    fn rows(scan: &Scan<Self>, place: Place) -> Result<impl Iterator<Item = Self>> {
        let refs: Option<Vec<Arc<str>>> = scan.keys(Self::REF).map(|refs| refs.into_iter().map(Arc::from).collect());
        let named = scan.named_keys(Self::REF).is_some();
        let hashes = scan.keys(Self::HASH);
        let starts = scan.patterns(Self::PATH).iter().filter(|like| !like.prefix().is_empty());
        let start = |like: &Pattern| Start { text: like.prefix().to_owned(), ignore_case: like.ignore_case };
        let filter = Filter { paths: scan.keys(Self::PATH), starts: starts.map(start).collect() };
        let repo = place.repo.clone();
        let report = crate::reporter(scan, &repo);
        let place = Arc::new(place);
        let commits =
            history(scan.env().sys(), place.clone(), hashes.as_deref(), refs.as_deref(), named, Wants::CONTENT, report);
        Ok(commits
            .take_while(|_| !scan.is_done())
            .filter(move |found| hashes.as_ref().is_none_or(|hashes| hashes.contains(&commit::hex(found.id))))
            .flat_map(move |found| files(scan, &place, &found, &filter)))
    }
}

fn files<'a>(
    scan: &'a Scan<CommitFile>,
    place: &Arc<Place>,
    found: &Found,
    filter: &Filter,
) -> impl Iterator<Item = CommitFile> + use<'a> {
    let changes = Step::of(&found.store, found.id, &found.raw)
        .and_then(|step| Ok((step.parent, step.changes(&found.store, filter)?)));
    let (parent, changes) = match changes {
        Ok(changes) => changes,
        Err(error) => {
            let hash = commit::hex(found.id);
            crate::reporter(scan, &place.repo)(
                "changes",
                &Error::Malformed(format!("changes of commit {hash}: {error}")),
            );
            (None, Vec::new())
        }
    };
    let (hash, sys) = (commit::hex(found.id), scan.env().sys());
    let (place, revision) = (place.clone(), found.revision.clone());
    let mode = |side: Option<Side>| side.map(|side| format!("{:06o}", side.mode));
    let blob = |side: Option<Side>| side.map(|side| commit::hex(side.id));
    let row = move |change: Change| CommitFile {
        repo: place.repo.clone(),
        place: Some(place.clone()),
        hash: hash.clone(),
        parent_hash: parent.map(commit::hex),
        path: sys.text(&change.path),
        status: change.status().to_owned(),
        old_path: change.renamed.as_ref().map(|(path, _)| sys.text(path)),
        similarity: change.renamed.as_ref().map(|(_, score)| (score * 100 / crate::source::rename::MOST) as i64),
        old_mode: mode(change.old),
        new_mode: mode(change.new),
        old_blob: blob(change.old),
        new_blob: blob(change.new),
        r#ref: revision.as_deref().map(str::to_owned),
        ..CommitFile::default()
    };
    changes.into_iter().map(row)
}

impl CommitFile {
    fn lines(&mut self, git: &Git) -> Result<()> {
        let side = |mode: &Option<String>, blob: &Option<String>| {
            let mode = u32::from_str_radix(mode.as_deref()?, 8).ok()?;
            Some(Side { mode, id: commit::id(blob.as_deref()?.as_bytes())? })
        };
        let (old, new) = (side(&self.old_mode, &self.old_blob), side(&self.new_mode, &self.new_blob));
        let store = git.store(&self.place)?;
        let counts = lines::count(&store, &Change { path: Vec::new(), old, new, renamed: None })?;
        self.is_binary = Some(counts.is_none());
        (self.additions, self.deletions) = counts.unzip();
        Ok(())
    }
}
