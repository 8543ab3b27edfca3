//! A table's specification: plain data that the derive macro writes as constants.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::scan::Scalar;

/// Text that is constant for tables in code and owned for tables found at run time.
pub type Text = Cow<'static, str>;

/// The parts of a row type's specification, combined on first use.
pub type Spec = LazyLock<TableSpec>;

/// The specification of a table.
///
/// A table that is known only at run time starts from [`TableSpec::new`] and sets what applies.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TableSpec {
    /// Name in SQL.
    pub name: Text,
    /// The environment that it reads: `host`, `containers`, `kubernetes`, `aws`, `git`, `engine`, or an embedder's own.
    pub environment: Text,
    /// What one row is, and important facts about the table; Markdown.
    pub description: Text,
    /// Columns in `SELECT *` order.
    pub columns: Cow<'static, [ColumnSpec]>,
    /// Sources that fill columns on demand.
    pub sources: Cow<'static, [SourceSpec]>,
    /// Columns of which at least one must be constrained; empty for a table that can be read without constraints.
    pub require_any: Cow<'static, [usize]>,
    /// Examples; each one is run as a test.
    pub examples: Cow<'static, [Example]>,
    /// Operating systems it works on; empty for all.
    pub platforms: Cow<'static, [&'static str]>,
    /// Name of its source, or names with spaces between them. Tables with the same source share its scan within a query.
    pub reads: Text,
    /// Typical number of rows, for the planner.
    pub typical_rows: u64,
    /// Permissions without which the table has no rows.
    pub needs: Cow<'static, [&'static str]>,
    /// Whether looking up one key is cheaper than reading the entire table.
    pub lookup: Lookup,
    /// Names of the columns that together identify a row, at all times: `pid` and `start_time`, `uid`, `arn`. Empty if
    /// no columns do.
    pub identity: Cow<'static, [Text]>,
    /// For captured rows, the time of the capture in RFC 3339. `None` for a live table.
    pub captured_at: Option<Text>,
    /// Whether it can be read as of a past time.
    pub past: Past,
    /// Whether its rows are events, which are read once; see [`Events`](crate::Events).
    pub events: bool,
    /// The resource of a Kubernetes API that it lists.
    pub resource: Option<ResourceSpec>,
    /// The table that it is a second name of.
    pub alias_of: Option<Text>,
}

/// A resource of a Kubernetes API.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceSpec {
    /// Group and version: `v1`, `apps/v1`.
    pub group_version: Text,
    /// Its name, as in URLs and RBAC rules: `pods`.
    pub name: Text,
    /// Whether its objects belong to namespaces.
    pub is_namespaced: bool,
    /// Group versions in which older servers serve it, newest first.
    pub older: Vec<Text>,
    /// Whether a server may serve it in none of these versions.
    pub is_optional: bool,
}

impl ResourceSpec {
    /// A resource of a group and version, namespaced or not.
    pub fn new(group_version: impl Into<Text>, name: impl Into<Text>, is_namespaced: bool) -> Self {
        let (group_version, name) = (group_version.into(), name.into());
        ResourceSpec { group_version, name, is_namespaced, older: Vec::new(), is_optional: false }
    }

    /// The same resource, which some servers serve only in older group versions, or not at all.
    #[must_use]
    pub fn or_older(self, older: &[&'static str]) -> Self {
        ResourceSpec { older: older.iter().map(|version| Text::Borrowed(version)).collect(), is_optional: true, ..self }
    }
}

/// Whether a table can be read as of a past time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Past {
    /// No: only its current state.
    #[default]
    Nothing,
    /// Yes: it uses [`ScanContext::as_of`](crate::ScanContext::as_of), and reports times for which it has no rows.
    Kept,
    /// It does not depend on time: the engine's own tables, constants.
    Timeless,
}

/// What a key on a column does to the rows of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyEffect {
    /// It selects some of the rows that a scan without the key returns.
    #[default]
    Filters,
    /// It also finds rows that a scan without the key does not return: those of a repository that is not configured.
    Extends,
    /// Each key has its own rows. A scan without the key returns those of a default, such as the host for
    /// `pid_with_namespace`.
    Selects,
}

