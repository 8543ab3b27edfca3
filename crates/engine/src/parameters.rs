//! Parameters of a statement (`$name`, `:name`, `?1`, `?`) and the values that a query binds to them.
//!
//! A value becomes a literal of the parsed statement, never a part of its text. So everything after the parser sees it like
//! a constant that the user wrote: affinity, constraints, lookups.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, LimitClause, NamedWindowDefinition, NamedWindowExpr, Query, Select, Statement,
    UnaryOperator, Value, ValueWithSpan, Visitor, VisitorMut, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowType,
};
use datafusion::sql::sqlparser::tokenizer::Location;
use indago_dialect::{Dialect, build, visit, visit_mut};

use crate::diagnostic::{Code, Error, Result, Span, offset};
use crate::sql;

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Parameter {
    /// NULL.
    Null,
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text. Where it is compared with a number or a timestamp, it counts as one.
    Text(String),
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {
        $(impl From<$type> for Parameter {
            fn from(value: $type) -> Self {
                Parameter::$variant(value.into())
            }
        })*
    };
}

from!(bool => Boolean, i64 => Integer, i32 => Integer, u32 => Integer, f64 => Real, &str => Text, String => Text);

impl<T: Into<Parameter>> From<Option<T>> for Parameter {
    fn from(value: Option<T>) -> Self {
        value.map_or(Parameter::Null, Into::into)
    }
}

/// The largest number of a parameter, as in SQLite.
const LARGEST: u64 = 32_766;

/// Help for a text that looks like a parameter but is not one.
pub(crate) const NOT_A_VALUE: &str =
    "a parameter stands for a value: not for the name of a table or column, and not within quotes";

/// Values by name, without the `$`.
pub(crate) type Parameters = BTreeMap<String, Parameter>;

/// A parameter's name without the character that marks it.
pub(crate) fn bare_name(name: &str) -> &str {
    name.strip_prefix(['$', ':', '?']).unwrap_or(name)
}

/// The names of a statement's parameters.
pub(crate) fn names(statement: &Parsed) -> BTreeSet<String> {
    Places::of(statement).0.into_values().map(|(name, _)| name).collect()
}

/// Puts the values in the places of the parameters.
pub(crate) fn bind(statement: &mut Parsed, values: &Parameters, dialect: Dialect, sql: &str) -> Result<()> {
    let places = Places::of(statement);
    let names: BTreeSet<&str> = places.0.values().map(|(name, _)| name.as_str()).collect();
    if let Some(unused) = values.keys().find(|name| !names.contains(name.as_str())) {
        let error = Error::new(Code::Parameter, format!("the statement has no parameter `{unused}`")).in_sql(sql);
        let known: Vec<String> = names.iter().map(|name| format!("`${name}`")).collect();
        return Err(error.with_help(match (indago_table::closest(unused, names.iter().copied()), known.as_slice()) {
            _ if sql.contains(&format!("${unused}")) => NOT_A_VALUE.to_owned(),
            (Some(name), _) => format!("did you mean `{name}`?"),
            (None, []) => format!("write `${unused}` where its value belongs"),
            (None, known) => format!("its parameters are {}", known.join(", ")),
        }));
    }
    if names.is_empty() {
        return Ok(());
    }
    let at = |place: &Location| offset(sql, place.line, place.column);
    let span = |place: &Location, text: &str| at(place).map(|start| Span { start, end: start + text.len() });
    let is_misnumbered = |(_, (_, text)): &(&Location, &(String, String))| {
        let number = text.strip_prefix('?').filter(|number| !number.is_empty());
        number.is_some_and(|number| !number.parse().is_ok_and(|number: u64| (1..=LARGEST).contains(&number)))
    };
    if let Some((place, (_, text))) = places.0.iter().find(is_misnumbered) {
        let error = Error::new(Code::Parameter, format!("parameter `{text}` is not between ?1 and ?{LARGEST}"));
        let help = "use a smaller number, or a name, as in `$name`";
        return Err(error.at(span(place, text)).in_sql(sql).with_help(help));
    }
    if let Some((place, (name, text))) = places.0.iter().find(|(_, (name, _))| !values.contains_key(name)) {
        let error = Error::new(Code::Parameter, format!("parameter `{text}` has no value"));
        let help = format!("give it one: `--param {name}=VALUE`, `.param set {name} VALUE` in the shell");
        return Err(error.at(span(place, text)).in_sql(sql).with_help(help));
    }
    if is_view(statement) {
        let error = Error::new(Code::Parameter, "a view cannot have parameters").in_sql(sql);
        return Err(error.with_help("write the value itself, or run the query without the view"));
    }
    let mut binder = Binder { places: &places, values, dialect, by_kind: BTreeSet::new() };
    let bound = sql::inner_mut(statement).map(|statement| visit_mut(statement, &mut binder));
    let left = match bound {
        Some(ControlFlow::Break(Refused { place, message })) => {
            return Err(Error::new(Code::Parameter, message).at(span(&place, "$")).in_sql(sql));
        }
        _ => Places::of(statement),
    };
    match left.0.first_key_value() {
        None => Ok(()),
        Some((place, (_, text))) => {
            let error = Error::new(Code::Parameter, format!("parameter `{text}` stands where SQL needs a literal"));
            Err(error.at(span(place, text)).in_sql(sql).with_help("write the value itself"))
        }
    }
}

