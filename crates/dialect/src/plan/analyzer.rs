//! Constructs that DataFusion plans without calling our planners: IN, LIKE, and sorting by a collated column.

use std::{collections::HashSet, sync::Arc};

use arrow_schema::DataType;
use datafusion::{
    common::{Column, DFSchema, JoinConstraint, Result, ScalarValue, config::ConfigOptions, tree_node::Transformed},
    functions_aggregate::{expr_fn::first_value, first_last::first_value_udaf},
    logical_expr::{
        Aggregate, Distinct, Expr, ExprSchemable, LogicalPlan, Operator, Subquery,
        builder::LogicalPlanBuilder,
        expr::{AggregateFunction, BinaryExpr, InList, InSubquery, Like, WindowFunction},
        expr_rewriter::NamePreserver,
        lit,
        utils::merge_schema,
        when,
    },
    optimizer::AnalyzerRule,
};

use super::{
    compare::{as_key, bare, comparison, equal_columns},
    operand::{binary, cast, class, collation, constant_unless_null, has_affinity, is_column, is_dynamic},
    walk::{any_expr, exprs_up, own_exprs, plans_up},
};
use crate::{class::Class, collation::Collation, functions::call, marks::is_mixed};

/// Gives IN and LIKE SQLite's conversions before DataFusion's own type coercion.
#[derive(Debug)]
pub(crate) struct AffinityRule;

impl AnalyzerRule for AffinityRule {
    fn name(&self) -> &str {
        "sqlite_affinity"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plans_up(plan, &mut |plan| {
            let sorts = matches!(plan, LogicalPlan::Sort(_));
            let is_condition = matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
            if !sorts && !any_expr(&plan, &is_rewritten)? {
                return by_collation(plan);
            }
            let schema = match plan.inputs().as_slice() {
                [input] if !input.schema().fields().is_empty() => Arc::clone(input.schema()),
                [] | [_] => Arc::clone(plan.schema()),
                inputs => Arc::new(merge_schema(inputs)),
            };
            let preserver = NamePreserver::new(&plan);
            let changed = own_exprs(plan, &mut |expr| {
                let name = preserver.save(&expr);
                let members = if is_condition { members(expr, &schema)? } else { Transformed::no(expr) };
                let mut rewritten =
                    members.transform_data(|expr| exprs_up(expr, &mut |expr| rewrite(expr, &schema)))?;
                if sorts && let Some(collated) = collated_key(&rewritten.data, &schema) {
                    rewritten = Transformed::yes(collated);
                }
                if is_condition {
                    rewritten = rewritten.transform_data(|expr| Ok(with_keys(expr, &schema)))?;
                }
                Ok(rewritten.update_data(|expr| name.restore(expr)))
            })?;
            let changed = if changed.transformed { changed.map_data(LogicalPlan::recompute_schema)? } else { changed };
            changed.transform_data(by_collation)
        })
        .map(|changed| changed.data)
    }
}

/// A condition: in its ANDs and ORs, only true counts.
fn members(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let (left, right) = (members(*left, schema)?, members(*right, schema)?);
            let changed = left.transformed || right.transformed;
            Ok(Transformed::new_transformed(binary(left.data, op, right.data), changed))
        }
        Expr::InSubquery(inner) if !inner.negated => in_subquery(inner, schema, true),
        other => Ok(Transformed::no(other)),
    }
}

/// A condition; the parts of its ANDs become join keys if possible.
fn with_keys(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            let (left, right) = (with_keys(*left, schema), with_keys(*right, schema));
            let changed = left.transformed || right.transformed;
            Transformed::new_transformed(Expr::and(left.data, right.data), changed)
        }
        condition => as_key(condition, schema),
    }
}

/// Sorts by the collation's key if the column has a collation.
fn collated_key(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (collation, _) = collation(expr, schema)?;
    if collation == Collation::Binary || class(expr, schema) != Some(Class::Text) {
        return None;
    }
    Some(call("collation_key", vec![bare(expr), lit(collation.name())]))
}

