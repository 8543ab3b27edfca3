//! Builds and takes apart small pieces of parsed SQL.

use sqlparser::{
    ast::{
        BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
        FunctionArguments, GroupByExpr, Ident, LimitClause, ObjectName, ObjectNamePart, OrderByExpr, Parens, Query,
        Select, SelectFlavor, SelectItem, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins,
        UnaryOperator, Value, ValueWithSpan, Values, WildcardAdditionalOptions, WindowSpec,
        helpers::attached_token::AttachedToken,
    },
    keywords::Keyword,
    tokenizer::{Span, Token},
};

/// A value without a position in the user's text.
pub fn value(value: Value) -> Expr {
    Expr::Value(ValueWithSpan { value, span: Span::empty() })
}

/// The keyword that an unquoted word is.
pub(crate) fn keyword(token: &Token) -> Keyword {
    match token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

/// `'text'`
pub fn string(text: impl Into<String>) -> Expr {
    value(Value::SingleQuotedString(text.into()))
}

/// A number as written.
pub fn number(text: impl Into<String>) -> Expr {
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
pub fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(unnamed(args)),
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
        _ => unnamed(Vec::new()),
    };
    list.args = unnamed(args).args;
    function.args = FunctionArguments::List(list);
    Expr::Function(function)
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

fn unnamed(args: Vec<Expr>) -> FunctionArgumentList {
    FunctionArgumentList {
        duplicate_treatment: None,
        args: args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect(),
        clauses: Vec::new(),
    }
}

/// The unnamed arguments of a function.
pub(crate) fn arguments(function: &Function) -> Vec<Expr> {
    match &function.args {
        FunctionArguments::List(list) => list
            .args
            .iter()
            .filter_map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Takes an expression and leaves NULL in its place.
pub(crate) fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, value(Value::Null))
}

/// The expression in parentheses, or its negation.
pub(crate) fn negate(negated: bool, expr: Expr) -> Expr {
    if negated {
        Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(expr))) }
    } else {
        Expr::Nested(Box::new(expr))
    }
}

/// The integer that a literal expression holds.
pub(crate) fn integer(expr: &Expr) -> Option<i64> {
    match unwrapped(expr) {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => integer(expr).map(i64::wrapping_neg),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => integer(expr),
        _ => None,
    }
}

/// The text of a string or number literal.
pub(crate) fn literal_text(expr: &Expr) -> Option<String> {
    match unwrapped(expr) {
        Expr::Value(literal) => match &literal.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            Value::Number(text, _) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// `*`
pub(crate) fn star() -> SelectItem {
    SelectItem::Wildcard(WildcardAdditionalOptions::default())
}

/// `AS name`
pub fn table_alias(name: Ident) -> TableAlias {
    TableAlias { explicit: true, name, columns: Vec::new(), at: None }
}

/// `AS name (columns)`
pub(crate) fn table_alias_with(name: Ident, columns: impl IntoIterator<Item = Ident>) -> TableAlias {
    let columns = columns.into_iter().map(|name| TableAliasColumnDef { name, data_type: None }).collect();
    TableAlias { columns, ..table_alias(name) }
}

/// `(query) AS alias`
pub(crate) fn derived(query: Query, alias: TableAlias) -> TableFactor {
    TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: Some(alias), sample: None }
}

/// `name AS alias`
pub fn table(name: ObjectName, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::Table {
        name,
        alias,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

/// `SELECT items FROM relation`
pub(crate) fn select(items: Vec<SelectItem>, relation: TableFactor) -> Select {
    Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: items,
        exclude: None,
        into: None,
        from: vec![TableWithJoins { relation, joins: Vec::new() }],
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}

/// `VALUES rows`
pub(crate) fn values(rows: Vec<Vec<Expr>>) -> SetExpr {
    let rows = rows.into_iter().map(Parens::with_empty_span).collect();
    SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows })
}

/// A body without rows, to leave in place of one that is taken.
pub(crate) fn empty_body() -> SetExpr {
    values(Vec::new())
}

/// A query without ORDER BY and LIMIT.
pub(crate) fn query(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// A query that is one SELECT.
pub(crate) fn select_query(select: Select) -> Query {
    query(SetExpr::Select(Box::new(select)))
}

/// `SELECT * FROM name`
pub(crate) fn select_all_from(name: ObjectName) -> Query {
    select_query(select(vec![star()], table(name, None)))
}

/// `LIMIT rows`
pub(crate) fn limit(rows: &str) -> LimitClause {
    LimitClause::LimitOffset { limit: Some(number(rows)), offset: None, limit_by: Vec::new() }
}

/// `(name ORDER BY order)`
pub(crate) fn window(name: Option<Ident>, order_by: Vec<OrderByExpr>) -> WindowSpec {
    WindowSpec { window_name: name, partition_by: Vec::new(), order_by, window_frame: None }
}
