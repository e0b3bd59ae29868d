//! Layer 5 of `pixelrnn`: the model language.
//!
//! **Purpose.** One grammar and one parser, which works on text. A model file is parsed directly. The macro
//! reconstructs the text of its tokens, and parses it at compile time and again at run time.
//!
//! **Invariants.**
//! - No text makes this crate panic, recurse without bound, or loop forever.
//! - Every error has a source position and says what is wrong and what was expected.
//!
//! **Where to start.** `docs/src/language.md` for the grammar, `ast.rs` for the syntax tree, `layers/` for
//! the layers, `elaborate/` for the translation into a graph.

#![deny(missing_docs)]

pub mod ast;
pub mod elaborate;
mod evaluate;
mod keywords;
pub mod layers;
mod leak;
mod lexer;
mod parse;
mod prove;
mod suggest;

pub use evaluate::{defaults, evaluate};
pub use keywords::{BLOCKS, CONDITIONS, is_rust_keyword};
pub use parse::parse;
pub use suggest::closest;

pub use elaborate::{Declared, ElaborateError, IMAGE_SETTINGS, Image, doc_text, elaborate};
pub use leak::leak;

use pixelrnn_graph::{Diagnostic, Source};

/// Returns all errors in a model: in its text, in its layers with the default hyper-parameters, and leaks, as
/// far as they can be found in the time that a compiler has (see `prove.rs`).
pub fn check(source: &Source) -> Vec<Diagnostic> {
    let (model, mut diagnostics) = parse(&source.text);
    let Some(model) = model.filter(|_| diagnostics.is_empty()) else { return diagnostics };
    match elaborate(&model, &[]) {
        Ok(declared) => {
            let leaks = prove::quickly(&model, &declared).err();
            diagnostics.extend(leaks.and_then(|error| leak(&error, &model)));
        }
        Err(ElaborateError::Text(all)) => diagnostics.extend(all),
        Err(ElaborateError::Setting { message, .. }) => {
            diagnostics.push(Diagnostic::error(model.name.span, message));
        }
    }
    // In the order of the text. Errors about the whole model, which are at its name, come last.
    diagnostics.sort_by_key(|d| (d.primary.span == model.name.span, d.primary.span));
    diagnostics.truncate(parse::MAX_DIAGNOSTICS);
    diagnostics
}