fn is_view(statement: &Parsed) -> bool {
    matches!(statement, Parsed::Statement(statement) if matches!(**statement, Statement::CreateView(_)))
}

/// Where a statement has parameters, with the name and the text of each.
#[derive(Default)]
struct Places(BTreeMap<Location, (String, String)>);

impl Places {
    fn of(statement: &Parsed) -> Self {
        let mut places = Places::default();
        if let Some(statement) = sql::inner(statement) {
            let _ = visit(statement, &mut places);
        }
        places.number();
        places
    }

    /// A `?` is the number after the largest one before it.
    fn number(&mut self) {
        let mut largest = 0_u64;
        for (name, _) in self.0.values_mut() {
            if name.is_empty() {
                *name = largest.saturating_add(1).to_string();
            }
            largest = largest.max(name.parse().unwrap_or(0));
        }
    }

    fn name(&self, value: &ValueWithSpan) -> Option<&str> {
        match &value.value {
            Value::Placeholder(_) => self.0.get(&value.span.start).map(|(name, _)| name.as_str()),
            _ => None,
        }
    }
}

impl Visitor for Places {
    type Break = ();

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(text) = &value.value {
            self.0.insert(value.span.start, (bare_name(text).to_owned(), text.clone()));
        }
        ControlFlow::Continue(())
    }
}

struct Refused {
    place: Location,
    message: String,
}

struct Binder<'a> {
    places: &'a Places,
    values: &'a Parameters,
    dialect: Dialect,
    /// Parameters that are compared with something other than a column. A column's affinity decides what a text counts as.
    by_kind: BTreeSet<Location>,
}

impl Binder<'_> {
    fn value(&self, value: &ValueWithSpan) -> Option<&Parameter> {
        self.values.get(self.places.name(value)?)
    }

    fn parameter<'e>(&self, expr: &'e Expr) -> Option<(&'e ValueWithSpan, &Parameter)> {
        match expr {
            Expr::Value(value) => Some((value, self.value(value)?)),
            Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => self.parameter(inner),
            _ => None,
        }
    }

    /// Notes the parameters of a comparison; row values are compared part by part.
    fn compared(&mut self, left: &Expr, right: &Expr) {
        match (left, right) {
            (Expr::Nested(left), right) => self.compared(left, right),
            (left, Expr::Nested(right)) => self.compared(left, right),
            (Expr::Tuple(left), Expr::Tuple(right)) => {
                left.iter().zip(right).for_each(|(left, right)| self.compared(left, right));
            }
            _ => {
                for (expr, with) in [(left, right), (right, left)] {
                    if !is_column(with) {
                        let place = self.parameter(expr).map(|(value, _)| value.span.start);
                        self.by_kind.extend(place);
                    }
                }
            }
        }
    }

    /// A text that stands for a number of rows.
    fn count(&self, what: &str, expr: &mut Expr) -> ControlFlow<Refused> {
        let Some((value, Parameter::Text(text))) = self.parameter(expr) else { return ControlFlow::Continue(()) };
        let Ok(number) = text.trim().parse::<i64>() else {
            let message = format!("{what} an integer; the value of this parameter is `{text}`");
            return ControlFlow::Break(Refused { place: value.span.start, message });
        };
        *expr = integer(number);
        ControlFlow::Continue(())
    }

    /// A range counts by the type of the sorted column, which may be an interval.
    fn frame(&self, frame: Option<&mut WindowFrame>) -> ControlFlow<Refused> {
        let Some(frame) = frame.filter(|frame| frame.units != WindowFrameUnits::Range) else {
            return ControlFlow::Continue(());
        };
        std::iter::once(&mut frame.start_bound).chain(&mut frame.end_bound).try_for_each(|bound| match bound {
            WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows)) => {
                self.count("the frame of a window needs", rows)
            }
            _ => ControlFlow::Continue(()),
        })
    }
}

