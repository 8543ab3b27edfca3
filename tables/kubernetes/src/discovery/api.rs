//! The resources that an API server serves. Servers from 1.26 on describe all of them in two documents (aggregated
//! discovery); older ones have a document for each version of each group.

use std::collections::HashSet;

use futures::StreamExt;
use indago_table::json;
use indago_table::{AnyScan, Error, Result};
use serde_json::{Value as Document, json};

use super::fetch::{Fetched, fetch};
use crate::clusters::{Cluster, Kubernetes};
use crate::resource::{elements, misfits};

/// One group in one version.
#[derive(Debug)]
pub(crate) struct GroupVersion {
    /// As in an object's `apiVersion`.
    pub(crate) name: String,
    /// Its resources and subresources, as a document of `/apis/GROUP/VERSION` lists them.
    pub(crate) resources: Vec<Document>,
    /// Why they are unknown, or perhaps out of date.
    pub(crate) problem: Option<Error>,
}

/// A resource that a server serves and lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    /// The API group; empty for the core group.
    pub(crate) group: String,
    pub(crate) version: String,
    /// Its name, as in URLs.
    pub(crate) plural: String,
    pub(crate) kind: String,
    pub(crate) is_namespaced: bool,
}

impl Served {
    pub(crate) fn group_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// One of the two documents at which discovery starts.
pub(super) enum Root {
    /// It did not change.
    Unchanged,
    /// All groups of the document, with their resources.
    Aggregated { versions: Vec<GroupVersion>, validator: Option<String> },
    /// Only the groups and versions, by preference within each group.
    Plain(Vec<String>),
}

/// The core group, and all others.
pub(super) const ROOTS: [&str; 2] = ["/api", "/apis"];

/// The types of discovery documents, best first. A server of 1.20 responds with 406 if the plain type is missing.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
     application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
const PLAIN: &str = "application/json";

/// Most versions of groups, and most resources of one of them. No real server has as many.
const MOST_VERSIONS: usize = 20_000;
const MOST_RESOURCES: usize = 100_000;

/// All groups in all their versions. `admits` selects groups before their resources are requested.
///
/// Aggregated documents lack the hashes of storage versions; `is_aggregated` forbids them.
pub(crate) async fn all(
    scan: &AnyScan<Kubernetes>,
    cluster: &Cluster,
    is_aggregated: bool,
    admits: impl Fn(&str) -> bool,
) -> Result<Vec<GroupVersion>> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for path in ROOTS {
        if path == ROOTS[0] && !admits("") {
            continue;
        }
        match root(scan, cluster, path, is_aggregated, None).await? {
            Root::Unchanged => {}
            Root::Aggregated { versions, .. } => found.extend(versions),
            Root::Plain(versions) => names.extend(versions),
        }
    }
    found.retain(|version| admits(split(&version.name).0));
    names.retain(|name| admits(split(name).0));
    found.extend(each(scan, cluster, names).await);
    Ok(found)
}

/// The resources of some groups and versions, each from its own document.
pub(crate) async fn each(scan: &AnyScan<Kubernetes>, cluster: &Cluster, names: Vec<String>) -> Vec<GroupVersion> {
    let read = scan.in_rounds(names, |name| async move {
        match resources(scan, cluster, &name).await {
            Ok(resources) => GroupVersion { name, resources, problem: None },
            Err(error) => GroupVersion { name, resources: Vec::new(), problem: Some(unknown(error)) },
        }
    });
    read.collect().await
}

