//! SQL text: splitting statements.

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::diagnostic::offset;

/// One statement of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The statement, without its semicolon.
    pub sql: String,
    /// Where it starts in the text, in bytes.
    pub offset: usize,
}

/// The statements of a text, split at semicolons outside quotes and comments.
pub(crate) fn split(text: &str) -> Vec<Statement> {
    let mut ends = Vec::new();
    if let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).with_unescape(false).tokenize_with_location() {
        for token in tokens {
            if token.token == Token::SemiColon
                && let Some(at) = offset(text, token.span.start.line, token.span.start.column)
            {
                ends.push(at);
            }
        }
    }
    ends.push(text.len());
    let mut statements = Vec::new();
    let mut start = 0;
    for end in ends {
        let piece = &text[start..end];
        let sql = piece.trim();
        if !is_blank(sql) {
            statements
                .push(Statement { sql: sql.to_owned(), offset: start + (piece.len() - piece.trim_start().len()) });
        }
        start = (end + 1).min(text.len());
    }
    statements
}

/// Whether a text has only space and comments.
fn is_blank(sql: &str) -> bool {
    match Tokenizer::new(&GenericDialect {}, sql).tokenize() {
        Ok(tokens) => tokens.iter().all(|token| matches!(token, Token::Whitespace(_))),
        Err(_) => false,
    }
}

/// Whether a text ends with a semicolon outside quotes and comments, so a shell runs it immediately.
pub(crate) fn is_complete(text: &str) -> bool {
    match Tokenizer::new(&GenericDialect {}, text).tokenize() {
        Ok(tokens) => {
            tokens.iter().rev().find(|token| !matches!(token, Token::Whitespace(_))) == Some(&Token::SemiColon)
        }
        // An open quote or comment.
        Err(_) => false,
    }
}

/// The SQL statement, also below EXPLAIN; `None` for a statement of DataFusion's own.
pub(crate) fn inner(statement: &Parsed) -> Option<&ast::Statement> {
    match statement {
        Parsed::Statement(statement) => Some(statement),
        Parsed::Explain(explain) => inner(&explain.statement),
        _ => None,
    }
}

/// Like [`inner`].
pub(crate) fn inner_mut(statement: &mut Parsed) -> Option<&mut ast::Statement> {
    match statement {
        Parsed::Statement(statement) => Some(statement),
        Parsed::Explain(explain) => inner_mut(&mut explain.statement),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_split_at_semicolons_outside_quotes_and_comments() {
        let text = "SELECT ';' -- ; no\n; /* ; */ SELECT 2 ;; -- end\n";
        let sqls: Vec<String> = split(text).into_iter().map(|statement| statement.sql).collect();
        assert_eq!(sqls, ["SELECT ';' -- ; no", "/* ; */ SELECT 2"]);
    }

    #[test]
    fn a_statement_is_complete_at_its_semicolon() {
        assert!(is_complete("SELECT 1; -- done"));
        assert!(!is_complete("SELECT 1"));
        assert!(!is_complete("SELECT ';"));
        assert!(!is_complete("SELECT 1 /* ; "));
    }
}
