//! Reading tables as they were at a past time.

use std::sync::Arc;

use datafusion::catalog::default_table_source::DefaultTableSource;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result, TableReference};
use datafusion::logical_expr::logical_plan::TableScanBuilder;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, TableScan};
use datafusion::sql::parser::{ResetStatement, Statement as Parsed};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, ObjectName, Set, Statement, Value};
use indago_dialect::plans_down;
use indago_table::{FunctionRef, Past, Period, Timestamp};

use crate::diagnostic::Error;
use crate::point_in_time::not_after;
use crate::provider::{Provider, our_scan, with_provider};
use crate::reading::each_call;

/// The part of a table's past that a query reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Time {
    /// The rows at a time.
    AsOf(Timestamp),
    /// The versions of rows that existed in a period.
    In(Period),
}

/// A session's setting: `SET indago.as_of = time`, or `RESET indago.as_of` without a time.
pub(crate) type Setting = Option<SqlExpr>;

/// The setting that a statement changes.
pub(crate) fn setting(statement: &Parsed) -> Option<Setting> {
    match statement {
        Parsed::Statement(statement) => match statement.as_ref() {
            Statement::Set(set) => assigned(set),
            _ => None,
        },
        Parsed::Reset(ResetStatement::Variable(name)) if is_as_of(name) => Some(None),
        _ => None,
    }
}

/// The value of `SET indago.as_of = value`. NULL and DEFAULT reset it.
pub(crate) fn assigned(set: &Set) -> Option<Setting> {
    match set {
        Set::SingleAssignment { scope: None, hivevar: false, variable, values } if is_as_of(variable) => {
            let [value] = values.as_slice() else { return None };
            let is_default = match value {
                SqlExpr::Value(value) => value.value == Value::Null,
                SqlExpr::Identifier(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default"),
                _ => false,
            };
            Some((!is_default).then(|| value.clone()))
        }
        _ => None,
    }
}

fn is_as_of(name: &ObjectName) -> bool {
    name.to_string().eq_ignore_ascii_case("indago.as_of")
}

/// Which scans of a plan get a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scans {
    /// Those of a complete query.
    OfQuery,
    /// Those of a view, next to which the query may read the same tables at other times.
    OfView,
}

/// The same plan over tables as they were at a past time, including those of views and subqueries. A scan that already
/// has a time keeps it.
pub(crate) fn as_of(
    plan: LogicalPlan,
    moment: Timestamp,
    now: Timestamp,
    functions: &[FunctionRef],
    scans: Scans,
) -> Result<LogicalPlan> {
    not_after(moment, now).map_err(own)?;
    let (mut without, mut calls): (Vec<String>, Vec<&str>) = (Vec::new(), Vec::new());
    let moved = plans_down(plan, &mut |node| {
        // Functions that read have the time of the query, not that of a view in it.
        each_call(&node, functions, &mut |function, _| {
            let has_past = function.has_past() && scans == Scans::OfQuery;
            if !function.spec().timeless && !has_past {
                calls.push(function.spec().name);
            }
        })?;
        let Some((scan, provider)) = our_scan(&node).filter(|(_, provider)| provider.as_of.is_none()) else {
            return Ok(Transformed::no(node));
        };
        let spec = provider.table.spec();
        match spec.past {
            Past::Timeless => return Ok(Transformed::no(node)),
            Past::Nothing if !without.iter().any(|name| *name == spec.name) => without.push(spec.name.to_string()),
            Past::Nothing | Past::Kept => {}
        }
        let provider = Provider { as_of: Some(moment), ..provider };
        Ok(Transformed::yes(match scans {
            Scans::OfQuery => with_provider(scan, provider),
            Scans::OfView => renamed(scan, provider, moment)?,
        }))
    })?;
    match (without.is_empty(), calls.first()) {
        (false, _) => Err(own(Error::no_past(&without))),
        (true, Some(function)) => Err(own(Error::no_past_of_function(function))),
        (true, None) => Ok(moved.data),
    }
}

/// The scan under a name of its own, because DataFusion takes two scans for equal if their tables have one name.
fn renamed(scan: &TableScan, provider: Provider, moment: Timestamp) -> Result<LogicalPlan> {
    let name = TableReference::bare(format!("{} AS OF {moment}", scan.table_name));
    let source = Arc::new(DefaultTableSource::new(Arc::new(provider)));
    let moved = TableScanBuilder::new(name, source)
        .with_projection(scan.projection.clone())
        .with_filters(scan.filters.clone())
        .with_fetch(scan.fetch)
        .build()?;
    LogicalPlanBuilder::from(LogicalPlan::TableScan(moved)).alias(scan.table_name.clone())?.build()
}

