//! Variants of a model: other hyper-parameters or another image size, with the same declaration.
//!
//! `cargo run --example variant`

use pixelrnn::prelude::*;
use pixelrnn::zoo::{CifarRowLstm, MnistDiagonal};

fn main() -> Result<(), pixelrnn::Error> {
    // The paper's two Diagonal BiLSTMs on MNIST.
    let deep = MnistDiagonal::default().declare()?;
    let wide = MnistDiagonal { h: 32, layers: 1 }.declare()?;
    for model in [&deep, &wide] {
        println!("{:?}: {} parameters", model.settings(), model.parameters());
    }

    // The same architecture for another image, by name.
    let small = [("height", 16), ("width", 16), ("levels", 8)].map(|(n, v)| (n.to_string(), v));
    let model = CifarRowLstm { h: 24, layers: 2 }.declare_with(&small)?;
    let image = model.image();
    println!(
        "{} x {} x {}: {} parameters, {:.1} % of the past unseen",
        image.height,
        image.width,
        image.colours,
        model.parameters(),
        100.0 * model.prove()?.causality().blind_share,
    );
    Ok(())
}
