//! The keywords of a declaration other than the names of layers. These items are documentation: an editor
//! shows them on hover and completes their names inside [`model!`](crate::model).
#![allow(non_camel_case_types)]

/// `repeat n { ... }`: the statements between the braces, `n` times in a row.
///
/// `n` is a number or an expression of hyper-parameters. The parameters of the `i`th repetition have `i` in
/// their path: `body: repeat 2 { up: conv(...); }` has `body.0.up.weight` and `body.1.up.weight`.
pub struct repeat;

/// `residual { ... }`: the input of the block is added to its result.
///
/// Both must have the same number of features.
pub struct residual;

/// `collect { ... }`: adds the [`skip`](crate::layers::skip) connections of the block to its result.
pub struct collect;

/// `block { ... }`: groups layers under a label. With a name and parameters it defines a block:
/// `block gated(v, x, k, mask) { ...; (a, b) }` is called like a layer, as `(v, x) = gated(v, x, 3, B);` or
/// `x.gated(..)`.
///
/// The last expression is the result, one map or several in parentheses. A parameter stands for a map, a
/// kernel size, a number or a keyword, depending on the call. A block cannot call itself.
pub struct block;

/// `scale small: every n { ... }`: a model of the smaller image with every `n`th pixel of every `n`th row.
///
/// The statements between the braces are a model of the small image. The statements after it can read that
/// image by its name, `small`, as a map of `height / n` x `width / n` without a mask. `n` must divide both.
/// There may be several scales, the smallest first; each can read all earlier ones. This is the Multi-Scale
/// PixelRNN of section 3.6 of the paper.
pub struct scale;

/// `condition label: classes n;` or `condition edges: map c;`: an input that the model reads but does not
/// predict.
///
/// Layers read it by its name, as a map without a mask. To add it to a map, pass it through a
/// `conv(1 x 1, features)`. Its values are given with the images: by the data set in training, by the user in
/// sampling. A model may have several conditions, but only one with [`classes`].
pub struct condition;

/// `every n`: the distance between the pixels of a [`scale`] in the whole image.
pub struct every;

pub use pixelrnn_ops::condition::items::*;
