//! Makes a [`Policy`] from the API's objects.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use indago_table::json;
use serde_json::Value as Document;

use super::aggregate::{Aggregation, Labels, Selector, aggregated, labels};
use super::policy::{Binding, Policy, Role, Rule, Subject};

/// The four resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ClusterRoles,
    ClusterRoleBindings,
    Roles,
    RoleBindings,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Kind::ClusterRoleBindings, Kind::ClusterRoles, Kind::RoleBindings, Kind::Roles];

    /// Name of the resource, as in URLs.
    pub(crate) fn resource(self) -> &'static str {
        match self {
            Kind::ClusterRoles => "clusterroles",
            Kind::ClusterRoleBindings => "clusterrolebindings",
            Kind::Roles => "roles",
            Kind::RoleBindings => "rolebindings",
        }
    }

    /// The permission to list it.
    pub(crate) fn needs(self) -> &'static str {
        match self {
            Kind::ClusterRoles => "list clusterroles",
            Kind::ClusterRoleBindings => "list clusterrolebindings",
            Kind::Roles => "list roles",
            Kind::RoleBindings => "list rolebindings",
        }
    }

    pub(crate) fn is_namespaced(self) -> bool {
        matches!(self, Kind::Roles | Kind::RoleBindings)
    }

    /// The table with its rules or subjects, the list that they are elements of, and the fields of
    /// an element by the table's columns.
    pub(crate) fn rows(self) -> (&'static str, &'static str, &'static [(&'static str, &'static str)]) {
        const RULE: [(&str, &str); 5] = [
            ("verbs", "verbs"),
            ("api_groups", "apiGroups"),
            ("resources", "resources"),
            ("resource_names", "resourceNames"),
            ("non_resource_urls", "nonResourceURLs"),
        ];
        const SUBJECT: [(&str, &str); 3] =
            [("subject_kind", "kind"), ("subject_name", "name"), ("subject_namespace", "namespace")];
        match self {
            Kind::ClusterRoles => ("kubernetes_cluster_role_policy_rules", "rules", &RULE),
            Kind::Roles => ("kubernetes_role_policy_rules", "rules", &RULE),
            Kind::ClusterRoleBindings => ("kubernetes_cluster_role_binding_subjects", "subjects", &SUBJECT),
            Kind::RoleBindings => ("kubernetes_role_binding_subjects", "subjects", &SUBJECT),
        }
    }

    /// The parts of an object that are read.
    pub(crate) fn paths(self) -> &'static [&'static str] {
        match self {
            Kind::ClusterRoles => &["metadata.name", "metadata.labels", "rules", "aggregationRule"],
            Kind::Roles => &["metadata.name", "metadata.namespace", "rules"],
            Kind::ClusterRoleBindings | Kind::RoleBindings => {
                &["metadata.name", "metadata.namespace", "roleRef", "subjects"]
            }
        }
    }
}

/// One object, or what could be read of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parsed {
    object: Option<Object>,
    /// What is malformed; each names the object.
    pub(crate) problems: Vec<String>,
}

