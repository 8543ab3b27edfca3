//! The same rows in SQLite and in DataFusion.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::{
    common::ScalarValue,
    datasource::MemTable,
    execution::session_state::SessionStateBuilder,
    prelude::{SessionConfig, SessionContext},
};
use rusqlite::{Connection, types::ValueRef};

use crate::{
    COLLATION_METADATA, Collation, Dialect, NamedColumn, Names,
    functions::{room::Room, scalar::Moment},
    install, parse, rewrite,
    value::{Value, real_to_text},
};

/// One row as text; `None` is NULL.
pub(super) type Row = Vec<Option<String>>;

/// One value of a table on both sides.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Cell::Int(number)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Cell::Real(number)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<()> for Cell {
    fn from((): ()) -> Self {
        Cell::Null
    }
}

/// A table on both sides. A column's declaration is its type and, after a space, its collation.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<(String, String)>,
    pub(super) rows: Vec<Vec<Cell>>,
}

pub(super) struct Both {
    pub(super) sqlite: Connection,
    pub(super) context: SessionContext,
    pub(super) names: Catalog,
}

#[derive(Debug, Default)]
pub(super) struct Catalog(pub(super) HashMap<String, Vec<NamedColumn>>);

impl Names for Catalog {
    fn columns(&self, table: &str) -> Option<Vec<NamedColumn>> {
        self.0.get(table).cloned()
    }

    fn tables(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.keys().cloned().collect();
        names.sort();
        names
    }
}

fn kind(declaration: &str) -> DataType {
    match declaration.split(' ').next().unwrap_or_default() {
        "INTEGER" | "BIGINT" | "UNSIGNED_BIGINT" => DataType::Int64,
        "REAL" | "DOUBLE" => DataType::Float64,
        _ => DataType::Utf8View,
    }
}

pub(super) fn session(partitions: usize) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(partitions).with_information_schema(true);
    // As in the engine, where a subquery provides keys as a join.
    config.options_mut().optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    let builder = SessionStateBuilder::new().with_config(config).with_default_features();
    SessionContext::new_with_state(install(builder).build())
}

impl Both {
    pub(super) fn new(tables: &[Table]) -> Self {
        let sqlite = Connection::open_in_memory().expect("SQLite opens");
        for collation in [Collation::Version, Collation::VersionArch, Collation::VersionDpkg, Collation::VersionRhel] {
            sqlite
                .create_collation(collation.name(), move |a: &str, b: &str| collation.compare(a, b))
                .expect("collation");
        }
        for spec in crate::functions::SCALARS {
            // Functions that SQLite does not have use our own code: only the surrounding statement is compared.
            if matches!(
                spec.name,
                "split"
                    | "regex_split"
                    | "regex_match"
                    | "concat"
                    | "concat_ws"
                    | "inet_aton"
                    | "version_compare"
                    | "in_cidr_block"
                    | "md5"
                    | "sha1"
                    | "sha256"
                    | "to_base64"
                    | "from_base64"
                    | "parent_directory"
                    | "regexp"
                    | "power"
                    | "sqrt"
            ) {
                sqlite
                    .create_scalar_function(spec.name, -1, rusqlite::functions::FunctionFlags::SQLITE_UTF8, |context| {
                        let values: Vec<Value<'_>> = (0..context.len())
                            .map(|at| match context.get_raw(at) {
                                ValueRef::Null => Value::Null,
                                ValueRef::Integer(number) => Value::Int(number),
                                ValueRef::Real(number) => Value::Real(number),
                                ValueRef::Text(text) => Value::text(String::from_utf8_lossy(text)),
                                ValueRef::Blob(bytes) => Value::blob(bytes),
                            })
                            .collect();
                        let moment = Moment::new(Room::beside(0), crate::Interrupt::default());
                        match (spec.eval)(&values, &moment) {
                            Ok(Value::Null) => Ok(rusqlite::types::Value::Null),
                            Ok(Value::Int(number)) => Ok(rusqlite::types::Value::Integer(number)),
                            Ok(Value::Real(number)) => Ok(rusqlite::types::Value::Real(number)),
                            Ok(other) => {
                                Ok(rusqlite::types::Value::Text(other.as_text().unwrap_or_default().into_owned()))
                            }
                            Err(message) => Err(rusqlite::Error::UserFunctionError(message.to_string().into())),
                        }
                    })
                    .expect("function");
            }
        }
        let context = session(1);
        let mut names = Catalog::default();
        for table in tables {
            let declared: Vec<String> = table
                .columns
                .iter()
                .map(|(name, declaration)| match declaration.split_once(' ') {
                    Some((kind, collation)) => format!("\"{name}\" {kind} COLLATE {collation}"),
                    None => format!("\"{name}\" {declaration}"),
                })
                .collect();
            sqlite.execute(&format!("CREATE TABLE {} ({})", table.name, declared.join(", ")), []).expect("create");
            let marks = vec!["?"; table.columns.len()].join(", ");
            let mut insert = sqlite.prepare(&format!("INSERT INTO {} VALUES ({marks})", table.name)).expect("insert");
            for row in &table.rows {
                let values = row.iter().map(|cell| match cell {
                    Cell::Null => rusqlite::types::Value::Null,
                    Cell::Int(number) => rusqlite::types::Value::Integer(*number),
                    Cell::Real(number) => rusqlite::types::Value::Real(*number),
                    Cell::Text(text) => rusqlite::types::Value::Text(text.clone()),
                });
                insert.execute(rusqlite::params_from_iter(values)).expect("row");
            }
            let (schema, batch) = batch(table);
            let provider = MemTable::try_new(schema, vec![vec![batch]]).expect("table");
            context.register_table(table.name.as_str(), Arc::new(provider)).expect("register");
            let columns = table.columns.iter().map(|(name, declaration)| {
                let mut column = NamedColumn::new(name, kind(declaration));
                if let Some((_, collation)) = declaration.split_once(' ') {
                    column.collation = Collation::named(collation).unwrap_or_default();
                }
                column
            });
            names.0.insert(table.name.clone(), columns.collect());
        }
        Self { sqlite, context, names }
    }

