//! `iptables`: one row per rule of the IPv4 packet filter.

use std::net::Ipv4Addr;

use indago_table::prelude::*;

use crate::source::administration;
use crate::source::held::HeldList;
use crate::source::procfs::{note_lossy, number, text};

/// Rules of the IPv4 packet filter, as `iptables-save` prints them.
///
/// Both kinds are read: the kernel's older tables, and rules that `iptables` keeps in nftables; osquery reads only the
/// older. A chain without rules has one row. The counters are the rule's own; osquery shows those of the chain's policy.
/// `nftables_rules` has the rules that other programs made.
#[derive(Debug, Default, Table)]
#[table(name = "iptables", platforms("linux"), rows = 20, needs("CAP_NET_ADMIN"), identity())]
#[example(
    "Incoming ports that are open to any sender.",
    "SELECT dst_port, iniface, rule FROM iptables WHERE chain = 'INPUT' AND target = 'ACCEPT' AND src_mask = '0.0.0.0'"
)]
pub struct IptablesRule {
    /// Table: `filter`, `nat`, `mangle`, `raw` or `security`.
    filter_name: String,
    /// Chain.
    chain: String,
    /// Policy of the chain, for packets that no rule decides about; empty for a chain that a user made.
    policy: String,
    /// What happens to a packet: `ACCEPT`, `DROP`, an extension, or a chain; empty if the rule only counts.
    target: Option<String>,
    /// Number of the protocol; 0 for all.
    protocol: Option<i64>,
    /// First and last source port of a TCP or UDP rule, with a colon; empty for others.
    src_port: Option<String>,
    /// First and last destination port of a TCP or UDP rule, with a colon; empty for others.
    dst_port: Option<String>,
    /// Source address.
    src_ip: Option<String>,
    /// Mask of the source address; `0.0.0.0` for any source.
    src_mask: Option<String>,
    /// Incoming interface, with `+` at the end for any name that starts with it; `all` for any.
    iniface: Option<String>,
    /// Mask of the incoming interface's name, in hexadecimal.
    iniface_mask: Option<String>,
    /// Destination address.
    dst_ip: Option<String>,
    /// Mask of the destination address; `0.0.0.0` for any destination.
    dst_mask: Option<String>,
    /// Outgoing interface, like `iniface`.
    outiface: Option<String>,
    /// Mask of the outgoing interface's name, in hexadecimal.
    outiface_mask: Option<String>,
    /// `yes` if an extension matches packets, else `no`; osquery always shows `yes`.
    r#match: Option<String>,
    /// Packets that matched; for a chain without rules, those that its policy decided about.
    #[column(volatile)]
    packets: i64,
    /// Bytes of these packets.
    #[column(volatile)]
    bytes: i64,
    /// The rule in the syntax of `iptables`. It also has what the other columns lack: negations, extensions and options.
    #[column(added)]
    rule: Option<String>,
    /// `nft` for a rule in nftables, `legacy` for one in the older tables.
    #[column(added)]
    backend: String,
}

const CAPABILITY: &str = "CAP_NET_ADMIN";
/// The older tables that are in use.
const LEGACY_TABLES: &str = "/proc/net/ip_tables_names";
const NFT: &str = "nft";
const LEGACY: &str = "legacy";

