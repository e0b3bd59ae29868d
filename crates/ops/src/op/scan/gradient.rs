//! Builds the gradient of a loop from its body: a loop that runs in the opposite direction.
//!
//! The gradient of the body is added to a copy of the body, and then the part that computes the gradient is
//! extracted. Where it reads values of the forward body, it gets slices of what the forward loop stacked (see
//! [`Scan::saving`]), so nothing is computed twice. The gradient of an invariant is a sum over the steps. If
//! it is a contraction (a weight gradient), its operands are stacked and contracted once, after the loop;
//! otherwise it is accumulated in a state.

use std::collections::BTreeMap;

use pixelrnn_graph::{Origin, Role};

use super::Scan;
use crate::op::{Add, Broadcast, Constant, Scale, StateConvWeightGradient};
use crate::rules::adjoint::{pull_back, wanted_from};
use crate::rules::prelude::*;

impl Scan {
    /// The same loop, which also stacks its states before each step and every value of its body. Loops inside
    /// it do the same. The pass `cse_dce` removes the stacks that are not read.
    ///
    /// # Errors
    /// [`BuildError`] if the body is not a valid graph.
    pub fn saving(&self) -> Result<Scan, BuildError> {
        let mut body = PixelGraph::new(self.body.name.clone());
        let mut map: BTreeMap<Value, Value> = BTreeMap::new();
        for input in self.body.inputs() {
            let ty = self.body.ty(input.value).clone();
            map.insert(input.value, body.input(input.name.clone(), ty, input.role));
        }
        let states: Vec<Value> =
            body.inputs()[..self.states].iter().map(|input| input.value).collect();
        let mut saved = states;
        for (id, node) in self.body.nodes() {
            let op = match &node.op {
                Op::Scan(scan) => scan.saving()?.into(),
                other => other.clone(),
            };
            let inputs: Vec<Value> = node
                .inputs
                .iter()
                .map(|v| find(&map, *v, || BuildError::unmapped(&self.body, Some(id), *v)))
                .collect::<Result<_, _>>()?;
            let results = body.push(op, &inputs, &node.name, self.body.site(id))?;
            if !matches!(node.op, Op::Constant(_)) {
                saved.extend(&results);
            }
            // A saving loop has more results, added after the old ones.
            map.extend(node.outputs.iter().copied().zip(results));
        }
        for out in self.body.outputs() {
            let value =
                find(&map, out.value, || BuildError::unmapped(&self.body, None, out.value))?;
            body.output(out.name.clone(), value);
        }
        for value in saved {
            body.output(format!("saved_{}", value.index()), value);
        }
        Ok(Scan { body: Box::new(body), ..self.clone() })
    }
}

/// Looks up a value in a map.
fn find(
    map: &BTreeMap<Value, Value>,
    v: Value,
    missing: impl Fn() -> BuildError,
) -> Result<Value, BuildError> {
    map.get(&v).copied().ok_or_else(missing)
}

/// The reverse loop under construction, extracted from the copy of the body.
struct Reverse<'a> {
    scan: &'a Scan,
    /// The copy of the body, followed by its gradient.
    work: PixelGraph,
    /// For each value of the body that is stacked, the outer value that holds the stack.
    stacks: BTreeMap<Value, Value>,
    /// The outer values of the body's inputs.
    actual: &'a [Value],
    body: PixelGraph,
    map: BTreeMap<Value, Value>,
    invariants: Vec<(Value, Value)>,
    scanned: Vec<(Value, Value)>,
}

