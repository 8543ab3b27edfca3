//! The pages of a LIST, one after another: the next one is asked for as soon as the one before says how to go on, which
//! stands at its start.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::Shared;
use indago_table::json::{self, Shape};
use indago_table::{Error, Result, Scan, row::Row};
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::Instrument;

use crate::call::{Answer, get};
use crate::clusters::{Cluster, Kubernetes};

/// Objects in a page: what kubectl asks for, too.
pub(crate) const PAGE_SIZE: usize = 500;

/// A list on an API server.
#[derive(Debug, Clone)]
pub(crate) struct List {
    pub(crate) cluster: Arc<Cluster>,
    /// Path of the list.
    pub(crate) path: String,
    /// Which objects, by the API's own selectors; empty for all.
    pub(crate) label_selector: String,
    pub(crate) field_selector: String,
    pub(crate) page_size: usize,
    /// The permission to list them, as the table names it.
    pub(crate) needs: &'static str,
}

/// The request for its first page, as an API server reads it.
impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.page_after(None))
    }
}

impl List {
    fn page_after(&self, token: Option<&str>) -> String {
        let mut url = format!("{}?limit={}", self.path, self.page_size);
        for (name, value) in [("labelSelector", &self.label_selector), ("fieldSelector", &self.field_selector)] {
            if !value.is_empty() {
                url += &format!("&{name}={}", encoded(value));
            }
        }
        if let Some(token) = token {
            url += &format!("&continue={}", encoded(token));
        }
        url
    }
}

/// A value in a query, with what would end or change it escaped, and no more: the URL is also read by people.
fn encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => encoded.push(byte.into()),
            b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@' | b'!' | b'$' | b'(' | b')' | b'*' | b',' | b'=' => {
                encoded.push(byte.into());
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

/// A page, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) text: Bytes,
    /// Whether there are more behind it.
    pub(crate) has_next: bool,
}

/// Fetches a list's pages in turn. Dropping the future of [`next`](Pager::next) loses nothing: it can be asked again.
#[derive(Debug)]
pub(crate) struct Pager {
    list: Arc<List>,
    place: Place,
    /// The page that is next, and the one behind it.
    fetch: Option<Fetch>,
    ahead: Option<Fetch>,
    restarted: bool,
}

/// Where in the list the next page begins.
#[derive(Debug, Clone)]
enum Place {
    Start,
    After(String),
    End,
}

/// A page on its way.
#[derive(Debug)]
struct Fetch {
    url: String,
    answer: Task<Answer>,
    /// The token of the page behind it, once it is known.
    token: watch::Receiver<Option<String>>,
}

/// The start of a page in which its token is looked for before all of it is there.
const START: usize = 16 << 10;

impl Fetch {
    fn start<T: Row<Env = Kubernetes>>(scan: &Scan<T>, list: &Arc<List>, url: String) -> Self {
        let (sender, token) = watch::channel(None);
        let (scan, list, path) = (scan.clone(), list.clone(), url.clone());
        let answer = Task::spawn(async move {
            // How much of the start there was when it was last looked at.
            let seen = AtomicUsize::new(0);
            let arriving = |text: &[u8]| {
                let start = &text[..text.len().min(START)];
                if seen.swap(start.len(), Ordering::Relaxed) < start.len() && sender.borrow().is_none() {
                    sender.send_replace(next_token(start));
                }
            };
            get(&scan, &list.cluster, &path, list.needs, &arriving).await
        });
        Fetch { url, answer, token }
    }
}

/// A page's token, while the page arrives; for ever, where it has none there.
async fn told(token: &mut watch::Receiver<Option<String>>) -> String {
    let told = token.wait_for(Option::is_some).await.ok().and_then(|token| token.clone());
    match told {
        Some(token) => token,
        None => std::future::pending().await,
    }
}

/// Work on a thread of the runtime, given up when nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct Task<T>(tokio::task::JoinHandle<Result<T>>);

