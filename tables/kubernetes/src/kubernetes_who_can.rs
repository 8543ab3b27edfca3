//! `kubernetes_who_can`: one row per subject that can do something.

use std::collections::HashSet;
use std::sync::Arc;

use futures::Stream;
use indago_table::prelude::*;
use indago_table::{AnyScan, KeyValue};

use crate::clusters::Kubernetes;
use crate::rbac::discovery;
use crate::rbac::grant::{OfCluster, SubjectKeys, is_usable, origins};
use crate::rbac::policy::{Binding, MASTERS, Policy, Role, Subject, Target};
use crate::rbac::question::Asked;
use crate::rbac::read;
use crate::resource;

/// Users, groups and service accounts that can use a verb on a resource, with the binding and role through which they
/// can.
///
/// A group's right is a row of the group. Without a constraint on `namespace`, the rows are all grants anywhere; with
/// one, those that apply in that namespace. It is the same for `resource_name`. A binding of a role that restricts the
/// right to several names is a row per name.
///
/// The API group is found as kubectl does, unless `resource` or `api_group` states it. Only RBAC is covered, as for
/// `kubernetes_access`.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_who_can", env = Kubernetes, stream, reads = "rbac", rows = 20, identity(),
    needs("list clusterroles", "list clusterrolebindings", "list roles", "list rolebindings")
)]
#[example(
    "Who can run commands in pods of a namespace.",
    "SELECT subject_kind, subject_name, binding_name, role_name FROM kubernetes_who_can WHERE verb = 'create' AND resource = 'pods/exec' AND namespace = 'shop'"
)]
#[example(
    "Who can impersonate users.",
    "SELECT subject_kind, subject_name, binding_name FROM kubernetes_who_can WHERE verb = 'impersonate' AND resource = 'users' AND api_group = ''"
)]
pub struct WhoCan {
    /// Context in the kubeconfig.
    #[column(slice)]
    cluster: Arc<str>,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// ID of the cluster: the UID of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Verb, such as `get` or `impersonate`. It needs a key.
    #[column(required)]
    verb: Arc<str>,
    /// Resource in the form that `kubernetes_can_i` takes: `pods`, `pods/log`, `deployments.apps`, or a URL path such
    /// as `/healthz`. It needs a key.
    #[column(required)]
    resource: Arc<str>,
    /// API group of the resource; the empty text is the core group. NULL for a URL. A key states the group.
    #[column(index, selects)]
    api_group: Option<Arc<str>>,
    /// Name of the object. Without a key, the name that the right is limited to, or NULL if it is for all objects.
    #[column(index, selects)]
    resource_name: Option<Arc<str>>,
    /// Namespace. Without a key, the namespace that the right is limited to, or NULL if it applies everywhere.
    #[column(slice, selects)]
    namespace: Option<Arc<str>>,
    /// `User`, `Group` or `ServiceAccount`.
    #[column(index)]
    subject_kind: &'static str,
    /// Name of the user, group or service account.
    #[column(index)]
    subject_name: Arc<str>,
    /// Namespace of the service account; NULL for users and groups.
    #[column(slice)]
    subject_namespace: Option<Arc<str>>,
    /// `ClusterRoleBinding` or `RoleBinding`; NULL for the group `system:masters`, which needs no binding.
    binding_kind: Option<&'static str>,
    /// Name of the binding.
    binding_name: Option<Arc<str>>,
    /// Namespace of a role binding.
    binding_namespace: Option<Arc<str>>,
    /// `ClusterRole` or `Role`.
    role_kind: Option<&'static str>,
    /// Name of the role. A role is in the namespace of its binding.
    role_name: Option<Arc<str>>,
    /// Whether a real request can use the right; see `kubernetes_access`.
    #[column(source = usable)]
    usable: Option<bool>,
    /// The name that the role limits the right to.
    #[column(skip)]
    limited_to: Option<Arc<str>>,
}

impl WhoCan {
    async fn cluster_uid(&mut self, scan: &Scan<Self>) -> Result<()> {
        self.cluster_uid = resource::cluster_uid(scan, &self.cluster).await?;
        Ok(())
    }

