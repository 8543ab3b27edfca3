//! Checks what a statement does. It may read, explain a query, and create or drop a view.
//!
//! The parsed statement is checked first, so the error can name it. The plan is checked again when the engine plans it.
//! Every statement, view, prepared plan and data frame passes this second check, which also refuses plans that are too
//! large.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, ObjectType, Query, Select, SetExpr,
    Statement, TableFactor, TableFunctionArgs, Value, ValueWithSpan, Visitor, VisitorMut, With,
};
use indago_dialect::{SystemTime, build, each_node, visit, visit_mut, visit_query_mut};

use crate::diagnostic::{Code, Error};
use crate::past;
use crate::sql;

/// The most nodes in a plan. A query of that size takes seconds to plan.
const MOST_NODES: usize = 20_000;
/// The most tables that a statement may read.
const MOST_RELATIONS: usize = 4000;
/// The greatest depth of a plan, in nodes. Planning, running and dropping a plan recurse.
const MOST_LEVELS: usize = 1600;
/// The most joins. Planning time is quadratic in their number.
const MOST_JOINS: usize = 500;
/// The most expressions, including the elements of lists.
const MOST_EXPRESSIONS: usize = 2_000_000;

/// Refuses a statement that does anything but read, explain, or create or drop a view.
pub(crate) fn statement(statement: &Parsed) -> std::result::Result<(), Error> {
    let refused = match statement {
        Parsed::Statement(statement) => only_reads(statement, true),
        Parsed::Explain(explain) => match explain.statement.as_ref() {
            Parsed::Statement(statement) => only_reads(statement, false),
            other => ControlFlow::Break(first_word(other)),
        },
        Parsed::Reset(_) if past::setting(statement).is_some() => ControlFlow::Continue(()),
        other @ (Parsed::CreateExternalTable(_) | Parsed::CopyTo(_) | Parsed::Reset(_)) => {
            ControlFlow::Break(first_word(other))
        }
    };
    match refused {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(not_run(&refused)),
    }
}

fn only_reads(statement: &Statement, may_name_views: bool) -> ControlFlow<String> {
    visit(statement, &mut OnlyReads { may_name_views })
}

/// Stops at the first statement, at any depth, that does more than read.
struct OnlyReads {
    may_name_views: bool,
}

impl Visitor for OnlyReads {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<String> {
        let names_view = std::mem::take(&mut self.may_name_views);
        match statement {
            Statement::Query(_)
            | Statement::Explain { .. }
            | Statement::ExplainTable { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowCreate { .. }
            | Statement::ShowTables { .. } => ControlFlow::Continue(()),
            Statement::CreateView(_) | Statement::Drop { object_type: ObjectType::View, .. } if names_view => {
                ControlFlow::Continue(())
            }
            Statement::Set(set) if names_view && past::assigned(set).is_some() => ControlFlow::Continue(()),
            other => ControlFlow::Break(first_word(other)),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        match select.into {
            Some(_) => ControlFlow::Break("SELECT INTO".to_owned()),
            None => ControlFlow::Continue(()),
        }
    }
}

fn first_word(statement: &impl ToString) -> String {
    let text = statement.to_string();
    text.split(|character: char| !character.is_ascii_alphanumeric()).next().unwrap_or_default().to_uppercase()
}

fn not_run(what: &str) -> Error {
    if what == "SHOW" {
        return Error::new(Code::Unsupported, "only `SHOW TABLES` and `SHOW COLUMNS FROM table` are supported").with_help(
            "list functions with `indago functions` or `.functions`; settings are in the configuration, and `.show` \
             prints those of the shell",
        );
    }
    let help = match what.split(' ').next().unwrap_or_default() {
        "CREATE" | "SELECT" => {
            "name a query with `CREATE VIEW name AS SELECT ..`; save its rows with `--parquet FILE`, or in the shell with \
             `.output FILE`"
        }
        "COPY" | "UNLOAD" => "save rows with `--parquet FILE`, `--arrow FILE`, or in the shell with `.output FILE`",
        "SET" | "RESET" | "PRAGMA" => {
            "settings are in the configuration, and in options such as `--timeout`; only `SET indago.as_of = '-2 hours'` \
             and `RESET indago.as_of` are statements"
        }
        "ATTACH" => "read captured tables with `--store DIR`",
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => "run the `SELECT` by itself",
        _ => "read with `SELECT`; to change a system, use its own tools",
    };
    Error::new(Code::Unsupported, format!("`{what}` is not supported: Indago only reads")).with_help(help)
}

/// Finds the tables that a statement names. A table with `FOR SYSTEM_TIME` gets a name that only this statement has.
/// Refuses a statement that reads too many tables. Each use of a WITH name or view counts as all tables that it reads,
/// because planning copies them.
pub(crate) fn relations(
    statement: &mut Parsed,
    of_view: &dyn Fn(&str) -> Option<usize>,
) -> std::result::Result<Named, Error> {
    let Some(statement) = sql::inner_mut(statement) else { return Ok(Named::default()) };
    let mut relations = Relations { of_view, many: 0, named: Vec::new(), open: Vec::new(), outside: Named::default() };
    match visit_mut(statement, &mut relations) {
        ControlFlow::Continue(()) => Ok(Named { many: relations.many, ..relations.outside }),
        ControlFlow::Break(error) => Err(error),
    }
}

/// The names in a statement that it does not define itself.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// Tables and views.
    pub(crate) tables: BTreeSet<Name>,
    /// The statement lists tables.
    pub(crate) lists: bool,
    /// Its string literals. A query about tables may name tables in them.
    pub(crate) texts: BTreeSet<String>,
    /// The number of tables that it reads.
    pub(crate) many: usize,
    /// The table that it describes: `DESCRIBE t`.
    pub(crate) described: Option<String>,
    /// Tables with `FOR SYSTEM_TIME`.
    pub(crate) moved: Vec<Moved>,
}

/// A table with `FOR SYSTEM_TIME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    /// The name that stands for it in the statement.
    pub(crate) name: String,
    /// The table.
    pub(crate) table: Name,
    pub(crate) time: SystemTime,
}

