//! Tables about Kubernetes clusters.
//!
//! The tables read [`Kubernetes`]: the contexts of a kubeconfig, the cluster that the program runs in, or a caller's
//! clients. A table over a listed resource is a struct of JSON paths and a few lines. [`resource`] describes it and
//! does the rest: constraints go to the API server, pages stream, and each failure of an API server has its outcome.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::disallowed_methods))]

mod call;
mod clusters;
mod connection;
mod credentials;
mod expiry;
mod kubeconfig;
pub mod kubernetes_access;
pub mod kubernetes_access_expanded;
pub mod kubernetes_api_resources;
mod kubernetes_can_i;
pub mod kubernetes_cluster_role_binding_subjects;
pub mod kubernetes_cluster_role_policy_rules;
pub mod kubernetes_deployments;
pub mod kubernetes_namespaces;
pub mod kubernetes_nodes;
pub mod kubernetes_pod_containers;
pub mod kubernetes_pods;
pub mod kubernetes_role_binding_subjects;
pub mod kubernetes_role_policy_rules;
pub mod kubernetes_service_accounts;
pub mod kubernetes_who_can;
mod metadata;
mod pages;
mod pod_spec;
mod proxy;
mod rbac;
pub mod resource;
#[cfg(test)]
mod testing;

pub use clusters::{Kubernetes, Settings};
use indago_table::json::Shape;
use indago_table::{FunctionRef, Reader, Row, TableRef};

/// Properties of the tables over listed resources, which are listed here only.
macro_rules! resources {
    ($($row:path),* $(,)?) => {
        fn resources(clusters: &Kubernetes) -> Vec<TableRef> {
            indago_table::tables![clusters; $($row),*]
        }

        /// The parts of an object that a scan of one of these tables needs.
        fn shape_of(reader: &Reader) -> Option<Shape> {
            $(if <$row>::SPEC.name == reader.table {
                let mut columns = vec![false; <$row>::SPEC.columns.len()];
                reader.columns.iter().for_each(|column| columns[*column] = true);
                return Some(resource::shape::<$row>(&columns));
            })*
            None
        }

        #[cfg(test)]
        mod tests {
            use super::*;
            use crate::resource::Resource;

            fn check<T: Resource>() {
                let spec = T::SPEC;
                let resource = spec.resource.as_ref().unwrap_or_else(|| panic!("{} lists a resource", spec.name));
                assert_eq!(spec.reads, resource.name, "{}", spec.name);
                assert_eq!(spec.needs.as_ref(), [format!("list {}", resource.name)], "{}", spec.name);
            }

            #[test]
            fn every_list_is_shared_under_the_name_of_its_resource() {
                $(check::<$row>();)*
            }
        }
    };
}

resources![
    kubernetes_cluster_role_binding_subjects::ClusterRoleBindingSubject,
    kubernetes_cluster_role_policy_rules::ClusterRolePolicyRule,
    kubernetes_deployments::Deployment,
    kubernetes_namespaces::Namespace,
    kubernetes_nodes::Node,
    kubernetes_pod_containers::PodContainer,
    kubernetes_pods::Pod,
    kubernetes_role_binding_subjects::RoleBindingSubject,
    kubernetes_role_policy_rules::RolePolicyRule,
    kubernetes_service_accounts::ServiceAccount,
];

/// The tables about Kubernetes clusters.
pub fn tables(clusters: &Kubernetes) -> Vec<TableRef> {
    let others = indago_table::tables![
        clusters;
        kubernetes_access::Access,
        kubernetes_access_expanded::AccessExpanded,
        kubernetes_api_resources::ApiResource,
        kubernetes_who_can::WhoCan,
    ];
    [others, resources(clusters)].concat()
}

/// The scalar functions about Kubernetes clusters.
pub fn functions(clusters: &Kubernetes) -> Vec<FunctionRef> {
    vec![kubernetes_can_i::can_i(clusters), kubernetes_can_i::can_request(clusters)]
}
