//! Errors: what failed, where in the SQL, and what to type next.

use std::fmt;
use std::time::Duration;

use indago_table::{Error as TableError, TableSpec, closest};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::absent::Absent;

/// A byte range in the caller's SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// The kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The text is not SQL.
    Parse,
    /// The table does not exist.
    UnknownTable,
    /// A catalog that may have the table could not be searched.
    Catalog,
    /// The column does not exist.
    UnknownColumn,
    /// The function does not exist.
    UnknownFunction,
    /// A table needs a constraint, and the query has none.
    KeyRequired,
    /// The query is as of a past time, and a table has no past.
    NoPast,
    /// A file that the query names cannot be read.
    File,
    /// A parameter of the statement has no value, or a value has no parameter.
    Parameter,
    /// The statement is invalid for another reason.
    Plan,
    /// The statement is not supported.
    Unsupported,
    /// The query exceeded its timeout.
    Timeout,
    /// The query exceeded its memory limit.
    Memory,
    /// The query needs more API calls than it may make.
    Calls,
    /// The query was cancelled.
    Cancelled,
    /// Rows are missing, and the caller wanted all or none.
    Incomplete,
    /// The query failed while it ran.
    Execution,
}

impl Code {
    /// All codes.
    pub const ALL: [Code; 17] = [
        Code::Parse,
        Code::UnknownTable,
        Code::Catalog,
        Code::UnknownColumn,
        Code::UnknownFunction,
        Code::KeyRequired,
        Code::NoPast,
        Code::File,
        Code::Parameter,
        Code::Plan,
        Code::Unsupported,
        Code::Timeout,
        Code::Memory,
        Code::Calls,
        Code::Cancelled,
        Code::Incomplete,
        Code::Execution,
    ];

    /// The name in messages and in the reference.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Parse => "parse",
            Code::UnknownTable => "unknown_table",
            Code::Catalog => "catalog",
            Code::UnknownColumn => "unknown_column",
            Code::UnknownFunction => "unknown_function",
            Code::KeyRequired => "key_required",
            Code::NoPast => "no_past",
            Code::File => "file",
            Code::Parameter => "parameter",
            Code::Plan => "plan",
            Code::Unsupported => "unsupported",
            Code::Timeout => "timeout",
            Code::Memory => "memory",
            Code::Calls => "calls",
            Code::Cancelled => "cancelled",
            Code::Incomplete => "incomplete",
            Code::Execution => "execution",
        }
    }

    /// What the code means and what to do, for the reference.
    pub fn explanation(self) -> &'static str {
        match self {
            Code::Parse => "The text is not SQL; the position shows where parsing stopped.",
            Code::UnknownTable => "There is no table of that name; `indago tables` lists them.",
            Code::Catalog => {
                "The engine has no table of that name, and a catalog that may have it failed. The message names the \
                catalog and the reason."
            }
            Code::UnknownColumn => "The table has no such column; `indago tables NAME` lists its columns.",
            Code::UnknownFunction => "There is no function of that name; `indago functions` lists them.",
            Code::KeyRequired => {
                "The table needs a constraint: constrain one of its required columns with `=`, `IN` or `LIKE`, or join \
                it to a table that has such values."
            }
            Code::NoPast => {
                "The query is as of a past time, and a table or function that it reads has only its present state: \
                remove it from the query, or query the present. Tables that are recorded have a past."
            }
            Code::File => "A file that the query names cannot be read; the message names it and the reason.",
            Code::Parameter => {
                "A parameter (`$name`) has no value, or a value was given that the statement has no parameter for."
            }
            Code::Plan => "The statement contradicts itself or the types of the tables.",
            Code::Unsupported => "The engine does not support this; queries only read.",
            Code::Timeout => "The query exceeded its timeout: narrow it, or raise `--timeout` or `limits.timeout`.",
            Code::Memory => "The query exceeded its memory limit: narrow it, or raise `--memory` or `limits.memory`.",
            Code::Calls => {
                "The query needs more API calls than it may make: narrow it, or raise `--max-calls` or \
                `limits.max_calls`. `EXPLAIN` estimates the calls."
            }
            Code::Cancelled => "The query was cancelled before it returned all rows.",
            Code::Incomplete => "`--strict` was given and the result is incomplete; the warnings list what is missing.",
            Code::Execution => "The query failed while it ran.",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a query failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    code: Code,
    message: String,
    span: Option<Span>,
    help: Option<String>,
    sql: Option<String>,
    /// The table in question, and its name in the query.
    table: Option<(String, Option<String>)>,
}

