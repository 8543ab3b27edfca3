//! `docker_container_processes`: one row per process of a container, as its engine lists them.

use std::collections::HashMap;

use futures::Stream;
use indago_table::cgroup;
use indago_table::prelude::*;

use crate::runtime::{Containers, Runtime, report_short_ids};
use crate::source::blocking;
use crate::source::docker::{self, Engine, Filter, text};

/// Processes of the given containers.
///
/// The engine runs `ps` on its host. Podman reads `/proc` instead; columns that it does not provide are NULL.
/// Containers that are not running have no rows. If the engine is down, or the caller may not use it, join
/// `container_processes` to `processes` instead.
#[derive(Debug, Default, Table)]
#[table(
    name = "docker_container_processes", env = Containers, stream, reads = "docker", rows = 10,
    identity(endpoint, id, pid, start_time)
)]
#[example(
    "Processes of every running container, by container.",
    "SELECT c.name, p.pid, p.cmdline FROM docker_containers c JOIN docker_container_processes p ON p.id = c.id"
)]
pub struct DockerContainerProcess {
    /// Container ID.
    #[column(required, collate = nocase)]
    id: String,
    /// Process ID on the engine's host.
    #[column(index)]
    pid: i64,
    /// Name of the program, truncated by the kernel to 15 bytes.
    name: Option<String>,
    /// Command with its arguments.
    cmdline: Option<String>,
    /// State of the process: one letter, as `ps` shows it.
    #[column(volatile)]
    state: Option<String>,
    /// Real user ID; NULL on Podman.
    uid: Option<i64>,
    /// Real group ID; NULL on Podman.
    gid: Option<i64>,
    /// Effective user ID; NULL on Podman.
    euid: Option<i64>,
    /// Effective group ID; NULL on Podman.
    egid: Option<i64>,
    /// Saved user ID; NULL on Podman.
    suid: Option<i64>,
    /// Saved group ID; NULL on Podman.
    sgid: Option<i64>,
    /// Memory that cannot be paged out, in bytes; always 0, because Linux does not count it.
    wired_size: i64,
    /// Resident memory, in bytes.
    #[column(volatile)]
    resident_size: Option<i64>,
    /// Virtual memory, in bytes.
    #[column(volatile)]
    total_size: Option<i64>,
    /// Start time, in seconds since 1970.
    start_time: Option<i64>,
    /// Process ID of the parent on the engine's host; NULL on Podman.
    parent: Option<i64>,
    /// Process group on the engine's host; NULL on Podman.
    pgroup: Option<i64>,
    /// Number of threads; NULL on Podman.
    threads: Option<i64>,
    /// Nice value, from -20 (highest priority) to 19; NULL if the scheduling class has none.
    nice: Option<i64>,
    /// Name of the effective user on the engine's host, or its ID if it has no name. NULL on Podman for a container in
    /// the host's process ID namespace.
    user: Option<String>,
    /// Processor time used, as `[days-]hours:minutes:seconds`.
    #[column(volatile)]
    time: Option<String>,
    /// Processor time divided by the time since the process started, in percent.
    #[column(volatile)]
    cpu: Option<f64>,
    /// Resident memory divided by the host's memory, in percent; NULL on Podman.
    #[column(volatile)]
    mem: Option<f64>,
    /// Address of the engine that the container belongs to.
    #[column(added, slice)]
    endpoint: String,
}

/// Sets a column from a field of `ps`.
type Set = fn(&mut DockerContainerProcess, &str, now: i64);

/// Fields for `ps`, with the column that each fills. Only the last field may contain blanks.
const DOCKER_FIELDS: [(&str, Set); 19] = [
    ("pid", |row, text, _| row.pid = number(text).unwrap_or_default()),
    ("s", |row, text, _| row.state = Some(text.to_owned())),
    ("ruid", |row, text, _| row.uid = number(text)),
    ("rgid", |row, text, _| row.gid = number(text)),
    ("euid", |row, text, _| row.euid = number(text)),
    ("egid", |row, text, _| row.egid = number(text)),
    ("suid", |row, text, _| row.suid = number(text)),
    ("sgid", |row, text, _| row.sgid = number(text)),
    ("rss", |row, text, _| row.resident_size = kibibytes(text)),
    ("vsz", |row, text, _| row.total_size = kibibytes(text)),
    ("etimes", |row, text, now| row.start_time = number(text).map(|elapsed| now - elapsed)),
    ("ppid", |row, text, _| row.parent = number(text)),
    ("pgrp", |row, text, _| row.pgroup = number(text)),
    ("nlwp", |row, text, _| row.threads = number(text)),
    ("ni", |row, text, _| row.nice = number(text)),
    ("euser:64", |row, text, _| row.user = Some(text.to_owned())),
    ("time", |row, text, _| row.time = Some(text.to_owned())),
    ("pcpu", |row, text, _| row.cpu = text.parse().ok()),
    ("pmem", |row, text, _| row.mem = text.parse().ok()),
];

/// The same for Podman, whose fields are separate whatever they contain. Fields numbered inside the container are not
/// read.
const PODMAN_FIELDS: [(&str, Set); 12] = [
    ("pid", |row, text, _| row.pid = number(text).unwrap_or_default()),
    // The PID on the host; `?` if the container is in the host's namespace and so has only one PID.
    ("hpid", |row, text, _| row.pid = number(text).unwrap_or(row.pid)),
    ("state", |row, text, _| row.state = Some(text.to_owned())),
    ("rss", |row, text, _| row.resident_size = kibibytes(text)),
    ("vsz", |row, text, _| row.total_size = kibibytes(text)),
    ("etime", |row, text, now| row.start_time = seconds(text).map(|elapsed| now - elapsed)),
    ("nice", |row, text, _| row.nice = number(text)),
    ("huser", |row, text, _| row.user = Some(text.to_owned()).filter(|user| user != "?")),
    ("time", |row, text, _| row.time = seconds(text).map(clock)),
    ("pcpu", |row, text, _| row.cpu = text.parse().ok()),
    ("comm", |row, text, _| row.name = Some(text.to_owned())),
    ("args", |row, text, _| row.cmdline = Some(text.to_owned())),
];

