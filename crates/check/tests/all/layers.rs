//! Patterns of random graphs: attention, reductions, moves, loops, layers and quantization.

use pixelrnn_onnx::proto::tensor_proto::DataType;

use super::build::{Net, body, info, int, ints};
use super::generate::{Maker, Pattern, float, text, typed};

pub const PATTERNS: &[(&str, Pattern)] = &[
    ("attention, added mask", |m, x| {
        let (scores, values, n) = m.tokens(x);
        let low = m.random.pick(&[f32::NEG_INFINITY, -1e4, -1e9, -50.0]);
        let mask = m.triangle(n, low);
        let scores = m.op("Add", &[&scores, &mask], &[]);
        let weights = m.op("Softmax", &[&scores], &[int("axis", -1)]);
        m.untokens(&weights, &values)
    }),
    ("attention, chosen mask", |m, x| {
        let (scores, values, n) = m.tokens(x);
        let mask = m.triangle(n, 1.0);
        let mask = m.cast(&mask, DataType::Bool);
        let low = m.random.pick(&[f32::NEG_INFINITY, -1e4, -1e9]);
        let low = m.scalar(low);
        let scores = m.op("Where", &[&mask, &low, &scores], &[]);
        let weights = m.op("Softmax", &[&scores], &[int("axis", -1)]);
        m.untokens(&weights, &values)
    }),
    ("attention by hand", |m, x| {
        let (scores, values, n) = m.tokens(x);
        let mask = m.triangle(n, 1.0);
        let low = m.random.pick(&[1e10, 1e4]);
        let low = m.scalar(low);
        let low = m.op("Mul", &[&mask, &low], &[]);
        let scores = m.op("Sub", &[&scores, &low], &[]);
        let last = m.net.whole(&[-1]);
        let top = m.op("ReduceMax", &[&scores, &last], &[]);
        let scores = m.op("Sub", &[&scores, &top], &[]);
        let e = m.op("Exp", &[&scores], &[]);
        let one = m.scalar(1.0);
        let keep = m.op("Sub", &[&one, &mask], &[]);
        let e = m.op("Mul", &[&e, &keep], &[]);
        let last = m.net.whole(&[-1]);
        let sum = m.op("ReduceSum", &[&e, &last], &[]);
        let small = m.scalar(1e-6);
        let sum = m.op("Add", &[&sum, &small], &[]);
        let weights = m.op("Div", &[&e, &sum], &[]);
        m.untokens(&weights, &values)
    }),
    ("reduction", |m, x| {
        let ops =
            ["ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceProd", "ReduceLogSumExp"];
        let op = m.random.pick(&ops);
        let axis = 1 + m.random.below(3) as i64;
        let axis = m.net.whole(&[axis]);
        let y = m.op(op, &[x, &axis], &[]);
        m.op("Add", &[x, &y], &[])
    }),
    ("ReduceSum of a mask", |m, x| {
        let dims = m.dims();
        let mask = m.mask(&dims);
        let y = m.op("Mul", &[x, &mask], &[]);
        let axis = m.net.whole(&[3]);
        let y = m.op("ReduceSum", &[&y, &axis], &[]);
        let dims = m.net.whole(&dims);
        m.op("Expand", &[&y, &dims], &[])
    }),
    ("CumSum", |m, x| {
        let axis = 1 + m.random.below(3) as i64;
        let axis = m.net.scalar(axis);
        let (e, r) = (m.random.below(2) as i64, m.random.below(2) as i64);
        m.op("CumSum", &[x, &axis], &[int("exclusive", e), int("reverse", r)])
    }),
    ("shift by Pad and Slice", |m, x| {
        let y = m.net.pad(x, &[0, 0, 1, 0, 0, 0, 0, 0]);
        m.net.slice(&y, 2, 0, m.h, 1)
    }),
    ("Pad, reflected", |m, x| {
        let pads = m.net.whole(&[0, 0, 1, 1, 0, 0, 0, 0]);
        let mode = m.random.pick(&["reflect", "edge"]);
        let y = m.op("Pad", &[x, &pads], &[text("mode", mode)]);
        let y = m.net.slice(&y, 2, 0, m.h, 1);
        m.net.slice(&y, 3, 0, m.w, 1)
    }),
    ("Slice backward", |m, x| {
        let axis = 2 + m.random.below(2) as i64;
        m.net.flip(x, axis)
    }),
    ("Slice with any bounds", |m, x| {
        let axis = 2 + m.random.below(2) as i64;
        let bound = |m: &mut Maker| match m.random.below(8) {
            0 => i64::MIN,
            n => 2 * n as i64 - 9,
        };
        let (start, end) = (bound(m), bound(m));
        let step = m.random.pick(&[-2, -1, 1, 2]);
        let y = m.net.slice(x, axis, start, end, step);
        let axes = m.net.whole(&[axis]);
        let sum = m.op("ReduceSum", &[&y, &axes], &[]);
        m.op("Add", &[x, &sum], &[])
    }),
    ("Split and Concat", |m, x| {
        let sizes = m.net.whole(&[1, m.h - 1]);
        let parts = m.net.nodes("Split", &[x, &sizes], &[typed(int("axis", 2))], 2);
        m.op("Concat", &[&parts[1], &parts[0]], &[int("axis", 2)])
    }),
    ("Tile", |m, x| {
        let repeats = m.net.whole(&[1, 1, 2, 1]);
        let y = m.op("Tile", &[x, &repeats], &[]);
        m.net.slice(&y, 2, 1, m.h + 1, 1)
    }),
    ("Gather", |m, x| {
        let list: Vec<i64> = (0..m.w).map(|_| m.random.below(m.w as usize) as i64).collect();
        let list = m.net.whole(&list);
        m.op("Gather", &[x, &list], &[int("axis", 3)])
    }),
    ("Gather by value", |m, x| {
        let n = m.size(2);
        let index = m.net.slice(x, 2, 0, 1, 1);
        let index = m.net.reshape(&index, &[m.c * m.w]);
        let index = m.net.slice(&index, 0, 0, 1, 1);
        let index = m.indices(&index, n);
        let y = m.op("Gather", &[x, &index], &[int("axis", 2)]);
        m.op("Sub", &[x, &y], &[])
    }),
    ("GatherElements by value", |m, x| {
        let index = m.indices(x, m.w);
        m.op("GatherElements", &[x, &index], &[int("axis", 3)])
    }),
    ("GatherND", |m, x| {
        let list: Vec<i64> = (0..m.h).flat_map(|y| [0, 0, m.h - 1 - y]).collect();
        let flat = m.net.whole(&list);
        let index = m.net.reshape(&flat, &[m.h, 3]);
        let y = m.op("GatherND", &[x, &index], &[]);
        let y = m.net.reshape(&y, &[1, 1, m.h, m.w]);
        m.op("Add", &[x, &y], &[])
    }),
    ("ScatterND", |m, x| {
        let flat = m.net.whole(&[0, 0, 0, 0]);
        let index = m.net.reshape(&flat, &[1, 4]);
        let update = m.net.slice(x, 3, -1, i64::MAX, 1);
        let update = m.net.reshape(&update, &[m.c * m.h]);
        let update = m.net.slice(&update, 0, -1, i64::MAX, 1);
        let mode = m.random.pick(&["none", "add", "max"]);
        m.op("ScatterND", &[x, &index, &update], &[text("reduction", mode)])
    }),
    ("ScatterElements", |m, x| {
        let n = m.n();
        let list: Vec<i64> = (0..n).map(|_| m.random.below(m.w as usize) as i64).collect();
        let flat = m.net.whole(&list);
        let index = m.home(&flat);
        let attributes = [int("axis", 3), text("reduction", "add")];
        m.op("ScatterElements", &[x, &index, x], &attributes)
    }),
    ("OneHot", |m, x| {
        let index = m.indices(x, 2);
        let depth = m.net.whole(&[2]);
        let limits = m.random.pick(&[[0.0, 1.0], [3.0, 3.0], [-1.0, 2.0]]);
        let values = m.net.floats(&[2], &limits);
        let y = m.op("OneHot", &[&index, &depth, &values], &[int("axis", -1)]);
        let last = m.net.whole(&[-1]);
        let y = m.net.slice(&y, 4, 1, 2, 1);
        m.op("Squeeze", &[&y, &last], &[])
    }),
    ("TopK", |m, x| {
        let k = m.net.whole(&[m.w]);
        let which = m.random.below(2);
        let y = m.net.nodes("TopK", &[x, &k], &[typed(int("axis", 3))], 2).remove(which);
        m.cast(&y, DataType::Float)
    }),
    ("ArgMax", |m, x| {
        let y = m.op("ArgMax", &[x], &[int("axis", 3)]);
        let y = m.cast(&y, DataType::Float);
        m.op("Add", &[x, &y], &[])
    }),
    ("Trilu", |m, x| {
        let upper = m.random.below(2) as i64;
        m.op("Trilu", &[x], &[int("upper", upper)])
    }),
    ("depth and space", |m, x| {
        let four = m.op("Concat", &[x, x, x, x], &[int("axis", 1)]);
        let y = m.op("DepthToSpace", &[&four], &[int("blocksize", 2)]);
        let y = m.op("SpaceToDepth", &[&y], &[int("blocksize", 2)]);
        m.net.slice(&y, 1, 0, m.c, 1)
    }),
    ("LayerNormalization", |m, x| {
        let scale = m.weights(&[m.w]);
        m.op("LayerNormalization", &[x, &scale], &[int("axis", -1)])
    }),
    ("InstanceNormalization", |m, x| {
        let (scale, offset) = (m.weights(&[m.c]), m.weights(&[m.c]));
        m.op("InstanceNormalization", &[x, &scale, &offset], &[])
    }),
    ("BatchNormalization", |m, x| {
        let (scale, offset) = (m.weights(&[m.c]), m.weights(&[m.c]));
        let mean = m.weights(&[m.c]);
        let variance = m.net.floats(&[m.c], &vec![1.5; m.c as usize]);
        m.op("BatchNormalization", &[x, &scale, &offset, &mean, &variance], &[])
    }),
    ("LRN", |m, x| m.op("LRN", &[x], &[int("size", 3)])),
    ("LpNormalization", |m, x| m.op("LpNormalization", &[x], &[int("axis", 3)])),
    ("Loop over rows", |m, x| {
        let mut step =
            Net { opset: 18, prefix: format!("loop{}_", m.net.graph.node.len()), ..Net::default() };
        let p = step.prefix.clone();
        let (i, go, sum) = (format!("{p}i"), format!("{p}go"), format!("{p}sum"));
        step.graph.input.push(info(&i, DataType::Int64, &[]));
        step.graph.input.push(info(&go, DataType::Bool, &[]));
        step.input(&sum, &[1, m.c, m.w]);
        let same = step.node("Identity", &[&go], &[]);
        let row = step.node("Gather", &[x, &i], &[typed(int("axis", 2))]);
        let half = step.floats(&[], &[0.5]);
        let decayed = step.node("Mul", &[&sum, &half], &[]);
        let next = step.node("Add", &[&decayed, &row], &[]);
        let before = step.node("Identity", &[&sum], &[]);
        step.graph.output.push(info(&same, DataType::Bool, &[]));
        step.output(&next, &[1, m.c, m.w]);
        step.output(&before, &[1, m.c, m.w]);
        let start = m.net.floats(&[1, m.c, m.w], &vec![0.0; (m.c * m.w) as usize]);
        let count = m.net.scalar(m.h);
        step.graph.name = Some(format!("{p}body"));
        let attributes = [typed(body("body", step.graph))];
        let y = m.net.nodes("Loop", &[&count, "", &start], &attributes, 2).remove(1);
        m.op("Transpose", &[&y], &[ints("perm", &[1, 2, 0, 3])])
    }),
    ("Scan over columns", |m, x| {
        let mut step =
            Net { opset: 18, prefix: format!("scan{}_", m.net.graph.node.len()), ..Net::default() };
        let p = step.prefix.clone();
        let (sum, column) = (format!("{p}sum"), format!("{p}column"));
        step.input(&sum, &[1, m.c, m.h]);
        step.input(&column, &[1, m.c, m.h]);
        let next = step.node("Max", &[&sum, &column], &[]);
        let before = step.node("Identity", &[&sum], &[]);
        step.output(&next, &[1, m.c, m.h]);
        step.output(&before, &[1, m.c, m.h]);
        step.graph.name = Some(format!("{p}body"));
        let back = m.random.below(2) as i64;
        let start = m.net.floats(&[1, m.c, m.h], &vec![0.0; (m.c * m.h) as usize]);
        let attributes = [
            body("body", step.graph),
            int("num_scan_inputs", 1),
            ints("scan_input_axes", &[3]),
            ints("scan_output_axes", &[3]),
            ints("scan_input_directions", &[back]),
            ints("scan_output_directions", &[back]),
        ]
        .map(typed);
        m.net.nodes("Scan", &[&start, x], &attributes, 2).remove(1)
    }),
    ("If by value", |m, x| {
        let first = m.net.reshape(x, &[m.n() as i64]);
        let first = m.net.slice(&first, 0, 0, 1, 1);
        let scalar = m.net.whole(&[0]);
        let first = m.op("Squeeze", &[&first, &scalar], &[]);
        let limit = m.random.pick(&[-5.0, 40.0]);
        let limit = m.scalar(limit);
        let condition = m.op("Greater", &[&first, &limit], &[]);
        let dims = m.dims();
        let branch = |op: &str| {
            let prefix = format!("{op}{}_", m.net.graph.node.len());
            let mut b = Net { opset: 18, prefix: prefix.clone(), ..Net::default() };
            let y = b.node(op, &[x], &[]);
            b.output(&y, &dims);
            b.graph.name = Some(format!("{prefix}body"));
            b.graph
        };
        let branches = [body("then_branch", branch("Neg")), body("else_branch", branch("Abs"))];
        m.op("If", &[&condition], &branches)
    }),
    ("LSTM", |m, x| recurrent(m, x, "LSTM", 4)),
    ("GRU", |m, x| recurrent(m, x, "GRU", 3)),
    ("RNN", |m, x| recurrent(m, x, "RNN", 1)),
    ("quantized", |m, x| {
        let scale = m.random.pick(&[1.0, 0.01, 500.0]);
        let scale = m.scalar(scale);
        let zero = m.tensor(DataType::Uint8, &[], &[3]);
        let y = m.op("QuantizeLinear", &[x, &scale, &zero], &[]);
        m.op("DequantizeLinear", &[&y, &scale, &zero], &[])
    }),
    ("quantized weights", |m, x| {
        let n = (m.c * m.c * 9) as usize;
        let bits = m.bits(n);
        let list: Vec<i32> = bits.iter().map(|&b| if b { 130 } else { 128 }).collect();
        let w = m.tensor(DataType::Uint8, &[m.c, m.c, 3, 3], &list);
        let scale = m.scalar(0.1);
        let zero = m.tensor(DataType::Uint8, &[], &[128]);
        let w = m.op("DequantizeLinear", &[&w, &scale, &zero], &[]);
        m.op("Conv", &[x, &w], &[ints("pads", &[1; 4])])
    }),
    ("quantized dynamically", |m, x| {
        let y = m.net.nodes("DynamicQuantizeLinear", &[x], &[], 3);
        m.op("DequantizeLinear", &[&y[0], &y[1], &y[2]], &[])
    }),
    ("MatMulInteger", |m, x| {
        let y = m.net.nodes("DynamicQuantizeLinear", &[x], &[], 3);
        let bits = m.bits((m.w * m.w) as usize);
        let list: Vec<i32> = bits.iter().map(|&b| if b { 130 } else { 128 }).collect();
        let w = m.tensor(DataType::Uint8, &[m.w, m.w], &list);
        let zero = m.tensor(DataType::Uint8, &[], &[128]);
        let y = m.op("MatMulInteger", &[&y[0], &w, &y[2], &zero], &[]);
        m.cast(&y, DataType::Float)
    }),
    ("resized", |m, x| {
        let mode = m.random.pick(&["nearest", "linear", "cubic"]);
        let way = m.random.pick(&["asymmetric", "half_pixel", "align_corners"]);
        let up = m.net.floats(&[4], &[1.0, 1.0, 2.0, 2.0]);
        let none = m.net.floats(&[0], &[]);
        let attributes = [
            text("mode", mode),
            text("coordinate_transformation_mode", way),
            text("nearest_mode", "floor"),
        ];
        let y = m.op("Resize", &[x, &none, &up], &attributes);
        let y = m.net.slice(&y, 2, 0, i64::MAX, 2);
        m.net.slice(&y, 3, 1, i64::MAX, 2)
    }),
    ("sequence", |m, x| {
        let one = m.net.scalar(1);
        let rows = m.op("SplitToSequence", &[x, &one], &[int("axis", 2)]);
        let at = m.net.scalar(-1);
        let last = m.op("SequenceAt", &[&rows, &at], &[]);
        let zero = m.net.scalar(0);
        let rows = m.op("SequenceErase", &[&rows, &at], &[]);
        let rows = m.op("SequenceInsert", &[&rows, &last, &zero], &[]);
        m.op("ConcatFromSequence", &[&rows], &[int("axis", 2)])
    }),
    ("GridSample", |m, x| {
        let n = (m.h * m.w * 2) as usize;
        let grid: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37) % 1.6 - 0.8).collect();
        let grid = m.net.floats(&[1, m.h, m.w, 2], &grid);
        m.op("GridSample", &[x, &grid], &[])
    }),
    ("GridSample in all its ways", |m, x| {
        let n = (m.h * m.w * 2) as usize;
        let places = [-1.4, -1.0, -0.75, -0.5, -0.25, 0.0, 1.0 / 3.0, 0.5, 0.8, 1.0, 1.2];
        let grid: Vec<f32> = (0..n).map(|_| m.random.pick(&places)).collect();
        let grid = m.net.floats(&[1, m.h, m.w, 2], &grid);
        let mut attributes = vec![int("align_corners", m.random.below(2) as i64)];
        attributes.push(text("padding_mode", m.random.pick(&["zeros", "border", "reflection"])));
        if m.random.chance(50) {
            attributes.push(text("mode", "nearest"));
        }
        m.op("GridSample", &[x, &grid], &attributes)
    }),
    ("Loop that values end", |m, x| {
        let mut step = Net { prefix: format!("end{}_", m.net.graph.node.len()), ..Net::empty() };
        let dims = m.dims();
        let p = step.prefix.clone();
        let (i, go, s) = (format!("{p}i"), format!("{p}go"), format!("{p}s"));
        step.graph.name = Some(format!("{p}body"));
        step.graph.input.push(info(&i, DataType::Int64, &[]));
        step.graph.input.push(info(&go, DataType::Bool, &[]));
        step.input(&s, &dims);
        let half = step.floats(&[], &[0.5]);
        let s = step.node("Mul", &[&s, &half], &[]);
        let s = step.flip(&s, 3);
        let first = step.reshape(&s, &[-1]);
        let first = step.slice(&first, 0, 0, 1, 1);
        let one = step.floats(&[], &[1.0]);
        let go = step.node("Greater", &[&first, &one], &[]);
        let scalar = step.whole(&[]);
        let go = step.node("Reshape", &[&go, &scalar], &[]);
        step.graph.output.push(info(&go, DataType::Bool, &[]));
        step.output(&s, &dims);
        let limit = m.random.pick(&[1, 3, 8]);
        let trips = m.net.scalar(limit);
        m.net.node("Loop", &[&trips, "", x], &[typed(body("body", step.graph))])
    }),
    ("Attention", |m, x| {
        m.net.opset = 23;
        let n = m.h * m.w;
        let flat = m.net.reshape(x, &[1, m.c, n]);
        let v = m.op("Transpose", &[&flat], &[ints("perm", &[0, 2, 1])]);
        let scale = m.random.pick(&[0.001, 0.02, 0.3]);
        let scale = m.scalar(scale);
        let q = m.op("Mul", &[&v, &scale], &[]);
        let mut attributes = vec![
            int("q_num_heads", 1),
            int("kv_num_heads", 1),
            int("is_causal", m.random.below(2) as i64),
        ];
        if m.random.chance(30) {
            attributes.push(float("softcap", 2.0));
        }
        let mut inputs = vec![q.clone(), q, v];
        if m.random.chance(50) {
            let low = m.random.pick(&[f32::NEG_INFINITY, -1e4, -50.0]);
            inputs.push(m.triangle(n, low));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let y = m.op("Attention", &inputs, &attributes);
        let y = m.op("Transpose", &[&y], &[ints("perm", &[0, 2, 1])]);
        m.home(&y)
    }),
    ("CenterCropPad", |m, x| {
        let shape = m.net.whole(&[m.h + 1, m.w - 1]);
        let axes = ints("axes", &[2, 3]);
        let y = m.op("CenterCropPad", &[x, &shape], std::slice::from_ref(&axes));
        let shape = m.net.whole(&[m.h, m.w]);
        m.op("CenterCropPad", &[&y, &shape], &[axes])
    }),
];

/// A recurrent layer over the pixels in raster order.
fn recurrent(m: &mut Maker, x: &str, op: &str, gates: i64) -> String {
    let (t, h) = (m.h * m.w, m.c);
    let y = m.net.reshape(x, &[m.c, t]);
    let y = m.op("Transpose", &[&y], &[ints("perm", &[1, 0])]);
    let small = m.scalar(0.01);
    let y = m.op("Mul", &[&y, &small], &[]);
    let seq = m.net.reshape(&y, &[t, 1, m.c]);
    let w = m.weights(&[1, gates * h, m.c]);
    let r = m.weights(&[1, gates * h, h]);
    let b = m.weights(&[1, 2 * gates * h]);
    let mut attributes = vec![int("hidden_size", h)];
    let back = m.random.chance(30);
    attributes.push(text("direction", if back { "reverse" } else { "forward" }));
    if op == "GRU" {
        attributes.push(int("linear_before_reset", m.random.below(2) as i64));
    }
    let y = m.op(op, &[&seq, &w, &r, &b], &attributes);
    let y = m.net.reshape(&y, &[t, h]);
    let y = m.op("Transpose", &[&y], &[ints("perm", &[1, 0])]);
    m.home(&y)
}
