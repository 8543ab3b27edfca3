//! Limits the size of function results before they are created, and charges them to the query's memory.
//!
//! DataFusion's functions create the results for an entire batch of rows at once: `repeat(path, 1000000)` for 4096 rows
//! needs 400 MB and more. The guard passes a batch in parts whose results are small enough; the largest possible result
//! of each function is known. The dialect's own functions do the same value by value, see
//! [`Room`](crate::functions::room::Room).

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow_array::{
    Array, ArrayRef, Int64Array, builder::StringViewBuilder, cast::AsArray, new_empty_array, types::Int64Type,
};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::{
    common::{
        ExprSchema, Result, ScalarValue, resources_err,
        tree_node::{Transformed, TreeNode},
    },
    config::ConfigOptions,
    logical_expr::{
        ColumnarValue, Documentation, Expr, ExpressionPlacement, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
        ScalarUDF, ScalarUDFImpl, Signature, StructFieldMapping, Volatility,
        expr::ScalarFunction as Call,
        expr_rewriter::NamePreserver,
        interval_arithmetic::Interval,
        preimage::PreimageResult,
        simplify::{ExprSimplifyResult, SimplifyContext},
        sort_properties::{ExprProperties, SortProperties},
    },
    optimizer::AnalyzerRule,
};

use crate::{
    functions::{
        room::{CONSTANT, PLAIN, charge, keep},
        scalar::ScalarFunction,
    },
    interrupt::{Interrupt, Memory},
    plan::walk::{any_expr, any_node, exprs_up, own_exprs, plans_up},
};

/// Results are created in parts of about this many bytes.
const PART: usize = 4 << 20;

/// What a query without a memory limit may create in one batch.
const UNLIMITED: usize = 1 << 30;
/// Bytes that a list needs for an element that is not text.
const ELEMENT: usize = 16;

/// A function whose results are limited and charged; the dialect's own functions already do both.
pub fn guarded(function: ScalarUDF) -> ScalarUDF {
    if is_guarded(&function) {
        return function;
    }
    let bound = bound(function.name()).unwrap_or(sum);
    ScalarUDF::new_from_impl(Guarded { function, bound })
}

pub(crate) fn guarded_shared(function: &Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    Arc::new(guarded(function.as_ref().clone()))
}

/// The call of a function with its guard.
fn guard_call(expr: Expr) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::ScalarFunction(call) if !is_guarded(&call.func) => {
            Transformed::yes(Expr::ScalarFunction(Call::new_udf(guarded_shared(&call.func), call.args)))
        }
        other => Transformed::no(other),
    })
}

fn is_guarded(function: &ScalarUDF) -> bool {
    let inner = function.inner();
    // `get_field` returns parts of existing values, and rules search plans for it.
    inner.is::<ScalarFunction>() || inner.is::<Guarded>() || function.name() == "get_field"
}

/// Guards the functions that planners put into a plan; those do not come from the session.
#[derive(Debug)]
pub(crate) struct GuardRule;

impl AnalyzerRule for GuardRule {
    fn name(&self) -> &str {
        "guarded_functions"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_bare = |expr: &Expr| matches!(expr, Expr::ScalarFunction(call) if !is_guarded(&call.func));
        if !any_node(&plan, &|node| any_expr(node, &is_bare))? {
            return Ok(plan);
        }
        let mut guard = |node: LogicalPlan| own_exprs(node, &mut |expr| exprs_up(expr, &mut guard_call));
        plans_up(plan, &mut guard).map(|changed| changed.data)
    }
}

/// The largest number of bytes in the result for a row.
type Bound = fn(&Given, usize) -> usize;

