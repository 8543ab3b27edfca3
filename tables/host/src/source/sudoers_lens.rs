//! The tree that Augeas makes of `/etc/sudoers`.

use super::lenses::{Node, branch, comment_node, leaf};
use super::texts::split_word;
use crate::sudoers::{rules, without_comment};

/// Tags before a command.
const TAGS: [&str; 6] = ["PASSWD", "NOPASSWD", "EXEC", "NOEXEC", "SETENV", "NOSETENV"];
/// Settings whose value is a list of variables.
const LISTS: [&str; 3] = ["env_check", "env_delete", "env_keep"];
/// Settings whose value is a number, which may be quoted.
const NUMBERS: [&str; 5] = ["loglinelen", "passwd_timeout", "passwd_tries", "timestamp_timeout", "umask"];

pub(crate) fn sudoers(text: &str) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    for (_, line) in rules(text) {
        let line = line.trim();
        let entry = without_comment(line).trim_end();
        let comment = line[entry.len()..].trim_start().strip_prefix('#').and_then(comment_node);
        if entry.is_empty() {
            nodes.extend(comment);
            continue;
        }
        let (keyword, rest) = split_word(entry);
        if let "#include" | "#includedir" | "@include" | "@includedir" = keyword {
            nodes.push(leaf(keyword, rest));
            continue;
        }
        let mut node = match keyword {
            "User_Alias" => alias(keyword, "user", rest)?,
            "Runas_Alias" => alias(keyword, "runas_user", rest)?,
            "Host_Alias" => alias(keyword, "host", rest)?,
            "Cmnd_Alias" => alias(keyword, "command", rest)?,
            _ => match keyword
                .strip_prefix("Defaults")
                .filter(|kind| kind.is_empty() || kind.starts_with(['@', ':', '!', '>']))
            {
                Some(kind) => defaults(kind, rest)?,
                None => spec(entry)?,
            },
        };
        node.children.extend(comment);
        nodes.push(node);
    }
    Some(nodes)
}

/// A text up to a separator that is neither escaped nor quoted, and the separator and the text after it.
fn until<'a>(text: &'a str, separators: &[char]) -> (&'a str, Option<(char, &'a str)>) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, letter) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
            continue;
        }
        match letter {
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if !is_quoted && separators.contains(&letter) => {
                return (text[..at].trim(), Some((letter, text[at + letter.len_utf8()..].trim_start())));
            }
            _ => {}
        }
    }
    (text.trim(), None)
}

/// The parts of a text between separators.
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let (part, after) = until(rest?, &[separator]);
        rest = after.map(|(_, after)| after);
        Some(part)
    })
}

/// A text without the `!` at its start, and a node if it is negated: two of them say nothing.
fn negated(text: &str) -> (&str, Option<Node>) {
    let value = text.trim_start_matches(|letter: char| letter == '!' || letter.is_whitespace());
    let count = text[..text.len() - value.len()].matches('!').count();
    (value, (count % 2 == 1).then(|| branch("negate", Vec::new())))
}

fn command(value: &str, mut children: Vec<Node>) -> Option<Node> {
    let (value, negate) = negated(value);
    children.extend(negate);
    (!value.is_empty()).then(|| Node { children, ..leaf("command", value) })
}

/// `NAME = a, b : OTHER = c`
fn alias(keyword: &str, field: &str, text: &str) -> Option<Node> {
    let of_name = |entry: &str| {
        let (name, Some((_, values))) = until(entry, &['=']) else { return None };
        let mut children = vec![leaf("name", name)];
        for value in parts(values, ',') {
            children.push(if field == "command" { command(value, Vec::new())? } else { leaf(field, value) });
        }
        Some(branch("alias", children))
    };
    Some(branch(keyword, parts(text, ':').map(of_name).collect::<Option<_>>()?))
}

/// The settings after `Defaults`, and whom they are for: `:ada`.
fn defaults(kind: &str, text: &str) -> Option<Node> {
    let mut children: Vec<Node> = (!kind.is_empty()).then(|| leaf("type", kind)).into_iter().collect();
    for parameter in parts(text, ',') {
        let (parameter, negate) = negated(parameter);
        let end = parameter.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let (name, value) = parameter.split_at(end.unwrap_or(parameter.len()));
        let value = value.trim_start();
        if name.is_empty() {
            return None;
        }
        let (change, value) = match value.split_at_checked(1) {
            None => (None, None),
            Some(("+", rest)) => (Some("append"), Some(rest.strip_prefix('=')?)),
            Some(("-", rest)) => (Some("remove"), Some(rest.strip_prefix('=')?)),
            Some(("=", rest)) => (None, Some(rest)),
            Some(_) => return None,
        };
        let mut of_name: Vec<Node> =
            negate.into_iter().chain(change.map(|change| branch(change, Vec::new()))).collect();
        let value = value.map(str::trim);
        let plain = value.map(|value| value.trim_matches('"'));
        children.push(match (value, plain) {
            (Some(_), Some(plain)) if change.is_some() || LISTS.contains(&name) => {
                of_name.extend(plain.split_whitespace().map(|variable| leaf("var", variable)));
                branch(name, of_name)
            }
            (Some(_), Some(plain)) if NUMBERS.contains(&name) => Node { children: of_name, ..leaf(name, plain) },
            (Some(value), _) => Node { children: of_name, ..leaf(name, value) },
            (None, _) => branch(name, of_name),
        });
    }
    Some(branch("Defaults", children))
}

/// `ada, bob HOST = (root : games) NOPASSWD: /bin/a, !/bin/b : OTHER = ALL`
fn spec(text: &str) -> Option<Node> {
    let (left, Some((_, mut rest))) = until(text, &['=']) else { return None };
    // The users end at the first blank that is not beside a comma.
    let is_end = |at: &usize| !left[..*at].ends_with(',') && !left[*at..].trim_start().starts_with(',');
    let blanks = left.char_indices().filter(|(at, letter)| {
        letter.is_whitespace() && !left[..*at].ends_with(char::is_whitespace) && !left[..*at].ends_with('\\')
    });
    let end = blanks.map(|(at, _)| at).find(is_end)?;
    let (users, mut hosts) = left.split_at(end);
    let mut children: Vec<Node> = parts(users, ',').map(|user| leaf("user", user)).collect();
    loop {
        let mut of_hosts: Vec<Node> = parts(hosts.trim(), ',').map(|host| leaf("host", host)).collect();
        let next = loop {
            let mut of_command = Vec::new();
            if let Some(inside) = rest.strip_prefix('(') {
                let (runas, after) = inside.split_once(')')?;
                let (users, groups) = runas.split_once(':').unwrap_or((runas, ""));
                for (label, names) in [("runas_user", users), ("runas_group", groups)] {
                    let names = parts(names, ',').filter(|name| !name.is_empty());
                    of_command.extend(names.map(|name| leaf(label, name)));
                }
                rest = after.trim_start();
            }
            while let (tag, Some((':', after))) = until(rest, &[':', ',', ' ', '\t'])
                && TAGS.contains(&tag)
            {
                of_command.push(leaf("tag", tag));
                rest = after;
            }
            let (value, after) = until(rest, &[',', ':']);
            of_hosts.push(command(value, of_command)?);
            match after {
                Some((',', after)) => rest = after,
                after => break after.map(|(_, after)| after),
            }
        };
        children.push(branch("host_group", of_hosts));
        let Some(next) = next else { return Some(branch("spec", children)) };
        let (of_next, Some((_, after))) = until(next, &['=']) else { return None };
        (hosts, rest) = (of_next, after);
    }
}
