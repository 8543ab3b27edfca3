//! What network policies allow, by the rules of `networking.k8s.io/v1`.
//!
//! Sources: the API reference of NetworkPolicy, and the concept page "Network Policies" of the Kubernetes
//! documentation. A network plug-in enforces the policies. Whether a cluster has one that does is unknown here.

use std::net::IpAddr;

use serde_json::Value as Document;

use crate::derived::text;
use crate::resource::elements;
use crate::selector::{Labels, Selector, labels};

/// What a policy can select, and where a pod can be reached.
#[derive(Debug, Default)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) node: Option<String>,
    pub(crate) labels: Labels,
    pub(crate) ips: Vec<IpAddr>,
    /// Addresses of its node.
    pub(crate) host_ips: Vec<IpAddr>,
    pub(crate) host_network: bool,
    /// Ports that have a name.
    ports: Vec<NamedPort>,
}

#[derive(Debug)]
struct NamedPort {
    name: String,
    protocol: String,
    number: i64,
}

/// The parts of a pod that [`Pod::of`] needs, and its phase.
pub(crate) const POD_PATHS: &[&str] = &[
    "metadata.namespace",
    "metadata.name",
    "metadata.labels",
    "spec.nodeName",
    "spec.hostNetwork",
    "spec.containers.*.ports",
    "spec.initContainers.*.ports",
    "spec.initContainers.*.restartPolicy",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.hostIP",
    "status.hostIPs",
];

impl Pod {
    pub(crate) fn of(mut pod: Document) -> Self {
        let labels = labels(&mut pod);
        let (metadata, spec, status) = (&pod["metadata"], &pod["spec"], &pod["status"]);
        let addresses = |one: &str, all: &str| {
            let others = elements(&status[all]).map(|address| &address["ip"]);
            let mut addresses: Vec<IpAddr> = Vec::new();
            for address in std::iter::once(&status[one]).chain(others) {
                if let Some(address) = address.as_str().and_then(|text| text.parse().ok())
                    && !addresses.contains(&address)
                {
                    addresses.push(address);
                }
            }
            addresses
        };
        // An init container that restarts always is a sidecar, which serves too.
        let sidecars = elements(&spec["initContainers"]).filter(|container| container["restartPolicy"] == "Always");
        let ports = elements(&spec["containers"]).chain(sidecars).flat_map(|container| elements(&container["ports"]));
        let named = |port: &Document| {
            let (name, number) = (port["name"].as_str()?.to_owned(), port["containerPort"].as_i64()?);
            Some(NamedPort { name, protocol: protocol(&port["protocol"]).to_owned(), number })
        };
        Pod {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            node: spec["nodeName"].as_str().map(str::to_owned),
            ips: addresses("podIP", "podIPs"),
            host_ips: addresses("hostIP", "hostIPs"),
            host_network: spec["hostNetwork"] == true,
            ports: ports.filter_map(named).collect(),
            labels,
        }
    }

    /// The number of a named port; `None` if no container declares it.
    pub(crate) fn port(&self, name: &str, protocol: &str) -> Option<i64> {
        let port = self.ports.iter().find(|port| port.name == name && port.protocol == protocol)?;
        Some(port.number)
    }
}

/// The protocol of a port; TCP if it states none.
pub(crate) fn protocol(protocol: &Document) -> &str {
    protocol.as_str().unwrap_or("TCP")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        }
    }

    pub(crate) fn opposite(self) -> Self {
        match self {
            Direction::Ingress => Direction::Egress,
            Direction::Egress => Direction::Ingress,
        }
    }
}

/// A network policy.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pods: Selector,
    /// The rules of a direction; `None` if the policy does not apply to it.
    ingress: Option<Vec<Rule>>,
    egress: Option<Vec<Rule>>,
}

/// The parts of a policy that [`Policy::parse`] needs.
pub(crate) const POLICY_PATHS: &[&str] = &["metadata.namespace", "metadata.name", "spec"];

/// Allows connections with any of its peers to any of its ports.
#[derive(Debug)]
struct Rule {
    /// `None`: with everything.
    peers: Option<Vec<RulePeer>>,
    /// `None`: to all ports.
    ports: Option<Vec<Ports>>,
}

#[derive(Debug)]
enum RulePeer {
    /// `None` for the namespaces: the policy's own.
    Pods {
        namespaces: Option<Selector>,
        pods: Selector,
    },
    Block {
        block: Block,
        except: Vec<Block>,
    },
}

