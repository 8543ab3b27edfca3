//! `os_version`: one row about the distribution.

use indago_table::prelude::*;

use crate::source::kernel;

/// The operating system, from its `os-release` file.
#[derive(Debug, Default, Table)]
#[table(name = "os_version", platforms("linux"), rows = 1, namespaces(mount_namespace_id))]
#[example("The operating system of this host.", "SELECT name, version, arch FROM os_version")]
pub struct OsVersion {
    /// Name of the distribution.
    #[column(source = release)]
    name: Option<String>,
    /// Human-readable version, often with a code name.
    #[column(source = release, collate = version)]
    version: Option<String>,
    /// First number of the version.
    #[column(source = release)]
    major: Option<i64>,
    /// Second number of the version; 0 if there is none.
    #[column(source = release)]
    minor: Option<i64>,
    /// Third number of the version; 0 if there is none.
    #[column(source = release)]
    patch: Option<i64>,
    /// Build ID of the system image.
    #[column(source = release)]
    build: Option<String>,
    /// Short name of the distribution, in lowercase: `debian`.
    #[column(source = release)]
    platform: Option<String>,
    /// Short names of related distributions, separated by blanks.
    #[column(source = release)]
    platform_like: Option<String>,
    /// Code name of the release.
    #[column(source = release)]
    codename: Option<String>,
    /// Processor architecture of the kernel.
    #[column(source = architecture)]
    arch: Option<String>,
    /// Name and version in one text.
    #[column(added, source = release)]
    pretty_name: Option<String>,
}

impl Rows for OsVersion {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::once(OsVersion::default()))
    }
}

impl OsVersion {
    fn release(&mut self, sys: &Sys) -> Result<()> {
        let Some(text) = release_file(sys)? else {
            let message = "neither /etc/os-release nor /usr/lib/os-release exists".to_owned();
            return Err(Error::Unsupported(message));
        };
        for (key, value) in text.lines().filter_map(assignment) {
            match key {
                "NAME" => self.name = Some(value),
                "VERSION" => self.version = Some(value),
                "VERSION_ID" => self.set_numbers(&value),
                "BUILD_ID" => self.build = Some(value),
                "ID" => self.platform = Some(value),
                "ID_LIKE" => self.platform_like = Some(value),
                "VERSION_CODENAME" => self.codename = Some(value),
                "PRETTY_NAME" => self.pretty_name = Some(value),
                _ => {}
            }
        }
        Ok(())
    }

    fn set_numbers(&mut self, version: &str) {
        let mut numbers = version.split('.').map(|part| part.parse().ok());
        self.major = numbers.next().flatten();
        if self.major.is_some() {
            self.minor = numbers.next().unwrap_or(Some(0));
            self.patch = numbers.next().unwrap_or(Some(0));
        }
        if self.version.is_none() {
            self.version = Some(version.to_owned());
        }
    }

    fn architecture(&mut self, sys: &Sys) -> Result<()> {
        self.arch = kernel::architecture(sys)?;
        Ok(())
    }
}

/// The text of the `os-release` file; `None` if there is none.
fn release_file(sys: &Sys) -> Result<Option<String>> {
    match sys.read_text("/etc/os-release").if_present()? {
        Some(text) => Ok(Some(text)),
        None => sys.read_text("/usr/lib/os-release").if_present(),
    }
}

/// The distribution, as package URLs name it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Release {
    /// Short name: `debian`.
    pub(crate) id: String,
    /// Version: `12`. Empty if the distribution has none.
    pub(crate) version: String,
}

impl Release {
    /// The distribution of a host; `None` if it does not say.
    pub(crate) fn read(sys: &Sys) -> Result<Option<Self>> {
        let Some(text) = release_file(sys)? else { return Ok(None) };
        let value =
            |wanted| text.lines().filter_map(assignment).find(|(key, _)| *key == wanted).map(|(_, value)| value);
        let value = |wanted| value(wanted).unwrap_or_default();
        Ok(Some(Release { id: value("ID"), version: value("VERSION_ID") }))
    }
}

/// Parses a line `KEY=value` as a shell would.
fn assignment(line: &str) -> Option<(&str, String)> {
    let (key, value) = line.trim().split_once('=')?;
    if key.starts_with('#') {
        return None;
    }
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    let Some(quote) = quote else { return Some((key, value.to_owned())) };
    let mut text = String::new();
    let mut characters = value.chars().skip(1);
    while let Some(character) = characters.next() {
        match character {
            '\\' if quote == '"' => text.extend(characters.next()),
            end if end == quote => break,
            other => text.push(other),
        }
    }
    Some((key, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_a_shell_reads_them() {
        for (line, value) in [
            ("NAME=Arch", Some("Arch")),
            ("NAME=\"Debian GNU/Linux\"", Some("Debian GNU/Linux")),
            ("NAME='a \\b'", Some("a \\b")),
            ("NAME=\"a \\\"b\\\" \\$c\"", Some("a \"b\" $c")),
            ("NAME=\"cut", Some("cut")),
            ("NAME=", Some("")),
            ("# NAME=x", None),
            ("#NAME=x", None),
            ("nothing", None),
        ] {
            assert_eq!(assignment(line).map(|(_, value)| value).as_deref(), value, "{line}");
        }
    }

    #[test]
    fn versions_have_numbers() {
        for (version, numbers) in [
            ("12", (Some(12), Some(0), Some(0))),
            ("22.04", (Some(22), Some(4), Some(0))),
            ("9.3.1", (Some(9), Some(3), Some(1))),
            ("rolling", (None, None, None)),
            ("", (None, None, None)),
        ] {
            let mut os = OsVersion::default();
            os.set_numbers(version);
            assert_eq!((os.major, os.minor, os.patch), numbers, "{version}");
        }
    }
}
