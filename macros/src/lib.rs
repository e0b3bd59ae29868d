//! Floor 6 of `pixelrnn`: the macro `model!`.
//!
//! **Purpose.** A model declared in Rust code becomes a type, or errors on the tokens at fault. The
//! language itself is not here: the macro rebuilds the *text* of its tokens and gives it to
//! `pixelrnn-syntax`, which also parses model files, so there is one grammar. The text travels on
//! into the program, where the model is compiled again for the hyper-parameters of the moment.
//!
//! **Invariants.**
//! - This crate depends on no engine and on nothing slow to build: no `syn` either, for the tokens
//!   are never parsed as Rust.
//! - Whatever the input, the expansion is Rust that parses; what is wrong is said by
//!   `compile_error!` only. As far as a model can be read its type is there, so that one error does
//!   not bring "cannot find type" with it.
//! - What is generated refers to other crates by absolute paths and introduces no name of its own
//!   beside the model's.
//!
//! **Where to start.** `expand.rs` is the way from tokens to tokens; `rebuild.rs` makes the text and
//! the map back to spans; `report.rs`, `item.rs` and `editor.rs` write the three parts of the output.

mod editor;
mod expand;
mod item;
mod rebuild;
mod report;

/// Declares an autoregressive image model.
///
/// ```ignore
/// pixelrnn::model! {
///     /// Diagonal BiLSTM on binarised MNIST: the paper's best.
///     pub MnistDiagonal { h: usize = 16, layers: usize = 7 }
///
///     image 28 x 28, colours 1, levels 2;
///
///     stem: masked_conv(7 x 7, A, 2 * h);
///     body: repeat layers {
///         residual { lstm: diagonal_bilstm(h); up: masked_conv(1 x 1, B, 2 * h); }
///     }
///     head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
/// }
/// ```
///
/// This makes a struct `MnistDiagonal` with the public fields `h` and `layers`, a `Default` with the
/// numbers given, and an implementation of `pixelrnn::Model`. `MnistDiagonal { h: 32, layers: 1 }`
/// is a variant. Shapes and causality are checked here, for the defaults.
///
/// Sizes are written height x width. Labels (`stem:`) become the names of the parameters, doc
/// comments become documentation. The same text in a file works at run time.
#[proc_macro]
pub fn model(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand::expand(input.into()).into()
}
