//! Compiled regular expressions, kept for the rows to come.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use regex::Regex;

/// osquery's default bound on the length of a regular expression.
const LONGEST: usize = 256;
/// How many are kept in one thread.
const KEPT: usize = 64;

/// The compiled expression; `Err` says what is wrong with it.
pub(crate) fn compiled(source: &str) -> Result<Rc<Regex>, String> {
    thread_local!(static CACHE: RefCell<HashMap<String, Rc<Regex>>> = RefCell::default());
    if source.len() > LONGEST {
        return Err(format!("Invalid regex: longer than {LONGEST} bytes"));
    }
    CACHE.with_borrow_mut(|cache| {
        if let Some(regex) = cache.get(source) {
            return Ok(Rc::clone(regex));
        }
        let regex = Regex::new(source).map_err(|error| format!("Invalid regex: {error}"))?;
        if cache.len() >= KEPT {
            cache.clear();
        }
        let regex = Rc::new(regex);
        cache.insert(source.to_owned(), Rc::clone(&regex));
        Ok(regex)
    })
}
