//! What lowering works with: the ONNX graph that it extends.

use pixelrnn_graph::{BuildError, Dim, Graph, Role, Site, Type, TypeError, Value};
use pixelrnn_onnx::{Literal, Native, OnnxGraph, OnnxOp};

use crate::op::Op;

/// Why a graph cannot be lowered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    /// A composite must be expanded before it is lowered.
    #[error("`{mnemonic}` must be expanded before it is lowered")]
    Composite {
        /// The name of the operator.
        mnemonic: &'static str,
    },
    /// A node needs the batch size, and the graph has no input with it.
    #[error("`{node}` needs the batch size, but no input of the graph has it")]
    NoBatch {
        /// The node.
        node: String,
    },
    /// A node of the ONNX graph cannot be added.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// The number of images in a batch, as the emitted model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// A dynamic batch size.
    Symbolic,
    /// A fixed batch size.
    Fixed(usize),
}

impl Batch {
    /// An extent of the IR as one of the emitted graph.
    pub fn dim(self, dim: Dim) -> Dim {
        match self {
            Batch::Symbolic => dim,
            Batch::Fixed(n) => Dim::Fixed(dim.with_batch(n)),
        }
    }

    /// A type of the IR as one of the emitted graph.
    pub fn ty(self, ty: &Type) -> Type {
        ty.reshaped(ty.shape.iter().map(|&d| self.dim(d)).collect())
    }
}

/// An ONNX graph while it grows.
pub struct Lower {
    /// The graph so far.
    pub graph: OnnxGraph,
    /// The batch size.
    pub batch: Batch,
    /// A graph input, and its axis that is the batch.
    batch_source: Option<(Value, usize)>,
    batch_extent: Option<Value>,
    name: String,
    site: Site,
}

impl Lower {
    /// Adds a node; `part` is the end of its name, empty for the node that is the operator itself.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn push(&mut self, op: OnnxOp, inputs: &[Value], part: &str) -> Result<Value, LowerError> {
        Ok(self.push_many(op, inputs, part)?[0])
    }

    /// Adds a node with several results.
    ///
    /// # Errors
    /// The operator does not accept the inputs.
    pub fn push_many(
        &mut self,
        op: OnnxOp,
        inputs: &[Value],
        part: &str,
    ) -> Result<Vec<Value>, LowerError> {
        let name = match part {
            "" => self.name.clone(),
            part => format!("{}/{part}", self.name),
        };
        Ok(self.graph.push(op, inputs, &name, self.site)?)
    }

    /// Adds an operator of the engine of this process. `infer` is the rule of the pixel operator that it stands
    /// for.
    ///
    /// # Errors
    /// That of the rule.
    pub fn native(
        &mut self,
        name: &'static str,
        attributes: Vec<(&'static str, Vec<i64>)>,
        inputs: &[Value],
        infer: impl Fn(&[&Type]) -> Result<Vec<Type>, TypeError>,
    ) -> Result<Vec<Value>, LowerError> {
        let types: Vec<&Type> = inputs.iter().map(|v| self.graph.ty(*v)).collect();
        let results = infer(&types).map_err(|error| BuildError {
            node: self.name.clone(),
            mnemonic: name,
            site: self.site,
            error,
        })?;
        let op = Native { name, attributes, results };
        self.push_many(OnnxOp::Native(Box::new(op)), inputs, "")
    }

    /// Adds a constant.
    ///
    /// # Errors
    /// None in practice; the builder's.
    pub fn constant(&mut self, literal: Literal, part: &str) -> Result<Value, LowerError> {
        self.push(OnnxOp::constant(literal), &[], part)
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        self.graph.ty(value)
    }

    /// Views a value in another shape.
    ///
    /// # Errors
    /// The number of elements differs.
    pub fn reshape(&mut self, x: Value, to: Vec<Dim>, part: &str) -> Result<Value, LowerError> {
        if self.ty(x).shape == to {
            return Ok(x);
        }
        self.push(OnnxOp::Reshape { to }, &[x], part)
    }

    /// Spreads a value over a shape that may hold the batch.
    ///
    /// # Errors
    /// The value does not spread so, or the batch is symbolic and no input has it.
    pub fn expand(&mut self, x: Value, to: Vec<Dim>, part: &str) -> Result<Value, LowerError> {
        if self.ty(x).shape == to {
            return Ok(x);
        }
        let mut parts = Vec::new();
        let mut known: Vec<i64> = Vec::new();
        for &dim in &to {
            match dim {
                Dim::Fixed(n) => known.push(n as i64),
                Dim::Batch(_) => {
                    if !known.is_empty() {
                        parts.push(self.constant(Literal::ints(&known), "extents")?);
                        known.clear();
                    }
                    parts.push(self.batch_extent()?);
                }
            }
        }
        if !known.is_empty() {
            parts.push(self.constant(Literal::ints(&known), "extents")?);
        }
        let shape = match parts[..] {
            [one] => one,
            _ => self.push(OnnxOp::Concat { axis: 0 }, &parts, "shape")?,
        };
        self.push(OnnxOp::Expand { to }, &[x, shape], part)
    }

    /// The number of images in a batch, as a real number.
    ///
    /// # Errors
    /// The batch is symbolic and no input has it.
    pub fn batch_count(&mut self, part: &str) -> Result<Value, LowerError> {
        match self.batch {
            Batch::Fixed(n) => self.constant(Literal::scalar(n as f32), part),
            Batch::Symbolic => {
                let extent = self.batch_extent()?;
                self.push(OnnxOp::Cast { to: pixelrnn_graph::Elem::Real }, &[extent], part)
            }
        }
    }

    fn batch_extent(&mut self) -> Result<Value, LowerError> {
        if let Some(extent) = self.batch_extent {
            return Ok(extent);
        }
        let no_batch = || LowerError::NoBatch { node: self.name.clone() };
        let (source, axis) = self.batch_source.ok_or_else(no_batch)?;
        let name = std::mem::replace(&mut self.name, "batch".into());
        let extent = self.push(OnnxOp::Shape { start: axis, end: axis + 1 }, &[source], "");
        self.name = name;
        let extent = extent?;
        self.batch_extent = Some(extent);
        Ok(extent)
    }
}

