//! Evaluations of IAM policies per second on one core: a principal with 200 statements, a boundary, two levels of
//! control policies and a bucket policy. The target is at least 500,000.

use std::hint::black_box;
use std::time::Instant;

use indago_iam::{Caller, Context, Decision, Layer, Policy, PolicySet, Principal, Request, Target, evaluate};

fn set(layer: Layer, text: &str) -> PolicySet {
    PolicySet::new([("policy".to_owned(), Policy::parse(text, layer).expect("a policy"))])
}

/// 200 statements, 50 per service. Half of those of S3 concern the requested action.
fn identity() -> String {
    let statement = |number: usize| {
        let service = ["s3", "ec2", "iam", "sqs"][number % 4];
        let action = if number % 8 < 4 { "Get*" } else { "PutObject" };
        format!(
            "{{\"Effect\": \"Allow\", \"Action\": [\"{service}:{action}\", \"{service}:List{number}\"],
              \"Resource\": [\"arn:aws:{service}:::bucket-{number}/*\", \"arn:aws:{service}:::other-{number}\"],
              \"Condition\": {{\"StringEquals\": {{\"aws:PrincipalTag/team\": \"${{aws:PrincipalTag/team}}\"}}}}}}"
        )
    };
    let statements: Vec<String> = (0..200).map(statement).collect();
    format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{}]}}", statements.join(","))
}

const ALL: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
const BUCKET: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*",
    "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}"#;

fn main() {
    let principal = Principal::parse("arn:aws:iam::111122223333:user/bob").expect("a principal");
    let caller = Caller::new(principal)
        .identity(set(Layer::Identity, &identity()))
        .boundary(set(Layer::Boundary, ALL))
        .service_controls(set(Layer::ServiceControl, ALL))
        .service_controls(set(Layer::ServiceControl, ALL));
    let target = Target::default().policy(set(Layer::Resource, BUCKET));
    let context = Context::default().with("aws:SecureTransport", ["true"]).with("aws:PrincipalTag/team", ["red"]);
    let resources: Vec<String> = (0..200).map(|number| format!("arn:aws:s3:::bucket-{number}/key")).collect();
    let decide = |resource: &str| {
        let account = Some("111122223333");
        let request = Request { action: "s3:GetObject", resource, resource_account: account, context: &context };
        evaluate(&caller, &target, &request).expect("a request").decision
    };
    let allowed = resources.iter().filter(|resource| decide(resource) == Decision::Allowed).count();
    assert_eq!(allowed, 25, "one in eight");
    let start = Instant::now();
    let rounds = 2000;
    for _ in 0..rounds {
        resources.iter().for_each(|resource| _ = black_box(decide(resource)));
    }
    let per_second = (rounds * resources.len()) as f64 / start.elapsed().as_secs_f64();
    println!("{per_second:.0} evaluations per second");
}
