//! Trains a small model on the embedded digits, continues the run, and draws from it.
//!
//!     cargo run --release --example train

use pixelrnn::Optimizer;
use pixelrnn::prelude::*;
use pixelrnn::runtime::EngineKind;
use pixelrnn::training::{Schedule, Trainer};

pixelrnn::model! {
    /// A small Diagonal BiLSTM.
    pub Small { h: usize = 8 }

    image 8 x 8, colors 1, levels 17;

    stem: masked_conv(3 x 3, A, 2 * h);
    residual { lstm: diagonal_bilstm(h); up: masked_conv(1 x 1, B, 2 * h); }
    relu; hidden: masked_conv(1 x 1, B, 16); relu; logits;
}

fn main() -> Result<(), pixelrnn::Error> {
    let model = Small::default().declare()?;
    let folder = std::env::temp_dir().join(format!("pixelrnn-example-{}", std::process::id()));

    // The run folder contains the model, the settings, checkpoints, the best weights and a log.
    let trained = Trainer::new(&folder)
        .model(&model)
        .data("digits,limit=200")
        .optimizer(Optimizer::ADAM)
        .learning_rate(0.01)
        .schedule(Schedule::cosine(0.1))
        .epochs(2)
        .engine(EngineKind::Tract)
        .train()?;
    println!("{} steps", trained.outcome.progress.step);

    // Model, images and settings are those of the run; only the budget changes.
    let trained = Trainer::new(&folder).resume().epochs(3).engine(EngineKind::Tract).train()?;
    if let Some(best) = trained.outcome.progress.best {
        println!("{:.2} nats per image on validation images, step {}", best.nats, best.step);
    }

    let onnx = model.export(GraphKind::Sample, &ExportOptions::with_weights(&trained.weights))?;
    println!("a sampler of {} bytes", onnx.len());
    let _ = std::fs::remove_dir_all(&folder);
    Ok(())
}
