//! `lstm_sweep_gradient(weight, dh, h, c, activations, [h0, c0]) {order, mirror, before, learned}`: the
//! gradient of `lstm_sweep`, as an operator of the engine.

use ndarray::{Array4, Array5, Ix4, Ix5};

use super::lstm_sweep::{Cells, Source, SweepShape, cases, taps};
use crate::rules::prelude::*;

/// The gradient of [`LstmSweep`](super::LstmSweep).
///
/// Inputs: `weight [D, 4 h, h, K]`; `dh`, the cotangent of the hidden states; the results of the sweep, that
/// is, hidden states and cell states `[D, H, W, N, h]` and activated gates `[D, H, W, N, 4 h]`; if `learned`,
/// the initial states `[D, 1, 1, h]`. The results are the cotangents of the sweep's inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct LstmSweepGradient {
    /// The attributes of the sweep.
    pub shape: SweepShape,
}

impl Rules for LstmSweepGradient {
    const MNEMONIC: &'static str = "lstm_sweep_gradient";

    fn attributes(&self) -> Attributes {
        self.shape.attributes()
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(LstmSweepGradient { shape: SweepShape::rebuild(attributes)? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, if self.shape.learned { 7 } else { 5 })?;
        let features = self.shape.check(0, 4, inputs)?;
        self.shape.check_initial(inputs, 5)?;
        let states = shape::with_axis(inputs[4], 4, features);
        if let Some(other) = inputs[1..4].iter().find(|ty| ***ty != states) {
            return Err(TypeError::Unequal { left: (*other).clone(), right: states });
        }
        let given = [inputs[0], inputs[4]].into_iter().chain(inputs[5..].iter().copied());
        Ok(given.cloned().collect())
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        Footprint::everything(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let _ = cx;
        Err(AdjointError::Missing { mnemonic: Self::MNEMONIC })
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        cx.native("LstmSweepGradient", self.shape.native(), inputs, |types| self.infer(types))
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let [weight, dh, h, c, gates, initial @ ..] = inputs else {
            return Err(EvalError::Array("takes at least five inputs".into()));
        };
        let (&[d, height, width, n, f], &[.., count]) = (h.shape(), weight.shape()) else {
            return Err(EvalError::Array("takes states of five axes and a weight of four".into()));
        };
        let cells = Cells { shape: &self.shape, height, width };
        let five = |a: &&Array<R>| (*a).clone().into_dimensionality::<Ix5>();
        let (mut dh, h, c, gates) = (five(dh)?, five(h)?, five(c)?, five(gates)?);
        let four = |a: &&Array<R>| (*a).clone().into_dimensionality::<Ix4>();
        let weight = four(weight)?;
        let initial = initial.iter().map(four).collect::<Result<Vec<_>, _>>()?;
        let zero = R::of(0.0);
        let mut dc = Array5::from_elem(c.raw_dim(), zero);
        let mut dgates = Array5::from_elem(gates.raw_dim(), zero);
        let mut dweight = Array4::from_elem(weight.raw_dim(), zero);
        let mut dinitial: Vec<_> =
            initial.iter().map(|a| Array4::from_elem(a.raw_dim(), zero)).collect();
        let one = R::of(1.0);
        for (d, b) in (0..d).flat_map(|d| (0..n).map(move |b| (d, b))) {
            for [y, x] in cells.in_order(d).into_iter().rev() {
                let at = |k: usize| [d, y, x, b, k];
                let own = cells.source(d, [y, x], 0);
                for k in 0..f {
                    let [o, fg, i, g] = [0, 1, 2, 3].map(|gate| gates[at(gate * f + k)]);
                    let before = match own {
                        Source::Cell(y, x) => c[[d, y, x, b, k]],
                        Source::Initial if self.shape.learned => initial[1][[d, 0, 0, k]],
                        Source::Initial | Source::Outside => R::of(0.0),
                    };
                    let (t, dhk) = (c[at(k)].tanh(), dh[at(k)]);
                    let dck = dc[at(k)] + dhk * o * (one - t * t);
                    let dz = [
                        dhk * t * o * (one - o),
                        dck * before * fg * (one - fg),
                        dck * g * i * (one - i),
                        dck * i * (one - g * g),
                    ];
                    for (gate, dz) in dz.into_iter().enumerate() {
                        dgates[at(gate * f + k)] = dz;
                    }
                    match own {
                        Source::Cell(y, x) => dc[[d, y, x, b, k]] += dck * fg,
                        Source::Initial if self.shape.learned => {
                            dinitial[1][[d, 0, 0, k]] += dck * fg;
                        }
                        Source::Initial | Source::Outside => {}
                    }
                }
                for (tap, by) in taps(&self.shape, count).enumerate() {
                    let source = cells.source(d, [y, x], by);
                    for (j, g) in (0..f).flat_map(|j| (0..4 * f).map(move |g| (j, g))) {
                        let dz = dgates[at(g)];
                        let w = weight[[d, g, j, tap]];
                        let state = match source {
                            Source::Cell(y, x) => {
                                dh[[d, y, x, b, j]] += w * dz;
                                h[[d, y, x, b, j]]
                            }
                            Source::Initial if self.shape.learned => {
                                dinitial[0][[d, 0, 0, j]] += w * dz;
                                initial[0][[d, 0, 0, j]]
                            }
                            Source::Initial | Source::Outside => R::of(0.0),
                        };
                        dweight[[d, g, j, tap]] += state * dz;
                    }
                }
            }
        }
        let mut found = vec![dweight.into_dyn(), dgates.into_dyn()];
        found.extend(dinitial.into_iter().map(|a| a.into_dyn()));
        Ok(found)
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
        let sample = |(shape, given): (SweepShape, Vec<Type>)| {
            let features = given[0].extents(1)[2];
            let states = shape::with_axis(&given[1], 4, features);
            let mut inputs = vec![given[0].clone()];
            inputs.extend([states.clone(), states.clone(), states, given[1].clone()]);
            inputs.extend_from_slice(&given[2..]);
            Sample::new(LstmSweepGradient { shape }, inputs)
        };
        cases().into_iter().map(sample).collect()
    }
}
