//! Typed configuration: the keys, where the file is found, and the errors.
//!
//! Each key is declared once, in [`sections`](crate::Config): its type, its default and its documentation. The parser,
//! the defaults and the reference page ([`reference()`]) are generated from that declaration, so they cannot differ.

mod error;
mod find;
mod load;
mod section;
mod sections;
mod trust;
mod value;

pub use error::{ConfigError, Place, Result};
pub use find::{ENVIRONMENT_VARIABLE, FILE_NAME, data_dir, find, search_path, state_dir, unread};
pub use indago_table::closest;
pub use load::one_line;
pub use section::KeyDoc;
pub use sections::{
    Aws, Config, Containers, Daemon, Git, Host, Kubernetes, KubernetesReads, Limits, Record, Recording, Schedule, Sql,
    SqlDialect, Store,
};
pub use trust::read_text;
pub use value::{Listen, Location, ParseValueError, Period, Size};

/// Every key that a configuration file may hold, in the order of the reference page.
pub fn reference() -> Vec<KeyDoc> {
    sections::reference()
}
