//! DataFusion's errors in our words: what is wrong, where, and what to do. Its types become SQL types.

use datafusion::common::{Column, DataFusionError, Diagnostic, SchemaError, TableReference};
use indago_table::closest;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::absent::Absent;
use crate::diagnostic::{
    Code, Error, Span, did_you_mean, is_word, no_table, offset, place_of_word, span_of_token, tokens,
};
use crate::functions::FunctionInfo;

/// Names that the session knows.
pub(crate) struct Names<'a> {
    pub(crate) tables: &'a dyn Fn() -> Vec<String>,
    pub(crate) columns: &'a dyn Fn(&str) -> Vec<String>,
    pub(crate) functions: &'a dyn Fn() -> Vec<FunctionInfo>,
    pub(crate) absent: &'a dyn Fn(&str) -> Option<Absent>,
    /// The columns of a table as a list shows them, of all its columns.
    pub(crate) arranged: &'a dyn Fn(Vec<String>) -> Vec<String>,
}

/// The error for the user that corresponds to a DataFusion error.
pub(crate) fn translate(error: &DataFusionError, sql: &str, names: &Names<'_>) -> Error {
    let diagnostic = error.diagnostic();
    let notes: Vec<&str> =
        diagnostic.iter().flat_map(|diagnostic| &diagnostic.notes).map(|note| note.message.as_str()).collect();
    let translated = match error.find_root() {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(own) => own.clone(),
            None => Error::new(Code::Execution, inner.to_string()),
        },
        DataFusionError::Shared(inner) => return translate(inner, sql, names),
        DataFusionError::SQL(parser, _) => Error::new(Code::Parse, sentence(&parser.to_string())),
        DataFusionError::SchemaError(schema, _) => of_schema(schema, &notes, sql, names),
        DataFusionError::Plan(message) => of_message(Code::Plan, message, &notes, sql, names),
        DataFusionError::NotImplemented(message) => of_message(Code::Unsupported, message, &notes, sql, names),
        DataFusionError::ResourcesExhausted(message) => Error::new(Code::Memory, sentence(message))
            .with_help("narrow the query, or raise `--memory` or `limits.memory`"),
        DataFusionError::Collection(errors) if !errors.is_empty() => return translate(&errors[0], sql, names),
        DataFusionError::Execution(message) => of_message(Code::Execution, message, &notes, sql, names),
        other => of_message(Code::Execution, &other.strip_backtrace(), &notes, sql, names),
    };
    // The planner knows where a name is. Of a call or clause, it marks more than that, or nothing.
    let planned = diagnostic.and_then(|diagnostic| span_of(diagnostic, sql));
    let place = match error.find_root() {
        DataFusionError::SchemaError(..) => planned.or(translated.span()),
        _ => translated.span().or(planned),
    };
    translated.at(place).in_sql(sql)
}

fn of_schema(error: &SchemaError, notes: &[&str], sql: &str, names: &Names<'_>) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let place = place_of_word(sql, &field.name);
            let table = field.relation.as_ref().map(|relation| relation.table().to_owned());
            let of_query = tables_of(valid_fields);
            let error = match table.as_deref() {
                Some(table) if !of_query.is_empty() && !of_query.contains(&table) => {
                    return no_qualifier(table, &field.name, &of_query, valid_fields).at(place);
                }
                Some(table) => Error::new(Code::UnknownColumn, format!("no column `{}` in `{table}`", field.name)),
                None if is_in_using(sql, &field.name) => {
                    let message = format!("column `{}` is not in all of the joined tables", field.name);
                    let help = "USING takes columns that they all have; compare others with ON: `ON a.x = b.y`";
                    return Error::new(Code::UnknownColumn, message).with_help(help).at(place);
                }
                None => Error::new(Code::UnknownColumn, format!("no column `{}`", field.name)),
            };
            let help = match table.as_deref() {
                None if valid_fields.is_empty() => {
                    Some("no table has columns here: add a FROM, or write a text as 'text'".to_owned())
                }
                Some(table) => columns_of(table, &field.name, valid_fields, names),
                None => any_column(&field.name, valid_fields, names),
            };
            let help = match table.is_none() && is_compared(sql, &field.name) {
                // Probably a text without quotes, unless it resembles a column.
                true => {
                    let near = help.filter(|help| help.starts_with("did you mean"));
                    let near = near.map(|near| format!("{near} ")).unwrap_or_default();
                    Some(format!("{near}to compare with the text, write '{}'", field.name))
                }
                false => help,
            };
            error.with_help_of(help).at(place)
        }
        SchemaError::AmbiguousReference { field } => {
            let place = place_of_word(sql, &field.name);
            let possible = notes.iter().filter_map(|note| note.strip_prefix("possible column "));
            let possible: Vec<String> = possible.map(|name| format!("`{name}`")).collect();
            let help = match possible.is_empty() {
                true => format!("write it with its table, as in `t.{}`", field.name),
                false => format!("write {}", possible.join(" or ")),
            };
            let message = format!("column `{}` is in more than one table of the query", field.name);
            Error::new(Code::Plan, message).with_help(help).at(place)
        }
        SchemaError::DuplicateQualifiedField { qualifier, .. } => {
            let name = qualifier.table();
            Error::new(Code::Plan, format!("two tables of the query are named `{name}`"))
                .with_help("give one of them another name: `FROM table AS other_name`")
                .at(place_of_word(sql, name))
        }
        SchemaError::DuplicateUnqualifiedField { name } => {
            Error::new(Code::Plan, format!("two columns are named `{name}`"))
                .with_help("give one of them another name with `AS`")
                .at(place_of_word(sql, name))
        }
    }
}

