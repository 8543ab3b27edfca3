//! `persistence`: one row per program that starts by itself.

use std::cell::RefCell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::authorized_keys;
use crate::ld_preload;
use crate::source::held::{HeldList, owned};
use crate::source::homes::{self, Home};
use crate::source::texts::{Texts, settings, split_word};
use crate::source::unit_files::{self, Settings};
use crate::source::{at_jobs, cron, desktop, glob, pam, udev};

/// Programs that start by themselves, with the file that starts them: with the machine, with a session, at a time, or
/// with an event.
///
/// These are jobs of cron, anacron and at, units and generators of systemd (also those of users), scripts of init
/// systems, scripts of shells and sessions, programs that desktops start, libraries that are loaded into all programs,
/// commands of authorized keys and of PAM, programs of udev, and modules of the kernel.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "persistence", platforms("linux"), rows = 500, identity(kind, name, file, line, command), namespaces)]
#[example(
    "What starts from directories that anyone can write to.",
    "SELECT kind, file, command, username FROM persistence WHERE command LIKE '%/tmp/%' OR command LIKE '%/dev/shm/%'"
)]
#[example(
    "What the administrator or an intruder set up with systemd.",
    "SELECT name, command, username, event FROM persistence WHERE kind = 'systemd' AND file LIKE '/etc/%'"
)]
pub struct Persistence {
    /// Mechanism: `cron`, `anacron`, `at`, `systemd`, `systemd-user`, `systemd-generator`, `init`, `inittab`,
    /// `rc.local`, `shell`, `session`, `autostart`, `ld.so.preload`, `authorized_keys`, `ssh`, `pam`, `udev`, `module`,
    /// `modprobe`, `motd` or `network`.
    kind: String,
    /// Name within the mechanism: of a unit, job, module or script.
    name: String,
    /// What runs: a command, or the path of a script or library.
    command: String,
    /// User that it runs as, or whose session starts it; NULL if the mechanism runs it as root or in all sessions.
    username: Option<String>,
    /// When it runs: a time, or an event such as `boot`, `login` or a rule of udev.
    event: String,
    /// Whether it is enabled, for units: `enabled`, `static`, `disabled`, `masked`, ...; NULL if the mechanism has no
    /// such state.
    status: Option<String>,
    /// File that starts it.
    file: String,
    /// Line in the file, from 1; NULL if the entire file is meant.
    line: Option<i64>,
}

/// Directories of scripts that run at an event.
const SCRIPTS: [(&str, &str, &str); 16] = [
    ("cron", "/etc/cron.hourly", "hourly"),
    ("cron", "/etc/cron.daily", "daily"),
    ("cron", "/etc/cron.weekly", "weekly"),
    ("cron", "/etc/cron.monthly", "monthly"),
    ("init", "/etc/init.d", "boot"),
    ("init", "/etc/rc.d/init.d", "boot"),
    ("systemd-generator", "/etc/systemd/system-generators", "boot"),
    ("systemd-generator", "/run/systemd/system-generators", "boot"),
    ("systemd-generator", "/usr/local/lib/systemd/system-generators", "boot"),
    ("systemd-generator", "/usr/lib/systemd/system-generators", "boot"),
    ("motd", "/etc/update-motd.d", "login"),
    ("network", "/etc/network/if-pre-up.d", "network"),
    ("network", "/etc/network/if-up.d", "network"),
    ("network", "/etc/NetworkManager/dispatcher.d", "network"),
    ("network", "/etc/dhcp/dhclient-exit-hooks.d", "network"),
    ("session", "/etc/X11/Xsession.d", "login"),
];

/// Single scripts, and patterns of them.
const FILES: [(&str, &str, &str); 14] = [
    ("rc.local", "/etc/rc.local", "boot"),
    ("rc.local", "/etc/rc.d/rc.local", "boot"),
    ("shell", "/etc/profile", "login"),
    ("shell", "/etc/profile.d/*", "login"),
    ("shell", "/etc/bash.bashrc", "shell"),
    ("shell", "/etc/bashrc", "shell"),
    ("shell", "/etc/bash.bash_logout", "logout"),
    ("shell", "/etc/zshenv", "shell"),
    ("shell", "/etc/zsh/zshenv", "shell"),
    ("shell", "/etc/zsh/zshrc", "shell"),
    ("shell", "/etc/zsh/zprofile", "login"),
    ("shell", "/etc/zsh/zlogin", "login"),
    ("shell", "/etc/fish/config.fish", "shell"),
    ("ssh", "/etc/ssh/sshrc", "login"),
];

