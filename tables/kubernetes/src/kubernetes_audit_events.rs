//! `kubernetes_audit_events`: the events of API servers' audit logs.

use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::audit_log::{self, LogFile, Period};
use crate::clusters::Kubernetes;

/// Events of the audit logs of Kubernetes API servers: one row per request and stage.
///
/// The files are those of the setting `audit_logs` of `[kubernetes]`: one event in JSON per line, rotated and packed
/// files included. Columns follow `audit.k8s.io/v1`. What the audit policy leaves out is NULL.
///
/// Most requests have one event, of the stage `ResponseComplete`. A request without valid credentials has only
/// `ResponseStarted`, and no user. A long-running request, such as a watch, has both. With impersonation, `username` is
/// the user who impersonates and `impersonated_username` the other. `source_ips` begins with what the client states in
/// `X-Forwarded-For`. The name of an object is unknown if the server generates it.
///
/// Comparisons of `stage_timestamp` and lower ends of `request_received_timestamp` skip files, and the beginnings and
/// ends of files. The objects in requests for secrets and tokens are not shown.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_audit_events", env = Kubernetes, parts, rows = 100000, whole_source,
    identity(path, audit_id, stage)
)]
#[example(
    "Who read secrets in the last day.",
    "SELECT stage_timestamp, username, verb, namespace, name, source_ips FROM kubernetes_audit_events WHERE resource = 'secrets' AND verb IN ('get', 'list', 'watch') AND stage_timestamp > now() - INTERVAL '1 day'"
)]
#[example(
    "Commands that were run in containers.",
    "SELECT stage_timestamp, username, namespace, name, request_uri FROM kubernetes_audit_events WHERE resource = 'pods' AND subresource = 'exec'"
)]
pub struct AuditEvent {
    /// File of the event.
    #[column(slice)]
    path: String,
    /// Line of the event in the file, from 1.
    line: Option<i64>,
    /// How much was recorded: `Metadata`, `Request` or `RequestResponse`.
    #[column(path = "level")]
    level: Option<String>,
    /// ID of the request. Its events of several stages share it. A client may choose it.
    #[column(path = "auditID")]
    audit_id: Option<String>,
    /// `RequestReceived`, `ResponseStarted`, `ResponseComplete` or `Panic`.
    #[column(path = "stage")]
    stage: Option<String>,
    /// Time of the stage.
    #[column(range, path = "stageTimestamp")]
    stage_timestamp: Option<Timestamp>,
    /// Time at which the request arrived.
    #[column(range, path = "requestReceivedTimestamp")]
    request_received_timestamp: Option<Timestamp>,
    /// Path and query of the request.
    #[column(path = "requestURI")]
    request_uri: Option<String>,
    /// Verb of the request: `get`, `list`, `create`; for a path that is not a resource, the HTTP method in lowercase.
    #[column(path = "verb")]
    verb: Option<String>,
    /// Authenticated user; NULL if the credentials were refused.
    #[column(index, path = "user.username")]
    username: Option<String>,
    /// UID of the user.
    #[column(path = "user.uid")]
    user_uid: Option<String>,
    /// Groups of the user.
    #[column(path = "user.groups")]
    user_groups: Vec<String>,
    /// Further information about the user, such as the pod of a service account's token.
    #[column(path = "user.extra")]
    user_extra: Option<Json>,
    /// The user as whom the request was made, if the user impersonated another.
    #[column(index, path = "impersonatedUser.username")]
    impersonated_username: Option<String>,
    /// Groups with which the request was made, if the user impersonated another.
    #[column(path = "impersonatedUser.groups")]
    impersonated_groups: Vec<String>,
    /// Addresses of the client and of proxies.
    #[column(path = "sourceIPs")]
    source_ips: Vec<String>,
    /// User agent that the client states.
    #[column(path = "userAgent")]
    user_agent: Option<String>,
    /// API group of the object; the empty text is the core group. NULL for a path that is not a resource.
    #[column(path = "object.apiGroup")]
    api_group: Option<String>,
    /// Version of the API.
    #[column(path = "object.apiVersion")]
    api_version: Option<String>,
    /// Resource of the object: `pods`.
    #[column(path = "object.resource")]
    resource: Option<String>,
    /// Subresource: `exec`, `status`.
    #[column(path = "object.subresource")]
    subresource: Option<String>,
    /// Namespace of the object.
    #[column(path = "object.namespace")]
    namespace: Option<String>,
    /// Name of the object; NULL for lists and generated names.
    #[column(path = "object.name")]
    name: Option<String>,
    /// UID of the object, if the request states it.
    #[column(path = "object.uid")]
    object_uid: Option<String>,
    /// Version of the object that the request states.
    #[column(path = "object.resourceVersion")]
    resource_version: Option<String>,
    /// HTTP status of the response; NULL before there is one.
    #[column(path = "responseStatus.code")]
    response_code: Option<i64>,
    /// Reason of a failure: `Forbidden`, `NotFound`.
    #[column(path = "responseStatus.reason")]
    response_reason: Option<String>,
    /// Message of a failure; NULL in logs of old servers.
    #[column(path = "responseStatus.message")]
    response_message: Option<String>,
    /// Object in the request; NULL unless the policy records it, and for secrets and tokens.
    #[column(path = "requestObject")]
    request_object: Option<Json>,
    /// Object in the response; NULL unless the policy records it, and for secrets and tokens.
    #[column(path = "responseObject")]
    response_object: Option<Json>,
    /// Annotations of authorizers and admission plug-ins.
    #[column(path = "annotations")]
    annotations: Map,
    /// Decision of the authorizer: `allow` or `forbid`; NULL before it has decided.
    #[column(path = "annotations.authorization\\.k8s\\.io/decision")]
    decision: Option<String>,
    /// Why the authorizer decided so: the binding and role that allow it.
    #[column(path = "annotations.authorization\\.k8s\\.io/reason")]
    decision_reason: Option<String>,
    /// Whether the request was a dry run, which changes nothing.
    #[column(path = "dryRun")]
    dry_run: bool,
}

