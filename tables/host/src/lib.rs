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

pub mod acpi_tables;
pub mod apparmor_profiles;
pub mod apt_sources;
pub mod arp_cache;
pub mod augeas;
pub mod authorized_keys;
#[cfg(feature = "web")]
pub mod azure_instance_metadata;
#[cfg(feature = "web")]
pub mod azure_instance_tags;
pub mod block_devices;
pub mod carbon_black_info;
pub mod carves;
pub mod cb_info;
pub mod certificates;
pub mod chrome_extension_content_scripts;
pub mod chrome_extensions;
pub mod configurations;
pub mod cpu_info;
pub mod cpu_time;
pub mod cpuid;
pub mod crontab;
#[cfg(feature = "web")]
pub mod curl;
#[cfg(feature = "web")]
pub mod curl_certificate;
pub mod deb_package_files;
pub mod deb_packages;
pub mod device_file;
pub mod device_hash;
pub mod device_partitions;
pub mod disk_encryption;
pub mod dns_resolvers;
pub mod ebpf_maps;
pub mod ebpf_programs;
#[cfg(feature = "web")]
pub mod ec2_instance_metadata;
#[cfg(feature = "web")]
pub mod ec2_instance_tags;
pub mod elf_info;
pub mod elf_symbols;
pub mod etc_hosts;
pub mod etc_protocols;
pub mod etc_services;
pub mod extended_attributes;
pub mod file;
pub mod file_capabilities;
pub mod firefox_addons;
#[cfg(feature = "web")]
pub mod gcp_instance_metadata;
pub mod groups;
pub mod hash;
pub mod hosts;
pub mod intel_me_info;
pub mod interface_addresses;
pub mod interface_details;
pub mod interface_ipv6;
pub mod iptables;
pub mod jetbrains_plugins;
pub mod journal;
pub mod kernel_info;
pub mod kernel_keys;
pub mod kernel_modules;
pub mod known_hosts;
pub mod last;
pub mod ld_preload;
pub mod listening_ports;
pub mod load_average;
pub mod logged_in_users;
pub mod magic;
pub mod md_devices;
pub mod md_drives;
pub mod md_personalities;
pub mod memory_array_mapped_addresses;
pub mod memory_arrays;
pub mod memory_device_mapped_addresses;
pub mod memory_devices;
pub mod memory_error_info;
pub mod memory_info;
pub mod memory_map;
pub mod mounts;
pub mod msr;
pub mod nftables_rules;
pub mod npm_packages;
pub mod oem_strings;
pub mod os_version;
pub mod pam_config;
pub mod pci_devices;
pub mod persistence;
pub mod platform_info;
pub mod portage_keywords;
pub mod portage_packages;
pub mod portage_use;
pub mod process_capabilities;
pub mod process_deleted_files;
pub mod process_envs;
pub mod process_memory_map;
pub mod process_namespaces;
pub mod process_open_files;
pub mod process_open_pipes;
pub mod process_open_sockets;
pub mod process_threads;
pub mod processes;
#[cfg(feature = "web")]
pub mod prometheus_metrics;
pub mod python_packages;
pub mod routes;
pub mod rpm_package_files;
pub mod rpm_packages;
pub mod runtime_socket_access;
pub mod sbom_packages;
pub mod secureboot;
pub mod secureboot_certificates;
pub mod selinux_settings;
pub mod shadow;
pub mod shared_memory;
pub mod shell_history;
pub mod smbios_tables;
pub mod ssh_configs;
pub mod sshd_effective_config;
pub mod startup_items;
pub mod sudoers;
pub mod suid_bin;
pub mod system_controls;
pub mod system_info;
pub mod systemd_timers;
pub mod systemd_units;
pub mod time;
pub mod ulimit_info;
pub mod uptime;
pub mod usb_devices;
pub mod user_groups;
pub mod user_ssh_keys;
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
    let mut tables = indago_table::tables![
        sys;
        acpi_tables::AcpiTable,
        apparmor_profiles::ApparmorProfile,
        apt_sources::AptSource,
        arp_cache::ArpCache,
        augeas::Augeas,
        authorized_keys::AuthorizedKey,
        block_devices::BlockDevice,
        carbon_black_info::CarbonBlackInfo,
        carves::Carve,
        certificates::Certificate,
        chrome_extension_content_scripts::ContentScript,
        chrome_extensions::ChromeExtension,
        cpu_info::CpuInfo,
        cpu_time::CpuTime,
        cpuid::Cpuid,
        crontab::Crontab,
        deb_package_files::DebPackageFile,
        deb_packages::DebPackage,
        device_file::DeviceFile,
        device_hash::DeviceHash,
        device_partitions::DevicePartition,
        disk_encryption::DiskEncryption,
        dns_resolvers::DnsResolver,
        ebpf_maps::EbpfMap,
        ebpf_programs::EbpfProgram,
        elf_info::ElfInfo,
        elf_symbols::ElfSymbol,
        etc_hosts::EtcHost,
        etc_protocols::EtcProtocol,
        etc_services::EtcService,
        extended_attributes::ExtendedAttribute,
        file::File,
        file_capabilities::FileCapability,
        firefox_addons::FirefoxAddon,
        groups::Group,
        hash::Hash,
        intel_me_info::IntelMeInfo,
        interface_addresses::InterfaceAddress,
        interface_details::InterfaceDetail,
        interface_ipv6::InterfaceIpv6,
        iptables::IptablesRule,
        jetbrains_plugins::JetbrainsPlugin,
        journal::JournalEntry,
        kernel_info::KernelInfo,
        kernel_keys::KernelKey,
        kernel_modules::KernelModule,
        known_hosts::KnownHost,
        last::Last,
        ld_preload::LdPreload,
        listening_ports::ListeningPort,
        load_average::LoadAverage,
        logged_in_users::LoggedInUser,
        magic::Magic,
        md_devices::MdDevice,
        md_drives::MdDrive,
        md_personalities::MdPersonality,
        memory_array_mapped_addresses::MemoryArrayMappedAddress,
        memory_arrays::MemoryArray,
        memory_device_mapped_addresses::MemoryDeviceMappedAddress,
        memory_devices::MemoryDevice,
        memory_error_info::MemoryErrorInfo,
        memory_info::MemoryInfo,
        memory_map::MemoryMap,
        mounts::Mount,
        msr::Msr,
        nftables_rules::NftablesRule,
        npm_packages::NpmPackage,
        oem_strings::OemString,
        os_version::OsVersion,
        pam_config::PamConfig,
        pci_devices::PciDevice,
        persistence::Persistence,
        platform_info::PlatformInfo,
        portage_keywords::PortageKeyword,
        portage_packages::PortagePackage,
        portage_use::PortageUse,
        process_capabilities::ProcessCapability,
        process_deleted_files::ProcessDeletedFile,
        process_envs::ProcessEnv,
        process_memory_map::ProcessMemoryMapping,
        process_namespaces::ProcessNamespace,
        process_open_files::ProcessOpenFile,
        process_open_pipes::ProcessOpenPipe,
        process_open_sockets::ProcessOpenSocket,
        process_threads::ProcessThread,
        processes::Process,
        python_packages::PythonPackage,
        routes::Route,
        rpm_package_files::RpmPackageFile,
        rpm_packages::RpmPackage,
        runtime_socket_access::RuntimeSocketAccess,
        sbom_packages::SbomPackage,
        secureboot::SecureBoot,
        secureboot_certificates::SecureBootCertificate,
        selinux_settings::SelinuxSetting,
        shadow::Shadow,
        shared_memory::SharedMemory,
        shell_history::ShellHistory,
        smbios_tables::SmbiosTable,
        ssh_configs::SshConfig,
        sshd_effective_config::SshdEffectiveConfig,
        startup_items::StartupItem,
        sudoers::Sudoer,
        suid_bin::SuidBin,
        system_controls::SystemControl,
        system_info::SystemInfo,
        systemd_timers::SystemdTimer,
        systemd_units::SystemdUnit,
        time::Time,
        ulimit_info::UlimitInfo,
        uptime::Uptime,
        usb_devices::UsbDevice,
        user_groups::UserGroup,
        user_ssh_keys::UserSshKey,
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
    tables.push(yara::table(sys));
    tables.extend([cb_info::table(sys), configurations::table(sys), hosts::table(sys)]);
    tables
}
