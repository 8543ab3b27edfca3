//! `aws_eks_fargate_profile`: one row per Fargate profile of an EKS cluster.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::api::List;
use crate::resource::{Origin, Reader, Resource};
use crate::source::eks;

/// Fargate profiles of EKS clusters: which pods run on Fargate.
///
/// Lists have only names. All other columns cost one call per profile.
#[derive(Debug, Default, Table)]
#[table(name = "aws_eks_fargate_profile", env = Aws, stream, rows = 20, needs("eks:ListFargateProfiles"), identity(account_id, region, cluster_name, fargate_profile_name))]
#[example(
    "The role and the selectors of each profile.",
    "SELECT cluster_name, fargate_profile_name, pod_execution_role_arn, selectors FROM aws_eks_fargate_profile"
)]
pub struct FargateProfile {
    /// Name of the profile.
    #[column(path = "name")]
    fargate_profile_name: String,
    /// Name of the cluster.
    #[column(index, path = "clusterName")]
    cluster_name: String,
    /// ARN of the profile.
    #[column(path = "fargateProfileArn", source = details, needs = "eks:DescribeFargateProfile")]
    fargate_profile_arn: Option<String>,
    /// Creation time.
    #[column(path = "createdAt", source = details, needs = "eks:DescribeFargateProfile")]
    created_at: Option<Timestamp>,
    /// ARN of the role with which the kubelet pulls images and writes logs.
    #[column(path = "podExecutionRoleArn", source = details, needs = "eks:DescribeFargateProfile")]
    pod_execution_role_arn: Option<String>,
    /// Status: `ACTIVE`, `CREATING`, `DELETING`, `CREATE_FAILED`, `DELETE_FAILED`.
    #[column(path = "status", source = details, needs = "eks:DescribeFargateProfile")]
    status: Option<String>,
    /// Namespaces and labels of the pods.
    #[column(path = "selectors", source = details, needs = "eks:DescribeFargateProfile")]
    selectors: Option<Json>,
    /// IDs of the subnets.
    #[column(path = "subnets", source = details, needs = "eks:DescribeFargateProfile")]
    subnets: Option<Vec<String>>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "eks:DescribeFargateProfile")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas", source = details, needs = "eks:DescribeFargateProfile")]
    akas: Option<Vec<String>>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = eks::list("eks:ListFargateProfiles", "fargateProfileNames");

impl RowStream for FargateProfile {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "eks:ListFargateProfiles")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            eks::of_clusters(scan, site, scan.keys(Self::CLUSTER_NAME), &LIST, "fargate-profiles")
        })
    }
}

impl Resource for FargateProfile {
    const ARN_FORM: &'static str = "{fargateProfileArn}";
    const TITLE_FORM: &'static str = "{name}";
    const TAGS: &'static str = "tags";
    const KEPT: &'static [usize] = &[Self::CLUSTER_NAME.position(), Self::FARGATE_PROFILE_NAME.position()];
}

impl FargateProfile {
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let path = ["clusters", &self.cluster_name, "fargate-profiles", &self.fargate_profile_name];
        let answer = eks::get(scan, &site, "eks:DescribeFargateProfile", &path, "fargateProfile").await?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &answer)
    }
}