/// The limits of functions whose results may be much larger than their arguments.
pub(crate) fn bound(function: &str) -> Option<Bound> {
    Some(match function {
        "repeat" => |given, row| given.bytes(0, row).saturating_mul(given.number(1, row)),
        "lpad" | "rpad" => |given, row| given.bytes(0, row).saturating_add(given.number(1, row).saturating_mul(4)),
        "replace" => |given, row| {
            let (text, from, to) = (given.bytes(0, row), given.bytes(1, row), given.bytes(2, row));
            let times = text.checked_div(from).unwrap_or(0);
            text.saturating_add(times.saturating_mul(to))
        },
        "regexp_replace" => |given, row| {
            let (text, with) = (given.bytes(0, row), given.bytes(2, row));
            // The replacement may contain the match several times.
            let parts = given.text(2, row).matches(['$', '\\']).count();
            let times = if given.text(3, row).contains('g') { text + 1 } else { 1 };
            text.saturating_mul(parts + 1).saturating_add(times.saturating_mul(with))
        },
        "regexp_match" => |given, row| {
            let parts = given.text(1, row).matches('(').count() + 1;
            parts.saturating_mul(given.bytes(0, row) + ELEMENT)
        },
        "concat_ws" => {
            |given, row| sum(given, row).saturating_add(given.args.len().saturating_mul(given.bytes(0, row)))
        }
        "array_repeat" => |given, row| (given.bytes(0, row) + ELEMENT).saturating_mul(given.number(1, row)),
        // Without a separator, each character is an element.
        "string_to_array" => |given, row| {
            let (text, separator) = (given.bytes(0, row), given.bytes(1, row).max(1));
            text.saturating_add((text / separator + 1).saturating_mul(ELEMENT))
        },
        // `%c` and `%+` expand to at most 40 characters.
        "to_char" => |given, row| given.bytes(0, row).saturating_add(given.bytes(1, row).saturating_mul(20)),
        "encode" | "to_hex" => |given, row| given.bytes(0, row).saturating_mul(2).saturating_add(ELEMENT),
        "array_resize" => |given, row| {
            let element = given.bytes(2, row).max(ELEMENT);
            given.bytes(0, row).saturating_add(element.saturating_mul(given.number(1, row)))
        },
        "array_to_string" => |given, row| {
            let beside = given.bytes(1, row).saturating_add(given.bytes(2, row));
            given.shown(0, row).saturating_add(given.count(0, row).saturating_mul(beside))
        },
        "array_replace" | "array_replace_n" | "array_replace_all" => {
            |given, row| given.bytes(0, row).saturating_add(given.count(0, row).saturating_mul(given.bytes(2, row)))
        }
        "range" | "generate_series" => |given, row| given.steps(row).saturating_mul(8),
        _ => return None,
    })
}

/// The limit of most functions: their results consist of their arguments.
fn sum(given: &Given, row: usize) -> usize {
    (0..given.args.len()).fold(0, |sum, arg| sum.saturating_add(given.bytes(arg, row)))
}

/// The arguments of a call; a constant is stored once.
pub(crate) struct Given {
    args: Vec<ArrayRef>,
    numbers: Vec<Option<Int64Array>>,
}

impl Given {
    fn new(args: &[ColumnarValue]) -> Result<Self> {
        let args = args.iter().map(|arg| match arg {
            ColumnarValue::Array(array) => Ok(Arc::clone(array)),
            ColumnarValue::Scalar(value) => value.to_array(),
        });
        let args = args.collect::<Result<Vec<_>>>()?;
        let number = |arg: &ArrayRef| -> Result<Option<Int64Array>> {
            if !arg.data_type().is_integer() {
                return Ok(None);
            }
            Ok(Some(arrow_cast::cast(arg, &DataType::Int64)?.as_primitive::<Int64Type>().clone()))
        };
        let numbers = args.iter().map(number).collect::<Result<_>>()?;
        Ok(Self { args, numbers })
    }

    /// An argument and a row's index in it, if it has a value.
    fn at(&self, arg: usize, row: usize) -> Option<(&ArrayRef, usize)> {
        let array = self.args.get(arg)?;
        let row = if array.len() == 1 { 0 } else { row };
        (row < array.len() && array.is_valid(row)).then_some((array, row))
    }

    /// The length of a text or list.
    fn bytes(&self, arg: usize, row: usize) -> usize {
        self.at(arg, row).map_or(0, |(array, row)| bytes(array, row))
    }

    /// The number of elements of a list.
    fn count(&self, arg: usize, row: usize) -> usize {
        self.at(arg, row).and_then(|(array, row)| elements(array, row)).map_or(0, |elements| elements.len())
    }

