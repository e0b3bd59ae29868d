//! `unskew(y) {mirror, width}`: the inverse of `skew`. `[T, D, H, N, F]` becomes `[D, H, W, N, F]`.

use super::Skew;
use super::skew::{Fill, flags};
use crate::rules::prelude::*;

/// The inverse of [`Skew`]: cells that hold no pixel are dropped. With [`Fill::Zero`](super::Fill), the two
/// are transposes of each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Unskew {
    /// For each direction, whether it runs from right to left.
    pub mirror: Vec<bool>,
    /// The width of the map before it was skewed.
    pub width: usize,
}

impl Unskew {
    /// The step of row `y` that holds column `x` in direction `d`.
    fn step(&self, d: usize, y: usize, x: usize) -> usize {
        y + if self.mirror[d] { self.width - 1 - x } else { x }
    }
}

impl Rules for Unskew {
    const MNEMONIC: &'static str = "unskew";

    fn attributes(&self) -> Attributes {
        Attributes::none().ints("mirror", &flags(&self.mirror)).int("width", self.width)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        let mirror = attributes.ints("mirror")?.into_iter().map(|m| m != 0).collect();
        Ok(Unskew { mirror, width: attributes.int("width")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        shape::rank(inputs, 0, 5)?;
        shape::extent(inputs, 0, 1, self.mirror.len())?;
        let height = shape::fixed(inputs, 0, 2)?;
        if height == 0 || self.width == 0 {
            return Err(TypeError::attribute("width", "must be at least 1"));
        }
        let steps = self.width.checked_add(height - 1).ok_or(TypeError::Overflow)?;
        shape::extent(inputs, 0, 0, steps)?;
        let [_, d, h, n, f] = [0, 1, 2, 3, 4].map(|i| inputs[0].shape[i]);
        Ok(vec![inputs[0].reshaped(vec![d, h, Dim::Fixed(self.width), n, f])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let extents = reading.types[0].extents(1);
        let [n, f] = [3, 4].map(|i| reading.grids[0].axes[i].clone());
        let axes = vec![every(extents[1]), every(extents[2]), every(self.width), n, f];
        Footprint::new(Grid { axes }, move |cell, visit| {
            let (d, y, x) = (cell[0].start, cell[1].start, cell[2].start);
            let t = self.step(d, y, x);
            visit(0, &[t..t + 1, d..d + 1, y..y + 1, cell[3].clone(), cell[4].clone()]);
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        let skew = Skew { mirror: self.mirror.clone(), fill: Fill::Zero };
        Ok(vec![Some(cx.push(skew, &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let shape = cx.ty(inputs[0]).shape.clone();
        let [steps, d, height] = [0, 1, 2].map(|i| shape[i].with_batch(1));
        let rows = cx.reshape(
            inputs[0],
            vec![Dim::Fixed(steps * d * height), shape[3], shape[4]],
            "rows",
        )?;
        let index = ndarray::ArrayD::from_shape_fn(vec![d, height, self.width], |i| {
            ((self.step(i[0], i[1], i[2]) * d + i[0]) * height + i[1]) as i64
        });
        let index = cx.constant(Literal::Int(index), "index")?;
        cx.push_many(OnnxOp::Gather { axis: 0 }, &[rows, index], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let &[_, d, height, n, f] = inputs[0].shape() else {
            return Err(EvalError::Array("takes five axes".into()));
        };
        Ok(vec![Array::<R>::from_shape_fn(vec![d, height, self.width, n, f], |i| {
            inputs[0][[self.step(i[0], i[1], i[2]), i[0], i[1], i[3], i[4]].as_slice()]
        })])
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
        let ty = Type::real([Dim::Fixed(6), Dim::Fixed(2), Dim::Fixed(3), Dim::N, Dim::Fixed(2)]);
        vec![Sample::new(Unskew { mirror: vec![false, true], width: 4 }, [ty])]
    }
}
