//! One client for all services with JSON responses, and for S3. A call is its name and a request. Its response is a
//! document, so no crate per service needs to be built.
//!
//! Signing, credentials, timeouts and connections are the SDK's: the client is an operation of the SDK's runtime
//! without types.

use std::fmt;

use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::metadata::ErrorMetadata;
use aws_types::region::{Region, SigningRegion};
use aws_types::service_config::ServiceConfigKey;
use aws_types::{SdkConfig, SigningName};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use indago_table::AnyScan;
use indago_table::prelude::*;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::account::{Aws, Site};
use crate::call::{BoundBytes, Next, WholeAnswers, broken};
use crate::partition::Partition;
use crate::resource::Resource;
use crate::xml;

/// A service of this client.
///
/// A service that speaks JSON has one path: each call is a POST, and the header `X-Amz-Target` names it. A service that
/// speaks REST has a method and a path per call; see [`REST`].
#[derive(Debug)]
pub(crate) struct Service {
    /// Its name in policies, host names and signatures.
    pub(crate) name: &'static str,
    /// Its name in profiles (`services`) and in `AWS_ENDPOINT_URL_..`.
    pub(crate) id: &'static str,
    /// Prefix of the operation in `X-Amz-Target`; empty for REST.
    pub(crate) target: &'static str,
    /// The protocol version: `1.0` or `1.1`; empty for REST.
    pub(crate) json: &'static str,
    /// Whether the entire partition has one endpoint.
    pub(crate) is_global: bool,
    /// Partitions in which its ordinary endpoint is the FIPS one.
    pub(crate) always_fips: &'static [&'static str],
}

/// What services that speak REST have in common.
pub(crate) const REST: Service = Service { name: "", id: "", target: "", json: "", is_global: false, always_fips: &[] };

/// The one service of this client that responds in XML.
const XML: &str = "s3";

/// The request of a call.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: &'static str,
    /// Percent-encoded.
    path: String,
    query: Vec<(&'static str, String)>,
    /// Null for none.
    body: Value,
}

/// Bytes of a path's segment and of a parameter that are sent as they are.
pub(crate) const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Request {
    /// The input of a service that speaks JSON.
    pub(crate) fn input(input: Value) -> Self {
        Request { method: "POST", path: "/".to_owned(), query: Vec::new(), body: input }
    }

    /// A GET of the path with these segments.
    pub(crate) fn get(segments: &[&str]) -> Self {
        let path = segments.iter().map(|segment| format!("/{}", utf8_percent_encode(segment, PLAIN))).collect();
        Request { method: "GET", path, query: Vec::new(), body: Value::Null }
    }

    /// A POST of a document to the path with these segments.
    pub(crate) fn post(segments: &[&str], body: Value) -> Self {
        Request { method: "POST", body, ..Request::get(segments) }
    }

    /// The request with a parameter: a member of the document that it sends, or else of its query.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        match &mut self.body {
            Value::Object(body) => drop(body.insert(name.to_owned(), value)),
            _ => self.query.push((name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))),
        }
        self
    }

    fn uri(&self) -> String {
        let pair = |(name, value): &(&str, String)| match value.is_empty() {
            true => (*name).to_owned(),
            false => format!("{name}={}", utf8_percent_encode(value, PLAIN)),
        };
        let query: Vec<_> = self.query.iter().map(pair).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", if self.path.is_empty() { "/" } else { &self.path }, query.join("&"))
    }
}

/// A document with one more member. Anything but an object is unchanged, and reported when it becomes a row.
pub(crate) fn with_member(mut document: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Value::Object(members) = &mut document {
        members.insert(name.to_owned(), value.into());
    }
    document
}

/// A member of a response; null if there is none.
pub(crate) fn member(mut answer: Value, name: &str) -> Value {
    answer.get_mut(name).map(Value::take).unwrap_or_default()
}

