//! `groups`: one row per group in `/etc/group`.

use indago_table::prelude::*;

use crate::source::accounts::{self, signed};

/// Local groups of the host, from `/etc/group`.
#[derive(Debug, Default, Table)]
#[table(name = "groups", platforms("linux"), rows = 60, whole_source, identity(gid, groupname), namespaces)]
#[example(
    "Members of groups that can administer this host.",
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
    /// Login names of the listed members; users whose primary group this is are usually not listed.
    #[column(added)]
    members: Vec<String>,
}

impl Rows for Group {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let groups = accounts::groups(scan.sys(), |error| scan.report("groups", error))?;
        Ok(groups.into_iter().map(|group| Group {
            gid: group.gid,
            gid_signed: signed(group.gid),
            groupname: group.name,
            members: group.members,
        }))
    }
}
