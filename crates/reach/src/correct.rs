//! Kubernetes' rules.
//!
//! A step that a container takes as root needs a user that is root or can become it. Rights are those of the API server's
//! RBAC authorizer: with names of objects, with groups and their members, and with the subjects of other namespaces.
//! Whether Pod Security admission of a namespace allows a pod that controls its node decides who can create one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::change::{Change, Field, PodField};
use crate::graph::{Graph, NodeId, Why};
use crate::host::{self, CORE_PATTERN, KUBELET_PODS, LOGS};
use crate::input::{Binding, Cluster, Container, ContainerKind, Input, Mount, Pod, Role, Source, Subject, Volume};
use crate::kind::{EdgeKind, Kinds};
use crate::objects::{
    ACCOUNT, ContainerNode, GROUP, MASTERS, NODE_USER, NODES, Objects, Proofs, USER, binding_text, by_name, of_binding,
    of_container, of_pod, of_role, role_of, rules_text, subject_text, subjects,
};
use crate::rights::{self, Names, RBAC, Right};

/// User name of a request without credentials, and its group.
const ANONYMOUS: (&str, &str) = ("system:anonymous", "system:unauthenticated");
/// Group of all users with credentials.
const AUTHENTICATED: &str = "system:authenticated";
/// Group of all service accounts. With a colon and a namespace, those of the namespace.
const ACCOUNTS: &str = "system:serviceaccounts";
/// Prefix of the user names of service accounts.
const ACCOUNT_USER: &str = "system:serviceaccount:";
/// Start of the names of the token volumes that the API server adds to pods.
const INJECTED: &str = "kube-api-access-";
/// From this version on, `get` is not enough to run a command in a pod.
const EXEC_NEEDS_CREATE: (u32, u32) = (1, 35);
/// Resources that become pods: group, resource, and the kind of the pods' controller.
const WORKLOADS: [(&str, &str, &str); 7] = [
    ("", "replicationcontrollers", "ReplicationController"),
    ("apps", "daemonsets", "DaemonSet"),
    ("apps", "deployments", "Deployment"),
    ("apps", "replicasets", "ReplicaSet"),
    ("apps", "statefulsets", "StatefulSet"),
    ("batch", "cronjobs", "CronJob"),
    ("batch", "jobs", "Job"),
];
/// What no edge of the graph takes into account.
const NO_POLICIES: &str = "admission webhooks and admission policies are not part of the graph";
const NO_NETWORK: &str = "network policies and firewalls are not part of the graph";
const USER_OF_IMAGE: &str = "the user of the image";
const SETUID: &str = "whether the image has a program that runs as root (setuid)";

/// A role as a binding grants it.
struct Set<'a> {
    id: NodeId,
    binding: &'a Binding,
    role: &'a Role,
}

impl Set<'_> {
    fn namespace(&self) -> Option<&str> {
        self.binding.namespace.as_deref()
    }

    /// Whether its rights hold in a namespace.
    fn holds_in(&self, namespace: &str) -> bool {
        self.namespace().is_none_or(|of_set| of_set == namespace)
    }
}

/// A mount that is in the graph.
struct Mounted<'a> {
    id: NodeId,
    node: Option<NodeId>,
    pod: &'a Pod,
    container: &'a Container,
    container_id: NodeId,
    mount: &'a Mount,
    volume: &'a Volume,
    /// The mounted path of the node.
    host_path: Option<String>,
    /// The identity whose token it has, and the row with that.
    token: Option<NodeId>,
}

impl Mounted<'_> {
    /// Its path on the node, if the kubelet made it.
    fn kubelet_path(&self) -> Option<String> {
        let kind = match self.volume.source {
            Source::Projected { .. } => "projected",
            Source::Secret(_) => "secret",
            Source::HostPath(_) | Source::Other => return None,
        };
        let (uid, name) = (&self.pod.kubelet_uid, &self.volume.name);
        Some(format!("{KUBELET_PODS}/{uid}/volumes/kubernetes.io~{kind}/{name}"))
    }
}

/// Whether a pod has a place in the graph: it runs, or will.
fn exists(pod: &Pod) -> bool {
    !matches!(pod.phase.as_str(), "Succeeded" | "Failed")
}

/// Whether a container can act: init and ephemeral containers only while they run.
fn acts(container: &Container) -> bool {
    container.kind == ContainerKind::Regular || container.is_running
}

/// Whether a container can act as root: `None` if not, else what is not known about it.
fn root(container: &Container) -> Option<Vec<String>> {
    match (container.user, container.non_root) {
        (Some(0), _) => Some(Vec::new()),
        (None, false) => Some(vec![USER_OF_IMAGE.to_owned()]),
        _ if container.privileged || container.escalates != Some(false) => Some(vec![SETUID.to_owned()]),
        _ => None,
    }
}

/// Whether a container has a capability because it adds it, and the added names.
fn capability(container: &Container, wanted: &str) -> Vec<String> {
    let plain = |name: &str| {
        let name = name.to_ascii_uppercase();
        name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name)
    };
    // Dropping all capabilities does not drop those that are added.
    if container.dropped.iter().any(|dropped| plain(dropped) == wanted) {
        return Vec::new();
    }
    let gives = |added: &&String| [wanted, "ALL"].contains(&plain(added).as_str());
    container.added.iter().filter(gives).cloned().collect()
}

/// The path of the node that a mount shows.
fn host_path(volume: &Volume, mount: &Mount) -> Option<String> {
    match &volume.source {
        Source::HostPath(path) => Some(host::plain(&format!("{path}/{}", mount.sub_path))),
        _ => None,
    }
}

