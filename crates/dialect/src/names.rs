//! Names of tables and columns, provided by the engine.

use std::collections::{HashMap, HashSet};

use arrow_schema::DataType;

use crate::collation::Collation;

/// A column of a table, as the dialect sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedColumn {
    /// The exact name.
    pub name: String,
    /// The type, if it is known before planning.
    pub data_type: Option<DataType>,
    /// How its text compares.
    pub collation: Collation,
    /// Whether `SELECT *` skips it.
    pub hidden: bool,
    /// Whether another relation's column or an alias wins over it for its bare name. Set for columns that osquery does
    /// not have.
    pub yields: bool,
}

impl NamedColumn {
    /// A visible column of a known type that compares by bytes.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type: Some(data_type), ..Self::default() }
    }
}

/// The part of the engine's catalog that the dialect uses.
pub trait Names: Send + Sync {
    /// The columns of a table or view in the order of `SELECT *`; `None` for an unknown name. Parts of a longer name
    /// are joined with dots. The name has the form in which DataFusion looks it up, so unquoted parts are in lowercase.
    fn columns(&self, table: &str) -> Option<Vec<NamedColumn>>;

    /// The names of all tables and views, for `sqlite_master`.
    fn tables(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Knows no tables: all names are left to DataFusion.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn columns(&self, _table: &str) -> Option<Vec<NamedColumn>> {
        None
    }
}

/// Makes column names distinct: a repeated name gets `:1`, `:2` or the next free number, so a name that the user wrote
/// once is unchanged.
pub fn distinct_names<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    distinct(names, false)
}

/// [`distinct_names`], with names that differ only in case treated as equal.
pub(crate) fn distinct<S: AsRef<str>>(names: &[S], folds: bool) -> Vec<String> {
    let folded = |name: &str| if folds { name.to_ascii_lowercase() } else { name.to_owned() };
    let wanted: HashSet<String> = names.iter().map(|name| folded(name.as_ref())).collect();
    let mut given = HashSet::new();
    let mut copies: HashMap<String, usize> = HashMap::new();
    let own = |name: &S| {
        let name = name.as_ref();
        if given.insert(folded(name)) {
            return name.to_owned();
        }
        let base = match name.rsplit_once(':') {
            Some((base, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => base,
            _ => name,
        };
        let copies = copies.entry(folded(base)).or_default();
        loop {
            *copies += 1;
            let next = format!("{base}:{copies}");
            let key = folded(&next);
            if !wanted.contains(&key) && given.insert(key) {
                return next;
            }
        }
    };
    names.iter().map(own).collect()
}
