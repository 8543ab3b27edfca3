//! Clauses that DataFusion's planner accepts with another meaning than the SQL standard: `EXCEPT ALL` and `INTERSECT
//! ALL` without counting rows, `SIMILAR TO` as a regular expression, and scalar subqueries with several rows.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion::{
    common::{Column, DFSchema, JoinType, NullEquality, Result, config::ConfigOptions, tree_node::Transformed},
    functions_window::expr_fn::row_number,
    logical_expr::{
        Distinct, Expr, ExprFunctionExt, ExprSchemable, Join, LogicalPlan, Operator, Subquery,
        builder::LogicalPlanBuilder, expr::Like, expr_rewriter::NamePreserver, lit,
        type_coercion::binary::BinaryTypeCoercer, utils::merge_schema,
    },
    optimizer::AnalyzerRule,
};

use super::{
    operand::{binary, cast, class, collation},
    similar, single,
    walk::{any_expr, any_node, exprs_up, own_exprs, plans_up},
};
use crate::{class::Class, collation::Collation, functions::call};

/// Gives such clauses the standard's meaning, before all other rules.
#[derive(Debug)]
pub(crate) struct StandardRule {
    /// Whether texts compare by their columns' collations, numbers never equal texts, and a scalar subquery returns its
    /// first row.
    pub(crate) sqlite: bool,
}

impl AnalyzerRule for StandardRule {
    fn name(&self) -> &str {
        "standard_meaning"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        if !any_node(&plan, &|node| Ok(set_operation(node).is_some() || any_expr(node, &|expr| self.is_one(expr))?))? {
            return Ok(plan);
        }
        plans_up(plan, &mut |plan| {
            if let Some((join, is_all)) = set_operation(&plan) {
                return self.set_operation(join, is_all);
            }
            if !any_expr(&plan, &|expr| self.is_one(expr))? {
                return Ok(Transformed::no(plan));
            }
            let schema = merge_schema(&plan.inputs());
            let preserver = NamePreserver::new(&plan);
            own_exprs(plan, &mut |expr| {
                let name = preserver.save(&expr);
                let changed = exprs_up(expr, &mut |expr| self.rewrite(expr, &schema))?;
                Ok(changed.update_data(|expr| name.restore(expr)))
            })
        })
        .map(|changed| changed.data)
    }
}

impl StandardRule {
    fn is_one(&self, expr: &Expr) -> bool {
        match expr {
            Expr::SimilarTo(_) => true,
            Expr::ScalarSubquery(subquery) => self.is_unchecked(subquery),
            _ => false,
        }
    }

    /// Whether a subquery used as a value may return more than one row. DataFusion itself verifies this for a
    /// correlated one.
    fn is_unchecked(&self, subquery: &Subquery) -> bool {
        !self.sqlite && subquery.outer_ref_columns.is_empty() && !single::is_one_row(&subquery.subquery)
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        Ok(match expr {
            Expr::SimilarTo(like) => {
                let is_text = !self.sqlite || matches!(class(&like.expr, schema), Some(Class::Text) | None);
                let expr = if is_text { like.expr } else { Box::new(call("as_text", vec![*like.expr])) };
                Transformed::yes(similar::comparison(Like { expr, ..like }))
            }
            Expr::ScalarSubquery(subquery) if self.is_unchecked(&subquery) => {
                let Subquery { subquery, outer_ref_columns, spans } = subquery;
                let subquery = Arc::new(single::checked(subquery)?);
                Transformed::yes(Expr::ScalarSubquery(Subquery { subquery, outer_ref_columns, spans }))
            }
            other => Transformed::no(other),
        })
    }