impl Rows for IptablesRule {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        sys.require_live("rules of the packet filter")?;
        // A kernel without the older tables lacks the file, and only root may read it.
        let uses_legacy = sys.read(LEGACY_TABLES).is_ok_and(|names| !names.is_empty());
        let protocols = sys.read_text("/etc/protocols").unwrap_or_default();
        let mut rows = HeldList::new(sys);
        let mut outcome = Err(Error::Unsupported("`iptables-save` is not installed".to_owned()));
        for (backend, names) in
            [(NFT, ["iptables-nft-save", "iptables-save"]), (LEGACY, ["iptables-legacy-save", "iptables-save"])]
        {
            if backend == LEGACY && !uses_legacy {
                continue;
            }
            let Some(program) = names.iter().find_map(|name| administration::find(sys, name, &["-c"])) else {
                continue;
            };
            match administration::print(sys, &program, CAPABILITY) {
                Ok(printed) => {
                    note_lossy(sys, &printed);
                    let reject = |error: &Error| scan.report(&program.name, error);
                    let _held = scan.meter().hold(printed.len())?;
                    let add = |row| rows.add(IptablesRule { backend: backend.to_owned(), ..row });
                    parse(&printed, &protocols, &program.name, reject, add)?;
                    outcome = Ok(());
                }
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                // A kernel without nftables has no such rules.
                Err(Error::Unsupported(_)) if backend == NFT && uses_legacy => {}
                Err(error) if outcome.is_ok() => scan.report(&program.name, &error),
                Err(error) => outcome = Err(error),
            }
        }
        outcome?;
        Ok(rows.into_iter())
    }
}

/// A chain, until its first rule.
struct Chain {
    name: String,
    policy: String,
    packets: i64,
    bytes: i64,
    has_rules: bool,
}

/// Parses the output of `iptables-save -c`. Rows go to `add`, lines that are not rules to `reject`.
fn parse(
    printed: &[u8],
    protocols: &str,
    file: &str,
    reject: impl Fn(&Error),
    mut add: impl FnMut(IptablesRule) -> Result<()>,
) -> Result<()> {
    let mut table = String::new();
    let mut chains: Vec<Chain> = Vec::new();
    for (position, line) in printed.split(|byte| *byte == b'\n').enumerate() {
        let line = text(line);
        let parsed = match line.as_bytes().first() {
            None | Some(b'#') => Some(()),
            Some(b'*') => {
                line[1..].clone_into(&mut table);
                Some(())
            }
            Some(b':') => chain(&line).map(|chain| chains.push(chain)),
            Some(b'[') => match rule(&line, &table, &mut chains, protocols) {
                Some(rule) => Some(add(rule)?),
                None => None,
            },
            _ if line == "COMMIT" => {
                for chain in chains.drain(..).filter(|chain| !chain.has_rules) {
                    add(IptablesRule {
                        filter_name: table.clone(),
                        chain: chain.name,
                        policy: chain.policy,
                        packets: chain.packets,
                        bytes: chain.bytes,
                        ..IptablesRule::default()
                    })?;
                }
                Some(())
            }
            _ => None,
        };
        if parsed.is_none() {
            let what = "not a rule".to_owned();
            reject(&Error::BadLine { file: file.to_owned(), line: position as u64 + 1, what });
        }
    }
    Ok(())
}

/// `:INPUT ACCEPT [10:840]`
fn chain(line: &str) -> Option<Chain> {
    let (rest, counters) = line.strip_prefix(':')?.rsplit_once(' ')?;
    let (name, policy) = rest.rsplit_once(' ')?;
    let (packets, bytes) = counts(counters)?;
    let policy = if policy == "-" { "" } else { policy };
    Some(Chain { name: name.to_owned(), policy: policy.to_owned(), packets, bytes, has_rules: false })
}

/// `[10:840]`
fn counts(text: &str) -> Option<(i64, i64)> {
    let (packets, bytes) = text.strip_prefix('[')?.strip_suffix(']')?.split_once(':')?;
    Some((number(packets.as_bytes())?, number(bytes.as_bytes())?))
}

/// Options whose value can be any text, such as one that looks like an option.
const TEXTS: [&str; 7] =
    ["--comment", "--log-prefix", "--nflog-prefix", "--string", "--hex-string", "--name", "--hashlimit-name"];

