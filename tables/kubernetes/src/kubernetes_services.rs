//! `kubernetes_services`: one row per service.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::computed::Conditions;
use crate::metadata::ObjectMeta;
use crate::resource::{Resource, listed};

/// Services of Kubernetes clusters.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_services", env = Kubernetes, stream, rows = 200)]
#[resource("v1/services", namespaced)]
#[example(
    "Services that are reachable from outside.",
    "SELECT namespace, name, type, node_ports FROM kubernetes_services WHERE type IN ('NodePort', 'LoadBalancer')"
)]
pub struct Service {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Ports, with their target ports, protocols and node ports.
    #[column(path = "spec.ports")]
    ports: Option<Json>,
    /// Labels of its pods; NULL for a service whose endpoints are made otherwise.
    #[column(path = "spec.selector")]
    selector: Option<Json>,
    /// Address in the cluster; `None` for a headless service.
    #[column(path = "spec.clusterIP")]
    cluster_ip: Option<String>,
    /// Addresses in the cluster, one per address family.
    #[column(path = "spec.clusterIPs")]
    cluster_ips: Vec<String>,
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
    #[column(path = "spec.type")]
    r#type: Option<String>,
    /// Further addresses whose traffic nodes accept for it.
    #[column(path = "spec.externalIPs")]
    external_ips: Vec<String>,
    /// Whether a client keeps its pod: `ClientIP` or `None`.
    #[column(path = "spec.sessionAffinity")]
    session_affinity: Option<String>,
    /// Wanted address of the load balancer.
    #[column(path = "spec.loadBalancerIP")]
    load_balancer_ip: Option<String>,
    /// Client addresses that the load balancer admits; empty for all.
    #[column(path = "spec.loadBalancerSourceRanges")]
    load_balancer_source_ranges: Vec<String>,
    /// DNS name that an `ExternalName` service stands for.
    #[column(path = "spec.externalName")]
    external_name: Option<String>,
    /// Whether outside traffic stays on the node that receives it: `Cluster` or `Local`.
    #[column(path = "spec.externalTrafficPolicy")]
    external_traffic_policy: Option<String>,
    /// Port of nodes for health checks of the load balancer.
    #[column(path = "spec.healthCheckNodePort")]
    health_check_node_port: Option<i64>,
    /// Whether pods that are not ready are reachable.
    #[column(path = "spec.publishNotReadyAddresses")]
    publish_not_ready_addresses: bool,
    /// Settings of the session affinity.
    #[column(path = "spec.sessionAffinityConfig")]
    session_affinity_config: Option<Json>,
    /// Preferred topology of endpoints; absent in newer clusters.
    #[column(path = "spec.topologyKeys")]
    topology_keys: Vec<String>,
    /// Address families: `IPv4`, `IPv6`.
    #[column(path = "spec.ipFamilies")]
    ip_families: Vec<String>,
    /// `SingleStack`, `PreferDualStack` or `RequireDualStack`.
    #[column(path = "spec.ipFamilyPolicy")]
    ip_family_policy: Option<String>,
    /// Whether a load balancer gets node ports; NULL means yes.
    #[column(path = "spec.allocateLoadBalancerNodePorts")]
    allocate_load_balancer_node_ports: Option<bool>,
    /// Implementation of the load balancer; NULL for the default one.
    #[column(path = "spec.loadBalancerClass")]
    load_balancer_class: Option<String>,
    /// Whether inside traffic stays on its node: `Cluster` or `Local`.
    #[column(path = "spec.internalTrafficPolicy")]
    internal_traffic_policy: Option<String>,
    /// Addresses of the load balancer.
    #[column(path = "status.loadBalancer")]
    load_balancer: Option<Json>,
    /// Conditions.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Labels of its pods, as a map.
    #[column(path = "spec.selector")]
    selector_labels: Map,
    /// Ports of the nodes.
    #[column(path = "spec.ports.*.nodePort")]
    node_ports: Vec<i64>,
    /// IP addresses of the load balancer.
    #[column(path = "status.loadBalancer.ingress.*.ip")]
    load_balancer_ips: Vec<String>,
    /// Host names of the load balancer.
    #[column(path = "status.loadBalancer.ingress.*.hostname")]
    load_balancer_hostnames: Vec<String>,
    /// The status of each condition by its type: `True`, `False` or `Unknown`.
    #[column(path = "status.conditions")]
    condition_status: Conditions,
}

impl Resource for Service {}

listed!(Service);
