//! `system_controls`: one row per kernel parameter.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use indago_table::prelude::*;

use crate::source::glob;
use crate::source::procfs::text;

/// Parameters of the running kernel, as `sysctl` shows them, and their configuration.
///
/// `config_value` is the value of the last file that sets it. Files in `/etc/sysctl.d`, `/run/sysctl.d`,
/// `/usr/local/lib/sysctl.d`, `/usr/lib/sysctl.d` and `/lib/sysctl.d` are read in the order of their names. A file hides
/// those of the same name in the directories after its own. `/etc/sysctl.conf` is last.
#[derive(Debug, Default, Table)]
#[table(name = "system_controls", platforms("linux"), rows = 1000, identity(name))]
#[example(
    "Parameters that differ from their configuration.",
    "SELECT name, current_value, config_value FROM system_controls WHERE current_value <> config_value"
)]
#[example(
    "Whether this machine routes packets.",
    "SELECT current_value FROM system_controls WHERE name = 'net.ipv4.ip_forward'"
)]
pub struct SystemControl {
    /// Name with dots. A dot within a part, as in the name of an interface, is shown as `/`.
    #[column(index)]
    name: String,
    /// Always empty: Linux has no numbers for parameters.
    #[column(index)]
    oid: String,
    /// First part of the name: `kernel`, `net`, `vm`, `fs`, ...
    #[column(index)]
    subsystem: String,
    /// Present value; NULL if it was never set, or cannot be read because it only starts something when it is written.
    #[column(volatile, source = current)]
    current_value: Option<String>,
    /// Value in the configuration; NULL if there is none.
    config_value: Option<String>,
    /// Always `string`.
    r#type: String,
    /// File with the value in the configuration.
    #[column(added)]
    config_file: Option<String>,
}

const ROOT: &str = "/proc/sys";

/// Most levels of directories.
const DEPTH: usize = 16;

/// Reading it makes each processor update its statistics.
const NOT_READ: &str = "vm.stat_refresh";

impl Rows for SystemControl {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let oids = scan.keys(Self::OID);
        let subsystems = scan.keys(Self::SUBSYSTEM);
        let is_wanted = move |row: &SystemControl| {
            subsystems.as_ref().is_none_or(|wanted| wanted.contains(&row.subsystem))
                && oids.as_ref().is_none_or(|wanted| wanted.contains(&row.oid))
        };
        let config = match scan.wants(Self::CONFIG_VALUE) || scan.wants(Self::CONFIG_FILE) {
            true => configuration(sys, |origin, error| scan.report(origin, error)),
            false => Arc::default(),
        };
        let named: Option<Vec<String>> = scan.keys(Self::NAME);
        let is_all = named.is_none();
        let named = named.into_iter().flatten().filter(|name| {
            let path = path_of(name);
            let is_plain = !path.split('/').any(|part| matches!(part, "" | "." | "..")) && name_of(&path) == *name;
            is_plain && sys.symlink_metadata(format!("{ROOT}/{path}")).is_ok_and(|found| found.is_file())
        });
        let walked = is_all.then(|| Walk { scan, left: vec![(String::new(), 0)], files: Vec::new(), is_empty: true });
        if is_all && !sys.exists(ROOT) {
            return Err(Error::Unsupported(format!("no kernel parameters ({ROOT} is missing)")));
        }
        let rows = named.chain(walked.into_iter().flatten()).map(move |name| {
            let setting = config.get(&name);
            SystemControl {
                subsystem: name.split('.').next().unwrap_or_default().to_owned(),
                config_value: setting.map(|setting| setting.value.clone()),
                config_file: setting.map(|setting| setting.file.clone()),
                r#type: "string".to_owned(),
                name,
                ..SystemControl::default()
            }
        });
        Ok(rows.filter(is_wanted))
    }
}

