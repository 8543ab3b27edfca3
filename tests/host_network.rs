//! The host's network tables compared with the system's own tools, in a network namespace of their own.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// A network namespace with two interfaces, and routes and neighbours of several kinds.
const NETWORK: &str = "
set -e
export PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
ip link add d0 type veth peer name d1
ip link set d0 up
ip link set d1 up
ip addr add 10.9.0.1/24 dev d0
ip route add 10.10.0.0/16 nexthop via 10.9.0.2 nexthop via 10.9.0.3 weight 2
ip route add blackhole 10.11.0.0/16
ip route add 10.12.0.1 via 10.9.0.2 src 10.9.0.1 mtu 1400 hoplimit 10 table 100 metric 7
ip -6 route add default via fe80::1 dev d0
ip neigh add 10.9.0.8 lladdr 02:00:00:00:00:08 nud stale dev d0
ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 nud permanent dev d0
ip link set d1 promisc on
";

/// What programs print in one network namespace. Each line of `commands` is one command. `$INDAGO` is the program.
fn printed(setup: &str, commands: &[&str]) -> Vec<String> {
    crate::support::needs_root();
    indago_testkit::install::apt(&["iproute2", "iptables", "iputils-ping", "nftables"])
        .expect("the tools are installed");
    let separator = "=-=-=";
    let script = format!("{setup}\n{}\n", commands.join(&format!("\necho {separator}\n")));
    let program = crate::cli::indago().get_program().to_owned();
    let output = Command::new("unshare").args(["-n", "bash", "-c", &script]).env("INDAGO", program).output();
    let output = output.expect("unshare runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let parts: Vec<String> = text.split(separator).map(|part| part.trim().to_owned()).collect();
    assert_eq!(parts.len(), commands.len(), "{text}");
    parts
}

/// A command that queries the program.
fn query(sql: &str) -> String {
    format!("\"$INDAGO\" query --format ndjson {}", quoted(sql))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn list(text: &str) -> Vec<Value> {
    serde_json::from_str::<Vec<Value>>(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn text(value: &Value, key: &str) -> String {
    match &value[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn routes_are_those_of_ip_route() {
    let sql = "SELECT * FROM routes";
    let [own, four, six] = &printed(
        NETWORK,
        &[
            &query(&sql.replace('*', "*, table_id")),
            "ip -j -d -4 route show table all",
            "ip -j -d -6 route show table all",
        ],
    )[..] else {
        panic!("three parts")
    };
    let own: BTreeSet<String> = rows(own)
        .iter()
        .map(|row| {
            let column = |name: &str| text(row, name);
            let names = ["gateway", "source", "interface", "metric", "mtu", "hopcount", "type", "table_id", "protocol"];
            let destination = format!("{}/{}", column("destination"), column("netmask"));
            format!("{destination} {}", names.map(column).join(" "))
        })
        .collect();
    let mut theirs = BTreeSet::new();
    for (list, any, all) in [(list(four), "0.0.0.0", 32), (list(six), "::", 128)] {
        for route in list {
            let destination = match text(&route, "dst").as_str() {
                "default" => format!("{any}/0"),
                address if address.contains('/') => address.to_owned(),
                address => format!("{address}/{all}"),
            };
            let kind = match text(&route, "type").as_str() {
                "unicast" => "gateway".to_owned(),
                "local" | "broadcast" | "anycast" => text(&route, "type"),
                _ => "other".to_owned(),
            };
            let table = match text(&route, "table").as_str() {
                "main" => "254".to_owned(),
                "local" => "255".to_owned(),
                number => number.to_owned(),
            };
            let number = |value: &Value| value.as_i64().unwrap_or(0);
            let metrics = &route["metrics"][0];
            let hops = route["nexthops"].as_array().cloned().unwrap_or_else(|| vec![route.clone()]);
            for hop in hops {
                theirs.insert(format!(
                    "{destination} {} {} {} {} {} {} {kind} {table} {}",
                    text(&hop, "gateway"),
                    text(&route, "prefsrc"),
                    text(&hop, "dev"),
                    number(&route["metric"]),
                    number(&metrics["mtu"]),
                    number(&metrics["hoplimit"]),
                    text(&route, "protocol"),
                ));
            }
        }
    }
    // The kernel gives an IPv6 route without a device to the loopback interface; `ip` shows its metric only if it has one.
    assert_eq!(own, theirs);
    assert!(own.iter().any(|route| route == "10.12.0.1/32 10.9.0.2 10.9.0.1 d0 7 1400 10 gateway 100 boot"), "{own:?}");
    assert_eq!(own.iter().filter(|route| route.starts_with("10.10.0.0/16")).count(), 2, "one row per next hop");
}

#[test]
fn a_type_of_route_is_a_key() {
    let [own] =
        &printed(NETWORK, &[&query("SELECT DISTINCT type FROM routes WHERE type IN ('broadcast', 'none')")])[..]
    else {
        panic!("one part")
    };
    assert_eq!(own, r#"{"type":"broadcast"}"#);
}

#[test]
fn neighbours_are_those_of_ip_neigh() {
    let [own, theirs] = &printed(NETWORK, &[&query("SELECT * FROM arp_cache"), "ip -j -4 neigh show nud all"])[..]
    else {
        panic!("two parts")
    };
    let own: BTreeSet<String> = rows(own)
        .iter()
        .map(|row| ["address", "mac", "interface", "permanent"].map(|name| text(row, name)).join(" "))
        .collect();
    let theirs: BTreeSet<String> = list(theirs)
        .iter()
        // The kernel's table leaves out addresses that need no hardware address.
        .filter(|neighbour| neighbour["state"][0] != "NOARP")
        .map(|neighbour| {
            let permanent = u8::from(neighbour["state"][0] == "PERMANENT");
            let [address, mac, interface] = ["dst", "lladdr", "dev"].map(|name| text(neighbour, name));
            format!("{address} {mac} {interface} {permanent}")
        })
        .collect();
    assert_eq!(own, theirs);
    assert_eq!(own.len(), 2);
}

#[test]
fn interfaces_are_those_of_ip_link() {
    // Counters of an interface that is up can change between two programs, so they are read with both ends down.
    let down = format!("{NETWORK}\nping -c 2 -i 0.2 127.0.0.1 >/dev/null\nip link set d0 down\nip link set d1 down");
    let [own, theirs] = &printed(&down, &[&query("SELECT * FROM interface_details"), "ip -j -s -d link"])[..] else {
        panic!("two parts")
    };
    const BITS: [(&str, i64); 9] = [
        ("UP", 1),
        ("BROADCAST", 2),
        ("LOOPBACK", 8),
        ("POINTOPOINT", 16),
        ("NOARP", 128),
        ("PROMISC", 256),
        ("ALLMULTI", 512),
        ("MULTICAST", 4096),
        ("LOWER_UP", 65536),
    ];
    let (own, theirs) = (rows(own), list(theirs));
    assert_eq!(own.len(), theirs.len());
    for (own, link) in own.iter().zip(&theirs) {
        let name = text(own, "interface");
        assert_eq!(name, text(link, "ifname"));
        assert_eq!(text(own, "mac"), text(link, "address"), "{name}");
        assert_eq!(own["mtu"], link["mtu"], "{name}");
        assert_eq!(own["type"], if text(link, "link_type") == "loopback" { 772 } else { 1 }, "{name}");
        let flags = own["flags"].as_i64().expect("a number");
        let shown: BTreeSet<&str> = BITS.iter().filter(|(_, bit)| flags & bit != 0).map(|(flag, _)| *flag).collect();
        let mut expected: BTreeSet<&str> =
            link["flags"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        if link["promiscuity"].as_i64() > Some(0) {
            expected.insert("PROMISC");
        }
        // `ip` adds a word for an interface whose link is down.
        expected.remove("NO-CARRIER");
        expected.remove("M-DOWN");
        assert_eq!(shown, expected, "{name}");
        let (received, sent) = (&link["stats64"]["rx"], &link["stats64"]["tx"]);
        for (column, value) in [
            ("ipackets", &received["packets"]),
            ("ibytes", &received["bytes"]),
            ("ierrors", &received["errors"]),
            ("idrops", &received["dropped"]),
            ("opackets", &sent["packets"]),
            ("obytes", &sent["bytes"]),
            ("oerrors", &sent["errors"]),
            ("odrops", &sent["dropped"]),
            ("collisions", &sent["collisions"]),
        ] {
            assert_eq!(&own[column], value, "{name}.{column}");
        }
        assert_eq!((&own["metric"], &own["last_change"]), (&Value::from(0), &Value::from(-1)));
    }
    let promiscuous = own.iter().filter(|row| row["flags"].as_i64().is_some_and(|flags| flags & 256 != 0));
    assert_eq!(promiscuous.map(|row| text(row, "interface")).collect::<Vec<_>>(), ["d1"]);
}

#[test]
fn ipv6_settings_are_those_of_the_kernel() {
    let setup = format!(
        "{NETWORK}
conf=/proc/sys/net/ipv6/conf
echo 1 > $conf/d0/forwarding
echo 2 > $conf/d1/accept_ra
echo 33 > $conf/d1/hop_limit
echo 0 > $conf/all/accept_redirects
echo 0 > $conf/d1/accept_redirects"
    );
    let show =
        "for i in lo d0 d1; do echo $i $(cd $conf/$i; cat hop_limit forwarding accept_ra accept_redirects); done";
    let [own, theirs] = &printed(&setup, &[&query("SELECT * FROM interface_ipv6"), show])[..] else {
        panic!("two parts")
    };
    let own: BTreeSet<String> = rows(own)
        .iter()
        .map(|row| {
            let columns = ["interface", "hop_limit", "forwarding_enabled", "redirect_accept", "rtadv_accept"];
            columns.map(|name| text(row, name)).join(" ")
        })
        .collect();
    let theirs: BTreeSet<String> = theirs
        .lines()
        .map(|line| {
            let [name, limit, forwarding, advertisements, redirects] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            // Redirects of `all` are off: a host needs its own setting, and a router would need both.
            let redirects = u8::from(redirects == "1" && forwarding == "0");
            let accepts = u8::from(advertisements == "2" || advertisements == "1" && forwarding == "0");
            format!("{name} {limit} {forwarding} {redirects} {accepts}")
        })
        .collect();
    assert_eq!(own, theirs);
    assert!(own.contains("d1 33 0 0 1"), "{own:?}");
}

const FIREWALL: &str = r#"
set -e
export PATH=$PATH:/usr/sbin:/sbin
iptables-nft -A INPUT -p tcp --dport 22 -i eth+ -s 10.0.0.0/8 -j ACCEPT
iptables-nft -A INPUT -p udp ! -s 1.2.3.4 --sport 1000:2000 -m comment --comment 'a "b" -j c' -j DROP
iptables-nft -N mine
iptables-nft -A mine -o lo -p igmp -j RETURN
iptables-nft -A FORWARD -g mine
iptables-nft -P FORWARD DROP
iptables-nft -A OUTPUT -p tcp -m multiport --dports 80,443 -d 192.0.2.0/255.255.255.0 -j REJECT
iptables-nft -t nat -A POSTROUTING -o eth0 -j MASQUERADE
iptables-legacy -A INPUT -p tcp --dport 23 -j DROP
nft add table inet t
nft add chain inet t c '{ type filter hook input priority -5; policy drop; }'
nft add rule inet t c tcp dport '{22, 80}' ct state new counter accept comment '"hello"'
nft add chain inet t empty
"#;

#[test]
fn rules_are_those_of_iptables() {
    let sql = "SELECT *, backend, rule FROM iptables";
    let list = |program: &str, table: &str| format!("{program} -t {table} -nvxL");
    let commands =
        [query(sql), list("iptables-nft", "filter"), list("iptables-nft", "nat"), list("iptables-legacy", "filter")];
    let parts = printed(FIREWALL, &commands.each_ref().map(String::as_str));
    let own: BTreeSet<String> = rows(&parts[0])
        .iter()
        .filter(|row| !row["target"].is_null())
        .map(|row| {
            let interface = |name: &str| text(row, name).replace("all", "*");
            let network = |address: &str, mask: &str| {
                let bits: u32 = text(row, mask).parse::<std::net::Ipv4Addr>().expect("a mask").to_bits().count_ones();
                if bits == 32 { text(row, address) } else { format!("{}/{bits}", text(row, address)) }
            };
            let protocol = match text(row, "protocol").as_str() {
                "0" => "0",
                "2" => "2",
                "6" => "6",
                "17" => "17",
                other => panic!("{other}"),
            }
            .to_owned();
            let names = ["backend", "filter_name", "chain", "policy", "packets", "bytes", "target"];
            let interfaces = format!("{} {}", interface("iniface"), interface("outiface"));
            let networks = format!("{} {}", network("src_ip", "src_mask"), network("dst_ip", "dst_mask"));
            format!("{} {protocol} {interfaces} {networks}", names.map(|name| text(row, name)).join(" "))
        })
        .collect();
    let mut theirs = BTreeSet::new();
    for (listed, backend, table) in
        [(&parts[1], "nft", "filter"), (&parts[2], "nft", "nat"), (&parts[3], "legacy", "filter")]
    {
        let (mut chain, mut policy) = ("", "");
        for line in listed.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words[..] {
                ["Chain", name, "(policy", of_chain, ..] => (chain, policy) = (name, of_chain),
                ["Chain", name, ..] => (chain, policy) = (name, ""),
                [packets, bytes, target, protocol, _, from, to, source, destination, ..] if packets != "pkts" => {
                    // Negations are only in the column `rule`.
                    let source = source.trim_start_matches('!');
                    theirs.insert(format!(
                        "{backend} {table} {chain} {policy} {packets} {bytes} {target} {protocol} {from} {to} {source} {destination}"
                    ));
                }
                _ => {}
            }
        }
    }
    assert_eq!(own.len(), 7, "{own:?}");
    assert_eq!(own, theirs);
    let find = |rule: &str| rows(&parts[0]).into_iter().find(|row| text(row, "rule").contains(rule)).expect("a rule");
    let ssh = find("--dport 22");
    let columns = ["src_port", "dst_port", "iniface_mask", "match"].map(|name| text(&ssh, name));
    assert_eq!(columns, ["0:65535", "22:22", "FFFFFF", "yes"]);
    assert_eq!(text(&find("--sport 1000:2000"), "target"), "DROP", "not the target in the comment");
    let empty = rows(&parts[0]).into_iter().filter(|row| row["target"].is_null());
    assert!(empty.map(|row| text(&row, "chain")).any(|chain| chain == "OUTPUT"), "chains without rules have a row");
}

#[test]
fn nftables_rules_are_those_of_nft() {
    let sql = "SELECT * FROM nftables_rules";
    let [own, listed] = &printed(FIREWALL, &[&query(sql), "nft -a list ruleset 2>/dev/null"])[..] else {
        panic!("two parts")
    };
    let own = rows(own);
    let mut theirs = BTreeSet::new();
    let (mut table, mut chain, mut policy) = (String::new(), String::new(), String::new());
    for line in listed.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            ["table", family, name, ..] => table = format!("{family} {name}"),
            ["chain", name, ..] => (chain, policy) = (name.to_owned(), String::new()),
            ["type", ..] => policy = words.last().expect("a word").trim_end_matches(';').to_owned(),
            [.., "#", "handle", handle] => _ = theirs.insert(format!("{table} {chain} {policy} {handle}")),
            _ => {}
        }
    }
    let shown = |row: &Value| {
        ["table_family", "table_name", "chain", "policy", "rule_handle"].map(|name| text(row, name)).join(" ")
    };
    let rules: BTreeSet<String> = own.iter().filter(|row| !row["rule_handle"].is_null()).map(shown).collect();
    assert_eq!(rules, theirs);
    let hello = own.iter().find(|row| text(row, "comment") == "hello").expect("the rule with a comment");
    let columns = ["verdict", "hook", "priority", "packets", "position"].map(|name| text(hello, name));
    assert_eq!(columns, ["accept", "input", "-5", "0", "1"]);
    assert!(own.iter().any(|row| text(row, "chain") == "empty" && row["rule_handle"].is_null()));
}

#[test]
fn a_user_without_the_capability_gets_one_warning() {
    for table in ["iptables", "nftables_rules"] {
        crate::support::needs_root();
        let mut command = Command::new("bash");
        command.args(["-c", crate::support::AS_NOBODY]).arg(crate::cli::indago().get_program());
        command.args(["query", &format!("SELECT * FROM {table}")]).env("HOME", "/nonexistent");
        let output = command.current_dir("/").output().expect("bash runs");
        let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{warnings}");
        assert_eq!(warnings.matches("CAP_NET_ADMIN").count(), 1, "{table}: {warnings}");
    }
}

/// A listener on a unix socket whose name has a line break and a line in the form of `/proc/net/unix`.
const FORGED: &str = r#"
set -e
python3 - <<'P' &
import socket, time
name = "\0x\n0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/forged"
s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen()
t = socket.socket(); t.bind(("0.0.0.0", 4711)); t.listen()
open("/proc/self/comm", "w").write("ready")
time.sleep(600)
P
python=$!
until [ "$(cat /proc/$python/comm)" = ready ]; do :; done
trap "kill $python" EXIT
"#;

#[test]
fn the_name_of_a_socket_cannot_forge_another() {
    let sql = "SELECT path, family, port FROM listening_ports WHERE net_namespace = \
               (SELECT net_namespace FROM process_namespaces WHERE pid = (SELECT pid FROM osquery_info))";
    let every = "SELECT count(*) AS sockets FROM process_open_sockets WHERE path = '/run/forged'";
    let [own, forged] = &printed(FORGED, &[&query(sql), &query(every)])[..] else { panic!("two parts") };
    assert_eq!(forged, r#"{"sockets":0}"#);
    let own: BTreeSet<String> =
        rows(own).iter().map(|row| ["family", "port", "path"].map(|name| text(row, name)).join(" ")).collect();
    let line = "0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/forged";
    assert_eq!(own, BTreeSet::from(["2 4711 ".to_owned(), format!("1 0 @x\n{line}")]));
}

#[test]
fn listening_sockets_of_another_namespace_are_those_of_ss() {
    // The program runs outside; the sockets are in the namespace of another process.
    crate::support::needs_root();
    let script = format!("{FORGED}\necho $python\nss -Hlntx\nread -r _ || true");
    let mut child = Command::new("unshare");
    child.args(["-n", "bash", "-c", &script]);
    let mut child =
        child.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().expect("it runs");
    let stdout = child.stdout.take().expect("piped");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stdout));
    let pid = lines.next().expect("a line").expect("UTF-8");
    let sql = format!("SELECT family, port, address FROM listening_ports WHERE pid = {pid} ORDER BY family");
    let ran = crate::cli::run(&["query", "--strict", "--format", "ndjson", &sql]).expect(0);
    let found: Vec<String> =
        rows(&ran.out).iter().map(|row| ["family", "port", "address"].map(|name| text(row, name)).join(" ")).collect();
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
    let theirs = lines.map(|line| line.expect("UTF-8")).filter(|line| line.contains("0.0.0.0:4711")).count();
    assert_eq!((found, theirs), (vec!["1 0 ".to_owned(), "2 4711 0.0.0.0".to_owned()], 1));
}
