//! LSTM, GRU and RNN, run step by step. Units whose weights have zeros in the same places are
//! computed once.

use std::collections::HashMap;

use super::opaque;
use super::product::finite;
use crate::call::{Call, Results};
use crate::error::{Fail, Problem};
use crate::sets::EMPTY;
use crate::store::{Cell, El, Store};
use crate::tensor::{Tensor, size};
use crate::value::Value;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Rnn,
    Gru,
    Lstm,
}

impl Kind {
    fn gates(self) -> usize {
        match self {
            Kind::Rnn => 1,
            Kind::Gru => 3,
            Kind::Lstm => 4,
        }
    }
}

/// The sizes and inputs of a layer.
struct Layer {
    kind: Kind,
    x: Tensor,
    /// The number of steps, images in the batch, input features, and hidden units.
    steps: usize,
    batch: usize,
    hidden: usize,
    /// For each direction and row of the gates, the class of its weights.
    class_of: Vec<usize>,
    classes: Vec<Class>,
    initial_h: Option<Tensor>,
    initial_c: Option<Tensor>,
    lens: Option<Vec<usize>>,
    /// For a GRU: whether the reset gate is applied after the matrix product.
    late_reset: bool,
    /// Bounds of the hidden state, except the initial one.
    bounds: Value,
}

/// Weights with the same pattern: which inputs and hidden units a gate reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Class {
    inputs: Vec<u32>,
    states: Vec<u32>,
    bias: u32,
}

pub(super) fn recurrent(call: &mut Call) -> Results {
    let kind = match call.node.op_type() {
        "LSTM" => Kind::Lstm,
        "GRU" => Kind::Gru,
        _ => Kind::Rnn,
    };
    let batch_first = call.flag("layout");
    let mut x = call.input(0)?;
    if x.rank() != 3 {
        return Err(Problem::Rank { input: 0, found: x.rank() }.into());
    }
    if batch_first {
        x = x.transposed(call.store(), &[1, 0, 2])?;
    }
    if call.has(4) && call.whole(4).is_err() {
        return unknown_lengths(call, kind, &x);
    }
    let layer = layer(call, kind, x, batch_first)?;
    let directions: Vec<bool> = match call.text("direction").unwrap_or("forward") {
        "forward" => vec![false],
        "reverse" => vec![true],
        "bidirectional" => vec![false, true],
        _ => return Err(Problem::Attribute("direction").into()),
    };
    let rows = kind.gates() * layer.hidden * directions.len();
    if layer.class_of.len() != rows {
        return Err(Problem::Extents(vec![layer.class_of.len()], vec![rows]).into());
    }
    let (t, b, h, d) = (layer.steps, layer.batch, layer.hidden, directions.len());
    let store = call.store();
    store.spend(size(&[t, d, b, h])?)?;
    let mut y = vec![Cell::ZERO; t * d * b * h];
    let (mut last_h, mut last_c) = (Vec::new(), Vec::new());
    for (k, &backward) in directions.iter().enumerate() {
        for image in 0..b {
            let mut run = Run::new(store, &layer, k, image);
            let len = layer.lens.as_ref().and_then(|l| l.get(image).copied()).unwrap_or(t).min(t);
            for step in 0..len {
                let at = if backward { len - 1 - step } else { step };
                run.step(store, &layer, k, image, at)?;
                for (j, &el) in run.h.iter().enumerate() {
                    if let Some(slot) = y.get_mut(((at * d + k) * b + image) * h + j) {
                        *slot = store.cell(el);
                    }
                }
            }
            last_h.extend(run.h.iter().map(|&el| store.cell(el)));
            last_c.extend(run.c.iter().map(|&el| store.cell(el)));
        }
    }
    let elem = layer.x.elem;
    let mut y = Tensor::cells(store, elem, vec![t, d, b, h], y);
    let mut results = vec![last_h];
    if kind == Kind::Lstm {
        results.push(last_c);
    }
    let mut states = Vec::new();
    for cells in results {
        let state = Tensor::cells(store, elem, vec![d, b, h], cells);
        states.push(if batch_first { state.transposed(store, &[1, 0, 2])? } else { state });
    }
    if batch_first {
        y = y.transposed(store, &[2, 0, 1, 3])?;
    }
    Ok(std::iter::once(y).chain(states).map(Into::into).collect())
}

