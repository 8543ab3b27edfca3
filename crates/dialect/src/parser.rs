//! Text to statements: DataFusion's grammar, extended with SQLite's.

use std::{any::TypeId, fmt};

use datafusion::sql::parser::{DFParserBuilder, Statement};
use sqlparser::{
    ast::{self, Expr},
    dialect::{Dialect as SqlDialect, GenericDialect, Precedence},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, TokenizerError, Word},
};

use crate::{
    build::{self, keyword},
    functions, system_time,
};

/// The largest nesting depth of expressions, as in SQLite.
const DEEPEST_EXPRESSION: usize = 1000;
/// The largest nesting depth without AND and OR, which become balanced trees.
const DEEPEST_OPERATORS: usize = 250;
/// The largest number of SELECTs in a compound, as in SQLite.
const MOST_MEMBERS: usize = 500;
/// Deeper statements are processed on a separate stack.
const DEEP: usize = 60;
/// The size of that stack.
const STACK: usize = 64 << 20;
/// The largest nesting depth of parentheses, subqueries and CASE.
const DEEPEST_NESTING: usize = 120;
/// The largest nesting depth of subqueries in expressions: each level doubles the planning time.
const DEEPEST_SUBQUERIES: usize = 16;

/// The precedence of `||`, `->` and `->>`, on the scale of [`SqlDialect::prec_value`].
const CONCATENATION: u8 = 45;
/// The precedence of COLLATE.
const COLLATE: u8 = 46;
/// The precedence of the prefix operators `-`, `+` and `~`.
const SIGN: u8 = 48;

/// The SQL dialect of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Everything that DataFusion, osquery and SQLite accept; where they disagree, osquery's meaning applies.
    #[default]
    Osquery,
    /// DataFusion's own SQL.
    DataFusion,
}

/// One statement of the user's text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statement as parsed, before any rewriting.
    pub statement: Statement,
    /// Its position in the text: byte offsets without the semicolon.
    pub span: std::ops::Range<usize>,
    /// The text of each item of the outermost SELECT; it names unnamed columns.
    pub(crate) items: Vec<String>,
    /// The approximate nesting depth of the tree.
    pub(crate) depth: usize,
    pub(crate) dialect: Dialect,
}

impl Parsed {
    /// The names that the user gives to items of the outermost SELECT (the first one of a compound).
    pub fn aliases(&self) -> Vec<String> {
        let Statement::Statement(statement) = &self.statement else { return Vec::new() };
        let ast::Statement::Query(query) = statement.as_ref() else { return Vec::new() };
        let mut body = query.body.as_ref();
        loop {
            body = match body {
                ast::SetExpr::SetOperation { left, .. } => left,
                ast::SetExpr::Query(query) => &query.body,
                ast::SetExpr::Select(select) => {
                    let alias = |item: &ast::SelectItem| match item {
                        ast::SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
                        _ => None,
                    };
                    return select.projection.iter().filter_map(alias).collect();
                }
                _ => return Vec::new(),
            };
        }
    }
}

/// Why a text does not parse, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line}, column {column}")]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The byte offset.
    pub offset: usize,
}

/// Splits text at semicolons and parses each statement.
pub fn parse(sql: &str, dialect: Dialect) -> Result<Vec<Parsed>, ParseError> {
    let lines = Lines::new(sql);
    let mut tokens = tokens(sql, dialect).map_err(|error| lines.error(sentence(&error.message), error.location))?;
    if dialect == Dialect::Osquery {
        tokens = sqlite_tokens(tokens);
        type_names(&mut tokens);
        commas_in_joins(&mut tokens);
    }
    let mut statements = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let end = rest.iter().position(|token| token.token == Token::SemiColon).unwrap_or(rest.len());
        let (own, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let (Some(first), Some(last)) = (own.first(), own.last()) else { continue };
        let depth = bounded(own)
            .map_err(|deep| lines.error(format!("{} deeper than {} levels", deep.what, deep.limit), deep.location))?;
        let span = lines.offset(first.span.start)..lines.offset(last.span.end);
        let mut own = own.to_vec();
        if dialect == Dialect::Osquery {
            if is_explain_query_plan(&own) {
                own.drain(1..3);
            }
            pragma(&mut own);
        }
        let items = item_texts(&own, sql, &lines);
        let end = own.last().map_or(Location::empty(), |token| token.span.end);
        let open = open_case(&own);
        let statement = with_stack(depth, || one_statement(own, dialect)).map_err(|failed| match open {
            Some(case) => lines.error("no END for this CASE", case),
            None => lines.parser_error(failed.error, failed.stopped.unwrap_or(end)),
        })?;
        statements.push(Parsed { statement, span, items, depth, dialect });
    }
    Ok(statements)
}

