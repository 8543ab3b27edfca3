//! `kubernetes_network_reachability`: what network policies allow each pod.

use std::collections::HashMap;
use std::net::IpAddr;

use futures::Stream;
use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::derived::{self, Derived, Input, Listed, Lists, Origin, text};
use crate::network::{Direction, POD_PATHS, POLICY_PATHS, Peer, Pod, Policy, Wanted, decide};
use crate::selector::{Labels, labels};

/// What network policies allow each pod of Kubernetes clusters: one row per pod and direction.
///
/// A pod that no policy isolates in a direction is open: everything may connect to it, or it may connect to everything.
/// With a constraint on `peer_namespace`, `peer_pod_name` or `peer_ip`, the rows are the pairs of a pod and such a
/// peer, and `allowed` states whether a connection passes the policies at both ends. `port` and `protocol` choose the
/// connection. A connection of direction `egress` goes from the pod to the peer, one of `ingress` from the peer to the
/// pod; the port is always that of the destination.
///
/// The rules are those of `networking.k8s.io/v1`. Whether the cluster's network plug-in enforces policies is unknown to
/// the API server, and policies of the plug-in's own kinds are not covered. A pod in the network of its node has the
/// node's traffic, which no policy covers. An address block also matches addresses of pods.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_network_reachability", env = Kubernetes, stream, rows = 2000,
    reads = "namespaces networkpolicies pods",
    needs("list namespaces", "list networkpolicies.networking.k8s.io", "list pods"),
    identity(pod_uid, direction, peer_namespace, peer_pod_name, peer_ip, port, protocol)
)]
#[example(
    "Pods that accept connections from everywhere.",
    "SELECT namespace, pod_name FROM kubernetes_network_reachability WHERE direction = 'ingress' AND NOT isolated"
)]
#[example(
    "Pods that may reach an address outside of the cluster at a port.",
    "SELECT namespace, pod_name, allowing_policies FROM kubernetes_network_reachability WHERE direction = 'egress' AND peer_ip = '203.0.113.9' AND port = 443 AND allowed"
)]
pub struct Reachability {
    #[column(flatten)]
    origin: Origin,
    /// Namespace of the pod.
    #[column(slice)]
    namespace: String,
    /// Name of the pod.
    #[column(index)]
    pod_name: String,
    /// UID of the pod; joins `kubernetes_pods.uid`.
    #[column(index)]
    pod_uid: String,
    /// Node of the pod.
    node_name: Option<String>,
    /// Whether the pod uses the node's network namespace, so that no policy covers it.
    host_network: bool,
    /// `ingress`: connections to the pod. `egress`: connections from it.
    direction: String,
    /// Whether a policy isolates the pod in this direction, so that only what a policy allows is possible.
    isolated: bool,
    /// Policies of the namespace that isolate it in this direction.
    policies: Vec<String>,
    /// Namespace of the peer; NULL without a peer and for an address that no pod has.
    #[column(index, selects)]
    peer_namespace: Option<String>,
    /// Name of the peer, a pod; NULL without a peer and for an address that no pod has.
    #[column(index, selects)]
    peer_pod_name: Option<String>,
    /// Address of the peer: the one that the query names, or the first one of the pod. NULL without a peer.
    #[column(index, selects)]
    peer_ip: Option<String>,
    /// Port of the destination that the query asks about.
    #[column(index, selects)]
    port: Option<i64>,
    /// Protocol that the query asks about: `TCP`, `UDP` or `SCTP`. With a port, NULL means TCP.
    #[column(index, selects)]
    protocol: Option<String>,
    /// Whether the policies at both ends allow the connection. Without a port: whether they allow any. NULL without a
    /// peer.
    allowed: Option<bool>,
    /// Those of `policies` that allow the connection.
    allowing_policies: Vec<String>,
    /// Ports that these allow, such as `TCP/8080` and `UDP/*`. NULL for all ports, and without a peer.
    allowed_ports: Option<Vec<String>>,
    /// Whether a policy isolates the peer in the opposite direction; NULL without a pod as the peer.
    peer_isolated: Option<bool>,
    /// Policies of the peer's namespace that isolate it in the opposite direction.
    peer_policies: Vec<String>,
    /// Those of `peer_policies` that allow the connection.
    peer_allowing_policies: Vec<String>,
}

