//! The function `aws_iam_can`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use arrow_array::{Array, ArrayRef, StringViewArray};
use indago_iam::{Caller, Context, Decision, Principal, Request, evaluate};
use indago_table::scan::BoxFuture;
use indago_table::{
    AnyScan, Argument, Call, Environment, Error, Evaluate, Function, FunctionRef, FunctionSpec, Kind, Result,
    ScanContext, TableSpec,
};

use crate::account::{Aws, Site};
use crate::permission::decision::{self, Decided};
use crate::permission::model::Model;
use crate::permission::read::{self, report_once};
use crate::permission::resource::{self, Policies};

static SPEC: LazyLock<FunctionSpec> = LazyLock::new(|| {
    FunctionSpec {
    name: "aws_iam_can",
    environment: Aws::NAME,
    signature: "aws_iam_can(principal_arn, action, resource_arn [, context])",
    description: "The decision of AWS IAM on a request of a live identity.

It reads the policies of the configured accounts: of users, groups and roles, boundaries, trust policies, and the control
policies of the organisation.

- `principal_arn`: a user, a role, a session of a role, or the root user of an account.
- `action`: such as `s3:GetObject`.
- `resource_arn`: an ARN, or `*` for an action that is not on a resource.
- `context`: a JSON object with condition keys, as for `aws_iam_evaluate`. Keys that it does not state are unknown, so a decision that
  needs them is `depends`. Known are the keys that follow from the principal, its tags, and its organisation.

The result is a struct as that of `aws_iam_evaluate`: `decision`, `reason`, `layer`, `policy`, `statement`, `keys`. It is NULL, with
a warning, if the decision is not known: the principal does not exist, its account or that of the resource is not configured or
could not be read, a policy of the principal is malformed, or an argument is.

If the policy of the resource or a control policy could not be read or is malformed, there is a warning, and a decision that needs it
is `depends`; the reason names the policy.

The trust policy decides who may assume a role. Policies are read of S3 buckets, SNS topics, SQS queues, KMS keys, Secrets
Manager secrets, Lambda functions and ECR repositories. The ARN of a bucket does not state its account: it is the configured account
that lists the bucket. A bucket that none lists is of another account. If the policy of another resource can matter, a note reports that
it is not included, and a request across accounts is `depends`.

```sql
SELECT arn, aws_iam_can(arn, 'iam:PassRole', '*')['decision'] AS passes_roles FROM aws_iam_role
```",
    arities: &[3, 4],
    timeless: false,
    returns: Kind::Other(decision::data_type()),
}
});

/// `aws_iam_can`.
pub(crate) fn function(env: &Aws) -> FunctionRef {
    Arc::new(IamCan(env.clone()))
}

#[derive(Debug)]
struct IamCan(Aws);

impl Function for IamCan {
    fn spec(&self) -> &FunctionSpec {
        &SPEC
    }

    fn read(&self, context: ScanContext, calls: Vec<Call>) -> BoxFuture<'static, Result<Arc<dyn Evaluate>>> {
        let spec = TableSpec::new(SPEC.name, SPEC.environment, SPEC.description, Vec::new());
        let scan = AnyScan::new(&Arc::new(spec), context, &self.0);
        Box::pin(async move { Ok(Arc::new(Answers::read(scan, &calls).await?) as Arc<dyn Evaluate>) })
    }
}

/// What was read for the calls of a query.
struct Answers {
    scan: AnyScan<Aws>,
    model: Model,
    policies: Policies,
}

/// The account in an ARN, or an account itself.
fn account_of(text: &str) -> Option<&str> {
    let is_account = |text: &&str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    Some(text).filter(is_account).or_else(|| text.split(':').nth(4).filter(is_account))
}

impl Answers {
    async fn read(scan: AnyScan<Aws>, calls: &[Call]) -> Result<Self> {
        let sites = read::sites(&scan).await?;
        let mut resources = BTreeSet::new();
        let mut services: BTreeSet<&'static str> = BTreeSet::new();
        for call in calls {
            match (&call[2], &call[1]) {
                (Argument::Constant(Some(resource)), _) => _ = resources.insert(resource.clone()),
                (Argument::Constant(None), _) => {}
                (Argument::PerRow, Argument::Constant(Some(action))) => {
                    let service = action.split(':').next().unwrap_or_default().to_ascii_lowercase();
                    services.extend(resource::READ.iter().filter(|known| **known == service));
                }
                (Argument::PerRow, Argument::Constant(None)) => {}
                (Argument::PerRow, Argument::PerRow) => services.extend(resource::READ),
            }
        }
        let resources: Vec<String> = resources.into_iter().collect();
        let mut policies = Policies::read(&scan, &sites, &resources).await?;
        let wanted = wanted_sites(calls, &sites, &policies);
        let model = read::of_sites(&scan, &wanted).await?;
        if !services.is_empty() {
            policies.add_all(&scan, &wanted, &services.into_iter().collect::<Vec<_>>()).await?;
        }
        Ok(Answers { scan, model, policies })
    }

