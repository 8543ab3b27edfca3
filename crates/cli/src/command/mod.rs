//! One module per command.

pub(crate) mod capture;
pub(crate) mod check;
pub(crate) mod daemon;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod functions;
pub(crate) mod iam;
pub(crate) mod pack;
pub(crate) mod permissions;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod reference;
pub(crate) mod shell;
pub(crate) mod tables;
pub(crate) mod timeline;
pub(crate) mod verify;
