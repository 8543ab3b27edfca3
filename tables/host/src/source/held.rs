//! Lists that are charged to the query's memory.

use indago_table::Held;
use indago_table::prelude::*;

/// A list that is charged to the query's memory until it is dropped, or the iterator over it.
#[derive(Debug)]
pub(crate) struct HeldList<T> {
    items: Vec<T>,
    /// Bytes that items own elsewhere.
    owned: usize,
    held: Held,
}

impl<T> Default for HeldList<T> {
    /// An empty list that stays empty: it is charged to nothing.
    fn default() -> Self {
        HeldList { items: Vec::new(), owned: 0, held: Held::default() }
    }
}

impl<T> HeldList<T> {
    pub(crate) fn new(sys: &Sys) -> Self {
        // Nothing is charged yet, so this cannot fail.
        HeldList { held: sys.meter().hold(0).unwrap_or_default(), ..HeldList::default() }
    }

    /// Adds an item that owns this many bytes elsewhere; see [`owned`]. Fails if the memory limit is reached.
    pub(crate) fn push(&mut self, item: T, owned: usize) -> Result<()> {
        // A list that grows is copied to twice its size.
        let own = 2 * (self.items.len() + 1) * size_of::<T>();
        self.owned += owned;
        self.held.cover(own + self.owned)?;
        self.items.push(item);
        Ok(())
    }
}

impl<T: Row> HeldList<T> {
    /// Adds a row. Fails if the memory limit is reached.
    pub(crate) fn add(&mut self, row: T) -> Result<()> {
        // Each value may be an allocation.
        let owned = Row::bytes(&row) + T::SPEC.columns.len() * ALLOCATION;
        self.push(row, owned)
    }
}

/// Bytes that texts own, with those of their allocations.
pub(crate) fn owned<const N: usize>(texts: [&str; N]) -> usize {
    texts.iter().map(|text| owned_bytes(text.len())).sum()
}

/// Bytes of an allocation. Small ones cost more than their length.
pub(crate) fn owned_bytes(length: usize) -> usize {
    if length == 0 { 0 } else { length + ALLOCATION }
}

/// What an allocation costs beside its length.
const ALLOCATION: usize = 24;

impl<T> std::ops::Deref for HeldList<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

/// Items may change and move, but what they own counts as it was.
impl<T> std::ops::DerefMut for HeldList<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<T> IntoIterator for HeldList<T> {
    type Item = T;
    type IntoIter = HeldItems<T>;

    fn into_iter(self) -> HeldItems<T> {
        HeldItems { items: self.items.into_iter(), _held: self.held }
    }
}

/// The items of a [`HeldList`].
#[derive(Debug)]
pub(crate) struct HeldItems<T> {
    items: std::vec::IntoIter<T>,
    _held: Held,
}

impl<T> Iterator for HeldItems<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.items.next()
    }
}

/// The lines of a text, which is charged to the query's memory. They are parsed when their rows are needed.
#[derive(Debug)]
pub(crate) struct HeldLines {
    text: String,
    at: usize,
    /// Number of the last line, from 1.
    number: usize,
    _held: Held,
}

impl HeldLines {
    pub(crate) fn new(sys: &Sys, text: String) -> Result<Self> {
        let held = sys.meter().hold(text.len())?;
        Ok(HeldLines { text, at: 0, number: 0, _held: held })
    }

    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        HeldLines { text: text.to_owned(), at: 0, number: 0, _held: Held::default() }
    }

    /// The next line and its number.
    fn next(&mut self) -> Option<(usize, &str)> {
        let rest = &self.text[self.at..];
        let line = rest.lines().next()?;
        self.at += rest.find('\n').map_or(rest.len(), |end| end + 1);
        self.number += 1;
        Some((self.number, line))
    }

    /// What a function makes of each line and its number.
    pub(crate) fn filter_map<T>(mut self, mut parse: impl FnMut(usize, &str) -> Option<T>) -> impl Iterator<Item = T> {
        std::iter::from_fn(move || {
            loop {
                let (number, line) = self.next()?;
                if let Some(found) = parse(number, line) {
                    return Some(found);
                }
            }
        })
    }

    /// The same for the lines that are [`settings`](super::texts::settings).
    pub(crate) fn settings<T>(self, mut parse: impl FnMut(usize, &str) -> Option<T>) -> impl Iterator<Item = T> {
        self.filter_map(move |number, line| {
            let (_, line) = super::texts::settings(line).next()?;
            parse(number, line)
        })
    }
}