#[derive(Debug, Clone)]
enum Object {
    Role { role: Role, labels: Labels, selectors: Vec<Selector> },
    Binding { binding: Binding, role: RoleRef },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RoleRef {
    is_cluster: bool,
    name: Arc<str>,
}

/// The objects behind recorded rows of a cluster.
pub(crate) fn of_rows(kind: Kind, rows: &[Document], cluster: &str) -> impl Iterator<Item = Document> + use<> {
    let (_, list, fields) = kind.rows();
    let mut objects: BTreeMap<String, Document> = BTreeMap::new();
    for row in rows.iter().filter(|row| row["cluster"] == cluster) {
        let identity = format!("{} {} {}", row["uid"], row["namespace"], row["name"]);
        let object = objects.entry(identity).or_insert_with(|| {
            serde_json::json!({
                "metadata": { "name": row["name"], "namespace": row["namespace"] },
                "roleRef": { "kind": row["role_kind"], "name": row["role_name"] },
                list: [],
            })
        });
        let fields = fields.iter().map(|(column, field)| ((*field).to_owned(), row[*column].clone()));
        if let Some(list) = object[list].as_array_mut() {
            list.push(Document::Object(fields.collect()));
        }
    }
    objects.into_values()
}

/// Parses an object. A malformed part is left out, and the rest is kept. Only objects of files can lack a namespace.
pub(crate) fn parse(kind: Kind, object: &Document, is_of_file: bool) -> Parsed {
    let mut parsed = Parsed::default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let shown = match kind.is_namespaced() {
        true => format!("{} {namespace}/{name}", kind.resource()),
        false => format!("{} {name}", kind.resource()),
    };
    let problems = &mut parsed.problems;
    let mut problem = |what: String| problems.push(format!("{shown}: {what}"));
    if name.is_empty() || (namespace.is_empty() && kind.is_namespaced() && !is_of_file) {
        problem("skipped: it has no name or no namespace".to_owned());
        return parsed;
    }
    let namespace: Option<Arc<str>> = kind.is_namespaced().then(|| namespace.into());
    let name: Arc<str> = name.into();
    let object = match kind {
        Kind::ClusterRoles | Kind::Roles => {
            let mut rules = Vec::new();
            for rule in list(&object["rules"], "rules", &mut problem) {
                match parse_rule(rule) {
                    Ok(rule) => rules.push(rule),
                    Err(what) => problem(format!("skipped a rule: {what}")),
                }
            }
            let mut selectors = Vec::new();
            let of_role = &object["aggregationRule"]["clusterRoleSelectors"];
            for selector in list(of_role, "aggregationRule.clusterRoleSelectors", &mut problem) {
                match Selector::parse(selector) {
                    Ok(selector) => selectors.push(selector),
                    Err(what) => problem(what),
                }
            }
            Object::Role { role: Role { namespace, name, rules }, labels: labels(object), selectors }
        }
        Kind::ClusterRoleBindings | Kind::RoleBindings => {
            let is_cluster = match object["roleRef"]["kind"].as_str() {
                Some("ClusterRole") => true,
                Some("Role") => false,
                _ => {
                    problem(format!("skipped: the kind of its role is {}", object["roleRef"]["kind"]));
                    return parsed;
                }
            };
            let Some(role) = object["roleRef"]["name"].as_str() else {
                problem("skipped: it names no role".to_owned());
                return parsed;
            };
            let mut subjects = Vec::new();
            for subject in list(&object["subjects"], "subjects", &mut problem) {
                match parse_subject(subject, namespace.as_ref()) {
                    Ok(subject) => subjects.extend(subject),
                    Err(what) => problem(format!("skipped a subject: {what}")),
                }
            }
            let role = RoleRef { is_cluster, name: role.into() };
            Object::Binding { binding: Binding { namespace, name, subjects, role: None }, role }
        }
    };
    parsed.object = Some(object);
    parsed
}

/// The elements of a list. Null is an empty one.
fn list<'a>(list: &'a Document, path: &str, problem: &mut impl FnMut(String)) -> &'a [Document] {
    match list {
        Document::Array(elements) => elements,
        Document::Null => &[],
        other => {
            problem(format!("`{path}` holds {} instead of a list", json::kind(other)));
            &[]
        }
    }
}

pub(crate) fn parse_rule(rule: &Document) -> Result<Rule, String> {
    if !rule.is_object() {
        return Err(format!("it is {}", json::kind(rule)));
    }
    let texts = |name: &str| match &rule[name] {
        Document::Null => Ok(Vec::new()),
        Document::Array(elements) => {
            let text = |element: &Document| element.as_str().map(Arc::from);
            let texts: Option<Vec<Arc<str>>> = elements.iter().map(text).collect();
            texts.ok_or_else(|| format!("`{name}` has an element that is not a text"))
        }
        other => Err(format!("`{name}` holds {} instead of a list", json::kind(other))),
    };
    Ok(Rule {
        verbs: texts("verbs")?,
        groups: texts("apiGroups")?,
        resources: texts("resources")?,
        names: texts("resourceNames")?,
        urls: texts("nonResourceURLs")?,
    })
}

/// A subject of a binding in this namespace; `None` for one that no request can have. Like the API server, it does not
/// look at the subject's API group.
fn parse_subject(subject: &Document, namespace: Option<&Arc<str>>) -> Result<Option<Subject>, String> {
    let text = |name: &str| match &subject[name] {
        Document::Null => Ok(""),
        Document::String(text) => Ok(text.as_str()),
        other => Err(format!("`{name}` holds {} instead of a text", json::kind(other))),
    };
    if !subject.is_object() {
        return Err(format!("it is {}", json::kind(subject)));
    }
    let name: Arc<str> = text("name")?.into();
    Ok(match text("kind")? {
        "User" => Some(Subject::User(name)),
        "Group" => Some(Subject::Group(name)),
        "ServiceAccount" => {
            let own = Some(text("namespace")?).filter(|own| !own.is_empty()).map(Arc::from);
            let namespace = own.or_else(|| namespace.cloned());
            namespace.map(|namespace| Subject::ServiceAccount { namespace, name })
        }
        other => return Err(format!("its kind is \"{other}\"")),
    })
}

/// Whose rules an aggregating role has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Those that are stored: the API server knows no others.
    Stored,
    /// Those that the selected roles have together, for objects that no controller completes, such as manifests.
    Computed,
}

