//! `training_step`: turns a gradient graph into a training step. Inputs: batch, parameters, optimizer
//! state and learning rate; outputs: loss, new parameters and new state. The step is stateless, so any
//! inference engine can train.

use pixelrnn_graph::{Array, BuildError, OutputRole, Role, Site, Type, UnknownName, Value};
use pixelrnn_ops::{
    Add, Constant, Div, MergeAxes, Mul, Op, PixelGraph, Relu, Scale, SplitAxis, Sqrt, Sub, Sum,
};

use crate::differentiate::gradient_name;
use crate::optimizers::{self, MAX_SETTINGS, Update, UpdateRule};
use crate::rewrite::Rewrite;
use crate::state::AVERAGE;

/// An optimizer: update rule, gradient clipping and EMA.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimizer {
    /// The update rule.
    pub rule: &'static UpdateRule,
    /// The settings of the rule, in the order of [`UpdateRule::settings`], padded with zeros.
    pub settings: [f64; MAX_SETTINGS],
    /// Clip the gradient to this global norm.
    pub clip: Option<f64>,
    /// Keep an EMA of the parameters with this decay, limited in step n to n / (n + 9), so that the initial
    /// weights are soon forgotten. The number of steps is an additional state, `ema_steps`.
    pub ema: Option<f64>,
}

impl Optimizer {
    /// RMSProp with the defaults of PyTorch.
    pub const RMSPROP: Optimizer = Optimizer::new(&optimizers::RMSPROP);
    /// Adam with PyTorch's defaults.
    pub const ADAM: Optimizer = Optimizer::new(&optimizers::ADAM);
    /// Adam with decoupled weight decay, with PyTorch's defaults.
    pub const ADAMW: Optimizer = Optimizer::new(&optimizers::ADAMW);
    /// Stochastic gradient descent with momentum 0.9.
    pub const SGD: Optimizer = Optimizer::new(&optimizers::SGD);

    /// A rule with its defaults, without clipping and EMA.
    pub const fn new(rule: &'static UpdateRule) -> Optimizer {
        Optimizer { rule, settings: rule.defaults(), clip: None, ema: None }
    }

    /// This optimizer with another value for a setting of its rule, such as `beta1` of Adam.
    ///
    /// # Errors
    /// The rule has no setting of this name.
    pub fn with(mut self, setting: &str, value: f64) -> Result<Optimizer, UnknownName> {
        let names = self.rule.settings;
        let at: Vec<usize> = (0..names.len()).collect();
        let index = UnknownName::find("setting of the optimizer", setting, &at, |i| names[i].0)?;
        self.settings[index] = value;
        Ok(self)
    }

    /// The settings of the rule.
    pub fn settings(&self) -> &[f64] {
        &self.settings[..self.rule.settings.len()]
    }

    /// The states kept for each parameter, by the suffix of their names.
    pub fn slots(&self) -> Vec<&'static str> {
        let mut slots = self.rule.slots.to_vec();
        slots.extend(self.ema.map(|_| AVERAGE));
        slots
    }

    /// The states kept once, `[1]`, which start at one.
    pub fn counters(&self) -> Vec<&'static str> {
        let mut counters: Vec<_> = self.rule.counters.iter().map(|&(name, _)| name).collect();
        counters.extend(self.ema.map(|_| AVERAGED));
        counters
    }
}

/// The optimizer of this name, with its defaults.
impl std::str::FromStr for Optimizer {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Optimizer, UnknownName> {
        let rule = UnknownName::find("optimizer", name, optimizers::RULES, |rule| rule.name)?;
        Ok(Optimizer::new(rule))
    }
}

/// The counter of the steps that the EMA has seen. It starts at one.
pub const AVERAGED: &str = "ema_steps";

/// The name of the input for the learning rate, `[1]`.
pub const LEARNING_RATE: &str = "learning_rate";

/// The name of a state as an input: the parameter and the slot, separated by a dot.
pub fn state_name(parameter: &str, slot: &str) -> String {
    format!("{parameter}.{slot}")
}

/// The name of the output that replaces an input after the step.
pub fn next_name(input: &str) -> String {
    format!("{input}.next")
}

/// Builds the nodes of a training step.
pub(crate) struct StepBuilder {
    graph: PixelGraph,
    name: String,
}

