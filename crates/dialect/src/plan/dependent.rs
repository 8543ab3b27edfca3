//! Subqueries and FROM items that depend on outer rows, in cases where DataFusion has no plan of its own.
//!
//! A dependent subquery is evaluated once per *distinct* combination of the outer columns that it uses. The
//! combinations are a relation, the domain. It is joined inside the subquery at the place that uses the outer columns.
//! Every step above keeps its columns (an aggregate groups by them, a limit counts within them), and the result is
//! joined back to the outer rows. Cases that DataFusion handles well (equality under a WHERE) are left to it.

use std::{
    cell::Cell,
    sync::{Arc, LazyLock},
};

use arrow_schema::{DataType, FieldRef};
use datafusion::{
    common::{
        Column, DFSchema, JoinConstraint, JoinType, NullEquality, NullHandling, Result, ScalarValue, TableReference,
        UnnestOptions,
        config::ConfigOptions,
        not_impl_err,
        tree_node::{Transformed, TreeNodeRecursion},
    },
    functions_aggregate::expr_fn::count,
    functions_window::row_number::row_number_udwf,
    logical_expr::{
        Aggregate, Case, ColumnarValue, Distinct, Expr, ExprFunctionExt, ExprSchemable, FetchType, Filter, Join,
        LogicalPlan, LogicalPlanBuilder, Operator, Projection, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
        ScalarUDFImpl, Signature, SkipType, Sort, SortExpr, Subquery, Unnest, Volatility, Window,
        expr::{BinaryExpr, InSubquery, ScalarFunction, WindowFunction, WindowFunctionDefinition},
        expr_rewriter::NamePreserver,
        lit,
        simplify::SimplifyContext,
        type_coercion::binary::comparison_coercion,
        utils::{conjunction, split_conjunction},
    },
    optimizer::{AnalyzerRule, simplify_expressions::ExprSimplifier},
};

use super::{
    grouped::carried,
    narrow::{filtered, narrowed},
    operand::binary,
    outer::{columns_of, depends_on, has_subquery, lateral, only, outer_columns, subquery_of},
    walk::{any_expr, any_node, each_part, exprs_up, plans_up},
};

/// Turns dependent subqueries into joins.
#[derive(Debug)]
pub(crate) struct DependentRule;

impl AnalyzerRule for DependentRule {
    fn name(&self) -> &str {
        "dependent_subqueries"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        if !asks(&plan)? {
            return Ok(plan);
        }
        let unnester = Unnester::default();
        plans_up(carried(narrowed(plan)?)?, &mut |plan| unnester.node(plan)).map(|changed| changed.data)
    }
}

/// One pass over a plan; it generates names that no other relation has.
#[derive(Default)]
struct Unnester {
    names: Cell<usize>,
}

/// The outer columns that something depends on, and the rows that they come from.
struct Domain<'u> {
    unnester: &'u Unnester,
    outer: Arc<LogicalPlan>,
    columns: Vec<Column>,
    /// Whether the outer rows themselves are used, not the distinct values of the columns.
    whole: bool,
}

/// A plan that carries the domain's columns in addition to its own.
struct Bound {
    plan: LogicalPlan,
    /// The expression for each of the domain's columns.
    columns: Vec<Column>,
    /// All columns that must be carried upwards.
    carried: Vec<Column>,
}

impl Unnester {
    fn name(&self, kind: &str) -> TableReference {
        self.names.set(self.names.get() + 1);
        TableReference::bare(format!("__{kind}_{}", self.names.get()))
    }

