//! The cases of `cases/`, properties, and malformed policies.

use std::sync::Arc;

use crate::{
    Caller, Case, Context, Decision, Document, Layer, Policy, PolicySet, Principal, Request, Target, evaluate,
};

fn files() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")).expect("the crate has cases");
    let mut files: Vec<_> = folder.map(|entry| entry.expect("an entry of the directory").path()).collect();
    files.sort();
    let text = |path: &std::path::Path| std::fs::read_to_string(path).expect("a file of cases is text");
    files.iter().map(|path| (path.display().to_string(), text(path))).collect()
}

#[test]
fn every_case_has_its_decision() {
    let (mut many, mut wrong) = (0, Vec::new());
    for (file, text) in files() {
        assert!(text.contains("\"source\": \"https://docs.aws.amazon.com/"), "{file} names its page");
        for case in Case::parse_all(&text).expect("a file has a list of cases") {
            let case = case.unwrap_or_else(|error| panic!("{file}: {error}"));
            let answer = case.document.evaluate().expect("a case has a valid request");
            many += 1;
            if answer.decision != case.expected {
                wrong.push(format!("{file} `{}`: expected {}, {answer}", case.name, case.expected.name()));
            }
            assert_eq!(answer.keys.is_empty(), answer.decision != Decision::Depends, "{file} `{}`", case.name);
        }
    }
    assert!(wrong.is_empty(), "{} of {many}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(many >= 500, "{many}");
}

fn decide(document: &serde_json::Value) -> Decision {
    let document = Document::parse(&document.to_string()).expect("a case, also a changed one, is a document");
    document.evaluate().expect("a case has a valid request").decision
}

/// Documents as values, to change them.
fn documents() -> Vec<serde_json::Value> {
    let mut documents = Vec::new();
    for (_, text) in files() {
        let mut file: serde_json::Value = serde_json::from_str(&text).expect("a file of cases is JSON");
        for mut case in file["cases"].take().as_array().expect("a file has a list of cases").clone() {
            let members = case.as_object_mut().expect("a case is an object");
            ["name", "expected", "source"].iter().for_each(|key| _ = members.remove(*key));
            documents.push(case);
        }
    }
    documents
}

/// Adds a policy to a list of the document.
fn with(document: &serde_json::Value, list: &str, value: serde_json::Value) -> serde_json::Value {
    let mut document = document.clone();
    if !document[list].is_array() {
        document[list] = serde_json::json!([]);
    }
    document[list].as_array_mut().expect("it is a list now").push(value);
    document
}

/// Whether a decision allows at most what another does.
fn is_at_most(less: Decision, more: Decision) -> bool {
    let rank = |decision| match decision {
        Decision::Allowed => 2,
        Decision::Depends => 1,
        Decision::ExplicitlyDenied | Decision::ImplicitlyDenied => 0,
    };
    rank(less) <= rank(more)
}

#[test]
fn a_deny_a_boundary_or_a_control_policy_never_allows_more() {
    use serde_json::json;
    let statements = [
        json!({"Effect": "Deny", "Action": "s3:Get*", "Resource": "*"}),
        json!({"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"}),
        json!({"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::bucket/*"}),
        json!({"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::bucket/${aws:username}"}),
        json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"a:x": "true"}}}),
        json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:username": "bob"}}}),
    ];
    let policy = |statement: &serde_json::Value| json!({"Version": "2012-10-17", "Statement": [statement]});
    let mut lowered = 0;
    for document in documents().into_iter().step_by(7) {
        let before = decide(&document);
        for statement in &statements {
            let mut allow = statement.clone();
            allow["Effect"] = json!("Allow");
            let mut changed = vec![
                with(&document, "identity_policies", policy(statement)),
                with(&document, "permission_boundaries", policy(statement)),
                with(&document, "permission_boundaries", policy(&allow)),
                with(&document, "scps", json!([policy(statement)])),
                with(&document, "scps", json!([policy(&allow)])),
            ];
            let mut of_resource = statement.clone();
            of_resource["Principal"] = json!("*");
            changed.push(with(&document, "rcps", json!([policy(&of_resource)])));
            for changed in changed {
                let after = decide(&changed);
                assert!(is_at_most(after, before), "{before:?} became {after:?}: {changed}");
                lowered += usize::from(after != before);
            }
        }
    }
    assert!(lowered > 500, "the changes matter: {lowered}");
}