/// Whether a column is in the list of a USING.
fn is_in_using(sql: &str, column: &str) -> bool {
    let Some(tokens) = tokens(sql) else { return false };
    let begins = |at: usize| is_word(&tokens[at], "USING") && tokens.get(at + 1).is_some_and(is_open);
    let is_in_list = |at: usize| {
        let list = tokens[at + 2..].iter().take_while(|token| token.token != Token::RParen);
        list.into_iter().any(|token| is_word(token, column))
    };
    (0..tokens.len()).any(|at| begins(at) && is_in_list(at))
}

/// Whether a bare name is the right side of a comparison.
fn is_compared(sql: &str, name: &str) -> bool {
    let Some(tokens) = tokens(sql) else { return false };
    let compares = |token: &TokenWithSpan| {
        matches!(token.token, Token::Eq | Token::DoubleEq | Token::Neq)
            || ["LIKE", "GLOB", "IS"].iter().any(|word| is_word(token, word))
    };
    tokens.windows(2).any(|pair| compares(&pair[0]) && is_word(&pair[1], name))
}

fn is_open(token: &TokenWithSpan) -> bool {
    token.token == Token::LParen
}

/// The names of the tables that columns are of, each once.
fn tables_of(fields: &[Column]) -> Vec<&str> {
    let mut tables: Vec<&str> = Vec::new();
    for table in fields.iter().filter_map(|field| field.relation.as_ref()).map(TableReference::table) {
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    tables
}

/// The error for a column of a table that is not in the query, or has another name there.
fn no_qualifier(table: &str, column: &str, of_query: &[&str], fields: &[Column]) -> Error {
    let has_column = |field: &&Column| field.name.eq_ignore_ascii_case(column);
    let owners: Vec<Column> = fields.iter().filter(has_column).cloned().collect();
    let owners = tables_of(&owners);
    let near = closest(table, of_query.iter().copied()).or(owners.first().copied());
    let help = match near {
        Some(near) => format!("did you mean `{near}.{column}`?"),
        None => format!("its tables are {};", quoted(of_query)),
    };
    let message = format!("no table or alias `{table}` in this query");
    Error::new(Code::UnknownColumn, message).with_help(format!("{help} a table with an alias has only that name"))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
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
    if let Some(near) = near(name, &own) {
        return Some(near);
    }
    if let Some(other) = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)) {
        return Some(format!("did you mean `{}`?", other.flat_name()));
    }
    (!own.is_empty()).then(|| format!("use a column of `{table}`: {}", listed(&(names.arranged)(own))))
}

/// Names of columns that users know from other programs, and the columns that have such values, the likeliest first.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("args", &["cmdline", "command_line", "arguments"]),
    ("author", &["author_name", "author_email"]),
    ("cmd", &["cmdline", "command_line", "command"]),
    ("command", &["cmdline", "command_line", "cmd"]),
    ("command_line", &["cmdline", "command"]),
    ("container", &["container_id", "container_name"]),
    ("directory", &["path", "cwd"]),
    ("email", &["author_email"]),
    ("exe", &["path", "executable"]),
    ("executable", &["path"]),
    ("host", &["hostname", "node_name"]),
    ("hostname", &["host", "node_name"]),
    ("ip", &["address", "local_address", "pod_ip", "host_ip", "ip_address", "private_ip_address"]),
    ("memory", &["resident_size", "memory_bytes"]),
    ("node", &["node_name"]),
    ("port", &["local_port", "remote_port"]),
    ("ppid", &["parent", "parent_pid"]),
    ("rss", &["resident_size"]),
    ("sha", &["hash", "sha256"]),
    ("started", &["start_time", "started_at"]),
    ("state", &["status", "phase"]),
    ("status", &["state", "phase"]),
    ("user", &["username", "user_name", "uid"]),
    ("userid", &["uid"]),
    ("username", &["user", "user_name", "name"]),
];

/// Most columns that a suggestion names.
const SUGGESTED: usize = 3;