/// A call that lists items in pages.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) service: &'static Service,
    /// What a policy has to allow for it, `service:Operation`.
    pub(crate) action: &'static str,
    /// The member of the response that holds the items.
    pub(crate) items: &'static str,
    /// The parameter of the request and the member of the response that hold the token of the next page.
    pub(crate) tokens: (&'static str, &'static str),
}

/// A response that contains an error in the service's own terms.
pub(crate) type Refusal = OrchestratorError<ErrorMetadata>;

impl Site {
    /// Makes one call of a service and returns its response.
    pub(crate) async fn ask(
        &self,
        scan: &AnyScan<Aws>,
        service: &'static Service,
        operation: &'static str,
        input: Value,
    ) -> Result<Value> {
        self.send(scan, service, &format!("{}:{operation}", service.name), Request::input(input)).await
    }

    /// Makes one call of a service and returns its response. `action` is what a policy has to allow for it,
    /// `service:Operation`.
    pub(crate) async fn send(
        &self,
        scan: &AnyScan<Aws>,
        service: &'static Service,
        action: &str,
        request: Request,
    ) -> Result<Value> {
        let client = self.client(service, action, None)?;
        Ok(self.call(scan, action, || client.invoke(request.clone())).await?.0)
    }

    /// The items of all pages of a listing. A response without them is an error.
    pub(crate) fn list<'a>(
        &self,
        scan: &'a AnyScan<Aws>,
        list: &'static List,
        request: Request,
    ) -> BoxStream<'a, Result<Value>> {
        let client = match self.client(list.service, list.action, Some(list.items)) {
            Ok(client) => client,
            Err(error) => return stream::once(std::future::ready(Err(error))).boxed(),
        };
        let (parameter, member) = list.tokens;
        let listing = format!("{}{}", request.uri(), request.body);
        let fetch = move |token: Option<String>| {
            let (client, request) = (client.clone(), request.clone());
            let request = token.into_iter().fold(request, |request, token| request.with(parameter, token));
            async move { client.invoke(request).await }
        };
        let split = move |Answer(mut page): Answer| {
            let next = page[member].as_str().map(str::to_owned);
            let items = page.get_mut(list.items).and_then(Value::as_array_mut).map(std::mem::take);
            (items.unwrap_or_default(), Next::Token(next))
        };
        self.pages(scan, list.action, &listing, fetch, split)
    }

    /// The rows of a listing.
    pub(crate) fn listed<'a, T: Resource>(
        &self,
        scan: &'a Scan<T>,
        list: &'static List,
        request: Request,
    ) -> BoxStream<'a, Result<T>> {
        self.rows(scan, self.list(scan, list, request))
    }

    /// The rows of several reads, several of them concurrently. A read that fails is reported and costs no other.
    pub(crate) fn each<'a, T, K, Fut>(
        &self,
        scan: &'a Scan<T>,
        keys: Vec<K>,
        read: impl Fn(Site, K) -> Fut + Send + Sync + 'a,
    ) -> BoxStream<'a, Result<T>>
    where
        T: Row<Env = Aws>,
        K: Send + 'a,
        Fut: Future<Output = Result<Vec<T>>> + Send + 'a,
    {
        let (site, origin) = (self.clone(), self.to_string());
        let rows = scan.in_rounds(keys, move |key| read(site.clone(), key));
        let rows = rows.map(move |rows| match rows {
            Err(error) if !error.ends_query() => {
                scan.report(&origin, &error);
                Ok(Vec::new())
            }
            rows => rows,
        });
        rows.map_ok(|rows| stream::iter(rows.into_iter().map(Ok))).try_flatten().boxed()
    }

    fn client(&self, service: &'static Service, action: &str, items: Option<&'static str>) -> Result<Client> {
        let operation = action.split_once(':').map_or(action, |(_, operation)| operation);
        client(self.config(), service, operation, items)
            .map_err(|why| Error::Malformed(format!("{action} as {self}: {why}")))
    }
}

type Client = Operation<Request, Answer, ErrorMetadata>;

