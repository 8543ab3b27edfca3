//! Conditions and literals of the statements that a walk runs.

use indago_table::{Kind, Period, TableSpec, Timestamp};
use indago_tables_registry::links::{Entity, Mention};

/// An expression that has no value in any row.
pub(super) const NOTHING: &str = "NULL";

/// The column of recorded tables with the recorder, which is the host of a host's tables.
pub(super) const WRITER: &str = "writer";

/// A text as SQL.
pub(super) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A name as SQL.
pub(super) fn name(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    match is_plain {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A timestamp as SQL.
pub(super) fn time(time: Timestamp) -> String {
    format!("TIMESTAMP '{time}'")
}

/// A value of an expression as SQL; `None` if the expression cannot have it.
fn value(spec: &TableSpec, expression: &str, value: &str) -> Option<String> {
    let column = spec.columns.iter().find(|column| column.name == expression);
    match column.map(|column| &column.kind) {
        Some(Kind::BigInt) => value.parse::<i64>().ok().map(|number| number.to_string()),
        Some(Kind::Timestamp) => Some(format!("TIMESTAMP {}", text(value))),
        _ => Some(text(value)),
    }
}

/// The condition for rows that have these values in some expressions; `None` if no row can.
pub(super) fn equal(spec: &TableSpec, expressions: &[&str], values: &[Option<String>]) -> Option<String> {
    let condition = |(expression, of_row): (&&str, &Option<String>)| match of_row {
        None => Some(format!("{expression} IS NULL")),
        Some(of_row) => Some(format!("{expression} = {}", value(spec, expression, of_row)?)),
    };
    let conditions: Vec<String> = expressions.iter().zip(values).map(condition).collect::<Option<_>>()?;
    Some(conditions.join(" AND "))
}

/// The condition for rows that mention an entity; `None` if no row can.
pub(super) fn mentions(spec: &TableSpec, mention: &Mention, entity: &Entity) -> Option<String> {
    let known = mention.columns.iter().zip(&entity.values);
    let known = known.filter(|(column, value)| **column != NOTHING && value.is_some());
    let (columns, values): (Vec<&str>, Vec<Option<String>>) =
        known.map(|(column, value)| (*column, value.clone())).unzip();
    equal(spec, &columns, &values).filter(|condition| !condition.is_empty())
}

/// The condition that a column is in a period, for the end of a WHERE.
pub(super) fn within(column: &str, period: Period) -> String {
    let from = period.from.map(|from| format!(" AND {column} >= {}", time(from)));
    let to = period.to.map(|to| format!(" AND {column} < {}", time(to)));
    [from, to].into_iter().flatten().collect()
}

/// The condition that one of several conditions holds. Values of one column become a list, which tables can look up.
pub(super) fn any(conditions: &[String]) -> String {
    let lists = conditions.iter().map(|condition| condition.split_once(" = ")).collect::<Option<Vec<_>>>();
    if let Some(lists) = lists
        && let [(column, _), _, ..] = lists.as_slice()
        && lists.iter().all(|(other, value)| other == column && !value.contains(" AND "))
    {
        let values: Vec<&str> = lists.iter().map(|(_, value)| *value).collect();
        return format!("{column} IN ({})", values.join(", "));
    }
    let conditions: Vec<String> = conditions.iter().map(|condition| format!("({condition})")).collect();
    conditions.join(" OR ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_end_their_literals() {
        let columns = vec![indago_table::ColumnSpec::new("pid", Kind::BigInt, "")];
        let spec = TableSpec::new("t", "host", "", columns);
        let hostile = "' OR 1 = 1 --".to_owned();
        assert_eq!(equal(&spec, &["name"], &[Some(hostile.clone())]).as_deref(), Some("name = ''' OR 1 = 1 --'"));
        assert_eq!(equal(&spec, &["pid"], &[Some(hostile)]), None);
        assert_eq!(equal(&spec, &["pid"], &[Some("7".to_owned())]).as_deref(), Some("pid = 7"));
        assert_eq!(name("odd\" name"), "\"odd\"\" name\"");
    }

    #[test]
    fn a_period_is_a_condition_with_its_start() {
        let period = Period { from: Some(Timestamp(0)), to: Some(Timestamp(1_000_001)) };
        assert_eq!(
            within("at", period),
            " AND at >= TIMESTAMP '1970-01-01T00:00:00Z' AND at < TIMESTAMP '1970-01-01T00:00:01.000001Z'"
        );
    }

    #[test]
    fn values_of_one_column_are_a_list() {
        let of = |texts: &[&str]| any(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["uid = 'a'", "uid = 'b'"]), "uid IN ('a', 'b')");
        assert_eq!(of(&["uid = 'a'"]), "(uid = 'a')");
        assert_eq!(of(&["a = 1 AND b = 2", "a = 1 AND b = 3"]), "(a = 1 AND b = 2) OR (a = 1 AND b = 3)");
        // A value with such a text in it is only not in a list.
        assert_eq!(of(&["a = 'x AND y'", "a = 'z'"]), "(a = 'x AND y') OR (a = 'z')");
    }
}
