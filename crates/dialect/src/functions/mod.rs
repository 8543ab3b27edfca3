//! The functions of the dialect, one per file. A file declares one [`Scalar`](scalar::Scalar): its doc comment is the
//! reference text, and its examples are tests.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use datafusion::logical_expr::{Expr, ScalarUDF, expr::ScalarFunction as Call};
use sqlparser::ast::BinaryOperator;

mod abs;
mod acos;
mod add;
mod aggregate;
mod as_blob;
mod as_integer;
mod as_number;
mod as_real;
mod as_text;
mod asin;
mod atan;
pub(crate) mod calendar;
mod ceil;
mod char;
mod coalesce;
mod collate;
mod collation_key;
mod community_id_v1;
mod community_id_v1_strict;
mod compare;
mod concat;
mod concat_ws;
mod concatenate;
mod conditional_to_base64;
mod cos;
mod cot;
mod date;
mod datetime;
mod degrees;
mod divide;
mod document;
mod exact_integer;
mod exact_real;
mod exp;
mod find_file_path_in_cmd;
mod floor;
mod from_base64;
mod glob;
mod hex;
mod ifnull;
mod iif;
mod in_cidr_block;
mod inet_aton;
mod instr;
mod is_path_deterministic;
mod json;
mod json_array;
mod json_array_length;
mod json_arrow;
mod json_arrow_text;
pub(crate) mod json_each;
mod json_error_position;
mod json_extract;
mod json_insert;
mod json_object;
mod json_patch;
mod json_quote;
mod json_remove;
mod json_replace;
mod json_set;
mod json_type;
mod json_valid;
mod julianday;
mod length;
mod like;
mod like_any;
mod likelihood;
mod likely;
mod log;
mod log10;
mod lower;
mod lpad;
mod ltrim;
mod md5;
mod mixed_text;
mod modulo;
mod multiply;
mod network;
mod nullif;
mod octet_length;
mod parent_directory;
mod path;
mod pattern;
mod pi;
mod power;
mod prelude;
mod printf;
mod quote;
mod radians;
mod random;
mod randomblob;
mod regex_match;
mod regex_split;
mod regexes;
mod regexp;
mod repeat;
mod replace;
pub(crate) mod room;
mod round;
mod rpad;
mod rtrim;
pub(crate) mod scalar;
mod scalar_max;
mod scalar_min;
mod sha1;
mod sha256;
mod shift_left;
mod shift_right;
mod sign;
mod simplify;
mod sin;
mod sleep;
mod soundex;
mod split;
mod sqlite_version;
mod sqrt;
mod strftime;
pub(crate) mod string_agg;
mod substr;
mod subtract;
pub(crate) mod sum;
mod tan;
mod text;
mod time;
mod timediff;
mod to_base64;
mod tree;
mod trim;
mod truth;
mod type_of;
mod unhex;
mod unicode;
mod unixepoch;
mod unlikely;
mod upper;
mod version_compare;
mod zeroblob;

pub(crate) use aggregate::{aggregates, row_of_group};
use scalar::{Scalar, ScalarFunction};

