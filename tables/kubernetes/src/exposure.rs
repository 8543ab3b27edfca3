//! What exposes pods beyond the network of a cluster: services, ingresses, routes of the Gateway API, and pods that use
//! the ports or the network of their node.

use std::collections::HashMap;

use indago_table::{AnyScan, Error, Result};
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::derived::{Listed, Lists, text};
use crate::network::{Pod, protocol};
use crate::resource::elements;
use crate::selector::Selector;

/// A port that is exposed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exposure {
    pub(crate) kind: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) addresses: Vec<String>,
    pub(crate) port: Option<i64>,
    pub(crate) protocol: String,
    pub(crate) host: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) path_type: Option<String>,
    pub(crate) tls: Option<bool>,
    pub(crate) tls_secrets: Vec<String>,
    pub(crate) ingress_class: Option<String>,
    pub(crate) gateway: Option<String>,
    pub(crate) listener: Option<String>,
    pub(crate) is_external: bool,
    pub(crate) allowed_sources: Vec<String>,
    target: Target,
}

/// What receives the connections.
#[derive(Debug, Clone, Default)]
enum Target {
    #[default]
    Nothing,
    Service {
        namespace: String,
        name: String,
        port: ServicePort,
    },
    /// A pod, by its position, and its port.
    Pod(usize, Option<i64>),
}

/// How a port of a service is named.
#[derive(Debug, Clone, PartialEq)]
enum ServicePort {
    Number(i64),
    Name(String),
}

impl ServicePort {
    fn parse(port: &Document) -> Option<Self> {
        match port {
            Document::Number(number) => number.as_i64().map(ServicePort::Number),
            Document::String(name) => Some(ServicePort::Name(name.clone())),
            _ => None,
        }
    }
}

/// A pod behind an exposure, and the way to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backend {
    /// Namespace and name of the service.
    pub(crate) service: Option<(String, String)>,
    pub(crate) service_port: Option<i64>,
    pub(crate) target_port: Option<i64>,
    pub(crate) pod: Option<BackendPod>,
}

#[derive(Debug, Clone)]
pub(crate) struct BackendPod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) ip: Option<String>,
    pub(crate) node: Option<String>,
}

impl BackendPod {
    fn of(pod: &Pod) -> Self {
        BackendPod {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            ip: pod.ips.first().map(ToString::to_string),
            node: pod.node.clone(),
        }
    }
}

/// A pod that has not ended, and its ports in the node's network.
#[derive(Debug)]
struct Running {
    pod: Pod,
    /// Host address, host port, port and protocol.
    host_ports: Vec<(String, i64, i64, String)>,
    /// Ports and protocols that it declares, if it uses the node's network.
    own_ports: Vec<(i64, String)>,
}

/// The objects of a cluster that expose pods.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    services: Listed<Document>,
    ingresses: Listed<Document>,
    gateways: Listed<Document>,
    /// Routes with their kind.
    routes: Vec<(&'static str, Listed<Document>)>,
    slices: Listed<Document>,
    pods: Listed<Running>,
    /// Addresses of the nodes, the external ones first.
    nodes: Vec<String>,
    index: Index,
}

/// Positions of objects by their names.
#[derive(Debug, Default)]
struct Index {
    services: HashMap<(String, String), usize>,
    gateways: HashMap<(String, String), usize>,
    /// Slices of endpoints by namespace and service.
    slices: HashMap<(String, String), Vec<usize>>,
    /// Pods by namespace, label and value.
    labelled: HashMap<(String, String, String), Vec<usize>>,
    by_uid: HashMap<String, usize>,
    by_namespace: HashMap<String, Vec<usize>>,
}

/// The resources of routes and their kinds. A cluster may have some of them.
const ROUTES: [(&str, &str); 5] = [
    ("httproutes", "HTTPRoute"),
    ("grpcroutes", "GRPCRoute"),
    ("tlsroutes", "TLSRoute"),
    ("tcproutes", "TCPRoute"),
    ("udproutes", "UDPRoute"),
];

const SERVICE_LABEL: &str = "kubernetes.io/service-name";

