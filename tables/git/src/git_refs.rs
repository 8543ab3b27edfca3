//! `git_refs`: one row per ref, read from `refs/` and `packed-refs`.

use std::sync::Arc;

use git2::{ObjectType, Oid};
use indago_table::prelude::*;

use crate::source::commit::{self, Commit};
use crate::source::config::Config;
use crate::source::find::Place;
use crate::source::refs::{self, Entry, Refs, Target};
use crate::source::revision::Range;
use crate::source::walk::{Walk, Wants};
use crate::{Git, places};

/// Refs of git repositories: branches, tags, remote branches, notes and stashes.
#[derive(Debug, Default, Table)]
#[table(name = "git_refs", env = Git, parts, rows = 200, identity(repo, full_name))]
#[example(
    "Branches, latest commit first.",
    "SELECT name, commit_hash, commit_date FROM git_refs WHERE type = 'branch' ORDER BY commit_date DESC LIMIT 10"
)]
pub struct Ref {
    /// Repository: the path of its working tree, or of a bare repository itself. A query may name any repository on
    /// disk.
    #[column(slice, extends, pattern)]
    repo: Arc<str>,
    /// Short name: `main`, `origin/main`, `v1.0`.
    name: String,
    /// Full name: `refs/heads/main`.
    full_name: String,
    /// Kind: `branch`, `remote`, `tag`, `note`, `stash`, `replace` or `other`.
    r#type: String,
    /// The remote that a remote branch belongs to; NULL for other refs.
    remote: Option<String>,
    /// Hash of the object that the ref points to; for an annotated tag, of the tag object. NULL for a symbolic ref
    /// whose target does not exist.
    hash: Option<String>,
    /// Full name of the ref that a symbolic ref points to; NULL for other refs.
    target: Option<String>,
    /// Whether it is the checked-out branch.
    is_head: bool,
    /// Full name of the branch's upstream (`refs/remotes/origin/main`), from the repository's configuration; NULL if
    /// there is none.
    upstream: Option<String>,
    /// Type of the object that the ref points to: `commit`, `tag`, `tree` or `blob`; NULL if the object is missing.
    #[column(source = object)]
    object_type: Option<String>,
    /// Hash of the commit that the ref points to, directly or through tags; NULL if there is none.
    #[column(source = object)]
    commit_hash: Option<String>,
    /// Time at which that commit was made, by the committer's clock.
    #[column(source = object)]
    commit_date: Option<Timestamp>,
    /// Message of an annotated tag; NULL for other refs.
    #[column(source = object)]
    tag_message: Option<String>,
    /// Name of the tagger of an annotated tag; NULL for other refs.
    #[column(source = object)]
    tagger_name: Option<String>,
    /// Mail address of the tagger of an annotated tag; NULL for other refs.
    #[column(source = object)]
    tagger_email: Option<String>,
    /// Time at which an annotated tag was made; NULL for other refs.
    #[column(source = object)]
    tagger_date: Option<Timestamp>,
    /// Number of commits in the history of the ref. Expensive: reads the entire history.
    #[column(source = count)]
    commit_count: Option<i64>,
    /// Location of the repository.
    #[column(skip)]
    place: Option<Arc<Place>>,
}

impl RowParts for Ref {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<impl Iterator<Item = Place>> {
        Ok(places(scan, Self::REPO))
    }

    fn rows(scan: &Scan<Self>, place: Place) -> Result<impl Iterator<Item = Self>> {
        Ok(all(scan, &Arc::new(place))?.into_iter())
    }
}

fn all(scan: &Scan<Ref>, place: &Arc<Place>) -> Result<Vec<Ref>> {
    let refs = Refs::read(place)?;
    for problem in &refs.problems {
        crate::reporter(scan, &place.repo)("refs", problem);
    }
    if scan.wants(Ref::UPSTREAM) {
        place.config.problems.iter().for_each(|problem| crate::reporter(scan, &place.repo)("config", problem));
    }
    Ok(refs.all.iter().map(|(full, entry)| row(scan.env().sys(), place, &refs, full, entry)).collect())
}

