//! Lists and descriptions of tables and functions.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use indago::table::first_sentence;
use indago::{Engine, FoundName, FunctionInfo, TableRef, TableSpec};
use serde_json::{Value, json};

use crate::format::Format;
use crate::render::{Style, write_batch};
use crate::text::{cut, visible, visible_lines, width};

/// A table as JSON: `{name, environment, description, columns, examples, ...}`.
pub fn table_json(spec: &TableSpec) -> Value {
    let columns: Vec<Value> = spec
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            json!({
                "name": column.name,
                "type": column.kind.name(),
                "key": spec.key_name(index),
                "hidden": column.hidden,
                "volatile": column.volatile,
                "description": column.description,
                "needs": column.needs,
            })
        })
        .collect();
    let examples: Vec<Value> =
        spec.examples.iter().map(|example| json!({"title": example.title, "sql": example.sql})).collect();
    json!({
        "name": spec.name,
        "environment": spec.environment,
        "description": spec.description,
        "columns": columns,
        "examples": examples,
        "needs": spec.needs,
        "identity": spec.identity,
        "platforms": spec.platforms,
    })
}

/// Tables, the tables of catalogs, of which only the name is known, and views.
#[derive(Debug, Default)]
pub struct Tables {
    tables: Vec<TableRef>,
    found: Vec<FoundName>,
    views: Vec<(String, Option<String>)>,
}

/// What a list shows of a table.
struct Line<'a> {
    name: &'a str,
    environment: &'a str,
    columns: Option<u64>,
    description: String,
}

impl Tables {
    /// The tables and views of an engine, and those that its catalogs listed.
    pub fn of(engine: &Engine, found: Vec<FoundName>) -> Self {
        Tables { tables: engine.tables(), found, views: engine.views() }
    }

    /// Those that mention a word, in any case: first by name, then in columns, descriptions and examples. A word with
    /// `*` or `%` is a pattern of names.
    #[must_use]
    pub fn mentioning(mut self, word: &str) -> Self {
        let word = word.to_lowercase();
        if word.contains(['*', '%']) {
            self.tables.retain(|table| fits(&table.spec().name, &word));
            self.found.retain(|found| fits(&found.name, &word));
            self.views.retain(|(name, _)| fits(name, &word));
            return self;
        }
        let is_in = |text: &str| text.to_lowercase().contains(&word);
        self.tables.retain(|table| mentions(table.spec(), &is_in));
        self.tables.sort_by_key(|table| (table.spec().name != word, !is_in(&table.spec().name)));
        self.found.retain(|found| is_in(&found.name) || is_in(&found.catalog));
        self.views.retain(|(name, sql)| is_in(name) || is_in("view") || sql.as_deref().is_some_and(is_in));
        self
    }

    /// Whether there is neither a table nor a view.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.found.is_empty() && self.views.is_empty()
    }

    /// The error if no table mentions a word.
    pub fn none(word: &str) -> String {
        format!("no table or view mentions `{}`; `indago tables` or `.tables` lists all", visible(word))
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let tables = self.tables.iter().map(|table| {
            let spec = table.spec();
            Line {
                name: &spec.name,
                environment: &spec.environment,
                columns: Some(spec.columns.len() as u64),
                description: first_sentence(&spec.description),
            }
        });
        let found = self.found.iter().map(|found| Line {
            name: &found.name,
            environment: &found.catalog,
            columns: None,
            description: String::new(),
        });
        let views = self.views.iter().map(|(name, sql)| Line {
            name,
            environment: "view",
            columns: None,
            description: sql.iter().flat_map(|sql| sql.split_whitespace()).collect::<Vec<_>>().join(" "),
        });
        tables.chain(found).chain(views).collect()
    }

    fn json(&self) -> Vec<Value> {
        let tables = self.tables.iter().map(|table| table_json(table.spec()));
        let found = self.found.iter().map(|found| json!({"name": found.name, "environment": found.catalog}));
        let views = self.views.iter().map(|(name, sql)| json!({"name": name, "environment": "view", "sql": sql}));
        tables.chain(found).chain(views).collect()
    }

    /// Writes a list for people, or a format: one row per table, or in JSON the full description of each.
    pub fn write(&self, format: Option<Format>, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let Some(format) = format else {
            let rows =
                self.lines().into_iter().map(|line| [line.name.into(), line.environment.into(), line.description]);
            return write_list(rows.collect(), style, out);
        };
        match format {
            Format::Json | Format::Ndjson => write_json(&self.json(), format, out),
            _ => {
                let fields = vec![
                    Field::new("name", DataType::Utf8, false),
                    Field::new("environment", DataType::Utf8, false),
                    Field::new("columns", DataType::UInt64, true),
                    Field::new("description", DataType::Utf8, true),
                ];
                let lines = self.lines();
                let described = |line: &Line<'_>| Some(line.description.clone()).filter(|text| !text.is_empty());
                let batch = batch(
                    fields,
                    vec![
                        Arc::new(lines.iter().map(|line| Some(line.name)).collect::<StringArray>()),
                        Arc::new(lines.iter().map(|line| Some(line.environment)).collect::<StringArray>()),
                        Arc::new(lines.iter().map(|line| line.columns).collect::<UInt64Array>()),
                        Arc::new(lines.iter().map(described).collect::<StringArray>()),
                    ],
                );
                write_batch(&batch, format, style, out)
            }
        }
    }
}