/// One of the [`ROOTS`]. `known` is the validator of a document that the caller still has.
pub(super) async fn root(
    scan: &AnyScan<Kubernetes>,
    cluster: &Cluster,
    path: &str,
    is_aggregated: bool,
    known: Option<&str>,
) -> Result<Root> {
    let accept = if is_aggregated { AGGREGATED } else { PLAIN };
    let (text, validator) = match fetch(scan, cluster, path, accept, known).await? {
        Fetched::Unchanged => return Ok(Root::Unchanged),
        Fetched::Body(text, validator) => (text, validator),
        Fetched::Missing(message) => {
            let why = format!("the server has no {path}: is it a Kubernetes API server? ({message})");
            return Err(Error::Unsupported(why));
        }
    };
    let document = parse(path, &text)?;
    let report = |message: String| {
        scan.report(format!("{}GET {path}", cluster.label()), &Error::Malformed(message));
    };
    match document["kind"].as_str() {
        Some("APIGroupDiscoveryList") => {
            let mut versions: Vec<_> = elements(&document["items"]).flat_map(|group| grouped(group, &report)).collect();
            versions.truncate(MOST_VERSIONS);
            Ok(Root::Aggregated { versions, validator })
        }
        Some("APIVersions") if path == ROOTS[0] => Ok(Root::Plain(
            elements(&document["versions"]).filter_map(|name| version_name("", name, &report)).collect(),
        )),
        Some("APIGroupList") if path != ROOTS[0] => {
            let mut names = Vec::new();
            for group in elements(&document["groups"]) {
                let first = names.len();
                let name = group["name"].as_str().unwrap_or_default();
                let versions = elements(&group["versions"]).map(|version| &version["groupVersion"]);
                names.extend(versions.filter_map(|version| version_name(name, version, &report)));
                // The server lists the preferred version first; this holds for one that does not.
                let preferred = &group["preferredVersion"]["groupVersion"];
                names[first..].sort_by_key(|name| preferred != name.as_str());
            }
            names.truncate(MOST_VERSIONS);
            Ok(Root::Plain(names))
        }
        _ => {
            let (found, wanted) = (&document["kind"], if path == ROOTS[0] { "APIVersions" } else { "APIGroupList" });
            Err(Error::Malformed(format!("GET {path}: the kind of the response is {found}, not {wanted}")))
        }
    }
}

/// The name of a group in a version. One that is malformed is reported and skipped.
fn version_name(group: &str, name: &Document, report: &impl Fn(String)) -> Option<String> {
    match name.as_str() {
        None => report(format!("a version's name is {}, not a text", json::kind(name))),
        Some(name) if !is_group_version(name) => report(format!("the version {name:?} of a group is skipped")),
        Some(name) if !group.is_empty() && split(name).0 != group => {
            report(format!("the version {name:?} of the group {group:?} is skipped: it is of another group"));
        }
        Some(name) => return Some(name.to_owned()),
    }
    None
}

/// The versions of a group in an aggregated document.
fn grouped(group: &Document, report: &impl Fn(String)) -> Vec<GroupVersion> {
    let name = match &group["metadata"]["name"] {
        Document::Null => "",
        Document::String(name) => name,
        other => {
            report(format!("a group's name is {}, not a text", json::kind(other)));
            return Vec::new();
        }
    };
    let version = |version: &Document| {
        let number = version["version"].as_str().unwrap_or_default();
        let full = if name.is_empty() { number.to_owned() } else { format!("{name}/{number}") };
        let full = version_name(name, &Document::String(full), report)?;
        let stale = version["freshness"] == "Stale";
        let problem = stale.then(|| unknown(Error::Unavailable("its API server cannot be reached".to_owned())));
        for error in misfits::<()>(&version["resources"], "resources").into_iter().filter_map(Result::err) {
            report(format!("{full}: {error}"));
        }
        let resources = elements(&version["resources"]).filter(|resource| resource.is_object());
        let resources = resources.flat_map(as_listed).take(MOST_RESOURCES).collect();
        Some(GroupVersion { name: full, resources, problem })
    };
    elements(&group["versions"]).filter_map(version).collect()
}

/// A resource of an aggregated document and its subresources, in the form of a group version's own document.
fn as_listed(resource: &Document) -> Vec<Document> {
    let is_namespaced = resource["scope"] == "Namespaced";
    let name = resource["resource"].as_str().unwrap_or_default();
    let listed = |name: String, of: &Document| {
        json!({
            "name": name,
            "singularName": of["singularResource"].as_str().unwrap_or_default(),
            "namespaced": is_namespaced,
            "kind": of["responseKind"]["kind"].as_str().unwrap_or_default(),
            "verbs": of["verbs"],
            "shortNames": of["shortNames"],
            "categories": of["categories"],
        })
    };
    let subresources = elements(&resource["subresources"]).filter(|subresource| subresource.is_object());
    let subresources =
        subresources.map(|of| listed(format!("{name}/{}", of["subresource"].as_str().unwrap_or_default()), of));
    std::iter::once(listed(name.to_owned(), resource)).chain(subresources).collect()
}