#[test]
fn order_and_duplicates_change_nothing() {
    let mut many = 0;
    for document in documents() {
        let before = decide(&document);
        let mut changed = document.clone();
        for list in ["identity_policies", "permission_boundaries", "session_policies", "scps", "rcps"] {
            if let Some(values) = changed[list].as_array_mut() {
                let copy = values.clone();
                values.extend(copy);
                values.reverse();
            }
        }
        fn reverse_statements(value: &mut serde_json::Value) {
            match value {
                serde_json::Value::Object(members) => {
                    if let Some(statements) = members.get_mut("Statement").and_then(|list| list.as_array_mut()) {
                        let copy = statements.clone();
                        statements.extend(copy);
                        statements.reverse();
                    }
                    members.values_mut().for_each(reverse_statements);
                }
                serde_json::Value::Array(items) => items.iter_mut().for_each(reverse_statements),
                _ => {}
            }
        }
        reverse_statements(&mut changed);
        assert_eq!(decide(&changed), before, "{changed}");
        many += 1;
    }
    assert!(many >= 500);
}

/// Whatever value a missing key has, the decision is the one that was certain without it.
#[test]
fn what_does_not_depend_is_certain() {
    use serde_json::json;
    let mut certain = 0;
    for document in documents() {
        let mut unknown = document.clone();
        unknown["request"]["missing_context"] = json!("unknown");
        let before = decide(&unknown);
        if before == Decision::Depends {
            continue;
        }
        certain += 1;
        for value in [json!(null), json!("true"), json!("10.1.1.1"), json!(["a", "b"]), json!("2020-04-01T00:00:00Z")] {
            let mut stated = document.clone();
            stated["request"].as_object_mut().expect("a request is an object").remove("missing_context");
            let known = stated["request"]["context"].as_object().cloned().unwrap_or_default();
            for key in [
                "svc:Key",
                "a:x",
                "a:y",
                "aws:TagKeys",
                "aws:PrincipalTag/t",
                "aws:PrincipalTag/team",
                "aws:PrincipalOrgID",
            ] {
                if !known.keys().any(|known| known.eq_ignore_ascii_case(key)) {
                    stated["request"]["context"][key] = value.clone();
                }
            }
            let after = decide(&stated);
            assert_eq!(after == Decision::Allowed, before == Decision::Allowed, "{stated}");
        }
    }
    assert!(certain > 400, "{certain}");
}

#[test]
fn malformed_policies_state_where() {
    let statement = |text: &str| format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{text}]}}");
    let deep = "[".repeat(100_000);
    for (text, layer, error) in [
        ("{", Layer::Identity, "policy: EOF while parsing an object at line 1 column 1"),
        ("[]", Layer::Identity, "policy: expected an object, found a list"),
        ("{}", Layer::Identity, "policy: Statement is missing"),
        (
            r#"{"Version": "2012", "Statement": []}"#,
            Layer::Identity,
            "policy.Version: expected 2012-10-17 or 2008-10-17, found `2012`",
        ),
        (
            r#"{"statement": []}"#,
            Layer::Identity,
            "policy.statement: unknown element: a policy has Version, Id and Statement",
        ),
        (
            r#"{"Statement": [], "Statement": []}"#,
            Layer::Identity,
            "policy: duplicate key `Statement` at line 1 column 34",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "s3:*"}"#),
            Layer::Identity,
            "policy.Statement[0]: Resource is missing",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Resource": "*"}"#),
            Layer::Identity,
            "policy.Statement[0]: Action is missing",
        ),
        (&statement(r#"{"Action": "*", "Resource": "*"}"#), Layer::Identity, "policy.Statement[0]: Effect is missing"),
        (
            &statement(r#"{"Effect": "allow", "Action": "*", "Resource": "*"}"#),
            Layer::Identity,
            "policy.Statement[0].Effect: expected `Allow` or `Deny`, found `allow`",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "NotAction": "a:b", "Resource": "*"}"#),
            Layer::Identity,
            "policy.Statement[0]: a statement has either Action or NotAction",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": [1], "Resource": "*"}"#),
            Layer::Identity,
            "policy.Statement[0].Action[0]: expected a string, found a number",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}"#),
            Layer::Identity,
            "policy.Statement[0].Principal: only policies of resources have a principal",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}"#),
            Layer::ServiceControl,
            "policy.Statement[0].Principal: only policies of resources have a principal",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#),
            Layer::Resource,
            "policy.Statement[0]: Principal is missing",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "Principal": {"Aws": "x"}}"#),
            Layer::Resource,
            "policy.Statement[0].Principal.Aws: unknown kind of principal: use AWS, Service, Federated or CanonicalUser",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "Principal": "x"}"#),
            Layer::Resource,
            "policy.Statement[0].Principal: expected `*` or an object such as {\"AWS\": \"x\"}, found `x`",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Conditions": {}}"#),
            Layer::Identity,
            "policy.Statement[0].Conditions: unknown element: a statement has Sid, Effect, Principal, NotPrincipal, Action, NotAction, Resource, NotResource and Condition",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringIs": {}}}"#),
            Layer::Identity,
            "policy.Statement[0].Condition.StringIs: unknown condition operator `StringIs`",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"NullIfExists": {}}}"#),
            Layer::Identity,
            "policy.Statement[0].Condition.NullIfExists: unknown condition operator `NullIfExists`",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Null": {"a:b": "x"}}}"#),
            Layer::Identity,
            "policy.Statement[0].Condition.Null.a:b: expected `true` or `false`, found `x`",
        ),
        (
            &statement(r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"a:b": [[]]}}}"#),
            Layer::Identity,
            "policy.Statement[0].Condition.Bool.a:b: expected a string, number, boolean or a list of them, found a list",
        ),
        (&deep, Layer::Identity, "policy: recursion limit exceeded at line 1 column 128"),
        (&"x".repeat(2 << 20), Layer::Identity, "policy: 2097152 bytes, which is more than the limit of 1048576"),
        (
            &statement(&format!(r#"{{"Effect": "Allow", "Action": "*", "Resource": "{}"}}"#, "x".repeat(5000))),
            Layer::Identity,
            "policy.Statement[0].Resource: 5000 bytes, which is more than the limit of 4096",
        ),
    ] {
        assert_eq!(Policy::parse(text, layer).expect_err(error).to_string(), error);
    }
    let long = format!("{{\"{}\": 1}}", "é".repeat(10_000));
    let error = Policy::parse(&long, Layer::Identity).expect_err("the element is unknown").to_string();
    assert!(error.len() < 500 && error.contains(".."), "{error}");
    let encoded = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";
    let policy = Policy::parse(encoded, Layer::Identity).expect("percent-encoded policies are accepted");
    assert_eq!(policy.statements.len(), 1);
}

