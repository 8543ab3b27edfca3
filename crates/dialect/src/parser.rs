//! Text to statements: DataFusion's grammar with SQLite's on top.

use std::{any::TypeId, fmt};

use datafusion::sql::parser::{DFParserBuilder, Statement};
use sqlparser::{
    ast::{self, Expr},
    dialect::{Dialect as SqlDialect, GenericDialect, Precedence},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word},
};

use crate::Dialect;

/// How deeply expressions may nest, as in SQLite.
const DEEPEST_EXPRESSION: usize = 1000;
/// How deeply they may nest when AND and OR, which become balanced trees, are left out.
const DEEPEST_OPERATORS: usize = 250;
/// How many SELECTs a compound may have, as in SQLite.
const MOST_MEMBERS: usize = 500;
/// From this depth on a statement is worked on with a stack of its own.
const DEEP: usize = 60;
/// The size of that stack.
const STACK: usize = 64 << 20;
/// How deeply parentheses, subqueries and CASE may nest.
const DEEPEST_NESTING: usize = 120;

/// One statement of the user's text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statement as parsed, before any rewriting.
    pub statement: Statement,
    /// Where it stands in the text: byte offsets without the semicolon.
    pub span: std::ops::Range<usize>,
    /// The text of each item of the outermost SELECT: the names of its unnamed columns.
    pub(crate) items: Vec<String>,
    /// About how deeply the tree nests.
    pub(crate) depth: usize,
    pub(crate) dialect: Dialect,
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

/// Splits text at its semicolons and parses each statement.
pub fn parse(sql: &str, dialect: Dialect) -> Result<Vec<Parsed>, ParseError> {
    let lines = Lines::new(sql);
    let tokens = Tokenizer::new(grammar(dialect), sql)
        .tokenize_with_location()
        .map_err(|error| lines.error(sentence(&error.message), error.location))?;
    let mut tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF)).collect();
    if dialect == Dialect::Osquery {
        tokens = sqlite_tokens(tokens);
        commas_in_joins(&mut tokens);
    }
    let mut statements = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let end = rest.iter().position(|token| token.token == Token::SemiColon).unwrap_or(rest.len());
        let (own, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let (Some(first), Some(last)) = (own.first(), own.last()) else { continue };
        let depth = bounded(own).map_err(|(limit, location)| {
            lines.error(format!("expression nests deeper than {limit} levels"), location)
        })?;
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
        let statement = with_stack(depth, || one_statement(own, dialect)).map_err(|error| match open {
            Some(case) => lines.error("no END for this CASE", case),
            None => lines.parser_error(error, end),
        })?;
        statements.push(Parsed { statement, span, items, depth, dialect });
    }
    Ok(statements)
}

fn grammar(dialect: Dialect) -> &'static dyn SqlDialect {
    static GENERIC: GenericDialect = GenericDialect {};
    static OSQUERY: OsqueryDialect = OsqueryDialect { generic: GenericDialect {} };
    match dialect {
        Dialect::Osquery => &OSQUERY,
        Dialect::DataFusion => &GENERIC,
    }
}

fn one_statement(
    tokens: Vec<TokenWithSpan>,
    dialect: Dialect,
) -> Result<Statement, datafusion::common::DataFusionError> {
    let mut parser =
        DFParserBuilder::new(tokens).with_dialect(grammar(dialect)).with_recursion_limit(DEEPEST_NESTING).build()?;
    let statement = parser.parse_statement()?;
    match parser.parser.peek_token_ref() {
        TokenWithSpan { token: Token::EOF, .. } => Ok(statement),
        other => {
            let message = format!("Expected: end of statement, found: {}{}", other.token, other.span.start);
            Err(ParserError::ParserError(message).into())
        }
    }
}

/// Works on a deep tree where there is room for it: copying and dropping a tree recurse.
pub(crate) fn with_stack<T: Send>(depth: usize, work: impl FnOnce() -> T + Send) -> T {
    if depth < DEEP {
        return work();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("dialect".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => panic!("no thread for a deep statement: {error}"),
        }
    })
}

/// Finds byte offsets of lines and columns.
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

    /// The place is at the end of the parser's message.
    fn parser_error(&self, error: datafusion::common::DataFusionError, end: Location) -> ParseError {
        let message = match error.find_root() {
            datafusion::common::DataFusionError::SQL(error, _) => match error.as_ref() {
                ParserError::ParserError(message) | ParserError::TokenizerError(message) => message.clone(),
                ParserError::RecursionLimitExceeded => {
                    return self.error(format!("statement nests deeper than {DEEPEST_NESTING} levels"), end);
                }
            },
            other => other.to_string(),
        };
        let Some((text, place)) = message.rsplit_once(" at Line: ") else { return self.error(sentence(&message), end) };
        let mut numbers = place.split(", Column: ").map(|number| number.trim().parse::<u64>().unwrap_or(0));
        let location = Location::new(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if location.line == 0 {
            return self.error(sentence(text), end);
        }
        self.error(sentence(text), location)
    }
}

