//! Lookup joins: a join on a key column reads only the rows with keys of the other side.
//!
//! [`bind`] decides on the optimised logical plan which joins are lookup joins. [`split`] splits plans in which one
//! scan has a choice of keys. [`exec`] runs lookup joins. [`cache`] makes sure that a query looks up each distinct key
//! once.

pub(crate) mod bind;
pub(crate) mod cache;
pub(crate) mod exec;
pub(crate) mod node;
pub(crate) mod split;
