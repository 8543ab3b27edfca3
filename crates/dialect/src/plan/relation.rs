//! Table functions in FROM: their arguments may refer to the items before them.

use datafusion::{
    common::{Column, DFSchema, NullHandling, Result, UnnestOptions, plan_err},
    functions::core::expr_fn::get_field,
    logical_expr::{
        Expr, LogicalPlanBuilder, lit,
        planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning},
    },
};
use sqlparser::ast::{FunctionArg, FunctionArgExpr, TableFactor};

use crate::functions;

/// The relation of the columns before they get the item's name.
const INSIDE: &str = "__json";

/// Plans `json_each` and `json_tree`.
#[derive(Debug)]
pub(crate) struct TableFunctions;

impl RelationPlanner for TableFunctions {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let (name, args, alias) = match &relation {
            TableFactor::Function { name, args, alias, .. } => (name, args, alias),
            TableFactor::Table { name, args: Some(args), alias, .. } => (name, &args.args, alias),
            _ => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        let name = name.to_string().to_ascii_lowercase();
        let deep = match name.as_str() {
            "json_each" => false,
            "json_tree" => true,
            _ => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        if args.is_empty() || args.len() > 2 {
            return plan_err!("wrong number of arguments to {name}: it is {name}(json [, path])");
        }
        let mut arguments = Vec::new();
        for arg in args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else {
                return plan_err!("{name} needs values as arguments, not {arg}");
            };
            arguments.push(context.sql_to_expr(expr.clone(), &DFSchema::empty())?);
        }
        arguments.insert(0, lit(deep));
        let columns = functions::json_each::COLUMNS;
        let rows = functions::json_each::call(arguments);
        let options = UnnestOptions { null_handling: NullHandling::Drop, ..UnnestOptions::default() };
        // Unique names: they may occur next to the columns of other items.
        let member = Column::new_unqualified("__json_row");
        let field =
            |column: &&str| get_field(Expr::Column(member.clone()), *column).alias_qualified(Some(INSIDE), *column);
        let mut plan = LogicalPlanBuilder::empty(true)
            .project(vec![rows.alias(&member.name)])?
            .unnest_column_with_options(member.clone(), options)?
            .project(columns.iter().map(field))?;
        if alias.is_none() {
            plan = plan.alias(name)?;
        }
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan.build()?, alias.clone()))))
    }
}