/// `[10:840] -A INPUT -p tcp -j ACCEPT`
fn rule(line: &str, table: &str, chains: &mut [Chain], protocols: &str) -> Option<IptablesRule> {
    let (counters, rest) = line.split_once(' ')?;
    let (packets, bytes) = counts(counters)?;
    let words = words(rest)?;
    let mut words = words.iter().map(String::as_str);
    let (Some("-A"), Some(name)) = (words.next(), words.next()) else { return None };
    let chain = chains.iter_mut().find(|chain| chain.name == name)?;
    chain.has_rules = true;
    let (any, all) = (Some("0.0.0.0".into()), Some("all".into()));
    let mut row = IptablesRule {
        filter_name: table.to_owned(),
        chain: name.to_owned(),
        policy: chain.policy.clone(),
        target: Some(String::new()),
        protocol: Some(0),
        src_port: Some(String::new()),
        dst_port: Some(String::new()),
        src_ip: any.clone(),
        src_mask: any.clone(),
        dst_ip: any.clone(),
        dst_mask: any,
        iniface: all.clone(),
        iniface_mask: Some(String::new()),
        outiface: all,
        outiface_mask: Some(String::new()),
        r#match: Some("no".to_owned()),
        packets,
        bytes,
        rule: Some(rest.to_owned()),
        ..IptablesRule::default()
    };
    while let Some(word) = words.next() {
        match word {
            "-p" => row.protocol = Some(protocol(words.next()?, protocols)?),
            "-s" => (row.src_ip, row.src_mask) = network(words.next()?)?,
            "-d" => (row.dst_ip, row.dst_mask) = network(words.next()?)?,
            "-i" => (row.iniface, row.iniface_mask) = interface(words.next()?),
            "-o" => (row.outiface, row.outiface_mask) = interface(words.next()?),
            "-j" | "-g" => row.target = Some(words.next()?.to_owned()),
            "-m" => {
                row.r#match = Some("yes".to_owned());
                if matches!(words.next()?, "tcp" | "udp") {
                    (row.src_port, row.dst_port) = (Some(ANY_PORT.to_owned()), Some(ANY_PORT.to_owned()));
                }
            }
            "--sport" => row.src_port = Some(ports(words.next()?)),
            "--dport" => row.dst_port = Some(ports(words.next()?)),
            word if TEXTS.contains(&word) => _ = words.next(),
            _ => {}
        }
    }
    Some(row)
}

const ANY_PORT: &str = "0:65535";

/// The words of a line. A word with blanks is in quotes, with a backslash before a quote or a backslash.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => word.get_or_insert_default().push(characters.next()?),
            ' ' if !quoted => words.extend(word.take()),
            character => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    (!quoted).then_some(words)
}

/// The number of a protocol, from its name in `/etc/protocols` or its number.
fn protocol(name: &str, protocols: &str) -> Option<i64> {
    const USUAL: [(&str, i64); 8] =
        [("all", 0), ("icmp", 1), ("tcp", 6), ("udp", 17), ("esp", 50), ("ah", 51), ("sctp", 132), ("udplite", 136)];
    let listed = || {
        let lines = protocols.lines().filter_map(|line| line.split('#').next());
        let mut entries = lines.map(|line| line.split_ascii_whitespace());
        entries.find_map(|mut words| (words.next()? == name).then(|| number(words.next()?.as_bytes()))?)
    };
    let usual = USUAL.iter().find(|(usual, _)| *usual == name).map(|(_, number)| *number);
    usual.or_else(|| number(name.as_bytes())).or_else(listed)
}

/// `10.0.0.0/8`, `10.0.0.0/255.0.0.0` or `10.0.0.1`
fn network(text: &str) -> Option<(Option<String>, Option<String>)> {
    let (address, mask) = text.split_once('/').unwrap_or((text, "32"));
    let address: Ipv4Addr = address.parse().ok()?;
    let mask: Ipv4Addr = match mask.parse::<u32>() {
        Ok(length @ 0..=32) => u32::MAX.checked_shl(32 - length).unwrap_or(0).into(),
        _ => mask.parse().ok()?,
    };
    Some((Some(address.to_string()), Some(mask.to_string())))
}

/// An interface and the mask of its name: one byte per character, and one for the end of a complete name.
fn interface(name: &str) -> (Option<String>, Option<String>) {
    let length = if name.ends_with('+') { name.len() - 1 } else { name.len() + 1 };
    (Some(name.to_owned()), Some("FF".repeat(length)))
}

