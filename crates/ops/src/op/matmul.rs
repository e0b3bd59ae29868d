//! `matmul(x, weight)`: `x [.., F]` times the matrix `weight [F, G]`; the result is `[.., G]`.

use super::{MergeAxes, Transpose};
use crate::rules::prelude::*;

/// The product with a matrix, over the last axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatMul;

impl Rules for MatMul {
    const MNEMONIC: &'static str = "matmul";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(MatMul)
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 2)?;
        shape::rank(inputs, 1, 2)?;
        let rank = inputs[0].rank();
        if rank < 2 {
            return Err(TypeError::Rank { input: 0, expected: 2, found: inputs[0].clone() });
        }
        shape::extent(inputs, 1, 0, inputs[0].shape[rank - 1])?;
        Ok(vec![shape::with_axis(inputs[0], rank - 1, inputs[1].shape[1])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let last = reading.types[0].rank() - 1;
        let summed = reading.types[0].shape[last];
        let features = summed.with_batch(1);
        let across = reading.grids[1].axes[1].clone();
        let grid = reading.grids[0].clone().with(last, across);
        let reads = move |cell: Cell, visit: &mut Visit| {
            let mut row = cell.to_vec();
            row[last] = 0..features;
            visit(0, &row);
            visit(1, &[0..features, cell[last].clone()]);
        };
        Footprint { mixes_batch: summed.fixed().is_none(), ..Footprint::new(grid, reads) }
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None, None]) };
        let [x, weight] = [cx.inputs[0], cx.inputs[1]];
        let perm = vec![1, 0];
        let back = cx.push(Transpose { perm: perm.clone() }, &[weight], "weight_t")?;
        let dx = cx.push(MatMul, &[dy, back], "x")?;
        let (mut rows, mut slopes) = (x, dy);
        for _ in 2..cx.input_type(0).rank() {
            rows = cx.push(MergeAxes { axis: 0 }, &[rows], "rows")?;
            slopes = cx.push(MergeAxes { axis: 0 }, &[slopes], "slopes")?;
        }
        let rows = cx.push(Transpose { perm }, &[rows], "rows_t")?;
        Ok(vec![Some(dx), Some(cx.push(MatMul, &[rows, slopes], "weight")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        cx.push_many(OnnxOp::MatMul, inputs, "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let &[features, across] = inputs[1].shape() else {
            return Err(EvalError::Array("takes a matrix".into()));
        };
        let mut extents = inputs[0].shape().to_vec();
        let rows: usize = extents[..extents.len() - 1].iter().product();
        let x = inputs[0].to_shape([rows, features])?;
        let w = inputs[1].view().into_dimensionality::<ndarray::Ix2>()?;
        let mut y = ndarray::Array2::<R>::from_elem([rows, across], R::of(0.0));
        for (x, mut y) in x.outer_iter().zip(y.outer_iter_mut()) {
            for (&x, w) in x.iter().zip(w.outer_iter()) {
                for (y, &w) in y.iter_mut().zip(&w) {
                    *y += x * w;
                }
            }
        }
        if let Some(last) = extents.last_mut() {
            *last = across;
        }
        Ok(vec![y.into_shape_with_order(extents)?])
    }

    fn stream(&self) -> Stream {
        Stream::Expanded
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        None
    }

    fn composite(&self) -> Option<&dyn Composite> {
        None
    }

    fn samples() -> Vec<Sample> {
        let batch = Type::real([Dim::N, Dim::Fixed(3)]);
        vec![
            Sample::new(MatMul, [batch, Type::real([3usize, 2])]),
            Sample::new(MatMul, [Type::real([2usize, 3, 4]), Type::real([4usize, 5])]),
        ]
    }
}
