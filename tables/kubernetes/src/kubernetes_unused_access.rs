//! `kubernetes_unused_access`: rights that nobody used, by the audit logs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{Stream, StreamExt};
use indago_table::json::{FromJson, Shape};
use indago_table::prelude::*;
use indago_table::{AnyScan, Held};
use serde_json::Value as Document;

use crate::audit_log::{self, Event, Period};
use crate::clusters::Kubernetes;
use crate::kubernetes_audit_events::prepare;
use crate::rbac::grant::{Grant, OfCluster, clusters, grants};

/// Rights of users, groups and service accounts that no request of the audit logs used: the rows of `kubernetes_access`
/// that cover no allowed request.
///
/// The files are those of the setting `audit_logs` of `[kubernetes]`. They do not state their cluster, so the query
/// must read one cluster. `days` limits the period; without it, all events count. A right with wildcards is used if a
/// request used any part of it. A right of a group is used if any member used it. With impersonation, the rights of the
/// impersonated identity are used, and `impersonate` of the other. Requests that the audit policy does not record do
/// not count.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_unused_access", env = Kubernetes, stream, reads = "rbac", rows = 1000, identity(),
    needs("list clusterroles", "list clusterrolebindings", "list roles", "list rolebindings")
)]
#[example(
    "Rights of service accounts that were not used for 30 days.",
    "SELECT subject, verb, api_group, resource, namespace, role_name FROM kubernetes_unused_access WHERE days = 30 AND subject_kind = 'ServiceAccount'"
)]
#[example(
    "Unused rights that lead to more rights.",
    "SELECT subject, escalation, binding_name, first_event FROM kubernetes_unused_access WHERE array_length(escalation) > 0"
)]
pub struct UnusedAccess {
    #[column(flatten)]
    grant: Grant,
    /// Number of days before the query whose events count; NULL for all events of the logs.
    #[column(index, selects)]
    days: Option<i64>,
    /// Time of the first event that counts.
    first_event: Option<Timestamp>,
    /// Time of the last event that counts.
    last_event: Option<Timestamp>,
}

impl RowStream for UnusedAccess {
    type Part = OfCluster;

    fn parts(scan: &Scan<Self>) -> Result<Vec<OfCluster>> {
        let clusters = clusters(scan);
        if clusters.len() > 1 {
            let message = "audit logs do not state their cluster: name it in a condition on `cluster`";
            return Err(Error::Unsupported(message.to_owned()));
        }
        Ok(clusters)
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a OfCluster) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            let mut periods: Vec<Option<i64>> = match scan.keys(Self::DAYS) {
                Some(days) => days.into_iter().filter(|days| *days >= 0).map(Some).collect(),
                None => vec![None],
            };
            periods.sort_unstable();
            periods.dedup();
            for days in periods {
                let reading = AnyScan::clone(scan);
                let usage = tokio::task::spawn_blocking(move || Usage::read(&reading, days)).await;
                let usage = usage.map_err(|error| Error::Io {
                    what: "the audit logs".to_owned(),
                    message: error.to_string(),
                })??;
                if usage.first.is_none() {
                    let what = "the audit logs have no event of the period: whether a right was used is unknown";
                    Err(Error::Unsupported(what.to_owned()))?;
                }
                let mut grants = std::pin::pin!(grants(scan, &part.0, false));
                while let Some(grant) = grants.next().await {
                    let grant = grant?;
                    if !usage.is_used(&grant) {
                        yield UnusedAccess { grant, days, first_event: usage.first, last_event: usage.last };
                    }
                }
            }
        }
    }
}

/// An allowed request, as far as rights are concerned.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
struct Request {
    verb: String,
    /// `None` for a path that is not a resource.
    group: Option<String>,
    resource: String,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    url: String,
}

/// The allowed requests of audit logs by their subject.
#[derive(Default)]
struct Usage {
    requests: HashMap<Subject, HashSet<Arc<Request>>>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    held: Held,
}

/// A subject of a binding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    User(String),
    Group(String),
}

const PATHS: [&str; 9] = [
    "stage",
    "stageTimestamp",
    "requestURI",
    "verb",
    "user",
    "impersonatedUser",
    "objectRef",
    "responseStatus.code",
    "annotations.authorization\\.k8s\\.io/decision",
];
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

impl Usage {
    fn read(scan: &AnyScan<Kubernetes>, days: Option<i64>) -> Result<Self> {
        let from = days.map(|days| Timestamp(scan.moment().0.saturating_sub(days.saturating_mul(DAY))));
        let mut usage = Usage { held: scan.meter().hold(0)?, ..Usage::default() };
        for file in audit_log::files(scan)? {
            let shape = PATHS.iter().fold(Shape::default(), |shape, path| shape.with(path));
            let events = audit_log::events(scan, file, shape, Period { from, to: None }, false)?;
            for Event { document, .. } in events.into_iter().flatten() {
                let time = Timestamp::from_json(&document["stageTimestamp"]);
                if from.is_none_or(|from| time.is_some_and(|time| time >= from)) {
                    usage.add(&prepare(document), time)?;
                }
            }
        }
        Ok(usage)
    }

