//! Typed readers of what several tables read: each knows one format, and gives Rust values.

pub(crate) mod accounts;
pub(crate) mod digest;
pub(crate) mod kernel;
pub(crate) mod namespace;
pub(crate) mod netlink;
pub(crate) mod paths;
pub(crate) mod pattern;
pub(crate) mod processors;
pub(crate) mod procfs;
pub(crate) mod sockets;
