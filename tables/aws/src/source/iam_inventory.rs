//! Documents of IAM's types outside users, groups, roles and policies.

use crate::document::{documents, names};

documents! { aws_sdk_iam::types {
    AccessKeyLastUsed: last_used_date, service_name, region;
    AccessKeyMetadata: user_name, access_key_id, status, create_date;
    OpenIdConnectProviderListEntry: arn;
    PasswordPolicy: minimum_password_length, require_symbols, require_numbers, require_uppercase_characters,
        require_lowercase_characters, allow_users_to_change_password, expire_passwords, max_password_age,
        password_reuse_prevention, hard_expiry;
    SamlProviderListEntry: arn, valid_until, create_date;
    ServerCertificateMetadata: path, server_certificate_name, server_certificate_id, arn, upload_date, expiration;
    ServiceLastAccessed: service_name, last_authenticated, service_namespace, last_authenticated_entity,
        last_authenticated_region, total_authenticated_entities, tracked_actions_last_accessed;
    ServiceSpecificCredentialMetadata: user_name, status, service_user_name, service_credential_alias, create_date,
        expiration_date, service_specific_credential_id, service_name;
    TrackedActionLastAccessed: action_name, last_accessed_entity, last_accessed_time, last_accessed_region;
}}

names! { aws_sdk_iam::types { StatusType } }