    fn node(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(join) if lateral(&join.right).is_some() => self.lateral_join(join),
            LogicalPlan::Join(join) if join.filter.as_ref().is_some_and(has_subquery) => self.join_condition(join),
            LogicalPlan::Filter(filter) if has_subquery(&filter.predicate) => self.filter(filter),
            LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Sort(_) | LogicalPlan::Window(_)
                if mentions_subquery(&plan)? =>
            {
                self.values(plan)
            }
            other => Ok(Transformed::no(other)),
        }
    }

    fn filter(&self, filter: Filter) -> Result<Transformed<LogicalPlan>> {
        let columns = filter.input.schema().columns();
        let (asking, plain): (Vec<Expr>, Vec<Expr>) =
            split_conjunction(&filter.predicate).into_iter().cloned().partition(has_subquery);
        // Subqueries are evaluated for the remaining rows.
        let mut input = filtered(filter.input.as_ref().clone(), plain)?;
        let mut changed = false;
        let mut conditions = Vec::new();
        for condition in asking {
            conditions.push(self.truth(condition, &mut input, true, true, &mut changed)?);
        }
        if !changed {
            return Ok(Transformed::no(LogicalPlan::Filter(filter)));
        }
        let Some(predicate) = conjunction(conditions) else { return Ok(Transformed::no(LogicalPlan::Filter(filter))) };
        let plan = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?);
        Ok(Transformed::yes(only(plan, columns)?))
    }

    /// The subqueries in a condition. `top`: the condition must hold by itself; `positive`: NULL counts as false.
    fn truth(
        &self,
        expr: Expr,
        input: &mut LogicalPlan,
        top: bool,
        positive: bool,
        changed: &mut bool,
    ) -> Result<Expr> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
                let top = top && op == Operator::And;
                let left = Box::new(self.truth(*left, input, top, positive, changed)?);
                let right = Box::new(self.truth(*right, input, top, positive, changed)?);
                Ok(Expr::BinaryExpr(BinaryExpr { left, op, right }))
            }
            Expr::Not(inner) => {
                let top = top && matches!(*inner, Expr::Exists(_) | Expr::InSubquery(_));
                Ok(Expr::Not(Box::new(self.truth(*inner, input, top, !positive, changed)?)))
            }
            Expr::Exists(exists) if self.left_to_datafusion(&exists.subquery, input)? => Ok(Expr::Exists(exists)),
            Expr::InSubquery(inner) if !has_subquery(&inner.expr) => {
                let wanted = positive != inner.negated;
                let correlated = !outer_columns(&inner.subquery.subquery)?.is_empty();
                // DataFusion's NOT IN checks columns for NULL, but not constants or expressions that fold to one.
                let constant = is_constant(&inner.expr, input);
                let kept = wanted || (top && !correlated && !constant);
                if kept && self.left_to_datafusion(&inner.subquery, input)? {
                    return Ok(Expr::InSubquery(inner));
                }
                *changed = true;
                self.membership(inner, input, wanted)
            }
            other => {
                let condition = self.value(other, input, true, changed)?;
                let equality = matches!(&condition, Expr::BinaryExpr(BinaryExpr { op: Operator::Eq, .. }));
                // DataFusion makes it a key of the join that adds the value, where NULL matches NULL.
                Ok(if positive && *changed && equality { condition.is_true() } else { condition })
            }
        }
    }

    /// The subqueries anywhere in a node whose expressions are values.
    fn values(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let columns = plan.schema().columns();
        if let Some(wider) = reaching(&plan)? {
            let sorted = self.values(wider)?.data;
            return Ok(Transformed::yes(only(sorted, columns)?));
        }
        let own_scalars = matches!(plan, LogicalPlan::Projection(_));
        let preserver = NamePreserver::new(&plan);
        let Some(input) = plan.inputs().first().map(|&input| input.clone()) else { return Ok(Transformed::no(plan)) };
        let mut input = input;
        let mut changed = false;
        let mut exprs = Vec::new();
        for expr in plan.expressions() {
            let name = preserver.save(&expr);
            let rewritten = self.value(expr, &mut input, own_scalars, &mut changed)?;
            exprs.push(match &plan {
                // Sort keys have no names.
                LogicalPlan::Sort(_) => rewritten,
                _ => name.restore(rewritten),
            });
        }
        if !changed {
            return Ok(Transformed::no(plan));
        }
        let plan = plan.with_new_exprs(exprs, vec![input])?;
        Ok(Transformed::yes(only(plan, columns)?))
    }

    /// The subqueries inside an expression whose value is used.
    fn value(&self, expr: Expr, input: &mut LogicalPlan, scalars: bool, changed: &mut bool) -> Result<Expr> {
        let mut failed = None;
        let rewritten = exprs_up(expr, &mut |expr| {
            let outcome = match expr {
                Expr::ScalarSubquery(subquery) => {
                    if scalars && self.left_to_datafusion_as_scalar(&subquery, input)? {
                        return Ok(Transformed::no(Expr::ScalarSubquery(subquery)));
                    }
                    self.scalar(&subquery, input)
                }
                Expr::Exists(exists) => self.existence(&exists.subquery, input, exists.negated),
                Expr::InSubquery(inner) => self.membership(inner, input, false),
                other => return Ok(Transformed::no(other)),
            };
            *changed = true;
            match outcome {
                Ok(expr) => Ok(Transformed::yes(expr)),
                Err(error) => {
                    failed.get_or_insert(error);
                    Ok(Transformed::no(Expr::default()))
                }
            }
        })?;
        match failed {
            Some(error) => Err(error),
            None => Ok(rewritten.data),
        }
    }

    /// A scalar subquery as a column that is joined to the rows.
    fn scalar(&self, subquery: &Subquery, input: &mut LogicalPlan) -> Result<Expr> {
        let (plan, pairs) = self.asked(subquery, input)?;
        let value = Column::from(plan.plan.schema().qualified_field(0));
        let (joined, alias) = self.join_back(plan, Expr::Column(value), pairs, input)?;
        *input = joined;
        Ok(Expr::Column(Column::new(Some(alias), "value")))
    }

    fn existence(&self, subquery: &Subquery, input: &mut LogicalPlan, negated: bool) -> Result<Expr> {
        let (bound, outer) = self.asked(subquery, input)?;
        let mut marked =
            LogicalPlanBuilder::from(bound.plan).project(bound.columns.iter().cloned().map(Expr::Column))?;
        marked = if outer.is_empty() { marked.limit(0, Some(1))? } else { marked.distinct()? };
        let bound = Bound { plan: marked.build()?, carried: bound.columns.clone(), columns: bound.columns };
        let (joined, alias) = self.join_back(bound, lit(true), outer, input)?;
        *input = joined;
        let mark = Expr::Column(Column::new(Some(alias), "value"));
        Ok(if negated { mark.is_null() } else { mark.is_not_null() })
    }

    /// `x IN (SELECT ...)`. `positive`: NULL may become false.
    fn membership(&self, inner: InSubquery, input: &mut LogicalPlan, positive: bool) -> Result<Expr> {
        let InSubquery { expr, subquery, negated } = inner;
        let (found, outer) = self.asked(&subquery, input)?;
        let member = Expr::Column(Column::from(found.plan.schema().qualified_field(0)));
        let (left, right) = comparable(*expr, member, input.schema(), found.plan.schema())?;
        // The distinct members of each list.
        let mut items: Vec<Expr> = vec![right.clone().alias("value")];
        items.extend(named(&found.columns));
        // A constant is looked up directly.
        let constant = left.column_refs().is_empty();
        let wanted = if constant { left.clone().eq(right.clone()) } else { right.clone().is_not_null() };
        let members =
            LogicalPlanBuilder::from(found.plan.clone()).filter(wanted)?.project(items)?.distinct()?.build()?;
        let alias = self.name("members");
        let members = LogicalPlanBuilder::from(members).alias(alias.clone())?.build()?;
        let member = Expr::Column(Column::new(Some(alias.clone()), "value"));
        let mut on = pairs(&outer, &alias);
        if !constant {
            on.push((left.clone(), member.clone()));
        }
        *input = left_join(std::mem::take(input), members, on)?;
        let is_member = member.is_not_null();
        if positive {
            return Ok(if negated { is_member.is_not_true() } else { is_member });
        }
        // The length of each list, and the number of its values that are not NULL.
        let listed = LogicalPlanBuilder::from(found.plan)
            .aggregate(
                found.columns.iter().cloned().map(Expr::Column),
                vec![count(lit(1_i64)).alias("listed"), count(right).alias("present")],
            )?
            .build()?;
        let mut items =
            vec![Expr::Column(Column::new_unqualified("listed")), Expr::Column(Column::new_unqualified("present"))];
        items.extend(named(&found.columns));
        let alias = self.name("lists");
        let listed = LogicalPlanBuilder::from(listed).project(items)?.alias(alias.clone())?.build()?;
        *input = left_join(std::mem::take(input), listed, pairs(&outer, &alias))?;
        let of = |name: &str| Expr::Column(Column::new(Some(alias.clone()), name));
        let empty = Expr::or(of("listed").is_null(), of("listed").eq(lit(0_i64)));
        let unknown = Expr::or(left.is_null(), of("present").lt(of("listed")));
        let case = Case {
            expr: None,
            when_then_expr: vec![
                (Box::new(is_member), Box::new(lit(!negated))),
                (Box::new(empty), Box::new(lit(negated))),
                (Box::new(unknown), Box::new(Expr::Literal(ScalarValue::Boolean(None), None))),
            ],
            else_expr: Some(Box::new(lit(negated))),
        };
        Ok(Expr::Case(case))
    }

    /// The subquery's rows for every combination of the outer columns that it depends on, and those columns.
    fn asked(&self, subquery: &Subquery, outer: &LogicalPlan) -> Result<(Bound, Vec<Column>)> {
        let columns = depends_on(&subquery.subquery, outer.schema())?;
        let domain = Domain { unnester: self, outer: Arc::new(outer.clone()), columns: columns.clone(), whole: false };
        let bound = domain.push(&subquery.subquery)?;
        Ok((bound, columns))
    }

    /// Joins the result to the outer rows; its value is the column `value` of the alias.
    fn join_back(
        &self,
        bound: Bound,
        value: Expr,
        outer: Vec<Column>,
        input: &mut LogicalPlan,
    ) -> Result<(LogicalPlan, TableReference)> {
        let alias = self.name("value");
        let mut items = vec![value.alias("value")];
        items.extend(named(&bound.columns));
        let right = LogicalPlanBuilder::from(bound.plan).project(items)?.alias(alias.clone())?.build()?;
        let joined = left_join(std::mem::take(input), right, pairs(&outer, &alias))?;
        Ok((joined, alias))
    }

    /// A subquery in ON: for an inner join it becomes a filter above the join, otherwise its value is joined to the
    /// side that it refers to.
    fn join_condition(&self, join: Join) -> Result<Transformed<LogicalPlan>> {
        let Some(filter) = join.filter.clone() else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
        let columns = join.schema.columns();
        let parts = split_conjunction(&filter).into_iter().cloned();
        if join.join_type == JoinType::Inner {
            let (above, within): (Vec<Expr>, Vec<Expr>) = parts.partition(has_subquery);
            let joined = LogicalPlan::Join(Join::try_new(
                join.left,
                join.right,
                join.on,
                conjunction(within),
                join.join_type,
                join.join_constraint,
                join.null_equality,
                join.null_aware,
            )?);
            let Some(above) = conjunction(above) else { return Ok(Transformed::no(joined)) };
            let filtered = self.filter(Filter::try_new(above, Arc::new(joined))?)?.data;
            return Ok(Transformed::yes(filtered));
        }
        if join.join_type == JoinType::Left && asks_both_sides(&join, &filter)? {
            return self.left_join_by_pairs(join, &filter);
        }
        let mut left = Arc::unwrap_or_clone(join.left);
        let mut right = Arc::unwrap_or_clone(join.right);
        let mut changed = false;
        let mut kept = Vec::new();
        for part in parts {
            let bound = exprs_up(part, &mut |expr| {
                let Some(subquery) = subquery_of(&expr) else { return Ok(Transformed::no(expr)) };
                let mut mentioned = depends_on(&subquery.subquery, &join.schema)?;
                if let Expr::InSubquery(inner) = &expr {
                    mentioned.extend(inner.expr.column_refs().into_iter().cloned());
                }
                let within = |plan: &LogicalPlan| mentioned.iter().all(|column| plan.schema().has_column(column));
                let side = if within(&right) {
                    &mut right
                } else if within(&left) {
                    &mut left
                } else {
                    return Ok(Transformed::no(expr));
                };
                Ok(Transformed::yes(self.value(expr, side, false, &mut changed)?))
            })?;
            kept.push(bound.data);
        }
        let plan = LogicalPlan::Join(Join::try_new(
            Arc::new(left),
            Arc::new(right),
            join.on,
            conjunction(kept),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?);
        if !changed {
            return Ok(Transformed::no(plan));
        }
        Ok(Transformed::yes(only(plan, columns)?))
    }

    /// A left join whose subqueries refer to both sides: they are evaluated for each distinct combination of the left
    /// columns in the condition, joined to the right side. The matches are joined to the left rows by those columns.
    fn left_join_by_pairs(&self, join: Join, filter: &Expr) -> Result<Transformed<LogicalPlan>> {
        let output = join.schema.columns();
        let on = join.on.iter().map(|(left, _)| left);
        let mut mentioned: Vec<Column> = Vec::new();
        for expr in on.chain([filter]) {
            for column in columns_of(expr, &join.schema)? {
                if join.left.schema().has_column(&column) && !mentioned.contains(&column) {
                    mentioned.push(column);
                }
            }
        }
        let combinations = LogicalPlanBuilder::from(join.left.as_ref().clone())
            .project(mentioned.iter().cloned().map(Expr::Column))?
            .distinct()?
            .build()?;
        let right_columns = join.right.schema().columns();
        let pairs = Join::try_new(
            Arc::new(combinations),
            join.right,
            join.on,
            join.filter,
            JoinType::Inner,
            JoinConstraint::On,
            join.null_equality,
            false,
        )?;
        let held = self.join_condition(pairs)?.data;
        let alias = self.name("outer");
        let copy = |at: usize| Column::new(Some(alias.clone()), format!("{}_{at}", alias.table()));
        let mut items: Vec<Expr> = right_columns.into_iter().map(Expr::Column).collect();
        for (at, column) in mentioned.iter().enumerate() {
            items.push(Expr::Column(column.clone()).alias_qualified(Some(alias.clone()), copy(at).name));
        }
        let held = LogicalPlanBuilder::from(held).project(items)?.build()?;
        let on = mentioned.into_iter().enumerate().map(|(at, own)| (Expr::Column(own), Expr::Column(copy(at))));
        let plan = left_join(Arc::unwrap_or_clone(join.left), held, on.collect())?;
        Ok(Transformed::yes(only(plan, output)?))
    }

    /// A FROM item that refers to the items before it.
    fn lateral_join(&self, join: Join) -> Result<Transformed<LogicalPlan>> {
        let Some((dependent, alias)) = lateral(&join.right) else {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        };
        let columns = depends_on(dependent, join.left.schema())?;
        let output = join.schema.columns();
        let mut dependent = dependent.clone();
        if let Some(alias) = alias {
            dependent = LogicalPlanBuilder::from(dependent).alias(alias)?.build()?;
        }
        let condition = join.on.iter().map(|(left, right)| left.clone().eq(right.clone())).chain(join.filter.clone());
        let condition = conjunction(condition);
        let mut whole = join.join_type == JoinType::Inner && row_by_row(&dependent);
        let unconditional = condition.as_ref().is_none_or(|condition| *condition == lit(true));
        if join.join_type == JoinType::Left
            && unconditional
            && let Some(kept) = keeping_rows(&dependent)?
        {
            dependent = kept;
            whole = true;
        }
        let domain = Domain { unnester: self, outer: Arc::clone(&join.left), columns: columns.clone(), whole };
        let bound = domain.push(&dependent)?;
        let plan = if whole {
            match condition {
                Some(condition) => LogicalPlanBuilder::from(bound.plan).filter(condition)?.build()?,
                None => bound.plan,
            }
        } else {
            let on =
                columns.iter().cloned().map(Expr::Column).zip(bound.columns.into_iter().map(Expr::Column)).collect();
            LogicalPlan::Join(Join::try_new(
                join.left,
                Arc::new(bound.plan),
                on,
                condition,
                join.join_type,
                JoinConstraint::On,
                NullEquality::NullEqualsNull,
                false,
            )?)
        };
        let plan = LogicalPlanBuilder::from(plan).project(output.into_iter().map(Expr::Column))?.build()?;
        Ok(Transformed::yes(plan))
    }

    /// Whether DataFusion itself turns the subquery of an EXISTS or IN in a filter into a join. It does not carry
    /// columns out of a subquery in FROM.
    fn left_to_datafusion(&self, subquery: &Subquery, input: &LogicalPlan) -> Result<bool> {
        fn plain(plan: &LogicalPlan) -> Result<bool> {
            match plan {
                LogicalPlan::Projection(_) if !plan.contains_outer_reference() && !mentions_subquery(plan)? => {
                    plain(plan.inputs()[0])
                }
                LogicalPlan::Filter(filter) if !has_subquery(&filter.predicate) => plain(&filter.input),
                other => Ok(outer_columns(other)?.is_empty()),
            }
        }
        let outer = outer_columns(&subquery.subquery)?;
        let all_here = outer.iter().all(|column| input.schema().has_column(column));
        Ok(outer.is_empty() || (all_here && plain(&subquery.subquery)?))
    }

    /// The same for a scalar subquery's value in a filter or SELECT list.
    fn left_to_datafusion_as_scalar(&self, subquery: &Subquery, input: &LogicalPlan) -> Result<bool> {
        fn equal(expr: &Expr) -> bool {
            if !expr.contains_outer() {
                return true;
            }
            let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return false };
            let column = |expr: &Expr| matches!(expr, Expr::Column(_));
            let outer = |expr: &Expr| matches!(expr, Expr::OuterReferenceColumn(..));
            (column(left) && outer(right)) || (outer(left) && column(right))
        }
        fn plain(plan: &LogicalPlan, aggregated: bool) -> Result<bool> {
            match plan {
                LogicalPlan::Projection(_) if !plan.contains_outer_reference() && !mentions_subquery(plan)? => {
                    plain(plan.inputs()[0], aggregated)
                }
                LogicalPlan::Aggregate(aggregate)
                    if !aggregated
                        && aggregate.group_expr.is_empty()
                        && !plan.contains_outer_reference()
                        && !mentions_subquery(plan)? =>
                {
                    plain(&aggregate.input, true)
                }
                LogicalPlan::Filter(filter) if aggregated && !has_subquery(&filter.predicate) => {
                    let equal = split_conjunction(&filter.predicate).into_iter().all(equal);
                    Ok(equal && plain(&filter.input, aggregated)?)
                }
                other => Ok(outer_columns(other)?.is_empty()),
            }
        }
        let outer = outer_columns(&subquery.subquery)?;
        let all_here = outer.iter().all(|column| input.schema().has_column(column));
        Ok(outer.is_empty() || (all_here && plain(&subquery.subquery, false)?))
    }
}

