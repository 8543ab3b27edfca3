//! `kubernetes_images`: the images that containers use.

use indago_table::prelude::*;
use serde_json::{Value as Document, json};

use crate::clusters::Kubernetes;
use crate::image_reference::Reference;
use crate::kubernetes_pod_containers::PodContainer;
use crate::metadata::ContainerMeta;
use crate::resource::{Derived, Resource, listed};

/// Images in use in Kubernetes clusters: one row per container of a pod, with the image that it names and the one that
/// runs.
///
/// `image` is the specification's text. Its parts follow the grammar of image references: `busybox` is
/// `docker.io/library/busybox:latest`. They are NULL if the text is not a reference; such a container does not start.
/// `name` is that of the container. The other columns about an object, such as `uid` and `labels`, are about its pod.
/// If a query also reads `kubernetes_pods`, the pods are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_images", env = Kubernetes, stream, rows = 1000, identity(uid, container_type, name))]
#[resource("v1/pods", namespaced)]
#[example(
    "Images by registry.",
    "SELECT registry, count(DISTINCT repository) AS images, count(*) AS containers FROM kubernetes_images GROUP BY registry"
)]
#[example(
    "Images that can change without a change of the specification.",
    "SELECT DISTINCT namespace, image FROM kubernetes_images WHERE digest IS NULL AND tag = 'latest'"
)]
pub struct Image {
    #[column(flatten)]
    meta: ContainerMeta,
    /// Image in the specification.
    #[column(path = "container.image")]
    image: Option<String>,
    /// Host of the registry, with its port if the image states one: `docker.io`.
    #[column(path = "reference.registry")]
    registry: Option<String>,
    /// Repository in the registry: `library/busybox`.
    #[column(path = "reference.repository")]
    repository: Option<String>,
    /// Tag; `latest` if the image states neither a tag nor a digest. NULL if it states only a digest.
    #[column(path = "reference.tag")]
    tag: Option<String>,
    /// Digest in the specification, which fixes the content; NULL if it states none.
    #[column(path = "reference.digest")]
    digest: Option<String>,
    /// Running image, as the runtime names it; NULL until the container is created.
    #[column(path = "containerStatus.imageID")]
    image_id: Option<String>,
    /// Digest in `image_id`: `sha256:..`.
    #[column(path = "containerStatus.digest")]
    image_digest: Option<String>,
    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[column(path = "container.imagePullPolicy")]
    image_pull_policy: Option<String>,
    /// Names of the secrets with which it is pulled.
    #[column(path = "spec.imagePullSecrets.*.name")]
    image_pull_secrets: Vec<String>,
    /// Name of the pod.
    #[column(index(field), path = "metadata.name")]
    pod_name: String,
    /// `init`, `container` or `ephemeral`.
    #[column(path = "container.kind")]
    container_type: String,
    /// Phase of the pod: `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    #[column(slice(field), path = "status.phase")]
    phase: Option<String>,
    /// Node of the pod.
    #[column(slice(field), path = "spec.nodeName")]
    node_name: Option<String>,
}

const IMAGES: &[&str] = &["spec.initContainers.*.image", "spec.containers.*.image", "spec.ephemeralContainers.*.image"];

impl Resource for Image {
    const ALWAYS: &'static [&'static str] = PodContainer::ALWAYS;
    const DERIVED: Derived = &[
        ("container", &["spec.initContainers.*.{}", "spec.containers.*.{}", "spec.ephemeralContainers.*.{}"]),
        ("reference", IMAGES),
        (
            "containerStatus",
            &[
                "status.initContainerStatuses.*.name",
                "status.containerStatuses.*.name",
                "status.ephemeralContainerStatuses.*.name",
            ],
        ),
        (
            "containerStatus",
            &[
                "status.initContainerStatuses.*.imageID",
                "status.containerStatuses.*.imageID",
                "status.ephemeralContainerStatuses.*.imageID",
            ],
        ),
    ];

    fn documents(pod: Document) -> Vec<Result<Document>> {
        let mut containers = PodContainer::documents(pod);
        for container in containers.iter_mut().flatten() {
            let reference = container["container"]["image"].as_str().and_then(Reference::parse);
            container["reference"] = reference.map_or(Document::Null, |reference| {
                let Reference { registry, repository, tag, digest } = reference;
                json!({"registry": registry, "repository": repository, "tag": tag, "digest": digest})
            });
        }
        containers
    }
}

listed!(Image);
