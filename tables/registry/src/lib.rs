//! All tables. This is the only place that knows all environments.

mod elsewhere;
pub mod links;

pub use elsewhere::{ELSEWHERE, MISSING};
pub use indago_table::Sys;
use indago_table::{CatalogRef, EventSource, FunctionRef, TableRef};

#[cfg(feature = "aws")]
pub use indago_tables_aws::{Aws, AwsSettings};
#[cfg(feature = "containers")]
pub use indago_tables_containers::{
    Containers, Endpoint as ContainerEndpoint, Kind as ContainerKind, Runtime as ContainerRuntime,
};
#[cfg(feature = "git")]
pub use indago_tables_git::{Git, Root as GitRoot};
#[cfg(feature = "kubernetes")]
pub use indago_tables_kubernetes::{
    Change as KubernetesChange, Changes as KubernetesChanges, Kubernetes, Op as KubernetesOp, Reads as KubernetesReads,
    Settings as KubernetesSettings,
};
#[cfg(feature = "vulnerabilities")]
pub use indago_tables_vulnerabilities::{Settings as VulnerabilitySettings, Vulnerabilities};

/// What the tables read from. An environment that is `None` (or no host) has no tables.
#[derive(Debug, Clone, Default)]
pub struct Environments {
    /// The hosts: this machine, and directories with the files of others.
    #[cfg(feature = "host")]
    pub hosts: Vec<Sys>,
    /// The container runtimes.
    #[cfg(feature = "containers")]
    pub containers: Option<Containers>,
    /// The Kubernetes clusters.
    #[cfg(feature = "kubernetes")]
    pub kubernetes: Option<Kubernetes>,
    /// The AWS accounts.
    #[cfg(feature = "aws")]
    pub aws: Option<Aws>,
    /// The git repositories.
    #[cfg(feature = "git")]
    pub git: Option<Git>,
    /// The records of known vulnerabilities.
    #[cfg(feature = "vulnerabilities")]
    pub vulnerabilities: Option<Vulnerabilities>,
}

impl Environments {
    /// The environments of a machine: its files, its runtimes' sockets, its kubeconfig, its AWS profile, the repository
    /// of the current directory. Reads nothing yet.
    pub fn of(sys: &Sys) -> Self {
        Environments {
            #[cfg(feature = "host")]
            hosts: vec![sys.clone()],
            #[cfg(feature = "containers")]
            containers: Some(Containers::discover(sys)),
            #[cfg(feature = "kubernetes")]
            kubernetes: Some(Kubernetes::new(sys, KubernetesSettings::default())),
            #[cfg(feature = "aws")]
            aws: Some(Aws::new(&AwsSettings::default())),
            #[cfg(feature = "git")]
            git: Some(Git::discover(sys)),
            #[cfg(feature = "vulnerabilities")]
            vulnerabilities: Some(Vulnerabilities::new(sys, VulnerabilitySettings::default())),
        }
    }
}

/// The tables of some environments.
pub fn all(environments: &Environments) -> Vec<TableRef> {
    let mut tables = Vec::new();
    #[cfg(feature = "host")]
    tables.extend(indago_tables_host::tables(&environments.hosts));
    #[cfg(feature = "containers")]
    tables.extend(environments.containers.iter().flat_map(indago_tables_containers::tables));
    #[cfg(feature = "kubernetes")]
    tables.extend(environments.kubernetes.iter().flat_map(indago_tables_kubernetes::tables));
    #[cfg(feature = "aws")]
    tables.extend(environments.aws.iter().flat_map(indago_tables_aws::tables));
    #[cfg(feature = "git")]
    tables.extend(environments.git.iter().flat_map(indago_tables_git::tables));
    #[cfg(feature = "vulnerabilities")]
    tables.extend(environments.vulnerabilities.iter().flat_map(indago_tables_vulnerabilities::tables));
    tables
}

/// The sources of events of some environments.
pub fn event_sources(environments: &Environments) -> Vec<Box<dyn EventSource>> {
    #[allow(unused_mut, reason = "a build without environments has no sources")]
    let mut sources: Vec<Box<dyn EventSource>> = Vec::new();
    #[cfg(feature = "kubernetes")]
    sources.extend(environments.kubernetes.iter().flat_map(indago_tables_kubernetes::event_sources));
    #[cfg(not(feature = "kubernetes"))]
    let _ = environments;
    sources
}

/// The catalogs of some environments: their tables that exist when a query names them.
#[allow(unused_mut, reason = "a build without environments has none")]
pub fn catalogs(environments: &Environments) -> Vec<CatalogRef> {
    let mut catalogs = Vec::new();
    #[cfg(feature = "kubernetes")]
    catalogs.extend(environments.kubernetes.iter().flat_map(indago_tables_kubernetes::catalogs));
    #[cfg(not(feature = "kubernetes"))]
    let _ = environments;
    catalogs
}

/// Tables and functions that compute their values from recorded tables, if a query reads a past time.
const COMPUTED: [&str; 5] = [
    "kubernetes_access",
    "kubernetes_access_expanded",
    "kubernetes_can_i",
    "kubernetes_can_request",
    "kubernetes_who_can",
];

/// Whether a table or function computes its values from recorded tables, if a query reads a past time.
pub fn is_computed(name: &str) -> bool {
    COMPUTED.contains(&name)
}

/// The scalar functions of some environments.
pub fn functions(environments: &Environments) -> Vec<FunctionRef> {
    #[allow(unused_mut, reason = "a build without environments has no functions")]
    let mut functions = Vec::new();
    #[cfg(feature = "aws")]
    functions.extend(environments.aws.iter().flat_map(indago_tables_aws::functions));
    #[cfg(feature = "kubernetes")]
    functions.extend(environments.kubernetes.iter().flat_map(indago_tables_kubernetes::functions));
    functions
}