/// Result of a call of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Creates an error.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error(Box::new(Details { code, message: message.into(), span: None, help: None, sql: None, table: None }))
    }

    /// Adds what to do about the error.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    pub(crate) fn with_help_of(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.with_help(help),
            None => self,
        }
    }

    /// Adds the position in the SQL.
    #[must_use]
    pub fn at(mut self, span: Option<Span>) -> Self {
        self.0.span = span.or(self.0.span);
        self
    }

    /// Adds the SQL.
    #[must_use]
    pub(crate) fn in_sql(mut self, sql: &str) -> Self {
        if self.0.span.is_none()
            && let Some((table, alias)) = &self.0.table
        {
            self.0.span = place_of(sql, table, alias.as_deref());
        }
        self.0.sql = Some(sql.to_owned());
        self
    }

    /// The kind of failure.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The position in the SQL, if it is known.
    pub fn span(&self) -> Option<Span> {
        self.0.span
    }

    /// What to do about the error.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The message and, if it is known, what to do about the error, on one line.
    pub fn message_with_help(&self) -> String {
        let help = self.help().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{self}{help}")
    }

    /// The SQL of the query.
    pub fn sql(&self) -> Option<&str> {
        self.0.sql.as_deref()
    }

    /// The query exceeded its timeout.
    pub(crate) fn timeout(limit: Duration) -> Self {
        Error::new(Code::Timeout, format!("the query ran longer than its limit of {limit:?}"))
            .with_help("narrow it, or raise `--timeout` or `limits.timeout`")
    }

    /// The query needs more API calls than it may make.
    pub(crate) fn calls(most: u64) -> Self {
        let calls = if most == 1 { "call" } else { "calls" };
        Error::new(Code::Calls, format!("the query needs more than the {most} API {calls} that it may make"))
            .with_help("narrow it, or raise `--max-calls` or `limits.max_calls`; `EXPLAIN` estimates the calls")
    }

    /// The query is as of a past time, and some tables have no past.
    pub(crate) fn no_past(tables: &[String]) -> Self {
        let names = tables.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let (what, them) = if tables.len() == 1 { ("table", "it") } else { ("tables", "them") };
        let message = format!("no past data for {what} {names}: only the present can be read");
        let mut error = Error::new(Code::NoPast, message)
            .with_help(format!("remove {them} from the query, or query the present; recorded tables have a past"));
        if let [only] = tables {
            error.0.table = Some((only.clone(), None));
        }
        error
    }

    /// The query is as of a past time, and calls a function that reads the present.
    pub(crate) fn no_past_of_function(name: &str) -> Self {
        Error::new(Code::NoPast, format!("no past data for function `{name}`: it reads the present only"))
            .with_help("remove it from the query, or query the present")
    }

    /// A catalog did not respond within the timeout.
    pub(crate) fn unanswered(limit: Duration, question: Option<String>) -> Self {
        let question = question.unwrap_or_else(|| "a catalog".to_owned());
        Error::new(Code::Timeout, format!("no response within {limit:?} from {question}"))
            .with_help("check that the catalog's system is reachable, or raise `--timeout` or `limits.timeout`")
    }

    /// No table has the name, and a catalog that may have it could not be searched.
    pub(crate) fn catalog(name: &str, catalog: &str, error: &TableError, near: Option<&str>) -> Self {
        let message = format!("no table `{name}` found, and catalog `{catalog}` could not be searched: {error}");
        let failed = Error::new(Code::Catalog, message);
        let mut failed = match near {
            Some(near) => failed.with_help(format!("did you mean `{near}`?")),
            None => failed.with_help("retry when the catalog is reachable"),
        };
        failed.0.table = Some((name.to_owned(), None));
        failed
    }

    /// Marks the error as one in a view's SQL.
    #[must_use]
    pub(crate) fn in_view(mut self, view: &str) -> Self {
        self.0.message = format!("view `{view}`: {}", self.0.message);
        self
    }

    /// A keyed table has no constraint on its required columns.
    pub(crate) fn key_required(spec: &TableSpec, alias: Option<String>, why: Option<&str>) -> Self {
        let names: Vec<&str> = spec.require_any.iter().map(|column| spec.columns[*column].name.as_ref()).collect();
        let first = names.first().copied().unwrap_or_default();
        let columns = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
        let (renamed, name, column) = match &alias {
            Some(alias) => (format!(" as `{alias}`"), alias.as_str(), format!("{alias}.{first}")),
            None => (String::new(), spec.name.as_ref(), first.to_owned()),
        };
        let joined = format!("{}{}", spec.name, alias.as_ref().map(|alias| format!(" {alias}")).unwrap_or_default());
        let why = why.map(|why| format!("; {why}")).unwrap_or_default();
        let message = format!("table `{}`{renamed} needs a constraint on {columns}{why}", spec.name);
        let mut error = Error::new(Code::KeyRequired, message).with_help(format!(
            "constrain it, as in `WHERE {column} = '...'` or `WHERE {column} IN (SELECT ...)`, or join it to a table \
             that has such values: `JOIN {joined} ON {name}.{first} = other.column`",
        ));
        error.0.table = Some((spec.name.to_string(), alias));
        error
    }
}

