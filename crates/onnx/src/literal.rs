//! Constant tensors of an ONNX graph.

use ndarray::ArrayD;
use pixelrnn_graph::{Dim, Elem, Type};

/// A constant tensor: its element type, shape and data.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// 32-bit floats.
    Real(ArrayD<f32>),
    /// 64-bit integers.
    Int(ArrayD<i64>),
    /// Booleans.
    Bool(ArrayD<bool>),
    /// 16-bit floats, as bits.
    F16(ArrayD<u16>),
    /// bfloat16 numbers, as bits.
    Bf16(ArrayD<u16>),
    /// 8-bit integers, for quantized weights.
    Int8(ArrayD<i8>),
}

impl Literal {
    /// The type of the tensor.
    pub fn ty(&self) -> Type {
        let (elem, shape) = match self {
            Literal::Real(a) => (Elem::Real, a.shape()),
            Literal::Int(a) => (Elem::Int, a.shape()),
            Literal::Bool(a) => (Elem::Bool, a.shape()),
            Literal::F16(a) => (Elem::F16, a.shape()),
            Literal::Bf16(a) => (Elem::Bf16, a.shape()),
            Literal::Int8(a) => (Elem::Int8, a.shape()),
        };
        Type { elem, shape: shape.iter().map(|&n| Dim::Fixed(n)).collect() }
    }

    /// The size of the data in bytes.
    pub fn byte_count(&self) -> usize {
        match self {
            Literal::Real(a) => 4 * a.len(),
            Literal::Int(a) => 8 * a.len(),
            Literal::Bool(a) => a.len(),
            Literal::F16(a) | Literal::Bf16(a) => 2 * a.len(),
            Literal::Int8(a) => a.len(),
        }
    }

    /// The data as little-endian bytes, in row-major order.
    pub(crate) fn bytes(&self) -> Box<dyn Iterator<Item = u8> + '_> {
        match self {
            Literal::Real(a) => Box::new(a.iter().flat_map(|x| x.to_le_bytes())),
            Literal::Int(a) => Box::new(a.iter().flat_map(|x| x.to_le_bytes())),
            Literal::Bool(a) => Box::new(a.iter().map(|&b| u8::from(b))),
            Literal::F16(a) | Literal::Bf16(a) => Box::new(a.iter().flat_map(|x| x.to_le_bytes())),
            Literal::Int8(a) => Box::new(a.iter().map(|&x| x as u8)),
        }
    }

    /// Rounds numbers to f16.
    pub fn f16(values: &ArrayD<f32>) -> Literal {
        Literal::F16(values.mapv(crate::narrow::f16_bits))
    }

    /// Rounds numbers to bf16.
    pub fn bf16(values: &ArrayD<f32>) -> Literal {
        Literal::Bf16(values.mapv(crate::narrow::bf16_bits))
    }

    /// A scalar.
    pub fn scalar(x: f32) -> Literal {
        Literal::Real(ndarray::arr0(x).into_dyn())
    }

    /// A list of integers.
    pub fn ints(values: &[i64]) -> Literal {
        Literal::Int(ndarray::arr1(values).into_dyn())
    }
}
