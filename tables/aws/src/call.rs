//! One API call: through the engine's limits, its response in pages, its failure as an engine error.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_stream::try_stream;
use aws_config::imds::client::error::ImdsError;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, SensitiveOutput};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use http_body_util::{BodyStream, StreamBody};
use indago_table::error::retry_after;
use indago_table::prelude::*;
use indago_table::{AnyScan, Held, Meter};
use xmlparser::{ElementEnd, Token, Tokenizer};

use crate::account::{Aws, Site, is_region_name};
use crate::document::{Document, documents};
use crate::resource::{Reader, Resource};

/// What a client returns for a call.
pub(crate) type Answer<O, E> = Result<O, SdkError<E, HttpResponse>>;

/// Largest response. A thousand roles with all their policies take a few dozen MiB.
const MOST_BYTES: usize = 256 << 20;

/// Most pages of a list. No list of AWS has that many.
const MOST_PAGES: usize = 20_000;

/// Most empty pages in a row: a filter can exclude all items of a page.
const MOST_EMPTY_PAGES: usize = 1000;

tokio::task_local! {
    /// The current call.
    static CALL: Arc<Call>;
}

/// The scan's meter, and the memory charged for the response.
#[derive(Debug)]
struct Call {
    meter: Arc<Meter>,
    held: Mutex<Held>,
    /// Bytes of the response.
    read: AtomicUsize,
}

/// Fails calls whose XML response is cut off. The SDK's parser accepts such a response and fills in defaults.
#[derive(Debug)]
pub(crate) struct WholeAnswers;

impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default().trim_ascii_start();
        if context.response().status().is_success() && body.starts_with(b"<") && !is_whole(body) {
            return Err(broken("it is not a complete XML document").into());
        }
        Ok(())
    }
}

pub(crate) fn broken(why: impl fmt::Display) -> Error {
    Error::Unavailable(format!("the response is cut off: {why}"))
}

/// Whether a text is one complete XML element. Web pages pass: they are reported elsewhere.
fn is_whole(xml: &[u8]) -> bool {
    let Ok(xml) = std::str::from_utf8(xml) else { return false };
    let (mut open, mut is_element) = (Vec::new(), false);
    for token in Tokenizer::from(xml) {
        match token {
            Ok(Token::ElementStart { prefix, local, .. }) => {
                is_element = true;
                open.push((prefix.as_str(), local.as_str()));
            }
            Ok(Token::ElementEnd { end: ElementEnd::Empty, .. }) => drop(open.pop()),
            Ok(Token::ElementEnd { end: ElementEnd::Close(prefix, local), .. }) => {
                if open.pop() != Some((prefix.as_str(), local.as_str())) {
                    return false;
                }
            }
            Ok(_) => {}
            Err(_) => return is_html(xml),
        }
    }
    (is_element && open.is_empty()) || is_html(xml)
}

/// Counts the bytes of responses in the scan's meter, charges them to the query's memory, and fails calls whose response is
/// larger than any of AWS's.
#[derive(Debug)]
pub(crate) struct BoundBytes(usize);

impl Default for BoundBytes {
    fn default() -> Self {
        BoundBytes(MOST_BYTES)
    }
}

impl Intercept for BoundBytes {
    fn name(&self) -> &'static str {
        "BoundBytes"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The SDK would log the body at the level `trace`.
        config.interceptor_state().store_put(SensitiveOutput);
        // The SDK also makes calls of its own, for credentials.
        let call = CALL.try_with(Arc::clone).ok();
        let (most, mut read) = (self.0, 0);
        let frames = BodyStream::new(context.response_mut().take_body()).map(move |frame| {
            let frame =
                frame.map_err(|error| broken(causes(&*error).last().map(ToString::to_string).unwrap_or_default()))?;
            let bytes = frame.data_ref().map_or(0, |data| data.len());
            read += bytes;
            if read > most {
                return Err(Error::Malformed(format!("the response is larger than {} MiB", MOST_BYTES >> 20)));
            }
            if let Some(call) = &call {
                call.meter.add_bytes(bytes as u64);
                call.read.store(read, Ordering::Relaxed);
                call.held.lock().unwrap_or_else(PoisonError::into_inner).cover(read)?;
            }
            Ok(frame)
        });
        *context.response_mut().body_mut() = SdkBody::from_body_1_x(StreamBody::new(frames));
        Ok(())
    }
}

/// Identifies a listing among those of an action.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The parameters of its calls.
    pub(crate) asked: String,
    /// Counts the bytes of its responses. The SDK's types do not tell how much memory they take, but their texts are no
    /// larger than the response.
    pub(crate) read: Arc<AtomicUsize>,
}

