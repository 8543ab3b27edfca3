//! `chrome_extensions`: one row per extension in each profile of Chrome and its relatives.

use indago_table::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::source::chrome::{self, Extension, Profile};
use crate::source::json;

/// Extensions of Chrome, Chromium, Brave, Edge, Opera, Vivaldi and Yandex, in all profiles.
///
/// Extensions come from the profile's preferences (`Preferences`, `Secure Preferences`) and from its directory of
/// extensions; one that is only on disk has `referenced = 0`. On a running machine only the current user's profiles are
/// read, unless `uid` is constrained or joined with `users`. Packages of Flatpak and Snap are searched as well.
#[derive(Debug, Default, Table)]
#[table(name = "chrome_extensions", platforms("linux"), rows = 20, identity(uid, profile_path, path), namespaces)]
#[example(
    "Extensions of all users.",
    "SELECT u.username, e.browser_type, e.name, e.version FROM users u JOIN chrome_extensions e ON e.uid = u.uid"
)]
#[example(
    "Extensions that do not come from the web store.",
    "SELECT name, identifier, path FROM chrome_extensions WHERE from_webstore != 'true'"
)]
#[example(
    "Extensions that may read all sites.",
    "SELECT name, version, permissions FROM chrome_extensions WHERE permissions LIKE '%<all_urls>%'"
)]
pub struct ChromeExtension {
    /// Browser: `chrome`, `chrome_beta`, `chromium`, `brave`, `edge`, `opera`, `vivaldi`, `yandex`, and so on.
    browser_type: String,
    /// User whose profile it is.
    #[column(index, selects)]
    uid: i64,
    /// Name, translated into the extension's default language.
    name: String,
    /// Name of the profile.
    profile: String,
    /// Directory of the profile.
    profile_path: String,
    /// Identifier in the preferences; empty if they do not mention the extension.
    referenced_identifier: String,
    /// Identifier that the manifest's key gives; empty if the manifest has no key.
    identifier: String,
    /// Version.
    #[column(collate = version)]
    version: String,
    /// Description, translated into the extension's default language.
    description: String,
    /// Default language; empty if the extension is not translated.
    default_locale: String,
    /// The same as `default_locale`.
    #[column(added, hidden)]
    locale: String,
    /// Language that the browser used last; empty if unknown.
    current_locale: String,
    /// Address of updates; empty if there is none.
    update_url: String,
    /// Author; empty if unknown.
    author: String,
    /// Whether its background page always runs: 1 or 0.
    persistent: i64,
    /// Directory of the extension.
    path: String,
    /// Permissions that it has, separated by a comma and a blank. They include the host permissions of version 3 of the
    /// manifest, which osquery leaves out.
    permissions: String,
    /// Permissions as a JSON list.
    #[column(hidden)]
    permissions_json: String,
    /// Permissions that it may request later, separated by a comma and a blank.
    optional_permissions: String,
    /// Permissions that it may request later, as a JSON list.
    #[column(hidden)]
    optional_permissions_json: String,
    /// SHA-256 sum of `manifest.json`; empty if the extension has no such file.
    #[column(collate = nocase)]
    manifest_hash: String,
    /// Whether the profile's preferences mention the extension: 1 or 0.
    referenced: i64,
    /// Whether the preferences say that it was installed from the web store: `true` or `false`; empty if unknown.
    from_webstore: String,
    /// Whether it is enabled: `1` or `0`; empty if the preferences do not mention it.
    state: String,
    /// Installation, in microseconds since 1601; empty if unknown.
    install_time: String,
    /// Installation, in seconds since 1970.
    install_timestamp: Option<i64>,
    /// The manifest as JSON.
    #[column(hidden)]
    manifest_json: String,
    /// The manifest's key; empty if there is none.
    #[column(hidden)]
    key: String,
    /// Version of the manifest's format: 2 or 3.
    #[column(added)]
    manifest_version: Option<i64>,
}

