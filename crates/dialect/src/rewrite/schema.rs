//! SQLite's tables about tables: `sqlite_master` under all its names, and `pragma_table_info`. The catalog is known
//! when a statement is rewritten, so they become VALUES.

use arrow_schema::DataType;
use sqlparser::{
    ast::{Expr, Ident, TableAlias, TableFactor, Value},
    tokenizer::Span,
};

use super::{bind::Column, rewriter::Rewriter};
use crate::{
    build::{self, exact, number, string, value},
    class::Class,
    names::NamedColumn,
};

const MASTER: [&str; 4] = ["sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"];

/// Whether a relation with this name lists tables: `sqlite_master`.
pub fn lists_tables(relation: &str) -> bool {
    MASTER.contains(&relation)
}

impl Rewriter<'_> {
    /// The rows of a relation about the schema, with its columns; `None` for any other relation.
    pub(crate) fn schema_relation(
        &self,
        name: &str,
        argument: Option<&str>,
        alias: &Option<TableAlias>,
    ) -> Option<(TableFactor, Vec<Column>)> {
        if self.names.columns(name).is_some() {
            return None;
        }
        let (columns, mut rows): (&[(&str, Class)], Vec<Vec<Expr>>) = match argument {
            None if MASTER.contains(&name) => (
                &[
                    ("type", Class::Text),
                    ("name", Class::Text),
                    ("tbl_name", Class::Text),
                    ("rootpage", Class::Int),
                    ("sql", Class::Text),
                ],
                self.names.tables().into_iter().map(|table| self.master_row(table)).collect(),
            ),
            Some(table) if name == "pragma_table_info" || name == "pragma_table_xinfo" => {
                let all = name == "pragma_table_xinfo";
                let info: &[(&str, Class)] = &[
                    ("cid", Class::Int),
                    ("name", Class::Text),
                    ("type", Class::Text),
                    ("notnull", Class::Int),
                    ("dflt_value", Class::Text),
                    ("pk", Class::Int),
                    ("hidden", Class::Int),
                ];
                (if all { info } else { &info[..6] }, self.info_rows(table, all))
            }
            _ => return None,
        };
        let is_empty = rows.is_empty();
        if is_empty {
            // There is no such table: no rows, as in SQLite.
            rows.push(vec![value(Value::Null); columns.len()]);
        }
        let mut query = build::query(build::values(rows));
        query.limit_clause = is_empty.then(|| build::limit("0"));
        let own =
            alias.as_ref().map_or_else(|| Ident::new(name), |alias| Ident::new(alias.name.value.to_ascii_lowercase()));
        let defined = columns.iter().map(|(name, _)| exact(*name, Span::empty()));
        let factor = build::derived(query, build::table_alias_with(own, defined));
        Some((factor, columns.iter().map(|(name, kind)| Column::new(*name, Some(*kind))).collect()))
    }

    /// The SQL is NULL if only the table's name is known.
    fn master_row(&self, table: String) -> Vec<Expr> {
        let declared = |columns: Vec<NamedColumn>| {
            let declared = |column: NamedColumn| format!("`{}` {}", column.name, declared(column.data_type.as_ref()));
            let columns: Vec<String> = columns.into_iter().map(declared).collect();
            string(format!("CREATE TABLE {table}({})", columns.join(", ")))
        };
        let sql = self.names.columns(&table).map_or_else(|| value(Value::Null), declared);
        vec![string("table"), string(table.clone()), string(table), number("0"), sql]
    }

    fn info_rows(&self, table: &str, all: bool) -> Vec<Vec<Expr>> {
        let columns = self.names.columns(table).or_else(|| self.names.columns(&table.to_ascii_lowercase()));
        let columns = columns.unwrap_or_default().into_iter().enumerate();
        columns
            .filter(|(_, column)| all || !column.hidden)
            .map(|(at, column)| {
                let mut row = vec![
                    number(at.to_string()),
                    string(column.name),
                    string(declared(column.data_type.as_ref())),
                    number("0"),
                    value(Value::Null),
                    number("0"),
                ];
                if all {
                    row.push(number(if column.hidden { "1" } else { "0" }));
                }
                row
            })
            .collect()
    }
}

/// The type as osquery declares it; for types that osquery does not have, the name in SQL.
fn declared(kind: Option<&DataType>) -> String {
    let Some(kind) = kind else { return "TEXT".to_owned() };
    match Class::of(kind) {
        Class::Int => "BIGINT".to_owned(),
        Class::Real => "DOUBLE".to_owned(),
        Class::Blob => "BLOB".to_owned(),
        Class::Bool => "BOOLEAN".to_owned(),
        Class::Text | Class::Null => "TEXT".to_owned(),
        Class::Other => match kind {
            DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
            DataType::Date32 | DataType::Date64 => "DATE".to_owned(),
            DataType::Time32(_) | DataType::Time64(_) => "TIME".to_owned(),
            DataType::Duration(_) | DataType::Interval(_) => "INTERVAL".to_owned(),
            DataType::Dictionary(_, values) => declared(Some(values)),
            DataType::Map(..) => "MAP".to_owned(),
            DataType::Struct(_) => "STRUCT".to_owned(),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _) => format!("{}[]", declared(Some(item.data_type()))),
            other => other.to_string().to_ascii_uppercase(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{Field, TimeUnit};

    use super::*;

    #[test]
    fn types_have_names_of_sql() {
        let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, true)));
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for (kind, name) in [
            (DataType::Int64, "BIGINT"),
            (DataType::Utf8View, "TEXT"),
            (time.clone(), "TIMESTAMP"),
            (DataType::Timestamp(TimeUnit::Nanosecond, None), "TIMESTAMP"),
            (DataType::Date32, "DATE"),
            (DataType::Time64(TimeUnit::Microsecond), "TIME"),
            (DataType::Duration(TimeUnit::Microsecond), "INTERVAL"),
            (DataType::Dictionary(Box::new(DataType::Int32), Box::new(time.clone())), "TIMESTAMP"),
            (list(DataType::Utf8View), "TEXT[]"),
            (list(list(time)), "TIMESTAMP[][]"),
            (DataType::Struct(vec![Field::new("a", DataType::Int64, true)].into()), "STRUCT"),
        ] {
            assert_eq!(declared(Some(&kind)), name, "{kind}");
        }
    }
}
