//! systemd's unit files: which file defines a unit, what it contains, and whether it is enabled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_table::prelude::*;

use super::held::{HeldList, owned, owned_bytes};

/// Directories of unit files; a file in an earlier one hides files of the same name in later ones.
const FOLDERS: [&str; 11] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// Where links enable units, for good and until the next boot.
const ENABLING: [(&str, &str); 2] = [("/etc/systemd/system", "enabled"), ("/run/systemd/system", "enabled-runtime")];

const TYPES: [&str; 11] =
    ["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];

/// Largest unit file.
const MOST_BYTES: u64 = 1 << 20;

/// A unit file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UnitFile {
    pub(crate) name: String,
    pub(crate) path: String,
    /// Whether it is enabled, as `systemctl list-unit-files` shows it.
    pub(crate) state: &'static str,
    pub(crate) settings: Settings,
    /// Files that change settings of this unit.
    pub(crate) drop_ins: Vec<String>,
}

/// The assignments of a unit file and its drop-ins, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings(Vec<(Arc<str>, String, String)>);

impl Settings {
    /// The settings of one file.
    pub(crate) fn of(text: &str) -> Self {
        let mut settings = Settings::default();
        settings.add(text);
        settings
    }

    /// All values of a key that may be repeated. An empty value removes those before it.
    pub(crate) fn all(&self, section: &str, key: &str) -> Vec<&str> {
        let mut values = Vec::new();
        for (in_section, name, value) in &self.0 {
            match () {
                () if **in_section != *section || name != key => {}
                () if value.is_empty() => values.clear(),
                () => values.push(value.as_str()),
            }
        }
        values
    }

    /// The value of a key: the last one.
    pub(crate) fn last(&self, section: &str, key: &str) -> Option<&str> {
        self.all(section, key).pop()
    }

    /// Bytes of memory. A name of a section counts once for each setting that follows it directly.
    fn owned(&self) -> usize {
        let mut last: Option<&Arc<str>> = None;
        // A list that grew has at most twice the capacity that it needs.
        let mut bytes = owned_bytes(2 * size_of_val(self.0.as_slice()));
        for (section, key, value) in &self.0 {
            let is_new = last.is_none_or(|last| !Arc::ptr_eq(last, section));
            bytes += owned([key, value]) + if is_new { owned([section]) } else { 0 };
            last = Some(section);
        }
        bytes
    }

    /// Adds the assignments of a text. A line that ends in a backslash continues in the next line that is not a
    /// comment.
    fn add(&mut self, text: &str) {
        let mut section = "".into();
        let mut continued: Option<String> = None;
        for line in text.lines() {
            let line = line.trim();
            if line.starts_with(['#', ';']) || line.is_empty() && continued.is_none() {
                continue;
            }
            let whole = match continued.take() {
                Some(start) => start + line,
                None => line.to_owned(),
            };
            if let Some(start) = whole.strip_suffix('\\') {
                continued = Some(format!("{start} "));
                continue;
            }
            self.add_line(&mut section, &whole);
        }
        if let Some(rest) = continued {
            self.add_line(&mut section, rest.trim_end());
        }
    }

    fn add_line(&mut self, section: &mut Arc<str>, line: &str) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            *section = name.into();
        } else if let Some((key, value)) = line.split_once('=') {
            self.0.push((section.clone(), key.trim_end().to_owned(), value.trim_start().to_owned()));
        }
    }
}

/// All unit files, by name. Files that cannot be read are reported.
pub(crate) fn unit_files(sys: &Sys, report: &dyn Fn(&str, &Error)) -> Result<HeldList<UnitFile>> {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut drop_ins: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    let mut exists = false;
    for folder in FOLDERS {
        let entries = match sys.entries(folder).if_present() {
            Ok(Some(entries)) => entries,
            Ok(None) => continue,
            Err(error) => {
                report(folder, &error);
                continue;
            }
        };
        exists = true;
        for (name, kind) in entries {
            let path = Path::new(folder).join(&name);
            let Some(name) = name.to_str() else { continue };
            if let Some(unit) = name.strip_suffix(".d").filter(|_| kind.is_dir()) {
                for (file, path) in names(sys, &path, report) {
                    if file.ends_with(".conf") {
                        drop_ins.entry(unit.to_owned()).or_default().entry(file).or_insert(path);
                    }
                }
            } else if is_unit(name) && !kind.is_dir() {
                files.entry(name.to_owned()).or_insert(path);
            }
        }
    }
    if !exists {
        return Err(Error::Absent("this host has no unit files of systemd (/usr/lib/systemd/system)".to_owned()));
    }
    let links = Links::of(sys, report);
    let mut units = HeldList::new(sys);
    for (name, path) in &files {
        sys.check_cancelled()?;
        let own = drop_ins.get(name).into_iter().flatten();
        let drop_ins: Vec<&PathBuf> = own.map(|(_, path)| path).collect();
        match unit_file(sys, name, path, &drop_ins, &links, report) {
            Ok(unit) => {
                let paths = unit.drop_ins.iter().map(|path| owned_bytes(path.len() + size_of::<String>()));
                let owned = owned([&unit.name, &unit.path]) + unit.settings.owned() + paths.sum::<usize>();
                units.push(unit, owned)?;
            }
            Err(Error::Gone(_)) => {}
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => report(&path.display().to_string(), &error),
        }
    }
    Ok(units)
}

