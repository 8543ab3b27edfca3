//! `systemd_units`: one row per unit.

use indago_table::prelude::*;

use crate::source::dbus::Value;
use crate::source::held::HeldList;
use crate::source::systemd::{self, Manager, UNIT, Unit};
use crate::source::unit_files::{self, UnitFile};

/// Units of systemd.
///
/// On the running machine they are the loaded units, as `systemctl list-units --all` shows them. On a host that is a
/// directory of files, and inside a container, they are the unit files that systemd would find there; columns about
/// the state of a unit are NULL.
#[derive(Debug, Default, Table)]
#[table(
    name = "systemd_units",
    platforms("linux"),
    rows = 300,
    identity(id),
    namespaces,
    cost(file = 20, unit_file_state = 50, user = 20, exec_start = 20),
    batch(file = 500, unit_file_state = 500, user = 500, exec_start = 500)
)]
#[example("Failed units.", "SELECT id, description, sub_state FROM systemd_units WHERE active_state = 'failed'")]
#[example(
    "Unit files outside of the distribution's directories.",
    "SELECT id, fragment_path, user FROM systemd_units WHERE fragment_path <> '' AND fragment_path NOT LIKE '/usr/lib/%' AND fragment_path NOT LIKE '/lib/%'"
)]
pub struct SystemdUnit {
    /// Name of the unit.
    id: String,
    /// Description.
    description: String,
    /// Whether its definition could be loaded: `loaded`, `not-found`, `masked`, ...
    load_state: Option<String>,
    /// State: `active`, `inactive`, `failed`, ...
    active_state: Option<String>,
    /// State in the terms of the unit's type: `running`, `exited`, `mounted`, ...
    sub_state: Option<String>,
    /// Whether it is enabled: `enabled`, `disabled`, `static`, `masked`, ...; empty for a unit without a file.
    #[column(source = unit_file_state)]
    unit_file_state: Option<String>,
    /// Unit whose state it follows; empty if it has its own.
    following: Option<String>,
    /// Path of its D-Bus object.
    object_path: Option<String>,
    /// Number of its waiting job; 0 if there is none.
    job_id: Option<i64>,
    /// Type of its waiting job: `start`, `stop`, ...; empty if there is none.
    job_type: Option<String>,
    /// Path of its waiting job's D-Bus object; `/` if there is none.
    job_path: Option<String>,
    /// Unit file that defines it; empty if there is none.
    #[column(source = file)]
    fragment_path: Option<String>,
    /// User that it runs as; empty if it sets none. osquery reads it for services only.
    #[column(source = user)]
    user: Option<String>,
    /// File that it was generated from; empty if it was not generated.
    #[column(source = file)]
    source_path: Option<String>,
    /// Files that change settings of this unit.
    #[column(added, source = file)]
    drop_in_paths: Vec<String>,
    /// Commands that a service starts, one per line; NULL for other units.
    #[column(added, source = exec_start)]
    exec_start: Option<String>,
    /// Whether the sources query the running systemd.
    #[column(skip)]
    is_running: bool,
}

/// The origin of a warning about the columns that only a running systemd has.
const STATE: &str = "state";

impl Rows for SystemdUnit {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let (running, files) = if sys.has_live_kernel() {
            (Manager::connect(sys)?.units()?, HeldList::default())
        } else {
            if let Err(error) = sys.require_live("the state of systemd's units")
                && (scan.wants(Self::LOAD_STATE) || scan.wants(Self::ACTIVE_STATE) || scan.wants(Self::SUB_STATE))
            {
                scan.report(STATE, &error);
            }
            (Vec::new(), unit_files::unit_files(sys, &|origin, error| scan.report(origin, error))?)
        };
        Ok(running.into_iter().map(of_unit).chain(files.into_iter().map(of_file)))
    }
}

