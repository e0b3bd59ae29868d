//! The keywords of the language.

use pixelrnn_ops::ConditionKind;

use crate::ast::BlockKind;

/// The words that open a block.
pub const BLOCKS: [(&str, BlockKind); 5] = [
    ("repeat", BlockKind::Repeat),
    ("residual", BlockKind::Residual),
    ("collect", BlockKind::Collect),
    ("block", BlockKind::Plain),
    ("scale", BlockKind::Scale),
];

/// The kinds of conditions.
pub const CONDITIONS: &[ConditionKind] = ConditionKind::ALL;

/// The kind of block that `word` opens.
pub(crate) fn block_kind(word: &str) -> Option<BlockKind> {
    BLOCKS.iter().find(|(keyword, _)| *keyword == word).map(|&(_, kind)| kind)
}

/// The keywords of Rust. A model and its fields become Rust items, so they must not have one of them as a
/// name.
const RUST: &str = " abstract as async await become box break const continue crate do dyn else \
    enum extern false final fn for gen if impl in let loop macro match mod move mut override priv \
    pub ref return self Self static struct super trait true try type typeof unsafe unsized use \
    virtual where while yield ";

/// Whether `word` is a keyword of Rust.
pub fn is_rust_keyword(word: &str) -> bool {
    RUST.split_ascii_whitespace().any(|keyword| keyword == word)
}
