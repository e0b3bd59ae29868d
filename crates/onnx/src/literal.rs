//! Constant tensors of an ONNX graph.

use ndarray::ArrayD;
use pixelrnn_graph::{Dim, Elem, Type};

/// A constant tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Real(ArrayD<f32>),
    Int(ArrayD<i64>),
    Bool(ArrayD<bool>),
}

impl Literal {
    /// Its type.
    pub fn ty(&self) -> Type {
        let (elem, shape) = match self {
            Literal::Real(a) => (Elem::Real, a.shape()),
            Literal::Int(a) => (Elem::Int, a.shape()),
            Literal::Bool(a) => (Elem::Bool, a.shape()),
        };
        Type { elem, shape: shape.iter().map(|&n| Dim::Fixed(n)).collect() }
    }

    /// A scalar.
    pub fn scalar(x: f32) -> Literal {
        Literal::Real(ndarray::arr0(x).into_dyn())
    }

    /// A list of whole numbers.
    pub fn ints(values: &[i64]) -> Literal {
        Literal::Int(ndarray::arr1(values).into_dyn())
    }
}
