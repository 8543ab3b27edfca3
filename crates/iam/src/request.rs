//! Requests and their context.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::actions;
use crate::error::{Error, Result};
use crate::json::Node;
use crate::pattern;
use crate::principal::{Keys, Principal, is_account};

/// The key of the account that owns the resource, in lowercase.
const RESOURCE_ACCOUNT: &str = "aws:resourceaccount";

/// The context of a request: its condition keys and their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// By the key in lowercase. A key without values is stated to be absent.
    keys: BTreeMap<String, Vec<String>>,
    /// Whether a key that is not stated is unknown. Otherwise it is absent.
    is_partial: bool,
    /// Beginnings of keys, in lowercase, that are stated completely: another key with one of them is absent.
    complete: Vec<String>,
}

impl Context {
    /// Sets a key. The case of its name does not matter. Without values, the request does not have the key.
    #[must_use]
    pub fn with<V: Into<String>>(mut self, key: &str, values: impl IntoIterator<Item = V>) -> Self {
        self.keys.insert(key.to_ascii_lowercase(), values.into_iter().map(Into::into).collect());
        self
    }

    /// Makes keys that are not stated unknown: a decision that needs them is [`Decision::Depends`](crate::Decision).
    #[must_use]
    pub fn partial(mut self) -> Self {
        self.is_partial = true;
        self
    }

    /// States that all keys that begin with a text are known: one that is not stated is absent, also if the context is
    /// partial. For keys such as `aws:PrincipalTag/`, of which there can be any number.
    #[must_use]
    pub fn complete(mut self, start: &str) -> Self {
        self.complete.push(start.to_ascii_lowercase());
        self
    }

    /// Parses an object with strings, numbers, booleans, null or lists as values.
    ///
    /// # Errors
    ///
    /// If the text is not such an object.
    pub fn from_json(text: &str) -> Result<Context> {
        Context::parse(&Node::parse(text, "context")?, "context")
    }

    /// Adds the keys of another context. They replace keys that are already stated.
    #[must_use]
    pub fn merged(mut self, other: &Context) -> Self {
        self.keys.extend(other.keys.iter().map(|(key, values)| (key.clone(), values.clone())));
        self.complete.extend_from_slice(&other.complete);
        self.is_partial |= other.is_partial;
        self
    }

    pub(crate) fn parse(node: &Node, place: &str) -> Result<Context> {
        let mut context = Context::default();
        if *node == Node::Null {
            return Ok(context);
        }
        for (key, value) in node.members(place)? {
            let place = format!("{place}.{key}");
            let wrong = |found: &Node| {
                let why = format!("expected a string, number, boolean, null or a list of them, found {}", found.kind());
                Error::malformed(&place, why)
            };
            let values = match value {
                Node::Null => Vec::new(),
                value => {
                    let text = |item: &Node| item.scalar().ok_or_else(|| wrong(item));
                    value.items().iter().map(text).collect::<Result<_>>()?
                }
            };
            if context.keys.insert(key.to_ascii_lowercase(), values).is_some() {
                return Err(Error::malformed(&place, "this key is stated twice: the names of keys ignore case"));
            }
        }
        Ok(context)
    }

    pub(crate) fn first(&self, key: &str) -> Option<&str> {
        self.keys.get(key).and_then(|values| values.first()).map(String::as_str)
    }
}

/// A request: an action on a resource.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `SERVICE:NAME`, in any case.
    pub action: &'a str,
    /// An ARN, or `*` for an action that is not on a resource.
    pub resource: &'a str,
    /// The account that owns the resource. By default the one in the ARN; if that has none, the principal's. An empty
    /// text is an account that is not known and is not the principal's.
    pub resource_account: Option<&'a str>,
    /// The condition keys.
    pub context: &'a Context,
}

/// A request as statements see it.
pub(crate) struct Asked<'a> {
    pub(crate) principal: &'a Principal,
    of_principal: &'a Keys,
    /// In lowercase.
    pub(crate) action: String,
    pub(crate) resource: Cow<'a, str>,
    pub(crate) resource_account: Option<&'a str>,
    pub(crate) has_boundary: bool,
    context: &'a Context,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(
        principal: &'a Principal,
        of_principal: &'a Keys,
        has_boundary: bool,
        request: &Request<'a>,
    ) -> Result<Self> {
        let action = request.action.to_ascii_lowercase();
        let Some((service, name)) = action.split_once(':') else {
            let why =
                format!("`{}` is not an action: state a service and a name, as in `s3:GetObject`", request.action);
            return Err(Error::malformed("action", why));
        };
        let mut resource = Cow::Borrowed(request.resource);
        if resource.len() > pattern::LONGEST {
            return Err(Error::too_large("resource", resource.len(), pattern::LONGEST));
        }
        if resource != "*" && !resource.starts_with("arn:") {
            let why = format!("`{resource}` is not a resource: state an ARN, or `*` if the action has no resource");
            return Err(Error::malformed("resource", why));
        }
        let of_arn = request.resource.split(':').nth(4).filter(|account| is_account(account));
        // An action that takes no resource is evaluated on all of them.
        if (resource != "*" || service == "s3") && actions::has_no_resource(service, name) {
            // Policies for S3 may also state all buckets.
            resource = match service {
                "s3" => format!("arn:{}:s3:::*", principal.partition()).into(),
                _ => "*".into(),
            };
        }
        let resource_account = request.resource_account.or(of_arn).or(principal.account());
        Ok(Asked {
            principal,
            of_principal,
            action,
            resource,
            resource_account,
            has_boundary,
            context: request.context,
        })
    }

    /// The values of a key. `None` if it is absent, or unknown.
    pub(crate) fn values(&self, key: &str) -> Option<Values<'_>> {
        if let Some(values) = self.context.keys.get(key) {
            return (!values.is_empty()).then_some(Values::Stated(values));
        }
        if key == RESOURCE_ACCOUNT {
            return self.resource_account.filter(|account| !account.is_empty()).map(Values::Derived);
        }
        let (_, value) = self.of_principal.iter().find(|(name, _)| *name == key)?;
        value.as_deref().map(Values::Derived)
    }

    /// The value of a key for a variable: it must have exactly one, which is not empty.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.values(key)? {
            Values::Stated([single]) => Some(single).filter(|value| !value.is_empty()).map(String::as_str),
            Values::Stated(_) => None,
            Values::Derived(value) => Some(value),
        }
    }

    /// Whether the request may have the key or not: the context is partial and does not state it, and AWS does not
    /// derive it from the principal or the resource.
    pub(crate) fn is_unknown(&self, key: &str) -> bool {
        self.context.is_partial
            && !self.context.keys.contains_key(key)
            && (key != RESOURCE_ACCOUNT || self.resource_account == Some(""))
            && !self.context.complete.iter().any(|start| key.starts_with(&**start))
            && !self.of_principal.iter().any(|(name, _)| *name == key)
    }
}

/// The values of a context key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    Stated(&'a [String]),
    Derived(&'a str),
}

impl<'a> Values<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a str> {
        let (stated, derived) = match self {
            Values::Stated(values) => (values, None),
            Values::Derived(value) => (&[][..], Some(value)),
        };
        stated.iter().map(String::as_str).chain(derived)
    }

    pub(crate) fn len(self) -> usize {
        match self {
            Values::Stated(values) => values.len(),
            Values::Derived(_) => 1,
        }
    }

    /// Whether it is a null data set: nothing but empty texts.
    pub(crate) fn is_null(self) -> bool {
        self.iter().all(str::is_empty)
    }
}
