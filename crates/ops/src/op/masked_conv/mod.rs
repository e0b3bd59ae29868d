//! `masked_conv(x, weight, bias) {kernel, mask, colours, gates, layout}`: the masked convolution of section
//! 3.4, with stride one. The result is as large as the input.
//!
//! The mask is part of the operator, so the result and every gradient are always masked. Rows of the kernel
//! below the center are cropped, and the padding is asymmetric; engines never see them.

mod eval;
pub(super) mod gradient;
mod lower;
mod native;
pub(super) mod stream;

use super::{ConvInputGradient, ConvWeightGradient, MergeAxes, Sum};
use crate::mask::{Mask, MaskKind, group};
use crate::rules::prelude::*;

/// The order of the axes of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[N, F, H, W]`.
    Maps,
    /// `[H, W, N, F]`. A weight may have a leading axis of directions; then the result has one, too.
    PixelMajor,
    /// Like `PixelMajor`, computed by an operator of the engine of this process.
    Native,
}

/// A masked convolution.
///
/// Inputs: `x`, `weight [G, F, kh, kw]`, `bias [G]`. In the pixel-major layout with D directions at once:
/// `weight [D, G, F, kh, kw]`, `bias [D, G]`, and the result is `[D, H, W, N, G]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedConv {
    /// The mask of the kernel.
    pub mask: Mask,
    /// The order of the axes.
    pub layout: Layout,
}

impl MaskedConv {
    /// A convolution of maps `[N, F, H, W]`.
    pub fn on_maps(mask: Mask) -> MaskedConv {
        MaskedConv { mask, layout: Layout::Maps }
    }

    /// The feature axis of a map of one direction.
    pub(super) fn feature_axis(&self) -> usize {
        match self.layout {
            Layout::Maps => 1,
            Layout::PixelMajor | Layout::Native => 3,
        }
    }

    /// The number of leading axes of a weight with this rank: 1 if it has an axis of directions, else 0.
    pub(super) fn directions_of_rank(&self, rank: usize) -> usize {
        usize::from(self.layout != Layout::Maps && rank == 5)
    }

    /// The number of leading axes of this weight: 1 if it has an axis of directions, else 0.
    pub(super) fn directions(&self, weight: &Type) -> usize {
        self.directions_of_rank(weight.rank())
    }
}

impl Rules for MaskedConv {
    const MNEMONIC: &'static str = "masked_conv";

