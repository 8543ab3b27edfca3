//! Constructs that DataFusion plans without asking us: IN, LIKE, and sorting by a collated column.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion::{
    common::{
        DFSchema, Result, ScalarValue,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{
        Expr, LogicalPlan, Operator, Subquery,
        builder::LogicalPlanBuilder,
        expr::{InList, InSubquery, Like},
        expr_rewriter::NamePreserver,
        lit,
        utils::merge_schema,
    },
    optimizer::AnalyzerRule,
};

use super::{class, collation, compare::comparison, constant_unless_null, has_affinity};
use crate::{
    collation::Collation,
    functions::{call, scalar::Class},
};

/// Gives IN and LIKE SQLite's conversions, before DataFusion's own type coercion.
#[derive(Debug)]
pub(crate) struct AffinityRule;

impl AnalyzerRule for AffinityRule {
    fn name(&self) -> &str {
        "sqlite_affinity"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let sorts = matches!(plan, LogicalPlan::Sort(_));
            let scan = matches!(plan, LogicalPlan::TableScan(_));
            if scan {
                return Ok(Transformed::no(plan));
            }
            let mut schema = merge_schema(&plan.inputs());
            if schema.fields().is_empty() {
                schema = plan.schema().as_ref().clone();
            }
            let preserver = NamePreserver::new(&plan);
            let changed = plan.map_expressions(|expr| {
                let name = preserver.save(&expr);
                let mut rewritten = expr.transform_up(|expr| rewrite(expr, &schema))?;
                if sorts && let Some(collated) = collated_key(&rewritten.data, &schema) {
                    rewritten = Transformed::yes(collated);
                }
                Ok(rewritten.update_data(|expr| name.restore(expr)))
            })?;
            if changed.transformed { changed.map_data(LogicalPlan::recompute_schema) } else { Ok(changed) }
        })
        .map(|changed| changed.data)
    }
}

/// Sorting by a column with a collation sorts by its key.
fn collated_key(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (collation, _) = collation(expr, schema)?;
    if collation == Collation::Binary || class(expr, schema) != Some(Class::Text) {
        return None;
    }
    let bare = match expr {
        Expr::ScalarFunction(function) if function.name() == "collate" => function.args.first().cloned()?,
        other => other.clone(),
    };
    Some(call("collation_key", vec![bare, lit(collation.name())]))
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::InList(list) => in_list(list, schema),
        Expr::InSubquery(inner) => in_subquery(inner, schema),
        Expr::Like(like) => {
            let text = |side: Box<Expr>| -> (Box<Expr>, bool) {
                match class(&side, schema) {
                    Some(Class::Text | Class::Null | Class::Other) | None => (side, false),
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

fn in_list(InList { expr, list, negated }: InList, schema: &DFSchema) -> Result<Transformed<Expr>> {
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
    // DataFusion merges lists as if two items that are written differently were never equal: columns go out of them.
    let columns = list.iter().any(|item| !matches!(item, Expr::Literal(..)));
    if !mixed && !collated && !columns {
        return same(expr, list);
    }
    // Each item is compared as `=` would; what becomes a plain `subject = literal` goes back into a list.
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
        // The right side of IN has no affinity of its own.
        match comparison(Operator::Eq, &expr, subject, &item, item_class, schema) {
            compared if !matches!(item, Expr::Literal(..)) => others.push(compared),
            Expr::BinaryExpr(binary) if *binary.left == *expr || collated => {
                subject_expr = *binary.left;
                kept.push(*binary.right);
            }
            Expr::BinaryExpr(binary) if *binary.right == *expr => kept.push(*binary.left),
            Expr::Literal(..) => dropped = true,
            other => {
                if matches!(item, Expr::Literal(..))
                    && !has_affinity(&item)
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

fn in_subquery(InSubquery { expr, subquery, negated }: InSubquery, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let left = class(&expr, schema);
    let field = subquery.subquery.schema().fields().first().map(|field| field.data_type().clone());
    let (Some(left), Some(kind)) = (left, field) else {
        return Ok(Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated })));
    };
    let right = Class::of(&kind);
    let convert = match (left, right) {
        (Class::Int, Class::Text) => "exact_integer",
        (Class::Real, Class::Text) => "exact_real",
        (Class::Text, Class::Int | Class::Real) if has_affinity(&expr) => "as_text",
        _ => return Ok(Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated }))),
    };
    let Subquery { subquery: plan, outer_ref_columns, spans } = subquery;
    let column = Expr::from(plan.schema().qualified_field(0));
    let name = plan.schema().field(0).name().clone();
    let converted = call(convert, vec![column]).alias(name);
    let plan = LogicalPlanBuilder::from(plan.as_ref().clone()).project(vec![converted])?.build()?;
    debug_assert!(matches!(
        plan.schema().field(0).data_type(),
        DataType::Int64 | DataType::Float64 | DataType::Utf8View
    ));
    let subquery = Subquery { subquery: Arc::new(plan), outer_ref_columns, spans };
    Ok(Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated })))
}
