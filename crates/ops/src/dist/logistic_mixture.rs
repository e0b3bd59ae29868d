//! `logistic_mixture`: a mixture of discretized logistic distributions (Salimans et al. 2017, *PixelCNN++*).
//! Each value of an image has its own weights, means and scales.

use ndarray::ArrayD;
use pixelrnn_graph::{Dim, Elem, Value};
use pixelrnn_onnx::{Literal, OnnxOp};

use super::{Categorical, Family};
use crate::rules::eval::Real;
use crate::rules::lower::{Lower, LowerError};

/// The smallest log-scale; smaller ones are raised to this.
const LEAST_LOG_SCALE: f64 = -7.0;

/// A mixture of K logistic distributions over a grid of levels from -1 to 1. The parameters of a value are K
/// logits of the weights, then K means, then K log-scales. Means and scales are in units of that grid.
///
/// The probability of a level is the mass from half a step below it to half a step above it. The first level
/// also gets all mass below, the last level all mass above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogisticMixture {
    /// At least two.
    pub levels: usize,
    /// K, at least one.
    pub components: usize,
}

/// Intermediate results of the log-probabilities of levels under each component. All have the same shape,
/// except for `is_first` and `is_last`.
struct Terms {
    /// `log P` of the level under each component, plus the logit of its weight.
    joint: Value,
    /// One over the scale.
    inverse: Value,
    /// `(end - mean) / scale` for the upper and the lower end of the level's interval.
    high: Value,
    low: Value,
    /// tanh of half the interval's length in units of the scale: `tanh((high - low) / 2)`.
    half_tanh: Value,
    /// Whether the level is the first or the last.
    is_first: Value,
    is_last: Value,
}

/// `log(sigmoid(x))`, the logarithm of the logistic CDF: `min(x, 0) - log(1 + exp(-|x|))`.
fn log_sigmoid(cx: &mut Lower, x: Value, part: &str) -> Result<Value, LowerError> {
    let zero = cx.constant(Literal::scalar(0.0), "zero")?;
    let one = cx.constant(Literal::scalar(1.0), "one")?;
    let least = cx.push(OnnxOp::Min, &[x, zero], &format!("{part}_least"))?;
    let size = cx.push(OnnxOp::Abs, &[x], &format!("{part}_size"))?;
    let minus = cx.push(OnnxOp::Neg, &[size], &format!("{part}_minus"))?;
    let exp = cx.push(OnnxOp::Exp, &[minus], &format!("{part}_exp"))?;
    let sum = cx.push(OnnxOp::Add, &[exp, one], &format!("{part}_sum"))?;
    let log = cx.push(OnnxOp::Log, &[sum], &format!("{part}_log"))?;
    cx.push(OnnxOp::Sub, &[least, log], part)
}

/// `log sum exp` over an axis, which is removed.
fn log_sum_exp(cx: &mut Lower, x: Value, axis: usize, part: &str) -> Result<Value, LowerError> {
    let axes = || vec![axis];
    let max = cx.push(OnnxOp::ReduceMax { axes: axes() }, &[x], &format!("{part}_max"))?;
    let wide = cx.push(OnnxOp::Unsqueeze { axes: axes() }, &[max], &format!("{part}_max_wide"))?;
    let below = cx.push(OnnxOp::Sub, &[x, wide], &format!("{part}_below"))?;
    let exp = cx.push(OnnxOp::Exp, &[below], &format!("{part}_exp"))?;
    let sum = cx.push(OnnxOp::ReduceSum { axes: axes() }, &[exp], &format!("{part}_sum"))?;
    let log = cx.push(OnnxOp::Log, &[sum], &format!("{part}_log"))?;
    cx.push(OnnxOp::Add, &[max, log], part)
}

