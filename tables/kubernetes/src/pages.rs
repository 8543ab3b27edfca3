//! The pages of a LIST in order. The next page is requested as soon as the current one has its continue token, which is
//! at its start.

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::Shared;
use indago_table::json::{self, Shape};
use indago_table::{AnyScan, Error, Held, Result};
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Document;
use tokio::sync::watch;
use tracing::Instrument;

use crate::call::{Answer, Encoding, get_list};
use crate::clusters::{Cluster, Kubernetes};
use crate::protobuf::{Decoded, ObjectKind};

/// Objects per page, the same as in kubectl.
pub(crate) const PAGE_SIZE: usize = 500;

/// A list on an API server.
#[derive(Debug, Clone)]
pub(crate) struct List {
    pub(crate) cluster: Arc<Cluster>,
    /// Path of the list.
    pub(crate) path: String,
    /// The API's own selectors; empty for all objects.
    pub(crate) label_selector: String,
    pub(crate) field_selector: String,
    pub(crate) page_size: usize,
    /// Whether the server returns the objects of its watch cache, all at once. They can be older than the query.
    pub(crate) is_cached: bool,
    /// The permission to list them, as the table declares it.
    pub(crate) needs: Arc<str>,
}

/// The request for its first page.
impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.page_after(None))
    }
}

