//! Errors: what failed, where in the SQL, and what to type next.

use std::fmt;
use std::time::Duration;

use datafusion::common::{Column, DataFusionError, Diagnostic, SchemaError, TableReference};
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
    /// The query was cancelled.
    Cancelled,
    /// Rows are missing, and the caller wanted all or none.
    Incomplete,
    /// The query failed while it ran.
    Execution,
}

impl Code {
    /// All codes.
    pub const ALL: [Code; 16] = [
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
                "The query is as of a past time, and a table that it reads has only its present state: remove that \
                table from the query, or query the present."
            }
            Code::File => "A file that the query names cannot be read; the message names it and the reason.",
            Code::Parameter => {
                "A parameter (`$name`) has no value, or a value was given that the statement has no parameter for."
            }
            Code::Plan => "The statement contradicts itself or the types of the tables.",
            Code::Unsupported => "The engine does not support this; queries only read.",
            Code::Timeout => "The query exceeded its timeout: narrow it, or raise `--timeout` or `limits.timeout`.",
            Code::Memory => "The query exceeded its memory limit: narrow it, or raise `--memory` or `limits.memory`.",
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

    fn with_help_of(self, help: Option<String>) -> Self {
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

    /// The SQL of the query.
    pub fn sql(&self) -> Option<&str> {
        self.0.sql.as_deref()
    }

    /// The query exceeded its timeout.
    pub(crate) fn timeout(limit: Duration) -> Self {
        Error::new(Code::Timeout, format!("the query ran longer than its limit of {limit:?}"))
            .with_help("narrow it, or raise `--timeout` or `limits.timeout`")
    }

    /// The query is as of a past time, and some tables have no past.
    pub(crate) fn no_past(tables: &[String]) -> Self {
        let names = tables.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let (what, them) = if tables.len() == 1 { ("table", "it") } else { ("tables", "them") };
        let message = format!("no past data for {what} {names}: only the present can be read");
        let mut error = Error::new(Code::NoPast, message)
            .with_help(format!("remove {them} from the query, or query the present; stored rows are of one time only"));
        if let [only] = tables {
            error.0.table = Some((only.clone(), None));
        }
        error
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

    /// The error for the user that corresponds to a DataFusion error.
    pub(crate) fn from_datafusion(error: &DataFusionError, sql: &str, names: &Names<'_>) -> Self {
        let diagnostic = error.diagnostic();
        let span = diagnostic.and_then(|diagnostic| span_of(diagnostic, sql)).or_else(|| match error.find_root() {
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound { field, .. } => place_of_column(sql, &field.name),
                _ => None,
            },
            _ => None,
        });
        let converted = match error.find_root() {
            DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
                Some(own) => own.clone(),
                None => Error::new(Code::Execution, inner.to_string()),
            },
            DataFusionError::Shared(inner) => return Self::from_datafusion(inner, sql, names),
            DataFusionError::SQL(parser, _) => Error::new(Code::Parse, sentence(&parser.to_string())),
            DataFusionError::SchemaError(schema, _) => from_schema(schema, names),
            DataFusionError::Plan(message) => from_plan(message, names),
            DataFusionError::NotImplemented(message) => Error::new(Code::Unsupported, sentence(message)),
            DataFusionError::ResourcesExhausted(message) => Error::new(Code::Memory, sentence(message))
                .with_help("narrow the query, or raise `--memory` or `limits.memory`"),
            DataFusionError::Execution(message) => Error::new(Code::Execution, sentence(message)),
            DataFusionError::Collection(errors) if !errors.is_empty() => {
                return Self::from_datafusion(&errors[0], sql, names);
            }
            other => Error::new(Code::Execution, sentence(&other.strip_backtrace())),
        };
        converted.at(span).in_sql(sql)
    }
}

/// Names that are compared with a misspelt one.
pub(crate) struct Names<'a> {
    pub(crate) tables: &'a dyn Fn() -> Vec<String>,
    pub(crate) columns: &'a dyn Fn(&str) -> Vec<String>,
    pub(crate) absent: &'a dyn Fn(&str) -> Option<Absent>,
}

fn from_schema(error: &SchemaError, names: &Names<'_>) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let table = field.relation.as_ref().map(|relation| relation.table().to_owned());
            let message = match &table {
                Some(table) => format!("no column `{}` in `{table}`", field.name),
                None => format!("no column `{}`", field.name),
            };
            Error::new(Code::UnknownColumn, message).with_help_of(match table.as_deref() {
                Some(table) => columns_of(table, &field.name, valid_fields, names),
                None => any_column(&field.name, valid_fields),
            })
        }
        other => Error::new(Code::Plan, sentence(&other.to_string())),
    }
}