impl Derived for Reachability {
    const INPUTS: &'static [Input] = &[
        Input {
            resource: "namespaces",
            versions: &["v1"],
            is_namespaced: false,
            needs: "list namespaces",
            paths: &["metadata.name", "metadata.labels"],
        },
        Input {
            resource: "networkpolicies",
            versions: &["networking.k8s.io/v1"],
            is_namespaced: true,
            needs: "list networkpolicies",
            paths: POLICY_PATHS,
        },
        Input { resource: "pods", versions: &["v1"], is_namespaced: true, needs: "list pods", paths: POD_PATHS },
    ];
}

impl RowStream for Reachability {
    type Part = Lists;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Lists>> {
        // A peer may be in any namespace, so its keys do not restrict the lists.
        Ok(derived::parts(scan, None))
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a Lists) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            let network = Network::read(scan, part).await?;
            let asked = Asked::of(scan);
            let peers = network.peers(&asked);
            for pod in network.pods.iter() {
                let is_wanted = scan.admits(Self::NAMESPACE, &pod.namespace)
                    && scan.admits(Self::POD_NAME, &pod.name)
                    && scan.admits(Self::POD_UID, &pod.uid);
                for direction in [Direction::Ingress, Direction::Egress].into_iter().filter(|_| is_wanted) {
                    for peer in &peers {
                        for (port, protocol) in &asked.connections {
                            yield network.row(part, pod, direction, peer.as_ref(), *port, protocol.as_deref());
                        }
                    }
                }
            }
        }
    }
}

/// The peers and ports that a query asks about.
struct Asked {
    namespaces: Option<Vec<String>>,
    names: Option<Vec<String>>,
    /// Addresses as the query has them.
    addresses: Option<Vec<(String, IpAddr)>>,
    /// Ports and protocols.
    connections: Vec<(Option<i64>, Option<String>)>,
}

impl Asked {
    fn of(scan: &Scan<Reachability>) -> Self {
        let addresses = scan.keys(Reachability::PEER_IP).map(distinct);
        let address = |text: String| text.parse().ok().map(|address| (text, address));
        let ports = scan.keys(Reachability::PORT).map_or(vec![None], |ports| {
            distinct(ports).into_iter().filter(|port| (1..=65535).contains(port)).map(Some).collect()
        });
        let protocols = scan.keys(Reachability::PROTOCOL).map_or(vec![None], |protocols| {
            let known = |protocol: &String| ["TCP", "UDP", "SCTP"].contains(&protocol.as_str());
            distinct(protocols).into_iter().filter(known).map(Some).collect()
        });
        let with_protocols = |port: &Option<i64>| {
            let port = *port;
            protocols.iter().map(move |protocol| (port, protocol.clone()))
        };
        Asked {
            namespaces: scan.keys(Reachability::PEER_NAMESPACE),
            names: scan.keys(Reachability::PEER_POD_NAME),
            addresses: addresses.map(|addresses| addresses.into_iter().filter_map(address).collect()),
            connections: ports.iter().flat_map(with_protocols).collect(),
        }
    }

    fn has_peers(&self) -> bool {
        self.namespaces.is_some() || self.names.is_some() || self.addresses.is_some()
    }
}

fn distinct<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values.dedup();
    values
}

/// The pods of a cluster and what affects their network.
struct Network {
    pods: Listed<Pod>,
    /// Policies by namespace.
    policies: HashMap<String, Vec<Policy>>,
    /// Labels of namespaces.
    namespaces: HashMap<String, Labels>,
    no_labels: Labels,
}

impl Network {
    async fn read(scan: &Scan<Reachability>, part: &Lists) -> Result<Self> {
        let report = |policy: &serde_json::Value, problem: String| {
            let (namespace, name) = (text(&policy["metadata"]["namespace"]), text(&policy["metadata"]["name"]));
            let message = format!("network policy {namespace}/{name}: {problem}: it allows nothing here");
            scan.report(part.place(), &Error::Malformed(message));
        };
        let policies = part.read(scan, "networkpolicies", |policy| {
            let (parsed, problems) = Policy::parse(&policy);
            problems.into_iter().for_each(|problem| report(&policy, problem));
            parsed
        });
        let namespaces = part.read(scan, "namespaces", |mut namespace| {
            let name = text(&namespace["metadata"]["name"]);
            Some((name, labels(&mut namespace)))
        });
        let pods = part.read(scan, "pods", |pod| Some(Pod::of(pod)));
        let (policies, namespaces, pods) = futures::try_join!(policies, namespaces, pods)?;
        let mut by_namespace: HashMap<String, Vec<Policy>> = HashMap::new();
        for policy in policies {
            by_namespace.entry(policy.namespace.clone()).or_default().push(policy);
        }
        let namespaces = namespaces.into_iter().collect();
        Ok(Network { pods, policies: by_namespace, namespaces, no_labels: Labels::default() })
    }

