//! Permissions of accounts that are described as JSON: the responses of IAM and Organizations are made from it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_types::region::Region;
use indago_table::{AnyScan, Environment, ScanContext, TableSpec};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::assume::Graph;
use super::escalation::{Found, Need, On, RULES, Rule, Targets, search};
use super::model::{Account, Model};
use super::read;
use crate::account::Aws;
use crate::aws_iam_who_can::Questions;
use crate::testing::{config, response};

pub(super) const ACCOUNT: &str = "111122223333";

fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(action: &str, resource: &str) -> Value {
    json!({"Sid": action.replace([':', '*'], ""), "Effect": "Allow", "Action": action, "Resource": resource})
}

fn deny(action: &str, resource: &str) -> Value {
    json!({"Effect": "Deny", "Action": action, "Resource": resource})
}

fn trust(kind: &str, name: &str) -> Value {
    policy(&[json!({"Effect": "Allow", "Principal": {kind: name}, "Action": "sts:AssumeRole"})])
}

fn arn(kind: &str, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{kind}/{name}")
}

/// `GetAccountAuthorizationDetails` for `{users, roles, groups, policies}`. Each has a `name`, and may have `inline` (documents by
/// name), `attached` (ARNs), `boundary` (an ARN), `tags`; a user `groups`; a role `trust`, `path` and `profile`; a policy has a
/// `document`. Documents are percent-encoded, as AWS returns them.
fn details(spec: &Value, account: &str) -> String {
    let encode = |document: &Value| utf8_percent_encode(&document.to_string(), NON_ALPHANUMERIC).to_string();
    let list = |name: &str| spec[name].as_array().cloned().unwrap_or_default();
    let head = |of: &Value, kind: &str, tag: &str| {
        let (name, path) = (of["name"].as_str().expect("a name"), of["path"].as_str().unwrap_or("/"));
        format!(
            "<Path>{path}</Path><{tag}Name>{name}</{tag}Name><{tag}Id>AID{name}</{tag}Id>\
             <Arn>arn:aws:iam::{account}:{kind}{path}{name}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>"
        )
    };
    let policies = |of: &Value, tag: &str| {
        let mut text = format!("<{tag}PolicyList>");
        for (name, document) in of["inline"].as_object().into_iter().flatten() {
            let document = encode(document);
            write!(text, "<member><PolicyName>{name}</PolicyName><PolicyDocument>{document}</PolicyDocument></member>")
                .expect("text");
        }
        write!(text, "</{tag}PolicyList><AttachedManagedPolicies>").expect("text");
        for policy in of["attached"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let name = policy.rsplit('/').next().expect("a name");
            write!(text, "<member><PolicyName>{name}</PolicyName><PolicyArn>{policy}</PolicyArn></member>")
                .expect("text");
        }
        text + "</AttachedManagedPolicies>"
    };
    let others = |of: &Value| {
        let mut text = String::from("<Tags>");
        for (key, value) in of["tags"].as_object().into_iter().flatten() {
            let value = value.as_str().expect("text");
            write!(text, "<member><Key>{key}</Key><Value>{value}</Value></member>").expect("text");
        }
        text += "</Tags>";
        if let Some(boundary) = of["boundary"].as_str() {
            write!(
                text,
                "<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
                 <PermissionsBoundaryArn>{boundary}</PermissionsBoundaryArn></PermissionsBoundary>"
            )
            .expect("text");
        }
        text
    };
    let mut text = String::from(
        "<GetAccountAuthorizationDetailsResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <GetAccountAuthorizationDetailsResult><IsTruncated>false</IsTruncated><UserDetailList>",
    );
    for user in list("users") {
        let groups: Vec<String> = user["groups"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|group| format!("<member>{}</member>", group.as_str().expect("text")))
            .collect();
        let (head, policies, others) = (head(&user, "user", "User"), policies(&user, "User"), others(&user));
        write!(text, "<member>{head}{policies}<GroupList>{}</GroupList>{others}</member>", groups.concat())
            .expect("text");
    }
    text += "</UserDetailList><GroupDetailList>";
    for group in list("groups") {
        let (head, policies) = (head(&group, "group", "Group"), policies(&group, "Group"));
        write!(text, "<member>{head}{policies}</member>").expect("text");
    }
    text += "</GroupDetailList><RoleDetailList>";
    for role in list("roles") {
        let (head, policies, others) = (head(&role, "role", "Role"), policies(&role, "Role"), others(&role));
        let name = role["name"].as_str().expect("a name");
        let profile = match role["profile"] == true {
            true => format!(
                "<member><Path>/</Path><InstanceProfileName>{name}</InstanceProfileName><InstanceProfileId>AIP</InstanceProfileId>\
                 <Arn>arn:aws:iam::{account}:instance-profile/{name}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>\
                 <Roles/></member>"
            ),
            false => String::new(),
        };
        let trust = encode(&role["trust"]);
        write!(
            text,
            "<member>{head}<AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument>\
             <InstanceProfileList>{profile}</InstanceProfileList>{policies}{others}</member>"
        )
        .expect("text");
    }
    text += "</RoleDetailList><Policies>";
    for policy in list("policies") {
        let name = policy["name"].as_str().expect("a name");
        let arn = policy["arn"].as_str().map_or_else(|| format!("arn:aws:iam::{account}:policy/{name}"), str::to_owned);
        let document = encode(&policy["document"]);
        write!(
            text,
            "<member><PolicyName>{name}</PolicyName><PolicyId>ANPA</PolicyId><Arn>{arn}</Arn><Path>/</Path>\
             <DefaultVersionId>v2</DefaultVersionId><PolicyVersionList>\
             <member><Document>%7B%7D</Document><VersionId>v1</VersionId><IsDefaultVersion>false</IsDefaultVersion></member>\
             <member><Document>{document}</Document><VersionId>v2</VersionId><IsDefaultVersion>true</IsDefaultVersion></member>\
             </PolicyVersionList></member>"
        )
        .expect("text");
    }
    text + "</Policies></GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>"
}

/// A page of a listing: the first is empty, each other one has one item.
fn page(name: &str, items: &[Value], input: &Value) -> Value {
    let number = input["NextToken"].as_str().map(|token| token.parse::<usize>().expect("a number"));
    let next = number.map_or(0, |number| number + 1);
    let mut page = json!({name: number.and_then(|number| items.get(number)).into_iter().collect::<Vec<_>>()});
    if next < items.len() {
        page["NextToken"] = json!(next.to_string());
    }
    page
}

