//! `scan(states, invariants, scanned) {states, invariants, reverse}`: a loop over axis 0 of the scanned
//! inputs. Every recurrence is expressed with it.
//!
//! Inputs: initial states, invariants, scanned tensors. Inputs of the body, in the same order: states,
//! invariants, one slice of each scanned tensor. Outputs of the body: new states, then one slice of each
//! stacked result. Results: final states, stacked results. A reversed scan runs from the last slice to the
//! first; slice t of a stacked result still belongs to slice t of the inputs.

mod gradient;

use ndarray::Axis;

use crate::rules::eval::evaluate_list;
use crate::rules::lower::lower_graph;
use crate::rules::prelude::*;

/// A loop with a body graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The body: computes new states and slices of results from states, invariants and slices.
    pub body: Box<PixelGraph>,
    /// The number of states.
    pub states: usize,
    /// The number of invariants.
    pub invariants: usize,
    /// Whether the loop runs from the last slice to the first.
    pub reverse: bool,
}

impl Scan {
    /// The number of inputs that are not scanned.
    pub fn carried(&self) -> usize {
        self.states + self.invariants
    }

    /// The number of stacked results.
    pub fn stacked(&self) -> usize {
        self.body.outputs().len().saturating_sub(self.states)
    }
}

impl Rules for Scan {
    const MNEMONIC: &'static str = "scan";

    fn attributes(&self) -> Attributes {
        Attributes::none()
            .int("states", self.states)
            .int("invariants", self.invariants)
            .int("reverse", usize::from(self.reverse))
    }

    fn rebuild(attributes: &ReadAttributes, bodies: Vec<PixelGraph>) -> Result<Self, TypeError> {
        let [body] =
            <[_; 1]>::try_from(bodies).map_err(|_| TypeError::body("there must be one"))?;
        Ok(Scan {
            body: Box::new(body),
            states: attributes.int("states")?,
            invariants: attributes.int("invariants")?,
            reverse: attributes.int("reverse")? != 0,
        })
    }

    fn bodies(&self) -> Vec<&PixelGraph> {
        vec![&self.body]
    }

    fn infer(&self, inputs: &[&Type]) -> Result<Vec<Type>, TypeError> {
        let body = &self.body;
        let carried = self.states.saturating_add(self.invariants);
        shape::arity(inputs, body.inputs().len())?;
        if body.outputs().len() < self.states || body.inputs().len() <= carried {
            return Err(TypeError::body(
                "must have a result for each state, and something to scan",
            ));
        }
        let mut steps = None;
        for (i, (formal, actual)) in body.inputs().iter().zip(inputs).enumerate() {
            let formal = body.ty(formal.value);
            let fits = if i < carried {
                formal == *actual
            } else {
                let extent = shape::fixed(inputs, i, 0)?;
                *steps.get_or_insert(extent) == extent && actual.shape[1..] == formal.shape[..]
            };
            if !fits {
                return Err(TypeError::Unequal { left: (*actual).clone(), right: formal.clone() });
            }
        }
        let steps = steps.unwrap_or(0);
        if steps == 0 {
            return Err(TypeError::body("has no slice to run on"));
        }
        let mut results = Vec::new();
        for (i, out) in body.outputs().iter().enumerate() {
            let ty = body.ty(out.value);
            if i < self.states {
                let state = body.ty(body.inputs()[i].value);
                if ty != state {
                    return Err(TypeError::Unequal { left: ty.clone(), right: state.clone() });
                }
                results.push(ty.clone());
            } else {
                let mut shape = vec![Dim::Fixed(steps)];
                shape.extend(ty.shape.iter().copied());
                results.push(ty.reshaped(shape));
            }
        }
        Ok(results)
    }

    fn footprint<'a>(&'a self, reading: &'a Reading<'a>) -> Footprint<'a> {
        // Not exact. `verify_causality` unrolls the loop first.
        Footprint::everything(reading)
    }

    fn gradient(&self, cx: &mut Adjoint) -> Result<Vec<Option<Value>>, AdjointError> {
        gradient::gradient(self, cx)
    }

    fn lower(&self, cx: &mut Lower, inputs: &[Value]) -> Result<Vec<Value>, LowerError> {
        let scan = pixelrnn_onnx::Scan {
            body: lower_graph(&self.body, cx.batch)?,
            states: self.states,
            invariants: self.invariants,
            reverse: self.reverse,
        };
        cx.push_many(OnnxOp::Scan(Box::new(scan)), inputs, "")
    }

    fn eval<R: Real>(&self, env: &Env, inputs: &[&Array<R>]) -> Result<Vec<Array<R>>, EvalError> {
        let carried = self.carried();
        let steps = inputs.get(carried).map_or(0, |x| x.shape()[0]);
        let mut states: Vec<Array<R>> = inputs[..self.states].iter().map(|&x| x.clone()).collect();
        let mut slices: Vec<Vec<Array<R>>> = vec![Vec::new(); self.stacked()];
        for step in 0..steps {
            let t = if self.reverse { steps - 1 - step } else { step };
            let scanned: Vec<Array<R>> =
                inputs[carried..].iter().map(|x| x.index_axis(Axis(0), t).to_owned()).collect();
            let args: Vec<&Array<R>> = states
                .iter()
                .chain(inputs[self.states..carried].iter().copied())
                .chain(&scanned)
                .collect();
            let mut results = evaluate_list(&self.body, env, &args)?;
            for (all, slice) in slices.iter_mut().zip(results.drain(self.states..)) {
                all.push(slice);
            }
            states = results;
        }
        for mut all in slices {
            if self.reverse {
                all.reverse();
            }
            let views: Vec<_> = all.iter().map(|s| s.view()).collect();
            states.push(ndarray::stack(Axis(0), &views)?);
        }
        Ok(states)
    }

    fn stream(&self) -> Stream {
        Stream::Expanded
    }

    fn pixel_major(&self) -> Option<(usize, Op)> {
        None
    }

    fn composite(&self) -> Option<&dyn Composite> {
        None
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for reverse in [false, true] {
            // s' = s w + x, and s' s' is stacked: one state, one invariant, one scanned tensor.
            let ty = Type::real([Dim::N, Dim::Fixed(3)]);
            let mut body = PixelGraph::new("body");
            let role = pixelrnn_graph::Role::Local;
            let s = body.input("s", ty.clone(), role);
            let w = body.input("w", ty.clone(), role);
            let x = body.input("x", ty.clone(), role);
            let push = |body: &mut PixelGraph, op: Op, inputs: &[Value], name: &str| {
                body.push(op, inputs, name, None).map(|v| v[0])
            };
            let (Ok(kept), mul) =
                (push(&mut body, crate::op::Mul.into(), &[s, w], "kept"), crate::op::Mul)
            else {
                continue;
            };
            let Ok(next) = push(&mut body, crate::op::Add.into(), &[kept, x], "next") else {
                continue;
            };
            let Ok(square) = push(&mut body, mul.into(), &[next, next], "square") else { continue };
            body.output("s", next);
            body.output("y", square);
            let scan = Scan { body: Box::new(body), states: 1, invariants: 1, reverse };
            let steps = Type::real([Dim::Fixed(4), Dim::N, Dim::Fixed(3)]);
            all.push(Sample::new(scan, [ty.clone(), ty, steps]));
        }
        all
    }
}
