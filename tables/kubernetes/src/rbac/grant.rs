//! The columns and rows of `kubernetes_access` and `kubernetes_access_expanded`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use futures::Stream;
use indago_table::AnyScan;
use indago_table::prelude::*;

use super::discovery::{self, Resources};
use super::escalation;
use super::policy::{ALL, Binding, Identity, MASTERS, Policy, Role, Rule, Subject, account};
use super::question::{self, is_authorized_in_namespace, is_of_object};
use super::read;
use crate::clusters::{Cluster, Kubernetes};
use crate::resource::{self, keys};

/// Columns of a grant: a subject, what it may do, and through which binding and role.
#[derive(Debug, Default, Columns)]
#[columns(env = Kubernetes, stream)]
pub(crate) struct Grant {
    /// Context in the kubeconfig.
    #[column(slice)]
    pub(crate) cluster: Arc<str>,
    /// Name of the cluster in the kubeconfig.
    pub(crate) cluster_name: Arc<str>,
    /// ID of the cluster: the UID of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    pub(crate) cluster_uid: Option<String>,
    /// `User`, `Group` or `ServiceAccount`.
    #[column(index)]
    pub(crate) subject_kind: String,
    /// Name of the user, group or service account.
    #[column(index)]
    pub(crate) subject_name: Arc<str>,
    /// Namespace of the service account; NULL for users and groups.
    #[column(slice)]
    pub(crate) subject_namespace: Option<Arc<str>>,
    /// Verb: `get`, `list`, `create`, `bind`; in the form of the rule.
    #[column(index)]
    pub(crate) verb: Arc<str>,
    /// API group of the resource. The empty text is the core group. NULL for a URL.
    #[column(index)]
    pub(crate) api_group: Option<Arc<str>>,
    /// Resource, such as `pods`. `*` without a subresource includes all subresources. NULL for a URL.
    #[column(index)]
    pub(crate) resource: Option<Arc<str>>,
    /// Subresource, such as `log` or `exec`; NULL if the grant is for the resource itself.
    #[column(index)]
    pub(crate) subresource: Option<Arc<str>>,
    /// Name of the object that the grant is limited to; NULL for all objects.
    #[column(index)]
    pub(crate) resource_name: Option<Arc<str>>,
    /// Namespace that the grant is limited to. NULL if it applies in all namespaces and to objects of the cluster; the
    /// empty text for manifests that state none.
    #[column(slice)]
    pub(crate) namespace: Option<Arc<str>>,
    /// URL path that is not a resource, such as `/healthz`; `*` at its end is any text. NULL for a resource.
    #[column(index)]
    pub(crate) non_resource_url: Option<Arc<str>>,
    /// `ClusterRoleBinding` or `RoleBinding`; NULL for the group `system:masters`, which needs no binding.
    pub(crate) binding_kind: Option<String>,
    /// Name of the binding. A role binding is in the grant's `namespace`.
    #[column(index)]
    pub(crate) binding_name: Option<Arc<str>>,
    /// `ClusterRole` or `Role`.
    pub(crate) role_kind: Option<String>,
    /// Name of the role. A role is in the grant's `namespace`.
    #[column(index)]
    pub(crate) role_name: Option<Arc<str>>,
    /// Rights of this row with which a subject can get more rights, by name: `bind`, `escalate`, `change bindings`,
    /// `impersonate`, `create tokens`, `read secrets`, `create secrets` (of the type of a token), `create pods`,
    /// `change workloads`, `change pods`, `ephemeral containers`, `pods/exec`, `pods/attach`, `pods/portforward`,
    /// `pods/proxy`, `services/proxy`, `nodes/proxy`, `change nodes`, `create persistent volumes`,
    /// `approve certificates`, `sign certificates`, `change webhooks`, `change admission policies`,
    /// `change API services`, `change namespaces` (their labels choose a Pod Security Standard) and
    /// `use pod security policies`. Empty for other rights.
    #[column(source = escalation)]
    pub(crate) escalation: Vec<String>,
    /// Whether a real request can use the grant. A SubjectAccessReview says yes to some questions that no request asks:
    /// `create` and `deletecollection` of an object by its name, and objects of the cluster in a namespace. For an
    /// object of a name, `list` and `watch` need the field selector `metadata.name`.
    #[column(source = usable)]
    pub(crate) usable: Option<bool>,
    /// The subject in the form that `kubernetes_can_i` takes: `user:eve`, `group:devs`,
    /// `system:serviceaccount:shop:web`.
    #[column(source = subject)]
    pub(crate) subject: String,
    /// A subject in the form that `kubernetes_can_i` takes. The rows are all grants that apply to its requests,
    /// including those of the groups that each such request has.
    #[column(index, selects, hidden)]
    pub(crate) applies_to: Option<String>,
}

