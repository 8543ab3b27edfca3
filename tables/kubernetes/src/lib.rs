//! Tables about Kubernetes clusters.
//!
//! The tables read [`Kubernetes`]: the contexts of a kubeconfig, the cluster that the program runs in, or a caller's
//! clients. A table over a listed resource is a struct of JSON paths and a few lines. [`resource`] describes it and
//! does the rest: constraints go to the API server, pages stream, and each failure of an API server has its outcome.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::disallowed_methods))]

mod call;
mod clusters;
mod computed;
mod connection;
mod container_spec;
mod credentials;
mod expiry;
mod kubeconfig;
pub mod kubernetes_api_resources;
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
pub mod kubernetes_deployments;
pub mod kubernetes_deployments_containers;
pub mod kubernetes_deployments_volumes;
pub mod kubernetes_endpoint_subsets;
pub mod kubernetes_events;
pub mod kubernetes_horizontal_pod_autoscalers;
pub mod kubernetes_info;
pub mod kubernetes_ingress_classes;
pub mod kubernetes_ingresses;
pub mod kubernetes_jobs;
pub mod kubernetes_limit_ranges;
pub mod kubernetes_mutating_webhooks;
pub mod kubernetes_namespaces;
pub mod kubernetes_network_policies;
pub mod kubernetes_nodes;
pub mod kubernetes_persistent_volume_claims;
pub mod kubernetes_persistent_volumes;
pub mod kubernetes_pod_containers;
pub mod kubernetes_pod_disruption_budgets;
pub mod kubernetes_pod_security_policies;
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
pub mod kubernetes_validating_webhooks;
pub mod kubernetes_volume_attachments;
mod metadata;
mod owners;
mod pages;
mod pod_spec;
mod proxy;
mod quantity;
pub mod resource;
#[cfg(test)]
mod testing;
mod versions;
mod volume_spec;

pub use clusters::{Kubernetes, Settings};
use indago_table::json::Shape;
use indago_table::{Reader, Row, TableRef};

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
    kubernetes_pod_security_policies::PodSecurityPolicy,
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

/// The tables about Kubernetes clusters.
pub fn tables(clusters: &Kubernetes) -> Vec<TableRef> {
    let others = indago_table::tables![clusters; kubernetes_api_resources::ApiResource, kubernetes_info::Info];
    [others, resources(clusters)].concat()
}