fn key(object: &Document) -> (String, String) {
    (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

impl Running {
    fn of(document: Document) -> Option<Self> {
        if ["Succeeded", "Failed"].iter().any(|ended| document["status"]["phase"] == *ended) {
            return None;
        }
        let spec = &document["spec"];
        let sidecars = elements(&spec["initContainers"]).filter(|container| container["restartPolicy"] == "Always");
        let containers = elements(&spec["containers"]).chain(sidecars);
        let (mut host_ports, mut own_ports) = (Vec::new(), Vec::new());
        for port in containers.flat_map(|container| elements(&container["ports"])) {
            let Some(number) = port["containerPort"].as_i64() else { continue };
            let protocol = protocol(&port["protocol"]).to_owned();
            if spec["hostNetwork"] == true {
                own_ports.push((number, protocol));
            } else if let Some(host_port) = port["hostPort"].as_i64().filter(|port| *port != 0) {
                host_ports.push((text(&port["hostIP"]), host_port, number, protocol));
            }
        }
        Some(Running { host_ports, own_ports, pod: Pod::of(document) })
    }
}

impl Objects {
    pub(crate) async fn read(scan: &AnyScan<Kubernetes>, part: &Lists) -> Result<Self> {
        let pods = part.read_if_served(scan, "pods", Running::of);
        let services = part.read_if_served(scan, "services", Some);
        let ingresses = part.read_if_served(scan, "ingresses", Some);
        let slices = part.read_if_served(scan, "endpointslices", Some);
        let nodes = part.read_if_served(scan, "nodes", Some);
        let gateways = part.read_if_served(scan, "gateways", Some);
        let (pods, services, ingresses, slices, nodes, gateways) =
            futures::try_join!(pods, services, ingresses, slices, nodes, gateways)?;
        let mut routes = Vec::new();
        // Without gateways, no route has an effect.
        for (resource, kind) in ROUTES.into_iter().filter(|_| !gateways.is_empty()) {
            routes.push((kind, part.read_if_served(scan, resource, Some).await?));
        }
        let objects = Objects {
            nodes: node_addresses(&nodes),
            services,
            ingresses,
            gateways,
            routes,
            slices,
            pods,
            index: Index::default(),
        };
        Ok(objects.indexed())
    }

    fn indexed(mut self) -> Self {
        let mut index = Index::default();
        let by_name =
            |list: &[Document]| list.iter().enumerate().map(|(position, object)| (key(object), position)).collect();
        index.services = by_name(&self.services);
        index.gateways = by_name(&self.gateways);
        for (position, slice) in self.slices.iter().enumerate() {
            let service = text(&slice["metadata"]["labels"][SERVICE_LABEL]);
            index.slices.entry((key(slice).0, service)).or_default().push(position);
        }
        for (position, Running { pod, .. }) in self.pods.iter().enumerate() {
            index.by_uid.insert(pod.uid.clone(), position);
            index.by_namespace.entry(pod.namespace.clone()).or_default().push(position);
            for (label, value) in &pod.labels {
                let label = (pod.namespace.clone(), label.clone(), text(value));
                index.labelled.entry(label).or_default().push(position);
            }
        }
        self.index = index;
        self
    }

    /// All exposures, and an error for each object that is malformed.
    pub(crate) fn exposures(&self) -> impl Iterator<Item = Result<Exposure>> {
        let services = self.services.iter().flat_map(|service| self.of_service(service));
        let ingresses = self.ingresses.iter().flat_map(of_ingress);
        let routes = self.routes.iter().flat_map(|(kind, routes)| routes.iter().map(|route| (*kind, route)));
        let routes = routes.flat_map(|(kind, route)| self.of_route(kind, route));
        let pods = self.pods.iter().enumerate().flat_map(|(position, pod)| of_pod(position, pod));
        services.chain(ingresses).chain(routes).chain(pods.map(Ok))
    }

    fn of_service(&self, service: &Document) -> Vec<Result<Exposure>> {
        let spec = &service["spec"];
        let (namespace, name) = key(service);
        let base = Exposure {
            namespace: namespace.clone(),
            name: name.clone(),
            uid: text(&service["metadata"]["uid"]),
            is_external: true,
            ..Exposure::default()
        };
        let kind = spec["type"].as_str().unwrap_or("ClusterIP");
        if !["ClusterIP", "NodePort", "LoadBalancer"].contains(&kind) {
            return Vec::new();
        }
        let external_ips: Vec<String> = texts(&spec["externalIPs"]);
        let mut exposures = Vec::new();
        for port in elements(&spec["ports"]) {
            let Some(number) = port["port"].as_i64() else {
                let what = format!("service {namespace}/{name}: a port has no number; it was skipped");
                exposures.push(Err(Error::Malformed(what)));
                continue;
            };
            let target = ServicePort::Number(number);
            let base = Exposure {
                protocol: protocol(&port["protocol"]).to_owned(),
                target: Target::Service { namespace: namespace.clone(), name: name.clone(), port: target },
                ..base.clone()
            };
            if kind == "LoadBalancer" {
                exposures.push(Ok(Exposure {
                    kind: "LoadBalancer",
                    addresses: balancer_addresses(service),
                    port: Some(number),
                    is_external: !is_internal(service),
                    allowed_sources: texts(&spec["loadBalancerSourceRanges"]),
                    ..base.clone()
                }));
            }
            if let Some(node_port) = port["nodePort"].as_i64().filter(|port| *port != 0) {
                let (addresses, port) = (self.nodes.clone(), Some(node_port));
                exposures.push(Ok(Exposure { kind: "NodePort", addresses, port, ..base.clone() }));
            }
            if !external_ips.is_empty() {
                let (addresses, port) = (external_ips.clone(), Some(number));
                exposures.push(Ok(Exposure { kind: "ExternalIP", addresses, port, ..base.clone() }));
            }
        }
        exposures
    }

    /// The exposures of a route: for each listener of its gateways, host, path and service.
    fn of_route(&self, kind: &'static str, route: &Document) -> Vec<Result<Exposure>> {
        let spec = &route["spec"];
        let (namespace, name) = key(route);
        let hosts: Vec<String> = texts(&spec["hostnames"]);
        let mut exposures = Vec::new();
        for parent in elements(&spec["parentRefs"]) {
            if parent["kind"].as_str().is_some_and(|kind| kind != "Gateway") {
                continue;
            }
            let parent_namespace = parent["namespace"].as_str().unwrap_or(&namespace).to_owned();
            let gateway_key = (parent_namespace, text(&parent["name"]));
            let Some(gateway) = self.index.gateways.get(&gateway_key).map(|position| &self.gateways[*position]) else {
                continue;
            };
            let listeners = elements(&gateway["spec"]["listeners"]).filter(|listener| {
                let is_section = parent["sectionName"].as_str().is_none_or(|section| listener["name"] == section);
                let is_port = parent["port"].is_null() || parent["port"] == listener["port"];
                is_section && is_port && carries(&listener["protocol"], kind)
            });
            for listener in listeners {
                for host in common_hosts(&hosts, listener["hostname"].as_str()) {
                    for rule in elements(&spec["rules"]) {
                        for (path, path_type) in paths(kind, rule) {
                            for target in route_targets(rule, &namespace) {
                                let secrets = elements(&listener["tls"]["certificateRefs"]).map(|secret| {
                                    let namespace = secret["namespace"].as_str().unwrap_or(&gateway_key.0);
                                    format!("{namespace}/{}", text(&secret["name"]))
                                });
                                exposures.push(Ok(Exposure {
                                    kind,
                                    namespace: namespace.clone(),
                                    name: name.clone(),
                                    uid: text(&route["metadata"]["uid"]),
                                    addresses: gateway_addresses(gateway),
                                    port: listener["port"].as_i64(),
                                    protocol: if kind == "UDPRoute" { "UDP" } else { "TCP" }.to_owned(),
                                    host: host.clone(),
                                    path: path.clone(),
                                    path_type: path_type.clone(),
                                    tls: Some(["HTTPS", "TLS"].iter().any(|tls| listener["protocol"] == *tls)),
                                    tls_secrets: secrets.collect(),
                                    gateway: Some(format!("{}/{}", gateway_key.0, gateway_key.1)),
                                    listener: Some(text(&listener["name"])),
                                    is_external: true,
                                    target,
                                    ..Exposure::default()
                                }));
                            }
                        }
                    }
                }
            }
        }
        exposures
    }

    /// The pods behind an exposure; one backend without a pod if there are none.
    pub(crate) fn backends(&self, exposure: &Exposure) -> Vec<Backend> {
        let (namespace, name, port) = match &exposure.target {
            Target::Nothing => return vec![Backend::default()],
            Target::Pod(position, port) => {
                let pod = Some(BackendPod::of(&self.pods[*position].pod));
                return vec![Backend { target_port: *port, pod, ..Backend::default() }];
            }
            Target::Service { namespace, name, port } => (namespace, name, port),
        };
        let number = match port {
            ServicePort::Number(number) => Some(*number),
            ServicePort::Name(_) => None,
        };
        let service_key = (namespace.clone(), name.clone());
        let none = Backend { service: Some(service_key.clone()), service_port: number, ..Backend::default() };
        let Some(service) = self.index.services.get(&service_key).map(|position| &self.services[*position]) else {
            return vec![none];
        };
        let declared = elements(&service["spec"]["ports"]).find(|declared| match port {
            ServicePort::Number(number) => declared["port"].as_i64() == Some(*number),
            ServicePort::Name(name) => declared["name"] == *name,
        });
        let Some(declared) = declared else { return vec![none] };
        let none = Backend { service_port: declared["port"].as_i64(), ..none };
        let selector = Selector::of_labels(&service["spec"]["selector"]).unwrap_or_default();
        let backends: Vec<Backend> = if selector.is_empty() {
            self.of_slices(&service_key, &none, text(&declared["name"]).as_str())
        } else {
            let pods = self.selected(namespace, &selector);
            let target = |pod: &Pod| match ServicePort::parse(&declared["targetPort"]) {
                None => none.service_port,
                Some(ServicePort::Number(number)) => Some(number),
                Some(ServicePort::Name(name)) => pod.port(&name, protocol(&declared["protocol"])),
            };
            let backend =
                |pod: &Pod| Backend { target_port: target(pod), pod: Some(BackendPod::of(pod)), ..none.clone() };
            pods.map(backend).collect()
        };
        if backends.is_empty() { vec![none] } else { backends }
    }

    fn selected<'a>(&'a self, namespace: &str, selector: &'a Selector) -> impl Iterator<Item = &'a Pod> {
        let candidates = match selector.label() {
            Some((label, value)) => {
                self.index.labelled.get(&(namespace.to_owned(), label.to_owned(), value.to_owned()))
            }
            None => self.index.by_namespace.get(namespace),
        };
        let pods = candidates.into_iter().flatten().map(|position| &self.pods[*position].pod);
        pods.filter(|pod| selector.matches(&pod.labels))
    }

    /// The endpoints of a service without a selector.
    fn of_slices(&self, service: &(String, String), none: &Backend, port_name: &str) -> Vec<Backend> {
        let mut backends = Vec::new();
        let slices = self.index.slices.get(service).into_iter().flatten().map(|position| &self.slices[*position]);
        for slice in slices {
            let port = elements(&slice["ports"]).find(|port| text(&port["name"]) == port_name);
            let target_port = port.and_then(|port| port["port"].as_i64());
            for endpoint in elements(&slice["endpoints"]) {
                let reference = &endpoint["targetRef"];
                let known = reference["uid"].as_str().and_then(|uid| self.index.by_uid.get(uid));
                let pod = known.map(|position| BackendPod::of(&self.pods[*position].pod));
                backends.push(Backend { target_port, pod, ..none.clone() });
            }
        }
        backends
    }
}

/// Exposures of a pod that uses ports or the network of its node.
fn of_pod(position: usize, running: &Running) -> Vec<Exposure> {
    let pod = &running.pod;
    let base = Exposure {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        addresses: pod.host_ips.iter().map(ToString::to_string).collect(),
        protocol: "TCP".to_owned(),
        is_external: true,
        target: Target::Pod(position, None),
        ..Exposure::default()
    };
    if pod.host_network {
        let base = Exposure { kind: "HostNetwork", ..base };
        if running.own_ports.is_empty() {
            return vec![base];
        }
        let of_port = |(port, protocol): &(i64, String)| {
            let (port, target) = (*port, Target::Pod(position, Some(*port)));
            Exposure { port: Some(port), protocol: protocol.clone(), target, ..base.clone() }
        };
        return running.own_ports.iter().map(of_port).collect();
    }
    let of_port = |(address, host_port, port, protocol): &(String, i64, i64, String)| {
        // Without an address, or with the unspecified one, the port is open at all addresses of the node.
        let is_one = !["", "0.0.0.0", "::"].contains(&address.as_str());
        Exposure {
            kind: "HostPort",
            addresses: if is_one { vec![address.clone()] } else { base.addresses.clone() },
            port: Some(*host_port),
            protocol: protocol.clone(),
            is_external: !address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()),
            target: Target::Pod(position, Some(*port)),
            ..base.clone()
        }
    };
    running.host_ports.iter().map(of_port).collect()
}

/// The exposures of an ingress: one per host and path, and one for its default backend.
fn of_ingress(ingress: &Document) -> Vec<Result<Exposure>> {
    let (namespace, name) = key(ingress);
    let spec = &ingress["spec"];
    let class = spec["ingressClassName"]
        .as_str()
        .or_else(|| ingress["metadata"]["annotations"]["kubernetes.io/ingress.class"].as_str());
    let exposure = |host: Option<String>, path: &Document, backend: &Document| {
        let certificates: Vec<&Document> =
            elements(&spec["tls"]).filter(|tls| covers(&texts(&tls["hosts"]), host.as_deref())).collect();
        let secrets = certificates.iter().filter_map(|tls| tls["secretName"].as_str());
        let is_tls = !certificates.is_empty();
        Exposure {
            kind: "Ingress",
            namespace: namespace.clone(),
            name: name.clone(),
            uid: text(&ingress["metadata"]["uid"]),
            addresses: balancer_addresses(ingress),
            port: Some(if is_tls { 443 } else { 80 }),
            protocol: "TCP".to_owned(),
            path: path["path"].as_str().map(str::to_owned),
            path_type: path["pathType"].as_str().map(str::to_owned),
            tls: Some(is_tls),
            tls_secrets: secrets.map(|secret| format!("{namespace}/{secret}")).collect(),
            ingress_class: class.map(str::to_owned),
            is_external: true,
            target: ingress_target(&namespace, backend),
            host,
            ..Exposure::default()
        }
    };
    let mut exposures = Vec::new();
    for rule in elements(&spec["rules"]) {
        let host = rule["host"].as_str().filter(|host| !host.is_empty()).map(str::to_owned);
        for path in elements(&rule["http"]["paths"]) {
            exposures.push(Ok(exposure(host.clone(), path, &path["backend"])));
        }
    }
    // Its name in v1 and in v1beta1.
    for default in ["defaultBackend", "backend"] {
        if !spec[default].is_null() {
            exposures.push(Ok(exposure(None, &Document::Null, &spec[default])));
        }
    }
    exposures
}

/// The service of an ingress backend, in v1 or in v1beta1.
fn ingress_target(namespace: &str, backend: &Document) -> Target {
    let service = &backend["service"];
    let (name, port) = match service["name"].as_str() {
        Some(name) => {
            let number = ServicePort::parse(&service["port"]["number"]);
            (Some(name), number.or_else(|| ServicePort::parse(&service["port"]["name"])))
        }
        None => (backend["serviceName"].as_str(), ServicePort::parse(&backend["servicePort"])),
    };
    match (name, port) {
        (Some(name), Some(port)) => Target::Service { namespace: namespace.to_owned(), name: name.to_owned(), port },
        _ => Target::Nothing,
    }
}

/// Whether a certificate is for a host. A certificate without hosts is for all; a `*` stands for one label.
fn covers(hosts: &[String], host: Option<&str>) -> bool {
    let matches = |pattern: &String| match (pattern.strip_prefix("*."), host) {
        (Some(parent), Some(host)) => {
            pattern == host || host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
        }
        (None, Some(host)) => pattern.eq_ignore_ascii_case(host),
        (_, None) => false,
    };
    hosts.is_empty() || hosts.iter().any(matches)
}

/// Whether a listener of this protocol carries routes of a kind.
fn carries(listener: &Document, kind: &str) -> bool {
    match listener.as_str().unwrap_or_default() {
        "HTTP" | "HTTPS" => matches!(kind, "HTTPRoute" | "GRPCRoute"),
        "TLS" => matches!(kind, "TLSRoute" | "TCPRoute"),
        "TCP" => kind == "TCPRoute",
        "UDP" => kind == "UDPRoute",
        // A protocol of an implementation.
        _ => true,
    }
}

/// The hosts that a route and a listener have in common. `None` stands for all hosts.
fn common_hosts(of_route: &[String], of_listener: Option<&str>) -> Vec<Option<String>> {
    let listener = of_listener.filter(|host| !host.is_empty());
    let Some(listener) = listener else {
        let all: Vec<_> = of_route.iter().cloned().map(Some).collect();
        return if all.is_empty() { vec![None] } else { all };
    };
    if of_route.is_empty() {
        return vec![Some(listener.to_owned())];
    }
    // Here a `*` stands for one or more labels.
    let is_below = |host: &str, pattern: &str| pattern.strip_prefix('*').is_some_and(|end| host.ends_with(end));
    let common = |host: &String| {
        if host == listener || is_below(host, listener) {
            Some(Some(host.clone()))
        } else {
            is_below(listener, host).then(|| Some(listener.to_owned()))
        }
    };
    of_route.iter().filter_map(common).collect()
}

/// The paths of a rule and how they are compared.
fn paths(kind: &str, rule: &Document) -> Vec<(Option<String>, Option<String>)> {
    let found: Vec<_> = elements(&rule["matches"])
        .map(|wanted| {
            if kind == "GRPCRoute" {
                let method = &wanted["method"];
                let path = format!("/{}/{}", text(&method["service"]), text(&method["method"]));
                return (Some(path).filter(|_| !method.is_null()), method["type"].as_str().map(str::to_owned));
            }
            let path = &wanted["path"];
            (path["value"].as_str().map(str::to_owned), path["type"].as_str().map(str::to_owned))
        })
        .collect();
    if found.is_empty() { vec![(None, None)] } else { found }
}

/// The services of a rule.
fn route_targets(rule: &Document, namespace: &str) -> Vec<Target> {
    let target = |backend: &Document| {
        let is_service = backend["kind"].as_str().is_none_or(|kind| kind == "Service");
        match (ServicePort::parse(&backend["port"]), backend["name"].as_str()) {
            (Some(port), Some(name)) if is_service => {
                let namespace = backend["namespace"].as_str().unwrap_or(namespace).to_owned();
                Target::Service { namespace, name: name.to_owned(), port }
            }
            _ => Target::Nothing,
        }
    };
    elements(&rule["backendRefs"]).map(target).collect()
}

/// Annotations of clouds that make a load balancer internal, and the values that do.
const INTERNAL: [(&str, &[&str]); 6] = [
    ("service.beta.kubernetes.io/aws-load-balancer-internal", &["true", "0.0.0.0/0"]),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", &["internal"]),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", &["true"]),
    ("networking.gke.io/load-balancer-type", &["Internal"]),
    ("cloud.google.com/load-balancer-type", &["Internal"]),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", &["true"]),
];

