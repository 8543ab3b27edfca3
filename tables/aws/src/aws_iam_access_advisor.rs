//! `aws_iam_access_advisor`: one row per service that a principal may use, with its last use.

use async_stream::try_stream;
use aws_sdk_iam::operation::get_service_last_accessed_details::GetServiceLastAccessedDetailsOutput;
use aws_sdk_iam::types::{AccessAdvisorUsageGranularityType as Granularity, JobStatusType, ServiceLastAccessed};
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::AnyScan;
use indago_table::json::Shape;
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::api::with_member;
use crate::call::{Next, all, distinct};
use crate::document::Document;
use crate::resource::{Origin, Reader, Resource};

/// When users, groups, roles and policies last used the services that they may use, in AWS's tracking period of about
/// 400 days.
///
/// The query names principals in `principal_arn`, or gets them from a join. AWS makes a report per principal. While AWS
/// makes it, the call is repeated as often as the engine retries calls.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_access_advisor", env = Aws, stream, rows = 100, needs("iam:GenerateServiceLastAccessedDetails", "iam:GetServiceLastAccessedDetails"), identity(principal_arn, service_namespace))]
#[example(
    "Services that a role may use and did not.",
    "SELECT service_name FROM aws_iam_access_advisor WHERE principal_arn = 'arn:aws:iam::123456789012:role/web' AND last_authenticated IS NULL"
)]
#[example(
    "Unused services of all roles of a path.",
    "SELECT r.name, a.service_namespace FROM aws_iam_role r JOIN aws_iam_access_advisor a ON a.principal_arn = r.arn WHERE r.path = '/app/' AND a.last_authenticated IS NULL"
)]
pub struct AccessAdvisor {
    /// ARN of the user, group, role or policy.
    #[column(required, path = "principal")]
    principal_arn: String,
    /// Name of the service.
    #[column(path = "ServiceName")]
    service_name: String,
    /// Prefix of the service's actions: `s3`.
    #[column(path = "ServiceNamespace")]
    service_namespace: String,
    /// Time of the last attempt to use the service; NULL if there is none.
    #[column(volatile, path = "LastAuthenticated")]
    last_authenticated: Option<Timestamp>,
    /// ARN of the user or role that made it; NULL if there is none.
    #[column(volatile, path = "LastAuthenticatedEntity")]
    last_authenticated_entity: Option<String>,
    /// Region of the last attempt; NULL if there is none.
    #[column(volatile, path = "LastAuthenticatedRegion")]
    last_authenticated_region: Option<String>,
    /// Number of users and roles that used the service.
    #[column(volatile, path = "TotalAuthenticatedEntities")]
    total_authenticated_entities: Option<i64>,
    /// Last use of single actions, for services for which AWS tracks them.
    #[column(volatile, path = "TrackedActionsLastAccessed")]
    tracked_actions_last_accessed: Option<Json>,
    #[column(flatten)]
    origin: Origin,
}

const GENERATE: &str = "iam:GenerateServiceLastAccessedDetails";
const GET: &str = "iam:GetServiceLastAccessedDetails";

impl RowStream for AccessAdvisor {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, GET)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, AccessAdvisor::list)
    }
}

impl Resource for AccessAdvisor {
    const TITLE_FORM: &'static str = "{ServiceNamespace}";
}

impl AccessAdvisor {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let (_, site) = crate::call::identity(scan, &site).await?;
            let mut arns = distinct(scan.keys(Self::PRINCIPAL_ARN).unwrap_or_default());
            arns.retain(|arn| is_within(arn, &site.account_id()));
            let mut rows = site.each(scan, arns, |site, arn| AccessAdvisor::of_principal(scan, site, arn));
            while let Some(row) = rows.next().await {
                yield row?;
            }
        }
        .boxed()
    }

    async fn of_principal(scan: &Scan<Self>, site: Site, arn: String) -> Result<Vec<Self>> {
        let services = services(scan, &site, &arn, Granularity::ActionLevel).await?;
        let reader = Reader::listed(scan, &site);
        let document =
            |service: &dyn Document| with_member(service.document(&Shape::whole()), "principal", arn.as_str());
        Ok(services.iter().filter_map(|service| reader.item(scan, &document(service))).collect())
    }
}

/// The services that a principal may use, with their last use. Makes AWS create a report.
pub(crate) async fn services(
    scan: &AnyScan<Aws>,
    site: &Site,
    arn: &str,
    granularity: Granularity,
) -> Result<Vec<ServiceLastAccessed>> {
    let iam = site.iam();
    let request = iam.generate_service_last_accessed_details().arn(arn).granularity(granularity);
    let job = site.call(scan, GENERATE, || request.clone().send()).await?;
    let job = job.job_id.ok_or_else(|| site.nothing(GENERATE))?;
    let request = iam.get_service_last_accessed_details().job_id(&job);
    let has_finished = |answer: &GetServiceLastAccessedDetailsOutput| answer.job_status != JobStatusType::InProgress;
    let first = site.poll(scan, GET, "the report of access", || request.clone().send(), has_finished).await?;
    if first.job_status != JobStatusType::Completed {
        let why = first.error.map_or_else(String::new, |error| format!(": {} ({})", error.message, error.code));
        return Err(Error::Malformed(format!("{GET} as {site}: the report about {arn} failed{why}")));
    }
    let fetch = move |marker| request.clone().set_marker(marker).send();
    let services = site.pages(scan, GET, &job, fetch, |page| {
        (page.services_last_accessed, Next::marker(page.is_truncated, page.marker))
    });
    all(services).await
}

/// Whether an ARN can be one of IAM in this account, or a policy of AWS.
fn is_within(arn: &str, account_id: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let is_iam = parts.next() == Some("arn") && parts.next().is_some() && parts.next() == Some("iam");
    is_iam && parts.next() == Some("") && parts.next().is_some_and(|account| account == account_id || account == "aws")
}