fn of_unit(unit: Unit) -> SystemdUnit {
    SystemdUnit {
        id: unit.id,
        description: unit.description,
        load_state: Some(unit.load_state),
        active_state: Some(unit.active_state),
        sub_state: Some(unit.sub_state),
        following: Some(unit.following),
        object_path: Some(unit.object_path),
        job_id: Some(unit.job_id),
        job_type: Some(unit.job_type),
        job_path: Some(unit.job_path),
        is_running: true,
        ..SystemdUnit::default()
    }
}

fn of_file(file: UnitFile) -> SystemdUnit {
    let text = |section: &str, key: &str| file.settings.last(section, key).unwrap_or_default().to_owned();
    let section = match file.name.rsplit_once('.') {
        Some((_, "socket")) => "Socket",
        Some((_, "mount")) => "Mount",
        Some((_, "swap")) => "Swap",
        _ => "Service",
    };
    let commands = file.settings.all("Service", "ExecStart").join("\n");
    SystemdUnit {
        description: text("Unit", "Description"),
        unit_file_state: Some(file.state.to_owned()),
        user: Some(text(section, "User")),
        source_path: Some(text("Unit", "SourcePath")),
        exec_start: (!commands.is_empty()).then_some(commands),
        fragment_path: Some(file.path),
        drop_in_paths: file.drop_ins,
        id: file.name,
        ..SystemdUnit::default()
    }
}

impl SystemdUnit {
    fn file(rows: &mut [Loading<'_, Self>], sys: &Sys) -> Result<()> {
        load(
            rows,
            sys,
            &["FragmentPath", "SourcePath", "DropInPaths"],
            |_| Some(UNIT),
            |row, property, value| {
                let text = value.text().map(str::to_owned);
                match property {
                    0 => row.fragment_path = text,
                    1 => row.source_path = text,
                    _ => row.drop_in_paths = value.list().iter().filter_map(Value::text).map(str::to_owned).collect(),
                }
            },
        )
    }

    fn unit_file_state(rows: &mut [Loading<'_, Self>], sys: &Sys) -> Result<()> {
        let set = |row: &mut Self, _, value: Value| row.unit_file_state = value.text().map(str::to_owned);
        load(rows, sys, &["UnitFileState"], |_| Some(UNIT), set)
    }

    fn user(rows: &mut [Loading<'_, Self>], sys: &Sys) -> Result<()> {
        for row in rows.iter_mut().filter(|row| row.is_running) {
            row.user = Some(String::new());
        }
        let runs_programs = |id: &str| systemd::interface_of(id).filter(|_| !id.ends_with(".timer"));
        load(rows, sys, &["User"], runs_programs, |row, _, value| row.user = value.text().map(str::to_owned))
    }

    fn exec_start(rows: &mut [Loading<'_, Self>], sys: &Sys) -> Result<()> {
        let of_service = |id: &str| systemd::interface_of(id).filter(|_| id.ends_with(".service"));
        load(rows, sys, &["ExecStart"], of_service, |row, _, value| {
            let commands: Vec<String> = value.list().iter().filter_map(command).collect();
            row.exec_start = (!commands.is_empty()).then(|| commands.join("\n"));
        })
    }
}

/// The arguments of a command: its second field.
fn command(fields: &Value) -> Option<String> {
    let words: Vec<&str> = fields.list().get(1)?.list().iter().filter_map(Value::text).collect();
    Some(words.join(" "))
}

/// Reads properties of the rows that come from the running systemd and have the interface.
fn load(
    rows: &mut [Loading<'_, SystemdUnit>],
    sys: &Sys,
    names: &[&str],
    interface: impl Fn(&str) -> Option<&'static str>,
    set: impl Fn(&mut SystemdUnit, usize, Value),
) -> Result<()> {
    let object = |row: &SystemdUnit| {
        let path = row.object_path.clone().filter(|_| row.is_running)?;
        Some((path, interface(&row.id)?))
    };
    systemd::load(rows, sys, names, object, set)
}
