//! Gradients: those of every operator are compared with a finite difference in one random direction, in f64,
//! and those of whole models, too.

use std::collections::BTreeMap;

use pixelrnn::internal::graph::{Array, Operation, Role, Type, Value};
use pixelrnn::internal::ops::rules::adjoint::{AdjointError, pull_back};
use pixelrnn::internal::ops::{
    Add, Constant, Env, Fill, Mul, Op, Pad, PixelGraph, Sample, Scan, StateConv, Tanh, evaluate,
};
use pixelrnn::internal::passes::cse_dce::cse_dce;
use pixelrnn::internal::passes::pads_to_concat::pads_to_concat;
use pixelrnn::prelude::*;

use crate::common::{Numbers, settings, weights};
use crate::declared::{LearnedDiagonal, LearnedRow, Mixed};

const BATCH: usize = 2;
type Doubles = BTreeMap<String, Array<f64>>;

fn doubles(a: &Array) -> Array<f64> {
    a.mapv(f64::from)
}

fn dot(a: &Array<f64>, b: &Array<f64>) -> f64 {
    a.iter().zip(b.iter()).map(|(x, y)| x * y).sum()
}

/// Random inputs of a sample.
fn inputs(sample: &Sample, numbers: &mut Numbers) -> Vec<Array<f64>> {
    let pairs = sample.inputs.iter().zip(&sample.domains);
    pairs.map(|(ty, &domain)| doubles(&numbers.of(domain, ty.extents(BATCH)))).collect()
}

/// The graph of one operator, and the graph with the cotangents of its inputs.
struct Pulled {
    /// The operator's results, `y0` and so on.
    plain: PixelGraph,
    /// The cotangents, in the order of `names`.
    graph: PixelGraph,
    /// Random cotangents of the results, `d0` and so on.
    given: Doubles,
    /// The inputs that have a cotangent.
    names: Vec<usize>,
}

/// Applies `pull_back` to a sample; `None` if the operator has no gradient rule.
fn pulled(sample: &Sample, numbers: &mut Numbers) -> Option<Pulled> {
    let mut graph = PixelGraph::new("sample");
    let formals: Vec<Value> = sample
        .inputs
        .iter()
        .enumerate()
        .map(|(i, ty)| graph.input(format!("x{i}"), ty.clone(), Role::Local))
        .collect();
    let op = match &sample.op {
        Op::Scan(scan) => scan.saving().expect("saves").into(),
        other => other.clone(),
    };
    let results = graph.push(op, &formals, "op", None).expect("a sample fits");
    let wanted: usize = sample.op_results();
    let mut seeds = Vec::new();
    let mut given: Doubles = Doubles::new();
    for (i, &result) in results[..wanted].iter().enumerate() {
        let ty = graph.ty(result).clone();
        let mut seed = doubles(&numbers.array(ty.extents(BATCH)));
        // By definition, cells of a skewed map that hold no pixel pass no gradient.
        if let Op::Skew(skew) = &sample.op
            && skew.fill == Fill::Corner
        {
            let (height, steps) = (seed.shape()[2], seed.shape()[0]);
            let width = steps + 1 - height;
            for (at, x) in seed.indexed_iter_mut() {
                if at[0] < at[2] || at[0] - at[2] >= width {
                    *x = 0.0;
                }
            }
        }
        let value = graph.input(format!("d{i}"), ty, Role::Local);
        given.insert(format!("d{i}"), seed);
        seeds.push((result, value));
    }
    let mut flags = vec![true; graph.value_count()];
    flags.resize(graph.value_count(), true);
    let nodes: Vec<_> = graph.nodes().map(|(id, _)| id).collect();
    let cotangents = match pull_back(&mut graph, &nodes, &flags, &seeds) {
        Ok(cotangents) => cotangents,
        // Operators of gradients, and composites, have no gradient rule.
        Err(AdjointError::Missing { .. } | AdjointError::Composite { .. }) => return None,
        Err(error) => panic!("{:?}: {error}", sample.op),
    };
    let mut plain = graph.clone();
    for (i, &result) in results[..wanted].iter().enumerate() {
        plain.output(format!("y{i}"), result);
    }
    let mut names = Vec::new();
    for (i, formal) in formals.iter().enumerate() {
        if let Some(&d) = cotangents.get(formal) {
            graph.output(format!("dx{i}"), d);
            names.push(i);
        }
    }
    Some(Pulled { plain, graph, given, names })
}