/// The tokens of a text without white space. As in SQLite, a comment without an end ends with the text.
fn tokens(sql: &str, dialect: Dialect) -> Result<Vec<TokenWithSpan>, TokenizerError> {
    let split = |sql: &str| Tokenizer::new(grammar(dialect), sql).tokenize_with_location();
    let tokens = match split(sql) {
        Err(error) if dialect == Dialect::Osquery && error.message.contains("multi-line comment") => {
            split(&format!("{sql}*/"))
        }
        tokens => tokens,
    }?;
    Ok(tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF)).collect())
}

fn grammar(dialect: Dialect) -> &'static dyn SqlDialect {
    static GENERIC: GenericDialect = GenericDialect {};
    static OSQUERY: OsqueryDialect = OsqueryDialect { generic: GenericDialect {} };
    match dialect {
        Dialect::Osquery => &OSQUERY,
        Dialect::DataFusion => &GENERIC,
    }
}

/// A statement that does not parse.
struct Failed {
    error: datafusion::common::DataFusionError,
    /// Where the parser stopped, unless that is the end. Some of the parser's messages name no position.
    stopped: Option<Location>,
}

impl From<datafusion::common::DataFusionError> for Failed {
    fn from(error: datafusion::common::DataFusionError) -> Self {
        Failed { error, stopped: None }
    }
}

impl From<ParserError> for Failed {
    fn from(error: ParserError) -> Self {
        datafusion::common::DataFusionError::from(error).into()
    }
}

fn one_statement(tokens: Vec<TokenWithSpan>, dialect: Dialect) -> Result<Statement, Failed> {
    let (tokens, clauses) = system_time::cut(tokens, grammar(dialect), DEEPEST_NESTING)?;
    let mut parser =
        DFParserBuilder::new(tokens).with_dialect(grammar(dialect)).with_recursion_limit(DEEPEST_NESTING).build()?;
    let mut statement = parser.parse_statement().map_err(|error| {
        let next = parser.parser.peek_token_ref();
        // The parser may have gone back to a token before the end.
        let at_end = next.token == Token::EOF || error.to_string().contains("found: EOF");
        Failed { error, stopped: (!at_end).then_some(next.span.start) }
    })?;
    clauses.attach(&mut statement)?;
    match parser.parser.peek_token_ref() {
        TokenWithSpan { token: Token::EOF, .. } => Ok(statement),
        other => {
            let message = format!("Expected: end of statement, found: {}{}", other.token, other.span.start);
            Err(ParserError::ParserError(message).into())
        }
    }
}

/// Handles a deep tree on a larger stack: copying and dropping a tree recurse.
pub(crate) fn with_stack<T: Send>(depth: usize, work: impl FnOnce() -> T + Send) -> T {
    if depth < DEEP {
        return work();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("dialect".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => panic!("cannot start a thread for a deep statement: {error}"),
        }
    })
}

/// Converts lines and columns to byte offsets.
struct Lines<'s> {
    sql: &'s str,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    fn new(sql: &'s str) -> Self {
        let starts = std::iter::once(0).chain(sql.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { sql, starts }
    }

    fn offset(&self, location: Location) -> usize {
        let Some(line) = (location.line as usize).checked_sub(1) else { return self.sql.len() };
        let Some(&start) = self.starts.get(line) else { return self.sql.len() };
        let column = (location.column as usize).saturating_sub(1);
        let line = &self.sql[start..];
        if line.is_ascii() {
            return (start + column).min(self.sql.len());
        }
        start + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
    }

    fn error(&self, message: impl Into<String>, location: Location) -> ParseError {
        ParseError {
            message: message.into(),
            line: (location.line as usize).max(1),
            column: (location.column as usize).max(1),
            offset: self.offset(location),
        }
    }

    /// The position is at the end of the parser's message. A message without one is at `stopped`.
    fn parser_error(&self, error: datafusion::common::DataFusionError, stopped: Location) -> ParseError {
        let message = match error.find_root() {
            datafusion::common::DataFusionError::SQL(error, _) => match error.as_ref() {
                ParserError::ParserError(message) | ParserError::TokenizerError(message) => message.clone(),
                ParserError::RecursionLimitExceeded => {
                    return self.error(format!("statement nests deeper than {DEEPEST_NESTING} levels"), stopped);
                }
            },
            other => other.to_string(),
        };
        let Some((text, place)) = message.rsplit_once(" at Line: ") else {
            return self.error(sentence(&message), stopped);
        };
        let mut numbers = place.split(", Column: ").map(|number| number.trim().parse::<u64>().unwrap_or(0));
        let location = Location::new(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if location.line == 0 {
            return self.error(sentence(text), stopped);
        }
        self.error(sentence(text), location)
    }
}

/// Adapts a message of the parser: it starts in lowercase, and the expected token has no colons.
fn sentence(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("Expected: ") {
        return format!("expected {}", rest.replacen(", found: ", ", found ", 1));
    }
    lowercase_start(message)
}

/// A foreign message with a lowercase start, as in our own messages. An abbreviation at the start stays.
pub fn lowercase_start(message: &str) -> String {
    let mut characters = message.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => message.to_owned(),
    }
}

