//! `aws_cloudtrail_event`: one row per event of CloudTrail, from `LookupEvents` or from log files.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::json::Shape;
use indago_table::prelude::*;

use crate::account::Aws;
use crate::source::cloudtrail::{self, Event, OfEvents, Source, Wanted};

/// Events of CloudTrail: what identities did, when, from where, and whether AWS refused it. Columns follow CloudTrail's
/// record contents.
///
/// With the setting `cloudtrail_logs` of `[aws]`, events come from the log files in these directories, packed or not.
/// Comparisons of `event_time` and keys on `account_id` and `region` then skip directories and files whose names state
/// another day, account or region. An event is expected in a file of the two days after it.
///
/// Without that setting, management events of the last 90 days come from `cloudtrail:LookupEvents`. CloudTrail selects
/// by time and by one attribute: the first that the query states of `event_id`, `access_key_id`, `user_name`,
/// `event_name`, `event_source`. It allows two calls per second in an account and region, of 50 events each, so state a
/// time.
#[derive(Debug, Default, Table)]
#[table(name = "aws_cloudtrail_event", env = Aws, stream, rows = 100000, needs("cloudtrail:LookupEvents"), identity(event_id, region, account_id))]
#[example(
    "What a role did in the last hour.",
    "SELECT event_time, action, source_ip_address FROM aws_cloudtrail_event WHERE identity_arn = 'arn:aws:iam::123456789012:role/web' AND event_time > now() - INTERVAL '1 hour'"
)]
#[example(
    "Sign-ins to the console without MFA.",
    "SELECT event_time, user_name, source_ip_address FROM aws_cloudtrail_event WHERE event_name = 'ConsoleLogin' AND mfa_authenticated = false AND event_time > now() - INTERVAL '1 day'"
)]
#[example(
    "Use of the root user.",
    "SELECT event_time, account_id, event_name FROM aws_cloudtrail_event WHERE user_type = 'Root' AND event_time > now() - INTERVAL '7 days'"
)]
pub struct CloudTrailEvent {
    /// ID of the event.
    #[column(index, path = "eventID")]
    event_id: String,
    /// Time of the request, to the second.
    #[column(range, path = "eventTime")]
    event_time: Option<Timestamp>,
    /// Name of the operation: `ConsoleLogin`.
    #[column(index, path = "eventName")]
    event_name: Option<String>,
    /// Service: `iam.amazonaws.com`.
    #[column(index, path = "eventSource")]
    event_source: Option<String>,
    /// Service and operation: `iam:CreateUser`. For a refused request, the action that it lacks.
    #[column(path = "action")]
    action: Option<String>,
    /// Type: `AwsApiCall`, `AwsConsoleSignIn`, `AwsServiceEvent`.
    #[column(path = "eventType")]
    event_type: Option<String>,
    /// Category: `Management`, `Data`, `Insight`, `NetworkActivity`.
    #[column(path = "eventCategory")]
    event_category: Option<String>,
    /// Version of the form of events.
    #[column(path = "eventVersion")]
    event_version: Option<String>,
    /// Whether the operation changes nothing; NULL if CloudTrail does not state it.
    #[column(path = "readOnly")]
    read_only: Option<bool>,
    /// ARN of the user, or of the role of a session. Joins `aws_iam_user.arn` and `aws_iam_role.arn`.
    #[column(index, path = "identity")]
    identity_arn: Option<String>,
    /// Type of the identity: `IAMUser`, `AssumedRole`, `Root`, `AWSService`, `FederatedUser`, `AWSAccount`.
    #[column(path = "userIdentity.type")]
    user_type: Option<String>,
    /// Unique ID of the identity; for a session with its name.
    #[column(path = "userIdentity.principalId")]
    principal_id: Option<String>,
    /// ARN of the identity; for a session its own.
    #[column(path = "userIdentity.arn")]
    principal_arn: Option<String>,
    /// Name of the user, or of the session; NULL if there is none.
    #[column(index, path = "userName")]
    user_name: Option<String>,
    /// Account of the identity.
    #[column(path = "userIdentity.accountId")]
    user_account_id: Option<String>,
    /// ID of the access key that signed the request; NULL if there is none.
    #[column(index, path = "userIdentity.accessKeyId")]
    access_key_id: Option<String>,
    /// AWS service that made the request for the identity; NULL if there is none.
    #[column(path = "userIdentity.invokedBy")]
    invoked_by: Option<String>,
    /// Whether the session was authenticated with MFA; NULL if CloudTrail does not state it.
    #[column(path = "mfa")]
    mfa_authenticated: Option<bool>,
    /// Address of the client, or name of the AWS service.
    #[column(path = "sourceIPAddress")]
    source_ip_address: Option<String>,
    /// Program of the client, as it states.
    #[column(path = "userAgent")]
    user_agent: Option<String>,
    /// Error of the request; NULL if it succeeded.
    #[column(index, path = "errorCode")]
    error_code: Option<String>,
    /// Description of the error; NULL if it succeeded.
    #[column(path = "errorMessage")]
    error_message: Option<String>,
    /// ID of the request.
    #[column(path = "requestID")]
    request_id: Option<String>,
    /// ID that the event's copies in several accounts share; NULL if there is one account.
    #[column(path = "sharedEventID")]
    shared_event_id: Option<String>,
    /// ID of the VPC endpoint; NULL if there is none.
    #[column(path = "vpcEndpointId")]
    vpc_endpoint_id: Option<String>,
    /// Resources: ARNs, accounts and types; NULL if there are none.
    #[column(path = "resources")]
    resources: Option<Json>,
    /// Parameters of the request. Values that are credentials are hidden.
    #[column(path = "requestParameters")]
    request_parameters: Option<Json>,
    /// Response of a request that changes something. Values that are credentials are hidden.
    #[column(path = "responseElements")]
    response_elements: Option<Json>,
    /// Further data, depending on the service.
    #[column(path = "additionalEventData")]
    additional_event_data: Option<Json>,
    /// TLS version and cipher of the request.
    #[column(path = "tlsDetails")]
    tls_details: Option<Json>,
    /// Identity with all details.
    #[column(path = "userIdentity")]
    user_identity: Option<Json>,
    /// Complete event. Values that are credentials are hidden.
    #[column(path = "complete")]
    cloudtrail_event: Option<Json>,
    /// Region of the request.
    #[column(slice, path = "awsRegion")]
    region: Option<String>,
    /// ID of the account that the event belongs to.
    #[column(slice, path = "recipientAccountId")]
    account_id: Option<String>,
    /// Profile of the credentials; NULL for log files.
    #[column(slice)]
    profile: Option<String>,
    /// Log file; NULL for `LookupEvents`.
    path: Option<String>,
}