/// Cost of looking up one key, compared with reading the entire table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lookup {
    /// Each key is a separate read. The cost grows with the number of keys.
    #[default]
    PerKey,
    /// A key saves nothing: the complete source is read and filtered.
    WholeSource,
}

/// One column.
///
/// A column that is known only at run time starts from [`ColumnSpec::new`] and sets what applies.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ColumnSpec {
    /// Name in SQL.
    pub name: Text,
    /// Type of its values.
    pub kind: Kind,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// What it is, with its unit; Markdown.
    pub description: Text,
    /// `=`, `IN` and join keys on it reach the table.
    pub index: bool,
    /// Many rows share a value, such as their account or cluster. Joins prefer other keys.
    pub slice: bool,
    /// Whether a key on it reads rows that a scan without the key does not return.
    pub key_effect: KeyEffect,
    /// `LIKE` patterns on it reach the table.
    pub pattern: bool,
    /// `<`, `>`, `BETWEEN` on it reach the table.
    pub range: bool,
    /// Not part of `SELECT *`.
    pub hidden: bool,
    /// It holds credentials, so no capture contains it. Such a column is also hidden.
    pub secret: bool,
    /// osquery's table of the same name lacks it. In an osquery query, a bare name refers to another table's column or
    /// an alias first.
    pub added: bool,
    /// It changes although nothing happened to the row: a counter, a usage, the time of the scan.
    pub volatile: bool,
    /// Values that start with this text change to others that do, although nothing happened to the row.
    pub volatile_prefix: Option<Text>,
    /// How its texts compare.
    pub collation: Collation,
    /// Index into [`TableSpec::sources`]; `None` if it comes with the row.
    pub source: Option<usize>,
    /// Permissions without which it is NULL.
    pub needs: Cow<'static, [&'static str]>,
    /// Its path in the row's JSON document.
    pub path: Option<Text>,
    /// The server can filter documents by the value at this path: Kubernetes' field selectors.
    pub field: bool,
}

/// How texts of a column compare in the osquery dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Collation {
    /// Byte by byte.
    #[default]
    Binary,
    /// Without regard to ASCII case.
    NoCase,
    /// As version numbers.
    Version,
    /// As Debian package versions.
    VersionDpkg,
    /// As RPM package versions.
    VersionRhel,
}

impl Collation {
    /// Its name in SQL; `None` for the ordinary comparison.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Collation::Binary => None,
            Collation::NoCase => Some("NOCASE"),
            Collation::Version => Some("VERSION"),
            Collation::VersionDpkg => Some("VERSION_DPKG"),
            Collation::VersionRhel => Some("VERSION_RHEL"),
        }
    }
}

/// A method that fills one or more columns of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceSpec {
    /// Its name in warnings: the method, or the column that it returns a value for.
    pub name: &'static str,
    /// Cost per row, relative to the table's other sources. Conditions with the cheapest sources are checked first.
    pub cost: u32,
    /// Most rows that are loaded together; `None` for a source that runs row by row.
    pub batch: Option<usize>,
}

impl SourceSpec {
    /// A source with a name and a cost.
    pub const fn new(name: &'static str, cost: u32) -> Self {
        SourceSpec { name, cost, batch: None }
    }

    /// The same source, run for up to this many rows together.
    #[must_use]
    pub const fn in_batches(self, rows: usize) -> Self {
        SourceSpec { batch: Some(rows), ..self }
    }
}

/// A query that shows the table's use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// The query.
    pub sql: &'static str,
}

impl Example {
    /// A query and what it shows.
    pub const fn new(title: &'static str, sql: &'static str) -> Self {
        Example { title, sql }
    }
}

/// Type of a column, with its documented name and its Arrow type.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `BOOLEAN`
    Boolean,
    /// `BIGINT`: 64-bit signed
    BigInt,
    /// `UNSIGNED_BIGINT`: 64-bit unsigned
    UnsignedBigInt,
    /// `DOUBLE`
    Double,
    /// `TEXT`
    Text,
    /// `JSON`: text that holds a JSON document
    Json,
    /// `BLOB`
    Blob,
    /// `TIMESTAMP`: microseconds, UTC
    Timestamp,
    /// `TEXT[]`
    TextList,
    /// `BIGINT[]`
    BigIntList,
    /// `MAP(TEXT, TEXT)`
    TextMap,
    /// Any other Arrow type: tables found at run time.
    Other(DataType),
}

