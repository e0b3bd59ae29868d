//! Known bugs of published code, as far as a graph can express them. Each is rejected with the right count
//! and witness, or its blind spot is reported. Unless stated otherwise, the image has 28 x 28 pixels and one
//! color, and the model is a 7 x 7 layer with mask A and one faulty layer.
//!
//! Not tested here: a mask that is multiplied into the weights only once (in this IR the mask is part of the
//! operator, so this cannot be written), arg-max instead of sampling (there is no arg-max), and wrong units
//! and means of reported results (`likelihood.rs` compares ours with a computation by hand).

use pixelrnn::Array;
use pixelrnn::compare::{TOLERANCE, difference};
use pixelrnn::internal::graph::{Dim, Operation, Role, Type, Value};
use pixelrnn::internal::ops::{
    Add, Broadcast, Constant, DiagonalBilstm, Fill, Grid, Layout, Mask, MaskKind, MaskedConv,
    MergeAxes, Mul, Op, Pad, PixelGraph, Reading, Relu, RowLstm, Scan, Sigmoid, Skew, Slice,
    SplitAxis, StateConv, Sub, Sum, Tanh, Transpose, Unskew,
};
use pixelrnn::internal::passes::causality::causality;
use pixelrnn::internal::passes::expand::expand;
use pixelrnn::internal::passes::{
    Causality, CausalityError, GraphKind, Job, PassError, Scale, make, verify_causality,
    verify_scales,
};

use crate::build::{Build, edit};
use crate::common::Numbers;
use crate::ops::{inputs_of, reference};

const SIDE: usize = 28;
const H: usize = 2;

fn stem() -> (Build, Value) {
    let (mut build, image) = Build::new(1, SIDE, SIDE);
    let x = build.conv(image, MaskKind::A, [7, 7], 2 * H, "stem");
    (build, x)
}

fn diagonal(colours: usize, build: &mut Build, x: Value, h: usize) -> Value {
    let features = build.graph.ty(x).extents(1)[1];
    let mut inputs = vec![x];
    for _ in 0..2 {
        inputs.push(build.param(&[4 * h, features, 1, 1]));
        inputs.push(build.param(&[4 * h]));
        inputs.push(build.param(&[4 * h, h, 2]));
    }
    build.push(DiagonalBilstm { colours, learned: false, biased: false }, &inputs, "lstm")
}

fn row(colours: usize, build: &mut Build, x: Value, h: usize) -> Value {
    let features = build.graph.ty(x).extents(1)[1];
    let inputs = [
        x,
        build.param(&[4 * h, features, 1, 3]),
        build.param(&[4 * h]),
        build.param(&[4 * h, h, 3]),
    ];
    build.push(RowLstm { colours, learned: false, biased: false }, &inputs, "lstm")
}

/// The correct diagonal layer, expanded, so that tests can damage it.
fn expanded_diagonal() -> PixelGraph {
    let (mut build, x) = stem();
    let x = diagonal(1, &mut build, x, H);
    expand(&build.logits(x)).expect("expands")
}

/// The number of leaking outputs that the check finds in a graph, and the first witness as `[y, x, y, x]`.
/// Its path must lead from the output to the input.
fn leak(graph: &PixelGraph) -> (usize, [usize; 4]) {
    let Err(CausalityError::Leak(found)) = verify_causality(graph) else {
        panic!("the leak was not seen");
    };
    let witness = found.witness.as_ref().expect("a witness");
    let first = witness.path.first().expect("a path");
    assert_eq!(first.layer, "logits");
    assert_eq!(first.place, Some((witness.output.y, witness.output.x)));
    assert!(witness.fault().is_some());
    let (o, i) = (witness.output, witness.input);
    (found.leaking_outputs, [o.y, o.x, i.y, i.x])
}

/// The percentage of earlier values that a causal graph does not read.
fn blind(graph: &PixelGraph) -> f64 {
    let proof = verify_causality(graph).unwrap_or_else(|e| panic!("{e}"));
    100.0 * proof.causality().blind_share
}

/// Compares the printed digits.
#[track_caller]
fn assert_share(found: f64, expected: &str) {
    let digits = expected.split_once('.').map_or(0, |(_, d)| d.len());
    assert_eq!(format!("{found:.digits$}"), expected, "{found}");
}

#[test]
fn nothing_is_wrong_without_a_fault() {
    assert_share(blind(&expanded_diagonal()), "0.21");
    let (mut build, x) = stem();
    let x = row(1, &mut build, x, H);
    assert_share(blind(&build.logits(x)), "34.9");
}

