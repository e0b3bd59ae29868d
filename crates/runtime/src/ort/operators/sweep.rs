//! The recurrence of an LSTM, and its gradient.

use ort::operator::{ComputeContext, KernelContext};
use pixelrnn_kernels::{Found, Gates, Gradient, Order, Sweep, backward, forward};

use super::{Compute, Inputs, attribute, each, output, parts, parts_mut, replaced};

/// The attributes of both operators.
struct Attributes {
    order: Order,
    mirror: Vec<bool>,
    before: usize,
}

impl Attributes {
    fn of(cx: &KernelContext) -> ort::Result<Attributes> {
        let order = match attribute(cx, "diagonals")?[..] {
            [0] => Order::Rows,
            _ => Order::Diagonals,
        };
        let mirror = attribute(cx, "mirror")?.into_iter().map(|m| m != 0).collect();
        let before = attribute(cx, "before")?.first().map_or(0, |&n| n as usize);
        Ok(Attributes { order, mirror, before })
    }

    /// The sweep over gates `[D, H, W, N, 4 h]`, with a weight `[D, 4 h, h, K]`.
    fn sweep(&self, weight: &[usize], z: &[usize]) -> ort::Result<Sweep> {
        let (&[_, _, features, taps], &[directions, height, width, images, _]) = (weight, z) else {
            return Err(ort::Error::new("a weight of four axes and gates of five are expected"));
        };
        if directions != self.mirror.len() || height == 0 || width == 0 || features == 0 {
            return Err(ort::Error::new("the gates have other axes than the attributes say"));
        }
        let &Attributes { order, before, .. } = self;
        let mirror = self.mirror.clone();
        Ok(Sweep { order, mirror, height, width, images, features, taps, before })
    }
}

/// `weight, z, [h0, c0]`: computes the hidden states and, if the node has more results, the cell states and
/// the activated gates.
pub(super) struct LstmSweep(Attributes);

impl Compute for LstmSweep {
    const NAME: &'static str = "LstmSweep";
    const REPLACED: &'static [(u32, u32)] = &[(1, 2)];

    fn new(attributes: &KernelContext) -> ort::Result<Self> {
        Attributes::of(attributes).map(LstmSweep)
    }

    fn compute(&mut self, cx: &ComputeContext) -> ort::Result<()> {
        let inputs = Inputs::of(cx)?;
        let ((weight_shape, weight), z_shape) = (inputs.get(0)?, inputs.get(1)?.0);
        let sweep = self.0.sweep(&weight_shape, &z_shape)?;
        let directions = sweep.mirror.len();
        let initial = match inputs.0.len() {
            2 => None,
            _ => Some([inputs.get(2)?.1, inputs.get(3)?.1]),
        };
        let [d, height, width, n, f] =
            [directions, sweep.height, sweep.width, sweep.images, sweep.features];
        let states = [d, height, width, n, f];
        let mut h = output(cx, 0, &states)?;
        let mut saving = match cx.num_outputs()? {
            1 => None,
            _ => Some([output(cx, 1, &states)?, replaced(cx, &inputs, 1, 2)?]),
        };
        let h = parts_mut(h.try_extract_tensor_mut::<f32>()?.1, d);
        let gates: Vec<Gates> = match &mut saving {
            None => parts(inputs.get(1)?.1, d).map(Gates::Read).collect(),
            Some([c, gates]) => {
                let c = parts_mut(c.try_extract_tensor_mut::<f32>()?.1, d);
                let gates = parts_mut(gates.try_extract_tensor_mut::<f32>()?.1, d);
                gates.into_iter().zip(c).map(|(gates, c)| Gates::Saving { gates, c }).collect()
            }
        };
        each(cx, parts(weight, d).zip(gates).zip(h), |direction, ((weight, gates), h)| {
            let initial = initial.map(|of| of.map(|of| &of[direction * f..(direction + 1) * f]));
            forward(&sweep, direction, weight, gates, initial, h);
        })
    }
}

/// `weight, dh, h, c, activations, [h0, c0]`: computes the cotangents of the weight, the gates, and the
/// initial states.
pub(super) struct LstmSweepGradient(Attributes);

impl Compute for LstmSweepGradient {
    const NAME: &'static str = "LstmSweepGradient";
    const REPLACED: &'static [(u32, u32)] = &[(4, 1)];

    fn new(attributes: &KernelContext) -> ort::Result<Self> {
        Attributes::of(attributes).map(LstmSweepGradient)
    }

    fn compute(&mut self, cx: &ComputeContext) -> ort::Result<()> {
        let inputs = Inputs::of(cx)?;
        let ((weight_shape, weight), z_shape) = (inputs.get(0)?, inputs.get(4)?.0);
        let [dh, h, c] = [inputs.get(1)?.1, inputs.get(2)?.1, inputs.get(3)?.1];
        let sweep = self.0.sweep(&weight_shape, &z_shape)?;
        let (d, f) = (sweep.mirror.len(), sweep.features);
        let learned = inputs.0.len() > 5;
        let mut dweight = output(cx, 0, &weight_shape)?;
        let mut gates = replaced(cx, &inputs, 4, 1)?;
        let mut dinitial = match learned {
            false => None,
            true => Some([output(cx, 2, &[d, 1, 1, f])?, output(cx, 3, &[d, 1, 1, f])?]),
        };
        let dweight = parts_mut(dweight.try_extract_tensor_mut::<f32>()?.1, d);
        let gates = parts_mut(gates.try_extract_tensor_mut::<f32>()?.1, d);
        let dinitial = match &mut dinitial {
            None => (0..d).map(|_| None).collect(),
            Some([h, c]) => {
                let h = parts_mut(h.try_extract_tensor_mut::<f32>()?.1, d);
                let c = parts_mut(c.try_extract_tensor_mut::<f32>()?.1, d);
                h.into_iter().zip(c).map(|(h, c)| Some([h, c])).collect::<Vec<_>>()
            }
        };
        let initial = match learned {
            false => None,
            true => Some([inputs.get(5)?.1, inputs.get(6)?.1]),
        };
        let found = parts(weight, d).zip(parts(h, d)).zip(parts(c, d)).zip(parts(dh, d));
        let gradients = gates.into_iter().zip(dweight).zip(dinitial);
        each(cx, found.zip(gradients), |direction, (found, ((z, of_weight), of_initial))| {
            let (((weight, h), c), dh) = found;
            let initial = initial.map(|of| of.map(|of| &of[direction * f..(direction + 1) * f]));
            let found = Found { weight, h, c, initial };
            let gradient = Gradient { z, weight: of_weight, initial: of_initial };
            backward(&sweep, direction, &found, dh, gradient);
        })
    }
}
