//! Completion at the cursor.

use std::collections::{BTreeMap, BTreeSet};

use indago::Engine;

use crate::command::{self, Argument};
use crate::format::Format;
use crate::lex::{KEYWORDS, Kind, Token, is_keyword, tokens};

/// Names that the engine knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Columns by table or view.
    tables: BTreeMap<String, Vec<Column>>,
    functions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    /// Its type; `None` if it is not known.
    kind: Option<String>,
    /// Whether constraints on it reach the table.
    is_key: bool,
}

impl Names {
    pub(crate) fn of(engine: &Engine) -> Self {
        let table = |table: indago::TableRef| {
            let spec = table.spec();
            let column = |(index, column): (usize, &indago::table::ColumnSpec)| Column {
                name: column.name.to_string(),
                kind: Some(column.kind.name()),
                is_key: spec.key_name(index).is_some() && !column.slice,
            };
            (spec.name.to_string(), spec.columns.iter().enumerate().map(column).collect())
        };
        let views = engine.views().into_iter().map(|(name, _)| (name, Vec::new()));
        Self {
            tables: engine.tables().into_iter().map(table).chain(views).collect(),
            functions: engine.functions().into_iter().map(|function| function.name.to_string()).collect(),
        }
    }

    pub(crate) fn is_table(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }

    fn columns_of(&self, table: &str) -> Option<&Vec<Column>> {
        self.tables.get(table).or_else(|| self.tables.get(&table.to_lowercase()))
    }

    fn names_of(&self, table: &str) -> impl Iterator<Item = &str> {
        self.columns_of(table).into_iter().flatten().map(|column| column.name.as_str())
    }

    /// The start of the word before the cursor, and its completions.
    pub(crate) fn complete(&self, line: &str, cursor: usize) -> (usize, Vec<String>) {
        let before = &line[..cursor];
        if before.trim_start().starts_with(['.', '\\']) {
            return self.complete_command(before);
        }
        let start = before
            .rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        let pieces = tokens(before);
        if pieces.last().is_some_and(|last| {
            let open = !last.text.ends_with('\'') || last.text.len() == 1;
            last.end() == cursor
                && (last.kind == Kind::Comment && last.text.starts_with("--") || last.kind == Kind::String && open)
        }) {
            return (cursor, Vec::new());
        }
        let sources = self.sources(line, cursor);
        if let Some((qualifier, prefix)) = word.rsplit_once('.') {
            let from = start + qualifier.len() + 1;
            let source = sources.iter().find(|source| source.alias.eq_ignore_ascii_case(qualifier));
            let table = source.map_or(qualifier, |source| source.table.as_str());
            let keys =
                if wants_condition(&pieces, start) { self.join_conditions(&sources, cursor) } else { Vec::new() };
            let of_qualifier = |key: &(String, String)| {
                let (left, right) = key;
                // The side that is being typed comes first.
                let starts =
                    |side: &str| side.rsplit_once('.').is_some_and(|(alias, _)| alias.eq_ignore_ascii_case(qualifier));
                let (first, second) = if starts(left) { (left, right) } else { (right, left) };
                starts(first).then(|| format!("{} = {second}", &first[qualifier.len() + 1..]))
            };
            let keys: Vec<String> = keys.iter().filter_map(of_qualifier).collect();
            let mut found = matching(prefix, keys.iter().map(String::as_str));
            found.extend(matching(prefix, self.names_of(table)));
            return (from, found);
        }
        let is_on = wants_condition(&pieces, start);
        let pieces: Vec<Token<'_>> = pieces.into_iter().filter(|token| token.start < start).collect();
        if wants_table(&pieces) {
            let with: Vec<&str> = common_tables(&tokens(line));
            let mut found = matching(word, self.tables.keys().map(String::as_str).chain(with));
            if pieces.last().is_some_and(|token| token.is("JOIN")) {
                // Tables that can be joined by a key come first.
                found.sort_by_key(|table| self.fit(table, &sources));
            }
            return (start, found);
        }
        let keys = if is_on { self.join_conditions(&sources, cursor) } else { Vec::new() };
        if word.is_empty() && sources.is_empty() {
            return (start, Vec::new());
        }
        let mut candidates: BTreeSet<&str> = BTreeSet::new();
        if sources.is_empty() && word.len() >= 2 && !pieces.is_empty() {
            candidates.extend(self.tables.values().flatten().map(|column| column.name.as_str()));
        }
        for source in &sources {
            candidates.extend(self.names_of(&source.table));
            candidates.insert(&source.alias);
        }
        let keys: Vec<String> = keys.into_iter().map(|(left, right)| format!("{left} = {right}")).collect();
        let mut found = matching(word, keys.iter().map(String::as_str));
        found.extend(matching(word, candidates));
        if !word.is_empty() {
            let upper = word.chars().any(|c| c.is_ascii_uppercase());
            let keywords: Vec<String> =
                KEYWORDS.iter().map(|word| if upper { (*word).to_owned() } else { word.to_lowercase() }).collect();
            found.extend(matching(word, keywords.iter().map(String::as_str)));
            if !pieces.is_empty() {
                found.extend(
                    matching(word, self.functions.iter().map(String::as_str)).into_iter().map(|name| name + "("),
                );
            }
        }
        found.dedup();
        (start, found)
    }

