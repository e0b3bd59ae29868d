//! `state_conv(x, weight) {before}`: the state-to-state convolution along one row of states, channels last.
//! It needs no mask, since all states that it reads are those of earlier pixels.
//!
//! `x [D, P, N, F]`, `weight [D, G, F, K]`, result `[D, P, N, G]`. Position p reads positions
//! `p - before .. p - before + K`, and zeros outside. Row LSTM: K = 3, before = 1. Diagonal BiLSTM: K = 2,
//! before = 1: the row above and the same row.

use super::{StateConvInputGradient, StateConvWeightGradient};
use crate::rules::prelude::*;

/// A convolution along the positions of a state. Each direction has its own weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StateConv {
    /// The first tap reads the position this far before the output's own.
    pub before: usize,
}

impl Rules for StateConv {
    const MNEMONIC: &'static str = "state_conv";

    fn attributes(&self) -> Attributes {
        Attributes::none().int("before", self.before)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(StateConv { before: attributes.int("before")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 2)?;
        shape::rank(inputs, 0, 4)?;
        shape::rank(inputs, 1, 4)?;
        shape::extent(inputs, 1, 0, inputs[0].shape[0])?;
        shape::extent(inputs, 1, 2, inputs[0].shape[3])?;
        shape::fixed(inputs, 0, 1)?;
        let taps = shape::fixed(inputs, 1, 3)?;
        if self.before >= taps {
            return Err(TypeError::attribute("before", format!("must be below the {taps} taps")));
        }
        Ok(vec![shape::with_axis(inputs[0], 3, inputs[1].shape[1])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let extents = reading.types[0].extents(1);
        let (positions, features) = (extents[1], extents[3]);
        let weights = reading.types[1].extents(1);
        let (outputs, taps) = (weights[1], weights[3]);
        let mut grid = reading.grids[0].clone().with(3, vec![0, outputs]);
        grid.axes[0] = every(extents[0]);
        grid.axes[1] = every(positions);
        Footprint::new(grid, move |cell, visit| {
            let mut read = cell.to_vec();
            read[3] = 0..features;
            for k in 0..taps {
                let p = (cell[1].start + k).wrapping_sub(self.before);
                if p < positions {
                    read[1] = p..p + 1;
                    visit(0, &read);
                }
            }
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None, None]) };
        let [x, weight] = [cx.inputs[0], cx.inputs[1]];
        let before = self.before;
        let dx = cx.push(StateConvInputGradient { before }, &[dy, weight], "x")?;
        let taps = cx.input_type(1).shape[3].with_batch(1);
        let dw = cx.push(StateConvWeightGradient { before, taps }, &[x, dy], "weight")?;
        Ok(vec![Some(dx), Some(dw)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let x = cx.ty(inputs[0]).shape.clone();
        let w = cx.ty(inputs[1]).shape.clone();
        let [positions, taps, directions] = [x[1], w[3], x[0]].map(|d| d.with_batch(1));
        let product = |a: Dim, b: Dim| a.times(b).unwrap_or(a);
        // Concatenates what each tap reads: [D, P, N, K F].
        let after = taps - 1 - self.before;
        let (before, after) = (self.before, after);
        let wide = match before + after {
            0 => inputs[0],
            _ => {
                let pad = OnnxOp::Pad { axis: 1, before, after };
                let padded = cx.push(pad, &inputs[..1], "edge")?;
                let mut parts = Vec::new();
                for k in 0..taps {
                    parts.push(match k == before {
                        true => inputs[0],
                        false => {
                            let slice = OnnxOp::Slice { axis: 1, start: k, end: k + positions };
                            cx.push(slice, &[padded], "tap")?
                        }
                    });
                }
                cx.push(OnnxOp::Concat { axis: 3 }, &parts, "taps")?
            }
        };
        // The weight as one matrix per direction: [D, K F, G].
        let matrix =
            cx.push(OnnxOp::Transpose { perm: vec![0, 3, 2, 1] }, &inputs[1..], "weight_t")?;
        let height = product(w[3], w[2]);
        if directions == 1 {
            let matrix = cx.reshape(matrix, vec![height, w[1]], "matrix")?;
            return cx.push_many(OnnxOp::MatMul, &[wide, matrix], "");
        }
        let matrix = cx.reshape(matrix, vec![x[0], height, w[1]], "matrix")?;
        let rows = cx.reshape(wide, vec![x[0], product(x[1], x[2]), height], "rows")?;
        let y = cx.push(OnnxOp::MatMul, &[rows, matrix], "product")?;
        cx.push_many(OnnxOp::Reshape { to: vec![x[0], x[1], x[2], w[1]] }, &[y], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let (&[d, p, n, f], &[_, g, _, taps]) = (inputs[0].shape(), inputs[1].shape()) else {
            return Err(EvalError::Array("takes four axes".into()));
        };
        let [x, w] = [0, 1].map(|i| inputs[i].view().into_dimensionality::<ndarray::Ix4>());
        let (x, w) = (x?, w?);
        Ok(vec![Array::<R>::from_shape_fn(vec![d, p, n, g], |i| {
            let mut sum = R::of(0.0);
            for k in 0..taps {
                let from = (i[1] + k).wrapping_sub(self.before);
                if from < p {
                    for j in 0..f {
                        sum += w[[i[0], i[3], j, k]] * x[[i[0], from, i[2], j]];
                    }
                }
            }
            sum
        })])
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
        let state = |d: usize| Type::real([Dim::Fixed(d), Dim::Fixed(4), Dim::N, Dim::Fixed(2)]);
        vec![
            Sample::new(StateConv { before: 1 }, [state(1), Type::real([1usize, 8, 2, 3])]),
            Sample::new(StateConv { before: 1 }, [state(2), Type::real([2usize, 8, 2, 2])]),
        ]
    }
}
