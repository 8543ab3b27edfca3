//! The pages of a LIST, one after another: the next one is fetched while the last one is parsed.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::lock::Mutex;
use indago_table::json::Shape;
use indago_table::{Error, Result, Scan, row::Row};
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
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
    ahead: Option<Task<Answer>>,
    restarted: bool,
}

/// Where in the list the next page begins.
#[derive(Debug, Clone)]
enum Place {
    Start,
    After(String),
    End,
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
        Pager { list: Arc::new(list), place: Place::Start, ahead: None, restarted: false }
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
            let answer = match self.ahead.as_mut() {
                Some(ahead) => ahead.await,
                None => self.fetch(scan).await,
            };
            self.ahead = None;
            match answer {
                Ok(Answer::Body(text)) => {
                    self.place = next_token(&text).map_or(Place::End, Place::After);
                    let has_next = !matches!(self.place, Place::End);
                    // With a limit, the rows of this page may be all that is asked for.
                    if has_next && scan.limit().is_none() {
                        self.ahead = Some(self.fetch_ahead(scan));
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

    fn url(&self) -> String {
        match &self.place {
            Place::After(token) => self.list.page_after(Some(token)),
            _ => self.list.page_after(None),
        }
    }

    async fn fetch<T: Row<Env = Kubernetes>>(&self, scan: &Scan<T>) -> Result<Answer> {
        get(scan, &self.list.cluster, &self.url(), self.list.needs).await
    }

    fn fetch_ahead<T: Row<Env = Kubernetes>>(&self, scan: &Scan<T>) -> Task<Answer> {
        let (scan, list, url) = (scan.clone(), self.list.clone(), self.url());
        Task::spawn(async move { get(&scan, &list.cluster, &url, list.needs).await })
    }
}

/// A list's pages, kept for all scans of a query that read it: whoever is furthest fetches the next one. What none of
/// them needs is not kept.
#[derive(Debug)]
pub(crate) struct SharedPages {
    pages: Mutex<(Pager, Vec<Result<Option<Page>>>)>,
    shape: Arc<Shape>,
}

impl SharedPages {
    /// The pages of a list, of whose objects somebody needs this.
    pub(crate) fn new(list: List, shape: Shape) -> Self {
        SharedPages { pages: Mutex::new((Pager::new(list), Vec::new())), shape: Arc::new(shape) }
    }

    /// A page by number; `None` behind the last one.
    pub(crate) async fn page<T: Row<Env = Kubernetes>>(&self, number: usize, scan: &Scan<T>) -> Result<Option<Page>> {
        let mut guard = self.pages.lock().await;
        let (pager, pages) = &mut *guard;
        while pages.len() <= number {
            if let Some(end @ (Ok(None) | Err(_))) = pages.last() {
                return end.clone();
            }
            match pager.next(scan).await {
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Ok(Some(page)) => pages.push(self.trimmed(page).await.map(Some)),
                end => pages.push(end),
            }
        }
        pages[number].clone()
    }

    async fn trimmed(&self, page: Page) -> Result<Page> {
        let shape = self.shape.clone();
        let trim = async move { shape.trim_list(&page.text, "items", &Shape::default().with("kind")) };
        Ok(Page { text: Task::spawn(trim).await?.into(), has_next: page.has_next })
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub(crate) async fn size(&self) -> usize {
        self.pages.lock().await.1.iter().flatten().flatten().map(|page| page.text.len()).sum()
    }
}

/// The token that continues a list, found without parsing its items: a list starts with its metadata.
fn next_token(page: &[u8]) -> Option<String> {
    let mut token = None;
    // Fails as soon as it has what it looks for. What is wrong with the page is found by whoever parses it.
    let _ = serde_json::Deserializer::from_slice(page).deserialize_map(Metadata(&mut token));
    token.filter(|token| !token.is_empty())
}

struct Metadata<'a>(&'a mut Option<String>);

impl<'de> Visitor<'de> for Metadata<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        #[derive(serde::Deserialize)]
        struct ListMeta {
            r#continue: Option<String>,
        }
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            if key == "metadata" {
                *self.0 = map.next_value::<Option<ListMeta>>()?.and_then(|metadata| metadata.r#continue);
                return Err(A::Error::custom("found"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
