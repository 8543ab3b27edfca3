//! Credentials that the SDK fetches too carelessly or not at all: those that a program prints, and those that `aws
//! login` stores.

use std::path::PathBuf;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use indago_table::prelude::*;
use indago_table::sys::Program;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::files::{LARGEST, Way, at_home};
use crate::profile::CREDENTIALS_TIMEOUT;

/// Most output of a program; credentials have hundreds of bytes.
const LONGEST_OUTPUT: u64 = 64 << 10;

type Outcome = Result<Credentials, CredentialsError>;

impl ProvideCredentials for Way {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            match self {
                Way::Process { profile, command } => of_process(profile, command).await,
                Way::Login { profile, session } => of_login(&Sys::live(), profile, session),
                Way::Refused(why) => Err(CredentialsError::provider_error(why.clone())),
            }
        })
    }
}

/// Runs the program of `credential_process`, without a shell, like the AWS CLI. The caller limits the time: when this
/// future is dropped, the program and its child processes are killed.
async fn of_process(profile: &str, command: &str) -> Outcome {
    let name = format!("the `credential_process` of profile {profile}");
    let words = shlex::split(command);
    let Some([command, arguments @ ..]) = words.as_deref() else {
        return Err(CredentialsError::invalid_configuration(format!("{name} is not a command: a quote is not closed")));
    };
    let program = Program {
        arguments: arguments.to_vec(),
        most_bytes: LONGEST_OUTPUT,
        time: CREDENTIALS_TIMEOUT,
        ..Program::new(&*name, &**command)
    };
    let (sys, _stop) = Sys::live().until_dropped();
    let printed = spawn_blocking(move || sys.print(&program)).await.map_err(CredentialsError::unhandled)?;
    let printed = printed.map_err(|error| CredentialsError::provider_error(error.to_string()))?;
    let failed = |why: String| CredentialsError::provider_error(format!("{name} {why}"));
    let document: Value = serde_json::from_slice(&printed)
        .map_err(|error| failed(format!("prints something other than JSON: {error}")))?;
    if document["Version"].as_i64() != Some(1) {
        return Err(failed("prints JSON whose `Version` is not 1".to_owned()));
    }
    credentials(&document, "Expiration").map_err(|why| failed(format!("prints JSON {why}")))
}

/// The cached session of `aws login`. It is used while it is valid and never renewed: a renewal would replace the
/// user's own refresh token.
fn of_login(sys: &Sys, profile: &str, session: &str) -> Outcome {
    let again = format!(
        "run `aws login --profile {profile}`, or let the AWS CLI renew it for each query: `credential_process = aws \
         configure export-credentials --profile {profile} --format process` in a separate profile"
    );
    let failed = |why: String| {
        CredentialsError::provider_error(format!("the session of `aws login` of profile {profile} {why}; {again}"))
    };
    let folder = match sys.variable("AWS_LOGIN_CACHE_DIRECTORY").filter(|folder| !folder.is_empty()) {
        Some(folder) => at_home(sys, &folder),
        None => sys.home().unwrap_or_else(|| PathBuf::from("/")).join(".aws/login/cache"),
    };
    let name: String = Sha256::digest(session.trim()).iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join(name).with_extension("json");
    let shown = path.display();
    let text = match sys.read_at_most(&path, LARGEST) {
        Ok(text) => text,
        Err(Error::Gone(_)) => return Err(failed(format!("is not in {shown}"))),
        Err(error) => return Err(failed(format!("cannot be read: {error}"))),
    };
    let document: Value =
        serde_json::from_slice(&text).map_err(|error| failed(format!("is not JSON in {shown}: {error}")))?;
    let credentials = credentials(&document["accessToken"], "expiresAt")
        .map_err(|why| failed(format!("in {shown} is a document {why}")))?;
    match credentials.expiry() {
        Some(end) if Timestamp::from(end) > sys.now() => Ok(credentials),
        Some(end) => Err(failed(format!("ended at {}", shown_time(end)))),
        None => Err(failed(format!("has no `expiresAt` in {shown}"))),
    }
}

fn shown_time(time: SystemTime) -> String {
    DateTime::from(time).fmt(Format::DateTime).unwrap_or_default()
}

/// Credentials in a document whose keys may be in any case.
fn credentials(document: &Value, expiry: &str) -> Result<Credentials, String> {
    let field = |name: &str| {
        let mut fields = document.as_object().into_iter().flatten();
        let found = fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        found.and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    let needed = |name: &str| field(name).ok_or_else(|| format!("without `{name}`"));
    let end = match field(expiry) {
        Some(text) => {
            let time = DateTime::from_str(text, Format::DateTimeWithOffset).ok();
            Some(
                time.and_then(|time| SystemTime::try_from(time).ok())
                    .ok_or(format!("whose `{expiry}` is not a time"))?,
            )
        }
        None => None,
    };
    let mut builder = Credentials::builder()
        .access_key_id(needed("AccessKeyId")?)
        .secret_access_key(needed("SecretAccessKey")?)
        .provider_name("indago");
    builder.set_session_token(field("SessionToken").map(str::to_owned));
    builder.set_account_id(field("AccountId").map(Into::into));
    builder.set_expiry(end);
    Ok(builder.build())
}
