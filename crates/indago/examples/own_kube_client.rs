//! Uses a Kubernetes client that the program has made itself, with its own authentication, proxies and layers.
//!
//! The cluster is a generated one from the testkit. It counts the requests for pages.
//!
//! `cargo run --example own_kube_client`

use std::error::Error;

use indago::arrow::array::AsArray;
use indago::arrow::datatypes::Int64Type;
use indago::environments::{Environments, Kubernetes};
use indago::{Defaults, Engine};
use indago_testkit::beds::generated::KubeServer;

const PODS: i64 = 1200;

fn main() -> Result<(), Box<dyn Error>> {
    // Test beds block, so they start outside the runtime.
    let server = KubeServer::start(usize::try_from(PODS)?)?;
    tokio::runtime::Runtime::new()?.block_on(ask(&server))
}

async fn ask(server: &KubeServer) -> Result<(), Box<dyn Error>> {
    let client = kube::Client::try_from(kube::Config::new(server.url().parse()?))?;
    let clusters = Kubernetes::with_client("generated", client);
    let environments = Environments { kubernetes: Some(clusters), ..Environments::default() };
    let engine = Engine::builder().with_environments(&environments).build().await?;

    let sql = "SELECT cluster, count(*) AS pods FROM kubernetes_pods GROUP BY cluster";
    let batches = engine.query(sql).await?.collect().await?;
    assert_eq!(batches[0].column(0).as_string_view().value(0), "generated");
    assert_eq!(batches[0].column(1).as_primitive::<Int64Type>().value(0), PODS);
    let all = server.pages();
    assert_eq!(all, 3, "pages of 500 pods");

    // A limit stops the paging.
    engine.query("SELECT name FROM kubernetes_pods LIMIT 10").await?.collect().await?;
    let limited = server.pages() - all;
    assert_eq!(limited, 1);

    println!("{PODS} pods in {all} pages; ten of them in {limited}");
    Ok(())
}
