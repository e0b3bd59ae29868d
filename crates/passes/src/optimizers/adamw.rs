//! Adam with decoupled weight decay (Loshchilov and Hutter 2019), as in `torch.optim.AdamW`.

use pixelrnn_ops::{Add, Scale};

use super::{ADAM, UpdateRule, adam};

/// Adam's direction plus `weight_decay w`, for every parameter, including biases.
pub static ADAMW: UpdateRule = UpdateRule {
    name: "adamw",
    about: "Adam with decoupled weight decay",
    usual_rate: 1e-3,
    settings: &[("beta1", 0.9), ("beta2", 0.999), ("epsilon", 1e-8), ("weight_decay", 0.01)],
    slots: ADAM.slots,
    counters: ADAM.counters,
    direction: |update| {
        let direction = adam::direction(update)?;
        let factor = update.settings[3];
        let decay = update.push(Scale { factor }, &[update.w], "decay")?;
        update.push(Add, &[direction, decay], "decayed")
    },
    reference: |entry, slots| adam::reference(entry, slots) + entry.settings[3] * entry.w,
};
