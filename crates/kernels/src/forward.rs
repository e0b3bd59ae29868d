//! The LSTM recurrence over a map: computes the hidden states from the input's contribution to the gates.

use crate::cell;
use crate::geometry::Sweep;
use crate::product::{View, product};

/// The input's contribution to the gates, `[H, W, N, 4 h]`.
pub enum Gates<'a> {
    /// It is only read.
    Read(&'a [f32]),
    /// For the gradient.
    Saving {
        /// The contribution, which is replaced by the activated gates.
        gates: &'a mut [f32],
        /// Receives the cell states, `[H, W, N, h]`.
        c: &'a mut [f32],
    },
}

/// Rearranges a state weight `[4 h, h, K]` to a matrix `[K h, 4 h]`, to multiply the concatenated hidden
/// states that a cell reads.
fn packed(sweep: &Sweep, weight: &[f32]) -> Vec<f32> {
    let mut packed = vec![0.0; weight.len()];
    each_weight(sweep, |g, j, tap, at| {
        packed[(tap * sweep.features + j) * 4 * sweep.features + g] = weight[at];
    });
    packed
}

/// Calls `visit` for each element of a state weight `[4 h, h, K]`, with its gate, feature, tap and index.
pub(crate) fn each_weight(sweep: &Sweep, mut visit: impl FnMut(usize, usize, usize, usize)) {
    let (h, taps) = (sweep.features, sweep.taps);
    for g in 0..4 * h {
        for j in 0..h {
            for tap in 0..taps {
                visit(g, j, tap, (g * h + j) * taps + tap);
            }
        }
    }
}

/// Copies rows of numbers to positions that are `apart` numbers apart, at an offset.
#[inline(always)]
pub(crate) fn scatter(from: &[f32], length: usize, to: &mut [f32], apart: usize, offset: usize) {
    for (from, to) in from.chunks_exact(length).zip(to.chunks_mut(apart)) {
        to[offset..offset + length].copy_from_slice(from);
    }
}

/// Runs one direction. `weight [4 h, h, K]` is the state weight, `initial` the initial hidden and cell states
/// `[h]` (`None`: zero). `out` receives the hidden states `[H, W, N, h]`.
///
/// # Panics
/// If a slice has the wrong length.
pub fn forward(
    sweep: &Sweep,
    direction: usize,
    weight: &[f32],
    mut z: Gates,
    initial: Option<[&[f32]; 2]>,
    out: &mut [f32],
) {
    let (h, taps, block) = (sweep.features, sweep.taps, sweep.block());
    assert_eq!(out.len(), sweep.cells() * block, "the hidden states");
    assert_eq!(weight.len(), 4 * h * h * taps, "the state weight");
    let lengths = match &z {
        Gates::Read(z) => [z.len(), out.len()],
        Gates::Saving { gates, c } => [gates.len(), c.len()],
    };
    assert_eq!(lengths, [4 * out.len(), out.len()], "the gates, and the cell states");
    if out.is_empty() {
        return;
    }
    let weight = packed(sweep, weight);
    let positions = sweep.positions();
    let mut c = vec![0.0; positions * block];
    // The hidden states that the cells of the next step read, `[P, N, K h]`.
    let mut read = vec![0.0; positions * block * taps];
    if let Some([h0, c0]) = initial {
        c.chunks_exact_mut(h).for_each(|c| c.copy_from_slice(c0));
        let all = h0.repeat(sweep.images);
        for position in 0..positions {
            for (reader, tap) in sweep.readers(position) {
                let to = &mut read[reader * block * taps..(reader + 1) * block * taps];
                scatter(&all, h, to, taps * h, tap * h);
            }
        }
    }
    let mut activations = vec![0.0; positions * block * 4];
    let arch = pulp::Arch::new();
    for step in 0..sweep.steps() {
        let live = sweep.live(step);
        let rows = live.len() * sweep.images;
        let states = View::rows(&read[live.start * block * taps..], taps * h);
        let shape = [rows, taps * h, 4 * h];
        product(&mut activations, 4 * h, shape, states, View::rows(&weight, 4 * h), false);
        arch.dispatch(Cells {
            sweep,
            direction,
            step,
            z: &mut z,
            c: &mut c,
            read: &mut read,
            activations: &mut activations,
            out,
        });
    }
}

/// Computes the cells of a step, after the product of their states with the weight.
struct Cells<'a, 's> {
    sweep: &'a Sweep,
    direction: usize,
    step: usize,
    z: &'a mut Gates<'s>,
    c: &'a mut [f32],
    read: &'a mut [f32],
    activations: &'a mut [f32],
    out: &'a mut [f32],
}

impl pulp::WithSimd for Cells<'_, '_> {
    type Output = ();

    // A closure would not be compiled for the instruction set.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let sweep = self.sweep;
        let (h, taps, block) = (sweep.features, sweep.taps, sweep.block());
        for (i, position) in sweep.live(self.step).enumerate() {
            let cell = sweep.cell(self.direction, self.step, position);
            let narrow = cell * block..(cell + 1) * block;
            let wide = 4 * cell * block..4 * (cell + 1) * block;
            let gates = &mut self.activations[4 * i * block..4 * (i + 1) * block];
            let c = &mut self.c[position * block..(position + 1) * block];
            let out = &mut self.out[narrow.clone()];
            let z = match &*self.z {
                Gates::Read(z) => &z[wide.clone()],
                Gates::Saving { gates, .. } => &gates[wide.clone()],
            };
            cell::forward(simd, h, gates, z, c, out);
            for (reader, tap) in sweep.readers(position) {
                let to = &mut self.read[reader * block * taps..(reader + 1) * block * taps];
                scatter(out, h, to, taps * h, tap * h);
            }
            if let Gates::Saving { gates: activated, c: states } = self.z {
                states[narrow].copy_from_slice(c);
                activated[wide].copy_from_slice(gates);
            }
        }
    }
}
