//! `transpose(x) {perm}`: permutes axes. Axis i of the result is axis `perm[i]` of the input.

use crate::rules::prelude::*;

/// Permutes axes: axis i of the result is axis `perm[i]` of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Transpose {
    /// For each axis of the result, the index of the input's axis.
    pub perm: Vec<usize>,
}

impl Transpose {
    /// The inverse permutation.
    pub fn inverse(&self) -> Transpose {
        let mut perm = vec![0; self.perm.len()];
        for (i, &p) in self.perm.iter().enumerate() {
            perm[p] = i;
        }
        Transpose { perm }
    }
}

impl Rules for Transpose {
    const MNEMONIC: &'static str = "transpose";

    fn attributes(&self) -> Attributes {
        Attributes::none().ints("perm", &self.perm)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(Transpose { perm: attributes.ints("perm")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        let mut sorted = self.perm.clone();
        sorted.sort_unstable();
        if sorted != (0..inputs[0].rank()).collect::<Vec<_>>() {
            return Err(TypeError::attribute("perm", "is not a permutation of the axes"));
        }
        Ok(vec![inputs[0].reshaped(self.perm.iter().map(|&i| inputs[0].shape[i]).collect())])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let axes = self.perm.iter().map(|&p| reading.grids[0].axes[p].clone()).collect();
        Footprint::new(Grid { axes }, move |cell, visit| {
            let mut read = cell.to_vec();
            for (range, &p) in cell.iter().zip(&self.perm) {
                read[p] = range.clone();
            }
            visit(0, &read);
        })
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        let Some(dy) = cx.cotangents[0] else { return Ok(vec![None]) };
        Ok(vec![Some(cx.push(self.inverse(), &[dy], "x")?)])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        cx.push_many(OnnxOp::Transpose { perm: self.perm.clone() }, inputs, "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let view = inputs[0].view().permuted_axes(self.perm.clone());
        Ok(vec![view.as_standard_layout().into_owned()])
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
        vec![Sample::new(Transpose { perm: vec![2, 0, 1] }, [Type::real([2usize, 3, 4])])]
    }
}