#[test]
fn malformed_documents_state_where() {
    let request = r#""request": {"principal": "111122223333", "action": "s3:GetObject", "resource": "*"}"#;
    for (text, error) in [
        ("[]".to_owned(), "document: expected an object, found a list"),
        ("{}".to_owned(), "document: request is missing"),
        (
            format!(r#"{{{request}, "scp": []}}"#),
            "scp: unknown key: a document has request, identity_policies, permission_boundaries, session_policies, scps, rcps and resource_policy",
        ),
        (r#"{"request": {"action": "s3:GetObject", "resource": "*"}}"#.to_owned(), "request: principal is missing"),
        (format!(r#"{{{request}, "scps": [[{{}}]]}}"#), "scps[0][0]: Statement is missing"),
        (
            format!(r#"{{{request}, "identity_policies": ["{{"]}}"#),
            "identity_policies[0]: EOF while parsing an object at line 1 column 1",
        ),
        (
            r#"{"request": {"principal": "arn:aws:iam::1:user/x"}}"#.to_owned(),
            "request.principal: `arn:aws:iam::1:user/x` is not a principal: state the ARN of a user, role, session, federated user or identity provider, an account, a service such as `lambda.amazonaws.com`, or `*` for an anonymous request",
        ),
        (
            r#"{"request": {"context": {"a:b": {}}}}"#.to_owned(),
            "request.context.a:b: expected a string, number, boolean, null or a list of them, found an object",
        ),
        (
            r#"{"request": {"context": {"a:b": 1, "A:B": 2}}}"#.to_owned(),
            "request.context.A:B: this key is stated twice: the names of keys ignore case",
        ),
        (
            r#"{"request": {"resource_account": 12}}"#.to_owned(),
            "request.resource_account: expected the 12 digits of an account, as a string",
        ),
    ] {
        assert_eq!(Document::parse(&text).expect_err(error).to_string(), error);
    }
    let bad = |action: &str, resource: &str| {
        let text = format!(
            r#"{{"request": {{"principal": "111122223333", "action": "{action}", "resource": "{resource}"}}}}"#
        );
        let document = Document::parse(&text).expect("actions and resources are checked by the evaluation");
        document.evaluate().expect_err("the action or the resource is malformed").to_string()
    };
    assert_eq!(bad("x", "*"), "action: `x` is not an action: state a service and a name, as in `s3:GetObject`");
    assert_eq!(bad("s3:x", "b"), "resource: `b` is not a resource: state an ARN, or `*` if the action has no resource");
}

#[test]
fn the_reason_names_statement_and_layer() {
    let answer = |policies: &str| {
        let text = format!(
            r#"{{"request": {{"principal": "arn:aws:iam::111122223333:user/bob", "action": "s3:GetObject",
                "resource": "arn:aws:s3:::b/k", "missing_context": "unknown"}}, {policies}}}"#
        );
        let document = Document::parse(&text).expect("the document is valid");
        document.evaluate().expect("the request is valid").to_string()
    };
    let allow = r#"{"Statement": [{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
    let deny = r#"{"Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}"#;
    let region = r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}]}"#;
    for (policies, reason) in [
        (
            format!(r#""identity_policies": [{{"name": "Admin", "policy": {allow}}}]"#),
            "allowed by statement `All` of `Admin`",
        ),
        (
            format!(r#""identity_policies": [{allow}, {deny}]"#),
            "denied by statement `Statement[0]` of `identity_policies[1]`",
        ),
        (r#""identity_policies": []"#.to_owned(), "no statement of the identity policies allows it"),
        (
            format!(r#""identity_policies": [{allow}], "scps": [[{allow}], []]"#),
            "no statement of the service control policies of level 1 allows it",
        ),
        (
            format!(r#""identity_policies": [{allow}], "permission_boundaries": [{deny}]"#),
            "denied by statement `Statement[0]` of `permission_boundaries[0]`",
        ),
        (format!(r#""identity_policies": [{region}]"#), "depends on aws:RequestedRegion"),
    ] {
        assert_eq!(answer(&policies), reason);
    }
    let context = Context::default().with("Aws:X", ["a"]);
    assert_eq!(context, Context::default().with("aws:x", ["a"]));
}

/// Without session policies, the identity policies of a federated user allow nothing, so they are not the reason.
#[test]
fn the_reason_of_a_federated_user_is_the_resource_policy() {
    let user = "arn:aws:sts::111122223333:federated-user/bob";
    let document = serde_json::json!({
        "request": {"principal": user, "action": "s3:GetObject", "resource": "arn:aws:s3:::b/k"},
        "identity_policies": [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}],
        "resource_policy": {
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": user}, "Action": "*", "Resource": "*"}]
        },
    });
    let document = Document::parse(&document.to_string()).expect("the document is valid");
    let answer = document.evaluate().expect("the request is valid");
    assert_eq!(answer.to_string(), "allowed by statement `Statement[0]` of `resource_policy`");
}

/// The guide: an explicit deny overrides all allows, and a request that no policy of the identity allows is denied. Another
/// policy that is not known changes neither.
#[test]
fn a_policy_that_could_not_be_read_leaves_what_is_certain() {
    let allow = r#"{"Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}"#;
    let deny = r#"{"Statement": [{"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObjectAcl", "Resource": "*"}]}"#;
    let set = |text: &str, layer| PolicySet::new([("known".to_owned(), Policy::parse(text, layer).expect("a policy"))]);
    let bob = || Caller::new(Principal::parse("arn:aws:iam::111122223333:user/bob").expect("a principal"));
    let caller = bob().identity(set(allow, Layer::Identity));
    let level = || PolicySet::of([Arc::new(PolicySet::unread("scp"))]);
    let limited = caller.clone().service_controls(level());
    let (plain, policy) = (Target::default(), Target::default().policy(PolicySet::unread("policy")));
    let resource = Target::default().resource_controls(set(deny, Layer::ResourceControl)).resource_controls(level());
    let decide = |caller: &Caller, target: &Target, action: &str, account: Option<&str>| {
        let context = Context::default();
        let request = Request { action, resource: "arn:aws:s3:::b/k", resource_account: account, context: &context };
        evaluate(caller, target, &request).expect("a request").to_string()
    };
    let of_scp = "depends on `scp`, which could not be read";
    let of_policy = "depends on `policy`, which could not be read";
    let denied = "no statement of the identity policies allows it";
    assert_eq!(decide(&limited, &plain, "s3:GetObject", None), of_scp);
    assert_eq!(decide(&limited.without_denies(), &plain, "s3:GetObject", None), of_scp);
    assert_eq!(decide(&limited, &plain, "s3:PutObject", None), denied);
    assert_eq!(decide(&caller, &resource, "s3:GetObject", None), of_scp);
    assert_eq!(decide(&caller, &resource, "s3:GetObjectAcl", None), "denied by statement `No` of `known`");
    assert_eq!(decide(&caller, &policy, "s3:GetObject", None), of_policy);
    // The policy of a bucket of the account can allow it alone, that of another account's cannot.
    assert_eq!(decide(&caller, &policy, "s3:PutObject", None), of_policy);
    assert_eq!(decide(&caller, &policy, "s3:GetObject", Some("")), of_policy);
    let across = format!("{denied} (principal and resource are of different accounts)");
    assert_eq!(decide(&caller, &policy, "s3:PutObject", Some("")), across);
    // Which other account it is, is not known.
    let own = r#"{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceAccount": "444455556666"}}}]}"#;
    let caller = bob().identity(set(own, Layer::Identity));
    let context = Context::default().partial();
    let request =
        Request { action: "s3:GetObject", resource: "arn:aws:s3:::b/k", resource_account: Some(""), context: &context };
    let answer = evaluate(&caller, &policy, &request).expect("a request");
    assert_eq!((answer.decision, answer.keys), (Decision::Depends, vec!["aws:ResourceAccount".to_owned()]));
}
