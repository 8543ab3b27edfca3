//! The objects of a cluster, as far as the rules need them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A list of objects that the graph is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Input {
    /// Bindings of the entire cluster.
    ClusterRoleBindings,
    /// Cluster roles.
    ClusterRoles,
    /// Containers of pods.
    Containers,
    /// Endpoint slices.
    EndpointSlices,
    /// Namespaces.
    Namespaces,
    /// Nodes.
    Nodes,
    /// Pods.
    Pods,
    /// Role bindings.
    RoleBindings,
    /// Roles.
    Roles,
    /// Token secrets.
    Secrets,
    /// Service accounts.
    ServiceAccounts,
    /// The version of the API server.
    Version,
    /// Volumes of pods.
    Volumes,
}

impl Input {
    /// What it is, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Input::ClusterRoleBindings => "cluster role bindings",
            Input::ClusterRoles => "cluster roles",
            Input::Containers => "containers",
            Input::EndpointSlices => "endpoint slices",
            Input::Namespaces => "namespaces",
            Input::Nodes => "nodes",
            Input::Pods => "pods",
            Input::RoleBindings => "role bindings",
            Input::Roles => "roles",
            Input::Secrets => "secrets",
            Input::ServiceAccounts => "service accounts",
            Input::Version => "the version of the API server",
            Input::Volumes => "volumes",
        }
    }
}

/// A cluster, or a set of manifests.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// Its name, as in the column `cluster` of the tables.
    pub name: Arc<str>,
    /// Whether it is a set of manifests, in which no controller has added anything.
    pub is_manifests: bool,
    /// Version of the API server: major and minor.
    pub version: Option<(u32, u32)>,
    /// Its nodes.
    pub nodes: Vec<Node>,
    /// Its namespaces.
    pub namespaces: Vec<Namespace>,
    /// Its pods.
    pub pods: Vec<Pod>,
    /// Its service accounts.
    pub accounts: Vec<Account>,
    /// Its roles and cluster roles.
    pub roles: Vec<Role>,
    /// Its role bindings and cluster role bindings.
    pub bindings: Vec<Binding>,
    /// The ports of its endpoint slices.
    pub endpoints: Vec<Endpoint>,
    /// Secrets with tokens of service accounts.
    pub tokens: Vec<TokenSecret>,
    /// What could not be read, and why.
    pub unread: BTreeMap<Input, String>,
}

/// A node.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it runs the control plane.
    pub is_control_plane: bool,
}

/// A namespace.
#[derive(Debug, Clone, Default)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// The Pod Security Standard that it enforces: the label `pod-security.kubernetes.io/enforce`.
    pub enforce: Option<String>,
}

/// A pod.
#[derive(Debug, Clone, Default)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// UID at its kubelet, which names its directory on the node.
    pub kubelet_uid: String,
    /// Its node; empty until it is scheduled.
    pub node: String,
    /// Its phase; empty for manifests.
    pub phase: String,
    /// Its service account; empty for static pods.
    pub account: String,
    /// Its own setting of `automountServiceAccountToken`.
    pub automount: Option<bool>,
    /// Whether it uses the node's process namespace.
    pub host_pid: bool,
    /// Whether its containers share a process namespace.
    pub shares_processes: bool,
    /// Whether its kubelet made it from a file, so that the API cannot change it.
    pub is_static: bool,
    /// Kind and name of its controller and of that one's controller.
    pub controllers: Vec<(String, String)>,
    /// Its containers.
    pub containers: Vec<Container>,
    /// Its volumes.
    pub volumes: Vec<Volume>,
}

/// What a container is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ContainerKind {
    /// It runs as long as the pod.
    #[default]
    Regular,
    /// It runs before the regular ones, or next to them.
    Init,
    /// It was added to a running pod.
    Ephemeral,
}

/// A container of a pod.
#[derive(Debug, Clone, Default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: ContainerKind,
    /// Whether it runs now.
    pub is_running: bool,
    /// Whether it is privileged.
    pub privileged: bool,
    /// Added capabilities.
    pub added: Vec<String>,
    /// Dropped capabilities.
    pub dropped: Vec<String>,
    /// Its own user ID, without that of the pod.
    pub own_user: Option<i64>,
    /// The user ID that it runs with; `None` for the image's user.
    pub user: Option<i64>,
    /// Whether the kubelet refuses to start it as root.
    pub non_root: bool,
    /// Whether its processes can gain privileges; `None` means yes.
    pub escalates: Option<bool>,
    /// Type of its AppArmor profile.
    pub apparmor: Option<String>,
    /// Its mounts.
    pub mounts: Vec<Mount>,
    /// Its declared ports.
    pub ports: Vec<Port>,
}

/// A volume that is mounted in a container.
#[derive(Debug, Clone, Default)]
pub struct Mount {
    /// Name of the volume.
    pub volume: String,
    /// Path in the container.
    pub path: String,
    /// The part of the volume that is mounted; empty for all of it.
    pub sub_path: String,
    /// Whether it is read-only.
    pub read_only: bool,
}

/// A port that a container declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The port of the node that leads to it.
    pub host: Option<u16>,
}

/// A volume of a pod.
#[derive(Debug, Clone, Default)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its source.
    pub source: Source,
}

/// The source of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// A path of the node.
    HostPath(String),
    /// Several sources.
    Projected {
        /// Whether one of them is a token of the pod's service account.
        has_token: bool,
    },
    /// A secret.
    Secret(String),
    /// Any other source.
    #[default]
    Other,
}

/// A service account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its setting of `automountServiceAccountToken`.
    pub automount: Option<bool>,
}

/// A role or cluster role.
#[derive(Debug, Clone, Default)]
pub struct Role {
    /// Its namespace; `None` for a cluster role.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Selectors of the cluster roles whose rules it gets. Used only if it has no rules: a controller of the cluster writes them.
    pub aggregates: Vec<Selector>,
}

/// A rule of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its verbs.
    pub verbs: Vec<String>,
    /// Its API groups; the core group is the empty text.
    pub groups: Vec<String>,
    /// Its resources.
    pub resources: Vec<String>,
    /// The names that it is limited to; empty for all.
    pub names: Vec<String>,
}

/// A label selector: all requirements must hold.
pub type Selector = Vec<Requirement>;

/// A requirement of a label selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// The values.
    pub values: Vec<String>,
}

/// A role binding or cluster role binding.
#[derive(Debug, Clone, Default)]
pub struct Binding {
    /// Its namespace; `None` for a cluster role binding.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Kind of its role: `Role` or `ClusterRole`.
    pub role_kind: String,
    /// Name of its role.
    pub role: String,
    /// Its subjects.
    pub subjects: Vec<Subject>,
}

/// A subject of a binding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: String,
    /// Namespace of a service account; empty for users and groups.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// One port of one endpoint of an endpoint slice.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// Namespace of the slice.
    pub namespace: String,
    /// Name of the slice.
    pub slice: String,
    /// The pod that the endpoint is.
    pub pod: String,
    /// Number of the port.
    pub port: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

/// A secret with a token of a service account.
#[derive(Debug, Clone, Default)]
pub struct TokenSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The service account.
    pub account: String,
}
