//! The HTTP client of all calls: one connection pool, with the proxies and certificates of the AWS CLI.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider as Tls;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use indago_net::{Authorities, Route, Sender, Trust, client_config, is_tls};
use indago_table::prelude::*;

use crate::files::LARGEST;

/// Connect timeout if the SDK sets none.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The certificates of a PEM file that are trusted instead of the machine's. `named_by` is the setting that names the
/// file.
pub(crate) fn bundle(sys: &Sys, path: &Path, named_by: &str) -> Result<Authorities> {
    let shown = format!("{} ({named_by})", path.display());
    match sys.read_at_most(path, LARGEST) {
        Err(Error::Gone(_)) => Err(Error::Malformed(format!("there is no file {shown}"))),
        pem => Authorities::new(&pem?, &shown),
    }
}

/// One client for all accounts that trust the same certificates; `None` for the machine's.
pub(crate) fn client(bundle: Option<Authorities>) -> SharedHttpClient {
    static CLIENTS: OnceLock<Mutex<HashMap<Option<Authorities>, SharedHttpClient>>> = OnceLock::new();
    let mut clients = CLIENTS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let new = || SharedHttpClient::new(OnePool { bundle: bundle.clone(), connectors: OnceLock::new() });
    clients.entry(bundle.clone()).or_insert_with(new).clone()
}

/// An HTTP client with one connector. The SDK's own creates a connector per client, and parses all of the machine's
/// certificates each time. With one client per region, that takes seconds.
#[derive(Debug)]
struct OnePool {
    bundle: Option<Authorities>,
    connectors: OnceLock<SharedHttpConnector>,
}

impl HttpClient for OnePool {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connect = || {
            SharedHttpConnector::new(Connectors {
                bundle: self.bundle.clone(),
                proxies: Proxies::of(&Sys::live()),
                settings: settings.clone(),
                components: components.clone(),
                known: Mutex::default(),
            })
        };
        self.connectors.get_or_init(connect).clone()
    }
}

/// Connectors by proxy. Each is created on first use.
struct Connectors {
    bundle: Option<Authorities>,
    proxies: Proxies,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
    known: Mutex<HashMap<(bool, Option<String>), SharedHttpConnector>>,
}

impl fmt::Debug for Connectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connectors").finish_non_exhaustive()
    }
}

impl HttpConnector for Connectors {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.connector(request.uri()) {
            Ok(connector) => connector.call(request),
            Err(error) => HttpConnectorFuture::ready(Err(ConnectorError::user(error))),
        }
    }
}

impl Connectors {
    fn connector(&self, uri: &str) -> Result<SharedHttpConnector, BoxError> {
        let uri: Uri = uri.parse()?;
        let is_tls = is_tls(&uri);
        let proxy = self.proxies.proxy(&uri);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (is_tls, proxy.map(str::to_owned));
        if let Some(connector) = known.get(&key) {
            return Ok(connector.clone());
        }
        let connector = match (&self.bundle, is_tls) {
            (Some(bundle), true) => self.trusting(bundle, proxy)?,
            _ => self.usual(is_tls, proxy)?,
        };
        Ok(known.entry(key).or_insert(connector).clone())
    }

    /// The SDK's own connector.
    fn usual(&self, is_tls: bool, proxy: Option<&str>) -> Result<SharedHttpConnector, BoxError> {
        let proxy = match proxy {
            None => ProxyConfig::disabled(),
            Some(proxy) if is_tls => ProxyConfig::https(proxy)?,
            Some(proxy) => ProxyConfig::http(proxy)?,
        };
        let mut builder = Connector::builder().connector_settings(self.settings.clone()).proxy_config(proxy);
        builder.set_sleep_impl(self.components.sleep_impl());
        Ok(SharedHttpConnector::new(builder.tls_provider(Tls::Rustls(CryptoMode::Ring)).build()))
    }

    /// A connector that trusts a bundle like OpenSSL does. The SDK's also accepts a bundle, but refuses a server whose
    /// certificate may also sign.
    fn trusting(&self, bundle: &Authorities, proxy: Option<&str>) -> Result<SharedHttpConnector, BoxError> {
        let mut route = Route::new(true);
        route.tls = Some(client_config(&Trust::Authorities(bundle.clone()), None)?);
        route.connect_timeout = self.settings.connect_timeout().unwrap_or(CONNECT_TIMEOUT);
        route.proxy =
            proxy.map(indago_net::proxy).transpose().map_err(|why| format!("the variable HTTPS_PROXY {why}"))?;
        Ok(SharedHttpConnector::new(Hyper(route.sender()?)))
    }
}

