//! `aws_ec2_instance`: one row per EC2 instance, from `ec2:DescribeInstances`.

use std::collections::HashMap;

use aws_sdk_ec2::operation::describe_instance_attribute::DescribeInstanceAttributeOutput;
use aws_sdk_ec2::types::{Instance as Answer, InstanceAttributeName, InstanceStatus};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::{all, page_size};
use crate::document::{json, name, name_tag, tags, time};
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
    #[column(index)]
    instance_id: String,
    /// ARN of the instance.
    arn: String,
    /// Type of machine, such as `t3.micro`.
    #[column(slice)]
    instance_type: Option<String>,
    /// `pending`, `running`, `shutting-down`, `terminated`, `stopping` or `stopped`.
    #[column(slice)]
    instance_state: Option<String>,
    /// Whether detailed monitoring is `enabled` or `disabled`.
    monitoring_state: Option<String>,
    /// Whether it is protected against being terminated.
    #[column(source = termination, needs = "ec2:DescribeInstanceAttribute")]
    disable_api_termination: Option<bool>,
    /// Its place among the instances of one launch, from 0.
    ami_launch_index: Option<i64>,
    /// Architecture of its processor, such as `x86_64`.
    architecture: Option<String>,
    /// Boot mode that its image asks for; NULL where the image does not say.
    boot_mode: Option<String>,
    /// Boot mode that it started with: `legacy-bios` or `uefi`.
    current_instance_boot_mode: Option<String>,
    /// Its IPv6 address; NULL without one.
    ipv6_address: Option<String>,
    /// The capacity reservation that it runs in.
    capacity_reservation_id: Option<String>,
    /// Which capacity reservations it may run in.
    capacity_reservation_specification: Option<Json>,
    /// The token by which its launch could be repeated without a second one.
    client_token: Option<String>,
    /// Number of processor cores.
    cpu_options_core_count: Option<i64>,
    /// Threads of each core.
    cpu_options_threads_per_core: Option<i64>,
    /// Whether it has bandwidth of its own to its volumes.
    ebs_optimized: Option<bool>,
    /// Whether it has enhanced networking (ENA).
    ena_support: Option<bool>,
    /// Hypervisor under it: `nitro` or `xen`.
    hypervisor: Option<String>,
    /// ARN of the instance profile that gives it a role; NULL without one.
    iam_instance_profile_arn: Option<String>,
    /// Id of the instance profile.
    iam_instance_profile_id: Option<String>,
    /// The image that it was started from.
    #[column(slice)]
    image_id: Option<String>,
    /// What happens when it shuts itself down: `stop` or `terminate`.
    #[column(source = shutdown, needs = "ec2:DescribeInstanceAttribute")]
    instance_initiated_shutdown_behavior: Option<String>,
    /// `spot`, `scheduled` or `capacity-block`; NULL for an ordinary instance.
    instance_lifecycle: Option<String>,
    /// Kernel image of an old paravirtual instance.
    kernel_id: Option<String>,
    /// The key pair that it was started with; NULL without one.
    key_name: Option<String>,
    /// When it was last started.
    launch_time: Option<Timestamp>,
    /// ARN of the Outpost that it runs on.
    outpost_arn: Option<String>,
    /// Whether it keeps to its dedicated host: `default` or `host`.
    placement_affinity: Option<String>,
    /// Availability zone that it is in.
    placement_availability_zone: Option<String>,
    /// Id of its placement group.
    placement_group_id: Option<String>,
    /// Name of its placement group.
    placement_group_name: Option<String>,
    /// The dedicated host that it is on.
    placement_host_id: Option<String>,
    /// ARN of the group of hosts that it is started on.
    placement_host_resource_group_arn: Option<String>,
    /// Its partition in a placement group that has partitions.
    placement_partition_number: Option<i64>,
    /// Whether the hardware is shared: `default`, `dedicated` or `host`.
    placement_tenancy: Option<String>,
    /// `windows`; NULL for others.
    platform: Option<String>,
    /// Platform as it is billed, such as `Linux/UNIX`.
    platform_details: Option<String>,
    /// Its private IPv4 address.
    #[column(index)]
    private_ip_address: Option<String>,
    /// Its private host name; a Kubernetes node usually has the same one.
    #[column(index)]
    private_dns_name: Option<String>,
    /// Its public host name; NULL without one.
    public_dns_name: Option<String>,
    /// Its public IPv4 address; NULL without one.
    #[column(index)]
    public_ip_address: Option<String>,
    /// RAM disk image of an old paravirtual instance.
    ram_disk_id: Option<String>,
    /// Device name of its root volume, such as `/dev/xvda`.
    root_device_name: Option<String>,
    /// What its root volume is: `ebs` or `instance-store`.
    root_device_type: Option<String>,
    /// Whether traffic has to be from it or to it; false for what routes or translates addresses.
    source_dest_check: Option<bool>,
    /// The request that got it at spot price.
    spot_instance_request_id: Option<String>,
    /// Whether it has enhanced networking of the older kind: `simple`, or NULL.
    sriov_net_support: Option<String>,
    /// Its state as a number: 0 pending, 16 running, 32 shutting-down, 48 terminated, 64 stopping, 80 stopped.
    state_code: Option<i64>,
    /// Why its state last changed, in AWS's words.
    state_transition_reason: Option<String>,
    /// When its state last changed, where the reason tells.
    state_transition_time: Option<Timestamp>,
    /// Subnet that it is in.
    #[column(slice)]
    subnet_id: Option<String>,
    /// Version of its virtual TPM, such as `v2.0`.
    tpm_support: Option<String>,
    /// What is billed, such as `RunInstances`.
    usage_operation: Option<String>,
    /// When what is billed was last changed.
    usage_operation_update_time: Option<Timestamp>,
    /// The script or data that it was started with; in base64 where it is no text, NULL without.
    #[column(source = user_data, needs = "ec2:DescribeInstanceAttribute")]
    user_data: Option<String>,
    /// Virtualization: `hvm` or `paravirtual`.
    virtualization_type: Option<String>,
    /// VPC that it is in.
    #[column(slice)]
    vpc_id: Option<String>,
    /// Its volumes and how they are attached.
    block_device_mappings: Option<Json>,
    /// Its attached graphics accelerators.
    elastic_gpu_associations: Option<Json>,
    /// Its attached inference accelerators.
    elastic_inference_accelerator_associations: Option<Json>,
    /// Whether it may run Nitro enclaves.
    enclave_options: Option<Json>,
    /// Whether it may hibernate.
    hibernation_options: Option<Json>,
    /// Why its state last changed, as a code and a sentence.
    state_reason: Option<Json>,
    /// What a launch template would have to say to start another one like it.
    #[column(source = launch_template, needs = "ec2:GetLaunchTemplateData")]
    launch_template_data: Option<Json>,
    /// Its licence configurations.
    licenses: Option<Json>,
    /// Whether it recovers from failed hardware by itself.
    maintenance_options: Option<Json>,
    /// How it can be asked for metadata and credentials; `HttpTokens` is `optional` where version 1 still answers.
    metadata_options: Option<Json>,
    /// Its network interfaces.
    network_interfaces: Option<Json>,
    /// How its private host name is made.
    private_dns_name_options: Option<Json>,
    /// Product codes of its image.
    product_codes: Option<Json>,
    /// The security groups that it is in: `GroupId`, `GroupName`.
    security_groups: Option<Json>,
    /// Checks of the instance and of what is under it, and events to come.
    #[column(source = status, needs = "ec2:DescribeInstanceStatus")]
    instance_status: Option<Json>,
    /// Tags as AWS lists them.
    tags_src: Option<Json>,
    /// The tag `Name`, or the id without one.
    title: String,
    /// Tags by key.
    tags: Map,
    /// ARN of the instance as a list.
    akas: Vec<String>,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    partition: String,
    /// Region that it is in.
    #[column(slice)]
    region: String,
    /// Id of the account that was asked.
    #[column(slice)]
    account_id: String,
    /// Profile of the credentials that it was read with.
    profile: String,
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
            let instances = stream::iter(ec2::requests(&keys)).flat_map(move |filters| {
                let site = site.clone();
                let asked = format!("{filters:?}");
                let request = site.ec2().describe_instances().set_filters(Some(filters));
                let request = request.max_results(page_size(scan, 5..=1000));
                let fetch = move |token| request.clone().set_next_token(token).send();
                let instances = site.pages(scan, "ec2:DescribeInstances", &asked, fetch, |page| {
                    let owned = |reservation: aws_sdk_ec2::types::Reservation| {
                        let owner = reservation.owner_id.unwrap_or_default();
                        reservation.instances.into_iter().flatten().map(move |instance| (owner.clone(), instance))
                    };
                    (page.reservations.into_iter().flatten().flat_map(owned).collect(), page.next_token)
                });
                instances.map_ok(move |(owner, instance)| Instance::new(&site, &owner, instance))
            });
            instances.boxed()
        })
    }
}

