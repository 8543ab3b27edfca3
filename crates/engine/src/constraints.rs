//! The constraints that filters put on a table's columns.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::utils::{split_binary, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use indago_table::{Collation, ColumnConstraint, ColumnSpec, Constraints, KeyEffect, Kind, Pattern, Scalar, TableSpec};

/// How far a table applies a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushdown {
    /// Completely: nothing needs to check the filter again.
    Exact,
    /// As a hint: the table may read less, and the rows must be checked.
    Hint,
    /// Not at all.
    None,
}

/// The key of a literal; `None` if the literal cannot equal a value of that kind.
pub(crate) fn scalar(value: &ScalarValue, kind: &Kind) -> Option<Scalar> {
    let text = |text: &Option<String>| text.as_ref().map(|text| Scalar::Text(text.clone()));
    let integer = |value: Option<i64>| value.map(Scalar::Integer);
    let scalar = match value {
        ScalarValue::Utf8(value) | ScalarValue::LargeUtf8(value) | ScalarValue::Utf8View(value) => text(value),
        ScalarValue::Int8(value) => integer(value.map(i64::from)),
        ScalarValue::Int16(value) => integer(value.map(i64::from)),
        ScalarValue::Int32(value) => integer(value.map(i64::from)),
        ScalarValue::Int64(value) => integer(*value),
        ScalarValue::UInt8(value) => integer(value.map(i64::from)),
        ScalarValue::UInt16(value) => integer(value.map(i64::from)),
        ScalarValue::UInt32(value) => integer(value.map(i64::from)),
        ScalarValue::UInt64(value) => integer(value.and_then(|value| value.try_into().ok())),
        ScalarValue::Boolean(value) => value.map(Scalar::Boolean),
        ScalarValue::TimestampMicrosecond(value, _) => value.map(Scalar::Timestamp),
        ScalarValue::TimestampNanosecond(value, _) => value.map(|nanos| Scalar::Timestamp(nanos.div_euclid(1000))),
        ScalarValue::TimestampMillisecond(value, _) => {
            value.and_then(|millis| millis.checked_mul(1000)).map(Scalar::Timestamp)
        }
        ScalarValue::TimestampSecond(value, _) => {
            value.and_then(|seconds| seconds.checked_mul(1_000_000)).map(Scalar::Timestamp)
        }
        ScalarValue::Dictionary(_, value) => self::scalar(value, kind),
        _ => None,
    }?;
    match (kind, &scalar) {
        (Kind::Boolean, Scalar::Boolean(_))
        | (Kind::BigInt | Kind::UnsignedBigInt, Scalar::Integer(_))
        | (Kind::Text | Kind::Json, Scalar::Text(_))
        | (Kind::Timestamp, Scalar::Timestamp(_)) => Some(scalar),
        _ => None,
    }
}

/// Whether keys can represent the values of a kind.
pub(crate) fn has_keys(kind: &Kind) -> bool {
    matches!(kind, Kind::Boolean | Kind::BigInt | Kind::Text | Kind::Json | Kind::Timestamp)
}

/// Adds the constraints of one filter.
pub(crate) fn add(spec: &TableSpec, filter: &Expr, constraints: &mut Constraints) -> Pushdown {
    if let Some(Keys { column, keys, pushdown }) = keys(spec, filter) {
        add_keys(constraints, column, keys);
        return pushdown;
    }
    if let Some((column, pattern)) = pattern(spec, filter) {
        constraints.0.entry(column).or_default().patterns.push(pattern);
        return Pushdown::Hint;
    }
    if let Some((column, bound)) = bound(spec, filter) {
        let constraint: &mut ColumnConstraint = constraints.0.entry(column).or_default();
        match bound {
            Bound::From(scalar) => tighten(&mut constraint.from, scalar, |new, old| new > old),
            Bound::To(scalar) => tighten(&mut constraint.to, scalar, |new, old| new < old),
        }
        return Pushdown::Hint;
    }
    Pushdown::None
}

/// Adds keys of a column. If it has keys already, only those that are in both lists remain.
pub(crate) fn add_keys(constraints: &mut Constraints, column: usize, keys: impl IntoIterator<Item = Scalar>) {
    let constraint = constraints.0.entry(column).or_default();
    let known: Option<HashSet<&Scalar>> = constraint.keys.as_ref().map(|known| known.iter().collect());
    let is_common = |key: &Scalar| known.as_ref().is_none_or(|known| known.contains(key));
    let keys = distinct(keys.into_iter().filter(is_common));
    constraint.keys = Some(Arc::new(keys));
}

