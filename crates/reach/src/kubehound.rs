//! KubeHound's rules, as they are without the optimizations for large clusters.
//!
//! Known mistakes are part of the rules, because a user compares with KubeHound's edges:
//!
//! - rules that are limited to names give nothing, and roles of the groups `apps` and `batch` give nothing
//! - a role binding gives nothing to a service account of another namespace
//! - only pods in the phase `Running` and only their regular containers exist
//! - groups have no members
//! - pod security admission stops nothing
//! - a role binding of any namespace reaches the sets of all namespaces through `ROLE_BIND`
//! - some default roles are critical by their name; they have no edges to what they could change

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::change::{Change, Field, PodField};
use crate::graph::{Fan, Graph, NodeId, Why, key};
use crate::input::{Binding, Cluster, Container, ContainerKind, Mount, Pod, Role, Source, Volume};
use crate::kind::{EdgeKind, Kinds};
use crate::objects::{
    ACCOUNT, ContainerNode, NODE_USER, NODES, Objects, Proofs, binding_text, by_name, of_binding, of_container, of_pod,
    of_role, role_of, rules_text, subject_text, subjects,
};
use crate::rights::{self, RBAC};

/// A mount that KubeHound leaves out.
const OWN_AGENT: &str = "/var/run/datadog-agent";
/// Sources with which the kernel's usermode helper can be set.
const CORE_PATTERN_SOURCES: [&str; 4] = ["/", "/proc", "/proc/sys", "/proc/sys/kernel"];
/// Sources with the logs of the node.
const LOG_SOURCES: [&str; 3] = ["/", "/var", "/var/log"];
/// Sources with credentials.
const READ_SOURCES: [&str; 6] = ["/", "/home", "/root", "/root/.ssh", "/proc", "/etc"];
/// Sources with the tokens of pods.
const TRAVERSE_SOURCES: [&str; 4] = ["/", "/var", "/var/lib", "/var/lib/kubelet"];
/// Resources that become pods.
const WORKLOADS: [&str; 8] =
    ["pods", "cronjobs", "daemonsets", "deployments", "jobs", "replicasets", "replicationcontrollers", "statefulsets"];
const CORE: [&str; 1] = [""];

/// Names of cluster roles that are critical if they are bound in the entire cluster.
const CRITICAL: [&str; 7] =
    ["admin", "cluster-admin", "edit", "kindnet", "kubeadm:get-nodes", "local-path-provisioner-role", "view"];
/// The same with the prefix `system:`. A space at the end of one name is in KubeHound, too, so that role is not critical.
const CRITICAL_SYSTEM: &str = "aggregate-to-admin|aggregate-to-edit|aggregate-to-view|auth-delegator|basic-user|\
    coredns|discovery|heapster|kube-aggregator|kube-controller-manager|kube-dns|kube-scheduler|kubelet-api-admin|\
    monitoring|node|node-bootstrapper|node-problem-detector|node-proxier|persistent-volume-provisioner|\
    public-info-viewer |service-account-issuer-discovery|volume-scheduler";
/// The same with the prefix `system:certificates.k8s.io:`.
const CRITICAL_CERTIFICATES: &str = "certificatesigningrequests:nodeclient|certificatesigningrequests:selfnodeclient|\
    kube-apiserver-client-approver|kube-apiserver-client-kubelet-approver|kubelet-serving-approver|\
    legacy-unknown-approver";
/// The same with the prefix `system:controller:`.
const CRITICAL_CONTROLLERS: &str = "attachdetach-controller|bootstrap-signer|certificate-controller|\
    clusterrole-aggregation-controller|cronjob-controller|daemon-set-controller|deployment-controller|\
    disruption-controller|endpoint-controller|endpointslice-controller|endpointslicemirroring-controller|\
    ephemeral-volume-controller|expand-controller|generic-garbage-collector|horizontal-pod-autoscaler|job-controller|\
    namespace-controller|node-controller|persistent-volume-binder|pod-garbage-collector|pv-protection-controller|\
    pvc-protection-controller|replicaset-controller|replication-controller|resourcequota-controller|\
    root-ca-cert-publisher|route-controller|service-account-controller|service-controller|statefulset-controller|\
    token-cleaner|ttl-after-finished-controller|ttl-controller";

