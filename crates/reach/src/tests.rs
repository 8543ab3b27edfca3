//! The rules of both models, edge by edge, and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::change::{Change, Field, PodField};
use crate::graph::{Graph, NodeId, Why};
use crate::input::{
    Account, Binding, Cluster, Container, ContainerKind, Endpoint, Input, Mount, Namespace, Node, Pod, Port,
    Requirement, Role, Rule, Source, Subject, TokenSecret, Volume,
};
use crate::kind::{EdgeKind, Kinds, Model, NodeKind};
use crate::paths::Limits;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn container(name: &str) -> Container {
    let mount = Mount { volume: "kube-api-access-x".to_owned(), path: "/token".to_owned(), ..Mount::default() };
    Container { name: name.to_owned(), is_running: true, mounts: vec![mount], ..Container::default() }
}

fn pod(namespace: &str, name: &str) -> Pod {
    let token = Volume { name: "kube-api-access-x".to_owned(), source: Source::Projected { has_token: true } };
    Pod {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        kubelet_uid: format!("uid-{name}"),
        node: "n1".to_owned(),
        phase: "Running".to_owned(),
        account: "sa".to_owned(),
        containers: vec![container("c1")],
        volumes: vec![token],
        ..Pod::default()
    }
}

/// A cluster with the pod `a/p` of the service account `a/sa`, and without roles.
fn world() -> Cluster {
    let namespace = |name: &str| Namespace { name: name.to_owned(), enforce: None };
    let account = |namespace: &str, name: &str| Account {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        automount: None,
    };
    Cluster {
        name: Arc::from("c"),
        version: Some((1, 30)),
        nodes: vec![Node { name: "n1".to_owned(), is_control_plane: false }],
        namespaces: vec![namespace("a"), namespace("b")],
        pods: vec![pod("a", "p")],
        accounts: vec![account("a", "sa"), account("b", "other")],
        ..Cluster::default()
    }
}

fn first(cluster: &mut Cluster) -> &mut Container {
    &mut cluster.pods[0].containers[0]
}

/// Mounts a path of the node at `/v` in the first container.
fn mount(cluster: &mut Cluster, path: &str, read_only: bool) {
    cluster.pods[0].volumes.push(Volume { name: "v".to_owned(), source: Source::HostPath(path.to_owned()) });
    let mount = Mount { volume: "v".to_owned(), path: "/v".to_owned(), sub_path: String::new(), read_only };
    first(cluster).mounts.push(mount);
}

fn rule(verbs: &[&str], groups: &[&str], resources: &[&str], names: &[&str]) -> Rule {
    Rule { verbs: texts(verbs), groups: texts(groups), resources: texts(resources), names: texts(names) }
}