    fn attributes(&self) -> Attributes {
        let layout = match self.layout {
            Layout::Maps => "maps",
            Layout::PixelMajor => "pixel_major",
            Layout::Native => "native",
        };
        Attributes::none()
            .ints("kernel", &self.mask.kernel)
            .word("mask", self.mask.kind.word())
            .int("colours", self.mask.colours)
            .int("gates", self.mask.gates)
            .word("layout", layout)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        let kernel = attributes.ints("kernel")?;
        let kernel =
            kernel.try_into().map_err(|_| TypeError::attribute("kernel", "has two extents"))?;
        let layout = match attributes.word("layout")? {
            "maps" => Layout::Maps,
            "pixel_major" => Layout::PixelMajor,
            "native" => Layout::Native,
            _ => {
                return Err(TypeError::attribute("layout", "must be maps, pixel_major or native"));
            }
        };
        let mask = Mask {
            kind: MaskKind::from_word(attributes.word("mask")?)?,
            kernel,
            colours: attributes.int("colours")?,
            gates: attributes.int("gates")?,
        };
        Ok(MaskedConv { mask, layout })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 3)?;
        shape::rank(inputs, 0, 4)?;
        let directions = match (self.layout, inputs[1].rank()) {
            (Layout::PixelMajor | Layout::Native, 5) => Some(shape::fixed(inputs, 1, 0)?),
            _ => None,
        };
        let lead = usize::from(directions.is_some());
        shape::rank(inputs, 1, 4 + lead)?;
        shape::rank(inputs, 2, 1 + lead)?;
        let outputs = shape::fixed(inputs, 1, lead)?;
        let (feature_axis, spatial) = match self.layout {
            Layout::Maps => (1, 2),
            Layout::PixelMajor | Layout::Native => (3, 0),
        };
        shape::fixed(inputs, 0, spatial)?;
        shape::fixed(inputs, 0, spatial + 1)?;
        let features = shape::fixed(inputs, 0, feature_axis)?;
        shape::extent(inputs, 1, lead + 1, features)?;
        for (i, &extent) in self.mask.kernel.iter().enumerate() {
            let free = self.mask.kind == MaskKind::Above && i == 0;
            if extent % 2 == 0 && !free {
                return Err(TypeError::attribute("kernel", "must be odd, to have a centre"));
            }
            shape::extent(inputs, 1, lead + 2 + i, extent)?;
        }
        shape::extent(inputs, 2, lead, outputs)?;
        if let Some(d) = directions {
            shape::extent(inputs, 2, 0, d)?;
        }
        if self.mask.colours == 0 {
            return Err(TypeError::attribute("colours", "must be at least 1"));
        }
        if self.mask.gates == 0 || outputs % self.mask.gates != 0 || outputs == 0 {
            let reason = format!("must divide the {outputs} output features");
            return Err(TypeError::attribute("gates", reason));
        }
        if self.mask.is_empty() {
            return Err(TypeError::attribute("mask", "leaves nothing to read"));
        }
        let mut result = shape::with_axis(inputs[0], feature_axis, outputs);
        if let Some(d) = directions {
            result.shape.insert(0, Dim::Fixed(d));
        }
        Ok(vec![result])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let (feature_axis, spatial) = match self.layout {
            Layout::Maps => (1, 2),
            Layout::PixelMajor | Layout::Native => (3, 0),
        };
        let lead = usize::from(reading.types[1].rank() == 5);
        let extents = reading.types[0].extents(1);
        let (height, width) = (extents[spatial], extents[spatial + 1]);
        let features = extents[feature_axis];
        let outputs = reading.types[1].extents(1)[lead];
        let grouped = !self.mask.is_open() && self.mask.colours > 1;
        let bounds = if grouped { self.mask.output_bounds(outputs) } else { vec![0, outputs] };
        let mut grid = reading.grids[0].clone().with(feature_axis, bounds);
        grid.axes[spatial] = every(height);
        grid.axes[spatial + 1] = every(width);
        if lead == 1 {
            grid.axes.insert(0, every(reading.types[1].extents(1)[0]));
        }
        let taps = self.mask.taps();
        let [cy, cx] = self.mask.centre();
        let colours = self.mask.colours;
        let groups: Vec<usize> = (0..features).map(|i| group(i, features, colours)).collect();
        Footprint::new(grid, move |cell, visit| {
            let mut read = cell[lead..].to_vec();
            let (y, x) = (read[spatial].start, read[spatial + 1].start);
            let to = self.mask.output_group(read[feature_axis].start, outputs);
            for &[r, c] in &taps {
                let (row, column) = ((y + r).wrapping_sub(cy), (x + c).wrapping_sub(cx));
                if row >= height || column >= width {
                    continue;
                }
                let allowed = match (self.mask.grouped(r, c), self.mask.kind) {
                    (false, _) => features,
                    (true, MaskKind::A) => groups.partition_point(|&g| g < to),
                    (true, _) => groups.partition_point(|&g| g <= to),
                };
                if allowed > 0 {
                    read[spatial] = row..row + 1;
                    read[spatial + 1] = column..column + 1;
                    read[feature_axis] = 0..allowed;
                    visit(0, &read);
                }
            }
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None; 3]) };
        let [x, weight] = [cx.inputs[0], cx.inputs[1]];
        let lead = self.directions(&cx.input_type(1));
        let dx = match cx.wanted[0] {
            true => Some(cx.push(ConvInputGradient { conv: self.clone() }, &[dy, weight], "x")?),
            false => None,
        };
        let dw = cx.push(ConvWeightGradient { conv: self.clone() }, &[x, dy], "weight")?;
        // The bias gets the sum over images and pixels, one number per feature.
        let features = lead + self.feature_axis();
        let axes: Vec<usize> = (lead..lead + 4).filter(|&a| a != features).collect();
        let mut db = cx.push(Sum { axes }, &[dy], "bias_sum")?;
        for _ in 0..3 {
            db = cx.push(MergeAxes { axis: lead }, &[db], "bias")?;
        }
        Ok(vec![dx, Some(dw), Some(db)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        match self.layout {
            Layout::Maps => lower::on_maps(self, cx, inputs),
            Layout::PixelMajor => lower::pixel_major(self, cx, inputs),
            Layout::Native => native::forward(self, cx, inputs),
        }
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        eval::eval(self, inputs)
    }

    fn stream(&self) -> Stream {
        match self.layout {
            Layout::Maps => Stream::Cached(Box::new(stream::ConvRule::new(self))),
            Layout::PixelMajor | Layout::Native => Stream::Expanded,
        }
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        match (self.layout, self.mask.kernel) {
            (Layout::Maps, [1, 1]) => {
                let conv = MaskedConv { mask: self.mask.clone(), layout: Layout::PixelMajor };
                Some((1, conv.into()))
            }
            _ => None,
        }
    }

    fn composite(&self) -> Option<&dyn Composite> {
        None
    }

    fn samples() -> Vec<Sample> {
        let case = |kind, kernel: [usize; 2], colours, gates, f: usize, g: usize| {
            let mask = Mask { kind, kernel, colours, gates };
            let w = Type::real([g, f, kernel[0], kernel[1]]);
            let b = Type::real([g]);
            let maps = Type::real([Dim::N, Dim::Fixed(f), Dim::Fixed(4), Dim::Fixed(5)]);
            let pixels = Type::real([Dim::Fixed(4), Dim::Fixed(5), Dim::N, Dim::Fixed(f)]);
            [
                Sample::new(MaskedConv::on_maps(mask.clone()), [maps, w.clone(), b.clone()]),
                Sample::new(
                    MaskedConv { mask: mask.clone(), layout: Layout::PixelMajor },
                    [pixels.clone(), w.clone(), b.clone()],
                ),
                Sample::new(MaskedConv { mask, layout: Layout::Native }, [pixels, w, b]),
            ]
        };
        let mut all = Vec::new();
        all.extend(case(MaskKind::A, [7, 7], 1, 1, 1, 4));
        all.extend(case(MaskKind::A, [3, 3], 3, 1, 3, 7));
        all.extend(case(MaskKind::A, [1, 3], 1, 1, 2, 3));
        all.extend(case(MaskKind::A, [3, 1], 1, 1, 2, 3));
        all.extend(case(MaskKind::B, [3, 3], 1, 1, 4, 4));
        all.extend(case(MaskKind::B, [3, 5], 3, 2, 5, 8));
        all.extend(case(MaskKind::B, [3, 3], 1, 1, 9, 4));
        all.extend(case(MaskKind::A, [5, 11], 2, 1, 10, 4));
        all.extend(case(MaskKind::B, [1, 1], 3, 4, 5, 8));
        all.extend(case(MaskKind::B, [1, 3], 2, 4, 4, 8));
        all.extend(case(MaskKind::B, [3, 3], 3, 1, 10, 13));
        all.extend(case(MaskKind::A, [3, 3], 3, 4, 11, 24));
        all.extend(case(MaskKind::Open, [3, 3], 3, 1, 2, 3));
        all.extend(case(MaskKind::Above, [2, 3], 3, 1, 3, 4));
        all.extend(case(MaskKind::Above, [3, 3], 1, 1, 2, 3));
        all.extend(case(MaskKind::Above, [1, 1], 1, 1, 2, 3));
        let mask = Mask { kind: MaskKind::B, kernel: [1, 1], colours: 3, gates: 4 };
        let x = Type::real([Dim::Fixed(3), Dim::Fixed(2), Dim::N, Dim::Fixed(5)]);
        let inputs = [x, Type::real([2usize, 8, 5, 1, 1]), Type::real([2usize, 8])];
        for layout in [Layout::PixelMajor, Layout::Native] {
            all.push(Sample::new(MaskedConv { mask: mask.clone(), layout }, inputs.clone()));
        }
        all
    }
}