/// Answers the calls about an account. `scps` and `rcps` are lists of documents per level: root and account. `refused` are operations
/// that are denied, alone or with what they are about; `failing` are those that fail otherwise.
fn serve(spec: &Value, account: &str, request: &HttpRequest) -> http::Response<SdkBody> {
    let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
    let is_in = |list: &str, operation: &str, about: &str| {
        let list = spec[list].as_array().map_or(std::slice::from_ref(&spec[list]), Vec::as_slice);
        list.iter().any(|entry| *entry == operation || *entry == format!("{operation} {about}"))
    };
    if let Some(target) = request.headers().get("x-amz-target") {
        let input: Value = serde_json::from_str(&body).expect("JSON");
        let operation = target.rsplit('.').next().expect("an operation");
        let about = ["TargetId", "PolicyId", "QueueUrl"].iter().find_map(|name| input[name].as_str()).unwrap_or("");
        if is_in("refused", operation, about) {
            return response(400, r#"{"__type":"AccessDeniedException","Message":"no"}"#);
        }
        if is_in("failing", operation, about) {
            return response(400, r#"{"__type":"ValidationException","message":"bad"}"#);
        }
        let kinds = [("SERVICE_CONTROL_POLICY", "scps", "p"), ("RESOURCE_CONTROL_POLICY", "rcps", "r")];
        let level = |target: &str| usize::from(target != "r-1");
        let answer = match operation {
            "DescribeOrganization" if kinds.iter().all(|(_, list, _)| spec[*list].is_null()) => {
                return response(400, r#"{"__type":"AWSOrganizationsNotInUseException","message":"none"}"#);
            }
            "DescribeOrganization" => json!({"Organization": {"Id": "o-1", "MasterAccountId": "999999999999"}}),
            "ListParents" => page("Parents", &[json!({"Id": "r-1", "Type": "ROOT"})], &input),
            "ListRoots" => {
                let enabled = kinds.iter().filter(|(_, list, _)| !spec[*list].is_null());
                let enabled = enabled.map(|(kind, ..)| json!({"Type": kind, "Status": "ENABLED"}));
                page("Roots", &[json!({"Id": "r-1", "PolicyTypes": enabled.collect::<Vec<_>>()})], &input)
            }
            "ListPoliciesForTarget" => {
                let level = level(input["TargetId"].as_str().expect("a target"));
                let (_, list, letter) = kinds.iter().find(|(kind, ..)| input["Filter"] == *kind).expect("a kind");
                let count = spec[*list][level].as_array().map_or(0, Vec::len);
                let policies = (0..count).map(|number| {
                    let id = format!("{letter}-{level}-{number}");
                    json!({"Id": id, "Name": id, "Arn": format!("arn:aws:organizations::999999999999:policy/o-1/{id}")})
                });
                page("Policies", &policies.collect::<Vec<_>>(), &input)
            }
            "DescribePolicy" => {
                let id = input["PolicyId"].as_str().expect("an ID");
                let (_, list, _) = kinds.iter().find(|(.., letter)| id.starts_with(letter)).expect("a kind");
                let numbers: Vec<usize> =
                    id.split('-').skip(1).map(|number| number.parse().expect("a number")).collect();
                json!({"Policy": {"Content": spec[*list][numbers[0]][numbers[1]].to_string()}})
            }
            "GetQueueUrl" => {
                json!({"QueueUrl": format!("https://sqs/{}", input["QueueName"].as_str().expect("a name"))})
            }
            "GetQueueAttributes" => match &spec["policies_of"]["queue"] {
                Value::Null => json!({}),
                policy => json!({"Attributes": {"Policy": policy.to_string()}}),
            },
            "GetRepositoryPolicy" => {
                assert_eq!(input["repositoryName"], "team/app");
                json!({"policyText": spec["policies_of"]["repository"].to_string()})
            }
            other => panic!("{other} is not expected"),
        };
        return response(200, answer.to_string());
    }
    let uri = request.uri().to_owned();
    if let Some((_, path)) = uri.split_once("//s3.").and_then(|(_, rest)| rest.split_once('/')) {
        let refused = || response(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
        let buckets = spec["buckets"].as_object().cloned().unwrap_or_default();
        let Some((name, parameter)) = path.split_once('?').filter(|(name, _)| !name.is_empty()) else {
            if is_in("refused", "ListBuckets", "") {
                return refused();
            }
            let buckets = buckets.keys().map(|name| format!("<Bucket><Name>{name}</Name></Bucket>"));
            let buckets = buckets.collect::<String>();
            return response(
                200,
                format!("<ListAllMyBucketsResult><Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"),
            );
        };
        return match (parameter, &buckets[name]) {
            ("location", _) => response(200, "<LocationConstraint>eu-west-1</LocationConstraint>"),
            _ if is_in("refused", "GetBucketPolicy", name) => refused(),
            (_, Value::Null) => response(404, "<Error><Code>NoSuchBucketPolicy</Code><Message>no</Message></Error>"),
            (_, policy) => response(200, policy.to_string()),
        };
    }
    if uri.contains("//lambda.") {
        assert!(uri.ends_with("/2015-03-31/functions/f/policy?Qualifier=live"), "{uri}");
        return response(200, json!({"Policy": spec["policies_of"]["function"].to_string()}).to_string());
    }
    if body.contains("Action=GetTopicAttributes") {
        let policy = spec["policies_of"]["topic"].to_string().replace('"', "&quot;");
        return response(
            200,
            format!(
                "<GetTopicAttributesResponse><GetTopicAttributesResult><Attributes><entry><key>Owner</key><value>x</value></entry>\
                 <entry><key>Policy</key><value>{policy}</value></entry></Attributes></GetTopicAttributesResult>\
                 </GetTopicAttributesResponse>"
            ),
        );
    }
    if body.contains("Action=GetCallerIdentity") {
        return response(
            200,
            format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                 <Arn>arn:aws:iam::{account}:user/reader</Arn><UserId>AID</UserId><Account>{account}</Account>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>"
            ),
        );
    }
    assert!(body.contains("Action=GetAccountAuthorizationDetails"), "{body}");
    response(200, details(spec, account))
}

/// A scan of the accounts of some specifications. The profiles are named as the accounts, or as they state.
fn scan(specs: &[(&str, Value)]) -> AnyScan<Aws> {
    let mut aws = Aws::empty();
    for (account, spec) in specs {
        let (id, spec) = ((*account).to_owned(), spec.clone());
        let profile = spec["profile"].as_str().unwrap_or(account).to_owned();
        let region = Region::new(spec["region"].as_str().unwrap_or("eu-west-1").to_owned());
        let config = config(move |request| serve(&spec, &id, request)).into_builder().region(region).build();
        aws = aws.with_config(&profile, config);
    }
    let spec = std::sync::Arc::new(TableSpec::new("aws_test", Aws::NAME, "A test.", Vec::new()));
    AnyScan::new(&spec, ScanContext::new([]), &aws)
}

fn warnings(scan: &AnyScan<Aws>) -> Vec<String> {
    scan.context().query.diagnostics().warnings().iter().map(ToString::to_string).collect()
}

async fn read_all(scan: &AnyScan<Aws>) -> Model {
    let sites = read::sites(scan).await.expect("the accounts are known");
    read::of_sites(scan, &sites).await.expect("the accounts are read")
}

/// The accounts of some specifications, and the warnings of reading them.
pub(super) async fn model(specs: &[(&str, Value)]) -> (Model, Vec<String>) {
    let scan = scan(specs);
    let model = read_all(&scan).await;
    let warnings = warnings(&scan);
    (model, warnings)
}

/// The decisions on requests of users of the first account, with their reasons, and the warnings.
async fn decisions(specs: &[(&str, Value)], requests: &[(&str, &str, &str)]) -> (Vec<String>, Vec<String>) {
    let scan = scan(specs);
    let model = read_all(&scan).await;
    let account = model.account(specs[0].0).expect("the account is read");
    let mut decisions = Vec::new();
    for (user, action, resource) in requests {
        let resources = [(*resource).to_owned()];
        let questions = Questions::read(&scan, account, &resources).await.expect("the policies are read");
        let user = account.identity(&arn("user", user)).expect("a user");
        let decided = questions.decide(&scan, user, action, resource).expect("a request");
        decisions.push(decided.map_or("NULL".to_owned(), |of| format!("{}: {}", of.decision.name(), of.reason)));
    }
    let warnings = warnings(&scan);
    (decisions, warnings)
}

fn graph(model: &Model) -> Graph {
    Graph::new(model, || false).expect("it is not cancelled")
}

fn only(model: &Model) -> &Account {
    assert_eq!(model.accounts.len(), 1);
    &model.accounts[0]
}

/// Rows of `aws_iam_escalation` of the attacker, for the expectations of a rule about the target user.
async fn found(spec: &Value) -> Vec<(String, String, String, String)> {
    let (model, warnings) = model(&[(ACCOUNT, spec.clone())]).await;
    assert_eq!(warnings, Vec::<String>::new(), "{spec}");
    let graph = graph(&model);
    let attacker = only(&model).identities.iter().find(|identity| identity.name == "attacker").expect("an attacker");
    let row = |found: Found<'_>| {
        (found.rule.id.clone(), found.target_arn.clone(), found.decision.name().to_owned(), found.steps().to_string())
    };
    search(&model, &graph, attacker).into_iter().map(row).collect()
}

fn has(rows: &[(String, String, String, String)], rule: &str, decision: Option<&str>) -> bool {
    rows.iter().any(|(id, _, of, _)| id == rule && decision.is_none_or(|decision| decision == of))
}

/// The resource that a statement for a step names.
fn resource(on: &On) -> String {
    match on {
        On::Any(_) => "*".to_owned(),
        On::Itself => String::new(),
        On::Target => String::new(),
        On::Policy => arn("policy", "deploy"),
        On::Group => arn("group", "team"),
        On::NewRole => arn("role", "*"),
    }
}

fn attacker_kind(rule: &Rule) -> &'static str {
    rule.principals.map_or("user", super::model::Kind::name)
}

fn victim_kind(rule: &Rule) -> &'static str {
    if rule.targets == Targets::User { "user" } else { "role" }
}

