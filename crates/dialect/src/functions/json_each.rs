//! The rows of the table functions `json_each` and `json_tree`, as a list for each JSON text.

use std::{
    borrow::Cow,
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
    document::{self, Found},
    path::{self, Step},
    room::{Failure, Room},
    scalar::{Column, failed},
    tree::Json,
};
use crate::{interrupt::Interrupt, marks::DYNAMIC_METADATA, value::Value};

/// The columns of a row, in the order of `SELECT *`.
pub(crate) const COLUMNS: [&str; 8] = ["key", "value", "type", "atom", "id", "parent", "fullkey", "path"];

/// Name, text and examples of a function for the reference.
type Document = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

/// The table functions in the reference.
pub(crate) const DOCUMENTS: &[Document] = &[
    (
        "json_each",
        &[
            " One row per member of a JSON array or object; one row for any other value.",
            "",
            " Columns: `key`, `value`, `type`, `atom` (the value if it contains no others), `id`, `parent`, `fullkey`, `path`. The JSON may",
            " be a column of an earlier table: `FROM t, json_each(t.doc) AS e`. The optional path selects where to start.",
        ],
        &[("SELECT group_concat(value) FROM json_each('[1,2,3]')", "1,2,3")],
    ),
    (
        "json_tree",
        &[
            " One row per value in JSON at any depth, the outermost value first.",
            "",
            " Columns and arguments are the same as for `json_each`.",
        ],
        &[("SELECT count(*) FROM json_tree('[1,[2,3]]')", "5")],
    ),
];

/// Returns the list of rows. Arguments: whether to descend, the JSON, and an optional path to start at.
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
    // A value in JSON may be a number.
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
        let room = Room::beside(json.bytes()).within(Interrupt::of(&args.config_options).memory());
        let mut rows = Rows::new(room);
        let mut ends = vec![0_i32];
        for row in 0..count {
            let deep = deep.get(row).truth().unwrap_or(false);
            let name = if deep { "json_tree" } else { "json_each" };
            let path = path.first().map_or(Value::Text("$".into()), |path| path.get(row));
            // A column's text that is not JSON has no rows: a condition that excludes it may run later than this.
            if let (Some(json), Some(path)) = (json.get(row).as_text(), path.as_text())
                && let Err(failure) = rows.of(&json, &path, deep)
                && (constant || matches!(failure, Failure::Memory(_)))
            {
                return Err(failed(name, failure));
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

struct Rows {
    room: Room,
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

/// Bytes per row in addition to its texts.
const ROW: usize = 6 * 16 + 2 * 8;

impl Rows {
    fn new(room: Room) -> Self {
        Self {
            room,
            key: StringViewBuilder::new(),
            value: StringViewBuilder::new(),
            kind: StringViewBuilder::new(),
            atom: StringViewBuilder::new(),
            id: Int64Builder::new(),
            parent: Int64Builder::new(),
            fullkey: StringViewBuilder::new(),
            path: StringViewBuilder::new(),
            next: 0,
            count: 0,
        }
    }

    fn push(
        &mut self,
        key: Option<&str>,
        found: &Found,
        parent: Option<i64>,
        fullkey: &str,
        path: &str,
    ) -> Result<i64, Failure> {
        let id = self.next;
        self.next += 1;
        self.count += 1;
        let (value, atom) = match found {
            Found::Scalar(scalar) => {
                let value = document::to_value(scalar).as_text().map(Cow::into_owned);
                (value.clone().map(Cow::Owned), value)
            }
            Found::Nested { text, .. } => (Some(Cow::Borrowed(text.as_str())), None),
        };
        let texts = [key, value.as_deref(), atom.as_deref(), Some(fullkey), Some(path)];
        let texts: usize = texts.iter().flatten().map(|text| text.len()).sum();
        self.room.take(texts + ROW)?;
        self.key.append_option(key);
        self.value.append_option(value);
        self.kind.append_value(found.type_name());
        self.atom.append_option(atom);
        self.id.append_value(id);
        self.parent.append_option(parent);
        self.fullkey.append_value(fullkey);
        self.path.append_value(path);
        Ok(id)
    }

    fn members(&mut self, found: &Found, parent: Option<i64>, path: &str, deep: bool) -> Result<(), Failure> {
        let Found::Nested { text, .. } = found else { return Ok(()) };
        let mut at = 0;
        document::members(text, |name, member| {
            let (key, fullkey) = match name {
                Some(key) => {
                    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
                        && key.chars().all(|c| c.is_ascii_alphanumeric());
                    let shown = if plain { Cow::Borrowed(key) } else { Cow::Owned(Json::from(key).to_string()) };
                    (key.to_owned(), format!("{path}.{shown}"))
                }
                None => (at.to_string(), format!("{path}[{at}]")),
            };
            at += 1;
            let id = self.push(Some(&key), &member, parent, &fullkey, path)?;
            if deep { self.members(&member, Some(id), &fullkey, true) } else { Ok(()) }
        })?
    }

    /// The rows of one JSON text, starting at a path.
    fn of(&mut self, json: &str, path: &str, deep: bool) -> Result<(), Failure> {
        let steps = path::parse(path)?;
        self.next = 0;
        let Some(found) = document::find(json, &steps)? else { return Ok(()) };
        let key = steps.last().map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(at) => at.to_string(),
            Step::FromEnd(back) => back.to_string(),
        });
        if deep {
            let id = self.push(key.as_deref(), &found, None, path, path)?;
            self.members(&found, Some(id), path, true)
        } else if matches!(found, Found::Nested { .. }) {
            self.members(&found, None, path, false)
        } else {
            self.push(key.as_deref(), &found, None, path, path).map(drop)
        }
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