impl<T: Send + 'static> Task<T> {
    pub(crate) fn spawn(work: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        Task(tokio::spawn(work.in_current_span()))
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let outcome = std::task::ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(outcome.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Cancelled),
        }))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pager {
    pub(crate) fn new(list: List) -> Self {
        Pager { list: Arc::new(list), place: Place::Start, fetch: None, ahead: None, restarted: false }
    }

    /// The next page; `None` behind the last one.
    ///
    /// A list that expires while it is read goes on where the server says, or once from its start: then objects come
    /// that came before.
    pub(crate) async fn next<T: Row<Env = Kubernetes>>(&mut self, scan: &Scan<T>) -> Result<Option<Page>> {
        loop {
            if matches!(self.place, Place::End) {
                return Ok(None);
            }
            // With a limit, the rows of this page may be all that is asked for.
            let goes_on = scan.limit().is_none();
            let url = self.url(&self.place);
            let fetch = self.fetch.get_or_insert_with(|| Fetch::start(scan, &self.list, url));
            let answer = if goes_on && self.ahead.is_none() {
                tokio::select! {
                    biased;
                    answer = &mut fetch.answer => answer,
                    token = told(&mut fetch.token) => {
                        let url = self.url(&Place::After(token));
                        self.ahead = Some(Fetch::start(scan, &self.list, url));
                        continue;
                    }
                }
            } else {
                (&mut fetch.answer).await
            };
            self.fetch = None;
            let ahead = self.ahead.take();
            match answer {
                Ok(Answer::Body(text)) => {
                    let next = next_token(&text);
                    if let (Some(next), Place::After(token)) = (&next, &self.place)
                        && next == token
                    {
                        let path = &self.list.path;
                        let message =
                            format!("{path}: the page says that it comes after itself: the list's end is missing");
                        return Err(Error::Malformed(message));
                    }
                    self.place = next.map_or(Place::End, Place::After);
                    let has_next = !matches!(self.place, Place::End);
                    if has_next && goes_on {
                        let url = self.url(&self.place);
                        // A page that was asked for again can go on elsewhere than its first try.
                        let ahead = ahead.filter(|ahead| ahead.url == url);
                        self.fetch = Some(ahead.unwrap_or_else(|| Fetch::start(scan, &self.list, url)));
                    }
                    return Ok(Some(Page { text, has_next }));
                }
                Ok(Answer::Expired(next)) if !self.restarted => {
                    tracing::debug!(list = %self.list, ?next, "the list expired while it was read");
                    self.restarted = true;
                    self.place = next.map_or(Place::Start, Place::After);
                }
                Ok(Answer::Expired(_)) => {
                    return Err(Error::Unavailable(
                        "the list expired twice while it was read: its end is missing".to_owned(),
                    ));
                }
                Ok(Answer::Missing(message)) => {
                    let path = &self.list.path;
                    return Err(Error::Unsupported(format!("the cluster does not serve {path}: {message}")));
                }
                // Another scan of the query fetched ahead and was cancelled; this one was not.
                Err(Error::Cancelled) if !scan.meter().is_cancelled() => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn url(&self, place: &Place) -> String {
        match place {
            Place::After(token) => self.list.page_after(Some(token)),
            _ => self.list.page_after(None),
        }
    }
}

/// A list's pages, kept for all scans of a query that read it. What none of them needs is not kept.
///
/// A page is fetched by a task of its own: a scan that waits for one never depends on another scan, which may itself wait
/// until a join comes to it.
#[derive(Debug)]
pub(crate) struct SharedPages {
    kept: Arc<Mutex<Kept>>,
    shape: Arc<Shape>,
}

#[derive(Debug)]
struct Kept {
    pages: Vec<Result<Option<Page>>>,
    /// Fetches the next page, while nobody does.
    pager: Option<Pager>,
    /// The fetch under way.
    fetch: Option<Shared<Task<()>>>,
}

impl SharedPages {
    /// The pages of a list, of whose objects somebody needs this.
    pub(crate) fn new(list: List, shape: Shape) -> Self {
        let kept = Kept { pages: Vec::new(), pager: Some(Pager::new(list)), fetch: None };
        SharedPages { kept: Arc::new(Mutex::new(kept)), shape: Arc::new(shape) }
    }

    /// A page by number; `None` behind the last one.
    pub(crate) async fn page<T: Row<Env = Kubernetes>>(&self, number: usize, scan: &Scan<T>) -> Result<Option<Page>> {
        loop {
            let fetch = {
                let mut kept = self.kept.lock();
                if let Some(page) = kept.pages.get(number) {
                    return page.clone();
                }
                if let Some(end @ (Ok(None) | Err(_))) = kept.pages.last() {
                    return end.clone();
                }
                if scan.meter().is_cancelled() {
                    return Err(Error::Cancelled);
                }
                if let Some(pager) = kept.pager.take() {
                    kept.fetch = Some(self.fetch(pager, scan));
                }
                kept.fetch.clone().ok_or(Error::Cancelled)?
            };
            fetch.await?;
        }
    }

    /// Fetches the next page for whoever waits. If the scan that began it is cancelled meanwhile, the next one that asks
    /// goes on.
    fn fetch<T: Row<Env = Kubernetes>>(&self, mut pager: Pager, scan: &Scan<T>) -> Shared<Task<()>> {
        let (kept, shape, scan) = (Arc::downgrade(&self.kept), self.shape.clone(), scan.clone());
        let fetch = async move {
            let page = match pager.next(&scan).await {
                Ok(Some(page)) => trimmed(&shape, page).and_then(|page| {
                    scan.keep(page.text.len())?;
                    Ok(Some(page))
                }),
                end => end,
            };
            if let Some(kept) = kept.upgrade() {
                let mut kept = kept.lock();
                kept.pager = Some(pager);
                if !matches!(page, Err(Error::Cancelled)) {
                    kept.pages.push(page);
                }
            }
            Ok(())
        };
        Task::spawn(fetch).shared()
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.kept.lock().pages.iter().flatten().flatten().map(|page| page.text.len()).sum()
    }
}

/// A page with no more of its objects than somebody needs.
fn trimmed(shape: &Shape, page: Page) -> Result<Page> {
    let text = shape.trim_list(&page.text, "items", &Shape::default().with("kind"))?;
    Ok(Page { text: text.into(), has_next: page.has_next })
}

/// The token that continues a list, found without reading its items: a list starts with its metadata. What is wrong
/// with the page is found by whoever parses it.
fn next_token(page: &[u8]) -> Option<String> {
    let token = json::find(page, &["metadata", "continue"])?;
    token.as_str().filter(|token| !token.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use indago_table::scan::BoxFuture;
    use indago_table::{QueryScope, Reader, Reading, ScanContext, Sink, TableRef};
    use serde_json::json;
    use tokio::sync::mpsc;

    use super::*;
    use crate::kubernetes_pod_containers::PodContainer;
    use crate::kubernetes_pods::Pod;
    use crate::testing;

    /// Gives each row to whoever reads, who may leave it waiting.
    struct OneByOne(mpsc::Sender<usize>);

    impl Sink for OneByOne {
        fn blocking_send(&mut self, _batch: arrow_array::RecordBatch) -> bool {
            unreachable!("pods are streamed")
        }

        fn send(&mut self, batch: arrow_array::RecordBatch) -> BoxFuture<'_, bool> {
            Box::pin(async move { self.0.send(batch.num_rows()).await.is_ok() })
        }
    }

    /// Starts to read a table of a query.
    fn start(table: &TableRef, query: &Arc<QueryScope>) -> mpsc::Receiver<usize> {
        let (sender, rows) = mpsc::channel(1);
        let context = ScanContext { query: query.clone(), batch_size: 3, ..ScanContext::new([0, 1, 2]) };
        for slice in table.slices(&context).expect("one cluster") {
            let Reading::Async(read) = slice.reading else { panic!("pods are streamed") };
            tokio::spawn(read(Box::new(OneByOne(sender.clone()))));
        }
        rows
    }

    const PAGES: usize = 12;

    /// A join reads one side to its end before it asks the other, or both by turns, or drops one: whatever it does, the
    /// others get all rows, and each page is fetched once.
    #[tokio::test]
    async fn no_reader_of_shared_pages_waits_for_another() {
        for seed in 0..1000_u64 {
            let (env, asked) = testing::cluster(|path| {
                let page = path.split_once("continue=").map_or(0, |(_, token)| token.parse().expect("a number"));
                let pod = |i: usize| {
                    let containers = json!([{"name": "a", "image": "x"}]);
                    json!({"metadata": {"name": format!("p{page}-{i}"), "uid": format!("{page}-{i}")}, "spec": {"containers": containers}})
                };
                let token = if page + 1 < PAGES { (page + 1).to_string() } else { String::new() };
                let items: Vec<_> = (0..7).map(pod).collect();
                testing::json(200, json!({"kind": "PodList", "metadata": {"continue": token}, "items": items}))
            });
            let tables = [Pod::table(&env), PodContainer::table(&env), Pod::table(&env)];
            let query = Arc::new(QueryScope::new(indago_table::Timestamp(0)));
            for table in &tables {
                let reader = Reader { table: table.spec().name.to_string(), columns: vec![0, 1, 2], as_of: None };
                query.add_reader(&table.spec().reads, reader);
            }
            let mut readers: Vec<_> = tables.iter().map(|table| Some(start(table, &query))).collect();
            let mut given = [0; 3];
            // One of the readers is dropped at some row, or none.
            let (dropped, at) = ((seed % 4) as usize, (seed / 4 % 97) as usize);
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut chosen = 0;
            while readers.iter().any(Option::is_some) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Now and then another one's turn: at some seeds after each row, at others at the end only.
                if readers[chosen].is_none() || state % (1 + seed % 50) == 0 {
                    chosen = (state >> 32) as usize % 3;
                }
                let Some(reader) = &mut readers[chosen] else { continue };
                let next = tokio::time::timeout(Duration::from_secs(60), reader.recv()).await;
                match next.unwrap_or_else(|_| panic!("seed {seed}: reader {chosen} waits for ever at {given:?}")) {
                    Some(rows) => given[chosen] += rows,
                    None => readers[chosen] = None,
                }
                if chosen == dropped && given[chosen] >= at {
                    readers[chosen] = None;
                }
            }
            for (reader, rows) in given.into_iter().enumerate().filter(|(reader, _)| *reader != dropped) {
                assert_eq!(rows, PAGES * 7, "seed {seed}, reader {reader}");
            }
            let mut pages = std::mem::take(&mut *asked.lock().expect("nobody panicked"));
            pages.retain(|path| path.contains("/pods"));
            pages.sort();
            let distinct = pages.iter().collect::<std::collections::BTreeSet<_>>().len();
            // A fetch whose scan was dropped meanwhile is made once more.
            assert!(pages.len() <= distinct + 2 && distinct == PAGES, "seed {seed}: {pages:?}");
        }
    }

    #[test]
    fn the_token_is_found_wherever_the_metadata_is() {
        let cases = [
            (r#"{"kind":"PodList","metadata":{"resourceVersion":"1","continue":"abc"},"items":[garbage"#, Some("abc")),
            (r#"{"items":[{"metadata":{"continue":"no"}}],"metadata":{"continue":"abc"}}"#, Some("abc")),
            (r#"{"metadata":{"continue":""},"items":[]}"#, None),
            (r#"{"metadata":{},"items":[]}"#, None),
            (r#"{"metadata":null}"#, None),
            (r#"{"metadata":{"continue":7}}"#, None),
            ("<html>", None),
            ("", None),
        ];
        for (page, token) in cases {
            assert_eq!(next_token(page.as_bytes()).as_deref(), token, "{page}");
        }
    }

    #[test]
    fn values_are_escaped_only_where_a_url_needs_it() {
        assert_eq!(encoded("app=web,tier in (a,b)"), "app=web,tier%20in%20(a,b)");
        assert_eq!(encoded("a&b#c+d%\u{e9}"), "a%26b%23c%2Bd%25%C3%A9");
    }
}
