//! Validates a model, so that its meaning is certain: the graph that is analyzed is the one that a
//! runtime runs.

use std::collections::HashSet;

use pixelrnn_onnx::proto::{GraphProto, ModelProto, NodeProto};

use crate::error::CheckError;
use crate::machine::bodies;
use crate::text::shown;

/// The versions of the standard operator set that the analysis supports.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=28;

/// The version of the standard operator set.
///
/// # Errors
/// If it is missing, ambiguous or not supported; if a value has two definitions; or if functions
/// replace standard operators or overload each other.
pub(crate) fn opset(model: &ModelProto) -> Result<i64, CheckError> {
    let fail = |text: String| CheckError::Invalid(text);
    let mut seen: Vec<(&str, i64)> = Vec::new();
    for import in &model.opset_import {
        let (domain, version) = (canonical(import.domain()), import.version());
        match seen.iter().find(|(d, _)| *d == domain) {
            Some((_, other)) if *other != version => {
                return Err(fail(format!(
                    "it imports versions {other} and {version} of one operator set (`{}`)",
                    shown(domain)
                )));
            }
            Some(_) => {}
            None => seen.push((domain, version)),
        }
    }
    let standard = seen.iter().find(|(d, _)| d.is_empty()).map(|s| s.1);
    let version = standard.ok_or_else(|| {
        fail("it imports no version of the standard operator set (domain ``)".into())
    })?;
    if !OPSETS.contains(&version) {
        return Err(fail(format!(
            "operator set {version} is not known: expected {} to {}; convert it with \
             `onnx.version_converter`",
            OPSETS.start(),
            OPSETS.end()
        )));
    }
    functions(model, version)?;
    if let Some(graph) = &model.graph {
        names(graph, &HashSet::new())?;
    }
    Ok(version)
}

/// The canonical name of a domain; the standard domain has two.
pub(crate) fn canonical(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

fn functions(model: &ModelProto, version: i64) -> Result<(), CheckError> {
    let mut seen = HashSet::new();
    for f in &model.functions {
        let name = shown(f.name());
        if canonical(f.domain()).is_empty() {
            return Err(CheckError::Invalid(format!(
                "function `{name}` replaces an operator of the standard domain"
            )));
        }
        if !f.overload().is_empty() || !seen.insert((f.domain(), f.name())) {
            return Err(CheckError::Invalid(format!("function `{name}` is overloaded")));
        }
        for import in &f.opset_import {
            if canonical(import.domain()).is_empty() && import.version() != version {
                return Err(CheckError::Invalid(format!(
                    "function `{name}` is written for operator set {}, the model for {version}",
                    import.version()
                )));
            }
        }
        let mut values: HashSet<&str> = f.input.iter().map(String::as_str).collect();
        if values.len() != f.input.len() {
            return Err(CheckError::Invalid(format!("function `{name}` names an input twice")));
        }
        outputs(&f.node, &mut values)?;
    }
    Ok(())
}

fn twice(name: &str) -> CheckError {
    CheckError::Invalid(format!("the name `{}` is given to two values", shown(name)))
}

/// Adds the outputs of nodes to the names in use; it is an error if one is already there.
fn outputs<'m>(nodes: &'m [NodeProto], taken: &mut HashSet<&'m str>) -> Result<(), CheckError> {
    for node in nodes {
        if !node.overload().is_empty() {
            return Err(CheckError::Invalid(format!(
                "node `{}` calls an overload of a function",
                shown(node.name())
            )));
        }
        for (i, a) in node.attribute.iter().enumerate() {
            if node.attribute.iter().take(i).any(|b| b.name() == a.name()) {
                return Err(CheckError::Invalid(format!(
                    "node `{}` has the attribute `{}` twice",
                    shown(node.name()),
                    shown(a.name())
                )));
            }
        }
        for body in bodies(node) {
            names(body, taken)?;
        }
        for name in node.output.iter().filter(|n| !n.is_empty()) {
            if !taken.insert(name) {
                return Err(twice(name));
            }
        }
    }
    Ok(())
}

/// Checks that no two values of a graph have the same name, and that no node of it shadows a value
/// of an outer graph.
fn names(graph: &GraphProto, around: &HashSet<&str>) -> Result<(), CheckError> {
    let mut own: HashSet<&str> = HashSet::new();
    for input in &graph.input {
        if !own.insert(input.name()) {
            return Err(twice(input.name()));
        }
    }
    let mut constants = HashSet::new();
    for t in &graph.initializer {
        if !constants.insert(t.name()) {
            return Err(twice(t.name()));
        }
    }
    if let Some(t) = graph.sparse_initializer.iter().find_map(|s| s.values.as_ref()) {
        return Err(CheckError::Constant {
            name: t.name().to_string(),
            reason: "is sparse, which is not supported: store it as a dense tensor",
        });
    }
    own.extend(&constants);
    // The inputs and constants of a body shadow the outer graph; all runtimes agree on this.
    let mut all: HashSet<&str> = around.union(&own).copied().collect();
    outputs(&graph.node, &mut all)
}
