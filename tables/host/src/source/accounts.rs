//! `/etc/passwd` and `/etc/group`: lines of fields with colons between.

use indago_table::prelude::*;

use super::procfs::{number, text};

/// One line of `/etc/passwd`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UserEntry {
    pub(crate) name: String,
    pub(crate) uid: i64,
    pub(crate) gid: i64,
    pub(crate) description: String,
    pub(crate) home: String,
    pub(crate) shell: String,
}

/// One line of `/etc/group`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GroupEntry {
    pub(crate) name: String,
    pub(crate) gid: i64,
    pub(crate) members: Vec<String>,
}

/// The users in a file of the machine, or none if there is no such file; lines that say nothing go to `reject`.
pub(crate) fn users(sys: &Sys, reject: impl FnMut(&Error)) -> Result<Vec<UserEntry>> {
    Ok(parse(PASSWD, &sys.read(PASSWD).if_present()?.unwrap_or_default(), parse_user, reject))
}

/// The users that the machine's name services know, folders of a network included.
pub(crate) fn users_of_all_services(sys: &Sys, reject: impl FnMut(&Error)) -> Result<Vec<UserEntry>> {
    let output = sys.run("getent", &["passwd"])?;
    Ok(parse("getent passwd", &output.stdout, parse_user, reject))
}

/// The groups in a file of the machine, or none if there is no such file; lines that say nothing go to `reject`.
pub(crate) fn groups(sys: &Sys, reject: impl FnMut(&Error)) -> Result<Vec<GroupEntry>> {
    Ok(parse(GROUP, &sys.read(GROUP).if_present()?.unwrap_or_default(), parse_group, reject))
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

fn parse<T>(what: &str, bytes: &[u8], entry: fn(&[u8]) -> Option<T>, mut reject: impl FnMut(&Error)) -> Vec<T> {
    let mut entries = Vec::new();
    for (position, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        // Lines of `+` and `-` are instructions to the name service, not accounts.
        if line.trim_ascii().is_empty() || matches!(line[0], b'#' | b'+' | b'-') {
            continue;
        }
        match entry(line) {
            Some(entry) => entries.push(entry),
            None => reject(&Error::Malformed(format!("{what}, line {}: not an account", position + 1))),
        }
    }
    entries
}

fn parse_user(line: &[u8]) -> Option<UserEntry> {
    let mut fields = line.split(|byte| *byte == b':');
    let (name, _password) = (fields.next()?, fields.next()?);
    let (uid, gid) = (id(fields.next()?)?, id(fields.next()?)?);
    let mut rest = || fields.next().map(text).unwrap_or_default();
    Some(UserEntry { name: text(name), uid, gid, description: rest(), home: rest(), shell: rest() })
}

fn parse_group(line: &[u8]) -> Option<GroupEntry> {
    let mut fields = line.split(|byte| *byte == b':');
    let (name, _password, gid) = (fields.next()?, fields.next()?, id(fields.next()?)?);
    let members = fields.next().unwrap_or_default().split(|byte| *byte == b',');
    let members = members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty()).map(text).collect();
    Some(GroupEntry { name: text(name), gid, members })
}

/// An ID is a 32-bit number.
fn id(field: &[u8]) -> Option<i64> {
    number(field.trim_ascii()).filter(|id| u32::try_from(*id).is_ok())
}

/// The ID as the signed number that some systems show.
pub(crate) fn signed(id: i64) -> i64 {
    i64::from(id as u32 as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_taken_and_the_rest_is_named() {
        let file = b"root:x:0:0:root:/root:/bin/bash\n\n# comment\n+::::::\nnobody:x:4294967294:65534\n\
            caf\xe9:x:1000:1000:Jos\xe9,,,:/home/caf\xe9:\nhalf:x:12\nbig:x:4294967296:0::/:\nx:y:z\n";
        let mut rejected = Vec::new();
        let users = parse(PASSWD, file, parse_user, |error| rejected.push(error.to_string()));
        let names: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.uid)).collect();
        assert_eq!(names, [("root", 0), ("nobody", 4_294_967_294), ("caf\u{fffd}", 1000)]);
        assert_eq!(users[2].description, "Jos\u{fffd},,,");
        assert_eq!(users[1].home, "");
        let lines = [7, 8, 9].map(|line| format!("/etc/passwd, line {line}: not an account"));
        assert_eq!(rejected, lines);
        assert_eq!(signed(4_294_967_294), -2);
    }

    #[test]
    fn groups_have_members() {
        for (line, gid, members) in
            [("root:x:0:", 0, vec![]), ("adm:x:4:syslog, ada ,,", 4, vec!["syslog", "ada"]), ("short:x:5", 5, vec![])]
        {
            let group = parse_group(line.as_bytes()).expect(line);
            assert_eq!((group.gid, group.members), (gid, members.into_iter().map(String::from).collect()));
        }
        assert_eq!(parse_group(b"root:x:-1:"), None);
        assert_eq!(parse_group(b"root"), None);
    }
}
