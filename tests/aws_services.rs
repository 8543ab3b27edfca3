//! IAM's inventory and the services outside EC2: compared with boto3's answers in the same run, with recorded responses
//! of calls that moto lacks, and CloudTrail's log files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use indago_engine::{Engine, Outcome, Warning};
use indago_tables_registry::{Aws, AwsSettings, Environments, all};
use indago_testkit::beds::{Effect, Rule};
use serde_json::{Value, json};

use crate::aws::{Bed, partly, rows, runtime};
use crate::cli::{Ran, indago, ran};
use crate::support::{root, sql_blocks};

const EXPECTED: &str = include_str!("fixtures/aws/services_expected.py");

/// Columns that are not compared with boto3, and why.
const OTHERS: [(&str, &[&str]); 5] = [
    // moto makes a new report and delivers a new file for each call.
    ("aws_cloudtrail_trail", &["latest_delivery_time"]),
    ("aws_iam_credential_report", &["generated_time"]),
    // moto answers GetBucketPolicyStatus with a list of objects. The .slt file has the others.
    ("aws_s3_bucket", &["acl", "bucket_policy_is_public", "server_side_encryption_configuration"]),
    // moto lacks ListMFADeviceTags and ListFunctionUrlConfigs.
    ("aws_iam_virtual_mfa_device", &["tags", "tags_src"]),
    ("aws_lambda_function", &["url_config"]),
];

/// The program with the bed's profile `default`, in two regions.
fn query(bed: &Bed, sql: &str, log: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("indago.toml");
    std::fs::write(&file, "[aws]\nprofiles = [\"default\"]\nregions = [\"us-east-1\", \"eu-west-1\"]\n")
        .expect("written");
    let mut command = indago();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_CONFIG_FILE", bed.config()).env("HOME", folder.path()).env("INDAGO_LOG", log);
    ran(command.arg("--config").arg(&file).args(["query", sql]).output().expect("indago runs")).expect(0)
}

