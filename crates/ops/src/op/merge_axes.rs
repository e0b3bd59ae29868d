//! `merge_axes(x) {axis}`: merges an axis and the next one.

use super::SplitAxis;
use crate::rules::prelude::*;

/// Merges an axis and the next one into one axis. The transpose of [`SplitAxis`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MergeAxes {
    /// The first of the two axes that become one.
    pub axis: usize,
}

impl Rules for MergeAxes {
    const MNEMONIC: &'static str = "merge_axes";

    fn attributes(&self) -> Attributes {
        Attributes::none().int("axis", self.axis)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(MergeAxes { axis: attributes.int("axis")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        let mut shape = inputs[0].shape.clone();
        let missing =
            || TypeError::Rank { input: 0, expected: self.axis + 2, found: inputs[0].clone() };
        if self.axis >= shape.len() {
            return Err(TypeError::attribute("axis", format!("axis {} does not exist", self.axis)));
        }
        let (a, b) = (shape.get(self.axis), shape.get(self.axis + 1));
        let (a, b) = (*a.ok_or_else(missing)?, *b.ok_or_else(missing)?);
        let merged = a.times(b).ok_or(TypeError::Overflow)?;
        shape.splice(self.axis..=self.axis + 1, [merged]);
        Ok(vec![inputs[0].reshaped(shape)])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let axis = self.axis;
        let (outer, inner) = (&reading.grids[0].axes[axis], &reading.grids[0].axes[axis + 1]);
        let count = outer.last().copied().unwrap_or(0);
        let part = inner.last().copied().unwrap_or(1).max(1);
        // The outer axis is cut at every index: a cell of the merged axis must lie inside one index of the
        // outer axis.
        let ends = (0..count).flat_map(|o| inner.iter().map(move |i| o * part + i));
        let mut bounds: Vec<usize> = ends.collect();
        bounds.dedup();
        let mut grid = reading.grids[0].clone();
        grid.axes.splice(axis..=axis + 1, [bounds]);
        Footprint::new(grid, move |cell, visit| {
            let outer = cell[axis].start / part;
            let start = cell[axis].start % part;
            let mut read = cell.to_vec();
            read.splice(axis..=axis, [outer..outer + 1, start..start + cell[axis].len()]);
            visit(0, &read);
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        let parts = cx.input_type(0).shape[self.axis].with_batch(1);
        Ok(vec![Some(cx.push(SplitAxis { axis: self.axis, parts }, &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let mut to = cx.ty(inputs[0]).shape.clone();
        let merged = to[self.axis].times(to[self.axis + 1]).unwrap_or(Dim::N);
        to.splice(self.axis..=self.axis + 1, [merged]);
        cx.push_many(OnnxOp::Reshape { to }, inputs, "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let mut shape = inputs[0].shape().to_vec();
        let merged = shape[self.axis] * shape[self.axis + 1];
        shape.splice(self.axis..=self.axis + 1, [merged]);
        Ok(vec![inputs[0].as_standard_layout().into_owned().into_shape_with_order(shape)?])
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
        vec![Sample::new(MergeAxes { axis: 0 }, [Type::real([2usize, 3, 2])])]
    }
}
