//! `/etc/passwd` and `/etc/group`: lines of fields separated by colons.

use indago_table::prelude::*;
use indago_table::sys::Program;

use super::held::{HeldList, owned, owned_bytes};
use super::procfs::{note_lossy, number, required, text};

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

/// The users in the machine's file. Lines that are not accounts go to `reject`.
pub(crate) fn users(sys: &Sys, reject: impl FnMut(&Error)) -> Result<HeldList<UserEntry>> {
    parse(sys, PASSWD, &read(sys, PASSWD)?, parse_user, reject)
}

/// The users that the machine's name services know, including network directories.
pub(crate) fn users_of_all_services(sys: &Sys, mut reject: impl FnMut(&Error)) -> Result<HeldList<UserEntry>> {
    let output = sys.run(&Program { arguments: vec!["passwd".to_owned()], ..Program::new("`getent`", "getent") })?;
    if !output.status.success() {
        let message = format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        reject(&Error::Io { what: "getent passwd".to_owned(), message });
    }
    if let Some(service) = silent_service(sys) {
        reject(&Error::Unsupported(format!(
            "{NSSWITCH} uses `{service}`, which lists its accounts only if configured to (`enumerate = true` of SSSD, \
             `winbind enum users = yes` of Samba)"
        )));
    }
    note_lossy(sys, &output.stdout);
    parse(sys, "getent passwd", &output.stdout, parse_user, reject)
}

/// The groups in the machine's file. Lines that are not groups go to `reject`.
pub(crate) fn groups(sys: &Sys, reject: impl FnMut(&Error)) -> Result<HeldList<GroupEntry>> {
    parse(sys, GROUP, &read(sys, GROUP)?, parse_group, reject)
}

fn read(sys: &Sys, path: &str) -> Result<Vec<u8>> {
    let bytes = required(sys.read(path))?;
    note_lossy(sys, &bytes);
    Ok(bytes)
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const NSSWITCH: &str = "/etc/nsswitch.conf";
const SSSD: &str = "/etc/sssd/sssd.conf";

/// The name service that finds accounts by name or number but lists them only if configured to.
fn silent_service(sys: &Sys) -> Option<&'static str> {
    let services = sys.read_text(NSSWITCH).ok()?;
    let services = services.lines().find_map(|line| line.trim_start().strip_prefix("passwd:"))?;
    let lists = |line: &str| {
        line.split_once('=')
            .is_some_and(|(key, value)| key.trim() == "enumerate" && value.trim().eq_ignore_ascii_case("true"))
    };
    let mut silent = services.split_ascii_whitespace().filter_map(|service| match service {
        "sss" if !sys.read_text(SSSD).is_ok_and(|text| text.lines().any(lists)) => Some("sss"),
        "winbind" => Some("winbind"),
        _ => None,
    });
    silent.next()
}

/// Parses lines as glibc's `files` service does: leading blanks are ignored, comments and the entries of the `compat`
/// service (`+`, `-`) are skipped, and a NUL ends its line.
fn parse<T: Owned>(
    sys: &Sys,
    what: &str,
    bytes: &[u8],
    entry: fn(&[u8]) -> Option<T>,
    mut reject: impl FnMut(&Error),
) -> Result<HeldList<T>> {
    let kind = if what == GROUP { "a group" } else { "an account" };
    let mut entries = HeldList::new(sys);
    for (position, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = trim_start(line.split(|byte| *byte == 0).next().unwrap_or_default());
        if matches!(line.first(), None | Some(b'#' | b'+' | b'-')) {
            continue;
        }
        match entry(line) {
            Some(entry) => {
                let owned = entry.owned();
                entries.push(entry, owned)?;
            }
            None => {
                reject(&Error::BadLine {
                    file: what.to_owned(),
                    line: position as u64 + 1,
                    what: format!("not {kind}"),
                });
            }
        }
    }
    Ok(entries)
}

/// Bytes that an entry owns elsewhere.
trait Owned {
    fn owned(&self) -> usize;
}

impl Owned for UserEntry {
    fn owned(&self) -> usize {
        owned([&self.name, &self.description, &self.home, &self.shell])
    }
}

impl Owned for GroupEntry {
    fn owned(&self) -> usize {
        let members = self.members.iter().map(|member| owned([member])).sum::<usize>();
        // A list that grew has at most twice the capacity that it needs.
        owned([&self.name]) + members + owned_bytes(2 * self.members.len() * size_of::<String>())
    }
}

