//! Marks in the metadata of Arrow fields that tell how a column compares and what its values stand for.

use arrow_schema::Field;

use crate::value::real_to_text;

/// The metadata key in a column's Arrow field that names its collation: `nocase`, `version` and so on.
///
/// A table's schema carries it to comparisons and sorts. Comparisons with a key column are still pushed down: the
/// engine passes keys by the column's collation.
pub const COLLATION_METADATA: &str = "indago.collation";

/// The metadata key for a column of reals whose whole values are integers, such as arithmetic on text.
pub const NUMBER_METADATA: &str = "indago.number";

/// The value under that key.
pub(crate) const MIXED: &str = "mixed";

/// A value of such a column as text: `6` and `2.5`.
pub fn mixed_to_text(number: f64) -> String {
    match whole(number) {
        Some(integer) => integer.to_string(),
        None => real_to_text(number),
    }
}

/// The integer for a whole number of such a column.
pub(crate) fn whole(number: f64) -> Option<i64> {
    // Beyond 2^53, several integers share one double.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// Whether a field is such a column.
pub(crate) fn is_mixed(field: &Field) -> bool {
    field.metadata().get(NUMBER_METADATA).is_some_and(|kind| kind == MIXED)
}

/// Marks a text column whose values may stand for numbers, such as `json_each.value`.
pub(crate) const DYNAMIC_METADATA: &str = "indago.dynamic";
