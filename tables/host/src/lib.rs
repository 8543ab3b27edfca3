//! Tables about the host: its processes, users, files, sockets and mounts.
//!
//! Everything is read from files through [`Sys`], so that a folder can stand in for a host; the few things that only
//! the running kernel tells are in `source/kernel.rs` and `source/netlink.rs`, and are unsupported elsewhere.
//! `source/` holds readers of formats that several tables share.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests lay out the files that tables read"))]

use indago_table::{Sys, TableRef};

mod source;

pub mod file;
pub mod groups;
pub mod hash;
pub mod interface_addresses;
pub mod listening_ports;
pub mod mounts;
pub mod os_version;
pub mod process_envs;
pub mod process_namespaces;
pub mod process_open_files;
pub mod process_open_sockets;
pub mod processes;
pub mod system_info;
pub mod time;
pub mod uptime;
pub mod users;

/// The tables, over a machine.
pub fn tables(sys: &Sys) -> Vec<TableRef> {
    indago_table::tables![
        sys;
        file::File,
        groups::Group,
        hash::Hash,
        interface_addresses::InterfaceAddress,
        listening_ports::ListeningPort,
        mounts::Mount,
        os_version::OsVersion,
        process_envs::ProcessEnv,
        process_namespaces::ProcessNamespace,
        process_open_files::ProcessOpenFile,
        process_open_sockets::ProcessOpenSocket,
        processes::Process,
        system_info::SystemInfo,
        time::Time,
        uptime::Uptime,
        users::User,
    ]
}
