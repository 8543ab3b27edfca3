//! Stacks of PAM: the modules that each service runs, with the files that it includes.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use super::held::{HeldList, owned, owned_bytes};
use super::texts::{Texts, split_word};

/// Deepest include.
const DEEPEST: usize = 32;
/// Longest line in bytes. PAM's own limit is 8 KiB or less.
const LONGEST_LINE: usize = 8 << 10;
/// Most modules of a service.
const MOST_MODULES: usize = 10_000;
/// Most files that are read for all services.
const MOST_FILES: usize = 10_000;

/// A module of a service's stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) service: String,
    pub(crate) kind: String,
    pub(crate) control: String,
    pub(crate) module: String,
    pub(crate) arguments: String,
    /// Whether a missing module is ignored.
    pub(crate) optional: bool,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

/// Directories of services. A file in an earlier one hides those of the same name.
const DIRECTORIES: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
const ONE_FILE: &str = "/etc/pam.conf";

/// The modules of all services, in the order in which PAM runs them.
pub(crate) fn modules(texts: &Texts<'_>) -> Result<HeldList<Module>> {
    let mut modules = HeldList::new(texts.sys);
    let mut add = |module: Module| {
        let file = owned_bytes(module.file.as_os_str().len());
        let owned = owned([&module.service, &module.kind, &module.control, &module.module, &module.arguments]);
        modules.push(module, owned + file)
    };
    let mut services: Vec<(String, PathBuf)> = Vec::new();
    let mut known = HashSet::new();
    for directory in DIRECTORIES {
        for path in texts.files_in(directory) {
            let name = texts.sys.path_text(path.file_name().unwrap_or_default());
            if known.insert(name.clone()) {
                services.push((name, path));
            }
        }
    }
    let mut files = 0;
    for (service, path) in &services {
        texts.sys.check_cancelled()?;
        let mut reader = Reader { texts, service, open: Vec::new(), files, modules: Vec::new() };
        reader.read(path, None);
        files = reader.files;
        reader.modules.into_iter().try_for_each(&mut add)?;
    }
    // The single file counts only without a directory.
    if services.is_empty()
        && let Some(text) = texts.text(ONE_FILE)
    {
        for (line, content) in lines(&text) {
            let (service, rest) = split_word(&content);
            match entry(rest) {
                Some(entry) => add(entry.module(service, Path::new(ONE_FILE), line))?,
                None => texts.bad_line(Path::new(ONE_FILE), line, "not a module of PAM"),
            }
        }
    }
    texts.require("PAM is not configured (neither /etc/pam.d nor /etc/pam.conf exists)")?;
    Ok(modules)
}

struct Reader<'a> {
    texts: &'a Texts<'a>,
    service: &'a str,
    /// Files that are being read, outermost first.
    open: Vec<PathBuf>,
    /// Files that were read for this service and those before it.
    files: usize,
    modules: Vec<Module>,
}

impl Reader<'_> {
    /// Reads a file; with `kind`, only the modules of that kind.
    fn read(&mut self, file: &Path, kind: Option<&str>) {
        self.files += 1;
        if self.files > MOST_FILES + 1 {
            return;
        }
        let problem = if self.open.iter().any(|open| open == file) {
            "includes itself"
        } else if self.open.len() == DEEPEST {
            "is included too deeply"
        } else if self.modules.len() >= MOST_MODULES {
            "is part of a service with more than 10000 modules; the others were skipped"
        } else if self.files > MOST_FILES {
            "is one of more than 10000 included files; the others were skipped"
        } else {
            ""
        };
        if !problem.is_empty() {
            return self.texts.report(&Error::Malformed(format!("{} {problem}", file.display())));
        }
        let text = if self.open.is_empty() { self.texts.text(file) } else { self.texts.included(file) };
        let Some(text) = text else { return };
        self.open.push(file.to_owned());
        for (line, content) in lines(&text) {
            if let Some(included) = content.strip_prefix("@include").filter(|rest| rest.starts_with([' ', '\t'])) {
                self.include(included.trim(), kind);
                continue;
            }
            match entry(&content) {
                _ if content.len() > LONGEST_LINE => {
                    self.texts.bad_line(file, line, "longer than 8 KiB; it was skipped")
                }
                None => self.texts.bad_line(file, line, "not a module of PAM"),
                Some(entry) if kind.is_some_and(|kind| kind != entry.kind) => {}
                Some(entry) => {
                    if matches!(entry.control.as_str(), "include" | "substack") {
                        self.include(&entry.module, Some(&entry.kind));
                    } else {
                        self.modules.push(entry.module(self.service, file, line));
                    }
                }
            }
        }
        self.open.pop();
    }

    fn include(&mut self, name: &str, kind: Option<&str>) {
        let paths = DIRECTORIES.map(|directory| Path::new(directory).join(name));
        let found = paths.iter().find(|path| self.texts.sys.exists(path)).unwrap_or(&paths[0]);
        self.read(&found.clone(), kind);
    }
}

