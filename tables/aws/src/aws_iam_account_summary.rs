//! `aws_iam_account_summary`: one row per account, from `iam:GetAccountSummary`.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Place, Site};
use crate::resource::{Derived, Origin, Reader, Resource};

/// Number of IAM's objects in each account, and their quotas.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_account_summary", env = Aws, stream, rows = 1, needs("iam:GetAccountSummary"), identity(account_id))]
#[example(
    "Accounts whose root user has access keys or no MFA device.",
    "SELECT account_id FROM aws_iam_account_summary WHERE account_access_keys_present > 0 OR NOT account_mfa_enabled"
)]
pub struct AccountSummary {
    /// Most access keys of a user.
    #[column(path = "AccessKeysPerUserQuota")]
    access_keys_per_user_quota: Option<i64>,
    /// Access keys of the root user.
    #[column(path = "AccountAccessKeysPresent")]
    account_access_keys_present: Option<i64>,
    /// Whether the root user has an MFA device.
    #[column(path = "isMfaEnabled")]
    account_mfa_enabled: Option<bool>,
    /// Whether the root user has a password: 0 or 1; NULL if AWS does not state it.
    #[column(path = "AccountPasswordPresent")]
    account_password_present: Option<i64>,
    /// Signing certificates of the root user.
    #[column(path = "AccountSigningCertificatesPresent")]
    account_signing_certificates_present: Option<i64>,
    /// Largest trust policy, in characters.
    #[column(path = "AssumeRolePolicySizeQuota")]
    assume_role_policy_size_quota: Option<i64>,
    /// Most managed policies attached to a group.
    #[column(path = "AttachedPoliciesPerGroupQuota")]
    attached_policies_per_group_quota: Option<i64>,
    /// Most managed policies attached to a role.
    #[column(path = "AttachedPoliciesPerRoleQuota")]
    attached_policies_per_role_quota: Option<i64>,
    /// Most managed policies attached to a user.
    #[column(path = "AttachedPoliciesPerUserQuota")]
    attached_policies_per_user_quota: Option<i64>,
    /// Version of tokens from the global endpoint of STS.
    #[column(path = "GlobalEndpointTokenVersion")]
    global_endpoint_token_version: Option<i64>,
    /// Largest total of a group's inline policies, in characters.
    #[column(path = "GroupPolicySizeQuota")]
    group_policy_size_quota: Option<i64>,
    /// Groups.
    #[column(path = "Groups")]
    groups: Option<i64>,
    /// Most groups of a user.
    #[column(path = "GroupsPerUserQuota")]
    groups_per_user_quota: Option<i64>,
    /// Most groups.
    #[column(path = "GroupsQuota")]
    groups_quota: Option<i64>,
    /// Instance profiles.
    #[column(path = "InstanceProfiles")]
    instance_profiles: Option<i64>,
    /// Most instance profiles.
    #[column(path = "InstanceProfilesQuota")]
    instance_profiles_quota: Option<i64>,
    /// MFA devices.
    #[column(path = "MFADevices")]
    mfa_devices: Option<i64>,
    /// MFA devices that belong to a user.
    #[column(path = "MFADevicesInUse")]
    mfa_devices_in_use: Option<i64>,
    /// Managed policies of the account.
    #[column(path = "Policies")]
    policies: Option<i64>,
    /// Most managed policies.
    #[column(path = "PoliciesQuota")]
    policies_quota: Option<i64>,
    /// Largest managed policy, in characters.
    #[column(path = "PolicySizeQuota")]
    policy_size_quota: Option<i64>,
    /// Versions of managed policies.
    #[column(path = "PolicyVersionsInUse")]
    policy_versions_in_use: Option<i64>,
    /// Most versions of managed policies.
    #[column(path = "PolicyVersionsInUseQuota")]
    policy_versions_in_use_quota: Option<i64>,
    /// Identity providers.
    #[column(path = "Providers")]
    providers: Option<i64>,
    /// Largest total of a role's inline policies, in characters.
    #[column(path = "RolePolicySizeQuota")]
    role_policy_size_quota: Option<i64>,
    /// Roles.
    #[column(path = "Roles")]
    roles: Option<i64>,
    /// Most roles.
    #[column(path = "RolesQuota")]
    roles_quota: Option<i64>,
    /// Server certificates.
    #[column(path = "ServerCertificates")]
    server_certificates: Option<i64>,
    /// Most server certificates.
    #[column(path = "ServerCertificatesQuota")]
    server_certificates_quota: Option<i64>,
    /// Most signing certificates of a user.
    #[column(path = "SigningCertificatesPerUserQuota")]
    signing_certificates_per_user_quota: Option<i64>,
    /// Largest total of a user's inline policies, in characters.
    #[column(path = "UserPolicySizeQuota")]
    user_policy_size_quota: Option<i64>,
    /// Users.
    #[column(path = "Users")]
    users: Option<i64>,
    /// Most users.
    #[column(path = "UsersQuota")]
    users_quota: Option<i64>,
    /// Most versions of a managed policy.
    #[column(path = "VersionsPerPolicyQuota")]
    versions_per_policy_quota: Option<i64>,
    #[column(flatten)]
    origin: Origin,
}

const GET: &str = "iam:GetAccountSummary";

/// Whether a number is not 0; null if there is none.
fn is_set(value: &Value) -> Value {
    value.as_i64().map_or_else(|| value.clone(), |value| (value != 0).into())
}

impl RowStream for AccountSummary {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, GET)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| stream::once(AccountSummary::read(scan, site)).boxed())
    }
}

impl Resource for AccountSummary {
    const TITLE_FORM: &'static str = "{@account_id}";
    const DERIVED: &'static [Derived] = &[Derived::new("isMfaEnabled", "AccountMFAEnabled", is_set)];
}

impl AccountSummary {
    async fn read(scan: &Scan<Self>, site: Site) -> Result<Self> {
        let request = site.iam().get_account_summary();
        let answer = site.call(scan, GET, || request.clone().send()).await?;
        let map = answer.summary_map.ok_or_else(|| site.nothing(GET))?;
        let summary: Value = map.iter().map(|(key, count)| (key.as_str().to_owned(), Value::from(*count))).collect();
        Reader::listed(scan, &site).row(scan, &summary)
    }
}
