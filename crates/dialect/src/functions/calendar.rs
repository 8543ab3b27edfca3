//! SQLite's calendar: time values, modifiers and formats.
//!
//! As in SQLite, a time value is stored as a Julian day, a date, a time of day, or several of these. Each is computed
//! when it is needed, so `date('2023-02-31', 'start of month')` is in February.
//!
//! Own code counts the days, because chrono and jiff refuse two things that SQLite accepts: dates that it carries over to
//! the next month, and years out of range between two modifiers.

use chrono::{Datelike, Offset, TimeZone, Timelike};

use crate::value::{Value, exact_number, is_space};

const DAY: i64 = 86_400_000;
/// Milliseconds from the Julian epoch to 1970-01-01.
const UNIX: i64 = 210_866_760_000_000;
/// The last millisecond of the year 9999.
const LAST: i64 = 464_269_060_799_999;
/// Within these limits (1970 to the start of 2038), SQLite uses the C library's local time.
const LOCAL: std::ops::RangeInclusive<i64> = UNIX..=213_014_145_600_000;

/// Units of a modifier: name, largest amount, milliseconds.
const UNITS: [(&str, f64, f64); 6] = [
    ("second", 4.6427e14, 1000.0),
    ("minute", 7.7379e12, 60_000.0),
    ("hour", 1.2897e11, 3_600_000.0),
    ("day", 5_373_485.0, 86_400_000.0),
    ("month", 176_546.0, 2_592_000_000.0),
    ("year", 14_713.0, 31_536_000_000.0),
];

/// Which clock a time value is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Zone {
    #[default]
    Unknown,
    Utc,
    Local,
}

/// A time value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// Milliseconds since the Julian epoch.
    julian: Option<i64>,
    /// Year, month and day; the day may lie past the end of its month.
    date: Option<(i64, i64, i64)>,
    /// Hour, minute and second.
    clock: Option<(i64, i64, f64)>,
    /// The offset of date and clock from UTC, in minutes.
    ahead: i64,
    /// The number that was given, while it may still be a Julian day or seconds since 1970.
    raw: Option<f64>,
    /// The number of days by which the day was past the end of its month.
    beyond: i64,
    zone: Zone,
    /// Whether fractions of a second were requested.
    fractions: bool,
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

fn days_of_month(year: i64, month: i64) -> i64 {
    days_from_civil(year + month / 12, month % 12 + 1, 1) - days_from_civil(year, month, 1)
}

impl Moment {
    fn at(julian: i64) -> Self {
        Moment { julian: Some(julian), ..Moment::default() }
    }

    /// A number that is a Julian day or seconds since 1970.
    fn of_number(number: f64) -> Self {
        let julian = (0.0..5_373_484.5).contains(&number).then_some((number * 86_400_000.0 + 0.5) as i64);
        Moment { julian, raw: Some(number), ..Moment::default() }
    }

    fn now(micros: i64) -> Self {
        Moment { zone: Zone::Utc, ..Moment::at(micros.div_euclid(1000) + UNIX) }
    }

    /// Computes the Julian day.
    fn julian(&mut self) -> Option<i64> {
        if let Some(julian) = self.julian {
            return Some(julian);
        }
        let (year, month, day) = match (self.date, &mut self.clock) {
            (Some(date), _) => date,
            (None, Some((hour @ 24, ..))) => {
                *hour = 0;
                (2000, 1, 2)
            }
            (None, _) => (2000, 1, 1),
        };
        if !(-4713..=9999).contains(&year) || self.raw.is_some() {
            return None;
        }
        let mut julian = UNIX + (days_from_civil(year, month, 1) + day - 1) * DAY;
        if let Some((hour, minute, second)) = self.clock {
            julian += hour * 3_600_000 + minute * 60_000 + (second * 1000.0 + 0.5) as i64;
            if self.ahead != 0 {
                julian -= self.ahead * 60_000;
                self.forget_parts();
                self.zone = Zone::Utc;
            }
        }
        self.julian = Some(julian);
        self.julian
    }

