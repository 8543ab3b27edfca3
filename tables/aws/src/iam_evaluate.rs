//! The function `aws_iam_evaluate`.

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, StringViewArray};
use indago_iam::Document;
use indago_table::scan::BoxFuture;
use indago_table::{
    AnyScan, Call, Environment, Error, Evaluate, Function, FunctionRef, FunctionSpec, Kind, Result, ScanContext,
    TableSpec,
};

use crate::account::Aws;
use crate::permission::decision::{self, Decided};

static SPEC: LazyLock<FunctionSpec> = LazyLock::new(|| {
    FunctionSpec {
    name: "aws_iam_evaluate",
    environment: Aws::NAME,
    signature: "aws_iam_evaluate(document)",
    description: "The decision of AWS IAM on a request, from policies in a JSON document. It reads nothing else.

```text
{request: {principal, action, resource, resource_account, context, missing_context},
 identity_policies: [policy, ..], permission_boundaries: [policy, ..], session_policies: [policy, ..],
 scps: [[policy, ..], ..], rcps: [[policy, ..], ..], resource_policy: policy}
```

- `principal`: the ARN of a user, role, session, federated user or identity provider; an account for its root user; a
  service such as `lambda.amazonaws.com`; `*` for an anonymous request.
- `resource`: an ARN, or `*`. `resource_account`: its owner, if the ARN lacks it; by default the principal's account.
- `context`: condition keys with a string or a list; null states that the request does not have the key. AWS sets keys
  that follow from the principal (`aws:PrincipalArn`, `aws:username`); so does this function, unless the context
  states them.
- `missing_context`: `absent` (the default): keys that the context lacks are not in the request. `unknown`: a decision
  that needs them is `depends`.
- `scps` and `rcps`: one list per level of the organisation's tree, from the root to the account. `RCPFullAWSAccess`
  is implied.
- A policy is a document, a text that holds one, or `{\"name\": .., \"policy\": ..}`. For a role's `sts:AssumeRole`,
  `resource_policy` is its trust policy, for a KMS key its key policy.

The result is a struct:

| field | |
|---|---|
| `decision` | `allowed`, `explicitly denied`, `implicitly denied` or `depends` |
| `reason` | the reason as a sentence |
| `layer` | what decided: `identity`, `boundary`, `session`, `scp`, `rcp` or `resource`; NULL if it depends |
| `policy` | name or place of the policy that allows or denies; NULL if none does |
| `statement` | its statement: the `Sid`, or `Statement[0]` |
| `keys` | the context keys that the decision depends on |

A malformed document is NULL, with a warning.

```sql
SELECT e['decision'] AS decision, e['reason'] AS reason
FROM (SELECT aws_iam_evaluate('{\"request\": {\"principal\": \"arn:aws:iam::111122223333:user/bob\", \"action\": \"s3:GetObject\",
  \"resource\": \"arn:aws:s3:::b/k\"}, \"identity_policies\": [{\"Version\": \"2012-10-17\",
  \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"s3:Get*\", \"Resource\": \"arn:aws:s3:::b/*\"}]}]}') AS e)
```",
    arities: &[1],
    timeless: true,
    returns: Kind::Other(decision::data_type()),
}
});

/// `aws_iam_evaluate`.
pub(crate) fn function(env: &Aws) -> FunctionRef {
    Arc::new(IamEvaluate(env.clone()))
}

#[derive(Debug)]
struct IamEvaluate(Aws);

impl Function for IamEvaluate {
    fn spec(&self) -> &FunctionSpec {
        &SPEC
    }

    fn read(&self, context: ScanContext, _: Vec<Call>) -> BoxFuture<'static, Result<Arc<dyn Evaluate>>> {
        let spec = TableSpec::new(SPEC.name, SPEC.environment, SPEC.description, Vec::new());
        let scan = AnyScan::new(&Arc::new(spec), context, &self.0);
        Box::pin(async move { Ok(Arc::new(Decisions(scan)) as Arc<dyn Evaluate>) })
    }
}

struct Decisions(AnyScan<Aws>);

impl Evaluate for Decisions {
    fn evaluate(&self, arguments: &[StringViewArray]) -> Result<ArrayRef> {
        let mut decisions = decision::Builder::default();
        for document in arguments.iter().flat_map(|documents| documents.iter()) {
            if self.0.context().meter.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let parsed = document.and_then(|text| self.reported(Document::parse(text)));
            let answer = parsed.as_ref().and_then(|parsed| self.reported(parsed.evaluate()));
            decisions.append(answer.map(Decided::from));
        }
        decisions.finish()
    }
}

impl Decisions {
    /// Reports why a value is NULL, once per query for each cause.
    fn reported<T>(&self, result: indago_iam::Result<T>) -> Option<T> {
        let report = |error: &indago_iam::Error| {
            let why = error.to_string();
            if self.0.context().query.is_first(&format!("{} {why}", SPEC.name)) {
                self.0.report("document", &Error::Malformed(why));
            }
        };
        result.inspect_err(report).ok()
    }
}
