//! Inlines model-local functions.

use std::collections::{HashMap, HashSet};

use pixelrnn_onnx::proto::{AttributeProto, FunctionProto, GraphProto, NodeProto};

use crate::error::CheckError;
use crate::machine::{bodies, label};

/// Maximal nesting depth of function calls.
const MAX_DEPTH: usize = 32;
/// Maximal number of nodes that inlining may create.
const MAX_NODES: usize = 1 << 21;

/// Replaces every call of a model-local function by its body, in the graph and in its subgraphs.
///
/// # Errors
/// [`CheckError::Recursion`] if a function calls itself, or the result is too large.
pub(crate) fn inline(
    graph: &mut GraphProto,
    functions: &[FunctionProto],
) -> Result<(), CheckError> {
    if functions.is_empty() {
        return Ok(());
    }
    let table = functions.iter().map(|f| ((f.domain(), f.name()), f)).collect();
    let mut taken = HashSet::new();
    collect(graph, &mut taken);
    let mut inliner = Inliner { functions: table, taken, calls: 0, nodes: 0 };
    graph.node = inliner.list(std::mem::take(&mut graph.node), 0)?;
    Ok(())
}

/// Collects the names of all values of a graph.
fn collect(graph: &GraphProto, taken: &mut HashSet<String>) {
    taken.extend(graph.input.iter().map(|i| i.name().to_string()));
    taken.extend(graph.initializer.iter().map(|t| t.name().to_string()));
    for node in &graph.node {
        taken.extend(node.input.iter().chain(&node.output).cloned());
        for body in bodies(node) {
            collect(body, taken);
        }
    }
}

struct Inliner<'f> {
    functions: HashMap<(&'f str, &'f str), &'f FunctionProto>,
    /// Names in use, which renamed values must avoid.
    taken: HashSet<String>,
    calls: usize,
    nodes: usize,
}

impl Inliner<'_> {
    fn list(&mut self, nodes: Vec<NodeProto>, depth: usize) -> Result<Vec<NodeProto>, CheckError> {
        let mut out = Vec::with_capacity(nodes.len());
        for mut node in nodes {
            self.nodes += 1;
            if depth > MAX_DEPTH || self.nodes > MAX_NODES {
                return Err(CheckError::Recursion(label(&node)));
            }
            for body in node.attribute.iter_mut().filter_map(|a| a.g.as_mut()) {
                body.node = self.list(std::mem::take(&mut body.node), depth)?;
            }
            match self.functions.get(&(node.domain(), node.op_type())) {
                None => out.push(node),
                Some(function) => {
                    self.calls += 1;
                    let body = expand(function, &node, self.calls, &mut self.taken);
                    out.extend(self.list(body, depth + 1)?);
                }
            }
        }
        Ok(out)
    }
}

/// The nodes of one call, with values renamed and attributes filled in.
fn expand(
    function: &FunctionProto,
    call: &NodeProto,
    number: usize,
    taken: &mut HashSet<String>,
) -> Vec<NodeProto> {
    let caller = label(call);
    let mut names: HashMap<String, String> = HashMap::new();
    let actual = |list: &[String], i: usize| list.get(i).cloned().unwrap_or_default();
    for (i, formal) in function.input.iter().enumerate() {
        names.insert(formal.clone(), actual(&call.input, i));
    }
    let mut copies = Vec::new();
    for (i, formal) in function.output.iter().enumerate() {
        let outer = actual(&call.output, i);
        // An output that is also an input, or that is listed twice, becomes a copy.
        match names.get(formal) {
            Some(inner) => copies.push(NodeProto {
                name: Some(format!("{caller}/{formal}")),
                op_type: Some("Identity".into()),
                input: vec![inner.clone()],
                output: vec![outer],
                ..Default::default()
            }),
            None if outer.is_empty() => {}
            None => {
                names.insert(formal.clone(), outer);
            }
        }
    }
    let attributes = |name: &str| {
        let given = call.attribute.iter().find(|a| a.name() == name);
        given.or_else(|| function.attribute_proto.iter().find(|a| a.name() == name))
    };
    let mut renamer = Renamer { names, prefix: format!("{caller}.{number}/"), taken };
    let mut nodes: Vec<NodeProto> = function.node.clone();
    for node in &mut nodes {
        node.name = Some(format!("{caller}/{}", label(node)));
        if call.doc_string.is_some() && node.doc_string().is_empty() {
            node.doc_string.clone_from(&call.doc_string);
        }
        renamer.node(node, &attributes);
    }
    nodes.append(&mut copies);
    nodes
}

struct Renamer<'t> {
    names: HashMap<String, String>,
    prefix: String,
    taken: &'t mut HashSet<String>,
}

impl Renamer<'_> {
    fn name(&mut self, name: &mut String) {
        if !name.is_empty() {
            let fresh = || {
                let mut fresh = format!("{}{name}", self.prefix);
                while !self.taken.insert(fresh.clone()) {
                    fresh.push('+');
                }
                fresh
            };
            *name = self.names.entry(name.clone()).or_insert_with(fresh).clone();
        }
    }

    fn node<'a>(
        &mut self,
        node: &mut NodeProto,
        attributes: &impl Fn(&str) -> Option<&'a AttributeProto>,
    ) {
        node.input.iter_mut().chain(&mut node.output).for_each(|n| self.name(n));
        node.attribute.retain_mut(|a| {
            let Some(outer) = a.ref_attr_name.take().filter(|r| !r.is_empty()) else { return true };
            match attributes(&outer) {
                Some(value) => {
                    *a = AttributeProto { name: a.name.take(), ..value.clone() };
                    true
                }
                None => false,
            }
        });
        for body in node.attribute.iter_mut().filter_map(|a| a.g.as_mut()) {
            self.body(body, attributes);
        }
    }

    fn body<'a>(
        &mut self,
        body: &mut GraphProto,
        attributes: &impl Fn(&str) -> Option<&'a AttributeProto>,
    ) {
        let infos = body.input.iter_mut().chain(&mut body.output);
        let constants = body.initializer.iter_mut().map(|t| &mut t.name);
        for name in infos.map(|i| &mut i.name).chain(constants) {
            self.name(name.get_or_insert_default());
        }
        for node in &mut body.node {
            self.node(node, attributes);
        }
    }
}