impl<S: AsRef<str> + ?Sized> From<&S> for Listing {
    fn from(asked: &S) -> Self {
        Listing { asked: asked.as_ref().to_owned(), read: Arc::default() }
    }
}

/// A page's items, and how to get the next page.
pub(crate) type Page<I> = (Vec<I>, Next);

/// How to get the next page of a list.
#[derive(Debug)]
pub(crate) enum Next {
    /// With this token. No token, or an empty one, ends the list, as in AWS's own clients.
    Token(Option<String>),
    /// The page reports more items but has no token for them.
    Missing,
}

impl Next {
    /// For responses with `IsTruncated` and `Marker`.
    pub(crate) fn marker(is_truncated: bool, marker: Option<String>) -> Self {
        match marker.filter(|marker| !marker.is_empty()) {
            None if is_truncated => Next::Missing,
            marker => Next::Token(marker),
        }
    }
}

impl Site {
    /// Makes one call. `action` is what a policy has to allow for it, `service:Operation`.
    pub(crate) async fn call<O, E, Fut>(&self, scan: &AnyScan<Aws>, action: &str, send: impl Fn() -> Fut) -> Result<O>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        Fut: Future<Output = Answer<O, E>> + Send,
    {
        Ok(self.call_and_hold(scan, action, send).await?.0)
    }

    /// Makes a call again until its response states that the service has finished, as often as the engine retries
    /// calls. `what` is what the service has not finished.
    pub(crate) async fn poll<O, E, Fut>(
        &self,
        scan: &AnyScan<Aws>,
        action: &str,
        what: &'static str,
        send: impl Fn() -> Fut,
        has_finished: impl Fn(&O) -> bool + Copy + Send,
    ) -> Result<O>
    where
        O: Send,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        Fut: Future<Output = Answer<O, E>> + Send,
    {
        let send = || {
            let sent = send();
            async move {
                match sent.await {
                    Ok(answer) if !has_finished(&answer) => {
                        Err(SdkError::timeout_error(format!("AWS has not finished {what}; run the query again later")))
                    }
                    answer => answer,
                }
            }
        };
        self.call(scan, action, send).await
    }

    /// Like [`call`](Site::call), and returns the memory charged for the response, and the response's size.
    async fn call_and_hold<O, E, Fut>(
        &self,
        scan: &AnyScan<Aws>,
        action: &str,
        send: impl Fn() -> Fut,
    ) -> Result<(O, Held, usize)>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        Fut: Future<Output = Answer<O, E>> + Send,
    {
        let service = action.split(':').next().unwrap_or(action);
        let what = format!("{action} as {self}");
        let attempt = || {
            let call =
                Arc::new(Call { meter: scan.meter().clone(), held: Mutex::default(), read: AtomicUsize::default() });
            let sent = Box::pin(CALL.scope(call.clone(), send()));
            let what = &what;
            async move {
                *call.held.lock().unwrap_or_else(PoisonError::into_inner) = scan.meter().hold(0)?;
                let answer = sent.await.map_err(|error| {
                    let failure = Failure::of(&error);
                    if failure.is_about_credentials() {
                        self.refuse(scan.moment());
                    }
                    failure.explain(what, action)
                })?;
                let held = std::mem::take(&mut *call.held.lock().unwrap_or_else(PoisonError::into_inner));
                Ok((answer, held, call.read.load(Ordering::Relaxed)))
            }
        };
        scan.call(&self.endpoint(service), &what, attempt).await
    }

