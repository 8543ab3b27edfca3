//! The IAM policy evaluator: in SQL, on the command line, on AWS's managed policies, and compared with moto's
//! evaluator.
//!
//! `INDAGO_IAM_SEED` chooses other requests for the comparison, `INDAGO_IAM_REQUESTS` their number.

use std::collections::BTreeMap;

use indago::iam::{Caller, Case, Context, Decision, Layer, Policy, PolicySet, Principal, Request, Target, evaluate};
use indago_engine::{Engine, QueryOptions};
use indago_tables_registry::{Aws, AwsSettings, Environments, functions};
use indago_testkit::beds::Moto;
use serde_json::{Value, json};

use crate::cli::run;
use crate::support::{Dice, root, texts};

async fn engine() -> Engine {
    let environments = Environments { aws: Some(Aws::new(&AwsSettings::default())), ..Environments::default() };
    Engine::builder().functions(functions(&environments)).build().await.expect("an engine")
}

async fn rows(engine: &Engine, sql: &str, documents: &[Value]) -> (Vec<Vec<String>>, Vec<String>) {
    let options = QueryOptions::default().bind("documents", json!(documents).to_string());
    let query = engine.query_with(sql, options).await;
    let query = query.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    (texts(&batches), query.warnings().iter().map(ToString::to_string).collect())
}

/// The documents of the crate's cases, with the expected decisions.
fn cases() -> Vec<(Value, String)> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(root().join("crates/iam/cases")).expect("the cases") {
        let text = std::fs::read_to_string(entry.expect("a file").path()).expect("text");
        let mut file: Value = serde_json::from_str(&text).expect("JSON");
        for case in file["cases"].as_array_mut().expect("a list") {
            let members = case.as_object_mut().expect("a case");
            members.remove("name");
            members.remove("source");
            let Some(Value::String(expected)) = members.remove("expected") else { panic!("a decision") };
            cases.push((case.clone(), expected));
        }
    }
    cases
}

#[tokio::test]
async fn sql_decides_as_the_cases_expect() {
    let engine = engine().await;
    let cases = cases();
    assert!(cases.len() >= 500);
    let sql = "SELECT e['decision'], e['decision'] = 'depends', e['reason'] FROM \
               (SELECT CAST(key AS BIGINT) AS n, aws_iam_evaluate(value) AS e FROM json_each($documents)) ORDER BY n";
    for some in cases.chunks(500) {
        let documents: Vec<Value> = some.iter().map(|(document, _)| document.clone()).collect();
        let (rows, warnings) = rows(&engine, sql, &documents).await;
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(rows.len(), some.len());
        for (row, (document, expected)) in rows.iter().zip(some) {
            assert_eq!(row[0], *expected, "{}: {document}", row[2]);
        }
    }
}

#[tokio::test]
async fn sql_states_the_reason_and_reports_malformed_documents() {
    let engine = engine().await;
    let request = json!({"principal": "arn:aws:iam::111122223333:user/bob", "action": "s3:GetObject", "resource": "arn:aws:s3:::b/k"});
    let policy = |statement: Value| json!({"Version": "2012-10-17", "Statement": [statement]});
    let allow = policy(json!({"Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}));
    let deny = policy(
        json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}}),
    );
    let mut unknown = request.clone();
    unknown["missing_context"] = json!("unknown");
    let documents = [
        json!({"request": request, "identity_policies": [{"name": "reader", "policy": allow}]}),
        json!({"request": request, "identity_policies": [allow], "scps": [[allow], [allow, deny.to_string()]]}),
        json!({"request": request}),
        json!({"request": unknown, "identity_policies": [allow, deny]}),
        json!({"request": request, "identity_policies": [{"Statement": 1}]}),
        json!({"request": request, "identity_policies": [{"Statement": 1}]}),
    ];
    let sql = "SELECT e['decision'], e['layer'], e['policy'], e['statement'], e['keys'], e['reason'] FROM \
               (SELECT CAST(key AS BIGINT) AS n, aws_iam_evaluate(value) AS e FROM json_each($documents)) ORDER BY n";
    let (rows, warnings) = rows(&engine, sql, &documents).await;
    let expected = [
        ["allowed", "identity", "reader", "Read", "[]", "allowed by statement `Read` of `reader`"],
        [
            "explicitly denied",
            "scp",
            "scps[1][1]",
            "Statement[0]",
            "[]",
            "denied by statement `Statement[0]` of `scps[1][1]`",
        ],
        ["implicitly denied", "identity", "NULL", "NULL", "[]", "no statement of the identity policies allows it"],
        ["depends", "NULL", "NULL", "NULL", "[aws:RequestedRegion]", "depends on aws:RequestedRegion"],
        ["NULL", "NULL", "NULL", "NULL", "NULL", "NULL"],
        ["NULL", "NULL", "NULL", "NULL", "NULL", "NULL"],
    ];
    assert_eq!(rows, expected);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("identity_policies[0].Statement: expected an object, found a number"), "{warnings:?}");

    // It reads nothing, so a query as of the past may call it, and it computes per row and in any place.
    let past = QueryOptions { as_of: Some(indago_table::Timestamp(0)), ..QueryOptions::default() };
    let query = engine.query_with("SELECT aws_iam_evaluate(NULL) IS NULL", past).await.expect("a query of the past");
    assert_eq!(texts(&query.collect().await.expect("a row")), [["1"]]);
    let sql = "SELECT count(*) FROM json_each($documents) d WHERE aws_iam_evaluate(d.value)['decision'] = 'allowed'";
    assert_eq!(self::rows(&engine, sql, &documents[..4]).await.0, [["1"]]);
}