fn is_word(token: &TokenWithSpan, text: &str) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text))
}

fn is_explain_query_plan(tokens: &[TokenWithSpan]) -> bool {
    tokens.len() > 3 && is_word(&tokens[0], "explain") && is_word(&tokens[1], "query") && is_word(&tokens[2], "plan")
}

/// The first CASE without an END.
fn open_case(tokens: &[TokenWithSpan]) -> Option<Location> {
    let mut open = Vec::new();
    for token in tokens {
        match keyword(&token.token) {
            Keyword::CASE => open.push(token.span.start),
            Keyword::END => drop(open.pop()),
            _ => {}
        }
    }
    open.first().copied()
}

/// `PRAGMA table_info(name)`, also with `=`, becomes a query of the table function `pragma_table_info`.
fn pragma(tokens: &mut Vec<TokenWithSpan>) {
    let [first, name, open, table, ..] = tokens.as_slice() else { return };
    let known = ["table_info", "table_xinfo"].into_iter().find(|known| is_word(name, known));
    let (true, Some(known)) = (is_word(first, "pragma"), known) else { return };
    let closed = match open.token {
        Token::LParen => tokens.len() == 5 && tokens[4].token == Token::RParen,
        Token::Eq => tokens.len() == 4,
        _ => false,
    };
    let text = match &table.token {
        Token::Word(word) => word.value.clone(),
        Token::SingleQuotedString(text) => text.clone(),
        _ => return,
    };
    if !closed {
        return;
    }
    let at = |token: Token, like: &TokenWithSpan| TokenWithSpan { token, span: like.span };
    let query = vec![
        at(Token::make_keyword("SELECT"), first),
        at(Token::Mul, first),
        at(Token::make_keyword("FROM"), first),
        at(Token::make_word(&format!("pragma_{known}"), None), name),
        at(Token::LParen, open),
        at(Token::SingleQuotedString(text), table),
        at(Token::RParen, table),
    ];
    *tokens = query;
}

/// Turns `[name]` into an identifier unless it is a subscript, and allows words that are names in SQLite.
fn sqlite_tokens(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut cases = 0_usize;
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        if token.token == Token::LBracket {
            let subscript = out.last().is_some_and(|before| match &before.token {
                Token::Word(word) => {
                    word.quote_style.is_some() || matches!(word.keyword, Keyword::NoKeyword | Keyword::ARRAY)
                }
                Token::RParen | Token::RBracket | Token::SingleQuotedString(_) => true,
                _ => false,
            });
            // After AS and after a dot it cannot be a list.
            let names =
                out.last().is_some_and(|before| before.token == Token::Period || keyword(&before.token) == Keyword::AS);
            let is_part = |token: &&TokenWithSpan| match token.token {
                Token::Word(_) => true,
                Token::RBracket | Token::EOF => false,
                _ => names,
            };
            let words = tokens[at + 1..].iter().take_while(is_part).count();
            let closed = tokens.get(at + 1 + words).is_some_and(|token| token.token == Token::RBracket);
            if !subscript && words > 0 && closed {
                let mut name = String::new();
                let mut end = tokens[at + 1].span.start;
                for token in &tokens[at + 1..=at + words] {
                    let blanks = token.span.start.column.saturating_sub(end.column);
                    name.extend(std::iter::repeat_n(' ', usize::try_from(blanks).unwrap_or(0)));
                    match &token.token {
                        Token::Word(word) => name.push_str(&word.value),
                        other => name.push_str(&other.to_string()),
                    }
                    end = token.span.end;
                }
                // Unlike a name in double quotes, it is never a string.
                let word = Word { value: name, quote_style: Some('`'), keyword: Keyword::NoKeyword };
                let span = token.span.union(&tokens[at + 1 + words].span);
                out.push(TokenWithSpan { token: Token::Word(word), span });
                at += words + 2;
                continue;
            }
        }
        // Index hints have no effect here.
        if is_word(token, "indexed") {
            let negated = out.last().is_some_and(|before| keyword(&before.token) == Keyword::NOT);
            let before = out.iter().rev().nth(1);
            let of_table = before.is_some_and(|before| {
                matches!(before.token, Token::Word(_) | Token::RParen) && !starts_operand(Some(before))
            });
            if negated && of_table {
                out.pop();
                at += 1;
                continue;
            }
            if tokens.get(at + 1).is_some_and(|next| keyword(&next.token) == Keyword::BY) {
                at += 3;
                continue;
            }
        }
        let mut token = token.clone();
        let next = tokens.get(at + 1).map(|next| &next.token);
        if let Token::Word(word) = &mut token.token
            && word.quote_style.is_none()
        {
            match word.keyword {
                Keyword::CASE => cases += 1,
                // END is a name if no CASE is open, or if the CASE still expects an operand.
                Keyword::END if cases == 0 || starts_operand(out.last()) => word.keyword = Keyword::NoKeyword,
                Keyword::END => cases -= 1,
                Keyword::OFFSET if starts_operand(out.last()) || !is_operand(&tokens[at + 1..]) => {
                    word.keyword = Keyword::NoKeyword;
                }
                // A planner hint on a common table expression.
                Keyword::MATERIALIZED if next == Some(&Token::LParen) => {
                    if out.last().is_some_and(|before| keyword(&before.token) == Keyword::NOT) {
                        out.pop();
                    }
                    if out.last().is_some_and(|before| keyword(&before.token) == Keyword::AS) {
                        at += 1;
                        continue;
                    }
                }
                _ => {}
            }
            let before = out.last().map(|before| &before.token);
            let of_type = before == Some(&Token::DoubleColon);
            if before == Some(&Token::Period) || (!of_type && is_plain_name(word.keyword, next)) {
                word.keyword = Keyword::NoKeyword;
            }
        }
        out.push(token);
        at += 1;
    }
    out
}

