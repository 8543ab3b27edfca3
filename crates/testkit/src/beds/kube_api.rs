//! A Kubernetes API server with its etcd, without nodes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Context, Error, Result};
use crate::install::{self, API_PROGRAMS, CLUSTER_PROGRAMS};
use crate::keeper::{Keeper, Plan};

/// The users of every Kubernetes bed. A user's token is its name followed by `-token`.
///
/// - `admin` may do everything.
/// - `viewer` has the rights of the built-in `view` role: no secrets, no nodes, no RBAC objects.
/// - `auditor` may read everything and change nothing.
/// - `tenant` may read pods of the namespace `shop` and nothing else.
/// - `nobody` may do nothing.
pub const USERS: &[&str] = &["admin", "viewer", "auditor", "tenant", "nobody"];

const SCRIPT: &str = include_str!("../../beds/kube-api.sh");
const LIBRARY: &str = include_str!("../../beds/kube-lib.sh");
const ROLES: &str = include_str!("../../beds/users.yaml");
const AUDIT_POLICY: &str = include_str!("../../beds/audit-policy.yaml");
const CHURN: &str = include_str!("../../beds/churn.py");
const LOAD_PODS: &str = include_str!("../../beds/load_pods.py");

/// Options of [`KubeApi::with`].
#[derive(Debug, Clone, Default)]
pub struct KubeApiOptions {
    /// Also run the controller-manager and the scheduler: Deployments get ReplicaSets and pods, namespaces get service
    /// accounts.
    pub controllers: bool,
    /// Also write an audit log, in rotated files of a megabyte; see [`KubeApi::audit_logs`].
    pub audit: bool,
}

/// etcd and kube-apiserver on loopback, with TLS, RBAC and tokens (see [`USERS`]).
#[derive(Debug)]
pub struct KubeApi {
    keeper: Keeper,
    access: Access,
}

impl KubeApi {
    /// Starts an API server without controllers.
    pub fn start() -> Result<KubeApi> {
        KubeApi::with(KubeApiOptions::default())
    }

    /// Starts an API server.
    pub fn with(options: KubeApiOptions) -> Result<KubeApi> {
        let programs = install::kubernetes_programs(if options.controllers { CLUSTER_PROGRAMS } else { API_PROGRAMS })?;
        let pki = install::pki()?;
        let names = ["API_PORT", "ETCD_PORT", "PEER_PORT", "CM_PORT", "SCHED_PORT"];
        let (keeper, ports) = Keeper::on_ports(&names, |_| Plan {
            bed: "kube",
            script: SCRIPT,
            files: vec![
                ("kube-lib.sh".into(), LIBRARY.into()),
                ("users.yaml".into(), ROLES.into()),
                ("audit-policy.yaml".into(), AUDIT_POLICY.into()),
            ],
            env: vec![
                ("K8S".into(), programs.folder.display().to_string()),
                ("PKI".into(), pki.display().to_string()),
                ("CONTROLLERS".into(), if options.controllers { "1" } else { "" }.into()),
                ("AUDIT".into(), if options.audit { "1" } else { "" }.into()),
            ],
        })?;
        let access = Access::write(keeper.folder(), &pki, ports["API_PORT"])?;
        Ok(KubeApi { keeper, access })
    }

