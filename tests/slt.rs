//! Every `.slt` file, next to each table and in `tests/slt`. Each directory runs on the bed that its files name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use indago_engine::{Engine, Limits};
use indago_table::Sys;
use indago_tables_registry::{Environments, Git, GitRoot, all};
use indago_testkit::beds::git::Repositories;
use parking_lot::Mutex;
use sqllogictest::{DBOutput, DefaultColumnType};

use crate::support::{fixture_host, host_engine, root};

/// A test for each directory, and the list of directories with a test.
macro_rules! folders {
    ($($name:ident: $folder:literal on $bed:expr;)*) => {
        const FOLDERS: &[&str] = &[$($folder),*];

        $(#[test]
        fn $name() {
            run($folder, $bed);
        })*
    };
}

folders! {
    host_tables: "tables/host/src" on |run: &dyn Fn(Engine)| run(on_runtime(host_engine(&fixture_host("plain")).build()).expect("an engine"));
    container_tables: "tables/containers/src" on |run: &dyn Fn(Engine)| {
        let folder = tempfile::tempdir().expect("a folder");
        run(on_runtime(crate::containers::recorded(folder.path())));
    };
    kubernetes_tables: "tables/kubernetes/src" on |run: &dyn Fn(Engine)| {
        let api = crate::kubernetes::estate();
        run(on_runtime(crate::kubernetes::engine(api.kubeconfig("admin"), Limits::default())));
    };
    aws_tables: "tables/aws/src" on |run: &dyn Fn(Engine)| {
        let bed = crate::aws::Bed::with_network();
        bed.seed_services();
        // It waits for moto on a busy machine: some of its lists are long.
        let limits = Limits { call_timeout: std::time::Duration::from_secs(60), ..Limits::default() };
        run(on_runtime(bed.limited(&["default"], &["us-east-1", "eu-west-1"], limits)));
    };
    git_tables: "tables/git/src" on |run: &dyn Fn(Engine)| {
        let bed = Repositories::new().expect("repositories");
        let git = Git::with_roots(&Sys::live(), [GitRoot { path: bed.root().to_owned(), depth: 3 }]);
        let tables = all(&Environments { git: Some(git), ..Environments::default() });
        run(on_runtime(Engine::builder().tables(tables).build()).expect("an engine"));
    };
    vulnerability_tables: "tables/vulnerabilities/src" on |run: &dyn Fn(Engine)| {
        run(on_runtime(crate::vulnerabilities::engine(fixture_host("plain"), &root().join("tests/fixtures/osv"))));
    };
    joins: "tests/slt/joins" on |run: &dyn Fn(Engine)| run(on_runtime(host_engine(&fixture_host("plain")).build()).expect("an engine"));
}

fn on_runtime<F: Future>(future: F) -> F::Output {
    use std::sync::OnceLock;
    // One runtime for all directories, because an engine's clients belong to the runtime that created them.
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    });
    runtime.block_on(future)
}

/// Warnings of the queries so far.
type Said = Arc<Mutex<BTreeSet<String>>>;

/// An engine under sqllogictest.
struct Database {
    engine: Arc<Engine>,
    said: Said,
}

#[async_trait::async_trait]
impl sqllogictest::AsyncDB for Database {
    type Error = indago_engine::Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Self::Error> {
        let query = self.engine.query(sql).await?;
        let batches = query.collect().await?;
        self.said.lock().extend(query.warnings().iter().map(ToString::to_string));
        let rows: Vec<_> = batches.iter().flat_map(cells).collect();
        let types = vec![DefaultColumnType::Any; rows.first().map_or(0, Vec::len)];
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}
}

/// A batch's rows in the format of a file: each cell is one word on one line.
fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).expect("a column"));
    let columns: Vec<_> = columns.collect();
    let shown = |cell: String| if cell.is_empty() { "(empty)".to_owned() } else { cell.replace('\n', "\\n") };
    let row = |row| columns.iter().map(|column| shown(column.value(row).to_string())).collect();
    (0..batch.num_rows()).map(row).collect()
}

/// The `.slt` files of a directory.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    files
}

/// Runs a directory's files on an engine, and reports all that fail.
///
/// A line `# warns: TEXT` means that a query of the file has a warning with that text. Queries must have no other
/// warnings.
fn run(folder: &str, bed: impl FnOnce(&dyn Fn(Engine))) {
    let files = files(&root().join(folder));
    assert!(!files.is_empty(), "{folder} has no .slt files");
    bed(&|engine| {
        let engine = Arc::new(engine);
        let mut failures = Vec::new();
        for file in &files {
            let said = Said::default();
            let database = || async { Ok(Database { engine: engine.clone(), said: said.clone() }) };
            let mut runner = sqllogictest::Runner::new(database);
            if let Err(error) = on_runtime(runner.run_file_async(file)) {
                failures.push(error.to_string());
            }
            let text = fs::read_to_string(file).expect("it was just run");
            let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# warns: ")).collect();
            let said = said.lock();
            let unexpected = said.iter().filter(|warning| !expected.iter().any(|part| warning.contains(part)));
            failures.extend(unexpected.map(|warning| format!("{}: warning: {warning}", file.display())));
            let unsaid = expected.iter().filter(|part| !said.iter().any(|warning| warning.contains(*part)));
            failures.extend(unsaid.map(|part| format!("{}: nobody warned: {part}", file.display())));
        }
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    });
}

/// Every `.slt` file under a directory.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = files(folder);
    for entry in fs::read_dir(folder).expect("a folder of this project").flatten() {
        if entry.path().is_dir() {
            found.extend(all_files(&entry.path()));
        }
    }
    found
}

#[test]
fn no_file_is_left_unrun() {
    let root = root();
    for file in all_files(&root.join("tables")).into_iter().chain(all_files(&root.join("tests/slt"))) {
        let folder = file.parent().and_then(|folder| folder.strip_prefix(&root).ok()).expect("a folder of the project");
        assert!(
            FOLDERS.iter().any(|run| Path::new(run) == folder),
            "{} is not run; add its directory to tests/slt.rs",
            file.display()
        );
    }
}

#[test]
fn each_table_is_asked_in_its_file() {
    let mut known = BTreeSet::new();
    for table in all(&Environments::of(&Sys::at("/nonexistent"))) {
        let spec = table.spec();
        let folder = root().join("tables").join(spec.environment.as_ref()).join("src");
        let file = folder.join(spec.name.as_ref()).with_extension("slt");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let words: Vec<&str> =
            text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect();
        let is_asked = words.windows(2).any(|pair| matches!(pair[0], "FROM" | "JOIN") && pair[1] == spec.name.as_ref());
        assert!(is_asked, "{} has no query of {}", file.display(), spec.name);
        assert!(words.contains(&"----"), "{} expects no rows", file.display());
        known.insert(file);
    }
    for file in all_files(&root().join("tables")) {
        assert!(known.contains(&file), "{} belongs to no table", file.display());
    }
}
