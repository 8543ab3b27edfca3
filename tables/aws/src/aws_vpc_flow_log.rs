//! `aws_vpc_flow_log`: one row per flow log, from `ec2:DescribeFlowLogs`.

use futures::stream::Stream;
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Resource};
use crate::source::ec2;

/// Flow logs: where the records of the traffic of VPCs, subnets and network interfaces are written.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_flow_log", env = Aws, stream, rows = 5, needs("ec2:DescribeFlowLogs"),
    identity(account_id, region, flow_log_id)
)]
#[example(
    "VPCs without a flow log.",
    "SELECT v.vpc_id FROM aws_vpc v LEFT JOIN aws_vpc_flow_log l ON l.resource_id = v.vpc_id WHERE l.flow_log_id IS \
     NULL"
)]
pub struct FlowLog {
    /// ID of the flow log.
    #[column(index, path = "FlowLogId")]
    flow_log_id: String,
    /// Time of creation.
    #[column(path = "CreationTime")]
    creation_time: Option<Timestamp>,
    /// Reason why records could not be written.
    #[column(path = "DeliverLogsErrorMessage")]
    deliver_logs_error_message: Option<String>,
    /// ARN of the role that writes to CloudWatch Logs.
    #[column(path = "DeliverLogsPermissionArn")]
    deliver_logs_permission_arn: Option<String>,
    /// `SUCCESS` or `FAILED`.
    #[column(slice, path = "DeliverLogsStatus")]
    deliver_logs_status: Option<String>,
    /// `ACTIVE`.
    #[column(path = "FlowLogStatus")]
    flow_log_status: Option<String>,
    /// Log group of CloudWatch Logs; NULL for another destination.
    #[column(index, path = "LogGroupName")]
    log_group_name: Option<String>,
    /// ID of the VPC, subnet, network interface or transit gateway.
    #[column(index, path = "ResourceId")]
    resource_id: Option<String>,
    /// Traffic that is recorded: `ACCEPT`, `REJECT` or `ALL`.
    #[column(slice, path = "TrafficType")]
    traffic_type: Option<String>,
    /// `cloud-watch-logs`, `s3` or `kinesis-data-firehose`.
    #[column(slice, path = "LogDestinationType")]
    log_destination_type: Option<String>,
    /// ARN of the destination.
    #[column(path = "LogDestination")]
    log_destination: Option<String>,
    /// Name of the S3 bucket; NULL for another destination.
    #[column(path = "bucketName")]
    bucket_name: Option<String>,
    /// Fields of a record.
    #[column(path = "LogFormat")]
    log_format: Option<String>,
    /// Longest period of a record, in seconds: 60 or 600.
    #[column(path = "MaxAggregationInterval")]
    max_aggregation_interval: Option<i64>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The tag `Name`, or the ID if there is none.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for FlowLog {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeFlowLogs")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("flow-log-id", scan.keys(Self::FLOW_LOG_ID)),
                ("deliver-log-status", scan.keys(Self::DELIVER_LOGS_STATUS)),
                ("log-group-name", scan.keys(Self::LOG_GROUP_NAME)),
                ("resource-id", scan.keys(Self::RESOURCE_ID)),
                ("traffic-type", scan.keys(Self::TRAFFIC_TYPE)),
                ("log-destination-type", scan.keys(Self::LOG_DESTINATION_TYPE)),
            ];
            let request = site.ec2().describe_flow_logs().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filter(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeFlowLogs", &keys, fetch, |page| {
                (page.flow_logs.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for FlowLog {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{@account_id}:vpc-flow-log/{FlowLogId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{FlowLogId}";
    const DERIVED: &'static [Derived] = &[Derived::new("bucketName", "LogDestination", bucket)];
}

/// The bucket in the ARN of an S3 destination, `arn:aws:s3:::bucket/folder`.
fn bucket(destination: &Value) -> Value {
    let path = destination.as_str().and_then(|arn| arn.split_once(":s3:::"));
    path.and_then(|(_, path)| path.split('/').next()).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bucket_is_in_the_destination() {
        for (destination, expected) in [
            (json!("arn:aws:s3:::flows/vpc/"), json!("flows")),
            (json!("arn:aws-cn:s3:::flows"), json!("flows")),
            (json!("arn:aws:logs:eu-west-1:1:log-group:flows"), Value::Null),
            (Value::Null, Value::Null),
        ] {
            assert_eq!(bucket(&destination), expected, "{destination}");
        }
    }
}
