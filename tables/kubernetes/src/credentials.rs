//! Credentials for API servers: tokens, passwords, and plug-ins that print credentials.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use indago_net::{Identity, basic, secret};
use indago_table::sys::Program;
use indago_table::{Error, Result, Sys, Timestamp};
use k8s_openapi::jiff::Timestamp as Expiry;
use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde_json::{Value, json};

use crate::connection::read_file;
use crate::kubeconfig::{Exec, Impersonation, User, parse_yaml};
use crate::pages::all_but;

/// The source of the `Authorization` header.
pub(crate) enum Source {
    Nowhere,
    Fixed(HeaderValue),
    /// A file of a machine, read again once a minute, and the token to use if it cannot be read.
    File(Sys, PathBuf, Option<String>),
    Plugin(Plugin),
}

/// A plug-in that prints credentials.
pub(crate) struct Plugin {
    pub(crate) exec: Exec,
    /// The cluster information for it, if it requests that.
    pub(crate) cluster: Option<Value>,
    pub(crate) sys: Sys,
}

/// Credentials, cached while they are valid.
pub(crate) struct Credentials {
    source: Source,
    sys: Sys,
    current: tokio::sync::Mutex<Option<Current>>,
}

/// The header, and when it must be renewed.
struct Current {
    header: Option<HeaderValue>,
    until: Option<Expiry>,
}

/// The output of a plug-in.
pub(crate) struct Given {
    header: Option<HeaderValue>,
    pub(crate) identity: Option<Identity>,
    pub(crate) until: Option<Expiry>,
}

/// A token file is read again after this many seconds.
const FILE_SECONDS: i64 = 60;
/// Credentials are renewed this many seconds before they expire.
const MARGIN_SECONDS: i64 = 60;

impl Credentials {
    pub(crate) fn new(source: Source, sys: Sys) -> Self {
        Credentials { source, sys, current: tokio::sync::Mutex::default() }
    }

    /// The value of `Authorization`.
    pub(crate) async fn header(&self) -> Result<Option<HeaderValue>> {
        match &self.source {
            Source::Nowhere => Ok(None),
            Source::Fixed(header) => Ok(Some(header.clone())),
            Source::File(..) | Source::Plugin(_) => {
                let mut current = self.current.lock().await;
                let now = self.sys.now();
                let is_good = |until: &Option<Expiry>| until.is_none_or(|until| until.as_second() > now.seconds());
                if let Some(current) = current.as_ref().filter(|current| is_good(&current.until)) {
                    return Ok(current.header.clone());
                }
                let renewed = self.renewed(now).await;
                match (renewed, current.as_mut()) {
                    (Ok(given), _) => Ok(current.insert(given).header.clone()),
                    // Like kubectl: some programs remove their token file after it was read.
                    (Err(_), Some(last)) if matches!(self.source, Source::File(..)) => {
                        last.until = in_seconds(now, FILE_SECONDS);
                        Ok(last.header.clone())
                    }
                    (Err(error), _) => Err(error),
                }
            }
        }
    }

    /// Runs the plug-in, if credentials come from one, before the connection is made.
    pub(crate) async fn begin(&self) -> Result<Option<Given>> {
        let Source::Plugin(program) = &self.source else { return self.header().await.map(|_| None) };
        let given = program.run().await?;
        let until = margin(given.until, self.sys.now());
        *self.current.lock().await = Some(Current { header: given.header.clone(), until });
        Ok(Some(Given { until, ..given }))
    }

    async fn renewed(&self, now: Timestamp) -> Result<Current> {
        match &self.source {
            Source::File(sys, path, fallback) => {
                let token = match (read_token(sys, path), fallback) {
                    (Err(_), Some(fallback)) => fallback.clone(),
                    (token, _) => token?,
                };
                Ok(Current { header: Some(bearer(&token)?), until: in_seconds(now, FILE_SECONDS) })
            }
            Source::Plugin(program) => {
                let given = program.run().await?;
                Ok(Current { header: given.header, until: margin(given.until, self.sys.now()) })
            }
            Source::Nowhere | Source::Fixed(_) => Ok(Current { header: None, until: None }),
        }
    }
}