impl Grant {
    async fn cluster_uid(&mut self, scan: &AnyScan<Kubernetes>) -> Result<()> {
        self.cluster_uid = resource::cluster_uid(scan, &self.cluster).await?;
        Ok(())
    }

    async fn escalation(&mut self, _: &AnyScan<Kubernetes>) -> Result<()> {
        if let (Some(group), Some(resource)) = (&self.api_group, &self.resource) {
            let combined = match &self.subresource {
                Some(subresource) => format!("{resource}/{subresource}"),
                None => resource.to_string(),
            };
            self.escalation = escalation::names(&self.verb, group, &combined);
        }
        Ok(())
    }

    async fn subject(&mut self, _: &AnyScan<Kubernetes>) -> Result<()> {
        let name = self.subject_name.clone();
        self.subject = match (self.subject_kind.as_str(), &self.subject_namespace) {
            (_, Some(namespace)) => Subject::ServiceAccount { namespace: namespace.clone(), name }.text(),
            ("Group", None) => Subject::Group(name).text(),
            (_, None) => Subject::User(name).text(),
        };
        Ok(())
    }

    async fn usable(&mut self, scan: &AnyScan<Kubernetes>) -> Result<()> {
        let (Some(group), Some(resource)) = (&self.api_group, &self.resource) else {
            self.usable = Some(true);
            return Ok(());
        };
        let subresource = self.subresource.as_deref().unwrap_or_default();
        let (name, namespace) = (self.resource_name.as_deref(), self.namespace.as_deref());
        self.usable = Some(match namespace {
            None => is_usable(&self.verb, group, resource, subresource, name, None),
            Some(namespace) => {
                let resources = discovery::resources(scan, &self.cluster).await?;
                is_usable(&self.verb, group, resource, subresource, name, Some((namespace, &resources)))
            }
        });
        Ok(())
    }
}

/// Whether a request can use a grant, which is limited to a namespace or not.
pub(crate) fn is_usable(
    verb: &str,
    group: &str,
    resource: &str,
    subresource: &str,
    name: Option<&str>,
    namespace: Option<(&str, &Resources)>,
) -> bool {
    if name.is_some() && !question::has_name(verb, subresource) {
        return false;
    }
    match namespace {
        None => true,
        Some(_) if resource == ALL || group == ALL => true,
        // A request for a namespace by its name is in that namespace.
        Some((namespace, _)) if (group, resource) == ("", "namespaces") => {
            is_of_object(verb) && name.is_none_or(|name| name == namespace)
        }
        Some((_, resources)) => {
            is_authorized_in_namespace(verb, group, resource, resources) == Some(true)
                || (verb == ALL && is_authorized_in_namespace("bind", group, resource, resources) == Some(true))
        }
    }
}

/// The grants of one cluster.
#[derive(Debug)]
pub struct OfCluster(pub(crate) Arc<Cluster>);

impl fmt::Display for OfCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.manifests() {
            Some(set) => write!(f, "{}READ {}", self.0.label(), set.path().display()),
            None => write!(f, "{}GET /apis/rbac.authorization.k8s.io/v1", self.0.label()),
        }
    }
}

impl indago_table::Part for OfCluster {
    fn known(&self, column: &str) -> Option<String> {
        self.0.known(column)
    }
}

/// The clusters of a scan.
pub(crate) fn clusters(scan: &AnyScan<Kubernetes>) -> Vec<OfCluster> {
    scan.env().clusters(scan).into_iter().map(OfCluster).collect()
}

/// The clusters and the sets of manifests of a scan.
pub(crate) fn origins(scan: &AnyScan<Kubernetes>) -> Vec<OfCluster> {
    scan.env().origins(scan).into_iter().map(OfCluster).collect()
}

/// The keys of a column; `None` for all values.
#[derive(Debug, Default)]
pub(crate) struct Key(Option<HashSet<String>>);

impl Key {
    pub(crate) fn of(scan: &AnyScan<Kubernetes>, column: &str) -> Self {
        let keys = scan.spec().column(column).and_then(|column| keys(scan, column));
        Key(keys.map(|keys| keys.into_iter().collect()))
    }

    pub(crate) fn admits(&self, value: Option<&str>) -> bool {
        self.0.as_ref().is_none_or(|keys| value.is_some_and(|value| keys.contains(value)))
    }