/// Compares the directional derivative from `pull_back`, for random cotangents of the results, with a finite
/// difference of two evaluations.
fn check_sample(sample: &Sample, seed: u64) -> Option<()> {
    let mut numbers = Numbers::new(seed);
    let Pulled { plain, graph, given, names } = pulled(sample, &mut numbers)?;
    let x = inputs(sample, &mut numbers);
    let direction: Vec<Array<f64>> =
        sample.inputs.iter().map(|ty| doubles(&numbers.array(ty.extents(BATCH)))).collect();
    let at = |t: f64| -> Doubles {
        let mut all = given.clone();
        for (i, (x, v)) in x.iter().zip(&direction).enumerate() {
            let moved = if names.contains(&i) { x + &(v * t) } else { x.clone() };
            all.insert(format!("x{i}"), moved);
        }
        all
    };
    let env = Env { batch: BATCH };
    let objective = |t: f64| -> f64 {
        let y = evaluate(&plain, &env, &at(t)).expect("evaluates");
        y.iter().enumerate().map(|(i, y)| dot(y, &given[&format!("d{i}")])).sum()
    };
    let step = 1e-5;
    let numeric = (objective(step) - objective(-step)) / (2.0 * step);
    let gradients = evaluate(&graph, &env, &at(0.0)).expect("evaluates");
    let exact: f64 = names.iter().zip(&gradients).map(|(&i, g)| dot(g, &direction[i])).sum();
    let scale = 1.0 + numeric.abs();
    assert!(
        (numeric - exact).abs() < 1e-6 * scale,
        "{:?}: difference {numeric}, gradient {exact}",
        sample.op
    );
    Some(())
}

trait Results {
    fn op_results(&self) -> usize;
}

impl Results for Sample {
    /// The number of results of the operator, without those that are saved for its gradient.
    fn op_results(&self) -> usize {
        use pixelrnn::internal::graph::Operation;
        if let Op::LstmSweep(_) = self.op {
            // Only its gradient reads the other results.
            return 1;
        }
        let types: Vec<&Type> = self.inputs.iter().collect();
        self.op.infer(&types).expect("a sample fits").len()
    }
}

#[test]
fn every_operator_agrees_with_finite_differences() {
    let mut checked = 0;
    for (i, sample) in Op::samples().iter().enumerate() {
        checked += usize::from(check_sample(sample, i as u64).is_some());
    }
    // Composites, and the operators that only gradients need, have no rule. All others do.
    assert!(checked > 35, "{checked}");
}

/// Operators that are linear in at least one input. The next test must find all of them.
const LINEAR: [&str; 21] = [
    "add",
    "broadcast",
    "concat",
    "div",
    "divide_by_batch",
    "masked_conv",
    "matmul",
    "merge_axes",
    "mul",
    "pad",
    "scale",
    "select",
    "shift_down",
    "skew",
    "slice",
    "split_axis",
    "state_conv",
    "sub",
    "sum",
    "transpose",
    "unskew",
];

/// If a result is linear in an input, its cotangent is the transposed operator:
/// `<f(x + v) - f(x), d> = <v, transposed d>`, up to rounding. The test finds these inputs by trying.
#[test]
fn linear_operators_are_transposed() {
    let mut found = std::collections::BTreeSet::new();
    for (i, sample) in Op::samples().iter().enumerate() {
        let mut numbers = Numbers::new(100 + i as u64);
        let Some(Pulled { plain, graph, given, names }) = pulled(sample, &mut numbers) else {
            continue;
        };
        let env = Env { batch: BATCH };
        let x = inputs(sample, &mut numbers);
        let mut all = given.clone();
        all.extend(x.iter().enumerate().map(|(i, x)| (format!("x{i}"), x.clone())));
        let cotangents = evaluate(&graph, &env, &all).expect("evaluates");
        let results = |input: usize, x: Array<f64>| {
            let mut all = all.clone();
            all.insert(format!("x{input}"), x);
            evaluate(&plain, &env, &all).expect("evaluates")
        };
        for (&input, cotangent) in names.iter().zip(&cotangents) {
            let v = doubles(&numbers.array(x[input].shape().to_vec()));
            let at = |t: f64| results(input, &x[input] + &(&v * t));
            let (zero, one, far, back) = (at(0.0), at(1.0), at(8.0), at(-8.0));
            let linear = (0..zero.len()).all(|k| {
                let slope = &one[k] - &zero[k];
                let other = (&far[k] - &back[k] - &slope * 16.0).mapv(f64::abs);
                other.iter().all(|&x| x < 1e-11)
            });
            if !linear {
                continue;
            }
            let seeds = (0..zero.len()).map(|k| &given[&format!("d{k}")]);
            let forward: f64 =
                seeds.zip(zero.iter().zip(&one)).map(|(d, (a, b))| dot(&(b - a), d)).sum();
            let back = dot(&v, cotangent);
            let error = (forward - back).abs() / (1.0 + forward.abs());
            assert!(error < 1e-11, "{:?}, input {input}: {forward}, {back}", sample.op);
            found.insert(sample.op.mnemonic());
        }
    }
    for mnemonic in LINEAR {
        assert!(found.contains(mnemonic), "`{mnemonic}` was not found to be linear: {found:?}");
    }
}

