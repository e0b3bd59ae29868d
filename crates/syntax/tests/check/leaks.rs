//! Leaks: each is found at the right layer and reported with the lines on its path; causal models have none.

use pixelrnn_graph::Source;
use pixelrnn_syntax::check;

/// All messages, each with the text that it marks.
fn said(text: &str) -> Vec<String> {
    let source = Source::new("leaks", text);
    let found = check(&source);
    let of = |span| source.excerpt(span);
    let mut all = Vec::new();
    for diagnostic in &found {
        all.push(format!("{} | {}", of(diagnostic.primary.span), diagnostic.message));
        all.push(format!("{} | {}", of(diagnostic.primary.span), diagnostic.primary.text));
        for label in &diagnostic.secondary {
            all.push(format!("{} | {}", of(label.span), label.text));
        }
        all.extend(diagnostic.help.clone());
    }
    all
}

fn causal(body: &str) -> bool {
    said(&format!("M image 6 x 6, colours 1, levels 2; {body} logits;")).is_empty()
}

#[test]
fn a_leak_between_pixels() {
    let text = "M image 6 x 6, colours 1, levels 17; stem: masked_conv(7 x 7, A, 4); \
        body: residual { relu; mix: conv(3 x 3, 4); } logits;";
    let expected = [
        "conv(3 x 3, 4) | this layer leaks: 35 of 36 outputs read their own pixel or a later one",
        "conv(3 x 3, 4) | step 3: `body.mix` at (0, 0) reads (0, 1)",
        "logits | step 1: `logits` at (0, 0)",
        "residual | step 2: `body.sum` at (0, 0)",
        "relu | step 4: `body.relu` at (0, 1)",
        "masked_conv(7 x 7, A, 4) | step 5: `stem` at (0, 1) reads the image at (0, 0)",
        "use `masked_conv` with mask B here; the steps go from the output at (0, 0) back to its own \
         pixel",
    ];
    assert_eq!(said(text), expected);
}

#[test]
fn a_leak_between_colours_in_a_repeated_block() {
    let text = "M image 2 x 1, colours 3, levels 2; stem: masked_conv(3 x 3, A, 3); \
        repeat 4 { up: masked_conv(1 x 1, B, 3); mix: conv(1 x 1, 3); } logits;";
    let found = said(text);
    let of = |excerpt: &str| {
        let line = found.iter().filter(|line| line.starts_with(excerpt)).nth_back(0);
        line.map_or("", |line| line.split_once(" | ").map_or("", |(_, text)| text))
    };
    assert!(of("conv(1 x 1, 3)").contains("; ...; "), "{found:#?}");
    assert!(of("conv(1 x 1, 3)").contains("reads (0, 0) color"), "{found:#?}");
    assert!(of("masked_conv(3 x 3").ends_with("reads the image at (0, 0) color 0"), "{found:#?}");
}

#[test]
fn an_open_layer_on_the_image() {
    let found = said("M image 4 x 4, colours 1, levels 2; conv(3 x 3, 4); logits;");
    assert!(found[0].starts_with("conv(3 x 3, 4) | this layer leaks: 16 of 16"), "{found:#?}");
    assert!(found.last().is_some_and(|help| help.contains("with mask A here")), "{found:#?}");
}

/// An unmasked layer is not an error by itself; reading a later pixel is.
#[test]
fn what_does_not_leak() {
    assert!(causal("above: masked_conv(3 x 1, A, 4); row: conv(1 x 5, 4);"));
    assert!(!causal("above: masked_conv(3 x 1, A, 4); down: conv(3 x 1, 4);"));
    assert!(causal("stem: masked_conv(3 x 3, A, 4); point: conv(1 x 1, 4);"));
    assert!(!causal("stem: masked_conv(3 x 3, A, 4); point: conv(1 x 3, 4);"));
}

/// The proof crops the image in both directions.
#[test]
fn large_images() {
    let found = said(
        "M image 4000 x 3000, colours 1, levels 2; masked_conv(3 x 3, A, 4); \
        repeat 3 { row_lstm(4); up: conv(3 x 1, 4); } logits;",
    );
    assert!(found[0].contains("of 144 outputs"), "{found:#?}");
}
