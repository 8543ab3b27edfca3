//! Counts the lines that a change adds and deletes.

use git2::{DiffOptions, ObjectType, Oid, Patch};
use indago_table::{Error, Result};

use crate::source::commit::hex;
use crate::source::store::Store;
use crate::source::tree::{Change, Side};

/// A file's content.
#[derive(Debug)]
pub(crate) enum Content {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    /// More than [`LARGEST`] bytes: counts as binary and is not read.
    TooLarge,
}

/// Git treats larger files as binary, whatever their content (`core.bigFileThreshold`).
const LARGEST: usize = 512 << 20;
/// Comparing uses about 100 bytes per line.
const MOST_LINES: i64 = 4 << 20;
/// A NUL among the first bytes, up to this number, makes a file binary.
const START: usize = 8000;

/// Lines added and deleted; `None` if one side is binary.
pub(crate) fn count(store: &Store, change: &Change) -> Result<Option<(i64, i64)>> {
    let (old, new) = (side(store, change.old)?, side(store, change.new)?);
    let (Content::Text(old), Content::Text(new)) = (old, new) else { return Ok(None) };
    let lines = |text: &[u8]| {
        let breaks = text.iter().filter(|byte| **byte == b'\n').count();
        (breaks + usize::from(text.last().is_some_and(|last| *last != b'\n'))) as i64
    };
    if old == new {
        return Ok(Some((0, 0)));
    }
    if old.is_empty() || new.is_empty() {
        return Ok(Some((lines(&new), lines(&old))));
    }
    if lines(&old).max(lines(&new)) > MOST_LINES {
        return Err(Error::Unsupported(format!("files of more than {MOST_LINES} lines are not compared")));
    }
    let (old, new) = without_common_end(&old, &new);
    let mut options = DiffOptions::new();
    options.context_lines(0).interhunk_lines(0).force_text(true);
    let patch = Patch::from_buffers(old, None, new, None, Some(&mut options));
    let counts = patch.and_then(|patch| patch.line_stats());
    let (_, added, deleted) = counts.map_err(|error| Error::Malformed(error.message().to_owned()))?;
    Ok(Some((added as i64, deleted as i64)))
}

fn side(store: &Store, side: Option<Side>) -> Result<Content> {
    match side {
        None => Ok(Content::Text(Vec::new())),
        Some(side) if side.is_commit() => {
            Ok(Content::Text(format!("Subproject commit {}\n", hex(side.id)).into_bytes()))
        }
        Some(side) => blob(store, side.id),
    }
}

pub(crate) fn blob(store: &Store, id: Oid) -> Result<Content> {
    let (kind, size) = store.header(id)?;
    if kind == ObjectType::Blob && size > LARGEST {
        return Ok(Content::TooLarge);
    }
    let bytes = store.read(id, ObjectType::Blob)?;
    let is_binary = bytes.iter().take(START).any(|byte| *byte == 0);
    Ok(if is_binary { Content::Binary(bytes) } else { Content::Text(bytes) })
}

/// Two texts without most of their common end. It is cut exactly as git does, because the number of changed lines can
/// depend on it: entire KiB are removed, and the rest of a line stays.
fn without_common_end<'a>(old: &'a [u8], new: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    const BLOCK: usize = 1024;
    let mut cut = 0;
    while cut + BLOCK <= old.len().min(new.len())
        && old[old.len() - cut - BLOCK..old.len() - cut] == new[new.len() - cut - BLOCK..new.len() - cut]
    {
        cut += BLOCK;
    }
    let end = &old[old.len() - cut..];
    let kept = end.iter().position(|byte| *byte == b'\n').map_or(cut, |line| line + 1);
    (&old[..old.len() - cut + kept], &new[..new.len() - cut + kept])
}
