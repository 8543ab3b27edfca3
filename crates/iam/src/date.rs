//! Dates of condition values: the W3C profile of ISO 8601, or seconds since 1970.

/// Nanoseconds since 1970. `None` if it is not a date.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    // Four digits are a year, any other number of them seconds.
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty()
        && (digits.len() != 4 || digits.len() != text.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let nanoseconds = nanoseconds(fraction)?;
        let seconds = i128::from(seconds.parse::<i64>().ok()?) * SECOND;
        return Some(if text.starts_with('-') { seconds - nanoseconds } else { seconds + nanoseconds });
    }
    let (date, time) = text.split_once(['T', 't', ' ']).map_or((text, None), |(date, time)| (date, Some(time)));
    let mut parts = date.split('-').map(|part| number(part, if part.len() == 4 { 4 } else { 2 }));
    let (year, month, day) = (parts.next()??, parts.next().unwrap_or(Some(1))?, parts.next().unwrap_or(Some(1))?);
    let is_date = parts.next().is_none() && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_date || date.len() < 4 || (time.is_some() && date.len() != 10) {
        return None;
    }
    let days = days_since_1970(year, month, day);
    Some(i128::from(days) * 86_400 * SECOND + time.map_or(Some(0), time_of_day)?)
}

const SECOND: i128 = 1_000_000_000;

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn nanoseconds(fraction: &str) -> Option<i128> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<9}").get(..9)?.parse().ok()
}

/// Nanoseconds of `hh:mm[:ss[.f]]` with `Z`, an offset, or neither.
fn time_of_day(text: &str) -> Option<i128> {
    let zone = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (time, zone) = text.split_at(zone);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let parts: Vec<i64> = time.split(':').map(|part| number(part, 2)).collect::<Option<_>>()?;
    let (hour, minute, second) = match parts[..] {
        [hour, minute] if fraction.is_empty() => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    if hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let offset = match zone {
        "" | "Z" | "z" => 0,
        _ => {
            let (sign, zone) = zone.split_at(1);
            let (hours, minutes) = zone.split_once(':').or_else(|| zone.split_at_checked(2))?;
            let minutes = number(hours, 2)? * 60 + number(if minutes.is_empty() { "00" } else { minutes }, 2)?;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    let seconds = hour * 3600 + minute * 60 + second - offset * 60;
    Some(i128::from(seconds) * SECOND + nanoseconds(fraction)?)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let days_of_years = before * 365 + before / 4 - before / 100 + before / 400;
    let days_of_months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    days_of_years + days_of_months + day - 1 - 719_162
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn forms() {
        let second = |text| parse(text).map(|time| time / super::SECOND);
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("1970", 0),
            ("2020-04-01T00:00:00Z", 1_585_699_200),
            ("2020-04-01T02:00+02:00", 1_585_699_200),
            ("2020-03-31T19:00:00.5-0500", 1_585_699_200),
            ("1585699200", 1_585_699_200),
            ("2020-04", 1_585_699_200),
            ("2000-02-29", 951_782_400),
            ("-86400", -86_400),
        ] {
            assert_eq!(second(text), Some(seconds), "{text}");
        }
        for text in
            ["", "x", "2021-02-29", "2020-13-01", "2020-04-01T", "2020-04-01Tx", "2020-4-1", "20200401T000000Z", "."]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(parse("2020-04-01T00:00:00.1Z") > parse("2020-04-01T00:00:00Z"));
    }
}