fn subject(kind: &str, namespace: &str, name: &str) -> Subject {
    Subject { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
}

/// Grants a role in a namespace, or in the entire cluster.
fn grant(cluster: &mut Cluster, namespace: Option<&str>, name: &str, rules: Vec<Rule>, to: Subject) {
    let namespace = namespace.map(str::to_owned);
    let role_kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    cluster.roles.push(Role { namespace: namespace.clone(), name: name.to_owned(), rules, ..Role::default() });
    cluster.bindings.push(Binding {
        namespace,
        name: format!("{name}-b"),
        role_kind: role_kind.to_owned(),
        role: name.to_owned(),
        subjects: vec![to],
    });
}

fn own() -> Subject {
    subject("ServiceAccount", "a", "sa")
}

/// Grants the service account of the pod rights in its namespace.
fn may(cluster: &mut Cluster, verbs: &[&str], group: &str, resource: &str, names: &[&str]) {
    grant(cluster, Some("a"), "r", vec![rule(verbs, &[group], &[resource], names)], own());
}

/// The same in the entire cluster.
fn may_everywhere(cluster: &mut Cluster, verbs: &[&str], group: &str, resource: &str, names: &[&str]) {
    grant(cluster, None, "r", vec![rule(verbs, &[group], &[resource], names)], own());
}

/// So KubeHound knows the service account of the pod.
fn bound(cluster: &mut Cluster) {
    grant(cluster, Some("a"), "none", vec![], own());
}

struct Case {
    name: &'static str,
    kind: EdgeKind,
    from: &'static str,
    to: &'static str,
    /// Whether the models have the edge: `correct`, and `kubehound`.
    expected: (bool, bool),
    change: fn(&mut Cluster),
}

const CONTAINER: &str = "container/c/a/p/c1";
const NODE: &str = "node/c/n1";
const POD: &str = "pod/c/a/p";
const VOLUME: &str = "volume/c/a/p/c1:/v";
const TOKEN: &str = "volume/c/a/p/c1:/token";
const ACCOUNT: &str = "identity/c/ServiceAccount/a/sa";
const SET: &str = "permission_set/c/a/r::r-b";
const CLUSTER_SET: &str = "permission_set/c/r::r-b";
const BOTH: (bool, bool) = (true, true);
const CORRECT: (bool, bool) = (true, false);
const KUBEHOUND: (bool, bool) = (false, true);
const NEITHER: (bool, bool) = (false, false);
const RBAC: &str = "rbac.authorization.k8s.io";

macro_rules! cases {
    ($($kind:ident $from:expr => $to:expr, { $($name:literal $expected:ident |$cluster:ident| $change:expr;)* })*) => {
        vec![$($(Case {
            name: $name,
            kind: EdgeKind::$kind,
            from: $from,
            to: $to,
            expected: $expected,
            change: |$cluster: &mut Cluster| { $change; },
        },)*)*]
    };
}

fn unchanged(_: &mut Cluster) {}

fn trace(cluster: &mut Cluster, capabilities: &[&str]) {
    cluster.pods[0].host_pid = true;
    first(cluster).added = texts(capabilities);
}

/// A second pod on the node, with the same service account.
fn neighbour(cluster: &mut Cluster) {
    cluster.pods.push(pod("a", "q"));
}

fn slice(cluster: &mut Cluster) {
    cluster.endpoints.push(Endpoint {
        namespace: "a".to_owned(),
        slice: "sl".to_owned(),
        pod: "p".to_owned(),
        port: 80,
        protocol: "TCP".to_owned(),
    });
}

fn port(cluster: &mut Cluster) {
    first(cluster).ports.push(Port { number: 80, protocol: "TCP".to_owned(), host: None });
}

fn token_secret(cluster: &mut Cluster) {
    let token = TokenSecret { namespace: "a".to_owned(), name: "t".to_owned(), account: "sa".to_owned() };
    cluster.tokens.push(token);
}

fn other_set(cluster: &mut Cluster, namespace: Option<&str>) {
    grant(cluster, namespace, "other", vec![], subject("User", "", "u"));
}

fn binder(bindings: &str, roles: &str, names: &[&str]) -> Vec<Rule> {
    vec![rule(&["create"], &[RBAC], &[bindings], &[]), rule(&["bind"], &[RBAC], &[roles], names)]
}

#[allow(clippy::too_many_lines, reason = "one table")]
fn cases() -> Vec<Case> {
    cases! {
        CeModuleLoad CONTAINER => NODE, {
            "nothing" NEITHER |c| unchanged(c);
            "privileged" BOTH |c| first(c).privileged = true;
            "capability" BOTH |c| first(c).added = texts(&["SYS_MODULE"]);
            "capability with its prefix" CORRECT |c| first(c).added = texts(&["CAP_SYS_MODULE"]);
            "all capabilities" CORRECT |c| first(c).added = texts(&["ALL"]);
            "added and dropped" KUBEHOUND |c| {
                first(c).added = texts(&["SYS_MODULE"]);
                first(c).dropped = texts(&["SYS_MODULE"])
            };
            "added, and all dropped" BOTH |c| {
                first(c).added = texts(&["SYS_MODULE"]);
                first(c).dropped = texts(&["ALL"])
            };
            "never root" KUBEHOUND |c| {
                first(c).added = texts(&["SYS_MODULE"]);
                (first(c).user, first(c).escalates) = (Some(1000), Some(false))
            };
            "pending pod" CORRECT |c| { first(c).privileged = true; c.pods[0].phase = "Pending".to_owned() };
            "ended pod" NEITHER |c| { first(c).privileged = true; c.pods[0].phase = "Succeeded".to_owned() };
            "node that cannot be listed" CORRECT |c| { first(c).privileged = true; c.nodes.clear() };
            "running ephemeral container" CORRECT |c| {
                (first(c).privileged, first(c).kind) = (true, ContainerKind::Ephemeral)
            };
            "ended init container" NEITHER |c| {
                (first(c).privileged, first(c).kind, first(c).is_running) = (true, ContainerKind::Init, false)
            };
        }
        CeNsenter CONTAINER => NODE, {
            "privileged" NEITHER |c| first(c).privileged = true;
            "host PID" NEITHER |c| c.pods[0].host_pid = true;
            "both" BOTH |c| { first(c).privileged = true; c.pods[0].host_pid = true };
        }
        CePrivMount CONTAINER => NODE, {
            "privileged" BOTH |c| first(c).privileged = true;
            "SYS_ADMIN" NEITHER |c| first(c).added = texts(&["SYS_ADMIN"]);
        }
        CeSysPtrace CONTAINER => NODE, {
            "both capabilities" BOTH |c| trace(c, &["SYS_PTRACE", "SYS_ADMIN"]);
            "one capability" CORRECT |c| trace(c, &["SYS_PTRACE"]);
            "other capability" NEITHER |c| trace(c, &["SYS_ADMIN"]);
            "no host PID" NEITHER |c| first(c).added = texts(&["SYS_PTRACE", "SYS_ADMIN"]);
            "new cluster" CORRECT |c| { trace(c, &["SYS_PTRACE", "SYS_ADMIN"]); c.version = Some((1, 31)) };
            "new cluster, unconfined" BOTH |c| {
                trace(c, &["SYS_PTRACE", "SYS_ADMIN"]);
                c.version = Some((1, 31));
                first(c).apparmor = Some("Unconfined".to_owned())
            };
            "confined" KUBEHOUND |c| {
                trace(c, &["SYS_PTRACE", "SYS_ADMIN"]);
                first(c).apparmor = Some("RuntimeDefault".to_owned())
            };
        }
        CeUmhCorePattern CONTAINER => NODE, {
            "root, /proc" BOTH |c| { mount(c, "/proc", false); (first(c).own_user, first(c).user) = (Some(0), Some(0)) };
            "user of the image" CORRECT |c| mount(c, "/proc", false);
            "read-only" KUBEHOUND |c| {
                mount(c, "/proc", true);
                (first(c).own_user, first(c).user) = (Some(0), Some(0))
            };
            "other path" NEITHER |c| {
                mount(c, "/etc", false);
                (first(c).own_user, first(c).user) = (Some(0), Some(0))
            };
            "other part of the path" KUBEHOUND |c| {
                mount(c, "/proc", false);
                first(c).mounts[1].sub_path = "1".to_owned();
                (first(c).own_user, first(c).user) = (Some(0), Some(0))
            };
            "mount of a sibling" KUBEHOUND |c| {
                mount(c, "/proc", false);
                let mut sibling = container("c2");
                sibling.mounts = first(c).mounts.split_off(1);
                (first(c).own_user, first(c).user) = (Some(0), Some(0));
                c.pods[0].containers.push(sibling)
            };
        }
        CeVarLogSymlink CONTAINER => NODE, {
            "right and mount" BOTH |c| { mount(c, "/var/log", false); may(c, &["get"], "", "pods/log", &[]) };
            "mount alone" NEITHER |c| { mount(c, "/var/log", false); bound(c) };
            "right alone" NEITHER |c| may(c, &["get"], "", "pods/log", &[]);
            "read-only" KUBEHOUND |c| { mount(c, "/var", true); may(c, &["get"], "", "pods/log", &[]) };
            "no such wildcard" KUBEHOUND |c| { mount(c, "/var/log", false); may(c, &["get"], "", "pods/*", &[]) };
            "wildcard of subresources" CORRECT |c| { mount(c, "/var/log", false); may(c, &["get"], "", "*/log", &[]) };
            "name of the pod" CORRECT |c| { mount(c, "/var/log", false); may(c, &["get"], "", "pods/log", &["p"]) };
            "name of another pod" NEITHER |c| { mount(c, "/var/log", false); may(c, &["get"], "", "pods/log", &["x"]) };
            "pods of another namespace" NEITHER |c| {
                mount(c, "/var/log", false);
                grant(c, Some("b"), "r", vec![rule(&["get"], &[""], &["pods/log"], &[])], own())
            };
        }
        ContainerAttach POD => CONTAINER, {
            "container" BOTH |c| unchanged(c);
            "ended init container" NEITHER |c| (first(c).kind, first(c).is_running) = (ContainerKind::Init, false);
            "running init container" CORRECT |c| first(c).kind = ContainerKind::Init;
        }
        PodAttach NODE => POD, {
            "pod" BOTH |c| unchanged(c);
            "no node" NEITHER |c| c.pods[0].node.clear();
        }
        EndpointExploit "endpoint/c/a/sl/p/TCP/80" => CONTAINER, {
            "declared port" BOTH |c| { slice(c); port(c) };
            "port that is not declared" CORRECT |c| slice(c);
            "port of another container" NEITHER |c| {
                slice(c);
                let mut other = container("c2");
                other.ports.push(Port { number: 80, protocol: "TCP".to_owned(), host: None });
                c.pods[0].containers.push(other)
            };
            "other protocol" CORRECT |c| { slice(c); port(c); first(c).ports[0].protocol = "UDP".to_owned() };
        }
        EndpointExploit "endpoint/c/a/c1/p/TCP/80" => CONTAINER, {
            "port without a service" BOTH |c| port(c);
            "port of a slice" NEITHER |c| { port(c); slice(c) };
        }
        ExploitHostRead VOLUME => NODE, {
            "/etc" BOTH |c| mount(c, "/etc", true);
            "/home/ada/.ssh" BOTH |c| mount(c, "/home/ada/.ssh", true);
            "/var/lib/kubelet" CORRECT |c| mount(c, "/var/lib/kubelet", true);
            "writable" NEITHER |c| mount(c, "/etc", false);
            "data" NEITHER |c| mount(c, "/data", true);
        }
        ExploitHostWrite VOLUME => NODE, {
            "/etc" BOTH |c| mount(c, "/etc", false);
            "read-only" NEITHER |c| mount(c, "/etc", true);
            "data" KUBEHOUND |c| mount(c, "/data", false);
            "a lock" KUBEHOUND |c| mount(c, "/run/xtables.lock", false);
            "shared data" NEITHER |c| mount(c, "/data/x-1/shared/y", false);
            "/tmp" NEITHER |c| mount(c, "/tmp", false);
            "a socket" NEITHER |c| mount(c, "/var/run/docker.sock", false);
            "a part of the root" BOTH |c| { mount(c, "/", false); first(c).mounts[1].sub_path = "etc".to_owned() };
            "a harmless part of the root" KUBEHOUND |c| {
                mount(c, "/", false);
                first(c).mounts[1].sub_path = "data".to_owned()
            };
        }
        ExploitHostTraverse VOLUME => "volume/c/a/q/c1:/token", {
            "kubelet" BOTH |c| { bound(c); neighbour(c); mount(c, "/var/lib/kubelet", true) };
            "root" BOTH |c| { bound(c); neighbour(c); mount(c, "/", true) };
            "directory of another pod" KUBEHOUND |c| {
                bound(c);
                neighbour(c);
                mount(c, "/var/lib/kubelet/pods/uid-p", true)
            };
            "directory of the pod" BOTH |c| { bound(c); neighbour(c); mount(c, "/var/lib/kubelet/pods/uid-q", true) };
            "unbound service account" CORRECT |c| { neighbour(c); mount(c, "/var/lib/kubelet", true) };
            "other node" NEITHER |c| {
                bound(c);
                neighbour(c);
                c.nodes.push(Node { name: "n2".to_owned(), is_control_plane: false });
                c.pods[1].node = "n2".to_owned();
                mount(c, "/var/lib/kubelet", true)
            };
            "other path" NEITHER |c| { bound(c); neighbour(c); mount(c, "/var/lib/data", true) };
        }
        ExploitContainerdSock CONTAINER => "container/c/a/q/c1", {
            "socket, read-only" CORRECT |c| { neighbour(c); mount(c, "/run/containerd/containerd.sock", true) };
            "its directory" CORRECT |c| { neighbour(c); mount(c, "/run", true) };
            "through a link" CORRECT |c| { neighbour(c); mount(c, "/var/run/docker.sock", true) };
            "other path" NEITHER |c| { neighbour(c); mount(c, "/data", false) };
            "never root" NEITHER |c| {
                neighbour(c);
                mount(c, "/run/docker.sock", true);
                (first(c).user, first(c).escalates) = (Some(1000), Some(false))
            };
        }
        ExploitContainerdSock CONTAINER => NODE, {
            "socket" CORRECT |c| mount(c, "/run/docker.sock", true);
        }
        IdentityAssume CONTAINER => ACCOUNT, {
            "bound" BOTH |c| bound(c);
            "unbound" CORRECT |c| unchanged(c);
            "no token" KUBEHOUND |c| { bound(c); first(c).mounts.clear() };
            "manifest" CORRECT |c| {
                first(c).mounts.clear();
                c.pods[0].volumes.clear();
                c.is_manifests = true
            };
            "manifest without a token" NEITHER |c| {
                first(c).mounts.clear();
                c.pods[0].volumes.clear();
                c.is_manifests = true;
                c.pods[0].automount = Some(false)
            };
            "manifest whose account mounts none" NEITHER |c| {
                first(c).mounts.clear();
                c.pods[0].volumes.clear();
                c.is_manifests = true;
                c.accounts[0].automount = Some(false)
            };
        }
        IdentityAssume NODE => "identity/c/User/system:node:n1", {
            "always" CORRECT |c| unchanged(c);
            "bound" BOTH |c| grant(c, None, "r", vec![], subject("User", "", "system:node:n1"));
        }
        IdentityAssume NODE => "identity/c/Group/system:nodes", {
            "bound group" KUBEHOUND |c| grant(c, None, "r", vec![], subject("Group", "", "system:nodes"));
        }
        IdentityImpersonate CLUSTER_SET => "identity/c/User/u", {
            "users" CORRECT |c| { other_set(c, None); may_everywhere(c, &["impersonate"], "", "users", &[]) };
            "that user" CORRECT |c| { other_set(c, None); may_everywhere(c, &["impersonate"], "", "users", &["u"]) };
            "other user" NEITHER |c| { other_set(c, None); may_everywhere(c, &["impersonate"], "", "users", &["x"]) };
            "groups" NEITHER |c| { other_set(c, None); may_everywhere(c, &["impersonate"], "", "groups", &[]) };
        }
        IdentityImpersonate SET => "identity/c/User/u", {
            "users in a namespace" NEITHER |c| { other_set(c, None); may(c, &["impersonate"], "", "users", &[]) };
        }
        IdentityImpersonate SET => ACCOUNT, {
            "service accounts in a namespace" CORRECT |c| may(c, &["impersonate"], "", "serviceaccounts", &[]);
        }
        IdentityImpersonate SET => "identity/c/ServiceAccount/b/other", {
            "service account elsewhere" NEITHER |c| may(c, &["impersonate"], "", "serviceaccounts", &[]);
        }
        PermissionDiscover ACCOUNT => SET, {
            "same namespace" BOTH |c| may(c, &["get"], "", "pods", &[]);
            "without its namespace" BOTH |c| grant(c, Some("a"), "r", vec![], subject("ServiceAccount", "", "sa"));
            "all service accounts" CORRECT |c| grant(c, Some("a"), "r", vec![], subject("Group", "", "system:serviceaccounts"));
            "those of the namespace" CORRECT |c| {
                grant(c, Some("a"), "r", vec![], subject("Group", "", "system:serviceaccounts:a"))
            };
            "those of another namespace" NEITHER |c| {
                grant(c, Some("a"), "r", vec![], subject("Group", "", "system:serviceaccounts:b"))
            };
            "all with credentials" CORRECT |c| grant(c, Some("a"), "r", vec![], subject("Group", "", "system:authenticated"));
            "named as a user" CORRECT |c| {
                grant(c, Some("a"), "r", vec![], subject("User", "", "system:serviceaccount:a:sa"))
            };
            "role that does not exist" NEITHER |c| { may(c, &["get"], "", "pods", &[]); c.roles.clear() };
        }
        PermissionDiscover ACCOUNT => "permission_set/c/b/r::r-b", {
            "other namespace" CORRECT |c| grant(c, Some("b"), "r", vec![], own());
        }
        PermissionDiscover "identity/c/Group/system:serviceaccounts" => CLUSTER_SET, {
            "the group itself" BOTH |c| grant(c, None, "r", vec![], subject("Group", "", "system:serviceaccounts"));
        }
        PermissionDiscover "identity/c/User/system:anonymous" => CLUSTER_SET, {
            "without credentials" CORRECT |c| grant(c, None, "r", vec![], subject("Group", "", "system:unauthenticated"));
        }
        PodCreate SET => NODE, {
            "pods" BOTH |c| may(c, &["create"], "", "pods", &[]);
            "deployments" CORRECT |c| may(c, &["create"], "apps", "deployments", &[]);
            "deployments of the wrong group" KUBEHOUND |c| may(c, &["create"], "", "deployments", &[]);
            "everything" BOTH |c| may(c, &["*"], "*", "*", &[]);
            "names" NEITHER |c| may(c, &["create"], "", "pods", &["x"]);
            "other verb" NEITHER |c| may(c, &["get"], "", "pods", &[]);
            "refused by Pod Security" KUBEHOUND |c| {
                may(c, &["create"], "", "pods", &[]);
                c.namespaces[0].enforce = Some("baseline".to_owned())
            };
            "allowed by Pod Security" BOTH |c| {
                may(c, &["create"], "", "pods", &[]);
                c.namespaces[0].enforce = Some("privileged".to_owned())
            };
        }
        PodCreate CLUSTER_SET => NODE, {
            "one open namespace" BOTH |c| {
                may_everywhere(c, &["create"], "", "pods", &[]);
                c.namespaces[0].enforce = Some("restricted".to_owned())
            };
            "no open namespace" KUBEHOUND |c| {
                may_everywhere(c, &["create"], "", "pods", &[]);
                c.namespaces.iter_mut().for_each(|namespace| namespace.enforce = Some("restricted".to_owned()))
            };
        }
        PodCreate "permission_set/c/view::view-b" => NODE, {
            "critical by its name" CORRECT |c| grant(c, None, "view", vec![rule(&["create"], &[""], &["pods"], &[])], own());
        }
        PodPatch SET => POD, {
            "pods" BOTH |c| may(c, &["patch"], "", "pods", &[]);
            "update" BOTH |c| may(c, &["update"], "", "pods", &[]);
            "that pod" CORRECT |c| may(c, &["patch"], "", "pods", &["p"]);
            "another pod" NEITHER |c| may(c, &["patch"], "", "pods", &["x"]);
            "its deployment" CORRECT |c| {
                c.pods[0].controllers = vec![("Deployment".to_owned(), "web".to_owned())];
                may(c, &["patch"], "apps", "deployments", &["web"])
            };
            "another deployment" NEITHER |c| {
                c.pods[0].controllers = vec![("Deployment".to_owned(), "web".to_owned())];
                may(c, &["patch"], "apps", "deployments", &["db"])
            };
            "static pod" KUBEHOUND |c| { may(c, &["patch"], "", "pods", &[]); c.pods[0].is_static = true };
            "ephemeral containers" CORRECT |c| may(c, &["patch"], "", "pods/ephemeralcontainers", &[]);
        }
        PodPatch "permission_set/c/b/r::r-b" => POD, {
            "another namespace" NEITHER |c| {
                grant(c, Some("b"), "r", vec![rule(&["patch"], &[""], &["pods"], &[])], own())
            };
        }
        PodPatch CLUSTER_SET => POD, {
            "the entire cluster" BOTH |c| may_everywhere(c, &["patch"], "", "pods", &[]);
        }
        PodExec SET => POD, {
            "create" BOTH |c| may(c, &["create"], "", "pods/exec", &[]);
            "no such wildcard" KUBEHOUND |c| may(c, &["create"], "", "pods/*", &[]);
            "wildcard of subresources" CORRECT |c| may(c, &["create"], "", "*/exec", &[]);
            "get" CORRECT |c| may(c, &["get"], "", "pods/exec", &[]);
            "get on a new cluster" NEITHER |c| { may(c, &["get"], "", "pods/exec", &[]); c.version = Some((1, 35)) };
            "that pod" CORRECT |c| may(c, &["create"], "", "pods/exec", &["p"]);
            "pods alone" NEITHER |c| may(c, &["create"], "", "pods", &[]);
        }
        PodExec CLUSTER_SET => POD, {
            "the entire cluster" BOTH |c| may_everywhere(c, &["create"], "", "pods/exec", &[]);
        }
        TokenBruteforce SET => ACCOUNT, {
            "token secret" BOTH |c| { token_secret(c); may(c, &["get"], "", "secrets", &[]) };
            "no token secret" KUBEHOUND |c| may(c, &["get"], "", "secrets", &[]);
            "that secret" CORRECT |c| { token_secret(c); may(c, &["get"], "", "secrets", &["t"]) };
            "another secret" NEITHER |c| { token_secret(c); may(c, &["get"], "", "secrets", &["x"]) };
            "secrets that cannot be read" BOTH |c| {
                c.unread.insert(Input::Secrets, "denied".to_owned());
                may(c, &["get"], "", "secrets", &[])
            };
            "list" NEITHER |c| { token_secret(c); may(c, &["list"], "", "secrets", &[]) };
        }
        TokenList SET => ACCOUNT, {
            "token secret" BOTH |c| { token_secret(c); may(c, &["list"], "", "secrets", &[]) };
            "watch" CORRECT |c| { token_secret(c); may(c, &["watch"], "", "secrets", &[]) };
            "get" NEITHER |c| { token_secret(c); may(c, &["get"], "", "secrets", &[]) };
        }
        TokenList CLUSTER_SET => ACCOUNT, {
            "the entire cluster" BOTH |c| { token_secret(c); may_everywhere(c, &["list"], "", "secrets", &[]) };
        }
        TokenSteal TOKEN => ACCOUNT, {
            "bound" BOTH |c| bound(c);
            "unbound" CORRECT |c| unchanged(c);
            "no token" KUBEHOUND |c| {
                bound(c);
                c.pods[0].volumes[0].source = Source::Projected { has_token: false }
            };
            "token secret" CORRECT |c| {
                bound(c);
                token_secret(c);
                c.pods[0].volumes[0].source = Source::Secret("t".to_owned())
            };
            "another secret" NEITHER |c| { bound(c); c.pods[0].volumes[0].source = Source::Secret("x".to_owned()) };
        }
        VolumeAccess NODE => VOLUME, {
            "mount" BOTH |c| mount(c, "/data", true);
        }
        VolumeDiscover CONTAINER => VOLUME, {
            "mount" BOTH |c| mount(c, "/data", true);
            "other source" NEITHER |c| { mount(c, "/data", true); c.pods[0].volumes[1].source = Source::Other };
        }
        VolumeDiscover CONTAINER => TOKEN, {
            "token of an unbound account" CORRECT |c| unchanged(c);
        }
        SharePsNamespace CONTAINER => "container/c/a/p/c2", {
            "shared" BOTH |c| { c.pods[0].containers.push(container("c2")); c.pods[0].shares_processes = true };
            "not shared" NEITHER |c| c.pods[0].containers.push(container("c2"));
        }
        RoleBind CLUSTER_SET => "permission_set/c/other::other-b", {
            "cluster role bindings" BOTH |c| {
                other_set(c, None);
                grant(c, None, "r", binder("clusterrolebindings", "clusterroles", &[]), own())
            };
            "role bindings alone" KUBEHOUND |c| {
                other_set(c, None);
                grant(c, None, "r", binder("rolebindings", "clusterroles", &[]), own())
            };
            "that role" CORRECT |c| {
                other_set(c, None);
                grant(c, None, "r", binder("clusterrolebindings", "clusterroles", &["other"]), own())
            };
            "another role" NEITHER |c| {
                other_set(c, None);
                grant(c, None, "r", binder("clusterrolebindings", "clusterroles", &["x"]), own())
            };
            "no bind" NEITHER |c| {
                other_set(c, None);
                grant(c, None, "r", vec![rule(&["create"], &[RBAC], &["clusterrolebindings"], &[])], own())
            };
        }
        RoleBind CLUSTER_SET => CLUSTER_SET, {
            "itself" KUBEHOUND |c| grant(c, None, "r", binder("clusterrolebindings", "clusterroles", &[]), own());
        }
        RoleBind SET => "permission_set/c/a/other::other-b", {
            "same namespace" BOTH |c| {
                other_set(c, Some("a"));
                grant(c, Some("a"), "r", binder("rolebindings", "roles", &[]), own())
            };
            "change of the binding" CORRECT |c| {
                other_set(c, Some("a"));
                let change = rule(&["patch"], &[RBAC], &["rolebindings"], &["other-b"]);
                grant(c, Some("a"), "r", vec![change, rule(&["bind"], &[RBAC], &["roles"], &[])], own())
            };
            "each condition by another rule" KUBEHOUND |c| {
                other_set(c, Some("a"));
                let all = rule(&["create", "bind"], &[""], &["rolebindings", "roles"], &[]);
                grant(c, Some("a"), "r", vec![rule(&["get"], &[RBAC], &["x"], &[]), all], own())
            };
        }
        RoleBind SET => "permission_set/c/b/other::other-b", {
            "other namespace" KUBEHOUND |c| {
                other_set(c, Some("b"));
                grant(c, Some("a"), "r", binder("rolebindings", "roles", &[]), own())
            };
        }
    }
}

fn graph(model: Model, cluster: &Cluster) -> Graph {
    Graph::build(model, std::slice::from_ref(cluster), Kinds::ALL)
}

/// Why there is an edge; `None` if there is none.
fn edge(graph: &Graph, kind: EdgeKind, from: &str, to: &str) -> Option<Arc<Why>> {
    let (from, to) = (graph.find(from)?, graph.find(to)?);
    let mut edges = graph.edges().filter(|edge| edge.fan.kind == kind && edge.from == from && edge.to == to);
    edges.next().map(|edge| edge.fan.why.clone())
}

#[test]
fn each_rule_of_both_models() {
    let mut failures = Vec::new();
    for case in cases() {
        let mut cluster = world();
        (case.change)(&mut cluster);
        let found = |model| edge(&graph(model, &cluster), case.kind, case.from, case.to).is_some();
        let found = (found(Model::Correct), found(Model::Kubehound));
        if found != case.expected {
            failures.push(format!("{}, {}: found {found:?}, expected {:?}", case.kind, case.name, case.expected));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_kind_has_a_case_with_and_one_without_the_edge() {
    for kind in EdgeKind::ALL {
        let of_kind: Vec<Case> = cases().into_iter().filter(|case| case.kind == *kind).collect();
        let only_correct = [EdgeKind::ExploitContainerdSock, EdgeKind::IdentityImpersonate].contains(kind);
        // A node always sees its volumes.
        let is_position = [EdgeKind::VolumeAccess].contains(kind);
        assert!(of_kind.iter().any(|case| case.expected.0), "{kind}");
        assert!(of_kind.iter().any(|case| case.expected.1) != only_correct, "{kind}");
        assert!(is_position || of_kind.iter().any(|case| !case.expected.0), "{kind}");
        assert!(is_position || of_kind.iter().any(|case| !case.expected.1), "{kind}");
    }
}

#[test]
fn a_filter_of_kinds_changes_no_edge_of_the_others() {
    let all_of = |graph: &Graph, kind: EdgeKind| -> BTreeSet<(String, String)> {
        let edges = graph.edges().filter(|edge| edge.fan.kind == kind);
        edges.map(|edge| (graph.vertex(edge.from).key.clone(), graph.vertex(edge.to).key.clone())).collect()
    };
    for case in cases() {
        let mut cluster = world();
        (case.change)(&mut cluster);
        for model in Model::ALL {
            let only = Graph::build(model, std::slice::from_ref(&cluster), [case.kind].into_iter().collect());
            assert!(only.fans().iter().all(|fan| fan.kind == case.kind), "{}: {}", case.kind, case.name);
            assert_eq!(all_of(&only, case.kind), all_of(&graph(model, &cluster), case.kind), "{}", case.name);
        }
    }
}

/// Makes a change; `false` for one that is not a change of an object's field.
fn apply(cluster: &mut Cluster, change: &Change) -> bool {
    let place = |namespace: &Option<String>| namespace.clone();
    match change {
        Change::Container { namespace, pod, container, field } => {
            let mut pods = cluster.pods.iter_mut().filter(|one| one.namespace == *namespace && one.name == *pod);
            let pod = pods.next().expect("the pod exists");
            let found = pod.containers.iter_mut().find(|one| one.name == *container).expect("the container exists");
            match field {
                Field::NotPrivileged => found.privileged = false,
                Field::WithoutCapability(name) => found.added.retain(|added| added != name),
                Field::AppArmor => found.apparmor = Some("RuntimeDefault".to_owned()),
                Field::NonRoot => (found.own_user, found.user) = (Some(1000), Some(1000)),
                Field::WithoutMount(path) => found.mounts.retain(|mount| mount.path != *path),
                Field::ReadOnly(path) => {
                    found
                        .mounts
                        .iter_mut()
                        .filter(|mount| mount.path == *path)
                        .for_each(|mount| mount.read_only = true);
                }
            }
        }
        Change::Pod { namespace, pod, field } => {
            let mut pods = cluster.pods.iter_mut().filter(|one| one.namespace == *namespace && one.name == *pod);
            let pod = pods.next().expect("the pod exists");
            match field {
                PodField::WithoutHostPid => pod.host_pid = false,
                PodField::WithoutSharedProcesses => pod.shares_processes = false,
                PodField::WithoutToken => {
                    pod.automount = Some(false);
                    pod.volumes.retain(|volume| !volume.name.starts_with("kube-api-access-"));
                }
            }
        }
        Change::Rules { namespace, role, rules, .. } => {
            let mut roles =
                cluster.roles.iter_mut().filter(|one| one.namespace == place(namespace) && one.name == *role);
            let role = roles.next().expect("the role exists");
            let mut position = 0;
            role.rules.retain(|_| {
                position += 1;
                !rules.contains(&(position - 1))
            });
        }
        Change::Subject { namespace, binding, subject } => {
            let mut bindings =
                cluster.bindings.iter_mut().filter(|one| one.namespace == place(namespace) && one.name == *binding);
            let binding = bindings.next().expect("the binding exists");
            let before = binding.subjects.len();
            let own_namespace = binding.namespace.clone().unwrap_or_default();
            binding.subjects.retain(|one| {
                let mut one = one.clone();
                if one.kind == "ServiceAccount" && one.namespace.is_empty() {
                    one.namespace.clone_from(&own_namespace);
                }
                crate::objects::subject_text(&one) != *subject
            });
            assert!(binding.subjects.len() < before, "{subject} is in the binding");
        }
        Change::Secret { namespace, name } => {
            cluster.tokens.retain(|token| token.namespace != *namespace || token.name != *name);
        }
        Change::Other(_) => return false,
    }
    true
}

#[test]
fn what_breaks_an_edge_removes_it() {
    let (mut failures, mut applied) = (Vec::new(), BTreeSet::new());
    for case in cases() {
        let mut before = world();
        (case.change)(&mut before);
        for model in Model::ALL {
            // Two fans can have the same edge; each names what removes it.
            let mut cluster = before.clone();
            let mut is_field = true;
            for _ in 0..4 {
                let Some(why) = edge(&graph(model, &cluster), case.kind, case.from, case.to) else { break };
                assert!(!why.breaks.is_empty() && !why.proof.is_empty(), "{}: {}", case.kind, case.name);
                for change in &why.breaks {
                    assert!(!change.to_string().is_empty());
                    is_field &= apply(&mut cluster, change);
                }
            }
            if !is_field {
                continue;
            }
            match edge(&graph(model, &cluster), case.kind, case.from, case.to) {
                None => _ = applied.insert(case.kind),
                Some(why) => {
                    failures.push(format!("{} in {}: {} after {:?}", case.kind, model.name(), case.name, why.breaks));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(applied.len() >= 20, "{applied:?}");
}

#[test]
fn what_is_not_known_is_stated() {
    for (kind, change, expected) in [
        (EdgeKind::CePrivMount, (|c| first(c).privileged = true) as fn(&mut Cluster), "user of the image"),
        (
            EdgeKind::CePrivMount,
            |c| {
                first(c).privileged = true;
                first(c).user = Some(1000);
            },
            "setuid",
        ),
        (
            EdgeKind::PodCreate,
            |c| {
                may(c, &["create"], "", "pods", &[]);
                c.namespaces.clear();
                c.unread.insert(Input::Namespaces, "denied".to_owned());
            },
            "Pod Security admission refuses such a pod (namespaces: denied)",
        ),
        (
            EdgeKind::TokenList,
            |c| {
                may(c, &["list"], "", "secrets", &[]);
                c.unread.insert(Input::Secrets, "denied".to_owned());
            },
            "token secret (secrets: denied)",
        ),
    ] {
        let mut cluster = world();
        change(&mut cluster);
        let graph = graph(Model::Correct, &cluster);
        let fan = graph.fans().iter().find(|fan| fan.kind == kind).expect("the edge exists");
        assert!(fan.why.unread.join("; ").contains(expected), "{kind}: {:?}", fan.why.unread);
    }
}

#[test]
fn manifests_have_aggregated_roles() {
    let mut cluster = world();
    let in_admin = Requirement { key: "to".to_owned(), operator: "In".to_owned(), values: vec!["admin".to_owned()] };
    cluster.roles.push(Role {
        name: "part".to_owned(),
        labels: BTreeMap::from([("to".to_owned(), "admin".to_owned())]),
        rules: vec![rule(&["create"], &[""], &["pods"], &[])],
        ..Role::default()
    });
    grant(&mut cluster, None, "all", vec![], own());
    cluster.roles[1].aggregates = vec![vec![in_admin]];
    let of = |model| edge(&graph(model, &cluster), EdgeKind::PodCreate, "permission_set/c/all::all-b", NODE).is_some();
    assert!(of(Model::Correct) && !of(Model::Kubehound));
}

#[test]
fn critical_nodes() {
    let mut cluster = world();
    cluster.nodes[0].is_control_plane = true;
    grant(&mut cluster, None, "root", vec![rule(&["*"], &["*"], &["*"], &[])], subject("Group", "", "system:masters"));
    grant(&mut cluster, None, "view", vec![], own());
    grant(&mut cluster, None, "system:public-info-viewer", vec![], own());
    let critical = |model| -> Vec<String> {
        let graph = graph(model, &cluster);
        let nodes = graph.vertices().iter().filter(|vertex| vertex.critical.is_some());
        nodes.map(|vertex| vertex.key.clone()).collect()
    };
    let expected = [NODE, "identity/c/Group/system:masters", "permission_set/c/root::root-b"];
    assert_eq!(critical(Model::Correct).into_iter().collect::<BTreeSet<_>>(), expected.map(str::to_owned).into());
    assert_eq!(critical(Model::Kubehound), ["permission_set/c/view::view-b"]);
}

/// A graph of plain edges, all of one kind.
fn plain(nodes: u32, fans: &[(Vec<u32>, Vec<u32>, EdgeKind)]) -> Graph {
    let mut graph = Graph::build(Model::Correct, &[], Kinds::ALL);
    for number in 0..nodes {
        graph.add(crate::graph::Vertex {
            kind: NodeKind::Pod,
            key: format!("pod/{number}"),
            name: number.to_string(),
            namespace: None,
            cluster: Arc::from("c"),
            critical: None,
        });
    }
    for (from, to, kind) in fans {
        let ids = |list: &[u32]| -> Arc<[NodeId]> { list.iter().copied().map(NodeId).collect() };
        graph.connect(*kind, &ids(from), &ids(to), Why::default());
    }
    graph
}

fn numbers(path: &crate::paths::Path) -> Vec<u32> {
    path.steps.first().map(|step| step.from.0).into_iter().chain(path.steps.iter().map(|step| step.to.0)).collect()
}

/// Random numbers, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(end)).expect("it is below a u32")
    }
}

/// All simple paths, found by trying everything.
fn all_paths(edges: &BTreeSet<(u32, u32)>, path: &mut Vec<u32>, to: u32, longest: usize, found: &mut Vec<Vec<u32>>) {
    let last = path[path.len() - 1];
    if last == to {
        found.push(path.clone());
        return;
    }
    if path.len() > longest {
        return;
    }
    for (_, next) in edges.range((last, 0)..(last + 1, 0)) {
        if !path.contains(next) {
            path.push(*next);
            all_paths(edges, path, to, longest, found);
            path.pop();
        }
    }
}

#[test]
fn paths_and_distances_are_those_of_a_slow_search() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..150 {
        let nodes = 3 + dice.below(6);
        let mut fans = Vec::new();
        for _ in 0..=dice.below(8) {
            let list = |dice: &mut Dice| -> Vec<u32> {
                let all: BTreeSet<u32> = (0..=dice.below(3)).map(|_| dice.below(nodes)).collect();
                all.into_iter().collect()
            };
            let (from, to) = (list(&mut dice), list(&mut dice));
            let kinds = [EdgeKind::PodExec, EdgeKind::PodAttach, EdgeKind::EndpointExploit];
            fans.push((from, to, kinds[dice.below(3) as usize]));
        }
        let graph = plain(nodes, &fans);
        let edges: BTreeSet<(u32, u32)> = graph.edges().map(|edge| (edge.from.0, edge.to.0)).collect();
        let cost_of = |from: u32, to: u32| {
            let of_pair = graph.edges().filter(|edge| (edge.from.0, edge.to.0) == (from, to));
            of_pair.map(|edge| edge.fan.kind.cost()).min().expect("an edge")
        };
        let search = graph.search();
        let (start, limits) =
            (NodeId(0), Limits { length: 8, per_pair: 100_000, paths: 1_000_000, ..Limits::default() });
        let reached: BTreeMap<u32, (u32, u32)> =
            search.reach(&[start]).iter().map(|one| (one.node.0, (one.distance, one.cost))).collect();
        for target in 1..nodes {
            let mut expected = Vec::new();
            all_paths(&edges, &mut vec![0], target, 8, &mut expected);
            let found = search.paths(&[start], &[NodeId(target)], limits);
            assert!(found.cut.is_empty());
            let lengths: Vec<usize> = found.paths.iter().map(|path| path.steps.len()).collect();
            assert!(lengths.is_sorted(), "{lengths:?}");
            let cost = |path: &Vec<u32>| path.windows(2).map(|pair| cost_of(pair[0], pair[1])).sum::<u32>();
            assert!(found.paths.iter().all(|path| path.cost == cost(&numbers(path))));
            let found: BTreeSet<Vec<u32>> = found.paths.iter().map(numbers).collect();
            assert_eq!(found, expected.iter().cloned().collect(), "{fans:?} to {target}");
            let shortest = expected.iter().map(|path| u32::try_from(path.len() - 1).expect("short")).min();
            let cheapest = expected.iter().map(cost).min();
            assert_eq!(reached.get(&target).copied(), shortest.zip(cheapest), "{fans:?} to {target}");
        }
    }
}

#[test]
fn limits_of_paths_are_reported() {
    // Three layers of 20 nodes, each connected with all of the next.
    let layer = |number: u32| (1 + number * 20..21 + number * 20).collect::<Vec<u32>>();
    let exec = EdgeKind::PodExec;
    let fans = [
        (vec![0], layer(0), exec),
        (layer(0), layer(1), exec),
        (layer(1), layer(2), exec),
        (layer(2), vec![61], exec),
        // A cycle.
        (layer(2), vec![0], exec),
    ];
    let graph = plain(62, &fans);
    let found = graph.search().paths(&[NodeId(0)], &[NodeId(61)], Limits::default());
    assert_eq!(found.paths.len(), 100);
    assert!(found.paths.iter().all(|path| path.steps.len() == 4 && path.cost == 4));
    assert_eq!(found.cut, ["1 pairs of nodes have more than 100 paths; only the shortest are shown"]);
    let all = Limits { per_pair: 10_000, ..Limits::default() };
    let found = graph.search().paths(&[NodeId(0)], &[NodeId(61)], all);
    assert_eq!((found.paths.len(), found.cut.len()), (8000, 0));
    let little = Limits { work: 500, ..all };
    let found = graph.search().paths(&[NodeId(0)], &[NodeId(61)], little);
    assert!(found.cut[0].starts_with("the search was stopped"), "{:?}", found.cut);
    let few = Limits { paths: 5, ..Limits::default() };
    let found = graph.search().paths(&[NodeId(0)], &[NodeId(61)], few);
    assert_eq!(found.paths.len(), 5);
    assert!(found.cut.iter().any(|cut| cut.starts_with("only 5 paths")), "{:?}", found.cut);
}

/// 1,000 permission sets that each reach 10,000 pods are 10 million edges, but little memory.
#[test]
fn wide_fans_are_stored_once() {
    let mut cluster = world();
    cluster.pods = (0..10_000).map(|number| pod("a", &format!("p{number}"))).collect();
    for number in 0..1_000 {
        let rules = vec![rule(&["create"], &[""], &["pods/exec"], &[])];
        grant(&mut cluster, None, &format!("r{number}"), rules, own());
    }
    let graph = graph(Model::Correct, &cluster);
    let edges: usize = graph.fans().iter().filter(|fan| fan.kind == EdgeKind::PodExec).map(|fan| fan.len()).sum();
    assert_eq!(edges, 10_000_000);
    assert!(graph.bytes() < 150 << 20, "{} MiB", graph.bytes() >> 20);
    let start = graph.find("container/c/a/p7/c1").expect("it exists");
    let reached = graph.search().reach(&[start]);
    // The container, its token and account, the sets, and all pods with their containers, volumes and node.
    assert!(reached.len() > 31_000, "{}", reached.len());
    assert!(reached.iter().all(|one| one.distance <= 6));
}

#[test]
fn a_planted_path_is_found() {
    let mut cluster = world();
    port(&mut cluster);
    slice(&mut cluster);
    may(&mut cluster, &["create"], "", "pods/exec", &[]);
    cluster.pods.push(pod("a", "root"));
    cluster.pods[1].containers[0].privileged = true;
    cluster.pods[1].node = "n2".to_owned();
    cluster.nodes.push(Node { name: "n2".to_owned(), is_control_plane: true });
    let graph = graph(Model::Correct, &cluster);
    let from = graph.nodes_where(|vertex| vertex.kind == NodeKind::Endpoint);
    let to = graph.nodes_where(|vertex| vertex.critical.is_some());
    let found = graph.search().paths(&from, &to, Limits::default());
    let shortest = &found.paths[0];
    let kinds: Vec<&str> = shortest.steps.iter().map(|step| graph.fans()[step.fan].kind.name()).collect();
    assert_eq!(
        kinds,
        ["ENDPOINT_EXPLOIT", "IDENTITY_ASSUME", "PERMISSION_DISCOVER", "POD_EXEC", "CONTAINER_ATTACH", "CE_PRIV_MOUNT"]
    );
    assert_eq!(shortest.steps[5].others, [EdgeKind::CeModuleLoad]);
}
