//! `barrier(x, token...)`: returns `x`, but only after the tokens are computed.
//!
//! Recomputing a value saves memory only if the second computation runs late and is not merged with the
//! first. An engine may merge equal nodes, and it may run a node as soon as its inputs are computed. A
//! barrier prevents both: it makes `x` depend on the tokens in a way that no engine can simplify.

use pixelrnn_graph::Elem;
use pixelrnn_onnx::Native;

use crate::rules::prelude::*;

/// The first input, computed after all others (an optimization barrier).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Barrier {
    /// Whether it becomes an operator of the engine, which copies nothing.
    pub native: bool,
}

impl Rules for Barrier {
    const MNEMONIC: &'static str = "barrier";

    fn attributes(&self) -> Attributes {
        Attributes::none().int("native", usize::from(self.native))
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Barrier { native: attributes.int("native")? != 0 })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        match inputs {
            [x, _, ..] => Ok(vec![(*x).clone()]),
            _ => Err(TypeError::Arity { expected: 2, found: inputs.len() }),
        }
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let reads = |cell: Cell, visit: &mut Visit| visit(0, cell);
        Footprint::new(reading.grids[0].clone(), reads)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let mut cotangents = vec![None; cx.inputs.len()];
        cotangents[0] = cx.cotangents[0];
        Ok(cotangents)
    }

    /// Lowers to a `Gather` from a list that holds only `x`. The index is the number of tokens whose first
    /// element has a magnitude below zero. That is always 0, also for NaN, but an engine cannot know this
    /// before it runs. `Gather` copies the bits of `x`.
    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        if self.native && inputs.iter().all(|&v| cx.ty(v).elem == Elem::Real) {
            return cx.native(Native::BARRIER, Vec::new(), inputs, |types| self.infer(types));
        }
        let mut elements = Vec::new();
        for &token in &inputs[1..] {
            elements.push(element(cx, token)?);
        }
        let tokens = match elements[..] {
            [one] => one,
            _ => cx.push(OnnxOp::Concat { axis: 0 }, &elements, "tokens")?,
        };
        let magnitude = cx.push(OnnxOp::Abs, &[tokens], "magnitude")?;
        let zero = cx.constant(Literal::scalar(0.0), "zero")?;
        let below = cx.push(OnnxOp::Greater, &[zero, magnitude], "below")?;
        let below = cx.push(OnnxOp::Cast { to: Elem::Real }, &[below], "flags")?;
        let count = cx.push(OnnxOp::ReduceSum { axes: vec![0] }, &[below], "count")?;
        let place = cx.push(OnnxOp::Cast { to: Elem::Int }, &[count], "place")?;
        let list = cx.push(OnnxOp::Unsqueeze { axes: vec![0] }, &[inputs[0]], "list")?;
        cx.push_many(OnnxOp::Gather { axis: 0 }, &[list, place], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        Ok(vec![inputs[0].clone()])
    }

    fn stream(&self) -> Stream {
        Stream::Expanded
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        Some((1, (*self).into()))
    }

    fn composite(&self) -> Option<&dyn Composite> {
        None
    }

    fn samples() -> Vec<Sample> {
        let map = Type::real([Dim::N, Dim::Fixed(3), Dim::Fixed(2), Dim::Fixed(2)]);
        let vector = Type::real([2usize]);
        let both = [false, true].map(|native| {
            [
                Sample::new(Barrier { native }, [map.clone(), vector.clone()]),
                Sample::new(
                    Barrier { native },
                    [vector.clone(), map.clone(), Type::real([1usize, 1])],
                ),
            ]
        });
        both.into_iter().flatten().collect()
    }
}

/// One number that depends on a tensor, `[1]`. Over the batch it is a sum, since the extent of the batch may
/// be unknown.
fn element(cx: &mut Lower, token: Value) -> Result<Value, LowerError> {
    let shape = cx.ty(token).shape.clone();
    let mut part = token;
    for (axis, dim) in shape.iter().enumerate() {
        if dim.fixed().is_some_and(|n| n > 1) {
            part = cx.push(OnnxOp::Slice { axis, start: 0, end: 1 }, &[part], "element")?;
        }
    }
    let batch: Vec<usize> = (0..shape.len()).filter(|&i| shape[i].fixed().is_none()).collect();
    if !batch.is_empty() {
        part = cx.push(OnnxOp::ReduceSum { axes: batch }, &[part], "element")?;
    }
    cx.reshape(part, vec![Dim::Fixed(1)], "token")
}