#[derive(Debug)]
struct Ports {
    protocol: String,
    range: Range,
}

#[derive(Debug)]
enum Range {
    All,
    Numbers(i64, i64),
    Name(String),
}

/// A block of addresses.
#[derive(Debug, Clone, Copy)]
struct Block {
    address: IpAddr,
    length: u32,
}

impl Block {
    fn parse(text: &Document) -> Result<Self, String> {
        let text = text.as_str().ok_or("an address block is not a text")?;
        let parsed = text.split_once('/').and_then(|(address, length)| {
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            Some(Block { address, length: length.parse().ok().filter(|length| *length <= most)? })
        });
        parsed.ok_or_else(|| format!("`{text}` is not an address block"))
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - self.length;
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - self.length;
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl Policy {
    /// A policy, and what is malformed in its rules. Such a rule allows nothing, but the policy still isolates its
    /// pods.
    pub(crate) fn parse(policy: &Document) -> (Option<Self>, Vec<String>) {
        let spec = &policy["spec"];
        let mut problems = Vec::new();
        let pods = match Selector::parse(&spec["podSelector"]) {
            Ok(pods) => pods,
            Err(problem) => return (None, vec![problem]),
        };
        let types: Vec<&str> = elements(&spec["policyTypes"]).filter_map(Document::as_str).collect();
        // Without types, ingress always counts, and egress if there are rules for it.
        let has_egress = elements(&spec["egress"]).next().is_some();
        let applies = |name: &str, default: bool| if types.is_empty() { default } else { types.contains(&name) };
        let mut rules = |list: &Document, peers: &str| {
            let rules = elements(list).filter_map(|rule| match Rule::parse(rule, peers) {
                Ok(rule) => Some(rule),
                Err(problem) => {
                    problems.push(problem);
                    None
                }
            });
            rules.collect::<Vec<_>>()
        };
        let parsed = Policy {
            namespace: text(&policy["metadata"]["namespace"]),
            name: text(&policy["metadata"]["name"]),
            pods,
            ingress: applies("Ingress", true).then(|| rules(&spec["ingress"], "from")),
            egress: applies("Egress", has_egress).then(|| rules(&spec["egress"], "to")),
        };
        (Some(parsed), problems)
    }

    fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }

    /// Whether it isolates a pod of its namespace in a direction. Pods in their node's network are not covered: their
    /// traffic is that of the node.
    pub(crate) fn isolates(&self, pod: &Pod, direction: Direction) -> bool {
        !pod.host_network
            && self.namespace == pod.namespace
            && self.rules(direction).is_some()
            && self.pods.matches(&pod.labels)
    }

    /// The rules that allow a pod that it isolates a connection with a peer.
    fn allowing<'a>(&'a self, direction: Direction, peer: &'a Peer<'_>) -> impl Iterator<Item = &'a Rule> {
        let rules = self.rules(direction).unwrap_or_default();
        rules.iter().filter(|rule| {
            rule.peers.as_ref().is_none_or(|peers| peers.iter().any(|wanted| wanted.matches(peer, &self.namespace)))
        })
    }
}

impl Rule {
    fn parse(rule: &Document, peers: &str) -> Result<Self, String> {
        let list = |name: &str| match &rule[name] {
            Document::Null => Ok(None),
            // An empty list means the same as none.
            Document::Array(list) => Ok((!list.is_empty()).then_some(list)),
            _ => Err(format!("`{name}` of a rule is not a list")),
        };
        Ok(Rule {
            peers: list(peers)?.map(|list| list.iter().map(RulePeer::parse).collect()).transpose()?,
            ports: list("ports")?.map(|list| list.iter().map(Ports::parse).collect()).transpose()?,
        })
    }
}

impl RulePeer {
    fn parse(peer: &Document) -> Result<Self, String> {
        let block = &peer["ipBlock"];
        if !block.is_null() {
            let except = elements(&block["except"]).map(Block::parse).collect::<Result<_, _>>()?;
            return Ok(RulePeer::Block { block: Block::parse(&block["cidr"])?, except });
        }
        let (namespaces, pods) = (&peer["namespaceSelector"], &peer["podSelector"]);
        if namespaces.is_null() && pods.is_null() {
            return Err("a peer of a rule has neither a selector nor an address block".to_owned());
        }
        Ok(RulePeer::Pods {
            namespaces: (!namespaces.is_null()).then(|| Selector::parse(namespaces)).transpose()?,
            pods: Selector::parse(pods)?,
        })
    }

