//! DataFusion's optimizer, without work that has no effect.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan},
    optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule},
};

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
        if mentions(&plan, &|expr| matches!(expr, Expr::SetComparison(_)))? {
            return self.0.rewrite(plan, config);
        }
        Ok(Transformed::no(plan))
    }
}

/// Whether an expression somewhere in a plan is like that.
pub(super) fn mentions(plan: &LogicalPlan, is_one: &impl Fn(&Expr) -> bool) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= node_mentions(node, is_one)?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Whether one of a node's own expressions, or of their parts, is like that.
pub(super) fn node_mentions(node: &LogicalPlan, is_one: &impl Fn(&Expr) -> bool) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        found |= expr.exists(|part| Ok(is_one(part)))?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
