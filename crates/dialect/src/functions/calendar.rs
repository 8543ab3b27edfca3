//! SQLite's calendar: time values, modifiers and formats, in milliseconds of the Julian day.

use crate::value::{Value, exact_number, is_space};

const DAY: i64 = 86_400_000;
/// Milliseconds from the Julian epoch to 1970-01-01.
const UNIX: i64 = 210_866_760_000_000;
/// The last moment of the year 9999.
const LAST: i64 = 464_269_060_799_999;

/// A moment, and whether fractions of a second were asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Milliseconds since the Julian epoch.
    pub(crate) millis: i64,
    pub(crate) fractions: bool,
    /// Whether its date is known by year and month, in range or not, as after `start of month`.
    dated: bool,
}

/// A moment in parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) millis: i64,
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted - era * 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn join(parts: Parts) -> i64 {
    // Months beyond the year carry over; days beyond the month run into the next, as in SQLite.
    let year = parts.year + (parts.month - 1).div_euclid(12);
    let month = (parts.month - 1).rem_euclid(12) + 1;
    let days = days_from_civil(year, month, 1) + parts.day - 1;
    UNIX + days * DAY + parts.hour * 3_600_000 + parts.minute * 60_000 + parts.second * 1000 + parts.millis
}

impl Moment {
    fn at(millis: i64) -> Self {
        Moment { millis, fractions: false, dated: false }
    }

    pub(crate) fn parts(self) -> Parts {
        let since = self.millis - UNIX;
        let days = since.div_euclid(DAY);
        let of_day = since.rem_euclid(DAY);
        let (year, month, day) = civil_from_days(days);
        Parts {
            year,
            month,
            day,
            hour: of_day / 3_600_000,
            minute: of_day / 60_000 % 60,
            second: of_day / 1000 % 60,
            millis: of_day % 1000,
        }
    }

    pub(crate) fn unix_seconds(self) -> i64 {
        (self.millis / 1000) - UNIX / 1000
    }

    pub(crate) fn julian_day(self) -> f64 {
        self.millis as f64 / 86_400_000.0
    }

    fn valid(self) -> Option<Self> {
        (0..=LAST).contains(&self.millis).then_some(self)
    }

    pub(crate) fn date(self) -> String {
        let parts = self.parts();
        let year = if parts.year < 0 { format!("-{:04}", -parts.year) } else { format!("{:04}", parts.year) };
        format!("{year}-{:02}-{:02}", parts.month, parts.day)
    }

    pub(crate) fn time(self) -> String {
        let parts = self.parts();
        let whole = format!("{:02}:{:02}:{:02}", parts.hour, parts.minute, parts.second);
        if self.fractions { format!("{whole}.{:03}", parts.millis) } else { whole }
    }

    fn day_of_year(self) -> i64 {
        let parts = self.parts();
        days_from_civil(parts.year, parts.month, parts.day) - days_from_civil(parts.year, 1, 1)
    }

    /// 0 is Sunday.
    fn weekday(self) -> i64 {
        ((self.millis + DAY / 2 * 3) / DAY) % 7
    }

