//! `arp_cache`: one row per line of the kernel's ARP table.

use indago_table::prelude::*;

use crate::source::held::HeldList;
use crate::source::procfs::{required, text};

/// Hardware addresses of IPv4 neighbours, in the host's network namespace.
#[derive(Debug, Default, Table)]
#[table(name = "arp_cache", platforms("linux"), rows = 10, identity(address, interface))]
#[example(
    "Hardware addresses that several addresses share.",
    "SELECT mac, count(*) AS addresses FROM arp_cache WHERE mac <> '00:00:00:00:00:00' GROUP BY mac HAVING count(*) > 1"
)]
pub struct ArpCache {
    /// IPv4 address.
    address: String,
    /// Hardware address; `00:00:00:00:00:00` if it is not known.
    #[column(collate = nocase)]
    mac: String,
    /// Name of the interface.
    interface: String,
    /// 1 if the entry was set by hand and does not expire, else 0.
    permanent: String,
}

/// Flag of an entry that does not expire.
const PERMANENT: u32 = 0x4;

impl Rows for ArpCache {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        // The host's first process is in the host's network namespace, unlike a pod.
        let path = format!("{}/net/arp", scan.sys().own_process());
        let mut rows = HeldList::new(scan.sys());
        let mut number = 0;
        let each = |line: &[u8]| {
            number += 1;
            match row(line) {
                _ if number == 1 => {}
                Some(row) => rows.add(row)?,
                None => {
                    let what = "not an entry of the ARP table".to_owned();
                    scan.report("entries", &Error::BadLine { file: path.clone(), line: number, what });
                }
            }
            Ok(())
        };
        required(scan.sys().lines(&path, each))?;
        Ok(rows.into_iter())
    }
}

fn row(line: &[u8]) -> Option<ArpCache> {
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let mut field = || fields.next();
    let (address, _hardware, flags, mac, _mask, interface) =
        (field()?, field()?, field()?, field()?, field()?, field()?);
    let flags = u32::from_str_radix(std::str::from_utf8(flags).ok()?.strip_prefix("0x")?, 16).ok()?;
    Some(ArpCache {
        address: text(address),
        mac: text(mac),
        interface: text(interface),
        permanent: u8::from(flags & PERMANENT != 0).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_entries() {
        let line = b"192.0.2.1        0x1         0x6         02:fc:00:00:00:05     *        eth0";
        let entry = row(line).expect("an entry");
        assert_eq!((entry.address.as_str(), entry.mac.as_str()), ("192.0.2.1", "02:fc:00:00:00:05"));
        assert_eq!((entry.interface.as_str(), entry.permanent.as_str()), ("eth0", "1"));
        assert_eq!(row(b"192.0.2.1 0x1 0x2 02:fc:00:00:00:05 * eth0").map(|entry| entry.permanent), Some("0".into()));
        for end in 0..line.len() - 4 {
            assert!(row(&line[..end]).is_none(), "cut at {end}");
        }
        for at in 0..line.len() {
            let mut changed = line.to_vec();
            changed[at] ^= 0xff;
            let _ = row(&changed);
        }
    }
}
