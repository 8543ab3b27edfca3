//! Types of values, and how they are written.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// A value that a key can have.
pub(crate) trait Value {
    /// Name of its type on the reference page.
    fn type_name() -> String;
    /// The value in TOML; `None` for a key that is not set.
    fn show(&self) -> Option<String>;
    /// Makes relative paths relative to a folder.
    fn rebase(&mut self, _folder: &Path) {}
}

/// A text that is not a valid value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseValueError(String);

/// A duration, written `30s`, `500ms`, `5m`, `2h`, `1d`, `1h30m`, or as a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Period(pub Duration);

impl Period {
    /// A number of seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A number of milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

/// About three thousand years: sums with a time cannot overflow.
const LONGEST: Duration = Duration::from_secs(100_000_000_000);

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl FromStr for Period {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            ParseValueError(format!("`{text}` is not a duration; write for example `30s`, `500ms`, `5m` or `1h30m`"))
        };
        let trimmed = text.trim();
        // Without a unit it is in seconds, like a number in TOML and osquery's intervals.
        if let Ok(seconds) = trimmed.parse::<u32>() {
            return Ok(Self::seconds(seconds.into()));
        }
        // `M` would be months, which nobody means by it.
        let period = Some(trimmed).filter(|text| !text.contains('M')).map(humantime::parse_duration);
        let period = period.and_then(Result::ok).ok_or_else(wrong)?;
        if period > LONGEST {
            return Err(ParseValueError(format!("`{text}` is too long")));
        }
        Ok(Self(period))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis() as u64;
        let unit = UNITS.iter().rev().find(|(_, size)| millis >= *size && millis.is_multiple_of(*size));
        match unit {
            Some((name, size)) => write!(f, "{}{name}", millis / size),
            None => write!(f, "{millis}ms"),
        }
    }
}

/// A size in bytes, written `512MB`, `1GiB`, or a plain number.
///
/// The crate `bytesize` rounds the sizes that it shows. The reference shows them exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(pub u64);

const SIZES: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

