//! The negative log-likelihood of categorical distributions and its gradient, in one pass over the logits.

use crate::math::{all, clamped_exp, vectors, vectors_mut};

/// The sizes of logits `[pixels, N, C, L]`, pixel-major, and of the image `[N, C, pixels]` whose values they predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Categorical {
    /// Pixels of the whole map.
    pub pixels: usize,
    /// Images, N.
    pub images: usize,
    /// Channels, C.
    pub channels: usize,
    /// Levels, L.
    pub levels: usize,
}

impl Categorical {
    /// The number of logits of a pixel.
    fn row(&self) -> usize {
        self.images * self.channels * self.levels
    }

    fn check(&self, first: usize, logits: &[f32], image: &[f32]) {
        let values = self.images * self.channels;
        assert!(self.levels > 0, "a distribution has levels");
        assert_eq!(image.len(), values * self.pixels, "the image");
        let pixels = logits.len() / self.row().max(1);
        assert_eq!(logits.len(), pixels * self.row(), "the logits");
        assert!(first + pixels <= self.pixels, "pixels beyond the map");
    }

    /// Which level the value of image `n` and channel `c` at a pixel is, if it is one.
    fn level(&self, image: &[f32], [pixel, value]: [usize; 2]) -> Option<usize> {
        let level = image[value * self.pixels + pixel];
        let known = level >= 0.0 && level < self.levels as f32 && level.fract() == 0.0;
        known.then_some(level as usize)
    }

    /// Adds the negative log-likelihood of some pixels, the first of which is `first`, to that of each image,
    /// `sums [N]`. That of a value that is not a level is infinite.
    ///
    /// # Panics
    /// A slice has another length.
    pub fn nats(&self, first: usize, logits: &[f32], image: &[f32], sums: &mut [f64]) {
        self.check(first, logits, image);
        assert_eq!(sums.len(), self.images, "the sums");
        let arch = pulp::Arch::new();
        for (i, logits) in logits.chunks_exact(self.levels).enumerate() {
            let (pixel, value) =
                (first + i / (self.images * self.channels), i % (self.images * self.channels));
            let [high, sum] = arch.dispatch(LogSum(logits));
            let nats = match self.level(image, [pixel, value]) {
                Some(level) => f64::from(sum.ln() - (logits[level] - high)),
                None => f64::INFINITY,
            };
            sums[value / self.channels] += nats;
        }
    }

    /// Replaces the logits of some pixels by the gradient of the nats, times the cotangents `dy [N]`.
    ///
    /// # Panics
    /// A slice has another length.
    pub fn slope(&self, first: usize, logits: &mut [f32], [image, dy]: [&[f32]; 2]) {
        self.check(first, logits, image);
        assert_eq!(dy.len(), self.images, "the cotangents");
        let arch = pulp::Arch::new();
        for (i, of_value) in logits.chunks_exact_mut(self.levels).enumerate() {
            let (pixel, value) =
                (first + i / (self.images * self.channels), i % (self.images * self.channels));
            let dy = dy[value / self.channels];
            arch.dispatch(Softmax { logits: &mut *of_value, times: dy });
            if let Some(level) = self.level(image, [pixel, value]) {
                of_value[level] -= dy;
            }
        }
    }
}

/// The largest number.
#[inline(always)]
fn largest<S: pulp::Simd>(simd: S, x: &[f32]) -> f32 {
    let (whole, rest) = vectors::<S>(x);
    let start = all(simd, f32::NEG_INFINITY);
    let high = whole.iter().fold(start, |high, &x| simd.max_f32s(high, x));
    rest.iter().fold(simd.reduce_max_f32s(high), |high, &x| if x > high { x } else { high })
}

/// Replaces every number by e^(x - high), and returns their sum.
#[inline(always)]
fn exponentials<S: pulp::Simd>(simd: S, x: &mut [f32], high: f32) -> f32 {
    let (whole, rest) = vectors_mut::<S>(x);
    let wide = all(simd, high);
    let mut sum = all(simd, 0.0);
    for x in whole {
        *x = clamped_exp(simd, simd.sub_f32s(*x, wide));
        sum = simd.add_f32s(sum, *x);
    }
    let mut sum = simd.reduce_sum_f32s(sum);
    if !rest.is_empty() {
        let e = clamped_exp(simd, simd.sub_f32s(simd.partial_load_f32s(&*rest), wide));
        simd.partial_store_f32s(rest, e);
        sum += rest.iter().sum::<f32>();
    }
    sum
}

