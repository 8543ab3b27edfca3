//! Paths into JSON.

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
    /// Counted from the end: `[#-1]` is the last element, `[#]` the one after it.
    FromEnd(usize),
}

/// Reads `$.a[0]."b c"[#-1]`.
pub(crate) fn parse(text: &str) -> Result<Vec<Step>, String> {
    let bad = || format!("bad JSON path: '{}'", text.replace('\'', "''"));
    let mut rest = text.strip_prefix('$').ok_or_else(bad)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            if let Some(quoted) = after.strip_prefix('"') {
                let end = quoted.find('"').ok_or_else(bad)?;
                steps.push(Step::Key(quoted[..end].to_owned()));
                rest = &quoted[end + 1..];
            } else {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                if end == 0 {
                    return Err(bad());
                }
                steps.push(Step::Key(after[..end].to_owned()));
                rest = &after[end..];
            }
        } else if let Some(after) = rest.strip_prefix('[') {
            let end = after.find(']').ok_or_else(bad)?;
            let index = &after[..end];
            let step = match index.strip_prefix('#') {
                Some("") => Step::FromEnd(0),
                Some(back) => {
                    let back = back.strip_prefix('-').and_then(|back| back.parse().ok()).ok_or_else(bad)?;
                    Step::FromEnd(back)
                }
                None => Step::Index(index.parse().map_err(|_| bad())?),
            };
            steps.push(step);
            rest = &after[end + 1..];
        } else {
            return Err(bad());
        }
    }
    Ok(steps)
}
