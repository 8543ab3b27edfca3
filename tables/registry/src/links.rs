//! How rows of different tables belong together: which columns hold which kind of entity.
//!
//! Two columns of the same kind are a join: `kubernetes_pods.uid` and `kubernetes_pod_containers.pod_uid` hold pods.
//! `timeline` follows these joins from table to table. A column that is not listed here is never followed.

/// A kind of entity: a thing that rows of several tables are about.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name in [`MENTIONS`].
    pub name: &'static str,
    /// The prefix with which users write it: `pod` in `pod:shop/web-1`. Several kinds can share one.
    pub prefix: &'static str,
    /// The number of its values: 3 for cluster, namespace and name.
    pub values: usize,
    /// Whether a text without a prefix has the form of such an entity.
    pub has_form: fn(&str) -> bool,
}

/// How the rows of a table relate to an entity that they name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The row is the entity. Followed both ways.
    Is,
    /// The row is a part of the entity, such as a container of a pod. Followed both ways.
    PartOf,
    /// The row uses the entity, as many others may: a pod its node. Followed from the row to the entity. Followed
    /// from the entity to the rows only if the entity is where the timeline starts.
    Uses,
    /// The row reports something about the entity: an event, an API call. Followed from the entity to the rows only.
    About,
    /// The row belongs to the entity, as rows of many kinds do: a process to its user. Followed from the entity to
    /// the rows only, and only if the entity is where the timeline starts.
    OwnedBy,
}

use Relation::{About, Is, OwnedBy, PartOf, Uses};

/// Columns of a table that hold an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mention {
    /// The kind of the entity.
    pub kind: &'static str,
    /// The table.
    pub table: &'static str,
    /// How its rows relate to the entity.
    pub relation: Relation,
    /// SQL expressions over the table's columns, and over `writer`, the host that recorded the row: the entity's
    /// values, in the order of the kind. `NULL` is a value that the row does not have.
    pub columns: &'static [&'static str],
    /// A condition on the rows; empty for all.
    pub when: &'static str,
}

const fn kind(name: &'static str, prefix: &'static str, values: usize, has_form: fn(&str) -> bool) -> Kind {
    Kind { name, prefix, values, has_form }
}

/// The kinds of entities.
pub const KINDS: &[Kind] = &[
    kind("pod", "pod", 1, is_uuid),
    kind("kubelet_pod", "pod", 1, is_uuid),
    kind("pod_name", "pod", 3, is_namespaced),
    kind("workload", "workload", 1, is_uuid),
    kind("service_account", "service_account", 3, is_namespaced),
    kind("api_user", "user", 1, is_api_user),
    kind("cluster_role", "role", 2, never),
    kind("namespaced_role", "role", 3, never),
    kind("node", "node", 2, never),
    kind("container", "container", 1, is_container),
    kind("process", "process", 2, is_number),
    kind("instance", "instance", 1, is_instance),
    kind("instance_profile", "instance_profile", 1, |text| is_arn_of(text, ":instance-profile/")),
    kind("aws_role", "role", 1, |text| is_arn_of(text, ":role/")),
    kind("aws_user", "user", 1, |text| is_arn_of(text, ":user/")),
    kind("aws_user_name", "user", 1, is_word),
    kind("user", "user", 2, is_number),
    kind("user_name", "user", 2, is_word),
    kind("image", "image", 1, is_digest),
    kind("commit", "commit", 1, is_commit),
];

const fn mention(
    kind: &'static str,
    table: &'static str,
    relation: Relation,
    columns: &'static [&'static str],
) -> Mention {
    Mention { kind, table, relation, columns, when: "" }
}

impl Mention {
    const fn when(self, condition: &'static str) -> Mention {
        Mention { when: condition, ..self }
    }
}

/// The label with which builders of images name the commit.
const REVISION: &str = "annotations['org.opencontainers.image.revision']";

const ACCOUNT: &[&str] = &["cluster", "namespace", "service_account_name"];
const OBJECT: &[&str] = &["cluster", "namespace", "name"];
const SUBJECT: &[&str] = &["cluster", "subject_namespace", "subject_name"];
const OF_ACCOUNTS: &str = "subject_kind = 'ServiceAccount'";

