//! `ulimit_info`: one row per limit of this program.

use indago_table::prelude::*;

use crate::source::procfs::{required, text};

/// Limits of the resources that this program may use, as the kernel applies them to it.
#[derive(Debug, Default, Table)]
#[table(name = "ulimit_info", platforms("linux"), rows = 16, identity(r#type))]
#[example(
    "How many files this program may open.",
    "SELECT soft_limit, hard_limit FROM ulimit_info WHERE type = 'nofile'"
)]
pub struct UlimitInfo {
    /// Resource, such as `nofile` for open files or `core` for the size of core dumps.
    r#type: String,
    /// Present limit, or `unlimited`.
    soft_limit: String,
    /// Limit up to which the program may raise the present one, or `unlimited`.
    hard_limit: String,
}

impl Rows for UlimitInfo {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let path = format!("{}/limits", scan.sys().own_process());
        let rows = parse(&required(scan.sys().read(&path))?);
        if rows.is_empty() {
            return Err(Error::Malformed(format!("{path} lists no limit")));
        }
        Ok(rows.into_iter())
    }
}

/// The kernel's names of limits, and those of `ulimit` and `limits.conf`.
const LIMITS: [(&[u8], &str); 16] = [
    (b"Max cpu time", "cpu"),
    (b"Max file size", "fsize"),
    (b"Max data size", "data"),
    (b"Max stack size", "stack"),
    (b"Max core file size", "core"),
    (b"Max resident set", "rss"),
    (b"Max processes", "nproc"),
    (b"Max open files", "nofile"),
    (b"Max locked memory", "memlock"),
    (b"Max address space", "as"),
    (b"Max file locks", "locks"),
    (b"Max pending signals", "sigpending"),
    (b"Max msgqueue size", "msgqueue"),
    (b"Max nice priority", "nice"),
    (b"Max realtime priority", "rtprio"),
    (b"Max realtime timeout", "rttime"),
];

fn parse(bytes: &[u8]) -> Vec<UlimitInfo> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let rows = lines.filter_map(|line| {
        let (rest, kind) = LIMITS.iter().find_map(|(name, kind)| Some((line.strip_prefix(*name)?, kind)))?;
        let mut limits = rest.split(|byte| *byte == b' ').filter(|limit| !limit.is_empty());
        let (soft, hard) = (limits.next()?, limits.next()?);
        Some(UlimitInfo { r#type: (*kind).to_owned(), soft_limit: text(soft), hard_limit: text(hard) })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_their_usual_names() {
        let text = b"Limit                     Soft Limit           Hard Limit           Units     \n\
            Max cpu time              unlimited            unlimited            seconds   \n\
            Max open files            1024                 524288               files     \n\
            Max nice priority         0                    0                    \n";
        let rows = parse(text);
        let rows: Vec<_> = rows.iter().map(|row| (&*row.r#type, &*row.soft_limit, &*row.hard_limit)).collect();
        let expected = [("cpu", "unlimited", "unlimited"), ("nofile", "1024", "524288"), ("nice", "0", "0")];
        assert_eq!(rows, expected);
        crate::source::damaged::damaged(text, |bytes| assert!(parse(bytes).len() <= 4));
    }
}