/// A message of the parser as one of ours: it starts in lower case, and what was expected stands without colons.
fn sentence(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("Expected: ") {
        return format!("expected {}", rest.replacen(", found: ", ", found ", 1));
    }
    let mut characters = message.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => message.to_owned(),
    }
}

fn keyword(token: &Token) -> Keyword {
    match token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

fn is_word(token: &TokenWithSpan, text: &str) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text))
}

fn is_explain_query_plan(tokens: &[TokenWithSpan]) -> bool {
    tokens.len() > 3 && is_word(&tokens[0], "explain") && is_word(&tokens[1], "query") && is_word(&tokens[2], "plan")
}

/// The first CASE for which there is no END.
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

/// `PRAGMA table_info(name)`, and with `=`, is a query of the table function `pragma_table_info`.
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

/// Turns `[name]` into an identifier where it is not a subscript, and frees words that are names in SQLite.
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
            let words = tokens[at + 1..].iter().take_while(|token| matches!(token.token, Token::Word(_))).count();
            let closed = tokens.get(at + 1 + words).is_some_and(|token| token.token == Token::RBracket);
            if !subscript && words > 0 && closed {
                let name: Vec<String> = tokens[at + 1..=at + words]
                    .iter()
                    .map(|token| match &token.token {
                        Token::Word(word) => word.value.clone(),
                        other => other.to_string(),
                    })
                    .collect();
                let word = Word { value: name.join(" "), quote_style: Some('"'), keyword: Keyword::NoKeyword };
                let span = token.span.union(&tokens[at + 1 + words].span);
                out.push(TokenWithSpan { token: Token::Word(word), span });
                at += words + 2;
                continue;
            }
        }
        // Which index to use is no matter here.
        if is_word(token, "indexed") {
            let negated = out.last().is_some_and(|before| keyword(&before.token) == Keyword::NOT);
            let before = out.iter().rev().nth(1);
            let of_table = before.is_some_and(|before| {
                matches!(before.token, Token::Word(_) | Token::RParen)
                    && !starts_operand(Some(before))
                    && !matches!(
                        keyword(&before.token),
                        Keyword::HAVING | Keyword::WHEN | Keyword::THEN | Keyword::ELSE
                    )
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
                // END is a name where no CASE waits for it.
                Keyword::END if cases == 0 => word.keyword = Keyword::NoKeyword,
                Keyword::END => cases -= 1,
                Keyword::OFFSET if starts_operand(out.last()) => word.keyword = Keyword::NoKeyword,
                // A planner's hint on a common table expression.
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
            let after_dot = out.last().is_some_and(|before| before.token == Token::Period);
            if after_dot || is_plain_name(word.keyword, next) {
                word.keyword = Keyword::NoKeyword;
            }
        }
        out.push(token);
        at += 1;
    }
    out
}

