//! `draw(logits, u) {factor}`: a level drawn by inverse cumulative distribution, with a uniform number
//! that is given: no random operator, so the same numbers draw the same level anywhere, up to rounding.
//!
//! `logits [N, L]`, `u [N, 1]` at least 0 and below 1; the result `[N, 1]` is the number of levels k
//! with `P(level <= k) <= u`. One logit is that of a Bernoulli variable: 1 iff `1 - p <= u`. Logits are
//! multiplied by the factor, one over the temperature, after their maximum is subtracted: so no factor
//! that an f32 holds makes a number that is none.

use crate::rules::prelude::*;

/// Draws a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Logits are multiplied by it.
    pub factor: f64,
}

impl Draw {
    /// A value times the factor.
    fn scale(self, cx: &mut Lower, x: Value) -> Result<Value, LowerError> {
        if self.factor == 1.0 {
            return Ok(x);
        }
        let factor = cx.constant(Literal::scalar(self.factor as f32), "factor")?;
        cx.push(OnnxOp::Mul, &[x, factor], "tempered")
    }
}

impl Rules for Draw {
    const MNEMONIC: &'static str = "draw";

    fn attributes(&self) -> Attributes {
        Attributes::none().real("factor", self.factor)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, Misfit> {
        Ok(Draw { factor: attributes.real("factor")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, Misfit> {
        shape::arity(inputs, 2)?;
        shape::rank(inputs, 0, 2)?;
        shape::rank(inputs, 1, 2)?;
        shape::extent(inputs, 1, 0, inputs[0].shape[0])?;
        shape::extent(inputs, 1, 1, 1)?;
        shape::fixed(inputs, 0, 1)?;
        let factor = self.factor as f32;
        if !(factor.is_finite() && factor > 0.0) {
            return Err(Misfit::attribute("factor", "must be above zero and finite in f32"));
        }
        Ok(vec![inputs[1].clone()])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let levels = reading.types[0].extents(1)[1];
        let rows = refine(&reading.grids[0].axes[0], &reading.grids[1].axes[0]);
        let grid = reading.grids[1].clone().with(0, rows);
        Footprint::new(grid, move |cell, visit| {
            visit(0, &[cell[0].clone(), 0..levels]);
            visit(1, cell);
        })
    }

    fn gradient(&self, _: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        // Flat wherever it has a slope.
        Ok(vec![None, None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let [logits, u] = [inputs[0], inputs[1]];
        let shape = cx.ty(logits).shape.clone();
        let levels = shape[1].with_batch(1);
        let zero = cx.constant(Literal::scalar(0.0), "zero")?;
        let one = cx.constant(Literal::scalar(1.0), "one")?;
        if levels == 1 {
            let minus = cx.push(OnnxOp::Neg, &[logits], "minus")?;
            let minus = self.scale(cx, minus)?;
            let cdf = cx.push(OnnxOp::Sigmoid, &[minus], "cdf")?;
            let above = cx.push(OnnxOp::Greater, &[cdf, u], "above")?;
            return cx.push_many(OnnxOp::Where, &[above, zero, one], "");
        }
        // The softmax is not divided by its sum; u is multiplied by it instead.
        let column = vec![shape[0], Dim::Fixed(1)];
        let max = cx.push(OnnxOp::ReduceMax { axes: vec![1] }, &[logits], "max")?;
        let max = cx.reshape(max, column.clone(), "max_column")?;
        let below = cx.push(OnnxOp::Sub, &[logits, max], "below_max")?;
        let below = self.scale(cx, below)?;
        let weights = cx.push(OnnxOp::Exp, &[below], "weights")?;
        let cdf = cx.push(OnnxOp::CumSum { axis: 1 }, &[weights], "cdf")?;
        // The last level is what is left: rounding can not go beyond it.
        let cut = |start, end| OnnxOp::Slice { axis: 1, start, end };
        let inner = cx.push(cut(0, levels - 1), &[cdf], "cdf_inner")?;
        let total = cx.push(cut(levels - 1, levels), &[cdf], "total")?;
        let mark = cx.push(OnnxOp::Mul, &[u, total], "mark")?;
        let above = cx.push(OnnxOp::Greater, &[inner, mark], "above")?;
        let passed = cx.push(OnnxOp::Where, &[above, zero, one], "passed")?;
        let level = cx.push(OnnxOp::ReduceSum { axes: vec![1] }, &[passed], "count")?;
        cx.push_many(OnnxOp::Reshape { to: column }, &[level], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let (zero, one, factor) = (R::of(0.0), R::of(1.0), R::of(self.factor));
        let mut drawn = inputs[1].clone();
        for (i, u) in drawn.iter_mut().enumerate() {
            let logits: Vec<R> =
                inputs[0].index_axis(ndarray::Axis(0), i).iter().copied().collect();
            if let [logit] = logits[..] {
                let p0 = one / (one + (logit * factor).exp());
                *u = if p0 > *u { zero } else { one };
                continue;
            }
            let max = logits.iter().fold(logits[0], |m, &l| if l > m { l } else { m });
            let weights: Vec<R> = logits.iter().map(|&l| ((l - max) * factor).exp()).collect();
            let total = weights.iter().fold(zero, |sum, &w| sum + w);
            let mark = *u * total;
            let (mut level, mut cdf) = (zero, zero);
            for &w in &weights[..weights.len() - 1] {
                cdf += w;
                if cdf > mark {
                    break;
                }
                level += one;
            }
            *u = level;
        }
        Ok(vec![drawn])
    }

    fn stream(&self) -> Stream {
        Stream::Expanded
    }

    fn samples() -> Vec<Sample> {
        let ty = |k: usize| Type::real([Dim::N, Dim::Fixed(k)]);
        let of = |levels, factor| Sample::new(Draw { factor }, [ty(levels), ty(1)]);
        vec![of(1, 1.0), of(5, 1.0), of(1, 1.6), of(5, 0.4)]
    }
}
