//! Tables about the host: its processes, users, files, sockets and mounts.
//!
//! Everything is read from files through [`Sys`], so a directory can represent a host. Facts that only the running
//! kernel knows come from `source/kernel.rs` and `source/netlink.rs`, and are unsupported elsewhere. `source/` has the
//! readers that several tables share.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests create the files that tables read"))]

use std::sync::Arc;

use indago_table::{Several, Sys, TableRef};

use of_files::OfFiles;

mod of_files;
mod source;

pub mod arp_cache;
pub mod carves;
pub mod certificates;
pub mod elf_info;
pub mod elf_symbols;
pub mod file;
pub mod groups;
pub mod hash;
pub mod interface_addresses;
pub mod interface_details;
pub mod interface_ipv6;
pub mod iptables;
pub mod journal;
pub mod listening_ports;
pub mod magic;
pub mod mounts;
pub mod nftables_rules;
pub mod os_version;
pub mod process_envs;
pub mod process_namespaces;
pub mod process_open_files;
pub mod process_open_sockets;
pub mod processes;
pub mod routes;
pub mod system_info;
pub mod systemd_timers;
pub mod systemd_units;
pub mod time;
pub mod uptime;
pub mod users;

#[cfg(feature = "web")]
pub mod azure_instance_metadata;
#[cfg(feature = "web")]
pub mod azure_instance_tags;
#[cfg(feature = "web")]
pub mod curl;
#[cfg(feature = "web")]
pub mod curl_certificate;
#[cfg(feature = "web")]
pub mod ec2_instance_metadata;
#[cfg(feature = "web")]
pub mod ec2_instance_tags;
#[cfg(feature = "web")]
pub mod gcp_instance_metadata;
#[cfg(feature = "web")]
pub mod prometheus_metrics;
#[cfg(feature = "yara")]
pub mod yara;
#[cfg(feature = "yara")]
pub mod yara_file;
#[cfg(feature = "yara")]
pub mod yara_process;
#[cfg(feature = "web")]
pub mod ycloud_instance_metadata;

/// The tables, over one or several machines.
pub fn tables(hosts: &[Sys]) -> Vec<TableRef> {
    let each: Vec<(Arc<str>, Vec<TableRef>)> =
        hosts.iter().map(|host| (host.root_name(), tables_of_host(host))).collect();
    let count = each.first().map_or(0, |(_, tables)| tables.len());
    let over_all = |table: usize| {
        let parts = each.iter().map(|(root, tables)| (root.clone(), tables[table].clone())).collect();
        let description = "Root directory of the row's host: `/` for the machine that Indago runs on.";
        Several::of("host_root", description, parts).map(|table| Arc::new(table) as TableRef)
    };
    (0..count).filter_map(over_all).collect()
}

fn tables_of_host(host: &Sys) -> Vec<TableRef> {
    let tables = tables_of(host);
    if host.is_live() {
        return tables;
    }
    tables.into_iter().map(|table| Arc::new(OfFiles { host: host.clone(), table }) as TableRef).collect()
}

fn tables_of(sys: &Sys) -> Vec<TableRef> {
    #[cfg_attr(not(any(feature = "web", feature = "yara")), allow(unused_mut, reason = "nothing follows"))]
    let mut tables = indago_table::tables![
        sys;
        arp_cache::ArpCache,
        carves::Carve,
        certificates::Certificate,
        elf_info::ElfInfo,
        elf_symbols::ElfSymbol,
        file::File,
        groups::Group,
        hash::Hash,
        interface_addresses::InterfaceAddress,
        interface_details::InterfaceDetail,
        interface_ipv6::InterfaceIpv6,
        iptables::IptablesRule,
        journal::JournalEntry,
        listening_ports::ListeningPort,
        magic::Magic,
        mounts::Mount,
        nftables_rules::NftablesRule,
        os_version::OsVersion,
        process_envs::ProcessEnv,
        process_namespaces::ProcessNamespace,
        process_open_files::ProcessOpenFile,
        process_open_sockets::ProcessOpenSocket,
        processes::Process,
        routes::Route,
        system_info::SystemInfo,
        systemd_timers::SystemdTimer,
        systemd_units::SystemdUnit,
        time::Time,
        uptime::Uptime,
        users::User,
    ];
    #[cfg(feature = "web")]
    tables.extend(indago_table::tables![
        sys;
        azure_instance_metadata::AzureInstanceMetadata,
        azure_instance_tags::AzureInstanceTag,
        curl::Curl,
        curl_certificate::CurlCertificate,
        ec2_instance_metadata::Ec2InstanceMetadata,
        ec2_instance_tags::Ec2InstanceTag,
        gcp_instance_metadata::GcpInstanceMetadata,
        prometheus_metrics::PrometheusMetric,
        ycloud_instance_metadata::YcloudInstanceMetadata,
    ]);
    #[cfg(feature = "yara")]
    tables.extend(indago_table::tables![sys; yara_file::YaraFile, yara_process::YaraProcess]);
    #[cfg(feature = "yara")]
    tables.push(yara::of("yara", <yara_file::YaraFile>::table(sys)));
    tables
}
