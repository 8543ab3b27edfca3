//! `aws_ec2_launch_configuration`: one row per launch configuration, from `autoscaling:DescribeLaunchConfigurations`.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Place};
use crate::aws_ec2_instance::plain_user_data;
use crate::call::distinct;
use crate::query::{Input, Listing};
use crate::resource::{Derived, Origin, Resource, filled};
use crate::source::load_balancing::AUTO_SCALING;

/// Launch configurations of Auto Scaling, which launch templates have replaced.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_launch_configuration", env = Aws, stream, rows = 10,
    needs("autoscaling:DescribeLaunchConfigurations"), identity(launch_configuration_arn)
)]
#[example(
    "Configurations whose instances return credentials without a session token.",
    "SELECT name FROM aws_ec2_launch_configuration WHERE metadata_options_http_tokens IS DISTINCT FROM 'required'"
)]
pub struct LaunchConfiguration {
    /// Name of the launch configuration.
    #[column(index, path = "LaunchConfigurationName")]
    name: String,
    /// ARN of the launch configuration.
    #[column(path = "LaunchConfigurationARN")]
    launch_configuration_arn: Option<String>,
    /// Time of creation.
    #[column(path = "CreatedTime")]
    created_time: Option<Timestamp>,
    /// ID of the image.
    #[column(path = "ImageId")]
    image_id: Option<String>,
    /// Instance type.
    #[column(path = "InstanceType")]
    instance_type: Option<String>,
    /// Whether instances get a public address; NULL for the setting of the subnet.
    #[column(path = "AssociatePublicIpAddress")]
    associate_public_ip_address: Option<bool>,
    /// Kernel image of an old paravirtual image.
    #[column(path = "KernelId")]
    kernel_id: Option<String>,
    /// Name of the key pair.
    #[column(path = "KeyName")]
    key_name: Option<String>,
    /// RAM disk of an old paravirtual image.
    #[column(path = "RamdiskId")]
    ramdisk_id: Option<String>,
    /// Whether instances have dedicated bandwidth to their volumes.
    #[column(path = "EbsOptimized")]
    ebs_optimized: Option<bool>,
    /// VPC of an instance in EC2-Classic.
    #[column(path = "ClassicLinkVPCId")]
    classic_link_vpc_id: Option<String>,
    /// Highest price of a spot instance; NULL for on-demand instances.
    #[column(path = "SpotPrice")]
    spot_price: Option<String>,
    /// Script or data for instances; in base64 if it is not text.
    #[column(path = "userData")]
    user_data: Option<String>,
    /// `default` or `dedicated`.
    #[column(path = "PlacementTenancy")]
    placement_tenancy: Option<String>,
    /// Name or ARN of the instance profile.
    #[column(path = "IamInstanceProfile")]
    iam_instance_profile: Option<String>,
    /// Whether instances have detailed monitoring.
    #[column(path = "InstanceMonitoring.Enabled")]
    instance_monitoring_enabled: Option<bool>,
    /// Whether the metadata service responds: `enabled` or `disabled`.
    #[column(path = "MetadataOptions.HttpEndpoint")]
    metadata_options_http_endpoint: Option<String>,
    /// Largest number of network hops of a session token.
    #[column(path = "MetadataOptions.HttpPutResponseHopLimit")]
    metadata_options_put_response_hop_limit: Option<i64>,
    /// `required` if the metadata service needs a session token, `optional` otherwise.
    #[column(path = "MetadataOptions.HttpTokens")]
    metadata_options_http_tokens: Option<String>,
    /// Volumes that an instance starts with.
    #[column(path = "BlockDeviceMappings")]
    block_device_mappings: Option<Json>,
    /// Security groups of the VPC of EC2-Classic.
    #[column(path = "ClassicLinkVPCSecurityGroups")]
    classic_link_vpc_security_groups: Vec<String>,
    /// IDs or names of security groups.
    #[column(path = "SecurityGroups")]
    security_groups: Vec<String>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for LaunchConfiguration {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "autoscaling:DescribeLaunchConfigurations")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let Some(names) = scan.keys(Self::NAME) else {
                return site
                    .rows(scan, site.query_all(scan, &CONFIGURATIONS, Input::default().with("MaxRecords", 100)));
            };
            // Names that do not exist are no error.
            let names = distinct(names);
            let inputs: Vec<_> =
                names.chunks(50).map(|names| Input::default().with_list("LaunchConfigurationNames", names)).collect();
            stream::iter(inputs)
                .flat_map(move |input| site.rows(scan, site.query_all(scan, &CONFIGURATIONS, input)))
                .boxed()
        })
    }
}

impl Resource for LaunchConfiguration {
    const ARN_FORM: &'static str = "{LaunchConfigurationARN}";
    const TITLE_FORM: &'static str = "{LaunchConfigurationName}";
    const DERIVED: &'static [Derived] = &[Derived::new("userData", "UserData", plain)];
}

static CONFIGURATIONS: Listing = Listing {
    query: &AUTO_SCALING,
    action: "autoscaling:DescribeLaunchConfigurations",
    items: "LaunchConfigurations",
    tokens: ("NextToken", "NextToken"),
};

/// Data in base64 as text, if it is text. No data is an empty text in the response.
fn plain(data: &Value) -> Value {
    filled(&data.as_str().map_or_else(|| data.clone(), |data| plain_user_data(data.to_owned()).into()))
}
