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
mod iam_can;
mod iam_evaluate;
mod partition;
mod permission;
mod profile;
mod resource;
mod source;
#[cfg(test)]
mod testing;

pub mod aws_account;
pub mod aws_ec2_instance;
pub mod aws_iam_access;
pub mod aws_iam_assumable;
pub mod aws_iam_escalation;
pub mod aws_iam_instance_profile;
pub mod aws_iam_policy;
pub mod aws_iam_policy_attachment;
pub mod aws_iam_policy_statement;
pub mod aws_iam_role;
pub mod aws_iam_user;
pub mod aws_iam_who_can;
pub mod aws_region;
pub mod aws_sts_caller_identity;
pub mod aws_vpc_security_group;
pub mod aws_vpc_security_group_rule;

pub use account::{Aws, AwsSettings, Place};
use indago_table::{FunctionRef, TableRef};

/// All tables about AWS.
pub fn tables(env: &Aws) -> Vec<TableRef> {
    indago_table::tables![env;
        aws_account::Account,
        aws_ec2_instance::Instance,
        aws_iam_access::Access,
        aws_iam_assumable::Assumable,
        aws_iam_escalation::Escalation,
        aws_iam_instance_profile::InstanceProfile,
        aws_iam_policy::Policy,
        aws_iam_policy_attachment::PolicyAttachment,
        aws_iam_policy_statement::PolicyStatement,
        aws_iam_role::Role,
        aws_iam_user::User,
        aws_iam_who_can::WhoCan,
        aws_region::Region,
        aws_sts_caller_identity::CallerIdentity,
        aws_vpc_security_group::SecurityGroup,
        aws_vpc_security_group_rule::SecurityGroupRule,
    ]
}

/// The scalar functions about AWS.
pub fn functions(env: &Aws) -> Vec<FunctionRef> {
    vec![iam_can::function(env), iam_evaluate::function(env)]
}
