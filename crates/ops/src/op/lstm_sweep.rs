//! `lstm_sweep(weight, z, [h0, c0]) {order, mirror, before, learned, form}`: the recurrence of an LSTM over a
//! map. A composite: it is expanded to a scan, unless the engine has an operator for it.

use ndarray::{Array5, Ix4, Ix5};
use pixelrnn_graph::Site;

use super::lstm::{Expansion, Recurrence, recur, step};
use super::skew::{Fill, flags, live};
use super::{LstmSweepGradient, MergeAxes, Skew, SplitAxis, Unskew};
use crate::rules::prelude::*;

/// Which cells are computed in the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepOrder {
    /// Those of a row. The position of a cell is its column.
    Rows,
    /// Those of a diagonal. The position of a cell is its row.
    Diagonals,
}

/// How the operator is lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepForm {
    /// It is expanded to a scan of plain operators.
    Plain,
    /// It becomes an operator of the engine.
    Native,
    /// Like `Native`, with two more results that the gradient reads: the cell states `[D, H, W, N, h]` and
    /// the activated gates `[D, H, W, N, 4 h]`.
    Saving,
}

/// The attributes that [`LstmSweep`] and its gradient share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepShape {
    /// Which cells are computed in the same step.
    pub order: SweepOrder,
    /// For each direction, whether it runs from right to left.
    pub mirror: Vec<bool>,
    /// The first tap of the weight reads the position this far before the cell's own.
    pub before: usize,
    /// Whether the initial states are inputs. Otherwise they are zero.
    pub learned: bool,
}

/// The recurrence of an LSTM over a map.
///
/// Inputs: `weight [D, 4 h, h, K]`, the gates' contribution from the input `z [D, H, W, N, 4 h]` and, if
/// `learned`, the initial states `h0` and `c0`, each `[D, 1, 1, h]`. The result is the hidden states
/// `[D, H, W, N, h]`.
///
/// In each step, a cell at position p reads the previous step: the cell state at p, and the hidden states at
/// the K positions from p - `before` on. Where the previous step has no pixel at a position, the cell reads
/// the initial states `h0` and `c0`. Outside the range of positions, it reads zero.
#[derive(Clone, Debug, PartialEq)]
pub struct LstmSweep {
    /// The order of the cells, and which states they read.
    pub shape: SweepShape,
    /// How the operator is lowered.
    pub form: SweepForm,
}

impl LstmSweep {
    /// The operator of the engine, with the results that the gradient reads.
    pub fn saving(&self) -> LstmSweep {
        LstmSweep { shape: self.shape.clone(), form: SweepForm::Saving }
    }
}

impl SweepShape {
    /// The attributes in the text form.
    pub(super) fn attributes(&self) -> Attributes {
        let order = match self.order {
            SweepOrder::Rows => "rows",
            SweepOrder::Diagonals => "diagonals",
        };
        let of = Attributes::none().word("order", order).ints("mirror", &flags(&self.mirror));
        of.int("before", self.before).int("learned", usize::from(self.learned))
    }

    pub(super) fn rebuild(attributes: &ReadAttributes) -> Result<SweepShape, TypeError> {
        let order = match attributes.word("order")? {
            "rows" => SweepOrder::Rows,
            "diagonals" => SweepOrder::Diagonals,
            _ => return Err(TypeError::attribute("order", "must be rows or diagonals")),
        };
        let mirror = attributes.ints("mirror")?.into_iter().map(|m| m != 0).collect();
        let (before, learned) = (attributes.int("before")?, attributes.int("learned")? != 0);
        Ok(SweepShape { order, mirror, before, learned })
    }

    /// The attributes of the engine's operator.
    pub(super) fn native(&self) -> Vec<(&'static str, Vec<i64>)> {
        let mirror = self.mirror.iter().map(|&m| i64::from(m)).collect();
        vec![
            ("diagonals", vec![i64::from(self.order == SweepOrder::Diagonals)]),
            ("mirror", mirror),
            ("before", vec![self.before as i64]),
        ]
    }