impl RowStream for DockerContainerProcess {
    type Part = Runtime;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Runtime>> {
        report_short_ids(scan, Self::ID.position());
        Ok(docker::runtimes(scan, Self::ENDPOINT))
    }

    fn rows<'a>(scan: &'a Scan<Self>, runtime: &'a Runtime) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            let listing = docker::list(scan, runtime, &Filter::ids(scan.keys(Self::ID).unwrap_or_default())).await?;
            for container in &listing.containers {
                let is_running = matches!(text(container, &["State"]).as_deref(), Some("running" | "paused"));
                let Some(id) = text(container, &["Id"]).filter(|id| is_running && scan.admits(Self::ID, &NoCase::new(id.as_str()))) else {
                    continue;
                };
                let processes = match listing.engine {
                    Engine::Docker => of_docker(scan, runtime, &id).await,
                    Engine::Podman => of_podman(scan, runtime, &id).await,
                };
                match processes {
                    Ok(rows) => for row in rows {
                        yield row;
                    },
                    // The other containers are still read.
                    Err(error) => scan.report(format!("{runtime} container {id}"), &error),
                }
                if scan.is_done() {
                    break;
                }
            }
        }
    }
}

type Processes = Result<Vec<DockerContainerProcess>>;

async fn of_docker(scan: &Scan<DockerContainerProcess>, runtime: &Runtime, id: &str) -> Processes {
    // Both the name and the command may contain blanks, and the engine splits at blanks. So each is the last field of a
    // separate call.
    let names = if scan.wants(DockerContainerProcess::NAME) {
        let processes = docker::top(scan, runtime, id, "axwwo pid,comm").await?;
        Some(processes.into_iter().filter_map(|fields| Some((number(fields.first()?)?, fields.get(1)?.clone()))))
    } else {
        None
    };
    let mut names: Option<HashMap<i64, String>> = names.map(Iterator::collect);
    let command: (&str, Set) = ("args", |row, text, _| row.cmdline = Some(text.to_owned()));
    let fields: Vec<(&str, Set)> = DOCKER_FIELDS.into_iter().chain([command]).collect();
    let mut rows = read(scan, runtime, id, "axwwo ", &fields).await?;
    for row in &mut rows {
        row.name = names.as_mut().and_then(|names| names.remove(&row.pid));
    }
    Ok(rows)
}

async fn of_podman(scan: &Scan<DockerContainerProcess>, runtime: &Runtime, id: &str) -> Processes {
    let rows = read(scan, runtime, id, "", &PODMAN_FIELDS).await?;
    // Podman lists every process in the container's PID namespace. If that is the host's, these are all processes of
    // the machine.
    let details = docker::inspect(scan, runtime, id).await?;
    if matches!(text(&details, &["HostConfig", "PidMode"]).as_deref(), None | Some("private")) {
        return Ok(rows);
    }
    let (sys, id) = (scan.env().sys().clone(), id.to_owned());
    blocking(move || {
        let mut own = Vec::new();
        for row in rows {
            let cgroups = sys.read_text(format!("/proc/{}/cgroup", row.pid)).if_present()?;
            if cgroups.is_some_and(|cgroups| cgroup::path_of(&cgroups, &id).is_some()) {
                own.push(row);
            }
        }
        Ok(own)
    })
    .await
}

async fn read(
    scan: &Scan<DockerContainerProcess>,
    runtime: &Runtime,
    id: &str,
    options: &str,
    fields: &[(&str, Set)],
) -> Processes {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let processes = docker::top(scan, runtime, id, &format!("{options}{}", names.join(","))).await?;
    let now = scan.moment().seconds();
    let rows = processes
        .into_iter()
        .filter_map(|texts| {
            if texts.len() != fields.len() {
                let message = format!("expected {} fields of a process, got {}", fields.len(), texts.len());
                scan.report(format!("{runtime} container {id}"), &Error::Malformed(message));
                return None;
            }
            let (id, endpoint) = (id.to_owned(), runtime.name());
            let mut row = DockerContainerProcess { id, endpoint, ..DockerContainerProcess::default() };
            for ((_, set), text) in fields.iter().zip(&texts) {
                set(&mut row, text.trim(), now);
            }
            Some(row)
        })
        .collect();
    Ok(rows)
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

fn kibibytes(text: &str) -> Option<i64> {
    number(text)?.checked_mul(1024)
}

/// Complete seconds of a duration in Go's format: `1h2m3.5s`, `33.6s`, `250ms`.
fn seconds(text: &str) -> Option<i64> {
    let mut total = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (value, after) = rest.split_at(rest.find(|c: char| c.is_alphabetic())?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += value.parse::<f64>().ok()? * factor;
        rest = after;
    }
    Some(total as i64)
}

/// Formats seconds as `ps` shows processor time.
fn clock(seconds: i64) -> String {
    let (days, seconds) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if days > 0 { format!("{days}-{clock}") } else { clock }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_podman_are_seconds() {
        for (text, expected) in [
            ("3m54.852187826s", Some(234)),
            ("1h0m1s", Some(3601)),
            ("0s", Some(0)),
            ("850.1ms", Some(0)),
            ("12µs", Some(0)),
            ("3 days", None),
            ("x", None),
            ("5", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        assert_eq!((clock(3661), clock(90_000)), ("01:01:01".to_owned(), "1-01:00:00".to_owned()));
    }
}