/// `CAST(x AS UNSIGNED BIG INT)`: SQLite's types of several words become one name.
fn type_names(tokens: &mut Vec<TokenWithSpan>) {
    // For each open parenthesis, whether it belongs to a CAST.
    let mut open: Vec<bool> = Vec::new();
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.drain(..).peekable();
    while let Some(token) = rest.next() {
        match &token.token {
            Token::LParen => {
                let before = out.last().map(|before| keyword(&before.token));
                open.push(matches!(before, Some(Keyword::CAST | Keyword::TRY_CAST)));
            }
            Token::RParen => drop(open.pop()),
            _ => {}
        }
        let of_cast = keyword(&token.token) == Keyword::AS && open.last() == Some(&true);
        out.push(token);
        if !of_cast {
            continue;
        }
        let mut words = Vec::new();
        while let Some(word) =
            rest.next_if(|token| matches!(&token.token, Token::Word(word) if word.quote_style.is_none()))
        {
            words.push(word);
        }
        let name = words.iter().map(|word| word.token.to_string()).collect::<Vec<_>>().join(" ");
        match (words.as_slice(), functions::cast(&name)) {
            ([first, .., last], Some(_)) => {
                let word = Word { value: name, quote_style: Some('"'), keyword: Keyword::NoKeyword };
                out.push(TokenWithSpan { token: Token::Word(word), span: first.span.union(&last.span) });
            }
            // A name elsewhere, but a type here: `TIMESTAMP`.
            _ => out.extend(words.into_iter().map(|word| match word.token {
                Token::Word(own) => TokenWithSpan { token: Token::make_word(&own.value, None), span: word.span },
                _ => word,
            })),
        }
    }
    drop(rest);
    *tokens = out;
}

/// A level of parentheses in which a comma may become CROSS JOIN.
#[derive(Default)]
struct JoinLevel {
    /// The parentheses group FROM items: all commas are joins.
    group: bool,
    /// The FROM clause of a SELECT.
    from: bool,
    /// The last comma, while it may still be a join.
    comma: Option<usize>,
}

/// `FROM (a, b)` is `FROM (a CROSS JOIN b)`, and `FROM a, b ON ..` is `FROM a CROSS JOIN b ON ..`.
fn commas_in_joins(tokens: &mut Vec<TokenWithSpan>) {
    let mut here = JoinLevel::default();
    let mut open: Vec<JoinLevel> = Vec::new();
    let mut commas = Vec::new();
    for at in 0..tokens.len() {
        match &tokens[at].token {
            Token::LParen => {
                let before = at.checked_sub(1).and_then(|at| tokens.get(at));
                let after_from = before.is_some_and(|token| {
                    matches!(keyword(&token.token), Keyword::FROM | Keyword::JOIN)
                        || (token.token == Token::LParen && here.group)
                });
                let group = after_from && !starts_query(&tokens[at + 1..]);
                open.push(std::mem::replace(&mut here, JoinLevel { group, ..JoinLevel::default() }));
            }
            Token::RParen => here = open.pop().unwrap_or_default(),
            Token::Comma if here.group => commas.push(at),
            Token::Comma if here.from => here.comma = Some(at),
            token => match keyword(token) {
                Keyword::ON | Keyword::USING => commas.extend(here.comma.take()),
                clause if starts_clause(clause) => {
                    here.from = matches!(clause, Keyword::FROM | Keyword::JOIN);
                    here.comma = None;
                }
                _ => {}
            },
        }
    }
    commas.sort_unstable();
    if commas.is_empty() {
        return;
    }
    let mut commas = commas.into_iter().peekable();
    let mut out = Vec::with_capacity(tokens.len() * 2);
    for (at, token) in tokens.drain(..).enumerate() {
        if commas.next_if_eq(&at).is_some() {
            let word = |text: &str| TokenWithSpan { token: Token::make_keyword(text), span: token.span };
            out.extend([word("CROSS"), word("JOIN")]);
        } else {
            out.push(token);
        }
    }
    *tokens = out;
}