    async fn usable(&mut self, scan: &Scan<Self>) -> Result<()> {
        let Ok(Asked::Resource { resource, subresource, .. }) = Asked::parse(&self.resource) else {
            self.usable = Some(true);
            return Ok(());
        };
        let group = self.api_group.as_deref().unwrap_or_default();
        let name = self.limited_to.as_deref();
        self.usable = Some(match self.binding_namespace.as_deref() {
            None => is_usable(&self.verb, group, resource, subresource, name, None),
            Some(namespace) => {
                let resources = discovery::resources(scan, &self.cluster).await?;
                is_usable(&self.verb, group, resource, subresource, name, Some((namespace, &resources)))
            }
        });
        Ok(())
    }
}

impl RowStream for WhoCan {
    type Part = OfCluster;

    fn parts(scan: &Scan<Self>) -> Result<Vec<OfCluster>> {
        Ok(origins(scan))
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a OfCluster) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            let cluster = &part.0;
            let policy = read::policy(scan, cluster).await?;
            read::report_other_authorizers(scan, cluster);
            let keys = SubjectKeys::of(scan);
            for question in questions(scan, &cluster.name).await? {
                let row = || WhoCan {
                    cluster: cluster.name.clone(),
                    cluster_name: cluster.cluster_name.clone(),
                    verb: question.verb.clone(),
                    resource: question.resource.clone(),
                    api_group: question.group.clone(),
                    resource_name: question.name.clone(),
                    namespace: question.namespace.clone(),
                    ..WhoCan::default()
                };
                let masters = Subject::Group(MASTERS.into());
                if cluster.manifests().is_none() && keys.admit(&masters) {
                    yield row().with_subject(&masters);
                }
                for (position, role) in policy.roles().iter().enumerate() {
                    if scan.is_done() {
                        return;
                    }
                    let names = question.names(role);
                    if names.is_empty() {
                        continue;
                    }
                    for binding in question.bindings(&policy, position) {
                        for subject in binding.subjects.iter().filter(|subject| keys.admit(subject)) {
                            for name in &names {
                                let row = row();
                                yield WhoCan {
                                    namespace: row.namespace.clone().or_else(|| binding.namespace.clone()),
                                    resource_name: row.resource_name.clone().or_else(|| name.clone()),
                                    limited_to: name.clone(),
                                    binding_kind: Some(binding.kind()),
                                    binding_name: Some(binding.name.clone()),
                                    binding_namespace: binding.namespace.clone(),
                                    role_kind: Some(role.kind()),
                                    role_name: Some(role.name.clone()),
                                    ..row.with_subject(subject)
                                };
                            }
                        }
                    }
                }
            }
        }
    }
}

impl WhoCan {
    fn with_subject(self, subject: &Subject) -> Self {
        WhoCan {
            subject_kind: subject.kind(),
            subject_name: subject.name().clone(),
            subject_namespace: subject.namespace().cloned(),
            ..self
        }
    }
}

/// One combination of keys.
struct Question {
    verb: Arc<str>,
    /// As the key states it.
    resource: Arc<str>,
    /// `None` for a URL.
    group: Option<Arc<str>>,
    /// The name that the server knows; a URL.
    full_name: Arc<str>,
    subresource: Arc<str>,
    name: Option<Arc<str>>,
    namespace: Option<Arc<str>>,
}

impl Question {
    /// The names that a role limits the right to, `None` for all objects; empty if it does not grant the right.
    fn names(&self, role: &Role) -> Vec<Option<Arc<str>>> {
        let Some(group) = &self.group else {
            let target = Target::Url(&self.full_name);
            let allows = role.rules.iter().any(|rule| rule.allows(&self.verb, &target));
            return if allows { vec![None] } else { Vec::new() };
        };
        let target = Target::resource(group, &self.full_name, &self.subresource, "", "");
        let Target::Resource { combined, .. } = &target else { return Vec::new() };
        let rules = role.rules.iter().filter(|rule| rule.allows_some(&self.verb, group, combined, &self.subresource));
        let mut names: Vec<Option<Arc<str>>> = Vec::new();
        let mut seen = HashSet::new();
        for rule in rules {
            if rule.names.is_empty() {
                // It includes all names.
                return vec![None];
            }
            let is_wanted = |name: &&Arc<str>| self.name.as_ref().is_none_or(|wanted| wanted == *name);
            let wanted = rule.names.iter().filter(is_wanted).filter(|name| seen.insert((*name).clone()));
            names.extend(wanted.cloned().map(Some));
        }
        names
    }