/// Extensions of files that users put in FROM.
const FILES: [(&str, &str); 5] = [
    (".parquet", "read_parquet"),
    (".csv", "read_csv"),
    (".json", "read_json"),
    (".ndjson", "read_json"),
    (".jsonl", "read_json"),
];

/// The error for a table that does not exist: why, or which name was probably meant.
pub(crate) fn no_table(name: &str, absent: Option<Absent>, tables: &[String]) -> Error {
    if let Some(absent) = absent {
        let (message, help) = absent.explained(name);
        return Error::new(Code::UnknownTable, message).with_help(help);
    }
    let error = Error::new(Code::UnknownTable, format!("no table `{name}`"));
    let lower = name.to_lowercase();
    if let Some((_, function)) = FILES.iter().find(|(extension, _)| lower.ends_with(extension)) {
        return error.with_help(format!(
            "read a file with a function, as in `FROM {function}('{name}')`; open a directory of captured tables with \
             `--store DIR`"
        ));
    }
    if name.contains('/') {
        return error.with_help("open a directory of captured tables with `--store DIR`");
    }
    if let Some(near) = closest(name, tables.iter().map(String::as_str)) {
        return error.with_help(format!("did you mean `{near}`?"));
    }
    let meant: Vec<String> = meant(&lower, tables).into_iter().map(|table| format!("`{table}`")).collect();
    if let Some(help) = did_you_mean(&meant) {
        return error.with_help(help);
    }
    match PREFIXES.iter().find(|prefix| lower.starts_with(**prefix)) {
        Some(prefix) => error.with_help(format!("list the tables that exist with `indago tables '{prefix}*'`")),
        None => error.with_help("list tables with `indago tables`, or search them with `indago tables WORD`"),
    }
}

/// The help that suggests names in quotes; `None` without a name.
pub(crate) fn did_you_mean(quoted: &[String]) -> Option<String> {
    Some(match quoted {
        [] => return None,
        [only] => format!("did you mean {only}?"),
        [first @ .., last] => format!("did you mean {} or {last}?", first.join(", ")),
    })
}

/// Prefixes of the names of an environment's tables.
const PREFIXES: [&str; 7] = ["kubernetes_", "aws_", "git_", "docker_", "container_", "deb_", "rpm_"];

/// Programs and other products' tables, and the tables with what they show.
const ELSEWHERE: [(&str, &str); 10] = [
    ("df", "mounts"),
    ("ifconfig", "interface_addresses"),
    ("lsof", "process_open_files"),
    ("netstat", "process_open_sockets"),
    ("opera_extensions", "chrome_extensions"),
    ("ports", "listening_ports"),
    ("ps", "processes"),
    ("repos", "git_repositories"),
    ("sockets", "process_open_sockets"),
    ("ss", "process_open_sockets"),
];

/// The tables that a name probably means: those of an environment, and those that show the same.
fn meant<'a>(name: &str, tables: &'a [String]) -> Vec<&'a str> {
    let known = |name: &str| tables.iter().find(|table| *table == name).map(String::as_str);
    if let Some((_, table)) = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == name) {
        return known(table).into_iter().collect();
    }
    let plural = format!("{}s", name.trim_end_matches('s'));
    PREFIXES.iter().filter_map(|prefix| known(&format!("{prefix}{plural}"))).collect()
}

