//! Settings files as trees, in the form that Augeas gives them: one lens per format.
//!
//! Augeas itself is a C library that needs its lenses as files. These are the formats that queries about hosts ask for.

use super::sudoers_lens::sudoers;
use super::texts::split_word;

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) label: String,
    pub(crate) value: Option<String>,
    pub(crate) children: Vec<Node>,
}

/// A lens: turns a text into nodes. `None` if the text is not in its format.
pub(crate) type Lens = fn(&str) -> Option<Vec<Node>>;

/// Files with the lens of each; a pattern may match several files.
pub(crate) const FILES: &[(&str, Lens)] = &[
    ("/etc/cron.d/*", crontab),
    ("/etc/crontab", crontab),
    ("/etc/default/*", shell_variables),
    ("/etc/environment", shell_variables),
    ("/etc/fstab", fstab),
    ("/etc/group", group),
    ("/etc/hostname", hostname),
    ("/etc/hosts", hosts),
    ("/etc/ld.so.conf", ld_so_conf),
    ("/etc/ld.so.conf.d/*", ld_so_conf),
    ("/etc/login.defs", login_defs),
    ("/etc/nsswitch.conf", nsswitch),
    ("/etc/os-release", shell_variables),
    ("/etc/pam.d/*", pam),
    ("/etc/passwd", passwd),
    ("/etc/protocols", protocols),
    ("/etc/resolv.conf", resolv),
    ("/etc/services", services),
    ("/etc/shadow", shadow),
    ("/etc/shells", shells),
    ("/etc/ssh/sshd_config", sshd),
    ("/etc/ssh/sshd_config.d/*.conf", sshd),
    ("/etc/sudoers", sudoers),
    ("/etc/sudoers.d/*", sudoers),
    ("/etc/sysctl.conf", sysctl),
    ("/etc/sysctl.d/*.conf", sysctl),
];

pub(crate) fn leaf(label: &str, value: impl Into<String>) -> Node {
    Node { label: label.to_owned(), value: Some(value.into()), children: Vec::new() }
}

pub(crate) fn branch(label: &str, children: Vec<Node>) -> Node {
    Node { label: label.to_owned(), value: None, children }
}

/// A leaf without a value if the text is empty.
fn optional(label: &str, value: &str) -> Node {
    Node { label: label.to_owned(), value: (!value.is_empty()).then(|| value.to_owned()), children: Vec::new() }
}

/// The lines of a text that are not blank; a comment becomes a node.
fn each_line(text: &str, mut entry: impl FnMut(&str) -> Option<Node>) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix('#') {
            Some(comment) => nodes.extend(comment_node(comment)),
            None => nodes.push(entry(line)?),
        }
    }
    Some(nodes)
}

pub(crate) fn comment_node(comment: &str) -> Option<Node> {
    let text = comment.trim();
    (!text.is_empty()).then(|| leaf("#comment", text))
}

/// A line and the node of a comment at its end.
fn with_comment(line: &str) -> (&str, Option<Node>) {
    match line.split_once('#') {
        Some((entry, comment)) => (entry.trim_end(), comment_node(comment)),
        None => (line, None),
    }
}

/// Numbers entries that have no name, from 1.
fn numbered(text: &str, mut entry: impl FnMut(&str) -> Option<Vec<Node>>) -> Option<Vec<Node>> {
    let mut number = 0;
    each_line(text, |line| {
        number += 1;
        Some(branch(&number.to_string(), entry(line)?))
    })
}

/// A line of fields between colons. Fields without a name are an error.
fn colons<'a>(line: &'a str, names: &[&str]) -> Option<(&'a str, Vec<(usize, &'a str)>)> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let fields: Vec<(usize, &str)> = fields.enumerate().collect();
    (fields.len() == names.len()).then_some((name, fields))
}

fn passwd(text: &str) -> Option<Vec<Node>> {
    const NAMES: [&str; 6] = ["password", "uid", "gid", "name", "home", "shell"];
    each_line(text, |line| {
        let (name, fields) = colons(line, &NAMES)?;
        Some(branch(name, fields.into_iter().map(|(at, field)| optional(NAMES[at], field)).collect()))
    })
}

