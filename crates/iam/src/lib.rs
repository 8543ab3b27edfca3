//! AWS IAM policies: parsed, and evaluated as AWS documents it.
//!
//! A [`Caller`] is a principal with its policies, a [`Target`] the policies of a resource. Both are compiled once, and
//! [`evaluate`] decides many requests with them. The answer is a [`Decision`] with its reason: the statement that
//! denies or allows, the layer that does not allow, or the context keys that it depends on. [`Document`] is all of that
//! as one JSON document.
//!
//! The crate reads nothing and knows no client.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod actions;
mod condition;
mod date;
mod document;
mod error;
mod evaluate;
mod json;
mod pattern;
mod policy;
mod principal;
mod request;
mod set;
#[cfg(test)]
mod tests;
mod truth;

pub use document::{Case, Cases, Document};
pub use error::{Error, Result};
pub use evaluate::{Answer, Caller, Decision, Target, evaluate};
pub use policy::{Layer, Policy};
pub use principal::Principal;
pub use request::{Context, Request};
pub use set::PolicySet;
