//! The gradient of the LSTM recurrence: runs the steps in reverse order.

use crate::cell::{self, Read};
use crate::forward::{each_weight, scatter};
use crate::geometry::Sweep;
use crate::product::{View, product};

/// The cotangents that [`backward`] computes.
pub struct Gradient<'a> {
    /// The activated gates, `[H, W, N, 4 h]`, which are replaced by the cotangents of the gates.
    pub z: &'a mut [f32],
    /// Of the state weight, `[4 h, h, K]`.
    pub weight: &'a mut [f32],
    /// Of the initial hidden and cell states, `[h]`, if they are parameters.
    pub initial: Option<[&'a mut [f32]; 2]>,
}

/// The inputs and results of the forward recurrence of a direction.
pub struct Found<'a> {
    /// The state weight, `[4 h, h, K]`.
    pub weight: &'a [f32],
    /// The hidden states, `[H, W, N, h]`.
    pub h: &'a [f32],
    /// The cell states, `[H, W, N, h]`.
    pub c: &'a [f32],
    /// The initial hidden and cell states, `[h]`, if they are parameters.
    pub initial: Option<[&'a [f32]; 2]>,
}

/// The state of the backward sweep.
struct Back<'a> {
    sweep: &'a Sweep,
    direction: usize,
    found: &'a Found<'a>,
    /// For the cells of a step: cotangents of the hidden states, as far as they come from cells of the next
    /// step, and of the cell states; `[P, N, h]`.
    dh: Vec<f32>,
    dc: Vec<f32>,
    /// Cotangents of the gates of a step, `[P, N, 4 h]`.
    dz: Vec<f32>,
    /// The hidden states that the cells of a step read, and their cotangents, `[P, N, K h]`.
    read: Vec<f32>,
    dread: Vec<f32>,
    /// The initial states, repeated for all images.
    initial: [Vec<f32>; 2],
    /// Their cotangents.
    dinitial: [Vec<f32>; 2],
}

/// Computes the gradient of one direction. `dh [H, W, N, h]` is the cotangent of the hidden states.
///
/// # Panics
/// If a slice has the wrong length.
pub fn backward(sweep: &Sweep, direction: usize, found: &Found, dh: &[f32], gradient: Gradient) {
    let (h, taps, block) = (sweep.features, sweep.taps, sweep.block());
    let all = sweep.cells() * block;
    assert_eq!([found.h.len(), found.c.len(), dh.len()], [all; 3], "the states");
    assert_eq!(gradient.z.len(), 4 * all, "the gates");
    assert_eq!([gradient.weight.len(), found.weight.len()], [4 * h * h * taps; 2], "the weight");
    let positions = sweep.positions();
    let spread = |i: usize| match found.initial {
        Some(initial) => initial[i].repeat(sweep.images),
        None => vec![0.0; block],
    };
    let mut back = Back {
        sweep,
        direction,
        found,
        dh: vec![0.0; positions * block],
        dc: vec![0.0; positions * block],
        dz: vec![0.0; positions * block * 4],
        read: vec![0.0; positions * block * taps],
        dread: vec![0.0; positions * block * taps],
        initial: [spread(0), spread(1)],
        dinitial: [vec![0.0; block], vec![0.0; block]],
    };
    // The weight as `[4 h, K h]`, to multiply the cotangents of the gates with; its gradient as `[K h, 4 h]`.
    let mut weight = vec![0.0; found.weight.len()];
    each_weight(sweep, |g, j, tap, at| weight[(g * taps + tap) * h + j] = found.weight[at]);
    let mut dweight = vec![0.0; weight.len()];
    let arch = pulp::Arch::new();
    for step in (0..sweep.steps()).rev() {
        let rows = sweep.live(step).len() * sweep.images;
        if rows == 0 {
            continue;
        }
        arch.dispatch(Gates { back: &mut back, step, dh, gates: gradient.z });
        back.gather(step);
        let (dz, states) = (View::rows(&back.dz, 4 * h), View::rows(&back.read, taps * h));
        let shape = [taps * h, rows, 4 * h];
        product(&mut dweight, 4 * h, shape, states.transposed(), dz, true);
        let weight = View::rows(&weight, taps * h);
        product(&mut back.dread, taps * h, [rows, 4 * h, taps * h], dz, weight, false);
        arch.dispatch(Spread { back: &mut back, step });
    }
    each_weight(sweep, |g, j, tap, at| {
        gradient.weight[at] = dweight[(tap * h + j) * 4 * h + g];
    });
    for (d, sums) in gradient.initial.into_iter().flatten().zip(&back.dinitial) {
        d.fill(0.0);
        for of_image in sums.chunks_exact(h) {
            d.iter_mut().zip(of_image).for_each(|(d, &part)| *d += part);
        }
    }
}

