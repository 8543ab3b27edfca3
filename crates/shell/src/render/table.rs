//! A table with borders that fits the terminal.
//!
//! Column widths come from a sample of the first rows, which is buffered. Later rows are cut to those widths and
//! written as they arrive. If not all columns fit, rows are written with one column per line.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use indago::packs::json::Cells;

use super::line::LineWriter;
use super::{BOLD, DIM, NULL, RESET, RowSink, Style, shown, to_io};
use crate::text::{cut, visible, width};

/// Size of the sample, in rows and in bytes of text.
const SAMPLE_ROWS: usize = 5000;
const SAMPLE_BYTES: usize = 4 << 20;

/// Smallest width that a column is cut to.
const NARROWEST: usize = 8;

/// Width that a cell is cut to in a file.
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
    /// Widths are chosen and the header is written.
    Table { out: W, widths: Vec<usize> },
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

    /// Chooses widths from the buffered rows and writes them.
    fn begin(&mut self) -> io::Result<()> {
        let State::Sampling { out, rows, .. } = std::mem::replace(&mut self.state, State::Changing) else {
            return Ok(());
        };
        let natural: Vec<usize> = self
            .names
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let cell = |row: &Row| row[column].as_deref().map_or(NULL.len(), width);
                rows.iter().map(cell).max().unwrap_or(0).max(width(name)).clamp(1, WIDEST)
            })
            .collect();
        let Some(widths) = fit(&natural, self.style.width) else {
            let mut lines = LineWriter::new(&self.schema, out, self.style);
            for row in &rows {
                lines.record(row)?;
            }
            self.state = State::Lines(lines);
            return Ok(());
        };
        self.state = State::Table { out, widths };
        self.write(|this, widths, text| {
            this.rule(widths, ['┌', '┬', '┐'], text);
            let cells: Vec<String> = this.names.iter().map(|name| cut(name, WIDEST).into_owned()).collect();
            text.push('│');
            for ((name, width), right) in cells.iter().zip(widths).zip(&this.right) {
                pad(name, *width, *right, if this.style.color { BOLD } else { "" }, text);
            }
            text.push('\n');
            this.rule(widths, ['├', '┼', '┤'], text);
        })?;
        self.rows(&rows)
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
            for row in rows {
                text.push('│');
                for ((cell, width), right) in row.iter().zip(widths).zip(&this.right) {
                    match cell {
                        Some(cell) => pad(cell, *width, *right, "", text),
                        None => pad(NULL, *width, *right, if this.style.color { DIM } else { "" }, text),
                    }
                }
                text.push('\n');
            }
        })
    }
}

fn pad(cell: &str, most: usize, right: bool, color: &str, text: &mut String) {
    let cell = cut(cell, most);
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
        self.rows(&rows)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.begin()?;
        self.write(|this, widths, text| this.rule(widths, ['└', '┴', '┘'], text))?;
        match &mut self.state {
            State::Table { out, .. } => out.flush(),
            State::Lines(lines) => lines.end(),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