/// All scalar functions, ordered by name.
pub(crate) const SCALARS: &[Scalar] = &[
    abs::FUNCTION,
    acos::FUNCTION,
    add::FUNCTION,
    as_blob::FUNCTION,
    as_integer::FUNCTION,
    as_number::FUNCTION,
    as_real::FUNCTION,
    as_text::FUNCTION,
    asin::FUNCTION,
    atan::FUNCTION,
    ceil::FUNCTION,
    char::FUNCTION,
    coalesce::FUNCTION,
    collate::FUNCTION,
    collation_key::FUNCTION,
    community_id_v1::FUNCTION,
    community_id_v1_strict::FUNCTION,
    compare::FUNCTION,
    concat::FUNCTION,
    concat_ws::FUNCTION,
    concatenate::FUNCTION,
    conditional_to_base64::FUNCTION,
    cos::FUNCTION,
    cot::FUNCTION,
    date::FUNCTION,
    datetime::FUNCTION,
    degrees::FUNCTION,
    divide::FUNCTION,
    exact_integer::FUNCTION,
    exact_real::FUNCTION,
    exp::FUNCTION,
    find_file_path_in_cmd::FUNCTION,
    floor::FUNCTION,
    from_base64::FUNCTION,
    glob::FUNCTION,
    hex::FUNCTION,
    ifnull::FUNCTION,
    iif::FUNCTION,
    in_cidr_block::FUNCTION,
    inet_aton::FUNCTION,
    instr::FUNCTION,
    is_path_deterministic::FUNCTION,
    json::FUNCTION,
    json_array::FUNCTION,
    json_array_length::FUNCTION,
    json_arrow::FUNCTION,
    json_arrow_text::FUNCTION,
    json_error_position::FUNCTION,
    json_extract::FUNCTION,
    json_insert::FUNCTION,
    json_object::FUNCTION,
    json_patch::FUNCTION,
    json_quote::FUNCTION,
    json_remove::FUNCTION,
    json_replace::FUNCTION,
    json_set::FUNCTION,
    json_type::FUNCTION,
    json_valid::FUNCTION,
    julianday::FUNCTION,
    length::FUNCTION,
    like::FUNCTION,
    like_any::FUNCTION,
    likelihood::FUNCTION,
    likely::FUNCTION,
    log::FUNCTION,
    log10::FUNCTION,
    lower::FUNCTION,
    lpad::FUNCTION,
    ltrim::FUNCTION,
    md5::FUNCTION,
    mixed_text::FUNCTION,
    modulo::FUNCTION,
    multiply::FUNCTION,
    nullif::FUNCTION,
    octet_length::FUNCTION,
    parent_directory::FUNCTION,
    pi::FUNCTION,
    power::FUNCTION,
    printf::FUNCTION,
    quote::FUNCTION,
    radians::FUNCTION,
    random::FUNCTION,
    randomblob::FUNCTION,
    regex_match::FUNCTION,
    regex_split::FUNCTION,
    regexp::FUNCTION,
    repeat::FUNCTION,
    replace::FUNCTION,
    round::FUNCTION,
    rpad::FUNCTION,
    rtrim::FUNCTION,
    scalar_max::FUNCTION,
    scalar_min::FUNCTION,
    sha1::FUNCTION,
    sha256::FUNCTION,
    shift_left::FUNCTION,
    shift_right::FUNCTION,
    sign::FUNCTION,
    sin::FUNCTION,
    sleep::FUNCTION,
    soundex::FUNCTION,
    split::FUNCTION,
    sqlite_version::FUNCTION,
    sqrt::FUNCTION,
    strftime::FUNCTION,
    substr::FUNCTION,
    subtract::FUNCTION,
    tan::FUNCTION,
    time::FUNCTION,
    timediff::FUNCTION,
    to_base64::FUNCTION,
    trim::FUNCTION,
    truth::FUNCTION,
    type_of::FUNCTION,
    unhex::FUNCTION,
    unicode::FUNCTION,
    unixepoch::FUNCTION,
    unlikely::FUNCTION,
    upper::FUNCTION,
    version_compare::FUNCTION,
    zeroblob::FUNCTION,
];

static REGISTRY: LazyLock<HashMap<&'static str, Arc<ScalarUDF>>> = LazyLock::new(|| {
    SCALARS.iter().map(|spec| (spec.name, Arc::new(ScalarUDF::new_from_impl(ScalarFunction::new(*spec))))).collect()
});

/// Functions that fail on some values, and the functions that replace them in a condition: those return NULL for such a
/// value. SQLite evaluates conditions one by one and never sees a row that an earlier condition excluded; DataFusion
/// may evaluate them in any order.
const FALLIBLE: &[(Scalar, &str)] = &[
    (acos::FUNCTION, "try_acos"),
    (asin::FUNCTION, "try_asin"),
    (community_id_v1_strict::FUNCTION, "try_community_id_v1_strict"),
    (cot::FUNCTION, "try_cot"),
    (exp::FUNCTION, "try_exp"),
    (find_file_path_in_cmd::FUNCTION, "try_find_file_path_in_cmd"),
    (in_cidr_block::FUNCTION, "try_in_cidr_block"),
    (log::FUNCTION, "try_log"),
    (log10::FUNCTION, "try_log10"),
    (parent_directory::FUNCTION, "try_parent_directory"),
    (power::FUNCTION, "try_power"),
    (split::FUNCTION, "try_split"),
    (sqrt::FUNCTION, "try_sqrt"),
    (version_compare::FUNCTION, "try_version_compare"),
];

/// The function to call in a condition instead.
pub(crate) fn in_condition(name: &str) -> Option<&'static str> {
    FALLIBLE.iter().find(|(spec, _)| spec.is_called(name)).map(|(_, lenient)| *lenient)
}

/// The function that an operator becomes.
pub(crate) fn operator(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::Plus => "add",
        BinaryOperator::Minus => "subtract",
        BinaryOperator::Multiply => "multiply",
        BinaryOperator::Divide => "divide",
        BinaryOperator::Modulo => "modulo",
        BinaryOperator::StringConcat => "concatenate",
        BinaryOperator::PGBitwiseShiftLeft => "shift_left",
        BinaryOperator::PGBitwiseShiftRight => "shift_right",
        _ => return None,
    })
}

/// The scalar function with this name, for a condition or for any other place.
pub(crate) fn named(name: &str) -> Option<&'static Scalar> {
    let lenient = || FALLIBLE.iter().find(|(_, lenient)| *lenient == name).map(|(spec, _)| spec);
    SCALARS.iter().find(|spec| spec.is_called(name)).or_else(lenient)
}