impl Instance {
    fn new(site: &Site, owner: &str, instance: Answer) -> Self {
        let instance_id = instance.instance_id.unwrap_or_default();
        let arn = format!("arn:{}:ec2:{}:{owner}:instance/{instance_id}", site.partition(), site.region());
        let (cpu, placement, state) = (instance.cpu_options, instance.placement, instance.state);
        let profile = instance.iam_instance_profile;
        let reason = instance.state_transition_reason.filter(|reason| !reason.is_empty());
        Instance {
            title: name_tag(instance.tags.as_deref()).unwrap_or_else(|| instance_id.clone()),
            instance_id,
            akas: vec![arn.clone()],
            arn,
            instance_type: name(instance.instance_type),
            instance_state: state.as_ref().and_then(|state| name(state.name.as_ref())),
            monitoring_state: instance.monitoring.and_then(|monitoring| name(monitoring.state)),
            ami_launch_index: instance.ami_launch_index.map(i64::from),
            architecture: name(instance.architecture),
            boot_mode: name(instance.boot_mode),
            current_instance_boot_mode: name(instance.current_instance_boot_mode),
            ipv6_address: instance.ipv6_address,
            capacity_reservation_id: instance.capacity_reservation_id,
            capacity_reservation_specification: json(&instance.capacity_reservation_specification),
            client_token: instance.client_token,
            cpu_options_core_count: cpu.as_ref().and_then(|cpu| cpu.core_count).map(i64::from),
            cpu_options_threads_per_core: cpu.and_then(|cpu| cpu.threads_per_core).map(i64::from),
            ebs_optimized: instance.ebs_optimized,
            ena_support: instance.ena_support,
            hypervisor: name(instance.hypervisor),
            iam_instance_profile_arn: profile.as_ref().and_then(|profile| profile.arn.clone()),
            iam_instance_profile_id: profile.and_then(|profile| profile.id),
            image_id: instance.image_id,
            instance_lifecycle: name(instance.instance_lifecycle),
            kernel_id: instance.kernel_id,
            key_name: instance.key_name,
            launch_time: instance.launch_time.map(time),
            outpost_arn: instance.outpost_arn,
            placement_affinity: placement.as_ref().and_then(|placement| placement.affinity.clone()),
            placement_availability_zone: placement.as_ref().and_then(|placement| placement.availability_zone.clone()),
            placement_group_id: placement.as_ref().and_then(|placement| placement.group_id.clone()),
            placement_group_name: placement.as_ref().and_then(|placement| placement.group_name.clone()),
            placement_host_id: placement.as_ref().and_then(|placement| placement.host_id.clone()),
            placement_host_resource_group_arn: placement
                .as_ref()
                .and_then(|placement| placement.host_resource_group_arn.clone()),
            placement_partition_number: placement
                .as_ref()
                .and_then(|placement| placement.partition_number)
                .map(i64::from),
            placement_tenancy: placement.and_then(|placement| name(placement.tenancy)),
            platform: name(instance.platform),
            platform_details: instance.platform_details,
            private_ip_address: instance.private_ip_address,
            private_dns_name: instance.private_dns_name,
            public_dns_name: instance.public_dns_name.filter(|name| !name.is_empty()),
            public_ip_address: instance.public_ip_address,
            ram_disk_id: instance.ramdisk_id,
            root_device_name: instance.root_device_name,
            root_device_type: name(instance.root_device_type),
            source_dest_check: instance.source_dest_check,
            spot_instance_request_id: instance.spot_instance_request_id,
            sriov_net_support: instance.sriov_net_support,
            // The high byte is AWS's own.
            state_code: state.and_then(|state| state.code).map(|code| i64::from(code & 0xff)),
            state_transition_time: reason.as_deref().and_then(transition_time),
            state_transition_reason: reason,
            subnet_id: instance.subnet_id,
            tpm_support: instance.tpm_support,
            usage_operation: instance.usage_operation,
            usage_operation_update_time: instance.usage_operation_update_time.map(time),
            virtualization_type: name(instance.virtualization_type),
            vpc_id: instance.vpc_id,
            block_device_mappings: json(&instance.block_device_mappings),
            elastic_gpu_associations: json(&instance.elastic_gpu_associations),
            elastic_inference_accelerator_associations: json(&instance.elastic_inference_accelerator_associations),
            enclave_options: json(&instance.enclave_options),
            hibernation_options: json(&instance.hibernation_options),
            state_reason: json(&instance.state_reason),
            licenses: json(&instance.licenses),
            maintenance_options: json(&instance.maintenance_options),
            metadata_options: json(&instance.metadata_options),
            network_interfaces: json(&instance.network_interfaces),
            private_dns_name_options: json(&instance.private_dns_name_options),
            product_codes: json(&instance.product_codes),
            security_groups: json(&instance.security_groups),
            tags: tags(instance.tags.as_deref()),
            tags_src: json(&instance.tags.unwrap_or_default()),
            partition: site.partition(),
            region: site.region(),
            account_id: site.account_id(),
            profile: site.profile(),
            ..Instance::default()
        }
    }

