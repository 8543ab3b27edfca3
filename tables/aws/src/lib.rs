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
mod http;
mod iam_evaluate;
mod inflate;
mod partition;
mod profile;
mod resource;
mod services;
mod source;
#[cfg(test)]
mod testing;
mod xml;

pub mod aws_account;
pub mod aws_account_alternate_contact;
pub mod aws_account_contact;
pub mod aws_cloudtrail_channel;
pub mod aws_cloudtrail_event;
pub mod aws_cloudtrail_event_data_store;
pub mod aws_cloudtrail_import;
pub mod aws_cloudtrail_lookup_event;
pub mod aws_cloudtrail_query;
pub mod aws_cloudtrail_trail;
pub mod aws_denied;
pub mod aws_ec2_instance;
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
pub mod aws_iam_access_advisor;
pub mod aws_iam_access_key;
pub mod aws_iam_account_password_policy;
pub mod aws_iam_account_summary;
pub mod aws_iam_credential_report;
pub mod aws_iam_group;
pub mod aws_iam_instance_profile;
pub mod aws_iam_open_id_connect_provider;
pub mod aws_iam_policy;
pub mod aws_iam_policy_attachment;
pub mod aws_iam_role;
pub mod aws_iam_saml_provider;
pub mod aws_iam_server_certificate;
pub mod aws_iam_service_specific_credential;
pub mod aws_iam_user;
pub mod aws_iam_virtual_mfa_device;
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
pub mod aws_vpc_security_group;
pub mod aws_vpc_security_group_rule;

pub use account::{Aws, AwsSettings, Place};
use indago_table::{FunctionRef, TableRef};

/// All tables about AWS.
pub fn tables(env: &Aws) -> Vec<TableRef> {
    indago_table::tables![env;
        aws_account::Account,
        aws_account_alternate_contact::AlternateContact,
        aws_account_contact::Contact,
        aws_cloudtrail_channel::Channel,
        aws_cloudtrail_event::CloudTrailEvent,
        aws_cloudtrail_event_data_store::EventDataStore,
        aws_cloudtrail_import::Import,
        aws_cloudtrail_lookup_event::LookupEvent,
        aws_cloudtrail_query::Query,
        aws_cloudtrail_trail::Trail,
        aws_denied::Denied,
        aws_ec2_instance::Instance,
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
        aws_iam_access_advisor::AccessAdvisor,
        aws_iam_access_key::AccessKey,
        aws_iam_account_password_policy::PasswordPolicy,
        aws_iam_account_summary::AccountSummary,
        aws_iam_credential_report::CredentialReport,
        aws_iam_group::Group,
        aws_iam_instance_profile::InstanceProfile,
        aws_iam_open_id_connect_provider::OpenIdConnectProvider,
        aws_iam_policy::Policy,
        aws_iam_policy_attachment::PolicyAttachment,
        aws_iam_role::Role,
        aws_iam_saml_provider::SamlProvider,
        aws_iam_server_certificate::ServerCertificate,
        aws_iam_service_specific_credential::ServiceSpecificCredential,
        aws_iam_user::User,
        aws_iam_virtual_mfa_device::VirtualMfaDevice,
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
        aws_vpc_security_group::SecurityGroup,
        aws_vpc_security_group_rule::SecurityGroupRule,
    ]
}

/// The scalar functions about AWS.
pub fn functions(env: &Aws) -> Vec<FunctionRef> {
    vec![iam_evaluate::function(env)]
}
