//! A scalar subquery has one value: several rows are an error.

use std::{mem::size_of_val, sync::Arc};

use arrow_array::{Array, ArrayRef, cast::AsArray, types::UInt64Type};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::{
    common::{Result, ScalarValue, exec_err},
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, Expr, FetchType, LogicalPlan, LogicalPlanBuilder, Signature,
        Volatility,
        expr::AggregateFunction,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};

/// Whether a plan returns at most one row, for any input.
pub(super) fn is_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Values(values) => values.values.len() <= 1,
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Limit(limit) => {
            matches!(limit.get_fetch_type(), Ok(FetchType::Literal(Some(0 | 1)))) || is_one_row(&limit.input)
        }
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::SubqueryAlias(_) => plan.inputs().into_iter().all(is_one_row),
        _ => false,
    }
}

/// The plan with an error if it returns more than one row.
pub(super) fn checked(plan: Arc<LogicalPlan>) -> Result<LogicalPlan> {
    let (relation, field) = plan.schema().qualified_field(0);
    let (relation, name) = (relation.cloned(), field.name().clone());
    let column = Expr::Column(plan.schema().columns().swap_remove(0));
    let function = Arc::new(AggregateUDF::new_from_impl(SingleValue(Signature::any(1, Volatility::Immutable))));
    let value = Expr::AggregateFunction(AggregateFunction::new_udf(function, vec![column], false, None, vec![], None));
    let only = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), vec![value])?.build()?;
    let value = Expr::Column(only.schema().columns().swap_remove(0)).alias_qualified(relation, name);
    LogicalPlanBuilder::from(only).project(vec![value])?.build()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue(Signature);

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &str {
        "single_value"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Single { value: ScalarValue::try_from(args.return_field.data_type())?, rows: 0 }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let value = args.return_field.data_type().clone();
        Ok(vec![
            Arc::new(Field::new(format!("{}[value]", args.name), value, true)),
            Arc::new(Field::new(format!("{}[rows]", args.name), DataType::UInt64, false)),
        ])
    }
}

#[derive(Debug)]
struct Single {
    value: ScalarValue,
    rows: u64,
}

impl Single {
    fn add(&mut self, values: &ArrayRef, at: usize, rows: u64) -> Result<()> {
        self.rows = self.rows.saturating_add(rows);
        if self.rows > 1 {
            return exec_err!("a subquery used as a value returned several rows");
        }
        if rows == 1 {
            self.value = ScalarValue::try_from_array(values, at)?;
        }
        Ok(())
    }
}

impl Accumulator for Single {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0], 0, values[0].len() as u64)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::UInt64(Some(self.rows))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for (at, rows) in states[1].as_primitive::<UInt64Type>().iter().enumerate() {
            self.add(&states[0], at, rows.unwrap_or(0))?;
        }
        Ok(())
    }
}
