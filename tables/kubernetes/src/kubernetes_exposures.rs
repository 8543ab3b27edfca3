//! `kubernetes_exposures`: what can be reached from outside of a cluster's network, and the pods behind it.

use futures::Stream;
use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::derived::{self, Derived, Input, Lists, Origin};
use crate::exposure::{Backend, Exposure, Objects};
use crate::network::POD_PATHS;

/// What exposes pods of Kubernetes clusters beyond the cluster's network: one row per exposed port and pod behind it.
///
/// `type` is `LoadBalancer`, `NodePort` and `ExternalIP` for services, `Ingress`, `HTTPRoute`, `GRPCRoute`, `TLSRoute`,
/// `TCPRoute` and `UDPRoute` for routes, `HostPort` and `HostNetwork` for pods. An exposure without pods behind it has
/// one row. Pods that have ended are not behind anything. Whether a firewall, a cloud's security group or a network
/// policy refuses a connection is not considered.
///
/// `uid` is that of the object that exposes the pod. A list that may not be read, such as that of nodes, costs the
/// columns that need it, with a warning.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_exposures", env = Kubernetes, stream, rows = 200,
    reads = "endpointslices gateways grpcroutes httproutes ingresses nodes pods services tcproutes tlsroutes udproutes",
    needs(
        "list endpointslices.discovery.k8s.io", "list gateways.gateway.networking.k8s.io",
        "list grpcroutes.gateway.networking.k8s.io", "list httproutes.gateway.networking.k8s.io",
        "list ingresses.networking.k8s.io", "list nodes", "list pods", "list services",
        "list tcproutes.gateway.networking.k8s.io", "list tlsroutes.gateway.networking.k8s.io",
        "list udproutes.gateway.networking.k8s.io"
    ),
    identity(uid, type, gateway, listener, host, path, port, protocol, service_name, service_port, pod_uid)
)]
#[example(
    "Privileged containers that can be reached from outside of the cluster.",
    "SELECT e.type, e.exposed_addresses, e.port, e.host, c.namespace, c.pod_name, c.name FROM kubernetes_exposures e JOIN kubernetes_pod_containers c ON c.pod_uid = e.pod_uid WHERE e.external AND c.privileged"
)]
#[example(
    "Hosts that are served without TLS.",
    "SELECT DISTINCT type, namespace, name, host, path FROM kubernetes_exposures WHERE host IS NOT NULL AND NOT tls"
)]
pub struct ExposureRow {
    #[column(flatten)]
    origin: Origin,
    /// What exposes the pod: `LoadBalancer`, `NodePort`, `Ingress` and so on.
    #[column(index)]
    r#type: String,
    /// Namespace of the object that exposes the pod.
    #[column(slice)]
    namespace: String,
    /// Name of the object that exposes the pod: the service, ingress, route or pod.
    name: String,
    /// UID of that object.
    uid: String,
    /// Addresses at which it is reached: of the load balancer, the nodes, the gateway or the ingress. Empty if none is
    /// known.
    exposed_addresses: Vec<String>,
    /// Port at these addresses; NULL for a pod in the node's network that declares none.
    port: Option<i64>,
    /// Protocol: `TCP`, `UDP` or `SCTP`.
    protocol: String,
    /// Host name that a request must have, `*` patterns included; NULL for any.
    host: Option<String>,
    /// Path that a request must have; NULL for any.
    path: Option<String>,
    /// How the path is compared: `Prefix`, `Exact`, `ImplementationSpecific`, `PathPrefix`, `RegularExpression`.
    path_type: Option<String>,
    /// Whether connections are encrypted with TLS, by the ingress, the gateway or behind it; NULL for other types.
    tls: Option<bool>,
    /// Secrets with the certificates, as `namespace/name`.
    tls_secrets: Vec<String>,
    /// Class of the ingress.
    ingress_class: Option<String>,
    /// Gateway of the route, as `namespace/name`.
    gateway: Option<String>,
    /// Listener of the gateway.
    listener: Option<String>,
    /// Service that receives the connections; NULL for types of pods.
    service_name: Option<String>,
    /// Namespace of the service.
    service_namespace: Option<String>,
    /// Port of the service.
    service_port: Option<i64>,
    /// Port of the pod; NULL if no container declares the name of the port.
    target_port: Option<i64>,
    /// Namespace of the pod; NULL without a pod.
    pod_namespace: Option<String>,
    /// Name of the pod; NULL without a pod.
    pod_name: Option<String>,
    /// UID of the pod; joins `kubernetes_pods.uid`.
    pod_uid: Option<String>,
    /// Address of the pod.
    pod_ip: Option<String>,
    /// Node of the pod.
    node_name: Option<String>,
    /// Whether it can be reached from outside of the cluster, and of its cloud network. False for a load balancer that
    /// is internal by its annotations, and for a host port of the loopback address.
    external: bool,
    /// Source addresses that a load balancer accepts; empty for all.
    allowed_sources: Vec<String>,
}

const GATEWAY_VERSIONS: &[&str] =
    &["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1", "gateway.networking.k8s.io/v1alpha2"];
