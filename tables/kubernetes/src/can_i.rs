//! The functions `kubernetes_can_i` and `kubernetes_can_request`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, StringViewArray};
use futures::future::join_all;
use indago_table::scan::BoxFuture;
use indago_table::{
    AnyScan, Argument, Call, Environment, Error, Evaluate, Function, FunctionRef, FunctionSpec, Kind, Result,
    ScanContext, TableSpec,
};

use crate::clusters::{Cluster, Kubernetes};
use crate::rbac::discovery::{self, Resources};
use crate::rbac::policy::{Identity, Policy, Target};
use crate::rbac::question::{self, Asked, as_request};
use crate::rbac::read;
use crate::rbac::review::{Review, What};

const CAN_I: FunctionSpec = FunctionSpec {
    name: "kubernetes_can_i",
    environment: Kubernetes::NAME,
    signature: "kubernetes_can_i(subject, verb, resource, namespace [, name [, cluster]]), kubernetes_can_i(spec [, cluster])",
    description: "Whether RBAC allows something, as a SubjectAccessReview answers.

- `subject`: `user:NAME`, `group:NAME`, `system:serviceaccount:NAMESPACE:NAME`, or a user name. It has the groups that the API
  server gives to each request of such a user: `system:authenticated`, and for a service account `system:serviceaccounts` and
  `system:serviceaccounts:NAMESPACE`, as for `kubectl auth can-i --as`. Members of `system:masters` may do everything.
- `resource`: `pods`, `pods/log`, `deployments.apps`, `deployments.apps/scale`, or a URL path such as `/healthz`. If it states no
  API group, the group is found as kubectl does; `pods.` states the core group.
- `namespace`: NULL or an empty text for objects of the cluster and for all namespaces.
- `name`: NULL or an empty text for no specific object.
- `spec`: the JSON of the `spec` of a SubjectAccessReview, with `user`, `groups` and `resourceAttributes` or
  `nonResourceAttributes`. Groups are as stated there, and none is added.
- `cluster`: a context, or a set of manifests, as in the column `cluster` of the tables. By default, the only cluster that is configured, or else the
  current context.

The result is NULL if the answer is unknown: if an argument other than `namespace`, `name` and `cluster` is NULL or malformed, or
if nothing that could be read allows it and some roles or bindings could not be read. The roles and bindings of a cluster are
read once per query.

A review and a real request can differ; `kubernetes_can_request` returns what a real request gets. Only RBAC is covered: a note
reports that the Node authorizer, webhooks and other authorizers may allow more.

```sql
SELECT namespace, name, kubernetes_can_i('system:serviceaccount:' || namespace || ':' || name, 'get', 'secrets', namespace) AS reads_secrets
FROM kubernetes_service_accounts
```",
    arities: &[1, 2, 4, 5, 6],
    timeless: false,
    returns: Kind::Boolean,
};

const CAN_REQUEST: FunctionSpec = FunctionSpec {
    name: "kubernetes_can_request",
    environment: Kubernetes::NAME,
    signature: "kubernetes_can_request(subject, verb, resource, namespace [, name [, cluster]]), kubernetes_can_request(spec [, cluster])",
    description: "Whether RBAC allows a real request. Its arguments are those of `kubernetes_can_i`.

It differs from `kubernetes_can_i` where a request does not carry what a question can state:

- A request to create an object, or to delete a collection, has no name. So a rule that is limited to names does not allow it.
- A request for an object of the cluster has no namespace. So a role binding does not allow it.
- A request for a namespace by its name is in that namespace. So a role binding there allows `get`, `update`, `patch` and `delete`.

`list` and `watch` with a name stand for requests with the field selector `metadata.name`.",
    arities: &[1, 2, 4, 5, 6],
    timeless: false,
    returns: Kind::Boolean,
};

/// `kubernetes_can_i` over clusters.
pub(crate) fn can_i(clusters: &Kubernetes) -> FunctionRef {
    Arc::new(CanI { spec: &CAN_I, clusters: clusters.clone(), is_request: false })
}

/// `kubernetes_can_request` over clusters.
pub(crate) fn can_request(clusters: &Kubernetes) -> FunctionRef {
    Arc::new(CanI { spec: &CAN_REQUEST, clusters: clusters.clone(), is_request: true })
}

