//! Converts a causality error to a diagnostic at the layer at fault. It contains the path from the output
//! back to the value that it must not read, each step at its own line of the declaration.

use pixelrnn_graph::{Diagnostic, Span};
use pixelrnn_passes::{Causality, CausalityError, Hop, Place, Witness};

use crate::ast::Model;

/// The diagnostic for a model that is not causal; `None` for a model that is only too large to be proved
/// here.
pub fn leak(error: &CausalityError, model: &Model) -> Option<Diagnostic> {
    match error {
        CausalityError::Leak(causality) => {
            let witness = causality.witness.as_ref()?;
            Some(render_leak(causality, witness, model.name.span))
        }
        CausalityError::TooLarge { .. } => None,
        CausalityError::MixesBatch { span, .. } => {
            let span = span.unwrap_or(model.name.span);
            Some(Diagnostic::error(span, error.to_string()))
        }
        other => Some(Diagnostic::error(model.name.span, other.to_string())),
    }
}

fn render_leak(causality: &Causality, witness: &Witness, model: Span) -> Diagnostic {
    let colours = causality.colours;
    let one = if colours == 1 { "pixel" } else { "value" };
    let (leaking, outputs) = (causality.leaking_outputs, causality.outputs());
    let message = format!(
        "this layer leaks: {leaking} of {outputs} outputs read their own {one} or a later one"
    );
    // The scaling of the image is not a layer of the declaration.
    let path: Vec<&Hop> = witness.path.iter().filter(|hop| hop.span.is_some()).collect();
    let fault = witness.fault().and_then(|fault| match fault.span {
        Some(_) => path.iter().position(|&hop| hop == fault),
        // The scaling reads the image for the layer before it.
        None => path.len().checked_sub(1),
    });
    let span = fault.and_then(|i| path[i].span).unwrap_or(model);
    let remark = steps(&path, span, fault, witness, colours);
    let mut diagnostic = Diagnostic::error(span, message);
    if !remark.is_empty() {
        diagnostic = diagnostic.remark(remark);
    }
    let mut seen = vec![span];
    for line in path.iter().filter_map(|hop| hop.span) {
        if !seen.contains(&line) {
            seen.push(line);
            diagnostic = diagnostic.also(line, steps(&path, line, fault, witness, colours));
        }
    }
    let mask = if fault.is_some_and(|i| i + 1 == path.len()) { "A" } else { "B" };
    let output = place(&witness.output, colours);
    let end = match witness.output == witness.input {
        true => format!("its own {one}"),
        false => format!("the later {}", place(&witness.input, colours)),
    };
    let pointwise = ["slice", "mul", "tanh", "sigmoid", "add", "sub"];
    let mends = match fault.map(|i| path[i].mnemonic) {
        Some(mnemonic) if colours > 1 && pointwise.contains(&mnemonic) => {
            "its features belong to other colors than those it reads; write `gates = 2` in the layer before a \
             `gate`"
                .to_string()
        }
        _ => format!("use `masked_conv` with mask {mask} here"),
    };
    diagnostic.help(format!("{mends}; the steps go from the output at {output} back to {end}"))
}

/// The steps of the path at one line of the text. There are several if the line is in a repeated block.
fn steps(
    path: &[&Hop],
    line: Span,
    fault: Option<usize>,
    witness: &Witness,
    colours: usize,
) -> String {
    let all: Vec<usize> = (0..path.len()).filter(|&i| path[i].span == Some(line)).collect();
    let step = |i: usize| {
        let mut text = format!("step {}: `{}`", i + 1, path[i].layer);
        if let Some(at) = at(path[i], colours) {
            text += &format!(" at {at}");
        }
        match path.get(i + 1) {
            Some(next) if fault == Some(i) => {
                text += &at(next, colours).map_or(String::new(), |at| format!(" reads {at}"));
            }
            Some(_) => {}
            None => text += &format!(" reads the image at {}", place(&witness.input, colours)),
        }
        text
    };
    // Shows the first and the last step, and the one at fault.
    let ends = [all.first(), all.last()].into_iter().flatten().copied();
    let mut shown: Vec<usize> = ends.chain(fault.filter(|i| all.contains(i))).collect();
    shown.sort_unstable();
    shown.dedup();
    let mut text = String::new();
    let mut before = None;
    for i in shown {
        let skipped = before.is_some_and(|b| all.iter().any(|&k| b < k && k < i));
        text += match before {
            None => "",
            Some(_) if skipped => "; ...; ",
            Some(_) => "; ",
        };
        text += &step(i);
        before = Some(i);
    }
    text
}

fn at(hop: &Hop, colours: usize) -> Option<String> {
    let (y, x) = hop.place?;
    Some(place(&Place { y, x, colour: hop.group }, colours))
}

fn place(place: &Place, colours: usize) -> String {
    let Place { y, x, colour } = place;
    match colours {
        1 => format!("({y}, {x})"),
        _ => format!("({y}, {x}) color {colour}"),
    }
}
