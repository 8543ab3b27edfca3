//! Programs that rules of udev run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::texts::{Texts, settings};

/// A program of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) command: String,
    /// The conditions of the rule.
    pub(crate) matches: String,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

/// Directories of rules; a file in an earlier one hides files of the same name in later ones.
const DIRECTORIES: [&str; 5] = [
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];

/// The programs of all rules, in udev's order.
pub(crate) fn programs(texts: &Texts<'_>) -> Vec<Program> {
    let mut files = BTreeMap::new();
    for path in DIRECTORIES.iter().flat_map(|directory| texts.files_in(directory)) {
        if path.extension().is_some_and(|end| end == "rules")
            && let Some(name) = path.file_name()
        {
            files.entry(name.to_owned()).or_insert(path);
        }
    }
    let mut programs = Vec::new();
    for path in files.into_values() {
        let Some(text) = texts.text(&path) else { continue };
        programs.extend(parse(&text).into_iter().map(|program| Program { file: path.clone(), ..program }));
    }
    programs
}

fn parse(text: &str) -> Vec<Program> {
    let mut programs = Vec::new();
    let mut rule: Option<(usize, String)> = None;
    for (line, content) in settings(text) {
        let (start, mut whole) = rule.take().unwrap_or((line, String::new()));
        whole.push_str(content.strip_suffix('\\').unwrap_or(content));
        if content.ends_with('\\') {
            rule = Some((start, whole));
            continue;
        }
        of_rule(&whole, start, &mut programs);
    }
    if let Some((start, whole)) = rule {
        of_rule(&whole, start, &mut programs);
    }
    programs
}

fn of_rule(rule: &str, line: usize, programs: &mut Vec<Program>) {
    let parts = parts(rule);
    let is_match = |(key, operator, value): &(&str, &str, String)| {
        matches!(*operator, "==" | "!=").then(|| format!("{key}{operator}\"{value}\""))
    };
    let matches = parts.iter().filter_map(is_match).collect::<Vec<_>>().join(", ");
    for (key, operator, value) in &parts {
        let is_program = match *key {
            "RUN" | "RUN{program}" => matches!(*operator, "=" | "+=" | ":="),
            "PROGRAM" | "IMPORT{program}" => true,
            _ => false,
        };
        if is_program && !value.is_empty() {
            programs.push(Program { command: value.clone(), matches: matches.clone(), file: PathBuf::new(), line });
        }
    }
}

/// The keys of a rule with their operators and values.
fn parts(rule: &str) -> Vec<(&str, &str, String)> {
    let mut parts = Vec::new();
    let mut rest = rule;
    loop {
        rest = rest.trim_start_matches(|character: char| character == ',' || character.is_whitespace());
        let Some(quote) = rest.find('"') else { return parts };
        let head = rest[..quote].trim_end_matches(['e', 'i']);
        let key = head.trim_end().trim_end_matches(['=', '+', '-', '!', ':']).trim_end();
        let operator = head[key.len()..].trim();
        let mut value = String::new();
        let mut characters = rest[quote + 1..].char_indices();
        let mut end = None;
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    end = Some(at);
                    break;
                }
                '\\' => match characters.next() {
                    Some((_, '"')) => value.push('"'),
                    Some((_, other)) => value.extend(['\\', other]),
                    None => {}
                },
                other => value.push(other),
            }
        }
        let Some(end) = end else { return parts };
        parts.push((key, operator, value));
        rest = &rest[quote + 1 + end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::texts::damaged;

    #[test]
    fn rules_have_programs_and_conditions() {
        let text = "# note\nACTION==\"add\", SUBSYSTEM==\"usb\", \\\n  RUN+=\"/bin/sh -c 'x \\\"y\\\"'\"\n\
            KERNEL==\"a\", SYMLINK+=\"b\"\n\
                    PROGRAM=\"/bin/id\", RUN{builtin}+=\"kmod\", IMPORT{program}=\"/bin/p %k\"\nRUN=\"\"\nRUN+=\"open";
        let shown: Vec<_> = parse(text)
            .into_iter()
            .map(|program| format!("{} [{}] {}", program.line, program.matches, program.command))
            .collect();
        assert_eq!(
            shown,
            ["2 [ACTION==\"add\", SUBSYSTEM==\"usb\"] /bin/sh -c 'x \"y\"'", "5 [] /bin/id", "5 [] /bin/p %k"]
        );
        damaged(text.as_bytes(), |bytes| parse(&String::from_utf8_lossy(bytes)).len());
    }
}
