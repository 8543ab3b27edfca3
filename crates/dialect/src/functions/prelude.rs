//! The imports that nearly every function needs.

pub(super) use std::borrow::Cow;

pub(super) use arrow_schema::DataType;
pub(super) use base64::{Engine as _, prelude::BASE64_STANDARD};

pub(super) use super::{
    calendar, document, network, path, pattern, regexes,
    scalar::{Returns, numeric, scalar, widest},
    simplify, text, tree,
};
pub(super) use crate::{
    class::Class,
    collation::Collation,
    value::{Value, compare, exact_number},
};