/// Groups, distinct rows and set operations over columns with a collation use its keys and return one spelling.
fn by_collation(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => {
            let schema = aggregate.input.schema();
            let keys: Vec<Option<Expr>> = aggregate.group_expr.iter().map(|expr| collated_key(expr, schema)).collect();
            let sets = aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_)));
            if sets || keys.iter().all(Option::is_none) {
                return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
            }
            let Aggregate { input, group_expr, aggr_expr, schema: output, .. } = aggregate;
            Ok(Transformed::yes(grouped_by_keys(input, group_expr, keys, aggr_expr, &output)?))
        }
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
            let keys: Vec<Option<Expr>> = columns.iter().map(|expr| collated_key(expr, input.schema())).collect();
            if keys.iter().all(Option::is_none) {
                return Ok(Transformed::no(LogicalPlan::Distinct(Distinct::All(input))));
            }
            let output = Arc::clone(input.schema());
            Ok(Transformed::yes(grouped_by_keys(input, columns, keys, Vec::new(), &output)?))
        }
        LogicalPlan::Join(mut join) if join.join_constraint == JoinConstraint::Using => {
            let mut changed = false;
            for (left, right) in &mut join.on {
                let (Some(l), Some(r)) = (class(left, join.left.schema()), class(right, join.right.schema())) else {
                    continue;
                };
                changed |= equal_columns(left, l, right, r);
            }
            // It is no longer a join on columns.
            join.join_constraint = if changed { JoinConstraint::On } else { JoinConstraint::Using };
            Ok(Transformed::new_transformed(LogicalPlan::Join(join), changed))
        }
        // INTERSECT and EXCEPT became this.
        LogicalPlan::Join(mut join) if join.join_constraint == JoinConstraint::On && !join.on.is_empty() => {
            let mut changed = false;
            for (left, right) in &mut join.on {
                let (Some((collation, _)), Some(Class::Text)) =
                    (collation(left, join.left.schema()), class(right, join.right.schema()))
                else {
                    continue;
                };
                if collation != Collation::Binary {
                    *left = call("collation_key", vec![left.clone(), lit(collation.name())]);
                    *right = call("collation_key", vec![right.clone(), lit(collation.name())]);
                    changed = true;
                }
            }
            let plan = LogicalPlan::Join(join);
            Ok(if changed { Transformed::yes(plan) } else { Transformed::no(plan) })
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Groups by keys; an expression with a key returns its first spelling.
fn grouped_by_keys(
    input: Arc<LogicalPlan>,
    groups: Vec<Expr>,
    keys: Vec<Option<Expr>>,
    mut found: Vec<Expr>,
    output: &DFSchema,
) -> Result<LogicalPlan> {
    let mut items = Vec::new();
    let mut by = Vec::new();
    let mut shown = Vec::new();
    for (at, (group, key)) in groups.into_iter().zip(keys).enumerate() {
        let (relation, field) = output.qualified_field(at);
        match key {
            Some(key) => {
                let name = format!("__spelling_{at}");
                by.push(key.alias(format!("__key_{at}")));
                let spelling = Expr::Column(Column::new_unqualified(&name));
                items.push(spelling.alias_qualified(relation.cloned(), field.name()));
                shown.push(first_value(group, Vec::new()).alias(name));
            }
            None => {
                by.push(group);
                items.push(Expr::Column(Column::new(relation.cloned(), field.name())));
            }
        }
    }
    let columns = output.columns().into_iter().skip(items.len());
    items.extend(columns.map(Expr::Column));
    found.extend(shown);
    let grouped = LogicalPlan::Aggregate(Aggregate::try_new(input, by, found)?);
    LogicalPlanBuilder::from(grouped).project(items)?.build()
}

/// `max` and `min` by a collation: the first value in its order. `count(DISTINCT x)` counts keys.
fn aggregate(mut function: AggregateFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut changed = false;
    for term in &mut function.params.order_by {
        if let Some(key) = collated_key(&term.expr, schema) {
            term.expr = key;
            changed = true;
        }
    }
    // The mark of numbers that came from text would be lost, too.
    let key = |arg: &Expr| {
        let mixed = arg.to_field(schema).is_ok_and(|(_, field)| is_mixed(&field));
        collated_key(arg, schema).or_else(|| mixed.then(|| arg.clone()))
    };
    if let [arg] = function.params.args.as_slice()
        && let Some(key) = key(arg)
    {
        match function.func.name() {
            name @ ("max" | "min") => {
                let arg = bare(arg);
                let present = arg.clone().is_not_null();
                let filter = match function.params.filter.take() {
                    Some(filter) => Expr::and(*filter, present),
                    None => present,
                };
                let order = vec![key.sort(name == "min", false)];
                let function = first_value_udaf();
                let first = AggregateFunction::new_udf(function, vec![arg], false, Some(Box::new(filter)), order, None);
                return Ok(Transformed::yes(Expr::AggregateFunction(first)));
            }
            "count" if function.params.distinct => {
                function.params.args = vec![key];
                changed = true;
            }
            _ => {}
        }
    }
    let expr = Expr::AggregateFunction(function);
    Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
}

/// Windows partition and sort by the collation.
fn window(mut function: Box<WindowFunction>, schema: &DFSchema) -> Transformed<Expr> {
    let mut changed = false;
    let terms = function.params.order_by.iter_mut().map(|term| &mut term.expr);
    for expr in function.params.partition_by.iter_mut().chain(terms) {
        if let Some(key) = collated_key(expr, schema) {
            *expr = key;
            changed = true;
        }
    }
    let expr = Expr::WindowFunction(function);
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

/// Whether [`rewrite`] changes an expression.
fn is_rewritten(expr: &Expr) -> bool {
    match expr {
        Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
        | Expr::Between(_)
        | Expr::InList(_)
        | Expr::InSubquery(_)
        | Expr::Like(_) => true,
        Expr::ScalarFunction(function) => matches!(function.name(), "nullif" | "compare"),
        _ => false,
    }
}

/// Whether one is an integer and the other a real.
fn are_two_kinds_of_number(left: Class, right: Class) -> bool {
    matches!((left, right), (Class::Int, Class::Real) | (Class::Real, Class::Int))
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::AggregateFunction(function) => aggregate(function, schema),
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            match disjoint(&left, op, &right) {
                Some(answer) => Ok(Transformed::yes(answer)),
                None => Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
            }
        }
        Expr::WindowFunction(function) => Ok(window(function, schema)),
        Expr::Between(between) => {
            let collated = collated_key(&between.expr, schema).is_some();
            let class = |expr| class(expr, schema);
            let (subject, low, high) = match (class(&between.expr), class(&between.low), class(&between.high)) {
                (Some(subject), Some(low), Some(high))
                    if collated || are_two_kinds_of_number(subject, low) || are_two_kinds_of_number(subject, high) =>
                {
                    (subject, low, high)
                }
                _ => return Ok(Transformed::no(Expr::Between(between))),
            };
            let above = comparison(Operator::GtEq, &between.expr, subject, &between.low, low, schema);
            let below = comparison(Operator::LtEq, &between.expr, subject, &between.high, high, schema);
            let inside = Expr::and(above, below);
            Ok(Transformed::yes(if between.negated { Expr::Not(Box::new(inside)) } else { inside }))
        }
        Expr::ScalarFunction(function) if function.name() == "nullif" && function.args.len() == 2 => {
            let collated = function.args.iter().any(|arg| collated_key(arg, schema).is_some());
            let (left, right) = (&function.args[0], &function.args[1]);
            let (Some(l), Some(r), true) = (class(left, schema), class(right, schema), collated) else {
                return Ok(Transformed::no(Expr::ScalarFunction(function)));
            };
            let equal = comparison(Operator::Eq, left, l, right, r, schema);
            let none = Expr::Literal(ScalarValue::Null, None);
            Ok(Transformed::yes(when(equal, none).otherwise(bare(left))?))
        }
        Expr::InList(list) => in_list(list, schema),
        Expr::InSubquery(inner) => in_subquery(inner, schema, false),
        Expr::Like(like) => {
            let text = |side: Box<Expr>| -> (Box<Expr>, bool) {
                match class(&side, schema) {
                    Some(Class::Other) if !side.get_type(schema).is_ok_and(|kind| kind.is_nested()) => (side, false),
                    Some(Class::Text | Class::Null) | None => (side, false),
                    Some(_) => (Box::new(call("as_text", vec![*side])), true),
                }
            };
            let (subject, first) = text(like.expr);
            let (pattern, second) = text(like.pattern);
            let like = Expr::Like(Like { expr: subject, pattern, ..like });
            Ok(if first || second { Transformed::yes(like) } else { Transformed::no(like) })
        }
        other => Ok(Transformed::no(other)),
    }
}

