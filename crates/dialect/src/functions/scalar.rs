//! Turns a scalar function of SQLite into one of DataFusion: values in, one value out, row by row.

use std::{
    borrow::Cow,
    fmt::{Debug, Formatter},
    hash::{Hash, Hasher},
    sync::Arc,
    time::Instant,
};

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringViewArray,
    builder::{BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringViewBuilder},
    cast::AsArray,
    types::{Float64Type, Int64Type},
};
use arrow_json::writer::{EncoderOptions, make_encoder};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::{
    common::{DataFusionError, Result, ScalarValue, exec_err, plan_err},
    logical_expr::{
        ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
        simplify::{ExprSimplifyResult, SimplifyContext},
    },
};

use super::room::{Failure, Room, charge, keep};
use crate::{
    class::Class,
    interrupt::Interrupt,
    marks::{COLLATION_METADATA, MIXED, NUMBER_METADATA, is_mixed, whole},
    value::{Value, real_to_text},
};

/// The result of a function; the engine adds to an error where it failed.
pub(crate) type Evaluated<'a> = std::result::Result<Value<'a>, Failure>;

/// The output type of a function.
#[derive(Clone, Copy)]
pub(crate) enum Returns {
    Int,
    Real,
    Text,
    Blob,
    Bool,
    /// By the types of the arguments.
    By(fn(&[DataType]) -> DataType),
}

/// The context of one evaluation.
pub(crate) struct Moment {
    /// The timestamp of the query, in microseconds since 1970.
    pub(crate) now_micros: i64,
    /// When this batch of rows started.
    pub(crate) began: Instant,
    /// The remaining size limit for this batch.
    pub(crate) room: Room,
    pub(crate) interrupt: Interrupt,
}

impl Moment {
    pub(crate) fn new(room: Room, interrupt: Interrupt) -> Self {
        Self { now_micros: interrupt.moment(), began: Instant::now(), room, interrupt }
    }

    /// Checks that a value of so many bytes may be created.
    pub(crate) fn check(&self, bytes: usize) -> std::result::Result<(), Failure> {
        self.room.check(bytes)
    }
}

/// The number of rows between two checks of whether the query was cancelled.
const ROWS_BETWEEN_LOOKS: usize = 64;

/// Rewrites a call once its types are known.
pub(crate) type Simplify = fn(Vec<Expr>, &SimplifyContext) -> Result<ExprSimplifyResult>;

/// One function as data: its documentation and its code.
#[derive(Clone, Copy)]
pub(crate) struct Scalar {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) doc: &'static [&'static str],
    pub(crate) arguments: &'static str,
    /// Minimum and maximum number of arguments; `usize::MAX` for any number.
    pub(crate) arity: (usize, usize),
    pub(crate) returns: Returns,
    pub(crate) volatility: Volatility,
    pub(crate) examples: &'static [(&'static str, &'static str)],
    pub(crate) eval: for<'a> fn(&'a [Value<'a>], &Moment) -> Evaluated<'a>,
    pub(crate) simplify: Option<Simplify>,
}

impl Scalar {
    /// Whether this is one of its names.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// Declares one function; all parts are data, and the doc comment is its reference text.
macro_rules! scalar {
    (
        $(#[doc = $doc:literal])*
        $name:literal ( $arguments:literal ) $(alias $($alias:literal),+ ;)?
        $min:literal ..= $max:expr => $returns:expr,
        $volatility:ident,
        $(example $sql:literal => $answer:literal,)*
        $(simplify: $simplify:expr,)?
        eval: $eval:expr
    ) => {
        pub(super) const FUNCTION: $crate::functions::scalar::Scalar = $crate::functions::scalar::Scalar {
            name: $name,
            aliases: &[$($($alias),+)?],
            doc: &[$($doc),*],
            arguments: $arguments,
            arity: ($min, $max),
            returns: $returns,
            volatility: datafusion::logical_expr::Volatility::$volatility,
            examples: &[$(($sql, $answer)),*],
            eval: $eval,
            simplify: scalar!(@option $($simplify)?),
        };
    };
    (@option) => { None };
    (@option $simplify:expr) => { Some($simplify) };
}
pub(crate) use scalar;

/// The DataFusion side of a [`Scalar`].
#[derive(Clone)]
pub(crate) struct ScalarFunction {
    pub(crate) spec: Scalar,
    aliases: Vec<String>,
    signature: Signature,
    /// Whether it returns NULL in place of an error.
    lenient: bool,
}

impl ScalarFunction {
    pub(crate) fn new(spec: Scalar) -> Self {
        let aliases = spec.aliases.iter().map(|&alias| alias.to_owned()).collect();
        Self { spec, aliases, signature: Signature::user_defined(spec.volatility), lenient: false }
    }

    /// The same function, returning NULL in place of an error.
    pub(crate) fn lenient(spec: Scalar) -> Self {
        Self { lenient: true, ..Self::new(spec) }
    }
}

impl Debug for ScalarFunction {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ScalarFunction").field(&self.spec.name).finish()
    }
}

impl PartialEq for ScalarFunction {
    fn eq(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name
    }
}

impl Eq for ScalarFunction {}

impl Hash for ScalarFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
    }
}

