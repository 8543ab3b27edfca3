//! The function `aws_iam_can`.

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
could not be read, a policy is malformed, or an argument is.

The trust policy decides who may assume a role. Policies are read of SQS queues, KMS keys and Secrets Manager secrets. If the
policy of another resource can matter, a note reports that it is not included, and a request across accounts is NULL.

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
        let wanted = wanted_sites(calls, &sites);
        let model = read::of_sites(&scan, &wanted).await?;
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

    fn unknown(&self, principal: &str, why: &str) -> Option<Decided> {
        let shown: String = principal.chars().take(120).collect();
        report_once(&self.scan, &format!("principal={shown}"), &Error::Unsupported(why.to_owned()));
        None
    }

    fn answer(&self, principal: &str, action: &str, resource: &str, context: Option<&str>) -> Option<Decided> {
        let stated = match context.map(Context::from_json) {
            None => None,
            Some(Ok(stated)) => Some(stated),
            Some(Err(error)) => return self.malformed("context", context.unwrap_or_default(), error),
        };
        let parsed = match Principal::parse(principal) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed("principal", principal, error),
        };
        let Some(account_id) = parsed.account() else {
            return self.unknown(principal, "it is not a user, role, session or root user of an account");
        };
        let Some(account) = self.model.account(account_id) else {
            let why = format!("account {account_id} is not configured, or was not read");
            return self.unknown(principal, &why);
        };
        let session = principal.split(":assumed-role/").nth(1).and_then(|name| name.split('/').next());
        let identity = match session {
            Some(role) => account.role_named(role),
            None => account.identity(principal),
        };
        let is_root = principal == account_id || principal.ends_with(":root");
        let of_session;
        let (caller, is_known, known): (&Caller, bool, Context);
        let base = Context::default().partial();
        let shared: &Context;
        match (identity, session, &account.root) {
            (Some(identity), Some(_), _) => {
                of_session = identity.caller.clone().in_session(parsed.clone());
                let role = identity.context.clone().with("aws:PrincipalArn", [identity.arn.as_str()]);
                (caller, is_known, known) = (&of_session, identity.is_known, role);
                shared = &known;
            }
            (Some(identity), None, _) => {
                (caller, is_known) = (&identity.caller, identity.is_known);
                shared = &identity.context;
            }
            (None, _, Some(root)) if is_root => {
                (caller, is_known) = (root, true);
                shared = &base;
            }
            (None, _, None) if is_root => return self.unknown(principal, "a service control policy is malformed"),
            (None, ..) => {
                let why = format!("account {account_id} has no such user or role");
                return self.unknown(principal, &why);
            }
        }
        let target = self.policies.target(&self.scan, &self.model, account_id, action, resource)?;
        let merged;
        let context = match &stated {
            None => shared,
            Some(stated) => {
                merged = shared.clone().merged(stated);
                &merged
            }
        };
        match evaluate(caller, &target, &Request { action, resource, resource_account: None, context }) {
            Ok(answer) if is_known || answer.decision == Decision::ExplicitlyDenied => Some(answer.into()),
            Ok(_) => self.unknown(principal, "a policy that concerns it is malformed or missing"),
            Err(error) => self.malformed("request", &format!("{action} {resource}"), error),
        }
    }
}

/// The sites of the accounts that the calls can concern.
fn wanted_sites(calls: &[Call], sites: &[Site]) -> Vec<Site> {
    let mut accounts = BTreeSet::new();
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
        for row in 0..rows {
            if self.scan.context().meter.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let decided = match (value(0, row), value(1, row), value(2, row)) {
                (Some(principal), Some(action), Some(resource)) => {
                    self.answer(principal, action, resource, value(3, row))
                }
                _ => None,
            };
            decisions.append(decided);
        }
        decisions.finish()
    }
}