/// Whether KubeHound takes a cluster role for critical.
fn is_critical(role: &str) -> bool {
    let in_list = |prefix: &str, list: &str| {
        role.strip_prefix(prefix).is_some_and(|rest| list.split('|').any(|name| name == rest))
    };
    CRITICAL.contains(&role)
        || in_list("system:", CRITICAL_SYSTEM)
        || in_list("system:certificates.k8s.io:", CRITICAL_CERTIFICATES)
        || in_list("system:controller:", CRITICAL_CONTROLLERS)
}

/// A user, group or service account; the kind is not part of its name.
struct Identity {
    id: NodeId,
    is_account: bool,
    namespace: String,
}

/// A role as a binding grants it.
struct Set<'a> {
    id: NodeId,
    binding: &'a Binding,
    role: &'a Role,
    is_critical: bool,
}

impl Set<'_> {
    fn is_namespaced(&self) -> bool {
        self.binding.namespace.is_some()
    }
}

/// A mount that is in the graph.
struct Mounted<'a> {
    id: NodeId,
    node: NodeId,
    pod: &'a Pod,
    container: &'a Container,
    container_id: NodeId,
    mount: &'a Mount,
    volume: &'a Volume,
    /// The identity whose token a projected volume has.
    identity: Option<NodeId>,
}

impl Mounted<'_> {
    fn host_path(&self) -> Option<&str> {
        match &self.volume.source {
            Source::HostPath(path) => Some(path),
            _ => None,
        }
    }
}

/// Whether KubeHound finds the pods of a cluster.
fn exists(pod: &Pod, nodes: &HashMap<&str, NodeId>) -> bool {
    pod.phase == "Running" && nodes.contains_key(pod.node.as_str())
}

/// Adds a cluster.
pub(crate) fn add(graph: &mut Graph, cluster: &Cluster, kinds: Kinds) {
    let proofs = Proofs(&cluster.name);
    let mut objects = Objects { graph: &mut *graph, cluster };
    let nodes: HashMap<&str, NodeId> =
        cluster.nodes.iter().map(|node| (node.name.as_str(), objects.node(&node.name))).collect();
    let all_nodes: Arc<[NodeId]> = cluster.nodes.iter().map(|node| nodes[node.name.as_str()]).collect();

    // Identities and permission sets.
    let mut identities: BTreeMap<(String, String), Identity> = BTreeMap::new();
    for binding in &cluster.bindings {
        for subject in subjects(binding) {
            let name = (subject.namespace.clone(), subject.name.clone());
            identities.entry(name).or_insert_with(|| Identity {
                id: objects.identity(&subject.kind, &subject.namespace, &subject.name),
                is_account: subject.kind == ACCOUNT,
                namespace: subject.namespace.clone(),
            });
        }
    }
    let roles = by_name(&cluster.roles);
    let mut sets: Vec<Set<'_>> = Vec::new();
    for binding in &cluster.bindings {
        let Some(role) = role_of(binding, &roles) else { continue };
        let is_of_namespace = |subject: &crate::input::Subject| {
            subject.kind == ACCOUNT
                || subject.namespace.is_empty()
                || Some(&subject.namespace) == binding.namespace.as_ref()
        };
        if binding.namespace.is_some() && !subjects(binding).any(|subject| is_of_namespace(&subject)) {
            continue;
        }
        let is_critical = binding.namespace.is_none() && is_critical(&role.name);
        let id = objects.permission_set(binding, role);
        if is_critical {
            objects.graph.vertices[id.index()].critical =
                Some(format!("KubeHound takes the role {} for critical, by its name", role.name));
        }
        sets.push(Set { id, binding, role, is_critical });
    }

    // Pods, containers and volumes.
    let mut pods: Vec<(&Pod, NodeId)> = Vec::new();
    let mut containers: Vec<(&Pod, &Container, NodeId)> = Vec::new();
    let mut mounts: Vec<Mounted<'_>> = Vec::new();
    // Manifests can have an object twice.
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    for pod in cluster.pods.iter().filter(|pod| exists(pod, &nodes)) {
        if !seen.insert((&pod.namespace, &pod.name)) {
            continue;
        }
        pods.push((pod, objects.pod(pod)));
        let account = identities.get(&(pod.namespace.clone(), pod.account.clone())).filter(|one| one.is_account);
        for container in pod.containers.iter().filter(|container| container.kind == ContainerKind::Regular) {
            let container_id = objects.container(pod, container);
            containers.push((pod, container, container_id));
            for mount in container.mounts.iter().filter(|mount| mount.path != OWN_AGENT) {
                let Some(volume) = pod.volumes.iter().find(|volume| volume.name == mount.volume) else { continue };
                let is_known = match volume.source {
                    Source::HostPath(_) | Source::Secret(_) => true,
                    Source::Projected { .. } => account.is_some(),
                    Source::Other => false,
                };
                if !is_known {
                    continue;
                }
                let is_projected = matches!(volume.source, Source::Projected { .. });
                let identity = account.map(|account| account.id).filter(|_| is_projected);
                let id = objects.volume(pod, container, mount);
                let node = nodes[pod.node.as_str()];
                mounts.push(Mounted { id, node, pod, container, container_id, mount, volume, identity });
            }
        }
    }
    let endpoints = endpoints(&mut objects, &containers);
    if kinds == Kinds::NONE {
        return;
    }
    let mut rules = Rules { graph, cluster, proofs, kinds, nodes, identities, sets, pods, containers, mounts };
    rules.escapes();
    rules.attachments();
    rules.volumes();
    rules.assumptions();
    rules.permissions(&all_nodes);
    rules.role_bindings();
    for (kind, from, to, why) in endpoints {
        rules.edge(kind, from, to, why);
    }
}

