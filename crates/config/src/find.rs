//! Locations of the configuration, history and state.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::error::{ConfigError, Result};

/// Name of a configuration file.
pub const FILE_NAME: &str = "indago.toml";

/// Environment variable that names a configuration file.
pub const ENVIRONMENT_VARIABLE: &str = "INDAGO_CONFIG";

/// The files to search if none is named, in order. The current directory is not searched: an intruder may own it, and a
/// configuration decides which programs run.
pub fn search_path() -> Vec<PathBuf> {
    let mut path = Vec::new();
    if let Ok(base) = etcetera::choose_base_strategy() {
        path.push(base.config_dir().join("indago").join(FILE_NAME));
    }
    path.push(Path::new("/etc/indago").join(FILE_NAME));
    path
}

/// The configuration file: the one named, else `$INDAGO_CONFIG`, else the first of [`search_path`] that exists.
///
/// A file that is named must exist.
pub fn find(named: Option<&Path>, variable: Option<&Path>) -> Result<Option<PathBuf>> {
    if let Some(file) = named.or(variable.filter(|file| !file.as_os_str().is_empty())) {
        return match file.try_exists() {
            Ok(true) => Ok(Some(file.to_owned())),
            Ok(false) => {
                let source = if named.is_some() { "named by --config" } else { "named by $INDAGO_CONFIG" };
                Err(ConfigError::Read { file: file.to_owned(), reason: format!("no such file ({source})") })
            }
            Err(error) => Err(ConfigError::Read { file: file.to_owned(), reason: error.to_string() }),
        };
    }
    Ok(search_path().into_iter().find(|file| file.is_file()))
}

/// The configuration in a directory, if it exists and is not the one that was `read`.
pub fn unread(folder: &Path, read: Option<&Path>) -> Option<PathBuf> {
    let file = folder.join(FILE_NAME);
    let real = file.canonicalize().ok()?;
    let is_read = read.and_then(|read| read.canonicalize().ok()).is_some_and(|read| read == real);
    (!is_read).then_some(file)
}

/// The user's directory for Indago's data, such as the shell's history.
pub fn data_dir() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.data_dir().join("indago"))
}

/// The directory for the daemon's state: the system's for root, else the user's.
pub fn state_dir() -> PathBuf {
    let user = etcetera::choose_base_strategy().ok();
    let home = etcetera::home_dir().ok();
    match (user, home) {
        (Some(base), Some(home)) if home != Path::new("/root") && home != Path::new("/") => {
            base.state_dir().unwrap_or_else(|| base.data_dir()).join("indago")
        }
        _ => PathBuf::from("/var/lib/indago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_one_stands_in_is_not_searched() {
        assert!(search_path().iter().all(|file| file.is_absolute()), "{:?}", search_path());
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(unread(folder.path(), None), None);
        let file = folder.path().join(FILE_NAME);
        std::fs::write(&file, "").expect("written");
        assert_eq!(unread(folder.path(), None), Some(file.clone()));
        assert_eq!(unread(folder.path(), Some(Path::new("/none.toml"))), Some(file.clone()));
        assert_eq!(unread(folder.path(), Some(&file)), None);
    }
}
