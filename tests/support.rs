//! Helpers for several modules.

use std::path::{Path, PathBuf};
use std::process::Command;

use arrow_array::RecordBatch;
use datafusion::arrow::util::display::array_value_to_string;
use indago_engine::{Engine, EngineBuilder, Warning};
use indago_table::Sys;
use indago_tables_registry::{Environments, all};

/// The fixture host with a name.
pub(crate) fn fixture_host(name: &str) -> Sys {
    Sys::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts").join(name))
}

/// The project's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root").to_owned()
}

/// Fails a test that changes owners, users or mounts if it does not run as root. `cargo xtask check --hermetic` leaves out
/// the tests that call it.
pub(crate) fn needs_root() {
    assert_eq!(Sys::live().uid(), 0, "this test needs root; `cargo xtask check --hermetic` leaves it out");
}

/// The queries of the guide's page about Kubernetes: of Kubernetes alone, or of other systems too.
pub(crate) fn kubernetes_guide(is_alone: bool) -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/guide/kubernetes.md")).expect("the page");
    let others = ["aws_", "git_", "container_processes"];
    let queries = sql_blocks(&page)
        .filter(|query| others.iter().all(|other| !query.contains(&format!("JOIN {other}"))) == is_alone);
    queries.map(str::to_owned).collect()
}

/// The SQL of a page in Markdown.
pub(crate) fn sql_blocks(page: &str) -> impl Iterator<Item = &str> {
    page.split("```sql\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0))
}

/// Replaces a file at once, so that no reader sees a part of it.
pub(crate) fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, file)).expect("written");
}

/// A deterministic generator of choices.
pub(crate) struct Dice(u64);

impl Dice {
    /// A generator whose seed is in an environment variable, or else 7.
    pub(crate) fn seeded(variable: &str) -> Self {
        let seed = std::env::var(variable).ok().and_then(|seed| seed.parse().ok()).unwrap_or(7_u64);
        eprintln!("{variable}={seed}");
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// What a program prints. It must succeed; its errors are shown if it fails.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {errors}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A script for `bash -c` that runs its first argument, a program, as the user nobody. It passes the program through a
/// descriptor, because the program may be in a directory that only root can search.
pub(crate) const AS_NOBODY: &str =
    "exec 9< \"$0\"; exec setpriv --reuid=65534 --regid=65534 --clear-groups /proc/self/fd/9 \"$@\"";

/// An engine over the host tables of a machine.
pub(crate) fn host_engine(sys: &Sys) -> EngineBuilder {
    hosts_engine(vec![sys.clone()])
}

/// An engine over the host tables of several machines.
pub(crate) fn hosts_engine(hosts: Vec<Sys>) -> EngineBuilder {
    Engine::builder().tables(all(&Environments { hosts, ..Environments::default() }))
}

/// Rows as text, NULL as `NULL`, in result order.
pub(crate) fn texts(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cell = |column: &arrow_array::ArrayRef| {
                if column.is_null(row) {
                    "NULL".to_owned()
                } else {
                    array_value_to_string(column, row).expect("a value can be printed")
                }
            };
            rows.push(batch.columns().iter().map(cell).collect());
        }
    }
    rows
}

/// A query's rows as texts, their columns separated by spaces, in result order; and its warnings.
pub(crate) async fn ask(engine: &Engine, sql: &str) -> (Vec<String>, Vec<Warning>) {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    (texts(&batches).into_iter().map(|row| row.join(" ")).collect(), query.warnings())
}

/// A query's rows, sorted.
pub(crate) async fn rows(engine: &Engine, sql: &str) -> Vec<Vec<String>> {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut rows = texts(&batches);
    rows.sort();
    rows
}

/// The sorted rows that SQLite has for a query.
pub(crate) fn rows_of_sqlite(db: &rusqlite::Connection, sql: &str) -> Vec<Vec<String>> {
    let mut statement = db.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = statement.column_count();
    let cell = |row: &rusqlite::Row<'_>, column| match row.get_ref(column).expect("a column") {
        rusqlite::types::ValueRef::Null => "NULL".to_owned(),
        rusqlite::types::ValueRef::Integer(value) => value.to_string(),
        rusqlite::types::ValueRef::Text(value) => String::from_utf8_lossy(value).into_owned(),
        other => panic!("{sql}: {other:?}"),
    };
    let found = statement.query_map([], |row| Ok((0..columns).map(|column| cell(row, column)).collect::<Vec<_>>()));
    let mut rows: Vec<_> = found.expect("it runs").collect::<Result<_, _>>().expect("all rows");
    rows.sort();
    rows
}
