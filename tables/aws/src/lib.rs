//! Tables about AWS accounts.
//!
//! Each configured profile is one set of credentials, see [`AwsSettings`]. Without configuration it is the one that the
//! machine's AWS tools would use. Tables about regional services read every configured region of every profile; those
//! about global ones (IAM, the account itself) read every profile once. Keys on `account_id` and `region` prune calls
//! before they are made. Credentials are looked up when the first call is made, in the same places as by the AWS CLI;
//! `AWS_ENDPOINT_URL` is honoured.
//!
//! A new table is a struct of paths into the documents of AWS's API, see [`resource`], and a `rows()` of a few lines
//! that uses [`account::Place`](account) and the calls of [`account::Site`](account). Start from
//! `aws_vpc_security_group.rs`, which is short.

mod account;
mod api;
mod call;
mod credentials;
mod document;
mod files;
mod gzip;
mod http;
mod iam_can;
mod iam_evaluate;
mod partition;
mod permission;
mod profile;
mod query;
mod resource;
mod services;
mod source;
#[cfg(test)]
mod testing;
mod xml;

pub mod aws_account;
pub mod aws_account_alternate_contact;
pub mod aws_account_contact;
pub mod aws_availability_zone;
pub mod aws_cloudtrail_channel;
pub mod aws_cloudtrail_event;
pub mod aws_cloudtrail_event_data_store;
pub mod aws_cloudtrail_import;
pub mod aws_cloudtrail_lookup_event;
pub mod aws_cloudtrail_query;
pub mod aws_cloudtrail_trail;
pub mod aws_denied;
pub mod aws_ebs_snapshot;
pub mod aws_ebs_volume;
pub mod aws_ec2_ami;
pub mod aws_ec2_ami_shared;
pub mod aws_ec2_application_load_balancer;
pub mod aws_ec2_autoscaling_group;
pub mod aws_ec2_capacity_reservation;
pub mod aws_ec2_classic_load_balancer;
pub mod aws_ec2_client_vpn_endpoint;
pub mod aws_ec2_fleet;
pub mod aws_ec2_gateway_load_balancer;
pub mod aws_ec2_instance;
pub mod aws_ec2_instance_availability;
pub mod aws_ec2_instance_type;
pub mod aws_ec2_key_pair;
pub mod aws_ec2_launch_configuration;
pub mod aws_ec2_launch_template;
pub mod aws_ec2_launch_template_version;
pub mod aws_ec2_load_balancer_listener;
pub mod aws_ec2_load_balancer_listener_rule;
pub mod aws_ec2_managed_prefix_list;
pub mod aws_ec2_managed_prefix_list_entry;
pub mod aws_ec2_network_interface;
pub mod aws_ec2_network_load_balancer;
pub mod aws_ec2_placement_group;
pub mod aws_ec2_regional_settings;
pub mod aws_ec2_reserved_instance;
pub mod aws_ec2_spot_fleet_request;
pub mod aws_ec2_spot_price;
pub mod aws_ec2_ssl_policy;
pub mod aws_ec2_target_group;
pub mod aws_ec2_transit_gateway;
pub mod aws_ec2_transit_gateway_route;
pub mod aws_ec2_transit_gateway_route_table;
pub mod aws_ec2_transit_gateway_vpc_attachment;
pub mod aws_ecr_image;
pub mod aws_ecr_repository;
pub mod aws_eks_access_entry;
pub mod aws_eks_access_policy_association;
pub mod aws_eks_addon;
pub mod aws_eks_addon_version;
pub mod aws_eks_cluster;
pub mod aws_eks_fargate_profile;
pub mod aws_eks_identity_provider_config;
pub mod aws_eks_node_group;
pub mod aws_eks_pod_identity_association;
pub mod aws_guardduty_finding;
pub mod aws_iam_access;
pub mod aws_iam_access_advisor;
pub mod aws_iam_access_key;
pub mod aws_iam_account_password_policy;
pub mod aws_iam_account_summary;
pub mod aws_iam_assumable;
pub mod aws_iam_credential_report;
pub mod aws_iam_escalation;
pub mod aws_iam_group;
pub mod aws_iam_instance_profile;
pub mod aws_iam_open_id_connect_provider;
pub mod aws_iam_policy;
pub mod aws_iam_policy_attachment;
pub mod aws_iam_policy_statement;
pub mod aws_iam_role;
pub mod aws_iam_saml_provider;
pub mod aws_iam_server_certificate;
pub mod aws_iam_service_specific_credential;
pub mod aws_iam_unused_access;
pub mod aws_iam_user;
pub mod aws_iam_virtual_mfa_device;
pub mod aws_iam_who_can;
pub mod aws_kms_key;
pub mod aws_lambda_function;
pub mod aws_organizations_account;
pub mod aws_organizations_delegated_administrator;
pub mod aws_organizations_delegated_services_for_account;
pub mod aws_organizations_organizational_unit;
pub mod aws_organizations_policy;
pub mod aws_organizations_policy_target;
pub mod aws_organizations_root;
pub mod aws_region;
pub mod aws_resource;
pub mod aws_s3_bucket;
pub mod aws_secretsmanager_secret;
pub mod aws_ssm_managed_instance;
pub mod aws_sts_caller_identity;
pub mod aws_vpc;
pub mod aws_vpc_block_public_access_options;
pub mod aws_vpc_customer_gateway;
pub mod aws_vpc_dhcp_options;
pub mod aws_vpc_egress_only_internet_gateway;
pub mod aws_vpc_eip;
pub mod aws_vpc_eip_address_transfer;
pub mod aws_vpc_endpoint;
pub mod aws_vpc_endpoint_service;
pub mod aws_vpc_flow_log;
pub mod aws_vpc_flow_log_event;
pub mod aws_vpc_internet_gateway;
pub mod aws_vpc_nat_gateway;
pub mod aws_vpc_network_acl;
pub mod aws_vpc_peering_connection;
pub mod aws_vpc_route;
pub mod aws_vpc_route_table;
pub mod aws_vpc_security_group;
pub mod aws_vpc_security_group_rule;
pub mod aws_vpc_security_group_vpc_association;
pub mod aws_vpc_subnet;
pub mod aws_vpc_verified_access_endpoint;
pub mod aws_vpc_verified_access_group;
pub mod aws_vpc_verified_access_instance;
pub mod aws_vpc_verified_access_trust_provider;
pub mod aws_vpc_vpn_connection;
pub mod aws_vpc_vpn_gateway;

