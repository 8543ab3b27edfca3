//! Shared by EC2's tables: filters for keys, and documents of its types.

use std::error::Error as StdError;
use std::future::Future;

use aws_sdk_ec2::types::{Filter, Instance, Reservation};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::stream::{self, BoxStream, StreamExt};
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::Site;
use crate::call::{Answer, Page, distinct};
use crate::document::{Document, documents, names};
use crate::resource::Resource;

/// Number of values that one filter takes.
const MOST_VALUES: usize = 200;

/// The requests for keys on columns: a filter per column with keys, and several requests if one column has more keys
/// than a filter takes. Without keys it is one request without filters.
///
/// A filter that matches nothing is not an error, unlike a request for an unknown ID. The engine checks the rows again.
pub(crate) fn requests(keys: &[(&str, Option<Vec<String>>)]) -> Vec<Vec<Filter>> {
    let mut requests = vec![Vec::new()];
    let mut is_split = false;
    for (name, keys) in keys {
        let Some(keys) = keys else { continue };
        let values: Vec<_> = distinct(keys.clone()).iter().map(|key| literally(key)).collect();
        if values.is_empty() {
            return Vec::new();
        }
        let filter = |values: &[String]| Filter::builder().name(*name).set_values(Some(values.to_vec())).build();
        if values.len() <= MOST_VALUES {
            requests.iter_mut().for_each(|request| request.push(filter(&values)));
        } else if !is_split {
            is_split = true;
            let split = |request: &Vec<Filter>| {
                let with = |values: &[String]| request.iter().cloned().chain([filter(values)]).collect();
                values.chunks(MOST_VALUES).map(with).collect::<Vec<Vec<Filter>>>()
            };
            requests = requests.iter().flat_map(split).collect();
        }
    }
    requests
}

/// The rows of a listing, for keys on columns; see [`requests`].
pub(crate) fn rows<'a, T, I, O, E, Fut>(
    scan: &'a Scan<T>,
    site: Site,
    action: &'static str,
    keys: &[(&str, Option<Vec<String>>)],
    fetch: impl Fn(Vec<Filter>, Option<String>) -> Fut + Clone + Send + Sync + 'a,
    split: impl Fn(O) -> Page<I> + Copy + Send + Sync + 'a,
) -> BoxStream<'a, Result<T>>
where
    T: Resource,
    I: Document + Clone + Send + Sync + 'static,
    O: Send + 'a,
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    Fut: Future<Output = Answer<O, E>> + Send + 'a,
{
    let rows = move |filters: Vec<Filter>| {
        let (fetch, asked) = (fetch.clone(), format!("{filters:?}"));
        site.rows(scan, site.pages(scan, action, &asked, move |token| fetch(filters.clone(), token), split))
    };
    stream::iter(requests(keys)).flat_map(rows).boxed()
}

/// An instance with its account, which AWS states in the reservation that started it.
#[derive(Debug, Clone)]
pub(crate) struct Owned {
    owner_id: Option<String>,
    instance: Instance,
}

/// The instances of a reservation.
pub(crate) fn instances(reservation: Reservation) -> impl Iterator<Item = Owned> {
    let owner_id = reservation.owner_id;
    let owned = move |instance| Owned { owner_id: owner_id.clone(), instance };
    reservation.instances.into_iter().flatten().map(owned)
}

impl Document for Owned {
    fn document(&self, shape: &Shape) -> Value {
        let mut document = self.instance.document(shape);
        document["OwnerId"] = self.owner_id.document(shape);
        document
    }
}