#[test]
fn the_command_tests_cases() {
    let cases = root().join("crates/iam/cases");
    let all = run(&["iam", "test", cases.to_str().expect("UTF-8"), "--failed", "--json"]).expect(0);
    assert_eq!(all.json(), json!([]));
    assert!(all.err.contains("0 failed"), "{}", all.err);

    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let yaml = write(
        "buckets.yaml",
        "source: our rules
identity_policies:
  - Version: '2012-10-17'
    Statement: {Effect: Allow, Action: 's3:Get*', Resource: 'arn:aws:s3:::b/*'}
request: {principal: 'arn:aws:iam::111122223333:role/app', resource: 'arn:aws:s3:::b/k'}
cases:
  - {name: reads, request: {action: 's3:GetObject'}, expected: allowed}
  - {name: writes, request: {action: 's3:PutObject'}, expected: allowed}
  - {name: typo, request: {action: 's3:PutObject'}, expected: denied}
",
    );
    write("sub/broken.json", "{\"cases\": [{\"expected\": \"allowed\", \"expected\": \"allowed\"}]}");
    write("notes.txt", "not a case");
    let some = run(&["iam", "test", folder.path().to_str().expect("UTF-8"), "--json"]).expect(1);
    let rows = some.json();
    let shown: Vec<[&str; 4]> = rows
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| ["result", "case", "expected", "decision"].map(|column| row[column].as_str().expect("text")))
        .collect();
    assert_eq!(
        shown,
        [
            ["passed", "reads", "allowed", "allowed"],
            ["failed", "writes", "allowed", "implicitly denied"],
            ["failed", "", "", "malformed"],
            ["failed", "", "", "malformed"],
        ]
    );
    assert!(rows[2]["reason"].as_str().expect("text").contains("`denied` is not one of allowed, explicitly denied"));
    assert!(rows[3]["reason"].as_str().expect("text").contains("duplicate key `expected`"), "{rows}");
    assert!(some.err.contains("4 cases in 2 files, 3 failed"), "{}", some.err);
    let one = run(&["iam", "test", &yaml, "--failed", "--csv"]).expect(1);
    assert_eq!(one.out.lines().count(), 3, "{}", one.out);
    run(&["iam", "test", "/nonexistent"]).expect(2);
    let empty = tempfile::tempdir().expect("a folder");
    run(&["iam", "test", empty.path().to_str().expect("UTF-8")]).expect(2);
}

