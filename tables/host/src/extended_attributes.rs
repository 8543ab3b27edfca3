//! `extended_attributes`: one row per extended attribute of the files that the query names.

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indago_table::prelude::*;

use crate::source::attributes::{self, CAPABILITY, FileCapabilities};
use crate::source::paths::{Asked, Report};

/// Extended attributes of files.
///
/// As for `file`, a query needs a constraint on `path` or `directory`: `=`, `IN`, a join, or `LIKE`. The attributes of
/// a link are those of its target. Attributes of the namespace `trusted` need CAP_SYS_ADMIN.
#[derive(Debug, Default, PartialEq, Table)]
#[table(
    name = "extended_attributes",
    platforms("linux"),
    require_any(path, directory),
    identity(path, key),
    namespaces
)]
#[example("Attributes of one file.", "SELECT key, value FROM extended_attributes WHERE path = '/usr/bin/ping'")]
pub struct ExtendedAttribute {
    /// Path, as written in the query.
    #[column(index, pattern)]
    path: String,
    /// Directory that contains it.
    #[column(index, pattern)]
    directory: String,
    /// Name of the attribute, with its namespace: `user.mime_type`.
    key: String,
    /// Value. `security.capability` appears as `getcap` prints it. Unlike osquery's, any printable text is not encoded,
    /// even without a NUL after it.
    value: String,
    /// Whether `value` is in base64, because it is not printable or empty: 1 or 0.
    base64: i64,
}

impl Rows for ExtendedAttribute {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report: Report<'_> = Rc::new(|origin, error| scan.report(origin, error));
        let asked = Asked::in_scan(scan, Self::PATH, Self::DIRECTORY, &report);
        Ok(asked.find(scan.sys(), &report).flat_map(move |found| {
            let reject = |error: &Error| scan.report("attributes", error);
            let attributes = attributes::attributes(&found.entry.sys, &found.entry.at(), reject).if_present();
            let attributes = attributes.unwrap_or_else(|error| {
                reject(&error);
                None
            });
            let row = move |(key, value): (String, Vec<u8>)| {
                let (value, base64) = shown(&key, &value);
                let (path, directory) = (found.path.clone(), found.directory.to_string());
                ExtendedAttribute { path, directory, key, value, base64: base64.into() }
            };
            attributes.unwrap_or_default().into_iter().map(row)
        }))
    }
}

/// A value as text, and whether that is base64.
fn shown(key: &str, value: &[u8]) -> (String, bool) {
    if key == CAPABILITY
        && let Some(capabilities) = FileCapabilities::parse(value)
    {
        return (capabilities.text(), false);
    }
    let plain = value.strip_suffix(&[0]).unwrap_or(value);
    match std::str::from_utf8(plain) {
        Ok(text) if !value.is_empty() && !text.chars().any(char::is_control) => (text.to_owned(), false),
        _ => (STANDARD.encode(value), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_not_text_are_encoded() {
        for (value, text, base64) in [
            (&b"plain"[..], "plain", false),
            (b"ended\0", "ended", false),
            ("é".as_bytes(), "é", false),
            (b"\0", "", false),
            (b"", "", true),
            (b"a\nb", "YQpi", true),
            (b"a\0b", "YQBi", true),
            (b"\xff", "/w==", true),
        ] {
            assert_eq!(shown("user.x", value), (text.to_owned(), base64), "{}", value.escape_ascii());
        }
        let capabilities = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(shown(CAPABILITY, &capabilities), ("cap_net_raw=ep".to_owned(), false));
        assert!(shown("user.x", &capabilities).1);
        assert_eq!(shown(CAPABILITY, b"short"), ("short".to_owned(), false));
    }
}
