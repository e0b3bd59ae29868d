//! Exports for deployment: fewer bits, other image formats, model repositories, and forms that other
//! toolchains need.

use std::collections::BTreeMap;

use ndarray::Axis;
use pixelrnn::compare::{Tolerance, difference};
use pixelrnn::internal::graph::{Elem, Operation, Role};
use pixelrnn::internal::onnx::{OnnxGraph, OnnxOp};
use pixelrnn::prelude::*;
use pixelrnn::runtime::{Elements, Engine, Program};
use pixelrnn::{Array, Dtype, Error, ImageFormat, ImageLayout, triton};

use crate::common::{Numbers, Outputs, engines, refer, run, small_zoo, weights, zoo};
use crate::second_reader::decode;

const INFERENCE: [GraphKind; 5] =
    [GraphKind::Forward, GraphKind::Nll, GraphKind::Sample, GraphKind::Step, GraphKind::Row];

/// Random inputs of a graph that draws or reads images.
fn inputs(model: &Declaration, kind: GraphKind, count: usize) -> Outputs {
    let graph = model.graph_of(kind).expect("a graph");
    let mut numbers = Numbers::new(11);
    let levels = model.image().levels;
    let mut all = Vec::new();
    for input in graph.inputs() {
        let shape = graph.ty(input.value).extents(count);
        let array = match input.role {
            Role::Parameter(_) => continue,
            Role::Image => numbers.levels(shape, levels),
            Role::Condition(_) => numbers.levels(shape, 2),
            // Not near the boundary between two levels, where the precision decides.
            Role::Uniform => Array::from_elem(shape, 0.5),
            _ => numbers.array(shape),
        };
        all.push((input.name.clone(), array));
    }
    all
}

fn on(engine: &dyn Engine, onnx: &[u8], inputs: &Outputs) -> Outputs {
    run(engine, &Program { name: "deployed", onnx, graph: None }, &[refer(inputs)]).remove(0)
}

fn engine(name: &str) -> &'static dyn Engine {
    &**engines().iter().find(|engine| engine.name() == name).expect("an engine")
}

/// Calls `check` for every small model for inference, with scans and a dynamic batch size, and unrolled with a fixed
/// one.
fn every(mut check: impl FnMut(&Declaration, GraphKind, &ExportOptions)) {
    let models = [
        zoo("digits-pixelcnn", &[("h", 6), ("layers", 1), ("height", 4), ("width", 5)]),
        zoo("digits-row-lstm", &[("h", 6), ("layers", 1), ("height", 4), ("width", 5)]),
        zoo("mnist-diagonal", &[("h", 6), ("layers", 2), ("height", 4), ("width", 5)]),
    ];
    for model in &models {
        let weights = weights(model, 3);
        for kind in INFERENCE {
            for (control_flow, batch) in
                [(ControlFlow::Scan, Batch::Symbolic), (ControlFlow::Unroll, Batch::Fixed(2))]
            {
                let options = ExportOptions::with_weights(&weights);
                check(model, kind, &ExportOptions { control_flow, batch, ..options });
            }
        }
    }
}

/// The constants of a model, including those in bodies: for each name, ONNX's number of the element type, and
/// the size.
fn literals(bytes: &[u8]) -> BTreeMap<String, (i32, usize)> {
    fn walk(
        graph: &pixelrnn::internal::onnx::proto::GraphProto,
        found: &mut BTreeMap<String, (i32, usize)>,
    ) {
        for t in &graph.initializer {
            let size = t.dims.iter().product::<i64>() as usize;
            found.insert(t.name().to_string(), (t.data_type(), size));
        }
        let bodies =
            graph.node.iter().flat_map(|n| n.attribute.iter().filter_map(|a| a.g.as_ref()));
        bodies.for_each(|body| walk(body, found));
    }
    let mut found = BTreeMap::new();
    walk(decode(bytes).graph.as_ref().expect("a graph"), &mut found);
    found
}