/// The columns that hold entities, over all environments.
pub const MENTIONS: &[Mention] = &[
    // Pods, with what is in them and what they use.
    mention("pod", "kubernetes_pods", Is, &["uid"]),
    mention("kubelet_pod", "kubernetes_pods", Is, &["kubelet_uid"]),
    mention("pod_name", "kubernetes_pods", Is, OBJECT),
    mention("workload", "kubernetes_pods", Uses, &["owner_uid"]),
    mention("service_account", "kubernetes_pods", Uses, ACCOUNT),
    mention("node", "kubernetes_pods", Uses, &["cluster", "node_name"]),
    mention("commit", "kubernetes_pods", Uses, &[REVISION]),
    mention("pod", "kubernetes_pod_containers", PartOf, &["pod_uid"]),
    mention("container", "kubernetes_pod_containers", Is, &["container_id"]),
    mention("image", "kubernetes_pod_containers", Uses, &["image_digest"]),
    mention("pod", "kubernetes_events", About, &["regarding_uid"]),
    mention("workload", "kubernetes_events", About, &["regarding_uid"]),
    mention("node", "kubernetes_events", About, &["cluster", "regarding_name"]).when("regarding_kind = 'Node'"),
    mention("workload", "kubernetes_deployments", Is, &["uid"]),
    mention("workload", "kubernetes_replica_sets", Is, &["uid"]),
    mention("workload", "kubernetes_replica_sets", Uses, &["owner_uid"]),
    mention("workload", "kubernetes_stateful_sets", Is, &["uid"]),
    mention("workload", "kubernetes_daemon_sets", Is, &["uid"]),
    mention("workload", "kubernetes_jobs", Is, &["uid"]),
    mention("workload", "kubernetes_jobs", Uses, &["owner_uid"]),
    mention("workload", "kubernetes_cron_jobs", Is, &["uid"]),
    // Permissions in a cluster.
    mention("service_account", "kubernetes_service_accounts", Is, OBJECT),
    mention("aws_role", "kubernetes_service_accounts", Uses, &["aws_role_arn"]),
    mention("service_account", "kubernetes_cluster_role_binding_subjects", PartOf, SUBJECT).when(OF_ACCOUNTS),
    mention("api_user", "kubernetes_cluster_role_binding_subjects", PartOf, &["subject_name"])
        .when("subject_kind = 'User'"),
    mention("cluster_role", "kubernetes_cluster_role_binding_subjects", Uses, &["cluster", "role_name"]),
    mention("service_account", "kubernetes_role_binding_subjects", PartOf, SUBJECT).when(OF_ACCOUNTS),
    mention("api_user", "kubernetes_role_binding_subjects", PartOf, &["subject_name"]).when("subject_kind = 'User'"),
    mention("cluster_role", "kubernetes_role_binding_subjects", Uses, &["cluster", "role_name"])
        .when("role_kind = 'ClusterRole'"),
    mention("namespaced_role", "kubernetes_role_binding_subjects", Uses, &["cluster", "namespace", "role_name"])
        .when("role_kind = 'Role'"),
    mention("cluster_role", "kubernetes_cluster_role_policy_rules", Is, &["cluster", "name"]),
    mention("namespaced_role", "kubernetes_role_policy_rules", Is, OBJECT),
    // Calls of the API server.
    mention("api_user", "kubernetes_audit_events", About, &["username"]),
    mention(
        "service_account",
        "kubernetes_audit_events",
        About,
        &[
            // An audit log does not name its cluster.
            "NULL",
            "split_part(username, ':', 3)",
            "split_part(username, ':', 4)",
        ],
    )
    .when("username LIKE 'system:serviceaccount:%'"),
    mention("pod_name", "kubernetes_audit_events", About, &["NULL", "namespace", "name"]).when("resource = 'pods'"),
    mention("node", "kubernetes_audit_events", About, &["NULL", "name"])
        .when("resource = 'nodes' AND verb IN ('create', 'update', 'patch', 'delete') AND subresource IS NULL"),
    mention("cluster_role", "kubernetes_audit_events", About, &["NULL", "name"])
        .when("resource = 'clusterroles' AND verb IN ('create', 'update', 'patch', 'delete')"),
    mention("namespaced_role", "kubernetes_audit_events", About, &["NULL", "namespace", "name"])
        .when("resource = 'roles' AND verb IN ('create', 'update', 'patch', 'delete')"),
    // Nodes and the machines under them.
    mention("node", "kubernetes_nodes", Is, &["cluster", "name"]),
    mention("instance", "kubernetes_nodes", Is, &["instance_id"]),
    mention("instance", "aws_ec2_instance", Is, &["instance_id"]),
    mention("instance_profile", "aws_ec2_instance", Uses, &["iam_instance_profile_arn"]),
    mention("instance_profile", "aws_iam_instance_profile", Is, &["arn"]),
    mention("aws_role", "aws_iam_instance_profile", Uses, &["role_arn"]),
    mention("aws_role", "aws_iam_role", Is, &["arn"]),
    mention("aws_user", "aws_iam_user", Is, &["arn"]),
    mention("aws_user_name", "aws_iam_user", Is, &["name"]),
    // Containers and processes of a machine.
    mention("container", "containers", Is, &["id"]),
    mention("kubelet_pod", "containers", PartOf, &["pod_uid"]),
    mention("image", "containers", Uses, &["image_digest"]),
    mention("commit", "containers", Uses, &["image_revision"]),
    mention("container", "docker_containers", Is, &["id"]),
    mention("container", "container_processes", PartOf, &["container_id"]),
    mention("kubelet_pod", "container_processes", PartOf, &["pod_uid"]),
    mention("process", "container_processes", Is, &["writer", "pid"]),
    mention("process", "processes", Is, &["writer", "pid"]),
    mention("process", "processes", Uses, &["writer", "parent"]),
    mention("user", "processes", OwnedBy, &["writer", "uid"]),
    mention("process", "process_open_sockets", About, &["writer", "pid"]),
    mention("process", "logged_in_users", Uses, &["writer", "pid"]),
    mention("user_name", "logged_in_users", PartOf, &["writer", "user"]),
    mention("user", "users", Is, &["writer", "uid"]),
    mention("user_name", "users", Is, &["writer", "username"]),
    mention("user", "user_ssh_keys", PartOf, &["writer", "uid"]),
    mention("user", "authorized_keys", PartOf, &["writer", "uid"]),
    // Commits.
    mention("commit", "git_commits", Is, &["hash"]),
];

