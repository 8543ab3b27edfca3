//! Home directories of users, for the tables that read users' files.

use std::collections::HashSet;
use std::path::PathBuf;

use indago_table::prelude::*;

use super::accounts::{self, UserEntry};
use super::held::{HeldList, owned_bytes};

/// A user with a home directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) uid: i64,
    pub(crate) gid: i64,
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
}

/// The home directories of the users in `uids`. Without `uids`: of the caller on the caller's own machine, with a
/// warning, as osquery does; of all users on a host that is a directory of files or the root of a container, because
/// the caller is not a user there.
pub(crate) fn homes(sys: &Sys, uids: Option<Vec<i64>>, report: impl Fn(&str, &Error)) -> Result<HeldList<Home>> {
    let caller = (uids.is_none() && sys.is_live()).then(|| sys.uid());
    let wanted: Option<HashSet<i64>> = uids.map(HashSet::from_iter).or(caller.map(|uid| [uid].into()));
    let users = accounts::users(sys, |error| report("accounts", error))?;
    let homes = of(sys, users, |uid| wanted.as_ref().is_none_or(|uids| uids.contains(&uid)))?;
    if let Some(uid) = caller {
        let what = format!(
            "only the files of the current user (uid {uid}) were read; for those of all users, join with `users` on \
             `uid`, or constrain `uid`"
        );
        report("uid", &Error::Unsupported(what));
    }
    Ok(homes)
}

/// The home directories of the users with wanted numbers.
fn of(sys: &Sys, users: HeldList<UserEntry>, is_wanted: impl Fn(i64) -> bool) -> Result<HeldList<Home>> {
    let mut seen = HashSet::new();
    let mut homes = HeldList::new(sys);
    for user in users.into_iter().filter(|user| is_wanted(user.uid)) {
        let home = Home { uid: user.uid, gid: user.gid, name: user.name, directory: user.home.into() };
        // Accounts that share a number and a directory, such as `root` and `toor`, share their files.
        if home.directory.is_absolute() && seen.insert((home.uid, home.directory.clone())) {
            let directory = owned_bytes(home.directory.as_os_str().len());
            // The name, and the directory here and among those seen.
            let owned = owned_bytes(home.name.len()) + 2 * directory + 2 * size_of::<(i64, PathBuf)>();
            homes.push(home, owned)?;
        }
    }
    Ok(homes)
}

/// The home directories of all users, for a table about the host that reads users' files too.
pub(crate) fn all(sys: &Sys, report: impl Fn(&str, &Error)) -> Result<HeldList<Home>> {
    of(sys, accounts::users(sys, |error| report("accounts", error))?, |_| true)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\nother:x:0:7::/other:/bin/sh\n\
                          ada:x:1000:100::/home/ada:/bin/sh\nempty:x:1001:1:::\nrelative:x:1002:1::../etc:\nbad:x:y\n";

    #[test]
    fn each_home_of_the_wanted_users_is_returned_once() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(root.path().join("etc")).expect("a directory");
        std::fs::write(root.path().join("etc/passwd"), PASSWD).expect("a file");
        let warnings = RefCell::new(Vec::new());
        let report = |origin: &str, error: &Error| warnings.borrow_mut().push(format!("{origin}: {error}"));
        let find = |uids| {
            let homes = homes(&Sys::at(root.path()), uids, report).expect("the file is readable");
            let show = |home: Home| format!("{} {} {} {}", home.uid, home.gid, home.name, home.directory.display());
            homes.into_iter().map(show).collect::<Vec<_>>()
        };
        let all = ["0 0 root /root", "0 7 other /other", "1000 100 ada /home/ada"];
        assert_eq!(find(None), all);
        assert_eq!(warnings.take(), ["accounts: /etc/passwd, line 7: not an account"], "there is no caller here");
        assert_eq!(find(Some(vec![1000, 1000, 1002, 4711])), all[2..]);
        assert_eq!(find(Some(vec![0])), all[..2]);
        assert_eq!(find(Some(vec![])), [""; 0]);
    }

    #[test]
    fn without_a_constraint_a_live_machine_returns_the_callers_home_with_one_warning() {
        let warnings = RefCell::new(Vec::new());
        let report = |_: &str, error: &Error| warnings.borrow_mut().push(error.to_string());
        let sys = Sys::live();
        let homes_of_caller = homes(&sys, None, report).expect("a file of accounts");
        assert!(homes_of_caller.iter().all(|home| home.uid == sys.uid()), "{homes_of_caller:?}");
        let said = warnings.take();
        assert!(matches!(said.as_slice(), [only] if only.contains("join with `users`")), "{said:?}");
        let by_number = homes(&sys, Some(vec![sys.uid()]), report).expect("a file of accounts");
        assert_eq!(*by_number, *homes_of_caller);
        assert_eq!(warnings.take(), [""; 0]);
    }
}
