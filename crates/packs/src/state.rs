//! The persistent state of a schedule: previous rows, counters, intervals and times of the last runs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use crate::error::{PackError, Result};

const QUERIES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("queries");
const ROWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("rows");

/// State of a query, without its rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QueryState {
    /// Its SQL at the start of the last run.
    pub sql: String,
    /// Epoch of its last result.
    pub epoch: u64,
    /// Counter of its last result.
    pub counter: u64,
    /// Whether it has a last result.
    pub has_result: bool,
    /// Configured interval, in seconds.
    pub interval: u64,
    /// Interval with splay, in seconds.
    pub splayed: u64,
    /// Start of the last run, in Unix seconds.
    pub last_run: Option<u64>,
    /// Whether a run has started and not ended. If this is set when the daemon starts, the query was running when the
    /// daemon was killed.
    pub is_running: bool,
    /// Whether it was one of several queries running when the daemon was killed. It then runs alone.
    pub is_suspect: bool,
    /// End of the denylist period, in Unix seconds, if it was running when the daemon was killed.
    pub denied_until: Option<u64>,
    /// Number of runs.
    pub executions: u64,
    /// Number of failed runs.
    pub failures: u64,
    /// Number of incomplete runs.
    pub incomplete: u64,
    /// Total run time, in milliseconds.
    pub wall_ms: u64,
    /// Run time of the last run, in milliseconds.
    pub last_wall_ms: u64,
    /// Total size of its result lines, in bytes.
    pub output_bytes: u64,
    /// Number of rows of the last run.
    pub last_rows: u64,
    /// Sum of the peak memory of its runs, in bytes.
    pub memory_bytes: u64,
    /// Peak memory of the last run, in bytes.
    pub last_memory_bytes: u64,
    /// Why the last run failed.
    pub last_error: Option<String>,
    /// What the last run could not read.
    pub last_missing: Option<String>,
}

/// The state file.
#[derive(Debug)]
pub struct State {
    file: PathBuf,
    database: Database,
}

impl State {
    /// Opens the file. Creates it if necessary, but not its directory: that may be mistyped.
    pub fn open(file: &Path) -> Result<Self> {
        let wrong = |reason: String| PackError::State { file: file.to_owned(), reason };
        create_private(file).map_err(|error| wrong(error.to_string()))?;
        let database = Database::create(file).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => {
                wrong("another daemon uses it; stop that daemon, or set `daemon.state`".into())
            }
            error => wrong(format!(
                "{}; if it is damaged, move it away; each query then logs a first result again",
                lowercase(&error.to_string())
            )),
        })?;
        let state = Self { file: file.to_owned(), database };
        state.write(|transaction| {
            transaction.open_table(QUERIES)?;
            transaction.open_table(ROWS)?;
            Ok(())
        })?;
        Ok(state)
    }

    fn wrong(&self, error: impl Into<redb::Error>) -> PackError {
        PackError::State { file: self.file.clone(), reason: lowercase(&error.into().to_string()) }
    }

    fn write(&self, work: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>) -> Result<()> {
        let run = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            work(&transaction)?;
            transaction.commit()?;
            Ok(())
        };
        run().map_err(|error| self.wrong(error))
    }

    fn read(&self, table: TableDefinition<'_, &'static str, &'static [u8]>, name: &str) -> Result<Option<Vec<u8>>> {
        let run = || -> Result<Option<Vec<u8>>, redb::Error> {
            let transaction = self.database.begin_read()?;
            let table = transaction.open_table(table)?;
            let value = table.get(name)?.map(|value| value.value().to_vec());
            Ok(value)
        };
        run().map_err(|error| self.wrong(error))
    }

    /// The state of a query.
    pub fn query(&self, name: &str) -> Result<Option<QueryState>> {
        let Some(bytes) = self.read(QUERIES, name)? else { return Ok(None) };
        // State that cannot be read is discarded: the query then logs a first result.
        Ok(serde_json::from_slice(&bytes).ok())
    }

    /// The rows of a query's last result.
    pub fn rows(&self, name: &str) -> Result<Vec<String>> {
        let bytes = self.read(ROWS, name)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
    }

    /// Stores the state of a query, and the rows of its result if given.
    pub fn remember(&self, name: &str, query: &QueryState, rows: Option<&[String]>) -> Result<()> {
        let bytes = serde_json::to_vec(query).map_err(|error| PackError::Rows(error.to_string()))?;
        self.write(|transaction| {
            transaction.open_table(QUERIES)?.insert(name, bytes.as_slice())?;
            if let Some(rows) = rows {
                transaction.open_table(ROWS)?.insert(name, rows.join("\n").as_bytes())?;
            }
            Ok(())
        })
    }

    /// Records that a query has ended and did not kill the daemon. The rest of its state stays.
    pub fn ended(&self, name: &str) -> Result<()> {
        self.write(|transaction| {
            let mut table = transaction.open_table(QUERIES)?;
            let known = table.get(name)?.and_then(|bytes| serde_json::from_slice::<QueryState>(bytes.value()).ok());
            if let Some(state) = known.filter(|state| state.is_running)
                && let Ok(bytes) = serde_json::to_vec(&QueryState { is_running: false, is_suspect: false, ..state })
            {
                table.insert(name, bytes.as_slice())?;
            }
            Ok(())
        })
    }

    /// Deletes the state of a query.
    pub fn forget(&self, name: &str) -> Result<()> {
        self.write(|transaction| {
            for table in [QUERIES, ROWS] {
                transaction.open_table(table)?.remove(name)?;
            }
            Ok(())
        })
    }

    /// Deletes the state of all other queries.
    pub fn keep_only(&self, names: &[&str]) -> Result<()> {
        self.write(|transaction| {
            for table in [QUERIES, ROWS] {
                let mut table = transaction.open_table(table)?;
                let known: Vec<String> =
                    table.iter()?.filter_map(|entry| entry.ok().map(|(name, _)| name.value().to_owned())).collect();
                for name in known.iter().filter(|name| !names.contains(&name.as_str())) {
                    table.remove(name.as_str())?;
                }
            }
            Ok(())
        })
    }
}

