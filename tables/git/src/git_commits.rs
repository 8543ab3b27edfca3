//! `git_commits`: one row per commit, read from the commit objects.

use std::sync::Arc;

use git2::ObjectType;
use indago_table::prelude::*;

use crate::source::ahead::Ahead;
use crate::source::commit::{self, Commit as Object};
use crate::source::find::Place;
use crate::source::refs::Refs;
use crate::source::revision::Range;
use crate::source::store::Store;
use crate::source::walk::{Walk, Wants};
use crate::source::{lines, rename, tree};
use crate::{Git, places};

/// Commits of git repositories, with authors, dates and messages.
///
/// Without `ref`, these are all commits reachable from any branch, tag, stash, note or working tree, as `git log --all`
/// shows them, newest first. A commit that the query names by `hash` is found even if it is no longer reachable. Where
/// a shallow clone ends, commits have no parents. Replacements and grafts are ignored.
#[derive(Debug, Default, Table)]
#[table(name = "git_commits", env = Git, parts, rows = 20000, identity(repo, hash))]
#[example(
    "The latest commits of the checked-out branch.",
    "SELECT hash, author_name, author_date, summary FROM git_commits WHERE ref = 'HEAD' ORDER BY author_date DESC LIMIT 5"
)]
#[example(
    "Commits whose author and committer differ.",
    "SELECT author_email, committer_email, count(*) AS commits FROM git_commits \
     WHERE author_email <> committer_email GROUP BY author_email, committer_email ORDER BY commits DESC LIMIT 5"
)]
pub struct Commit {
    /// Repository: the path of its working tree, or of a bare repository itself. A query may name any repository on
    /// disk.
    #[column(slice, extends, pattern)]
    repo: Arc<str>,
    /// Hash of the commit: 40 hexadecimal digits.
    #[column(index, extends)]
    hash: String,
    /// First paragraph of the message, in one line.
    summary: String,
    /// Entire message, without line breaks at its end.
    message: String,
    /// Name of the author, who wrote the change.
    author_name: String,
    /// Mail address of the author.
    author_email: String,
    /// Time at which the change was written, by the author's clock; NULL if the commit has no valid time.
    author_date: Option<Timestamp>,
    /// The author's offset from UTC, as `+0200`.
    author_timezone: Option<String>,
    /// Name of the committer, who made the commit.
    committer_name: String,
    /// Mail address of the committer.
    committer_email: String,
    /// Time at which the commit was made, by the committer's clock; NULL if the commit has no valid time. For queries
    /// of recent commits, the table skips older history if a commit graph (`git gc`) has its dates.
    #[column(range)]
    committer_date: Option<Timestamp>,
    /// The committer's offset from UTC, as `+0200`.
    committer_timezone: Option<String>,
    /// Hashes of the parents; the first one is the branch that the commit was made on.
    parents: Vec<String>,
    /// Number of parents: 0 for a first commit, more than 1 for a merge.
    parent_count: i64,
    /// Whether it has more than one parent.
    is_merge: bool,
    /// Hash of the tree, the snapshot of all files; NULL in a malformed commit.
    tree_hash: Option<String>,
    /// Encoding that the commit declares for its texts; NULL for UTF-8.
    encoding: Option<String>,
    /// Whether it has a signature. The signature is not verified.
    is_signed: bool,
    /// Kind of the signature: `openpgp`, `ssh`, `x509` or `unknown`; NULL if there is none.
    signature_format: Option<String>,
    /// Armoured signature; NULL if there is none.
    #[column(hidden)]
    signature: Option<String>,
    /// Number of files that differ from the first parent; a renamed file counts once.
    #[column(source = changes)]
    files_changed: Option<i64>,
    /// Lines added compared with the first parent, without those of binary files.
    #[column(source = line_changes)]
    additions: Option<i64>,
    /// Lines deleted compared with the first parent, without those of binary files.
    #[column(source = line_changes)]
    deletions: Option<i64>,
    /// Revision whose history is read: a branch, a tag, a hash, `HEAD~3`, or a range like `main..feature`. A revision
    /// that does not name a commit has no rows, with a note. NULL if the query names none: the row comes from all refs
    /// together.
    #[column(slice, selects, hidden)]
    r#ref: Option<String>,
    /// Location of the repository.
    #[column(skip)]
    place: Option<Arc<Place>>,
}

impl RowParts for Commit {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<impl Iterator<Item = Place>> {
        Ok(places(scan, Self::REPO))
    }