fn in_seconds(now: Timestamp, seconds: i64) -> Option<Expiry> {
    Expiry::from_second(now.seconds() + seconds).ok()
}

/// When to renew credentials with that expiry: a little earlier, unless that time has passed.
fn margin(until: Option<Expiry>, now: Timestamp) -> Option<Expiry> {
    let until = until?;
    let early = Expiry::from_second(until.as_second() - MARGIN_SECONDS).ok();
    Some(early.filter(|early| early.as_second() > now.seconds()).unwrap_or(until))
}

pub(crate) fn read_token(sys: &Sys, path: &Path) -> Result<String> {
    let text = read_file(sys, path, "tokenFile")?;
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    if text.is_empty() { Err(Error::Malformed(format!("`tokenFile` {} is empty", path.display()))) } else { Ok(text) }
}

pub(crate) fn bearer(token: &str) -> Result<HeaderValue> {
    secret(format!("Bearer {}", token.trim()), "the token")
}

/// The headers by which one user impersonates another.
pub(crate) fn impersonation(who: &Impersonation) -> Result<HeaderMap> {
    let Impersonation { user, uid, groups, extra } = who;
    let mut headers = HeaderMap::new();
    let Some(user) = user else {
        if uid.is_some() || !groups.is_empty() || !extra.is_empty() {
            return Err(Error::Malformed("`as-uid`, `as-groups` and `as-user-extra` need `as`".to_owned()));
        }
        return Ok(headers);
    };
    let mut add = |name: &str, value: &str| {
        let unfit = || Error::Malformed(format!("`{name}: {value}` cannot be sent as a header"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        headers.append(header, HeaderValue::from_str(value).map_err(|_| unfit())?);
        Ok(())
    };
    add("impersonate-user", user)?;
    uid.iter().try_for_each(|uid| add("impersonate-uid", uid))?;
    groups.iter().try_for_each(|group| add("impersonate-group", group))?;
    for (key, values) in extra {
        let name = format!("impersonate-extra-{}", escaped(key));
        values.iter().try_for_each(|value| add(&name, value))?;
    }
    Ok(headers)
}

/// A text in which characters that a header's name cannot have are percent-escaped.
fn escaped(key: &str) -> String {
    const OTHERS: &AsciiSet = &all_but(b"!#$&'*+-.^_`|~");
    utf8_percent_encode(&key.to_ascii_lowercase(), OTHERS).to_string()
}

/// The source of a user's credentials.
pub(crate) fn source(user: &User, files: &Sys, program: impl FnOnce(&Exec) -> Result<Plugin>) -> Result<Source> {
    if let Some(provider) = &user.auth_provider {
        return match (&*provider.name, &provider.id_token) {
            ("oidc", Some(token)) => Ok(Source::Fixed(bearer(token)?)),
            ("oidc", None) => Err(Error::Malformed("`auth-provider` oidc has no `id-token`: sign in again".to_owned())),
            (name, _) => Err(Error::Unsupported(format!(
                "`auth-provider` {name} is no longer part of Kubernetes: use a credentials plug-in (`exec`) instead"
            ))),
        };
    }
    let has_token = user.token.is_some() || user.token_file.is_some();
    match (&user.username, &user.token_file, &user.token, &user.exec) {
        (Some(_), ..) if has_token => {
            Err(Error::Malformed("the user has both a token and a password: remove one".to_owned()))
        }
        (Some(name), ..) => Ok(Source::Fixed(basic(name, user.password.as_deref().unwrap_or_default())?)),
        (_, Some(file), fallback, _) => Ok(Source::File(files.clone(), file.clone(), fallback.clone())),
        (_, _, Some(token), _) => Ok(Source::Fixed(bearer(token)?)),
        (.., Some(exec)) => Ok(Source::Plugin(program(exec)?)),
        _ => Ok(Source::Nowhere),
    }
}

/// Most output of a plug-in, in bytes.
const MOST_OUTPUT: u64 = 1 << 20;
/// Timeout of a plug-in. The caller may cancel earlier.
const LONGEST_RUN: Duration = Duration::from_secs(600);

impl Plugin {
    async fn run(&self) -> Result<Given> {
        let exec = &self.exec;
        let name = format!("credentials plug-in `{}`", exec.command);
        let mut spec = json!({ "interactive": exec.always_interactive });
        if let Some(cluster) = &self.cluster {
            spec["cluster"] = cluster.clone();
        }
        let info = json!({ "apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec });
        let info = ("KUBERNETES_EXEC_INFO".to_owned(), info.to_string());
        let program = Program {
            arguments: exec.arguments.clone(),
            variables: [info].into_iter().chain(exec.variables.iter().cloned()).collect(),
            install_hint: exec.install_hint.clone(),
            // Scans run in the background, several concurrently: a plug-in must not take the terminal from the shell.
            has_terminal: exec.always_interactive,
            most_bytes: MOST_OUTPUT,
            time: LONGEST_RUN,
            ..Program::new(&*name, &*exec.command)
        };
        let (sys, _stop) = self.sys.until_dropped();
        let failed = |message: String| Error::Io { what: name.clone(), message };
        let printed = tokio::task::spawn_blocking(move || sys.print(&program)).await;
        let printed = printed.map_err(|error| failed(error.to_string()))??;
        given(&String::from_utf8_lossy(&printed)).map_err(failed)
    }
}

/// The output of a plug-in as credentials.
fn given(text: &str) -> Result<Given, String> {
    let documents = parse_yaml(text).map_err(|error| format!("printed no ExecCredential: {error}"))?;
    let status = match documents.as_slice() {
        [document] if document["status"].is_object() => &document["status"],
        _ => return Err("printed no ExecCredential with a `status`".to_owned()),
    };
    let text = |name: &str| status[name].as_str().filter(|text| !text.is_empty());
    let until = match text("expirationTimestamp") {
        Some(time) => {
            Some(time.parse().map_err(|_| format!("printed the expirationTimestamp `{time}`, which is not a time"))?)
        }
        None => None,
    };
    let identity = match (text("clientCertificateData"), text("clientKeyData")) {
        (Some(certificate), Some(key)) => Some(Identity { certificate: certificate.into(), key: key.into() }),
        (None, None) => None,
        _ => return Err("printed only one of clientCertificateData and clientKeyData".to_owned()),
    };
    let header = text("token").map(bearer).transpose().map_err(|error| error.to_string())?;
    if header.is_none() && identity.is_none() {
        return Err("printed neither a token nor a certificate".to_owned());
    }
    Ok(Given { header, identity, until })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubeconfig::AuthProvider;

    fn header(user: User, files: &Sys) -> String {
        let none = |_: &Exec| Err(Error::Unsupported("a plug-in".to_owned()));
        let credentials = source(&user, files, none).map(|source| Credentials::new(source, Sys::live()));
        let header = credentials.and_then(|credentials| futures::executor::block_on(credentials.header()));
        match header {
            Ok(header) => header.map_or("nobody".to_owned(), |header| header.to_str().unwrap().to_owned()),
            Err(error) => error.to_string(),
        }
    }

    /// Each result is that of kubectl 1.32.
    #[test]
    fn credentials_count_in_kubectls_order() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("good", "from file\n"), ("good2", " \tx\r\n\n"), ("empty", "\n"), ("odd", "a\nb")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let files = Sys::at(folder.path());
        let text = |text: &str| Some(text.to_owned());
        let file = |name: &str| User { token_file: Some(format!("/{name}").into()), ..User::default() };
        let named = User { username: text("joe"), ..User::default() };
        let provider = |name: &str, id_token| Some(AuthProvider { name: name.into(), id_token });
        let cases = [
            (User::default(), "nobody"),
            (User { token: text("t"), ..User::default() }, "Bearer t"),
            (User { token: text("t\n"), ..User::default() }, "Bearer t"),
            (
                User { token: text("a\nb"), ..User::default() },
                "the token contains a character that cannot be sent, such as a newline",
            ),
            (file("good"), "Bearer from file"),
            (file("good2"), "Bearer x"),
            (User { token: text("t"), ..file("good") }, "Bearer from file"),
            (User { token: text("t"), ..file("absent") }, "Bearer t"),
            (file("absent"), "`tokenFile` /absent does not exist"),
            (file("empty"), "`tokenFile` /empty is empty"),
            (file("odd"), "the token contains a character that cannot be sent, such as a newline"),
            (User { password: text("pw"), ..named.clone() }, "Basic am9lOnB3"),
            (named.clone(), "Basic am9lOg=="),
            (User { token: text("t"), ..named.clone() }, "the user has both a token and a password: remove one"),
            (User { exec: Some(Exec::default()), ..User::default() }, "a plug-in"),
            (User { exec: Some(Exec::default()), token: text("t"), ..User::default() }, "Bearer t"),
            (User { auth_provider: provider("oidc", text("i")), ..User::default() }, "Bearer i"),
            (
                User { auth_provider: provider("oidc", None), ..User::default() },
                "`auth-provider` oidc has no `id-token`: sign in again",
            ),
            (
                User { auth_provider: provider("gcp", text("i")), ..User::default() },
                "`auth-provider` gcp is no longer part of Kubernetes: use a credentials plug-in (`exec`) instead",
            ),
        ];
        for (user, expected) in cases {
            assert_eq!(header(user, &files), expected);
        }
    }

    #[test]
    fn a_token_file_never_leads_out_of_the_root_of_its_kubeconfig() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(folder.path().join("outside"), "secret").unwrap();
        std::os::unix::fs::symlink(folder.path().join("outside"), root.join("absolute")).unwrap();
        std::os::unix::fs::symlink("../outside", root.join("relative")).unwrap();
        for path in [
            "/absolute",
            "/relative",
            "/../outside",
            "/x/../../outside",
            &format!("{}/outside", folder.path().display()),
        ] {
            let user = User { token_file: Some(path.into()), ..User::default() };
            assert_eq!(header(user, &Sys::at(&root)), format!("`tokenFile` {path} does not exist"));
        }
    }

    #[test]
    fn what_is_good_for_less_than_the_margin_is_kept_while_it_is_good() {
        let second = |second| Expiry::from_second(second).unwrap();
        let now = Timestamp(1_000_000_000);
        for (until, renewed) in [(1100, 1040), (1061, 1001), (1060, 1060), (1030, 1030), (900, 900)] {
            assert_eq!(margin(Some(second(until)), now), Some(second(renewed)), "{until}");
        }
        assert_eq!(margin(None, now), None);
    }

    #[test]
    fn who_acts_as_another_says_so_in_headers() {
        let who = Impersonation {
            user: Some("joe".into()),
            uid: Some("7".into()),
            groups: vec!["a".into(), "b".into()],
            extra: vec![("Scopes/x".into(), vec!["1".into(), "2".into()])],
        };
        let headers = impersonation(&who).unwrap();
        let all: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        let expected = [
            "impersonate-user: joe",
            "impersonate-uid: 7",
            "impersonate-group: a",
            "impersonate-group: b",
            "impersonate-extra-scopes%2fx: 1",
            "impersonate-extra-scopes%2fx: 2",
        ];
        assert_eq!(all, expected);
        assert!(impersonation(&Impersonation::default()).unwrap().is_empty());
        assert!(impersonation(&Impersonation { user: None, ..who }).is_err());
        assert!(impersonation(&Impersonation { user: Some("a\nb".into()), ..Impersonation::default() }).is_err());
    }
}
