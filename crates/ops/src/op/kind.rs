//! What element-wise operators share. The file of such an operator states only what differs.

use pixelrnn_graph::{Array, BuildError, Type, Value};
use pixelrnn_onnx::OnnxOp;

use crate::op::Sum;
use crate::rules::Domain;
use crate::rules::adjoint::Adjoint;
use crate::rules::eval::{EvalError, Real};

/// The rules that an element-wise operator of one input states itself.
pub(super) trait Unary {
    const ONNX: OnnxOp;
    const DOMAIN: Domain = Domain::Signed;
    fn apply<R: Real>(x: R) -> R;
    /// The cotangent of the input, given that of the result.
    fn vjp(cx: &mut Adjoint, dy: Value) -> Result<Value, BuildError>;
}

/// The rules that an element-wise operator of two inputs states itself.
pub(super) trait Binary {
    const ONNX: OnnxOp;
    const DOMAIN: Domain = Domain::Signed;
    fn apply<R: Real>(a: R, b: R) -> R;
    /// The cotangents of the inputs, before the reduction over broadcast axes.
    fn vjp(cx: &mut Adjoint, dy: Value) -> Result<[Value; 2], BuildError>;
}

/// Sums a cotangent over the axes along which its operand was broadcast.
pub(super) fn unbroadcast(
    cx: &mut Adjoint,
    cotangent: Value,
    operand: &Type,
    part: &str,
) -> Result<Value, BuildError> {
    let spread = cx.graph.ty(cotangent).shape.clone();
    let axes = spread.iter().zip(&operand.shape).enumerate();
    let axes: Vec<usize> = axes.filter(|(_, (a, b))| a != b).map(|(i, _)| i).collect();
    if axes.is_empty() {
        return Ok(cotangent);
    }
    cx.push(Sum { axes }, &[cotangent], part)
}

/// Combines two arrays element by element. Extents are equal or one.
pub(super) fn zip<R: Real>(
    a: &Array<R>,
    b: &Array<R>,
    f: impl Fn(R, R) -> R,
) -> Result<Array<R>, EvalError> {
    let shape: Vec<usize> = a.shape().iter().zip(b.shape()).map(|(&m, &n)| m.max(n)).collect();
    let mismatch = || EvalError::Array(format!("{:?} against {:?}", a.shape(), b.shape()));
    let a = a.broadcast(shape.clone()).ok_or_else(mismatch)?;
    let b = b.broadcast(shape).ok_or_else(mismatch)?;
    Ok(ndarray::Zip::from(&a).and(&b).map_collect(|&x, &y| f(x, y)))
}

/// Implements `Rules` for an element-wise operator of one input.
macro_rules! unary {
    ($name:ident, $mnemonic:literal) => {
        impl crate::rules::Rules for $name {
            const MNEMONIC: &'static str = $mnemonic;

            fn attributes(&self) -> pixelrnn_graph::Attributes {
                pixelrnn_graph::Attributes::none()
            }

            fn rebuild(
                _: &pixelrnn_graph::text::ReadAttributes,
                _: Vec<crate::PixelGraph>,
            ) -> Result<Self, pixelrnn_graph::TypeError> {
                Ok($name)
            }

            fn bodies(&self) -> Vec<&crate::PixelGraph> {
                Vec::new()
            }

            fn infer(
                &self,
                inputs: &[&pixelrnn_graph::Type],
            ) -> Result<Vec<pixelrnn_graph::Type>, pixelrnn_graph::TypeError> {
                crate::rules::shape::arity(inputs, 1)?;
                Ok(vec![inputs[0].clone()])
            }

            fn footprint<'a>(
                &'a self,
                reading: &'a crate::rules::footprint::Reading<'a>,
            ) -> crate::rules::footprint::Footprint<'a> {
                crate::rules::footprint::Footprint::elementwise(reading)
            }

            fn gradient(
                &self,
                cx: &mut crate::rules::adjoint::Adjoint,
            ) -> Result<Vec<Option<pixelrnn_graph::Value>>, crate::rules::adjoint::AdjointError>
            {
                let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
                Ok(vec![Some(<$name as crate::op::kind::Unary>::vjp(cx, dy)?)])
            }

            fn lower(
                &self,
                cx: &mut crate::rules::lower::Lower,
                inputs: &[pixelrnn_graph::Value],
            ) -> Result<Vec<pixelrnn_graph::Value>, crate::rules::lower::LowerError> {
                cx.push_many(<$name as crate::op::kind::Unary>::ONNX, inputs, "")
            }

            fn eval<R: crate::rules::eval::Real>(
                &self,
                _: &crate::rules::eval::Env,
                inputs: &[&pixelrnn_graph::Array<R>],
            ) -> Result<Vec<pixelrnn_graph::Array<R>>, crate::rules::eval::EvalError> {
                Ok(vec![inputs[0].mapv(<$name as crate::op::kind::Unary>::apply)])
            }

            fn stream(&self) -> crate::rules::stream::Stream {
                crate::rules::stream::Stream::Pointwise
            }

            fn pixel_major(&self) -> Option<(usize, crate::op::Op)> {
                Some((1, (*self).into()))
            }

            fn composite(&self) -> Option<&dyn crate::op::Composite> {
                None
            }

            fn samples() -> Vec<crate::rules::Sample> {
                let ty = pixelrnn_graph::Type::real([2usize, 3, 2]);
                vec![
                    crate::rules::Sample::new($name, [ty])
                        .with(0, <$name as crate::op::kind::Unary>::DOMAIN),
                ]
            }
        }
    };
}
pub(super) use unary;

