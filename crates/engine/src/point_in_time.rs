//! Points in time as users write them: dates, times of day with and without zones, and times before now.

use chrono::{DateTime, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::compute::kernels::cast_utils::parse_interval_month_day_nano;
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use datafusion::common::ScalarValue;
use indago_table::Timestamp;

use crate::diagnostic::{Code, Error, Result};

const HELP: &str = "write '2026-11-01', '2026-11-01 03:00', '2026-11-01T03:00:00Z', '2026-11-01 03:00 Europe/Berlin', or \
                    a time before now, such as '-2 hours'";

/// The point in time that a text names: `2026-11-01`, `2026-11-01 03:00`, `2026-11-01T03:00:00.5+02:00`,
/// `2026-11-01 03:00 Europe/Berlin`, or relative to now: `-2 hours`, `-1 day -30 minutes`. Without a zone it is UTC.
pub fn point_in_time(text: &str, now: Timestamp) -> Result<Timestamp> {
    let text = text.trim();
    let read = if text.starts_with(['-', '+']) { relative(text, now) } else { absolute(text) };
    let time =
        read.map_err(|why| Error::new(Code::Plan, format!("'{text}' is not a point in time: {why}")).with_help(HELP))?;
    not_after(time, now)
}

/// Refuses a time in the future: nothing of it is recorded.
pub(crate) fn not_after(time: Timestamp, now: Timestamp) -> Result<Timestamp> {
    if time > now {
        let error = Error::new(Code::Plan, format!("{time} is in the future"));
        return Err(error.with_help("use a timestamp in the past"));
    }
    Ok(time)
}

/// The point in time that a constant of a query names. Numbers are seconds since 1970, as in osquery.
pub(crate) fn of_scalar(value: &ScalarValue, now: Timestamp) -> Result<Timestamp> {
    let refused = || {
        Error::new(Code::Plan, format!("{value} is not a point in time: it has the type {}", value.data_type()))
            .with_help(HELP)
    };
    if value.is_null() {
        return Err(Error::new(Code::Plan, "NULL is not a point in time").with_help(HELP));
    }
    if let Some(Some(text)) = value.try_as_str() {
        return point_in_time(text, now);
    }
    let micros = match value.data_type() {
        kind if kind.is_integer() => match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(seconds))) => seconds.checked_mul(1_000_000),
            _ => None,
        },
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            match value.cast_to(&utc) {
                Ok(ScalarValue::TimestampMicrosecond(micros, _)) => micros,
                _ => None,
            }
        }
        _ => None,
    };
    not_after(micros.map(Timestamp).ok_or_else(refused)?, now)
}

fn relative(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    // A number without a unit would be months.
    let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    let interval = parse_interval_month_day_nano(text.trim_start_matches('+')).ok().filter(|_| has_unit);
    let interval = interval.ok_or_else(|| "it is not an interval such as -2 hours".to_owned())?;
    let IntervalMonthDayNano { months, days, nanoseconds } = interval;
    let then = DateTime::from_timestamp_micros(now.0).and_then(|now| {
        let size = Months::new(months.unsigned_abs());
        let then = if months < 0 { now.checked_sub_months(size) } else { now.checked_add_months(size) }?;
        let size = Days::new(u64::from(days.unsigned_abs()));
        let then = if days < 0 { then.checked_sub_days(size) } else { then.checked_add_days(size) }?;
        then.checked_add_signed(TimeDelta::nanoseconds(nanoseconds))
    });
    then.map(|then| Timestamp(then.timestamp_micros())).ok_or_else(|| "it is too far from now".to_owned())
}

fn absolute(text: &str) -> Result<Timestamp, String> {
    let unknown = || "it is neither a date nor a date with a time".to_owned();
    let (date, rest) = text.split_at_checked("0000-00-00".len()).ok_or_else(unknown)?;
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").map_err(|_| unknown())?;
    let rest = match rest.strip_prefix(['T', 't', ' ']) {
        Some(rest) => rest.trim_start(),
        None if rest.is_empty() => return Ok(micros(date.and_time(NaiveTime::MIN).and_utc())),
        None => return Err(unknown()),
    };
    let is_time = |character: char| character.is_ascii_digit() || matches!(character, ':' | '.');
    let (time, zone) = rest.split_at(rest.find(|character| !is_time(character)).unwrap_or(rest.len()));
    let formats = ["%H:%M:%S%.f", "%H:%M"];
    let time = formats.iter().find_map(|format| NaiveTime::parse_from_str(time, format).ok()).ok_or_else(unknown)?;
    in_zone(date.and_time(time), zone.trim()).map(micros)
}

fn in_zone(local: NaiveDateTime, zone: &str) -> Result<DateTime<Utc>, String> {
    if matches!(zone, "" | "Z" | "z" | "UTC") {
        return Ok(local.and_utc());
    }
    let known: Tz = zone.parse().map_err(|_| format!("`{zone}` is not a time zone"))?;
    match known.from_local_datetime(&local) {
        chrono::LocalResult::Single(time) => Ok(time.to_utc()),
        chrono::LocalResult::None => Err(format!("{zone} skips that time of day; write an offset, such as +02:00")),
        chrono::LocalResult::Ambiguous(..) => {
            Err(format!("{zone} has that time of day twice; write an offset, such as +02:00"))
        }
    }
}

fn micros(time: DateTime<Utc>) -> Timestamp {
    Timestamp(time.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_points_in_time() {
        let now = absolute("2026-11-30T18:00:00Z").expect("a time");
        for (text, expected) in [
            ("2026-11-01", Ok("2026-11-01T00:00:00Z")),
            (" 2026-11-01 03:00 ", Ok("2026-11-01T03:00:00Z")),
            ("2026-11-01T03:00:01.5Z", Ok("2026-11-01T03:00:01.500Z")),
            ("2026-11-01 03:00:01+02:00", Ok("2026-11-01T01:00:01Z")),
            ("2026-11-01 03:00 -0130", Ok("2026-11-01T04:30:00Z")),
            ("2026-07-01 03:00 Europe/Berlin", Ok("2026-07-01T01:00:00Z")),
            ("2026-11-01 03:00 UTC", Ok("2026-11-01T03:00:00Z")),
            ("-2 hours", Ok("2026-11-30T16:00:00Z")),
            ("-1 month -1 day", Ok("2026-10-29T18:00:00Z")),
            ("-90 minutes", Ok("2026-11-30T16:30:00Z")),
            ("2026-10-25 02:30 Europe/Berlin", Err("twice")),
            ("2026-03-29 02:30 Europe/Berlin", Err("skips")),
            ("2026-11-01 03:00 Nowhere/Land", Err("not a time zone")),
            ("2026-13-01", Err("neither a date")),
            ("2026-11-01x", Err("neither a date")),
            ("2026-11-01 25:00", Err("neither a date")),
            ("yesterday", Err("neither a date")),
            ("ä", Err("neither a date")),
            ("-2 lightyears", Err("not an interval")),
            ("-2", Err("not an interval")),
            ("-1 day 2", Err("not an interval")),
            ("-999999999 years", Err("is not a point in time")),
            ("+2 hours", Err("in the future")),
            ("2027-01-01", Err("in the future")),
        ] {
            match (point_in_time(text, now), expected) {
                (Ok(time), Ok(expected)) => assert_eq!(time.to_string(), expected, "{text}"),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected) && error.help().is_some(), "{text}: {error}");
                }
                (found, _) => panic!("{text}: {found:?}, not {expected:?}"),
            }
        }
    }
}