    fn matches(&self, peer: &Peer<'_>, own_namespace: &str) -> bool {
        match self {
            RulePeer::Block { block, except } => peer
                .addresses()
                .iter()
                .any(|address| block.contains(*address) && !except.iter().any(|block| block.contains(*address))),
            RulePeer::Pods { namespaces, pods } => match peer {
                Peer::Pod { pod, namespace_labels } if !pod.host_network => {
                    let is_in_namespace = match namespaces {
                        Some(selector) => selector.matches(namespace_labels),
                        None => pod.namespace == own_namespace,
                    };
                    is_in_namespace && pods.matches(&pod.labels)
                }
                _ => false,
            },
        }
    }
}

impl Ports {
    fn parse(port: &Document) -> Result<Self, String> {
        let range = match (&port["port"], &port["endPort"]) {
            (Document::Null, _) => Range::All,
            (Document::Number(from), end) => {
                let from = from.as_i64().ok_or("a port is not a whole number")?;
                Range::Numbers(from, end.as_i64().unwrap_or(from))
            }
            (Document::String(name), Document::Null) => Range::Name(name.clone()),
            (found, _) => return Err(format!("`{found}` is not a port")),
        };
        Ok(Ports { protocol: protocol(&port["protocol"]).to_owned(), range })
    }

    /// The ports of a destination, as text; `None` for a name that the destination does not have.
    fn of(&self, to: Option<&Pod>) -> Option<String> {
        let protocol = &self.protocol;
        Some(match &self.range {
            Range::All => format!("{protocol}/*"),
            Range::Numbers(from, end) if from == end => format!("{protocol}/{from}"),
            Range::Numbers(from, end) => format!("{protocol}/{from}-{end}"),
            Range::Name(name) => format!("{protocol}/{}", to?.port(name, protocol)?),
        })
    }

    fn admit(&self, wanted: &Wanted<'_>, to: Option<&Pod>) -> bool {
        if wanted.protocol.is_some_and(|protocol| protocol != self.protocol) {
            return false;
        }
        match (&self.range, wanted.port) {
            (Range::All, _) => true,
            (Range::Numbers(..), None) => true,
            (Range::Numbers(from, end), Some(port)) => (*from..=*end).contains(&port),
            (Range::Name(name), port) => {
                let number = to.and_then(|pod| pod.port(name, &self.protocol));
                number.is_some_and(|number| port.is_none_or(|port| port == number))
            }
        }
    }
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer<'a> {
    Pod { pod: &'a Pod, namespace_labels: &'a Labels },
    Address(IpAddr),
}

impl Peer<'_> {
    pub(crate) fn pod(&self) -> Option<&Pod> {
        match self {
            Peer::Pod { pod, .. } => Some(pod),
            Peer::Address(_) => None,
        }
    }

    fn addresses(&self) -> &[IpAddr] {
        match self {
            Peer::Pod { pod, .. } => &pod.ips,
            Peer::Address(address) => std::slice::from_ref(address),
        }
    }
}

/// The connections that are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// `None`: any port.
    pub(crate) port: Option<i64>,
    /// `None`: any protocol.
    pub(crate) protocol: Option<&'a str>,
}

/// What the policies at one end of a connection decide.
#[derive(Debug)]
pub(crate) struct Decision<'a> {
    pub(crate) is_allowed: bool,
    /// The policies that isolate the pod.
    pub(crate) isolating: Vec<&'a Policy>,
    /// Those of them that allow the connection.
    pub(crate) allowing: Vec<&'a Policy>,
    /// The ports that they allow; `None` for all.
    pub(crate) ports: Option<Vec<String>>,
}

