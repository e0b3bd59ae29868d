//! What the compiler says about a wrong model, word by word.
//!
//! A case is a file under `ui/fail`. `TRYBUILD=overwrite` rewrites the expected output of rustc.

#[test]
fn ui() {
    // Programs that compile are modules of `pass.rs`: a case that should pass would have trybuild build all
    // crates instead of only checking them, which takes a minute.
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*/*.rs");
}
