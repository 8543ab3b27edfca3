//! `kubernetes_api_resources`: one row per resource and version that an API server serves.

use std::fmt;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use indago_table::json::{self, Shape};
use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::call::get_object;
use crate::clusters::{Cluster, Kubernetes};
use crate::resource::{self, misfits};

/// Resources that the API servers of Kubernetes clusters serve, in each version, including those of operators.
///
/// Subresources, such as `pods/exec`, have separate rows, because RBAC rules name them. `group` and `group_version`
/// avoid the calls for other groups.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_api_resources", env = Kubernetes, stream, reads = "api", rows = 200,
    identity(cluster, group_version, name)
)]
#[example(
    "Resources of operators.",
    "SELECT group_version, name, kind FROM kubernetes_api_resources WHERE \"group\" LIKE '%.%' AND \"group\" NOT LIKE '%.k8s.io'"
)]
#[example(
    "Verbs of pods and their subresources.",
    "SELECT name, verbs FROM kubernetes_api_resources WHERE group_version = 'v1' AND name LIKE 'pods%'"
)]
pub struct ApiResource {
    /// Context in the kubeconfig.
    #[column(slice)]
    cluster: Arc<str>,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// ID of the cluster: the UID of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Name of the resource as in URLs and RBAC rules: `pods`, `pods/exec`.
    #[column(path = "name")]
    pub(crate) name: String,
    /// Name of a single object: `pod`. Empty if the server states none, as for subresources.
    #[column(path = "singularName")]
    pub(crate) singular_name: String,
    /// Whether its objects belong to namespaces.
    #[column(path = "namespaced")]
    pub(crate) namespaced: bool,
    /// API group. The core group is the empty text.
    #[column(slice)]
    pub(crate) group: Arc<str>,
    /// Version of the group.
    version: Arc<str>,
    /// Kind of its objects, as in their field `kind`.
    #[column(path = "kind")]
    pub(crate) kind: String,
    /// Supported verbs: `get`, `list`, `watch`, `create` and so on.
    #[column(path = "verbs")]
    pub(crate) verbs: Vec<String>,
    /// Short names for kubectl, such as `po`.
    #[column(path = "shortNames")]
    pub(crate) short_names: Vec<String>,
    /// Categories of the resource, such as `all`.
    #[column(path = "categories")]
    categories: Vec<String>,
    /// Hash of the version in which it is stored.
    #[column(path = "storageVersionHash")]
    storage_version_hash: Option<String>,
    /// Group and version, as in an object's `apiVersion`: `v1`, `apps/v1`.
    #[column(slice)]
    pub(crate) group_version: Arc<str>,
}

/// The discovery of one cluster.
#[derive(Debug)]
pub struct Discovery {
    cluster: Arc<Cluster>,
    /// The wanted groups and versions, if not all.
    group_versions: Option<Vec<String>>,
}

impl Discovery {
    /// The entire discovery of a cluster.
    pub(crate) fn of(cluster: &Arc<Cluster>) -> Self {
        Discovery { cluster: cluster.clone(), group_versions: None }
    }
}

impl fmt::Display for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}GET ", self.cluster.label())?;
        match &self.group_versions {
            Some(some) => {
                f.write_str(&some.iter().map(|group_version| path(group_version)).collect::<Vec<_>>().join(" "))
            }
            None => f.write_str("/api /apis"),
        }
    }
}

impl indago_table::Part for Discovery {
    fn known(&self, column: &str) -> Option<String> {
        self.cluster.known(column)
    }
}

