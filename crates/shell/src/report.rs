//! Errors, warnings and statistics on standard error, for people.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use indago::{ScanStats, Warning};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

use crate::execute::{Failure, Summary};
use crate::format::Format;
use crate::progress::grouped;
use crate::render::{Style, colors_wanted, row_writer};
use crate::text::{visible, visible_lines};

/// Writes a line to standard error. A failure to write is ignored.
pub fn say(line: impl fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Standard input, in the position of an error.
pub const STDIN: &str = "<stdin>";

/// The text that contains a statement, and the statement's position in it.
#[derive(Debug, Clone, Copy)]
pub struct Within<'a> {
    /// The text.
    pub text: &'a str,
    /// Byte offset of the statement.
    pub offset: usize,
    /// The file that the text is from, and the number of lines in it before the text.
    pub file: Option<(&'a str, usize)>,
}

/// Prints an error and its help, with its position in the SQL or in the text that contains the SQL.
pub fn print_error(failure: &Failure, within: Option<Within<'_>>) {
    let terminal = std::io::stderr().is_terminal();
    let width = rustix::termios::tcgetwinsize(std::io::stderr()).ok().map(|size| usize::from(size.ws_col));
    let text =
        render_error(failure, within, terminal.then(|| width.unwrap_or(80).max(40)), terminal && colors_wanted());
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// An error as text: drawn for a terminal of a given width, or plain.
fn render_error(failure: &Failure, within: Option<Within<'_>>, width: Option<usize>, color: bool) -> String {
    let Failure::Query(error) = failure else {
        let file = within.and_then(|within| within.file).map(|(file, _)| format!("{}: ", visible(file)));
        return format!("error: {}{}\n", file.unwrap_or_default(), visible(&failure.to_string()));
    };
    let view = View::of(error, within);
    match width {
        // Only characters of the text can be underlined.
        Some(width) if view.span.is_some_and(|(start, _)| start < view.sql.len()) => view.drawn(width, color),
        _ => view.plain(),
    }
}

/// Whether a statement is the one within a text. The statement of an EXPLAIN has blanks in place of that word.
fn is_part(statement: &str, within: &Within<'_>) -> bool {
    within.text.get(within.offset..).is_some_and(|rest| {
        let mut bytes = statement.bytes().zip(rest.bytes());
        rest.len() >= statement.len() && bytes.all(|(own, whole)| own == whole || own == b' ')
    })
}

/// Characters of a long line that are shown, and how many of them come before the position.
const SHOWN: usize = 120;
const BEFORE: usize = 60;

/// An error with all its texts safe to show.
#[derive(Debug)]
struct View {
    /// `error[parse]`
    code: String,
    message: String,
    help: Option<String>,
    sql: String,
    /// Byte offsets into `sql`.
    span: Option<(usize, usize)>,
    /// The file that `sql` is from, and the number of lines before it.
    file: Option<(String, usize)>,
    /// Where the statement is in the file: its line.
    line: usize,
}

impl View {
    fn of(error: &indago::Error, within: Option<Within<'_>>) -> Self {
        let statement = error.sql().unwrap_or_default();
        // An error in a view has the view's own SQL.
        let file = within.and_then(|within| within.file).map(|(file, before)| (visible(file).into_owned(), before));
        let line = within.map_or(1, |within| {
            let before = within.text.get(..within.offset).unwrap_or_default().matches('\n').count();
            within.file.map_or(0, |(_, before)| before) + before + 1
        });
        let own = within.filter(|within| is_part(statement, within));
        let Within { text: sql, offset, .. } = own.unwrap_or(Within { text: statement, offset: 0, file: None });
        let span = error.span().filter(|span| span.start <= span.end && span.end <= statement.len()).and_then(|span| {
            let before = sql.get(..offset + span.start)?;
            let inside = sql.get(offset + span.start..offset + span.end)?;
            // Escapes lengthen the text, so the span moves.
            let start = visible_lines(before).len();
            Some((start, start + visible_lines(inside).len()))
        });
        Self {
            code: format!("error[{}]", error.code()),
            message: visible_lines(&error.to_string()).into_owned(),
            help: error.help().map(|help| visible_lines(help).into_owned()),
            sql: visible_lines(sql).into_owned(),
            span,
            // The SQL of a view is in no file.
            file: file.filter(|_| own.is_some()),
            line,
        }
    }

    /// Its position, as `file:line:column`; `None` if neither is known.
    fn position(&self) -> Option<String> {
        let file = self.file.as_ref().map(|(file, _)| format!("{file}:")).unwrap_or_default();
        match self.span {
            Some((start, _)) => {
                let line_start = self.sql[..start].rfind('\n').map_or(0, |newline| newline + 1);
                let column = self.sql[line_start..start].chars().count() + 1;
                Some(format!("{file}{}:{column}", self.number(start)))
            }
            None => self.file.is_some().then(|| format!("{file}{}", self.line)),
        }
    }

    /// The line of an offset.
    fn number(&self, offset: usize) -> usize {
        self.file.as_ref().map_or(0, |(_, before)| *before) + self.sql[..offset].matches('\n').count() + 1
    }

    fn drawn(&self, width: usize, color: bool) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false).with_context_lines(1);
        let mut text = String::new();
        match handler.render_report(&mut text, self) {
            Ok(()) => text,
            Err(_) => self.plain(),
        }
    }

    /// Plain lines for scripts and logs: the error, its position, its help.
    fn plain(&self) -> String {
        let mut text = format!("{}: {}\n", self.code, self.message);
        if let Some((start, end)) = self.span {
            let line_start = self.sql[..start].rfind('\n').map_or(0, |newline| newline + 1);
            let line = self.sql[line_start..].lines().next().unwrap_or_default();
            let number = self.number(start);
            let column = self.sql[line_start..start].chars().count();
            let marked = self.sql[start..end].lines().next().map_or(0, |marked| marked.chars().count()).max(1);
            let gutter = " ".repeat(number.to_string().len());
            // Of a long line, only the text around the position is shown.
            let skipped = column.saturating_sub(BEFORE);
            let mut shown: String =
                line.chars().skip(skipped).take(SHOWN).map(|c| if c == '\t' { ' ' } else { c }).collect();
            let room = shown.chars().count().saturating_sub(column - skipped).max(1);
            if line.chars().count() > skipped + SHOWN {
                shown.push('…');
            }
            let cut = if skipped > 0 { "…" } else { "" };
            text.push_str(&format!("{gutter}--> {}\n", self.position().unwrap_or_default()));
            text.push_str(&format!("{gutter} |\n{number} | {cut}{shown}\n{gutter} | "));
            text.push_str(&" ".repeat(column - skipped + cut.chars().count()));
            text.push_str(&"^".repeat(marked.min(room)));
            text.push('\n');
        } else if let Some(position) = self.position() {
            text.push_str(&format!(" --> {position}\n"));
        }
        if let Some(help) = &self.help {
            text.push_str(&format!("help: {help}\n"));
        }
        text
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for View {}

/// The SQL with its file's name and line numbers.
impl SourceCode for View {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let part = self.sql.read_span(span, before, after)?;
        let Some((file, lines)) = &self.file else { return Ok(part) };
        let (data, span, line) = (part.data(), *part.span(), part.line() + lines);
        let named = MietteSpanContents::new_named(file.clone(), data, span, line, part.column(), part.line_count());
        Ok(Box::new(named))
    }
}

impl Diagnostic for View {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (start, end) = self.span?;
        Some(Box::new(std::iter::once(LabeledSpan::underline(start..end.max(start)))))
    }
}

