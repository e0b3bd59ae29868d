//! Tokens to a syntax tree, by recursive descent.
//!
//! The grammar is in `docs/src/language.md`, in the repository.
//!
//! All sizes are written height x width. No word is reserved: `x`, `image` and `repeat` mean
//! something only where the grammar asks for them.
//!
//! **Invariants.**
//! - Any text gives a tree or an error or both, in time linear in its length but for a bounded
//!   look-ahead; recursion is bounded ([`MAX_DEPTH`], `expr::MAX_PARTS`).
//! - No tree without an error is incomplete: placeholders appear only beside errors.
//! - One slip, one message. A function that fails has reported why, or follows from something
//!   reported; its caller finds the way back and says nothing.
//!
//! **Where to start.** [`parse`], then `header.rs` (up to `image`) and `body.rs` (statements), which
//! read like the grammar; `cursor.rs` is the tool box.

use pixelrnn_graph::{Diagnostic, Span};

use crate::ast::Model;
use crate::lexer::lex;

mod body;
mod cursor;
mod expr;
mod header;

/// Blocks within blocks beyond this are refused.
const MAX_DEPTH: usize = 64;

/// Longer texts are refused: a model is a page.
const MAX_TEXT: usize = 256 * 1024;

/// More errors than this help nobody.
pub(crate) const MAX_DIAGNOSTICS: usize = 32;

/// Parses a text that holds one model.
///
/// The diagnostics are in the order of the text. If there is none, the model is there and complete;
/// if there are some, it may be there with placeholders in it, for the use of an editor.
pub fn parse(text: &str) -> (Option<Model>, Vec<Diagnostic>) {
    if text.len() > MAX_TEXT {
        let message = format!("the model is larger than {} KiB", MAX_TEXT / 1024);
        return (None, vec![Diagnostic::error(Span::new(0, 0), message)]);
    }
    let (tokens, mut diagnostics) = lex(text);
    let mut parser = cursor::Parser::new(text, &tokens);
    let model = parser.model();
    diagnostics.append(&mut parser.diagnostics);
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span);
    diagnostics.dedup_by_key(|diagnostic| diagnostic.primary.span);
    diagnostics.truncate(MAX_DIAGNOSTICS);
    (model, diagnostics)
}