#[test]
fn diagonal_without_the_shift() {
    let graph = edit(&expanded_diagonal(), &|name, _| match name {
        "lstm/right_upper" => Some(Slice { axis: 1, start: 0, length: SIDE }.into()),
        "lstm/right_down" => Some(Pad { axis: 1, before: 0, after: 0 }.into()),
        _ => None,
    });
    assert_eq!(leak(&graph).0, 756);
}

#[test]
fn diagonal_with_zeros_appended_at_the_end() {
    let graph = edit(&expanded_diagonal(), &|name, _| {
        (name == "lstm/right_down").then(|| Pad { axis: 1, before: 0, after: 1 }.into())
    });
    assert_eq!(leak(&graph), (729, [0, 0, 0, 0]));
}

#[test]
fn state_convolution_padded_below() {
    let graph = edit(&expanded_diagonal(), &|_, op| {
        matches!(op, Op::StateConv(_)).then(|| StateConv { before: 0 }.into())
    });
    assert_eq!(leak(&graph).0, 780);
}

/// A faulty direction: skewed like the left one, and then run from the last step to the first. With `mirror`,
/// a correct one.
fn direction(build: &mut Build, x: Value, mirror: bool, reverse: bool) -> Value {
    let fixed = Dim::Fixed;
    let pixels = build.push(Transpose { perm: vec![2, 3, 0, 1] }, &[x], "pixels");
    let conv = |outputs| MaskedConv {
        mask: Mask { kind: MaskKind::B, kernel: [1, 1], colours: 1, gates: outputs },
        layout: Layout::PixelMajor,
    };
    let inputs = [pixels, build.param(&[1, H, 2 * H, 1, 1]), build.param(&[1, H])];
    let z = build.push(conv(1), &inputs, "z");
    let mirror = vec![mirror];
    let skew = Skew { mirror: mirror.clone(), fill: Fill::Zero };
    let z = build.push(skew, &[z], "skew");
    let live = |i: ndarray::IxDyn| f32::from(i[0] >= i[2] && i[0] - i[2] < SIDE);
    let live = Array::from_shape_fn(vec![2 * SIDE - 1, 1, SIDE, 1, 1], live);
    let live = build.push(Constant { value: live }, &[], "live");
    // A plain recurrence: h = tanh(conv(h) + z). Cells without a pixel are zero.
    let state = Type::real([fixed(1), fixed(SIDE), Dim::N, fixed(H)]);
    let mut body = PixelGraph::new("cell");
    let mut input = |name: &str, ty: Type| body.input(name, ty, Role::Local);
    let h = input("h", state.clone());
    let w = input("w", Type::real([1, H, H, 2]));
    let zt = input("z", state.clone());
    let on = input("live", Type::real([1, SIDE, 1, 1]));
    let mut push = |op: Op, inputs: &[Value]| body.push(op, inputs, "n", None).expect("fits")[0];
    let s = push(StateConv { before: 1 }.into(), &[h, w]);
    let a = push(Add.into(), &[s, zt]);
    let t = push(Tanh.into(), &[a]);
    let next = push(Mul.into(), &[t, on]);
    body.output("h", next);
    body.output("stacked", next);
    let scan = Scan { body: Box::new(body), states: 1, invariants: 1, reverse };
    let zero = Constant { value: Array::zeros(vec![1, 1, 1, H]) };
    let zero = build.push(zero, &[], "zero");
    let h = build.push(Broadcast { to: state.shape }, &[zero], "h0");
    let w = build.param(&[1, H, H, 2]);
    let results = build.graph.push(scan.into(), &[h, w, z, live], "scan", None).expect("fits");
    let states = build.push(Unskew { mirror, width: SIDE }, &[results[1]], "unskew");
    let rows = build.push(MergeAxes { axis: 0 }, &[states], "rows");
    build.push(Transpose { perm: vec![2, 3, 0, 1] }, &[rows], "maps")
}

fn two_directions(mirror: bool, reverse: bool) -> PixelGraph {
    let (mut build, x) = stem();
    let left = direction(&mut build, x, false, false);
    let right = direction(&mut build, x, mirror, reverse);
    let right = build.moved(right, 1, 0);
    let sum = build.push(Add, &[left, right], "sum");
    build.logits(sum)
}

/// The expected value, 14.145 %, was confirmed by a separate simulation.
#[test]
fn skewed_map_mirrored() {
    let right = causality(&two_directions(true, false)).expect("analysed");
    let layer = causality(&expanded_diagonal()).expect("analysed");
    assert_eq!(right.reads, layer.reads, "two plain recurrences see what the layer sees");
    assert_share(blind(&two_directions(false, true)), "14.145");
}

