//! Connections of the tables that ask API servers: whom TLS trusts, and the way through proxies.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod chain;
mod route;
mod trust;

pub use chain::validity;
pub use route::{Route, Sender, basic, basic_of, is_tls, plain, proxy, secret};
pub use trust::{Authorities, Identity, Trust, client_config};