impl Domain<'_> {
    /// The domain as a relation.
    fn relation(&self) -> Result<Bound> {
        if self.whole {
            let carried = self.outer.schema().columns();
            return Ok(Bound { plan: self.outer.as_ref().clone(), columns: self.columns.clone(), carried });
        }
        let alias = self.unnester.name("outer");
        let distinct =
            LogicalPlanBuilder::from(self.outer.as_ref().clone()).project(named(&self.columns))?.distinct()?.build()?;
        // Names that no surrounding plan has: a projection that another domain passes through cannot distinguish `c0`
        // from `x.c0`.
        let name = |at: usize| format!("{}_{at}", alias.table());
        let columns = distinct.schema().columns().into_iter().enumerate();
        let items: Vec<Expr> = columns.map(|(at, column)| unrelated(column).alias(name(at))).collect();
        let plan = LogicalPlanBuilder::from(distinct).project(items)?.alias(alias)?.build()?;
        let columns: Vec<Column> = plan.schema().columns();
        Ok(Bound { plan, carried: columns.clone(), columns })
    }

    /// Replaces the outer columns of an expression with columns of the domain.
    fn bind(&self, expr: Expr, columns: &[Column]) -> Result<Expr> {
        let bound = exprs_up(expr, &mut |expr| {
            if let Expr::OuterReferenceColumn(_, column) = &expr
                && let Some(at) = self.columns.iter().position(|own| own == column)
            {
                return Ok(Transformed::yes(Expr::Column(columns[at].clone())));
            }
            Ok(Transformed::no(expr))
        })?;
        Ok(bound.data)
    }

    /// The same, keeping its name.
    fn bind_named(&self, expr: &Expr, columns: &[Column]) -> Result<Expr> {
        let name = NamePreserver::new_for_projection().save(expr);
        Ok(name.restore(self.bind(expr.clone(), columns)?))
    }

    fn depends(&self, plan: &LogicalPlan) -> Result<bool> {
        Ok(outer_columns(plan)?.iter().any(|column| self.columns.contains(column)))
    }

    /// The plan for each combination of the domain.
    fn push(&self, plan: &LogicalPlan) -> Result<Bound> {
        if self.columns.is_empty() {
            return Ok(Bound { plan: plan.clone(), columns: Vec::new(), carried: Vec::new() });
        }
        if !self.depends(plan)? {
            let domain = self.relation()?;
            let crossed = match plan {
                LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => domain.plan,
                plan => LogicalPlanBuilder::from(domain.plan).cross_join(plan.clone())?.build()?,
            };
            return Ok(Bound { plan: crossed, ..domain });
        }
        match plan {
            LogicalPlan::Projection(projection) => {
                let below = self.push(&projection.input)?;
                self.project(below, &projection.expr)
            }
            LogicalPlan::Filter(filter) => {
                let below = self.push(&filter.input)?;
                let predicate = self.bind(filter.predicate.clone(), &below.columns)?;
                let plan = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(below.plan))?);
                Ok(Bound { plan, ..below })
            }
            LogicalPlan::SubqueryAlias(aliased) => {
                let below = self.push(&aliased.input)?;
                let mut items = Vec::new();
                for (field, own) in aliased.input.schema().columns().into_iter().zip(plan.schema().columns()) {
                    items.push(Expr::Column(field).alias_qualified(own.relation, own.name));
                }
                items.extend(below.carried.iter().cloned().map(Expr::Column));
                let plan = LogicalPlanBuilder::from(below.plan).project(items)?.build()?;
                Ok(Bound { plan, ..below })
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let below = self.push(input)?;
                let plan = LogicalPlanBuilder::from(below.plan).distinct()?.build()?;
                Ok(Bound { plan, ..below })
            }
            // The order alone changes nothing.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.push(&sort.input),
            LogicalPlan::Limit(limit) => {
                let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
                    (limit.get_skip_type()?, limit.get_fetch_type()?)
                else {
                    return not_impl_err!("a LIMIT that is not a constant in a correlated subquery");
                };
                self.limit(&limit.input, skip, fetch)
            }
            LogicalPlan::Window(window) => {
                let below = self.push(&window.input)?;
                let mut exprs = Vec::new();
                for expr in &window.window_expr {
                    let divided = exprs_up(expr.clone(), &mut |expr| match expr {
                        Expr::WindowFunction(mut function) => {
                            let by = below.columns.iter().cloned().map(Expr::Column);
                            function.params.partition_by.extend(by);
                            Ok(Transformed::yes(Expr::WindowFunction(function)))
                        }
                        other => Ok(Transformed::no(other)),
                    })?;
                    let name = NamePreserver::new_for_projection().save(expr);
                    exprs.push(name.restore(self.bind(divided.data, &below.columns)?));
                }
                let plan = LogicalPlan::Window(Window::try_new(exprs, Arc::new(below.plan))?);
                Ok(Bound { plan, ..below })
            }
            LogicalPlan::Union(union) => {
                let alias = self.unnester.name("outer");
                let mut all: Option<LogicalPlanBuilder> = None;
                let count = plan.schema().fields().len();
                for input in &union.inputs {
                    let below = self.push(input)?;
                    let mut items = Vec::new();
                    for (own, field) in input.schema().columns().into_iter().zip(plan.schema().fields()) {
                        items.push(Expr::Column(own).alias(field.name()));
                    }
                    for (at, column) in below.columns.iter().enumerate() {
                        let name = format!("{}_{at}", alias.table());
                        items.push(Expr::Column(column.clone()).alias(name));
                    }
                    let member = LogicalPlanBuilder::from(below.plan).project(items)?.build()?;
                    all = Some(match all {
                        None => LogicalPlanBuilder::from(member),
                        Some(all) => all.union(member)?,
                    });
                }
                let Some(all) = all else { return not_impl_err!("an empty union") };
                let all = all.build()?;
                let mut items = Vec::new();
                let mut columns = Vec::new();
                for (at, own) in all.schema().columns().into_iter().enumerate() {
                    if at < count {
                        let (relation, field) = plan.schema().qualified_field(at);
                        items.push(Expr::Column(own).alias_qualified(relation.cloned(), field.name()));
                    } else {
                        let name = format!("{}_{}", alias.table(), at - count);
                        columns.push(Column::new(Some(alias.clone()), &name));
                        items.push(Expr::Column(own).alias_qualified(Some(alias.clone()), name));
                    }
                }
                let plan = LogicalPlanBuilder::from(all).project(items)?.build()?;
                Ok(Bound { plan, carried: columns.clone(), columns })
            }
            LogicalPlan::Unnest(unnest) => {
                let below = self.push(&unnest.input)?;
                let plan = LogicalPlan::Unnest(Unnest::try_new(
                    Arc::new(below.plan),
                    unnest.exec_columns.clone(),
                    unnest.options.clone(),
                )?);
                Ok(Bound { plan, ..below })
            }
            LogicalPlan::Join(join) => self.join(join),
            other => not_impl_err!("a correlated subquery with outer columns in {}", other.display()),
        }
    }

    fn project(&self, below: Bound, exprs: &[Expr]) -> Result<Bound> {
        let mut items = exprs.iter().map(|expr| self.bind_named(expr, &below.columns)).collect::<Result<Vec<_>>>()?;
        items.extend(below.carried.iter().cloned().map(Expr::Column));
        let plan = LogicalPlan::Projection(Projection::try_new(items, Arc::new(below.plan))?);
        Ok(Bound { plan, columns: below.columns, carried: below.carried })
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<Bound> {
        let below = self.push(&aggregate.input)?;
        if aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_))) {
            return not_impl_err!("grouping sets in a correlated subquery");
        }
        let mut groups = aggregate
            .group_expr
            .iter()
            .map(|expr| self.bind_named(expr, &below.columns))
            .collect::<Result<Vec<_>>>()?;
        groups.extend(below.carried.iter().cloned().map(Expr::Column));
        let found =
            aggregate.aggr_expr.iter().map(|expr| self.bind_named(expr, &below.columns)).collect::<Result<Vec<_>>>()?;
        let grouped = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(below.plan), groups, found)?);
        if !aggregate.group_expr.is_empty() {
            return Ok(Bound { plan: grouped, columns: below.columns, carried: below.carried });
        }
        // Without GROUP BY, an empty input returns a row, too.
        let all = self.relation()?;
        let on = all.columns.iter().cloned().map(Expr::Column);
        let on = on.zip(below.columns.iter().cloned().map(Expr::Column)).collect();
        let mut items = Vec::new();
        for (at, expr) in aggregate.aggr_expr.iter().enumerate() {
            let (relation, field) = aggregate.schema.qualified_field(at);
            let column = Expr::Column(Column::new(relation.cloned(), field.name()));
            let mut function = expr;
            while let Expr::Alias(alias) = function {
                function = &alias.expr;
            }
            let none = match function {
                Expr::AggregateFunction(function) => function.func.default_value(field.data_type())?,
                _ => ScalarValue::Null,
            };
            items.push(if none.is_null() {
                column
            } else {
                let filled = Case {
                    expr: None,
                    when_then_expr: vec![(Box::new(column.clone().is_null()), Box::new(Expr::Literal(none, None)))],
                    else_expr: Some(Box::new(column)),
                };
                Expr::Case(filled).alias_qualified(relation.cloned(), field.name())
            });
        }
        items.extend(all.columns.iter().cloned().map(Expr::Column));
        let joined = left_join(all.plan, grouped, on)?;
        let plan = LogicalPlanBuilder::from(joined).project(items)?.build()?;
        Ok(Bound { plan, columns: all.columns, carried: all.carried })
    }

    /// The first rows of each combination, in the order of the input.
    fn limit(&self, input: &LogicalPlan, skip: usize, fetch: Option<usize>) -> Result<Bound> {
        let (order, above, source): (Vec<SortExpr>, Option<&Projection>, &LogicalPlan) = match input {
            LogicalPlan::Sort(sort) => (sort.expr.clone(), None, &sort.input),
            LogicalPlan::Projection(projection) => match projection.input.as_ref() {
                LogicalPlan::Sort(sort) => (sort.expr.clone(), Some(projection), &sort.input),
                _ => (Vec::new(), None, input),
            },
            _ => (Vec::new(), None, input),
        };
        let below = self.push(source)?;
        let mut sorts = Vec::new();
        for term in order {
            sorts.push(SortExpr { expr: self.bind(term.expr, &below.columns)?, ..term });
        }
        let place = self.unnester.name("place").table().to_owned();
        let number = WindowFunction::new(WindowFunctionDefinition::WindowUDF(row_number_udwf()), vec![]);
        let mut number = Expr::WindowFunction(Box::new(number))
            .partition_by(below.columns.iter().cloned().map(Expr::Column).collect());
        if !sorts.is_empty() {
            number = number.order_by(sorts);
        }
        let number = number.build()?.alias(&place);
        let columns = below.plan.schema().columns();
        let at = Expr::Column(Column::new_unqualified(&place));
        let mut wanted = at.clone().gt(lit(skip as u64));
        if let Some(fetch) = fetch {
            wanted = wanted.and(at.lt_eq(lit(skip.saturating_add(fetch) as u64)));
        }
        let plan = LogicalPlanBuilder::from(below.plan).window(vec![number])?.filter(wanted)?.build()?;
        let plan = only(plan, columns)?;
        let below = Bound { plan, columns: below.columns, carried: below.carried };
        match above {
            Some(projection) => self.project(below, &projection.expr),
            None => Ok(below),
        }
    }

    fn join(&self, join: &Join) -> Result<Bound> {
        let by_left = matches!(
            join.join_type,
            JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark
        );
        if !by_left {
            return not_impl_err!("a {} join in a correlated subquery", join.join_type);
        }
        let right_depends = self.depends(&join.right)?;
        if join.join_type == JoinType::Inner && right_depends && !self.depends(&join.left)? {
            // Only the right side depends on the domain, and the condition sees both.
            let right = self.push(&join.right)?;
            let filter = join.filter.clone().map(|filter| self.bind(filter, &right.columns)).transpose()?;
            let on = join
                .on
                .iter()
                .map(|(l, r)| Ok((self.bind(l.clone(), &right.columns)?, self.bind(r.clone(), &right.columns)?)))
                .collect::<Result<Vec<_>>>()?;
            let plan = LogicalPlan::Join(Join::try_new(
                Arc::clone(&join.left),
                Arc::new(right.plan),
                on,
                filter,
                join.join_type,
                JoinConstraint::On,
                join.null_equality,
                join.null_aware,
            )?);
            return Ok(Bound { plan, columns: right.columns, carried: right.carried });
        }
        let left = self.push(&join.left)?;
        let bind = |expr: Expr| self.bind(expr, &left.columns);
        let mut filter = join.filter.clone().map(bind).transpose()?;
        let on = join.on.iter().map(|(l, r)| Ok((bind(l.clone())?, bind(r.clone())?))).collect::<Result<Vec<_>>>()?;
        let right = if right_depends {
            let right = self.push(&join.right)?;
            let same = left.columns.iter().zip(&right.columns).map(|(l, r)| {
                let (l, r) = (Expr::Column(l.clone()), Expr::Column(r.clone()));
                binary(l, Operator::IsNotDistinctFrom, r)
            });
            filter = conjunction(same.chain(filter));
            right.plan
        } else {
            join.right.as_ref().clone()
        };
        let output: Vec<Column> = join.schema.columns().into_iter().chain(left.carried.iter().cloned()).collect();
        let plan = LogicalPlan::Join(Join::try_new(
            Arc::new(left.plan),
            Arc::new(right),
            on,
            filter,
            join.join_type,
            JoinConstraint::On,
            join.null_equality,
            join.null_aware,
        )?);
        Ok(Bound { plan: only(plan, output)?, columns: left.columns, carried: left.carried })
    }
}