/// The resources of one group in one version, as its document lists them.
pub(crate) async fn resources(scan: &AnyScan<Kubernetes>, cluster: &Cluster, name: &str) -> Result<Vec<Document>> {
    let path = path(name);
    let text = match fetch(scan, cluster, &path, PLAIN, None).await? {
        Fetched::Body(text, _) => text,
        Fetched::Missing(message) => return Err(Error::Gone(message)),
        Fetched::Unchanged => return Err(Error::Malformed(format!("GET {path}: the response has no document"))),
    };
    let mut list = parse(&path, &text)?;
    if list["kind"] != "APIResourceList" {
        return Err(Error::Malformed(format!("the response is not a list of resources: its kind is {}", list["kind"])));
    }
    for error in misfits::<()>(&list["resources"], "resources").into_iter().filter_map(Result::err) {
        scan.report(format!("{}GET {path}", cluster.label()), &error);
    }
    let Document::Array(mut resources) = list["resources"].take() else { return Ok(Vec::new()) };
    resources.retain(Document::is_object);
    resources.truncate(MOST_RESOURCES);
    Ok(resources)
}

fn parse(path: &str, text: &[u8]) -> Result<Document> {
    serde_json::from_slice(text)
        .map_err(|error| Error::Malformed(format!("GET {path}: not the JSON that was expected: {error}")))
}

/// An API whose backend is down still exists, but its resources are unknown.
fn unknown(error: Error) -> Error {
    match error {
        Error::Unavailable(why) => Error::Unavailable(format!("the resources of this API are unknown: {why}")),
        other => other,
    }
}

/// The resources among these that can be tables: those that can be listed and whose names can be part of a URL.
pub(super) fn served(versions: &[GroupVersion]) -> Vec<Served> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for GroupVersion { name, resources, .. } in versions {
        let (group, version) = split(name);
        for resource in resources {
            let text = |key: &str| resource[key].as_str().unwrap_or_default();
            let (plural, kind) = (text("name"), text("kind"));
            let can_list = elements(&resource["verbs"]).any(|verb| verb == "list");
            if !can_list || !is_plural(plural) || kind.is_empty() || !seen.insert((name.as_str(), plural.to_owned())) {
                continue;
            }
            all.push(Served {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: plural.to_owned(),
                kind: kind.to_owned(),
                is_namespaced: resource["namespaced"] == true,
            });
        }
    }
    all
}

/// Path of a group version's document.
pub(crate) fn path(group_version: &str) -> String {
    let root = if group_version.contains('/') { "/apis" } else { "/api" };
    format!("{root}/{group_version}")
}

/// Group and version of `apps/v1`, or of `v1`, whose group has no name.
pub(crate) fn split(group_version: &str) -> (&str, &str) {
    group_version.split_once('/').unwrap_or(("", group_version))
}

/// Whether a group and version can have that name. Any other one would change the URL's meaning.
pub(crate) fn is_group_version(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let (group, version) = split(name);
    [group, version].iter().all(|part| part.bytes().all(is_plain) && !part.contains("..") && part.len() <= 253)
        && !version.is_empty()
        && !version.starts_with('.')
        && (name.starts_with(group) && !name.starts_with('/'))
}

