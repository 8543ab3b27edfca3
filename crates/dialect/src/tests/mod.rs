//! The dialect compared with SQLite, and the examples of the reference.

#![allow(clippy::disallowed_methods, reason = "test threads end with their test, or have small stacks")]

mod added;
mod bounds;
mod corpus;
mod files;
mod generated;
mod guards;
mod harness;
mod maps;
mod mismatch;
mod names;
mod optimizer;
mod packs;
mod parsing;
mod pushdown;
mod reference;
mod zones;