/// The column without DataFusion's functional dependencies: over a join it derives too much from them and removes a
/// DISTINCT that is needed.
fn unrelated(column: Column) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature = Signature::any(1, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(OuterValue { signature }))
    });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&FUNCTION), vec![Expr::Column(column)]))
}

/// A function that returns its argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OuterValue {
    signature: Signature,
}

impl ScalarUDFImpl for OuterValue {
    fn name(&self) -> &str {
        "outer_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&args.arg_fields[0]))
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(args.args.swap_remove(0))
    }
}

/// The columns as `c0`, `c1` and so on.
fn named(columns: &[Column]) -> Vec<Expr> {
    let columns = columns.iter().cloned().enumerate();
    columns.map(|(at, column)| Expr::Column(column).alias(format!("c{at}"))).collect()
}

/// Each outer column and its copy in the result.
fn pairs(outer: &[Column], alias: &TableReference) -> Vec<(Expr, Expr)> {
    let copy = |at: usize| Expr::Column(Column::new(Some(alias.clone()), format!("c{at}")));
    outer.iter().enumerate().map(|(at, column)| (Expr::Column(column.clone()), copy(at))).collect()
}

/// All rows of the left side with their matches on the right; NULL matches NULL.
fn left_join(left: LogicalPlan, right: LogicalPlan, on: Vec<(Expr, Expr)>) -> Result<LogicalPlan> {
    let always = on.is_empty().then(|| lit(true));
    Ok(LogicalPlan::Join(Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        always,
        JoinType::Left,
        JoinConstraint::On,
        NullEquality::NullEqualsNull,
        false,
    )?))
}

