//! Stochastic gradient descent with momentum, as in `torch.optim.SGD`.

use pixelrnn_ops::{Add, Scale};

use super::UpdateRule;

/// `b = momentum b + g; w = w - lr b`.
pub static SGD: UpdateRule = UpdateRule {
    name: "sgd",
    about: "stochastic gradient descent with momentum",
    usual_rate: 1e-4,
    settings: &[("momentum", 0.9)],
    slots: &["momentum"],
    counters: &[],
    direction: |update| {
        let factor = update.settings[0];
        let b = update.slot("momentum");
        let kept = update.push(Scale { factor }, &[b], "kept")?;
        let b = update.push(Add, &[kept, update.g], "b")?;
        update.keep("momentum", b);
        Ok(b)
    },
    reference: |entry, slots| {
        slots[0] = entry.settings[0] * slots[0] + entry.g;
        slots[0]
    },
};
