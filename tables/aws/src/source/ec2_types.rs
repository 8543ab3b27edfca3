//! Documents of EC2's types.

use crate::document::{documents, names};

documents! { aws_sdk_ec2::types {
    AcceleratorCount: min, max;
    AcceleratorTotalMemoryMiB: min, max;
    Address: allocation_id, association_id, domain, network_interface_id, network_interface_owner_id,
        private_ip_address, tags, public_ipv4_pool, network_border_group, customer_owned_ip,
        customer_owned_ipv4_pool, carrier_ip, subnet_id, service_managed, instance_id, public_ip;
    AddressTransfer: public_ip, allocation_id, transfer_account_id, transfer_offer_expiration_timestamp,
        transfer_offer_accepted_timestamp, address_transfer_status;
    AllowedPrincipal: principal_type, principal, service_permission_id, tags, service_id;
    ApplicationStatusSummary: status, impaired_since;
    AssociatedTargetNetwork: network_id, network_type;
    AttachmentEnaSrdSpecification: ena_srd_enabled, ena_srd_udp_specification;
    AttachmentEnaSrdUdpSpecification: ena_srd_udp_enabled;
    AttributeValue: value;
    AvailabilityZone: opt_in_status, messages, region_name, zone_name, zone_id, group_name,
        network_border_group, zone_type, parent_zone_name, parent_zone_id, group_long_name, geography,
        sub_geography, state;
    AvailabilityZoneGeography: name;
    AvailabilityZoneMessage: message;
    AvailabilityZoneSubGeography: name;
    BaselineEbsBandwidthMbps: min, max;
    BaselinePerformanceFactors: cpu;
    BlockDeviceMapping: ebs, no_device, device_name, virtual_name;
    BlockDeviceMappingResponse: device_name, virtual_name, ebs, no_device;
    BlockPublicAccessStates: internet_gateway_block_mode;
    CapacityAllocation: allocation_type, count, allocation_metadata;
    CapacityAllocationMetadataEntry: key, value;
    CapacityReservation: capacity_reservation_id, owner_id, capacity_reservation_arn, availability_zone_id,
        instance_type, instance_platform, availability_zone, tenancy, total_instance_count,
        available_instance_count, ebs_optimized, ephemeral_storage, state, start_date, end_date, end_date_type,
        instance_match_criteria, create_date, tags, outpost_arn, capacity_reservation_fleet_id,
        placement_group_arn, capacity_allocations, reservation_type, unused_reservation_billing_owner_id,
        commitment_info, delivery_preference, capacity_block_id, interruptible,
        interruptible_capacity_allocation, interruption_info, adjustment_status, adjustment_details,
        original_start_date, zero_size_preference, launch_status;
    CapacityReservationAdjustmentDetails: start_date, end_date, commitment_end_date, end_date_type,
        commitment_duration;
    CapacityReservationCommitmentInfo: committed_instance_count, commitment_end_date, commitment_duration;
    CapacityReservationOptions: usage_strategy;
    CapacityReservationSpecificationResponse: capacity_reservation_preference, capacity_reservation_target;
    CapacityReservationTargetResponse: capacity_reservation_id, capacity_reservation_resource_group_arn;
    CertificateAuthentication: client_root_certificate_chain;
    CidrBlock: cidr_block;
    ClassicLoadBalancer: name;
    ClassicLoadBalancersConfig: classic_load_balancers;
    ClientConnectResponseOptions: enabled, lambda_function_arn, status;
    ClientLoginBannerResponseOptions: enabled, banner_text;
    ClientRouteEnforcementResponseOptions: enforced;
    ClientVpnAuthentication: r#type, active_directory, mutual_authentication, federated_authentication;
    ClientVpnEndpoint: client_vpn_endpoint_id, description, status, creation_time, deletion_time, dns_name,
        client_cidr_block, dns_servers, split_tunnel, vpn_protocol, transport_protocol, vpn_port,
        associated_target_networks, server_certificate_arn, authentication_options, connection_log_options,
        tags, security_group_ids, vpc_id, self_service_portal_url, client_connect_options,
        session_timeout_hours, client_login_banner_options, client_route_enforcement_options,
        disconnect_on_session_timeout, endpoint_ip_address_type, traffic_ip_address_type,
        transit_gateway_configuration, device_posture_options;
    ClientVpnEndpointAttributeStatus: code, message;
    ClientVpnEndpointStatus: code, message;
    ClientVpnTrustProvider: trust_provider_type, tenant_id, public_signing_key_url;
    CloudWatchLogOptions: log_enabled, log_group_arn, log_output_format, bgp_log_enabled, bgp_log_group_arn,
        bgp_log_output_format;
    ConnectionLogResponseOptions: enabled, cloudwatch_log_group, cloudwatch_log_stream,
        include_authorization_policy_context;
    ConnectionTrackingConfiguration: tcp_established_timeout, udp_stream_timeout, udp_timeout;
    ConnectionTrackingSpecification: tcp_established_timeout, udp_timeout, udp_stream_timeout;
    ConnectionTrackingSpecificationRequest: tcp_established_timeout, udp_stream_timeout, udp_timeout;
    ConnectionTrackingSpecificationResponse: tcp_established_timeout, udp_stream_timeout, udp_timeout;
    CpuOptions: core_count, threads_per_core, amd_sev_snp, nested_virtualization;
    CpuPerformanceFactor: references;
    CreateVolumePermission: user_id, group;
    CreditSpecification: cpu_credits;
    CustomerGateway: certificate_arn, device_name, tags, bgp_asn_extended, customer_gateway_id, state, r#type,
        ip_address, bgp_asn;
    DefaultConnectionTrackingConfiguration: default_tcp_established_timeout, default_udp_timeout,
        default_udp_stream_timeout;
    DescribeFleetError: launch_template_and_overrides, lifecycle, error_code, error_message;
    DescribeFleetsInstances: launch_template_and_overrides, lifecycle, instance_ids, instance_type, platform;
    DestinationOptionsResponse: file_format, hive_compatible_partitions, per_hour_partition;
    DeviceOptions: tenant_id, public_signing_key_url;
    DevicePostureResponseOptions: trust_providers;
    DhcpConfiguration: key, values;
    DhcpOptions: owner_id, tags, dhcp_options_id, dhcp_configurations;
    DirectoryServiceAuthentication: directory_id;
    DiskInfo: size_in_gb, count, r#type;
    DnsEntry: dns_name, hosted_zone_id;
    DnsOptions: dns_record_ip_type, private_dns_only_for_inbound_resolver_endpoint, private_dns_preference,
        private_dns_specified_domains;
    EbsBlockDevice: delete_on_termination, iops, snapshot_id, volume_size, volume_type, kms_key_id, throughput,
        outpost_arn, availability_zone, encrypted, volume_initialization_rate, availability_zone_id,
        ebs_card_index;
    EbsBlockDeviceResponse: encrypted, delete_on_termination, iops, throughput, kms_key_id, snapshot_id,
        volume_size, volume_type;
    EbsCardInfo: ebs_card_index, baseline_bandwidth_in_mbps, baseline_throughput_in_m_bps, baseline_iops,
        maximum_bandwidth_in_mbps, maximum_throughput_in_m_bps, maximum_iops;
    EbsInfo: ebs_optimized_support, encryption_support, ebs_optimized_info, nvme_support,
        maximum_ebs_attachments, attachment_limit_type, maximum_ebs_cards, ebs_cards;
    EbsInstanceBlockDevice: attach_time, delete_on_termination, status, volume_id, associated_resource,
        volume_owner_id, operator, ebs_card_index;
    EbsOptimizedInfo: baseline_bandwidth_in_mbps, baseline_throughput_in_m_bps, baseline_iops,
        maximum_bandwidth_in_mbps, maximum_throughput_in_m_bps, maximum_iops;
    EbsStatusDetails: impaired_since, name, status;
    EbsStatusSummary: details, status;
    EfaInfo: maximum_efa_interfaces;
    EgressOnlyInternetGateway: attachments, egress_only_internet_gateway_id, tags;
    ElasticGpuAssociation: elastic_gpu_id, elastic_gpu_association_id, elastic_gpu_association_state,
        elastic_gpu_association_time;
    ElasticGpuSpecificationResponse: r#type;
    ElasticInferenceAcceleratorAssociation: elastic_inference_accelerator_arn,
        elastic_inference_accelerator_association_id, elastic_inference_accelerator_association_state,
        elastic_inference_accelerator_association_time;
    EnaSrdSpecificationRequest: ena_srd_enabled, ena_srd_udp_specification;
    EnaSrdUdpSpecificationRequest: ena_srd_udp_enabled;
    EnclaveOptions: enabled;
    EncryptionSupport: encryption_state, state_message;
    FederatedAuthentication: saml_provider_arn, self_service_saml_provider_arn;
    FleetData: activity_status, create_time, fleet_id, fleet_state, client_token,
        excess_capacity_termination_policy, fulfilled_capacity, fulfilled_on_demand_capacity,
        launch_template_configs, target_capacity_specification, terminate_instances_with_expiration, r#type,
        valid_from, valid_until, replace_unhealthy_instances, spot_options, on_demand_options,
        reserved_capacity_options, tags, errors, instances, context;
    FleetLaunchTemplateConfig: launch_template_specification, overrides;
    FleetLaunchTemplateOverrides: instance_type, max_price, subnet_id, availability_zone, weighted_capacity,
        priority, placement, instance_requirements, image_id, block_device_mappings, availability_zone_id;
    FleetLaunchTemplateSpecification: launch_template_id, launch_template_name, version;
    FleetSpotCapacityRebalance: replacement_strategy, termination_delay;
    FleetSpotMaintenanceStrategies: capacity_rebalance;
    FlowLog: creation_time, deliver_logs_error_message, deliver_logs_permission_arn, deliver_cross_account_role,
        deliver_logs_status, flow_log_id, flow_log_status, log_group_name, resource_id, traffic_type,
        log_destination_type, log_destination, log_format, tags, max_aggregation_interval, destination_options,
        tag_field_specifications;
    FpgaDeviceInfo: name, manufacturer, count, memory_info;
    FpgaDeviceMemoryInfo: size_in_mib;
    FpgaInfo: fpgas, total_fpga_memory_in_mib;
    GpuDeviceInfo: name, manufacturer, count, logical_gpu_count, gpu_partition_size, workloads, memory_info;
    GpuDeviceMemoryInfo: size_in_mib;
    GpuInfo: gpus, total_gpu_memory_in_mib;
    GroupIdentifier: group_id, group_name;
    HibernationOptions: configured;
    IamInstanceProfile: arn, id;
    IamInstanceProfileSpecification: arn, name;
    IcmpTypeCode: code, r#type;
    IkeVersionsListValue: value;
    Image: platform_details, usage_operation, block_device_mappings, description, ena_support, hypervisor,
        image_owner_alias, name, root_device_name, root_device_type, sriov_net_support, state_reason, tags,
        virtualization_type, boot_mode, tpm_support, deprecation_time, imds_support, source_instance_id,
        deregistration_protection, last_launched_time, image_allowed, source_image_id, source_image_region,
        free_tier_eligible, public_ssm_parameter_name, image_watermarks, scan_results,
        instance_type_specification, image_id, image_location, state, owner_id, creation_date, public,
        product_codes, architecture, image_type, kernel_id, ramdisk_id, platform;
    ImageWatermark: watermark_key, source_image_region, source_image_id, source_image_creation_time,
        watermark_creation_time;
    InferenceAcceleratorInfo: accelerators, total_inference_memory_in_mib;
    InferenceDeviceInfo: count, name, manufacturer, memory_info;
    InferenceDeviceMemoryInfo: size_in_mib;
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
    InstanceNetworkInterfaceSpecification: associate_public_ip_address, delete_on_termination, description,
        device_index, groups, ipv6_address_count, ipv6_addresses, network_interface_id, private_ip_address,
        private_ip_addresses, secondary_private_ip_address_count, subnet_id, associate_carrier_ip_address,
        interface_type, network_card_index, ipv4_prefixes, ipv4_prefix_count, ipv6_prefixes, ipv6_prefix_count,
        primary_ipv6, ena_srd_specification, connection_tracking_specification, ena_queue_count;
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
    InstanceStorageInfo: total_size_in_gb, disks, nvme_support, encryption_support;
    InstanceTypeInfo: instance_type, current_generation, free_tier_eligible, supported_usage_classes,
        supported_root_device_types, supported_virtualization_types, bare_metal, hypervisor, processor_info,
        v_cpu_info, memory_info, instance_storage_supported, instance_storage_info, ebs_info, network_info,
        gpu_info, fpga_info, placement_group_info, inference_accelerator_info, hibernation_supported,
        burstable_performance_supported, dedicated_hosts_supported, auto_recovery_supported,
        supported_boot_modes, nitro_enclaves_support, nitro_tpm_support, nitro_tpm_info, media_accelerator_info,
        neuron_info, phc_support, reboot_migration_support, supported_in_region;
    InstanceTypeItem: instance_type;
    InstanceTypeOffering: instance_type, location_type, location;
    InstanceTypeSpecification: supported_instance_types, unsupported_instance_types;
    InternetGateway: attachments, internet_gateway_id, owner_id, tags;
    InternetGatewayAttachment: state, vpc_id;
    InterruptibleCapacityAllocation: instance_count, target_instance_count, status,
        interruptible_capacity_reservation_id, interruption_type, zero_size_preference;
    InterruptionInfo: source_capacity_reservation_id, interruption_type;
    IpPermission: ip_protocol, from_port, to_port, user_id_group_pairs, ip_ranges, ipv6_ranges, prefix_list_ids;
    IpRange: description, cidr_ip;
    Ipv4PrefixSpecification: ipv4_prefix;
    Ipv4PrefixSpecificationRequest: ipv4_prefix;
    Ipv4PrefixSpecificationResponse: ipv4_prefix;
    Ipv6CidrBlock: ipv6_cidr_block;
    Ipv6PrefixSpecification: ipv6_prefix;
    Ipv6PrefixSpecificationRequest: ipv6_prefix;
    Ipv6PrefixSpecificationResponse: ipv6_prefix;
    Ipv6Range: description, cidr_ipv6;
    KeyPairInfo: key_pair_id, key_type, tags, public_key, create_time, key_name, key_fingerprint;
    LastError: message, code;
    LaunchPermission: organization_arn, organizational_unit_arn, user_id, group;
    LaunchTemplate: launch_template_id, launch_template_name, create_time, created_by, default_version_number,
        latest_version_number, tags, operator;
    LaunchTemplateAndOverridesResponse: launch_template_specification, overrides;
    LaunchTemplateBlockDeviceMapping: device_name, virtual_name, ebs, no_device;
    LaunchTemplateCapacityReservationSpecificationResponse: capacity_reservation_preference,
        capacity_reservation_target;
    LaunchTemplateConfig: launch_template_specification, overrides;
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
    LaunchTemplateOverrides: instance_type, spot_price, subnet_id, availability_zone, weighted_capacity,
        priority, instance_requirements, availability_zone_id;
    LaunchTemplatePlacement: availability_zone, availability_zone_id, affinity, group_name, host_id, tenancy,
        spread_domain, host_resource_group_arn, partition_number, group_id;
    LaunchTemplatePrivateDnsNameOptions: hostname_type, enable_resource_name_dns_a_record,
        enable_resource_name_dns_aaaa_record;
    LaunchTemplateSpotMarketOptions: max_price, spot_instance_type, block_duration_minutes, valid_until,
        instance_interruption_behavior;
    LaunchTemplateTagSpecification: resource_type, tags;
    LaunchTemplateVersion: launch_template_id, launch_template_name, version_number, version_description,
        create_time, created_by, default_version, launch_template_data, operator;
    LaunchTemplatesMonitoring: enabled;
    LicenseConfiguration: license_configuration_arn;
    LoadBalancersConfig: classic_load_balancers_config, target_groups_config;
    ManagedPrefixList: prefix_list_id, address_family, state, state_message, prefix_list_arn, prefix_list_name,
        max_entries, version, tags, owner_id, ipam_prefix_list_resolver_target_id,
        ipam_prefix_list_resolver_sync_enabled;
    MediaAcceleratorInfo: accelerators, total_media_memory_in_mib;
    MediaDeviceInfo: count, name, manufacturer, memory_info;
    MediaDeviceMemoryInfo: size_in_mib;
    MemoryGiBPerVCpu: min, max;
    MemoryInfo: size_in_mib;
    MemoryMiB: min, max;
    Monitoring: state;
    NatGateway: create_time, delete_time, failure_code, failure_message, nat_gateway_addresses, nat_gateway_id,
        provisioned_bandwidth, state, subnet_id, vpc_id, tags, connectivity_type, availability_mode,
        auto_scaling_ips, auto_provision_zones, attached_appliances, route_table_id;
    NatGatewayAddress: allocation_id, network_interface_id, private_ip, public_ip, association_id, is_primary,
        failure_message, status, availability_zone, availability_zone_id;
    NatGatewayAttachedAppliance: r#type, appliance_arn, vpc_endpoint_id, attachment_state, modification_state,
        failure_code, failure_message;
    NativeApplicationOidcOptions: public_signing_key_endpoint, issuer, authorization_endpoint, token_endpoint,
        user_info_endpoint, client_id, scope;
    NetworkAcl: associations, entries, is_default, network_acl_id, tags, vpc_id, owner_id;
    NetworkAclAssociation: network_acl_association_id, network_acl_id, subnet_id;
    NetworkAclEntry: cidr_block, egress, icmp_type_code, ipv6_cidr_block, port_range, protocol, rule_action,
        rule_number;
    NetworkBandwidthGbps: min, max;
    NetworkCardInfo: network_card_index, network_performance, maximum_network_interfaces,
        additional_flexible_network_interfaces, baseline_bandwidth_in_gbps, peak_bandwidth_in_gbps,
        default_ena_queue_count_per_interface, maximum_ena_queue_count, maximum_ena_queue_count_per_interface,
        interface_types;
    NetworkInfo: network_performance, maximum_network_interfaces, maximum_network_cards,
        default_network_card_index, network_cards, ipv4_addresses_per_interface, ipv6_addresses_per_interface,
        ipv6_supported, ena_support, efa_supported, efa_info, encryption_in_transit_supported,
        ena_srd_supported, bandwidth_weightings, flexible_ena_queues_support, connection_tracking_configuration,
        secondary_network_supported, maximum_secondary_network_interfaces,
        ipv4_addresses_per_secondary_interface;
    NetworkInterface: association, attachment, availability_zone, connection_tracking_configuration,
        description, groups, interface_type, ipv6_addresses, mac_address, network_interface_id, outpost_arn,
        owner_id, private_dns_name, public_dns_name, public_ip_dns_name_options, private_ip_address,
        private_ip_addresses, ipv4_prefixes, ipv6_prefixes, requester_id, requester_managed, source_dest_check,
        status, subnet_id, tag_set, vpc_id, deny_all_igw_traffic, ipv6_native, ipv6_address, operator,
        associated_subnets, availability_zone_id;
    NetworkInterfaceAssociation: allocation_id, association_id, ip_owner_id, public_dns_name, public_ip,
        customer_owned_ip, carrier_ip;
    NetworkInterfaceAttachment: attach_time, attachment_id, delete_on_termination, device_index,
        network_card_index, instance_id, instance_owner_id, status, ena_srd_specification, ena_queue_count;
    NetworkInterfaceCount: min, max;
    NetworkInterfaceIpv6Address: ipv6_address, public_ipv6_dns_name, is_primary_ipv6;
    NetworkInterfacePrivateIpAddress: association, primary, private_dns_name, private_ip_address;
    NeuronDeviceCoreInfo: count, version;
    NeuronDeviceInfo: count, name, core_info, memory_info;
    NeuronDeviceMemoryInfo: size_in_mib;
    NeuronInfo: neuron_devices, total_neuron_device_memory_in_mib;
    NitroTpmInfo: supported_versions;
    OidcOptions: issuer, authorization_endpoint, token_endpoint, user_info_endpoint, client_id, client_secret,
        scope;
    OnDemandOptions: allocation_strategy, capacity_reservation_options, single_instance_type,
        single_availability_zone, min_target_capacity, max_total_price;
    OperatorResponse: managed, principal, hidden_by_default;
    PayerResponsibilityEntry: scope, payer_responsibility_type;
    PerformanceFactorReference: instance_family;
    PerformanceStatusSummary: status, impaired_since, remediation;
    Phase1DhGroupNumbersListValue: value;
    Phase1EncryptionAlgorithmsListValue: value;
    Phase1IntegrityAlgorithmsListValue: value;
    Phase2DhGroupNumbersListValue: value;
    Phase2EncryptionAlgorithmsListValue: value;
    Phase2IntegrityAlgorithmsListValue: value;
    Placement: availability_zone_id, affinity, group_name, partition_number, host_id, tenancy, spread_domain,
        host_resource_group_arn, group_id, availability_zone;
    PlacementGroup: group_name, state, strategy, partition_count, group_id, tags, group_arn, spread_level,
        linked_group_id, operator, parent_group_id;
    PlacementGroupInfo: supported_strategies;
    PlacementResponse: group_name;
    PortRange: from, to;
    PrefixListEntry: cidr, description;
    PrefixListId: description, prefix_list_id;
    PrivateDnsDetails: private_dns_name;
    PrivateDnsNameOptionsOnLaunch: hostname_type, enable_resource_name_dns_a_record,
        enable_resource_name_dns_aaaa_record;
    PrivateDnsNameOptionsResponse: hostname_type, enable_resource_name_dns_a_record,
        enable_resource_name_dns_aaaa_record;
    PrivateIpAddressSpecification: primary, private_ip_address;
    ProcessorInfo: supported_architectures, sustained_clock_speed_in_ghz, supported_features, manufacturer;
    ProductCode: product_code_id, product_code_type;
    PropagatingVgw: gateway_id;
    ProvisionedBandwidth: provision_time, provisioned, request_time, requested, status;
    PublicIpDnsNameOptions: dns_hostname_type, public_ipv4_dns_name, public_ipv6_dns_name,
        public_dual_stack_dns_name;
    RecurringCharge: amount, frequency;
    ReferencedSecurityGroup: group_id, peering_status, user_id, vpc_id, vpc_peering_connection_id;
    Region: opt_in_status, geography, region_name, endpoint;
    RegionGeography: name;
    ReservedCapacityFallbackOptions: market_types;
    ReservedCapacityOptions: allocation_strategy, reservation_types, reserved_capacity_fallback_options;
    ReservedInstances: currency_code, instance_tenancy, offering_class, offering_type, recurring_charges, scope,
        tags, availability_zone_id, reserved_instances_id, instance_type, availability_zone, start, end,
        duration, usage_price, fixed_price, instance_count, product_description, state;
    ReservedInstancesConfiguration: availability_zone, instance_count, instance_type, platform, scope,
        availability_zone_id;
    ReservedInstancesId: reserved_instances_id;
    ReservedInstancesModification: client_token, create_date, effective_date, modification_results,
        reserved_instances_ids, reserved_instances_modification_id, status, status_message, update_date;
    ReservedInstancesModificationResult: reserved_instances_id, target_configuration;
    ResponseLaunchTemplateData: kernel_id, ebs_optimized, iam_instance_profile, block_device_mappings,
        network_interfaces, image_id, instance_type, key_name, monitoring, placement, ram_disk_id,
        disable_api_termination, instance_initiated_shutdown_behavior, user_data, tag_specifications,
        elastic_gpu_specifications, elastic_inference_accelerators, security_group_ids, security_groups,
        instance_market_options, credit_specification, cpu_options, capacity_reservation_specification,
        license_specifications, hibernation_options, metadata_options, enclave_options, instance_requirements,
        private_dns_name_options, maintenance_options, disable_api_stop, operator, network_performance_options,
        secondary_interfaces;
    Route: destination_cidr_block, destination_ipv6_cidr_block, destination_prefix_list_id,
        egress_only_internet_gateway_id, gateway_id, instance_id, instance_owner_id, nat_gateway_id,
        transit_gateway_id, local_gateway_id, carrier_gateway_id, network_interface_id, origin, state,
        vpc_peering_connection_id, core_network_arn, odb_network_arn, ip_address;
    RouteTable: associations, propagating_vgws, route_table_id, routes, tags, vpc_id, owner_id;
    RouteTableAssociation: main, route_table_association_id, route_table_id, subnet_id, gateway_id,
        public_ipv4_pool, association_state;
    RouteTableAssociationState: state, status_message;
    ScanResults: highest_finding_severity_label, finding_scan_date, informational_fix_available_since,
        low_fix_available_since, medium_fix_available_since, high_fix_available_since,
        critical_fix_available_since;
    SecondaryInterfacePrivateIpAddressSpecification: private_ip_address;
    SecurityGroup: group_id, ip_permissions_egress, tags, vpc_id, security_group_arn, owner_id, group_name,
        description, ip_permissions;
    SecurityGroupIdentifier: group_id, group_name;
    SecurityGroupRule: security_group_rule_id, group_id, group_owner_id, is_egress, ip_protocol, from_port,
        to_port, cidr_ipv4, cidr_ipv6, prefix_list_id, referenced_group_info, description, tags,
        security_group_rule_arn;
    SecurityGroupVpcAssociation: group_id, vpc_id, vpc_owner_id, state, state_reason, group_owner_id;
    ServiceDetail: service_name, service_id, service_type, service_region, availability_zone_ids,
        availability_zones, owner, base_endpoint_dns_names, private_dns_name, private_dns_names,
        vpc_endpoint_policy_supported, acceptance_required, manages_vpc_endpoints, payer_responsibility, tags,
        private_dns_name_verification_state, supported_ip_address_types;
    ServiceTypeDetail: service_type;
    Snapshot: owner_alias, outpost_arn, tags, storage_tier, restore_expiry_time, sse_type, availability_zone,
        transfer_type, completion_duration_minutes, completion_time, full_snapshot_size_in_bytes, snapshot_id,
        volume_id, state, state_message, start_time, progress, owner_id, description, volume_size, encrypted,
        kms_key_id, data_encryption_key_id;
    SpotCapacityRebalance: replacement_strategy, termination_delay;
    SpotFleetLaunchSpecification: addressing_type, block_device_mappings, ebs_optimized, iam_instance_profile,
        image_id, instance_type, kernel_id, key_name, monitoring, network_interfaces, placement, ramdisk_id,
        spot_price, subnet_id, user_data, weighted_capacity, tag_specifications, instance_requirements,
        security_groups;
    SpotFleetMonitoring: enabled;
    SpotFleetRequestConfig: activity_status, create_time, spot_fleet_request_config, spot_fleet_request_id,
        spot_fleet_request_state, tags;
    SpotFleetRequestConfigData: allocation_strategy, on_demand_allocation_strategy, spot_maintenance_strategies,
        client_token, excess_capacity_termination_policy, fulfilled_capacity, on_demand_fulfilled_capacity,
        iam_fleet_role, launch_specifications, launch_template_configs, spot_price, target_capacity,
        on_demand_target_capacity, on_demand_max_total_price, spot_max_total_price,
        terminate_instances_with_expiration, r#type, valid_from, valid_until, replace_unhealthy_instances,
        instance_interruption_behavior, load_balancers_config, instance_pools_to_use_count, context,
        target_capacity_unit_type, tag_specifications;
    SpotFleetTagSpecification: resource_type, tags;
    SpotMaintenanceStrategies: capacity_rebalance;
    SpotOptions: allocation_strategy, maintenance_strategies, instance_interruption_behavior,
        instance_pools_to_use_count, single_instance_type, single_availability_zone, min_target_capacity,
        max_total_price;
    SpotPlacement: availability_zone, group_name, tenancy, availability_zone_id;
    SpotPrice: availability_zone, availability_zone_id, instance_type, product_description, spot_price,
        timestamp;
    StateReason: code, message;
    Subnet: availability_zone_id, enable_lni_at_device_index, map_customer_owned_ip_on_launch,
        customer_owned_ipv4_pool, owner_id, assign_ipv6_address_on_creation, ipv6_cidr_block_association_set,
        tags, subnet_arn, outpost_arn, enable_dns64, ipv6_native, private_dns_name_options_on_launch,
        block_public_access_states, r#type, subnet_id, state, vpc_id, cidr_block, available_ip_address_count,
        availability_zone, default_for_az, map_public_ip_on_launch;
    SubnetCidrBlockState: state, status_message;
    SubnetIpPrefixes: subnet_id, ip_prefixes;
    SubnetIpv6CidrBlockAssociation: association_id, ipv6_cidr_block, ipv6_cidr_block_state,
        ipv6_address_attribute, ip_source;
    Tag: key, value;
    TagFieldSpecificationResponse: resource_type, tag_keys;
    TagSpecification: resource_type, tags;
    TargetCapacitySpecification: total_target_capacity, on_demand_target_capacity, spot_target_capacity,
        default_target_capacity_type, target_capacity_unit_type;
    TargetGroup: arn;
    TargetGroupsConfig: target_groups;
    TotalLocalStorageGb: min, max;
    TransitGateway: transit_gateway_id, transit_gateway_arn, state, owner_id, description, creation_time,
        options, tags;
    TransitGatewayAttachment: transit_gateway_attachment_id, transit_gateway_id, transit_gateway_owner_id,
        resource_owner_id, resource_type, resource_id, state, association, creation_time, tags,
        nat_gateway_support;
    TransitGatewayAttachmentAssociation: transit_gateway_route_table_id, transit_gateway_policy_table_id, state;
    TransitGatewayConfigurationDescribeEndpointStructure: transit_gateway_id, transit_gateway_attachment_id,
        availability_zones, availability_zone_ids;
    TransitGatewayOptions: amazon_side_asn, transit_gateway_cidr_blocks, auto_accept_shared_attachments,
        default_route_table_association, association_default_route_table_id, default_route_table_propagation,
        propagation_default_route_table_id, vpn_ecmp_support, dns_support, security_group_referencing_support,
        multicast_support, encryption_support;
    TransitGatewayRoute: destination_cidr_block, prefix_list_id, transit_gateway_route_table_announcement_id,
        transit_gateway_attachments, r#type, state;
    TransitGatewayRouteAttachment: resource_id, transit_gateway_attachment_id, resource_type;
    TransitGatewayRouteTable: transit_gateway_route_table_id, transit_gateway_id, state,
        default_association_route_table, default_propagation_route_table, creation_time, tags;
    TransitGatewayVpcAttachmentOptions: dns_support, security_group_referencing_support, ipv6_support,
        appliance_mode_support;
    TunnelOption: outside_ip_address, tunnel_inside_cidr, tunnel_inside_ipv6_cidr, pre_shared_key,
        phase1_lifetime_seconds, phase2_lifetime_seconds, rekey_margin_time_seconds, rekey_fuzz_percentage,
        replay_window_size, dpd_timeout_seconds, dpd_timeout_action, phase1_encryption_algorithms,
        phase2_encryption_algorithms, phase1_integrity_algorithms, phase2_integrity_algorithms,
        phase1_dh_group_numbers, phase2_dh_group_numbers, ike_versions, startup_action, log_options,
        enable_tunnel_lifecycle_control;
    UserIdGroupPair: description, user_id, group_name, group_id, vpc_id, vpc_peering_connection_id,
        peering_status;
    VCpuCountRange: min, max;
    VCpuInfo: default_v_cpus, default_cores, default_threads_per_core, valid_cores, valid_threads_per_core;
    VerifiedAccessEndpoint: verified_access_instance_id, verified_access_group_id, verified_access_endpoint_id,
        application_domain, endpoint_type, attachment_type, domain_certificate_arn, endpoint_domain,
        device_validation_domain, security_group_ids, load_balancer_options, network_interface_options, status,
        description, creation_time, last_updated_time, deletion_time, tags, sse_specification, rds_options,
        cidr_options;
    VerifiedAccessEndpointCidrOptions: cidr, port_ranges, protocol, subnet_ids;
    VerifiedAccessEndpointEniOptions: network_interface_id, protocol, port, port_ranges;
    VerifiedAccessEndpointLoadBalancerOptions: protocol, port, load_balancer_arn, subnet_ids, port_ranges;
    VerifiedAccessEndpointPortRange: from_port, to_port;
    VerifiedAccessEndpointRdsOptions: protocol, port, rds_db_instance_arn, rds_db_cluster_arn, rds_db_proxy_arn,
        rds_endpoint, subnet_ids;
    VerifiedAccessEndpointStatus: code, message;
    VerifiedAccessGroup: verified_access_group_id, verified_access_instance_id, description, owner,
        verified_access_group_arn, creation_time, last_updated_time, deletion_time, tags, sse_specification;
    VerifiedAccessInstance: verified_access_instance_id, description, verified_access_trust_providers,
        creation_time, last_updated_time, tags, fips_enabled, cidr_endpoints_custom_sub_domain;
    VerifiedAccessInstanceCustomSubDomain: sub_domain, nameservers;
    VerifiedAccessSseSpecificationResponse: customer_managed_key_enabled, kms_key_arn;
    VerifiedAccessTrustProvider: verified_access_trust_provider_id, description, trust_provider_type,
        user_trust_provider_type, device_trust_provider_type, oidc_options, device_options,
        policy_reference_name, creation_time, last_updated_time, tags, sse_specification,
        native_application_oidc_options;
    VerifiedAccessTrustProviderCondensed: verified_access_trust_provider_id, description, trust_provider_type,
        user_trust_provider_type, device_trust_provider_type;
    VgwTelemetry: accepted_route_count, last_status_change, outside_ip_address, status, status_message,
        certificate_arn;
    Volume: availability_zone_id, outpost_arn, source_volume_id, iops, tags, volume_type, fast_restored,
        multi_attach_enabled, throughput, sse_type, operator, volume_initialization_rate, volume_arn, owner_id,
        volume_id, size, snapshot_id, availability_zone, state, create_time, attachments, encrypted, kms_key_id;
    VolumeAttachment: delete_on_termination, associated_resource, instance_owning_service, ebs_card_index,
        volume_id, instance_id, device, state, attach_time;
    Vpc: owner_id, instance_tenancy, ipv6_cidr_block_association_set, cidr_block_association_set, is_default,
        encryption_control, tags, block_public_access_states, vpc_id, state, cidr_block, dhcp_options_id;
    VpcAttachment: vpc_id, state;
    VpcBlockPublicAccessOptions: aws_account_id, aws_region, state, internet_gateway_block_mode, reason,
        last_update_timestamp, managed_by, exclusions_allowed;
    VpcCidrBlockAssociation: association_id, cidr_block, cidr_block_state;
    VpcCidrBlockState: state, status_message;
    VpcEncryptionControl: vpc_id, vpc_encryption_control_id, mode, state, state_message, resource_exclusions,
        tags;
    VpcEncryptionControlExclusion: state, state_message;
    VpcEncryptionControlExclusions: internet_gateway, egress_only_internet_gateway, nat_gateway,
        virtual_private_gateway, vpc_peering, lambda, vpc_lattice, elastic_file_system;
    VpcEndpoint: vpc_endpoint_id, vpc_endpoint_type, vpc_id, service_name, state, policy_document,
        route_table_ids, subnet_ids, groups, ip_address_type, dns_options, private_dns_enabled,
        requester_managed, network_interface_ids, dns_entries, creation_timestamp, tags, owner_id, last_error,
        ipv4_prefixes, ipv6_prefixes, failure_reason, service_network_arn, resource_configuration_arn,
        service_region, payer_responsibilities;
    VpcEndpointConnection: service_id, vpc_endpoint_id, vpc_endpoint_owner, vpc_endpoint_state,
        creation_timestamp, dns_entries, network_load_balancer_arns, gateway_load_balancer_arns,
        ip_address_type, vpc_endpoint_connection_id, tags, vpc_endpoint_region, payer_responsibilities;
    VpcIpv6CidrBlockAssociation: association_id, ipv6_cidr_block, ipv6_cidr_block_state, network_border_group,
        ipv6_pool, ipv6_address_attribute, ip_source;
    VpcPeeringConnection: accepter_vpc_info, expiration_time, requester_vpc_info, status, tags,
        vpc_peering_connection_id;
    VpcPeeringConnectionOptionsDescription: allow_dns_resolution_from_remote_vpc,
        allow_egress_from_local_classic_link_to_remote_vpc, allow_egress_from_local_vpc_to_remote_classic_link;
    VpcPeeringConnectionStateReason: code, message;
    VpcPeeringConnectionVpcInfo: cidr_block, ipv6_cidr_block_set, cidr_block_set, owner_id, peering_options,
        vpc_id, region;
    VpnConnection: category, transit_gateway_id, vpn_concentrator_id, core_network_arn,
        core_network_attachment_arn, gateway_association_state, options, routes, tags, vgw_telemetry,
        pre_shared_key_arn, vpn_connection_id, state, customer_gateway_configuration, r#type,
        customer_gateway_id, vpn_gateway_id;
    VpnConnectionOptions: enable_acceleration, static_routes_only, local_ipv4_network_cidr,
        remote_ipv4_network_cidr, local_ipv6_network_cidr, remote_ipv6_network_cidr, outside_ip_address_type,
        transport_transit_gateway_attachment_id, tunnel_inside_ip_version, tunnel_options, tunnel_bandwidth;
    VpnGateway: amazon_side_asn, tags, vpn_gateway_id, state, r#type, availability_zone, vpc_attachments;
    VpnStaticRoute: destination_cidr_block, source, state;
    VpnTunnelLogOptions: cloud_watch_log_options;
}}

