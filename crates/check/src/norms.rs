//! Bounds on the Euclidean norm of whole tensors, for deep networks.
//!
//! In a deep residual network, bounds of single elements grow by a factor of hundreds per block.
//! They exceed the largest float although no image leads to such values. The Euclidean norm of the
//! whole tensor grows far more slowly: a layer multiplies it by at most the spectral norm of its
//! weights. So where the bounds of elements are large, norms are tracked, too: no element is larger
//! than the norm of its tensor.

use pixelrnn_onnx::proto::NodeProto;

use crate::elem::Elem;
use crate::error::Problem;
use crate::item::Item;
use crate::ops::map;
use crate::store::Store;
use crate::tensor::{Data, Tensor};
use crate::value::Value;

/// Norms are tracked where the bounds of elements exceed this.
const LARGE: f64 = 1e12;
/// An allowance for rounding errors, enough for sums of several thousand `f32`s.
const SLACK: f64 = 1.01;

/// Computes the norms of the results of a node, and tightens their bounds to the norms.
///
/// # Errors
/// [`Problem::TooLarge`] if memory or time runs out.
pub(crate) fn follow(
    store: &mut Store,
    node: &NodeProto,
    inputs: &[Option<Tensor>],
    results: Vec<Item>,
) -> Result<Vec<Item>, Problem> {
    let one = |store: &mut Store, item: Item| -> Result<Item, Problem> {
        let Item::Tensor(t) = item else { return Ok(item) };
        if !matches!(t.elem, Elem::F32 | Elem::F64) || matches!(t.data, Data::Known(_)) {
            return Ok(Item::Tensor(t));
        }
        let size = t.hull(store).magnitude();
        if size <= LARGE {
            return Ok(Item::Tensor(t));
        }
        let Some(norm) = norm(store, node, inputs, &t)?.filter(|n| *n < t.elem.max() / 2.0) else {
            return Ok(Item::Tensor(t));
        };
        let clamp = |v: Value| Value { lo: v.lo.max(-norm), hi: v.hi.min(norm), nan: false, ..v };
        let y = if size > norm { map(store, &t, t.elem, &clamp)? } else { t.clone() };
        Ok(Item::Tensor(Tensor { norm, ticket: t.ticket, relation: t.relation, ..y }))
    };
    results.into_iter().map(|item| one(store, item)).collect()
}

/// The norm of a tensor, if its bounds are finite.
fn own(store: &Store, t: &Tensor) -> Option<f64> {
    let hull = t.hull(store);
    let plain = hull.magnitude() * (t.len() as f64).sqrt();
    Some(plain.min(t.norm)).filter(|n| n.is_finite() && hull.is_finite())
}

/// The norm of a result; `None` if there is no rule for the operator, or an input is not finite.
fn norm(
    store: &mut Store,
    node: &NodeProto,
    inputs: &[Option<Tensor>],
    result: &Tensor,
) -> Result<Option<f64>, Problem> {
    let input = |i: usize| inputs.get(i).and_then(Option::as_ref);
    let Some(x) = input(0) else { return Ok(None) };
    let Some(first) = own(store, x) else { return Ok(None) };
    Ok(match node.op_type() {
        "Relu" | "LeakyRelu" | "Abs" | "Neg" | "Identity" | "Reshape" | "Transpose" | "Slice"
        | "Flatten" | "Squeeze" | "Unsqueeze" | "Elu" | "Split" => Some(first)
            .filter(|_| node.attribute.iter().all(|a| a.name() != "alpha" || a.f().abs() <= 1.0)),
        // In training, it enlarges what it keeps.
        "Dropout" => Some(first).filter(|_| input(2).is_none_or(|t| t.hull(store).is_zero())),
        "Pad" if result.len() <= x.len() * 16 => {
            let plain = node.attribute.iter().all(|a| a.name() != "mode" || a.s() == b"constant");
            let zero = input(2).is_none_or(|v| v.hull(store).is_zero());
            // As an attribute in older versions.
            let zero = zero && node.attribute.iter().all(|a| a.name() != "value" || a.f() == 0.0);
            Some(first).filter(|_| plain && zero)
        }
        "Add" | "Sub" | "Sum" => {
            let mut total = 0.0;
            for t in inputs.iter().flatten() {
                let Some(n) = own(store, t) else { return Ok(None) };
                total += n * (result.len() as f64 / t.len().max(1) as f64).sqrt();
            }
            Some(total * SLACK)
        }
        "Concat" => {
            let mut total = 0.0;
            for t in inputs.iter().flatten() {
                let Some(n) = own(store, t) else { return Ok(None) };
                total += n * n;
            }
            Some(total.sqrt() * SLACK)
        }
        "Mul" => {
            let Some(y) = input(1) else { return Ok(None) };
            let Some(second) = own(store, y) else { return Ok(None) };
            let (a, b) = (x.hull(store).magnitude(), y.hull(store).magnitude());
            let wide = |t: &Tensor| (result.len() as f64 / t.len().max(1) as f64).sqrt();
            Some((first * wide(x) * b).min(second * wide(y) * a) * SLACK)
        }
        "Conv" | "MatMul" | "Gemm" => {
            let Some(w) = input(1) else { return Ok(None) };
            let Some(gain) = gain(store, node, w)? else { return Ok(None) };
            let bias = match input(2) {
                None => 0.0,
                Some(b) => {
                    let Some(n) = own(store, b) else { return Ok(None) };
                    n * (result.len() as f64 / b.len().max(1) as f64).sqrt()
                }
            };
            Some((first * gain + bias) * SLACK)
        }
        _ => None,
    })
}

