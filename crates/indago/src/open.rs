//! Builds an engine from a configuration.

use std::sync::Arc;

use indago_config::{Config, SqlDialect};
use indago_engine::{Absent, Dialect, Engine, EngineBuilder, Limits, TableRef};
use indago_store::{Recorded, Store};
use indago_table::{CatalogRef, FunctionRef, Sys};
use indago_tables_registry::{self as registry, Environments, links};

use crate::osquery;
use crate::reach::{Attacks, Estate};
use crate::timeline::Timelines;

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A view does not plan, or the engine itself failed.
    #[error(transparent)]
    Engine(#[from] indago_engine::Error),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] indago_store::Error),
    /// A setting is invalid.
    #[error("{key}: {message}")]
    Setting {
        /// The key in the configuration.
        key: &'static str,
        /// What is wrong with the value.
        message: String,
    },
}

/// Adds the tables of this machine to a builder.
pub trait Defaults: Sized {
    /// All tables for this machine: its files, its container runtimes' sockets, its kubeconfig, its AWS profile, the
    /// repository of the current directory. Reads nothing yet.
    fn with_defaults(self) -> Result<Self, OpenError>;
    /// All tables for these environments.
    #[must_use]
    fn with_environments(self, environments: &Environments) -> Self;
}

impl Defaults for EngineBuilder {
    fn with_defaults(self) -> Result<Self, OpenError> {
        Ok(self.with_environments(&Environments::of(&Sys::live())))
    }

    fn with_environments(self, environments: &Environments) -> Self {
        let builder = self.tables(osquery::tables(&Config::default())).absent(of_osquery);
        of_environments(builder, environments, None, &Config::default())
    }
}

/// The engine of a configuration: tables of its environments or of its store, its views and its limits.
pub async fn open(config: &Config) -> Result<Engine, OpenError> {
    Ok(builder(config)?.build().await?)
}

/// The builder of that engine, for embedders that add tables or functions.
pub fn builder(config: &Config) -> Result<EngineBuilder, OpenError> {
    let builder = Engine::builder().limits(limits(config)).dialect(match config.sql.dialect {
        SqlDialect::Osquery => Dialect::Osquery,
        SqlDialect::Datafusion => Dialect::DataFusion,
    });
    let builder = builder.tables(osquery::tables(config));
    let store = config.store.dir.clone();
    let builder = match &store {
        Some(dir) => match Recorded::names_in(dir) {
            names if names.is_empty() => {
                let tables = Store::open(dir, &every_table())?.into_tables();
                with_reach(builder, &tables, &[], limits(config)).tables(tables)
            }
            names => {
                let recorded = Recorded::at(dir.to_string_lossy());
                let (tables, others) = (recorded.tables(&names, &every_table()), recorded.others());
                let builder = with_reach(builder, &tables, std::slice::from_ref(&others), limits(config));
                let builder = with_past(builder.tables(tables).catalog(others), &recorded);
                builder.table_functions(timelines(Some(&recorded), Vec::new(), limits(config)))
            }
        },
        None => of_environments(builder, &environments(config)?, recorded(config).as_ref(), config),
    };
    let builder = builder.absent(move |name| {
        let table = every_table().into_iter().find(|table| table.spec().name == name);
        match (table, &store) {
            (Some(_), Some(dir)) => Some(Absent::NotCaptured(dir.clone())),
            (Some(table), None) => Some(Absent::Disabled(table.spec().environment.to_string())),
            (None, _) => of_osquery(name),
        }
    });
    let mut builder = builder;
    for (schema, dir) in &config.stores {
        builder = builder.catalog(match Recorded::names_in(dir).is_empty() {
            true => Arc::new(Store::open_as(schema, dir, &every_table())?),
            false => Recorded::at(dir.to_string_lossy()).as_schema(schema, &every_table()),
        });
    }
    Ok(config.views.iter().fold(builder, |builder, (name, sql)| builder.view_of_user(name, sql)))
}