/// The service account that a subject is, also if it is named as a user.
fn canonical(subject: Subject) -> Subject {
    let account = subject.name.strip_prefix(ACCOUNT_USER).and_then(|rest| rest.split_once(':'));
    match account.filter(|_| subject.kind == USER) {
        Some((namespace, name)) => {
            Subject { kind: ACCOUNT.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
        }
        None if subject.kind == ACCOUNT => subject,
        // Only service accounts have a namespace.
        None => Subject { namespace: String::new(), ..subject },
    }
}

/// Adds a cluster.
pub(crate) fn add(graph: &mut Graph, cluster: &Cluster, kinds: Kinds) {
    let roles = rights::with_aggregated(&cluster.roles);
    let mut objects = Objects { graph: &mut *graph, cluster };
    let mut nodes: HashMap<&str, NodeId> = HashMap::new();
    let mut node_users = Vec::new();
    let of_pods = cluster.pods.iter().filter(|pod| exists(pod) && !pod.node.is_empty()).map(|pod| pod.node.as_str());
    for name in cluster.nodes.iter().map(|node| node.name.as_str()).chain(of_pods) {
        if nodes.contains_key(name) {
            continue;
        }
        nodes.insert(name, objects.node(name));
        let user = format!("{NODE_USER}{name}");
        node_users.push((name, objects.identity(USER, "", &user)));
    }
    for node in cluster.nodes.iter().filter(|node| node.is_control_plane) {
        let id = nodes[node.name.as_str()];
        objects.graph.vertices[id.index()].critical = Some("it runs the control plane".to_owned());
    }

    // Identities and permission sets.
    let mut accounts: HashMap<(&str, &str), NodeId> = HashMap::new();
    let named = cluster.accounts.iter().map(|account| (account.namespace.as_str(), account.name.as_str()));
    let used = cluster.pods.iter().filter(|pod| exists(pod) && !pod.account.is_empty());
    for (namespace, name) in named.chain(used.map(|pod| (pod.namespace.as_str(), pod.account.as_str()))) {
        accounts.entry((namespace, name)).or_insert_with(|| objects.identity(ACCOUNT, namespace, name));
    }
    let mut users: Vec<NodeId> = node_users.iter().map(|(_, id)| *id).collect();
    let mut groups: Vec<NodeId> = Vec::new();
    let by_name = by_name(&roles);
    let mut sets: Vec<Set<'_>> = Vec::new();
    let mut bound_accounts: Vec<(String, NodeId)> = Vec::new();
    let mut anonymous = None;
    for binding in &cluster.bindings {
        for subject in subjects(binding).map(canonical) {
            let id = objects.identity(&subject.kind, &subject.namespace, &subject.name);
            match subject.kind.as_str() {
                ACCOUNT => bound_accounts.push((subject.namespace, id)),
                GROUP => {
                    groups.push(id);
                    if subject.name == ANONYMOUS.1 {
                        anonymous = Some(objects.identity(USER, "", ANONYMOUS.0));
                    }
                    if subject.name == MASTERS {
                        let why = "its members may do everything, without a binding";
                        objects.graph.vertices[id.index()].critical = Some(why.to_owned());
                    }
                }
                _ if subject.name == ANONYMOUS.0 => anonymous = Some(id),
                _ => users.push(id),
            }
        }
        let Some(role) = role_of(binding, &by_name) else { continue };
        let id = objects.permission_set(binding, role);
        if binding.namespace.is_none() && rights::allows_everything(role) {
            let why = "it allows everything in the entire cluster".to_owned();
            objects.graph.vertices[id.index()].critical = Some(why);
        }
        sets.push(Set { id, binding, role });
    }
    let all_accounts: Vec<(String, NodeId)> =
        accounts.iter().map(|((namespace, _), id)| ((*namespace).to_owned(), *id)).chain(bound_accounts).collect();
    let people = People::new(all_accounts, users, groups, node_users.iter().map(|(_, id)| *id), anonymous);

    // Pods, containers and volumes.
    let mut pods: Vec<(&Pod, NodeId)> = Vec::new();
    let mut containers: Vec<(&Pod, &Container, NodeId)> = Vec::new();
    let mut mounts: Vec<Mounted<'_>> = Vec::new();
    let secrets: HashMap<(&str, &str), &str> =
        cluster.tokens.iter().map(|token| ((&*token.namespace, &*token.name), &*token.account)).collect();
    // Manifests can have an object twice.
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    for pod in cluster.pods.iter().filter(|pod| exists(pod)) {
        if !seen.insert((&pod.namespace, &pod.name)) {
            continue;
        }
        pods.push((pod, objects.pod(pod)));
        for container in pod.containers.iter().filter(|container| acts(container)) {
            let container_id = objects.container(pod, container);
            containers.push((pod, container, container_id));
            for mount in &container.mounts {
                let Some(volume) = pod.volumes.iter().find(|volume| volume.name == mount.volume) else { continue };
                let account = match &volume.source {
                    Source::Other => continue,
                    Source::HostPath(_) | Source::Projected { has_token: false } => None,
                    Source::Projected { has_token: true } => Some(pod.account.as_str()),
                    Source::Secret(name) => secrets.get(&(&*pod.namespace, &**name)).copied(),
                };
                let token = account.filter(|account| !account.is_empty());
                let token = token.map(|account| objects.identity(ACCOUNT, &pod.namespace, account));
                let id = objects.volume(pod, container, mount);
                let node = nodes.get(pod.node.as_str()).copied();
                let host_path = host_path(volume, mount);
                mounts.push(Mounted { id, node, pod, container, container_id, mount, volume, host_path, token });
            }
        }
    }
    let endpoints = endpoints(&mut objects, &containers);
    if kinds == Kinds::NONE {
        return;
    }
    let proofs = Proofs(&cluster.name);
    let settings = cluster.accounts.iter().map(|account| ((&*account.namespace, &*account.name), account.automount));
    let automounts = settings.collect();
    let mut rules =
        Rules { graph, cluster, proofs, kinds, nodes, accounts, sets, pods, containers, mounts, people, automounts };
    rules.escapes();
    rules.attachments();
    rules.volumes();
    rules.assumptions(&node_users);
    rules.permissions();
    rules.log_links();
    rules.pods_by_rights();
    rules.tokens();
    rules.impersonations();
    rules.role_bindings();
    for (kind, from, to, why) in endpoints {
        rules.edge(kind, from, to, why);
    }
}

/// The identities of a cluster, by what groups they are in.
struct People {
    accounts: Arc<[NodeId]>,
    accounts_in: HashMap<String, Arc<[NodeId]>>,
    users: Arc<[NodeId]>,
    groups: Arc<[NodeId]>,
    nodes: Arc<[NodeId]>,
    authenticated: Arc<[NodeId]>,
    anonymous: Option<NodeId>,
}

/// Each node once, in order.
fn distinct(ids: impl IntoIterator<Item = NodeId>) -> Arc<[NodeId]> {
    let ids: BTreeSet<NodeId> = ids.into_iter().collect();
    ids.into_iter().collect()
}

impl People {
    fn new(
        accounts: Vec<(String, NodeId)>,
        users: Vec<NodeId>,
        groups: Vec<NodeId>,
        nodes: impl Iterator<Item = NodeId>,
        anonymous: Option<NodeId>,
    ) -> Self {
        let mut accounts_in: HashMap<String, Vec<NodeId>> = HashMap::new();
        for (namespace, id) in &accounts {
            accounts_in.entry(namespace.clone()).or_default().push(*id);
        }
        let all = distinct(accounts.into_iter().map(|(_, id)| id));
        People {
            accounts_in: accounts_in.into_iter().map(|(namespace, ids)| (namespace, distinct(ids))).collect(),
            authenticated: distinct(all.iter().copied().chain(users.iter().copied())),
            accounts: all,
            users: distinct(users),
            groups: distinct(groups),
            nodes: distinct(nodes),
            anonymous,
        }
    }

    /// The known members of a group.
    fn members(&self, group: &str) -> Arc<[NodeId]> {
        match group {
            AUTHENTICATED => self.authenticated.clone(),
            ACCOUNTS => self.accounts.clone(),
            NODES => self.nodes.clone(),
            group if group == ANONYMOUS.1 => self.anonymous.into_iter().collect(),
            group => match group.strip_prefix(ACCOUNTS).and_then(|rest| rest.strip_prefix(':')) {
                Some(namespace) => self.accounts_of(Some(namespace)),
                None => Arc::new([]),
            },
        }
    }

    /// The service accounts of a namespace, or all.
    fn accounts_of(&self, namespace: Option<&str>) -> Arc<[NodeId]> {
        match namespace {
            None => self.accounts.clone(),
            Some(namespace) => self.accounts_in.get(namespace).cloned().unwrap_or_else(|| Arc::new([])),
        }
    }
}

type Pending = (EdgeKind, NodeId, NodeId, Why);

/// Endpoints are nodes even if no edge is wanted.
fn endpoints(objects: &mut Objects<'_>, containers: &[ContainerNode<'_>]) -> Vec<Pending> {
    let cluster = objects.cluster;
    let proofs = Proofs(&cluster.name);
    let mut unread = vec![NO_NETWORK.to_owned()];
    unread.extend(cluster.unread.get(&Input::EndpointSlices).map(|why| format!("endpoint slices: {why}")));
    let mut found = Vec::new();
    let mut of_pods: HashMap<(&str, &str), Vec<ContainerNode<'_>>> = HashMap::new();
    for (pod, container, id) in containers {
        of_pods.entry((&pod.namespace, &pod.name)).or_default().push((pod, container, *id));
    }
    let mut in_slices: HashSet<(&str, &str, &str, u16)> = HashSet::new();
    for endpoint in &cluster.endpoints {
        in_slices.insert((&endpoint.namespace, &endpoint.pod, &endpoint.protocol, endpoint.port));
        let of_pod = of_pods.get(&(&*endpoint.namespace, &*endpoint.pod)).map(Vec::as_slice).unwrap_or_default();
        let declares = |container: &Container| {
            container.ports.iter().any(|port| port.number == endpoint.port && port.protocol == endpoint.protocol)
        };
        let is_declared = of_pod.iter().any(|(_, container, _)| declares(container));
        for (pod, container, id) in of_pod {
            if is_declared && !declares(container) {
                continue;
            }
            let mut unread = unread.clone();
            if !is_declared && of_pod.len() > 1 {
                unread.push("which container listens: none declares the port".to_owned());
            }
            let from = objects.endpoint(pod, &endpoint.slice, &endpoint.protocol, endpoint.port);
            let why = Why {
                allowed_by: format!("the endpoint slice {} leads to the port {}", endpoint.slice, endpoint.port),
                proof: vec![proofs.slice(&endpoint.namespace, &endpoint.slice), proofs.container(pod, container)],
                breaks: vec![Change::Other(format!(
                    "remove the pod {}/{} from the services with the port {}",
                    pod.namespace, pod.name, endpoint.port
                ))],
                unread,
            };
            found.push((EdgeKind::EndpointExploit, from, *id, why));
        }
    }
    for (pod, container, id) in containers {
        for port in &container.ports {
            if in_slices.contains(&(&*pod.namespace, &*pod.name, &*port.protocol, port.number)) {
                continue;
            }
            let from = objects.endpoint(pod, &container.name, &port.protocol, port.number);
            let place = match port.host {
                Some(host) => format!("the port {host} of the node leads to the port {}", port.number),
                None => format!("the container declares the port {}", port.number),
            };
            let why = Why {
                allowed_by: place,
                proof: vec![proofs.container(pod, container)],
                breaks: vec![Change::Other(format!(
                    "let nothing listen on the port {} in the pod {}/{}",
                    port.number, pod.namespace, pod.name
                ))],
                unread: unread.clone(),
            };
            found.push((EdgeKind::EndpointExploit, from, *id, why));
        }
    }
    found
}

