//! Programs that rules of udev run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use indago_table::prelude::*;

use super::held::{HeldList, owned};
use super::texts::{Texts, settings};

/// A program of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) command: String,
    /// The conditions of the rule.
    pub(crate) matches: Arc<str>,
    pub(crate) file: Arc<Path>,
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

/// Longest rule in bytes: udev's own limit.
const LONGEST_RULE: usize = 16 << 10;

/// The programs of all rules, in udev's order.
pub(crate) fn programs(texts: &Texts<'_>) -> Result<HeldList<Program>> {
    let mut files = BTreeMap::new();
    for path in DIRECTORIES.iter().flat_map(|directory| texts.files_in(directory)) {
        if path.extension().is_some_and(|end| end == "rules")
            && let Some(name) = path.file_name()
        {
            files.entry(name.to_owned()).or_insert(path);
        }
    }
    let mut programs = HeldList::new(texts.sys);
    for path in files.into_values() {
        let Some(text) = texts.text(&path) else { continue };
        let reject = |line| texts.bad_line(&path, line, "a rule of more than 16 KiB; it was skipped");
        parse(&text, &path.as_path().into(), reject, &mut programs)?;
    }
    Ok(programs)
}

fn parse(text: &str, file: &Arc<Path>, mut reject: impl FnMut(usize), programs: &mut HeldList<Program>) -> Result<()> {
    let mut rule: Option<(usize, String)> = None;
    let mut add = |rule: &str, line| match rule.len() {
        ..=LONGEST_RULE => of_rule(rule, line, file, programs),
        _ => {
            reject(line);
            Ok(())
        }
    };
    for (line, content) in settings(text) {
        let (start, mut whole) = rule.take().unwrap_or((line, String::new()));
        whole.push_str(content.strip_suffix('\\').unwrap_or(content));
        if content.ends_with('\\') {
            rule = Some((start, whole));
            continue;
        }
        add(&whole, start)?;
    }
    rule.map_or(Ok(()), |(start, whole)| add(&whole, start))
}

fn of_rule(rule: &str, line: usize, file: &Arc<Path>, programs: &mut HeldList<Program>) -> Result<()> {
    let parts = parts(rule);
    let is_match = |(key, operator, value): &(&str, &str, String)| {
        matches!(*operator, "==" | "!=").then(|| format!("{key}{operator}\"{value}\""))
    };
    let matches: Arc<str> = parts.iter().filter_map(is_match).collect::<Vec<_>>().join(", ").into();
    // All programs of the rule share them.
    let mut uncharged = owned([&matches]);
    for (key, operator, value) in &parts {
        let is_program = match *key {
            "RUN" | "RUN{program}" => matches!(*operator, "=" | "+=" | ":="),
            "PROGRAM" | "IMPORT{program}" => true,
            _ => false,
        };
        if is_program && !value.is_empty() {
            let program = Program { command: value.clone(), matches: matches.clone(), file: file.clone(), line };
            programs.push(program, owned([value]) + std::mem::take(&mut uncharged))?;
        }
    }
    Ok(())
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
    use crate::source::damaged::damaged;

    #[test]
    fn rules_have_programs_and_conditions() {
        let text = "# note\nACTION==\"add\", SUBSYSTEM==\"usb\", \\\n  RUN+=\"/bin/sh -c 'x \\\"y\\\"'\"\n\
            KERNEL==\"a\", SYMLINK+=\"b\"\n\
                    PROGRAM=\"/bin/id\", RUN{builtin}+=\"kmod\", IMPORT{program}=\"/bin/p %k\"\nRUN=\"\"\nRUN+=\"open";
        let sys = Sys::live();
        let parse = |text: &str| {
            let mut programs = HeldList::new(&sys);
            let reject = |line: usize| panic!("line {line}");
            parse(text, &Path::new("/f").into(), reject, &mut programs).expect("no limit of memory");
            programs
        };
        let shown: Vec<_> = parse(text)
            .iter()
            .map(|program| format!("{} [{}] {}", program.line, program.matches, program.command))
            .collect();
        assert_eq!(
            shown,
            ["2 [ACTION==\"add\", SUBSYSTEM==\"usb\"] /bin/sh -c 'x \"y\"'", "5 [] /bin/id", "5 [] /bin/p %k"]
        );
        damaged(text.as_bytes(), |bytes| parse(&String::from_utf8_lossy(bytes)).len());
    }

    #[test]
    fn programs_share_the_conditions_of_their_rule_and_long_rules_are_reported() {
        let root = tempfile::tempdir().expect("a directory");
        let (sys, limit) = crate::source::held::limited(root.path(), 1 << 20);
        let conditions = format!("KERNEL==\"{}\"", "k".repeat(8000));
        let text =
            format!("{conditions}{}\nRUN=\"b\"{conditions}{conditions}\\\n{conditions}", ", RUN+=\"a\"".repeat(500));
        let mut programs = HeldList::new(&sys);
        let mut rejected = Vec::new();
        // The conditions of each program alone would be 4 MB.
        parse(&text, &Path::new("/f").into(), |line| rejected.push(line), &mut programs).expect("memory is left");
        assert_eq!((programs.len(), rejected), (500, vec![2]));
        assert!(programs.iter().all(|program| Arc::ptr_eq(&program.matches, &programs[0].matches)));
        let text = "RUN=\"a\"\n".repeat(10_000);
        let outcome = parse(&text, &Path::new("/f").into(), |_| {}, &mut programs);
        assert!(matches!(outcome, Err(Error::OutOfMemory(_))), "{outcome:?}");
        drop(programs);
        assert_eq!(limit.left(), 1 << 20);
    }
}
