//! `carbon_black_info`: one row about the sensor of Carbon Black.

use indago_table::prelude::*;

use crate::source::procfs::{note_lossy, number, text};

/// Settings of the sensor of Carbon Black EDR, from its files.
#[derive(Debug, Default, Table)]
#[table(name = "carbon_black_info", platforms("linux"), rows = 1, needs("root"), identity(sensor_id), namespaces)]
#[example("The sensor's server.", "SELECT sensor_id, sensor_backend_server FROM carbon_black_info")]
pub struct CarbonBlackInfo {
    /// ID of the sensor.
    sensor_id: Option<i64>,
    /// Name of its group of settings.
    config_name: Option<String>,
    /// Whether it collects copies of programs: 1 or 0.
    collect_store_files: Option<i64>,
    /// Whether it collects loads of modules: 1 or 0.
    collect_module_loads: Option<i64>,
    /// Whether it collects facts about modules: 1 or 0.
    collect_module_info: Option<i64>,
    /// Whether it collects changes of files: 1 or 0.
    collect_file_mods: Option<i64>,
    /// Whether it collects changes of the registry: 1 or 0.
    collect_reg_mods: Option<i64>,
    /// Whether it collects network connections: 1 or 0.
    collect_net_conns: Option<i64>,
    /// Whether it collects processes: 1 or 0.
    collect_processes: Option<i64>,
    /// Whether it collects what processes do to each other: 1 or 0.
    collect_cross_processes: Option<i64>,
    /// Whether it collects events of EMET: 1 or 0.
    collect_emet_events: Option<i64>,
    /// Whether it collects writes to files that are not programs: 1 or 0.
    collect_data_file_writes: Option<i64>,
    /// Whether it collects the users of processes: 1 or 0.
    collect_process_user_context: Option<i64>,
    /// Unknown; part of the settings.
    collect_sensor_operations: Option<i64>,
    /// Most disk space of the sensor's files, in MiB.
    log_file_disk_quota_mb: Option<i64>,
    /// Most disk space of the sensor's files, in percent.
    log_file_disk_quota_percentage: Option<i64>,
    /// Whether the sensor's protection against changes is off: 1 or 0.
    protection_disabled: Option<i64>,
    /// Address of the sensor.
    sensor_ip_addr: Option<String>,
    /// Address of its server.
    sensor_backend_server: Option<String>,
    /// Bytes of events that it has not sent yet.
    #[column(volatile)]
    event_queue: Option<i64>,
    /// Bytes of programs that it has not sent yet.
    #[column(volatile)]
    binary_queue: Option<i64>,
}

const SETTINGS: &str = "/var/lib/cb/sensorsettings.ini";
const FOLDER: &str = "/var/lib/cb";

impl Rows for CarbonBlackInfo {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let Some(bytes) = sys.read(SETTINGS).needs("root").if_present()? else {
            return Err(Error::Absent(format!("Carbon Black is not installed ({SETTINGS} is missing)")));
        };
        note_lossy(sys, &bytes);
        let mut row = parse(&bytes);
        let size = |folder: &str, is_queued: fn(&str) -> bool| {
            size(sys, folder, is_queued).unwrap_or_else(|error| {
                scan.report("queue", &error);
                None
            })
        };
        row.event_queue = size("eventlogs", |_| true);
        row.binary_queue = size("store", |name| name.starts_with("MD5_"));
        Ok(std::iter::once(row))
    }
}

/// Bytes of the files in a directory of the sensor; `None` if it does not exist.
fn size(sys: &Sys, folder: &str, is_queued: fn(&str) -> bool) -> Result<Option<i64>> {
    let folder = format!("{FOLDER}/{folder}");
    let Some(names) = sys.read_dir(&folder).if_present()? else { return Ok(None) };
    let mut bytes: u64 = 0;
    for name in names.iter().filter(|name| is_queued(&name.to_string_lossy())) {
        let found = sys.symlink_metadata(std::path::Path::new(&folder).join(name)).if_present()?;
        bytes = bytes.saturating_add(found.filter(|found| found.is_file()).map_or(0, |found| found.len()));
    }
    Ok(i64::try_from(bytes).ok())
}

/// Lines `Key=value` in the section `[CB]`.
fn parse(bytes: &[u8]) -> CarbonBlackInfo {
    let mut row = CarbonBlackInfo::default();
    let mut is_section = false;
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if let [b'[', name @ .., b']'] = line {
            is_section = name.eq_ignore_ascii_case(b"cb");
            continue;
        }
        let Some(equals) = memchr::memchr(b'=', line).filter(|_| is_section) else { continue };
        let (key, value) = (line[..equals].trim_ascii(), line[equals + 1..].trim_ascii());
        let place = match key {
            b"ConfigName" => {
                row.config_name = Some(text(value));
                continue;
            }
            b"SensorIpAddr" => {
                row.sensor_ip_addr = Some(text(value));
                continue;
            }
            b"SensorBackendServer" => {
                row.sensor_backend_server = Some(text(value));
                continue;
            }
            b"SensorId" => &mut row.sensor_id,
            b"CollectStoreFiles" => &mut row.collect_store_files,
            b"CollectModuleLoads" => &mut row.collect_module_loads,
            b"CollectModuleInfo" => &mut row.collect_module_info,
            b"CollectFileMods" => &mut row.collect_file_mods,
            b"CollectRegMods" => &mut row.collect_reg_mods,
            b"CollectNetConns" => &mut row.collect_net_conns,
            b"CollectProcesses" => &mut row.collect_processes,
            b"CollectCrossProcesses" => &mut row.collect_cross_processes,
            b"CollectEmetEvents" => &mut row.collect_emet_events,
            b"CollectDataFileWrites" => &mut row.collect_data_file_writes,
            b"CollectProcessUserContext" => &mut row.collect_process_user_context,
            b"CollectSensorOperations" => &mut row.collect_sensor_operations,
            b"LogFileDiskQuotaMb" => &mut row.log_file_disk_quota_mb,
            b"LogFileDiskQuotaPercentage" => &mut row.log_file_disk_quota_percentage,
            b"ProtectionDisabled" => &mut row.protection_disabled,
            _ => continue,
        };
        *place = number(value);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_in_their_section() {
        let text = b"[Other]\r\nSensorId=1\r\n[CB]\r\nSensorId=42\r\nConfigName = Default Group\nCollectNetConns=x\n\
            SensorBackendServer=https://cb.example:443\n";
        let row = parse(text);
        assert_eq!((row.sensor_id, row.config_name.as_deref()), (Some(42), Some("Default Group")));
        assert_eq!((row.collect_net_conns, row.collect_processes), (None, None));
        assert_eq!(row.sensor_backend_server.as_deref(), Some("https://cb.example:443"));
        crate::source::damaged::damaged(text, |bytes| drop(parse(bytes)));
    }
}
