//! The update rules of optimizers.
//!
//! A rule is one file and one line of the table below. The file contains the settings, the states, the graph,
//! and the same formula for single numbers. A test compares the graph with that formula.

use pixelrnn_graph::{BuildError, Type, Value};
use pixelrnn_ops::{Add, Div, Mul, Op, Scale, Sqrt};

use crate::training_step::{StepBuilder, state_name};

/// The largest number of settings of a rule.
pub const MAX_SETTINGS: usize = 4;

/// An update rule: in every step, `w = w - learning_rate * direction`.
pub struct UpdateRule {
    /// The name on the command line and in run.json.
    pub name: &'static str,
    /// A description for the help, on one line.
    pub about: &'static str,
    /// The default learning rate, for losses in nats per image.
    pub usual_rate: f64,
    /// The settings with their defaults, which are those of PyTorch.
    pub settings: &'static [(&'static str, f64)],
    /// The states of each parameter. They have the shape of the parameter and start at zero.
    pub slots: &'static [&'static str],
    /// The global states, `[1]`. They start at one, and each step multiplies them by the setting with this
    /// index.
    pub counters: &'static [(&'static str, usize)],
    /// Builds the direction and the next states.
    pub(crate) direction: fn(&mut Update<'_>) -> Result<Value, BuildError>,
    /// Computes the direction of one value, and updates its states.
    pub reference: fn(&Entry<'_>, &mut [f64]) -> f64,
}

impl UpdateRule {
    /// The rule of this name.
    pub fn named(name: &str) -> Option<&'static UpdateRule> {
        RULES.iter().copied().find(|rule| rule.name == name)
    }

    /// The defaults of the settings, padded with zeros.
    pub(crate) const fn defaults(&self) -> [f64; MAX_SETTINGS] {
        assert!(self.settings.len() <= MAX_SETTINGS, "a rule has too many settings");
        let mut all = [0.0; MAX_SETTINGS];
        let mut i = 0;
        while i < self.settings.len() {
            all[i] = self.settings[i].1;
            i += 1;
        }
        all
    }
}

impl PartialEq for UpdateRule {
    fn eq(&self, other: &UpdateRule) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Display for UpdateRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name)
    }
}

impl std::fmt::Debug for UpdateRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// One value of a parameter during one step, for [`UpdateRule::reference`].
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The parameter.
    pub w: f64,
    /// Its gradient.
    pub g: f64,
    /// The rule's settings.
    pub settings: &'a [f64],
    /// The counters after this step.
    pub counters: &'a [f64],
}

/// The context in which the update of one parameter is built.
pub(crate) struct Update<'a> {
    pub(crate) step: &'a mut StepBuilder,
    pub(crate) name: &'a str,
    /// The parameter.
    pub(crate) w: Value,
    /// Its gradient.
    pub(crate) g: Value,
    pub(crate) ty: Type,
    pub(crate) settings: &'a [f64],
    /// One minus each counter, `[1]`.
    pub(crate) corrections: &'a [Value],
}

impl Update<'_> {
    /// Adds a node.
    fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        part: &str,
    ) -> Result<Value, BuildError> {
        self.step.push(op, inputs, part)
    }

    /// A state of the parameter before the step.
    fn slot(&mut self, slot: &str) -> Value {
        self.step.state(self.name, slot, &self.ty)
    }

    /// Sets a state of the parameter after the step.
    fn keep(&mut self, slot: &str, value: Value) {
        self.step.result(&state_name(self.name, slot), value);
    }

    /// `decay a + (1 - decay) b`.
    fn blend(&mut self, decay: f64, a: Value, b: Value, part: &str) -> Result<Value, BuildError> {
        let old = self.push(Scale { factor: decay }, &[a], "old")?;
        let new = self.push(Scale { factor: 1.0 - decay }, &[b], "new")?;
        self.push(Add, &[old, new], part)
    }

    /// The running mean of the squared gradient: `decay v + (1 - decay) g g`.
    fn square(&mut self, decay: f64, v: Value) -> Result<Value, BuildError> {
        let square = self.push(Mul, &[self.g, self.g], "square")?;
        self.blend(decay, v, square, "v")
    }

    /// `x / (1 - counter)`: the bias correction of a running mean that started at zero.
    fn corrected(&mut self, x: Value, counter: usize, part: &str) -> Result<Value, BuildError> {
        let wide = self.step.widen(self.corrections[counter], self.ty.rank())?;
        self.push(Div, &[x, wide], part)
    }

    /// `x / (sqrt(v) + epsilon)`.
    fn quotient(&mut self, x: Value, v: Value, epsilon: f64) -> Result<Value, BuildError> {
        let root = self.push(Sqrt, &[v], "root")?;
        let epsilon = self.step.number(epsilon, self.ty.rank())?;
        let root = self.push(Add, &[root, epsilon], "root_safe")?;
        self.push(Div, &[x, root], "direction")
    }
}

macro_rules! rules {
    ($($module:ident::$name:ident,)*) => {
        $(mod $module; pub use $module::$name;)*

        /// Every update rule.
        pub const RULES: &[&UpdateRule] = &[$(&$name,)*];
    };
}

rules! {
    rmsprop::RMSPROP,
    adam::ADAM,
    adamw::ADAMW,
    sgd::SGD,
}
