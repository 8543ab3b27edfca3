//! Steampipe's AWS tables and ours: the same columns, with its types or richer ones.
//!
//! `fixtures/steampipe_columns.tsv` has one line for each column of the tables in scope: table, column, type.

use std::collections::BTreeMap;

use indago_table::Kind;

/// Columns that only pass a condition to the API. A condition on another column does the same.
const CONDITIONS: [&str; 5] = [
    "aws_ec2_ami_shared.image_ids",
    "aws_ec2_ami_shared.owner_ids",
    "aws_ec2_instance_type.instance_type_pattern",
    "aws_ec2_spot_price.end_time",
    "aws_ec2_spot_price.start_time",
];

/// The only hidden columns: they hold credentials.
const SECRETS: [&str; 1] = ["aws_vpc_vpn_connection.customer_gateway_configuration"];

fn is_as_rich(theirs: &str, ours: &Kind) -> bool {
    match theirs {
        // Some texts are lists, objects or flags in AWS's responses.
        "STRING" => matches!(ours, Kind::Text | Kind::TextList | Kind::Timestamp | Kind::Json | Kind::Boolean),
        "CIDR" | "IPADDR" | "LTREE" => matches!(ours, Kind::Text),
        "JSON" => matches!(ours, Kind::Json | Kind::Text | Kind::TextList | Kind::BigIntList | Kind::TextMap),
        // The summary of an account has 0 and 1 among its numbers.
        "BOOL" => matches!(ours, Kind::Boolean | Kind::BigInt),
        "INT" => matches!(ours, Kind::BigInt),
        "DOUBLE" => matches!(ours, Kind::Double | Kind::BigInt),
        "TIMESTAMP" => matches!(ours, Kind::Timestamp),
        _ => false,
    }
}

#[test]
fn tables_have_steampipes_columns() {
    let ours: BTreeMap<String, _> =
        crate::registry::tables().into_iter().map(|table| (table.spec().name.to_string(), table)).collect();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for line in include_str!("fixtures/steampipe_columns.tsv").lines() {
        let [table, name, kind] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let Some(spec) = ours.get(table).map(|table| table.spec()) else { continue };
        compared += 1;
        let what = format!("{table}.{name}");
        match spec.column(name).map(|position| &spec.columns[position]) {
            None if CONDITIONS.contains(&what.as_str()) => {}
            None => wrong.push(format!("{what} does not exist")),
            Some(column) if column.hidden != SECRETS.contains(&what.as_str()) => {
                wrong.push(format!("{what}: hidden is {}", column.hidden));
            }
            Some(column) if !is_as_rich(kind, &column.kind) => {
                wrong.push(format!("{what} is {:?} for {kind}", column.kind))
            }
            Some(_) => {}
        }
    }
    assert!(compared > 1300 && wrong.is_empty(), "{compared} columns\n{}", wrong.join("\n"));
}