impl Rows for ChromeExtension {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let profiles = chrome::profiles(scan.sys(), scan.keys(Self::UID), &report)?;
        Ok(profiles.into_iter().flat_map(move |profile| {
            let extensions = chrome::extensions(scan.sys(), &profile, report);
            extensions.map(move |extension| row(scan.sys(), &profile, extension, &report))
        }))
    }
}

fn row(sys: &Sys, profile: &Profile, extension: Extension, report: &impl Fn(&str, &Error)) -> ChromeExtension {
    let (manifest, settings) = (&extension.manifest, &extension.settings);
    let text = |key: &str| json::text(&manifest[key]);
    // Since Chrome 114 there are two times.
    let times = ["install_time", "first_install_time"].map(|key| json::text(&settings[key]));
    let install_time = times.into_iter().find(|time| !time.is_empty()).unwrap_or_default();
    let permissions = lists(manifest, ["permissions", "host_permissions"]);
    let optional = lists(manifest, ["optional_permissions", "optional_host_permissions"]);
    let shown =
        |list: &Value| if list.as_array().is_some_and(Vec::is_empty) { String::new() } else { list.to_string() };
    ChromeExtension {
        browser_type: profile.browser.to_owned(),
        uid: profile.uid,
        name: extension.text(sys, "name", report),
        profile: extension.profile_name.clone(),
        profile_path: extension.profile_path.clone(),
        referenced_identifier: extension.referenced.clone().unwrap_or_default(),
        identifier: extension.identifier(),
        version: text("version"),
        description: extension.text(sys, "description", report),
        default_locale: text("default_locale"),
        locale: text("default_locale"),
        current_locale: [&manifest["current_locale"], &settings["manifest"]["current_locale"]]
            .map(json::text)
            .into_iter()
            .find(|locale| !locale.is_empty())
            .unwrap_or_default(),
        update_url: text("update_url"),
        author: match &manifest["author"] {
            Value::Object(author) => author.get("email").map(json::text).unwrap_or_default(),
            author => json::text(author),
        },
        persistent: persistent(manifest).into(),
        path: extension.path.clone(),
        permissions: json::joined(&permissions),
        permissions_json: shown(&permissions),
        optional_permissions: json::joined(&optional),
        optional_permissions_json: shown(&optional),
        manifest_hash: match extension.manifest_text.as_slice() {
            [] => String::new(),
            bytes => hex::encode(Sha256::digest(bytes)),
        },
        referenced: extension.referenced.is_some().into(),
        from_webstore: json::text(&settings["from_webstore"]),
        state: state(&extension),
        install_timestamp: chrome::unix_seconds(&install_time),
        install_time,
        manifest_json: if manifest.is_null() { String::new() } else { manifest.to_string() },
        key: text("key"),
        manifest_version: manifest["manifest_version"].as_i64(),
    }
}

/// Two lists of the manifest as one.
fn lists(manifest: &Value, keys: [&str; 2]) -> Value {
    let items = keys.iter().flat_map(|key| manifest[*key].as_array().into_iter().flatten().cloned());
    Value::Array(items.collect())
}

/// Whether a background page always runs. That is the default of version 2 of the manifest; version 3 has none.
fn persistent(manifest: &Value) -> bool {
    let background = &manifest["background"];
    background.is_object()
        && manifest["manifest_version"].as_i64() != Some(3)
        && background["persistent"].as_bool().unwrap_or(true)
}

/// Chrome stored the state until version 126; now it stores the reasons why an extension is disabled.
fn state(extension: &Extension) -> String {
    let settings = &extension.settings;
    match (&settings["state"], &settings["disable_reasons"]) {
        _ if extension.referenced.is_none() => String::new(),
        (Value::Null, reasons) => {
            let is_disabled = match reasons {
                Value::Array(reasons) => !reasons.is_empty(),
                reasons => json::flag(reasons) == Some(1),
            };
            i64::from(!is_disabled).to_string()
        }
        (state, _) => json::text(state),
    }
}