/// Columns that a list of columns shows, at most.
const LISTED: usize = 20;

/// Help for a column that a table of the query does not have.
fn columns_of(table: &str, name: &str, fields: &[Column], names: &Names<'_>) -> Option<String> {
    let is_of = |field: &&Column| field.relation.as_ref().is_some_and(|relation| relation.table() == table);
    let mut own: Vec<String> = fields.iter().filter(is_of).map(|field| field.name.clone()).collect();
    if own.is_empty() {
        own = (names.columns)(table);
    }
    if let Some(near) = closest(name, own.iter().map(String::as_str)) {
        return Some(format!("did you mean `{near}`?"));
    }
    if let Some(other) = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)) {
        return Some(format!("did you mean `{}`?", other.flat_name()));
    }
    (!own.is_empty()).then(|| format!("use a column of `{table}`: {}", listed(&own)))
}

/// Help for a column that no table of the query has.
fn any_column(name: &str, fields: &[Column]) -> Option<String> {
    if let Some(near) = closest(name, fields.iter().map(|field| field.name.as_str())) {
        return Some(format!("did you mean `{near}`?"));
    }
    let mut tables: Vec<(Option<&str>, Vec<String>)> = Vec::new();
    for field in fields {
        let table = field.relation.as_ref().map(TableReference::table);
        match tables.iter_mut().find(|(known, _)| *known == table) {
            Some((_, columns)) => columns.push(field.name.clone()),
            None => tables.push((table, vec![field.name.clone()])),
        }
    }
    let columns = tables.iter().map(|(table, columns)| match table {
        Some(table) => format!("of `{table}`: {}", listed(columns)),
        None => format!("of the query: {}", listed(columns)),
    });
    let columns: Vec<String> = columns.collect();
    (!columns.is_empty()).then(|| format!("use a column {}", columns.join("; or ")))
}

fn listed(columns: &[String]) -> String {
    let shown = columns.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if columns.len() > LISTED { format!("{shown}, ..") } else { shown }
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
    match closest(name, tables.iter().map(String::as_str)) {
        Some(near) => error.with_help(format!("did you mean `{near}`?")),
        None => error.with_help("list tables with `indago tables`, or search them with `indago tables WORD`"),
    }
}

/// What is wrong with a comparison of an integer and a timestamp.
fn of_times(message: &str) -> Option<Error> {
    let types = message.strip_prefix("Cannot infer common argument type for comparison operation ")?;
    let is_mixed = types.contains("Timestamp(") && (types.contains("Int64") || types.contains("Float64"));
    is_mixed.then(|| {
        Error::new(Code::Plan, "a number cannot be compared with a timestamp").with_help(
            "compare seconds with seconds, as in `mtime > unixepoch('now') - 3600`, or timestamps with timestamps, as in \
             `to_timestamp_seconds(mtime) > now()`",
        )
    })
}

fn from_plan(message: &str, names: &Names<'_>) -> Error {
    if let Some(rest) = message.strip_prefix("table '")
        && let Some((table, _)) = rest.split_once("' not found")
    {
        let parts: Vec<&str> = table.splitn(3, '.').collect();
        let name = parts.last().copied().unwrap_or(table);
        if let [_, schema, _] = parts.as_slice()
            && !matches!(*schema, "public" | "main")
        {
            let help =
                "a schema is a store that `--store NAME=DIR` or `[stores]` opened; `indago tables` lists its tables";
            return Error::new(Code::UnknownTable, format!("no table `{name}` in a schema `{schema}`")).with_help(help);
        }
        return no_table(name, (names.absent)(name), &(names.tables)());
    }
    if let Some(error) = of_times(message) {
        return error;
    }
    if message.starts_with("Invalid function '") {
        let name = message.split('\'').nth(1).unwrap_or_default();
        let suggestion = message.split("Did you mean '").nth(1).and_then(|rest| rest.split('\'').next());
        let suggestion = suggestion.and_then(|near| closest(name, std::iter::once(near)));
        let error = Error::new(Code::UnknownFunction, format!("no function `{name}`"));
        return match suggestion {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error.with_help("`indago functions` lists all functions"),
        };
    }
    Error::new(Code::Plan, sentence(message))
}

