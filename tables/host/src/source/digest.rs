//! Checksums of files: all wanted ones in one read.

use std::io::Read;
use std::path::Path;

use indago_table::prelude::*;
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

/// The wanted checksums.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    pub(crate) md5: bool,
    pub(crate) sha1: bool,
    pub(crate) sha256: bool,
}

/// Checksums in lowercase hexadecimal; `None` if not wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) md5: Option<String>,
    pub(crate) sha1: Option<String>,
    pub(crate) sha256: Option<String>,
}

/// Bytes per read. A cancelled query stops between two reads.
const CHUNK: usize = 128 * 1024;

pub(crate) fn digests(sys: &Sys, path: &Path, wanted: Wanted) -> Result<Digests> {
    let mut file = sys.open(path)?;
    let mut hasher = Hasher::new(wanted);
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(length) => hasher.update(&chunk[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(sys.read_error(path, &error)),
        }
    }
}

/// The wanted checksums of bytes that come in pieces.
pub(crate) struct Hasher {
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
}

impl Hasher {
    pub(crate) fn new(wanted: Wanted) -> Self {
        Hasher {
            md5: wanted.md5.then(Md5::new),
            sha1: wanted.sha1.then(Sha1::new),
            sha256: wanted.sha256.then(Sha256::new),
        }
    }

    pub(crate) fn all() -> Self {
        Hasher::new(Wanted { md5: true, sha1: true, sha256: true })
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.iter_mut().for_each(|digest| digest.update(bytes));
        self.sha1.iter_mut().for_each(|digest| digest.update(bytes));
        self.sha256.iter_mut().for_each(|digest| digest.update(bytes));
    }

    pub(crate) fn finish(self) -> Digests {
        Digests {
            md5: self.md5.map(|digest| hex::encode(digest.finalize())),
            sha1: self.sha1.map(|digest| hex::encode(digest.finalize())),
            sha256: self.sha256.map(|digest| hex::encode(digest.finalize())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests create files")]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_published_ones() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::process::Command::new("sh")
            .args(["-c", "printf abc > abc; : > empty; truncate -s 300000 zeros"])
            .current_dir(folder.path())
            .status()
            .expect("sh runs");
        let sys = Sys::at(folder.path());
        let all = Wanted { md5: true, sha1: true, sha256: true };
        let abc = digests(&sys, Path::new("/abc"), all).expect("it exists");
        assert_eq!(abc.md5.as_deref(), Some("900150983cd24fb0d6963f7d28e17f72"));
        assert_eq!(abc.sha1.as_deref(), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(abc.sha256.as_deref(), Some(sha256));
        let one = digests(&sys, Path::new("/empty"), Wanted { md5: true, ..Wanted::default() }).expect("it exists");
        assert_eq!(one.md5.as_deref(), Some("d41d8cd98f00b204e9800998ecf8427e"));
        assert_eq!((one.sha1, one.sha256), (None, None));
        let zeros = digests(&sys, Path::new("/zeros"), all).expect("it is there");
        assert_eq!(zeros.md5.as_deref(), Some("4a21de7a58fb8ecb9a1b1f08a3068269"), "longer than a chunk");
        assert_eq!(digests(&sys, Path::new("/none"), all), Err(Error::Gone("/none".into())));
    }
}
