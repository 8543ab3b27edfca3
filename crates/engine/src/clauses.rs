//! Clauses that the parser reads and the planner would drop without a word.
//!
//! Each is refused: a row that a dropped clause would have left out is a wrong row. The patterns name every field of the
//! parsed tree, so that a field which a later parser adds does not compile until somebody decides about it. `_` stands for
//! what the planner does or refuses itself.

use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Cte, CteAsMaterialized, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Join, OrderBy, OrderByKind, Query, Select, SetExpr,
    TableAlias, TableAliasColumnDef, TableFactor, TableFunctionArgs, Visit, Visitor, WindowSpec, WindowType, With,
    visit_expressions,
};

/// What a function's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FunctionKind {
    Scalar,
    Aggregate,
    Window,
    /// One that the dialect expands, or none.
    Other,
}

/// What a session knows a name as; an aggregate may be a window function too.
pub(crate) fn function_kind(state: &SessionState, name: &str) -> FunctionKind {
    if state.aggregate_functions().contains_key(name) {
        FunctionKind::Aggregate
    } else if state.scalar_functions().contains_key(name)
        || state.higher_order_functions().contains_key(name)
        || matches!(name, "unnest" | "unnest_outer" | "make_map" | "map")
    {
        FunctionKind::Scalar
    } else if state.window_functions().contains_key(name) {
        FunctionKind::Window
    } else {
        FunctionKind::Other
    }
}

/// The first clause of a statement that would be dropped, by its name in SQL.
pub(crate) fn unsupported_clause(
    statement: &Parsed,
    completes_windows: bool,
    kind: &dyn Fn(&str) -> FunctionKind,
) -> Option<&'static str> {
    match statement {
        Parsed::Statement(inner) => inner.visit(&mut Clauses { completes_windows, kind }).break_value(),
        Parsed::Explain(explain) => unsupported_clause(&explain.statement, completes_windows, kind),
        _ => None,
    }
}

struct Clauses<'a> {
    /// Whether the dialect writes out `OVER w` and `OVER (w ..)` where the planner would not.
    completes_windows: bool,
    kind: &'a dyn Fn(&str) -> FunctionKind,
}

type Found = ControlFlow<&'static str>;

fn refuse(is_there: bool, clause: &'static str) -> Found {
    if is_there { ControlFlow::Break(clause) } else { ControlFlow::Continue(()) }
}