fn layer(call: &mut Call, kind: Kind, x: Tensor, batch_first: bool) -> Result<Layer, Fail> {
    let (w, r) = (call.input(1)?, call.input(2)?);
    let [steps, batch, features] = x.shape[..] else {
        return Err(Problem::Rank { input: 0, found: x.rank() }.into());
    };
    let (Some(&hidden), Some(&width)) = (r.shape.get(2), w.shape.get(2)) else {
        return Err(Problem::Rank { input: 2, found: r.rank() }.into());
    };
    if width != features {
        return Err(Problem::Extents(x.shape.clone(), w.shape.clone()).into());
    }
    let (directions, rows) = (w.shape[0], kind.gates() * hidden);
    let fits = |t: &Tensor, shape: &[usize]| match t.shape == shape {
        true => Ok(()),
        false => Err(Problem::Extents(t.shape.clone(), shape.to_vec())),
    };
    fits(&w, &[directions, rows, features])?;
    fits(&r, &[directions, rows, hidden])?;
    let bias = call.optional(3)?;
    let lens = call.whole(4)?;
    let lens = lens.map(|l| l.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect::<Vec<_>>());
    let mut state = |i: usize| -> Result<Option<Tensor>, Problem> {
        let Some(t) = call.optional(i)? else { return Ok(None) };
        let t = if batch_first { t.transposed(call.store(), &[1, 0, 2])? } else { t };
        fits(&t, &[directions, batch, hidden])?;
        Ok(Some(t))
    };
    let (initial_h, initial_c) = (state(5)?, if kind == Kind::Lstm { state(6)? } else { None });
    let usual = match call.texts("activations") {
        None => true,
        // The update gate of a GRU weighs the old state against the new one only if it is from 0 to 1.
        Some(list) => list.iter().enumerate().all(|(i, f)| match f.to_lowercase().as_str() {
            "sigmoid" => true,
            "tanh" => kind != Kind::Gru || i % 2 == 1,
            _ => false,
        }),
    };
    let late_reset = call.flag("linear_before_reset");
    let store = call.store();
    store.spend(w.len() + r.len())?;
    // A zero stops only dependencies of finite values. The hidden states of the usual activations
    // are finite.
    let finite_x = finite(store, x.hull(store));
    let sure = w.hull(store).is_finite() && r.hull(store).is_finite() && finite_x;
    let bounds = if usual && sure { Value::range(-1.01, 1.01) } else { Value::ANY };
    let bounds = store.settle(x.elem, bounds);
    let zeros = finite(store, bounds) && finite_x;
    let code = |c: u32| if c == crate::store::DEAD && !zeros { EMPTY } else { c };
    let (pw, pr) = (w.pattern(store), r.pattern(store));
    let pb = bias.as_ref().map(|b| b.pattern(store)).unwrap_or_default();
    let mut found: HashMap<Class, usize> = HashMap::new();
    let (mut class_of, mut classes) = (Vec::new(), Vec::new());
    for row in 0..w.shape.iter().take(2).product::<usize>() {
        let part = |list: &[u32], n: usize| -> Vec<u32> {
            list.get(row * n..(row + 1) * n).unwrap_or(&[]).iter().map(|&c| code(c)).collect()
        };
        let (d, gate) = (row / rows.max(1), row % rows.max(1));
        let bias_at = |k: usize| pb.get((2 * d + k) * rows + gate).copied().unwrap_or(EMPTY);
        let live = |c: u32| if c == crate::store::DEAD { EMPTY } else { c };
        let bias = store.sets.union(live(bias_at(0)), live(bias_at(1)));
        let class = Class { inputs: part(&pw, features), states: part(&pr, hidden), bias };
        let next = classes.len();
        let at = *found.entry(class.clone()).or_insert(next);
        if at == next {
            classes.push(class);
        }
        class_of.push(at);
    }
    Ok(Layer {
        kind,
        x,
        steps,
        batch,
        hidden,
        class_of,
        classes,
        initial_h,
        initial_c,
        lens,
        late_reset,
        bounds,
    })
}

/// The state of one image in one direction.
struct Run {
    h: Vec<El>,
    c: Vec<El>,
}

impl Run {
    fn new(store: &Store, layer: &Layer, direction: usize, image: usize) -> Run {
        let start = |t: &Option<Tensor>| -> Vec<El> {
            let at = |j| (direction * layer.batch + image) * layer.hidden + j;
            let one = |j| t.as_ref().map_or(El::known(0.0), |t| t.el(store, at(j)));
            (0..layer.hidden).map(one).collect()
        };
        Run { h: start(&layer.initial_h), c: start(&layer.initial_c) }
    }

