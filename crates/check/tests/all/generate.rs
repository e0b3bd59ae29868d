//! Random graphs over small images, made of many kinds of operators: each pattern takes a map of
//! the image's shape and gives another one.

use pixelrnn_onnx::proto::tensor_proto::DataType;
use pixelrnn_onnx::proto::{AttributeProto, TensorProto};

use super::build::{Net, body, info, int, ints};

/// Random numbers, the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// A graph being made.
pub struct Maker {
    pub net: Net,
    pub random: Random,
    pub c: i64,
    pub h: i64,
    pub w: i64,
}

pub type Pattern = fn(&mut Maker, &str) -> String;

/// A graph of a few patterns, its image's extents, and the names of the patterns.
pub fn graph(seed: u64) -> (Vec<u8>, [usize; 3], Vec<&'static str>) {
    let mut random = Random(seed);
    let (c, h, w) = (1 + random.below(2), 2 + random.below(3), 2 + random.below(3));
    let net = Net::image(c as i64, h as i64, w as i64);
    let mut m = Maker { net, random, c: c as i64, h: h as i64, w: w as i64 };
    let count = 1 + m.random.below(4);
    let (mut x, mut names) = ("x".to_string(), Vec::new());
    let mut before = x.clone();
    for _ in 0..count {
        let (name, pattern) = m.random.pick(PATTERNS);
        names.push(name);
        let y = pattern(&mut m, &x);
        before = std::mem::replace(&mut x, y);
    }
    // Now and then what came before is joined in.
    if m.random.chance(20) {
        x = m.net.node("Add", &[&x, &before], &[]);
    }
    let dims = m.dims();
    m.net.output(&x, &dims);
    m.net.graph.input[0] = info("x", DataType::Float, &dims);
    (m.net.bytes(&x), [c, h, w], names)
}

fn float(name: &str, x: f32) -> AttributeProto {
    AttributeProto { name: Some(name.into()), f: Some(x), r#type: Some(1), ..Default::default() }
}

fn text(name: &str, s: &str) -> AttributeProto {
    let s = Some(s.as_bytes().to_vec());
    AttributeProto { name: Some(name.into()), s, r#type: Some(3), ..Default::default() }
}

impl Maker {
    pub fn dims(&self) -> Vec<i64> {
        vec![1, self.c, self.h, self.w]
    }

    fn n(&self) -> usize {
        (self.c * self.h * self.w) as usize
    }

    fn size(&self, axis: usize) -> i64 {
        self.dims()[axis]
    }

    fn op(&mut self, op: &str, inputs: &[&str], attributes: &[AttributeProto]) -> String {
        let typed: Vec<AttributeProto> = attributes.iter().cloned().map(typed).collect();
        self.net.node(op, inputs, &typed)
    }

    fn scalar(&mut self, x: f32) -> String {
        self.net.floats(&[], &[x])
    }

    fn number(&mut self) -> f32 {
        self.random.pick(&[0.0, 0.5, 1.0, -1.0, 2.0, -3.0, 0.25, 100.0, -1e4, 1e-3, 255.0])
    }

    /// Weights with zeros in random places.
    fn weights(&mut self, dims: &[i64]) -> String {
        let n = dims.iter().product::<i64>() as usize;
        let zeros = self.random.pick(&[20, 50, 80]);
        let values: Vec<f32> = (0..n)
            .map(|_| match self.random.chance(zeros) {
                true => 0.0,
                false => self.random.pick(&[0.5, -0.25, 1.0, -1.5, 0.125]),
            })
            .collect();
        self.net.floats(dims, &values)
    }

    /// Zeros and ones.
    fn bits(&mut self, n: usize) -> Vec<bool> {
        (0..n).map(|_| self.random.chance(50)).collect()
    }

    fn mask(&mut self, dims: &[i64]) -> String {
        let bits = self.bits(dims.iter().product::<i64>() as usize);
        let values: Vec<f32> = bits.iter().map(|&b| f32::from(u8::from(b))).collect();
        self.net.floats(dims, &values)
    }

    fn truths(&mut self, dims: &[i64]) -> String {
        let mask = self.mask(dims);
        self.cast(&mask, DataType::Bool)
    }

    fn cast(&mut self, x: &str, to: DataType) -> String {
        self.op("Cast", &[x], &[int("to", to as i64)])
    }

    fn tensor(&mut self, data_type: DataType, dims: &[i64], values: &[i32]) -> String {
        let name = format!("t{}", self.net.graph.initializer.len() + self.net.graph.node.len());
        self.net.graph.initializer.push(TensorProto {
            name: Some(name.clone()),
            dims: dims.to_vec(),
            data_type: Some(data_type as i32),
            int32_data: values.to_vec(),
            ..Default::default()
        });
        name
    }

    /// Back to the image's shape.
    fn home(&mut self, x: &str) -> String {
        let dims = self.dims();
        self.net.reshape(x, &dims)
    }

    /// Whole numbers in the range of an axis, made of the values.
    fn indices(&mut self, x: &str, extent: i64) -> String {
        let scale = self.scalar(0.02);
        let y = self.op("Mul", &[x, &scale], &[]);
        let (low, high) = (self.scalar(0.0), self.scalar(extent as f32 - 1.0));
        let y = self.op("Clip", &[&y, &low, &high], &[]);
        self.cast(&y, DataType::Int64)
    }

    /// A matrix of scores between positions, and the values, from maps.
    fn tokens(&mut self, x: &str) -> (String, String, i64) {
        let n = self.h * self.w;
        let flat = self.net.reshape(x, &[1, self.c, n]);
        let keys = self.op("Transpose", &[&flat], &[ints("perm", &[0, 2, 1])]);
        let scale = self.random.pick(&[0.001, 0.02, 0.3]);
        let scale = self.scalar(scale);
        let queries = self.op("Mul", &[&keys, &scale], &[]);
        (self.op("MatMul", &[&queries, &flat], &[]), keys, n)
    }

    fn untokens(&mut self, weights: &str, values: &str) -> String {
        let y = self.op("MatMul", &[weights, values], &[]);
        let y = self.op("Transpose", &[&y], &[ints("perm", &[0, 2, 1])]);
        self.home(&y)
    }

    fn triangle(&mut self, n: i64, low: f32) -> String {
        let strict = self.random.chance(50);
        let at = |i: i64| if i % n > i / n || (strict && i % n == i / n) { low } else { 0.0 };
        let values: Vec<f32> = (0..n * n).map(at).collect();
        self.net.floats(&[1, n, n], &values)
    }
}

/// The type of an attribute, which ONNX Runtime wants.
fn typed(mut a: AttributeProto) -> AttributeProto {
    if a.r#type.is_none() {
        a.r#type = Some(match () {
            () if a.g.is_some() => 5,
            () if a.i.is_some() => 2,
            () if a.t.is_some() => 4,
            () if !a.strings.is_empty() => 8,
            () => 7,
        });
    }
    a
}