impl VisitorMut for Binder<'_> {
    type Break = Refused;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Refused> {
        let numbers = match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, limit_by: _ }) => {
                [limit.as_mut(), offset.as_mut().map(|offset| &mut offset.value)]
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => [Some(offset), Some(limit)],
            None => [None, None],
        };
        numbers.into_iter().flatten().try_for_each(|number| self.count("LIMIT and OFFSET need", number))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Refused> {
        select.named_window.iter_mut().try_for_each(|NamedWindowDefinition(_, window)| match window {
            NamedWindowExpr::WindowSpec(window) => self.frame(window.window_frame.as_mut()),
            NamedWindowExpr::NamedWindow(_) => ControlFlow::Continue(()),
        })
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refused> {
        match expr {
            Expr::BinaryOp { left, op, right } if compares(op) => self.compared(left, right),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => self.compared(left, right),
            Expr::Between { expr, low, high, negated: _ } => {
                [low, high].into_iter().for_each(|end| self.compared(expr, end));
            }
            Expr::InList { expr, list, negated: _ } => list.iter().for_each(|item| self.compared(expr, item)),
            Expr::Case { operand: Some(operand), conditions, .. } => {
                conditions.iter().for_each(|when| self.compared(operand, &when.condition));
            }
            Expr::Like { escape_char: Some(escape), .. } | Expr::ILike { escape_char: Some(escape), .. } => {
                let Some(parameter) = self.value(escape) else { return ControlFlow::Continue(()) };
                escape.value = match parameter {
                    Parameter::Null => Value::Null,
                    Parameter::Text(text) => Value::SingleQuotedString(text.clone()),
                    Parameter::Integer(number) => Value::SingleQuotedString(number.to_string()),
                    Parameter::Real(_) | Parameter::Boolean(_) => {
                        let message = "ESCAPE needs a single character; the value of this parameter is not text";
                        return ControlFlow::Break(Refused { place: escape.span.start, message: message.to_owned() });
                    }
                };
            }
            Expr::Function(Function { over: Some(WindowType::WindowSpec(window)), .. }) => {
                return self.frame(window.window_frame.as_mut());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refused> {
        if let Expr::Value(value) = expr
            && let Some(parameter) = self.value(value)
        {
            let by_kind = self.dialect == Dialect::Osquery && self.by_kind.contains(&value.span.start);
            *expr = match parameter {
                Parameter::Text(text) if by_kind => build::call("mixed_text", vec![build::string(text.as_str())]),
                Parameter::Text(text) => build::string(text.as_str()),
                Parameter::Integer(number) => integer(*number),
                Parameter::Real(number) if number.is_finite() => real(*number),
                Parameter::Boolean(truth) => build::value(Value::Boolean(*truth)),
                // As in SQLite, which has no NaN.
                Parameter::Real(_) | Parameter::Null => build::value(Value::Null),
            };
        }
        ControlFlow::Continue(())
    }
}

fn compares(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Custom, Eq, Gt, GtEq, Lt, LtEq, NotEq};
    match op {
        Eq | NotEq | Lt | LtEq | Gt | GtEq => true,
        Custom(name) => matches!(name.as_str(), "IS" | "IS NOT"),
        _ => false,
    }
}

fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => is_column(inner),
        expr => matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)),
    }
}

fn integer(number: i64) -> Expr {
    signed(number < 0, number.unsigned_abs().to_string())
}

fn real(number: f64) -> Expr {
    signed(number.is_sign_negative(), format!("{:e}", number.abs()))
}

fn signed(is_negative: bool, digits: String) -> Expr {
    let number = build::number(digits);
    match is_negative {
        true => Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number) },
        false => number,
    }
}
