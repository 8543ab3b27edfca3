//! The rows of the table functions `json_each` and `json_tree`, as a list for each JSON text.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use arrow_array::{
    ArrayRef, ListArray, StructArray,
    builder::{Int64Builder, StringViewBuilder},
};
use arrow_schema::{DataType, Field, Fields};
use datafusion::{
    arrow::buffer::OffsetBuffer,
    common::{Result, ScalarValue, exec_err},
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        expr::ScalarFunction as Call,
    },
};

use super::{
    scalar::Column,
    tree::{self, Json, Step},
};
use crate::{plan::DYNAMIC_METADATA, value::Value};

/// The columns of a row, in the order of `SELECT *`.
pub(crate) const COLUMNS: [&str; 8] = ["key", "value", "type", "atom", "id", "parent", "fullkey", "path"];

/// Name, text and examples of a function for the reference.
type Document = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

/// The table functions in the reference.
pub(crate) const DOCUMENTS: &[Document] = &[
    (
        "json_each",
        &[
            " One row for each member of a JSON array or object; for anything else one row.",
            "",
            " Columns: `key`, `value`, `type`, `atom` (the value where it holds no others), `id`, `parent`, `fullkey`, `path`. The JSON may",
            " be a column of a table before it: `FROM t, json_each(t.doc) AS e`. With a path it begins there.",
        ],
        &[("SELECT group_concat(value) FROM json_each('[1,2,3]')", "1,2,3")],
    ),
    (
        "json_tree",
        &[
            " One row for each value in JSON, at any depth, the whole first.",
            "",
            " Columns and arguments are those of `json_each`.",
        ],
        &[("SELECT count(*) FROM json_tree('[1,[2,3]]')", "5")],
    ),
];

/// The list of rows: whether at any depth, the JSON, and the path to begin at if there is one.
pub(crate) fn call(args: Vec<Expr>) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::new_from_impl(JsonRows::new())));
    Expr::ScalarFunction(Call::new_udf(Arc::clone(&FUNCTION), args))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonRows {
    signature: Signature,
}

impl JsonRows {
    fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

fn fields() -> Fields {
    let text = |name: &str| Field::new(name, DataType::Utf8View, true);
    // What the JSON holds may be a number.
    let held = |name: &str| text(name).with_metadata(HashMap::from([(DYNAMIC_METADATA.to_owned(), "true".to_owned())]));
    let integer = |name: &str| Field::new(name, DataType::Int64, true);
    let [key, value, kind, atom, id, parent, fullkey, path] = COLUMNS;
    Fields::from(vec![
        held(key),
        held(value),
        text(kind),
        held(atom),
        integer(id),
        integer(parent),
        text(fullkey),
        text(path),
    ])
}

fn item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(fields()), true))
}

impl ScalarUDFImpl for JsonRows {
    fn name(&self) -> &str {
        "json_rows"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let count = if constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(Column::new).collect::<Result<Vec<_>>>()?;
        let [deep, json, path @ ..] = columns.as_slice() else { return exec_err!("json_rows without JSON") };
        let mut rows = Rows::default();
        let mut ends = vec![0_i32];
        for row in 0..count {
            let deep = deep.get(row).truth().unwrap_or(false);
            let name = if deep { "json_tree" } else { "json_each" };
            let path = path.first().map_or(Value::Text("$".into()), |path| path.get(row));
            // A text that is no JSON has no rows where it is a column's: conditions on it may come later than this.
            if let (Some(json), Some(path)) = (json.get(row).as_text(), path.as_text())
                && let Err(message) = rows.of(&json, &path, deep)
                && constant
            {
                return exec_err!("{name}: {message}");
            }
            let Ok(end) = i32::try_from(rows.count) else { return exec_err!("{name}: more than 2147483647 rows") };
            ends.push(end);
        }
        let lists = ListArray::try_new(item(), OffsetBuffer::new(ends.into()), Arc::new(rows.finish()?), None)?;
        if constant {
            let array: ArrayRef = Arc::new(lists);
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
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
    count: usize,
}

impl Rows {
    fn push(&mut self, key: Option<&str>, json: &Json, parent: Option<i64>, fullkey: &str, path: &str) -> i64 {
        let id = self.next;
        self.next += 1;
        self.count += 1;
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
                    let fullkey =
                        if plain { format!("{path}.{key}") } else { format!("{path}.{}", Json::from(key.as_str())) };
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

    /// The rows of one JSON text, from a path on.
    fn of(&mut self, json: &str, path: &str, deep: bool) -> std::result::Result<(), String> {
        let json = tree::parse(json)?;
        let steps = tree::path(path)?;
        self.next = 0;
        let Some(found) = tree::find(&json, &steps) else { return Ok(()) };
        let key = steps.last().map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(at) => at.to_string(),
            Step::FromEnd(back) => back.to_string(),
        });
        if deep {
            let id = self.push(key.as_deref(), found, None, path, path);
            self.members(found, Some(id), path, true);
        } else if found.is_array() || found.is_object() {
            self.members(found, None, path, false);
        } else {
            self.push(key.as_deref(), found, None, path, path);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<StructArray> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.key.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.atom.finish()),
            Arc::new(self.id.finish()),
            Arc::new(self.parent.finish()),
            Arc::new(self.fullkey.finish()),
            Arc::new(self.path.finish()),
        ];
        Ok(StructArray::try_new(fields(), columns, None)?)
    }
}
