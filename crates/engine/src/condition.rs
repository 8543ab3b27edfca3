//! Conditions of a query that a table does not apply itself, evaluated while its rows are read.

use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::{filter_record_batch, prep_null_mask_filter};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{and, or};
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::sql::unparser::Unparser;
use datafusion::sql::unparser::dialect::CustomDialectBuilder;
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
    Expression(Arc<dyn PhysicalExpr>),
    /// All conditions of one of the lists.
    AnyOf(Vec<Vec<Condition>>),
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.columns == other.columns
            && match (&self.test, &other.test) {
                (Test::Expression(left), Test::Expression(right)) => **left == **right,
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
        let test = Test::Expression(expression);
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

    /// Which rows of a batch of its columns meet it. NULL counts as false.
    fn mask(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        match &self.test {
            Test::Expression(expression) => self.as_mask(expression.evaluate(rows)?, rows),
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
            Test::Expression(expression) => self.as_mask(expression.evaluate_selection(rows, selected)?, rows)?,
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
}

/// The conditions for one read of a table, and the place for the first error.
pub(crate) fn filters(conditions: &[Condition]) -> (Arc<[Arc<dyn RowFilter>]>, Failure) {
    let failure = Failure::default();
    let filter = |condition: &Condition| {
        Arc::new(Checked { condition: condition.clone(), failure: failure.clone() }) as Arc<dyn RowFilter>
    };
    (conditions.iter().map(filter).collect(), failure)
}
