//! `aws_ec2_instance`: one row per EC2 instance, from `ec2:DescribeInstances`.

use std::collections::HashMap;

use aws_sdk_ec2::operation::describe_instance_attribute::DescribeInstanceAttributeOutput;
use aws_sdk_ec2::types::{InstanceAttributeName, InstanceStatus};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::{Next, all, page_size};
use crate::document::json;
use crate::resource::{Derived, Origin, Resource, filled};
use crate::source::ec2;

/// EC2 instances, those included that were terminated within the last hour.
///
/// `private_dns_name` and `instance_id` lead here from the nodes of a Kubernetes cluster, and
/// `iam_instance_profile_arn` from here to `aws_iam_instance_profile` and on to the role.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_instance", env = Aws, stream, rows = 200, needs("ec2:DescribeInstances"), identity(arn),
    batch(status = 100)
)]
#[example(
    "Running instances that anybody on the internet may reach.",
    "SELECT instance_id, public_ip_address FROM aws_ec2_instance \
     WHERE instance_state = 'running' AND public_ip_address IS NOT NULL"
)]
#[example(
    "Instances that give out credentials without a session token.",
    "SELECT instance_id, metadata_options FROM aws_ec2_instance \
     WHERE metadata_options LIKE '%\"HttpTokens\":\"optional\"%'"
)]
pub struct Instance {
    /// Id of the instance.
    #[column(index, path = "InstanceId")]
    instance_id: String,
    /// ARN of the instance.
    #[column(path = "@arn")]
    arn: String,
    /// Type of machine, such as `t3.micro`.
    #[column(slice, path = "InstanceType")]
    instance_type: Option<String>,
    /// `pending`, `running`, `shutting-down`, `terminated`, `stopping` or `stopped`.
    #[column(slice, path = "State.Name")]
    instance_state: Option<String>,
    /// Whether detailed monitoring is `enabled` or `disabled`.
    #[column(path = "Monitoring.State")]
    monitoring_state: Option<String>,
    /// Whether it is protected against being terminated.
    #[column(source = termination, needs = "ec2:DescribeInstanceAttribute")]
    disable_api_termination: Option<bool>,
    /// Its place among the instances of one launch, from 0.
    #[column(path = "AmiLaunchIndex")]
    ami_launch_index: Option<i64>,
    /// Architecture of its processor, such as `x86_64`.
    #[column(path = "Architecture")]
    architecture: Option<String>,
    /// Boot mode that its image asks for; NULL where the image does not say.
    #[column(path = "BootMode")]
    boot_mode: Option<String>,
    /// Boot mode that it started with: `legacy-bios` or `uefi`.
    #[column(path = "CurrentInstanceBootMode")]
    current_instance_boot_mode: Option<String>,
    /// Its IPv6 address; NULL without one.
    #[column(path = "Ipv6Address")]
    ipv6_address: Option<String>,
    /// The capacity reservation that it runs in.
    #[column(path = "CapacityReservationId")]
    capacity_reservation_id: Option<String>,
    /// Which capacity reservations it may run in.
    #[column(path = "CapacityReservationSpecification")]
    capacity_reservation_specification: Option<Json>,
    /// The token by which its launch could be repeated without a second one.
    #[column(path = "ClientToken")]
    client_token: Option<String>,
    /// Number of processor cores.
    #[column(path = "CpuOptions.CoreCount")]
    cpu_options_core_count: Option<i64>,
    /// Threads of each core.
    #[column(path = "CpuOptions.ThreadsPerCore")]
    cpu_options_threads_per_core: Option<i64>,
    /// Whether it has bandwidth of its own to its volumes.
    #[column(path = "EbsOptimized")]
    ebs_optimized: Option<bool>,
    /// Whether it has enhanced networking (ENA).
    #[column(path = "EnaSupport")]
    ena_support: Option<bool>,
    /// Hypervisor under it: `nitro` or `xen`.
    #[column(path = "Hypervisor")]
    hypervisor: Option<String>,
    /// ARN of the instance profile that gives it a role; NULL without one.
    #[column(path = "IamInstanceProfile.Arn")]
    iam_instance_profile_arn: Option<String>,
    /// Id of the instance profile.
    #[column(path = "IamInstanceProfile.Id")]
    iam_instance_profile_id: Option<String>,
    /// The image that it was started from.
    #[column(slice, path = "ImageId")]
    image_id: Option<String>,
    /// What happens when it shuts itself down: `stop` or `terminate`.
    #[column(source = shutdown, needs = "ec2:DescribeInstanceAttribute")]
    instance_initiated_shutdown_behavior: Option<String>,
    /// `spot`, `scheduled` or `capacity-block`; NULL for an ordinary instance.
    #[column(path = "InstanceLifecycle")]
    instance_lifecycle: Option<String>,
    /// Kernel image of an old paravirtual instance.
    #[column(path = "KernelId")]
    kernel_id: Option<String>,
    /// The key pair that it was started with; NULL without one.
    #[column(path = "KeyName")]
    key_name: Option<String>,
    /// When it was last started.
    #[column(path = "LaunchTime")]
    launch_time: Option<Timestamp>,
    /// ARN of the Outpost that it runs on.
    #[column(path = "OutpostArn")]
    outpost_arn: Option<String>,
    /// Whether it keeps to its dedicated host: `default` or `host`.
    #[column(path = "Placement.Affinity")]
    placement_affinity: Option<String>,
    /// Availability zone that it is in.
    #[column(path = "Placement.AvailabilityZone")]
    placement_availability_zone: Option<String>,
    /// Id of its placement group.
    #[column(path = "Placement.GroupId")]
    placement_group_id: Option<String>,
    /// Name of its placement group.
    #[column(path = "Placement.GroupName")]
    placement_group_name: Option<String>,
    /// The dedicated host that it is on.
    #[column(path = "Placement.HostId")]
    placement_host_id: Option<String>,
    /// ARN of the group of hosts that it is started on.
    #[column(path = "Placement.HostResourceGroupArn")]
    placement_host_resource_group_arn: Option<String>,
    /// Its partition in a placement group that has partitions.
    #[column(path = "Placement.PartitionNumber")]
    placement_partition_number: Option<i64>,
    /// Whether the hardware is shared: `default`, `dedicated` or `host`.
    #[column(path = "Placement.Tenancy")]
    placement_tenancy: Option<String>,
    /// `windows`; NULL for others.
    #[column(path = "Platform")]
    platform: Option<String>,
    /// Platform as it is billed, such as `Linux/UNIX`.
    #[column(path = "PlatformDetails")]
    platform_details: Option<String>,
    /// Its private IPv4 address.
    #[column(index, path = "PrivateIpAddress")]
    private_ip_address: Option<String>,
    /// Its private host name; a Kubernetes node usually has the same one.
    #[column(index, path = "PrivateDnsName")]
    private_dns_name: Option<String>,
    /// Its public host name; NULL without one.
    #[column(path = "publicDnsName")]
    public_dns_name: Option<String>,
    /// Its public IPv4 address; NULL without one.
    #[column(index, path = "PublicIpAddress")]
    public_ip_address: Option<String>,
    /// RAM disk image of an old paravirtual instance.
    #[column(path = "RamdiskId")]
    ram_disk_id: Option<String>,
    /// Device name of its root volume, such as `/dev/xvda`.
    #[column(path = "RootDeviceName")]
    root_device_name: Option<String>,
    /// What its root volume is: `ebs` or `instance-store`.
    #[column(path = "RootDeviceType")]
    root_device_type: Option<String>,
    /// Whether traffic has to be from it or to it; false for what routes or translates addresses.
    #[column(path = "SourceDestCheck")]
    source_dest_check: Option<bool>,
    /// The request that got it at spot price.
    #[column(path = "SpotInstanceRequestId")]
    spot_instance_request_id: Option<String>,
    /// Whether it has enhanced networking of the older kind: `simple`, or NULL.
    #[column(path = "SriovNetSupport")]
    sriov_net_support: Option<String>,
    /// Its state as a number: 0 pending, 16 running, 32 shutting-down, 48 terminated, 64 stopping, 80 stopped.
    #[column(path = "stateCode")]
    state_code: Option<i64>,
    /// Why its state last changed, in AWS's words.
    #[column(path = "stateTransitionReason")]
    state_transition_reason: Option<String>,
    /// When its state last changed, where the reason tells.
    #[column(path = "stateTransitionTime")]
    state_transition_time: Option<Timestamp>,
    /// Subnet that it is in.
    #[column(slice, path = "SubnetId")]
    subnet_id: Option<String>,
    /// Version of its virtual TPM, such as `v2.0`.
    #[column(path = "TpmSupport")]
    tpm_support: Option<String>,
    /// What is billed, such as `RunInstances`.
    #[column(path = "UsageOperation")]
    usage_operation: Option<String>,
    /// When what is billed was last changed.
    #[column(path = "UsageOperationUpdateTime")]
    usage_operation_update_time: Option<Timestamp>,
    /// The script or data that it was started with; in base64 where it is no text, NULL without.
    #[column(source = user_data, needs = "ec2:DescribeInstanceAttribute")]
    user_data: Option<String>,
    /// Virtualization: `hvm` or `paravirtual`.
    #[column(path = "VirtualizationType")]
    virtualization_type: Option<String>,
    /// VPC that it is in.
    #[column(slice, path = "VpcId")]
    vpc_id: Option<String>,
    /// Its volumes and how they are attached.
    #[column(path = "BlockDeviceMappings")]
    block_device_mappings: Option<Json>,
    /// Its attached graphics accelerators.
    #[column(path = "ElasticGpuAssociations")]
    elastic_gpu_associations: Option<Json>,
    /// Its attached inference accelerators.
    #[column(path = "ElasticInferenceAcceleratorAssociations")]
    elastic_inference_accelerator_associations: Option<Json>,
    /// Whether it may run Nitro enclaves.
    #[column(path = "EnclaveOptions")]
    enclave_options: Option<Json>,
    /// Whether it may hibernate.
    #[column(path = "HibernationOptions")]
    hibernation_options: Option<Json>,
    /// Why its state last changed, as a code and a sentence.
    #[column(path = "StateReason")]
    state_reason: Option<Json>,
    /// What a launch template would have to say to start another one like it.
    #[column(source = launch_template, needs = "ec2:GetLaunchTemplateData")]
    launch_template_data: Option<Json>,
    /// Its licence configurations.
    #[column(path = "Licenses")]
    licenses: Option<Json>,
    /// Whether it recovers from failed hardware by itself.
    #[column(path = "MaintenanceOptions")]
    maintenance_options: Option<Json>,
    /// How it can be asked for metadata and credentials; `HttpTokens` is `optional` where version 1 still answers.
    #[column(path = "MetadataOptions")]
    metadata_options: Option<Json>,
    /// Its network interfaces.
    #[column(path = "NetworkInterfaces")]
    network_interfaces: Option<Json>,
    /// How its private host name is made.
    #[column(path = "PrivateDnsNameOptions")]
    private_dns_name_options: Option<Json>,
    /// Product codes of its image.
    #[column(path = "ProductCodes")]
    product_codes: Option<Json>,
    /// The security groups that it is in: `GroupId`, `GroupName`.
    #[column(path = "SecurityGroups")]
    security_groups: Option<Json>,
    /// Checks of the instance and of what is under it, and events to come.
    #[column(source = status, needs = "ec2:DescribeInstanceStatus")]
    instance_status: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// The tag `Name`, or the id without one.
    #[column(path = "@title")]
    title: String,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// ARN of the instance as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Instance {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeInstances")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("instance-id", scan.keys(Self::INSTANCE_ID)),
                ("private-dns-name", scan.keys(Self::PRIVATE_DNS_NAME)),
                ("private-ip-address", scan.keys(Self::PRIVATE_IP_ADDRESS)),
                ("ip-address", scan.keys(Self::PUBLIC_IP_ADDRESS)),
                ("image-id", scan.keys(Self::IMAGE_ID)),
                ("subnet-id", scan.keys(Self::SUBNET_ID)),
                ("vpc-id", scan.keys(Self::VPC_ID)),
                ("instance-state-name", scan.keys(Self::INSTANCE_STATE)),
                ("instance-type", scan.keys(Self::INSTANCE_TYPE)),
            ];
            let request = site.ec2().describe_instances().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeInstances", &keys, fetch, |page| {
                let reservations = page.reservations.into_iter().flatten();
                (reservations.flat_map(ec2::instances).collect(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for Instance {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{OwnerId}:instance/{InstanceId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{InstanceId}";
    const DERIVED: &'static [Derived] = &[
        Derived::new("publicDnsName", "PublicDnsName", filled),
        Derived::new("stateTransitionReason", "StateTransitionReason", filled),
        Derived::new("stateTransitionTime", "StateTransitionReason", |reason| {
            reason.as_str().and_then(transition_time).into()
        }),
        // The high byte is AWS's own.
        Derived::new("stateCode", "State.Code", |code| {
            code.as_i64().map_or_else(|| code.clone(), |code| (code & 0xff).into())
        }),
    ];
    const KEPT: &'static [usize] = &[Self::INSTANCE_ID.position()];
}

impl Instance {
    /// AWS gives one attribute a call.
    async fn attribute(
        &self,
        scan: &Scan<Self>,
        attribute: InstanceAttributeName,
    ) -> Result<DescribeInstanceAttributeOutput> {
        let site = self.origin.site(scan).await?;
        let request = site.ec2().describe_instance_attribute().instance_id(&self.instance_id).attribute(attribute);
        site.call(scan, "ec2:DescribeInstanceAttribute", || request.clone().send()).await
    }

    async fn termination(&mut self, scan: &Scan<Self>) -> Result<()> {
        let answer = self.attribute(scan, InstanceAttributeName::DisableApiTermination).await?;
        self.disable_api_termination = answer.disable_api_termination.and_then(|attribute| attribute.value);
        Ok(())
    }

    async fn shutdown(&mut self, scan: &Scan<Self>) -> Result<()> {
        let answer = self.attribute(scan, InstanceAttributeName::InstanceInitiatedShutdownBehavior).await?;
        let behavior = answer.instance_initiated_shutdown_behavior;
        self.instance_initiated_shutdown_behavior = behavior.and_then(|attribute| attribute.value);
        Ok(())
    }

    async fn user_data(&mut self, scan: &Scan<Self>) -> Result<()> {
        let answer = self.attribute(scan, InstanceAttributeName::UserData).await?;
        self.user_data = answer.user_data.and_then(|attribute| attribute.value).map(plain_user_data);
        Ok(())
    }

    async fn launch_template(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = site.ec2().get_launch_template_data().instance_id(&self.instance_id);
        let answer = site.call(scan, "ec2:GetLaunchTemplateData", || request.clone().send()).await?;
        self.launch_template_data = json(&answer.launch_template_data);
        Ok(())
    }

    /// A place can be several regions, and each is asked for its own instances.
    async fn status(rows: &mut [Loading<'_, Self>], scan: &Scan<Self>) -> Result<()> {
        fn home(row: &Instance) -> (&str, &str) {
            (&row.origin.profile, &row.origin.region)
        }
        rows.sort_by(|one, other| home(one).cmp(&home(other)));
        for rows in rows.chunk_by_mut(|one, other| home(one) == home(other)) {
            let site = rows[0].origin.site(scan).await?;
            let mut left = vec![rows];
            while let Some(rows) = left.pop() {
                let ids: Vec<String> = rows.iter().map(|row| row.instance_id.clone()).collect();
                match statuses(scan, &site, ids).await {
                    Ok(by_id) => {
                        rows.iter_mut()
                            .for_each(|row| row.instance_status = by_id.get(&row.instance_id).and_then(json));
                    }
                    // One instance that is gone fails the call for all of them.
                    Err(Error::Gone(_)) if rows.len() > 1 => {
                        let (these, those) = rows.split_at_mut(rows.len() / 2);
                        left.extend([those, these]);
                    }
                    Err(error) => rows.iter_mut().for_each(|row| row.fail(error.clone())),
                }
            }
        }
        Ok(())
    }
}

/// The status of some instances of a region, by id.
async fn statuses(scan: &Scan<Instance>, site: &Site, ids: Vec<String>) -> Result<HashMap<String, InstanceStatus>> {
    let asked = ids.join(",");
    let request = site.ec2().describe_instance_status().include_all_instances(true).set_instance_ids(Some(ids));
    let fetch = move |token| request.clone().set_next_token(token).send();
    let statuses = all(site.pages(scan, "ec2:DescribeInstanceStatus", &asked, fetch, |page| {
        (page.instance_statuses.unwrap_or_default(), Next::Token(page.next_token))
    }));
    let by_id = |status: InstanceStatus| Some((status.instance_id.clone()?, status));
    Ok(statuses.await?.into_iter().filter_map(by_id).collect())
}

/// The time in a reason such as `User initiated (2026-01-31 12:00:00 GMT)`.
fn transition_time(reason: &str) -> Option<String> {
    let (_, rest) = reason.rsplit_once('(')?;
    let mut words = rest.trim_end_matches(')').split(' ');
    let (date, clock, zone) = (words.next()?, words.next()?, words.next()?);
    let time = format!("{date}T{clock}Z");
    let is_time = matches!(zone, "GMT" | "UTC") && DateTime::from_str(&time, Format::DateTime).is_ok();
    is_time.then_some(time)
}

/// User data travels in base64, and is text more often than not.
fn plain_user_data(encoded: String) -> String {
    let plain = aws_smithy_types::base64::decode(&encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    plain.unwrap_or(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_transition_is_in_its_reason() {
        let noon = Some("2026-01-31T12:00:00Z");
        for (reason, expected) in [
            ("User initiated (2026-01-31 12:00:00 GMT)", noon),
            ("User initiated (2026-01-31 12:00:00 UTC)", noon),
            ("User initiated", None),
            ("User initiated (2026-01-31 12:00:00 CET)", None),
            ("Server.SpotInstanceShutdown: (price)", None),
            ("(not a time GMT)", None),
            ("", None),
        ] {
            assert_eq!(transition_time(reason).as_deref(), expected, "{reason}");
        }
    }

    #[test]
    fn user_data_is_text_where_it_can_be() {
        assert_eq!(plain_user_data("IyEvYmluL3No".into()), "#!/bin/sh");
        assert_eq!(plain_user_data("H4sIAA==".into()), "H4sIAA==");
        assert_eq!(plain_user_data("not base64".into()), "not base64");
    }
}
