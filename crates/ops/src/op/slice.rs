//! `slice(x) {axis, start, length}`: a range of one axis.

use super::Pad;
use crate::rules::prelude::*;

/// A range of one axis. The transpose of [`Pad`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// The axis.
    pub axis: usize,
    /// The first index.
    pub start: usize,
    /// The number of indices.
    pub length: usize,
}

impl Rules for Slice {
    const MNEMONIC: &'static str = "slice";

    fn attributes(&self) -> Attributes {
        Attributes::none()
            .int("axis", self.axis)
            .int("start", self.start)
            .int("length", self.length)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Slice {
            axis: attributes.int("axis")?,
            start: attributes.int("start")?,
            length: attributes.int("length")?,
        })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        let extent = shape::fixed(inputs, 0, self.axis)?;
        let end = self.start.checked_add(self.length).ok_or(TypeError::Overflow)?;
        if self.length == 0 || end > extent {
            let reason = format!("{}..{end} of an axis of {extent}", self.start);
            return Err(TypeError::attribute("length", reason));
        }
        Ok(vec![shape::with_axis(inputs[0], self.axis, self.length)])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let (axis, start, end) = (self.axis, self.start, self.start + self.length);
        let old = &reading.grids[0].axes[axis];
        let inside = old.iter().filter(|&&b| b > start && b < end).map(|b| b - start);
        let bounds = [0].into_iter().chain(inside).chain([self.length]).collect();
        Footprint::new(reading.grids[0].clone().with(axis, bounds), move |cell, visit| {
            let mut read = cell.to_vec();
            read[axis] = cell[axis].start + start..cell[axis].end + start;
            visit(0, &read);
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        let extent = cx.input_type(0).shape[self.axis].with_batch(1);
        let pad =
            Pad { axis: self.axis, before: self.start, after: extent - self.start - self.length };
        Ok(vec![Some(cx.push(pad, &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let end = self.start + self.length;
        cx.push_many(OnnxOp::Slice { axis: self.axis, start: self.start, end }, inputs, "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let part = ndarray::Slice::from(self.start..self.start + self.length);
        Ok(vec![inputs[0].slice_axis(ndarray::Axis(self.axis), part).to_owned()])
    }

    fn stream(&self) -> Stream {
        match self.axis {
            // Axis 1 of a map is the feature axis.
            1 => Stream::Features { start: self.start, length: self.length },
            _ => Stream::Expanded,
        }
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        None
    }

    fn composite(&self) -> Option<&dyn Composite> {
        None
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new(Slice { axis: 1, start: 1, length: 2 }, [Type::real([2usize, 4, 2])])]
    }
}
