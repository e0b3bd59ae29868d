//! `skew(x) {mirror, fill}`: moves row y to the right by y, so that one column is one step of a diagonal
//! recurrence (section 3.2).
//!
//! `x [D, H, W, N, F]` becomes `[T, D, H, N, F]` with T = W + H - 1. Step t of row y is the pixel in column
//! `t - y`, counted from the right in a mirrored direction. The map is mirrored before it is skewed; the
//! other order would give another result.

use super::Unskew;
use crate::rules::prelude::*;

/// The content of the cells of the skewed map that hold no pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Zeros.
    Zero,
    /// The pixel at which the direction begins, the first of row 0. This costs nothing, while zeros cost a
    /// pass over the map. It is for readers that mask those cells and let no gradient flow back from them.
    /// The nearest pixel of the row would be wrong: where a row begins, that pixel is still to be predicted,
    /// and a gate would read it, if only to multiply it by zero.
    Corner,
}

/// Skews each direction of a map. With [`Fill::Zero`] it is the transpose of [`Unskew`].
#[derive(Clone, Debug, PartialEq)]
pub struct Skew {
    /// For each direction, whether it runs from right to left.
    pub mirror: Vec<bool>,
    /// What fills the cells without a pixel.
    pub fill: Fill,
}

/// The pixel of row `y` at step `t` and `true`, or the pixel of [`Fill::Corner`] and `false` if there is
/// none.
pub(super) fn pixel(t: usize, y: usize, width: usize, mirror: bool) -> ([usize; 2], bool) {
    let live = t >= y && t - y < width;
    let (row, x) = if live { (y, t - y) } else { (0, 0) };
    ([row, if mirror { width - 1 - x } else { x }], live)
}

/// The mirror flags in the text form.
pub(super) fn flags(mirror: &[bool]) -> Vec<usize> {
    mirror.iter().map(|&m| usize::from(m)).collect()
}

impl Rules for Skew {
    const MNEMONIC: &'static str = "skew";

    fn attributes(&self) -> Attributes {
        let fill = match self.fill {
            Fill::Zero => "zero",
            Fill::Corner => "corner",
        };
        Attributes::none().ints("mirror", &flags(&self.mirror)).word("fill", fill)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        let fill = match attributes.word("fill")? {
            "zero" => Fill::Zero,
            "corner" => Fill::Corner,
            _ => return Err(TypeError::attribute("fill", "must be zero or corner")),
        };
        let mirror = attributes.ints("mirror")?.into_iter().map(|m| m != 0).collect();
        Ok(Skew { mirror, fill })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        shape::rank(inputs, 0, 5)?;
        shape::extent(inputs, 0, 0, self.mirror.len())?;
        let (height, width) = (shape::fixed(inputs, 0, 1)?, shape::fixed(inputs, 0, 2)?);
        if height == 0 || width == 0 {
            return Err(TypeError::attribute("mirror", "the map has no pixel"));
        }
        let [d, h, _, n, f] = [0, 1, 2, 3, 4].map(|i| inputs[0].shape[i]);
        let steps = width.checked_add(height - 1).ok_or(TypeError::Overflow)?;
        Ok(vec![inputs[0].reshaped(vec![Dim::Fixed(steps), d, h, n, f])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let extents = reading.types[0].extents(1);
        let (height, width) = (extents[1], extents[2]);
        let [n, f] = [3, 4].map(|i| reading.grids[0].axes[i].clone());
        let axes = vec![every(width + height - 1), every(extents[0]), every(height), n, f];
        Footprint::new(Grid { axes }, move |cell, visit| {
            let (t, d, y) = (cell[0].start, cell[1].start, cell[2].start);
            let ([y, x], live) = pixel(t, y, width, self.mirror[d]);
            if live || self.fill == Fill::Corner {
                visit(0, &[d..d + 1, y..y + 1, x..x + 1, cell[3].clone(), cell[4].clone()]);
            }
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        let width = cx.input_type(0).shape[2].with_batch(1);
        let unskew = Unskew { mirror: self.mirror.clone(), width };
        Ok(vec![Some(cx.push(unskew, &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let shape = cx.ty(inputs[0]).shape.clone();
        let [d, height, width] = [0, 1, 2].map(|i| shape[i].with_batch(1));
        let steps = width + height - 1;
        let rows = cx.reshape(
            inputs[0],
            vec![Dim::Fixed(d * height * width), shape[3], shape[4]],
            "rows",
        )?;
        let index = ndarray::ArrayD::from_shape_fn(vec![steps, d, height], |i| {
            let ([y, x], _) = pixel(i[0], i[2], width, self.mirror[i[1]]);
            ((i[1] * height + y) * width + x) as i64
        });
        let index = cx.constant(Literal::Int(index), "index")?;
        if self.fill == Fill::Corner {
            return cx.push_many(OnnxOp::Gather { axis: 0 }, &[rows, index], "");
        }
        let filled = cx.push(OnnxOp::Gather { axis: 0 }, &[rows, index], "gathered")?;
        let live = cx.constant(Literal::Real(live(steps, height, width)), "live")?;
        cx.push_many(OnnxOp::Mul, &[filled, live], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let &[d, height, width, n, f] = inputs[0].shape() else {
            return Err(EvalError::Array("takes five axes".into()));
        };
        let shape = vec![width + height - 1, d, height, n, f];
        Ok(vec![Array::<R>::from_shape_fn(shape, |i| {
            let ([y, x], live) = pixel(i[0], i[2], width, self.mirror[i[1]]);
            match live || self.fill == Fill::Corner {
                true => inputs[0][[i[1], y, x, i[3], i[4]].as_slice()],
                false => R::of(0.0),
            }
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
        let ty =
            || [Type::real([Dim::Fixed(2), Dim::Fixed(3), Dim::Fixed(4), Dim::N, Dim::Fixed(2)])];
        vec![
            Sample::new(Skew { mirror: vec![false, true], fill: Fill::Zero }, ty()),
            Sample::new(Skew { mirror: vec![false, true], fill: Fill::Corner }, ty()),
        ]
    }
}

/// 1 where the skewed map `[T, 1, H, 1, 1]` holds a pixel, else 0.
pub(super) fn live(steps: usize, height: usize, width: usize) -> pixelrnn_graph::Array {
    let on = |i: ndarray::IxDyn| if pixel(i[0], i[2], width, false).1 { 1.0 } else { 0.0 };
    pixelrnn_graph::Array::from_shape_fn(vec![steps, 1, height, 1, 1], on)
}