/// Prefixes of messages that print a parsed tree, and the message to show for the head of that tree.
const TREES: [(&str, &str); 4] = [
    ("Unsupported ast node in sqltorel: ", "`{}`"),
    ("Unsupported ast node ", "`{}` after a table"),
    ("Unsupported JOIN operator ", "the join `{}`"),
    ("Physical plan does not support logical expression ", "{} at this place"),
];

/// Replaces a message that prints a parsed tree: the head of the tree in SQL words.
fn of_tree(message: &str) -> Option<String> {
    let (rest, what) = TREES.iter().find_map(|(begin, what)| Some((message.strip_prefix(begin)?, what)))?;
    let head: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    let words = match head.as_str() {
        "Exists" | "InSubquery" | "ScalarSubquery" | "SetComparison" => "a subquery".to_owned(),
        "OuterReferenceColumn" => "a column of an outer query".to_owned(),
        "Wildcard" => "`*`".to_owned(),
        "RLike" => "RLIKE".to_owned(),
        "AsOf" => "ASOF".to_owned(),
        "StraightJoin" => "STRAIGHT_JOIN".to_owned(),
        head => head.chars().fold(String::new(), |mut words, character| {
            if character.is_ascii_uppercase() && !words.is_empty() {
                words.push(' ');
            }
            words.push(character.to_ascii_uppercase());
            words
        }),
    };
    Some(format!("{} is not supported", what.replace("{}", &words)))
}

/// Makes another library's message follow our style: lowercase start, no final period, first line only, no printed
/// tree.
fn sentence(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default().trim().trim_end_matches('.');
    let line = line.strip_prefix("sql parser error: ").unwrap_or(line);
    if let Some(tree) = of_tree(line) {
        return tree;
    }
    let has_tree = line.find("Span(Location(").or_else(|| line.find("DFSchema {"));
    let line = match has_tree.and_then(|_| line.find(['{', '(', '['])) {
        Some(tree) => line[..tree].trim_end(),
        None => line,
    };
    indago_dialect::lowercase_start(line)
}

fn span_of(diagnostic: &Diagnostic, sql: &str) -> Option<Span> {
    let span = diagnostic.span?;
    let start = offset(sql, span.start.line, span.start.column)?;
    let end = offset(sql, span.end.line, span.end.column)?;
    Some(Span { start, end: end.max(start) })
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

/// Where a statement first mentions a column.
fn place_of_column(sql: &str, column: &str) -> Option<Span> {
    span_of_token(sql, tokens(sql)?.iter().find(|token| is_word(token, column))?)
}

fn tokens(sql: &str) -> Option<Vec<TokenWithSpan>> {
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql).tokenize_with_location().ok()?;
    Some(tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect())
}

fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found) if found.value.eq_ignore_ascii_case(word))
}

fn span_of_token(sql: &str, token: &TokenWithSpan) -> Option<Span> {
    let at = |place: Location| offset(sql, place.line, place.column);
    Some(Span { start: at(token.span.start)?, end: at(token.span.end)? })
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
    fn a_column_is_found_where_it_is_named_first() {
        let place = |sql: &str| place_of_column(sql, "nope").map(|span| (span.start, span.end));
        assert_eq!(place("SELECT 1 FROM t GROUP BY t.Nope ORDER BY nope"), Some((27, 31)));
        assert_eq!(place("SELECT 'nope'"), None);
    }

    #[test]
    fn messages_print_no_trees() {
        for (message, expected) in [
            ("Unsupported ast node in sqltorel: IsNormalized { expr: Value(..) }", "`IS NORMALIZED` is not supported"),
            ("Unsupported ast node in sqltorel: RLike { negated: false }", "`RLIKE` is not supported"),
            ("Unsupported ast node Pivot { table: .. } in create_relation", "`PIVOT` after a table is not supported"),
            ("Unsupported JOIN operator CrossApply", "the join `CROSS APPLY` is not supported"),
            (
                "Physical plan does not support logical expression Exists(Exists { .. })",
                "a subquery at this place is not supported",
            ),
            (
                "Unsupported function argument: Named { name: Ident { span: Span(Location(1,2)) } }",
                "unsupported function argument: Named",
            ),
            ("CAST with format is not supported: 'YYYY'", "CAST with format is not supported: 'YYYY'"),
        ] {
            assert_eq!(sentence(message), expected);
        }
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
