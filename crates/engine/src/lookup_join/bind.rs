//! Which joins of a plan are lookups.
//!
//! A scan of a keyed table is *open* until it has keys. The pass walks the plan bottom-up. At each join it passes the
//! keys of one side to the open scans of the other, if the join type does not need that side's rows without a match. A
//! scan that is still open at the top is an error. A scan of an indexed column is bound in the same way if the other
//! side is expected to have few keys, or if a scan without the keys would not return the rows that they select or add
//! (`KeyEffect`). If such a column gets no keys, the query has a warning.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError, JoinType, NullEquality, Result};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Distinct, Expr, Extension, Join, LogicalPlan, Window};
use indago_dialect::{each_node, plans_down, plans_up};
use indago_table::{ColumnSpec, KeyEffect, Kind, Lookup};

use crate::condition;
use crate::constraints::{self, Form, looks_like};
use crate::diagnostic::{Code, Error};
use crate::lookup_join::node::{Key, KeyColumn, LookupJoin, Side};
use crate::lookup_join::rows::rows;
use crate::lookup_join::split;
use crate::provider::{Provider, our_scan, with_provider};
use crate::request::Binding;

/// The cost of one lookup, in rows of a full scan.
const LOOKUP_COST: f64 = 3.0;
/// The most nodes to visit. Sides of joins are visited again with the keys that they get.
const MOST_STEPS: usize = 200_000;
/// How often a plan is split. A part may need to be split again.
const MOST_SPLITS: usize = 4;
/// Rank of pattern keys after all equalities, because an equality selects fewer rows.
const PATTERNS_AFTER: usize = 1000;

/// Turns joins into lookup joins where tables need keys or where it is cheaper.
pub(crate) fn bind(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let mut best = bind_whole(plan)?;
    let mut parts = Cow::Borrowed(plan);
    for _ in 0..MOST_SPLITS {
        if let Bound::Plan { plan, without_key: false } = best {
            return Ok(plan);
        }
        let Some(finer) = split::apart(&parts)? else { break };
        best = match (best, bind_whole(&finer)?) {
            (_, bound @ Bound::Plan { without_key: false, .. }) => bound,
            (Bound::Open(_), bound @ Bound::Plan { .. }) => bound,
            (best, _) => best,
        };
        parts = Cow::Owned(finer);
    }
    match best {
        Bound::Plan { plan, .. } => Ok(plan),
        Bound::Open(error) => Err(error),
    }
}

/// The result of binding a plan.
enum Bound {
    /// `without_key`: some columns with conditions that need keys have none.
    Plan { plan: LogicalPlan, without_key: bool },
    /// A keyed scan in the plan has no keys.
    Open(DataFusionError),
}

fn bind_whole(plan: &LogicalPlan) -> Result<Bound> {
    let mut leaves = 0;
    let tagged = plans_down(plan.clone(), &mut |node| match our_scan(&node) {
        Some((scan, provider)) if provider.leaf.is_none() => {
            leaves += 1;
            let tagged = Provider { leaf: Some(leaves - 1), ..provider };
            Ok(Transformed::yes(with_provider(scan, tagged)))
        }
        _ => Ok(Transformed::no(node)),
    })?;
    if leaves == 0 {
        return Ok(Bound::Plan { plan: plan.clone(), without_key: false });
    }
    let mut binder = Binder::default();
    let solved = binder.solve(&tagged.data)?;
    if let Some(open) = solved.open.first() {
        return Ok(Bound::Open(binder.key_required(&tagged.data, *open)));
    }
    let without_key = binder.without_key(&solved.plan)?;
    let plan = binder.apply(solved.plan, &without_key)?;
    Ok(Bound::Plan { plan, without_key: !without_key.is_empty() })
}

/// A plan and the scans in it that still need keys.
struct Solved {
    plan: LogicalPlan,
    open: Vec<usize>,
}

#[derive(Default)]
struct Binder {
    bound: Bindings,
    /// Why a scan gets no keys from a join.
    why: BTreeMap<usize, String>,
    /// Nodes visited.
    steps: usize,
}

