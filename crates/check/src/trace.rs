//! The way from an output back to an input.
//!
//! One input value is marked and the graph runs on sets of one bit, keeping all tensors. Then, from
//! the output back: the node that made the marked element runs again with each of its marked input
//! elements in a bin of its own, a few hundred bins at a time, until one element is left that the
//! result reads. So no operator needs a rule of its own for the way back.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::error::DependError;
use super::layout::Size;
use super::machine::{Machine, Scope, label, reads};
use super::model::{Model, Task};
use super::ops;
use super::store::{Cell, EMPTY, El, Store};
use super::tensor::{Data, Tensor, strides};
use super::{Options, Position};
use pixelrnn_onnx::proto::NodeProto;

/// Bins of one round.
const BINS: usize = 256;
/// Hops of one path.
const MAX_HOPS: usize = 1 << 16;

/// One node on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The node's name, or that of its result when it has none.
    pub node: String,
    pub op_type: String,
    /// The node's doc string: in files of this project, where in the user's text it comes from.
    pub doc: String,
    /// The result of the node that is on the way, and which element of it.
    pub value: String,
    pub element: Vec<usize>,
    /// The result's shape.
    pub shape: Vec<usize>,
    /// Whether the node only hands elements on (element-wise, or another shape).
    pub passes: bool,
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}` {:?}", self.op_type, self.node, self.element)
    }
}

/// The way from an output (any of its levels) back to an input value: the nodes passed, the last
/// one reads the input itself. Where there are several ways, one that stays at its pixel is taken.
///
/// # Errors
/// Those of [`analyse`](super::analyse); positions outside the image; no way.
pub fn trace(
    bytes: &[u8],
    options: &Options,
    output: Position,
    input: Position,
) -> Result<Vec<Hop>, DependError> {
    let model = Model::decode(bytes)?;
    let task = model.task(options)?;
    let Size { colours, height, width } = task.size;
    for p in [output, input] {
        if p.colour >= colours || p.row >= height || p.column >= width {
            return Err(DependError::Position { colours, height, width });
        }
    }
    let mut machine = Machine::new(Store::new(1, options.memory), task.opset);
    let marked = (input.row * width + input.column) * colours + input.colour;
    let one = machine.store.single(0);
    let image = task.image(&mut machine.store, |_, bit| if bit == marked { one } else { EMPTY });
    let (scope, result) = task.run(&mut machine, image, true)?;
    let (_, place) = task.output_place(&result, options)?;
    let store = &machine.store;
    let at = [output.colour, output.row, output.column];
    let start = (0..place.levels)
        .map(|level| place.element(at, level))
        .find(|&e| matches!(result.el(store, e), El::Set(id) if id != EMPTY))
        .ok_or(DependError::Independent)?;
    Walk { task: &task, scope: &scope, store, options }.back(start)
}

/// The hops of most interest, at most `limit`: first those that only hand elements on are left out,
/// then hops from the middle.
pub fn condense(hops: &[Hop], limit: usize) -> Vec<Hop> {
    if hops.len() <= limit {
        return hops.to_vec();
    }
    let mut kept: Vec<Hop> = hops.iter().filter(|h| !h.passes).cloned().collect();
    if kept.len() > limit {
        let tail = limit / 2;
        kept.drain(limit - tail..kept.len() - tail);
    }
    kept
}

struct Walk<'t, 'm> {
    task: &'t Task<'m>,
    scope: &'t Scope<'m, 'm>,
    store: &'t Store,
    options: &'t Options,
}

/// An element of a named value.
type Element<'m> = (&'m str, usize);

impl<'m> Walk<'_, 'm> {
    fn back(&self, start: usize) -> Result<Vec<Hop>, DependError> {
        let mut hops = Vec::new();
        let outputs = |&n: &&'m NodeProto| n.output.iter().map(move |o| (o.as_str(), n));
        let makers: HashMap<&str, &'m NodeProto> =
            self.task.plan.nodes.iter().flat_map(outputs).collect();
        let (mut value, mut element) = (self.task.output, start);
        while value != self.task.input {
            let Some(&node) = makers.get(value) else {
                return Err(DependError::UnknownValue {
                    node: self.task.graph.name().to_string(),
                    value: value.to_string(),
                });
            };
            let shape = self.scope.get(value).map(|t| t.shape.clone()).unwrap_or_default();
            hops.push(Hop {
                node: label(node),
                op_type: node.op_type().to_string(),
                doc: node.doc_string().to_string(),
                value: value.to_string(),
                element: coordinates(element, &shape),
                shape,
                passes: ops::passes(node.op_type()),
            });
            if hops.len() > MAX_HOPS {
                return Err(DependError::Independent);
            }
            (value, element) = self.source(node, value, element)?;
        }
        Ok(hops)
    }

    fn is_marked(&self, t: &Tensor, i: usize) -> bool {
        matches!(t.el(self.store, i), El::Set(id) if id != EMPTY)
    }

    /// One marked input element that a marked result element of a node reads.
    fn source(
        &self,
        node: &'m NodeProto,
        value: &str,
        element: usize,
    ) -> Result<Element<'m>, DependError> {
        let own = self.scope.get(value).map(|t| t.shape.clone()).unwrap_or_default();
        let here = coordinates(element, &own);
        let mut names: Vec<&str> = Vec::new();
        for name in reads(node) {
            if !names.contains(&name) && self.scope.get(name).is_some() {
                names.push(name);
            }
        }
        let mut candidates: Vec<Element<'m>> = Vec::new();
        for &name in &names {
            if let Some(t) = self.scope.get(name) {
                candidates
                    .extend((0..t.len()).filter(|&i| self.is_marked(t, i)).map(|i| (name, i)));
            }
        }
        // Elements at the same place first: a path that stands still is the easier one to read.
        candidates.sort_by_cached_key(|&(name, i)| {
            let shape = self.scope.get(name).map_or(&[][..], |t| &t.shape);
            Reverse(likeness(i, shape, &here, &own))
        });
        while candidates.len() > 1 {
            let share = candidates.len().div_ceil(BINS);
            let bin = self.first_bin(node, value, element, &names, &candidates, share)?;
            let end = ((bin + 1) * share).min(candidates.len());
            candidates = candidates.get(bin * share..end).unwrap_or(&[]).to_vec();
        }
        candidates.pop().ok_or(DependError::Independent)
    }

    /// The first bin of candidates that the element reads.
    fn first_bin(
        &self,
        node: &'m NodeProto,
        value: &str,
        element: usize,
        names: &[&'m str],
        candidates: &[Element<'m>],
        share: usize,
    ) -> Result<usize, DependError> {
        let store = Store::new(BINS, self.options.memory);
        let mut machine = Machine::new(store, self.task.opset);
        let store = &mut machine.store;
        let mut scope = Scope::inside(None);
        for &name in names {
            if let Some(t) = self.scope.get(name) {
                let mut cells: Vec<Cell> = match &t.data {
                    Data::Known(_) => {
                        scope.values.insert(name, t.clone());
                        continue;
                    }
                    Data::Cells(cells) => {
                        let one = |&c| match self.store.el(c) {
                            El::Known(x) => store.cell(El::Known(x)),
                            El::Set(_) => Cell::OPAQUE,
                        };
                        cells.iter().map(one).collect()
                    }
                };
                for (k, &(_, i)) in candidates.iter().enumerate().filter(|(_, c)| c.0 == name) {
                    let id = store.single(k / share);
                    let cell = store.cell(El::Set(id));
                    if let Some(slot) = cells.get_mut(i) {
                        *slot = cell;
                    }
                }
                let t = Tensor::cells(store, t.kind, t.shape.clone(), cells);
                scope.values.insert(name, t);
            }
        }
        let results = machine.node(node, &scope)?;
        let store = &machine.store;
        let found = node.output.iter().position(|o| o == value);
        let el = found.and_then(|p| results.get(p)).map(|t| t.el(store, element));
        let set = match el {
            Some(El::Set(id)) => store.words(id),
            _ => &[],
        };
        let first = |(i, w): (usize, &u64)| (*w != 0).then(|| i * 64 + w.trailing_zeros() as usize);
        set.iter().enumerate().find_map(first).ok_or(DependError::Independent)
    }
}

fn coordinates(element: usize, shape: &[usize]) -> Vec<usize> {
    let along = |(&s, &d): (&isize, &usize)| element / s.max(1) as usize % d.max(1);
    strides(shape).iter().zip(shape).map(along).collect()
}

/// How many trailing coordinates an element shares with a place in a tensor of shape `own`, where
/// the extents agree.
fn likeness(element: usize, shape: &[usize], here: &[usize], own: &[usize]) -> usize {
    let mut rest = element;
    let axes = shape.iter().rev().zip(own.iter().rev().zip(here.iter().rev()));
    axes.take_while(|&(&extent, (&other, &place))| {
        let at = rest % extent.max(1);
        rest /= extent.max(1);
        extent == other && at == place
    })
    .count()
}
