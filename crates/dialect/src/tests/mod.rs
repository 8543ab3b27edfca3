//! The dialect against SQLite itself, and the examples of the reference.

mod added;
mod bounds;
mod corpus;
mod generated;
mod guards;
mod harness;
mod maps;
mod names;
mod optimizer;
mod packs;
mod parsing;
mod pushdown;
mod reference;
mod zones;