    /// Formats by strftime; `None` for an unknown conversion.
    pub(crate) fn format(self, format: &str) -> Option<String> {
        let parts = self.parts();
        let mut out = String::new();
        let mut chars = format.chars();
        let twelve = |hour: i64| if hour % 12 == 0 { 12 } else { hour % 12 };
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let text = match chars.next()? {
                'd' => format!("{:02}", parts.day),
                'e' => format!("{:2}", parts.day),
                'f' => format!("{:02}.{:03}", parts.second, parts.millis),
                'F' => self.date(),
                'G' | 'g' | 'V' => {
                    // The ISO week belongs to the year of its Thursday.
                    let monday_based = (self.weekday() + 6) % 7;
                    let thursday = Moment { millis: self.millis + (3 - monday_based) * DAY, ..self };
                    let year = thursday.parts().year;
                    match c {
                        _ if format_is(&chars, format, 'V') => format!("{:02}", thursday.day_of_year() / 7 + 1),
                        _ if format_is(&chars, format, 'g') => format!("{:02}", year % 100),
                        _ => format!("{year:04}"),
                    }
                }
                'H' => format!("{:02}", parts.hour),
                'I' => format!("{:02}", twelve(parts.hour)),
                'j' => format!("{:03}", self.day_of_year() + 1),
                'J' => crate::value::real_to_text(self.julian_day()).trim_end_matches(".0").to_owned(),
                'k' => format!("{:2}", parts.hour),
                'l' => format!("{:2}", twelve(parts.hour)),
                'm' => format!("{:02}", parts.month),
                'M' => format!("{:02}", parts.minute),
                'p' => if parts.hour >= 12 { "PM" } else { "AM" }.to_owned(),
                'P' => if parts.hour >= 12 { "pm" } else { "am" }.to_owned(),
                'R' => format!("{:02}:{:02}", parts.hour, parts.minute),
                's' => self.unix_seconds().to_string(),
                'S' => format!("{:02}", parts.second),
                'T' => format!("{:02}:{:02}:{:02}", parts.hour, parts.minute, parts.second),
                'u' => if self.weekday() == 0 { 7 } else { self.weekday() }.to_string(),
                'U' => format!("{:02}", (self.day_of_year() + 7 - self.weekday()) / 7),
                'w' => self.weekday().to_string(),
                'W' => format!("{:02}", (self.day_of_year() + 7 - (self.weekday() + 6) % 7) / 7),
                'Y' => format!("{:04}", parts.year),
                '%' => "%".to_owned(),
                _ => return None,
            };
            out.push_str(&text);
        }
        Some(out)
    }

    /// A time value and its modifiers, as every date function takes them; `None` where SQLite gives NULL.
    pub(crate) fn read(args: &[Value<'_>], now_micros: i64) -> Option<Self> {
        let now = Moment::at(now_micros.div_euclid(1000) + UNIX);
        let Some(first) = args.first() else { return Some(now) };
        let mut raw: Option<f64> = None;
        let mut moment = match first {
            Value::Null => return None,
            Value::Int(_) | Value::Real(_) => {
                let number = first.as_real()?;
                raw = Some(number);
                from_julian(number)
            }
            other => {
                let text = other.as_text()?;
                match parse(&text, now) {
                    Some(moment) => Some(moment),
                    None => {
                        let number = exact_number(&text)?.as_real()?;
                        raw = Some(number);
                        from_julian(number)
                    }
                }
            }
        };
        for (at, modifier) in args[1..].iter().enumerate() {
            let modifier = modifier.as_text()?;
            let lower = modifier.trim_matches(is_space).to_ascii_lowercase();
            match lower.as_str() {
                "unixepoch" if at == 0 => {
                    moment = from_unix(raw?);
                }
                "julianday" if at == 0 => {
                    raw?;
                }
                "auto" if at == 0 => {
                    if let Some(number) = raw
                        && !(0.0..5_373_484.5).contains(&number)
                    {
                        moment = from_unix(number);
                    }
                }
                "unixepoch" | "julianday" | "auto" => return None,
                _ => moment = Some(moment?.modified(&lower)?),
            }
        }
        moment?.valid()
    }

    fn modified(mut self, modifier: &str) -> Option<Self> {
        // What is out of range has no date, but may be moved back into it.
        let has_date = self.dated || self.valid().is_some();
        self.dated = false;
        let moved = modifier.starts_with(['+', '-']) || modifier.starts_with(|c: char| c.is_ascii_digit());
        if !moved && !has_date {
            return None;
        }
        match modifier {
            "localtime" => {
                let parts = chrono::DateTime::from_timestamp_millis(self.millis - UNIX)?.with_timezone(&chrono::Local);
                self.millis += i64::from(parts.offset().local_minus_utc()) * 1000;
                return Some(self);
            }
            "utc" => {
                let naive = chrono::DateTime::from_timestamp_millis(self.millis - UNIX)?.naive_utc();
                let offset = naive.and_local_timezone(chrono::Local).earliest()?.offset().local_minus_utc();
                self.millis -= i64::from(offset) * 1000;
                return Some(self);
            }
            "subsec" | "subsecond" => {
                self.fractions = true;
                return Some(self);
            }
            "ceiling" | "floor" => return Some(self),
            _ => {}
        }
        if let Some(unit) = modifier.strip_prefix("start of ") {
            let mut parts = self.parts();
            (parts.hour, parts.minute, parts.second, parts.millis) = (0, 0, 0, 0);
            match unit.trim() {
                "day" => {}
                "month" => parts.day = 1,
                "year" => (parts.month, parts.day) = (1, 1),
                _ => return None,
            }
            self.millis = join(parts);
            self.dated = true;
            return Some(self);
        }
        if let Some(day) = modifier.strip_prefix("weekday ") {
            let day = exact_number(day)?;
            let Value::Int(day) = day else { return None };
            if !(0..7).contains(&day) {
                return None;
            }
            self.millis += (day - self.weekday()).rem_euclid(7) * DAY;
            return Some(self);
        }
        self.shifted(modifier, has_date)
    }

    /// `+3 days`, `-1.5 hours`, `+01:30`, `+0001-02-03 04:05`.
    fn shifted(mut self, modifier: &str, has_date: bool) -> Option<Self> {
        let first = modifier.chars().next()?;
        if !matches!(first, '+' | '-') && !first.is_ascii_digit() {
            return None;
        }
        let end = modifier[1..]
            .find(|c: char| c == ':' || c == '-' || is_space(c) || c.is_ascii_alphabetic())
            .map(|at| at + 1);
        let (number, rest) = modifier.split_at(end.unwrap_or(modifier.len()));
        let negative = first == '-';
        if rest.starts_with(':') {
            let time = modifier.trim_start_matches(['+', '-']);
            let (hour, minute, second, millis) = parse_clock(time)?;
            let sum = hour * 3_600_000 + minute * 60_000 + second * 1000 + millis;
            self.millis += if negative { -sum } else { sum };
            return Some(self);
        }
        if rest.starts_with('-') {
            if !matches!(first, '+' | '-') {
                return None;
            }
            let (date, time) = match modifier[1..].split_once(' ') {
                Some((date, time)) => (date, Some(time)),
                None => (&modifier[1..], None),
            };
            let mut numbers = date.split('-').map(|part| part.parse::<i64>().ok());
            let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
            if numbers.next().is_some() || month > 11 || day > 30 {
                return None;
            }
            let sign = if negative { -1 } else { 1 };
            let mut parts = has_date.then(|| self.parts())?;
            parts.year += sign * year;
            parts.month += sign * month;
            self.millis = join(parts) + sign * day * DAY;
            if let Some(time) = time {
                let (hour, minute, second, millis) = parse_clock(time)?;
                self.millis += sign * (hour * 3_600_000 + minute * 60_000 + second * 1000 + millis);
            }
            return Some(self);
        }
        let amount: f64 = number.trim_start_matches('+').parse().ok()?;
        let unit = rest.trim_matches(is_space);
        let unit = unit.strip_suffix('s').unwrap_or(unit);
        let rounder = if amount < 0.0 { -0.5 } else { 0.5 };
        let millis_in = match unit {
            "second" => 1000.0,
            "minute" => 60_000.0,
            "hour" => 3_600_000.0,
            "day" => 86_400_000.0,
            "month" | "year" => {
                if amount.abs() > 200_000.0 {
                    return None;
                }
                let whole = amount as i64;
                let mut parts = has_date.then(|| self.parts())?;
                if unit == "month" {
                    parts.month += whole
                } else {
                    parts.year += whole
                }
                self.millis = join(parts);
                let left = amount - whole as f64;
                let day = if unit == "month" { 30.0 } else { 365.0 };
                if left != 0.0 {
                    self.millis += (left * day * 86_400_000.0 + rounder) as i64;
                }
                return self.valid();
            }
            _ => return None,
        };
        let change = amount * millis_in;
        if !change.is_finite() || change.abs() > 1e15 {
            return None;
        }
        self.millis += (change + rounder) as i64;
        Some(self)
    }
}

