//! Replaces secrets in recorded text.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use arrow_array::builder::{ListBuilder, MapBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, RecordBatch, StringArray, StringViewArray};
use arrow_schema::{ArrowError, DataType};
use indago_table::{Kind, TableSpec};
use regex::Regex;

/// The text in place of a secret.
const REDACTED: &str = "[redacted]";

/// A name of a secret in a command line, an environment variable or a URL.
const NAME: &str =
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|(?:api|access|private|signing|encryption)[_-]?key|auth)";

/// Names of columns with command lines and environments.
const COLUMNS: [&str; 10] =
    ["cmdline", "command", "args", "arguments", "argv", "env", "environment", "exec", "annotations", "user_data"];

/// Whether a name is that of a secret: `DB_PASSWORD`.
static SECRET_NAME: LazyLock<Regex> = LazyLock::new(|| well_known(&format!(r"(?i){NAME}(?:[_.-]?\d+)?$")));

/// Well-known secrets; groups are what is replaced.
static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // PASSWORD=x, --password x, password: x. A value in quotes may have spaces.
        format!(r#"(?i)\b[\w.-]*{NAME}["']?\s*[=:]\s*(?:"([^"]+)"|'([^']+)'|([^\s"'&;,]+))"#),
        format!(r#"(?i)(?:^|\s)--?[\w-]*{NAME}\s+(?:"([^"]+)"|'([^']+)'|([^\s"'-][^\s"']*))"#),
        // A variable of a container: {"name": "DB_PASSWORD", "value": "x"}.
        format!(r#"(?i)"name"\s*:\s*"[^"]*{NAME}"\s*,\s*"value"\s*:\s*"((?:[^"\\]|\\.)+)""#),
        // scheme://user:password@host
        r"://[^\s/:@]*:([^\s/@]+)@".to_owned(),
        r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9+/_.=~-]{8,})".to_owned(),
        r"\b((?:gh[pousr]|github_pat|glpat|xox[abprs]|sk_live|rk_live|npm|pypi)[-_][A-Za-z0-9_-]{16,})".to_owned(),
        r"\b(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+)".to_owned(),
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----(.+?)(?:-----END|$)".to_owned(),
    ]
    .iter()
    .map(|pattern| well_known(pattern))
    .collect()
});

fn well_known(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}

/// What is replaced in the columns of a table.
#[derive(Debug, Clone)]
pub(super) struct Redaction {
    /// For each recorded column, whether well-known secrets are replaced in it.
    secrets: Vec<bool>,
    /// The columns of a variable's name and value, by position.
    variable: Option<(usize, usize)>,
    /// Patterns of the configuration, for all texts.
    patterns: Arc<[Regex]>,
}

impl Redaction {
    /// For the recorded columns of a table.
    pub(super) fn new(spec: &TableSpec, recorded: &[usize], well_known: bool, patterns: &Arc<[Regex]>) -> Self {
        let has_text = |kind: &Kind| matches!(kind, Kind::Text | Kind::Json | Kind::TextList | Kind::TextMap);
        let of = |column: &usize| {
            let column = &spec.columns[*column];
            let is_part = |part: &str| column.name.split('_').any(|word| word == part) || column.name == part;
            well_known && has_text(&column.kind) && COLUMNS.iter().any(|part| is_part(part))
        };
        let position = |name: &str| recorded.iter().position(|column| spec.columns[*column].name == name);
        let name = position("key").or_else(|| position("name"));
        Redaction {
            secrets: recorded.iter().map(of).collect(),
            variable: name.zip(position("value")).filter(|_| well_known),
            patterns: patterns.clone(),
        }
    }

    /// The batch without secrets.
    pub(super) fn apply(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns = batch.columns().to_vec();
        let mut is_changed = false;
        for (column, of_secrets) in columns.iter_mut().zip(&self.secrets) {
            if let Some(redacted) = self.column(column, *of_secrets) {
                *column = redacted;
                is_changed = true;
            }
        }
        if let Some((name, value)) = self.variable
            && let Some(redacted) = variable(&columns[name], &columns[value])
        {
            columns[value] = redacted;
            is_changed = true;
        }
        if is_changed { RecordBatch::try_new(batch.schema(), columns) } else { Ok(batch) }
    }