/// Whether a resource can have that name.
fn is_plural(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !name.is_empty() && name.len() <= 63 && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn scan(env: &Kubernetes) -> AnyScan<Kubernetes> {
        let spec = indago_table::TableSpec::new("t", "kubernetes", "", Vec::new());
        AnyScan::new(&std::sync::Arc::new(spec), indago_table::ScanContext::new([]), env)
    }

    #[tokio::test]
    async fn an_aggregated_document_lists_what_the_single_ones_do() {
        let aggregated = |group: &str, versions: Document| {
            let items = json!([{"metadata": {"name": group}, "versions": versions}]);
            json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})
        };
        let (env, asked) = testing::cluster(move |path| match path {
            "/api" => {
                // The group and version of a kind are empty if they are those around it.
                let log = json!({"subresource": "log", "responseKind": {"group": "", "kind": "Pod"}, "verbs": ["get"]});
                let pods = json!({"resource": "pods", "responseKind": {"kind": "Pod"}, "scope": "Namespaced",
                    "singularResource": "pod", "verbs": ["get", "list"], "shortNames": ["po"], "subresources": [log, 7]});
                let resources =
                    json!([pods, "x", {"resource": "../x", "verbs": ["list"], "responseKind": {"kind": "X"}}]);
                testing::json(200, aggregated("", json!([{"version": "v1", "resources": resources}])))
            }
            _ => {
                let gadgets = json!([{"resource": "gadgets", "responseKind": {"kind": "Gadget"}, "scope": "Cluster", "verbs": ["list"]}]);
                let versions = json!([{"version": "v2", "resources": gadgets}, {"version": "v1", "freshness": "Stale"}, {"version": "a/b"}, 3]);
                testing::json(200, aggregated("acme.io", versions))
            }
        });
        let scan = scan(&env);
        let cluster = env.cluster("c").unwrap();
        let found = all(&scan, &cluster, true, |_| true).await.unwrap();
        let told: Vec<_> =
            found.iter().map(|it| (it.name.as_str(), it.resources.len(), it.problem.is_some())).collect();
        assert_eq!(told, [("v1", 3, false), ("acme.io/v2", 1, false), ("acme.io/v1", 0, true)]);
        assert_eq!(found[0].resources[1]["name"], "pods/log");
        let served: Vec<_> = served(&found).iter().map(|it| format!("{} {}", it.group_version(), it.plural)).collect();
        assert_eq!(served, ["v1 pods", "acme.io/v2 gadgets"]);
        assert_eq!(*asked.lock().unwrap(), ["/api", "/apis"]);
        let warnings = scan.context().query.diagnostics().warnings();
        let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "t (cluster=c GET /api): v1: `resources` holds a text instead of an object",
                "t (cluster=c GET /apis): the version \"acme.io/a/b\" of a group is skipped [2 times]",
            ]
        );
    }

    #[tokio::test]
    async fn the_preferred_version_of_a_group_is_the_first() {
        let (env, _) = testing::cluster(|path| match path {
            "/api" => testing::json(200, json!({"kind": "APIVersions", "versions": ["v1", 7]})),
            "/apis" => {
                let versions =
                    json!([{"groupVersion": "b.io/v1beta1"}, {"groupVersion": "b.io/v1"}, {"groupVersion": "c.io/v1"}]);
                let group =
                    json!({"name": "b.io", "versions": versions, "preferredVersion": {"groupVersion": "b.io/v1"}});
                testing::json(200, json!({"kind": "APIGroupList", "groups": [group, {"name": "n", "versions": 1}]}))
            }
            "/apis/b.io/v1" => testing::Answer { headers: Vec::new(), ..testing::json(503, "service unavailable") },
            _ => {
                let twice = json!({"name": "things", "namespaced": true, "kind": "Thing", "verbs": ["list"]});
                testing::json(
                    200,
                    json!({"kind": "APIResourceList", "resources": [twice, twice, {"name": "things/x"}, 1]}),
                )
            }
        });
        let scan = scan(&env);
        let found = all(&scan, &env.cluster("c").unwrap(), true, |_| true).await.unwrap();
        let told: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.problem.is_some())).collect();
        assert_eq!(told, [("v1", false), ("b.io/v1", true), ("b.io/v1beta1", false)]);
        assert_eq!(served(&found).iter().map(Served::group_version).collect::<Vec<_>>(), ["v1", "b.io/v1beta1"]);
    }

    #[test]
    fn group_and_version_have_their_path() {
        assert_eq!((path("v1"), path("apps/v1")), ("/api/v1".to_owned(), "/apis/apps/v1".to_owned()));
        assert_eq!((split("v1"), split("apps/v1")), (("", "v1"), ("apps", "v1")));
        for name in ["", "/", "/v1", "apps/", "../v1", "v1?x", "a/b/c", "apps/v1#", "."] {
            assert!(!is_group_version(name), "{name}");
        }
        assert!(is_group_version("rbac.authorization.k8s.io/v1beta1") && is_group_version("v1"));
    }
}
