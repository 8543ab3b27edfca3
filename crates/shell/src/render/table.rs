//! A table with borders.
//!
//! Column widths come from a sample of the first rows, which is buffered. On a terminal, cells are cut so that the table
//! fits, and a later batch with wider cells starts a new header with new widths. In a file or pipe nothing is cut: wider
//! cells of later rows stick out. If not all columns fit the terminal, rows are written with one column per line.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use indago::packs::json::Cells;

use super::line::LineWriter;
use super::{BOLD, DIM, NULL, RESET, RowSink, Style, shown, to_io};
use crate::text::{cut, visible, width, wrapped};

/// Size of the sample, in rows and in bytes of text.
const SAMPLE_ROWS: usize = 5000;
const SAMPLE_BYTES: usize = 4 << 20;

/// Smallest width that a column is cut to.
const NARROWEST: usize = 8;

/// Width that other cells are padded to, at most.
const WIDEST: usize = 10_000;

type Row = Vec<Option<String>>;

pub(super) struct TableWriter<W: Write> {
    state: State<W>,
    names: Vec<String>,
    right: Vec<bool>,
    schema: SchemaRef,
    style: Style,
}

enum State<W: Write> {
    /// Buffering rows until the widths are chosen.
    Sampling { out: W, rows: Vec<Row>, bytes: usize },
    /// Widths are chosen and the header is written. `natural` is the widest cell of each column so far.
    Table { out: W, natural: Vec<usize>, widths: Vec<usize> },
    /// One column per line.
    Lines(LineWriter<W>),
    /// Placeholder while the state changes.
    Changing,
}

/// Whether a column is aligned to the right.
pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

impl<W: Write> TableWriter<W> {
    pub(super) fn new(schema: SchemaRef, out: W, style: Style) -> Self {
        let names = schema.fields().iter().map(|field| visible(field.name()).into_owned()).collect();
        let right = schema.fields().iter().map(|field| is_number(field.data_type())).collect();
        Self { state: State::Sampling { out, rows: Vec::new(), bytes: 0 }, names, right, schema, style }
    }

    /// The widest cell of each column, and at least `natural`.
    fn widest(&self, natural: &[usize], rows: &[Row]) -> Vec<usize> {
        let cell = |row: &Row, column: usize| row[column].as_deref().map_or(NULL.len(), width);
        let widest = |(column, natural): (usize, &usize)| {
            rows.iter().map(|row| cell(row, column)).max().unwrap_or(0).max(*natural).clamp(1, WIDEST)
        };
        natural.iter().enumerate().map(widest).collect()
    }

    /// Chooses widths from the buffered rows and writes them.
    fn begin(&mut self) -> io::Result<()> {
        if !matches!(self.state, State::Sampling { .. }) {
            return Ok(());
        }
        let State::Sampling { out, rows, .. } = std::mem::replace(&mut self.state, State::Changing) else {
            return Ok(());
        };
        let names: Vec<usize> = self.names.iter().map(|name| width(name)).collect();
        let natural = self.widest(&names, &rows);
        let Some(widths) = fit(&natural, self.style.width) else {
            let mut lines = LineWriter::new(&self.schema, out, self.style);
            for row in &rows {
                lines.record(row)?;
            }
            self.state = State::Lines(lines);
            return Ok(());
        };
        self.state = State::Table { out, natural, widths };
        self.header()?;
        self.rows(&rows)
    }

    fn header(&mut self) -> io::Result<()> {
        self.write(|this, widths, text| {
            this.rule(widths, ['┌', '┬', '┐'], text);
            text.push('│');
            for ((name, width), right) in this.names.iter().zip(widths).zip(&this.right) {
                pad(name, *width, *right, this.is_cut(), if this.style.color { BOLD } else { "" }, text);
            }
            text.push('\n');
            this.rule(widths, ['├', '┼', '┤'], text);
        })
    }

    fn footer(&mut self) -> io::Result<()> {
        self.write(|this, widths, text| this.rule(widths, ['└', '┴', '┘'], text))
    }

    /// On a terminal, widths follow the rows: wider cells start a new header.
    fn widen(&mut self, rows: &[Row]) -> io::Result<()> {
        let State::Table { natural, widths, .. } = &self.state else { return Ok(()) };
        let wider = self.widest(natural, rows);
        let Some(fitting) = fit(&wider, self.style.width).filter(|fitting| self.is_cut() && fitting != widths) else {
            return Ok(());
        };
        self.footer()?;
        if let State::Table { natural, widths, .. } = &mut self.state {
            (*natural, *widths) = (wider, fitting);
        }
        self.header()
    }