#[test]
fn fewer_bits_change_little() {
    let off = |dtype| match dtype {
        Dtype::F16 => Tolerance { absolute: 1e-3, relative: 4e-3 },
        Dtype::Bf16 => Tolerance { absolute: 8e-3, relative: 2e-2 },
        _ => Tolerance { absolute: 2e-2, relative: 3e-2 },
    };
    let mut differ = [false; 4];
    every(|model, kind, options| {
        let inputs = inputs(model, kind, 2);
        let plain = model.export(kind, options).unwrap_or_else(|e| panic!("{e}"));
        let expected = on(engine("ort"), &plain, &inputs);
        for (i, dtype) in Dtype::ALL.into_iter().enumerate().skip(1) {
            let what = format!("{} {kind} {dtype} {options:?}", model.name());
            let options = ExportOptions { dtype, ..options.clone() };
            let bytes = model.export(kind, &options).unwrap_or_else(|e| panic!("{what}: {e}"));
            let mut found = on(engine("ort"), &bytes, &inputs);
            assert_eq!(expected.len(), found.len());
            // tract does not support bf16.
            let scanned = options.control_flow == ControlFlow::Scan;
            if dtype != Dtype::Bf16 && scanned && options.batch != Batch::Symbolic {
                found.extend(on(engine("tract"), &bytes, &inputs));
            }
            for ((name, a), (other, b)) in expected.iter().cycle().zip(&found) {
                assert_eq!(name, other);
                // Drawn levels may differ by rounding; other results must not.
                if kind == GraphKind::Sample {
                    assert_eq!(a.shape(), b.shape());
                    continue;
                }
                let (absolute, relative, within) = difference(a, b, off(dtype));
                assert!(within, "{what} {name}: {absolute:e} {relative:e}");
                differ[i] |= absolute > 0.0;
            }
        }
    });
    assert_eq!(differ, [false, true, true, true], "fewer bits must change something");
}

#[test]
fn weights_are_stored_in_fewer_bits() {
    // ONNX's numbers of the element types: f32 1, int8 3, f16 10, bf16 16.
    for (dtype, stored) in [(Dtype::F16, 10), (Dtype::Bf16, 16), (Dtype::Int8, 3)] {
        every(|model, kind, options| {
            let what = format!("{} {kind} {dtype} {options:?}", model.name());
            let literals = |dtype| {
                let options = ExportOptions { dtype, ..options.clone() };
                literals(&model.export(kind, &options).unwrap_or_else(|e| panic!("{e}")))
            };
            let plain = literals(Dtype::F32);
            let fewer = literals(dtype);
            let large = |all: &BTreeMap<String, (i32, usize)>, elem: i32| {
                all.values().filter(|(e, n)| *e == elem && *n >= 64).map(|(_, n)| n).sum::<usize>()
            };
            let (before, after) = (large(&plain, 1), large(&fewer, stored));
            assert!(after > 0 && after <= before, "{what}: {after} of {before}");
            // Biases and initial states may have this size, too. Most of the elements are weights.
            assert!(large(&fewer, 1) * 4 <= before, "{what}: {} of {before}", large(&fewer, 1));
        });
    }
}

#[test]
fn the_loss_is_computed_in_f32() {
    for model in small_zoo(|_| true, None) {
        let weights = weights(&model, 3);
        let options = ExportOptions { dtype: Dtype::F16, ..ExportOptions::with_weights(&weights) };
        let graph = model.compile(GraphKind::Nll, &options, &mut |_, _| {}).expect("compiles");
        let exact: Vec<_> = graph.nodes().filter(|(id, _)| graph.site(*id).exact).collect();
        assert!(exact.len() > 5, "{}", model.name());
        for (_, node) in exact {
            for v in node.inputs.iter().chain(&node.outputs) {
                assert_ne!(graph.ty(*v).elem, Elem::F16, "{}: {}", model.name(), node.name);
            }
        }
        let nll = &graph.outputs()[0];
        assert_eq!(graph.ty(nll.value).elem, Elem::Real);
        let maker = graph.maker(nll.value).expect("a node");
        assert!(!matches!(maker.op, OnnxOp::Cast { .. }), "{}: a sum in f16", model.name());
        assert!(
            graph.nodes().any(|(_, n)| n.outputs.iter().any(|v| graph.ty(*v).elem == Elem::F16))
        );
    }
}

