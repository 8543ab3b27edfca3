//! Output formats.

use std::fmt;
use std::str::FromStr;

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A table with borders, for people.
    #[default]
    Table,
    /// One array of objects.
    Json,
    /// One object per line.
    Ndjson,
    /// Comma-separated values under a header line.
    Csv,
    /// Values separated by `|` under a header line.
    List,
    /// One column per line; an empty line between rows.
    Line,
    /// A Markdown table.
    Markdown,
}

/// A name that is not a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{0}`; use one of {names}", names = Format::ALL.map(Format::name).join(", "))]
pub struct UnknownFormat(String);

impl Format {
    /// All formats.
    pub const ALL: [Format; 7] =
        [Format::Table, Format::Json, Format::Ndjson, Format::Csv, Format::List, Format::Line, Format::Markdown];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
            Format::List => "list",
            Format::Line => "line",
            Format::Markdown => "markdown",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        // Modes of sqlite3 and osqueryi.
        let own = match name {
            "box" | "column" | "columns" | "pretty" => Format::Table.name(),
            "lines" => Format::Line.name(),
            "jsonl" | "jsonlines" => Format::Ndjson.name(),
            name => name,
        };
        Format::ALL.into_iter().find(|format| format.name() == own).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_other_shells_have_their_meaning() {
        for (name, format) in [("pretty", Format::Table), ("column", Format::Table), ("csv", Format::Csv)] {
            assert_eq!(name.parse(), Ok(format));
        }
        assert!("xml".parse::<Format>().is_err_and(|error| error.to_string().contains("`xml`; use one of table")));
    }
}
