//! What a query costs beside the reading: planning, a scan, a lookup join.

use criterion::{Criterion, criterion_group, criterion_main};
use indago::{Defaults as _, Engine};

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

criterion_group!(benches, queries);
criterion_main!(benches);
