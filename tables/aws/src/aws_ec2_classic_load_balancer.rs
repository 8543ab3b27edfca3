//! `aws_ec2_classic_load_balancer`: one row per load balancer, from `elasticloadbalancing:DescribeLoadBalancers`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::query::{Input, Listing};
use crate::resource::{Origin, Reader, Resource};
use crate::source::load_balancing::{self, CLASSIC};

/// Classic load balancers.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_classic_load_balancer", env = Aws, stream, rows = 10,
    needs("elasticloadbalancing:DescribeLoadBalancers"), identity(arn), batch(tagging = 20)
)]
#[example(
    "Load balancers without access logs.",
    "SELECT name, dns_name FROM aws_ec2_classic_load_balancer WHERE NOT access_log_enabled"
)]
pub struct ClassicLoadBalancer {
    /// Name of the load balancer.
    #[column(index, path = "LoadBalancerName")]
    name: String,
    /// ARN of the load balancer.
    #[column(path = "@arn")]
    arn: String,
    /// `internet-facing` or `internal`.
    #[column(path = "Scheme")]
    scheme: Option<String>,
    /// Time of creation.
    #[column(path = "CreatedTime")]
    created_time: Option<Timestamp>,
    /// ID of its VPC.
    #[column(path = "VPCId")]
    vpc_id: Option<String>,
    /// Interval at which access logs are written, in minutes.
    #[column(
        path = "AccessLog.EmitInterval", source = attributes,
        needs = "elasticloadbalancing:DescribeLoadBalancerAttributes"
    )]
    access_log_emit_interval: Option<i64>,
    /// Whether access logs are written.
    #[column(
        path = "AccessLog.Enabled", source = attributes,
        needs = "elasticloadbalancing:DescribeLoadBalancerAttributes"
    )]
    access_log_enabled: Option<bool>,
    /// Bucket of access logs.
    #[column(
        path = "AccessLog.S3BucketName", source = attributes,
        needs = "elasticloadbalancing:DescribeLoadBalancerAttributes"
    )]
    access_log_s3_bucket_name: Option<String>,
    /// Path of access logs in the bucket.
    #[column(
        path = "AccessLog.S3BucketPrefix", source = attributes,
        needs = "elasticloadbalancing:DescribeLoadBalancerAttributes"
    )]
    access_log_s3_bucket_prefix: Option<String>,
    /// Name of the Route 53 zone of its host name.
    #[column(path = "CanonicalHostedZoneName")]
    canonical_hosted_zone_name: Option<String>,
    /// ID of that zone.
    #[column(path = "CanonicalHostedZoneNameID")]
    canonical_hosted_zone_name_id: Option<String>,
    /// Whether instances that are removed may complete their requests.
    #[column(
        path = "ConnectionDraining.Enabled", source = attributes,
        needs = "elasticloadbalancing:DescribeLoadBalancerAttributes"
    )]
    connection_draining_enabled: Option<bool>,
    /// Longest time for that in seconds.
    #[column(
        path = "ConnectionDraining.Timeout", source = attributes,
        needs = "elasticloadbalancing:DescribeLoadBalancerAttributes"
    )]
    connection_draining_timeout: Option<i64>,
    /// Time after which idle connections are closed, in seconds.
    #[column(
        path = "ConnectionSettings.IdleTimeout", source = attributes,
        needs = "elasticloadbalancing:DescribeLoadBalancerAttributes"
    )]
    connection_settings_idle_timeout: Option<i64>,
    /// Whether it forwards to instances of other zones.
    #[column(
        path = "CrossZoneLoadBalancing.Enabled", source = attributes,
        needs = "elasticloadbalancing:DescribeLoadBalancerAttributes"
    )]
    cross_zone_load_balancing_enabled: Option<bool>,
    /// Host name.
    #[column(path = "DNSName")]
    dns_name: Option<String>,
    /// Time between checks in seconds.
    #[column(path = "HealthCheck.Interval")]
    health_check_interval: Option<i64>,
    /// Longest time of a check in seconds.
    #[column(path = "HealthCheck.Timeout")]
    health_check_timeout: Option<i64>,
    /// Successful checks after which an instance is healthy.
    #[column(path = "HealthCheck.HealthyThreshold")]
    healthy_threshold: Option<i64>,
    /// What is checked, such as `HTTP:80/health`.
    #[column(path = "HealthCheck.Target")]
    health_check_target: Option<String>,
    /// Security group of its own traffic.
    #[column(path = "SourceSecurityGroup.GroupName")]
    source_security_group_name: Option<String>,
    /// Owner of that security group.
    #[column(path = "SourceSecurityGroup.OwnerAlias")]
    source_security_group_owner_alias: Option<String>,
    /// Failed checks after which an instance is unhealthy.
    #[column(path = "HealthCheck.UnhealthyThreshold")]
    unhealthy_threshold: Option<i64>,
    /// Additional attributes: `Key`, `Value`.
    #[column(
        path = "AdditionalAttributes", source = attributes,
        needs = "elasticloadbalancing:DescribeLoadBalancerAttributes"
    )]
    additional_attributes: Option<Json>,
    /// Policies that keep sessions on an instance by the application's cookie.
    #[column(path = "Policies.AppCookieStickinessPolicies")]
    app_cookie_stickiness_policies: Option<Json>,
    /// Availability zones.
    #[column(path = "AvailabilityZones")]
    availability_zones: Vec<String>,
    /// Policies of the ports of instances.
    #[column(path = "BackendServerDescriptions")]
    backend_server_descriptions: Option<Json>,
    /// Instances: `InstanceId`.
    #[column(path = "Instances")]
    instances: Option<Json>,
    /// Policies that keep sessions on an instance by a cookie of the load balancer.
    #[column(path = "Policies.LBCookieStickinessPolicies")]
    lb_cookie_stickiness_policies: Option<Json>,
    /// Listeners and their policies.
    #[column(path = "ListenerDescriptions")]
    listener_descriptions: Option<Json>,
    /// Names of other policies.
    #[column(path = "Policies.OtherPolicies")]
    other_policies: Vec<String>,
    /// IDs of security groups.
    #[column(path = "SecurityGroups")]
    security_groups: Vec<String>,
    /// Policies of AWS that load balancers can use.
    #[column(source = samples, needs = "elasticloadbalancing:DescribeLoadBalancerPolicies")]
    sample_policy_descriptions: Option<Json>,
    /// Policies of the load balancer.
    #[column(source = policies, needs = "elasticloadbalancing:DescribeLoadBalancerPolicies")]
    policy_descriptions: Option<Json>,
    /// IDs of subnets.
    #[column(path = "Subnets")]
    subnets: Vec<String>,
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