impl ScalarUDFImpl for ScalarFunction {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (fewest, most) = self.spec.arity;
        if types.len() < fewest || types.len() > most {
            return plan_err!("wrong number of arguments to function {}({})", self.spec.name, self.spec.arguments);
        }
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match self.spec.returns {
            Returns::Int => DataType::Int64,
            Returns::Real => DataType::Float64,
            Returns::Text => DataType::Utf8View,
            Returns::Blob => DataType::Binary,
            Returns::Bool => DataType::Boolean,
            Returns::By(rule) => rule(types),
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let mut field = Field::new(self.name(), self.return_type(&types)?, true);
        if self.spec.name == "collate"
            && let Some(name) =
                args.scalar_arguments.get(1).copied().flatten().and_then(|name| name.try_as_str()).flatten()
        {
            field = field.with_metadata([(COLLATION_METADATA.to_owned(), name.to_owned())].into());
        }
        if field.data_type() == &DataType::Float64 && matches!(self.spec.returns, Returns::By(_)) {
            // Each value of the result has its own kind, unless one side is always a real.
            let counting = match self.spec.name {
                "iif" => &args.arg_fields[1..],
                "nullif" | "likelihood" => &args.arg_fields[..1],
                // For text, the result is a real.
                "abs" if !is_mixed(&args.arg_fields[0]) => &[],
                _ => args.arg_fields,
            };
            let real = |field: &FieldRef| Class::of(field.data_type()) == Class::Real && !is_mixed(field);
            let open =
                |field: &FieldRef| is_mixed(field) || matches!(Class::of(field.data_type()), Class::Text | Class::Blob);
            if counting.iter().any(open) && !counting.iter().any(real) {
                field = field.with_metadata([(NUMBER_METADATA.to_owned(), MIXED.to_owned())].into());
            }
        }
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant && self.spec.volatility != Volatility::Volatile { 1 } else { args.number_rows };
        let columns = args
            .args
            .iter()
            .zip(&args.arg_fields)
            .map(|(arg, field)| Ok(Column::new(arg)?.of(field)))
            .collect::<Result<Vec<_>>>()?;
        let room = if rows == 1 && constant {
            Room::of_constants()
        } else {
            Room::beside(columns.iter().map(Column::bytes).sum())
        };
        let interrupt = Interrupt::of(&args.config_options);
        let room = room.within(interrupt.memory());
        let mut moment = Moment::new(room, interrupt);
        let mut out = Output::new(args.return_field.data_type(), rows)?;
        let whole = matches!(out, Output::Int(_)) && matches!(self.spec.returns, Returns::By(_));
        let mut row_values = Vec::with_capacity(columns.len());
        for row in 0..rows {
            if row % ROWS_BETWEEN_LOOKS == 0 && moment.interrupt.is_over() {
                return exec_err!("{}: interrupted", self.spec.name);
            }
            row_values.clear();
            row_values.extend(columns.iter().map(|column| column.get(row)));
            match (self.spec.eval)(&row_values, &moment) {
                Ok(Value::Real(_)) if whole => {
                    return exec_err!("{}: integer overflow: make one side a real", self.spec.name);
                }
                Ok(value) => {
                    moment.room.take(value.bytes()).map_err(|failure| failed(self.spec.name, failure))?;
                    out.push(value);
                }
                Err(Failure::Value(_)) if self.lenient => out.push(Value::Null),
                Err(failure) => return Err(failed(self.spec.name, failure)),
            }
        }
        let array = out.finish();
        if rows == 1 && constant && self.spec.volatility != Volatility::Volatile {
            let value = ScalarValue::try_from_array(&array, 0)?;
            keep(self.spec.name, moment.interrupt.memory(), &value)?;
            return Ok(ColumnarValue::Scalar(value));
        }
        charge(self.spec.name, moment.interrupt.memory(), &array)?;
        Ok(ColumnarValue::Array(array))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match self.spec.simplify {
            Some(simplify) => simplify(args, info),
            None => Ok(ExprSimplifyResult::Original(args)),
        }
    }
}

