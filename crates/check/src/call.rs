//! What an operator sees when it runs: its node, its inputs, the sets.

use super::error::{DependError, Fail, Problem};
use super::literal;
use super::machine::{Machine, Scope};
use super::store::Store;
use super::tensor::{Tensor, axis};
use pixelrnn_onnx::proto::{AttributeProto, GraphProto, NodeProto};

/// One application of an operator.
pub(super) struct Call<'c, 'm> {
    pub node: &'m NodeProto,
    pub inputs: Vec<Option<Tensor>>,
    pub machine: &'c mut Machine,
    /// The values that a body may capture.
    pub scope: &'c Scope<'m, 'c>,
}

impl<'m> Call<'_, 'm> {
    pub fn store(&mut self) -> &mut Store {
        &mut self.machine.store
    }

    pub fn opset(&self) -> i64 {
        self.machine.opset
    }

    /// A required input.
    pub fn input(&self, i: usize) -> Result<Tensor, Problem> {
        self.optional(i).ok_or(Problem::Missing(i))
    }

    /// An input that may be left out.
    pub fn optional(&self, i: usize) -> Option<Tensor> {
        self.inputs.get(i).cloned().flatten()
    }

    /// The numbers of a constant input.
    pub fn numbers(&self, i: usize) -> Result<Option<Vec<f64>>, Problem> {
        match self.inputs.get(i).and_then(Option::as_ref) {
            None => Ok(None),
            Some(t) => t.values().map(|v| Some(v.to_vec())).ok_or(Problem::NotConstant(i)),
        }
    }

    /// The whole numbers of a constant input.
    pub fn whole(&self, i: usize) -> Result<Option<Vec<i64>>, Problem> {
        Ok(self.numbers(i)?.map(|v| v.into_iter().map(|x| x as i64).collect()))
    }

    /// The one number of a constant input.
    pub fn number(&self, i: usize) -> Result<Option<f64>, Problem> {
        Ok(self.numbers(i)?.and_then(|v| v.first().copied()))
    }

    pub fn attribute(&self, name: &str) -> Option<&'m AttributeProto> {
        self.node.attribute.iter().find(|a| a.name() == name)
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|a| a.i).unwrap_or(default)
    }

    pub fn float(&self, name: &str, default: f32) -> f64 {
        f64::from(self.attribute(name).and_then(|a| a.f).unwrap_or(default))
    }

    /// A list of whole numbers; `None` when it is not given.
    pub fn ints(&self, name: &str) -> Option<&'m [i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub fn text(&self, name: &str) -> Option<&'m str> {
        self.attribute(name).and_then(|a| a.s.as_deref()).and_then(|s| std::str::from_utf8(s).ok())
    }

    /// The tensor of an attribute.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn tensor(&self, name: &str) -> Result<Option<Tensor>, DependError> {
        self.attribute(name).and_then(|a| a.t.as_ref()).map(literal::read).transpose()
    }

    /// A body.
    pub fn graph(&self, name: &'static str) -> Result<&'m GraphProto, Problem> {
        self.attribute(name).and_then(|a| a.g.as_ref()).ok_or(Problem::Attribute(name))
    }

    /// The attribute `axis` against a rank.
    pub fn axis(&self, default: i64, rank: usize) -> Result<usize, Problem> {
        axis(self.int("axis", default), rank)
    }

    /// Axes that moved from an attribute to an input; `None` when given in neither place.
    pub fn axes(&self, input: usize, rank: usize) -> Result<Option<Vec<usize>>, Problem> {
        let list = match self.ints("axes") {
            Some(list) => Some(list.to_vec()),
            None => self.whole(input)?,
        };
        list.map(|l| l.iter().map(|&a| axis(a, rank)).collect()).transpose()
    }
}

/// What an operator gives: a tensor for each result.
pub(super) type Results = Result<Vec<Tensor>, Fail>;

/// An operator's abstract semantics.
pub(super) type Operator = for<'c, 'm> fn(&mut Call<'c, 'm>) -> Results;
