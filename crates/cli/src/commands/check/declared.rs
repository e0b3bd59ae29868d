//! The report on a declaration.

use pixelrnn::internal::passes::{CausalityError, verify_causality};
use pixelrnn::{Declaration, Error};

use super::Report;
use crate::exit::Failure;
use crate::model;
use crate::out::Out;

/// Proves a model, or tells why not.
pub fn report(name: &str, model: &Declaration, out: &Out) -> Result<Report, Failure> {
    let mut report = Report {
        name: name.to_string(),
        facts: facts(model),
        parameters: model.parameters(),
        path: Vec::new(),
        diagnostic: None,
        causality: match verify_causality(model.graph()) {
            Ok(proof) => proof.causality().clone(),
            Err(CausalityError::Leak(causality)) => *causality,
            Err(other) => return Err(Error::Causality(other).into()),
        },
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
        // The scaling of the levels bears the image's name, too.
        if report.path.last() != Some(&input) {
            report.path.push(input);
        }
        // The proof knows the place in the text; an answer here, not an error.
        if let Err(Error::Model { text, diagnostics }) = model.prove() {
            report.diagnostic = Some(pixelrnn::render(&text, &diagnostics, out.colour()));
        }
    }
    Ok(report)
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
    if let (Some(input), Some(output)) = (graph.inputs().first(), graph.outputs().first()) {
        facts.push(("input", format!("{} [{}]", input.name, shape(input.value))));
        facts.push(("output", format!("{} [{}]", output.name, shape(output.value))));
    }
    facts
}
