//! Columns of all tables over listed resources: an object's origin, its metadata, and the API server's selectors.

use std::sync::Arc;

use indago_table::AnyScan;
use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::owners::{Owner, top_of};
use crate::resource::{Derived, Inputs, Listing, cluster_uid, misfits};

/// The columns of an object's origin and metadata, which a table has as its field `meta`.
pub(crate) trait Metadata {
    /// The values for a listing's objects, before any of them is read.
    fn of(origin: &Listing) -> Self;
}

/// What [`set_controller`] adds to an object.
pub(crate) const CONTROLLER: Derived =
    &[("controller", &["metadata.ownerReferences.*.{}", "metadata.ownerReferences.*.controller"])];

/// The columns that the source of the top controller reads.
pub(crate) const TOP_CONTROLLER: Inputs = &[
    ("top_controller_kind", &["owner_kind", "owner_name", "owner_uid"]),
    ("top_controller_name", &["owner_kind", "owner_name", "owner_uid"]),
    ("top_controller_uid", &["owner_kind", "owner_name", "owner_uid"]),
];

/// Adds the owner that controls an object; returns errors for malformed owners.
pub(crate) fn set_controller<T>(object: &mut Document) -> Vec<Result<T>> {
    let Some(owners) = object["metadata"].get("ownerReferences") else { return Vec::new() };
    let errors = misfits(owners, "metadata.ownerReferences");
    let controller = owners.as_array().and_then(|owners| owners.iter().find(|owner| owner["controller"] == true));
    if let Some(controller) = controller.cloned() {
        object["controller"] = controller;
    }
    errors
}

macro_rules! metadata {
    ($(#[doc = $doc:literal])* $group:ident { $($own:tt)* }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Default, Columns)]
        #[columns(env = Kubernetes, stream)]
        pub(crate) struct $group {
            /// Context in the kubeconfig.
            #[column(slice)]
            pub(crate) cluster: Arc<str>,
            /// UID of the object.
            #[column(path = "metadata.uid")]
            uid: String,
            /// Name of the cluster in the kubeconfig.
            pub(crate) cluster_name: Arc<str>,
            /// ID of the cluster: the UID of its namespace `kube-system`.
            #[column(source = cluster_uid, needs = "get namespaces")]
            pub(crate) cluster_uid: Option<String>,
            $($own)*
            /// Creation time.
            #[column(path = "metadata.creationTimestamp")]
            creation_timestamp: Option<Timestamp>,
            /// Labels; `labels['app']` is one label's value.
            #[column(path = "metadata.labels")]
            labels: Map,
            /// Annotations.
            #[column(path = "metadata.annotations")]
            annotations: Map,
            /// File of the object, for manifests.
            #[column(hidden, path = "$source.path")]
            source_path: Option<String>,
            /// Line of the file at which the object starts, for manifests.
            #[column(hidden, path = "$source.line")]
            source_line: Option<i64>,
            /// Kind of the object that controls it, such as `ReplicaSet`; NULL for an object without a controller.
            #[column(path = "controller.kind")]
            owner_kind: Option<String>,
            /// Name of the object that controls it.
            #[column(path = "controller.name")]
            owner_name: Option<String>,
            /// UID of the object that controls it.
            #[column(path = "controller.uid")]
            owner_uid: Option<String>,
            /// All objects that own it.
            #[column(path = "metadata.ownerReferences")]
            owner_references: Option<Json>,
            /// Kind of the object that controls its controller, such as the `Deployment` of a `ReplicaSet` or the
            /// `CronJob` of a `Job`. The controller itself, if that has no controller or no longer exists. NULL without
            /// a controller.
            #[column(source = top_controller, needs("list replicasets", "list jobs"))]
            top_controller_kind: Option<String>,
            /// Name of that object.
            #[column(source = top_controller, needs("list replicasets", "list jobs"))]
            top_controller_name: Option<String>,
            /// UID of that object.
            #[column(source = top_controller, needs("list replicasets", "list jobs"))]
            top_controller_uid: Option<String>,
            /// Finalizers, which delay its deletion until their controllers remove them.
            #[column(path = "metadata.finalizers")]
            finalizers: Vec<String>,
            /// Deadline of its deletion, if deletion was requested.
            #[column(path = "metadata.deletionTimestamp")]
            deletion_timestamp: Option<Timestamp>,
            /// Namespace to which the list is limited.
            #[column(skip)]
            listed: Option<Arc<str>>,
            /// Label selector for the API server, as for `kubectl -l`: `label_selector = 'app=web,tier!=cache'`.
            #[column(slice, selects, hidden)]
            pub(crate) label_selector: Option<String>,
            /// Field selector for the API server, as for `kubectl --field-selector`.
            #[column(slice, selects, hidden)]
            field_selector: Option<String>,
        }

        impl $group {
            async fn top_controller(&mut self, scan: &AnyScan<Kubernetes>) -> Result<()> {
                let owner = Owner::new(&self.owner_kind, &self.owner_name, &self.owner_uid);
                let top = top_of(scan, &self.cluster, self.listed.as_deref(), owner).await?;
                let Owner { kind, name, uid } = top.unwrap_or_default();
                (self.top_controller_kind, self.top_controller_name, self.top_controller_uid) = (kind, name, uid);
                Ok(())
            }

            pub(crate) async fn cluster_uid(&mut self, scan: &AnyScan<Kubernetes>) -> Result<()> {
                self.cluster_uid = cluster_uid(scan, &self.cluster).await?;
                Ok(())
            }
        }

        impl Metadata for $group {
            fn of(origin: &Listing) -> Self {
                $group {
                    cluster: origin.cluster().name.clone(),
                    listed: origin.namespace(),
                    cluster_name: origin.cluster().cluster_name.clone(),
                    label_selector: origin.label_selector(),
                    field_selector: origin.field_selector(),
                    ..Self::default()
                }
            }
        }
    };
}

metadata! {
    /// For objects that belong to the cluster.
    ClusterMeta {
        /// Name of the object.
        #[column(index(field), path = "metadata.name")]
        name: String,
    }
}

metadata! {
    /// For objects in a namespace.
    ObjectMeta {
        /// Name of the object.
        #[column(index(field), path = "metadata.name")]
        pub(crate) name: String,
        /// Namespace of the object.
        #[column(slice, path = "metadata.namespace")]
        pub(crate) namespace: String,
    }
}

metadata! {
    /// For the pods of containers, and the objects with pod templates, which have separate names.
    ContainerMeta {
        /// Name of the container.
        #[column(path = "container.name")]
        name: String,
        /// Namespace of the object.
        #[column(slice, path = "metadata.namespace")]
        namespace: String,
    }
}

metadata! {
    /// For the pods of volumes, and the objects with pod templates, which have separate names.
    VolumeMeta {
        /// Name of the volume.
        #[column(path = "volume.name")]
        name: String,
        /// Namespace of the object.
        #[column(slice, path = "metadata.namespace")]
        namespace: String,
    }
}

metadata! {
    /// For the configurations of webhooks, which have separate names.
    WebhookMeta {
        /// Name of the webhook.
        #[column(path = "webhook.name")]
        name: String,
    }
}

metadata! {
    /// For the nodes of storage drivers, which have separate names.
    DriverMeta {
        /// Name of the driver.
        #[column(path = "driver.name")]
        name: String,
    }
}
