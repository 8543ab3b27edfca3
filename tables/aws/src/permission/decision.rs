//! Decisions as values: of functions, and in rows.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StringViewBuilder};
use arrow_array::{ArrayRef, StructArray};
use arrow_schema::{DataType, Field, Fields};
use indago_iam::{Answer, Decision};
use indago_table::{Error, Kind, Result};

/// A decision with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    pub(crate) reason: String,
    pub(crate) layer: Option<&'static str>,
    pub(crate) policy: Option<String>,
    pub(crate) statement: Option<String>,
    pub(crate) keys: Vec<String>,
}

impl From<Answer<'_>> for Decided {
    fn from(answer: Answer<'_>) -> Self {
        Decided {
            decision: answer.decision,
            reason: answer.to_string(),
            layer: answer.layer.map(indago_iam::Layer::name),
            policy: answer.policy.map(str::to_owned),
            statement: answer.statement.as_deref().map(str::to_owned),
            keys: answer.keys,
        }
    }
}

impl Decided {
    /// Whether it allows, or may.
    pub(crate) fn is_possible(&self) -> bool {
        is_possible(self.decision)
    }
}

/// Whether a decision allows, or may.
pub(crate) fn is_possible(decision: Decision) -> bool {
    rank(decision) > 0
}

/// How much a decision allows.
pub(crate) fn rank(decision: Decision) -> u8 {
    match decision {
        Decision::Allowed => 2,
        Decision::Depends => 1,
        Decision::ExplicitlyDenied | Decision::ImplicitlyDenied => 0,
    }
}

/// The type of decisions in SQL.
pub(crate) fn data_type() -> DataType {
    DataType::Struct(fields())
}

fn fields() -> Fields {
    let text = |name: &str| Field::new(name, DataType::Utf8View, true);
    let keys = Field::new("keys", Kind::TextList.data_type(), true);
    Fields::from(vec![text("decision"), text("reason"), text("layer"), text("policy"), text("statement"), keys])
}

/// Builds an array of decisions.
#[derive(Debug)]
pub(crate) struct Builder {
    texts: [StringViewBuilder; 5],
    keys: ListBuilder<StringBuilder>,
    valid: Vec<bool>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder { texts: Default::default(), keys: ListBuilder::new(StringBuilder::new()), valid: Vec::new() }
    }
}

impl Builder {
    /// Adds a decision, or NULL.
    pub(crate) fn append(&mut self, decided: Option<Decided>) {
        self.valid.push(decided.is_some());
        let is_valid = decided.is_some();
        let (values, keys) = match decided {
            Some(Decided { decision, reason, layer, policy, statement, keys }) => {
                let layer = layer.map(str::to_owned);
                ([Some(decision.name().to_owned()), Some(reason), layer, policy, statement], keys)
            }
            None => Default::default(),
        };
        for (builder, value) in self.texts.iter_mut().zip(values) {
            builder.append_option(value);
        }
        keys.iter().for_each(|key| self.keys.values().append_value(key));
        self.keys.append(is_valid);
    }

    /// The array.
    pub(crate) fn finish(mut self) -> Result<ArrayRef> {
        let texts = self.texts.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef);
        let mut columns: Vec<ArrayRef> = texts.collect();
        columns.push(Arc::new(self.keys.finish()));
        let rows = StructArray::try_new(fields(), columns, Some(self.valid.into()))
            .map_err(|error| Error::Malformed(error.to_string()))?;
        Ok(Arc::new(rows))
    }
}