    /// The texts that it admits.
    fn kept(&self, texts: &[Arc<str>]) -> Vec<Arc<str>> {
        texts.iter().filter(|text| self.admits(Some(text))).cloned().collect()
    }
}

/// Keys of the subject.
#[derive(Debug)]
pub(crate) struct SubjectKeys {
    kind: Key,
    name: Key,
    namespace: Key,
}

impl SubjectKeys {
    pub(crate) fn of(scan: &AnyScan<Kubernetes>) -> Self {
        let key = |column| Key::of(scan, column);
        SubjectKeys { kind: key("subject_kind"), name: key("subject_name"), namespace: key("subject_namespace") }
    }

    pub(crate) fn admit(&self, subject: &Subject) -> bool {
        self.kind.admits(Some(subject.kind()))
            && self.name.admits(Some(subject.name()))
            && self.namespace.admits(subject.namespace().map(|namespace| &**namespace))
    }
}

/// Keys of a grant.
#[derive(Debug)]
struct Keys {
    subject: SubjectKeys,
    verb: Key,
    group: Key,
    resource: Key,
    subresource: Key,
    name: Key,
    namespace: Key,
    url: Key,
    binding: Key,
    role: Key,
}

impl Keys {
    fn of(scan: &AnyScan<Kubernetes>) -> Self {
        let key = |column| Key::of(scan, column);
        Keys {
            subject: SubjectKeys::of(scan),
            verb: key("verb"),
            group: key("api_group"),
            resource: key("resource"),
            subresource: key("subresource"),
            name: key("resource_name"),
            namespace: key("namespace"),
            url: key("non_resource_url"),
            binding: key("binding_name"),
            role: key("role_name"),
        }
    }

    /// What a rule allows: the combinations of its parts that have these keys.
    fn parts(&self, rule: &Rule, resources: Option<&Resources>, is_cluster_wide: bool) -> Parts {
        let names = match rule.names.is_empty() {
            true if self.name.admits(None) => vec![None],
            true => Vec::new(),
            false => self.name.kept(&rule.names).into_iter().map(Some).collect(),
        };
        let is_of_resources = self.url.admits(None);
        let resources = match resources {
            _ if !is_of_resources || names.is_empty() => Vec::new(),
            None => self.as_given(rule),
            Some(resources) => self.expanded(rule, resources),
        };
        let is_of_urls = is_cluster_wide
            && [&self.group, &self.resource, &self.subresource, &self.name].iter().all(|key| key.admits(None));
        let urls = if is_of_urls { self.url.kept(&rule.urls) } else { Vec::new() };
        let verbs_of_urls = if urls.is_empty() { Vec::new() } else { self.verb.kept(&rule.verbs) };
        Parts { resources, names, urls, verbs_of_urls }
    }

