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
use crate::support::{Dice, root, sql_blocks, texts};

async fn engine() -> Engine {
    let environments = Environments { aws: Some(Aws::new(&AwsSettings::default())), ..Environments::default() };
    Engine::builder().functions(functions(&environments)).build().await.expect("an engine")
}

async fn rows(engine: &Engine, sql: &str, documents: &[Value]) -> (Vec<Vec<String>>, Vec<String>) {
    let options = match documents {
        [] => QueryOptions::default(),
        documents => QueryOptions::default().bind("documents", json!(documents).to_string()),
    };
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

/// Identities with permissions and ways to more of them, on top of the estate.
const PERMISSIONS: &str = r#"
import io, json, os, zipfile, boto3

def client(service, account=None):
    extra = {}
    if account:
        entry = boto3.client("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/entry", RoleSessionName="bed")["Credentials"]
        extra = dict(aws_access_key_id=entry["AccessKeyId"], aws_secret_access_key=entry["SecretAccessKey"],
                     aws_session_token=entry["SessionToken"])
    return boto3.client(service, region_name="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"], **extra)

def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

def allow(action, resource="*", **other):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **other}

def trust(principal, **other):
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **other})

HOME = "123456789012"
iam = client("iam")

def user(name, *statements, **other):
    iam.create_user(UserName=name, **other)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))

def role(name, document, *statements, **other):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **other)
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))

role("lambda-admin", trust({"Service": "lambda.amazonaws.com"}), allow("*"))
role("lambda-logs", trust({"Service": "lambda.amazonaws.com"}), allow(["logs:CreateLogStream", "logs:PutLogEvents"]))
user("dev", allow("iam:PassRole", f"arn:aws:iam::{HOME}:role/lambda-*", Sid="Pass"),
     allow(["lambda:CreateFunction", "lambda:InvokeFunction"], f"arn:aws:lambda:*:{HOME}:function:dev-*", Sid="Run"))
# The boundary excludes what the policy allows.
limit = iam.create_policy(PolicyName="limit", PolicyDocument=policy(
    {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}))["Policy"]["Arn"]
role("bounded", trust({"Service": "ec2.amazonaws.com"}), allow("iam:PassRole"), allow("lambda:*"), PermissionsBoundary=limit)
user("boss", allow("s3:*"))
user("clerk", allow(["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile"],
                    f"arn:aws:iam::{HOME}:user/boss"))
iam.create_access_key(UserName="boss")
iam.create_login_profile(UserName="boss", Password="Correct.Horse.1")

# A chain over accounts, and an identity of Kubernetes.
role("first", trust({"AWS": f"arn:aws:iam::{HOME}:user/clerk"}), allow("sts:AssumeRole", "arn:aws:iam::222222222222:role/*"))
there = client("iam", "222222222222")
there.create_role(RoleName="far", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{HOME}:role/first"}))
oidc = f"arn:aws:iam::{HOME}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/E"
iam.create_role(RoleName="irsa", AssumeRolePolicyDocument=policy({
    "Effect": "Allow", "Principal": {"Federated": oidc}, "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringEquals": {"oidc.eks.us-east-1.amazonaws.com/id/E:sub": "system:serviceaccount:shop:web"}}}))

role("open", trust({"AWS": "*"}, Condition={"StringEquals": {"sts:ExternalId": "x"}}))

# Policies of resources.
queue = client("sqs").create_queue(QueueName="orders", Attributes={"Policy": policy(
    {"Sid": "Send", "Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam::{HOME}:user/clerk", "arn:aws:iam::222222222222:role/far"]},
     "Action": "sqs:SendMessage", "Resource": "*"},
    {"Sid": "NotBoss", "Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{HOME}:user/boss"}, "Action": "sqs:*", "Resource": "*"})})
client("sqs").create_queue(QueueName="bare")
key = client("kms").create_key()["KeyMetadata"]["Arn"]
secret = client("secretsmanager").create_secret(Name="db", SecretString="x")["ARN"]
def clerk(sid, action, resource="*"):
    return policy({"Sid": sid, "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HOME}:user/clerk"}, "Action": action, "Resource": resource})
for bucket in ("ledger", "plain"):
    client("s3").create_bucket(Bucket=bucket)
