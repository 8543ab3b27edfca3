//! Which tables are recorded, and how.

use std::collections::BTreeMap;
use std::time::Duration;

use indago_config::{Period, Record, Recording, Size};
use indago_engine::{Code, Engine};
use indago_table::{Completeness, Coverage, TableRef};
use regex::Regex;

use crate::capture::{captured_keys, has_files_of_users, is_of_the_program, quoted, relation};
use crate::recorder::Settings;
use crate::recorder::coverage::How;
use crate::table::CAPTURED_COLUMN;

/// A table to record.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) table: TableRef,
    /// Positions of the recorded columns.
    pub(super) columns: Vec<usize>,
    pub(super) sql: String,
    /// Whether it is read for all users, who are looked up before each reading.
    pub(super) of_users: bool,
    pub(super) every: Duration,
    pub(super) how: How,
    pub(super) sample: Duration,
    pub(super) retain: Option<Duration>,
    pub(super) retain_size: Option<u64>,
}

impl Plan {
    pub(super) fn name(&self) -> &str {
        &self.table.spec().name
    }

    /// Time between two readings; `None` if it is read once.
    pub(super) fn interval(&self) -> Option<Duration> {
        (self.how != How::Capture).then_some(self.every)
    }
}

/// The plans of a configuration, and what is wrong with it. An error does not affect the other tables.
pub(super) async fn plans(engine: &Engine, settings: &Settings) -> (Vec<Plan>, Vec<String>) {
    let (mut plans, mut problems): (Vec<Plan>, Vec<String>) = (Vec::new(), Vec::new());
    let is_default = settings.recording.is_empty();
    let groups = match is_default {
        true => defaults(engine, &mut problems).await,
        false => settings.recording.clone(),
    };
    for (name, group) in &groups {
        let tables = tables(engine, name, group, &mut problems).await;
        for column in &group.without {
            if !tables.iter().any(|(table, _)| table.spec().column(column).is_some()) {
                problems.push(format!("recording.{name}.without: no table of the group has a column `{column}`"));
            }
        }
        for (table, is_named) in tables {
            if let Some(known) = plans.iter().find(|known| known.table.spec().name == table.spec().name) {
                let known = known.name();
                problems
                    .push(format!("recording.{name}: `{known}` is recorded by another group; name it in one of them"));
                continue;
            }
            match plan(engine, &settings.record, name, group, table).await {
                Ok(plan) => plans.push(plan),
                // A pattern selects only the tables that can be recorded, and so do the default groups.
                Err(problem) if is_named && !is_default => problems.push(problem),
                Err(_) => {}
            }
        }
    }
    (plans, problems)
}

/// The tables of a group, and whether it names them.
async fn tables(engine: &Engine, name: &str, group: &Recording, problems: &mut Vec<String>) -> Vec<(TableRef, bool)> {
    let mut tables: Vec<(TableRef, bool)> = Vec::new();
    let mut add = |table: TableRef, is_named: bool| {
        if !tables.iter().any(|(known, _)| known.spec().name == table.spec().name) {
            tables.push((table, is_named));
        }
    };
    for wanted in &group.tables {
        if let Some(pattern) = pattern(wanted) {
            let mut found = false;
            for table in engine.tables() {
                if pattern.is_match(&table.spec().name) && !is_of_the_program(&table) && table.spec().alias_of.is_none()
                {
                    found = true;
                    add(table, false);
                }
            }
            if !found {
                problems.push(format!("recording.{name}.tables: no table matches `{wanted}`"));
            }
            continue;
        }
        match engine.find_table(wanted).await {
            Ok(Some(table)) => add(table, true),
            Ok(None) => problems.push(format!("recording.{name}.tables: {}", engine.no_table(wanted))),
            Err(error) => problems.push(format!("recording.{name}.tables: `{wanted}`: {error}")),
        }
    }
    tables
}

