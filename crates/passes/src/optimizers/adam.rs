//! Adam (Kingma and Ba 2015), as in `torch.optim.Adam`.

use pixelrnn_graph::{BuildError, Value};

use super::{Entry, Update, UpdateRule};

/// Running means of the gradient and of its square, each corrected for its start at zero:
/// `w = w - lr m_hat / (sqrt(v_hat) + epsilon)`.
pub static ADAM: UpdateRule = UpdateRule {
    name: "adam",
    about: "Adam, with bias correction",
    usual_rate: 1e-3,
    settings: &[("beta1", 0.9), ("beta2", 0.999), ("epsilon", 1e-8)],
    slots: &["mean", "square"],
    counters: &[("beta1_power", 0), ("beta2_power", 1)],
    direction,
    reference,
};

/// Builds Adam's direction, from settings and slots in the order of [`ADAM`].
pub(super) fn direction(update: &mut Update<'_>) -> Result<Value, BuildError> {
    let [beta1, beta2, epsilon] = [0, 1, 2].map(|i| update.settings[i]);
    let (m, v) = (update.slot("mean"), update.slot("square"));
    let m = update.blend(beta1, m, update.g, "m")?;
    let v = update.square(beta2, v)?;
    update.keep("mean", m);
    update.keep("square", v);
    let m = update.corrected(m, 0, "m_hat")?;
    let v = update.corrected(v, 1, "v_hat")?;
    update.quotient(m, v, epsilon)
}

/// Computes Adam's direction for one number.
pub(super) fn reference(entry: &Entry<'_>, slots: &mut [f64]) -> f64 {
    let [beta1, beta2, epsilon] = [0, 1, 2].map(|i| entry.settings[i]);
    slots[0] = beta1 * slots[0] + (1.0 - beta1) * entry.g;
    slots[1] = beta2 * slots[1] + (1.0 - beta2) * entry.g * entry.g;
    let m = slots[0] / (1.0 - entry.counters[0]);
    let v = slots[1] / (1.0 - entry.counters[1]);
    m / (v.sqrt() + epsilon)
}