impl Kind {
    /// The Arrow type.
    pub fn data_type(&self) -> DataType {
        match self {
            Kind::Boolean => DataType::Boolean,
            Kind::BigInt => DataType::Int64,
            Kind::UnsignedBigInt => DataType::UInt64,
            Kind::Double => DataType::Float64,
            Kind::Text | Kind::Json => DataType::Utf8View,
            Kind::Blob => DataType::Binary,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
            Kind::TextList => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
            Kind::BigIntList => DataType::List(Arc::new(Field::new("item", DataType::Int64, true))),
            Kind::TextMap => DataType::Map(
                Arc::new(Field::new(
                    "entries",
                    DataType::Struct(Fields::from(vec![
                        Field::new("keys", DataType::Utf8, false),
                        Field::new("values", DataType::Utf8, true),
                    ])),
                    false,
                )),
                false,
            ),
            Kind::Other(data_type) => data_type.clone(),
        }
    }

    /// The kind that corresponds to an Arrow type.
    pub fn of(data_type: &DataType) -> Kind {
        let known = [
            Kind::Boolean,
            Kind::BigInt,
            Kind::UnsignedBigInt,
            Kind::Double,
            Kind::Text,
            Kind::Blob,
            Kind::Timestamp,
            Kind::TextList,
            Kind::BigIntList,
            Kind::TextMap,
        ];
        known.into_iter().find(|kind| kind.data_type() == *data_type).unwrap_or_else(|| Kind::Other(data_type.clone()))
    }

    /// The name that documentation and `indago tables` show.
    pub fn name(&self) -> String {
        match self {
            Kind::Boolean => "BOOLEAN".into(),
            Kind::BigInt => "BIGINT".into(),
            Kind::UnsignedBigInt => "UNSIGNED_BIGINT".into(),
            Kind::Double => "DOUBLE".into(),
            Kind::Text => "TEXT".into(),
            Kind::Json => "JSON".into(),
            Kind::Blob => "BLOB".into(),
            Kind::Timestamp => "TIMESTAMP".into(),
            Kind::TextList => "TEXT[]".into(),
            Kind::BigIntList => "BIGINT[]".into(),
            Kind::TextMap => "MAP(TEXT, TEXT)".into(),
            Kind::Other(data_type) => data_type.to_string(),
        }
    }
}

impl ColumnSpec {
    /// A plain column, which can be NULL and comes with the row.
    pub fn new(name: impl Into<Text>, kind: Kind, description: impl Into<Text>) -> Self {
        ColumnSpec {
            name: name.into(),
            kind,
            nullable: true,
            description: description.into(),
            index: false,
            slice: false,
            key_effect: KeyEffect::Filters,
            pattern: false,
            range: false,
            hidden: false,
            secret: false,
            added: false,
            volatile: false,
            volatile_prefix: None,
            collation: Collation::Binary,
            source: None,
            needs: Cow::Borrowed(&[]),
            path: None,
            field: false,
        }
    }

    /// A value of the column in the form of its keys: in lowercase if the column's comparisons ignore case.
    pub fn as_key(&self, value: Scalar) -> Scalar {
        match (self.collation, value) {
            (Collation::NoCase, Scalar::Text(mut text)) => {
                text.make_ascii_lowercase();
                Scalar::Text(text)
            }
            (_, value) => value,
        }
    }
}

/// The first sentence of a description, on one line.
pub fn first_sentence(description: &str) -> String {
    let text = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = text.find(". ").map_or(text.len(), |end| end + 1);
    text[..end].to_owned()
}

