//! The likelihood of categorical distributions and its gradient, on pixel-major logits.

use ort::operator::{ComputeContext, KernelContext};
use pixelrnn_kernels::{Categorical, parts};

use super::{Compute, Inputs, attribute, each, output, replaced};

/// The number of levels.
struct Levels(usize);

impl Levels {
    fn of(cx: &KernelContext) -> ort::Result<Levels> {
        match attribute(cx, "levels")?[..] {
            [levels] if levels > 0 => Ok(Levels(levels as usize)),
            _ => Err(ort::Error::new("attribute `levels` is a positive number")),
        }
    }

    /// The distributions of logits `[H, W, N, C L]`, and the pixels in parts. The parts depend on the map alone.
    fn of_map(&self, map: &[usize]) -> ort::Result<(Categorical, Vec<std::ops::Range<usize>>)> {
        let levels = self.0;
        let &[height, width, images, features] = map else {
            return Err(ort::Error::new("logits have four axes"));
        };
        if features % levels != 0 {
            return Err(ort::Error::new("the logits are not a number for each level"));
        }
        let pixels = height * width;
        Ok((Categorical { pixels, images, channels: features / levels, levels }, parts(pixels)))
    }
}

/// `logits, image`: the nats of each image.
pub(super) struct Nll(Levels);

impl Compute for Nll {
    const NAME: &'static str = "CategoricalNll";

    fn new(attributes: &KernelContext) -> ort::Result<Self> {
        Levels::of(attributes).map(Nll)
    }

    fn compute(&mut self, cx: &ComputeContext) -> ort::Result<()> {
        let inputs = Inputs::of(cx)?;
        let ((map, logits), image) = (inputs.get(0)?, inputs.get(1)?.1);
        let (of, parts) = self.0.of_map(&map)?;
        let images = of.images;
        let mut sums = vec![0.0; parts.len() * images];
        let row = logits.len() / of.pixels.max(1);
        let work = parts.into_iter().zip(sums.chunks_exact_mut(images.max(1)));
        each(cx, work, |_, (part, sums)| {
            of.nats(part.start, &logits[part.start * row..part.end * row], image, sums);
        })?;
        let mut out = output(cx, 0, &[images])?;
        let out = out.try_extract_tensor_mut::<f32>()?.1;
        for (n, out) in out.iter_mut().enumerate() {
            *out = sums.iter().skip(n).step_by(images).sum::<f64>() as f32;
        }
        Ok(())
    }
}

/// `logits, image, dy`: the cotangent of the logits.
pub(super) struct NllSlope(Levels);

impl Compute for NllSlope {
    const NAME: &'static str = "CategoricalNllSlope";
    const REPLACED: &'static [(u32, u32)] = &[(0, 0)];

    fn new(attributes: &KernelContext) -> ort::Result<Self> {
        Levels::of(attributes).map(NllSlope)
    }

    fn compute(&mut self, cx: &ComputeContext) -> ort::Result<()> {
        let inputs = Inputs::of(cx)?;
        let (map, image, dy) = (inputs.get(0)?.0, inputs.get(1)?.1, inputs.get(2)?.1);
        let (of, parts) = self.0.of_map(&map)?;
        let mut slopes = replaced(cx, &inputs, 0, 0)?;
        let mut rest = slopes.try_extract_tensor_mut::<f32>()?.1;
        let row = rest.len() / of.pixels.max(1);
        let mut work = Vec::with_capacity(parts.len());
        for part in parts {
            let (own, others) = rest.split_at_mut(part.len() * row);
            work.push((part, own));
            rest = others;
        }
        each(cx, work, |_, (part, logits)| of.slope(part.start, logits, [image, dy]))
    }
}