/// A name as written: its parts, in lowercase unless quoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(pub(crate) Vec<String>);

impl Name {
    fn of(name: &ObjectName) -> Self {
        let part = |part: &ObjectNamePart| match part.as_ident() {
            Some(ident) if ident.quote_style.is_some() => ident.value.clone(),
            Some(ident) => ident.value.to_lowercase(),
            None => part.to_string(),
        };
        Name(name.0.iter().map(part).collect())
    }
}

impl Named {
    fn table(&mut self, name: &ObjectName) {
        let name = Name::of(name);
        let is_about_tables = match name.0.as_slice() {
            [table] => indago_dialect::lists_tables(table),
            [.., schema, _] => schema == "information_schema",
            [] => true,
        };
        if is_about_tables {
            self.lists = true;
        } else {
            self.tables.insert(name);
        }
    }

    /// Adds the table named in `pragma_table_info('x')`.
    fn argument(&mut self, function: &str, arguments: &TableFunctionArgs) {
        if matches!(function, "pragma_table_info" | "pragma_table_xinfo")
            && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = arguments.args.as_slice()
            && let Value::SingleQuotedString(table) = &value.value
        {
            self.tables.insert(Name(vec![table.clone()]));
        }
    }
}

struct Relations<'a> {
    of_view: &'a dyn Fn(&str) -> Option<usize>,
    many: usize,
    /// The WITH names in scope, and the number of tables that each reads.
    named: Vec<(String, usize)>,
    /// For each query that is being visited: its WITH, and the number of names in scope before it.
    open: Vec<(Option<With>, usize)>,
    outside: Named,
}

impl Relations<'_> {
    /// Gives a table with `FOR SYSTEM_TIME` a name that stands for it at that time.
    fn move_table(&mut self, factor: &mut TableFactor, is_defined: bool) -> ControlFlow<Error> {
        let TableFactor::Table { name, alias, version, .. } = factor else { return ControlFlow::Continue(()) };
        let Some(time) = version.as_ref().and_then(SystemTime::of) else { return ControlFlow::Continue(()) };
        let Some(last) = name.0.last().and_then(ObjectNamePart::as_ident).cloned() else {
            return ControlFlow::Continue(());
        };
        if is_defined {
            let message = format!("`{last}` is a WITH name, which has no past of its own");
            let error = Error::new(Code::Unsupported, message);
            return ControlFlow::Break(error.with_help("write FOR SYSTEM_TIME after the tables in its query"));
        }
        let table = Name::of(name);
        // DataFusion takes two scans for equal if their tables have one name.
        let own = format!("{time} OF {}", table.0.join("."));
        *version = None;
        *alias = alias.take().or_else(|| Some(build::table_alias(last.clone())));
        *name = ObjectName::from(vec![Ident { value: own.clone(), quote_style: Some('"'), span: last.span }]);
        let moved = Moved { name: own, table, time };
        if !self.outside.moved.contains(&moved) {
            self.outside.moved.push(moved);
        }
        ControlFlow::Continue(())
    }
}