    /// Checks the weight, the gates and the initial states, and returns the number of features.
    pub(super) fn check(
        &self,
        weight: usize,
        z: usize,
        inputs: &[&Type],
    ) -> Result<usize, TypeError> {
        shape::rank(inputs, weight, 4)?;
        shape::rank(inputs, z, 5)?;
        for i in [weight, z] {
            shape::extent(inputs, i, 0, self.mirror.len())?;
        }
        let features = shape::fixed(inputs, weight, 2)?;
        let all = features.checked_mul(4).ok_or(TypeError::Overflow)?;
        shape::extent(inputs, weight, 1, all)?;
        shape::extent(inputs, z, 4, all)?;
        let cells = shape::fixed(inputs, z, 1)?.min(shape::fixed(inputs, z, 2)?);
        if features == 0 || cells == 0 || self.before >= shape::fixed(inputs, weight, 3)? {
            return Err(TypeError::attribute("before", "there must be taps, features and cells"));
        }
        if self.order == SweepOrder::Rows && self.mirror != [false] {
            return Err(TypeError::attribute("mirror", "rows have one direction"));
        }
        Ok(features)
    }

    /// Checks that the inputs from `at` on are initial states.
    pub(super) fn check_initial(&self, inputs: &[&Type], at: usize) -> Result<(), TypeError> {
        let (d, features) = (inputs[0].shape[0], inputs[0].shape[2]);
        for i in at..inputs.len() {
            shape::rank(inputs, i, 4)?;
            let expected = [d, Dim::Fixed(1), Dim::Fixed(1), features];
            (0..4).try_for_each(|axis| shape::extent(inputs, i, axis, expected[axis]))?;
        }
        Ok(())
    }
}

/// The cells of a map, for evaluation.
pub(super) struct Cells<'a> {
    pub shape: &'a SweepShape,
    pub height: usize,
    pub width: usize,
}

/// Where a cell reads a state.
pub(super) enum Source {
    /// At this row and column.
    Cell(usize, usize),
    /// The initial state.
    Initial,
    Outside,
}

impl Cells<'_> {
    /// All cells of a direction as `[row, column]`, in an order in which each cell comes after those it
    /// reads.
    pub fn in_order(&self, d: usize) -> Vec<[usize; 2]> {
        let mut all = Vec::new();
        for y in 0..self.height {
            for s in 0..self.width {
                all.push([y, if self.shape.mirror[d] { self.width - 1 - s } else { s }]);
            }
        }
        all
    }

    /// Where the cell at `[y, x]` reads the state at `by` positions from its own.
    pub fn source(&self, d: usize, [y, x]: [usize; 2], by: isize) -> Source {
        let mirrored = |x: usize| if self.shape.mirror[d] { self.width - 1 - x } else { x };
        let (position, positions) = match self.shape.order {
            SweepOrder::Rows => (x, self.width),
            SweepOrder::Diagonals => (y, self.height),
        };
        let Some(p) = position.checked_add_signed(by).filter(|&p| p < positions) else {
            return Source::Outside;
        };
        let cell = match self.shape.order {
            SweepOrder::Rows => y.checked_sub(1).map(|y| (y, p)),
            SweepOrder::Diagonals => {
                let column = (y + mirrored(x)).checked_sub(1 + p);
                column.filter(|&s| s < self.width).map(|s| (p, mirrored(s)))
            }
        };
        cell.map_or(Source::Initial, |(y, x)| Source::Cell(y, x))
    }
}

/// The positions that the taps of a cell read, relative to its own.
pub(super) fn taps(shape: &SweepShape, count: usize) -> impl Iterator<Item = isize> + use<> {
    let before = shape.before as isize;
    (0..count as isize).map(move |tap| tap - before)
}

impl Rules for LstmSweep {
    const MNEMONIC: &'static str = "lstm_sweep";

