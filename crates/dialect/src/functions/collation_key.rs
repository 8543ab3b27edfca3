use super::prelude::*;

scalar! {
    /// A text whose byte order is the order of the named collation. `ORDER BY x COLLATE NOCASE` sorts by it.
    "collation_key"("x, collation")
    2..=2 => Returns::By(|types| if types[0].is_numeric() { types[0].clone() } else { DataType::Utf8View }),
    Immutable,
    example "SELECT collation_key('aB', 'nocase')" => "ab",
    eval: |args, _| {
        let name = args[1].as_text().unwrap_or_default();
        let Some(collation) = Collation::named(&name) else { return Err(format!("no such collation sequence: {name}").into()) };
        Ok(match &args[0] {
            Value::Text(text) => Value::text(collation.key(text)),
            other => other.clone(),
        })
    }
}
