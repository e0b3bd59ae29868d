//! Translates a syntax tree to graphs of the pixel IR, given the values of the hyper-parameters.

mod arguments;
mod build;
mod names;
mod scope;
mod values;
mod walk;

use std::collections::BTreeMap;

use pixelrnn_graph::{Condition, Diagnostic, Role};
use pixelrnn_ops::condition::Source;
use pixelrnn_ops::{ConditionKind, PixelGraph};
use pixelrnn_passes::Scale;

use crate::ast::{BlockKind, Expr, Ident, Kind, Model, Statement};
use crate::evaluate::{defaults, evaluate, with_values};
use crate::layers::layer;
use crate::suggest::closest;

pub use arguments::Arguments;
pub use build::{Build, ErrorReported, Flow};

/// The size of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// The number of rows.
    pub height: usize,
    /// The number of columns.
    pub width: usize,
    /// The number of colors, 1 to 4.
    pub colours: usize,
    /// The number of levels, at least 2.
    pub levels: usize,
}

impl Image {
    /// The number of values: height times width times colors.
    pub fn values(&self) -> usize {
        self.height * self.width * self.colours
    }
}

/// An elaborated declaration, in which all settings have values.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// The name of the model.
    pub name: String,
    /// The doc comment, line by line.
    pub doc: String,
    /// The values of the hyper-parameters in the order of the declaration, then those of the image's
    /// settings.
    pub settings: Vec<(String, usize)>,
    /// The size of the image.
    pub image: Image,
    /// The inputs that the model reads but does not predict, by name, in the order of the declaration.
    pub conditions: Vec<(String, ConditionKind)>,
    /// A graph for each scale, the image itself last. Inputs: the levels `image [N, C, H, W]`, the
    /// conditions, the parameters. Output: the parameters of the image's distribution.
    pub scales: Vec<Scale>,
}

/// The settings of the image, which every model has besides its hyper-parameters.
pub const IMAGE_SETTINGS: [&str; 4] = ["height", "width", "colours", "levels"];

/// Names that a hyper-parameter must not have: settings of the image, and keys that exported files use
/// otherwise.
const RESERVED: [&str; 14] = [
    "height",
    "width",
    "colours",
    "colors",
    "levels",
    "image",
    "model",
    "graph",
    "temperature",
    "complete",
    "condition",
    "dtype",
    "layout",
    "outputs",
];

/// Names of inputs and outputs of a model's graphs, which a condition or a scale must not have.
const ENDS: [&str; 12] = [
    "uniform",
    "given",
    "mask",
    "begun",
    "learning_rate",
    "beta1_power",
    "beta2_power",
    "ema_steps",
    "loss",
    "nll",
    "logits",
    "image",
];

const MAX_SIDE: usize = 4096;
const MAX_LEVELS: usize = 1 << 16;
pub(crate) const MAX_REPEAT: usize = 4096;
/// The largest number of nodes of a declaration. Larger numbers are most likely typing errors and would use
/// up memory.
const MAX_NODES: usize = 20_000;
/// The largest number of statements that are executed in blocks. If blocks call blocks, this number doubles
/// with each level, even if no nodes are added.
const MAX_STATEMENTS: usize = 100_000;

/// Why a model cannot be built with these settings.
#[derive(Clone, Debug, PartialEq)]
pub enum ElaborateError {
    /// A setting that the model does not have, or an invalid value. It has no position in the source.
    Setting {
        /// The setting.
        name: String,
        /// What is wrong with it.
        message: String,
    },
    /// Errors in the text.
    Text(Vec<Diagnostic>),
}

/// Reports images that no output depends on. Each scale must read its own image, and each smaller scale must
/// be read by a later one.
fn unread(model: &Model, scales: &[Scale]) -> Vec<Diagnostic> {
    let reads = |graph: &PixelGraph, role: Role| {
        let live = graph.live_nodes();
        graph.input_as(role).is_some_and(|input| {
            let mut nodes = graph.nodes().filter(|(id, _)| live[id.index()]);
            nodes.any(|(_, node)| node.inputs.contains(&input.value))
        })
    };
    let mut found = Vec::new();
    for (i, scale) in scales.iter().enumerate() {
        let labels = model.body.iter().filter_map(|statement| statement.label.as_ref());
        let label = labels.clone().find(|label| label.text == scale.name);
        let span = label.map_or(model.name.span, |label| label.span);
        if !reads(&scale.graph, Role::Image) {
            let wrong = Diagnostic::error(span, "no layer reads the image");
            found.push(
                wrong.remark("a layer without a map of its own reads the result of the statement before it")
                    .help("begin the model's layers with `image`, as in `stem: image.masked_conv(...)`"),
            );
        }
        let role = Role::Condition(Condition::Scale { factor: scale.factor });
        if scale.factor > 1 && !scales[i + 1..].iter().any(|later| reads(&later.graph, role)) {
            let name = &scale.name;
            let wrong = Diagnostic::error(span, format!("no layer reads the scale `{name}`"));
            let factor = scale.factor;
            let help =
                format!("bring it to full size: `{name}.deconv({factor} x {factor}, features)`");
            found.push(wrong.help(help));
        }
    }
    found
}

