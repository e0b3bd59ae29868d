//! Samples images from uniform random numbers with one call of an exported model:
//! `GraphKind::Sample`.
//!
//! `cargo run --release --example sample`

use pixelrnn::prelude::*;
use pixelrnn::runtime::{EngineKind, Options, Program, open_one};
use pixelrnn::zoo::DigitsDiagonal;
use pixelrnn::{Array, Error};

fn main() -> Result<(), Error> {
    // Untrained weights give noise. To load trained ones, use `pixelrnn::weights::load`.
    let model = DigitsDiagonal::default().declare()?;
    let weights = model.initialize(0);
    let sample = SampleOptions { temperature: 0.9, complete: true };
    let options = ExportOptions { sample, ..ExportOptions::with_weights(&weights) };
    let onnx = model.export(GraphKind::Sample, &options)?;

    let engine = open_one(EngineKind::Tract, &Options::default())?;
    let mut session = engine.load(&Program { name: model.name(), onnx: &onnx, graph: None })?;

    // Any numbers of at least 0 and below 1; equal numbers give equal images. Here they are a Weyl
    // sequence.
    let image = model.image();
    let shape = vec![2, image.height, image.width, image.colours];
    let mut u = 0.0;
    let uniform = Array::from_shape_simple_fn(shape, || {
        u = (u + 0.618_034_f32).fract();
        u
    });
    // The upper half is given, all white. The rest is sampled.
    let given = uniform.mapv(|_| (image.levels - 1) as f32);
    let mut mask = Array::zeros(uniform.shape());
    mask.slice_axis_mut(ndarray::Axis(1), (..image.height / 2).into()).fill(1.0);

    let inputs = [("uniform", &uniform), ("given", &given), ("mask", &mask)];
    let (name, images) = session.run(&inputs)?.remove(0);
    println!("{name} {:?}", images.shape());
    for row in images.index_axis(ndarray::Axis(0), 0).outer_iter() {
        println!("{}", row.iter().map(|level| format!("{level:3}")).collect::<String>());
    }
    Ok(())
}