impl RowStream for ApiResource {
    type Part = Discovery;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Discovery>> {
        let mut group_versions = scan.keys(Self::GROUP_VERSION);
        let is_open = scan.context().is_open(Self::SPEC, Self::GROUP_VERSION.position());
        if let Some(group_versions) = group_versions.as_mut().filter(|_| !is_open) {
            group_versions.sort();
            group_versions.dedup();
            group_versions.retain(|group_version| scan.admits(Self::GROUP, &split(group_version).0.to_owned()));
            group_versions.retain(|group_version| is_group_version(group_version));
        }
        let clusters = scan.env().clusters(scan);
        Ok(clusters.into_iter().map(|cluster| Discovery { cluster, group_versions: group_versions.clone() }).collect())
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a Discovery) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            part.cluster.client(scan).await?;
            let group_versions = match &part.group_versions {
                Some(some) => some.clone(),
                None => all_group_versions(scan, &part.cluster).await?,
            };
            let lists = scan.in_rounds(group_versions, |group_version| async move {
                let resources = resources(scan, part, &group_version).await;
                (group_version, resources)
            });
            let mut lists = std::pin::pin!(lists);
            while let Some((group_version, resources)) = lists.next().await {
                match resources {
                    Ok(resources) => {
                        for resource in resources {
                            yield resource;
                        }
                    }
                    Err(Error::Gone(_)) => {}
                    // An API of an unavailable extension must not hide the others.
                    Err(error) => {
                        scan.report(format!("{}GET {}", part.cluster.label(), path(&group_version)), &unknown(error));
                    }
                }
            }
        }
    }
}

impl ApiResource {
    async fn cluster_uid(&mut self, scan: &Scan<Self>) -> Result<()> {
        self.cluster_uid = Some(resource::cluster_uid(scan, &self.cluster).await?);
        Ok(())
    }
}

const NEEDS: &str = "get /api and /apis, as system:discovery may";

/// All groups in all their versions; the core group is first.
async fn all_group_versions(scan: &Scan<ApiResource>, cluster: &Cluster) -> Result<Vec<String>> {
    let mut all = Vec::new();
    if scan.admits(ApiResource::GROUP, &String::new()) {
        let core = root(scan, cluster, "/api", "APIVersions", Shape::default().with("versions")).await?;
        all.extend(names(scan, cluster, "/api", elements(&core["versions"])));
    }
    let shape = Shape::default().with("groups.*.name").with("groups.*.versions.*.groupVersion");
    let groups = root(scan, cluster, "/apis", "APIGroupList", shape).await?;
    for group in elements(&groups["groups"]) {
        let name = group["name"].as_str().unwrap_or_default().to_owned();
        if scan.admits(ApiResource::GROUP, &name) {
            let versions = elements(&group["versions"]).map(|version| &version["groupVersion"]);
            all.extend(names(scan, cluster, "/apis", versions));
        }
    }
    Ok(all)
}

/// A document that every API server has.
async fn root(scan: &Scan<ApiResource>, cluster: &Cluster, path: &str, kind: &str, shape: Shape) -> Result<Document> {
    let document = get_object(scan, cluster, path, NEEDS, &shape.with("kind")).await.map_err(|error| match error {
        Error::Gone(message) => {
            Error::Unsupported(format!("the server has no {path}: is it a Kubernetes API server? ({message})"))
        }
        other => other,
    })?;
    match &document["kind"] {
        found if found == kind => Ok(document),
        found => Err(Error::Malformed(format!("GET {path}: the kind of the response is {found}, not {kind}"))),
    }
}

/// An API whose backend is down still exists, but its resources are unknown.
fn unknown(error: Error) -> Error {
    match error {
        Error::Unavailable(why) => Error::Unavailable(format!("the resources of this API are unknown: {why}")),
        other => other,
    }
}

fn elements(list: &Document) -> impl Iterator<Item = &Document> {
    list.as_array().into_iter().flatten()
}

/// Names of groups and versions. A name that is not a text is reported and skipped.
fn names<'a>(
    scan: &Scan<ApiResource>,
    cluster: &Cluster,
    path: &str,
    names: impl Iterator<Item = &'a Document>,
) -> Vec<String> {
    let name = |name: &Document| match name.as_str() {
        Some(name) => Some(name.to_owned()),
        None => {
            let message = format!("a version's name is {}, not a text", json::kind(name));
            scan.report(format!("{}GET {path}", cluster.label()), &Error::Malformed(message));
            None
        }
    };
    names.filter_map(name).collect()
}

