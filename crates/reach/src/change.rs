//! The smallest change that removes an edge.

use std::fmt;

/// A change of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A change of a container.
    Container {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        pod: String,
        /// Name of the container.
        container: String,
        /// What is changed.
        field: Field,
    },
    /// A change of a pod.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        pod: String,
        /// What is changed.
        field: PodField,
    },
    /// A right is taken from a role.
    Rules {
        /// Namespace of the role; `None` for a cluster role.
        namespace: Option<String>,
        /// Name of the role.
        role: String,
        /// Positions of the rules that give the right, from 0.
        rules: Vec<usize>,
        /// The right.
        right: String,
    },
    /// A subject is taken from a binding.
    Subject {
        /// Namespace of the binding; `None` for a cluster role binding.
        namespace: Option<String>,
        /// Name of the binding.
        binding: String,
        /// The subject.
        subject: String,
    },
    /// A secret is deleted.
    Secret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A change that is not a field of one object.
    Other(String),
}

/// A setting of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// `privileged: false`.
    NotPrivileged,
    /// A capability is not added.
    WithoutCapability(String),
    /// A profile of AppArmor.
    AppArmor,
    /// A user that is not root.
    NonRoot,
    /// The volume at a path is not mounted.
    WithoutMount(String),
    /// The volume at a path is mounted read-only.
    ReadOnly(String),
}

/// A setting of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodField {
    /// `hostPID: false`.
    WithoutHostPid,
    /// `shareProcessNamespace: false`.
    WithoutSharedProcesses,
    /// `automountServiceAccountToken: false`.
    WithoutToken,
}

/// A name with its namespace.
fn placed(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Container { namespace, pod, container, field } => {
                match field {
                    Field::NotPrivileged => write!(f, "set privileged: false"),
                    Field::WithoutCapability(name) => write!(f, "remove the capability {name}"),
                    Field::AppArmor => write!(f, "set appArmorProfile.type: RuntimeDefault"),
                    Field::NonRoot => write!(f, "set runAsUser to a user that is not 0"),
                    Field::WithoutMount(path) => write!(f, "remove the volume mount {path}"),
                    Field::ReadOnly(path) => write!(f, "set readOnly: true for the volume mount {path}"),
                }?;
                write!(f, " in the container {container} of the pod {namespace}/{pod}")
            }
            Change::Pod { namespace, pod, field } => {
                match field {
                    PodField::WithoutHostPid => write!(f, "set hostPID: false"),
                    PodField::WithoutSharedProcesses => write!(f, "set shareProcessNamespace: false"),
                    PodField::WithoutToken => write!(f, "set automountServiceAccountToken: false"),
                }?;
                write!(f, " in the pod {namespace}/{pod}")
            }
            Change::Rules { namespace, role, rules, right } => {
                let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
                let rules: Vec<String> = rules.iter().map(|rule| (rule + 1).to_string()).collect();
                let plural = if rules.len() > 1 { "s" } else { "" };
                let role = placed(namespace.as_deref(), role);
                write!(f, "remove the right to {right} from rule{plural} {} of the {kind} {role}", rules.join(", "))
            }
            Change::Subject { namespace, binding, subject } => {
                let kind = if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
                write!(f, "remove {subject} from the {kind} {}", placed(namespace.as_deref(), binding))
            }
            Change::Secret { namespace, name } => write!(f, "delete the secret {namespace}/{name}"),
            Change::Other(text) => f.write_str(text),
        }
    }
}
