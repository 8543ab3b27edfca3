//! `FOR SYSTEM_TIME` after the name of a table. sqlparser knows some of its forms in some of its grammars, and DataFusion
//! ignores what sqlparser has read. So the clause is cut out of the tokens and put into the parsed tree here.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use sqlparser::{
    ast::{Expr, ObjectNamePart, Statement, TableFactor, TableVersion, Value, VisitorMut},
    dialect::{Dialect, Precedence},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Location, Token, TokenWithSpan},
};

use crate::{
    build::{self, keyword},
    walk::visit_mut,
};

/// The part of a table's past that a query reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SystemTime {
    /// `AS OF time`: the rows at a time.
    AsOf(Expr),
    /// `FROM start TO end`: the versions of rows from the start to before the end.
    FromTo(Expr, Expr),
    /// `BETWEEN start AND end`: the versions of rows from the start to the end.
    Between(Expr, Expr),
    /// `ALL`: all versions of rows.
    All,
}

const FROM_TO: &str = "FROM";
const BETWEEN: &str = "BETWEEN";
const ALL: &str = "ALL";

impl SystemTime {
    /// The clause as [`parse`](crate::parse) puts it into the parsed tree; `None` for a version in another syntax.
    pub fn of(version: &TableVersion) -> Option<Self> {
        match version {
            TableVersion::ForSystemTimeAsOf(time) => Some(SystemTime::AsOf(time.clone())),
            TableVersion::Changes { changes: Expr::Value(form), at, end: Some(end) } => match &form.value {
                Value::SingleQuotedString(form) if form == FROM_TO => Some(SystemTime::FromTo(at.clone(), end.clone())),
                Value::SingleQuotedString(form) if form == BETWEEN => {
                    Some(SystemTime::Between(at.clone(), end.clone()))
                }
                Value::SingleQuotedString(form) if form == ALL => Some(SystemTime::All),
                _ => None,
            },
            _ => None,
        }
    }

    /// In the parsed tree, where visitors find its expressions. No text parses to such a `Changes`: there, it has function
    /// calls.
    fn into_version(self) -> TableVersion {
        let period = |form: &str, at, end| TableVersion::Changes { changes: build::string(form), at, end: Some(end) };
        match self {
            SystemTime::AsOf(time) => TableVersion::ForSystemTimeAsOf(time),
            SystemTime::FromTo(start, end) => period(FROM_TO, start, end),
            SystemTime::Between(start, end) => period(BETWEEN, start, end),
            SystemTime::All => period(ALL, build::value(Value::Null), build::value(Value::Null)),
        }
    }
}

/// As in SQL.
impl std::fmt::Display for SystemTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SystemTime::AsOf(time) => write!(f, "FOR SYSTEM_TIME AS OF {time}"),
            SystemTime::FromTo(start, end) => write!(f, "FOR SYSTEM_TIME FROM {start} TO {end}"),
            SystemTime::Between(start, end) => write!(f, "FOR SYSTEM_TIME BETWEEN {start} AND {end}"),
            SystemTime::All => f.write_str("FOR SYSTEM_TIME ALL"),
        }
    }
}

/// The clauses of one statement, by the places of the last words of the tables' names.
#[derive(Default)]
pub(crate) struct Clauses(BTreeMap<Location, TableVersion>);

/// Whether the clause starts here. `FOR SYSTEM_TIME` alone may be a column in `substring(x FOR system_time)`.
fn starts(tokens: &[TokenWithSpan]) -> bool {
    let [first, second, third, ..] = tokens else { return false };
    let third = keyword(&third.token);
    keyword(&first.token) == Keyword::FOR
        && keyword(&second.token) == Keyword::SYSTEM_TIME
        && matches!(third, Keyword::AS | Keyword::FROM | Keyword::BETWEEN | Keyword::ALL)
}

fn refused(message: &str, place: Location) -> ParserError {
    ParserError::ParserError(format!("{message}{place}"))
}

const MISPLACED: &str = "FOR SYSTEM_TIME belongs directly after the name of a table, before its alias";

/// Cuts the clauses out of a statement.
pub(crate) fn cut(
    tokens: Vec<TokenWithSpan>,
    grammar: &'static dyn Dialect,
    deepest: usize,
) -> Result<(Vec<TokenWithSpan>, Clauses), ParserError> {
    let mut clauses = Clauses::default();
    let places: Vec<usize> = (0..tokens.len()).filter(|at| starts(&tokens[*at..])).collect();
    let Some(first) = places.first() else { return Ok((tokens, clauses)) };
    let mut left = tokens[..*first].to_vec();
    for (index, at) in places.iter().enumerate() {
        let end = places.get(index + 1).copied().unwrap_or(tokens.len());
        let own = &tokens[*at..end];
        let name = left.last().filter(|before| matches!(before.token, Token::Word(_)));
        let name = name.ok_or_else(|| refused(MISPLACED, own[0].span.start))?.span.start;
        let parser = Parser::new(grammar).with_recursion_limit(deepest);
        let mut parser = parser.with_tokens_with_locations(own[2..].to_vec());
        let clause = clause(&mut parser, grammar)?;
        left.extend_from_slice(&own[(parser.index() + 2).min(own.len())..]);
        if clauses.0.insert(name, clause.into_version()).is_some() {
            return Err(refused("a table has one FOR SYSTEM_TIME", own[0].span.start));
        }
    }
    Ok((left, clauses))
}

fn clause(parser: &mut Parser<'_>, grammar: &dyn Dialect) -> Result<SystemTime, ParserError> {
    let time = |parser: &mut Parser<'_>| parser.parse_subexpr(grammar.prec_value(Precedence::And));
    if parser.parse_keyword(Keyword::ALL) {
        return Ok(SystemTime::All);
    }
    if parser.parse_keyword(Keyword::FROM) {
        let start = time(parser)?;
        parser.expect_keyword_is(Keyword::TO)?;
        return Ok(SystemTime::FromTo(start, time(parser)?));
    }
    if parser.parse_keyword(Keyword::BETWEEN) {
        let start = time(parser)?;
        parser.expect_keyword_is(Keyword::AND)?;
        return Ok(SystemTime::Between(start, time(parser)?));
    }
    parser.expect_keyword_is(Keyword::AS)?;
    parser.expect_keyword_is(Keyword::OF)?;
    Ok(SystemTime::AsOf(time(parser)?))
}

impl Clauses {
    /// Puts the clauses into the parsed tree. Each belongs to a table.
    pub(crate) fn attach(mut self, statement: &mut Parsed) -> Result<(), ParserError> {
        if self.0.is_empty() {
            return Ok(());
        }
        if let Some(statement) = inner(statement)
            && let ControlFlow::Break(place) = visit_mut(statement, &mut self)
        {
            return Err(refused("FOR SYSTEM_TIME cannot follow a function: only a table has a past", place));
        }
        match self.0.keys().next() {
            Some(place) => Err(refused(MISPLACED, *place)),
            None => Ok(()),
        }
    }
}

fn inner(statement: &mut Parsed) -> Option<&mut Statement> {
    match statement {
        Parsed::Statement(statement) => Some(statement),
        Parsed::Explain(explain) => inner(&mut explain.statement),
        _ => None,
    }
}

impl VisitorMut for Clauses {
    type Break = Location;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Location> {
        if let TableFactor::Table { name, version, args, .. } = factor
            && let Some(place) = name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.span.start)
            && let Some(own) = self.0.remove(&place)
        {
            if args.is_some() {
                return ControlFlow::Break(place);
            }
            *version = Some(own);
        }
        ControlFlow::Continue(())
    }
}
