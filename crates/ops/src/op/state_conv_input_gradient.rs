//! `state_conv_input_gradient(dy, weight) {before}`: the transpose of `state_conv` with respect to its input
//! (its VJP).

use crate::rules::prelude::*;

/// The gradient of [`StateConv`](super::StateConv) with respect to its input: `dy [D, P, N, G]`,
/// `weight [D, G, F, K]`, result `[D, P, N, F]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StateConvInputGradient {
    /// The attribute `before` of the convolution.
    pub before: usize,
}

impl Rules for StateConvInputGradient {
    const MNEMONIC: &'static str = "state_conv_input_gradient";

    fn attributes(&self) -> Attributes {
        Attributes::none().int("before", self.before)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(StateConvInputGradient { before: attributes.int("before")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 2)?;
        shape::rank(inputs, 0, 4)?;
        shape::rank(inputs, 1, 4)?;
        shape::extent(inputs, 1, 0, inputs[0].shape[0])?;
        shape::extent(inputs, 1, 1, inputs[0].shape[3])?;
        shape::fixed(inputs, 0, 1)?;
        shape::fixed(inputs, 1, 2)?;
        let taps = shape::fixed(inputs, 1, 3)?;
        if self.before >= taps {
            return Err(TypeError::attribute("before", format!("must be below the {taps} taps")));
        }
        Ok(vec![shape::with_axis(inputs[0], 3, inputs[1].shape[2])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::everything(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let _ = cx;
        Err(AdjointError::Missing { mnemonic: Self::MNEMONIC })
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let dy = cx.ty(inputs[0]).shape.clone();
        let w = cx.ty(inputs[1]).shape.clone();
        let [positions, features, taps, directions] =
            [dy[1], w[2], w[3], dy[0]].map(|d| d.with_batch(1));
        // All taps at once: [D, P, N, G] times [D, G, K F].
        let wide = Dim::Fixed(taps * features);
        let matrix =
            cx.push(OnnxOp::Transpose { perm: vec![0, 1, 3, 2] }, &inputs[1..], "weight_t")?;
        let shape = vec![dy[0], dy[1], dy[2], wide];
        let product = if directions == 1 {
            let matrix = cx.reshape(matrix, vec![w[1], wide], "matrix")?;
            cx.push(OnnxOp::MatMul, &[inputs[0], matrix], "product")?
        } else {
            let matrix = cx.reshape(matrix, vec![dy[0], w[1], wide], "matrix")?;
            let pixels = dy[1].times(dy[2]).unwrap_or(dy[2]);
            let rows = cx.reshape(inputs[0], vec![dy[0], pixels, dy[3]], "rows")?;
            let product = cx.push(OnnxOp::MatMul, &[rows, matrix], "product")?;
            cx.reshape(product, shape, "wide")?
        };
        // Tap k of position p + before - k read position p.
        let mut sum: Option<Value> = None;
        for k in 0..taps {
            let (start, end) = (k * features, (k + 1) * features);
            let mut part = cx.push(OnnxOp::Slice { axis: 3, start, end }, &[product], "tap")?;
            let by = k.abs_diff(self.before).min(positions);
            if by == positions {
                let zero = cx.constant(Literal::scalar(0.0), "zero")?;
                part = cx.push(OnnxOp::Mul, &[part, zero], "outside")?;
            } else if k < self.before {
                part =
                    cx.push(OnnxOp::Slice { axis: 1, start: by, end: positions }, &[part], "kept")?;
                part =
                    cx.push(OnnxOp::Pad { axis: 1, before: 0, after: by }, &[part], "shifted")?;
            } else if k > self.before {
                let end = positions - by;
                part = cx.push(OnnxOp::Slice { axis: 1, start: 0, end }, &[part], "kept")?;
                part =
                    cx.push(OnnxOp::Pad { axis: 1, before: by, after: 0 }, &[part], "shifted")?;
            }
            sum = Some(match sum {
                None => part,
                Some(sum) => cx.push(OnnxOp::Add, &[sum, part], "sum")?,
            });
        }
        Ok(sum.into_iter().collect())
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let (&[d, p, n, _], &[_, g, f, taps]) = (inputs[0].shape(), inputs[1].shape()) else {
            return Err(EvalError::Array("takes four axes".into()));
        };
        let [x, w] = [0, 1].map(|i| inputs[i].view().into_dimensionality::<ndarray::Ix4>());
        let (x, w) = (x?, w?);
        Ok(vec![Array::<R>::from_shape_fn(vec![d, p, n, f], |i| {
            let mut sum = R::of(0.0);
            for k in 0..taps {
                let to = (i[1] + self.before).wrapping_sub(k);
                if to < p {
                    for j in 0..g {
                        sum += w[[i[0], j, i[3], k]] * x[[i[0], to, i[2], j]];
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
        let state = |d: usize| Type::real([Dim::Fixed(d), Dim::Fixed(4), Dim::N, Dim::Fixed(8)]);
        vec![
            Sample::new(
                StateConvInputGradient { before: 1 },
                [state(1), Type::real([1usize, 8, 2, 3])],
            ),
            Sample::new(
                StateConvInputGradient { before: 1 },
                [state(2), Type::real([2usize, 8, 2, 2])],
            ),
        ]
    }
}