fn mentions(spec: &TableSpec, is_in: &dyn Fn(&str) -> bool) -> bool {
    is_in(&spec.name)
        || is_in(&spec.environment)
        || is_in(&spec.description)
        || spec.columns.iter().any(|column| is_in(&column.name) || is_in(&column.description))
        || spec.examples.iter().any(|example| is_in(example.title) || is_in(example.sql))
}

fn write_json(values: &[Value], format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Ndjson => values.iter().try_for_each(|value| writeln!(out, "{value}")),
        _ => {
            serde_json::to_writer_pretty(&mut *out, values)?;
            writeln!(out)
        }
    }
}

/// Writes lines of words and a description, in columns. On a terminal, lines are cut to its width.
fn write_list<const N: usize>(rows: Vec<[String; N]>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let rows = rows.into_iter().map(|row| row.map(|text| visible(&text).into_owned())).collect::<Vec<_>>();
    let mut widths = [0; N];
    for row in &rows {
        for (widest, text) in widths.iter_mut().zip(row) {
            *widest = width(text).max(*widest);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, widest) in row.iter().zip(widths) {
            line.push_str(&format!("{cell}{}", " ".repeat(widest - width(cell) + 2)));
        }
        let line = line.trim_end();
        text.push_str(&style.width.map_or(line.into(), |width| cut(line, width)));
        text.push('\n');
    }
    out.write_all(text.as_bytes())
}

/// Writes the full description of one table.
pub fn write_table(spec: &TableSpec, format: Format, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let columns = columns_batch(spec);
    match format {
        Format::Json | Format::Ndjson => write_json(&[table_json(spec)], format, out),
        Format::Csv | Format::List => write_batch(&columns, format, style, out),
        Format::Markdown => {
            writeln!(out, "# {}\n\n{}\n", spec.name, visible_lines(spec.description.trim()))?;
            write_batch(&columns, format, style, out)?;
            notes(spec, out)?;
            for example in spec.examples.iter() {
                writeln!(out, "\n{}\n\n```sql\n{}\n```", example.title, example.sql)?;
            }
            Ok(())
        }
        Format::Table | Format::Line => {
            writeln!(out, "{} ({})\n\n{}\n", spec.name, spec.environment, visible_lines(spec.description.trim()))?;
            write_batch(&columns, format, style, out)?;
            notes(spec, out)?;
            for example in spec.examples.iter() {
                writeln!(out, "\n-- {}\n{};", example.title, example.sql.trim_end_matches(';'))?;
            }
            Ok(())
        }
    }
}

fn notes(spec: &TableSpec, out: &mut dyn Write) -> io::Result<()> {
    if spec.is_keyed() {
        let names: Vec<&str> = spec.require_any.iter().map(|index| spec.columns[*index].name.as_ref()).collect();
        writeln!(out, "\nNeeds a constraint on {}.", names.join(" or "))?;
    }
    if !spec.needs.is_empty() {
        writeln!(out, "\nNeeds {}.", spec.needs.join(", "))?;
    }
    if !spec.platforms.is_empty() {
        let platforms: Vec<&str> = spec.platforms.iter().map(|platform| system(platform)).collect();
        writeln!(out, "\nAvailable on {}.", platforms.join(", "))?;
    }
    Ok(())
}

