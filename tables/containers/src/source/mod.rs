//! Readers that several tables share.

pub(crate) mod containerd;
pub(crate) mod docker;
pub(crate) mod http;
pub(crate) mod oci;

use indago_table::{Error, Result};

/// Runs a function that reads files on a thread where blocking is allowed.
pub(crate) async fn blocking<R: Send + 'static>(read: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
    let outcome = tokio::task::spawn_blocking(read).await;
    outcome.unwrap_or_else(|error| Err(Error::Io { what: "a reader thread".to_owned(), message: error.to_string() }))
}