    fn policies_of(&self, pod: &Pod) -> &[Policy] {
        self.policies.get(&pod.namespace).map_or(&[], Vec::as_slice)
    }

    fn peer<'a>(&'a self, pod: &'a Pod) -> Peer<'a> {
        Peer::Pod { pod, namespace_labels: self.namespaces.get(&pod.namespace).unwrap_or(&self.no_labels) }
    }

    /// The peers that a query asks about, each with the address that it names; one `None` if it asks about none.
    fn peers<'a>(&'a self, asked: &'a Asked) -> Vec<Option<(Option<&'a str>, Peer<'a>)>> {
        if !asked.has_peers() {
            return vec![None];
        }
        let is_listed =
            |names: &Option<Vec<String>>, name: &String| names.as_ref().is_none_or(|names| names.contains(name));
        let is_named = |pod: &&Pod| is_listed(&asked.namespaces, &pod.namespace) && is_listed(&asked.names, &pod.name);
        let pods = || self.pods.iter().filter(is_named);
        let Some(addresses) = &asked.addresses else { return pods().map(|pod| Some((None, self.peer(pod)))).collect() };
        let mut peers = Vec::new();
        for (text, address) in addresses {
            // Pods in the node's network share its address.
            let holder = pods().find(|pod| !pod.host_network && pod.ips.contains(address));
            match holder {
                Some(pod) => peers.push(Some((Some(text.as_str()), self.peer(pod)))),
                None if asked.namespaces.is_none() && asked.names.is_none() => {
                    peers.push(Some((Some(text.as_str()), Peer::Address(*address))));
                }
                None => {}
            }
        }
        peers
    }

    fn row(
        &self,
        part: &Lists,
        pod: &Pod,
        direction: Direction,
        peer: Option<&(Option<&str>, Peer<'_>)>,
        port: Option<i64>,
        protocol: Option<&str>,
    ) -> Reachability {
        let isolating = self.policies_of(pod).iter().filter(|policy| policy.isolates(pod, direction));
        let policies: Vec<String> = isolating.map(|policy| policy.name.clone()).collect();
        let mut row = Reachability {
            origin: part.origin(),
            namespace: pod.namespace.clone(),
            pod_name: pod.name.clone(),
            pod_uid: pod.uid.clone(),
            node_name: pod.node.clone(),
            host_network: pod.host_network,
            direction: direction.name().to_owned(),
            isolated: !policies.is_empty(),
            policies,
            port,
            protocol: protocol.map(str::to_owned),
            ..Reachability::default()
        };
        let Some((address, peer)) = peer else { return row };
        let wanted = Wanted { port, protocol: protocol.or(port.map(|_| "TCP")) };
        let names = |policies: &[&Policy]| policies.iter().map(|policy| policy.name.clone()).collect();
        let own = decide(self.policies_of(pod), pod, direction, peer, &wanted);
        row.allowing_policies = names(&own.allowing);
        row.allowed_ports = own.ports;
        row.peer_ip = address.map(str::to_owned);
        let mut is_allowed = own.is_allowed;
        if let Some(other) = peer.pod() {
            let from_peer = self.peer(pod);
            let theirs = decide(self.policies_of(other), other, direction.opposite(), &from_peer, &wanted);
            is_allowed &= theirs.is_allowed;
            row.peer_namespace = Some(other.namespace.clone());
            row.peer_pod_name = Some(other.name.clone());
            row.peer_ip = row.peer_ip.or_else(|| other.ips.first().map(ToString::to_string));
            row.peer_isolated = Some(!theirs.isolating.is_empty());
            row.peer_policies = names(&theirs.isolating);
            row.peer_allowing_policies = names(&theirs.allowing);
        }
        row.allowed = Some(is_allowed);
        row
    }
}
