//! Query packs: load, run, schedule, compare, log.
//!
//! A [`Pack`] is read from osquery's format or from our own. [`run()`] runs one of its queries. The rest is plain
//! functions for a daemon: when a query is due ([`schedule`]), what changed in its result ([`Difference`]), how to
//! write that ([`log`]), and the state kept across restarts ([`State`]).

mod differ;
mod error;
pub mod json;
mod locate;
pub mod log;
mod native;
mod osquery;
mod pack;
mod platform;
mod run;
pub mod schedule;
mod schedule_tables;
mod state;
mod unread;

pub use differ::Difference;
pub use error::{PackError, Result};
pub use pack::{DEFAULT_INTERVAL, Pack, PackQuery};
pub use platform::{OSQUERY_VERSION, PLATFORM, in_shard};
pub use run::{Report, Status, discover, is_event_table, run};
pub use schedule_tables::{NOT_IN_USE, ScheduleEntry, ScheduleTable};
pub use state::{QueryState, State};
pub use unread::Unread;
