//! Branches and loops, run step by step.

use super::arrange::{joined, slab};
use crate::binary::truth_of;
use crate::call::{Call, Results};
use crate::elem::Elem;
use crate::error::{Fail, Problem};
use crate::item::Item;
use crate::literal::extents;
use crate::machine::{Body, tensors};
use crate::model::extent;
use crate::store::{El, Store};
use crate::tensor::{Tensor, axis, size};

/// With a known condition one branch runs; otherwise both, and each result reads the condition.
pub(super) fn branch(call: &mut Call) -> Results {
    let condition = call.input(0)?;
    let (yes, no) = (call.graph("then_branch")?, call.graph("else_branch")?);
    let scope = call.scope;
    let condition = condition.el(call.store(), 0);
    if let Some(truth) = truth_of(condition.v) {
        let body = Body::new(call.machine, if truth { yes } else { no })?;
        return call.machine.body(&body, [], scope);
    }
    let (yes, no) = (Body::new(call.machine, yes)?, Body::new(call.machine, no)?);
    let left = call.machine.body(&yes, [], scope)?;
    let right = call.machine.body(&no, [], scope)?;
    let store = call.store();
    let mut results = Vec::with_capacity(left.len());
    for (a, b) in tensors(left)?.iter().zip(&tensors(right)?) {
        if a.shape != b.shape {
            return Err(Problem::Extents(a.shape.clone(), b.shape.clone()).into());
        }
        let (a, b) = (a.dense(store)?, b.dense(store)?);
        let mut cells = Vec::with_capacity(a.len());
        for i in 0..a.len() {
            let (x, y) = (a.el(store, i), b.el(store, i));
            let set = store.join(&[condition, x, y]);
            cells.push(store.cell(El::new(set, x.v.hull(y.v))));
        }
        results.push(Tensor::cells(store, a.elem, a.shape.clone(), cells).into());
    }
    Ok(results)
}

/// Results of all steps, one behind the other on a new axis.
fn stacked(
    store: &mut Store,
    steps: &[Tensor],
    along: i64,
    reverse: bool,
) -> Result<Tensor, Problem> {
    let first = steps.first().ok_or(Problem::Form("stacks the results of no step"))?;
    let at = axis(along, first.rank() + 1)?;
    let mut parts = Vec::with_capacity(steps.len());
    for step in steps {
        let mut shape = step.shape.clone();
        shape.insert(at, 1);
        parts.push(step.dense(store)?.reshaped(store, shape)?);
    }
    if reverse {
        parts.reverse();
    }
    joined(store, &parts, at)
}

