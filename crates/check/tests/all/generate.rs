//! Random graphs over small images, composed of patterns with many kinds of operators. Each pattern
//! maps a tensor of the image's shape to another one.

use pixelrnn_onnx::proto::tensor_proto::DataType;
use pixelrnn_onnx::proto::{AttributeProto, TensorProto};

use super::build::{Net, info, int, ints};
use super::{layers, patterns};

/// Reproducible pseudorandom numbers.
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

/// A graph under construction.
pub struct Maker {
    pub net: Net,
    pub random: Random,
    pub c: i64,
    pub h: i64,
    pub w: i64,
}

pub type Pattern = fn(&mut Maker, &str) -> String;

/// All patterns, by name.
pub fn all() -> Vec<(&'static str, Pattern)> {
    patterns::PATTERNS.iter().chain(layers::PATTERNS).copied().collect()
}

/// A random graph, the extents of its image, and the names of its patterns.
pub fn graph(seed: u64) -> (Vec<u8>, [usize; 3], Vec<&'static str>) {
    let mut random = Random(seed);
    let (c, h, w) = (1 + random.below(2), 2 + random.below(3), 2 + random.below(3));
    let net = Net::image(c as i64, h as i64, w as i64);
    let mut m = Maker { net, random, c: c as i64, h: h as i64, w: w as i64 };
    let all = all();
    let count = 1 + m.random.below(4);
    let (mut x, mut names) = ("x".to_string(), Vec::new());
    let mut before = x.clone();
    for _ in 0..count {
        let (name, pattern) = m.random.pick(&all);
        names.push(name);
        let y = pattern(&mut m, &x);
        before = std::mem::replace(&mut x, y);
    }
    // Sometimes add the input of the last pattern (a skip connection).
    if m.random.chance(20) {
        x = m.net.node("Add", &[&x, &before], &[]);
    }
    let dims = m.dims();
    m.net.output(&x, &dims);
    m.net.graph.input[0] = info("x", DataType::Float, &dims);
    (m.net.bytes(&x), [c, h, w], names)
}

pub fn float(name: &str, x: f32) -> AttributeProto {
    AttributeProto { name: Some(name.into()), f: Some(x), r#type: Some(1), ..Default::default() }
}

pub fn text(name: &str, s: &str) -> AttributeProto {
    let s = Some(s.as_bytes().to_vec());
    AttributeProto { name: Some(name.into()), s, r#type: Some(3), ..Default::default() }
}

impl Maker {
    pub fn dims(&self) -> Vec<i64> {
        vec![1, self.c, self.h, self.w]
    }

    pub fn n(&self) -> usize {
        (self.c * self.h * self.w) as usize
    }

    pub fn size(&self, axis: usize) -> i64 {
        self.dims()[axis]
    }

    pub fn op(&mut self, op: &str, inputs: &[&str], attributes: &[AttributeProto]) -> String {
        let typed: Vec<AttributeProto> = attributes.iter().cloned().map(typed).collect();
        self.net.node(op, inputs, &typed)
    }

    pub fn scalar(&mut self, x: f32) -> String {
        self.net.floats(&[], &[x])
    }

    pub fn number(&mut self) -> f32 {
        self.random.pick(&[0.0, 0.5, 1.0, -1.0, 2.0, -3.0, 0.25, 100.0, -1e4, 1e-3, 255.0])
    }

    /// Weights with zeros at random positions.
    pub fn weights(&mut self, dims: &[i64]) -> String {
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

    /// Random booleans.
    pub fn bits(&mut self, n: usize) -> Vec<bool> {
        (0..n).map(|_| self.random.chance(50)).collect()
    }

    pub fn mask(&mut self, dims: &[i64]) -> String {
        let bits = self.bits(dims.iter().product::<i64>() as usize);
        let values: Vec<f32> = bits.iter().map(|&b| f32::from(u8::from(b))).collect();
        self.net.floats(dims, &values)
    }

    pub fn truths(&mut self, dims: &[i64]) -> String {
        let mask = self.mask(dims);
        self.cast(&mask, DataType::Bool)
    }

    pub fn cast(&mut self, x: &str, to: DataType) -> String {
        self.op("Cast", &[x], &[int("to", to as i64)])
    }

    pub fn tensor(&mut self, data_type: DataType, dims: &[i64], values: &[i32]) -> String {
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

    /// Reshapes to the shape of the image.
    pub fn home(&mut self, x: &str) -> String {
        let dims = self.dims();
        self.net.reshape(x, &dims)
    }

    /// Integer indices into an axis, computed from the values.
    pub fn indices(&mut self, x: &str, extent: i64) -> String {
        let scale = self.scalar(0.02);
        let y = self.op("Mul", &[x, &scale], &[]);
        let (low, high) = (self.scalar(0.0), self.scalar(extent as f32 - 1.0));
        let y = self.op("Clip", &[&y, &low, &high], &[]);
        self.cast(&y, DataType::Int64)
    }

    /// From maps: a matrix of scores between positions, the values, and the number of positions.
    pub fn tokens(&mut self, x: &str) -> (String, String, i64) {
        let n = self.h * self.w;
        let flat = self.net.reshape(x, &[1, self.c, n]);
        let keys = self.op("Transpose", &[&flat], &[ints("perm", &[0, 2, 1])]);
        let scale = self.random.pick(&[0.001, 0.02, 0.3]);
        let scale = self.scalar(scale);
        let queries = self.op("Mul", &[&keys, &scale], &[]);
        (self.op("MatMul", &[&queries, &flat], &[]), keys, n)
    }

    pub fn untokens(&mut self, weights: &str, values: &str) -> String {
        let y = self.op("MatMul", &[weights, values], &[]);
        let y = self.op("Transpose", &[&y], &[ints("perm", &[0, 2, 1])]);
        self.home(&y)
    }

    pub fn triangle(&mut self, n: i64, low: f32) -> String {
        let strict = self.random.chance(50);
        let at = |i: i64| if i % n > i / n || (strict && i % n == i / n) { low } else { 0.0 };
        let values: Vec<f32> = (0..n * n).map(at).collect();
        self.net.floats(&[1, n, n], &values)
    }
}

/// Fills in the type of an attribute, which ONNX Runtime requires.
pub fn typed(mut a: AttributeProto) -> AttributeProto {
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
