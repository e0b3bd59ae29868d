//! The initial state of an optimizer.

use pixelrnn_graph::Array;

use crate::bind::Weights;
use crate::training_step::{AVERAGED, Optimizer, state_name};

/// The slot of the EMA of a parameter.
pub const AVERAGE: &str = "ema";

/// The parameters and all states of an optimizer before its first step. Slots are zero, EMAs equal the
/// parameters, counters are one.
pub fn fresh_state(weights: &Weights, optimizer: &Optimizer) -> Weights {
    let mut state = weights.clone();
    for (name, array) in weights {
        for slot in optimizer.slots() {
            let start = match slot {
                AVERAGE => array.clone(),
                _ => Array::zeros(array.raw_dim()),
            };
            state.insert(state_name(name, slot), start);
        }
    }
    for counter in optimizer.counters() {
        state.insert(counter.to_string(), Array::ones(vec![1]));
    }
    state
}

/// Adds the number of steps of the EMA to a state that was saved by a version without it. `step` is the
/// number of steps that the state has seen.
pub fn complete_state(state: &mut Weights, optimizer: &Optimizer, step: u64) {
    if optimizer.ema.is_some() {
        let steps = || Array::from_elem(vec![1], (step + 1) as f32);
        state.entry(AVERAGED.to_string()).or_insert_with(steps);
    }
}