/// `22` or `1000:2000`
fn ports(text: &str) -> String {
    if text.contains(':') { text.to_owned() } else { format!("{text}:{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by `iptables-save -c` of iptables 1.8.9.
    const SAVED: &str = r#"# Generated by iptables-save v1.8.9 (nf_tables) on Mon Nov 30 08:53:08 2026
*filter
:INPUT ACCEPT [5:420]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [7:588]
:mine - [0:0]
[3:180] -A INPUT -s 10.0.0.0/8 -i eth+ -p tcp -m tcp --dport 22 -j ACCEPT
[0:0] -A INPUT ! -s 1.2.3.4/32 -p udp -m udp --sport 1000:2000 -m comment --comment "a \"b\" -j c" -j DROP
[0:0] -A FORWARD -m comment --comment -j -g mine
[0:0] -A mine -o lo -p igmp -j RETURN
COMMIT
# Completed on Mon Nov 30 08:53:08 2026
"#;

    fn saved(text: &[u8]) -> (Vec<IptablesRule>, usize) {
        let rejected = std::cell::Cell::new(0);
        let mut rows = Vec::new();
        let add = |row| {
            rows.push(row);
            Ok(())
        };
        let read = parse(text, "igmp 2 IGMP # group\n", "x", |_| rejected.set(rejected.get() + 1), add);
        read.expect("memory is left");
        (rows, rejected.get())
    }

    #[test]
    fn rules_have_the_kernels_values() {
        let (rows, rejected) = saved(SAVED.as_bytes());
        assert_eq!(rejected, 0);
        let shown: Vec<String> = rows
            .iter()
            .map(|row| {
                let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
                let protocol = row.protocol.map_or_else(|| "NULL".to_owned(), |number| number.to_string());
                let columns = [&row.target, &row.src_port, &row.dst_port, &row.src_ip, &row.src_mask, &row.iniface];
                let masks = [&row.iniface_mask, &row.outiface, &row.outiface_mask, &row.r#match];
                let texts: Vec<String> = columns.into_iter().chain(masks).map(text).collect();
                let counts = format!("{}/{}", row.packets, row.bytes);
                format!("{} {} {protocol} {} {counts}", row.chain, row.policy, texts.join(" "))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "INPUT ACCEPT 6 ACCEPT 0:65535 22:22 10.0.0.0 255.0.0.0 eth+ FFFFFF all  yes 3/180",
                "INPUT ACCEPT 17 DROP 1000:2000 0:65535 1.2.3.4 255.255.255.255 all  all  yes 0/0",
                "FORWARD DROP 0 mine   0.0.0.0 0.0.0.0 all  all  yes 0/0",
                "mine  2 RETURN   0.0.0.0 0.0.0.0 all  lo FFFFFF no 0/0",
                "OUTPUT ACCEPT NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL 7/588",
            ]
        );
    }

    #[test]
    fn damaged_output_is_reported_line_by_line() {
        let (rows, rejected) =
            saved(b"*filter\n:INPUT ACCEPT [0:0]\nnoise\n[0:0] -A OTHER -j DROP\n[0:0] -A INPUT -s x\nCOMMIT\n");
        assert_eq!((rows.len(), rejected), (0, 3));
        for end in 0..SAVED.len() {
            saved(&SAVED.as_bytes()[..end]);
            let mut changed = SAVED.as_bytes().to_vec();
            changed[end] ^= 0xff;
            assert!(saved(&changed).0.len() <= 6);
        }
    }

    #[test]
    fn words_in_quotes_keep_blanks() {
        assert_eq!(
            words(r#"-m x --comment "a \"b\" \\ c" "" d"#),
            Some(["-m", "x", "--comment", r#"a "b" \ c"#, "", "d"].map(str::to_owned).to_vec())
        );
        assert_eq!(words("\"open"), None);
    }
}
