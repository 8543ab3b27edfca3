//! Profiles of Chromium and the browsers made from it, and the extensions in them.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::homes::homes;
use super::json;

/// Browsers, with their directories below a home directory.
const BROWSERS: [(&str, &str); 22] = [
    ("chrome", ".config/google-chrome"),
    ("chrome", ".var/app/com.google.Chrome/config/google-chrome"),
    ("chrome_beta", ".config/google-chrome-beta"),
    ("chrome_dev", ".config/google-chrome-unstable"),
    ("chrome_canary", ".config/google-chrome-canary"),
    ("chromium", ".config/chromium"),
    ("chromium", "snap/chromium/common/chromium"),
    ("chromium", ".var/app/org.chromium.Chromium/config/chromium"),
    ("brave", ".config/BraveSoftware/Brave-Browser"),
    ("brave", ".var/app/com.brave.Browser/config/BraveSoftware/Brave-Browser"),
    ("brave", "snap/brave/current/.config/BraveSoftware/Brave-Browser"),
    ("edge", ".config/microsoft-edge"),
    ("edge", ".var/app/com.microsoft.Edge/config/microsoft-edge"),
    ("edge_beta", ".config/microsoft-edge-beta"),
    ("edge_dev", ".config/microsoft-edge-dev"),
    ("opera", ".config/opera"),
    ("opera", "snap/opera/current/.config/opera"),
    ("opera_beta", ".config/opera-beta"),
    ("vivaldi", ".config/vivaldi"),
    ("vivaldi", ".var/app/com.vivaldi.Vivaldi/config/vivaldi"),
    ("yandex", ".config/yandex-browser"),
    ("yandex", ".config/yandex-browser-beta"),
];

/// Most bytes of a manifest or of its translations.
const MOST_BYTES: u64 = 8 << 20;

/// A profile: a directory with preferences.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) browser: &'static str,
    pub(crate) uid: i64,
    folder: PathBuf,
}

/// The profiles of the users in `uids`; see [`homes`].
pub(crate) fn profiles(sys: &Sys, uids: Option<Vec<i64>>, report: &impl Fn(&str, &Error)) -> Result<Vec<Profile>> {
    let mut profiles = Vec::new();
    for home in homes(sys, uids, report)? {
        for (browser, folder) in BROWSERS {
            let folder = home.directory.join(folder);
            let is_profile = |folder: &Path| PREFERENCES.iter().any(|name| sys.exists(folder.join(name)));
            // Opera's directory is a profile itself; the others have one directory for each.
            let inner = names(sys, &folder, report).into_iter().map(|name| folder.join(name));
            let found = std::iter::once(folder.clone()).chain(inner).filter(|folder| is_profile(folder));
            profiles.extend(found.map(|folder| Profile { browser, uid: home.uid, folder }));
        }
    }
    Ok(profiles)
}

/// Files of preferences. Extensions are in either, depending on the system and on the browser's version.
const PREFERENCES: [&str; 2] = ["Preferences", "Secure Preferences"];

/// An extension of a profile.
#[derive(Debug)]
pub(crate) struct Extension {
    pub(crate) profile_name: String,
    pub(crate) profile_path: String,
    /// Its ID in the preferences; `None` if it is only on disk.
    pub(crate) referenced: Option<String>,
    /// Its entry in the preferences, or NULL.
    pub(crate) settings: Value,
    pub(crate) path: String,
    /// The manifest's text and content. Both are empty if there is no manifest: extensions that are part of the browser
    /// have theirs in the preferences.
    pub(crate) manifest_text: Vec<u8>,
    pub(crate) manifest: Value,
    folder: PathBuf,
}

/// The extensions of a profile: those in its preferences, and those on disk that the preferences do not mention.
/// They are read one at a time: several may have the same directory, with a large manifest.
pub(crate) fn extensions<'a, R: Fn(&str, &Error) + Copy>(
    sys: &'a Sys,
    profile: &Profile,
    report: R,
) -> impl Iterator<Item = Extension> + use<'a, R> {
    let shape = Shape::default().with("profile.name").with("extensions.settings").with("extensions.opsettings");
    let mut settings: BTreeMap<String, Value> = BTreeMap::new();
    let mut profile_name = String::new();
    for name in PREFERENCES {
        let mut document = match json::read(sys, &profile.folder.join(name), &shape) {
            Ok(document) => document.unwrap_or_default(),
            Err(error) => {
                report("chrome", &error);
                continue;
            }
        };
        if profile_name.is_empty() {
            profile_name = json::text(json::at(&document, &["profile", "name"]));
        }
        // Opera has settings of its own.
        for key in ["settings", "opsettings"] {
            let Some(Value::Object(found)) = document.pointer_mut(&format!("/extensions/{key}")).map(Value::take)
            else {
                continue;
            };
            for (id, value) in found {
                let known = settings.entry(id).or_default();
                match (known, value) {
                    (Value::Object(known), Value::Object(value)) => known.extend(value),
                    (known, value) if value.is_object() => *known = value,
                    _ => {}
                }
            }
        }
    }
    settings.retain(|_, value| value.is_object());
    let installed = profile.folder.join("Extensions");
    let profile_path = sys.path_text(&profile.folder);
    let mut found = Vec::new();
    let mut known = HashSet::new();
    for (id, settings) in settings {
        // A path is absolute for an extension that was loaded from elsewhere.
        let Some(path) = settings["path"].as_str().filter(|path| !path.is_empty()) else {
            // What is left of an extension that was removed, or that a policy blocks.
            continue;
        };
        let folder = installed.join(path);
        known.insert(folder.clone());
        found.push((Some(id), settings, folder));
    }
    for id in names(sys, &installed, &report) {
        for version in names(sys, &installed.join(&id), &report) {
            let folder = installed.join(&id).join(version);
            if !known.contains(&folder) && sys.exists(folder.join(MANIFEST)) {
                found.push((None, Value::Null, folder));
            }
        }
    }
    let extension = move |(referenced, mut settings, folder): (Option<String>, Value, PathBuf)| {
        let text = sys.read_at_most(folder.join(MANIFEST), MOST_BYTES).if_present().unwrap_or_else(|error| {
            report("chrome", &error);
            None
        });
        let file = || folder.join(MANIFEST).display().to_string();
        let manifest = match &text {
            Some(text) => json::parse(&file(), text, &Shape::whole()).unwrap_or_else(|error| {
                report("chrome", &error);
                Value::Null
            }),
            None => settings["manifest"].take(),
        };
        Extension {
            profile_name: profile_name.clone(),
            profile_path: profile_path.clone(),
            referenced,
            settings,
            path: sys.path_text(&folder),
            manifest_text: text.unwrap_or_default(),
            manifest,
            folder,
        }
    };
    found.into_iter().map(extension)
}