/// The objects of a cluster, and the wanted edges.
struct Rules<'a, 'g> {
    graph: &'g mut Graph,
    cluster: &'a Cluster,
    proofs: Proofs<'a>,
    kinds: Kinds,
    nodes: HashMap<&'a str, NodeId>,
    accounts: HashMap<(&'a str, &'a str), NodeId>,
    sets: Vec<Set<'a>>,
    pods: Vec<(&'a Pod, NodeId)>,
    containers: Vec<(&'a Pod, &'a Container, NodeId)>,
    mounts: Vec<Mounted<'a>>,
    people: People,
    /// The setting of each service account.
    automounts: HashMap<(&'a str, &'a str), Option<bool>>,
}

impl<'a> Rules<'a, '_> {
    fn edge(&mut self, kind: EdgeKind, from: NodeId, to: NodeId, why: Why) {
        if self.kinds.has(kind) {
            self.graph.edge(kind, from, to, why);
        }
    }

    fn fan(&mut self, kind: EdgeKind, from: NodeId, to: &Arc<[NodeId]>, why: Why) {
        if self.kinds.has(kind) {
            self.graph.connect(kind, &[from].into(), to, why);
        }
    }

    /// What of some lists could not be read.
    fn unread(&self, inputs: &[Input], effect: &str) -> Option<String> {
        let unread = inputs.iter().filter_map(|input| Some((input, self.cluster.unread.get(input)?)));
        let unread: Vec<String> = unread.map(|(input, why)| format!("{}: {why}", input.name())).collect();
        (!unread.is_empty()).then(|| format!("{effect} ({})", unread.join("; ")))
    }