/// The lines of a file without comments, each with the number of its first one. A backslash continues a line.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (position, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let content = line.strip_suffix('\\');
        match found.last_mut().filter(|_| continues) {
            Some((_, before)) => {
                before.push(' ');
                before.push_str(content.unwrap_or(line));
            }
            None => found.push((position + 1, content.unwrap_or(line).to_owned())),
        }
        continues = content.is_some();
    }
    found
        .into_iter()
        .map(|(line, content)| (line, content.trim().to_owned()))
        .filter(|(_, content)| !content.is_empty())
        .collect()
}

struct Entry {
    kind: String,
    control: String,
    module: String,
    arguments: String,
    optional: bool,
}

impl Entry {
    fn module(self, service: &str, file: &Path, line: usize) -> Module {
        Module {
            service: service.to_owned(),
            kind: self.kind,
            control: self.control,
            module: self.module,
            arguments: self.arguments,
            optional: self.optional,
            file: file.to_owned(),
            line,
        }
    }
}

fn entry(line: &str) -> Option<Entry> {
    let (kind, rest) = split_word(line);
    let optional = kind.starts_with('-');
    let kind = kind.trim_start_matches('-').to_ascii_lowercase();
    let (control, rest) = match rest.strip_prefix('[') {
        Some(inside) => {
            let (values, rest) = inside.split_once(']')?;
            (format!("[{}]", values.trim()), rest.trim_start())
        }
        None => {
            let (control, rest) = split_word(rest);
            (control.to_ascii_lowercase(), rest)
        }
    };
    let (module, arguments) = split_word(rest);
    let is_kind = ["auth", "account", "password", "session"].contains(&kind.as_str());
    (is_kind && !module.is_empty()).then(|| Entry {
        kind,
        control,
        module: module.to_owned(),
        arguments: arguments.split_whitespace().collect::<Vec<_>>().join(" "),
        optional,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::source::damaged::damaged;

    #[test]
    fn a_service_has_the_modules_of_included_files() {
        let root = tempfile::tempdir().expect("a directory");
        for (name, text) in [
            (
                "etc/pam.d/login",
                "# note\nauth [success=1 \\\n default=ignore]  pam_unix.so  nullok # x\n@include common\n\
                                 -session\toptional pam_x.so\nSession INCLUDE other\nbad line\nauth substack login\n",
            ),
            ("etc/pam.d/common", "auth required pam_permit.so\n"),
            ("etc/pam.d/other", "auth required pam_deny.so\nsession required /opt/evil.so a  [b c]\n"),
            ("usr/lib/pam.d/login", "auth required hidden.so\n"),
            ("usr/lib/pam.d/vendor", "account required pam_v.so\n"),
        ] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        }
        let sys = Sys::at(root.path());
        let reported = RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        let modules = modules(&Texts::new(&sys, &report)).expect("there are services");
        let of = |service: &str| -> Vec<String> {
            let of_service = modules.iter().filter(|module| module.service == service);
            of_service
                .map(|module| {
                    let Module { kind, control, module, arguments, optional, line, .. } = module;
                    format!("{line} {kind} {control} {module} {arguments} {optional}")
                })
                .collect()
        };
        assert_eq!(
            of("login"),
            [
                "2 auth [success=1   default=ignore] pam_unix.so nullok false",
                "1 auth required pam_permit.so  false",
                "5 session optional pam_x.so  true",
                "2 session required /opt/evil.so a [b c] false",
            ]
        );
        assert_eq!(of("vendor"), ["1 account required pam_v.so  false"]);
        assert_eq!(
            reported.take(),
            ["/etc/pam.d/login, line 7: not a module of PAM", "/etc/pam.d/login includes itself"]
        );
        damaged(b"auth [success=1 default=ignore] pam_unix.so nullok \\\n x # y\n-session required x\n", |bytes| {
            lines(&String::from_utf8_lossy(bytes)).iter().filter(|(_, line)| entry(line).is_some()).count()
        });
    }

    #[test]
    fn files_that_include_others_often_end_and_missing_ones_are_reported() {
        let root = tempfile::tempdir().expect("a directory");
        let folder = root.path().join("etc/pam.d");
        std::fs::create_dir_all(&folder).expect("a directory");
        // The services 0 to 13 read 2^14, 2^13, .. files.
        for number in 0..14 {
            let text = format!("@include {}\n", number + 1).repeat(2);
            std::fs::write(folder.join(number.to_string()), text).expect("a file");
        }
        std::fs::write(folder.join("14"), "auth include none\n").expect("a file");
        let sys = Sys::at(root.path());
        let reported = RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        assert!(modules(&Texts::new(&sys, &report)).expect("readable").into_iter().next().is_none());
        let reported = reported.take();
        assert!(reported.len() <= MOST_FILES);
        let missing = "/etc/pam.d/none is included but does not exist";
        let others: Vec<_> = reported.iter().filter(|text| *text != missing).collect();
        assert_eq!(others.len(), 1, "{others:?}");
        assert!(others[0].ends_with("is one of more than 10000 included files; the others were skipped"));
        assert!(others.len() < reported.len());
    }
}