/// A sender of requests with the interface that the SDK needs.
struct Hyper(Sender<SdkBody>);

impl fmt::Debug for Hyper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hyper")
    }
}

impl HttpConnector for Hyper {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let answer = (self.0)(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(|error| ConnectorError::io(error.into()))?;
            let answer = answer.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Proxies of the environment, by the AWS CLI's rules: lowercase names win, `ALL_PROXY` is ignored, and an entry of
/// `NO_PROXY` is a host, a domain, or one of them with a port.
#[derive(Debug, Default)]
struct Proxies {
    http: Option<String>,
    https: Option<String>,
    except: Vec<String>,
}

impl Proxies {
    fn of(sys: &Sys) -> Proxies {
        let variable = |name: &str| sys.variable(name).or_else(|| sys.variable(&name.to_ascii_uppercase()));
        let proxy = |name: &str| {
            let url = variable(name).filter(|url| !url.is_empty())?;
            Some(if url.contains("://") { url } else { format!("http://{url}") })
        };
        let entries = variable("no_proxy").unwrap_or_default().to_ascii_lowercase();
        let except = entries.split(',').map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty());
        Proxies { http: proxy("http_proxy"), https: proxy("https_proxy"), except: except.collect() }
    }

    fn proxy(&self, uri: &Uri) -> Option<&str> {
        let proxy = if is_tls(uri) { &self.https } else { &self.http };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let with_port = uri.port_u16().map(|port| format!("{host}:{port}"));
        let is_below = |host: &str, name: &str| {
            host.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        let is_excepted = |entry: &String| {
            let name = entry.trim_start_matches('*').trim_start_matches('.');
            entry == "*"
                || (!name.is_empty()
                    && (is_below(&host, name) || with_port.as_ref().is_some_and(|host| is_below(host, name))))
        };
        proxy.as_deref().filter(|_| !self.except.iter().any(is_excepted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_those_of_the_aws_cli() {
        let of = |variables: &[(&str, &str)], uri: &str| {
            let sys = Sys::live().with_variables(variables.iter().copied());
            Proxies::of(&sys).proxy(&uri.parse().expect("a URI")).map(str::to_owned)
        };
        let proxy = ("HTTPS_PROXY", "http://p:1");
        let ec2 = "https://ec2.eu-west-1.amazonaws.com/";
        for (variables, uri, expected) in [
            (&[][..], ec2, None),
            (&[proxy], ec2, Some("http://p:1")),
            (&[proxy], "http://127.0.0.1:5000/", None),
            (&[("HTTP_PROXY", "p:1")], "http://127.0.0.1:5000/", Some("http://p:1")),
            (&[("ALL_PROXY", "http://p:1")], ec2, None),
            (&[proxy, ("https_proxy", "http://q:1")], ec2, Some("http://q:1")),
            (&[proxy, ("https_proxy", "")], ec2, None),
            (&[proxy, ("NO_PROXY", "*")], ec2, None),
            (&[proxy, ("NO_PROXY", "localhost, .amazonaws.com")], ec2, None),
            (&[proxy, ("NO_PROXY", "amazonaws.com")], ec2, None),
            (&[proxy, ("NO_PROXY", "EC2.eu-west-1.amazonaws.com")], ec2, None),
            (&[proxy, ("NO_PROXY", "zonaws.com,p,")], ec2, Some("http://p:1")),
            (&[proxy, ("NO_PROXY", "a,b"), ("no_proxy", "c")], "https://a/", Some("http://p:1")),
            (&[proxy, ("no_proxy", "127.0.0.1:5000")], "https://127.0.0.1:5000/", None),
            (&[proxy, ("no_proxy", "127.0.0.1:5001")], "https://127.0.0.1:5000/", Some("http://p:1")),
            (&[proxy, ("no_proxy", "::1")], "https://[::1]:5000/", None),
        ] {
            assert_eq!(of(variables, uri).as_deref(), expected, "{variables:?} {uri}");
        }
    }
}