/// Whether every row has the same value, as in `a | NULL`.
fn is_constant(expr: &Expr, input: &LogicalPlan) -> bool {
    if expr.column_refs().is_empty() {
        return true;
    }
    if matches!(expr, Expr::Column(_)) {
        return false;
    }
    let context = SimplifyContext::builder().with_schema(Arc::clone(input.schema())).build();
    ExprSimplifier::new(context).simplify(expr.clone()).is_ok_and(|simple| simple.column_refs().is_empty())
}

/// Both sides in a type in which they compare.
fn comparable(left: Expr, right: Expr, left_schema: &DFSchema, right_schema: &DFSchema) -> Result<(Expr, Expr)> {
    let (l, r) = (left.get_type(left_schema)?, right.get_type(right_schema)?);
    if l == r {
        return Ok((left, right));
    }
    match comparison_coercion(&l, &r) {
        Some(common) => Ok((left.cast_to(&common, left_schema)?, right.cast_to(&common, right_schema)?)),
        None => not_impl_err!("IN over {l} and {r}"),
    }
}

/// Whether each outer row determines its rows by itself, independently of the others.
fn row_by_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Unnest(_) => plan.inputs().into_iter().all(row_by_row),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
}

/// The same, with a row of NULLs if an outer row has no rows; `None` if it is more than an unnested list.
fn keeping_rows(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => match keeping_rows(plan.inputs()[0])? {
            Some(kept) => Ok(Some(plan.with_new_exprs(plan.expressions(), vec![kept])?)),
            None => Ok(None),
        },
        LogicalPlan::Unnest(unnest) if row_by_row(&unnest.input) => {
            let options =
                UnnestOptions { null_handling: NullHandling::PreserveAndExpandEmpty, ..unnest.options.clone() };
            let kept = Unnest::try_new(Arc::clone(&unnest.input), unnest.exec_columns.clone(), options)?;
            Ok(Some(LogicalPlan::Unnest(kept)))
        }
        _ => Ok(None),
    }
}