    fn attributes(&self) -> Attributes {
        let form = match self.form {
            SweepForm::Plain => "plain",
            SweepForm::Native => "native",
            SweepForm::Saving => "saving",
        };
        self.shape.attributes().word("form", form)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        let form = match attributes.word("form")? {
            "plain" => SweepForm::Plain,
            "native" => SweepForm::Native,
            "saving" => SweepForm::Saving,
            _ => return Err(TypeError::attribute("form", "must be plain, native or saving")),
        };
        Ok(LstmSweep { shape: SweepShape::rebuild(attributes)?, form })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, if self.shape.learned { 4 } else { 2 })?;
        let features = self.shape.check(0, 1, inputs)?;
        self.shape.check_initial(inputs, 2)?;
        let h = shape::with_axis(inputs[1], 4, features);
        Ok(match self.form {
            SweepForm::Plain | SweepForm::Native => vec![h],
            SweepForm::Saving => vec![h.clone(), h, inputs[1].clone()],
        })
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        // Not exact. `verify_causality` expands the composite first, and the expansion has exact footprints.
        Footprint::everything(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        if self.form != SweepForm::Saving {
            return Err(AdjointError::Composite { mnemonic: Self::MNEMONIC });
        }
        let Some(dh) = cx.cotangents[0] else { return Ok(vec![None; cx.inputs.len()]) };
        let mut inputs = vec![cx.inputs[0], dh];
        inputs.extend(cx.outputs);
        inputs.extend(&cx.inputs[2..]);
        let gradient = LstmSweepGradient { shape: self.shape.clone() };
        let found = cx.push_many(gradient, &inputs, "sweep")?;
        Ok(found.into_iter().map(Some).collect())
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        if self.form == SweepForm::Plain {
            return Err(LowerError::Composite { mnemonic: Self::MNEMONIC });
        }
        cx.native("LstmSweep", self.shape.native(), inputs, |types| self.infer(types))
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let (weight, z) = (inputs[0], inputs[1]);
        let (&[d, height, width, n, _], &[_, _, features, count]) = (z.shape(), weight.shape())
        else {
            return Err(EvalError::Array("takes a weight of four axes and gates of five".into()));
        };
        let cells = Cells { shape: &self.shape, height, width };
        let shape = [d, height, width, n, features];
        let weight = weight.view().into_dimensionality::<Ix4>()?;
        let z = z.view().into_dimensionality::<Ix5>()?;
        let initial: Result<Vec<_>, _> =
            inputs[2..].iter().map(|a| a.view().into_dimensionality::<Ix4>()).collect();
        let initial = initial?;
        let mut h = Array5::<R>::from_elem(shape, R::of(0.0));
        let (mut c, mut activations) = (h.clone(), z.to_owned());
        let read = |from: &Array5<R>, source: &Source, i: usize, d: usize, b: usize, k: usize| {
            match *source {
                Source::Cell(y, x) => from[[d, y, x, b, k]],
                Source::Initial if self.shape.learned => initial[i][[d, 0, 0, k]],
                Source::Initial | Source::Outside => R::of(0.0),
            }
        };
        for (d, b) in (0..d).flat_map(|d| (0..n).map(move |b| (d, b))) {
            for [y, x] in cells.in_order(d) {
                let at = |k: usize| [d, y, x, b, k];
                let mut a: Vec<R> = (0..4 * features).map(|g| z[at(g)]).collect();
                for (tap, by) in taps(&self.shape, count).enumerate() {
                    let source = cells.source(d, [y, x], by);
                    for j in 0..features {
                        let state = read(&h, &source, 0, d, b, j);
                        for (g, a) in a.iter_mut().enumerate() {
                            *a += weight[[d, g, j, tap]] * state;
                        }
                    }
                }
                let own = cells.source(d, [y, x], 0);
                let mut state: Vec<R> = (0..features).map(|k| read(&c, &own, 1, d, b, k)).collect();
                let hidden = step(&a, &mut state);
                for k in 0..features {
                    h[at(k)] = hidden[k];
                    c[at(k)] = state[k];
                }
                for (g, a) in a.into_iter().enumerate() {
                    let sigmoid = R::of(1.0) / (R::of(1.0) + (-a).exp());
                    activations[at(g)] = if g < 3 * features { sigmoid } else { a.tanh() };
                }
            }
        }
        Ok(match self.form {
            SweepForm::Plain | SweepForm::Native => vec![h.into_dyn()],
            SweepForm::Saving => vec![h.into_dyn(), c.into_dyn(), activations.into_dyn()],
        })
    }