/// The columns that a name probably means.
fn near(name: &str, columns: &[String]) -> Option<String> {
    let lower = name.to_lowercase();
    let known = SYNONYMS.iter().find(|(word, _)| *word == lower).into_iter().flat_map(|(_, known)| *known);
    let mut known = known.filter(|known| columns.iter().any(|column| column == *known));
    if let Some(known) = known.next() {
        return Some(format!("did you mean `{known}`?"));
    }
    if let Some(near) = closest(name, columns.iter().map(String::as_str)) {
        return Some(format!("did you mean `{near}`?"));
    }
    // Columns with the name as one of their words.
    let has_word = |column: &&String| column.split('_').any(|word| word == lower);
    let mut found: Vec<String> = columns.iter().filter(has_word).map(|column| format!("`{column}`")).collect();
    found.sort();
    found.dedup();
    if found.len() > SUGGESTED { None } else { did_you_mean(&found) }
}

/// Help for a column that no table of the query has.
fn any_column(name: &str, fields: &[Column], names: &Names<'_>) -> Option<String> {
    let all: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    if let Some(near) = near(name, &all) {
        return Some(near);
    }
    let mut tables: Vec<(Option<&str>, Vec<String>)> = Vec::new();
    for field in fields {
        let table = field.relation.as_ref().map(TableReference::table);
        match tables.iter_mut().find(|(known, _)| *known == table) {
            Some((_, columns)) => columns.push(field.name.clone()),
            None => tables.push((table, vec![field.name.clone()])),
        }
    }
    let columns = tables.into_iter().map(|(table, columns)| match table {
        Some(table) => format!("of `{table}`: {}", listed(&(names.arranged)(columns))),
        None => format!("of the query: {}", listed(&columns)),
    });
    let columns: Vec<String> = columns.collect();
    (!columns.is_empty()).then(|| format!("use a column {}", columns.join("; or ")))
}

fn listed(columns: &[String]) -> String {
    let shown = columns.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if columns.len() > LISTED { format!("{shown}, ..") } else { shown }
}

/// What is wrong with a comparison of an integer and a timestamp.
fn of_times(message: &str) -> Option<Error> {
    let types = message.strip_prefix("Cannot infer common argument type for comparison operation ")?;
    let is_mixed = types.contains("Timestamp(") && (types.contains("Int64") || types.contains("Float64"));
    is_mixed.then(|| {
        Error::new(Code::Plan, "a number cannot be compared with a timestamp").with_help(
            "compare seconds with seconds, as in `mtime > unixepoch('now') - 3600`, or timestamps with timestamps, as \
             in `to_timestamp_seconds(mtime) > now()`",
        )
    })
}

fn of_message(code: Code, message: &str, notes: &[&str], sql: &str, names: &Names<'_>) -> Error {
    let message = bare(message);
    if let Some(table) = between(message, "table '", "' not found").filter(|_| message.starts_with("table '")) {
        return of_table(table, names);
    }
    let known = of_times(message)
        .or_else(|| of_view(message, sql))
        .or_else(|| of_function_name(message, sql, names))
        .or_else(|| of_call(message, sql, names))
        .or_else(|| of_clause(code, message, notes, sql));
    known.unwrap_or_else(|| {
        let message = sentence(message);
        let help = advice(&message).map(str::to_owned);
        Error::new(code, message).with_help_of(help)
    })
}

/// What to do about an error of the dialect or of one of its functions.
pub(crate) fn advice(message: &str) -> Option<&'static str> {
    let known = [
        (" needs OVER", "write OVER after it, as in `row_number() OVER (ORDER BY ..)`"),
        ("BY term out of range", "name a column of the result, or give its number, counted from 1"),
        ("no such window", "define it after the query: `WINDOW name AS (ORDER BY ..)`"),
        ("row value misused", "compare as many values on both sides"),
        ("Invalid regex", "put a backslash before a character that stands for itself, as in `\\(`"),
        ("bad JSON path", "write a path as `$`, `$.name` or `$.list[0]`"),
    ];
    known.into_iter().find(|(mark, _)| message.contains(mark)).map(|(_, help)| help)
}

fn of_table(table: &str, names: &Names<'_>) -> Error {
    let parts: Vec<&str> = table.splitn(3, '.').collect();
    let name = parts.last().copied().unwrap_or(table);
    if let [_, schema, _] = parts.as_slice()
        && !matches!(*schema, "public" | "main")
    {
        let help = "a schema is a store that `--store NAME=DIR` or `[stores]` opened; `indago tables` lists its tables";
        return Error::new(Code::UnknownTable, format!("no table `{name}` in a schema `{schema}`")).with_help(help);
    }
    no_table(name, (names.absent)(name), &(names.tables)())
}

/// A view that does not exist.
fn of_view(message: &str, sql: &str) -> Option<Error> {
    let name = between(message, "View '", "' doesn't exist")?;
    let error = Error::new(Code::UnknownTable, format!("no view `{name}`")).at(place_of_word(sql, name));
    Some(error.with_help("`.tables view` in the shell lists the views"))
}