/// Most pairs of an aggregating role and a role that are compared.
const MOST_COMPARED: usize = 20_000_000;

/// A policy, and what its objects lack.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) policy: Policy,
    /// The cluster roles whose stored rules lack some that they aggregate.
    pub(crate) behind: Vec<String>,
    /// The roles that bindings name and that do not exist, each once.
    pub(crate) absent: Vec<String>,
}

/// Makes a policy of objects.
pub(crate) fn policy(objects: impl IntoIterator<Item = Parsed>, rules: Rules) -> Made {
    let (mut roles, mut all_labels, mut aggregations) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bindings, mut refs) = (Vec::new(), Vec::new());
    let mut is_incomplete = false;
    for parsed in objects {
        is_incomplete |= !parsed.problems.is_empty();
        match parsed.object {
            Some(Object::Role { role, labels, selectors }) => {
                if !selectors.is_empty() {
                    aggregations.push(Aggregation { role: roles.len(), selectors });
                }
                roles.push(role);
                all_labels.push(labels);
            }
            Some(Object::Binding { binding, role }) => {
                bindings.push(binding);
                refs.push(role);
            }
            None => {}
        }
    }
    let mut behind = Vec::new();
    if aggregations.len().saturating_mul(roles.len()) <= MOST_COMPARED {
        let computed = aggregated(&roles, &all_labels, &aggregations);
        for (aggregation, computed) in aggregations.iter().zip(computed) {
            let role = &mut roles[aggregation.role];
            let stored: HashSet<&Rule> = role.rules.iter().collect();
            if rules == Rules::Computed {
                role.rules = computed;
            } else if computed.iter().any(|rule| !stored.contains(rule)) {
                behind.push(role.name.to_string());
            }
        }
    } else {
        is_incomplete |= rules == Rules::Computed;
    }
    let by_name: HashMap<(Option<&str>, &str), usize> =
        roles.iter().enumerate().map(|(position, role)| ((role.namespace.as_deref(), &*role.name), position)).collect();
    let mut absent = BTreeSet::new();
    for (binding, role) in bindings.iter_mut().zip(&refs) {
        let namespace = if role.is_cluster { None } else { Some(binding.namespace.as_deref().unwrap_or_default()) };
        binding.role = by_name.get(&(namespace, &*role.name)).copied();
        if binding.role.is_none() {
            absent.insert(match namespace {
                Some(namespace) => format!("Role {namespace}/{}", role.name),
                None => format!("ClusterRole {}", role.name),
            });
        }
    }
    drop(by_name);
    let mut policy = Policy::new(roles, bindings);
    policy.is_incomplete = is_incomplete;
    Made { policy, behind, absent: absent.into_iter().collect() }
}

