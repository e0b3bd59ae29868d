//! From a syntax tree to a graph of the pixel IR, once hyper-parameters are numbers.

mod arguments;
mod build;

use std::collections::BTreeMap;

use pixelrnn_graph::{Diagnostic, Span};
use pixelrnn_ops::{Add, PixelGraph};

use crate::ast::{Block, BlockKind, Call, Expr, Kind, Model, Statement};
use crate::evaluate::{defaults, evaluate, with_values};
use crate::layers::{LAYERS, layer};
use crate::suggest::closest;

pub use arguments::Arguments;
pub use build::{Build, Flow, Refused};

/// The size of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    pub height: usize,
    pub width: usize,
    /// 1 to 4.
    pub colours: usize,
    /// At least 2.
    pub levels: usize,
}

impl Image {
    /// The number of values: height times width times colours.
    pub fn values(&self) -> usize {
        self.height * self.width * self.colours
    }
}

/// A declaration with all its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub name: String,
    /// The doc comment, line by line.
    pub doc: String,
    /// Hyper-parameters in the order of the declaration, then the image's, as they are used.
    pub settings: Vec<(String, usize)>,
    pub image: Image,
    /// Input `image [N, C, H, W]` of levels, the parameters, output `logits`.
    pub graph: PixelGraph,
}

/// The settings beside hyper-parameters: they change what the line `image` says.
pub const IMAGE_SETTINGS: [&str; 4] = ["height", "width", "colours", "levels"];

const MAX_SIDE: usize = 4096;
const MAX_LEVELS: usize = 1 << 16;
pub(crate) const MAX_REPEAT: usize = 4096;
/// Nodes of a declaration; more is a slip of the pen, and would only cost the user's memory.
const MAX_NODES: usize = 20_000;

/// Why a model cannot be built with these settings.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// A setting that the model does not have, or that does not suit; there is no place in the text.
    Setting { name: String, message: String },
    /// Something in the text.
    Text(Vec<Diagnostic>),
}

/// Builds the graph of a model with some settings changed.
///
/// # Errors
/// A setting that the model does not have, or all that is wrong in the text.
pub fn elaborate(model: &Model, overrides: &[(String, usize)]) -> Result<Declared, Trouble> {
    elaborate_shortened(model, overrides, MAX_REPEAT)
}

/// [`elaborate`], but no block is repeated more than `most` times.
pub(crate) fn elaborate_shortened(
    model: &Model,
    overrides: &[(String, usize)],
    most: usize,
) -> Result<Declared, Trouble> {
    let overrides: BTreeMap<&str, usize> =
        overrides.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    check_overrides(model, &overrides)?;
    let (values, mut diagnostics) = defaults(model);
    // Defaults may name earlier fields, whose values may have been changed.
    let mut scope: Vec<(&str, usize)> = Vec::new();
    for (field, default) in model.fields.iter().zip(values) {
        let name = field.name.text.as_str();
        let fresh = evaluate(&field.default, &scope).unwrap_or(default);
        scope.push((name, overrides.get(name).copied().unwrap_or(fresh)));
    }
    let image = image(model, &scope, &overrides, &mut diagnostics);
    let Some(image) = image else { return Err(Trouble::Text(diagnostics)) };
    let build = Build::new(&model.name.text, image);
    let mut walk = Walk { build, scope, most, diagnostics, halted: false, misplaced: false };
    walk.model(model);
    let Walk { mut build, scope, mut diagnostics, .. } = walk;
    diagnostics.append(&mut build.diagnostics);
    if !diagnostics.is_empty() {
        return Err(Trouble::Text(diagnostics));
    }
    let mut settings: Vec<(String, usize)> =
        scope.into_iter().map(|(n, v)| (n.to_string(), v)).collect();
    let Image { height, width, colours, levels } = image;
    for (name, value) in IMAGE_SETTINGS.iter().zip([height, width, colours, levels]) {
        settings.push(((*name).to_string(), value));
    }
    let doc = doc_text(&model.docs);
    let mut graph = build.graph;
    graph.doc.clone_from(&doc);
    Ok(Declared { name: model.name.text.clone(), doc, settings, image, graph })
}

/// Doc lines as text: the space behind `///` goes.
pub fn doc_text(lines: &[String]) -> String {
    let line = |l: &String| l.strip_prefix(' ').unwrap_or(l).trim_end().to_string();
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn check_overrides(model: &Model, overrides: &BTreeMap<&str, usize>) -> Result<(), Trouble> {
    let fields: Vec<&str> = model.fields.iter().map(|f| f.name.text.as_str()).collect();
    for &name in overrides.keys() {
        if !fields.contains(&name) && !IMAGE_SETTINGS.contains(&name) {
            let all = fields.iter().copied().chain(IMAGE_SETTINGS);
            let known: Vec<&str> = all.clone().collect();
            let hint = match closest(name, all) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", known.join(", ")),
            };
            let message = format!("{} has no setting `{name}`; {hint}", model.name.text);
            return Err(Trouble::Setting { name: name.to_string(), message });
        }
    }
    Ok(())
}