/// The statements that a method needs, one per step.
fn statements(rule: &Rule) -> Vec<Value> {
    let statement = |step: &super::escalation::Step| {
        let resource = match step.on {
            On::Itself => arn(attacker_kind(rule), "attacker"),
            On::Target => arn(victim_kind(rule), "victim"),
            _ => resource(&step.on),
        };
        allow(&step.action, &resource)
    };
    rule.steps.iter().map(statement).collect()
}

/// An account in which a method stands, with these statements of the attacker.
fn account(rule: &Rule, statements: &[Value]) -> Value {
    let harmless = policy(&[allow("s3:ListAllMyBuckets", "*")]);
    let everything = policy(&[allow("*", "*")]);
    let mut attacker = json!({"name": "attacker", "inline": {"own": policy(statements)}});
    let mut spec = json!({"users": [], "roles": [], "groups": [], "policies": []});
    let as_administrator = rule.gains == super::escalation::Gains::TargetAsAdministrator;
    let victim = if as_administrator { &harmless } else { &everything };
    match rule.targets {
        Targets::Itself | Targets::NewRole => {}
        Targets::OwnPolicy => {
            attacker["attached"] = json!([arn("policy", "deploy")]);
            spec["policies"] = json!([{"name": "deploy", "document": harmless}]);
        }
        Targets::OwnGroup => {
            attacker["groups"] = json!(["team"]);
            spec["groups"] = json!([{"name": "team", "inline": {"h": harmless}}]);
        }
        Targets::OtherGroup => spec["groups"] = json!([{"name": "team", "inline": {"all": everything}}]),
        Targets::User => spec["users"] = json!([{"name": "victim", "inline": {"v": victim}}]),
        Targets::Role | Targets::AssumableRole | Targets::RoleAndPolicy => {
            let assumes = rule.steps.iter().any(|step| step.action == "sts:AssumeRole");
            let trust = match assumes {
                true => trust("AWS", &format!("arn:aws:iam::{ACCOUNT}:root")),
                false => trust("Service", "backup.amazonaws.com"),
            };
            spec["roles"] = json!([{"name": "victim", "inline": {"v": victim}, "trust": trust}]);
            if rule.targets == Targets::RoleAndPolicy {
                spec["roles"][0]["attached"] = json!([arn("policy", "deploy")]);
                spec["policies"] = json!([{"name": "deploy", "document": harmless}]);
            }
        }
        Targets::ServiceRole => {
            let trust = trust("Service", &rule.services[0]);
            spec["roles"] = json!([{"name": "victim", "inline": {"v": victim}, "trust": trust}]);
        }
    }
    if rule.needs.contains(&Need::InstanceProfile) {
        spec["roles"][0]["profile"] = json!(true);
    }
    if rule.needs.contains(&Need::AutoScaling) {
        let trust = trust("Service", "autoscaling.amazonaws.com");
        let role = json!({"name": "AWSServiceRoleForAutoScaling", "path": "/aws-service-role/autoscaling.amazonaws.com/", "trust": trust});
        spec["roles"].as_array_mut().expect("a list").push(role);
    }
    if attacker_kind(rule) == "role" {
        attacker["trust"] = trust("Service", "backup.amazonaws.com");
        spec["roles"].as_array_mut().expect("a list").push(attacker);
    } else {
        spec["users"].as_array_mut().expect("a list").push(attacker);
    }
    spec
}

/// The attacker in a specification.
fn attacker<'a>(spec: &'a mut Value, rule: &Rule) -> &'a mut Value {
    let list = if attacker_kind(rule) == "role" { "roles" } else { "users" };
    let list = spec[list].as_array_mut().expect("a list");
    list.iter_mut().find(|of| of["name"] == "attacker").expect("an attacker")
}

