//! `bernoulli`: two levels. Each value has one parameter, the logit of level 1.

use pixelrnn_graph::Value;
use pixelrnn_onnx::{Literal, OnnxOp};

use super::Family;
use crate::rules::eval::Real;
use crate::rules::lower::{Lower, LowerError};

/// Two levels; the parameter is the logit of level 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bernoulli;

impl Family for Bernoulli {
    const NAME: &'static str = "bernoulli";

    fn numbers(self) -> Vec<usize> {
        vec![2]
    }

    fn of_numbers(numbers: &[usize]) -> Option<Bernoulli> {
        (numbers == [2]).then_some(Bernoulli)
    }

    fn of_logits(levels: usize) -> Option<Bernoulli> {
        (levels == 2).then_some(Bernoulli)
    }

    fn levels(self) -> usize {
        2
    }

    fn parameters(self) -> usize {
        1
    }

    fn has_axis(self) -> bool {
        false
    }

    fn nats(self, cx: &mut Lower, logits: Value, image: Value) -> Result<Value, LowerError> {
        // max(l, 0) + log(1 + exp(-|l|)) - l t: this form does not overflow for any logit.
        let number = |cx: &mut Lower, x: f32, part| cx.constant(Literal::scalar(x), part);
        let one = number(cx, 1.0, "one")?;
        let zero = number(cx, 0.0, "zero")?;
        let impossible = number(cx, f32::NEG_INFINITY, "impossible")?;
        let high = cx.push(OnnxOp::Relu, &[logits], "high")?;
        let size = cx.push(OnnxOp::Abs, &[logits], "size")?;
        let minus = cx.push(OnnxOp::Neg, &[size], "minus")?;
        let small = cx.push(OnnxOp::Exp, &[minus], "small")?;
        let odds = cx.push(OnnxOp::Add, &[small, one], "odds")?;
        let rest = cx.push(OnnxOp::Log, &[odds], "rest")?;
        let total = cx.push(OnnxOp::Add, &[high, rest], "total")?;
        let is_zero = cx.push(OnnxOp::Equal, &[image, zero], "is_zero")?;
        let is_one = cx.push(OnnxOp::Equal, &[image, one], "is_one")?;
        let other = cx.push(OnnxOp::Where, &[is_zero, zero, impossible], "zero_or_neither")?;
        let own = cx.push(OnnxOp::Where, &[is_one, logits, other], "own")?;
        cx.push(OnnxOp::Sub, &[total, own], "nats")
    }

    fn nats_of<R: Real>(self, logits: &[R], level: R) -> R {
        let (zero, one, l) = (R::of(0.0), R::of(1.0), logits[0]);
        let size = if l > zero { l } else { -l };
        let high = if l > zero { l } else { zero };
        let total = high + (one + (-size).exp()).ln();
        match level {
            level if level == one => total - l,
            level if level == zero => total,
            _ => R::of(f64::INFINITY),
        }
    }

    fn slope(self, cx: &mut Lower, logits: Value, image: Value) -> Result<Value, LowerError> {
        let p = cx.push(OnnxOp::Sigmoid, &[logits], "probability")?;
        cx.push(OnnxOp::Sub, &[p, image], "")
    }

    fn slope_of<R: Real>(self, logits: &[R], level: R) -> Vec<R> {
        let one = R::of(1.0);
        vec![one / (one + (-logits[0]).exp()) - level]
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
        let mut logits = logits;
        if factor != 1.0 {
            let factor = cx.constant(Literal::scalar(factor as f32), "factor")?;
            logits = cx.push(OnnxOp::Mul, &[logits, factor], "tempered")?;
        }
        // Level 0 is drawn if u < 1 / (1 + exp(l)), computed as u exp(l) < 1 - u. In some engines, the
        // sigmoid of a large number is slightly below 1; with it, a u just below 1 would draw level 1 for any
        // logit.
        let odds = cx.push(OnnxOp::Exp, &[logits], "odds")?;
        let mark = cx.push(OnnxOp::Mul, &[odds, u], "mark")?;
        let rest = cx.push(OnnxOp::Sub, &[one, u], "rest")?;
        let above = cx.push(OnnxOp::Greater, &[rest, mark], "above")?;
        cx.push(OnnxOp::Where, &[above, zero, one], "")
    }

    fn draw_one<R: Real>(self, logits: &[R], u: R, factor: R) -> R {
        let one = R::of(1.0);
        let p0 = one / (one + (logits[0] * factor).exp());
        if p0 > u { R::of(0.0) } else { one }
    }

    fn samples() -> Vec<Bernoulli> {
        vec![Bernoulli]
    }
}
