//! `aws_iam_credential_report`: one row per user of an account's credential report.

use aws_sdk_iam::types::ReportStateType;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use indago_table::AnyScan;
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::{Map as Object, Value};

use crate::account::{Aws, Place, Site};
use crate::document::Document;
use crate::resource::{Origin, Reader, Resource};

/// Credential reports of accounts: each user's password, access keys, signing certificates and MFA, with their last
/// use. The root user has a row.
///
/// Two calls per account, however many users it has. AWS makes a new report at most every four hours: `generated_time`
/// states when it made this one. While AWS makes a report, the call is repeated as often as the engine retries calls.
/// If AWS needs longer, the scan reports it, and a later query gets the report.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_credential_report", env = Aws, stream, rows = 100, needs("iam:GenerateCredentialReport", "iam:GetCredentialReport"), identity(account_id, user_arn))]
#[example(
    "Users whose active access key was not used for 90 days.",
    "SELECT user_name FROM aws_iam_credential_report WHERE access_key_1_active AND (access_key_1_last_used_date IS NULL OR access_key_1_last_used_date < now() - INTERVAL '90 days')"
)]
#[example(
    "Users with a password and without MFA.",
    "SELECT account_id, user_name, password_last_used FROM aws_iam_credential_report WHERE password_enabled AND NOT mfa_active"
)]
pub struct CredentialReport {
    /// Name of the user; `<root_account>` for the root user.
    #[column(path = "user")]
    user_name: String,
    /// ARN of the user.
    #[column(path = "arn")]
    user_arn: String,
    /// Creation time of the user.
    #[column(path = "user_creation_time")]
    user_creation_time: Option<Timestamp>,
    /// When AWS made the report.
    #[column(volatile, path = "generated_time")]
    generated_time: Option<Timestamp>,
    /// Whether the user has a console password; NULL for the root user.
    #[column(path = "password_enabled")]
    password_enabled: Option<bool>,
    /// Time of the last sign-in with the password; NULL if there is none.
    #[column(volatile, path = "password_last_used")]
    password_last_used: Option<Timestamp>,
    /// When the password was set; NULL if there is none.
    #[column(path = "password_last_changed")]
    password_last_changed: Option<Timestamp>,
    /// When the password must be changed; NULL if it need not be.
    #[column(path = "password_next_rotation")]
    password_next_rotation: Option<Timestamp>,
    /// What the report states instead of a time of the last sign-in: `no_information`, `N/A`, `not_supported`; `used`
    /// if there is one.
    #[column(volatile, path = "password_status")]
    password_status: Option<String>,
    /// Whether the user has an MFA device.
    #[column(path = "mfa_active")]
    mfa_active: Option<bool>,
    /// Whether access key 1 is active.
    #[column(path = "access_key_1_active")]
    access_key_1_active: Option<bool>,
    /// When access key 1 was created or changed; NULL if there is none.
    #[column(path = "access_key_1_last_rotated")]
    access_key_1_last_rotated: Option<Timestamp>,
    /// Time of the last use of access key 1; NULL if there is none.
    #[column(volatile, path = "access_key_1_last_used_date")]
    access_key_1_last_used_date: Option<Timestamp>,
    /// Region of the last use of access key 1; NULL if there is none.
    #[column(volatile, path = "access_key_1_last_used_region")]
    access_key_1_last_used_region: Option<String>,
    /// Service of the last use of access key 1; NULL if there is none.
    #[column(volatile, path = "access_key_1_last_used_service")]
    access_key_1_last_used_service: Option<String>,
    /// Whether signing certificate 1 is active.
    #[column(path = "cert_1_active")]
    cert_1_active: Option<bool>,
    /// When signing certificate 1 was created or changed; NULL if there is none.
    #[column(path = "cert_1_last_rotated")]
    cert_1_last_rotated: Option<Timestamp>,
    /// Whether access key 2 is active.
    #[column(path = "access_key_2_active")]
    access_key_2_active: Option<bool>,
    /// When access key 2 was created or changed; NULL if there is none.
    #[column(path = "access_key_2_last_rotated")]
    access_key_2_last_rotated: Option<Timestamp>,
    /// Time of the last use of access key 2; NULL if there is none.
    #[column(volatile, path = "access_key_2_last_used_date")]
    access_key_2_last_used_date: Option<Timestamp>,
    /// Region of the last use of access key 2; NULL if there is none.
    #[column(volatile, path = "access_key_2_last_used_region")]
    access_key_2_last_used_region: Option<String>,
    /// Service of the last use of access key 2; NULL if there is none.
    #[column(volatile, path = "access_key_2_last_used_service")]
    access_key_2_last_used_service: Option<String>,
    /// Whether signing certificate 2 is active.
    #[column(path = "cert_2_active")]
    cert_2_active: Option<bool>,
    /// When signing certificate 2 was created or changed; NULL if there is none.
    #[column(path = "cert_2_last_rotated")]
    cert_2_last_rotated: Option<Timestamp>,
    #[column(flatten)]
    origin: Origin,
}

