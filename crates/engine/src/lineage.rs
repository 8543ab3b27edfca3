//! Which columns of a result are unchanged columns of the tables that it was read from.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, JoinType};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, Join, LogicalPlan, Window};

use crate::provider::{Provider, our_scan};

/// One scan of a table, and where the result has its unchanged columns.
///
/// A row of the result with a value in such a column was computed only from rows of the scan with that value. So if a
/// scan lacks the rows of one cluster, the column `cluster` identifies the rows of the result that are affected. A
/// column for which this does not hold (under a LIMIT, or an aggregate over several of its values) is not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The table.
    pub table: String,
    /// Positions in the result, by column of the table.
    pub columns: BTreeMap<String, BTreeSet<usize>>,
}

impl Lineage {
    /// Replaces each position by the positions that `to` returns for it.
    fn moved(mut self, to: impl Fn(usize) -> Vec<usize>) -> Self {
        for places in self.columns.values_mut() {
            *places = places.iter().flat_map(|place| to(*place)).collect();
        }
        self.columns.retain(|_, places| !places.is_empty());
        self
    }
}

/// A table whose rows are all in a result, each exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Whole {
    /// The table.
    pub table: String,
    /// Whether the result has all columns of `SELECT *`.
    pub all_columns: bool,
}

/// The table whose rows a plan returns unchanged and completely, if there is one.
pub(crate) fn whole(plan: &LogicalPlan) -> Option<Whole> {
    fn scan(plan: &LogicalPlan) -> Option<Provider> {
        match plan {
            LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none() => {
                our_scan(plan).map(|(_, provider)| provider)
            }
            LogicalPlan::Projection(projection) => {
                let input = projection.input.schema();
                let is_same = |(place, expr): (usize, &Expr)| {
                    place_of(expr, input)
                        .is_some_and(|from| input.field(from).name() == projection.schema.field(place).name())
                };
                projection.expr.iter().enumerate().all(is_same).then(|| scan(&projection.input)).flatten()
            }
            LogicalPlan::SubqueryAlias(alias) => scan(&alias.input),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => scan(&sort.input),
            LogicalPlan::Repartition(repartition) => scan(&repartition.input),
            _ => None,
        }
    }
    let provider = scan(plan)?;
    let spec = provider.table.spec();
    let shown = |name: &str| plan.schema().fields().iter().any(|field| field.name() == name);
    let all_columns = spec.columns.iter().all(|column| column.hidden || shown(&column.name));
    Some(Whole { table: spec.name.to_string(), all_columns })
}

