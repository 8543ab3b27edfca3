//! Files of one value each, as the kernel shows objects in `/sys`.

use std::ffi::OsStr;

use indago_table::prelude::*;

use super::procfs::{number, text};

/// A file of one line; `None` if it does not exist or is empty.
pub(crate) fn line(sys: &Sys, path: &str) -> Result<Option<String>> {
    let text = sys.read_text(path).if_present()?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// Names in a directory, sorted; none if it does not exist.
pub(crate) fn names(sys: &Sys, path: &str) -> Result<Vec<String>> {
    let names = sys.read_dir(path).if_present()?.unwrap_or_default();
    let mut names: Vec<String> = names.iter().map(|name| sys.path_text(name)).collect();
    names.sort_unstable();
    Ok(names)
}

/// The last name of a link's target, such as the driver of a device; `None` if the link does not exist.
pub(crate) fn link_name(sys: &Sys, path: &str) -> Result<Option<String>> {
    let target = sys.read_link(path).if_present()?;
    Ok(target.as_deref().and_then(|target| target.file_name()).map(|name: &OsStr| sys.path_text(name)))
}

/// The files of one object. An unreadable file is reported, and its value is `None`.
pub(crate) struct Object<'a> {
    pub(crate) sys: &'a Sys,
    pub(crate) path: String,
    pub(crate) report: &'a dyn Fn(&str, &Error),
}

impl Object<'_> {
    /// The text of a file.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        line(self.sys, &format!("{}/{name}", self.path)).needs("root").unwrap_or_else(|error| {
            (self.report)(name, &error);
            None
        })
    }

    /// A decimal number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        let text = self.text(name)?;
        let value = number(text.as_bytes());
        if value.is_none() {
            (self.report)(name, &Error::Malformed(format!("{}/{name} is not a number: {text:?}", self.path)));
        }
        value
    }

    /// A text in hexadecimal without its prefix `0x`, in lowercase.
    pub(crate) fn hex(&self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        Some(text.strip_prefix("0x").unwrap_or(&text).to_ascii_lowercase())
    }
}

/// The values of lines `KEY=value`, as in a file `uevent`.
pub(crate) fn setting<'a>(bytes: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
}

/// [`setting`] as text.
pub(crate) fn setting_text(bytes: &[u8], key: &str) -> Option<String> {
    setting(bytes, key).map(text)
}