#[test]
fn every_managed_policy_of_aws_parses() {
    let moto = Moto::start().expect("moto");
    let script = "import json
from moto.iam.aws_managed_policies import aws_managed_policies_data
policies = json.loads(aws_managed_policies_data)
print(json.dumps({name: json.dumps(policy['Document']) for name, policy in policies.items()}))";
    let policies: BTreeMap<String, String> =
        serde_json::from_str(&moto.seed(script).expect("moto has them")).expect("JSON");
    assert!(policies.len() >= 1500, "{}", policies.len());
    let mut sets = Vec::new();
    for (name, text) in &policies {
        let policy = Policy::parse(text, Layer::Identity).unwrap_or_else(|error| panic!("{name}: {error}"));
        sets.push((name.clone(), policy));
    }
    // AdministratorAccess alone allows everything, ReadOnlyAccess no writes.
    let decide = |name: &str, action: &str| {
        let policies = sets.iter().filter(|(of, _)| of == name).cloned();
        let bob = Principal::parse("arn:aws:iam::111122223333:user/bob").expect("a principal");
        let caller = Caller::new(bob).identity(PolicySet::new(policies));
        let context = Context::default();
        let request = Request { action, resource: "*", resource_account: None, context: &context };
        evaluate(&caller, &Target::default(), &request).expect("a request").decision
    };
    assert_eq!(decide("AdministratorAccess", "iam:CreateUser"), Decision::Allowed);
    assert_eq!(decide("ReadOnlyAccess", "ec2:DescribeInstances"), Decision::Allowed);
    assert_eq!(decide("ReadOnlyAccess", "ec2:RunInstances"), Decision::ImplicitlyDenied);
    assert_eq!(decide("AWSDenyAll", "ec2:RunInstances"), Decision::ExplicitlyDenied);
}

/// One to three values: one alone, several as a list.
fn some(dice: &mut Dice, of: &[&str]) -> Value {
    let values: Vec<&str> = (0..=dice.below(3)).map(|_| dice.pick(of)).collect();
    if values.len() == 1 { json!(values[0]) } else { json!(values) }
}

/// In the last, the case differs; in those with `?`, the character before it is not optional.
const PATTERNS: [&str; 12] = [
    "*",
    "s3:*",
    "s3:Get*",
    "s3:GetObject",
    "s3:PutObject",
    "s3:*Object",
    "iam:*",
    "iam:*User",
    "s3:Ge?Object",
    "iam:GetUse?",
    "S3:getobject",
    "IAM:*",
];
const ACTIONS: [&str; 6] =
    ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "iam:GetUser", "iam:CreateUser", "sqs:SendMessage"];
const RESOURCES: [&str; 9] = [
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/k",
    "arn:aws:iam::*:user/*",
    "arn:aws:iam::111122223333:user/bob",
    "arn:aws:s3:::b/?",
    "arn:aws:i*3:user/*",
    "arn:aws:s*:queue",
];
const TARGETS: [&str; 6] = [
    "arn:aws:s3:::b",
    "arn:aws:s3:::b/k",
    "arn:aws:s3:::b/other",
    "arn:aws:iam::111122223333:user/bob",
    "arn:aws:iam::111122223333:user/al",
    "arn:aws:sqs:us-east-1:111122223333:queue",
];

fn statement(dice: &mut Dice) -> Value {
    let mut statement = json!({"Effect": if dice.one_in(4) { "Deny" } else { "Allow" }});
    let action = if dice.one_in(5) { "NotAction" } else { "Action" };
    statement[action] = some(dice, &PATTERNS);
    let resource = if dice.one_in(8) { "NotResource" } else { "Resource" };
    statement[resource] = some(dice, &RESOURCES);
    if dice.one_in(8) {
        statement["Condition"] = json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}});
    }
    statement
}

/// The statement as moto reads it, and which of its departures that takes:
///
/// - `condition`: a condition on a key that the request does not have (here: all) holds;
/// - `not resource`: a statement with NotResource allows, whatever its effect and the resource;
/// - `question mark`: `?` makes the character before it optional;
/// - `case`: actions keep their case;
/// - `colon`: `*` matches colons in the first five parts of an ARN, too.
fn as_moto(statement: &Value) -> (Value, Vec<&'static str>) {
    let mut read = statement.clone();
    let mut departures = Vec::new();
    let members = read.as_object_mut().expect("a statement");
    for key in ["Action", "NotAction", "Resource", "NotResource"] {
        let Some(value) = members.get_mut(key) else { continue };
        let mut texts = Vec::new();
        for text in value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]) {
            let text = text.as_str().expect("a text").to_owned();
            if ["S3:getobject", "IAM:*"].contains(&text.as_str()) {
                departures.push("case");
            } else if let Some((before, after)) = text.split_once('?') {
                departures.push("question mark");
                texts.extend([format!("{before}{after}"), format!("{}{after}", &before[..before.len() - 1])]);
            } else if text == "arn:aws:i*3:user/*" {
                departures.push("colon");
                texts.push("arn:aws:iam::*3:user/*".to_owned());
            } else {
                texts.push(text);
            }
        }
        *value = json!(texts);
    }
    if members.contains_key("Condition") {
        departures.push("condition");
        members.remove("Condition");
    }
    if members.contains_key("NotResource") {
        departures.push("not resource");
        members.insert("Effect".into(), json!("Allow"));
        members.remove("NotResource");
        members.insert("Resource".into(), json!("*"));
    }
    (read, departures)
}