/// A response. The SDK logs it at the level `trace`, and it may contain what must not be logged.
pub(crate) struct Answer(pub(crate) Value);

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// One operation of a service, with an account's credentials. `items` is the member that its responses must have.
fn client(
    config: &SdkConfig,
    service: &'static Service,
    operation: &str,
    items: Option<&'static str>,
) -> Result<Client, &'static str> {
    let target = (!service.target.is_empty()).then(|| format!("{}.{operation}", service.target));
    let serializer = move |request: Request| http_request(service.json, target.as_deref(), &request);
    let deserializer = move |response: &HttpResponse| complete(answer(response, service.name == XML)?, items);
    call_of(config, service, operation, serializer, deserializer)
}

/// One operation of a service of any protocol.
pub(crate) fn call_of<I: fmt::Debug + Send + Sync + 'static>(
    config: &SdkConfig,
    service: &'static Service,
    operation: &str,
    serializer: impl Fn(I) -> Result<HttpRequest, BoxError> + Send + Sync + 'static,
    deserializer: impl Fn(&HttpResponse) -> Result<Value, Refusal> + Send + Sync + 'static,
) -> Result<Operation<I, Answer, ErrorMetadata>, &'static str> {
    let (url, region) = endpoint(config, service)?;
    let mut components = RuntimeComponentsBuilder::new("indago")
        .with_auth_scheme(SigV4AuthScheme::new())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .with_interceptor(WholeAnswers)
        .with_interceptor(BoundBytes::default())
        .with_time_source(config.time_source())
        .with_sleep_impl(config.sleep_impl());
    if let Some(cache) = config.identity_cache() {
        components.set_identity_cache(Some(cache));
    }
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, credentials);
    }
    let mut layer = Layer::new("indago");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    let mut signing = SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(region)),
        name: Some(SigningName::from_static(service.name)),
        ..SigV4OperationSigningConfig::default()
    };
    if service.name == XML {
        // S3 signs paths as they are sent, and requires the digest of the body.
        signing.signing_options.double_uri_encode = false;
        signing.signing_options.normalize_uri_path = false;
        signing.signing_options.content_sha256_header = true;
    }
    layer.store_put(signing);
    if let Some(timeouts) = config.timeout_config() {
        layer.store_put(timeouts.clone());
    }
    let mut builder = Operation::builder()
        .service_name(service.id)
        .operation_name(operation.to_owned())
        .endpoint_url(&url)
        .no_retry()
        .runtime_plugin(StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components));
    if let Some(http) = config.http_client() {
        builder = builder.http_client(http);
    }
    if let Some(version) = config.behavior_version() {
        builder = builder.behavior_version(version);
    }
    let deserializer = move |response: &HttpResponse| deserializer(response).map(Answer);
    Ok(builder.serializer(serializer).deserializer(deserializer).build())
}

/// The service's URL, and the region that calls to it are signed for.
fn endpoint(config: &SdkConfig, service: &Service) -> Result<(String, Region), &'static str> {
    let home = config.region().map_or("us-east-1", Region::as_ref);
    let partition = Partition::of(home);
    let region = if service.is_global { partition.global_region } else { home };
    let (fips, dual_stack) = (config.use_fips() == Some(true), config.use_dual_stack() == Some(true));
    let url = match configured(config, service) {
        Some(_) if fips => return Err("an endpoint is configured, which cannot be switched to FIPS"),
        Some(_) if dual_stack => return Err("an endpoint is configured, which cannot be switched to dual-stack"),
        Some(url) => url,
        None => {
            let fips = fips && (dual_stack || !service.always_fips.contains(&partition.name));
            let (host, has_own_suffix) = host(service.name, fips, dual_stack);
            let suffix = if has_own_suffix { partition.dual_stack } else { partition.suffix };
            format!("https://{host}.{region}.{suffix}")
        }
    };
    Ok((url, Region::new(region.to_owned())))
}