/// The parts of an event that [`prepare`] needs, whichever columns are wanted.
const ALWAYS: [&str; 3] = ["objectRef", "requestURI", "verb"];

impl RowParts for AuditEvent {
    type Part = LogFile;

    fn parts(scan: &Scan<Self>) -> Result<impl Iterator<Item = LogFile>> {
        Ok(audit_log::files(scan)?.into_iter())
    }

    fn rows(scan: &Scan<Self>, file: LogFile) -> Result<impl Iterator<Item = Self>> {
        let (stage_from, to) = scan.range(Self::STAGE_TIMESTAMP);
        // A stage follows the arrival of the request.
        let (received_from, _) = scan.range(Self::REQUEST_RECEIVED_TIMESTAMP);
        let period = Period { from: stage_from.max(received_from), to };
        let mut columns = scan.wanted().to_vec();
        scan.context().constraints.0.keys().for_each(|column| columns[*column] = true);
        let shape = ALWAYS.iter().fold(Shape::of::<Self>(&columns), |shape, path| shape.with(path));
        let path = file.to_string();
        let events = audit_log::events(scan, file, shape, period, scan.wants(Self::LINE))?;
        let scan = scan.clone();
        Ok(events.into_iter().flatten().filter_map(move |event| {
            let mut row = AuditEvent { path: path.clone(), line: event.line, ..AuditEvent::default() };
            scan.fill(&mut row, &prepare(event.document), &columns, &path);
            let admits = |column, value: &Option<String>| match scan.keys(column) {
                Some(keys) => value.as_ref().is_some_and(|value| keys.contains(value)),
                None => true,
            };
            let is_wanted = admits(Self::USERNAME, &row.username)
                && admits(Self::IMPERSONATED_USERNAME, &row.impersonated_username);
            is_wanted.then_some(row)
        }))
    }
}

/// Resources whose requests and responses hold credentials.
fn is_secret(resource: &str, subresource: &str) -> bool {
    matches!((resource, subresource), ("secrets" | "tokenreviews", _) | ("serviceaccounts", "token"))
}

/// Adds what the columns need to an event, and removes what must not be shown.
pub(crate) fn prepare(mut event: Document) -> Document {
    let mut object = event.get_mut("objectRef").map(Document::take).unwrap_or_default();
    if let Some(object) = object.as_object_mut() {
        if is_secret(text(object.get("resource")), text(object.get("subresource"))) {
            event["requestObject"] = Document::Null;
            event["responseObject"] = Document::Null;
        }
        // The log leaves out the core group's empty name.
        if object.contains_key("resource") {
            object.entry("apiGroup").or_insert_with(|| "".into());
        }
    }
    event["object"] = object;
    let query = event["requestURI"].as_str().and_then(|uri| uri.split_once('?')).map_or("", |(_, query)| query);
    event["dryRun"] = query.split('&').any(|pair| pair == "dryRun=All").into();
    event
}

fn text(value: Option<&Document>) -> &str {
    value.and_then(Document::as_str).unwrap_or_default()
}

#[cfg(test)]
impl AuditEvent {
    pub(crate) fn audit_id(&self) -> &str {
        self.audit_id.as_deref().unwrap_or_default()
    }
}
