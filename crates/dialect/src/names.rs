//! What names mean, told by the engine.

use arrow_schema::DataType;

use crate::collation::Collation;

/// A column of a table as the dialect needs to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedColumn {
    /// The exact name.
    pub name: String,
    /// The type, where it is known before planning.
    pub data_type: Option<DataType>,
    /// How its text compares.
    pub collation: Collation,
    /// Whether `SELECT *` leaves it out.
    pub hidden: bool,
    /// Whether its bare name means another relation's column, or an alias, where there is one: osquery has no such column.
    pub yields: bool,
}

impl NamedColumn {
    /// A visible column of a known type that compares by bytes.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type: Some(data_type), ..Self::default() }
    }
}

/// The engine's catalog as far as the dialect looks into it.
pub trait Names: Send + Sync {
    /// The columns of a table or view in the order of `SELECT *`; `None` for a name that is not known. Parts of a longer
    /// name are joined with dots; the name comes as DataFusion will look it up, so unquoted parts are in lower case.
    fn columns(&self, table: &str) -> Option<Vec<NamedColumn>>;

    /// The names of all tables and views: what `sqlite_master` lists.
    fn tables(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Knows no table: every name is left to DataFusion.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn columns(&self, _table: &str) -> Option<Vec<NamedColumn>> {
        None
    }
}