#[test]
fn what_a_sampler_gives_nll_takes() {
    let model = zoo("digits-diagonal", &[("h", 4), ("layers", 1), ("height", 3), ("colours", 2)]);
    let weights = weights(&model, 2);
    let plain = ExportOptions::with_weights(&weights);
    let images = ImageFormat { layout: Some(ImageLayout::Nchw), bytes: true };
    let turned = ExportOptions { images, ..plain.clone() };
    let export = |kind, options: &ExportOptions| model.export(kind, options).expect("exports");
    let i = model.image();
    let mut numbers = Numbers::new(1);
    let shape = vec![3, i.height, i.width, i.colours];
    let nhwc = Array::from_shape_simple_fn(shape, || numbers.unit() as f32);
    let nchw = nhwc.clone().permuted_axes(vec![0, 3, 1, 2]).as_standard_layout().into_owned();
    let one = |name: &str, array: &Array| vec![(name.to_string(), array.clone())];
    for name in ["tract", "ort"] {
        let engine = engine(name);
        let image =
            on(engine, &export(GraphKind::Sample, &plain), &one("uniform", &nhwc)).remove(0);
        let bytes =
            on(engine, &export(GraphKind::Sample, &turned), &one("uniform", &nchw)).remove(0);
        let expected = image.1.permuted_axes(vec![0, 3, 1, 2]).as_standard_layout().into_owned();
        assert_eq!(bytes.1, expected, "{name}");
        let as_bytes = on(engine, &export(GraphKind::Nll, &turned), &one("image", &bytes.1));
        let as_reals = on(engine, &export(GraphKind::Nll, &plain), &one("image", &expected));
        assert_eq!(as_bytes, as_reals, "{name}");
    }
    let program = export(GraphKind::Sample, &turned);
    let program = Program { name: "sampler", onnx: &program, graph: None };
    let session = engine("ort").load(&program).expect("loads");
    assert_eq!(session.outputs()[0].elements, Elements::Byte);
    assert_eq!(session.inputs()[0].elements, Elements::Real);
    // A value that is not a byte gives an error that names the input.
    let program = export(GraphKind::Nll, &turned);
    for name in ["tract", "ort"] {
        let program = Program { name: "nll", onnx: &program, graph: None };
        let mut session = engine(name).load(&program).expect("loads");
        for wrong in [256.0, -1.0, 0.5, f32::NAN] {
            let image = Array::from_elem(vec![1, i.colours, i.height, i.width], wrong);
            let error = session.run(&[("image", &image)]).expect_err("not bytes").to_string();
            assert!(error.contains("expected whole numbers from 0 to 255"), "{error}");
        }
    }
    // Channels last, the layout of image libraries.
    let images = ImageFormat { layout: Some(ImageLayout::Nhwc), bytes: false };
    let last = export(GraphKind::Nll, &ExportOptions { images, ..plain.clone() });
    let image = numbers.images(&model, 2);
    let turned = image.clone().permuted_axes(vec![0, 2, 3, 1]).as_standard_layout().into_owned();
    let found = on(engine("ort"), &last, &one("image", &turned));
    assert_eq!(found, on(engine("ort"), &export(GraphKind::Nll, &plain), &one("image", &image)));
}

/// Given levels and masks have the layout of the images.
#[test]
fn completions_in_another_layout() {
    let model = zoo("digits-row-lstm", &[("h", 4), ("layers", 1), ("height", 3), ("colours", 2)]);
    let weights = weights(&model, 2);
    let sample = SampleOptions { complete: true, ..SampleOptions::default() };
    let plain = ExportOptions { sample, ..ExportOptions::with_weights(&weights) };
    let images = ImageFormat { layout: Some(ImageLayout::Nchw), bytes: true };
    let turned = ExportOptions { images, ..plain.clone() };
    let i = model.image();
    let mut numbers = Numbers::new(4);
    let shape = vec![2, i.height, i.width, i.colours];
    let uniform = Array::from_shape_simple_fn(shape.clone(), || numbers.unit() as f32);
    let given = numbers.levels(shape.clone(), i.levels);
    let mask = numbers.levels(shape, 2);
    let turn =
        |a: &Array| a.clone().permuted_axes(vec![0, 3, 1, 2]).as_standard_layout().into_owned();
    let named = |turn: &dyn Fn(&Array) -> Array| {
        let all = [("uniform", &uniform), ("given", &given), ("mask", &mask)];
        all.map(|(name, array)| (name.to_string(), turn(array))).to_vec()
    };
    let export =
        |options: &ExportOptions| model.export(GraphKind::Sample, options).expect("exports");
    for name in ["tract", "ort"] {
        let expected = on(engine(name), &export(&plain), &named(&|a| a.clone())).remove(0).1;
        let found = on(engine(name), &export(&turned), &named(&turn)).remove(0).1;
        assert_eq!(found, turn(&expected), "{name}");
        let mut kept = expected.iter().zip(&given).zip(&mask).filter(|(_, m)| **m == 1.0);
        assert!(kept.all(|((a, b), _)| a == b), "{name}");
    }
}

