//! The plans of `EXPLAIN ANALYZE` and `EXPLAIN VERBOSE` as lines, not as cells of a table.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};
use indago::packs::json::Cells;

use super::{BOLD, RESET, RowSink, Style, to_io};
use crate::text::{visible, visible_lines};

/// Whether rows are the plans that `EXPLAIN` returns.
pub(super) fn is_plan(schema: &Schema) -> bool {
    let is = |at: usize, name: &str| {
        let field = schema.field(at);
        field.name() == name && *field.data_type() == DataType::Utf8 && !field.is_nullable()
    };
    schema.fields().len() == 2 && is(0, "plan_type") && is(1, "plan")
}

pub(super) struct PlanWriter<W> {
    out: W,
    color: bool,
    begun: bool,
}

impl<W: Write> PlanWriter<W> {
    pub(super) fn new(out: W, style: Style) -> Self {
        Self { out, color: style.color, begun: false }
    }
}

impl<W: Write> RowSink for PlanWriter<W> {
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let mut cells = Cells::new(batch).map_err(to_io)?;
        let (bold, reset) = if self.color { (BOLD, RESET) } else { ("", "") };
        for row in 0..batch.num_rows() {
            let (mut kind, mut plan) = (String::new(), String::new());
            cells.text(0, row, &mut kind);
            cells.text(1, row, &mut plan);
            let gap = if std::mem::replace(&mut self.begun, true) { "\n" } else { "" };
            writeln!(self.out, "{gap}{bold}{}{reset}\n{}", visible(&kind), visible_lines(plan.trim_end()))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
