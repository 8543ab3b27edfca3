//! Lays out a table: a struct that compiles, its tests, its line in the list.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::root;

pub(crate) fn run(name: &str) -> Result<()> {
    let Some((environment, table)) = name.split_once('/') else {
        bail!("name the table as ENVIRONMENT/NAME, as in host/kernel_modules");
    };
    let Some((_, template)) = TEMPLATES.iter().find(|(known, _)| *known == environment) else {
        let known: Vec<_> = TEMPLATES.iter().map(|(environment, _)| *environment).collect();
        bail!("no environment `{environment}`: tables/ has {}", known.join(", "));
    };
    let crate_folder = root().join("tables").join(environment);
    let list = crate_folder.join("src/lib.rs");
    let is_snake_case = table.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if table.is_empty() || !is_snake_case {
        bail!("`{table}` is no table name: snake_case, as in kernel_modules");
    }
    let source = crate_folder.join("src").join(format!("{table}.rs"));
    if source.exists() {
        bail!("{} is there already", source.display());
    }
    let row = row_name(environment, table);
    fs::write(&source, filled(template, table, &row)).with_context(|| source.display().to_string())?;
    fs::write(source.with_extension("slt"), slt(table))?;
    let text = fs::read_to_string(&list)?;
    fs::write(&list, with_table(&text, table, &row).context("tables/*/src/lib.rs has no `tables!` list to extend")?)?;
    println!("wrote {} and its .slt, and added it to {}", source.display(), list.display());
    println!("next: write the struct and its rows; complete the .slt; cargo xtask docs");
    Ok(())
}

/// `kernel_modules` is a row `KernelModule`, `kubernetes_pods` a `Pod`.
fn row_name(environment: &str, table: &str) -> String {
    let table = table.strip_prefix(environment).and_then(|rest| rest.strip_prefix('_')).unwrap_or(table);
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

/// The plainest table of each environment.
const TEMPLATES: [(&str, &str); 5] = [
    ("host", include_str!("template/host.txt")),
    ("containers", include_str!("template/containers.txt")),
    ("kubernetes", include_str!("template/kubernetes.txt")),
    ("aws", include_str!("template/aws.txt")),
    ("git", include_str!("template/git.txt")),
];

fn filled(template: &str, table: &str, row: &str) -> String {
    let resources = table.trim_start_matches("kubernetes_").replace('_', "");
    template.replace("TABLE", table).replace("ROW", row).replace("RESOURCES", &resources)
}

fn slt(table: &str) -> String {
    format!(
        "# {table}: what its environment's bed or fixture gives.\n\nquery I\nSELECT count(*) FROM {table}\n----\n0\n"
    )
}

/// The list with one more line, in alphabetical order, and its module.
fn with_table(text: &str, table: &str, row: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let module = format!("pub mod {table};");
    let modules = |line: &String| line.starts_with("pub mod ");
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
        assert_eq!(row_name("host", "kernel_modules"), "KernelModule");
        assert_eq!(row_name("host", "entries"), "Entry");
        assert_eq!(row_name("kubernetes", "kubernetes_network_policies"), "NetworkPolicy");
    }

    #[test]
    fn a_table_goes_to_its_place_in_the_list() {
        let before =
            "pub mod a;\npub mod c;\n\n    indago_table::tables![\n        sys;\n        a::A,\n        c::C,\n    ]\n";
        let after = with_table(before, "b", "B").expect("there is a list");
        assert_eq!(
            after,
            "pub mod a;\npub mod b;\npub mod c;\n\n    indago_table::tables![\n        sys;\n        a::A,\n        b::B,\n        c::C,\n    ]\n"
        );
    }
}
