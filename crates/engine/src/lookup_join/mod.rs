//! Lookup joins: a join on a key column reads only the rows with keys of the other side.
//!
//! [`bind`] decides on the optimised logical plan which joins are lookup joins, by the estimates of [`rows`]. [`split`]
//! splits plans in which one scan has a choice of keys. [`exec`] runs lookup joins. The key cache of a query makes sure
//! that each distinct key is looked up once.

pub(crate) mod bind;
pub(crate) mod exec;
pub(crate) mod node;
pub(crate) mod rows;
pub(crate) mod split;