impl StepBuilder {
    pub(crate) fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        part: &str,
    ) -> Result<Value, BuildError> {
        let name = format!("{}/update.{part}", self.name);
        Ok(self.graph.push(op.into(), inputs, &name, Site::NONE)?[0])
    }

    /// A scalar constant of this rank, with extents of 1.
    pub(crate) fn number(&mut self, x: f64, rank: usize) -> Result<Value, BuildError> {
        let value = Array::from_elem(vec![1; rank], x as f32);
        self.push(Constant { value }, &[], "constant")
    }

    /// Reshapes `[1]` to this rank, with extents of 1.
    pub(crate) fn widen(&mut self, x: Value, rank: usize) -> Result<Value, BuildError> {
        let mut wide = x;
        for _ in 1..rank {
            wide = self.push(SplitAxis { axis: 0, parts: 1 }, &[wide], "wide")?;
        }
        Ok(wide)
    }

    /// Adds a state as an input.
    pub(crate) fn state(&mut self, parameter: &str, slot: &str, ty: &Type) -> Value {
        self.graph.input(state_name(parameter, slot), ty.clone(), Role::State)
    }

    pub(crate) fn result(&mut self, input: &str, value: Value) {
        self.graph.output_as(next_name(input), value, OutputRole::Next);
    }

    /// The factor that limits the global norm of the gradients to `clip`, `[1]`: `min(1, clip / norm)`.
    fn clip(&mut self, clip: f64, gradients: &[Value]) -> Result<Value, BuildError> {
        let mut total: Option<Value> = None;
        for &g in gradients {
            let rank = self.graph.ty(g).rank();
            let square = self.push(Mul, &[g, g], "square")?;
            let mut sum = self.push(Sum { axes: (0..rank).collect() }, &[square], "squares")?;
            for _ in 1..rank {
                sum = self.push(MergeAxes { axis: 0 }, &[sum], "squares")?;
            }
            total = Some(match total {
                Some(total) => self.push(Add, &[total, sum], "total")?,
                None => sum,
            });
        }
        let Some(total) = total else { return self.number(1.0, 1) };
        let norm = self.push(Sqrt, &[total], "norm")?;
        let tiny = self.number(1e-6, 1)?;
        let norm = self.push(Add, &[norm, tiny], "norm_safe")?;
        let limit = self.number(clip, 1)?;
        // clip / max(clip, norm)
        let excess = self.push(Sub, &[norm, limit], "excess")?;
        let excess = self.push(Relu, &[excess], "excess_positive")?;
        let bound = self.push(Add, &[limit, excess], "bound")?;
        self.push(Div, &[limit, bound], "factor")
    }

    /// The weight of the current parameter in its EMA, `[1]`: `max(1 - decay, 9 / (n + 9))` in step n.
    fn forget(&mut self, decay: f64, steps: Value) -> Result<Value, BuildError> {
        let nine = self.number(9.0, 1)?;
        let all = self.push(Add, &[steps, nine], "all_steps")?;
        let early = self.push(Div, &[nine, all], "early_share")?;
        let late = self.number(1.0 - decay, 1)?;
        let excess = self.push(Sub, &[early, late], "share_excess")?;
        let excess = self.push(Relu, &[excess], "share_excess_positive")?;
        self.push(Add, &[late, excess], "share")
    }

    /// Updates every parameter. `list` contains names, parameters and gradients.
    fn descend(
        &mut self,
        list: &[(String, Value, Value)],
        optimizer: &Optimizer,
    ) -> Result<(), BuildError> {
        let gradients: Vec<Value> = list.iter().map(|&(_, _, g)| g).collect();
        let factor = match optimizer.clip {
            Some(clip) => Some(self.clip(clip, &gradients)?),
            None => None,
        };
        let mut counters = Vec::new();
        let mut forget = None;
        if let Some(decay) = optimizer.ema {
            let steps = self.graph.input(AVERAGED, Type::real([1usize]), Role::State);
            let one = self.number(1.0, 1)?;
            let next = self.push(Add, &[steps, one], AVERAGED)?;
            self.result(AVERAGED, next);
            forget = Some(self.forget(decay, steps)?);
        }
        let mut corrections = Vec::new();
        for &(slot, setting) in optimizer.rule.counters {
            let power = self.graph.input(slot, Type::real([1usize]), Role::State);
            let factor = optimizer.settings[setting];
            let next = self.push(Scale { factor }, &[power], slot)?;
            let one = self.number(1.0, 1)?;
            corrections.push(self.push(Sub, &[one, next], "correction")?);
            counters.push((slot, next));
        }
        let rate = self.graph.input(LEARNING_RATE, Type::real([1usize]), Role::Rate);
        for &(ref name, w, g) in list {
            self.name.clone_from(name);
            let ty = self.graph.ty(w).clone();
            let rank = ty.rank();
            let mut g = g;
            if let Some(factor) = factor {
                let factor = self.widen(factor, rank)?;
                g = self.push(Mul, &[g, factor], "clipped")?;
            }
            let rate = self.widen(rate, rank)?;
            let settings = optimizer.settings();
            let corrections = &corrections;
            let mut update =
                Update { step: self, name, w, g, ty: ty.clone(), settings, corrections };
            let direction = (optimizer.rule.direction)(&mut update)?;
            let change = self.push(Mul, &[direction, rate], "change")?;
            let next = self.push(Sub, &[w, change], "next")?;
            self.result(name, next);
            if let Some(forget) = forget {
                let average = self.state(name, AVERAGE, &ty);
                let share = self.widen(forget, rank)?;
                let apart = self.push(Sub, &[next, average], "apart")?;
                let change = self.push(Mul, &[apart, share], "towards")?;
                let average = self.push(Add, &[average, change], "average")?;
                self.result(&state_name(name, AVERAGE), average);
            }
        }
        for (slot, next) in counters {
            self.result(slot, next);
        }
        Ok(())
    }
}

