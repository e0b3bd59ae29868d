//! The context of lowering: the ONNX graph that the rules extend.

use pixelrnn_graph::{BuildError, Dim, Graph, Role, Site, Type, TypeError, Value};
use pixelrnn_onnx::{Literal, Native, OnnxGraph, OnnxOp};

use crate::op::Op;

/// Why a graph cannot be lowered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    /// The operator is a composite, which must be expanded before it is lowered.
    #[error("`{mnemonic}` must be expanded before it is lowered")]
    Composite {
        /// The name of the operator.
        mnemonic: &'static str,
    },
    /// A node needs the batch size, but no input of the graph has it.
    #[error("`{node}` needs the batch size, but no input of the graph has it")]
    NoBatch {
        /// The node.
        node: String,
    },
    /// A node of the ONNX graph cannot be added.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// The batch size of the exported model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// A dynamic batch size.
    Symbolic,
    /// A fixed batch size.
    Fixed(usize),
}

impl Batch {
    /// Converts an extent of the pixel IR to one of the exported graph.
    pub fn dim(self, dim: Dim) -> Dim {
        match self {
            Batch::Symbolic => dim,
            Batch::Fixed(n) => Dim::Fixed(dim.with_batch(n)),
        }
    }

    /// Converts a type of the pixel IR to one of the exported graph.
    pub fn ty(self, ty: &Type) -> Type {
        ty.reshaped(ty.shape.iter().map(|&d| self.dim(d)).collect())
    }
}

/// An ONNX graph under construction.
pub struct Lower {
    /// The graph so far.
    pub graph: OnnxGraph,
    /// The batch size.
    pub batch: Batch,
    /// A graph input with a batch axis, and the index of that axis.
    batch_source: Option<(Value, usize)>,
    batch_extent: Option<Value>,
    name: String,
    site: Site,
}

impl Lower {
    /// Adds a node; `part` is the suffix of its name. It is empty for the node that computes the operator's
    /// result.
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

    /// Adds an operator of the engine of this process. `infer` is the shape rule of the pixel operator that
    /// it implements.
    ///
    /// # Errors
    /// [`LowerError::Build`] if the rule rejects the inputs.
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
    /// [`LowerError::Build`] if the graph does not accept the literal.
    pub fn constant(&mut self, literal: Literal, part: &str) -> Result<Value, LowerError> {
        self.push(OnnxOp::constant(literal), &[], part)
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        self.graph.ty(value)
    }

    /// Reshapes a value.
    ///
    /// # Errors
    /// The number of elements differs.
    pub fn reshape(&mut self, x: Value, to: Vec<Dim>, part: &str) -> Result<Value, LowerError> {
        if self.ty(x).shape == to {
            return Ok(x);
        }
        self.push(OnnxOp::Reshape { to }, &[x], part)
    }

    /// Broadcasts a value to a shape that may contain the batch size.
    ///
    /// # Errors
    /// The value cannot be broadcast to the shape, or the batch size is dynamic and no input has it.
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
    /// The batch size is dynamic and no input has it.
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

/// Lowers a graph of primitive operators. Names, roles, documentation and sites are kept.
///
/// # Errors
/// [`LowerError`] if a composite operator is left, or if a node needs the batch size and no input has it.
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
