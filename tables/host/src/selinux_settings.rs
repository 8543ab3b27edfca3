//! `selinux_settings`: one row per setting of SELinux.

use indago_table::prelude::*;

use crate::source::sysfs::{line, names};

/// Settings of SELinux in the running kernel.
#[derive(Debug, Default, Table)]
#[table(name = "selinux_settings", platforms("linux"), rows = 500, identity(scope, key))]
#[example("Whether SELinux is enforced.", "SELECT value FROM selinux_settings WHERE key = 'enforce'")]
pub struct SelinuxSetting {
    /// Directory of the setting in the file system of SELinux: `booleans`, `classes`, `policy_capabilities`, or empty.
    scope: String,
    /// Name of the setting or class.
    key: String,
    /// Value; `on` or `off` for a boolean, and the permissions of a class separated by commas.
    value: Option<String>,
}

const FOLDERS: [&str; 2] = ["/sys/fs/selinux", "/selinux"];

/// Settings that are not in a directory.
const SETTINGS: [&str; 6] = ["checkreqprot", "deny_unknown", "enforce", "mls", "policyvers", "reject_unknown"];

impl Rows for SelinuxSetting {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let Some(root) = FOLDERS.into_iter().find(|folder| sys.exists(format!("{folder}/enforce"))) else {
            return Err(sys.absent(format!("SELinux is not in use ({}/enforce is missing)", FOLDERS[0])));
        };
        let report = move |error: Error| scan.report("SELinux", &error);
        let names = move |folder: &str| {
            names(sys, &format!("{root}/{folder}")).unwrap_or_else(|error| {
                report(error);
                Vec::new()
            })
        };
        let value = move |path: String| line(sys, &format!("{root}/{path}")).map_err(report).ok().flatten();
        let setting = |scope: &str, key: String, value| SelinuxSetting { scope: scope.to_owned(), key, value };
        let plain = SETTINGS.into_iter().map(move |key| setting("", key.to_owned(), value(key.to_owned())));
        let capabilities = names("policy_capabilities").into_iter().map(move |key| {
            let value = value(format!("policy_capabilities/{key}"));
            setting("policy_capabilities", key, value)
        });
        let booleans = names("booleans").into_iter().map(move |key| {
            let value = value(format!("booleans/{key}"));
            setting("booleans", key, value.map(|value| boolean(&value)))
        });
        let classes = names("class").into_iter().map(move |class| {
            let permissions = names(&format!("class/{class}/perms")).join(",");
            setting("classes", class, Some(permissions))
        });
        Ok(plain.chain(capabilities).chain(booleans).chain(classes))
    }
}

/// A boolean has its present value and the one that was written but not committed yet.
fn boolean(text: &str) -> String {
    match text.split_ascii_whitespace().next() {
        Some("1") => "on".to_owned(),
        Some("0") => "off".to_owned(),
        _ => text.to_owned(),
    }
}