fn own(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
    use indago_table::{ColumnSpec, Kind, Reading, Scalar, ScanContext, Sink, Slice, Table, TableSpec};
    use parking_lot::Mutex;

    use super::*;
    use crate::engine::Engine;
    use crate::query::QueryOptions;

    /// Numbers up to the second that is read, which is 100 now. `n` is a key. It records which times are read.
    #[derive(Debug)]
    struct Numbers(TableSpec, Mutex<Vec<i64>>);

    const NOW: i64 = 100;

    impl Numbers {
        fn new(name: &'static str, is_keyed: bool) -> Arc<Self> {
            let mut column = ColumnSpec::new("n", Kind::BigInt, "A number.");
            column.index = true;
            let mut spec = TableSpec::new(name, "test", "Numbers.", vec![column]).with_past(Past::Kept);
            spec.require_any = if is_keyed { vec![0].into() } else { vec![].into() };
            Arc::new(Numbers(spec, Mutex::default()))
        }
    }

    impl Table for Numbers {
        fn spec(&self) -> &TableSpec {
            &self.0
        }

        fn slices(&self, context: &ScanContext) -> indago_table::Result<Vec<Slice>> {
            let second = context.as_of.map_or(NOW, Timestamp::seconds);
            self.1.lock().push(second);
            let keys = context.constraints.keys(0).cloned();
            let is_asked = move |n: &i64| keys.as_ref().is_none_or(|keys| keys.contains(&Scalar::Integer(*n)));
            let numbers: Vec<i64> = (1..=second).filter(is_asked).collect();
            let schema = Arc::new(self.0.schema().project(&context.columns).expect("its columns"));
            let read = move |sink: &mut dyn Sink| {
                let options = RecordBatchOptions::new().with_row_count(Some(numbers.len()));
                let column: ArrayRef = Arc::new(Int64Array::from(numbers));
                let columns = vec![column; schema.fields().len()];
                sink.blocking_send(RecordBatch::try_new_with_options(schema, columns, &options).expect("it fits"));
                Ok(())
            };
            Ok(vec![Slice::new("", Reading::Blocking(Box::new(read)))])
        }
    }

    async fn answer(engine: &Engine, sql: &str, options: QueryOptions) -> Vec<i64> {
        let query = engine.query_with(sql, options).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let values = |batch: &RecordBatch| -> Vec<i64> {
            batch.columns().iter().flat_map(|column| column.as_primitive::<Int64Type>().values().to_vec()).collect()
        };
        batches.iter().flat_map(values).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_moments_of_one_table_in_one_query_share_nothing() {
        let (numbers, keyed) = (Numbers::new("numbers", false), Numbers::new("keyed", true));
        let engine = Engine::builder().table(numbers.clone()).table(keyed.clone()).build().await.expect("it builds");
        for (name, table) in [("numbers_then", numbers.clone() as Arc<dyn Table>), ("keyed_then", keyed.clone())] {
            let provider = Provider::new(engine.registry().engine.clone(), table);
            let then = Provider { as_of: Some(Timestamp::from_seconds(3)), ..provider };
            engine.registry().register(name, Arc::new(then)).expect("a new name");
        }
        let ask = async |sql, options| {
            numbers.1.lock().clear();
            keyed.1.lock().clear();
            let answer = answer(&engine, sql, options).await;
            let asked = |table: &Numbers| {
                let mut asked = table.1.lock().clone();
                asked.sort_unstable();
                asked
            };
            // Keys may be looked up one by one.
            let mut looked_up = asked(&keyed);
            looked_up.dedup();
            (answer, asked(&numbers), looked_up)
        };
        let both =
            "SELECT (SELECT count(*) FROM numbers), (SELECT count(*) FROM numbers_then), (SELECT max(n) FROM numbers)";
        assert_eq!(ask(both, QueryOptions::default()).await, (vec![100, 3, 100], vec![3, NOW], vec![]));
        let joined = "SELECT count(*), sum(b.n) FROM numbers a LEFT JOIN numbers_then b ON b.n = a.n";
        assert_eq!(ask(joined, QueryOptions::default()).await.0, [100, 6]);
        let keys = "SELECT count(k.n), count(t.n) FROM (VALUES (2), (5), (7)) v(n) \
                    LEFT JOIN keyed k ON k.n = v.n LEFT JOIN keyed_then t ON t.n = v.n";
        assert_eq!(ask(keys, QueryOptions::default()).await, (vec![3, 1], vec![], vec![3, NOW]));
        // The time of a query applies to scans that have no time of their own.
        let then = QueryOptions::default().as_of(Timestamp::from_seconds(6));
        assert_eq!(ask(both, then.clone()).await, (vec![6, 3, 6], vec![3, 6], vec![]));
        assert_eq!(ask(keys, then).await, (vec![2, 1], vec![], vec![3, 6]));
    }
}