/// The beginning of a service's host name, and whether the name ends as those of dual-stack endpoints do.
fn host(name: &str, fips: bool, dual_stack: bool) -> (String, bool) {
    let mark = if fips { "-fips" } else { "" };
    match name {
        "ecr" if !dual_stack => (format!("api.ecr{mark}"), false),
        "eks" if fips && !dual_stack => ("fips.eks".to_owned(), false),
        "s3" if dual_stack => (format!("s3{mark}.dualstack"), false),
        "secretsmanager" => (format!("{name}{mark}"), false),
        _ => (format!("{name}{mark}"), dual_stack),
    }
}

/// The URL that the configuration sets instead: an embedder's, the service's, or that of all services.
fn configured(config: &SdkConfig, service: &Service) -> Option<String> {
    let of_all = || config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return of_all();
    }
    let key =
        ServiceConfigKey::builder().service_id(service.id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_service = || config.service_config()?.load_config(key.ok()?);
    of_service().or_else(of_all)
}

fn http_request(json: &str, target: Option<&str>, request: &Request) -> Result<HttpRequest, BoxError> {
    let mut built = http::Request::builder()
        .method(request.method)
        .uri(request.uri())
        .header("user-agent", concat!("indago/", env!("CARGO_PKG_VERSION")));
    if let Some(target) = target {
        let content = format!("application/x-amz-json-{json}");
        built = built.header("content-type", content).header("x-amz-target", target);
    } else if !request.body.is_null() {
        built = built.header("content-type", "application/json");
    }
    let body = if request.body.is_null() { SdkBody::empty() } else { SdkBody::from(request.body.to_string()) };
    Ok(HttpRequest::try_from(built.body(body)?)?)
}

/// A page with its items. A response without them would otherwise be an empty list.
fn complete(document: Value, items: Option<&'static str>) -> Result<Value, Refusal> {
    match items {
        Some(items) if !document[items].is_array() => {
            Err(OrchestratorError::response(format!("the response has no list `{items}`").into()))
        }
        _ => Ok(document),
    }
}

fn answer(response: &HttpResponse, is_xml: bool) -> Result<Value, Refusal> {
    let body = response.body().bytes().unwrap_or_default();
    if is_xml && response.status().is_success() && body.trim_ascii_start().starts_with(b"<") {
        return xml::document(body).ok_or_else(|| OrchestratorError::response("the response is not XML".into()));
    }
    let document: Result<Value, _> = serde_json::from_slice(body);
    if response.status().is_success() {
        return document.map_err(|error| {
            OrchestratorError::response(match error.is_eof() {
                true => broken("it is not a complete JSON document").into(),
                false => "the response is not JSON".into(),
            })
        });
    }
    let document = document.ok();
    let field = |names: [&str; 2]| names.iter().find_map(|name| document.as_ref()?.get(*name)?.as_str());
    // `aws.service#Name:http://..`
    let code = response.headers().get("x-amzn-errortype").or_else(|| field(["__type", "code"]));
    let code = code.and_then(|code| code.split(':').next()).and_then(|code| code.rsplit('#').next());
    let Some(code) = code else { return Err(OrchestratorError::response("the response names no error".into())) };
    let mut error = ErrorMetadata::builder().code(code);
    if let Some(message) = field(["message", "Message"]) {
        error = error.message(message);
    }
    Err(OrchestratorError::operation(error.build()))
}

#[cfg(test)]
mod tests {
    use indago_table::ScanContext;
    use serde_json::json;

    use super::*;
    use crate::aws_account::{Account, ORGANIZATIONS};
    use crate::services::{ACCOUNT, CLOUD_CONTROL, CLOUD_TRAIL, ECR, EKS, S3, SECRETS_MANAGER};
    use crate::testing::{config, response};

    static ECS: Service = Service { name: "ecs", id: "ECS", is_global: false, always_fips: &[], ..ORGANIZATIONS };

