//! The right direction of diagonal recurrences: a sweep over a row, once the row is complete.
//!
//! The sweeps of several layers do not read each other: the result of each is moved down a row, so only later
//! rows read it. So sweeps with the same number of features run as the directions of one loop, which takes no
//! more steps than one sweep.

use pixelrnn_graph::Value;

use super::{PreludeValue, RowValue, StreamError, Streaming};
use crate::op::{Concat, Expansion, Fill, MergeAxes, Pad, Recurrence, Skew, Slice, Unskew, recur};

/// The sweep of one layer, from right to left.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The layer.
    pub name: String,
    /// The size of the hidden state h.
    pub features: usize,
    /// The gates' contributions from the input and from the row above, `[W, N, 4 h]`.
    pub gates: RowValue,
    /// The state-to-state weight, `[4 h, h, 1]`.
    pub weight: PreludeValue,
    /// h and c at the right edge, each `[h]`; zero if `None`.
    pub initial: Option<[PreludeValue; 2]>,
    /// The index of the cache that receives h, `[W, N, h]`.
    pub cache: usize,
}

impl Streaming {
    /// Adds all requested sweeps to the body for a row.
    ///
    /// # Errors
    /// [`StreamError::Build`] if the shapes of a sweep do not fit.
    pub fn run_sweeps(&mut self) -> Result<(), StreamError> {
        let mut left = std::mem::take(&mut self.sweeps);
        while let Some(first) = left.first() {
            let alike = |s: &Sweep| {
                s.features == first.features && s.initial.is_some() == first.initial.is_some()
            };
            let (together, rest): (Vec<Sweep>, Vec<Sweep>) = left.iter().cloned().partition(alike);
            left = rest;
            self.run_together(&together)?;
        }
        Ok(())
    }

    fn run_together(&mut self, sweeps: &[Sweep]) -> Result<(), StreamError> {
        let name = match sweeps {
            [one] => one.name.clone(),
            [first, .., last] => format!("{}..{}", first.name, last.name),
            [] => return Ok(()),
        };
        let features = sweeps[0].features;
        self.visit(&name, self.site(), &[]);
        let mut gates = Vec::new();
        let mut weights = Vec::new();
        let mut initial: [Vec<PreludeValue>; 2] = [Vec::new(), Vec::new()];
        for sweep in sweeps {
            let z = self.row_lead(sweep.gates, "right_gates")?;
            gates.push(self.row_lead(z, "right_gates")?);
            weights.push(self.prelude_lead(sweep.weight, "right_state_weight")?);
            for (all, i) in initial.iter_mut().zip([0, 1]) {
                let mut v = match sweep.initial {
                    Some(given) => given[i],
                    None => {
                        let value = pixelrnn_graph::Array::zeros(vec![features]);
                        self.prelude(crate::op::Constant { value }, &[], "zero")?
                    }
                };
                for _ in 0..3 {
                    v = self.prelude_lead(v, "right_initial")?;
                }
                all.push(v);
            }
        }
        let weight = self.prelude_concat(&weights, 0, "right_state_weights")?;
        let [h, c] = &initial;
        let h = self.prelude_concat(h, 0, "right_h0")?;
        let c = self.prelude_concat(c, 0, "right_c0")?;
        let (weight, h, c) = (
            self.in_row(weight, "right_state_weights"),
            self.in_row(h, "right_h0"),
            self.in_row(c, "right_c0"),
        );
        let gates = match gates[..] {
            [one] => one,
            _ => self.row(Concat { axis: 0 }, &gates, "right_gates")?,
        };
        // For a map of one row, skewing only mirrors it and moves the axis of steps to the front.
        let mirror = vec![true; sweeps.len()];
        let skew = Skew { mirror: mirror.clone(), fill: Fill::Corner };
        let gates = self.row(skew, &[gates], "right_skew")?;
        // One more step, which holds no pixel and so leaves the initial states. tract does not reset the
        // states of an inner loop when the outer loop moves on.
        let gates = self.row(Pad { axis: 0, before: 0, after: 1 }, &[gates], "right_steps")?;
        let width = self.width;
        let live = |i: ndarray::IxDyn| if i[0] < width { 1.0 } else { 0.0 };
        let live = pixelrnn_graph::Array::from_shape_fn(vec![width + 1, 1, 1, 1, 1], live);
        let initial: [Value; 2] = [h.0, c.0];
        let recurrence = Recurrence {
            weight: weight.0,
            before: 0,
            gates: gates.0,
            initial,
            learned: sweeps[0].initial.is_some(),
            live: Some(live),
        };
        let site = self.site();
        let mut cx = Expansion { graph: &mut self.row, name: &name, site };
        let stacked = RowValue(recur(&mut cx, recurrence)?);
        let steps = Slice { axis: 0, start: 0, length: width };
        let stacked = self.row(steps, &[stacked], "right_h")?;
        let unskew = Unskew { mirror, width };
        let all = self.row(unskew, &[stacked], "right_unskew")?;
        for (i, sweep) in sweeps.iter().enumerate() {
            let mut h = all;
            if sweeps.len() > 1 {
                h = self.row(Slice { axis: 0, start: i, length: 1 }, &[h], "right_h")?;
            }
            for _ in 0..2 {
                h = self.row(MergeAxes { axis: 0 }, &[h], "right_h")?;
            }
            self.caches[sweep.cache].next = Some(h);
        }
        Ok(())
    }
}