/// The files in a directory, read by a query with a limit of memory.
#[cfg(test)]
pub(crate) fn limited(root: &std::path::Path, limit: usize) -> (Sys, Limit) {
    use std::sync::Arc;

    use indago_table::{Budget, QueryScope, ScanContext};

    struct Purse(Arc<std::sync::atomic::AtomicUsize>);

    impl Budget for Purse {
        fn take(&mut self, bytes: usize) -> Result<()> {
            use std::sync::atomic::Ordering::Relaxed;
            let left = self.0.load(Relaxed).checked_sub(bytes);
            self.0.store(left.ok_or_else(|| Error::OutOfMemory("no memory is left".to_owned()))?, Relaxed);
            Ok(())
        }

        fn give_back(&mut self, bytes: usize) {
            self.0.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        }
    }

    let query = Arc::new(QueryScope::new(Timestamp(0)));
    let left = Arc::new(limit.into());
    query.charge(Purse(Arc::clone(&left)));
    let context = ScanContext { query: query.clone(), ..ScanContext::new([]) };
    let scan = Scan::<crate::users::User>::new(context, &Sys::at(root));
    (scan.sys().clone(), Limit { _query: query, left })
}

/// A query with a limit of memory.
#[cfg(test)]
pub(crate) struct Limit {
    _query: std::sync::Arc<indago_table::QueryScope>,
    left: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

#[cfg(test)]
impl Limit {
    pub(crate) fn left(&self) -> usize {
        self.left.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_one_at_a_time_and_their_text_is_charged() {
        for text in ["", "a", "a\n", "\n\na\r\n\né b\n\r\nlast", " # x\n y \n"] {
            let lines = HeldLines::of(text).filter_map(|number, line| Some((number, line.to_owned())));
            let expected = text.lines().zip(1..).map(|(line, number)| (number, line.to_owned()));
            assert_eq!(lines.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{text:?}");
            let lines = HeldLines::of(text).settings(|number, line| Some((number, line.to_owned())));
            let expected = crate::source::texts::settings(text).map(|(number, line)| (number, line.to_owned()));
            assert_eq!(lines.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{text:?}");
        }
        let root = tempfile::tempdir().expect("a directory");
        let (sys, limit) = limited(root.path(), 1 << 20);
        let mut lines =
            HeldLines::new(&sys, "a\n".repeat(300 << 10)).expect("memory is left").filter_map(|_, _| Some(()));
        assert!(lines.next().is_some() && limit.left() < 512 << 10);
        drop(lines);
        assert_eq!(limit.left(), 1 << 20);
        assert!(HeldLines::new(&sys, "a\n".repeat(600 << 10)).is_err());
    }

    #[test]
    fn a_list_is_charged_until_its_iterator_is_dropped() {
        let root = tempfile::tempdir().expect("a directory");
        let (sys, limit) = limited(root.path(), 1 << 20);
        let mut list = HeldList::new(&sys);
        for text in ["a", "b"] {
            list.push(text.to_owned(), 200 << 10).expect("memory is left");
        }
        assert!(limit.left() <= (1 << 20) - (400 << 10), "{}", limit.left());
        let long = list.push("c".to_owned(), 1 << 20);
        assert!(matches!(long, Err(Error::OutOfMemory(_))), "{long:?}");
        assert_eq!(list.len(), 2);
        let mut items = list.into_iter();
        assert_eq!(items.next().as_deref(), Some("a"));
        assert!(limit.left() < 1 << 20);
        drop(items);
        assert_eq!(limit.left(), 1 << 20);
        assert_eq!((owned(["", "ab"]), owned_bytes(0)), (26, 0));
    }
}