    #[test]
    fn endpoints_follow_partition_region_and_settings() {
        for (service, region, fips, dual_stack, expected) in [
            (&ORGANIZATIONS, "eu-west-1", false, false, "https://organizations.us-east-1.amazonaws.com us-east-1"),
            (&ORGANIZATIONS, "us-east-1", true, false, "https://organizations-fips.us-east-1.amazonaws.com us-east-1"),
            (&ORGANIZATIONS, "us-east-1", true, true, "https://organizations-fips.us-east-1.api.aws us-east-1"),
            (
                &ORGANIZATIONS,
                "cn-north-1",
                false,
                true,
                "https://organizations.cn-northwest-1.api.amazonwebservices.com.cn cn-northwest-1",
            ),
            (
                &ORGANIZATIONS,
                "us-gov-east-1",
                true,
                false,
                "https://organizations.us-gov-west-1.amazonaws.com us-gov-west-1",
            ),
            (&ECS, "eu-west-1", false, false, "https://ecs.eu-west-1.amazonaws.com eu-west-1"),
            (&ECS, "us-gov-east-1", true, false, "https://ecs-fips.us-gov-east-1.amazonaws.com us-gov-east-1"),
            (&ECS, "eusc-de-east-1", false, false, "https://ecs.eusc-de-east-1.amazonaws.eu eusc-de-east-1"),
            (&ECR, "eu-west-1", false, false, "https://api.ecr.eu-west-1.amazonaws.com eu-west-1"),
            (&ECR, "eu-west-1", false, true, "https://ecr.eu-west-1.api.aws eu-west-1"),
            (&ECR, "us-gov-east-1", true, false, "https://api.ecr-fips.us-gov-east-1.amazonaws.com us-gov-east-1"),
            (&EKS, "eu-west-1", true, false, "https://fips.eks.eu-west-1.amazonaws.com eu-west-1"),
            (&EKS, "eu-west-1", true, true, "https://eks-fips.eu-west-1.api.aws eu-west-1"),
            (&EKS, "us-gov-east-1", true, false, "https://eks.us-gov-east-1.amazonaws.com us-gov-east-1"),
            (&ACCOUNT, "eu-west-1", false, false, "https://account.us-east-1.amazonaws.com us-east-1"),
            (&CLOUD_TRAIL, "us-gov-east-1", true, true, "https://cloudtrail-fips.us-gov-east-1.api.aws us-gov-east-1"),
            (
                &SECRETS_MANAGER,
                "eu-west-1",
                true,
                true,
                "https://secretsmanager-fips.eu-west-1.amazonaws.com eu-west-1",
            ),
            (&S3, "eu-west-1", false, false, "https://s3.eu-west-1.amazonaws.com eu-west-1"),
            (&S3, "eu-west-1", true, true, "https://s3-fips.dualstack.eu-west-1.amazonaws.com eu-west-1"),
            (&S3, "cn-north-1", false, true, "https://s3.dualstack.cn-north-1.amazonaws.com.cn cn-north-1"),
            (&CLOUD_CONTROL, "eu-west-1", false, false, "https://cloudcontrolapi.eu-west-1.amazonaws.com eu-west-1"),
        ] {
            let config = SdkConfig::builder().region(Region::new(region));
            let config = config.use_fips(fips).use_dual_stack(dual_stack).build();
            let (url, signed) = endpoint(&config, service).expect("an endpoint");
            assert_eq!(format!("{url} {signed}"), expected, "{region}");
        }
        let config =
            SdkConfig::builder().region(Region::new("cn-north-1")).endpoint_url("http://127.0.0.1:5000").build();
        assert_eq!(endpoint(&config, &ECS).expect("an endpoint").0, "http://127.0.0.1:5000");
        assert!(endpoint(&config.into_builder().use_fips(true).build(), &ECS).is_err());
    }

    async fn ask<F>(server: F) -> Result<Value>
    where
        F: Fn(&HttpRequest) -> http::Response<SdkBody> + Clone + Send + Sync + 'static,
    {
        let aws = Aws::empty().with_config("prod", config(server));
        let scan = Scan::<Account>::new(ScanContext::new([0]), &aws);
        let site = aws.site("prod", "global", scan.moment()).await?;
        let answer = site.ask(&scan, &ORGANIZATIONS, "DescribeOrganization", json!({"a": [1]})).await;
        assert!(answer.is_err() || scan.meter().bytes() > 0);
        answer
    }