/// Builds the graphs of a model with some settings overridden.
///
/// # Errors
/// [`ElaborateError`] for a setting that the model does not have, or with all errors in the text.
pub fn elaborate(model: &Model, overrides: &[(String, usize)]) -> Result<Declared, ElaborateError> {
    elaborate_shortened(model, overrides, MAX_REPEAT)
}

/// Like [`elaborate`], but repeats no block more than `most` times.
pub(crate) fn elaborate_shortened(
    model: &Model,
    overrides: &[(String, usize)],
    most: usize,
) -> Result<Declared, ElaborateError> {
    let overrides: BTreeMap<&str, usize> =
        overrides.iter().map(|(n, v)| (canonical(n), *v)).collect();
    check_overrides(model, &overrides)?;
    let (values, mut diagnostics) = defaults(model);
    // A default may refer to earlier fields, whose values may be overridden.
    let mut hyper: Vec<(&str, usize)> = Vec::new();
    for (field, default) in model.fields.iter().zip(values) {
        let name = field.name.text.as_str();
        let fresh = evaluate(&field.default, &hyper).unwrap_or(default);
        hyper.push((name, overrides.get(name).copied().unwrap_or(fresh)));
    }
    names(model, &mut diagnostics);
    names::check(model, &mut diagnostics);
    let image = image(model, &hyper, &overrides, &mut diagnostics);
    let conditions = conditions(model, &hyper, &mut diagnostics);
    let Some(image) = image else { return Err(ElaborateError::Text(diagnostics)) };
    let given = conditions.iter().map(|&(name, kind)| (name.to_string(), kind)).collect();
    let mut walk = walk::Walk::new(model, image, hyper, conditions, most, diagnostics);
    walk.model();
    let (build, hyper, diagnostics) = walk.finish();
    if !diagnostics.is_empty() {
        return Err(ElaborateError::Text(diagnostics));
    }
    let mut settings: Vec<(String, usize)> =
        hyper.into_iter().map(|(n, v)| (n.to_string(), v)).collect();
    let Image { height, width, colours, levels } = image;
    for (name, value) in IMAGE_SETTINGS.iter().zip([height, width, colours, levels]) {
        settings.push(((*name).to_string(), value));
    }
    let doc = doc_text(&model.docs);
    let mut scales = build.scales;
    scales.push(Scale::whole(build.graph));
    let layers = scales.last().map(|scale| scale.graph.layers()).unwrap_or_default();
    let unread = unread(model, &scales);
    if !unread.is_empty() {
        return Err(ElaborateError::Text(unread));
    }
    for scale in &mut scales {
        scale.graph.doc.clone_from(&doc);
        scale.graph.share_layers(std::sync::Arc::clone(&layers));
    }
    Ok(Declared { name: model.name.text.clone(), doc, settings, image, conditions: given, scales })
}

/// The internal name of a setting, given either spelling.
fn canonical(name: &str) -> &str {
    if name == "colors" { "colours" } else { name }
}

/// The spelling of a setting in messages.
fn shown(name: &str) -> &str {
    if name == "colours" { "colors" } else { name }
}

