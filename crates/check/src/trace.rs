//! Finds the path from an output back to an input.
//!
//! One input value is marked. The graph runs on sets of one bit and keeps all tensors, so that
//! every element that depends on the marked value is known. The path is found backward from the
//! output. The node that computed the current element runs again, with its marked input elements
//! distributed over bins. A bin that the result depends on is split again, until a single element
//! is left. So no operator needs a backward rule.

use std::cmp::Reverse;
use std::collections::HashMap;

use pixelrnn_onnx::proto::NodeProto;

use crate::budget::Budget;
use crate::error::CheckError;
use crate::item::Item;
use crate::layout::Size;
use crate::machine::{Machine, Scope, label, reads};
use crate::model::{Model, Task, images};
use crate::names;
use crate::ops;
use crate::options::Options;
use crate::report::{Position, Report};
use crate::sets::EMPTY;
use crate::store::{Assume, El, Store};
use crate::tensor::{Data, Tensor, strides};
use crate::text::shown;

/// Number of bins per run of a node.
const BINS: usize = 256;
/// Maximal number of hops of a path.
const MAX_HOPS: usize = 1 << 16;

/// A node on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The name of the node, or of its result if the node has none.
    pub node: String,
    /// The operator of the node.
    pub op_type: String,
    /// The doc string of the node. In files of this project, it is the place in the model's source.
    pub doc: String,
    /// The module of the `torch.nn.Module` that the node belongs to, such as `body.0.conv`; empty
    /// if the exporter does not state it.
    pub module: String,
    /// File and line of the Python code, such as `model.py:12`; empty if the exporter does not
    /// state it.
    pub source: String,
    /// The result of the node that is on the path.
    pub value: String,
    /// The index of the element of `value` that is on the path.
    pub element: Vec<usize>,
    /// The shape of `value`.
    pub shape: Vec<usize>,
    /// Whether the operator is element-wise or only rearranges elements.
    pub passes: bool,
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}` {:?}", shown(&self.op_type), shown(&self.node), self.element)?;
        if !self.module.is_empty() {
            write!(f, " in `{}`", shown(&self.module))?;
        }
        let place = [self.source.as_str(), self.doc.lines().next().unwrap_or("")];
        match place.iter().find(|p| !p.is_empty()) {
            None => Ok(()),
            Some(place) => write!(f, ", {}", shown(place)),
        }
    }
}

/// A finished run with one marked image value, with all values kept.
struct Marked<'t, 'm> {
    task: &'t Task<'m>,
    scope: Scope<'m, 'm>,
    store: Store,
    budget: Budget,
    /// The first marked element at the output's position; `None` if there is none.
    start: Option<usize>,
}

/// Runs a task with one value of the image marked.
fn mark<'t, 'm>(
    task: &'t Task<'m>,
    options: &Options,
    assume: Assume,
    output: Position,
    input: Position,
) -> Result<Marked<'t, 'm>, CheckError> {
    let Size { colours, height, width } = task.size;
    for p in [output, input] {
        if p.colour >= colours || p.row >= height || p.column >= width {
            return Err(CheckError::Position { colours, height, width });
        }
    }
    let budget = Budget::new(options.memory, options.time);
    let store = Store::new(1, budget.clone(), assume);
    let mut machine = task.machine(store, options);
    let marked = task.bit([input.colour, input.row, input.column]);
    let one = machine.store.sets.single(0);
    let image = task.image(&mut machine.store, |_, bit| if bit == marked { one } else { EMPTY })?;
    let (scope, result, _) = task.run(&mut machine, image, true)?;
    let (_, place) = task.output_place(&result, options)?;
    let at = [output.colour, output.row, output.column];
    let start = images(&result.shape)
        .flat_map(|first| (0..place.levels).map(move |level| (first, level)))
        .map(|(first, level)| first + place.element(at, level))
        .find(|&e| result.el(&machine.store, e).a != EMPTY);
    Ok(Marked { task, scope, store: machine.store, budget, start })
}

impl<'m> Marked<'_, 'm> {
    /// The path back from the output.
    fn way(&self, options: &Options, assume: Assume) -> Result<Vec<Hop>, CheckError> {
        let start = self.start.ok_or(CheckError::Independent)?;
        let (task, scope, store) = (self.task, &self.scope, &self.store);
        Walk { task, scope, store, budget: self.budget.clone(), assume, options }.back(start)
    }

    /// Whether an element of a named value is marked.
    fn holds(&self, value: &str, element: &[usize]) -> bool {
        let Some(t) = self.scope.get(value).and_then(Item::tensor) else { return true };
        let steps = strides(&t.kept);
        let at = element.iter().zip(&t.kept).zip(&steps);
        let at: usize = at.map(|((&i, &d), &s)| i.min(d.max(1) - 1) * s.max(0) as usize).sum();
        t.el(&self.store, at).a != EMPTY
    }
}

/// The path from an output (any of its levels) back to an input value: the nodes on it, of which
/// the last reads the input. If there are several paths, one that stays at its pixel is preferred.
/// `report` must come from the same model and options.
///
/// # Errors
/// Those of [`check_bytes`](crate::check_bytes); [`CheckError::Position`] for a position outside
/// the image; [`CheckError::Independent`] if there is no path.
pub fn trace(
    bytes: &[u8],
    options: &Options,
    report: &Report,
    output: Position,
    input: Position,
) -> Result<Vec<Hop>, CheckError> {
    let model = Model::decode(bytes)?;
    let task = model.task(&report.question)?;
    let options = &Options { folder: options.folder.clone(), ..report.question.options.clone() };
    mark(&task, options, report.granted, output, input)?.way(options, report.granted)
}

/// Why an output does not depend on a value; see [`explain`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// Nothing in the graph connects them: the value is outside the receptive field.
    OutOfReach,
    /// The graph connects them, but a zero, a mask or a saturated function at this node stops the
    /// dependency.
    Stopped(Hop),
}

/// Finds out why an output does not depend on a value. `report` must come from the same model and
/// options.
///
/// # Errors
/// Those of [`check_bytes`](crate::check_bytes), and [`CheckError::Position`] for a position
/// outside the image.
pub fn explain(
    bytes: &[u8],
    options: &Options,
    report: &Report,
    output: Position,
    input: Position,
) -> Result<Unseen, CheckError> {
    let model = Model::decode(bytes)?;
    let task = model.task(&report.question)?;
    let options = &Options { folder: options.folder.clone(), ..report.question.options.clone() };
    let alive = Assume { alive: true, ..report.granted };
    let connected = mark(&task, options, alive, output, input)?;
    if connected.start.is_none() {
        return Ok(Unseen::OutOfReach);
    }
    let hops = connected.way(options, alive)?;
    drop(connected);
    let real = mark(&task, options, report.granted, output, input)?;
    let cut = hops.into_iter().rev().find(|hop| !real.holds(&hop.value, &hop.element));
    cut.map(Unseen::Stopped).ok_or(CheckError::Independent)
}

/// Shortens a path to at most `limit` hops. Hops through element-wise operators and rearrangements
/// are dropped first, then hops in the middle.
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
    budget: Budget,
    assume: Assume,
    options: &'t Options,
}

/// The name of a value, and the index of one of its elements.
type Element<'m> = (&'m str, usize);

impl<'m> Walk<'_, 'm> {
    fn back(&self, start: usize) -> Result<Vec<Hop>, CheckError> {
        let mut hops = Vec::new();
        let outputs = |&n: &&'m NodeProto| n.output.iter().map(move |o| (o.as_str(), n));
        let makers: HashMap<&str, &'m NodeProto> =
            self.task.plan.nodes.iter().flat_map(outputs).collect();
        let (mut value, mut element) = (self.task.output, start);
        while value != self.task.input {
            let Some(&node) = makers.get(value) else {
                return Err(CheckError::UnknownValue {
                    node: self.task.graph.name().to_string(),
                    value: value.to_string(),
                });
            };
            let shape = self.shape(value);
            hops.push(Hop {
                node: label(node),
                op_type: node.op_type().to_string(),
                doc: node.doc_string().to_string(),
                module: names::module(node),
                source: names::source(node),
                value: value.to_string(),
                element: coordinates(element, &self.kept(value)),
                shape,
                passes: ops::passes(node.op_type()),
            });
            if hops.len() > MAX_HOPS {
                return Err(CheckError::Independent);
            }
            (value, element) = self.source(node, value, element)?;
        }
        Ok(hops)
    }

    /// The shape of a named value; empty for a sequence.
    fn shape(&self, name: &str) -> Vec<usize> {
        self.scope.get(name).and_then(Item::tensor).map(|t| t.shape.clone()).unwrap_or_default()
    }

    /// The stored extents of a named value, in which its elements are numbered.
    fn kept(&self, name: &str) -> Vec<usize> {
        self.scope.get(name).and_then(Item::tensor).map(|t| t.kept.clone()).unwrap_or_default()
    }

    /// The indices of the marked elements of a named value. Those of a sequence are numbered
    /// consecutively.
    fn marked(&self, name: &str) -> Vec<usize> {
        let tensors = self.scope.get(name).map_or(&[][..], Item::tensors);
        let (mut found, mut base) = (Vec::new(), 0);
        for t in tensors {
            let n: usize = t.kept.iter().product();
            found.extend((0..n).filter(|&i| t.el(self.store, i).a != EMPTY).map(|i| base + i));
            base += n;
        }
        found
    }

    /// A marked input element that this marked element of the node's result depends on.
    fn source(
        &self,
        node: &'m NodeProto,
        value: &str,
        element: usize,
    ) -> Result<Element<'m>, CheckError> {
        let own = self.shape(value);
        let here = coordinates(element, &self.kept(value));
        let mut names: Vec<&str> = Vec::new();
        for name in reads(node) {
            if !names.contains(&name) && self.scope.get(name).is_some() {
                names.push(name);
            }
        }
        let mut candidates: Vec<Element<'m>> = Vec::new();
        for &name in &names {
            candidates.extend(self.marked(name).into_iter().map(|i| (name, i)));
        }
        // Prefer elements at the same position: a path that does not move is easier to read.
        candidates.sort_by_cached_key(|&(name, i)| {
            let kept = self.scope.get(name).and_then(Item::tensor).map(|t| t.kept.clone());
            Reverse(likeness(i, &kept.unwrap_or_default(), &here, &own))
        });
        while candidates.len() > 1 {
            let share = candidates.len().div_ceil(BINS);
            let bin = self.first_bin(node, value, element, &names, &candidates, share)?;
            let end = ((bin + 1) * share).min(candidates.len());
            candidates = candidates.get(bin * share..end).unwrap_or(&[]).to_vec();
        }
        candidates.pop().ok_or(CheckError::Independent)
    }

    /// The first bin of candidates that the result element depends on.
    fn first_bin(
        &self,
        node: &'m NodeProto,
        value: &str,
        element: usize,
        names: &[&'m str],
        candidates: &[Element<'m>],
        share: usize,
    ) -> Result<usize, CheckError> {
        let mut store = Store::new(BINS, self.budget.again(), self.assume);
        store.skip_tickets();
        let mut machine = Machine::new(store, self.task.opset, self.options.folder.clone());
        let mut scope = Scope::inside(None);
        for &name in names {
            let Some(item) = self.scope.get(name) else { continue };
            let chosen = candidates.iter().enumerate().filter(|(_, c)| c.0 == name);
            let bins = chosen.map(|(k, &(_, i))| (i, k / share)).collect();
            scope.values.insert(name, self.binned(&mut machine.store, item, &bins, &mut 0));
        }
        let results = machine.node(node, &scope)?;
        let store = &machine.store;
        let found = node.output.iter().position(|o| o == value);
        let Some(item) = found.and_then(|p| results.get(p)) else {
            return Err(CheckError::Independent);
        };
        let mut rest = element;
        for t in item.tensors() {
            let n: usize = t.kept.iter().product();
            if rest < n {
                let el = t.el(store, rest);
                let first = |id| store.sets.first_from(id, 0);
                let bin = [el.a, el.b].into_iter().filter_map(first).min();
                return bin.ok_or(CheckError::Independent);
            }
            rest -= n;
        }
        Err(CheckError::Independent)
    }

    /// Copies an item to another store, where each chosen element depends on the bit of its bin.
    fn binned(
        &self,
        store: &mut Store,
        item: &Item,
        bins: &HashMap<usize, usize>,
        base: &mut usize,
    ) -> Item {
        let mut one = |t: &Tensor| {
            let n: usize = t.kept.iter().product();
            let start = *base;
            *base += n;
            if let Data::Known(_) = &t.data {
                return t.clone();
            }
            let mut cells = Vec::with_capacity(n);
            for i in 0..n {
                let v = t.el(self.store, i).v;
                let id = bins.get(&(start + i)).map_or(EMPTY, |&bin| store.sets.single(bin));
                cells.push(store.cell(El::new(id, v)));
            }
            let new = Tensor::cells(store, t.elem, t.kept.clone(), cells);
            let new = new.with_shape(t.shape.clone(), t.kept.clone());
            // Relations between tensors still hold.
            Tensor { ticket: t.ticket, relation: t.relation.clone(), ..new }
        };
        match item {
            Item::Tensor(t) => Item::Tensor(one(t)),
            Item::Sequence(list) => Item::Sequence(list.iter().map(one).collect()),
            Item::Optional(None) => Item::Optional(None),
            Item::Optional(Some(inner)) => {
                Item::Optional(Some(Box::new(self.binned(store, inner, bins, base))))
            }
        }
    }
}

fn coordinates(element: usize, shape: &[usize]) -> Vec<usize> {
    let along = |(&s, &d): (&isize, &usize)| element / s.max(1) as usize % d.max(1);
    strides(shape).iter().zip(shape).map(along).collect()
}

/// How many trailing coordinates an element has in common with the position `here` in a tensor of
/// shape `own`. Counting stops at an axis whose extents differ.
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