fn is_internal(service: &Document) -> bool {
    let annotations = &service["metadata"]["annotations"];
    INTERNAL.iter().any(|(name, values)| annotations[*name].as_str().is_some_and(|value| values.contains(&value)))
}

/// Addresses of a load balancer, in the status of a service or an ingress.
fn balancer_addresses(object: &Document) -> Vec<String> {
    let points = elements(&object["status"]["loadBalancer"]["ingress"]);
    points.filter_map(|point| point["ip"].as_str().or(point["hostname"].as_str())).map(str::to_owned).collect()
}

fn gateway_addresses(gateway: &Document) -> Vec<String> {
    let of = |list: &Document| elements(list).filter_map(|one| one["value"].as_str()).map(str::to_owned).collect();
    let assigned: Vec<String> = of(&gateway["status"]["addresses"]);
    if assigned.is_empty() { of(&gateway["spec"]["addresses"]) } else { assigned }
}

/// Addresses of nodes. If a node has an external one, only that is listed.
fn node_addresses(nodes: &[Document]) -> Vec<String> {
    let of_node = |node: &Document| {
        let of = |kind: &str| -> Vec<String> {
            let addresses = elements(&node["status"]["addresses"]).filter(|address| address["type"] == kind);
            addresses.filter_map(|address| address["address"].as_str()).map(str::to_owned).collect()
        };
        let external = of("ExternalIP");
        if external.is_empty() { of("InternalIP") } else { external }
    };
    nodes.iter().flat_map(of_node).collect()
}

