//! What can be configured: every section and key, with its type, default and documentation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::find;
use crate::section::{KeyDoc, Section, section};
use crate::value::{Period, Size, Value};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The file that it was read from; `None` for the defaults.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// `[sql]`
    pub sql: Sql,
    /// `[limits]`
    pub limits: Limits,
    /// `[host]`
    pub host: Host,
    /// `[containers]`
    pub containers: Containers,
    /// `[kubernetes]`
    pub kubernetes: Kubernetes,
    /// `[aws]`
    pub aws: Aws,
    /// `[git]`
    pub git: Git,
    /// `[store]`
    pub store: Store,
    /// `[views]`: SQL by name of the view.
    pub views: BTreeMap<String, String>,
    /// `[packs]`: file or folder by name of the pack.
    pub packs: BTreeMap<String, PathBuf>,
    /// `[daemon]`
    pub daemon: Daemon,
    /// `[schedule.<name>]`
    pub schedule: BTreeMap<String, Schedule>,
}

section! {
    /// How SQL is understood.
    Sql {
        /// Dialect of queries: `osquery` reads what osquery and SQLite read, `datafusion` is DataFusion's own SQL.
        dialect: SqlDialect = SqlDialect::Osquery,
        /// Fail a query from whose rows something is missing, where it would otherwise give a warning.
        strict: bool = false,
    }
}

section! {
    /// What one query may use.
    Limits {
        /// Memory of one query; operators that can spill do so beyond it, others fail with an error that names them.
        memory: Size = Size(1 << 30),
        /// Time after which a query is cancelled. Not set: a query runs until it is done.
        timeout: Option<Period> = None,
        /// Rows in one batch.
        batch_size: usize = 4096,
        /// Partitions that a query is worked on in at once; more than one pays for large stores. Not set: one.
        partitions: Option<usize> = None,
        /// Independent parts of a table that are read at once: clusters, accounts and regions, repositories.
        slices: usize = 32,
        /// API calls under way at once to one endpoint: a cluster, or a service in an account and region.
        calls_per_endpoint: usize = 8,
        /// API calls a second to one endpoint; 0.001 at least.
        calls_per_second: f64 = 50.0,
        /// Time after which one API call is given up.
        call_timeout: Period = Period::seconds(30),
        /// Times that a call which was throttled, or failed for a passing reason, is tried again.
        retries: u32 = 4,
        /// Pause before the first retry; doubles with each further one, with jitter. A `Retry-After` is honoured.
        retry_base: Period = Period::millis(200),
        /// Keys that a lookup join asks a table for at once.
        lookup_batch: usize = 256,
        /// Batches of keys that a lookup join asks for at once.
        lookup_concurrency: usize = 8,
    }
}

section! {
    /// The machine that Indago runs on, and those whose files it can see.
    Host {
        /// Whether its tables exist.
        enabled: bool = true,
        /// Folders that the hosts' roots are on: `/` is the running machine, others are mounted disks or copies; `/proc`,
        /// `/etc` and so on are read under each. A folder that is the root of the running host (a pod has it mounted at
        /// `/host`, with the kernel's `/proc` in it or with `hostPID`) is that host, with its processes and its kernel. Rows
        /// say theirs in the hidden column `host_root`.
        roots: Vec<PathBuf> = vec![PathBuf::from("/")],
    }
}

section! {
    /// Container runtimes.
    Containers {
        /// Whether their tables exist.
        enabled: bool = true,
        /// Sockets of Docker-compatible APIs and of containerd. Not set: the usual ones that exist, without those of other users.
        sockets: Option<Vec<PathBuf>> = None,
    }
}

section! {
    /// Kubernetes clusters.
    Kubernetes {
        /// Whether their tables exist.
        enabled: bool = true,
        /// Kubeconfig file. Not set: `$KUBECONFIG`, `~/.kube/config`, or the service account inside a pod.
        kubeconfig: Option<PathBuf> = None,
        /// Contexts to query; `["*"]` for all. Not set: the current one.
        contexts: Option<Vec<String>> = None,
    }
}

section! {
    /// AWS accounts.
    Aws {
        /// Whether their tables exist.
        enabled: bool = true,
        /// Profiles to query. Not set: the default credential chain.
        profiles: Option<Vec<String>> = None,
        /// Regions to query; `*` stands for any text. Not set: all regions that the account has enabled. A query may
        /// name others.
        regions: Option<Vec<String>> = None,
        /// URL to call instead of AWS: a test server, or a private endpoint.
        endpoint_url: Option<String> = None,
    }
}

section! {
    /// Git repositories.
    Git {
        /// Whether their tables exist.
        enabled: bool = true,
        /// Folders under which repositories are looked for. Not set: the repository that the current folder is in.
        roots: Option<Vec<PathBuf>> = None,
        /// How many folders deep to look under each root.
        depth: usize = 4,
    }
}

section! {
    /// Captured rows.
    Store {
        /// Folder of Parquet files, one a table, that queries are answered from instead of the live sources.
        dir: Option<PathBuf> = None,
    }
}

