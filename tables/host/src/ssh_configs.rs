//! `ssh_configs`: one row per setting of the SSH client.

use std::path::Path;

use indago_table::prelude::*;

use crate::source::homes::homes;
use crate::source::ssh_config::{self, Kind, Setting};
use crate::source::texts::Texts;

/// Settings of the SSH client: in `.ssh/config` of users' home directories and in `/etc/ssh/ssh_config`, with the files
/// that they include.
///
/// Without a constraint on `uid` the users' files are the current user's. The system's settings have the uid 0.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "ssh_configs", platforms("linux"), rows = 10, identity(uid, ssh_config_file, line), namespaces)]
#[example(
    "Programs that connections of any user run.",
    "SELECT users.username, ssh_configs.block, ssh_configs.value FROM users JOIN ssh_configs ON ssh_configs.uid = users.uid WHERE ssh_configs.keyword = 'proxycommand'"
)]
pub struct SshConfig {
    /// User whose setting it is; 0 for the system's settings too.
    #[column(index, selects)]
    uid: i64,
    /// The `Host` or `Match` line that the setting depends on, in lowercase; empty for one that always applies.
    block: String,
    /// The setting, in lowercase: keyword and value.
    option: String,
    /// File with the setting.
    ssh_config_file: String,
    /// Keyword, in lowercase.
    #[column(added)]
    keyword: String,
    /// Value, as written.
    #[column(added)]
    value: String,
    /// Line in the file, from 1.
    #[column(added)]
    line: i64,
}

const BLOCKS: &[&str] = &["host", "match"];

impl Rows for SshConfig {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let uids = scan.keys(Self::UID);
        let has_system = uids.as_ref().is_none_or(|uids| uids.contains(&0));
        let homes = homes(scan.sys(), uids, |origin, error| scan.report(origin, error))?;
        let read = move |uid: i64, file: &Path, kind: &Kind| {
            let report = |error: &Error| scan.report("settings", error);
            let settings = ssh_config::read(&Texts::new(scan.sys(), &report), file, kind);
            let settings = settings.map_err(|error| report(&error)).unwrap_or_default();
            settings.into_iter().map(move |setting| row(uid, setting))
        };
        let of_users = homes.into_iter().flat_map(move |home| {
            let directory = home.directory.join(".ssh");
            let file = directory.join("config");
            read(home.uid, &file, &Kind { directory, home: Some(home.directory), blocks: BLOCKS })
        });
        let system = Kind { directory: "/etc/ssh".into(), home: None, blocks: BLOCKS };
        let of_system = has_system.then(|| read(0, Path::new("/etc/ssh/ssh_config"), &system));
        Ok(of_users.chain(of_system.into_iter().flatten()))
    }
}

fn row(uid: i64, setting: Setting) -> SshConfig {
    SshConfig {
        uid,
        block: setting.block.map(|block| block.to_string().to_lowercase()).unwrap_or_default(),
        option: setting.text.to_lowercase(),
        ssh_config_file: setting.file.display().to_string(),
        keyword: setting.keyword,
        value: setting.value,
        line: setting.line as i64,
    }
}