/// A function that does not exist, or exists only in FROM or only elsewhere.
fn of_function_name(message: &str, sql: &str, names: &Names<'_>) -> Option<Error> {
    let in_from = between(message, "table function '", "' not found").filter(|_| message.starts_with("table function"));
    let elsewhere = between(message, "Invalid function '", "'").filter(|_| message.starts_with("Invalid function"));
    let name = in_from.or(elsewhere)?;
    let functions = (names.functions)();
    let place = calls_of(sql, name).first().map(|call| call.place);
    let fits = |function: &&FunctionInfo| (function.kind == "table") == in_from.is_some();
    let known = functions.iter().find(|function| function.name.eq_ignore_ascii_case(name));
    if let Some(function) = known {
        let (message, help) = match (fits(&function), in_from) {
            (true, _) => {
                let what = format!("`{name}` cannot be called like this");
                (what, format!("call it as `{}`", function.signature))
            }
            (false, Some(_)) => {
                let what = format!("`{name}` returns a value, not a table");
                (what, format!("call it in the SELECT list: `SELECT {}`", function.signature))
            }
            (false, None) => {
                let what = format!("`{name}` returns a table, not a value");
                (what, format!("call it in FROM: `SELECT * FROM {}`", function.signature))
            }
        };
        return Some(Error::new(Code::Plan, message).with_help(help).at(place));
    }
    let near = closest(name, functions.iter().filter(fits).map(|function| function.name.as_str()));
    let near = near.or_else(|| closest(name, functions.iter().map(|function| function.name.as_str())));
    let what = if in_from.is_some() { "no table function" } else { "no function" };
    let error = Error::new(Code::UnknownFunction, format!("{what} `{name}`")).at(place);
    Some(match near {
        Some(near) => error.with_help(format!("did you mean `{near}`?")),
        None => error.with_help("`indago functions` lists all functions"),
    })
}

/// Marks of messages about a call whose arguments do not fit.
const CALLS: [&str; 7] = [
    "No function matches the given name and argument types",
    "failed to match any signature",
    "user-defined coercion failed",
    "wrong number of arguments to ",
    "does not support zero arguments",
    " function requires ",
    "xpected at least ",
];

/// A call with arguments that do not fit.
fn of_call(message: &str, sql: &str, names: &Names<'_>) -> Option<Error> {
    if !CALLS.iter().any(|mark| message.contains(mark)) {
        return None;
    }
    let called = between(message, "argument types '", "'").and_then(|call| call.split_once('('));
    let name = called
        .map(|(name, _)| name)
        .or_else(|| between(message, "unction '", "'"))
        .or_else(|| between(message, "call to '", "'"))
        .or_else(|| between(message, "arguments to function ", "("))
        .or_else(|| between(message, "arguments to ", ":"))
        .or_else(|| message.split_once(" function requires ").map(|(name, _)| name))?;
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    if name == "array_element" {
        let of = called.and_then(|(_, types)| types.split(", ").next()).unwrap_or_default();
        let message = format!("a value of type {} has no elements", in_sql_types(of.trim_end_matches(')')));
        return Some(Error::new(Code::Plan, message).with_help("use `value[..]` with lists and maps"));
    }
    let functions = (names.functions)();
    // A name may be a function in FROM and another one elsewhere.
    let in_from = message.contains(" function requires ");
    let of_name = functions.iter().filter(|function| function.name.eq_ignore_ascii_case(name));
    let known = of_name.max_by_key(|function| (function.kind == "table") == in_from);
    let signature = between(message, "arguments to function ", ")").map(|call| format!("{call})"));
    let signature = signature.or_else(|| known?.signature.lines().next().map(str::to_owned));
    let types: Option<Vec<String>> = called.map(|(_, types)| {
        let types = in_sql_types(types.strip_suffix(')').unwrap_or(types));
        types.split(", ").filter(|part| !part.is_empty()).map(str::to_owned).collect()
    });
    let calls = calls_of(sql, name);
    let many = types.as_ref().map(Vec::len);
    let call = calls.iter().find(|call| Some(call.arguments) == many).or(calls.first());
    let with = match types.as_deref() {
        Some([]) => "no arguments".to_owned(),
        Some([only]) => format!("one argument of type {only}"),
        Some(types) => format!("{} arguments of the types {}", types.len(), types.join(", ")),
        None => match call.map(|call| call.arguments) {
            Some(0) => "no arguments".to_owned(),
            Some(1) => "one argument".to_owned(),
            Some(many) => format!("{many} arguments"),
            None => "these arguments".to_owned(),
        },
    };
    let error = Error::new(Code::Plan, format!("`{name}` cannot be called with {with}"));
    Some(error.at(call.map(|call| call.place)).with_help(match signature {
        Some(signature) => format!("call it as `{signature}`"),
        None => "`indago functions` lists functions and their arguments".to_owned(),
    }))
}

/// A call in the text.
struct Call {
    place: Span,
    arguments: usize,
}

/// The calls of a function in a statement.
fn calls_of(sql: &str, function: &str) -> Vec<Call> {
    let Some(tokens) = tokens(sql) else { return Vec::new() };
    let call = |at: usize| {
        let begins = is_word(&tokens[at], function) && tokens.get(at + 1)?.token == Token::LParen;
        let place = begins.then(|| span_of_token(sql, &tokens[at])).flatten()?;
        Some(Call { place, arguments: arguments(&tokens[at + 2..]) })
    };
    (0..tokens.len()).filter_map(call).collect()
}