#[tokio::test]
async fn every_method_is_found_when_it_stands_and_only_then() {
    assert!(RULES.rules.len() >= 75, "{}", RULES.rules.len());
    let ids: BTreeSet<&str> = RULES.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids.len(), RULES.rules.len(), "identifiers are unique");
    for rule in &RULES.rules {
        let id = rule.id.as_str();
        let all = statements(rule);
        let positive = account(rule, &all);
        let rows = found(&positive).await;
        let row = rows.iter().find(|(of, ..)| of == id);
        let (_, target, decision, steps) = row.unwrap_or_else(|| panic!("{id} is not found in {positive}"));
        assert_eq!(decision, "allowed", "{id}");
        // Each step is allowed by the statement for it.
        let steps: Vec<Value> = serde_json::from_str(steps).expect("JSON");
        for step in &steps {
            let expected = step["action"].as_str().expect("an action").replace(':', "");
            assert_eq!(step["statement"], expected, "{id}: {step}");
        }
        // What it recommends stops it.
        let (model, _) = model(&[(ACCOUNT, positive.clone())]).await;
        let identity =
            only(&model).identities.iter().find(|identity| identity.name == "attacker").expect("an attacker");
        let graph = graph(&model);
        let way = search(&model, &graph, identity).into_iter().find(|found| found.rule.id == id).expect("it is found");
        let breaks = way.breaks();
        let words: Vec<&str> = breaks.split(' ').collect();
        let mut stopped = all.clone();
        stopped.push(deny(words[1], words[3]));
        assert!(!has(&found(&account(rule, &stopped)).await, id, None), "{id}: {breaks}");

        for (position, step) in rule.steps.iter().enumerate() {
            let action = step.action.as_str();
            let without: Vec<Value> =
                all.iter().enumerate().filter(|(other, _)| *other != position).map(|(_, of)| of.clone()).collect();
            assert!(!has(&found(&account(rule, &without)).await, id, None), "{id} without {action}");

            let mut denied = all.clone();
            denied.push(deny(action, "*"));
            assert!(!has(&found(&account(rule, &denied)).await, id, None), "{id} with {action} denied");

            let mut bounded = positive.clone();
            let limit = policy(&[json!({"Effect": "Allow", "NotAction": action, "Resource": "*"})]);
            bounded["policies"].as_array_mut().expect("a list").push(json!({"name": "limit", "document": limit}));
            attacker(&mut bounded, rule)["boundary"] = json!(arn("policy", "limit"));
            assert!(!has(&found(&bounded).await, id, None), "{id} with {action} bounded");

            let mut controlled = positive.clone();
            let everything = policy(&[allow("*", "*")]);
            controlled["scps"] = json!([[everything], [everything, policy(&[deny(action, "*")])]]);
            assert!(!has(&found(&controlled).await, id, None), "{id} with {action} denied by a service control policy");

            let mut conditional = all.clone();
            conditional[position]["Condition"] = json!({"StringEquals": {"aws:PrincipalAccount": "999999999999"}});
            assert!(!has(&found(&account(rule, &conditional)).await, id, None), "{id} with {action} conditioned away");
            conditional[position]["Condition"] = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
            let rows = found(&account(rule, &conditional)).await;
            assert!(has(&rows, id, Some("depends")), "{id} with {action} if multi-factor: {rows:?}");

            // On something else.
            if matches!(step.on, On::Target | On::Itself | On::Policy | On::Group) {
                let mut elsewhere = all.clone();
                let kind = if step.on == On::Policy { "policy" } else { "role" };
                elsewhere[position]["Resource"] = json!(arn(kind, "another"));
                assert!(!has(&found(&account(rule, &elsewhere)).await, id, None), "{id} with {action} elsewhere");
            }
        }
        assert!(!target.is_empty());

        // An administrator has everything already.
        let mut administrator = all.clone();
        administrator.push(allow("*", "*"));
        assert!(found(&account(rule, &administrator)).await.is_empty(), "{id} of an administrator");

        if rule.targets == Targets::ServiceRole {
            let mut other = positive.clone();
            other["roles"][0]["trust"] = trust("Service", "backup.amazonaws.com");
            assert!(!has(&found(&other).await, id, None), "{id} with a role that does not trust the service");
            let mut less = positive.clone();
            less["roles"][0]["inline"] = json!({"logs": policy(&[allow("logs:PutLogEvents", "*")])});
            // The SSM agent needs permissions of the role.
            assert!(!has(&found(&less).await, id, None), "{id} with a role without permissions");
        }
        if let Some(position) = rule.steps.iter().position(|step| step.action == "iam:PassRole") {
            let mut conditional = all.clone();
            for (service, expected) in [("backup.amazonaws.com", None), (rule.services[0].as_str(), Some("allowed"))] {
                conditional[position]["Condition"] = json!({"StringEquals": {"iam:PassedToService": service}});
                let rows = found(&account(rule, &conditional)).await;
                assert_eq!(has(&rows, id, expected), expected.is_some(), "{id} passed to {service}");
            }
        }
        if rule.needs.contains(&Need::InstanceProfile) || rule.needs.contains(&Need::NoInstanceProfile) {
            let mut other = positive.clone();
            other["roles"][0]["profile"] = json!(rule.needs.contains(&Need::NoInstanceProfile));
            assert!(!has(&found(&other).await, id, None), "{id} without what it needs");
        }
    }
}

/// A random number generator that always gives the same numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

#[tokio::test]
async fn a_deny_never_adds_a_permission_or_an_escalation() {
    let mut dice = Dice(7);
    let actions =
        ["*", "iam:*", "iam:PassRole", "iam:*User*", "s3:*", "s3:Get*", "lambda:*", "sts:AssumeRole", "ec2:*"];
    let resources = [
        "*".to_owned(),
        arn("user", "victim"),
        arn("role", "*"),
        "arn:aws:s3:::b/*".to_owned(),
        format!("arn:aws:lambda:*:{ACCOUNT}:function:*"),
    ];
    let some = |dice: &mut Dice, effect: &str| {
        let mut statement = json!({"Effect": effect, "Resource": resources[dice.below(resources.len())]});
        let action = if dice.below(8) == 0 { "NotAction" } else { "Action" };
        statement[action] = json!([actions[dice.below(actions.len())], actions[dice.below(actions.len())]]);
        if dice.below(5) == 0 {
            statement["Condition"] = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
        }
        statement
    };
    let mut rows = 0;
    for _ in 0..60 {
        let (own, bound) = (some(&mut dice, "Allow"), some(&mut dice, "Allow"));
        let others = [some(&mut dice, "Allow"), some(&mut dice, "Allow"), some(&mut dice, "Allow")];
        let is_bounded = dice.below(3) == 0;
        let account = |denies: &[Value], victim: &[Value]| {
            let mut statements = vec![own.clone(), others[0].clone()];
            statements.extend_from_slice(denies);
            let mut of_victim = vec![others[1].clone(), others[2].clone()];
            of_victim.extend_from_slice(victim);
            let mut user = json!({"name": "attacker", "inline": {"own": policy(&statements)}});
            if is_bounded {
                user["boundary"] = json!(arn("policy", "limit"));
            }
            json!({
                "users": [user, {"name": "victim", "inline": {"v": policy(&of_victim)}}],
                "roles": [{"name": "victim", "inline": {"v": policy(&of_victim)}, "profile": true, "trust": policy(&[
                    json!({"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}, "Action": "sts:AssumeRole"}),
                    json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "sts:AssumeRole"}),
                ])}],
                "policies": [{"name": "limit", "document": policy(std::slice::from_ref(&bound))}],
            })
        };
        let deny = some(&mut dice, "Deny");
        let sets = async |spec: Value| {
            let (model, _) = model(&[(ACCOUNT, spec)]).await;
            let graph = graph(&model);
            let mut access = BTreeSet::new();
            let mut ways = BTreeSet::new();
            for identity in model.identities() {
                for effective in identity.effective() {
                    access.insert((
                        identity.arn.clone(),
                        effective.grant.action.clone(),
                        effective.grant.resource.clone(),
                    ));
                }
                for found in search(&model, &graph, identity) {
                    ways.insert((identity.arn.clone(), found.rule.id.clone(), found.target_arn.clone()));
                }
            }
            (access, ways)
        };
        let (access, ways) = sets(account(&[], &[])).await;
        rows += access.len() + ways.len();
        for (own, victim) in [(vec![deny.clone()], vec![]), (vec![], vec![deny.clone()])] {
            let (access_with, ways_with) = sets(account(&own, &victim)).await;
            assert!(access_with.is_subset(&access), "{deny} in {}", account(&own, &victim));
            assert!(ways_with.is_subset(&ways), "{deny} in {}", account(&own, &victim));
        }
    }
    assert!(rows > 500, "{rows}");
}

