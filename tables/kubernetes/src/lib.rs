//! Tables about Kubernetes clusters.
//!
//! The tables read [`Kubernetes`]: the contexts of a kubeconfig, the cluster that the program runs in, or a caller's
//! clients. A table over a listed resource is a struct of JSON paths and a few lines. [`resource`] describes it and
//! does the rest: constraints go to the API server, pages stream, and each failure of an API server has its outcome.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::disallowed_methods))]

mod audit_log;
mod call;
mod can_i;
mod clusters;
mod computed;
mod connection;
mod container_spec;
mod credentials;
mod derived;
mod discovery;
mod expiry;
mod exposure;
mod image_reference;
mod kubeconfig;
pub mod kubernetes_access;
pub mod kubernetes_access_expanded;
pub mod kubernetes_api_resources;
pub mod kubernetes_audit_events;
pub mod kubernetes_aws_auth;
pub mod kubernetes_changes;
pub mod kubernetes_cluster_role_binding_subjects;
pub mod kubernetes_cluster_role_policy_rules;
pub mod kubernetes_component_statuses;
pub mod kubernetes_config_maps;
pub mod kubernetes_cron_jobs;
pub mod kubernetes_csi_drivers;
pub mod kubernetes_csi_node_drivers;
pub mod kubernetes_daemon_set_containers;
pub mod kubernetes_daemon_set_volumes;
pub mod kubernetes_daemon_sets;
pub mod kubernetes_denied;
pub mod kubernetes_deployments;
pub mod kubernetes_deployments_containers;
pub mod kubernetes_deployments_volumes;
pub mod kubernetes_endpoint_subsets;
pub mod kubernetes_events;
pub mod kubernetes_exposures;
pub mod kubernetes_horizontal_pod_autoscalers;
pub mod kubernetes_images;
pub mod kubernetes_info;
pub mod kubernetes_ingress_classes;
pub mod kubernetes_ingresses;
pub mod kubernetes_jobs;
pub mod kubernetes_limit_ranges;
pub mod kubernetes_mutating_webhooks;
pub mod kubernetes_namespaces;
pub mod kubernetes_network_policies;
pub mod kubernetes_network_reachability;
pub mod kubernetes_nodes;
pub mod kubernetes_persistent_volume_claims;
pub mod kubernetes_persistent_volumes;
pub mod kubernetes_pod_containers;
pub mod kubernetes_pod_disruption_budgets;
pub mod kubernetes_pod_security;
pub mod kubernetes_pod_security_policies;
pub mod kubernetes_pod_security_violations;
pub mod kubernetes_pod_template_containers;
pub mod kubernetes_pod_templates;
pub mod kubernetes_pod_templates_volumes;
pub mod kubernetes_pod_volumes;
pub mod kubernetes_pods;
pub mod kubernetes_replica_set_containers;
pub mod kubernetes_replica_set_volumes;
pub mod kubernetes_replica_sets;
pub mod kubernetes_resource_quotas;
pub mod kubernetes_role_binding_subjects;
pub mod kubernetes_role_policy_rules;
pub mod kubernetes_secrets;
pub mod kubernetes_service_accounts;
pub mod kubernetes_services;
pub mod kubernetes_stateful_set_containers;
pub mod kubernetes_stateful_set_volumes;
pub mod kubernetes_stateful_sets;
pub mod kubernetes_storage_classes;
pub mod kubernetes_unused_access;
pub mod kubernetes_validating_webhooks;
pub mod kubernetes_volume_attachments;
pub mod kubernetes_webhooks;
pub mod kubernetes_who_can;
pub mod kubernetes_workload_pod_security;
mod manifests;
mod metadata;
mod namespaces;
mod network;
mod owners;
mod pages;
mod pod_security;
mod pod_spec;
mod protobuf;
mod proxy;
mod quantity;
mod rbac;
pub mod resource;
mod selector;
#[cfg(test)]
mod testing;
mod versions;
mod volume_spec;
mod watch;
mod webhook_spec;

pub use clusters::{Kubernetes, Reads, Settings};
pub use discovery::Discovered;
use indago_table::json::Shape;
use indago_table::{AnyScan, CatalogRef, EventSource, FunctionRef, Reader, Row, TableRef};
pub use watch::{Change, Changes, Op};

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
            use crate::testing;

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

            #[tokio::test]
            async fn no_object_costs_a_table_its_other_objects() {
                $(testing::survives_hostile_objects::<$row>().await;)*
            }
        }
    };
}