/// Whether an operand must follow this token, so that a word after it can only be a name.
fn starts_operand(before: Option<&TokenWithSpan>) -> bool {
    match before.map(|before| &before.token) {
        Some(
            Token::Comma | Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq | Token::Period,
        ) => true,
        Some(Token::LParen | Token::Plus | Token::Minus | Token::Div | Token::StringConcat) => true,
        Some(Token::DoubleEq | Token::Mul | Token::Mod | Token::Ampersand | Token::Pipe | Token::Tilde) => true,
        Some(Token::ShiftLeft | Token::ShiftRight | Token::Arrow | Token::LongArrow) => true,
        Some(token) => matches!(
            keyword(token),
            Keyword::SELECT
                | Keyword::WHERE
                | Keyword::HAVING
                | Keyword::AND
                | Keyword::OR
                | Keyword::BY
                | Keyword::ON
                | Keyword::AS
                | Keyword::NOT
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::BETWEEN
                | Keyword::DISTINCT
                | Keyword::CASE
                | Keyword::WHEN
                | Keyword::THEN
                | Keyword::ELSE
        ),
        None => false,
    }
}

/// Whether these tokens start a value: a number, a text, or a parenthesis.
fn is_operand(tokens: &[TokenWithSpan]) -> bool {
    match tokens.first().map(|token| &token.token) {
        Some(Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_)) => true,
        Some(Token::LParen | Token::Minus | Token::Plus | Token::Tilde) => true,
        Some(Token::Word(_)) => tokens.get(1).is_some_and(|next| next.token == Token::LParen),
        _ => false,
    }
}

/// Whether a query starts here.
fn starts_query(tokens: &[TokenWithSpan]) -> bool {
    tokens
        .first()
        .is_some_and(|first| matches!(keyword(&first.token), Keyword::SELECT | Keyword::WITH | Keyword::VALUES))
}

/// Words that start a clause of a SELECT and so end any expression.
fn starts_clause(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::ON
            | Keyword::GROUP
            | Keyword::ORDER
            | Keyword::HAVING
            | Keyword::JOIN
            | Keyword::LIMIT
    )
}

/// Words between the parts of a CASE.
fn divides_case(keyword: Keyword) -> bool {
    matches!(keyword, Keyword::WHEN | Keyword::THEN | Keyword::ELSE)
}

/// Words that have a special meaning in sqlparser and are names in SQLite.
fn is_plain_name(keyword: Keyword, next: Option<&Token>) -> bool {
    let called = next == Some(&Token::LParen);
    match keyword {
        Keyword::USER | Keyword::SESSION_USER | Keyword::CURRENT_USER | Keyword::CURRENT_CATALOG => !called,
        Keyword::LOCALTIME | Keyword::LOCALTIMESTAMP => !called,
        Keyword::PRIOR | Keyword::CONNECT_BY_ROOT | Keyword::START | Keyword::MINUTES => true,
        Keyword::TOP | Keyword::FORMAT | Keyword::SETTINGS | Keyword::SAMPLE | Keyword::PIVOT | Keyword::UNPIVOT => {
            !called
        }
        Keyword::STRUCT | Keyword::TRIM | Keyword::ANY | Keyword::SOME | Keyword::CUBE | Keyword::ROLLUP => !called,
        Keyword::CLUSTER | Keyword::DISTRIBUTE | Keyword::SORT | Keyword::LATERAL => {
            !called && keyword != Keyword::LATERAL && next.is_none_or(|next| self::keyword(next) != Keyword::BY)
        }
        Keyword::INTERVAL => !matches!(next, Some(Token::SingleQuotedString(_) | Token::Number(..))),
        Keyword::TIME | Keyword::DATE | Keyword::DATETIME | Keyword::TIMESTAMP => {
            !matches!(next, Some(Token::SingleQuotedString(_)))
        }
        Keyword::VALUE | Keyword::KEY | Keyword::TYPE | Keyword::PATH | Keyword::SIZE | Keyword::VERSION => true,
        Keyword::STATUS | Keyword::RELEASE | Keyword::GLOBAL | Keyword::LISTEN | Keyword::NOTIFY => true,
        _ => false,
    }
}

