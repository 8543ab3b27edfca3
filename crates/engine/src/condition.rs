//! Conditions of a query that a table does not apply itself, evaluated while its rows are read.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::filter::{filter_record_batch, prep_null_mask_filter};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{and, or};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_expr::expressions::{CastExpr, NegativeExpr, TryCastExpr};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::sql::unparser::Unparser;
use datafusion::sql::unparser::dialect::CustomDialectBuilder;
use indago_table::scan::{ColumnStatistics, RowGroups};
use indago_table::{Error as TableError, RowFilter, TableSpec};
use parking_lot::Mutex;

use crate::estimate;

/// One condition, over some columns of a table.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    /// Positions in the table, ascending. The expression refers to columns by their index in this list.
    columns: Vec<usize>,
    test: Test,
    selectivity: f64,
    shown: String,
}

#[derive(Debug, Clone)]
enum Test {
    /// An expression over columns of this schema.
    Expression(Arc<dyn PhysicalExpr>, SchemaRef),
    /// All conditions of one of the lists.
    AnyOf(Vec<Vec<Condition>>),
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.columns == other.columns
            && match (&self.test, &other.test) {
                (Test::Expression(left, _), Test::Expression(right, _)) => **left == **right,
                (Test::AnyOf(left), Test::AnyOf(right)) => left == right,
                _ => false,
            }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Whether a filter can be evaluated row by row, with nothing but the table's own columns.
pub(crate) fn is_of_row(filter: &Expr) -> bool {
    use Expr::{Exists, InSubquery, OuterReferenceColumn, Placeholder, ScalarSubquery, ScalarVariable, SetComparison};
    let elsewhere = filter.exists(|expr| {
        Ok(matches!(
            expr,
            Exists(_)
                | InSubquery(_)
                | SetComparison(_)
                | ScalarSubquery(_)
                | OuterReferenceColumn(..)
                | Placeholder(_)
                | ScalarVariable(..)
        ))
    });
    // A filter without columns has one value for all rows. It may make the scan unnecessary, so it is not part of the
    // scan.
    matches!(elsewhere, Ok(false)) && !filter.is_volatile() && !filter.column_refs().is_empty()
}

/// A condition as SQL.
pub(crate) fn shown(filter: &Expr) -> String {
    let plain = CustomDialectBuilder::new().build();
    match Unparser::new(&plain).with_pretty(true).expr_to_sql(filter) {
        Ok(sql) => sql.to_string(),
        Err(_) => filter.human_display().to_string(),
    }
}

impl Condition {
    pub(crate) fn new(filter: &Expr, spec: &TableSpec, session: &dyn Session) -> Result<Self> {
        let mut columns: Vec<usize> =
            filter.column_refs().into_iter().filter_map(|column| spec.column(&column.name)).collect();
        columns.sort_unstable();
        columns.dedup();
        let schema = DFSchema::try_from(spec.schema().project(&columns)?)?;
        let context = PhysicalPlanningContext::default();
        let expression = create_physical_expr(filter, &schema, session.execution_props(), &context)?;
        let test = Test::Expression(expression, schema.inner().clone());
        Ok(Condition { columns, test, selectivity: estimate::selectivity(filter), shown: shown(filter) })
    }

    /// The condition that a row meets all conditions of at least one list.
    pub(crate) fn any_of(lists: Vec<Vec<Condition>>) -> Self {
        let mut columns: Vec<usize> =
            lists.iter().flatten().flat_map(|condition| &condition.columns).copied().collect();
        columns.sort_unstable();
        columns.dedup();
        let left = lists.iter().map(|list| estimate::left_by(list.iter().map(Condition::selectivity)));
        let shown: Vec<String> = lists.iter().map(|list| format!("({})", describe(list))).collect();
        Condition {
            columns,
            selectivity: left.sum::<f64>().min(1.0),
            shown: shown.join(" OR "),
            test: Test::AnyOf(lists),
        }
    }