#[test]
fn mask_b_without_its_centre_row_but_with_the_rows_below() {
    let (mut build, x) = stem();
    let above = build.moved(x, 1, 0);
    let above = build.conv(above, MaskKind::Open, [1, 3], 2 * H, "above");
    let below = build.moved(x, -1, 0);
    let below = build.conv(below, MaskKind::Open, [1, 3], 2 * H, "below");
    let sum = build.push(Add, &[above, below], "sum");
    assert_eq!(leak(&build.logits(sum)).0, 756);
}

#[test]
fn mask_a_with_its_lower_left_quadrant_open() {
    let (mut build, image) = Build::new(1, SIDE, SIDE);
    let mut sum = build.conv(image, MaskKind::A, [7, 7], 2 * H, "stem");
    for down in 1..=3 {
        for left in 1..=3 {
            let tap = build.moved(image, -down, left);
            let tap = build.conv(tap, MaskKind::Open, [1, 1], 2 * H, "stem");
            sum = build.push(Add, &[sum, tap], "stem");
        }
    }
    assert_eq!(leak(&build.logits(sum)), (729, [0, 1, 1, 0]));
}

#[test]
fn colour_groups_over_all_gates_at_once() {
    // The whole layer: with colors, the outputs of all colors but the last one leak.
    let (mut build, image) = Build::new(3, 6, 5);
    let x = build.conv(image, MaskKind::A, [7, 7], 12, "stem");
    let x = row(3, &mut build, x, 6);
    let right = expand(&build.logits(x)).expect("expands");
    verify_causality(&right).unwrap_or_else(|e| panic!("{e}"));
    let flat = edit(&right, &|_, op| match op {
        Op::MaskedConv(conv) if conv.mask.gates == 4 => {
            let mask = Mask { gates: 1, ..conv.mask.clone() };
            Some(MaskedConv { mask, layout: conv.layout }.into())
        }
        _ => None,
    });
    let Err(CausalityError::Leak(found)) = verify_causality(&flat) else { panic!("not seen") };
    assert_eq!(found.leaking_outputs, 2 * 6 * 5);
    let witness = found.witness.as_ref().expect("a witness");
    assert_eq!((witness.output.colour, witness.input.colour), (0, 0));

    // The state units of a layer with h = 128. With the groups floor(k * 3 / 128), the first two of the three
    // groups have 86 units.
    assert_eq!(units_that_see_later_colours(4), 0);
    assert_eq!(units_that_see_later_colours(1), 86);
}

/// The number of state units, of 128, with a gate that reads a later color's features.
fn units_that_see_later_colours(gates: usize) -> usize {
    let (units, colours) = (128, 3);
    let mask = Mask { kind: MaskKind::B, kernel: [1, 1], colours, gates };
    let conv = Op::from(MaskedConv::on_maps(mask));
    let x = Type::real([Dim::N, Dim::Fixed(2 * units), Dim::Fixed(1), Dim::Fixed(1)]);
    let (w, b) = (Type::real([4 * units, 2 * units, 1, 1]), Type::real([4 * units]));
    let grids = [&x, &w, &b].map(Grid::unit);
    let result = conv.infer(&[&x, &w, &b]).expect("fits").remove(0);
    let reading = Reading {
        types: &[&x, &w, &b],
        grids: &[&grids[0], &grids[1], &grids[2]],
        constants: &[None; 3],
        result: &result,
    };
    let footprint = conv.footprint(&reading);
    let group = |k: usize, of: usize| k * colours / of;
    let bounds = &footprint.grid.axes[1];
    let mut late = vec![false; units];
    for cell in bounds.windows(2) {
        (footprint.reads)(&[0..1, cell[0]..cell[1], 0..1, 0..1], &mut |_, part| {
            for gate in cell[0]..cell[1] {
                let unit = gate % units;
                late[unit] |= group(part[1].end - 1, 2 * units) > group(unit, units);
            }
        });
    }
    late.into_iter().filter(|&l| l).count()
}

#[test]
fn causal_padding_and_a_mask() {
    // With a padding of two on the left, the three taps end at the current pixel. The mask then removes the
    // last of them.
    let (mut build, x) = stem();
    let moved = build.moved(x, 0, 1);
    let x = row(1, &mut build, moved, H);
    let graph = expand(&build.logits(x)).expect("expands");
    // The state convolution has the same padding, without a mask.
    let graph = edit(&graph, &|_, op| {
        matches!(op, Op::StateConv(_)).then(|| StateConv { before: 2 }.into())
    });
    assert_share(blind(&graph), "49.6");
}

