//! `check` for declared models.

use pixelrnn::internal::graph::Role;
use pixelrnn::internal::ops::{MaskKind, Op, PixelGraph};
use pixelrnn::{Causality, Declaration, Error};

use super::Report;
use crate::exit::Failure;
use crate::model;
use crate::out::Out;

/// Proves a model causal, or reports the leak. For a Multi-Scale model, the report is on the first
/// scale that leaks, otherwise on the full image, with one line for each scale.
pub fn report(name: &str, model: &Declaration, out: &Out) -> Result<Report, Failure> {
    let mut all = model.causality()?;
    let reported = all.iter().position(|c| !c.causal()).unwrap_or(all.len() - 1);
    let mut facts = facts(model);
    let mut scales = Vec::new();
    if all.len() > 1 {
        for (scale, causality) in model.scales().iter().zip(&all) {
            let label = if scale.name.is_empty() { "image" } else { &scale.name };
            facts.push(("scale", scale_text(label, causality)));
            scales.push((label.to_string(), causality.clone()));
        }
    }
    let mut report = Report {
        name: name.to_string(),
        facts,
        parameters: model.parameters(),
        path: Vec::new(),
        hint: hint(model),
        diagnostic: None,
        causality: all.swap_remove(reported),
        scales,
    };
    if let Some(witness) = &report.causality.witness {
        report.path = witness
            .path
            .iter()
            .map(|hop| match hop.place {
                Some((y, x)) => format!("{} ({y}, {x})", hop.layer),
                None => hop.layer.clone(),
            })
            .collect();
        let input = format!("image {}", witness.input);
        report.path.push(input);
        // The proof knows the position in the source text. In this command a leak is a result, not
        // an error.
        if let Err(Error::Model { text, diagnostics }) = model.prove() {
            report.diagnostic = Some(pixelrnn::render(&text, &diagnostics, out.colour()));
        }
    }
    Ok(report)
}

/// Points out mask A behind the first layer. There it only leaves out features of the same place, which may
/// be read, since the first layer did not read the pixel itself.
fn hint(model: &Declaration) -> Option<String> {
    let layers: Vec<String> =
        model.scales().iter().flat_map(|scale| behind_the_first(&scale.graph)).collect();
    let names: Vec<String> = layers.iter().map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| {
        format!(
            "only the layers that read the image need mask A. Mask B in {} would read more",
            names.join(", ")
        )
    })
}

/// The layers with mask A that read what another layer computed from the image, and in which no pixel
/// is at its own place any more.
fn behind_the_first(graph: &PixelGraph) -> Vec<String> {
    // Whether a value depends on the image, and whether its pixels may hold those of the image.
    let mut read = vec![false; graph.value_count()];
    let mut own = read.clone();
    for input in graph.inputs_as(|role| matches!(role, Role::Image)) {
        read[input.value.index()] = true;
        own[input.value.index()] = true;
    }
    let mut layers = Vec::new();
    for (id, node) in graph.nodes() {
        let any = |of: &[bool]| node.inputs.iter().any(|value| of[value.index()]);
        let (image, mut pixel) = (any(&read), any(&own));
        if let Op::MaskedConv(conv) = &node.op
            && conv.mask.kind == MaskKind::A
        {
            let name = graph.layer_of(id).unwrap_or(&node.name).to_string();
            if image && !pixel && !layers.contains(&name) {
                layers.push(name);
            }
            pixel = false;
        }
        for value in &node.outputs {
            read[value.index()] = image;
            own[value.index()] = pixel;
        }
    }
    layers
}

fn scale_text(name: &str, causality: &Causality) -> String {
    let verdict = if causality.causal() { "causal" } else { "NOT CAUSAL" };
    let blind = 100.0 * causality.blind_share;
    let (height, width) = (causality.height, causality.width);
    format!("{name}, {height} x {width}: {verdict}, blind spot {blind:.2} %")
}

fn facts(model: &Declaration) -> Vec<(&'static str, String)> {
    let graph = model.graph();
    let shape = |value| {
        let extents: Vec<String> = graph.ty(value).shape.iter().map(ToString::to_string).collect();
        extents.join(" x ")
    };
    let mut facts = vec![("images", model::image_text(model))];
    let settings: Vec<String> =
        model::hyper_parameters(model).map(|(name, n)| format!("{name} = {n}")).collect();
    if !settings.is_empty() {
        facts.push(("settings", settings.join(", ")));
    }
    let given = graph.inputs_as(|role| matches!(role, Role::Image | Role::Condition(_)));
    for input in given {
        facts.push(("input", format!("{} [{}]", input.name, shape(input.value))));
    }
    if let Some(output) = graph.outputs().first() {
        facts.push(("output", format!("{} [{}]", output.name, shape(output.value))));
    }
    facts
}