    /// The columns that it reads.
    pub(crate) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The expected fraction of rows that meet it.
    pub(crate) fn selectivity(&self) -> f64 {
        self.selectivity
    }

    /// Which groups of rows may have rows that meet it; `None` if the statistics exclude none.
    fn may_keep(&self, groups: &RowGroups) -> Option<Vec<bool>> {
        match &self.test {
            Test::Expression(expression, schema) => {
                if !keeps_order(expression, schema) {
                    return None;
                }
                let pruning = PruningPredicateBuilder::new().with_file_schema(schema.clone());
                let pruning = pruning.build(expression.clone())?;
                pruning.prune(&Statistics { groups, schema }).ok()
            }
            // A group may have rows for one list if it may have rows for each of the list's conditions.
            Test::AnyOf(lists) => {
                let mut any = vec![false; groups.rows.len()];
                for list in lists {
                    let mut all = vec![true; groups.rows.len()];
                    for condition in list {
                        let at = positions(condition, &self.columns).ok()?;
                        let columns = at.iter().map(|at| groups.columns[*at].clone()).collect();
                        let own = condition.may_keep(&RowGroups { rows: groups.rows.clone(), columns });
                        all.iter_mut().zip(own.into_iter().flatten()).for_each(|(all, own)| *all &= own);
                    }
                    any.iter_mut().zip(all).for_each(|(any, all)| *any |= all);
                }
                Some(any)
            }
        }
    }

    /// Which rows of a batch of its columns meet it. NULL counts as false.
    fn mask(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        match &self.test {
            Test::Expression(expression, _) => self.as_mask(expression.evaluate(rows)?, rows),
            Test::AnyOf(lists) => {
                let mut any = BooleanArray::new(BooleanBuffer::new_unset(rows.num_rows()), None);
                for list in lists {
                    let mut all = BooleanArray::new(BooleanBuffer::new_set(rows.num_rows()), None);
                    for condition in list {
                        all = condition.mask_of(&rows.project(&positions(condition, &self.columns)?)?, &all)?;
                    }
                    any = or(&any, &all)?;
                }
                Ok(any)
            }
        }
    }

    /// Which of the selected rows meet it. It is not evaluated on other rows, where it might fail.
    fn mask_of(&self, rows: &RecordBatch, selected: &BooleanArray) -> Result<BooleanArray> {
        let met = match &self.test {
            Test::Expression(expression, _) => self.as_mask(expression.evaluate_selection(rows, selected)?, rows)?,
            Test::AnyOf(_) => self.mask(rows)?,
        };
        Ok(and(&met, selected)?)
    }

    fn as_mask(&self, answers: ColumnarValue, rows: &RecordBatch) -> Result<BooleanArray> {
        let answers = answers.into_array(rows.num_rows())?;
        let answers = answers.as_boolean_opt().ok_or_else(|| {
            DataFusionError::Internal(format!("the condition {} is {}", self.shown, answers.data_type()))
        })?;
        Ok(if answers.null_count() > 0 { prep_null_mask_filter(answers) } else { answers.clone() })
    }
}

/// The rows of a batch that meet all conditions; `columns` are the batch's columns, by position in the table.
pub(crate) fn sift(conditions: &[Condition], columns: &[usize], mut batch: RecordBatch) -> Result<RecordBatch> {
    for condition in conditions {
        let mask = condition.mask(&batch.project(&positions(condition, columns)?)?)?;
        if mask.true_count() < batch.num_rows() {
            batch = filter_record_batch(&batch, &mask)?;
        }
    }
    Ok(batch)
}

/// The indices of a condition's columns in a list of columns. All columns are positions in the table.
fn positions(condition: &Condition, columns: &[usize]) -> Result<Vec<usize>> {
    let position = |column: &usize| columns.iter().position(|other| other == column);
    let looked_at: Option<Vec<usize>> = condition.columns.iter().map(position).collect();
    looked_at.ok_or_else(|| {
        DataFusionError::Internal(format!("the condition {condition} looks at columns that were not read"))
    })
}

/// All conditions as one SQL text.
pub(crate) fn describe(conditions: &[Condition]) -> String {
    conditions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" AND ")
}