/// `FROM (a, b)` is `FROM (a CROSS JOIN b)`.
fn commas_in_joins(tokens: &mut Vec<TokenWithSpan>) {
    // For each open parenthesis: whether it groups FROM items.
    let mut open: Vec<bool> = Vec::new();
    let mut commas = Vec::new();
    for at in 0..tokens.len() {
        match &tokens[at].token {
            Token::LParen => {
                let before = at.checked_sub(1).and_then(|at| tokens.get(at));
                let after_from = before.is_some_and(|token| {
                    matches!(keyword(&token.token), Keyword::FROM | Keyword::JOIN)
                        || (token.token == Token::LParen && open.last() == Some(&true))
                });
                let query = tokens.get(at + 1).is_some_and(|next| {
                    matches!(keyword(&next.token), Keyword::SELECT | Keyword::WITH | Keyword::VALUES)
                });
                open.push(after_from && !query);
            }
            Token::RParen => {
                open.pop();
            }
            Token::Comma if open.last() == Some(&true) => commas.push(at),
            _ => {}
        }
    }
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

/// Whether an operand is due after this token, so that a word there can only be a name.
fn starts_operand(before: Option<&TokenWithSpan>) -> bool {
    match before.map(|before| &before.token) {
        Some(
            Token::Comma | Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq | Token::Period,
        ) => true,
        Some(Token::LParen | Token::Plus | Token::Minus | Token::Div | Token::StringConcat) => true,
        Some(token) => matches!(
            keyword(token),
            Keyword::SELECT
                | Keyword::WHERE
                | Keyword::AND
                | Keyword::OR
                | Keyword::BY
                | Keyword::ON
                | Keyword::NOT
                | Keyword::DISTINCT
        ),
        None => false,
    }
}

/// Words that sqlparser gives a meaning of their own but which are names to SQLite.
fn is_plain_name(keyword: Keyword, next: Option<&Token>) -> bool {
    let called = next == Some(&Token::LParen);
    match keyword {
        Keyword::USER | Keyword::SESSION_USER | Keyword::CURRENT_USER | Keyword::CURRENT_CATALOG => !called,
        Keyword::LOCALTIME | Keyword::LOCALTIMESTAMP => !called,
        Keyword::PRIOR | Keyword::CONNECT_BY_ROOT | Keyword::START | Keyword::MINUTES => true,
        Keyword::TOP | Keyword::FORMAT | Keyword::SETTINGS | Keyword::SAMPLE | Keyword::PIVOT | Keyword::UNPIVOT => {
            !called
        }
        Keyword::CLUSTER | Keyword::DISTRIBUTE | Keyword::SORT | Keyword::LATERAL => {
            !called
                && keyword != Keyword::LATERAL
                && next.is_none_or(|next| crate::parser::keyword(next) != Keyword::BY)
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

/// Rejects what would nest too deep before anything recurses over it: the error is the place.
fn bounded(tokens: &[TokenWithSpan]) -> Result<usize, (usize, Location)> {
    let mut open: Vec<(usize, usize)> = Vec::new();
    // AND, OR and set operators, then all others: at this level and above it.
    let (mut here, mut above) = (0_usize, 0_usize);
    let (mut here_plain, mut above_plain) = (0_usize, 0_usize);
    let mut deepest = 0;
    let mut members = 0;
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                open.push((here, here_plain));
                above += here;
                above_plain += here_plain + 1;
                (here, here_plain) = (0, 0);
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                (here, here_plain) = open.pop().unwrap_or((0, 0));
                above = above.saturating_sub(here);
                above_plain = above_plain.saturating_sub(here_plain + 1);
            }
            Token::Comma => (here, here_plain) = (0, 0),
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::SELECT
                | Keyword::FROM
                | Keyword::WHERE
                | Keyword::ON
                | Keyword::GROUP
                | Keyword::ORDER
                | Keyword::HAVING
                | Keyword::JOIN
                | Keyword::LIMIT => {
                    (here, here_plain) = (0, 0);
                }
                Keyword::AND | Keyword::OR => {
                    here += 1;
                    here_plain = 0;
                }
                Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT => {
                    // Set operations nest to the left, one level each.
                    members += 1;
                    if members > MOST_MEMBERS {
                        return Err((MOST_MEMBERS, token.span.start));
                    }
                }
                Keyword::NOT
                | Keyword::LIKE
                | Keyword::IN
                | Keyword::IS
                | Keyword::BETWEEN
                | Keyword::CASE
                | Keyword::COLLATE => {
                    here_plain += 1;
                }
                _ => {}
            },
            Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) | Token::Period => {}
            _ => here_plain += 1,
        }
        let depth = above + here + above_plain + here_plain + members;
        deepest = deepest.max(depth);
        if depth > DEEPEST_EXPRESSION {
            return Err((DEEPEST_EXPRESSION, token.span.start));
        }
        if above_plain + here_plain > DEEPEST_OPERATORS {
            return Err((DEEPEST_OPERATORS, token.span.start));
        }
    }
    Ok(deepest)
}

/// The user's text of each item of the first SELECT outside parentheses.
fn item_texts(tokens: &[TokenWithSpan], sql: &str, lines: &Lines<'_>) -> Vec<String> {
    let mut depth = 0_usize;
    let mut items = Vec::new();
    let mut from: Option<usize> = None;
    let mut to = 0;
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
        if from.is_none() && items.is_empty() && matches!(word, Keyword::DISTINCT | Keyword::ALL) {
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
            if let Some(from) = from.take() {
                items.push(sql.get(from..to).unwrap_or_default().to_owned());
            }
            if ends {
                return items;
            }
            continue;
        }
        from.get_or_insert_with(|| lines.offset(token.span.start));
        to = lines.offset(token.span.end);
    }
    if let Some(from) = from {
        items.push(sql.get(from..to).unwrap_or_default().to_owned());
    }
    items
}

/// sqlparser's generic grammar, which DataFusion speaks, with SQLite's operators.
#[derive(Default)]
struct OsqueryDialect {
    generic: GenericDialect,
}

