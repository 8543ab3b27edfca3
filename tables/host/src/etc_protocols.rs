//! `etc_protocols`: one row per line of `/etc/protocols`.

use indago_table::prelude::*;

use crate::etc_services::with_comment;
use crate::source::held::HeldLines;
use crate::source::procfs::required;

/// Names of the protocols above IP, from `/etc/protocols`.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "etc_protocols", platforms("linux"), rows = 60, whole_source, identity(name, number), namespaces)]
#[example("The number of a protocol.", "SELECT number FROM etc_protocols WHERE name = 'tcp'")]
pub struct EtcProtocol {
    /// Name of the protocol.
    name: String,
    /// Its number in IP packets.
    number: i64,
    /// Other names, separated by blanks.
    alias: String,
    /// Comment at the end of the line; NULL if there is none.
    comment: Option<String>,
}

const FILE: &str = "/etc/protocols";

impl Rows for EtcProtocol {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let text = required(scan.sys().read_text(FILE))?;
        let reject = |line: usize| {
            let what = "not a protocol and its number".to_owned();
            scan.report(FILE, &Error::BadLine { file: FILE.to_owned(), line: line as u64, what });
        };
        Ok(parse(HeldLines::new(scan.sys(), text)?, reject))
    }
}

fn parse(lines: HeldLines, mut reject: impl FnMut(usize)) -> impl Iterator<Item = EtcProtocol> {
    lines.settings(move |number, line| {
        let row = protocol(line);
        if row.is_none() {
            reject(number);
        }
        row
    })
}

fn protocol(line: &str) -> Option<EtcProtocol> {
    let (entry, comment) = with_comment(line);
    let mut words = entry.split_ascii_whitespace();
    let name = words.next()?.to_owned();
    let number = words.next()?.parse::<u32>().ok()?.into();
    Some(EtcProtocol { name, number, alias: words.collect::<Vec<_>>().join(" "), comment })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    const SAMPLE: &str = "ip\t0\tIP\t\t# internet protocol\nhopopt 0 HOPOPT HOP\nnone\nbad x\nmptcp 262 MPTCP\n";

    #[test]
    fn protocols_have_numbers() {
        let mut rejected = Vec::new();
        let rows: Vec<_> = parse(HeldLines::of(SAMPLE), |line| rejected.push(line))
            .map(|row| format!("{} {} {} {:?}", row.name, row.number, row.alias, row.comment))
            .collect();
        let expected = ["ip 0 IP Some(\"internet protocol\")", "hopopt 0 HOPOPT HOP None", "mptcp 262 MPTCP None"];
        assert_eq!(rows, expected);
        assert_eq!(rejected, [3, 4]);
        damaged(SAMPLE.as_bytes(), |bytes| parse(HeldLines::of(&String::from_utf8_lossy(bytes)), |_| {}).count());
    }
}
