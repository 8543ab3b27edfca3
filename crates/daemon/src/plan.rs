//! The queries that a configuration schedules.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use indago::config::{Config, Schedule, read_text};
use indago::packs::schedule::{Scheduled, scheduled_name};
use indago::packs::{PLATFORM, Pack, PackQuery, in_shard};
use indago::{Code, Engine, QueryOptions};

use crate::error::{DaemonError, Result};

/// Everything that is scheduled on this host.
#[derive(Debug, Default)]
pub struct Plan {
    /// Queries of the configuration itself, and of packs without discovery queries.
    pub queries: Vec<Scheduled>,
    /// Packs that apply only if their discovery queries return rows.
    pub packs: Vec<PlannedPack>,
    /// Queries and packs that do not apply to this host, with the reason.
    pub skipped: Vec<String>,
}

/// A pack that applies only if its discovery queries return rows.
#[derive(Debug)]
pub struct PlannedPack {
    /// The pack.
    pub pack: Pack,
    /// Its queries.
    pub queries: Vec<Scheduled>,
}

impl Plan {
    /// Reads the packs and query files that a configuration names. Errors do not affect the other packs and queries.
    pub fn read(config: &Config, host: &str) -> (Plan, Vec<DaemonError>) {
        let mut plan = Plan::default();
        let mut names = Names::default();
        let mut errors = Vec::new();
        for (name, schedule) in &config.schedule {
            let place = format!("[schedule.{name}]");
            let scheduled = names.take(name, &place).and_then(|()| query(name, schedule));
            match scheduled {
                Ok(query) => plan.add(Scheduled { name: name.clone(), query, pack: None, place }, host),
                Err(error) => errors.push(error),
            }
        }
        for (name, path) in &config.packs {
            match Pack::load(path) {
                Ok(pack) => plan.add_pack(Pack { name: name.clone(), ..pack }, host, &mut names, &mut errors),
                Err(error) => errors.push(DaemonError::Pack { name: name.clone(), error }),
            }
        }
        let is_idle = errors.is_empty() && !config.record.enabled;
        if is_idle && plan.queries.is_empty() && plan.packs.is_empty() && plan.skipped.is_empty() {
            errors.push(DaemonError::Empty);
        }
        (plan, errors)
    }

    fn add_pack(&mut self, mut pack: Pack, host: &str, names: &mut Names, errors: &mut Vec<DaemonError>) {
        let name = pack.name.clone();
        let mut queries = Vec::new();
        for query in std::mem::take(&mut pack.queries) {
            let place =
                format!("query `{}` of `{name}` in [packs] ({}:{})", query.name, query.file.display(), query.line);
            let full = scheduled_name(&name, &query.name);
            match names.take(&full, &place) {
                Ok(()) => queries.push(Scheduled { name: full, query, pack: Some(name.clone()), place }),
                Err(error) => errors.push(error),
            }
        }
        let outside = pack.shard.is_some_and(|percent| !in_shard(host, percent));
        let reason = pack.mismatch(PLATFORM).or_else(|| outside.then(|| OUTSIDE.to_owned()));
        if let Some(reason) = reason {
            self.skipped.push(format!("pack {name}: {reason}"));
        } else if pack.discovery.is_empty() {
            queries.into_iter().for_each(|scheduled| self.add(scheduled, host));
        } else {
            let queries = queries.into_iter().filter(|scheduled| self.applies(scheduled, host)).collect();
            self.packs.push(PlannedPack { pack, queries });
        }
    }

    /// The number of queries.
    pub fn count(&self) -> usize {
        self.queries.len() + self.packs.iter().map(|pack| pack.queries.len()).sum::<usize>()
    }