fn group(text: &str) -> Option<Vec<Node>> {
    const NAMES: [&str; 3] = ["password", "gid", "user"];
    each_line(text, |line| {
        let (name, fields) = colons(line, &NAMES)?;
        let mut children = Vec::new();
        for (at, field) in fields {
            match NAMES[at] {
                "user" => {
                    children.extend(field.split(',').filter(|user| !user.is_empty()).map(|user| leaf("user", user)))
                }
                name => children.push(optional(name, field)),
            }
        }
        Some(branch(name, children))
    })
}

fn shadow(text: &str) -> Option<Vec<Node>> {
    const NAMES: [&str; 8] = [
        "password",
        "lastchange_date",
        "minage_days",
        "maxage_days",
        "warn_days",
        "inactive_days",
        "expire_date",
        "flag",
    ];
    each_line(text, |line| {
        let (name, fields) = colons(line, &NAMES)?;
        Some(branch(name, fields.into_iter().map(|(at, field)| leaf(NAMES[at], field)).collect()))
    })
}

fn hosts(text: &str) -> Option<Vec<Node>> {
    numbered(text, |line| {
        let (entry, comment) = with_comment(line);
        let mut words = entry.split_whitespace();
        let mut children = vec![leaf("ipaddr", words.next()?), leaf("canonical", words.next()?)];
        children.extend(words.map(|alias| leaf("alias", alias)));
        children.extend(comment);
        Some(children)
    })
}

fn fstab(text: &str) -> Option<Vec<Node>> {
    numbered(text, |line| {
        let mut words = line.split_whitespace();
        let mut children = vec![leaf("spec", words.next()?), leaf("file", words.next()?)];
        children.extend(words.next()?.split(',').map(|kind| leaf("vfstype", kind)));
        for option in words.next().into_iter().flat_map(|options| options.split(',')) {
            children.push(match option.split_once('=') {
                Some((name, value)) => Node { children: vec![optional("value", value)], ..leaf("opt", name) },
                None => leaf("opt", option),
            });
        }
        children.extend(["dump", "passno"].into_iter().zip(words.by_ref()).map(|(name, word)| leaf(name, word)));
        words.next().is_none().then_some(children)
    })
}

fn sysctl(text: &str) -> Option<Vec<Node>> {
    each_line(text, |line| match line.strip_prefix(';') {
        Some(comment) => comment_node(comment),
        None => {
            let (key, value) = line.split_once('=')?;
            Some(leaf(key.trim_end(), value.trim_start()))
        }
    })
}

fn login_defs(text: &str) -> Option<Vec<Node>> {
    each_line(text, |line| {
        let (key, value) = split_word(line);
        Some(optional(key, value))
    })
}

fn shells(text: &str) -> Option<Vec<Node>> {
    let mut number = 0;
    each_line(text, |line| {
        number += 1;
        Some(leaf(&number.to_string(), line))
    })
}

fn hostname(text: &str) -> Option<Vec<Node>> {
    each_line(text, |line| Some(leaf("hostname", line)))
}

fn ld_so_conf(text: &str) -> Option<Vec<Node>> {
    each_line(text, |line| {
        Some(match split_word(line) {
            (keyword @ ("include" | "hwcap"), rest) => leaf(keyword, rest),
            _ => leaf("path", line),
        })
    })
}

fn resolv(text: &str) -> Option<Vec<Node>> {
    each_line(text, |line| {
        if let Some(comment) = line.strip_prefix(';') {
            return comment_node(comment);
        }
        let (keyword, rest) = split_word(line);
        let words = rest.split_whitespace();
        Some(match keyword {
            "nameserver" | "domain" | "family" => leaf(keyword, rest),
            "search" => branch(keyword, words.map(|domain| leaf("domain", domain)).collect()),
            "sortlist" => {
                let networks = words.map(|word| match word.split_once('/') {
                    Some((address, mask)) => Node { children: vec![leaf("netmask", mask)], ..leaf("ipaddr", address) },
                    None => leaf("ipaddr", word),
                });
                branch(keyword, networks.collect())
            }
            "options" => {
                let options = words.map(|word| match word.split_once(':') {
                    Some((name, value)) => leaf(name, value),
                    None => branch(word, Vec::new()),
                });
                branch(keyword, options.collect())
            }
            _ => return None,
        })
    })
}