/// A name with `*` as a pattern; `None` for a plain name.
fn pattern(name: &str) -> Option<Regex> {
    name.contains('*').then(|| {
        let parts: Vec<String> = name.split('*').map(regex::escape).collect();
        Regex::new(&format!("^{}$", parts.join(".*"))).expect("escaped text")
    })
}

async fn plan(
    engine: &Engine,
    record: &Record,
    name: &str,
    group: &Recording,
    table: TableRef,
) -> Result<Plan, String> {
    let spec = table.spec();
    let failed = |why: &str| format!("recording.{name}: `{}` is not recorded: {why}", spec.name);
    if let Some(column) = spec.identity.iter().find(|column| group.without.iter().any(|left| *left == **column)) {
        return Err(failed(&format!("`without` has `{column}`, which identifies its rows")));
    }
    let is_recorded = |position: &usize| {
        let column = &spec.columns[*position];
        !column.secret
            && (!column.hidden || column.name != CAPTURED_COLUMN)
            && !group.without.iter().any(|left| *left == column.name)
    };
    let columns: Vec<usize> = (0..spec.columns.len()).filter(is_recorded).collect();
    let mut conditions: Vec<String> = group.r#where.iter().map(|condition| format!("({condition})")).collect();
    match (&group.keys, captured_keys(&spec.name)) {
        (Some(keys), _) => {
            let query = engine.fork().query(keys).await.map_err(|error| failed(&format!("`keys`: {error}")))?;
            let column = query.schema().fields().first().map(|field| field.name().clone()).unwrap_or_default();
            if spec.column(&column).is_none() {
                return Err(failed(&format!("`keys` returns the column `{column}`, which the table does not have")));
            }
            conditions.push(format!(
                "{} IN (SELECT {0} FROM ({}))",
                quoted(&column),
                keys.trim_end_matches([';', ' '])
            ));
        }
        (None, Some((column, keys))) if spec.is_keyed() && conditions.is_empty() => {
            conditions.push(format!("{} IN ({keys})", quoted(column)));
        }
        _ => {}
    }
    let of_users = has_files_of_users(engine, spec) && conditions.is_empty();
    let names: Vec<String> = columns.iter().map(|column| quoted(&spec.columns[*column].name)).collect();
    let mut sql = format!("SELECT {} FROM {}", names.join(", "), relation(engine, &spec.name));
    if !conditions.is_empty() {
        sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
    }
    if let Err(error) = engine.fork().query(&sql).await
        && is_permanent(error.code())
    {
        return Err(failed(&error.message_with_help()));
    }
    let how = match group.watch {
        _ if spec.events => How::Event,
        true if spec.resource.is_some() => How::Watch,
        _ => How::Poll,
    };
    let none_is_zero = |period: Period| (!period.0.is_zero()).then_some(period.0);
    Ok(Plan {
        columns,
        sql,
        of_users,
        every: group.every.0,
        how,
        sample: group.sample.unwrap_or(record.sample).0,
        retain: none_is_zero(group.retain.unwrap_or(record.retain)),
        retain_size: group.retain_size.or(record.retain_size).map(|Size(bytes)| bytes),
        table,
    })
}

/// Whether a query of this error fails each time. Others may pass, such as an unreachable catalog.
fn is_permanent(code: Code) -> bool {
    matches!(
        code,
        Code::Parse | Code::UnknownTable | Code::UnknownColumn | Code::UnknownFunction | Code::KeyRequired | Code::Plan
    )
}

/// Tables that change often.
const STATE: &[&str] = &[
    "processes",
    "listening_ports",
    "process_open_sockets",
    "logged_in_users",
    "containers",
    "docker_containers",
    "container_processes",
    "docker_container_mounts",
    "docker_container_ports",
];