/// The first error of a condition while a table was read.
pub(crate) type Failure = Arc<Mutex<Option<DataFusionError>>>;

/// A condition as a table's driver evaluates it.
#[derive(Debug)]
struct Checked {
    condition: Condition,
    failure: Failure,
}

impl RowFilter for Checked {
    fn columns(&self) -> &[usize] {
        &self.condition.columns
    }

    fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray, TableError> {
        self.condition.mask(rows).map_err(|error| {
            self.failure.lock().get_or_insert(error);
            // The query fails, not the table, so there is no warning.
            TableError::Cancelled
        })
    }

    fn may_keep(&self, groups: &RowGroups) -> Option<Vec<bool>> {
        self.condition.may_keep(groups)
    }
}

/// Whether an expression computes with columns only in ways that keep the order of values. DataFusion prunes by the bounds
/// of a column behind casts and negations. A time of day from a timestamp, or a boolean from a number (0 is false, -1 and
/// 1 are true), has another order. The least integer is its own negative. TRY_CAST makes NULLs that the statistics do
/// not have.
fn keeps_order(expression: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> bool {
    let is_safe = |cast: &CastExpr| match (cast.expr().data_type(schema), cast.cast_type()) {
        (Ok(from), to) if from == *to => true,
        (Ok(from), to) if from.is_numeric() => to.is_numeric(),
        (Ok(from), to) if from.is_string() => to.is_string(),
        // Local times repeat an hour in autumn.
        (Ok(DataType::Timestamp(_, Some(zone))), DataType::Timestamp(..)) => *zone == *"UTC",
        _ => false,
    };
    let is_unsafe = |node: &Arc<dyn PhysicalExpr>| {
        let cast = node.downcast_ref::<CastExpr>();
        Ok(cast.is_some_and(|cast| !is_safe(cast)) || node.is::<TryCastExpr>() || node.is::<NegativeExpr>())
    };
    expression.exists(is_unsafe).is_ok_and(|exists| !exists)
}

/// Statistics about groups of rows, as DataFusion reads them.
struct Statistics<'a> {
    groups: &'a RowGroups,
    schema: &'a SchemaRef,
}

impl Statistics<'_> {
    fn column(&self, column: &Column) -> Option<&ColumnStatistics> {
        self.groups.columns.get(self.schema.index_of(&column.name).ok()?)?.as_ref()
    }
}

