//! DataFusion's optimizer, without work that has no effect.

use std::sync::Arc;

use datafusion::{
    common::{Result, tree_node::Transformed},
    logical_expr::{Expr, LogicalPlan},
    optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule},
};

use super::search::{any_expr, any_node};

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The optimizer's rules. The one for `x = ANY (SELECT ..)` merges the schemas of every node's inputs before it looks for one:
/// it runs only on plans that have one.
pub(crate) fn rules(optimizer: Optimizer) -> Vec<Rule> {
    let only_where_needed = |rule: Rule| -> Rule {
        if rule.name() == "rewrite_set_comparison" { Arc::new(SetComparisons(rule)) } else { rule }
    };
    optimizer.rules.into_iter().map(only_where_needed).collect()
}

#[derive(Debug)]
struct SetComparisons(Rule);

impl OptimizerRule for SetComparisons {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if any_node(&plan, |node| any_expr(node, |expr| matches!(expr, Expr::SetComparison(_))))? {
            return self.0.rewrite(plan, config);
        }
        Ok(Transformed::no(plan))
    }
}