/// The softmax over axis 2; the result has the shape of the input.
fn softmax(cx: &mut Lower, x: Value, part: &str) -> Result<Value, LowerError> {
    let axes = || vec![2];
    let max = cx.push(OnnxOp::ReduceMax { axes: axes() }, &[x], &format!("{part}_max"))?;
    let max = cx.push(OnnxOp::Unsqueeze { axes: axes() }, &[max], &format!("{part}_max_wide"))?;
    let below = cx.push(OnnxOp::Sub, &[x, max], &format!("{part}_below"))?;
    let exp = cx.push(OnnxOp::Exp, &[below], &format!("{part}_exp"))?;
    let sum = cx.push(OnnxOp::ReduceSum { axes: axes() }, &[exp], &format!("{part}_sum"))?;
    let sum = cx.push(OnnxOp::Unsqueeze { axes: axes() }, &[sum], &format!("{part}_sum_wide"))?;
    cx.push(OnnxOp::Div, &[exp, sum], part)
}

impl LogisticMixture {
    /// Half a step of the grid.
    fn half_step(self) -> f64 {
        1.0 / (self.levels - 1) as f64
    }

    /// Splits parameters into weights, means and log-scales.
    fn parts(
        self,
        cx: &mut Lower,
        parameters: Value,
        axis: usize,
    ) -> Result<[Value; 3], LowerError> {
        let k = self.components;
        let mut part = |i: usize, name| {
            let cut = OnnxOp::Slice { axis, start: i * k, end: (i + 1) * k };
            cx.push(cut, &[parameters], name)
        };
        Ok([part(0, "weights")?, part(1, "means")?, part(2, "log_scales")?])
    }

    /// Computes the terms of levels. `level` is broadcast against the parts of the parameters.
    ///
    /// With `a` and `b` the upper and the lower end of the interval, `sigmoid(a) - sigmoid(b)` is
    /// `sigmoid(a) sigmoid(-b) (1 - exp(b - a))`. The logarithm of this product is accurate in the tails. The
    /// last factor is computed as `2 T / (1 + T)` with `T = tanh((a - b) / 2)`, which is accurate for large
    /// scales.
    fn terms(self, cx: &mut Lower, parts: [Value; 3], level: Value) -> Result<Terms, LowerError> {
        let [weights, means, log_scales] = parts;
        let number = |cx: &mut Lower, x: f64, part| cx.constant(Literal::scalar(x as f32), part);
        let (zero, one, two) =
            (number(cx, 0.0, "zero")?, number(cx, 1.0, "one")?, number(cx, 2.0, "two")?);
        let half = number(cx, self.half_step(), "half_step")?;
        let step = number(cx, 2.0 * self.half_step(), "step")?;
        let last = number(cx, (self.levels - 1) as f64, "last_level")?;
        let least = number(cx, LEAST_LOG_SCALE, "least_log_scale")?;
        let log_scales = cx.push(OnnxOp::Max, &[log_scales, least], "log_scales_bounded")?;
        let minus = cx.push(OnnxOp::Neg, &[log_scales], "log_inverse")?;
        let inverse = cx.push(OnnxOp::Exp, &[minus], "inverse")?;
        let grid = cx.push(OnnxOp::Mul, &[level, step], "grid_from_0")?;
        let grid = cx.push(OnnxOp::Sub, &[grid, one], "grid")?;
        let apart = cx.push(OnnxOp::Sub, &[grid, means], "apart")?;
        let high = cx.push(OnnxOp::Add, &[apart, half], "high_end")?;
        let high = cx.push(OnnxOp::Mul, &[high, inverse], "high")?;
        let low = cx.push(OnnxOp::Sub, &[apart, half], "low_end")?;
        let low = cx.push(OnnxOp::Mul, &[low, inverse], "low")?;
        let below = log_sigmoid(cx, high, "log_below")?;
        let minus = cx.push(OnnxOp::Neg, &[low], "minus_low")?;
        let above = log_sigmoid(cx, minus, "log_above")?;
        let half_length = cx.push(OnnxOp::Mul, &[inverse, half], "half_length")?;
        let half_tanh = cx.push(OnnxOp::Tanh, &[half_length], "half_tanh")?;
        let twice = cx.push(OnnxOp::Mul, &[half_tanh, two], "twice_tanh")?;
        let more = cx.push(OnnxOp::Add, &[half_tanh, one], "tanh_plus_1")?;
        let inner = cx.push(OnnxOp::Div, &[twice, more], "inner")?;
        let inner = cx.push(OnnxOp::Log, &[inner], "log_inner")?;
        let is_first = cx.push(OnnxOp::Equal, &[level, zero], "is_first")?;
        let is_last = cx.push(OnnxOp::Equal, &[level, last], "is_last")?;
        let below = cx.push(OnnxOp::Where, &[is_last, zero, below], "log_below_or_0")?;
        let above = cx.push(OnnxOp::Where, &[is_first, zero, above], "log_above_or_0")?;
        let inner = cx.push(OnnxOp::Where, &[is_first, zero, inner], "log_inner_or_0")?;
        let inner = cx.push(OnnxOp::Where, &[is_last, zero, inner], "log_inner_inside")?;
        let both = cx.push(OnnxOp::Add, &[below, above], "log_both")?;
        let own = cx.push(OnnxOp::Add, &[both, inner], "log_own")?;
        let joint = cx.push(OnnxOp::Add, &[own, weights], "log_joint")?;
        Ok(Terms { joint, inverse, high, low, half_tanh, is_first, is_last })
    }

