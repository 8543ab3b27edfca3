//! `nftables_rules`: one row per rule of nftables.

use std::collections::HashMap;

use indago_table::prelude::*;
use serde_json::Value;

use crate::source::administration;
use crate::source::held::HeldList;
use crate::source::procfs::note_lossy;

/// Rules of nftables, of all families and tables.
///
/// They include the rules that `iptables` keeps in nftables. A chain without rules has one row, because its policy may
/// drop packets.
#[derive(Debug, Default, Table)]
#[table(
    name = "nftables_rules",
    platforms("linux"),
    rows = 30,
    needs("CAP_NET_ADMIN"),
    identity(table_family, table_name, chain, rule_handle)
)]
#[example(
    "Chains that see incoming packets, with their rules in order.",
    "SELECT table_family, table_name, chain, policy, position, verdict, expression FROM nftables_rules WHERE hook = 'input' ORDER BY table_family, table_name, priority, chain, position"
)]
pub struct NftablesRule {
    /// Family: `ip`, `ip6`, `inet`, `arp`, `bridge` or `netdev`.
    table_family: String,
    /// Table.
    table_name: String,
    /// Chain.
    chain: String,
    /// Number of the rule in its table; NULL for a chain without rules.
    rule_handle: Option<i64>,
    /// Position of the rule in its chain, from 1; NULL for a chain without rules.
    position: Option<i64>,
    /// Type of a chain that sees packets: `filter`, `nat` or `route`; NULL for a chain that rules jump to.
    chain_type: Option<String>,
    /// Where the chain sees packets: `input`, `forward`, `output`, `prerouting`, ...; NULL like `chain_type`.
    hook: Option<String>,
    /// Order of the chains of a hook: the lowest is first; NULL like `chain_type`.
    priority: Option<i64>,
    /// What happens to packets that no rule decides about: `accept` or `drop`; NULL like `chain_type`.
    policy: Option<String>,
    /// What the rule does with a packet: `accept`, `drop`, `reject`, `jump CHAIN`, `masquerade`, ...; NULL if it decides
    /// nothing.
    verdict: Option<String>,
    /// Packets that matched; NULL if the rule has no counter.
    #[column(volatile)]
    packets: Option<i64>,
    /// Bytes of these packets; NULL if the rule has no counter.
    #[column(volatile)]
    bytes: Option<i64>,
    /// Comment of the rule.
    comment: Option<String>,
    /// Parts of the rule in the JSON syntax of `nft`, without counters.
    expression: Option<String>,
}

const CAPABILITY: &str = "CAP_NET_ADMIN";

impl Rows for NftablesRule {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        sys.require_live("rules of nftables")?;
        let program = administration::find(sys, "nft", &["-j", "list", "ruleset"])
            .ok_or_else(|| Error::Unsupported("`nft` is not installed".to_owned()))?;
        let printed = administration::print(sys, &program, CAPABILITY)?;
        note_lossy(sys, &printed);
        let _held = scan.meter().hold(printed.len() * (1 + BYTES_PER_BYTE))?;
        Ok(parse(&String::from_utf8_lossy(&printed), HeldList::new(sys))?.into_iter())
    }
}

/// Memory of a document compared with its text, which is mostly short names and numbers.
const BYTES_PER_BYTE: usize = 8;