/// The error of a function; if the query has no memory left, a memory error.
pub(crate) fn failed(function: &str, failure: Failure) -> DataFusionError {
    match failure {
        Failure::Value(message) => DataFusionError::Execution(format!("{function}: {message}")),
        Failure::Memory(message) => DataFusionError::ResourcesExhausted(format!("{function}: {message}")),
    }
}

/// One argument as a column of values.
pub(crate) enum Column {
    Null,
    Constant(Value<'static>),
    Int(Int64Array),
    Real(Float64Array),
    /// Reals whose whole values are integers.
    Mixed(Float64Array),
    Text(StringViewArray),
    Blob(BinaryArray),
    Bool(BooleanArray),
}

impl Column {
    /// The column, read as its field requires.
    fn of(self, field: &Field) -> Self {
        match self {
            Self::Real(array) if is_mixed(field) => Self::Mixed(array),
            Self::Constant(Value::Real(number)) if is_mixed(field) => {
                Self::Constant(whole(number).map_or(Value::Real(number), Value::Int))
            }
            other => other,
        }
    }

    pub(crate) fn new(argument: &ColumnarValue) -> Result<Self> {
        match argument {
            ColumnarValue::Array(array) => Self::from_array(array),
            ColumnarValue::Scalar(scalar) => {
                let array = scalar.to_array()?;
                Ok(Self::Constant(owned(Self::from_array(&array)?.get(0))))
            }
        }
    }

    pub(crate) fn from_array(array: &ArrayRef) -> Result<Self> {
        let cast = |to: &DataType| -> Result<ArrayRef> {
            if array.data_type() == to { Ok(Arc::clone(array)) } else { Ok(arrow_cast::cast(array, to)?) }
        };
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            kind if kind.is_integer() => Self::Int(cast(&DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            kind if kind.is_floating() || kind.is_decimal() => {
                Self::Real(cast(&DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Self::Text(cast(&DataType::Utf8View)?.as_string_view().clone())
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Self::Blob(cast(&DataType::Binary)?.as_binary::<i32>().clone())
            }
            DataType::Boolean => Self::Bool(array.as_boolean().clone()),
            DataType::Dictionary(_, values) => {
                let values = values.as_ref().clone();
                return Self::from_array(&cast(&values)?);
            }
            kind if kind.is_nested() => Self::Text(as_json(array)?),
            _ => Self::Text(shown(array)?),
        })
    }

    /// The total length of its texts and blobs; a constant counts as nothing, however often it is repeated.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(array) => array.lengths().map(|length| length as usize).sum(),
            Self::Blob(array) => array.value_data().len(),
            _ => 0,
        }
    }

    pub(crate) fn get(&self, row: usize) -> Value<'_> {
        macro_rules! at {
            ($array:expr, $wrap:expr) => {
                if $array.is_null(row) { Value::Null } else { $wrap($array.value(row)) }
            };
        }
        match self {
            Self::Null => Value::Null,
            Self::Constant(value) => borrowed(value),
            Self::Int(array) => at!(array, Value::Int),
            Self::Real(array) => {
                // SQLite has no NaN: NaN becomes NULL.
                at!(array, |number: f64| if number.is_nan() { Value::Null } else { Value::Real(number) })
            }
            Self::Mixed(array) => at!(array, |number: f64| match whole(number) {
                _ if number.is_nan() => Value::Null,
                Some(integer) => Value::Int(integer),
                None => Value::Real(number),
            }),
            Self::Text(array) => at!(array, |text| Value::Text(Cow::Borrowed(text))),
            Self::Blob(array) => at!(array, |bytes| Value::Blob(Cow::Borrowed(bytes))),
            Self::Bool(array) => at!(array, |truth| Value::Int(i64::from(truth))),
        }
    }
}

