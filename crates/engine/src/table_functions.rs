//! Functions in FROM that make a table of constant arguments: `read_csv('indicators.csv')`.
//!
//! A call becomes the name of a table that only this query has. So it is planned and scanned like any other table.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, TableAlias, TableFactor, Value, Visitor,
    VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Location;
use indago_dialect::{build, visit, visit_mut};
use indago_table::{Error as TableError, TableRef};

use crate::diagnostic::{Code, Error, Result, Span, offset};
use crate::sql;

/// Functions that read local files, and exist only where the builder allows it.
const OF_FILES: [&str; 3] = ["read_csv", "read_json", "read_parquet"];

/// Functions in FROM that make a table of constant texts.
///
/// An engine has none unless [`EngineBuilder::table_functions`](crate::EngineBuilder::table_functions) adds them.
pub trait TableFunctions: fmt::Debug + Send + Sync + 'static {
    /// The functions.
    fn functions(&self) -> Vec<TableFunction>;

    /// The table of a call. May read files: it is called on a thread that may block. The same call in one query makes one
    /// table. The table's [`TableSpec`](crate::TableSpec) may have any name.
    fn table(&self, function: &str, arguments: &[String]) -> indago_table::Result<TableRef>;
}

/// A function in FROM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableFunction {
    /// Its name, in lowercase.
    pub name: &'static str,
    /// How it is called.
    pub signature: &'static str,
    /// Its description, in one line.
    pub description: &'static str,
}

/// Functions of two sets. A function of the second replaces one of the same name in the first.
#[derive(Debug)]
pub(crate) struct Both(pub(crate) Arc<dyn TableFunctions>, pub(crate) Arc<dyn TableFunctions>);

impl TableFunctions for Both {
    fn functions(&self) -> Vec<TableFunction> {
        let mut functions = self.0.functions();
        functions.retain(|function| !has(&*self.1, function.name));
        functions.extend(self.1.functions());
        functions
    }

    fn table(&self, function: &str, arguments: &[String]) -> indago_table::Result<TableRef> {
        match has(&*self.1, function) {
            true => self.1.table(function, arguments),
            false => self.0.table(function, arguments),
        }
    }
}

/// DataFusion's functions in FROM.
pub(crate) const STANDARD: [TableFunction; 2] = [
    TableFunction {
        name: "generate_series",
        signature: "generate_series(start, stop [, step])",
        description: "One row per number or time from `start` to `stop`, in the column `value`.",
    },
    TableFunction {
        name: "range",
        signature: "range(start, stop [, step])",
        description: "Like `generate_series`, without `stop` itself.",
    },
];

/// A call in a query.
pub(crate) struct Called {
    function: String,
    arguments: Vec<String>,
    /// The name that stands for it.
    pub(crate) name: String,
    pub(crate) table: TableRef,
}

/// Whether a statement calls such a function: one of the engine's, or one that reads files and that it may lack.
pub(crate) fn calls(statement: &Parsed, functions: Option<&Arc<dyn TableFunctions>>) -> bool {
    sql::inner(statement).is_some_and(|statement| visit(statement, &mut Finder(functions)).is_break())
}

fn has(functions: &dyn TableFunctions, name: &str) -> bool {
    functions.functions().iter().any(|known| known.name == name)
}

struct Finder<'a>(Option<&'a Arc<dyn TableFunctions>>);

impl Visitor for Finder<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let name = match factor {
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => last(name),
            _ => None,
        };
        let name = name.map(|name| name.value.to_lowercase());
        let is_known = |name: &str| self.0.is_some_and(|functions| has(&**functions, name)) || OF_FILES.contains(&name);
        match name.is_some_and(|name| is_known(&name)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// Puts names in the places of the calls, and makes their tables.
pub(crate) fn replace(
    statement: &mut Parsed,
    functions: Option<&Arc<dyn TableFunctions>>,
    sql: &str,
    called: &mut Vec<Called>,
) -> Result<()> {
    let Some(statement) = sql::inner_mut(statement) else { return Ok(()) };
    match visit_mut(statement, &mut Calls { functions, called }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(Failed { error, place, length }) => {
            let start = offset(sql, place.line, place.column);
            Err(error.at(start.map(|start| Span { start, end: start + length })).in_sql(sql))
        }
    }
}

struct Failed {
    error: Error,
    place: Location,
    length: usize,
}

struct Calls<'a> {
    functions: Option<&'a Arc<dyn TableFunctions>>,
    called: &'a mut Vec<Called>,
}

