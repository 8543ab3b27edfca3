//! `kubernetes_denied`: refused requests in API servers' audit logs.

use std::collections::HashMap;

use indago_table::json::{FromJson, Shape};
use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::audit_log::{self, Event, LogFile, Period};
use crate::clusters::Kubernetes;
use crate::kubernetes_audit_events::prepare;

/// Requests that Kubernetes API servers refused, from their audit logs: one row per file, identity, verb, resource,
/// namespace and place of the refusal.
///
/// The files are those of the setting `audit_logs` of `[kubernetes]`. A refused request counts once, whatever its
/// stages. For a period, group the rows of `kubernetes_audit_events`.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_denied", env = Kubernetes, parts, rows = 100, whole_source,
    identity(
        path, username, impersonated_username, verb, api_group, resource, subresource, namespace, url_path, refused_by
    )
)]
#[example(
    "Identities with the most refusals.",
    "SELECT username, sum(count) AS refusals, count(*) AS kinds FROM kubernetes_denied GROUP BY username ORDER BY refusals DESC"
)]
#[example(
    "Refused requests for secrets.",
    "SELECT username, verb, namespace, count, last_time FROM kubernetes_denied WHERE resource = 'secrets'"
)]
pub struct Denied {
    /// File of the audit log.
    #[column(slice)]
    path: String,
    /// Authenticated user; NULL if the credentials were refused.
    username: Option<String>,
    /// The user as whom the requests were made, if the user impersonated another.
    impersonated_username: Option<String>,
    /// Verb of the requests.
    verb: Option<String>,
    /// API group of the objects; the empty text is the core group. NULL for a path that is not a resource.
    api_group: Option<String>,
    /// Resource of the objects.
    resource: Option<String>,
    /// Subresource.
    subresource: Option<String>,
    /// Namespace of the objects.
    namespace: Option<String>,
    /// Path of the requests, for a path that is not a resource.
    url_path: Option<String>,
    /// What refused them: `authentication` (401), `authorization`, or `admission` if the authorizer had allowed them.
    refused_by: String,
    /// Number of refused requests.
    count: i64,
    /// Time of the first one in the file.
    first_time: Option<Timestamp>,
    /// Time of the last one in the file.
    last_time: Option<Timestamp>,
    /// Names of the objects, the first 20.
    names: Vec<String>,
    /// Addresses of the clients, the first 20.
    source_ips: Vec<String>,
    /// Reason or message of the last refusal; NULL if the log has none.
    last_reason: Option<String>,
}

const PATHS: [&str; 12] = [
    "stage",
    "stageTimestamp",
    "requestURI",
    "verb",
    "user.username",
    "impersonatedUser.username",
    "sourceIPs",
    "objectRef",
    "responseStatus",
    "annotations.authorization\\.k8s\\.io/decision",
    "annotations.authorization\\.k8s\\.io/reason",
    "auditID",
];
/// Most names and addresses of a row.
const MOST_LISTED: usize = 20;

impl RowParts for Denied {
    type Part = LogFile;

    fn parts(scan: &Scan<Self>) -> Result<impl Iterator<Item = LogFile>> {
        Ok(audit_log::files(scan)?.into_iter())
    }

    fn rows(scan: &Scan<Self>, file: LogFile) -> Result<impl Iterator<Item = Self>> {
        let shape = PATHS.iter().fold(Shape::default(), |shape, path| shape.with(path));
        let path = file.to_string();
        let mut found: HashMap<String, Denied> = HashMap::new();
        let mut held = scan.meter().hold(0)?;
        let events = audit_log::events(scan, file, shape, Period::default(), false)?;
        for Event { document, .. } in events.into_iter().flatten() {
            let Some(refusal) = Denied::of(&path, &prepare(document)) else { continue };
            let key = refusal.key();
            match found.get_mut(&key) {
                Some(known) => known.add(refusal),
                None => {
                    held.add(2 * key.len() + size_of::<Denied>() + MOST_LISTED * 64)?;
                    found.insert(key, refusal);
                }
            }
        }
        let rows: Vec<Denied> = found.into_values().collect();
        Ok(rows.into_iter().inspect(move |_| {
            let _charged_until_the_rows_are_read = &held;
        }))
    }
}

impl Denied {
    /// The refusal that an event records, if it does.
    fn of(path: &str, event: &Document) -> Option<Self> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Document::as_str).map(str::to_owned);
        let code = event["responseStatus"]["code"].as_i64()?;
        let decision = text("/annotations/authorization.k8s.io~1decision");
        let refused_by = match (code, decision.as_deref()) {
            (401, _) => "authentication",
            (403, Some("allow")) => "admission",
            (403, _) => "authorization",
            _ => return None,
        };
        // A refused request without credentials has no later stage. Others count when they are complete.
        let stage = event["stage"].as_str();
        if stage != Some("ResponseComplete") && !(code == 401 && stage == Some("ResponseStarted")) {
            return None;
        }
        let time = Timestamp::from_json(&event["stageTimestamp"]);
        let resource = text("/object/resource");
        let uri = text("/requestURI").unwrap_or_default();
        let url_path = uri.split('?').next().unwrap_or_default().to_owned();
        let reason = ["/responseStatus/message", "/annotations/authorization.k8s.io~1reason", "/responseStatus/reason"]
            .into_iter()
            .find_map(|pointer| text(pointer).filter(|reason| !reason.is_empty()));
        Some(Denied {
            path: path.to_owned(),
            username: text("/user/username"),
            impersonated_username: text("/impersonatedUser/username"),
            verb: text("/verb"),
            api_group: text("/object/apiGroup"),
            subresource: text("/object/subresource"),
            namespace: text("/object/namespace"),
            url_path: resource.is_none().then_some(url_path),
            resource,
            refused_by: refused_by.to_owned(),
            count: 1,
            first_time: time,
            last_time: time,
            names: text("/object/name").into_iter().collect(),
            source_ips: Vec::from_json(&event["sourceIPs"]).unwrap_or_default(),
            last_reason: reason,
        })
    }

    fn key(&self) -> String {
        let parts = (
            &self.username,
            &self.impersonated_username,
            &self.verb,
            &self.api_group,
            &self.resource,
            &self.subresource,
            &self.namespace,
            &self.url_path,
            &self.refused_by,
        );
        format!("{parts:?}")
    }

    fn add(&mut self, other: Denied) {
        self.count += other.count;
        self.first_time = self.first_time.into_iter().chain(other.first_time).min();
        if other.last_time >= self.last_time {
            self.last_time = other.last_time;
            self.last_reason = other.last_reason.or(self.last_reason.take());
        }
        for (known, added) in [(&mut self.names, other.names), (&mut self.source_ips, other.source_ips)] {
            for text in added {
                if known.len() < MOST_LISTED && !known.contains(&text) {
                    known.push(text);
                }
            }
        }
    }
}
