//! The list of functions.

use std::collections::BTreeMap;

use datafusion::logical_expr::{Documentation, Signature};
use indago_dialect::{Dialect, FunctionDoc};

use crate::registry::Registry;
use crate::table_functions::STANDARD;

/// A function that queries can call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Name in SQL.
    pub name: String,
    /// How it is called.
    pub signature: String,
    /// `scalar`, `aggregate`, `window` or `table`.
    pub kind: &'static str,
    /// Its description, in one line.
    pub description: String,
    /// The rest of its documentation, in Markdown.
    pub details: String,
    /// Other names of the same function.
    pub aliases: Vec<String>,
    /// Statements, each with the text of its single result value.
    pub examples: Vec<(String, String)>,
}

/// The functions of a session, by name.
pub(crate) fn of(registry: &Registry) -> Vec<FunctionInfo> {
    let state = registry.state();
    let mut all: BTreeMap<(String, &'static str), FunctionInfo> = BTreeMap::new();
    let mut add = |name: &str, kind, signature: &Signature, documentation: Option<&Documentation>| {
        let info = FunctionInfo {
            name: name.to_owned(),
            signature: match documentation {
                Some(documentation) => documentation.syntax_example.clone(),
                None => fallback_signature(name, signature),
            },
            kind,
            description: documentation.map(|documentation| first_line(&documentation.description)).unwrap_or_default(),
            details: String::new(),
            aliases: Vec::new(),
            examples: Vec::new(),
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
    for function in &registry.functions {
        let spec = function.spec();
        let (summary, details) = spec.description.trim().split_once('\n').unwrap_or((spec.description.trim(), ""));
        let info = FunctionInfo {
            name: spec.name.to_owned(),
            signature: spec.signature.to_owned(),
            kind: "scalar",
            description: summary.to_owned(),
            details: details.trim().to_owned(),
            aliases: Vec::new(),
            examples: Vec::new(),
        };
        all.insert((info.name.clone(), info.kind), info);
    }
    if registry.dialect == Dialect::Osquery {
        for function in indago_dialect::functions() {
            document(&mut all, &function);
        }
    }
    let added = registry.table_functions.iter().flat_map(|functions| functions.functions());
    for function in STANDARD.into_iter().chain(added) {
        let info = FunctionInfo {
            name: function.name.to_owned(),
            signature: function.signature.to_owned(),
            kind: "table",
            description: function.description.to_owned(),
            details: String::new(),
            aliases: Vec::new(),
            examples: Vec::new(),
        };
        all.insert((info.name.clone(), info.kind), info);
    }
    all.into_values().collect()
}

/// Replaces the session's information about a function with the dialect's.
fn document(all: &mut BTreeMap<(String, &'static str), FunctionInfo>, function: &FunctionDoc) {
    let names = std::iter::once(&function.name).chain(&function.aliases);
    for name in names.clone() {
        if function.operator {
            all.remove(&(name.clone(), function.kind));
            continue;
        }
        all.remove(&(format!("scalar_{name}"), function.kind));
        let signature = match function.signature.strip_prefix(function.name.as_str()) {
            Some(arguments) => format!("{name}{arguments}"),
            None => function.signature.clone(),
        };
        let info = FunctionInfo {
            name: name.clone(),
            signature,
            kind: function.kind,
            description: function.summary.clone(),
            details: function.description.clone(),
            aliases: names.clone().filter(|other| *other != name).cloned().collect(),
            examples: function.examples.clone(),
        };
        all.insert((name.clone(), function.kind), info);
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
