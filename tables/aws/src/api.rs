//! One client for all services with JSON responses. A call is its name and an input. Its response is a document, so no
//! crate per service needs to be built.
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
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Site};
use crate::call::{BoundBytes, WholeAnswers, broken};
use crate::partition::Partition;

/// A service that speaks JSON. Each call is a POST, and the header `X-Amz-Target` names it.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its name in policies, host names and signatures.
    pub(crate) name: &'static str,
    /// Its name in profiles (`services`) and in `AWS_ENDPOINT_URL_..`.
    pub(crate) id: &'static str,
    /// Prefix of the operation in `X-Amz-Target`.
    pub(crate) target: &'static str,
    /// The protocol version: `1.0` or `1.1`.
    pub(crate) json: &'static str,
    /// Whether the entire partition has one endpoint.
    pub(crate) is_global: bool,
    /// Partitions in which its ordinary endpoint is the FIPS one.
    pub(crate) always_fips: &'static [&'static str],
}

/// A response that contains an error in the service's own terms.
pub(crate) type Refusal = OrchestratorError<ErrorMetadata>;

impl Site {
    /// Makes one call of a service and returns its response.
    pub(crate) async fn ask<T: Row<Env = Aws>>(
        &self,
        scan: &Scan<T>,
        service: &'static Service,
        operation: &'static str,
        input: Value,
    ) -> Result<Value> {
        let action = format!("{}:{operation}", service.name);
        let what = format!("{action} as {self}");
        let client =
            client(self.config(), service, operation).map_err(|why| Error::Malformed(format!("{what}: {why}")))?;
        self.call(scan, &action, || client.invoke(input.clone())).await
    }
}

/// One operation of a service, with an account's credentials.
fn client(
    config: &SdkConfig,
    service: &'static Service,
    operation: &'static str,
) -> Result<Operation<Value, Value, ErrorMetadata>, &'static str> {
    let target = format!("{}.{operation}", service.target);
    call_of(config, service, operation, move |input| request(service.json, &target, &input), answer)
}

/// One operation of a service of any protocol.
pub(crate) fn call_of<I, O>(
    config: &SdkConfig,
    service: &'static Service,
    operation: &str,
    serializer: impl Fn(I) -> Result<HttpRequest, BoxError> + Send + Sync + 'static,
    deserializer: impl Fn(&HttpResponse) -> Result<O, Refusal> + Send + Sync + 'static,
) -> Result<Operation<I, O, ErrorMetadata>, &'static str>
where
    I: fmt::Debug + Send + Sync + 'static,
    O: fmt::Debug + Send + Sync + 'static,
{
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
    layer.store_put(SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(region)),
        name: Some(SigningName::from_static(service.name)),
        ..SigV4OperationSigningConfig::default()
    });
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
            let fips = if fips && !service.always_fips.contains(&partition.name) { "-fips" } else { "" };
            let suffix = if dual_stack { partition.dual_stack } else { partition.suffix };
            format!("https://{}{fips}.{region}.{suffix}", service.name)
        }
    };
    Ok((url, Region::new(region.to_owned())))
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

fn request(json: &str, target: &str, input: &Value) -> Result<HttpRequest, BoxError> {
    let request = http::Request::post("/")
        .header("content-type", format!("application/x-amz-json-{json}"))
        .header("x-amz-target", target)
        .header("user-agent", concat!("indago/", env!("CARGO_PKG_VERSION")))
        .body(SdkBody::from(input.to_string()))?;
    Ok(HttpRequest::try_from(request)?)
}

fn answer(response: &HttpResponse) -> Result<Value, Refusal> {
    let body = response.body().bytes().unwrap_or_default();
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
    use crate::aws_account::Account;
    use crate::testing::{config, response};

    static ORGANIZATIONS: Service = Service {
        name: "organizations",
        id: "Organizations",
        target: "AWSOrganizationsV20161128",
        json: "1.1",
        is_global: true,
        always_fips: &["aws-us-gov"],
    };
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
}
