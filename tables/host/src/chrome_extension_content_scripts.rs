//! `chrome_extension_content_scripts`: one row per script and pattern of addresses that it runs on.

use indago_table::prelude::*;
use serde_json::Value;

use crate::source::chrome;
use crate::source::json;

/// Scripts that extensions of Chrome and its relatives run in pages, with the pages that each runs in.
///
/// Profiles and users are those of `chrome_extensions`.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "chrome_extension_content_scripts", platforms("linux"), rows = 50, identity(), namespaces)]
#[example(
    "Scripts that run in all pages.",
    "SELECT identifier, script, path FROM chrome_extension_content_scripts WHERE \"match\" = '<all_urls>'"
)]
pub struct ContentScript {
    /// Browser: see `chrome_extensions`.
    browser_type: String,
    /// User whose profile it is.
    #[column(index, selects)]
    uid: i64,
    /// Identifier of the extension that the manifest's key gives; empty if the manifest has no key.
    identifier: String,
    /// Version of the extension.
    #[column(collate = version)]
    version: String,
    /// Script, as a path below the directory of the extension.
    script: String,
    /// Pattern of the addresses that it runs on.
    r#match: String,
    /// Directory of the profile.
    profile_path: String,
    /// Directory of the extension.
    path: String,
    /// Whether the profile's preferences mention the extension: 1 or 0.
    referenced: i64,
}

impl Rows for ContentScript {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let profiles = chrome::profiles(scan.sys(), scan.keys(Self::UID), &report)?;
        Ok(profiles.into_iter().flat_map(move |profile| {
            let extensions = chrome::extensions(scan.sys(), &profile, report);
            let profile = profile.clone();
            extensions.flat_map(move |extension| {
                let of_extension = ContentScript {
                    browser_type: profile.browser.to_owned(),
                    uid: profile.uid,
                    identifier: extension.identifier(),
                    version: json::text(&extension.manifest["version"]),
                    profile_path: extension.profile_path,
                    path: extension.path,
                    referenced: extension.referenced.is_some().into(),
                    ..ContentScript::default()
                };
                let texts = |list: &Value| -> Vec<String> {
                    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
                    texts.map(str::to_owned).collect()
                };
                let entries = extension.manifest["content_scripts"].as_array().into_iter().flatten();
                let entries: Vec<_> = entries.map(|entry| (texts(&entry["js"]), texts(&entry["matches"]))).collect();
                // Lazily: a manifest may have many scripts and many patterns.
                entries.into_iter().flat_map(move |(scripts, patterns)| {
                    let of_extension = of_extension.clone();
                    scripts.into_iter().flat_map(move |script| {
                        let of_extension = ContentScript { script, ..of_extension.clone() };
                        let row = move |pattern| ContentScript { r#match: pattern, ..of_extension.clone() };
                        patterns.clone().into_iter().map(row)
                    })
                })
            })
        }))
    }
}
