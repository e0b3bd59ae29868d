//! What users of the macro see: the exact errors, and code that must compile.
//!
//! A case is a file under `ui/`. `TRYBUILD=overwrite` rewrites the expected output of rustc.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}
