//! Policies of one layer, with an index by action.

use std::collections::HashMap;
use std::sync::Arc;

use crate::pattern::Pattern;
use crate::policy::{Policy, Statement};
use crate::principal::Grade;
use crate::request::Asked;
use crate::truth::Truth;

/// The policies of a layer, compiled: the statements that can concern an action are found without looking at the
/// others.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    /// The names of the policies.
    names: Vec<String>,
    statements: Vec<Placed>,
    /// Statements by an action without wildcards.
    exact: HashMap<Box<str>, Vec<u32>>,
    /// Statements by patterns of a service's actions, by service.
    of_service: HashMap<Box<str>, Vec<(Pattern, u32)>>,
    /// Statements whose actions can be of any service.
    of_any: Vec<u32>,
    /// Other sets of the layer, which several principals share.
    shared: Vec<Arc<PolicySet>>,
    /// The names of policies whose content is not known.
    unread: Vec<String>,
}

/// A statement, and its place.
#[derive(Debug, Clone)]
struct Placed {
    statement: Statement,
    policy: u32,
    position: u32,
}

/// A statement that decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit<'a> {
    pub(crate) policy: &'a str,
    pub(crate) sid: Option<&'a str>,
    /// Its number in the policy, from 0.
    pub(crate) position: u32,
}

/// What the policies of a layer decide about a request.
#[derive(Debug)]
pub(crate) struct Opinion<'a> {
    pub(crate) deny: Truth,
    /// By [`Grade`]: how the policy names the principal. Policies without principals have only the first.
    pub(crate) allow: [Truth; 3],
    pub(crate) denied_by: Option<Hit<'a>>,
    pub(crate) allowed_by: Option<Hit<'a>>,
    /// Statements for which context keys are missing.
    unknown: Vec<&'a Statement>,
    /// Policies whose content is not known.
    unread: Vec<&'a str>,
}

impl PolicySet {
    /// Compiles policies, each with a name for answers.
    pub fn new(policies: impl IntoIterator<Item = (String, Policy)>) -> Self {
        let mut set = PolicySet::default();
        for (name, policy) in policies {
            let of = set.names.len() as u32;
            set.names.push(name);
            for (position, statement) in policy.statements.into_iter().enumerate() {
                set.add(Placed { statement, policy: of, position: position as u32 });
            }
        }
        set
    }

    /// A set of compiled sets. Principals that have the same policies share them.
    pub fn of(shared: impl IntoIterator<Item = Arc<PolicySet>>) -> Self {
        PolicySet { shared: shared.into_iter().collect(), ..PolicySet::default() }
    }

    /// A policy that exists and whose content is not known: it may allow or deny each request. A decision that needs it is
    /// [`Decision::Depends`](crate::Decision).
    pub fn unread(name: impl Into<String>) -> Self {
        PolicySet { unread: vec![name.into()], ..PolicySet::default() }
    }

    /// The same policies without the statements that deny.
    pub(crate) fn without_denies(&self) -> PolicySet {
        let mut set = PolicySet { names: self.names.clone(), unread: self.unread.clone(), ..PolicySet::default() };
        for placed in self.statements.iter().filter(|placed| !placed.statement.is_deny) {
            set.add(placed.clone());
        }
        set.shared = self.shared.iter().map(|shared| Arc::new(shared.without_denies())).collect();
        set
    }

    fn add(&mut self, placed: Placed) {
        let number = self.statements.len() as u32;
        let mut is_of_any = placed.statement.is_not_action;
        if !is_of_any {
            for action in &placed.statement.actions {
                match (action.literal(), action.prefix().split_once(':')) {
                    (Some(literal), _) => self.exact.entry(literal.into()).or_default().push(number),
                    (None, Some((service, _))) => {
                        self.of_service.entry(service.into()).or_default().push((action.clone(), number));
                    }
                    (None, None) => is_of_any = true,
                }
            }
        }
        if is_of_any {
            self.of_any.push(number);
        }
        self.statements.push(placed);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.unread.is_empty() && self.shared.iter().all(|set| set.is_empty())
    }

    /// Evaluates the statements that can concern the request. It stops at the first explicit deny.
    pub(crate) fn opinion(&self, asked: &Asked<'_>) -> Opinion<'_> {
        let mut opinion = Opinion {
            deny: Truth::No,
            allow: [Truth::No; 3],
            denied_by: None,
            allowed_by: None,
            unknown: Vec::new(),
            unread: Vec::new(),
        };
        self.add_opinion(asked, &mut opinion);
        opinion
    }

    fn add_opinion<'a>(&'a self, asked: &Asked<'_>, opinion: &mut Opinion<'a>) {
        for name in &self.unread {
            opinion.unread.push(name);
            for truth in opinion.allow.iter_mut().chain([&mut opinion.deny]) {
                *truth = Truth::Unknown.max(*truth);
            }
        }
        let exact = self.exact.get(&*asked.action).into_iter().flatten().copied();
        let service = asked.action.split(':').next().unwrap_or_default();
        let of_service = self.of_service.get(service).into_iter().flatten();
        let of_service = of_service.filter(|(action, _)| action.matches(&asked.action)).map(|(_, number)| *number);
        let of_any = self.of_any.iter().copied().filter(|number| {
            let statement = &self.statements[*number as usize].statement;
            statement.actions.iter().any(|action| action.matches(&asked.action)) != statement.is_not_action
        });
        for number in exact.chain(of_service).chain(of_any) {
            opinion.hear(self, number, asked);
            if opinion.deny == Truth::Yes {
                return;
            }
        }
        for set in &self.shared {
            set.add_opinion(asked, opinion);
            if opinion.deny == Truth::Yes {
                return;
            }
        }
    }

    fn hit(&self, number: u32) -> Hit<'_> {
        let placed = &self.statements[number as usize];
        Hit {
            policy: &self.names[placed.policy as usize],
            sid: placed.statement.sid.as_deref(),
            position: placed.position,
        }
    }
}

impl<'a> Opinion<'a> {
    fn hear(&mut self, set: &'a PolicySet, number: u32, asked: &Asked<'_>) {
        let statement = &set.statements[number as usize].statement;
        let grade = match &statement.principals {
            None => Grade::Account,
            Some(principals) => match principals.grade(asked.principal, statement.is_deny, asked.has_boundary) {
                Some(grade) => grade,
                None => return,
            },
        };
        let known = if statement.is_deny { self.deny } else { self.allow[grade as usize] };
        if known == Truth::Yes {
            return;
        }
        let applies = statement.applies(asked);
        match (applies, statement.is_deny) {
            (Truth::No, _) => return,
            (Truth::Unknown, _) => self.unknown.push(statement),
            (Truth::Yes, true) => self.denied_by = Some(set.hit(number)),
            (Truth::Yes, false) => self.allowed_by = Some(set.hit(number)),
        }
        let truth = if statement.is_deny { &mut self.deny } else { &mut self.allow[grade as usize] };
        *truth = applies.max(*truth);
    }

    /// The strongest allow, however the principal is named.
    pub(crate) fn allow(&self) -> Truth {
        self.allow.into_iter().max().unwrap_or(Truth::No)
    }

    /// The policies that may change the decision and whose content is not known.
    pub(crate) fn unread(&self) -> &[&'a str] {
        &self.unread
    }

    /// The keys that the undecided statements need.
    pub(crate) fn missing<'s>(&'s self, asked: &'s Asked<'_>) -> impl Iterator<Item = &'s str> {
        self.unknown.iter().flat_map(|statement| statement.missing(asked))
    }
}