impl FromStr for Size {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            ParseValueError(format!("`{text}` is not a size; write for example `512MB`, `1GiB` or a number of bytes"))
        };
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let number: f64 = trimmed[..digits].parse().map_err(|_| wrong())?;
        let unit = trimmed[digits..].trim();
        let factor = match unit {
            "" | "B" | "b" => 1,
            _ => {
                let long = if unit.len() == 1 { format!("{unit}B") } else { unit.to_owned() };
                SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&long)).ok_or_else(wrong)?.1
            }
        };
        let bytes = number * factor as f64;
        if bytes > i64::MAX as f64 {
            return Err(ParseValueError(format!("`{text}` is too large")));
        }
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, size): &&(&str, u64)| self.0 >= *size && self.0.is_multiple_of(*size);
        match SIZES.iter().filter(fits).max_by_key(|(_, size)| *size) {
            Some((name, size)) => write!(f, "{}{name}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A local address to listen on: `unix:/path`, or a loopback address with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP port that only this machine can reach.
    Loopback(SocketAddr),
}

impl FromStr for Listen {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |what: &str| {
            ParseValueError(format!(
                "`{text}` {what}; write for example `unix:/run/indago/metrics.sock` or `127.0.0.1:9105`"
            ))
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = Path::new(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path.to_owned()))
            } else {
                Err(wrong("is not an absolute path"))
            };
        }
        let address: SocketAddr = text.parse().map_err(|_| wrong("is not an address with a port"))?;
        match address.ip().to_canonical().is_loopback() {
            true if address.port() == 0 => Err(wrong("has no port")),
            true => Ok(Self::Loopback(address)),
            false => Err(wrong("can be reached from other machines, which is not supported")),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
            Listen::Loopback(address) => address.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Value for Listen {
    fn type_name() -> String {
        "address".into()
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

/// A directory, or the URL of an object store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Location(pub String);

impl Location {
    /// A directory.
    pub(crate) fn of(folder: PathBuf) -> Self {
        Location(folder.to_string_lossy().into_owned())
    }

    /// Whether it is a URL.
    pub fn is_url(&self) -> bool {
        self.0.contains("://")
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for Location {
    fn type_name() -> String {
        "path or URL".into()
    }

    fn show(&self) -> Option<String> {
        Some(format!("{:?}", self.0))
    }

    fn rebase(&mut self, folder: &Path) {
        if !self.is_url() {
            let mut path = PathBuf::from(&self.0);
            path.rebase(folder);
            *self = Location::of(path);
        }
    }
}

/// Reads a value from text, or from a plain number with a given meaning.
struct TextOr<T> {
    expected: &'static str,
    number: fn(u64) -> T,
}

impl<T: FromStr<Err = ParseValueError>> Visitor<'_> for TextOr<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        let number = u64::try_from(number).map_err(|_| E::custom(format!("{number} is less than 0")))?;
        Ok((self.number)(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        Ok((self.number)(number))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOr {
            expected: "a duration such as \"30s\", or a number of seconds",
            number: |seconds| Period(Duration::from_secs(seconds.min(1 << 36))),
        })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(TextOr { expected: "a size such as \"512MB\", or a number of bytes", number: Size })
    }
}

impl Value for Period {
    fn type_name() -> String {
        "duration".into()
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

impl Value for Size {
    fn type_name() -> String {
        "size".into()
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

impl Value for String {
    fn type_name() -> String {
        "text".into()
    }

    fn show(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

impl Value for PathBuf {
    fn type_name() -> String {
        "path".into()
    }

    fn show(&self) -> Option<String> {
        Some(format!("{:?}", self.display().to_string()))
    }

    fn rebase(&mut self, folder: &Path) {
        if let Ok(rest) = self.strip_prefix("~")
            && let Ok(home) = etcetera::home_dir()
        {
            *self = home.join(rest);
        } else if self.is_relative() {
            *self = folder.join(&*self);
        }
    }
}

macro_rules! plain {
    ($name:literal: $($type:ty),+) => {$(
        impl Value for $type {
            fn type_name() -> String {
                $name.into()
            }

            fn show(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )+};
}

plain!("boolean": bool);
plain!("integer": u32, u64, usize);
plain!("number": f64);

impl<T: Value> Value for Option<T> {
    fn type_name() -> String {
        T::type_name()
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }

    fn rebase(&mut self, folder: &Path) {
        if let Some(value) = self {
            value.rebase(folder);
        }
    }
}

impl<T: Value> Value for Vec<T> {
    fn type_name() -> String {
        format!("list of {}", T::type_name())
    }

    fn show(&self) -> Option<String> {
        let items: Vec<String> = self.iter().filter_map(T::show).collect();
        Some(format!("[{}]", items.join(", ")))
    }

    fn rebase(&mut self, folder: &Path) {
        for value in self {
            value.rebase(folder);
        }
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    fn type_name() -> String {
        T::type_name()
    }

    fn show(&self) -> Option<String> {
        None
    }

    fn rebase(&mut self, folder: &Path) {
        for value in self.values_mut() {
            value.rebase(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods() {
        for (text, millis, shown) in [
            ("30s", 30_000, "30s"),
            ("500ms", 500, "500ms"),
            ("1h30m", 5_400_000, "90m"),
            ("1h 30m", 5_400_000, "90m"),
            ("1.5s", 1500, "1500ms"),
            ("1d", 86_400_000, "1d"),
            ("0s", 0, "0ms"),
            ("3600", 3_600_000, "1h"),
            ("2 hours", 7_200_000, "2h"),
        ] {
            let period: Period = text.parse().expect(text);
            assert_eq!(period.0.as_millis(), millis, "{text}");
            assert_eq!(period.to_string(), shown);
        }
        for text in
            ["", "s", "-30", "30 parsecs", "-1s", "1e9s", "1s2", "99999999999d", "99999999999999999999d", "1..2s", "5M"]
        {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_local() {
        for text in
            ["unix:/run/indago/metrics.sock", "127.0.0.1:9105", "127.8.8.8:1", "[::1]:9105", "[::ffff:127.0.0.1]:80"]
        {
            assert_eq!(text.parse::<Listen>().expect(text).to_string(), text);
        }
        for text in ["", "9105", "unix:", "unix:metrics.sock", "127.0.0.1", "127.0.0.1:0", "localhost:9105"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
        for text in ["0.0.0.0:9105", "[::]:9105", "192.168.0.1:9105", "[::ffff:10.0.0.1]:80"] {
            let error = text.parse::<Listen>().expect_err(text).to_string();
            assert!(error.contains("can be reached from other machines"), "{error}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes, shown) in [
            ("512MB", 512_000_000, "512MB"),
            ("512mb", 512_000_000, "512MB"),
            ("1GiB", 1 << 30, "1GiB"),
            ("2G", 2_000_000_000, "2GB"),
            ("100", 100, "100"),
            ("1.5 GB", 1_500_000_000, "1500MB"),
            ("64 KiB", 65_536, "64KiB"),
        ] {
            let size: Size = text.parse().expect(text);
            assert_eq!(size.0, bytes, "{text}");
            assert_eq!(size.to_string(), shown);
        }
        for text in ["", "MB", "12 elephants", "-1MB", "99999999999TB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