    /// Computes the date.
    fn date(&mut self) -> Option<(i64, i64, i64)> {
        let date = match (self.date, self.julian) {
            (Some(date), _) => date,
            (None, None) => (2000, 1, 1),
            (None, Some(julian)) if (0..=LAST).contains(&julian) => civil_from_days((julian - UNIX).div_euclid(DAY)),
            (None, Some(_)) => return None,
        };
        self.date = Some(date);
        Some(date)
    }

    /// Computes the time of day.
    fn clock(&mut self) -> Option<(i64, i64, f64)> {
        if self.clock.is_none() {
            let of_day = (self.julian()? - UNIX).rem_euclid(DAY);
            self.clock = Some((of_day / 3_600_000, of_day / 60_000 % 60, (of_day % 60_000) as f64 / 1000.0));
            self.raw = None;
        }
        self.clock
    }

    fn forget_parts(&mut self) {
        (self.date, self.clock, self.ahead) = (None, None, 0);
    }

    /// Moves the time value by milliseconds.
    fn shift(&mut self, millis: i64) -> Option<()> {
        self.julian = Some(self.julian()?.checked_add(millis)?);
        self.forget_parts();
        Some(())
    }

    /// Adds months to the date; a day past the end of the month overflows into the next one.
    fn set_months(&mut self, year: i64, month: i64, day: i64) {
        let (year, month) = (year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1);
        self.date = Some((year, month, day));
        self.beyond = (day - days_of_month(year, month)).max(0);
        self.julian = None;
    }

    /// The same instant in local time. Before 1970 and after 2037, an equivalent year is used in its place.
    fn make_local(&mut self) -> Option<()> {
        let julian = self.julian()?;
        let mut asked = julian;
        let mut years = 0;
        if !LOCAL.contains(&julian) {
            let mut other = *self;
            let (year, month, day) = other.date()?;
            other.clock()?;
            years = 2000 + year % 4 - year;
            (other.date, other.julian) = (Some((year + years, month, day)), None);
            asked = other.julian()?;
        }
        let instant = chrono::DateTime::from_timestamp((asked - UNIX).div_euclid(1000), 0)?.naive_utc();
        let local = instant + chrono::Local.offset_from_utc_datetime(&instant).fix();
        let second = f64::from(local.second()) + (julian % 1000) as f64 * 0.001;
        self.date = Some((i64::from(local.year()) - years, local.month().into(), local.day().into()));
        self.clock = Some((local.hour().into(), local.minute().into(), second));
        (self.julian, self.raw, self.ahead) = (None, None, 0);
        Some(())
    }

    /// The instant at which the local clock shows this time value. As in SQLite, the search takes at most four steps.
    fn make_utc(&mut self) -> Option<()> {
        let wanted = self.julian()?;
        let (mut guess, mut off) = (wanted, 0);
        for _ in 0..4 {
            guess -= off;
            let mut shown = Moment::at(guess);
            shown.make_local()?;
            off = shown.julian()? - wanted;
            if off == 0 {
                break;
            }
        }
        *self = Moment { zone: Zone::Utc, ..Moment::at(guess) };
        Some(())
    }