/// Whether a value of a row is what boto3 answered. Documents are text in rows, and times are text or seconds.
fn same(row: &Value, expected: &Value) -> bool {
    match (row, expected) {
        (Value::String(text), Value::Object(members)) if members.contains_key("time") => {
            let time = chrono::DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_micros());
            time.is_ok_and(|time| members["time"] == time)
        }
        (Value::Number(seconds), Value::Object(members)) if members.contains_key("time") => {
            let micros = members["time"].as_f64().unwrap_or_default();
            (seconds.as_f64().unwrap_or_default() * 1e6 - micros).abs() < 1.0
        }
        (Value::String(text), Value::Object(_) | Value::Array(_)) => {
            serde_json::from_str(text).is_ok_and(|document: Value| !document.is_string() && same(&document, expected))
        }
        (Value::Object(row), Value::Object(expected)) => {
            let names: BTreeSet<_> = row.keys().chain(expected.keys()).collect();
            names
                .into_iter()
                .all(|name| same(row.get(name).unwrap_or(&Value::Null), expected.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Array(row), Value::Array(expected)) => {
            row.len() == expected.len() && row.iter().zip(expected).all(|(row, expected)| same(row, expected))
        }
        (row, expected) => row == expected,
    }
}

#[test]
fn every_column_is_what_boto3_answers() {
    let bed = Bed::with_services();
    let expected = bed.moto().seed(EXPECTED).expect("boto3 answers");
    let expected: BTreeMap<String, Vec<Value>> = serde_json::from_str(&expected).expect("JSON");
    assert!(expected.len() >= 25, "{:?}", expected.keys());
    let environments = Environments { aws: Some(Aws::default()), ..Environments::default() };
    let tables = all(&environments);
    let mut failures = Vec::new();
    let mut written = String::new();
    for (table, expected) in &expected {
        let spec = tables.iter().find(|known| known.spec().name == *table).expect("a table").spec();
        let first = expected.first().and_then(Value::as_object).unwrap_or_else(|| panic!("{table} has no rows"));
        let others = OTHERS.iter().find(|(name, _)| name == table).map_or(&[][..], |(_, columns)| columns);
        let compared: BTreeSet<&str> = first.keys().map(String::as_str).chain(others.iter().copied()).collect();
        let all: BTreeSet<&str> =
            spec.columns.iter().filter(|column| !column.hidden).map(|column| column.name.as_ref()).collect();
        if compared != all {
            let missing: Vec<_> = all.symmetric_difference(&compared).collect();
            failures.push(format!("{table}: columns {missing:?} are not compared"));
        }
        let columns: Vec<String> = first.keys().map(|column| format!("\"{column}\"")).collect();
        let ran = query(&bed, &format!("SELECT {} FROM {table}", columns.join(", ")), "trace");
        let rows = ran.json();
        let rows = rows.as_array().expect("rows");
        if ran.err.contains("warning") || rows.len() != expected.len() {
            let warnings: Vec<_> = ran.err.lines().filter(|line| line.contains("warning")).take(5).collect();
            failures.push(format!("{table}: {} rows instead of {}: {warnings:?}", rows.len(), expected.len()));
        }
        for expected in expected {
            let differences = |row: &Value| -> Vec<String> {
                let members = expected.as_object().into_iter().flatten();
                // The program itself uses the key of `default`.
                let is_later = |name: &str, row: &Value| name.contains("last_used_date") && row.is_string();
                let differ = members.filter(|(name, value)| {
                    let row = &row[name.as_str()];
                    !(same(row, value) || is_later(name, row) && value.is_object())
                });
                differ.map(|(name, value)| format!("{name}: {} instead of {value}", row[name.as_str()])).collect()
            };
            let closest = rows.iter().map(differences).min_by_key(Vec::len).unwrap_or_default();
            if !closest.is_empty() {
                failures.push(format!("{table}: {}", closest.join("\n    ")));
            }
        }
        written += &ran.out;
        written += &ran.err;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // The rows and the most detailed logs have none of the values that services.py marks, nor the seeds of devices.
    assert!(!written.contains("TOPSECRET") && !written.contains("hunter2"), "a secret was written");
    let (_, secret) = bed.moto().key("default").expect("a key");
    assert!(!written.contains(&secret), "a secret key was written");
    assert!(!written.contains("Base32StringSeed"), "a seed was written");
}

async fn engine(bed: &Bed) -> Engine {
    bed.engine(&["default"], &["us-east-1"]).await
}

/// The calls of a query outside STS: targets without the service's version, paths, or actions.
async fn calls(bed: &Bed, engine: &Engine, sql: &str) -> Vec<String> {
    bed.proxy().clear_requests();
    rows(engine, sql).await;
    let name = |request: indago_testkit::beds::Request| {
        let action = request.body.split('&').find_map(|pair| pair.strip_prefix("Action=").map(str::to_owned));
        let target = request.target.and_then(|target| target.rsplit('.').next().map(str::to_owned));
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        target.or(action).unwrap_or_else(|| format!("{} {}{query}", request.method, request.path))
    };
    let mut calls: Vec<String> = bed.proxy().requests().into_iter().map(name).collect();
    calls.retain(|call| call != "GetCallerIdentity");
    calls.sort();
    calls
}

#[test]
fn keys_and_columns_decide_the_calls() {
    let bed = Bed::with_services();
    runtime().block_on(async {
        let engine = engine(&bed).await;
        for (sql, expected) in [
            ("SELECT name FROM aws_iam_group", &["ListGroups"][..]),
            (
                "SELECT users, inline_policies, attached_policy_arns FROM aws_iam_group",
                &["GetAccountAuthorizationDetails", "ListGroups"],
            ),
            (
                "SELECT users, attached_policy_arns FROM aws_iam_group WHERE name = 'auditors'",
                &["GetGroup", "GetGroup", "ListAttachedGroupPolicies"],
            ),
            ("SELECT access_key_id FROM aws_iam_access_key WHERE user_name = 'alice'", &["ListAccessKeys"]),
            ("SELECT access_key_id FROM aws_iam_access_key WHERE access_key_id = 'no-key'", &[]),
            (
                "SELECT user_name FROM aws_iam_credential_report WHERE mfa_active",
                &["GenerateCredentialReport", "GenerateCredentialReport", "GetCredentialReport"],
            ),
            ("SELECT name FROM aws_iam_server_certificate", &["ListServerCertificates"]),
            ("SELECT name FROM aws_organizations_account", &["ListAccounts"]),
            (
                "SELECT name, parent_id FROM aws_organizations_account",
                &[
                    "ListAccountsForParent",
                    "ListAccountsForParent",
                    "ListAccountsForParent",
                    "ListOrganizationalUnitsForParent",
                    "ListOrganizationalUnitsForParent",
                    "ListOrganizationalUnitsForParent",
                    "ListRoots",
                ],
            ),
            ("SELECT name FROM aws_organizations_account WHERE id = '123456789012'", &["DescribeAccount"]),
            ("SELECT name FROM aws_organizations_policy WHERE type = 'SERVICE_CONTROL_POLICY'", &["ListPolicies"]),
            ("SELECT name FROM aws_eks_cluster", &["GET /clusters"]),
            ("SELECT status FROM aws_eks_cluster WHERE name = 'main'", &["GET /clusters/main"]),
            ("SELECT status FROM aws_eks_cluster WHERE name IN ('..', 'a/b', '')", &[]),
            (
                "SELECT status FROM aws_eks_node_group WHERE cluster_name = 'main'",
                &["GET /clusters/main/node-groups", "GET /clusters/main/node-groups/workers"],
            ),
            ("SELECT name FROM aws_cloudtrail_trail", &["DescribeTrails"]),
            ("SELECT is_logging, start_logging_time FROM aws_cloudtrail_trail", &["DescribeTrails", "GetTrailStatus"]),
            ("SELECT repository_name FROM aws_ecr_repository", &["DescribeRepositories"]),
            ("SELECT image_digest FROM aws_ecr_image WHERE repository_name = 'web'", &["DescribeImages"]),
            ("SELECT name FROM aws_lambda_function", &["GET /2015-03-31/functions"]),
            (
                "SELECT role FROM aws_lambda_function WHERE name = 'hello'",
                &["GET /2015-03-31/functions/hello/configuration"],
            ),
            ("SELECT name FROM aws_secretsmanager_secret", &["ListSecrets"]),
            ("SELECT id FROM aws_kms_key", &["ListKeys"]),
            ("SELECT aliases, policy FROM aws_kms_key", &["GetKeyPolicy", "ListAliases", "ListKeys"]),
            (
                "SELECT policy FROM aws_s3_bucket WHERE name = 'acme-logs'",
                &["GET /", "GET /acme-logs", "GET /acme-logs"],
            ),
            ("SELECT name FROM aws_eks_cluster WHERE region = 'global'", &[]),
        ] {
            let found = calls(&bed, &engine, sql).await;
            let found: Vec<&str> = found.iter().map(|call| call.split('?').next().unwrap_or_default()).collect();
            assert_eq!(found, expected, "{sql}");
        }
    });
}

#[test]
fn a_call_that_the_endpoint_lacks_is_one_warning() {
    let bed = Bed::with_services();
    runtime().block_on(async {
        let engine = engine(&bed).await;
        for (sql, action) in [
            ("SELECT full_name FROM aws_account_contact", "account:GetContactInformation"),
            ("SELECT name FROM aws_cloudtrail_channel", "cloudtrail:ListChannels"),
            ("SELECT name FROM aws_cloudtrail_event_data_store", "cloudtrail:ListEventDataStores"),
            ("SELECT import_id FROM aws_cloudtrail_import", "cloudtrail:ListImports"),
            ("SELECT query_id FROM aws_cloudtrail_query", "cloudtrail:ListEventDataStores"),
            ("SELECT event_id FROM aws_cloudtrail_lookup_event", "cloudtrail:LookupEvents"),
            ("SELECT event_id FROM aws_cloudtrail_event", "cloudtrail:LookupEvents"),
            ("SELECT action FROM aws_denied", "cloudtrail:LookupEvents"),
            ("SELECT addon_name FROM aws_eks_addon", "eks:ListAddons"),
            ("SELECT addon_version FROM aws_eks_addon_version", "eks:DescribeAddonVersions"),
            ("SELECT principal_arn FROM aws_eks_access_entry", "eks:ListAccessEntries"),
            ("SELECT policy_arn FROM aws_eks_access_policy_association", "eks:ListAccessEntries"),
            ("SELECT name FROM aws_eks_identity_provider_config", "eks:ListIdentityProviderConfigs"),
            ("SELECT association_id FROM aws_eks_pod_identity_association", "eks:ListPodIdentityAssociations"),
            ("SELECT user_name FROM aws_iam_service_specific_credential", "iam:ListServiceSpecificCredentials"),
            (
                "SELECT service_name FROM aws_iam_access_advisor WHERE principal_arn = 'arn:aws:iam::123456789012:user/alice'",
                "iam:GenerateServiceLastAccessedDetails",
            ),
            ("SELECT instance_id FROM aws_ssm_managed_instance", "ssm:DescribeInstanceInformation"),
            ("SELECT identifier FROM aws_resource WHERE type = 'AWS::SNS::Topic'", "cloudformation:ListResources"),
        ] {
            let (found, warnings) = partly(&engine, sql).await;
            let [warning] = warnings.as_slice() else { panic!("{sql}: {warnings:?}") };
            assert!(found.is_empty(), "{sql}: {found:?}");
            assert_eq!(warning.outcome, Outcome::Malformed, "{sql}: {warning}");
            let message = &warning.message;
            assert!(message.contains(action) && message.contains("the response is a web page"), "{sql}: {message}");
        }
        // One bad column costs no other.
        let (found, warnings) = partly(&engine, "SELECT name, url_config, timeout FROM aws_lambda_function").await;
        assert_eq!((found, warnings.len()), (vec!["hello NULL 7".to_owned()], 1));
        let (found, warnings) = partly(&engine, "SELECT identifier FROM aws_resource WHERE type = 'S3 buckets'").await;
        assert!(found.is_empty() && warnings[0].message.contains("types have names such as AWS::S3::Bucket"), "{warnings:?}");
        // The queries of the guide run; moto lacks the calls of some.
        let guide = std::fs::read_to_string(root().join("docs/guide/aws.md")).expect("the page");
        let (_, guide) = guide.split_once("## What the accounts have").expect("its section");
        let (guide, _) = guide.split_once("## What a policy allows").expect("the next section");
        let queries = sql_blocks(guide).flat_map(|block| block.split(";\n")).map(str::trim);
        let queries: Vec<&str> = queries.filter(|sql| !sql.is_empty()).collect();
        assert!(queries.len() >= 7, "{queries:?}");
        for sql in queries {
            partly(&engine, sql).await;
        }
    });
}

fn answer(body: &Value) -> Effect {
    Effect::Status {
        code: 200,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.to_string(),
    }
}

/// Responses in the forms of AWS's API reference, for calls that moto lacks. The source of each is the page of its
/// operation: `https://docs.aws.amazon.com/SERVICE/latest/APIReference/API_OPERATION.html`.
#[test]
fn recorded_responses_become_rows() {
    let bed = Bed::with_services();
    let proxy = bed.proxy();
    let cluster = "/clusters/main";
    let entry = "arn:aws:iam::123456789012:role/dev";
    for (path, body) in [
        (
            format!("{cluster}/access-entries/arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdev/access-policies"),
            json!({"clusterName": "main", "principalArn": entry, "associatedAccessPolicies": [{
                "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
                "accessScope": {"type": "namespace", "namespaces": ["dev"]},
                "associatedAt": 1_796_077_416.5, "modifiedAt": 1_796_077_417.0}]}),
        ),
        (
            format!("{cluster}/access-entries/arn"),
            json!({"accessEntry": {
                "clusterName": "main", "principalArn": entry, "accessEntryArn": "arn:aws:eks:us-east-1:123456789012:access-entry/1",
                "kubernetesGroups": ["viewers"], "type": "STANDARD", "username": "dev", "createdAt": 1_796_077_416.5,
                "modifiedAt": 1_796_077_416.5, "tags": {"team": "ops"}}}),
        ),
        (format!("{cluster}/access-entries"), json!({"accessEntries": [entry]})),
        (
            format!("{cluster}/pod-identity-associations/a-1"),
            json!({"association": {"clusterName": "main", "namespace": "web", "serviceAccount": "api", "associationId": "a-1",
                "roleArn": "arn:aws:iam::123456789012:role/app/web", "associationArn": "arn:aws:eks:::a-1", "tags": {}}}),
        ),
        (
            format!("{cluster}/pod-identity-associations"),
            json!({"associations": [{"clusterName": "main", "namespace": "web", "serviceAccount": "api",
                "associationArn": "arn:aws:eks:::a-1", "associationId": "a-1"}]}),
        ),
        (
            format!("{cluster}/addons/vpc-cni"),
            json!({"addon": {"addonName": "vpc-cni", "clusterName": "main", "status": "ACTIVE", "addonVersion": "v1.19.0",
                "health": {"issues": []}, "addonArn": "arn:aws:eks:::addon/1", "createdAt": 1_796_077_416, "tags": {}}}),
        ),
        (format!("{cluster}/addons"), json!({"addons": ["vpc-cni"]})),
        (
            format!("{cluster}/identity-provider-configs/describe"),
            json!({"identityProviderConfig": {"oidc": {"identityProviderConfigName": "corp", "clientId": "k8s",
                "issuerUrl": "https://login.example.com", "groupsClaim": "groups", "requiredClaims": {"aud": "k8s"},
                "identityProviderConfigArn": "arn:aws:eks:::idp/1", "status": "ACTIVE", "tags": {}}}}),
        ),
        (
            format!("{cluster}/identity-provider-configs"),
            json!({"identityProviderConfigs": [{"type": "oidc", "name": "corp"}]}),
        ),
        (
            "/addons/supported-versions".to_owned(),
            json!({"addons": [{"addonName": "vpc-cni", "type": "networking", "addonVersions": [
                {"addonVersion": "v1.19.0", "architecture": ["amd64", "arm64"], "compatibilities": [{"clusterVersion": "1.31"}]},
                {"addonVersion": "v1.18.0", "architecture": ["amd64"]}]}]}),
        ),
        (
            "/findings/get".to_owned(),
            json!({"findings": [{"id": "f1", "arn": "arn:aws:guardduty:::f1", "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller",
                "severity": 8.5, "title": "Odd.", "createdAt": "2026-11-30T10:00:00.000Z", "updatedAt": "2026-11-30T11:00:00.000Z",
                "resource": {"resourceType": "AccessKey", "accessKeyDetails": {"accessKeyId": "AKIA1", "userName": "alice"}},
                "service": {"detectorId": "d1", "archived": false, "count": 3, "eventFirstSeen": "2026-11-30T09:00:00Z"}}]}),
        ),
        ("/findings".to_owned(), json!({"findingIds": ["f1"]})),
        ("/detector".to_owned(), json!({"detectorIds": ["d1"]})),
        (
            "/getContactInformation".to_owned(),
            json!({"ContactInformation": {"FullName": "Acme", "AddressLine1": "1 Road", "City": "Town", "CountryCode": "DE",
                "PhoneNumber": "+49", "PostalCode": "1"}}),
        ),
    ] {
        proxy.rule(Rule::new(answer(&body)).path(&path));
    }
    let event = json!({
        "eventVersion": "1.11", "eventID": "e1", "eventTime": "2026-11-30T22:00:01Z", "eventSource": "s3.amazonaws.com",
        "eventName": "ListBuckets", "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.7", "readOnly": true,
        "errorCode": "AccessDenied", "recipientAccountId": "123456789012", "eventType": "AwsApiCall",
        "errorMessage": "User: arn:aws:sts::123456789012:assumed-role/web/i-1 is not authorized to perform: \
                         s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action",
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/web/i-1", "accessKeyId": "ASIA1",
            "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::123456789012:role/app/web"},
                               "attributes": {"mfaAuthenticated": "false"}}},
        "responseElements": {"credentials": {"sessionToken": "TOPSECRET"}},
    });
    let listed = json!({"EventId": "e1", "EventName": "ListBuckets", "EventSource": "s3.amazonaws.com", "ReadOnly": "true",
        "AccessKeyId": "ASIA1", "EventTime": 1_796_076_001, "Username": "i-1", "CloudTrailEvent": event.to_string(),
        "Resources": [{"ResourceType": "AWS::S3::Bucket", "ResourceName": "acme-logs"},
                      {"ResourceType": "AWS::S3::Bucket", "ResourceName": "acme-eu"}]});
    let damaged = json!({"EventId": "e2", "EventName": "X", "EventTime": 1_796_076_000, "CloudTrailEvent": "{"});
    for (target, body) in [
        (".LookupEvents", json!({"Events": [listed, damaged]})),
        (".ListChannels", json!({"Channels": [{"ChannelArn": "arn:aws:cloudtrail:::channel/1", "Name": "c"}]})),
        (
            ".GetChannel",
            json!({"ChannelArn": "arn:aws:cloudtrail:::channel/1", "Name": "c", "Source": "Custom",
            "SourceConfig": {"ApplyToAllRegions": true}, "Destinations": [{"Type": "EVENT_DATA_STORE", "Location": "x"}]}),
        ),
        (
            ".ListEventDataStores",
            json!({"EventDataStores": [
            {"EventDataStoreArn": "arn:aws:cloudtrail:us-east-1:123456789012:eventdatastore/1", "Name": "lake"}]}),
        ),
        (
            ".GetEventDataStore",
            json!({"Name": "lake", "Status": "ENABLED", "RetentionPeriod": 365, "MultiRegionEnabled": true,
            "CreatedTimestamp": 1_796_077_416.25}),
        ),
        (
            ".ListImports",
            json!({"Imports": [{"ImportId": "i1", "ImportStatus": "FAILED", "Destinations": ["a"],
            "CreatedTimestamp": 1_796_077_416}]}),
        ),
        (
            ".ListQueries",
            json!({"Queries": [{"QueryId": "q1", "QueryStatus": "FINISHED", "CreationTime": 1_796_077_416}]}),
        ),
        (
            ".DescribeQuery",
            json!({"QueryId": "q1", "QueryString": "SELECT 1", "QueryStatistics": {"EventsMatched": 7}}),
        ),
        (
            ".DescribeInstanceInformation",
            json!({"InstanceInformationList": [{"InstanceId": "i-00000001", "PingStatus": "Online",
            "LastPingDateTime": 1_796_077_416.5, "IsLatestVersion": false, "PlatformType": "Linux"}]}),
        ),
        (
            ".GetResource",
            json!({"TypeName": "AWS::SNS::Topic", "ResourceDescription":
            {"Identifier": "t1", "Properties": r#"{"TopicName":"t1","Arn":"arn:t1","DisplayName":"d"}"#}}),
        ),
        (
            ".ListResources",
            json!({"TypeName": "AWS::SNS::Topic", "ResourceDescriptions":
            [{"Identifier": "t1", "Properties": r#"{"TopicName":"t1","Arn":"arn:t1"}"#}, {"Identifier": "t2"}]}),
        ),
    ] {
        proxy.rule(Rule::new(answer(&body)).target(target));
    }
    runtime().block_on(async {
        let engine = engine(&bed).await;
        for (sql, expected) in [
            (
                "SELECT principal_arn, username, kubernetes_groups, type, tags['team'], created_at FROM aws_eks_access_entry",
                &["arn:aws:iam::123456789012:role/dev dev [viewers] STANDARD ops 2026-11-30T22:23:36.500Z"][..],
            ),
            (
                "SELECT principal_arn, policy_arn, access_scope_type, access_scope_namespaces FROM aws_eks_access_policy_association \
                 WHERE cluster_name = 'main' AND principal_arn = 'arn:aws:iam::123456789012:role/dev'",
                &["arn:aws:iam::123456789012:role/dev arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy namespace [dev]"],
            ),
            (
                "SELECT p.namespace, p.service_account, r.name FROM aws_eks_pod_identity_association p \
                 JOIN aws_iam_role r ON r.arn = p.role_arn",
                &["web api web"],
            ),
            ("SELECT addon_name, addon_version, status, health_issues FROM aws_eks_addon", &["vpc-cni v1.19.0 ACTIVE []"]),
            (
                "SELECT name, type, issuer_url, groups_claim, required_claims['aud'] FROM aws_eks_identity_provider_config",
                &["corp oidc https://login.example.com groups k8s"],
            ),
            (
                "SELECT addon_name, addon_version, type, architecture FROM aws_eks_addon_version WHERE addon_name = 'vpc-cni'",
                &["vpc-cni v1.18.0 networking [amd64]", "vpc-cni v1.19.0 networking [amd64, arm64]"],
            ),
            (
                "SELECT id, severity, user_name, detector_id, count, updated_at FROM aws_guardduty_finding WHERE severity > 7",
                &["f1 8.5 alice d1 3 2026-11-30T11:00:00Z"],
            ),
            ("SELECT full_name, city, linked_account_id FROM aws_account_contact", &["Acme Town 123456789012"]),
            ("SELECT name, source, apply_to_all_regions FROM aws_cloudtrail_channel", &["c Custom true"]),
            (
                "SELECT name, status, retention_period, created_timestamp FROM aws_cloudtrail_event_data_store",
                &["lake ENABLED 365 2026-11-30T22:23:36.250Z"],
            ),
            ("SELECT import_id, import_status, destinations FROM aws_cloudtrail_import", &[r#"i1 FAILED ["a"]"#]),
            ("SELECT query_id, query_string, events_matched FROM aws_cloudtrail_query", &["q1 SELECT 1 7"]),
            (
                "SELECT instance_id, ping_status, last_ping_date_time, is_latest_version FROM aws_ssm_managed_instance",
                &["i-00000001 Online 2026-11-30T22:23:36.500Z false"],
            ),
            (
                "SELECT identifier, arn, properties FROM aws_resource WHERE type = 'AWS::SNS::Topic'",
                &[r#"t1 arn:t1 {"TopicName":"t1","Arn":"arn:t1"}"#, "t2 NULL NULL"],
            ),
            (
                "SELECT identifier, json_extract(properties, '$.DisplayName') FROM aws_resource \
                 WHERE type = 'AWS::SNS::Topic' AND identifier = 't1'",
                &["t1 d"],
            ),
        ] {
            assert_eq!(rows(&engine, sql).await, expected, "{sql}");
        }
        let told = |warnings: &[Warning], text: &str| {
            assert!(warnings.len() == 1 && warnings[0].message.contains(text), "{warnings:?}");
        };
        let sql = "SELECT event_time, identity_arn, user_name, action, error_code, mfa_authenticated, response_elements \
                   FROM aws_cloudtrail_event WHERE event_name = 'ListBuckets' AND event_time >= '2026-11-30T21:00:00Z'";
        bed.proxy().clear_requests();
        let (found, warnings) = partly(&engine, sql).await;
        assert_eq!(
            found,
            ["2026-11-30T22:00:01Z arn:aws:iam::123456789012:role/app/web i-1 s3:ListAllMyBuckets AccessDenied false \
              {\"credentials\":{\"sessionToken\":\"HIDDEN_DUE_TO_SECURITY_REASONS\"}}"]
        );
        told(&warnings, "event e2");
        let requests = bed.proxy().requests();
        let lookup = requests.iter().find(|request| request.target.is_some()).expect("a lookup");
        let lookup: Value = serde_json::from_str(&lookup.body).expect("JSON");
        let attribute = json!([{"AttributeKey": "EventName", "AttributeValue": "ListBuckets"}]);
        assert_eq!((&lookup["StartTime"], &lookup["LookupAttributes"]), (&json!(1_796_072_400), &attribute));
        let sql = "SELECT event_id, resource_name, username FROM aws_cloudtrail_lookup_event WHERE resource_name = 'acme-eu'";
        assert_eq!(rows(&engine, sql).await, ["e1 acme-eu i-1"]);
        let sql = "SELECT cloud_trail_event FROM aws_cloudtrail_lookup_event WHERE username = 'i-1'";
        let text = rows(&engine, sql).await.join("");
        assert!(text.contains("HIDDEN_DUE") && !text.contains("TOPSECRET"), "{text}");
        let sql = "SELECT identity_arn, action, reason, count, source_ips FROM aws_denied";
        let (found, warnings) = partly(&engine, sql).await;
        told(&warnings, "event e2");
        assert_eq!(
            found,
            ["arn:aws:iam::123456789012:role/app/web s3:ListAllMyBuckets no identity-based policy allows the \
              s3:ListAllMyBuckets action 1 [198.51.100.7]"]
        );
    });
}

/// IAM's reports of access, in the form of the pages GenerateServiceLastAccessedDetails and
/// GetServiceLastAccessedDetails of its API reference.
#[test]
fn reports_of_access_are_awaited() {
    let bed = Bed::start();
    let answer = |action: &str, inside: &str| Effect::Status {
        code: 200,
        headers: vec![("content-type".into(), "text/xml".into())],
        body: format!(
            "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result>{inside}\
             </{action}Result></{action}Response>"
        ),
    };
    let (generate, get) = ("GenerateServiceLastAccessedDetails", "GetServiceLastAccessedDetails");
    let report = |status: &str, services: &str| {
        answer(
            get,
            &format!(
                "<JobStatus>{status}</JobStatus><JobCreationDate>2026-11-30T22:00:00Z</JobCreationDate>\
                 <JobCompletionDate>2026-11-30T22:00:01Z</JobCompletionDate><IsTruncated>false</IsTruncated>\
                 <ServicesLastAccessed>{services}</ServicesLastAccessed>"
            ),
        )
    };
    let services = "<member><ServiceName>Amazon S3</ServiceName><ServiceNamespace>s3</ServiceNamespace>\
         <LastAuthenticated>2026-11-01T10:00:00Z</LastAuthenticated><TotalAuthenticatedEntities>1</TotalAuthenticatedEntities>\
         <LastAuthenticatedRegion>eu-west-1</LastAuthenticatedRegion></member>\
         <member><ServiceName>AWS STS</ServiceName><ServiceNamespace>sts</ServiceNamespace>\
         <TotalAuthenticatedEntities>0</TotalAuthenticatedEntities></member>";
    let action = |name: &str| format!("Action={name}&");
    let start = |status: &str| {
        bed.proxy().clear_rules();
        bed.proxy().rule(Rule::new(answer(generate, "<JobId>j1</JobId>")).body(&action(generate)));
        bed.proxy().rule(Rule::new(report("IN_PROGRESS", "")).body(&action(get)).first(2));
        bed.proxy().rule(Rule::new(report(status, services)).body(&action(get)));
    };
    runtime().block_on(async {
        let engine = engine(&bed).await;
        let of = |arn: &str| {
            format!(
                "SELECT service_namespace, last_authenticated, last_authenticated_region FROM aws_iam_access_advisor \
                 WHERE principal_arn = '{arn}'"
            )
        };
        start("COMPLETED");
        let found = rows(&engine, &of("arn:aws:iam::123456789012:role/app/web")).await;
        assert_eq!(found, ["s3 2026-11-01T10:00:00Z eu-west-1", "sts NULL NULL"]);
        bed.proxy().clear_requests();
        assert!(rows(&engine, &of("arn:aws:iam::999999999999:role/other")).await.is_empty());
        assert_eq!(bed.proxy().count(generate), 0);
        start("FAILED");
        let (found, warnings) = partly(&engine, &of("arn:aws:iam::123456789012:role/app/web")).await;
        assert!(found.is_empty() && warnings[0].message.contains("the report about"), "{warnings:?}");
        start("IN_PROGRESS");
        let (found, warnings) = partly(&engine, &of("arn:aws:iam::123456789012:role/app/web")).await;
        assert!(found.is_empty() && warnings.len() == 1, "{warnings:?}");
        assert!(warnings[0].message.contains("AWS has not finished the report of access"), "{warnings:?}");
    });
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut child =
        Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip runs");
    child.stdin.take().expect("a pipe").write_all(text).expect("written");
    child.wait_with_output().expect("gzip ends").stdout
}

/// A log file of CloudTrail with these records, as the page "CloudTrail log file examples" of its guide has it.
fn log(root: &Path, account: &str, region: &str, day: &str, minute: &str, records: &[Value]) -> std::path::PathBuf {
    let folder = root.join(format!("AWSLogs/{account}/CloudTrail/{region}/{day}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let stamp = day.replace('/', "");
    let file = folder.join(format!("{account}_CloudTrail_{region}_{stamp}T{minute}Z_Mu0xs2Hb7OZmvPbk.json.gz"));
    std::fs::write(&file, gzip(json!({"Records": records}).to_string().as_bytes())).expect("written");
    file
}

fn record(id: &str, time: &str, name: &str, user: &str, error: Option<&str>) -> Value {
    json!({
        "eventVersion": "1.11", "eventID": id, "eventTime": time, "eventSource": "s3.amazonaws.com", "eventName": name,
        "awsRegion": "eu-west-1", "recipientAccountId": "123456789012", "sourceIPAddress": "198.51.100.7", "errorCode": error,
        "userIdentity": {"type": "IAMUser", "userName": user, "arn": format!("arn:aws:iam::123456789012:user/{user}")},
    })
}

#[test]
fn log_files_are_read_and_pruned() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let (home, other) = ("123456789012", "222222222222");
    let time = |hour: u32| format!("2026-11-30T{hour:02}:00:00Z");
    log(
        root,
        home,
        "eu-west-1",
        "2026/11/30",
        "1005",
        &[
            record("e1", &time(10), "GetObject", "alice", Some("AccessDenied")),
            record("e2", &time(10), "GetObject", "alice", Some("AccessDenied")),
            record("e3", &time(10), "PutObject", "bob", None),
            json!("not a record"),
        ],
    );
    let damaged =
        log(root, home, "eu-west-1", "2026/11/30", "1105", &[record("e4", &time(11), "GetObject", "bob", None)]);
    log(
        root,
        home,
        "eu-west-1",
        "2026/11/20",
        "1005",
        &[record("e0", "2026-11-20T10:00:00Z", "GetObject", "bob", None)],
    );
    let mut foreign = record("e5", &time(12), "GetObject", "carol", None);
    foreign["recipientAccountId"] = other.into();
    log(root, other, "eu-west-1", "2026/11/30", "1205", &[foreign]);
    let digest = root.join("AWSLogs/123456789012/CloudTrail-Digest/eu-west-1/2026/11/30");
    std::fs::create_dir_all(&digest).expect("a folder");
    std::fs::write(digest.join("digest.json.gz"), gzip(b"{\"digestS3Object\":1}")).expect("written");
    let packed = std::fs::read(&damaged).expect("a file");
    std::fs::write(&damaged, &packed[..packed.len() - 6]).expect("written");
    let started = |directories: &[&Path]| {
        let directories = directories.iter().map(|path| path.to_path_buf()).collect();
        let settings = AwsSettings { cloudtrail_logs: directories, ..AwsSettings::default() };
        let environments = Environments { aws: Some(Aws::new(&settings)), ..Environments::default() };
        Engine::builder().tables(all(&environments)).build()
    };
    runtime().block_on(async {
        let engine = started(&[root]).await.expect("an engine");
        let sql = "SELECT event_id, user_name, error_code, account_id, profile FROM aws_cloudtrail_event";
        let (found, warnings) = partly(&engine, sql).await;
        // The damage of a file costs no event that was read before it.
        assert_eq!(
            found,
            [
                "e0 bob NULL 123456789012 NULL",
                "e1 alice AccessDenied 123456789012 NULL",
                "e2 alice AccessDenied 123456789012 NULL",
                "e3 bob NULL 123456789012 NULL",
                "e4 bob NULL 123456789012 NULL",
                "e5 carol NULL 222222222222 NULL",
            ]
        );
        let mut told: Vec<_> = warnings.iter().map(|warning| warning.message.clone()).collect();
        told.sort();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].ends_with("1005Z_Mu0xs2Hb7OZmvPbk.json.gz: 1 records are malformed"), "{told:?}");
        assert!(told[1].ends_with("1105Z_Mu0xs2Hb7OZmvPbk.json.gz: it is cut off"), "{told:?}");
        // Files of other days, accounts and regions are not opened: their bytes are not counted.
        let bytes = async |condition: &str| {
            let (found, _) = partly(&engine, &format!("{sql} WHERE {condition}")).await;
            let last = "SELECT bytes FROM engine_scans WHERE table_name = 'aws_cloudtrail_event'";
            let bytes: u64 = rows(&engine, last).await.last().and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
            (found.len(), bytes)
        };
        assert_eq!(bytes("region = 'us-east-1'").await, (0, 0));
        assert_eq!(bytes("account_id = '333333333333'").await, (0, 0));
        assert_eq!(bytes("event_time > '2026-12-01T00:00:00Z'").await, (0, 0));
        assert_eq!(bytes("event_time < '2026-11-01T00:00:00Z'").await, (0, 0));
        let (found, read) = bytes("event_time < '2026-11-25T00:00:00Z'").await;
        assert!(found == 1 && read > 0, "{found} {read}");
        for (condition, expected) in [
            ("event_name = 'PutObject'", 1),
            ("identity_arn = 'arn:aws:iam::123456789012:user/alice'", 2),
            ("error_code = 'AccessDenied' AND user_name = 'alice'", 2),
            ("event_time BETWEEN '2026-11-30T10:00:00Z' AND '2026-11-30T10:59:00Z'", 3),
            ("profile = 'default'", 0),
        ] {
            assert_eq!(bytes(condition).await.0, expected, "{condition}");
        }
        let sql = "SELECT identity_arn, action, error_code, count, event_ids FROM aws_denied";
        let expected = ["arn:aws:iam::123456789012:user/alice s3:GetObject AccessDenied 2 [e1, e2]"];
        assert_eq!(partly(&engine, sql).await.0, expected);
        let later = partly(&engine, &format!("{sql} WHERE start_time = '2026-11-30T10:30:00Z'")).await;
        assert!(later.0.is_empty(), "{later:?}");
        // A directory that does not exist costs no other.
        let engine = started(&[Path::new("/nonexistent/logs"), root]).await.expect("an engine");
        let (found, warnings) =
            partly(&engine, "SELECT event_id FROM aws_cloudtrail_event WHERE event_id = 'e1'").await;
        assert_eq!(found, ["e1"]);
        assert!(warnings.iter().any(|warning| warning.message.contains("there is no directory")), "{warnings:?}");
    });
}
