//! Our own packs: a directory with a `pack.toml` and one `.sql` file per query, each with a comment header.
//!
//! ```sql
//! -- about: Which containers run a shell as root?
//! -- interval: 10m
//! -- tags: containers, execution
//! SELECT ...
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use indago_config::{Period, closest, one_line, read_text};
use serde::Deserialize;
use toml::Spanned;

use crate::error::{PackError, Result};
use crate::pack::{DEFAULT_INTERVAL, Pack, PackQuery, stem};

/// Name of a pack's main file.
pub(crate) const PACK_FILE: &str = "pack.toml";

/// Keys of a query's header.
const HEADER_KEYS: [&str; 11] = [
    "about",
    "interval",
    "tags",
    "snapshot",
    "removed",
    "platform",
    "version",
    "shard",
    "timeout",
    "denylist",
    "ignore_volatile",
];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PackFile {
    name: Option<String>,
    description: Option<String>,
    platform: Option<String>,
    version: Option<String>,
    shard: Option<Spanned<u32>>,
    discovery: Vec<String>,
    interval: Option<Spanned<Period>>,
    /// Names of the queries, in the order to run them. Default: the files, by name.
    queries: Option<Vec<String>>,
}

/// Reads a pack from its directory.
pub(crate) fn load(folder: &Path) -> Result<Pack> {
    let file = folder.join(PACK_FILE);
    let unreadable = |file: &Path, reason: String| PackError::Read { file: file.to_owned(), reason };
    if !file.try_exists().unwrap_or(true) {
        let reason = format!("no {PACK_FILE} in it; a pack is a directory with one, or an osquery `.conf` file");
        return Err(unreadable(folder, reason));
    }
    let text = read_text(&file).map_err(|reason| unreadable(&file, reason))?;
    let wrong = |at: usize, message: String| {
        let before = &text[..text.floor_char_boundary(at)];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[start..].chars().count() + 1);
        PackError::Malformed { file: file.clone(), line, column, message }
    };
    let about: PackFile = toml::from_str(&text)
        .map_err(|error| wrong(error.span().map_or(0, |span| span.start), one_line(error.message())))?;
    if let Some(interval) = about.interval.as_ref().filter(|interval| interval.get_ref().0.as_secs() == 0) {
        return Err(wrong(interval.span().start, "`interval`: must be at least `1s`".into()));
    }
    if let Some(shard) = about.shard.as_ref().filter(|shard| !(1..=100).contains(shard.get_ref())) {
        return Err(wrong(shard.span().start, "`shard`: must be 1 to 100 percent of hosts".into()));
    }
    let files = match &about.queries {
        Some(names) => names.iter().map(|name| folder.join(format!("{name}.sql"))).collect(),
        None => sql_files(folder)?,
    };
    if files.is_empty() {
        return Err(unreadable(folder, "no `.sql` file in it".into()));
    }
    let interval = about.interval.map_or(DEFAULT_INTERVAL, |interval| interval.into_inner().0);
    let queries = files.iter().map(|file| query(file, interval)).collect::<Result<_>>()?;
    Ok(Pack {
        name: about.name.unwrap_or_else(|| stem(folder)),
        path: folder.to_owned(),
        description: about.description,
        platform: about.platform,
        version: about.version,
        shard: about.shard.map(Spanned::into_inner),
        discovery: about.discovery,
        queries,
    })
}

/// Reads one `.sql` file as a pack with one query.
pub(crate) fn load_query(file: &Path) -> Result<Pack> {
    let query = query(file, DEFAULT_INTERVAL)?;
    Ok(Pack { name: query.name.clone(), path: file.to_owned(), queries: vec![query], ..Pack::default() })
}

fn sql_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error: std::io::Error| PackError::Read { file: folder.to_owned(), reason: error.to_string() };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn query(file: &Path, interval: Duration) -> Result<PackQuery> {
    let text = read_text(file).map_err(|reason| PackError::Read { file: file.to_owned(), reason })?;
    parse(&text, file, interval)
}

