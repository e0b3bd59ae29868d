//! The way from an output back to an input.
//!
//! One input value is marked and the graph runs on sets of one bit, keeping all tensors. Then, from
//! the output back: the node that made the marked element runs again with each of its marked input
//! elements in a bin of its own, a few hundred bins at a time, until one element is left that the
//! result reads. So no operator needs a rule of its own for the way back.

use std::cmp::Reverse;
use std::collections::HashMap;

use pixelrnn_onnx::proto::NodeProto;

use crate::budget::Budget;
use crate::error::CheckError;
use crate::item::Item;
use crate::layout::Size;
use crate::machine::{Machine, Scope, label, reads};
use crate::model::{Model, Task};
use crate::names;
use crate::ops;
use crate::options::Options;
use crate::report::{Position, Report};
use crate::sets::EMPTY;
use crate::store::{Assume, El, Store};
use crate::tensor::{Data, Tensor, strides};
use crate::text::shown;

/// Bins of one round.
const BINS: usize = 256;
/// Hops of one path.
const MAX_HOPS: usize = 1 << 16;

/// One node on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The node's name, or that of its result when it has none.
    pub node: String,
    /// The operator of the node.
    pub op_type: String,
    /// The node's doc string: in files of this project, where in the user's text it comes from.
    pub doc: String,
    /// The module of a `torch.nn.Module` that the node belongs to, `body.0.conv` for example, if the
    /// exporter says so.
    pub module: String,
    /// File and line of the Python code, `model.py:12`, if the exporter says so.
    pub source: String,
    /// The result of the node that is on the way, and which element of it.
    pub value: String,
    /// The index of the element in the node's result.
    pub element: Vec<usize>,
    /// The result's shape.
    pub shape: Vec<usize>,
    /// Whether the node only hands elements on (element-wise, or another shape).
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

/// A run on one marked value that has ended, all values kept.
struct Marked<'t, 'm> {
    task: &'t Task<'m>,
    scope: Scope<'m, 'm>,
    store: Store,
    budget: Budget,
    /// The first element of the output's position that is marked.
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
    let start = (0..place.levels)
        .map(|level| place.element(at, level))
        .find(|&e| result.el(&machine.store, e).a != EMPTY);
    Ok(Marked { task, scope, store: machine.store, budget, start })
}

impl<'m> Marked<'_, 'm> {
    /// The way back from the output.
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

/// The way from an output (any of its levels) back to an input value: the nodes passed, the last
/// one reads the input itself. Where there are several ways, one that stays at its pixel is taken.
/// The report is one on the same model and options.
///
/// # Errors
/// Those of [`check_bytes`](crate::check_bytes); positions outside the image; no way.
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

/// Why an output does not depend on a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// Nothing in the graph connects them: the value is outside the receptive field.
    OutOfReach,
    /// The graph connects them, but a zero, a mask or a saturated function at this node stops what
    /// comes from the value.
    Stopped(Hop),
}

/// Why an output does not depend on a value. The report is one on the same model and options.
///
/// # Errors
/// Those of [`check_bytes`](crate::check_bytes); positions outside the image.
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
    budget: Budget,
    assume: Assume,
    options: &'t Options,
}

/// An element of a named value.
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

    /// The shape of a named value; of a sequence none.
    fn shape(&self, name: &str) -> Vec<usize> {
        self.scope.get(name).and_then(Item::tensor).map(|t| t.shape.clone()).unwrap_or_default()
    }

    /// The same, with thin axes of extent one: elements are numbered in this.
    fn kept(&self, name: &str) -> Vec<usize> {
        self.scope.get(name).and_then(Item::tensor).map(|t| t.kept.clone()).unwrap_or_default()
    }

    /// The marked elements of a named value, thin axes not repeated. Elements of a sequence are
    /// numbered through.
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

    /// One marked input element that a marked result element of a node reads.
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
        // Elements at the same place first: a path that stands still is the easier one to read.
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

    /// The first bin of candidates that the element reads.
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

    /// The same elements in another store, the chosen ones each in its bin.
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
            // What ties tensors together still does.
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
