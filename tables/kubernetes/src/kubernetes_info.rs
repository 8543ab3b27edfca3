//! `kubernetes_info`: one row per cluster.

use std::fmt;
use std::sync::Arc;

use futures::Stream;
use indago_table::json::Shape;
use indago_table::prelude::*;

use crate::call::get_object;
use crate::clusters::{Cluster, Kubernetes};
use crate::resource;

/// Versions of the API servers of Kubernetes clusters.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_info", env = Kubernetes, stream, reads = "version", rows = 3, identity(cluster))]
#[example("Version of each cluster.", "SELECT cluster, git_version, platform FROM kubernetes_info")]
pub struct Info {
    /// Context in the kubeconfig.
    #[column(slice)]
    cluster: Arc<str>,
    /// ID of the cluster: the UID of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// Major version: `1`.
    #[column(path = "major")]
    major: Option<String>,
    /// Minor version, such as `20`; a provider may add `+`.
    #[column(path = "minor")]
    minor: Option<String>,
    /// Version, such as `v1.20.2`.
    #[column(path = "gitVersion")]
    git_version: Option<String>,
    /// Commit from which the server was built.
    #[column(path = "gitCommit")]
    git_commit: Option<String>,
    /// Whether the source was changed: `clean` or `dirty`.
    #[column(path = "gitTreeState")]
    git_tree_state: Option<String>,
    /// Time of the build.
    #[column(path = "buildDate")]
    build_date: Option<Timestamp>,
    /// Version of the Go compiler.
    #[column(path = "goVersion")]
    go_version: Option<String>,
    /// Name of the Go compiler.
    #[column(path = "compiler")]
    compiler: Option<String>,
    /// Operating system and architecture of the server, such as `linux/amd64`.
    #[column(path = "platform")]
    platform: Option<String>,
}

/// The version of one cluster.
#[derive(Debug)]
pub struct Version(Arc<Cluster>);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}GET {PATH}", self.0.label())
    }
}

impl indago_table::Part for Version {
    fn known(&self, column: &str) -> Option<String> {
        self.0.known(column)
    }
}

const PATH: &str = "/version";

impl RowStream for Info {
    type Part = Version;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Version>> {
        Ok(scan.env().clusters(scan).into_iter().map(Version).collect())
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a Version) -> impl Stream<Item = Result<Self>> + Send + 'a {
        futures::stream::once(async move {
            let cluster = &part.0;
            let needs = "get /version, as system:public-info-viewer may";
            let version = get_object(scan, cluster, PATH, needs, &Shape::of::<Self>(scan.wanted())).await;
            let version = version.map_err(|error| match error {
                Error::Gone(message) => Error::Unsupported(format!("the server has no {PATH}: {message}")),
                other => other,
            })?;
            let mut row =
                Info { cluster: cluster.name.clone(), cluster_name: cluster.cluster_name.clone(), ..Info::default() };
            scan.fill(&mut row, &version, scan.wanted(), &format_args!("cluster={}", cluster.name));
            Ok(row)
        })
    }
}

impl Info {
    async fn cluster_uid(&mut self, scan: &Scan<Self>) -> Result<()> {
        self.cluster_uid = resource::cluster_uid(scan, &self.cluster).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn a_version_of_odd_types_is_a_row_with_warnings() {
        let (env, _) = testing::cluster(|_| testing::json(200, r#"{"major": 1, "minor": {}, "buildDate": "never"}"#));
        let scan = testing::scan::<Info>(&env, &[], None);
        let (rows, end) = testing::rows(&scan).await;
        assert_eq!((rows[0].major.as_deref(), &rows[0].minor, end), (Some("1"), &None, Ok(())));
        assert_eq!(scan.context().query.diagnostics().warnings().len(), 2);
        let (env, _) = testing::cluster(|_| testing::json(404, "404 page not found"));
        let (_, end) = testing::rows(&testing::scan::<Info>(&env, &[], None)).await;
        assert!(matches!(end, Err(Error::Unsupported(_))), "{end:?}");
    }
}