impl TableSpec {
    /// A table of these columns that needs no constraints.
    pub fn new(
        name: impl Into<Text>,
        environment: impl Into<Text>,
        description: impl Into<Text>,
        columns: Vec<ColumnSpec>,
    ) -> Self {
        let name = name.into();
        TableSpec {
            reads: name.clone(),
            name,
            environment: environment.into(),
            description: description.into(),
            columns: Cow::Owned(columns),
            sources: Cow::Borrowed(&[]),
            require_any: Cow::Borrowed(&[]),
            examples: Cow::Borrowed(&[]),
            platforms: Cow::Borrowed(&[]),
            typical_rows: 1000,
            needs: Cow::Borrowed(&[]),
            lookup: Lookup::default(),
            identity: Cow::Borrowed(&[]),
            captured_at: None,
            past: Past::Nothing,
            events: false,
            resource: None,
            alias_of: None,
        }
    }

    /// Sets whether the table can be read as of a past time.
    #[must_use]
    pub fn with_past(self, past: Past) -> Self {
        TableSpec { past, ..self }
    }

    /// The Arrow schema, hidden columns included, in column order.
    pub fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|column| {
            let mut metadata = HashMap::new();
            if column.kind == Kind::Json {
                metadata.insert("indago.type".to_owned(), "json".to_owned());
            }
            if let Some(collation) = column.collation.name() {
                metadata.insert("indago.collation".to_owned(), collation.to_owned());
            }
            Field::new(column.name.as_ref(), column.kind.data_type(), column.nullable).with_metadata(metadata)
        });
        Arc::new(Schema::new(fields.collect::<Fields>()))
    }

    /// Position of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Whether the table needs a constraint.
    pub fn is_keyed(&self) -> bool {
        !self.require_any.is_empty()
    }

    /// How filters on a column are passed to the table: `required`, `selects`, `extends`, `index`, `pattern`, `range`,
    /// or not at all.
    pub fn key_name(&self, column: usize) -> Option<&'static str> {
        let spec = &self.columns[column];
        if self.require_any.contains(&column) {
            Some("required")
        } else if spec.index && spec.key_effect == KeyEffect::Selects {
            Some("selects")
        } else if spec.index && spec.key_effect == KeyEffect::Extends {
            Some("extends")
        } else if spec.index {
            Some("index")
        } else if spec.pattern {
            Some("pattern")
        } else if spec.range {
            Some("range")
        } else {
            None
        }
    }
}

/// A column as the derive macro writes it.
#[doc(hidden)]
#[expect(clippy::too_many_arguments, reason = "the derive macro counts them")]
pub const fn column(
    name: &'static str,
    kind: Kind,
    nullable: bool,
    description: &'static str,
    index: bool,
    slice: bool,
    key_effect: KeyEffect,
    pattern: bool,
    range: bool,
    hidden: bool,
    secret: bool,
    added: bool,
    volatile: bool,
    volatile_prefix: Option<&'static str>,
    collation: Collation,
    source: Option<usize>,
    needs: &'static [&'static str],
    path: Option<&'static str>,
    field: bool,
) -> ColumnSpec {
    ColumnSpec {
        name: Cow::Borrowed(name),
        kind,
        nullable,
        description: Cow::Borrowed(description),
        index,
        slice,
        key_effect,
        pattern,
        range,
        hidden,
        secret,
        added,
        volatile,
        volatile_prefix: borrowed(volatile_prefix),
        collation,
        source,
        needs: Cow::Borrowed(needs),
        path: borrowed(path),
        field,
    }
}

const fn borrowed(text: Option<&'static str>) -> Option<Text> {
    match text {
        Some(text) => Some(Cow::Borrowed(text)),
        None => None,
    }
}

/// A table as the derive macro writes it.
#[doc(hidden)]
#[derive(Debug)]
pub struct TableParts {
    pub name: &'static str,
    pub environment: &'static str,
    pub description: &'static str,
    pub columns: Cow<'static, [ColumnSpec]>,
    pub sources: Cow<'static, [SourceSpec]>,
    pub require_any: Cow<'static, [usize]>,
    pub examples: &'static [Example],
    pub platforms: &'static [&'static str],
    pub reads: &'static str,
    pub typical_rows: u64,
    pub needs: &'static [&'static str],
    pub lookup: Lookup,
    pub identity: &'static [Text],
    pub past: Past,
    pub resource: Option<ResourceSpec>,
}

