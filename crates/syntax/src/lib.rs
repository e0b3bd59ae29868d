//! Floor 5 of `pixelrnn`: the model language.
//!
//! **Purpose.** One grammar and one parser, working on text. A model file is parsed as it is; the
//! macro rebuilds the text of its tokens and gives it here, at compile time and again at run time.
//!
//! **Invariants.**
//! - No text makes this crate panic, recurse without bound, or loop.
//! - Every error has a place in the text, names what stands there and says what would be right.
//!
//! **Where to start.** `docs/src/language.md` has the grammar, `ast.rs` what comes out of it, `layers/` what a
//! declaration may name, `elaborate/` how it becomes a graph.

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
pub use keywords::{BLOCKS, is_rust_keyword};
pub use parse::parse;
pub use suggest::closest;

pub use elaborate::{Declared, ElaborateError, IMAGE_SETTINGS, Image, doc_text, elaborate};
pub use leak::leak;

use pixelrnn_graph::{Diagnostic, Source};

/// All that is wrong with a model: its text, its layers with the default hyper-parameters, and
/// whether it is causal, as far as a compiler can afford to prove it (see `prove.rs`).
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
    // In the order of the text, but for the one about the whole model, which its name stands for.
    diagnostics.sort_by_key(|d| (d.primary.span == model.name.span, d.primary.span));
    diagnostics.truncate(parse::MAX_DIAGNOSTICS);
    diagnostics
}
