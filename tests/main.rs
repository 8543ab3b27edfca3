//! Tests over the whole: one module a subject, one binary for all.

mod aws;
mod bad_input;
mod catalogs;
mod cli;
mod concurrency;
mod containers;
mod coverage;
mod engine;
mod explain;
mod forensics;
mod git;
mod host;
mod interrupt;
mod kubernetes;
mod layering;
mod lookups;
mod osquery_store;
mod packs;
mod past;
mod registry;
mod slt;
mod sql;
mod statements;
mod store;
mod strace;
mod support;