    /// The server's address, `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.access.url
    }

    /// The authority's certificate.
    pub fn ca(&self) -> &Path {
        &self.access.ca
    }

    /// A kubeconfig file of one of the [`USERS`].
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.access.kubeconfig(user)
    }

    /// One kubeconfig file with a context per user; `admin` is the current one.
    pub fn kubeconfig_all(&self) -> PathBuf {
        self.access.folder.join("all.conf")
    }

    /// A kubeconfig file of one of the [`USERS`], with a client certificate that is valid for `days` days from now. If
    /// the number is negative, it has expired.
    pub fn kubeconfig_by_certificate(&self, user: &str, days: i32) -> Result<PathBuf> {
        self.access.kubeconfig_by_certificate(user, days)
    }

    /// A kubeconfig file of a service account, with a token that expires in `seconds` seconds. If the number is
    /// negative, it has expired.
    pub fn kubeconfig_by_token(&self, namespace: &str, account: &str, seconds: i64) -> Result<PathBuf> {
        self.access.kubeconfig_by_token(namespace, account, seconds)
    }

    /// A pattern of the files of its audit log, if [`KubeApiOptions::audit`] is set.
    pub fn audit_logs(&self) -> PathBuf {
        self.keeper.path("audit/audit*.log*")
    }

    /// The bearer token of a user.
    pub fn token(&self, user: &str) -> String {
        token(user)
    }

    /// `kubectl apply -f -` as admin.
    pub fn apply(&self, yaml: &str) -> Result<()> {
        self.access.apply(yaml)
    }

    /// Runs kubectl as admin and returns its standard output.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.access.kubectl(args)
    }

    /// Creates `count` realistic pods, with status, in 20 namespaces `load-N`, on 50 nodes; about 150 pods per second.
    /// Changes config maps in the namespace `churn`, which must exist, for some seconds, at most `rate` times per second.
    /// Returns the number of changes.
    pub fn churn(&self, seconds: u32, rate: u32) -> Result<usize> {
        let script = self.keeper.path("churn.py");
        install::write(&script, CHURN)?;
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(&self.access.url).arg(&self.access.ca).arg(seconds.to_string()).arg(rate.to_string());
        let printed = install::output(&mut command)?;
        printed.trim().parse().map_err(|_| Error::Other(format!("churn.py printed {printed:?}")))
    }

    /// Creates `count` realistic pods, with status, in 20 namespaces `load-N`; about 150 pods per second.
    pub fn load_pods(&self, count: usize) -> Result<()> {
        self.load(count, 50, 0)
    }

    /// The same on this many nodes, and role bindings in these namespaces.
    pub fn load(&self, pods: usize, nodes: usize, bindings: usize) -> Result<()> {
        let script = self.keeper.path("load_pods.py");
        install::write(&script, LOAD_PODS)?;
        install::run(
            Command::new("/usr/bin/python3")
                .arg(script)
                .arg(&self.access.url)
                .arg(&self.access.ca)
                .args([pods, nodes, bindings].map(|number| number.to_string())),
        )
    }
}

/// Access to an API server.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) folder: PathBuf,
    pub(crate) url: String,
    pub(crate) ca: PathBuf,
}