const GET: &str = "iam:GetCredentialReport";
const GENERATE: &str = "iam:GenerateCredentialReport";

impl RowStream for CredentialReport {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, GET)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, CredentialReport::list)
    }
}

impl Resource for CredentialReport {
    const TITLE_FORM: &'static str = "{user}";
}

impl CredentialReport {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let rows = async move {
            let users = entries(scan, &site).await?;
            let reader = Reader::listed(scan, &site);
            Ok(stream::iter(users.into_iter().filter_map(move |user| reader.item(scan, &user)).map(Ok)))
        };
        stream::once(rows).try_flatten().boxed()
    }
}

/// The report's lines as documents.
pub(crate) async fn entries(scan: &AnyScan<Aws>, site: &Site) -> Result<Vec<Value>> {
    let (text, time) = report(scan, site).await?;
    users(&text, &time).map_err(|why| Error::Malformed(format!("{GET} as {site}: {why}")))
}

/// The report's text and its time. Makes AWS create it if there is none that is recent.
async fn report(scan: &AnyScan<Aws>, site: &Site) -> Result<(String, Value)> {
    let iam = site.iam();
    let is_complete = |answer: &aws_sdk_iam::operation::generate_credential_report::GenerateCredentialReportOutput| {
        answer.state == Some(ReportStateType::Complete)
    };
    site.poll(scan, GENERATE, "the credential report", || iam.generate_credential_report().send(), is_complete).await?;
    let answer = site.call(scan, GET, || iam.get_credential_report().send()).await?;
    let content = answer.content.ok_or_else(|| site.nothing(GET))?;
    let time = answer.generated_time.document(&Shape::whole());
    Ok((String::from_utf8_lossy(content.as_ref()).into_owned(), time))
}

/// The report's lines as documents. Its first line has the names.
fn users(report: &str, time: &Value) -> Result<Vec<Value>, String> {
    let mut lines = report.lines().filter(|line| !line.trim().is_empty());
    let names = cells(lines.next().ok_or("the report is empty")?);
    if !names.iter().any(|name| name == "user") {
        return Err("the report has no column `user`".to_owned());
    }
    let user = |line: &str| {
        let mut user: Object<String, Value> = names.iter().cloned().zip(cells(line).into_iter().map(value)).collect();
        let status = match user.get("password_last_used") {
            Some(Value::String(time)) if time.starts_with(|first: char| first.is_ascii_digit()) => "used".into(),
            Some(Value::Null) | None => Value::Null,
            Some(status) => status.clone(),
        };
        user.insert("password_status".to_owned(), status);
        user.insert("generated_time".to_owned(), time.clone());
        for (_, value) in &mut user {
            if value.as_str().is_some_and(|text| ABSENT.contains(&text)) {
                *value = Value::Null;
            }
        }
        Value::Object(user)
    };
    Ok(lines.map(user).collect())
}

/// What the report states in place of a value.
const ABSENT: [&str; 4] = ["N/A", "not_supported", "no_information", ""];

fn value(cell: String) -> Value {
    match cell.as_str() {
        "true" => true.into(),
        "false" => false.into(),
        _ => cell.into(),
    }
}

/// The cells of a line. A cell with a comma is in quotes.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let (mut is_quoted, mut letters) = (false, line.trim_end_matches('\r').chars().peekable());
    while let Some(letter) = letters.next() {
        let cell = cells.last_mut().expect("there is always one");
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => cell.push(letters.next().unwrap_or_default()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            letter => cell.push(letter),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The columns and the root user's line follow the page "Get credential reports for your AWS account" of AWS's
    /// IAM guide.
    #[test]
    fn lines_of_a_report_become_documents() {
        let report = "user,arn,password_enabled,password_last_used,mfa_active,access_key_1_last_used_region\r\n\
                      <root_account>,arn:aws:iam::1:root,not_supported,2026-01-02T03:04:05+00:00,true,N/A\r\n\
                      \"a,b\",arn:aws:iam::1:user/a,true,no_information,false,us-east-1\n\n";
        let users = users(report, &json!("2026-02-01T00:00:00Z")).expect("a report");
        assert_eq!(
            users,
            [
                json!({"user": "<root_account>", "arn": "arn:aws:iam::1:root", "password_enabled": null,
                       "password_last_used": "2026-01-02T03:04:05+00:00", "mfa_active": true,
                       "access_key_1_last_used_region": null, "password_status": "used",
                       "generated_time": "2026-02-01T00:00:00Z"}),
                json!({"user": "a,b", "arn": "arn:aws:iam::1:user/a", "password_enabled": true,
                       "password_last_used": null, "mfa_active": false, "access_key_1_last_used_region": "us-east-1",
                       "password_status": null, "generated_time": "2026-02-01T00:00:00Z"}),
            ]
        );
        assert!(super::users("", &Value::Null).is_err() && super::users("<html>", &Value::Null).is_err());
    }
}