/// Adds the tables and catalogs of some environments. With recorded tables, they have a past.
fn of_environments(
    builder: EngineBuilder,
    environments: &Environments,
    recorded: Option<&Arc<Recorded>>,
    config: &Config,
) -> EngineBuilder {
    let table = |table: TableRef| match recorded {
        Some(recorded) if registry::is_computed(&table.spec().name) => recorded.with_computed_past(table),
        Some(recorded) => recorded.with_past(table),
        None => table,
    };
    let function = |function: FunctionRef| match recorded {
        Some(recorded) if registry::is_computed(function.spec().name) => recorded.with_past_of_function(function),
        _ => function,
    };
    let catalog = |catalog: CatalogRef| match recorded {
        Some(recorded) => recorded.with_past_of(catalog),
        None => catalog,
    };
    let tables = registry::all(environments);
    // Without the files of audit logs, their table has only a warning.
    let is_configured = |name: &str| name != "kubernetes_audit_events" || config.kubernetes.audit_logs.is_some();
    let events = tables.iter().filter(|table| {
        let name = &table.spec().name;
        links::is_of_events(name) && is_configured(name)
    });
    let events = events.cloned().collect();
    let tables: Vec<TableRef> = tables.into_iter().map(table).collect();
    let catalogs: Vec<CatalogRef> = registry::catalogs(environments).into_iter().map(catalog).collect();
    let builder = with_reach(builder, &tables, &catalogs, limits(config))
        .table_functions(timelines(recorded, events, limits(config)))
        .tables(tables)
        .functions(registry::functions(environments).into_iter().map(function))
        .event_sources(registry::event_sources(environments));
    let builder = catalogs.into_iter().fold(builder, EngineBuilder::catalog);
    match recorded.cloned() {
        Some(recorded) => {
            let builder = with_past(builder, &recorded);
            builder.event_tables(move |events| recorded.with_past(events))
        }
        None => builder,
    }
}

/// Adds the attack graph over the tables of clusters, if there are any.
fn with_reach(builder: EngineBuilder, tables: &[TableRef], catalogs: &[CatalogRef], limits: Limits) -> EngineBuilder {
    let of_clusters = tables.iter().filter(|table| table.spec().environment == "kubernetes");
    let of_clusters: Vec<TableRef> = of_clusters.cloned().collect();
    if of_clusters.is_empty() {
        return builder;
    }
    let own = Engine::builder().limits(limits).tables(of_clusters);
    let estate = Estate::new(catalogs.iter().cloned().fold(own, EngineBuilder::catalog));
    builder.tables(estate.tables()).table_functions(Attacks(estate))
}

/// Adds the tables about the past.
fn with_past(builder: EngineBuilder, recorded: &Arc<Recorded>) -> EngineBuilder {
    recorded.catalogs().into_iter().fold(builder.table(recorded.coverage()), EngineBuilder::catalog)
}

/// The function `timeline` over recorded tables, and over live tables of events.
fn timelines(recorded: Option<&Arc<Recorded>>, events: Vec<TableRef>, limits: Limits) -> Timelines {
    let builder = Engine::builder().limits(limits).tables(events);
    let catalogs = recorded.into_iter().flat_map(|recorded| recorded.catalogs());
    let builder = catalogs.fold(builder, EngineBuilder::catalog);
    Timelines::new(builder, Sys::live())
}

/// The recorded tables of a configuration: if it records, or if its directory exists. A bucket is used if it is configured.
fn recorded(config: &Config) -> Option<Arc<Recorded>> {
    let location = &config.record.dir;
    let exists = || location.is_url() || std::path::Path::new(&location.0).is_dir();
    (config.record.enabled || exists()).then(|| Recorded::at(&location.0))
}

/// The tables of all environments of this build, as if all were enabled.
pub(crate) fn every_table() -> Vec<TableRef> {
    registry::all(&Environments::of(&Sys::live()))
}

/// Whether a table that does not exist here is osquery's.
fn of_osquery(name: &str) -> Option<Absent> {
    let elsewhere = registry::ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == name);
    let elsewhere = elsewhere.map(|(_, systems)| Absent::OnlyOn(systems));
    elsewhere.or_else(|| registry::MISSING.contains(&name).then_some(Absent::OfOsquery))
}

fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    let defaults = Limits::default();
    Limits {
        timeout: limits.timeout.map(|timeout| timeout.0),
        memory: usize::try_from(limits.memory.0).unwrap_or(usize::MAX),
        max_calls: limits.max_calls,
        batch_size: limits.batch_size,
        partitions: limits.partitions.unwrap_or(defaults.partitions),
        slices: limits.slices,
        calls_per_endpoint: limits.calls_per_endpoint,
        calls_per_second: limits.calls_per_second,
        call_timeout: limits.call_timeout.0,
        retries: limits.retries,
        retry_base: limits.retry_base.0,
        lookup_batch: limits.lookup_batch,
        lookup_concurrency: limits.lookup_concurrency,
    }
}

