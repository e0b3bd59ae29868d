//! `categorical`: L levels. Each value has L parameters, the logits of a softmax.

use pixelrnn_graph::{Dim, Value};
use pixelrnn_onnx::{Literal, OnnxOp};

use super::Family;
use crate::rules::eval::Real;
use crate::rules::lower::{Lower, LowerError};

/// A categorical distribution over levels; the parameters are logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Categorical {
    /// At least two.
    pub levels: usize,
}

/// Returns truth values `[N, C, L, H, W]`: whether each value of `image [N, C, H, W]` is level l. It compares
/// with every level, since every engine supports that.
fn chosen(cx: &mut Lower, image: Value, levels: usize) -> Result<Value, LowerError> {
    let all = ndarray::ArrayD::from_shape_fn(vec![1, 1, levels, 1, 1], |i| i[2] as f32);
    let all = cx.constant(Literal::Real(all), "levels")?;
    let wide = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[image], "image_wide")?;
    cx.push(OnnxOp::Equal, &[wide, all], "chosen")
}

impl Family for Categorical {
    const NAME: &'static str = "categorical";

    fn numbers(self) -> Vec<usize> {
        vec![self.levels]
    }

    fn of_numbers(numbers: &[usize]) -> Option<Categorical> {
        let &[levels] = numbers else { return None };
        Categorical::of_logits(levels)
    }

    fn of_logits(levels: usize) -> Option<Categorical> {
        (levels > 2).then_some(Categorical { levels })
    }

    fn levels(self) -> usize {
        self.levels
    }

    fn parameters(self) -> usize {
        self.levels
    }

    fn has_axis(self) -> bool {
        true
    }