/// What a change of a table's rows is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// An object was added, modified or removed.
    Object,
    /// Something started, at the time in this column if it is not empty, and ended when its row was removed.
    Life(&'static str),
    /// Something happened at the time in this column.
    Event(&'static str),
    /// Somebody called an API at the time in this column.
    Call(&'static str),
}

/// A table that mentions entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linked {
    /// Its name.
    pub table: &'static str,
    /// What its changes are.
    pub change: Change,
    /// The columns that name a row to people.
    pub names: &'static [&'static str],
    /// Further columns to show when a row appears or disappears.
    pub facts: &'static [&'static str],
}

const fn linked(
    table: &'static str,
    change: Change,
    names: &'static [&'static str],
    facts: &'static [&'static str],
) -> Linked {
    Linked { table, change, names, facts }
}

const NAMESPACED: &[&str] = &["namespace", "name"];

/// The tables that mention entities.
pub const LINKED: &[Linked] = &[
    linked("kubernetes_pods", Change::Object, NAMESPACED, &["phase", "node_name", "service_account_name", "pod_ip"]),
    linked(
        "kubernetes_pod_containers",
        Change::Object,
        &["namespace", "pod_name", "name"],
        &["image", "container_id", "status", "privileged"],
    ),
    linked(
        "kubernetes_events",
        Change::Event("time"),
        &["regarding_kind", "regarding_namespace", "regarding_name"],
        &["type", "reason", "note", "reporting_controller", "count"],
    ),
    linked("kubernetes_deployments", Change::Object, NAMESPACED, &[]),
    linked("kubernetes_replica_sets", Change::Object, NAMESPACED, &["owner_name"]),
    linked("kubernetes_stateful_sets", Change::Object, NAMESPACED, &[]),
    linked("kubernetes_daemon_sets", Change::Object, NAMESPACED, &[]),
    linked("kubernetes_jobs", Change::Object, NAMESPACED, &["owner_name"]),
    linked("kubernetes_cron_jobs", Change::Object, NAMESPACED, &[]),
    linked("kubernetes_service_accounts", Change::Object, NAMESPACED, &["aws_role_arn"]),
    linked(
        "kubernetes_cluster_role_binding_subjects",
        Change::Object,
        &["name"],
        &["subject_kind", "subject_namespace", "subject_name", "role_kind", "role_name"],
    ),
    linked(
        "kubernetes_role_binding_subjects",
        Change::Object,
        NAMESPACED,
        &["subject_kind", "subject_namespace", "subject_name", "role_kind", "role_name"],
    ),
    linked(
        "kubernetes_cluster_role_policy_rules",
        Change::Object,
        &["name"],
        &["verbs", "api_groups", "resources", "resource_names", "non_resource_urls"],
    ),
    linked(
        "kubernetes_role_policy_rules",
        Change::Object,
        NAMESPACED,
        &["verbs", "api_groups", "resources", "resource_names"],
    ),
    linked(
        "kubernetes_audit_events",
        Change::Call("request_received_timestamp"),
        &["username", "verb", "resource", "subresource", "namespace", "name"],
        &["response_code", "source_ips", "user_agent"],
    ),
    linked("kubernetes_nodes", Change::Object, &["name"], &["ready", "unschedulable", "instance_id"]),
    linked(
        "aws_ec2_instance",
        Change::Object,
        &["title", "instance_id"],
        &["instance_state", "iam_instance_profile_arn", "private_ip_address", "public_ip_address"],
    ),
    linked("aws_iam_instance_profile", Change::Object, &["instance_profile_name"], &["role_arn"]),
    linked("aws_iam_role", Change::Object, &["name"], &["arn", "attached_policy_arns"]),
    linked("aws_iam_user", Change::Object, &["name"], &["arn", "attached_policy_arns"]),
    linked(
        "containers",
        Change::Life("last_started"),
        &["pod_namespace", "pod_name", "name"],
        &["id", "image", "state", "is_privileged"],
    ),
    linked("docker_containers", Change::Life(""), &["name"], &["id", "image", "state"]),
    linked("container_processes", Change::Object, &["pid"], &["container_id"]),
    linked("processes", Change::Life("started_at"), &["pid", "name"], &["cmdline", "path", "uid", "parent"]),
    linked(
        "process_open_sockets",
        Change::Object,
        &["pid"],
        &["protocol", "local_address", "local_port", "remote_address", "remote_port", "state"],
    ),
    linked("logged_in_users", Change::Life(""), &["user"], &["type", "tty", "host", "pid"]),
    linked("users", Change::Object, &["username"], &["uid", "gid", "directory", "shell"]),
    linked("user_ssh_keys", Change::Object, &["path"], &["uid", "key_type", "fingerprint"]),
    linked("authorized_keys", Change::Object, &["key_file"], &["uid", "algorithm", "comment", "fingerprint"]),
    linked(
        "git_commits",
        Change::Event("committer_date"),
        &["repo", "hash"],
        &["summary", "author_email", "author_date", "committer_email"],
    ),
];

