//! What the fuzz targets share: the checks of the compiler's results.

pub mod generate;

use std::sync::atomic::{AtomicU64, Ordering};

use pixelrnn_graph::{Diagnostic, Source, Span, verify};
use pixelrnn_passes::verify_scales;
use pixelrnn_syntax::{check, elaborate, parse};

/// The number of texts, of texts that parse, and of valid models.
static COUNTS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// Images up to this number of pixels are also proved in full, to compare with the result of `check`.
const EXACT: usize = 20 * 20;

/// Compiles a text with its default settings.
///
/// # Panics
/// If the compiler panics, reports a position outside the text, or contradicts itself.
pub fn judge(text: &str) {
    let (model, slips) = parse(text);
    readable(text, &slips);
    let faults = check(&Source::new("fuzz", text));
    readable(text, &faults);
    let Some(model) = model.filter(|_| slips.is_empty()) else {
        assert!(!slips.is_empty(), "neither model nor error");
        assert_eq!(slips, faults);
        return count(0);
    };
    let declared = elaborate(&model, &[]);
    assert!(declared.is_ok() || !faults.is_empty(), "not said: {declared:?}");
    let Ok(declared) = declared else { return count(1) };
    let graphs = declared.scales.iter().map(|scale| &scale.graph);
    graphs.clone().for_each(|graph| assert_eq!(verify(graph), Ok(())));
    // `check` may look at less than the whole model; it must find any leak nevertheless.
    let image = declared.image;
    if image.height * image.width <= EXACT
        && graphs.map(|graph| graph.nodes().len()).sum::<usize>() < 40
    {
        let exact = verify_scales(&declared.scales);
        assert_eq!(exact.is_ok(), faults.is_empty(), "{:?}", exact.err().map(|e| e.to_string()));
    }
    count(if faults.is_empty() { 2 } else { 1 });
}

/// Checks that every diagnostic has a message and positions inside the text.
fn readable(text: &str, diagnostics: &[Diagnostic]) {
    assert!(diagnostics.len() <= 32, "too many errors to read");
    for diagnostic in diagnostics {
        assert!(!diagnostic.message.is_empty());
        let places = diagnostic.secondary.iter().map(|label| label.span);
        for Span { start, end } in places.chain([diagnostic.primary.span]) {
            assert!(text.get(start as usize..end as usize).is_some(), "{diagnostic:?}");
        }
    }
}

/// Prints from time to time how many texts reached each stage. A fuzzer whose texts are never valid models
/// would test only the parser.
fn count(reached: usize) {
    for counter in &COUNTS[..=reached] {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    let [all, parse, whole] = COUNTS.each_ref().map(|c| c.load(Ordering::Relaxed));
    if all % (1 << 16) == 0 {
        eprintln!("{all} texts, {parse} parse, {whole} are models");
    }
}