    /// A time value with its modifiers, as all date functions take them; `None` where SQLite returns NULL.
    pub(crate) fn read(args: &[Value<'_>], now_micros: i64) -> Option<Self> {
        let Some((first, modifiers)) = args.split_first() else { return Some(Self::now(now_micros)) };
        let mut moment = match first {
            Value::Null => return None,
            Value::Int(_) | Value::Real(_) => Self::of_number(first.as_real()?),
            other => Self::parse(&other.as_text()?, now_micros)?,
        };
        for (at, modifier) in modifiers.iter().enumerate() {
            moment.modify(&modifier.as_text()?.to_ascii_lowercase(), at == 0)?;
        }
        let julian = moment.julian()?;
        if modifiers.is_empty() && moment.date.is_some_and(|(_, _, day)| day > 28) {
            moment.date = None;
        }
        (0..=LAST).contains(&julian).then_some(moment)
    }

    /// All written forms of a time value.
    fn parse(text: &str, now_micros: i64) -> Option<Self> {
        let mut moment = Moment::default();
        if moment.read_date(text).is_some() {
            return Some(moment);
        }
        let mut moment = Moment::default();
        if moment.read_clock(text).is_some() {
            return Some(moment);
        }
        if text.eq_ignore_ascii_case("now") {
            return Some(Self::now(now_micros));
        }
        if let Some(number) = exact_number(text) {
            return Some(Self::of_number(number.as_real()?));
        }
        let fractions = matches!(text.to_ascii_lowercase().as_str(), "subsec" | "subsecond");
        fractions.then(|| Moment { fractions, ..Self::now(now_micros) })
    }

    /// `YYYY-MM-DD`, optionally with a time.
    fn read_date(&mut self, text: &str) -> Option<()> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let (year, rest) = digits(text, 4, 0, 9999)?;
        let (mut month, rest) = digits(rest.strip_prefix('-')?, 2, 1, 12)?;
        let (mut day, rest) = digits(rest.strip_prefix('-')?, 2, 1, 31)?;
        let mut year = year;
        let rest = rest.trim_start_matches(|c: char| c == 'T' || is_space(c));
        if self.read_clock(rest).is_some() {
            if let Some((hour @ 24, ..)) = &mut self.clock {
                *hour = 0;
                day += 1;
                if day > days_of_month(year, month) {
                    day -= days_of_month(year, month);
                    (year, month) = (year + month / 12, month % 12 + 1);
                }
            }
        } else if !rest.is_empty() {
            return None;
        } else {
            self.clock = None;
        }
        self.set_months(if negative { -year } else { year }, month, day);
        if self.ahead != 0 {
            self.julian();
        }
        Some(())
    }

    /// `HH:MM`, optionally with seconds, a fraction and a zone.
    fn read_clock(&mut self, text: &str) -> Option<()> {
        let (hour, rest) = digits(text, 2, 0, 24)?;
        let (minute, mut rest) = digits(rest.strip_prefix(':')?, 2, 0, 59)?;
        let (mut second, mut fraction) = (0, 0.0);
        if let Some(after) = rest.strip_prefix(':') {
            (second, rest) = digits(after, 2, 0, 59)?;
            let length = rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
            if rest.starts_with('.') && length > 0 {
                let digits = &rest[1..=length];
                // A fraction that would round to the next second is truncated to milliseconds.
                fraction = format!("0.{digits}").parse::<f64>().ok()?.min(0.999);
                rest = &rest[1 + length..];
            }
        }
        if hour == 24 && (minute != 0 || second != 0 || fraction != 0.0) {
            return None;
        }
        (self.julian, self.raw) = (None, None);
        self.clock = Some((hour, minute, second as f64 + fraction));
        self.read_zone(rest)
    }

    fn read_zone(&mut self, text: &str) -> Option<()> {
        let text = text.trim_start_matches(is_space);
        self.ahead = 0;
        let rest = match text.as_bytes().first() {
            None => return Some(()),
            Some(b'Z' | b'z') => {
                self.zone = Zone::Utc;
                &text[1..]
            }
            Some(sign @ (b'+' | b'-')) => {
                let (hours, rest) = digits(&text[1..], 2, 0, 14)?;
                let (minutes, rest) = digits(rest.strip_prefix(':')?, 2, 0, 59)?;
                let ahead = hours * 60 + minutes;
                self.ahead = if *sign == b'-' { -ahead } else { ahead };
                if ahead == 0 {
                    self.zone = Zone::Utc;
                }
                rest
            }
            Some(_) => return None,
        };
        rest.trim_start_matches(is_space).is_empty().then_some(())
    }