#[test]
fn options_that_do_not_suit_are_refused() {
    let model = zoo("digits-pixelcnn", &[("h", 4), ("layers", 1), ("height", 3), ("width", 3)]);
    let weights = weights(&model, 2);
    let with = ExportOptions::with_weights(&weights);
    let refused = |kind, options: &ExportOptions| match model.export(kind, options) {
        Err(Error::Options(text)) => text,
        other => panic!("{kind}: {:?}", other.map(|bytes| bytes.len())),
    };
    for dtype in [Dtype::F16, Dtype::Bf16, Dtype::Int8] {
        let options = ExportOptions { dtype, ..with.clone() };
        for kind in [GraphKind::Grad, GraphKind::Train, GraphKind::Update] {
            assert!(refused(kind, &options).contains(kind.name()));
        }
        let open = ExportOptions { dtype, ..ExportOptions::default() };
        assert!(refused(GraphKind::Nll, &open).contains("weights as inputs"));
    }
    let bytes = ImageFormat { layout: None, bytes: true };
    let turned = ImageFormat { layout: Some(ImageLayout::Nchw), bytes: false };
    for images in [bytes, turned] {
        let options = ExportOptions { images, ..with.clone() };
        for kind in [GraphKind::Step, GraphKind::Row, GraphKind::Grad] {
            assert!(refused(kind, &options).contains(kind.name()));
        }
    }
    let deep = zoo("digits-pixelcnn", &[("h", 4), ("layers", 1), ("height", 2), ("levels", 257)]);
    let weights = deep.initialize(0);
    let options = ExportOptions { images: bytes, ..ExportOptions::with_weights(&weights) };
    assert!(matches!(deep.export(GraphKind::Nll, &options), Err(Error::Options(_))));
}

/// A level of probability zero is not drawn, whatever the uniform numbers are.
#[test]
fn no_impossible_level_is_drawn() {
    const IMPOSSIBLE: f32 = -1e4;
    let odd = [1.0, f32::NAN, -1.0, 0.0, 0.5, f32::INFINITY, 7.0, 1.0 - f32::EPSILON / 2.0];
    for (levels, possible) in [(2, vec![0]), (2, vec![1]), (4, vec![1, 2]), (5, vec![3])] {
        let size = [("h", 4), ("layers", 1), ("height", 2), ("width", 4), ("levels", levels)];
        let model = zoo("digits-pixelcnn", &size);
        let mut weights = weights(&model, 2);
        weights.get_mut("logits.weight").expect("logits").fill(0.0);
        let bias = weights.get_mut("logits.bias").expect("logits");
        if levels == 2 {
            bias.fill(if possible[0] == 1 { -IMPOSSIBLE } else { IMPOSSIBLE });
        } else {
            let level = |i: usize| if possible.contains(&i) { 0.0 } else { IMPOSSIBLE };
            *bias = Array::from_shape_fn(vec![levels], |i| level(i[0]));
        }
        let allowed = |what: &str, drawn: &Array| {
            for level in drawn {
                assert!(possible.contains(&(*level as usize)), "{what}: level {level}");
                assert_eq!(level.fract(), 0.0, "{what}");
            }
        };
        let uniform = Array::from_shape_fn(vec![2, 2, 4, 1], |i| odd[(i[1] * 4 + i[2] + i[0]) % 8]);
        let options = ExportOptions::with_weights(&weights);
        let onnx = model.export(GraphKind::Sample, &options).expect("exports");
        let graph = model.graph_of(GraphKind::Sample).expect("a graph");
        let bound = pixelrnn::internal::passes::bind(&graph, &weights).expect("binds");
        for engine in engines() {
            let program = Program { name: "sample", onnx: &onnx, graph: Some(&bound) };
            let drawn = run(&**engine, &program, &[vec![("uniform", &uniform)]]).remove(0);
            allowed(engine.name(), &drawn[0].1);
        }
        // One step of an outer loop.
        let onnx = model.export(GraphKind::Step, &options).expect("exports");
        let mut inputs = inputs(&model, GraphKind::Step, 8);
        for (name, array) in &mut inputs {
            if name == "uniform" {
                *array = Array::from_shape_fn(vec![8, 1], |i| odd[i[0]]);
            }
        }
        for name in ["tract", "ort"] {
            let results = on(engine(name), &onnx, &inputs);
            let pixel = results.iter().find(|(name, _)| name == "pixel").expect("a pixel");
            allowed(name, &pixel.1);
        }
    }
}

