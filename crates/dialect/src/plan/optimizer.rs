//! DataFusion's optimizer, without work that has no effect.

use std::sync::Arc;

use datafusion::{
    common::{
        DFSchemaRef, Result,
        tree_node::{Transformed, TreeNodeRecursion, TreeNodeRewriter},
    },
    logical_expr::{EmptyRelation, Expr, ExpressionPlacement, LogicalPlan},
    optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule},
};

use super::{
    strict::StrictFunctions,
    walk::{any_expr, any_node, each_node},
};

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The optimizer's rules.
///
/// Most rules change one kind of node, and each traverses the entire plan to find that it has none, at least twice per
/// statement. Here neighbouring rules of this kind are one rule: it checks once which nodes the plan has and runs the
/// rules that can matter.
pub(crate) fn rules(optimizer: Optimizer) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut group: Vec<(Need, Rule)> = Vec::new();
    for rule in with_ours(optimizer.rules) {
        match need(rule.name()) {
            Some(need) => group.push((need, rule)),
            None => {
                rules.extend(Group::of(&mut group));
                rules.push(rule);
            }
        }
    }
    rules.extend(Group::of(&mut group));
    rules
}

/// The rules, including our own.
pub(crate) fn with_ours(rules: Vec<Rule>) -> impl Iterator<Item = Rule> {
    rules.into_iter().flat_map(|rule| {
        let ours = (rule.name() == "eliminate_outer_join").then(|| Arc::new(StrictFunctions) as Rule);
        std::iter::once(rule).chain(ours)
    })
}

/// What a plan must contain for a rule to change it.
#[derive(Clone, Copy, Debug)]
enum Need {
    Node(Nodes),
    /// `x = ANY (SELECT ..)`
    SetComparison,
    /// A field taken out of a map or a struct, or such a field that an earlier pass has moved.
    Field,
}

/// A set of kinds of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Nodes(u16);

impl Nodes {
    const JOIN: Self = Self(1);
    const AGGREGATE: Self = Self(1 << 1);
    const SORT: Self = Self(1 << 2);
    const LIMIT: Self = Self(1 << 3);
    const DISTINCT: Self = Self(1 << 4);
    const UNION: Self = Self(1 << 5);
    const SUBQUERY: Self = Self(1 << 6);
    const EMPTY: Self = Self(1 << 7);
    const FILTER: Self = Self(1 << 8);

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has_any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    fn of(node: &LogicalPlan) -> Self {
        match node {
            LogicalPlan::Filter(_) => Self::FILTER,
            LogicalPlan::Join(_) => Self::JOIN,
            LogicalPlan::Aggregate(_) => Self::AGGREGATE,
            LogicalPlan::Sort(_) => Self::SORT,
            LogicalPlan::Limit(_) => Self::LIMIT,
            LogicalPlan::Distinct(_) => Self::DISTINCT,
            LogicalPlan::Union(_) => Self::UNION,
            LogicalPlan::Subquery(_) => Self::SUBQUERY,
            LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, .. }) => Self::EMPTY,
            _ => Self::default(),
        }
    }

    /// The kinds in a plan and its subqueries.
    fn within(plan: &LogicalPlan) -> Result<Self> {
        let mut nodes = Self::default();
        each_node(plan, &mut |node| {
            nodes = nodes.or(Self::of(node));
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(nodes)
    }
}

/// The kinds that a rule of DataFusion needs; `None` for a rule that may change any plan.
fn need(rule: &str) -> Option<Need> {
    let nodes = match rule {
        "rewrite_set_comparison" => return Some(Need::SetComparison),
        "extract_leaf_expressions" | "push_down_leaf_projections" => return Some(Need::Field),
        "eliminate_join"
        | "decorrelate_lateral_join"
        | "extract_equijoin_predicate"
        | "eliminate_cross_join"
        | "filter_null_join_keys"
        | "eliminate_outer_join"
        | "strict_functions" => Nodes::JOIN,
        "decorrelate_predicate_subquery" | "scalar_subquery_to_join" => Nodes::SUBQUERY,
        "single_distinct_aggregation_to_group_by" | "eliminate_group_by_constant" => Nodes::AGGREGATE,
        "eliminate_duplicated_expr" => Nodes::SORT.or(Nodes::AGGREGATE),
        "eliminate_filter" => Nodes::FILTER,
        "push_down_filter" => Nodes::FILTER.or(Nodes::JOIN),
        "eliminate_limit" | "push_down_limit" => Nodes::LIMIT,
        "optimize_unions" => Nodes::UNION,
        "unions_to_filter" | "replace_distinct_aggregate" => Nodes::DISTINCT,
        "propagate_empty_relation" => Nodes::EMPTY.or(Nodes::UNION),
        _ => return None,
    };
    Some(Need::Node(nodes))
}

/// The prefix of the names that DataFusion gives to fields that it moves.
const MOVED_FIELD: &str = "__datafusion_extracted";

fn is_field(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => alias.name.starts_with(MOVED_FIELD),
        Expr::Column(column) => column.name.starts_with(MOVED_FIELD),
        expr => expr.placement() == ExpressionPlacement::MoveTowardsLeafNodes,
    }
}

