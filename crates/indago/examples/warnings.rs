//! Missing rows: one of two clusters is down. The query returns the rows of the other, with a warning. A strict query
//! fails instead.
//!
//! `cargo run --example warnings`

use std::error::Error;

use indago::arrow::array::AsArray;
use indago::arrow::datatypes::Int64Type;
use indago::environments::{Environments, Kubernetes};
use indago::{Code, Defaults, Engine, Limits, Outcome, QueryOptions};
use indago_testkit::beds::generated::KubeServer;

fn main() -> Result<(), Box<dyn Error>> {
    // Test beds block, so they start outside the runtime.
    let server = KubeServer::start(30)?;
    tokio::runtime::Runtime::new()?.block_on(ask(&server.url()))
}

async fn ask(url: &str) -> Result<(), Box<dyn Error>> {
    let alive = kube::Client::try_from(kube::Config::new(url.parse()?))?;
    // Nothing listens on the port "discard" of this machine.
    let dead = kube::Client::try_from(kube::Config::new("http://127.0.0.1:9".parse()?))?;
    let clusters = Kubernetes::with_client("alive", alive).and_client("dead", dead);
    let environments = Environments { kubernetes: Some(clusters), ..Environments::default() };
    // No retries, so that the example is quick.
    let limits = Limits { retries: 0, ..Limits::default() };
    let engine = Engine::builder().with_environments(&environments).limits(limits).build().await?;

    let sql = "SELECT count(*) AS pods FROM kubernetes_pods";
    let query = engine.query(sql).await?;
    let batches = query.collect().await?;
    let pods = batches[0].column(0).as_primitive::<Int64Type>().value(0);
    assert_eq!(pods, 30);

    let warnings = query.warnings();
    assert_eq!(warnings.len(), 1);
    assert_eq!((warnings[0].table.as_str(), warnings[0].outcome), ("kubernetes_pods", Outcome::Io));
    assert!(warnings[0].origin.contains("dead"), "{}", warnings[0].origin);
    println!("{pods} pods; missing: {}", warnings[0]);

    let strict = engine.query_with(sql, QueryOptions { strict: true, ..QueryOptions::default() }).await?;
    let error = strict.collect().await.expect_err("a strict query fails if rows are missing");
    assert_eq!(error.code(), Code::Incomplete);
    println!("strict: {error}");
    Ok(())
}
