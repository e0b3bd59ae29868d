//! The LSTM cell that the two recurrent layers share: as a loop body, and as a plain function.
//!
//! `o, f, i = sigmoid, g = tanh; c = f c_before + i g; h = o tanh(c)`. The gates are in the order o, f, i, g
//! along the gate axis.

use pixelrnn_graph::{Graph, Role, Site};

use super::{Add, Broadcast, Constant, Mul, Scan, Sigmoid, Slice, SplitAxis, StateConv, Tanh};
use crate::rules::prelude::*;

/// Adds the nodes of one expansion to a graph.
pub(crate) struct Expansion<'a> {
    pub graph: &'a mut PixelGraph,
    pub name: &'a str,
    pub site: Site,
}

impl Expansion<'_> {
    pub fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        part: &str,
    ) -> Result<Value, BuildError> {
        Ok(self.push_many(op, inputs, part)?[0])
    }

    pub fn push_many(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        part: &str,
    ) -> Result<Vec<Value>, BuildError> {
        self.graph.push(op.into(), inputs, &format!("{}/{part}", self.name), self.site)
    }

    /// Adds a first axis of extent one to a value.
    pub fn unsqueeze(&mut self, x: Value, part: &str) -> Result<Value, BuildError> {
        let parts = 1;
        // Splitting axis 0 into one part adds the new axis.
        self.push(SplitAxis { axis: 0, parts }, &[x], part)
    }

    /// Reshapes a learned vector `[h]` to `[1, 1, 1, h]`.
    pub fn initial(&mut self, vector: Value, part: &str) -> Result<Value, BuildError> {
        let v = self.unsqueeze(vector, part)?;
        let v = self.unsqueeze(v, part)?;
        self.unsqueeze(v, part)
    }

    /// Zeros `[D, 1, 1, h]`.
    pub fn zeros(&mut self, d: usize, features: usize, part: &str) -> Result<Value, BuildError> {
        let value = pixelrnn_graph::Array::zeros(vec![d, 1, 1, features]);
        self.push(Constant { value }, &[], part)
    }
}

/// The inputs of a recurrent loop.
pub(crate) struct Recurrence {
    /// The state-to-state weight, `[D, 4 h, h, K]`.
    pub weight: Value,
    /// The first tap of the weight reads the position this far before the cell's own.
    pub before: usize,
    /// The gates' contribution from the input, `[T, D, P, N, 4 h]`.
    pub gates: Value,
    /// h and c before the first step, each `[D, 1, 1, h]`.
    pub initial: [Value; 2],
    /// Whether the initial states are parameters. Then cells that hold no pixel keep them; otherwise such
    /// cells keep zero.
    pub learned: bool,
    /// 1 for cells that hold a pixel, else 0; `[T, 1, P, 1, 1]`. `None` if all cells hold one.
    pub live: Option<pixelrnn_graph::Array>,
}

/// Adds the loop and returns its stacked h, `[T, D, P, N, h]`.
pub(crate) fn recur(cx: &mut Expansion, r: Recurrence) -> Result<Value, BuildError> {
    let gates = cx.graph.ty(r.gates).shape.clone();
    let features = gates[4].with_batch(1) / 4;
    let state = vec![gates[1], gates[2], gates[3], Dim::Fixed(features)];
    let spread = Broadcast { to: state.clone() };
    let h = cx.push(spread.clone(), &[r.initial[0]], "h_initial")?;
    let c = cx.push(spread, &[r.initial[1]], "c_initial")?;

    let body = cell(cx, &r, &gates, &state)?;
    let mut inputs = vec![h, c, r.weight, r.gates];
    if let Some(live) = &r.live {
        inputs.push(cx.push(Constant { value: live.clone() }, &[], "live")?);
        if r.learned {
            // The values that cells without a pixel keep, computed before the loop. tract would hoist a
            // product of constants out of the loop, and then infer a wrong type for it.
            let dead = live.mapv(|m| 1.0 - m);
            let dead = cx.push(Constant { value: dead }, &[], "dead")?;
            for (initial, part) in r.initial.into_iter().zip(["h_held", "c_held"]) {
                let wide = cx.unsqueeze(initial, part)?;
                inputs.push(cx.push(Mul, &[dead, wide], part)?);
            }
        }
    }
    let scan = Scan { body: Box::new(body), states: 2, invariants: 1, reverse: false };
    Ok(cx.push_many(scan, &inputs, "scan")?[2])
}

