//! Connections for tables that call API servers: TLS trust and proxies.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod chain;
mod route;
mod trust;

pub use chain::validity;
pub use route::{Limits, Route, Sender, address_of, basic, basic_of, is_tls, plain, proxy, secret};
pub use trust::{Authorities, Identity, Trust, client_config};
