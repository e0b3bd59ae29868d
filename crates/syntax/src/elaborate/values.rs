//! Expressions over maps: names, sums, layers applied to values, calls of blocks.

use std::collections::BTreeMap;

use pixelrnn_graph::{Diagnostic, Span};
use pixelrnn_ops::{Add, Mul, Op, Sub};

use super::arguments::Arguments;
use super::build::Flow;
use super::scope::Thing;
use super::walk::{Outcome, Walk};
use crate::ast::{Arg, ArgValue, BinaryOp, Call, Definition, Expr, Ident, Targets};
use crate::evaluate::evaluate;
use crate::layers::{LAYERS, Layer, layer};
use crate::suggest::closest;

/// How the weights of layers in an expression are named.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Naming {
    /// By the path as it is: the expression has one layer with weights.
    Path,
    /// By the layer's own name, in the path.
    Layer,
}

/// The largest nesting of calls of user-defined blocks. Deeper calls are recursive.
const MAX_CALLS: usize = 32;

impl<'m> Walk<'m> {
    /// Binds names to values.
    pub(super) fn bind(&mut self, targets: &Targets, span: Span, outcome: Option<Outcome>) {
        for name in &targets.names {
            let text = name.text.as_str();
            if layer(text).is_some() || text == "image" {
                let wrong = format!("`{text}` is a reserved name");
                let wrong = Diagnostic::error(name.span, wrong);
                self.diagnostics.push(wrong.help("give the value another name"));
            }
        }
        let Some(outcome) = outcome else { return };
        let values = outcome.all();
        if values.len() != targets.names.len() {
            let (have, want) = (values.len(), targets.names.len());
            let s = if have == 1 { "" } else { "s" };
            let wrong = format!("this gives {have} value{s}, but there are {want} names");
            let first = targets.names.first().map_or(span, |name| name.span);
            let wrong = Diagnostic::error(span, wrong).also(first, "the names");
            self.diagnostics.push(wrong.help(format!("write {have} name{s}")));
            return;
        }
        for (name, value) in targets.names.iter().zip(values) {
            self.scope.bind(&name.text, Thing::Map(value));
        }
    }

    /// The number of layers and blocks with weights in an expression, without its arguments.
    pub(super) fn weighted(&self, expr: &Expr) -> usize {
        let own = |call: &Call| {
            let known = layer(&call.name.text).is_some_and(|layer| layer.has_weights);
            usize::from(known || self.definition(&call.name.text).is_some())
        };
        match expr {
            Expr::Int { .. } | Expr::Name(_) => 0,
            Expr::Binary { left, right, .. } => self.weighted(left) + self.weighted(right),
            Expr::Call(call) => own(call),
            Expr::Method { receiver, call } => self.weighted(receiver) + own(call),
        }
    }