/// Where a statement reads a table under an alias, or else the table itself; `None` if it does so in several places.
fn place_of(sql: &str, table: &str, alias: Option<&str>) -> Option<Span> {
    let tokens = tokens(sql)?;
    let is_word = |position: usize, word: &str| tokens.get(position).is_some_and(|token| is_word(token, word));
    let is_read = |position: &usize| {
        let before = position.checked_sub(1);
        let follows = |word: &str| before.is_some_and(|before| is_word(before, word));
        let comma = before.is_some_and(|before| tokens[before].token == Token::Comma);
        is_word(*position, table) && (comma || follows("from") || follows("join"))
    };
    let has_alias = |position: &usize| {
        let next = position + 1 + usize::from(is_word(position + 1, "as"));
        alias.is_some_and(|alias| is_word(next, alias))
    };
    let read: Vec<usize> = (0..tokens.len()).filter(is_read).collect();
    let aliased: Vec<usize> = read.iter().copied().filter(has_alias).collect();
    let (([place], _) | (_, [place])) = (aliased.as_slice(), read.as_slice()) else { return None };
    span_of_token(sql, &tokens[*place])
}

/// Where a statement first has a word.
pub(crate) fn place_of_word(sql: &str, column: &str) -> Option<Span> {
    span_of_token(sql, tokens(sql)?.iter().find(|token| is_word(token, column))?)
}

pub(crate) fn tokens(sql: &str) -> Option<Vec<TokenWithSpan>> {
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql).tokenize_with_location().ok()?;
    Some(tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect())
}

pub(crate) fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found) if found.value.eq_ignore_ascii_case(word))
}

pub(crate) fn span_of_token(sql: &str, token: &TokenWithSpan) -> Option<Span> {
    let at = |place: Location| offset(sql, place.line, place.column);
    Some(Span { start: at(token.span.start)?, end: at(token.span.end)? })
}

/// The span of the token at an offset; of one position if no token starts there.
pub(crate) fn token_at(sql: &str, start: usize) -> Span {
    let found = tokens(sql).into_iter().flatten().find_map(|token| {
        let span = span_of_token(sql, &token)?;
        (span.start == start).then_some(span)
    });
    found.unwrap_or(Span { start, end: start })
}

/// The byte offset of a line and column. Both count from one; columns count characters.
pub(crate) fn offset(sql: &str, line: u64, column: u64) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.saturating_sub(1);
    let start: usize = sql.split_inclusive('\n').take(line).map(str::len).sum();
    let text = sql.get(start..)?;
    Some(text.char_indices().nth(column).map_or(sql.len(), |(at, _)| start + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_found_where_it_is_read() {
        let place = |sql: &str, alias| place_of(sql, "file", alias).map(|span| span.start);
        assert_eq!(place("SELECT file FROM file", None), Some(17));
        assert_eq!(place("SELECT 'from file' FROM users u, File AS f", Some("f")), Some(33));
        assert_eq!(place("SELECT 1 FROM file a JOIN file b", Some("b")), Some(26));
        assert_eq!(place("WITH x AS (SELECT * FROM file) SELECT * FROM x", Some("x")), Some(25));
        assert_eq!(place("SELECT 1 FROM file a JOIN file b", None), None);
        assert_eq!(place("SELECT * FROM a_view", None), None);
    }

    #[test]
    fn a_table_is_suggested_without_its_prefix() {
        let tables = ["kubernetes_pods", "deb_packages", "rpm_packages", "git_commits", "process_open_sockets"];
        let tables = tables.map(str::to_owned);
        let help = |name: &str| no_table(name, None, &tables).help().map(str::to_owned).unwrap_or_default();
        for (name, expected) in [
            ("pods", "did you mean `kubernetes_pods`?"),
            ("Pod", "did you mean `kubernetes_pods`?"),
            ("packages", "did you mean `deb_packages` or `rpm_packages`?"),
            ("commits", "did you mean `git_commits`?"),
            ("netstat", "did you mean `process_open_sockets`?"),
            ("aws_s3_bucket", "list the tables that exist with `indago tables 'aws_*'`"),
            ("colours", "list tables with `indago tables`, or search them with `indago tables WORD`"),
        ] {
            assert_eq!(help(name), expected, "{name}");
        }
    }

    #[test]
    fn a_word_is_found_where_it_is_first() {
        let place = |sql: &str| place_of_word(sql, "nope").map(|span| (span.start, span.end));
        assert_eq!(place("SELECT 1 FROM t GROUP BY t.Nope ORDER BY nope"), Some((27, 31)));
        assert_eq!(place("SELECT 'nope'"), None);
    }

    #[test]
    fn offsets_count_characters_in_lines() {
        let sql = "SELECT 'ä',\n  x";
        assert_eq!(offset(sql, 1, 9), Some(8));
        assert_eq!(offset(sql, 1, 10), Some(10));
        assert_eq!(offset(sql, 2, 3), Some(15));
        assert_eq!(offset(sql, 2, 40), Some(sql.len()));
    }
}
