//! `kubernetes_api_resources`: one row per resource and version that an API server serves.

use std::fmt;
use std::sync::Arc;

use futures::Stream;
use indago_table::json::FromJson as _;
use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::{Cluster, Kubernetes};
use crate::discovery::api::{self, GroupVersion, Served, is_group_version, split};
use crate::resource;

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
    /// Hash of the version in which it is stored. A query of this column makes a call for each group and version.
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
                f.write_str(&some.iter().map(|group_version| api::path(group_version)).collect::<Vec<_>>().join(" "))
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
            let versions = match &part.group_versions {
                Some(some) => api::each(scan, &part.cluster, some.clone()).await,
                None => {
                    let admits = |group: &str| scan.admits(Self::GROUP, &group.to_owned());
                    let is_aggregated = !scan.wants(Self::STORAGE_VERSION_HASH);
                    api::all(scan, &part.cluster, is_aggregated, admits).await?
                }
            };
            for GroupVersion { name, resources, problem } in versions {
                for resource in &resources {
                    yield row(scan, part, &name, resource);
                }
                // An API of an unavailable extension must not hide the others.
                if let Some(error) = problem {
                    scan.report(format!("{}GET {}", part.cluster.label(), api::path(&name)), &error);
                }
            }
        }
    }
}

impl ApiResource {
    /// A resource that files have objects of.
    pub(crate) fn of_files(served: &Served) -> Self {
        let group_version = served.group_version();
        ApiResource {
            name: served.plural.clone(),
            namespaced: served.is_namespaced,
            group: served.group.as_str().into(),
            version: served.version.as_str().into(),
            kind: served.kind.clone(),
            group_version: group_version.into(),
            ..ApiResource::default()
        }
    }

    /// A recorded row.
    pub(crate) fn of_row(row: &Document) -> Self {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let texts = |name: &str| Vec::<String>::from_json(&row[name]).unwrap_or_default();
        ApiResource {
            name: text("name").to_owned(),
            singular_name: text("singular_name").to_owned(),
            namespaced: row["namespaced"] == true,
            group: text("group").into(),
            kind: text("kind").to_owned(),
            verbs: texts("verbs"),
            short_names: texts("short_names"),
            group_version: text("group_version").into(),
            ..ApiResource::default()
        }
    }

    async fn cluster_uid(&mut self, scan: &Scan<Self>) -> Result<()> {
        self.cluster_uid = resource::cluster_uid(scan, &self.cluster).await?;
        Ok(())
    }
}

/// The row of a resource.
fn row(scan: &Scan<ApiResource>, part: &Discovery, group_version: &str, document: &Document) -> ApiResource {
    let (group, version) = split(group_version);
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
}
