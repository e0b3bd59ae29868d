//! Parses tokens to a syntax tree, by recursive descent.
//!
//! The grammar is in `docs/src/language.md`, in the repository.
//!
//! All sizes are written height x width. No word is reserved: `x`, `image` and `repeat` have a meaning only
//! where the grammar expects them.
//!
//! **Invariants.**
//! - Any text gives a tree, errors, or both, in time linear in its length except for a bounded look-ahead.
//!   Recursion is bounded ([`MAX_DEPTH`], `expr::MAX_PARTS`).
//! - A tree without errors is complete: placeholders appear only together with errors.
//! - One mistake gives one message. A function that fails has reported the reason, or fails because of an
//!   error that was reported before. Its caller recovers and reports nothing.
//!
//! **Where to start.** [`parse`], then `header.rs` (up to `image`) and `body.rs` (statements), which have the
//! structure of the grammar; `cursor.rs` contains the helpers.

use pixelrnn_graph::{Diagnostic, Span};

use crate::ast::Model;
use crate::lexer::lex;

mod body;
mod cursor;
mod expr;
mod header;

/// The largest nesting of blocks.
const MAX_DEPTH: usize = 64;

/// The largest length of a text. A model is about a page.
const MAX_TEXT: usize = 256 * 1024;

/// The largest number of errors that are reported.
pub(crate) const MAX_DIAGNOSTICS: usize = 32;

/// Parses a text that contains one model.
///
/// The diagnostics are in the order of the text. If there are none, the model is returned and complete. If
/// there are some, the model may be returned with placeholders, for editors.
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