/// Tables that change seldom.
const SETTINGS: &[&str] = &[
    "apt_sources",
    "arp_cache",
    "authorized_keys",
    "block_devices",
    "crontab",
    "deb_packages",
    "docker_container_labels",
    "docker_images",
    "etc_hosts",
    "file",
    "groups",
    "interface_addresses",
    "interface_details",
    "kernel_info",
    "kernel_modules",
    "ld_preload",
    "mounts",
    "os_version",
    "pam_config",
    "process_envs",
    "python_packages",
    "routes",
    "rpm_packages",
    "shadow",
    "sshd_effective_config",
    "startup_items",
    "sudoers",
    "system_controls",
    "system_info",
    "systemd_timers",
    "systemd_units",
    "user_groups",
    "users",
    "yum_sources",
];

/// Tables of clusters that are computed from several lists.
const COMPUTED: &[&str] = &[
    "kubernetes_api_resources",
    "kubernetes_exposures",
    "kubernetes_images",
    "kubernetes_pod_security",
    "kubernetes_pod_security_violations",
    "kubernetes_webhooks",
    "kubernetes_workload_pod_security",
];

/// Tables that are expensive to read.
const EXPENSIVE: &[&str] = &["hash", "suid_bin"];

/// A table of each environment that shows whether the environment can be read at all.
const PROBES: [&str; 3] = ["kubernetes_info", "containers", "aws_sts_caller_identity"];

/// The environments that this machine does not have: nothing of them can be read, for a standing reason.
async fn absent(engine: &Engine, problems: &mut Vec<String>) -> Vec<String> {
    let mut absent = Vec::new();
    for probe in PROBES {
        let Some(table) = engine.table(probe) else { continue };
        let Ok(query) = engine.fork().query(&format!("SELECT * FROM {probe}")).await else { continue };
        // What is missing is in the coverage.
        let _ = query.collect().await;
        let coverage = query.coverage();
        let problem = coverage.iter().find_map(|slice| slice.problem.as_ref());
        let is_absent = |slice: &Coverage| {
            slice.completeness == Completeness::Failed
                && slice.problem.as_ref().is_some_and(|problem| problem.outcome.is_standing())
        };
        if let Some(problem) = problem.filter(|_| coverage.iter().all(is_absent)) {
            let environment = table.spec().environment.to_string();
            problems.push(format!("{environment} is not recorded: {}", problem.message));
            absent.push(environment);
        }
    }
    absent
}

/// The groups of a configuration without groups: those of these tables that exist, the listed tables of clusters, and
/// the tables of accounts.
async fn defaults(engine: &Engine, problems: &mut Vec<String>) -> BTreeMap<String, Recording> {
    let absent = absent(engine, problems).await;
    let mut tables = engine.tables();
    tables.retain(|table| !absent.iter().any(|environment| *environment == table.spec().environment));
    let names = |is_wanted: &dyn Fn(&TableRef) -> bool| -> Vec<String> {
        let wanted = tables.iter().filter(|table| table.spec().alias_of.is_none() && is_wanted(table));
        wanted.map(|table| table.spec().name.to_string()).collect()
    };
    let listed = |list: &'static [&'static str]| names(&|table| list.contains(&&*table.spec().name));
    let clusters = names(&|table| table.spec().resource.is_some());
    let accounts = names(&|table| table.spec().environment == "aws" && !table.spec().is_keyed());
    let group = |tables: Vec<String>, seconds: u64, watch: bool| Recording {
        tables,
        every: Period::seconds(seconds),
        watch,
        ..Recording::default()
    };
    let groups = [
        ("state", group(listed(STATE), 30, false)),
        ("settings", group(listed(SETTINGS), 900, false)),
        ("expensive", group(listed(EXPENSIVE), 3600, false)),
        ("clusters", group(clusters, 60, true)),
        ("computed", group(listed(COMPUTED), 900, false)),
        ("accounts", group(accounts, 900, false)),
    ];
    groups
        .into_iter()
        .filter(|(_, group)| !group.tables.is_empty())
        .map(|(name, group)| (name.to_owned(), group))
        .collect()
}