/// The scans of a plan.
pub(crate) fn of(plan: &LogicalPlan) -> Vec<Lineage> {
    let mut scans = match plan {
        LogicalPlan::TableScan(scan) => {
            let fields = scan.projected_schema.fields().iter().enumerate();
            let columns = fields.map(|(place, field)| (field.name().clone(), BTreeSet::from([place])));
            // Under a limit, missing rows of one slice change which rows of other slices are returned.
            let columns = if scan.fetch.is_none() { columns.collect() } else { BTreeMap::new() };
            let table = match our_scan(plan) {
                Some((_, provider)) => provider.table.spec().name.to_string(),
                None => scan.table_name.table().to_owned(),
            };
            vec![Lineage { table, columns }]
        }
        LogicalPlan::Projection(projection) => {
            through(of(&projection.input), &projection.expr, projection.input.schema())
        }
        LogicalPlan::Filter(filter) => of(&filter.input),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => of(&sort.input),
        LogicalPlan::SubqueryAlias(alias) => of(&alias.input),
        LogicalPlan::Repartition(repartition) => of(&repartition.input),
        LogicalPlan::Distinct(Distinct::All(input)) => of(input),
        LogicalPlan::Union(union) => union.inputs.iter().flat_map(|input| of(input)).collect(),
        LogicalPlan::Join(join) => of_join(join),
        LogicalPlan::Aggregate(Aggregate { input, group_expr, .. }) => through(of(input), group_expr, input.schema()),
        LogicalPlan::Window(window) => of_window(window),
        other => other.inputs().into_iter().flat_map(hidden).collect(),
    };
    // Columns of subqueries that are still in expressions are not in the result.
    let found = plan.apply_subqueries(|subquery| {
        scans.extend(hidden(subquery));
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(found.is_ok(), "nothing here fails");
    scans
}

/// The scans of a plan that contributes no column to the result.
fn hidden(plan: &LogicalPlan) -> Vec<Lineage> {
    of(plan).into_iter().map(|scan| Lineage { columns: BTreeMap::new(), ..scan }).collect()
}

/// Moves scans through a list of expressions: only columns that an expression passes on unchanged remain.
fn through(scans: Vec<Lineage>, expressions: &[Expr], input: &DFSchema) -> Vec<Lineage> {
    let sources: Vec<Option<usize>> = expressions.iter().map(|expr| place_of(expr, input)).collect();
    let to = |from: usize| (0..sources.len()).filter(|place| sources[*place] == Some(from)).collect();
    scans.into_iter().map(|scan| scan.moved(to)).collect()
}

/// The position of the input column that an expression passes on unchanged.
fn place_of(expr: &Expr, input: &DFSchema) -> Option<usize> {
    match expr {
        Expr::Alias(alias) => place_of(&alias.expr, input),
        Expr::Column(column) => input.maybe_index_of_column(column),
        _ => None,
    }
}

fn of_join(join: &Join) -> Vec<Lineage> {
    let (left, right) = (join.left.schema(), join.right.schema());
    let width = left.fields().len();
    let mut scans = of(&join.left);
    scans.extend(of(&join.right).into_iter().map(|scan| scan.moved(|place| vec![place + width])));
    // A column of either side holds the value that an equality compares.
    for (on_left, on_right) in &join.on {
        let (Some(on_left), Some(on_right)) = (place_of(on_left, left), place_of(on_right, right)) else { continue };
        for places in scans.iter_mut().flat_map(|scan| scan.columns.values_mut()) {
            if places.contains(&on_left) {
                places.insert(on_right + width);
            } else if places.contains(&(on_right + width)) {
                places.insert(on_left);
            }
        }
    }
    let shown = |place: usize| match join.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (place < width).then_some(place),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => place.checked_sub(width),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => Some(place),
    };
    scans.into_iter().map(|scan| scan.moved(|place| shown(place).into_iter().collect())).collect()
}

/// A window function mixes the rows of a partition, so only columns that every function partitions by remain.
fn of_window(window: &Window) -> Vec<Lineage> {
    fn partition(expr: &Expr, input: &DFSchema) -> Vec<usize> {
        match expr {
            Expr::Alias(alias) => partition(&alias.expr, input),
            Expr::WindowFunction(function) => {
                function.params.partition_by.iter().filter_map(|expr| place_of(expr, input)).collect()
            }
            _ => Vec::new(),
        }
    }
    let input = window.input.schema();
    let partitions: Vec<Vec<usize>> = window.window_expr.iter().map(|expr| partition(expr, input)).collect();
    let stays = |place: usize| partitions.iter().all(|partition| partition.contains(&place)).then_some(place);
    of(&window.input).into_iter().map(|scan| scan.moved(|place| stays(place).into_iter().collect())).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{DataType, Field, Schema};
    use datafusion::datasource::empty::EmptyTable;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Where the result of a query has the column `region` of each scan.
    async fn regions(sql: &str) -> Vec<(String, Vec<usize>)> {
        let context = SessionContext::new();
        for table in ["pods", "nodes"] {
            let fields = ["region", "name", "node"].map(|name| Field::new(name, DataType::Utf8, true));
            let table_of = Arc::new(EmptyTable::new(Arc::new(Schema::new(fields.to_vec()))));
            context.register_table(table, table_of).expect("registered");
        }
        let plan = context.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let plan = plan.into_optimized_plan().unwrap_or_else(|error| panic!("{sql}: {error}"));
        let shown =
            |scan: Lineage| (scan.table, scan.columns.get("region").into_iter().flatten().copied().collect::<Vec<_>>());
        let mut scans: Vec<_> = of(&plan).into_iter().map(shown).collect();
        scans.sort();
        scans
    }

    #[tokio::test]
    async fn columns_are_followed_to_the_result() {
        for (sql, expected) in [
            ("SELECT name, region AS c FROM pods", vec![("pods", vec![1])]),
            ("SELECT region, region AS again FROM pods WHERE name > 'a' ORDER BY name", vec![("pods", vec![0, 1])]),
            ("SELECT name FROM pods", vec![("pods", vec![])]),
            ("SELECT upper(region) AS region FROM pods", vec![("pods", vec![])]),
            ("SELECT region, count(*) FROM pods GROUP BY region", vec![("pods", vec![0])]),
            ("SELECT max(region) AS region FROM pods", vec![("pods", vec![])]),
            ("SELECT DISTINCT name, region FROM pods", vec![("pods", vec![1])]),
            ("SELECT region FROM pods LIMIT 3", vec![("pods", vec![])]),
            ("SELECT region FROM pods ORDER BY name LIMIT 3", vec![("pods", vec![])]),
            ("SELECT region FROM pods UNION ALL SELECT region FROM nodes", vec![("nodes", vec![0]), ("pods", vec![0])]),
            ("SELECT region, count(*) OVER () FROM pods", vec![("pods", vec![])]),
            ("SELECT region, count(*) OVER (PARTITION BY region, node) FROM pods", vec![("pods", vec![0])]),
            ("SELECT region, count(*) OVER (PARTITION BY name) FROM pods", vec![("pods", vec![])]),
        ] {
            let found = regions(sql).await;
            let found: Vec<(&str, Vec<usize>)> =
                found.iter().map(|(table, places)| (table.as_str(), places.clone())).collect();
            assert_eq!(found, expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn what_a_join_sets_equal_is_shown_by_either_side() {
        for (sql, nodes, pods) in [
            (
                "SELECT p.region, n.name FROM pods p JOIN nodes n ON p.region = n.region AND p.node = n.name",
                vec![0],
                vec![0],
            ),
            (
                "SELECT n.region, p.name FROM pods p LEFT JOIN nodes n ON p.region = n.region AND p.node = n.name",
                vec![0],
                vec![0],
            ),
            ("SELECT p.region, n.name FROM pods p LEFT JOIN nodes n ON p.node = n.name", vec![], vec![0]),
            ("SELECT p.region, n.region FROM pods p, nodes n", vec![1], vec![0]),
            ("SELECT region FROM pods p WHERE node IN (SELECT name FROM nodes)", vec![], vec![0]),
            (
                "SELECT region FROM pods p WHERE NOT EXISTS (SELECT 1 FROM nodes n WHERE n.region = p.region AND n.name = p.node)",
                vec![0],
                vec![0],
            ),
            ("SELECT region, (SELECT count(*) FROM nodes) FROM pods", vec![], vec![0]),
            (
                "SELECT p.region, q.n FROM pods p JOIN (SELECT region, count(*) AS n FROM nodes GROUP BY region) q USING (region)",
                vec![0],
                vec![0],
            ),
        ] {
            let expected = [("nodes".to_owned(), nodes), ("pods".to_owned(), pods)];
            assert_eq!(regions(sql).await, expected, "{sql}");
        }
        let both = regions("SELECT a.region, b.region FROM pods a JOIN pods b ON a.node = b.node").await;
        assert_eq!(both, [("pods".to_owned(), vec![0]), ("pods".to_owned(), vec![1])]);
    }
}
