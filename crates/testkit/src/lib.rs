//! Real test beds, fixture hosts and a fault proxy.
//!
//! - [`beds`]: real servers (Kubernetes, AWS, container engines, git repositories), each an owning value; dropping it
//!   stops exactly what it started, and so does the death of its owner, however it came.
//! - [`fixture`]: a fake host in a temporary folder, for tests that need neither root nor a real machine.
//! - [`install`]: what the beds need and a fresh Debian lacks; done once per machine, in [`cache`].
//!
//! Everything here blocks; asynchronous tests call it through `spawn_blocking`, or before their runtime starts.
//! A bed that cannot start is an error, and a test must fail on it: no test skips.

pub mod beds;
pub mod cache;
mod error;
pub mod fixture;
pub mod install;
mod keeper;

pub use error::{Error, Result};