    /// Plans every query on an engine, and removes those that can never be planned. A pack whose discovery queries
    /// cannot be planned is removed completely.
    pub async fn remove_invalid(&mut self, engine: &Engine, timeout: Duration) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        self.queries = valid(std::mem::take(&mut self.queries), engine, timeout, &mut invalid).await;
        for mut planned in std::mem::take(&mut self.packs) {
            let before = invalid.len();
            for sql in &planned.pack.discovery {
                let name = format!("pack {}", planned.pack.name);
                let place = format!("a discovery query in {}", planned.pack.path.display());
                invalid.extend(problem(&name, &place, sql, engine, timeout).await);
            }
            if invalid.len() == before {
                planned.queries = valid(planned.queries, engine, timeout, &mut invalid).await;
                self.packs.push(planned);
            }
        }
        invalid
    }

    fn add(&mut self, scheduled: Scheduled, host: &str) {
        if self.applies(&scheduled, host) {
            self.queries.push(scheduled);
        }
    }

    fn applies(&mut self, scheduled: &Scheduled, host: &str) -> bool {
        let reason = scheduled.query.mismatch(PLATFORM).or_else(|| {
            let outside = scheduled.query.shard.is_some_and(|percent| !in_shard(host, percent));
            outside.then(|| OUTSIDE.to_owned())
        });
        if let Some(reason) = &reason {
            self.skipped.push(format!("{}: {reason}", scheduled.name));
        }
        reason.is_none()
    }
}

const OUTSIDE: &str = "this host is not in its shard";

/// A query that can never be planned.
#[derive(Debug)]
pub struct Invalid {
    /// The SQL.
    pub sql: String,
    /// The query, its place and the reason.
    pub error: DaemonError,
}

async fn valid(
    queries: Vec<Scheduled>,
    engine: &Engine,
    timeout: Duration,
    invalid: &mut Vec<Invalid>,
) -> Vec<Scheduled> {
    let mut valid = Vec::new();
    for scheduled in queries {
        match problem(&scheduled.name, &scheduled.place, &scheduled.query.sql, engine, timeout).await {
            Some(problem) => invalid.push(problem),
            None => valid.push(scheduled),
        }
    }
    valid
}

/// Why a query can never be planned, or why it has no result to log. If the reason may pass (a timeout, an unreachable
/// catalog), there is none.
async fn problem(name: &str, place: &str, sql: &str, engine: &Engine, timeout: Duration) -> Option<Invalid> {
    let options = QueryOptions { timeout: Some(timeout), ..QueryOptions::default() };
    let invalid = |reason: String| Invalid {
        sql: sql.to_owned(),
        error: DaemonError::Invalid { name: name.to_owned(), place: place.to_owned(), reason },
    };
    // Planning a statement that creates a view creates it, in a session of its own here.
    let error = match Box::pin(engine.fork().query_with(sql, options)).await {
        Ok(query) if query.schema().fields().is_empty() => return Some(invalid(NO_RESULT.to_owned())),
        Ok(_) => return None,
        Err(error) => error,
    };
    let is_permanent = match error.code() {
        Code::Parse
        | Code::UnknownTable
        | Code::UnknownColumn
        | Code::UnknownFunction
        | Code::KeyRequired
        | Code::NoPast
        | Code::Plan
        | Code::Parameter
        | Code::Unsupported => true,
        // Others may pass.
        _ => false,
    };
    is_permanent.then(|| invalid(error.message_with_help()))
}

const NO_RESULT: &str =
    "the statement has no result to log; define a view in `[views]` of the configuration, and schedule a SELECT";

/// The names in use, each with the place that defines it.
#[derive(Debug, Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn take(&mut self, name: &str, place: &str) -> Result<()> {
        match self.0.entry(name.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(place.to_owned());
                Ok(())
            }
            Entry::Occupied(taken) => Err(DaemonError::SameName {
                name: name.to_owned(),
                first: taken.get().clone(),
                second: place.to_owned(),
            }),
        }
    }
}

