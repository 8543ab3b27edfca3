//! The queries that a configuration schedules.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use indago::config::{Config, Schedule, read_text};
use indago::packs::schedule::{Scheduled, scheduled_name};
use indago::packs::{PLATFORM, Pack, PackQuery, in_shard};

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
    /// Reads the packs and query files that a configuration names.
    pub fn read(config: &Config, host: &str) -> Result<Plan> {
        let mut plan = Plan::default();
        let mut names = Names::default();
        for (name, schedule) in &config.schedule {
            names.take(name, format!("[schedule.{name}]"))?;
            plan.add(Scheduled { name: name.clone(), query: query(name, schedule)? }, host);
        }
        for (name, path) in &config.packs {
            let mut pack = Pack::load(path)?;
            pack.name.clone_from(name);
            for query in &pack.queries {
                let place = format!("query `{}` of `{name}` in [packs] ({})", query.name, path.display());
                names.take(&scheduled_name(name, &query.name), place)?;
            }
            if let Some(reason) = pack.mismatch(PLATFORM) {
                plan.skipped.push(format!("pack {name}: {reason}"));
                continue;
            }
            if pack.shard.is_some_and(|percent| !in_shard(host, percent)) {
                plan.skipped.push(format!("pack {name}: this host is not in its shard"));
                continue;
            }
            let queries = std::mem::take(&mut pack.queries);
            let full = queries.into_iter().map(|query| Scheduled { name: scheduled_name(name, &query.name), query });
            if pack.discovery.is_empty() {
                full.for_each(|scheduled| plan.add(scheduled, host));
            } else {
                let queries = full.filter(|scheduled| plan.applies(scheduled, host)).collect();
                plan.packs.push(PlannedPack { pack, queries });
            }
        }
        if plan.queries.is_empty() && plan.packs.is_empty() && plan.skipped.is_empty() {
            return Err(DaemonError::Empty);
        }
        Ok(plan)
    }

    fn add(&mut self, scheduled: Scheduled, host: &str) {
        if self.applies(&scheduled, host) {
            self.queries.push(scheduled);
        }
    }

    fn applies(&mut self, scheduled: &Scheduled, host: &str) -> bool {
        let reason = scheduled.query.mismatch(PLATFORM).or_else(|| {
            let outside = scheduled.query.shard.is_some_and(|percent| !in_shard(host, percent));
            outside.then(|| "this host is not in its shard".to_owned())
        });
        if let Some(reason) = &reason {
            self.skipped.push(format!("{}: {reason}", scheduled.name));
        }
        reason.is_none()
    }
}

/// The names in use, each with the place that defines it.
#[derive(Debug, Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn take(&mut self, name: &str, place: String) -> Result<()> {
        match self.0.entry(name.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(place);
                Ok(())
            }
            Entry::Occupied(taken) => {
                Err(DaemonError::SameName { name: name.to_owned(), first: taken.get().clone(), second: place })
            }
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
        let plan = Plan::read(&config, "host").expect("a plan");
        let names: Vec<&str> = plan.queries.iter().map(|scheduled| scheduled.name.as_str()).collect();
        assert_eq!(names, ["one", "two", "pack_p_a"]);
        assert_eq!(plan.queries[1].query.sql, "SELECT 2");
        assert_eq!(plan.packs[0].queries[0].name, "pack_d_b");
        assert_eq!(
            plan.skipped,
            ["pack_p_w: the query is for windows; this is linux", "pack w: the pack is for windows; this is linux"]
        );
        assert!(matches!(Plan::read(&Config::default(), "host"), Err(DaemonError::Empty)));
        std::fs::remove_file(folder.path().join("q.sql")).expect("removed");
        let error = Plan::read(&config, "host").expect_err("no file").to_string();
        assert!(error.starts_with("schedule.two: cannot read "), "{error}");
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
            let error = Plan::read(&config, "host").expect_err("one name").to_string();
            assert!(error.contains(first) && error.contains(second), "{error}");
        }
    }
}
