//! What all tables over listed resources have: where an object comes from, its metadata, and the API server's selectors.

use std::sync::Arc;

use indago_table::AnyScan;
use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::resource::{Listing, cluster_uid};

/// The columns of an object's origin and metadata, which a table has as its field `meta`.
pub(crate) trait Metadata {
    /// Those of a listing's objects, before any of them is read.
    fn of(origin: &Listing) -> Self;
}

macro_rules! metadata {
    ($(#[doc = $doc:literal])* $group:ident { $($own:tt)* }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Default, Columns)]
        #[columns(env = Kubernetes, stream)]
        pub(crate) struct $group {
            /// Context in the kubeconfig through which the cluster is read.
            #[column(slice)]
            pub(crate) cluster: Arc<str>,
            /// Identity of the object in the API.
            #[column(path = "metadata.uid")]
            uid: String,
            /// Name of the cluster in the kubeconfig.
            pub(crate) cluster_name: Arc<str>,
            /// Identity of the cluster: the uid of its namespace `kube-system`.
            #[column(source = cluster_uid, needs = "get namespaces")]
            pub(crate) cluster_uid: Option<String>,
            $($own)*
            /// When it was created.
            #[column(path = "metadata.creationTimestamp")]
            creation_timestamp: Option<Timestamp>,
            /// Labels: `labels['app']` is one of them.
            #[column(path = "metadata.labels")]
            labels: Map,
            /// Annotations.
            #[column(path = "metadata.annotations")]
            annotations: Map,
            /// Labels to ask the API server for, as `kubectl -l` takes them: `label_selector = 'app=web,tier!=cache'`.
            #[column(slice, selects, hidden)]
            pub(crate) label_selector: Option<String>,
            /// Fields to ask the API server for, as `kubectl --field-selector` takes them.
            #[column(slice, selects, hidden)]
            field_selector: Option<String>,
        }

        impl $group {
            pub(crate) async fn cluster_uid(&mut self, scan: &AnyScan<Kubernetes>) -> Result<()> {
                self.cluster_uid = Some(cluster_uid(scan, &self.cluster).await?);
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
    /// Of objects that belong to the cluster.
    ClusterMeta {
        /// Name of the object.
        #[column(index(field), path = "metadata.name")]
        name: String,
    }
}

metadata! {
    /// Of objects that are in a namespace.
    ObjectMeta {
        /// Name of the object.
        #[column(index(field), path = "metadata.name")]
        pub(crate) name: String,
        /// Namespace that it is in.
        #[column(slice, path = "metadata.namespace")]
        namespace: String,
    }
}

metadata! {
    /// Of the pods of containers, which have names of their own.
    PodMeta {
        /// Name of the container within its pod.
        #[column(path = "container.name")]
        name: String,
        /// Namespace that the pod is in.
        #[column(slice, path = "metadata.namespace")]
        namespace: String,
    }
}