const MANIFEST: &str = "manifest.json";

impl Extension {
    /// The ID that the manifest's key gives; empty without a key.
    pub(crate) fn identifier(&self) -> String {
        self.manifest["key"].as_str().and_then(identifier).unwrap_or_default()
    }

    /// A text of the manifest, translated if it names a translation.
    pub(crate) fn text(&self, sys: &Sys, key: &str, report: &impl Fn(&str, &Error)) -> String {
        let text = json::text(&self.manifest[key]);
        let Some(name) = text.strip_prefix("__MSG_").and_then(|rest| rest.strip_suffix("__")) else { return text };
        let locale = json::text(&self.manifest["default_locale"]);
        // The locale is one directory.
        if locale.is_empty() || locale.contains('/') || locale == ".." {
            return text;
        }
        let file = self.folder.join("_locales").join(locale).join("messages.json");
        let messages = json::read(sys, &file, &Shape::whole()).unwrap_or_else(|error| {
            report("chrome", &error);
            None
        });
        // Names of messages ignore case.
        let messages = messages.as_ref().and_then(Value::as_object);
        let found = messages.and_then(|messages| messages.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)));
        found.and_then(|(_, message)| message["message"].as_str()).map_or(text, str::to_owned)
    }
}

/// The ID of a key: 16 bytes of its SHA-256 sum, in letters from `a` to `p`.
fn identifier(key: &str) -> Option<String> {
    let key: String = key.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    let digest = Sha256::digest(STANDARD.decode(key).ok()?);
    let letters = digest.iter().take(16).flat_map(|byte| [byte >> 4, byte & 15]);
    Some(letters.map(|digit| char::from(b'a' + digit)).collect())
}

/// Names in a directory that may be missing, sorted.
fn names(sys: &Sys, folder: &Path, report: &impl Fn(&str, &Error)) -> Vec<OsString> {
    let mut names = match sys.read_dir(folder) {
        Ok(names) => names,
        Err(error) => {
            report("chrome", &error);
            Vec::new()
        }
    };
    names.sort_unstable();
    names
}

/// Seconds since 1970 of a time in WebKit's form: microseconds since 1601.
pub(crate) fn unix_seconds(webkit: &str) -> Option<i64> {
    let micros: i64 = webkit.parse().ok()?;
    (micros > 0).then(|| micros / 1_000_000 - 11_644_473_600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    #[test]
    fn extensions_are_read_one_at_a_time() {
        let root = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).expect("a file");
        std::fs::create_dir_all(root.path().join("p/Extensions/x")).expect("a directory");
        write("p/Preferences", r#"{"extensions": {"settings": {"a": {"path": "x"}, "b": {"path": "x"}}}}"#);
        write("p/Extensions/x/manifest.json", &format!(r#"{{"name": "{}"}}"#, "n".repeat(10_000)));
        let sys = Sys::at(root.path());
        let profile = Profile { browser: "chrome", uid: 0, folder: "/p".into() };
        let report = |_: &str, error: &Error| panic!("{error}");
        let mut found = extensions(&sys, &profile, report);
        let read = || sys.meter().bytes();
        assert!(read() < 10_000);
        for count in 1..=2 {
            assert_eq!(found.next().map(|extension| extension.manifest["name"].to_string().len()), Some(10_002));
            assert_eq!(read() / 10_000, count);
        }
        assert!(found.next().is_none());
    }

    /// Expected values: computed with Python's `hashlib` and `base64` from the same key.
    #[test]
    fn a_key_gives_the_identifier() {
        assert_eq!(identifier("aGVsbG8=").as_deref(), Some("cmpcenlkfplakdaocgoidlckmfljocjo"));
        assert_eq!(identifier("not base64!"), None);
        assert_eq!(unix_seconds("13370000000000000"), Some(1_725_526_400));
        assert_eq!(unix_seconds("0"), None);
        damaged(b"aGVsbG8gd29ybGQ=", |bytes| {
            let _may_be_none = identifier(&String::from_utf8_lossy(bytes));
        });
    }
}
