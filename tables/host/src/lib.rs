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

pub mod apt_sources;
#[cfg(feature = "web")]
pub mod azure_instance_metadata;
#[cfg(feature = "web")]
pub mod azure_instance_tags;
pub mod certificates;
pub mod chrome_extension_content_scripts;
pub mod chrome_extensions;
#[cfg(feature = "web")]
pub mod curl;
#[cfg(feature = "web")]
pub mod curl_certificate;
pub mod deb_package_files;
pub mod deb_packages;
#[cfg(feature = "web")]
pub mod ec2_instance_metadata;
#[cfg(feature = "web")]
pub mod ec2_instance_tags;
pub mod elf_info;
pub mod elf_symbols;
pub mod file;
pub mod firefox_addons;
#[cfg(feature = "web")]
pub mod gcp_instance_metadata;
pub mod groups;
pub mod hash;
pub mod interface_addresses;
pub mod jetbrains_plugins;
pub mod listening_ports;
pub mod magic;
pub mod mounts;
pub mod npm_packages;
pub mod os_version;
pub mod portage_keywords;
pub mod portage_packages;
pub mod portage_use;
pub mod process_envs;
pub mod process_namespaces;
pub mod process_open_files;
pub mod process_open_sockets;
pub mod processes;
#[cfg(feature = "web")]
pub mod prometheus_metrics;
pub mod python_packages;
pub mod rpm_package_files;
pub mod rpm_packages;
pub mod sbom_packages;
pub mod system_info;
pub mod time;
pub mod uptime;
pub mod users;
pub mod vscode_extensions;
#[cfg(feature = "yara")]
pub mod yara;
#[cfg(feature = "yara")]
pub mod yara_file;
#[cfg(feature = "yara")]
pub mod yara_process;
#[cfg(feature = "web")]
pub mod ycloud_instance_metadata;
pub mod yum_sources;

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
        apt_sources::AptSource,
        certificates::Certificate,
        chrome_extension_content_scripts::ContentScript,
        chrome_extensions::ChromeExtension,
        deb_package_files::DebPackageFile,
        deb_packages::DebPackage,
        elf_info::ElfInfo,
        elf_symbols::ElfSymbol,
        file::File,
        firefox_addons::FirefoxAddon,
        groups::Group,
        hash::Hash,
        interface_addresses::InterfaceAddress,
        jetbrains_plugins::JetbrainsPlugin,
        listening_ports::ListeningPort,
        magic::Magic,
        mounts::Mount,
        npm_packages::NpmPackage,
        os_version::OsVersion,
        portage_keywords::PortageKeyword,
        portage_packages::PortagePackage,
        portage_use::PortageUse,
        process_envs::ProcessEnv,
        process_namespaces::ProcessNamespace,
        process_open_files::ProcessOpenFile,
        process_open_sockets::ProcessOpenSocket,
        processes::Process,
        python_packages::PythonPackage,
        rpm_package_files::RpmPackageFile,
        rpm_packages::RpmPackage,
        sbom_packages::SbomPackage,
        system_info::SystemInfo,
        time::Time,
        uptime::Uptime,
        users::User,
        vscode_extensions::VscodeExtension,
        yum_sources::YumSource,
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
