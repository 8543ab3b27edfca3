//! `sum` by SQLite's rules: a sum of integers beyond 64 bits is an error, and the sum of numbers from text keeps the
//! mark that its whole values are integers. DataFusion's own `sum` adds, in 128 bits.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, cast::AsArray, types::Decimal128Type};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::{
    common::{Result, ScalarValue, exec_err},
    functions_aggregate::sum::sum_udaf,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
        function::{AccumulatorArgs, StateFieldsArgs},
        utils::AggregateOrderSensitivity,
    },
};

use crate::marks::NUMBER_METADATA;

/// The type in which integers are added.
const WIDE: DataType = DataType::Decimal128(38, 0);

/// The aggregate as DataFusion takes it.
pub(crate) fn function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(CheckedSum { signature: sum_udaf().signature().clone() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedSum {
    signature: Signature,
}

/// The arguments for adding integers in 128 bits, if the call adds integers.
fn widened<'a>(args: &AccumulatorArgs<'a>) -> Option<AccumulatorArgs<'a>> {
    let integers = args.return_field.data_type() == &DataType::Int64 && !args.is_distinct;
    integers.then(|| AccumulatorArgs {
        return_field: Arc::new(Field::new(args.return_field.name(), WIDE, true)),
        schema: args.schema,
        ignore_nulls: args.ignore_nulls,
        order_bys: args.order_bys,
        is_reversed: args.is_reversed,
        name: args.name,
        is_distinct: args.is_distinct,
        exprs: args.exprs,
        expr_fields: args.expr_fields,
    })
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        sum_udaf().return_type(types)
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
        let mut field = Field::new(self.name(), self.return_type(&types)?, true);
        if let Some(kind) = fields.first().and_then(|field| field.metadata().get(NUMBER_METADATA)) {
            field = field.with_metadata(HashMap::from([(NUMBER_METADATA.to_owned(), kind.clone())]));
        }
        Ok(Arc::new(field))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match widened(&args) {
            Some(args) => Ok(Box::new(Checked(sum_udaf().accumulator(args)?))),
            None => sum_udaf().accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match widened(&args) {
            Some(args) => Ok(Box::new(Checked(sum_udaf().create_sliding_accumulator(args)?))),
            None => sum_udaf().create_sliding_accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if args.return_field.data_type() == &DataType::Int64 && !args.is_distinct {
            return Ok(vec![Arc::new(Field::new(format!("{}[sum]", args.name), WIDE, true))]);
        }
        sum_udaf().state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match widened(&args) {
            Some(args) => Ok(Box::new(CheckedGroups(sum_udaf().create_groups_accumulator(args)?))),
            None => sum_udaf().create_groups_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn wide(values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    values.iter().map(|array| Ok(arrow_cast::cast(array, &WIDE)?)).collect()
}

fn narrow(sum: i128) -> Result<i64> {
    match i64::try_from(sum) {
        Ok(sum) => Ok(sum),
        Err(_) => exec_err!("sum: integer overflow: total() returns the sum as a real"),
    }
}

#[derive(Debug)]
struct Checked(Box<dyn Accumulator>);

impl Accumulator for Checked {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(&wide(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.0.evaluate()? {
            ScalarValue::Decimal128(sum, ..) => Ok(ScalarValue::Int64(sum.map(narrow).transpose()?)),
            other => other.cast_to(&DataType::Int64),
        }
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(&wide(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }
}

struct CheckedGroups(Box<dyn GroupsAccumulator>);

impl GroupsAccumulator for CheckedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.0.update_batch(&wide(values)?, groups, filter, count)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let sums = self.0.evaluate(emit)?;
        let sums = sums.as_primitive::<Decimal128Type>();
        let narrowed: Int64Array = (0..sums.len())
            .map(|at| if sums.is_null(at) { Ok(None) } else { narrow(sums.value(at)).map(Some) })
            .collect::<Result<_>>()?;
        Ok(Arc::new(narrowed))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.0.state(emit)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.0.merge_batch(states, groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.0.convert_to_state(&wide(values)?, filter)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
