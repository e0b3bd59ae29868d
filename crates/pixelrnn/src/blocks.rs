//! The words that begin a statement of a declaration other than a layer. These items exist to be read: an editor shows them on
//! hover and completes their names inside [`model!`](crate::model).
#![allow(non_camel_case_types)]

/// `repeat n { ... }`: the statements between the braces, `n` times in a row.
///
/// `n` is a number or an expression of hyper-parameters. The parameters of the `i`th repetition are
/// named with `i`: `body: repeat 2 { up: conv(...); }` has `body.0.up.weight` and
/// `body.1.up.weight`.
pub struct repeat;

/// `residual { ... }`: what enters the block is added to what leaves it.
///
/// Both must have the same number of features.
pub struct residual;

/// `collect { ... }`: what the [`skip`](crate::layers::skip) connections in the block take aside is
/// added to what leaves it.
pub struct collect;

/// `block { ... }`: a name for a group of layers, by its label. With a name and parameters a definition:
/// `block gated(v, x, k, mask) { ...; (a, b) }` is called like a layer, as `(v, x) = gated(v, x, 3, B);`
/// or `x.gated(..)`.
///
/// The last expression is the result, one map or several in parentheses. A parameter stands for a
/// map, a kernel size, a number or a word, whatever the call gives; a block cannot call itself.
pub struct block;

/// `scale small: every n { ... }`: first a model of every `n`th pixel of every `n`th row.
///
/// The statements between the braces are a model of the small image; what follows may read that image
/// by its name, `small`, a map of `height / n` x `width / n`, with no mask. `n` must divide both.
/// Scales may follow each other, the smallest first; each later one may read all earlier ones.
/// Multi-Scale PixelRNN, section 3.6 of the paper.
pub struct scale;

/// `condition label: classes n;` or `condition edges: map c;`: what the model reads and does not predict.
///
/// Layers read it by its name, as a map without a mask: add it, through a `conv(1 x 1, features)`, to any
/// map. It is given with the images, in training by the data set and in sampling by the user. A model may
/// have several, but only one with [`classes`].
pub struct condition;

/// `every n`: how much smaller the image of a [`scale`] is.
pub struct every;

pub use pixelrnn_ops::condition::items::*;