fn cell(
    cx: &Expansion,
    r: &Recurrence,
    gates: &[Dim],
    state: &[Dim],
) -> Result<PixelGraph, BuildError> {
    let features = state[3].with_batch(1);
    let state = Type::real(state.iter().copied());
    let mut body = Graph::new("cell");
    let h = body.input("h", state.clone(), Role::Local);
    let c = body.input("c", state.clone(), Role::Local);
    let weight = body.input("weight", cx.graph.ty(r.weight).clone(), Role::Local);
    let z = body.input("z", Type::real(gates[1..].iter().copied()), Role::Local);
    let flags = Type::real([Dim::Fixed(1), gates[2], Dim::Fixed(1), Dim::Fixed(1)]);
    let live = r.live.as_ref().map(|_| body.input("live", flags, Role::Local));
    let held = (r.learned && live.is_some()).then(|| {
        let one = Dim::Fixed(1);
        let ty = Type::real([gates[1], gates[2], one, Dim::Fixed(features)]);
        ["h_held", "c_held"].map(|name| body.input(name, ty.clone(), Role::Local))
    });

    let mut push = |op: Op, inputs: &[Value], name: &str| -> Result<Value, BuildError> {
        Ok(body.push(op, inputs, name, cx.site)?[0])
    };
    let gate = |start: usize, count: usize| -> Op {
        Slice { axis: 3, start: start * features, length: count * features }.into()
    };
    let s = push(StateConv { before: r.before }.into(), &[h, weight], "s")?;
    let a = push(Add.into(), &[s, z], "a")?;
    let ofi = push(gate(0, 3), &[a], "ofi_in")?;
    let ofi = push(Sigmoid.into(), &[ofi], "ofi")?;
    let g = push(gate(3, 1), &[a], "g_in")?;
    let g = push(Tanh.into(), &[g], "g")?;
    let o = push(gate(0, 1), &[ofi], "o")?;
    let f = push(gate(1, 1), &[ofi], "f")?;
    let i = push(gate(2, 1), &[ofi], "i")?;
    let kept = push(Mul.into(), &[f, c], "kept")?;
    let new = push(Mul.into(), &[i, g], "new")?;
    let mut c_next = push(Add.into(), &[kept, new], "c_free")?;
    // A cell that holds no pixel must not influence one that does.
    if let Some(live) = live {
        c_next = push(Mul.into(), &[c_next, live], "c_live")?;
    }
    let out = push(Tanh.into(), &[c_next], "c_out")?;
    let mut h_next = push(Mul.into(), &[o, out], "h_next")?;
    if let (Some([h0, c0]), Some(live)) = (held, live) {
        c_next = push(Add.into(), &[c_next, c0], "c_next")?;
        let h_live = push(Mul.into(), &[h_next, live], "h_live")?;
        h_next = push(Add.into(), &[h_live, h0], "h_or_held")?;
    }
    body.output("h", h_next);
    body.output("c", c_next);
    body.output("h_stacked", h_next);
    Ok(body)
}

