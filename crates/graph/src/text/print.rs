//! Prints a graph. The same graph always gives the same text.

use std::fmt;

use super::Attribute;
use crate::graph::{Graph, Input, Operation};
use crate::role::{Init, Role};
use crate::site::Site;

impl<O: Operation> fmt::Display for Graph<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self, f, 0)
    }
}

fn print<O: Operation>(g: &Graph<O>, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    let pad = "  ".repeat(depth);
    writeln!(f, "graph {:?} {{", g.name)?;
    if !g.doc.is_empty() {
        writeln!(f, "{pad}  doc {:?}", g.doc)?;
    }
    for (i, path) in g.layers().iter().enumerate() {
        writeln!(f, "{pad}  layer {i} {path:?}")?;
    }
    // Inputs are printed where they were added, so that values have the same numbers when the text is read.
    let mut inputs = g.inputs().iter().peekable();
    for (id, node) in g.nodes() {
        while let Some(input) = inputs.next_if(|i| node.outputs.iter().all(|v| i.value < *v)) {
            print_input(g, input, f, &pad)?;
        }
        write!(f, "{pad}  ")?;
        list(f, &node.outputs)?;
        write!(f, " = {}(", node.op.mnemonic())?;
        list(f, &node.inputs)?;
        f.write_str(")")?;
        let attributes = node.op.attributes().0;
        if !attributes.is_empty() {
            f.write_str(" {")?;
            for (i, (name, value)) in attributes.iter().enumerate() {
                write!(f, "{}{name} = {value}", if i == 0 { "" } else { ", " })?;
            }
            f.write_str("}")?;
        }
        write!(f, " {:?}", node.name)?;
        print_site(g.site(id), f)?;
        f.write_str(" : ")?;
        for (i, &v) in node.outputs.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, g.ty(v))?;
        }
        writeln!(f)?;
        for body in node.op.bodies() {
            write!(f, "{pad}    body ")?;
            print(body, f, depth + 2)?;
        }
    }
    for input in inputs {
        print_input(g, input, f, &pad)?;
    }
    for out in g.outputs() {
        writeln!(f, "{pad}  {} {:?} = {}", out.role, out.name, out.value)?;
    }
    writeln!(f, "{pad}}}")
}

fn print_input<O: Operation>(
    g: &Graph<O>,
    input: &Input,
    f: &mut fmt::Formatter<'_>,
    pad: &str,
) -> fmt::Result {
    let (v, ty) = (input.value, g.ty(input.value));
    write!(f, "{pad}  {} {v} {:?}: {ty}", input.role, input.name)?;
    if let Role::Parameter(init) = input.role {
        write!(f, " {init}")?;
    }
    if let Some(layer) = input.layer {
        write!(f, " of {}", layer.0)?;
    }
    writeln!(f)
}

fn print_site(site: Site, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(span) = site.span {
        write!(f, " @{}..{}", span.start, span.end)?;
    }
    if let Some(layer) = site.layer {
        write!(f, " of {}", layer.0)?;
    }
    if site.weight { f.write_str(" weight") } else { Ok(()) }
}

fn list(f: &mut fmt::Formatter<'_>, values: &[crate::graph::Value]) -> fmt::Result {
    for (i, v) in values.iter().enumerate() {
        write!(f, "{}{v}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Init::Zero => f.write_str("zero"),
            Init::Uniform { fan_in } => write!(f, "uniform({fan_in})"),
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attribute::Int(n) => write!(f, "{n}"),
            Attribute::Ints(v) => write!(f, "{v:?}"),
            Attribute::Real(x) => write!(f, "{x:?}"),
            Attribute::Word(w) => f.write_str(w),
            Attribute::Array(a) => {
                write!(f, "array({:?}, [", a.shape())?;
                for (i, x) in a.iter().enumerate() {
                    write!(f, "{}{x:?}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("])")
            }
        }
    }
}