#[tokio::test]
async fn permissions_are_cut_to_boundary_and_control_policies() {
    let limit = policy(&[allow("s3:*", "arn:aws:s3:::b/*"), allow("ec2:Describe*", "*"), allow("iam:*", "*")]);
    let own = policy(&[
        json!({"Sid": "Read", "Effect": "Allow", "Action": ["s3:Get*", "ec2:*"], "Resource": "*"}),
        json!({"Effect": "Allow", "NotAction": "s3:*", "Resource": "arn:aws:iam::111122223333:user/${aws:username}"}),
        deny("iam:Delete*", "*"),
        allow("iam:DeleteUser", "*"),
    ]);
    let everything = policy(&[allow("*", "*")]);
    let spec = json!({
        "users": [{"name": "bob", "inline": {"own": own}, "boundary": arn("policy", "limit")}],
        "policies": [{"name": "limit", "document": limit}],
        "scps": [[everything], [policy(&[json!({"Effect": "Allow", "NotAction": "organizations:*", "Resource": "*"})])]],
    });
    let (model, warnings) = model(&[(ACCOUNT, spec)]).await;
    assert_eq!(warnings, Vec::<String>::new());
    let bob = model.identity(&arn("user", "bob")).expect("a user");
    let mut rows: Vec<String> = bob
        .effective()
        .iter()
        .map(|of| format!("{} {} {}", of.grant.action, of.grant.resource, of.decided.decision.name()))
        .collect();
    rows.sort();
    assert_eq!(
        rows,
        [
            "ec2:describe* * allowed",
            "ec2:describe* arn:aws:iam::111122223333:user/bob allowed",
            "iam:* arn:aws:iam::111122223333:user/bob allowed",
            "s3:get* arn:aws:s3:::b/* allowed",
        ]
    );
}

#[tokio::test]
async fn roles_are_reached_through_others_and_by_everybody_that_they_trust() {
    let other = "444455556666";
    let allow_assume = policy(&[allow("sts:AssumeRole", "*")]);
    let root = |account: &str| format!("arn:aws:iam::{account}:root");
    let trusts = |name: String| trust("AWS", &name);
    let oidc = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/E");
    let web = policy(&[json!({
        "Effect": "Allow", "Principal": {"Federated": oidc}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {
            "oidc.eks.eu-west-1.amazonaws.com/id/E:sub": ["system:serviceaccount:shop:web", "system:serviceaccount:shop:api"],
            "oidc.eks.eu-west-1.amazonaws.com/id/E:aud": "sts.amazonaws.com",
        }},
    })]);
    let external = policy(&[json!({
        "Effect": "Allow", "Principal": {"AWS": root("777788889999")}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "x"}},
    })]);
    let here = json!({
        "users": [
            {"name": "alice", "inline": {"a": allow_assume}},
            {"name": "bob", "inline": {"a": policy(&[allow("s3:*", "*")])}},
            {"name": "carol", "inline": {"a": allow_assume}, "tags": {"team": "ops"}},
        ],
        "roles": [
            {"name": "one", "inline": {"a": allow_assume}, "trust": trusts(root(ACCOUNT))},
            // The user is named, so its own policies need not allow it.
            {"name": "two", "inline": {"a": allow_assume}, "trust": policy(&[
                json!({"Effect": "Allow", "Principal": {"AWS": [arn("role", "one"), arn("user", "bob")]}, "Action": "sts:AssumeRole"}),
            ])},
            // A cycle.
            {"name": "three", "inline": {"a": allow_assume}, "trust": trusts(arn("role", "two"))},
            {"name": "web", "inline": {"a": allow_assume}, "trust": web},
            {"name": "job", "trust": trust("Service", "lambda.amazonaws.com")},
            {"name": "open", "trust": external},
            {"name": "ops", "trust": policy(&[json!({
                "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:PrincipalTag/team": "ops"}},
            })])},
        ],
    });
    let there = json!({"roles": [{"name": "far", "trust": trusts(root(ACCOUNT))}]});
    let (model, warnings) = model(&[(ACCOUNT, here), (other, there)]).await;
    assert_eq!(warnings, Vec::<String>::new());
    let graph = graph(&model);
    let short = |name: &str| name.rsplit(['/', ':']).next().expect("a name").to_owned();
    let mut rows = Vec::new();
    for (number, from) in graph.origins.iter().enumerate() {
        for reached in graph.reached(number) {
            let chain: Vec<String> = reached.chain.iter().map(|node| short(&graph.origins[*node].name)).collect();
            let subject = from.subject.as_deref().map(|subject| format!(" {}", short(subject))).unwrap_or_default();
            rows.push(format!("{}{subject}: {} {}", from.kind, chain.join(">"), reached.decision.name()));
        }
    }
    rows.sort();
    let expected = [
        "account: root>open depends",
        "anyone: *>ops depends",
        "role: one>far allowed",
        "role: one>two allowed",
        "role: one>two>three allowed",
        "role: three>far allowed",
        "role: three>one allowed",
        "role: three>one>two allowed",
        "role: two>far allowed",
        "role: two>one allowed",
        "role: two>three allowed",
        "role: web>far allowed",
        "role: web>one allowed",
        "role: web>one>two allowed",
        "role: web>one>two>three allowed",
        "service: lambda.amazonaws.com>job allowed",
        "user: alice>far allowed",
        "user: alice>one allowed",
        "user: alice>one>two allowed",
        "user: alice>one>two>three allowed",
        "user: bob>two allowed",
        "user: bob>two>far allowed",
        "user: bob>two>one allowed",
        "user: bob>two>three allowed",
        "user: carol>far allowed",
        "user: carol>one allowed",
        "user: carol>one>two allowed",
        "user: carol>one>two>three allowed",
        "user: carol>ops allowed",
    ];
    let (of_web, others): (Vec<String>, Vec<String>) =
        rows.into_iter().partition(|row| row.starts_with("web identity"));
    assert_eq!(others, expected);
    // Both service accounts become the role, and through it others.
    assert_eq!(of_web.len(), 10, "{of_web:?}");
    assert!(of_web.contains(&"web identity web: E>web allowed".to_owned()), "{of_web:?}");
    assert!(of_web.contains(&"web identity api: E>web>one>two>three allowed".to_owned()), "{of_web:?}");
}