fn nsswitch(text: &str) -> Option<Vec<Node>> {
    each_line(text, |line| {
        let (entry, comment) = with_comment(line);
        let (database, services) = entry.split_once(':')?;
        let mut children = Vec::new();
        let mut rest = services.trim();
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (reaction, after) = inside.split_once(']')?;
                let statuses = reaction.split_whitespace().map(|word| {
                    let (status, action) = word.split_once('=')?;
                    Some(match status.strip_prefix('!') {
                        Some(status) => Node {
                            children: vec![branch("negate", Vec::new()), leaf("action", action)],
                            ..leaf("status", status)
                        },
                        None => Node { children: vec![leaf("action", action)], ..leaf("status", status) },
                    })
                });
                children.push(branch("reaction", statuses.collect::<Option<_>>()?));
                rest = after.trim_start();
            } else {
                let (service, after) = split_word(rest);
                children.push(leaf("service", service));
                rest = after;
            }
        }
        children.extend(comment);
        Some(Node { children, ..leaf("database", database.trim_end()) })
    })
}

fn shell_variables(text: &str) -> Option<Vec<Node>> {
    each_line(text, |line| {
        let (assignment, is_exported) = match split_word(line) {
            ("export", rest) => (rest, true),
            _ => (line, false),
        };
        let (name, value) = assignment.split_once('=')?;
        let is_name = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        // Anything but a plain or quoted word is a script.
        let is_quoted = ['"', '\''].into_iter().any(|quote| {
            let inside = value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
            inside.is_some_and(|inside| !inside.contains(quote))
        });
        let is_plain = !value.contains(|letter: char| letter.is_whitespace() || "\"'`;|&()#".contains(letter));
        if !is_name || !is_quoted && !is_plain {
            return None;
        }
        let children = if is_exported { vec![branch("export", Vec::new())] } else { Vec::new() };
        Some(Node { children, ..leaf(name, value) })
    })
}

fn services(text: &str) -> Option<Vec<Node>> {
    each_line(text, |line| {
        let (entry, comment) = with_comment(line);
        let mut words = entry.split_whitespace();
        let (name, (port, protocol)) = (words.next()?, words.next()?.split_once('/')?);
        let mut children = match port.split_once('-') {
            Some((start, end)) => vec![leaf("start", start), leaf("end", end)],
            None => vec![leaf("port", port)],
        };
        children.push(leaf("protocol", protocol));
        children.extend(words.map(|alias| leaf("alias", alias)));
        children.extend(comment);
        Some(Node { children, ..leaf("service-name", name) })
    })
}

fn protocols(text: &str) -> Option<Vec<Node>> {
    numbered(text, |line| {
        let (entry, comment) = with_comment(line);
        let mut words = entry.split_whitespace();
        let mut children = vec![leaf("protocol", words.next()?), leaf("number", words.next()?)];
        children.extend(words.map(|alias| leaf("alias", alias)));
        children.extend(comment);
        Some(children)
    })
}

fn crontab(text: &str) -> Option<Vec<Node>> {
    each_line(text, |line| {
        let (first, rest) = split_word(line);
        if let Some(schedule) = first.strip_prefix('@') {
            let (user, command) = split_word(rest);
            return Some(Node {
                children: vec![leaf("schedule", schedule), leaf("user", user)],
                ..leaf("entry", command)
            });
        }
        if let Some((name, value)) = line.split_once('=')
            && name.trim_end().chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        {
            return Some(leaf(name.trim_end(), value.trim_start()));
        }
        let mut rest = line;
        let mut times = Vec::new();
        for name in ["minute", "hour", "dayofmonth", "month", "dayofweek"] {
            let (word, after) = split_word(rest);
            times.push(leaf(name, word));
            rest = after;
        }
        let (user, command) = split_word(rest);
        (!command.is_empty())
            .then(|| Node { children: vec![branch("time", times), leaf("user", user)], ..leaf("entry", command) })
    })
}

