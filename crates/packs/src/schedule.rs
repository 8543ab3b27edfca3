//! When a query runs, and how its result is compared.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::{Rng, RngExt};

use crate::differ::Difference;
use crate::pack::PackQuery;
use crate::state::QueryState;
use crate::unread::Unread;

/// A scheduled query with its full name.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheduled {
    /// `pack_<pack>_<query>` for a query of a pack, its own name otherwise and in the pack `main`.
    pub name: String,
    /// The query.
    pub query: PackQuery,
    /// Its pack; `None` for a query of the configuration itself.
    pub pack: Option<String>,
    /// Where it is defined, for messages.
    pub place: String,
}

/// The pack whose queries have no prefix. osquery's own schedule is a pack with this name.
const MAIN_PACK: &str = "main";

/// The name under which a pack's query is scheduled and logged.
pub fn scheduled_name(pack: &str, query: &str) -> String {
    if pack == MAIN_PACK { query.to_owned() } else { format!("pack_{pack}_{query}") }
}

/// An interval varied at random by up to `percent`; whole seconds, at least one.
fn splayed(interval: Duration, percent: u32, random: &mut impl Rng) -> Duration {
    let seconds = interval.as_secs().max(1);
    let reach = seconds * u64::from(percent.min(100)) / 100;
    Duration::from_secs(random.random_range(seconds - reach.min(seconds - 1)..=seconds + reach))
}

/// State of a query when the schedule starts. A new interval is chosen only if the configured one changed.
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

/// The Unix second at which a query runs next. One run makes up for all missed runs.
pub fn next_run(state: &QueryState, now: u64) -> u64 {
    match state.last_run {
        // If the clock was set back, the query must not wait long.
        Some(last) if last <= now => (last + state.splayed.max(1)).max(now),
        Some(_) => now + state.splayed.max(1),
        None => now,
    }
}

/// The rows of a run.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// All rows.
    pub rows: &'a [String],
    /// Whether the query reads a table of events. Each run then returns new rows, and nothing is compared.
    pub are_events: bool,
    /// Slices that were not read completely.
    pub unread: &'a Unread,
    /// Volatile columns.
    pub volatile: &'a BTreeSet<String>,
}

/// A result after comparison with the previous one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The state to store.
    pub state: QueryState,
    /// The rows to compare the next result with.
    pub rows: Vec<String>,
    /// The lines to log; `None` if there is nothing to log.
    pub difference: Option<Difference>,
    /// Number of rows that were not compared, because their slice was not read completely.
    pub held: usize,
}

