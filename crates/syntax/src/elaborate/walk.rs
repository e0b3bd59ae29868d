//! Statements: carries the current value through a model, statement by statement.

use std::collections::{BTreeMap, BTreeSet};

use pixelrnn_graph::{Diagnostic, Span};
use pixelrnn_ops::{Add, ConditionKind};

use super::build::{Build, Flow};
use super::scope::{Scope, Thing};
use super::values::Naming;
use super::{Image, MAX_NODES, MAX_REPEAT, MAX_STATEMENTS};
use crate::ast::{Block, BlockKind, Call, Expr, Ident, Kind, Model, Statement, Targets};
use crate::evaluate::{evaluate, with_values};
use crate::layers::{layer, terminals};

/// The result of a block or an expression.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// The value that the next statement gets.
    pub flow: Flow,
    /// The values of a user-defined block that ends with several values.
    pub tuple: Option<Vec<Flow>>,
}

impl Outcome {
    pub fn one(flow: Flow) -> Outcome {
        Outcome { flow, tuple: None }
    }

    /// All values.
    pub fn all(self) -> Vec<Flow> {
        self.tuple.unwrap_or_else(|| vec![self.flow])
    }
}

pub(super) struct Walk<'m> {
    pub(super) model: &'m Model,
    pub(super) build: Build,
    pub(super) scope: Scope<'m>,
    /// The names and kinds of the conditions.
    pub(super) conditions: Vec<(&'m str, ConditionKind)>,
    /// The conditions that were read.
    pub(super) used: BTreeSet<String>,
    /// The largest number of repeats of a block. Further ones are left out.
    most: usize,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Set once the graph is too large. Nothing more is built or reported.
    pub(super) halted: bool,
    /// Whether a layer that ends a model was found in a block. Then no error says that it is missing.
    misplaced: bool,
    /// Whether the next layer may end the model.
    pub(super) ending: bool,
    /// The number of user-defined blocks that are being called.
    pub(super) calls: usize,
    /// The number of statements that were executed in blocks.
    steps: usize,
    /// The values that a repeat returns to the enclosing block, with their names.
    carried: Option<(&'m [Ident], Vec<Flow>)>,
}

/// The layer of a statement, if it ends a model.
fn ends(statement: &Statement) -> Option<&Call> {
    let call = match &statement.kind {
        Kind::Layer(call) | Kind::Value(Expr::Call(call) | Expr::Method { call, .. }) => call,
        _ => return None,
    };
    layer(&call.name.text).filter(|layer| layer.terminal).map(|_| call)
}

impl<'m> Walk<'m> {
    pub fn new(
        model: &'m Model,
        image: Image,
        hyper: Vec<(&'m str, usize)>,
        conditions: Vec<(&'m str, ConditionKind)>,
        most: usize,
        diagnostics: Vec<Diagnostic>,
    ) -> Walk<'m> {
        Walk {
            model,
            build: Build::new(&model.name.text, image),
            scope: Scope::new(hyper),
            conditions,
            used: BTreeSet::new(),
            most,
            diagnostics,
            halted: false,
            misplaced: false,
            ending: false,
            calls: 0,
            steps: 0,
            carried: None,
        }
    }

    /// Returns what was built, the hyper-parameters, and all errors.
    pub fn finish(mut self) -> (Build, Vec<(&'m str, usize)>, Vec<Diagnostic>) {
        self.diagnostics.append(&mut self.build.diagnostics);
        (self.build, self.scope.hyper().to_vec(), self.diagnostics)
    }

    /// Elaborates the whole model.
    pub fn model(&mut self) {
        let model = self.model;
        let start = self.build.start();
        self.build.labels.push(BTreeMap::new());
        self.scale_body(&model.body, start, model.name.span, &model.name.text);
        if self.halted || !self.diagnostics.is_empty() || !self.build.diagnostics.is_empty() {
            return;
        }
        for condition in &model.conditions {
            if !self.used.contains(&condition.name.text) {
                let name = &condition.name.text;
                let unread = format!("no layer reads the condition `{name}`");
                let help = format!("add it to a map: `x + {name}.conv(1 x 1, features)`");
                self.diagnostics.push(Diagnostic::error(condition.name.span, unread).help(help));
            }
        }
    }

    /// Elaborates the body of a model or of a scale. Its last layer must define a distribution.
    fn scale_body(&mut self, body: &'m [Statement], start: Flow, name: Span, what: &str) {
        let mut flow = Some(start);
        let last = body.len().wrapping_sub(1);
        for (i, statement) in body.iter().enumerate() {
            if self.halted {
                return;
            }
            let end = ends(statement);
            if let (Some(call), Some(next)) = (end, body.get(i + 1)) {
                let text = &call.name.text;
                self.diagnostics.push(
                    Diagnostic::error(next.span(), format!("`{text}` must be the last layer"))
                        .also(call.name.span, "the model ends here")
                        .help(format!("move `{text};` to the end")),
                );
                self.ending = true;
                self.statement(statement, flow);
                return;
            }
            self.ending = end.is_some() && i == last;
            flow = self.statement(statement, flow).map(|outcome| outcome.flow);
            self.ending = false;
        }
        if body.last().and_then(ends).is_none() && !self.misplaced {
            let known: Vec<String> =
                terminals().map(|layer| format!("`{};`", layer.usage)).collect();
            self.diagnostics.push(
                Diagnostic::error(name, format!("`{what}` has no output"))
                    .help(format!("end the declaration with {}", known.join(" or "))),
            );
        }
    }

    /// Reports a layer that ends a model in a place where it is not allowed.
    pub(super) fn misplaced_end(&mut self, call: &Call) {
        let text = &call.name.text;
        self.diagnostics.push(
            Diagnostic::error(call.name.span, format!("`{text}` is not allowed inside a block"))
                .help("move it to the end of the declaration"),
        );
        self.misplaced = true;
    }

    /// Executes a statement. Without a flow (after an error) it is checked, but not built.
    fn statement(&mut self, statement: &'m Statement, flow: Option<Flow>) -> Option<Outcome> {
        let outcome = match &statement.kind {
            Kind::Layer(call) => self.plain(statement, call, flow),
            Kind::Value(expr) => self.value(statement, expr, flow),
            Kind::Block(block) => self.block(statement, block, flow),
            Kind::Values(_, span) => {
                let wrong = "only the last line of a block may return several values";
                let help = "end a block of your own, or of `repeat n with (a, b)`, with them";
                self.diagnostics.push(Diagnostic::error(*span, wrong).help(help));
                None
            }
        };
        // The name of a scale refers to its image, not to the value that the next statement gets.
        let scale = matches!(&statement.kind, Kind::Block(b) if b.kind == BlockKind::Scale);
        if let Some(targets) = &statement.targets {
            self.bind(targets, statement.kind_span(), outcome.clone());
        } else if let (Some(label), Some(outcome), false) = (&statement.label, &outcome, scale) {
            self.scope.bind(&label.text, Thing::Map(outcome.flow.clone()));
        }
        outcome
    }

    /// Executes the statements of a block. With `tuple`, the last one may return several values.
    pub(super) fn statements(
        &mut self,
        body: &'m [Statement],
        flow: Option<Flow>,
        tuple: bool,
    ) -> Option<Outcome> {
        let mut outcome = flow.map(Outcome::one);
        let last = body.len().wrapping_sub(1);
        for (i, statement) in body.iter().enumerate() {
            if let Some(call) = ends(statement) {
                self.misplaced_end(call);
                continue;
            }
            self.steps += 1;
            self.too_many(statement.span());
            if self.halted {
                return None;
            }
            let flow = outcome.as_ref().map(|outcome| outcome.flow.clone());
            outcome = match &statement.kind {
                Kind::Values(values, _) if tuple && i == last => self.tuple(values, flow),
                _ => self.statement(statement, flow),
            };
        }
        // Only an expression without names, or a list of values, makes a block return several values.
        match body.last().map(|statement| (&statement.kind, &statement.targets)) {
            Some((Kind::Values(..), _)) | Some((Kind::Value(_), None)) if tuple => outcome,
            _ => outcome.map(|outcome| Outcome::one(outcome.flow)),
        }
    }

    /// Evaluates `(value, value)` at the end of a block.
    fn tuple(&mut self, values: &'m [Expr], flow: Option<Flow>) -> Option<Outcome> {
        let maps: Vec<Option<Flow>> =
            values.iter().map(|value| self.map(value, flow.as_ref(), Naming::Layer)).collect();
        let maps = maps.into_iter().collect::<Option<Vec<Flow>>>()?;
        let flow = maps.last().cloned()?;
        Some(Outcome { flow, tuple: Some(maps) })
    }

    /// A layer or block applied to the previous value, or the name of a value.
    fn plain(
        &mut self,
        statement: &'m Statement,
        call: &'m Call,
        flow: Option<Flow>,
    ) -> Option<Outcome> {
        let text = call.name.text.as_str();
        let Some(layer) = layer(text) else {
            if self.definition(text).is_some() {
                return self.labelled(statement, Naming::Layer, |walk, naming| {
                    walk.apply(call, flow, naming)
                });
            }
            return self.apply_or_name(call, flow);
        };
        let label = statement.label.as_ref().unwrap_or(&call.name);
        // Only layers with weights need a unique name.
        if layer.has_weights || statement.label.is_some() {
            self.claim(&label.text, label.span, statement.label.is_none());
        }
        if layer.terminal && !std::mem::take(&mut self.ending) {
            self.misplaced_end(call);
            return None;
        }
        self.layer(layer, Some(&label.text), call, flow).map(Outcome::one)
    }

    /// A word that is not a layer: a value, or an error.
    fn apply_or_name(&mut self, call: &'m Call, flow: Option<Flow>) -> Option<Outcome> {
        let name = &call.name;
        let value = self.is_value(name);
        if !value || !call.args.is_empty() {
            return self.apply(call, flow, Naming::Layer);
        }
        self.name(name).map(Outcome::one)
    }

    /// Evaluates an expression under the statement's label, or under the name of its value.
    fn value(
        &mut self,
        statement: &'m Statement,
        expr: &'m Expr,
        flow: Option<Flow>,
    ) -> Option<Outcome> {
        let naming = match &statement.label {
            Some(_) if self.weighted(expr) == 1 => Naming::Path,
            _ => Naming::Layer,
        };
        self.labelled(statement, naming, |walk, naming| walk.values(expr, flow.as_ref(), naming))
    }

    /// Runs a function under the statement's label, or under the single name of its value.
    fn labelled(
        &mut self,
        statement: &'m Statement,
        naming: Naming,
        run: impl FnOnce(&mut Self, Naming) -> Option<Outcome>,
    ) -> Option<Outcome> {
        let target = match &statement.targets {
            Some(Targets { names, tuple: false }) => names.first(),
            _ => None,
        };
        // The path of a labeled block is the label.
        let naming = match (&statement.label, &statement.kind) {
            (Some(_), Kind::Layer(_)) => Naming::Path,
            _ => naming,
        };
        let Some(label) = statement.label.as_ref().or(target) else { return run(self, naming) };
        let weights = match &statement.kind {
            Kind::Value(expr) => self.weighted(expr) > 0,
            _ => true,
        };
        if weights || statement.label.is_some() {
            self.claim(&label.text, label.span, false);
        }
        self.build.enter(Some(&label.text), label.span);
        self.build.labels.push(BTreeMap::new());
        let result = run(self, naming);
        self.build.labels.pop();
        self.build.leave(Some(&label.text));
        result
    }

    /// Records a name as used in the current block. Reports an error if it is already used.
    pub(super) fn claim(&mut self, name: &str, span: Span, by_default: bool) {
        let Some(labels) = self.build.labels.last_mut() else { return };
        if let Some(&first) = labels.get(name) {
            let twice = Diagnostic::error(span, format!("`{name}` is already used in this block"))
                .also(first, "first used here");
            self.diagnostics.push(match by_default {
                true => twice
                    .help("give each a statement and a label of its own, such as `second: ...`"),
                false => twice.help("choose another label"),
            });
            return;
        }
        labels.insert(name.to_string(), span);
    }

    /// Stops if the graph is too large.
    pub(super) fn too_many(&mut self, span: Span) {
        let (what, most) = match self.build.graph.nodes().len() > MAX_NODES {
            true => ("layers", MAX_NODES),
            false if self.steps > MAX_STATEMENTS => ("statements", MAX_STATEMENTS),
            false => return,
        };
        if !std::mem::replace(&mut self.halted, true) {
            let wrong = format!("the model has more than {most} {what}");
            self.diagnostics.push(Diagnostic::error(span, wrong).help("repeat fewer times"));
        }
    }

    fn block(
        &mut self,
        statement: &'m Statement,
        block: &'m Block,
        flow: Option<Flow>,
    ) -> Option<Outcome> {
        if let Some(label) = &statement.label {
            self.claim(&label.text, label.span, false);
            self.build.path.push(label.text.clone());
            self.build.labels.push(BTreeMap::new());
        } else if block.kind == BlockKind::Repeat {
            // Repeats without a label are named only by their numbers, so a second one needs a label.
            self.claim("repeat", block.span, true);
        }
        if block.body.is_empty() {
            self.diagnostics.push(
                Diagnostic::error(block.span, "this block is empty").help("add a layer to it"),
            );
        }
        self.scope.open(false);
        let result = match block.kind {
            BlockKind::Plain => self.statements(&block.body, flow, false).map(|o| o.flow),
            BlockKind::Repeat => self.repeat(block, flow),
            BlockKind::Residual => self.residual(block, flow),
            BlockKind::Collect => self.collect(block, flow),
            BlockKind::Scale => self.scale(statement.label.as_ref(), block, flow),
        };
        self.scope.close();
        if statement.label.is_some() {
            self.build.path.pop();
            self.build.labels.pop();
        }
        // The carried values are bound outside the block.
        if let Some((names, values)) = self.carried.take() {
            for (name, value) in names.iter().zip(values) {
                self.scope.bind(&name.text, Thing::Map(value));
            }
        }
        result.map(Outcome::one)
    }

    fn repeat(&mut self, block: &'m Block, mut flow: Option<Flow>) -> Option<Flow> {
        let expr = block.count.as_ref()?;
        let numbers = self.scope.numbers();
        let count = match evaluate(expr, &numbers) {
            Ok(count @ 1..=MAX_REPEAT) => count,
            Ok(count) => {
                let wrong = format!("a block cannot be repeated {count} times");
                let wrong = Diagnostic::error(expr.span(), wrong)
                    .help(format!("expected 1 to {MAX_REPEAT}"));
                self.diagnostics.push(with_values(wrong, expr, &numbers));
                1
            }
            Err(diagnostic) => {
                self.diagnostics.push(diagnostic);
                1
            }
        };
        let mut values: Vec<Flow> = Vec::new();
        for name in &block.with {
            if name.text == "image" {
                let wrong = "`image` is reserved: it always means the model's image";
                let wrong = Diagnostic::error(name.span, wrong).help("carry another value");
                self.diagnostics.push(wrong);
                return None;
            }
            values.push(self.name(name)?);
        }
        if let Some(last) = values.last() {
            flow = Some(last.clone());
        }
        let before = self.complaints();
        for i in 0..count.min(self.most) {
            self.build.path.push(i.to_string());
            self.build.labels.push(BTreeMap::new());
            self.scope.open(false);
            for (name, value) in block.with.iter().zip(&values) {
                self.scope.bind(&name.text, Thing::Map(value.clone()));
            }
            let outcome = self.statements(&block.body, flow, !block.with.is_empty());
            self.scope.close();
            self.build.labels.pop();
            self.build.path.pop();
            // An error in one repeat would be found in each; report it once. After an error nothing is built,
            // so the limit on nodes would not end nested repeats.
            let outcome = outcome.filter(|_| self.complaints() == before && !self.halted)?;
            flow = Some(outcome.flow.clone());
            if !block.with.is_empty() {
                values = self.next_values(block, outcome)?;
            }
        }
        if !block.with.is_empty() {
            self.carried = Some((&block.with, values));
        }
        flow
    }

    /// The values that one repeat passes to the next.
    fn next_values(&mut self, block: &'m Block, outcome: Outcome) -> Option<Vec<Flow>> {
        let values = outcome.all();
        if values.len() == block.with.len() {
            return Some(values);
        }
        let (have, want) = (values.len(), block.with.len());
        let span = block.body.last().map_or(block.span, Statement::span);
        let names: Vec<&str> = block.with.iter().map(|name| name.text.as_str()).collect();
        let values = if have == 1 { "value" } else { "values" };
        let wrong = format!("this block ends with {have} {values}, expected {want}");
        let help = format!("end it with `({})`, the values for the next repeat", names.join(", "));
        let wrong = Diagnostic::error(span, wrong).also(block.keyword.span, "repeated here");
        self.diagnostics.push(wrong.help(help));
        None
    }

    /// The number of errors so far.
    fn complaints(&self) -> usize {
        self.diagnostics.len() + self.build.diagnostics.len()
    }

    fn residual(&mut self, block: &'m Block, flow: Option<Flow>) -> Option<Flow> {
        let inner = self.statements(&block.body, flow.clone(), false).map(|o| o.flow);
        let (flow, inner) = (flow?, inner?);
        if flow.raw {
            let wrong = Diagnostic::error(block.keyword.span, "a residual block cannot be first")
                .remark("it would add the pixel that it predicts")
                .help("begin with `masked_conv(7 x 7, A, features)`");
            self.diagnostics.push(wrong);
            return None;
        }
        if flow.features != inner.features {
            let (enter, end) = (flow.features, inner.features);
            let last = block.body.last().map_or(block.span, Statement::span);
            self.diagnostics.push(
                Diagnostic::error(last, format!("this branch ends with {end} features"))
                    .also(block.keyword.span, format!("{enter} features enter the block"))
                    .help(format!("end it with `masked_conv(1 x 1, B, {enter})`")),
            );
            return None;
        }
        self.build.enter(Some("sum"), block.keyword.span);
        let sum = self.build.push(Add, &[flow.value, inner.value], flow.features);
        self.build.leave(Some("sum"));
        sum.ok()
    }

    fn collect(&mut self, block: &'m Block, flow: Option<Flow>) -> Option<Flow> {
        self.build.open_collect();
        let mut end = self.statements(&block.body, flow, false).map(|o| o.flow);
        let taps = self.build.close_collect();
        if taps.is_empty() && end.is_some() {
            self.diagnostics.push(
                Diagnostic::error(block.keyword.span, "no skip connections in this block")
                    .help("add `skip(features);` after the blocks inside it"),
            );
            return None;
        }
        for (tap, span) in taps {
            let flow = end?;
            if tap.features != flow.features {
                let (have, want) = (tap.features, flow.features);
                self.diagnostics.push(
                    Diagnostic::error(span, format!("this skip connection has {have} features"))
                        .also(block.keyword.span, format!("the block ends with {want} features"))
                        .help(format!("write `skip({want})`")),
                );
                return None;
            }
            self.build.enter(Some("skip_sum"), span);
            end = self.build.push(Add, &[flow.value, tap.value], flow.features).ok();
            self.build.leave(Some("skip_sum"));
        }
        end
    }

    /// `scale name: every n { ... }`: a model of a smaller image. Returns the value from before the scale.
    fn scale(
        &mut self,
        name: Option<&'m Ident>,
        block: &'m Block,
        flow: Option<Flow>,
    ) -> Option<Flow> {
        let (name, expr) = (name?, block.count.as_ref()?);
        if self.build.path.len() > 1 || self.calls > 0 {
            let wrong = "a scale is not allowed inside a block";
            let help = "move it before the layers of the whole image";
            self.diagnostics.push(Diagnostic::error(block.keyword.span, wrong).help(help));
            return None;
        }
        if flow.as_ref().is_some_and(|flow| !flow.raw) {
            let wrong = "a scale must come before the layers";
            let help = "move it before the layers of the whole image";
            self.diagnostics.push(Diagnostic::error(block.keyword.span, wrong).help(help));
            return None;
        }
        let factor = self.factor(expr)?;
        let before = self.build.begin_scale(factor);
        let start = self.build.start();
        self.scope.open(true);
        self.scale_body(&block.body, start, name.span, &name.text);
        self.scope.close();
        self.build.end_scale(&name.text, factor, before);
        flow
    }

    /// The distance between two pixels of a scale. It must be smaller than that of the previous scale, and
    /// divide the height and width of the image.
    fn factor(&mut self, expr: &Expr) -> Option<usize> {
        let numbers = self.scope.numbers();
        let factor = match evaluate(expr, &numbers) {
            Ok(factor) => factor,
            Err(diagnostic) => {
                self.diagnostics.push(diagnostic);
                return None;
            }
        };
        let Image { height, width, .. } = self.build.whole();
        let before = self.build.scales.last().map(|scale| scale.factor);
        let divides = factor > 0 && height % factor == 0 && width % factor == 0;
        let wrong = match before {
            _ if factor < 2 => format!("every {factor} pixels is the whole image"),
            _ if !divides => format!("{factor} does not divide an image of {height} x {width}"),
            Some(before) if factor >= before => {
                format!("a scale of every {factor} pixels comes after one of every {before}")
            }
            _ => return Some(factor),
        };
        let help = match before {
            Some(_) if divides && factor >= 2 => "declare the smallest scale first",
            _ => "expected a number of at least 2 that divides the height and width of the image",
        };
        let wrong = Diagnostic::error(expr.span(), wrong).help(help);
        self.diagnostics.push(with_values(wrong, expr, &numbers));
        None
    }
}