    /// Applies a modifier, which is in lowercase.
    fn modify(&mut self, modifier: &str, is_first: bool) -> Option<()> {
        match modifier {
            "auto" if is_first => {
                let number = self.raw.filter(|_| self.julian.is_none());
                match number.filter(|number| (-210_866_760_000.0..=253_402_300_799.0).contains(number)) {
                    Some(seconds) => self.set_unix(seconds),
                    None if number.is_none() => self.raw = None,
                    None => {}
                }
                return Some(());
            }
            "julianday" if is_first => {
                self.julian?;
                self.raw.take()?;
                return Some(());
            }
            "unixepoch" if is_first => {
                let seconds = self.raw?;
                (-210_866_760_000.0..253_402_300_800.0).contains(&seconds).then(|| self.set_unix(seconds))?;
                return Some(());
            }
            "localtime" => {
                if self.zone != Zone::Local {
                    self.make_local()?;
                }
                self.zone = Zone::Local;
                return Some(());
            }
            "utc" => return if self.zone == Zone::Utc { Some(()) } else { self.make_utc() },
            "subsec" | "subsecond" => {
                self.fractions = true;
                return Some(());
            }
            "ceiling" => {
                self.shift(0)?;
                self.beyond = 0;
                return Some(());
            }
            "floor" => return self.shift(-self.beyond * DAY),
            _ => {}
        }
        if let Some(unit) = modifier.strip_prefix("start of ") {
            return self.start_of(unit);
        }
        if let Some(unit) = modifier.strip_prefix("end of ") {
            return self.end_of(unit);
        }
        if let Some(day) = modifier.strip_prefix("weekday ") {
            return self.move_to_weekday(day);
        }
        match modifier.as_bytes().first() {
            Some(b'+' | b'-' | b'0'..=b'9') => self.move_by(modifier),
            _ => None,
        }
    }

    fn set_unix(&mut self, seconds: f64) {
        self.forget_parts();
        self.raw = None;
        self.julian = Some((seconds * 1000.0 + 210_866_760_000_000.0 + 0.5) as i64);
    }

    /// Whether there is a valid start: not for a number that is neither a Julian day nor marked as seconds.
    fn is_known(&self) -> Option<()> {
        (self.julian.is_some() || self.date.is_some() || self.clock.is_some()).then_some(())
    }

    fn start_of(&mut self, unit: &str) -> Option<()> {
        self.is_known()?;
        let (year, month, day) = self.date()?;
        self.date = Some(match unit {
            "day" => (year, month, day),
            "month" => (year, month, 1),
            "year" => (year, 1, 1),
            _ => return None,
        });
        self.clock = Some((0, 0, 0.0));
        (self.julian, self.raw, self.ahead) = (None, None, 0);
        Some(())
    }

    fn end_of(&mut self, unit: &str) -> Option<()> {
        self.is_known()?;
        let (year, month, _) = self.date()?;
        self.clock = Some((23, 59, 59.999));
        (self.julian, self.raw, self.ahead) = (None, None, 0);
        match unit {
            "day" => {}
            "month" => {
                self.set_months(year, month + 1, 1);
                self.shift(-DAY)?;
            }
            "year" => self.date = Some((year, 12, 31)),
            _ => return None,
        }
        Some(())
    }

    fn move_to_weekday(&mut self, text: &str) -> Option<()> {
        let number = exact_number(text)?.as_real()?;
        if !(-6.0..=6.0).contains(&number) || number.fract() != 0.0 {
            return None;
        }
        self.date()?;
        self.clock()?;
        (self.ahead, self.julian) = (0, None);
        let wanted = number.abs() as i64;
        let mut days = 0;
        let today = (self.julian()? + DAY / 2 * 3) / DAY % 7;
        if today != wanted {
            days = (wanted - today).rem_euclid(7);
            if text.contains('-') {
                days -= 7;
            }
        }
        self.shift(days * DAY)
    }

