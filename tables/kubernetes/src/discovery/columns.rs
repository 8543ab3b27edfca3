//! Names of tables and columns, and the columns of a table over several clusters.

use std::collections::{BTreeMap, HashSet};

use indago_table::{ColumnSpec, Kind};

use super::openapi::{Described, Field};

/// A name as in SQL: `clusterIP` is `cluster_ip`, `externalIPs` is `external_ips`.
pub(super) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().take(LONGEST_NAME).collect();
    let mut snake = String::new();
    for (position, letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            if !snake.ends_with('_') {
                snake.push('_');
            }
            continue;
        }
        if letter.is_ascii_uppercase() && position > 0 {
            let before = letters[position - 1];
            let mut rest = letters[position + 1..].iter();
            // The last capital letter of a run starts a word, except before the `s` of a plural.
            let starts = match (rest.next(), rest.next()) {
                (Some('s'), None) => false,
                (Some('s'), Some(after)) if after.is_ascii_uppercase() => false,
                (Some(next), _) => next.is_ascii_lowercase(),
                (None, _) => false,
            };
            let ends = before.is_ascii_lowercase() || before.is_ascii_digit();
            if (ends || (before.is_ascii_uppercase() && starts)) && !snake.ends_with('_') {
                snake.push('_');
            }
        }
        snake.push(letter.to_ascii_lowercase());
    }
    let snake = snake.trim_matches('_');
    match snake.chars().next() {
        None => "field".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("field_{snake}"),
        Some(_) => snake.to_owned(),
    }
}

const LONGEST_NAME: usize = 128;

/// A part of a table's name: `cert-manager.io` is `cert_manager_io`.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// The fields of a resource in several clusters, which may describe it differently.
pub(super) fn union<'a>(all: impl IntoIterator<Item = &'a Described>) -> Described {
    let mut description = String::new();
    let mut fields: BTreeMap<Vec<String>, Field> = BTreeMap::new();
    for described in all {
        if description.is_empty() {
            description.clone_from(&described.description);
        }
        for field in &described.fields {
            match fields.get_mut(&field.path) {
                None => drop(fields.insert(field.path.clone(), field.clone())),
                Some(known) => {
                    known.kind = widest(&known.kind, &field.kind);
                    known.is_selectable &= field.is_selectable && known.kind == Kind::Text;
                }
            }
        }
    }
    Described { description, fields: fields.into_values().collect() }
}

/// A kind that holds the values of both.
fn widest(one: &Kind, other: &Kind) -> Kind {
    let is_scalar =
        |kind: &Kind| matches!(kind, Kind::Text | Kind::BigInt | Kind::Double | Kind::Boolean | Kind::Timestamp);
    if one == other {
        one.clone()
    } else if is_scalar(one) && is_scalar(other) {
        Kind::Text
    } else {
        Kind::Json
    }
}