/// Whether the rows of a table are events or calls with their own times, which are a trail without being recorded.
pub fn is_of_events(table: &str) -> bool {
    LINKED.iter().any(|linked| linked.table == table && matches!(linked.change, Change::Event(_) | Change::Call(_)))
}

/// An entity: its kind, and its values. A value that the user did not give is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entity {
    /// Name of its kind.
    pub kind: &'static str,
    /// Its values, in the order of the kind.
    pub values: Vec<Option<String>>,
}

impl Entity {
    /// The text that names it, as [`entities`] reads it.
    pub fn text(&self) -> String {
        let prefix = KINDS.iter().find(|kind| kind.name == self.kind).map_or(self.kind, |kind| kind.prefix);
        let values: Vec<&str> = self.values.iter().flatten().map(String::as_str).collect();
        format!("{prefix}:{}", values.join("/"))
    }
}

/// The entities that a text can name: `kind:value`, or a value whose form shows its kind. The values of an entity with
/// several, such as namespace and name, have slashes between them; the first ones can be left out.
pub fn entities(text: &str) -> Vec<Entity> {
    let text = text.trim();
    // Kubernetes writes the runtime before the ID of a container.
    if let Some((_, id)) = text.split_once("://")
        && is_container(id)
    {
        return entities(id);
    }
    if let Some(account) = text.strip_prefix("system:serviceaccount:")
        && let Some((namespace, name)) = account.split_once(':')
    {
        let of_account = read(kind_named("service_account"), &format!("{namespace}/{name}"));
        return of_account.into_iter().chain(read(kind_named("api_user"), text)).collect();
    }
    let named = text.split_once(':').map(|(prefix, value)| {
        let kinds = KINDS.iter().filter(move |kind| kind.prefix == prefix);
        (kinds.collect::<Vec<_>>(), value.trim())
    });
    match named {
        Some((kinds, value)) if !kinds.is_empty() => {
            let by_form: Vec<&Kind> = kinds.iter().copied().filter(|kind| (kind.has_form)(value)).collect();
            let kinds = if by_form.is_empty() { kinds } else { by_form };
            kinds.into_iter().filter_map(|kind| read(kind, value)).collect()
        }
        _ => KINDS.iter().filter(|kind| (kind.has_form)(text)).filter_map(|kind| read(kind, text)).collect(),
    }
}

fn kind_named(name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == name).expect("the list has this kind; a test looks for it")
}

