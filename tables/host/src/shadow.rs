//! `shadow`: one row per line of `/etc/shadow`.

use indago_table::prelude::*;

use crate::source::held::HeldLines;
use crate::source::procfs::required;

/// State and age of the passwords of local users, from `/etc/shadow`. The hashes themselves are not in the table.
#[derive(Debug, Default, PartialEq, Table)]
#[table(
    name = "shadow",
    platforms("linux"),
    rows = 40,
    whole_source,
    identity(username),
    needs("CAP_DAC_READ_SEARCH"),
    namespaces
)]
#[example("Users without a password.", "SELECT username FROM shadow WHERE password_status = 'empty'")]
pub struct Shadow {
    /// State of the password: `active`, `locked` (starts with `!`, `*` or `x`), `not_set` (`!!`) or `empty` (anyone can
    /// log in).
    password_status: String,
    /// Algorithm of the hash: `y` (yescrypt), `6` (SHA-512), `5` (SHA-256), `2b` (bcrypt), `1` (MD5). Unlike osquery's,
    /// it is set for a locked password that still has a hash. NULL if there is none or for the original DES.
    hash_alg: Option<String>,
    /// Day of the last change, in days since 1970; -1 if it is not recorded, 0 if the user must change it.
    last_change: i64,
    /// Days before the password may be changed again; -1 if there is no limit.
    min: i64,
    /// Days until the password must be changed; -1 if there is no limit.
    max: i64,
    /// Days before that in which the user is warned; -1 if there are none.
    warning: i64,
    /// Days after that in which the password is still accepted; -1 if there is no limit.
    inactive: i64,
    /// Day on which the account expires, in days since 1970; -1 if it does not.
    expire: i64,
    /// Reserved field; -1 if it is empty.
    flag: i64,
    /// Login name.
    #[column(index)]
    username: String,
}

const FILE: &str = "/etc/shadow";

impl Rows for Shadow {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let text = required(scan.sys().read_text(FILE)).needs("CAP_DAC_READ_SEARCH")?;
        let reject = |line| {
            let error =
                Error::BadLine { file: FILE.to_owned(), line, what: "not the password of an account".to_owned() };
            scan.report(FILE, &error);
        };
        Ok(parse(HeldLines::new(scan.sys(), text)?, reject))
    }
}

fn parse(lines: HeldLines, mut reject: impl FnMut(u64)) -> impl Iterator<Item = Shadow> {
    lines.filter_map(move |number, line| {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', '+', '-']) {
            return None;
        }
        let row = entry(line);
        if row.is_none() {
            reject(number as u64);
        }
        row
    })
}

fn entry(line: &str) -> Option<Shadow> {
    let mut fields = line.split(':');
    let (username, password) = (fields.next().filter(|name| !name.is_empty())?, fields.next()?);
    let mut days = || match fields.next()?.trim() {
        "" => Some(-1),
        number => number.parse().ok(),
    };
    let [last_change, min, max, warning, inactive, expire, flag] = std::array::from_fn(|_| days());
    let password_status = match password {
        "" => "empty",
        "!!" => "not_set",
        locked if locked.starts_with(['!', '*', 'x']) => "locked",
        _ => "active",
    };
    let hash_alg = password.trim_start_matches('!').strip_prefix('$').and_then(|hash| hash.split_once('$'));
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    Some(Shadow {
        password_status: password_status.to_owned(),
        hash_alg: hash_alg.map(|(name, _)| name.to_owned()).filter(|name| is_name(name)),
        last_change: last_change?,
        min: min?,
        max: max?,
        warning: warning?,
        inactive: inactive?,
        expire: expire?,
        // Some programs leave this field out.
        flag: flag.unwrap_or(-1),
        username: username.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    const SAMPLE: &str = "root:$y$j9T$salt$hash:19000:0:99999:7:::\ndaemon:*:19000:1:2:3:4:5:6\nnew:!!:::::::\n\
        locked:!$6$salt$hash:0:0:99999:7:::\nopen::19000:0:99999:7:::\ndes:abJnggxhB/yWI:1::::::\nbad\n:x:1\n\
            day:*:x:::::\n";

    /// The numbers are those of glibc 2.36 (`fgetspent`) for the same lines.
    #[test]
    fn passwords_have_a_state() {
        let mut rejected = Vec::new();
        let rows: Vec<_> = parse(HeldLines::of(SAMPLE), |line| rejected.push(line)).collect();
        let shown: Vec<_> = rows
            .iter()
            .map(|row| {
                let numbers = [row.last_change, row.min, row.max, row.warning, row.inactive, row.expire, row.flag];
                format!(
                    "{} {} {} {numbers:?}",
                    row.username,
                    row.password_status,
                    row.hash_alg.as_deref().unwrap_or("-")
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "root active y [19000, 0, 99999, 7, -1, -1, -1]",
                "daemon locked - [19000, 1, 2, 3, 4, 5, 6]",
                "new not_set - [-1, -1, -1, -1, -1, -1, -1]",
                "locked locked 6 [0, 0, 99999, 7, -1, -1, -1]",
                "open empty - [19000, 0, 99999, 7, -1, -1, -1]",
                "des active - [1, -1, -1, -1, -1, -1, -1]",
            ]
        );
        assert_eq!(rejected, [7, 8, 9]);
        damaged(SAMPLE.as_bytes(), |bytes| parse(HeldLines::of(&String::from_utf8_lossy(bytes)), |_| {}).count());
    }
}
