//! Planning time of the dialect: statements of its corpus that plain DataFusion also accepts, from text to optimised
//! logical plan, in both dialects. Prints the median over the statements of ours / DataFusion's. The target is at most
//! 1.20.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DataFusionError;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use indago_dialect::{Dialect, NamedColumn, Names, install, parse, rewrite};
use tokio::runtime::Runtime;

/// The corpus's tables with the types of their columns: `i` integer, `r` real, anything else text.
const TABLES: &[(&str, &str)] = &[
    ("t", "id:i a:i b:i r:r s:t n:t g:t"),
    ("u", "id:i t_id:i s:t v:i key:t"),
    ("empty", "id:i s:t r:r"),
    ("processes", "pid:i name:t path:t cmdline:t state:t uid:i euid:i parent:i start_time:i resident_size:i on_disk:i"),
    ("users", "uid:i gid:i username:t directory:t shell:t"),
    ("hash", "path:t directory:t md5:t sha256:t"),
    ("deb_packages", "name:t version:t size:i arch:t"),
    ("listening_ports", "pid:i port:i protocol:i address:t path:t"),
    ("j", "id:i doc:t"),
];

/// Measurements of one statement in one dialect; the least disturbed of them counts.
const ROUNDS: usize = 15;

struct Catalog(HashMap<&'static str, Vec<NamedColumn>>);

impl Names for Catalog {
    fn columns(&self, table: &str) -> Option<Vec<NamedColumn>> {
        self.0.get(table).cloned()
    }
}

fn columns(declared: &str) -> Vec<NamedColumn> {
    let column = |declared: &str| {
        let (name, kind) = declared.split_once(':').expect("name:kind");
        let data_type = match kind {
            "i" => DataType::Int64,
            "r" => DataType::Float64,
            _ => DataType::Utf8View,
        };
        NamedColumn::new(name, data_type)
    };
    declared.split(' ').map(column).collect()
}

struct Planners {
    runtime: Runtime,
    catalog: Catalog,
    ours: SessionState,
    plain: SessionState,
}

impl Planners {
    fn new() -> Self {
        let catalog = Catalog(TABLES.iter().map(|(name, declared)| (*name, columns(declared))).collect());
        let state = |with_dialect: bool| {
            let config = SessionConfig::new().with_target_partitions(1);
            let builder = SessionStateBuilder::new().with_config(config).with_default_features();
            let context = SessionContext::new_with_state(if with_dialect { install(builder) } else { builder }.build());
            for (name, columns) in &catalog.0 {
                let field = |column: &NamedColumn| {
                    Field::new(&column.name, column.data_type.clone().expect("all have one"), true)
                };
                let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
                context.register_table(*name, Arc::new(EmptyTable::new(schema))).expect("a fresh name");
            }
            context.state()
        };
        let (ours, plain) = (state(true), state(false));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Planners { runtime, catalog, ours, plain }
    }

    fn ours(&self, sql: &str) -> Result<LogicalPlan, String> {
        let mut parsed = parse(sql, Dialect::Osquery).map_err(|error| error.to_string())?;
        let statement = rewrite(parsed.remove(0), &self.catalog).map_err(|error| error.to_string())?.statement;
        let plan = self.runtime.block_on(self.ours.statement_to_plan(statement));
        plan.and_then(|plan| self.ours.optimize(&plan)).map_err(|error| error.to_string())
    }

    fn plain(&self, sql: &str) -> Result<LogicalPlan, DataFusionError> {
        let plan = self.runtime.block_on(self.plain.create_logical_plan(sql))?;
        self.plain.optimize(&plan)
    }
}

fn corpus() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/dialect/corpus");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut statements = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("a corpus file");
        let mut statement = String::new();
        for line in text.lines().filter(|line| !line.starts_with("-- ")) {
            statement.push_str(line);
            match statement.strip_suffix(';') {
                Some(sql) => statements.push(sql.to_owned()),
                None => {
                    statement.push('\n');
                    continue;
                }
            }
            statement.clear();
        }
    }
    statements
}

/// The shortest of some runs.
fn shortest(mut run: impl FnMut()) -> Duration {
    let once = |run: &mut dyn FnMut()| {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    (0..ROUNDS).map(|_| once(&mut run)).min().unwrap_or_default()
}

fn planning(criterion: &mut Criterion) {
    let planners = Planners::new();
    let all = corpus();
    let count = all.len();
    let both: Vec<String> =
        all.into_iter().filter(|sql| planners.plain(sql).is_ok() && planners.ours(sql).is_ok()).collect();
    let mut ratios: Vec<(f64, &str)> = Vec::new();
    let (mut ours_total, mut plain_total) = (Duration::ZERO, Duration::ZERO);
    for sql in &both {
        let plain = shortest(|| drop(black_box(planners.plain(sql))));
        let ours = shortest(|| drop(black_box(planners.ours(sql))));
        ratios.push((ours.as_secs_f64() / plain.as_secs_f64(), sql));
        ours_total += ours;
        plain_total += plain;
    }
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at = |part: f64| ratios[((ratios.len() - 1) as f64 * part) as usize].0;
    println!("planning: {} of {count} statements of the corpus plan in both dialects", both.len());
    println!(
        "planning: ours / DataFusion: median {:.3}, quartiles {:.3} and {:.3}, 95 % below {:.3}; in all {:?} / {:?}",
        at(0.5),
        at(0.25),
        at(0.75),
        at(0.95),
        ours_total,
        plain_total
    );
    for (ratio, sql) in ratios.iter().rev().take(5) {
        println!("planning: slowest in proportion: {ratio:.2}  {sql}");
    }
    let mut group = criterion.benchmark_group("planning the corpus");
    group.sample_size(10);
    group.bench_function("osquery", |bencher| {
        bencher.iter(|| both.iter().for_each(|sql| drop(black_box(planners.ours(sql)))));
    });
    group.bench_function("datafusion", |bencher| {
        bencher.iter(|| both.iter().for_each(|sql| drop(black_box(planners.plain(sql)))));
    });
    group.finish();
}

criterion_group!(benches, planning);
criterion_main!(benches);