/// Prints the warnings of a query. Those of one cause are one line.
pub fn print_warnings<'a>(warnings: impl IntoIterator<Item = &'a Warning>) {
    let _ = std::io::stderr().write_all(warnings_text(warnings).as_bytes());
}

/// Tables or origins that a line about several warnings names.
const NAMED: usize = 3;

fn warnings_text<'a>(warnings: impl IntoIterator<Item = &'a Warning>) -> String {
    let mut causes: Vec<Vec<&Warning>> = Vec::new();
    for warning in warnings {
        let is_same = |other: &&mut Vec<&Warning>| {
            (other[0].outcome, &other[0].message, &other[0].needs)
                == (warning.outcome, &warning.message, &warning.needs)
        };
        match causes.iter_mut().find(is_same) {
            Some(same) => same.push(warning),
            None => causes.push(vec![warning]),
        }
    }
    let mut text = String::new();
    for same in &causes {
        let (table, origin) = match same.iter().all(|warning| warning.table == same[0].table) {
            true => (Some(same[0].table.clone()), listed(same.iter().map(|warning| &warning.origin))),
            false => (listed(same.iter().map(|warning| &warning.table)), Some(String::new())),
        };
        match (table, origin) {
            (Some(table), Some(origin)) => {
                let count = same.iter().map(|warning| warning.count).sum();
                text.push_str(&warning_line(&Warning { table, origin, count, ..same[0].clone() }));
            }
            _ => same.iter().for_each(|warning| text.push_str(&warning_line(warning))),
        }
    }
    text
}