resources![
    kubernetes_cluster_role_binding_subjects::ClusterRoleBindingSubject,
    kubernetes_cluster_role_policy_rules::ClusterRolePolicyRule,
    kubernetes_component_statuses::ComponentStatus,
    kubernetes_config_maps::ConfigMap,
    kubernetes_cron_jobs::CronJob,
    kubernetes_csi_drivers::CsiDriver,
    kubernetes_csi_node_drivers::CsiNodeDriver,
    kubernetes_daemon_set_containers::DaemonSetContainer,
    kubernetes_daemon_set_volumes::DaemonSetVolume,
    kubernetes_daemon_sets::DaemonSet,
    kubernetes_deployments::Deployment,
    kubernetes_deployments_containers::DeploymentContainer,
    kubernetes_deployments_volumes::DeploymentVolume,
    kubernetes_endpoint_subsets::EndpointSubset,
    kubernetes_events::Event,
    kubernetes_horizontal_pod_autoscalers::HorizontalPodAutoscaler,
    kubernetes_images::Image,
    kubernetes_ingress_classes::IngressClass,
    kubernetes_ingresses::Ingress,
    kubernetes_jobs::Job,
    kubernetes_limit_ranges::LimitRange,
    kubernetes_mutating_webhooks::MutatingWebhook,
    kubernetes_namespaces::Namespace,
    kubernetes_network_policies::NetworkPolicy,
    kubernetes_nodes::Node,
    kubernetes_persistent_volume_claims::PersistentVolumeClaim,
    kubernetes_persistent_volumes::PersistentVolume,
    kubernetes_pod_containers::PodContainer,
    kubernetes_pod_disruption_budgets::PodDisruptionBudget,
    kubernetes_pod_security::PodSecurity,
    kubernetes_pod_security_policies::PodSecurityPolicy,
    kubernetes_pod_security_violations::PodSecurityViolation,
    kubernetes_pod_template_containers::PodTemplateContainer,
    kubernetes_pod_templates::PodTemplate,
    kubernetes_pod_templates_volumes::PodTemplateVolume,
    kubernetes_pod_volumes::PodVolume,
    kubernetes_pods::Pod,
    kubernetes_replica_set_containers::ReplicaSetContainer,
    kubernetes_replica_set_volumes::ReplicaSetVolume,
    kubernetes_replica_sets::ReplicaSet,
    kubernetes_resource_quotas::ResourceQuota,
    kubernetes_role_binding_subjects::RoleBindingSubject,
    kubernetes_role_policy_rules::RolePolicyRule,
    kubernetes_secrets::Secret,
    kubernetes_service_accounts::ServiceAccount,
    kubernetes_services::Service,
    kubernetes_stateful_set_containers::StatefulSetContainer,
    kubernetes_stateful_set_volumes::StatefulSetVolume,
    kubernetes_stateful_sets::StatefulSet,
    kubernetes_storage_classes::StorageClass,
    kubernetes_validating_webhooks::ValidatingWebhook,
    kubernetes_volume_attachments::VolumeAttachment,
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
    kubernetes_workload_pod_security::WorkloadPodSecurity,
];

/// The tables about Kubernetes clusters.
pub fn tables(clusters: &Kubernetes) -> Vec<TableRef> {
    let others = indago_table::tables![
        clusters;
        kubernetes_access::Access,
        kubernetes_access_expanded::AccessExpanded,
        kubernetes_api_resources::ApiResource,
        kubernetes_audit_events::AuditEvent,
        kubernetes_aws_auth::AwsAuth,
        kubernetes_denied::Denied,
        kubernetes_info::Info,
        kubernetes_unused_access::UnusedAccess,
        kubernetes_who_can::WhoCan,
    ];
    [others, resources(clusters), derived_tables(clusters)].concat()
}

/// The sources of events of Kubernetes clusters.
pub fn event_sources(clusters: &Kubernetes) -> Vec<Box<dyn EventSource>> {
    let source = kubernetes_changes::Source::new(clusters);
    source.into_iter().map(|source| Box::new(source) as Box<dyn EventSource>).collect()
}

/// The parts of an object that a scan needs: together with the query's other scans if they share the list.
fn shape_of_scan(scan: &AnyScan<Kubernetes>) -> Shape {
    let columns = scan.wanted().iter().enumerate().filter(|(_, wanted)| **wanted).map(|(column, _)| column).collect();
    let own = Reader { table: scan.spec().name.to_string(), columns, as_of: None };
    let mut shape = resource::shared_shape(scan);
    shape.extend(&resource::shape_of_reader(scan, &own));
    shape
}

/// The tables of all resources that the clusters serve, which exist when a query names them.
pub fn catalogs(clusters: &Kubernetes) -> Vec<CatalogRef> {
    vec![std::sync::Arc::new(Discovered::new(clusters, &tables(clusters)))]
}

/// The scalar functions about Kubernetes clusters.
pub fn functions(clusters: &Kubernetes) -> Vec<FunctionRef> {
    vec![can_i::can_i(clusters), can_i::can_request(clusters)]
}