    /// Returns two truth values: whether each value is between 0 and the last level, and whether it is whole.
    fn is_level(self, cx: &mut Lower, image: Value) -> Result<[Value; 2], LowerError> {
        let zero = cx.constant(Literal::scalar(0.0), "zero")?;
        let last = cx.constant(Literal::scalar((self.levels - 1) as f32), "last_level")?;
        let bounded = cx.push(OnnxOp::Max, &[image, zero], "at_least_0")?;
        let bounded = cx.push(OnnxOp::Min, &[bounded, last], "bounded")?;
        let inside = cx.push(OnnxOp::Equal, &[image, bounded], "is_inside")?;
        let whole = cx.push(OnnxOp::Cast { to: Elem::Int }, &[bounded], "whole")?;
        let whole = cx.push(OnnxOp::Cast { to: Elem::Real }, &[whole], "whole_real")?;
        let whole = cx.push(OnnxOp::Equal, &[bounded, whole], "is_whole")?;
        Ok([inside, whole])
    }

    /// Returns for each component `log P` of the level plus the logit of the weight, and the other terms that
    /// [`Family::slope_of`] needs.
    fn joint_of<R: Real>(self, parameters: &[R], level: R) -> Vec<One<R>> {
        let k = self.components;
        (0..k)
            .map(|i| self.one(parameters[i], parameters[k + i], parameters[2 * k + i], level))
            .collect()
    }

    fn one<R: Real>(self, weight: R, mean: R, log_scale: R, level: R) -> One<R> {
        let (zero, one, half) = (R::of(0.0), R::of(1.0), R::of(self.half_step()));
        let least = R::of(LEAST_LOG_SCALE);
        let log_scale = if log_scale < least { least } else { log_scale };
        let inverse = (-log_scale).exp();
        let apart = level * (half + half) - one - mean;
        let (high, low) = ((apart + half) * inverse, (apart - half) * inverse);
        let log_sigmoid = |x: R| {
            let (least, size) = if x < zero { (x, -x) } else { (zero, x) };
            least - (one + (-size).exp()).ln()
        };
        let t = (half * inverse).tanh();
        let (first, last) = (level == zero, level == R::of((self.levels - 1) as f64));
        let below = if last { zero } else { log_sigmoid(high) };
        let above = if first { zero } else { log_sigmoid(-low) };
        let inner = if first || last { zero } else { ((t + t) / (one + t)).ln() };
        One { joint: weight + below + above + inner, inverse, high, low, half_tanh: t, first, last }
    }
}

/// The terms of one value under one component.
struct One<R> {
    joint: R,
    inverse: R,
    high: R,
    low: R,
    half_tanh: R,
    first: bool,
    last: bool,
}

/// `log sum exp` of a list.
fn log_total<R: Real>(logits: &[R]) -> R {
    let high = logits.iter().fold(logits[0], |m, &l| if l > m { l } else { m });
    high + logits.iter().fold(R::of(0.0), |sum, &l| sum + (l - high).exp()).ln()
}