/// The columns of a scan that get keys from a join. `pattern` is set if the keys of the first are patterns, with
/// whether they ignore case.
#[derive(Debug, Clone)]
struct Bind {
    columns: Vec<usize>,
    pattern: Option<bool>,
    /// The keys are values that scans without keys return in the same environment.
    is_within: bool,
}

/// The columns that get keys from joins.
#[derive(Debug, Clone, Default)]
struct Bindings {
    /// By scan, the columns by which one join looks it up.
    lookups: BTreeMap<usize, Bind>,
    /// Scan and column of keys that other joins pass as constraints, with whether they are
    /// [within the environment](Bind::is_within).
    further: BTreeMap<(usize, usize), bool>,
}

impl Bindings {
    /// Whether a join passes keys for a column of a scan.
    fn has(&self, leaf: usize, column: usize) -> bool {
        let is_looked_up = self.lookups.get(&leaf).is_some_and(|bind| bind.columns.contains(&column));
        is_looked_up || self.further.contains_key(&(leaf, column))
    }

    /// Whether a join passes keys for a column that take its scan beyond its environment.
    fn goes_beyond(&self, leaf: usize, column: usize) -> bool {
        let bind = self.lookups.get(&leaf).filter(|bind| bind.columns.contains(&column));
        bind.is_some_and(|bind| !bind.is_within) || self.further.get(&(leaf, column)) == Some(&false)
    }

    /// These bindings without earlier ones.
    fn since(&self, earlier: &Bindings) -> Bindings {
        let mut since = self.clone();
        since.lookups.retain(|leaf, _| !earlier.lookups.contains_key(leaf));
        since.further.retain(|column, _| !earlier.further.contains_key(column));
        since
    }

    fn and(mut self, others: &Bindings) -> Bindings {
        self.lookups.extend(others.lookups.clone());
        self.further.extend(&others.further);
        self
    }
}