pub(super) fn gradient(scan: &Scan, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
    let carried = scan.carried();
    let mut work = (*scan.body).clone();
    let formals: Vec<Value> = work.inputs().iter().map(|i| i.value).collect();
    let forward: Vec<_> = work.nodes().map(|(id, _)| id).collect();
    let results: Vec<Value> = work.outputs().iter().map(|o| o.value).collect();

    // The outer value that holds the stack of each value of the body.
    let mut stacks = BTreeMap::new();
    for (&value, &stack) in results.iter().zip(cx.outputs).skip(scan.states) {
        stacks.entry(value).or_insert(stack);
    }
    for (&formal, &actual) in formals.iter().zip(cx.inputs).skip(carried) {
        stacks.insert(formal, actual);
    }

    // Seeds: for each state, a state of the reverse loop; for each stacked result, a slice of its cotangent.
    let mut seeds: Vec<(Value, Value)> = Vec::new();
    let mut state_seeds = Vec::new();
    for (i, &formal) in formals[..scan.states].iter().enumerate() {
        let ty = work.ty(formal).clone();
        let seed = work.input(format!("d_state_{i}"), ty, Role::Local);
        state_seeds.push(seed);
        seeds.push((results[i], seed));
    }
    let mut stack_seeds = Vec::new();
    for (i, &result) in results.iter().enumerate().skip(scan.states) {
        if let Some(outer) = cx.cotangents[i] {
            let ty = work.ty(result).clone();
            let seed = work.input(format!("d_stack_{i}"), ty, Role::Local);
            stack_seeds.push((seed, outer));
            seeds.push((result, seed));
        }
    }
    let mut wanted: Vec<bool> = vec![false; work.value_count()];
    for (i, &formal) in formals.iter().enumerate() {
        wanted[formal.index()] = i < scan.states || cx.wanted[i];
    }
    wanted_from(&work, &mut wanted);
    let cotangents = pull_back(&mut work, &forward, &wanted, &seeds)?;

    let mut reverse = Reverse {
        scan,
        work,
        stacks,
        actual: cx.inputs,
        body: PixelGraph::new("cell_gradient"),
        map: BTreeMap::new(),
        invariants: Vec::new(),
        scanned: Vec::new(),
    };
    // States of the reverse loop: cotangents of the states, then sums for the invariants.
    for (i, &seed) in state_seeds.iter().enumerate() {
        let ty = reverse.work.ty(seed).clone();
        let value = reverse.body.input(format!("d_state_{i}"), ty, Role::Local);
        reverse.map.insert(seed, value);
    }
    let mut sums = Vec::new();
    let mut contractions = Vec::new();
    for (i, formal) in formals.iter().enumerate().take(carried).skip(scan.states) {
        let Some(&cotangent) = cotangents.get(formal).filter(|_| cx.wanted[i]) else {
            continue;
        };
        match contraction(&reverse.work, cotangent) {
            Some((op, operands)) => contractions.push((i, op, operands)),
            None => {
                let ty = reverse.work.ty(*formal).clone();
                let sum = reverse.body.input(format!("d_sum_{i}"), ty, Role::Local);
                sums.push((i, sum, cotangent));
            }
        }
    }
    for (seed, outer) in stack_seeds {
        reverse.scanned.push((seed, outer));
    }
    reverse.collect(&cotangents, &formals, &sums, &contractions, cx.wanted);
    reverse.declare();
    reverse.copy(cx)?;

    // Results: new states and sums, then cotangents of the scanned inputs, then operands of contractions.
    let mut state_out = Vec::new();
    for (i, &seed) in state_seeds.iter().enumerate() {
        state_out.push(match cotangents.get(&formals[i]) {
            Some(v) => reverse.get(*v)?,
            None => {
                let zero = Scale { factor: 0.0 };
                let seed = reverse.get(seed)?;
                reverse.push(zero, &[seed], "unread", cx)?
            }
        });
    }
    for &(_, sum, cotangent) in &sums {
        let cotangent = reverse.get(cotangent)?;
        state_out.push(reverse.push(Add, &[sum, cotangent], "sum", cx)?);
    }
    for (i, &v) in state_out.iter().enumerate() {
        reverse.body.output(format!("state_{i}"), v);
    }
    let mut stacked = Vec::new();
    let mut operand_stacks: BTreeMap<Value, usize> = BTreeMap::new();
    for (i, formal) in formals.iter().enumerate().skip(carried) {
        if let Some(v) = cotangents.get(formal).filter(|_| cx.wanted[i]) {
            let inner = reverse.get(*v)?;
            operand_stacks.insert(*v, reverse.body.outputs().len());
            reverse.body.output(format!("d_scanned_{i}"), inner);
            stacked.push(i);
        }
    }
    for (_, _, operands) in &contractions {
        for v in operands {
            if !reverse.stacks.contains_key(v) && !operand_stacks.contains_key(v) {
                let inner = reverse.get(*v)?;
                let at = reverse.body.outputs().len();
                reverse.body.output(format!("operand_{at}"), inner);
                operand_stacks.insert(*v, at);
            }
        }
    }

    // The loop itself.
    let mut inputs = Vec::new();
    for i in 0..scan.states {
        inputs.push(match cx.cotangents[i] {
            Some(v) => v,
            None => zeros(cx, i)?,
        });
    }
    for &(i, _, _) in &sums {
        inputs.push(zeros(cx, i)?);
    }
    let Reverse { body, invariants, scanned, stacks, .. } = reverse;
    inputs.extend(invariants.iter().map(|(_, outer)| outer));
    inputs.extend(scanned.iter().map(|(_, outer)| outer));
    let op = Scan {
        body: Box::new(body),
        states: scan.states + sums.len(),
        invariants: invariants.len(),
        reverse: !scan.reverse,
    };
    let outer = cx.push_many(op, &inputs, "scan")?;

    let mut result: Vec<Option<Value>> = vec![None; cx.inputs.len()];
    result[..scan.states]
        .copy_from_slice(&outer[..scan.states].iter().map(|&v| Some(v)).collect::<Vec<_>>());
    for (k, &(i, _, _)) in sums.iter().enumerate() {
        result[i] = Some(outer[scan.states + k]);
    }
    for (k, &i) in stacked.iter().enumerate() {
        result[i] = Some(outer[scan.states + sums.len() + k]);
    }
    for (i, op, operands) in contractions {
        let stack = |v: &Value| {
            let stacked = operand_stacks.get(v).map(|&at| outer[at]);
            let stack = stacks.get(v).copied().or(stacked);
            stack.ok_or_else(|| BuildError::internal(cx.name, "an operand was not stacked"))
        };
        let operands: Vec<Value> = operands.iter().map(stack).collect::<Result<_, _>>()?;
        result[i] = Some(cx.push(op, &operands, "contracted")?);
    }
    Ok(result)
}