impl Family for LogisticMixture {
    const NAME: &'static str = "logistic_mixture";

    fn numbers(self) -> Vec<usize> {
        vec![self.levels, self.components]
    }

    fn of_numbers(numbers: &[usize]) -> Option<LogisticMixture> {
        let &[levels, components] = numbers else { return None };
        let fits = levels >= 2 && components >= 1 && components.checked_mul(3).is_some();
        fits.then_some(LogisticMixture { levels, components })
    }

    fn of_logits(_: usize) -> Option<LogisticMixture> {
        None
    }

    fn levels(self) -> usize {
        self.levels
    }

    fn parameters(self) -> usize {
        3 * self.components
    }

    fn has_axis(self) -> bool {
        true
    }

    fn nats(self, cx: &mut Lower, parameters: Value, image: Value) -> Result<Value, LowerError> {
        let parts = self.parts(cx, parameters, 2)?;
        let wide = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[image], "image_wide")?;
        let terms = self.terms(cx, parts, wide)?;
        let all = log_sum_exp(cx, parts[0], 2, "log_weights")?;
        let own = log_sum_exp(cx, terms.joint, 2, "log_probability")?;
        let [inside, whole] = self.is_level(cx, image)?;
        let impossible = cx.constant(Literal::scalar(f32::NEG_INFINITY), "impossible")?;
        let own = cx.push(OnnxOp::Where, &[inside, own, impossible], "own_inside")?;
        let own = cx.push(OnnxOp::Where, &[whole, own, impossible], "own")?;
        cx.push(OnnxOp::Sub, &[all, own], "nats")
    }

    fn nats_of<R: Real>(self, parameters: &[R], level: R) -> R {
        let known = (0..self.levels).any(|l| level == R::of(l as f64));
        if !known {
            return R::of(f64::INFINITY);
        }
        let joint: Vec<R> = self.joint_of(parameters, level).iter().map(|o| o.joint).collect();
        log_total(&parameters[..self.components]) - log_total(&joint)
    }

    fn slope(self, cx: &mut Lower, parameters: Value, image: Value) -> Result<Value, LowerError> {
        let parts = self.parts(cx, parameters, 2)?;
        let wide = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[image], "image_wide")?;
        let terms = self.terms(cx, parts, wide)?;
        let prior = softmax(cx, parts[0], "prior")?;
        let share = softmax(cx, terms.joint, "share")?;
        let weights = cx.push(OnnxOp::Sub, &[prior, share], "weights_slope")?;
        let number = |cx: &mut Lower, x: f64, part| cx.constant(Literal::scalar(x as f32), part);
        let (zero, one) = (number(cx, 0.0, "zero")?, number(cx, 1.0, "one")?);
        // The derivatives of log sigmoid(high) and of log sigmoid(-low).
        let minus = cx.push(OnnxOp::Neg, &[terms.high], "minus_high")?;
        let above = cx.push(OnnxOp::Sigmoid, &[minus], "above_high")?;
        let above = cx.push(OnnxOp::Where, &[terms.is_last, zero, above], "above_high_or_0")?;
        let below = cx.push(OnnxOp::Sigmoid, &[terms.low], "below_low")?;
        let below = cx.push(OnnxOp::Where, &[terms.is_first, zero, below], "below_low_or_0")?;
        let apart = cx.push(OnnxOp::Sub, &[above, below], "apart_slope")?;
        let apart = cx.push(OnnxOp::Mul, &[apart, terms.inverse], "mean_slope")?;
        let means = cx.push(OnnxOp::Mul, &[apart, share], "means_slope")?;
        let high = cx.push(OnnxOp::Mul, &[terms.high, above], "high_slope")?;
        let low = cx.push(OnnxOp::Mul, &[terms.low, below], "low_slope")?;
        let ends = cx.push(OnnxOp::Sub, &[high, low], "ends_slope")?;
        // length / (exp(length) - 1), where 1 / (exp(length) - 1) is (1 - T) / (2 T).
        let half = number(cx, self.half_step(), "half_step")?;
        let length = cx.push(OnnxOp::Mul, &[terms.inverse, half], "half_length")?;
        let rest = cx.push(OnnxOp::Sub, &[one, terms.half_tanh], "1_minus_tanh")?;
        let inner = cx.push(OnnxOp::Mul, &[length, rest], "inner_above")?;
        let inner = cx.push(OnnxOp::Div, &[inner, terms.half_tanh], "inner_slope")?;
        let inner = cx.push(OnnxOp::Where, &[terms.is_first, zero, inner], "inner_or_0")?;
        let inner = cx.push(OnnxOp::Where, &[terms.is_last, zero, inner], "inner_inside")?;
        let scales = cx.push(OnnxOp::Add, &[ends, inner], "scale_slope")?;
        let scales = cx.push(OnnxOp::Mul, &[scales, share], "scales_slope")?;
        let least = number(cx, LEAST_LOG_SCALE, "least_log_scale")?;
        let bound = cx.push(OnnxOp::Greater, &[least, parts[2]], "is_bound")?;
        let scales = cx.push(OnnxOp::Where, &[bound, zero, scales], "scales_slope_or_0")?;
        cx.push(OnnxOp::Concat { axis: 2 }, &[weights, means, scales], "")
    }

    fn slope_of<R: Real>(self, parameters: &[R], level: R) -> Vec<R> {
        let (zero, one) = (R::of(0.0), R::of(1.0));
        let (k, half) = (self.components, R::of(self.half_step()));
        let terms = self.joint_of(parameters, level);
        let all = log_total(&parameters[..k]);
        let own = log_total(&terms.iter().map(|o| o.joint).collect::<Vec<R>>());
        let sigmoid = |x: R| one / (one + (-x).exp());
        let mut slopes = vec![zero; 3 * k];
        for (i, o) in terms.iter().enumerate() {
            let share = (o.joint - own).exp();
            let above = if o.last { zero } else { sigmoid(-o.high) };
            let below = if o.first { zero } else { sigmoid(o.low) };
            let t = o.half_tanh;
            let inner = if o.first || o.last { zero } else { half * o.inverse * (one - t) / t };
            let bound = parameters[2 * k + i] < R::of(LEAST_LOG_SCALE);
            slopes[i] = (parameters[i] - all).exp() - share;
            slopes[k + i] = share * o.inverse * (above - below);
            let scale = share * (o.high * above - o.low * below + inner);
            slopes[2 * k + i] = if bound { zero } else { scale };
        }
        slopes
    }

    fn draw(
        self,
        cx: &mut Lower,
        parameters: Value,
        u: Value,
        factor: f64,
    ) -> Result<Value, LowerError> {
        // The mixture is evaluated at every level and drawn from as a categorical distribution.
        let mut parts = self.parts(cx, parameters, 1)?;
        for (part, name) in parts.iter_mut().zip(["weights_wide", "means_wide", "log_scales_wide"])
        {
            *part = cx.push(OnnxOp::Unsqueeze { axes: vec![2] }, &[*part], name)?;
        }
        let all = ArrayD::from_shape_fn(vec![1, 1, self.levels], |i| i[2] as f32);
        let all = cx.constant(Literal::Real(all), "levels")?;
        let terms = self.terms(cx, parts, all)?;
        let logits = log_sum_exp(cx, terms.joint, 1, "logits")?;
        let to = vec![cx.ty(parameters).shape[0], Dim::Fixed(self.levels)];
        let logits = cx.reshape(logits, to, "logits_plain")?;
        Categorical { levels: self.levels }.draw(cx, logits, u, factor)
    }

    fn draw_one<R: Real>(self, parameters: &[R], u: R, factor: R) -> R {
        let logit = |level: usize| {
            let terms = self.joint_of(parameters, R::of(level as f64));
            log_total(&terms.iter().map(|o| o.joint).collect::<Vec<R>>())
        };
        let logits: Vec<R> = (0..self.levels).map(logit).collect();
        Categorical { levels: self.levels }.draw_one(&logits, u, factor)
    }

    fn samples() -> Vec<LogisticMixture> {
        [(2, 2), (5, 3)].map(|(levels, components)| LogisticMixture { levels, components }).to_vec()
    }
}