    fn step(
        &mut self,
        store: &mut Store,
        layer: &Layer,
        direction: usize,
        image: usize,
        at: usize,
    ) -> Result<(), Problem> {
        let h = layer.hidden;
        let features = layer.x.shape.get(2).copied().unwrap_or(0);
        let base = (at * layer.batch + image) * features;
        let x: Vec<El> = (0..features).map(|i| layer.x.el(store, base + i)).collect();
        store.work((x.len() + h) * layer.classes.len() + h)?;
        let plain: Vec<u32> =
            layer.classes.iter().map(|class| read(store, class, &x, &self.h, None)).collect();
        let gate = |g: usize, j: usize| {
            let row = (direction * layer.kind.gates() + g) * h + j;
            layer.class_of.get(row).copied().unwrap_or(0)
        };
        let set = |g: usize, j: usize| plain.get(gate(g, j)).copied().unwrap_or(EMPTY);
        // The set of each unit's reset gate, for gates that read the hidden state through it.
        let reset: Vec<u32> = match layer.kind {
            Kind::Gru => (0..h).map(|j| set(1, j)).collect(),
            _ => Vec::new(),
        };
        let mut late: HashMap<usize, u32> = HashMap::new();
        let (mut next_h, mut next_c) = (Vec::with_capacity(h), Vec::with_capacity(h));
        for j in 0..h {
            let own = |list: &[El]| list.get(j).copied().unwrap_or(El::known(0.0));
            let (before_h, before_c) = (own(&self.h), own(&self.c));
            let mut sets = match layer.kind {
                Kind::Rnn => vec![set(0, j)],
                // Input, forget and cell gates; the output gate follows.
                Kind::Lstm => vec![set(0, j), set(2, j), set(3, j), before_c.a, before_c.b],
                Kind::Gru => vec![set(0, j), before_h.a, before_h.b],
            };
            if layer.kind == Kind::Gru {
                let class = gate(2, j);
                if layer.late_reset {
                    sets.extend([set(2, j), set(1, j)]);
                } else {
                    let found = late.get(&class).copied();
                    let through = found.unwrap_or_else(|| {
                        let class = layer.classes.get(class);
                        class.map_or(EMPTY, |c| read(store, c, &x, &self.h, Some(&reset)))
                    });
                    late.insert(class, through);
                    sets.push(through);
                }
            }
            let inner = unite(store, &sets);
            let outer =
                if layer.kind == Kind::Lstm { unite(store, &[inner, set(1, j)]) } else { inner };
            let size = before_c.v.magnitude() + 1.01;
            let c = if layer.bounds.is_finite() { Value::range(-size, size) } else { Value::ANY };
            let c = store.settle(layer.x.elem, c);
            next_c.push(El::new(inner, c));
            next_h.push(El::new(outer, layer.bounds.hull(before_h.v)));
        }
        (self.h, self.c) = (next_h, next_c);
        Ok(())
    }
}

fn unite(store: &mut Store, sets: &[u32]) -> u32 {
    store.sets.begin();
    sets.iter().for_each(|&id| store.sets.add(id));
    store.sets.end()
}

/// The set that a gate depends on. With `reset`, it reads the hidden state through the reset gate.
fn read(store: &mut Store, class: &Class, x: &[El], h: &[El], reset: Option<&[u32]>) -> u32 {
    store.sets.begin();
    store.sets.add(class.bias);
    for (&weight, &el) in class.inputs.iter().zip(x).chain(class.states.iter().zip(h)) {
        if weight != crate::store::DEAD {
            store.sets.add(weight);
            store.add_el(el);
        }
    }
    let through = class.states.iter().zip(reset.unwrap_or(&[]));
    for (_, &id) in through.filter(|(w, _)| **w != crate::store::DEAD) {
        store.sets.add(id);
    }
    store.sets.end()
}

/// Sequence lengths that are not constant: every result depends on all inputs.
fn unknown_lengths(call: &mut Call, kind: Kind, x: &Tensor) -> Results {
    let (w, r) = (call.input(1)?, call.input(2)?);
    let hidden = r.shape.get(2).copied().unwrap_or(0);
    let d = w.shape.first().copied().unwrap_or(1);
    let [steps, batch, _] = x.shape[..] else {
        return Err(Problem::Rank { input: 0, found: x.rank() }.into());
    };
    let state = vec![d, batch, hidden];
    let (mut y, mut s) = (vec![steps, d, batch, hidden], state);
    if call.flag("layout") {
        (y, s) = (vec![batch, steps, d, hidden], vec![batch, d, hidden]);
    }
    let mut shapes = vec![(x.elem, y), (x.elem, s.clone())];
    if kind == Kind::Lstm {
        shapes.push((x.elem, s));
    }
    opaque::all(call, shapes)
}