    fn rows(scan: &Scan<Self>, place: Place) -> Result<impl Iterator<Item = Self>> {
        let keyed = scan.keys(Self::HASH).is_some();
        let refs: Option<Vec<Arc<str>>> = scan.keys(Self::REF).map(|refs| refs.into_iter().map(Arc::from).collect());
        let hashes = scan.keys(Self::HASH);
        let names = [Self::REPO.position(), Self::HASH.position(), Self::REF.position()];
        let wants = Wants {
            content: scan.wanted().iter().enumerate().any(|(column, wanted)| *wanted && !names.contains(&column)),
            since: scan.range(Self::COMMITTER_DATE).0.map(|from| from.0.div_euclid(1_000_000)),
        };
        let repo = place.repo.clone();
        let report = crate::reporter(scan, &repo);
        let place = Arc::new(place);
        let commits = history(
            scan.env().sys(),
            place.clone(),
            hashes.as_deref(),
            refs.as_deref(),
            scan.named_keys(Self::REF).is_some(),
            wants,
            report,
        );
        Ok(commits.map(move |found| found.row(scan, &place, keyed)))
    }
}

/// A commit that a scan found.
pub(crate) struct Found {
    pub(crate) store: Arc<Store>,
    pub(crate) id: git2::Oid,
    pub(crate) raw: Vec<u8>,
    /// The revision whose history it is in, if the query names one.
    pub(crate) revision: Option<Arc<str>>,
}

/// The note for a revision that the query names.
fn no_commit(revision: &str) -> Error {
    Error::Absent(format!("`{revision}` names no commit in this repository"))
}

/// The commits of a repository: those with the given hashes, the history of the given revisions, or all. Commits that
/// cannot be read are reported and skipped.
pub(crate) fn history<'a>(
    sys: &'a Sys,
    place: Arc<Place>,
    hashes: Option<&[String]>,
    revisions: Option<&[Arc<str>]>,
    are_named: bool,
    wants: Wants,
    report: impl Fn(&str, &Error) + 'a,
) -> Box<dyn Iterator<Item = Found> + 'a> {
    let store = match Store::open(sys, place) {
        Ok(store) => Arc::new(store),
        Err(error) => {
            report("objects", &error);
            return Box::new(std::iter::empty());
        }
    };
    store.problems.iter().for_each(|problem| report("objects", problem));
    let is_short = |hash: &&String| hash.len() < 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(hash) = hashes.iter().copied().flatten().find(is_short) {
        let why = format!("`{hash}` is not a full hash of 40 digits; use `ref = '{hash}'` for a shorter one");
        report("commits", &Error::Absent(why));
    }
    if let (Some(hashes), None) = (hashes, revisions) {
        let mut ids: Vec<_> = hashes.iter().filter_map(|hash| commit::id(hash.as_bytes())).collect();
        ids.sort_unstable();
        ids.dedup();
        return Box::new(ids.into_iter().filter_map(move |id| match store.find(id) {
            Ok(Some((ObjectType::Commit, raw))) => Some(Found { store: store.clone(), id, raw, revision: None }),
            Ok(_) => None,
            Err(error) => {
                report("commits", &error);
                None
            }
        }));
    }
    let refs = match Refs::read(&store.place) {
        Ok(refs) => refs,
        Err(error) => {
            report("refs", &error);
            return Box::new(std::iter::empty());
        }
    };
    // The walk opens the objects again, so that it does not wait for a lock while rows use the other handle.
    let walked = match Store::open(sys, store.place.clone()) {
        Ok(store) => Arc::new(store),
        Err(_) => store.clone(),
    };
    let mut walks: Vec<(Option<Arc<str>>, Walk)> = Vec::new();
    match revisions {
        None => {
            refs.problems.iter().for_each(|problem| report("refs", problem));
            walks.push((None, Walk::everything(walked, &refs, wants)));
        }
        Some(revisions) => {
            let mut revisions = revisions.to_vec();
            revisions.sort_unstable();
            revisions.dedup();
            for revision in revisions {
                match Range::parse(&store, &refs, &revision) {
                    Ok(Some(range)) => walks.push((Some(revision), Walk::range(walked.clone(), &range, wants))),
                    Ok(None) if are_named => report("refs", &no_commit(&revision)),
                    Ok(None) => {}
                    Err(error) => report("commits", &error),
                }
            }
        }
    }
    let report = Arc::new(report);
    Box::new(walks.into_iter().flat_map(move |(revision, walk)| {
        let (store, report) = (store.clone(), report.clone());
        Ahead::new(walk).filter_map(move |step| match step {
            Ok((id, raw)) => Some(Found { store: store.clone(), id, raw, revision: revision.clone() }),
            Err(error) => {
                report("commits", &error);
                None
            }
        })
    }))
}