/// The filters that must be checked on the rows that a table returns.
pub(crate) fn unanswered<'a>(spec: &TableSpec, filters: &'a [Expr]) -> impl Iterator<Item = &'a Expr> {
    filters.iter().filter(|filter| add(spec, filter, &mut Constraints::default()) != Pushdown::Exact)
}

/// The constraints of all filters.
pub(crate) fn of<'a>(spec: &TableSpec, filters: impl IntoIterator<Item = &'a Expr>) -> Constraints {
    let mut constraints = Constraints::default();
    for filter in filters {
        add(spec, filter, &mut constraints);
    }
    constraints
}

/// Alternative constraints for a table: it can be read for each separately, and every row that meets the filters is in
/// the result of at least one. `None` if the table needs a constraint and the filters also match rows without one.
pub(crate) fn alternatives(spec: &TableSpec, filters: &[Expr]) -> Option<Vec<Constraints>> {
    let conditions: Vec<&Expr> = filters.iter().flat_map(split_conjunction).collect();
    with_all_keys(spec, &conditions)
        .or_else(|| either(&[], &conditions, spec, &|_, constraints| is_readable(spec, constraints)))
}

/// The columns of [`without_key`] for all filters of a scan.
pub(crate) fn columns_without_key(spec: &TableSpec, filters: &[Expr]) -> Vec<usize> {
    let conditions: Vec<&Expr> = filters.iter().flat_map(split_conjunction).collect();
    match with_all_keys(spec, &conditions) {
        Some(_) => Vec::new(),
        None => without_key(spec, &conditions, &of(spec, filters)),
    }
}

/// Whether all alternatives of the filters have keys of a column.
pub(crate) fn have_keys(spec: &TableSpec, filters: &[Expr], column: usize) -> bool {
    of(spec, filters).keys(column).is_some()
        || alternatives(spec, filters).is_some_and(|several| several.iter().all(|one| one.keys(column).is_some()))
}

/// Alternatives that have a key for each column that needs one.
fn with_all_keys(spec: &TableSpec, conditions: &[&Expr]) -> Option<Vec<Constraints>> {
    either(&[], conditions, spec, &|conditions, constraints| {
        is_readable(spec, constraints) && without_key(spec, conditions, constraints).is_empty()
    })
}

/// Whether constraints are enough to read a table.
fn is_readable(spec: &TableSpec, constraints: &Constraints) -> bool {
    !spec.is_keyed() || spec.require_any.iter().any(|column| constraints.asks(*column))
}

/// Columns whose keys select the rows of the table, and that conditions mention without giving a key: the scan returns
/// the default rows. `IS NULL` selects the default rows, so it does not count.
fn without_key(spec: &TableSpec, conditions: &[&Expr], constraints: &Constraints) -> Vec<usize> {
    let is_default = |condition: &Expr| matches!(condition, Expr::IsNull(_));
    let mentioned = conditions.iter().filter(|condition| !is_default(condition)).flat_map(|c| c.column_refs());
    let columns: BTreeSet<usize> = mentioned.filter_map(|column| spec.column(&column.name)).collect();
    let selects = |column: &usize| spec.columns[*column].key_effect == KeyEffect::Selects;
    columns.into_iter().filter(selects).filter(|column| constraints.keys(*column).is_none()).collect()
}

/// The alternatives of `filters` and `further` filters. Only an `OR` in `further` is split. Each alternative must be
/// enough.
fn either(
    filters: &[&Expr],
    further: &[&Expr],
    spec: &TableSpec,
    is_enough: &dyn Fn(&[&Expr], &Constraints) -> bool,
) -> Option<Vec<Constraints>> {
    let all = [filters, further].concat();
    let constraints = of(spec, all.iter().copied());
    if is_enough(&all, &constraints) {
        return Some(vec![constraints]);
    }
    further.iter().enumerate().filter(|(_, filter)| is_choice(filter)).find_map(|(position, filter)| {
        let others: Vec<&Expr> =
            filters.iter().chain(&further[..position]).chain(&further[position + 1..]).copied().collect();
        let mut alternatives = Vec::new();
        for branch in split_binary(filter, Operator::Or).into_iter().filter(|branch| !is_never(branch)) {
            for alternative in either(&others, &split_conjunction(branch), spec, is_enough)? {
                join_alternative(spec, alternative, &mut alternatives);
            }
        }
        Some(alternatives)
    })
}

