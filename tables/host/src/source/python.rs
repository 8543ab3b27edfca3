//! Packages that are installed in Python's directories: their metadata.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use super::deb822::Paragraphs;

/// Directories with one directory per version of Python.
const PREFIXES: [&str; 5] = ["/usr/local/lib", "/usr/local/lib64", "/usr/lib", "/usr/lib64", "/opt/homebrew/lib"];
/// The same, below a home directory. `*` is any name.
const USER_PREFIXES: [&str; 5] =
    [".local/lib", ".pyenv/versions/*/lib", ".local/share/uv/python/*/lib", "miniconda3/lib", "anaconda3/lib"];
/// Most bytes of a metadata file. It may contain a README.
const MOST_BYTES: u64 = 4 << 20;

/// A package.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) summary: String,
    pub(crate) author: String,
    pub(crate) license: String,
    /// The directory or file with its metadata.
    pub(crate) path: String,
}

/// The directories of packages below the host's prefixes.
pub(crate) fn system_folders(sys: &Sys, report: &impl Fn(&str, &Error)) -> Vec<PathBuf> {
    PREFIXES.iter().flat_map(|prefix| folders(sys, Path::new(prefix), report)).collect()
}

/// The directories of packages below a home directory.
pub(crate) fn user_folders(sys: &Sys, home: &Path, report: &impl Fn(&str, &Error)) -> Vec<PathBuf> {
    let prefixes = USER_PREFIXES.iter().flat_map(|prefix| match prefix.split_once("/*/") {
        Some((outer, inner)) => names(sys, &home.join(outer), report)
            .into_iter()
            .map(|name| home.join(outer).join(name).join(inner))
            .collect(),
        None => vec![home.join(prefix)],
    });
    prefixes.flat_map(|prefix| folders(sys, &prefix, report)).collect()
}

/// `python*/dist-packages` and `python*/site-packages` below a prefix.
fn folders(sys: &Sys, prefix: &Path, report: &impl Fn(&str, &Error)) -> Vec<PathBuf> {
    let versions = names(sys, prefix, report).into_iter();
    let versions = versions.filter(|name| name.as_encoded_bytes().starts_with(b"python"));
    let each = |version| ["dist-packages", "site-packages"].map(|name| prefix.join(&version).join(name));
    versions.flat_map(each).filter(|folder| sys.metadata(folder).is_ok_and(|metadata| metadata.is_dir())).collect()
}

/// Names in a directory that may be missing, sorted.
fn names(sys: &Sys, folder: &Path, report: &impl Fn(&str, &Error)) -> Vec<std::ffi::OsString> {
    let mut names = sys.read_dir(folder).unwrap_or_else(|error| {
        report("python", &error);
        Vec::new()
    });
    names.sort_unstable();
    names
}

/// The packages in a directory, in the order of their names.
pub(crate) fn packages<R: Fn(&str, &Error)>(
    sys: &Sys,
    folder: PathBuf,
    report: R,
) -> impl Iterator<Item = Package> + use<R> {
    let sys = sys.clone();
    names(&sys, &folder, &report).into_iter().filter_map(move |name| {
        let bytes = name.as_encoded_bytes();
        let path = folder.join(&name);
        let file = if bytes.ends_with(b".dist-info") {
            path.join("METADATA")
        } else if bytes.ends_with(b".egg") {
            path.join("EGG-INFO/PKG-INFO")
        } else if bytes.ends_with(b".egg-info") {
            // A directory, or the metadata itself.
            match sys.metadata(&path) {
                Ok(metadata) if metadata.is_dir() => path.join("PKG-INFO"),
                _ => path.clone(),
            }
        } else {
            return None;
        };
        let package = sys.read_at_most(&file, MOST_BYTES).map(|bytes| parse(&sys, &sys.path_text(&file), bytes));
        match package {
            Ok(Some(package)) => Some(Package { path: sys.path_text(&path), ..package }),
            Ok(None) => {
                report("python", &Error::Malformed(format!("{} names no package", file.display())));
                None
            }
            // An `.egg` may be an archive; a directory may be left over without metadata.
            Err(error) => {
                report("python", &error);
                None
            }
        }
    })
}

/// The fields before the description; `None` if there is no name.
fn parse(sys: &Sys, file: &str, bytes: Vec<u8>) -> Option<Package> {
    let mut paragraphs = Paragraphs::new(file, bytes);
    // Lines of a badly folded text are not fields of ours.
    let fields = paragraphs.next(|_| {})?;
    let text = |name| match fields.text(sys, name) {
        unknown if unknown == "UNKNOWN" => String::new(),
        text => text,
    };
    let license = Some(text("License")).filter(|license| !license.is_empty());
    let package = Package {
        name: text("Name"),
        version: text("Version"),
        summary: text("Summary"),
        author: text("Author"),
        license: license.unwrap_or_else(|| text("License-Expression")),
        path: String::new(),
    };
    (!package.name.is_empty()).then_some(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    #[test]
    fn metadata_has_fields_before_the_description() {
        let sample = b"Metadata-Version: 2.1\nName: requests\nVersion: 2.28.1\nSummary: HTTP\nAuthor: UNKNOWN\n\
                       License-Expression: MIT\nClassifier: x\n\nName: other\n";
        let package = parse(&Sys::live(), "f", sample.to_vec()).expect("a package");
        let fields = [package.name, package.version, package.summary, package.author, package.license];
        assert_eq!(fields, ["requests", "2.28.1", "HTTP", "", "MIT"]);
        assert!(parse(&Sys::live(), "f", b"Version: 1\n".to_vec()).is_none());
        damaged(sample, |bytes| {
            let _may_be_none = parse(&Sys::live(), "f", bytes.to_vec());
        });
    }
}