    fn add(&mut self, event: &Document, time: Option<Timestamp>) -> Result<()> {
        self.first = self.first.into_iter().chain(time).min();
        self.last = self.last.max(time);
        if !is_allowed(event) {
            return Ok(());
        }
        let (user, other) = (&event["user"], &event["impersonatedUser"]);
        if other.is_null() {
            return self.count(user, request(event));
        }
        self.count(other, request(event))?;
        let name = other["username"].as_str().unwrap_or_default();
        let account = name.strip_prefix("system:serviceaccount:").and_then(|name| name.split_once(':'));
        let impersonate = |resource: &str, name: &str, namespace: Option<&str>| Request {
            verb: "impersonate".to_owned(),
            group: Some(String::new()),
            resource: resource.to_owned(),
            name: Some(name.to_owned()),
            namespace: namespace.map(str::to_owned),
            ..Request::default()
        };
        match account {
            Some((namespace, name)) => self.count(user, impersonate("serviceaccounts", name, Some(namespace)))?,
            None => self.count(user, impersonate("users", name, None))?,
        }
        for group in other["groups"].as_array().into_iter().flatten().filter_map(Document::as_str) {
            self.count(user, impersonate("groups", group, None))?;
        }
        Ok(())
    }

    fn count(&mut self, user: &Document, request: Request) -> Result<()> {
        let groups = user["groups"].as_array().into_iter().flatten().filter_map(Document::as_str);
        let groups = groups.map(|group| Subject::Group(group.to_owned()));
        let user = user["username"].as_str().map(|name| Subject::User(name.to_owned()));
        let request = Arc::new(request);
        for subject in user.into_iter().chain(groups) {
            let of_subject = self.requests.entry(subject).or_default();
            if of_subject.insert(request.clone()) {
                self.held.add(size_of::<Request>() + 200)?;
            }
        }
        Ok(())
    }

    fn is_used(&self, grant: &Grant) -> bool {
        let name = grant.subject_name.to_string();
        let subject = match (grant.subject_kind.as_str(), &grant.subject_namespace) {
            ("Group", _) => Subject::Group(name),
            ("ServiceAccount", Some(namespace)) => Subject::User(format!("system:serviceaccount:{namespace}:{name}")),
            _ => Subject::User(name),
        };
        self.requests.get(&subject).is_some_and(|requests| requests.iter().any(|request| covers(grant, request)))
    }
}

/// Whether the authorizer allowed a request. An event without its decision is judged by the response.
fn is_allowed(event: &Document) -> bool {
    match event["annotations"]["authorization.k8s.io/decision"].as_str() {
        Some(decision) => decision == "allow",
        None => event["responseStatus"]["code"].as_i64().is_some_and(|code| code != 401 && code != 403),
    }
}