/// Creates the file durably if it does not exist. Only its owner can read it, because rows may contain data that only
/// root may read.
fn create_private(file: &Path) -> std::io::Result<()> {
    match OpenOptions::new().append(true).create_new(true).mode(0o600).open(file) {
        Ok(_) => {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn lowercase(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_lowercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str()).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn survives_reopening() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("state.redb");
        let mistyped = State::open(&folder.path().join("deep/state.redb")).expect_err("no directory").to_string();
        assert!(mistyped.contains("No such file or directory") && !folder.path().join("deep").exists(), "{mistyped}");
        let query =
            QueryState { sql: "SELECT 1".into(), epoch: 1, counter: 2, has_result: true, ..QueryState::default() };
        {
            let state = State::open(&file).expect("created");
            assert_eq!(state.query("a").expect("read"), None);
            state.remember("a", &query, Some(&["{\"x\":\"1\"}".into(), "{}".into()])).expect("written");
            state.remember("b", &query, None).expect("written");
            let error = State::open(&file).expect_err("locked").to_string();
            assert!(error.contains("another daemon uses it"), "{error}");
        }
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let state = State::open(&file).expect("opened");
        assert_eq!(state.query("a").expect("read"), Some(query.clone()));
        assert_eq!(state.rows("a").expect("read"), ["{\"x\":\"1\"}", "{}"]);
        assert!(state.rows("b").expect("read").is_empty());
        state.remember("a", &QueryState { counter: 3, ..query }, None).expect("written");
        assert_eq!(state.rows("a").expect("read").len(), 2);
        state.keep_only(&["b"]).expect("written");
        assert_eq!(state.query("a").expect("read"), None);
        assert!(state.rows("a").expect("read").is_empty());
        assert!(state.query("b").expect("read").is_some());
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("state.redb");
        std::fs::write(&file, "this is not a database, but long enough to look like one".repeat(100)).expect("written");
        let error = State::open(&file).expect_err("damaged").to_string();
        assert!(error.contains("if it is damaged, move it away"), "{error}");
    }
}
