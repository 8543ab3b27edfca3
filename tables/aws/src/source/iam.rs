//! Shared by IAM's tables: names for keys, and documents of its types.

use aws_sdk_iam::types::{AttachedPolicy, GroupDetail, Policy, PolicyDetail, UserDetail};
use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Site};
use crate::document::{Document, documents, names};
use crate::resource::{Derived, is_positive};

documents! { aws_sdk_iam::types {
    AttachedPermissionsBoundary: permissions_boundary_type, permissions_boundary_arn;
    AttachedPolicy: policy_name, policy_arn;
    Group: path, group_name, group_id, arn, create_date;
    GroupDetail: path, group_name, group_id, arn, create_date, group_policy_list, attached_managed_policies;
    InstanceProfile: path, instance_profile_name, instance_profile_id, arn, create_date, roles, tags;
    LoginProfile: user_name, create_date, password_reset_required;
    MfaDevice: user_name, serial_number, enable_date;
    Policy: policy_name, policy_id, arn, path, default_version_id, attachment_count,
        permissions_boundary_usage_count, is_attachable, description, create_date, update_date, tags;
    PolicyDetail: policy_name, policy_document;
    PolicyGroup: group_id, group_name;
    PolicyRole: role_id, role_name;
    PolicyUser: user_id, user_name;
    Role: path, role_name, role_id, arn, create_date, assume_role_policy_document, description,
        max_session_duration, permissions_boundary, tags, role_last_used, source_role_template;
    RoleDetail: path, role_name, role_id, arn, create_date, assume_role_policy_document, instance_profile_list,
        role_policy_list, attached_managed_policies, permissions_boundary, tags, role_last_used;
    RoleLastUsed: last_used_date, region;
    SourceRoleTemplate: template_arn, template_minor_version;
    Tag: key, value;
    User: path, user_name, user_id, arn, create_date, password_last_used, permissions_boundary, tags;
    UserDetail: path, user_name, user_id, arn, create_date, user_policy_list, group_list,
        attached_managed_policies, permissions_boundary, tags;
}}

names! { aws_sdk_iam::types { PermissionsBoundaryAttachmentType } }

/// The names to look up for keys on a name and on an ARN; `None` to list everything.
/// An ARN that cannot belong to this account or to this kind (`user`, `role`, `instance-profile`) gives no name.
/// Neither does a name that IAM would refuse.
pub(crate) fn names(
    names: Option<Vec<String>>,
    arns: Option<Vec<String>>,
    kind: &str,
    account_id: &str,
) -> Option<Vec<String>> {
    let found = match (names, arns) {
        (None, None) => return None,
        (Some(names), _) => names,
        (None, Some(arns)) => arns.iter().filter_map(|arn| name_in(arn, kind, account_id)).map(str::to_owned).collect(),
    };
    Some(found.into_iter().filter(|name| is_name(name)).collect())
}

/// The name in `arn:aws:iam::123456789012:role/some/path/name`.
fn name_in<'a>(arn: &'a str, kind: &str, account_id: &str) -> Option<&'a str> {
    let mut parts = arn.splitn(6, ':');
    let is_ours = parts.next() == Some("arn")
        && parts.next().is_some()
        && parts.next() == Some("iam")
        && parts.next().is_some_and(str::is_empty)
        && parts.next() == Some(account_id);
    let (found, path) = parts.next()?.split_once('/')?;
    if is_ours && found == kind { path.rsplit('/').next() } else { None }
}

/// Whether IAM accepts a text as a name. No other names exist, and requesting one is an error.
fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Whether a policy is AWS's own, by its ARN.
pub(crate) fn is_aws_managed(arn: &str) -> bool {
    arn.split(':').nth(4) == Some("aws")
}

