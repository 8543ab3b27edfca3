//! Tests over the entire project: one module per subject, one binary for all.

#![allow(clippy::disallowed_methods, reason = "threads of tests end with their test, or have small stacks")]

mod aws;
mod bad_input;
mod catalogs;
mod cli;
mod concurrency;
mod containers;
mod coverage;
mod daemon;
mod diff;
mod engine;
mod errors;
mod events;
mod explain;
mod files;
mod forensics;
mod git;
mod host;
mod host_kernel;
mod host_libraries;
mod host_packages;
mod host_users;
mod host_network;
mod host_services;
mod host_web;
#[cfg(feature = "yara")]
mod host_yara;
mod interrupt;
mod key_effects;
mod kubernetes;
mod layering;
mod lookups;
mod osquery_parity;
mod osquery_store;
mod osquery_tables;
mod packs;
mod parameters;
mod past;
mod pruning;
mod registry;
mod shell;
mod slt;
mod sql;
mod statements;
mod store;
mod strace;
mod support;
