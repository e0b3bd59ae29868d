//! Layer 6 of `pixelrnn`: the macro `model!`.
//!
//! **Purpose.** Turns a model declared in Rust code into a type, or reports errors at the spans of the
//! wrong tokens. The Rust part, attributes and visibility, is parsed with `syn`. The model language is
//! not parsed here: the macro reconstructs the *text* of the other tokens and passes it to
//! `pixelrnn-syntax`, which also parses model files, so there is only one grammar. The text is also
//! embedded in the program, which compiles the model for the actual hyper-parameters at run time.
//!
//! **Invariants.**
//! - This crate has no dependencies that are slow to build: it uses `syn` without the `full` feature, and
//!   no engine.
//! - The expansion is always valid Rust; errors are reported with `compile_error!` only. The type of the
//!   model is generated as far as it can be read, so that an error does not cause "cannot find type".
//! - The generated code uses absolute paths, or the path that the user gives, and introduces no names
//!   except the model's. It follows the `#[cfg(...)]` of the model.
//!
//! **Where to start.** `expand.rs` for the whole expansion, `head.rs` for the Rust part, `rebuild.rs` for
//! the text and the map back to spans; `editor.rs`, `item.rs` and `report.rs` write the three parts of
//! the output.

#![deny(missing_docs)]

mod attributes;
mod editor;
mod expand;
mod head;
mod item;
mod rebuild;
mod report;

/// Declares an autoregressive image model.
///
/// ```ignore
/// pixelrnn::model! {
///     /// Diagonal BiLSTM on binarized MNIST: the paper's best.
///     pub MnistDiagonal { h: usize = 16, layers: usize = 7 }
///
///     image 28 x 28, colors 1, levels 2;
///
///     stem: masked_conv(7 x 7, A, 2 * h);
///     body: repeat layers {
///         residual { lstm: diagonal_bilstm(h); up: masked_conv(1 x 1, B, 2 * h); }
///     }
///     head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;
/// }
/// ```
///
/// Sizes are written height x width. The paths of parameters begin with the labels (`stem:`). The same text
/// in a file works at run time. A file can have doc comments, but no other attributes.
///
/// # What is generated
///
/// - A struct `MnistDiagonal` with a public field of type `usize` for each hyper-parameter. It is
///   `Clone`, `Copy`, `Debug`, `PartialEq` and `Eq`. Its documentation is yours, followed by the size
///   of the images and a table of the hyper-parameters.
/// - `Default`, with the numbers of the declaration. `MnistDiagonal { h: 32, ..Default::default() }` is a
///   variant.
/// - `pixelrnn::Model`, with the text of the declaration and methods that compile it.
///
/// Shapes and causality are checked when the macro expands, for the default numbers. An error is reported at
/// the layer at fault.
///
/// # Attributes
///
/// Attributes before the model go to the struct, attributes before a hyper-parameter to its field:
///
/// ```ignore
/// pixelrnn::model! {
///     /// Also part of every exported file.
///     #[derive(Hash, serde::Serialize)]
///     #[cfg(feature = "large")]
///     pub Large {
///         #[serde(rename = "features")]
///         h: usize = 128,
///     }
///     // ...
/// }
/// ```
///
/// - `#[derive(...)]` adds to the traits above. Naming one of them again is allowed. A `Default` in the list is
///   ignored, since the declaration defines it.
/// - `#[cfg(...)]` applies to the struct, its implementations and the errors of the model. Hyper-parameters
///   cannot have one.
/// - Documentation may be comments, `#[doc = "..."]` or computed (`#[doc = include_str!("model.md")]`). Exported
///   files contain it unless it is computed.
///
/// # In another macro, or under another name
///
/// The macro can be called inside a `macro_rules!`, with `$vis:vis`, `$(#[$meta:meta])*`, names, literals and
/// expressions from its variables. A `$size:expr` is one operand, whatever it contains.
///
/// The generated code refers to the crate as `::pixelrnn`. If your crate depends on it under another name, or the
/// users of your macro do not depend on it at all, give its path:
///
/// ```ignore
/// #[macro_export]
/// macro_rules! small_model {
///     ($vis:vis $name:ident) => {
///         $crate::pixelrnn::model! {
///             #[pixelrnn(crate = $crate::pixelrnn)]
///             $vis $name { h: usize = 4 }
///             // ...
///         }
///     };
/// }
/// ```
///
/// The path is that of a dependency (`crate = rnn`), or begins with `::`, `crate`, `$crate`, `self` or `super`.
///
/// # In an editor
///
/// With rust-analyzer, the names inside a model are completed: layers and blocks at the beginning of a statement,
/// layers after a dot, hyper-parameters in arithmetic, the keywords and the named arguments of a layer between its
/// parentheses (`initial = l` becomes `learned`). Hover shows the documentation of a layer. Go to definition and
/// renaming work for hyper-parameters, also from and to the code around the model. All this also works in a
/// half-typed text.
#[proc_macro]
pub fn model(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand::expand(input.into()).into()
}
