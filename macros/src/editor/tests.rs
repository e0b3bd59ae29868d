//! Tests of the editor support without an editor. `tests/macro/tests/editor/main.rs` uses rust-analyzer itself.

use pixelrnn_macro_tests as project;
use proc_macro2::TokenStream;

use super::walk::Walker;
use super::{HOLE, support};
use crate::expand::expand;
use crate::head::split;

/// The expansion with the editor's part enabled, as a file.
fn seen(text: &str) -> String {
    let out = expand(text.parse().expect("tokens")).to_string();
    let seen = out.replacen("# [cfg (rust_analyzer)]", "", 1);
    assert_ne!(seen, out);
    // In an editor, the remaining `HOLE`s directly after a path are not errors.
    let mut parts = seen.split("let _ = ");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |seen, part| match part.split_once(":: __missing ;") {
        Some((path, rest)) if !path.contains(';') => seen + rest,
        _ => seen + "let _ = " + part,
    })
}

/// Asserts that a program compiles as a user's crate.
#[track_caller]
fn compiles(name: &str, main: &str) {
    let project = project::write(name, &project::facade("pixelrnn"), "main.rs", main);
    let (good, complaint) = project::check(&project);
    assert!(good, "{complaint}");
}

#[test]
fn what_an_editor_sees_compiles() {
    let model = "image 4 + h x 6, colours 1, levels 2; stem: masked_conv(7 x 7, A, 2 * h); \
        repeat layers { residual { row_lstm(h, kernel = 3); up: masked_conv(1x1, B, 2 * h); } } \
        collect { relu; tanh; sigmoid; last: diagonal_bilstm(h, initial = learned); skip(h); } \
        block { relu; } logits;";
    let fields = "{ h: usize = 2, layers: usize = h }";
    let plain = seen(&format!("pub Seen {fields} {model}"));
    let moved = |path: &str| {
        let head = format!("#[pixelrnn(crate = {path})] pub Seen {fields}");
        seen(&format!("{head} {model}"))
    };
    let (below, inside) = (moved("self::other::rnn"), moved("super::other::rnn"));
    let other = "pub mod other { pub use ::pixelrnn as rnn; }";
    let file = format!(
        "{plain}\nmod a {{ {other} {below} }}\nmod b {{ {other} mod c {{ {inside} }} }}\nfn main() {{}}"
    );
    compiles("seen", &file);
}

/// The path that is generated for each name, as `module::name`.
fn uses(text: &str) -> Vec<String> {
    let (head, _) = split(text.parse().expect("tokens"));
    let mut walker = Walker::default();
    walker.model(&head);
    let uses = walker.uses.iter().filter(|(_, name)| name != HOLE);
    uses.map(|(module, name)| format!("{}::{name}", module.name())).collect()
}

#[test]
fn names_are_looked_for_where_they_may_stand() {
    let head = "M { h: usize = 1, w: usize = h } image w x 28, colours 1, levels 2;";
    for (statement, expected) in [
        ("stem: conv(h x 7, 2 * ww);", "statement::conv arguments_of_conv::h values::ww"),
        ("row_lstm(kernel = h);", "statement::row_lstm names_of_row_lstm::kernel values::h"),
        (
            "row_lstm(h, initial = zero);",
            "statement::row_lstm arguments_of_row_lstm::h names_of_row_lstm::initial \
                initial_of_row_lstm::zero",
        ),
        ("masked_conv(7x7, A);", "statement::masked_conv arguments_of_masked_conv::A"),
        (
            "repeat h { residual { relu; } }",
            "statement::repeat values::h statement::residual statement::relu",
        ),
        ("up = v.conv(1 x 1, h) + y;", "statement::v layers::conv arguments_of_conv::h values::y"),
        (
            "(v, y) = gated(v, h); (v, x + y)",
            "statement::gated values::v values::h \
            values::v values::x values::y",
        ),
        ("condition label: classes h;", "statement::condition statement::classes values::h"),
        ("condition edges: map 1;", "statement::condition statement::map"),
        ("scale small: every 2 { relu; }", "statement::scale statement::every statement::relu"),
        (
            "repeat h with (v, x) { (v, x.relu()) }",
            "statement::repeat values::h values::v values::x values::v values::x layers::relu",
        ),
        (
            "block gated(v, k) { v.conv(k x k, h) } last: gated(x, 3).relu;",
            "statement::block statement::v layers::conv arguments_of_conv::k values::k \
                arguments_of_conv::h statement::gated values::x layers::relu",
        ),
        ("type;", ""),
        ("/// doc\nrelu;", "statement::relu"),
    ] {
        let all = uses(&format!("{head} {statement}"));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let before =
            ["values::h", "statement::image", "values::w", "image::colours", "image::levels"];
        assert_eq!(all[..5], before);
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(all[5..], expected, "{statement}");
    }
}

/// What rust-analyzer relies on: wherever the cursor is, inserting a marker there does not change the
/// expansion before the marker.
#[test]
fn a_marker_changes_nothing_before_it() {
    const MARKER: &str = "raCompletionMarker";
    let text = "M { h: usize = 2, w: usize = 2 * h } image 4 + h x 6, colours 1, levels 2; \
        stem: masked_conv(7 x 7, A, 2 * h); up = v.conv(1 x 1, h) + y; \
        block gated(v, k) -> (v, x) { (v.relu(), x) } (v, x) = gated(v, 7); \
        condition label: classes 2 * h; scale small: every h { relu; } \
        repeat w with (v, x) { residual { row_lstm(h, kernel = 3, initial = zero); relu; } } logits;";
    let whole = text.to_string();
    let half = text.replace("conv", "co").replace("2 * h", "2 *").replace("relu;", "");
    let mut found = 0;
    for text in [whole, half] {
        let part = |text: &str| -> Option<String> {
            let (head, _) = split(text.parse::<TokenStream>().ok()?);
            Some(support(&head, None, &[]).to_string())
        };
        let without = part(&text).expect("tokens");
        for (at, _) in text.char_indices() {
            let before = text[..at].trim_end();
            let name = text[..at].chars().next_back().is_some_and(char::is_alphabetic);
            // No name can be completed here: in a number, after a complete operand, or in the `x` of a size.
            let whole = !name && before.ends_with(|c: char| c.is_alphanumeric() || c == ')');
            if whole || before.ends_with(" x") {
                continue;
            }
            let marked = format!("{}{MARKER}{}", &text[..at], &text[at..]);
            let Some(with) = part(&marked) else { continue };
            // A name that is being defined, such as a label, generates no use.
            let Some(place) = with.find(MARKER) else { continue };
            if !with[..place].contains("fn __again") {
                let name = with[..place].rfind(' ').unwrap_or(0);
                assert_eq!(without.get(..name), with.get(..name), "{marked}");
                found += 1;
            }
        }
    }
    assert!(found > 300, "{found} places");
}

/// The tables of layers and blocks match the items that document them.
#[test]
fn every_layer_and_block_is_documented() {
    let layers = pixelrnn_syntax::layers::LAYERS.iter().map(|layer| ("layers", layer.name));
    let blocks = pixelrnn_syntax::BLOCKS.iter().map(|(name, _)| ("blocks", *name));
    let uses: String = layers
        .chain(blocks)
        .chain(pixelrnn_syntax::CONDITIONS.iter().map(|kind| ("blocks", kind.name())))
        .map(|(module, name)| format!("use pixelrnn::{module}::{name};"))
        .collect();
    compiles("documented", &format!("#![allow(unused)]\n{uses}\nfn main() {{}}"));
}