/// If a cotangent is a weight gradient that can be contracted after the loop, returns the operator and its
/// operands. This cannot be done for one that already sums over the steps of an inner loop.
fn contraction(
    work: &PixelGraph,
    cotangent: Value,
) -> Option<(StateConvWeightGradient, Vec<Value>)> {
    match work.maker(cotangent).map(|n| (&n.op, &n.inputs)) {
        Some((Op::StateConvWeightGradient(op), inputs)) if work.ty(inputs[0]).rank() == 4 => {
            Some((*op, inputs.clone()))
        }
        _ => None,
    }
}

/// Zeros in the shape of an input of the loop.
fn zeros(cx: &mut Adjoint, input: usize) -> Result<Value, BuildError> {
    let ty = cx.input_type(input);
    let value = pixelrnn_graph::Array::zeros(vec![1; ty.rank()]);
    let zero = cx.push(Constant { value }, &[], "zero")?;
    cx.push(Broadcast { to: ty.shape }, &[zero], "zeros")
}

impl Reverse<'_> {
    /// Finds the values of the forward body that the gradient reads.
    fn collect(
        &mut self,
        cotangents: &BTreeMap<Value, Value>,
        formals: &[Value],
        sums: &[(usize, Value, Value)],
        contractions: &[(usize, StateConvWeightGradient, Vec<Value>)],
        wanted: &[bool],
    ) {
        let carried = self.scan.carried();
        let mut open: Vec<Value> = Vec::new();
        open.extend(formals[..self.scan.states].iter().filter_map(|f| cotangents.get(f)));
        open.extend(sums.iter().map(|s| s.2));
        for (i, formal) in formals.iter().enumerate().skip(carried) {
            open.extend(cotangents.get(formal).filter(|_| wanted[i]));
        }
        for (_, _, operands) in contractions {
            open.extend(operands.iter().filter(|v| !self.stacks.contains_key(v)));
        }
        let mut seen = vec![false; self.work.value_count()];
        while let Some(v) = open.pop() {
            if std::mem::replace(&mut seen[v.index()], true) || self.map.contains_key(&v) {
                continue;
            }
            if self.scanned.iter().any(|(inner, _)| *inner == v) {
                continue;
            }
            if let Some(&stack) = self.stacks.get(&v) {
                self.scanned.push((v, stack));
                continue;
            }
            match self.work.origin(v) {
                Origin::Input(i) => self.invariants.push((v, self.actual[i])),
                Origin::Node(id, _) => open.extend(&self.work.node(id).inputs),
            }
        }
        // A slice of a value that is scanned anyway is computed from it instead of being scanned, too.
        let whole: Vec<Value> = self.scanned.iter().map(|(v, _)| *v).collect();
        self.scanned.retain(|(v, _)| match self.work.maker(*v) {
            Some(node) if matches!(node.op, Op::Slice(_)) => !whole.contains(&node.inputs[0]),
            _ => true,
        });
        self.invariants.sort_by_key(|(v, _)| *v);
        self.scanned.sort_by_key(|(v, _)| *v);
    }

    /// Declares the inputs of the reverse body after its states.
    fn declare(&mut self) {
        let both = [("invariant", self.invariants.clone()), ("slice", self.scanned.clone())];
        for (kind, list) in both {
            for (inner, _) in list {
                let ty = self.work.ty(inner).clone();
                let name = format!("{kind}_{}", inner.index());
                let value = self.body.input(name, ty, Role::Local);
                self.map.insert(inner, value);
            }
        }
    }

    /// Copies the nodes whose results are not inputs: those of the gradient, and those that depend only on
    /// invariants.
    fn copy(&mut self, cx: &Adjoint) -> Result<(), BuildError> {
        let ids: Vec<_> = self.work.nodes().map(|(id, _)| id).collect();
        for id in ids {
            let node = self.work.node(id).clone();
            if node.outputs.iter().all(|v| self.map.contains_key(v)) {
                continue;
            }
            let inputs: Option<Vec<Value>> =
                node.inputs.iter().map(|v| self.map.get(v).copied()).collect();
            // A node whose inputs are missing is not read: `collect` found everything that is.
            let Some(inputs) = inputs else { continue };
            let site = self.work.site(id).or(cx.site);
            let results = self.body.push(node.op, &inputs, &node.name, site)?;
            self.map.extend(node.outputs.into_iter().zip(results));
        }
        Ok(())
    }

    /// The value of the reverse body for a value of the copy.
    fn get(&self, v: Value) -> Result<Value, BuildError> {
        find(&self.map, v, || BuildError::unmapped(&self.work, None, v))
    }

    fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        part: &str,
        cx: &Adjoint,
    ) -> Result<Value, BuildError> {
        Ok(self.body.push(op.into(), inputs, part, cx.site)?[0])
    }
}
