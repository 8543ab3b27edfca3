//! `osquery_info`, `osquery_flags` and `osquery_extensions`: this program and its configuration, in osquery's form.

use std::sync::Arc;

use indago_config::Config;
use indago_packs::ScheduleTable;
use indago_table::prelude::*;
use sha1::{Digest, Sha1};

/// A configuration and the machine that it is used on.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    config: Arc<Config>,
    sys: Sys,
}

impl Environment for Program {
    const NAME: &'static str = "indago";
}

/// The tables about the program and what it schedules.
pub(crate) fn tables(config: &Config) -> Vec<TableRef> {
    let program = Program { config: Arc::new(config.clone()), sys: Sys::live() };
    let schedule = ScheduleTable::default();
    schedule.configure(config);
    let own = [Info::table(&program), Flag::table(&program), Extension::table(&program)];
    own.into_iter().chain(schedule.tables()).collect()
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The program that runs this query.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "osquery_info", env = Program, rows = 1, identity(pid, start_time))]
#[example("Version and configuration.", "SELECT version, config_hash, config_valid FROM osquery_info")]
struct Info {
    /// ID of the process.
    pid: i64,
    /// The machine's UUID, from the firmware.
    #[column(source = uuid, collate = nocase, needs = "root")]
    uuid: Option<String>,
    /// ID of this installation, derived from the ID that the operating system gave it; NULL if it has none.
    #[column(source = instance)]
    instance_id: Option<String>,
    /// Version of Indago.
    #[column(collate = version)]
    version: String,
    /// SHA-1 checksum of the settings in use, in hexadecimal.
    #[column(collate = nocase)]
    config_hash: String,
    /// Always 1: the program does not start with an invalid configuration.
    config_valid: i64,
    /// Always `inactive`: there are no extensions.
    extensions: String,
    /// Operating system that the program was built for.
    build_platform: String,
    /// Processor architecture that the program was built for.
    build_distro: String,
    /// Start of the process, in Unix seconds.
    #[column(source = start)]
    start_time: Option<i64>,
    /// Always -1: no other process watches it.
    watcher: i64,
    /// Bits of the operating system: 1 POSIX, 8 Linux.
    platform_mask: i64,
}

impl Rows for Info {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let settings = Config { file: None, ..Config::clone(&scan.env().config) };
        let config = Sha1::digest(format!("{settings:?}"));
        Ok(std::iter::once(Info {
            pid: std::process::id().into(),
            version: VERSION.to_owned(),
            config_hash: hexadecimal(&config),
            config_valid: 1,
            extensions: "inactive".to_owned(),
            build_platform: std::env::consts::OS.to_owned(),
            build_distro: std::env::consts::ARCH.to_owned(),
            watcher: -1,
            platform_mask: 9,
            ..Info::default()
        }))
    }
}

impl Info {
    fn uuid(&mut self, program: &Program) -> Result<()> {
        let uuid = program.sys.read_text("/sys/class/dmi/id/product_uuid").needs("root").if_present()?;
        self.uuid = uuid.map(|uuid| uuid.trim().to_owned());
        Ok(())
    }

    fn instance(&mut self, program: &Program) -> Result<()> {
        let machine = program.sys.read_text("/etc/machine-id").if_present()?;
        let machine = machine.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        self.instance_id = machine.map(|id| {
            let text = hexadecimal(&Sha1::digest(format!("indago {id}")));
            [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..32]].join("-")
        });
        Ok(())
    }

    /// From the start of the machine, and the ticks from there to the start of the process.
    fn start(&mut self, program: &Program) -> Result<()> {
        let sys = &program.sys;
        let stat = sys.read_text("/proc/self/stat")?;
        // The name of the program, in parentheses, can contain anything.
        let ticks =
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19)?.parse::<i64>().ok());
        let machine = sys.read_text("/proc/stat")?;
        let boot = machine.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<i64>().ok());
        self.start_time = boot.zip(ticks).map(|(boot, ticks)| boot + ticks / sys.clock_ticks());
        Ok(())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Settings of the configuration.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "osquery_flags", env = Program, rows = 50, identity(name))]
#[example(
    "Settings that differ from their default.",
    "SELECT name, value FROM osquery_flags WHERE value <> default_value"
)]
struct Flag {
    /// Section and key: `limits.timeout`.
    name: String,
    /// Type of the value.
    r#type: String,
    /// What it does.
    description: String,
    /// Default, in TOML; empty if the key is not set by default.
    default_value: String,
    /// Value in use, in TOML; empty if the key is not set.
    value: String,
    /// Always 0: all settings apply to all commands.
    shell_only: i64,
}

impl Rows for Flag {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(scan.env().config.settings().into_iter().map(|(key, value)| Flag {
            name: format!("{}.{}", key.section, key.key),
            r#type: key.kind.replace('`', ""),
            description: key.description,
            default_value: key.default.unwrap_or_default(),
            value: value.unwrap_or_default(),
            shell_only: 0,
        }))
    }
}

/// Extensions: only the program itself, because Indago has none.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "osquery_extensions", env = Program, rows = 1, identity(uuid))]
#[example("All extensions.", "SELECT uuid, name, version, type FROM osquery_extensions")]
struct Extension {
    /// Always 0: the program itself.
    uuid: i64,
    /// Always `core`.
    name: String,
    /// Version of Indago.
    #[column(collate = version)]
    version: String,
    /// Version of osquery whose tables and SQL are supported.
    #[column(collate = version)]
    sdk_version: String,
    /// Always empty: there is no socket for extensions.
    path: String,
    /// Always `core`.
    r#type: String,
}

impl Rows for Extension {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::once(Extension {
            uuid: 0,
            name: "core".to_owned(),
            version: VERSION.to_owned(),
            sdk_version: indago_packs::OSQUERY_VERSION.to_owned(),
            path: String::new(),
            r#type: "core".to_owned(),
        }))
    }
}
