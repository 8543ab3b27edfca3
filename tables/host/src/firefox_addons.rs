//! `firefox_addons`: one row per add-on in each profile of Firefox.

use std::path::PathBuf;

use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value;

use crate::source::homes::homes;
use crate::source::json;

/// Directories of profiles below a home directory.
const FOLDERS: [&str; 5] = [
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
    ".librewolf",
];

/// Extensions, themes and language packs of Firefox, in all profiles.
///
/// They come from `extensions.json` of each profile, also of Firefox from Snap and Flatpak, and of LibreWolf. On a
/// running machine only the current user's profiles are read, unless `uid` is constrained or joined with `users`.
#[derive(Debug, Default, Table)]
#[table(name = "firefox_addons", platforms("linux"), rows = 20, identity(uid, profile_path, identifier), namespaces)]
#[example(
    "Add-ons of all users.",
    "SELECT u.username, a.name, a.version FROM users u JOIN firefox_addons a ON a.uid = u.uid"
)]
#[example(
    "Active add-ons that users installed.",
    "SELECT name, identifier, source_url FROM firefox_addons WHERE active = 1 AND location = 'app-profile'"
)]
pub struct FirefoxAddon {
    /// User whose profile it is.
    #[column(index, selects)]
    uid: i64,
    /// Name in its default language.
    name: String,
    /// Identifier.
    #[column(index)]
    identifier: String,
    /// Author; empty if unknown.
    creator: String,
    /// Kind: `extension`, `theme`, `locale`, `dictionary`.
    r#type: String,
    /// Version.
    #[column(collate = version)]
    version: String,
    /// Description in its default language.
    description: String,
    /// Address that it was installed from; empty if unknown.
    source_url: String,
    /// Whether the user sees it in the list of add-ons: 1 or 0.
    visible: Option<i64>,
    /// Whether it runs: 1 or 0.
    active: Option<i64>,
    /// Whether the user or Firefox disabled it: 1 or 0.
    disabled: i64,
    /// Whether it is updated automatically: 1 or 0.
    autoupdate: Option<i64>,
    /// Where it is installed: `app-profile`, `app-system-defaults`, `app-builtin`.
    location: String,
    /// File or directory of the add-on; empty if it is part of Firefox.
    path: String,
    /// Directory of the profile.
    #[column(added)]
    profile_path: String,
}

impl Rows for FirefoxAddon {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let mut profiles: Vec<(i64, PathBuf)> = Vec::new();
        for home in homes(sys, scan.keys(Self::UID), report)? {
            for folder in FOLDERS {
                let folder = home.directory.join(folder);
                let mut names = sys.read_dir(&folder).if_present().unwrap_or_else(|error| {
                    report("firefox", &error);
                    None
                });
                names.iter_mut().for_each(|names| names.sort_unstable());
                profiles.extend(names.into_iter().flatten().map(|name| (home.uid, folder.join(name))));
            }
        }
        let shape = SHAPE.iter().fold(Shape::default(), |shape, path| shape.with(&format!("addons.*.{path}")));
        let rows = profiles.into_iter().flat_map(move |(uid, profile)| {
            let file = profile.join("extensions.json");
            let document = json::read(scan.sys(), &file, &shape);
            let document = document.inspect_err(|error| report("firefox", error)).ok().flatten();
            let addons = document.map(|mut document| document.get_mut("addons").map(Value::take));
            let addons = match addons {
                Some(Some(Value::Array(addons))) => addons,
                Some(_) => {
                    report("firefox", &Error::Malformed(format!("{} has no list of add-ons", file.display())));
                    Vec::new()
                }
                None => Vec::new(),
            };
            let profile = scan.sys().path_text(profile);
            addons.into_iter().map(move |addon| row(uid, &profile, &addon))
        });
        Ok(rows.filter(|row| scan.admits(Self::IDENTIFIER, &row.identifier)))
    }
}

/// What is read of an add-on.
const SHAPE: [&str; 15] = [
    "id",
    "type",
    "version",
    "defaultLocale.name",
    "defaultLocale.creator",
    "defaultLocale.description",
    "sourceURI",
    "visible",
    "active",
    "userDisabled",
    "appDisabled",
    "softDisabled",
    "applyBackgroundUpdates",
    "location",
    "path",
];

fn row(uid: i64, profile: &str, addon: &Value) -> FirefoxAddon {
    let text = |key: &str| json::text(&addon[key]);
    let local = |key: &str| json::text(&addon["defaultLocale"][key]);
    let is_set = |key: &&str| json::flag(&addon[*key]) == Some(1);
    FirefoxAddon {
        uid,
        name: local("name"),
        identifier: text("id"),
        creator: local("creator"),
        r#type: text("type"),
        version: text("version"),
        description: local("description"),
        source_url: text("sourceURI"),
        visible: json::flag(&addon["visible"]),
        active: json::flag(&addon["active"]),
        disabled: ["userDisabled", "appDisabled", "softDisabled"].iter().any(is_set).into(),
        autoupdate: json::flag(&addon["applyBackgroundUpdates"]),
        location: text("location"),
        path: text("path"),
        profile_path: profile.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use indago_table::ScanContext;

    use super::*;

    #[test]
    fn a_file_without_a_list_of_addons_is_reported() {
        let root = tempfile::tempdir().expect("a directory");
        let profile = root.path().join("root/.mozilla/firefox/a");
        std::fs::create_dir_all(&profile).expect("a directory");
        std::fs::create_dir(root.path().join("etc")).expect("a directory");
        std::fs::write(root.path().join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").expect("a file");
        let read = |text: &str| {
            std::fs::write(profile.join("extensions.json"), text).expect("a file");
            let context = ScanContext::new(0..FirefoxAddon::SPEC.columns.len());
            let scan = Scan::<FirefoxAddon>::new(context, &Sys::at(root.path()));
            let rows = FirefoxAddon::rows(&scan).expect("accounts").count();
            (rows, scan.context().query.diagnostics().warnings().len())
        };
        assert_eq!(read(r#"{"addons": [{"id": "a"}]}"#), (1, 0));
        for text in ["[]", "7", "{}", r#"{"addons": {}}"#] {
            assert_eq!(read(text), (0, 1), "{text}");
        }
    }
}