    /// The column without secrets; `None` if it has none.
    fn column(&self, column: &ArrayRef, of_secrets: bool) -> Option<ArrayRef> {
        let well_known: &[Regex] = if of_secrets { &SECRETS } else { &[] };
        if well_known.is_empty() && self.patterns.is_empty() {
            return None;
        }
        let text = |text: &str| -> Option<String> {
            let mut redacted = Cow::Borrowed(text);
            for pattern in well_known.iter().chain(&*self.patterns) {
                if let Cow::Owned(less) = without(pattern, &redacted) {
                    redacted = Cow::Owned(less);
                }
            }
            match redacted {
                Cow::Owned(text) => Some(text),
                Cow::Borrowed(_) => None,
            }
        };
        match column.data_type() {
            DataType::Utf8View => {
                let values = column.as_string_view();
                let redacted: Vec<Option<String>> = values.iter().map(|value| text(value?)).collect();
                redacted.iter().any(Option::is_some).then(|| -> ArrayRef {
                    let values = values.iter().zip(&redacted);
                    Arc::new(values.map(|(value, less)| less.as_deref().or(value)).collect::<StringViewArray>())
                })
            }
            DataType::List(field) if *field.data_type() == DataType::Utf8 => list(column.as_list::<i32>(), &text),
            DataType::Map(..) => map(column.as_map(), of_secrets, &text),
            _ => None,
        }
    }
}

/// A text in which all that a pattern finds is replaced: its groups, or the match if it has none.
fn without<'a>(pattern: &Regex, text: &'a str) -> Cow<'a, str> {
    let (mut redacted, mut end) = (String::new(), 0);
    for captures in pattern.captures_iter(text) {
        let groups = captures.len();
        for group in if groups > 1 { 1..groups } else { 0..1 } {
            let Some(found) = captures.get(group).filter(|found| !found.is_empty() && found.start() >= end) else {
                continue;
            };
            if found.as_str() != REDACTED {
                redacted.push_str(&text[end..found.start()]);
                redacted.push_str(REDACTED);
                end = found.end();
            }
        }
    }
    if end == 0 {
        return Cow::Borrowed(text);
    }
    redacted.push_str(&text[end..]);
    Cow::Owned(redacted)
}

fn list(lists: &ListArray, text: &impl Fn(&str) -> Option<String>) -> Option<ArrayRef> {
    let values = lists.values().as_string::<i32>();
    let mut is_changed = false;
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in 0..lists.len() {
        let range = lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
        // `--password`, `x` are one option.
        let mut is_secret = false;
        for position in range {
            let Some(value) = (!values.is_null(position)).then(|| values.value(position)) else {
                builder.values().append_null();
                continue;
            };
            let redacted = if is_secret { Some(REDACTED.to_owned()) } else { text(value) };
            is_secret = value.starts_with('-') && !value.contains('=') && SECRET_NAME.is_match(value);
            is_changed |= redacted.is_some();
            builder.values().append_value(redacted.as_deref().unwrap_or(value));
        }
        builder.append(!lists.is_null(row));
    }
    is_changed.then(|| -> ArrayRef { Arc::new(builder.finish()) })
}

fn map(maps: &MapArray, of_secrets: bool, text: &impl Fn(&str) -> Option<String>) -> Option<ArrayRef> {
    let (keys, values) = (maps.keys().as_string_opt::<i32>()?, maps.values().as_string_opt::<i32>()?);
    let mut is_changed = false;
    let mut redacted = |position: usize| -> Option<String> {
        let value = (!values.is_null(position)).then(|| values.value(position))?;
        let is_secret = of_secrets && !value.is_empty() && SECRET_NAME.is_match(keys.value(position));
        let less = if is_secret { Some(REDACTED.to_owned()) } else { text(value) };
        is_changed |= less.is_some();
        Some(less.unwrap_or_else(|| value.to_owned()))
    };
    let values: StringArray = (0..values.len()).map(&mut redacted).collect();
    if !is_changed {
        return None;
    }
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in 0..maps.len() {
        for position in maps.value_offsets()[row] as usize..maps.value_offsets()[row + 1] as usize {
            builder.keys().append_value(keys.value(position));
            builder.values().append_option((!values.is_null(position)).then(|| values.value(position)));
        }
        builder.append(!maps.is_null(row)).ok()?;
    }
    arrow_cast::cast(&builder.finish(), maps.data_type()).ok()
}

/// The values of variables whose names are those of secrets, redacted; `None` if there are none.
fn variable(names: &ArrayRef, values: &ArrayRef) -> Option<ArrayRef> {
    let (names, values) = (names.as_string_view_opt()?, values.as_string_view_opt()?);
    let is_secret = |(name, value): (Option<&str>, Option<&str>)| {
        value.is_some_and(|value| !value.is_empty()) && name.is_some_and(|name| SECRET_NAME.is_match(name))
    };
    let secret: Vec<bool> = names.iter().zip(values).map(is_secret).collect();
    secret.contains(&true).then(|| -> ArrayRef {
        let values = values.iter().zip(&secret);
        Arc::new(
            values.map(|(value, secret)| if *secret { Some(REDACTED) } else { value }).collect::<StringViewArray>(),
        )
    })
}

