//! The masked convolution and its two transposes, on pixel-major maps.

use std::ops::Range;

use ort::operator::{ComputeContext, KernelContext};
use pixelrnn_kernels::Conv;

use super::{Compute, Inputs, attribute, each, output, parts, parts_mut};

/// The attributes: the kernel, its center, the taps that are read, and the blocks of the center tap that are.
struct Attributes {
    kernel: [usize; 2],
    center: [usize; 2],
    taps: Vec<[usize; 2]>,
    center_blocks: Vec<[Range<usize>; 2]>,
}

impl Attributes {
    fn of(cx: &KernelContext) -> ort::Result<Attributes> {
        let pair = |name: &str| -> ort::Result<[usize; 2]> {
            match attribute(cx, name)?[..] {
                [a, b] => Ok([a as usize, b as usize]),
                _ => Err(ort::Error::new(format!("attribute `{name}` has two numbers"))),
            }
        };
        let taps = attribute(cx, "taps")?;
        let taps = taps.chunks_exact(2).map(|tap| [tap[0] as usize, tap[1] as usize]).collect();
        let blocks = attribute(cx, "center_blocks")?;
        let range = |from: i64, to: i64| from as usize..to as usize;
        let center_blocks =
            blocks.chunks_exact(4).map(|b| [range(b[0], b[1]), range(b[2], b[3])]).collect();
        Ok(Attributes { kernel: pair("kernel")?, center: pair("center")?, taps, center_blocks })
    }

    /// The convolution of a map `[H, W, N, _]` with `[inputs, outputs]` features.
    fn conv(&self, map: &[usize], [inputs, outputs]: [usize; 2]) -> ort::Result<Conv> {
        let &[height, width, images, _] = map else {
            return Err(ort::Error::new("a map of four axes is expected"));
        };
        let &Attributes { kernel, center, .. } = self;
        let (taps, center_blocks) = (self.taps.clone(), self.center_blocks.clone());
        let fits = |[i, o]: &[Range<usize>; 2]| {
            i.start <= i.end && i.end <= inputs && o.start <= o.end && o.end <= outputs
        };
        if !center_blocks.iter().all(fits) {
            return Err(ort::Error::new("a block of the center tap reaches beyond the weight"));
        }
        Ok(Conv { height, width, images, inputs, outputs, kernel, center, taps, center_blocks })
    }
}

/// The number of directions, and the outputs and inputs, of a weight `[.., G, F, kh, kw]`.
fn weight_axes(weight: &[usize]) -> ort::Result<(usize, [usize; 2])> {
    match *weight {
        [g, f, _, _] => Ok((1, [f, g])),
        [d, g, f, _, _] => Ok((d, [f, g])),
        _ => Err(ort::Error::new("a weight of four or five axes is expected")),
    }
}

/// Splits a map into parts of several rows, for the threads.
fn rows<'a>(conv: &Conv, map: &'a mut [f32]) -> Vec<(Range<usize>, &'a mut [f32])> {
    let row = map.len() / conv.height;
    let mut rest = map;
    let mut all = Vec::new();
    for rows in conv.parts() {
        let (part, others) = std::mem::take(&mut rest).split_at_mut(rows.len() * row);
        all.push((rows, part));
        rest = others;
    }
    all
}

/// `x, weight, bias`: the convolution.
pub(super) struct MaskedConv(Attributes);

impl Compute for MaskedConv {
    const NAME: &'static str = "MaskedConv";

    fn new(attributes: &KernelContext) -> ort::Result<Self> {
        Attributes::of(attributes).map(MaskedConv)
    }