impl fmt::Debug for OsqueryDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OsqueryDialect")
    }
}

/// Answers that are the generic dialect's.
macro_rules! as_generic {
    ($($name:ident),* $(,)?) => {
        $(fn $name(&self) -> bool { self.generic.$name() })*
    };
}

impl SqlDialect for OsqueryDialect {
    // What the parser asks of the generic dialect by its type it must ask here too.
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
        supports_projection_trailing_commas,
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

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        let token = parser.peek_token_ref();
        let Token::Word(word) = &token.token else {
            return match token.token {
                Token::Arrow | Token::LongArrow => Some(Ok(self.prec_value(Precedence::DoubleColon))),
                Token::StringConcat => Some(Ok(self.prec_value(Precedence::MulDivModOp) + 1)),
                _ => None,
            };
        };
        if word.quote_style.is_some() {
            return None;
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
        let token = &parser.peek_token_ref().token;
        let Token::Word(word) = token else { return None };
        if word.quote_style.is_some() {
            return None;
        }
        let next = parser.peek_nth_token_ref(1).token.clone();
        let next_word = match &next {
            Token::Word(next) if next.quote_style.is_none() => Some(next),
            _ => None,
        };
        let is_glob = |word: &Word| word.value.eq_ignore_ascii_case("GLOB");
        let call = |name: &str, args: Vec<Expr>| crate::rewrite::build::call(name, args);
        let negate = |negated: bool, expr: Expr| {
            if negated {
                Expr::UnaryOp { op: ast::UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(expr))) }
            } else {
                expr
            }
        };
        if is_glob(word) || (word.keyword == Keyword::NOT && next_word.is_some_and(is_glob)) {
            let negated = word.keyword == Keyword::NOT;
            parser.next_token();
            if negated {
                parser.next_token();
            }
            let pattern = match parser.parse_subexpr(precedence) {
                Ok(pattern) => pattern,
                Err(error) => return Some(Err(error)),
            };
            return Some(Ok(negate(negated, call("glob", vec![pattern, expr.clone()]))));
        }
        if word.value.eq_ignore_ascii_case("ISNULL") {
            parser.next_token();
            return Some(Ok(Expr::IsNull(Box::new(expr.clone()))));
        }
        if word.keyword == Keyword::NOT && next_word.is_some_and(|next| next.keyword == Keyword::NULL) {
            parser.next_token();
            parser.next_token();
            return Some(Ok(Expr::IsNotNull(Box::new(expr.clone()))));
        }
        if word.keyword == Keyword::MATCH {
            let place = parser.peek_token_ref().span.start;
            let message = format!("MATCH needs a full-text index, which these tables do not have{place}");
            return Some(Err(ParserError::ParserError(message)));
        }
        if word.keyword == Keyword::IS {
            return self.parse_is(parser, expr, precedence);
        }
        None
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        // All tests of equality and patterns bind alike, from left to right.
        match precedence {
            Precedence::Like | Precedence::Is | Precedence::Between => self.generic.prec_value(Precedence::Eq),
            other => self.generic.prec_value(other),
        }
    }
}

impl OsqueryDialect {
    /// `x IS y`, `x IS NOT y` and `x IS [NOT] DISTINCT FROM y` for any operands; the other standard forms are left to the parser.
    fn parse_is(&self, parser: &mut Parser, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        let word_at = |parser: &Parser, at: usize| match &parser.peek_nth_token_ref(at).token {
            Token::Word(word) if word.quote_style.is_none() => word.keyword,
            _ => Keyword::NoKeyword,
        };
        let negated = word_at(parser, 1) == Keyword::NOT;
        let mut operand = if negated { 2 } else { 1 };
        let distinct = word_at(parser, operand) == Keyword::DISTINCT && word_at(parser, operand + 1) == Keyword::FROM;
        if distinct {
            operand += 2;
        }
        let standard = match word_at(parser, operand) {
            Keyword::NULL | Keyword::TRUE | Keyword::FALSE | Keyword::UNKNOWN | Keyword::JSON => true,
            Keyword::NORMALIZED | Keyword::NFC | Keyword::NFD | Keyword::NFKC | Keyword::NFKD => true,
            _ => false,
        };
        if standard && !distinct {
            return None;
        }
        for _ in 0..operand {
            parser.next_token();
        }
        let right = match parser.parse_subexpr(precedence) {
            Ok(right) => Box::new(right),
            Err(error) => return Some(Err(error)),
        };
        let left = Box::new(expr.clone());
        Some(Ok(if negated != distinct { Expr::IsDistinctFrom(left, right) } else { Expr::IsNotDistinctFrom(left, right) }))
    }
}