#[cfg(test)]
mod tests {
    use indago_table::ColumnSpec;

    use super::*;

    fn redacted(text: &str) -> String {
        SECRETS.iter().fold(text.to_owned(), |text, pattern| without(pattern, &text).into_owned())
    }

    #[test]
    fn well_known_secrets() {
        for (text, expected) in [
            ("mysql --password=hunter2 -h db", "mysql --password=[redacted] -h db"),
            ("tool --api-key abc123 --verbose", "tool --api-key [redacted] --verbose"),
            ("PGPASSWORD=x psql", "PGPASSWORD=[redacted] psql"),
            ("DB_PASSWORD='a b' run", "DB_PASSWORD='[redacted]' run"),
            ("psql postgres://me:pw@db/x", "psql postgres://me:[redacted]@db/x"),
            ("curl -H 'Authorization: Bearer abcdefghijkl'", "curl -H 'Authorization: Bearer [redacted]'"),
            ("git clone https://ghp_0123456789abcdef0123@x", "git clone https://[redacted]@x"),
            (r#"[{"name":"DB_PASSWORD","value":"a\"b"}]"#, r#"[{"name":"DB_PASSWORD","value":"[redacted]"}]"#),
            (r#"{"password": "x", "user": "y"}"#, r#"{"password": "[redacted]", "user": "y"}"#),
            // No secrets.
            ("sshd: root [priv]", "sshd: root [priv]"),
            ("passwd root", "passwd root"),
            ("tool --token-file /etc/token", "tool --token-file /etc/token"),
            ("mysql --password -h db", "mysql --password -h db"),
            ("https://example.org:8080/a@b", "https://example.org:8080/a@b"),
        ] {
            assert_eq!(redacted(text), expected);
            assert_eq!(redacted(expected), expected, "a second time");
        }
    }

    #[test]
    fn columns_of_command_lines_environments_and_patterns() {
        let column = |name: &'static str| ColumnSpec::new(name, Kind::Text, "Text.");
        let columns = vec![column("name"), column("value"), column("cmdline"), column("path")];
        let spec = TableSpec::new("t", "test", "A table.", columns);
        let text = |texts: [&str; 2]| -> ArrayRef { Arc::new(StringViewArray::from(texts.to_vec())) };
        let batch = RecordBatch::try_from_iter([
            ("name", text(["AWS_SECRET_ACCESS_KEY", "HOME"])),
            ("value", text(["abc", "/root"])),
            ("cmdline", text(["x --token=1", "acct 4711-42"])),
            ("path", text(["/x/token=1", "/4711-42"])),
        ])
        .expect("a batch");
        let patterns: Arc<[Regex]> = Arc::from([Regex::new(r"\d+-(\d+)").expect("a pattern")]);
        let shown = |batch: &RecordBatch, column: usize| -> Vec<String> {
            batch.column(column).as_string_view().iter().flatten().map(str::to_owned).collect()
        };
        let less = Redaction::new(&spec, &[0, 1, 2, 3], true, &patterns).apply(batch.clone()).expect("redacted");
        assert_eq!(shown(&less, 1), ["[redacted]", "/root"]);
        assert_eq!(shown(&less, 2), ["x --token=[redacted]", "acct 4711-[redacted]"]);
        assert_eq!(shown(&less, 3), ["/x/token=1", "/4711-[redacted]"]);
        let none: Arc<[Regex]> = Arc::from([]);
        assert_eq!(Redaction::new(&spec, &[0, 1, 2, 3], false, &none).apply(batch.clone()).expect("same"), batch);
    }

    #[test]
    fn lists_and_maps() {
        let spec = TableSpec::new(
            "t",
            "test",
            "A table.",
            vec![ColumnSpec::new("args", Kind::TextList, "A."), ColumnSpec::new("env", Kind::TextMap, "E.")],
        );
        let mut args = ListBuilder::new(StringBuilder::new());
        args.append_value([Some("--token"), Some("abc"), Some("--x"), None]);
        args.append_null();
        let mut env = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        env.keys().append_value("TOKEN");
        env.values().append_value("abc");
        env.append(true).expect("a map");
        env.append(false).expect("a map");
        let env = arrow_cast::cast(&env.finish(), &Kind::TextMap.data_type()).expect("the type of a map");
        let batch = RecordBatch::try_new(spec.schema(), vec![Arc::new(args.finish()), env]).expect("a batch");
        let less = Redaction::new(&spec, &[0, 1], true, &Arc::from([])).apply(batch).expect("redacted");
        let shown = format!("{less:?}");
        assert!(!shown.contains("abc") && shown.matches(REDACTED).count() == 2, "{shown}");
        assert!(less.column(0).is_null(1) && less.column(1).is_null(1));
    }
}
