//! `sum(x) {axes}`: sums over axes, which are kept with extent one.

use super::Broadcast;
use crate::rules::prelude::*;

/// The sum over some axes, which are kept with extent one. The transpose of [`Broadcast`].
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// The axes to sum over.
    pub axes: Vec<usize>,
}

impl Rules for Sum {
    const MNEMONIC: &'static str = "sum";

    fn attributes(&self) -> Attributes {
        Attributes::none().ints("axes", &self.axes)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Sum { axes: attributes.ints("axes")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        let mut result = inputs[0].clone();
        for &axis in &self.axes {
            match result.shape.get_mut(axis) {
                Some(extent) => *extent = Dim::Fixed(1),
                None => {
                    return Err(TypeError::attribute(
                        "axes",
                        format!("axis {axis} does not exist"),
                    ));
                }
            }
        }
        Ok(vec![result])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let mut grid = reading.grids[0].clone();
        for &axis in &self.axes {
            grid.axes[axis] = vec![0, 1];
        }
        let extents = reading.types[0].extents(1);
        let batch = |&axis: &usize| reading.types[0].shape[axis].fixed().is_none();
        let mixes_batch = self.axes.iter().any(batch);
        let reads = move |cell: crate::rules::footprint::Cell,
                          visit: &mut crate::rules::footprint::Visit| {
            let mut read = cell.to_vec();
            for &axis in &self.axes {
                read[axis] = 0..extents[axis];
            }
            visit(0, &read);
        };
        Footprint { mixes_batch, ..Footprint::new(grid, reads) }
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        let to = cx.input_type(0).shape;
        Ok(vec![Some(cx.push(Broadcast { to }, &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let mut to = cx.ty(inputs[0]).shape.clone();
        // The last axes first, at most two at a time: a single sum over millions of f32 loses precision.
        // Adjacent axes are summed together, since engines are slow to sum a short axis in the middle.
        let mut axes = self.axes.clone();
        axes.sort_unstable();
        axes.iter().for_each(|&axis| to[axis] = Dim::Fixed(1));
        let mut x = inputs[0];
        for i in 0.. {
            let Some(last) = axes.pop() else { break };
            let beside = axes.pop_if(|axis| *axis + 1 == last);
            let axes = beside.into_iter().chain([last]).collect();
            x = cx.push(OnnxOp::ReduceSum { axes }, &[x], &format!("sum{i}"))?;
        }
        cx.push_many(OnnxOp::Reshape { to }, &[x], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let mut y = inputs[0].clone();
        for &axis in &self.axes {
            let sum = y.fold_axis(ndarray::Axis(axis), R::of(0.0), |&a, &b| a + b);
            y = sum.insert_axis(ndarray::Axis(axis));
        }
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
        vec![
            Sample::new(Sum { axes: vec![1] }, [Type::real([2usize, 3, 2])]),
            Sample::new(Sum { axes: vec![0, 2] }, [Type::real([2usize, 3, 2])]),
        ]
    }
}