impl Visitor for Clauses<'_> {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> Found {
        let Query {
            with,
            body,
            order_by,
            limit_clause: _,
            fetch: _,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators: _,
        } = query;
        refuse(!locks.is_empty(), "FOR UPDATE")?;
        refuse(for_clause.is_some(), "FOR XML, JSON or BROWSE")?;
        refuse(settings.is_some(), "SETTINGS")?;
        refuse(format_clause.is_some(), "FORMAT")?;
        if let Some(OrderBy { kind: OrderByKind::All(_), interpolate: _ }) = order_by {
            refuse(!matches!(**body, SetExpr::Select(_)), "ORDER BY ALL after a compound SELECT")?;
        }
        refuse(!self.completes_windows && order_by.as_ref().is_some_and(names_window), OUTSIDE)?;
        if let Some(With { with_token: _, recursive: _, cte_tables }) = with {
            for Cte { alias, query: _, from, materialized, closing_paren_token: _ } in cte_tables {
                refuse(from.is_some(), "FROM after a common table expression")?;
                refuse(*materialized == Some(CteAsMaterialized::Materialized), "MATERIALIZED")?;
                table_alias(Some(alias))?;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Found {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct: _,
            select_modifiers,
            top: _,
            top_before_distinct: _,
            projection: _,
            exclude,
            into,
            from,
            lateral_views: _,
            prewhere,
            selection: _,
            connect_by,
            group_by,
            cluster_by: _,
            distribute_by: _,
            sort_by: _,
            having: _,
            named_window: _,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor: _,
        } = select;
        refuse(!optimizer_hints.is_empty(), "an optimizer hint")?;
        refuse(select_modifiers.as_ref().is_some_and(|modifiers| modifiers.is_any_set()), "a SELECT modifier")?;
        refuse(exclude.is_some(), "EXCLUDE after a SELECT list")?;
        refuse(into.is_some(), "INTO")?;
        refuse(prewhere.is_some(), "PREWHERE")?;
        refuse(!connect_by.is_empty(), "CONNECT BY")?;
        refuse(!self.completes_windows && qualify.as_ref().is_some_and(names_window), OUTSIDE)?;
        refuse(value_table_mode.is_some(), "SELECT AS STRUCT or VALUE")?;
        let (GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers)) = group_by;
        refuse(!modifiers.is_empty(), "GROUP BY .. WITH ROLLUP, CUBE or TOTALS")?;
        from.iter().flat_map(|from| &from.joins).try_for_each(join)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Found {
        match factor {
            TableFactor::Table {
                name: _,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                table_alias(alias.as_ref())?;
                refuse(version.is_some(), "AS OF")?;
                refuse(sample.is_some(), "TABLESAMPLE")?;
                refuse(!with_hints.is_empty(), "a table hint")?;
                refuse(!index_hints.is_empty(), "an index hint")?;
                refuse(!partitions.is_empty(), "PARTITION")?;
                refuse(json_path.is_some(), "a path after a table")?;
                refuse(*with_ordinality, "WITH ORDINALITY")?;
                if let Some(TableFunctionArgs { args: _, settings }) = args {
                    refuse(settings.is_some(), "SETTINGS")?;
                }
                ControlFlow::Continue(())
            }
            TableFactor::Derived { lateral: _, subquery: _, alias, sample } => {
                table_alias(alias.as_ref())?;
                refuse(sample.is_some(), "TABLESAMPLE")
            }
            TableFactor::Function { lateral: _, name: _, args, with_ordinality, alias } => {
                table_alias(alias.as_ref())?;
                refuse(args.iter().any(|arg| !matches!(arg, FunctionArg::Unnamed(_))), "a named argument")?;
                refuse(*with_ordinality, "WITH ORDINALITY")
            }
            TableFactor::UNNEST { alias, array_exprs: _, with_offset: _, with_offset_alias: _, with_ordinality: _ } => {
                table_alias(alias.as_ref())
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                table_alias(alias.as_ref())?;
                table_with_joins.joins.iter().try_for_each(join)
            }
            // The planner refuses all of these.
            TableFactor::TableFunction { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::SemanticView { .. } => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Found {
        match expr {
            Expr::Function(function) => self.function(function),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Clauses<'_> {
    fn function(&self, function: &Function) -> Found {
        let Function { name, uses_odbc_syntax: _, parameters, args, filter, null_treatment, over, within_group } =
            function;
        refuse(*parameters != FunctionArguments::None, "a list of parameters before the arguments of a function")?;
        let kind = (self.kind)(&name.to_string().to_ascii_lowercase());
        let (mut distinct, mut ordered, mut nulls) = (false, false, null_treatment.is_some());
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) => return ControlFlow::Break("a query as the argument of a function"),
            FunctionArguments::List(FunctionArgumentList { duplicate_treatment, args: _, clauses }) => {
                distinct = *duplicate_treatment == Some(DuplicateTreatment::Distinct);
                for clause in clauses {
                    match clause {
                        FunctionArgumentClause::OrderBy(_) => ordered = true,
                        FunctionArgumentClause::IgnoreOrRespectNulls(_) => nulls = true,
                        // The planner refuses all of these.
                        FunctionArgumentClause::Limit(_)
                        | FunctionArgumentClause::OnOverflow(_)
                        | FunctionArgumentClause::Having(_)
                        | FunctionArgumentClause::Separator(_)
                        | FunctionArgumentClause::JsonNullClause(_)
                        | FunctionArgumentClause::JsonReturningClause(_) => {}
                    }
                }
            }
        }
        if kind == FunctionKind::Scalar {
            refuse(over.is_some(), "OVER after a function that is not a window function")?;
            refuse(nulls, "IGNORE NULLS or RESPECT NULLS in a function of one row")?;
        }
        if matches!(kind, FunctionKind::Scalar | FunctionKind::Window) {
            refuse(filter.is_some(), "FILTER after a function that is not an aggregate")?;
            refuse(distinct, "DISTINCT in a function that is not an aggregate")?;
            refuse(ordered, "ORDER BY in a function that is not an aggregate")?;
            refuse(!within_group.is_empty(), "WITHIN GROUP after a function that is not an aggregate")?;
        }
        match over {
            Some(WindowType::WindowSpec(WindowSpec { window_name, partition_by: _, order_by: _, window_frame: _ })) => {
                refuse(window_name.is_some() && !self.completes_windows, "a window that extends another")
            }
            Some(WindowType::NamedWindow(_)) | None => ControlFlow::Continue(()),
        }
    }
}

const OUTSIDE: &str = "a named window outside the SELECT list";

fn names_window(part: &impl Visit) -> bool {
    let found = visit_expressions(part, |expr| match expr {
        Expr::Function(Function { over: Some(WindowType::NamedWindow(_)), .. }) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn join(join: &Join) -> Found {
    let Join { relation: _, global, join_operator: _ } = join;
    refuse(*global, "GLOBAL JOIN")
}

fn table_alias(alias: Option<&TableAlias>) -> Found {
    let Some(TableAlias { explicit: _, name: _, columns, at }) = alias else { return ControlFlow::Continue(()) };
    refuse(at.is_some(), "AT after an alias")?;
    refuse(
        columns.iter().any(|TableAliasColumnDef { name: _, data_type }| data_type.is_some()),
        "a type in a list of column names",
    )
}