/// Whether a condition is an `OR`.
pub(crate) fn is_choice(condition: &Expr) -> bool {
    matches!(condition, Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }))
}

/// Whether no row can meet a condition.
pub(crate) fn is_never(condition: &Expr) -> bool {
    matches!(condition, Expr::Literal(value, _) if value.is_null() || *value == ScalarValue::Boolean(Some(false)))
}

/// Adds an alternative. If it differs from another only in the keys of one column, the two are merged.
fn join_alternative(spec: &TableSpec, new: Constraints, alternatives: &mut Vec<Constraints>) {
    for known in alternatives.iter_mut() {
        for column in spec.require_any.iter().copied() {
            let (Some(keys), Some(more)) = (known.keys(column), new.keys(column)) else { continue };
            let both = Some(Arc::new(distinct(keys.iter().chain(more.iter()).cloned())));
            let with_both = |constraints: &Constraints| {
                let mut constraints = constraints.clone();
                constraints.0.entry(column).or_default().keys = both.clone();
                constraints
            };
            let joined = with_both(known);
            if joined == with_both(&new) {
                *known = joined;
                return;
            }
        }
    }
    alternatives.push(new);
}

fn distinct(keys: impl IntoIterator<Item = Scalar>) -> Vec<Scalar> {
    let mut seen = HashSet::new();
    keys.into_iter().filter(|key| seen.insert(key.clone())).collect()
}

fn tighten(bound: &mut Option<Scalar>, new: Scalar, is_tighter: impl Fn(i64, i64) -> bool) {
    let number = |scalar: &Scalar| match scalar {
        Scalar::Integer(value) | Scalar::Timestamp(value) => Some(*value),
        _ => None,
    };
    let replace = match bound {
        None => true,
        Some(old) => matches!((number(&new), number(old)), (Some(new), Some(old)) if is_tighter(new, old)),
    };
    if replace {
        *bound = Some(new);
    }
}

fn column(spec: &TableSpec, expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Column(column) => spec.column(&column.name),
        Expr::Alias(alias) => self::column(spec, &alias.expr),
        _ => None,
    }
}

/// The keys that a filter selects on an indexed column.
struct Keys {
    column: usize,
    /// Distinct, in the form that the column uses for keys.
    keys: Vec<Scalar>,
    pushdown: Pushdown,
}

impl Keys {
    fn of(column: usize, keys: impl IntoIterator<Item = Scalar>, pushdown: Pushdown) -> Self {
        Keys { column, keys: distinct(keys), pushdown }
    }
}

/// An indexed column in a comparison. If the column ignores case and the comparison does not, the comparison is
/// stricter than the table's keys.
fn keyed(spec: &TableSpec, expr: &Expr) -> Option<(usize, Pushdown)> {
    let (position, pushdown) = match without_case(expr) {
        Some(inner) => {
            let position = column(spec, inner)?;
            (position, if ignores_case(&spec.columns[position]) { Pushdown::Exact } else { Pushdown::None })
        }
        None => {
            let position = column(spec, expr)?;
            (position, if ignores_case(&spec.columns[position]) { Pushdown::Hint } else { Pushdown::Exact })
        }
    };
    (spec.columns[position].index && pushdown != Pushdown::None).then_some((position, pushdown))
}

/// Whether equal texts of a column may differ in case.
pub(crate) fn ignores_case(column: &ColumnSpec) -> bool {
    column.collation == Collation::NoCase
}

/// The operand of `collation_key(operand, 'nocase')`, which is how the dialect writes a comparison that ignores case.
pub(crate) fn without_case(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Alias(alias) => without_case(&alias.expr),
        Expr::ScalarFunction(function) if function.name() == "collation_key" => match function.args.as_slice() {
            [operand, Expr::Literal(collation, _)] => {
                let is_nocase =
                    collation.try_as_str().flatten().is_some_and(|name| name.eq_ignore_ascii_case("nocase"));
                is_nocase.then_some(operand)
            }
            _ => None,
        },
        _ => None,
    }
}