impl Binder {
    fn solve(&mut self, plan: &LogicalPlan) -> Result<Solved> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            let error =
                Error::new(Code::Plan, "the query has too many joins between tables that are looked up by keys");
            return Err(DataFusionError::External(Box::new(error.with_help("split it"))));
        }
        if let LogicalPlan::Join(join) = plan {
            return self.solve_join(join);
        }
        if let Some((scan, provider)) = our_scan(plan) {
            let spec = provider.table.spec();
            let leaf = provider.leaf.expect("every scan was numbered");
            let is_readable =
                self.bound.lookups.contains_key(&leaf) || constraints::alternatives(spec, &scan.filters).is_some();
            return Ok(Solved { plan: plan.clone(), open: if is_readable { Vec::new() } else { vec![leaf] } });
        }
        let mut open = Vec::new();
        let with_subqueries = plan.clone().map_subqueries(|subquery| {
            let solved = self.solve(&subquery)?;
            open.extend(solved.open);
            Ok(Transformed::yes(solved.plan))
        })?;
        let children = with_subqueries.data.map_children(|child| {
            let solved = self.solve(&child)?;
            open.extend(solved.open);
            Ok(Transformed::yes(solved.plan))
        })?;
        Ok(Solved { plan: children.data, open })
    }

    fn solve_join(&mut self, join: &Join) -> Result<Solved> {
        let before = self.bound.clone();
        let mut left = self.solve(&join.left)?;
        let between = self.bound.clone();
        let mut right = self.solve(&join.right)?;
        // Solving a side again creates its bindings again, so those of the first time must be removed.
        let of_right = self.bound.since(&between);
        let without_left = || before.clone().and(&of_right);
        // Each binding may close further scans on its side. Only a side without open scans can pass keys.
        let mut lookup: Option<(Side, Vec<Key>)> = None;
        if left.open.is_empty() && !right.open.is_empty() && may_look_up(join, Side::Right) {
            let keys = self.keys(join, Side::Right, &right.open);
            if !keys.is_empty() {
                self.bound = between.clone();
                self.bind_keys(join, Side::Right, &keys);
                right = self.solve(&join.right)?;
                lookup = Some((Side::Right, keys));
            }
        } else if right.open.is_empty() && !left.open.is_empty() && may_look_up(join, Side::Left) {
            let keys = self.keys(join, Side::Left, &left.open);
            if !keys.is_empty() {
                self.bound = without_left();
                self.bind_keys(join, Side::Left, &keys);
                left = self.solve(&join.left)?;
                lookup = Some((Side::Left, keys));
            }
        } else if left.open.is_empty() && right.open.is_empty() {
            let needed = |side: &Side| may_look_up(join, *side) && !self.needed(join, *side).is_empty();
            let sides = [Side::Right, Side::Left];
            let first = sides.into_iter().find(needed);
            for side in first.map_or(sides.to_vec(), |side| vec![side]) {
                let driving = match side {
                    Side::Right => &left.plan,
                    Side::Left => &right.plan,
                };
                if !may_look_up(join, side) {
                    continue;
                }
                let keys = self.worthwhile_keys(join, side, rows(driving));
                if keys.is_empty() {
                    continue;
                }
                self.bound = match side {
                    Side::Right => between.clone(),
                    Side::Left => without_left(),
                };
                self.bind_keys(join, side, &keys);
                match side {
                    Side::Right => right = self.solve(&join.right)?,
                    Side::Left => left = self.solve(&join.left)?,
                }
                lookup = Some((side, keys));
                break;
            }
        }
        for (side, own, other) in
            [(Side::Left, &left.open, !right.open.is_empty()), (Side::Right, &right.open, !left.open.is_empty())]
        {
            for leaf in own {
                if !self.why.contains_key(leaf) {
                    self.why.insert(*leaf, why_open(join, side, *leaf, other));
                }
            }
        }
        if let Some((_, keys)) = &mut lookup {
            self.settle(keys);
        }
        let mut open = left.open;
        open.extend(right.open);
        let join = Join { left: Arc::new(left.plan), right: Arc::new(right.plan), ..join.clone() };
        let plan = match lookup {
            Some((side, keys)) => LogicalPlan::Extension(Extension { node: Arc::new(LookupJoin { join, side, keys }) }),
            None => LogicalPlan::Join(join),
        };
        Ok(Solved { plan, open })
    }

    fn bind_keys(&mut self, join: &Join, side: Side, keys: &[Key]) {
        for key in keys {
            let pattern = key.pattern.map(Form::ignores_case);
            let is_within =
                key.columns.iter().all(|column| self.is_within(side.other().of(join), &key.environment, &column.spec));
            if key.is_further {
                self.bound.further.extend(key.positions().into_iter().map(|column| ((key.leaf, column), is_within)));
            } else {
                self.bound.lookups.insert(key.leaf, Bind { columns: key.positions(), pattern, is_within });
            }
        }
    }

    /// Makes further keys the lookup of their scan, if no other join looks it up after all: with these keys, that join may
    /// have chosen its other side.
    fn settle(&mut self, keys: &mut [Key]) {
        for key in keys.iter_mut().filter(|key| key.is_further) {
            if !self.bound.lookups.contains_key(&key.leaf) {
                key.is_further = false;
                let columns = key.positions();
                let mut is_within = true;
                for column in &columns {
                    is_within &= self.bound.further.remove(&(key.leaf, *column)).unwrap_or(true);
                }
                self.bound.lookups.insert(key.leaf, Bind { columns, pattern: None, is_within });
            }
        }
    }

    /// Keys that a join can pass to the open scans of one side: for one column of each scan, so rows can be cached by
    /// key, and for the other columns that need keys. The join itself checks the remaining equalities.
    fn keys(&self, join: &Join, side: Side, open: &[usize]) -> Vec<Key> {
        let looked_up = side.of(join);
        let mut keys: BTreeMap<usize, (usize, Key)> = BTreeMap::new();
        let mut offer = |rank: usize, target: Target, driving: &Expr, pattern: Option<Form>| {
            if open.contains(&target.leaf) && target.is_required && !self.is_looked_up(&target) {
                let rank = rank + target.rank;
                let known = keys.get(&target.leaf).map(|(rank, _)| *rank);
                if known.is_none_or(|known| rank < known) {
                    keys.insert(target.leaf, (rank, Key { pattern, ..target.key(driving) }));
                }
            }
        };
        for (driving, key) in pairs(join, side) {
            for target in trace_expr(looked_up, key) {
                if target.spec.index && may_match(join, &target) {
                    offer(0, target, driving, None);
                }
            }
        }
        for (driving, subject, form) in patterns(join, side) {
            for target in trace_expr(looked_up, subject) {
                if target.spec.pattern {
                    offer(PATTERNS_AFTER, target, driving, Some(form));
                }
            }
        }
        if keys.is_empty() {
            return Vec::new();
        }
        self.with_needed(join, side, keys.into_values().map(|(_, key)| key).collect())
    }

    /// Keys without which a scan would not return all rows of one side, and one key on an index that is expected to be
    /// cheaper than a full scan. If there are several, the most selective.
    fn worthwhile_keys(&self, join: &Join, side: Side, driving_rows: f64) -> Vec<Key> {
        let mut found = Vec::new();
        for (driving, key) in pairs(join, side) {
            let Ok([target]) = <[Target; 1]>::try_from(trace_expr(side.of(join), key)) else { continue };
            let pays = target.spec.index && target.lookup == Lookup::PerKey && driving_rows * LOOKUP_COST < target.rows;
            let is_free = target.is_required && !target.is_in_union && !self.is_looked_up(&target);
            if pays && is_free && may_match(join, &target) {
                found.push((target, driving));
            }
        }
        let most_telling = found.into_iter().min_by_key(|(target, _)| target.spec.slice);
        self.with_needed(join, side, most_telling.map(|(target, driving)| target.key(driving)).into_iter().collect())
    }

    /// Adds the keys that scans of the same side need. A scan that another join looks up gets them as constraints.
    fn with_needed(&self, join: &Join, side: Side, mut keys: Vec<Key>) -> Vec<Key> {
        for (target, (driving, _)) in self.needed(join, side) {
            if !may_match(join, &target) || self.bound.has(target.leaf, target.column) {
                continue;
            }
            match keys.iter_mut().find(|key| key.leaf == target.leaf) {
                Some(key) if key.positions().contains(&target.column) => {}
                Some(key) => key.columns.extend(target.key(driving).columns),
                // These keys are not enough for a keyed table.
                None if !target.is_readable && !target.is_required && !self.is_looked_up(&target) => {}
                None => keys.push(Key { is_further: self.is_looked_up(&target), ..target.key(driving) }),
            }
        }
        keys
    }

    /// The columns of one side that a join compares with the other side, and whose scans return only some of the rows
    /// if they get no keys.
    fn needed<'a>(&self, join: &'a Join, side: Side) -> Vec<(Target, Pair<'a>)> {
        let driving_side = side.other().of(join);
        let mut needed = Vec::new();
        for (driving, key) in pairs(join, side) {
            let targets = trace_expr(side.of(join), key).into_iter();
            let is_needed = |target: &Target| match target.spec.key_effect {
                KeyEffect::Filters => false,
                KeyEffect::Selects => !self.is_of_default(driving_side, driving, target),
                KeyEffect::Extends => !self.is_within(driving_side, &target.environment, &target.spec),
            };
            let targets = targets.filter(|target| target.spec.index && !target.has_keys && is_needed(target));
            needed.extend(targets.map(|target| (target, (driving, key))));
        }
        needed
    }

    /// Whether a join looks up the scan of a column.
    fn is_looked_up(&self, target: &Target) -> bool {
        self.bound.lookups.contains_key(&target.leaf)
    }

    /// Whether a driving expression is such a column itself, and its scans return the default rows too.
    fn is_of_default(&self, plan: &LogicalPlan, driving: &Expr, target: &Target) -> bool {
        let sources = trace_expr(plan, driving);
        let is_alike = |source: &Target| {
            (&source.spec.name, &source.environment) == (&target.spec.name, &target.environment)
                && source.spec.key_effect == KeyEffect::Selects
                && !source.has_keys
                && !self.bound.has(source.leaf, source.column)
        };
        !sources.is_empty() && sources.iter().all(is_alike)
    }

    /// Whether a plan reads only this environment, and no keys extend its rows beyond those that scans without keys
    /// return.
    fn is_within(&self, plan: &LogicalPlan, environment: &str, target: &ColumnSpec) -> bool {
        let mut scans = 0;
        let is_within = each_node(plan, &mut |node| {
            let is_within = match our_scan(node) {
                Some((scan, provider)) => {
                    scans += 1;
                    let spec = provider.table.spec();
                    let given = constraints::of(spec, &scan.filters);
                    let goes_beyond = spec.columns.iter().enumerate().any(|(position, column)| {
                        let is_bound = provider.leaf.is_some_and(|leaf| self.bound.goes_beyond(leaf, position));
                        let is_alike = column.name == target.name || column.key_effect == KeyEffect::Selects;
                        (given.asks(position) || is_bound) && column.key_effect != KeyEffect::Filters && is_alike
                    });
                    spec.environment == environment && !goes_beyond
                }
                None => !matches!(node, LogicalPlan::TableScan(_) | LogicalPlan::Values(_)),
            };
            Ok(if is_within { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
        });
        scans > 0 && matches!(is_within, Ok(TreeNodeRecursion::Continue))
    }

    /// The columns with conditions that need keys and have none, by scan.
    fn without_key(&self, plan: &LogicalPlan) -> Result<BTreeSet<(usize, usize)>> {
        let mut without = BTreeSet::new();
        each_node(plan, &mut |node| {
            if let Some((scan, provider)) = our_scan(node) {
                let leaf = provider.leaf.expect("every scan was numbered");
                let columns = constraints::columns_without_key(provider.table.spec(), &scan.filters);
                without.extend(columns.into_iter().map(|column| (leaf, column)));
            }
            let lookup = match node {
                LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<LookupJoin>(),
                _ => None,
            };
            let join = match node {
                LogicalPlan::Join(join) => Some(join),
                _ => lookup.map(|lookup| &lookup.join),
            };
            // If the other side is looked up by the values of this column, it has no other values.
            let drives = |key: &Expr| {
                let columns = lookup.into_iter().flat_map(|lookup| &lookup.keys).flat_map(|key| &key.columns);
                columns.into_iter().any(|column| column.driving == *key)
            };
            for (join, side) in join.into_iter().flat_map(|join| [(join, Side::Left), (join, Side::Right)]) {
                let needed = self.needed(join, side).into_iter().filter(|(_, (_, key))| !drives(key));
                without.extend(needed.map(|(target, _)| (target.leaf, target.column)));
            }
            let mut conditions: Vec<&Expr> = match (node, join) {
                (LogicalPlan::Filter(filter), _) => split_conjunction(&filter.predicate),
                (_, Some(join)) => join.filter.iter().flat_map(split_conjunction).collect(),
                _ => Vec::new(),
            };
            // Sides of an equality that are not such a column themselves, or that cannot be traced to its scan.
            let of_sides = join.into_iter().flat_map(|join| {
                let left = join.on.iter().map(|(left, _)| (&*join.left, left));
                left.chain(join.on.iter().map(|(_, right)| (&*join.right, right)))
            });
            conditions.extend(of_sides.filter(|(side, expr)| trace_expr(side, expr).is_empty()).map(|(_, expr)| expr));
            let inputs = node.inputs();
            for column in conditions.into_iter().flat_map(Expr::column_refs) {
                let origins = inputs.iter().flat_map(|input| origins(input, column));
                let selecting = origins.filter(|origin| origin.key_effect == KeyEffect::Selects && !origin.has_keys);
                without.extend(selecting.map(|origin| (origin.leaf, origin.column)));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        without.retain(|(leaf, column)| !self.bound.has(*leaf, *column));
        Ok(without)
    }

    /// Sets in the scans of the solved plan which keys they will get.
    fn apply(&self, plan: LogicalPlan, without_key: &BTreeSet<(usize, usize)>) -> Result<LogicalPlan> {
        let applied = plans_up(plan, &mut |node| {
            let Some((scan, provider)) = our_scan(&node) else { return Ok(Transformed::no(node)) };
            let leaf = provider.leaf.expect("every scan was numbered");
            let further: Vec<usize> =
                self.bound.further.range((leaf, 0)..=(leaf, usize::MAX)).map(|((_, column), _)| *column).collect();
            let binding = self.bound.lookups.get(&leaf).cloned();
            let without_key: Arc<[usize]> =
                without_key.iter().filter(|(of, _)| *of == leaf).map(|(_, column)| *column).collect();
            if binding.is_none() && without_key.is_empty() {
                return Ok(Transformed::no(node));
            }
            let binding = binding.map(|Bind { columns, pattern, .. }| Binding { leaf, columns, further, pattern });
            Ok(Transformed::yes(with_provider(scan, Provider { binding, without_key, ..provider })))
        })?;
        Ok(applied.data)
    }

    /// The error for a scan that gets no keys.
    fn key_required(&self, plan: &LogicalPlan, leaf: usize) -> DataFusionError {
        let mut found = None;
        let search = each_node(plan, &mut |node| {
            let (alias, scan) = match node {
                LogicalPlan::SubqueryAlias(alias) => (Some(alias.alias.table().to_owned()), alias.input.as_ref()),
                scan => (None, scan),
            };
            if let Some((_, provider)) = our_scan(scan)
                && provider.leaf == Some(leaf)
                && found.is_none()
            {
                found = Some((provider, alias));
            }
            Ok(TreeNodeRecursion::Continue)
        });
        match (search, found) {
            (Ok(_), Some((provider, alias))) => {
                let why = self.why.get(&leaf).map(String::as_str);
                DataFusionError::External(Box::new(Error::key_required(provider.table.spec(), alias, why)))
            }
            _ => DataFusionError::Internal(format!("scan {leaf} is not in its plan")),
        }
    }
}

/// The sides of an equality in a join's condition: the driving side's expression, then the looked-up side's.
type Pair<'a> = (&'a Expr, &'a Expr);

/// The equalities of a join's condition.
fn pairs(join: &Join, side: Side) -> impl Iterator<Item = Pair<'_>> {
    join.on.iter().map(move |(left, right)| match side {
        Side::Right => (left, right),
        Side::Left => (right, left),
    })
}

/// The `LIKE` and `GLOB` conditions of a join: the driving side's pattern, then the looked-up side's subject.
fn patterns(join: &Join, side: Side) -> impl Iterator<Item = (&Expr, &Expr, Form)> {
    let driving = match side {
        Side::Right => &join.left,
        Side::Left => &join.right,
    };
    let conditions = join.filter.iter().flat_map(split_conjunction);
    conditions.filter_map(looks_like).filter_map(|(subject, pattern, form)| {
        let columns = pattern.column_refs();
        let is_driving = !columns.is_empty() && columns.iter().all(|column| driving.schema().has_column(column));
        is_driving.then_some((pattern, subject, form))
    })
}

/// Why a join passes no keys to an open scan of one side.
fn why_open(join: &Join, side: Side, leaf: usize, other_is_open: bool) -> String {
    let looked_up = if side == Side::Right { &join.right } else { &join.left };
    if other_is_open {
        return "the other side of its join needs keys itself".to_owned();
    }
    if !may_look_up(join, side) {
        let kind = join.join_type.to_string().to_uppercase();
        return format!("a {kind} JOIN also returns its rows that have no match, and no key finds them");
    }
    let equalities = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
    let conditions = equalities.chain(join.filter.iter().flat_map(split_conjunction).cloned());
    let is_key = |column: &&Column| {
        let targets = trace_expr(looked_up, &Expr::Column((*column).clone()));
        targets.iter().any(|target| target.leaf == leaf)
    };
    for condition in conditions {
        if condition.column_refs().iter().any(is_key) {
            let condition = condition::shown(&condition);
            return format!(
                "its join condition is `{condition}`, and only `=`, `LIKE` and `GLOB` on the column itself pass keys"
            );
        }
    }
    "its join has no condition on them".to_owned()
}

/// Whether a lookup finds all rows that the join matches: a NULL matches nothing, or the column has no NULLs.
fn may_match(join: &Join, target: &Target) -> bool {
    join.null_equality == NullEquality::NullEqualsNothing || !target.spec.nullable
}

/// Whether a join's result depends only on the rows of a side that have a match on the other side.
fn may_look_up(join: &Join, side: Side) -> bool {
    if join.null_aware {
        return false;
    }
    match side {
        Side::Right => {
            use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, RightSemi};
            matches!(join.join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark | RightSemi)
        }
        Side::Left => {
            use JoinType::{Inner, LeftSemi, Right, RightAnti, RightMark, RightSemi};
            matches!(join.join_type, Inner | Right | RightSemi | RightAnti | RightMark | LeftSemi)
        }
    }
}

/// A key column of a scan that is the source of an expression over a plan's output.
#[derive(Debug)]
struct Target {
    leaf: usize,
    column: usize,
    spec: ColumnSpec,
    rows: f64,
    lookup: Lookup,
    /// Its position in the table's list of required columns.
    rank: usize,
    /// It is a required column, or the table has no required columns.
    is_required: bool,
    /// The table has all constraints that it needs from the query's own filters.
    is_readable: bool,
    /// A scan without keys would return other rows, and the query's own filters have keys.
    has_keys: bool,
    environment: Cow<'static, str>,
    /// It was cast to another type on the way. The effect of a second cast is not known.
    is_cast: bool,
    /// The scan is one of several inputs of a UNION.
    is_in_union: bool,
}

impl Target {
    fn key(self, driving: &Expr) -> Key {
        let Target { leaf, column, spec, is_in_union, environment, .. } = self;
        let columns = vec![KeyColumn { column, spec, driving: driving.clone() }];
        Key { leaf, environment, columns, is_further: false, is_in_union, pattern: None }
    }
}

fn trace_expr(plan: &LogicalPlan, expr: &Expr) -> Vec<Target> {
    if let Some(operand) = constraints::without_case(expr) {
        let mut targets = trace_expr(plan, operand);
        targets.retain(|target| constraints::ignores_case(&target.spec));
        return targets;
    }
    match expr {
        Expr::Column(column) => match plan.schema().index_of_column(column) {
            Ok(index) => trace(plan, index),
            Err(_) => Vec::new(),
        },
        Expr::Alias(alias) => trace_expr(plan, &alias.expr),
        // A cast of an integer, or of text to another text type, loses nothing, so keys can be converted back. Several
        // texts may be cast to the same number.
        Expr::Cast(cast) => {
            let to = cast.field.data_type();
            let mut targets = trace_expr(plan, &cast.expr);
            targets.retain_mut(|target| match target.spec.kind {
                Kind::Text => to.is_string(),
                Kind::BigInt => !std::mem::replace(&mut target.is_cast, true) && keeps_integers(to),
                _ => false,
            });
            targets
        }
        _ => Vec::new(),
    }
}

/// Whether a cast to a type keeps integers distinct. Beyond 2^53, a real number may correspond to several integers, few
/// enough to look up all of them.
fn keeps_integers(to: &DataType) -> bool {
    to.is_integer()
        || to.is_string()
        || matches!(to, DataType::Float64 | DataType::Decimal128(..) | DataType::Decimal256(..))
}

/// Traces a column of a plan's output to scans, through every node that commutes with a filter on it.
fn trace(plan: &LogicalPlan, index: usize) -> Vec<Target> {
    if let Some((scan, provider)) = our_scan(plan) {
        let spec = provider.table.spec();
        let target = spec.column(plan.schema().field(index).name()).map(|column| Target {
            leaf: provider.leaf.expect("every scan was numbered"),
            column,
            spec: spec.columns[column].clone(),
            rows: spec.typical_rows as f64,
            lookup: spec.lookup,
            rank: spec.require_any.iter().position(|required| *required == column).unwrap_or(spec.require_any.len()),
            is_required: !spec.is_keyed() || spec.require_any.contains(&column),
            is_readable: constraints::alternatives(spec, &scan.filters).is_some(),
            has_keys: spec.columns[column].key_effect != KeyEffect::Filters
                && constraints::have_keys(spec, &scan.filters, column),
            environment: spec.environment.clone(),
            is_cast: false,
            is_in_union: false,
        });
        let is_key = |target: &Target| {
            (target.spec.index || target.spec.pattern)
                && constraints::has_keys(&target.spec.kind)
                && (target.is_required || target.spec.key_effect != KeyEffect::Filters)
        };
        return target.filter(is_key).into_iter().collect();
    }
    match plan {
        LogicalPlan::Projection(projection) => trace_expr(&projection.input, &projection.expr[index]),
        LogicalPlan::SubqueryAlias(alias) => trace(&alias.input, index),
        LogicalPlan::Filter(filter) => trace(&filter.input, index),
        LogicalPlan::Repartition(repartition) => trace(&repartition.input, index),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => trace(&sort.input, index),
        LogicalPlan::Distinct(Distinct::All(input)) => trace(input, index),
        LogicalPlan::Aggregate(aggregate) => match aggregate.group_expr.get(index) {
            None | Some(Expr::GroupingSet(_)) => Vec::new(),
            Some(expr) => trace_expr(&aggregate.input, expr),
        },
        LogicalPlan::Window(window) if is_partition(window, index) => trace(&window.input, index),
        LogicalPlan::Union(union) => {
            let targets = union.inputs.iter().flat_map(|input| trace(input, index));
            targets.map(|target| Target { is_in_union: true, ..target }).collect()
        }
        LogicalPlan::Join(join) => trace_join(join, index),
        LogicalPlan::Extension(extension) => match extension.node.as_any().downcast_ref::<LookupJoin>() {
            Some(lookup) => trace_join(&lookup.join, index),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Whether all functions of a window partition by a column.
fn is_partition(window: &Window, index: usize) -> bool {
    let schema = window.input.schema();
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(column) if schema.index_of_column(column).is_ok_and(|position| position == index));
    window.window_expr.iter().all(|function| match function.clone().unalias() {
        Expr::WindowFunction(function) => function.params.partition_by.iter().any(is_column),
        _ => false,
    })
}

fn trace_join(join: &Join, index: usize) -> Vec<Target> {
    let left = join.left.schema().fields().len();
    match join.join_type {
        JoinType::Inner if index < left => trace(&join.left, index),
        JoinType::Inner => trace(&join.right, index - left),
        JoinType::Left if index < left => trace(&join.left, index),
        JoinType::Right if index >= left => trace(&join.right, index - left),
        JoinType::LeftSemi | JoinType::LeftAnti => trace(&join.left, index),
        JoinType::LeftMark if index < left => trace(&join.left, index),
        JoinType::RightSemi | JoinType::RightAnti => trace(&join.right, index),
        JoinType::RightMark if index < join.right.schema().fields().len() => trace(&join.right, index),
        _ => Vec::new(),
    }
}

/// A column of a scan that a column of a plan's output is computed from.
struct Origin {
    leaf: usize,
    column: usize,
    key_effect: KeyEffect,
    has_keys: bool,
}

/// The columns of scans that a column of a plan's output is computed from, through any nodes.
fn origins(plan: &LogicalPlan, column: &Column) -> Vec<Origin> {
    let Ok(index) = plan.schema().index_of_column(column) else { return Vec::new() };
    let of_expr = |input: &LogicalPlan, expr: &Expr| -> Vec<Origin> {
        expr.column_refs().into_iter().flat_map(|column| origins(input, column)).collect()
    };
    let of_index = |input: &LogicalPlan| origins(input, &Column::from(input.schema().qualified_field(index)));
    match plan {
        LogicalPlan::Projection(projection) => of_expr(&projection.input, &projection.expr[index]),
        LogicalPlan::Aggregate(aggregate) => match aggregate.group_expr.get(index) {
            Some(expr) => of_expr(&aggregate.input, expr),
            None => Vec::new(),
        },
        LogicalPlan::SubqueryAlias(alias) => of_index(&alias.input),
        LogicalPlan::Union(union) => union.inputs.iter().flat_map(|input| of_index(input)).collect(),
        _ => match our_scan(plan) {
            Some((scan, provider)) => {
                let spec = provider.table.spec();
                let origin = |position: usize| Origin {
                    leaf: provider.leaf.expect("every scan was numbered"),
                    column: position,
                    key_effect: spec.columns[position].key_effect,
                    has_keys: constraints::have_keys(spec, &scan.filters, position),
                };
                spec.column(&column.name).map(origin).into_iter().collect()
            }
            None => plan.inputs().into_iter().flat_map(|input| origins(input, column)).collect(),
        },
    }
}
