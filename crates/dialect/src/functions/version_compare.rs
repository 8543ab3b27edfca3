use super::prelude::*;

scalar! {
    /// Orders two versions: -1, 0 or 1. The third argument selects the rules of a packaging system: `'ARCH'`, `'DPKG'`,
    /// `'RHEL'`, `'PEP440'` (Python), `'SEMVER'` (npm, Cargo, Go) or `'MAVEN'`.
    ///
    /// DPKG and RHEL order complete versions, with epoch and revision or release, as these tools do; osquery's rules of
    /// these names do not know epochs. PEP440 and SEMVER sort texts that are not such versions below all that are.
    /// An argument that is not text and an unknown flavour are errors.
    "version_compare"("a, b [, flavour]")
    2..=3 => Returns::Int,
    Immutable,
    example "SELECT version_compare('1.10', '1.9')" => "1",
    example "SELECT version_compare('1.0~rc1', '1.0', 'DPKG')" => "-1",
    example "SELECT version_compare('1:1.0-1', '2.0-1', 'DPKG')" => "1",
    example "SELECT version_compare('1.0.post1', '1.0rc2', 'PEP440')" => "1",
    example "SELECT version_compare('1.0.0-rc.2', '1.0.0-rc.10', 'SEMVER')" => "-1",
    example "SELECT version_compare('1.0-SNAPSHOT', '1.0', 'MAVEN')" => "-1",
    eval: |args, _| {
        let (Value::Text(left), Value::Text(right)) = (&args[0], &args[1]) else {
            return Err("needs versions as text".into());
        };
        let collation = match args.get(2).map(|flavour| flavour.as_text().unwrap_or_default().into_owned()).as_deref() {
            None => Collation::Version,
            Some("ARCH") => Collation::VersionArch,
            Some("DPKG") => Collation::VersionDpkg,
            Some("RHEL") => Collation::VersionRhel,
            Some("PEP440") => Collation::VersionPep440,
            Some("SEMVER") => Collation::VersionSemver,
            Some("MAVEN") => return Ok(Value::Int(indago_versions::maven(left, right) as i64)),
            Some(other) => return Err(format!("unknown version flavour {other}").into()),
        };
        Ok(Value::Int(collation.compare(left, right) as i64))
    }
}