/// The number of arguments of a call, given the tokens after its parenthesis.
fn arguments(tokens: &[TokenWithSpan]) -> usize {
    let (mut depth, mut commas, mut is_empty) = (0_usize, 0, true);
    for token in tokens {
        match token.token {
            Token::RParen if depth == 0 => break,
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            Token::Comma if depth == 0 => commas += 1,
            _ => {}
        }
        is_empty = false;
    }
    if is_empty { 0 } else { commas + 1 }
}

/// Messages about a clause: what is wrong, the word that marks its place, and what to do.
fn of_clause(code: Code, message: &str, notes: &[&str], sql: &str) -> Option<Error> {
    let (what, word, help) = clause(message, notes)?;
    let place = if word.is_empty() { None } else { place_of_word(sql, word) };
    let error = Error::new(code, what).at(place);
    Some(if help.is_empty() { error } else { error.with_help(help) })
}

fn clause(message: &str, notes: &[&str]) -> Option<(String, &'static str, String)> {
    let ours = |what: &str, word, help: &str| Some((what.to_owned(), word, help.to_owned()));
    if let Some((operator, _)) = message.split_once(" queries have different number of columns") {
        let counts = notes.iter().filter_map(|note| between(note, "this side has ", " fields"));
        let counts: Vec<&str> = counts.collect();
        let operator = operator.to_uppercase();
        let what = format!("the sides of {operator} have different numbers of columns: {}", counts.join(" and "));
        return Some((what, "", "select as many columns on each side, with NULL for missing ones".to_owned()));
    }
    if message.starts_with("Too many columns! The subquery should only return one column") {
        let what = "a subquery that is compared with one value returns several columns";
        return ours(what, "", "select one column, or compare as many values: `(a, b) IN (SELECT x, y ..)`");
    }
    if let Some(name) = message.strip_prefix("Invalid qualifier ") {
        let what = format!("no table or alias `{name}` in this query");
        return Some((what, "", "a table with an alias has only that name".to_owned()));
    }
    if message.starts_with("Aggregate function calls cannot be nested") {
        let what = "an aggregate function within an aggregate function";
        return ours(what, "", "compute the inner one in a subquery: `SELECT sum(n) FROM (SELECT count(*) AS n ..)`");
    }
    if message.starts_with("Window function calls cannot be nested") {
        return ours("a window function within a window function", "OVER", "compute the inner one in a subquery");
    }
    if message.starts_with("Aggregate functions are not allowed in the WHERE clause") {
        let help = "WHERE sees single rows: use `HAVING` after GROUP BY, or compare with a subquery";
        return ours("aggregate functions are not allowed in WHERE", "WHERE", help);
    }
    if message.starts_with("Physical plan does not support logical expression WindowFunction") {
        let help = "compute it in a subquery in FROM, and filter its result outside";
        return ours("a window function is not allowed at this place", "OVER", help);
    }
    if let Some(name) = message.strip_prefix("Unsupported SQL type ") {
        let help = "use INTEGER, REAL, TEXT, BLOB, BOOLEAN, DATE or TIMESTAMP";
        return Some((format!("no type `{name}`"), "", help.to_owned()));
    }
    for (word, begin) in [
        ("LIMIT", "Expected LIMIT to be an integer or null, but got "),
        ("OFFSET", "Expected OFFSET to be an integer or null, but got "),
    ] {
        if let Some(got) = message.strip_prefix(begin) {
            let help = "write a number without quotes".to_owned();
            return Some((format!("{word} needs an integer, not {}", in_sql_types(got)), word, help));
        }
    }
    if message.starts_with("FROM without SELECT is not supported") {
        return ours("FROM without SELECT", "FROM", "write `SELECT * FROM ..`");
    }
    if let Some(rest) = message.strip_prefix("Inconsistent data length across values list: got ") {
        let (got, rest) = rest.split_once(" values in row ")?;
        let (row, expected) = rest.split_once(" but expected ")?;
        let row = row.parse::<u64>().ok()? + 1;
        let what = format!("row {row} of VALUES has another number of values than row 1: {got}, not {expected}");
        return Some((what, "VALUES", "give each row as many values".to_owned()));
    }
    if let Some(rest) = message.strip_prefix("Source table contains ") {
        let (has, rest) = rest.split_once(" columns but only ")?;
        let named = rest.split(' ').next().unwrap_or_default();
        let what = format!("the alias names {named} columns, but the table has {has}");
        return Some((what, "", "name each column, or none".to_owned()));
    }
    if message.starts_with("COUNT DISTINCT with multiple arguments") {
        let help = "count the rows of a subquery: `SELECT count(*) FROM (SELECT DISTINCT a, b FROM ..)`";
        return ours("`count(DISTINCT ..)` takes one expression", "DISTINCT", help);
    }
    if let Some(name) = between(message, "Unsupported compound identifier '", "'") {
        return Some((
            format!("the name `{name}` has too many parts"),
            "",
            "write `table` or `store.table`".to_owned(),
        ));
    }
    if let Some(rest) = message.strip_prefix("Argument #") {
        let (number, rest) = rest.split_once(" must be an INTEGER, TIMESTAMP, DATE or NULL, got ")?;
        let what = format!("argument {number} of `generate_series` cannot be {}", in_sql_types(rest));
        return Some((what, "generate_series", "give it integers, dates or timestamps".to_owned()));
    }
    if let Some(text) = between(message, "Error parsing timestamp from '", "'") {
        let what = format!("'{text}' is not a timestamp");
        return Some((what, "", "write it as '2026-01-31' or '2026-01-31 12:00:00'".to_owned()));
    }
    if let Some(text) = message.strip_prefix("Invalid HexStringLiteral ") {
        let what = format!("X{text} is not a blob: its digits are not pairs of 0 to 9 and A to F");
        return Some((what, "", "write two hexadecimal digits per byte: X'C0FFEE'".to_owned()));
    }
    if let Some(rest) = message.strip_prefix("Cannot access field at argument 1: type ") {
        let kind = in_sql_types(rest.split(" is not").next().unwrap_or_default());
        let help = "fields are read from maps: `labels['app']`; from JSON: `json_extract(text, '$.name')`";
        return Some((format!("a value of type {kind} has no fields"), "", help.to_owned()));
    }
    if message.starts_with("unnest() can only be applied to array") {
        return ours("`unnest` needs a list or map", "unnest", "use `json_each(text)` in FROM for JSON");
    }
    if let Some(rest) = message.strip_prefix("Cannot automatically convert ") {
        let (from, to) = rest.split_once(" to ")?;
        let what = format!("{} cannot be used as {}", in_sql_types(from), in_sql_types(to));
        return Some((what, "", "convert it with `CAST(value AS type)`".to_owned()));
    }
    None
}

