//! Nodes and proofs of the objects of a cluster, for the rules of both models.

use std::sync::Arc;

use crate::change::{Change, Field, PodField};
use crate::graph::{Graph, NodeId, Proof, Vertex, key, sql};
use crate::input::{Binding, Cluster, Container, Mount, Pod, Role, Subject};
use crate::kind::NodeKind;

/// User names of nodes.
pub(crate) const NODE_USER: &str = "system:node:";
/// Group of all nodes.
pub(crate) const NODES: &str = "system:nodes";
/// Members of this group may do everything.
pub(crate) const MASTERS: &str = "system:masters";

/// Kind of a subject.
pub(crate) const USER: &str = "User";
pub(crate) const GROUP: &str = "Group";
pub(crate) const ACCOUNT: &str = "ServiceAccount";

/// A container with its pod and its node in the graph.
pub(crate) type ContainerNode<'a> = (&'a Pod, &'a Container, NodeId);

/// Adds the objects of a cluster to a graph.
pub(crate) struct Objects<'a> {
    pub(crate) graph: &'a mut Graph,
    pub(crate) cluster: &'a Cluster,
}

impl Objects<'_> {
    fn name(&self) -> Arc<str> {
        self.cluster.name.clone()
    }

    fn add(&mut self, kind: NodeKind, key: String, name: &str, namespace: Option<&str>) -> NodeId {
        let cluster = self.name();
        let namespace = namespace.filter(|namespace| !namespace.is_empty()).map(str::to_owned);
        self.graph.add(Vertex { kind, key, name: name.to_owned(), namespace, cluster, critical: None })
    }

    pub(crate) fn node(&mut self, name: &str) -> NodeId {
        self.add(NodeKind::Node, key::node(&self.name(), name), name, None)
    }

    pub(crate) fn pod(&mut self, pod: &Pod) -> NodeId {
        let key = key::pod(&self.name(), &pod.namespace, &pod.name);
        self.add(NodeKind::Pod, key, &pod.name, Some(&*pod.namespace))
    }

    pub(crate) fn container(&mut self, pod: &Pod, container: &Container) -> NodeId {
        let key = key::container(&self.name(), &pod.namespace, &pod.name, &container.name);
        self.add(NodeKind::Container, key, &container.name, Some(&*pod.namespace))
    }

    pub(crate) fn volume(&mut self, pod: &Pod, container: &Container, mount: &Mount) -> NodeId {
        let key = key::volume(&self.name(), &pod.namespace, &pod.name, &container.name, &mount.path);
        self.add(NodeKind::Volume, key, &mount.volume, Some(&*pod.namespace))
    }

    pub(crate) fn identity(&mut self, kind: &str, namespace: &str, name: &str) -> NodeId {
        self.add(NodeKind::Identity, key::identity(&self.name(), kind, namespace, name), name, Some(namespace))
    }

    pub(crate) fn permission_set(&mut self, binding: &Binding, role: &Role) -> NodeId {
        let namespace = binding.namespace.as_deref();
        let key = key::permission_set(&self.name(), namespace, &role.name, &binding.name);
        let name = format!("{}::{}", role.name, binding.name);
        self.add(NodeKind::PermissionSet, key, &name, namespace)
    }

    pub(crate) fn endpoint(&mut self, pod: &Pod, source: &str, protocol: &str, port: u16) -> NodeId {
        let key = key::endpoint(&self.name(), &pod.namespace, source, &pod.name, protocol, port);
        let name = format!("{source}::{protocol}::{port}");
        self.add(NodeKind::Endpoint, key, &name, Some(&*pod.namespace))
    }
}

/// The rows that prove edges of a cluster.
pub(crate) struct Proofs<'a>(pub(crate) &'a str);