section! {
    /// `indago daemon`.
    Daemon {
        /// File that result lines are appended to.
        results: PathBuf = find::state_dir().join("results.log"),
        /// File that status lines are appended to. Not set: standard error.
        status: Option<PathBuf> = None,
        /// File that keeps previous rows, counters and intervals over restarts.
        state: PathBuf = find::state_dir().join("state.redb"),
        /// `hostIdentifier` of result lines. Not set: the host name.
        host_identifier: Option<String> = None,
        /// Queries that run at once.
        concurrency: usize = 4,
        /// Time after which a scheduled query is cancelled, unless it sets its own.
        timeout: Period = Period::seconds(60),
        /// Percent by which each query's interval is moved at random, once, so that hosts do not ask at the same moment.
        splay: u32 = 10,
        /// Number that result lines carry; a changed one makes each query's next result a first one.
        epoch: u64 = 0,
        /// Write numbers in result lines as numbers; osquery's own default is text.
        numerics: bool = false,
        /// Time that running queries get to finish when the daemon is told to stop; then they are cancelled.
        grace: Period = Period::seconds(5),
        /// Time that a query is left out after it was running when the daemon was killed. `0` runs it at its next turn.
        denylist: Period = Period::seconds(86_400),
    }
}

section! {
    /// A scheduled query.
    Schedule {
        /// The SQL.
        query: Option<String> = None,
        /// File with the SQL, instead of `query`.
        file: Option<PathBuf> = None,
        /// Time from one run to the next.
        interval: Period = Period::seconds(3600),
        /// Log all rows each time, instead of the rows that were added and removed.
        snapshot: bool = false,
        /// Log rows that are there no more.
        removed: bool = true,
        /// Time after which it is cancelled. Not set: `daemon.timeout`.
        timeout: Option<Period> = None,
        /// Platforms that it runs on, such as `"linux"` or `"linux,darwin"`. Not set: all.
        platform: Option<String> = None,
        /// Percent of hosts that it runs on, chosen by host name.
        shard: Option<u32> = None,
        /// Leave it out for `daemon.denylist` after it was running when the daemon was killed.
        denylist: bool = true,
        /// Columns that change without meaning, such as counters and times of reading, make no difference.
        ignore_volatile: bool = false,
        /// What it is for.
        description: Option<String> = None,
    }
}

/// Dialect of queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SqlDialect {
    /// What osquery and SQLite read.
    #[default]
    Osquery,
    /// DataFusion's own SQL.
    Datafusion,
}

impl Value for SqlDialect {
    fn type_name() -> String {
        "`\"osquery\"` or `\"datafusion\"`".into()
    }

    fn show(&self) -> Option<String> {
        Some(match self {
            SqlDialect::Osquery => "\"osquery\"".into(),
            SqlDialect::Datafusion => "\"datafusion\"".into(),
        })
    }
}

/// A section of the file: how it is written, whether the user names its keys, and its keys.
pub(crate) struct SectionDoc {
    /// Path in the file; `*` stands for a name that the user chooses.
    pub(crate) path: &'static [&'static str],
    /// Its keys; empty where the user names them.
    pub(crate) keys: Vec<KeyDoc>,
}

fn named(section: &str, kind: &str, description: &str) -> KeyDoc {
    KeyDoc {
        section: section.into(),
        key: "<name>".into(),
        kind: kind.into(),
        default: None,
        description: description.into(),
    }
}

/// Every section, in the order of the reference page.
pub(crate) fn sections() -> Vec<SectionDoc> {
    vec![
        SectionDoc { path: &["sql"], keys: Sql::keys("sql") },
        SectionDoc { path: &["limits"], keys: Limits::keys("limits") },
        SectionDoc { path: &["host"], keys: Host::keys("host") },
        SectionDoc { path: &["containers"], keys: Containers::keys("containers") },
        SectionDoc { path: &["kubernetes"], keys: Kubernetes::keys("kubernetes") },
        SectionDoc { path: &["aws"], keys: Aws::keys("aws") },
        SectionDoc { path: &["git"], keys: Git::keys("git") },
        SectionDoc { path: &["store"], keys: Store::keys("store") },
        SectionDoc { path: &["views"], keys: vec![named("views", "text", "SQL of a view of that name.")] },
        SectionDoc {
            path: &["packs"],
            keys: vec![named(
                "packs",
                "path",
                "Pack to schedule under that name: an osquery `.conf`, or a folder with a `pack.toml`.",
            )],
        },
        SectionDoc { path: &["daemon"], keys: Daemon::keys("daemon") },
        SectionDoc { path: &["schedule", "*"], keys: Schedule::keys("schedule.<name>") },
    ]
}

pub(crate) fn reference() -> Vec<KeyDoc> {
    sections().into_iter().flat_map(|section| section.keys).collect()
}

impl Config {
    /// Makes relative paths relative to a folder.
    pub(crate) fn rebase(&mut self, folder: &Path) {
        self.sql.rebase(folder);
        self.limits.rebase(folder);
        self.host.rebase(folder);
        self.containers.rebase(folder);
        self.kubernetes.rebase(folder);
        self.aws.rebase(folder);
        self.git.rebase(folder);
        self.store.rebase(folder);
        self.daemon.rebase(folder);
        Value::rebase(&mut self.packs, folder);
        for schedule in self.schedule.values_mut() {
            schedule.rebase(folder);
        }
    }
}