/// An empty stack, shaped as the body's result declares.
fn nothing(store: &mut Store, body: &Body, result: usize) -> Result<Tensor, Problem> {
    use pixelrnn_onnx::proto::type_proto::Value;
    let info = body.graph.output.get(result).and_then(|o| o.r#type.as_ref()?.value.as_ref());
    let Some(Value::TensorType(ty)) = info else {
        return Err(Problem::Form("stacks the results of no step"));
    };
    let dims = ty.shape.iter().flat_map(|s| &s.dim).map(extent);
    let dims: Option<Vec<i64>> = dims.collect();
    let mut shape = vec![0];
    shape.extend(dims.and_then(|d| extents(&d)).unwrap_or_default());
    size(&shape)?;
    let elem = Elem::from_proto(ty.elem_type()).unwrap_or(Elem::F32);
    Ok(Tensor::known(store, elem, shape, Vec::new()))
}

/// Whether a loop goes on. A condition that is not known is an error: how many steps there are
/// would depend on the image.
fn goes_on(store: &Store, condition: Option<&Tensor>) -> Result<bool, Problem> {
    match condition.map(|c| truth_of(c.el(store, 0).v)) {
        None | Some(Some(true)) => Ok(true),
        Some(Some(false)) => Ok(false),
        Some(None) => Err(Problem::Form(
            "ends when a value that is not constant says so; export it with a fixed number of steps",
        )),
    }
}

pub(super) fn repeat(call: &mut Call) -> Results {
    let graph = call.graph("body")?;
    let body = Body::new(call.machine, graph)?;
    let scope = call.scope;
    let limit = call.number(0)?.unwrap_or(f64::INFINITY);
    // A loop without a limit ends by its condition, or by the clock.
    let steps = if limit.is_finite() { limit } else { 1.0 };
    let before = call.machine.enter_loop(steps, graph)?;
    let states = call.inputs.len().saturating_sub(2);
    let mut carried: Vec<Item> =
        (0..states).map(|i| call.item(i + 2).cloned()).collect::<Result<_, _>>()?;
    let mut condition = call.optional(1)?;
    let stacks = body.results.len().saturating_sub(1 + states);
    let mut stacks: Vec<Vec<Tensor>> = vec![Vec::new(); stacks];
    let mut step = 0.0;
    while step < limit && goes_on(&call.machine.store, condition.as_ref())? {
        let store = call.store();
        let number = Tensor::known(store, Elem::Int(64), Vec::new(), vec![step]);
        let truth = Tensor::known(store, Elem::Bool, Vec::new(), vec![1.0]);
        let mut inputs = vec![Item::Tensor(number), Item::Tensor(truth)];
        inputs.append(&mut carried);
        let mut results = call.machine.body(&body, inputs, scope)?.into_iter();
        condition = match results.next() {
            Some(Item::Tensor(t)) => Some(t),
            _ => return Err(Problem::Form("has a body without a condition").into()),
        };
        carried = results.by_ref().take(states).collect();
        if carried.len() < states {
            return Err(Problem::Form("has a body with too few results").into());
        }
        for (stack, result) in stacks.iter_mut().zip(tensors(results.collect())?) {
            stack.push(result);
        }
        call.store().work(1)?;
        step += 1.0;
    }
    call.machine.leave_loop(before);
    for (i, stack) in stacks.iter().enumerate() {
        let store = call.store();
        let t = match stack.is_empty() {
            true => nothing(store, &body, 1 + states + i)?,
            false => stacked(store, stack, 0, false)?,
        };
        carried.push(t.into());
    }
    Ok(carried)
}

/// What a scan reads step by step: a tensor, the axis, whether from the end.
struct Scanned {
    tensor: Tensor,
    along: usize,
    backward: bool,
}

/// The inputs of a scan: states, sequences, and how many steps there are.
fn scan_inputs(call: &mut Call) -> Result<(Vec<Item>, Vec<Scanned>, usize), Fail> {
    if call.opset() < 9 {
        let text = "has its form from before operator set 9; convert the model to a newer one";
        return Err(Problem::Form(text).into());
    }
    let scanned = usize::try_from(call.int("num_scan_inputs", 0)).unwrap_or(0);
    let states = call.inputs.len().checked_sub(scanned).filter(|_| scanned > 0);
    let states = states.ok_or(Problem::Attribute("num_scan_inputs"))?;
    let carried = (0..states).map(|i| call.input(i).map(Item::Tensor)).collect::<Result<_, _>>()?;
    let mut steps = None;
    let mut plans = Vec::with_capacity(scanned);
    for i in 0..scanned {
        let tensor = call.input(states + i)?;
        let along = axis(flag(call, "scan_input_axes", i), tensor.rank())?;
        let extent = tensor.shape.get(along).copied().unwrap_or(0);
        if *steps.get_or_insert(extent) != extent {
            return Err(Problem::Extents(vec![extent], steps.into_iter().collect()).into());
        }
        let backward = flag(call, "scan_input_directions", i) == 1;
        plans.push(Scanned { tensor, along, backward });
    }
    Ok((carried, plans, steps.unwrap_or(0)))
}

fn flag(call: &Call, name: &str, i: usize) -> i64 {
    call.ints(name).and_then(|l| l.get(i).copied()).unwrap_or(0)
}

pub(super) fn scan(call: &mut Call) -> Results {
    let (mut carried, plans, steps) = scan_inputs(call)?;
    let graph = call.graph("body")?;
    let body = Body::new(call.machine, graph)?;
    let before = call.machine.enter_loop(steps as f64, graph)?;
    let scope = call.scope;
    let states = carried.len();
    let count = body.results.len().checked_sub(states);
    let count = count.ok_or(Problem::Form("has a body with too few results"))?;
    let outputs: Vec<(i64, bool)> = (0..count)
        .map(|i| (flag(call, "scan_output_axes", i), flag(call, "scan_output_directions", i) == 1))
        .collect();
    let mut stacks: Vec<Vec<Tensor>> = vec![Vec::with_capacity(steps); count];
    for step in 0..steps {
        let mut inputs = std::mem::take(&mut carried);
        for plan in &plans {
            let at = if plan.backward { steps - 1 - step } else { step };
            let (shape, map) = slab(&plan.tensor, plan.along, at);
            let store = call.store();
            inputs.push(plan.tensor.rearranged(store, shape, &map, El::known(0.0)).into());
        }
        let mut results = call.machine.body(&body, inputs, scope)?.into_iter();
        carried = results.by_ref().take(states).collect();
        for (stack, result) in stacks.iter_mut().zip(tensors(results.collect())?) {
            stack.push(result);
        }
    }
    call.machine.leave_loop(before);
    for (i, (stack, (along, reverse))) in stacks.iter().zip(outputs).enumerate() {
        let store = call.store();
        let t = match stack.is_empty() {
            true => nothing(store, &body, states + i)?,
            false => stacked(store, stack, along, reverse)?,
        };
        carried.push(t.into());
    }
    Ok(carried)
}