pub use account::{Aws, AwsSettings, Place};
use indago_table::{FunctionRef, TableRef};

/// All tables about AWS.
pub fn tables(env: &Aws) -> Vec<TableRef> {
    indago_table::tables![env;
        aws_account::Account,
        aws_account_alternate_contact::AlternateContact,
        aws_account_contact::Contact,
        aws_availability_zone::AvailabilityZone,
        aws_cloudtrail_channel::Channel,
        aws_cloudtrail_event::CloudTrailEvent,
        aws_cloudtrail_event_data_store::EventDataStore,
        aws_cloudtrail_import::Import,
        aws_cloudtrail_lookup_event::LookupEvent,
        aws_cloudtrail_query::Query,
        aws_cloudtrail_trail::Trail,
        aws_denied::Denied,
        aws_ebs_snapshot::Snapshot,
        aws_ebs_volume::Volume,
        aws_ec2_ami::Ami,
        aws_ec2_ami_shared::AmiShared,
        aws_ec2_application_load_balancer::ApplicationLoadBalancer,
        aws_ec2_autoscaling_group::AutoscalingGroup,
        aws_ec2_capacity_reservation::CapacityReservation,
        aws_ec2_classic_load_balancer::ClassicLoadBalancer,
        aws_ec2_client_vpn_endpoint::ClientVpnEndpoint,
        aws_ec2_fleet::Fleet,
        aws_ec2_gateway_load_balancer::GatewayLoadBalancer,
        aws_ec2_instance::Instance,
        aws_ec2_instance_availability::InstanceAvailability,
        aws_ec2_instance_type::InstanceType,
        aws_ec2_key_pair::KeyPair,
        aws_ec2_launch_configuration::LaunchConfiguration,
        aws_ec2_launch_template::LaunchTemplate,
        aws_ec2_launch_template_version::LaunchTemplateVersion,
        aws_ec2_load_balancer_listener::Listener,
        aws_ec2_load_balancer_listener_rule::ListenerRule,
        aws_ec2_managed_prefix_list::ManagedPrefixList,
        aws_ec2_managed_prefix_list_entry::ManagedPrefixListEntry,
        aws_ec2_network_interface::NetworkInterface,
        aws_ec2_network_load_balancer::NetworkLoadBalancer,
        aws_ec2_placement_group::PlacementGroup,
        aws_ec2_regional_settings::RegionalSettings,
        aws_ec2_reserved_instance::ReservedInstance,
        aws_ec2_spot_fleet_request::SpotFleetRequest,
        aws_ec2_spot_price::SpotPrice,
        aws_ec2_ssl_policy::SslPolicy,
        aws_ec2_target_group::TargetGroup,
        aws_ec2_transit_gateway::TransitGateway,
        aws_ec2_transit_gateway_route::TransitGatewayRoute,
        aws_ec2_transit_gateway_route_table::TransitGatewayRouteTable,
        aws_ec2_transit_gateway_vpc_attachment::TransitGatewayVpcAttachment,
        aws_ecr_image::Image,
        aws_ecr_repository::Repository,
        aws_eks_access_entry::AccessEntry,
        aws_eks_access_policy_association::AccessPolicyAssociation,
        aws_eks_addon::Addon,
        aws_eks_addon_version::AddonVersion,
        aws_eks_cluster::Cluster,
        aws_eks_fargate_profile::FargateProfile,
        aws_eks_identity_provider_config::IdentityProviderConfig,
        aws_eks_node_group::NodeGroup,
        aws_eks_pod_identity_association::PodIdentityAssociation,
        aws_guardduty_finding::Finding,
        aws_iam_access::Access,
        aws_iam_access_advisor::AccessAdvisor,
        aws_iam_access_key::AccessKey,
        aws_iam_account_password_policy::PasswordPolicy,
        aws_iam_account_summary::AccountSummary,
        aws_iam_assumable::Assumable,
        aws_iam_credential_report::CredentialReport,
        aws_iam_escalation::Escalation,
        aws_iam_group::Group,
        aws_iam_instance_profile::InstanceProfile,
        aws_iam_open_id_connect_provider::OpenIdConnectProvider,
        aws_iam_policy::Policy,
        aws_iam_policy_attachment::PolicyAttachment,
        aws_iam_policy_statement::PolicyStatement,
        aws_iam_role::Role,
        aws_iam_saml_provider::SamlProvider,
        aws_iam_server_certificate::ServerCertificate,
        aws_iam_service_specific_credential::ServiceSpecificCredential,
        aws_iam_unused_access::UnusedAccess,
        aws_iam_user::User,
        aws_iam_virtual_mfa_device::VirtualMfaDevice,
        aws_iam_who_can::WhoCan,
        aws_kms_key::Key,
        aws_lambda_function::Function,
        aws_organizations_account::Account,
        aws_organizations_delegated_administrator::DelegatedAdministrator,
        aws_organizations_delegated_services_for_account::DelegatedService,
        aws_organizations_organizational_unit::OrganizationalUnit,
        aws_organizations_policy::Policy,
        aws_organizations_policy_target::PolicyTarget,
        aws_organizations_root::Root,
        aws_region::Region,
        aws_resource::CloudResource,
        aws_s3_bucket::Bucket,
        aws_secretsmanager_secret::Secret,
        aws_ssm_managed_instance::ManagedInstance,
        aws_sts_caller_identity::CallerIdentity,
        aws_vpc::Vpc,
        aws_vpc_block_public_access_options::BlockPublicAccessOptions,
        aws_vpc_customer_gateway::CustomerGateway,
        aws_vpc_dhcp_options::DhcpOptions,
        aws_vpc_egress_only_internet_gateway::EgressOnlyInternetGateway,
        aws_vpc_eip::Eip,
        aws_vpc_eip_address_transfer::AddressTransfer,
        aws_vpc_endpoint::Endpoint,
        aws_vpc_endpoint_service::EndpointService,
        aws_vpc_flow_log::FlowLog,
        aws_vpc_flow_log_event::FlowLogEvent,
        aws_vpc_internet_gateway::InternetGateway,
        aws_vpc_nat_gateway::NatGateway,
        aws_vpc_network_acl::NetworkAcl,
        aws_vpc_peering_connection::PeeringConnection,
        aws_vpc_route::Route,
        aws_vpc_route_table::RouteTable,
        aws_vpc_security_group::SecurityGroup,
        aws_vpc_security_group_rule::SecurityGroupRule,
        aws_vpc_security_group_vpc_association::SecurityGroupVpcAssociation,
        aws_vpc_subnet::Subnet,
        aws_vpc_verified_access_endpoint::VerifiedAccessEndpoint,
        aws_vpc_verified_access_group::VerifiedAccessGroup,
        aws_vpc_verified_access_instance::VerifiedAccessInstance,
        aws_vpc_verified_access_trust_provider::VerifiedAccessTrustProvider,
        aws_vpc_vpn_connection::VpnConnection,
        aws_vpc_vpn_gateway::VpnGateway,
    ]
}

/// The scalar functions about AWS.
pub fn functions(env: &Aws) -> Vec<FunctionRef> {
    vec![iam_can::function(env), iam_evaluate::function(env)]
}
