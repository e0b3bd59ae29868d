//! Fuzz target: declarations that parse, to test the stages after the parser.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pixelrnn_syntax_fuzz::judge(&pixelrnn_syntax_fuzz::generate::declaration(bytes));
});
