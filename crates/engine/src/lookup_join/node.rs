//! A lookup join in a logical plan.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, UserDefinedLogicalNodeCore};
use indago_table::ColumnSpec;

use crate::constraints::Form;

/// The side of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Hash)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }

    /// The input of a join on this side.
    pub(crate) fn of(self, join: &Join) -> &LogicalPlan {
        match self {
            Side::Left => &join.left,
            Side::Right => &join.right,
        }
    }
}

/// The source of a scan's keys.
#[derive(Debug, Clone)]
pub(crate) struct Key<E = Expr> {
    /// The scan's number in its plan.
    pub(crate) leaf: usize,
    /// The environment of its table.
    pub(crate) environment: Cow<'static, str>,
    /// The columns of the key. All but the first select or extend the rows of the table.
    pub(crate) columns: Vec<KeyColumn<E>>,
    /// Another join looks up the scan. It gets these keys as constraints.
    pub(crate) is_further: bool,
    /// The scan is one of several inputs of a UNION.
    pub(crate) is_in_union: bool,
    /// Set if the keys of the first column are patterns, with their syntax.
    pub(crate) pattern: Option<Form>,
}

/// A column of a key.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumn<E = Expr> {
    /// Its position in the table.
    pub(crate) column: usize,
    /// Its specification.
    pub(crate) spec: ColumnSpec,
    /// The expression over the other side that computes the values.
    pub(crate) driving: E,
}

impl<E> Key<E> {
    /// Positions of the columns.
    pub(crate) fn positions(&self) -> Vec<usize> {
        self.columns.iter().map(|column| column.column).collect()
    }
}

impl Key {
    /// The same key with the expressions mapped.
    pub(crate) fn try_map<E, R>(&self, map: impl Fn(&Expr) -> Result<E, R>) -> Result<Key<E>, R> {
        let columns = self.columns.iter().map(|KeyColumn { column, spec, driving }| {
            Ok(KeyColumn { column: *column, spec: spec.clone(), driving: map(driving)? })
        });
        let columns = columns.collect::<Result<_, R>>()?;
        let Key { leaf, is_further, is_in_union, pattern, .. } = *self;
        Ok(Key { leaf, environment: self.environment.clone(), columns, is_further, is_in_union, pattern })
    }
}

/// A join that reads one side only for the keys of the other side.
#[derive(Debug, Clone)]
pub(crate) struct LookupJoin {
    pub(crate) join: Join,
    /// The side that is looked up.
    pub(crate) side: Side,
    pub(crate) keys: Vec<Key>,
}

impl LookupJoin {
    fn identity(&self) -> (&Join, Side, Vec<(usize, usize, &Expr)>) {
        let columns = self.keys.iter().flat_map(|key| key.columns.iter().map(|of| (key.leaf, of.column, &of.driving)));
        (&self.join, self.side, columns.collect())
    }
}

impl PartialEq for LookupJoin {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for LookupJoin {}

impl PartialOrd for LookupJoin {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.identity().partial_cmp(&other.identity())
    }
}

impl Hash for LookupJoin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl UserDefinedLogicalNodeCore for LookupJoin {
    fn name(&self) -> &str {
        "LookupJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.join.left, &self.join.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.join.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut on: Vec<String> = self.join.on.iter().map(|(left, right)| format!("{left} = {right}")).collect();
        on.extend(self.join.filter.as_ref().map(ToString::to_string));
        write!(f, "LookupJoin: {} on {}, looking up the {:?} side", self.join.join_type, on.join(" AND "), self.side)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([left, right]) = <[LogicalPlan; 2]>::try_from(inputs) else {
            return internal_err!("a lookup join has two inputs");
        };
        if !exprs.is_empty() {
            return internal_err!("a lookup join shows no expressions");
        }
        let join = Join { left: left.into(), right: right.into(), ..self.join.clone() };
        Ok(LookupJoin { join, side: self.side, keys: self.keys.clone() })
    }
}