/// `x NOT IN (1) OR x NOT IN (2)` and `x IN (1) AND x IN (2)`: if the lists have no common item, the result is
/// constant, except for a NULL. DataFusion merges the lists and ignores the NULL.
fn disjoint(left: &Expr, op: Operator, right: &Expr) -> Option<Expr> {
    fn literal(item: &Expr) -> Option<&ScalarValue> {
        match item {
            Expr::Literal(value, _) if !value.is_null() => Some(value),
            _ => None,
        }
    }
    let (Expr::InList(left), Expr::InList(right)) = (left, right) else { return None };
    let negated = op == Operator::Or;
    if left.expr != right.expr || left.negated != negated || right.negated != negated {
        return None;
    }
    // Not a set of expressions: their hash functions are much code.
    let items: HashSet<&ScalarValue> = left.list.iter().map(literal).collect::<Option<_>>()?;
    let others: Vec<&ScalarValue> = right.list.iter().map(literal).collect::<Option<_>>()?;
    let shared = right.list.iter().zip(others).filter(|(_, value)| items.contains(value));
    let shared: Vec<Expr> = shared.map(|(item, _)| item.clone()).collect();
    Some(if shared.is_empty() {
        constant_unless_null(negated, &[&*left.expr])
    } else {
        Expr::InList(InList { expr: left.expr.clone(), list: shared, negated })
    })
}