#[derive(Debug)]
struct CanI {
    spec: &'static FunctionSpec,
    clusters: Kubernetes,
    /// Whether it answers as a real request, not as a review.
    is_request: bool,
}

impl Function for CanI {
    fn spec(&self) -> &FunctionSpec {
        self.spec
    }

    fn read(&self, context: ScanContext, calls: Vec<Call>) -> BoxFuture<'static, Result<Arc<dyn Evaluate>>> {
        let spec = TableSpec::new(self.spec.name, self.spec.environment, self.spec.description, Vec::new());
        let scan = AnyScan::new(&Arc::new(spec), context, &self.clusters);
        let is_request = self.is_request;
        Box::pin(async move { Ok(Arc::new(Answers::read(scan, &calls, is_request).await?) as Arc<dyn Evaluate>) })
    }
}

/// Position of the argument that names the cluster, if a call of so many arguments has one.
fn cluster_argument(arity: usize) -> Option<usize> {
    matches!(arity, 2 | 6).then_some(arity - 1)
}

/// Whether a call must know the server's resources.
fn needs_discovery(call: &Call, is_request: bool) -> bool {
    if is_request {
        return true;
    }
    match (call.len(), call.get(2)) {
        (1 | 2, _) => false,
        (_, Some(Argument::Constant(Some(resource)))) => {
            Asked::parse(resource).is_ok_and(|resource| resource.needs_discovery())
        }
        (_, Some(Argument::Constant(None))) => false,
        _ => true,
    }
}

/// What was read for the calls of a query.
struct Answers {
    scan: AnyScan<Kubernetes>,
    is_request: bool,
    /// The cluster of calls that name none, if there is one.
    default: Option<Arc<str>>,
    clusters: BTreeMap<Arc<str>, Known>,
}

/// One cluster. What could not be read is reported, and is missing here.
struct Known {
    cluster: Arc<Cluster>,
    policy: Option<Arc<Policy>>,
    resources: Option<Arc<Resources>>,
}

impl Answers {
    async fn read(scan: AnyScan<Kubernetes>, calls: &[Call], is_request: bool) -> Result<Self> {
        let (all, default) = scan.env().origins_and_default();
        let default_name = default.as_ref().map(|cluster| cluster.name.clone());
        // The clusters that the calls can name.
        let mut wanted: Vec<Arc<Cluster>> = Vec::new();
        for call in calls {
            let named = cluster_argument(call.len()).map(|position| &call[position]);
            let of_call: Vec<Arc<Cluster>> = match named {
                None | Some(Argument::Constant(None)) => default.iter().cloned().collect(),
                Some(Argument::Constant(Some(name))) => {
                    all.iter().filter(|cluster| *cluster.name == **name).cloned().collect()
                }
                Some(Argument::PerRow) => all.clone(),
            };
            for cluster in of_call {
                if !wanted.iter().any(|known| known.name == cluster.name) {
                    wanted.push(cluster);
                }
            }
        }
        let is_discovered = calls.iter().any(|call| needs_discovery(call, is_request));
        let read = wanted.into_iter().map(|cluster| {
            let scan = scan.in_slice(&read::origin(&cluster));
            async move {
                let policy = reported(&scan, &cluster, read::policy(&scan, &cluster).await)?;
                let resources = match is_discovered && policy.is_some() {
                    true => reported(&scan, &cluster, discovery::resources(&scan, &cluster.name).await)?,
                    false => None,
                };
                Ok((cluster.name.clone(), Known { cluster, policy, resources }))
            }
        });
        let clusters = join_all(read).await.into_iter().collect::<Result<_>>()?;
        Ok(Answers { scan, is_request, default: default_name, clusters })
    }

    /// Reports why a value is NULL, once per query for each cause.
    fn report(&self, origin: String, error: &Error) {
        if self.scan.context().query.is_first(&format!("{} {origin} {error}", self.scan.spec().name)) {
            self.scan.report(origin, error);
        }
    }

    fn malformed(&self, argument: &str, text: &str, why: String) {
        let shown: String = text.chars().take(80).collect();
        self.report(format!("{argument}={shown}"), &Error::Malformed(why));
    }