    fn complete_command(&self, before: &str) -> (usize, Vec<String>) {
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = &before[start..];
        let Some((name, _)) = before.trim_start().split_once(char::is_whitespace) else {
            let aliases = command::ALL.iter().flat_map(|command| command.aliases).copied();
            let names = command::ALL.iter().map(|command| command.name);
            let mut found = matching(word, names.chain(aliases.filter(|alias| alias.starts_with('\\'))));
            // The only one is followed by its argument.
            if let [only] = found.as_mut_slice()
                && command::find(only).is_some_and(|command| command.argument != Argument::None)
            {
                only.push(' ');
            }
            return (start, found);
        };
        let Some(command) = command::find(name) else { return (start, Vec::new()) };
        let found = match command.argument {
            Argument::None => Vec::new(),
            Argument::Table => matching(word, self.tables.keys().map(String::as_str)),
            Argument::Function => matching(word, self.functions.iter().map(String::as_str)),
            Argument::Format => matching(word, Format::ALL.map(Format::name)),
            Argument::Switch => matching(word, ["on", "off"]),
            Argument::Command => matching(word, command::ALL.iter().map(|command| command.name)),
            Argument::Path | Argument::Text => Vec::new(),
        };
        (start, found)
    }

    /// Both sides of the conditions that join the last table before the cursor to those before it, by columns of one
    /// name and type of which one is a key. The best come first.
    fn join_conditions(&self, sources: &[Source], cursor: usize) -> Vec<(String, String)> {
        let before = sources.partition_point(|source| source.start < cursor);
        let Some((joined, others)) = sources[..before].split_last() else { return Vec::new() };
        let mut conditions = Vec::new();
        for other in others {
            for (rank, column) in self.pairs(&joined.table, &other.table) {
                conditions.push((rank, format!("{}.{column}", other.alias), format!("{}.{column}", joined.alias)));
            }
        }
        conditions.sort_by_key(|(rank, ..)| *rank);
        conditions.into_iter().map(|(_, left, right)| (left, right)).collect()
    }