fn request(event: &Document) -> Request {
    let object = &event["object"];
    let text = |name: &str| object[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let path = event["requestURI"].as_str().unwrap_or_default().split('?').next().unwrap_or_default();
    let resource = text("resource");
    Request {
        verb: event["verb"].as_str().unwrap_or_default().to_owned(),
        group: resource.is_some().then(|| object["apiGroup"].as_str().unwrap_or_default().to_owned()),
        url: if resource.is_none() { path.to_owned() } else { String::new() },
        resource: resource.unwrap_or_default(),
        subresource: text("subresource"),
        namespace: text("namespace"),
        name: text("name"),
    }
}

const ALL: &str = "*";

/// Whether a grant allows a request, as the API server's authorizer decides it.
fn covers(grant: &Grant, request: &Request) -> bool {
    let is = |granted: &str, asked: &str| granted == ALL || granted == asked;
    if !is(&grant.verb, &request.verb) {
        return false;
    }
    let (Some(group), Some(resource)) = (&grant.api_group, &grant.resource) else {
        let url = grant.non_resource_url.as_deref().unwrap_or_default();
        return request.group.is_none()
            && match url.strip_suffix('*') {
                Some(start) => request.url.starts_with(start),
                None => request.url == url,
            };
    };
    let Some(asked_group) = &request.group else { return false };
    let is_resource = match (&**resource, &grant.subresource) {
        (ALL, None) => true,
        (ALL, Some(subresource)) => request.subresource.as_deref() == Some(subresource),
        (resource, subresource) => {
            resource == request.resource && subresource.as_deref() == request.subresource.as_deref()
        }
    };
    is(group, asked_group)
        && is_resource
        && grant.namespace.as_deref().is_none_or(|namespace| request.namespace.as_deref() == Some(namespace))
        && grant.resource_name.as_deref().is_none_or(|name| request.name.as_deref() == Some(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grant(verb: &str, group: &str, resource: &str, subresource: Option<&str>) -> Grant {
        Grant {
            subject_kind: "ServiceAccount".to_owned(),
            subject_name: "web".into(),
            subject_namespace: Some("shop".into()),
            verb: verb.into(),
            api_group: Some(group.into()),
            resource: Some(resource.into()),
            subresource: subresource.map(Into::into),
            ..Grant::default()
        }
    }

    fn usage(events: &[Document]) -> Usage {
        let mut usage = Usage::default();
        for event in events {
            usage.add(&prepare(event.clone()), Some(Timestamp(0))).unwrap();
        }
        usage
    }

    #[test]
    fn a_right_is_used_by_the_requests_that_it_covers() {
        let event = json!({
            "verb": "get", "user": {"username": "system:serviceaccount:shop:web", "groups": ["system:serviceaccounts"]},
            "objectRef": {"resource": "pods", "subresource": "log", "namespace": "shop", "name": "p"},
            "responseStatus": {"code": 200}, "requestURI": "/api/v1/namespaces/shop/pods/p/log",
        });
        let usage = usage(&[event]);
        for (grant, expected) in [
            (grant("get", "", "pods", Some("log")), true),
            (grant("*", "*", "*", None), true),
            (grant("get", "", "*", Some("log")), true),
            (grant("get", "", "*", Some("exec")), false),
            (grant("get", "", "pods", None), false),
            (grant("list", "", "pods", Some("log")), false),
            (grant("get", "apps", "pods", Some("log")), false),
            (Grant { namespace: Some("shop".into()), ..grant("get", "", "pods", Some("log")) }, true),
            (Grant { namespace: Some("other".into()), ..grant("get", "", "pods", Some("log")) }, false),
            (Grant { resource_name: Some("p".into()), ..grant("get", "", "pods", Some("log")) }, true),
            (Grant { resource_name: Some("q".into()), ..grant("get", "", "pods", Some("log")) }, false),
            (Grant { subject_name: "other".into(), ..grant("get", "", "pods", Some("log")) }, false),
            (
                Grant {
                    subject_kind: "Group".to_owned(),
                    subject_name: "system:serviceaccounts".into(),
                    subject_namespace: None,
                    ..grant("get", "", "pods", Some("log"))
                },
                true,
            ),
        ] {
            assert_eq!(usage.is_used(&grant), expected, "{grant:?}");
        }
    }

    #[test]
    fn refused_requests_and_those_of_impersonators_use_no_right() {
        let event = |user: Document, code: i64| {
            let mut event = json!({
                "verb": "list", "objectRef": {"resource": "pods"}, "requestURI": "/api/v1/pods",
                "responseStatus": {"code": code},
            });
            for (key, value) in user.as_object().unwrap() {
                event[key] = value.clone();
            }
            event
        };
        let user = |kind: &str, name: &str, verb: &str, resource: &str| Grant {
            subject_kind: kind.to_owned(),
            subject_name: name.into(),
            subject_namespace: None,
            ..grant(verb, "", resource, None)
        };
        let refused = usage(&[event(json!({"user": {"username": "eve"}}), 403)]);
        assert!(!refused.is_used(&user("User", "eve", "list", "pods")));
        let both = json!({"user": {"username": "ann"}, "impersonatedUser": {"username": "bob", "groups": ["devs"]}});
        let usage = usage(&[event(both, 200)]);
        for (grant, expected) in [
            (user("User", "bob", "list", "pods"), true),
            (user("Group", "devs", "list", "pods"), true),
            (user("User", "ann", "list", "pods"), false),
            (user("User", "ann", "impersonate", "users"), true),
            (user("User", "ann", "impersonate", "groups"), true),
            (user("User", "ann", "impersonate", "serviceaccounts"), false),
        ] {
            assert_eq!(usage.is_used(&grant), expected, "{grant:?}");
        }
    }

    #[test]
    fn paths_that_are_no_resources_have_their_own_rights() {
        let event = json!({
            "verb": "get", "user": {"username": "prometheus"}, "requestURI": "/metrics/cadvisor?x=1",
            "responseStatus": {"code": 200},
        });
        let usage = usage(&[event]);
        let url = |url: &str| Grant {
            subject_kind: "User".to_owned(),
            subject_name: "prometheus".into(),
            verb: "get".into(),
            non_resource_url: Some(url.into()),
            ..Grant::default()
        };
        for (pattern, expected) in [("/metrics/*", true), ("/metrics", false), ("/metrics/cadvisor", true), ("*", true)]
        {
            assert_eq!(usage.is_used(&url(pattern)), expected, "{pattern}");
        }
    }
}