    fn stream(&self) -> Stream {
        Stream::Expanded
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        None
    }

    fn composite(&self) -> Option<&dyn Composite> {
        match self.form {
            SweepForm::Plain => Some(self),
            SweepForm::Native | SweepForm::Saving => None,
        }
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for form in [SweepForm::Plain, SweepForm::Native, SweepForm::Saving] {
            for (shape, inputs) in cases() {
                all.push(Sample::new(LstmSweep { shape, form }, inputs));
            }
        }
        all
    }
}

/// Shapes and input types for the generic tests.
pub(super) fn cases() -> Vec<(SweepShape, Vec<Type>)> {
    let rows =
        |taps: usize, learned: bool| ((SweepOrder::Rows, &[false][..], learned), taps, taps / 2);
    let diagonals =
        |mirror: &'static [bool], learned| ((SweepOrder::Diagonals, mirror, learned), 2, 1);
    let cases = [
        (rows(3, false), [3, 4], 3),
        (rows(5, true), [2, 3], 17),
        (rows(1, false), [3, 1], 2),
        (diagonals(&[false, true], false), [3, 4], 3),
        (diagonals(&[true, false], true), [4, 3], 17),
        (diagonals(&[true], true), [1, 3], 2),
        (diagonals(&[false], false), [3, 1], 2),
    ];
    let case = |(((order, mirror, learned), taps, before), [height, width], h): (
        ((SweepOrder, &[bool], bool), usize, usize),
        [usize; 2],
        usize,
    )| {
        let d = mirror.len();
        let z = [d, height, width].map(Dim::Fixed);
        let z = z.into_iter().chain([Dim::N, Dim::Fixed(4 * h)]);
        let mut inputs = vec![Type::real([d, 4 * h, h, taps]), Type::real(z)];
        if learned {
            inputs.extend([Type::real([d, 1, 1, h]), Type::real([d, 1, 1, h])]);
        }
        (SweepShape { order, mirror: mirror.to_vec(), before, learned }, inputs)
    };
    cases.map(case).into()
}

impl Composite for LstmSweep {
    fn expand(
        &self,
        graph: &mut PixelGraph,
        inputs: &[Value],
        name: &str,
        site: Site,
    ) -> Result<Vec<Value>, BuildError> {
        let mut cx = Expansion { graph, name, site };
        let extents = cx.graph.ty(inputs[1]).extents(1);
        let (height, width) = (extents[1], extents[2]);
        let directions = self.shape.mirror.len();
        let features = cx.graph.ty(inputs[0]).extents(1)[2];
        let learned = self.shape.learned;
        let initial = match inputs[2..] {
            [h, c] => [h, c],
            _ => [cx.zeros(directions, features, "h0")?, cx.zeros(directions, features, "c0")?],
        };
        let (weight, before) = (inputs[0], self.shape.before);
        let mirror = self.shape.mirror.clone();
        match self.shape.order {
            SweepOrder::Rows => {
                let rows = cx.push(MergeAxes { axis: 0 }, &[inputs[1]], "rows")?;
                let gates = cx.push(SplitAxis { axis: 0, parts: height }, &[rows], "gates")?;
                let recurrence = Recurrence { weight, before, gates, initial, learned, live: None };
                let stacked = recur(&mut cx, recurrence)?;
                let rows = cx.push(MergeAxes { axis: 0 }, &[stacked], "stacked")?;
                Ok(vec![cx.unsqueeze(rows, "states")?])
            }
            SweepOrder::Diagonals => {
                // The content of cells without a pixel does not matter: the loop masks them.
                let skew = Skew { mirror: mirror.clone(), fill: Fill::Corner };
                let gates = cx.push(skew, &[inputs[1]], "skew")?;
                // With a single row, every cell holds a pixel.
                let live = (height > 1).then(|| live(width + height - 1, height, width));
                let recurrence = Recurrence { weight, before, gates, initial, learned, live };
                let stacked = recur(&mut cx, recurrence)?;
                Ok(vec![cx.push(Unskew { mirror, width }, &[stacked], "unskew")?])
            }
        }
    }
}
