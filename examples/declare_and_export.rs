//! Declares a model, proves it causal, and writes a plain `.onnx` file that contains its weights.
//!
//! `cargo run --example declare_and_export`

use pixelrnn::prelude::*;
use pixelrnn::{files, weights};

pixelrnn::model! {
    /// A Diagonal BiLSTM for 8 x 8 images of 17 levels, with skip connections.
    pub Skipping {
        /// Features of a layer.
        h: usize = 8,
        layers: usize = 2,
    }

    image 8 x 8, colors 1, levels 17;

    stem: masked_conv(7 x 7, A, 2 * h);
    body: collect {
        repeat layers {
            residual { lstm: diagonal_bilstm(h, initial = learned); up: masked_conv(1 x 1, B, 2 * h); }
            tap: skip(2 * h);
        }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
}

fn main() -> Result<(), pixelrnn::Error> {
    let model = Skipping::default().declare()?;

    // No output depends on a pixel at or after its own position. This is proved, not just tested.
    let proof = model.prove()?;
    let unseen = 100.0 * proof.causality().blind_share;
    println!(
        "{}: {} parameters, causal, {unseen:.2} % of the past unseen",
        model.name(),
        model.parameters()
    );

    let fresh = model.initialize(0);
    let onnx = model.export(GraphKind::Forward, &ExportOptions::with_weights(&fresh))?;

    let folder = std::env::temp_dir();
    let (graph, tensors) = (folder.join("skipping.onnx"), folder.join("skipping.safetensors"));
    files::write(&graph, &onnx)?;
    weights::save(&fresh, &tensors)?;
    println!("{} ({} bytes)\n{}", graph.display(), onnx.len(), tensors.display());
    Ok(())
}