/// `column = literal`, `column IN (literals)`, and `OR`s of these on one column.
fn keys(spec: &TableSpec, filter: &Expr) -> Option<Keys> {
    let key = |value: &ScalarValue, position: usize| {
        let column = &spec.columns[position];
        scalar(value, &column.kind).map(|key| column.as_key(key))
    };
    let flag = |expr: &Expr, value: bool| {
        let (position, pushdown) = keyed(spec, expr)?;
        let is_flag = spec.columns[position].kind == Kind::Boolean;
        is_flag.then(|| Keys::of(position, [Scalar::Boolean(value)], pushdown))
    };
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Eq | Operator::IsNotDistinctFrom), right }) => {
            let ((position, pushdown), literal) = match (keyed(spec, left), keyed(spec, right)) {
                (Some(keyed), None) => (keyed, right),
                (None, Some(keyed)) => (keyed, left),
                _ => return None,
            };
            let Expr::Literal(value, _) = literal.as_ref() else { return None };
            if value.is_null() {
                return (*op == Operator::Eq).then(|| Keys::of(position, [], pushdown));
            }
            Some(Keys::of(position, [key(value, position)?], pushdown))
        }
        // A short list with a NULL in it becomes `NULL OR x = 1`.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) if is_never(left) => keys(spec, right),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) if is_never(right) => keys(spec, left),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (one, other) = (keys(spec, left)?, keys(spec, right)?);
            if one.column != other.column {
                return None;
            }
            let pushdown = if one.pushdown == other.pushdown { one.pushdown } else { Pushdown::Hint };
            Some(Keys::of(one.column, one.keys.into_iter().chain(other.keys), pushdown))
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let (position, pushdown) = keyed(spec, expr)?;
            let mut all = Vec::with_capacity(list.len());
            for element in list {
                let Expr::Literal(value, _) = element else { return None };
                if !value.is_null() {
                    all.push(key(value, position)?);
                }
            }
            Some(Keys::of(position, all, pushdown))
        }
        // A boolean column can be a filter on its own.
        Expr::Not(inner) => flag(inner, false),
        other => flag(other, true),
    }
}

/// The syntax of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// LIKE in a plan: a backslash escapes the next character.
    Escaped {
        ignore_case: bool,
    },
    /// The dialect's `like('%', column)`: no escapes, and `%%` is kept as written.
    Plain,
    Glob,
}

impl Form {
    /// Whether the pattern ignores case.
    pub(crate) fn ignores_case(self) -> bool {
        match self {
            Form::Escaped { ignore_case } => ignore_case,
            Form::Plain => true,
            Form::Glob => false,
        }
    }

    /// A pattern without escapes, for tables. It matches everything that the text matches, and possibly more.
    pub(crate) fn like(self, text: &str) -> String {
        match self {
            Form::Escaped { .. } => unescaped(text),
            Form::Plain => text.to_owned(),
            Form::Glob => glob_as_like(text),
        }
    }
}

/// Subject and pattern of `subject LIKE pattern` or `subject GLOB pattern`.
pub(crate) fn looks_like(filter: &Expr) -> Option<(&Expr, &Expr, Form)> {
    match filter {
        Expr::Like(Like { negated: false, expr, pattern, escape_char: None, case_insensitive }) => {
            Some((expr, pattern, Form::Escaped { ignore_case: *case_insensitive }))
        }
        // The function used as a condition: it returns 1 or 0.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::NotEq, right })
            if matches!(right.as_ref(), Expr::Literal(ScalarValue::Int64(Some(0)), _)) =>
        {
            looks_like(left)
        }
        Expr::ScalarFunction(function) => match (function.name(), function.args.as_slice()) {
            ("like", [pattern, subject]) => Some((subject, pattern, Form::Plain)),
            ("glob", [pattern, subject]) => Some((subject, pattern, Form::Glob)),
            _ => None,
        },
        _ => None,
    }
}

/// The column and pattern of a `LIKE` or `GLOB` with a literal pattern.
fn pattern(spec: &TableSpec, filter: &Expr) -> Option<(usize, Pattern)> {
    let (subject, pattern, form) = looks_like(filter)?;
    let position = column(spec, subject).filter(|position| spec.columns[*position].pattern)?;
    Some((position, Pattern { like: form.like(text(pattern)?), ignore_case: form.ignores_case() }))
}