fn image(
    model: &Model,
    scope: &[(&str, usize)],
    overrides: &BTreeMap<&str, usize>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Image> {
    let mut number = |name: &str, expr: &Expr, least: usize, most: usize| -> Option<usize> {
        let value = match overrides.get(name) {
            Some(&value) => value,
            None => match evaluate(expr, scope) {
                Ok(value) => value,
                Err(diagnostic) => {
                    diagnostics.push(diagnostic);
                    return None;
                }
            },
        };
        if (least..=most).contains(&value) {
            return Some(value);
        }
        let wrong = Diagnostic::error(expr.span(), format!("`{name}` cannot be {value}"));
        let wrong = wrong.help(format!("it is {least} to {most}"));
        diagnostics.push(with_values(wrong, expr, scope));
        None
    };
    let height = number("height", &model.image.height, 1, MAX_SIDE);
    let width = number("width", &model.image.width, 1, MAX_SIDE);
    let colours = number("colours", &model.image.colours, 1, 4);
    let levels = number("levels", &model.image.levels, 2, MAX_LEVELS);
    Some(Image { height: height?, width: width?, colours: colours?, levels: levels? })
}

struct Walk<'m> {
    build: Build,
    scope: Vec<(&'m str, usize)>,
    /// Repeats beyond this are left out.
    most: usize,
    diagnostics: Vec<Diagnostic>,
    /// Set once the graph grew too large: nothing more is built or said.
    halted: bool,
    /// Whether `logits` stood in a block: then it is not missing, too.
    misplaced: bool,
}

impl<'m> Walk<'m> {
    fn model(&mut self, model: &'m Model) {
        let start = self.build.start();
        let mut flow = Some(start);
        let last = model.body.len().wrapping_sub(1);
        self.build.labels.push(BTreeMap::new());
        for (i, statement) in model.body.iter().enumerate() {
            if self.halted {
                return;
            }
            if let Kind::Layer(call) = &statement.kind
                && call.name.text == "logits"
                && i != last
            {
                let next = model.body[i + 1].span();
                self.diagnostics.push(
                    Diagnostic::error(next, "nothing may follow `logits`")
                        .also(call.name.span, "the model ends here")
                        .help("move `logits;` to the end"),
                );
                self.statement(statement, flow);
                return;
            }
            flow = self.statement(statement, flow);
        }
        let ends = matches!(
            model.body.last().map(|s| &s.kind),
            Some(Kind::Layer(c)) if c.name.text == "logits"
        );
        if !ends && !self.misplaced {
            self.diagnostics.push(
                Diagnostic::error(model.name.span, format!("`{}` has no output", model.name.text))
                    .help("end the declaration with `logits;`"),
            );
        }
    }

    /// One statement. Without a flow (something before it was wrong) it is checked, not built.
    fn statement(&mut self, statement: &'m Statement, flow: Option<Flow>) -> Option<Flow> {
        match &statement.kind {
            Kind::Layer(call) => self.call(statement, call, flow),
            Kind::Block(block) => self.block(statement, block, flow),
        }
    }

    fn statements(&mut self, body: &'m [Statement], mut flow: Option<Flow>) -> Option<Flow> {
        for statement in body {
            if let Kind::Layer(call) = &statement.kind
                && call.name.text == "logits"
            {
                self.diagnostics.push(
                    Diagnostic::error(call.name.span, "`logits` may not stand inside a block")
                        .help("it is the last line of the whole declaration"),
                );
                self.misplaced = true;
                continue;
            }
            if self.halted {
                return None;
            }
            flow = self.statement(statement, flow);
        }
        flow
    }

    fn call(&mut self, statement: &Statement, call: &Call, flow: Option<Flow>) -> Option<Flow> {
        let Some(layer) = layer(&call.name.text) else {
            self.unknown_layer(call);
            return None;
        };
        let label = statement.label.as_ref().unwrap_or(&call.name);
        // Layers without weights need no name of their own.
        if layer.has_weights || statement.label.is_some() {
            self.claim(&label.text, label.span, statement.label.is_none());
        }
        let arguments = Arguments::read(layer, call, &self.scope, &mut self.diagnostics);
        let (arguments, flow) = (arguments?, flow?);
        self.build.enter(&label.text, call.span);
        let result = (layer.build)(&mut self.build, &arguments, flow);
        self.build.leave();
        if self.build.graph.nodes().len() > MAX_NODES && !self.halted {
            self.halted = true;
            self.diagnostics.push(
                Diagnostic::error(call.span, format!("the model has more than {MAX_NODES} layers"))
                    .help("repeat less"),
            );
        }
        result.ok()
    }

    fn unknown_layer(&mut self, call: &Call) {
        let name = &call.name.text;
        let unknown = Diagnostic::error(call.name.span, format!("there is no layer `{name}`"));
        let names = LAYERS.iter().map(|l| l.name);
        self.diagnostics.push(match closest(name, names.clone()) {
            Some(near) => unknown.help(format!("did you mean `{near}`?")),
            None => unknown.help(format!("there are: {}", names.collect::<Vec<_>>().join(", "))),
        });
    }

    /// Takes a name in the current block.
    fn claim(&mut self, name: &str, span: Span, by_default: bool) {
        let Some(labels) = self.build.labels.last_mut() else { return };
        if let Some(&first) = labels.get(name) {
            let twice = Diagnostic::error(span, format!("`{name}` is already used in this block"))
                .also(first, "first used here");
            self.diagnostics.push(match by_default {
                true => twice.help("give each its own label, such as `second: ...`"),
                false => twice.help("choose another label"),
            });
            return;
        }
        labels.insert(name.to_string(), span);
    }

    fn block(
        &mut self,
        statement: &'m Statement,
        block: &'m Block,
        flow: Option<Flow>,
    ) -> Option<Flow> {
        if let Some(label) = &statement.label {
            self.claim(&label.text, label.span, false);
            self.build.path.push(label.text.clone());
            self.build.labels.push(BTreeMap::new());
        }
        if block.body.is_empty() {
            self.diagnostics.push(
                Diagnostic::error(block.span, "this block is empty").help("put a layer into it"),
            );
        }
        let result = match block.kind {
            BlockKind::Plain => self.statements(&block.body, flow),
            BlockKind::Repeat => self.repeat(block, flow),
            BlockKind::Residual => self.residual(block, flow),
            BlockKind::Collect => self.collect(block, flow),
        };
        if statement.label.is_some() {
            self.build.path.pop();
            self.build.labels.pop();
        }
        result
    }

    fn repeat(&mut self, block: &'m Block, mut flow: Option<Flow>) -> Option<Flow> {
        let expr = block.count.as_ref()?;
        let count = match evaluate(expr, &self.scope) {
            Ok(count @ 1..=MAX_REPEAT) => count,
            Ok(count) => {
                let wrong = format!("a block cannot be repeated {count} times");
                let wrong = Diagnostic::error(expr.span(), wrong)
                    .help(format!("it is repeated 1 to {MAX_REPEAT} times"));
                self.diagnostics.push(with_values(wrong, expr, &self.scope));
                1
            }
            Err(diagnostic) => {
                self.diagnostics.push(diagnostic);
                1
            }
        };
        let before = self.complaints();
        for i in 0..count.min(self.most) {
            self.build.path.push(i.to_string());
            self.build.labels.push(BTreeMap::new());
            flow = self.statements(&block.body, flow);
            self.build.labels.pop();
            self.build.path.pop();
            // What is wrong once is wrong each time; say it once. Without a flow nothing grows, and
            // no limit would end repeats of repeats.
            if flow.is_none() || self.complaints() > before || self.halted {
                return None;
            }
        }
        flow
    }

    /// How much has been found wrong so far.
    fn complaints(&self) -> usize {
        self.diagnostics.len() + self.build.diagnostics.len()
    }

    fn residual(&mut self, block: &'m Block, flow: Option<Flow>) -> Option<Flow> {
        let inner = self.statements(&block.body, flow.clone());
        let (flow, inner) = (flow?, inner?);
        if flow.raw {
            let wrong = Diagnostic::error(block.keyword.span, "a residual block may not be first")
                .remark("it would add the image itself, which is to be predicted")
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
        self.build.enter("sum", block.keyword.span);
        let sum = self.build.push(Add, &[flow.value, inner.value], flow.features);
        self.build.leave();
        sum.ok()
    }

    fn collect(&mut self, block: &'m Block, flow: Option<Flow>) -> Option<Flow> {
        self.build.open_collect();
        let mut end = self.statements(&block.body, flow);
        let taps = self.build.close_collect();
        if taps.is_empty() && end.is_some() {
            self.diagnostics.push(
                Diagnostic::error(block.keyword.span, "nothing is collected in this block")
                    .help("put `skip(features);` behind the blocks inside it"),
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
            self.build.enter("skip_sum", span);
            end = self.build.push(Add, &[flow.value, tap.value], flow.features).ok();
            self.build.leave();
        }
        end
    }
}