/// Scripts in home directories.
const FILES_OF_USERS: [(&str, &str, &str); 16] = [
    ("shell", ".profile", "login"),
    ("shell", ".bash_profile", "login"),
    ("shell", ".bash_login", "login"),
    ("shell", ".bashrc", "shell"),
    ("shell", ".bash_logout", "logout"),
    ("shell", ".zshenv", "shell"),
    ("shell", ".zshrc", "shell"),
    ("shell", ".zprofile", "login"),
    ("shell", ".zlogin", "login"),
    ("shell", ".kshrc", "shell"),
    ("shell", ".cshrc", "shell"),
    ("shell", ".config/fish/config.fish", "shell"),
    ("session", ".xprofile", "login"),
    ("session", ".xinitrc", "login"),
    ("session", ".xsession", "login"),
    ("ssh", ".ssh/rc", "login"),
];

impl Rows for Persistence {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = |error: &Error| scan.report("entries", error);
        if sys.metadata("/etc").if_present()?.is_none() {
            return Err(Error::Unsupported("nothing starts by itself here (/etc does not exist)".to_owned()));
        }
        let homes = homes::all(sys, |origin, error| scan.report(origin, error)).unwrap_or_else(|error| {
            report(&error);
            HeldList::default()
        });
        let parts: [fn(&Found<'_>) -> Result<()>; 8] =
            [of_cron, of_scripts, of_users, of_units, of_user_units, of_loader_and_pam, of_devices, of_inittab];
        let rows = RefCell::new(HeldList::new(sys));
        for part in parts {
            sys.check_cancelled()?;
            part(&Found { texts: Texts::new(sys, &report), homes: &homes, rows: &rows })?;
        }
        Ok(rows.into_inner().into_iter())
    }
}

/// What the parts of the table read.
struct Found<'a> {
    texts: Texts<'a>,
    homes: &'a [Home],
    rows: &'a RefCell<HeldList<Persistence>>,
}

impl Found<'_> {
    /// Adds rows to the table.
    fn add(&self, rows: impl IntoIterator<Item = Persistence>) -> Result<()> {
        rows.into_iter().try_for_each(|row| {
            let optional = [&row.username, &row.status].map(|text| text.as_deref().unwrap_or_default());
            let owned = owned([&row.kind, &row.name, &row.command, &row.event, &row.file]) + owned(optional);
            self.rows.borrow_mut().push(row, owned)
        })
    }

    fn row(&self, kind: &str, file: &Path, event: &str, command: impl Into<String>) -> Persistence {
        let name = file.file_name().map(|name| self.texts.sys.path_text(name));
        Persistence {
            kind: kind.to_owned(),
            name: name.unwrap_or_default(),
            command: command.into(),
            event: event.to_owned(),
            file: self.texts.sys.path_text(file),
            ..Persistence::default()
        }
    }

    /// A row for a script, if it exists.
    fn script(&self, kind: &str, file: &Path, event: &str) -> Option<Persistence> {
        let metadata = self.texts.got(self.texts.sys.metadata(file))?;
        // Init runs only those that are executable.
        let runs = kind != "rc.local" || metadata.mode() & 0o111 != 0;
        (self.texts.is_file(file, &metadata) && runs)
            .then(|| self.row(kind, file, event, self.texts.sys.path_text(file)))
    }
}

fn of_cron(found: &Found<'_>) -> Result<()> {
    // A host without cron has no rows of it.
    let jobs = absent_is_empty(cron::jobs(&found.texts))?.into_iter().map(|job| Persistence {
        username: Some(job.user),
        line: Some(job.line as i64),
        ..found.row("cron", &job.path, &job.when.join(" "), job.shell_command)
    });
    found.add(jobs)?;
    let file = Path::new("/etc/anacrontab");
    for (line, content) in settings(&found.texts.text(file).unwrap_or_default()) {
        let (period, rest) = split_word(content);
        let (delay, rest) = split_word(rest);
        let (name, command) = split_word(rest);
        // Others are variables.
        if !command.is_empty() && delay.parse::<u32>().is_ok() {
            let event = format!("every {period} days");
            let event = if period.starts_with('@') { period } else { &event };
            let row = found.row("anacron", file, event, command);
            found.add([Persistence { name: name.to_owned(), line: Some(line as i64), ..row }])?;
        }
    }
    let jobs = at_jobs::jobs(&found.texts);
    found.add(jobs.map(|job| Persistence { username: job.user, ..found.row("at", &job.path, &job.time, job.command) }))
}

/// Entries of a mechanism that the host may not have. An error that ends the query is not that.
fn absent_is_empty<T>(entries: Result<HeldList<T>>) -> Result<HeldList<T>> {
    entries.or_else(|error| if error.ends_query() { Err(error) } else { Ok(HeldList::default()) })
}