impl Found {
    fn row(self, scan: &Scan<Commit>, place: &Arc<Place>, keyed: bool) -> Commit {
        let object = Object::parse(&self.raw);
        let (author, committer) = (object.author(), object.committer());
        let sys = scan.env().sys();
        let text = |bytes| object.decode(sys, bytes);
        let mut row = Commit {
            repo: place.repo.clone(),
            place: Some(place.clone()),
            r#ref: self.revision.as_deref().map(str::to_owned),
            author_date: author.date(),
            committer_date: committer.date(),
            is_signed: object.signature_format().is_some(),
            ..Commit::default()
        };
        if keyed
            || scan.wants(Commit::HASH)
            || scan.wants(Commit::FILES_CHANGED)
            || scan.wants(Commit::ADDITIONS)
            || scan.wants(Commit::DELETIONS)
        {
            row.hash = commit::hex(self.id);
        }
        if scan.wants(Commit::SUMMARY) {
            row.summary = object.summary(sys);
        }
        if scan.wants(Commit::MESSAGE) {
            row.message = object.message(sys);
        }
        if scan.wants(Commit::AUTHOR_NAME) {
            row.author_name = text(author.name);
        }
        if scan.wants(Commit::AUTHOR_EMAIL) {
            row.author_email = text(author.email);
        }
        if scan.wants(Commit::AUTHOR_TIMEZONE) {
            row.author_timezone = author.timezone(sys);
        }
        if scan.wants(Commit::COMMITTER_NAME) {
            row.committer_name = text(committer.name);
        }
        if scan.wants(Commit::COMMITTER_EMAIL) {
            row.committer_email = text(committer.email);
        }
        if scan.wants(Commit::COMMITTER_TIMEZONE) {
            row.committer_timezone = committer.timezone(sys);
        }
        if scan.wants(Commit::PARENTS) || scan.wants(Commit::PARENT_COUNT) || scan.wants(Commit::IS_MERGE) {
            let parents = self.store.parents(self.id, &object);
            row.parent_count = parents.len() as i64;
            row.is_merge = parents.len() > 1;
            row.parents = parents.into_iter().map(commit::hex).collect();
        }
        if scan.wants(Commit::TREE_HASH) {
            row.tree_hash = object.tree().map(commit::hex);
        }
        if scan.wants(Commit::SIGNATURE_FORMAT) {
            row.signature_format = object.signature_format().map(str::to_owned);
        }
        if scan.wants(Commit::SIGNATURE) {
            row.signature = object.signature(sys);
        }
        if scan.wants(Commit::ENCODING) {
            row.encoding = object.encoding(sys);
        }
        row
    }
}

/// The trees before and after a commit, and its first parent.
pub(crate) struct Step {
    pub(crate) parent: Option<git2::Oid>,
    pub(crate) before: Option<git2::Oid>,
    pub(crate) after: Option<git2::Oid>,
}

impl Step {
    pub(crate) fn of(store: &Store, id: git2::Oid, raw: &[u8]) -> Result<Self> {
        let tree = |id: git2::Oid, raw: &[u8]| {
            Object::parse(raw).tree().map(Some).ok_or_else(|| Error::Malformed(format!("commit {id} has no tree")))
        };
        let parent = store.parents(id, &Object::parse(raw)).first().copied();
        let before = match parent {
            Some(parent) => tree(parent, &store.read(parent, ObjectType::Commit)?)?,
            None => None,
        };
        Ok(Step { parent, before, after: tree(id, raw)? })
    }

    /// The changed files that match the filter, with renames joined.
    pub(crate) fn changes(&self, store: &Store, filter: &tree::Filter) -> Result<Vec<tree::Change>> {
        let mut changes = tree::changes(store, self.before, self.after, filter)?;
        let is_half = |change: &tree::Change| change.old.is_none() || change.new.is_none();
        if !filter.is_open() && changes.iter().any(is_half) {
            // The other half of a rename can be anywhere.
            changes = tree::changes(store, self.before, self.after, &tree::Filter::default())?;
        }
        let mut changes = rename::join(store, changes)?;
        if !filter.is_open() {
            changes.retain(|change| filter.admits(&change.path));
        }
        Ok(changes)
    }
}

impl Commit {
    fn changes(&mut self, git: &Git) -> Result<()> {
        self.files_changed = Some(self.changed(git)?.1.len() as i64);
        Ok(())
    }

    fn line_changes(&mut self, git: &Git) -> Result<()> {
        let (store, changes) = self.changed(git)?;
        let (mut additions, mut deletions) = (0, 0);
        for change in &changes {
            if let Some((added, deleted)) = lines::count(&store, change)? {
                additions += added;
                deletions += deleted;
            }
        }
        (self.additions, self.deletions) = (Some(additions), Some(deletions));
        Ok(())
    }

    fn changed(&self, git: &Git) -> Result<(Arc<Store>, Vec<tree::Change>)> {
        let store = git.store(&self.place)?;
        let id = commit::id(self.hash.as_bytes()).ok_or_else(|| Error::Gone(self.hash.clone()))?;
        let step = Step::of(&store, id, &store.read(id, ObjectType::Commit)?)?;
        let changes = step.changes(&store, &tree::Filter::default())?;
        Ok((store, changes))
    }
}
