//! The layers that a declaration may name. These items exist to be read: an editor shows them on
//! hover and completes their names inside [`model!`](crate::model).
//!
//! `h`, `width` and the like stand for expressions of numbers and hyper-parameters. Parameters are
//! named by the label of the layer (its own name where it has none): `stem: masked_conv(...)` has
//! `stem.weight` and `stem.bias`.
#![allow(non_camel_case_types)]

/// `masked_conv(height x width, A or B, features, gates = 1)`: the masked convolution of section 3.4.
///
/// Reads the rows above and, in its own row, what stands to the left; at the own pixel earlier
/// colours only (`A`, for the first layer) or the own colour, too (`B`, everywhere else). Stride
/// one, the result is as large as the input. Kernels are odd.
///
/// With several colours, features come in groups of equal size, one for each color. `gates = n`
/// makes that grouping start again in each `n`th part of the features, for layers whose output is
/// split into `n` gates, as [`gate`] does with two.
///
/// Parameters: `weight [features, input features, height, width]`, `bias [features]`.
pub struct masked_conv;

/// `above(height x width, A or B, features)`: a convolution over rows above, in every column and color.
///
/// With `A` it reads `height / 2` rows strictly above its own, with `B` its own row, too; so what it
/// gives knows complete rows only. The vertical stack of the Gated PixelCNN (van den Oord et al. 2016,
/// *Conditional Image Generation with PixelCNN Decoders*). The kernel is the upper half of the one
/// that is written.
///
/// Parameters: `weight [features, input features, rows, width]`, `bias [features]`.
pub struct above;

/// `shift_down`: the map moved down by one row; the first row is zeros.
pub struct shift_down;

/// `deconv(height x width, features)`: a transposed convolution whose stride is its kernel, so that the
/// map becomes `height` times as high and `width` times as wide.
///
/// Only for maps that are known before any pixel is predicted: labels and smaller images.
///
/// Parameters: `weight [input features, features, height, width]`, `bias [features]`.
pub struct deconv;

/// `gate`: tanh of the first half of the features times the logistic function of the second.
pub struct gate;

/// `row_lstm(features, kernel = 3, initial = zero or learned, bias = map)`: the Row LSTM of section 3.1.
///
/// Every row is one step: gates from a masked `1 x kernel` convolution of the row and an unmasked
/// one of the hidden states of the row above. A triangular context above each pixel.
///
/// Parameters, with `h` features: `input_weight [4h, input features, 1, kernel]`,
/// `input_bias [4h]`, `state_weight [4h, h, kernel]`; with `initial = learned` also
/// `initial_hidden [h]`, `initial_cell [h]`. Gates are in the order o, f, i, g.
///
/// `bias` is a map of `4h` features that is added to the gates, as large as the image or 1 x 1: what
/// is known of the image from elsewhere. Both directions of a diagonal layer share it.
pub struct row_lstm;

/// `diagonal_bilstm(features, initial = zero or learned, bias = map)`: the Diagonal BiLSTM of section 3.2.
///
/// Two recurrences along the diagonals, from the left and from the right; the right one is moved
/// down a row. Sees every earlier pixel but one.
///
/// Parameters, for `left` and `right` each, with `h` features:
/// `input_weight [4h, input features, 1, 1]`, `input_bias [4h]`, `state_weight [4h, h, 2]` (tap 0
/// reads the row above, tap 1 the own row); with `initial = learned` also `initial_hidden [h]`,
/// `initial_cell [h]`. Gates are in the order o, f, i, g.
///
/// `bias` is a map of `4h` features that is added to the gates of both directions, as large as the
/// image or 1 x 1.
pub struct diagonal_bilstm;

/// `conv(height x width, features, bias = learned or none)`: a convolution without a mask.
///
/// On a map that holds pixels still to be predicted it leaks, and the declaration does not compile.
///
/// Parameters: `weight [features, input features, height, width]`, `bias [features]`; with `bias = none`
/// the weight alone.
pub struct conv;

/// `relu`: the positive part.
pub struct relu;

/// `tanh`: the hyperbolic tangent.
pub struct tanh;

/// `sigmoid`: the logistic function.
pub struct sigmoid;

/// `skip(features)`: a skip connection to the end of the surrounding `collect { ... }` block.
///
/// The map goes on unchanged; a 1 x 1 convolution of it, mask B, is added to what leaves the block,
/// which must have as many features.
///
/// Parameters: `weight [features, input features, 1, 1]`, `bias [features]`.
pub struct skip;

/// `logits`: the last layer, a 1 x 1 convolution, mask B, to the unnormalised log-probabilities.
///
/// With two levels the model's output is `[N, C, H, W]`, the logit of level 1; with more it is
/// `[N, C, L, H, W]`, to be put through a softmax over L.
///
/// Parameters: `weight`, `bias`.
pub struct logits;

/// `logistic_mixture(K)`: a last layer, a 1 x 1 convolution, mask B, to a mixture of K discretized logistic
/// distributions for every value (Salimans et al. 2017, *PixelCNN++*).
///
/// The model's output is `[N, C, 3K, H, W]`: K logits of weights, K means, K logarithms of scales, on a
/// grid of the levels from -1 to 1. Each channel has a mixture of its own; channels depend on each other
/// through the masks.
///
/// Parameters: `weight [3 K channels, input features, 1, 1]`, `bias [3 K channels]`.
pub struct logistic_mixture;