/// What nests too deeply, and where.
struct TooDeep {
    what: &'static str,
    limit: usize,
    location: Location,
}

/// The state that an open parenthesis or CASE interrupts.
#[derive(Clone, Copy, Default)]
struct Level {
    /// The number of ANDs and ORs so far, then of all other operators since the last one.
    connectives: usize,
    operators: usize,
    /// Whether it is in FROM.
    from: bool,
    /// Whether it is a CASE.
    case: bool,
    /// Whether it is a subquery in an expression.
    subquery: bool,
}

/// Rejects deep nesting before any code recurses over it.
fn bounded(tokens: &[TokenWithSpan]) -> Result<usize, TooDeep> {
    let mut here = Level::default();
    let mut open: Vec<Level> = Vec::new();
    // The sums over all open levels.
    let (mut connectives, mut operators, mut subqueries) = (0_usize, 0_usize, 0_usize);
    let mut deepest = 0;
    let mut members = 0;
    for (at, token) in tokens.iter().enumerate() {
        let word = keyword(&token.token);
        let opens = matches!(token.token, Token::LParen | Token::LBracket | Token::LBrace);
        let closes = matches!(token.token, Token::RParen | Token::RBracket | Token::RBrace);
        if opens || word == Keyword::CASE {
            let before = at.checked_sub(1).map(|at| keyword(&tokens[at].token));
            let of_statement = matches!(
                before,
                None | Some(Keyword::AS | Keyword::UNION | Keyword::ALL | Keyword::EXCEPT | Keyword::INTERSECT)
            );
            let subquery = opens && !here.from && !of_statement && starts_query(&tokens[at + 1..]);
            open.push(Level { case: !opens, subquery, ..here });
            connectives += here.connectives;
            operators += here.operators + 1;
            subqueries += usize::from(subquery);
            here = Level { from: here.from && opens, ..Level::default() };
        } else if closes || word == Keyword::END {
            // An END does not close a parenthesis; a parenthesis closes everything that is open inside it.
            while let Some(level) = open.pop_if(|level| closes || level.case) {
                here = level;
                connectives -= level.connectives;
                operators -= level.operators + 1;
                subqueries -= usize::from(level.subquery);
                if level.case != closes {
                    break;
                }
            }
        } else if token.token == Token::Comma || divides_case(word) {
            (here.connectives, here.operators) = (0, 0);
        } else if starts_clause(word) {
            here = Level { from: matches!(word, Keyword::FROM | Keyword::JOIN), ..Level::default() };
        } else if matches!(word, Keyword::AND | Keyword::OR) {
            here.connectives += 1;
            here.operators = 0;
        } else if matches!(word, Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT) {
            // Set operations nest to the left, one level each.
            members += 1;
            if members > MOST_MEMBERS {
                let what = "compound SELECT nests";
                return Err(TooDeep { what, limit: MOST_MEMBERS, location: token.span.start });
            }
        } else if !matches!(
            token.token,
            Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) | Token::Period
        ) || matches!(
            word,
            Keyword::NOT | Keyword::LIKE | Keyword::IN | Keyword::IS | Keyword::BETWEEN | Keyword::COLLATE
        ) {
            here.operators += 1;
        }
        let depth = connectives + here.connectives + operators + here.operators + members;
        deepest = deepest.max(depth);
        for (what, depth, limit) in [
            ("expression nests", depth, DEEPEST_EXPRESSION),
            ("expression nests", operators + here.operators, DEEPEST_OPERATORS),
            ("subqueries in expressions nest", subqueries, DEEPEST_SUBQUERIES),
        ] {
            if depth > limit {
                return Err(TooDeep { what, limit, location: token.span.start });
            }
        }
    }
    Ok(deepest)
}