    fn nats(self, cx: &mut Lower, logits: Value, image: Value) -> Result<Value, LowerError> {
        // log-sum-exp with the maximum subtracted first. The operator of an engine may overflow.
        let high = cx.push(OnnxOp::ReduceMax { axes: vec![2] }, &[logits], "max")?;
        let high = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[high], "max_wide")?;
        let low = cx.push(OnnxOp::Sub, &[logits, high], "shifted")?;
        let exp = cx.push(OnnxOp::Exp, &[low], "exp")?;
        let sum = cx.push(OnnxOp::ReduceSum { axes: vec![2] }, &[exp], "exp_sum")?;
        let lse = cx.push(OnnxOp::Log, &[sum], "log_sum_exp")?;
        let chosen = chosen(cx, image, self.levels)?;
        // A value that is not a level has log-probability minus infinity.
        let impossible = cx.constant(Literal::scalar(f32::NEG_INFINITY), "impossible")?;
        let picked = cx.push(OnnxOp::Where, &[chosen, low, impossible], "picked")?;
        let own = cx.push(OnnxOp::ReduceMax { axes: vec![2] }, &[picked], "own")?;
        cx.push(OnnxOp::Sub, &[lse, own], "nats")
    }

    fn nats_of<R: Real>(self, logits: &[R], level: R) -> R {
        let high = logits.iter().fold(logits[0], |m, &l| if l > m { l } else { m });
        let sum = logits.iter().fold(R::of(0.0), |sum, &l| sum + (l - high).exp());
        let own = logits.iter().enumerate().find(|(l, _)| level == R::of(*l as f64));
        match own {
            Some((_, &own)) => sum.ln() - (own - high),
            None => R::of(f64::INFINITY),
        }
    }

    fn slope(self, cx: &mut Lower, logits: Value, image: Value) -> Result<Value, LowerError> {
        // softmax(logits) - one_hot(image)
        let high = cx.push(OnnxOp::ReduceMax { axes: vec![2] }, &[logits], "max")?;
        let high = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[high], "max_wide")?;
        let low = cx.push(OnnxOp::Sub, &[logits, high], "shifted")?;
        let exp = cx.push(OnnxOp::Exp, &[low], "exp")?;
        let sum = cx.push(OnnxOp::ReduceSum { axes: vec![2] }, &[exp], "exp_sum")?;
        let sum = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[sum], "exp_sum_wide")?;
        let softmax = cx.push(OnnxOp::Div, &[exp, sum], "softmax")?;
        let chosen = chosen(cx, image, self.levels)?;
        let zero = cx.constant(Literal::scalar(0.0), "zero")?;
        let one = cx.constant(Literal::scalar(1.0), "one")?;
        let one_hot = cx.push(OnnxOp::Where, &[chosen, one, zero], "one_hot")?;
        cx.push(OnnxOp::Sub, &[softmax, one_hot], "")
    }

    fn slope_of<R: Real>(self, logits: &[R], level: R) -> Vec<R> {
        let high = logits.iter().fold(logits[0], |m, &l| if l > m { l } else { m });
        let sum = logits.iter().fold(R::of(0.0), |sum, &l| sum + (l - high).exp());
        let of = |(l, &logit): (usize, &R)| {
            let own = if level == R::of(l as f64) { R::of(1.0) } else { R::of(0.0) };
            (logit - high).exp() / sum - own
        };
        logits.iter().enumerate().map(of).collect()
    }

    fn draw(
        self,
        cx: &mut Lower,
        logits: Value,
        u: Value,
        factor: f64,
    ) -> Result<Value, LowerError> {
        let zero = cx.constant(Literal::scalar(0.0), "zero")?;
        let one = cx.constant(Literal::scalar(1.0), "one")?;
        let levels = self.levels;
        // The softmax is not normalized; instead, u is multiplied by the sum.
        let column = vec![cx.ty(logits).shape[0], Dim::Fixed(1)];
        let max = cx.push(OnnxOp::ReduceMax { axes: vec![1] }, &[logits], "max")?;
        let max = cx.reshape(max, column.clone(), "max_column")?;
        let mut below = cx.push(OnnxOp::Sub, &[logits, max], "below_max")?;
        if factor != 1.0 {
            let factor = cx.constant(Literal::scalar(factor as f32), "factor")?;
            below = cx.push(OnnxOp::Mul, &[below, factor], "tempered")?;
        }
        let weights = cx.push(OnnxOp::Exp, &[below], "weights")?;
        let cdf = cx.push(OnnxOp::CumSum { axis: 1 }, &[weights], "cdf")?;
        // The last level gets the remaining probability, so rounding cannot draw a level beyond it.
        let cut = |start, end| OnnxOp::Slice { axis: 1, start, end };
        let inner = cx.push(cut(0, levels - 1), &[cdf], "cdf_inner")?;
        let total = cx.push(cut(levels - 1, levels), &[cdf], "total")?;
        let mark = cx.push(OnnxOp::Mul, &[u, total], "mark")?;
        let above = cx.push(OnnxOp::Greater, &[inner, mark], "above")?;
        let passed = cx.push(OnnxOp::Where, &[above, zero, one], "passed")?;
        let level = cx.push(OnnxOp::ReduceSum { axes: vec![1] }, &[passed], "count")?;
        cx.push(OnnxOp::Reshape { to: column }, &[level], "")
    }

    fn draw_one<R: Real>(self, logits: &[R], u: R, factor: R) -> R {
        let max = logits.iter().fold(logits[0], |m, &l| if l > m { l } else { m });
        let weights: Vec<R> = logits.iter().map(|&l| ((l - max) * factor).exp()).collect();
        let total = weights.iter().fold(R::of(0.0), |sum, &w| sum + w);
        let mark = u * total;
        let (mut level, mut cdf) = (R::of(0.0), R::of(0.0));
        for &w in &weights[..weights.len() - 1] {
            cdf += w;
            if cdf > mark {
                break;
            }
            level += R::of(1.0);
        }
        level
    }

    fn samples() -> Vec<Categorical> {
        vec![Categorical { levels: 4 }, Categorical { levels: 5 }]
    }
}
