//! `merge_scales`: merges the graphs of a multi-scale model into one.
//!
//! A model predicts an image directly; a multi-scale model first predicts a smaller image (every `factor`-th
//! pixel of every `factor`-th row), and then the whole image given the smaller one. Each of these images is a
//! [`Scale`] with its own graph. Graphs that read an image (distributions, likelihoods) subsample it for
//! every scale, and sum the likelihoods. Graphs that draw an image draw the smaller ones first and condition
//! the larger ones on them.

use std::collections::BTreeMap;

use pixelrnn_graph::{BuildError, Condition, OutputRole, Role, Site, Type, Value};
use pixelrnn_ops::{Add, MergeAxes, Op, PixelGraph, Slice, SplitAxis, Transpose};

use crate::unroll::inline;

/// One of the images that a model predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// Its name in the declaration. Empty for the image itself.
    pub name: String,
    /// The distance between two neighboring pixels of this scale in the image itself.
    pub factor: usize,
    /// Its graph.
    pub graph: PixelGraph,
}

impl Scale {
    /// The scale of a model without smaller scales.
    pub fn whole(graph: PixelGraph) -> Scale {
        Scale { name: String::new(), factor: 1, graph }
    }

    /// The prefix of the names of its inputs and outputs in the merged graph.
    pub fn prefix(&self) -> String {
        match self.name.as_str() {
            "" => String::new(),
            name => format!("{name}."),
        }
    }
}

/// Merges scales, which are ordered from the smallest to the image itself.
///
/// # Errors
/// [`BuildError`] if inputs and outputs of the graphs do not fit together. Those of a declaration do.
pub fn merge_scales(scales: &[Scale]) -> Result<PixelGraph, BuildError> {
    if let [only] = scales {
        return Ok(only.graph.clone());
    }
    let last = scales.last().ok_or(BuildError::internal("model", "it has no scale"))?;
    let mut graph = PixelGraph::new(last.graph.name.clone());
    graph.doc.clone_from(&last.graph.doc);
    graph.share_layers(last.graph.layers());
    let mut merge = Merge { graph, inputs: BTreeMap::new(), images: BTreeMap::new() };
    let draws = last.graph.outputs().iter().any(|o| o.role == OutputRole::Image);
    merge.declare(last, scales, draws)?;
    let mut nll: Option<Value> = None;
    for scale in scales {
        let inputs = merge.inputs_of(scale, draws)?;
        let results = inline(&mut merge.graph, &scale.graph, &inputs, "")?;
        for (output, value) in scale.graph.outputs().iter().zip(results) {
            match output.role {
                OutputRole::Likelihood => {
                    nll = Some(match nll {
                        None => value,
                        Some(sum) => merge.push(Add, &[sum, value], "nll")?,
                    });
                }
                OutputRole::Image => merge.drawn(scale, value)?,
                role => {
                    let name = format!("{}{}", scale.prefix(), output.name);
                    merge.graph.output_as(name, value, role);
                }
            }
        }
    }
    if let Some(nll) = nll {
        merge.graph.output_as("nll", nll, OutputRole::Likelihood);
    }
    Ok(merge.graph)
}

struct Merge {
    graph: PixelGraph,
    /// The inputs of the merged graph by name.
    inputs: BTreeMap<String, Value>,
    /// For each factor, the image of that scale, `[N, C, H, W]`.
    images: BTreeMap<usize, Value>,
}