fn in_list(InList { expr, list, negated }: InList, schema: &DFSchema) -> Result<Transformed<Expr>> {
    // Only the left side determines the collation.
    let list: Vec<Expr> = list.iter().map(bare).collect();
    let same = |expr, list| Ok(Transformed::no(Expr::InList(InList { expr, list, negated })));
    let Some(subject) = class(&expr, schema) else { return same(expr, list) };
    let collated = collation(&expr, schema).is_some_and(|(collation, _)| collation != Collation::Binary);
    if subject == Class::Null && !list.is_empty() {
        return Ok(Transformed::yes(Expr::Literal(ScalarValue::Boolean(None), None)));
    }
    if subject == Class::Other || subject == Class::Null {
        return same(expr, list);
    }
    let mixed = list.iter().any(|item| {
        let item = class(item, schema);
        item != Some(subject) && item != Some(Class::Null) && item.is_some()
    });
    // DataFusion merges lists as if two different expressions were never equal, so columns are removed from them.
    let columns = list.iter().any(|item| !matches!(item, Expr::Literal(..)));
    if !mixed && !collated && !columns {
        return same(expr, list);
    }
    // Each item is compared as `=` would; comparisons that become a plain `subject = literal` return to a list.
    let mut kept = Vec::new();
    let mut others = Vec::new();
    let mut dropped = false;
    let mut subject_expr = (*expr).clone();
    for item in list {
        let Some(item_class) = class(&item, schema) else {
            kept.push(item);
            continue;
        };
        if item_class == Class::Null {
            kept.push(item);
            continue;
        }
        // The right side of IN has no affinity.
        match comparison(Operator::Eq, &expr, subject, &item, item_class, schema) {
            compared if !matches!(item, Expr::Literal(..)) => others.push(compared),
            Expr::BinaryExpr(binary) if binary.op == Operator::Eq && (*binary.left == *expr || collated) => {
                subject_expr = *binary.left;
                kept.push(*binary.right);
            }
            Expr::BinaryExpr(binary) if *binary.right == *expr => kept.push(*binary.left),
            Expr::Literal(..) => dropped = true,
            other => {
                if matches!(item, Expr::Literal(..))
                    && !has_affinity(&item)
                    && !is_dynamic(&expr, schema)
                    && subject.is_number() != item_class.is_number()
                {
                    dropped = true;
                } else {
                    others.push(other);
                }
            }
        }
    }
    let mut answer = if kept.is_empty() && !dropped {
        None
    } else if kept.is_empty() {
        Some(constant_unless_null(false, &[&*expr]))
    } else {
        Some(Expr::InList(InList { expr: Box::new(subject_expr), list: kept, negated: false }))
    };
    for other in others {
        answer = Some(match answer {
            Some(answer) => Expr::or(answer, other),
            None => other,
        });
    }
    let answer = answer.unwrap_or_else(|| lit(false));
    let answer = match answer {
        Expr::InList(list) => Expr::InList(InList { negated, ..list }),
        answer if negated => Expr::Not(Box::new(answer)),
        answer => answer,
    };
    Ok(Transformed::yes(answer))
}