impl VisitorMut for Calls<'_> {
    type Break = Failed;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Failed> {
        let (name, arguments, alias): (&ObjectName, &[FunctionArg], &mut Option<TableAlias>) = match factor {
            TableFactor::Table { name, args: Some(arguments), alias, .. } => (name, &arguments.args, alias),
            TableFactor::Function { name, args, alias, .. } => (name, args, alias),
            _ => return ControlFlow::Continue(()),
        };
        let Some(function) = last(name) else { return ControlFlow::Continue(()) };
        let (place, length) = (function.span.start, function.value.len());
        let function = function.value.to_lowercase();
        let table = match self.functions {
            Some(functions) if has(&**functions, &function) => self.table(&**functions, &function, arguments),
            _ if OF_FILES.contains(&function.as_str()) => Err(not_allowed(&function)),
            _ => return ControlFlow::Continue(()),
        };
        let table = match table {
            Ok(table) => table,
            Err(error) => return ControlFlow::Break(Failed { error, place, length }),
        };
        let alias = alias.take().unwrap_or_else(|| build::table_alias(Ident::new(function)));
        *factor = build::table(ObjectName::from(vec![Ident::with_quote('"', table)]), Some(alias));
        ControlFlow::Continue(())
    }
}

impl Calls<'_> {
    /// The name of the table of a call.
    fn table(&mut self, functions: &dyn TableFunctions, function: &str, arguments: &[FunctionArg]) -> Result<String> {
        let arguments: Vec<String> =
            arguments.iter().map(|argument| text(function, argument)).collect::<Result<_>>()?;
        let is_same = |call: &&Called| call.function == function && call.arguments == arguments;
        if let Some(known) = self.called.iter().find(is_same) {
            return Ok(known.name.clone());
        }
        let table = functions.table(function, &arguments).map_err(|error| unread(function, &error))?;
        let name = format!("{function} {}", self.called.len() + 1);
        self.called.push(Called { function: function.to_owned(), arguments, name: name.clone(), table });
        Ok(name)
    }
}

fn last(name: &ObjectName) -> Option<&Ident> {
    match name.0.as_slice() {
        [part] => ObjectNamePart::as_ident(part),
        _ => None,
    }
}

/// The constant text of an argument.
fn text(function: &str, argument: &FunctionArg) -> Result<String> {
    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
        match expr {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => return Ok(text.clone()),
                Value::Number(number, _) => return Ok(number.clone()),
                _ => {}
            },
            Expr::Identifier(ident) if ident.quote_style.is_some() => return Ok(ident.value.clone()),
            _ => {}
        }
    }
    let what = if OF_FILES.contains(&function) { "path" } else { "text" };
    let error = Error::new(Code::Unsupported, format!("`{function}` needs a quoted {what}, not `{argument}`"));
    Err(error.with_help(format!("write {function}('{what}')")))
}

fn not_allowed(function: &str) -> Error {
    Error::new(Code::Unsupported, format!("`{function}` is not allowed here"))
        .with_help("`indago query` and the shell may read local files; the daemon and packs may not")
}

fn unread(function: &str, error: &TableError) -> Error {
    if !OF_FILES.contains(&function) {
        return Error::new(Code::Plan, format!("{function}: {error}"));
    }
    let help = match error {
        TableError::Gone(_) => "a relative path is relative to the current directory",
        TableError::Denied { .. } => "the user who runs the query needs read permission on the file",
        _ => "read_csv reads CSV with a header line, read_json JSON objects, read_parquet Parquet",
    };
    let error = match error {
        TableError::Gone(what) => format!("{what} does not exist"),
        error => error.to_string(),
    };
    Error::new(Code::File, format!("{function}: {error}")).with_help(help)
}
