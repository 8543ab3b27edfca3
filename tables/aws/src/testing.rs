//! Test helpers: an account whose calls a function answers.

use std::fmt;

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;

/// Answers all requests.
#[derive(Clone)]
struct Server<F>(F);

impl<F> fmt::Debug for Server<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

impl<F: Fn(&HttpRequest) -> http::Response<SdkBody> + Send + Sync> HttpConnector for Server<F> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok(HttpResponse::try_from((self.0)(&request)).expect("a response")))
    }
}

/// The configuration of an account whose calls a function answers.
pub(crate) fn config<F>(server: F) -> SdkConfig
where
    F: Fn(&HttpRequest) -> http::Response<SdkBody> + Clone + Send + Sync + 'static,
{
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "test");
    SdkConfig::builder()
        .region(Region::new("eu-west-1"))
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(Server(server.clone()))))
        .build()
}

/// A response.
pub(crate) fn response(status: u16, body: impl Into<SdkBody>) -> http::Response<SdkBody> {
    http::Response::builder().status(status).body(body.into()).expect("a response")
}