/// The collation of `x IN (SELECT y)`, as for `x = y`; `None` if it is the default.
fn membership_collation(
    left: &Expr,
    left_schema: &DFSchema,
    right: &Expr,
    right_schema: &DFSchema,
) -> Option<Collation> {
    let chosen = match (collation(left, left_schema), collation(right, right_schema)) {
        (Some((collation, _)), _) => Some(collation),
        (None, Some((collation, _))) if !is_column(left) => Some(collation),
        _ => None,
    };
    chosen.filter(|collation| *collation != Collation::Binary)
}

/// The expression of a plan's first column, with the schema that it refers to.
fn item(plan: &LogicalPlan) -> Option<(&Expr, &DFSchema)> {
    match plan {
        LogicalPlan::Projection(projection) => Some((projection.expr.first()?, projection.input.schema().as_ref())),
        LogicalPlan::Distinct(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Union(_) => item(plan.inputs().into_iter().next()?),
        _ => None,
    }
}

/// Converts the sides of `x IN (SELECT y)`. `is_key`: only true counts, as for a part of a filter.
fn in_subquery(
    InSubquery { expr, subquery, negated }: InSubquery,
    schema: &DFSchema,
    is_key: bool,
) -> Result<Transformed<Expr>> {
    let left = class(&expr, schema);
    let field = subquery.subquery.schema().fields().first().map(|field| field.data_type().clone());
    let (Some(left), Some(kind)) = (left, field) else {
        return Ok(Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated })));
    };
    let right = Class::of(&kind);
    let column = Expr::from(subquery.subquery.schema().qualified_field(0));
    let mut expr = expr;
    // Numbers that equal no value of the other kind are removed from the list, unless it may contain NULL.
    let mut kept = None;
    let converted = match (left, right) {
        (Class::Int, Class::Real) if kind.is_floating() => {
            let exact = call("exact_integer", vec![column.clone()]);
            kept = Some(Expr::or(exact.clone().is_not_null(), column.is_null()));
            exact
        }
        (Class::Real, Class::Int) if expr.get_type(schema).is_ok_and(|kind| kind.is_floating()) => {
            let exact = cast(column.clone(), DataType::Float64);
            let is_exact = binary(call("compare", vec![column.clone(), exact.clone()]), Operator::Eq, lit(0_i64));
            kept = Some(Expr::or(is_exact, column.is_null()));
            exact
        }
        (Class::Int | Class::Real, Class::Text) => {
            let subquery_schema = subquery.subquery.schema().as_ref();
            let (item, of) = item(&subquery.subquery).unwrap_or((&column, subquery_schema));
            let exact = if left == Class::Int { "exact_integer" } else { "exact_real" };
            let exact = call(exact, vec![column.clone()]);
            if !has_affinity(&expr) && !is_dynamic(item, of) && !is_dynamic(&column, subquery_schema) {
                // Numbers compare by their text with a column, and equal no other text: not even the empty one.
                let is_column = has_affinity(item);
                expr = Box::new(call("as_text", vec![*expr]));
                if is_column {
                    return Ok(Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated })));
                }
                call("substr", vec![column, lit(1_i64), lit(0_i64)])
            } else if is_key {
                exact
            } else {
                // Numbers compare by their text, so a text that is not a number equals none.
                expr = Box::new(call("as_text", vec![*expr]));
                call("coalesce", vec![call("as_text", vec![exact]), column])
            }
        }
        (Class::Text, Class::Int | Class::Real) if has_affinity(&expr) => call("as_text", vec![column]),
        (Class::Text, Class::Text) => match membership_collation(&expr, schema, &column, subquery.subquery.schema()) {
            Some(collation) => {
                expr = Box::new(call("collation_key", vec![bare(&expr), lit(collation.name())]));
                call("collation_key", vec![bare(&column), lit(collation.name())])
            }
            _ => return Ok(Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated }))),
        },
        _ => return Ok(Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated }))),
    };
    let Subquery { subquery: plan, outer_ref_columns, spans } = subquery;
    // A distinct name: a correlated condition may add the column next to it.
    let converted = converted.alias("__converted");
    let plan = LogicalPlanBuilder::from(plan.as_ref().clone());
    let plan = match kept {
        Some(kept) => plan.filter(kept)?,
        None => plan,
    };
    let plan = plan.project(vec![converted])?.build()?;
    debug_assert!(matches!(
        plan.schema().field(0).data_type(),
        DataType::Int64 | DataType::Float64 | DataType::Utf8View
    ));
    let subquery = Subquery { subquery: Arc::new(plan), outer_ref_columns, spans };
    Ok(Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated })))
}
