//! What `#[derive(Table)]` refuses, and how it says so: each file in `derive/` beside the compiler's words, which must
//! point at the field or attribute that is wrong. `TRYBUILD=overwrite` writes them anew; read them then.

#[test]
fn mistakes_are_told_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/derive/wrong_*.rs");
}
