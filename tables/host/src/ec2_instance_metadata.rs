//! `ec2_instance_metadata`: one row about the EC2 instance that the program runs on.

use futures::stream::{self, Stream};
use indago_table::prelude::*;

use crate::source::cloud::{Ec2, field};

/// This EC2 instance, as its metadata service describes it.
///
/// The service's version 2 is used, with a token, if the instance has it. On a machine that is not an EC2 instance
/// there are no rows, with a note, and nothing is sent.
#[derive(Debug, Default, Table)]
#[table(name = "ec2_instance_metadata", platforms("linux"), stream, rows = 1, identity(instance_id))]
#[example("Where this instance runs.", "SELECT instance_id, region, availability_zone FROM ec2_instance_metadata")]
pub struct Ec2InstanceMetadata {
    /// ID of the instance.
    instance_id: Option<String>,
    /// Type of the instance, such as `t3.micro`.
    instance_type: Option<String>,
    /// Architecture of the processor, such as `x86_64`.
    architecture: Option<String>,
    /// Region.
    region: Option<String>,
    /// Availability zone.
    availability_zone: Option<String>,
    /// Private DNS name of the first interface.
    local_hostname: Option<String>,
    /// Private IPv4 address of the first interface.
    local_ipv4: Option<String>,
    /// MAC address of the first interface.
    #[column(collate = nocase)]
    mac: Option<String>,
    /// Names of the security groups, separated by commas.
    security_groups: Option<String>,
    /// ARN of the instance profile; NULL if it has none.
    iam_arn: Option<String>,
    /// ID of the image that the instance was started from.
    ami_id: Option<String>,
    /// ID of the reservation.
    reservation_id: Option<String>,
    /// ID of the AWS account.
    account_id: Option<String>,
    /// SSH key that the instance was started with; NULL if it has none.
    ssh_public_key: Option<String>,
}

impl RowStream for Ec2InstanceMetadata {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec!["EC2"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        stream::once(instance(scan))
    }
}

async fn instance(scan: &Scan<Ec2InstanceMetadata>) -> Result<Ec2InstanceMetadata> {
    let service = Ec2::connect(scan).await?;
    let identity = service.document(scan, "dynamic/instance-identity/document").await?.unwrap_or_default();
    let iam = service.document(scan, "meta-data/iam/info").await?.unwrap_or_default();
    let known = |name: &str| field(&identity, &[name]);
    Ok(Ec2InstanceMetadata {
        instance_id: known("instanceId"),
        instance_type: known("instanceType"),
        architecture: known("architecture"),
        region: known("region"),
        availability_zone: known("availabilityZone"),
        local_hostname: service.text(scan, "meta-data/local-hostname").await?,
        local_ipv4: known("privateIp"),
        mac: service.text(scan, "meta-data/mac").await?,
        security_groups: service.text(scan, "meta-data/security-groups").await?,
        iam_arn: field(&iam, &["InstanceProfileArn"]),
        ami_id: known("imageId"),
        reservation_id: service.text(scan, "meta-data/reservation-id").await?,
        account_id: known("accountId"),
        ssh_public_key: service.text(scan, "meta-data/public-keys/0/openssh-key").await?,
    })
}
