//! `aws_iam_unused_access`: one row per access that a user or role has, with its last use.

use async_stream::try_stream;
use aws_sdk_iam::types::{AccessAdvisorUsageGranularityType as Granularity, ServiceLastAccessed};
use futures::stream::{Stream, StreamExt};
use indago_table::json::{FromJson, Shape};
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Place, Site};
use crate::document::Document;
use crate::permission::{Source, admits};
use crate::source::authorization::{self, Authorization, Part};
use crate::{aws_iam_access_advisor, aws_iam_credential_report, call};

/// Access that users and roles have, with the time since its last use: for a period, filter by `days_unused`.
///
/// | `kind` | `granted` | `reported_by` |
/// |---|---|---|
/// | `user` | name of the user | `credential report`: the last use of any of its credentials |
/// | `role` | name of the role | `role last used` |
/// | `credential` | `password`, `access key 1`, `access key 2`, if it is active | `credential report` |
/// | `service` | prefix of the service's actions: `s3` | `access advisor`: services that the policies allow |
///
/// AWS tracks roles and services for about 400 days. It makes a report about services for each user and role, which takes
/// seconds: restrict `principal_arn`, or exclude them with `kind`.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_iam_unused_access", env = Aws, stream, rows = 200,
    needs("iam:GetAccountAuthorizationDetails", "iam:GetCredentialReport", "iam:GenerateServiceLastAccessedDetails"),
    identity(account_id, principal_arn, kind, granted)
)]
#[example(
    "Credentials that were not used for 90 days.",
    "SELECT principal_arn, granted, last_used, days_unused FROM aws_iam_unused_access WHERE kind = 'credential' AND days_unused > 90"
)]
#[example(
    "Services that a role may use and did not in half a year.",
    "SELECT granted, last_used FROM aws_iam_unused_access WHERE kind = 'service' AND days_unused > 180 \
     AND principal_arn = 'arn:aws:iam::123456789012:role/app/web'"
)]
pub struct UnusedAccess {
    /// ARN of the user or role; of the account's root user for its credentials.
    #[column(index)]
    principal_arn: String,
    /// `user`, `role`, `credential` or `service`.
    #[column(slice)]
    kind: String,
    /// What was granted: a service, a credential, or the user or role itself.
    granted: String,
    /// Time of the last use; NULL if AWS knows of none.
    #[column(volatile)]
    last_used: Option<Timestamp>,
    /// Days since the last use. Without one, since the credential, user or role was created or changed, and at most 400 if AWS
    /// tracks no more. NULL if neither is known.
    #[column(volatile)]
    days_unused: Option<i64>,
    /// Where AWS states it: `access advisor`, `credential report` or `role last used`.
    reported_by: String,
    #[column(flatten)]
    source: Source,
}

/// The days for which AWS tracks roles and services.
const TRACKED: i64 = 400;

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

