//! Mistakes that `#[derive(Table)]` refuses: each file in `derive/` next to the compiler's message, which must point at
//! the wrong field or attribute. `TRYBUILD=overwrite` writes the messages again; review them afterwards.

#[test]
fn mistakes_are_told_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/derive/wrong_*.rs");
}
