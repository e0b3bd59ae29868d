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
/// Sizes are written height x width. Labels (`stem:`) become the names of the parameters. The same
/// text in a file works at run time; a file takes doc comments, but no other attributes.
///
/// # What is generated
///
/// - A struct `MnistDiagonal` with a public field of type `usize` for each hyper-parameter. It is
///   `Clone`, `Copy`, `Debug`, `PartialEq` and `Eq`. Its documentation is yours, followed by the size
///   of the images and a table of the hyper-parameters.
/// - `Default`, with the numbers of the declaration. `MnistDiagonal { h: 32, ..Default::default() }`
///   is a variant.
/// - `pixelrnn::Model`, which has the text of the declaration, and methods that compile it.
///
/// Shapes and causality are checked when the macro expands, for the default numbers. What is wrong is
/// an error on the layer at fault.
///
/// # Attributes
///
/// Attributes before the model go to the struct, attributes before a hyper-parameter to its field:
///
/// ```ignore
/// pixelrnn::model! {
///     /// Also written down in every exported file.
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
/// - `#[derive(...)]` adds to the traits above. Naming one of them again is allowed; a `Default` in
///   the list is ignored, since the declaration gives it.
/// - `#[cfg(...)]` decides about the struct, its implementations and the errors of the model
///   together. Hyper-parameters cannot have one.
/// - Docs may be comments, `#[doc = "..."]` or computed (`#[doc = include_str!("model.md")]`). The
///   exported files have those that are written out.
///
/// # In another macro, or under another name
///
/// The macro can stand in a `macro_rules!` and be given `$vis:vis`, `$(#[$meta:meta])*`, names,
/// literals and expressions. A `$size:expr` is one operand, whatever is in it.
///
/// What is generated refers to the crate as `::pixelrnn`. If your crate depends on it under another
/// name, or your macro's users do not depend on it at all, say where it is:
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
/// The path is one of a dependency (`crate = rnn`), or begins with `::`, `crate`, `$crate`, `self` or
/// `super`.
///
/// # In an editor
///
/// With rust-analyzer, the names inside of a model are completed: layers and blocks at the beginning
/// of a statement, layers after a dot, hyper-parameters in arithmetic, the words and the named
/// arguments of a layer between its parentheses (`initial = l` becomes `learned`). Hover shows the
/// documentation of a layer; go to definition and renaming work for hyper-parameters, also from and
/// to the code around the model. All this works in a text that is half typed.
#[proc_macro]
pub fn model(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand::expand(input.into()).into()
}
