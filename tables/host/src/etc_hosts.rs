//! `etc_hosts`: one row per line of `/etc/hosts`.

use indago_table::prelude::*;

use crate::source::held::HeldLines;
use crate::source::procfs::required;

/// Names and addresses in `/etc/hosts`.
///
/// Lines appear as written, even if the C library ignores them because their first word is not an address.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "etc_hosts", platforms("linux"), rows = 8, whole_source, identity(address, hostnames), namespaces)]
#[example("Names that this host resolves without DNS.", "SELECT address, hostnames FROM etc_hosts")]
pub struct EtcHost {
    /// Address that the names resolve to.
    address: String,
    /// Names, separated by blanks: the canonical name first.
    hostnames: String,
}

impl Rows for EtcHost {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let text = required(scan.sys().read_text("/etc/hosts"))?;
        Ok(parse(HeldLines::new(scan.sys(), text)?))
    }
}

fn parse(lines: HeldLines) -> impl Iterator<Item = EtcHost> {
    lines.settings(|_, line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let address = words.next()?.to_owned();
        Some(EtcHost { address, hostnames: words.collect::<Vec<_>>().join(" ") })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    const SAMPLE: &str =
        "127.0.0.1\tlocalhost  loopback # note\n#10.0.0.1 no\n\n  ::1 ip6-localhost#x\n0 ads.test\n1.2.3.4\n";

    #[test]
    fn comments_end_a_line() {
        let rows: Vec<_> =
            parse(HeldLines::of(SAMPLE)).map(|row| format!("{}={}", row.address, row.hostnames)).collect();
        assert_eq!(rows, ["127.0.0.1=localhost loopback", "::1=ip6-localhost", "0=ads.test", "1.2.3.4="]);
        damaged(SAMPLE.as_bytes(), |bytes| parse(HeldLines::of(&String::from_utf8_lossy(bytes))).count());
    }
}