fn from_julian(number: f64) -> Option<Moment> {
    if !(0.0..5_373_484.5).contains(&number) {
        return None;
    }
    Some(Moment::at((number * 86_400_000.0 + 0.5) as i64))
}

fn from_unix(seconds: f64) -> Option<Moment> {
    if !(-210_866_760_000.0..=253_402_300_799.999).contains(&seconds) {
        return None;
    }
    Some(Moment::at((seconds * 1000.0 + 210_866_760_000_000.0 + 0.5).floor() as i64))
}

/// Whether the conversion just read is `which`.
fn format_is(rest: &std::str::Chars<'_>, format: &str, which: char) -> bool {
    let read = format.len() - rest.as_str().len();
    format[..read].ends_with(which)
}

fn digits(text: &str, count: usize, most: i64) -> Option<(i64, &str)> {
    let part = text.get(..count)?;
    if !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = part.parse().ok()?;
    (number <= most).then_some((number, &text[count..]))
}

/// `HH:MM[:SS[.SSS]]` and nothing else.
fn parse_clock(text: &str) -> Option<(i64, i64, i64, i64)> {
    let (parts, rest) = clock(text)?;
    rest.is_empty().then_some(parts)
}

type Clock = (i64, i64, i64, i64);

fn clock(text: &str) -> Option<(Clock, &str)> {
    let (hour, rest) = digits(text, 2, 24)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2, 59)?;
    let Some(rest) = rest.strip_prefix(':') else { return Some(((hour, minute, 0, 0), rest)) };
    let (second, rest) = digits(rest, 2, 59)?;
    let mut millis = 0;
    let mut rest = rest;
    if let Some(fraction) = rest.strip_prefix('.')
        && fraction.bytes().next().is_some_and(|b| b.is_ascii_digit())
    {
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let value: f64 = format!("0.{}", &fraction[..length]).parse().ok()?;
        millis = ((value * 1000.0 + 0.5) as i64).min(999);
        rest = &fraction[length..];
    }
    Some(((hour, minute, second, millis), rest))
}

