//! Readers that several tables share: each reads one format and returns Rust values.

pub(crate) mod accounts;
pub(crate) mod administration;
pub(crate) mod certificate;
#[cfg(feature = "web")]
pub(crate) mod certificate_text;
#[cfg(feature = "web")]
pub(crate) mod cloud;
pub(crate) mod dbus;
pub(crate) mod diag;
pub(crate) mod digest;
pub(crate) mod elf;
#[allow(dead_code, reason = "tables of users' files will use it")]
pub(crate) mod homes;
pub(crate) mod kernel;
pub(crate) mod namespace;
pub(crate) mod netlink;
pub(crate) mod object_names;
pub(crate) mod paths;
pub(crate) mod pattern;
pub(crate) mod processors;
pub(crate) mod procfs;
pub(crate) mod sockets;
pub(crate) mod systemd;
pub(crate) mod unit_files;
#[cfg(feature = "web")]
pub(crate) mod web;
#[cfg(feature = "yara")]
pub(crate) mod yara;
