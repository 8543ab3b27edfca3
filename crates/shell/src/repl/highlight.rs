//! Colours for SQL.

use crate::lex::{Kind, is_keyword, tokens};

const KEYWORD: &str = "\x1b[1;34m";
const STRING: &str = "\x1b[32m";
const NUMBER: &str = "\x1b[36m";
const COMMENT: &str = "\x1b[2m";
const TABLE: &str = "\x1b[35m";
const RESET: &str = "\x1b[0m";

/// The line with colours; `is_table` tells whether a word is a table.
pub(crate) fn highlight(line: &str, is_table: impl Fn(&str) -> bool) -> String {
    if line.trim_start().starts_with('.') {
        return format!("{KEYWORD}{line}{RESET}");
    }
    let mut out = String::with_capacity(line.len() * 2);
    let mut at = 0;
    for token in tokens(line) {
        out.push_str(&line[at..token.start]);
        let color = match token.kind {
            Kind::Word if is_keyword(token.text) => KEYWORD,
            Kind::Word if is_table(token.text) => TABLE,
            Kind::String => STRING,
            Kind::Number => NUMBER,
            Kind::Comment => COMMENT,
            _ => "",
        };
        out.push_str(color);
        out.push_str(token.text);
        if !color.is_empty() {
            out.push_str(RESET);
        }
        at = token.end();
    }
    out.push_str(&line[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_change_no_character() {
        let line = "SELECT name, 'x' FROM processes -- all\nWHERE pid = 1 ";
        let colored = highlight(line, |word| word == "processes");
        assert!(colored.contains("\x1b[35mprocesses\x1b[0m"), "{colored:?}");
        let mut plain = colored;
        for code in [KEYWORD, STRING, NUMBER, COMMENT, TABLE, RESET] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, line);
    }
}