/// Every written form of a moment.
fn parse(text: &str, now: Moment) -> Option<Moment> {
    let text = text.trim_end_matches(is_space);
    if text.eq_ignore_ascii_case("now") {
        return Some(now);
    }
    if matches!(text.to_ascii_lowercase().as_str(), "subsec" | "subsecond") {
        return Some(Moment { fractions: true, ..now });
    }
    let mut parts = Parts { year: 2000, month: 1, day: 1, hour: 0, minute: 0, second: 0, millis: 0 };
    let mut rest = text;
    let mut dated = false;
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    if let Some((year, after)) = digits(unsigned, 4, 9999)
        && let Some(after) = after.strip_prefix('-')
    {
        let (month, after) = digits(after, 2, 12)?;
        let (day, after) = digits(after.strip_prefix('-')?, 2, 31)?;
        if month == 0 || day == 0 {
            return None;
        }
        (parts.year, parts.month, parts.day) = (if negative { -year } else { year }, month, day);
        rest = after.strip_prefix('T').unwrap_or(after).trim_start_matches(is_space);
        dated = true;
        if rest.is_empty() {
            return Some(Moment::at(join(parts)));
        }
    }
    if negative && !dated {
        return None;
    }
    let ((hour, minute, second, millis), after) = clock(rest)?;
    (parts.hour, parts.minute, parts.second, parts.millis) = (hour, minute, second, millis);
    let zone = after.trim_matches(is_space);
    let offset = if zone.is_empty() || zone.eq_ignore_ascii_case("z") {
        0
    } else {
        let sign = match zone.as_bytes()[0] {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let (hours, rest) = digits(&zone[1..], 2, 14)?;
        let (minutes, rest) = digits(rest.strip_prefix(':')?, 2, 59)?;
        if !rest.is_empty() {
            return None;
        }
        sign * (hours * 60 + minutes) * 60_000
    };
    Some(Moment::at(join(parts) - offset))
}

/// The difference of two moments as `+YYYY-MM-DD HH:MM:SS.SSS`.
pub(crate) fn difference(later: Moment, earlier: Moment) -> String {
    let (sign, from, to) = if later.millis >= earlier.millis { ('+', earlier, later) } else { ('-', later, earlier) };
    let (a, b) = (from.parts(), to.parts());
    let mut months = (b.year - a.year) * 12 + b.month - a.month;
    let step = |months: i64| {
        // Counted forward from the earlier moment, or back from it when the difference is negative.
        if sign == '+' {
            join(Parts { month: a.month + months, ..a })
        } else {
            join(Parts { month: b.month - months, ..b })
        }
    };
    let left = loop {
        let left = if sign == '+' { to.millis - step(months) } else { step(months) - from.millis };
        if left >= 0 || months == 0 {
            break left.max(0);
        }
        months -= 1;
    };
    let days = left / DAY;
    let of_day = left % DAY;
    format!(
        "{sign}{:04}-{:02}-{days:02} {:02}:{:02}:{:02}.{:03}",
        months / 12,
        months % 12,
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1000 % 60,
        of_day % 1000
    )
}
