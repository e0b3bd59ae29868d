//! Patterns of random graphs: functions of numbers, masks, convolutions and products.

use pixelrnn_onnx::proto::tensor_proto::DataType;

use super::build::{int, ints};
use super::generate::{Maker, Pattern, float, text, typed};

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
        let seven = m.tensor(DataType::Uint8, &[], &[7]);
        let y = m.op("BitShift", &[&y, &seven], &[text("direction", "RIGHT")]);
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
];

/// Rotates a map by one along an axis.
fn rolled(m: &mut Maker, x: &str, axis: i64) -> String {
    let (a, b) = (m.net.slice(x, axis, 1, i64::MAX, 1), m.net.slice(x, axis, 0, 1, 1));
    m.op("Concat", &[&a, &b], &[int("axis", axis)])
}