/// Turns a graph of [`differentiate`](crate::differentiate()) into a training step.
///
/// Inputs: those of the gradient graph, the optimizer's states (`p.slot` for each parameter `p`,
/// then counters), `learning_rate [1]`. Outputs: `loss [1]`, then `p.next` for each parameter and
/// `s.next` for each state.
///
/// # Errors
/// The graph does not have exactly one gradient per parameter.
pub fn training_step(
    gradient: &PixelGraph,
    optimizer: &Optimizer,
) -> Result<PixelGraph, BuildError> {
    let internal = || BuildError::internal(&gradient.name, "it has not one gradient a parameter");
    let mut rewrite = Rewrite::new(gradient);
    rewrite.inputs();
    rewrite.nodes()?;
    let outputs = gradient.outputs();
    let of = |role: OutputRole<_>| outputs.iter().filter(move |o| o.role == role);
    let loss = of(OutputRole::Loss).next().ok_or_else(internal)?;
    let loss_value = rewrite.value(loss.value)?;
    let mut list: Vec<(String, Value, Value)> = Vec::new();
    let mut gradients = of(OutputRole::Gradient);
    for (input, _) in gradient.parameters() {
        let g = gradients.next().ok_or_else(internal)?;
        list.push((input.name.clone(), rewrite.value(input.value)?, rewrite.value(g.value)?));
    }
    let mut step = StepBuilder { graph: rewrite.new, name: "step".into() };
    step.graph.output_as(loss.name.clone(), loss_value, OutputRole::Loss);
    step.descend(&list, optimizer)?;
    Ok(step.graph)
}

/// The part of a training step after the gradient, for gradients that are computed elsewhere, such as
/// averages over parts of a batch. Only the parameters of `model` are used.
///
/// Inputs: the parameters, `p.grad` for each, the optimizer's states and `learning_rate [1]`. Outputs: as
/// [`training_step`], without the loss.
///
/// # Errors
/// [`BuildError`] if a node cannot be added.
pub fn update_step(model: &PixelGraph, optimizer: &Optimizer) -> Result<PixelGraph, BuildError> {
    let mut graph = PixelGraph::new(model.name.clone());
    graph.doc.clone_from(&model.doc);
    graph.share_layers(model.layers());
    let mut list = Vec::new();
    for (input, _) in model.parameters() {
        let ty = model.ty(input.value).clone();
        list.push((input.name.clone(), graph.input_like(input, ty)));
    }
    let mut all = Vec::new();
    for (name, w) in list {
        let ty = graph.ty(w).clone();
        let g = graph.input(gradient_name(&name), ty, Role::Gradient);
        all.push((name, w, g));
    }
    let mut step = StepBuilder { graph, name: "step".into() };
    step.descend(&all, optimizer)?;
    Ok(step.graph)
}
