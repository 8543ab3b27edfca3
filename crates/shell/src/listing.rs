//! Lists and descriptions of tables and functions.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use indago::{FoundName, FunctionInfo, TableSpec};
use serde_json::{Value, json};

use crate::format::Format;
use crate::render::{Style, row_writer};
use crate::text::visible_lines;

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

/// Writes tables: one row per table, or in JSON the full description of each. For tables of catalogs, only the name is
/// known.
pub fn write_tables(
    specs: &[&TableSpec],
    found: &[FoundName],
    format: Format,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let found_json = |found: &FoundName| json!({"name": found.name, "environment": found.catalog});
    let tables = || specs.iter().map(|spec| table_json(spec)).chain(found.iter().map(found_json));
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &tables().collect::<Vec<_>>())?;
            writeln!(out)
        }
        Format::Ndjson => tables().try_for_each(|table| writeln!(out, "{table}")),
        _ => {
            let fields = vec![
                Field::new("name", DataType::Utf8, false),
                Field::new("environment", DataType::Utf8, false),
                Field::new("columns", DataType::UInt64, true),
                Field::new("description", DataType::Utf8, true),
            ];
            let known = specs.iter().map(|spec| {
                let columns = Some(spec.columns.len() as u64);
                (spec.name.as_ref(), spec.environment.as_ref(), columns, Some(first_line(&spec.description)))
            });
            let found = found.iter().map(|found| (found.name.as_str(), found.catalog.as_str(), None, None));
            let rows: Vec<_> = known.chain(found).collect();
            let batch = batch(
                fields,
                vec![
                    Arc::new(rows.iter().map(|row| Some(row.0)).collect::<StringArray>()),
                    Arc::new(rows.iter().map(|row| Some(row.1)).collect::<StringArray>()),
                    Arc::new(rows.iter().map(|row| row.2).collect::<UInt64Array>()),
                    Arc::new(rows.iter().map(|row| row.3).collect::<StringArray>()),
                ],
            );
            write_batch(&batch, format, style, out)
        }
    }
}

/// Writes the full description of one table.
pub fn write_table(spec: &TableSpec, format: Format, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let columns = columns_batch(spec);
    match format {
        Format::Json | Format::Ndjson => write_tables(&[spec], &[], format, style, out),
        Format::Csv => write_batch(&columns, format, style, out),
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
        writeln!(out, "\nWorks on {}.", spec.platforms.join(", "))?;
    }
    Ok(())
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

/// Writes functions with their signatures.
pub fn write_functions(
    functions: &[FunctionInfo],
    format: Format,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
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

fn write_batch(batch: &RecordBatch, format: Format, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = row_writer(format, batch.schema(), out, style);
    writer.batch(batch)?;
    writer.finish()
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}