    /// Reports why a value is NULL.
    fn malformed(&self, argument: &str, text: &str, why: impl ToString) -> Option<Decided> {
        let shown: String = text.chars().take(120).collect();
        report_once(&self.scan, &format!("{argument}={shown}"), &Error::Malformed(why.to_string()));
        None
    }

    /// The principal of a request; `None`, with a report, if it is not known.
    fn resolve(&self, principal: &str) -> Option<Resolved<'_>> {
        let unknown = |why: &str| {
            let shown: String = principal.chars().take(120).collect();
            report_once(&self.scan, &format!("principal={shown}"), &Error::Unsupported(why.to_owned()));
            None
        };
        let parsed = match Principal::parse(principal) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.malformed("principal", principal, error);
                return None;
            }
        };
        let Some(account_id) = parsed.account().map(str::to_owned) else {
            return unknown("it is not a user, role, session or root user of an account");
        };
        let Some(account) = self.model.account(&account_id) else {
            return unknown(&format!("account {account_id} is not configured, or was not read"));
        };
        let session = principal.split(":assumed-role/").nth(1).and_then(|name| name.split('/').next());
        let identity = match session {
            Some(role) => account.role_named(role),
            None => account.identity(principal),
        };
        let is_root = principal == account_id || principal.ends_with(":root");
        let (caller, is_known, context) = match (identity, &account.root) {
            (Some(identity), _) if session.is_some() => {
                let context = identity.context.clone().with("aws:PrincipalArn", [identity.arn.as_str()]);
                (Cow::Owned(identity.caller.clone().in_session(parsed)), identity.is_known, Cow::Owned(context))
            }
            (Some(identity), _) => {
                (Cow::Borrowed(&identity.caller), identity.is_known, Cow::Borrowed(&identity.context))
            }
            (None, Some(root)) if is_root => (Cow::Borrowed(root), true, Cow::Owned(Context::default().partial())),
            (None, _) => return unknown(&format!("account {account_id} has no such user or role")),
        };
        Some(Resolved { account_id, caller, is_known, context })
    }

    fn answer(&self, principal: &Resolved<'_>, action: &str, resource: &str, context: Option<&str>) -> Option<Decided> {
        let merged;
        let context = match context {
            None => &*principal.context,
            Some(text) => match Context::from_json(text) {
                Ok(stated) => {
                    merged = principal.context.clone().into_owned().merged(&stated);
                    &merged
                }
                Err(error) => return self.malformed("context", text, error),
            },
        };
        let asked = self.policies.target(&self.scan, &self.model, &principal.account_id, action, resource)?;
        let request = Request { action, resource, resource_account: Some(asked.account), context };
        match evaluate(&principal.caller, &asked.target, &request) {
            Ok(answer) if principal.is_known || answer.decision == Decision::ExplicitlyDenied => Some(answer.into()),
            Ok(_) => {
                let why = "a policy that concerns it is malformed or missing".to_owned();
                report_once(&self.scan, &format!("action={action}"), &Error::Unsupported(why));
                None
            }
            Err(error) => self.malformed("request", &format!("{action} {resource}"), error),
        }
    }
}

/// A principal, and what is known of its requests.
struct Resolved<'a> {
    account_id: String,
    caller: Cow<'a, Caller>,
    /// Whether all of its policies could be read.
    is_known: bool,
    context: Cow<'a, Context>,
}

/// The sites of the accounts that the calls can concern.
fn wanted_sites(calls: &[Call], sites: &[Site], policies: &Policies) -> Vec<Site> {
    // The ARN of a bucket does not have its account.
    let mut accounts: BTreeSet<&str> = policies.owners().collect();
    for call in calls {
        match &call[0] {
            Argument::PerRow => return sites.to_vec(),
            Argument::Constant(principal) => accounts.extend(principal.as_deref().and_then(account_of)),
        }
        match &call[2] {
            Argument::PerRow => return sites.to_vec(),
            Argument::Constant(resource) => accounts.extend(resource.as_deref().and_then(account_of)),
        }
    }
    sites.iter().filter(|site| accounts.contains(&*site.account_id())).cloned().collect()
}

impl Evaluate for Answers {
    fn evaluate(&self, arguments: &[StringViewArray]) -> Result<ArrayRef> {
        let rows = arguments.first().map_or(0, Array::len);
        let value = |position: usize, row: usize| {
            arguments.get(position).filter(|array| array.is_valid(row)).map(|array| array.value(row))
        };
        let mut decisions = decision::Builder::default();
        // Rows of one principal often follow each other.
        let mut last: Option<(&str, Option<Resolved<'_>>)> = None;
        for row in 0..rows {
            if self.scan.context().meter.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let decided = match (value(0, row), value(1, row), value(2, row)) {
                (Some(principal), Some(action), Some(resource)) => {
                    if last.as_ref().is_none_or(|(known, _)| *known != principal) {
                        last = Some((principal, self.resolve(principal)));
                    }
                    let resolved = last.as_ref().and_then(|(_, resolved)| resolved.as_ref());
                    resolved.and_then(|resolved| self.answer(resolved, action, resource, value(3, row)))
                }
                _ => None,
            };
            decisions.append(decided);
        }
        decisions.finish()
    }
}
