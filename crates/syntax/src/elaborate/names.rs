//! Checks for names that are not allowed, and for blocks that are never called.

use pixelrnn_graph::Diagnostic;

use crate::ast::{Block, Call, Definition, Ident, Kind, Model, Statement};

/// Checks the names that statements define, and that each user-defined block is called.
pub(super) fn check(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    each(&model.body, &mut |statement| statement_names(model, statement, diagnostics));
    for definition in &model.definitions {
        each(&definition.body, &mut |statement| statement_names(model, statement, diagnostics));
    }
    for definition in uncalled(model) {
        let text = &definition.name.text;
        let wrong =
            Diagnostic::error(definition.name.span, format!("nothing calls the block `{text}`"));
        let wrong = wrong.remark("a block is checked with what it is called with");
        diagnostics.push(wrong.help("call it, or remove it"));
    }
}

/// Visits all statements. Those inside a block come after the block.
fn each<'m>(body: &'m [Statement], visit: &mut dyn FnMut(&'m Statement)) {
    for statement in body {
        visit(statement);
        if let Kind::Block(block) = &statement.kind {
            each(&block.body, visit);
        }
    }
}

fn statement_names(model: &Model, statement: &Statement, diagnostics: &mut Vec<Diagnostic>) {
    let targets = statement.targets.iter().flat_map(|targets| &targets.names);
    for name in statement.label.iter().chain(targets.clone()) {
        let field = model.fields.iter().find(|field| field.name.text == name.text);
        if let Some(field) = field {
            let wrong = format!("`{}` is a hyper-parameter already", name.text);
            let wrong = Diagnostic::error(name.span, wrong).also(field.name.span, "declared here");
            diagnostics.push(wrong.help("choose another name"));
        }
    }
    twice(targets, diagnostics);
    if let Kind::Block(Block { with, .. }) = &statement.kind {
        twice(with.iter(), diagnostics);
    }
}

/// Reports names that appear twice in a list of values.
fn twice<'m>(names: impl Iterator<Item = &'m Ident>, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: Vec<&Ident> = Vec::new();
    for name in names {
        match seen.iter().find(|first| first.text == name.text) {
            Some(first) => {
                let wrong = Diagnostic::error(name.span, format!("`{}` stands twice", name.text));
                let wrong = wrong.also(first.span, "first here");
                diagnostics.push(wrong.help("give each value a name of its own"));
            }
            None => seen.push(name),
        }
    }
}

/// The blocks that are called neither by the model's body nor by a block called from there.
fn uncalled(model: &Model) -> Vec<&Definition> {
    let mut called = vec![false; model.definitions.len()];
    let mut open: Vec<&[Statement]> = vec![&model.body];
    while let Some(body) = open.pop() {
        let mut call = |call: &Call| {
            let named = model.definitions.iter().position(|d| d.name.text == call.name.text);
            if let Some(i) = named.filter(|&i| !called[i]) {
                called[i] = true;
                open.push(&model.definitions[i].body);
            }
        };
        each(body, &mut |statement| match &statement.kind {
            Kind::Layer(layer) => layer.calls(&mut call),
            Kind::Value(expr) => expr.calls(&mut call),
            Kind::Values(values, _) => values.iter().for_each(|value| value.calls(&mut call)),
            Kind::Block(_) => {}
        });
    }
    model.definitions.iter().zip(called).filter(|(_, called)| !called).map(|(d, _)| d).collect()
}