/// The resources of one group in one version.
async fn resources(scan: &Scan<ApiResource>, part: &Discovery, group_version: &str) -> Result<Vec<ApiResource>> {
    let shape = Shape::default().with("kind").with("resources");
    let list = get_object(scan, &part.cluster, &path(group_version), NEEDS, &shape).await?;
    if list["kind"] != "APIResourceList" {
        return Err(Error::Malformed(format!("the response is not a list of resources: its kind is {}", list["kind"])));
    }
    let (group, version) = split(group_version);
    let resource = |document: &Document| {
        let mut row = ApiResource {
            cluster: part.cluster.name.clone(),
            cluster_name: part.cluster.cluster_name.clone(),
            group: group.into(),
            version: version.into(),
            group_version: group_version.into(),
            ..ApiResource::default()
        };
        scan.fill(&mut row, document, scan.wanted(), &format_args!("cluster={}", part.cluster.name));
        row
    };
    for error in misfits::<()>(&list["resources"], "resources").into_iter().filter_map(Result::err) {
        scan.report(format!("{}GET {}", part.cluster.label(), path(group_version)), &error);
    }
    Ok(elements(&list["resources"]).filter(|document| document.is_object()).map(resource).collect())
}

fn path(group_version: &str) -> String {
    let root = if group_version.contains('/') { "/apis" } else { "/api" };
    format!("{root}/{group_version}")
}

/// Group and version of `apps/v1`, or of `v1`, whose group has no name.
fn split(group_version: &str) -> (&str, &str) {
    group_version.split_once('/').unwrap_or(("", group_version))
}

/// Whether a group and version can have that name. Any other one would change the URL's meaning.
fn is_group_version(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let (group, version) = split(name);
    [group, version].iter().all(|part| part.bytes().all(is_plain) && !part.contains(".."))
        && !version.is_empty()
        && !version.starts_with('.')
        && (name.starts_with(group) && !name.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn an_api_whose_backend_is_down_is_unknown_and_hides_no_other() {
        let (env, _) = testing::cluster(|path| match path {
            "/api" => testing::json(200, r#"{"kind":"APIVersions","versions":["v1"]}"#),
            "/apis" => testing::json(
                200,
                r#"{"kind":"APIGroupList","groups":[{"name":"m","versions":[{"groupVersion":"m/v1"}]}]}"#,
            ),
            "/api/v1" => testing::json(
                200,
                r#"{"kind":"APIResourceList","resources":[{"name":"pods","singularName":"","namespaced":true,"kind":"Pod","verbs":[]}]}"#,
            ),
            _ => testing::Answer { headers: Vec::new(), ..testing::json(503, "service unavailable\n") },
        });
        let scan = testing::scan::<ApiResource>(&env, &[], None);
        let (rows, outcome) = testing::rows(&scan).await;
        assert_eq!((rows.iter().map(|row| &*row.name).collect::<Vec<_>>(), outcome), (vec!["pods"], Ok(())));
        let warnings = scan.context().query.diagnostics().warnings();
        let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        let expected = "kubernetes_api_resources (cluster=c GET /apis/m/v1): the resources of this API are unknown: \
            the API server responds with 503 (service unavailable)";
        assert_eq!(told, [expected]);
    }

    #[tokio::test]
    async fn a_server_without_discovery_is_no_api_server() {
        let (env, _) = testing::cluster(|_| testing::json(404, "404 page not found"));
        let (rows, outcome) = testing::rows(&testing::scan::<ApiResource>(&env, &[], None)).await;
        let told = outcome.unwrap_err().to_string();
        assert!(
            rows.is_empty() && told.starts_with("the server has no /api: is it a Kubernetes API server?"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn a_discovery_of_another_kind_is_not_a_server_without_apis() {
        for (odd, told) in [
            ("/api", "GET /api: the kind of the response is \"Status\", not APIVersions"),
            ("/apis", "GET /apis: the kind of the response is \"Status\", not APIGroupList"),
        ] {
            let (env, _) = testing::cluster(move |path| match path {
                _ if path == odd => testing::json(200, r#"{"kind":"Status"}"#),
                "/api" => testing::json(200, r#"{"kind":"APIVersions","versions":[]}"#),
                _ => testing::json(200, r#"{"kind":"APIGroupList","groups":[]}"#),
            });
            let (rows, outcome) = testing::rows(&testing::scan::<ApiResource>(&env, &[], None)).await;
            assert_eq!((rows.len(), outcome.unwrap_err().to_string()), (0, told.to_owned()));
        }
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
