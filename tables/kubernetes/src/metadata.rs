//! Columns of all tables over listed resources: an object's origin, its metadata, and the API server's selectors.

use std::sync::Arc;

use indago_table::AnyScan;
use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::resource::{Listing, cluster_uid};

/// The columns of an object's origin and metadata, which a table has as its field `meta`.
pub(crate) trait Metadata {
    /// The values for a listing's objects, before any of them is read.
    fn of(origin: &Listing) -> Self;
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
            /// Label selector for the API server, as for `kubectl -l`: `label_selector = 'app=web,tier!=cache'`.
            #[column(slice, selects, hidden)]
            pub(crate) label_selector: Option<String>,
            /// Field selector for the API server, as for `kubectl --field-selector`.
            #[column(slice, selects, hidden)]
            field_selector: Option<String>,
        }

        impl $group {
            pub(crate) async fn cluster_uid(&mut self, scan: &AnyScan<Kubernetes>) -> Result<()> {
                // Files have no cluster.
                if scan.env().is_cluster(&self.cluster) {
                    self.cluster_uid = Some(cluster_uid(scan, &self.cluster).await?);
                }
                Ok(())
            }
        }

        impl Metadata for $group {
            fn of(origin: &Listing) -> Self {
                $group {
                    cluster: origin.cluster().name.clone(),
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
        namespace: String,
    }
}

metadata! {
    /// For the pods of containers, which have separate names.
    PodMeta {
        /// Name of the container in its pod.
        #[column(path = "container.name")]
        name: String,
        /// Namespace of the pod.
        #[column(slice, path = "metadata.namespace")]
        namespace: String,
    }
}
