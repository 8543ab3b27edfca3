//! Aggregates that are expressed with DataFusion's own, with their documentation.

use sqlparser::ast::{BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArguments, Value};

use crate::build::{aggregate_call, binary, call, number, string};

/// One aggregate as data.
#[derive(Clone, Copy)]
pub(crate) struct Aggregate {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) arguments: &'static str,
    pub(crate) doc: &'static [&'static str],
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// The call in DataFusion's terms. Its arguments are passed separately; FILTER, OVER and ORDER BY are still in the
    /// function.
    pub(crate) expand: fn(&Function, Vec<Expr>) -> Option<Expr>,
}

impl Aggregate {
    /// Whether this is one of its names.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// The aggregate whose row bare columns come from: the only `min` or `max` of a SELECT, and whether it is `min`. Its
/// row is the first one when rows are sorted by its argument, ascending for `min`, with NULLs last.
pub(crate) fn row_of_group<T>(calls: impl Iterator<Item = (impl AsRef<str>, T)>) -> Option<(bool, T)> {
    let mut extremes = calls.filter_map(|(name, call)| match name.as_ref() {
        name if name.eq_ignore_ascii_case("min") => Some((true, call)),
        name if name.eq_ignore_ascii_case("max") => Some((false, call)),
        _ => None,
    });
    let only = extremes.next()?;
    extremes.next().is_none().then_some(only)
}

/// All aggregates, by name.
pub(crate) fn aggregates() -> &'static [Aggregate] {
    AGGREGATES
}

const AGGREGATES: &[Aggregate] = &[
    Aggregate {
        name: "avg",
        aliases: &[],
        arguments: "x",
        doc: &[" Mean of all values that are not NULL, as a real. Text counts as its leading number."],
        examples: &[("SELECT avg(column1) FROM (VALUES (1), (2))", "1.5")],
        expand: |function, args| Some(aggregate_call(function, "avg", numbers(args)?)),
    },
    Aggregate {
        name: "group_concat",
        aliases: &["string_agg"],
        arguments: "x [, separator]",
        doc: &[
            " All values that are not NULL, joined as text with a comma or the given separator between them.",
            "",
            " `group_concat(x, ';' ORDER BY y)` fixes the order; `DISTINCT` skips repeated values.",
        ],
        examples: &[("SELECT group_concat(column1, ';' ORDER BY column1) FROM (VALUES ('b'), ('a'))", "a;b")],
        expand: |function, args| {
            let mut args = args.into_iter();
            let value = call("as_text", vec![args.next()?]);
            let separator = args.next().unwrap_or_else(|| string(","));
            if is_distinct(function) {
                return Some(distinct_in_order(function, value, separator));
            }
            let is_literal =
                matches!(&separator, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
            if is_literal || function.over.is_some() {
                return Some(aggregate_call(function, "string_agg", vec![value, separator]));
            }
            Some(separated_by_rows(function, value, separator))
        },
    },
    Aggregate {
        name: "json_group_array",
        aliases: &[],
        arguments: "x",
        doc: &[" A JSON array of all values."],
        examples: &[("SELECT json_group_array(column1) FROM (VALUES (1))", "[1]")],
        expand: |function, args| {
            let value = call("json_quote", args);
            let joined = aggregate_call(function, "string_agg", vec![value, string(",")]);
            Some(call("concat", vec![string("["), joined, string("]")]))
        },
    },
    Aggregate {
        name: "json_group_object",
        aliases: &[],
        arguments: "name, value",
        doc: &[" A JSON object of all names and values."],
        examples: &[("SELECT json_group_object(column1, column2) FROM (VALUES ('a', 1))", "{\"a\":1}")],
        expand: |function, args| {
            let mut args = args.into_iter();
            let name = call("json_quote", vec![call("as_text", vec![args.next()?])]);
            let value = call("json_quote", vec![args.next()?]);
            let pair =
                binary(binary(name, BinaryOperator::StringConcat, string(":")), BinaryOperator::StringConcat, value);
            let joined = aggregate_call(function, "string_agg", vec![pair, string(",")]);
            Some(call("concat", vec![string("{"), joined, string("}")]))
        },
    },
    Aggregate {
        name: "sum",
        aliases: &[],
        arguments: "x",
        doc: &[" Sum of all values that are not NULL; NULL if there are none. Text counts as its leading number."],
        examples: &[("SELECT sum(column1) FROM (VALUES (1), (2))", "3")],
        expand: |function, args| Some(aggregate_call(function, "sum", numbers(args)?)),
    },
    Aggregate {
        name: "total",
        aliases: &[],
        arguments: "x",
        doc: &[" Sum of all values that are not NULL, as a real; 0.0 if there are none."],
        examples: &[("SELECT total(column1) FROM (VALUES (1), (2))", "3.0")],
        expand: |function, args| {
            let args = args.into_iter().map(|arg| call("as_real", vec![arg])).collect();
            let sum = aggregate_call(function, "sum", args);
            Some(call("coalesce", vec![sum, number("0.0")]))
        },
    },
];

fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}

/// Each text once, at its first position: DataFusion's DISTINCT keeps no order.
fn distinct_in_order(function: &Function, value: Expr, separator: Expr) -> Expr {
    let mut function = function.clone();
    if let FunctionArguments::List(list) = &mut function.args {
        list.duplicate_treatment = None;
    }
    function.filter = Some(Box::new(present(&value, function.filter.take())));
    let all = aggregate_call(&function, "array_agg", vec![value]);
    call("array_to_string", vec![call("array_distinct", vec![all]), separator])
}

/// Each value preceded by the separator of its own row, without the first separator.
fn separated_by_rows(function: &Function, value: Expr, separator: Expr) -> Expr {
    let separator = call("coalesce", vec![call("as_text", vec![separator]), string("")]);
    let mut of_first = function.clone();
    of_first.filter = Some(Box::new(present(&value, function.filter.clone())));
    let first = aggregate_call(&of_first, "first_value", vec![separator.clone()]);
    let parts = Expr::Nested(Box::new(binary(separator, BinaryOperator::StringConcat, value)));
    let joined = aggregate_call(function, "string_agg", vec![parts, string("")]);
    let start = binary(call("length", vec![first]), BinaryOperator::Plus, number("1"));
    call("substr", vec![joined, start])
}

/// The condition that a value is not NULL, in addition to the aggregate's own filter.
fn present(value: &Expr, filter: Option<Box<Expr>>) -> Expr {
    let present = Expr::IsNotNull(Box::new(value.clone()));
    match filter {
        Some(filter) => binary(Expr::Nested(filter), BinaryOperator::And, present),
        None => present,
    }
}

fn numbers(args: Vec<Expr>) -> Option<Vec<Expr>> {
    (args.len() == 1).then(|| args.into_iter().map(|arg| call("as_number", vec![arg])).collect())
}
