//! DataFusion's optimizer, without work that has no effect.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, ExpressionPlacement, LogicalPlan},
    optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule},
};

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The optimizer's rules. Each rebuilds the plan on its way through it, twice a statement: those that can only change what few
/// plans have run on those plans.
pub(crate) fn rules(optimizer: Optimizer) -> Vec<Rule> {
    let only_where_needed = |rule: Rule| -> Rule {
        match needed(rule.name()) {
            Some(needed) => Arc::new(Only { rule, needed }),
            None => rule,
        }
    };
    optimizer.rules.into_iter().map(only_where_needed).collect()
}

type Needed = fn(&LogicalPlan) -> Result<bool>;

/// What a plan must have for a rule to have an effect; `None` where that is not known.
fn needed(rule: &str) -> Option<Needed> {
    let needed: Needed = match rule {
        "rewrite_set_comparison" => |plan| mentions(plan, &|expr| matches!(expr, Expr::SetComparison(_))),
        "extract_leaf_expressions" | "push_down_leaf_projections" => {
            |plan| mentions(plan, &|expr| expr.placement() == ExpressionPlacement::MoveTowardsLeafNodes)
        }
        "eliminate_join"
        | "eliminate_cross_join"
        | "eliminate_outer_join"
        | "extract_equijoin_predicate"
        | "filter_null_join_keys" => |plan| has(plan, &|node| matches!(node, LogicalPlan::Join(_))),
        "eliminate_duplicated_expr" => {
            |plan| has(plan, &|node| matches!(node, LogicalPlan::Sort(_) | LogicalPlan::Aggregate(_)))
        }
        _ => return None,
    };
    Some(needed)
}

#[derive(Debug)]
struct Only {
    rule: Rule,
    needed: Needed,
}

impl OptimizerRule for Only {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if !(self.needed)(&plan)? {
            return Ok(Transformed::no(plan));
        }
        let node = |node| self.rule.rewrite(node, config);
        match self.rule.apply_order() {
            None => node(plan),
            Some(ApplyOrder::TopDown) => plan.transform_down_with_subqueries(node),
            Some(ApplyOrder::BottomUp) => plan.transform_up_with_subqueries(node),
        }
    }
}

/// Whether a node somewhere in a plan is like that.
fn has(plan: &LogicalPlan, is_one: &impl Fn(&LogicalPlan) -> bool) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= is_one(node);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
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