/// What the policies of a pod's namespace decide about its connections with a peer, in a direction.
pub(crate) fn decide<'a>(
    policies: &'a [Policy],
    pod: &Pod,
    direction: Direction,
    peer: &Peer<'_>,
    wanted: &Wanted<'_>,
) -> Decision<'a> {
    let isolating: Vec<&Policy> = policies.iter().filter(|policy| policy.isolates(pod, direction)).collect();
    let to = match direction {
        Direction::Ingress => Some(pod),
        Direction::Egress => peer.pod(),
    };
    let (mut allowing, mut ports) = (Vec::new(), Some(Vec::new()));
    for policy in &isolating {
        let mut is_allowing = false;
        for rule in policy.allowing(direction, peer) {
            let Some(list) = &rule.ports else {
                (is_allowing, ports) = (true, None);
                continue;
            };
            let admitted = list.iter().filter(|ports| ports.admit(wanted, to)).filter_map(|ports| ports.of(to));
            let admitted: Vec<String> = admitted.collect();
            is_allowing |= !admitted.is_empty();
            ports.iter_mut().for_each(|ports| ports.extend(admitted.iter().cloned()));
        }
        if is_allowing {
            allowing.push(*policy);
        }
    }
    // A pod can always reach itself and its node, and its node can always reach it.
    let is_always_allowed = isolating.is_empty() || is_itself(pod, peer) || is_own_node(pod, peer);
    let ports = ports.filter(|_| !is_always_allowed).map(|mut ports| {
        ports.sort();
        ports.dedup();
        ports
    });
    Decision { is_allowed: is_always_allowed || !allowing.is_empty(), isolating, allowing, ports }
}

fn is_itself(pod: &Pod, peer: &Peer<'_>) -> bool {
    match peer {
        Peer::Pod { pod: other, .. } => std::ptr::eq(pod, *other),
        Peer::Address(address) => pod.ips.contains(address),
    }
}

