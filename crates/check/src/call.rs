//! [`Call`]: what an operator sees when it runs, its node, its inputs and the machine.

use pixelrnn_onnx::proto::{AttributeProto, GraphProto, NodeProto};

use crate::elem::{EXACT, Elem};
use crate::error::{CheckError, Fail, Problem};
use crate::item::Item;
use crate::literal;
use crate::machine::{Machine, Scope};
use crate::store::Store;
use crate::tensor::{Tensor, axis};

/// One application of an operator.
pub(crate) struct Call<'c, 'm> {
    pub node: &'m NodeProto,
    pub inputs: Vec<Option<Item>>,
    pub machine: &'c mut Machine,
    /// The scope of the node; bodies capture values from it.
    pub scope: &'c Scope<'m, 'c>,
}

impl<'m> Call<'_, 'm> {
    pub fn store(&mut self) -> &mut Store {
        &mut self.machine.store
    }

    pub fn opset(&self) -> i64 {
        self.machine.opset
    }

    /// The required input `i`, with thin axes expanded.
    pub fn input(&mut self, i: usize) -> Result<Tensor, Problem> {
        self.thin(i)?.dense(&mut self.machine.store)
    }

    /// The required input `i`, possibly with thin axes.
    pub fn thin(&self, i: usize) -> Result<Tensor, Problem> {
        match self.inputs.get(i).and_then(Option::as_ref) {
            None => Err(Problem::Missing(i)),
            Some(item) => item.tensor().cloned().ok_or(Problem::Form("expects a tensor")),
        }
    }

    /// The input `i`, with thin axes expanded; `None` if it is omitted.
    pub fn optional(&mut self, i: usize) -> Result<Option<Tensor>, Problem> {
        if self.has(i) { self.input(i).map(Some) } else { Ok(None) }
    }

    pub fn has(&self, i: usize) -> bool {
        self.inputs.get(i).is_some_and(Option::is_some)
    }

    pub fn item(&self, i: usize) -> Result<&Item, Problem> {
        self.inputs.get(i).and_then(Option::as_ref).ok_or(Problem::Missing(i))
    }

    /// The numbers of the input `i`, which must be constant; `None` if it is omitted.
    pub fn numbers(&mut self, i: usize) -> Result<Option<Vec<f64>>, Problem> {
        match self.optional(i)? {
            None => Ok(None),
            Some(t) => t.values().map(|v| Some(v.to_vec())).ok_or(Problem::NotConstant(i)),
        }
    }

    /// The integers of the input `i`, which must be constant; `None` if it is omitted. Very large
    /// ones, which exporters write for "to the end", may be inexact.
    pub fn whole(&mut self, i: usize) -> Result<Option<Vec<i64>>, Problem> {
        let Some(t) = self.optional(i)? else { return Ok(None) };
        let store = &self.machine.store;
        let one = |k| {
            let el = t.el(store, k);
            match el.point() {
                Some(x) => Ok(x as i64),
                None if el.v.lo >= EXACT => Ok(i64::MAX),
                None if el.v.hi <= -EXACT => Ok(i64::MIN),
                None => Err(Problem::NotConstant(i)),
            }
        };
        (0..t.len()).map(one).collect::<Result<_, _>>().map(Some)
    }

    /// The first number of the input `i`, which must be constant; `None` if it is omitted.
    pub fn number(&mut self, i: usize) -> Result<Option<f64>, Problem> {
        Ok(self.numbers(i)?.and_then(|v| v.first().copied()))
    }

    pub fn attribute(&self, name: &str) -> Option<&'m AttributeProto> {
        self.node.attribute.iter().find(|a| a.name() == name)
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|a| a.i).unwrap_or(default)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.int(name, 0) != 0
    }

    pub fn float(&self, name: &str, default: f32) -> f64 {
        f64::from(self.attribute(name).and_then(|a| a.f).unwrap_or(default))
    }

    /// An attribute that is a list of integers; `None` if it is not set.
    pub fn ints(&self, name: &str) -> Option<&'m [i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub fn text(&self, name: &str) -> Option<&'m str> {
        self.attribute(name).and_then(|a| a.s.as_deref()).and_then(|s| std::str::from_utf8(s).ok())
    }

    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = &self.attribute(name)?.strings;
        Some(list.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect())
    }

    /// The element type in an attribute; `None` if it is not set.
    pub fn elem(&self, name: &'static str) -> Result<Option<Elem>, Problem> {
        let Some(n) = self.attribute(name).and_then(|a| a.i).filter(|&n| n != 0) else {
            return Ok(None);
        };
        let found = i32::try_from(n).ok().and_then(Elem::from_proto);
        found.map(Some).ok_or(Problem::Form("has an element type that is not modeled"))
    }

    /// The tensor in an attribute; `None` if it is not set.
    ///
    /// # Errors
    /// Those of `literal::read`.
    pub fn tensor(&mut self, name: &str) -> Result<Option<Tensor>, CheckError> {
        let Some(proto) = self.attribute(name).and_then(|a| a.t.as_ref()) else { return Ok(None) };
        literal::read(&mut self.machine.store, proto, self.machine.folder.as_deref()).map(Some)
    }

    /// The graph in an attribute, such as the body of a loop.
    pub fn graph(&self, name: &'static str) -> Result<&'m GraphProto, Problem> {
        self.attribute(name).and_then(|a| a.g.as_ref()).ok_or(Problem::Attribute(name))
    }

    /// The attribute `axis`, as an index from 0 to `rank - 1`.
    pub fn axis(&self, default: i64, rank: usize) -> Result<usize, Problem> {
        axis(self.int("axis", default), rank)
    }

    /// The axes of a reduction or squeeze, from the attribute `axes` or from an input (their place
    /// depends on the opset); `None` if neither is given.
    pub fn axes(&mut self, input: usize, rank: usize) -> Result<Option<Vec<usize>>, Problem> {
        let list = match self.ints("axes") {
            Some(list) => Some(list.to_vec()),
            None => self.whole(input)?,
        };
        list.map(|l| l.iter().map(|&a| axis(a, rank)).collect()).transpose()
    }
}

/// The results of an operator, one item per output.
pub(crate) type Results = Result<Vec<Item>, Fail>;

/// The results of an operator with one output.
pub(crate) fn one(t: Tensor) -> Results {
    Ok(vec![Item::Tensor(t)])
}

/// An operator's abstract semantics.
pub(crate) type Operator = for<'c, 'm> fn(&mut Call<'c, 'm>) -> Results;
