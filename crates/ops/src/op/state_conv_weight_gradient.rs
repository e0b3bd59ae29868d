//! `state_conv_weight_gradient(x, dy) {before, taps}`: the transpose of `state_conv` with respect to its
//! weight (its VJP).
//!
//! Both inputs may have a leading axis of steps, which is summed over as well. So the weight gradient of a
//! loop is contracted once, after the loop.

use crate::rules::prelude::*;

/// The gradient of [`StateConv`](super::StateConv) with respect to its weight: `x [D, P, N, F]`,
/// `dy [D, P, N, G]`, or with leading steps `[T, D, P, N, ...]`; result `[D, G, F, K]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StateConvWeightGradient {
    /// The attribute `before` of the convolution.
    pub before: usize,
    /// K, the number of taps of the weight.
    pub taps: usize,
}

impl Rules for StateConvWeightGradient {
    const MNEMONIC: &'static str = "state_conv_weight_gradient";

    fn attributes(&self) -> Attributes {
        Attributes::none().int("before", self.before).int("taps", self.taps)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(StateConvWeightGradient {
            before: attributes.int("before")?,
            taps: attributes.int("taps")?,
        })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 2)?;
        let lead = inputs[0].rank().saturating_sub(4);
        shape::rank(inputs, 0, 4 + lead.min(1))?;
        shape::rank(inputs, 1, 4 + lead)?;
        for axis in 0..3 + lead {
            shape::extent(inputs, 1, axis, inputs[0].shape[axis])?;
        }
        shape::fixed(inputs, 0, lead + 1)?;
        if self.before >= self.taps {
            return Err(TypeError::attribute(
                "before",
                format!("must be below the {} taps", self.taps),
            ));
        }
        let [d, f] = [inputs[0].shape[lead], inputs[0].shape[lead + 3]];
        let g = inputs[1].shape[lead + 3];
        Ok(vec![inputs[0].reshaped(vec![d, g, f, Dim::Fixed(self.taps)])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::everything(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let _ = cx;
        Err(AdjointError::Missing { mnemonic: Self::MNEMONIC })
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let x = cx.ty(inputs[0]).shape.clone();
        let lead = x.len() - 4;
        let axis = lead + 1;
        let positions = x[axis].with_batch(1);
        // One product per step and direction, [F, P N] times [P N, G]; then the sum over the steps. The input
        // with fewer features is the one that is transposed.
        let pixels = x[axis].times(x[axis + 1]).unwrap_or(x[axis + 1]);
        let flat = |last: Dim| {
            let mut shape = x[..axis].to_vec();
            shape.extend([pixels, last]);
            shape
        };
        let g = cx.ty(inputs[1]).shape[lead + 3];
        let dy = cx.reshape(inputs[1], flat(g), "dy_rows")?;
        let mut perm: Vec<usize> = (0..lead + 3).collect();
        perm.swap(lead + 1, lead + 2);
        let mut parts = Vec::new();
        for k in 0..self.taps {
            let by = k.abs_diff(self.before).min(positions);
            let mut tap = inputs[0];
            if by == positions {
                let zero = cx.constant(Literal::scalar(0.0), "zero")?;
                tap = cx.push(OnnxOp::Mul, &[tap, zero], "outside")?;
            } else if by > 0 {
                let (start, end, before, after) = match k < self.before {
                    true => (0, positions - by, by, 0),
                    false => (by, positions, 0, by),
                };
                tap = cx.push(OnnxOp::Slice { axis, start, end }, &[tap], "kept")?;
                tap = cx.push(OnnxOp::Pad { axis, before, after }, &[tap], "shifted")?;
            }
            let rows = cx.reshape(tap, flat(x[lead + 3]), "rows")?;
            let columns = cx.push(OnnxOp::Transpose { perm: perm.clone() }, &[rows], "columns")?;
            let mut part = cx.push(OnnxOp::MatMul, &[columns, dy], "product")?;
            if lead == 1 {
                part = cx.push(OnnxOp::ReduceSum { axes: vec![0] }, &[part], "steps")?;
            }
            parts.push(cx.push(OnnxOp::Unsqueeze { axes: vec![3] }, &[part], "tap_gradient")?);
        }
        // [D, F, G, K]
        let joined = cx.push(OnnxOp::Concat { axis: 3 }, &parts, "taps")?;
        cx.push_many(OnnxOp::Transpose { perm: vec![0, 2, 1, 3] }, &[joined], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let lead = inputs[0].ndim() - 4;
        let five = |a: &Array<R>| match lead {
            0 => a.clone().insert_axis(ndarray::Axis(0)),
            _ => a.clone(),
        };
        let (x, dy) = (five(inputs[0]), five(inputs[1]));
        let (&[t, d, p, n, f], &[.., g]) = (x.shape(), dy.shape()) else {
            return Err(EvalError::Array("takes four or five axes".into()));
        };
        let [x, dy] = [x.view(), dy.view()].map(|a| a.into_dimensionality::<ndarray::Ix5>());
        let (x, dy) = (x?, dy?);
        Ok(vec![Array::<R>::from_shape_fn(vec![d, g, f, self.taps], |i| {
            let mut sum = R::of(0.0);
            for step in 0..t {
                for to in 0..p {
                    let from = (to + i[3]).wrapping_sub(self.before);
                    if from < p {
                        for b in 0..n {
                            sum += x[[step, i[0], from, b, i[2]]] * dy[[step, i[0], to, b, i[1]]];
                        }
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
        let ty = |shape: &[usize], f: usize| {
            let mut shape: Vec<Dim> = shape.iter().map(|&n| Dim::Fixed(n)).collect();
            shape.extend([Dim::N, Dim::Fixed(f)]);
            Type::real(shape)
        };
        let op = |taps| StateConvWeightGradient { before: 1, taps };
        vec![
            Sample::new(op(3), [ty(&[1, 4], 2), ty(&[1, 4], 8)]),
            Sample::new(op(2), [ty(&[3, 2, 4], 2), ty(&[3, 2, 4], 8)]),
        ]
    }
}