#[tokio::test]
async fn a_boundary_limits_what_writing_policies_gains() {
    // The boundary allows no more than the user has.
    let statements = [allow("iam:PutUserPolicy", &arn("user", "attacker")), allow("s3:GetObject", "*")];
    let limit = |action: &str| policy(&[allow("iam:PutUserPolicy", &arn("user", "attacker")), allow(action, "*")]);
    for (action, is_found) in [("s3:GetObject", false), ("s3:*", true)] {
        let spec = json!({
            "users": [{"name": "attacker", "inline": {"own": policy(&statements)}, "boundary": arn("policy", "limit")}],
            "policies": [{"name": "limit", "document": limit(action)}],
        });
        assert_eq!(has(&found(&spec).await, "iam-007", Some("allowed")), is_found, "{action}");
    }
    // Policies may be attached only with a boundary, or only some of them.
    for condition in [
        json!({"StringEquals": {"iam:PermissionsBoundary": arn("policy", "limit")}}),
        json!({"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/ReadOnlyAccess"}}),
    ] {
        let mut statement = allow("iam:AttachUserPolicy", "*");
        statement["Condition"] = condition;
        let spec = json!({"users": [{"name": "attacker", "inline": {"own": policy(&[statement])}}]});
        assert!(found(&spec).await.is_empty());
    }
}

#[tokio::test]
async fn to_assume_further_roles_is_a_permission() {
    let trusting = trust("AWS", &format!("arn:aws:iam::{ACCOUNT}:root"));
    let spec = json!({
        "users": [{"name": "attacker", "inline": {"own": policy(&[allow("sts:AssumeRole", &arn("role", "hop"))])}}],
        "roles": [{"name": "hop", "trust": trusting, "inline": {"own": policy(&[allow("sts:AssumeRole", &arn("role", "*"))])}}],
    });
    let (model, _) = model(&[(ACCOUNT, spec.clone())]).await;
    let hop = model.identity(&arn("role", "hop")).expect("a role").effective();
    assert_eq!(hop.len(), 1);
    assert_eq!((hop[0].grant.action.as_str(), hop[0].decided.layer), ("sts:assumerole", Some("identity")));
    assert!(has(&found(&spec).await, "sts-001", Some("allowed")));
}

#[tokio::test]
async fn what_is_created_is_what_is_used() {
    let function = |name: &str| format!("arn:aws:lambda:*:{ACCOUNT}:function:{name}");
    let rule = RULES.rules.iter().find(|rule| rule.id == "lambda-001").expect("a rule");
    for (invoked, is_found) in [("dev-*", true), ("dev-a", true), ("*", true), ("prod-*", false)] {
        let statements = [
            allow("iam:PassRole", &arn("role", "victim")),
            allow("lambda:CreateFunction", &function("dev-*")),
            allow("lambda:InvokeFunction", &function(invoked)),
        ];
        let rows = found(&account(rule, &statements)).await;
        assert_eq!(has(&rows, "lambda-001", Some("allowed")), is_found, "{invoked}: {rows:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_reported_and_not_guessed() {
    let everything = policy(&[allow("*", "*")]);
    let attached = "arn:aws:iam::aws:policy/Unlisted";
    let broken = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps", "Action": "*", "Resource": "*"}]});
    let spec = json!({
        "users": [
            {"name": "a", "inline": {"bad": broken, "all": everything}},
            {"name": "b", "inline": {"all": everything}, "attached": [attached]},
            {"name": "c", "inline": {"all": everything}},
        ],
        "scps": [[everything], [everything]],
        "refused": "ListParents",
    });
    let (model, mut warnings) = model(&[(ACCOUNT, spec)]).await;
    warnings.sort();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings.iter().any(|text| text.contains("inline policy bad") && text.contains("Perhaps")), "{warnings:?}");
    assert!(warnings.iter().any(|text| text.contains(attached) && text.contains("does not contain")), "{warnings:?}");
    assert!(
        warnings.iter().any(|text| text.contains("organizations:ListParents")
            && text.contains("without service and resource control policies")),
        "{warnings:?}"
    );
    let decided = |name: &str| {
        let user = model.identity(&arn("user", name)).expect("a user");
        let target = only(&model).target(None);
        let decided = user.decide(&target, "s3:GetObject", "arn:aws:s3:::b/k", None, &user.context);
        decided.expect("a request").map(|decided| decided.decision.name())
    };
    assert_eq!([decided("a"), decided("b"), decided("c")], [None, None, Some("allowed")]);
    assert!(model.identity(&arn("user", "a")).expect("a user").effective().is_empty());
}

#[tokio::test]
async fn known_keys_are_not_missing() {
    let on = |condition: Value| {
        let mut statement = allow("s3:GetObject", "*");
        statement["Condition"] = condition;
        policy(&[statement])
    };
    for (condition, expected) in [
        (json!({"StringEquals": {"aws:PrincipalTag/team": "ops"}}), "allowed"),
        (json!({"StringEquals": {"aws:PrincipalTag/team": "dev"}}), "implicitly denied"),
        // A user has the tags that it has.
        (json!({"StringEquals": {"aws:PrincipalTag/site": "x"}}), "implicitly denied"),
        (json!({"StringEquals": {"aws:username": "bob"}}), "allowed"),
        (json!({"StringLike": {"aws:userid": "AID*"}}), "allowed"),
        (json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), "implicitly denied"),
        (json!({"Bool": {"aws:SecureTransport": "true"}}), "depends"),
    ] {
        let spec = json!({"users": [{"name": "bob", "tags": {"team": "ops"}, "inline": {"p": on(condition.clone())}}]});
        let (model, _) = model(&[(ACCOUNT, spec)]).await;
        let bob = model.identity(&arn("user", "bob")).expect("a user");
        let decided = bob.decide(&only(&model).target(None), "s3:GetObject", "arn:aws:s3:::b/k", None, &bob.context);
        assert_eq!(decided.expect("a request").map(|decided| decided.decision.name()), Some(expected), "{condition}");
    }
}

const OTHER: &str = "444455556666";

fn allow_principal(name: &str, action: &str) -> Value {
    json!({"Sid": "P", "Effect": "Allow", "Principal": {"AWS": name}, "Action": action, "Resource": "*"})
}

fn control(action: &str) -> Value {
    policy(&[json!({"Sid": "Never", "Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"})])
}