/// Whether a subquery in a condition, or the left side of its IN, refers to both sides of a join.
fn asks_both_sides(join: &Join, filter: &Expr) -> Result<bool> {
    let mut both = false;
    each_part(filter, &mut |expr| {
        if subquery_of(expr).is_some() {
            let columns = columns_of(expr, &join.schema)?;
            both |= [&join.left, &join.right]
                .iter()
                .all(|side| columns.iter().any(|column| side.schema().has_column(column)));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(both)
}

/// Whether there is a subquery anywhere in a plan.
fn asks(plan: &LogicalPlan) -> Result<bool> {
    any_node(plan, &|node| Ok(matches!(node, LogicalPlan::Subquery(_)) || mentions_subquery(node)?))
}

fn mentions_subquery(node: &LogicalPlan) -> Result<bool> {
    any_expr(node, &|expr| subquery_of(expr).is_some())
}

/// A sort whose input includes the columns that its subqueries use, even if they are not selected.
fn reaching(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Sort(sort) = plan else { return Ok(None) };
    let LogicalPlan::Projection(projection) = sort.input.as_ref() else { return Ok(None) };
    let mut missing: Vec<Column> = Vec::new();
    for term in &sort.expr {
        each_part(&term.expr, &mut |expr| {
            if let Some(subquery) = subquery_of(expr) {
                for column in depends_on(&subquery.subquery, projection.input.schema())? {
                    if !projection.schema.has_column(&column) && !missing.contains(&column) {
                        missing.push(column);
                    }
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    if missing.is_empty() {
        return Ok(None);
    }
    let items = projection.expr.iter().cloned().chain(missing.into_iter().map(Expr::Column)).collect();
    let wider = LogicalPlan::Projection(Projection::try_new(items, Arc::clone(&projection.input))?);
    Ok(Some(LogicalPlan::Sort(Sort { expr: sort.expr.clone(), input: Arc::new(wider), fetch: sort.fetch })))
}
