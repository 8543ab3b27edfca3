//! The `Condition` element.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::date;
use crate::error::{Error, Result};
use crate::json::Node;
use crate::pattern::{Pattern, Reading, Template};
use crate::request::Asked;
use crate::truth::{Truth, all, any};

/// One operator with one key: it holds if the key's values in the request match.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// As in the policy.
    pub(crate) key: Box<str>,
    lower: Box<str>,
    set: Set,
    if_exists: bool,
    is_negated: bool,
    /// Whether it is the operator `Null`.
    is_null: bool,
    /// The values of the policy. The operator compares a value of the request with each of them.
    wanted: Vec<Wanted>,
}

/// How many of the request's values must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Single,
    ForAllValues,
    ForAnyValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    String,
    StringIgnoreCase,
    StringLike,
    Arn,
    Numeric(Compare),
    Date(Compare),
    Bool,
    Binary,
    Ip,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value of the policy, ready to be compared.
#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Text(Template),
    IgnoringCase(Template),
    Arn(Template),
    Number(Compare, Number),
    Date(Compare, i128),
    Bool(bool),
    Bytes(Vec<u8>),
    Network(IpAddr, u8),
    Null(bool),
    /// It is not a value of the operator's type, and matches nothing.
    Nothing,
}

impl Condition {
    /// The conditions of a statement.
    pub(crate) fn parse_all(node: &Node, variables: bool, place: &str) -> Result<Vec<Condition>> {
        let mut conditions = Vec::new();
        for (name, keys) in node.members(place)? {
            let place = format!("{place}.{name}");
            let (set, operator, is_negated, if_exists) = operator(name, &place)?;
            for (key, values) in keys.members(&place)? {
                let place = format!("{place}.{key}");
                let wanted = values.items().iter().map(|value| {
                    let text = value.scalar().ok_or_else(|| {
                        let why =
                            format!("expected a string, number, boolean or a list of them, found {}", value.kind());
                        Error::malformed(&place, why)
                    })?;
                    Wanted::parse(operator, &text, variables, &place)
                });
                let wanted = wanted.collect::<Result<_>>()?;
                let lower = key.to_ascii_lowercase().into();
                let is_null = operator == Operator::Null;
                conditions.push(Condition { key: (**key).into(), lower, set, if_exists, is_negated, is_null, wanted });
            }
        }
        Ok(conditions)
    }

    pub(crate) fn holds(&self, asked: &Asked<'_>) -> Truth {
        if asked.is_unknown(&self.lower) {
            return Truth::Unknown;
        }
        let values = asked.values(&self.lower);
        let is_null = values.is_none_or(|values| values.is_null());
        if self.is_null {
            return self.wanted.contains(&Wanted::Null(is_null)).into();
        }
        match (values, self.set) {
            (None, _) if self.if_exists => Truth::Yes,
            (None, Set::Single) => self.is_negated.into(),
            (_, Set::ForAllValues) if is_null => Truth::Yes,
            (_, Set::ForAnyValue) if is_null => self.if_exists.into(),
            (Some(values), Set::ForAllValues) => all(values.iter().map(|value| self.matches(value, asked))),
            (Some(values), Set::ForAnyValue) => any(values.iter().map(|value| self.matches(value, asked))),
            // Several values need a set operator.
            (Some(values), Set::Single) if values.len() > 1 => Truth::No,
            (Some(values), Set::Single) => all(values.iter().map(|value| self.matches(value, asked))),
            (None, _) => Truth::No,
        }
    }

    /// Whether one value of the request matches: one of the policy's values, or with a negated operator none.
    fn matches(&self, value: &str, asked: &Asked<'_>) -> Truth {
        let matches = any(self.wanted.iter().map(|wanted| wanted.matches(value, asked)));
        if self.is_negated { !matches } else { matches }
    }

    /// The unknown keys that it needs.
    pub(crate) fn missing<'a>(&'a self, asked: &'a Asked<'_>) -> impl Iterator<Item = &'a str> {
        let own = asked.is_unknown(&self.lower).then_some(&*self.key);
        let variables = self.wanted.iter().flat_map(|wanted| match wanted {
            Wanted::Text(template) | Wanted::IgnoringCase(template) | Wanted::Arn(template) => Some(template),
            _ => None,
        });
        let variables = variables.flat_map(Template::variables);
        own.into_iter().chain(variables.filter(|key| asked.is_unknown(key)))
    }
}

/// The parts of an operator's name. Their case does not matter.
fn operator(name: &str, place: &str) -> Result<(Set, Operator, bool, bool)> {
    let lower = name.to_ascii_lowercase();
    let (set, rest) = match lower.split_once(':') {
        Some(("forallvalues", rest)) => (Set::ForAllValues, rest),
        Some(("foranyvalue", rest)) => (Set::ForAnyValue, rest),
        Some(_) => return Err(unknown(name, place)),
        None => (Set::Single, &*lower),
    };
    let (rest, if_exists) = rest.strip_suffix("ifexists").map_or((rest, false), |rest| (rest, true));
    let compared = |name: &str| {
        Some(match name {
            "equals" => (Compare::Equal, false),
            "notequals" => (Compare::Equal, true),
            "lessthan" => (Compare::Less, false),
            "lessthanequals" => (Compare::LessOrEqual, false),
            "greaterthan" => (Compare::Greater, false),
            "greaterthanequals" => (Compare::GreaterOrEqual, false),
            _ => return None,
        })
    };
    let (operator, is_negated) = match rest {
        "stringequals" => (Operator::String, false),
        "stringnotequals" => (Operator::String, true),
        "stringequalsignorecase" => (Operator::StringIgnoreCase, false),
        "stringnotequalsignorecase" => (Operator::StringIgnoreCase, true),
        "stringlike" => (Operator::StringLike, false),
        "stringnotlike" => (Operator::StringLike, true),
        "arnequals" | "arnlike" => (Operator::Arn, false),
        "arnnotequals" | "arnnotlike" => (Operator::Arn, true),
        "bool" => (Operator::Bool, false),
        "binaryequals" => (Operator::Binary, false),
        "ipaddress" => (Operator::Ip, false),
        "notipaddress" => (Operator::Ip, true),
        "null" if !if_exists && set == Set::Single => (Operator::Null, false),
        _ => {
            let numeric = rest.strip_prefix("numeric").and_then(compared);
            let date = rest.strip_prefix("date").and_then(compared);
            match (numeric, date) {
                (Some((compare, is_negated)), _) => (Operator::Numeric(compare), is_negated),
                (_, Some((compare, is_negated))) => (Operator::Date(compare), is_negated),
                _ => return Err(unknown(name, place)),
            }
        }
    };
    Ok((set, operator, is_negated, if_exists))
}