    pub(super) fn definition(&self, name: &str) -> Option<&'m Definition> {
        self.model.definitions.iter().find(|definition| definition.name.text == name)
    }

    /// Evaluates an expression to one map, or to the values of a block.
    pub(super) fn values(
        &mut self,
        expr: &'m Expr,
        flow: Option<&Flow>,
        naming: Naming,
    ) -> Option<Outcome> {
        match expr {
            Expr::Call(call) => self.apply(call, flow.cloned(), naming),
            Expr::Method { receiver, call } => {
                let receiver = self.map(receiver, flow, naming);
                self.apply(call, receiver, naming)
            }
            other => self.map(other, flow, naming).map(Outcome::one),
        }
    }

    /// Evaluates an expression to one map. Without a flow (after an error) it is checked, but not built.
    pub(super) fn map(
        &mut self,
        expr: &'m Expr,
        flow: Option<&Flow>,
        naming: Naming,
    ) -> Option<Flow> {
        match expr {
            Expr::Int { span, value } => {
                let wrong = format!("`{value}` is a number, not a map");
                let help = "a map is the name of a value, or a layer of one";
                self.diagnostics.push(Diagnostic::error(*span, wrong).help(help));
                None
            }
            Expr::Name(name) => self.name(name),
            Expr::Binary { op, op_span, left, right, .. } => {
                let left = self.map(left, flow, naming);
                let right = self.map(right, flow, naming);
                self.combine(*op, *op_span, left?, right?)
            }
            Expr::Call(_) | Expr::Method { .. } => {
                let outcome = self.values(expr, flow, naming)?;
                if let Some(values) = outcome.tuple.filter(|values| values.len() > 1) {
                    let wrong = format!("this block returns {} values, expected one", values.len());
                    let help = "give them names: `(a, b) = ...;`";
                    self.diagnostics.push(Diagnostic::error(expr.span(), wrong).help(help));
                    return None;
                }
                Some(outcome.flow)
            }
        }
    }

    /// Evaluates a name: a value, a condition, or a smaller scale.
    pub(super) fn name(&mut self, name: &Ident) -> Option<Flow> {
        match self.scope.find(&name.text) {
            Some(Thing::Map(map)) => {
                let map = map.clone();
                return self.own(map, name);
            }
            Some(_) => {
                let wrong = format!("`{}` is not a map", name.text);
                let help = "it is a number or a word here";
                self.diagnostics.push(Diagnostic::error(name.span, wrong).help(help));
                return None;
            }
            None => {}
        }
        if let Some(given) = self.given(name) {
            return given;
        }
        self.unknown_value(name);
        None
    }

    /// Whether a name refers to a map.
    pub(super) fn is_value(&self, name: &Ident) -> bool {
        self.is_map(&Expr::Name(name.clone()))
    }

    /// Evaluates a name that is defined outside all blocks. `None` if there is none; `Some(None)` after an
    /// error.
    fn given(&mut self, name: &Ident) -> Option<Option<Flow>> {
        if name.text == "image" {
            return Some(Some(self.build.start()));
        }
        if let Some(&(_, kind)) = self.conditions.iter().find(|(n, _)| *n == name.text) {
            self.used.insert(name.text.clone());
            return Some(self.build.condition(name, kind).ok());
        }
        self.build.smaller(&name.text).map(Some)
    }

    /// Checks that a map belongs to the current graph and not to another scale.
    fn own(&mut self, map: Flow, name: &Ident) -> Option<Flow> {
        if self.build.owns(&map) {
            return Some(map);
        }
        let wrong = format!("`{}` belongs to another scale", name.text);
        let help = "a scale reads its own image, conditions, and the images of smaller scales";
        self.diagnostics.push(Diagnostic::error(name.span, wrong).help(help));
        None
    }

    fn unknown_value(&mut self, name: &Ident) {
        let text = &name.text;
        let unknown = Diagnostic::error(name.span, format!("unknown value `{text}`"));
        if layer(text).is_some() || self.definition(text).is_some() {
            let help = format!("write `{text}()` for this layer of the value before it");
            self.diagnostics.push(unknown.help(help));
            return;
        }
        let mut names = self.scope.maps();
        names.push("image");
        names.extend(self.conditions.iter().map(|(name, _)| *name));
        names.extend(self.build.scales.iter().map(|scale| scale.name.as_str()));
        let help = match closest(text, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let maps = self.scope.maps();
                let known = maps.into_iter().chain(["image"]).collect::<Vec<_>>().join(", ");
                format!("the values here are: {known}")
            }
        };
        self.diagnostics.push(unknown.help(help));
    }

    /// The sum, difference or product of two maps.
    fn combine(&mut self, op: BinaryOp, span: Span, left: Flow, right: Flow) -> Option<Flow> {
        let (word, op): (&str, Op) = match op {
            BinaryOp::Add => ("sum", Add.into()),
            BinaryOp::Sub => ("difference", Sub.into()),
            BinaryOp::Mul => ("product", Mul.into()),
            BinaryOp::Div => {
                let wrong = Diagnostic::error(span, "maps cannot be divided");
                self.diagnostics.push(wrong.help("maps have the operators `+`, `-` and `*`"));
                return None;
            }
        };
        let sizes = [self.build.size(&left), self.build.size(&right)];
        let spread = sizes[0] == sizes[1] || sizes.contains(&[1, 1]);
        if left.features != right.features || !spread {
            let shape = |flow: &Flow, [h, w]: [usize; 2]| format!("{} x {h} x {w}", flow.features);
            let wrong = format!("cannot compute the {word} of maps of different shapes");
            let shapes = format!(
                "on the left {}, on the right {} (features x height x width)",
                shape(&left, sizes[0]),
                shape(&right, sizes[1])
            );
            let help = match spread {
                true => format!(
                    "give the one on the left {} features: `.masked_conv(1 x 1, B, {0})`",
                    right.features
                ),
                false => "only a map of one pixel is broadcast over another".to_string(),
            };
            self.diagnostics.push(Diagnostic::error(span, wrong).remark(shapes).help(help));
            return None;
        }
        let raw = left.raw || right.raw;
        self.build.enter(Some(word), span);
        let result = self.build.push(op, &[left.value, right.value], left.features);
        self.build.leave(Some(word));
        result.ok().map(|flow| Flow { raw, ..flow })
    }

    /// Applies a layer or a block to a map.
    pub(super) fn apply(
        &mut self,
        call: &'m Call,
        flow: Option<Flow>,
        naming: Naming,
    ) -> Option<Outcome> {
        if let Some(definition) = self.definition(&call.name.text) {
            return self.call_block(definition, call, flow, naming);
        }
        let Some(layer) = layer(&call.name.text) else {
            self.unknown_layer(call);
            return None;
        };
        if layer.terminal && !std::mem::take(&mut self.ending) {
            self.misplaced_end(call);
            return None;
        }
        let label = match (layer.has_weights, naming) {
            (true, Naming::Path) => None,
            (true, Naming::Layer) => {
                self.claim(layer.name, call.name.span, true);
                Some(layer.name)
            }
            (false, _) => Some(layer.name),
        };
        self.layer(layer, label, call, flow).map(Outcome::one)
    }

    /// Applies a layer with a label. Without one, it uses the current path.
    pub(super) fn layer(
        &mut self,
        layer: &'static Layer,
        label: Option<&str>,
        call: &'m Call,
        flow: Option<Flow>,
    ) -> Option<Flow> {
        self.build.enter(label, call.span);
        let maps = self.map_arguments(layer, call, flow.as_ref());
        let arguments = Arguments::read(layer, call, &self.scope, maps, &mut self.diagnostics);
        let result = match (arguments, flow) {
            (Some(arguments), Some(flow)) => (layer.build)(&mut self.build, &arguments, flow).ok(),
            _ => None,
        };
        self.build.leave(label);
        self.too_many(call.span);
        result
    }

    /// Evaluates the arguments of a layer that are maps. Their weights have the argument's name in their
    /// path.
    fn map_arguments(
        &mut self,
        layer: &'static Layer,
        call: &'m Call,
        flow: Option<&Flow>,
    ) -> BTreeMap<&'static str, Option<Flow>> {
        let mut maps = BTreeMap::new();
        for parameter in layer.parameters.iter().filter(|p| p.is_map()) {
            let named = |arg: &&Arg| arg.name.as_ref().is_some_and(|n| n.text == parameter.name);
            let Some(arg) = call.args.iter().find(named) else { continue };
            let ArgValue::Expr(expr) = &arg.value else { continue };
            let naming = if self.weighted(expr) == 1 { Naming::Path } else { Naming::Layer };
            self.build.path.push(parameter.name.to_string());
            self.build.labels.push(BTreeMap::new());
            maps.insert(parameter.name, self.map(expr, flow, naming));
            self.build.labels.pop();
            self.build.path.pop();
        }
        maps
    }

    fn unknown_layer(&mut self, call: &Call) {
        let name = &call.name.text;
        let unknown = Diagnostic::error(call.name.span, format!("unknown layer `{name}`"));
        let own = self.model.definitions.iter().map(|d| d.name.text.as_str());
        let names: Vec<&str> = LAYERS.iter().map(|l| l.name).chain(own).collect();
        self.diagnostics.push(match closest(name, names.iter().copied()) {
            Some(near) => unknown.help(format!("did you mean `{near}`?")),
            None => unknown.help(format!("available layers: {}", names.join(", "))),
        });
    }

    /// Calls a user-defined block.
    fn call_block(
        &mut self,
        definition: &'m Definition,
        call: &'m Call,
        flow: Option<Flow>,
        naming: Naming,
    ) -> Option<Outcome> {
        if self.calls == MAX_CALLS {
            let wrong = format!("`{}` calls itself", definition.name.text);
            let help = "recursion is not supported; use `repeat n { ... }`";
            self.diagnostics.push(Diagnostic::error(call.span, wrong).help(help));
            self.halted = true;
            return None;
        }
        let things = self.block_arguments(definition, call, flow)?;
        let first = definition.parameters.iter().find_map(|p| match things.get(&p.text) {
            Some(Thing::Map(map)) => Some(map.clone()),
            _ => None,
        });
        let label = match naming {
            Naming::Path => None,
            Naming::Layer => {
                self.claim(&definition.name.text, call.name.span, true);
                Some(definition.name.text.as_str())
            }
        };
        self.calls += 1;
        self.build.enter(label, call.span);
        self.build.labels.push(BTreeMap::new());
        self.scope.open(true);
        for (name, thing) in things {
            self.scope.bind(&name, thing);
        }
        let result = self.statements(&definition.body, first, true);
        self.scope.close();
        self.build.labels.pop();
        self.build.leave(label);
        self.calls -= 1;
        result
    }

    /// Binds the parameters of a block to its arguments. If one argument is missing, the previous value is
    /// the first argument.
    fn block_arguments(
        &mut self,
        definition: &'m Definition,
        call: &'m Call,
        flow: Option<Flow>,
    ) -> Option<BTreeMap<String, Thing>> {
        let parameters = &definition.parameters;
        let receives = call.args.len() + 1 == parameters.len();
        if !receives && call.args.len() != parameters.len() {
            let names: Vec<&str> = parameters.iter().map(|p| p.text.as_str()).collect();
            let name = &definition.name.text;
            let wrong =
                format!("`{name}` takes {} arguments, not {}", parameters.len(), call.args.len());
            let help = format!("write `{name}({})`", names.join(", "));
            let wrong = Diagnostic::error(call.span, wrong).help(help);
            self.diagnostics.push(wrong.also(definition.name.span, "defined here"));
            return None;
        }
        let mut things = BTreeMap::new();
        let mut positional = parameters.iter();
        if receives {
            let first = positional.next()?;
            things.insert(first.text.clone(), Thing::Map(flow.clone()?));
        }
        for arg in &call.args {
            let parameter = match &arg.name {
                None => positional.next()?,
                Some(name) => {
                    let Some(parameter) = parameters.iter().find(|p| p.text == name.text) else {
                        let wrong =
                            format!("`{}` has no parameter `{}`", definition.name.text, name.text);
                        let wrong = Diagnostic::error(name.span, wrong);
                        let near = closest(&name.text, parameters.iter().map(|p| p.text.as_str()));
                        self.diagnostics.push(match near {
                            Some(near) => wrong.help(format!("did you mean `{near}`?")),
                            None => wrong.also(definition.name.span, "defined here"),
                        });
                        return None;
                    };
                    parameter
                }
            };
            let thing = self.argument(&arg.value, flow.as_ref())?;
            if things.insert(parameter.text.clone(), thing).is_some() {
                let wrong = format!("`{}` is given twice", parameter.text);
                let names: Vec<&str> = parameters.iter().map(|p| p.text.as_str()).collect();
                let help = format!("write `{}({})`", definition.name.text, names.join(", "));
                self.diagnostics.push(Diagnostic::error(call.span, wrong).help(help));
                return None;
            }
        }
        Some(things)
    }

    /// Evaluates an argument of a block: a map, a number, a kernel, or a keyword of a layer.
    fn argument(&mut self, value: &'m ArgValue, flow: Option<&Flow>) -> Option<Thing> {
        let number = |walk: &mut Self, expr: &Expr| {
            let result = evaluate(expr, &walk.scope.numbers());
            result.map_err(|diagnostic| walk.diagnostics.push(diagnostic)).ok()
        };
        match value {
            ArgValue::Kernel { height, width } => {
                let (height, width) = (number(self, height), number(self, width));
                Some(Thing::Kernel([height?, width?]))
            }
            ArgValue::Expr(Expr::Name(name)) => match self.scope.find(&name.text) {
                Some(Thing::Map(_)) => self.name(name).map(Thing::Map),
                Some(thing) => Some(thing.clone()),
                None => match self.given(name) {
                    Some(map) => map.map(Thing::Map),
                    None => {
                        let numbers = self.scope.numbers();
                        let number = numbers.iter().find(|(known, _)| *known == name.text);
                        Some(match number {
                            Some(&(_, n)) => Thing::Number(n),
                            None => Thing::Word(name.text.clone()),
                        })
                    }
                },
            },
            ArgValue::Expr(expr) => match self.is_map(expr) {
                true => self.map(expr, flow, Naming::Layer).map(Thing::Map),
                false => number(self, expr).map(Thing::Number),
            },
        }
    }

    /// Whether the value of an expression is a map.
    fn is_map(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Int { .. } => false,
            Expr::Name(name) => {
                let text = name.text.as_str();
                let map = matches!(self.scope.find(text), Some(Thing::Map(_)));
                map || text == "image"
                    || self.conditions.iter().any(|(name, _)| *name == text)
                    || self.build.scales.iter().any(|scale| scale.name == text)
            }
            Expr::Binary { left, right, .. } => self.is_map(left) || self.is_map(right),
            Expr::Call(_) | Expr::Method { .. } => true,
        }
    }
}
