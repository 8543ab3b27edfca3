//! A connection to one API server, made from its kubeconfig entries.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Uri};
use indago_net::{Authorities, Identity, Route, Sender, Trust, basic_of, client_config, is_tls, plain};
use indago_table::{Error, Result, Sys};
use k8s_openapi::jiff::Timestamp as Expiry;
use kube::client::Body;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};

use crate::credentials::{self, Credentials, Plugin};
use crate::kubeconfig::{Cluster, Exec, Material, User};
use crate::proxy::proxy_for;

/// What is needed to reach a server.
pub(crate) struct Target {
    pub(crate) cluster: Cluster,
    pub(crate) user: User,
    /// The user that the context names, if the kubeconfig has no user of that name.
    pub(crate) absent_user: Option<String>,
    /// Namespaces that the kubeconfig names for this cluster and user.
    pub(crate) namespaces: Vec<String>,
    /// The machine with the files that the kubeconfig names.
    pub(crate) files: Sys,
    /// The machine that the program runs on: its clock, its variables, its programs.
    pub(crate) own: Sys,
    /// Harmless problems of the kubeconfig.
    pub(crate) warnings: Vec<String>,
    /// Why no plug-in is run, and no file's content sent to the server.
    pub(crate) distrust: Option<String>,
}

/// The client.
#[derive(Clone)]
pub(crate) struct Established {
    pub(crate) client: kube::Client,
    /// When it must be replaced.
    pub(crate) until: Option<Expiry>,
    /// Warnings for its user.
    pub(crate) warnings: Vec<String>,
}

/// Time after which a server that has vanished is noticed. Rows from a watch are taken as current until then.
const PEER_TIMEOUT: Duration = Duration::from_secs(9);
/// Files that a connection depends on are read again after this many seconds, by the next query.
const FILE_SECONDS: i64 = 60;
/// Largest kubeconfig, and largest file that it names.
pub(crate) const MOST_BYTES: u64 = 16 << 20;

/// A small file. A missing file is an error.
pub(crate) fn read_file(sys: &Sys, path: &Path, what: &str) -> Result<Vec<u8>> {
    let named = || format!("`{what}` {}", path.display());
    match sys.read_at_most(path, MOST_BYTES) {
        Err(Error::Gone(_)) => Err(Error::Unsupported(format!("{} does not exist", named()))),
        Err(Error::Denied { .. }) => Err(Error::denied(named())),
        read => read,
    }
}

impl Target {
    /// Connects. Nothing is sent yet.
    pub(crate) async fn connect(&self) -> Result<Established> {
        let server = Server::parse(self.cluster.server.as_deref().unwrap_or_default())?;
        let is_https = is_tls(&server.base);
        let mut warnings = self.warnings.clone();
        let (mut source, mut identity) = (credentials::Source::Nowhere, None);
        if is_https {
            source = credentials::source(&self.user, &self.files, |exec| self.plugin(exec, &server))?;
            if let credentials::Source::File(_, file, _) = &source {
                self.check_named(file, "tokenFile")?;
            }
            identity = self.identity()?;
        } else if self.user.has_credentials() {
            let hint = "credentials are not sent and no plug-in is run, because `server` is http://";
            warnings.push(format!("{hint} (kubectl does the same); write https:// if the server speaks TLS"));
        }
        let credentials = Credentials::new(source, self.own.clone());
        let given = credentials.begin().await?;
        let mut until = self.until();
        if let Some(given) = given
            && given.identity.is_some()
        {
            (identity, until) = (given.identity, given.until.into_iter().chain(until).min());
        }
        let send = self.sender(&server, identity.as_ref())?;
        let mut headers = credentials::impersonation(&self.user.impersonation)?;
        headers.extend(server.user.clone().map(|user| (AUTHORIZATION, user)));
        let shared = Arc::new((server, credentials, headers, send));
        let service = tower::service_fn(move |mut request: Request<Body>| {
            let shared = shared.clone();
            async move {
                let (server, credentials, headers, send) = &*shared;
                if let Some(header) = credentials.header().await? {
                    request.headers_mut().insert(AUTHORIZATION, header);
                }
                request.headers_mut().extend(headers.clone());
                *request.uri_mut() = server.uri(request.uri())?;
                Ok::<_, tower::BoxError>(send(request).await?)
            }
        });
        Ok(Established { client: kube::Client::new(service, "default"), until, warnings })
    }

    /// Whether compressed responses may be requested. On this machine they never pay.
    pub(crate) fn may_compress(&self) -> bool {
        let server = Server::parse(self.cluster.server.as_deref().unwrap_or_default());
        let is_local = |server: Server| {
            let host = server.base.host().unwrap_or_default().trim_matches(['[', ']']);
            host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        };
        !self.cluster.disable_compression && !server.is_ok_and(is_local)
    }

    /// When files may have changed.
    fn until(&self) -> Option<Expiry> {
        let files = [&self.cluster.authority, &self.user.certificate, &self.user.key];
        let has_files = files.iter().any(|material| material.data.is_none() && material.file.is_some());
        has_files.then(|| Expiry::from_second(self.own.now().seconds() + FILE_SECONDS).ok()).flatten()
    }