fn pam(text: &str) -> Option<Vec<Node>> {
    let mut number = 0;
    each_line(text, |line| {
        let (entry, comment) = with_comment(line);
        if let ("@include", name) = split_word(entry) {
            return Some(Node { children: comment.into_iter().collect(), ..leaf("include", name) });
        }
        number += 1;
        let (kind, rest) = split_word(entry);
        let mut children = Vec::new();
        let kind = kind.strip_prefix('-').inspect(|_| children.push(branch("optional", Vec::new()))).unwrap_or(kind);
        let control_ends = if rest.starts_with('[') { rest.find(']')? + 1 } else { rest.find(char::is_whitespace)? };
        let (control, rest) = rest.split_at(control_ends);
        let (module, mut rest) = split_word(rest);
        if module.is_empty() {
            return None;
        }
        children.extend([leaf("type", kind), leaf("control", control), leaf("module", module)]);
        while !rest.is_empty() {
            let end = if rest.starts_with('[') { rest.find(']')? + 1 } else { split_word(rest).0.len() };
            children.push(leaf("argument", &rest[..end]));
            rest = rest[end..].trim_start();
        }
        children.extend(comment);
        Some(branch(&number.to_string(), children))
    })
}

fn sshd(text: &str) -> Option<Vec<Node>> {
    const LISTS: [&str; 5] = ["acceptenv", "allowgroups", "allowusers", "denygroups", "denyusers"];
    const COMMA_LISTS: [&str; 3] = ["ciphers", "macs", "kexalgorithms"];
    let mut counts = std::collections::HashMap::new();
    let lines = each_line(text, |line| {
        let (keyword, value) = split_word(line);
        if value.is_empty() {
            return None;
        }
        let lower = keyword.to_ascii_lowercase();
        Some(if LISTS.contains(&lower.as_str()) {
            let count = counts.entry(lower).or_insert(0);
            let words = value.split_whitespace().map(|word| {
                *count += 1;
                leaf(&count.to_string(), word)
            });
            branch(keyword, words.collect())
        } else if COMMA_LISTS.contains(&lower.as_str()) {
            let words = value.split(',').zip(1..).map(|(word, number): (_, u32)| leaf(&number.to_string(), word));
            branch(keyword, words.collect())
        } else if lower == "subsystem" {
            let (name, command) = split_word(value);
            branch(keyword, vec![leaf(name, command)])
        } else if lower == "match" {
            let words: Vec<&str> = value.split_whitespace().collect();
            let pairs = words.chunks(2).map(|pair| match pair {
                [name, value] => leaf(name, *value),
                other => leaf(other.first().copied().unwrap_or_default(), ""),
            });
            branch(keyword, vec![branch("Condition", pairs.collect()), branch("Settings", Vec::new())])
        } else {
            leaf(keyword, value)
        })
    })?;
    // Settings after a `Match` line belong to it.
    let mut nodes: Vec<Node> = Vec::new();
    for node in lines {
        let is_match = |node: &Node| node.label.eq_ignore_ascii_case("match");
        match nodes
            .last_mut()
            .filter(|last| is_match(last) && !is_match(&node))
            .and_then(|last| last.children.last_mut())
        {
            Some(settings) => settings.children.push(node),
            None => nodes.push(node),
        }
    }
    Some(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    #[test]
    fn damaged_files_are_bounded() {
        fn count(nodes: &[Node]) -> usize {
            nodes.iter().map(|node| 1 + count(&node.children)).sum()
        }
        let samples = [
            "a:x:1:2:c:/:/bin/sh\n#c\nPort 22 # x\nMatch User a\n X y\nA=\"b\"\nexport C=d\n",
            "ada,bob A = (c : d) NOPASSWD: /e, !/f : G = ALL # h\nDefaults:a !b, c += \"d e\"\nHost_Alias A = b : C = d\n",
            "1 * * * * root id\n@daily a b\nauth [a=b] c [d e] f\npasswd: a [!b=c] d\n/ / x a=b,c 0 1\n",
        ];
        for (_, lens) in FILES {
            for sample in samples {
                damaged(sample.as_bytes(), |bytes| {
                    lens(&String::from_utf8_lossy(bytes)).map_or(0, |nodes| count(&nodes))
                });
            }
        }
    }
}