macro_rules! unary {
    ($op:literal) => {
        ($op, |m, x| m.op($op, &[x], &[]))
    };
}

macro_rules! scaled {
    ($op:literal, $by:literal) => {
        ($op, |m, x| {
            let by = m.scalar($by);
            let y = m.op("Mul", &[x, &by], &[]);
            m.op($op, &[&y], &[])
        })
    };
}

macro_rules! through {
    ($name:literal, $to:ident, $f:expr) => {
        ($name, |m, x| {
            let y = m.cast(x, DataType::$to);
            let f: fn(&mut Maker, &str) -> String = $f;
            let y = f(m, &y);
            m.cast(&y, DataType::Float)
        })
    };
}

/// All patterns, by name.
pub const PATTERNS: &[(&str, Pattern)] = &[
    unary!("Relu"),
    unary!("LeakyRelu"),
    unary!("Sigmoid"),
    unary!("Tanh"),
    unary!("Abs"),
    unary!("Neg"),
    unary!("Floor"),
    unary!("Ceil"),
    unary!("Round"),
    unary!("Sign"),
    unary!("Erf"),
    unary!("Softplus"),
    unary!("HardSigmoid"),
    unary!("HardSwish"),
    unary!("ThresholdedRelu"),
    unary!("Elu"),
    unary!("Reciprocal"),
    unary!("Sqrt"),
    unary!("Log"),
    unary!("Softsign"),
    scaled!("Exp", 0.01),
    scaled!("Sin", 0.1),
    scaled!("Selu", 0.1),
    ("Exp of far negative", |m, x| {
        let by = m.random.pick(&[-0.5, -1.0, -50.0]);
        let by = m.scalar(by);
        let y = m.op("Mul", &[x, &by], &[]);
        m.op("Exp", &[&y], &[])
    }),
    ("constant arithmetic", |m, x| {
        let op = m.random.pick(&["Add", "Sub", "Mul", "Div", "Max", "Min"]);
        let number = m.number();
        let c = m.scalar(number);
        m.op(op, &[x, &c], &[])
    }),
    ("mask times", |m, x| {
        let dims = m.dims();
        let mask = m.mask(&dims);
        m.op("Mul", &[x, &mask], &[])
    }),
    ("zero times what may be infinite", |m, x| {
        let dims = m.dims();
        let mask = m.mask(&dims);
        let y = m.op("Log", &[x], &[]);
        m.op("Mul", &[&y, &mask], &[])
    }),
    ("Where by mask", |m, x| {
        let dims = m.dims();
        let mask = m.truths(&dims);
        let number = m.number();
        let c = m.scalar(number);
        m.op("Where", &[&mask, x, &c], &[])
    }),
    ("Where by value", |m, x| {
        let limit = m.random.pick(&[-2.0, 0.0, 50.0, 300.0]);
        let c = m.scalar(limit);
        let op = m.random.pick(&["Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal"]);
        let condition = m.op(op, &[x, &c], &[]);
        let y = m.op("Transpose", &[x], &[ints("perm", &[0, 1, 2, 3])]);
        let zero = m.scalar(0.0);
        m.op("Where", &[&condition, &y, &zero], &[])
    }),
    ("rolled maximum", |m, x| {
        let y = rolled(m, x, 3);
        let op = m.random.pick(&["Max", "Min", "Mul", "Sub", "Add"]);
        m.op(op, &[x, &y], &[])
    }),
    ("Pow", |m, x| {
        let by = m.random.pick(&[0.0, 1.0, 2.0, 3.0, 0.5, -1.0]);
        let c = m.scalar(by);
        m.op("Pow", &[x, &c], &[])
    }),
    ("Clip", |m, x| {
        let (a, b) = m.random.pick(&[(0.0, 1.0), (-300.0, -2.0), (100.0, 200.0), (300.0, 400.0)]);
        let (a, b) = (m.scalar(a), m.scalar(b));
        m.op("Clip", &[x, &a, &b], &[])
    }),
    ("Mod", |m, x| {
        let c = m.scalar(7.0);
        m.op("Mod", &[x, &c], &[int("fmod", 1)])
    }),
    ("PRelu", |m, x| {
        let slope = m.weights(&[m.c, 1, 1]);
        m.op("PRelu", &[x, &slope], &[])
    }),
    ("logic", |m, x| {
        let limit = m.scalar(20.0);
        let a = m.op("Greater", &[x, &limit], &[]);
        let dims = m.dims();
        let b = m.truths(&dims);
        let op = m.random.pick(&["And", "Or", "Xor"]);
        let y = m.op(op, &[&a, &b], &[]);
        let y = m.op("Not", &[&y], &[]);
        m.cast(&y, DataType::Float)
    }),
    through!("int32 arithmetic", Int32, |m, y| {
        let n = m.random.pick(&[2, 3, 7, -5]);
        let c = m.tensor(DataType::Int32, &[], &[n]);
        let op = m.random.pick(&["Add", "Mul", "Div", "Sub", "Mod"]);
        m.op(op, &[y, &c], &[])
    }),
    through!("int64 mask", Int64, |m, y| {
        let dims = m.dims();
        let mask = m.truths(&dims);
        let mask = m.cast(&mask, DataType::Int64);
        m.op("Mul", &[y, &mask], &[])
    }),
    ("uint8 that wraps", |m, x| {
        let y = m.op("Abs", &[x], &[]);
        let (a, b) = (m.scalar(0.0), m.scalar(255.0));
        let y = m.op("Clip", &[&y, &a, &b], &[]);
        let y = m.cast(&y, DataType::Uint8);
        let c = m.tensor(DataType::Uint8, &[], &[128]);
        let y = m.op("BitwiseAnd", &[&y, &c], &[]);
        let y = m.op("BitShift", &[&y, &c], &[text("direction", "RIGHT")]);
        m.cast(&y, DataType::Float)
    }),
    ("known number that wraps", |m, x| {
        let c = m.scalar(m.n() as f32 + 255.0);
        let c = m.cast(&c, DataType::Int32);
        let c = m.cast(&c, DataType::Uint8);
        let c = m.cast(&c, DataType::Float);
        let limit = m.random.pick(&[3.0, 100.0]);
        let limit = m.scalar(limit);
        let small = m.op("Less", &[&c, &limit], &[]);
        let zero = m.scalar(0.0);
        m.op("Where", &[&small, x, &zero], &[])
    }),
    ("known number that rounds", |m, x| {
        let (big, one) = (m.scalar(16_777_216.0), m.scalar(1.0));
        let sum = m.op("Add", &[&big, &one], &[]);
        let equal = m.op("Equal", &[&sum, &big], &[]);
        let zero = m.scalar(0.0);
        m.op("Where", &[&equal, x, &zero], &[])
    }),
    through!("float16", Float16, |m, y| {
        let c = m.scalar(0.3);
        let c = m.cast(&c, DataType::Float16);
        let op = m.random.pick(&["Add", "Mul"]);
        let y = m.op(op, &[y, &c], &[]);
        let f = m.random.pick(&["Relu", "Sigmoid", "Neg"]);
        m.op(f, &[&y], &[])
    }),
    through!("double", Double, |m, y| {
        let f = m.random.pick(&["Relu", "Sigmoid", "Abs", "Exp"]);
        m.op(f, &[y], &[])
    }),
    ("Conv", |m, x| {
        let w = m.weights(&[m.c, m.c, 3, 3]);
        m.op("Conv", &[x, &w], &[ints("pads", &[1; 4])])
    }),
    ("Conv with bias, groups", |m, x| {
        let (w, b) = (m.weights(&[m.c, 1, 3, 1]), m.weights(&[m.c]));
        m.op("Conv", &[x, &w, &b], &[ints("pads", &[2, 0, 0, 0]), int("group", m.c)])
    }),
    ("Conv, dilated", |m, x| {
        let w = m.weights(&[m.c, m.c, 2, 2]);
        let attributes = [ints("pads", &[2, 2, 0, 0]), ints("dilations", &[2, 2])];
        m.op("Conv", &[x, &w], &attributes)
    }),
    ("Conv, SAME_LOWER", |m, x| {
        let w = m.weights(&[m.c, m.c, 2, 3]);
        m.op("Conv", &[x, &w], &[text("auto_pad", "SAME_LOWER")])
    }),
    ("ConvTranspose", |m, x| {
        let w = m.weights(&[m.c, m.c, 3, 3]);
        m.op("ConvTranspose", &[x, &w], &[ints("pads", &[1; 4])])
    }),
    ("down and up", |m, x| {
        let w = m.weights(&[m.c, m.c, 2, 2]);
        let y = m.op("Conv", &[x, &w], &[ints("strides", &[2, 2]), ints("pads", &[0, 0, 1, 1])]);
        let w = m.weights(&[m.c, m.c, 2, 2]);
        let y = m.op("ConvTranspose", &[&y, &w], &[ints("strides", &[2, 2])]);
        let y = m.net.slice(&y, 2, 0, m.h, 1);
        m.net.slice(&y, 3, 0, m.w, 1)
    }),
    ("MaxPool", |m, x| {
        m.op("MaxPool", &[x], &[ints("kernel_shape", &[3, 3]), ints("pads", &[1; 4])])
    }),
    ("indices of MaxPool", |m, x| {
        let attributes = [ints("kernel_shape", &[2, 2]), ints("pads", &[1, 1, 0, 0])];
        let attributes: Vec<_> = attributes.into_iter().map(typed).collect();
        let y = m.net.nodes("MaxPool", &[x], &attributes, 2).remove(1);
        m.cast(&y, DataType::Float)
    }),
    ("AveragePool", |m, x| {
        m.op("AveragePool", &[x], &[ints("kernel_shape", &[3, 1]), ints("pads", &[1, 0, 1, 0])])
    }),
    ("GlobalAveragePool", |m, x| {
        let y = m.op("GlobalAveragePool", &[x], &[]);
        m.op("Sub", &[x, &y], &[])
    }),
    ("MatMul right", |m, x| {
        let w = m.weights(&[m.w, m.w]);
        m.op("MatMul", &[x, &w], &[])
    }),
    ("MatMul left", |m, x| {
        let w = m.weights(&[m.h, m.h]);
        m.op("MatMul", &[&w, x], &[])
    }),
    ("Gemm", |m, x| {
        let n = m.n() as i64;
        let y = m.net.reshape(x, &[1, n]);
        let (w, b) = (m.weights(&[n, n]), m.weights(&[n]));
        let y = m.op("Gemm", &[&y, &w, &b], &[int("transB", 1), float("alpha", 0.5)]);
        m.home(&y)
    }),
    ("Einsum", |m, x| {
        let w = m.weights(&[m.c, m.c]);
        m.op("Einsum", &[x, &w], &[text("equation", "nchw,cd->ndhw")])
    }),
    ("Softmax", |m, x| {
        let axis = 1 + m.random.below(3) as i64;
        m.op("Softmax", &[x], &[int("axis", axis)])
    }),
    ("LogSoftmax", |m, x| m.op("LogSoftmax", &[x], &[int("axis", 3)])),
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
        let mut branch = |op: &str| {
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
    ("CenterCropPad", |m, x| {
        let shape = m.net.whole(&[m.h + 1, m.w - 1]);
        let axes = ints("axes", &[2, 3]);
        let y = m.op("CenterCropPad", &[x, &shape], &[axes.clone()]);
        let shape = m.net.whole(&[m.h, m.w]);
        m.op("CenterCropPad", &[&y, &shape], &[axes])
    }),
];

/// A map moved on by some columns.
fn rolled(m: &mut Maker, x: &str, axis: i64) -> String {
    let (a, b) = (m.net.slice(x, axis, 1, i64::MAX, 1), m.net.slice(x, axis, 0, 1, 1));
    m.op("Concat", &[&a, &b], &[int("axis", axis)])
}

/// A recurrent layer over the raster.
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
