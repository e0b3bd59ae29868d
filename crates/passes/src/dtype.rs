//! The precision in which a model for inference computes and stores its weights.

/// The precision of an exported model. Inputs and outputs are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dtype {
    /// f32 throughout.
    #[default]
    F32,
    /// f16 for weights and computation; f32 for likelihoods and for drawing levels.
    F16,
    /// Weights stored in bf16; computation in f32.
    Bf16,
    /// Weights of matrix products and convolutions stored in int8, with one scale per output channel;
    /// computation in f32.
    Int8,
}

impl Dtype {
    /// All precisions.
    pub const ALL: [Dtype; 4] = [Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::Int8];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
            Dtype::Bf16 => "bf16",
            Dtype::Int8 => "int8",
        }
    }
}

pixelrnn_graph::named!(Dtype, "element type");