fn parse_user(line: &[u8]) -> Option<UserEntry> {
    let mut fields = line.splitn(7, |byte| *byte == b':');
    let (name, _password) = (fields.next()?, fields.next()?);
    let (uid, gid) = (id(fields.next()?)?, id(fields.next()?)?);
    let mut rest = || fields.next().map(text).unwrap_or_default();
    Some(UserEntry { name: text(name), uid, gid, description: rest(), home: rest(), shell: rest() })
}

fn parse_group(line: &[u8]) -> Option<GroupEntry> {
    let mut fields = line.splitn(4, |byte| *byte == b':');
    let (name, _password, gid) = (fields.next()?, fields.next()?, id(fields.next()?)?);
    let members = fields.next().unwrap_or_default().split(|byte| *byte == b',');
    let members = members.map(trim_start).filter(|member| !member.is_empty()).map(text).collect();
    Some(GroupEntry { name: text(name), gid, members })
}

/// A 32-bit ID as `strtoul` reads it: blanks and one sign may precede the digits. Anything after them is an error.
fn id(field: &[u8]) -> Option<i64> {
    let field = trim_start(field);
    let digits = field.strip_prefix(b"+").or(field.strip_prefix(b"-")).unwrap_or(field);
    let id = number(digits).filter(|_| digits.first().is_some_and(u8::is_ascii_digit))?;
    let id = if field.starts_with(b"-") { -id } else { id };
    u32::try_from(id).ok().map(i64::from)
}

