//! `aws_ssm_managed_instance`: one row per machine that Systems Manager manages, from `ssm:DescribeInstanceInformation`.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request};
use crate::call::distinct;
use crate::resource::{Origin, Resource};
use crate::services::SSM;

/// Machines that Systems Manager manages: EC2 instances and others. Whoever may use `ssm:SendCommand` or
/// `ssm:StartSession` on them runs programs as root.
#[derive(Debug, Default, Table)]
#[table(name = "aws_ssm_managed_instance", env = Aws, stream, rows = 100, needs("ssm:DescribeInstanceInformation"), identity(account_id, region, instance_id))]
#[example(
    "Agents that are not up to date.",
    "SELECT instance_id, agent_version FROM aws_ssm_managed_instance WHERE is_latest_version = false"
)]
#[example(
    "EC2 instances that Systems Manager does not manage.",
    "SELECT i.instance_id FROM aws_ec2_instance i LEFT JOIN aws_ssm_managed_instance m ON m.instance_id = i.instance_id WHERE m.instance_id IS NULL"
)]
pub struct ManagedInstance {
    /// ID of the machine: `i-` for EC2 instances, `mi-` for others.
    #[column(index, path = "InstanceId")]
    instance_id: String,
    /// Name of a machine outside EC2; NULL for EC2 instances.
    #[column(path = "Name")]
    name: Option<String>,
    /// Whether the agent answers: `Online`, `ConnectionLost`, `Inactive`.
    #[column(volatile, path = "PingStatus")]
    ping_status: Option<String>,
    /// Time of the agent's last message.
    #[column(volatile, path = "LastPingDateTime")]
    last_ping_date_time: Option<Timestamp>,
    /// Version of the agent.
    #[column(path = "AgentVersion")]
    agent_version: Option<String>,
    /// Whether the agent is the latest version.
    #[column(path = "IsLatestVersion")]
    is_latest_version: Option<bool>,
    /// `Linux`, `Windows` or `MacOS`.
    #[column(path = "PlatformType")]
    platform_type: Option<String>,
    /// Name of the operating system.
    #[column(path = "PlatformName")]
    platform_name: Option<String>,
    /// Version of the operating system.
    #[column(path = "PlatformVersion")]
    platform_version: Option<String>,
    /// `EC2Instance`, `ManagedInstance` or `AWS::IoT::Thing`.
    #[column(path = "ResourceType")]
    resource_type: Option<String>,
    /// Host name.
    #[column(path = "ComputerName")]
    computer_name: Option<String>,
    /// Address of the machine.
    #[column(path = "IPAddress")]
    ip_address: Option<String>,
    /// ID of the activation of a machine outside EC2; NULL for EC2 instances.
    #[column(path = "ActivationId")]
    activation_id: Option<String>,
    /// Role of a machine outside EC2; NULL for EC2 instances.
    #[column(path = "IamRole")]
    iam_role: Option<String>,
    /// When a machine outside EC2 was registered; NULL for EC2 instances.
    #[column(path = "RegistrationDate")]
    registration_date: Option<Timestamp>,
    /// Status of its associations.
    #[column(path = "AssociationStatus")]
    association_status: Option<String>,
    /// When associations last ran.
    #[column(volatile, path = "LastAssociationExecutionDate")]
    last_association_execution_date: Option<Timestamp>,
    /// ID of the machine at its source; NULL if there is none.
    #[column(path = "SourceId")]
    source_id: Option<String>,
    /// Type of the source; NULL if there is none.
    #[column(path = "SourceType")]
    source_type: Option<String>,
    /// The same as the ID.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = List {
    service: &SSM,
    action: "ssm:DescribeInstanceInformation",
    items: "InstanceInformationList",
    tokens: ("NextToken", "NextToken"),
};

/// Most IDs of a filter.
const MOST_IDS: usize = 100;

impl RowStream for ManagedInstance {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, LIST.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, ManagedInstance::list)
    }
}

impl Resource for ManagedInstance {
    const ARN_FORM: &'static str = "arn:{@partition}:ssm:{@region}:{@account_id}:managed-instance/{InstanceId}";
    const TITLE_FORM: &'static str = "{InstanceId}";
}

impl ManagedInstance {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let all = json!({"MaxResults": 50});
        let Some(mut ids) = scan.keys(Self::INSTANCE_ID).map(distinct) else {
            return site.listed(scan, &LIST, Request::input(all));
        };
        // Systems Manager refuses a filter with a text that is not an ID.
        ids.retain(|id| {
            let number = id.strip_prefix("i-").or_else(|| id.strip_prefix("mi-")).unwrap_or_default();
            (8..=17).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        try_stream! {
            for ids in ids.chunks(MOST_IDS) {
                let mut input = all.clone();
                input["Filters"] = json!([{"Key": "InstanceIds", "Values": ids}]);
                let mut rows = site.listed(scan, &LIST, Request::input(input));
                while let Some(row) = rows.next().await {
                    yield row?;
                }
            }
        }
        .boxed()
    }
}
