//! `logistic_mixture(K)`: a last layer. A 1 x 1 convolution with mask B to the weights, means and scales of K
//! logistic distributions for every value (Salimans et al. 2017, *PixelCNN++*).

use pixelrnn_ops::dist::LogisticMixture;

use super::{Kind, Layer, Parameter, logits};
use crate::elaborate::{Arguments, Build, ErrorReported, Flow};

/// `logistic_mixture(K)`: a last layer, a 1 x 1 convolution with mask B to a mixture of K discretized
/// logistic distributions for every value (Salimans et al. 2017, *PixelCNN++*).
///
/// The model's output is `[N, C, 3K, H, W]`: K logits of weights, K means, K log-scales, on a grid of the
/// levels from -1 to 1. Each channel has its own mixture; channels depend on each other through the masks.
///
/// Parameters: `weight [3 K channels, input features, 1, 1]`, `bias [3 K channels]`.
pub struct logistic_mixture;

pub(super) const LAYER: Layer = Layer {
    name: "logistic_mixture",
    usage: "logistic_mixture(10)",
    parameters: &[Parameter::required("components", Kind::Number)],
    has_weights: true,
    terminal: true,
    build,
};

fn build(cx: &mut Build, arguments: &Arguments, flow: Flow) -> Result<Flow, ErrorReported> {
    let levels = cx.image().levels;
    let components = arguments.number("components");
    logits::end(cx, flow, "parameters", LogisticMixture { levels, components }.into())
}
