//! `indago diff`

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use indago::Engine;
use indago::store::{self, Difference};
use indago_shell::{say, write_batch};

use crate::arguments::{Common, Diff};
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::{interrupt, setup};

/// The live tables, in place of a capture.
const NOW: &str = "now";

/// As in diff(1): the states differ.
const DIFFERENT: u8 = 1;

pub(crate) async fn run(common: &Common, arguments: Diff) -> Result {
    let style = arguments.output.style()?;
    if !common.stores.is_empty() {
        let message = "`indago diff` compares the directories that are its arguments; remove --store";
        return Err(Error::usage(anyhow::anyhow!(message)));
    }
    let (before, after) = (arguments.before.as_path(), arguments.after.as_path());
    if [before, after].iter().all(|path| is_now(path)) {
        return Err(Error::usage(anyhow::anyhow!("both sides are `{NOW}`; name a directory of a capture")));
    }
    let old = engine(common, &arguments, before).await?;
    let new = engine(common, &arguments, after).await?;
    let captures = [(before, &old), (after, &new)].into_iter().filter(|(path, _)| !is_now(path));
    let tables = match &arguments.table {
        Some(table) => vec![table.clone()],
        None => store::tables_of(captures.map(|(_, engine)| engine)).into_iter().collect(),
    };
    let mut differences = Vec::new();
    for table in tables {
        let difference = tokio::select! {
            biased;
            () = interrupt::interrupted() => return Ok(ExitCode::from(exit::INTERRUPTED)),
            difference = Box::pin(store::diff(&old, &new, &table, arguments.table.is_some())) => difference,
        };
        differences.push(match difference {
            // The other tables are still compared.
            Err(error) if arguments.table.is_none() => Difference::failed(&table, &error),
            difference => difference.map_err(Error::usage)?,
        });
    }
    indago_shell::print_warnings(differences.iter().flat_map(|difference| &difference.warnings));
    for difference in &differences {
        if let (Some(why), Some(_)) = (&difference.skipped, &arguments.table) {
            say(format_args!("warning: {}: not compared: {why}", difference.table));
        }
    }
    let incomplete = differences.iter().any(Difference::is_incomplete);
    let differ = differences.iter().any(Difference::differs);
    let batch = match differences.as_mut_slice() {
        [only] if arguments.table.is_some() => {
            if only.unread > 0 {
                say(format_args!("note: {} rows are in slices that one side could not read", only.unread));
            }
            only.rows.take()
        }
        all => {
            let shown: Vec<&Difference> = all.iter().filter(|table| is_shown(table)).collect();
            say(totals(all));
            Some(summary(&shown).map_err(Error::usage)?)
        }
    };
    if let Some(batch) = batch {
        write_batch(&batch, setup::format(arguments.output.chosen()), style, &mut Output)?;
    }
    let skipped = differences.iter().any(|difference| difference.skipped.is_some());
    Ok(match (incomplete && arguments.limits.strict, differ) {
        (true, _) => ExitCode::from(exit::INCOMPLETE),
        (false, true) => ExitCode::from(DIFFERENT),
        (false, false) if skipped => ExitCode::from(exit::USAGE),
        (false, false) => ExitCode::SUCCESS,
    })
}

/// How many tables were compared, and how many of them are equal.
fn totals(all: &[Difference]) -> String {
    let skipped = all.iter().filter(|table| table.skipped.is_some()).count();
    let equal = all.iter().filter(|table| !is_shown(table)).count();
    let compared = match all.len() - skipped {
        1 => "1 table compared".to_owned(),
        many => format!("{many} tables compared"),
    };
    let skipped = if skipped > 0 { format!("; {skipped} not compared") } else { String::new() };
    format!("{compared}, {equal} equal{skipped}")
}

fn is_now(path: &Path) -> bool {
    path == Path::new(NOW)
}

fn is_shown(difference: &Difference) -> bool {
    difference.differs() || difference.unread > 0 || difference.skipped.is_some()
}

/// The engine over a capture, or over the live tables.
async fn engine(common: &Common, arguments: &Diff, path: &Path) -> Result<Engine> {
    let mut config = setup::config(common, Some(&arguments.limits))?;
    config.store.dir = match is_now(path) {
        true => None,
        false => {
            setup::directory(path)?;
            Some(path.to_owned())
        }
    };
    // Views may name tables that this side does not have.
    config.views.clear();
    setup::engine(&config).await
}

/// One row per table.
fn summary(differences: &[&Difference]) -> std::result::Result<RecordBatch, arrow_schema::ArrowError> {
    let count = |name: &str| Field::new(name, DataType::UInt64, true);
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let fields = vec![
        Field::new("table", DataType::Utf8, false),
        count("before"),
        count("after"),
        count("added"),
        count("removed"),
        count("changed"),
        count("unread"),
        text("key"),
        text("skipped"),
    ];
    let counts = |of: fn(&Difference) -> u64| -> UInt64Array {
        differences.iter().map(|table| table.skipped.is_none().then(|| of(table))).collect()
    };
    let key = |table: &&Difference| (!table.key.is_empty()).then(|| table.key.join(", "));
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![
            Arc::new(differences.iter().map(|table| Some(table.table.as_str())).collect::<StringArray>()),
            Arc::new(counts(|table| table.before)),
            Arc::new(counts(|table| table.after)),
            Arc::new(counts(|table| table.added)),
            Arc::new(counts(|table| table.removed)),
            Arc::new(counts(|table| table.changed)),
            Arc::new(counts(|table| table.unread)),
            Arc::new(differences.iter().map(key).collect::<StringArray>()),
            Arc::new(differences.iter().map(|table| table.skipped.as_deref()).collect::<StringArray>()),
        ],
    )
}