impl Merge {
    fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[Value],
        name: &str,
    ) -> Result<Value, BuildError> {
        Ok(self.graph.push(op.into(), inputs, &format!("scales/{name}"), Site::NONE)?[0])
    }

    /// The name of an input in the merged graph. An input that belongs to one scale gets its prefix.
    fn name(scale: &Scale, role: Role, name: &str) -> String {
        match role {
            Role::Uniform => format!("{}{name}", scale.prefix()),
            _ => name.to_string(),
        }
    }

    /// Declares the inputs of all scales, those of the image itself first. Shared inputs are declared once.
    fn declare(&mut self, last: &Scale, scales: &[Scale], draws: bool) -> Result<(), BuildError> {
        for scale in [last].into_iter().chain(&scales[..scales.len() - 1]) {
            for input in scale.graph.inputs() {
                let whole = scale.factor == 1;
                let wanted = match input.role {
                    Role::Image | Role::Given | Role::Kept => whole,
                    Role::Condition(Condition::Scale { .. }) => false,
                    _ => true,
                };
                let name = Merge::name(scale, input.role, &input.name);
                if !wanted || self.inputs.contains_key(&name) {
                    continue;
                }
                let ty = scale.graph.ty(input.value).clone();
                let value = self.graph.input_like(input, ty);
                self.graph.rename_input(value, &name);
                self.inputs.insert(name, value);
                if input.role == Role::Image && !draws {
                    self.images.insert(1, value);
                }
            }
        }
        Ok(())
    }

    /// The values of the merged graph for the inputs of a scale.
    fn inputs_of(&mut self, scale: &Scale, draws: bool) -> Result<Vec<Value>, BuildError> {
        let mut all = Vec::new();
        for input in scale.graph.inputs() {
            let known = self.inputs.get(&Merge::name(scale, input.role, &input.name)).copied();
            let missing = BuildError::internal(&input.name, "a scale's input is not declared");
            all.push(match input.role {
                Role::Image => self.image(scale.factor, draws)?,
                Role::Condition(Condition::Scale { factor }) => self.image(factor, draws)?,
                Role::Given | Role::Kept => {
                    let whole = known.ok_or(missing)?;
                    self.subsample(whole, [1, 2], scale.factor)?
                }
                _ => known.ok_or(missing)?,
            });
        }
        Ok(all)
    }

    /// The image of a scale: drawn before, or subsampled from the whole image.
    fn image(&mut self, factor: usize, draws: bool) -> Result<Value, BuildError> {
        if let Some(&known) = self.images.get(&factor) {
            return Ok(known);
        }
        let whole = self.images.get(&1).copied().filter(|_| !draws);
        let whole = whole.ok_or(BuildError::internal("scales", "a scale is not drawn yet"))?;
        let part = self.subsample(whole, [2, 3], factor)?;
        self.images.insert(factor, part);
        Ok(part)
    }

    /// Every `factor`-th position along two axes.
    fn subsample(
        &mut self,
        x: Value,
        axes: [usize; 2],
        factor: usize,
    ) -> Result<Value, BuildError> {
        let mut x = x;
        if factor == 1 {
            return Ok(x);
        }
        for axis in axes {
            let parts = self.graph.ty(x).shape[axis].with_batch(1) / factor;
            let split = self.push(SplitAxis { axis, parts }, &[x], "every")?;
            let first = Slice { axis: axis + 1, start: 0, length: 1 };
            let first = self.push(first, &[split], "first")?;
            x = self.push(MergeAxes { axis }, &[first], "every")?;
        }
        Ok(x)
    }

    /// Stores the image that a scale drew, `[N, H, W, C]`. The image itself becomes the result.
    fn drawn(&mut self, scale: &Scale, image: Value) -> Result<(), BuildError> {
        if scale.factor == 1 {
            self.graph.output_as("image", image, OutputRole::Image);
            return Ok(());
        }
        let maps = self.push(Transpose { perm: vec![0, 3, 1, 2] }, &[image], "drawn")?;
        self.images.insert(scale.factor, maps);
        Ok(())
    }
}

/// The type of a scale's image in a model whose whole image has the type `image`.
pub fn scaled(image: &Type, factor: usize) -> Type {
    let mut ty = image.clone();
    for axis in [2, 3] {
        ty.shape[axis] = (ty.shape[axis].with_batch(1) / factor).into();
    }
    ty
}