fn decide(policies: &[Value], action: &str, resource: &str) -> Decision {
    let parse =
        |policy: &Value| (String::new(), Policy::parse(&policy.to_string(), Layer::Identity).expect("a policy"));
    let bob = Principal::parse("arn:aws:iam::111122223333:user/bob").expect("a principal");
    let caller = Caller::new(bob).identity(PolicySet::new(policies.iter().map(parse)));
    let context = Context::default();
    let request = Request { action, resource, resource_account: Some("111122223333"), context: &context };
    evaluate(&caller, &Target::default(), &request).expect("a request").decision
}

#[test]
fn moto_decides_the_same_where_it_follows_the_rules() {
    let many = std::env::var("INDAGO_IAM_REQUESTS").ok().and_then(|text| text.parse().ok()).unwrap_or(4000_u64);
    let mut dice = Dice::seeded("INDAGO_IAM_SEED");
    let mut requests = Vec::new();
    for _ in 0..many {
        let mut policy = || json!({"Version": "2012-10-17", "Statement": (0..=dice.below(3)).map(|_| statement(&mut dice)).collect::<Vec<_>>()});
        let policies = [policy(), policy()];
        let action = ACTIONS[dice.below(ACTIONS.len())];
        requests.push((policies, action, TARGETS[dice.below(TARGETS.len())]));
    }
    let moto = Moto::start().expect("moto");
    std::fs::write(moto.folder().join("requests.json"), json!(requests).to_string()).expect("written");
    let script = "import json, os
from moto.iam.access_control import IAMPolicy, PermissionResult
results = []
for policies, action, resource in json.load(open(os.environ['BED'] + '/requests.json')):
    said = [IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource) for policy in policies]
    denied, permitted = PermissionResult.DENIED in said, PermissionResult.PERMITTED in said
    results.append('explicitly denied' if denied else 'allowed' if permitted else 'implicitly denied')
print(json.dumps(results))";
    let results: Vec<String> = serde_json::from_str(&moto.seed(script).expect("moto decides")).expect("JSON");
    assert_eq!(results.len(), requests.len());

    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for ((policies, action, resource), result) in requests.iter().zip(&results) {
        let mut departures = Vec::new();
        let read = policies.each_ref().map(|policy| {
            let mut policy = policy.clone();
            for statement in policy["Statement"].as_array_mut().expect("a list") {
                let (read, of_statement) = as_moto(statement);
                *statement = read;
                departures.extend(of_statement);
            }
            policy
        });
        let ours = decide(policies, action, resource).name();
        let shown = || format!("{action} on {resource} by {}", json!(policies));
        // With moto's reading of the statements, its answers follow. Where its reading is AWS's, ours are the same.
        assert_eq!(decide(&read, action, resource).name(), result, "{}", shown());
        let is_same = ours == result;
        assert!(is_same || !departures.is_empty(), "{ours}, moto: {result}: {}", shown());
        *counts.entry(if is_same { "same".to_owned() } else { "differs".to_owned() }).or_default() += 1;
        if !is_same {
            departures.sort_unstable();
            departures.dedup();
            *counts.entry(format!("differs with {}", departures.join(", "))).or_default() += 1;
        }
    }
    println!("{counts:#?}");
    assert!(counts["same"] > requests.len() / 2, "{counts:?}");
}

#[test]
fn cases_can_be_read_from_json() {
    let one = r#"{"request": {"principal": "111122223333", "action": "s3:GetObject", "resource": "*"}, "expected": "allowed"}"#;
    let cases = Case::parse_all(one).expect("a case");
    assert_eq!(cases.len(), 1);
    let case = cases[0].as_ref().expect("well-formed");
    assert_eq!(case.document.evaluate().expect("a request").decision, case.expected);
}
