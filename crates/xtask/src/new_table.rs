//! Lays out a table: a struct that compiles, its tests, its line in the list.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::root;

pub(crate) fn run(name: &str) -> Result<()> {
    let Some((environment, table)) = name.split_once('/') else {
        bail!("name the table as ENVIRONMENT/NAME, as in host/kernel_modules");
    };
    let crate_folder = root().join("tables").join(environment);
    let list = crate_folder.join("src/lib.rs");
    if !list.is_file() {
        bail!("no environment `{environment}`: tables/ has host, containers, kubernetes, aws, git");
    }
    let is_snake_case = table.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if table.is_empty() || !is_snake_case {
        bail!("`{table}` is no table name: snake_case, as in kernel_modules");
    }
    let source = crate_folder.join("src").join(format!("{table}.rs"));
    if source.exists() {
        bail!("{} is there already", source.display());
    }
    let row = row_name(table);
    fs::write(&source, template(table, &row)).with_context(|| source.display().to_string())?;
    fs::write(source.with_extension("slt"), slt(table))?;
    let text = fs::read_to_string(&list)?;
    fs::write(&list, with_table(&text, table, &row).context("tables/*/src/lib.rs has no `tables!` list to extend")?)?;
    println!("wrote {} and its .slt, and added it to {}", source.display(), list.display());
    println!("next: write the struct and its rows; complete the .slt; cargo xtask docs");
    Ok(())
}

/// `kernel_modules` is a row `KernelModule`.
fn row_name(table: &str) -> String {
    let singular = table.strip_suffix("ies").map(|stem| format!("{stem}y")).unwrap_or_else(|| {
        table
            .strip_suffix("sses")
            .map(|stem| format!("{stem}ss"))
            .unwrap_or_else(|| table.trim_end_matches('s').to_owned())
    });
    singular
        .split('_')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            format!("{}{rest}", first.to_uppercase())
        })
        .collect()
}

fn template(table: &str, row: &str) -> String {
    format!(
        "//! `{table}`: one row per ...\n\nuse indago_table::prelude::*;\n\n/// What one row is.\n\
         #[derive(Debug, Default, Table)]\n#[table(name = \"{table}\")]\n\
         #[example(\"What it answers.\", \"SELECT name FROM {table}\")]\npub(crate) struct {row} {{\n    /// Name.\n    \
         #[column(index)]\n    name: String,\n}}\n\nimpl Rows for {row} {{\n    \
         fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {{\n        Ok(std::iter::empty())\n    }}\n}}\n"
    )
}

fn slt(table: &str) -> String {
    format!("# {table} on the fixture host\n\nquery I\nSELECT count(*) FROM {table}\n----\n0\n")
}

/// The list with one more line, in alphabetical order, and its module.
fn with_table(text: &str, table: &str, row: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let module = format!("mod {table};");
    let modules = |line: &String| line.starts_with("mod ");
    let at = lines
        .iter()
        .position(|line| modules(line) && *line > module)
        .or_else(|| lines.iter().rposition(modules).map(|last| last + 1))?;
    lines.insert(at, module);
    let entry = format!("        {table}::{row},");
    let start = lines.iter().position(|line| line.contains("tables!["))?;
    let end = (start..lines.len()).find(|at| lines[*at].trim() == "]")?;
    let at = (start + 1..end).find(|at| lines[*at].contains("::") && lines[*at] > entry).unwrap_or(end);
    lines.insert(at, entry);
    Some(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_singular() {
        assert_eq!(row_name("kernel_modules"), "KernelModule");
        assert_eq!(row_name("entries"), "Entry");
    }

    #[test]
    fn a_table_goes_to_its_place_in_the_list() {
        let before =
            "mod a;\nmod c;\n\n    indago_table::tables![\n        sys;\n        a::A,\n        c::C,\n    ]\n";
        let after = with_table(before, "b", "B").expect("there is a list");
        assert_eq!(
            after,
            "mod a;\nmod b;\nmod c;\n\n    indago_table::tables![\n        sys;\n        a::A,\n        b::B,\n        c::C,\n    ]\n"
        );
    }
}
