//! Named windows.

use sqlparser::ast::{self, Select, WindowSpec};

use super::error::{DialectError, Result};
use crate::build;

/// The windows of the WINDOW clause, each merged with the window that it refers to.
pub(crate) fn named_windows(select: &Select) -> Result<Vec<(String, WindowSpec)>> {
    let mut windows: Vec<(String, WindowSpec)> = Vec::new();
    for ast::NamedWindowDefinition(name, expr) in &select.named_window {
        let mut spec = match expr {
            ast::NamedWindowExpr::WindowSpec(spec) => spec.clone(),
            ast::NamedWindowExpr::NamedWindow(other) => build::window(Some(other.clone()), Vec::new()),
        };
        complete_window(&mut spec, &windows)?;
        windows.push((name.value.clone(), spec));
    }
    Ok(windows)
}

/// `(w ORDER BY x)`: the definition of the window `w` is inserted.
pub(crate) fn complete_window(spec: &mut WindowSpec, windows: &[(String, WindowSpec)]) -> Result<()> {
    let Some(name) = &spec.window_name else { return Ok(()) };
    let Some((_, base)) = windows.iter().find(|(own, _)| own.eq_ignore_ascii_case(&name.value)) else {
        return Err(DialectError::new(format!("no such window: {}", name.value), name.span));
    };
    spec.window_name = None;
    if spec.partition_by.is_empty() {
        spec.partition_by.clone_from(&base.partition_by);
    }
    if spec.order_by.is_empty() {
        spec.order_by.clone_from(&base.order_by);
    }
    if spec.window_frame.is_none() {
        spec.window_frame.clone_from(&base.window_frame);
    }
    Ok(())
}
