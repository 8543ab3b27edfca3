//! Principals: the one that makes a request, and those that a policy names.

use crate::error::{Error, Result};
use crate::json::Node;

/// The principal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its text: an ARN, a service, `*`.
    text: String,
    kind: Kind,
    account: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Root,
    User {
        name: String,
    },
    /// A role, or a session of it. The role's ARN has its path only if `is_exact`.
    Role {
        role: String,
        is_exact: bool,
        name: String,
        is_session: bool,
    },
    FederatedUser,
    /// An AWS service, or an identity provider without an ARN: `lambda.amazonaws.com`, `accounts.google.com`.
    Host,
    /// A SAML or OIDC provider.
    Provider,
    Anonymous,
}

/// The context keys that follow from a principal, with names in lowercase. `None`: its requests do not have the key.
pub(crate) type Keys = [(&'static str, Option<String>); 6];

/// Whether a text is the number of an account.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Principal {
    /// Parses an ARN, the number of an account (its root user), a service or identity provider, or `*` (anonymous).
    ///
    /// # Errors
    ///
    /// If the text is none of these.
    pub fn parse(text: &str) -> Result<Principal> {
        Principal::parse_at(text, "principal")
    }

    pub(crate) fn parse_at(text: &str, place: &str) -> Result<Principal> {
        let wrong = || {
            let why = format!(
                "`{text}` is not a principal: state the ARN of a user, role, session, federated user or identity provider, \
                 an account, a service such as `lambda.amazonaws.com`, or `*` for an anonymous request"
            );
            Error::malformed(place, why)
        };
        let is_host = |text: &str| {
            text.contains('.') && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/".contains(&byte))
        };
        let (kind, account) = match text {
            "*" => (Kind::Anonymous, None),
            _ if is_account(text) => (Kind::Root, Some(text)),
            _ if !text.starts_with("arn:") && is_host(text) => (Kind::Host, None),
            _ => {
                let parts: Vec<&str> = text.splitn(6, ':').collect();
                let ["arn", partition, service, _, account, name] = parts[..] else { return Err(wrong()) };
                if !is_account(account) {
                    return Err(wrong());
                }
                let (group, rest) = name.split_once('/').unwrap_or((name, ""));
                let last = rest.rsplit('/').next().unwrap_or_default();
                if (group != "root" || service != "iam") && last.is_empty() {
                    return Err(wrong());
                }
                let kind = match (service, group, rest.split_once('/')) {
                    ("iam", "root", _) if name == "root" => Kind::Root,
                    ("iam", "user", _) => Kind::User { name: last.to_owned() },
                    ("iam", "role", _) => {
                        let (role, name) = (text.to_owned(), last.to_owned());
                        Kind::Role { role, is_exact: true, name, is_session: false }
                    }
                    ("iam", "saml-provider" | "oidc-provider", _) => Kind::Provider,
                    ("sts", "assumed-role", Some((name, _))) => {
                        let (role, name) = (format!("arn:{partition}:iam::{account}:role/{name}"), name.to_owned());
                        Kind::Role { role, is_exact: false, name, is_session: true }
                    }
                    ("sts", "federated-user", _) => Kind::FederatedUser,
                    _ => return Err(wrong()),
                };
                (kind, Some(account))
            }
        };
        Ok(Principal { text: text.to_owned(), kind, account: account.map(str::to_owned) })
    }

    /// States the role of a session: its ARN has the role's path, which the session's ARN lacks.
    pub(crate) fn with_role(mut self, arn: &str) -> Principal {
        let account = self.account.clone().unwrap_or_default();
        if let Kind::Role { role, is_exact, name, is_session: true } = &mut self.kind
            && let Ok(Principal {
                kind: Kind::Role { role: stated, is_exact: true, name: of_stated, .. },
                account: of,
                ..
            }) = Principal::parse(arn)
            && of_stated == *name
            && of.unwrap_or_default() == account
        {
            (*role, *is_exact) = (stated, true);
        }
        self
    }

    /// The account that it belongs to. Services, providers without an ARN and anonymous callers have none.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The partition of its ARN: `aws`, `aws-cn`, `aws-us-gov`.
    pub(crate) fn partition(&self) -> &str {
        self.text.strip_prefix("arn:").and_then(|rest| rest.split(':').next()).unwrap_or("aws")
    }

    /// Whether it has policies of an account: a user, a role, a session, a root user.
    pub(crate) fn has_identity(&self) -> bool {
        !matches!(self.kind, Kind::Host | Kind::Provider | Kind::Anonymous)
    }

    pub(crate) fn is_root(&self) -> bool {
        self.kind == Kind::Root
    }

    pub(crate) fn is_federated_user(&self) -> bool {
        self.kind == Kind::FederatedUser
    }

    /// Whether it is a service-linked role. The ARN of a session lacks the path, but such roles have reserved names.
    pub(crate) fn is_service_linked(&self) -> bool {
        match &self.kind {
            Kind::Role { role, is_exact: true, .. } => role.contains(":role/aws-service-role/"),
            Kind::Role { name, .. } => name.starts_with("AWSServiceRoleFor"),
            _ => false,
        }
    }

    fn is_service(&self) -> bool {
        self.kind == Kind::Host
            && [".amazonaws.com", ".amazonaws.com.cn", ".aws.internal"].iter().any(|end| self.text.ends_with(end))
    }

    /// The context keys that AWS sets for it.
    pub(crate) fn context(&self) -> Keys {
        let account = self.account.as_ref().filter(|_| self.has_identity());
        let arn = account.map(|account| match &self.kind {
            Kind::Role { role, .. } => role.clone(),
            Kind::Root if is_account(&self.text) => format!("arn:aws:iam::{account}:root"),
            _ => self.text.clone(),
        });
        let account = match self.kind {
            Kind::Anonymous => Some("anonymous".to_owned()),
            _ => account.cloned(),
        };
        let kind = match &self.kind {
            Kind::Root => Some("Account"),
            Kind::User { .. } => Some("User"),
            Kind::Role { .. } => Some("AssumedRole"),
            Kind::FederatedUser => Some("FederatedUser"),
            Kind::Anonymous => Some("Anonymous"),
            Kind::Host | Kind::Provider => None,
        };
        let user = match &self.kind {
            Kind::User { name } => Some(name.clone()),
            _ => None,
        };
        [
            ("aws:principalarn", arn),
            ("aws:principalaccount", account),
            ("aws:principaltype", kind.map(str::to_owned)),
            ("aws:username", user),
            ("aws:principalservicename", self.is_service().then(|| self.text.clone())),
            ("aws:principalisawsservice", Some(self.is_service().to_string())),
        ]
    }
}

/// How a resource-based policy names a principal. What else the request needs depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// By its account: the account decides whom it allows.
    Account,
    /// By the role of the session.
    Role,
    /// Itself: the user, the session, the service, or everybody.
    Direct,
}