pub(crate) fn is_unit(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, kind)| !stem.is_empty() && TYPES.contains(&kind))
}

/// The names in a directory with their paths. A missing directory has none.
fn names(sys: &Sys, folder: &Path, report: &dyn Fn(&str, &Error)) -> Vec<(String, PathBuf)> {
    match sys.read_dir(folder).if_present() {
        Ok(names) => {
            let names = names.into_iter().flatten();
            names.filter_map(|name| Some((name.to_str()?.to_owned(), folder.join(&name)))).collect()
        }
        Err(error) => {
            report(&folder.display().to_string(), &error);
            Vec::new()
        }
    }
}

/// Names of the links that enable units, with the state that they cause.
#[derive(Default)]
struct Links {
    /// In `.wants` and `.requires` directories.
    started: BTreeMap<String, &'static str>,
    /// Other names of units, such as `display-manager.service`.
    aliases: BTreeMap<String, &'static str>,
    /// Units and templates with a link of another name.
    targets: BTreeSet<String>,
}

impl Links {
    fn of(sys: &Sys, report: &dyn Fn(&str, &Error)) -> Self {
        let mut links = Links::default();
        for (folder, state) in ENABLING {
            for (name, path) in names(sys, Path::new(folder), report) {
                if name.ends_with(".wants") || name.ends_with(".requires") {
                    for (unit, _) in names(sys, &path, report) {
                        links.targets.extend(template_of(&unit).filter(|template| *template != unit));
                        links.started.entry(unit).or_insert(state);
                    }
                } else if let Ok(target) = sys.read_link(&path)
                    && let Some(target) = target.file_name().and_then(|target| target.to_str())
                    && is_unit(&name)
                    && target != name
                {
                    links.targets.insert(target.to_owned());
                    links.aliases.entry(name).or_insert(state);
                }
            }
        }
        links
    }

    /// The state of a unit with a link that its own settings ask for: by its name, an alias or its default instance.
    fn state(&self, unit: &UnitFile) -> Option<&'static str> {
        let words = |key| unit.settings.all("Install", key).into_iter().flat_map(str::split_whitespace);
        let instance = unit.settings.last("Install", "DefaultInstance").and_then(|instance| {
            let (start, kind) = unit.name.split_once("@.")?;
            Some(format!("{start}@{instance}.{kind}"))
        });
        let started =
            [Some(&unit.name), instance.as_ref()].into_iter().flatten().find_map(|name| self.started.get(name));
        let alias = || words("Alias").find_map(|name| self.started.get(name).or_else(|| self.aliases.get(name)));
        started.or_else(alias).copied()
    }
}

/// `getty@.service` for `getty@tty1.service`.
fn template_of(unit: &str) -> Option<String> {
    let (start, rest) = unit.split_once('@')?;
    let (_, kind) = rest.rsplit_once('.')?;
    Some(format!("{start}@.{kind}"))
}