/// Reads a query with its header.
pub(crate) fn parse(text: &str, file: &Path, interval: Duration) -> Result<PackQuery> {
    let mut query = PackQuery { file: file.to_owned(), interval, ..PackQuery::new(stem(file), text) };
    let wrong = |(line, column): (usize, usize), message: String| PackError::Malformed {
        file: file.to_owned(),
        line,
        column,
        message,
    };
    let mut header: Vec<((usize, usize), String, String)> = Vec::new();
    let mut first = 1;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let Some(comment) = line.trim().strip_prefix("--") else {
            if line.trim().is_empty() {
                continue;
            }
            first = number;
            break;
        };
        match comment.split_once(':') {
            Some((key, value)) if is_key(key.trim()) => {
                let key = key.trim();
                let place = (number, line.find(key).map_or(1, |start| line[..start].chars().count() + 1));
                if !HEADER_KEYS.contains(&key) {
                    let hint = closest(key, HEADER_KEYS).map(|key| format!("; did you mean `{key}`?"));
                    let hint = hint.unwrap_or_else(|| format!("; known are {}", HEADER_KEYS.join(", ")));
                    return Err(wrong(place, format!("unknown key `{key}` in the header{hint}")));
                }
                if header.iter().any(|(_, known, _)| known == key) {
                    return Err(wrong(place, format!("duplicate key `{key}` in the header; remove one of them")));
                }
                header.push((place, key.to_owned(), value.trim().to_owned()));
            }
            // A line without a key continues the previous one.
            _ => {
                if let Some((_, _, value)) = header.last_mut() {
                    *value = format!("{value} {}", comment.trim()).trim().to_owned();
                }
            }
        }
    }
    if text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with("--")) {
        let message = "no SQL under the header; write the query below the comment lines".into();
        return Err(wrong((text.lines().count().max(1), 1), message));
    }
    query.line = first;
    query.header = text.split_inclusive('\n').take(first - 1).map(str::len).sum();
    for (place, key, value) in header {
        let wrong = |message: String| wrong(place, format!("`{key}`: {message}"));
        let flag = || value.parse::<bool>().map_err(|_| wrong(format!("`{value}` is neither `true` nor `false`")));
        let period = || value.parse::<Period>().map(|period| period.0).map_err(|error| wrong(error.to_string()));
        match key.as_str() {
            "about" => query.description = Some(value),
            "interval" => query.interval = period()?,
            "timeout" => query.timeout = Some(period()?),
            "tags" => {
                query.tags = value.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
            }
            "snapshot" => query.snapshot = flag()?,
            "removed" => query.removed = flag()?,
            "denylist" => query.denylist = flag()?,
            "ignore_volatile" => query.ignore_volatile = flag()?,
            "platform" => query.platform = Some(value),
            "version" => query.version = Some(value),
            "shard" => {
                let percent = value.parse().ok().filter(|percent| (1..=100).contains(percent));
                query.shard = Some(percent.ok_or_else(|| wrong("must be 1 to 100 percent of hosts".into()))?);
            }
            key => unreachable!("{key} is among the known keys"),
        }
        if key == "interval" && query.interval.as_secs() == 0 {
            return Err(wrong("must be at least `1s`".into()));
        }
    }
    Ok(query)
}

fn is_key(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<PackQuery> {
        parse(text, Path::new("shells.sql"), DEFAULT_INTERVAL)
    }

    #[test]
    fn a_query_under_its_header() {
        let query = parsed(
            "-- about: Which shells run\n--   as root?\n-- interval: 10m\n-- tags: a, b\n-- snapshot: true\n\nSELECT 1;\n-- tail: x\n",
        )
        .expect("valid");
        assert_eq!(query.name, "shells");
        assert_eq!(query.description.as_deref(), Some("Which shells run as root?"));
        assert_eq!(query.interval.as_secs(), 600);
        assert_eq!(query.tags, ["a", "b"]);
        assert!(query.snapshot && query.removed);
        assert_eq!(query.line, 7);
        assert_eq!(query.statement(), "SELECT 1;\n-- tail: x");
        assert_eq!(parsed("-- interval: 3600\nSELECT 1").expect("osquery's way").interval.as_secs(), 3600);
    }

    #[test]
    fn errors_say_where() {
        let cases = [
            "",
            "-- about: nothing\n",
            "-- about: x\n-- intervall: 1m\nSELECT 1",
            "-- about: x\n-- colour: red\nSELECT 1",
            "-- interval: often\nSELECT 1",
            "-- interval: 0s\nSELECT 1",
            "-- snapshot: yes\nSELECT 1",
            "-- shard: 0\nSELECT 1",
            "-- about: x\n-- about: y\nSELECT 1",
        ];
        let text: String =
            cases.iter().map(|case| format!("{case:?}\n  {}\n", parsed(case).expect_err(case))).collect();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        assert!(Pack::load(folder.path()).expect_err("no pack.toml").to_string().contains("no pack.toml in it"));
        write("pack.toml", "description = \"Shells.\"\ninterval = \"5m\"\n");
        assert!(Pack::load(folder.path()).expect_err("no queries").to_string().contains("no `.sql` file"));
        write("b.sql", "SELECT 2");
        write("a.sql", "-- interval: 1m\nSELECT 1");
        let pack = Pack::load(folder.path()).expect("valid");
        let names: Vec<_> = pack.queries.iter().map(|query| (query.name.as_str(), query.interval.as_secs())).collect();
        assert_eq!(names, [("a", 60), ("b", 300)]);
        assert_eq!(Pack::load(&folder.path().join("pack.toml")).expect("valid").queries.len(), 2);
        write("pack.toml", "queries = [\"b\", \"a\"]\n");
        assert_eq!(Pack::load(folder.path()).expect("valid").queries[0].name, "b");
        write("pack.toml", "\ncolour = 1\n");
        let error = Pack::load(folder.path()).expect_err("unknown key").to_string();
        assert!(error.contains("pack.toml:2:1: unknown field `colour`, expected one of `name`"), "{error}");
        for (text, expected) in [
            ("version = \"1\"\nshard = \"x\"\n", "pack.toml:2:9: "),
            ("shard = 101\n", "pack.toml:1:9: `shard`: must be 1 to 100 percent of hosts"),
            ("interval = \"0s\"\n", "pack.toml:1:12: `interval`: must be at least `1s`"),
            ("interval = \"often\"\n", "pack.toml:1:12: `often` is not a duration; write for example"),
            ("name = \"ä\" x\n", "pack.toml:1:12: "),
        ] {
            write("pack.toml", text);
            let error = Pack::load(folder.path()).expect_err(text).to_string();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
        assert_eq!(
            pack.query("c").expect_err("unknown").to_string(),
            format!("the pack {} has no query `c`; did you mean `a`?", pack.name)
        );
    }
}