    /// The length of a list's elements as text.
    fn shown(&self, arg: usize, row: usize) -> usize {
        // A number is displayed with at most 25 characters.
        self.bytes(arg, row).saturating_add(self.count(arg, row).saturating_mul(2 * ELEMENT))
    }

    fn text(&self, arg: usize, row: usize) -> &str {
        self.at(arg, row).and_then(|(array, row)| text(array, row)).unwrap_or_default()
    }

    /// A number that is a count.
    fn number(&self, arg: usize, row: usize) -> usize {
        self.signed(arg, row).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
    }

    fn signed(&self, arg: usize, row: usize) -> Option<i64> {
        let (_, row) = self.at(arg, row)?;
        Some(self.numbers.get(arg)?.as_ref()?.value(row))
    }

    /// The number of values in a series; for days and times at most one per day or per second.
    fn steps(&self, row: usize) -> usize {
        let whole = |span: u64, step: u64| usize::try_from(span / step.max(1)).unwrap_or(usize::MAX).saturating_add(1);
        if self.numbers.first().is_some_and(Option::is_some) {
            let (start, stop) = match self.args.len() {
                1 => (Some(0), self.signed(0, row)),
                _ => (self.signed(0, row), self.signed(1, row)),
            };
            let (Some(start), Some(stop)) = (start, stop) else { return 0 };
            let step = if self.args.len() > 2 { self.signed(2, row) } else { Some(1) };
            return whole(start.abs_diff(stop), step.unwrap_or(0).unsigned_abs());
        }
        let nanoseconds = |arg: usize| -> Option<i128> {
            let (array, row) = self.at(arg, row)?;
            let value = ScalarValue::try_from_array(array, row).ok()?;
            if let ScalarValue::IntervalMonthDayNano(Some(step)) = value {
                let days = i128::from(step.months) * 28 + i128::from(step.days);
                return Some(days * 86_400_000_000_000 + i128::from(step.nanoseconds));
            }
            let microseconds = value
                .cast_to(&DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, None))
                .and_then(|time| time.cast_to(&DataType::Int64));
            match microseconds {
                Ok(ScalarValue::Int64(Some(microseconds))) => Some(i128::from(microseconds) * 1000),
                _ => None,
            }
        };
        let (Some(start), Some(stop), Some(step)) = (nanoseconds(0), nanoseconds(1), nanoseconds(2)) else { return 0 };
        usize::try_from(start.abs_diff(stop) / step.unsigned_abs().max(1)).unwrap_or(usize::MAX).saturating_add(1)
    }
}

fn text(array: &ArrayRef, row: usize) -> Option<&str> {
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(array.as_string_view().value(row)),
        _ => None,
    }
}