/// Checks the names of hyper-parameters, conditions, blocks and scales.
fn names(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    for field in &model.fields {
        if RESERVED.contains(&field.name.text.as_str()) {
            let wrong = format!("`{}` cannot name a hyper-parameter", field.name.text);
            let remark = "every model has a setting of this name";
            let wrong = Diagnostic::error(field.name.span, wrong).remark(remark);
            diagnostics.push(wrong.help("choose another name"));
        }
    }
    let own = model.definitions.iter().map(|definition| (&definition.name, "the block"));
    let conditions = model.conditions.iter().map(|condition| (&condition.name, "the condition"));
    let is_scale = |s: &&Statement| matches!(&s.kind, Kind::Block(b) if b.kind == BlockKind::Scale);
    let scales = model.body.iter().filter(is_scale);
    let scales = scales.filter_map(|s| s.label.as_ref()).map(|label| (label, "the scale"));
    let parameters = model.definitions.iter().flat_map(|definition| &definition.parameters);
    for name in parameters.filter(|name| name.text == "image") {
        let wrong =
            Diagnostic::error(name.span, "`image` is reserved: it always means the model's image");
        diagnostics.push(wrong.help("give the parameter another name"));
    }
    let mut seen: Vec<&Ident> = Vec::new();
    for (name, what) in conditions.chain(own).chain(scales) {
        let text = name.text.as_str();
        let field = model.fields.iter().find(|field| field.name.text == text);
        let end = what != "the block" && ENDS.contains(&text);
        let taken = layer(text).is_some() || text == "image" || end;
        if let Some(first) = seen.iter().find(|first| first.text == text) {
            let wrong = Diagnostic::error(name.span, format!("`{text}` is declared twice"));
            let wrong = wrong.also(first.span, "first declared here");
            diagnostics.push(wrong.help(format!("give {what} another name")));
            continue;
        }
        seen.push(name);
        if let Some(field) = field {
            let wrong = format!("`{text}` is already a hyper-parameter");
            let wrong = Diagnostic::error(name.span, wrong).also(field.name.span, "declared here");
            diagnostics.push(wrong.help(format!("give {what} another name")));
        } else if taken {
            let wrong = format!("`{text}` is a reserved name");
            let wrong = Diagnostic::error(name.span, wrong);
            diagnostics.push(wrong.help(format!("give {what} another name")));
        }
    }
}

/// The conditions with their numbers.
fn conditions<'m>(
    model: &'m Model,
    hyper: &[(&str, usize)],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(&'m str, ConditionKind)> {
    let mut all = Vec::new();
    for condition in &model.conditions {
        let (kind, number) = (condition.kind, &condition.number);
        // After an error in the number, the condition is still known, so that there are no further errors.
        let value = evaluate(number, hyper);
        let fits = |n: &usize| (1..=kind.most()).contains(n);
        let used = value.as_ref().ok().copied().filter(fits).unwrap_or(1);
        all.push((condition.name.text.as_str(), kind.with_number(used)));
        match value {
            Ok(n) if fits(&n) => {}
            Ok(n) => {
                let wrong = format!("`{}` cannot be {n}", kind.name());
                let wrong = Diagnostic::error(number.span(), wrong);
                let wrong = wrong.help(format!("expected 1 to {}", kind.most()));
                diagnostics.push(with_values(wrong, number, hyper));
            }
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    let mut labels = model.conditions.iter().filter(|c| c.kind.source() == Source::Labels);
    if let (Some(first), Some(second)) = (labels.next(), labels.next()) {
        let wrong = Diagnostic::error(second.name.span, "a model may have only one label")
            .also(first.name.span, "declared here");
        diagnostics.push(wrong.help("remove one of them"));
    }
    all
}

/// Joins the lines of a doc comment to a text, without the space after `///`.
pub fn doc_text(lines: &[String]) -> String {
    let line = |l: &String| l.strip_prefix(' ').unwrap_or(l).trim_end().to_string();
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn check_overrides(model: &Model, overrides: &BTreeMap<&str, usize>) -> Result<(), ElaborateError> {
    let fields: Vec<&str> = model.fields.iter().map(|f| f.name.text.as_str()).collect();
    for &name in overrides.keys() {
        if !fields.contains(&name) && !IMAGE_SETTINGS.contains(&name) {
            let all = fields.iter().copied().chain(IMAGE_SETTINGS);
            let known: Vec<&str> = all.clone().map(shown).collect();
            let hint = match closest(name, all) {
                Some(near) => format!("did you mean `{}`?", shown(near)),
                None => format!("its hyper-parameters are: {}", known.join(", ")),
            };
            let message = format!("{} has no hyper-parameter `{name}`; {hint}", model.name.text);
            return Err(ElaborateError::Setting { name: name.to_string(), message });
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
        let wrong = Diagnostic::error(expr.span(), format!("`{}` cannot be {value}", shown(name)));
        let wrong = wrong.help(format!("expected {least} to {most}"));
        diagnostics.push(with_values(wrong, expr, scope));
        None
    };
    let height = number("height", &model.image.height, 1, MAX_SIDE);
    let width = number("width", &model.image.width, 1, MAX_SIDE);
    let colours = number("colours", &model.image.colours, 1, 4);
    let levels = number("levels", &model.image.levels, 2, MAX_LEVELS);
    Some(Image { height: height?, width: width?, colours: colours?, levels: levels? })
}