    /// Columns by which two tables can be joined, the best first, each with its rank.
    fn pairs<'a>(&'a self, table: &str, other: &str) -> Vec<(Rank, &'a str)> {
        let (Some(columns), Some(others)) = (self.columns_of(table), self.columns_of(other)) else { return Vec::new() };
        let pair = |column: &'a Column| {
            let other = others.iter().find(|other| other.name == column.name && other.kind == column.kind)?;
            let rank = match (column.is_key, other.is_key) {
                (false, false) => return None,
                _ if GENERIC.contains(&column.name.as_str()) => Rank::Generic,
                (true, true) => Rank::Keys,
                _ => Rank::Key,
            };
            Some((rank, column.name.as_str()))
        };
        let mut pairs: Vec<_> = columns.iter().filter_map(pair).collect();
        pairs.sort_by_key(|(rank, _)| *rank);
        pairs
    }

    /// How well a table can be joined to those of a statement: the best rank of a pair of columns.
    fn fit(&self, table: &str, sources: &[Source]) -> Rank {
        let others = sources.iter().filter(|source| source.table != table);
        let ranks = others.flat_map(|source| self.pairs(table, &source.table)).map(|(rank, _)| rank);
        ranks.min().unwrap_or(Rank::None)
    }

    /// The tables of the statement under the cursor.
    fn sources(&self, line: &str, cursor: usize) -> Vec<Source> {
        let pieces: Vec<Token<'_>> = tokens(line).into_iter().filter(|token| token.kind != Kind::Comment).collect();
        let begin = pieces.iter().rposition(|token| token.is_sign(";") && token.start < cursor).map_or(0, |at| at + 1);
        let end = pieces[begin..].iter().position(|token| token.is_sign(";")).map_or(pieces.len(), |at| begin + at);
        let pieces = &pieces[begin..end];
        let mut sources = Vec::new();
        // For each depth of parentheses: whether a comma starts another table.
        let mut in_from = vec![false];
        let mut expected = false;
        let mut at = 0;
        while let Some(token) = pieces.get(at) {
            at += 1;
            if token.is_sign("(") {
                in_from.push(false);
                expected = false;
            } else if token.is_sign(")") {
                in_from.pop();
                if in_from.is_empty() {
                    in_from.push(false);
                }
            } else if token.is("FROM") || token.is("JOIN") {
                expected = true;
                if let Some(top) = in_from.last_mut() {
                    *top = true;
                }
            } else if token.is_sign(",") {
                expected = in_from.last() == Some(&true);
            } else if expected && let Some(table) = token.name() {
                expected = false;
                if pieces.get(at).is_some_and(|token| token.is("AS")) {
                    at += 1;
                }
                let alias = pieces.get(at).filter(|token| !token.is("ON") && !is_keyword(token.text));
                let alias = alias.and_then(Token::name).unwrap_or(table);
                sources.push(Source { table: table.to_owned(), alias: alias.to_owned(), start: token.start });
            } else if token.kind == Kind::Word && ends_from(token) {
                if let Some(top) = in_from.last_mut() {
                    *top = false;
                }
                expected = false;
            }
        }
        sources
    }
}

/// How likely a pair of columns joins two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Both are keys.
    Keys,
    /// One is a key.
    Key,
    /// Equal values mean little.
    Generic,
    /// There is no such pair.
    None,
}

/// Columns whose equal values in two tables seldom mean the same thing.
const GENERIC: [&str; 9] = ["name", "type", "state", "status", "version", "description", "title", "size", "tags"];

struct Source {
    table: String,
    alias: String,
    /// Where the statement names it.
    start: usize,
}

/// Whether the word at a place begins a condition of a join.
fn wants_condition(pieces: &[Token<'_>], start: usize) -> bool {
    let last = pieces.iter().rfind(|token| token.start < start && token.kind != Kind::Comment);
    if last.is_some_and(|token| token.is("ON")) {
        return true;
    }
    // Further conditions of the same join.
    let clause = pieces.iter().rfind(|token| token.start < start && (token.is("JOIN") || ends_from(token)));
    last.is_some_and(|token| token.is("AND")) && clause.is_some_and(|token| token.is("ON"))
}

fn ends_from(token: &Token<'_>) -> bool {
    ["WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "ON", "USING", "SELECT", "UNION"].iter().any(|word| token.is(word))
}

/// Whether the next name is a table.
fn wants_table(pieces: &[Token<'_>]) -> bool {
    match pieces.last() {
        Some(last) if ["FROM", "JOIN", "DESCRIBE", "TABLE"].iter().any(|word| last.is(word)) => true,
        Some(last) if last.is_sign(",") => {
            let mut depth = 0;
            for token in pieces.iter().rev() {
                if token.is_sign(")") {
                    depth += 1;
                } else if token.is_sign("(") {
                    depth -= 1;
                } else if depth == 0 && (token.is("FROM") || ends_from(token)) {
                    return token.is("FROM");
                }
                if depth < 0 {
                    return false;
                }
            }
            false
        }
        _ => false,
    }
}

/// Names that `WITH` defines.
fn common_tables<'a>(pieces: &[Token<'a>]) -> Vec<&'a str> {
    pieces
        .windows(3)
        .filter(|window| window[0].kind == Kind::Word && window[1].is("AS") && window[2].is_sign("("))
        .map(|window| window[0].text)
        .collect()
}

