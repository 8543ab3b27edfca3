//! `aws_eks_cluster`: one row per EKS cluster, from `eks:ListClusters` and `eks:DescribeCluster`.

use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;
use serde_json::{Value, json};

use crate::account::{Aws, Place, Site};
use crate::resource::{Origin, Reader, Resource};
use crate::source::eks;

/// EKS clusters.
///
/// The list has only names. All other columns cost one call per cluster.
#[derive(Debug, Default, Table)]
#[table(name = "aws_eks_cluster", env = Aws, stream, rows = 5, needs("eks:ListClusters"), identity(account_id, region, name))]
#[example(
    "Clusters whose API server is reachable from the internet.",
    "SELECT name, region, endpoint FROM aws_eks_cluster WHERE resources_vpc_config LIKE '%\"endpointPublicAccess\":true%'"
)]
#[example(
    "The issuer of each cluster's service account tokens.",
    "SELECT name, json_extract(identity, '$.oidc.issuer') AS issuer FROM aws_eks_cluster"
)]
pub struct Cluster {
    /// Name of the cluster.
    #[column(index, path = "name")]
    name: String,
    /// ARN of the cluster.
    #[column(path = "arn", source = details, needs = "eks:DescribeCluster")]
    arn: Option<String>,
    /// ID of a local cluster on AWS Outposts; NULL for others.
    #[column(path = "id", source = details, needs = "eks:DescribeCluster")]
    id: Option<String>,
    /// Token of the request that created the cluster; NULL if there is none.
    #[column(path = "clientRequestToken", source = details, needs = "eks:DescribeCluster")]
    client_request_token: Option<String>,
    /// Creation time.
    #[column(path = "createdAt", source = details, needs = "eks:DescribeCluster")]
    created_at: Option<Timestamp>,
    /// Version of Kubernetes, such as `1.34`.
    #[column(path = "version", source = details, needs = "eks:DescribeCluster")]
    version: Option<String>,
    /// URL of the API server; NULL while the cluster is created.
    #[column(path = "endpoint", source = details, needs = "eks:DescribeCluster")]
    endpoint: Option<String>,
    /// ARN of the role that the control plane uses.
    #[column(path = "roleArn", source = details, needs = "eks:DescribeCluster")]
    role_arn: Option<String>,
    /// Encryption of secrets: resources and key.
    #[column(path = "encryptionConfig", source = details, needs = "eks:DescribeCluster")]
    encryption_config: Option<Json>,
    /// Subnets, security groups, and from where the API server is reachable.
    #[column(path = "resourcesVpcConfig", source = details, needs = "eks:DescribeCluster")]
    resources_vpc_config: Option<Json>,
    /// Address ranges of services.
    #[column(path = "kubernetesNetworkConfig", source = details, needs = "eks:DescribeCluster")]
    kubernetes_network_config: Option<Json>,
    /// Connection of a registered cluster outside EKS; NULL for others.
    #[column(path = "connectorConfig", source = details, needs = "eks:DescribeCluster")]
    connector_config: Option<Json>,
    /// How principals get access: `authenticationMode`.
    #[column(path = "accessConfig", source = details, needs = "eks:DescribeCluster")]
    access_config: Option<Json>,
    /// Configuration on AWS Outposts; NULL elsewhere.
    #[column(path = "outpostConfig", source = details, needs = "eks:DescribeCluster")]
    outpost_config: Option<Json>,
    /// Types of logs of the control plane, enabled and not.
    #[column(path = "logging", source = details, needs = "eks:DescribeCluster")]
    logging: Option<Json>,
    /// Issuer of the tokens of service accounts.
    #[column(path = "identity", source = details, needs = "eks:DescribeCluster")]
    identity: Option<Json>,
    /// Status: `ACTIVE`, `CREATING`, `UPDATING`, `DELETING`, `FAILED`, `PENDING`.
    #[column(path = "status", source = details, needs = "eks:DescribeCluster")]
    status: Option<String>,
    /// Certificate of the cluster's authority.
    #[column(path = "certificateAuthority", source = details, needs = "eks:DescribeCluster")]
    certificate_authority: Option<Json>,
    /// Version of EKS's platform.
    #[column(path = "platformVersion", source = details, needs = "eks:DescribeCluster")]
    platform_version: Option<String>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "eks:DescribeCluster")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas", source = details, needs = "eks:DescribeCluster")]
    akas: Option<Vec<String>>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Cluster {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        let is_named = scan.keys(Self::NAME).is_some();
        Place::regional(scan, if is_named { "eks:DescribeCluster" } else { "eks:ListClusters" })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::NAME) {
            Some(names) => site.look_up(scan, eks::names_in(names), |site, name| Cluster::get(scan, site, name)),
            None => Cluster::list(scan, site),
        })
    }
}

impl Resource for Cluster {
    const ARN_FORM: &'static str = "{arn}";
    const TITLE_FORM: &'static str = "{name}";
    const TAGS: &'static str = "tags";
    const KEPT: &'static [usize] = &[Self::NAME.position(), Self::STATUS.position()];
}

impl Cluster {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let names = async move {
            let names = eks::clusters(scan, &site, None).await?;
            let reader = Reader::listed(scan, &site);
            let rows = names.iter().filter_map(move |name| reader.item(scan, &json!({"name": name})));
            Ok(futures::stream::iter(rows.map(Ok).collect::<Vec<_>>()))
        };
        futures::stream::once(names).try_flatten().boxed()
    }

    async fn get(scan: &Scan<Self>, site: Site, name: String) -> Result<Self> {
        let cluster = Cluster::answer(scan, &site, &name).await?;
        Reader::whole(scan, &site).row(scan, &cluster)
    }

    async fn answer(scan: &Scan<Self>, site: &Site, name: &str) -> Result<Value> {
        eks::get(scan, site, "eks:DescribeCluster", &["clusters", name], "cluster").await
    }

    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.status.is_some() {
            return Ok(());
        }
        let site = self.origin.site(scan).await?;
        let cluster = Cluster::answer(scan, &site, &self.name).await?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &cluster)
    }
}
