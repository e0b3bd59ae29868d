//! `broadcast(x) {to}`: repeats along axes of extent one.

use super::Sum;
use crate::rules::prelude::*;

/// Repeats a tensor along its axes of extent one. The transpose of [`Sum`].
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcast {
    /// The shape of the result.
    pub to: Vec<Dim>,
}

impl Rules for Broadcast {
    const MNEMONIC: &'static str = "broadcast";

    fn attributes(&self) -> Attributes {
        let text: Vec<String> = self.to.iter().map(Dim::to_string).collect();
        // Encoded as a word, which may not begin with a digit.
        Attributes::none().word("to", format!("to.{}", text.join(".")))
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        let dim = |s: &str| match s.strip_suffix('N') {
            Some("") => Some(Dim::N),
            Some(k) => k.parse().ok().map(Dim::Batch),
            None => s.parse().ok().map(Dim::Fixed),
        };
        let to = attributes.word("to")?.strip_prefix("to.");
        let to = to.and_then(|to| to.split('.').map(dim).collect::<Option<Vec<_>>>());
        let wrong = || TypeError::attribute("to", "must be `to` and extents, with dots between");
        let to = to.ok_or_else(wrong)?;
        Ok(Broadcast { to })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        let to = inputs[0].reshaped(self.to.clone());
        if shape::broadcast(inputs[0], &to)? != to {
            return Err(TypeError::Unequal { left: inputs[0].clone(), right: to });
        }
        Ok(vec![to])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let mut grid = reading.grids[0].clone();
        for (axis, extent) in self.to.iter().map(|d| d.with_batch(1)).enumerate() {
            if grid.axes[axis] == [0, 1] {
                grid.axes[axis] = vec![0, extent];
            }
        }
        Footprint::new(grid, move |cell, visit| {
            visit(0, &crate::rules::footprint::spread(cell, reading.types[0]));
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        let from = cx.input_type(0).shape;
        let spread = self.to.iter().zip(&from).enumerate().filter(|(_, (a, b))| a != b);
        let axes: Vec<usize> = spread.map(|(i, _)| i).collect();
        Ok(vec![Some(cx.push(Sum { axes }, &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let to = self.to.iter().map(|&d| cx.batch.dim(d)).collect();
        Ok(vec![cx.expand(inputs[0], to, "")?])
    }

    fn eval<R: Real>(&self, env: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let to: Vec<usize> = self.to.iter().map(|d| d.with_batch(env.batch)).collect();
        let spread = inputs[0].broadcast(to);
        Ok(vec![spread.ok_or_else(|| EvalError::Array("does not spread".into()))?.to_owned()])
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
            Broadcast { to: vec![Dim::Fixed(2), Dim::N, Dim::Fixed(3)] },
            [Type::real([2usize, 1, 1])],
        )]
    }
}
