//! All tests of the crate in one binary.

#[path = "all/attention.rs"]
mod attention;
#[path = "all/bounds.rs"]
mod bounds;
#[path = "all/build.rs"]
mod build;
#[path = "all/cases.rs"]
mod cases;
#[path = "all/convolutions.rs"]
mod convolutions;
#[path = "all/diagonal.rs"]
mod diagonal;
#[path = "all/encoded.rs"]
mod encoded;
#[path = "all/errors.rs"]
mod errors;
#[path = "all/generate.rs"]
mod generate;
#[path = "all/inputs.rs"]
mod inputs;
#[path = "all/layers.rs"]
mod layers;
#[path = "all/layouts.rs"]
mod layouts;
#[path = "all/operators.rs"]
mod operators;
#[path = "all/oracle.rs"]
mod oracle;
#[path = "all/own.rs"]
mod own;
#[path = "all/patterns.rs"]
mod patterns;
#[path = "all/pytorch.rs"]
mod pytorch;
#[path = "all/random.rs"]
mod random;
#[path = "all/runtime.rs"]
mod runtime;
#[path = "all/table.rs"]
mod table;
