//! Branches and loops, run step by step.

use super::super::call::{Call, Results};
use super::super::error::Problem;
use super::super::literal::extents;
use super::super::machine::Body;
use super::super::store::El;
use super::super::tensor::{Kind, Tensor, axis, size};
use super::arrange::{joined, slab};

/// Steps of one loop.
const MAX_STEPS: f64 = 1e6;

/// With a known condition one branch runs; otherwise both, and each result reads the condition.
pub(super) fn branch(call: &mut Call) -> Results {
    let condition = call.input(0)?;
    let (yes, no) = (call.graph("then_branch")?, call.graph("else_branch")?);
    let scope = call.scope;
    let set = match condition.el(&call.machine.store, 0) {
        El::Known(x) => {
            let body = Body::new(if x != 0.0 { yes } else { no })?;
            return call.machine.body(&body, [], scope);
        }
        El::Set(id) => id,
    };
    let (yes, no) = (Body::new(yes)?, Body::new(no)?);
    let left = call.machine.body(&yes, [], scope)?;
    let right = call.machine.body(&no, [], scope)?;
    let store = call.store();
    let mut results = Vec::with_capacity(left.len());
    for (a, b) in left.iter().zip(&right) {
        if a.shape != b.shape {
            return Err(Problem::Extents(a.shape.clone(), b.shape.clone()).into());
        }
        let mut cells = Vec::with_capacity(a.len());
        for i in 0..a.len() {
            store.begin();
            store.add(set);
            for el in [a.el(store, i), b.el(store, i)] {
                if let El::Set(id) = el {
                    store.add(id);
                }
            }
            let id = store.end();
            cells.push(store.cell(El::Set(id)));
        }
        results.push(Tensor::cells(store, a.kind, a.shape.clone(), cells));
    }
    Ok(results)
}

/// Results of all steps, one behind the other on a new axis.
fn stacked(
    call: &mut Call,
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
        parts.push(step.reshaped(shape)?);
    }
    if reverse {
        parts.reverse();
    }
    joined(call.store(), &parts, at)
}

/// An empty stack, shaped as the body's result declares.
fn nothing(body: &Body, result: usize) -> Result<Tensor, Problem> {
    use pixelrnn_onnx::proto::type_proto::Value;
    let info = body.graph.output.get(result).and_then(|o| o.r#type.as_ref()?.value.as_ref());
    let Some(Value::TensorType(ty)) = info else {
        return Err(Problem::Form("stacks the results of no step"));
    };
    let dims = ty.shape.iter().flat_map(|s| &s.dim).map(super::super::model::extent);
    let dims: Option<Vec<i64>> = dims.collect();
    let mut shape = vec![0];
    shape.extend(dims.and_then(|d| extents(&d)).unwrap_or_default());
    size(&shape)?;
    Ok(Tensor::known(Kind::Float, shape, Vec::new()))
}

pub(super) fn repeat(call: &mut Call) -> Results {
    let body = Body::new(call.graph("body")?)?;
    let scope = call.scope;
    let limit = call.number(0)?.unwrap_or(f64::INFINITY);
    let states = call.inputs.len().saturating_sub(2);
    let mut carried: Vec<Tensor> =
        (0..states).map(|i| call.input(i + 2)).collect::<Result<_, _>>()?;
    let mut condition = call.optional(1);
    let stacks = body.results.len().saturating_sub(1 + states);
    let mut stacks: Vec<Vec<Tensor>> = vec![Vec::new(); stacks];
    let mut step = 0.0;
    while step < limit {
        if let Some(c) = &condition {
            match c.el(&call.machine.store, 0) {
                El::Known(0.0) => break,
                El::Known(_) => {}
                El::Set(_) => {
                    return Err(
                        Problem::Form("ends when a value that is not constant says so").into()
                    );
                }
            }
        }
        if step > MAX_STEPS {
            return Err(Problem::TooLarge(super::super::error::Resource::Work).into());
        }
        let mut inputs = vec![
            Tensor::known(Kind::Int, Vec::new(), vec![step]),
            Tensor::known(Kind::Bool, Vec::new(), vec![1.0]),
        ];
        inputs.append(&mut carried);
        let mut results = call.machine.body(&body, inputs, scope)?.into_iter();
        condition = results.next();
        carried = results.by_ref().take(states).collect();
        if carried.len() < states {
            return Err(Problem::Form("has a body with too few results").into());
        }
        for (stack, result) in stacks.iter_mut().zip(results) {
            stack.push(result);
        }
        call.store().spend(1)?;
        step += 1.0;
    }
    for (i, stack) in stacks.iter().enumerate() {
        carried.push(match stack.is_empty() {
            true => nothing(&body, 1 + states + i)?,
            false => stacked(call, stack, 0, false)?,
        });
    }
    Ok(carried)
}

pub(super) fn scan(call: &mut Call) -> Results {
    if call.opset() < 9 {
        return Err(Problem::Form("has its form from before operator set 9").into());
    }
    let body = Body::new(call.graph("body")?)?;
    let scope = call.scope;
    let scanned = usize::try_from(call.int("num_scan_inputs", 0)).unwrap_or(0);
    let states = call.inputs.len().checked_sub(scanned).filter(|_| scanned > 0);
    let states = states.ok_or(Problem::Attribute("num_scan_inputs"))?;
    let inputs: Vec<Tensor> =
        (0..call.inputs.len()).map(|i| call.input(i)).collect::<Result<_, _>>()?;
    let (carried, sequences) = inputs.split_at(states);
    let mut carried = carried.to_vec();
    let flag = |name, i: usize| call.ints(name).and_then(|l| l.get(i).copied()).unwrap_or(0);
    let mut steps = None;
    let mut plans = Vec::with_capacity(scanned);
    for (i, t) in sequences.iter().enumerate() {
        let along = axis(flag("scan_input_axes", i), t.rank())?;
        let extent = t.shape.get(along).copied().unwrap_or(0);
        if *steps.get_or_insert(extent) != extent {
            return Err(Problem::Extents(vec![extent], steps.into_iter().collect()).into());
        }
        plans.push((t, along, flag("scan_input_directions", i) == 1));
    }
    let steps = steps.unwrap_or(0);
    let count = body.results.len().checked_sub(states);
    let count = count.ok_or(Problem::Form("has a body with too few results"))?;
    let outputs: Vec<(i64, bool)> = (0..count)
        .map(|i| (flag("scan_output_axes", i), flag("scan_output_directions", i) == 1))
        .collect();
    let mut stacks: Vec<Vec<Tensor>> = vec![Vec::with_capacity(steps); count];
    for step in 0..steps {
        let mut inputs = std::mem::take(&mut carried);
        for &(t, along, backward) in &plans {
            let at = if backward { steps - 1 - step } else { step };
            let (shape, map) = slab(t, along, at);
            inputs.push(t.rearranged(&mut call.machine.store, shape, &map, El::Known(0.0)));
        }
        let mut results = call.machine.body(&body, inputs, scope)?.into_iter();
        carried = results.by_ref().take(states).collect();
        for (stack, result) in stacks.iter_mut().zip(results) {
            stack.push(result);
        }
    }
    for (i, (stack, (along, reverse))) in stacks.iter().zip(outputs).enumerate() {
        carried.push(match stack.is_empty() {
            true => nothing(&body, states + i)?,
            false => stacked(call, stack, along, reverse)?,
        });
    }
    Ok(carried)
}
