//! Packs in osquery's own format: JSON with whole-line comments and continued lines.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::error::{PackError, Result};
use crate::locate;
use crate::pack::{LONGEST_INTERVAL, Pack, PackQuery, stem};

/// Keys of a query, and whether Indago uses them.
const QUERY_KEYS: [&str; 13] = [
    "query",
    "interval",
    "snapshot",
    "removed",
    "platform",
    "version",
    "shard",
    "denylist",
    "blacklist",
    "ignore_volatile",
    "description",
    "value",
    "startup_priority",
];

/// The shape of a pack, for error messages.
const PACK_SHAPE: &str = r#"{"queries": {"<name>": {"query": "SELECT ..", "interval": 60}}}"#;

/// Reads a pack.
pub(crate) fn parse(text: &str, file: &Path) -> Result<Pack> {
    let mut source = Source::new(text, file);
    let document: Value = serde_json::from_str(&source.json).map_err(|error| {
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        let advice = match what {
            "trailing comma" => "; remove the comma before the closing bracket",
            what if what.starts_with("EOF ") => "; the file ends early: close open brackets and quotes",
            what if what.contains("control character") => {
                "; write `\\n` for a line break in text, or end the line with `\\`"
            }
            _ => "",
        };
        source.wrong_at(source.offset_of(error.line(), error.column()), format!("not valid JSON: {what}{advice}"))
    })?;
    let Value::Object(document) = &document else {
        return Err(source.wrong(&[], format!("a pack must be a JSON object: {PACK_SHAPE}")));
    };
    // A configuration of osqueryd has its queries in `schedule`.
    if !document.contains_key("queries") && document.contains_key("schedule") {
        source.list = "schedule";
    }
    let list = source.list;
    let Some(queries) = document.get(list) else {
        let hint = match document.contains_key("packs") {
            false => format!("; write {PACK_SHAPE}"),
            true => "; this is a daemon's configuration: use the file of one of its packs".to_owned(),
        };
        return Err(source.wrong(&[], format!("no `queries` in the pack{hint}")));
    };
    let Value::Object(queries) = queries else {
        let message = format!("`{list}` must be an object with queries by name: {PACK_SHAPE}");
        return Err(source.wrong(&[list], message));
    };
    if let Some((name, at)) = locate::repeated(&source.json, &[list]) {
        return Err(source.wrong_at(at, format!("two queries are named `{name}`; rename one")));
    }
    let pack = Pack {
        name: stem(file),
        path: file.to_owned(),
        description: source.text(document.get("description"), &["description"])?,
        platform: source.text(document.get("platform"), &["platform"])?,
        version: source.text(document.get("version"), &["version"])?,
        shard: source.shard(document.get("shard"), &["shard"])?,
        discovery: source.texts(document.get("discovery"), &["discovery"])?,
        queries: queries.iter().map(|(name, query)| source.query(name, query)).collect::<Result<_>>()?,
    };
    Ok(pack)
}