    /// The cluster of a call.
    fn known(&self, name: Option<&str>) -> Option<&Known> {
        let Some(name) = name.or(self.default.as_deref()) else {
            let why = "several clusters are configured and none of them is the current context: name one as the last argument";
            self.report("cluster".to_owned(), &Error::Unsupported(why.to_owned()));
            return None;
        };
        let known = self.clusters.get(name);
        if known.is_none() {
            let why = format!("there is no context `{name}`");
            self.report(format!("cluster={name}"), &Error::Unsupported(why));
        }
        known
    }

    /// The answer of a cluster: unknown if its policy is not complete and does not allow it.
    fn decide(&self, known: &Known, identity: &Identity, verb: &str, target: &Target<'_>) -> Option<bool> {
        let policy = known.policy.as_ref()?;
        if policy.allows(identity, verb, target).is_some() {
            return Some(true);
        }
        read::report_other_authorizers(&self.scan, &known.cluster);
        (!policy.is_incomplete).then_some(false)
    }

    /// The answer to a question as JSON.
    fn review(&self, spec: &str, cluster: Option<&str>) -> Option<bool> {
        let known = self.known(cluster)?;
        let review = match Review::parse(spec) {
            Ok(review) => review,
            Err(why) => {
                self.malformed("spec", spec, why);
                return None;
            }
        };
        match (&review.what, self.is_request) {
            (What::Resource { group, resource, subresource, name, namespace }, true) => {
                let resources = known.resources.as_ref()?;
                let target = as_request(&review.verb, group, resource, subresource, name, namespace, resources);
                self.decide(known, &review.identity, &review.verb, &target)
            }
            _ => self.decide(known, &review.identity, &review.verb, &review.target()),
        }
    }

    /// The answer to a question in arguments.
    fn answer(&self, asked: &[Option<&str>]) -> Option<bool> {
        let argument = |position: usize| asked.get(position).copied().flatten();
        let (subject, verb, resource) = (argument(0)?, argument(1)?, argument(2)?);
        let (namespace, name) = (argument(3).unwrap_or_default(), argument(4).unwrap_or_default());
        let known = self.known(argument(5))?;
        let identity = match question::identity(subject) {
            Ok(identity) => identity,
            Err(why) => {
                self.malformed("subject", subject, why);
                return None;
            }
        };
        let (resource, group, subresource) = match Asked::parse(resource) {
            Ok(Asked::Url(path)) => return self.decide(known, &identity, verb, &Target::Url(path)),
            Ok(Asked::Resource { resource, group, subresource }) => (resource, group, subresource),
            Err(why) => {
                self.malformed("resource", resource, why);
                return None;
            }
        };
        let (group, resource): (Arc<str>, Arc<str>) = match group {
            Some(group) => (group.into(), resource.into()),
            None => known.resources.as_ref()?.resolve_or_report(&self.scan, &known.cluster.name, resource),
        };
        let target = match self.is_request {
            true => as_request(verb, &group, &resource, subresource, name, namespace, known.resources.as_ref()?),
            false => Target::resource(&group, &resource, subresource, name, namespace),
        };
        self.decide(known, &identity, verb, &target)
    }
}

/// The value; nothing, with a report, if it could not be read.
fn reported<T>(scan: &AnyScan<Kubernetes>, cluster: &Cluster, value: Result<T>) -> Result<Option<T>> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.ends_query() => Err(error),
        Err(error) => {
            scan.report(read::origin(cluster), &error);
            Ok(None)
        }
    }
}

impl Evaluate for Answers {
    fn evaluate(&self, arguments: &[StringViewArray]) -> Result<ArrayRef> {
        let rows = arguments.first().map_or(0, Array::len);
        let value = |array: &'_ StringViewArray, row: usize| array.is_valid(row).then(|| array.value(row).to_owned());
        let answers = (0..rows).map(|row| {
            let asked: Vec<Option<String>> = arguments.iter().map(|array| value(array, row)).collect();
            let asked: Vec<Option<&str>> = asked.iter().map(Option::as_deref).collect();
            match asked.as_slice() {
                [spec] => self.review((*spec)?, None),
                [spec, cluster] => self.review((*spec)?, *cluster),
                asked => self.answer(asked),
            }
        });
        Ok(Arc::new(answers.collect::<BooleanArray>()))
    }
}