    /// `+3 days`, `-1.5 hours`, `+01:30`, `+0001-02-03 04:05`.
    fn move_by(&mut self, modifier: &str) -> Option<()> {
        let bytes = modifier.as_bytes();
        let of_year = |end: usize| (end == 5 || end == 6) && digits(&modifier[1..], end - 1, 0, 14_712).is_some();
        let ends = |at: &usize| match bytes[*at] {
            b':' => true,
            b'-' => of_year(*at),
            byte => is_space(char::from(byte)),
        };
        let end = (1..bytes.len()).find(ends).unwrap_or(bytes.len());
        let amount = exact_number(modifier.get(..end)?)?.as_real()?;
        let is_signed = matches!(bytes[0], b'+' | b'-');
        let is_back = bytes[0] == b'-';
        let mut clock = (bytes.get(end) == Some(&b':')).then(|| &modifier[usize::from(is_signed)..]);
        if bytes.get(end) == Some(&b'-') {
            if !is_signed {
                return None;
            }
            let (years, rest) = digits(&modifier[1..], end - 1, 0, 14_712)?;
            let (months, rest) = digits(rest.strip_prefix('-')?, 2, 0, 11)?;
            let (days, rest) = digits(rest.strip_prefix('-')?, 2, 0, 30)?;
            let sign = if is_back { -1 } else { 1 };
            let (year, month, day) = self.date()?;
            self.clock()?;
            self.set_months(year + sign * years, month + sign * months, day);
            let beyond = self.beyond;
            self.shift(sign * days * DAY)?;
            self.beyond = beyond;
            if rest.is_empty() {
                return Some(());
            }
            clock = Some(rest.strip_prefix(is_space)?);
        }
        if let Some(clock) = clock {
            let mut time = Moment::default();
            time.read_clock(clock)?;
            let of_day = (time.julian()? - UNIX).rem_euclid(DAY);
            return self.shift(if is_back { -of_day } else { of_day });
        }
        let unit = modifier[end..].trim_start_matches(is_space);
        if !(3..=10).contains(&unit.len()) {
            return None;
        }
        let unit = unit.strip_suffix('s').unwrap_or(unit);
        let (unit, _, millis) = UNITS.iter().find(|(name, most, _)| *name == unit && amount.abs() < *most)?;
        self.julian()?;
        self.beyond = 0;
        let mut left = amount;
        if matches!(*unit, "month" | "year") {
            let (year, month, day) = self.date()?;
            self.clock()?;
            let whole = amount as i64;
            match *unit {
                "month" => self.set_months(year, month + whole, day),
                _ => self.set_months(year + whole, month, day),
            }
            left -= whole as f64;
        }
        let beyond = self.beyond;
        let rounder = if amount < 0.0 { -0.5 } else { 0.5 };
        self.shift((left * millis + rounder) as i64)?;
        self.beyond = beyond;
        Some(())
    }

    /// Seconds since 1970.
    pub(crate) fn unix_seconds(mut self) -> i64 {
        self.julian().unwrap_or(UNIX) / 1000 - UNIX / 1000
    }

    pub(crate) fn julian_day(mut self) -> f64 {
        self.julian().unwrap_or_default() as f64 / 86_400_000.0
    }

    /// `YYYY-MM-DD`
    pub(crate) fn date_text(mut self) -> Option<String> {
        let (year, month, day) = self.date()?;
        let sign = if year < 0 { "-" } else { "" };
        Some(format!("{sign}{:04}-{month:02}-{day:02}", year.abs()))
    }

    /// `HH:MM:SS`, with a fraction if one was requested.
    pub(crate) fn time_text(mut self) -> Option<String> {
        let (hour, minute, second) = self.clock()?;
        let whole = second as i64;
        Some(if self.fractions {
            let millis = (second * 1000.0 + 0.5) as i64;
            format!("{hour:02}:{minute:02}:{:02}.{:03}", millis / 1000, millis % 1000)
        } else {
            format!("{hour:02}:{minute:02}:{whole:02}")
        })
    }

    /// Days since the start of the year.
    fn day_of_year(mut self) -> Option<i64> {
        let mut start = self;
        let (year, _, _) = start.date()?;
        start.clock()?;
        (start.date, start.julian) = (Some((year, 1, 1)), None);
        Some((self.julian()? - start.julian()? + DAY / 2) / DAY)
    }

    /// 0 is Sunday.
    fn weekday(mut self) -> Option<i64> {
        Some((self.julian()? + DAY / 2 * 3) / DAY % 7)
    }