    /// The mounts of a container.
    fn mounts_of(&self, container: NodeId) -> impl Iterator<Item = &Mounted<'a>> {
        let start = self.mounts.partition_point(|mounted| mounted.container_id < container);
        self.mounts[start..].iter().take_while(move |mounted| mounted.container_id == container)
    }

    /// Mounts of a container whose path of the node meets a condition.
    fn host_mounts(&self, container: NodeId, is_met: impl Fn(&str) -> bool) -> Vec<&Mounted<'a>> {
        let of_host = |mounted: &&Mounted<'_>| mounted.host_path.as_deref().is_some_and(&is_met);
        self.mounts_of(container).filter(of_host).collect()
    }

    fn escapes(&mut self) {
        let mut found: Vec<Pending> = Vec::new();
        // Containers of each node.
        let mut neighbours: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for (pod, _, id) in &self.containers {
            if let Some(node) = self.nodes.get(pod.node.as_str()) {
                neighbours.entry(*node).or_default().push(*id);
            }
        }
        let neighbours: HashMap<NodeId, Arc<[NodeId]>> =
            neighbours.into_iter().map(|(node, containers)| (node, containers.into())).collect();
        let mut sockets: Vec<(NodeId, NodeId, Why)> = Vec::new();
        for (pod, container, id) in &self.containers {
            let Some(node) = self.nodes.get(pod.node.as_str()).copied() else { continue };
            let Some(unread) = root(container) else { continue };
            let why = |allowed_by: String, breaks: Vec<Change>| Why {
                allowed_by,
                proof: vec![self.proofs.container(pod, container), self.proofs.pod(pod)],
                breaks,
                unread: unread.clone(),
            };
            let not_privileged = || of_container(pod, container, Field::NotPrivileged);
            let without_host_pid = || vec![of_pod(pod, PodField::WithoutHostPid)];
            let modules = capability(container, "SYS_MODULE");
            if container.privileged || !modules.is_empty() {
                let mut breaks = Vec::new();
                breaks.extend(container.privileged.then(not_privileged));
                let without = |name: &String| of_container(pod, container, Field::WithoutCapability(name.clone()));
                breaks.extend(modules.iter().map(without));
                let allowed_by = match container.privileged {
                    true => "privileged: true".to_owned(),
                    false => format!("capabilities.add: {}", modules.join(", ")),
                };
                found.push((EdgeKind::CeModuleLoad, *id, node, why(allowed_by, breaks)));
            }
            if container.privileged {
                let allowed_by = "privileged: true".to_owned();
                found.push((EdgeKind::CePrivMount, *id, node, why(allowed_by, vec![not_privileged()])));
            }
            if container.privileged && pod.host_pid {
                let allowed_by = "privileged: true and hostPID: true".to_owned();
                found.push((EdgeKind::CeNsenter, *id, node, why(allowed_by, without_host_pid())));
            }
            let traces = capability(container, "SYS_PTRACE");
            let is_confined =
                !container.privileged && container.apparmor.as_deref().is_some_and(|profile| profile != "Unconfined");
            if pod.host_pid && (container.privileged || !traces.is_empty()) && !is_confined {
                let allowed_by = match container.privileged {
                    true => "privileged: true and hostPID: true".to_owned(),
                    false => format!("hostPID: true and capabilities.add: {}", traces.join(", ")),
                };
                let mut why = why(allowed_by, without_host_pid());
                if !container.privileged && container.apparmor.is_none() {
                    why.unread.push(format!("whether AppArmor is enabled on the node {}", pod.node));
                }
                found.push((EdgeKind::CeSysPtrace, *id, node, why));
            }
            let mut by_mounts = |kind: EdgeKind, mounts: Vec<&Mounted<'a>>, field: fn(String) -> Field| {
                let Some(first) = mounts.first() else { return };
                let paths: Vec<&str> = mounts.iter().filter_map(|mounted| mounted.host_path.as_deref()).collect();
                let breaks =
                    mounts.iter().map(|mounted| of_container(pod, container, field(mounted.mount.path.clone())));
                let mut why = why(format!("the container mounts {} of the node", paths.join(", ")), breaks.collect());
                why.proof.push(self.proofs.volume(pod, &first.volume.name));
                match kind {
                    EdgeKind::ExploitContainerdSock => sockets.push((*id, node, why)),
                    kind => found.push((kind, *id, node, why)),
                }
            };
            let core_pattern = self.host_mounts(*id, |path| host::is_in(CORE_PATTERN, path));
            let core_pattern = core_pattern.into_iter().filter(|mounted| !mounted.mount.read_only).collect();
            by_mounts(EdgeKind::CeUmhCorePattern, core_pattern, Field::ReadOnly);
            // A socket can be used through a read-only mount.
            let sockets = self.host_mounts(*id, |path| host::socket(path).is_some());
            by_mounts(EdgeKind::ExploitContainerdSock, sockets, Field::WithoutMount);
        }
        for (kind, from, to, why) in found {
            self.edge(kind, from, to, why);
        }
        for (from, node, why) in sockets {
            self.edge(EdgeKind::ExploitContainerdSock, from, node, why.clone());
            if let Some(neighbours) = neighbours.get(&node) {
                self.fan(EdgeKind::ExploitContainerdSock, from, neighbours, why);
            }
        }
    }

    fn attachments(&mut self) {
        let mut found: Vec<Pending> = Vec::new();
        for (pod, id) in &self.pods {
            let Some(node) = self.nodes.get(pod.node.as_str()) else { continue };
            let why = Why {
                allowed_by: format!("spec.nodeName: {}", pod.node),
                proof: vec![self.proofs.pod(pod)],
                breaks: vec![Change::Other(format!("run the pod {}/{} on another node", pod.namespace, pod.name))],
                unread: Vec::new(),
            };
            found.push((EdgeKind::PodAttach, *node, *id, why));
        }
        let ids: HashMap<(&str, &str), NodeId> =
            self.pods.iter().map(|(pod, id)| ((&*pod.namespace, &*pod.name), *id)).collect();
        let mut sharing: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for (pod, container, id) in &self.containers {
            let of_pod = ids[&(&*pod.namespace, &*pod.name)];
            let why = Why {
                allowed_by: "the container is in the pod".to_owned(),
                proof: vec![self.proofs.container(pod, container)],
                breaks: vec![Change::Other(format!(
                    "remove the container {} from the pod {}/{}",
                    container.name, pod.namespace, pod.name
                ))],
                unread: Vec::new(),
            };
            found.push((EdgeKind::ContainerAttach, of_pod, *id, why));
            if pod.shares_processes {
                sharing.entry(of_pod).or_default().push(*id);
            }
        }
        let mut shared: Vec<(Arc<[NodeId]>, Why)> = Vec::new();
        for (pod, id) in &self.pods {
            let Some(all) = sharing.remove(id).filter(|all| all.len() > 1) else { continue };
            let why = Why {
                allowed_by: "shareProcessNamespace: true".to_owned(),
                proof: vec![self.proofs.pod(pod)],
                breaks: vec![of_pod(pod, PodField::WithoutSharedProcesses)],
                unread: Vec::new(),
            };
            shared.push((all.into(), why));
        }
        for (kind, from, to, why) in found {
            self.edge(kind, from, to, why);
        }
        if self.kinds.has(EdgeKind::SharePsNamespace) {
            for (all, why) in shared {
                self.graph.connect(EdgeKind::SharePsNamespace, &all, &all, why);
            }
        }
    }

    fn volumes(&mut self) {
        let mut found: Vec<Pending> = Vec::new();
        let mut traversals: Vec<(NodeId, Arc<[NodeId]>, Why)> = Vec::new();
        // Volumes with tokens, on each node.
        let mut tokens: HashMap<NodeId, Vec<(&Mounted<'_>, String)>> = HashMap::new();
        for mounted in self.mounts.iter().filter(|mounted| mounted.token.is_some()) {
            if let Some((node, path)) = mounted.node.zip(mounted.kubelet_path()) {
                tokens.entry(node).or_default().push((mounted, path));
            }
        }
        let all_tokens: HashMap<NodeId, Arc<[NodeId]>> = tokens
            .iter()
            .map(|(node, mounts)| (*node, mounts.iter().map(|(mounted, _)| mounted.id).collect()))
            .collect();
        for mounted in &self.mounts {
            let (pod, container) = (mounted.pod, mounted.container);
            let change = |field: fn(String) -> Field| of_container(pod, container, field(mounted.mount.path.clone()));
            let why = |allowed_by: String, change: Change| Why {
                allowed_by,
                proof: vec![self.proofs.volume(pod, &mounted.volume.name), self.proofs.container(pod, container)],
                breaks: vec![change],
                unread: Vec::new(),
            };
            let not_mounted = || match mounted.volume.name.starts_with(INJECTED) {
                true => of_pod(pod, PodField::WithoutToken),
                false => change(Field::WithoutMount),
            };
            let at = format!("the volume is mounted at {}", mounted.mount.path);
            found.push((EdgeKind::VolumeDiscover, mounted.container_id, mounted.id, why(at, not_mounted())));
            if let Some(node) = mounted.node {
                let allowed_by = format!("the pod runs on the node {}", pod.node);
                found.push((EdgeKind::VolumeAccess, node, mounted.id, why(allowed_by, not_mounted())));
            }
            if let Some(account) = mounted.token {
                let (allowed_by, proof) = match &mounted.volume.source {
                    Source::Secret(name) => {
                        (format!("the secret {name} has a token"), Some(self.proofs.secret(&pod.namespace, name)))
                    }
                    _ => ("the projected volume has a token".to_owned(), None),
                };
                let mut why = why(allowed_by, not_mounted());
                why.proof.extend(proof);
                found.push((EdgeKind::TokenSteal, mounted.id, account, why));
            }
            let Some((path, node)) = mounted.host_path.as_deref().zip(mounted.node) else { continue };
            let is_read_only = mounted.mount.read_only;
            if is_read_only && let Some(target) = host::credentials(path) {
                let allowed_by = format!("hostPath {path}, read-only, shows {target}");
                found.push((EdgeKind::ExploitHostRead, mounted.id, node, why(allowed_by, change(Field::WithoutMount))));
            }
            if !is_read_only && let Some(target) = host::control(path) {
                let allowed_by = format!("hostPath {path}, writable, changes {target}");
                found.push((EdgeKind::ExploitHostWrite, mounted.id, node, why(allowed_by, change(Field::ReadOnly))));
            }
            let Some(tokens) = tokens.get(&node) else { continue };
            let to: Arc<[NodeId]> = match host::is_in(KUBELET_PODS, path) {
                true => all_tokens[&node].clone(),
                false if host::is_in(path, KUBELET_PODS) => {
                    let sees = |of_token: &str| host::is_in(of_token, path) || host::is_in(path, of_token);
                    tokens.iter().filter(|(_, of_token)| sees(of_token)).map(|(mounted, _)| mounted.id).collect()
                }
                false => continue,
            };
            let allowed_by = format!("hostPath {path} has the volumes of pods");
            traversals.push((mounted.id, to, why(allowed_by, change(Field::WithoutMount))));
        }
        for (kind, from, to, why) in found {
            self.edge(kind, from, to, why);
        }
        for (from, to, why) in traversals {
            self.fan(EdgeKind::ExploitHostTraverse, from, &to, why);
        }
    }

    /// How a container has the token of its pod's service account.
    fn token(&self, pod: &Pod, container: NodeId) -> Option<(String, Vec<Change>)> {
        if pod.account.is_empty() {
            return None;
        }
        let of_account = self.accounts.get(&(&*pod.namespace, &*pod.account));
        let is_own = |mounted: &&Mounted<'_>| {
            matches!(mounted.volume.source, Source::Projected { has_token: true })
                && mounted.token.as_ref() == of_account
        };
        let mounts: Vec<&Mounted<'_>> = self.mounts_of(container).filter(is_own).collect();
        let mut breaks: Vec<Change> = Vec::new();
        for mounted in &mounts {
            let change = match mounted.volume.name.starts_with(INJECTED) {
                true => of_pod(pod, PodField::WithoutToken),
                false => of_container(pod, mounted.container, Field::WithoutMount(mounted.mount.path.clone())),
            };
            if !breaks.contains(&change) {
                breaks.push(change);
            }
        }
        // On a cluster, the token volume is part of the pod. A manifest gets it when the pod is created.
        if self.cluster.is_manifests && pod.automount.or(self.account_automount(pod)).unwrap_or(true) {
            let change = of_pod(pod, PodField::WithoutToken);
            if !breaks.contains(&change) {
                breaks.push(change);
            }
        }
        (!breaks.is_empty()).then(|| (format!("the token of the service account {} is mounted", pod.account), breaks))
    }

    fn account_automount(&self, pod: &Pod) -> Option<bool> {
        self.automounts.get(&(&*pod.namespace, &*pod.account)).copied()?
    }

    fn assumptions(&mut self, node_users: &[(&str, NodeId)]) {
        if !self.kinds.has(EdgeKind::IdentityAssume) {
            return;
        }
        let mut found: Vec<Pending> = Vec::new();
        for (pod, container, id) in &self.containers {
            let Some((allowed_by, breaks)) = self.token(pod, *id) else { continue };
            let account = self.accounts[&(&*pod.namespace, &*pod.account)];
            let is_unclear = self.cluster.is_manifests && pod.automount.is_none();
            let effect = "whether the service account mounts its token";
            let why = Why {
                allowed_by,
                proof: vec![
                    self.proofs.container(pod, container),
                    self.proofs.pod(pod),
                    self.proofs.account(&pod.namespace, &pod.account),
                ],
                breaks,
                unread: self.unread(&[Input::ServiceAccounts], effect).filter(|_| is_unclear).into_iter().collect(),
            };
            found.push((EdgeKind::IdentityAssume, *id, account, why));
        }
        for (name, user) in node_users {
            let why = Why {
                allowed_by: "the kubelet has the credentials of the node".to_owned(),
                proof: vec![self.proofs.node(name)],
                breaks: vec![Change::Other("a kubelet always has credentials".to_owned())],
                unread: vec!["the node authorizer gives rights that no role has".to_owned()],
            };
            found.push((EdgeKind::IdentityAssume, self.nodes[name], *user, why));
        }
        for (kind, from, to, why) in found {
            self.edge(kind, from, to, why);
        }
    }

    /// The identities that a subject of a binding is, with the members of a group.
    fn holders(&self, subject: &Subject) -> Arc<[NodeId]> {
        let key = crate::graph::key::identity(&self.cluster.name, &subject.kind, &subject.namespace, &subject.name);
        let own = self.graph.find(&key);
        match subject.kind.as_str() {
            GROUP => distinct(own.into_iter().chain(self.people.members(&subject.name).iter().copied())),
            _ => own.into_iter().collect(),
        }
    }

    fn permissions(&mut self) {
        if !self.kinds.has(EdgeKind::PermissionDiscover) {
            return;
        }
        let mut found = Vec::new();
        // Bindings to one group share the list of its members.
        let mut of_subjects: HashMap<Subject, Arc<[NodeId]>> = HashMap::new();
        for set in &self.sets {
            let mut seen = BTreeSet::new();
            for written in subjects(set.binding) {
                let subject = canonical(written.clone());
                if !seen.insert(subject.clone()) {
                    continue;
                }
                let from = of_subjects.entry(subject.clone()).or_insert_with(|| self.holders(&subject)).clone();
                let members = if from.len() > 1 { ", with its members" } else { "" };
                let why = Why {
                    allowed_by: format!("{} names {}{members}", binding_text(set.binding), subject_text(&subject)),
                    proof: vec![self.proofs.subject(set.binding, &written), self.proofs.role(set.role)],
                    breaks: vec![of_binding(set.binding, &written)],
                    unread: Vec::new(),
                };
                found.push((from, set.id, why));
            }
        }
        for (from, to, why) in found {
            self.graph.connect(EdgeKind::PermissionDiscover, &from, &[to].into(), why);
        }
    }

    /// Containers that may read logs, and can put links into the log directory.
    fn log_links(&mut self) {
        if !self.kinds.has(EdgeKind::CeVarLogSymlink) {
            return;
        }
        let mut readers: HashMap<NodeId, Vec<(usize, Right)>> = HashMap::new();
        for (position, set) in self.sets.iter().enumerate() {
            let Some(right) = rights::allowed(set.role, &["get"], "", "pods/log") else { continue };
            for subject in subjects(set.binding).map(canonical) {
                for holder in self.holders(&subject).iter() {
                    readers.entry(*holder).or_default().push((position, right.clone()));
                }
            }
        }
        let mut found: Vec<Pending> = Vec::new();
        let mut on_nodes: HashMap<&str, Vec<&Pod>> = HashMap::new();
        for (pod, _) in &self.pods {
            on_nodes.entry(&pod.node).or_default().push(pod);
        }
        for (pod, container, id) in &self.containers {
            let Some(unread) = root(container) else { continue };
            let Some(node) = self.nodes.get(pod.node.as_str()) else { continue };
            let is_log = |path: &str| host::is_in(LOGS, path) || host::is_in(path, &format!("{LOGS}/pods"));
            let mut mounts = self.host_mounts(*id, is_log);
            mounts.retain(|mounted| !mounted.mount.read_only);
            let Some(first) = mounts.first() else { continue };
            if self.token(pod, *id).is_none() {
                continue;
            }
            let account = self.accounts[&(&*pod.namespace, &*pod.account)];
            // The log of any pod of the node can become a link.
            let reads = |(set, right): &&(usize, Right)| {
                let pods = on_nodes.get(pod.node.as_str()).map(Vec::as_slice).unwrap_or_default();
                pods.iter().any(|other| self.sets[*set].holds_in(&other.namespace) && right.names.has(&other.name))
            };
            let Some((set, right)) = readers.get(&account).and_then(|sets| sets.iter().find(reads)) else { continue };
            let role = self.sets[*set].role;
            let path = first.host_path.as_deref().unwrap_or_default();
            let rules = rules_text(role, &right.rules);
            let change =
                |mounted: &&Mounted<'_>| of_container(pod, container, Field::ReadOnly(mounted.mount.path.clone()));
            let why = Why {
                allowed_by: format!("{rules} allows to get pods/log, and the container writes to {path} of the node"),
                proof: vec![
                    self.proofs.container(pod, container),
                    self.proofs.volume(pod, &first.volume.name),
                    self.proofs.role(role),
                ],
                breaks: mounts.iter().map(change).collect(),
                unread,
            };
            found.push((EdgeKind::CeVarLogSymlink, *id, *node, why));
        }
        for (kind, from, to, why) in found {
            self.edge(kind, from, to, why);
        }
    }

    /// Rights to create pods, to change them, and to run commands in them.
    fn pods_by_rights(&mut self) {
        if !self.kinds.has_any(&[EdgeKind::PodCreate, EdgeKind::PodPatch, EdgeKind::PodExec]) {
            return;
        }
        let mut found: Vec<(EdgeKind, NodeId, Arc<[NodeId]>, Why)> = Vec::new();
        let mut all_nodes: Vec<NodeId> = self.nodes.values().copied().collect();
        all_nodes.sort_unstable();
        let all_nodes: Arc<[NodeId]> = all_nodes.into();
        let mut lists = PodLists::new(&self.pods);
        for set in &self.sets {
            let why = |allowed_by: String, rules: Vec<usize>, right: &str| Why {
                allowed_by,
                proof: vec![self.proofs.role(set.role)],
                breaks: vec![of_role(set.role, rules, right)],
                unread: Vec::new(),
            };
            if self.kinds.has(EdgeKind::PodCreate)
                && let Some((rules, resources)) = creates(set.role)
                && let Some((place, proof)) = self.admits(set)
            {
                let right = format!("create {}", resources.join(", "));
                let allowed_by = format!("{} allows to {right}; {place}", rules_text(set.role, &rules));
                let mut why = why(allowed_by, rules, &right);
                why.proof.extend(proof);
                let effect = "whether Pod Security admission refuses such a pod";
                why.unread.extend(self.unread(&[Input::Namespaces], effect));
                why.unread.push(NO_POLICIES.to_owned());
                found.push((EdgeKind::PodCreate, set.id, all_nodes.clone(), why));
            }
            if self.kinds.has(EdgeKind::PodPatch)
                && let Some((rules, resources, to)) = patches(set, &mut lists)
            {
                let right = format!("patch {}", resources.join(", "));
                let allowed_by = format!("{} allows to {right}", rules_text(set.role, &rules));
                let mut why = why(allowed_by, rules, &right);
                why.unread.push(NO_POLICIES.to_owned());
                found.push((EdgeKind::PodPatch, set.id, to, why));
            }
            if self.kinds.has(EdgeKind::PodExec) {
                let is_old = self.cluster.version.is_none_or(|version| version < EXEC_NEEDS_CREATE);
                let verbs: &[&str] = if is_old { &["create", "get"] } else { &["create"] };
                if let Some(right) = rights::allowed(set.role, verbs, "", "pods/exec") {
                    let to = lists.named(set.namespace(), &right.names, false);
                    let allowed_by = format!("{} allows to use pods/exec", rules_text(set.role, &right.rules));
                    let mut why = why(allowed_by, right.rules, "create or get pods/exec");
                    let needs_version = self.cluster.version.is_none()
                        && rights::allowed(set.role, &["create"], "", "pods/exec").is_none();
                    if needs_version {
                        why.unread.push("the version of the API server: from 1.35 on, get is not enough".to_owned());
                    }
                    found.push((EdgeKind::PodExec, set.id, to, why));
                }
            }
        }
        for (kind, from, to, why) in found {
            self.fan(kind, from, &to, why);
        }
    }

    /// A namespace in which a set could create a pod that controls its node: in words, with its row. `None` if Pod Security
    /// admission refuses it in all.
    fn admits(&self, set: &Set<'_>) -> Option<(String, Vec<crate::graph::Proof>)> {
        let refuses = |namespace: &crate::input::Namespace| {
            matches!(namespace.enforce.as_deref(), Some("baseline" | "restricted"))
        };
        match set.namespace() {
            Some(name) => match self.cluster.namespaces.iter().find(|namespace| namespace.name == name) {
                Some(namespace) if refuses(namespace) => None,
                Some(_) => {
                    Some((format!("the namespace {name} enforces no standard"), vec![self.proofs.namespace(name)]))
                }
                None => Some((format!("nothing is known that the namespace {name} enforces"), Vec::new())),
            },
            None if self.cluster.namespaces.is_empty() => {
                Some(("nothing is known that namespaces enforce".to_owned(), Vec::new()))
            }
            None => {
                let open = self.cluster.namespaces.iter().find(|namespace| !refuses(namespace))?;
                let row = vec![self.proofs.namespace(&open.name)];
                Some((format!("the namespace {} enforces no standard", open.name), row))
            }
        }
    }

    /// Rights to read secrets with tokens.
    fn tokens(&mut self) {
        if !self.kinds.has_any(&[EdgeKind::TokenBruteforce, EdgeKind::TokenList]) {
            return;
        }
        let unread = self.unread(&[Input::Secrets], "whether the service account has a token secret");
        let mut shared: HashMap<Option<String>, Arc<[NodeId]>> = HashMap::new();
        let mut found: Vec<(EdgeKind, NodeId, Arc<[NodeId]>, Why)> = Vec::new();
        for set in &self.sets {
            let asked: [(EdgeKind, &[&str], &str); 2] = [
                (EdgeKind::TokenBruteforce, &["get"], "get secrets"),
                (EdgeKind::TokenList, &["list", "watch"], "list or watch secrets"),
            ];
            for (kind, verbs, name) in asked {
                let Some(right) = rights::allowed(set.role, verbs, "", "secrets") else { continue };
                let list = |names: &Names| -> Arc<[NodeId]> {
                    if unread.is_some() {
                        return self.people.accounts_of(set.namespace());
                    }
                    let of_set =
                        |token: &&crate::input::TokenSecret| set.holds_in(&token.namespace) && names.has(&token.name);
                    let tokens = self.cluster.tokens.iter().filter(of_set);
                    distinct(
                        tokens.filter_map(|token| self.accounts.get(&(&*token.namespace, &*token.account)).copied()),
                    )
                };
                let to = match right.names {
                    Names::All => {
                        shared.entry(set.binding.namespace.clone()).or_insert_with(|| list(&Names::All)).clone()
                    }
                    Names::Only(_) => list(&right.names),
                };
                let why = Why {
                    allowed_by: format!("{} allows to {name}", rules_text(set.role, &right.rules)),
                    proof: vec![self.proofs.role(set.role)],
                    breaks: vec![of_role(set.role, right.rules, name)],
                    unread: unread.clone().into_iter().collect(),
                };
                found.push((kind, set.id, to, why));
            }
        }
        for (kind, from, to, why) in found {
            self.fan(kind, from, &to, why);
        }
    }

    fn impersonations(&mut self) {
        if !self.kinds.has(EdgeKind::IdentityImpersonate) {
            return;
        }
        let mut found: Vec<(NodeId, Arc<[NodeId]>, Why)> = Vec::new();
        for set in &self.sets {
            let impersonates = |resource: &str| rights::allowed(set.role, &["impersonate"], "", resource);
            let accounts = impersonates("serviceaccounts");
            // Users and groups are not in a namespace, so a role binding does not give them.
            let of_cluster = |right: Option<Right>| right.filter(|_| set.namespace().is_none());
            let users = of_cluster(impersonates("users"));
            // A request that names a group also names a user.
            let groups = of_cluster(impersonates("groups")).filter(|_| users.is_some() || accounts.is_some());
            let asked = [
                ("serviceaccounts", accounts, self.people.accounts_of(set.namespace())),
                ("users", users, self.people.users.clone()),
                ("groups", groups, self.people.groups.clone()),
            ];
            for (resource, right, all) in asked {
                let Some(right) = right else { continue };
                let to = match &right.names {
                    Names::All => all,
                    names => all.iter().copied().filter(|id| names.has(&self.graph.vertex(*id).name)).collect(),
                };
                let name = format!("impersonate {resource}");
                let why = Why {
                    allowed_by: format!("{} allows to {name}", rules_text(set.role, &right.rules)),
                    proof: vec![self.proofs.role(set.role)],
                    breaks: vec![of_role(set.role, right.rules, &name)],
                    unread: Vec::new(),
                };
                found.push((set.id, to, why));
            }
        }
        for (from, to, why) in found {
            self.fan(EdgeKind::IdentityImpersonate, from, &to, why);
        }
    }

    fn role_bindings(&mut self) {
        if !self.kinds.has(EdgeKind::RoleBind) {
            return;
        }
        let mut shared: HashMap<(Option<String>, bool, bool), Arc<[NodeId]>> = HashMap::new();
        let mut found: Vec<(NodeId, Arc<[NodeId]>, Why)> = Vec::new();
        for set in &self.sets {
            // The kind of binding, and the kind of role that it grants.
            for (bindings, roles) in
                [("clusterrolebindings", "clusterroles"), ("rolebindings", "clusterroles"), ("rolebindings", "roles")]
            {
                let (is_everywhere, is_cluster_role) = (bindings == "clusterrolebindings", roles == "clusterroles");
                if is_everywhere && set.namespace().is_some() {
                    continue;
                }
                let creates = rights::allowed_without_name(set.role, &["create"], RBAC, bindings);
                let creates = creates.map(|rules| Right { rules, names: Names::All });
                let changes = rights::allowed(set.role, &["patch", "update"], RBAC, bindings);
                let writes = match (creates, changes) {
                    (Some(creates), Some(changes)) => Some(creates.or(changes)),
                    (creates, changes) => creates.or(changes),
                };
                let Some(writes) = writes else { continue };
                let Some(binds) = rights::allowed(set.role, &["bind"], RBAC, roles) else { continue };
                let list = || -> Arc<[NodeId]> {
                    let is_reached = |target: &&Set<'_>| {
                        target.namespace().is_none() == is_everywhere
                            && target.role.namespace.is_none() == is_cluster_role
                            && target.namespace().is_none_or(|namespace| set.holds_in(namespace))
                            && writes.names.has(&target.binding.name)
                            && binds.names.has(&target.role.name)
                    };
                    distinct(self.sets.iter().filter(is_reached).map(|target| target.id))
                };
                let to = match (&writes.names, &binds.names) {
                    (Names::All, Names::All) => {
                        let place = (set.binding.namespace.clone(), is_everywhere, is_cluster_role);
                        shared.entry(place).or_insert_with(list).clone()
                    }
                    _ => list(),
                };
                let right = format!("bind {roles}");
                let mut rules = writes.rules.clone();
                rules.extend(&binds.rules);
                rules.sort_unstable();
                rules.dedup();
                let why = Why {
                    allowed_by: format!("{} allows to write {bindings} and to {right}", rules_text(set.role, &rules)),
                    proof: vec![self.proofs.role(set.role)],
                    breaks: vec![of_role(set.role, binds.rules, &right)],
                    unread: Vec::new(),
                };
                found.push((set.id, to, why));
            }
        }
        for (from, to, why) in found {
            self.fan(EdgeKind::RoleBind, from, &to, why);
        }
    }
}