    fn material(&self, material: &Material, what: &str) -> Result<Option<Vec<u8>>> {
        match (&material.data, &material.file) {
            (Some(data), _) => Ok(Some(data.clone())),
            (None, Some(file)) => read_file(&self.files, file, what).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Fails if other users could have named a file of the user, to send it to their server. Under another root there
    /// are only files of the machine with the kubeconfig.
    fn check_named(&self, file: &Path, what: &str) -> Result<()> {
        match &self.distrust {
            Some(why) if self.files.is_live() => {
                Err(Error::Unsupported(format!("`{what}` {} is not read: {why}", file.display())))
            }
            _ => Ok(()),
        }
    }

    fn identity(&self) -> Result<Option<Identity>> {
        if let Material { data: None, file: Some(file) } = &self.user.key {
            self.check_named(file, "client-key")?;
        }
        let certificate = self.material(&self.user.certificate, "client-certificate")?;
        let key = self.material(&self.user.key, "client-key")?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(Identity { certificate, key })),
            (None, None) => Ok(None),
            (certificate, _) => {
                let (there, absent) = match certificate {
                    Some(_) => ("client-certificate", "client-key"),
                    None => ("client-key", "client-certificate"),
                };
                Err(Error::Malformed(format!("the user has a `{there}`, but no `{absent}`")))
            }
        }
    }

    fn plugin(&self, exec: &Exec, server: &Server) -> Result<Plugin> {
        if let Some(why) = &self.distrust {
            return Err(Error::Unsupported(format!("credentials plug-in `{}` is not run: {why}", exec.command)));
        }
        let cluster = if exec.provide_cluster_info { Some(self.cluster_info(server)?) } else { None };
        Ok(Plugin { exec: exec.clone(), cluster, sys: self.own.clone() })
    }

    /// The cluster information that a plug-in receives.
    fn cluster_info(&self, server: &Server) -> Result<Value> {
        let Cluster { tls_server_name, insecure, authority, proxy_url, disable_compression, plugin_config, .. } =
            &self.cluster;
        let authority = self.material(authority, "certificate-authority")?;
        let mut info = json!({
            "server": server.base.to_string().trim_end_matches('/'),
            "tls-server-name": tls_server_name,
            "insecure-skip-tls-verify": insecure.then_some(true),
            "certificate-authority-data": authority.map(|authority| STANDARD.encode(authority)),
            "proxy-url": proxy_url,
            "disable-compression": disable_compression.then_some(true),
            "config": plugin_config,
        });
        if let Some(info) = info.as_object_mut() {
            info.retain(|_, value| !value.is_null());
        }
        Ok(info)
    }

    /// The sender of requests: through a proxy or directly, with TLS or without.
    fn sender(&self, server: &Server, identity: Option<&Identity>) -> Result<Sender<Body>> {
        let mut route = Route { peer_timeout: PEER_TIMEOUT, ..Route::new(is_tls(&server.base)) };
        route.proxy = proxy_for(&server.base, self.cluster.proxy_url.as_deref(), &self.own)?;
        if !route.is_https && !route.proxy.as_ref().is_some_and(is_tls) {
            return route.sender();
        }
        let trust = match (self.cluster.insecure, self.material(&self.cluster.authority, "certificate-authority")?) {
            (true, Some(_)) => {
                let both = "`insecure-skip-tls-verify` and `certificate-authority` are both set";
                return Err(Error::Malformed(format!("{both}; remove one (kubectl also refuses both)")));
            }
            (true, None) => Trust::Anyone,
            (false, Some(pem)) => Trust::Authorities(Authorities::new(&pem, "`certificate-authority`")?),
            (false, None) => Trust::Machine,
        };
        route.tls = Some(client_config(&trust, identity)?);
        if let Some(name) = &self.cluster.tls_server_name {
            let unfit = |_| Error::Malformed(format!("`tls-server-name` {name} is not the name of a host"));
            route.server_name = Some(ServerName::try_from(name.clone()).map_err(unfit)?);
        }
        route.sender()
    }
}

impl User {
    fn has_credentials(&self) -> bool {
        self.token.is_some()
            || self.token_file.is_some()
            || self.username.is_some()
            || self.exec.is_some()
            || self.auth_provider.is_some()
            || self.certificate.is_set()
    }
}

/// The address of an API server.
#[derive(Debug)]
struct Server {
    /// Scheme, host and port, and a path prefix of the API.
    base: Uri,
    /// Name and password in the address.
    user: Option<HeaderValue>,
}

