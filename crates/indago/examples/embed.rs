//! Embeds the engine: runs one query, processes its Arrow record batches as they arrive, and prints its warnings and
//! the statistics of its scans.
//!
//! `cargo run --example embed`

use std::error::Error;

use indago::arrow::array::AsArray;
use indago::arrow::compute::concat_batches;
use indago::arrow::datatypes::Int64Type;
use indago::arrow::ipc::reader::StreamReader;
use indago::arrow::ipc::writer::StreamWriter;
use indago::futures::StreamExt;
use indago::{Defaults, Engine, QueryOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The tables of this machine. Nothing is read or called before a query runs.
    let engine = Engine::builder().with_defaults()?.build().await?;

    let me = i64::from(std::process::id());
    let options = QueryOptions::default().bind("pid", me);
    let query = engine.query_with("SELECT pid, name, parent FROM processes WHERE pid = $pid", options).await?;
    println!("columns: {:?}", query.schema().fields().iter().map(|field| field.name()).collect::<Vec<_>>());

    let mut kept = Vec::new();
    let mut batches = query.stream();
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let pids = batch.column(0).as_primitive::<Int64Type>();
        let names = batch.column(1).as_string_view();
        for row in 0..batch.num_rows() {
            println!("{} {}", pids.value(row), names.value(row));
            assert_eq!(pids.value(row), me);
        }
        kept.push(batch);
    }

    // `indago::arrow` is the complete arrow crate, with kernels and formats.
    let whole = concat_batches(&query.schema(), &kept)?;
    assert_eq!(whole.num_rows(), 1, "this process has one row");
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &whole.schema())?;
    writer.write(&whole)?;
    writer.finish()?;
    let read = StreamReader::try_new(bytes.as_slice(), None)?.collect::<Result<Vec<_>, _>>()?;
    assert_eq!(read, [whole]);

    for warning in query.warnings() {
        println!("missing: {warning}");
    }
    for scan in query.scans() {
        println!("{} where {}: {} rows, {} calls", scan.table, scan.constraints, scan.rows, scan.calls);
    }
    Ok(())
}