impl VisitorMut for Relations<'_> {
    type Break = Error;

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<Error> {
        match statement {
            Statement::ExplainTable { table_name, .. } => self.outside.table(table_name),
            Statement::ShowCreate { obj_name, .. } => self.outside.table(obj_name),
            Statement::ShowColumns { show_options, .. } => {
                let table = show_options.show_in.as_ref().and_then(|from| from.parent_name.as_ref());
                table.into_iter().for_each(|table| self.outside.table(table));
            }
            Statement::ShowTables { .. } => self.outside.lists = true,
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let before = self.named.len();
        // The visitor would count each definition once, but each use counts.
        let mut with = query.with.take();
        let is_recursive = with.as_ref().is_some_and(|with| with.recursive);
        for cte in with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            let name = cte.alias.name.value.to_lowercase();
            let outside = std::mem::take(&mut self.many);
            let names_itself = is_recursive && matches!(*cte.query.body, SetExpr::SetOperation { .. });
            if names_itself {
                self.named.push((name.clone(), 1));
            }
            visit_query_mut(&mut cte.query, self)?;
            if names_itself {
                self.named.pop();
            }
            let many = std::mem::replace(&mut self.many, outside);
            self.named.push((name, many.max(1)));
        }
        self.open.push((with, before));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        if let Some((with, before)) = self.open.pop() {
            query.with = with;
            self.named.truncate(before);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let mut is_defined = false;
        if let TableFactor::Table { name, args, .. } = factor
            && let Some(table) = name.0.last().and_then(ObjectNamePart::as_ident)
        {
            let table = table.value.to_lowercase();
            let is_bare = name.0.len() == 1;
            let named = self.named.iter().rev().find(|(name, _)| is_bare && *name == table).map(|(_, many)| *many);
            match args {
                Some(args) => self.outside.argument(&table, args),
                None if named.is_none() => self.outside.table(name),
                None => {}
            }
            self.many += named.or_else(|| (self.of_view)(&table)).unwrap_or(1);
            is_defined = named.is_some();
        }
        self.move_table(factor, is_defined)?;
        match self.many > MOST_RELATIONS {
            true => ControlFlow::Break(too_large("it reads", MOST_RELATIONS, "tables")),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Error> {
        if let Value::SingleQuotedString(text) = &value.value {
            self.outside.texts.insert(text.clone());
        }
        ControlFlow::Continue(())
    }
}

fn too_large(what: &str, most: usize, of: &str) -> Error {
    Error::new(Code::Plan, format!("the query is too large: {what} more than {most} {of}"))
        .with_help("split it; each use of a WITH name or a view counts")
}

/// The number of tables that a plan reads.
pub(crate) fn tables_of(plan: &LogicalPlan) -> usize {
    let mut tables = 0;
    let counted = each_node(plan, &mut |node| {
        tables += usize::from(node.inputs().is_empty());
        Ok(TreeNodeRecursion::Continue)
    });
    if counted.is_ok() { tables } else { MOST_RELATIONS }
}

/// Refuses a plan that does more than read, or that is too large.
pub(crate) fn plan(plan: &LogicalPlan) -> Result<()> {
    plan.visit_with_subqueries(&mut Verifier::default()).map(drop)
}

#[derive(Default)]
struct Verifier {
    nodes: usize,
    joins: usize,
    expressions: usize,
    depth: usize,
}

impl<'n> TreeNodeVisitor<'n> for Verifier {
    type Node = LogicalPlan;

    fn f_down(&mut self, node: &'n LogicalPlan) -> Result<TreeNodeRecursion> {
        if let Some(refused) = effect(node) {
            return Err(own(not_run(&refused)));
        }
        self.nodes += 1;
        self.depth += 1;
        self.joins += usize::from(matches!(node, LogicalPlan::Join(_)));
        node.apply_expressions(|expr| {
            expr.apply(|_| {
                self.expressions += 1;
                let is_enough = self.expressions > MOST_EXPRESSIONS;
                Ok(if is_enough { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        for (what, many, most) in [
            ("nodes", self.nodes, MOST_NODES),
            ("levels", self.depth, MOST_LEVELS),
            ("joins", self.joins, MOST_JOINS),
            ("expressions", self.expressions, MOST_EXPRESSIONS),
        ] {
            if many > most {
                return Err(own(too_large("its plan has", most, what)));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, _node: &'n LogicalPlan) -> Result<TreeNodeRecursion> {
        self.depth -= 1;
        Ok(TreeNodeRecursion::Continue)
    }
}

/// Like [`plan`], for a statement: it may also create or drop a view.
pub(crate) fn plan_of_statement(statement: &LogicalPlan) -> Result<()> {
    match statement {
        LogicalPlan::Ddl(DdlStatement::CreateView(view)) => plan(&view.input),
        LogicalPlan::Ddl(DdlStatement::DropView(_)) => Ok(()),
        other => plan(other),
    }
}

/// What a node does other than reading.
fn effect(node: &LogicalPlan) -> Option<String> {
    match node {
        LogicalPlan::Dml(dml) => Some(dml.op.name().to_uppercase()),
        LogicalPlan::Copy(_) => Some("COPY".to_owned()),
        LogicalPlan::Ddl(ddl) => Some(ddl.name().to_owned()),
        LogicalPlan::Statement(statement) => Some(statement.name().to_owned()),
        // Listed so that a new kind of node does not compile until somebody decides about it.
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => None,
    }
}

fn own(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
