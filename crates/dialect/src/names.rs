//! What names mean, told by the engine.

use std::collections::{HashMap, HashSet};

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

/// The names of columns, no two the same: one that was there before gets `:1`, `:2` or whichever number is free, so that a
/// name that the user wrote once stays.
pub fn distinct_names<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    distinct(names, false)
}

/// [`distinct_names`], also of names that differ by case alone.
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
