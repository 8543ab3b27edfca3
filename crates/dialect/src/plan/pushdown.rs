//! DataFusion's physical filter pushdown finds columns by name: beneath a join of two tables that both have an `id` it
//! takes the one for the other. It runs only where no names repeat; filters were pushed into tables before that.

use std::{collections::HashSet, sync::Arc};

use datafusion::{
    common::{Result, config::ConfigOptions},
    physical_optimizer::{PhysicalOptimizerRule, optimizer::PhysicalOptimizer},
    physical_plan::ExecutionPlan,
};

/// DataFusion's own rules, its filter pushdown only where it is right.
pub(crate) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let careful = |rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>| -> Arc<dyn PhysicalOptimizerRule + Send + Sync> {
        if rule.name().starts_with("FilterPushdown") { Arc::new(WhereNamesAreUnique(rule)) } else { rule }
    };
    PhysicalOptimizer::new().rules.into_iter().map(careful).collect()
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

/// Whether a step of the plan has two columns of one name.
fn repeats(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = plan.schema();
    let mut names = HashSet::new();
    !schema.fields().iter().all(|field| names.insert(field.name())) || plan.children().into_iter().any(repeats)
}
