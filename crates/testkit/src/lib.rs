//! Real test beds, fixture hosts and a fault proxy.
//!
//! - [`beds`]: real servers (Kubernetes, AWS, container engines, git repositories). Each is a value that owns its
//!   processes: when it is dropped, or its owner dies in any way, exactly these are stopped.
//! - [`distribution`]: roots of other distributions, with databases that their tools wrote.
//! - [`fixture`]: a host in a temporary directory, for tests that need neither root nor a real machine.
//! - [`pods`]: the pods of a large cluster over a long time, as a recorder reads them.
//! - [`install`]: programs that the beds need and a fresh Debian lacks; installed once per machine, in [`cache`].
//!
//! All functions block; asynchronous tests call them through `spawn_blocking`, or before their runtime starts. A bed
//! that cannot start is an error, and the test must fail: no test skips.

#![allow(clippy::disallowed_methods, reason = "its threads are joined, or have small stacks")]

pub mod beds;
pub mod cache;
pub mod distribution;
mod error;
pub mod fixture;
pub mod install;
mod keeper;
pub mod pods;

pub use error::{Error, Result};
