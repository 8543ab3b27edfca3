//! Revisions as users write them: `main`, `v1.2~3`, `4f2a91c`, `main..feature`, `main ^release`.

use git2::{ObjectType, Oid};
use indago_table::Result;

use crate::source::commit::{self, Commit};
use crate::source::refs::{self, Refs, Target};
use crate::source::store::Store;

/// The commits where a walk starts, and those whose history is excluded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Vec<Oid>,
    pub(crate) without: Vec<Oid>,
}

impl Range {
    /// Parses revisions; `None` if one of them does not name a commit.
    pub(crate) fn parse(store: &Store, refs: &Refs, revisions: &str) -> Result<Option<Self>> {
        let mut range = Range::default();
        for word in revisions.split_ascii_whitespace() {
            let (included, excluded) = match (word.strip_prefix('^'), word.split_once("..")) {
                (Some(excluded), _) => (None, Some(excluded)),
                (None, Some((excluded, included))) if !included.starts_with('.') => (Some(included), Some(excluded)),
                (None, _) => (Some(word), None),
            };
            for (name, list) in [(included, &mut range.from), (excluded, &mut range.without)] {
                let Some(name) = name else { continue };
                match commit(store, refs, if name.is_empty() { "HEAD" } else { name })? {
                    Some(id) => list.push(id),
                    None => return Ok(None),
                }
            }
        }
        Ok(if range.from.is_empty() { None } else { Some(range) })
    }
}

/// The commit that a revision names.
fn commit(store: &Store, refs: &Refs, revision: &str) -> Result<Option<Oid>> {
    let end = revision.find(['~', '^']).unwrap_or(revision.len());
    let (name, mut steps) = revision.split_at(end);
    let Some(start) = object(store, refs, name)? else { return Ok(None) };
    let Some((mut id, mut raw)) = store.commit(start)? else { return Ok(None) };
    while let Some(step) = steps.chars().next() {
        let rest = &steps[1..];
        if let Some(peel) = rest.strip_prefix('{').filter(|_| step == '^') {
            let Some((kind, after)) = peel.split_once('}') else { return Ok(None) };
            if !matches!(kind, "" | "commit") {
                return Ok(None);
            }
            steps = after;
            continue;
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let count = if digits == 0 { Some(1) } else { rest[..digits].parse::<usize>().ok() };
        let Some(count) = count else { return Ok(None) };
        steps = &rest[digits..];
        let (times, which) = if step == '~' { (count, 0) } else { (usize::from(count > 0), count.saturating_sub(1)) };
        for _ in 0..times {
            let parents = store.parents(id, &Commit::parse(&raw));
            let Some(parent) = parents.get(which) else { return Ok(None) };
            (id, raw) = (*parent, store.read(*parent, ObjectType::Commit)?);
        }
        if !matches!(steps.chars().next(), None | Some('~' | '^')) {
            return Ok(None);
        }
    }
    Ok(Some(id))
}

/// The object that a name refers to.
fn object(store: &Store, refs: &Refs, name: &str) -> Result<Option<Oid>> {
    if matches!(name, "HEAD" | "@") {
        return Ok(refs.head_id());
    }
    if let Some(id) = commit::id(name.as_bytes()) {
        return Ok(store.find(id)?.map(|_| id));
    }
    if let Some(id) = refs.named(name) {
        return Ok(Some(id));
    }
    if name.ends_with("_HEAD") && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
        return Ok(match refs::pseudo(&store.place, refs, name)? {
            Some(Target::Id(id)) => Some(id),
            _ => None,
        });
    }
    let is_short = (4..40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_short { store.abbreviated(name) } else { Ok(None) }
}
