//! What the fuzz targets share: the judge of what the compiler says, apart from where texts come from.

pub mod generate;

use std::sync::atomic::{AtomicU64, Ordering};

use pixelrnn_graph::{Diagnostic, Source, Span, verify};
use pixelrnn_passes::verify_causality;
use pixelrnn_syntax::{check, elaborate, parse};

/// How many texts there were, how many parse, and how many are models without a fault.
static COUNTS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// Images up to this many pixels are proved as they are, to compare with what the check proves.
const EXACT: usize = 20 * 20;

/// Compiles a text with its default settings.
///
/// # Panics
/// The compiler panics, says something about no place, or contradicts itself.
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
    assert_eq!(verify(&declared.graph), Ok(()));
    // The check looks at less than is declared; a leak is to show in it all the same.
    let image = declared.image;
    if image.height * image.width <= EXACT && declared.graph.nodes().len() < 40 {
        let exact = verify_causality(&declared.graph);
        assert_eq!(exact.is_ok(), faults.is_empty(), "{:?}", exact.err().map(|e| e.to_string()));
    }
    count(if faults.is_empty() { 2 } else { 1 });
}

/// Every diagnostic stands on a place of the text and says something.
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

/// Says now and then how much of what is tried gets how far: a fuzzer that makes no models any more
/// tests the parser only.
fn count(reached: usize) {
    for counter in &COUNTS[..=reached] {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    let [all, parse, whole] = COUNTS.each_ref().map(|c| c.load(Ordering::Relaxed));
    if all % (1 << 16) == 0 {
        eprintln!("{all} texts, {parse} parse, {whole} are models");
    }
}