    /// Whether a resource, with its subresource, has these keys; it is then returned in two parts.
    fn split(&self, combined: &str) -> Option<(Arc<str>, Option<Arc<str>>)> {
        let (resource, subresource) = match combined.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource)),
            None => (combined, None),
        };
        let is_kept = self.resource.admits(Some(resource)) && self.subresource.admits(subresource);
        is_kept.then(|| (resource.into(), subresource.map(Arc::from)))
    }

    fn as_given(&self, rule: &Rule) -> Vec<RuleResource> {
        let (verbs, groups) = (self.verb.kept(&rule.verbs), self.group.kept(&rule.groups));
        if verbs.is_empty() || groups.is_empty() {
            return Vec::new();
        }
        let (verbs, groups): (Arc<[_]>, Arc<[_]>) = (verbs.into(), groups.into());
        let of = |(resource, subresource)| RuleResource {
            groups: groups.clone(),
            resource,
            subresource,
            verbs: verbs.clone(),
        };
        rule.resources.iter().filter_map(|combined| self.split(combined).map(of)).collect()
    }

    /// With the names and verbs of the server in place of wildcards.
    fn expanded(&self, rule: &Rule, resources: &Resources) -> Vec<RuleResource> {
        let is_all = |text: &Arc<str>| **text == *ALL;
        let all_verbs = rule.verbs.iter().any(is_all);
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for resource in resources.all() {
            let is_covered =
                |verb: &Arc<str>| rule.allows_some(verb, &resource.group, &resource.name, resource.subresource());
            // Verbs that the rule names need not be the server's.
            let named = rule.verbs.iter().filter(|verb| !is_all(verb) && !resource.verbs.contains(verb));
            let named = named.filter(|_| rule.resources.contains(&resource.name));
            let own =
                resource.verbs.iter().filter(|verb| is_covered(verb)).chain(named.filter(|verb| is_covered(verb)));
            let own: Vec<Arc<str>> = own.cloned().collect();
            if own.is_empty() {
                continue;
            }
            seen.insert((resource.group.clone(), resource.name.clone()));
            let mut verbs = self.verb.kept(&own);
            let mut of_row = HashSet::new();
            verbs.retain(|verb| of_row.insert(verb.clone()));
            if verbs.is_empty() || !self.group.admits(Some(&resource.group)) {
                continue;
            }
            if let Some((name, subresource)) = self.split(&resource.name) {
                let groups = Arc::from([resource.group.clone()]);
                found.push(RuleResource { groups, resource: name, subresource, verbs: verbs.into() });
            }
        }
        // Resources and groups that the rule names and that the server does not serve.
        let mut verbs = self.verb.kept(&rule.verbs);
        if all_verbs {
            verbs = self.verb.kept(&[ALL.into()]);
        }
        let verbs: Arc<[Arc<str>]> = verbs.into();
        let unserved = |combined: &&Arc<str>| !combined.starts_with('*');
        for combined in rule.resources.iter().filter(unserved).filter(|_| !verbs.is_empty()) {
            let groups = rule.groups.iter().filter(|group| {
                !is_all(group)
                    && !seen.contains(&((*group).clone(), combined.clone()))
                    && self.group.admits(Some(group))
            });
            let groups: Vec<Arc<str>> = groups.cloned().collect();
            if let Some((resource, subresource)) = self.split(combined).filter(|_| !groups.is_empty()) {
                found.push(RuleResource { groups: groups.into(), resource, subresource, verbs: verbs.clone() });
            }
        }
        found
    }
}

/// One resource of a rule, with groups and verbs.
#[derive(Debug, Clone)]
struct RuleResource {
    groups: Arc<[Arc<str>]>,
    resource: Arc<str>,
    subresource: Option<Arc<str>>,
    verbs: Arc<[Arc<str>]>,
}

/// The parts of a rule whose combinations are rows. A list without elements has no combination, so a rule that would
/// have no rows costs nothing.
#[derive(Debug)]
struct Parts {
    resources: Vec<RuleResource>,
    names: Vec<Option<Arc<str>>>,
    urls: Vec<Arc<str>>,
    verbs_of_urls: Vec<Arc<str>>,
}

/// A binding with its role and the subjects that are wanted; without a binding, the rights of `system:masters`.
struct Source<'a> {
    binding: Option<&'a Binding>,
    role: Option<&'a Role>,
    rules: &'a [Rule],
    subjects: Vec<Subject>,
    applies_to: Option<String>,
}

/// Whether a binding's subject is a user or one of its groups.
fn is_of(subject: &Subject, identity: &Identity) -> bool {
    match subject {
        Subject::User(name) => **name == identity.user,
        Subject::Group(name) => identity.groups.iter().any(|group| **name == *group),
        Subject::ServiceAccount { namespace, name } => account(namespace, name) == identity.user,
    }
}

/// The bindings of a policy, with the subjects that the keys admit, for one subject or for all.
fn sources<'a>(
    policy: &'a Policy,
    masters: Option<&'a [Rule]>,
    keys: &'a Keys,
    applies_to: Option<(String, Identity)>,
) -> impl Iterator<Item = Source<'a>> + 'a {
    let bindings: Vec<&Binding> = match &applies_to {
        Some((_, identity)) => policy.bindings_for(identity),
        None => policy.bindings().iter().collect(),
    };
    let is_wanted = |subject: &Subject, applies_to: &Option<(String, Identity)>| {
        keys.subject.admit(subject) && applies_to.as_ref().is_none_or(|(_, identity)| is_of(subject, identity))
    };
    let group = Subject::Group(MASTERS.into());
    let has_masters = keys.namespace.admits(None)
        && keys.binding.admits(None)
        && keys.role.admits(None)
        && is_wanted(&group, &applies_to);
    let text = applies_to.as_ref().map(|(text, _)| text.clone());
    let of_masters = masters.filter(|_| has_masters).map(|rules| Source {
        binding: None,
        role: None,
        rules,
        subjects: vec![group],
        applies_to: text.clone(),
    });
    let of_bindings = bindings.into_iter().filter_map(move |binding| {
        let role = policy.role(binding)?;
        let is_kept = keys.namespace.admits(binding.namespace.as_deref())
            && keys.binding.admits(Some(&binding.name))
            && keys.role.admits(Some(&role.name));
        if !is_kept {
            return None;
        }
        let subjects: Vec<Subject> =
            binding.subjects.iter().filter(|subject| is_wanted(subject, &applies_to)).cloned().collect();
        let (binding, applies_to) = (Some(binding), text.clone());
        (!subjects.is_empty()).then_some(Source { binding, role: Some(role), rules: &role.rules, subjects, applies_to })
    });
    of_masters.into_iter().chain(of_bindings)
}