/// The cell at one pixel: from the gates `[N, 4 f]` and the previous c `[N, f]` to the new `[h, c]`.
pub(super) fn at_pixel(
    cx: &mut Streaming,
    gates: PixelValue,
    c: PixelValue,
) -> Result<[PixelValue; 2], StreamError> {
    let features = cx.pixel.ty(c.0).shape[1].with_batch(1);
    let part = |start: usize, count: usize| Slice {
        axis: 1,
        start: start * features,
        length: count * features,
    };
    let ofi = cx.pixel(part(0, 3), &[gates], "ofi_in")?;
    let ofi = cx.pixel(Sigmoid, &[ofi], "ofi")?;
    let g = cx.pixel(part(3, 1), &[gates], "g_in")?;
    let g = cx.pixel(Tanh, &[g], "g")?;
    let [o, f, i] = [
        cx.pixel(part(0, 1), &[ofi], "o")?,
        cx.pixel(part(1, 1), &[ofi], "f")?,
        cx.pixel(part(2, 1), &[ofi], "i")?,
    ];
    let kept = cx.pixel(Mul, &[f, c], "kept")?;
    let new = cx.pixel(Mul, &[i, g], "new")?;
    let c = cx.pixel(Add, &[kept, new], "c")?;
    let out = cx.pixel(Tanh, &[c], "c_out")?;
    Ok([cx.pixel(Mul, &[o, out], "h")?, c])
}

/// Collects h or c of a pixel from its color groups.
#[derive(Default)]
pub(super) struct Gathered(Vec<PixelValue>);

impl Gathered {
    pub fn push(&mut self, group: PixelValue) {
        self.0.push(group);
    }

    /// Concatenates all groups. Later calls return the same value.
    pub fn whole(&mut self, cx: &mut Streaming, part: &str) -> Result<PixelValue, StreamError> {
        let whole = cx.pixel_concat(&self.0, part)?;
        self.0 = vec![whole];
        Ok(whole)
    }
}

/// The cell on plain numbers: reads the gates, updates `c` and returns `h`.
pub(super) fn step<R: Real>(gates: &[R], c: &mut [R]) -> Vec<R> {
    let n = c.len();
    let sigmoid = |x: R| R::of(1.0) / (R::of(1.0) + (-x).exp());
    let mut h = Vec::with_capacity(n);
    for (k, c) in c.iter_mut().enumerate() {
        let [o, f, i] = [0, 1, 2].map(|gate| sigmoid(gates[gate * n + k]));
        *c = f * *c + i * gates[3 * n + k].tanh();
        h.push(o * c.tanh());
    }
    h
}

/// Checks that an input can be added to gates `[N, 4 h, H, W]`: it is a map of the same shape, or of shape
/// `[N, 4 h, 1, 1]`.
pub(super) fn fits_gates(inputs: &[&Type], input: usize, gates: &Type) -> Result<(), TypeError> {
    shape::rank(inputs, input, 4)?;
    let spread = inputs[input].shape[2..] == [Dim::Fixed(1), Dim::Fixed(1)];
    let axes = if spread { 2 } else { 4 };
    (0..axes).try_for_each(|axis| shape::extent(inputs, input, axis, gates.shape[axis]))
}

/// Adds the bias map to the gates of the whole row, `[W, N, 4 h]` ordered by group, if it is known when the
/// row begins. Otherwise returns its index among the inputs, for [`add_late_bias`].
pub(super) fn add_bias(
    cx: &mut Streaming,
    bias: Option<usize>,
    row: &mut RowValue,
) -> Result<Option<usize>, StreamError> {
    let Some(bias) = bias else { return Ok(None) };
    if cx.phase(bias)? == Phase::Pixel {
        return Ok(Some(bias));
    }
    let map = cx.row_of(bias)?;
    let map = cx.row_by_group(map, 4, "bias")?;
    *row = cx.row(Add, &[*row, map], "biased")?;
    Ok(None)
}

/// Adds a bias map that is known only at its pixel to the gates of a color group.
pub(super) fn add_late_bias(
    cx: &mut Streaming,
    bias: Option<usize>,
    group: usize,
    gates: PixelValue,
) -> Result<PixelValue, StreamError> {
    let Some(bias) = bias else { return Ok(gates) };
    match cx.group_of(bias, group, 4)? {
        Some(bias) => cx.pixel(Add, &[gates, bias], "biased"),
        None => Ok(gates),
    }
}
