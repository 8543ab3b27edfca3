//! DataFusion's rules for physical plans, without two of their bugs.
//!
//! Its filter pushdown finds columns by name: below a join of two tables that both have an `id`, it confuses them. So
//! it runs only if no names repeat; filters were pushed into tables before that.
//!
//! It tells a DISTINCT over unordered rows to stop after as many rows as a LIMIT needs. This causes an internal error
//! if a later rule finds an order in them, such as that of a window function. In that case the hint is removed.

use std::{collections::HashSet, sync::Arc};

use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    physical_optimizer::{PhysicalOptimizerRule, optimizer::PhysicalOptimizer},
    physical_plan::{ExecutionPlan, aggregates::AggregateExec},
};

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// The rules for physical plans, for both dialects.
pub(crate) fn rules() -> Vec<Rule> {
    let careful = |rule: Rule| -> Rule {
        if rule.name().starts_with("FilterPushdown") { Arc::new(WhereNamesAreUnique(rule)) } else { rule }
    };
    let last: Rule = Arc::new(DistinctInNoOrder);
    PhysicalOptimizer::new().rules.into_iter().map(careful).chain([last]).collect()
}

#[derive(Debug)]
struct DistinctInNoOrder;

impl PhysicalOptimizerRule for DistinctInNoOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(aggregate) = node.downcast_ref::<AggregateExec>() else { return Ok(Transformed::no(node)) };
            let is_hint = aggregate.limit_options().is_some_and(|limit| limit.descending().is_none())
                && !aggregate.is_unordered_unfiltered_group_by_distinct()
                && aggregate.get_minmax_desc().is_none();
            Ok(match is_hint {
                true => Transformed::yes(Arc::new(aggregate.with_new_limit_options(None))),
                false => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "DistinctInNoOrder"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct WhereNamesAreUnique(Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for WhereNamesAreUnique {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if repeats(&plan) { Ok(plan) } else { self.0.optimize(plan, config) }
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Whether a step of the plan has two columns with the same name.
fn repeats(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = plan.schema();
    let mut names = HashSet::new();
    !schema.fields().iter().all(|field| names.insert(field.name())) || plan.children().into_iter().any(repeats)
}
