//! The kinds of graphs that can be compiled for a model.

/// A kind of graph of a model: its inputs and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphKind {
    /// `image` to `logits`, the parameters of the distribution of every value.
    Forward,
    /// `image` to `nll`, the negative log-likelihood in nats per image.
    Nll,
    /// `image` and parameters to `loss`, the mean over the batch, and for each parameter `p` its
    /// gradient `p.grad`.
    Grad,
    /// One step of an optimizer: `image`, parameters, the optimizer's states and `learning_rate` to
    /// `loss`, new parameters and new states.
    Train,
    /// The second part of [`GraphKind::Train`], after [`GraphKind::Grad`]: gradients, parameters, the
    /// optimizer's states and `learning_rate` to new parameters and new states. For gradients that are
    /// averages over several machines, cores or batches.
    Update,
    /// Uniform numbers to images: `uniform [N, H, W, C]`, at least 0 and below 1, to the levels
    /// `image [N, H, W, C]`. For completion also `given` and `mask`; a given level is kept where `mask` is 1.
    Sample,
    /// One pixel of [`GraphKind::Sample`], with the carried states as inputs and outputs. The module
    /// [`stream`](crate::stream) documents how an outer loop uses it.
    Step,
    /// The step between two rows of [`GraphKind::Sample`], for the same outer loop.
    Row,
}

impl GraphKind {
    /// All kinds.
    pub const ALL: [GraphKind; 8] = [
        GraphKind::Forward,
        GraphKind::Nll,
        GraphKind::Grad,
        GraphKind::Train,
        GraphKind::Update,
        GraphKind::Sample,
        GraphKind::Step,
        GraphKind::Row,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            GraphKind::Forward => "forward",
            GraphKind::Nll => "nll",
            GraphKind::Grad => "grad",
            GraphKind::Train => "train",
            GraphKind::Update => "update",
            GraphKind::Sample => "sample",
            GraphKind::Step => "step",
            GraphKind::Row => "row",
        }
    }

    /// Whether its parameters are inputs that change from call to call.
    pub fn trains(self) -> bool {
        matches!(self, GraphKind::Grad | GraphKind::Train | GraphKind::Update)
    }

    /// Whether it computes a gradient.
    pub fn differentiates(self) -> bool {
        matches!(self, GraphKind::Grad | GraphKind::Train)
    }

    /// Whether it computes a likelihood.
    pub fn has_likelihood(self) -> bool {
        matches!(self, GraphKind::Nll | GraphKind::Grad | GraphKind::Train)
    }

    /// Whether it reads images.
    pub fn reads_images(self) -> bool {
        !self.samples() && self != GraphKind::Update
    }

    /// Whether levels are drawn in it.
    pub fn draws(self) -> bool {
        matches!(self, GraphKind::Sample | GraphKind::Step)
    }

    /// Whether it makes images pixel by pixel.
    pub fn samples(self) -> bool {
        matches!(self, GraphKind::Sample | GraphKind::Step | GraphKind::Row)
    }
}

pixelrnn_graph::named!(GraphKind, "graph kind");
