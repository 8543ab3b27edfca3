//! `etc_services`: one row per line of `/etc/services`.

use indago_table::prelude::*;

use crate::source::held::HeldLines;
use crate::source::procfs::required;

/// Names of network services, from `/etc/services`.
#[derive(Debug, Default, PartialEq, Table)]
#[table(
    name = "etc_services",
    platforms("linux"),
    rows = 350,
    whole_source,
    identity(name, port, protocol),
    namespaces
)]
#[example(
    "Listening ports with the usual name of their service.",
    "SELECT listening_ports.port, etc_services.name FROM listening_ports JOIN etc_services ON etc_services.port = listening_ports.port AND etc_services.protocol = 'tcp'"
)]
pub struct EtcService {
    /// Name of the service.
    name: String,
    /// Port number.
    port: i64,
    /// Transport protocol: `tcp`, `udp`, `sctp`, ...
    protocol: String,
    /// Other names, separated by blanks.
    aliases: String,
    /// Comment at the end of the line; NULL if there is none.
    comment: Option<String>,
}

const FILE: &str = "/etc/services";

impl Rows for EtcService {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let text = required(scan.sys().read_text(FILE))?;
        let reject = |line: usize| {
            let what = "not a service, its port and its protocol".to_owned();
            scan.report(FILE, &Error::BadLine { file: FILE.to_owned(), line: line as u64, what });
        };
        Ok(parse(HeldLines::new(scan.sys(), text)?, reject))
    }
}

fn parse(lines: HeldLines, mut reject: impl FnMut(usize)) -> impl Iterator<Item = EtcService> {
    lines.settings(move |number, line| {
        let row = service(line);
        if row.is_none() {
            reject(number);
        }
        row
    })
}

fn service(line: &str) -> Option<EtcService> {
    let (entry, comment) = with_comment(line);
    let mut words = entry.split_ascii_whitespace();
    let name = words.next()?.to_owned();
    let (port, protocol) = words.next()?.split_once('/')?;
    Some(EtcService {
        name,
        port: port.parse::<u16>().ok()?.into(),
        protocol: protocol.to_owned(),
        aliases: words.collect::<Vec<_>>().join(" "),
        comment,
    })
}

/// A line and the comment at its end.
pub(crate) fn with_comment(line: &str) -> (&str, Option<String>) {
    match line.split_once('#') {
        Some((entry, comment)) => (entry, Some(comment.trim().to_owned())),
        None => (line, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    const SAMPLE: &str = "# x\nhttp\t80/tcp www  web # World # Wide\ndomain 53/udp\nbad\nbad x/tcp\nbad 70000/tcp\n";

    #[test]
    fn services_have_ports_and_aliases() {
        let mut rejected = Vec::new();
        let rows: Vec<_> = parse(HeldLines::of(SAMPLE), |line| rejected.push(line))
            .map(|row| format!("{} {} {} [{}] {:?}", row.name, row.port, row.protocol, row.aliases, row.comment))
            .collect();
        assert_eq!(rows, ["http 80 tcp [www web] Some(\"World # Wide\")", "domain 53 udp [] None"]);
        assert_eq!(rejected, [4, 5, 6]);
        damaged(SAMPLE.as_bytes(), |bytes| parse(HeldLines::of(&String::from_utf8_lossy(bytes)), |_| {}).count());
    }
}
