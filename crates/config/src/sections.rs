//! Every section and key of the configuration, with type, default and documentation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::find;
use crate::section::{KeyDoc, Section, section};
use crate::value::{Listen, Location, Period, Size, Value};

/// The complete configuration.
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
    /// `[vulnerabilities]`
    pub vulnerabilities: Vulnerabilities,
    /// `[store]`
    pub store: Store,
    /// `[stores]`: directory of captured rows by schema name.
    pub stores: BTreeMap<String, PathBuf>,
    /// `[views]`: SQL by view name.
    pub views: BTreeMap<String, String>,
    /// `[packs]`: file or directory by pack name.
    pub packs: BTreeMap<String, PathBuf>,
    /// `[daemon]`
    pub daemon: Daemon,
    /// `[schedule.<name>]`
    pub schedule: BTreeMap<String, Schedule>,
    /// `[record]`
    pub record: Record,
    /// `[recording.<name>]`
    pub recording: BTreeMap<String, Recording>,
}

section! {
    /// SQL dialect and strictness.
    Sql {
        /// SQL dialect: `osquery` is osquery's and SQLite's SQL, `datafusion` is DataFusion's own SQL.
        dialect: SqlDialect = SqlDialect::Osquery,
        /// Fail a query if rows or values are missing, instead of returning a warning.
        strict: bool = false,
    }
}

section! {
    /// Limits of queries, scans and API calls.
    Limits {
        /// Memory limit of one query. Operators that can spill to disk do so above it; others fail with an error that
        /// names them.
        memory: Size = Size(1 << 30),
        /// Timeout of a query. Not set: none.
        timeout: Option<Period> = None,
        /// API calls that one query may make, retries included. Not set: no limit.
        max_calls: Option<u64> = None,
        /// Rows in one batch.
        batch_size: usize = 4096,
        /// Partitions that a query processes in parallel; more than one helps with large stores. Not set: one.
        partitions: Option<usize> = None,
        /// Slices of a table that are read concurrently: clusters, accounts and regions, repositories.
        slices: usize = 32,
        /// Concurrent API calls to one endpoint: a cluster, or a service in an account and region.
        calls_per_endpoint: usize = 8,
        /// API calls per second to one endpoint; at least 0.001.
        calls_per_second: f64 = 50.0,
        /// Timeout of one API call.
        call_timeout: Period = Period::seconds(30),
        /// Retries of a call that was throttled or failed temporarily.
        retries: u32 = 4,
        /// Delay before the first retry; doubles with each further retry, with jitter. `Retry-After` is honoured.
        retry_base: Period = Period::millis(200),
        /// Keys in one batch of a lookup join.
        lookup_batch: usize = 256,
        /// Batches of keys that a lookup join looks up concurrently.
        lookup_concurrency: usize = 8,
    }
}

section! {
    /// The machine that Indago runs on, and other machines whose files it can see.
    Host {
        /// Whether the host's tables exist.
        enabled: bool = true,
        /// Root directories of the hosts: `/` is the running machine, others are mounted disks or copies. `/proc`,
        /// `/etc` and so on are read under each. A directory that is the root of the running host is that host, with
        /// its processes and its kernel: for example `/host` in a pod, with the kernel's `/proc` in it or with
        /// `hostPID`. The hidden column `host_root` has the directory of each row.
        roots: Vec<PathBuf> = vec![PathBuf::from("/")],
    }
}