/// About how many bytes a policy takes.
pub(crate) fn size(policy: &Policy) -> usize {
    const TEXT: usize = 32;
    let of_rule = |rule: &Rule| {
        [&rule.verbs, &rule.groups, &rule.resources, &rule.names, &rule.urls]
            .into_iter()
            .flatten()
            .map(|text| text.len() + TEXT)
            .sum::<usize>()
    };
    let of_role = |role: &Role| size_of::<Role>() + role.rules.iter().map(of_rule).sum::<usize>();
    let of_binding = |binding: &Binding| {
        let subject = |subject: &Subject| 2 * subject.name().len() + 8 * TEXT;
        size_of::<Binding>() + binding.subjects.iter().map(subject).sum::<usize>()
    };
    policy.roles().iter().map(of_role).sum::<usize>() + policy.bindings().iter().map(of_binding).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rbac::policy::{Identity, Target};

    fn of(objects: &[(Kind, Document)], rules: Rules) -> (Policy, Vec<String>, Vec<String>) {
        let of_file = rules == Rules::Computed;
        let parsed: Vec<Parsed> = objects.iter().map(|(kind, object)| parse(*kind, object, of_file)).collect();
        let problems = parsed.iter().flat_map(|parsed| parsed.problems.clone()).collect();
        let Made { policy, behind, .. } = policy(parsed, rules);
        (policy, behind, problems)
    }

    fn can(policy: &Policy, user: &str, verb: &str, namespace: &str) -> bool {
        let identity = Identity { user: user.to_owned(), groups: Vec::new() };
        policy.allows(&identity, verb, &Target::resource("", "pods", "", "", namespace)).is_some()
    }

    #[test]
    fn bindings_find_their_roles() {
        let rules = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]);
        let binding = |kind, namespace: &str, name: &str, role: &str, subject: Document| {
            let role = json!({"kind": role, "name": "r"});
            let subjects = json!([subject]);
            (kind, json!({"metadata": {"name": name, "namespace": namespace}, "roleRef": role, "subjects": subjects}))
        };
        let user = |name: &str| json!({"kind": "User", "name": name});
        let account = json!({"kind": "ServiceAccount", "name": "bot"});
        let (policy, _, problems) = of(
            &[
                (Kind::Roles, json!({"metadata": {"name": "r", "namespace": "a"}, "rules": rules})),
                (Kind::ClusterRoles, json!({"metadata": {"name": "r"}, "rules": rules})),
                binding(Kind::RoleBindings, "a", "own", "Role", user("own")),
                binding(Kind::RoleBindings, "b", "other", "Role", user("other")),
                binding(Kind::RoleBindings, "b", "cluster", "ClusterRole", user("cluster")),
                binding(Kind::RoleBindings, "a", "account", "Role", account.clone()),
                binding(Kind::ClusterRoleBindings, "", "nowhere", "ClusterRole", account),
                binding(Kind::ClusterRoleBindings, "", "wrong", "Role", user("wrong")),
            ],
            Rules::Stored,
        );
        assert!(problems.is_empty() && !policy.is_incomplete, "{problems:?}");
        assert!(can(&policy, "own", "get", "a") && !can(&policy, "own", "get", "b"));
        assert!(!can(&policy, "other", "get", "b"), "a role of another namespace is another role");
        assert!(can(&policy, "cluster", "get", "b") && !can(&policy, "cluster", "get", ""));
        assert!(can(&policy, "system:serviceaccount:a:bot", "get", "a"), "its namespace is that of the binding");
        assert!(!can(&policy, "system:serviceaccount:a:bot", "get", ""), "a cluster role binding has no namespace");
        assert!(!can(&policy, "wrong", "get", "a"), "a cluster role binding has no role");
    }

    #[test]
    fn a_malformed_part_costs_no_other() {
        let good = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]});
        let role = json!({"metadata": {"name": "r"}, "rules": [7, {"verbs": "get"}, {"verbs": [1]}, good]});
        let subjects =
            json!(["x", {"kind": "Robot", "name": "r"}, {"kind": "User", "name": 5}, {"kind": "User", "name": "eve"}]);
        let to = json!({"kind": "ClusterRole", "name": "r"});
        let binding =
            |name: &str, to: &Document| json!({"metadata": {"name": name}, "roleRef": to, "subjects": subjects});
        let (policy, _, problems) = of(
            &[
                (Kind::ClusterRoles, role),
                (Kind::ClusterRoleBindings, binding("b", &to)),
                (Kind::ClusterRoleBindings, binding("odd", &json!({"kind": "Rule", "name": "r"}))),
                (Kind::ClusterRoleBindings, json!({"metadata": {}, "roleRef": to})),
                (Kind::ClusterRoles, json!({"metadata": {"name": "empty"}, "rules": null})),
                (Kind::ClusterRoles, json!({"metadata": {"name": "text"}, "rules": "x"})),
            ],
            Rules::Stored,
        );
        assert!(can(&policy, "eve", "get", "") && policy.is_incomplete);
        assert_eq!(
            problems,
            [
                "clusterroles r: skipped a rule: it is a number",
                "clusterroles r: skipped a rule: `verbs` holds a text instead of a list",
                "clusterroles r: skipped a rule: `verbs` has an element that is not a text",
                "clusterrolebindings b: skipped a subject: it is a text",
                "clusterrolebindings b: skipped a subject: its kind is \"Robot\"",
                "clusterrolebindings b: skipped a subject: `name` holds a number instead of a text",
                "clusterrolebindings odd: skipped: the kind of its role is \"Rule\"",
                "clusterrolebindings : skipped: it has no name or no namespace",
                "clusterroles text: `rules` holds a text instead of a list",
            ]
        );
    }

    #[test]
    fn the_server_knows_only_stored_rules() {
        let objects = [
            (
                Kind::ClusterRoles,
                json!({
                    "metadata": {"name": "all"},
                    "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "all"}}]},
                    "rules": null,
                }),
            ),
            (
                Kind::ClusterRoles,
                json!({
                    "metadata": {"name": "part", "labels": {"to": "all"}},
                    "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
                }),
            ),
            (
                Kind::ClusterRoleBindings,
                json!({
                    "metadata": {"name": "b"},
                    "roleRef": {"kind": "ClusterRole", "name": "all"},
                    "subjects": [{"kind": "User", "name": "eve"}],
                }),
            ),
        ];
        let (stored, behind, _) = of(&objects, Rules::Stored);
        assert_eq!((can(&stored, "eve", "get", ""), behind), (false, vec!["all".to_owned()]));
        let (computed, behind, _) = of(&objects, Rules::Computed);
        assert_eq!((can(&computed, "eve", "get", ""), behind), (true, vec![]));
    }
}