fn unit_file(
    sys: &Sys,
    name: &str,
    path: &Path,
    drop_ins: &[&PathBuf],
    links: &Links,
    report: &dyn Fn(&str, &Error),
) -> Result<UnitFile> {
    let in_runtime = path.starts_with("/run");
    let mut unit = UnitFile { name: name.to_owned(), path: sys.path_text(path), ..UnitFile::default() };
    let link = sys.symlink_metadata(path)?.is_symlink().then(|| sys.read_link(path)).transpose()?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let target = link.map(|target| folder.join(target));
    let is_masked = match &target {
        Some(target) => target == Path::new("/dev/null"),
        None => {
            let metadata = sys.metadata(path)?;
            metadata.is_file() && metadata.len() == 0
        }
    };
    if is_masked {
        unit.state = if in_runtime { "masked-runtime" } else { "masked" };
        return Ok(unit);
    }
    match sys.read_at_most(path, MOST_BYTES) {
        Ok(bytes) => unit.settings.add(&sys.text(&bytes)),
        // A link to a file that is missing is a unit that cannot be loaded.
        Err(Error::Gone(_)) if target.is_some() => {}
        Err(error) => return Err(error),
    }
    for drop_in in drop_ins {
        match sys.read_at_most(drop_in, MOST_BYTES) {
            Ok(bytes) => {
                unit.settings.add(&sys.text(&bytes));
                unit.drop_ins.push(sys.path_text(drop_in));
            }
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => report(&drop_in.display().to_string(), &error),
        }
    }
    let is_alias = target.as_deref().and_then(Path::file_name).is_some_and(|target| target != name);
    let in_search_path =
        |target: &Path| target.parent().is_some_and(|folder| FOLDERS.iter().any(|known| folder == Path::new(known)));
    let keys = |key: &str| !unit.settings.all("Install", key).is_empty();
    unit.state = if path.starts_with("/run/systemd/transient") {
        "transient"
    } else if path.starts_with("/run/systemd/generator")
        || path.starts_with("/run/systemd/generator.early")
        || path.starts_with("/run/systemd/generator.late")
    {
        "generated"
    } else if is_alias {
        "alias"
    } else if let Some(state) = links.state(&unit) {
        state
    } else if target.as_deref().is_some_and(|target| !in_search_path(target)) {
        if in_runtime { "linked-runtime" } else { "linked" }
    } else if links.targets.contains(name) {
        "indirect"
    } else if keys("WantedBy") || keys("RequiredBy") || keys("UpheldBy") || keys("Alias") {
        "disabled"
    } else if keys("Also") {
        "indirect"
    } else {
        "static"
    };
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_follow_systemds_syntax() {
        let mut settings = Settings::default();
        settings.add(
            "[Unit]\nDescription = First\n# comment\n; comment\nDescription=Last\n[Service]\nExecStart=/bin/a \\\n# inside\n  b\nExecStart=/bin/c\n[Install]\n\\",
        );
        assert_eq!(settings.last("Unit", "Description"), Some("Last"));
        assert_eq!(settings.all("Service", "ExecStart"), ["/bin/a  b", "/bin/c"]);
        settings.add("[Service]\nExecStart=\nExecStart=/bin/d\n");
        assert_eq!(settings.all("Service", "ExecStart"), ["/bin/d"]);
        assert_eq!(settings.last("Service", "User"), None);
    }

    #[test]
    fn settings_share_the_name_of_their_section() {
        let settings = Settings::of(&format!("[{}]\n{}", "s".repeat(10_000), "a=b\n".repeat(1000)));
        assert_eq!(settings.0.len(), 1000);
        assert!(settings.owned() < 200_000, "{}", settings.owned());
        assert!(settings.0.iter().all(|(section, ..)| Arc::ptr_eq(section, &settings.0[0].0)));
    }

    #[test]
    fn any_text_is_read_within_bounds() {
        let text = "[Unit]\nDescription=A\\\n b\n[Install]\nWantedBy=x\n";
        for end in 0..text.len() {
            let mut settings = Settings::default();
            settings.add(&text[..end]);
            assert!(settings.0.len() <= 4);
        }
    }

    #[test]
    fn an_empty_file_masks_a_unit_and_a_fifo_is_reported() {
        let root = tempfile::tempdir().expect("a directory");
        let folder = root.path().join("etc/systemd/system");
        std::fs::create_dir_all(&folder).expect("a directory");
        std::fs::write(folder.join("a.service"), "").expect("a file");
        crate::source::damaged::fifo(&folder.join("b.service"));
        let reported = std::cell::RefCell::new(Vec::new());
        let report = |_: &str, error: &Error| reported.borrow_mut().push(error.to_string());
        let units = unit_files(&Sys::at(root.path()), &report).expect("units");
        let states: Vec<_> = units.iter().map(|unit| (&*unit.name, unit.state)).collect();
        assert_eq!(states, [("a.service", "masked")]);
        assert_eq!(reported.take(), ["/etc/systemd/system/b.service is a FIFO, not a regular file"]);
    }

    #[test]
    fn instances_have_templates() {
        assert_eq!(template_of("getty@tty1.service").as_deref(), Some("getty@.service"));
        assert_eq!(template_of("cron.service"), None);
        assert!(is_unit("a.service") && !is_unit(".service") && !is_unit("a.conf"));
    }
}