/// The text between two marks.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = text.split_once(before)?.1;
    rest.split_once(after).map(|(found, _)| found)
}

/// What DataFusion and Arrow put before a message.
const KINDS: [&str; 14] = [
    "error during planning: ",
    "execution error: ",
    "internal error: ",
    "schema error: ",
    "arrow error: ",
    "parser error: ",
    "cast error: ",
    "compute error: ",
    "external error: ",
    "optimizer error: ",
    "invalid argument error: ",
    "this feature is not implemented: ",
    "invalid comparison operation: ",
    "sql parser error: ",
];

/// A message without what kind of error it is.
fn bare(message: &str) -> &str {
    let mut message = message.trim();
    let begins = |message: &str, kind: &str| message.get(..kind.len()).is_some_and(|it| it.eq_ignore_ascii_case(kind));
    while let Some(kind) = KINDS.iter().find(|kind| begins(message, kind)) {
        message = message[kind.len()..].trim_start();
    }
    message
}

/// Arrow's types and the SQL types that they are shown as.
const TYPES: [(&str, &str); 36] = [
    ("Utf8", "TEXT"),
    ("Utf8View", "TEXT"),
    ("LargeUtf8", "TEXT"),
    ("Int8", "BIGINT"),
    ("Int16", "BIGINT"),
    ("Int32", "BIGINT"),
    ("Int64", "BIGINT"),
    ("UInt8", "UNSIGNED_BIGINT"),
    ("UInt16", "UNSIGNED_BIGINT"),
    ("UInt32", "UNSIGNED_BIGINT"),
    ("UInt64", "UNSIGNED_BIGINT"),
    ("Float16", "DOUBLE"),
    ("Float32", "DOUBLE"),
    ("Float64", "DOUBLE"),
    ("Boolean", "BOOLEAN"),
    ("Binary", "BLOB"),
    ("BinaryView", "BLOB"),
    ("LargeBinary", "BLOB"),
    ("FixedSizeBinary", "BLOB"),
    ("Timestamp", "TIMESTAMP"),
    ("Interval", "INTERVAL"),
    ("Duration", "INTERVAL"),
    ("IntervalMonthDayNano", "INTERVAL"),
    ("Date32", "DATE"),
    ("Date64", "DATE"),
    ("Time32", "TIME"),
    ("Time64", "TIME"),
    ("Decimal128", "DECIMAL"),
    ("Decimal256", "DECIMAL"),
    ("List", "LIST"),
    ("LargeList", "LIST"),
    ("FixedSizeList", "LIST"),
    ("Map", "MAP"),
    ("Struct", "STRUCT"),
    ("Dictionary", "TEXT"),
    ("Null", "NULL"),
];

