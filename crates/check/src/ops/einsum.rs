//! `Einsum`, as a batched matrix product.

use super::product::multiply;
use crate::call::{Call, Results, one};
use crate::error::Problem;
use crate::store::Store;
use crate::tensor::Tensor;

/// An operand, with a letter for each axis.
struct Named {
    tensor: Tensor,
    axes: Vec<char>,
}

/// `Einsum` with one or two operands and without an ellipsis, which is what exporters write.
pub(crate) fn einsum(call: &mut Call) -> Results {
    let text: String =
        call.text("equation").unwrap_or("").chars().filter(|c| !c.is_whitespace()).collect();
    let form = Problem::Form("has an equation that this analysis cannot read");
    let (inputs, output) = match text.split_once("->") {
        Some((i, o)) => (i.to_string(), o.chars().collect::<Vec<char>>()),
        None => {
            let single = |c: &char| text.chars().filter(|d| d == c).count() == 1;
            let mut o: Vec<char> = text.chars().filter(|c| *c != ',').filter(single).collect();
            o.sort_unstable();
            (text, o)
        }
    };
    let mut operands = Vec::new();
    for (i, axes) in inputs.split(',').enumerate() {
        let tensor = call.input(i)?;
        let axes: Vec<char> = axes.chars().collect();
        let distinct =
            (1..axes.len()).all(|k| !axes.iter().take(k).any(|c| axes.get(k) == Some(c)));
        if axes.len() != tensor.rank() || !axes.iter().all(char::is_ascii_alphabetic) || !distinct {
            return Err(form.into());
        }
        operands.push(Named { tensor, axes });
    }
    let store = call.store();
    let mut operands = operands.into_iter();
    let first = operands.next().ok_or(Problem::Missing(0))?;
    let (second, third) = (operands.next(), operands.next());
    if third.is_some() {
        return Err(form.into());
    }
    let elem = first.tensor.elem;
    let second = match second {
        Some(second) => second,
        None => {
            Named { tensor: Tensor::known(store, elem, Vec::new(), vec![1.0]), axes: Vec::new() }
        }
    };
    let has = |n: &Named, c: &char| n.axes.contains(c);
    let kept = |c: &char| output.contains(c);
    let pick = |f: &dyn Fn(&char) -> bool, list: &[char]| -> Vec<char> {
        list.iter().copied().filter(|c| f(c)).collect()
    };
    let batch = pick(&|c| has(&second, c) && kept(c), &first.axes);
    let rows = pick(&|c| !has(&second, c) && kept(c), &first.axes);
    let columns = pick(&|c| !has(&first, c) && kept(c), &second.axes);
    let mut inner = pick(&|c| !kept(c), &first.axes);
    inner.extend(pick(&|c| !kept(c) && !has(&first, c), &second.axes));
    let extent = |c: &char| -> usize {
        let of = |n: &Named| Some(*n.tensor.shape.get(n.axes.iter().position(|d| d == c)?)?);
        of(&first).into_iter().chain(of(&second)).max().unwrap_or(1)
    };
    let product = |list: &[char]| list.iter().map(extent).collect::<Vec<_>>();
    // Arranges an operand's axes in the order of the groups. It is repeated along axes that it
    // lacks.
    let lay = |store: &mut Store, n: &Named, groups: [&[char]; 3]| -> Result<Tensor, Problem> {
        let order: Vec<char> = groups.concat();
        let present: Vec<usize> =
            order.iter().filter_map(|c| n.axes.iter().position(|d| d == c)).collect();
        let t = n.tensor.transposed(store, &present)?;
        let mut sizes = t.shape.iter().copied();
        let thin: Vec<usize> =
            order.iter().map(|c| if has(n, c) { sizes.next().unwrap_or(1) } else { 1 }).collect();
        let t = t.reshaped(store, thin)?.broadcast(&product(&order))?;
        t.reshaped(store, groups.iter().map(|g| product(g).iter().product()).collect())
    };
    let a = lay(store, &first, [&batch, &rows, &inner])?;
    let b = lay(store, &second, [&batch, &inner, &columns])?;
    let y = multiply(call.machine, &a, &b, elem)?;
    let order = [&batch[..], &rows[..], &columns[..]].concat();
    let y = y.reshaped(call.store(), product(&order))?;
    let perm: Option<Vec<usize>> =
        output.iter().map(|c| order.iter().position(|d| d == c)).collect();
    one(y.transposed(call.store(), &perm.ok_or(form)?)?)
}
