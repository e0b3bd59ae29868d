//! Reads a model file at run time, and compares two engines on the model. The text, the checks and
//! the errors are the same as in the macro.
//!
//! `cargo run --example model_file [FILE]`

use std::path::PathBuf;

use pixelrnn::Array;
use pixelrnn::compare::{batch_inputs, compare};
use pixelrnn::prelude::*;
use pixelrnn::runtime::{self, EngineKind};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/wide.pixelrnn");
    let path = std::env::args().nth(1).map_or(bundled.into(), PathBuf::from);
    // An error shows an excerpt of the file, with the position underlined.
    let model = Declaration::from_file(&path, &[])?;
    println!("{}: {} parameters", model.name(), model.parameters());

    let weights = model.initialize(0);
    let Image { height, width, colours, levels } = model.image();
    let images = Array::from_shape_fn(vec![2, colours, height, width], |i| {
        ((i[0] + 3 * i[2] + 5 * i[3]) % levels) as f32
    });
    let inputs = batch_inputs(&model, images, None)?;
    let engines =
        runtime::open(&[EngineKind::Reference, EngineKind::Tract], &runtime::Options::default())?;
    for d in compare(&model, GraphKind::Nll, &weights, Batch::Symbolic, &inputs, &engines)? {
        println!(
            "{}: {} and {} differ by {:.1e}",
            d.output, d.engines[0], d.engines[1], d.relative
        );
    }
    Ok(())
}