/// The text, and the JSON in it.
struct Source<'a> {
    file: &'a Path,
    json: String,
    /// The key of the object with the queries.
    list: &'static str,
    /// Offset in the JSON of each line of the file.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Removes comment lines and joins lines that end in a backslash.
    fn new(text: &str, file: &'a Path) -> Self {
        let mut json = String::with_capacity(text.len());
        let mut lines = Vec::new();
        let mut joined = false;
        for line in text.lines() {
            let start = line.trim_start();
            let comment = !joined && (start.starts_with("//") || start.starts_with('#'));
            lines.push(json.len());
            let line = if comment { "" } else { line };
            joined = line.ends_with('\\');
            json.push_str(line.strip_suffix('\\').unwrap_or(line));
            if !joined {
                json.push('\n');
            }
        }
        Self { file, json, list: "queries", lines }
    }

    /// The offset of a line and column of the JSON, both from 1.
    fn offset_of(&self, line: usize, column: usize) -> usize {
        let start = self.json.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
        self.json.floor_char_boundary(start + column.saturating_sub(1))
    }

    /// Line and column in the file, from 1, for an offset in the JSON.
    fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let before = self.json.get(start..offset).unwrap_or_default();
        (line, before.trim_end_matches('\n').chars().count() + 1)
    }

    fn wrong_at(&self, offset: usize, message: impl Into<String>) -> PackError {
        let (line, column) = self.place(offset);
        PackError::Malformed { file: self.file.to_owned(), line, column, message: message.into() }
    }

    fn offset(&self, path: &[&str]) -> usize {
        locate::offset(&self.json, path).unwrap_or(0)
    }

    fn wrong(&self, path: &[&str], message: impl Into<String>) -> PackError {
        self.wrong_at(self.offset(path), message)
    }

    fn text(&self, value: Option<&Value>, path: &[&str]) -> Result<Option<String>> {
        match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.wrong(path, format!("`{}` must be text in quotes", path.join(".")))),
        }
    }

    fn texts(&self, value: Option<&Value>, path: &[&str]) -> Result<Vec<String>> {
        let wrong = || self.wrong(path, format!("`{}` must be a list of queries: [\"SELECT ..\"]", path.join(".")));
        match value {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    fn integer(&self, value: Option<&Value>, path: &[&str]) -> Result<Option<u64>> {
        let number = match value {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            // Published packs also write numbers as text.
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        number
            .map(Some)
            .ok_or_else(|| self.wrong(path, format!("`{}` must be a whole number, such as 60", path.join("."))))
    }

    fn shard(&self, value: Option<&Value>, path: &[&str]) -> Result<Option<u32>> {
        match self.integer(value, path)? {
            None => Ok(None),
            // In osquery, 0 means "not set".
            Some(0) => Ok(None),
            Some(percent) if percent <= 100 => Ok(Some(percent as u32)),
            Some(_) => Err(self.wrong(path, format!("`{}` must be 1 to 100 percent of hosts", path.join(".")))),
        }
    }

    fn flag(&self, value: Option<&Value>, path: &[&str]) -> Result<Option<bool>> {
        match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if matches!(text.as_str(), "true" | "1") => Ok(Some(true)),
            Some(Value::String(text)) if matches!(text.as_str(), "false" | "0" | "") => Ok(Some(false)),
            Some(Value::Number(number)) if number.as_u64().is_some_and(|number| number < 2) => {
                Ok(Some(number.as_u64() == Some(1)))
            }
            Some(_) => Err(self.wrong(path, format!("`{}` must be true or false", path.join(".")))),
        }
    }

    fn query(&self, name: &str, value: &Value) -> Result<PackQuery> {
        let at = |key: &'static str| [self.list, name, key].map(str::to_owned);
        let Value::Object(keys) = value else {
            return Err(self.wrong(
                &[self.list, name],
                format!("query `{name}` must be an object: {{\"query\": \"SELECT ..\", \"interval\": 60}}"),
            ));
        };
        let path = |key: &'static str| at(key);
        macro_rules! read {
            ($method:ident, $key:literal) => {{
                let path = path($key);
                self.$method(keys.get($key), &[&path[0], &path[1], &path[2]])?
            }};
        }
        let Some(sql) = read!(text, "query").filter(|sql| !sql.trim().is_empty()) else {
            let known = indago_config::closest(
                "query",
                keys.keys().map(String::as_str).filter(|key| !QUERY_KEYS.contains(key)),
            );
            let hint = known.map(|key| format!("; is `{key}` a slip?")).unwrap_or_default();
            return Err(self.wrong(&[self.list, name], format!("query `{name}` has no SQL: its key is `query`{hint}")));
        };
        let interval = Duration::from_secs(read!(integer, "interval").unwrap_or(3600));
        if interval.is_zero() || interval > LONGEST_INTERVAL {
            let list = self.list;
            let message = format!("`{list}.{name}.interval` must be from 1 to {} seconds", LONGEST_INTERVAL.as_secs());
            return Err(self.wrong(&[list, name, "interval"], message));
        }
        Ok(PackQuery {
            name: name.to_owned(),
            sql,
            file: self.file.to_owned(),
            line: self.place(self.offset(&[self.list, name])).0,
            header: 0,
            description: read!(text, "description"),
            tags: Vec::new(),
            interval,
            snapshot: read!(flag, "snapshot").unwrap_or(false),
            removed: read!(flag, "removed").unwrap_or(true),
            platform: read!(text, "platform"),
            version: read!(text, "version"),
            shard: read!(shard, "shard"),
            timeout: None,
            denylist: read!(flag, "denylist").or(read!(flag, "blacklist")).unwrap_or(true),
            ignore_volatile: read!(flag, "ignore_volatile").unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Pack> {
        super::parse(text, Path::new("some.conf"))
    }

    #[test]
    fn comments_continuations_and_numbers_as_text() {
        let pack = parse(
            r#"// A pack.
{
  # Where it applies.
  "platform": "linux",
  "discovery": ["SELECT 1"],
  "queries": {
    "shells": {
      "query": "SELECT name \
FROM processes \
WHERE path LIKE '%//%';",
      "interval": "60", "removed": false
    },
    "all": {"query": "SELECT 1", "snapshot": true, "shard": 10}
  }
}"#,
        )
        .expect("valid");
        assert_eq!(pack.name, "some");
        assert_eq!(pack.platform.as_deref(), Some("linux"));
        assert_eq!(pack.queries[0].sql, "SELECT name FROM processes WHERE path LIKE '%//%';");
        assert_eq!(pack.queries[0].interval.as_secs(), 60);
        // The line of a query in its file does not shorten its SQL.
        assert_eq!(pack.queries[0].statement(), pack.queries[0].sql);
        let events = parse(
            r#"{
            "queries": {"e": {"query": "SELECT * FROM process_events"}}}"#,
        );
        assert!(!events.expect("valid").queries[0].may_be_denied());
        assert_eq!((pack.queries[0].removed, pack.queries[1].removed), (false, true));
        assert_eq!((pack.queries[0].line, pack.queries[1].line), (7, 13));
        assert!(pack.queries[1].snapshot);
        assert_eq!(pack.queries[1].shard, Some(10));
    }

    #[test]
    fn a_schedule_of_osqueryd_is_a_pack() {
        let text = "{\"options\": {}, \"schedule\": {\n\"shells\": {\"query\": \"SELECT 1\", \"interval\": 300}}}";
        let pack = parse(text).expect("valid");
        let query = &pack.queries[0];
        assert_eq!((query.name.as_str(), query.interval.as_secs(), query.line), ("shells", 300, 2));
    }

    #[test]
    fn errors_say_where() {
        let cases = [
            "",
            "[]",
            "{\n\"queries\": {\n\"a\": {\"query\": \"SELECT 1\",}\n}}",
            "# c\n{\n// c\n\"queries\": {\n\"a\": {\"query\": \"SELECT \\\n1\"}\n\"b\": 1}}",
            "{\"schedule\": {\n\"a\": {\"interval\": 60}}}",
            "{}",
            "{\"queries\": []}",
            "{\"queries\": {\n\"a\": 1}}",
            "{\"queries\": {\n\"a\": {\n\"sql\": \"SELECT 1\"}}}",
            "{\"queries\": {\n\"a\": {\n\"qurey\": \"SELECT 1\"}}}",
            "{\"queries\": {\n\"a\": {\"query\": \"SELECT 1\",\n\"interval\": \"soon\"}}}",
            "{\"queries\": {\n\"a\": {\"query\": \"SELECT 1\",\n\"interval\": 0}}}",
            "{\"queries\": {\n\"a\": {\"query\": \"SELECT 1\",\n\n\"snapshot\": \"maybe\"}}}",
            "{\"queries\": {\n\"a\": {\"query\": \"SELECT 1\",\n\n\"shard\": 101}}}",
            "{\"discovery\": \"SELECT 1\",\n\"queries\": {}}",
            "{\"queries\": {\n\"a\": {\"query\": \"SELECT 1\"},\n  \"a\": {\"query\": \"SELECT 2\"}}}",
            "{\"queries\": {\"a\": {\"query\": \"SELECT 1\n\"}}}",
            "# ä\n{\"queries\": {\"a\": {\"query\": \"SELECT 'ä', \\\n1\", \\\n \"interval\": [1]}}}",
        ];
        let text: String = cases.iter().map(|case| format!("{case:?}\n  {}\n", parse(case).expect_err(case))).collect();
        insta::assert_snapshot!(text);
    }
}