fn unknown(name: &str, place: &str) -> Error {
    Error::malformed(place, format!("unknown condition operator `{name}`"))
}

impl Wanted {
    fn parse(operator: Operator, text: &str, variables: bool, place: &str) -> Result<Wanted> {
        let template = |wildcards| Template::parse(text, Reading { wildcards, variables, is_resource: false }, place);
        Ok(match operator {
            Operator::String => Wanted::Text(template(false)?),
            Operator::StringLike => Wanted::Text(template(true)?),
            Operator::StringIgnoreCase => Wanted::IgnoringCase(template(false)?),
            Operator::Arn => Wanted::Arn(template(true)?),
            Operator::Numeric(compare) => Number::parse(text).map_or(Wanted::Nothing, |n| Wanted::Number(compare, n)),
            Operator::Date(compare) => date::parse(text).map_or(Wanted::Nothing, |date| Wanted::Date(compare, date)),
            Operator::Bool => boolean(text).map_or(Wanted::Nothing, Wanted::Bool),
            Operator::Binary => STANDARD.decode(text).map_or(Wanted::Nothing, Wanted::Bytes),
            Operator::Ip => network(text).map_or(Wanted::Nothing, |(address, bits)| Wanted::Network(address, bits)),
            Operator::Null => match boolean(text) {
                Some(is_null) => Wanted::Null(is_null),
                None => return Err(Error::malformed(place, format!("expected `true` or `false`, found `{text}`"))),
            },
        })
    }

    fn matches(&self, value: &str, asked: &Asked<'_>) -> Truth {
        let holds = match self {
            Wanted::Text(template) => return template.test(asked, |pattern| pattern.matches(value)),
            Wanted::IgnoringCase(template) => {
                return template.test(asked, |pattern: &Pattern| pattern.equals_ignoring_case(value));
            }
            Wanted::Arn(template) => return template.test(asked, |pattern| pattern.matches_arn(value)),
            Wanted::Number(compare, wanted) => {
                Number::parse(value).and_then(|number| number.cmp(wanted)).is_some_and(|order| compare.holds(order))
            }
            Wanted::Date(compare, wanted) => date::parse(value).is_some_and(|date| compare.holds(date.cmp(wanted))),
            Wanted::Bool(wanted) => boolean(value) == Some(*wanted),
            // The value of the request is in base64, like that of the policy, or it is the bytes themselves.
            Wanted::Bytes(wanted) => {
                STANDARD.decode(value).is_ok_and(|bytes| bytes == *wanted) || value.as_bytes() == wanted
            }
            Wanted::Network(address, bits) => is_in(value, *address, *bits),
            Wanted::Null(_) | Wanted::Nothing => false,
        };
        holds.into()
    }
}

impl Compare {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Compare::Equal => order.is_eq(),
            Compare::Less => order.is_lt(),
            Compare::LessOrEqual => order.is_le(),
            Compare::Greater => order.is_gt(),
            Compare::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A whole number exactly, any other as a float.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Whole(i128),
    Decimal(f64),
}

impl Number {
    fn parse(text: &str) -> Option<Number> {
        let text = text.trim();
        match text.parse() {
            Ok(whole) => Some(Number::Whole(whole)),
            Err(_) if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => {
                text.parse().ok().filter(|number: &f64| number.is_finite()).map(Number::Decimal)
            }
            Err(_) => None,
        }
    }

    fn cmp(&self, other: &Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Whole(left), Number::Whole(right)) => Some(left.cmp(right)),
            _ => self.float().partial_cmp(&other.float()),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "compared with a float")]
    fn float(self) -> f64 {
        match self {
            Number::Whole(whole) => whole as f64,
            Number::Decimal(decimal) => decimal,
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// An address with the length of its prefix.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.trim().parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |bits| bits.trim().parse().ok())?;
    (bits <= most).then_some((address, bits))
}

/// Whether an address, or all of a network, is in a network.
fn is_in(value: &str, network_address: IpAddr, bits: u8) -> bool {
    let Some((address, own_bits)) = network(value) else { return false };
    let cut = |number: u128, length: u8| if bits == 0 { 0 } else { number >> (length - bits) };
    own_bits >= bits
        && match (address, network_address) {
            (IpAddr::V4(left), IpAddr::V4(right)) => {
                cut(u32::from(left).into(), 32) == cut(u32::from(right).into(), 32)
            }
            (IpAddr::V6(left), IpAddr::V6(right)) => cut(left.into(), 128) == cut(right.into(), 128),
            _ => false,
        }
}