/// Trims leading blanks as C defines them: one more than Rust.
fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t'..=b'\r', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// The ID as a signed number, as some systems show it.
pub(crate) fn signed(id: i64) -> i64 {
    i64::from(id as u32 as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: Owned>(what: &str, bytes: &[u8], entry: fn(&[u8]) -> Option<T>, reject: impl FnMut(&Error)) -> Vec<T> {
        let entries = super::parse(&Sys::live(), what, bytes, entry, reject);
        entries.expect("no limit of memory").into_iter().collect()
    }

    #[test]
    fn entries_are_charged() {
        let root = tempfile::tempdir().expect("a directory");
        let (sys, limit) = crate::source::held::limited(root.path(), 1 << 20);
        let read = |bytes: &[u8]| super::parse(&sys, PASSWD, bytes, parse_user, |_| {});
        let some = read(&b"a::0:0:\n".repeat(1000)).expect("memory is left");
        assert!(some.len() == 1000 && limit.left() < 900 << 10, "{}", limit.left());
        drop(some);
        assert!(matches!(read(&b"a::0:0:\n".repeat(10_000)), Err(Error::OutOfMemory(_))));
        let members = [b"g:x:0:".to_vec(), b"m,".repeat(100_000)].concat();
        let groups = super::parse(&sys, GROUP, &members, parse_group, |_| {});
        assert!(matches!(groups, Err(Error::OutOfMemory(_))), "a member has more bytes in memory than in the file");
        assert_eq!(limit.left(), 1 << 20);
    }

    /// Expected values: what glibc 2.36 reads from the same lines (`fgetpwent`, `fgetgrent`, `getent -s files`).
    #[test]
    fn accounts_are_read_as_glibc_reads_them() {
        let row = |name: &str, uid, gid, rest: [&str; 3]| {
            let [description, home, shell] = rest.map(str::to_owned);
            Some(UserEntry { name: name.to_owned(), uid, gid, description, home, shell })
        };
        let nothing = ["", "", ""];
        for (line, expected) in [
            (&b"root:x:0:0:root:/root:/bin/sh"[..], row("root", 0, 0, ["root", "/root", "/bin/sh"])),
            (b"  indented:x:501:501::/h:/bin/sh", row("indented", 501, 501, ["", "/h", "/bin/sh"])),
            (b"\x0b\x0c\r\tfar:x:1:1", row("far", 1, 1, nothing)),
            (b"plus:x:+7:7::/h:/bin/sh", row("plus", 7, 7, ["", "/h", "/bin/sh"])),
            (b"blank:x: 8:\x0b9", row("blank", 8, 9, nothing)),
            (b"zeros:x:010:-0", row("zeros", 10, 0, nothing)),
            (b"nobody:x:4294967294:65534", row("nobody", 4_294_967_294, 65534, nothing)),
            (b":x:5:5::/:", row("", 5, 5, ["", "/", ""])),
            (b"cr:x:5:5::/:/bin/sh\r", row("cr", 5, 5, ["", "/", "/bin/sh\r"])),
            (b"more:x:5:5:a:/b:/c:d:e", row("more", 5, 5, ["a", "/b", "/c:d:e"])),
            (b"nul:x:5:5:a\0b:/b:/c", row("nul", 5, 5, ["a", "", ""])),
            (b"caf\xe9:x:9:9:Jos\xe9,,,:/", row("caf\u{fffd}", 9, 9, ["Jos\u{fffd},,,", "/", ""])),
        ] {
            let shown = line.escape_ascii();
            let reject = |error: &Error| panic!("{shown}: {error}");
            assert_eq!(parse(PASSWD, line, parse_user, reject), expected.into_iter().collect::<Vec<_>>(), "{shown}");
        }
        for skipped in
            [&b"  # note"[..], b"#c:x:1:1", b"+", b"+::::::", b" +n:x:1:2:::", b"-bad", b" \t\r", b"", b"\0x:x:1:1"]
        {
            let reject = |error: &Error| panic!("{error}");
            assert_eq!(parse(PASSWD, skipped, parse_user, reject), [], "{}", skipped.escape_ascii());
        }
        for rejected in [
            &b"neg:x:-1:-1"[..],
            b"big:x:4294967296:0",
            b"huge:x:99999999999999999999:0",
            b"trail:x:12 :0",
            b"hex:x:0x10:0",
            b"half:x:12",
            b"none:x::2::",
            b"name",
            b"cr:x:5\r:5",
            b"two:x:+-5:5",
            b"two:x:--5:5",
            b"far:x:+ 5:5",
            b"nul:x\0:5:5",
        ] {
            assert_eq!(
                parse_user(rejected.split(|byte| *byte == 0).next().unwrap_or_default()),
                None,
                "{}",
                rejected.escape_ascii()
            );
        }
        assert_eq!(signed(4_294_967_294), -2);
    }

    #[test]
    fn a_line_that_is_no_account_is_reported_with_its_number_and_costs_no_other() {
        let file = b"root:x:0:0:root:/root:/bin/bash\n\n  # note\n+::::::\nhalf:x:12\nada:x:1000:1000\nx:y:z\n";
        let mut rejected = Vec::new();
        let users = parse(PASSWD, file, parse_user, |error| rejected.push(error.to_string()));
        assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["root", "ada"]);
        assert_eq!(rejected, [5, 7].map(|line| format!("/etc/passwd, line {line}: not an account")));
    }

    #[test]
    fn groups_have_members() {
        for (line, gid, members) in [
            ("root:x:0:", 0, vec![]),
            ("  adm:x:4:syslog,\tada ,,", 4, vec!["syslog", "ada "]),
            ("short:x:5", 5, vec![]),
            ("plus:x:+7:", 7, vec![]),
            ("more:x:5:a:b,c", 5, vec!["a:b", "c"]),
        ] {
            let reject = |error: &Error| panic!("{line}: {error}");
            let groups = parse(GROUP, line.as_bytes(), parse_group, reject);
            let [group] = groups.as_slice() else { panic!("{line}: {groups:?}") };
            assert_eq!((group.gid, &group.members), (gid, &members.into_iter().map(String::from).collect()), "{line}");
        }
        for line in [&b"root:x:-1:"[..], b"root", b"root:x:", b"root:x:5 :"] {
            assert_eq!(parse_group(line), None, "{}", line.escape_ascii());
        }
        let mut rejected = Vec::new();
        assert_eq!(parse(GROUP, b"root:x:0:\nx:y:z\n", parse_group, |error| rejected.push(error.to_string())).len(), 1);
        assert_eq!(rejected, ["/etc/group, line 2: not a group"]);
    }

    #[test]
    fn a_service_that_does_not_list_its_accounts_is_named() {
        let root = tempfile::tempdir().expect("a directory");
        let sys = Sys::at(root.path());
        std::fs::create_dir_all(root.path().join("etc/sssd")).expect("a directory");
        let write = |path: &str, text: &str| std::fs::write(root.path().join(path), text).expect("a file");
        assert_eq!(silent_service(&sys), None);
        for (services, silent) in [
            ("group: sss\npasswd: files systemd\n", None),
            ("passwd:\tfiles winbind\n", Some("winbind")),
            ("  passwd: files sss\n", Some("sss")),
        ] {
            write("etc/nsswitch.conf", services);
            assert_eq!(silent_service(&sys), silent, "{services}");
        }
        write("etc/sssd/sssd.conf", "[domain/x]\n# enumerate = true\n");
        assert_eq!(silent_service(&sys), Some("sss"));
        write("etc/sssd/sssd.conf", "[domain/x]\nenumerate=True\n");
        assert_eq!(silent_service(&sys), None);
    }
}