/// The factor by which a layer can multiply the norm; `None` if it is not known.
fn gain(store: &mut Store, node: &NodeProto, w: &Tensor) -> Result<Option<f64>, Problem> {
    let Data::Known(values) = &w.data else { return Ok(None) };
    if !w.is_dense() || w.rank() < 2 {
        return Ok(None);
    }
    let values = &values.list;
    let conv = node.op_type() == "Conv";
    let number = |name: &str| node.attribute.iter().find(|a| a.name() == name);
    if number("alpha").is_some_and(|a| a.f() != 1.0)
        || number("beta").is_some_and(|a| a.f() != 1.0)
        || number("group").is_some_and(|a| a.i() != 1)
        || number("transA").is_some_and(|a| a.i() != 0)
    {
        return Ok(None);
    }
    let (rows, columns) = match w.shape[..] {
        [rows, ..] if conv => (rows, values.len().checked_div(rows).unwrap_or(0)),
        [rows, columns] => (rows, columns),
        _ => return Ok(None),
    };
    // Each input position is read by at most as many windows as the kernel has taps with a nonzero
    // weight.
    let taps = if conv { live_taps(values, &w.shape) } else { 1 };
    let Some(norm) = spectral(store, values, rows, columns)? else { return Ok(None) };
    Ok(Some(norm * (taps as f64).sqrt()))
}

/// The number of taps of a kernel that have a nonzero weight.
fn live_taps(values: &[f64], shape: &[usize]) -> usize {
    let taps: usize = shape.iter().skip(2).product();
    let live = |t: usize| values.iter().skip(t).step_by(taps.max(1)).any(|&x| x != 0.0);
    (0..taps).filter(|&t| live(t)).count()
}

/// An upper bound on the largest singular value, from the norm of a power of `W W^T`.
fn spectral(
    store: &mut Store,
    w: &[f64],
    rows: usize,
    columns: usize,
) -> Result<Option<f64>, Problem> {
    let (m, n) = (rows.min(columns), rows.max(columns));
    if m == 0 || m > 1024 || m * m * (n + 3 * m) > 1 << 31 {
        // The Frobenius norm is an upper bound, too.
        return Ok(Some(w.iter().map(|x| x * x).sum::<f64>().sqrt()).filter(|n| n.is_finite()));
    }
    store.work(m * m * (n + 3 * m) / 8)?;
    let at = |i: usize, k: usize| {
        let index = if rows <= columns { i * columns + k } else { k * columns + i };
        w.get(index).copied().unwrap_or(0.0)
    };
    let turned: Vec<f64> = (0..m).flat_map(|i| (0..n).map(move |k| at(i, k))).collect();
    let mut g = gram(&turned, m, n);
    let (mut scale, mut power) = (0.0, 1.0);
    for _ in 0..3 {
        let size = g.iter().map(|x| x * x).sum::<f64>().sqrt();
        if size == 0.0 {
            return Ok(Some(0.0));
        }
        // Normalize, so that powers neither overflow nor underflow.
        g.iter_mut().for_each(|x| *x /= size);
        scale += size.ln() / power;
        // `g` is symmetric: the products of its rows are its square.
        g = gram(&g, m, m);
        power *= 2.0;
    }
    let size = g.iter().map(|x| x * x).sum::<f64>().sqrt();
    let log = scale + size.max(f64::MIN_POSITIVE).ln() / power;
    Ok(Some((log / 2.0).exp() * 1.000_001).filter(|n| n.is_finite()))
}

/// The Gram matrix: dot products of all pairs of rows.
fn gram(a: &[f64], rows: usize, width: usize) -> Vec<f64> {
    let row = |i: usize| a.get(i * width..(i + 1) * width).unwrap_or(&[]);
    let mut g = vec![0.0; rows * rows];
    for i in 0..rows {
        for j in 0..=i {
            let dot: f64 = row(i).iter().zip(row(j)).map(|(x, y)| x * y).sum();
            for at in [i * rows + j, j * rows + i] {
                if let Some(slot) = g.get_mut(at) {
                    *slot = dot;
                }
            }
        }
    }
    g
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::store::Assume;

    #[test]
    fn spectral_norms_are_bounds_and_close() {
        let budget = Budget::new(1 << 30, std::time::Duration::from_secs(60));
        let mut store = Store::new(1, budget, Assume::NOTHING);
        // A diagonal matrix, and a rotation by 45 degrees with a zero row below.
        let d = [3.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0];
        let n = spectral(&mut store, &d, 3, 3).expect("fits").expect("finite");
        assert!((3.0..3.1).contains(&n), "{n}");
        let r = [0.5f64.sqrt(), 0.5f64.sqrt(), -(0.5f64.sqrt()), 0.5f64.sqrt(), 0.0, 0.0];
        let n = spectral(&mut store, &r, 3, 2).expect("fits").expect("finite");
        assert!((1.0..1.1).contains(&n), "{n}");
        assert_eq!(spectral(&mut store, &[0.0; 4], 2, 2), Ok(Some(0.0)));
    }
}
