//! A custom table, with the same derive as Indago's own tables: the jobs that this program works on, joined to the
//! processes of the machine.
//!
//! The derive writes paths that start with `::indago_table`, so a program that uses it depends on `indago-table` as
//! well as `indago`.
//!
//! `cargo run --example own_table`

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indago::arrow::array::AsArray;
use indago::arrow::datatypes::Int64Type;
use indago::{Defaults, Engine};
use indago_table::prelude::*;

/// The environment of the table: the program's own state. It is cheap to clone, and the table gets it as a value.
#[derive(Debug, Clone)]
struct Jobs {
    running: Arc<Vec<(i64, &'static str)>>,
    logs_read: Arc<AtomicUsize>,
}

impl Environment for Jobs {
    const NAME: &'static str = "jobs";
}

/// Jobs that this program works on.
#[derive(Debug, Default, Table)]
#[table(name = "jobs", env = Jobs, rows = 10)]
#[example("What is running.", "SELECT id, name FROM jobs")]
struct Job {
    /// Number of the job.
    #[column(index)]
    id: i64,
    /// Description of the job.
    name: String,
    /// Process that works on it.
    pid: i64,
    /// Last line of its log.
    #[column(source = log)]
    last_line: Option<String>,
}

impl Rows for Job {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let pid = i64::from(std::process::id());
        let asked = scan.keys(Self::ID);
        let jobs = scan.env().running.iter().filter(move |(id, _)| asked.as_ref().is_none_or(|ids| ids.contains(id)));
        Ok(jobs.map(move |(id, name)| Job { id: *id, name: (*name).to_owned(), pid, ..Job::default() }))
    }
}

impl Job {
    /// A source: runs only for the rows of queries that want `last_line`.
    fn log(&mut self, jobs: &Jobs) -> Result<()> {
        jobs.logs_read.fetch_add(1, Ordering::Relaxed);
        self.last_line = Some(format!("job {} is half done", self.id));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let jobs = Jobs { running: Arc::new(vec![(1, "index"), (2, "compact"), (3, "upload")]), logs_read: Arc::default() };
    let engine = Engine::builder().with_defaults()?.table(Job::table(&jobs)).build().await?;

    let joined = "SELECT j.id, j.name, p.name AS program FROM jobs j JOIN processes p ON p.pid = j.pid ORDER BY j.id";
    let batches = engine.query(joined).await?.collect().await?;
    let ids: Vec<i64> =
        batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(jobs.logs_read.load(Ordering::Relaxed), 0, "no log was read");

    let batches = engine.query("SELECT last_line FROM jobs WHERE id = 2").await?.collect().await?;
    let line = batches[0].column(0).as_string_view().value(0).to_owned();
    assert_eq!(line, "job 2 is half done");
    assert_eq!(jobs.logs_read.load(Ordering::Relaxed), 1, "only the log of the selected job");

    println!("jobs {ids:?}; {line}");
    Ok(())
}