impl SystemControl {
    fn current(&mut self, sys: &Sys) -> Result<()> {
        let path = format!("{ROOT}/{}", path_of(&self.name));
        let can_be_read = sys.metadata(&path)?.permissions().mode() & 0o444 != 0;
        if !can_be_read || self.name == NOT_READ {
            return Ok(());
        }
        match sys.read_text(&path).needs("root") {
            Ok(value) => self.current_value = Some(value.trim().to_owned()),
            // A value that was never set, such as a secret for IPv6 addresses, and one of a device that is gone.
            Err(Error::Io { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Files below `/proc/sys`, by name, directory by directory.
struct Walk<'a> {
    scan: &'a Scan<SystemControl>,
    /// Directories that have not been read yet, as paths below the root with a slash at the end.
    left: Vec<(String, usize)>,
    /// Files of the present directory, last one first.
    files: Vec<String>,
    is_empty: bool,
}

impl Iterator for Walk<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            if let Some(file) = self.files.pop() {
                self.is_empty = false;
                return Some(file);
            }
            let Some((folder, depth)) = self.left.pop() else {
                if self.is_empty {
                    let what = format!("no kernel parameters ({ROOT} has no files)");
                    self.scan.report(ROOT, &Error::Unsupported(what));
                    self.is_empty = false;
                }
                return None;
            };
            let sys = self.scan.sys();
            let mut entries = match sys.entries(format!("{ROOT}/{folder}")).needs("root") {
                Ok(entries) => entries,
                Err(error) => {
                    self.scan.report(ROOT, &error);
                    continue;
                }
            };
            entries.sort_unstable_by(|a, b| b.0.cmp(&a.0));
            for (name, kind) in entries {
                let path = format!("{folder}{}", sys.path_text(name));
                if kind.is_file() {
                    self.files.push(name_of(&path));
                } else if kind.is_dir() && depth < DEPTH {
                    self.left.push((format!("{path}/"), depth + 1));
                }
            }
        }
    }
}

/// The name of a path, and the reverse: dots and slashes change places.
fn name_of(path: &str) -> String {
    let swapped = path.chars().map(|letter| match letter {
        '/' => '.',
        '.' => '/',
        other => other,
    });
    swapped.collect()
}

fn path_of(name: &str) -> String {
    name_of(name)
}

/// A parameter's value in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Setting {
    value: String,
    file: String,
}

/// Settings by name, and those whose name is a pattern.
#[derive(Debug, Default)]
struct Configuration {
    settings: HashMap<String, Setting>,
    patterns: Vec<(String, Setting)>,
    /// Names that no pattern applies to.
    excluded: Vec<String>,
}

impl Configuration {
    fn get(&self, name: &str) -> Option<&Setting> {
        let by_pattern = || {
            let is_excluded = self.excluded.iter().any(|excluded| excluded == name);
            let mut patterns = self.patterns.iter().rev().filter(|(pattern, _)| !is_excluded && matches(pattern, name));
            patterns.next().map(|(_, setting)| setting)
        };
        self.settings.get(name).or_else(by_pattern)
    }

    fn read(&mut self, file: &str, bytes: &[u8], mut reject: impl FnMut(&Error)) {
        for (position, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = text(line.trim_ascii());
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            // A dash means that errors are ignored, or without a value that patterns do not apply.
            let (has_dash, line) = match line.strip_prefix('-') {
                Some(rest) => (true, rest.trim_start()),
                None => (false, &*line),
            };
            match line.split_once('=') {
                Some((key, value)) => {
                    let key = dotted(key.trim());
                    let setting = Setting { value: value.trim().to_owned(), file: file.to_owned() };
                    if key.contains(['*', '?', '[']) {
                        self.patterns.push((key, setting));
                    } else {
                        self.settings.insert(key, setting);
                    }
                }
                None if has_dash => self.excluded.push(dotted(line)),
                None => reject(&Error::BadLine {
                    file: file.to_owned(),
                    line: position as u64 + 1,
                    what: "not a setting: it has no `=`".to_owned(),
                }),
            }
        }
    }
}

/// A key with dots. If its first separator is a slash, it is written as a path.
fn dotted(key: &str) -> String {
    match key.find(['.', '/']).and_then(|position| key.as_bytes().get(position)) {
        Some(b'/') => name_of(key.trim_start_matches('/')),
        _ => key.to_owned(),
    }
}

/// Whether a name matches a pattern. `*` and `?` do not match the dot between two parts.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), name.split('.').collect());
    pattern.len() == name.len()
        && pattern.iter().zip(&name).all(|(pattern, part)| glob::matches(pattern.as_bytes(), part.as_bytes()))
}

/// Directories with configuration, the most important one first.
const FOLDERS: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

