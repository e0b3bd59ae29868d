//! `split_axis(x) {axis, parts}`: splits an axis into two.

use super::MergeAxes;
use crate::rules::prelude::*;

/// Splits an axis of extent F into two, `parts` and F / `parts`. The transpose of [`MergeAxes`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitAxis {
    /// The axis to split.
    pub axis: usize,
    /// The extent of the first of the two.
    pub parts: usize,
}

impl Rules for SplitAxis {
    const MNEMONIC: &'static str = "split_axis";

    fn attributes(&self) -> Attributes {
        Attributes::none().int("axis", self.axis).int("parts", self.parts)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(SplitAxis { axis: attributes.int("axis")?, parts: attributes.int("parts")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        if self.parts == 1 && self.axis < inputs[0].rank() {
            let mut shape = inputs[0].shape.clone();
            shape.insert(self.axis, Dim::Fixed(1));
            return Ok(vec![inputs[0].reshaped(shape)]);
        }
        let extent = shape::fixed(inputs, 0, self.axis)?;
        if self.parts == 0 || extent % self.parts != 0 {
            return Err(TypeError::attribute("parts", format!("does not divide {extent}")));
        }
        let mut shape = inputs[0].shape.clone();
        let halves = [Dim::Fixed(self.parts), Dim::Fixed(extent / self.parts)];
        shape.splice(self.axis..=self.axis, halves);
        Ok(vec![inputs[0].reshaped(shape)])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let (axis, parts) = (self.axis, self.parts);
        let extent = reading.types[0].shape[axis].with_batch(1);
        let part = extent / parts;
        let mut inner: Vec<usize> = reading.grids[0].axes[axis].iter().map(|b| b % part).collect();
        inner.extend([0, part]);
        inner.sort_unstable();
        inner.dedup();
        let mut grid = reading.grids[0].clone();
        grid.axes.splice(axis..=axis, [every(parts), inner]);
        Footprint::new(grid, move |cell, visit| {
            let outer = cell[axis].start * part;
            let mut read = cell.to_vec();
            read[axis] = outer + cell[axis + 1].start..outer + cell[axis + 1].end;
            read.remove(axis + 1);
            visit(0, &read);
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        Ok(vec![Some(cx.push(MergeAxes { axis: self.axis }, &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let mut to = cx.ty(inputs[0]).shape.clone();
        let rest = match to[self.axis] {
            Dim::Fixed(extent) => Dim::Fixed(extent / self.parts),
            batch => batch,
        };
        to.splice(self.axis..=self.axis, [Dim::Fixed(self.parts), rest]);
        cx.push_many(OnnxOp::Reshape { to }, inputs, "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let mut shape = inputs[0].shape().to_vec();
        let part = shape[self.axis] / self.parts;
        shape.splice(self.axis..=self.axis, [self.parts, part]);
        Ok(vec![inputs[0].as_standard_layout().into_owned().into_shape_with_order(shape)?])
    }

    fn stream(&self) -> Stream {
        match self.axis {
            // Axis 1 of a map is the feature axis.
            1 => Stream::Parts(self.parts),
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
        vec![Sample::new(SplitAxis { axis: 1, parts: 3 }, [Type::real([2usize, 6, 2])])]
    }
}