fn texts(list: &Document) -> Vec<String> {
    elements(list).filter_map(Document::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes_exposures::ExposureRow;
    use crate::testing;

    /// The exposures of a cluster with these lists, each as type, name, host, port, port of the pod and pod; and the
    /// requests.
    async fn exposures(lists: Document) -> (Vec<String>, Vec<String>) {
        let (env, asked) = testing::cluster(move |path| {
            let path = path.split('?').next().unwrap();
            if let Some(answer) = testing::discovery(&lists, path) {
                return answer;
            }
            let Some(items) = lists.get(path) else { return testing::json(404, "404 page not found") };
            let kind = match path.rsplit('/').next().unwrap() {
                "endpointslices" => "EndpointSlice",
                "gateways" => "Gateway",
                "httproutes" => "HTTPRoute",
                "tlsroutes" => "TLSRoute",
                "ingresses" => "Ingress",
                "nodes" => "Node",
                "pods" => "Pod",
                "services" => "Service",
                other => panic!("{other}"),
            };
            testing::json(200, json!({"kind": format!("{kind}List"), "metadata": {}, "items": items}))
        });
        let scan = testing::scan::<ExposureRow>(&env, &[], None);
        let (rows, outcome) = testing::rows(&scan).await;
        assert_eq!(outcome, Ok(()));
        let warnings = scan.context().query.diagnostics().warnings();
        assert!(warnings.is_empty(), "{warnings:?}");
        (rows.iter().map(ExposureRow::shown).collect(), asked.lock().unwrap().clone())
    }

    fn named(name: &str, rest: Document) -> Document {
        let mut object = json!({"metadata": {"namespace": "a", "name": name, "uid": name}});
        for (key, value) in rest.as_object().unwrap() {
            object[key] = value.clone();
        }
        object
    }

    fn pod(name: &str) -> Document {
        let ports = json!([{"name": "http", "containerPort": 8080}]);
        let mut pod = named(
            name,
            json!({"spec": {"containers": [{"ports": ports}]}, "status": {"phase": "Running", "podIP": "10.0.0.1"}}),
        );
        pod["metadata"]["labels"] = json!({"app": name});
        pod
    }

    fn base() -> Document {
        json!({
            "/api/v1/pods": [pod("web"), named("ended", json!({
                "spec": {"hostNetwork": true, "containers": []}, "status": {"phase": "Succeeded"},
            }))],
            "/api/v1/services": [named("web", json!({"spec": {
                "selector": {"app": "web"}, "ports": [{"name": "p", "port": 80, "targetPort": "http"}],
            }}))],
            "/api/v1/nodes": [],
        })
    }

    #[tokio::test]
    async fn ingresses_of_old_servers_and_new_ones_lead_to_the_same_pods() {
        let v1 = json!({
            "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}},
            "tls": [{"hosts": ["*.example.com"], "secretName": "t"}],
            "rules": [
                {"host": "a.example.com", "http": {"paths": [
                    {"path": "/x", "backend": {"service": {"name": "web", "port": {"name": "p"}}}},
                ]}},
                {"host": "a.b.example.com", "http": {"paths": [
                    {"backend": {"service": {"name": "none", "port": {"number": 1}}}},
                ]}},
            ],
        });
        let v1beta1 = json!({
            "backend": {"serviceName": "web", "servicePort": 80},
            "tls": v1["tls"],
            "rules": [
                {"host": "a.example.com", "http": {"paths": [
                    {"path": "/x", "backend": {"serviceName": "web", "servicePort": "p"}},
                ]}},
                {"host": "a.b.example.com", "http": {"paths": [
                    {"backend": {"serviceName": "none", "servicePort": 1}},
                ]}},
            ],
        });
        for (path, spec) in
            [("/apis/networking.k8s.io/v1/ingresses", v1), ("/apis/networking.k8s.io/v1beta1/ingresses", v1beta1)]
        {
            let mut lists = base();
            lists[path] = json!([named("i", json!({"spec": spec}))]);
            let (rows, _) = exposures(lists).await;
            // A `*` in a certificate's host stands for one label.
            let expected = [
                "Ingress i a.example.com 443 tls -> web 80 8080 web",
                "Ingress i a.b.example.com 80 -> none 1 - -",
                "Ingress i * 80 -> web 80 8080 web",
            ];
            assert_eq!(rows, expected, "{path}");
        }
    }

    #[tokio::test]
    async fn services_have_an_exposure_for_each_way_in() {
        let mut lists = base();
        let service = |kind: &str, rest: Document| {
            let ports = json!([{"name": "p", "port": 80, "targetPort": 8080, "nodePort": 30000}]);
            let mut spec = json!({"type": kind, "selector": {"app": "web"}, "ports": ports});
            for (key, value) in rest.as_object().unwrap() {
                spec[key] = value.clone();
            }
            spec
        };
        let mut internal = named("internal", json!({"spec": service("LoadBalancer", json!({}))}));
        internal["metadata"]["annotations"] =
            json!({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"});
        lists["/api/v1/services"] = json!([
            named("cluster", json!({"spec": service("ClusterIP", json!({"ports": [{"port": 80}]}))})),
            internal,
            named(
                "external",
                json!({"spec": service("ClusterIP", json!({"externalIPs": ["203.0.113.1"], "ports": [{"port": 80}]}))})
            ),
            named("name", json!({"spec": {"type": "ExternalName", "externalName": "x"}})),
            named(
                "manual",
                json!({"spec": {"type": "NodePort", "ports": [{"name": "p", "port": 80, "nodePort": 30001}]}})
            ),
            named(
                "broken",
                json!({"spec": {
                    "type": "NodePort", "selector": {"app": "absent"}, "ports": [{"port": 80, "nodePort": 30002}],
                }})
            ),
        ]);
        let mut slice = named(
            "manual-1",
            json!({
                "ports": [{"name": "q", "port": 1}, {"name": "p", "port": 9000}],
                "endpoints": [
                    {"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "uid": "web"}},
                    {"addresses": ["192.0.2.9"]},
                ],
            }),
        );
        slice["metadata"]["labels"] = json!({SERVICE_LABEL: "manual"});
        lists["/apis/discovery.k8s.io/v1beta1/endpointslices"] = json!([slice]);
        let (rows, _) = exposures(lists).await;
        assert_eq!(
            rows,
            [
                "LoadBalancer internal * 80 internal -> internal 80 8080 web",
                "NodePort internal * 30000 -> internal 80 8080 web",
                "ExternalIP external * 80 -> external 80 80 web",
                "NodePort manual * 30001 -> manual 80 9000 web",
                "NodePort manual * 30001 -> manual 80 9000 -",
                "NodePort broken * 30002 -> broken 80 - -",
            ]
        );
    }

    #[tokio::test]
    async fn routes_of_gateways_follow_listeners_and_hosts() {
        let mut lists = base();
        lists["/apis/gateway.networking.k8s.io/v1/gateways"] = json!([named(
            "g",
            json!({
                "spec": {"listeners": [
                    {"name": "http", "port": 80, "protocol": "HTTP"},
                    {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.example.com"},
                    {"name": "tls", "port": 8443, "protocol": "TLS"},
                ]},
                "status": {"addresses": [{"value": "198.51.100.1"}]},
            })
        )]);
        let rule = json!({
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [{"name": "web", "port": 80}],
        });
        lists["/apis/gateway.networking.k8s.io/v1/httproutes"] = json!([
            named(
                "r",
                json!({"spec": {
                    "parentRefs": [{"name": "g"}], "hostnames": ["shop.example.com", "other.test"], "rules": [rule],
                }})
            ),
            named("one", json!({"spec": {"parentRefs": [{"name": "g", "sectionName": "https"}], "rules": [rule]}})),
            named("elsewhere", json!({"spec": {"parentRefs": [{"name": "absent"}], "rules": [rule]}})),
        ]);
        // Served in an older version only.
        lists["/apis/gateway.networking.k8s.io/v1alpha2/tlsroutes"] =
            json!([named("t", json!({"spec": {"parentRefs": [{"name": "g"}], "rules": [rule]}}))]);
        let (rows, _) = exposures(lists).await;
        assert_eq!(
            rows,
            [
                "HTTPRoute r shop.example.com 80 -> web 80 8080 web",
                "HTTPRoute r other.test 80 -> web 80 8080 web",
                "HTTPRoute r shop.example.com 443 tls -> web 80 8080 web",
                "HTTPRoute one *.example.com 443 tls -> web 80 8080 web",
                "TLSRoute t * 8443 tls -> web 80 8080 web",
            ]
        );
        // A cluster without gateways is not asked for routes.
        let (_, asked) = exposures(base()).await;
        assert!(!asked.iter().any(|path| path.contains("routes")), "{asked:?}");
    }

    #[tokio::test]
    async fn pods_are_exposed_by_their_node() {
        let mut lists = base();
        let status = json!({"phase": "Running", "hostIP": "192.0.2.1"});
        let ports = json!([
            {"containerPort": 80, "hostPort": 8080}, {"containerPort": 81},
            {"containerPort": 82, "hostPort": 82, "hostIP": "127.0.0.1"},
        ]);
        lists["/api/v1/pods"] = json!([
            named("port", json!({"spec": {"containers": [{"ports": ports}]}, "status": status})),
            named(
                "network",
                json!({
                    "spec": {"hostNetwork": true, "containers": [{"ports": [{"containerPort": 53, "hostPort": 53}]}]},
                    "status": status,
                })
            ),
        ]);
        let (rows, _) = exposures(lists).await;
        assert_eq!(
            rows,
            [
                "HostPort port * 8080 -> - - 80 port",
                "HostPort port * 82 internal -> - - 82 port",
                "HostNetwork network * 53 -> - - 53 network",
            ]
        );
    }

    #[tokio::test]
    async fn a_refused_list_is_a_warning_unless_the_server_has_no_such_group() {
        for (group_exists, expected) in [(false, 0), (true, 1)] {
            let lists = base();
            let (env, _) = testing::cluster(move |path| match path.split('?').next().unwrap() {
                "/apis/gateway.networking.k8s.io/v1" if group_exists => {
                    testing::json(200, r#"{"kind":"APIResourceList","resources":[{"name":"gateways"}]}"#)
                }
                path if path.contains("/gateways") => testing::json(403, r#"{"message":"gateways is forbidden"}"#),
                path => match lists.get(path) {
                    Some(items) => {
                        let kind = if path.ends_with("pods") {
                            "Pod"
                        } else if path.ends_with("nodes") {
                            "Node"
                        } else {
                            "Service"
                        };
                        testing::json(200, json!({"kind": format!("{kind}List"), "metadata": {}, "items": items}))
                    }
                    None => testing::json(404, "404 page not found"),
                },
            });
            let scan = testing::scan::<ExposureRow>(&env, &[], None);
            let (_, outcome) = testing::rows(&scan).await;
            let warnings = scan.context().query.diagnostics().warnings();
            assert_eq!((outcome, warnings.len()), (Ok(()), expected), "{warnings:?}");
        }
    }

    #[test]
    fn hosts_of_routes_and_listeners_meet() {
        let hosts = |route: &[&str], listener| {
            let route: Vec<String> = route.iter().map(|host| (*host).to_owned()).collect();
            let common = common_hosts(&route, listener);
            common.into_iter().map(|host| host.unwrap_or_else(|| "any".to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(hosts(&[], None), ["any"]);
        assert_eq!(hosts(&[], Some("a.test")), ["a.test"]);
        assert_eq!(hosts(&["a.test", "b.test"], None), ["a.test", "b.test"]);
        assert_eq!(hosts(&["a.b.test", "c.other"], Some("*.test")), ["a.b.test"]);
        assert_eq!(hosts(&["*.test"], Some("a.test")), ["a.test"]);
        assert_eq!(hosts(&["test"], Some("*.test")), Vec::<String>::new());
    }
}
