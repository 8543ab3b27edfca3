//! Errors, warnings and statistics on standard error, for people.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use indago::{ScanStats, Warning};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use crate::execute::{Failure, Summary};
use crate::format::Format;
use crate::progress::grouped;
use crate::render::{Style, colors_wanted, row_writer};
use crate::text::{visible, visible_lines};

/// Writes a line to standard error. A failure to write is ignored.
pub fn say(line: impl fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The text that contains a statement, and the statement's position in it.
#[derive(Debug, Clone, Copy)]
pub struct Within<'a> {
    /// The text.
    pub text: &'a str,
    /// Byte offset of the statement.
    pub offset: usize,
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
    let Failure::Query(error) = failure else { return format!("error: {}\n", visible(&failure.to_string())) };
    let view = View::of(error, within);
    match width {
        // Only characters of the text can be underlined.
        Some(width) if view.span.is_some_and(|(start, _)| start < view.sql.len()) => view.drawn(width, color),
        _ => view.plain(),
    }
}

/// An error with all its texts safe to show.
#[derive(Debug)]
struct View {
    code: &'static str,
    message: String,
    help: Option<String>,
    sql: String,
    /// Byte offsets into `sql`.
    span: Option<(usize, usize)>,
}

impl View {
    fn of(error: &indago::Error, within: Option<Within<'_>>) -> Self {
        let statement = error.sql().unwrap_or_default();
        // An error in a view has the view's own SQL.
        let is_part =
            |whole: &Within<'_>| whole.text.get(whole.offset..).is_some_and(|rest| rest.starts_with(statement));
        let Within { text: sql, offset } = within.filter(is_part).unwrap_or(Within { text: statement, offset: 0 });
        let span = error.span().filter(|span| span.start <= span.end && span.end <= statement.len()).and_then(|span| {
            let before = sql.get(..offset + span.start)?;
            let inside = sql.get(offset + span.start..offset + span.end)?;
            // Escapes lengthen the text, so the span moves.
            let start = visible_lines(before).len();
            Some((start, start + visible_lines(inside).len()))
        });
        Self {
            code: error.code().as_str(),
            message: visible_lines(&error.to_string()).into_owned(),
            help: error.help().map(|help| visible_lines(help).into_owned()),
            sql: visible_lines(sql).into_owned(),
            span,
        }
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
        let mut text = format!("error[{}]: {}\n", self.code, self.message);
        if let Some((start, end)) = self.span {
            let line_start = self.sql[..start].rfind('\n').map_or(0, |newline| newline + 1);
            let line = self.sql[line_start..].lines().next().unwrap_or_default();
            let number = self.sql[..start].matches('\n').count() + 1;
            let column = self.sql[line_start..start].chars().count();
            let marked = self.sql[start..end].lines().next().map_or(0, |marked| marked.chars().count()).max(1);
            let gutter = " ".repeat(number.to_string().len());
            // Of a long line, only the text around the position is shown.
            let skipped = column.saturating_sub(60);
            let shown: String = line.chars().skip(skipped).take(120).map(|c| if c == '\t' { ' ' } else { c }).collect();
            let room = shown.chars().count().saturating_sub(column - skipped).max(1);
            text.push_str(&format!("{gutter}--> {number}:{}\n", column + 1));
            text.push_str(&format!("{gutter} |\n{number} | {shown}\n{gutter} | "));
            text.push_str(&" ".repeat(column - skipped));
            text.push_str(&"^".repeat(marked.min(room)));
            text.push('\n');
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

impl Diagnostic for View {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.sql)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (start, end) = self.span?;
        Some(Box::new(std::iter::once(LabeledSpan::underline(start..end.max(start)))))
    }
}

/// Prints the warnings of a query.
pub fn print_warnings(warnings: &[Warning]) {
    let mut text = String::new();
    for warning in warnings {
        text.push_str(&warning_line(warning));
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}

pub(crate) fn warning_line(warning: &Warning) -> String {
    let mut text = format!("warning: {}\n", visible(&warning.to_string()));
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
            code: "unknown_table",
            message: "there is no table `proceses`".into(),
            help: Some("did you mean `processes`?".into()),
            sql: sql.into(),
            span: Some((start, start + marked.len())),
        }
    }

    #[test]
    fn errors_point_at_their_place() {
        let short = view("SELECT *\nFROM proceses\nWHERE pid = 1", "proceses");
        let long = view(&format!("SELECT {} FROM proceses, {}", "a, ".repeat(50), "b, ".repeat(50)), "proceses");
        let wide = view("SELECT 'äöü' FROM proceses", "proceses");
        let end = View { span: Some((8, 8)), ..view("SELECT (", "(") };
        let text: String = [&short, &long, &wide, &end].iter().map(|view| format!("{}\n", view.plain())).collect();
        insta::assert_snapshot!("plain", text);
        insta::assert_snapshot!("drawn", short.drawn(80, false));
    }

    #[test]
    fn counts() {
        let summary =
            |rows, millis| Summary { rows, elapsed: std::time::Duration::from_millis(millis), ..Summary::default() };
        assert_eq!(count_line(&summary(1, 5)), "1 row in 5 ms\n");
        assert_eq!(count_line(&summary(12_345, 1234)), "12,345 rows in 1.23 s\n");
    }
}