/// Replaces Arrow's types by SQL types, and printed literals such as `Int64(1)` by their values.
fn in_sql_types(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    while let Some(start) = rest.find(is_part) {
        out.push_str(&rest[..start]);
        let length = rest[start..].find(|c: char| !is_part(c)).unwrap_or(rest.len() - start);
        let (word, after) = rest[start..].split_at(length);
        let is_quoted = out.ends_with(['\'', '`', '"']);
        let Some((_, sql)) = TYPES.iter().find(|(arrow, _)| *arrow == word && !is_quoted) else {
            out.push_str(word);
            rest = after;
            continue;
        };
        let inside = after.strip_prefix('(').and_then(|inside| inside.split_at_checked(closing(inside)?));
        match inside {
            // A literal.
            Some((value, _)) if is_literal(word, value) => out.push_str(&value.replace('"', "'")),
            _ => out.push_str(sql),
        }
        rest = inside.map_or(after, |(_, after)| &after[1..]);
    }
    out.push_str(rest);
    out
}

/// Whether the text in a type's parentheses is a value, not a parameter.
fn is_literal(kind: &str, text: &str) -> bool {
    ["Utf8", "Utf8View", "LargeUtf8", "Int64", "Int32", "UInt64", "Float64", "Boolean"].contains(&kind)
        && !text.is_empty()
}

/// Where the parenthesis ends that is open before a text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
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
    let message = bare(message);
    let line = message.lines().next().unwrap_or_default().trim().trim_end_matches('.');
    // A regular expression's error is on its last line.
    if let (Some(what), Some((_, reason))) = (line.strip_suffix("regex parse error:"), message.rsplit_once("error: ")) {
        let what = what.trim_end().trim_end_matches(':');
        return indago_dialect::lowercase_start(&format!("{what}: {}", reason.trim()));
    }
    if let Some(tree) = of_tree(line) {
        return tree;
    }
    let has_tree = line.find("Span(Location(").or_else(|| line.find("DFSchema {"));
    let line = match has_tree.and_then(|_| line.find(['{', '(', '['])) {
        Some(tree) => line[..tree].trim_end(),
        None => line,
    };
    indago_dialect::lowercase_start(&in_sql_types(line))
}