/// A LIKE pattern that matches everything that a GLOB pattern matches, and possibly more.
fn glob_as_like(glob: &str) -> String {
    let mut like = String::with_capacity(glob.len());
    let mut characters = glob.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '[' => {
                let rest = characters.as_str();
                // The first character of a set is a member, even if it is a closing bracket.
                let first = rest.strip_prefix('^').unwrap_or(rest).chars().next().map_or(0, char::len_utf8);
                let negation = usize::from(rest.starts_with('^'));
                let end = rest[negation + first..].find(']').map_or(rest.len(), |end| negation + first + end + 1);
                characters = rest[end..].chars();
                like.push('_');
            }
            other => like.push(other),
        }
    }
    like
}

fn text(expr: &Expr) -> Option<&str> {
    let Expr::Literal(value, _) = expr else { return None };
    value.try_as_str().flatten()
}

/// A pattern without escapes: a backslash is itself, and an escaped `%` or `_` becomes any one character.
fn unescaped(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('%' | '_') => plain.push('_'),
                Some('\\') | None => plain.push('\\'),
                Some(other) => plain.extend(['\\', other]),
            },
            other => plain.push(other),
        }
    }
    plain
}

enum Bound {
    From(Scalar),
    To(Scalar),
}

/// The bound that `column >= literal` or a similar comparison puts on a range column.
fn bound(spec: &TableSpec, filter: &Expr) -> Option<(usize, Bound)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
    let ranged = |expr: &Expr| column(spec, expr).filter(|position| spec.columns[*position].range);
    let (position, literal, op) = match (ranged(left), ranged(right)) {
        (Some(position), None) => (position, right, *op),
        (None, Some(position)) => (position, left, op.swap()?),
        _ => return None,
    };
    let Expr::Literal(value, _) = literal.as_ref() else { return None };
    let scalar = scalar(value, &spec.columns[position].kind)?;
    match op {
        Operator::Gt | Operator::GtEq => Some((position, Bound::From(scalar))),
        Operator::Lt | Operator::LtEq => Some((position, Bound::To(scalar))),
        _ => None,
    }
}

/// The constraints as `EXPLAIN` and `engine_scans` show them.
pub(crate) fn describe(spec: &TableSpec, constraints: &Constraints) -> String {
    let mut parts = Vec::new();
    for (position, constraint) in &constraints.0 {
        let name = &spec.columns[*position].name;
        if let Some(keys) = &constraint.keys {
            let shown: Vec<String> = keys.iter().take(5).map(ToString::to_string).collect();
            let more = if keys.len() > 5 { format!(", +{} more", keys.len() - 5) } else { String::new() };
            parts.push(match keys.len() {
                1 => format!("{name} = {}", shown[0]),
                _ => format!("{name} IN ({}{more})", shown.join(", ")),
            });
        }
        for pattern in &constraint.patterns {
            parts.push(format!("{name} {} '{}'", if pattern.ignore_case { "ILIKE" } else { "LIKE" }, pattern.like));
        }
        if let Some(from) = &constraint.from {
            parts.push(format!("{name} >= {from}"));
        }
        if let Some(to) = &constraint.to {
            parts.push(format!("{name} <= {to}"));
        }
    }
    parts.join(" AND ")
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn a_null_in_a_list_takes_no_key_away() {
        let mut column = indago_table::ColumnSpec::new("n", Kind::BigInt, "");
        column.index = true;
        let spec = TableSpec::new("t", "test", "", vec![column]);
        let never = || lit(ScalarValue::Boolean(None));
        for list in [never().or(col("n").eq(lit(1_i64))), col("n").eq(lit(1_i64)).or(never())] {
            let found = keys(&spec, &list).expect("keys");
            assert_eq!((found.column, found.keys.as_slice()), (0, [Scalar::Integer(1)].as_slice()), "{list}");
        }
    }

    #[test]
    fn a_glob_is_a_like_that_names_no_less() {
        for (glob, like) in [
            ("/etc/*.conf", "/etc/%.conf"),
            ("/home/**", "/home/%%"),
            ("/a/?[bc]", "/a/__"),
            ("/a/[^]x]*", "/a/_%"),
            ("/a/[]x]b[q", "/a/_b_"),
            ("/ä[ö", "/ä_"),
            ("[", "_"),
        ] {
            assert_eq!(glob_as_like(glob), like, "{glob}");
        }
    }
}