/// The dependences do not show this bug; a comparison of results does.
#[test]
fn gate_g_through_a_sigmoid() {
    let (mut build, image) = Build::new(1, 4, 5);
    let x = build.conv(image, MaskKind::A, [3, 3], 2 * H, "stem");
    let x = row(1, &mut build, x, H);
    let right = build.logits(x);
    let wrong = edit(&expand(&right).expect("expands"), &|name, op| {
        (name == "g" && matches!(op, Op::Tanh(_))).then(|| Sigmoid.into())
    });
    let sees = |g: &PixelGraph| causality(g).expect("analysed").reads;
    assert_eq!(sees(&right), sees(&wrong));
    let inputs = inputs_of(&right, &[], 2, &mut Numbers::new(4));
    let number = |g: &PixelGraph| reference(g, 2, &inputs)[0].mapv(|x| x as f32);
    assert!(!difference(&number(&right), &number(&wrong), TOLERANCE).2);
}

#[test]
fn batch_statistics() {
    let (mut build, x) = stem();
    let mean = build.push(Sum { axes: vec![2, 3] }, &[x], "norm");
    let centred = build.push(Sub, &[x, mean], "norm");
    // Only the last output may read everything that the stem computes.
    let (leaking, [y, x, _, _]) = leak(&build.logits(centred));
    assert_eq!((leaking, y, x), (SIDE * SIDE - 1, 0, 0));

    let (mut build, x) = stem();
    let mean = build.push(Sum { axes: vec![0] }, &[x], "norm");
    let centred = build.push(Sub, &[x, mean], "norm");
    match verify_causality(&build.logits(centred)) {
        Err(CausalityError::MixesBatch { node, .. }) => assert_eq!(node, "norm"),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn teacher_forcing_without_the_shift() {
    let (mut build, image) = Build::new(1, SIDE, SIDE);
    let x = build.push(Relu, &[image], "x");
    let found = judged(&build.logits(x));
    assert_eq!(found.leaking_outputs, SIDE * SIDE);
    for output in 0..found.outputs() {
        assert!(found.reads.get(output, output));
        assert_eq!(found.unseen(output).len(), output);
    }
}

#[test]
fn mask_b_first() {
    for colours in [1, 3] {
        let (mut build, image) = Build::new(colours, 5, 4);
        let x = build.conv(image, MaskKind::B, [3, 3], 2 * colours, "stem");
        let found = judged(&build.logits(x));
        assert_eq!(found.leaking_outputs, found.outputs());
    }
}

fn judged(graph: &PixelGraph) -> Causality {
    match verify_causality(graph) {
        Err(CausalityError::Leak(found)) => *found,
        other => panic!("{:?}", other.map(|_| ())),
    }
}

/// A convolution that reads rows below, and a graph that is not a model.
#[test]
fn other_graphs_that_are_refused() {
    let (mut build, x) = stem();
    let x = build.conv(x, MaskKind::Open, [3, 3], 2 * H, "open");
    assert_eq!(leak(&build.logits(x)).0, SIDE * SIDE - 1);

    let mut empty = PixelGraph::new("empty");
    assert_no_model(&empty);
    let image = empty.input("image", Type::real([Dim::N, Dim::Fixed(4)]), Role::Local);
    empty.output("logits", image);
    assert_no_model(&empty);
    let (mut build, image) = Build::new(2, 3, 3);
    let half = build.push(SplitAxis { axis: 1, parts: 1 }, &[image], "half");
    let half = build.push(Slice { axis: 2, start: 0, length: 1 }, &[half], "half");
    build.graph.output("logits", half);
    assert_no_model(&build.graph);
}

#[track_caller]
fn assert_no_model(graph: &PixelGraph) {
    assert!(matches!(verify_causality(graph), Err(CausalityError::Form(_))));
}

/// No graph that draws images can be made without a proof.
#[test]
fn samplers_demand_the_proof() {
    let (build, x) = stem();
    let scales = [Scale::whole(build.logits(x))];
    let proof = verify_scales(&scales).unwrap_or_else(|e| panic!("{e}"));
    for kind in [GraphKind::Sample, GraphKind::Step, GraphKind::Row] {
        let job = Job::new(&scales, kind);
        assert_eq!(make(&job, &mut |_, _| {}), Err(PassError::NoProof), "{kind:?}");
        let job = Job { proof: Some(&proof), ..job };
        make(&job, &mut |_, _| {}).unwrap_or_else(|e| panic!("{kind:?}: {e}"));
    }
}
