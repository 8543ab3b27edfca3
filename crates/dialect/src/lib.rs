//! osquery and SQLite SQL on DataFusion.
//!
//! A user's text becomes a DataFusion plan with SQLite's results in three steps:
//!
//! 1. [`parse`] splits text into statements; errors have line, column and byte offset.
//! 2. [`rewrite`] changes the parsed tree and looks up columns in [`Names`]. Aliases in WHERE, double-quoted
//!    strings, bare columns under GROUP BY and similar constructs become SQL that DataFusion plans.
//! 3. A `SessionState` built through [`install`] plans it: its operators, functions and analyzer rules know the types
//!    of both sides and apply SQLite's affinity. `column = literal`, `IN`, `LIKE 'x%'` (as a case-insensitive
//!    [`Expr::Like`](datafusion::logical_expr::Expr::Like)) and `column = column` are unchanged if the types agree.
//!
//! [`Dialect::DataFusion`] switches all of this off: parse with it and build the state without [`install`].
//!
//! A LIKE pattern is passed to a table in Arrow's form, which escapes with a backslash: `\\` is one backslash, `\%` a
//! percent sign.

pub mod build;
mod class;
mod collation;
mod functions;
mod guard;
mod interrupt;
mod marks;
mod names;
mod parser;
mod plan;
mod rewrite;
mod system_time;
#[cfg(test)]
mod tests;
mod value;
mod walk;

use std::sync::Arc;

use datafusion::{
    execution::session_state::SessionStateBuilder,
    optimizer::{
        AnalyzerRule,
        analyzer::{resolve_grouping_function::ResolveGroupingFunction, type_coercion::TypeCoercion},
    },
};

pub use collation::Collation;
pub use functions::{FunctionDoc, functions};
pub use guard::{guarded, with_shared_constants};
pub use interrupt::{Interrupt, Memory};
pub use marks::{COLLATION_METADATA, NUMBER_METADATA, mixed_to_text};
pub use names::{NamedColumn, Names, NoNames, distinct_names};
pub use parser::{Dialect, ParseError, Parsed, lowercase_start, parse};
pub use plan::{
    StrictFunctions,
    walk::{each_node, plans_down, plans_up},
};
pub use rewrite::{ComparedText, DialectError, Mismatch, Rewritten, lists_tables, rewrite};
pub use system_time::SystemTime;
pub use value::real_to_text;
pub use walk::{any_expr, visit, visit_mut, visit_query_mut};

/// Adds the functions, planners, analyzer rule and session options of the dialect.
///
/// Call it on a builder that has its default features, and its configuration if it needs its own.
pub fn install(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let mut config = builder.config().take().unwrap_or_default();
    let options = config.options_mut();
    // SQLite sorts NULL below everything.
    options.sql_parser.default_null_ordering = "nulls_min".to_owned();
    options.sql_parser.map_string_types_to_utf8view = true;
    options.sql_parser.collect_spans = true;
    // The planner may conclude from its conditions that a CASE is never NULL, and lose that knowledge in the physical
    // plan. DataFusion would report the difference as an internal error.
    options.execution.skip_physical_aggregate_schema_check = true;
    builder = builder.with_config(config);
    builder.scalar_functions().get_or_insert_default().extend(functions::scalars());
    let aggregates = [functions::sum::function(), functions::string_agg::function()];
    builder.aggregate_functions().get_or_insert_default().extend(aggregates);
    builder.expr_planners().get_or_insert_default().insert(0, Arc::new(plan::OperatorPlanner));
    let optimizer = builder.optimizer().take().unwrap_or_default();
    let builder = builder
        .with_optimizer_rules(plan::optimizer::rules(optimizer))
        .with_type_planner(Arc::new(plan::WideTypes))
        .with_relation_planners(vec![Arc::new(plan::TableFunctions)]);
    let standard = plan::StandardRule { sqlite: true };
    with_rules(
        builder,
        vec![
            Arc::new(standard),
            Arc::new(plan::AffinityRule),
            Arc::new(plan::LeftOfInRule),
            Arc::new(plan::DependentRule),
        ],
    )
}

/// For [`Dialect::DataFusion`], in place of [`install`]: rules that work around bugs of DataFusion that return wrong
/// rows or none.
pub fn install_plain(builder: SessionStateBuilder) -> SessionStateBuilder {
    with_rules(builder, vec![Arc::new(plan::StandardRule { sqlite: false })])
}

fn with_rules(
    mut builder: SessionStateBuilder,
    mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
) -> SessionStateBuilder {
    for function in builder.scalar_functions().get_or_insert_default() {
        *function = guard::guarded_shared(function);
    }
    rules.push(Arc::new(plan::TimeRule));
    rules.push(Arc::new(guard::GuardRule));
    rules.push(Arc::new(ResolveGroupingFunction::new()));
    rules.push(Arc::new(TypeCoercion::new()));
    builder.with_analyzer_rules(rules).with_physical_optimizer_rules(plan::pushdown::rules())
}