/// The environments that a configuration enables.
fn environments(config: &Config) -> Result<Environments, OpenError> {
    // Sockets, kubeconfigs and repositories are read from the first host.
    let roots = &config.host.roots;
    let setting = |message: String| OpenError::Setting { key: "host.roots", message };
    if roots.is_empty() {
        return Err(setting("is empty; `host.enabled = false` disables the host's tables".to_owned()));
    }
    if let Some((_, twice)) = roots.iter().enumerate().find(|(position, root)| roots[..*position].contains(root)) {
        return Err(setting(format!("names {} twice", twice.display())));
    }
    let hosts: Vec<Sys> = roots.iter().map(Sys::of_root).collect();
    let sys = hosts.first().cloned().unwrap_or_default();
    #[allow(unused_mut, reason = "a build without environments has nothing to set")]
    let mut environments = Environments::default();
    #[cfg(feature = "host")]
    {
        environments.hosts = if config.host.enabled { hosts } else { Vec::new() };
    }
    #[cfg(feature = "containers")]
    {
        use registry::{ContainerRuntime, Containers};
        environments.containers = match &config.containers.sockets {
            _ if !config.containers.enabled => None,
            None => Some(Containers::discover(&sys)),
            Some(sockets) => {
                let runtime = |socket: &std::path::PathBuf| {
                    let address = socket.to_string_lossy();
                    if address.contains("containerd") {
                        ContainerRuntime::containerd(&address)
                    } else {
                        ContainerRuntime::docker(&address)
                    }
                };
                let runtimes = sockets.iter().map(runtime).collect();
                Some(Containers::with_runtimes(&sys, runtimes))
            }
        };
    }
    #[cfg(feature = "kubernetes")]
    {
        let settings = registry::KubernetesSettings {
            kubeconfig: config.kubernetes.kubeconfig.clone(),
            contexts: config.kubernetes.contexts.clone().unwrap_or_default(),
            namespaces: config.kubernetes.namespaces.clone().unwrap_or_default(),
            secret_values: config.kubernetes.secret_values,
            reads: match config.kubernetes.reads {
                indago_config::KubernetesReads::Consistent => registry::KubernetesReads::Consistent,
                indago_config::KubernetesReads::Cached => registry::KubernetesReads::Cached,
            },
            audit_logs: config.kubernetes.audit_logs.clone().unwrap_or_default(),
            watch: config.kubernetes.watch,
            watch_resources: config.kubernetes.watch_resources.clone().unwrap_or_default(),
            watch_memory: usize::try_from(config.kubernetes.watch_memory.0).unwrap_or(usize::MAX),
            manifests: config.kubernetes.manifests.clone(),
        };
        // In a pod with the host's root mounted, the cluster is queried with the pod's own service account.
        let asker = if sys.has_live_kernel() { Sys::live() } else { sys.clone() };
        environments.kubernetes =
            config.kubernetes.enabled.then(|| registry::Kubernetes::new(&asker, settings).with_logs_of(&sys));
    }
    #[cfg(feature = "aws")]
    {
        let settings = registry::AwsSettings {
            profiles: config.aws.profiles.clone().unwrap_or_default(),
            regions: config.aws.regions.clone().unwrap_or_default(),
            endpoint_url: config.aws.endpoint_url.clone(),
            config_file: None,
            cloudtrail_logs: config.aws.cloudtrail_logs.clone(),
        };
        environments.aws = config.aws.enabled.then(|| registry::Aws::new(&settings).with_logs_of(&sys));
    }
    #[cfg(feature = "git")]
    {
        use registry::{Git, GitRoot};
        environments.git = match &config.git.roots {
            _ if !config.git.enabled => None,
            None => Some(Git::discover(&sys)),
            Some(roots) => {
                let root = |path: &std::path::PathBuf| GitRoot { path: path.clone(), depth: config.git.depth };
                Some(Git::with_roots(&sys, roots.iter().map(root)))
            }
        };
    }
    #[cfg(feature = "vulnerabilities")]
    {
        let config = &config.vulnerabilities;
        let settings = registry::VulnerabilitySettings {
            osv: config.osv.clone(),
            epss: config.epss.clone(),
            known_exploited: config.known_exploited.clone(),
        };
        // The records are files of this program, like the configuration, and not of a host that it reads.
        environments.vulnerabilities = config.enabled.then(|| registry::Vulnerabilities::new(&Sys::live(), settings));
    }
    Ok(environments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_says_nothing_has_the_engines_limits() {
        assert_eq!(limits(&Config::default()), Limits::default());
    }

    #[test]
    fn limits_of_a_configuration_reach_the_engine() {
        let mut config = Config::default();
        (config.limits.slices, config.limits.calls_per_endpoint) = (3, 2);
        let limits = limits(&config);
        assert_eq!((limits.slices, limits.calls_per_endpoint), (3, 2));
    }
}