/// Calls [`Back::gates`], compiled for the instruction set. A closure would not be.
struct Gates<'a, 'b> {
    back: &'a mut Back<'b>,
    step: usize,
    dh: &'a [f32],
    gates: &'a mut [f32],
}

impl pulp::WithSimd for Gates<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        self.back.gates(simd, self.step, self.dh, self.gates);
    }
}

/// Calls [`Back::spread`], compiled for the instruction set.
struct Spread<'a, 'b> {
    back: &'a mut Back<'b>,
    step: usize,
}

impl pulp::WithSimd for Spread<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.back.spread(self.step);
    }
}

impl Back<'_> {
    /// Replaces the activated gates of a step by their cotangents, and computes those of the cell states of the
    /// step before.
    #[inline(always)]
    fn gates<S: pulp::Simd>(&mut self, simd: S, step: usize, dh: &[f32], gates: &mut [f32]) {
        let block = self.sweep.block();
        for (i, position) in self.sweep.live(step).enumerate() {
            let cell = self.sweep.cell(self.direction, step, position);
            let narrow = cell * block..(cell + 1) * block;
            let wide = 4 * cell * block..4 * (cell + 1) * block;
            let before = self.before(step, position);
            let c_before = match before {
                Some(cell) => &self.found.c[cell * block..(cell + 1) * block],
                None => &self.initial[1],
            };
            let read = Read {
                activations: &gates[wide.clone()],
                c: &self.found.c[narrow.clone()],
                c_before,
            };
            let place = position * block..(position + 1) * block;
            let (from_cells, dc) = (&self.dh[place.clone()], &mut self.dc[place.clone()]);
            let dz = &mut self.dz[4 * i * block..4 * (i + 1) * block];
            cell::backward(simd, self.sweep.features, &read, [&dh[narrow], from_cells], dc, dz);
            gates[wide].copy_from_slice(dz);
            if before.is_none() {
                let total = self.dinitial[1].iter_mut().zip(&mut *dc);
                total.for_each(|(total, dc)| *total += std::mem::take(dc));
            }
        }
    }

    /// The cell at a position of the previous step; `None` if it is outside the map.
    #[inline(always)]
    fn before(&self, step: usize, position: usize) -> Option<usize> {
        let step = step.checked_sub(1)?;
        let live = self.sweep.live(step).contains(&position);
        live.then(|| self.sweep.cell(self.direction, step, position))
    }

    /// The position that a cell reads through a tap; `None` if there is none.
    #[inline(always)]
    fn position(&self, reader: usize, tap: usize) -> Option<usize> {
        let position = (reader + tap).checked_sub(self.sweep.before)?;
        (position < self.sweep.positions()).then_some(position)
    }

    /// Concatenates the hidden states that each cell of a step reads.
    fn gather(&mut self, step: usize) {
        let (h, taps, block) = (self.sweep.features, self.sweep.taps, self.sweep.block());
        for (i, reader) in self.sweep.live(step).enumerate() {
            for tap in 0..taps {
                let place = i * block * taps..(i + 1) * block * taps;
                let position = self.position(reader, tap);
                let cell = position.and_then(|position| self.before(step, position));
                let to = &mut self.read[place];
                match (cell, position) {
                    (Some(cell), _) => {
                        let from = &self.found.h[cell * block..(cell + 1) * block];
                        scatter(from, h, to, taps * h, tap * h);
                    }
                    (None, Some(_)) => scatter(&self.initial[0], h, to, taps * h, tap * h),
                    (None, None) => {
                        to.chunks_mut(taps * h).for_each(|to| to[tap * h..(tap + 1) * h].fill(0.0));
                    }
                }
            }
        }
    }

    /// Adds the cotangents of the states that were read to those of the cells they were read from.
    #[inline(always)]
    fn spread(&mut self, step: usize) {
        let (h, taps, block) = (self.sweep.features, self.sweep.taps, self.sweep.block());
        self.dh.fill(0.0);
        for (i, reader) in self.sweep.live(step).enumerate() {
            let from = &self.dread[i * block * taps..(i + 1) * block * taps];
            for tap in 0..taps {
                let Some(position) = self.position(reader, tap) else { continue };
                let to = match self.before(step, position) {
                    Some(_) => &mut self.dh[position * block..(position + 1) * block],
                    None => &mut self.dinitial[0][..],
                };
                for (from, to) in from.chunks_exact(taps * h).zip(to.chunks_exact_mut(h)) {
                    let from = &from[tap * h..(tap + 1) * h];
                    to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
                }
            }
        }
    }
}