impl RowStream for ClassicLoadBalancer {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "elasticloadbalancing:DescribeLoadBalancers")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = load_balancing::names(scan.keys(Self::NAME)).map(|names| ("LoadBalancerNames", names));
            site.rows(scan, load_balancing::items(scan, site.clone(), &LOAD_BALANCERS, keys))
        })
    }
}

impl Resource for ClassicLoadBalancer {
    const ARN_FORM: &'static str = "arn:{@partition}:elasticloadbalancing:{@region}:\
        {@account_id}:loadbalancer/{LoadBalancerName}";
    const TITLE_FORM: &'static str = "{LoadBalancerName}";
    const KEPT: &'static [usize] = &[Self::NAME.position()];
}

static LOAD_BALANCERS: Listing = Listing {
    query: &CLASSIC,
    action: "elasticloadbalancing:DescribeLoadBalancers",
    items: "LoadBalancerDescriptions",
    tokens: ("Marker", "NextMarker"),
};

impl ClassicLoadBalancer {
    async fn attributes(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let action = "elasticloadbalancing:DescribeLoadBalancerAttributes";
        let input = Input::default().with("LoadBalancerName", &self.name);
        let answer = site.query(scan, &CLASSIC, action, input).await?;
        Reader::of_sources(&site, &["attributes"]).fill(scan, self, &answer["LoadBalancerAttributes"])
    }

    async fn samples(&mut self, scan: &Scan<Self>) -> Result<()> {
        self.sample_policy_descriptions = self.described(scan, Input::default()).await?;
        Ok(())
    }

    async fn policies(&mut self, scan: &Scan<Self>) -> Result<()> {
        let input = Input::default().with("LoadBalancerName", &self.name);
        self.policy_descriptions = self.described(scan, input).await?;
        Ok(())
    }

    async fn described(&self, scan: &Scan<Self>, input: Input) -> Result<Option<Json>> {
        let site = self.origin.site(scan).await?;
        let action = "elasticloadbalancing:DescribeLoadBalancerPolicies";
        let answer = site.query(scan, &CLASSIC, action, input).await?;
        Ok(answer.get("PolicyDescriptions").map(Json::new))
    }

    async fn tagging(rows: &mut [Loading<'_, Self>], scan: &Scan<Self>) -> Result<()> {
        let names = ("LoadBalancerNames", "LoadBalancerName");
        load_balancing::tags(rows, scan, &CLASSIC, names, |row| &row.name, |row| &row.origin).await
    }
}
