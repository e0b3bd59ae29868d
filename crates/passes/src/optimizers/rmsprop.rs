//! RMSProp (Tieleman and Hinton 2012), as in `torch.optim.RMSprop`. The PixelRNN paper uses it.

use super::UpdateRule;

/// `v = alpha v + (1 - alpha) g g; w = w - lr g / (sqrt(v) + epsilon)`.
pub static RMSPROP: UpdateRule = UpdateRule {
    name: "rmsprop",
    about: "RMSProp, as in the paper",
    usual_rate: 1e-3,
    settings: &[("alpha", 0.99), ("epsilon", 1e-8)],
    slots: &["square"],
    counters: &[],
    direction: |update| {
        let [alpha, epsilon] = [0, 1].map(|i| update.settings[i]);
        let v = update.slot("square");
        let v = update.square(alpha, v)?;
        update.keep("square", v);
        update.quotient(update.g, v, epsilon)
    },
    reference: |entry, slots| {
        let (alpha, epsilon) = (entry.settings[0], entry.settings[1]);
        slots[0] = alpha * slots[0] + (1.0 - alpha) * entry.g * entry.g;
        entry.g / (slots[0].sqrt() + epsilon)
    },
};
