//! `users`: one row per account in `/etc/passwd`.

use indago_table::prelude::*;

use crate::source::accounts::{self, UserEntry, signed};
use crate::source::held::HeldList;

/// Local accounts of the host.
///
/// Accounts come from `/etc/passwd`. With `include_remote = 1` the name services (LDAP, SSSD) are queried as well.
#[derive(Debug, Default, Table)]
#[table(name = "users", platforms("linux"), rows = 40, whole_source, identity(uid, username), namespaces)]
#[example(
    "Accounts that can log in.",
    "SELECT uid, username, directory, shell FROM users WHERE shell NOT LIKE '%nologin' AND shell NOT LIKE '%false'"
)]
#[example("Accounts with root's privileges.", "SELECT username FROM users WHERE uid = 0")]
pub struct User {
    /// User ID.
    #[column(index)]
    uid: i64,
    /// ID of the primary group.
    gid: i64,
    /// User ID as a signed 32-bit number.
    uid_signed: i64,
    /// Primary group ID as a signed 32-bit number.
    gid_signed: i64,
    /// Login name.
    #[column(index)]
    username: String,
    /// Comment of the account, often the full name.
    description: String,
    /// Home directory.
    directory: String,
    /// Login shell.
    shell: String,
    /// Always NULL: Linux accounts have no UUID.
    #[column(index, collate = nocase)]
    uuid: Option<String>,
    /// Set `= 1` to include accounts of all name services; 0 reads only `/etc/passwd`.
    #[column(index, selects, hidden)]
    include_remote: i64,
}

impl Rows for User {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let mut scopes = scan.keys(Self::INCLUDE_REMOTE).unwrap_or_else(|| vec![0]);
        scopes.sort_unstable();
        scopes.dedup();
        let mut lists = Vec::new();
        for include_remote in scopes {
            let reject = |error: &Error| scan.report("accounts", error);
            let entries = match include_remote {
                0 => accounts::users(scan.sys(), reject),
                1 => accounts::users_of_all_services(scan.sys(), reject),
                _ => continue,
            };
            match entries {
                Ok(entries) => lists.push((include_remote, entries)),
                Err(error) if !lists.is_empty() && !error.ends_query() => scan.report("accounts", &error),
                Err(error) => return Err(error),
            }
        }
        let rows = |(include_remote, entries): (i64, HeldList<UserEntry>)| {
            entries.into_iter().map(move |user| row(user, include_remote))
        };
        Ok(lists.into_iter().flat_map(rows))
    }
}

fn row(user: UserEntry, include_remote: i64) -> User {
    User {
        uid: user.uid,
        gid: user.gid,
        uid_signed: signed(user.uid),
        gid_signed: signed(user.gid),
        username: user.name,
        description: user.description,
        directory: user.home,
        shell: user.shell,
        uuid: None,
        include_remote,
    }
}
