//! `shift_down(x)`: moves every row down by one. The first row becomes zero.

use super::{Pad, Slice};
use crate::rules::prelude::*;

/// Moves maps `[N, F, H, W]` down by a row. A row of the result depends only on complete rows above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShiftDown;

impl Rules for ShiftDown {
    const MNEMONIC: &'static str = "shift_down";

    fn attributes(&self) -> Attributes {
        Attributes::none()
    }

    fn rebuild(_: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(ShiftDown)
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        shape::rank(inputs, 0, 4)?;
        shape::fixed(inputs, 0, 2)?;
        Ok(vec![inputs[0].clone()])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let height = reading.types[0].extents(1)[2];
        let grid = reading.grids[0].clone().with(2, every(height));
        Footprint::new(grid, move |cell, visit| {
            let row = cell[2].start;
            if row > 0 {
                let mut read = cell.to_vec();
                read[2] = row - 1..row;
                visit(0, &read);
            }
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        let height = cx.input_type(0).shape[2].with_batch(1);
        if height == 1 {
            return Ok(vec![None]);
        }
        let lower = cx.push(Slice { axis: 2, start: 1, length: height - 1 }, &[dy], "lower")?;
        Ok(vec![Some(cx.push(Pad { axis: 2, before: 0, after: 1 }, &[lower], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let height = cx.ty(inputs[0]).shape[2].with_batch(1);
        let padded = cx.push(OnnxOp::Pad { axis: 2, before: 1, after: 0 }, inputs, "row_above")?;
        cx.push_many(OnnxOp::Slice { axis: 2, start: 0, end: height }, &[padded], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let x = inputs[0];
        Ok(vec![Array::from_shape_fn(x.raw_dim(), |i| match i[2] {
            0 => R::of(0.0),
            row => x[[i[0], i[1], row - 1, i[3]].as_slice()],
        })])
    }

    fn stream(&self) -> Stream {
        Stream::Cached(Box::new(ShiftRule { cache: None }))
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        None
    }

    fn composite(&self) -> Option<&dyn Composite> {
        None
    }

    fn samples() -> Vec<Sample> {
        let of = |height: usize| {
            let shape = [Dim::N, Dim::Fixed(2), Dim::Fixed(height), Dim::Fixed(3)];
            Sample::new(ShiftDown, [Type::real(shape)])
        };
        vec![of(3), of(1)]
    }
}

/// Streams the operator pixel by pixel: the row above is in a cache.
struct ShiftRule {
    cache: Option<usize>,
}

impl StreamRule for ShiftRule {
    fn begin(&mut self, cx: &mut Streaming) -> Result<Begun, StreamError> {
        let shape = cx.row_shape(cx.features(0)?);
        let initial = cx.initial(None, &shape, "above_initial")?;
        let cache = cx.cache(initial, "above");
        self.cache = Some(cache);
        Ok(Begun::Row(cx.caches[cache].value))
    }

    fn colour(&mut self, _: &mut Streaming, _: usize) -> Result<Option<PixelValue>, StreamError> {
        Ok(None)
    }

    fn end_pixel(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        cx.keep_row(0)
    }

    fn end_row(&mut self, cx: &mut Streaming) -> Result<(), StreamError> {
        let row = cx.complete_row(0)?;
        if let Some(cache) = self.cache {
            cx.caches[cache].next = Some(row);
        }
        Ok(())
    }
}