/// A table from the derive macro's output.
#[doc(hidden)]
pub fn table(parts: TableParts) -> TableSpec {
    TableSpec {
        name: parts.name.into(),
        environment: parts.environment.into(),
        description: parts.description.into(),
        columns: parts.columns,
        sources: parts.sources,
        require_any: parts.require_any,
        examples: Cow::Borrowed(parts.examples),
        platforms: Cow::Borrowed(parts.platforms),
        reads: parts.reads.into(),
        typical_rows: parts.typical_rows,
        needs: Cow::Borrowed(parts.needs),
        lookup: parts.lookup,
        identity: Cow::Borrowed(parts.identity),
        captured_at: None,
        past: parts.past,
        events: false,
        resource: parts.resource,
        alias_of: None,
    }
}

/// Consecutive columns of a table, its own or those of a group: the prefix of their paths, the columns, and the
/// position of their first source.
#[doc(hidden)]
pub type Piece = (&'static str, &'static [ColumnSpec], usize);

/// The columns of a table that has groups.
#[doc(hidden)]
pub fn flattened(pieces: &[Piece]) -> Vec<ColumnSpec> {
    let mut all = Vec::new();
    for (start, columns, first_source) in pieces {
        all.extend(columns.iter().cloned().map(|column| {
            let path = column.path.map(|path| if start.is_empty() { path } else { format!("{start}.{path}").into() });
            ColumnSpec { path, source: column.source.map(|source| first_source + source), ..column }
        }));
    }
    all
}

/// The required columns of a table and those of its groups, each group with the position of its first column.
#[doc(hidden)]
pub fn required(own: &[usize], groups: &[(usize, &[usize])]) -> Vec<usize> {
    let of_groups = groups.iter().flat_map(|(from, columns)| columns.iter().map(move |column| from + column));
    own.iter().copied().chain(of_groups).collect()
}

/// The position of a column in one of the pieces. An unknown name is a compile error.
#[doc(hidden)]
pub const fn position(pieces: &[Piece], name: &str) -> usize {
    find(pieces, name).0
}

/// The same, for a column on which the table can require a constraint.
#[doc(hidden)]
pub const fn key_position(pieces: &[Piece], name: &str) -> usize {
    let (position, column) = find(pieces, name);
    assert!(column.index || column.pattern, "a required column needs #[column(index)] or #[column(pattern)]");
    position
}

const fn find<'a>(pieces: &'a [Piece], name: &str) -> (usize, &'a ColumnSpec) {
    let (mut piece, mut before) = (0, 0);
    while piece < pieces.len() {
        let columns = pieces[piece].1;
        let mut column = 0;
        while column < columns.len() {
            if is_name(&columns[column], name) {
                return (before + column, &columns[column]);
            }
            column += 1;
        }
        before += columns.len();
        piece += 1;
    }
    panic!("neither the table nor one of its groups has a column of this name")
}

/// Makes it a compile error if a group has a column that the table already has: in its own pieces, which have even
/// numbers, or in an earlier group.
#[doc(hidden)]
pub const fn assert_distinct(pieces: &[Piece], group: usize) {
    let mut other = 0;
    while other < pieces.len() {
        if other < group || other % 2 == 0 {
            assert!(!have_common_name(pieces[other].1, pieces[group].1), "the table has such a column already");
        }
        other += 1;
    }
}

const fn have_common_name(these: &[ColumnSpec], those: &[ColumnSpec]) -> bool {
    let mut this = 0;
    while this < these.len() {
        let mut that = 0;
        while that < those.len() {
            // Names in code are constants.
            if let Cow::Borrowed(name) = &these[this].name
                && is_name(&those[that], name)
            {
                return true;
            }
            that += 1;
        }
        this += 1;
    }
    false
}

const fn is_name(column: &ColumnSpec, name: &str) -> bool {
    matches!(&column.name, Cow::Borrowed(other) if other.as_bytes().eq_ignore_ascii_case(name.as_bytes()))
}
