//! Kinds of nodes and edges, and the two models.

use std::fmt;

/// Which rules decide whether there is an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Model {
    /// The rules of Kubernetes.
    Correct,
    /// The rules of KubeHound, with their known mistakes.
    Kubehound,
}

impl Model {
    /// Both models.
    pub const ALL: [Model; 2] = [Model::Correct, Model::Kubehound];

    /// Its name in the column `model`.
    pub fn name(self) -> &'static str {
        match self {
            Model::Correct => "correct",
            Model::Kubehound => "kubehound",
        }
    }
}

/// Kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeKind {
    /// A node of the cluster.
    Node,
    /// A pod.
    Pod,
    /// A container.
    Container,
    /// A volume mount of a container.
    Volume,
    /// A user, group or service account.
    Identity,
    /// A role as one binding grants it.
    PermissionSet,
    /// A port on which a container can be reached.
    Endpoint,
}

impl NodeKind {
    /// All kinds.
    pub const ALL: [NodeKind; 7] = [
        NodeKind::Node,
        NodeKind::Pod,
        NodeKind::Container,
        NodeKind::Volume,
        NodeKind::Identity,
        NodeKind::PermissionSet,
        NodeKind::Endpoint,
    ];

    /// Its name, as KubeHound has it.
    pub fn name(self) -> &'static str {
        match self {
            NodeKind::Node => "Node",
            NodeKind::Pod => "Pod",
            NodeKind::Container => "Container",
            NodeKind::Volume => "Volume",
            NodeKind::Identity => "Identity",
            NodeKind::PermissionSet => "PermissionSet",
            NodeKind::Endpoint => "Endpoint",
        }
    }

    /// The kind of a name; upper and lower case are the same.
    pub fn of(name: &str) -> Option<Self> {
        NodeKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

macro_rules! edge_kinds {
    ($($(#[doc = $doc:literal])* $kind:ident $name:literal $technique:expr, $cost:literal;)*) => {
        /// Kind of an edge.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EdgeKind {
            $($(#[doc = $doc])* $kind,)*
        }

        impl EdgeKind {
            /// All kinds, in the order of their names.
            pub const ALL: &'static [EdgeKind] = &[$(EdgeKind::$kind,)*];

            /// Its name, as KubeHound has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(EdgeKind::$kind => $name,)*
                }
            }

            /// ID of the technique in MITRE ATT&CK.
            pub fn technique(self) -> Option<&'static str> {
                match self {
                    $(EdgeKind::$kind => $technique,)*
                }
            }

            /// The effort of the step: 0 if it is only a position, 1 for one request or command, 2 if it needs
            /// preparation or is easily seen, 5 if it needs luck or a vulnerability.
            pub fn cost(self) -> u32 {
                match self {
                    $(EdgeKind::$kind => $cost,)*
                }
            }
        }
    };
}

edge_kinds! {
    /// Loads a kernel module.
    CeModuleLoad "CE_MODULE_LOAD" Some("T1611"), 2;
    /// Enters the namespaces of the node.
    CeNsenter "CE_NSENTER" Some("T1611"), 1;
    /// Mounts a disk of the node.
    CePrivMount "CE_PRIV_MOUNT" Some("T1611"), 1;
    /// Injects code into a process of the node.
    CeSysPtrace "CE_SYS_PTRACE" Some("T1611"), 2;
    /// Sets the program that the kernel runs for core dumps.
    CeUmhCorePattern "CE_UMH_CORE_PATTERN" Some("T1611"), 2;
    /// Reads files of the node through a link in its log directory.
    CeVarLogSymlink "CE_VAR_LOG_SYMLINK" Some("T1611"), 2;
    /// A pod has a container.
    ContainerAttach "CONTAINER_ATTACH" None, 0;
    /// Exploits what listens on a port.
    EndpointExploit "ENDPOINT_EXPLOIT" Some("T1210"), 5;
    /// Controls the container runtime through its socket.
    ExploitContainerdSock "EXPLOIT_CONTAINERD_SOCK" Some("T1611"), 1;
    /// Reads credentials of the node from a mount.
    ExploitHostRead "EXPLOIT_HOST_READ" Some("T1611"), 1;
    /// Finds tokens of other pods in the kubelet's directory.
    ExploitHostTraverse "EXPLOIT_HOST_TRAVERSE" Some("T1552"), 1;
    /// Writes to files of the node through a mount.
    ExploitHostWrite "EXPLOIT_HOST_WRITE" Some("T1611"), 1;
    /// Uses credentials that the place holds.
    IdentityAssume "IDENTITY_ASSUME" Some("T1078"), 1;
    /// Acts as another user, group or service account.
    IdentityImpersonate "IDENTITY_IMPERSONATE" Some("T1078"), 1;
    /// An identity has a permission set.
    PermissionDiscover "PERMISSION_DISCOVER" Some("T1069"), 0;
    /// A node runs a pod.
    PodAttach "POD_ATTACH" None, 0;
    /// Creates a pod that controls its node.
    PodCreate "POD_CREATE" Some("T1610"), 1;
    /// Runs a command in a pod.
    PodExec "POD_EXEC" Some("T1609"), 1;
    /// Changes what runs in a pod.
    PodPatch "POD_PATCH" Some("T1610"), 2;
    /// Binds a role.
    RoleBind "ROLE_BIND" Some("T1078"), 1;
    /// Reaches a container that shares the process namespace.
    SharePsNamespace "SHARE_PS_NAMESPACE" None, 1;
    /// Reads a token secret whose name is guessed.
    TokenBruteforce "TOKEN_BRUTEFORCE" Some("T1528"), 5;
    /// Lists token secrets.
    TokenList "TOKEN_LIST" Some("T1528"), 1;
    /// Takes a token out of a volume.
    TokenSteal "TOKEN_STEAL" Some("T1552"), 1;
    /// A node reads the volumes of its pods.
    VolumeAccess "VOLUME_ACCESS" Some("T1613"), 0;
    /// A container reads its volumes.
    VolumeDiscover "VOLUME_DISCOVER" Some("T1613"), 0;
}

impl EdgeKind {
    /// The kind of a name.
    pub fn of(name: &str) -> Option<Self> {
        EdgeKind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for EdgeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of kinds of edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u64);

impl Kinds {
    /// All kinds.
    pub const ALL: Kinds = Kinds(u64::MAX);
    /// No kind.
    pub const NONE: Kinds = Kinds(0);

    /// Whether a kind is in the set.
    pub fn has(self, kind: EdgeKind) -> bool {
        self.0 & (1 << (kind as u64)) != 0
    }

    /// Whether one of some kinds is in the set.
    pub fn has_any(self, kinds: &[EdgeKind]) -> bool {
        kinds.iter().any(|kind| self.has(*kind))
    }
}

impl FromIterator<EdgeKind> for Kinds {
    fn from_iter<I: IntoIterator<Item = EdgeKind>>(kinds: I) -> Self {
        Kinds(kinds.into_iter().fold(0, |set, kind| set | 1 << (kind as u64)))
    }
}
