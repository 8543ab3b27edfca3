//! Lookup joins: a join on a key column asks the table only for the keys of the other side.
//!
//! [`bind`] decides on the optimised logical plan which joins are lookups, of parts that [`split`] makes where there is a
//! choice of keys; [`exec`] runs them; [`cache`] sees to it
//! that a query looks up each distinct key once.

pub(crate) mod bind;
pub(crate) mod cache;
pub(crate) mod exec;
pub(crate) mod node;
pub(crate) mod split;