/// Compares a result with the previous one.
///
/// For a new query or a changed epoch it is a first result: all its rows are added, and its counter is 0. After that,
/// the counter grows with each result that differs, whether or not its rows are logged. Changed SQL is compared like
/// any other. Rows of slices that were not read completely stay as they were.
pub fn settle(state: &QueryState, previous: &[String], query: &PackQuery, result: Rows<'_>, epoch: u64) -> Settled {
    let first = !state.has_result || state.epoch != epoch;
    // Each event is returned once, so none is held back.
    let is_held = |row: &&String| !result.are_events && result.unread.holds(row);
    let (new_held, new): (Vec<&String>, Vec<&String>) = result.rows.iter().partition(is_held);
    let old = if first || result.are_events { &[] } else { previous };
    let (old_held, old): (Vec<&String>, Vec<&String>) = old.iter().partition(is_held);
    let none = BTreeSet::new();
    let ignored = if query.ignore_volatile { result.volatile } else { &none };
    let mut difference = Difference::ignoring(ignored, &old, &new);
    let held = new_held.len().max(old_held.len());
    if first && !result.unread.is_empty() && new.is_empty() {
        // Nothing could be read, so the first result is still to come.
        return Settled { state: state.clone(), rows: previous.to_vec(), difference: None, held };
    }
    let before = if first { 0 } else { state.counter };
    let counter = before + u64::from(!difference.is_empty() && (!first || result.are_events));
    let rows = match result.are_events {
        true => Vec::new(),
        false => old_held.into_iter().chain(new).cloned().collect(),
    };
    if !query.removed {
        difference.removed.clear();
    }
    Settled {
        state: QueryState { epoch, counter, has_result: true, ..state.clone() },
        rows,
        difference: (!difference.is_empty()).then_some(difference),
        held,
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

    /// Settles a complete result, and returns what was logged with its counter.
    fn run(
        state: &mut QueryState,
        kept: &mut Vec<String>,
        query: &PackQuery,
        result: &str,
        epoch: u64,
    ) -> (u64, String) {
        let unread = Unread::default();
        let result = rows(result);
        let settled = settle(
            state,
            kept,
            query,
            Rows { rows: &result, are_events: false, unread: &unread, volatile: &BTreeSet::new() },
            epoch,
        );
        (*state, *kept) = (settled.state, settled.rows);
        let logged = settled.difference.unwrap_or_default();
        (state.counter, format!("-{} +{}", logged.removed.join(" "), logged.added.join(" ")))
    }

    #[test]
    fn counters_are_osquerys() {
        let (mut state, mut kept) = (QueryState::default(), Vec::new());
        let query = PackQuery::new("q", "SELECT 1");
        let quiet = PackQuery { removed: false, ..query.clone() };
        let rewritten = PackQuery::new("q", "SELECT 2");
        for (step, query, result, epoch, counter, logged) in [
            ("a first result", &query, "a b", 5, 0, "- +a b"),
            ("the same rows in another order", &query, "b a", 5, 0, "- +"),
            ("a change", &query, "a c", 5, 1, "-b +c"),
            ("other SQL with the same rows", &rewritten, "a c", 5, 1, "- +"),
            ("other SQL with other rows", &query, "a d", 5, 2, "-c +d"),
            ("a removal that is hidden counts", &quiet, "a", 5, 3, "- +"),
            ("what was removed is forgotten", &quiet, "a d", 5, 4, "- +d"),
            ("the same rows in another epoch", &query, "a d", 6, 0, "- +a d"),
            ("another epoch without rows", &query, "", 7, 0, "- +"),
            ("then a row", &query, "a", 7, 1, "- +a"),
        ] {
            assert_eq!(run(&mut state, &mut kept, query, result, epoch), (counter, logged.to_owned()), "{step}");
        }
    }

    #[test]
    fn what_changes_without_meaning_is_ignored_on_request() {
        let (unread, volatile) = (Unread::default(), BTreeSet::from(["time".to_owned()]));
        let row = |time: i64| vec![format!(r#"{{"pid":"1","time":"{time}"}}"#)];
        let state = QueryState { has_result: true, ..QueryState::default() };
        let query = PackQuery::new("q", "SELECT pid, user_time AS time FROM processes");
        let quiet = PackQuery { ignore_volatile: true, ..query.clone() };
        for (query, counter, differs) in [(query, 1, true), (quiet, 0, false)] {
            let result = row(6);
            let result = Rows { rows: &result, are_events: false, unread: &unread, volatile: &volatile };
            let settled = settle(&state, &row(5), &query, result, 0);
            assert_eq!((settled.state.counter, settled.difference.is_some()), (counter, differs));
            assert_eq!(settled.rows, row(6), "the next result is compared with the newest rows");
        }
    }

    #[test]
    fn events_are_not_compared_and_count_from_1() {
        let unread = Unread::default();
        let query = PackQuery::new("q", "SELECT 1 FROM process_events");
        let mut state = QueryState::default();
        for (result, epoch, counter, added) in
            [("", 1, 0, ""), ("a", 1, 1, "a"), ("a", 1, 2, "a"), ("", 1, 2, ""), ("a a", 2, 1, "a a")]
        {
            let result = rows(result);
            let result = Rows { rows: &result, are_events: true, unread: &unread, volatile: &BTreeSet::new() };
            let settled = settle(&state, &[], &query, result, epoch);
            assert_eq!((settled.state.counter, settled.rows.len()), (counter, 0));
            let logged = settled.difference.unwrap_or_default();
            assert_eq!((logged.removed, logged.added), (Vec::new(), rows(added)));
            state = settled.state;
        }
    }

    /// If a slice of a table, cluster `b`, cannot be read, its rows are neither removed nor added.
    #[test]
    fn rows_of_what_was_not_read_stay_as_they_were() {
        let row = |cluster: &str, name: &str| format!(r#"{{"cluster":"{cluster}","name":"{name}"}}"#);
        let query = PackQuery::new("q", "SELECT cluster, name FROM kubernetes_pods");
        let (all, b) = (Unread::default(), Unread::of_slice(&[("cluster", "b")]));
        let mut state = QueryState::default();
        let mut kept = Vec::new();
        for (step, unread, result, counter, removed, added) in [
            ("both", &all, vec![row("a", "1"), row("b", "1")], 0, vec![], vec![row("a", "1"), row("b", "1")]),
            ("b is gone", &b, vec![row("a", "1")], 0, vec![], vec![]),
            ("b is gone, a changes", &b, vec![row("a", "2")], 1, vec![row("a", "1")], vec![row("a", "2")]),
            ("b is partial", &b, vec![row("a", "2"), row("b", "9")], 1, vec![], vec![]),
            ("a row without a cluster may belong to b", &b, vec![row("a", "2"), row("", "x")], 1, vec![], vec![]),
            ("b is back", &all, vec![row("a", "2"), row("b", "1")], 1, vec![], vec![]),
            ("b has changed", &all, vec![row("a", "2"), row("b", "2")], 2, vec![row("b", "1")], vec![row("b", "2")]),
        ] {
            let result = Rows { rows: &result, are_events: false, unread, volatile: &BTreeSet::new() };
            let settled = settle(&state, &kept, &query, result, 0);
            assert_eq!(settled.state.counter, counter, "{step}");
            assert_eq!(settled.difference.unwrap_or_default(), Difference { removed, added }, "{step}");
            (state, kept) = (settled.state, settled.rows);
        }
        assert_eq!(kept, [row("a", "2"), row("b", "2")]);
    }

    #[test]
    fn rows_that_cannot_be_told_apart_all_stay() {
        let query = PackQuery::new("q", "SELECT count(*) AS n FROM kubernetes_pods");
        let some = Unread::of_slice(&[]);
        let state = QueryState { has_result: true, counter: 3, ..QueryState::default() };
        let (kept, result) = (rows(r#"{"n":"5"}"#), rows(r#"{"n":"2"}"#));
        let result = Rows { rows: &result, are_events: false, unread: &some, volatile: &BTreeSet::new() };
        let settled = settle(&state, &kept, &query, result, 0);
        assert_eq!((settled.difference, settled.state, settled.rows, settled.held), (None, state, kept, 1));
        // Until a read succeeds, there is no first result to compare with.
        let settled = settle(&QueryState::default(), &[], &query, result, 0);
        assert_eq!((settled.difference, settled.state), (None, QueryState::default()));
    }

    #[test]
    fn a_pack_named_main_gives_no_prefix() {
        assert_eq!(scheduled_name("ir", "shells"), "pack_ir_shells");
        assert_eq!(scheduled_name("main", "shells"), "shells");
    }
}
