//! Tables about Kubernetes clusters.
//!
//! The tables read [`Kubernetes`]: the contexts of a kubeconfig, the cluster that the program runs in, or a caller's
//! clients. A table over a listed resource is a struct of JSON paths and a few lines. [`resource`] describes it and
//! does the rest: constraints go to the API server, pages stream, and each failure of an API server has its outcome.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::disallowed_methods))]

mod audit_log;
mod call;
mod clusters;
mod connection;
mod credentials;
mod derived;
mod expiry;
mod exposure;
mod image_reference;
mod kubeconfig;
pub mod kubernetes_access;
pub mod kubernetes_access_expanded;
pub mod kubernetes_api_resources;
pub mod kubernetes_audit_events;
mod kubernetes_can_i;
pub mod kubernetes_cluster_role_binding_subjects;
pub mod kubernetes_cluster_role_policy_rules;
pub mod kubernetes_denied;
pub mod kubernetes_deployments;
pub mod kubernetes_exposures;
pub mod kubernetes_images;
pub mod kubernetes_namespaces;
pub mod kubernetes_network_reachability;
pub mod kubernetes_nodes;
pub mod kubernetes_pod_containers;
pub mod kubernetes_pod_security;
pub mod kubernetes_pod_security_violations;
pub mod kubernetes_pods;
pub mod kubernetes_role_binding_subjects;
pub mod kubernetes_role_policy_rules;
pub mod kubernetes_service_accounts;
pub mod kubernetes_unused_access;
pub mod kubernetes_webhooks;
pub mod kubernetes_who_can;
mod metadata;
mod network;
mod pages;
mod pod_security;
mod pod_spec;
mod proxy;
mod rbac;
pub mod resource;
mod selector;
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

        /// The parts of a resource's objects that a scan needs.
        fn shape_of(reader: &Reader, resource: &str) -> Option<Shape> {
            $(if <$row>::SPEC.name == reader.table {
                let mut columns = vec![false; <$row>::SPEC.columns.len()];
                reader.columns.iter().for_each(|column| columns[*column] = true);
                return Some(resource::shape::<$row>(&columns));
            })*
            inputs(&reader.table).and_then(|inputs| derived::shape_of(inputs, resource))
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
    kubernetes_images::Image,
    kubernetes_namespaces::Namespace,
    kubernetes_nodes::Node,
    kubernetes_pod_containers::PodContainer,
    kubernetes_pod_security::PodSecurity,
    kubernetes_pod_security_violations::PodSecurityViolation,
    kubernetes_pods::Pod,
    kubernetes_role_binding_subjects::RoleBindingSubject,
    kubernetes_role_policy_rules::RolePolicyRule,
    kubernetes_service_accounts::ServiceAccount,
];

/// Properties of the tables that are computed from several lists.
macro_rules! derived_tables {
    ($($row:path),* $(,)?) => {
        fn derived_tables(clusters: &Kubernetes) -> Vec<TableRef> {
            indago_table::tables![clusters; $($row),*]
        }

        /// The lists that a table reads.
        fn inputs(table: &str) -> Option<&'static [derived::Input]> {
            $(if <$row>::SPEC.name == table {
                return Some(<$row as derived::Derived>::INPUTS);
            })*
            None
        }

        #[cfg(test)]
        mod derived_tests {
            use super::*;

            fn check<T: derived::Derived>() {
                let resources: Vec<&str> = T::INPUTS.iter().map(|input| input.resource).collect();
                assert_eq!(T::SPEC.reads.split(' ').collect::<Vec<_>>(), resources, "{}", T::SPEC.name);
                let needs = |input: &derived::Input| match input.versions[0].split_once('/') {
                    Some((group, _)) => format!("{}.{group}", input.needs),
                    None => input.needs.to_owned(),
                };
                assert_eq!(*T::SPEC.needs, *T::INPUTS.iter().map(needs).collect::<Vec<_>>(), "{}", T::SPEC.name);
            }

            #[test]
            fn every_list_is_shared_under_the_name_of_its_resource() {
                $(check::<$row>();)*
            }
        }
    };
}

derived_tables![
    kubernetes_exposures::ExposureRow,
    kubernetes_network_reachability::Reachability,
    kubernetes_webhooks::Webhook,
];

/// The tables about Kubernetes clusters.
pub fn tables(clusters: &Kubernetes) -> Vec<TableRef> {
    let others = indago_table::tables![
        clusters;
        kubernetes_access::Access,
        kubernetes_access_expanded::AccessExpanded,
        kubernetes_api_resources::ApiResource,
        kubernetes_audit_events::AuditEvent,
        kubernetes_denied::Denied,
        kubernetes_unused_access::UnusedAccess,
        kubernetes_who_can::WhoCan,
    ];
    [others, resources(clusters), derived_tables(clusters)].concat()
}

/// The scalar functions about Kubernetes clusters.
pub fn functions(clusters: &Kubernetes) -> Vec<FunctionRef> {
    vec![kubernetes_can_i::can_i(clusters), kubernetes_can_i::can_request(clusters)]
}