/// The user's text of each item of the first SELECT outside parentheses.
fn item_texts(tokens: &[TokenWithSpan], sql: &str, lines: &Lines<'_>) -> Vec<String> {
    let mut depth = 0_usize;
    let mut items = Vec::new();
    let mut item: Option<Span> = None;
    let text = |item: Span| sql.get(lines.offset(item.start)..lines.offset(item.end)).unwrap_or_default().to_owned();
    let mut inside = false;
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            _ => {}
        }
        let word = if depth == 0 { keyword(&token.token) } else { Keyword::NoKeyword };
        if !inside {
            if word == Keyword::SELECT {
                inside = true;
            }
            continue;
        }
        if item.is_none() && items.is_empty() && matches!(word, Keyword::DISTINCT | Keyword::ALL) {
            continue;
        }
        let ends = matches!(
            word,
            Keyword::FROM | Keyword::WHERE | Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::LIMIT
        ) || (matches!(word, Keyword::GROUP | Keyword::ORDER)
            && tokens.get(at + 1).is_some_and(|next| keyword(&next.token) == Keyword::BY))
            || word == Keyword::HAVING;
        let comma = depth == 0 && token.token == Token::Comma;
        if ends || comma {
            items.extend(item.take().map(text));
            if ends {
                return items;
            }
            continue;
        }
        item.get_or_insert(token.span).end = token.span.end;
    }
    items.extend(item.map(text));
    items
}

/// sqlparser's generic grammar, which DataFusion uses, with SQLite's operators.
#[derive(Default)]
struct OsqueryDialect {
    generic: GenericDialect,
}

impl fmt::Debug for OsqueryDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OsqueryDialect")
    }
}

/// Methods that return the same as the generic dialect.
macro_rules! as_generic {
    ($($name:ident),* $(,)?) => {
        $(fn $name(&self) -> bool { self.generic.$name() })*
    };
}

impl SqlDialect for OsqueryDialect {
    // Settings that the parser takes from the generic dialect by its type must be repeated here.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"' || c == '`'
    }

    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_' || c == '#' || c == '@'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || matches!(c, '_' | '#' | '@' | '$')
    }

    as_generic!(
        supports_unicode_string_literal,
        supports_partition_by_after_order_by,
        supports_array_join_syntax,
        supports_group_by_expr,
        supports_group_by_with_modifier,
        supports_left_associative_joins_without_parens,
        supports_match_recognize,
        supports_window_function_null_treatment_arg,
        supports_dictionary_syntax,
        supports_window_clause_named_window_reference,
        supports_parenthesized_set_variables,
        supports_select_wildcard_except,
        support_map_literal_syntax,
        allow_extract_custom,
        allow_extract_single_quotes,
        supports_extract_comma_syntax,
        supports_parens_around_table_factor,
        supports_values_as_table_factor,
        supports_explain_with_utility_options,
        supports_limit_comma,
        supports_from_first_select,
        supports_try_convert,
        supports_bitwise_shift_operators,
        supports_named_fn_args_with_assignment_operator,
        supports_struct_literal,
        supports_string_escape_constant,
        supports_array_typedef_with_brackets,
        supports_filter_during_aggregation,
        supports_select_wildcard_exclude,
        supports_data_type_signed_suffix,
        supports_interval_options,
        supports_select_wildcard_replace,
        supports_select_wildcard_ilike,
        supports_select_wildcard_rename,
        supports_comma_separated_trim,
    );

    fn supports_in_empty_list(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_cross_join_constraint(&self) -> bool {
        true
    }

    fn supports_numeric_prefix(&self) -> bool {
        false
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    // A reserved word is not a name if the expression that it starts cannot be parsed: the error of that expression is
    // reported.
    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        matches!(keyword, Keyword::CASE | Keyword::EXISTS | Keyword::INTERVAL | Keyword::NOT)
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let token = parser.peek_token_ref();
        let op = match &token.token {
            Token::Minus => ast::UnaryOperator::Minus,
            Token::Plus => ast::UnaryOperator::Plus,
            Token::Tilde => ast::UnaryOperator::BitwiseNot,
            other if starts_clause(keyword(other)) || divides_case(keyword(other)) => {
                return Some(parser.expected_ref("an expression", token));
            }
            _ => return None,
        };
        parser.next_token();
        Some(parser.parse_subexpr(SIGN).map(|expr| Expr::UnaryOp { op, expr: Box::new(expr) }))
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        let token = parser.peek_token_ref();
        let Token::Word(word) = &token.token else {
            return match token.token {
                Token::Arrow | Token::LongArrow | Token::StringConcat => Some(Ok(CONCATENATION)),
                // Binds tighter than equality operators.
                Token::Lt | Token::LtEq | Token::Gt | Token::GtEq => Some(Ok(self.prec_value(Precedence::Eq) + 1)),
                _ => None,
            };
        };
        if word.quote_style.is_some() {
            return None;
        }
        if word.keyword == Keyword::COLLATE {
            return Some(Ok(COLLATE));
        }
        if word.value.eq_ignore_ascii_case("GLOB") || word.keyword == Keyword::MATCH {
            return Some(Ok(self.prec_value(Precedence::Like)));
        }
        if word.value.eq_ignore_ascii_case("ISNULL") {
            return Some(Ok(self.prec_value(Precedence::Is)));
        }
        if word.keyword == Keyword::NOT
            && let Token::Word(next) = &parser.peek_nth_token_ref(1).token
            && (next.value.eq_ignore_ascii_case("GLOB") || matches!(next.keyword, Keyword::MATCH | Keyword::NULL))
        {
            return Some(Ok(self.prec_value(Precedence::Like)));
        }
        None
    }

    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        let word_at = |at: usize| match &parser.peek_nth_token_ref(at).token {
            Token::Word(word) if word.quote_style.is_none() => Some(word),
            _ => None,
        };
        let negated = word_at(0)?.keyword == Keyword::NOT;
        // The operator, and the start of its right operand.
        let word = word_at(usize::from(negated))?;
        let right = if negated { 2 } else { 1 };
        let left = expr.clone();
        if word.value.eq_ignore_ascii_case("GLOB") {
            skip(parser, right);
            let glob = |pattern| build::negate(negated, build::call("glob", vec![pattern, left]));
            return Some(parser.parse_subexpr(precedence).map(glob));
        }
        match word.keyword {
            Keyword::NULL if negated => {
                skip(parser, right);
                Some(Ok(Expr::IsNotNull(Box::new(left))))
            }
            Keyword::IN if matches!(parser.peek_nth_token_ref(right).token, Token::Word(_)) => {
                if parser.peek_nth_token_ref(right + 1).token == Token::LParen {
                    return None;
                }
                skip(parser, right);
                Some(parser.parse_object_name(false).map(|name| Expr::InSubquery {
                    expr: Box::new(left),
                    subquery: Box::new(build::select_all_from(name)),
                    negated,
                }))
            }
            _ if negated => None,
            Keyword::MATCH => {
                let place = parser.peek_token_ref().span.start;
                let message = format!("MATCH needs a full-text index, which these tables do not have{place}");
                Some(Err(ParserError::ParserError(message)))
            }
            Keyword::COLLATE => {
                skip(parser, right);
                // The last one wins.
                let inner = match left {
                    Expr::Collate { expr, .. } => expr,
                    other => Box::new(other),
                };
                Some(parser.parse_object_name(false).map(|collation| Expr::Collate { expr: inner, collation }))
            }
            Keyword::IS => self.parse_is(parser, left, precedence),
            _ if word.value.eq_ignore_ascii_case("ISNULL") => {
                skip(parser, right);
                Some(Ok(Expr::IsNull(Box::new(left))))
            }
            _ => None,
        }
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            // All equality and pattern operators have the same precedence, from left to right, and so have all bit
            // operators.
            Precedence::Like | Precedence::Is | Precedence::Between => self.generic.prec_value(Precedence::Eq),
            Precedence::Pipe | Precedence::Caret => self.generic.prec_value(Precedence::Ampersand),
            other => self.generic.prec_value(other),
        }
    }
}

