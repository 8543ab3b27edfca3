//! osquery and SQLite SQL on DataFusion.
//!
//! Three steps turn a user's text into a DataFusion plan with SQLite's answer:
//!
//! 1. [`parse`] splits text into statements; errors carry line, column and byte offset.
//! 2. [`rewrite`] changes the parsed tree, asking [`Names`] what tables have which columns. Aliases in WHERE, double-quoted
//!    strings, bare columns under GROUP BY and the like become what DataFusion plans.
//! 3. The `SessionState` built through [`install`] plans it: its operators, functions and analyzer rule know the types of
//!    both sides and apply SQLite's affinity there. `column = literal`, `IN`, `LIKE 'x%'` (as a case-insensitive
//!    [`Expr::Like`](datafusion::logical_expr::Expr::Like)) and `column = column` stay plain wherever types agree.
//!
//! [`Dialect::DataFusion`] switches all of it off: parse with it and build the state without [`install`].
//!
//! A LIKE pattern arrives at a table in Arrow's form, where a backslash escapes: `\\` is one backslash, `\%` a percent sign.

mod collation;
mod functions;
mod guard;
mod interrupt;
mod names;
mod parser;
mod plan;
mod rewrite;
#[cfg(test)]
mod tests;
mod value;

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
pub use names::{NamedColumn, Names, NoNames, distinct_names};
pub use parser::{ParseError, Parsed, parse};
pub use plan::{COLLATION_METADATA, NUMBER_METADATA, StrictFunctions, mixed_to_text};
pub use rewrite::{DialectError, lists_tables, rewrite};
pub use value::real_to_text;

/// Which SQL a text is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// What DataFusion accepts and what osquery and SQLite accept; where they disagree, osquery is right.
    #[default]
    Osquery,
    /// DataFusion's own SQL.
    DataFusion,
}

/// Adds the functions, planners, analyzer rule and session options of the dialect.
///
/// Call it on a builder that has its default features and, if it has its own, its configuration.
pub fn install(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let mut config = builder.config().take().unwrap_or_default();
    let options = config.options_mut();
    // SQLite sorts NULL below everything.
    options.sql_parser.default_null_ordering = "nulls_min".to_owned();
    options.sql_parser.map_string_types_to_utf8view = true;
    options.sql_parser.collect_spans = true;
    // A CASE can be known not to be NULL by its conditions before the plan is physical and no longer after: DataFusion takes
    // the difference for a mistake of its own.
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

/// What [`Dialect::DataFusion`] needs instead of [`install`]: rules without mistakes of DataFusion's own that give wrong rows
/// or none.
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