/// The value of `Principal` or `NotPrincipal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principals {
    is_not: bool,
    named: Vec<Named>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    Everybody,
    Account(Box<str>),
    Role {
        arn: Box<str>,
        account: Box<str>,
        name: Box<str>,
    },
    /// A user, a session, or a unique identifier.
    Aws(Box<str>),
    Service(Box<str>),
    Federated(Box<str>),
    /// A canonical user of S3. No request states one.
    CanonicalUser,
}

impl Principals {
    pub(crate) fn parse(node: &Node, is_not: bool, place: &str) -> Result<Principals> {
        let members = match node {
            Node::Text(text) if text == "*" => return Ok(Principals { is_not, named: vec![Named::Everybody] }),
            Node::Text(text) => {
                let why = format!("expected `*` or an object such as {{\"AWS\": \"{text}\"}}, found `{text}`");
                return Err(Error::malformed(place, why));
            }
            other => other.members(place)?,
        };
        let mut named = Vec::new();
        for (kind, values) in members {
            let place = format!("{place}.{kind}");
            for value in values.texts(&place)? {
                named.push(match kind.as_str() {
                    "AWS" => Named::aws(value),
                    "Service" => Named::Service(value.into()),
                    "Federated" => Named::Federated(value.into()),
                    "CanonicalUser" => Named::CanonicalUser,
                    _ => {
                        let why = "unknown kind of principal: use AWS, Service, Federated or CanonicalUser";
                        return Err(Error::malformed(&place, why));
                    }
                });
            }
        }
        Ok(Principals { is_not, named })
    }

    /// How the statement applies to a principal; `None` if it does not.
    pub(crate) fn grade(&self, principal: &Principal, is_deny: bool, has_boundary: bool) -> Option<Grade> {
        let listed = self.named.iter().filter_map(|named| named.grade(principal)).max();
        if !self.is_not {
            return listed;
        }
        // A principal is exempt from a deny only if it is named itself: naming its account is not enough. With a
        // permissions boundary it never is.
        let is_exempt = match is_deny {
            true => !has_boundary && listed >= Some(Grade::Role),
            false => listed.is_some(),
        };
        (!is_exempt).then_some(Grade::Direct)
    }
}

impl Named {
    fn aws(value: &str) -> Named {
        if value == "*" {
            return Named::Everybody;
        }
        if is_account(value) {
            return Named::Account(value.into());
        }
        let parts: Vec<&str> = value.splitn(6, ':').collect();
        match parts[..] {
            ["arn", _, "iam", _, account, "root"] => Named::Account(account.into()),
            ["arn", _, "iam", _, account, name] if name.starts_with("role/") => {
                let last = name.rsplit('/').next().unwrap_or_default();
                Named::Role { arn: value.into(), account: account.into(), name: last.into() }
            }
            _ => Named::Aws(value.into()),
        }
    }

    fn grade(&self, principal: &Principal) -> Option<Grade> {
        match self {
            Named::Everybody => Some(Grade::Direct),
            Named::Account(account) if principal.has_identity() && principal.account() == Some(account) => {
                Some(if principal.is_root() { Grade::Direct } else { Grade::Account })
            }
            Named::Role { arn, account, name } => match &principal.kind {
                Kind::Role { role, is_exact: true, .. } => (**arn == *role).then_some(Grade::Role),
                // Role names are unique in an account, whatever their paths.
                Kind::Role { name: of_session, .. } => {
                    (principal.account() == Some(account) && **name == *of_session).then_some(Grade::Role)
                }
                _ => None,
            },
            Named::Aws(text) => (principal.has_identity() && **text == *principal.text).then_some(Grade::Direct),
            Named::Service(text) => {
                (principal.kind == Kind::Host && (**text == *principal.text || &**text == "*")).then_some(Grade::Direct)
            }
            Named::Federated(text) => (matches!(principal.kind, Kind::Host | Kind::Provider)
                && (**text == *principal.text || &**text == "*"))
                .then_some(Grade::Direct),
            _ => None,
        }
    }
}