const ROUTE_PATHS: &[&str] = &["metadata.namespace", "metadata.name", "spec"];

/// A kind of routes of the Gateway API.
macro_rules! routes {
    ($resource:literal) => {
        Input {
            resource: $resource,
            versions: GATEWAY_VERSIONS,
            is_namespaced: true,
            needs: concat!("list ", $resource),
            paths: ROUTE_PATHS,
        }
    };
}

impl Derived for ExposureRow {
    const INPUTS: &'static [Input] = &[
        Input {
            resource: "endpointslices",
            versions: &["discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"],
            is_namespaced: true,
            needs: "list endpointslices",
            paths: &["metadata.namespace", "metadata.labels", "endpoints", "ports"],
        },
        Input {
            resource: "gateways",
            versions: GATEWAY_VERSIONS,
            // A route may belong to a gateway of another namespace.
            is_namespaced: false,
            needs: "list gateways",
            paths: &["metadata.namespace", "metadata.name", "spec.addresses", "spec.listeners", "status.addresses"],
        },
        routes!("grpcroutes"),
        routes!("httproutes"),
        Input {
            resource: "ingresses",
            versions: &["networking.k8s.io/v1", "networking.k8s.io/v1beta1"],
            is_namespaced: true,
            needs: "list ingresses",
            paths: &[
                "metadata.namespace",
                "metadata.name",
                "metadata.annotations.kubernetes\\.io/ingress\\.class",
                "spec",
                "status.loadBalancer",
            ],
        },
        Input {
            resource: "nodes",
            versions: &["v1"],
            is_namespaced: false,
            needs: "list nodes",
            paths: &["metadata.name", "status.addresses"],
        },
        Input { resource: "pods", versions: &["v1"], is_namespaced: true, needs: "list pods", paths: POD_PATHS },
        Input {
            resource: "services",
            versions: &["v1"],
            is_namespaced: true,
            needs: "list services",
            paths: &["metadata.namespace", "metadata.name", "metadata.annotations", "spec", "status.loadBalancer"],
        },
        routes!("tcproutes"),
        routes!("tlsroutes"),
        routes!("udproutes"),
    ];
}

impl RowStream for ExposureRow {
    type Part = Lists;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Lists>> {
        // A route may lead to a service of another namespace, so the namespace restricts no list.
        Ok(derived::parts(scan, None))
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a Lists) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            let objects = Objects::read(scan, part).await?;
            for exposure in objects.exposures() {
                let exposure = match exposure {
                    Ok(exposure) => exposure,
                    Err(error) => {
                        scan.report(part.place(), &error);
                        continue;
                    }
                };
                let is_wanted = scan.admits(Self::NAMESPACE, &exposure.namespace)
                    && scan.admits(Self::TYPE, &exposure.kind.to_owned());
                if !is_wanted {
                    continue;
                }
                for backend in objects.backends(&exposure) {
                    yield ExposureRow::new(part, &exposure, backend);
                }
            }
        }
    }
}

impl ExposureRow {
    fn new(part: &Lists, exposure: &Exposure, backend: Backend) -> Self {
        let exposure = exposure.clone();
        let (service_namespace, service_name) = backend.service.unzip();
        let pod = backend.pod;
        ExposureRow {
            origin: part.origin(),
            r#type: exposure.kind.to_owned(),
            namespace: exposure.namespace,
            name: exposure.name,
            uid: exposure.uid,
            exposed_addresses: exposure.addresses,
            port: exposure.port,
            protocol: exposure.protocol,
            host: exposure.host,
            path: exposure.path,
            path_type: exposure.path_type,
            tls: exposure.tls,
            tls_secrets: exposure.tls_secrets,
            ingress_class: exposure.ingress_class,
            gateway: exposure.gateway,
            listener: exposure.listener,
            service_name,
            service_namespace,
            service_port: backend.service_port,
            target_port: backend.target_port,
            pod_namespace: pod.as_ref().map(|pod| pod.namespace.clone()),
            pod_name: pod.as_ref().map(|pod| pod.name.clone()),
            pod_uid: pod.as_ref().map(|pod| pod.uid.clone()),
            pod_ip: pod.as_ref().and_then(|pod| pod.ip.clone()),
            node_name: pod.and_then(|pod| pod.node),
            external: exposure.is_external,
            allowed_sources: exposure.allowed_sources,
        }
    }
}

#[cfg(test)]
impl ExposureRow {
    /// The row on one line.
    pub(crate) fn shown(&self) -> String {
        let number = |number: Option<i64>| number.map_or("-".to_owned(), |number| number.to_string());
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let tls = if self.tls == Some(true) { " tls" } else { "" };
        let internal = if self.external { "" } else { " internal" };
        let host = self.host.as_deref().unwrap_or("*");
        let (port, target) = (number(self.port), number(self.target_port));
        let (service, service_port) = (or_none(&self.service_name), number(self.service_port));
        let pod = or_none(&self.pod_name);
        let kind = &self.r#type;
        format!("{kind} {} {host} {port}{tls}{internal} -> {service} {service_port} {target} {pod}", self.name)
    }
}