    /// With ALL, equal rows are numbered on both sides: a row matches the row with its number, if there are as many.
    fn set_operation(&self, join: &Join, is_all: bool) -> Result<Transformed<LogicalPlan>> {
        let columns = join.left.schema().columns();
        let mut on = Vec::with_capacity(join.on.len() + 1);
        for (left, right) in &join.on {
            on.extend(self.alike(left, join.left.schema(), right, join.right.schema())?);
        }
        if !is_all && on == join.on {
            return Ok(Transformed::no(LogicalPlan::Join(join.clone())));
        }
        let (mut left, mut right) = (Arc::clone(&join.left), Arc::clone(&join.right));
        if is_all {
            let (of_left, of_right) = on.iter().cloned().unzip();
            left = numbered(left, of_left, "__number_of_left")?;
            right = numbered(right, of_right, "__number_of_right")?;
            let number = |name: &str| Expr::Column(Column::new_unqualified(name));
            on.push((number("__number_of_left"), number("__number_of_right")));
        }
        let joined = Join::try_new(
            left,
            right,
            on,
            None,
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        let plan =
            LogicalPlanBuilder::from(LogicalPlan::Join(joined)).project(columns.into_iter().map(Expr::Column))?;
        Ok(Transformed::yes(plan.build()?))
    }

    /// The expressions that must be equal for the values of two columns to be equal.
    fn alike(
        &self,
        left: &Expr,
        left_schema: &DFSchema,
        right: &Expr,
        right_schema: &DFSchema,
    ) -> Result<Vec<(Expr, Expr)>> {
        let (l, r) = (left.get_type(left_schema)?, right.get_type(right_schema)?);
        if self.sqlite {
            let is_null = |expr: &Expr| expr.clone().is_null();
            match (Class::of(&l), Class::of(&r)) {
                (Class::Text, Class::Text) => {
                    let chosen = collation(left, left_schema).map(|(collation, _)| collation);
                    if let Some(collation) = chosen.filter(|collation| *collation != Collation::Binary) {
                        let key = |expr: &Expr| call("collation_key", vec![expr.clone(), lit(collation.name())]);
                        return Ok(vec![(key(left), key(right))]);
                    }
                }
                // A real that is not an integer is not NULL: NULL equals only NULL.
                (Class::Int, Class::Real) if r.is_floating() => {
                    let exact = call("exact_integer", vec![right.clone()]);
                    return Ok(vec![(left.clone(), exact), (is_null(left), is_null(right))]);
                }
                (Class::Real, Class::Int) if l.is_floating() => {
                    let exact = call("exact_integer", vec![left.clone()]);
                    return Ok(vec![(exact, right.clone()), (is_null(left), is_null(right))]);
                }
                // Values of two kinds are never equal.
                (l, r) if (l.is_number() && r == Class::Text) || (l == Class::Text && r.is_number()) => {
                    let is_given = |expr: &Expr| cast(expr.clone().is_not_null(), DataType::Int64);
                    return Ok(vec![(is_given(left), binary(is_given(right), Operator::Multiply, lit(2_i64)))]);
                }
                _ => {}
            }
        }
        // A later rule handles times of two units.
        let are_times = matches!((&l, &r), (DataType::Timestamp(..), DataType::Timestamp(..)));
        if l == r || are_times {
            return Ok(vec![(left.clone(), right.clone())]);
        }
        let (l, r) = BinaryTypeCoercer::new(&l, &Operator::Eq, &r).get_input_types()?;
        Ok(vec![(cast(left.clone(), l), cast(right.clone(), r))])
    }
}

/// The join that an `EXCEPT` or `INTERSECT` became, and whether it has ALL.
fn set_operation(plan: &LogicalPlan) -> Option<(&Join, bool)> {
    match plan {
        LogicalPlan::Join(join)
            if matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
                && join.null_equality == NullEquality::NullEqualsNull
                && join.filter.is_none() =>
        {
            Some((join, !matches!(*join.left, LogicalPlan::Distinct(Distinct::All(_)))))
        }
        _ => None,
    }
}

/// A plan with a column that numbers equal rows.
fn numbered(plan: Arc<LogicalPlan>, by: Vec<Expr>, name: &str) -> Result<Arc<LogicalPlan>> {
    let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let number = row_number().partition_by(by).build()?;
    let windowed = LogicalPlanBuilder::from(plan).window(vec![number])?.build()?;
    let number = windowed.schema().columns().into_iter().next_back().map(|last| Expr::Column(last).alias(name));
    let all = columns.into_iter().chain(number);
    Ok(Arc::new(LogicalPlanBuilder::from(windowed).project(all)?.build()?))
}
