//! `vscode_extensions`: one row per extension of Visual Studio Code and its relatives.

use std::path::Path;

use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value;

use crate::source::homes::homes;
use crate::source::json;

/// Editions, with their directories below a home directory.
const EDITIONS: [(&str, &str); 11] = [
    ("vscode", ".vscode"),
    ("vscode_server", ".vscode-server"),
    ("vscode_insiders", ".vscode-insiders"),
    ("vscode_insiders_server", ".vscode-server-insiders"),
    ("vscodium", ".vscode-oss"),
    ("vscodium_server", ".vscodium-server"),
    ("vscodium_insiders", ".vscode-oss-insiders"),
    ("cursor", ".cursor"),
    ("cursor_server", ".cursor-server"),
    ("windsurf", ".windsurf"),
    ("trae", ".trae"),
];

/// Extensions of Visual Studio Code, VSCodium, Cursor, Windsurf and Trae, and of their servers for remote work.
///
/// They come from `extensions/extensions.json` of each edition. On a running machine only the current user's extensions
/// are read, unless `uid` is constrained or joined with `users`.
#[derive(Debug, Default, Table)]
#[table(name = "vscode_extensions", platforms("linux"), rows = 20, identity(uid, path), namespaces)]
#[example(
    "Extensions of all users.",
    "SELECT u.username, e.vscode_edition, e.name, e.version FROM users u JOIN vscode_extensions e ON e.uid = u.uid"
)]
pub struct VscodeExtension {
    /// Identifier, with its publisher: `ms-python.python`.
    name: String,
    /// UUID in the marketplace; empty if unknown.
    #[column(collate = nocase)]
    uuid: String,
    /// Version.
    #[column(collate = version)]
    version: String,
    /// Directory of the extension.
    path: String,
    /// Name of the publisher; empty if unknown.
    publisher: String,
    /// ID of the publisher; empty if unknown.
    publisher_id: String,
    /// Installation, in milliseconds since 1970; NULL if unknown.
    installed_at: Option<i64>,
    /// Whether it is a preliminary release: 1 or 0.
    prerelease: i64,
    /// User whose extension it is.
    #[column(index, selects)]
    uid: i64,
    /// Edition: `vscode`, `vscode_insiders`, `vscodium`, `cursor`, `windsurf`, `trae`, or one of their servers
    /// (`vscode_server`).
    vscode_edition: String,
}

impl Rows for VscodeExtension {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let homes = homes(scan.sys(), scan.keys(Self::UID), report)?;
        let editions = homes.into_iter().flat_map(|home| {
            EDITIONS.map(|(edition, folder)| (home.uid, edition, home.directory.join(folder).join("extensions")))
        });
        Ok(editions.flat_map(move |(uid, edition, folder)| {
            let file = folder.join("extensions.json");
            let document = json::read(scan.sys(), &file, &Shape::whole());
            let extensions = match document {
                Ok(Some(Value::Array(extensions))) => extensions,
                Ok(None) => Vec::new(),
                Ok(Some(_)) => {
                    report("vscode", &Error::Malformed(format!("{} is not a list of extensions", file.display())));
                    Vec::new()
                }
                Err(error) => {
                    report("vscode", &error);
                    Vec::new()
                }
            };
            extensions.into_iter().map(move |extension| row(uid, edition, &folder, &extension))
        }))
    }
}

fn row(uid: i64, edition: &str, folder: &Path, extension: &Value) -> VscodeExtension {
    let (id, metadata) = (&extension["identifier"], &extension["metadata"]);
    let places = [&extension["location"]["path"], &extension["location"]["fsPath"]].map(json::text);
    let path = places.into_iter().find(|path| !path.is_empty());
    // Since 1.70 the place is also stored as a name in the directory of extensions.
    let path = path.unwrap_or_else(|| folder.join(json::text(&extension["relativeLocation"])).display().to_string());
    let flags = ["preRelease", "isPreReleaseVersion"].map(|key| json::flag(&metadata[key]));
    VscodeExtension {
        name: json::text(&id["id"]),
        uuid: json::text(&id["uuid"]),
        version: json::text(&extension["version"]),
        path,
        publisher: json::text(&metadata["publisherDisplayName"]),
        publisher_id: json::text(&metadata["publisherId"]),
        installed_at: metadata["installedTimestamp"].as_i64(),
        prerelease: flags.contains(&Some(1)).into(),
        uid,
        vscode_edition: edition.to_owned(),
    }
}