    /// The Thursday of the same week: its year is the year of the ISO week.
    fn thursday(mut self) -> Option<Self> {
        let since_monday = (self.weekday()? + 6) % 7;
        self.clock()?;
        self.julian = Some(self.julian()? + (3 - since_monday) * DAY);
        self.date = None;
        Some(self)
    }

    /// Formats by strftime; `None` for an unknown conversion.
    pub(crate) fn format(mut self, format: &str) -> Option<String> {
        let (year, month, day) = self.date()?;
        let (hour, minute, second) = self.clock()?;
        let whole = second as i64;
        let twelve = if hour > 12 { hour - 12 } else { hour };
        let twelve = if twelve == 0 { 12 } else { twelve };
        let mut out = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let text = match chars.next()? {
                'd' => format!("{day:02}"),
                'e' => format!("{day:2}"),
                'f' => format!("{second:06.3}"),
                'F' => format!("{year:04}-{month:02}-{day:02}"),
                'G' => format!("{:04}", self.thursday()?.date()?.0),
                'g' => format!("{:02}", self.thursday()?.date()?.0 % 100),
                'V' => format!("{:02}", self.thursday()?.day_of_year()? / 7 + 1),
                'H' => format!("{hour:02}"),
                'I' => format!("{twelve:02}"),
                'j' => format!("{:03}", self.day_of_year()? + 1),
                'J' => crate::value::real_to_text(self.julian_day()).trim_end_matches(".0").to_owned(),
                'k' => format!("{hour:2}"),
                'l' => format!("{twelve:2}"),
                'm' => format!("{month:02}"),
                'M' => format!("{minute:02}"),
                'p' => if hour >= 12 { "PM" } else { "AM" }.to_owned(),
                'P' => if hour >= 12 { "pm" } else { "am" }.to_owned(),
                'R' => format!("{hour:02}:{minute:02}"),
                's' if self.fractions => format!("{:.3}", (self.julian()? - UNIX) as f64 / 1000.0),
                's' => self.unix_seconds().to_string(),
                'S' => format!("{whole:02}"),
                'T' => format!("{hour:02}:{minute:02}:{whole:02}"),
                'u' => if self.weekday()? == 0 { 7 } else { self.weekday()? }.to_string(),
                'U' => format!("{:02}", (self.day_of_year()? + 7 - self.weekday()?) / 7),
                'w' => self.weekday()?.to_string(),
                'W' => format!("{:02}", (self.day_of_year()? + 7 - (self.weekday()? + 6) % 7) / 7),
                'Y' => format!("{year:04}"),
                '%' => "%".to_owned(),
                _ => return None,
            };
            out.push_str(&text);
        }
        Some(out)
    }
}

/// A number of exactly so many digits within its limits, and the remaining text.
fn digits(text: &str, count: usize, least: i64, most: i64) -> Option<(i64, &str)> {
    let part = text.get(..count)?;
    if !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = part.parse().ok()?;
    (least..=most).contains(&number).then_some((number, &text[count..]))
}

/// The difference of two time values as `+YYYY-MM-DD HH:MM:SS.SSS`: complete months forward from the earlier one (back
/// from it if the difference is negative), then the rest.
pub(crate) fn difference(mut later: Moment, mut earlier: Moment) -> Option<String> {
    let is_forward = later.julian()? >= earlier.julian()?;
    let (year, month, _) = later.date()?;
    let (own_year, own_month, day) = earlier.date()?;
    earlier.clock()?;
    let sign = if is_forward { 1 } else { -1 };
    let mut months = sign * ((year - own_year) * 12 + month - own_month);
    let left = loop {
        earlier.set_months(own_year, own_month + sign * months, day);
        let left = sign * (later.julian()? - earlier.julian()?);
        if left >= 0 {
            break left;
        }
        months -= 1;
    };
    let (days, of_day) = (left / DAY, left % DAY);
    Some(format!(
        "{}{:04}-{:02}-{days:02} {:02}:{:02}:{:02}.{:03}",
        if is_forward { '+' } else { '-' },
        months / 12,
        months % 12,
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1000 % 60,
        of_day % 1000
    ))
}