fn span_of(diagnostic: &Diagnostic, sql: &str) -> Option<Span> {
    let span = diagnostic.span?;
    let start = offset(sql, span.start.line, span.start.column)?;
    let end = offset(sql, span.end.line, span.end.column)?;
    Some(Span { start, end: end.max(start) })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn types_are_shown_as_in_sql() {
        for (message, expected) in [
            ("upper(Utf8View, Int64)", "upper(TEXT, BIGINT)"),
            ("got Timestamp(Microsecond, Some(\"UTC\")) at the end", "got TIMESTAMP at the end"),
            ("List(Field { name: \"item\", data_type: Utf8 })", "LIST"),
            ("'count(Int64(1))' in 'sum(Utf8(\"x\"))'", "'count(1)' in 'sum('x')'"),
            ("column 'Null' and Int64", "column 'Null' and BIGINT"),
            ("cast_Int64 Int640", "cast_Int64 Int640"),
            ("Map(unbalanced", "MAP(unbalanced"),
        ] {
            assert_eq!(in_sql_types(message), expected);
        }
    }

    /// The message, help and marked text of an error.
    fn translated(error: &DataFusionError, sql: &str) -> (String, String, String) {
        let function = |name: &str, kind, signature: &str| FunctionInfo {
            name: name.to_owned(),
            signature: signature.to_owned(),
            kind,
            description: String::new(),
            details: String::new(),
            aliases: Vec::new(),
            examples: Vec::new(),
        };
        let functions = || {
            vec![
                function("round", "scalar", "round(x [, digits])"),
                function("group_concat", "aggregate", "group_concat(x [, separator])"),
                function("read_csv", "table", "read_csv(path)"),
            ]
        };
        let names = Names {
            tables: &|| vec!["processes".to_owned()],
            columns: &|_| Vec::new(),
            functions: &functions,
            absent: &|_| None,
            arranged: &|columns| columns,
        };
        let error = translate(error, sql, &names);
        let marked = error.span().map(|span| sql[span.start..span.end].to_owned()).unwrap_or_default();
        (error.to_string(), error.help().unwrap_or_default().to_owned(), marked)
    }

    #[test]
    fn messages_name_the_mistake_and_the_remedy() {
        for (message, sql, expected) in [
            (
                "Error during planning: Execution error: Function 'upper' user-defined coercion failed with: Error \
                 during planning: wrong number of arguments to function upper(x). No function matches the given name \
                 and argument types 'upper()'. You might need to add explicit type casts.\n\tCandidate functions:",
                "SELECT upper('a'), upper()",
                ("`upper` cannot be called with no arguments", "call it as `upper(x)`", "upper"),
            ),
            (
                "Internal error: Function 'round' failed to match any signature, errors: Function 'round' expects 2",
                "SELECT round(1, 2, 3)",
                ("`round` cannot be called with 3 arguments", "call it as `round(x [, digits])`", "round"),
            ),
            (
                "Failed to coerce arguments to satisfy a call to 'round' function: coercion failed No function matches \
                 the given name and argument types 'round(List(Int64), Utf8)'.",
                "SELECT round(1), round(l, 'x')",
                (
                    "`round` cannot be called with 2 arguments of the types LIST, TEXT",
                    "call it as `round(x [, digits])`",
                    "round",
                ),
            ),
            (
                "table function 'read_cvs' not found",
                "SELECT * FROM read_cvs('x')",
                ("no table function `read_cvs`", "did you mean `read_csv`?", "read_cvs"),
            ),
            (
                "table function 'round' not found",
                "SELECT * FROM round(1)",
                (
                    "`round` returns a value, not a table",
                    "call it in the SELECT list: `SELECT round(x [, digits])`",
                    "round",
                ),
            ),
            (
                "Invalid function 'read_csv'.\nDid you mean 'reverse'?",
                "SELECT read_csv('x')",
                (
                    "`read_csv` returns a table, not a value",
                    "call it in FROM: `SELECT * FROM read_csv(path)`",
                    "read_csv",
                ),
            ),
            (
                "Invalid function 'group_concat'.",
                "SELECT group_concat()",
                (
                    "`group_concat` cannot be called like this",
                    "call it as `group_concat(x [, separator])`",
                    "group_concat",
                ),
            ),
            (
                "Invalid function 'rond'.\nDid you mean 'random'?",
                "SELECT rond(1)",
                ("no function `rond`", "did you mean `round`?", "rond"),
            ),
            ("Unsupported SQL type foo", "SELECT 1::foo", ("no type `foo`", TYPES_OF_CASTS, "")),
            (
                "Expected LIMIT to be an integer or null, but got Utf8View",
                "SELECT 1 LIMIT 'a'",
                ("LIMIT needs an integer, not TEXT", "write a number without quotes", "LIMIT"),
            ),
            (
                "Source table contains 2 columns but only 3 names given as column alias",
                "SELECT 1",
                ("the alias names 3 columns, but the table has 2", "name each column, or none", ""),
            ),
            (
                "Inconsistent data length across values list: got 2 values in row 1 but expected 1",
                "VALUES (1), (1, 2)",
                (
                    "row 2 of VALUES has another number of values than row 1: 2, not 1",
                    "give each row as many values",
                    "VALUES",
                ),
            ),
            (
                "regexp: Invalid regex: regex parse error:\n    (\n    ^\nerror: unclosed group",
                "SELECT 1",
                (
                    "regexp: Invalid regex: unclosed group",
                    "put a backslash before a character that stands for itself, as in `\\(`",
                    "",
                ),
            ),
        ] {
            let (what, help, marked) = expected;
            let expected = (what.to_owned(), help.to_owned(), marked.to_owned());
            assert_eq!(translated(&DataFusionError::Plan(message.to_owned()), sql), expected, "{message}");
        }
    }

    const TYPES_OF_CASTS: &str = "use INTEGER, REAL, TEXT, BLOB, BOOLEAN, DATE or TIMESTAMP";

    #[test]
    fn a_name_of_a_table_that_is_not_in_the_query() {
        let fields = vec![Column::new(Some("p"), "pid"), Column::new(Some("u"), "uid")];
        let error = |relation: &str, name: &str| {
            let field = Box::new(Column::new(Some(relation.to_owned()), name));
            DataFusionError::SchemaError(
                Box::new(SchemaError::FieldNotFound { field, valid_fields: fields.clone() }),
                Box::new(None),
            )
        };
        for (relation, name, help) in [
            ("processes", "pid", "did you mean `p.pid`? a table with an alias has only that name"),
            ("q", "x", "did you mean `p.x`? a table with an alias has only that name"),
            ("nothing", "x", "its tables are `p`, `u`; a table with an alias has only that name"),
        ] {
            let sql = format!("SELECT {relation}.{name} FROM processes p, users u");
            let (message, told, marked) = translated(&error(relation, name), &sql);
            assert_eq!(message, format!("no table or alias `{relation}` in this query"));
            assert_eq!((told.as_str(), marked.as_str()), (help, name));
        }
        let (message, help, _) = translated(&error("p", "pidd"), "SELECT p.pidd FROM processes p, users u");
        assert_eq!((message.as_str(), help.as_str()), ("no column `pidd` in `p`", "did you mean `pid`?"));
    }

    #[test]
    fn columns_are_suggested_by_meaning_then_spelling_then_words() {
        let columns = ["pid", "parent", "cmdline", "node_name", "local_port", "remote_port"].map(str::to_owned);
        for (name, expected) in [
            ("ppid", Some("did you mean `parent`?")),
            ("COMMAND", Some("did you mean `cmdline`?")),
            ("pdi", Some("did you mean `pid`?")),
            ("name", Some("did you mean `node_name`?")),
            ("port", Some("did you mean `local_port`?")),
            ("remote", Some("did you mean `remote_port`?")),
            ("colour", None),
        ] {
            assert_eq!(near(name, &columns).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_bare_word_that_is_compared_is_probably_a_text() {
        assert!(is_compared("SELECT 1 FROM users WHERE username = root", "root"));
        assert!(is_compared("SELECT 1 FROM users WHERE username LIKE Root", "root"));
        assert!(!is_compared("SELECT root FROM users WHERE username = 'root'", "root"));
    }
}
