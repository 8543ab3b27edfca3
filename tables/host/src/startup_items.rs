//! `startup_items`: one row per program that starts with a session or with the machine.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::desktop;
use crate::source::held::{HeldList, owned};
use crate::source::homes;
use crate::source::systemd::{Manager, UNIT};
use crate::source::texts::Texts;
use crate::source::unit_files;

/// Programs that start with a session of a desktop, the scripts in `/etc/init.d`, and the units of systemd.
///
/// On the running machine the units are those that systemd has loaded. On a host that is a directory of files, and
/// inside a container, they are the unit files.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "startup_items", platforms("linux"), rows = 250, identity(name, path, source), namespaces)]
#[example(
    "What starts in sessions of users.",
    "SELECT username, name, path FROM startup_items WHERE type = 'Startup Item' AND username IS NOT NULL"
)]
pub struct StartupItem {
    /// Name: of the program, the script, or the unit.
    name: Option<String>,
    /// Command of a program, as its file has it; path of a script or unit file.
    path: Option<String>,
    /// Always NULL: the arguments are in `path`.
    args: Option<String>,
    /// `Startup Item` or `systemd unit`.
    r#type: String,
    /// Directory of the program's or script's file; file that a unit was generated from, or empty.
    source: String,
    /// `enabled` or `disabled`. Of a loaded unit its state, such as `active`; of a unit file whether it is enabled.
    status: String,
    /// User whose session or home directory it belongs to, or that the unit runs as; empty for a unit that sets none,
    /// NULL for programs and scripts of all users.
    username: Option<String>,
}

impl Rows for StartupItem {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = |error: &Error| scan.report("items", error);
        let texts = Texts::new(sys, &report);
        let mut rows = HeldList::new(sys);
        let homes = homes::all(sys, |origin, error| scan.report(origin, error)).unwrap_or_else(|error| {
            report(&error);
            HeldList::default()
        });
        for home in homes {
            let programs = home.directory.join(".config/autostart");
            add(programs_in(&texts, &programs, Some(&home.name)), &mut rows)?;
            let scripts = home.directory.join(".config/autostart-scripts");
            add(scripts_in(&texts, &scripts, Some(&home.name)), &mut rows)?;
        }
        add(scripts_in(&texts, Path::new("/etc/init.d"), None), &mut rows)?;
        add(programs_in(&texts, Path::new("/etc/xdg/autostart"), None), &mut rows)?;
        match units(sys, &|origin, error| scan.report(origin, error)) {
            Ok(units) => add(units, &mut rows)?,
            Err(error) => report(&error),
        }
        Ok(rows.into_iter())
    }
}

fn add(found: impl IntoIterator<Item = StartupItem>, rows: &mut HeldList<StartupItem>) -> Result<()> {
    found.into_iter().try_for_each(|row| {
        let optional = [&row.name, &row.path, &row.args, &row.username].map(|text| text.as_deref().unwrap_or_default());
        let owned = owned([&row.r#type, &row.source, &row.status]) + owned(optional);
        rows.push(row, owned)
    })
}

fn programs_in(texts: &Texts<'_>, directory: &Path, user: Option<&str>) -> impl Iterator<Item = StartupItem> {
    let entries = desktop::entries(texts, directory);
    entries.map(move |(_, entry)| StartupItem {
        name: entry.name,
        path: entry.command,
        r#type: ITEM.to_owned(),
        source: format!("{}/", directory.display()),
        status: if entry.is_enabled { "enabled" } else { "disabled" }.to_owned(),
        username: user.map(str::to_owned),
        args: None,
    })
}

fn scripts_in(texts: &Texts<'_>, directory: &Path, user: Option<&str>) -> impl Iterator<Item = StartupItem> {
    texts.files_in(directory).into_iter().map(move |path: PathBuf| StartupItem {
        name: path.file_name().map(|name| texts.sys.path_text(name)),
        path: Some(texts.sys.path_text(&path)),
        r#type: ITEM.to_owned(),
        source: format!("{}/", directory.display()),
        status: "enabled".to_owned(),
        username: user.map(str::to_owned),
        args: None,
    })
}

const ITEM: &str = "Startup Item";

fn units(sys: &Sys, report: &dyn Fn(&str, &Error)) -> Result<Vec<StartupItem>> {
    let row = |name: String, path: String, source: String, status: String, user: Option<String>| StartupItem {
        name: Some(name),
        path: Some(path),
        args: None,
        r#type: "systemd unit".to_owned(),
        source,
        status,
        username: Some(user.unwrap_or_default()),
    };
    if !sys.has_live_kernel() {
        let files = unit_files::unit_files(sys, report)?;
        let user = |file: &unit_files::UnitFile| file.settings.last("Service", "User").map(str::to_owned);
        let rows = files.into_iter().map(|file| {
            let user = user(&file);
            row(file.name, file.path, String::new(), file.state.to_owned(), user)
        });
        return Ok(rows.collect());
    }
    let mut manager = Manager::connect(sys)?;
    let units = manager.units()?;
    let wanted = units.iter().flat_map(|unit| {
        let path = unit.object_path.as_str();
        [(path, UNIT, "FragmentPath"), (path, UNIT, "SourcePath"), (path, SERVICE, "User")]
    });
    // Only services have a user.
    let wanted: Vec<_> = wanted.collect();
    let mut values = manager.properties(&wanted)?.into_iter();
    let mut rows = Vec::with_capacity(units.len());
    for unit in units {
        let mut text = || match values.next() {
            Some(Ok(Some(value))) => value.text().unwrap_or_default().to_owned(),
            Some(Err(error)) => {
                report(&unit.id, &error);
                String::new()
            }
            _ => String::new(),
        };
        let (path, source, user) = (text(), text(), text());
        rows.push(row(unit.id.clone(), path, source, unit.active_state.clone(), Some(user)));
    }
    Ok(rows)
}

const SERVICE: &str = "org.freedesktop.systemd1.Service";
