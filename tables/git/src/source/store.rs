//! The object database of one repository.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git2::{ObjectType, Oid};
use indago_table::{Error, Result, Sys};

use crate::source::commit::{self, Commit};
use crate::source::find::Place;
use crate::source::folder::LARGE;
use crate::source::objects::Objects;

/// Fails if the hash function of objects is not supported.
pub(super) fn known_names(place: &Place) -> Result<()> {
    match place.config.get("extensions.objectformat").filter(|format| *format != "sha1") {
        Some(format) => Err(Error::Unsupported(format!(
            "{}: object format {format} is not supported, only sha1",
            place.git_dir.display()
        ))),
        None => Ok(()),
    }
}

/// A repository whose objects can be read.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) place: Arc<Place>,
    /// Alternates that cannot be read.
    pub(crate) problems: Vec<Error>,
    sys: Sys,
    shallow: HashSet<Oid>,
    objects: Mutex<Objects>,
}

impl Store {
    pub(crate) fn open(sys: &Sys, place: Arc<Place>) -> Result<Self> {
        known_names(&place)?;
        let shallow = match place.common()?.read("shallow", LARGE)? {
            Some(bytes) => bytes.split(|byte| *byte == b'\n').filter_map(commit::id).collect(),
            None => HashSet::new(),
        };
        let mut problems = Vec::new();
        let objects = Mutex::new(Objects::open(&place.fence, &place.common_dir, &mut problems)?);
        Ok(Store { place, problems, sys: sys.clone(), shallow, objects })
    }

    /// Whether a shallow clone's history ends at a commit.
    pub(crate) fn is_boundary(&self, commit: Oid) -> bool {
        !self.shallow.is_empty() && self.shallow.contains(&commit)
    }

    /// Whether it is a shallow clone.
    pub(crate) fn is_shallow(&self) -> bool {
        !self.shallow.is_empty()
    }

    /// Reads an object that must exist.
    pub(crate) fn read(&self, id: Oid, kind: ObjectType) -> Result<Vec<u8>> {
        let (found, bytes) = self.find(id)?.ok_or_else(|| self.missing(kind, id))?;
        if found != kind {
            return Err(Error::Malformed(format!("object {id} is a {found}, expected a {kind}")));
        }
        Ok(bytes)
    }

    /// Reads an object, if the repository has it.
    pub(crate) fn find(&self, id: Oid) -> Result<Option<(ObjectType, Vec<u8>)>> {
        self.sys.check_cancelled()?;
        self.objects().read(id)
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Type and size of an object, without its content.
    pub(crate) fn header(&self, id: Oid) -> Result<(ObjectType, usize)> {
        self.sys.check_cancelled()?;
        self.objects().header(id)?.ok_or_else(|| self.missing(ObjectType::Any, id))
    }

    /// The only object whose hash starts with these hexadecimal digits.
    pub(crate) fn abbreviated(&self, digits: &str) -> Result<Option<Oid>> {
        self.objects().abbreviated(digits)
    }

    /// The commit that an object is or a tag points to, with its content; `None` for any other object.
    pub(crate) fn commit(&self, id: Oid) -> Result<Option<(Oid, Vec<u8>)>> {
        let (mut id, mut found) = (id, self.find(id)?);
        for _ in 0..16 {
            match found {
                None => return Err(self.missing(ObjectType::Commit, id)),
                Some((ObjectType::Commit, bytes)) => return Ok(Some((id, bytes))),
                Some((ObjectType::Tag, tag)) => match commit::tagged(&tag) {
                    Some(target) => (id, found) = (target, self.find(target)?),
                    None => return Err(Error::Malformed(format!("tag {id} does not name an object"))),
                },
                Some(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// A commit's parents in this repository: none where a shallow clone ends.
    pub(crate) fn parents(&self, id: Oid, commit: &Commit<'_>) -> Vec<Oid> {
        if self.is_boundary(id) { Vec::new() } else { commit.parents().collect() }
    }

    /// The error for an object that is missing.
    pub(crate) fn missing(&self, kind: ObjectType, id: Oid) -> Error {
        let what = if kind == ObjectType::Any { "object".to_owned() } else { kind.to_string() };
        match self.place.config.get("extensions.partialclone") {
            Some(remote) => Error::Unsupported(format!(
                "{what} {id} was not fetched from `{remote}`: this is a partial clone, and Indago does not fetch"
            )),
            None => Error::Malformed(format!("{what} {id} is missing from the repository")),
        }
    }
}
