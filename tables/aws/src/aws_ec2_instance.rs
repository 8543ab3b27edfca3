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

/// EC2 instances, including those terminated within the last hour.
///
/// `private_dns_name` and `instance_id` join the nodes of a Kubernetes cluster. `iam_instance_profile_arn` joins
/// `aws_iam_instance_profile`, which has the role.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_instance", env = Aws, stream, rows = 200, needs("ec2:DescribeInstances"), identity(arn),
    batch(status = 100)
)]
#[example(
    "Running instances with a public address.",
    "SELECT instance_id, public_ip_address FROM aws_ec2_instance \
     WHERE instance_state = 'running' AND public_ip_address IS NOT NULL"
)]
#[example(
    "Instances that return credentials without a session token.",
    "SELECT instance_id, metadata_options FROM aws_ec2_instance \
     WHERE metadata_options LIKE '%\"HttpTokens\":\"optional\"%'"
)]
pub struct Instance {
    /// ID of the instance.
    #[column(index, path = "InstanceId")]
    instance_id: String,
    /// ARN of the instance.
    #[column(path = "@arn")]
    arn: String,
    /// Instance type, such as `t3.micro`.
    #[column(slice, path = "InstanceType")]
    instance_type: Option<String>,
    /// `pending`, `running`, `shutting-down`, `terminated`, `stopping` or `stopped`.
    #[column(slice, path = "State.Name")]
    instance_state: Option<String>,
    /// Detailed monitoring: `enabled` or `disabled`.
    #[column(path = "Monitoring.State")]
    monitoring_state: Option<String>,
    /// Whether the instance is protected against termination.
    #[column(source = termination, needs = "ec2:DescribeInstanceAttribute")]
    disable_api_termination: Option<bool>,
    /// Index of the instance among those of one launch, from 0.
    #[column(path = "AmiLaunchIndex")]
    ami_launch_index: Option<i64>,
    /// Processor architecture, such as `x86_64`.
    #[column(path = "Architecture")]
    architecture: Option<String>,
    /// Boot mode of the image; NULL if the image does not state one.
    #[column(path = "BootMode")]
    boot_mode: Option<String>,
    /// Boot mode that the instance started with: `legacy-bios` or `uefi`.
    #[column(path = "CurrentInstanceBootMode")]
    current_instance_boot_mode: Option<String>,
    /// IPv6 address; NULL if it has none.
    #[column(path = "Ipv6Address")]
    ipv6_address: Option<String>,
    /// ID of the capacity reservation that it runs in.
    #[column(path = "CapacityReservationId")]
    capacity_reservation_id: Option<String>,
    /// Capacity reservations that it may run in.
    #[column(path = "CapacityReservationSpecification")]
    capacity_reservation_specification: Option<Json>,
    /// Client token of its launch, which makes a repeated request launch nothing.
    #[column(path = "ClientToken")]
    client_token: Option<String>,
    /// Number of processor cores.
    #[column(path = "CpuOptions.CoreCount")]
    cpu_options_core_count: Option<i64>,
    /// Threads per core.
    #[column(path = "CpuOptions.ThreadsPerCore")]
    cpu_options_threads_per_core: Option<i64>,
    /// Whether it has dedicated bandwidth to its volumes (EBS-optimized).
    #[column(path = "EbsOptimized")]
    ebs_optimized: Option<bool>,
    /// Whether it has enhanced networking (ENA).
    #[column(path = "EnaSupport")]
    ena_support: Option<bool>,
    /// Hypervisor: `nitro` or `xen`.
    #[column(path = "Hypervisor")]
    hypervisor: Option<String>,
    /// ARN of the instance profile, through which it has a role; NULL if it has none.
    #[column(path = "IamInstanceProfile.Arn")]
    iam_instance_profile_arn: Option<String>,
    /// ID of the instance profile.
    #[column(path = "IamInstanceProfile.Id")]
    iam_instance_profile_id: Option<String>,
    /// ID of the image that it was started from.
    #[column(slice, path = "ImageId")]
    image_id: Option<String>,
    /// What happens when the instance shuts itself down: `stop` or `terminate`.
    #[column(source = shutdown, needs = "ec2:DescribeInstanceAttribute")]
    instance_initiated_shutdown_behavior: Option<String>,
    /// `spot`, `scheduled` or `capacity-block`; NULL for an on-demand instance.
    #[column(path = "InstanceLifecycle")]
    instance_lifecycle: Option<String>,
    /// Kernel image of an old paravirtual instance.
    #[column(path = "KernelId")]
    kernel_id: Option<String>,
    /// Name of the key pair that it was started with; NULL if there was none.
    #[column(path = "KeyName")]
    key_name: Option<String>,
    /// Time of the last start.
    #[column(path = "LaunchTime")]
    launch_time: Option<Timestamp>,
    /// ARN of the Outpost that it runs on.
    #[column(path = "OutpostArn")]
    outpost_arn: Option<String>,
    /// Affinity to its dedicated host: `default` or `host`.
    #[column(path = "Placement.Affinity")]
    placement_affinity: Option<String>,
    /// Availability zone.
    #[column(path = "Placement.AvailabilityZone")]
    placement_availability_zone: Option<String>,
    /// ID of its placement group.
    #[column(path = "Placement.GroupId")]
    placement_group_id: Option<String>,
    /// Name of its placement group.
    #[column(path = "Placement.GroupName")]
    placement_group_name: Option<String>,
    /// ID of its dedicated host.
    #[column(path = "Placement.HostId")]
    placement_host_id: Option<String>,
    /// ARN of the host resource group in which it is started.
    #[column(path = "Placement.HostResourceGroupArn")]
    placement_host_resource_group_arn: Option<String>,
    /// Its partition, if its placement group has partitions.
    #[column(path = "Placement.PartitionNumber")]
    placement_partition_number: Option<i64>,
    /// Whether it shares hardware with other accounts: `default` (shared), `dedicated` or `host`.
    #[column(path = "Placement.Tenancy")]
    placement_tenancy: Option<String>,
    /// `windows`; NULL for others.
    #[column(path = "Platform")]
    platform: Option<String>,
    /// Platform as billed, such as `Linux/UNIX`.
    #[column(path = "PlatformDetails")]
    platform_details: Option<String>,
    /// Private IPv4 address.
    #[column(index, path = "PrivateIpAddress")]
    private_ip_address: Option<String>,
    /// Private host name. A Kubernetes node usually has the same one.
    #[column(index, path = "PrivateDnsName")]
    private_dns_name: Option<String>,
    /// Public host name; NULL if it has none.
    #[column(path = "publicDnsName")]
    public_dns_name: Option<String>,
    /// Public IPv4 address; NULL if it has none.
    #[column(index, path = "PublicIpAddress")]
    public_ip_address: Option<String>,
    /// RAM disk image of an old paravirtual instance.
    #[column(path = "RamdiskId")]
    ram_disk_id: Option<String>,
    /// Device name of its root volume, such as `/dev/xvda`.
    #[column(path = "RootDeviceName")]
    root_device_name: Option<String>,
    /// Type of its root volume: `ebs` or `instance-store`.
    #[column(path = "RootDeviceType")]
    root_device_type: Option<String>,
    /// Whether its traffic must have the instance as source or destination; false for instances that route or translate
    /// addresses.
    #[column(path = "SourceDestCheck")]
    source_dest_check: Option<bool>,
    /// ID of the spot request that started it.
    #[column(path = "SpotInstanceRequestId")]
    spot_instance_request_id: Option<String>,
    /// Whether it has the older kind of enhanced networking: `simple`, or NULL.
    #[column(path = "SriovNetSupport")]
    sriov_net_support: Option<String>,
    /// State as a number: 0 pending, 16 running, 32 shutting-down, 48 terminated, 64 stopping, 80 stopped.
    #[column(path = "stateCode")]
    state_code: Option<i64>,
    /// Reason of the last state change, in AWS's words.
    #[column(path = "stateTransitionReason")]
    state_transition_reason: Option<String>,
    /// Time of the last state change, if the reason contains it.
    #[column(path = "stateTransitionTime")]
    state_transition_time: Option<Timestamp>,
    /// ID of its subnet.
    #[column(slice, path = "SubnetId")]
    subnet_id: Option<String>,
    /// Version of its virtual TPM, such as `v2.0`.
    #[column(path = "TpmSupport")]
    tpm_support: Option<String>,
    /// Billed operation, such as `RunInstances`.
    #[column(path = "UsageOperation")]
    usage_operation: Option<String>,
    /// Time when the billed operation last changed.
    #[column(path = "UsageOperationUpdateTime")]
    usage_operation_update_time: Option<Timestamp>,
    /// Script or data that it was started with; in base64 if it is not text, NULL if there is none.
    #[column(source = user_data, needs = "ec2:DescribeInstanceAttribute")]
    user_data: Option<String>,
    /// Virtualization type: `hvm` or `paravirtual`.
    #[column(path = "VirtualizationType")]
    virtualization_type: Option<String>,
    /// ID of its VPC.
    #[column(slice, path = "VpcId")]
    vpc_id: Option<String>,
    /// Volumes and how they are attached.
    #[column(path = "BlockDeviceMappings")]
    block_device_mappings: Option<Json>,
    /// Attached graphics accelerators.
    #[column(path = "ElasticGpuAssociations")]
    elastic_gpu_associations: Option<Json>,
    /// Attached inference accelerators.
    #[column(path = "ElasticInferenceAcceleratorAssociations")]
    elastic_inference_accelerator_associations: Option<Json>,
    /// Whether it can run Nitro enclaves.
    #[column(path = "EnclaveOptions")]
    enclave_options: Option<Json>,
    /// Whether it can hibernate.
    #[column(path = "HibernationOptions")]
    hibernation_options: Option<Json>,
    /// Reason of the last state change, as a code and a sentence.
    #[column(path = "StateReason")]
    state_reason: Option<Json>,
    /// Launch template data that would start an instance like this one.
    #[column(source = launch_template, needs = "ec2:GetLaunchTemplateData")]
    launch_template_data: Option<Json>,
    /// License configurations.
    #[column(path = "Licenses")]
    licenses: Option<Json>,
    /// Whether it recovers automatically from hardware failures.
    #[column(path = "MaintenanceOptions")]
    maintenance_options: Option<Json>,
    /// Options of the metadata service, which also returns credentials. `HttpTokens` is `optional` if version 1 still
    /// responds.
    #[column(path = "MetadataOptions")]
    metadata_options: Option<Json>,
    /// Network interfaces.
    #[column(path = "NetworkInterfaces")]
    network_interfaces: Option<Json>,
    /// How its private host name is composed.
    #[column(path = "PrivateDnsNameOptions")]
    private_dns_name_options: Option<Json>,
    /// Product codes of its image.
    #[column(path = "ProductCodes")]
    product_codes: Option<Json>,
    /// Security groups: `GroupId`, `GroupName`.
    #[column(path = "SecurityGroups")]
    security_groups: Option<Json>,
    /// Status checks of the instance and its host, and scheduled events.
    #[column(source = status, needs = "ec2:DescribeInstanceStatus")]
    instance_status: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// The tag `Name`, or the ID if there is none.
    #[column(path = "@title")]
    title: String,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// ARN of the instance, as a list.
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
        // The high byte is internal to AWS.
        Derived::new("stateCode", "State.Code", |code| {
            code.as_i64().map_or_else(|| code.clone(), |code| (code & 0xff).into())
        }),
    ];
    const KEPT: &'static [usize] = &[Self::INSTANCE_ID.position()];
}

impl Instance {
    /// AWS returns one attribute per call.
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

    /// A place can have several regions. Each is queried for its own instances.
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
                    // A single instance that no longer exists fails the call for all of them.
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

/// The status of some instances of a region, by ID.
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

/// User data is transferred in base64. It is usually text.
pub(crate) fn plain_user_data(encoded: String) -> String {
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
