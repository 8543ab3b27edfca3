//! `aws_cloudtrail_query`: one row per query of CloudTrail Lake, from `cloudtrail:ListQueries`.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request, with_member};
use crate::call::{all, distinct};
use crate::resource::{Origin, Reader, Resource};
use crate::services::CLOUD_TRAIL;

/// Queries of event data stores of CloudTrail Lake in the last seven days.
///
/// There is one list per store; a key on `event_data_store_arn` saves the others. Text and statistics cost one call per
/// query.
#[derive(Debug, Default, Table)]
#[table(name = "aws_cloudtrail_query", env = Aws, stream, rows = 20, needs("cloudtrail:ListEventDataStores", "cloudtrail:ListQueries"), identity(query_id))]
#[example(
    "Queries that failed.",
    "SELECT query_id, error_message FROM aws_cloudtrail_query WHERE query_status = 'FAILED'"
)]
pub struct Query {
    /// ID of the query.
    #[column(path = "QueryId")]
    query_id: String,
    /// ARN of the event data store.
    #[column(index, path = "store")]
    event_data_store_arn: String,
    /// When it was started.
    #[column(path = "CreationTime")]
    creation_time: Option<Timestamp>,
    /// Bucket of the results; NULL if there is none.
    #[column(path = "DeliveryS3Uri", source = details, needs = "cloudtrail:DescribeQuery")]
    delivery_s3_uri: Option<String>,
    /// Status of the delivery; NULL if there is none.
    #[column(path = "DeliveryStatus", source = details, needs = "cloudtrail:DescribeQuery")]
    delivery_status: Option<String>,
    /// Why it failed; NULL if it did not.
    #[column(path = "ErrorMessage", source = details, needs = "cloudtrail:DescribeQuery")]
    error_message: Option<String>,
    /// Status: `QUEUED`, `RUNNING`, `FINISHED`, `FAILED`, `CANCELLED`, `TIMED_OUT`.
    #[column(path = "QueryStatus")]
    query_status: Option<String>,
    /// Bytes that it read.
    #[column(path = "QueryStatistics.BytesScanned", source = details, needs = "cloudtrail:DescribeQuery")]
    bytes_scanned: Option<i64>,
    /// Events that it returned.
    #[column(path = "QueryStatistics.EventsMatched", source = details, needs = "cloudtrail:DescribeQuery")]
    events_matched: Option<i64>,
    /// Events that it read.
    #[column(path = "QueryStatistics.EventsScanned", source = details, needs = "cloudtrail:DescribeQuery")]
    events_scanned: Option<i64>,
    /// Duration in milliseconds.
    #[column(path = "QueryStatistics.ExecutionTimeInMillis", source = details, needs = "cloudtrail:DescribeQuery")]
    execution_time_in_millis: Option<i64>,
    /// SQL of the query.
    #[column(path = "QueryString", source = details, needs = "cloudtrail:DescribeQuery")]
    query_string: Option<String>,
    /// The same as the ID.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

static STORES: List = List {
    service: &CLOUD_TRAIL,
    action: "cloudtrail:ListEventDataStores",
    items: "EventDataStores",
    tokens: ("NextToken", "NextToken"),
};

static LIST: List = List {
    service: &CLOUD_TRAIL,
    action: "cloudtrail:ListQueries",
    items: "Queries",
    tokens: ("NextToken", "NextToken"),
};

impl RowStream for Query {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, Query::list)
    }
}

impl Resource for Query {
    const TITLE_FORM: &'static str = "{QueryId}";
    const KEPT: &'static [usize] = &[Self::QUERY_ID.position()];
}

impl Query {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let stores = match scan.keys(Self::EVENT_DATA_STORE_ARN) {
                // A store is in the region that its ARN names.
                Some(arns) => distinct(arns).into_iter().filter(|arn| arn.split(':').nth(3) == Some(&site.region())).collect(),
                None => {
                    let stores = all(site.list(scan, &STORES, Request::input(json!({})))).await?;
                    stores.iter().filter_map(|store| store["EventDataStoreArn"].as_str().map(str::to_owned)).collect()
                }
            };
            let mut rows = site.each(scan, stores, |site, store: String| async move {
                let input = Request::input(json!({"EventDataStore": store}));
                let queries = all(site.list(scan, &LIST, input)).await?;
                let reader = Reader::listed(scan, &site);
                let queries = queries.into_iter().map(|query| with_member(query, "store", store.as_str()));
                Ok(queries.filter_map(|query| reader.item(scan, &query)).collect())
            });
            while let Some(row) = rows.next().await {
                yield row?;
            }
        }
        .boxed()
    }

    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = Request::input(json!({"QueryId": self.query_id}));
        let answer = site.send(scan, &CLOUD_TRAIL, "cloudtrail:DescribeQuery", input).await?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &answer)
    }
}
