//! Plans SQLite's operators and types.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use datafusion::{
    common::{DFSchema, Result},
    logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, TypePlanner},
};
use sqlparser::ast::{self, BinaryOperator};

use super::{arithmetic, compare};
use crate::functions::call;

/// Plans SQLite's binary operators.
#[derive(Debug)]
pub(crate) struct OperatorPlanner;

impl ExprPlanner for OperatorPlanner {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let planned = match &op {
            BinaryOperator::Custom(name) if name == "->" || name == "->>" => {
                let function = if name == "->" { "json_arrow" } else { "json_arrow_text" };
                Some(call(function, vec![left.clone(), right.clone()]))
            }
            BinaryOperator::Arrow => Some(call("json_arrow", vec![left.clone(), right.clone()])),
            BinaryOperator::LongArrow => Some(call("json_arrow_text", vec![left.clone(), right.clone()])),
            _ => match compare::operator(&op) {
                Some(operator) => compare::plan(operator, &left, &right, schema),
                None => arithmetic::plan(&op, &left, &right, schema),
            },
        };
        Ok(match planned {
            Some(planned) => PlannerResult::Planned(planned),
            None => PlannerResult::Original(RawBinaryExpr { op, left, right }),
        })
    }
}

/// `INTEGER` is 64 bits wide here.
#[derive(Debug)]
pub(crate) struct WideTypes;

impl TypePlanner for WideTypes {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> Result<Option<FieldRef>> {
        let wide = match sql_type {
            ast::DataType::Int(_)
            | ast::DataType::Integer(_)
            | ast::DataType::BigInt(_)
            | ast::DataType::Unspecified => DataType::Int64,
            ast::DataType::Blob(_) => DataType::Binary,
            ast::DataType::Text => DataType::Utf8View,
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", wide, true))))
    }
}