impl Proofs<'_> {
    fn row(&self, table: &'static str, columns: &[(&str, Option<&str>)]) -> Proof {
        let cluster = [("cluster", Some(self.0))];
        let columns: Vec<(&str, Option<&str>)> = cluster.iter().chain(columns).copied().collect();
        Proof { table, key: sql::equal(&columns) }
    }

    pub(crate) fn node(&self, name: &str) -> Proof {
        self.row("kubernetes_nodes", &[("name", Some(name))])
    }

    pub(crate) fn namespace(&self, name: &str) -> Proof {
        self.row("kubernetes_namespaces", &[("name", Some(name))])
    }

    pub(crate) fn pod(&self, pod: &Pod) -> Proof {
        self.row("kubernetes_pods", &[("namespace", Some(&*pod.namespace)), ("name", Some(&*pod.name))])
    }

    pub(crate) fn container(&self, pod: &Pod, container: &Container) -> Proof {
        let columns =
            [("namespace", Some(&*pod.namespace)), ("pod_name", Some(&*pod.name)), ("name", Some(&*container.name))];
        self.row("kubernetes_pod_containers", &columns)
    }

    pub(crate) fn volume(&self, pod: &Pod, volume: &str) -> Proof {
        let columns = [("namespace", Some(&*pod.namespace)), ("pod_name", Some(&*pod.name)), ("name", Some(volume))];
        self.row("kubernetes_pod_volumes", &columns)
    }

    pub(crate) fn account(&self, namespace: &str, name: &str) -> Proof {
        self.row("kubernetes_service_accounts", &[("namespace", Some(namespace)), ("name", Some(name))])
    }

    pub(crate) fn secret(&self, namespace: &str, name: &str) -> Proof {
        self.row("kubernetes_secrets", &[("namespace", Some(namespace)), ("name", Some(name))])
    }

    pub(crate) fn slice(&self, namespace: &str, name: &str) -> Proof {
        self.row("kubernetes_endpointslices", &[("namespace", Some(namespace)), ("name", Some(name))])
    }

    pub(crate) fn role(&self, role: &Role) -> Proof {
        match role.namespace.as_deref() {
            Some(namespace) => {
                let columns = [("namespace", Some(namespace)), ("name", Some(&*role.name))];
                self.row("kubernetes_role_policy_rules", &columns)
            }
            None => self.row("kubernetes_cluster_role_policy_rules", &[("name", Some(&*role.name))]),
        }
    }

    pub(crate) fn subject(&self, binding: &Binding, subject: &Subject) -> Proof {
        let of_account = (!subject.namespace.is_empty()).then_some(&*subject.namespace);
        let of_subject = [
            ("name", Some(&*binding.name)),
            ("subject_kind", Some(&*subject.kind)),
            ("subject_name", Some(&*subject.name)),
            ("subject_namespace", of_account),
        ];
        match binding.namespace.as_deref() {
            Some(namespace) => {
                let columns: Vec<_> = [("namespace", Some(namespace))].into_iter().chain(of_subject).collect();
                self.row("kubernetes_role_binding_subjects", &columns)
            }
            None => self.row("kubernetes_cluster_role_binding_subjects", &of_subject),
        }
    }
}

/// The role of a binding among roles that [`by_name`] has ordered.
pub(crate) fn role_of<'a>(binding: &'a Binding, roles: &RolesByName<'a>) -> Option<&'a Role> {
    let namespace = match binding.role_kind.as_str() {
        // A cluster role binding cannot grant a role of a namespace.
        "Role" => Some(binding.namespace.as_deref()?),
        _ => None,
    };
    roles.get(&(namespace, binding.role.as_str())).copied()
}

/// Roles by namespace and name.
pub(crate) type RolesByName<'a> = std::collections::HashMap<(Option<&'a str>, &'a str), &'a Role>;

pub(crate) fn by_name(roles: &[Role]) -> RolesByName<'_> {
    roles.iter().map(|role| ((role.namespace.as_deref(), role.name.as_str()), role)).collect()
}

/// The subjects of a binding, each with its namespace: a service account without one is in that of the role binding.
pub(crate) fn subjects(binding: &Binding) -> impl Iterator<Item = Subject> + '_ {
    binding.subjects.iter().map(|subject| {
        let mut subject = subject.clone();
        if subject.kind == ACCOUNT && subject.namespace.is_empty() {
            subject.namespace = binding.namespace.clone().unwrap_or_default();
        }
        subject
    })
}

/// The change of a container.
pub(crate) fn of_container(pod: &Pod, container: &Container, field: Field) -> Change {
    Change::Container {
        namespace: pod.namespace.clone(),
        pod: pod.name.clone(),
        container: container.name.clone(),
        field,
    }
}

/// The change of a pod.
pub(crate) fn of_pod(pod: &Pod, field: PodField) -> Change {
    Change::Pod { namespace: pod.namespace.clone(), pod: pod.name.clone(), field }
}

/// The change of a role that removes a right.
pub(crate) fn of_role(role: &Role, rules: Vec<usize>, right: &str) -> Change {
    Change::Rules { namespace: role.namespace.clone(), role: role.name.clone(), rules, right: right.to_owned() }
}

/// The change of a binding that removes a subject.
pub(crate) fn of_binding(binding: &Binding, subject: &Subject) -> Change {
    Change::Subject {
        namespace: binding.namespace.clone(),
        binding: binding.name.clone(),
        subject: subject_text(subject),
    }
}

/// A subject in words.
pub(crate) fn subject_text(subject: &Subject) -> String {
    match subject.namespace.as_str() {
        "" => format!("{} {}", subject.kind, subject.name),
        namespace => format!("{} {namespace}/{}", subject.kind, subject.name),
    }
}

/// A binding in words.
pub(crate) fn binding_text(binding: &Binding) -> String {
    match &binding.namespace {
        Some(namespace) => format!("the RoleBinding {namespace}/{}", binding.name),
        None => format!("the ClusterRoleBinding {}", binding.name),
    }
}

/// A role in words, with the positions of some of its rules, from 1.
pub(crate) fn rules_text(role: &Role, rules: &[usize]) -> String {
    let positions: Vec<String> = rules.iter().map(|rule| (rule + 1).to_string()).collect();
    let plural = if positions.len() > 1 { "s" } else { "" };
    let role = match &role.namespace {
        Some(namespace) => format!("the Role {namespace}/{}", role.name),
        None => format!("the ClusterRole {}", role.name),
    };
    format!("rule{plural} {} of {role}", positions.join(", "))
}