fn query(name: &str, schedule: &Schedule) -> Result<PackQuery> {
    let sql = match (&schedule.query, &schedule.file) {
        (Some(sql), _) => sql.clone(),
        (None, Some(file)) => read_text(file).map_err(|reason| DaemonError::QueryFile {
            name: name.to_owned(),
            file: file.clone(),
            reason,
        })?,
        (None, None) => String::new(),
    };
    Ok(PackQuery {
        interval: schedule.interval.0,
        snapshot: schedule.snapshot,
        removed: schedule.removed,
        timeout: schedule.timeout.map(|timeout| timeout.0),
        platform: schedule.platform.clone(),
        shard: schedule.shard,
        denylist: schedule.denylist,
        ignore_volatile: schedule.ignore_volatile,
        description: schedule.description.clone(),
        ..PackQuery::new(name, sql)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_and_packs() {
        let folder = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("q.sql", "SELECT 2");
        write(
            "p.conf",
            r#"{"queries": {"a": {"query": "SELECT 3"}, "w": {"query": "SELECT 4", "platform": "windows"}}}"#,
        );
        write("d.conf", r#"{"discovery": ["SELECT 1"], "queries": {"b": {"query": "SELECT 5"}}}"#);
        write("w.conf", r#"{"platform": "windows", "queries": {"c": {"query": "SELECT 6"}}}"#);
        write(
            "indago.toml",
            r#"
            [schedule.one]
            query = "SELECT 1"
            interval = "5s"
            [schedule.two]
            file = "q.sql"
            snapshot = true
            [packs]
            p = "p.conf"
            d = "d.conf"
            w = "w.conf"
            "#,
        );
        let config = Config::read(&folder.path().join("indago.toml")).expect("valid");
        let (plan, errors) = Plan::read(&config, "host");
        assert!(errors.is_empty(), "{errors:?}");
        let names: Vec<&str> = plan.queries.iter().map(|scheduled| scheduled.name.as_str()).collect();
        assert_eq!(names, ["one", "two", "pack_p_a"]);
        assert_eq!(plan.queries[1].query.sql, "SELECT 2");
        assert_eq!(plan.packs[0].queries[0].name, "pack_d_b");
        assert_eq!(
            plan.skipped,
            ["pack_p_w: the query is for windows; this is linux", "pack w: the pack is for windows; this is linux"]
        );
        assert!(matches!(Plan::read(&Config::default(), "host").1.as_slice(), [DaemonError::Empty]));
        std::fs::remove_file(folder.path().join("q.sql")).expect("removed");
        std::fs::remove_file(folder.path().join("p.conf")).expect("removed");
        let (plan, errors) = Plan::read(&config, "host");
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(errors[0].starts_with("schedule.two: cannot read "), "{errors:?}");
        assert!(errors[1].starts_with("packs.p: cannot read "), "{errors:?}");
        assert_eq!((errors.len(), plan.queries.len(), plan.packs.len()), (2, 1, 1), "the others are read");
    }

    #[test]
    fn two_queries_of_one_name_are_an_error_that_says_where_both_are() {
        let folder = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("a.conf", r#"{"queries": {"q": {"query": "SELECT 1"}, "b_q": {"query": "SELECT 2"}}}"#);
        write("b.conf", r#"{"platform": "windows", "queries": {"q": {"query": "SELECT 3"}}}"#);
        for (text, first, second) in [
            (
                "[packs]\na = \"a.conf\"\n[schedule.pack_a_q]\nquery = \"SELECT 4\"",
                "[schedule.pack_a_q]",
                "query `q` of `a` in [packs] (",
            ),
            // A query for other hosts takes its name too, because many hosts can share a configuration.
            (
                "[packs]\na = \"a.conf\"\na_b = \"b.conf\"",
                "query `b_q` of `a` in [packs]",
                "query `q` of `a_b` in [packs]",
            ),
        ] {
            write("indago.toml", text);
            let config = Config::read(&folder.path().join("indago.toml")).expect("valid");
            let error = Plan::read(&config, "host").1[0].to_string();
            assert!(error.contains(first) && error.contains(second), "{error}");
        }
    }
}