#[tokio::test]
async fn a_control_policy_that_cannot_be_read_costs_no_other_and_is_not_guessed() {
    let everything = policy(&[allow("*", "*")]);
    let bob = json!([{"name": "bob", "inline": {"own": policy(&[allow("s3:*", "*"), allow("ec2:*", "*")])}}]);
    let scps = json!([[everything], [everything, policy(&[deny("s3:*", "*")]), everything]]);
    let queue = format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:q");
    let requests =
        [("bob", "s3:ListAllMyBuckets", "*"), ("bob", "ec2:RunInstances", "*"), ("bob", "sqs:SendMessage", &*queue)];
    let denied = "explicitly denied: denied by statement `Statement[0]` of \
                  `arn:aws:organizations::999999999999:policy/o-1/p-1-1`";
    let nothing = "implicitly denied: no statement of the identity policies allows it";
    let unread = "organizations::999999999999:policy/o-1/p-1-2`, which could not be read";
    let of_level = "depends on `the service control policies of r-1`, which could not be read";
    // All pages are read, so the second and third policy of the account's level count.
    let spec = json!({"users": bob, "scps": scps});
    let (found, warned) = decisions(&[(ACCOUNT, spec)], &requests).await;
    assert_eq!(found[0], denied);
    assert_eq!((found[1].starts_with("allowed: "), found[2].as_str(), warned.len()), (true, nothing, 0), "{warned:?}");
    for (list, what, depends, warning) in [
        ("refused", "DescribePolicy p-1-2", unread, "decisions depend on control policy arn:aws:organizations"),
        ("failing", "DescribePolicy p-1-2", unread, "decisions depend on control policy arn:aws:organizations"),
        ("refused", "ListPoliciesForTarget r-1", of_level, "depend on the service control policies of r-1"),
        ("failing", "ListPoliciesForTarget r-1", of_level, "depend on the service control policies of r-1"),
    ] {
        let spec = json!({"users": bob, "scps": scps, list: what});
        let (found, warned) = decisions(&[(ACCOUNT, spec.clone())], &requests).await;
        assert_eq!(found[0], denied, "{list} {what}");
        assert!(found[1].starts_with("depends: ") && found[1].ends_with(depends), "{list} {what}: {found:?}");
        assert_eq!(found[2], nothing, "{list} {what}");
        assert!(warned.len() == 1 && warned[0].contains(warning), "{warned:?}");
        // Permissions have rows.
        let (model, _) = model(&[(ACCOUNT, spec)]).await;
        let rows = model.identity(&arn("user", "bob")).expect("a user").effective();
        let rows: Vec<_> = rows.iter().map(|of| (of.grant.action.as_str(), of.decided.decision.name())).collect();
        assert_eq!(rows, [("ec2:*", "depends")], "{list} {what}");
    }
    // The tree cannot be read, and not because it is denied.
    let spec = json!({"users": bob, "scps": scps, "failing": "ListRoots"});
    let (found, warned) = decisions(&[(ACCOUNT, spec)], &requests[1..]).await;
    assert!(found[0].starts_with("depends: ") && found[0].contains("the service control policies of"), "{found:?}");
    assert_eq!(found[1], nothing);
    assert!(warned.len() == 1 && warned[0].contains("policies that are not known"), "{warned:?}");
    // A malformed one.
    let broken = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps", "Action": "*", "Resource": "*"}]});
    let spec = json!({"users": bob, "scps": [[everything], [everything, broken]]});
    let (found, warned) = decisions(&[(ACCOUNT, spec)], &requests[1..]).await;
    assert!(found[0].starts_with("depends: ") && found[0].contains("o-1/p-1-1`"), "{found:?}");
    assert!(warned.len() == 1 && warned[0].contains("Perhaps"), "{warned:?}");
    // The profile of the managing account that reads them, after one that is denied.
    let manager = "999999999999";
    let specs = [
        (ACCOUNT, json!({"users": bob, "scps": scps, "refused": "ListParents"})),
        (manager, json!({"scps": scps, "profile": "first", "refused": "ListParents"})),
        (manager, json!({"scps": scps, "profile": "second"})),
    ];
    let (found, warned) = decisions(&specs, &requests[..1]).await;
    assert_eq!((found, warned), (vec![denied.to_owned()], vec![]));
}

#[tokio::test]
async fn what_resource_control_policies_deny_is_no_permission_and_no_gain() {
    let secret = policy(&[allow("secretsmanager:GetSecretValue", "*")]);
    let spec = |rcps: Value| {
        json!({
            "users": [{"name": "attacker", "inline": {"own": policy(&[allow("iam:PassRole", "*"), allow("lambda:*", "*")])}}],
            "roles": [{"name": "victim", "inline": {"v": secret}, "trust": trust("Service", "lambda.amazonaws.com")}],
            "rcps": rcps,
        })
    };
    let harmless = control("braket:*");
    for (action, is_denied) in [("s3:*", false), ("secretsmanager:*", true)] {
        let spec = spec(json!([[harmless], [harmless, control(action)]]));
        let (model, warned) = model(&[(ACCOUNT, spec.clone())]).await;
        assert_eq!(warned, Vec::<String>::new());
        let role = model.identity(&arn("role", "victim")).expect("a role").effective();
        assert_eq!(role.is_empty(), is_denied, "{action}");
        assert_eq!(has(&found(&spec).await, "lambda-001", Some("allowed")), !is_denied, "{action}");
    }
    // One that cannot be read.
    let mut spec = spec(json!([[harmless], [harmless]]));
    spec["refused"] = json!("DescribePolicy r-1-0");
    let (model, warned) = model(&[(ACCOUNT, spec)]).await;
    assert_eq!(warned.len(), 1, "{warned:?}");
    let role = model.identity(&arn("role", "victim")).expect("a role").effective();
    assert_eq!(role.iter().map(|of| of.decided.decision.name()).collect::<Vec<_>>(), ["depends"]);
}

