//! moto: AWS on loopback.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::install;
use crate::keeper::{Keeper, Plan};

const SEED: &str = include_str!("../../beds/moto_seed.py");

/// Options of [`Moto::with`].
#[derive(Debug, Clone)]
pub struct MotoOptions {
    /// Number of requests after which signatures and IAM policies are checked; `None`: only after
    /// [`Moto::enforce_auth`].
    pub no_auth_calls: Option<u32>,
    /// Create the users, roles and profiles that [`Moto`] lists. Their calls do not count. Not available over TLS.
    pub profiles: bool,
    /// Serve over TLS, with a self-signed certificate: [`Moto::certificate`].
    pub tls: bool,
}

impl Default for MotoOptions {
    fn default() -> MotoOptions {
        MotoOptions { no_auth_calls: None, profiles: true, tls: false }
    }
}

/// moto's server, with a file of profiles:
///
/// | profile | identity |
/// |---|---|
/// | `default` | user `admin` of account 123456789012, AdministratorAccess |
/// | `readonly` | user `readonly`: `ec2:Describe*` and `sts:*` only |
/// | `nobody` | user `nobody`: no policy |
/// | `badsecret` | `admin`'s key id with a wrong secret |
/// | `unknownkey` | a key that does not exist |
/// | `prod` | role `indago` of account 222222222222, assumed by `default` |
/// | `staging` | role `indago` of account 333333333333, assumed by `default` |
/// | `forbidden` | role `indago` of account 222222222222, assumed by `nobody`, which may not |
#[derive(Debug)]
pub struct Moto {
    keeper: Keeper,
    port: u16,
    environment: PathBuf,
    is_tls: bool,
}

impl Moto {
    /// Starts moto with its profiles. Signatures are not checked until [`Moto::enforce_auth`].
    pub fn start() -> Result<Moto> {
        Moto::with(MotoOptions::default())
    }

    /// Starts moto.
    pub fn with(options: MotoOptions) -> Result<Moto> {
        let environment = install::moto()?;
        let (keeper, ports) = Keeper::on_ports(&["API_PORT"], |_| Plan {
            bed: "moto",
            script: include_str!("../../beds/moto.sh"),
            files: vec![("config".into(), String::new()), ("credentials".into(), String::new())],
            env: if options.tls { vec![("MOTO_TLS".into(), "1".into())] } else { vec![] },
        })?;
        let moto = Moto { keeper, port: ports["API_PORT"], environment, is_tls: options.tls };
        if options.profiles && !options.tls {
            moto.seed(SEED)?;
        }
        if let Some(calls) = options.no_auth_calls {
            moto.enforce_auth_after(calls)?;
        }
        Ok(moto)
    }

    /// The endpoint of every service, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.is_tls { "https" } else { "http" }, self.port)
    }

    /// The certificate that it uses over TLS, in PEM. Like those of `openssl req -x509`, it may sign others.
    pub fn certificate(&self) -> PathBuf {
        self.keeper.path("server.crt")
    }

    /// Runs a Python script with boto3, with the profile `default` (without credentials, if there are no profiles).
    pub fn seed(&self, script: &str) -> Result<String> {
        self.seed_as("default", script)
    }

    /// Runs a Python script with boto3, with this profile.
    pub fn seed_as(&self, profile: &str, script: &str) -> Result<String> {
        let mut command = Command::new(self.environment.join("bin/python"));
        command.args(["-c", script]).env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
        if std::fs::metadata(self.config()).is_ok_and(|file| file.len() > 0) {
            command.envs(self.base_env()).env("AWS_PROFILE", profile);
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        } else {
            command.envs(self.base_env()).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        }
        command.env("BED", self.keeper.folder());
        install::output(&mut command)
    }

    /// Checks signatures and IAM policies from now on.
    pub fn enforce_auth(&self) -> Result<()> {
        self.enforce_auth_after(0)
    }

    /// The same as [`Moto::enforce_auth`], after `calls` more requests.
    pub fn enforce_auth_after(&self, calls: u32) -> Result<()> {
        let url = format!("{}/moto-api/reset-auth", self.url());
        install::run(Command::new("curl").args([
            "-sf",
            "-H",
            "Content-Type: text/plain",
            "-d",
            &calls.to_string(),
            &url,
        ]))
    }

    /// The file of profiles, including credentials.
    pub fn config(&self) -> PathBuf {
        self.keeper.path("config")
    }

    /// Key ID and secret of a user profile (`default`, `readonly`, `nobody`, ...).
    pub fn key(&self, profile: &str) -> Result<(String, String)> {
        let text = std::fs::read_to_string(self.keeper.path("credentials")).unwrap_or_default();
        let section = text.split_once(&format!("[{profile}]\n")).map_or("", |(_, rest)| rest);
        let section = section.split("\n[").next().unwrap_or_default();
        let value = |name: &str| section.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        match (value("aws_access_key_id"), value("aws_secret_access_key")) {
            (Some(id), Some(secret)) => Ok((id.to_owned(), secret.to_owned())),
            _ => Err(Error::Other(format!("moto has no profile {profile} with a key"))),
        }
    }

    /// Environment variables that make a program use this AWS instead of the real one: endpoint, region, key, profiles.
    ///
    /// The environment contains the key of `default`. To use a profile, remove `AWS_ACCESS_KEY_ID` ([`Moto::env_of`]).
    pub fn env(&self) -> Vec<(String, String)> {
        let mut env = self.base_env();
        let (id, secret) = self.key("default").unwrap_or_else(|_| ("test".into(), "test".into()));
        env.push(("AWS_ACCESS_KEY_ID".into(), id));
        env.push(("AWS_SECRET_ACCESS_KEY".into(), secret));
        env
    }

    /// Endpoint, region and a profile, without a key in the environment.
    pub fn env_of(&self, profile: &str) -> Vec<(String, String)> {
        let mut env = self.base_env();
        env.push(("AWS_PROFILE".into(), profile.into()));
        env
    }

    /// Directory of this bed.
    pub fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    fn base_env(&self) -> Vec<(String, String)> {
        let pair = |name: &str, value: String| (name.to_owned(), value);
        vec![
            pair("AWS_ENDPOINT_URL", self.url()),
            pair("AWS_REGION", "us-east-1".into()),
            pair("AWS_DEFAULT_REGION", "us-east-1".into()),
            pair("AWS_CONFIG_FILE", self.config().display().to_string()),
            pair("AWS_SHARED_CREDENTIALS_FILE", self.keeper.path("credentials").display().to_string()),
            pair("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
    }
}
