//! What users of the macro see: the errors, word by word, and what must compile.
//!
//! A case is a file under `ui/`; `TRYBUILD=overwrite` writes down what rustc says to it now.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}