/// The requested ARNs that can be policies of this account or of AWS.
pub(crate) fn policy_arns(arns: Vec<String>, account_id: &str) -> Vec<String> {
    let can_be = |arn: &String| {
        let mut parts = arn.splitn(6, ':');
        let is_iam = parts.next() == Some("arn") && parts.next().is_some() && parts.next() == Some("iam");
        let (_, account, name) = (parts.next(), parts.next(), parts.next());
        is_iam
            && (account == Some("aws") || account == Some(account_id))
            && name.and_then(|name| name.strip_prefix("policy/")).is_some_and(|path| path.split('/').all(is_name))
    };
    arns.into_iter().filter(can_be).collect()
}

/// The `attached_policy_arns` column, sorted.
pub(crate) fn attached(policies: impl IntoIterator<Item = AttachedPolicy>) -> Vec<String> {
    let mut arns: Vec<_> = policies.into_iter().filter_map(|policy| policy.policy_arn).collect();
    arns.sort();
    arns
}

/// Inline policies as names and documents.
pub(crate) fn documents(policies: Option<&[PolicyDetail]>) -> Vec<(String, String)> {
    let pair = |policy: &PolicyDetail| Some((policy.policy_name.clone()?, policy.policy_document.clone()?));
    policies.unwrap_or_default().iter().filter_map(pair).collect()
}

/// A group as in lists of groups: without its policies.
pub(crate) fn group(group: &GroupDetail) -> Value {
    let fields = ["Path", "GroupName", "GroupId", "Arn", "CreateDate"];
    group.document(&fields.iter().fold(Shape::default(), |shape, field| shape.with(field)))
}

/// A user as in lists of users: without its policies.
pub(crate) fn user(user: &UserDetail) -> Value {
    let fields = ["Path", "UserName", "UserId", "Arn", "CreateDate"];
    user.document(&fields.iter().fold(Shape::default(), |shape, field| shape.with(field)))
}

/// Whether a policy is attached to any user, group or role.
pub(crate) const IS_ATTACHED: Derived = Derived::new("isAttached", "AttachmentCount", is_positive);

/// A policy, from `iam:GetPolicy`.
pub(crate) async fn policy<T: Row<Env = Aws>>(scan: &Scan<T>, site: &Site, arn: &str) -> Result<Policy> {
    let request = site.iam().get_policy().policy_arn(arn);
    let answer = site.call(scan, "iam:GetPolicy", || request.clone().send()).await?;
    answer.policy.ok_or_else(|| site.nothing("iam:GetPolicy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_names() {
        let texts = |list: &[&str]| Some(list.iter().map(ToString::to_string).collect::<Vec<_>>());
        let arn = "arn:aws:iam::111111111111:role/service/path/worker";
        assert_eq!(names(None, None, "role", ""), None);
        assert_eq!(names(texts(&["a", "", "b c", "x/y"]), None, "role", ""), texts(&["a"]));
        assert_eq!(names(None, texts(&[arn]), "role", "111111111111"), texts(&["worker"]));
        assert_eq!(names(None, texts(&[arn]), "role", "222222222222"), texts(&[]));
        assert_eq!(names(None, texts(&[arn]), "user", "111111111111"), texts(&[]));
        let odd =
            ["", "arn", "arn:aws:s3:::bucket", "arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:role/"];
        assert_eq!(names(None, texts(&odd), "role", "111111111111"), texts(&[]));
    }

    #[test]
    fn only_policies_within_reach_are_asked_for() {
        let ours = "arn:aws:iam::111111111111:policy/team/deploy";
        let aws = "arn:aws:iam::aws:policy/AdministratorAccess";
        let others = ["arn:aws:iam::222222222222:policy/x", "arn:aws:iam::111111111111:role/x", "policy", ""];
        let arns = [ours, aws].into_iter().chain(others).map(str::to_owned).collect();
        assert_eq!(policy_arns(arns, "111111111111"), [ours, aws]);
        assert!(is_aws_managed(aws) && !is_aws_managed(ours) && !is_aws_managed("nonsense"));
    }
}