/// Compares the directional derivative of a model's loss with a finite difference.
pub fn check_model(model: &Declaration) {
    let name = model.name();
    let graph = model.graph_of(GraphKind::Nll).unwrap_or_else(|e| panic!("{name}: {e}"));
    let gradient = model.graph_of(GraphKind::Grad).unwrap_or_else(|e| panic!("{name}: {e}"));
    pixelrnn::internal::graph::verify(&gradient).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut numbers = Numbers::new(7);
    let batch = numbers.batch(&graph, model.image().levels, BATCH);
    let start = weights(model, 3);
    let direction: BTreeMap<String, Array<f64>> = start
        .iter()
        .map(|(n, w)| (n.clone(), doubles(&numbers.array(w.shape().to_vec()))))
        .collect();
    let at = |t: f64| -> Doubles {
        let mut all: Doubles = batch.iter().map(|(n, a)| (n.clone(), doubles(a))).collect();
        for (n, w) in &start {
            all.insert(n.clone(), doubles(w) + &(&direction[n] * t));
        }
        all
    };
    let env = Env { batch: BATCH };
    let loss = |t: f64| evaluate(&graph, &env, &at(t)).expect("evaluates")[0].mean().unwrap_or(0.0);
    let step = 1e-6;
    let numeric = (loss(step) - loss(-step)) / (2.0 * step);
    let results = evaluate(&gradient, &env, &at(0.0)).expect("evaluates");
    assert!((results[0].sum() - loss(0.0)).abs() < 1e-9, "{name}: the loss is another");
    let mut exact = 0.0;
    for (output, result) in gradient.outputs().iter().zip(&results).skip(1) {
        let parameter = output.name.strip_suffix(".grad").expect("named after its parameter");
        assert_eq!(result.shape(), start[parameter].shape(), "{name}: {parameter}");
        exact += dot(result, &direction[parameter]);
    }
    let given = gradient.outputs().iter().filter_map(|o| o.name.strip_suffix(".grad"));
    let given: Vec<&str> = given.collect();
    let missing: Vec<&String> = start.keys().filter(|n| !given.contains(&n.as_str())).collect();
    assert!(missing.is_empty(), "{name}: no gradient for {missing:?}");
    let error = (numeric - exact).abs() / (1.0 + numeric.abs());
    assert!(error < 1e-6, "{name}: difference {numeric}, gradient {exact}");
}

#[test]
fn whole_models_agree_with_finite_differences() {
    for name in ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal"] {
        for (colours, levels) in [(1, 2), (1, 5), (3, 2), (3, 4)] {
            let list = settings(&[
                ("h", 4),
                ("layers", 2),
                ("height", 4),
                ("width", 5),
                ("colours", colours),
                ("levels", levels),
            ]);
            let entry = pixelrnn::zoo::find(name).expect("in the zoo");
            check_model(&entry.declare(&list).expect("declares"));
        }
    }
    check_model(&LearnedRow::default().declare().expect("declares"));
    check_model(&LearnedDiagonal::default().declare().expect("declares"));
    check_model(&Mixed::default().declare().expect("declares"));
}

/// An unusual loop body: the state is multiplied by a scanned tensor and a constant, and squared.
#[test]
fn any_loop_is_differentiated() {
    let ty = Type::real([2usize, 3]);
    let mut body = PixelGraph::new("strange");
    let s = body.input("s", ty.clone(), Role::Local);
    let w = body.input("w", ty.clone(), Role::Local);
    let x = body.input("x", ty.clone(), Role::Local);
    let mut push =
        |op: Op, inputs: &[Value], name: &str| body.push(op, inputs, name, None).expect("fits")[0];
    let half = Array::from_elem(vec![1, 3], 0.5);
    let half = push(Constant { value: half }.into(), &[], "half");
    let square = push(Mul.into(), &[s, s], "square");
    let scaled = push(Mul.into(), &[square, half], "scaled");
    let mixed = push(Mul.into(), &[scaled, x], "mixed");
    let used = push(Mul.into(), &[mixed, w], "used");
    let next = push(Tanh.into(), &[used], "next");
    body.output("s", next);
    body.output("seen", mixed);
    for reverse in [false, true] {
        let scan = Scan { body: Box::new(body.clone()), states: 1, invariants: 1, reverse };
        let steps = Type::real([5usize, 2, 3]);
        let sample = Sample::new(scan, [ty.clone(), ty.clone(), steps]);
        assert_eq!(check_sample(&sample, 11), Some(()));
    }
}