    pub(super) fn ask_sqlite(&self, sql: &str) -> Result<Vec<Row>, String> {
        let mut statement = self.sqlite.prepare(sql).map_err(|error| error.to_string())?;
        let width = statement.column_count();
        let mut rows = statement.query([]).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(|error| error.to_string())? {
            let cells = (0..width).map(|at| match row.get_ref(at) {
                Ok(ValueRef::Null) | Err(_) => None,
                Ok(ValueRef::Integer(number)) => Some(number.to_string()),
                Ok(ValueRef::Real(number)) => Some(real_to_text(number)),
                Ok(ValueRef::Text(text)) => Some(String::from_utf8_lossy(text).into_owned()),
                Ok(ValueRef::Blob(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            });
            out.push(cells.collect());
        }
        Ok(out)
    }

    pub(super) fn plan_text(&self, sql: &str) -> Result<String, String> {
        let statement = parse(sql, Dialect::Osquery).map_err(|error| error.to_string())?.remove(0);
        rewrite(statement, &self.names).map(|own| own.statement.to_string()).map_err(|error| error.to_string())
    }

    /// The result of this dialect; a statement that does not end is an error.
    pub(super) async fn ask(&self, sql: &str) -> Result<Vec<Row>, String> {
        let limit = std::time::Duration::from_secs(20);
        tokio::time::timeout(limit, self.ask_for_ever(sql)).await.unwrap_or_else(|_| Err("does not end".to_owned()))
    }

    async fn ask_for_ever(&self, sql: &str) -> Result<Vec<Row>, String> {
        let mut out = Vec::new();
        for parsed in parse(sql, Dialect::Osquery).map_err(|error| error.to_string())? {
            let statement = rewrite(parsed, &self.names).map_err(|error| error.to_string())?.statement;
            let state = self.context.state();
            let plan = state.statement_to_plan(statement).await.map_err(|error| error.to_string())?;
            let frame = self.context.execute_logical_plan(plan).await.map_err(|error| error.to_string())?;
            for batch in frame.collect().await.map_err(|error| error.to_string())? {
                for row in 0..batch.num_rows() {
                    let cells = batch.columns().iter().zip(batch.schema_ref().fields());
                    out.push(cells.map(|(column, field)| shown_as(column, field, row)).collect());
                }
            }
        }
        Ok(out)
    }
}

/// What renderers print: whole values of a column marked as mixed are integers.
fn shown_as(column: &ArrayRef, field: &Field, row: usize) -> Option<String> {
    if crate::marks::is_mixed(field)
        && let Ok(ScalarValue::Float64(Some(number))) = ScalarValue::try_from_array(column, row)
    {
        return Some(crate::mixed_to_text(number));
    }
    shown(column, row)
}

pub(super) fn shown(column: &ArrayRef, row: usize) -> Option<String> {
    match ScalarValue::try_from_array(column, row).expect("scalar") {
        value if value.is_null() => None,
        ScalarValue::Float64(Some(number)) => Some(real_to_text(number)),
        ScalarValue::Binary(Some(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        value => Some(value.to_string()),
    }
}

fn batch(table: &Table) -> (SchemaRef, RecordBatch) {
    let fields: Vec<Field> = table
        .columns
        .iter()
        .map(|(name, declaration)| {
            let field = Field::new(name, kind(declaration), true);
            match declaration.split_once(' ') {
                Some((_, collation)) => {
                    field.with_metadata(HashMap::from([(COLLATION_METADATA.to_owned(), collation.to_lowercase())]))
                }
                None => field,
            }
        })
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let columns: Vec<ArrayRef> = (0..table.columns.len())
        .map(|at| {
            let cells = table.rows.iter().map(|row| &row[at]);
            match schema.field(at).data_type() {
                DataType::Int64 => Arc::new(
                    cells
                        .map(|cell| if let Cell::Int(number) = cell { Some(*number) } else { None })
                        .collect::<Int64Array>(),
                ) as ArrayRef,
                DataType::Float64 => Arc::new(
                    cells
                        .map(|cell| match cell {
                            Cell::Real(number) => Some(*number),
                            Cell::Int(number) => Some(*number as f64),
                            _ => None,
                        })
                        .collect::<Float64Array>(),
                ),
                _ => Arc::new(
                    cells
                        .map(|cell| if let Cell::Text(text) = cell { Some(text.clone()) } else { None })
                        .collect::<StringViewArray>(),
                ),
            }
        })
        .collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("batch");
    (schema, batch)
}

macro_rules! table {
    ($name:literal ($($column:literal $kind:literal),* $(,)?) $([$($cell:expr),* $(,)?])*) => {
        Table {
            name: $name.to_owned(),
            columns: vec![$(($column.to_owned(), $kind.to_owned())),*],
            rows: vec![$(vec![$(Cell::from($cell)),*]),*],
        }
    };
}

/// The tables that the corpus and the generator use.
pub(super) fn tables() -> Vec<Table> {
    vec![
        table!("t" ("id" "INTEGER", "a" "INTEGER", "b" "INTEGER", "r" "REAL", "s" "TEXT", "n" "TEXT", "g" "TEXT")
            [1, 10, 3, 1.5, "abc", "10", "x"]
            [2, 20, (), 2.25, "ABC", "9", "x"]
            [3, (), 5, -0.5, "def", "1.5", "y"]
            [4, -7, 0, (), "", "abc", "y"]
            [5, 0, 2, 0.0, (), "12abc", "y"]
            [6, 10, 10, 100.0, "a_b%c", "", "z"]
            [7, 42, -3, 3.0, "Zed", (), ()]
            [8, 5, 5, 5.0, "ünï", " 7 ", "z"]),
        table!("u" ("id" "INTEGER", "t_id" "INTEGER", "s" "TEXT", "v" "INTEGER", "key" "TEXT")
            [1, 1, "abc", 100, "k1"]
            [2, 1, "xyz", 200, "k2"]
            [3, 3, "DEF", (), "k1"]
            [4, 99, (), 400, "k3"]
            [5, (), "", 500, ()]),
        table!("empty" ("id" "INTEGER", "s" "TEXT", "r" "REAL")),
        table!("processes" ("pid" "BIGINT", "name" "TEXT", "path" "TEXT", "cmdline" "TEXT", "state" "TEXT", "uid" "BIGINT",
                "euid" "BIGINT", "parent" "BIGINT", "start_time" "BIGINT", "resident_size" "BIGINT", "on_disk" "INTEGER")
            [1, "systemd", "/usr/lib/systemd/systemd", "/sbin/init", "S", 0, 0, 0, 1_700_000_000, 12_000_000, 1]
            [2, "kthreadd", "", "", "S", 0, 0, 0, 1_700_000_001, 0, -1]
            [100, "sshd", "/usr/sbin/sshd", "sshd: /usr/sbin/sshd -D", "S", 0, 0, 1, 1_700_000_100, 8_000_000, 1]
            [200, "bash", "/usr/bin/bash", "-bash", "S", 1000, 1000, 100, 1_700_000_200, 5_000_000, 1]
            [201, "curl", "/usr/bin/curl", "curl -s https://x | sh", "R", 1000, 0, 200, 1_700_000_300, 4_000_000, 1]
            [300, "evil", "/tmp/.X/evil", "./evil --listen=4444", "R", 1000, 1000, 201, 1_700_000_400, 9_000_000, 0]
            [301, "Evil", "/tmp/.X/evil", "./evil --listen=5555", "Z", (), (), 201, (), (), 0]),
        table!("users" ("uid" "BIGINT", "gid" "BIGINT", "username" "TEXT", "directory" "TEXT", "shell" "TEXT")
            [0, 0, "root", "/root", "/bin/bash"]
            [1000, 1000, "ann", "/home/ann", "/bin/zsh"]
            [1001, 1001, "bob", "/home/bob", "/usr/sbin/nologin"]),
        table!("hash" ("path" "TEXT", "directory" "TEXT", "md5" "TEXT NOCASE", "sha256" "TEXT NOCASE")
            ["/usr/bin/bash", "/usr/bin", "d41d8cd98f00b204e9800998ecf8427e", "aa"]
            ["/usr/bin/curl", "/usr/bin", "900150983CD24FB0D6963F7D28E17F72", "BB"]
            ["/tmp/.X/evil", "/tmp/.X", "0cc175b9c0f1b6a831c399e269772661", "cc"]),
        table!("deb_packages" ("name" "TEXT", "version" "TEXT VERSION_DPKG", "size" "BIGINT", "arch" "TEXT")
            ["bash", "5.2.15-2", 7000, "amd64"]
            ["curl", "7.88.1-10", 500, "amd64"]
            ["curl", "7.9.0", 480, "i386"]
            ["vim", "2:9.0~rc1", 3000, "amd64"]),
        table!("listening_ports" ("pid" "INTEGER", "port" "INTEGER", "protocol" "INTEGER", "address" "TEXT", "path" "TEXT")
            [100, 22, 6, "0.0.0.0", ""]
            [300, 4444, 6, "::", ""]
            [301, 5555, 17, "127.0.0.1", ""]
            [-1, 68, 17, "0.0.0.0", ""]),
        table!("words" ("path" "TEXT", "size" "BIGINT", "type" "TEXT", "time" "BIGINT", "value" "TEXT", "state" "TEXT", "key" "TEXT",
                "version" "TEXT", "status" "TEXT", "offset" "BIGINT", "start" "TEXT", "user" "TEXT", "interval" "BIGINT",
                "release" "TEXT", "end" "TEXT", "minutes" "INTEGER", "user_name" "TEXT", "index" "INTEGER", "date" "TEXT")
            ["/a", 1, "file", 1_700_000_000, "v1", "up", "k1", "1.10", "ok", 0, "0x00", "root", 60, "el9", "0x10", 5, "root", 1, "2024-05-06"]
            ["/b", 2, "dir", 1_700_000_060, "v2", "down", "k2", "1.9", "bad", 16, "0x10", "ann", 120, "el8", "0x20", 10, "ann", 2, "2023-12-31"]),
        table!("j" ("id" "INTEGER", "doc" "TEXT")
            [1, r#"{"a":1,"b":[1,2,{"c":"x"}],"d":{"e":null,"f":2.5},"t":true}"#]
            [2, r#"{"a":"text","b":[],"q\"x":1}"#]
            [3, "[10,20,30]"]
            [4, "not json"]
            [5, ()]),
    ]
}