    /// The items of all pages. The next page is fetched when the items before it are used up, unless the scan is done.
    ///
    /// Each page is a separate call, so a throttled page is retried without those before it. `listing` distinguishes
    /// listings of the same action: if a query makes the same listing twice, it is made once.
    pub(crate) fn pages<'a, I, O, E, Fut>(
        &self,
        scan: &'a AnyScan<Aws>,
        action: &'static str,
        listing: impl Into<Listing>,
        fetch: impl Fn(Option<String>) -> Fut + Send + Sync + 'a,
        split: impl Fn(O) -> Page<I> + Send + Sync + 'a,
    ) -> BoxStream<'a, Result<I>>
    where
        I: Clone + Send + Sync + 'static,
        O: Send + 'a,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        Fut: Future<Output = Answer<O, E>> + Send + 'a,
    {
        let site = self.clone();
        let is_shared = scan.is_shared();
        let Listing { asked, read } = listing.into();
        let (key, texts) = (format!("aws/{site}/{action}/{asked}"), read.clone());
        let pages = try_stream! {
            let mut token = None;
            let mut tokens = HashSet::new();
            let mut empty = 0;
            loop {
                let (page, _held, size) = site.call_and_hold(scan, action, || fetch(token.clone())).await?;
                read.fetch_add(size, Ordering::Relaxed);
                let (items, next) = split(page);
                let incomplete =
                    |why: &str| Error::Malformed(format!("{action} as {site}: {why}: the list is incomplete"));
                empty = if items.is_empty() { empty + 1 } else { 0 };
                if empty > MOST_EMPTY_PAGES {
                    Err(incomplete(&format!("{MOST_EMPTY_PAGES} pages in a row are empty")))?;
                }
                for item in items {
                    yield item;
                }
                token = match next {
                    Next::Token(next) => next.filter(|token| !token.is_empty()),
                    Next::Missing => Err(incomplete("a page reports more items but has no token for them"))?,
                };
                let Some(token) = &token else { break };
                if !tokens.insert(token.clone()) {
                    Err(incomplete("its pages repeat"))?;
                }
                if tokens.len() >= MOST_PAGES {
                    Err(incomplete(&format!("it has more than {MOST_PAGES} pages")))?;
                }
                if scan.is_done() && !is_shared {
                    break;
                }
            }
        };
        if !is_shared {
            return pages.boxed();
        }
        try_stream! {
            let read = async {
                let items: Vec<I> = pages.try_collect().await?;
                let size = size_of_val(items.as_slice()) + texts.load(Ordering::Relaxed);
                Ok((items, size))
            };
            let items: Arc<Vec<I>> = scan.cached(&key, read).await?;
            for item in items.iter() {
                yield item.clone();
            }
        }
        .boxed()
    }

    /// The rows of listed items.
    pub(crate) fn rows<'a, T: Resource, I: Document + Send + 'a>(
        &self,
        scan: &'a Scan<T>,
        items: BoxStream<'a, Result<I>>,
    ) -> BoxStream<'a, Result<T>> {
        let reader = Reader::listed(scan, self);
        let row = move |item: Result<I>| std::future::ready(item.map(|item| reader.item(scan, &item)).transpose());
        items.filter_map(row).boxed()
    }

    /// One row for each key that exists: `get` is called once per key, several concurrently.
    pub(crate) fn look_up<'a, T, Fut>(
        &self,
        scan: &'a Scan<T>,
        keys: Vec<String>,
        get: impl Fn(Site, String) -> Fut + Send + Sync + 'a,
    ) -> BoxStream<'a, Result<T>>
    where
        T: Row<Env = Aws>,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        let site = self.clone();
        let present = |row: Result<T>| std::future::ready(row.if_present().transpose());
        scan.in_rounds(distinct(keys), move |key| get(site.clone(), key)).filter_map(present).boxed()
    }
}

impl Site {
    /// The error for a response that lacks the requested data.
    pub(crate) fn nothing(&self, action: &str) -> Error {
        Error::Malformed(format!("{action} as {self}: the response is empty"))
    }
}

/// Distinct keys without empty ones, which no API accepts.
pub(crate) fn distinct(keys: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    keys.into_iter().filter(|key| !key.is_empty() && seen.insert(key.clone())).collect()
}

/// Number of items per page: no more than the query can use, within the API's limits.
pub(crate) fn page_size(scan: &AnyScan<Aws>, allowed: RangeInclusive<i32>) -> i32 {
    let wanted = scan.limit().and_then(|limit| i32::try_from(limit).ok()).filter(|_| !scan.is_shared());
    wanted.unwrap_or(i32::MAX).clamp(*allowed.start(), *allowed.end())
}

documents! { aws_sdk_sts::operation::get_caller_identity { GetCallerIdentityOutput: user_id, account, arn; } }

/// The call that returns the caller's identity.
pub(crate) const IDENTITY: &str = "sts:GetCallerIdentity";
/// The call that lists regions.
pub(crate) const REGIONS: &str = "ec2:DescribeRegions";

/// Requests the caller's identity, once per query. It needs no permission, only credentials. Also returns the site of
/// that account.
pub(crate) async fn identity(scan: &AnyScan<Aws>, site: &Site) -> Result<(Arc<GetCallerIdentityOutput>, Site)> {
    let ask = async {
        let sts = site.sts();
        let identity = site.call(scan, IDENTITY, || sts.get_caller_identity().send()).await?;
        match identity.account() {
            Some(_) => {
                let texts = [identity.user_id(), identity.account(), identity.arn()];
                let size =
                    size_of::<GetCallerIdentityOutput>() + texts.into_iter().flatten().map(str::len).sum::<usize>();
                Ok((identity, size))
            }
            None => Err(Error::Malformed(format!("{IDENTITY} as {site} names no account"))),
        }
    };
    let identity = scan.cached(&format!("aws/{}/identity", site.profile()), ask).await?;
    let site = site.of_account(identity.account().unwrap_or_default());
    Ok((identity, site))
}

