//! Clauses that the parser accepts and the planner would silently ignore.
//!
//! Each is an error, because ignoring it would give wrong rows. The patterns name every field of the parsed tree, so a
//! field that a later parser adds does not compile until somebody decides about it. `_` marks fields that the planner
//! implements or refuses itself.

use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Cte, CteAsMaterialized, DuplicateTreatment, Expr, ExprWithAliasAndOrderBy, Function, FunctionArg,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, GroupByExpr, Join, OrderBy, OrderByKind,
    OrderByOptions, PipeOperator, Query, Select, SelectFlavor, SelectItem, SetExpr, TableAlias, TableAliasColumnDef,
    TableFactor, TableFunctionArgs, Visitor, WildcardAdditionalOptions, WindowSpec, WindowType, With,
};
use indago_dialect::{SystemTime, any_expr, visit};

use crate::sql;

/// The kind of function that a name refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FunctionKind {
    Scalar,
    Aggregate,
    Window,
    /// A function that the dialect expands, or no function.
    Other,
}

/// The kind of a function in a session. An aggregate may also be a window function.
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

/// The first clause of a statement that would be ignored, by its name in SQL.
pub(crate) fn unsupported_clause(
    statement: &Parsed,
    completes_windows: bool,
    kind: &dyn Fn(&str) -> FunctionKind,
) -> Option<&'static str> {
    visit(sql::inner(statement)?, &mut Clauses { completes_windows, kind }).break_value()
}

struct Clauses<'a> {
    /// Whether the dialect expands `OVER w` and `OVER (w ..)` in places where the planner does not.
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
            pipe_operators,
        } = query;
        refuse(!locks.is_empty(), "FOR UPDATE")?;
        refuse(for_clause.is_some(), "FOR XML, JSON or BROWSE")?;
        refuse(settings.is_some(), "SETTINGS")?;
        refuse(format_clause.is_some(), "FORMAT")?;
        if let Some(OrderBy { kind: OrderByKind::All(_), interpolate: _ }) = order_by {
            refuse(!matches!(**body, SetExpr::Select(_)), "ORDER BY ALL after a compound SELECT")?;
        }
        let terms = order_by.iter().flat_map(|order_by| match &order_by.kind {
            OrderByKind::Expressions(terms) => terms.as_slice(),
            OrderByKind::All(_) => &[],
        });
        let mut terms = terms.map(|term| &term.expr);
        refuse(!self.completes_windows && terms.any(names_window), OUTSIDE)?;
        pipe_operators.iter().try_for_each(pipe_operator)?;
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
            projection,
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
            flavor,
        } = select;
        refuse(*flavor == SelectFlavor::FromFirstNoSelect, "FROM without SELECT")?;
        refuse(projection.is_empty(), "SELECT without columns")?;
        projection.iter().try_for_each(item)?;
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
                name,
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
                // `past.rs` handles the forms that it knows.
                let is_unknown = |version| SystemTime::of(version).is_none();
                refuse(version.as_ref().is_some_and(is_unknown), VERSION)?;
                refuse(sample.is_some(), "TABLESAMPLE")?;
                refuse(!with_hints.is_empty(), "a table hint")?;
                refuse(!index_hints.is_empty(), "an index hint")?;
                refuse(!partitions.is_empty(), "PARTITION")?;
                refuse(json_path.is_some(), "a path after a table")?;
                refuse(*with_ordinality, "WITH ORDINALITY")?;
                if let Some(TableFunctionArgs { args: _, settings }) = args {
                    refuse(settings.is_some(), "SETTINGS")?;
                    refuse(name.0.len() > 1, QUALIFIED)?;
                }
                ControlFlow::Continue(())
            }
            TableFactor::Derived { lateral: _, subquery: _, alias, sample } => {
                table_alias(alias.as_ref())?;
                refuse(sample.is_some(), "TABLESAMPLE")
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality, alias } => {
                table_alias(alias.as_ref())?;
                refuse(name.0.len() > 1, QUALIFIED)?;
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
            Expr::Cast { kind: _, expr: _, data_type: _, array, format: _ } => refuse(*array, "CAST .. AS .. ARRAY"),
            Expr::Trim { expr: _, trim_where: _, trim_what: _, trim_characters } => {
                let many = trim_characters.as_ref().map_or(0, Vec::len);
                refuse(many > 1, "more than one set of characters in TRIM")
            }
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

const QUALIFIED: &str = "a qualified name of a table function";
const VERSION: &str = "a version of a table that is not `FOR SYSTEM_TIME`";
const OUTSIDE: &str = "a named window outside the SELECT list";

fn names_window(expr: &Expr) -> bool {
    any_expr(expr, &|expr| matches!(expr, Expr::Function(Function { over: Some(WindowType::NamedWindow(_)), .. })))
}

fn item(item: &SelectItem) -> Found {
    match item {
        SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
            let WildcardAdditionalOptions {
                wildcard_token: _,
                opt_ilike,
                opt_exclude: _,
                opt_except: _,
                opt_replace: _,
                opt_rename: _,
                opt_alias: _,
            } = options;
            refuse(opt_ilike.is_some(), "ILIKE after `*`")
        }
        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } | SelectItem::ExprWithAliases { .. } => {
            ControlFlow::Continue(())
        }
    }
}