fn configuration(sys: &Sys, report: impl Fn(&str, &Error)) -> Arc<Configuration> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for folder in FOLDERS.into_iter().rev() {
        let names = sys.read_dir(folder).if_present().unwrap_or_else(|error| {
            report(folder, &error);
            None
        });
        let names = names.unwrap_or_default().into_iter().filter_map(|name| name.into_string().ok());
        for name in names.filter(|name| name.ends_with(".conf")) {
            files.insert(name.clone(), format!("{folder}/{name}"));
        }
    }
    let mut configuration = Configuration::default();
    for file in files.into_values().chain(["/etc/sysctl.conf".to_owned()]) {
        match sys.read(&file).if_present() {
            Ok(bytes) => configuration.read(&file, &bytes.unwrap_or_default(), |error| report("configuration", error)),
            // A link to /dev/null hides the files of its name.
            Err(Error::Malformed(_)) if sys.canonicalize(&file).is_ok_and(|path| path.as_os_str() == "/dev/null") => {}
            Err(error) => report("configuration", &error),
        }
    }
    Arc::new(configuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_dots_and_paths_have_slashes() {
        assert_eq!(name_of("net/ipv4/conf/eth0.100/rp_filter"), "net.ipv4.conf.eth0/100.rp_filter");
        assert_eq!(dotted("net/ipv4/conf/eth0.100/rp_filter"), "net.ipv4.conf.eth0/100.rp_filter");
        assert_eq!(dotted("net.ipv4.conf.eth0/100.rp_filter"), "net.ipv4.conf.eth0/100.rp_filter");
        assert_eq!(dotted("vm.swappiness"), "vm.swappiness");
    }

    #[test]
    fn patterns_match_within_a_part() {
        for (pattern, name, expected) in [
            ("net.ipv4.conf.*.rp_filter", "net.ipv4.conf.eth0.rp_filter", true),
            ("net.ipv4.conf.*.rp_filter", "net.ipv4.conf.eth0/1.rp_filter", true),
            ("net.ipv4.conf.*.rp_filter", "net.ipv4.conf.a.b.rp_filter", false),
            ("vm.swap*s", "vm.swappiness", true),
            ("vm.s*p*x", "vm.swappiness", false),
            ("vm.?", "vm.ab", false),
            ("vm.*", "vm.", true),
            ("net.ipv4.conf.eth[0-3].rp_filter", "net.ipv4.conf.eth2.rp_filter", true),
            ("net.ipv4.conf.eth[0-3].rp_filter", "net.ipv4.conf.eth4.rp_filter", false),
            ("net.ipv4.conf.[!l]*.rp_filter", "net.ipv4.conf.lo.rp_filter", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_read_in_the_order_of_their_names_and_hide_each_other() {
        let root = tempfile::tempdir().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        };
        write("usr/lib/sysctl.d/10-a.conf", "vm.swappiness = 1\nkernel.a=hidden\n");
        write("usr/lib/sysctl.d/50-b.conf", "# note\n; note\n-kernel/b = 2\nbroken\nnet.ipv4.conf.*.rp_filter = 2\n");
        write("etc/sysctl.d/10-a.conf", "vm.swappiness=10\n-net.ipv4.conf.lo.rp_filter\nnet.ipv4.conf.x.rp_filter=0\n");
        write("etc/sysctl.d/note.txt", "vm.swappiness = 99\n");
        write("etc/sysctl.conf", "  kernel.b =  3 4 \n");
        let errors = std::cell::RefCell::new(Vec::new());
        let sys = Sys::at(root.path());
        let found = configuration(&sys, |_, error| errors.borrow_mut().push(error.to_string()));
        let value = |name: &str| found.get(name).map(|setting| (&*setting.value, &*setting.file));
        assert_eq!(value("vm.swappiness"), Some(("10", "/etc/sysctl.d/10-a.conf")));
        assert_eq!(value("kernel.a"), None);
        assert_eq!(value("kernel.b"), Some(("3 4", "/etc/sysctl.conf")));
        assert_eq!(value("net.ipv4.conf.eth0.rp_filter"), Some(("2", "/usr/lib/sysctl.d/50-b.conf")));
        assert_eq!(value("net.ipv4.conf.x.rp_filter").map(|(value, _)| value), Some("0"), "a name before a pattern");
        assert_eq!(value("net.ipv4.conf.lo.rp_filter"), None, "excluded");
        let errors = errors.into_inner();
        assert_eq!(errors, ["/usr/lib/sysctl.d/50-b.conf, line 4: not a setting: it has no `=`"]);
    }

    #[test]
    fn damaged_configuration_does_not_panic() {
        let sample = b"-a/b = 1\nc.*.d=2\n# x\n-e\n";
        crate::source::damaged::damaged(sample, |bytes| {
            let mut configuration = Configuration::default();
            configuration.read("x", bytes, |_| {});
            assert!(configuration.settings.len() + configuration.patterns.len() <= 4);
        });
    }
}
