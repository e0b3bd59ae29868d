//! A composite operator equals its expansion. Its own evaluation, a direct loop, is the definition.

use pixelrnn::Array;
use pixelrnn::internal::graph::{Dim, Operation, Type, verify};
use pixelrnn::internal::ops::{DiagonalBilstm, Op, PixelGraph, RowLstm, Sample};
use pixelrnn::internal::passes::cse_dce::cse_dce;
use pixelrnn::internal::passes::expand::expand;
use pixelrnn::internal::passes::layout::layout;
use pixelrnn::internal::passes::unroll::unroll;

use crate::common::{Numbers, zoo};
use crate::declared::declared;
use crate::ops::{graph_of, inputs_of, reference};

/// A graph at each stage before lowering.
fn stages(graph: &PixelGraph) -> Vec<(&'static str, PixelGraph)> {
    let expanded = expand(graph).expect("expands");
    let unrolled = unroll(&expanded).expect("unrolls");
    let moved = layout(&expanded).expect("moves");
    let tidied = cse_dce(&moved).expect("cleans up");
    vec![("expand", expanded), ("unroll", unrolled), ("layout", moved), ("cse_dce", tidied)]
}

fn check(graph: &PixelGraph, what: &str) {
    let mut numbers = Numbers::new(12);
    for batch in [1, 3] {
        let inputs = inputs_of(graph, &[], batch, &mut numbers);
        let expected = reference(graph, batch, &inputs);
        for (stage, other) in stages(graph) {
            verify(&other).unwrap_or_else(|e| panic!("{what}, {stage}: {e}"));
            assert!(other.nodes().all(|(_, n)| n.op.composite().is_none()));
            let scans = other.nodes().filter(|(_, n)| matches!(n.op, Op::Scan(_))).count();
            assert!(stage != "unroll" || scans == 0, "{what}: a scan is left");
            for (a, b) in expected.iter().zip(reference(&other, batch, &inputs)) {
                assert_eq!(a.shape(), b.shape(), "{what}, {stage}");
                let worst = worst(a, &b);
                assert!(worst <= 1e-12, "{what}, {stage}, batch {batch}: differs by {worst:e}");
            }
        }
    }
}

fn worst(a: &Array<f64>, b: &Array<f64>) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
}

#[test]
fn every_sample() {
    for sample in Op::samples() {
        if sample.op.composite().is_some() || matches!(sample.op, Op::Scan(_)) {
            check(&graph_of(&sample), sample.op.mnemonic());
        }
    }
}

/// Images of all sizes up to 4 x 4, including a single row and a single column.
#[test]
fn every_small_size() {
    for height in 1..=4 {
        for width in 1..=4 {
            for learned in [false, true] {
                let real = |shape: &[usize]| Type::real(shape.iter().copied());
                let shape = [Dim::N, Dim::Fixed(3), Dim::Fixed(height), Dim::Fixed(width)];
                let state = [real(&[2]), real(&[2])];
                let state = if learned { &state[..] } else { &[] };
                let mut row = vec![Type::real(shape)];
                row.extend([real(&[8, 3, 1, 3]), real(&[8]), real(&[8, 2, 3])]);
                row.extend_from_slice(state);
                let mut diagonal = vec![Type::real(shape)];
                for _ in 0..2 {
                    diagonal.extend([real(&[8, 3, 1, 1]), real(&[8]), real(&[8, 2, 2])]);
                    diagonal.extend_from_slice(state);
                }
                let colours = 1 + height % 3;
                let row = Sample::new(RowLstm { colours, learned, biased: false }, row);
                let diagonal =
                    Sample::new(DiagonalBilstm { colours, learned, biased: false }, diagonal);
                for sample in [row, diagonal] {
                    let what = format!("{} {height} x {width}", sample.op.mnemonic());
                    check(&graph_of(&sample), &what);
                }
            }
        }
    }
}

#[test]
fn whole_models() {
    for name in ["row", "diagonal", "mixed"] {
        check(declared(name, &[]).graph(), name);
    }
    for name in ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal"] {
        let model = zoo(name, &[("h", 3), ("layers", 2), ("height", 5), ("width", 4)]);
        check(model.graph(), name);
    }
}
