//! `kubernetes_pod_templates`: one row per pod template.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::pod_spec::{PodSpec, Template};
use crate::resource::{Resource, listed};

/// Pod templates of Kubernetes clusters: objects of this kind, which few controllers use. Deployments and others
/// contain their template.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pod_templates", env = Kubernetes, stream, rows = 5)]
#[resource("v1/podtemplates", namespaced)]
#[example("Pod templates and their images.", "SELECT namespace, name, container_images FROM kubernetes_pod_templates")]
pub struct PodTemplate {
    #[column(flatten)]
    meta: ObjectMeta,
    #[column(flatten, path = "template")]
    template: Template,
    #[column(flatten, path = "template.spec")]
    pods: PodSpec,
}

impl Resource for PodTemplate {}

listed!(PodTemplate);
