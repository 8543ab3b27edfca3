//! `systemd_timers`: one row per timer unit.

use indago_table::prelude::*;

use crate::source::dbus::Value;
use crate::source::held::HeldList;
use crate::source::systemd::{self, Manager, UNIT, Unit};
use crate::source::unit_files::{self, UnitFile};

/// Timers of systemd: when they elapse, and what they start.
///
/// On the running machine they are the loaded timers, as `systemctl list-timers --all` shows them. On a host that is a
/// directory of files, and inside a container, they are the timers' unit files; columns about the state are NULL.
#[derive(Debug, Default, Table)]
#[table(
    name = "systemd_timers",
    platforms("linux"),
    rows = 15,
    identity(name),
    namespaces,
    cost(file = 20, schedule = 20),
    batch(file = 500, schedule = 500)
)]
#[example(
    "What timers start, and when next.",
    "SELECT name, activates, calendar, next_elapse, last_trigger FROM systemd_timers"
)]
pub struct SystemdTimer {
    /// Name of the timer unit.
    name: String,
    /// Description.
    description: String,
    /// Unit that it starts.
    #[column(source = schedule)]
    activates: Option<String>,
    /// Calendar events at which it elapses, as configured.
    #[column(source = schedule)]
    calendar: Vec<String>,
    /// Other events at which it elapses: the base and the time after it, such as `OnBootSec=15min`. The running systemd
    /// returns the time in microseconds: `OnBootUSec=900000000`.
    #[column(source = schedule)]
    intervals: Vec<String>,
    /// When it elapses next, for calendar events; NULL if it does not.
    #[column(source = schedule)]
    next_elapse: Option<Timestamp>,
    /// When it elapsed last; NULL if it has not.
    #[column(source = schedule)]
    last_trigger: Option<Timestamp>,
    /// Whether it elapses at once if it should have elapsed while the machine was off.
    #[column(source = schedule)]
    is_persistent: Option<bool>,
    /// State: `active`, `inactive`, `failed`, ...
    active_state: Option<String>,
    /// State in the terms of timers: `waiting`, `running`, `elapsed`, `dead`, ...
    sub_state: Option<String>,
    /// Whether it is enabled: `enabled`, `disabled`, `static`, `masked`, ...
    #[column(source = file)]
    unit_file_state: Option<String>,
    /// Unit file that defines it; empty if there is none.
    #[column(source = file)]
    fragment_path: Option<String>,
    /// Path of its D-Bus object.
    #[column(skip)]
    object: Option<String>,
}

impl Rows for SystemdTimer {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let (running, files) = if sys.has_live_kernel() {
            (Manager::connect(sys)?.units()?, HeldList::default())
        } else {
            if let Err(error) = sys.require_live("the state of systemd's timers")
                && (scan.wants(Self::ACTIVE_STATE) || scan.wants(Self::NEXT_ELAPSE) || scan.wants(Self::LAST_TRIGGER))
            {
                scan.report("state", &error);
            }
            (Vec::new(), unit_files::unit_files(sys, &|origin, error| scan.report(origin, error))?)
        };
        let running = running.into_iter().filter(|unit| unit.id.ends_with(TIMER)).map(of_unit);
        Ok(running.chain(files.into_iter().filter(|file| file.name.ends_with(TIMER)).map(of_file)))
    }
}

const TIMER: &str = ".timer";

fn of_unit(unit: Unit) -> SystemdTimer {
    SystemdTimer {
        name: unit.id,
        description: unit.description,
        active_state: Some(unit.active_state),
        sub_state: Some(unit.sub_state),
        object: Some(unit.object_path),
        ..SystemdTimer::default()
    }
}

/// Keys of a timer with a time after an event.
const INTERVALS: [&str; 6] =
    ["OnActiveSec", "OnBootSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec", "OnClockChange"];

fn of_file(file: UnitFile) -> SystemdTimer {
    let settings = &file.settings;
    let service = || file.name.strip_suffix(TIMER).map(|stem| format!("{stem}.service"));
    let mut intervals = Vec::new();
    for key in INTERVALS {
        intervals.extend(settings.all("Timer", key).into_iter().map(|value| format!("{key}={value}")));
    }
    SystemdTimer {
        description: settings.last("Unit", "Description").unwrap_or_default().to_owned(),
        activates: settings.last("Timer", "Unit").map(str::to_owned).or_else(service),
        calendar: settings.all("Timer", "OnCalendar").into_iter().map(str::to_owned).collect(),
        intervals,
        is_persistent: Some(settings.last("Timer", "Persistent").is_some_and(is_true)),
        unit_file_state: Some(file.state.to_owned()),
        fragment_path: Some(file.path),
        name: file.name,
        ..SystemdTimer::default()
    }
}

fn is_true(value: &str) -> bool {
    ["1", "yes", "y", "true", "t", "on"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

impl SystemdTimer {
    fn file(rows: &mut [Loading<'_, Self>], sys: &Sys) -> Result<()> {
        load(rows, sys, &["FragmentPath", "UnitFileState"], UNIT, |row, property, value| {
            let text = value.text().map(str::to_owned);
            match property {
                0 => row.fragment_path = text,
                _ => row.unit_file_state = text,
            }
        })
    }

    fn schedule(rows: &mut [Loading<'_, Self>], sys: &Sys) -> Result<()> {
        let names =
            ["Unit", "TimersCalendar", "TimersMonotonic", "NextElapseUSecRealtime", "LastTriggerUSec", "Persistent"];
        let Some(interface) = systemd::interface_of(TIMER) else { return Ok(()) };
        load(rows, sys, &names, interface, |row, property, value| match property {
            0 => row.activates = value.text().map(str::to_owned),
            // The base, the specification, and when it elapses next.
            1 => {
                let events = value.list().iter().filter_map(|event| event.list().get(1)?.text());
                row.calendar = events.map(str::to_owned).collect();
            }
            2 => {
                let event = |event: &Value| {
                    let (base, after) = (event.list().first()?.text()?, event.list().get(1)?.number()?);
                    Some(format!("{base}={after}"))
                };
                row.intervals = value.list().iter().filter_map(event).collect();
            }
            3 => row.next_elapse = time(&value),
            4 => row.last_trigger = time(&value),
            _ => row.is_persistent = value.number().map(|number| number != 0),
        })
    }
}

/// A point in time in microseconds; 0 and the largest number mean none.
fn time(value: &Value) -> Option<Timestamp> {
    let micros = value.number().filter(|micros| *micros != 0)?;
    i64::try_from(micros).ok().map(Timestamp)
}

fn load(
    rows: &mut [Loading<'_, SystemdTimer>],
    sys: &Sys,
    names: &[&str],
    interface: &'static str,
    set: impl Fn(&mut SystemdTimer, usize, Value),
) -> Result<()> {
    systemd::load(rows, sys, names, |row| Some((row.object.clone()?, interface)), set)
}
