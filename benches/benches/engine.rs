//! Overhead of the engine: planning, a scan, a lookup join; and the cost of the pods of a large cluster.

use criterion::{Criterion, criterion_group, criterion_main};
use indago::environments::{Environments, Kubernetes};
use indago::{Defaults as _, Engine, Limits};
use indago_testkit::beds::generated::KubeServer;

const QUERIES: [(&str, &str); 4] = [
    ("select 1", "SELECT 1"),
    ("scan of pids", "SELECT pid FROM processes"),
    ("scan of six columns", "SELECT pid, name, parent, state, uid, resident_size FROM processes"),
    ("lookup join", "SELECT p.pid, f.size FROM processes p LEFT JOIN file f ON f.path = p.path"),
];

fn queries(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let builder = Engine::builder().with_defaults().expect("the machine's environments");
    let engine = runtime.block_on(builder.build()).expect("the engine builds");
    for (name, sql) in QUERIES {
        criterion.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let query = engine.query(sql).await.expect("it plans");
                query.collect().await.expect("it runs")
            });
        });
    }
}

const PODS: usize = 20_000;

/// A cluster whose server has prepared its responses. The rest is fetching and parsing them.
fn pods(criterion: &mut Criterion) {
    let server = KubeServer::start(PODS).expect("the server starts");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let engine = runtime.block_on(async {
        let address = server.url().parse().expect("an address");
        let client = kube::Client::try_from(kube::Config::new(address)).expect("a client");
        let kubernetes = Some(Kubernetes::with_client("generated", client));
        let environments = Environments { kubernetes, ..Environments::default() };
        let limits = Limits { calls_per_second: f64::from(u32::MAX), ..Limits::default() };
        let builder = Engine::builder().with_environments(&environments).limits(limits);
        builder.build().await.expect("the engine builds")
    });
    let mut group = criterion.benchmark_group("pods of a large cluster");
    group.sample_size(10);
    for (name, columns) in [("four columns", "namespace, name, phase, node_name"), ("all columns", "*")] {
        let sql = format!("SELECT {columns} FROM kubernetes_pods");
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let batches = engine.query(&sql).await.expect("it plans").collect().await.expect("it runs");
                assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), PODS);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, queries, pods);
criterion_main!(benches);
