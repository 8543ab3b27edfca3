//! When a query runs, and what becomes of its result.

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::differ::Difference;
use crate::pack::PackQuery;
use crate::state::QueryState;

/// A query of a schedule under its full name.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheduled {
    /// `pack_<pack>_<query>` for a query of a pack, its own name otherwise.
    pub name: String,
    /// The query.
    pub query: PackQuery,
}

/// The name under which a pack's query is scheduled and logged.
pub fn scheduled_name(pack: &str, query: &str) -> String {
    format!("pack_{pack}_{query}")
}

/// An interval moved at random by up to `percent`; whole seconds, at least one.
fn splayed(interval: Duration, percent: u32, random: &mut impl Rng) -> Duration {
    let seconds = interval.as_secs().max(1);
    let reach = seconds * u64::from(percent.min(100)) / 100;
    Duration::from_secs(random.random_range(seconds - reach.min(seconds - 1)..=seconds + reach))
}

/// What to remember of a query when the schedule starts: its interval is chosen anew only when the one asked for changed.
pub fn prepared(known: Option<QueryState>, query: &PackQuery, percent: u32) -> QueryState {
    prepared_by(known, query, percent, &mut rand::rng())
}

fn prepared_by(known: Option<QueryState>, query: &PackQuery, percent: u32, random: &mut impl Rng) -> QueryState {
    let mut state = known.unwrap_or_default();
    let asked = query.interval.as_secs();
    let reach = asked * u64::from(percent.min(100)) / 100;
    if state.interval != asked || state.splayed.abs_diff(asked) > reach || state.splayed == 0 {
        state.interval = asked;
        state.splayed = splayed(query.interval, percent, random).as_secs();
    }
    state
}

/// The Unix second at which a query runs next. What was missed while nothing ran is made up by one run, not by many.
pub fn next_run(state: &QueryState, now: u64) -> u64 {
    match state.last_run {
        // A clock that was set back must not put a query off for long.
        Some(last) if last <= now => (last + state.splayed.max(1)).max(now),
        Some(_) => now + state.splayed.max(1),
        None => now,
    }
}

/// A result compared with the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What to remember.
    pub state: QueryState,
    /// What to log; `None` if there is nothing to say.
    pub difference: Option<Difference>,
}

/// Compares a result with the one before. A new query, changed SQL or a changed epoch makes it a first result, all of
/// whose rows were added and whose counter is 0.
pub fn settle(state: &QueryState, previous: &[String], query: &PackQuery, rows: &[String], epoch: u64) -> Settled {
    let first = !state.has_result || state.epoch != epoch || state.sql != query.sql;
    let mut difference = Difference::between(if first { &[] } else { previous }, rows);
    if !query.removed {
        difference.removed.clear();
    }
    let logged = !difference.is_empty();
    let counter = if first { 0 } else { state.counter + u64::from(logged) };
    Settled {
        state: QueryState { sql: query.sql.clone(), epoch, counter, has_result: true, ..state.clone() },
        difference: logged.then_some(difference),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    fn rows(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn splay_stays_in_reach() {
        let mut random = SmallRng::seed_from_u64(1);
        let seconds: Vec<u64> =
            (0..1000).map(|_| splayed(Duration::from_secs(100), 10, &mut random).as_secs()).collect();
        assert!(seconds.iter().all(|seconds| (90..=110).contains(seconds)));
        assert!(seconds.contains(&90) && seconds.contains(&110));
        for interval in [1, 2] {
            assert!(splayed(Duration::from_secs(interval), 100, &mut random).as_secs() >= 1);
        }
        assert_eq!(splayed(Duration::from_secs(60), 0, &mut random).as_secs(), 60);
    }

    #[test]
    fn splay_is_kept_until_the_interval_changes() {
        let mut random = SmallRng::seed_from_u64(2);
        let mut query = PackQuery::new("q", "SELECT 1");
        let first = prepared_by(None, &query, 10, &mut random);
        for _ in 0..20 {
            assert_eq!(prepared_by(Some(first.clone()), &query, 10, &mut random), first);
        }
        query.interval = Duration::from_secs(60);
        let other = prepared_by(Some(first), &query, 10, &mut random);
        assert!((54..=66).contains(&other.splayed));
        assert_eq!(prepared_by(Some(other), &query, 0, &mut random).splayed, 60);
    }

    #[test]
    fn runs_follow_the_interval() {
        let state = |last_run| QueryState { splayed: 60, last_run, ..QueryState::default() };
        assert_eq!(next_run(&state(None), 1000), 1000);
        assert_eq!(next_run(&state(Some(980)), 1000), 1040);
        assert_eq!(next_run(&state(Some(10)), 1000), 1000, "missed runs are one run");
        assert_eq!(next_run(&state(Some(9999)), 1000), 1060, "the clock was set back");
    }

    #[test]
    fn counters_are_osquerys() {
        let query = PackQuery::new("q", "SELECT 1");
        let first = settle(&QueryState::default(), &[], &query, &rows("a b"), 5);
        assert_eq!((first.state.counter, first.state.epoch), (0, 5));
        assert_eq!(first.difference.expect("a first result").added, rows("a b"));
        let same = settle(&first.state, &rows("a b"), &query, &rows("b a"), 5);
        assert_eq!((same.state.counter, same.difference), (0, None));
        let next = settle(&same.state, &rows("b a"), &query, &rows("a c"), 5);
        assert_eq!(next.state.counter, 1);
        assert_eq!(next.difference.expect("changed"), Difference { removed: rows("b"), added: rows("c") });
        // A changed epoch, or changed SQL, begins anew.
        let epoch = settle(&next.state, &rows("a c"), &query, &rows("a c"), 6);
        assert_eq!((epoch.state.counter, epoch.difference.expect("all rows").added), (0, rows("a c")));
        let rewritten = PackQuery::new("q", "SELECT 2");
        assert_eq!(settle(&next.state, &rows("a c"), &rewritten, &rows("a c"), 5).state.counter, 0);
        // Without removed rows there is nothing to say when rows only go.
        let quiet = PackQuery { removed: false, ..query };
        let gone = settle(&next.state, &rows("a c"), &quiet, &rows("a"), 5);
        assert_eq!((gone.state.counter, gone.difference), (1, None));
    }
}