impl Server {
    /// Reads an address like kubectl does: without a scheme it is host and port, and plain HTTP.
    fn parse(text: &str) -> Result<Self> {
        // A password in it must not be repeated.
        let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
        let wrong = |why: &str| Error::Malformed(format!("`server` {shown} {why}"));
        if text.is_empty() {
            return Err(Error::Malformed(
                "the cluster has no `server`: write its address, https://HOST:PORT".to_owned(),
            ));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = scheme.to_ascii_lowercase();
        if !["http", "https"].contains(&&*scheme) {
            return Err(wrong(&format!("has the scheme `{scheme}`: it must be https or http")));
        }
        if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
            return Err(wrong("names no host"));
        }
        let uri: Uri =
            format!("{scheme}://{rest}").parse().map_err(|error| wrong(&format!("is not a URL: {error}")))?;
        if !text.contains("://") && uri.path() != "/" {
            return Err(wrong("must be a URL, or host and port"));
        }
        let base = plain(&uri).ok().filter(|base| base.host().is_some_and(|host| !host.is_empty()));
        let base = base.ok_or_else(|| wrong("names no host"))?;
        let port = base.authority().map(|authority| authority.as_str().len() - authority.host().len()).unwrap_or(0);
        if port > 1 && base.port_u16().is_none_or(|port| port == 0) {
            return Err(wrong("has a port that is not a number from 1 to 65535"));
        }
        let user = basic_of(&uri)?;
        match base.authority() {
            // SOCKS clients assume port 443 if there is none.
            Some(host) if scheme == "http" && base.port_u16().is_none() => {
                let whole = format!("http://{}:80{}", host.host(), base.path());
                Ok(Server { base: whole.parse().map_err(|_| wrong("is not a URL"))?, user })
            }
            _ => Ok(Server { base, user }),
        }
    }

    /// The complete address of one request.
    fn uri(&self, request: &Uri) -> Result<Uri> {
        let mut parts = self.base.clone().into_parts();
        let path = request.path_and_query().map_or("/", |path| path.as_str());
        let whole = format!("{}{path}", self.base.path().trim_end_matches('/'));
        let unfit = |error: &dyn std::fmt::Display| Error::Malformed(format!("GET {whole}: {error}"));
        parts.path_and_query = Some(whole.parse().map_err(|error: http::uri::InvalidUri| unfit(&error))?);
        Uri::from_parts(parts).map_err(|error| unfit(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// kubectl 1.32 accepted these addresses with this meaning, and refused the others.
    #[test]
    fn addresses_are_read_as_kubectl_reads_them() {
        let url = |server: &str| {
            let server = Server::parse(server);
            let uri = server.and_then(|server| server.uri(&Uri::from_static("/api/v1/pods?limit=5")));
            uri.map_or_else(|error| error.to_string(), |uri| uri.to_string())
        };
        for (server, expected) in [
            ("127.0.0.1:18001", "http://127.0.0.1:18001/api/v1/pods?limit=5"),
            ("localhost:8080", "http://localhost:8080/api/v1/pods?limit=5"),
            ("localhost", "http://localhost:80/api/v1/pods?limit=5"),
            ("127.0.0.1:18001/", "http://127.0.0.1:18001/api/v1/pods?limit=5"),
            ("HTTP://127.0.0.1:18001", "http://127.0.0.1:18001/api/v1/pods?limit=5"),
            ("https://h", "https://h/api/v1/pods?limit=5"),
            ("https://h:", "https://h:/api/v1/pods?limit=5"),
            ("https://h:6443/", "https://h:6443/api/v1/pods?limit=5"),
            ("https://h/k8s/clusters/c-1", "https://h/k8s/clusters/c-1/api/v1/pods?limit=5"),
            ("https://h/k8s/?x=1#y", "https://h/k8s/api/v1/pods?limit=5"),
            ("https://[fd00::1]:6443", "https://[fd00::1]:6443/api/v1/pods?limit=5"),
            ("https://joe:pw@h:6443", "https://h:6443/api/v1/pods?limit=5"),
            ("", "the cluster has no `server`: write its address, https://HOST:PORT"),
            ("127.0.0.1:18001/x", "`server` 127.0.0.1:18001/x must be a URL, or host and port"),
            ("ftp://h", "`server` ftp://h has the scheme `ftp`: it must be https or http"),
            (" http://h", "`server`  http://h has the scheme ` http`: it must be https or http"),
            ("http://h ", "`server` http://h  is not a URL: invalid uri character"),
            ("https://h:0", "`server` https://h:0 has a port that is not a number from 1 to 65535"),
            ("https://h:65536", "`server` https://h:65536 has a port that is not a number from 1 to 65535"),
            ("https://joe:secret@h:x", "`server` h:x has a port that is not a number from 1 to 65535"),
            ("https://", "`server` https:// names no host"),
            ("https:///x", "`server` https:///x names no host"),
            ("https://fd00::1:6443", "`server` https://fd00::1:6443 is not a URL: invalid authority"),
            ("\u{e9}", "`server` \u{e9} is not a URL: invalid uri character"),
            (":", "`server` : names no host"),
            ("://", "`server` :// has the scheme ``: it must be https or http"),
            ("@", "`server`  is not a URL: invalid authority"),
        ] {
            assert_eq!(url(server), expected, "{server}");
        }
        let user = |server| Server::parse(server).unwrap().user.map(|user| user.to_str().unwrap().to_owned());
        assert_eq!(user("https://joe:p%40w@h").as_deref(), Some("Basic am9lOnBAdw=="));
        assert_eq!(user("https://h"), None);
    }
}
