//! Directory of data that outlives the beds.

use std::fs::{self, File};
use std::path::PathBuf;
use std::{env, io};

use crate::error::{Context, Error, Result};

/// `$INDAGO_CACHE`, or `$HOME/.cache/indago`.
pub fn dir() -> PathBuf {
    match env::var_os("INDAGO_CACHE") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cache/indago"),
    }
}

/// The beds' directory within [`dir`], created if it does not exist.
///
/// Every bed needs it. `cargo xtask check --hermetic` sets `INDAGO_HERMETIC`, because it must not start beds or install
/// programs.
pub fn beds() -> Result<PathBuf> {
    if env::var_os("INDAGO_HERMETIC").is_some() {
        return Err(Error::Other("a hermetic check starts no bed; run `cargo xtask check`".to_owned()));
    }
    let path = dir().join("beds");
    fs::create_dir_all(&path).context(|| format!("cannot create {}", path.display()))?;
    Ok(path)
}

/// Holds the named lock until it is dropped; other processes and threads wait.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing it unlocks")] File);

impl Lock {
    pub(crate) fn take(name: &str) -> Result<Lock> {
        let folder = beds()?.join("locks");
        let path = folder.join(name);
        let locked = || -> io::Result<Lock> {
            fs::create_dir_all(&folder)?;
            let file = File::options().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(Lock(file))
        };
        locked().context(|| format!("cannot lock {}", path.display()))
    }
}
