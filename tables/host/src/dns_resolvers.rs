//! `dns_resolvers`: the settings of the resolver in `/etc/resolv.conf`.

use std::net::{Ipv4Addr, Ipv6Addr};

use indago_table::prelude::*;

use crate::source::procfs::required;

/// Name servers, search domains and preferred networks of the host's resolver, as the C library reads them from
/// `/etc/resolv.conf`.
///
/// Without a `search` or `domain` line, the resolver searches the domain of the host's name. The C library uses only
/// the first three name servers. Unlike osquery's, this table has IPv6 name servers too.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "dns_resolvers", platforms("linux"), rows = 3, identity(r#type, id), namespaces)]
#[example("Name servers of this host.", "SELECT address FROM dns_resolvers WHERE type = 'nameserver' ORDER BY id")]
pub struct DnsResolver {
    /// Position among the rows of its type, from 0.
    id: i64,
    /// What the row is: `nameserver`, `search` (a domain that is appended to short names) or `sortlist` (a network
    /// whose addresses are preferred).
    r#type: String,
    /// Address of the name server or network, or the domain.
    address: String,
    /// Mask of the address: 32 for an IPv4 and 128 for an IPv6 name server, an address for a network; NULL for a
    /// domain.
    netmask: Option<String>,
    /// Options of the resolver as a bit mask of the C library's `RES_*` constants.
    options: i64,
}

const RESOLV_CONF: &str = "/etc/resolv.conf";

impl Rows for DnsResolver {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let text = required(sys.read_text(RESOLV_CONF))?;
        let mut resolver = parse(&text, |line, what| {
            let error = Error::BadLine { file: RESOLV_CONF.to_owned(), line, what: what.to_owned() };
            scan.report(RESOLV_CONF, &error);
        });
        if resolver.searched.is_empty()
            && let Some(name) = hostname(sys)
            && let Some((_, domain)) = name.split_once('.')
        {
            resolver.searched.push(domain.to_owned());
        }
        Ok(rows(resolver).into_iter())
    }
}

fn hostname(sys: &Sys) -> Option<String> {
    let read = |path| sys.read_text(path).ok().map(|name| name.trim().to_owned());
    read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname"))
}

fn rows(resolver: Resolver) -> Vec<DnsResolver> {
    let Resolver { servers, searched, sorted, options } = resolver;
    let row = |kind: &str, id: usize, address: String, netmask: Option<String>| DnsResolver {
        id: id as i64,
        r#type: kind.to_owned(),
        address,
        netmask,
        options,
    };
    let servers = servers.into_iter().enumerate().map(|(id, address)| {
        let bits = if address.contains(':') { "128" } else { "32" };
        row("nameserver", id, address, Some(bits.to_owned()))
    });
    let sorted = sorted.into_iter().enumerate();
    let sorted = sorted.map(|(id, (network, mask))| row("sortlist", id, network.to_string(), Some(mask.to_string())));
    let searched = searched.into_iter().enumerate().map(|(id, domain)| row("search", id, domain, None));
    servers.chain(sorted).chain(searched).collect()
}

#[derive(Debug, Default, PartialEq)]
struct Resolver {
    servers: Vec<String>,
    searched: Vec<String>,
    sorted: Vec<(Ipv4Addr, Ipv4Addr)>,
    options: i64,
}

/// `RES_INIT | RES_RECURSE | RES_DEFNAMES | RES_DNSRCH`.
const DEFAULT_OPTIONS: i64 = 0x2c1;

/// The options that the C library (glibc 2.36) stores as bits.
const OPTIONS: &[(&str, i64)] = &[
    ("rotate", 0x4000),
    ("edns0", 0x10_0000),
    ("single-request-reopen", 0x40_0000),
    ("single-request", 0x20_0000),
    ("no_tld_query", 0x100_0000),
    ("no-tld-query", 0x100_0000),
    ("no-reload", 0x200_0000),
    ("use-vc", 0x8),
    ("trust-ad", 0x400_0000),
    ("no-aaaa", 0x800_0000),
    ("strict-error", 0x1000_0000),
];

/// Parses the file as glibc does: a keyword starts its line, and the last `search` or `domain` line counts.
fn parse(text: &str, mut reject: impl FnMut(u64, &str)) -> Resolver {
    let mut resolver = Resolver { options: DEFAULT_OPTIONS, ..Resolver::default() };
    for (position, line) in text.lines().enumerate() {
        if line.starts_with(['#', ';']) {
            continue;
        }
        let Some((keyword, rest)) = line.split_once([' ', '\t']) else { continue };
        let mut words = rest.split_ascii_whitespace();
        match keyword {
            "nameserver" => match words.next().and_then(server) {
                Some(address) => resolver.servers.push(address),
                None => reject(position as u64 + 1, "not an address of a name server"),
            },
            "domain" => resolver.searched = words.take(1).map(str::to_owned).collect(),
            "search" => resolver.searched = words.map(str::to_owned).collect(),
            "sortlist" => {
                let networks = rest.split(|separator: char| separator.is_ascii_whitespace() || separator == ';');
                for word in networks.filter(|word| !word.is_empty()) {
                    match network(word) {
                        Some(network) => resolver.sorted.push(network),
                        None => reject(position as u64 + 1, "not a network"),
                    }
                }
            }
            "options" => {
                for word in words {
                    // As the C library, by the beginning of the word.
                    if let Some((_, bit)) = OPTIONS.iter().find(|(name, _)| word.starts_with(name)) {
                        resolver.options |= bit;
                    }
                }
            }
            _ => {}
        }
    }
    if resolver.servers.is_empty() {
        resolver.servers.push("127.0.0.1".to_owned());
    }
    resolver
}

