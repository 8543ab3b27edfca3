//! Portage's database of installed packages, and its names of packages.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use super::held::{HeldList, owned};

const DATABASE: &str = "/var/db/pkg";

/// An installed package: its directory has one file per fact.
#[derive(Debug)]
pub(crate) struct Installed {
    /// Category and name: `app-editors/vim`.
    pub(crate) package: String,
    pub(crate) version: String,
    folder: PathBuf,
}

impl Installed {
    /// The contents of one of its files, trimmed; empty if it is missing.
    pub(crate) fn read(&self, sys: &Sys, name: &str, report: impl Fn(&str, &Error)) -> String {
        match sys.read_at_most(self.folder.join(name), 1 << 20).if_present() {
            Ok(bytes) => sys.text(bytes.unwrap_or_default().trim_ascii()),
            Err(error) => {
                report("portage", &error);
                String::new()
            }
        }
    }
}

/// The installed packages.
pub(crate) fn installed(sys: &Sys, report: impl Fn(&str, &Error)) -> Result<HeldList<Installed>> {
    let Some(categories) = sys.read_dir(DATABASE).if_present()? else {
        return Err(Error::Absent(format!("no Portage database ({DATABASE} is missing)")));
    };
    let mut packages = HeldList::new(sys);
    for category in categories {
        let folder = Path::new(DATABASE).join(&category);
        let names = sys.read_dir(&folder).if_present().unwrap_or_else(|error| {
            report("portage", &error);
            None
        });
        for name in names.into_iter().flatten() {
            // Packages that are being merged.
            if name.as_encoded_bytes().starts_with(b"-MERGING-") {
                continue;
            }
            let text = sys.path_text(&name);
            if let Some((package, version)) = split_version(&text) {
                let package = format!("{}/{package}", sys.path_text(&category));
                let own = owned([&package, version, &text]) + folder.as_os_str().len();
                packages.push(Installed { package, version: version.to_owned(), folder: folder.join(&name) }, own)?;
            }
        }
    }
    packages.sort_unstable_by(|a, b| a.folder.cmp(&b.folder));
    Ok(packages)
}

/// Name and version of `name-version` or `name-version-r1`.
pub(crate) fn split_version(text: &str) -> Option<(&str, &str)> {
    let is_revision = |part: &str| {
        part.strip_prefix('r')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let end = text.rsplit_once('-').filter(|(_, last)| is_revision(last)).map_or(text.len(), |(rest, _)| rest.len());
    let at = text[..end].rfind('-')?;
    let version = &text[at + 1..];
    version.starts_with(|first: char| first.is_ascii_digit()).then_some((&text[..at], version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    /// Expected values: `portage.versions.catpkgsplit`'s rules (PMS, section 3.2).
    #[test]
    fn names_and_versions_are_split() {
        for (text, split) in [
            ("vim-9.1.0366-r1", Some(("vim", "9.1.0366-r1"))),
            ("gtk+-3.24.41", Some(("gtk+", "3.24.41"))),
            ("font-util-1.4.1_p1", Some(("font-util", "1.4.1_p1"))),
            ("x-r1", None),
            ("vim", None),
            ("", None),
        ] {
            assert_eq!(split_version(text), split, "{text}");
        }
        damaged(b"vim-9.1-r12", |bytes| {
            let _may_be_none = split_version(&String::from_utf8_lossy(bytes));
        });
    }
}