fn pipe_operator(operator: &PipeOperator) -> Found {
    match operator {
        PipeOperator::Aggregate { full_table_exprs, group_by_expr } => {
            let is_sorted = |item: &ExprWithAliasAndOrderBy| item.order_by != OrderByOptions::default();
            refuse(full_table_exprs.iter().chain(group_by_expr).any(is_sorted), "an order in AGGREGATE")
        }
        PipeOperator::Join(own) => join(own),
        PipeOperator::Select { exprs } | PipeOperator::Extend { exprs } => exprs.iter().try_for_each(item),
        // The planner implements or refuses all of these.
        PipeOperator::Limit { .. }
        | PipeOperator::Where { .. }
        | PipeOperator::OrderBy { .. }
        | PipeOperator::Set { .. }
        | PipeOperator::Drop { .. }
        | PipeOperator::As { .. }
        | PipeOperator::TableSample { .. }
        | PipeOperator::Rename { .. }
        | PipeOperator::Union { .. }
        | PipeOperator::Intersect { .. }
        | PipeOperator::Except { .. }
        | PipeOperator::Call { .. }
        | PipeOperator::Pivot { .. }
        | PipeOperator::Unpivot { .. } => ControlFlow::Continue(()),
    }
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

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::{
        BigQueryDialect, ClickHouseDialect, DatabricksDialect, Dialect, DuckDbDialect, GenericDialect, HiveDialect,
        MsSqlDialect, MySqlDialect, OracleDialect, PostgreSqlDialect, RedshiftSqlDialect, SnowflakeDialect,
    };
    use datafusion::sql::sqlparser::parser::{Parser, ParserError};

    use super::*;

    fn clause(dialect: &dyn Dialect, sql: &str) -> Result<Option<&'static str>, ParserError> {
        let mut statements = Parser::parse_sql(dialect, sql)?;
        let statement = Parsed::Statement(Box::new(statements.remove(0)));
        let kind = |name: &str| match name {
            "upper" => FunctionKind::Scalar,
            "row_number" => FunctionKind::Window,
            _ => FunctionKind::Aggregate,
        };
        Ok(unsupported_clause(&statement, false, &kind))
    }

    /// Every field of the parsed tree that is refused, in a dialect of sqlparser that accepts it.
    #[test]
    fn every_clause_that_would_be_dropped_is_refused() {
        let cases: [(&dyn Dialect, &str, &str); 51] = [
            (&GenericDialect {}, "FOR UPDATE", "SELECT a FROM t FOR UPDATE"),
            (&MsSqlDialect {}, "FOR XML, JSON or BROWSE", "SELECT a FROM t FOR XML AUTO"),
            (&ClickHouseDialect {}, "SETTINGS", "SELECT a FROM t SETTINGS x = 1"),
            (&ClickHouseDialect {}, "FORMAT", "SELECT a FROM t FORMAT JSON"),
            (
                &DuckDbDialect {},
                "ORDER BY ALL after a compound SELECT",
                "SELECT a FROM t UNION SELECT b FROM t ORDER BY ALL",
            ),
            (&HiveDialect {}, "FROM after a common table expression", "WITH x AS (SELECT 1) FROM y SELECT 1"),
            (&PostgreSqlDialect {}, "MATERIALIZED", "WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x"),
            (&MySqlDialect {}, "an optimizer hint", "SELECT /*+ NO_INDEX(t) */ a FROM t"),
            (&OracleDialect {}, "an optimizer hint", "SELECT /*+ FULL(t) */ a FROM t"),
            (&MySqlDialect {}, "a SELECT modifier", "SELECT SQL_CALC_FOUND_ROWS a FROM t"),
            (&RedshiftSqlDialect {}, "EXCLUDE after a SELECT list", "SELECT *, a AS b EXCLUDE c FROM t"),
            (&GenericDialect {}, "INTO", "SELECT a INTO x FROM t"),
            (&ClickHouseDialect {}, "PREWHERE", "SELECT a FROM t PREWHERE a = 1 WHERE b = 1"),
            (&SnowflakeDialect {}, "CONNECT BY", "SELECT a FROM t START WITH a = 1 CONNECT BY PRIOR a = b"),
            (&BigQueryDialect {}, "SELECT AS STRUCT or VALUE", "SELECT AS STRUCT a FROM t"),
            (&BigQueryDialect {}, "SELECT AS STRUCT or VALUE", "SELECT AS VALUE a FROM t"),
            (
                &ClickHouseDialect {},
                "GROUP BY .. WITH ROLLUP, CUBE or TOTALS",
                "SELECT a FROM t GROUP BY a WITH ROLLUP",
            ),
            (
                &ClickHouseDialect {},
                "GROUP BY .. WITH ROLLUP, CUBE or TOTALS",
                "SELECT a FROM t GROUP BY ALL WITH TOTALS",
            ),
            (&ClickHouseDialect {}, "GLOBAL JOIN", "SELECT a FROM t GLOBAL JOIN u ON t.a = u.a"),
            (&ClickHouseDialect {}, "GLOBAL JOIN", "SELECT a FROM (t GLOBAL JOIN u ON t.a = u.a)"),
            (&DatabricksDialect {}, VERSION, "SELECT a FROM t TIMESTAMP AS OF '2024-01-01'"),
            (&DatabricksDialect {}, VERSION, "SELECT a FROM t VERSION AS OF 2"),
            (&SnowflakeDialect {}, VERSION, "SELECT a FROM t AT(TIMESTAMP => '2024-01-01')"),
            (
                &SnowflakeDialect {},
                VERSION,
                "SELECT a FROM t CHANGES(INFORMATION => DEFAULT) AT(TIMESTAMP => 'a') END(TIMESTAMP => 'b')",
            ),
            (&PostgreSqlDialect {}, "TABLESAMPLE", "SELECT a FROM t TABLESAMPLE BERNOULLI (1)"),
            (&SnowflakeDialect {}, "TABLESAMPLE", "SELECT a FROM (SELECT 1 AS a) AS t SAMPLE (1)"),
            (&MsSqlDialect {}, "a table hint", "SELECT a FROM t WITH (NOLOCK)"),
            (&MySqlDialect {}, "an index hint", "SELECT a FROM t USE INDEX (i)"),
            (&MySqlDialect {}, "PARTITION", "SELECT a FROM t PARTITION (p)"),
            (&RedshiftSqlDialect {}, "a path after a table", "SELECT a FROM t.x[0].y"),
            (&PostgreSqlDialect {}, "WITH ORDINALITY", "SELECT a FROM f(1) WITH ORDINALITY"),
            (&PostgreSqlDialect {}, "WITH ORDINALITY", "SELECT a FROM t, LATERAL f(1) WITH ORDINALITY"),
            (&ClickHouseDialect {}, "SETTINGS", "SELECT a FROM f(1, SETTINGS x = 1)"),
            (&PostgreSqlDialect {}, "a named argument", "SELECT a FROM t, LATERAL f(x => 1)"),
            (&PostgreSqlDialect {}, "a type in a list of column names", "SELECT a FROM f(1) AS t (a int)"),
            (
                &ClickHouseDialect {},
                "a list of parameters before the arguments of a function",
                "SELECT quantile(0.5)(a) FROM t",
            ),
            (&SnowflakeDialect {}, "a query as the argument of a function", "SELECT upper(SELECT 1)"),
            (
                &GenericDialect {},
                "FILTER after a function that is not an aggregate",
                "SELECT upper(a) FILTER (WHERE b) FROM t",
            ),
            (
                &GenericDialect {},
                "a window that extends another",
                "SELECT sum(a) OVER (w ORDER BY a) FROM t WINDOW w AS (PARTITION BY b)",
            ),
            (&GenericDialect {}, OUTSIDE, "SELECT a FROM t WINDOW w AS (ORDER BY a) ORDER BY sum(a) OVER w"),
            (&DuckDbDialect {}, "FROM without SELECT", "FROM t"),
            (&PostgreSqlDialect {}, "SELECT without columns", "SELECT FROM t"),
            (&SnowflakeDialect {}, "ILIKE after `*`", "SELECT * ILIKE 'a%' FROM t"),
            (&SnowflakeDialect {}, "ILIKE after `*`", "SELECT t.* ILIKE 'a%' FROM t"),
            (&MySqlDialect {}, "CAST .. AS .. ARRAY", "SELECT CAST(a AS INT ARRAY) FROM t"),
            (&SnowflakeDialect {}, "more than one set of characters in TRIM", "SELECT TRIM(a, 'b', 'c') FROM t"),
            (&GenericDialect {}, QUALIFIED, "SELECT a FROM f.g(1)"),
            (&GenericDialect {}, QUALIFIED, "SELECT a FROM t, LATERAL f.g(1)"),
            (&BigQueryDialect {}, "an order in AGGREGATE", "SELECT a FROM t |> AGGREGATE sum(a) GROUP BY b DESC"),
            (&BigQueryDialect {}, "an order in AGGREGATE", "SELECT a FROM t |> AGGREGATE sum(a) ASC GROUP BY b"),
            (&GenericDialect {}, OUTSIDE, "SELECT a FROM t WINDOW w AS (ORDER BY a) QUALIFY sum(a) OVER w > 1"),
        ];
        let mut wrong = Vec::new();
        for (dialect, expected, sql) in cases {
            for sql in [sql.to_owned(), format!("SELECT * FROM ({sql}) AS nested")] {
                let found = clause(dialect, &sql);
                if found != Ok(Some(expected)) {
                    wrong.push(format!("{sql}: {found:?}, not {expected}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn clauses_that_are_done_pass() {
        for sql in [
            "SELECT DISTINCT a FROM t AS x (a, b) WHERE a = 1 GROUP BY ROLLUP (a) HAVING a > 1 ORDER BY a LIMIT 1 OFFSET 1",
            "SELECT sum(DISTINCT a ORDER BY a) FILTER (WHERE a > 1) FROM t",
            "SELECT sum(a) OVER w, first_value(a) IGNORE NULLS OVER (ORDER BY a) FROM t WINDOW w AS (ORDER BY a)",
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t",
            "SELECT row_number() OVER (ORDER BY a) AS r FROM t QUALIFY r = 1",
            "WITH x AS (SELECT 1) SELECT * EXCLUDE (a) FROM x JOIN LATERAL (SELECT 1) AS y ON true",
        ] {
            assert_eq!(clause(&GenericDialect {}, sql), Ok(None), "{sql}");
        }
        let hinted = "WITH x AS NOT MATERIALIZED (SELECT 1) SELECT * FROM x";
        assert_eq!(clause(&PostgreSqlDialect {}, hinted), Ok(None));
    }
}