fn elements(array: &ArrayRef, row: usize) -> Option<ArrayRef> {
    match array.data_type() {
        DataType::List(_) => Some(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => Some(array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => Some(array.as_fixed_size_list().value(row)),
        _ => None,
    }
}

/// The size of a value in bytes.
fn bytes(array: &ArrayRef, row: usize) -> usize {
    if array.is_null(row) {
        return 0;
    }
    if let Some(text) = text(array, row) {
        return text.len();
    }
    match array.data_type() {
        DataType::Binary => array.as_binary::<i32>().value(row).len(),
        DataType::LargeBinary => array.as_binary::<i64>().value(row).len(),
        DataType::BinaryView => array.as_binary_view().value(row).len(),
        DataType::Struct(_) => array.as_struct().columns().iter().map(|column| bytes(column, row)).sum(),
        DataType::Map(..) => {
            let entries: ArrayRef = Arc::new(array.as_map().value(row));
            (0..entries.len()).map(|entry| bytes(&entries, entry)).sum()
        }
        _ => match elements(array, row) {
            Some(elements) if elements.data_type().is_primitive() => elements.len().saturating_mul(ELEMENT),
            Some(elements) => (0..elements.len()).map(|at| ELEMENT + bytes(&elements, at)).sum(),
            None => ELEMENT,
        },
    }
}

/// Whether values of a type have variable length.
fn has_any_length(kind: &DataType) -> bool {
    match kind {
        DataType::Null | DataType::Boolean | DataType::FixedSizeBinary(_) => false,
        DataType::Struct(fields) => fields.iter().any(|field| has_any_length(field.data_type())),
        kind => !kind.is_primitive(),
    }
}

/// Whether offsets of a type end at 2^31.
fn has_short_offsets(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::Binary | DataType::List(_) | DataType::Map(..))
}

/// A function of DataFusion or of an embedder.
#[derive(Debug)]
struct Guarded {
    function: ScalarUDF,
    bound: Bound,
}

impl Guarded {
    /// Fails unless this many bytes are left.
    fn check(&self, bytes: usize, left: usize) -> Result<()> {
        if bytes <= left {
            return Ok(());
        }
        let name = self.function.name();
        resources_err!(
            "{name}: a value may need {} MB, and the query has {} MB of memory left",
            bytes >> 20,
            left >> 20
        )
    }

    fn in_parts(&self, args: &ScalarFunctionArgs, given: &Given, left: usize) -> Result<ArrayRef> {
        let rows = args.number_rows;
        if rows == 0 {
            return Ok(new_empty_array(args.return_type()));
        }
        let mut made: Vec<ArrayRef> = Vec::new();
        let (mut start, mut taken) = (0, 0_usize);
        while start < rows {
            let (mut end, mut most) = (start, 0_usize);
            while end < rows {
                let with_this = most.saturating_add((self.bound)(given, end));
                if end > start && with_this > PART {
                    break;
                }
                (most, end) = (with_this, end + 1);
            }
            self.check(taken.saturating_add(most), left)?;
            let part = |arg: &ColumnarValue| match arg {
                ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(start, end - start)),
                scalar => scalar.clone(),
            };
            let part = ScalarFunctionArgs {
                args: args.args.iter().map(part).collect(),
                number_rows: end - start,
                ..args.clone()
            };
            let array = self.function.invoke_with_args(part)?.into_array(end - start)?;
            taken = taken.saturating_add(array.get_array_memory_size());
            made.push(array);
            start = end;
        }
        if let [only] = made.as_slice() {
            return Ok(Arc::clone(only));
        }
        // Concatenating needs the memory twice.
        self.check(taken.saturating_mul(2), left)?;
        let short = has_short_offsets(args.return_type());
        self.check(taken, if short { i32::MAX as usize } else { usize::MAX })?;
        let parts: Vec<&dyn Array> = made.iter().map(AsRef::as_ref).collect();
        Ok(arrow_select::concat::concat(&parts)?)
    }
}

impl PartialEq for Guarded {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function
    }
}

impl Eq for Guarded {}

impl Hash for Guarded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
    }
}