fn is_own_node(pod: &Pod, peer: &Peer<'_>) -> bool {
    match peer {
        Peer::Pod { pod: other, .. } => other.host_network && other.node.is_some() && other.node == pod.node,
        Peer::Address(address) => pod.host_ips.contains(address),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(namespace: &str, name: &str, ip: &str, extra: Document) -> Pod {
        let mut pod = json!({
            "metadata": {"namespace": namespace, "name": name, "uid": name, "labels": {"app": name}},
            "spec": {"nodeName": "n1", "containers": [{"ports": [
                {"name": "http", "containerPort": 8080},
                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            ]}]},
            "status": {"podIP": ip, "hostIP": "192.168.0.1"},
        });
        for (path, value) in extra.as_object().unwrap() {
            pod["spec"][path] = value.clone();
        }
        Pod::of(pod)
    }

    fn policies(specs: &[Document]) -> Vec<Policy> {
        let policy = |(number, spec): (usize, &Document)| {
            let document = json!({"metadata": {"namespace": "a", "name": format!("p{number}")}, "spec": spec});
            let (policy, problems) = Policy::parse(&document);
            assert!(problems.is_empty(), "{problems:?}");
            policy.unwrap()
        };
        specs.iter().enumerate().map(policy).collect()
    }

    /// Whether `a/web` accepts a connection from a pod at a TCP port.
    fn accepts(specs: &[Document], from: &Pod, port: i64) -> bool {
        let web = pod("a", "web", "10.0.0.1", json!({}));
        let team = json!({"team": from.namespace});
        let peer = Peer::Pod { pod: from, namespace_labels: team.as_object().unwrap() };
        let wanted = Wanted { port: Some(port), protocol: Some("TCP") };
        decide(&policies(specs), &web, Direction::Ingress, &peer, &wanted).is_allowed
    }

    #[test]
    fn ingress_follows_the_documented_rules() {
        let db = pod("a", "db", "10.0.0.2", json!({}));
        let other = pod("b", "db", "10.1.0.2", json!({}));
        let same_node = pod("b", "agent", "192.168.0.1", json!({"hostNetwork": true}));
        let other_node = pod("b", "agent", "192.168.0.2", json!({"hostNetwork": true, "nodeName": "n2"}));
        let all = || json!({"podSelector": {}});
        let with = |rules: Document| json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": rules});
        let from = |peer: Document| with(json!([{"from": [peer]}]));
        let cases: Vec<(&str, Vec<Document>, &Pod, i64, bool)> = vec![
            ("no policy isolates", vec![], &other, 80, true),
            ("no rules deny all", vec![all()], &db, 80, false),
            ("an empty list of rules denies all", vec![with(json!([]))], &db, 80, false),
            ("one empty rule allows all", vec![with(json!([{}]))], &other, 80, true),
            ("an empty list of peers allows all", vec![with(json!([{"from": []}]))], &other, 80, true),
            ("an empty list of ports allows all", vec![with(json!([{"ports": []}]))], &other, 80, true),
            ("policies add up", vec![all(), with(json!([{}]))], &other, 80, true),
            (
                "another pod's policy does not count",
                vec![json!({"podSelector": {"matchLabels": {"app": "x"}}})],
                &db,
                80,
                true,
            ),
            ("a pod selector is of the policy's namespace", vec![from(json!({"podSelector": {}}))], &db, 80, true),
            ("a pod selector is of that namespace only", vec![from(json!({"podSelector": {}}))], &other, 80, false),
            (
                "an empty namespace selector is all namespaces",
                vec![from(json!({"namespaceSelector": {}}))],
                &other,
                80,
                true,
            ),
            (
                "labels of a namespace",
                vec![from(json!({"namespaceSelector": {"matchLabels": {"team": "b"}}}))],
                &other,
                80,
                true,
            ),
            (
                "labels of another namespace",
                vec![from(json!({"namespaceSelector": {"matchLabels": {"team": "b"}}}))],
                &db,
                80,
                false,
            ),
            (
                "both selectors of one peer must match",
                vec![from(json!({
                    "namespaceSelector": {"matchLabels": {"team": "b"}}, "podSelector": {"matchLabels": {"app": "x"}},
                }))],
                &other,
                80,
                false,
            ),
            (
                "one of several peers is enough",
                vec![with(json!([{"from": [
                    {"namespaceSelector": {"matchLabels": {"team": "b"}}},
                    {"podSelector": {"matchLabels": {"app": "x"}}},
                ]}]))],
                &other,
                80,
                true,
            ),
            (
                "peers and ports of one rule must both match",
                vec![with(json!([
                    {"from": [{"podSelector": {}}], "ports": [{"port": 81}]},
                    {"from": [{"namespaceSelector": {}}], "ports": [{"port": 82}]},
                ]))],
                &db,
                80,
                false,
            ),
            ("an address block", vec![from(json!({"ipBlock": {"cidr": "10.1.0.0/16"}}))], &other, 80, true),
            (
                "an excepted address",
                vec![from(json!({"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.0.2/32"]}}))],
                &other,
                80,
                false,
            ),
            ("all addresses", vec![from(json!({"ipBlock": {"cidr": "0.0.0.0/0"}}))], &other, 80, true),
            ("all addresses of the other family", vec![from(json!({"ipBlock": {"cidr": "::/0"}}))], &other, 80, false),
            ("the port's number", vec![with(json!([{"ports": [{"port": 80}]}]))], &db, 80, true),
            ("another number", vec![with(json!([{"ports": [{"port": 80}]}]))], &db, 81, false),
            (
                "a port of another protocol",
                vec![with(json!([{"ports": [{"port": 80, "protocol": "UDP"}]}]))],
                &db,
                80,
                false,
            ),
            ("a protocol without a port", vec![with(json!([{"ports": [{"protocol": "TCP"}]}]))], &db, 80, true),
            ("the end of a range", vec![with(json!([{"ports": [{"port": 80, "endPort": 90}]}]))], &db, 90, true),
            ("behind a range", vec![with(json!([{"ports": [{"port": 80, "endPort": 90}]}]))], &db, 91, false),
            ("a name of the destination's port", vec![with(json!([{"ports": [{"port": "http"}]}]))], &db, 8080, true),
            ("a name with another number", vec![with(json!([{"ports": [{"port": "http"}]}]))], &db, 80, false),
            ("a name of another protocol", vec![with(json!([{"ports": [{"port": "dns"}]}]))], &db, 53, false),
            ("an unknown name", vec![with(json!([{"ports": [{"port": "none"}]}]))], &db, 80, false),
            (
                "rules of a direction that the types leave out",
                vec![json!({"podSelector": {}, "policyTypes": ["Egress"], "ingress": []})],
                &db,
                80,
                true,
            ),
            ("its own node", vec![all()], &same_node, 80, true),
            ("another node", vec![all()], &other_node, 80, false),
            (
                "selectors do not match pods in the node's network",
                vec![from(json!({"namespaceSelector": {}}))],
                &other_node,
                80,
                false,
            ),
            (
                "an address block matches the node",
                vec![from(json!({"ipBlock": {"cidr": "192.168.0.2/32"}}))],
                &other_node,
                80,
                true,
            ),
        ];
        for (what, specs, from, port, expected) in cases {
            assert_eq!(accepts(&specs, from, port), expected, "{what}: {specs:?}");
        }
    }

    #[test]
    fn egress_counts_if_the_types_or_rules_say_so() {
        let web = pod("a", "web", "10.0.0.1", json!({}));
        let db = pod("b", "db", "10.1.0.2", json!({}));
        let labels = Labels::default();
        let to_pod = Peer::Pod { pod: &db, namespace_labels: &labels };
        let outside = Peer::Address("203.0.113.9".parse().unwrap());
        let decide = |spec: Document, peer: &Peer<'_>, port| {
            let wanted = Wanted { port: Some(port), protocol: Some("TCP") };
            decide(&policies(&[spec]), &web, Direction::Egress, peer, &wanted).is_allowed
        };
        // Without types and rules, egress stays open.
        assert!(decide(json!({"podSelector": {}}), &outside, 443));
        assert!(decide(json!({"podSelector": {}, "egress": []}), &outside, 443));
        assert!(!decide(json!({"podSelector": {}, "policyTypes": ["Egress"]}), &outside, 443));
        assert!(!decide(json!({"podSelector": {}, "egress": [{"ports": [{"port": 53}]}]}), &outside, 443));
        let rule = |port: &str| json!({"podSelector": {}, "egress": [{"ports": [{"port": port}]}]});
        // A name is that of the destination, so an address has none.
        assert!(decide(rule("http"), &to_pod, 8080) && !decide(rule("http"), &to_pod, 80));
        assert!(!decide(rule("http"), &outside, 8080));
        assert!(decide(
            json!({"podSelector": {}, "policyTypes": ["Egress"]}),
            &Peer::Address("192.168.0.1".parse().unwrap()),
            80
        ));
    }

    #[test]
    fn a_pod_in_its_nodes_network_is_not_isolated_and_reaches_itself() {
        let node = pod("a", "web", "192.168.0.1", json!({"hostNetwork": true}));
        let deny = policies(&[json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})]);
        assert!(!deny[0].isolates(&node, Direction::Ingress));
        let web = pod("a", "web", "10.0.0.1", json!({}));
        let labels = Labels::default();
        let itself = Peer::Pod { pod: &web, namespace_labels: &labels };
        let any = Wanted { port: None, protocol: None };
        assert!(decide(&deny, &web, Direction::Ingress, &itself, &any).is_allowed);
        assert!(!decide(&deny, &web, Direction::Ingress, &Peer::Address("10.0.0.2".parse().unwrap()), &any).is_allowed);
    }

    #[test]
    fn a_malformed_rule_allows_nothing_and_its_policy_still_isolates() {
        for rule in [
            json!({"from": {}}),
            json!({"from": [{}]}),
            json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}),
            json!({"from": [{"ipBlock": {}}]}),
            json!({"from": [{"podSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}]}),
            json!({"ports": [{"port": true}]}),
            json!({"ports": [{"port": "http", "endPort": 9}]}),
        ] {
            let document = json!({"metadata": {"namespace": "a"}, "spec": {"podSelector": {}, "ingress": [rule]}});
            let (policy, problems) = Policy::parse(&document);
            let web = pod("a", "web", "10.0.0.1", json!({}));
            assert_eq!(problems.len(), 1, "{rule}");
            assert!(policy.unwrap().isolates(&web, Direction::Ingress), "{rule}");
        }
    }

    #[test]
    fn allowed_ports_are_listed() {
        let web = pod("a", "web", "10.0.0.1", json!({}));
        let db = pod("a", "db", "10.0.0.2", json!({}));
        let labels = Labels::default();
        let peer = Peer::Pod { pod: &db, namespace_labels: &labels };
        let ports = |ports: Document| {
            let policies = policies(&[json!({"podSelector": {}, "ingress": [{"ports": ports}]})]);
            decide(&policies, &web, Direction::Ingress, &peer, &Wanted { port: None, protocol: None }).ports
        };
        let listed = json!([{"port": "http"}, {"port": 1, "endPort": 9}, {"protocol": "UDP"}, {"port": "none"}]);
        assert_eq!(ports(listed).unwrap(), ["TCP/1-9", "TCP/8080", "UDP/*"]);
        assert_eq!(ports(json!([])), None);
    }
}
