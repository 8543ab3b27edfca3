//! Comparisons of numbers with texts of times: `mtime > datetime('now')`.
//!
//! SQL orders every number before every text, so the comparison is valid and its result says nothing about time. A warning
//! reports it.

use datafusion::common::Column;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use indago_table::{Error as TableError, Warning};

/// Functions of the dialect that return a time as text.
const FUNCTIONS: [&str; 3] = ["date", "time", "datetime"];

/// A warning for each column of numbers that a plan compares with the text of a time.
pub(crate) fn warnings(sql: &str, plan: &LogicalPlan) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = Vec::new();
    // Other SQL needs no look at its plan.
    let lower = sql.to_ascii_lowercase();
    if !lower.contains("date(") && !lower.contains("time(") {
        return warnings;
    }
    let _ = plan.apply_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let is_number = |column: &Column| {
            let data_type = Expr::Column(column.clone()).get_type(&schema);
            data_type.is_ok_and(|data_type| data_type.is_numeric())
        };
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                let found = compared(expr).filter(|(column, _)| is_number(column));
                if let Some(warning) = found.and_then(|(column, time)| warning(column, time))
                    && !warnings.iter().any(|known| known.is_like(&warning))
                {
                    warnings.push(warning);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    warnings
}

/// The column, and the function that returns a time, of a comparison.
fn compared(expr: &Expr) -> Option<(&Column, &str)> {
    let Expr::ScalarFunction(function) = expr else { return None };
    match function.args.as_slice() {
        [Expr::Column(column), Expr::ScalarFunction(time), ..]
        | [Expr::ScalarFunction(time), Expr::Column(column), ..]
            if function.name() == "compare" && FUNCTIONS.contains(&time.name()) =>
        {
            Some((column, time.name()))
        }
        _ => None,
    }
}

fn warning(column: &Column, time: &str) -> Option<Warning> {
    let table = column.relation.as_ref().map_or("query", |table| table.table());
    let name = &column.name;
    let error = TableError::Unsupported(format!(
        "`{name}` is a number and `{time}(..)` is text, and SQL orders all numbers before all texts; compare with seconds, \
         as in `unixepoch('now')`"
    ));
    Warning::of(table, name, &error)
}
