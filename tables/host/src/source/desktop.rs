//! Programs that a desktop starts: `.desktop` files.

use std::path::{Path, PathBuf};

use super::texts::Texts;

/// A program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Option<String>,
    pub(crate) command: Option<String>,
    pub(crate) is_enabled: bool,
}

/// The programs in a directory, with their files.
pub(crate) fn entries(texts: &Texts<'_>, directory: &Path) -> impl Iterator<Item = (PathBuf, Entry)> {
    let files = texts.files_in(directory).into_iter();
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "desktop"));
    files.filter_map(move |path| Some((path.clone(), parse(&texts.text(&path)?))))
}

fn parse(text: &str) -> Entry {
    let mut entry = Entry { is_enabled: true, ..Entry::default() };
    let lines = text.lines().map(str::trim).skip_while(|line| *line != "[Desktop Entry]").skip(1);
    for line in lines.take_while(|line| !line.starts_with('[')) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim_start();
        match key.trim_end() {
            "Name" => entry.name = Some(value.to_owned()),
            "Exec" => entry.command = Some(value.to_owned()),
            "Hidden" => entry.is_enabled &= value != "true",
            "X-GNOME-Autostart-enabled" => entry.is_enabled &= value != "false",
            _ => {}
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    #[test]
    fn the_first_group_counts() {
        let text = "# x\n[Desktop Entry]\nName=A=B\nName[de]=C\nExec = env X=1 a --b=c\n[Desktop Action x]\nExec=no\n";
        let expected = Entry { name: Some("A=B".into()), command: Some("env X=1 a --b=c".into()), is_enabled: true };
        assert_eq!(parse(text), expected);
        assert!(!parse("[Desktop Entry]\nHidden=true\n").is_enabled);
        assert!(!parse("[Desktop Entry]\nX-GNOME-Autostart-enabled=false\n").is_enabled);
        assert_eq!(parse("Name=A\n").name, None);
        damaged(text.as_bytes(), |bytes| parse(&String::from_utf8_lossy(bytes)).command.map_or(0, |text| text.len()));
    }
}
