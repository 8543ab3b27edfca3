//! `kubernetes_volume_attachments`: one row per volume attachment.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ClusterMeta;
use crate::resource::{Resource, listed};

/// Volumes that are attached to nodes of Kubernetes clusters, or will be.
///
/// Constraints on `cluster` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_volume_attachments", env = Kubernetes, stream, rows = 100)]
#[resource("storage.k8s.io/v1/volumeattachments")]
#[example(
    "Volumes that could not be attached.",
    "SELECT node_name, persistent_volume_name, attach_error FROM kubernetes_volume_attachments WHERE attach_error IS NOT NULL"
)]
pub struct VolumeAttachment {
    #[column(flatten)]
    meta: ClusterMeta,
    /// Driver that attaches the volume; joins `kubernetes_csi_drivers.name`.
    #[column(path = "spec.attacher")]
    attacher: Option<String>,
    /// The volume: the name of a persistent one, or its specification.
    #[column(path = "spec.source")]
    source: Option<Json>,
    /// Node; joins `kubernetes_nodes.name`.
    #[column(path = "spec.nodeName")]
    node_name: Option<String>,
    /// Whether it is attached.
    #[column(path = "status.attached")]
    attached: bool,
    /// What the driver needs to mount it.
    #[column(path = "status.attachmentMetadata")]
    attachment_metadata: Map,
    /// Time and message of the last failure to attach it.
    #[column(path = "status.attachError")]
    attach_error: Option<Json>,
    /// Time and message of the last failure to detach it.
    #[column(path = "status.detachError")]
    detach_error: Option<Json>,
    /// Name of the volume; joins `kubernetes_persistent_volumes.name`.
    #[column(path = "spec.source.persistentVolumeName")]
    persistent_volume_name: Option<String>,
}

impl Resource for VolumeAttachment {}

listed!(VolumeAttachment);