impl Access {
    /// Writes a kubeconfig file for each user into `folder`/access.
    pub(crate) fn write(folder: &Path, pki: &Path, port: u16) -> Result<Access> {
        let folder = folder.join("access");
        std::fs::create_dir_all(&folder).context(|| format!("cannot create {}", folder.display()))?;
        let access = Access { folder, url: format!("https://127.0.0.1:{port}"), ca: pki.join("ca.crt") };
        for user in USERS {
            install::write(&access.kubeconfig(user), kubeconfig(&access.url, Some(&access.ca), &[user]))?;
        }
        install::write(&access.folder.join("all.conf"), kubeconfig(&access.url, Some(&access.ca), USERS))?;
        Ok(access)
    }

    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        assert!(USERS.contains(&user), "no such user on this bed: {user}");
        self.folder.join(format!("{user}.conf"))
    }

    fn kubeconfig_by_certificate(&self, user: &str, days: i32) -> Result<PathBuf> {
        let at = |end: &str| self.folder.join(format!("{user}{days}.{end}"));
        let organization = if user == "admin" { "/O=system:masters" } else { "" };
        install::run(
            Command::new("openssl")
                .args(["req", "-newkey", "rsa:2048", "-nodes", "-subj", &format!("{organization}/CN={user}")])
                .arg("-keyout")
                .arg(at("key"))
                .arg("-out")
                .arg(at("csr")),
        )?;
        install::write(&at("ext"), "extendedKeyUsage=clientAuth\n")?;
        install::run(
            Command::new("openssl")
                .args(["x509", "-req", "-set_serial", "1", "-days", &days.to_string(), "-extfile"])
                .arg(at("ext"))
                .arg("-in")
                .arg(at("csr"))
                .arg("-CA")
                .arg(&self.ca)
                .arg("-CAkey")
                .arg(self.ca.with_extension("key"))
                .arg("-out")
                .arg(at("crt")),
        )?;
        let user = serde_json::json!({ "client-certificate": at("crt"), "client-key": at("key") });
        let path = at("conf");
        install::write(&path, kubeconfig_of(&self.url, Some(&self.ca), &[(format!("{days}d"), user)]))?;
        Ok(path)
    }

    fn kubeconfig_by_token(&self, namespace: &str, account: &str, seconds: i64) -> Result<PathBuf> {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
        let token = self.kubectl(&["create", "token", account, "-n", namespace])?;
        let odd = |what: &str| Error::Other(format!("kubectl returned a token with {what}"));
        let mut parts = token.trim().split('.');
        let header = parts.next().unwrap_or_default();
        let claims = BASE64.decode(parts.next().unwrap_or_default()).map_err(|_| odd("no claims"))?;
        let mut claims: serde_json::Value = serde_json::from_slice(&claims).map_err(|_| odd("malformed claims"))?;
        // Signs the same token again with other times, because no API server issues an expired token.
        let issued = claims["iat"].as_i64().ok_or_else(|| odd("no time"))?;
        for (claim, time) in
            [("exp", issued + seconds), ("iat", issued + seconds - 3600), ("nbf", issued + seconds - 3600)]
        {
            claims[claim] = time.into();
        }
        let signed = format!("{header}.{}", BASE64.encode(claims.to_string()));
        let at = |end: &str| self.folder.join(format!("{account}{seconds}.{end}"));
        install::write(&at("signed"), &signed)?;
        install::run(
            Command::new("openssl")
                .args(["dgst", "-sha256", "-sign"])
                .arg(self.ca.with_file_name("sa.key"))
                .arg("-out")
                .arg(at("signature"))
                .arg(at("signed")),
        )?;
        let signature = std::fs::read(at("signature")).context(|| "openssl wrote no signature".to_owned())?;
        let user = serde_json::json!({ "token": format!("{signed}.{}", BASE64.encode(signature)) });
        let path = at("conf");
        install::write(&path, kubeconfig_of(&self.url, Some(&self.ca), &[(account.to_owned(), user)]))?;
        Ok(path)
    }

    pub(crate) fn kubectl(&self, args: &[&str]) -> Result<String> {
        install::output(Command::new("kubectl").arg("--kubeconfig").arg(self.kubeconfig("admin")).args(args))
    }

    pub(crate) fn apply(&self, yaml: &str) -> Result<()> {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(self.kubeconfig("admin")).args(["apply", "-f", "-"]);
        feed(&mut command, yaml.as_bytes())
    }
}

pub(crate) fn token(user: &str) -> String {
    format!("{user}-token")
}

/// A kubeconfig in JSON, which is valid YAML, for these users at this address. The first user's context is the current
/// one.
pub(crate) fn kubeconfig(url: &str, ca: Option<&Path>, users: &[&str]) -> String {
    let by_token = |user: &&str| ((*user).to_owned(), serde_json::json!({ "token": token(user) }));
    kubeconfig_of(url, ca, &users.iter().map(by_token).collect::<Vec<_>>())
}

/// The same for users with any credentials.
pub(crate) fn kubeconfig_of(url: &str, ca: Option<&Path>, users: &[(String, serde_json::Value)]) -> String {
    let mut cluster = serde_json::json!({ "server": url });
    if let Some(ca) = ca {
        cluster["certificate-authority"] = ca.display().to_string().into();
    }
    let contexts = users.iter().map(
        |(user, _)| serde_json::json!({ "name": format!("{user}@bed"), "context": { "cluster": "bed", "user": user } }),
    );
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{ "name": "bed", "cluster": cluster }],
        "users": users.iter().map(|(user, how)| serde_json::json!({ "name": user, "user": how })).collect::<Vec<_>>(),
        "contexts": contexts.collect::<Vec<_>>(),
        "current-context": format!("{}@bed", users[0].0),
    });
    config.to_string()
}

/// Runs a program with this standard input.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Result<()> {
    let words = format!("{command:?}");
    let mut run = || {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // Written from another thread: a program that writes output before it has read all input would otherwise block.
        let mut stdin = child.stdin.take().expect("standard input is piped");
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output();
        writer.join().ok();
        output
    };
    let output = run().context(|| format!("cannot run {words}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    Err(Error::Command { command: words, status: output.status.to_string(), output: install::tail(&said, 40) })
}
