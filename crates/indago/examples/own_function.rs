//! A custom SQL function: a DataFusion scalar function that is added to the builder.
//!
//! `cargo run --example own_function`

use std::error::Error;
use std::sync::Arc;

use indago::arrow::array::{ArrayRef, AsArray, StringViewArray};
use indago::arrow::datatypes::{DataType, Int64Type};
use indago::datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use indago::{Defaults, Engine};

/// `port_class(port)`: the range of RFC 6335 that a port is in.
fn port_class() -> ScalarUDF {
    let classes = |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let ports = arrays[0].as_primitive::<Int64Type>().iter();
        let classes: StringViewArray = ports
            .map(|port| match port? {
                0..=1023 => Some("system"),
                1024..=49151 => Some("user"),
                49152..=65535 => Some("dynamic"),
                _ => None,
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(classes) as ArrayRef))
    };
    create_udf("port_class", vec![DataType::Int64], DataType::Utf8View, Volatility::Immutable, Arc::new(classes))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().with_defaults()?.udf(port_class()).build().await?;

    let sql =
        "SELECT port_class(port) AS class FROM (VALUES (22), (8080), (50000), (70000)) AS ports(port) ORDER BY port";
    let batches = engine.query(sql).await?.collect().await?;
    let classes: Vec<Option<String>> = batches
        .iter()
        .flat_map(|batch| {
            batch.column(0).as_string_view().iter().map(|class| class.map(str::to_owned)).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(classes, [Some("system".into()), Some("user".into()), Some("dynamic".into()), None]);

    // It works on tables like any other function.
    let listening =
        "SELECT port_class(port) AS class, count(DISTINCT port) AS ports FROM listening_ports GROUP BY class";
    let rows: usize = engine.query(listening).await?.collect().await?.iter().map(|batch| batch.num_rows()).sum();
    println!("{classes:?}; this machine listens in {rows} ranges");
    Ok(())
}
