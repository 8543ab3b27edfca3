//! Help for text that does not parse: likely corrections are tried, and one with which the statement parses is
//! offered.

use std::ops::Range;

use indago_dialect::{Dialect, ParseError};
use indago_table::closest;
use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::diagnostic::{Code, Error, Span, offset};

/// Words that start a statement.
const STARTS: [&str; 9] = ["SELECT", "WITH", "VALUES", "EXPLAIN", "CREATE", "DROP", "SHOW", "DESCRIBE", "PRAGMA"];

/// Words that come later in a statement.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "ALL", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CAST", "CROSS", "DESC", "DISTINCT", "ELSE", "END", "EXCEPT",
    "EXISTS", "FROM", "FULL", "GLOB", "GROUP", "HAVING", "IN", "INNER", "INTERSECT", "IS", "JOIN", "LEFT", "LIKE",
    "LIMIT", "NATURAL", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER", "OUTER", "OVER", "PARTITION", "RIGHT", "SELECT",
    "THEN", "UNION", "USING", "VALUES", "VIEW", "WHEN", "WHERE", "WITH",
];

/// Keywords that are tried for one word.
const ALTERNATIVES: usize = 3;

/// Longer text gets no corrections, because each one parses it again.
const LONGEST: usize = 64 << 10;

/// The error for a text that does not parse.
pub(crate) fn parse_error(error: &ParseError, sql: &str, dialect: Dialect) -> Error {
    let text = Text::of(sql);
    let at = text.pieces.iter().position(|piece| piece.range.end > error.offset).unwrap_or(text.pieces.len());
    let found = text.pieces.get(at).filter(|piece| piece.range.contains(&error.offset));
    let place = found.map_or(error.offset..error.offset, |piece| piece.range.clone());
    let span = Span { start: place.start, end: place.end };
    let failed = Error::new(Code::Parse, worded(&error.message)).at(Some(span)).in_sql(sql);
    match text.help(at, error, dialect) {
        Some(help) => failed.with_help(help),
        None => failed,
    }
}

/// The parser's message in our words.
fn worded(message: &str) -> String {
    if let Some(delimiter) = message.strip_prefix("expected close delimiter '").and_then(|rest| rest.chars().next()) {
        return format!("unterminated name in {delimiter}");
    }
    match message.strip_prefix("unterminated ") {
        Some("string literal") => "unterminated string".to_owned(),
        Some(_) => message.to_owned(),
        None => {
            message.replace(", found EOF", ", but the statement ends").replace(" found EOF", ", but the statement ends")
        }
    }
}

/// A token and where it is, in bytes.
struct Piece {
    token: Token,
    range: Range<usize>,
}

struct Text<'a> {
    sql: &'a str,
    pieces: Vec<Piece>,
}

/// A correction: what replaces a part of the text, and the help that offers it.
struct Correction {
    range: Range<usize>,
    with: String,
    help: String,
}

impl<'a> Text<'a> {
    fn of(sql: &'a str) -> Self {
        let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap_or_default();
        let piece = |token: sqlparser::tokenizer::TokenWithSpan| {
            let (start, end) = (token.span.start, token.span.end);
            let range = offset(sql, start.line, start.column)?..offset(sql, end.line, end.column)?;
            let is_blank = matches!(token.token, Token::Whitespace(_) | Token::EOF);
            (!is_blank).then_some(Piece { token: token.token, range })
        };
        Text { sql, pieces: tokens.into_iter().filter_map(piece).collect() }
    }

