//! Initialization of weights.
//!
//! Biases and initial states are zero. Other weights are uniform in `±1/sqrt(fan_in)`. The fan-in counts only
//! the taps that the mask leaves, so that masked layers start with the same scale as unmasked ones. Each
//! parameter is drawn from its own random stream, keyed by the seed and its name, so adding a layer does not
//! change the initial weights of the others.

use pixelrnn_graph::{Array, Init};
use pixelrnn_ops::PixelGraph;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::bind::Weights;

/// Draws random weights for every parameter of a graph.
pub fn initialize(graph: &PixelGraph, seed: u64) -> Weights {
    let mut weights = Weights::new();
    for (input, init) in graph.parameters() {
        let shape = graph.ty(input.value).extents(1);
        let array = match init {
            Init::Zero => Array::zeros(shape),
            Init::Uniform { fan_in } => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(stream(&input.name));
                let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
                // 24 random bits, which f32 represents exactly.
                let unit = |bits: u32| f64::from(bits >> 8) / f64::from(1u32 << 24);
                Array::from_shape_simple_fn(shape, || {
                    ((2.0 * unit(rng.next_u32()) - 1.0) * bound) as f32
                })
            }
        };
        weights.insert(input.name.clone(), array);
    }
    weights
}

/// Derives the number of a random stream from a name (FNV-1a).
fn stream(name: &str) -> u64 {
    let step = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