#[tokio::test]
async fn the_owner_of_a_bucket_is_the_account_that_lists_it() {
    let bob = arn("user", "bob");
    let users = json!([
        {"name": "bob", "inline": {"own": policy(&[allow("s3:GetObject", "*")])}},
        {"name": "eve", "inline": {"own": policy(&[deny("s3:*", "*")])}},
        {"name": "sam"},
    ]);
    let own = json!({"users": users, "buckets": {
        "own": null,
        "shared": policy(&[allow_principal(&arn("user", "sam"), "s3:GetObject")]),
        "closed": policy(&[json!({"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"})]),
        "secret": null,
    }, "refused": "GetBucketPolicy secret"});
    let other = json!({"buckets": {"far": policy(&[allow_principal(&bob, "s3:GetObject")]), "shut": null}});
    let nothing = "implicitly denied: no statement of the identity policies allows it";
    let across = format!("{nothing} (principal and resource are of different accounts)");
    let of_policy =
        |name: &str| format!("depends: depends on `arn:aws:s3:::{name} (resource policy)`, which could not be read");
    let by_own = format!("allowed: allowed by statement `s3GetObject` of `{bob} (inline policy own)`");
    let requests = [
        ("bob", "s3:GetObject", "arn:aws:s3:::own/k"),
        ("sam", "s3:GetObject", "arn:aws:s3:::own/k"),
        ("sam", "s3:GetObject", "arn:aws:s3:::shared/k"),
        ("bob", "s3:GetObject", "arn:aws:s3:::closed/k"),
        ("bob", "s3:GetObject", "arn:aws:s3:::secret/k"),
        // Of another configured account.
        ("bob", "s3:GetObject", "arn:aws:s3:::far/k"),
        ("bob", "s3:GetObject", "arn:aws:s3:::shut/k"),
        // Of none.
        ("bob", "s3:GetObject", "arn:aws:s3:::stray/k"),
        ("sam", "s3:GetObject", "arn:aws:s3:::stray/k"),
        ("eve", "s3:GetObject", "arn:aws:s3:::stray/k"),
    ];
    let (found, warned) = decisions(&[(ACCOUNT, own.clone()), (OTHER, other)], &requests).await;
    let expected = [
        by_own.clone(),
        nothing.to_owned(),
        "allowed: allowed by statement `P` of `arn:aws:s3:::shared (resource policy)`".to_owned(),
        "explicitly denied: denied by statement `No` of `arn:aws:s3:::closed (resource policy)`".to_owned(),
        of_policy("secret"),
        by_own,
        "implicitly denied: no statement of the resource policy allows it (principal and resource are of different accounts)".to_owned(),
        of_policy("stray"),
        across,
        format!("explicitly denied: denied by statement `Statement[0]` of `{} (inline policy own)`", arn("user", "eve")),
    ];
    assert_eq!(found, expected);
    assert!(warned.iter().any(|text| text.contains("bucket stray is in no account")), "{warned:?}");
    assert!(warned.iter().any(|text| text.contains("s3:GetBucketPolicy as 111122223333/eu-west-1")), "{warned:?}");
    // Without the listing, it can be a bucket of the account.
    let mut hidden = own;
    hidden["refused"] = json!("ListBuckets");
    let requests = [("bob", "s3:GetObject", "arn:aws:s3:::own/k"), ("sam", "s3:GetObject", "arn:aws:s3:::own/k")];
    let (found, warned) = decisions(&[(ACCOUNT, hidden)], &requests).await;
    assert_eq!(found, [of_policy("own"), of_policy("own")]);
    assert!(warned.iter().any(|text| text.contains("which account owns bucket own")), "{warned:?}");
    assert!(warned.iter().any(|text| text.contains("s3:ListAllMyBuckets")), "{warned:?}");
}

#[tokio::test]
async fn policies_of_topics_functions_and_repositories_count() {
    let bob = arn("user", "bob");
    let by_policy = |action: &str| policy(&[allow_principal(&bob, action)]);
    let spec = json!({"users": [{"name": "bob"}], "policies_of": {
        "topic": by_policy("sns:Publish"),
        "function": by_policy("lambda:InvokeFunction"),
        "repository": by_policy("ecr:BatchGetImage"),
    }});
    let arns = [
        ("sns:Publish", format!("arn:aws:sns:eu-west-1:{ACCOUNT}:t")),
        ("lambda:InvokeFunction", format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f:live")),
        ("ecr:BatchGetImage", format!("arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/team/app")),
        ("ecr:PutImage", format!("arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/team/app")),
        ("sqs:SendMessage", format!("arn:aws:sqs:*:{ACCOUNT}:*")),
        ("events:PutEvents", format!("arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/b")),
    ];
    let requests: Vec<_> = arns.iter().map(|(action, arn)| ("bob", *action, arn.as_str())).collect();
    let (found, warned) = decisions(&[(ACCOUNT, spec)], &requests).await;
    for ((_, arn), decision) in arns.iter().zip(&found).take(3) {
        assert_eq!(*decision, format!("allowed: allowed by statement `P` of `{arn} (resource policy)`"));
    }
    assert!(found[3..].iter().all(|decision| decision.starts_with("implicitly denied: ")), "{found:?}");
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned.iter().any(|text| text.contains("policies of events resources are not read")), "{warned:?}");
    assert!(warned.iter().any(|text| text.contains("is a pattern")), "{warned:?}");
}

#[tokio::test]
async fn a_policy_that_one_profile_may_not_read_is_read_by_the_next() {
    let queue = format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:q");
    let users = json!([{"name": "bob"}]);
    let policies = json!({"queue": policy(&[allow_principal(&arn("user", "bob"), "sqs:SendMessage")])});
    let profile = |name: &str, refused: &str| {
        (ACCOUNT, json!({"users": users, "policies_of": policies, "profile": name, "refused": refused}))
    };
    let requests = [("bob", "sqs:SendMessage", &*queue)];
    let (found, warned) = decisions(&[profile("a", "GetQueueUrl"), profile("b", "")], &requests).await;
    assert!(found[0].starts_with("allowed: "), "{found:?}");
    assert_eq!(warned, Vec::<String>::new());
    let (found, warned) = decisions(&[profile("a", "GetQueueUrl"), profile("b", "GetQueueUrl")], &requests).await;
    assert!(found[0].starts_with("depends: "), "{found:?}");
    assert!(warned.iter().any(|text| text.contains("sqs:GetQueueUrl")), "{warned:?}");
}

#[tokio::test]
async fn names_have_the_partition_of_the_account() {
    let spec = json!({
        "roles": [{"name": "open", "trust": trust("AWS", "777788889999")}],
        "region": "cn-north-1",
    });
    let (model, _) = model(&[(ACCOUNT, spec)]).await;
    assert_eq!(only(&model).partition, "aws-cn");
    let graph = graph(&model);
    assert!(graph.find("arn:aws-cn:iam::777788889999:root").is_some(), "{:?}", graph.origins);
    // A service of China has a name of its own.
    let statements = [allow("iam:PassRole", "*"), allow("ec2:*", "*")];
    let spec = json!({
        "users": [{"name": "attacker", "inline": {"own": policy(&statements)}}],
        "roles": [{"name": "victim", "profile": true, "inline": {"v": policy(&[allow("*", "*")])},
                   "trust": trust("Service", "ec2.amazonaws.com.cn")}],
        "region": "cn-north-1",
    });
    assert!(has(&found(&spec).await, "ec2-001", Some("allowed")));
    let administrator = super::model::administrator(&only(&model).partition);
    assert_eq!(administrator, "arn:aws-cn:iam::aws:policy/AdministratorAccess");
}

#[tokio::test]
async fn patterns_of_policy_and_boundary_may_cross() {
    let own = [allow("iam:Put*", "arn:aws:iam::*:user/att*"), allow("s3:Get*", "*")];
    for (action, resource, is_found) in [
        ("iam:*UserPolicy", arn("user", "*er"), true),
        ("iam:*RolePolicy", arn("user", "*er"), false),
        ("iam:*UserPolicy", arn("user", "*or"), false),
    ] {
        let limit = policy(&[allow(action, &resource), allow("s3:*", "*"), allow("ec2:*", "*")]);
        let spec = json!({
            "users": [{"name": "attacker", "inline": {"own": policy(&own)}, "boundary": arn("policy", "limit")}],
            "policies": [{"name": "limit", "document": limit}],
        });
        assert_eq!(has(&found(&spec).await, "iam-007", Some("allowed")), is_found, "{action} {resource}");
        let (model, _) = model(&[(ACCOUNT, spec)]).await;
        let rows = model.identity(&arn("user", "attacker")).expect("a user").effective();
        let has_row = rows.iter().any(|of| of.grant.action == "iam:put*userpolicy");
        assert_eq!(has_row, action == "iam:*UserPolicy", "{action} {resource}: {rows:?}");
    }
}