/// The first names of many; `None` if they are few.
fn listed<'a>(names: impl Iterator<Item = &'a String>) -> Option<String> {
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.dedup();
    let others = names.len().checked_sub(NAMED).filter(|others| *others > 0)?;
    names.truncate(NAMED);
    let others = if others > 1 { format!("{others} others") } else { "1 other".to_owned() };
    Some(format!("{} and {others}", names.join(", ")))
}

fn warning_line(warning: &Warning) -> String {
    let kind = if warning.is_note() { "note" } else { "warning" };
    let mut text = format!("{kind}: {}\n", visible(&warning.to_string()));
    // Some errors already name the permission.
    if let Some(needs) = warning.needs.as_ref().filter(|needs| !warning.message.contains(needs.as_str())) {
        text.push_str(&format!("  hint: needs {}\n", visible(needs)));
    }
    text
}

/// Prints a statement to standard error as rewritten for DataFusion, if it was rewritten.
pub fn print_rewritten(summary: &Summary) {
    if let Some(rewritten) = &summary.rewritten {
        say(visible_lines(rewritten));
    }
}

/// Prints what each scan of a query did.
pub fn print_stats(summary: &Summary) {
    let text = stats_text(summary);
    let _ = std::io::stderr().write_all(text.as_bytes());
}

pub(crate) fn stats_text(summary: &Summary) -> String {
    let mut text = Vec::new();
    if !summary.scans.is_empty() {
        let batch = scans_batch(&summary.scans);
        let mut table = row_writer(Format::Table, batch.schema(), &mut text, Style::default());
        let written = table.batch(&batch).and_then(|()| table.finish());
        drop(table);
        if written.is_err() {
            text.clear();
        }
    }
    let mut text = String::from_utf8(text).unwrap_or_default();
    text.push_str(&count_line(summary));
    text
}

/// `3 rows in 12 ms`
pub(crate) fn count_line(summary: &Summary) -> String {
    let rows = if summary.rows == 1 { "1 row".to_owned() } else { format!("{} rows", grouped(summary.rows)) };
    let millis = summary.elapsed.as_secs_f64() * 1000.0;
    let time = if millis >= 1000.0 { format!("{:.2} s", millis / 1000.0) } else { format!("{millis:.0} ms") };
    format!("{rows} in {time}\n")
}