section! {
    /// Container runtimes.
    Containers {
        /// Whether their tables exist.
        enabled: bool = true,
        /// Sockets of Docker-compatible APIs and of containerd. Not set: the usual ones that exist, except those of
        /// other users.
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
        /// Namespaces to read if the user may not list a resource of all namespaces. Not set: all namespaces if the
        /// user may list them, or else those of the kubeconfig's contexts.
        namespaces: Option<Vec<String>> = None,
        /// Whether `indago query` and `indago shell` may read the values of secrets (`kubernetes_secrets.data`). The daemon
        /// and captures never do.
        secret_values: bool = false,
        /// Where API servers read lists. `consistent`: the present objects; servers from 1.31 on have them in their watch
        /// cache. `cached`: the objects of the watch cache, which is cheaper for older servers. They can be older than
        /// the query, and `engine_coverage` says so.
        reads: KubernetesReads = KubernetesReads::Consistent,
        /// Files of API servers' audit logs, such as `["/var/log/kubernetes/audit*.log*"]`; `*` and `?` match within a
        /// name. Rotated and packed files are read too. Not set: the tables of audit logs have no rows.
        audit_logs: Option<Vec<PathBuf>> = None,
        /// Watch the resources that queries read, and read them from memory afterwards, at most a second old. A watch
        /// that no query has read for ten minutes stops. Not set: only while the engine listens to events: in the
        /// daemon, or after a query of `kubernetes_changes`.
        watch: Option<bool> = None,
        /// Resources to watch from the start, with all of their content, for `kubernetes_changes`:
        /// `["v1/pods", "apps/v1/deployments"]`. They are watched while the engine listens to events. Not set: none.
        watch_resources: Option<Vec<String>> = None,
        /// Memory limit of all watched objects. The watch of a resource that exceeds it stops, and each
        /// query lists the resource.
        watch_memory: Size = Size(256 << 20),
        /// Files, and directories with YAML and JSON files, of manifests. The tables over resources read each of
        /// them like a cluster, which is named `manifests:` and the last part of the path. Overlays of Kustomize and
        /// charts of Helm are not rendered: add the output of `kubectl kustomize` or `helm template`.
        manifests: Vec<PathBuf> = Vec::new(),
    }
}

section! {
    /// AWS accounts.
    Aws {
        /// Whether their tables exist.
        enabled: bool = true,
        /// Profiles to query. Not set: the default credential chain.
        profiles: Option<Vec<String>> = None,
        /// Regions to query; `*` matches any text. Not set: all regions that are enabled for the account. A query may
        /// name others.
        regions: Option<Vec<String>> = None,
        /// URL to call instead of AWS: a test server, or a private endpoint.
        endpoint_url: Option<String> = None,
        /// Directories of CloudTrail's log files, packed or not, such as a copy of a trail's bucket.
        /// `aws_cloudtrail_event` and `aws_denied` read them instead of calling CloudTrail. Paths as CloudTrail makes
        /// them (`AWSLogs/ACCOUNT/CloudTrail/REGION/YEAR/MONTH/DAY`) save reading other accounts, regions and days.
        cloudtrail_logs: Vec<PathBuf> = Vec::new(),
    }
}

section! {
    /// Git repositories.
    Git {
        /// Whether their tables exist.
        enabled: bool = true,
        /// Directories to search for repositories. Not set: the repository of the current directory.
        roots: Option<Vec<PathBuf>> = None,
        /// Levels of directories to search below each root.
        depth: usize = 4,
    }
}

section! {
    /// Records of known vulnerabilities. Indago downloads none: another program keeps these files up to date.
    Vulnerabilities {
        /// Whether their tables exist.
        enabled: bool = true,
        /// Directories and zip archives of OSV records, such as the `all.zip` of <https://osv.dev>. JSON files in all
        /// subdirectories are read, links are not followed, and changed files are read again. Not set: no package has a
        /// known vulnerability, with a warning.
        osv: Vec<PathBuf> = Vec::new(),
        /// File of EPSS scores: the CSV of FIRST, packed (`.gz`) or not. Not set: the columns are NULL.
        epss: Option<PathBuf> = None,
        /// File of known-exploited vulnerabilities: the catalog of CISA, in JSON (`.json`) or CSV. Not set: the columns are
        /// NULL.
        known_exploited: Option<PathBuf> = None,
    }
}

section! {
    /// Captured rows.
    Store {
        /// Directory of captured tables: recorded tables, or Parquet files, one per table. Queries read them instead of the live
        /// sources.
        dir: Option<PathBuf> = None,
    }
}