/// The function that casts to a type by SQLite's rules for its name; `None` for types that only DataFusion has.
pub(crate) fn cast(data_type: &str) -> Option<&'static str> {
    let name = data_type.to_ascii_uppercase();
    if name.starts_with("INTERVAL") || name.contains('<') || name.ends_with(']') {
        return None;
    }
    if name.contains("INT") {
        Some("as_integer")
    } else if ["CHAR", "CLOB", "TEXT"].iter().any(|part| name.contains(part)) || name == "STRING" {
        Some("as_text")
    } else if name.contains("BLOB") {
        Some("as_blob")
    } else if ["REAL", "FLOA", "DOUB"].iter().any(|part| name.contains(part)) {
        Some("as_real")
    } else if matches!(name.as_str(), "NUMERIC" | "NUMBER" | "DATE" | "DATETIME") {
        Some("as_number")
    } else {
        None
    }
}

/// The scalar functions as DataFusion's type.
pub(crate) fn scalars() -> Vec<Arc<ScalarUDF>> {
    let lenient = FALLIBLE.iter().map(|(spec, name)| {
        let function = ScalarFunction::lenient(Scalar { name, aliases: &[], ..*spec });
        Arc::new(ScalarUDF::new_from_impl(function))
    });
    SCALARS.iter().filter_map(|spec| REGISTRY.get(spec.name)).cloned().chain(lenient).collect()
}

/// A call of one of our functions in a planned expression.
pub(crate) fn call(name: &'static str, args: Vec<Expr>) -> Expr {
    match REGISTRY.get(name) {
        Some(function) => Expr::ScalarFunction(Call::new_udf(Arc::clone(function), args)),
        // Unreachable: all names come from this crate.
        None => Expr::default(),
    }
}

/// The reference of one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionDoc {
    /// The name that users write.
    pub name: String,
    /// Other names of the same function.
    pub aliases: Vec<String>,
    /// Name and arguments: `substr(x, start [, length])`.
    pub signature: String,
    /// The first sentence.
    pub summary: String,
    /// The rest, in Markdown.
    pub description: String,
    /// Statements and the text of their only value.
    pub examples: Vec<(String, String)>,
    /// `scalar`, `aggregate` or `table`.
    pub kind: &'static str,
    /// Whether operators and CAST become this function; users need not call it.
    pub operator: bool,
}

/// The functions that operators, CAST and COLLATE become.
const OPERATORS: [&str; 23] = [
    "add",
    "as_blob",
    "as_integer",
    "as_number",
    "as_real",
    "as_text",
    "collate",
    "collation_key",
    "compare",
    "concatenate",
    "divide",
    "exact_integer",
    "exact_real",
    "json_arrow",
    "json_arrow_text",
    "like_any",
    "mixed_text",
    "modulo",
    "multiply",
    "shift_left",
    "shift_right",
    "subtract",
    "truth",
];

/// The documentation of all functions of the dialect, by name. DataFusion's functions that the dialect does not change
/// are not included.
pub fn functions() -> Vec<FunctionDoc> {
    let mut all: Vec<FunctionDoc> = SCALARS
        .iter()
        .map(|spec| document(spec.name, spec.aliases, spec.arguments, spec.doc, spec.examples, "scalar"))
        .chain(
            aggregates()
                .iter()
                .map(|spec| document(spec.name, spec.aliases, spec.arguments, spec.doc, spec.examples, "aggregate")),
        )
        .chain(
            json_each::DOCUMENTS
                .iter()
                .map(|(name, doc, examples)| document(name, &[], "json [, path]", doc, examples, "table")),
        )
        .chain(FALLIBLE.iter().map(|(spec, name)| FunctionDoc {
            operator: true,
            ..document(name, &[], spec.arguments, spec.doc, spec.examples, "scalar")
        }))
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name).then(a.kind.cmp(b.kind)));
    all
}

fn document(
    name: &str,
    aliases: &[&str],
    arguments: &str,
    doc: &[&str],
    examples: &[(&str, &str)],
    kind: &'static str,
) -> FunctionDoc {
    let lines: Vec<&str> = doc.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let text = lines.join("\n");
    let (summary, description) = text.split_once("\n\n").unwrap_or((&text, ""));
    let operator = OPERATORS.contains(&name);
    let name = name.strip_prefix("scalar_").unwrap_or(name);
    FunctionDoc {
        name: name.to_owned(),
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        signature: format!("{name}({arguments})"),
        summary: summary.replace('\n', " "),
        description: description.to_owned(),
        examples: examples.iter().map(|&(sql, answer)| (sql.to_owned(), answer.to_owned())).collect(),
        kind,
        operator,
    }
}