fn of_scripts(found: &Found<'_>) -> Result<()> {
    for (kind, directory, event) in SCRIPTS {
        let files = found.texts.files_in(directory).into_iter();
        // Placeholders and files of the package manager do not run.
        let scripts = files.filter(|path| {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            kind == "session" || kind == "systemd-generator" || !name.contains(&b'.') && name != b"README"
        });
        found.add(scripts.filter_map(|path| found.script(kind, &path, event)))?;
    }
    for (kind, pattern, event) in FILES {
        let paths = glob::expand(&found.texts, pattern).into_iter();
        found.add(paths.filter_map(|path| found.script(kind, &path, event)))?;
    }
    autostart(found, Path::new("/etc/xdg/autostart"), None)
}

fn autostart(found: &Found<'_>, directory: &Path, user: Option<&str>) -> Result<()> {
    let entries = desktop::entries(&found.texts, directory);
    let rows = entries.map(|(path, entry)| {
        let row = found.row("autostart", &path, "login", entry.command.unwrap_or_default());
        Persistence {
            name: entry.name.unwrap_or_else(|| row.name.clone()),
            username: user.map(str::to_owned),
            status: Some(if entry.is_enabled { "enabled" } else { "disabled" }.to_owned()),
            ..row
        }
    });
    found.add(rows)
}

fn of_users(found: &Found<'_>) -> Result<()> {
    for home in found.homes {
        let own = |row: Persistence| Persistence { username: Some(home.name.clone()), ..row };
        let scripts = FILES_OF_USERS.iter();
        let scripts = scripts.filter_map(|(kind, name, event)| found.script(kind, &home.directory.join(name), event));
        found.add(scripts.map(own))?;
        autostart(found, &home.directory.join(".config/autostart"), Some(&home.name))?;
        for path in found.texts.files_in(home.directory.join(".config/autostart-scripts")) {
            found.add(found.script("autostart", &path, "login").map(own))?;
        }
        for name in authorized_keys::FILES {
            let file = home.directory.join(name);
            for (line, content) in settings(&found.texts.text(&file).unwrap_or_default()) {
                if let Some(command) = authorized_keys::command(content) {
                    let row = found.row("authorized_keys", &file, "login", command);
                    found.add([own(Persistence { line: Some(line as i64), ..row })])?;
                }
            }
        }
    }
    Ok(())
}

/// Settings of services that are commands.
const COMMANDS: [&str; 6] = ["ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"];

/// Settings of timers and paths that are events.
const EVENTS: [(&str, &str); 12] = [
    ("Timer", "OnCalendar"),
    ("Timer", "OnBootSec"),
    ("Timer", "OnStartupSec"),
    ("Timer", "OnActiveSec"),
    ("Timer", "OnUnitActiveSec"),
    ("Timer", "OnUnitInactiveSec"),
    ("Path", "PathExists"),
    ("Path", "PathExistsGlob"),
    ("Path", "PathChanged"),
    ("Path", "PathModified"),
    ("Path", "DirectoryNotEmpty"),
    ("Socket", "ListenStream"),
];

fn of_units(found: &Found<'_>) -> Result<()> {
    let report = |_: &str, error: &Error| found.texts.report(error);
    match unit_files::unit_files(found.texts.sys, &report) {
        Ok(units) => units.iter().try_for_each(|unit| {
            let (settings, state) = (&unit.settings, Some(unit.state));
            let user = settings.last("Service", "User");
            of_unit(found, "systemd", &unit.name, Path::new(&unit.path), settings, state, user)
        }),
        // Other init systems have no units.
        Err(Error::Absent(_)) => Ok(()),
        Err(error) if error.ends_query() => Err(error),
        Err(error) => {
            found.texts.report(&error);
            Ok(())
        }
    }
}

/// What a unit runs, and for a timer, path or socket the unit that it starts.
fn of_unit(
    found: &Found<'_>,
    kind: &str,
    name: &str,
    path: &Path,
    settings: &Settings,
    state: Option<&str>,
    user: Option<&str>,
) -> Result<()> {
    let events: Vec<String> = EVENTS
        .iter()
        .flat_map(|(section, key)| settings.all(section, key).into_iter().map(move |value| format!("{key}={value}")))
        .collect();
    let base = |event: &str, command: &str| Persistence {
        name: name.to_owned(),
        username: user.map(str::to_owned),
        status: state.map(str::to_owned),
        ..found.row(kind, path, event, command)
    };
    if !events.is_empty() {
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let sections = ["Timer", "Path", "Socket"].iter();
        let named = sections.flat_map(|section| [(*section, "Unit"), (*section, "Service")]);
        let started = named.into_iter().find_map(|(section, key)| settings.last(section, key));
        let started = started.map_or_else(|| format!("{stem}.service"), str::to_owned);
        return found.add([base(&events.join(", "), &started)]);
    }
    let wanted = ["WantedBy", "RequiredBy", "UpheldBy"].iter().flat_map(|key| settings.all("Install", key));
    let event = wanted.collect::<Vec<_>>().join(", ");
    let commands = COMMANDS.iter().flat_map(|key| settings.all("Service", key));
    found.add(commands.map(|command| base(&event, command)))
}