    /// Whether cells are cut to the width of their column.
    fn is_cut(&self) -> bool {
        self.style.width.is_some()
    }

    fn write(&mut self, text: impl FnOnce(&Self, &[usize], &mut String)) -> io::Result<()> {
        let State::Table { widths, .. } = &self.state else { return Ok(()) };
        let mut out = String::new();
        text(self, widths, &mut out);
        match &mut self.state {
            State::Table { out: file, .. } => file.write_all(out.as_bytes()),
            _ => Ok(()),
        }
    }

    fn rule(&self, widths: &[usize], [left, middle, right]: [char; 3], text: &mut String) {
        text.push(left);
        for (column, width) in widths.iter().enumerate() {
            if column > 0 {
                text.push(middle);
            }
            text.extend(std::iter::repeat_n('─', width + 2));
        }
        text.push(right);
        text.push('\n');
    }

    fn rows(&mut self, rows: &[Row]) -> io::Result<()> {
        if let State::Lines(lines) = &mut self.state {
            return rows.iter().try_for_each(|row| lines.record(row));
        }
        self.write(|this, widths, text| {
            let wrapped: Vec<Row>;
            let rows = match this.style.wraps && this.is_cut() {
                true => {
                    wrapped = rows.iter().flat_map(|row| wrapped_row(row, widths)).collect();
                    &wrapped[..]
                }
                false => rows,
            };
            for row in rows {
                text.push('│');
                for ((cell, width), right) in row.iter().zip(widths).zip(&this.right) {
                    match cell {
                        Some(cell) => pad(cell, *width, *right, this.is_cut(), "", text),
                        None => pad(NULL, *width, *right, false, if this.style.color { DIM } else { "" }, text),
                    }
                }
                text.push('\n');
            }
        })
    }
}

/// A row as lines whose cells fit their columns. A word that is too long is cut.
fn wrapped_row(row: &Row, widths: &[usize]) -> Vec<Row> {
    let lines = |(cell, most): (&Option<String>, &usize)| match cell {
        Some(cell) if width(cell) > *most => wrapped(cell, *most).into_iter().map(Some).collect(),
        cell => vec![cell.clone()],
    };
    let cells: Vec<Vec<Option<String>>> = row.iter().zip(widths).map(lines).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(1);
    let line = |at: usize| cells.iter().map(|cell| cell.get(at).cloned().unwrap_or(Some(String::new()))).collect();
    (0..height).map(line).collect()
}

fn pad(cell: &str, most: usize, right: bool, is_cut: bool, color: &str, text: &mut String) {
    let cell = if is_cut { cut(cell, most) } else { cell.into() };
    let blanks = " ".repeat(most - width(&cell).min(most));
    let reset = if color.is_empty() { "" } else { RESET };
    if right {
        text.push_str(&format!(" {blanks}{color}{cell}{reset} │"));
    } else {
        text.push_str(&format!(" {color}{cell}{reset}{blanks} │"));
    }
}

/// Widths that fit; the widest columns are narrowed first. `None` if even the narrowest columns do not fit.
fn fit(natural: &[usize], most: Option<usize>) -> Option<Vec<usize>> {
    let Some(most) = most else { return Some(natural.to_vec()) };
    let room = most.checked_sub(3 * natural.len() + 1)?;
    let used = |cap: usize| natural.iter().map(|width| (*width).min(cap)).sum::<usize>();
    let widest = natural.iter().copied().max().unwrap_or(0);
    let cap = (NARROWEST.min(widest)..=widest).rev().find(|cap| used(*cap) <= room)?;
    let mut widths: Vec<usize> = natural.iter().map(|width| (*width).min(cap)).collect();
    let mut left = room - used(cap);
    for (width, natural) in widths.iter_mut().zip(natural) {
        if left > 0 && *width < *natural {
            *width += 1;
            left -= 1;
        }
    }
    Some(widths)
}