/// Implements `Rules` for an element-wise operator of two inputs.
macro_rules! binary {
    ($name:ident, $mnemonic:literal, $footprint:expr) => {
        impl crate::rules::Rules for $name {
            const MNEMONIC: &'static str = $mnemonic;

            fn attributes(&self) -> pixelrnn_graph::Attributes {
                pixelrnn_graph::Attributes::none()
            }

            fn rebuild(
                _: &pixelrnn_graph::text::ReadAttributes,
                _: Vec<crate::PixelGraph>,
            ) -> Result<Self, pixelrnn_graph::TypeError> {
                Ok($name)
            }

            fn bodies(&self) -> Vec<&crate::PixelGraph> {
                Vec::new()
            }

            fn infer(
                &self,
                inputs: &[&pixelrnn_graph::Type],
            ) -> Result<Vec<pixelrnn_graph::Type>, pixelrnn_graph::TypeError> {
                crate::rules::shape::arity(inputs, 2)?;
                Ok(vec![crate::rules::shape::broadcast(inputs[0], inputs[1])?])
            }

            fn footprint<'a>(
                &'a self,
                reading: &'a crate::rules::footprint::Reading<'a>,
            ) -> crate::rules::footprint::Footprint<'a> {
                $footprint(reading)
            }

            fn gradient(
                &self,
                cx: &mut crate::rules::adjoint::Adjoint,
            ) -> Result<Vec<Option<pixelrnn_graph::Value>>, crate::rules::adjoint::AdjointError>
            {
                let Some(dy) = cx.cotangents[0] else { return Ok(vec![None, None]) };
                let [a, b] = <$name as crate::op::kind::Binary>::vjp(cx, dy)?;
                let (left, right) = (cx.input_type(0), cx.input_type(1));
                let a = crate::op::kind::unbroadcast(cx, a, &left, "left_sum")?;
                let b = crate::op::kind::unbroadcast(cx, b, &right, "right_sum")?;
                Ok(vec![Some(a), Some(b)])
            }

            fn lower(
                &self,
                cx: &mut crate::rules::lower::Lower,
                inputs: &[pixelrnn_graph::Value],
            ) -> Result<Vec<pixelrnn_graph::Value>, crate::rules::lower::LowerError> {
                cx.push_many(<$name as crate::op::kind::Binary>::ONNX, inputs, "")
            }

            fn eval<R: crate::rules::eval::Real>(
                &self,
                _: &crate::rules::eval::Env,
                inputs: &[&pixelrnn_graph::Array<R>],
            ) -> Result<Vec<pixelrnn_graph::Array<R>>, crate::rules::eval::EvalError> {
                let f = <$name as crate::op::kind::Binary>::apply;
                Ok(vec![crate::op::kind::zip(inputs[0], inputs[1], f)?])
            }

            fn stream(&self) -> crate::rules::stream::Stream {
                crate::rules::stream::Stream::Pointwise
            }

            fn pixel_major(&self) -> Option<(usize, crate::op::Op)> {
                Some((2, (*self).into()))
            }

            fn composite(&self) -> Option<&dyn crate::op::Composite> {
                None
            }

            fn samples() -> Vec<crate::rules::Sample> {
                let ty = |shape: [usize; 3]| pixelrnn_graph::Type::real(shape);
                let domain = <$name as crate::op::kind::Binary>::DOMAIN;
                let of = |left: [usize; 3], right: [usize; 3]| {
                    crate::rules::Sample::new($name, [ty(left), ty(right)])
                        .with(0, domain)
                        .with(1, domain)
                };
                vec![of([2, 3, 2], [2, 3, 2]), of([2, 3, 1], [1, 3, 2])]
            }
        }
    };
}
pub(super) use binary;