impl RowStream for CloudTrailEvent {
    type Part = Source;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Source>> {
        cloudtrail::sources(scan)
    }

    fn rows<'a>(scan: &'a Scan<Self>, source: &'a Source) -> impl Stream<Item = Result<Self>> + Send + 'a {
        cloudtrail::rows(scan, source)
    }
}

impl OfEvents for CloudTrailEvent {
    fn wanted(scan: &Scan<Self>) -> Wanted {
        let (from, to) = scan.range(Self::EVENT_TIME);
        let attributes = [
            ("EventId", scan.keys(Self::EVENT_ID)),
            ("AccessKeyId", scan.keys(Self::ACCESS_KEY_ID)),
            ("Username", scan.keys(Self::USER_NAME)),
            ("EventName", scan.keys(Self::EVENT_NAME)),
            ("EventSource", scan.keys(Self::EVENT_SOURCE)),
        ];
        let complete = scan.wants(Self::CLOUDTRAIL_EVENT);
        let shape = if complete { Shape::whole() } else { Shape::of::<Self>(&filled(scan)) };
        Wanted {
            from,
            to,
            attributes: attributes.into_iter().filter_map(|(name, keys)| Some((name, keys?))).collect(),
            accounts: scan.keys(Self::ACCOUNT_ID),
            regions: scan.keys(Self::REGION),
            shape: ALWAYS.iter().fold(shape, |shape, path| shape.with(path)),
        }
    }

    fn of_events<'a>(scan: &'a Scan<Self>, mut events: BoxStream<'a, Result<Event>>) -> BoxStream<'a, Result<Self>> {
        try_stream! {
            let columns = filled(scan);
            let complete = scan.wants(Self::CLOUDTRAIL_EVENT);
            while let Some(event) = events.next().await {
                let Event { document, path, profile } = event?;
                let document = cloudtrail::prepare(document, complete);
                let mut row = CloudTrailEvent { path, profile, ..CloudTrailEvent::default() };
                let origin = row.path.clone().or_else(|| row.profile.clone()).unwrap_or_default();
                scan.fill(&mut row, &document, &columns, &origin);
                if row.is_admitted(scan) {
                    yield row;
                }
            }
        }
        .boxed()
    }
}

/// What [`cloudtrail::prepare`] and comparisons with keys need, whichever columns are wanted.
const ALWAYS: [&str; 11] = [
    "additionalEventData.MFAUsed",
    "eventID",
    "eventName",
    "eventSource",
    "errorMessage",
    "userIdentity.arn",
    "userIdentity.userName",
    "userIdentity.principalId",
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.type",
];

/// The wanted columns, and those with keys.
fn filled(scan: &Scan<CloudTrailEvent>) -> Vec<bool> {
    let mut columns = scan.wanted().to_vec();
    scan.context().constraints.0.keys().for_each(|column| columns[*column] = true);
    columns
}

impl CloudTrailEvent {
    fn is_admitted(&self, scan: &Scan<Self>) -> bool {
        let admits = |keys: Option<Vec<String>>, value: &Option<String>| match keys {
            Some(keys) => value.as_ref().is_some_and(|value| keys.contains(value)),
            None => true,
        };
        scan.admits(Self::EVENT_ID, &self.event_id)
            && admits(scan.keys(Self::EVENT_NAME), &self.event_name)
            && admits(scan.keys(Self::EVENT_SOURCE), &self.event_source)
            && admits(scan.keys(Self::IDENTITY_ARN), &self.identity_arn)
            && admits(scan.keys(Self::USER_NAME), &self.user_name)
            && admits(scan.keys(Self::ACCESS_KEY_ID), &self.access_key_id)
            && admits(scan.keys(Self::ERROR_CODE), &self.error_code)
            && admits(scan.keys(Self::REGION), &self.region)
            && admits(scan.keys(Self::ACCOUNT_ID), &self.account_id)
            && admits(scan.keys(Self::PROFILE), &self.profile)
    }
}