fn row(sys: &Sys, place: &Arc<Place>, refs: &Refs, full: &[u8], entry: &Entry) -> Ref {
    let full_name = sys.text(full);
    let (name, kind) = refs::kind(&full_name);
    Ref {
        repo: place.repo.clone(),
        place: Some(place.clone()),
        name: name.to_owned(),
        r#type: kind.to_owned(),
        remote: (kind == "remote").then(|| name.split('/').next().unwrap_or(name).to_owned()),
        hash: refs.follow(&entry.target).map(|(id, _)| commit::hex(id)),
        target: match &entry.target {
            Target::Name(name) => Some(sys.text(name)),
            Target::Id(_) => None,
        },
        is_head: matches!(&refs.head, Some(Target::Name(head)) if head == full),
        upstream: if kind == "branch" { upstream(&place.config, name) } else { None },
        full_name,
        ..Ref::default()
    }
}

/// The upstream of a branch.
fn upstream(config: &Config, branch: &str) -> Option<String> {
    let remote = config.get(&format!("branch.{branch}.remote"))?;
    let merge = config.get(&format!("branch.{branch}.merge"))?;
    if remote == "." {
        return Some(merge.to_owned());
    }
    config.all(&format!("remote.{remote}.fetch")).find_map(|refspec| tracking(refspec, merge))
}

/// The local ref that a refspec maps a remote's ref to.
fn tracking(refspec: &str, name: &str) -> Option<String> {
    let (from, to) = refspec.strip_prefix('+').unwrap_or(refspec).split_once(':')?;
    match (from.split_once('*'), to.split_once('*')) {
        (Some((before, after)), Some((start, end))) => {
            let middle = name.strip_prefix(before)?.strip_suffix(after)?;
            Some(format!("{start}{middle}{end}"))
        }
        _ => (from == name).then(|| to.to_owned()),
    }
}

impl Ref {
    fn id(&self) -> Option<Oid> {
        commit::id(self.hash.as_deref()?.as_bytes())
    }

    fn object(&mut self, git: &Git) -> Result<()> {
        let Some(id) = self.id() else { return Ok(()) };
        let store = git.store(&self.place)?;
        let (kind, _) = store.header(id)?;
        self.object_type = Some(kind.to_string());
        if kind == ObjectType::Tag {
            let raw = store.read(id, ObjectType::Tag)?;
            let (tagger, message) = commit::tag(&raw);
            self.tag_message = Some(git.sys().text(message));
            self.tagger_name = tagger.map(|person| git.sys().text(person.name));
            self.tagger_email = tagger.map(|person| git.sys().text(person.email));
            self.tagger_date = tagger.and_then(|person| person.date());
        }
        if let Some((id, raw)) = store.commit(id)? {
            self.commit_hash = Some(commit::hex(id));
            self.commit_date = Commit::parse(&raw).committer().date();
        }
        Ok(())
    }

    fn count(&mut self, git: &Git) -> Result<()> {
        let Some(id) = self.id() else { return Ok(()) };
        let mut walk =
            Walk::range(git.store(&self.place)?, &Range { from: vec![id], without: Vec::new() }, Wants::NAMES);
        self.commit_count = Some(walk.try_fold(0, |count, step| step.map(|_| count + 1))?);
        git.sys().check_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refspecs_say_where_branches_are_tracked() {
        let cases = [
            ("+refs/heads/*:refs/remotes/origin/*", "refs/heads/a/b", Some("refs/remotes/origin/a/b")),
            ("refs/heads/main:refs/remotes/o/main", "refs/heads/main", Some("refs/remotes/o/main")),
            ("refs/heads/main:refs/remotes/o/main", "refs/heads/other", None),
            ("refs/heads/main", "refs/heads/main", None),
            ("+refs/tags/*:refs/tags/*", "refs/heads/main", None),
        ];
        for (refspec, name, expected) in cases {
            assert_eq!(tracking(refspec, name).as_deref(), expected, "{refspec} {name}");
        }
    }
}
