//! Packs: queries with their schedule, conditions and options.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{PackError, Result};
use crate::run::is_event_table;
use crate::{native, osquery, platform};

/// Interval of a query that sets none.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(3600);

/// Longest interval that osquery allows.
pub(crate) const LONGEST_INTERVAL: Duration = Duration::from_secs(604_800);

/// A pack.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pack {
    /// Its name, from the file or directory.
    pub name: String,
    /// The path that it was read from.
    pub path: PathBuf,
    /// Purpose.
    pub description: Option<String>,
    /// Platforms that it applies to; `None` for all.
    pub platform: Option<String>,
    /// Lowest osquery version with the tables that it needs.
    pub version: Option<String>,
    /// Percent of hosts that it runs on.
    pub shard: Option<u32>,
    /// Queries that must all return rows; otherwise the pack does not apply to this host.
    pub discovery: Vec<String>,
    /// Its queries, in the order of the file.
    pub queries: Vec<PackQuery>,
}

/// A query of a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct PackQuery {
    /// Its name.
    pub name: String,
    /// The SQL.
    pub sql: String,
    /// The file that it was read from.
    pub file: PathBuf,
    /// Line in that file, from 1.
    pub line: usize,
    /// Length of the comment header at the start of the SQL, in bytes.
    pub header: usize,
    /// Purpose.
    pub description: Option<String>,
    /// Words for searching.
    pub tags: Vec<String>,
    /// Time between runs.
    pub interval: Duration,
    /// Log all rows on each run, instead of differences.
    pub snapshot: bool,
    /// Log removed rows.
    pub removed: bool,
    /// Platforms that it applies to; `None` for all.
    pub platform: Option<String>,
    /// Lowest osquery version with the tables that it needs.
    pub version: Option<String>,
    /// Percent of hosts that it runs on.
    pub shard: Option<u32>,
    /// Timeout.
    pub timeout: Option<Duration>,
    /// Whether it is skipped for some time if it was running when the daemon was killed.
    pub denylist: bool,
    /// Whether volatile columns (counters, times of reading) are ignored when results are compared.
    pub ignore_volatile: bool,
}

impl Pack {
    /// Reads a pack: an osquery `.conf` or `.json` file, a directory with a `pack.toml`, or that `pack.toml`.
    pub fn load(path: &Path) -> Result<Pack> {
        let unreadable = |reason: String| PackError::Read { file: path.to_owned(), reason };
        let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
        if metadata.is_dir() {
            return native::load(path);
        }
        if path.file_name().is_some_and(|name| name == native::PACK_FILE) {
            return native::load(
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            );
        }
        if path.extension().is_some_and(|extension| extension == "sql") {
            return native::load_query(path);
        }
        osquery::parse(&indago_config::read_text(path).map_err(unreadable)?, path)
    }

    /// The query with a name.
    pub fn query(&self, name: &str) -> Result<&PackQuery> {
        self.queries.iter().find(|query| query.name == name).ok_or_else(|| PackError::UnknownQuery {
            pack: self.name.clone(),
            query: name.to_owned(),
            suggestion: indago_config::closest(name, self.queries.iter().map(|query| query.name.as_str()))
                .map(str::to_owned),
        })
    }

    /// Why the pack does not apply to this host; `None` if it does. Does not run discovery queries.
    pub fn mismatch(&self, platform: &str) -> Option<String> {
        platform::mismatch("the pack", self.platform.as_deref(), self.version.as_deref(), platform)
    }
}

impl PackQuery {
    /// A query with default options.
    pub fn new(name: impl Into<String>, sql: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            sql: sql.into(),
            file: PathBuf::new(),
            line: 1,
            header: 0,
            description: None,
            tags: Vec::new(),
            interval: DEFAULT_INTERVAL,
            snapshot: false,
            removed: true,
            platform: None,
            version: None,
            shard: None,
            timeout: None,
            denylist: true,
            ignore_volatile: false,
        }
    }

    /// Reads a query with a comment header, as in our own packs. `file` is used only for the name.
    pub fn from_sql(file: &Path, text: &str) -> Result<Self> {
        native::parse(text, file, DEFAULT_INTERVAL)
    }

    /// The SQL without the header above it.
    pub fn statement(&self) -> &str {
        self.sql[self.header..].trim()
    }

    /// Where an error of the query is: `file:line:column` in an `.sql` file, `file:line` of the query in other files.
    pub fn place_of(&self, error: &indago_engine::Error) -> String {
        let file = self.file.display();
        let is_text = self.is_text_of_file() && error.sql() == Some(&self.sql);
        let before = error.span().filter(|_| is_text).and_then(|span| self.sql.get(..span.start));
        match before {
            Some(before) => {
                let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
                let column = before[line_start..].chars().count() + 1;
                format!("{file}:{}:{column}", before.matches('\n').count() + 1)
            }
            None => format!("{file}:{}", self.line),
        }
    }

    /// Whether the SQL is the text of its file, so that lines of the SQL are lines of the file.
    pub fn is_text_of_file(&self) -> bool {
        self.file.extension().is_some_and(|extension| extension == "sql")
    }

    /// Whether it may be skipped after it was running when the daemon was killed. Queries of event tables always run,
    /// because events that are not read in time are lost.
    pub fn may_be_denied(&self) -> bool {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        self.denylist && !self.statement().split(|c: char| !is_word(c)).any(is_event_table)
    }

    /// Why the query does not apply to this host; `None` if it does.
    pub fn mismatch(&self, platform: &str) -> Option<String> {
        platform::mismatch("the query", self.platform.as_deref(), self.version.as_deref(), platform)
    }
}

/// Name of a file or directory without its extension.
pub(crate) fn stem(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_else(|| "pack".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_over_events_are_never_denied() {
        for (sql, expected) in [
            ("SELECT * FROM processes", true),
            ("SELECT * FROM process_events WHERE uid = 0", false),
            ("SELECT 1 FROM main.\"file_events\" AS e", false),
            ("SELECT * FROM kubernetes_events", true),
            ("SELECT my_events_count FROM t", true),
        ] {
            assert_eq!(PackQuery::new("q", sql).may_be_denied(), expected, "{sql}");
        }
        let always = PackQuery { denylist: false, ..PackQuery::new("q", "SELECT 1") };
        assert!(!always.may_be_denied());
    }
}