/// The name of an operating system, as people write it.
fn system(platform: &str) -> &str {
    match platform {
        "linux" => "Linux",
        "macos" => "macOS",
        "windows" => "Windows",
        other => other,
    }
}

fn columns_batch(spec: &TableSpec) -> RecordBatch {
    let fields = vec![
        Field::new("column", DataType::Utf8, false),
        Field::new("type", DataType::Utf8, false),
        Field::new("key", DataType::Utf8, false),
        Field::new("hidden", DataType::Boolean, false),
        Field::new("needs", DataType::Utf8, false),
        Field::new("description", DataType::Utf8, false),
    ];
    let keys = (0..spec.columns.len()).map(|index| Some(spec.key_name(index).unwrap_or_default()));
    let columns = &spec.columns;
    batch(
        fields,
        vec![
            Arc::new(columns.iter().map(|column| Some(column.name.as_ref())).collect::<StringArray>()),
            Arc::new(columns.iter().map(|column| Some(column.kind.name())).collect::<StringArray>()),
            Arc::new(keys.collect::<StringArray>()),
            Arc::new(columns.iter().map(|column| Some(column.hidden)).collect::<BooleanArray>()),
            Arc::new(columns.iter().map(|column| Some(column.needs.join(", "))).collect::<StringArray>()),
            Arc::new(columns.iter().map(|column| Some(column.description.replace('\n', " "))).collect::<StringArray>()),
        ],
    )
}

/// Writes functions with their signatures: a list for people, or a format.
pub fn write_functions(
    functions: &[FunctionInfo],
    format: Option<Format>,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(format) = format else {
        let row = |function: &FunctionInfo| {
            [function.signature.clone(), function.kind.to_owned(), first_sentence(&function.description)]
        };
        return write_list(functions.iter().map(row).collect(), style, out);
    };
    let fields = ["name", "kind", "signature", "description"].map(|name| Field::new(name, DataType::Utf8, false));
    let text = |of: fn(&FunctionInfo) -> String| {
        Arc::new(functions.iter().map(|function| Some(of(function))).collect::<StringArray>())
    };
    let batch = batch(
        fields.to_vec(),
        vec![
            text(|function| function.name.to_string()),
            text(|function| function.kind.to_string()),
            text(|function| function.signature.to_string()),
            text(|function| function.description.replace('\n', " ")),
        ],
    );
    write_batch(&batch, format, style, out)
}

fn batch(fields: Vec<Field>, columns: Vec<arrow_array::ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns of equal length")
}

/// Keeps the functions whose name contains a word or fits a pattern with `*` or `%`.
pub fn functions_like(functions: &mut Vec<FunctionInfo>, word: &str) -> Result<(), String> {
    let word = word.to_lowercase();
    let is_pattern = word.contains(['*', '%']);
    functions.retain(|function| match is_pattern {
        true => fits(&function.name, &word),
        false => function.name.contains(&word),
    });
    functions.sort_by_key(|function| function.name != word);
    match functions.is_empty() {
        true => Err(format!(
            "no function has `{}` in its name; `indago functions` or `.functions` lists all",
            visible(&word)
        )),
        false => Ok(()),
    }
}

/// Whether a name, in lowercase, fits a pattern in which `*` and `%` stand for any text.
fn fits(name: &str, pattern: &str) -> bool {
    let name = name.to_lowercase();
    let parts: Vec<&str> = pattern.split(['*', '%']).collect();
    let [first, middle @ .., last] = parts.as_slice() else { return name == pattern };
    let Some(mut rest) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    middle.iter().all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (name, pattern, expected) in [
            ("kubernetes_pods", "kube*", true),
            ("kubernetes_pods", "*pods", true),
            ("kubernetes_pods", "k%net*po%", true),
            ("kubernetes_pods", "pod*", false),
            ("kubernetes_pods", "*pod", false),
            ("aa", "a*a*a", false),
            ("users", "*", true),
        ] {
            assert_eq!(fits(name, pattern), expected, "{name} {pattern}");
        }
    }
}
