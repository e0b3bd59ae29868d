//! Texts that once took minutes to check, or would: a macro has only seconds. Each check must end quickly and
//! report the right error. The tests measure no time; after a mistake, a test does not end.

use pixelrnn_graph::Source;
use pixelrnn_syntax::check;

const HEAD: &str = "M image 12 x 12, colours 4, levels 65536; stem: masked_conv(7 x 7, A, 8); ";

/// The message of the first error; empty if there is none.
fn said(text: &str) -> String {
    let found = check(&Source::new("cost", text));
    assert!(found.len() <= 32, "{} errors", found.len());
    found.into_iter().next().map_or(String::new(), |diagnostic| diagnostic.message)
}

fn body(body: &str) -> String {
    said(&format!("{HEAD}{body} logits;"))
}

#[test]
fn more_layers_than_a_model_has() {
    // Nodes with the same name are numbered; the search for a free number must not start at the first one.
    assert_eq!(body(&"relu;".repeat(15_000)), "");
    assert_eq!(body(&"relu;".repeat(40_000)), "the model has more than 20000 layers");
    let repeats = "repeat 4096 {".repeat(20) + "relu;" + &"}".repeat(20);
    assert_eq!(body(&repeats), "the model has more than 20000 layers");
    let residuals = "residual {".repeat(60) + "relu;" + &"}".repeat(60);
    assert_eq!(body(&format!("repeat 300 {{ {residuals} }}")), "");
    let skips = "collect { repeat 3000 { relu; skip(8); } tanh; }";
    assert_eq!(body(skips), "");
}

#[test]
fn repeats_of_what_is_wrong() {
    // Nothing is built after an error, so the limit on nodes does not end the repeats.
    let repeats = "repeat 4096 {".repeat(20) + "relu;" + &"}".repeat(20);
    assert_eq!(body(&format!("attention; {repeats}")), "unknown layer `attention`");
    let unknown: String = (0..20_000).map(|i| format!("a{i};")).collect();
    assert_eq!(body(&unknown), "unknown layer `a0`");
    assert_eq!(body(&"a: relu;".repeat(15_000)), "`a` is already used in this block");
}

#[test]
fn proofs_that_would_take_long() {
    for layer in ["masked_conv(255 x 255, B, 8)", "row_lstm(8)", "diagonal_bilstm(8)"] {
        assert_eq!(body(&format!("repeat 2000 {{ {layer}; }}")), "");
        // A leak in one of them is still found.
        let leak = body(&format!("repeat 2000 {{ {layer}; block {{ conv(1 x 3, 8); }} }}"));
        assert!(leak.starts_with("this layer leaks"), "{leak}");
    }
    let image = "M image 4096 x 4096, colours 4, levels 256; masked_conv(7 x 7, A, 8);";
    assert_eq!(said(&format!("{image} repeat 20 {{ row_lstm(8); }} logits;")), "");
}

#[test]
fn wide_layers() {
    // The fan-in is computed before the layer is found to be too large.
    let wide = "a: masked_conv(1 x 1, B, 60000); b: masked_conv(255 x 255, B, 60000);";
    assert_eq!(body(wide), "this layer is too large");
    let deep = "repeat 50 { a: masked_conv(255 x 255, B, 1); b: masked_conv(1 x 1, B, 4000); } relu; \
        masked_conv(1 x 1, B, 8);";
    assert_eq!(body(deep), "");
    // The large kernel must not be iterated over for each of twenty thousand layers.
    let many = "repeat 4096 { repeat 4096 { relu; a: masked_conv(255 x 255, B, 8); } }";
    assert_eq!(body(many), "the model has more than 20000 layers");
}

#[test]
fn many_hyper_parameters() {
    let fields: String = (1..8_000).map(|i| format!("a{i}: usize = a{},", i - 1)).collect();
    let image = "image 3 x 3, colours 1, levels 2; masked_conv(3 x 3, A, a7999); logits;";
    assert_eq!(said(&format!("M {{ a0: usize = 1, {fields} }} {image}")), "");
}