#[warn(clippy::missing_trait_methods)]
impl ScalarUDFImpl for Guarded {
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !has_any_length(args.return_type()) || args.args.is_empty() {
            return self.function.invoke_with_args(args);
        }
        let interrupt = Interrupt::of(&args.config_options);
        let memory = interrupt.memory();
        let left = memory.map_or(UNLIMITED, Memory::left);
        let rows = args.number_rows;
        let given = Given::new(&args.args)?;
        if args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) {
            self.check((self.bound)(&given, 0), left.min(CONSTANT))?;
            let made = self.function.invoke_with_args(args)?;
            match &made {
                ColumnarValue::Scalar(value) => keep(self.function.name(), memory, value)?,
                ColumnarValue::Array(array) => charge(self.function.name(), memory, array)?,
            }
            return Ok(made);
        }
        let all = args.args.iter().zip(&given.args).map(|(arg, array)| match arg {
            ColumnarValue::Array(array) => array.get_array_memory_size(),
            ColumnarValue::Scalar(_) => bytes(array, 0).saturating_mul(rows),
        });
        let is_little = bound(self.function.name()).is_none() && all.fold(0, usize::saturating_add) <= PART.min(left);
        let made = if is_little {
            self.function.invoke_with_args(args)?.into_array(rows)?
        } else {
            self.in_parts(&args, &given, left)?
        };
        charge(self.function.name(), memory, &made)?;
        Ok(ColumnarValue::Array(made))
    }

    fn name(&self) -> &str {
        self.function.name()
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        #[expect(deprecated, reason = "callers of the wrapper may still use it")]
        self.function.display_name(args)
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.function.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.function.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.function.return_field_from_args(args)
    }

    fn is_nullable(&self, args: &[Expr], schema: &dyn ExprSchema) -> bool {
        #[expect(deprecated, reason = "callers of the wrapper may still use it")]
        self.function.is_nullable(args, schema)
    }

    fn is_strict(&self) -> bool {
        self.function.is_strict()
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        self.function.inner().with_updated_config(config).map(guarded)
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // The replacement must be guarded, too.
        Ok(match self.function.simplify(args, info)? {
            ExprSimplifyResult::Simplified(expr) => {
                ExprSimplifyResult::Simplified(exprs_up(expr, &mut guard_call)?.data)
            }
            original => original,
        })
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.function.preimage(args, literal, info)
    }

    fn conditional_arguments<'a>(&self, args: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.function.conditional_arguments(args)
    }

    fn short_circuits(&self) -> bool {
        self.function.short_circuits()
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        self.function.evaluate_bounds(inputs)
    }

    fn propagate_constraints(&self, interval: &Interval, inputs: &[&Interval]) -> Result<Option<Vec<Interval>>> {
        self.function.propagate_constraints(interval, inputs)
    }

    fn struct_field_mapping(&self, literals: &[Option<ScalarValue>]) -> Option<StructFieldMapping> {
        self.function.struct_field_mapping(literals)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.function.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.function.preserves_lex_ordering(inputs)
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.function.strictly_order_preserving(inputs)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.function.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.function.placement(args)
    }
}

/// Shares long constants of a plan between rows: DataFusion copies a constant for each row of a batch.
pub fn with_shared_constants(plan: LogicalPlan) -> Result<LogicalPlan> {
    plans_up(plan, &mut |node| {
        let preserver = NamePreserver::new(&node);
        own_exprs(node, &mut |expr| {
            let name = preserver.save(&expr);
            Ok(shared(expr)?.update_data(|expr| name.restore(expr)))
        })
    })
    .map(|changed| changed.data)
}

/// An expression whose value becomes the column of a node, or a result of a `CASE`.
fn shared(expr: Expr) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::Literal(value, _) if value.size() > PLAIN && has_any_length(&value.data_type()) => {
            let constant =
                ScalarUDF::new_from_impl(LongConstant { signature: Signature::nullary(Volatility::Immutable), value });
            Transformed::yes(constant.call(Vec::new()))
        }
        Expr::Alias(_) | Expr::Case(_) => expr.map_children(shared)?,
        other => Transformed::no(other),
    })
}

/// A long text or list that all rows have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
struct LongConstant {
    signature: Signature,
    value: ScalarValue,
}

impl ScalarUDFImpl for LongConstant {
    fn name(&self) -> &str {
        "long_constant"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), self.value.data_type(), self.value.is_null())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        if let ScalarValue::Utf8View(Some(text)) = &self.value
            && let Ok(length) = u32::try_from(text.len())
        {
            let mut texts = StringViewBuilder::with_capacity(rows);
            let block = texts.append_block(text.clone().into_bytes().into());
            for _ in 0..rows {
                texts.try_append_view(block, 0, length)?;
            }
            return Ok(ColumnarValue::Array(Arc::new(texts.finish())));
        }
        let interrupt = Interrupt::of(&args.config_options);
        let memory = interrupt.memory();
        let (left, bytes) = (memory.map_or(UNLIMITED, Memory::left), self.value.size().saturating_mul(rows));
        let short = has_short_offsets(&self.value.data_type());
        if bytes > left || (short && bytes > i32::MAX as usize) {
            let of = self.value.size() >> 10;
            return resources_err!(
                "a constant of {of} KB for {rows} rows, and the query has {} MB of memory left",
                left >> 20
            );
        }
        let made = self.value.to_array_of_size(rows)?;
        charge("a constant", memory, &made)?;
        Ok(ColumnarValue::Array(made))
    }
}
