//! `osquery_events`: two rows per event table.

use indago_table::Table as _;
use indago_table::prelude::*;

use super::Itself;

/// Event tables of this engine, in osquery's form: the source of the events as a publisher, and the table as a
/// subscriber.
#[derive(Debug, Default, Table)]
#[table(name = "osquery_events", env = Itself, rows = 10, identity(name, r#type))]
#[example(
    "Event tables that receive nothing.",
    "SELECT name FROM osquery_events WHERE type = 'publisher' AND active = 0"
)]
pub(crate) struct OsqueryEvents {
    /// Name of the table.
    name: String,
    /// Name of the source: that of the table.
    publisher: String,
    /// `publisher` or `subscriber`.
    r#type: String,
    /// Number of consumers: scheduled queries that read each event once.
    subscriptions: i64,
    /// Number of events since the start of the engine.
    #[column(volatile)]
    events: i64,
    /// For a publisher, how many times its events were interrupted; 0 for a subscriber.
    refreshes: i64,
    /// For a publisher, 1 if the engine listens to it, else 0. It starts when the table is first read. 1 for a
    /// subscriber.
    active: i64,
}

impl Rows for OsqueryEvents {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let row = |(events, listens): (std::sync::Arc<indago_table::Events>, bool)| {
            let totals = events.totals();
            let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            let of = |kind: &str, refreshes: u64, active: bool| OsqueryEvents {
                name: events.spec().name.to_string(),
                publisher: events.spec().name.to_string(),
                r#type: kind.to_owned(),
                subscriptions: whole(totals.consumers),
                events: whole(totals.events),
                refreshes: whole(refreshes),
                active: active.into(),
            };
            [of("publisher", totals.gaps, listens), of("subscriber", 0, true)]
        };
        Ok(scan.env().events().into_iter().flat_map(row))
    }
}