fn skip(parser: &mut Parser, tokens: usize) {
    for _ in 0..tokens {
        parser.next_token();
    }
}

impl OsqueryDialect {
    /// `x IS y`, `x IS NOT y` and `x IS [NOT] DISTINCT FROM y` for any operands.
    fn parse_is(&self, parser: &mut Parser, left: Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        let word_at = |at: usize| keyword(&parser.peek_nth_token_ref(at).token);
        let negated = word_at(1) == Keyword::NOT;
        let operand = if negated { 2 } else { 1 };
        let distinct = word_at(operand) == Keyword::DISTINCT && word_at(operand + 1) == Keyword::FROM;
        let standard = matches!(
            word_at(operand),
            Keyword::UNKNOWN
                | Keyword::JSON
                | Keyword::NORMALIZED
                | Keyword::NFC
                | Keyword::NFD
                | Keyword::NFKC
                | Keyword::NFKD
        );
        if standard {
            return None;
        }
        skip(parser, if distinct { operand + 2 } else { operand });
        let left = Box::new(left);
        Some(parser.parse_subexpr(precedence).map(|right| {
            let literal = match &right {
                Expr::Value(literal) if !distinct => Some(&literal.value),
                _ => None,
            };
            match (literal, negated != distinct) {
                (Some(ast::Value::Null), false) => Expr::IsNull(left),
                (Some(ast::Value::Null), true) => Expr::IsNotNull(left),
                (Some(ast::Value::Boolean(true)), false) => Expr::IsTrue(left),
                (Some(ast::Value::Boolean(true)), true) => Expr::IsNotTrue(left),
                (Some(ast::Value::Boolean(false)), false) => Expr::IsFalse(left),
                (Some(ast::Value::Boolean(false)), true) => Expr::IsNotFalse(left),
                (_, false) => Expr::IsNotDistinctFrom(left, Box::new(right)),
                (_, true) => Expr::IsDistinctFrom(left, Box::new(right)),
            }
        }))
    }
}