/// The regions that the account has enabled, requested once per query.
pub(crate) async fn enabled_regions(scan: &AnyScan<Aws>, site: &Site) -> Result<Arc<Vec<String>>> {
    let ask = async {
        let ec2 = site.ec2();
        let answer = site.call(scan, REGIONS, || ec2.describe_regions().send()).await?;
        let enabled = answer.regions.into_iter().flatten().filter(|region| is_enabled(region.opt_in_status()));
        let mut regions: Vec<_> =
            enabled.filter_map(|region| region.region_name).filter(|name| is_region_name(name)).collect();
        if regions.is_empty() {
            return Err(Error::Malformed(format!("{REGIONS} as {site}: the response contains no region")));
        }
        regions.sort();
        let size = size_of_val(regions.as_slice()) + regions.iter().map(String::capacity).sum::<usize>();
        Ok((regions, size))
    };
    scan.cached(&format!("aws/{}/regions", site.profile()), ask).await
}

/// Whether an account has enabled a region, by its status.
pub(crate) fn is_enabled(opt_in_status: Option<&str>) -> bool {
    opt_in_status != Some("not-opted-in")
}

/// Collects a complete listing for a source.
pub(crate) async fn all<I>(items: impl Stream<Item = Result<I>>) -> Result<Vec<I>> {
    items.try_collect().await
}

/// The items of several parents, read several at a time: the routes of each route table. A parent that cannot be read is
/// reported and costs no other; one that no longer exists has no items.
pub(crate) fn of_parents<'a, T, I, Fut>(
    scan: &'a Scan<T>,
    site: &Site,
    parents: impl Future<Output = Result<Vec<String>>> + Send + 'a,
    read: impl Fn(Site, String) -> Fut + Clone + Send + Sync + 'a,
) -> BoxStream<'a, Result<I>>
where
    T: Row<Env = Aws>,
    I: Send + 'a,
    Fut: Future<Output = Result<Vec<I>>> + Send + 'a,
{
    let site = site.clone();
    let of_all = move |parents: Vec<String>| {
        let (site, read, origin) = (site.clone(), read.clone(), site.to_string());
        let items = scan.in_rounds(distinct(parents), move |parent| read(site.clone(), parent));
        let items = items.map(move |items| match items {
            Err(error) if !error.ends_query() => {
                scan.report(&origin, &error);
                Ok(Vec::new())
            }
            items => items,
        });
        items.map_ok(|items| stream::iter(items.into_iter().map(Ok))).try_flatten()
    };
    stream::once(parents).map_ok(of_all).try_flatten().boxed()
}

/// Facts about a failed call, whatever the operation.
#[derive(Debug, Default, Clone)]
struct Failure {
    status: Option<u16>,
    code: Option<String>,
    message: String,
    retry_after: Option<Duration>,
    is_html: bool,
    /// Our own error about the response text.
    answer: Option<Error>,
    credentials: Option<NoCredentials>,
    /// The role call that should have returned the credentials.
    assume_role: Option<Box<Failure>>,
    reached: Reached,
}

/// How far a call got.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// The service responded with an error.
    #[default]
    Service,
    /// The response cannot be read.
    Garbage,
    /// There was no response.
    Nothing,
    /// The call was not sent, and a retry would not change that: the endpoint is not a URL, or its certificate is not
    /// trusted.
    Unsent,
}

/// Why there are no credentials to sign a call with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoCredentials {
    /// The machine has none.
    Absent,
    /// They are configured, but the configuration is invalid.
    Misconfigured,
    /// Their provider refused or failed.
    Refused,
}

/// Codes for credentials that have expired.
const EXPIRED: [&str; 4] = ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];

/// Codes for credentials that AWS does not accept.
const REFUSED: [&str; 10] = [
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
    "InvalidAccessKeyId",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "IncompleteSignature",
    "NotAuthorized",
];

impl Failure {
    /// Reads an error of any operation. Small, because it is compiled once per operation.
    fn of<E>(error: &SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let is_sent = match error {
            SdkError::ConstructionFailure(_) => false,
            SdkError::DispatchFailure(failure) => !failure.is_user(),
            _ => true,
        };
        let service = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = service.and_then(|meta| meta.code());
        let message = service.and_then(|meta| meta.message());
        Failure::read(error, is_sent, error.raw_response(), code, message)
    }