/// Neighbouring rules that only change what few plans contain.
#[derive(Debug)]
struct Group {
    /// The rules' names.
    name: String,
    rules: Vec<(Need, Rule)>,
}

impl Group {
    /// The rules collected so far, if any, as one.
    fn of(gathered: &mut Vec<(Need, Rule)>) -> Option<Rule> {
        let rules = std::mem::take(gathered);
        let names: Vec<_> = rules.iter().map(|(_, rule)| rule.name()).collect();
        let name = names.join(", ");
        (!rules.is_empty()).then(|| Arc::new(Group { name, rules }) as Rule)
    }
}

impl OptimizerRule for Group {
    fn name(&self) -> &str {
        &self.name
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut all = Transformed::no(plan);
        let mut nodes = None;
        for (need, rule) in &self.rules {
            let plan = &all.data;
            let is_needed = match need {
                Need::Node(kinds) => match nodes {
                    Some(nodes) => kinds.has_any(nodes),
                    None => kinds.has_any(*nodes.insert(Nodes::within(plan)?)),
                },
                Need::SetComparison => {
                    any_node(plan, &|node| any_expr(node, &|expr| matches!(expr, Expr::SetComparison(_))))?
                }
                Need::Field => any_node(plan, &|node| any_expr(node, &is_field))?,
            };
            if !is_needed {
                continue;
            }
            let changed = apply(rule.as_ref(), all.data, config)
                .map_err(|error| error.context(format!("Optimizer rule '{}' failed", rule.name())))?;
            if changed.transformed {
                nodes = None;
            }
            all = Transformed::new_transformed(changed.data, all.transformed || changed.transformed);
        }
        Ok(all)
    }
}

/// Applies a rule to a plan, as the optimizer does.
fn apply(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match rule.apply_order() {
        None => rule.rewrite(plan, config),
        Some(order) => plan.rewrite_with_subqueries(&mut Walk { rule, order, config, inputs: Vec::new() }),
    }
}

struct Walk<'a> {
    rule: &'a dyn OptimizerRule,
    order: ApplyOrder,
    config: &'a dyn OptimizerConfig,
    /// For each node on the path to the current one, the schemas of its inputs before the rule ran.
    inputs: Vec<Vec<DFSchemaRef>>,
}

fn input_schemas(node: &LogicalPlan) -> Vec<DFSchemaRef> {
    node.inputs().into_iter().map(|input| Arc::clone(input.schema())).collect()
}

impl TreeNodeRewriter for Walk<'_> {
    type Node = LogicalPlan;

    fn f_down(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let node = match self.order {
            ApplyOrder::TopDown => self.rule.rewrite(node, self.config)?,
            ApplyOrder::BottomUp => Transformed::no(node),
        };
        self.inputs.push(input_schemas(&node.data));
        Ok(node)
    }

    fn f_up(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let before = self.inputs.pop();
        // A node's schema follows its inputs': later rules depend on it.
        let node =
            if before.is_some_and(|before| before != input_schemas(&node)) { node.recompute_schema()? } else { node };
        match self.order {
            ApplyOrder::TopDown => Ok(Transformed::no(node)),
            ApplyOrder::BottomUp => self.rule.rewrite(node, self.config),
        }
    }
}