impl List {
    fn page_after(&self, token: Option<&str>) -> String {
        let mut url = match self.is_cached && token.is_none() {
            true => format!("{}?resourceVersion=0", self.path),
            false => format!("{}?limit={}", self.path, self.page_size),
        };
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

    /// The form in which to request the objects of this shape.
    fn encoding(&self, shape: &Arc<Shape>) -> Encoding {
        if shape.is_within(&["metadata", "kind"]) {
            return Encoding::Metadata(shape.clone());
        }
        let path = self.path.strip_prefix("/apis/").or_else(|| self.path.strip_prefix("/api/")).unwrap_or_default();
        let (of_group, resource) = (self.path.starts_with("/apis/"), path.rsplit('/').next().unwrap_or_default());
        let end = path.match_indices('/').nth(usize::from(of_group)).map_or(path.len(), |(end, _)| end);
        match ObjectKind::of_resource(&path[..end], resource) {
            Some(kind) => Encoding::Objects(kind, shape.clone()),
            None => Encoding::Json,
        }
    }

    /// Fails if a page has another kind than the objects of the path. Callers check that the response is a list and its
    /// items are objects.
    fn check(&self, page: &[u8], encoding: &Encoding) -> Result<()> {
        let kind = json::find(page, &["kind"]);
        let Some(of) = kind.as_ref().and_then(|kind| kind.as_str()?.strip_suffix("List")) else { return Ok(()) };
        if of == "PartialObjectMetadata" && matches!(encoding, Encoding::Metadata(_)) {
            return Ok(());
        }
        let resource = self.path.rsplit('/').next().unwrap_or_default();
        // The author of a custom resource chooses its plural. Kubernetes' own resources follow a rule.
        let group = self.path.strip_prefix("/apis/").and_then(|path| path.split('/').next());
        let is_own = group.is_none_or(|group| !group.contains('.') || OWN_GROUPS.contains(&group));
        if !is_own || plural(&of.to_ascii_lowercase()) == resource {
            return Ok(());
        }
        Err(Error::Malformed(format!("{}: the response is a list of {of} objects, not of {resource}", self.path)))
    }
}

/// Kubernetes' own API groups with a dot in their name. Other groups that end in `.k8s.io` belong to add-ons.
const OWN_GROUPS: [&str; 18] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// The resource of a kind, by the rule of Kubernetes' own resources.
pub(crate) fn plural(kind: &str) -> String {
    match kind.as_bytes() {
        b"endpoints" => kind.to_owned(),
        [start @ .., b'y'] => format!("{}ies", &kind[..start.len()]),
        [.., b's'] => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

fn is_empty(page: &[u8]) -> bool {
    let items = || json::find(page, &["items"]);
    page.len() < LONGEST_EMPTY && items().is_none_or(|items| items.as_array().is_none_or(Vec::is_empty))
}

/// A value in a query string. Only characters that would end or change it are escaped, because people also read the
/// URL.
pub(crate) fn encoded(value: &str) -> String {
    const OTHERS: &AsciiSet = &all_but(b"-._~/:@!$()*,=");
    utf8_percent_encode(value, OTHERS).to_string()
}

/// All characters but letters, digits and these.
pub(crate) const fn all_but(plain: &[u8]) -> AsciiSet {
    let mut others = NON_ALPHANUMERIC.remove(plain[0]);
    let mut at = 1;
    while at < plain.len() {
        others = others.remove(plain[at]);
        at += 1;
    }
    others
}

/// A page as received.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) text: Bytes,
    /// Whether there are further pages.
    pub(crate) has_next: bool,
    /// The memory charged for it.
    pub(crate) held: Arc<Held>,
    /// Whether it has nothing but what the scans want.
    pub(crate) is_in_shape: bool,
    /// An error for each object that could not be decoded.
    pub(crate) skipped: Arc<[Error]>,
}

/// A page in parts of at most [`PAGE_SIZE`] objects, so that not all of its rows are in memory at once.
#[derive(Debug)]
struct Parts {
    whole: Page,
    /// Where the first object of each part begins.
    starts: Vec<usize>,
    number: usize,
}

impl Iterator for Parts {
    type Item = Page;

    fn next(&mut self) -> Option<Page> {
        let Parts { whole, starts, number } = self;
        let start = *starts.get(*number)?;
        // A comma follows, or the end of the list.
        let end = starts.get(*number + 1).map_or(whole.text.len() - 2, |next| next - 1);
        let text = [&whole.text[..starts[0]], &whole.text[start..end], b"]}"].concat();
        let skipped = if *number == 0 { whole.skipped.clone() } else { Arc::default() };
        *number += 1;
        let has_next = whole.has_next || *number < starts.len();
        Some(Page { text: text.into(), has_next, skipped, ..whole.clone() })
    }
}

/// Fetches a list's pages in order. [`next`](Pager::next) is cancel-safe: it can be called again without loss.
#[derive(Debug)]
pub(crate) struct Pager {
    list: Arc<List>,
    encoding: Encoding,
    place: Place,
    /// A page with more objects than were requested, which is given in parts.
    parts: Option<Parts>,
    /// The next page, and the one after it.
    fetch: Option<Fetch>,
    ahead: Option<Fetch>,
    /// The tokens that continued the list.
    tokens: HashSet<String>,
    /// Number of pages so far.
    pages: usize,
    /// Number of empty pages since the last one with objects.
    empty: usize,
    expired: Expiries,
}

/// How often the list expired while it was read.
#[derive(Debug, Default)]
struct Expiries {
    count: usize,
    /// Whether pages arrived since the last expiry.
    has_progress: bool,
    /// Whether it was read again from its start.
    from_start: bool,
}

/// Most expiries of a list, each after pages arrived.
const MOST_EXPIRIES: usize = 100;
/// Most pages of a list: with 500 objects each, more than any cluster has.
const MOST_PAGES: usize = 5000;
/// Most empty pages in a row. They occur if an API server filters another one's data.
const MOST_EMPTY: usize = 100;
/// Smallest page with objects.
const LONGEST_EMPTY: usize = 4 << 10;

/// The position in the list of the next page.
#[derive(Debug, Clone)]
enum Place {
    Start,
    After(String),
    End,
    /// Unknown: there are more pages, and this error explains why they are missing.
    Lost(Error),
}

/// A page that is being fetched.
#[derive(Debug)]
struct Fetch {
    url: String,
    answer: Task<(Answer, Option<Decoded>)>,
    /// The token of the page after it, once it is known.
    token: watch::Receiver<Option<String>>,
}

/// The start of a page, in which its token is searched before the rest has arrived.
const START: usize = 16 << 10;

impl Fetch {
    fn start(scan: &AnyScan<Kubernetes>, list: &Arc<List>, encoding: &Encoding, url: String) -> Self {
        let (sender, token) = watch::channel(None);
        let (scan, list, encoding, path) = (scan.clone(), list.clone(), encoding.clone(), url.clone());
        let answer = Task::spawn(async move {
            // Length of the start when it was last searched.
            let seen = AtomicUsize::new(0);
            let arriving = |text: &[u8]| {
                let start = &text[..text.len().min(START)];
                if seen.swap(start.len(), Ordering::Relaxed) < start.len() && sender.borrow().is_none() {
                    sender.send_replace(next_token(start).ok().flatten());
                }
            };
            get_list(&scan, &list.cluster, &path, &list.needs, &encoding, &arriving).await
        });
        Fetch { url, answer, token }
    }
}

/// A page's token, while the page arrives. Never resolves if it has none.
async fn told(token: &mut watch::Receiver<Option<String>>) -> String {
    let told = token.wait_for(Option::is_some).await.ok().and_then(|token| token.clone());
    match told {
        Some(token) => token,
        None => std::future::pending().await,
    }
}

/// Work on a thread of the runtime, cancelled when its handle is dropped.
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
    /// The pages of a list, with at least this shape of its objects.
    pub(crate) fn new(list: List, shape: &Arc<Shape>) -> Self {
        Pager {
            encoding: list.encoding(shape),
            list: Arc::new(list),
            place: Place::Start,
            parts: None,
            fetch: None,
            ahead: None,
            tokens: HashSet::new(),
            pages: 0,
            empty: 0,
            expired: Expiries::default(),
        }
    }

    /// The next page; `None` after the last one.
    ///
    /// If a list expires while it is read, it continues where the server states, as long as that returns pages, or once
    /// from its start. Then objects arrive again.
    pub(crate) async fn next(&mut self, scan: &AnyScan<Kubernetes>) -> Result<Option<Page>> {
        loop {
            if let Some(parts) = &mut self.parts {
                match parts.next() {
                    None => self.parts = None,
                    part => return Ok(part),
                }
            }
            match &self.place {
                Place::End => return Ok(None),
                Place::Lost(why) => return Err(why.clone()),
                Place::Start | Place::After(_) => {}
            }
            // With a limit, the rows of this page may be enough.
            let goes_on = scan.limit().is_none();
            let url = self.url(&self.place);
            let fetch = self.fetch.get_or_insert_with(|| Fetch::start(scan, &self.list, &self.encoding, url));
            let answer = if goes_on && self.ahead.is_none() {
                tokio::select! {
                    biased;
                    answer = &mut fetch.answer => answer,
                    token = told(&mut fetch.token) => {
                        let url = self.url(&Place::After(token));
                        self.ahead = Some(Fetch::start(scan, &self.list, &self.encoding, url));
                        continue;
                    }
                }
            } else {
                (&mut fetch.answer).await
            };
            self.fetch = None;
            let ahead = self.ahead.take();
            match answer {
                Ok((Answer::Body(text, held), decoded)) => {
                    self.list.check(&text, &self.encoding)?;
                    self.expired.has_progress = true;
                    self.place = self.place_behind(&text);
                    let has_next = !matches!(self.place, Place::End);
                    if matches!(self.place, Place::After(_)) && goes_on {
                        let url = self.url(&self.place);
                        // A page that was requested again can have another continue token than the first time.
                        let ahead = ahead.filter(|ahead| ahead.url == url);
                        self.fetch = Some(ahead.unwrap_or_else(|| Fetch::start(scan, &self.list, &self.encoding, url)));
                    }
                    let is_in_shape = decoded.is_some();
                    let Decoded { skipped, parts } = decoded.unwrap_or_default();
                    let page = Page { text, has_next, held: Arc::new(held), is_in_shape, skipped: skipped.into() };
                    if parts.len() < 2 {
                        return Ok(Some(page));
                    }
                    self.parts = Some(Parts { whole: page, starts: parts, number: 0 });
                }
                Ok((Answer::Expired(next), _)) => {
                    tracing::debug!(list = %self.list, ?next, "the list expired while it was read");
                    let Expiries { count, has_progress, from_start } = &mut self.expired;
                    *count += 1;
                    let is_lost = next.is_none() && std::mem::replace(from_start, true);
                    let is_stuck = !std::mem::take(has_progress) && *count > 1;
                    if is_lost || is_stuck || *count > MOST_EXPIRIES {
                        let times = if *count == 2 { "twice".to_owned() } else { format!("{count} times") };
                        return Err(Error::Unavailable(format!(
                            "the list expired {times} while it was read: its end is missing"
                        )));
                    }
                    self.tokens.clear();
                    self.place = next.map_or(Place::Start, Place::After);
                }
                Ok((Answer::Missing(message), _)) => {
                    let path = &self.list.path;
                    return Err(Error::Unsupported(format!("the cluster does not serve {path}: {message}")));
                }
                // Another scan of the query prefetched the page and was cancelled; this one was not.
                Err(Error::Cancelled) if !scan.meter().is_cancelled() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The position after a page.
    fn place_behind(&mut self, page: &[u8]) -> Place {
        let next = match next_token(page) {
            Ok(Some(next)) => next,
            Ok(None) => return Place::End,
            Err(found) => return self.lost(&format!("its `metadata.continue` holds {found}, not a text")),
        };
        self.pages += 1;
        self.empty = if is_empty(page) { self.empty + 1 } else { 0 };
        if !self.tokens.insert(next.clone()) {
            self.lost("its pages repeat")
        } else if self.empty >= MOST_EMPTY {
            self.lost(&format!("{MOST_EMPTY} pages in a row are empty"))
        } else if self.pages >= MOST_PAGES {
            self.lost(&format!("it has more than {MOST_PAGES} pages"))
        } else {
            Place::After(next)
        }
    }

    fn lost(&self, why: &str) -> Place {
        Place::Lost(Error::Malformed(format!("{}: {why}: the list is incomplete", self.list.path)))
    }

    fn url(&self, place: &Place) -> String {
        match place {
            Place::After(token) => self.list.page_after(Some(token)),
            _ => self.list.page_after(None),
        }
    }
}

/// A list's pages, cached for all scans of a query that read it. Parts that none of them needs are not cached.
///
/// A task fetches each page. A scan that waits for a page never depends on another scan, which may wait until a join
/// polls it.
#[derive(Debug)]
pub(crate) struct SharedPages {
    kept: Arc<Mutex<Kept>>,
    shape: Arc<Shape>,
}

#[derive(Debug)]
struct Kept {
    pages: Vec<Result<Option<Page>>>,
    /// Fetches the next page. Only one fetch runs at a time.
    pager: Option<Pager>,
    /// The running fetch.
    fetch: Option<Shared<Task<()>>>,
}

impl SharedPages {
    /// The pages of a list, with the parts of its objects that some scan needs.
    pub(crate) fn new(list: List, shape: Shape) -> Self {
        let shape = Arc::new(shape);
        let kept = Kept { pages: Vec::new(), pager: Some(Pager::new(list, &shape)), fetch: None };
        SharedPages { kept: Arc::new(Mutex::new(kept)), shape }
    }

    /// A page by number; `None` after the last one.
    pub(crate) async fn page(&self, number: usize, scan: &AnyScan<Kubernetes>) -> Result<Option<Page>> {
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

    /// Fetches the next page for all waiting scans. If the scan that began it is cancelled, the next waiting scan
    /// continues.
    fn fetch(&self, mut pager: Pager, scan: &AnyScan<Kubernetes>) -> Shared<Task<()>> {
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

    /// Size of the cached pages, in bytes.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.kept.lock().pages.iter().flatten().flatten().map(|page| page.text.len()).sum()
    }
}

/// A page with only the parts of its objects that some scan needs.
fn trimmed(shape: &Shape, page: Page) -> Result<Page> {
    let text = match page.is_in_shape {
        true => page.text,
        false => shape.trim_list(&page.text, "items", &Shape::default().with("kind"))?.into(),
    };
    // The caller charges memory for what it caches.
    Ok(Page { text, held: Arc::default(), is_in_shape: true, ..page })
}

/// The token that continues a list, found without reading its items, because a list starts with its metadata. The
/// parser finds other errors of the page. For a token that is not a text, the error is its type.
fn next_token(page: &[u8]) -> Result<Option<String>, &'static str> {
    match json::find(page, &["metadata", "continue"]) {
        None | Some(Document::Null) => Ok(None),
        Some(Document::String(token)) => Ok(Some(token).filter(|token| !token.is_empty())),
        Some(other) => Err(json::kind(&other)),
    }
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

    /// Sends each row to the reader, which may leave it waiting.
    struct OneByOne(mpsc::Sender<usize>);

    impl Sink for OneByOne {
        fn blocking_send(&mut self, _batch: arrow_array::RecordBatch) -> bool {
            unreachable!("pods are streamed")
        }

        fn send(&mut self, batch: arrow_array::RecordBatch) -> BoxFuture<'_, bool> {
            Box::pin(async move { self.0.send(batch.num_rows()).await.is_ok() })
        }
    }

    /// Starts a query's scan of a table.
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

    /// A join reads one side to its end first, or both in turns, or drops one. In each case the other scans get all
    /// rows, and each page is fetched once.
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
                // Sometimes another reader continues: with some seeds after each row, with others only at the end.
                if readers[chosen].is_none() || state % (1 + seed % 50) == 0 {
                    chosen = (state >> 32) as usize % 3;
                }
                let Some(reader) = &mut readers[chosen] else { continue };
                let next = tokio::time::timeout(Duration::from_secs(60), reader.recv()).await;
                match next.unwrap_or_else(|_| panic!("seed {seed}: reader {chosen} waits forever at {given:?}")) {
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
            // A fetch whose scan was dropped meanwhile is repeated once.
            assert!(pages.len() <= distinct + 2 && distinct == PAGES, "seed {seed}: {pages:?}");
        }
    }

    /// A server that returns all objects at once, whatever the limit.
    #[tokio::test]
    async fn a_large_page_in_protobuf_is_given_in_parts() {
        let bytes = |number: u8, value: &[u8]| {
            let length = u16::try_from(value.len()).unwrap();
            [&[number << 3 | 2, length as u8 | 0x80, (length >> 7) as u8][..], value].concat()
        };
        let item = |name: String| {
            let name = bytes(1, name.as_bytes());
            // Every seventh is malformed.
            bytes(2, &bytes(1, &if name.ends_with(b"7") { [name, vec![0xff]].concat() } else { name }))
        };
        let list: Vec<u8> = (0..1203).flat_map(|i| item(format!("p{i}"))).collect();
        let head = [&b"k8s\0"[..], &bytes(1, &bytes(2, b"PodList")), &[2 << 3 | 2]].concat();
        let length = [list.len() as u8 | 0x80, (list.len() >> 7) as u8 | 0x80, (list.len() >> 14) as u8];
        let body = bytes::Bytes::from([&head[..], &length, &list].concat());
        let (env, asked) = testing::cluster(move |_| testing::Answer {
            headers: vec![("content-type", "application/vnd.kubernetes.protobuf")],
            rest: Some(Box::pin(std::future::ready(Ok(body.clone())))),
            ..testing::json(200, "")
        });
        let scan = testing::scan::<Pod>(&env, &[], None);
        let list = List {
            cluster: env.cluster("c").unwrap(),
            path: "/api/v1/pods".to_owned(),
            label_selector: String::new(),
            field_selector: String::new(),
            page_size: PAGE_SIZE,
            is_cached: true,
            needs: "".into(),
        };
        let mut pager = Pager::new(list, &Arc::new(Shape::whole()));
        let (mut names, mut counts, mut skipped) = (Vec::new(), Vec::new(), 0);
        while let Some(page) = pager.next(&scan).await.unwrap() {
            let text: Document = serde_json::from_slice(&page.text).unwrap();
            let items = text["items"].as_array().unwrap();
            names.extend(items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()));
            counts.push((items.len(), page.has_next));
            skipped += page.skipped.len();
        }
        let expected: Vec<_> = (0..1203).map(|i| format!("p{i}")).filter(|name| !name.ends_with('7')).collect();
        assert_eq!((names, skipped), (expected, 120));
        assert_eq!(counts, [(500, true), (500, true), (83, false)]);
        assert_eq!(*asked.lock().unwrap(), ["/api/v1/pods?resourceVersion=0"]);
    }

    fn list(kind: &str, names: &[String], token: &str) -> testing::Answer {
        let items: Vec<_> = names.iter().map(|name| json!({"metadata": {"name": name, "uid": name}})).collect();
        testing::json(200, json!({"kind": kind, "metadata": {"continue": token}, "items": items}))
    }

    /// Number of pods returned, how the list ended, and number of pages requested.
    async fn pods(answer: impl Fn(&str) -> testing::Answer + Send + Sync + 'static) -> (usize, Result<()>, usize) {
        let token = |path: &str| path.split_once("continue=").map_or(String::new(), |(_, token)| token.to_owned());
        let (env, asked) = testing::cluster(move |path| answer(&token(path)));
        let (rows, end) = testing::rows(&testing::scan::<Pod>(&env, &[], None)).await;
        let asked = asked.lock().expect("nobody panicked").iter().filter(|path| path.contains("/pods")).count();
        (rows.len(), end, asked)
    }

    #[tokio::test]
    async fn a_list_of_other_objects_has_no_rows() {
        for (kind, told) in [
            ("NodeList", "/api/v1/pods: the response is a list of Node objects, not of pods"),
            ("Table", "the response is not a list: its kind is Table"),
            ("Status", "the response is not a list: its kind is Status"),
        ] {
            let (rows, end, _) = pods(move |_| list(kind, &["a".to_owned()], "")).await;
            assert_eq!((rows, end.unwrap_err().to_string()), (0, told.to_owned()));
        }
        for (kind, resource) in [
            ("Pod", "pods"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Endpoints", "endpoints"),
            ("EndpointSlice", "endpointslices"),
        ] {
            assert_eq!(plural(&kind.to_ascii_lowercase()), resource);
        }
    }

    #[tokio::test]
    async fn a_list_that_goes_on_nobody_knows_where_is_reported_after_its_rows() {
        let answer = |_: &str| {
            let item = json!({"metadata": {"name": "a", "uid": "a"}});
            testing::json(200, json!({"kind": "PodList", "metadata": {"continue": 7}, "items": [item]}))
        };
        let (rows, end, asked) = pods(answer).await;
        let told = "/api/v1/pods: its `metadata.continue` holds a number, not a text: the list is incomplete";
        assert_eq!((rows, end.unwrap_err().to_string(), asked), (1, told.to_owned(), 1));
    }

    #[tokio::test]
    async fn lists_of_resources_that_add_ons_define_are_not_held_to_a_rule() {
        let (env, _) = testing::cluster(|_| testing::json(200, "{}"));
        let cluster = env.cluster("c").expect("it exists");
        let check = |path: &str, kind: &str| {
            let list = List {
                cluster: cluster.clone(),
                path: path.to_owned(),
                label_selector: String::new(),
                field_selector: String::new(),
                page_size: PAGE_SIZE,
                is_cached: false,
                needs: "".into(),
            };
            list.check(format!(r#"{{"kind":"{kind}"}}"#).as_bytes(), &Encoding::Json).is_ok()
        };
        assert!(check("/apis/metrics.k8s.io/v1beta1/pods", "PodMetricsList"));
        assert!(check("/apis/gateway.networking.k8s.io/v1/gateways", "GatewayList"));
        assert!(check("/apis/snapshot.storage.k8s.io/v1/namespaces/a/volumesnapshots", "VolumeSnapshotList"));
        assert!(check("/apis/example.com/v1/oxen", "OxList"));
        assert!(check("/apis/networking.k8s.io/v1/networkpolicies", "NetworkPolicyList"));
        assert!(!check("/apis/networking.k8s.io/v1/networkpolicies", "IngressList"));
        assert!(!check("/apis/apps/v1/deployments", "PodList"));
        assert!(!check("/api/v1/pods", "NodeList"));
    }

    #[tokio::test]
    async fn pages_without_end_are_given_up() {
        let next = |token: &str| (token.parse().unwrap_or(0) + 1_u32).to_string();
        let (rows, end, asked) = pods(move |token| list("PodList", &[], &next(token))).await;
        let told = "/api/v1/pods: 100 pages in a row are empty: the list is incomplete";
        assert_eq!((rows, end.unwrap_err().to_string()), (0, told.to_owned()));
        assert!(asked <= MOST_EMPTY + 1, "{asked}");
        // Empty pages between others do not add up.
        let some = |token: &str| if token.ends_with('0') { vec![token.to_owned()] } else { Vec::new() };
        let (rows, end, _) =
            pods(move |token| list("PodList", &some(token), &if token == "500" { String::new() } else { next(token) }))
                .await;
        assert_eq!((rows, end), (50, Ok(())));
        let circle = |token: &str| ["a", "b", "c"][usize::from(token == "a") + 2 * usize::from(token == "b")];
        let (rows, end, asked) = pods(move |token| list("PodList", &[token.to_owned()], circle(token))).await;
        let told = "/api/v1/pods: its pages repeat: the list is incomplete";
        assert_eq!((rows, end.unwrap_err().to_string()), (4, told.to_owned()));
        assert!(asked <= 6, "{asked}");
        // Each page has a new object and a next page.
        let (rows, end, asked) = pods(move |token| list("PodList", &[format!("p{token}")], &next(token))).await;
        let told = "/api/v1/pods: it has more than 5000 pages: the list is incomplete";
        assert_eq!((rows, end.unwrap_err().to_string()), (MOST_PAGES, told.to_owned()));
        assert!(asked <= MOST_PAGES + 1, "{asked}");
    }

    #[tokio::test]
    async fn a_list_may_expire_as_often_as_it_makes_progress() {
        let gone = |token: String| testing::json(410, json!({"kind": "Status", "metadata": {"continue": token}}));
        // Each page's token has expired when it is used. The replacement works.
        let answer = move |token: &str| match token.strip_prefix("old") {
            Some(number) => gone(format!("new{number}")),
            None => {
                let number: u32 = token.trim_start_matches("new").parse().unwrap_or(0);
                let next = if number < 9 { format!("old{}", number + 1) } else { String::new() };
                list("PodList", &[format!("p{number}")], &next)
            }
        };
        let (rows, end, _) = pods(answer).await;
        assert_eq!((rows, end), (10, Ok(())));
        let answer = move |token: &str| match token {
            "" => list("PodList", &["a".to_owned()], "0"),
            token => gone(format!("{token}0")),
        };
        let (rows, end, asked) = pods(answer).await;
        let told = "the list expired twice while it was read: its end is missing";
        assert_eq!((rows, end.unwrap_err().to_string(), asked), (1, told.to_owned(), 3));
    }

    #[test]
    fn the_token_is_found_wherever_the_metadata_is() {
        let cases = [
            (r#"{"kind":"PodList","metadata":{"resourceVersion":"1","continue":"abc"},"items":[garbage"#, Some("abc")),
            (r#"{"items":[{"metadata":{"continue":"no"}}],"metadata":{"continue":"abc"}}"#, Some("abc")),
            (r#"{"metadata":{"continue":""},"items":[]}"#, None),
            (r#"{"metadata":{},"items":[]}"#, None),
            (r#"{"metadata":null}"#, None),
            ("<html>", None),
            ("", None),
        ];
        for (page, token) in cases {
            assert_eq!(next_token(page.as_bytes()), Ok(token.map(str::to_owned)), "{page}");
        }
        for (token, found) in [("7", "a number"), ("{}", "an object"), ("[\"a\"]", "a list"), ("true", "a boolean")] {
            let page = format!(r#"{{"metadata":{{"continue":{token}}},"items":[]}}"#);
            assert_eq!(next_token(page.as_bytes()), Err(found), "{page}");
        }
    }

    #[test]
    fn values_are_escaped_only_where_a_url_needs_it() {
        assert_eq!(encoded("app=web,tier in (a,b)"), "app=web,tier%20in%20(a,b)");
        assert_eq!(encoded("a&b#c+d%\u{e9}"), "a%26b%23c%2Bd%25%C3%A9");
        assert_eq!(encoded("-._~/:@!$()*,="), "-._~/:@!$()*,=");
        assert_eq!(encoded("\"';<>?[\\]^`{|}"), "%22%27%3B%3C%3E%3F%5B%5C%5D%5E%60%7B%7C%7D");
    }
}