    #[tokio::test]
    async fn a_call_is_signed_and_its_answer_is_a_document() {
        let answer = ask(|request| {
            assert_eq!((request.method(), request.uri()), ("POST", "https://organizations.us-east-1.amazonaws.com/"));
            let header = |name| request.headers().get(name).unwrap_or_default();
            assert_eq!(header("x-amz-target"), "AWSOrganizationsV20161128.DescribeOrganization");
            assert_eq!(header("content-type"), "application/x-amz-json-1.1");
            assert_eq!(header("x-amz-security-token"), "token");
            let signature = header("authorization");
            assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signature}");
            assert!(signature.contains("/us-east-1/organizations/aws4_request, SignedHeaders="), "{signature}");
            assert!(
                signature.contains("content-type;host;x-amz-date;x-amz-security-token;x-amz-target"),
                "{signature}"
            );
            assert_eq!(request.body().bytes(), Some(&br#"{"a":[1]}"#[..]));
            response(200, r#"{"Organization": {"Id": "o-1"}}"#)
        });
        assert_eq!(answer.await, Ok(json!({"Organization": {"Id": "o-1"}})));
    }

    #[tokio::test]
    async fn refusals_become_outcomes() {
        let what = "organizations:DescribeOrganization as prod/global";
        let refused =
            ask(|_| response(400, r#"{"__type":"com.amazon#AccessDeniedException:http://x#y","Message":"no"}"#));
        let needs = Some("organizations:DescribeOrganization".to_owned());
        assert_eq!(refused.await, Err(Error::Denied { what: what.to_owned(), needs }));
        let absent = ask(|_| response(400, r#"{"__type":"AWSOrganizationsNotInUseException","message":"none"}"#));
        assert_eq!(absent.await, Err(Error::Gone(what.to_owned())));
        let slow = ask(|_| {
            let mut response = response(400, "{}");
            response.headers_mut().insert("x-amzn-errortype", http::HeaderValue::from_static("ThrottlingException:"));
            response
        });
        assert!(matches!(slow.await, Err(Error::Throttled { .. })));
        for (status, body, expected) in [
            (400, r#"{"__type":"ValidationException","message":"bad"}"#, "bad (ValidationException)"),
            (200, "<html><body>", "the response is a web page (HTTP 200)"),
            (200, "{]", "the response is not JSON (HTTP 200)"),
            (404, "", "the response names no error (HTTP 404)"),
        ] {
            let error = ask(move |_| response(status, body)).await;
            assert!(matches!(&error, Err(Error::Malformed(text)) if text.contains(expected)), "{body}: {error:?}");
        }
        for body in [r#"{"Organization": {"Id": "o-1""#, "{", ""] {
            let error = ask(move |_| response(200, body)).await.expect_err("it is not a response");
            assert!(error.is_transient() && error.to_string().contains("the response is cut off"), "{body}: {error}");
        }
    }

    async fn listed<F>(server: F, list: &'static List, request: Request) -> Result<Vec<Value>>
    where
        F: Fn(&HttpRequest) -> http::Response<SdkBody> + Clone + Send + Sync + 'static,
    {
        let aws = Aws::empty().with_config("prod", config(server));
        let scan = Scan::<Account>::new(ScanContext::new([0]), &aws);
        let site = aws.site("prod", "eu-west-1", scan.moment()).await?;
        site.list(&scan, list, request).try_collect().await
    }

    static CLUSTERS: List =
        List { service: &EKS, action: "eks:ListClusters", items: "clusters", tokens: ("nextToken", "nextToken") };
    static FINDINGS: List =
        List { service: &EKS, action: "x:List", items: "findingIds", tokens: ("nextToken", "nextToken") };

    #[tokio::test]
    async fn pages_of_rest_lists_are_fetched() {
        let server = |request: &HttpRequest| {
            assert_eq!((request.method(), request.headers().get("x-amz-target")), ("GET", None));
            assert_eq!(request.body().bytes(), Some(&b""[..]));
            let signed = request.headers().get("authorization").unwrap_or_default();
            assert!(signed.contains("/eu-west-1/eks/aws4_request"), "{signed}");
            match request.uri() {
                "https://eks.eu-west-1.amazonaws.com/a%20b/c%2Fd?x=%26" => {
                    response(200, r#"{"clusters": ["a"], "nextToken": "t/1"}"#)
                }
                "https://eks.eu-west-1.amazonaws.com/a%20b/c%2Fd?x=%26&nextToken=t%2F1" => {
                    response(200, r#"{"clusters": [], "nextToken": null}"#)
                }
                uri => panic!("{uri}"),
            }
        };
        let request = Request::get(&["a b", "c/d"]).with("x", "&");
        assert_eq!(listed(server, &CLUSTERS, request).await, Ok(vec![json!("a")]));
        // The token of a POST is in its body.
        let server = |request: &HttpRequest| {
            let body: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default()).expect("JSON");
            match body["nextToken"].as_str() {
                None => response(200, r#"{"findingIds": ["a"], "nextToken": "b"}"#),
                Some(token) => response(200, format!(r#"{{"findingIds": ["{token}"], "nextToken": ""}}"#)),
            }
        };
        let found = listed(server, &FINDINGS, Request::post(&["findings"], json!({"maxResults": 50})));
        assert_eq!(found.await, Ok(vec![json!("a"), json!("b")]));
    }

    #[tokio::test]
    async fn a_page_without_its_list_is_an_error() {
        for body in ["{}", "[]", "null", r#"{"clusters": null}"#, r#"{"clusters": {"a": 1}}"#] {
            let error = listed(move |_| response(200, body), &CLUSTERS, Request::get(&["clusters"])).await;
            let expected = "the response has no list `clusters`";
            assert!(matches!(&error, Err(Error::Malformed(why)) if why.contains(expected)), "{body}: {error:?}");
        }
    }

    #[tokio::test]
    async fn s3_responds_in_xml() {
        let ask = async |status, body: &'static str| {
            let server = move |request: &HttpRequest| {
                assert_eq!(request.uri(), "https://s3.eu-west-1.amazonaws.com/b?policy");
                assert!(request.headers().get("x-amz-content-sha256").is_some());
                response(status, body)
            };
            let aws = Aws::empty().with_config("prod", config(server));
            let scan = Scan::<Account>::new(ScanContext::new([0]), &aws);
            let site = aws.site("prod", "eu-west-1", scan.moment()).await.expect("a site");
            site.send(&scan, &S3, "s3:GetBucketPolicy", Request::get(&["b"]).with("policy", "")).await
        };
        assert_eq!(ask(200, "<A xmlns=\"urn:x\"><B>1</B></A>").await, Ok(json!({"B": "1"})));
        assert_eq!(ask(200, r#"{"Statement": []}"#).await, Ok(json!({"Statement": []})));
        let error = "<Error><Code>NoSuchBucketPolicy</Code><Message>none</Message></Error>";
        assert!(matches!(ask(404, error).await, Err(Error::Gone(_))));
        let error = "<Error><Code>ServerSideEncryptionConfigurationNotFoundError</Code><Message>none</Message></Error>";
        assert!(matches!(ask(404, error).await, Err(Error::Gone(_))));
        let error = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        let needs = Some("s3:GetBucketPolicy".to_owned());
        let denied = Err(Error::Denied { what: "s3:GetBucketPolicy as prod/eu-west-1".to_owned(), needs });
        assert_eq!(ask(403, error).await, denied);
        let page = ask(200, "<!doctype html><p>").await;
        assert!(matches!(&page, Err(Error::Malformed(why)) if why.contains("web page")), "{page:?}");
        for body in ["<A><B>1</B>", "<A"] {
            let cut = ask(200, body).await.expect_err("it is cut off");
            assert!(cut.is_transient(), "{body}: {cut}");
        }
    }
}
