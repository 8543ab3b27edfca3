//! A program that links only the host's tables: no Kubernetes, AWS, git or container client, and no TLS.
//!
//! `cargo run --example host_only --no-default-features --features host`

use std::error::Error;

use indago::arrow::array::AsArray;
use indago::environments::Environments;
use indago::table::Sys;
use indago::{Defaults, Engine, Limits, QueryOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The tables of this machine's files and processes. `Sys::at("/mnt/evidence")` would read another machine's disk.
    let environments = Environments { hosts: vec![Sys::live()], ..Environments::default() };
    let limits = Limits { memory: 256 << 20, ..Limits::default() };
    let engine = Engine::builder().with_environments(&environments).limits(limits).build().await?;
    let tables = engine.tables();
    assert!(tables.iter().all(|table| matches!(table.spec().environment.as_ref(), "host" | "engine")));

    let options = QueryOptions::default().bind("uid", 0);
    let query = engine.query_with("SELECT username, shell FROM users WHERE uid = $uid", options).await?;
    for batch in query.collect().await? {
        let (names, shells) = (batch.column(0).as_string_view(), batch.column(1).as_string_view());
        for row in 0..batch.num_rows() {
            println!("{} {}", names.value(row), shells.value(row));
            assert_eq!(names.value(row), "root");
        }
    }
    Ok(())
}