/// Calls `see` for every node of a graph and of its bodies.
fn walk(
    graph: &OnnxGraph,
    see: &mut impl FnMut(&OnnxGraph, &pixelrnn::internal::graph::Node<OnnxOp>),
) {
    for (_, node) in graph.nodes() {
        see(graph, node);
        node.op.bodies().into_iter().for_each(|body| walk(body, see));
    }
}

/// OpenVINO can multiply two stacks of equally many matrices, or any stack by a single matrix. It rejects the
/// product of a single matrix and a stack, and that of a stack of one matrix and a longer stack.
#[test]
fn products_are_of_stacks_of_one_size() {
    for model in small_zoo(|_| true, None) {
        for kind in GraphKind::ALL {
            if model.scales().len() > 1 && matches!(kind, GraphKind::Step | GraphKind::Row) {
                continue;
            }
            let options = ExportOptions::default();
            let graph = model.compile(kind, &options, &mut |_, _| {}).expect("compiles");
            walk(&graph, &mut |graph, node| {
                if node.op == OnnxOp::MatMul {
                    let [a, b] = [0, 1].map(|i| &graph.ty(node.inputs[i]).shape);
                    let stacks = a.len() == b.len() && a[..a.len() - 2] == b[..b.len() - 2];
                    let what = format!("{} {kind} {}: {a:?} {b:?}", model.name(), node.name);
                    assert!(b.len() == 2 || stacks, "{what}");
                }
            });
        }
    }
}

/// If several outputs are the same constant, OpenVINO keeps the name of only one.
#[test]
fn outputs_are_constants_of_their_own() {
    let mut copies = 0;
    every(|model, kind, options| {
        let model = decode(&model.export(kind, options).expect("exports"));
        let graph = model.graph.expect("a graph");
        let literals: Vec<&str> = graph.initializer.iter().map(|t| t.name()).collect();
        let outputs: Vec<&str> = graph.output.iter().map(|o| o.name()).collect();
        let mut sources: Vec<&str> = Vec::new();
        for node in graph.node.iter().filter(|n| n.op_type() == "Identity") {
            let source = node.input[0].as_str();
            if outputs.contains(&node.output[0].as_str()) && literals.contains(&source) {
                assert!(!sources.contains(&source), "{source} is several outputs");
                sources.push(source);
            }
        }
        copies = copies.max(sources.len());
    });
    assert!(copies > 1, "no graph has two constant outputs");
}

/// Converters to float16 keep outputs in f32, so a node that reads an output would get the wrong type.
#[test]
fn no_node_reads_an_output() {
    fn reads(graph: &pixelrnn::internal::onnx::proto::GraphProto, found: &mut Vec<String>) {
        for node in &graph.node {
            found.extend(node.input.iter().cloned());
            node.attribute.iter().filter_map(|a| a.g.as_ref()).for_each(|body| reads(body, found));
        }
    }
    every(|model, kind, options| {
        let bytes = model.export(kind, options).expect("exports");
        let graph = decode(&bytes).graph.expect("a graph");
        let mut read = Vec::new();
        reads(&graph, &mut read);
        for output in &graph.output {
            let name = output.name().to_string();
            assert!(!read.contains(&name), "{} {kind}: `{name}` is read", model.name());
        }
    });
}