/// Rows of the output of `nft -j list ruleset`, added to a list.
fn parse(printed: &str, mut rows: HeldList<NftablesRule>) -> Result<HeldList<NftablesRule>> {
    let document: Option<Value> = serde_json::from_str(printed).ok();
    let objects = document.as_ref().and_then(|document| document.get("nftables")?.as_array());
    let objects = objects.ok_or_else(|| Error::Malformed("`nft` prints no list of rules".to_owned()))?;
    let of_kind = |kind: &'static str| objects.iter().filter_map(move |object| object.get(kind));
    // Chains in their order, with the number of rules so far.
    let mut chains: Vec<(NftablesRule, i64)> = Vec::new();
    let mut positions = HashMap::new();
    for chain in of_kind("chain") {
        let row = NftablesRule {
            chain: text(chain, "name").unwrap_or_default(),
            chain_type: text(chain, "type"),
            hook: text(chain, "hook"),
            priority: number(chain, "prio"),
            policy: text(chain, "policy"),
            ..of_table(chain)
        };
        positions.insert(key(&row), chains.len());
        chains.push((row, 0));
    }
    for rule in of_kind("rule") {
        let own = NftablesRule { chain: text(rule, "chain").unwrap_or_default(), ..of_table(rule) };
        let chain = positions.get(&key(&own)).and_then(|position| chains.get_mut(*position));
        let mut row = chain.map_or(own, |(chain, rules)| {
            *rules += 1;
            NftablesRule {
                position: Some(*rules),
                table_family: chain.table_family.clone(),
                table_name: chain.table_name.clone(),
                chain: chain.chain.clone(),
                chain_type: chain.chain_type.clone(),
                hook: chain.hook.clone(),
                policy: chain.policy.clone(),
                priority: chain.priority,
                ..NftablesRule::default()
            }
        });
        row.rule_handle = number(rule, "handle");
        row.comment = text(rule, "comment");
        let parts = rule.get("expr").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for counter in parts.iter().filter_map(|part| part.get("counter")) {
            (row.packets, row.bytes) = (number(counter, "packets"), number(counter, "bytes"));
        }
        row.verdict = parts.iter().rev().find_map(verdict);
        let others: Vec<&Value> = parts.iter().filter(|part| part.get("counter").is_none()).collect();
        row.expression = serde_json::to_string(&others).ok();
        rows.add(row)?;
    }
    for (chain, _) in chains.into_iter().filter(|(_, rules)| *rules == 0) {
        rows.add(chain)?;
    }
    Ok(rows)
}

fn of_table(object: &Value) -> NftablesRule {
    NftablesRule {
        table_family: text(object, "family").unwrap_or_default(),
        table_name: text(object, "table").unwrap_or_default(),
        ..NftablesRule::default()
    }
}

fn key(row: &NftablesRule) -> (String, String, String) {
    (row.table_family.clone(), row.table_name.clone(), row.chain.clone())
}

fn text(object: &Value, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned)
}

fn number(object: &Value, key: &str) -> Option<i64> {
    object.get(key)?.as_i64()
}

/// The verdict in a part of a rule.
fn verdict(part: &Value) -> Option<String> {
    const VERDICTS: [&str; 12] = [
        "accept",
        "drop",
        "continue",
        "return",
        "reject",
        "queue",
        "snat",
        "dnat",
        "masquerade",
        "redirect",
        "tproxy",
        "synproxy",
    ];
    let (name, value) = part.as_object()?.iter().next()?;
    match name.as_str() {
        "jump" | "goto" => Some(format!("{name} {}", text(value, "target")?)),
        // An extension of iptables.
        "xt" if value.get("type")?.as_str()? == "target" => text(value, "name"),
        name if VERDICTS.contains(&name) => Some(name.to_owned()),
        // A map from packets to verdicts.
        "vmap" => Some("vmap".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by `nft -j list ruleset` of nftables 1.0.6, shortened.
    const PRINTED: &str = r#"{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "inet", "name": "t", "handle": 3}},
        {"chain": {"family": "inet", "table": "t", "name": "c", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "inet", "table": "t", "name": "d", "handle": 2}},
        {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 3, "comment": "hello", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"counter": {"packets": 4, "bytes": 240}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 4, "expr": [{"jump": {"target": "d"}}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 5, "expr": [{"xt": {"type": "match", "name": "comment"}}, {"xt": {"type": "target", "name": "REJECT"}}]}}]}"#;

    #[test]
    fn rules_and_empty_chains_have_rows() {
        let rows = parse(PRINTED, HeldList::default()).expect("a list");
        let shown: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.chain.as_str(),
                    row.rule_handle,
                    row.position,
                    row.policy.as_deref(),
                    row.verdict.as_deref(),
                    row.packets,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("c", Some(3), Some(1), Some("drop"), Some("accept"), Some(4)),
                ("c", Some(4), Some(2), Some("drop"), Some("jump d"), None),
                ("c", Some(5), Some(3), Some("drop"), Some("REJECT"), None),
                ("d", None, None, None, None, None),
            ]
        );
        assert_eq!(rows[0].comment.as_deref(), Some("hello"));
        assert_eq!(
            rows[0].expression.as_deref(),
            Some(
                r#"[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":22}},{"accept":null}]"#
            )
        );
    }

    #[test]
    fn damaged_output_is_refused_or_read_within_bounds() {
        for end in 0..PRINTED.len() {
            assert!(parse(&PRINTED[..end], HeldList::default()).is_err());
            let mut changed = PRINTED.as_bytes().to_vec();
            changed[end] ^= 0x03;
            let rows = parse(&String::from_utf8_lossy(&changed), HeldList::default()).unwrap_or_default();
            assert!(rows.len() <= 5);
        }
    }
}