/// The columns of fields, behind columns that exist already. The other fields of an object and of its `spec` have
/// their own names, those of `status` begin with `status_`. If the name is taken, a field of `spec` begins with
/// `spec_`; the last resort is a number.
pub(super) fn columns(before: &[ColumnSpec], fields: &[Field]) -> Vec<ColumnSpec> {
    let mut taken: HashSet<String> = before.iter().map(|column| column.name.to_string()).collect();
    // Fields whose names differ only in case: the usual spelling comes first.
    let is_unusual =
        |field: &Field| !field.path.last().is_some_and(|name| name.starts_with(|c: char| c.is_lowercase()));
    let of_spec = |field: &Field| field.path.len() == 2;
    let mut order: Vec<usize> = (0..fields.len()).collect();
    order.sort_by_key(|position| (of_spec(&fields[*position]), is_unusual(&fields[*position])));
    let mut names = vec![String::new(); fields.len()];
    for position in order {
        let candidates = match fields[position].path.as_slice() {
            [] => vec!["object".to_owned()],
            [outer, inner] if outer == "status" => vec![format!("status_{}", snake_case(inner))],
            [outer, inner] => vec![snake_case(inner), format!("{outer}_{}", snake_case(inner))],
            [name, ..] => vec![snake_case(name)],
        };
        let last = candidates.last().cloned().unwrap_or_default();
        let numbered = (2..).map(|number| format!("{last}_{number}"));
        let free = candidates.into_iter().chain(numbered).find(|name| !taken.contains(name));
        let name = free.expect("there are more numbers than columns");
        taken.insert(name.clone());
        names[position] = name;
    }
    let column = |(field, name): (&Field, String)| {
        let mut column = ColumnSpec::new(name, field.kind.clone(), field.description.clone());
        let steps = field.path.iter().map(|step| step.replace('\\', "\\\\").replace('.', "\\."));
        column.path = (!field.path.is_empty()).then(|| steps.collect::<Vec<_>>().join(".").into());
        (column.index, column.field) = (field.is_selectable, field.is_selectable);
        column
    };
    fields.iter().zip(names).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_sql() {
        for (name, snake) in [
            ("replicas", "replicas"),
            ("dnsNames", "dns_names"),
            ("clusterIP", "cluster_ip"),
            ("clusterIPs", "cluster_ips"),
            ("podCIDRs", "pod_cidrs"),
            ("externalIPsCount", "external_ips_count"),
            ("HTTPRoute", "http_route"),
            ("ipv4Address", "ipv4_address"),
            ("NAME", "name"),
            ("dotted.name", "dotted_name"),
            ("a\"; DROP TABLE x --", "a_drop_table_x"),
            ("x-kubernetes", "x_kubernetes"),
            ("__a__", "a"),
            ("\u{e9}", "field"),
            ("", "field"),
            ("3d", "field_3d"),
            ("$ref", "ref"),
        ] {
            assert_eq!(snake_case(name), snake, "{name}");
        }
        assert_eq!(snake_case(&"x".repeat(1000)).len(), LONGEST_NAME);
        assert_eq!(plain("cert-manager.IO"), "cert_manager_io");
    }

    fn field(path: &str, kind: Kind) -> Field {
        let path = path.split('/').filter(|step| !step.is_empty()).map(str::to_owned).collect();
        Field { path, kind, description: String::new(), is_selectable: false }
    }

    #[test]
    fn no_two_columns_have_the_same_name() {
        let before = ["name", "labels"].map(|name| ColumnSpec::new(name, Kind::Text, ""));
        let paths = [
            "",
            "data",
            "labels",
            "object",
            "spec",
            "spec/NAME",
            "spec/data",
            "spec/name",
            "spec/na.me",
            "spec/name_2",
            "status/data",
            "status/Data",
            "spec/status_data",
        ];
        let fields: Vec<_> = paths.iter().map(|path| field(path, Kind::Text)).collect();
        let columns = columns(&before, &fields);
        let named: Vec<_> =
            columns.iter().map(|column| (&*column.name, column.path.as_deref().unwrap_or(""))).collect();
        assert_eq!(
            named,
            [
                ("object_2", ""),
                ("data", "data"),
                ("labels_2", "labels"),
                ("object", "object"),
                ("spec", "spec"),
                ("spec_name_2", "spec.NAME"),
                ("spec_data", "spec.data"),
                ("spec_name", "spec.name"),
                ("na_me", "spec.na\\.me"),
                ("name_2", "spec.name_2"),
                ("status_data", "status.data"),
                ("status_data_2", "status.Data"),
                ("spec_status_data", "spec.status_data"),
            ]
        );
    }

    #[test]
    fn clusters_with_other_schemas_share_a_table() {
        let described = |fields: &[(&str, Kind)]| Described {
            description: String::new(),
            fields: fields.iter().map(|(path, kind)| field(path, kind.clone())).collect(),
        };
        let one = described(&[("spec/a", Kind::Text), ("spec/b", Kind::BigInt), ("spec/c", Kind::TextList)]);
        let other = described(&[("spec/b", Kind::Double), ("spec/c", Kind::Text), ("spec/d", Kind::Boolean)]);
        let fields = union([&one, &other]).fields;
        let kinds: Vec<_> = fields.iter().map(|field| (field.path[1].as_str(), field.kind.name())).collect();
        assert_eq!(
            kinds,
            [("a", "TEXT"), ("b", "TEXT"), ("c", "JSON"), ("d", "BOOLEAN")].map(|(n, k)| (n, k.to_owned()))
        );
    }
}