client("s3").put_bucket_policy(Bucket="ledger", Policy=clerk("Read", "s3:GetObject", "arn:aws:s3:::ledger/*"))
client("s3", "222222222222").create_bucket(Bucket="abroad")
topic = client("sns").create_topic(Name="news")["TopicArn"]
client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=clerk("Publish", "sns:Publish"))
ecr = client("ecr")
ecr.create_repository(repositoryName="team/app")
ecr.set_repository_policy(repositoryName="team/app", policyText=clerk("Pull", "ecr:BatchGetImage"))
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as file:
    file.writestr("main.py", "x")
function = client("lambda").create_function(FunctionName="hello", Runtime="python3.12", Handler="main.x",
    Role=f"arn:aws:iam::{HOME}:role/lambda-logs", Code={"ZipFile": code.getvalue()})["FunctionArn"]
client("lambda").add_permission(FunctionName="hello", StatementId="Bucket", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
user("buyer", allow("sqs:*", f"arn:aws:sqs:us-east-1:{HOME}:*"), allow("secretsmanager:GetSecretValue", secret,
     Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), Tags=[{"Key": "team", "Value": "ops"}])

# A member account, which the organisation limits.
organizations = client("organizations")
root = organizations.list_roots()["Roots"][0]["Id"]
organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
member = organizations.create_account(Email="member@example.com", AccountName="member")["CreateAccountStatus"]["AccountId"]
scp = organizations.create_policy(Name="no-s3", Description="x", Type="SERVICE_CONTROL_POLICY", Content=policy(
    {"Sid": "NoS3", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}))["Policy"]["PolicySummary"]
organizations.attach_policy(PolicyId=scp["Id"], TargetId=member)
inside = client("iam", member)
inside.create_role(RoleName="admin", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{HOME}:root"}))
inside.put_role_policy(RoleName="admin", PolicyName="all", PolicyDocument=policy(allow("*")))
print(json.dumps({"member": member, "key": key, "secret": secret, "scp": scp["Arn"], "topic": topic, "function": function}))
"#;

/// The default version of each policy of the account, and all others, as boto3 reads them: kind, place, number of
/// statements.
const POLICIES: &str = r#"
import json, os, boto3
iam = boto3.client("iam")
details = iam.get_account_authorization_details()
rows = []
def count(kind, place, document):
    document = json.loads(document) if isinstance(document, str) else document
    statements = document["Statement"]
    rows.append(f"{kind} {place} {len(statements) if isinstance(statements, list) else 1}")
for kind, tag in (("User", "User"), ("Group", "Group"), ("Role", "Role")):
    for detail in details[f"{kind}DetailList"]:
        for policy in detail.get(f"{tag}PolicyList", []):
            count("inline", f"{detail['Arn']} (inline policy {policy['PolicyName']})", policy["PolicyDocument"])
        if kind == "Role":
            count("trust", f"{detail['Arn']} (trust policy)", detail["AssumeRolePolicyDocument"])
for policy in details["Policies"]:
    version = next(v for v in policy["PolicyVersionList"] if v["IsDefaultVersion"])
    count("managed", policy["Arn"], version["Document"])
print(json.dumps(sorted(rows)))
"#;

#[test]
fn what_live_identities_may_do() {
    let bed = crate::aws::Bed::start();
    crate::aws::runtime().block_on(permissions(&bed));
}

async fn permissions(bed: &crate::aws::Bed) {
    let seeded: Value = serde_json::from_str(&bed.moto().seed(PERMISSIONS).expect("the identities fit")).expect("JSON");
    let text = |name: &str| seeded[name].as_str().expect("text").to_owned();
    let (member, key, secret, scp) = (text("member"), text("key"), text("secret"), text("scp"));
    let (topic, function) = (text("topic"), text("function"));
    let repository = "arn:aws:ecr:us-east-1:123456789012:repository/team/app".to_owned();
    bed.add_role("member", &format!("arn:aws:iam::{member}:role/admin"));
    let home = bed.engine(&["default"], &["us-east-1"]).await;
    let all = bed.engine(&["default", "prod", "member"], &["us-east-1"]).await;
    let queue = "arn:aws:sqs:us-east-1:123456789012:orders";
    let bounded = "arn:aws:iam::123456789012:role/bounded";
    let user = |name: &str| format!("arn:aws:iam::123456789012:user/{name}");
    let rows = async |engine: &Engine, sql: &str| self::rows(engine, sql, &[]).await;

    // Every statement, as boto3 reads the policies.
    let sql = "SELECT policy_type || ' ' || policy_label || ' ' || count(*) FROM aws_iam_policy_statement \
               WHERE policy_type IN ('managed', 'inline', 'trust') GROUP BY policy_type, policy_label";
    let (mut found, warnings) = rows(&home, sql).await;
    assert_eq!(warnings, Vec::<String>::new());
    found.sort();
    let expected: Vec<String> =
        serde_json::from_str(&bed.moto().seed(POLICIES).expect("boto3 reads them")).expect("JSON");
    assert!(expected.len() > 1000, "{}", expected.len());
    assert_eq!(found.concat(), expected);
    let sql = "SELECT policy_type, owner_kind, owner_arn, sid, effect, principals, actions FROM aws_iam_policy_statement \
               WHERE policy_type IN ('resource', 'boundary') ORDER BY 1, 2, statement_index";
    let (found, warnings) = rows(&home, sql).await;
    assert_eq!(warnings, Vec::<String>::new());
    let expected = [
        ["boundary", "role", bounded, "NULL", "Allow", "NULL", "NULL"],
        [
            "resource",
            "bucket",
            "arn:aws:s3:::ledger",
            "Read",
            "Allow",
            &format!("[{}]", user("clerk")),
            "[s3:GetObject]",
        ],
        ["resource", "function", &function, "Bucket", "Allow", "[s3.amazonaws.com]", "[lambda:InvokeFunction]"],
        [
            "resource",
            "key",
            &key,
            "Enable IAM User Permissions",
            "Allow",
            "[arn:aws:iam::123456789012:root]",
            "[kms:*]",
        ],
        [
            "resource",
            "queue",
            queue,
            "Send",
            "Allow",
            "[arn:aws:iam::123456789012:user/clerk, arn:aws:iam::222222222222:role/far]",
            "[sqs:SendMessage]",
        ],
        ["resource", "queue", queue, "NotBoss", "Deny", "[arn:aws:iam::123456789012:user/boss]", "[sqs:*]"],
        [
            "resource",
            "repository",
            &repository,
            "Pull",
            "Allow",
            &format!("[{}]", user("clerk")),
            "[ecr:BatchGetImage]",
        ],
        ["resource", "topic", &topic, "Publish", "Allow", &format!("[{}]", user("clerk")), "[sns:Publish]"],
    ];
    assert_eq!(found, expected);
    let sql = "SELECT policy_arn, attached_to, actions FROM aws_iam_policy_statement WHERE policy_type = 'scp' AND effect = 'Deny'";
    assert_eq!(rows(&all, sql).await, (vec![vec![scp.clone(), format!("[{member}]"), "[s3:*]".to_owned()]], vec![]));

    // Decisions.
    let admin = format!("arn:aws:iam::{member}:role/admin");
    let far = "arn:aws:iam::222222222222:role/far";
    for (principal, action, resource, context, expected) in [
        (
            user("dev"),
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/lambda-admin",
            "NULL",
            "allowed identity Pass []",
        ),
        (
            user("dev"),
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/first",
            "NULL",
            "implicitly denied identity NULL []",
        ),
        (bounded.to_owned(), "iam:PassRole", "*", "NULL", "implicitly denied boundary NULL []"),
        (user("clerk"), "sqs:SendMessage", queue, "NULL", "allowed resource Send []"),
        (user("boss"), "sqs:SendMessage", queue, "NULL", "explicitly denied resource NotBoss []"),
        (
            user("buyer"),
            "sqs:SendMessage",
            "arn:aws:sqs:us-east-1:123456789012:bare",
            "NULL",
            "allowed identity Statement[0] []",
        ),
        (
            user("buyer"),
            "secretsmanager:GetSecretValue",
            &secret,
            "NULL",
            "depends NULL NULL [\"aws:MultiFactorAuthPresent\"]",
        ),
        (
            user("buyer"),
            "secretsmanager:GetSecretValue",
            &secret,
            "'{\"aws:MultiFactorAuthPresent\": true}'",
            "allowed identity Statement[1] []",
        ),
        (
            user("buyer"),
            "secretsmanager:GetSecretValue",
            &secret,
            "'{\"aws:MultiFactorAuthPresent\": null}'",
            "implicitly denied identity NULL []",
        ),
        (user("clerk"), "kms:Decrypt", &key, "NULL", "implicitly denied identity NULL []"),
        (user("clerk"), "s3:GetObject", "arn:aws:s3:::ledger/k", "NULL", "allowed resource Read []"),
        (user("clerk"), "s3:PutObject", "arn:aws:s3:::ledger/k", "NULL", "implicitly denied identity NULL []"),
        (user("boss"), "s3:GetObject", "arn:aws:s3:::plain/k", "NULL", "allowed identity Statement[0] []"),
        // The bucket of another account has no policy.
        (user("boss"), "s3:GetObject", "arn:aws:s3:::abroad/k", "NULL", "implicitly denied resource NULL []"),
        (user("clerk"), "sns:Publish", &topic, "NULL", "allowed resource Publish []"),
        (user("clerk"), "ecr:BatchGetImage", &repository, "NULL", "allowed resource Pull []"),
        (user("clerk"), "lambda:InvokeFunction", &function, "NULL", "implicitly denied identity NULL []"),
        // The account's own root user, a session, and roles of other accounts.
        ("arn:aws:iam::123456789012:root".to_owned(), "iam:CreateUser", "*", "NULL", "allowed identity NULL []"),
        (
            "arn:aws:sts::123456789012:assumed-role/first/s".to_owned(),
            "sts:AssumeRole",
            far,
            "NULL",
            "allowed identity Statement[0] []",
        ),
        (user("clerk"), "sts:AssumeRole", far, "NULL", "implicitly denied resource NULL []"),
        (admin.clone(), "s3:ListAllMyBuckets", "*", "NULL", "explicitly denied scp NoS3 []"),
        (admin.clone(), "ec2:RunInstances", "*", "NULL", "allowed identity Statement[0] []"),
    ] {
        let sql = format!(
            "SELECT d['decision'] || ' ' || coalesce(d['layer'], 'NULL') || ' ' || coalesce(d['statement'], 'NULL') || ' ' || \
             CAST(d['keys'] AS TEXT) FROM (SELECT aws_iam_can('{principal}', '{action}', '{resource}', {context}) AS d)"
        );
        let (found, warnings) = rows(&all, &sql).await;
        assert_eq!((found, warnings), (vec![vec![expected.to_owned()]], vec![]), "{sql}");
    }
    for (principal, resource, expected) in [
        ("arn:aws:iam::123456789012:user/ghost", "*", "has no such user or role"),
        ("arn:aws:iam::999999999999:user/x", "*", "account 999999999999 is not configured"),
        (
            "arn:aws:iam::123456789012:user/dev",
            "arn:aws:iam::999999999999:role/x",
            "account 999999999999 is not configured",
        ),
        ("lambda.amazonaws.com", "*", "it is not a user, role, session or root user"),
        ("nobody", "*", "`nobody` is not a principal"),
        ("arn:aws:iam::123456789012:user/dev", "bucket", "`bucket` is not a resource"),
    ] {
        let sql = format!("SELECT aws_iam_can('{principal}', 'iam:GetRole', '{resource}') IS NULL");
        let (found, warnings) = rows(&home, &sql).await;
        assert_eq!(found, [["1"]], "{sql}");
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{sql}: {warnings:?}");
    }
    // Per row, and what is not covered is noted.
    let sql = "SELECT name FROM aws_iam_user WHERE aws_iam_can(arn, 's3:GetObject', 'arn:aws:s3:::ledger/k')['decision'] = 'allowed' ORDER BY 1";
    let (found, warnings) = rows(&home, sql).await;
    assert_eq!(found.concat(), ["admin", "alice", "boss", "clerk"]);
    assert_eq!(warnings, Vec::<String>::new());
    // A bucket of no configured account.
    let sql = "SELECT name, d['reason'] FROM (SELECT name, aws_iam_can(arn, 's3:GetObject', 'arn:aws:s3:::abroad/k') AS d \
               FROM aws_iam_user) WHERE d['decision'] = 'depends' ORDER BY 1";
    let (found, warnings) = rows(&home, sql).await;
    assert_eq!(found.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["admin", "alice", "boss"]);
    assert!(found.iter().all(|row| row[1].contains("`arn:aws:s3:::abroad (resource policy)`")), "{found:?}");
    assert!(warnings.len() == 1 && warnings[0].contains("bucket abroad is in no account"), "{warnings:?}");
    let sql = "SELECT name FROM aws_iam_user WHERE aws_iam_can(arn, 'dynamodb:GetItem', 'arn:aws:dynamodb:us-east-1:123456789012:table/t')['decision'] = 'allowed' ORDER BY 1";
    let (found, warnings) = rows(&home, sql).await;
    assert_eq!(found.concat(), ["admin", "alice"]);
    assert!(warnings.len() == 1 && warnings[0].contains("policies of dynamodb resources are not read"), "{warnings:?}");
    // Resources per row: the buckets of the account.
    let sql = "SELECT b.name FROM aws_s3_bucket b WHERE aws_iam_can('arn:aws:iam::123456789012:user/clerk', 's3:GetObject', b.arn || '/k')['decision'] = 'allowed'";
    assert_eq!(rows(&home, sql).await, (vec![vec!["ledger".to_owned()]], vec![]));
    let sql = format!(
        "SELECT name FROM aws_iam_user WHERE aws_iam_can(arn, 'sqs:SendMessage', '{queue}')['decision'] = 'allowed' ORDER BY 1"
    );
    assert_eq!(
        rows(&home, &sql).await,
        (vec![vec!["admin".into()], vec!["alice".into()], vec!["buyer".into()], vec!["clerk".into()]], vec![])
    );

    // Who can, over accounts.
    let sql = format!(
        "SELECT account_id, principal_name, decision, layer, statement FROM aws_iam_who_can \
                       WHERE action = 'sqs:SendMessage' AND resource_arn = '{queue}' ORDER BY 2"
    );
    let (found, warnings) = rows(&all, &sql).await;
    assert_eq!(warnings, Vec::<String>::new());
    let expected = [
        ["123456789012", "admin", "allowed", "identity", "Statement[0]"],
        ["123456789012", "alice", "allowed", "identity", "Statement[0]"],
        ["123456789012", "buyer", "allowed", "identity", "Statement[0]"],
        ["123456789012", "clerk", "allowed", "resource", "Send"],
        ["123456789012", "lambda-admin", "allowed", "identity", "Statement[0]"],
    ];
    assert_eq!(found, expected);

    // What one may do.
    let sql = format!(
        "SELECT action, resource_arn, decision, keys, statement FROM aws_iam_access WHERE principal_arn = '{}' ORDER BY 1, 2",
        user("buyer")
    );
    let expected = [
        ["secretsmanager:getsecretvalue", &secret, "depends", "[aws:MultiFactorAuthPresent]", "NULL"],
        ["sqs:*", "arn:aws:sqs:us-east-1:123456789012:*", "allowed", "[]", "Statement[0]"],
    ];
    assert_eq!(rows(&home, &sql).await, (expected.map(|row| row.map(str::to_owned).to_vec()).to_vec(), vec![]));
    let sql = format!(
        "SELECT action, resource_arn FROM aws_iam_access WHERE principal_arn = '{}' AND action = 'sqs:SendMessage'",
        user("buyer")
    );
    assert_eq!(rows(&home, &sql).await.0, [["sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:*"]]);
    let sql = format!(
        "SELECT principal_arn, statement FROM aws_iam_access WHERE action = 'iam:PassRole' \
                       AND resource_arn = 'arn:aws:iam::123456789012:role/lambda-admin' AND principal_arn IN ('{}', '{}')",
        user("dev"),
        user("clerk")
    );
    assert_eq!(rows(&home, &sql).await.0, [[user("dev"), "Pass".to_owned()]]);
    let (found, warnings) = rows(&home, "SELECT 1 FROM aws_iam_access WHERE action = 'iam:PassRole'").await;
    assert_eq!(found, Vec::<Vec<String>>::new());
    assert!(warnings.len() == 1 && warnings[0].contains("on `action` and `resource_arn`"), "{warnings:?}");

    // Who can become which role.
    let sql = "SELECT from_kind, from_name, from_subject, role_arn, length, chain[2], decision FROM aws_iam_assumable \
               WHERE role_arn IN ('arn:aws:iam::222222222222:role/far', 'arn:aws:iam::123456789012:role/irsa') ORDER BY length, from_name";
    let (found, warnings) = rows(&all, sql).await;
    assert_eq!(warnings, Vec::<String>::new());
    let (irsa, first) = ("arn:aws:iam::123456789012:role/irsa", "arn:aws:iam::123456789012:role/first");
    let oidc = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/E";
    let expected = [
        ["web identity", oidc, "system:serviceaccount:shop:web", irsa, "1", irsa, "allowed"],
        ["role", first, "NULL", far, "1", far, "allowed"],
        ["user", &user("clerk"), "NULL", far, "2", first, "allowed"],
    ];
    assert_eq!(found, expected);

    // Escalation.
    let sql = "SELECT principal_arn, method, target_arn, decision, to_administrator, breaks FROM aws_iam_escalation \
               WHERE principal_arn LIKE '%:user/dev' OR principal_arn LIKE '%:role/bounded' OR principal_arn LIKE '%:user/clerk' ORDER BY 1, 2";
    let (found, warnings) = rows(&home, sql).await;
    assert_eq!(warnings, Vec::<String>::new());
    let lambda = "arn:aws:iam::123456789012:role/lambda-admin";
    let row = |name: &str, method: &str, target: &str, is_admin: &str, action: &str| {
        let breaks = format!("deny {action} on {target} to {}", user(name));
        vec![user(name), method.to_owned(), target.to_owned(), "allowed".to_owned(), is_admin.to_owned(), breaks]
    };
    // The boundary excludes passing the role, but not the code of functions that have it.
    let of_bounded = |method: &str| {
        let functions = "arn:aws:lambda:*:123456789012:function:*";
        let breaks = format!("deny lambda:UpdateFunctionCode on {functions} to {bounded}");
        [bounded, method, lambda, "allowed", "true", &breaks].map(str::to_owned).to_vec()
    };
    let expected = [
        of_bounded("lambda-003"),
        of_bounded("lambda-004"),
        of_bounded("lambda-005"),
        row("clerk", "iam-002", &user("boss"), "false", "iam:CreateAccessKey"),
        row("clerk", "iam-006", &user("boss"), "false", "iam:UpdateLoginProfile"),
        row("clerk", "sts-001", first, "false", "sts:AssumeRole"),
        row("dev", "lambda-001", lambda, "true", "iam:PassRole"),
    ];
    assert_eq!(found, expected);
    bed.moto().seed("import boto3\nboto3.client('iam').create_access_key(UserName='boss')").expect("a second key");
    let sql = format!(
        "SELECT method FROM aws_iam_escalation WHERE principal_arn = '{}' AND target_arn = '{}' ORDER BY 1",
        user("clerk"),
        user("boss")
    );
    assert_eq!(rows(&home, &sql).await.0.concat(), ["iam-003", "iam-006"]);
    let steps = "SELECT steps FROM aws_iam_escalation WHERE method = 'lambda-001' AND principal_kind = 'user'";
    let (found, _) = rows(&home, steps).await;
    let steps: Value = serde_json::from_str(&found[0][0]).expect("JSON");
    assert_eq!(steps[0]["statement"], "Pass");
    assert_eq!(steps[1]["resource"], "arn:aws:lambda:*:123456789012:function:dev-*");

    // The guide's queries; those about what accounts have run in `aws_services.rs`.
    let page = std::fs::read_to_string(root().join("docs/guide/aws.md")).expect("the page");
    let (permissions, rest) = page.split_once("## What the accounts have").expect("its section");
    let (_, policies) = rest.split_once("## What a policy allows").expect("its section");
    let mut count = 0;
    for sql in sql_blocks(permissions).chain(sql_blocks(policies)) {
        let (found, warnings) = rows(&home, sql.trim().trim_end_matches(';')).await;
        assert_eq!(warnings, Vec::<String>::new(), "{sql}");
        assert!(!found.is_empty(), "{sql}");
        count += 1;
    }
    assert!(count >= 7, "{count}");

    // An account that may not be read.
    bed.moto().enforce_auth().expect("policies are checked");
    let some = bed.engine(&["default", "nobody"], &["us-east-1"]).await;
    let nobody = bed.engine(&["nobody"], &["us-east-1"]).await;
    let (found, warnings) =
        rows(&nobody, "SELECT aws_iam_can('arn:aws:iam::123456789012:user/dev', 'iam:PassRole', '*') IS NULL").await;
    assert_eq!(found, [["1"]]);
    assert!(warnings.iter().any(|text| text.contains("nobody/global")), "{warnings:?}");
    let (found, warnings) = rows(&some, "SELECT count(*) FROM aws_iam_who_can WHERE action = 'iam:PassRole' AND resource_arn = '*' AND principal_kind = 'user'").await;
    assert_eq!(found, [["2"]], "admin and alice");
    assert!(warnings.iter().any(|text| text.contains("nobody/global")), "{warnings:?}");
}
