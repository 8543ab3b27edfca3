use super::prelude::*;

scalar! {
    /// Orders two versions: -1, 0 or 1. The third argument selects the rules of a packaging system: `'ARCH'`, `'DPKG'` or `'RHEL'`.
    ///
    /// An argument that is not text and an unknown flavour are errors.
    "version_compare"("a, b [, flavour]")
    2..=3 => Returns::Int,
    Immutable,
    example "SELECT version_compare('1.10', '1.9')" => "1",
    example "SELECT version_compare('1.0~rc1', '1.0', 'DPKG')" => "-1",
    eval: |args, _| {
        let (Value::Text(left), Value::Text(right)) = (&args[0], &args[1]) else {
            return Err("needs versions as text".into());
        };
        let collation = match args.get(2).map(|flavour| flavour.as_text().unwrap_or_default().into_owned()).as_deref() {
            None => Collation::Version,
            Some("ARCH") => Collation::VersionArch,
            Some("DPKG") => Collation::VersionDpkg,
            Some("RHEL") => Collation::VersionRhel,
            Some(other) => return Err(format!("unknown version flavour {other}").into()),
        };
        Ok(Value::Int(collation.compare(left, right) as i64))
    }
}
