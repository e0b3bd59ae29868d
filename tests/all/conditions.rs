//! Models that are conditioned on a map: what is computed before the loops, batches, completion, errors.

use ndarray::Axis;
use pixelrnn::internal::graph::{Condition, Operation, Role};
use pixelrnn::internal::ops::{ConditionKind, Op, PixelGraph};
use pixelrnn::sampling::{Given, SampleMethod, Sampling, draw, uniform};
use pixelrnn::{Array, Declaration, GraphKind, Model, Source, Weights};

use crate::common::{Numbers, engines, weights};

const MODEL: &str = "pub Mapped { h: usize = 3 }\nimage 5 x 4, colors 2, levels 3;\n\
    condition label: classes 3; condition edges: map 2; condition depth: map 1;\n\
    a = edges.conv(3 x 3, 4).relu(); b = depth.conv(1 x 1, 4); c = label.conv(1 x 1, 4);\n\
    known = a + b + c;\n\
    stem: image.masked_conv(3 x 3, A, 8, gates = 2) + known.conv(1 x 1, 8, bias = none);\n\
    gate; l: diagonal_bilstm(h, bias = known.conv(1 x 1, 4 * h, bias = none));\n\
    up: masked_conv(1 x 1, B, 6); relu; logits;\n";

pixelrnn::model! {
    pub FromMacro { h: usize = 4 }
    image 4 x 4, colors 1, levels 2;
    condition edges: map h / 2;
    stem: masked_conv(3 x 3, A, h);
    stem + edges.conv(1 x 1, h, bias = none);
    logits;
}

#[test]
fn the_macro_takes_maps() {
    let model = FromMacro { h: 6 }.declare().expect("a model");
    let map = ConditionKind::named("map").expect("a kind").with_number(3);
    assert_eq!(model.conditions(), [("edges".to_string(), map)]);
    assert_eq!(model.label(), None);
}

fn model() -> Declaration {
    Declaration::from_source(Source::new("mapped", MODEL), &[]).unwrap_or_else(|e| panic!("{e}"))
}

fn maps(count: usize) -> Vec<(String, Array)> {
    let mut numbers = Numbers::new(5);
    let kind = ConditionKind::named("map").expect("a kind");
    let mut map =
        |name: &str, c: usize| (name.to_string(), numbers.condition(kind, vec![count, c, 5, 4]));
    vec![map("edges", 2), map("depth", 1)]
}

fn drawn(
    weights: &Weights,
    engine: usize,
    method: SampleMethod,
    maps: &[(String, Array)],
    given: Option<Given>,
) -> Result<Array, pixelrnn::Error> {
    let count = maps.first().map_or(1, |(_, map)| map.len_of(Axis(0)));
    let labels: Vec<u32> = (0..count as u32).map(|i| i % 3).collect();
    let model = model();
    let uniform = uniform(&model, count, 3);
    let labels = Some(&labels[..]);
    let sampling =
        Sampling { method, temperature: 1.0, uniform: &uniform, given, labels, conditions: maps };
    draw(&model, weights, &*engines()[engine], &sampling, &mut |_| {})
}

/// More images than one call draws, on every engine: each is drawn with its own maps.
#[test]
fn cached_is_naive_sampling_for_each_image_of_many() {
    let (maps, weights) = (maps(19), weights(&model(), 2));
    let naive =
        drawn(&weights, 2, SampleMethod::Naive, &maps, None).unwrap_or_else(|e| panic!("{e}"));
    for engine in 0..engines().len() {
        let cached = drawn(&weights, engine, SampleMethod::Cached, &maps, None);
        assert_eq!(cached.unwrap_or_else(|e| panic!("{e}")), naive, "engine {engine}");
    }
    let levels = naive.mapv(|level| 2.0 - level);
    let given = Some(Given { levels: &levels, rows: 2 });
    let [a, b] = [SampleMethod::Cached, SampleMethod::Naive]
        .map(|method| drawn(&weights, 2, method, &maps, given).unwrap_or_else(|e| panic!("{e}")));
    assert_eq!(a, b);
    assert_ne!(a, naive);
    // The result depends on the map.
    let mut other = maps.clone();
    other[0].1.mapv_inplace(|x| 5.0 - 9.0 * x);
    assert_ne!(drawn(&weights, 2, SampleMethod::Cached, &other, None).expect("drawn"), naive);
}

/// The number of convolutions of conditions in a graph, and in the loops inside it.
fn convolutions(graph: &PixelGraph) -> [usize; 2] {
    let of_conditions = ["a.conv", "b.conv", "c.conv", "stem.conv", "l.bias"];
    let mut found = [0; 2];
    for (_, node) in graph.nodes() {
        found[0] += usize::from(of_conditions.contains(&node.name.as_str()));
        for body in node.op.bodies() {
            let [here, below] = convolutions(body);
            found[1] += here + below;
        }
    }
    found
}

/// What depends only on conditions is computed before the loops, with the same operators.
#[test]
fn maps_are_worked_on_once() {
    for kind in [GraphKind::Forward, GraphKind::Sample] {
        let graph = model().graph_of(kind).expect("a graph");
        assert_eq!(convolutions(&graph), [5, 0], "{kind:?}");
        let loops = graph.nodes().filter(|(_, node)| !node.op.bodies().is_empty()).count();
        assert_eq!(loops > 0, kind == GraphKind::Sample);
    }
}

/// The text form of graphs keeps the kind of a condition.
#[test]
fn the_text_form_knows_every_kind() {
    let graph = model().graph().clone();
    let text = graph.to_string();
    assert!(
        ["map(2) %", "map(1) %", "classes(3) %"].iter().all(|role| text.contains(role)),
        "{text}"
    );
    let again: PixelGraph = pixelrnn::internal::graph::text::read::<Op>(&text).expect("reads");
    assert_eq!(again.to_string(), text);
    let input = again.input_as(Role::Condition(Condition::Given { kind: "map", size: 1 }));
    assert_eq!(input.map(|input| input.name.as_str()), Some("depth"));
    assert_eq!(ConditionKind::of(Role::Image), None);
}

#[test]
fn maps_that_do_not_suit_are_refused() {
    let weights = weights(&model(), 2);
    let right = maps(2);
    let refused = |maps: &[(String, Array)], part: &str| {
        for method in [SampleMethod::Cached, SampleMethod::Naive] {
            let error = drawn(&weights, 2, method, maps, None).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
    };
    refused(&right[..1], "`depth` (a number for each pixel): values are missing");
    let with = |array: Array| vec![right[0].clone(), ("depth".to_string(), array)];
    refused(&with(Array::zeros(vec![3, 1, 5, 4])), "expected 2 values of `depth`");
    refused(&with(Array::zeros(vec![2, 1, 4, 5])), "expected the shape [N, 1, 5, 4]");
    refused(&with(Array::from_elem(vec![2, 5, 4], f32::INFINITY)), "not a finite number");
    let mut more = right.clone();
    more.push(("width".to_string(), Array::zeros(vec![2, 1, 5, 4])));
    refused(&more, "does not read a condition `width`");
    // Other layouts are converted to that of the graph.
    let first = drawn(&weights, 2, SampleMethod::Cached, &right, None).expect("drawn");
    let mut other = right.clone();
    other[0].1 = other[0].1.clone().permuted_axes(vec![0, 2, 3, 1]);
    other[1].1 = other[1].1.clone().remove_axis(Axis(1));
    assert_eq!(drawn(&weights, 2, SampleMethod::Cached, &other, None).expect("drawn"), first);
}
