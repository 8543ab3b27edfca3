//! Variables of the dynamic loader that load libraries, in settings and scripts.

/// Variables that make programs load libraries, or look for them elsewhere.
pub(crate) const VARIABLES: [&str; 3] = ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"];

/// The values that a line of a shell script, of systemd's `Environment=`, or of `pam_env.conf` gives to the variables.
pub(crate) fn assignments(line: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for variable in VARIABLES {
        let mut rest = line;
        while let Some(at) = rest.find(variable) {
            let before = rest[..at].chars().next_back();
            let is_first = rest.len() == line.len() && line[..at].trim().is_empty();
            let after = &rest[at + variable.len()..];
            rest = after;
            let is_word = before
                .is_none_or(|character| !character.is_ascii_alphanumeric() && !matches!(character, '_' | '$' | '{'));
            if let Some((value, others)) = is_word.then(|| assigned(after, before, is_first)).flatten() {
                found.push((variable, value));
                rest = others;
            }
        }
    }
    found
}

/// The value after a variable's name, and what follows it.
fn assigned(after: &str, before: Option<char>, is_first: bool) -> Option<(String, &str)> {
    if let Some(value) = after.strip_prefix('=') {
        // In `"NAME=a b"` the quotes enclose the assignment.
        return Some(match before.filter(|quote| matches!(quote, '"' | '\'')) {
            Some(quote) => {
                let end = value.find(quote).unwrap_or(value.len());
                (value[..end].to_owned(), &value[end..])
            }
            None => word(value),
        });
    }
    let rest = after.trim_start();
    if rest.len() == after.len() || rest.is_empty() {
        return None;
    }
    // `NAME DEFAULT=value OVERRIDE=value`, and csh's `setenv NAME value`.
    let keys = if is_first { &["OVERRIDE=", "DEFAULT="][..] } else { &[] };
    keys.iter()
        .find_map(|key| rest.split_once(key).map(|(_, value)| word(value)))
        .or_else(|| (before == Some(' ') && rest.starts_with('/')).then(|| word(rest)))
}

/// A word of the shell, and what follows it; quotes may enclose parts of it.
fn word(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, end) if end.is_whitespace() || matches!(end, ';' | '&' | '|' | ')') => break,
            (None | Some('"'), '\\') => word.extend(characters.next()),
            (_, other) => word.push(other),
        }
    }
    (word, characters.as_str())
}

/// The libraries or directories in a variable's value.
pub(crate) fn libraries<'a>(variable: &str, value: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
    let is_preload = variable == VARIABLES[0];
    let is_path = variable == VARIABLES[2];
    let split = move |character: char| {
        character == ':' || is_preload && character.is_whitespace() || is_path && character == ';'
    };
    value.split(split).filter(|library| !library.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    #[test]
    fn assignments_are_found_where_they_stand() {
        for (line, expected) in [
            ("export LD_PRELOAD=/tmp/a.so", vec![("LD_PRELOAD", "/tmp/a.so")]),
            ("LD_PRELOAD='/tmp/a b.so' LD_AUDIT=/x.so cmd", vec![("LD_PRELOAD", "/tmp/a b.so"), ("LD_AUDIT", "/x.so")]),
            ("env LD_PRELOAD=/a.so:/b.so; x", vec![("LD_PRELOAD", "/a.so:/b.so")]),
            ("setenv LD_LIBRARY_PATH /opt/lib", vec![("LD_LIBRARY_PATH", "/opt/lib")]),
            ("LD_PRELOAD DEFAULT= OVERRIDE=/x.so", vec![("LD_PRELOAD", "/x.so")]),
            ("\"LD_PRELOAD=/a.so /b.so\" \"B=c\"", vec![("LD_PRELOAD", "/a.so /b.so")]),
            ("LD_LIBRARY_PATH=/a:$LD_LIBRARY_PATH", vec![("LD_LIBRARY_PATH", "/a:$LD_LIBRARY_PATH")]),
            ("unset LD_PRELOAD", vec![]),
            ("echo MY_LD_PRELOAD=x $LD_PRELOAD", vec![]),
        ] {
            let found = assignments(line);
            let found: Vec<_> = found.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(found, expected, "{line}");
            damaged(line.as_bytes(), |bytes| assignments(&String::from_utf8_lossy(bytes)).len());
        }
        assert_eq!(assignments(&"LD_AUDIT=".repeat(1000)).len(), 1, "a value is not searched");
        assert_eq!(assignments(&"LD_AUDIT DEFAULT=/x ".repeat(1000)).len(), 1, "only the first word has a default");
        let split = |name: &str, value| libraries(name, value).collect::<Vec<_>>().join(",");
        assert_eq!(split("LD_PRELOAD", "/a b::/c"), "/a,b,/c");
        assert_eq!(split("LD_AUDIT", "/a b:/c"), "/a b,/c");
        assert_eq!(split("LD_LIBRARY_PATH", "/a;/b:/c d"), "/a,/b,/c d");
    }
}
