//! A lookup join in a logical plan.

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

/// Where the keys of a scan come from.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// The scan's number in its plan.
    pub(crate) leaf: usize,
    /// The column that has the key.
    pub(crate) column: usize,
    /// What the table says of that column.
    pub(crate) spec: ColumnSpec,
    /// The other side's expression that gives the keys.
    pub(crate) driving: Expr,
    /// The scan's rows come beside those of other scans, in a UNION.
    pub(crate) beside_others: bool,
    /// The keys are patterns, written like this.
    pub(crate) pattern: Option<Form>,
}

/// A join one side of which is read only for the keys that the other side has.
#[derive(Debug, Clone)]
pub(crate) struct LookupJoin {
    pub(crate) join: Join,
    /// The side that is looked up.
    pub(crate) side: Side,
    pub(crate) keys: Vec<Key>,
}

impl LookupJoin {
    fn identity(&self) -> (&Join, Side, Vec<(usize, usize, &Expr)>) {
        (&self.join, self.side, self.keys.iter().map(|key| (key.leaf, key.column, &key.driving)).collect())
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