impl<W: Write> RowSink for TableWriter<W> {
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let mut cells = Cells::new(batch).map_err(to_io)?;
        let mut read =
            |row: usize| -> Row { (0..cells.columns()).map(|column| shown(&mut cells, column, row)).collect() };
        if let State::Sampling { rows, bytes, .. } = &mut self.state {
            for row in 0..batch.num_rows() {
                let row = read(row);
                *bytes += row.iter().flatten().map(|cell| cell.len() + 32).sum::<usize>();
                rows.push(row);
            }
            return if rows.len() >= SAMPLE_ROWS || *bytes >= SAMPLE_BYTES { self.begin() } else { Ok(()) };
        }
        let rows: Vec<Row> = (0..batch.num_rows()).map(read).collect();
        self.widen(&rows)?;
        self.rows(&rows)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.begin()?;
        self.footer()?;
        match &mut self.state {
            State::Table { out, .. } => out.flush(),
            State::Lines(lines) => lines.end(),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    /// Rows of two columns as a table: so many short ones, and then one with a long cell.
    fn rendered(short: usize, long: &str, style: Style) -> String {
        let names: ArrayRef = Arc::new((0..short).map(|_| Some("short")).collect::<StringArray>());
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..short as i64));
        let first = RecordBatch::try_from_iter([("n", numbers), ("name", names)]).expect("equal lengths");
        let last: ArrayRef = Arc::new(StringArray::from(vec![long]));
        let number: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        let last = RecordBatch::try_from_iter([("n", number), ("name", last)]).expect("equal lengths");
        let mut text = Vec::new();
        let mut writer = TableWriter::new(first.schema(), &mut text, style);
        writer.batch(&first).and_then(|()| writer.batch(&last)).and_then(|()| writer.finish()).expect("written");
        drop(writer);
        String::from_utf8(text).expect("UTF-8")
    }

    #[test]
    fn nothing_is_cut_in_a_file() {
        for (short, long) in [(1, WIDEST + 5), (SAMPLE_ROWS + 1000, 70), (SAMPLE_ROWS - 1, 70)] {
            let long = "x".repeat(long);
            let text = rendered(short, &long, Style::default());
            assert!(text.contains(&format!("│ {long}")), "{short}: the long cell is missing");
            assert_eq!(text.lines().count(), short + 5);
            assert!(text.lines().last().is_some_and(|line| line.starts_with('└')), "{short}: no lower border");
        }
    }

    #[test]
    fn widths_of_a_terminal_follow_the_rows() {
        let style = Style { width: Some(40), terminal: true, ..Style::default() };
        let text = rendered(SAMPLE_ROWS + 1000, &"x".repeat(20), style);
        let end: Vec<&str> = text.lines().rev().take(6).collect();
        assert_eq!(
            end,
            [
                "└──────┴──────────────────────┘",
                "│    7 │ xxxxxxxxxxxxxxxxxxxx │",
                "├──────┼──────────────────────┤",
                "│    n │ name                 │",
                "┌──────┬──────────────────────┐",
                "└──────┴───────┘",
            ]
        );
        let text = rendered(SAMPLE_ROWS + 1000, &"x".repeat(200), style);
        let last = text.lines().rev().nth(1).expect("a row");
        assert_eq!((width(last), last.contains("xx…")), (40, true), "{last}");
    }

    #[test]
    fn long_cells_wrap_if_the_style_says_so() {
        let style = Style { width: Some(30), terminal: true, wraps: true, ..Style::default() };
        let text = rendered(1, "one two three four five six", style);
        let end: Vec<&str> = text.lines().rev().take(3).collect();
        let line = |number: &str, text: &str| format!("│ {number:1} │ {text:22} │");
        assert_eq!(end[1..], [line("", "five six"), line("7", "one two three four")], "{text}");
        let count = |word: &str| text.matches(word).count();
        assert_eq!((count("…"), count(" 7 ")), (0, 1), "{text}");
    }

    #[test]
    fn the_widest_columns_give_way() {
        assert_eq!(fit(&[3, 50, 10], None), Some(vec![3, 50, 10]));
        assert_eq!(fit(&[3, 50, 10], Some(80)), Some(vec![3, 50, 10]));
        assert_eq!(fit(&[3, 50, 10], Some(50)), Some(vec![3, 27, 10]));
        assert_eq!(fit(&[30, 30], Some(42)), Some(vec![18, 17]));
        assert_eq!(fit(&[30, 30], Some(20)), None);
        assert_eq!(fit(&[1; 40], Some(80)), None);
        assert_eq!(fit(&[2, 2], Some(11)), Some(vec![2, 2]));
    }
}
