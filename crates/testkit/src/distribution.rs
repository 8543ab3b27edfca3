//! Roots of other distributions, made by scripts from Debian's packages and with the tools of the distribution.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Context as _, Result};
use crate::install::{apt, run};

const FEDORA: &str = include_str!("../distributions/fedora.sh");
const ALPINE: &str = include_str!("../distributions/alpine.sh");

/// The public key with which the user `ann` of each root logs in.
pub const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGAZqlx6fYfq0nL6HWId7vQyjWo8CGEoxA8yRoFJ4Yp/";

/// A root in a temporary directory, which is removed when it is dropped.
#[derive(Debug)]
pub struct Distribution {
    folder: tempfile::TempDir,
}

impl Distribution {
    /// A root like Fedora's, whose packages rpmbuild made and rpm installed. Needs root.
    pub fn fedora() -> Result<Self> {
        apt(&["rpm"])?;
        Self::new(FEDORA)
    }

    /// A root like Alpine's, with a database in apk's format. Needs root.
    pub fn alpine() -> Result<Self> {
        apt(&["openssl"])?;
        Self::new(ALPINE)
    }

    fn new(script: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context(|| "a temporary directory".to_owned())?;
        let distribution = Distribution { folder };
        let work = distribution.folder.path().join("work");
        for path in [distribution.root(), work.clone()] {
            std::fs::create_dir(&path).context(|| path.display().to_string())?;
        }
        let root = distribution.root();
        run(Command::new("bash")
            .args(["-c", script, "-"])
            .arg(root)
            .arg(work)
            .env("KEY", KEY)
            .env("LC_ALL", "C.UTF-8"))?;
        Ok(distribution)
    }

    /// The root path.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// The path of a file of this root.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root().join(path.strip_prefix("/").unwrap_or(path))
    }
}
