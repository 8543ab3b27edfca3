//! `kubernetes_pod_templates_volumes`: one row per volume of a pod template.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::VolumeMeta;
use crate::volume_spec::{PodVolumeSource, VolumeSource, volumes};

/// Volumes of pod templates, with their sources.
///
/// `uid`, `creation_timestamp`, `labels` and `annotations` are those of the pod template. Constraints on `cluster`,
/// `namespace` and `pod_template_name` are applied by the API server. If a query also reads
/// `kubernetes_pod_templates`, the pod templates are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pod_templates_volumes", env = Kubernetes, stream, rows = 500, identity(uid, name))]
#[resource("v1/podtemplates", namespaced)]
#[example(
    "Directories of nodes in volumes.",
    "SELECT namespace, pod_template_name, host_path_path FROM kubernetes_pod_templates_volumes WHERE volume_type = 'hostPath'"
)]
pub struct PodTemplateVolume {
    #[column(flatten)]
    meta: VolumeMeta,
    /// Name of the pod template; joins `kubernetes_pod_templates.name` in the same namespace.
    #[column(index(field), path = "metadata.name")]
    pod_template_name: String,
    #[column(flatten, path = "volume")]
    source: VolumeSource,
    #[column(flatten, path = "volume")]
    pod_source: PodVolumeSource,
}

volumes!(PodTemplateVolume in "template.spec");