/// Lowers a graph of primitive operators. Names, roles, doc and sites stay.
///
/// # Errors
/// A composite operator is left, or a shape that lowering cannot state.
pub fn lower_graph(graph: &Graph<Op>, batch: Batch) -> Result<OnnxGraph, LowerError> {
    let mut cx = Lower {
        graph: Graph::new(graph.name.clone()),
        batch,
        batch_source: None,
        batch_extent: None,
        name: String::new(),
        site: Site::NONE,
    };
    cx.graph.doc = graph.doc.clone();
    cx.graph.share_layers(graph.layers());
    let mut values = vec![None; graph.value_count()];
    for input in graph.inputs() {
        let ty = batch.ty(graph.ty(input.value));
        let axis = ty.shape.iter().position(|&d| d == Dim::N);
        let value = cx.graph.input_like(input, ty);
        let parameter = matches!(input.role, Role::Parameter(_));
        if let (Some(axis), false, None) = (axis, parameter, cx.batch_source) {
            cx.batch_source = Some((value, axis));
        }
        values[input.value.index()] = Some(value);
    }
    for (id, node) in graph.nodes() {
        cx.name.clone_from(&node.name);
        cx.site = graph.site(id);
        cx.site.exact |= node.op.is_exact();
        let find =
            |v: &Value| values[v.index()].ok_or_else(|| BuildError::unmapped(graph, Some(id), *v));
        let inputs: Vec<Value> = node.inputs.iter().map(find).collect::<Result<_, _>>()?;
        let results = node.op.lower(&mut cx, &inputs)?;
        for (&v, result) in node.outputs.iter().zip(results) {
            values[v.index()] = Some(result);
        }
    }
    for out in graph.outputs() {
        let value = values[out.value.index()];
        let value = value.ok_or_else(|| BuildError::unmapped(graph, None, out.value))?;
        cx.graph.output_as(out.name.clone(), value, out.role.without_distribution());
    }
    Ok(cx.graph)
}