/// The rules of a role that allow to create pods or what becomes pods, and the resources.
fn creates(role: &Role) -> Option<(Vec<usize>, Vec<&'static str>)> {
    let (mut rules, mut resources): (BTreeSet<usize>, Vec<&'static str>) = (BTreeSet::new(), Vec::new());
    let all = [("", "pods", "")].into_iter().chain(WORKLOADS);
    for (group, resource, _) in all {
        if let Some(found) = rights::allowed_without_name(role, &["create"], group, resource) {
            rules.extend(found);
            resources.push(resource);
        }
    }
    (!resources.is_empty()).then(|| (rules.into_iter().collect(), resources))
}

/// Rules that allow to change pods, the resources that they name, and the pods.
type Patches = (Vec<usize>, Vec<&'static str>, Arc<[NodeId]>);

/// The rules of a set that allow to change pods or their controllers, the resources, and the pods.
fn patches(set: &Set<'_>, lists: &mut PodLists<'_>) -> Option<Patches> {
    let verbs = ["patch", "update"];
    let mut rules: BTreeSet<usize> = BTreeSet::new();
    let mut resources: Vec<&'static str> = Vec::new();
    let mut of_pods: Option<Right> = None;
    for resource in ["pods", "pods/ephemeralcontainers"] {
        let Some(right) = rights::allowed(set.role, &verbs, "", resource) else { continue };
        rules.extend(&right.rules);
        resources.push(resource);
        of_pods = Some(match of_pods {
            Some(known) => known.or(right),
            None => right,
        });
    }
    let mut of_controllers: Vec<(&'static str, Names)> = Vec::new();
    for (group, resource, kind) in WORKLOADS {
        let Some(right) = rights::allowed(set.role, &verbs, group, resource) else { continue };
        rules.extend(&right.rules);
        resources.push(resource);
        of_controllers.push((kind, right.names));
    }
    if resources.is_empty() {
        return None;
    }
    let to = match &of_pods {
        // All pods of the place that the API can change: those of controllers are among them.
        Some(Right { names: Names::All, .. }) => lists.named(set.namespace(), &Names::All, true),
        of_pods => {
            let names = of_pods.as_ref().map(|right| &right.names);
            lists.controlled(set.namespace(), names, &of_controllers)
        }
    };
    Some((rules.into_iter().collect(), resources, to))
}

/// A namespace, or all, and kinds of controllers.
type ControlledPlace = (Option<String>, Vec<&'static str>);

/// Lists of pods that permission sets share.
struct PodLists<'a> {
    in_namespaces: HashMap<&'a str, Vec<(&'a Pod, NodeId)>>,
    all: Vec<(&'a Pod, NodeId)>,
    /// By namespace, and whether static pods are left out.
    shared: HashMap<(Option<String>, bool), Arc<[NodeId]>>,
    /// By namespace, and the kinds of controllers.
    of_controllers: HashMap<ControlledPlace, Arc<[NodeId]>>,
}

impl<'a> PodLists<'a> {
    fn new(pods: &[(&'a Pod, NodeId)]) -> Self {
        let mut in_namespaces: HashMap<&str, Vec<(&Pod, NodeId)>> = HashMap::new();
        for (pod, id) in pods {
            in_namespaces.entry(&pod.namespace).or_default().push((*pod, *id));
        }
        PodLists { in_namespaces, all: pods.to_vec(), shared: HashMap::new(), of_controllers: HashMap::new() }
    }

    fn place(&self, namespace: Option<&str>) -> &[(&'a Pod, NodeId)] {
        match namespace {
            None => &self.all,
            Some(namespace) => self.in_namespaces.get(namespace).map(Vec::as_slice).unwrap_or_default(),
        }
    }

    /// The pods of a namespace, or of all, with some names.
    fn named(&mut self, namespace: Option<&str>, names: &Names, without_static: bool) -> Arc<[NodeId]> {
        let place = (namespace.map(str::to_owned), without_static);
        if let (Names::All, Some(known)) = (names, self.shared.get(&place)) {
            return known.clone();
        }
        let fits = |pod: &Pod| names.has(&pod.name) && !(without_static && pod.is_static);
        let pods = self.place(namespace).iter().filter(|(pod, _)| fits(pod));
        let pods: Arc<[NodeId]> = pods.map(|(_, id)| *id).collect();
        if *names == Names::All {
            self.shared.insert(place, pods.clone());
        }
        pods
    }

    /// The pods with some names, and those of some controllers.
    fn controlled(
        &mut self,
        namespace: Option<&str>,
        names: Option<&Names>,
        controllers: &[(&'static str, Names)],
    ) -> Arc<[NodeId]> {
        let is_shared = names.is_none() && controllers.iter().all(|(_, names)| *names == Names::All);
        let place =
            (namespace.map(str::to_owned), controllers.iter().map(|(kind, _)| *kind).collect::<Vec<&'static str>>());
        if let Some(known) = self.of_controllers.get(&place).filter(|_| is_shared) {
            return known.clone();
        }
        let is_controlled = |pod: &Pod| {
            controllers
                .iter()
                .any(|(kind, names)| pod.controllers.iter().any(|(of_pod, name)| of_pod == kind && names.has(name)))
        };
        let is_named = |pod: &Pod| !pod.is_static && names.is_some_and(|names| names.has(&pod.name));
        let pods = self.place(namespace).iter().filter(|(pod, _)| is_named(pod) || is_controlled(pod));
        let pods: Arc<[NodeId]> = pods.map(|(_, id)| *id).collect();
        if is_shared {
            self.of_controllers.insert(place, pods.clone());
        }
        pods
    }
}