    fn read(
        error: &(dyn StdError + 'static),
        is_sent: bool,
        response: Option<&HttpResponse>,
        code: Option<&str>,
        message: Option<&str>,
    ) -> Failure {
        let body = response.and_then(|response| response.body().bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(body);
        // Servers that imitate AWS, and gateways in front of it, nest their errors deeper than the SDK looks.
        let code = code.or_else(|| element(&text, "Code"));
        let message = message.or_else(|| element(&text, "Message"));
        let header = |name: &str| response.and_then(|response| response.headers().get(name));
        let is_credentials = |error: &(dyn StdError + 'static)| {
            error.downcast_ref::<CredentialsError>().map(|error| match error {
                CredentialsError::CredentialsNotLoaded(_) => NoCredentials::Absent,
                CredentialsError::InvalidConfiguration(_) => NoCredentials::Misconfigured,
                _ => NoCredentials::Refused,
            })
        };
        let untrusted = causes(error).find_map(untrusted);
        let answer = response.and_then(|_| causes(error).find_map(|cause| cause.downcast_ref::<Error>()).cloned());
        // Causes that are clear on their own: the outermost errors only state that something failed.
        let cause = || causes(error).last().map(ToString::to_string).unwrap_or_default();
        let cause = untrusted.clone().unwrap_or_else(cause);
        Failure {
            status: response.map(|response| response.status().as_u16()),
            code: code.map(str::to_owned),
            message: message.map_or(cause, str::to_owned),
            retry_after: header("retry-after").and_then(|header| retry_after(header, Sys::live().now())),
            is_html: is_html(&text),
            answer,
            // The SDK tries the metadata service last. It exists only on instances.
            credentials: match causes(error).find_map(is_credentials) {
                Some(_) if causes(error).any(|error| error.is::<ImdsError>()) => Some(NoCredentials::Absent),
                other => other,
            },
            assume_role: causes(error).skip(1).find_map(assume_role).map(Box::new),
            reached: match (response, code) {
                (None, _) if !is_sent || untrusted.is_some() => Reached::Unsent,
                (None, _) => Reached::Nothing,
                (Some(_), None) => Reached::Garbage,
                (Some(_), Some(_)) => Reached::Service,
            },
        }
    }

    /// The failure as an engine error. `what` names the call, `action` the permission that it needs.
    fn explain(self, what: &str, action: &str) -> Error {
        if let Some(missing) = self.credentials {
            return self.without_credentials(missing, what);
        }
        match self.answer {
            Some(Error::Unavailable(why)) => return Error::Unavailable(format!("{what}: {why}")),
            Some(Error::Malformed(why)) => return Error::Malformed(format!("{what}: {why}")),
            Some(error @ Error::OutOfMemory(_)) => return error,
            _ => {}
        }
        let status = self.status.unwrap_or_default();
        match self.reached {
            Reached::Nothing => return Error::Unavailable(format!("{what}: {}", self.message)),
            Reached::Unsent => return Error::Malformed(format!("{what}: {}", self.message)),
            _ if self.is_throttling() => {
                return Error::Throttled { what: what.to_owned(), retry_after: self.retry_after };
            }
            _ if status == 503 && self.retry_after.is_some() => {
                return Error::Throttled { what: format!("{what}: HTTP 503"), retry_after: self.retry_after };
            }
            Reached::Garbage if matches!(status, 502..=504) => {
                return Error::Unavailable(format!("{what}: HTTP {status}"));
            }
            Reached::Garbage if self.is_html => {
                return Error::Malformed(format!(
                    "{what}: the response is a web page (HTTP {status}), not AWS's: the endpoint lacks this call"
                ));
            }
            Reached::Garbage if status >= 500 => return Error::Unavailable(format!("{what}: HTTP {status}")),
            Reached::Garbage => return Error::Malformed(format!("{what}: {} (HTTP {status})", self.message)),
            Reached::Service => {}
        }
        let code = self.code.as_deref().unwrap_or_default();
        let bare = self.bare_code();
        let denied = |what: String, needs: Option<String>| Error::Denied { what, needs };
        match bare {
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "UnauthorizedAccess" => {
                let needs = action_in(&self.message).unwrap_or(action).to_owned();
                denied(what.to_owned(), Some(needs))
            }
            code if EXPIRED.contains(&code) => {
                denied(format!("{what}: the credentials have expired, sign in again ({code})"), None)
            }
            code if REFUSED.contains(&code) => {
                denied(format!("{what}: AWS does not accept the credentials ({code})"), None)
            }
            "RequestTimeTooSkewed" => denied(format!("{what}: the machine's clock is wrong ({code})"), None),
            "OptInRequired" | "SubscriptionRequiredException" => {
                Error::Unsupported(format!("{what}: {}", self.message))
            }
            "InvalidAction" | "UnknownOperationException" | "NotImplemented" => {
                Error::Unsupported(format!("{what}: the endpoint does not know this call ({code})"))
            }
            _ if is_absence(bare) => Error::Gone(what.to_owned()),
            _ if status >= 500 => Error::Unavailable(format!("{what}: {} ({code}, HTTP {status})", self.message)),
            _ => Error::Malformed(format!("{what}: {} ({code})", self.message)),
        }
    }

    fn is_throttling(&self) -> bool {
        const CODES: [&str; 9] = [
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "RequestLimitExceeded",
            "TooManyRequestsException",
            "TooManyRequests",
            "SlowDown",
        ];
        self.status == Some(429) || CODES.contains(&self.bare_code())
    }

    fn bare_code(&self) -> &str {
        let code = self.code.as_deref().unwrap_or_default();
        code.strip_prefix("Client.").unwrap_or(code)
    }

    /// Whether other credentials could help.
    fn is_about_credentials(&self) -> bool {
        let code = self.bare_code();
        self.credentials.is_some() || EXPIRED.contains(&code) || REFUSED.contains(&code)
    }

    fn without_credentials(self, missing: NoCredentials, what: &str) -> Error {
        match missing {
            NoCredentials::Absent => Error::Unsupported(format!(
                "{what}: there are no AWS credentials; sign in with `aws configure` or `aws sso login`, or set \
                 AWS_PROFILE or AWS_ACCESS_KEY_ID"
            )),
            NoCredentials::Misconfigured => {
                Error::Malformed(format!("{what}: the profile's credentials are misconfigured: {}", self.message))
            }
            NoCredentials::Refused => match self.assume_role {
                Some(failure) => failure.explain(&format!("{what}, sts:AssumeRole"), "sts:AssumeRole"),
                None => Error::denied(format!("{what}: there are no credentials: {}", self.message)),
            },
        }
    }
}

/// An error with its causes.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// Why a server is not trusted, if the error is about that. The error's type depends on the client's TLS library; its
/// text does not.
fn untrusted(error: &(dyn StdError + 'static)) -> Option<String> {
    let told = error.to_string();
    let why = told.strip_prefix("invalid peer certificate: ")?;
    let hint = "`ca_bundle` of the profile or AWS_CA_BUNDLE names a file with the certificates to trust";
    Some(format!("the certificate of the endpoint is not trusted ({why}); {hint}"))
}

/// The failed role call, if the error is one.
fn assume_role(error: &(dyn StdError + 'static)) -> Option<Failure> {
    error.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>().map(Failure::of)
}

/// Whether a code means that the requested thing does not exist.
fn is_absence(code: &str) -> bool {
    code.starts_with("NoSuch")
        || code == "AWSOrganizationsNotInUseException"
        || code.ends_with("NotFound")
        || code.ends_with("QueueDoesNotExist")
        || code.ends_with("NonExistentQueue")
        || code.ends_with("NotFoundException")
        || code.ends_with("NotFoundError")
        || (code.starts_with("Invalid") && code.ends_with(".Malformed"))
}

/// The action in a sentence such as "... is not authorized to perform: iam:ListUsers on resource: ...".
fn action_in(message: &str) -> Option<&str> {
    let rest = message.split_once("to perform: ")?.1;
    let action = rest.split([' ', ',']).next().unwrap_or(rest).trim_end_matches('.');
    action.contains(':').then_some(action)
}

/// The text of an XML element, wherever it is.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(text, _)| text)
}

fn is_html(text: &str) -> bool {
    let start = text.trim_start().get(..9).unwrap_or_default();
    start.eq_ignore_ascii_case("<!doctype") || start.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("<html"))
}

#[cfg(test)]
mod tests {
    use indago_table::ScanContext;

    use super::*;
    use crate::aws_account::Account;
    use crate::testing;

    #[tokio::test]
    async fn empty_pages_come_to_an_end() {
        let aws = Aws::empty().with_config("prod", testing::config(|_| testing::response(200, "")));
        let scan = Scan::<Account>::new(ScanContext::new([0]), &aws);
        let site = aws.site("prod", "eu-west-1", scan.moment()).await.expect("a site");
        let read = async |last: usize| {
            let asked = AtomicUsize::new(0);
            let fetch = |_| {
                let page: Answer<usize, AssumeRoleError> = Ok(asked.fetch_add(1, Ordering::Relaxed) + 1);
                std::future::ready(page)
            };
            let split = |page: usize| match page {
                1 | 500 => (vec![page], Next::Token(Some(page.to_string()))),
                page => (vec![], Next::Token((page < last).then(|| page.to_string()))),
            };
            let mut pages = site.pages(&scan, "thing:List", "", fetch, split);
            let mut items = Vec::new();
            loop {
                match pages.next().await {
                    Some(Ok(item)) => items.push(item),
                    Some(Err(error)) => return (items, Err(error)),
                    None => return (items, Ok(())),
                }
            }
        };
        assert_eq!(read(500 + MOST_EMPTY_PAGES).await, (vec![1, 500], Ok(())));
        let (items, end) = read(usize::MAX).await;
        assert_eq!(items, [1, 500], "the items before are returned");
        let expected = "thing:List as prod/eu-west-1: 1000 pages in a row are empty: the list is incomplete";
        assert_eq!(end, Err(Error::Malformed(expected.to_owned())));
    }

    const ROLES: &str = "<ListRolesResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ListRolesResult>\
        <IsTruncated>false</IsTruncated><Roles><member><Path>/</Path><RoleName>a</RoleName><RoleId>A</RoleId>\
        <Arn>arn:aws:iam::1:role/a</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></member><member><Path>/</Path>\
        <RoleName>b</RoleName><RoleId>B</RoleId><Arn>arn:aws:iam::1:role/b</Arn>\
        <CreateDate>2026-01-01T00:00:00Z</CreateDate></member></Roles></ListRolesResult></ListRolesResponse>";

    /// The names of the roles in a response, and how the list ends.
    async fn roles(body: String) -> (Vec<String>, Result<()>) {
        let config = testing::config(move |_| testing::response(200, body.clone()));
        let aws = Aws::empty().with_config("prod", config);
        let scan = Scan::<Account>::new(ScanContext::new([0]), &aws);
        let site = aws.site("prod", "global", scan.moment()).await.expect("a site");
        let iam = site.iam();
        let fetch = |marker| iam.list_roles().set_marker(marker).send();
        let split = |page: aws_sdk_iam::operation::list_roles::ListRolesOutput| {
            (page.roles, Next::marker(page.is_truncated, page.marker))
        };
        let mut pages = site.pages(&scan, "iam:ListRoles", "", fetch, split);
        let mut names = Vec::new();
        loop {
            match pages.next().await {
                Some(Ok(role)) => names.push(role.role_name),
                Some(Err(error)) => return (names, Err(error)),
                None => return (names, Ok(())),
            }
        }
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_no_answer_wherever_it_does() {
        assert_eq!(roles(ROLES.to_owned()).await, (vec!["a".to_owned(), "b".to_owned()], Ok(())));
        for end in 1..ROLES.len() {
            let (names, outcome) = roles(ROLES[..end].to_owned()).await;
            let error = outcome.expect_err("it is cut off");
            assert!(names.is_empty() && error.is_transient(), "{end}: {names:?} {error}");
            assert!(
                error.to_string().contains("iam:ListRoles as prod/global: the response is cut off"),
                "{end}: {error}"
            );
        }
    }

    #[tokio::test]
    async fn a_list_that_says_that_there_is_more_and_not_where_is_incomplete() {
        let end = |why: &str| Error::Malformed(format!("iam:ListRoles as prod/global: {why}: the list is incomplete"));
        let truncated = ROLES.replace("<IsTruncated>false</IsTruncated>", "<IsTruncated>true</IsTruncated>");
        for marker in ["", "<Marker></Marker>", "<Marker/>"] {
            let body = truncated.replace("<Roles>", &format!("{marker}<Roles>"));
            let (names, outcome) = roles(body).await;
            assert_eq!((names.len(), outcome), (2, Err(end("a page reports more items but has no token for them"))));
        }
        let (names, outcome) = roles(truncated.replace("<Roles>", "<Marker>again</Marker><Roles>")).await;
        assert_eq!((names.len(), outcome), (4, Err(end("its pages repeat"))));
    }

    #[test]
    fn a_whole_document_is_one_element() {
        for whole in
            ["<a/>", "<?xml version=\"1.0\"?>\n<a b='c'><x:d>&lt;</x:d><e/></a>\n", "<html><br>", "<!doctype html>"]
        {
            assert!(is_whole(whole.as_bytes()), "{whole}");
        }
        for broken in
            ["<a>", "<a", "<a></b>", "<a><b></a></b>", "<x:a></y:a>", "<?xml version=\"1.0\"?>", "<a>\u{0}", "<"]
        {
            assert!(!is_whole(broken.as_bytes()), "{broken}");
        }
        assert!(!is_whole(b"<a>\xff</a>"));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut_off() {
        let body = "<GetCallerIdentityResponse><GetCallerIdentityResult></GetCallerIdentityResult>\
                    </GetCallerIdentityResponse>";
        for (most, is_read) in [(body.len(), true), (body.len() - 1, false)] {
            let config = testing::config(move |_| testing::response(200, body));
            let config = aws_sdk_sts::config::Builder::from(&config).interceptor(BoundBytes(most)).build();
            let answer = aws_sdk_sts::Client::from_conf(config).get_caller_identity().send().await;
            let error = answer.map(|_| ()).map_err(|error| explained(Failure::of(&error)));
            let expected = "iam:ListUsers as prod/global: the response is larger than 256 MiB".to_owned();
            assert_eq!(error, if is_read { Ok(()) } else { Err(Error::Malformed(expected)) });
        }
    }

    fn explained(failure: Failure) -> Error {
        failure.explain("iam:ListUsers as prod/global", "iam:ListUsers")
    }

    fn said(code: &str, message: &str) -> Error {
        explained(Failure { status: Some(400), code: Some(code.into()), message: message.into(), ..Failure::default() })
    }

    #[test]
    fn codes_become_outcomes() {
        let needs = |error: Error| match error {
            Error::Denied { needs, .. } => needs,
            other => panic!("{other}"),
        };
        assert_eq!(needs(said("AccessDenied", "no")).as_deref(), Some("iam:ListUsers"));
        let message = "User: arn:aws:iam::1:user/x is not authorized to perform: iam:GetUser on resource: y";
        assert_eq!(needs(said("AccessDenied", message)).as_deref(), Some("iam:GetUser"));
        assert_eq!(needs(said("UnauthorizedOperation", "You are not authorized.")).as_deref(), Some("iam:ListUsers"));
        assert_eq!(needs(said("ExpiredToken", "expired")), None);
        assert!(said("ExpiredToken", "").to_string().contains("expired, sign in again"));
        assert!(matches!(said("NoSuchEntity", ""), Error::Gone(_)));
        assert!(matches!(said("InvalidInstanceID.NotFound", ""), Error::Gone(_)));
        assert!(matches!(said("LoadBalancerNotFound", ""), Error::Gone(_)));
        assert!(matches!(said("Throttling", ""), Error::Throttled { .. }));
        assert!(matches!(said("Client.RequestLimitExceeded", ""), Error::Throttled { .. }));
        assert!(matches!(said("ValidationError", ""), Error::Malformed(_)));
        assert!(matches!(said("OptInRequired", ""), Error::Unsupported(_)));
        let failed = Failure { status: Some(500), code: Some("InternalFailure".into()), ..Failure::default() };
        assert!(explained(failed).is_transient());
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        let garbage = |status, is_html| Failure {
            status: Some(status),
            is_html,
            reached: Reached::Garbage,
            ..Failure::default()
        };
        assert!(matches!(explained(garbage(500, true)), Error::Malformed(text) if text.contains("web page")));
        assert!(matches!(explained(garbage(404, true)), Error::Malformed(_)));
        assert!(explained(garbage(503, true)).is_transient());
        assert!(explained(garbage(500, false)).is_transient());
        assert!(matches!(explained(garbage(200, false)), Error::Malformed(_)));
        assert!(matches!(explained(garbage(429, false)), Error::Throttled { .. }));
        let busy = Failure { retry_after: Some(Duration::from_secs(9)), ..garbage(503, false) };
        assert_eq!(explained(busy).retry_after(), Some(Duration::from_secs(9)));
        let silent = Failure { reached: Reached::Nothing, message: "connection refused".into(), ..Failure::default() };
        assert!(explained(silent).is_transient());
    }

    #[test]
    fn missing_credentials_say_what_to_do() {
        let without = |missing, assume_role| {
            explained(Failure {
                credentials: Some(missing),
                assume_role,
                reached: Reached::Nothing,
                ..Failure::default()
            })
        };
        let absent = without(NoCredentials::Absent, None);
        assert!(matches!(absent, Error::Unsupported(text) if text.contains("aws configure")));
        assert!(matches!(without(NoCredentials::Misconfigured, None), Error::Malformed(_)));
        assert!(matches!(without(NoCredentials::Refused, None), Error::Denied { needs: None, .. }));
        let denied = Failure { code: Some("AccessDenied".into()), status: Some(403), ..Failure::default() };
        let refused = without(NoCredentials::Refused, Some(Box::new(denied)));
        assert!(matches!(refused, Error::Denied { needs: Some(needs), .. } if needs == "sts:AssumeRole"));
    }

    #[test]
    fn web_pages_are_recognised() {
        assert!(is_html("\n <!DOCTYPE html>"));
        assert!(is_html("<HTML><body>"));
        assert!(!is_html("<?xml version=\"1.0\"?><ErrorResponse/>"));
        assert!(!is_html("<html"));
        assert!(!is_html("<\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"));
    }

    #[test]
    fn errors_are_found_where_imitations_put_them() {
        let body = "<ErrorResponse><Errors><Error><Code>AccessDenied</Code><Message>no</Message></Error></Errors>";
        assert_eq!(element(body, "Code"), Some("AccessDenied"));
        assert_eq!(element(body, "Message"), Some("no"));
        assert_eq!(element(body, "RequestId"), None);
        assert_eq!(element("<Code>cut off", "Code"), None);
    }
}