fn matching<'a>(prefix: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let prefix = prefix.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.to_lowercase().starts_with(&prefix))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let column = |name: &&str| Column {
            name: name.trim_end_matches('*').to_owned(),
            kind: Some("TEXT".to_owned()),
            is_key: name.ends_with('*'),
        };
        let table = |name: &str, columns: &[&str]| (name.to_owned(), columns.iter().map(column).collect());
        Names {
            tables: [
                table("processes", &["pid*", "name", "path", "parent"]),
                table("process_envs", &["pid*", "key", "value"]),
                table("hash", &["path*", "sha256"]),
                table("groups", &["gid*", "name*"]),
                table("users", &["name*", "path", "pid*"]),
            ]
            .into(),
            functions: vec!["sha256".into(), "split".into()],
        }
    }

    fn complete(text: &str) -> String {
        let cursor = text.find('|').expect("a cursor");
        let (start, found) = names().complete(&text.replace('|', ""), cursor);
        format!("{}: {}", &text[start..cursor], found.join(" "))
    }

    #[test]
    fn completes_where_the_cursor_is() {
        for (text, expected) in [
            ("SEL|", "SEL: SELECT"),
            ("sel|", "sel: select"),
            ("SELECT * FROM pro|", "pro: process_envs processes"),
            ("SELECT * FROM processes p JOIN h|", "h: hash"),
            ("SELECT * FROM processes, h|", "h: hash"),
            ("SELECT pa| FROM processes", "pa: parent path partition"),
            ("SELECT p.pa| FROM processes AS p", "pa: path parent"),
            ("SELECT p.| FROM hash AS p", ": path sha256"),
            ("SELECT hash.s|", "s: sha256"),
            ("SELECT * FROM processes WHERE na|", "na: name natural"),
            ("SELECT * FROM processes WHERE pid IN (SELECT pid FROM process_e|", "process_e: process_envs"),
            ("SELECT * FROM processes p WHERE p.pid IN (SELECT e.k| FROM process_envs e)", "k: key"),
            ("SELECT 1 FROM hash; SELECT na| FROM processes", "na: name natural"),
            ("WITH shells AS (SELECT 1) SELECT * FROM sh|", "sh: shells"),
            ("SELECT SP|", "SP: split("),
            ("SELECT 'pro|", ": "),
            ("SELECT 1 -- pro|", ": "),
            ("SELECT * FROM hash h JOIN |", ": processes users groups hash process_envs"),
            ("SELECT * FROM processes p JOIN |", ": process_envs users hash groups processes"),
            ("SELECT * FROM processes p JOIN process_envs e ON e.|", ": pid = p.pid pid key value"),
            ("SELECT * FROM processes p JOIN users u ON |", ": p.pid = u.pid p.name = u.name name p parent path pid u"),
            ("SELECT * FROM processes p JOIN hash h ON |", ": p.path = h.path h name p parent path pid sha256"),
            ("SELECT * FROM processes p JOIN hash h ON p.|", ": path = h.path pid name path parent"),
            (
                "SELECT * FROM processes JOIN process_envs ON proc|",
                "proc: processes.pid = process_envs.pid process_envs processes",
            ),
            (
                "SELECT * FROM processes p JOIN hash h ON h.path = p.path JOIN process_envs e ON e.|",
                ": pid = p.pid pid key value",
            ),
            ("SELECT * FROM processes p JOIN groups g ON g.|", ": name = p.name gid name"),
            ("SELECT * FROM processes p JOIN hash h ON h.path = p.path WHERE p.|", ": pid name path parent"),
            ("\\d pro|", "pro: process_envs processes"),
            (".read so|", "so: "),
            (".sch|", ".sch: .schema "),
            (".schema ha|", "ha: hash"),
            (".mode nd|", "nd: ndjson"),
            (".timer o|", "o: on off"),
            ("|", ": "),
        ] {
            assert_eq!(complete(text), expected, "{text}");
        }
    }
}
