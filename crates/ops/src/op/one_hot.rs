//! `one_hot(label) {classes}`: the class of each image as a one-hot map of size 1 x 1.

use crate::rules::prelude::*;
use pixelrnn_graph::Elem;

/// Converts `label [N]`, whole numbers from 0 to `classes - 1`, to `[N, classes, 1, 1]`: one at the class of
/// the image, zero elsewhere. A label that is not a class gives zero everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneHot {
    /// The number of classes.
    pub classes: usize,
}

impl Rules for OneHot {
    const MNEMONIC: &'static str = "one_hot";

    fn attributes(&self) -> Attributes {
        Attributes::none().int("classes", self.classes)
    }

    fn rebuild(attributes: &ReadAttributes, _: Vec<PixelGraph>) -> Result<Self, TypeError> {
        Ok(OneHot { classes: attributes.int("classes")? })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        Vec::new()
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        shape::arity(inputs, 1)?;
        shape::rank(inputs, 0, 1)?;
        if inputs[0].elem != Elem::Int {
            return Err(TypeError::Element {
                input: 0,
                expected: Elem::Int,
                found: inputs[0].clone(),
            });
        }
        if self.classes == 0 {
            return Err(TypeError::attribute("classes", "must be at least 1"));
        }
        let one = Dim::Fixed(1);
        Ok(vec![Type::real([inputs[0].shape[0], Dim::Fixed(self.classes), one, one])])
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        let grid = Grid::whole(reading.result).with(0, reading.grids[0].axes[0].clone());
        Footprint::new(grid, move |cell, visit| visit(0, &cell[..1]))
    }

    fn gradient(&self, _: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        Ok(vec![None])
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let one = Dim::Fixed(1);
        let batch = cx.ty(inputs[0]).shape[0];
        let wide = cx.reshape(inputs[0], vec![batch, one, one, one], "wide")?;
        let classes = ndarray::ArrayD::from_shape_fn(vec![1, self.classes, 1, 1], |i| i[1] as i64);
        let classes = cx.constant(Literal::Int(classes), "classes")?;
        let chosen = cx.push(OnnxOp::Equal, &[wide, classes], "chosen")?;
        // Not a cast of the truth values: converters to float16 break it.
        let zero = cx.constant(Literal::scalar(0.0), "zero")?;
        let one = cx.constant(Literal::scalar(1.0), "one")?;
        cx.push_many(OnnxOp::Where, &[chosen, one, zero], "")
    }

    fn eval<R: Real>(&self, _: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let labels: Vec<R> = inputs[0].iter().copied().collect();
        let on = |i: ndarray::IxDyn| {
            if labels[i[0]] == R::of(i[1] as f64) { R::of(1.0) } else { R::of(0.0) }
        };
        Ok(vec![Array::from_shape_fn(vec![labels.len(), self.classes, 1, 1], on)])
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
        let label = Type { elem: Elem::Int, shape: vec![Dim::N] };
        vec![Sample::new(OneHot { classes: 3 }, [label]).with(0, Domain::Levels(4))]
    }
}
