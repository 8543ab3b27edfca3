//! What functions there are.

use std::collections::BTreeMap;

use datafusion::logical_expr::{Documentation, Signature};

use crate::engine::Engine;

/// A function that queries can call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Name in SQL.
    pub name: String,
    /// How it is called.
    pub signature: String,
    /// `scalar`, `aggregate` or `window`.
    pub kind: &'static str,
    /// What it does, in one line.
    pub description: String,
}

impl Engine {
    /// The functions, by name.
    pub fn functions(&self) -> Vec<FunctionInfo> {
        let state = self.session().state();
        let mut all: BTreeMap<(String, &'static str), FunctionInfo> = BTreeMap::new();
        let mut add = |name: &str, kind, signature: &Signature, documentation: Option<&Documentation>| {
            let info = FunctionInfo {
                name: name.to_owned(),
                signature: match documentation {
                    Some(documentation) => documentation.syntax_example.clone(),
                    None => fallback_signature(name, signature),
                },
                kind,
                description: documentation
                    .map(|documentation| first_line(&documentation.description))
                    .unwrap_or_default(),
            };
            all.insert((name.to_owned(), kind), info);
        };
        for (name, function) in state.scalar_functions() {
            add(name, "scalar", function.signature(), function.documentation());
        }
        for (name, function) in state.aggregate_functions() {
            add(name, "aggregate", function.signature(), function.documentation());
        }
        for (name, function) in state.window_functions() {
            add(name, "window", function.signature(), function.documentation());
        }
        all.into_values().collect()
    }
}

fn fallback_signature(name: &str, signature: &Signature) -> String {
    let arguments = signature.type_signature.to_string_repr();
    match arguments.first() {
        Some(arguments) => format!("{name}({arguments})"),
        None => format!("{name}()"),
    }
}

fn first_line(text: &str) -> String {
    text.trim().lines().next().unwrap_or_default().trim().to_owned()
}