/// Directories of the units that systemd runs for users.
const USER_UNITS: [&str; 5] = [
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/local/share/systemd/user",
    "/usr/lib/systemd/user",
];

fn of_user_units(found: &Found<'_>) -> Result<()> {
    let own = found.homes.iter().flat_map(|home| {
        [".config/systemd/user", ".local/share/systemd/user"].map(|name| (home.directory.join(name), Some(&home.name)))
    });
    for (directory, user) in USER_UNITS.iter().map(|name| (PathBuf::from(name), None)).chain(own) {
        for path in found.texts.files_in(directory) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| unit_files::is_unit(name))
            else {
                continue;
            };
            let Some(text) = found.texts.text(&path) else { continue };
            let user = user.map(String::as_str);
            of_unit(found, "systemd-user", name, &path, &Settings::of(&text), None, user)?;
        }
    }
    Ok(())
}

fn of_loader_and_pam(found: &Found<'_>) -> Result<()> {
    let libraries = ld_preload::preloaded(&found.texts)?.into_iter();
    found.add(libraries.map(|(line, library)| Persistence {
        line: Some(line),
        ..found.row("ld.so.preload", Path::new(ld_preload::PRELOAD), "start of any program", library)
    }))?;
    // A host without PAM has no modules.
    let modules = absent_is_empty(pam::modules(&found.texts))?.into_iter();
    let running =
        modules.filter(|module| module.module.ends_with("pam_exec.so") || module.module.ends_with("pam_script.so"));
    found.add(running.map(|module| Persistence {
        name: module.service,
        line: Some(module.line as i64),
        ..found.row("pam", &module.file, &module.kind, module.arguments)
    }))
}

fn of_devices(found: &Found<'_>) -> Result<()> {
    found.add(udev::programs(&found.texts)?.into_iter().map(|program| Persistence {
        line: Some(program.line as i64),
        ..found.row("udev", &program.file, &program.matches, program.command)
    }))?;
    let lists = ["/etc/modules", "/etc/modules-load.d/*", "/usr/lib/modules-load.d/*", "/run/modules-load.d/*"];
    for path in lists.iter().flat_map(|pattern| glob::expand(&found.texts, pattern)) {
        for (line, content) in settings(&found.texts.text(&path).unwrap_or_default()) {
            let row = found.row("module", &path, "boot", content);
            found.add([Persistence { name: split_word(content).0.to_owned(), line: Some(line as i64), ..row }])?;
        }
    }
    let lists = ["/etc/modprobe.d/*", "/usr/lib/modprobe.d/*", "/run/modprobe.d/*"];
    for path in lists.iter().flat_map(|pattern| glob::expand(&found.texts, pattern)) {
        for (line, content) in settings(&found.texts.text(&path).unwrap_or_default()) {
            let ("install" | "remove", rest) = split_word(content) else { continue };
            let (module, command) = split_word(rest);
            let row = found.row("modprobe", &path, "load of the module", command);
            found.add([Persistence { name: module.to_owned(), line: Some(line as i64), ..row }])?;
        }
    }
    Ok(())
}

fn of_inittab(found: &Found<'_>) -> Result<()> {
    let file = Path::new("/etc/inittab");
    let text = found.texts.text(file).unwrap_or_default();
    let rows = settings(&text).filter_map(|(line, content)| {
        let mut fields = content.splitn(4, ':');
        let (name, levels, action, command) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let event = format!("{action} {levels}").trim_end().to_owned();
        let row = found.row("inittab", file, &event, command);
        (!command.is_empty()).then(|| Persistence { name: name.to_owned(), line: Some(line as i64), ..row })
    });
    found.add(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_charged_with_each_of_its_commands() {
        let root = tempfile::tempdir().expect("a directory");
        let (sys, limit) = crate::source::held::limited(root.path(), 1 << 20);
        let report = |error: &Error| panic!("{error}");
        let read = |commands| {
            let rows = RefCell::new(HeldList::new(&sys));
            let found = Found { texts: Texts::new(&sys, &report), homes: &[], rows: &rows };
            let (targets, commands) = ("t".repeat(10_000), "ExecStart=/a\n".repeat(commands));
            let settings = Settings::of(&format!("[Service]\n{commands}[Install]\nWantedBy={targets}\n"));
            of_unit(&found, "systemd", "a.service", Path::new("/a.service"), &settings, None, None)?;
            Ok(rows.into_inner().len())
        };
        assert_eq!(read(50), Ok(50));
        assert!(matches!(read(200), Err(Error::OutOfMemory(_))));
        assert_eq!(limit.left(), 1 << 20);
    }
}
