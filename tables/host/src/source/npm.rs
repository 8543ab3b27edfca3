//! Packages in `node_modules`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value;

use super::json;

/// Deepest package within packages.
pub(crate) const DEEPEST: i64 = 100;

/// A package.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) author: String,
    pub(crate) license: String,
    pub(crate) homepage: String,
    /// Its `package.json`.
    pub(crate) path: String,
    /// Packages that contain it.
    pub(crate) depth: i64,
}

/// The packages below `node_modules` of a directory, each before those that it contains. Links to packages are read,
/// but not searched.
pub(crate) fn packages<R: Fn(&str, &Error)>(
    sys: &Sys,
    folder: &Path,
    most: i64,
    report: R,
) -> impl Iterator<Item = Package> + use<R> {
    let sys = sys.clone();
    let mut open: Vec<(PathBuf, i64)> = modules(&sys, folder, 0, &report);
    std::iter::from_fn(move || {
        loop {
            sys.check_cancelled().ok()?;
            let (folder, depth) = open.pop()?;
            if depth < most && is_searched(&sys, &folder) {
                open.extend(modules(&sys, &folder, depth + 1, &report));
            }
            match package(&sys, &folder.join("package.json")) {
                Ok(Some(package)) => return Some(Package { depth, ..package }),
                Ok(None) => {}
                Err(error) => report("npm", &error),
            }
        }
    })
}

/// Whether a package is searched: neither it, nor its scope, nor its `node_modules` is a link.
fn is_searched(sys: &Sys, folder: &Path) -> bool {
    let kind = |path: &Path| sys.symlink_metadata(path).ok().map(|metadata| metadata.file_type());
    let is_link = |path: &Path| kind(path).is_some_and(|kind| kind.is_symlink());
    let scope = folder
        .parent()
        .filter(|parent| parent.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"@")));
    kind(folder).is_some_and(|kind| kind.is_dir())
        && !is_link(&folder.join("node_modules"))
        && !scope.is_some_and(is_link)
}

/// The directories of packages in `node_modules` of a directory, last first: `name` and `@scope/name`.
fn modules(sys: &Sys, folder: &Path, depth: i64, report: &impl Fn(&str, &Error)) -> Vec<(PathBuf, i64)> {
    let modules = folder.join("node_modules");
    let list = |folder: &Path| -> Vec<OsString> {
        let names = sys.read_dir(folder).unwrap_or_else(|error| {
            report("npm", &error);
            Vec::new()
        });
        names.into_iter().filter(|name| !name.as_encoded_bytes().starts_with(b".")).collect()
    };
    let mut found = Vec::new();
    for name in list(&modules) {
        let path = modules.join(&name);
        if name.as_encoded_bytes().starts_with(b"@") {
            found.extend(list(&path).into_iter().map(|name| (path.join(name), depth)));
        } else {
            found.push((path, depth));
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

/// The package that a `package.json` describes; `None` if the file is missing or names no package.
pub(crate) fn package(sys: &Sys, file: &Path) -> Result<Option<Package>> {
    let paths = ["name", "version", "description", "author", "license", "licenses", "homepage"];
    let shape = paths.iter().fold(Shape::default(), |shape, path| shape.with(path));
    let Some(document) = json::read(sys, file, &shape)? else { return Ok(None) };
    let named = |key: &str, part: &str| match &document[key] {
        Value::Object(object) => object.get(part).map(json::text).unwrap_or_default(),
        other => json::text(other),
    };
    let license = Some(named("license", "type")).filter(|license| !license.is_empty());
    let licenses = || document["licenses"].as_array().into_iter().flatten().map(|license| json::text(&license["type"]));
    let package = Package {
        name: json::text(&document["name"]),
        version: json::text(&document["version"]),
        description: json::text(&document["description"]),
        author: named("author", "name"),
        license: license.unwrap_or_else(|| licenses().collect::<Vec<_>>().join(", ")),
        homepage: json::text(&document["homepage"]),
        path: sys.path_text(file),
        depth: 0,
    };
    Ok(Some(package).filter(|package| !package.name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_packages_and_scopes_are_not_searched() {
        let root = tempfile::tempdir().expect("a directory");
        let modules = root.path().join("p/node_modules");
        for (folder, name) in [("a", "a"), ("@s/b", "@s/b"), ("a/node_modules/c", "c"), ("@s/b/node_modules/d", "d")] {
            let folder = modules.join(folder);
            std::fs::create_dir_all(&folder).expect("a directory");
            let text = format!("{{\"name\": \"{name}\"}}");
            std::fs::write(folder.join("package.json"), text).expect("a file");
        }
        std::fs::create_dir(modules.join("e")).expect("a directory");
        for (target, link) in
            [("../..", "@x"), ("../..", "@y"), ("a", "linked"), ("../../node_modules", "e/node_modules")]
        {
            std::os::unix::fs::symlink(target, modules.join(link)).expect("a link");
        }
        let sys = Sys::at(root.path());
        let found =
            packages(&sys, Path::new("/p"), DEEPEST, |_, error| assert!(matches!(error, Error::Gone(_)), "{error}"));
        // Without the check, the links lead to 2^100 packages.
        let mut names: Vec<_> = found.take(100).map(|package| package.name).collect();
        names.sort_unstable();
        assert_eq!(names, ["@s/b", "a", "a", "c", "d"]);
    }
}