section! {
    /// `indago daemon`.
    Daemon {
        /// File to append result lines to.
        results: PathBuf = find::state_dir().join("results.log"),
        /// File to append status lines to. Not set: standard error.
        status: Option<PathBuf> = None,
        /// File with previous rows, counters and intervals, kept across restarts.
        state: PathBuf = find::state_dir().join("state.redb"),
        /// `hostIdentifier` of result lines. Not set: the host name.
        host_identifier: Option<String> = None,
        /// Scheduled queries that run concurrently.
        concurrency: usize = 4,
        /// Timeout of a scheduled query that does not set its own.
        timeout: Period = Period::seconds(60),
        /// Percent by which each query's interval is varied at random, once, so that hosts do not all query at the same
        /// time.
        splay: u32 = 10,
        /// Number in each result line. After a change, each query's next result counts as its first.
        epoch: u64 = 0,
        /// Write numbers in result lines as numbers; osquery's default is text.
        numerics: bool = false,
        /// Time that running queries have to finish when the daemon is stopped; then they are cancelled.
        grace: Period = Period::seconds(5),
        /// Time for which a query is skipped if it was running when the daemon was killed. `0` runs it at its next
        /// turn.
        denylist: Period = Period::seconds(86_400),
        /// Address that serves metrics in Prometheus' text format: `unix:` and a path, or a loopback address and port.
        /// Not set: none.
        metrics: Option<Listen> = None,
    }
}

section! {
    /// A scheduled query.
    Schedule {
        /// The SQL.
        query: Option<String> = None,
        /// File with the SQL, instead of `query`.
        file: Option<PathBuf> = None,
        /// Time between runs.
        interval: Period = Period::seconds(3600),
        /// Log all rows on each run, instead of added and removed rows.
        snapshot: bool = false,
        /// Log removed rows.
        removed: bool = true,
        /// Timeout. Not set: `daemon.timeout`.
        timeout: Option<Period> = None,
        /// Platforms that it runs on, such as `"linux"` or `"linux,darwin"`. Not set: all.
        platform: Option<String> = None,
        /// Percent of hosts that it runs on, selected by host name.
        shard: Option<u32> = None,
        /// Skip the query for `daemon.denylist` if it was running when the daemon was killed.
        denylist: bool = true,
        /// Ignore volatile columns, such as counters and times of reading, when comparing results.
        ignore_volatile: bool = false,
        /// Purpose of the query.
        description: Option<String> = None,
    }
}

section! {
    /// The recorder.
    Record {
        /// Whether `indago daemon` records. Without a section `[recording.<name>]`, it records the host, its containers,
        /// its cluster and its account.
        enabled: bool = false,
        /// Directory, or URL of an object store such as `s3://bucket/path`, that the recorder writes to and that queries
        /// of past times read.
        dir: Location = Location::of(find::state_dir().join("recorded")),
        /// Name of this recorder in the directory; two recorders cannot have the same. Not set: the host name.
        writer: Option<String> = None,
        /// Time between stored values of volatile columns, such as counters.
        sample: Period = Period::seconds(900),
        /// Time for which ended versions of rows are kept; `0s` is forever.
        retain: Period = Period::seconds(30 * 86_400),
        /// Largest size of the files of one table; the oldest are deleted first. Not set: none.
        retain_size: Option<Size> = None,
        /// Time between compactions of a table. Retention also runs then.
        compact: Period = Period::seconds(3600),
        /// Replace well-known secrets in recorded text, such as passwords in command lines and in environment variables.
        redact_secrets: bool = true,
        /// Regular expressions of other text that is replaced; if an expression has groups, only their text is.
        redact: Vec<String> = Vec::new(),
    }
}

section! {
    /// A group of tables that are recorded in the same way.
    Recording {
        /// Names of tables; `*` matches any text.
        tables: Vec<String> = Vec::new(),
        /// Time between two readings.
        every: Period = Period::seconds(60),
        /// Read a table when a watch or an event reports a change of it; `every` is then the longest time without a
        /// reading. Only for tables of Kubernetes resources and of events.
        watch: bool = false,
        /// Condition in SQL for the rows that are recorded: `"path LIKE '/etc/%'"`. Tables that need a constraint, such
        /// as `file`, need it or `keys`.
        r#where: Option<String> = None,
        /// Query for the keys that are recorded; its column has the name of the key:
        /// `"SELECT path FROM processes"`.
        keys: Option<String> = None,
        /// Columns that are not recorded.
        without: Vec<String> = Vec::new(),
        /// Time between stored values of volatile columns. Not set: `record.sample`.
        sample: Option<Period> = None,
        /// Time for which ended versions of rows are kept. Not set: `record.retain`.
        retain: Option<Period> = None,
        /// Largest size of the files of one table. Not set: `record.retain_size`.
        retain_size: Option<Size> = None,
    }
}

