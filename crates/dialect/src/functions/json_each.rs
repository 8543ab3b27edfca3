//! The table functions `json_each` and `json_tree` over a constant.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{
    RecordBatch,
    builder::{Int64Builder, StringViewBuilder},
};
use arrow_schema::{DataType, Field, Schema};
use datafusion::{
    catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider},
    common::{Result, exec_err, plan_err},
    datasource::MemTable,
    logical_expr::Expr,
};

use super::tree::{self, Json, Step};
use crate::plan::DYNAMIC_METADATA;

/// `json_each(json [, path])`: one row for each member; `json_tree`: one for each value at any depth.
#[derive(Debug)]
pub(crate) struct JsonTable {
    pub(crate) deep: bool,
}

#[derive(Default)]
struct Rows {
    key: StringViewBuilder,
    value: StringViewBuilder,
    kind: StringViewBuilder,
    atom: StringViewBuilder,
    id: Int64Builder,
    parent: Int64Builder,
    fullkey: StringViewBuilder,
    path: StringViewBuilder,
    next: i64,
}

impl Rows {
    fn push(&mut self, key: Option<&str>, json: &Json, parent: Option<i64>, fullkey: &str, path: &str) -> i64 {
        let id = self.next;
        self.next += 1;
        let value = tree::to_value(json);
        let nested = json.is_array() || json.is_object();
        self.key.append_option(key);
        self.value.append_option(value.as_text());
        self.kind.append_value(tree::type_name(json));
        self.atom.append_option(value.as_text().filter(|_| !nested));
        self.id.append_value(id);
        self.parent.append_option(parent);
        self.fullkey.append_value(fullkey);
        self.path.append_value(path);
        id
    }

    fn members(&mut self, json: &Json, parent: Option<i64>, path: &str, deep: bool) {
        let each = |rows: &mut Self, key: &str, fullkey: String, member: &Json| {
            let id = rows.push(Some(key), member, parent, &fullkey, path);
            if deep {
                rows.members(member, Some(id), &fullkey, true);
            }
        };
        match json {
            Json::Object(object) => {
                for (key, member) in object {
                    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
                        && key.chars().all(|c| c.is_ascii_alphanumeric());
                    let fullkey = if plain { format!("{path}.{key}") } else { format!("{path}.\"{key}\"") };
                    each(self, key, fullkey, member);
                }
            }
            Json::Array(array) => {
                for (at, member) in array.iter().enumerate() {
                    each(self, &at.to_string(), format!("{path}[{at}]"), member);
                }
            }
            _ => {}
        }
    }
}

impl TableFunctionImpl for JsonTable {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let name = if self.deep { "json_tree" } else { "json_each" };
        let text = |expr: &Expr| match expr {
            Expr::Literal(value, _) => Ok(value.try_as_str().flatten().map(str::to_owned)),
            _ => plan_err!("{name} takes a constant: a column cannot be its argument"),
        };
        let (Some(json), rest) = (args.exprs().first(), args.exprs().get(1)) else {
            return plan_err!("{name} needs JSON: {name}(json [, path])");
        };
        let json = text(json)?;
        let path = match rest {
            Some(path) => text(path)?,
            None => Some("$".to_owned()),
        };
        let mut rows = Rows::default();
        if let (Some(json), Some(path)) = (json, path) {
            let json = match tree::parse(&json) {
                Ok(json) => json,
                Err(message) => return exec_err!("{name}: {message}"),
            };
            let steps = match tree::path(&path) {
                Ok(steps) => steps,
                Err(message) => return plan_err!("{name}: {message}"),
            };
            if let Some(found) = tree::find(&json, &steps) {
                let key = steps.last().map(|step| match step {
                    Step::Key(key) => key.clone(),
                    Step::Index(at) => at.to_string(),
                    Step::FromEnd(back) => back.to_string(),
                });
                if self.deep {
                    let id = rows.push(key.as_deref(), found, None, &path, &path);
                    rows.members(found, Some(id), &path, true);
                } else if found.is_array() || found.is_object() {
                    rows.members(found, None, &path, false);
                } else {
                    rows.push(key.as_deref(), found, None, &path, &path);
                }
            }
        }
        let dynamic = HashMap::from([(DYNAMIC_METADATA.to_owned(), "true".to_owned())]);
        let text = |name: &str| Field::new(name, DataType::Utf8View, true);
        let schema = Arc::new(Schema::new(vec![
            text("key").with_metadata(dynamic.clone()),
            text("value").with_metadata(dynamic.clone()),
            text("type"),
            text("atom").with_metadata(dynamic),
            Field::new("id", DataType::Int64, true),
            Field::new("parent", DataType::Int64, true),
            text("fullkey"),
            text("path"),
        ]));
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(rows.key.finish()),
                Arc::new(rows.value.finish()),
                Arc::new(rows.kind.finish()),
                Arc::new(rows.atom.finish()),
                Arc::new(rows.id.finish()),
                Arc::new(rows.parent.finish()),
                Arc::new(rows.fullkey.finish()),
                Arc::new(rows.path.finish()),
            ],
        )?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }
}
