//! `pad(x) {axis, before, after}`: pads one axis with zeros.

use super::Slice;
use crate::rules::prelude::*;

/// Pads one axis with zeros. The transpose of [`Slice`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pad {
    /// The axis to pad.
    pub axis: usize,
    /// The number of zeros before.
    pub before: usize,
    /// The number of zeros after.
    pub after: usize,
}

impl Rules for Pad {
    const MNEMONIC: &'static str = "pad";

    fn attributes(&self) -> Attributes {
        Attributes::none()
            .int("axis", self.axis)
            .int("before", self.before)
            .int("after", self.after)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Pad {
            axis: attributes.int("axis")?,
            before: attributes.int("before")?,
            after: attributes.int("after")?,
        })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        let extent = shape::fixed(inputs, 0, self.axis)?;
        let padded = extent.checked_add(self.before).and_then(|n| n.checked_add(self.after));
        Ok(vec![shape::with_axis(inputs[0], self.axis, padded.ok_or(TypeError::Overflow)?)])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let (axis, before) = (self.axis, self.before);
        let old = &reading.grids[0].axes[axis];
        let extent = old.last().copied().unwrap_or(0);
        let mut bounds: Vec<usize> = old.iter().map(|b| b + before).collect();
        bounds.extend([0, before + extent + self.after]);
        bounds.sort_unstable();
        bounds.dedup();
        Footprint::new(reading.grids[0].clone().with(axis, bounds), move |cell, visit| {
            if cell[axis].start < before || cell[axis].end > before + extent {
                return;
            }
            let mut read = cell.to_vec();
            read[axis] = cell[axis].start - before..cell[axis].end - before;
            visit(0, &read);
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        let length = cx.input_type(0).shape[self.axis].with_batch(1);
        let slice = Slice { axis: self.axis, start: self.before, length };
        Ok(vec![Some(cx.push(slice, &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let Pad { axis, before, after } = *self;
        cx.push_many(OnnxOp::Pad { axis, before, after }, inputs, "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let mut shape = inputs[0].shape().to_vec();
        shape[self.axis] += self.before + self.after;
        let mut y = Array::<R>::from_elem(shape, R::of(0.0));
        let part = ndarray::Slice::from(self.before..self.before + inputs[0].shape()[self.axis]);
        y.slice_axis_mut(ndarray::Axis(self.axis), part).assign(inputs[0]);
        Ok(vec![y])
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
        vec![Sample::new(Pad { axis: 1, before: 1, after: 2 }, [Type::real([2usize, 3, 2])])]
    }
}