type Pending = (EdgeKind, NodeId, NodeId, Why);

/// Endpoints are nodes even if no edge is wanted.
fn endpoints(objects: &mut Objects<'_>, containers: &[ContainerNode<'_>]) -> Vec<Pending> {
    let cluster = objects.cluster;
    let proofs = Proofs(&cluster.name);
    let mut found = Vec::new();
    let mut of_pods: HashMap<(&str, &str), Vec<ContainerNode<'_>>> = HashMap::new();
    for (pod, container, id) in containers {
        of_pods.entry((&pod.namespace, &pod.name)).or_default().push((pod, container, *id));
    }
    let mut in_slices: HashSet<(&str, &str, &str, u16)> = HashSet::new();
    for endpoint in &cluster.endpoints {
        in_slices.insert((&endpoint.namespace, &endpoint.pod, &endpoint.protocol, endpoint.port));
        for (pod, container, id) in of_pods.get(&(&*endpoint.namespace, &*endpoint.pod)).into_iter().flatten() {
            let is_port =
                container.ports.iter().any(|port| port.number == endpoint.port && port.protocol == endpoint.protocol);
            if !is_port {
                continue;
            }
            let from = objects.endpoint(pod, &endpoint.slice, &endpoint.protocol, endpoint.port);
            let why = Why {
                allowed_by: format!("the endpoint slice {} has the port {}", endpoint.slice, endpoint.port),
                proof: vec![proofs.slice(&endpoint.namespace, &endpoint.slice), proofs.container(pod, container)],
                breaks: vec![Change::Other(format!(
                    "remove the pod {}/{} from the services with the port {}",
                    pod.namespace, pod.name, endpoint.port
                ))],
                unread: Vec::new(),
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
            let why = Why {
                allowed_by: format!("the container declares the port {}", port.number),
                proof: vec![proofs.container(pod, container)],
                breaks: vec![Change::Other(format!("remove the port {} from the container", port.number))],
                unread: Vec::new(),
            };
            found.push((EdgeKind::EndpointExploit, from, *id, why));
        }
    }
    found
}

/// The objects of a cluster that KubeHound has, and the wanted edges.
struct Rules<'a, 'g> {
    graph: &'g mut Graph,
    cluster: &'a Cluster,
    proofs: Proofs<'a>,
    kinds: Kinds,
    nodes: HashMap<&'a str, NodeId>,
    identities: BTreeMap<(String, String), Identity>,
    sets: Vec<Set<'a>>,
    pods: Vec<(&'a Pod, NodeId)>,
    containers: Vec<(&'a Pod, &'a Container, NodeId)>,
    mounts: Vec<Mounted<'a>>,
}

impl Rules<'_, '_> {
    fn edge(&mut self, kind: EdgeKind, from: NodeId, to: NodeId, why: Why) {
        if self.kinds.has(kind) {
            self.graph.edge(kind, from, to, why);
        }
    }

    fn escapes(&mut self) {
        let has = |container: &Container, capability: &str| container.added.iter().any(|added| added == capability);
        // AppArmor confines by default from 1.31 on.
        let is_old = self.cluster.version.is_some_and(|(major, minor)| major <= 1 && minor < 31);
        // For each pod, a mount with which the usermode helper can be set.
        let mut helpers: HashMap<(&str, &str), &str> = HashMap::new();
        for mounted in &self.mounts {
            if let Some(path) = mounted.host_path().filter(|path| CORE_PATTERN_SOURCES.contains(path)) {
                helpers.entry((&*mounted.pod.namespace, &*mounted.pod.name)).or_insert(path);
            }
        }
        let mut found: Vec<(EdgeKind, usize, String, Vec<Change>)> = Vec::new();
        for (position, (pod, container, _)) in self.containers.iter().enumerate() {
            let not_privileged = || of_container(pod, container, Field::NotPrivileged);
            let module = has(container, "SYS_MODULE");
            if container.privileged || module {
                let mut breaks = Vec::new();
                breaks.extend(container.privileged.then(not_privileged));
                let without = || of_container(pod, container, Field::WithoutCapability("SYS_MODULE".to_owned()));
                breaks.extend(module.then(without));
                let why = if container.privileged { "privileged: true" } else { "capabilities.add: SYS_MODULE" };
                found.push((EdgeKind::CeModuleLoad, position, why.to_owned(), breaks));
            }
            if container.privileged && pod.host_pid {
                let why = "privileged: true and hostPID: true".to_owned();
                found.push((EdgeKind::CeNsenter, position, why, vec![of_pod(pod, PodField::WithoutHostPid)]));
            }
            if container.privileged {
                let why = "privileged: true".to_owned();
                found.push((EdgeKind::CePrivMount, position, why, vec![not_privileged()]));
            }
            let is_unconfined = container.apparmor.as_deref() == Some("Unconfined");
            if pod.host_pid && has(container, "SYS_PTRACE") && has(container, "SYS_ADMIN") && (is_unconfined || is_old)
            {
                let why = "hostPID: true and capabilities.add: SYS_PTRACE, SYS_ADMIN".to_owned();
                found.push((EdgeKind::CeSysPtrace, position, why, vec![of_pod(pod, PodField::WithoutHostPid)]));
            }
            if container.own_user == Some(0)
                && let Some(path) = helpers.get(&(&*pod.namespace, &*pod.name))
            {
                let why = format!("runAsUser: 0, and the pod mounts {path} of the node");
                let breaks = vec![of_container(pod, container, Field::NonRoot)];
                found.push((EdgeKind::CeUmhCorePattern, position, why, breaks));
            }
        }
        for (kind, position, allowed_by, breaks) in found {
            let (pod, container, id) = self.containers[position];
            let proof = vec![self.proofs.container(pod, container), self.proofs.pod(pod)];
            let to = self.nodes[pod.node.as_str()];
            self.edge(kind, id, to, Why { allowed_by, proof, breaks, unread: Vec::new() });
        }
        self.log_links();
    }

    /// Containers that may read logs and mount the log directory.
    fn log_links(&mut self) {
        if !self.kinds.has(EdgeKind::CeVarLogSymlink) {
            return;
        }
        // For each identity, the first permission set that allows it.
        let mut readers: HashMap<NodeId, (usize, Vec<usize>)> = HashMap::new();
        for (position, set) in self.sets.iter().enumerate() {
            let resources = ["pods/log", "pods/*"];
            let Some(rules) = rights::kubehound(set.role, &CORE, &resources, &["get"]) else { continue };
            for subject in subjects(set.binding) {
                if is_discovered(set, &subject.namespace) {
                    let identity = &self.identities[&(subject.namespace.clone(), subject.name.clone())];
                    readers.entry(identity.id).or_insert_with(|| (position, rules.clone()));
                }
            }
        }
        let mut found = Vec::new();
        for mounted in &self.mounts {
            let Some(path) = mounted.host_path().filter(|path| LOG_SOURCES.contains(path)) else { continue };
            let account = (mounted.pod.namespace.clone(), mounted.pod.account.clone());
            let Some(identity) = self.identities.get(&account).filter(|one| one.is_account) else { continue };
            let Some((set, rules)) = readers.get(&identity.id) else { continue };
            let set = &self.sets[*set];
            let why = Why {
                allowed_by: format!(
                    "{} allows to get pods/log, and the container mounts {path}",
                    rules_text(set.role, rules)
                ),
                proof: vec![
                    self.proofs.container(mounted.pod, mounted.container),
                    self.proofs.volume(mounted.pod, &mounted.volume.name),
                    self.proofs.role(set.role),
                ],
                breaks: vec![of_container(
                    mounted.pod,
                    mounted.container,
                    Field::WithoutMount(mounted.mount.path.clone()),
                )],
                unread: Vec::new(),
            };
            found.push((mounted.container_id, mounted.node, why));
        }
        let mut seen = BTreeSet::new();
        for (from, to, why) in found {
            if seen.insert((from, to)) {
                self.edge(EdgeKind::CeVarLogSymlink, from, to, why);
            }
        }
    }

    fn attachments(&mut self) {
        let mut found: Vec<Pending> = Vec::new();
        for (pod, id) in &self.pods {
            let why = Why {
                allowed_by: format!("spec.nodeName: {}", pod.node),
                proof: vec![self.proofs.pod(pod)],
                breaks: vec![Change::Other(format!("run the pod {}/{} on another node", pod.namespace, pod.name))],
                unread: Vec::new(),
            };
            found.push((EdgeKind::PodAttach, self.nodes[pod.node.as_str()], *id, why));
        }
        for (pod, container, id) in &self.containers {
            let why = Why {
                allowed_by: "the container is in the pod".to_owned(),
                proof: vec![self.proofs.container(pod, container)],
                breaks: vec![Change::Other("remove the container from the pod".to_owned())],
                unread: Vec::new(),
            };
            let key = key::pod(&self.cluster.name, &pod.namespace, &pod.name);
            let from = self.graph.find(&key).expect("a pod with containers was added");
            found.push((EdgeKind::ContainerAttach, from, *id, why));
        }
        let mut of_pods: HashMap<(&str, &str), Vec<NodeId>> = HashMap::new();
        for (pod, _, id) in self.containers.iter().filter(|(pod, ..)| pod.shares_processes) {
            of_pods.entry((&pod.namespace, &pod.name)).or_default().push(*id);
        }
        let mut shared: Vec<(Arc<[NodeId]>, Why)> = Vec::new();
        for (pod, _) in self.pods.iter().filter(|(pod, _)| pod.shares_processes) {
            let all: Arc<[NodeId]> = of_pods.remove(&(&*pod.namespace, &*pod.name)).unwrap_or_default().into();
            let why = Why {
                allowed_by: "shareProcessNamespace: true".to_owned(),
                proof: vec![self.proofs.pod(pod)],
                breaks: vec![of_pod(pod, PodField::WithoutSharedProcesses)],
                unread: Vec::new(),
            };
            shared.push((all, why));
        }
        for (kind, from, to, why) in found {
            self.edge(kind, from, to, why);
        }
        for (all, why) in shared.into_iter().filter(|(all, _)| all.len() > 1) {
            if self.kinds.has(EdgeKind::SharePsNamespace) {
                self.graph.connect(EdgeKind::SharePsNamespace, &all, &all, why);
            }
        }
    }

    fn volumes(&mut self) {
        let mut found: Vec<Pending> = Vec::new();
        // Tokens on each node.
        let mut tokens: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for mounted in self.mounts.iter().filter(|mounted| mounted.identity.is_some()) {
            tokens.entry(mounted.node).or_default().push(mounted.id);
        }
        let tokens: HashMap<NodeId, Arc<[NodeId]>> =
            tokens.into_iter().map(|(node, volumes)| (node, volumes.into())).collect();
        let mut traversals: Vec<(NodeId, Arc<[NodeId]>, Why)> = Vec::new();
        for mounted in &self.mounts {
            let why = |allowed_by: String| Why {
                allowed_by,
                proof: vec![
                    self.proofs.volume(mounted.pod, &mounted.volume.name),
                    self.proofs.container(mounted.pod, mounted.container),
                ],
                breaks: vec![of_container(
                    mounted.pod,
                    mounted.container,
                    Field::WithoutMount(mounted.mount.path.clone()),
                )],
                unread: Vec::new(),
            };
            let mount = format!("the volume is mounted at {}", mounted.mount.path);
            found.push((EdgeKind::VolumeDiscover, mounted.container_id, mounted.id, why(mount)));
            found.push((EdgeKind::VolumeAccess, mounted.node, mounted.id, why("the pod runs on the node".to_owned())));
            if let Some(identity) = mounted.identity {
                let token = "the projected volume has a token".to_owned();
                found.push((EdgeKind::TokenSteal, mounted.id, identity, why(token)));
            }
            let Some(path) = mounted.host_path() else { continue };
            let access = if mounted.mount.read_only { "read-only" } else { "writable" };
            let allowed_by = format!("hostPath.path: {path}, {access}");
            if mounted.mount.read_only && is_read(path) {
                found.push((EdgeKind::ExploitHostRead, mounted.id, mounted.node, why(allowed_by.clone())));
            }
            if !mounted.mount.read_only && !is_safe(path) {
                found.push((EdgeKind::ExploitHostWrite, mounted.id, mounted.node, why(allowed_by.clone())));
            }
            let traverses = TRAVERSE_SOURCES.contains(&path)
                || path == "/var/lib/kubelet/pods"
                || path.starts_with("/var/lib/kubelet/pods/");
            if traverses && let Some(tokens) = tokens.get(&mounted.node) {
                traversals.push((mounted.id, tokens.clone(), why(allowed_by)));
            }
        }
        for (kind, from, to, why) in found {
            self.edge(kind, from, to, why);
        }
        if self.kinds.has(EdgeKind::ExploitHostTraverse) {
            for (from, to, why) in traversals {
                self.graph.connect(EdgeKind::ExploitHostTraverse, &[from].into(), &to, why);
            }
        }
    }

    fn assumptions(&mut self) {
        let mut found: Vec<Pending> = Vec::new();
        for (pod, container, id) in &self.containers {
            let account = (pod.namespace.clone(), pod.account.clone());
            let Some(identity) = self.identities.get(&account).filter(|one| one.is_account) else { continue };
            let why = Why {
                allowed_by: format!("serviceAccountName: {}", pod.account),
                proof: vec![self.proofs.pod(pod), self.proofs.container(pod, container)],
                breaks: vec![Change::Other(format!(
                    "use another service account in the pod {}/{}",
                    pod.namespace, pod.name
                ))],
                unread: Vec::new(),
            };
            found.push((EdgeKind::IdentityAssume, *id, identity.id, why));
        }
        for node in &self.cluster.nodes {
            let user = format!("{NODE_USER}{}", node.name);
            let identity = self.identities.get(&(String::new(), user));
            let Some(identity) = identity.or_else(|| self.identities.get(&(String::new(), NODES.to_owned()))) else {
                continue;
            };
            let why = Why {
                allowed_by: "the kubelet has the credentials of the node".to_owned(),
                proof: vec![self.proofs.node(&node.name)],
                breaks: vec![Change::Other("a kubelet always has credentials".to_owned())],
                unread: Vec::new(),
            };
            found.push((EdgeKind::IdentityAssume, self.nodes[node.name.as_str()], identity.id, why));
        }
        for (kind, from, to, why) in found {
            self.edge(kind, from, to, why);
        }
    }

    fn permissions(&mut self, all_nodes: &Arc<[NodeId]>) {
        let all_pods: Arc<[NodeId]> = self.pods.iter().map(|(_, id)| *id).collect();
        let all_identities: Arc<[NodeId]> = self.identities.values().map(|identity| identity.id).collect();
        let mut pods: HashMap<&str, Vec<NodeId>> = HashMap::new();
        for (pod, id) in &self.pods {
            pods.entry(&pod.namespace).or_default().push(*id);
        }
        let mut accounts: HashMap<&str, Vec<NodeId>> = HashMap::new();
        for identity in self.identities.values().filter(|identity| identity.is_account) {
            accounts.entry(&identity.namespace).or_default().push(identity.id);
        }
        let shared = |lists: HashMap<&str, Vec<NodeId>>| -> HashMap<String, Arc<[NodeId]>> {
            lists.into_iter().map(|(namespace, list)| (namespace.to_owned(), list.into())).collect()
        };
        let (pods, accounts) = (shared(pods), shared(accounts));
        let of_namespace = |lists: &HashMap<String, Arc<[NodeId]>>, set: &Set<'_>| {
            let namespace = set.binding.namespace.as_deref().unwrap_or_default();
            lists.get(namespace).cloned().unwrap_or_else(|| Arc::new([]))
        };
        let mut found: Vec<(EdgeKind, NodeId, Arc<[NodeId]>, Why)> = Vec::new();
        for set in &self.sets {
            for subject in subjects(set.binding) {
                if !is_discovered(set, &subject.namespace) {
                    continue;
                }
                let identity = &self.identities[&(subject.namespace.clone(), subject.name.clone())];
                let why = Why {
                    allowed_by: format!("{} names {}", binding_text(set.binding), subject_text(&subject)),
                    proof: vec![self.proofs.subject(set.binding, &subject), self.proofs.role(set.role)],
                    breaks: vec![of_binding(set.binding, &subject)],
                    unread: Vec::new(),
                };
                found.push((EdgeKind::PermissionDiscover, identity.id, [set.id].into(), why));
            }
            if set.is_critical {
                continue;
            }
            let asked: [(EdgeKind, &[&str], &[&str], &str); 5] = [
                (EdgeKind::PodCreate, &WORKLOADS, &["create"], "create pods"),
                (EdgeKind::PodPatch, &WORKLOADS, &["patch", "update"], "patch pods"),
                (EdgeKind::PodExec, &["pods/exec", "pods/*"], &["create"], "create pods/exec"),
                (EdgeKind::TokenBruteforce, &["secrets"], &["get"], "get secrets"),
                (EdgeKind::TokenList, &["secrets"], &["list"], "list secrets"),
            ];
            for (kind, resources, verbs, right) in asked {
                if !self.kinds.has(kind) {
                    continue;
                }
                let Some(rules) = rights::kubehound(set.role, &CORE, resources, verbs) else { continue };
                let to = match (kind, set.is_namespaced()) {
                    (EdgeKind::PodCreate, _) => all_nodes.clone(),
                    (EdgeKind::PodPatch | EdgeKind::PodExec, false) => all_pods.clone(),
                    (EdgeKind::PodPatch | EdgeKind::PodExec, true) => of_namespace(&pods, set),
                    (_, false) => all_identities.clone(),
                    (_, true) => of_namespace(&accounts, set),
                };
                let why = Why {
                    allowed_by: format!("{} allows to {right}", rules_text(set.role, &rules)),
                    proof: vec![self.proofs.role(set.role)],
                    breaks: vec![of_role(set.role, rules, right)],
                    unread: Vec::new(),
                };
                found.push((kind, set.id, to, why));
            }
        }
        for (kind, from, to, why) in found {
            if self.kinds.has(kind) {
                self.graph.connect(kind, &[from].into(), &to, why);
            }
        }
    }

    fn role_bindings(&mut self) {
        if !self.kinds.has(EdgeKind::RoleBind) {
            return;
        }
        let of = |is_namespaced: bool| -> Arc<[NodeId]> {
            self.sets.iter().filter(|set| set.is_namespaced() == is_namespaced).map(|set| set.id).collect()
        };
        let (everywhere, in_namespaces) = (of(false), of(true));
        let mut fans = Vec::new();
        for set in self.sets.iter().filter(|set| !set.is_critical) {
            // Each of the three conditions may be met by a different rule.
            let Some(group) = rights::kubehound_group(set.role, RBAC) else { continue };
            let mut bind = |to: &Arc<[NodeId]>, bindings: &[&str], role: &str, has_loops: bool| {
                let create = rights::kubehound_in_any_group(set.role, bindings, &["create"]);
                let bind = rights::kubehound_in_any_group(set.role, &[role], &["bind"]);
                let Some((mut rules, bind)) = create.zip(bind) else { return };
                let breaks = vec![of_role(set.role, bind.clone(), &format!("bind {role}"))];
                rules.extend(bind);
                rules.extend(&group);
                rules.sort_unstable();
                rules.dedup();
                let why = Why {
                    allowed_by: format!("{} allow to create bindings and to bind {role}", rules_text(set.role, &rules)),
                    proof: vec![self.proofs.role(set.role)],
                    breaks,
                    unread: Vec::new(),
                };
                let fan = Fan {
                    kind: EdgeKind::RoleBind,
                    from: [set.id].into(),
                    to: to.clone(),
                    has_loops,
                    why: Arc::new(why),
                };
                fans.push(fan);
            };
            match set.is_namespaced() {
                false => {
                    bind(&everywhere, &["clusterrolebindings", "rolebindings"], "clusterroles", true);
                    bind(&in_namespaces, &["rolebindings"], "roles", false);
                }
                true => bind(&in_namespaces, &["rolebindings"], "roles", false),
            }
        }
        fans.into_iter().for_each(|fan| self.graph.push(fan));
    }
}

/// Whether KubeHound takes a subject in some namespace for a holder of the set.
fn is_discovered(set: &Set<'_>, namespace: &str) -> bool {
    set.binding.namespace.as_deref().is_none_or(|of_set| namespace.is_empty() || namespace == of_set)
}

/// Whether a source has credentials for KubeHound.
fn is_read(path: &str) -> bool {
    let is_ssh = || {
        let user = path.strip_prefix("/home/").and_then(|rest| rest.strip_suffix("/.ssh"));
        user.is_some_and(|user| user.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    READ_SOURCES.contains(&path) || is_ssh()
}

/// Whether KubeHound takes a writable source for harmless. One of its texts, `/run/xtables\.lock`, equals no path.
fn is_safe(path: &str) -> bool {
    const SAFE: [&str; 8] = [
        "/var/run/datadog-agent",
        "/etc/datadog-agent",
        "/etc/datadog-agent/auth",
        "/opt/datadog-agent/run",
        "/etc/datadog",
        "/run/xtables\\.lock",
        "/opt/datadog/heapdumps",
        "/var/datadog/dumps",
    ];
    // Regular expressions that only have a start, so that longer paths match too.
    const STARTS: [&str; 10] = [
        "/mnt/disks",
        "/sys/kernel/debug",
        "/tm",
        "/var/run/",
        "/mnt/",
        "/var/lib/datadog-agent/",
        "/var/tmp/datadog-agent/",
        "/run/udev",
        "/lib/udev",
        "/etc/udev",
    ];
    let is_shared = || {
        let rest = path.strip_prefix("/data/").and_then(|rest| rest.split_once("/shared"));
        rest.is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
    };
    SAFE.contains(&path) || STARTS.iter().any(|start| path.starts_with(start)) || is_shared()
}
