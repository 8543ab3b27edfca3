//! Configuration, engine, runtime and logs.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::Path;

use indago::config::{Config, ENVIRONMENT_VARIABLE, FILE_NAME, SqlDialect, unread};
use indago::{Engine, Files};
use indago_shell::{Format, say, visible};

use crate::arguments::{Common, Limits, Store};
use crate::exit::{Error, Result};

/// Environment variable that turns on logs: a `tracing` filter such as `indago=debug`.
const LOG_VARIABLE: &str = "INDAGO_LOG";

/// Directories of which the root of a system has at least one.
const ROOTS: [&str; 5] = ["etc", "usr", "proc", "var", "lib"];

/// Workers that run queries; blocking reads have their own threads.
const MOST_WORKERS: usize = 8;

/// Writes logs to standard error, if the user enabled them.
pub(crate) fn logs() {
    let Some(filter) = std::env::var(LOG_VARIABLE).ok().filter(|filter| !filter.is_empty()) else { return };
    match tracing_subscriber::EnvFilter::try_new(&filter) {
        Ok(filter) => {
            // A log line that cannot be written is dropped. The layer's own error message would panic.
            let logs = tracing_subscriber::fmt().log_internal_errors(false);
            logs.with_env_filter(filter).with_writer(io::stderr).init();
        }
        Err(error) => say(format_args!("warning: ${LOG_VARIABLE} is not a valid filter: {error}")),
    }
}

pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.min(MOST_WORKERS))
        .thread_name("indago")
        .enable_all()
        .build()
}

/// The configuration, with the command line's options applied.
pub(crate) fn config(common: &Common, limits: Option<&Limits>) -> Result<Config> {
    let mut config = Config::load(common.config.as_deref()).map_err(Error::usage)?;
    if common.config.is_none() {
        mention_unread(&config);
    }
    let mut schemas = BTreeSet::new();
    for Store { schema, dir } in &common.stores {
        if !schemas.insert(schema) {
            let message =
                "two --store options have no name or the same name; write --store NAME=DIR, with distinct names";
            return Err(Error::usage(anyhow::anyhow!(message)));
        }
        directory(dir)?;
        match schema {
            Some(schema) => _ = config.stores.insert(schema.clone(), dir.clone()),
            None => config.store.dir = Some(dir.clone()),
        }
    }
    if !common.roots.is_empty() {
        config.host.roots.clear();
        for root in &common.roots {
            if !root.is_dir() {
                let message = format!("--root {}: there is no such directory", root.display());
                return Err(Error::usage(anyhow::anyhow!(message)));
            }
            if ROOTS.iter().all(|folder| !root.join(folder).exists()) {
                let (root, folders) = (root.display().to_string(), ROOTS.join(", "));
                say(format_args!(
                    "warning: --root {}: it has none of the directories {folders}; is it the root of a system?",
                    visible(&root)
                ));
            }
            let root = std::path::absolute(root).map_err(|error| Error::usage(anyhow::anyhow!(error)))?;
            // A final slash is not part of the name.
            config.host.roots.push(root.components().collect());
        }
    }
    if let Some(limits) = limits {
        if let Some(timeout) = limits.timeout {
            config.limits.timeout = Some(timeout);
        }
        if let Some(memory) = limits.memory {
            config.limits.memory = memory;
        }
        if limits.max_calls.is_some() {
            config.limits.max_calls = limits.max_calls;
        }
        if limits.strict {
            config.sql.strict = true;
        }
        if let Some(dialect) = limits.dialect {
            config.sql.dialect = SqlDialect::from(dialect);
        }
    }
    Ok(config)
}

/// Refuses a path that is not a directory of captured tables, such as a mistyped one.
pub(crate) fn directory(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let what = if dir.exists() { "is not a directory" } else { "does not exist" };
    let message = format!("the store {} {what}; `indago capture --out DIR` makes one", dir.display());
    Err(Error::usage(anyhow::anyhow!(message)))
}

/// Tells the user about a configuration in the current directory that was not read.
fn mention_unread(config: &Config) {
    if std::env::var_os(ENVIRONMENT_VARIABLE).is_some_and(|named| !named.is_empty()) {
        return;
    }
    if unread(Path::new("."), config.file.as_deref()).is_some() {
        say(format_args!(
            "note: ./{FILE_NAME} was not read; use it with `--config {FILE_NAME}` if you trust this directory"
        ));
    }
}

/// The engine of a configuration. Its results may be stored, so it reads no values of secrets.
pub(crate) async fn engine(config: &Config) -> Result<Engine> {
    let mut config = config.clone();
    config.kubernetes.secret_values = false;
    let engine = indago::open(&config).await.map_err(Error::usage)?;
    warn_of_views(&engine, &config);
    Ok(engine)
}

/// Warns of views of the configuration that do not plan.
fn warn_of_views(engine: &Engine, config: &Config) {
    for (name, error) in engine.view_errors() {
        let file = config.file.as_ref().map(|file| format!("{}: ", file.display())).unwrap_or_default();
        say(format_args!("warning: {}", visible(&format!("{file}views.{name}: {error}; queries that read it fail"))));
    }
}

/// The engine for a person's own SQL, which may also read local files.
pub(crate) async fn engine_with_files(config: &Config) -> Result<Engine> {
    let builder = indago::builder(config).map_err(Error::usage)?.table_functions(Files);
    let engine = builder.build().await.map_err(Error::usage)?;
    warn_of_views(&engine, config);
    Ok(engine)
}

/// The chosen format; by default a table on a terminal and JSON elsewhere.
pub(crate) fn format(chosen: Option<Format>) -> Format {
    chosen.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Json })
}