impl RowStream for UnusedAccess {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, "iam:GetAccountAuthorizationDetails")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let rows = try_stream! {
                let (_, site) = call::identity(scan, &site).await?;
                let source = Source { account_id: site.account_id(), profile: site.profile() };
                let (arns, kinds) = (scan.keys(Self::PRINCIPAL_ARN), scan.keys(Self::KIND));
                let is_wanted = |kind: &str| admits(kinds.as_ref(), kind);
                if is_wanted("user") || is_wanted("credential") {
                    match aws_iam_credential_report::entries(scan, &site).await {
                        Ok(entries) => {
                            for row in entries.iter().flat_map(|entry| of_report(entry, scan.moment())) {
                                if is_wanted(&row.kind) && admits(arns.as_ref(), &row.principal_arn) {
                                    yield UnusedAccess { source: source.clone(), ..row };
                                }
                            }
                        }
                        Err(error) if error.ends_query() => Err(error)?,
                        Err(error) => scan.report(site.to_string(), &error),
                    }
                }
                if !(is_wanted("role") || is_wanted("service")) || scan.is_done() {
                    return;
                }
                let (account, _) = authorization::read(scan, &site, Part::Principals).await?;
                let mut principals = principals(&account);
                principals.retain(|principal| admits(arns.as_ref(), &principal.arn));
                if is_wanted("role") {
                    for principal in principals.iter().filter(|principal| principal.is_role) {
                        yield UnusedAccess { source: source.clone(), ..principal.role(scan.moment()) };
                    }
                }
                if !is_wanted("service") || scan.is_done() {
                    return;
                }
                let reports = scan.in_rounds(principals, |principal| read(scan, &site, principal));
                let mut reports = std::pin::pin!(reports);
                while let Some((principal, services)) = reports.next().await {
                    match services {
                        Ok(services) => {
                            for service in &services {
                                yield UnusedAccess { source: source.clone(), ..principal.service(service, scan.moment()) };
                            }
                        }
                        Err(Error::Gone(_)) => {}
                        Err(error) if error.ends_query() => Err(error)?,
                        Err(error) => {
                            if scan.context().query.is_first(&format!("aws access advisor {site} {error}")) {
                                scan.report(site.to_string(), &error);
                            }
                            // Each further report would be denied, too.
                            if matches!(error, Error::Denied { .. } | Error::Unsupported(_)) {
                                return;
                            }
                        }
                    }
                }
            };
            rows.boxed()
        })
    }
}

async fn read(
    scan: &Scan<UnusedAccess>,
    site: &Site,
    principal: Principal,
) -> (Principal, Result<Vec<ServiceLastAccessed>>) {
    let granularity = Granularity::ServiceLevel;
    let services = aws_iam_access_advisor::services(scan, site, &principal.arn, granularity).await;
    (principal, services)
}

/// A user or role.
#[derive(Debug)]
struct Principal {
    arn: String,
    name: String,
    is_role: bool,
    created: Option<Timestamp>,
    /// The last use of a role.
    last_used: Option<Timestamp>,
}

/// The users and roles of an account, by ARN.
fn principals(account: &Authorization) -> Vec<Principal> {
    let time = |document: &dyn Document| Timestamp::from_json(&document.document(&Shape::whole()));
    let users = account.users.values().filter_map(|user| {
        let (arn, name) = (user.arn.clone()?, user.user_name.clone()?);
        Some(Principal { arn, name, is_role: false, created: time(&user.create_date), last_used: None })
    });
    let roles = account.roles.values().filter_map(|role| {
        let (arn, name) = (role.arn.clone()?, role.role_name.clone()?);
        let last_used = role.role_last_used.as_ref().and_then(|last| time(&last.last_used_date));
        Some(Principal { arn, name, is_role: true, created: time(&role.create_date), last_used })
    });
    let mut all: Vec<Principal> = users.chain(roles).collect();
    all.sort_by(|one, other| one.arn.cmp(&other.arn));
    all
}

impl Principal {
    fn role(&self, now: Timestamp) -> UnusedAccess {
        let days_unused = days(self.last_used, self.created, Some(TRACKED), now);
        let (kind, granted, reported_by) = ("role", &self.name, "role last used");
        row(&self.arn, kind, granted, self.last_used, days_unused, reported_by)
    }

    fn service(&self, service: &ServiceLastAccessed, now: Timestamp) -> UnusedAccess {
        let last_used = Timestamp::from_json(&service.last_authenticated.document(&Shape::whole()));
        let days_unused = days(last_used, self.created, Some(TRACKED), now);
        row(&self.arn, "service", &service.service_namespace, last_used, days_unused, "access advisor")
    }
}

