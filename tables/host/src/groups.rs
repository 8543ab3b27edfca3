//! `groups`: one row per group in `/etc/group`.

use indago_table::prelude::*;

use crate::source::accounts::{self, signed};
use crate::source::namespace::places;

/// Local groups of the host, as `/etc/group` lists them.
#[derive(Debug, Default, Table)]
#[table(name = "groups", platforms("linux"), rows = 60, whole_source, identity(gid, groupname))]
#[example(
    "Who may administer this host through a group.",
    "SELECT groupname, members FROM groups WHERE groupname IN ('sudo', 'wheel', 'docker')"
)]
pub struct Group {
    /// Group ID.
    #[column(index)]
    gid: i64,
    /// Group ID as a signed 32-bit number.
    gid_signed: i64,
    /// Name of the group.
    #[column(index)]
    groupname: String,
    /// Process whose mount namespace is looked into; 0 is the host.
    #[column(slice, hidden, needs = "CAP_SYS_PTRACE")]
    pid_with_namespace: i64,
    /// Login names of users whom the group lists; a user's primary group does not list the user.
    #[column(added)]
    members: Vec<String>,
}

impl Rows for Group {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let mut rows = Vec::new();
        for place in places(scan.sys(), scan.keys(Self::PID_WITH_NAMESPACE), |origin, error| scan.report(origin, error))
        {
            match accounts::groups(&place.sys, |error| scan.report("groups", error)) {
                Ok(entries) => rows.extend(entries.into_iter().map(|group| Group {
                    gid: group.gid,
                    gid_signed: signed(group.gid),
                    groupname: group.name,
                    pid_with_namespace: place.pid,
                    members: group.members,
                })),
                Err(error) if place.pid == 0 => return Err(error),
                Err(error) => scan.report(format!("the namespace of process {}", place.pid), &error),
            }
        }
        Ok(rows.into_iter())
    }
}