/// The tensors in a `config.pbtxt`: their names, types and dims.
fn configured(text: &str, what: &str) -> Vec<(String, String, Vec<i64>)> {
    let mut all = Vec::new();
    let after = |line: &str, key: &str| Some(line.trim().strip_prefix(key)?.trim().to_string());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line != format!("{what} [") {
            continue;
        }
        let (mut name, mut kind, mut dims) = (String::new(), String::new(), Vec::new());
        for line in lines.by_ref().take_while(|line| *line != "]") {
            if let Some(text) = after(line, "name:") {
                name = text.trim_matches('"').to_string();
            } else if let Some(text) = after(line, "data_type:") {
                kind = text;
            } else if let Some(text) = after(line, "dims:") {
                let inside = text.trim_matches(['[', ']']).split(',');
                dims = inside.map(|n| n.trim().parse().expect("a number")).collect();
            }
        }
        all.push((name, kind, dims));
    }
    all
}

#[test]
fn a_triton_repository_says_what_its_models_are() {
    for bytes in [false, true] {
        for batch in [Batch::Symbolic, Batch::Fixed(2)] {
            let names = ["digits-diagonal", "digits-gated-class", "digits-multiscale"];
            for model in small_zoo(|name| names.contains(&name), None) {
                let weights = weights(&model, 3);
                let images = ImageFormat { layout: None, bytes };
                let options =
                    ExportOptions { batch, images, ..ExportOptions::with_weights(&weights) };
                let files: BTreeMap<_, _> =
                    triton::repository(&model, &options).expect("exports").into_iter().collect();
                assert_eq!(files.len(), 4);
                let mut image: Option<Array> = None;
                for (name, kind) in triton::MODELS {
                    let file = |path: &str| &files[&std::path::Path::new(name).join(path)];
                    let config = String::from_utf8(file("config.pbtxt").clone()).expect("text");
                    assert!(config.contains(&format!("\nname: \"{name}\"\n")), "{config}");
                    assert!(config.contains("\nbackend: \"onnxruntime\"\n"), "{config}");
                    assert!(config.contains("\nmax_batch_size: 0\n"), "{config}");
                    let onnx = file("1/model.onnx");
                    let proto = decode(onnx).graph.expect("a graph");
                    for (what, tensors) in [("input", &proto.input), ("output", &proto.output)] {
                        let declared: Vec<_> = tensors.iter().map(described).collect();
                        assert_eq!(configured(&config, what), declared, "{name}");
                    }
                    // Both models can be loaded and run, and `nll` accepts the output of `sampler`.
                    let mut all: Outputs = Vec::new();
                    for (input, _, dims) in configured(&config, "input") {
                        let dims: Vec<usize> =
                            dims.iter().map(|&n| usize::try_from(n).unwrap_or(2)).collect();
                        let array = match (input.as_str(), &image) {
                            ("image", Some(image)) => image.clone(),
                            ("uniform", _) => Array::from_elem(dims, 0.4),
                            _ => Array::zeros(dims),
                        };
                        all.push((input, array));
                    }
                    let results = on(engine("ort"), onnx, &all);
                    assert!(results.iter().all(|(_, a)| a.iter().all(|x| x.is_finite())));
                    assert_eq!(results[0].1.len_of(Axis(0)), 2);
                    if kind == GraphKind::Sample {
                        image = Some(results[0].1.clone());
                    }
                }
            }
        }
    }
}

/// A tensor of a model file in the form of a configuration.
fn described(
    value: &pixelrnn::internal::onnx::proto::ValueInfoProto,
) -> (String, String, Vec<i64>) {
    use pixelrnn::internal::onnx::proto::{tensor_shape_proto::dimension, type_proto};
    let Some(type_proto::Value::TensorType(ty)) =
        value.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        panic!("`{}` is not a tensor", value.name());
    };
    let kind = match ty.elem_type() {
        1 => "TYPE_FP32",
        2 => "TYPE_UINT8",
        7 => "TYPE_INT64",
        other => panic!("`{}` has elements of kind {other}", value.name()),
    };
    let dims = ty.shape.as_ref().expect("a shape").dim.iter().map(|d| match d.value {
        Some(dimension::Value::DimValue(n)) => n,
        _ => -1,
    });
    (value.name().to_string(), kind.to_string(), dims.collect())
}
