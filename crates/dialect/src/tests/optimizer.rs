//! The optimizer that skips unnecessary rules creates the same plans as DataFusion's own.

use datafusion::{
    execution::{SessionState, session_state::SessionStateBuilder},
    optimizer::Optimizer,
};

use super::{corpus::cases, harness::Both, maps};
use crate::plan::optimizer::with_ours;

/// A statement's plan, or the reason why there is none.
async fn optimized(state: &SessionState, both: &Both, sql: &str) -> Result<String, String> {
    let parsed = crate::parse(sql, crate::Dialect::Osquery).map_err(|error| error.to_string())?;
    let statement = parsed.into_iter().next().ok_or("no statement")?;
    let statement = crate::rewrite(statement, &both.names).map_err(|error| error.to_string())?.statement;
    let plan = state.statement_to_plan(statement).await.map_err(|error| error.to_string())?;
    state.optimize(&plan).map(|plan| plan.display_indent().to_string()).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "current_thread")]
async fn skipped_rules_would_have_changed_nothing() {
    let both = maps::with_pods();
    let builder = || SessionStateBuilder::new_from_existing(both.context.state());
    // Both generate the optimizer's names from the same counter values.
    let (ours, all) =
        (builder().build(), builder().with_optimizer_rules(with_ours(Optimizer::new().rules).collect()).build());
    let corpus: Vec<String> = cases().into_iter().map(|case| case.sql.trim_end_matches(';').to_owned()).collect();
    let (mut planned, mut differing) = (0, Vec::new());
    for sql in corpus.iter().map(String::as_str).chain(maps::ANSWERS.iter().map(|(sql, _)| *sql)) {
        let plans = (optimized(&ours, &both, sql).await, optimized(&all, &both, sql).await);
        match plans {
            (Ok(ours), Ok(all)) if ours == all => planned += 1,
            (Err(_), Err(_)) => {}
            (ours, all) => differing.push(format!("{sql}\n  ours: {ours:?}\n  all rules: {all:?}")),
        }
    }
    assert!(differing.is_empty(), "{} plans differ:\n{}", differing.len(), differing.join("\n"));
    assert!(planned > 3000, "only {planned} statements were planned");
}