/// SQL dialect of queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SqlDialect {
    /// SQL of osquery and SQLite.
    #[default]
    Osquery,
    /// DataFusion's own SQL.
    Datafusion,
}

/// Where API servers read lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KubernetesReads {
    /// The present objects.
    #[default]
    Consistent,
    /// Objects of the watch cache.
    Cached,
}

/// Shows values that are one of some words.
macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal),+ })+) => {
        $(impl Value for $type {
            fn type_name() -> String {
                [$(concat!("`\"", $word, "\"`")),+].join(" or ")
            }

            fn show(&self) -> Option<String> {
                Some(match self {
                    $($type::$variant => concat!("\"", $word, "\"").into()),+
                })
            }
        })+
    };
}

words! {
    SqlDialect { Osquery = "osquery", Datafusion = "datafusion" }
    KubernetesReads { Consistent = "consistent", Cached = "cached" }
}

/// A section of the file: its path and its keys.
pub(crate) struct SectionDoc {
    /// Path in the file; `*` is a name that the user chooses.
    pub(crate) path: &'static [&'static str],
    /// Its keys; empty if the user names them.
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
        SectionDoc { path: &["vulnerabilities"], keys: Vulnerabilities::keys("vulnerabilities") },
        SectionDoc { path: &["store"], keys: Store::keys("store") },
        SectionDoc {
            path: &["stores"],
            keys: vec![named(
                "stores",
                "path",
                "Directory of captured rows. Its tables have this schema: `<name>.processes`.",
            )],
        },
        SectionDoc { path: &["views"], keys: vec![named("views", "text", "SQL of a view of that name.")] },
        SectionDoc {
            path: &["packs"],
            keys: vec![named(
                "packs",
                "path",
                "Pack to schedule under that name: an osquery `.conf`, or a directory with a `pack.toml`.",
            )],
        },
        SectionDoc { path: &["daemon"], keys: Daemon::keys("daemon") },
        SectionDoc { path: &["schedule", "*"], keys: Schedule::keys("schedule.<name>") },
        SectionDoc { path: &["record"], keys: Record::keys("record") },
        SectionDoc { path: &["recording", "*"], keys: Recording::keys("recording.<name>") },
    ]
}

pub(crate) fn reference() -> Vec<KeyDoc> {
    sections().into_iter().flat_map(|section| section.keys).collect()
}

impl Config {
    /// The keys of the sections that have a fixed name, each with its value in TOML; `None` for a key that is not set.
    pub fn settings(&self) -> Vec<(KeyDoc, Option<String>)> {
        fn of<S: Section>(section: &S, path: &str) -> impl Iterator<Item = (KeyDoc, Option<String>)> {
            S::keys(path).into_iter().zip(section.values())
        }
        of(&self.sql, "sql")
            .chain(of(&self.limits, "limits"))
            .chain(of(&self.host, "host"))
            .chain(of(&self.containers, "containers"))
            .chain(of(&self.kubernetes, "kubernetes"))
            .chain(of(&self.aws, "aws"))
            .chain(of(&self.git, "git"))
            .chain(of(&self.vulnerabilities, "vulnerabilities"))
            .chain(of(&self.store, "store"))
            .chain(of(&self.daemon, "daemon"))
            .chain(of(&self.record, "record"))
            .collect()
    }

    /// Makes relative paths relative to a folder.
    pub(crate) fn rebase(&mut self, folder: &Path) {
        self.sql.rebase(folder);
        self.limits.rebase(folder);
        self.host.rebase(folder);
        self.containers.rebase(folder);
        self.kubernetes.rebase(folder);
        self.aws.rebase(folder);
        self.git.rebase(folder);
        self.vulnerabilities.rebase(folder);
        self.store.rebase(folder);
        self.daemon.rebase(folder);
        self.record.rebase(folder);
        Value::rebase(&mut self.stores, folder);
        Value::rebase(&mut self.packs, folder);
        for schedule in self.schedule.values_mut() {
            schedule.rebase(folder);
        }
    }
}
