//! Splits SQL into tokens, for highlighting and completion. Never fails: an unknown character becomes its own token.

/// Kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bare name or keyword.
    Word,
    /// A name in `"`, backticks or brackets.
    Quoted,
    /// A string in `'`.
    String,
    /// A number.
    Number,
    /// `-- ...` or `/* ... */`
    Comment,
    /// Anything else except blanks.
    Sign,
}

/// A token of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) text: &'a str,
}

impl Token<'_> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(crate) fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// The name in a word or quoted name.
    pub(crate) fn name(&self) -> Option<&str> {
        match self.kind {
            Kind::Word => Some(self.text),
            Kind::Quoted => {
                let inner = self.text.get(1..)?;
                Some(inner.strip_suffix(['"', '`', ']']).unwrap_or(inner))
            }
            _ => None,
        }
    }
}

/// Splits SQL into tokens, without blanks.
pub(crate) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = sql[start..].chars().next() {
        let rest = &sql[start..];
        let (kind, length) = match first {
            c if c.is_whitespace() => {
                start += c.len_utf8();
                continue;
            }
            '-' if rest.starts_with("--") => (Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (Kind::Comment, rest[2..].find("*/").map_or(rest.len(), |at| at + 4)),
            '\'' => (Kind::String, quoted(rest, '\'')),
            '"' => (Kind::Quoted, quoted(rest, '"')),
            '`' => (Kind::Quoted, quoted(rest, '`')),
            c if c.is_ascii_digit() => (
                Kind::Number,
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_').unwrap_or(rest.len()),
            ),
            c if c.is_alphabetic() || c == '_' => {
                (Kind::Word, rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len()))
            }
            c => (Kind::Sign, c.len_utf8()),
        };
        tokens.push(Token { kind, start, text: &rest[..length] });
        start += length;
    }
    tokens
}

/// Length of a quoted text, in which a doubled quote is a quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(end) = text[at..].find(quote) {
        at += end + 1;
        if !text[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    text.len()
}

/// Words that the shell highlights and completes.
pub(crate) const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANTI",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COLLATE",
    "CREATE",
    "CROSS",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "ESCAPE",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL",
    "GLOB",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NATURAL",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "RECURSIVE",
    "REGEXP",
    "RIGHT",
    "SELECT",
    "SEMI",
    "THEN",
    "TRUE",
    "UNION",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        let kinds: Vec<(Kind, &str)> = tokens("SELECT \"a\"\"b\", 'it''s' -- c\n/* d */ x1.5ü 1.5e3 `q` 'open")
            .into_iter()
            .map(|token| (token.kind, token.text))
            .collect();
        assert_eq!(
            kinds,
            [
                (Kind::Word, "SELECT"),
                (Kind::Quoted, "\"a\"\"b\""),
                (Kind::Sign, ","),
                (Kind::String, "'it''s'"),
                (Kind::Comment, "-- c"),
                (Kind::Comment, "/* d */"),
                (Kind::Word, "x1"),
                (Kind::Sign, "."),
                (Kind::Number, "5"),
                (Kind::Word, "ü"),
                (Kind::Number, "1.5e3"),
                (Kind::Quoted, "`q`"),
                (Kind::String, "'open"),
            ]
        );
        for odd in ["", "'", "\"", "/*", "--", "日'本", "''''", "a\u{0}b"] {
            let _ = tokens(odd);
        }
    }
}
