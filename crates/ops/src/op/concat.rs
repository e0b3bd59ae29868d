//! `concat(x, ...) {axis}`: concatenates tensors along an axis.

use super::Slice;
use crate::rules::prelude::*;

/// Concatenates tensors along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concat {
    /// The axis of concatenation.
    pub axis: usize,
}

impl Rules for Concat {
    const MNEMONIC: &'static str = "concat";

    fn attributes(&self) -> Attributes {
        Attributes::none().int("axis", self.axis)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Concat { axis: attributes.int("axis")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        if inputs.is_empty() {
            return Err(TypeError::Arity { expected: 1, found: 0 });
        }
        let mut total = 0usize;
        for (i, ty) in inputs.iter().enumerate() {
            let extent = shape::fixed(inputs, i, self.axis)?;
            total = total.checked_add(extent).ok_or(TypeError::Overflow)?;
            if shape::with_axis(ty, self.axis, 1) != shape::with_axis(inputs[0], self.axis, 1) {
                return Err(TypeError::Unequal { left: inputs[0].clone(), right: (*ty).clone() });
            }
        }
        Ok(vec![shape::with_axis(inputs[0], self.axis, total)])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let axis = self.axis;
        let mut grid = reading.grids[0].clone();
        let mut bounds = vec![0];
        let mut starts = vec![0];
        for other in reading.grids {
            for (i, (mine, theirs)) in grid.axes.iter_mut().zip(&other.axes).enumerate() {
                if i != axis {
                    *mine = refine(mine, theirs);
                }
            }
            let start = starts[starts.len() - 1];
            bounds.extend(other.axes[axis][1..].iter().map(|b| b + start));
            starts.push(start + other.axes[axis].last().copied().unwrap_or(0));
        }
        Footprint::new(grid.with(axis, bounds), move |cell, visit| {
            let i = starts.partition_point(|&s| s <= cell[axis].start) - 1;
            let mut read = cell.to_vec();
            read[axis] = cell[axis].start - starts[i]..cell[axis].end - starts[i];
            visit(i, &read);
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None; cx.inputs.len()]) };
        let mut start = 0;
        let mut parts = Vec::new();
        for i in 0..cx.inputs.len() {
            let length = cx.input_type(i).shape[self.axis].with_batch(1);
            let slice = Slice { axis: self.axis, start, length };
            parts.push(Some(cx.push(slice, &[dy], &format!("x{i}"))?));
            start += length;
        }
        Ok(parts)
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        cx.push_many(OnnxOp::Concat { axis: self.axis }, inputs, "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let views: Vec<_> = inputs.iter().map(|x| x.view()).collect();
        Ok(vec![ndarray::concatenate(ndarray::Axis(self.axis), &views)?])
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
        vec![Sample::new(
            Concat { axis: 1 },
            [Type::real([2usize, 1, 2]), Type::real([2usize, 3, 2])],
        )]
    }
}