/// A loop inside a loop: an outer state is an input of the inner loop, both read a weight, and the outer loop
/// scans what the inner one stacks.
#[test]
fn loops_in_loops_are_differentiated() {
    let ty = Type::real([1usize, 3, 2, 2]);
    let weight = Type::real([1usize, 2, 2, 3]);
    let cell = |name: &str| {
        let mut body = PixelGraph::new(name);
        let s = body.input("s", ty.clone(), Role::Local);
        let w = body.input("w", weight.clone(), Role::Local);
        let x = body.input("x", ty.clone(), Role::Local);
        (body, [s, w, x])
    };
    for reverse in [false, true] {
        let (mut inner, [s, w, x]) = cell("inner");
        let mut push =
            |op: Op, inputs: &[Value]| inner.push(op, inputs, "in", None).expect("fits")[0];
        let turned = push(StateConv { before: 1 }.into(), &[s, w]);
        let sum = push(Add.into(), &[turned, x]);
        let next = push(Tanh.into(), &[sum]);
        let square = push(Mul.into(), &[next, s]);
        inner.output("s", next);
        inner.output("square", square);
        let inner = Scan { body: Box::new(inner), states: 1, invariants: 1, reverse };

        let steps = Type::real([4usize, 1, 3, 2, 2]);
        let mut outer = PixelGraph::new("outer");
        let s = outer.input("s", ty.clone(), Role::Local);
        let w = outer.input("w", weight.clone(), Role::Local);
        let x = outer.input("x", steps.clone(), Role::Local);
        let mut push =
            |op: Op, inputs: &[Value]| outer.push(op, inputs, "out", None).expect("fits");
        let results = push(inner.into(), &[s, w, x]);
        let next = push(Mul.into(), &[results[0], s])[0];
        let squares = push(Tanh.into(), &[results[1]])[0];
        outer.output("s", next);
        outer.output("squares", squares);
        let outer = Scan { body: Box::new(outer), states: 1, invariants: 1, reverse: !reverse };
        let all = Type::real([3usize, 4, 1, 3, 2, 2]);
        let sample = Sample::new(outer, [ty.clone(), weight.clone(), all]);
        assert_eq!(check_sample(&sample, 5), Some(()));
    }
}

/// Padded parts that do not overlap and cover the whole are concatenated. Others are summed as before.
#[test]
fn sums_of_padded_parts_are_joined() {
    // The start of each part along an axis of extent six, and its length.
    let cases: [(&[(usize, usize)], bool); 5] = [
        (&[(0, 2), (2, 4)], true),
        (&[(4, 2), (0, 1), (1, 3)], true),
        (&[(0, 3), (2, 4)], false),
        (&[(0, 2), (3, 3)], false),
        (&[(0, 2), (2, 3)], false),
    ];
    for (parts, joined) in cases {
        let mut graph = PixelGraph::new("parts");
        let mut inputs = Doubles::new();
        let mut numbers = Numbers::new(3);
        let mut sum: Option<Value> = None;
        for (i, &(before, length)) in parts.iter().enumerate() {
            let x = graph.input(format!("x{i}"), Type::real([2usize, length]), Role::Local);
            inputs.insert(format!("x{i}"), doubles(&numbers.array(vec![2, length])));
            let pad = Pad { axis: 1, before, after: 6 - before - length };
            let part = graph.push(pad.into(), &[x], &format!("part{i}"), None).expect("fits")[0];
            sum = Some(match sum {
                None => part,
                Some(sum) => {
                    graph.push(Add.into(), &[sum, part], &format!("sum{i}"), None).expect("fits")[0]
                }
            });
        }
        graph.output("sum", sum.expect("parts"));
        let env = Env { batch: 1 };
        let expected = evaluate(&graph, &env, &inputs).expect("evaluates");
        let after = cse_dce(&pads_to_concat(&graph).expect("joins")).expect("cleans up");
        assert_eq!(evaluate(&after, &env, &inputs).expect("evaluates"), expected, "{parts:?}");
        let ops: Vec<&str> = after.nodes().map(|(_, n)| n.op.mnemonic()).collect();
        assert_eq!(ops == ["concat"], joined, "{parts:?}: {ops:?}");
    }
}
