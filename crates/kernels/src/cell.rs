//! The LSTM cell, forward and backward, for all images at one cell of the map.
//!
//! `o, f, i = sigmoid, g = tanh; c = f c_before + i g; h = o tanh(c)`. The gates are in the order o, f, i, g,
//! `[N, 4 h]`.

use pulp::Simd;

use crate::math::{all, sigmoid, tanh, vectors, vectors_mut};

/// Splits the gates of an image.
#[inline(always)]
fn gates(of: &[f32], features: usize) -> [&[f32]; 4] {
    let (o, rest) = of.split_at(features);
    let (f, rest) = rest.split_at(features);
    let (i, rest) = rest.split_at(features);
    [o, f, i, &rest[..features]]
}

#[inline(always)]
fn gates_mut(of: &mut [f32], features: usize) -> [&mut [f32]; 4] {
    let (o, rest) = of.split_at_mut(features);
    let (f, rest) = rest.split_at_mut(features);
    let (i, rest) = rest.split_at_mut(features);
    [o, f, i, &mut rest[..features]]
}

/// Computes the activated gates, and the new cell and hidden states, from the contributions of the states and
/// of the input to the gates, and from the previous cell state.
#[inline(always)]
fn forward_lanes<S: Simd>(
    simd: S,
    s: [S::f32s; 4],
    z: [S::f32s; 4],
    c: S::f32s,
) -> ([S::f32s; 4], [S::f32s; 2]) {
    let o = sigmoid(simd, simd.add_f32s(s[0], z[0]));
    let f = sigmoid(simd, simd.add_f32s(s[1], z[1]));
    let i = sigmoid(simd, simd.add_f32s(s[2], z[2]));
    let g = tanh(simd, simd.add_f32s(s[3], z[3]));
    let c = simd.mul_add_f32s(f, c, simd.mul_f32s(i, g));
    ([o, f, i, g], [c, simd.mul_f32s(o, tanh(simd, c))])
}

/// Runs the cell forward. `activations` contains the states' contribution to the gates, and is replaced by
/// the activated gates; `z` is the input's contribution. `c` contains the previous cell states, and is
/// replaced by the new ones.
#[inline(always)]
pub(crate) fn forward<S: Simd>(
    simd: S,
    features: usize,
    activations: &mut [f32],
    z: &[f32],
    c: &mut [f32],
    h: &mut [f32],
) {
    let images = activations.chunks_exact_mut(4 * features).zip(z.chunks_exact(4 * features));
    let states = c.chunks_exact_mut(features).zip(h.chunks_exact_mut(features));
    for ((activations, z), (c, h)) in images.zip(states) {
        let a = gates_mut(activations, features).map(vectors_mut::<S>);
        let z = gates(z, features).map(vectors::<S>);
        let (c, h) = (vectors_mut::<S>(c), vectors_mut::<S>(h));
        let [(o, o_rest), (f, f_rest), (i, i_rest), (g, g_rest)] = a;
        let whole = o.iter_mut().zip(f).zip(i).zip(g).zip(c.0).zip(h.0).enumerate();
        for (k, (((((o, f), i), g), c), h)) in whole {
            let z = [z[0].0[k], z[1].0[k], z[2].0[k], z[3].0[k]];
            ([*o, *f, *i, *g], [*c, *h]) = forward_lanes(simd, [*o, *f, *i, *g], z, *c);
        }
        if !c.1.is_empty() {
            let z = z.map(|(_, rest)| simd.partial_load_f32s(rest));
            let rest = [o_rest, f_rest, i_rest, g_rest];
            let s = [0, 1, 2, 3].map(|k: usize| simd.partial_load_f32s(&*rest[k]));
            let (found, states) = forward_lanes(simd, s, z, simd.partial_load_f32s(&*c.1));
            rest.into_iter().zip(found).for_each(|(to, x)| simd.partial_store_f32s(to, x));
            simd.partial_store_f32s(c.1, states[0]);
            simd.partial_store_f32s(h.1, states[1]);
        }
    }
}

/// The values of the forward cell that the backward cell reads.
pub(crate) struct Read<'a> {
    /// The activated gates, `[N, 4 h]`.
    pub activations: &'a [f32],
    /// The new and the previous cell states, `[N, h]`.
    pub c: &'a [f32],
    pub c_before: &'a [f32],
}

/// Computes the cotangents of the gates and of the previous cell state.
#[inline(always)]
fn backward_lanes<S: Simd>(
    simd: S,
    [o, f, i, g]: [S::f32s; 4],
    [c, before]: [S::f32s; 2],
    dh: S::f32s,
    dc: S::f32s,
) -> ([S::f32s; 4], S::f32s) {
    let one = all(simd, 1.0);
    let mul = |a, b| simd.mul_f32s(a, b);
    // The derivatives of the logistic function and of tanh, computed from their values.
    let slope = |s| mul(s, simd.sub_f32s(one, s));
    let slope_tanh = |t| simd.mul_add_f32s(simd.neg_f32s(t), t, one);
    let t = tanh(simd, c);
    let d = simd.mul_add_f32s(mul(dh, o), slope_tanh(t), dc);
    let dz = [
        mul(mul(dh, t), slope(o)),
        mul(mul(d, before), slope(f)),
        mul(mul(d, g), slope(i)),
        mul(mul(d, i), slope_tanh(g)),
    ];
    (dz, mul(d, f))
}

/// Runs the cell backward. `dh` is the cotangent of the hidden states in two parts: from the output, and from
/// the cells that read them. `dc` is the cotangent of the new cell states, and is replaced by that of the
/// previous ones. `dz` receives the cotangent of the gates.
#[inline(always)]
pub(crate) fn backward<S: Simd>(
    simd: S,
    features: usize,
    read: &Read,
    dh: [&[f32]; 2],
    dc: &mut [f32],
    dz: &mut [f32],
) {
    let images = dz.chunks_exact_mut(4 * features).zip(dc.chunks_exact_mut(features));
    for (n, (dz, dc)) in images.enumerate() {
        let narrow = n * features..(n + 1) * features;
        let wide = 4 * n * features..4 * (n + 1) * features;
        let a = gates(&read.activations[wide], features).map(vectors::<S>);
        let c = [read.c, read.c_before].map(|c| vectors::<S>(&c[narrow.clone()]));
        let dh = dh.map(|dh| vectors::<S>(&dh[narrow.clone()]));
        let [o, f, i, g] = gates_mut(dz, features).map(vectors_mut::<S>);
        let dc = vectors_mut::<S>(dc);
        let whole = o.0.iter_mut().zip(f.0).zip(i.0).zip(g.0).zip(dc.0).enumerate();
        for (k, ((((o, f), i), g), dc)) in whole {
            let a = [a[0].0[k], a[1].0[k], a[2].0[k], a[3].0[k]];
            let dh = simd.add_f32s(dh[0].0[k], dh[1].0[k]);
            ([*o, *f, *i, *g], *dc) = backward_lanes(simd, a, [c[0].0[k], c[1].0[k]], dh, *dc);
        }
        if !dc.1.is_empty() {
            let load = |(_, rest): (_, &[f32])| simd.partial_load_f32s(rest);
            let [from_output, from_cells] = dh.map(load);
            let dh = simd.add_f32s(from_output, from_cells);
            let before = simd.partial_load_f32s(&*dc.1);
            let (found, before) = backward_lanes(simd, a.map(load), c.map(load), dh, before);
            let rest = [o.1, f.1, i.1, g.1];
            rest.into_iter().zip(found).for_each(|(to, x)| simd.partial_store_f32s(to, x));
            simd.partial_store_f32s(dc.1, before);
        }
    }
}
