//! Tests over the whole: one module a subject, one binary for all.

mod aws;
mod cli;
mod containers;
mod engine;
mod git;
mod host;
mod kubernetes;
mod layering;
mod packs;
mod registry;
mod store;
mod support;
