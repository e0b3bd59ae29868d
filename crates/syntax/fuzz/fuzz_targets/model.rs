//! Fuzz target: arbitrary text as a model.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pixelrnn_syntax_fuzz::judge(text));
