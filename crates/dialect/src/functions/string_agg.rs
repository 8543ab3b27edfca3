//! DataFusion's `string_agg`, which `group_concat` becomes, with SQLite's limit on the text that it creates.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::{DataType, FieldRef};
use datafusion::{
    common::{DataFusionError, Result, ScalarValue},
    functions_aggregate::string_agg::string_agg_udaf,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
        function::{AccumulatorArgs, StateFieldsArgs},
    },
};

use super::{
    room::{Failure, Room},
    scalar::{Column, failed},
};

/// The aggregate as DataFusion takes it.
pub(crate) fn function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(BoundedStringAgg { signature: string_agg_udaf().signature().clone() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BoundedStringAgg {
    signature: Signature,
}

impl AggregateUDFImpl for BoundedStringAgg {
    fn name(&self) -> &str {
        "string_agg"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        string_agg_udaf().return_type(types)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        string_agg_udaf().state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneText { inner: string_agg_udaf().accumulator(args)?, length: 0 }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Reversed(function())
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        string_agg_udaf().groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Texts(string_agg_udaf().create_groups_accumulator(args)?)))
    }
}

/// The largest size that a batch adds; an error if its separators alone exceed the limit.
fn added(values: &[ArrayRef]) -> Result<usize> {
    let [texts, separators, ..] = values else { return Ok(0) };
    let given = Column::from_array(texts)?.bytes();
    let separators = match separators.is_empty() {
        true => 0,
        false => Column::from_array(&separators.slice(0, 1))?.bytes().saturating_mul(texts.len()),
    };
    let all = given.saturating_add(separators);
    Room::beside(given).check(all).map_err(too_big)?;
    Ok(all)
}

fn too_big(failure: Failure) -> DataFusionError {
    failed("group_concat", failure)
}

/// The text of one group.
#[derive(Debug)]
struct OneText {
    inner: Box<dyn Accumulator>,
    /// Its largest possible length.
    length: usize,
}

impl OneText {
    fn grow(&mut self, bytes: usize) -> Result<()> {
        self.length = self.length.saturating_add(bytes);
        // It is one value, however many batches it consists of.
        Room::beside(usize::MAX).check(self.length).map_err(too_big)
    }
}

impl Accumulator for OneText {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.grow(added(values)?)?;
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.inner.evaluate()
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }
}

/// The texts of many groups: the query's memory limit counts them after each batch.
struct Texts(Box<dyn GroupsAccumulator>);

impl GroupsAccumulator for Texts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        added(values)?;
        self.0.update_batch(values, groups, filter, count)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.0.evaluate(emit)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.0.state(emit)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.0.merge_batch(values, groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.0.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