fn read(kind: &Kind, text: &str) -> Option<Entity> {
    // From the end, because the name of a cluster may contain slashes.
    let mut values: Vec<Option<String>> = text.rsplitn(kind.values, '/').map(|value| Some(value.to_owned())).collect();
    values.resize(kind.values, None);
    values.reverse();
    values.iter().flatten().all(|value| !value.is_empty()).then_some(Entity { kind: kind.name, values })
}

fn never(_: &str) -> bool {
    false
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    // The kubelet's UID of a static pod is a hash.
    is_hex(text, 32) || parts.len() == 5 && parts.iter().zip(lengths).all(|(part, length)| is_hex(part, length))
}

fn is_container(text: &str) -> bool {
    is_hex(text, 64)
}

fn is_commit(text: &str) -> bool {
    is_hex(text, 40)
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| is_hex(digits, 64))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 19 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_instance(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|digits| is_hex(digits, 8) || is_hex(digits, 17))
}

fn is_arn_of(text: &str, what: &str) -> bool {
    text.starts_with("arn:") && text.contains(":iam:") && text.contains(what)
}

fn is_api_user(text: &str) -> bool {
    text.starts_with("system:") || text.contains('@')
}

fn is_namespaced(text: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    };
    text.split_once('/').is_some_and(|(namespace, name)| is_name(namespace) && is_name(name))
}

fn is_word(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+' | b'@' | b'$');
    let has_other_form = is_number(text) || is_uuid(text) || is_container(text) || is_commit(text) || is_instance(text);
    !text.is_empty() && text.bytes().all(is_letter) && !has_other_form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_table_of_a_mention_is_listed_once() {
        for mention in MENTIONS {
            let kind = KINDS.iter().find(|kind| kind.name == mention.kind);
            assert_eq!(kind.map(|kind| kind.values), Some(mention.columns.len()), "{mention:?}");
            assert_eq!(LINKED.iter().filter(|linked| linked.table == mention.table).count(), 1, "{mention:?}");
        }
        for linked in LINKED {
            assert!(MENTIONS.iter().any(|mention| mention.table == linked.table), "{linked:?}");
        }
        for kind in KINDS {
            assert_eq!(KINDS.iter().filter(|other| other.name == kind.name).count(), 1, "{kind:?}");
            // Something is the entity, or reports about it.
            assert!(MENTIONS.iter().any(|mention| mention.kind == kind.name), "{kind:?}");
        }
    }

    #[test]
    fn entities_are_recognised_by_their_form() {
        let kinds = |text: &str| entities(text).iter().map(|entity| entity.kind).collect::<Vec<_>>();
        let hex = "0123456789abcdef".repeat(4);
        for (text, expected) in [
            ("cb9cd7ae-7ac2-4c4f-a2c7-2b1c1b8e7d11", vec!["pod", "kubelet_pod", "workload"]),
            (&hex, vec!["container"]),
            (&format!("containerd://{hex}"), vec!["container"]),
            (&format!("sha256:{hex}"), vec!["image"]),
            (&hex[..40], vec!["commit"]),
            ("i-0123456789abcdef0", vec!["instance"]),
            ("arn:aws:iam::123456789012:role/acme-node", vec!["aws_role"]),
            ("arn:aws:iam::123456789012:user/ann", vec!["aws_user"]),
            ("system:serviceaccount:shop:web", vec!["service_account", "api_user"]),
            ("shop/web", vec!["pod_name", "service_account"]),
            ("service_account:shop/web", vec!["service_account"]),
            ("pod:shop/web", vec!["pod_name"]),
            ("role:cluster-admin", vec!["cluster_role", "namespaced_role", "aws_role"]),
            ("1234", vec!["process", "user"]),
            ("user:0", vec!["user"]),
            ("process:1234", vec!["process"]),
            ("ann", vec!["aws_user_name", "user_name"]),
            ("node:worker-1", vec!["node"]),
            ("", vec![]),
            ("pod:", vec![]),
            ("two words", vec![]),
        ] {
            assert_eq!(kinds(text), expected, "{text}");
        }
        let [node] = entities("node:a/b/worker-1").try_into().expect("one entity");
        assert_eq!(node, Entity { kind: "node", values: vec![Some("a/b".to_owned()), Some("worker-1".to_owned())] });
        let [account] = entities("service_account:shop/web").try_into().expect("one entity");
        assert_eq!(account.values, [None, Some("shop".to_owned()), Some("web".to_owned())]);
        assert_eq!(account.text(), "service_account:shop/web");
    }
}
