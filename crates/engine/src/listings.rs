//! `SHOW TABLES`, `SHOW COLUMNS` and `DESCRIBE` as queries over the engine's own tables. DataFusion's answers have its
//! catalogs and its types.

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    ObjectName, ShowStatementFilter, ShowStatementFilterPosition, ShowStatementOptions, Statement,
};

use crate::diagnostic::{Code, Error, Result};

/// A query that lists tables or columns.
pub(crate) struct Listing {
    pub(crate) sql: String,
    /// The table that it describes.
    pub(crate) table: Option<String>,
}

/// The query for a statement that lists; `None` for any other statement.
pub(crate) fn listing(statement: &Parsed) -> Result<Option<Listing>> {
    let Parsed::Statement(statement) = statement else { return Ok(None) };
    Ok(match statement.as_ref() {
        Statement::ShowTables { show_options, .. } => Some(tables(&filter(show_options, "m.name")?)),
        Statement::ShowColumns { show_options, .. } => {
            let from = show_options.show_in.as_ref().and_then(|from| from.parent_name.as_ref());
            let Some(table) = from else {
                return Err(unsupported("SHOW COLUMNS needs a table: `SHOW COLUMNS FROM t`"));
            };
            Some(columns(table, &filter(show_options, "i.name")?))
        }
        Statement::ExplainTable { table_name, .. } => Some(columns(table_name, "")),
        Statement::ShowCreate { obj_name, .. } => {
            let table = name(obj_name);
            let sql = format!(
                "SELECT m.name AS name, coalesce(v.definition, m.sql) AS sql FROM sqlite_master AS m \
                 LEFT JOIN information_schema.views AS v ON v.table_name = m.name WHERE m.name = {}",
                quoted(&table)
            );
            Some(Listing { sql, table: Some(table) })
        }
        _ => None,
    })
}

fn tables(condition: &str) -> Listing {
    let sql = format!(
        "SELECT m.name AS name, CASE WHEN v.table_name IS NOT NULL THEN 'view' ELSE e.environment END AS environment, \
         substr(e.text, 1, instr(e.text || '. ', '. ')) AS description FROM sqlite_master AS m LEFT JOIN \
         (SELECT name, environment, replace(trim(description), char(10), ' ') AS text FROM engine_tables) AS e \
         ON e.name = m.name \
         LEFT JOIN information_schema.tables AS v ON v.table_name = m.name AND v.table_type = 'VIEW' \
         {condition} ORDER BY m.name"
    );
    Listing { sql, table: None }
}

fn columns(table: &ObjectName, condition: &str) -> Listing {
    let table = name(table);
    let quoted = quoted(&table);
    let sql = format!(
        "SELECT i.name AS name, coalesce(c.type, i.type) AS type, c.key AS key, i.hidden <> 0 AS hidden, \
         c.description AS description FROM pragma_table_xinfo({quoted}) AS i LEFT JOIN engine_columns AS c \
         ON c.table_name = {quoted} AND c.name = i.name {condition} ORDER BY i.cid"
    );
    Listing { sql, table: Some(table) }
}

/// The condition of a filter on a column.
fn filter(options: &ShowStatementOptions, column: &str) -> Result<String> {
    let Some(position) = &options.filter_position else { return Ok(String::new()) };
    let (ShowStatementFilterPosition::Infix(filter) | ShowStatementFilterPosition::Suffix(filter)) = position;
    match filter {
        ShowStatementFilter::Like(pattern)
        | ShowStatementFilter::ILike(pattern)
        | ShowStatementFilter::NoKeyword(pattern) => Ok(format!("WHERE {column} LIKE {}", quoted(pattern))),
        ShowStatementFilter::Where(_) => Err(unsupported("SHOW has no WHERE")
            .with_help("write `LIKE 'pattern'`, or query `engine_tables` or `engine_columns`")),
    }
}

fn unsupported(message: &str) -> Error {
    Error::new(Code::Unsupported, message)
}

/// A name as tables have it: in lowercase unless quoted.
fn name(name: &ObjectName) -> String {
    let part = |part: &datafusion::sql::sqlparser::ast::ObjectNamePart| match part.as_ident() {
        Some(ident) if ident.quote_style.is_none() => ident.value.to_lowercase(),
        Some(ident) => ident.value.clone(),
        None => part.to_string(),
    };
    name.0.iter().map(part).collect::<Vec<_>>().join(".")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