/// The rights of `system:masters` as rules.
fn rules_of_masters() -> [Rule; 2] {
    let all = || vec![Arc::from(ALL)];
    [
        Rule { verbs: all(), groups: all(), resources: all(), ..Rule::default() },
        Rule { verbs: all(), urls: all(), ..Rule::default() },
    ]
}

/// The grants of a cluster, with wildcards as given or expanded.
pub(crate) fn grants<'a>(
    scan: &'a AnyScan<Kubernetes>,
    cluster: &'a Arc<Cluster>,
    is_expanded: bool,
) -> impl Stream<Item = Result<Grant>> + Send + 'a {
    async_stream::try_stream! {
        let policy = read::policy(scan, cluster).await?;
        // Files have no server whose resources wildcards stand for, and no group that needs no binding.
        let is_of_files = cluster.manifests().is_some();
        let is_expanded = is_expanded && !is_of_files;
        let resources = if is_expanded { Some(discovery::resources(scan, &cluster.name).await?) } else { None };
        read::report_other_authorizers(scan, cluster);
        let (keys, masters) = (Keys::of(scan), (!is_of_files).then(rules_of_masters));
        let mut parts_of_roles: HashMap<(Option<usize>, bool), Vec<Parts>> = HashMap::new();
        let of = scan.spec().column("applies_to").and_then(|column| resource::keys(scan, column));
        let applies_to: Vec<Option<(String, Identity)>> = match of {
            None => vec![None],
            Some(texts) => texts.into_iter().filter_map(|text| match question::identity(&text) {
                Ok(identity) => Some(Some((text, identity))),
                Err(why) => {
                    scan.report(format!("applies_to={text}"), &Error::Malformed(why));
                    None
                }
            }).collect(),
        };
        for applies_to in applies_to {
            for source in sources(&policy, masters.as_ref().map(|rules| &rules[..]), &keys, applies_to) {
                if scan.is_done() {
                    return;
                }
                let Source { binding, role, rules, subjects, applies_to } = source;
                let namespace = binding.and_then(|binding| binding.namespace.clone());
                // Many bindings have the same role.
                let of_role = parts_of_roles.entry((binding.and_then(|binding| binding.role), namespace.is_none()));
                let of_role: &Vec<Parts> = of_role.or_insert_with(|| {
                    let parts = |rule| keys.parts(rule, resources.as_deref(), namespace.is_none());
                    rules.iter().map(parts).filter(|parts| !parts.resources.is_empty() || !parts.urls.is_empty()).collect()
                });
                for parts in of_role {
                    for subject in &subjects {
                        let grant = || Grant {
                            cluster: cluster.name.clone(),
                            cluster_name: cluster.cluster_name.clone(),
                            subject_kind: subject.kind().to_owned(),
                            subject_name: subject.name().clone(),
                            subject_namespace: subject.namespace().cloned(),
                            namespace: namespace.clone(),
                            binding_kind: binding.map(|binding| binding.kind().to_owned()),
                            binding_name: binding.map(|binding| binding.name.clone()),
                            role_kind: role.map(|role| role.kind().to_owned()),
                            role_name: role.map(|role| role.name.clone()),
                            applies_to: applies_to.clone(),
                            ..Grant::default()
                        };
                        for RuleResource { groups, resource, subresource, verbs } in &parts.resources {
                            for group in groups.iter() {
                                for verb in verbs.iter() {
                                    for name in &parts.names {
                                        yield Grant {
                                            verb: verb.clone(),
                                            api_group: Some(group.clone()),
                                            resource: Some(resource.clone()),
                                            subresource: subresource.clone(),
                                            resource_name: name.clone(),
                                            ..grant()
                                        };
                                    }
                                }
                            }
                        }
                        for url in &parts.urls {
                            for verb in &parts.verbs_of_urls {
                                yield Grant { verb: verb.clone(), non_resource_url: Some(url.clone()), ..grant() };
                            }
                        }
                    }
                }
            }
        }
    }
}