    async fn site(&self, scan: &Scan<Self>) -> Result<Site> {
        scan.env().site(&self.profile, &self.region).await
    }

    /// AWS gives one attribute a call.
    async fn attribute(
        &self,
        scan: &Scan<Self>,
        attribute: InstanceAttributeName,
    ) -> Result<DescribeInstanceAttributeOutput> {
        let site = self.site(scan).await?;
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
        let site = self.site(scan).await?;
        let request = site.ec2().get_launch_template_data().instance_id(&self.instance_id);
        let answer = site.call(scan, "ec2:GetLaunchTemplateData", || request.clone().send()).await?;
        self.launch_template_data = json(&answer.launch_template_data);
        Ok(())
    }

    /// A place can be several regions, and each is asked for its own instances.
    async fn status(rows: &mut [Loading<'_, Self>], scan: &Scan<Self>) -> Result<()> {
        fn home(row: &Instance) -> (&str, &str) {
            (&row.profile, &row.region)
        }
        rows.sort_by(|one, other| home(one).cmp(&home(other)));
        for rows in rows.chunk_by_mut(|one, other| home(one) == home(other)) {
            let site = rows[0].site(scan).await?;
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
        (page.instance_statuses.unwrap_or_default(), page.next_token)
    }));
    let by_id = |status: InstanceStatus| Some((status.instance_id.clone()?, status));
    Ok(statuses.await?.into_iter().filter_map(by_id).collect())
}

