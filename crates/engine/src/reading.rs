//! Scalar functions that read an environment: what their calls need is read once, before the first row of the query.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_array::StringViewArray;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, plan_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use indago_table::{Argument, Call, Error as TableError, Evaluate, FunctionRef, Meter, ScanContext, Timestamp};
use parking_lot::Mutex;

use crate::state::{EngineState, QueryState};

/// The function as one of DataFusion's.
pub(crate) fn udf(function: &FunctionRef) -> ScalarUDF {
    // Within a query it is constant, but it has no value while the query is planned.
    let signature = Signature::user_defined(Volatility::Stable);
    ScalarUDF::new_from_impl(Reading { function: function.clone(), signature })
}

#[derive(Debug)]
struct Reading {
    function: FunctionRef,
    signature: Signature,
}

impl PartialEq for Reading {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.function, &other.function)
    }
}

impl Eq for Reading {}

impl Hash for Reading {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ScalarUDFImpl for Reading {
    fn name(&self) -> &str {
        self.function.spec().name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.function.spec().returns.data_type())
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let spec = self.function.spec();
        if !spec.arities.contains(&types.len()) {
            return plan_err!("{} is called with {} arguments: it is {}", spec.name, types.len(), spec.signature);
        }
        Ok(vec![DataType::Utf8View; types.len()])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(evaluate) = Read::of(&args).and_then(|read| read.get(self.name())) else {
            return exec_err!("{} has no value outside of a running query", self.name());
        };
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let texts = args.args.into_iter().map(|arg| {
            let array = cast(&arg.into_array(rows)?, &DataType::Utf8View)?;
            Ok(array.as_string_view().clone())
        });
        let values = evaluate.evaluate(&texts.collect::<Result<Vec<StringViewArray>>>()?).map_err(failed)?;
        match is_constant {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)),
            false => Ok(ColumnarValue::Array(values)),
        }
    }
}

fn failed(error: TableError) -> DataFusionError {
    match error {
        TableError::OutOfMemory(message) => DataFusionError::ResourcesExhausted(message),
        other => DataFusionError::Execution(other.to_string()),
    }
}

/// What the functions of one query have read, by their names. The expressions of its plan see it through the options that
/// they were planned with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Read(Arc<Mutex<BTreeMap<&'static str, Evaluator>>>);

#[derive(Clone)]
struct Evaluator(Arc<dyn Evaluate>);

impl std::fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Evaluator")
    }
}

impl Read {
    /// Makes expressions that are planned in this state see what will be read. Call it before the query begins there.
    pub(crate) fn enter(&self, state: &mut SessionState) {
        state.config_mut().options_mut().extensions.insert(self.clone());
    }

    fn of(args: &ScalarFunctionArgs) -> Option<&Read> {
        args.config_options.extensions.get::<Read>()
    }

    fn get(&self, name: &str) -> Option<Arc<dyn Evaluate>> {
        self.0.lock().get(name).map(|evaluator| evaluator.0.clone())
    }
}

indago_dialect::hidden_extension!(Read, "indago_read");

/// The calls of functions in one query, and where their results go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    pub(crate) functions: Vec<(FunctionRef, Vec<Call>)>,
    pub(crate) read: Read,
    /// The past time of the query.
    as_of: Option<Timestamp>,
}

impl Calls {
    /// The calls of these functions in an optimised plan.
    pub(crate) fn find(
        plan: &LogicalPlan,
        functions: &[FunctionRef],
        read: Read,
        as_of: Option<Timestamp>,
    ) -> Result<Calls> {
        let mut found: Vec<(FunctionRef, Vec<Call>)> = Vec::new();
        // A plan that is only explained does not run.
        if functions.is_empty() || matches!(plan, LogicalPlan::Explain(_)) {
            return Ok(Calls { functions: found, read, as_of });
        }
        plan.apply_with_subqueries(|node| {
            each_call(node, functions, &mut |function, call| {
                let arguments: Call = call.args.iter().map(argument).collect();
                match found.iter_mut().find(|(known, _)| Arc::ptr_eq(known, function)) {
                    Some((_, calls)) => calls.push(arguments),
                    None => found.push((function.clone(), vec![arguments])),
                }
            })?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(Calls { functions: found, read, as_of })
    }

    /// Reads what the calls need.
    pub(crate) async fn read(&self, engine: &EngineState, state: &QueryState) -> Result<()> {
        for (function, calls) in &self.functions {
            let name = function.spec().name;
            let time = self.as_of.map(|moment| format!("as of {moment}")).unwrap_or_default();
            let record = state.record(name, time, String::new(), "function");
            let context = ScanContext {
                batch_size: engine.limits.batch_size,
                meter: Arc::new(Meter::child(&record.meter)),
                gate: engine.gate.clone(),
                query: state.scope.clone(),
                as_of: self.as_of,
                ..ScanContext::new([])
            };
            record.start_slice();
            let evaluate = function.read(context, calls.clone()).await;
            record.end_slice();
            let evaluate = evaluate.map_err(|error| failed(error).context(format!("{name} cannot be computed")))?;
            self.read.0.lock().insert(name, Evaluator(evaluate));
        }
        Ok(())
    }

    /// Drops what was read, at the end of the query.
    pub(crate) fn release(&self) {
        self.read.0.lock().clear();
    }
}

/// Visits each call of these functions in the expressions of a plan's node.
pub(crate) fn each_call(
    node: &LogicalPlan,
    functions: &[FunctionRef],
    visit: &mut dyn FnMut(&FunctionRef, &ScalarFunction),
) -> Result<()> {
    if functions.is_empty() {
        return Ok(());
    }
    let visited = node.apply_expressions(|expr| {
        expr.apply(|part| {
            if let Expr::ScalarFunction(call) = part
                && let Some(function) = functions.iter().find(|function| function.spec().name == call.name())
            {
                visit(function, call);
            }
            Ok(TreeNodeRecursion::Continue)
        })
    });
    visited.map(drop)
}

fn argument(expr: &Expr) -> Argument {
    match expr {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Utf8) {
            Ok(ScalarValue::Utf8(text)) => Argument::Constant(text),
            _ => Argument::PerRow,
        },
        Expr::Cast(cast) => argument(&cast.expr),
        _ => Argument::PerRow,
    }
}
