//! Builders for small pieces of parsed SQL.

use sqlparser::{
    ast::{
        BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
        FunctionArguments, Ident, ObjectName, ObjectNamePart, Value, ValueWithSpan,
    },
    tokenizer::Span,
};

/// A value without a position in the user's text.
pub(crate) fn value(value: Value) -> Expr {
    Expr::Value(ValueWithSpan { value, span: Span::empty() })
}

/// `'text'`
pub(crate) fn string(text: impl Into<String>) -> Expr {
    value(Value::SingleQuotedString(text.into()))
}

/// A number as written.
pub(crate) fn number(text: impl Into<String>) -> Expr {
    value(Value::Number(text.into(), false))
}

/// `left op right`
pub(crate) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// An identifier that keeps its case.
pub(crate) fn exact(name: impl Into<String>, span: Span) -> Ident {
    Ident { value: name.into(), quote_style: Some('"'), span }
}

/// `name(args)`
pub(crate) fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: arguments(args),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The function with another name and other arguments; it keeps DISTINCT, ORDER BY, FILTER and OVER.
pub(crate) fn aggregate_call(function: &Function, name: &str, args: Vec<Expr>) -> Expr {
    let mut function = function.clone();
    function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]);
    let mut list = match function.args {
        FunctionArguments::List(list) => list,
        _ => FunctionArgumentList { duplicate_treatment: None, args: Vec::new(), clauses: Vec::new() },
    };
    list.args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    function.args = FunctionArguments::List(list);
    Expr::Function(function)
}

fn arguments(args: Vec<Expr>) -> FunctionArguments {
    FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect(),
        clauses: Vec::new(),
    })
}

/// A boolean as 0 or 1.
pub(crate) fn bool_to_int(expr: Expr) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type: DataType::BigInt(None),
        array: false,
        format: None,
    }
}

/// The expression without surrounding parentheses.
pub(crate) fn unwrapped(expr: &Expr) -> &Expr {
    let mut expr = expr;
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}