/// The time in a reason such as `User initiated (2026-01-31 12:00:00 GMT)`.
fn transition_time(reason: &str) -> Option<Timestamp> {
    let (_, rest) = reason.rsplit_once('(')?;
    let mut words = rest.trim_end_matches(')').split(' ');
    let (date, clock, zone) = (words.next()?, words.next()?, words.next()?);
    if !matches!(zone, "GMT" | "UTC") {
        return None;
    }
    DateTime::from_str(&format!("{date}T{clock}Z"), Format::DateTime).ok().map(time)
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
        let noon = Some(Timestamp::from_seconds(1_769_860_800));
        for (reason, expected) in [
            ("User initiated (2026-01-31 12:00:00 GMT)", noon),
            ("User initiated (2026-01-31 12:00:00 UTC)", noon),
            ("User initiated", None),
            ("User initiated (2026-01-31 12:00:00 CET)", None),
            ("Server.SpotInstanceShutdown: (price)", None),
            ("(not a time GMT)", None),
            ("", None),
        ] {
            assert_eq!(transition_time(reason), expected, "{reason}");
        }
    }

    #[test]
    fn user_data_is_text_where_it_can_be() {
        assert_eq!(plain_user_data("IyEvYmluL3No".into()), "#!/bin/sh");
        assert_eq!(plain_user_data("H4sIAA==".into()), "H4sIAA==");
        assert_eq!(plain_user_data("not base64".into()), "not base64");
    }
}
