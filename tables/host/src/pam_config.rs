//! `pam_config`: one row per module that PAM runs for a service.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::pam;
use crate::source::texts::Texts;

/// Modules that PAM runs to authenticate users, from `/etc/pam.d` and `/usr/lib/pam.d`, or from `/etc/pam.conf`.
///
/// A service has the modules of the files that it includes, in the order in which they run.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "pam_config", platforms("linux"), rows = 200, identity(service, position), namespaces)]
#[example(
    "Modules outside of the usual directories, and those that do not exist.",
    "SELECT service, type, module, module_path FROM pam_config WHERE module LIKE '/%' OR module_path IS NULL"
)]
pub struct PamConfig {
    /// Service, such as `sshd`.
    service: String,
    /// Position among the service's modules, from 1.
    position: i64,
    /// What the module does: `auth`, `account`, `password` or `session`.
    r#type: String,
    /// How its result counts: `required`, `requisite`, `sufficient`, `optional`, or actions in brackets.
    control: String,
    /// Module, as written.
    module: String,
    /// Arguments of the module.
    module_arguments: String,
    /// Whether a missing module is ignored.
    is_optional: bool,
    /// Path of the module; NULL if it is not in the directories of modules.
    module_path: Option<String>,
    /// File with the line.
    file: String,
    /// Line in the file, from 1.
    line: i64,
}

impl Rows for PamConfig {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = |error: &Error| scan.report("services", error);
        let modules = pam::modules(&Texts::new(sys, &report))?;
        let directories = directories(sys);
        let mut previous = (String::new(), 0);
        Ok(modules.into_iter().map(move |module| {
            previous = match previous.0 == module.service {
                true => (module.service, previous.1 + 1),
                false => (module.service, 1),
            };
            let at = |directory: &PathBuf| directory.join(&module.module);
            let found = directories.iter().map(at).find(|path| sys.exists(path));
            PamConfig {
                service: previous.0.clone(),
                position: previous.1,
                r#type: module.kind,
                control: module.control,
                module_path: found.map(|path| sys.path_text(path)),
                module: module.module,
                module_arguments: module.arguments,
                is_optional: module.optional,
                file: sys.path_text(module.file),
                line: module.line as i64,
            }
        }))
    }
}

/// Where PAM looks for modules: a directory `security` of the libraries, or of those of an architecture.
fn directories(sys: &Sys) -> Vec<PathBuf> {
    let libraries = ["/usr/lib64", "/usr/lib", "/lib64", "/lib"].map(Path::new);
    let mut directories: Vec<PathBuf> = libraries.iter().map(|library| library.join("security")).collect();
    for library in libraries {
        let mut names = sys.read_dir(library).unwrap_or_default();
        names.retain(|name| name.to_string_lossy().contains("-linux-"));
        names.sort_unstable();
        directories.extend(names.iter().map(|name| library.join(name).join("security")));
    }
    directories
}
