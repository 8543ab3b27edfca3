//! `aws_eks_pod_identity_association`: one row per Pod Identity association of an EKS cluster.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::api::List;
use crate::resource::{Origin, Reader, Resource};
use crate::source::eks;

/// EKS Pod Identity associations: the role that pods of a service account get.
///
/// `role_arn`, the times and tags cost one call per association. `namespace` and `service_account` join
/// `kubernetes_service_accounts`.
#[derive(Debug, Default, Table)]
#[table(name = "aws_eks_pod_identity_association", env = Aws, stream, rows = 20, needs("eks:ListPodIdentityAssociations"), identity(association_arn))]
#[example(
    "Service accounts and their roles.",
    "SELECT cluster_name, namespace, service_account, role_arn FROM aws_eks_pod_identity_association"
)]
pub struct PodIdentityAssociation {
    /// Name of the cluster.
    #[column(index, path = "clusterName")]
    cluster_name: String,
    /// ID of the association.
    #[column(path = "associationId")]
    association_id: String,
    /// ARN of the association.
    #[column(path = "associationArn")]
    association_arn: String,
    /// Namespace of the service account.
    #[column(path = "namespace")]
    namespace: String,
    /// Name of the service account.
    #[column(path = "serviceAccount")]
    service_account: String,
    /// ARN of the role.
    #[column(path = "roleArn", source = details, needs = "eks:DescribePodIdentityAssociation")]
    role_arn: Option<String>,
    /// Creation time.
    #[column(path = "createdAt", source = details, needs = "eks:DescribePodIdentityAssociation")]
    created_at: Option<Timestamp>,
    /// Time of the last change.
    #[column(path = "modifiedAt", source = details, needs = "eks:DescribePodIdentityAssociation")]
    modified_at: Option<Timestamp>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "eks:DescribePodIdentityAssociation")]
    tags: Option<Map>,
    /// The same as the ID.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = eks::list("eks:ListPodIdentityAssociations", "associations");

impl RowStream for PodIdentityAssociation {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "eks:ListPodIdentityAssociations")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            eks::of_clusters(scan, site, scan.keys(Self::CLUSTER_NAME), &LIST, "pod-identity-associations")
        })
    }
}

impl Resource for PodIdentityAssociation {
    const ARN_FORM: &'static str = "{associationArn}";
    const TITLE_FORM: &'static str = "{associationId}";
    const TAGS: &'static str = "tags";
    const KEPT: &'static [usize] = &[Self::CLUSTER_NAME.position(), Self::ASSOCIATION_ID.position()];
}

impl PodIdentityAssociation {
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let path = ["clusters", &self.cluster_name, "pod-identity-associations", &self.association_id];
        let answer = eks::get(scan, &site, "eks:DescribePodIdentityAssociation", &path, "association").await?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &answer)
    }
}