/// The address of a name server. An IPv6 address may name its network interface: `fe80::1%eth0`.
fn server(word: &str) -> Option<String> {
    let (address, interface) = word.split_once('%').map_or((word, None), |(address, name)| (address, Some(name)));
    match interface {
        None if !address.contains(':') => Some(ipv4(address)?.to_string()),
        _ => {
            let address: Ipv6Addr = address.parse().ok()?;
            Some(interface.map_or_else(|| address.to_string(), |name| format!("{address}%{name}")))
        }
    }
}

/// An IPv4 address as `inet_aton` reads it: one to four numbers, decimal, octal or hexadecimal, of which the last one
/// has the remaining bytes.
fn ipv4(word: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| match part.strip_prefix("0x").or(part.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(part, 8).ok(),
        None => part.parse().ok(),
    };
    let parts: Vec<u32> = word.split('.').map(number).collect::<Option<_>>()?;
    let (last, bytes) = parts.split_last().filter(|(_, bytes)| bytes.len() < 4)?;
    let rest = 8 * (4 - bytes.len() as u32);
    let fits = bytes.iter().all(|byte| *byte < 256) && u64::from(*last) < 1 << rest;
    let first = bytes.iter().zip([24, 16, 8]).fold(0, |address, (byte, shift)| address | byte << shift);
    fits.then(|| Ipv4Addr::from(first | last))
}

/// A network with its mask, or with the mask of its class.
fn network(word: &str) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let Some((address, mask)) = word.split_once(['/', '&']) else {
        let address = ipv4(word)?;
        let bits = match address.octets()[0] {
            0..=127 => 0xff00_0000,
            128..=191 => 0xffff_0000,
            _ => 0xffff_ff00,
        };
        return Some((address, Ipv4Addr::from(bits)));
    };
    Some((ipv4(address)?, ipv4(mask)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    const SAMPLE: &str = "# note\nnameserver 192.0.2.1 extra\nnameserver\tfe80::1%eth0\n nameserver 192.0.2.9\n\
        nameserver 192.0.2\nnameserver x\ndomain example.org more\nsearch a.test b.test\n\
            options rotate edns0 ndots:3 timeout:5\n\
        options single-request-reopen trust-ad unknown\nsortlist 192.0.2.0/255.255.255.128 10.0.0.0;172.16.0.0\n";

    /// The options are those of glibc 2.36 (`__res_state()->options`) for the same file.
    #[test]
    fn settings_are_those_of_the_c_library() {
        let mut rejected = Vec::new();
        let resolver = parse(SAMPLE, |line, what| rejected.push(format!("{line}: {what}")));
        assert_eq!(rejected, ["6: not an address of a name server"]);
        assert_eq!(resolver.options, 0x450_42c1);
        let rows: Vec<String> = rows(resolver)
            .into_iter()
            .map(|row| format!("{} {} {} {}", row.r#type, row.id, row.address, row.netmask.unwrap_or_default()))
            .collect();
        assert_eq!(
            rows,
            [
                "nameserver 0 192.0.2.1 32",
                "nameserver 1 fe80::1%eth0 128",
                "nameserver 2 192.0.0.2 32",
                "sortlist 0 192.0.2.0 255.255.255.128",
                "sortlist 1 10.0.0.0 255.0.0.0",
                "sortlist 2 172.16.0.0 255.255.0.0",
                "search 0 a.test ",
                "search 1 b.test ",
            ]
        );
        let none = parse("", |_, what| panic!("{what}"));
        assert_eq!((none.servers, none.options), (vec!["127.0.0.1".to_owned()], 705));
    }

    /// As `inet_aton` of glibc 2.36.
    #[test]
    fn addresses_may_be_short() {
        for (word, address) in [
            ("127.1", Some("127.0.0.1")),
            ("0x7f000001", Some("127.0.0.1")),
            ("010.0.0.1", Some("8.0.0.1")),
            ("1.2.3", Some("1.2.0.3")),
            ("4294967295", Some("255.255.255.255")),
            ("4294967296", None),
            ("256.0.0.1", None),
            ("1.2.3.4.5", None),
            ("1..2", None),
            ("08", None),
            ("", None),
        ] {
            assert_eq!(ipv4(word).map(|address| address.to_string()).as_deref(), address, "{word}");
        }
    }

    #[test]
    fn damaged_files_are_bounded() {
        damaged(SAMPLE.as_bytes(), |bytes| {
            let resolver = parse(&String::from_utf8_lossy(bytes), |_, _| {});
            resolver.servers.len() + resolver.searched.len() + resolver.sorted.len()
        });
    }
}