impl PruningStatistics for Statistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        Some(self.column(column)?.minima.clone())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        Some(self.column(column)?.maxima.clone())
    }

    fn num_containers(&self) -> usize {
        self.groups.rows.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        Some(Arc::new(self.column(column)?.nulls.clone()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from(self.groups.rows.clone())))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// The conditions for one read of a table, and the place for the first error.
pub(crate) fn filters(conditions: &[Condition]) -> (Arc<[Arc<dyn RowFilter>]>, Failure) {
    let failure = Failure::default();
    let filter = |condition: &Condition| {
        Arc::new(Checked { condition: condition.clone(), failure: failure.clone() }) as Arc<dyn RowFilter>
    };
    (conditions.iter().map(filter).collect(), failure)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use datafusion::logical_expr::simplify::SimplifyContext;
    use datafusion::optimizer::simplify_expressions::ExprSimplifier;
    use datafusion::prelude::SessionContext;
    use indago_table::{ColumnSpec, Kind};

    use super::*;

    static SPEC: LazyLock<TableSpec> = LazyLock::new(|| {
        let columns = [("n", Kind::BigInt), ("at", Kind::Timestamp), ("text", Kind::Text)];
        let columns: Vec<_> = columns.map(|(name, kind)| ColumnSpec::new(name, kind, "")).into();
        TableSpec::new("things", "test", "Things.", columns)
    });

    /// Which groups may meet a condition: their values of `n`, of `at` in minutes, and of `text`, and their NULLs.
    async fn kept(condition: &str, nulls: Option<u64>) -> Option<Vec<bool>> {
        let session = SessionContext::new();
        let schema = DFSchema::try_from(SPEC.schema()).expect("a schema");
        let filter = session.state().create_logical_expr(condition, &schema).expect("an expression");
        // As a query's plan has it.
        let context = SimplifyContext::builder().with_schema(schema.clone().into()).build();
        let simplifier = ExprSimplifier::new(context);
        let filter = simplifier.coerce(filter, &schema).and_then(|filter| simplifier.simplify(filter));
        let condition = Condition::new(&filter.expect("valid"), &SPEC, &session.state()).expect("a condition");
        let minutes = |minutes: Vec<i64>| {
            let micros = minutes.into_iter().map(|minutes| minutes * 60_000_000);
            let times: arrow_array::TimestampMicrosecondArray = micros.map(Some).collect();
            Arc::new(times.with_timezone("UTC")) as ArrayRef
        };
        let statistics = |minima: ArrayRef, maxima: ArrayRef| {
            let nulls = UInt64Array::from(vec![nulls; minima.len()]);
            Some(ColumnStatistics { minima, maxima, nulls })
        };
        let numbers = |numbers: Vec<i64>| Arc::new(arrow_array::Int64Array::from(numbers)) as ArrayRef;
        let texts = |texts: Vec<&str>| Arc::new(arrow_array::StringViewArray::from(texts)) as ArrayRef;
        let all = [
            statistics(numbers(vec![-5, 10]), numbers(vec![5, 20])),
            // The first crosses midnight.
            statistics(minutes(vec![23 * 60, 26 * 60]), minutes(vec![25 * 60, 27 * 60])),
            statistics(texts(vec!["a", "n"]), texts(vec!["m", "z"])),
        ];
        let columns = condition.columns().iter().map(|column| all[*column].clone()).collect();
        condition.may_keep(&RowGroups { rows: vec![100, 100], columns })
    }

    #[tokio::test]
    async fn groups_without_rows_for_a_condition_are_excluded() {
        for (condition, expected) in [
            ("n > 5", Some([false, true])),
            ("n = 7 OR n = 15", Some([false, true])),
            ("n > 100 AND text = 'b'", Some([false, false])),
            ("n IN (5, 6)", Some([true, false])),
            ("CAST(n AS DOUBLE) > 5.5", Some([false, true])),
            ("text >= 'o'", Some([false, true])),
            ("at > TIMESTAMP '1970-01-02T01:30:00Z'", Some([false, true])),
            // These do not keep the order of values.
            ("CAST(n AS BOOLEAN) = false", None),
            ("CAST(at AS TIME) > TIME '23:50:00'", None),
            ("CAST(text AS BIGINT) = 7", None),
            ("CAST(n AS TEXT) > '9'", None),
            ("TRY_CAST(n AS DOUBLE) > 5.5", None),
            ("-n > -7", None),
            ("n % 7 = 3", None),
        ] {
            assert_eq!(kept(condition, Some(0)).await, expected.map(Vec::from), "{condition}");
        }
        // If the number of NULLs is unknown, there may be some.
        assert_eq!(kept("n IS NULL", Some(0)).await, Some(vec![false, false]));
        assert_eq!(kept("n IS NULL", None).await, Some(vec![true, true]));
        assert_eq!(kept("n IS NOT NULL", Some(100)).await, Some(vec![false, false]));
        assert_eq!(kept("n IS NOT NULL", None).await, Some(vec![true, true]));
        assert_eq!(kept("n > 5", None).await, Some(vec![false, true]));
    }
}