fn scans_batch(scans: &[ScanStats]) -> RecordBatch {
    let fields = vec![
        Field::new("table", DataType::Utf8, false),
        Field::new("how", DataType::Utf8, false),
        Field::new("constraints", DataType::Utf8, false),
        Field::new("filter", DataType::Utf8, false),
        Field::new("slices", DataType::UInt64, false),
        Field::new("rows", DataType::UInt64, false),
        Field::new("bytes", DataType::UInt64, false),
        Field::new("calls", DataType::UInt64, false),
        Field::new("ms", DataType::Float64, false),
    ];
    let millis = |scan: &ScanStats| (scan.elapsed.as_secs_f64() * 1e6).round() / 1e3;
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![
            Arc::new(scans.iter().map(|scan| Some(scan.table.as_str())).collect::<StringArray>()),
            Arc::new(scans.iter().map(|scan| Some(scan.how)).collect::<StringArray>()),
            Arc::new(scans.iter().map(|scan| Some(scan.constraints.as_str())).collect::<StringArray>()),
            Arc::new(scans.iter().map(|scan| Some(scan.filter.as_str())).collect::<StringArray>()),
            Arc::new(scans.iter().map(|scan| scan.slices as u64).collect::<UInt64Array>()),
            Arc::new(scans.iter().map(|scan| scan.rows).collect::<UInt64Array>()),
            Arc::new(scans.iter().map(|scan| scan.bytes).collect::<UInt64Array>()),
            Arc::new(scans.iter().map(|scan| scan.calls).collect::<UInt64Array>()),
            Arc::new(scans.iter().map(millis).collect::<Float64Array>()),
        ],
    )
    .expect("columns of equal length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(sql: &str, marked: &str) -> View {
        let start = sql.find(marked).expect("in the SQL");
        View {
            code: "error[unknown_table]".into(),
            message: "there is no table `proceses`".into(),
            help: Some("did you mean `processes`?".into()),
            sql: sql.into(),
            span: Some((start, start + marked.len())),
            file: None,
            line: 1,
        }
    }

    #[test]
    fn errors_point_at_their_place() {
        let short = view("SELECT *\nFROM proceses\nWHERE pid = 1", "proceses");
        let long = view(&format!("SELECT {} FROM proceses, {}", "a, ".repeat(50), "b, ".repeat(50)), "proceses");
        let wide = view("SELECT 'äöü' FROM proceses", "proceses");
        let end = View { span: Some((8, 8)), ..view("SELECT (", "(") };
        let in_file = View { file: Some(("trail.sql".into(), 40)), ..view("SELECT *\nFROM proceses", "proceses") };
        let no_place = View { span: None, line: 41, ..view("SELECT 1", "1") };
        let no_place = View { file: in_file.file.clone(), ..no_place };
        let views = [&short, &long, &wide, &end, &in_file, &no_place];
        let text: String = views.iter().map(|view| format!("{}\n", view.plain())).collect();
        insta::assert_snapshot!("plain", text);
        insta::assert_snapshot!("drawn", format!("{}{}", short.drawn(80, false), in_file.drawn(80, false)));
    }

    #[test]
    fn an_error_in_an_explained_statement_shows_the_whole_line() {
        let sql = "EXPLAIN SELECT nam FROM users";
        let explained = crate::execute::explained(sql).expect("an EXPLAIN");
        let within = Within { text: sql, offset: 0, file: None };
        assert!(is_part(&explained, &within) && is_part(sql, &within));
        assert!(!is_part("SELECT nam FROM users", &within), "the SQL of a view");
    }

    #[test]
    fn warnings_of_one_cause_are_one_line() {
        let error = |message: &str| indago::table::Error::Unsupported(message.to_owned());
        let warning = |table: &str, origin: &str, message: &str| Warning::of(table, origin, &error(message));
        let same = ["a", "b", "c", "d", "e"].map(|table| warning(table, "x", "no cluster is configured"));
        let mut all: Vec<Warning> = same.into_iter().flatten().collect();
        all.extend(warning("f", "x", "odd"));
        all.extend(warning("g", "y", "odd"));
        all.extend(["1", "2", "3", "4"].into_iter().filter_map(|origin| warning("h", origin, "no such name")));
        let expected = "warning: a, b, c and 2 others: no cluster is configured [5 times]\nwarning: f (x): odd\n\
            warning: g (y): odd\nwarning: h (1, 2, 3 and 1 other): no such name [4 times]\n";
        assert_eq!(warnings_text(&all), expected);
    }

    #[test]
    fn counts() {
        let summary =
            |rows, millis| Summary { rows, elapsed: std::time::Duration::from_millis(millis), ..Summary::default() };
        assert_eq!(count_line(&summary(1, 5)), "1 row in 5 ms\n");
        assert_eq!(count_line(&summary(12_345, 1234)), "12,345 rows in 1.23 s\n");
    }
}
