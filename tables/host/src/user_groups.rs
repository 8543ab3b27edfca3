//! `user_groups`: one row per user and group.

use std::collections::{BTreeSet, HashMap};

use indago_table::prelude::*;

use crate::source::accounts;
use crate::source::held::HeldList;

/// Groups of the local users: the primary group and all groups that list the user.
#[derive(Debug, Default, Table)]
#[table(name = "user_groups", platforms("linux"), rows = 60, whole_source, identity(uid, gid), namespaces)]
#[example(
    "Members of groups that can administer this host.",
    "SELECT users.username, groups.groupname FROM user_groups JOIN users ON users.uid = user_groups.uid JOIN groups ON groups.gid = user_groups.gid WHERE groups.groupname IN ('sudo', 'wheel', 'docker')"
)]
pub struct UserGroup {
    /// User ID.
    #[column(index)]
    uid: i64,
    /// Group ID.
    #[column(index)]
    gid: i64,
}

impl Rows for UserGroup {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let reject = |error: &Error| scan.report("accounts", error);
        let users = accounts::users(scan.sys(), reject)?;
        let groups = match accounts::groups(scan.sys(), reject) {
            Ok(groups) => groups,
            Err(error) => {
                scan.report("groups", &error);
                HeldList::default()
            }
        };
        let mut listed: HashMap<&str, Vec<i64>> = HashMap::new();
        for group in groups.iter() {
            group.members.iter().for_each(|member| listed.entry(member).or_default().push(group.gid));
        }
        let mut pairs = BTreeSet::new();
        let mut held = scan.meter().hold(0)?;
        for user in users.iter() {
            pairs.insert((user.uid, user.gid));
            pairs.extend(listed.get(user.name.as_str()).into_iter().flatten().map(|gid| (user.uid, *gid)));
            held.cover(2 * pairs.len() * size_of::<(i64, i64)>())?;
        }
        Ok(pairs.into_iter().map(|(uid, gid)| UserGroup { uid, gid }))
    }
}