/// The rows of a line of the credential report: the user, and its active credentials.
fn of_report(entry: &Value, now: Timestamp) -> Vec<UnusedAccess> {
    let time = |name: &str| Timestamp::from_json(&entry[name]);
    let arn = entry["arn"].as_str().unwrap_or_default();
    let credentials = [
        ("password", "password_enabled", "password_last_used", "password_last_changed"),
        ("access key 1", "access_key_1_active", "access_key_1_last_used_date", "access_key_1_last_rotated"),
        ("access key 2", "access_key_2_active", "access_key_2_last_used_date", "access_key_2_last_rotated"),
    ];
    let created = time("user_creation_time");
    let last_used = credentials.iter().filter_map(|(.., used, _)| time(used)).max();
    let name = entry["user"].as_str().unwrap_or_default();
    let reported_by = "credential report";
    let mut rows = vec![row(arn, "user", name, last_used, days(last_used, created, None, now), reported_by)];
    for (credential, active, used, changed) in credentials {
        if entry[active] == true {
            let last_used = time(used);
            let days_unused = days(last_used, time(changed).or(created), None, now);
            rows.push(row(arn, "credential", credential, last_used, days_unused, reported_by));
        }
    }
    rows
}

fn row(
    arn: &str,
    kind: &str,
    granted: &str,
    last_used: Option<Timestamp>,
    days_unused: Option<i64>,
    reported_by: &str,
) -> UnusedAccess {
    UnusedAccess {
        principal_arn: arn.to_owned(),
        kind: kind.to_owned(),
        granted: granted.to_owned(),
        last_used,
        days_unused,
        reported_by: reported_by.to_owned(),
        source: Source::default(),
    }
}

/// The days since the last use. Without one, the days since it was granted, or those that AWS tracks.
fn days(last_used: Option<Timestamp>, since: Option<Timestamp>, most: Option<i64>, now: Timestamp) -> Option<i64> {
    let days = |time: Timestamp| ((now.seconds() - time.seconds()) / SECONDS_A_DAY).max(0);
    last_used.map(days).or_else(|| since.map(days).map(|days| most.map_or(days, |most| days.min(most))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_json(&json!("2026-12-01T12:00:00Z")).expect("a time")
    }

    fn shown(rows: &[UnusedAccess]) -> Vec<String> {
        let row =
            |row: &UnusedAccess| format!("{} {} {:?} {}", row.kind, row.granted, row.days_unused, row.reported_by);
        rows.iter().map(row).collect()
    }

    #[test]
    fn credentials_are_unused_since_their_last_use_or_change() {
        let entry = json!({
            "user": "alice", "arn": "arn:aws:iam::1:user/alice", "user_creation_time": "2024-12-01T12:00:00+00:00",
            "password_enabled": true, "password_last_used": null, "password_last_changed": "2026-11-01T12:00:00+00:00",
            "access_key_1_active": true, "access_key_1_last_used_date": "2026-11-21T12:00:00+00:00",
            "access_key_1_last_rotated": "2025-01-01T00:00:00+00:00",
            "access_key_2_active": false, "access_key_2_last_used_date": "2026-11-26T12:00:00+00:00",
        });
        let expected = [
            "user alice Some(5) credential report",
            "credential password Some(30) credential report",
            "credential access key 1 Some(10) credential report",
        ];
        assert_eq!(shown(&of_report(&entry, now())), expected);
        let unused = json!({"user": "bob", "arn": "a", "user_creation_time": "2024-12-01T12:00:00+00:00"});
        assert_eq!(shown(&of_report(&unused, now())), ["user bob Some(730) credential report"]);
        assert_eq!(shown(&of_report(&json!({}), now())), ["user  None credential report"]);
    }

    #[test]
    fn roles_and_services_are_tracked_for_a_limited_time() {
        let created = Timestamp::from_json(&json!("2020-01-01T00:00:00Z"));
        let last_used = Timestamp::from_json(&json!("2026-11-30T12:00:00Z"));
        let role = |last_used| Principal { arn: "a".into(), name: "web".into(), is_role: true, created, last_used };
        assert_eq!(shown(&[role(last_used).role(now())]), ["role web Some(1) role last used"]);
        assert_eq!(shown(&[role(None).role(now())]), ["role web Some(400) role last used"]);
        let service = ServiceLastAccessed::builder().service_name("Amazon S3").service_namespace("s3");
        let service = service.build().expect("a service");
        assert_eq!(shown(&[role(None).service(&service, now())]), ["service s3 Some(400) access advisor"]);
    }
}