    /// The word at a position, unless it is quoted.
    fn word(&self, at: usize) -> Option<&'a str> {
        let piece = self.pieces.get(at)?;
        match &piece.token {
            Token::Word(word) if word.quote_style.is_none() => self.sql.get(piece.range.clone()),
            _ => None,
        }
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.word(at).is_some_and(|found| found.eq_ignore_ascii_case(word))
    }

    fn help(&self, at: usize, error: &ParseError, dialect: Dialect) -> Option<String> {
        if error.message.starts_with("unterminated string") {
            return Some("end it with `'`; within a text, write a quote twice: `'it''s'`".to_owned());
        }
        if error.message.starts_with("expected close delimiter") {
            return Some("end the name with the same quote".to_owned());
        }
        if error.message == "no END for this CASE" {
            return Some("end it with `END`".to_owned());
        }
        if let Some(c) = self.sql[error.offset..].chars().next().filter(|c| "“”‘’„«»".contains(*c)) {
            return Some(format!("{c} does not quote in SQL: write a text in straight quotes, as in 'text'"));
        }
        if self.sql.len() > LONGEST {
            return None;
        }
        let corrections = self.corrections(at, &error.message);
        let parsed = |correction: &Correction| {
            let mut text = self.sql.to_owned();
            text.replace_range(correction.range.clone(), &correction.with);
            indago_dialect::parse(&text, dialect).err().map(|error| error.offset)
        };
        // One that lets the parser come further is a typo of several.
        let is_further = |correction: &&Correction| {
            ["did you mean", "write a comma"].iter().any(|start| correction.help.starts_with(start))
                && parsed(correction).is_some_and(|place| place > error.offset.max(correction.range.end) + 1)
        };
        let found = corrections.iter().find(|correction| parsed(correction).is_none());
        let found = found.or_else(|| corrections.iter().find(is_further));
        found.map(|correction| correction.help.clone()).or_else(|| self.advice(at, &error.message))
    }

    /// Likely corrections around the token that the parser did not expect, the likeliest first.
    fn corrections(&self, at: usize, message: &str) -> Vec<Correction> {
        let mut all = Vec::new();
        let around = || (0..4).filter_map(|back| at.checked_sub(back)).filter(|at| *at < self.pieces.len());
        around().for_each(|place| all.extend(self.misspelt(place)));
        let text = |at: usize| &self.sql[self.pieces[at].range.clone()];
        let is_repeated = |at: usize| at > 0 && self.word(at).is_some_and(|word| self.is(at - 1, word));
        for place in around().filter(|place| is_repeated(*place)) {
            let help = format!("remove the second `{}`", text(place));
            all.push(self.replacing(place..place + 1, String::new(), help));
        }
        around().for_each(|place| all.extend(self.half_written(place)));
        around().for_each(|place| all.extend(self.operator(place)));
        let insert = |with: &str, at: usize, help: String| {
            let start = self.pieces.get(at).map_or(self.sql.len(), |piece| piece.range.start);
            Correction { range: start..start, with: format!(" {with} "), help }
        };
        let end = self.pieces.len();
        let open = self.open();
        if open > 0 {
            let closing = ")".repeat(open);
            all.push(insert(&closing, end, format!("write `{closing}` at the end")));
        }
        if at == end {
            return all;
        }
        if at > 0 {
            // `expected AS, found SELECT`
            let expected = message.strip_prefix("expected ").and_then(|rest| rest.split(", found ").next());
            let is_token = |text: &&str| text.chars().all(|c| c.is_ascii_uppercase() || "()".contains(c));
            let expected = expected.filter(is_token);
            let is_clause = ["FROM", "OFFSET", "JOIN", "UNION", "WHERE", "HAVING"].iter().any(|word| self.is(at, word));
            let has_from = (at..end).any(|later| self.is(later, "FROM"));
            let may_follow = !is_clause && matches!(self.pieces[at].token, Token::Word(_) | Token::LParen | Token::Mul);
            let after_star = self.pieces[at - 1].token == Token::Mul;
            let words: [Option<&str>; 5] = [
                expected,
                after_star.then_some("FROM"),
                may_follow.then_some(","),
                (may_follow && !has_from).then_some("FROM"),
                may_follow.then_some("AND"),
            ];
            for word in words.into_iter().flatten() {
                let help = match word {
                    "," => format!("write a comma before `{}`", text(at)),
                    "AND" => format!("write `AND` or `OR` before `{}`", text(at)),
                    word => format!("write `{word}` before `{}`", text(at)),
                };
                all.push(insert(word, at, help));
            }
        }
        for place in around() {
            let piece = &self.pieces[place];
            if piece.token == Token::RParen {
                all.push(self.replacing(
                    place..place + 1,
                    String::new(),
                    "this `)` closes nothing: remove it".to_owned(),
                ));
            } else if piece.token == Token::Comma {
                let help = if self.is(place + 1, "FROM") { "remove the comma before `FROM`" } else { "remove `,`" };
                all.push(self.replacing(place..place + 1, " ".to_owned(), help.to_owned()));
            }
        }
        // A keyword as a name: the parser stops at it, or at the sign or clause after it.
        let is_word = self.word(at).is_some() && !self.is(at, "FROM");
        let names = [at, at.saturating_sub(1)].into_iter().take(if is_word { 1 } else { 2 });
        for place in names.filter(|place| self.word(*place).is_some() && *place > 0) {
            let help = format!("to use `{0}` as a name, quote it: `\"{0}\"`", text(place));
            all.push(self.replacing(place..place + 1, format!("\"{}\"", text(place)), help));
        }
        all
    }

    /// The keywords that a word is like, the likeliest first.
    fn misspelt(&self, at: usize) -> Vec<Correction> {
        let Some(word) = self.word(at) else { return Vec::new() };
        let is_known = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(word));
        if is_known(WORDS) || is_known(&STARTS) {
            return Vec::new();
        }
        let mut left = if at == 0 { STARTS.to_vec() } else { WORDS.to_vec() };
        let next = || {
            let near = closest(word, left.iter().copied())?;
            left.retain(|other| *other != near);
            Some(self.replacing(at..at + 1, near.to_owned(), format!("did you mean `{near}`?")))
        };
        std::iter::from_fn(next).take(ALTERNATIVES).collect()
    }

    /// GROUP or ORDER without BY, LEFT without JOIN, or two operators between two conditions.
    fn half_written(&self, at: usize) -> Option<Correction> {
        let is_of = |at: usize, words: &[&str]| words.iter().any(|word| self.is(at, word));
        if is_of(at, &["AND", "OR"]) && is_of(at + 1, &["AND", "OR"]) {
            let (first, second) = (self.word(at)?, self.word(at + 1)?);
            let help = format!("`{first} {second}`: remove one of them");
            return Some(self.replacing(at..at + 2, first.to_owned(), help));
        }
        if is_of(at, &["LEFT", "RIGHT", "FULL", "INNER", "CROSS", "NATURAL"]) && !is_of(at + 1, &["JOIN", "OUTER"]) {
            let word = self.word(at)?;
            return Some(self.replacing(at..at + 1, format!("{word} JOIN"), format!("write `JOIN` after `{word}`")));
        }
        let word = ["GROUP", "ORDER", "PARTITION"].into_iter().find(|word| self.is(at, word))?;
        let is_half = !self.is(at + 1, "BY");
        is_half.then(|| self.replacing(at..at + 1, format!("{word} BY"), format!("write `{word} BY`")))
    }

    /// An operator of another language.
    fn operator(&self, at: usize) -> Option<Correction> {
        let meant = |text: &str| match text {
            "=>" => Some(">="),
            "=<" => Some("<="),
            "=!" | "<>=" | "!==" => Some("!="),
            "===" => Some("="),
            "&&" => Some("AND"),
            _ => None,
        };
        let own = &self.pieces[at];
        let next = self.pieces.get(at + 1).filter(|next| next.range.start == own.range.end);
        let many = if meant(&own.token.to_string()).is_some() { 1 } else { 2 };
        let text =
            own.token.to_string() + &next.filter(|_| many == 2).map(|next| next.token.to_string()).unwrap_or_default();
        let meant = meant(&text)?;
        Some(self.replacing(at..at + many, meant.to_owned(), format!("did you mean `{meant}`?")))
    }

    fn replacing(&self, pieces: Range<usize>, with: String, help: String) -> Correction {
        let range = self.pieces[pieces.start].range.start..self.pieces[pieces.end - 1].range.end;
        Correction { range, with, help }
    }

    /// The number of parentheses that are open at the end.
    fn open(&self) -> usize {
        self.pieces.iter().fold(0, |open, piece| match piece.token {
            Token::LParen => open + 1,
            Token::RParen => open.saturating_sub(1),
            _ => open,
        })
    }

    /// What to do where no single correction is enough.
    fn advice(&self, at: usize, message: &str) -> Option<String> {
        if at == 0 && self.sql.trim_start().starts_with(['.', '\\']) {
            return Some(
                "a command such as `.tables` is on a line of its own, in the shell or as `indago .tables`".to_owned(),
            );
        }
        if at == 0 {
            return Some(
                "a statement starts with SELECT, WITH, VALUES, EXPLAIN, CREATE VIEW or SHOW TABLES".to_owned(),
            );
        }
        let before = at - 1;
        let help = match () {
            () if self.is(at, "OFFSET") || self.is(before, "OFFSET") => "write a number after `OFFSET`",
            () if self.is(before, "TOP") => "write `LIMIT` and the number at the end of the query",
            () if self.is(before, "IN") => "write the values in parentheses: `IN (1, 2)`",
            () if self.is(before, "AS") && self.is(at, "SELECT") => "write the query in parentheses: `AS (SELECT ..)`",
            () if message.starts_with("expected AND") => "write `BETWEEN low AND high`",
            () if ["UNION", "EXCEPT", "INTERSECT"].iter().any(|word| self.is(at, word)) => {
                "only the last SELECT may have ORDER BY and LIMIT: `SELECT * FROM (SELECT .. LIMIT 1) UNION ..`"
            }
            () if at == self.pieces.len() => {
                let text = self.pieces.get(before).map_or("", |piece| &self.sql[piece.range.clone()]);
                return Some(format!("write what comes after `{text}`"));
            }
            () => {
                let text = self.pieces.get(at).map_or("", |piece| &self.sql[piece.range.clone()]);
                return Some(format!("the SQL is valid up to `{text}`; correct it from there"));
            }
        };
        Some(help.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the help says, and which part of the text the error marks.
    fn helped(sql: &str) -> (String, String) {
        let error = indago_dialect::parse(sql, Dialect::Osquery).expect_err(sql);
        let error = parse_error(&error, sql, Dialect::Osquery);
        let span = error.span().expect("a place");
        (error.help().unwrap_or_default().to_owned(), sql[span.start..span.end].to_owned())
    }

    #[test]
    fn a_likely_correction_is_offered() {
        let mut wrong = Vec::new();
        for (sql, help, marked) in [
            ("SELCT 1", "did you mean `SELECT`?", "SELCT"),
            ("EXPLAIN SELCT 1", "did you mean `SELECT`?", "SELCT"),
            ("SELECT * FORM processes", "did you mean `FROM`?", "FORM"),
            ("SELECT pid FROM processes WERE pid = 1", "did you mean `WHERE`?", "pid"),
            ("SELECT pid FROM processes WHERE pid = 1 ORDR BY pid", "did you mean `ORDER`?", "ORDR"),
            ("SELECT pid FROM processes p JION users u ON u.uid = p.uid", "did you mean `JOIN`?", "JION"),
            ("SELECT pid FROM processes LIMT 5", "did you mean `LIMIT`?", "5"),
            ("SELECT * FORM processes WERE pid = 1", "did you mean `FROM`?", "FORM"),
            ("SELECT pid FROM processes GROUP pid", "write `GROUP BY`", "GROUP"),
            ("SELECT sum(pid) OVER (ORDER name) FROM processes", "write `ORDER BY`", "ORDER"),
            ("SELECT pid name path, uid FROM processes", "write a comma before `path`", "path"),
            ("SELECT pid name path, FROM processes", "write a comma before `path`", "path"),
            ("SELECT * processes", "write `FROM` before `processes`", "processes"),
            ("SELECT pid FROM processes WHERE pid = 1 uid = 2", "write `AND` or `OR` before `uid`", "uid"),
            ("SELECT pid FROM processes WHERE (pid = 1", "write `)` at the end", ""),
            ("SELECT count(* FROM processes", "write `)` before `FROM`", "FROM"),
            ("SELECT * FROM (SELECT 1", "write `)` at the end", "1"),
            ("CREATE VIEW v SELECT 1", "write `AS` before `SELECT`", "SELECT"),
            ("WITH a AS SELECT 1 SELECT * FROM a", "write the query in parentheses: `AS (SELECT ..)`", "SELECT"),
            ("SELECT CASE WHEN 1 THEN 2", "end it with `END`", "CASE"),
            ("SELECT 1 BETWEEN 1", "write `BETWEEN low AND high`", ""),
            ("SELECT \"pid FROM processes", "end the name with the same quote", ""),
            ("SELECT 1 +", "write what comes after `+`", ""),
            ("SELECT pid FROM processes WHERE pid = 1)", "this `)` closes nothing: remove it", ")"),
            ("SELECT pid, name FROM processes, WHERE pid = 1", "remove `,`", "="),
            ("SELECT pid FROM processes WHERE pid = 1 and and uid = 2", "remove the second `and`", "uid"),
            ("SELECT pid FROM processes WHERE pid => 1", "did you mean `>=`?", "=>"),
            ("SELECT pid FROM processes WHERE pid =! 1", "did you mean `!=`?", "!"),
            ("SELECT order FROM t", "to use `order` as a name, quote it: `\"order\"`", "order"),
            ("hello", "a statement starts with SELECT, WITH, VALUES, EXPLAIN, CREATE VIEW or SHOW TABLES", "hello"),
            (
                ".tables",
                "a command such as `.tables` is on a line of its own, in the shell or as `indago .tables`",
                ".",
            ),
            ("SELECT pid FROM processes WHERE pid IN 1,2", "write the values in parentheses: `IN (1, 2)`", "1"),
            ("SELECT TOP 5 * FROM processes", "write `LIMIT` and the number at the end of the query", "5"),
            ("SELECT pid FROM processes wher pid = 1", "did you mean `WHERE`?", "pid"),
            ("SELECT pid FROM processes LIMIT 2 OFFSET", "write a number after `OFFSET`", "OFFSET"),
            ("SELECT 1 FROM processes p LEFT users u ON u.uid = p.uid", "write `JOIN` after `LEFT`", "users"),
            ("SELECT 1 FROM t WHERE a = 1 and or b = 2", "`and or`: remove one of them", "b"),
            ("SELECT pid, FROM processes", "remove the comma before `FROM`", "FROM"),
            ("SELECT * FROM processes WHERE", "write what comes after `WHERE`", ""),
            ("SELECT 'it's'", "end it with `'`; within a text, write a quote twice: `'it''s'`", ""),
            (
                "SELECT * FROM t WHERE name = “sh”",
                "“ does not quote in SQL: write a text in straight quotes, as in 'text'",
                "“",
            ),
        ] {
            let (given, place) = helped(sql);
            if (given.as_str(), place.as_str()) != (help, marked) {
                wrong.push(format!("{sql}: `{given}` at `{place}`, not `{help}` at `{marked}`"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn messages_name_no_token_of_the_parser() {
        for (message, expected) in [
            ("expected an expression, found EOF", "expected an expression, but the statement ends"),
            ("expected ), found FROM", "expected ), found FROM"),
            ("unterminated string literal", "unterminated string"),
            ("expected close delimiter '\"' before EOF.", "unterminated name in \""),
        ] {
            assert_eq!(worded(message), expected);
        }
    }
}
