//! Tests the parser with random texts: it neither panics nor loops, reports only positions inside the text,
//! and returns a model or an error.

use pixelrnn_graph::Span;
use pixelrnn_syntax::parse;

use crate::numbers::Numbers;

const SEEDS: [&str; 3] = [
    "/// D\npub M{h:usize=16,l:usize=h/2}image 28x28,colours 1,levels 2;\
     s:conv(7 x 7,A,2*h);b:repeat l{residual{c:lstm(h);u:conv(1x1,B,b=zero);}}relu;logits;",
    "pub(crate) Q; image (4) x h, colours 3, levels 1 + 1; collect { block { relu() } } // c\n",
    "#[doc = \"t\\\"\"] M { /** d */ h: usize = 1_0 } /* n /* n */ */ image 1 x 1, colours 1, levels 2;",
];

const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    ";",
    ",",
    ":",
    "=",
    "+",
    "-",
    "*",
    "/",
    "#",
    "[",
    "]",
    "'",
    "\"",
    "\\",
    "r#",
    "r#\"",
    "b'",
    "x",
    "x7",
    "7x7",
    "0x",
    "1.5",
    "7e3",
    "99999999999999999999999",
    "é",
    "×",
    "\u{feff}",
    "\0",
    "\n",
    "\r\n",
    "/*",
    "*/",
    "//",
    "///",
    "//!",
    "#[",
    "#![doc=\"a\"]",
    "image",
    "repeat",
    "residual",
    "pub",
    "pub(",
    "usize",
    "colours",
    "levels",
    "_",
    "🦀",
    " ",
];

fn check(text: &str) {
    let (model, diagnostics) = parse(text);
    assert!(model.is_some() || !diagnostics.is_empty(), "neither model nor error: {text:?}");
    for diagnostic in diagnostics {
        let places = diagnostic.secondary.iter().map(|label| label.span);
        for Span { start, end } in places.chain([diagnostic.primary.span]) {
            let slice = text.get(start as usize..end as usize);
            assert!(slice.is_some(), "{start}..{end} is not a span of {text:?}");
        }
    }
}

/// A random character boundary.
fn boundary(text: &str, numbers: &mut Numbers) -> usize {
    let mut at = numbers.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[test]
fn mutated_texts() {
    let mut numbers = Numbers(1);
    let mut text = SEEDS[0].to_string();
    for round in 0..200_000 {
        if round % 8 == 0 {
            text = SEEDS[numbers.below(SEEDS.len())].to_string();
        }
        let (a, b) = (boundary(&text, &mut numbers), boundary(&text, &mut numbers));
        let (a, b) = (a.min(b), a.max(b));
        match numbers.below(4) {
            0 if b - a < 16 => text.replace_range(a..b, ""),
            1 if text.len() < 400 => text = format!("{}{}", &text[..b], &text[a..]),
            _ => text.insert_str(a, PIECES[numbers.below(PIECES.len())]),
        }
        check(&text);
    }
}

#[test]
fn soups_of_pieces() {
    let mut numbers = Numbers(2);
    for _ in 0..50_000 {
        let count = numbers.below(24);
        let text: String = (0..count)
            .map(|_| PIECES[numbers.below(PIECES.len())].to_string() + ["", " "][numbers.below(2)])
            .collect();
        check(&text);
        check(&format!("M image 1x1, colours 1, levels 2; {text}"));
    }
}

#[test]
fn every_beginning() {
    for seed in SEEDS {
        for (at, _) in seed.char_indices() {
            check(&seed[..at]);
        }
    }
}

/// Very deep and very long texts.
#[test]
fn monsters() {
    for piece in [
        "(",
        ")",
        "{",
        "}",
        "repeat 1 {",
        "residual { f(",
        "f(",
        "1 +",
        "1 + (",
        "a: ",
        "a ",
        ";",
        "/*",
        "#[",
        "r#\"",
        "\"",
        "x",
        "7x",
        "'",
        "pub ",
        "image ",
        "image 1 x ",
        "/// d\n",
        "{ a:",
        "a,",
        "a=",
        "🦀",
        "1 ",
        "repat ",
    ] {
        let many = piece.repeat(120_000 / piece.len());
        check(&many);
        check(&format!("M {{ h: usize = {many}"));
        check(&format!("M image 1x1, colours 1, levels 2; {many}"));
        check(&format!("M image 1x1, colours 1, levels 2; f({many}"));
    }
    check(&" ".repeat(1 << 20));
}