names! { aws_sdk_ec2::types {
    AcceleratorManufacturer AcceleratorName AcceleratorType ActivityStatus AddressTransferStatus
    AllocationStrategy AllocationType AmdSevSnpSpecification ApplianceModeSupportValue ArchitectureType
    ArchitectureValues AssociatedNetworkType AttachmentLimitType AttachmentStatus
    AutoAcceptSharedAttachmentsValue AutoProvisionZonesState AutoScalingIpsState AvailabilityMode
    AvailabilityZoneOptInStatus AvailabilityZoneState BandwidthWeightingType BareMetal BatchState
    BlockPublicAccessMode BootModeType BootModeValues BurstablePerformance CapacityReservationAdjustmentStatus
    CapacityReservationDeliveryPreference CapacityReservationInstancePlatform CapacityReservationLaunchStatus
    CapacityReservationPreference CapacityReservationState CapacityReservationTenancy CapacityReservationType
    ClientVpnAuthenticationType ClientVpnDeviceTrustProviderType ClientVpnEndpointAttributeStatusCode
    ClientVpnEndpointStatusCode ConnectivityType CpuManufacturer CurrencyCodeValues
    DefaultRouteTableAssociationValue DefaultRouteTablePropagationValue DefaultTargetCapacityType
    DestinationFileFormat DeviceTrustProviderType DeviceType DiskType DnsNameState DnsRecordIpType
    DnsSupportValue DomainType EbsEncryptionSupport EbsNvmeSupport EbsOptimizedSupport EnaSupport
    EncryptionStateValue EndDateType EndpointIpAddressType EphemeralNvmeSupport EventCode
    ExcessCapacityTerminationPolicy FleetActivityStatus FleetCapacityReservationUsageStrategy
    FleetExcessCapacityTerminationPolicy FleetOnDemandAllocationStrategy FleetReplacementStrategy
    FleetReservationType FleetStateCode FleetType FlexibleEnaQueuesSupport GatewayAssociationState GatewayType
    HostnameType HttpTokensState HypervisorType ImageState ImageTypeValues ImdsSupportValues
    InstanceAutoRecoveryState InstanceBandwidthWeighting InstanceBootModeValues InstanceGeneration
    InstanceInterruptionBehavior InstanceLifecycle InstanceLifecycleType InstanceMatchCriteria
    InstanceMetadataEndpointState InstanceMetadataOptionsState InstanceMetadataProtocolState
    InstanceMetadataTagsState InstanceRebootMigrationState InstanceStateName InstanceStorageEncryptionSupport
    InstanceType InstanceTypeHypervisor InternetGatewayBlockMode
    InterruptibleCapacityReservationAllocationStatus InterruptionType IpAddressType IpSource
    Ipv6AddressAttribute Ipv6SupportValue KeyType LaunchTemplateAutoRecoveryState LaunchTemplateHttpTokensState
    LaunchTemplateInstanceMetadataEndpointState LaunchTemplateInstanceMetadataOptionsState
    LaunchTemplateInstanceMetadataProtocolIpv6 LaunchTemplateInstanceMetadataTagsState LocalStorage
    LocalStorageType LocationType LogDestinationType ManagedBy MarketType MonitoringState MulticastSupportValue
    NatGatewayAddressStatus NatGatewayApplianceModifyState NatGatewayApplianceState NatGatewayApplianceType
    NatGatewayState NestedVirtualizationSpecification NetworkCardInterfaceType NetworkInterfaceStatus
    NetworkInterfaceType NitroEnclavesSupport NitroTpmSupport OfferingClassType OfferingTypeValues
    OnDemandAllocationStrategy PayerResponsibility PayerResponsibilityScope PayerResponsibilityType
    PermissionGroup PhcSupport PlacementGroupState PlacementGroupStrategy PlacementStrategy PlatformValues
    PrefixListState PrincipalType ProductCodeValues RebootMigrationSupport RecurringChargeFrequency
    ReplacementStrategy ReservedCapacityAllocationStrategy ReservedCapacityFallbackMarketType
    ReservedInstanceState ResourceType RiProductDescription RootDeviceType RouteOrigin RouteState
    RouteTableAssociationStateCode RuleAction Scope SecondaryInterfaceStatus SecondaryInterfaceType
    SecurityGroupReferencingSupportValue SecurityGroupVpcAssociationState ServiceConnectivityType ServiceManaged
    ServiceType SeverityLabel ShutdownBehavior SnapshotState SpotAllocationStrategy
    SpotInstanceInterruptionBehavior SpotInstanceType SpreadLevel SseType State StatusName StatusType
    StorageTier SubnetCidrBlockStateCode SubnetState SummaryStatus SupportedAdditionalProcessorFeature
    TaggableResourceType TargetCapacityUnitType TelemetryStatus Tenancy TpmSupportValues TrafficIpAddressType
    TrafficType TransferType TransitGatewayAssociationState TransitGatewayAttachmentNatGatewaySupportState
    TransitGatewayAttachmentResourceType TransitGatewayAttachmentState TransitGatewayRouteState
    TransitGatewayRouteTableState TransitGatewayRouteType TransitGatewayState TransportProtocol
    TrustProviderType TunnelInsideIpVersion UsageClassType UserTrustProviderType
    VerifiedAccessEndpointAttachmentType VerifiedAccessEndpointProtocol VerifiedAccessEndpointStatusCode
    VerifiedAccessEndpointType VirtualizationType VolumeAttachmentState VolumeState VolumeType
    VpcBlockPublicAccessExclusionsAllowed VpcBlockPublicAccessState VpcCidrBlockStateCode
    VpcEncryptionControlExclusionState VpcEncryptionControlMode VpcEncryptionControlState VpcEndpointType
    VpcPeeringConnectionStateReasonCode VpcState VpnEcmpSupportValue VpnProtocol VpnState VpnStaticRouteSource
    VpnTunnelBandwidth ZeroSizePreference
}}
