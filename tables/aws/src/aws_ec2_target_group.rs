//! `aws_ec2_target_group`: one row per target group, from `elasticloadbalancing:DescribeTargetGroups`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::query::{Input, Listing};
use crate::resource::{Origin, Resource};
use crate::source::load_balancing::{self, LOAD_BALANCING};

/// Target groups: the instances, addresses or functions that load balancers forward to.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_target_group", env = Aws, stream, rows = 40, needs("elasticloadbalancing:DescribeTargetGroups"),
    identity(target_group_arn), batch(tagging = 20)
)]
#[example(
    "Targets that are not healthy.",
    "SELECT target_group_name, target_health_descriptions FROM aws_ec2_target_group WHERE target_health_descriptions \
     LIKE '%unhealthy%'"
)]
pub struct TargetGroup {
    /// Name of the target group.
    #[column(index, path = "TargetGroupName")]
    target_group_name: Option<String>,
    /// ARN of the target group.
    #[column(index, path = "TargetGroupArn")]
    target_group_arn: String,
    /// `instance`, `ip`, `lambda` or `alb`.
    #[column(path = "TargetType")]
    target_type: Option<String>,
    /// ARNs of the load balancers that forward to it.
    #[column(path = "LoadBalancerArns")]
    load_balancer_arns: Vec<String>,
    /// Port of targets; NULL for functions.
    #[column(path = "Port")]
    port: Option<i64>,
    /// ID of the VPC; NULL for functions.
    #[column(path = "VpcId")]
    vpc_id: Option<String>,
    /// Protocol to targets, such as `HTTP` or `TCP`; NULL for functions.
    #[column(path = "Protocol")]
    protocol: Option<String>,
    /// `HTTP1`, `HTTP2` or `GRPC`.
    #[column(path = "ProtocolVersion")]
    protocol_version: Option<String>,
    /// `ipv4` or `ipv6`.
    #[column(path = "IpAddressType")]
    ip_address_type: Option<String>,
    /// HTTP status of a healthy target.
    #[column(path = "Matcher.HttpCode")]
    matcher_http_code: Option<String>,
    /// gRPC status of a healthy target.
    #[column(path = "Matcher.GrpcCode")]
    matcher_grpc_code: Option<String>,
    /// Successful checks after which a target is healthy.
    #[column(path = "HealthyThresholdCount")]
    healthy_threshold_count: Option<i64>,
    /// Failed checks after which a target is unhealthy.
    #[column(path = "UnhealthyThresholdCount")]
    unhealthy_threshold_count: Option<i64>,
    /// Whether targets are checked.
    #[column(path = "HealthCheckEnabled")]
    health_check_enabled: Option<bool>,
    /// Time between checks in seconds.
    #[column(path = "HealthCheckIntervalSeconds")]
    health_check_interval_seconds: Option<i64>,
    /// Path of checks.
    #[column(path = "HealthCheckPath")]
    health_check_path: Option<String>,
    /// Port of checks; `traffic-port` for the one of the targets.
    #[column(path = "HealthCheckPort")]
    health_check_port: Option<String>,
    /// Protocol of checks.
    #[column(path = "HealthCheckProtocol")]
    health_check_protocol: Option<String>,
    /// Longest time of a check in seconds.
    #[column(path = "HealthCheckTimeoutSeconds")]
    health_check_timeout_seconds: Option<i64>,
    /// Targets and their health.
    #[column(volatile, source = health, needs = "elasticloadbalancing:DescribeTargetHealth")]
    target_health_descriptions: Option<Json>,
    /// Attributes: `Key`, `Value`.
    #[column(source = attribute_list, needs = "elasticloadbalancing:DescribeTargetGroupAttributes")]
    attributes: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = tagging, needs = "elasticloadbalancing:DescribeTags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = tagging, needs = "elasticloadbalancing:DescribeTags")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for TargetGroup {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "elasticloadbalancing:DescribeTargetGroups")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let by_arn = load_balancing::arns(scan.keys(Self::TARGET_GROUP_ARN), "targetgroup/");
            let by_name = || load_balancing::names(scan.keys(Self::TARGET_GROUP_NAME)).map(|names| ("Names", names));
            let keys = by_arn.map(|arns| ("TargetGroupArns", arns)).or_else(by_name);
            site.rows(scan, load_balancing::items(scan, site.clone(), &TARGET_GROUPS, keys))
        })
    }
}

impl Resource for TargetGroup {
    const ARN_FORM: &'static str = "{TargetGroupArn}";
    const TITLE_FORM: &'static str = "{TargetGroupName}";
    const KEPT: &'static [usize] = &[Self::TARGET_GROUP_ARN.position()];
}

static TARGET_GROUPS: Listing = Listing {
    query: &LOAD_BALANCING,
    action: "elasticloadbalancing:DescribeTargetGroups",
    items: "TargetGroups",
    tokens: ("Marker", "NextMarker"),
};

impl TargetGroup {
    async fn health(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let input = Input::default().with("TargetGroupArn", &self.target_group_arn);
        let answer = site.query(scan, &LOAD_BALANCING, "elasticloadbalancing:DescribeTargetHealth", input).await?;
        self.target_health_descriptions = answer.get("TargetHealthDescriptions").map(Json::new);
        Ok(())
    }

    async fn attribute_list(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let action = "elasticloadbalancing:DescribeTargetGroupAttributes";
        let arn = &self.target_group_arn;
        self.attributes = load_balancing::attributes(scan, &site, action, "TargetGroupArn", arn).await?;
        Ok(())
    }

    async fn tagging(rows: &mut [Loading<'_, Self>], scan: &Scan<Self>) -> Result<()> {
        let names = ("ResourceArns", "ResourceArn");
        load_balancing::tags(rows, scan, &LOAD_BALANCING, names, |row| &row.target_group_arn, |row| &row.origin).await
    }
}