    fn compute(&mut self, cx: &ComputeContext) -> ort::Result<()> {
        let inputs = Inputs::of(cx)?;
        let ((map, x), (weight_shape, weight)) = (inputs.get(0)?, inputs.get(1)?);
        let bias = inputs.get(2)?.1;
        let (directions, features) = weight_axes(&weight_shape)?;
        let conv = self.0.conv(&map, features)?;
        let mut shape = map[..3].to_vec();
        shape.push(conv.outputs);
        if weight_shape.len() == 5 {
            shape.insert(0, directions);
        }
        let mut out = output(cx, 0, &shape)?;
        let out = parts_mut(out.try_extract_tensor_mut::<f32>()?.1, directions);
        let matrices: Vec<Vec<f32>> =
            parts(weight, directions).map(|weight| conv.matrices(weight)).collect();
        let given = matrices.iter().zip(parts(bias, directions)).zip(out);
        let work = given
            .flat_map(|(given, out)| rows(&conv, out).into_iter().map(move |part| (given, part)));
        each(cx, work, |_, ((matrices, bias), (rows, out))| {
            conv.forward(x, [matrices, bias], rows, out);
        })
    }
}

/// `dy, weight`: the cotangent of the map.
pub(super) struct InputGradient(Attributes);

impl Compute for InputGradient {
    const NAME: &'static str = "ConvInputGradient";

    fn new(attributes: &KernelContext) -> ort::Result<Self> {
        Attributes::of(attributes).map(InputGradient)
    }

    fn compute(&mut self, cx: &ComputeContext) -> ort::Result<()> {
        let inputs = Inputs::of(cx)?;
        let ((map, dy), (weight_shape, weight)) = (inputs.get(0)?, inputs.get(1)?);
        let (directions, features) = weight_axes(&weight_shape)?;
        let map = &map[weight_shape.len() - 4..];
        let conv = self.0.conv(map, features)?;
        let mut shape = map.to_vec();
        shape[3] = conv.inputs;
        let mut dx = output(cx, 0, &shape)?;
        let dx = dx.try_extract_tensor_mut::<f32>()?.1;
        each(cx, rows(&conv, dx), |_, (rows, dx)| {
            dx.fill(0.0);
            for (dy, weight) in parts(dy, directions).zip(parts(weight, directions)) {
                conv.input_gradient(dy, weight, rows.clone(), dx);
            }
        })
    }
}

/// `x, dy`: the cotangent of the weight.
pub(super) struct WeightGradient(Attributes);

impl Compute for WeightGradient {
    const NAME: &'static str = "ConvWeightGradient";

    fn new(attributes: &KernelContext) -> ort::Result<Self> {
        Attributes::of(attributes).map(WeightGradient)
    }

    fn compute(&mut self, cx: &ComputeContext) -> ort::Result<()> {
        let inputs = Inputs::of(cx)?;
        let ((map, x), (dy_shape, dy)) = (inputs.get(0)?, inputs.get(1)?);
        let directions = if dy_shape.len() == 5 { dy_shape[0] } else { 1 };
        let last = |shape: &[usize]| shape.last().copied().unwrap_or(0);
        let conv = self.0.conv(&map, [last(&map), last(&dy_shape)])?;
        let mut shape = dy_shape[..dy_shape.len() - 4].to_vec();
        shape.extend([conv.outputs, conv.inputs, conv.kernel[0], conv.kernel[1]]);
        let mut dw = output(cx, 0, &shape)?;
        let dw = parts_mut(dw.try_extract_tensor_mut::<f32>()?.1, directions);
        let size = conv.taps.len() * conv.inputs * conv.outputs;
        let mut sums = vec![0.0; directions * size];
        let count = conv.weight_parts();
        let work = parts_mut(&mut sums, directions).into_iter().zip(parts(dy, directions));
        let work = work.flat_map(|(sums, dy)| {
            parts_mut(sums, count).into_iter().enumerate().map(move |(tap, sums)| (tap, sums, dy))
        });
        each(cx, work, |_, (tap, sums, dy)| conv.weight_gradient(x, dy, tap, sums))?;
        for (sums, dw) in parts(&sums, directions).zip(dw) {
            conv.weights_of_taps(sums, dw);
        }
        Ok(())
    }
}