/// Maps, lists and structs as JSON text.
fn as_json(array: &ArrayRef) -> Result<StringViewArray> {
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let field: FieldRef = Arc::new(Field::new("", array.data_type().clone(), true));
    let mut encoder = make_encoder(&field, array.as_ref(), &options)?;
    let mut texts = StringViewBuilder::with_capacity(array.len());
    let mut text = Vec::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        encoder.encode(row, &mut text);
        texts.append_value(String::from_utf8_lossy(&text));
    }
    Ok(texts.finish())
}

/// Any array as the text that is displayed.
fn shown(array: &ArrayRef) -> Result<StringViewArray> {
    if let Ok(text) = arrow_cast::cast(array, &DataType::Utf8View) {
        return Ok(text.as_string_view().clone());
    }
    let options = arrow_cast::display::FormatOptions::default();
    let formatter = arrow_cast::display::ArrayFormatter::try_new(array, &options)?;
    Ok((0..array.len()).map(|row| array.is_valid(row).then(|| formatter.value(row).to_string())).collect())
}

fn borrowed<'a>(value: &'a Value<'static>) -> Value<'a> {
    match value {
        Value::Null => Value::Null,
        Value::Int(number) => Value::Int(*number),
        Value::Real(number) => Value::Real(*number),
        Value::Text(text) => Value::Text(Cow::Borrowed(text)),
        Value::Blob(bytes) => Value::Blob(Cow::Borrowed(bytes)),
    }
}

fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::Int(number) => Value::Int(number),
        Value::Real(number) => Value::Real(number),
        Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        Value::Blob(bytes) => Value::Blob(Cow::Owned(bytes.into_owned())),
    }
}

/// Collects the results of a function in an array of its declared type.
pub(crate) enum Output {
    Int(Int64Builder),
    Real(Float64Builder),
    Text(StringViewBuilder),
    Blob(BinaryBuilder),
    Bool(BooleanBuilder),
    Null(usize),
}

impl Output {
    pub(crate) fn new(kind: &DataType, rows: usize) -> Result<Self> {
        Ok(match kind {
            DataType::Int64 => Self::Int(Int64Builder::with_capacity(rows)),
            DataType::Float64 => Self::Real(Float64Builder::with_capacity(rows)),
            DataType::Utf8View => Self::Text(StringViewBuilder::with_capacity(rows)),
            DataType::Binary => Self::Blob(BinaryBuilder::with_capacity(rows, 0)),
            DataType::Boolean => Self::Bool(BooleanBuilder::with_capacity(rows)),
            DataType::Null => Self::Null(0),
            other => return Err(DataFusionError::Internal(format!("no output of type {other}"))),
        })
    }

    pub(crate) fn push(&mut self, value: Value<'_>) {
        match self {
            Self::Int(builder) => builder.append_option(value.as_int()),
            // SQLite has only one zero, while Arrow sorts -0.0 before 0.0.
            Self::Real(builder) => {
                builder.append_option(value.as_real().filter(|number| !number.is_nan()).map(|number| number + 0.0));
            }
            Self::Text(builder) => match value {
                Value::Null => builder.append_null(),
                Value::Real(number) => builder.append_value(real_to_text(number)),
                other => builder.append_option(other.as_text()),
            },
            Self::Blob(builder) => builder.append_option(value.as_bytes()),
            Self::Bool(builder) => builder.append_option(value.truth()),
            Self::Null(rows) => *rows += 1,
        }
    }

    pub(crate) fn finish(self) -> ArrayRef {
        match self {
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Real(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Blob(mut builder) => Arc::new(builder.finish()),
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::Null(rows) => Arc::new(arrow_array::NullArray::new(rows)),
        }
    }
}

/// The type of a number: integers stay, all others are reals.
pub(crate) fn numeric(types: &[DataType]) -> DataType {
    if types.iter().all(|kind| matches!(Class::of(kind), Class::Int | Class::Bool | Class::Null)) {
        DataType::Int64
    } else {
        DataType::Float64
    }
}

/// The narrowest type that holds all arguments: integer, real, blob or text.
pub(crate) fn widest(types: &[DataType]) -> DataType {
    let shown = |kind: &DataType| match Class::of(kind) {
        Class::Bool => Class::Int,
        Class::Other => Class::Text,
        class => class,
    };
    let together = |all, kind| Class::together(all, Some(shown(kind)));
    types.iter().fold(Some(Class::Null), together).and_then(Class::data_type).unwrap_or(DataType::Utf8View)
}
