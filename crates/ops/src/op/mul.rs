//! `mul(a, b)`: the element-wise product. Extents are equal or one.

use pixelrnn_graph::{Array, BuildError, Value};
use pixelrnn_onnx::OnnxOp;

use super::kind::{Binary, binary};
use crate::rules::adjoint::Adjoint;
use crate::rules::eval::Real;
use crate::rules::footprint::{Cell, Footprint, Reading, Visit, every, refine, spread};

/// The product of two maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mul;

impl Binary for Mul {
    const ONNX: OnnxOp = OnnxOp::Mul;

    fn apply<R: Real>(a: R, b: R) -> R {
        a * b
    }

    fn vjp(cx: &mut Adjoint, dy: Value) -> Result<[Value; 2], BuildError> {
        let [a, b] = [cx.inputs[0], cx.inputs[1]];
        let da = cx.push(Mul, &[dy, b], "left")?;
        let db = cx.push(Mul, &[dy, a], "right")?;
        Ok([da, db])
    }
}

binary!(Mul, "mul", footprint);

/// An element that is multiplied by a constant zero is not read. This is how masks are recognized.
fn footprint<'a>(reading: &'a Reading<'a>) -> Footprint<'a> {
    let mut grid = reading.grids[0].clone();
    for other in &reading.grids[1..] {
        for (mine, theirs) in grid.axes.iter_mut().zip(&other.axes) {
            *mine = refine(mine, theirs);
        }
    }
    // Cuts the grid wherever a constant may change, so that each cell is zero everywhere or nowhere.
    for constant in reading.constants.iter().flatten() {
        for (axis, &extent) in constant.shape().iter().enumerate() {
            if extent > 1 {
                grid.axes[axis] = every(extent);
            }
        }
    }
    let same_place = reading.constants.iter().all(Option::is_none);
    let reads = move |cell: Cell, visit: &mut Visit| {
        let zero = |i: usize| reading.constants[i].is_some_and(|c| zero_in(c, cell));
        if zero(0) || zero(1) {
            return;
        }
        for i in 0..2 {
            visit(i, &spread(cell, reading.types[i]));
        }
    };
    Footprint { same_place, ..Footprint::new(grid, reads) }
}

fn zero_in(constant: &Array, cell: Cell) -> bool {
    let index: Vec<usize> =
        cell.iter().zip(constant.shape()).map(|(r, &n)| if n == 1 { 0 } else { r.start }).collect();
    constant.get(&index[..]) == Some(&0.0)
}