/// The sum of e^(x - high), in the same order as [`exponentials`].
#[inline(always)]
fn sum_of_exponentials<S: pulp::Simd>(simd: S, x: &[f32], high: f32) -> f32 {
    let (whole, rest) = vectors::<S>(x);
    let wide = all(simd, high);
    let mut sum = all(simd, 0.0);
    for &x in whole {
        sum = simd.add_f32s(sum, clamped_exp(simd, simd.sub_f32s(x, wide)));
    }
    // More lanes than any instruction set has.
    let mut last = [0.0; 64];
    let last = &mut last[..rest.len()];
    last.copy_from_slice(rest);
    simd.reduce_sum_f32s(sum) + exponentials(simd, last, high)
}

/// The largest of some logits, and the sum of e^(x - largest).
struct LogSum<'a>(&'a [f32]);

impl pulp::WithSimd for LogSum<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> [f32; 2] {
        let high = largest(simd, self.0);
        [high, sum_of_exponentials(simd, self.0, high)]
    }
}

/// Replaces logits by their softmax, times a number.
struct Softmax<'a> {
    logits: &'a mut [f32],
    times: f32,
}

impl pulp::WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let high = largest(simd, self.logits);
        let factor = self.times / exponentials(simd, self.logits, high);
        let (whole, rest) = vectors_mut::<S>(self.logits);
        let wide = all(simd, factor);
        whole.iter_mut().for_each(|x| *x = simd.mul_f32s(*x, wide));
        rest.iter_mut().for_each(|x| *x *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Categorical = Categorical { pixels: 3, images: 2, channels: 2, levels: 21 };

    fn case() -> (Vec<f32>, Vec<f32>) {
        let logits =
            (0..OF.pixels * OF.row()).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.7).collect();
        let image = (0..12).map(|i| (i * 7 % 21) as f32).collect();
        (logits, image)
    }

    /// Nats of each image, in f64 by the definition.
    fn nats(logits: &[f32], image: &[f32]) -> Vec<f64> {
        let mut sums = vec![0.0; OF.images];
        for (i, logits) in logits.chunks_exact(OF.levels).enumerate() {
            let (pixel, value) = (i / 4, i % 4);
            let sum: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
            let level = image[value * OF.pixels + pixel] as usize;
            sums[value / 2] += sum.ln() - f64::from(logits[level]);
        }
        sums
    }

    #[test]
    fn nats_and_their_slope_are_those_of_the_definition() {
        let (logits, image) = case();
        let mut sums = vec![0.0; 2];
        OF.nats(0, &logits[..OF.row()], &image, &mut sums);
        OF.nats(1, &logits[OF.row()..], &image, &mut sums);
        for (found, right) in sums.iter().zip(nats(&logits, &image)) {
            assert!((found - right).abs() < 1e-6 * right, "{found}, not {right}");
        }
        let mut slope = logits.clone();
        OF.slope(0, &mut slope, [&image, &[1.0, -2.0]]);
        for (i, &found) in slope.iter().enumerate() {
            let step = |by: f32| {
                let mut moved = logits.clone();
                moved[i] += by;
                let nats = nats(&moved, &image);
                nats[0] - 2.0 * nats[1]
            };
            let right = (step(1.0 / 64.0) - step(-1.0 / 64.0)) * 32.0;
            assert!((f64::from(found) - right).abs() < 1e-3, "{i}: {found}, not {right}");
        }
    }

    #[test]
    fn what_is_not_a_level_is_impossible_and_what_is_not_a_number_shows() {
        let (mut logits, mut image) = case();
        image[0] = 21.0;
        logits[OF.row() - 1] = f32::NAN;
        let mut sums = vec![0.0; 2];
        OF.nats(0, &logits, &image, &mut sums);
        assert!(sums[0] == f64::INFINITY && sums[1].is_nan(), "{sums:?}");
        let mut slope = logits.clone();
        OF.slope(0, &mut slope, [&image, &[1.0, 1.0]]);
        let sum: f32 = slope[..OF.levels].iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "nothing is taken from the softmax: {sum}");
        assert!(slope[OF.row() - OF.levels..OF.row()].iter().all(|x| x.is_nan()));
    }
}