    /// The bindings of a role that apply.
    fn bindings<'a>(&'a self, policy: &'a Policy, role: usize) -> impl Iterator<Item = &'a Binding> {
        policy.bindings_of(role).filter(|binding| match (&binding.namespace, &self.namespace) {
            (None, _) => true,
            // A request for a URL has no namespace.
            (Some(_), _) if self.group.is_none() => false,
            (Some(_), None) => true,
            (Some(of), Some(wanted)) => of == wanted,
        })
    }
}

/// The combinations of the scan's keys. A resource that the server does not know is reported, and is of the core group.
async fn questions(scan: &Scan<WhoCan>, cluster: &str) -> Result<Vec<Question>> {
    let texts = |keys: Option<Vec<String>>| keys.map(distinct);
    let (Some(verbs), Some(resources)) = (texts(scan.keys(WhoCan::VERB)), texts(scan.keys(WhoCan::RESOURCE))) else {
        let why =
            "the table needs constraints on `verb` and on `resource`, such as `verb = 'get' AND resource = 'pods'`";
        return Err(Error::Unsupported(why.to_owned()));
    };
    let groups = texts(scan.keys(WhoCan::API_GROUP));
    let optional = |keys: Option<Vec<String>>| match texts(keys) {
        Some(keys) => keys.into_iter().map(Some).collect(),
        None => vec![None],
    };
    let (names, namespaces) = (optional(scan.keys(WhoCan::RESOURCE_NAME)), optional(scan.keys(WhoCan::NAMESPACE)));
    let mut questions = Vec::new();
    for resource in resources {
        let targets = match targets(scan, cluster, &resource, groups.as_deref()).await {
            Ok(targets) => targets,
            Err(error @ Error::Malformed(_)) => {
                scan.report(format!("resource={resource}"), &error);
                continue;
            }
            Err(error) => return Err(error),
        };
        for (group, full_name, subresource) in &targets {
            for verb in &verbs {
                for name in &names {
                    for namespace in &namespaces {
                        questions.push(Question {
                            verb: verb.clone(),
                            resource: resource.clone(),
                            group: group.clone(),
                            full_name: full_name.clone(),
                            subresource: subresource.clone(),
                            name: name.clone(),
                            namespace: namespace.clone(),
                        });
                    }
                }
            }
        }
    }
    Ok(questions)
}

fn distinct<T: KeyValue + Into<Arc<str>>>(keys: Vec<T>) -> Vec<Arc<str>> {
    let mut seen = HashSet::new();
    keys.into_iter().map(Into::into).filter(|key: &Arc<str>| seen.insert(key.clone())).collect()
}

/// Group, name and subresource of a resource as text; without a group for a URL.
async fn targets(
    scan: &AnyScan<Kubernetes>,
    cluster: &str,
    text: &str,
    groups: Option<&[Arc<str>]>,
) -> Result<Vec<(Option<Arc<str>>, Arc<str>, Arc<str>)>> {
    Ok(match Asked::parse(text).map_err(Error::Malformed)? {
        // No key on the group is NULL.
        Asked::Url(_) if groups.is_some() => Vec::new(),
        Asked::Url(path) => vec![(None, path.into(), "".into())],
        Asked::Resource { resource, group: Some(group), subresource } => {
            let is_wanted = groups.is_none_or(|groups| groups.iter().any(|wanted| **wanted == *group));
            let target = (Some(group.into()), resource.into(), subresource.into());
            is_wanted.then_some(target).into_iter().collect()
        }
        Asked::Resource { resource, group: None, subresource } => match groups {
            Some(groups) => {
                groups.iter().map(|group| (Some(group.clone()), resource.into(), subresource.into())).collect()
            }
            None => {
                let resources = discovery::resources(scan, cluster).await?;
                let (group, name) = resources.resolve_or_report(scan, cluster, resource);
                vec![(Some(group), name, subresource.into())]
            }
        },
    })
}
