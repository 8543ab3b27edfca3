//! The object database of one repository.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use git2::{ErrorCode, ObjectType, Odb, Oid};
use indago_table::{Error, ErrorContext, Result, Sys};

use crate::source::commit::{self, Commit};
use crate::source::config::Config;
use crate::source::find::Place;
use crate::source::read_file;

/// Fails where objects have names of another kind than ours.
pub(super) fn known_names(config: &Config) -> Result<()> {
    match config.get("extensions.objectformat").filter(|format| *format != "sha1") {
        Some(format) => Err(Error::Unsupported(format!("objects named by {format} cannot be read yet, only sha1"))),
        None => Ok(()),
    }
}

/// A repository whose objects can be read.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) place: Place,
    sys: Sys,
    shallow: HashSet<Oid>,
    objects: Mutex<Objects>,
}

impl Store {
    pub(crate) fn open(sys: &Sys, place: Place) -> Result<Self> {
        known_names(&Config::of(sys, &place).unwrap_or_default())?;
        let shallow = match read_file(sys, &place.common_dir.join("shallow")).if_present()? {
            Some(bytes) => bytes.split(|byte| *byte == b'\n').filter_map(commit::id).collect(),
            None => HashSet::new(),
        };
        let objects = Mutex::new(Objects::open(sys, &place)?);
        Ok(Store { place, sys: sys.clone(), shallow, objects })
    }

    pub(crate) fn sys(&self) -> &Sys {
        &self.sys
    }

    /// Whether the history was cut off behind a commit when it was cloned.
    pub(crate) fn is_boundary(&self, commit: Oid) -> bool {
        !self.shallow.is_empty() && self.shallow.contains(&commit)
    }

    /// Whether the history was cut off anywhere.
    pub(crate) fn is_shallow(&self) -> bool {
        !self.shallow.is_empty()
    }

    /// An object that has to be there.
    pub(crate) fn read(&self, id: Oid, kind: ObjectType) -> Result<Vec<u8>> {
        let (found, bytes) = self.find(id)?.ok_or_else(|| missing(kind, id))?;
        if found != kind {
            return Err(Error::Malformed(format!("object {id} is a {found}, where a {kind} should be")));
        }
        Ok(bytes)
    }

    /// An object, if the repository has it.
    pub(crate) fn find(&self, id: Oid) -> Result<Option<(ObjectType, Vec<u8>)>> {
        self.sys.check_cancelled()?;
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let found = objects.read(id)?;
        if let Some((_, bytes)) = &found {
            self.count(bytes)?;
        }
        Ok(found)
    }

    /// Counts an object that was read; fails once the query was cancelled.
    pub(crate) fn count(&self, object: &[u8]) -> Result<()> {
        self.sys.meter().add_calls(1);
        self.sys.meter().add_bytes(object.len() as u64);
        self.sys.check_cancelled()
    }

    /// What an object is and how long, without its content.
    pub(crate) fn header(&self, id: Oid) -> Result<(ObjectType, usize)> {
        self.sys.check_cancelled()?;
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        match objects.odb.read_header(id) {
            Ok((size, kind)) => Ok((kind, size)),
            Err(error) => Err(malformed(id, &error)),
        }
    }

    /// The only object whose id starts with these hexadecimal digits.
    pub(crate) fn abbreviated(&self, digits: &str) -> Option<Oid> {
        let start = Oid::from_str(digits).ok()?;
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.odb.exists_prefix(start, digits.len()).ok()
    }

    /// The commit behind an object, with its content; `None` if it is something else.
    pub(crate) fn commit(&self, id: Oid) -> Result<Option<(Oid, Vec<u8>)>> {
        let (mut id, mut found) = (id, self.find(id)?);
        for _ in 0..16 {
            match found {
                None => return Err(missing(ObjectType::Commit, id)),
                Some((ObjectType::Commit, bytes)) => return Ok(Some((id, bytes))),
                Some((ObjectType::Tag, tag)) => match commit::tagged(&tag) {
                    Some(target) => (id, found) = (target, self.find(target)?),
                    None => return Err(Error::Malformed(format!("tag {id} names no object"))),
                },
                Some(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// A commit's parents as history is here: none where a shallow clone ends.
    pub(crate) fn parents(&self, id: Oid, commit: &Commit<'_>) -> Vec<Oid> {
        if self.is_boundary(id) { Vec::new() } else { commit.parents().collect() }
    }
}

/// libgit2's object database, opened anew now and then: it remembers what it has read, up to 256 MiB, and a walk reads
/// nothing twice.
struct Objects {
    folder: PathBuf,
    odb: Odb<'static>,
    reads: usize,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Objects").field(&self.folder).finish()
    }
}

impl Objects {
    const READS: usize = 1 << 15;

    fn open(sys: &Sys, place: &Place) -> Result<Self> {
        let folder = place.common_dir.join("objects");
        // libgit2 passes over what it may not read, and then calls the objects missing.
        let packs = folder.join("pack");
        sys.read_dir(&folder)?;
        sys.read_dir(&packs).if_present()?;
        let folder = sys.path(folder);
        let odb = open(&folder)?;
        Ok(Objects { folder, odb, reads: 0 })
    }

    fn read(&mut self, id: Oid) -> Result<Option<(ObjectType, Vec<u8>)>> {
        self.reads += 1;
        if self.reads.is_multiple_of(Self::READS) {
            self.odb = open(&self.folder)?;
        }
        match self.odb.read(id) {
            Ok(object) => Ok(Some((object.kind(), object.data().to_vec()))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(malformed(id, &error)),
        }
    }
}

fn open(folder: &std::path::Path) -> Result<Odb<'static>> {
    let name = folder.display();
    let fail = |error: git2::Error| Error::Malformed(format!("{name}: {}", error.message()));
    let Some(folder) = folder.to_str() else {
        return Err(Error::Unsupported(format!("{name}: repositories at paths that are no UTF-8 cannot be read")));
    };
    let odb = Odb::new().map_err(fail)?;
    odb.add_disk_alternate(folder).map_err(fail)?;
    Ok(odb)
}

pub(crate) fn missing(kind: ObjectType, id: Oid) -> Error {
    Error::Malformed(format!("{kind} {id} is missing from the repository"))
}

fn malformed(id: Oid, error: &git2::Error) -> Error {
    match error.code() {
        ErrorCode::NotFound => Error::Malformed(format!("object {id} is missing from the repository")),
        _ => Error::Malformed(format!("object {id}: {}", error.message())),
    }
}