/// A value that a filter takes literally: `*` and `?` stand for any text in filters.
fn literally(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

documents! { aws_sdk_ec2::types {
    AcceleratorCount: min, max;
    AcceleratorTotalMemoryMiB: min, max;
    ApplicationStatusSummary: status, impaired_since;
    BaselineEbsBandwidthMbps: min, max;
    BaselinePerformanceFactors: cpu;
    CapacityReservationSpecificationResponse: capacity_reservation_preference, capacity_reservation_target;
    CapacityReservationTargetResponse: capacity_reservation_id, capacity_reservation_resource_group_arn;
    ConnectionTrackingSpecification: tcp_established_timeout, udp_timeout, udp_stream_timeout;
    ConnectionTrackingSpecificationResponse: tcp_established_timeout, udp_stream_timeout, udp_timeout;
    CpuOptions: core_count, threads_per_core, amd_sev_snp, nested_virtualization;
    CpuPerformanceFactor: references;
    CreditSpecification: cpu_credits;
    EbsInstanceBlockDevice: attach_time, delete_on_termination, status, volume_id, associated_resource,
        volume_owner_id, operator, ebs_card_index;
    EbsStatusDetails: impaired_since, name, status;
    EbsStatusSummary: details, status;
    ElasticGpuAssociation: elastic_gpu_id, elastic_gpu_association_id, elastic_gpu_association_state,
        elastic_gpu_association_time;
    ElasticGpuSpecificationResponse: r#type;
    ElasticInferenceAcceleratorAssociation: elastic_inference_accelerator_arn,
        elastic_inference_accelerator_association_id, elastic_inference_accelerator_association_state,
        elastic_inference_accelerator_association_time;
    EnclaveOptions: enabled;
    GroupIdentifier: group_id, group_name;
    HibernationOptions: configured;
    IamInstanceProfile: arn, id;
    Instance: architecture, block_device_mappings, client_token, ebs_optimized, ena_support, hypervisor,
        iam_instance_profile, instance_lifecycle, elastic_gpu_associations,
        elastic_inference_accelerator_associations, network_interfaces, outpost_arn, root_device_name,
        root_device_type, security_groups, source_dest_check, spot_instance_request_id, sriov_net_support,
        state_reason, tags, virtualization_type, cpu_options, capacity_block_id, capacity_reservation_id,
        capacity_reservation_specification, hibernation_options, licenses, metadata_options, enclave_options,
        boot_mode, platform_details, usage_operation, usage_operation_update_time, private_dns_name_options,
        ipv6_address, tpm_support, maintenance_options, current_instance_boot_mode, network_performance_options,
        operator, secondary_interfaces, instance_id, image_id, state, private_dns_name, public_dns_name,
        state_transition_reason, key_name, ami_launch_index, product_codes, instance_type, launch_time,
        placement, kernel_id, ramdisk_id, platform, monitoring, subnet_id, vpc_id, private_ip_address,
        public_ip_address;
    InstanceAttachmentEnaSrdSpecification: ena_srd_enabled, ena_srd_udp_specification;
    InstanceAttachmentEnaSrdUdpSpecification: ena_srd_udp_enabled;
    InstanceBlockDeviceMapping: device_name, ebs;
    InstanceIpv4Prefix: ipv4_prefix;
    InstanceIpv6Address: ipv6_address, is_primary_ipv6;
    InstanceIpv6Prefix: ipv6_prefix;
    InstanceMaintenanceOptions: auto_recovery, reboot_migration;
    InstanceMetadataOptionsResponse: state, http_tokens, http_put_response_hop_limit, http_endpoint,
        http_protocol_ipv6, instance_metadata_tags;
    InstanceNetworkInterface: association, attachment, description, groups, ipv6_addresses, mac_address,
        network_interface_id, owner_id, private_dns_name, private_ip_address, private_ip_addresses,
        source_dest_check, status, subnet_id, vpc_id, interface_type, ipv4_prefixes, ipv6_prefixes,
        connection_tracking_configuration, operator;
    InstanceNetworkInterfaceAssociation: carrier_ip, customer_owned_ip, ip_owner_id, public_dns_name, public_ip;
    InstanceNetworkInterfaceAttachment: attach_time, attachment_id, delete_on_termination, device_index, status,
        network_card_index, ena_srd_specification, ena_queue_count;
    InstanceNetworkPerformanceOptions: bandwidth_weighting;
    InstancePrivateIpAddress: association, primary, private_dns_name, private_ip_address;
    InstanceRequirements: v_cpu_count, memory_mib, cpu_manufacturers, memory_gib_per_v_cpu,
        excluded_instance_types, instance_generations, spot_max_price_percentage_over_lowest_price,
        on_demand_max_price_percentage_over_lowest_price, bare_metal, burstable_performance,
        require_hibernate_support, network_interface_count, local_storage, local_storage_types,
        total_local_storage_gb, baseline_ebs_bandwidth_mbps, accelerator_types, accelerator_count,
        accelerator_manufacturers, accelerator_names, accelerator_total_memory_mib, network_bandwidth_gbps,
        allowed_instance_types, max_spot_price_as_percentage_of_optimal_on_demand_price,
        baseline_performance_factors, require_encryption_in_transit;
    InstanceSecondaryInterface: attachment, mac_address, secondary_interface_id, owner_id, private_ip_addresses,
        source_dest_check, status, secondary_subnet_id, secondary_network_id, interface_type;
    InstanceSecondaryInterfaceAttachment: attach_time, attachment_id, delete_on_termination, device_index,
        status, network_card_index;
    InstanceSecondaryInterfacePrivateIpAddress: private_ip_address;
    InstanceState: code, name;
    InstanceStatus: availability_zone, availability_zone_id, outpost_arn, operator, events, instance_id,
        instance_state, instance_status, system_status, attached_ebs_status, application_status,
        performance_status;
    InstanceStatusDetails: impaired_since, name, status;
    InstanceStatusEvent: instance_event_id, code, description, not_after, not_before, not_before_deadline;
    InstanceStatusSummary: details, status;
    IpPermission: ip_protocol, from_port, to_port, user_id_group_pairs, ip_ranges, ipv6_ranges, prefix_list_ids;
    IpRange: description, cidr_ip;
    Ipv4PrefixSpecificationResponse: ipv4_prefix;
    Ipv6PrefixSpecificationResponse: ipv6_prefix;
    Ipv6Range: description, cidr_ipv6;
    LaunchTemplateBlockDeviceMapping: device_name, virtual_name, ebs, no_device;
    LaunchTemplateCapacityReservationSpecificationResponse: capacity_reservation_preference,
        capacity_reservation_target;
    LaunchTemplateCpuOptions: core_count, threads_per_core, amd_sev_snp, nested_virtualization;
    LaunchTemplateEbsBlockDevice: encrypted, delete_on_termination, iops, kms_key_id, snapshot_id, volume_size,
        volume_type, throughput, volume_initialization_rate, ebs_card_index;
    LaunchTemplateElasticInferenceAcceleratorResponse: r#type, count;
    LaunchTemplateEnaSrdSpecification: ena_srd_enabled, ena_srd_udp_specification;
    LaunchTemplateEnaSrdUdpSpecification: ena_srd_udp_enabled;
    LaunchTemplateEnclaveOptions: enabled;
    LaunchTemplateHibernationOptions: configured;
    LaunchTemplateIamInstanceProfileSpecification: arn, name;
    LaunchTemplateInstanceMaintenanceOptions: auto_recovery;
    LaunchTemplateInstanceMarketOptions: market_type, spot_options;
    LaunchTemplateInstanceMetadataOptions: state, http_tokens, http_put_response_hop_limit, http_endpoint,
        http_protocol_ipv6, instance_metadata_tags;
    LaunchTemplateInstanceNetworkInterfaceSpecification: associate_carrier_ip_address,
        associate_public_ip_address, delete_on_termination, description, device_index, groups, interface_type,
        ipv6_address_count, ipv6_addresses, network_interface_id, private_ip_address, private_ip_addresses,
        secondary_private_ip_address_count, subnet_id, network_card_index, ipv4_prefixes, ipv4_prefix_count,
        ipv6_prefixes, ipv6_prefix_count, primary_ipv6, ena_srd_specification,
        connection_tracking_specification, ena_queue_count;
    LaunchTemplateInstanceSecondaryInterfaceSpecification: delete_on_termination, device_index,
        private_ip_addresses, private_ip_address_count, secondary_subnet_id, interface_type, network_card_index;
    LaunchTemplateLicenseConfiguration: license_configuration_arn;
    LaunchTemplateNetworkPerformanceOptions: bandwidth_weighting;
    LaunchTemplatePlacement: availability_zone, availability_zone_id, affinity, group_name, host_id, tenancy,
        spread_domain, host_resource_group_arn, partition_number, group_id;
    LaunchTemplatePrivateDnsNameOptions: hostname_type, enable_resource_name_dns_a_record,
        enable_resource_name_dns_aaaa_record;
    LaunchTemplateSpotMarketOptions: max_price, spot_instance_type, block_duration_minutes, valid_until,
        instance_interruption_behavior;
    LaunchTemplateTagSpecification: resource_type, tags;
    LaunchTemplatesMonitoring: enabled;
    LicenseConfiguration: license_configuration_arn;
    MemoryGiBPerVCpu: min, max;
    MemoryMiB: min, max;
    Monitoring: state;
    NetworkBandwidthGbps: min, max;
    NetworkInterfaceCount: min, max;
    OperatorResponse: managed, principal, hidden_by_default;
    PerformanceFactorReference: instance_family;
    PerformanceStatusSummary: status, impaired_since, remediation;
    Placement: availability_zone_id, affinity, group_name, partition_number, host_id, tenancy, spread_domain,
        host_resource_group_arn, group_id, availability_zone;
    PrefixListId: description, prefix_list_id;
    PrivateDnsNameOptionsResponse: hostname_type, enable_resource_name_dns_a_record,
        enable_resource_name_dns_aaaa_record;
    PrivateIpAddressSpecification: primary, private_ip_address;
    ProductCode: product_code_id, product_code_type;
    ReferencedSecurityGroup: group_id, peering_status, user_id, vpc_id, vpc_peering_connection_id;
    Region: opt_in_status, geography, region_name, endpoint;
    RegionGeography: name;
    ResponseLaunchTemplateData: kernel_id, ebs_optimized, iam_instance_profile, block_device_mappings,
        network_interfaces, image_id, instance_type, key_name, monitoring, placement, ram_disk_id,
        disable_api_termination, instance_initiated_shutdown_behavior, user_data, tag_specifications,
        elastic_gpu_specifications, elastic_inference_accelerators, security_group_ids, security_groups,
        instance_market_options, credit_specification, cpu_options, capacity_reservation_specification,
        license_specifications, hibernation_options, metadata_options, enclave_options, instance_requirements,
        private_dns_name_options, maintenance_options, disable_api_stop, operator, network_performance_options,
        secondary_interfaces;
    SecondaryInterfacePrivateIpAddressSpecification: private_ip_address;
    SecurityGroup: group_id, ip_permissions_egress, tags, vpc_id, security_group_arn, owner_id, group_name,
        description, ip_permissions;
    SecurityGroupRule: security_group_rule_id, group_id, group_owner_id, is_egress, ip_protocol, from_port,
        to_port, cidr_ipv4, cidr_ipv6, prefix_list_id, referenced_group_info, description, tags,
        security_group_rule_arn;
    StateReason: code, message;
    Tag: key, value;
    TotalLocalStorageGb: min, max;
    UserIdGroupPair: description, user_id, group_name, group_id, vpc_id, vpc_peering_connection_id,
        peering_status;
    VCpuCountRange: min, max;
}}

names! { aws_sdk_ec2::types {
    AcceleratorManufacturer AcceleratorName AcceleratorType AmdSevSnpSpecification ArchitectureValues
    AttachmentStatus BareMetal BootModeValues BurstablePerformance CapacityReservationPreference CpuManufacturer
    DeviceType EventCode HostnameType HttpTokensState HypervisorType InstanceAutoRecoveryState
    InstanceBandwidthWeighting InstanceBootModeValues InstanceGeneration InstanceInterruptionBehavior
    InstanceLifecycleType InstanceMetadataEndpointState InstanceMetadataOptionsState
    InstanceMetadataProtocolState InstanceMetadataTagsState InstanceRebootMigrationState InstanceStateName
    InstanceType LaunchTemplateAutoRecoveryState LaunchTemplateHttpTokensState
    LaunchTemplateInstanceMetadataEndpointState LaunchTemplateInstanceMetadataOptionsState
    LaunchTemplateInstanceMetadataProtocolIpv6 LaunchTemplateInstanceMetadataTagsState LocalStorage
    LocalStorageType MarketType MonitoringState NestedVirtualizationSpecification NetworkInterfaceStatus
    PlatformValues ProductCodeValues ResourceType SecondaryInterfaceStatus SecondaryInterfaceType
    ShutdownBehavior SpotInstanceType StatusName StatusType SummaryStatus Tenancy VirtualizationType VolumeType
}}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_filters() {
        let ids = |count: usize| Some((0..count).map(|n| format!("i-{n}")).collect::<Vec<_>>());
        let sizes = |keys: &[(&str, Option<Vec<String>>)]| {
            let filters = |request: Vec<Filter>| request.iter().map(|filter| filter.values().len()).collect::<Vec<_>>();
            requests(keys).into_iter().map(filters).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[("a", None)]), [Vec::<usize>::new()]);
        assert_eq!(sizes(&[("a", ids(2)), ("b", None), ("c", ids(1))]), [[2, 1]]);
        assert_eq!(sizes(&[("a", ids(401)), ("b", ids(3))]), [[200, 3], [200, 3], [1, 3]]);
        assert_eq!(sizes(&[("a", ids(201)), ("b", ids(999))]), [[200], [1]]);
        assert!(sizes(&[("a", ids(2)), ("b", ids(0))]).is_empty());
        assert!(sizes(&[("a", Some(vec![String::new()]))]).is_empty());
    }

    #[test]
    fn a_key_is_no_pattern() {
        assert_eq!(literally(r"a*b?c\d"), r"a\*b\?c\\d");
    }
}
