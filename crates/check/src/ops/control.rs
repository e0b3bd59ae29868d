//! Branches and loops. Loops are run step by step.

use super::arrange::{joined, slab};
use crate::binary::truth_of;
use crate::call::{Call, Results};
use crate::elem::Elem;
use crate::error::{Fail, Problem};
use crate::item::Item;
use crate::literal::extents;
use crate::machine::{Body, Scope, tensors};
use crate::model::extent;
use crate::store::{El, Store};
use crate::tensor::{Tensor, axis, size};
use crate::value::Value;

/// `If`: with a known condition one branch runs. Otherwise both run, and each result also depends
/// on the condition.
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
    let (left, right) = (tensors(left)?, tensors(right)?);
    let results = either(call.store(), &[condition], &left, &right)?;
    Ok(results.into_iter().map(Item::Tensor).collect())
}

/// Stacks the results of all steps on a new axis.
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

/// An empty stack, with the shape that the body declares for the result.
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

/// After this many steps, a loop whose end is not known is treated as one whose states depend on
/// everything.
const UNROLLED: f64 = 4096.0;

/// The states that a loop may end with, if its condition is not known.
#[derive(Default)]
struct Ends {
    states: Option<Vec<Tensor>>,
    conditions: Vec<El>,
}

impl Ends {
    /// Records that the loop may end here, with these states.
    fn add(&mut self, store: &mut Store, condition: El, states: &[Item]) -> Result<(), Problem> {
        let states = tensors(states.to_vec())?;
        let states = match self.states.take() {
            None => states,
            Some(before) => either(store, &[], &before, &states)?,
        };
        self.states = Some(states);
        self.conditions.push(condition);
        Ok(())
    }

    /// The final states, given those after the last step.
    fn close(self, store: &mut Store, last: Vec<Item>) -> Result<Vec<Item>, Problem> {
        let Some(states) = self.states else { return Ok(last) };
        let joined = either(store, &self.conditions, &states, &tensors(last)?)?;
        Ok(joined.into_iter().map(Item::Tensor).collect())
    }
}

/// Selects, element by element, from `a` or `b`, depending on conditions that are not known.
fn either(
    store: &mut Store,
    conditions: &[El],
    a: &[Tensor],
    b: &[Tensor],
) -> Result<Vec<Tensor>, Problem> {
    let mut results = Vec::with_capacity(a.len());
    for (a, b) in a.iter().zip(b) {
        if a.shape != b.shape {
            return Err(Problem::Extents(a.shape.clone(), b.shape.clone()));
        }
        let (a, b) = (a.dense(store)?, b.dense(store)?);
        store.spend(a.len())?;
        let mut cells = Vec::with_capacity(a.len());
        for i in 0..a.len() {
            let (x, y) = (a.el(store, i), b.el(store, i));
            let set = store.join(&[conditions, &[x, y]].concat());
            cells.push(store.cell(El::new(set, x.v.hull(y.v))));
        }
        results.push(Tensor::cells(store, a.elem, a.shape.clone(), cells));
    }
    Ok(results)
}

/// A loop with an unknown number of steps: its states depend on everything.
fn endless(call: &mut Call, states: usize, stacks: usize) -> Results {
    if stacks > 0 {
        return Err(Problem::Form(STACKED).into());
    }
    let op_type = call.node.op_type();
    let mut results = Vec::with_capacity(states);
    for i in 0..states {
        let t = call.thin(i + 2)?;
        let store = call.store();
        let all = store.sets.all();
        let set = super::opaque::blurred(store, op_type, all);
        let v = store.settle(t.elem, Value::any_of(t.elem));
        results.push(Tensor::filled(store, t.elem, t.shape, El::new(set, v)).into());
    }
    Ok(results)
}

const STACKED: &str = "stacks the results of a number of steps that depends on values, so that the \
                       shape does; export it with a fixed number of steps";

pub(super) fn repeat(call: &mut Call) -> Results {
    let graph = call.graph("body")?;
    let body = Body::new(call.machine, graph)?;
    let scope = call.scope;
    let states = call.inputs.len().saturating_sub(2);
    let stacks = body.results.len().saturating_sub(1 + states);
    let limit = match call.number(0) {
        Ok(limit) => limit.unwrap_or(f64::INFINITY),
        Err(Problem::NotConstant(_)) => return endless(call, states, stacks),
        Err(other) => return Err(other.into()),
    };
    // A loop without a trip count ends by its condition, or at the time limit.
    let steps = if limit.is_finite() { limit } else { 1.0 };
    let before = call.machine.enter_loop(steps, graph)?;
    let mut carried: Vec<Item> =
        (0..states).map(|i| call.item(i + 2).cloned()).collect::<Result<_, _>>()?;
    let mut condition = call.optional(1)?;
    let mut stacks: Vec<Vec<Tensor>> = vec![Vec::new(); stacks];
    let mut ends = Ends::default();
    let mut step = 0.0;
    while step < limit {
        let goes_on = condition.as_ref().map(|c| c.el(&call.machine.store, 0));
        match goes_on.map(|c| (c, truth_of(c.v))) {
            None | Some((_, Some(true))) => {}
            Some((_, Some(false))) => break,
            Some(_) if !stacks.is_empty() => return Err(Problem::Form(STACKED).into()),
            Some(_) if limit > UNROLLED => {
                call.machine.leave_loop(before);
                return endless(call, states, 0);
            }
            Some((c, None)) => ends.add(call.store(), c, &carried)?,
        }
        let mut results = once(call, &body, step, &mut carried, scope)?.into_iter();
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
    carried = ends.close(call.store(), carried)?;
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

/// One step of a loop: runs the body and returns its results.
fn once<'m>(
    call: &mut Call<'_, 'm>,
    body: &Body<'m>,
    step: f64,
    carried: &mut Vec<Item>,
    scope: &Scope<'m, '_>,
) -> Result<Vec<Item>, Fail> {
    let store = call.store();
    let number = Tensor::known(store, Elem::Int(64), Vec::new(), vec![step]);
    let truth = Tensor::known(store, Elem::Bool, Vec::new(), vec![1.0]);
    let mut inputs = vec![Item::Tensor(number), Item::Tensor(truth)];
    inputs.append(carried);
    call.machine.body(body, inputs, scope)
}

/// A sequence that a scan reads: the tensor, the axis, and whether it is read from the end.
struct Scanned {
    tensor: Tensor,
    along: usize,
    backward: bool,
}

/// The inputs of a scan: initial states, sequences, and the number of steps.
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
