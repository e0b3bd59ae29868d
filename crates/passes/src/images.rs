//! `image_format`: changes the layout of image inputs and outputs, or makes them bytes.

use pixelrnn_graph::{BuildError, Condition, Elem, Input, OutputRole, Role, Site, Type, Value};
use pixelrnn_onnx::{OnnxGraph, OnnxOp};

use crate::kind::GraphKind;
use crate::rewrite::Rewrite;

/// The order of the axes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageLayout {
    /// Batch, height, width, colors.
    Nhwc,
    /// Batch, colors, height, width.
    Nchw,
}

impl ImageLayout {
    /// Every layout.
    pub const ALL: [ImageLayout; 2] = [ImageLayout::Nhwc, ImageLayout::Nchw];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ImageLayout::Nhwc => "nhwc",
            ImageLayout::Nchw => "nchw",
        }
    }

    /// The default layout of a kind of graph.
    pub fn of(kind: GraphKind) -> ImageLayout {
        match kind {
            GraphKind::Sample => ImageLayout::Nhwc,
            _ => ImageLayout::Nchw,
        }
    }

    /// The axis permutation that takes the other layout to this one.
    fn axes_of_other(self) -> Vec<usize> {
        match self {
            ImageLayout::Nhwc => vec![0, 2, 3, 1],
            ImageLayout::Nchw => vec![0, 3, 1, 2],
        }
    }
}

pixelrnn_graph::named!(ImageLayout, "layout");

/// The format of a graph's image inputs and outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageFormat {
    /// The layout of images and, in samplers, also of uniform numbers, given levels and masks. `None` stands
    /// for the default of the kind of graph.
    pub layout: Option<ImageLayout>,
    /// Whether images are u8 rather than f32. Uniform numbers and masks are f32 either way.
    pub bytes: bool,
}

impl ImageFormat {
    /// Whether it differs from the default of a kind of graph.
    pub fn changes(self, kind: GraphKind) -> bool {
        self.bytes || self.layout.is_some_and(|layout| layout != ImageLayout::of(kind))
    }
}

/// Converts the inputs and outputs that are images to a format.
///
/// # Errors
/// [`BuildError`] if the graph is not valid.
pub fn image_format(
    graph: &OnnxGraph,
    kind: GraphKind,
    format: ImageFormat,
) -> Result<OnnxGraph, BuildError> {
    let own = ImageLayout::of(kind);
    let outside = format.layout.unwrap_or(own);
    let mut rewrite = Rewrite::new(graph);
    for input in graph.inputs() {
        let ty = graph.ty(input.value);
        let image = match input.role {
            Role::Image | Role::Given | Role::Condition(Condition::Scale { .. }) => true,
            Role::Uniform | Role::Kept => false,
            _ => {
                rewrite.input(input);
                continue;
            }
        };
        if ty.rank() != 4 {
            rewrite.input(input);
            continue;
        }
        let mut given = turned(ty, own, outside);
        if image && format.bytes {
            given.elem = Elem::Byte;
        }
        let value = rewrite.new.input_like(input, given);
        let perm = (own != outside).then(|| own.axes_of_other());
        let value = read(&mut rewrite.new, input, value, perm)?;
        rewrite.set(input.value, value);
    }
    rewrite.nodes()?;
    for out in graph.outputs() {
        let mut value = rewrite.value(out.value)?;
        if out.role == OutputRole::Image && graph.ty(out.value).rank() == 4 {
            let push = |graph: &mut OnnxGraph, op, value, part: &str| {
                let name = format!("{}/{part}", out.name);
                Ok::<Value, BuildError>(graph.push(op, &[value], &name, Site::NONE)?[0])
            };
            if outside != own {
                let perm = outside.axes_of_other();
                value = push(&mut rewrite.new, OnnxOp::Transpose { perm }, value, outside.name())?;
            }
            if format.bytes {
                let cast = OnnxOp::Cast { to: Elem::Byte };
                value = push(&mut rewrite.new, cast, value, "bytes")?;
            }
        }
        rewrite.new.output_as(out.name.clone(), value, out.role);
    }
    Ok(rewrite.new)
}

/// The type of a tensor after a change of layout from `own` to `outside`.
fn turned(ty: &Type, own: ImageLayout, outside: ImageLayout) -> Type {
    match own == outside {
        true => ty.clone(),
        false => ty.reshaped(outside.axes_of_other().iter().map(|&i| ty.shape[i]).collect()),
    }
}

/// Converts an input back to what the graph reads: f32, with the axes in their original order.
fn read(
    graph: &mut OnnxGraph,
    input: &Input,
    mut value: Value,
    perm: Option<Vec<usize>>,
) -> Result<Value, BuildError> {
    if graph.ty(value).elem == Elem::Byte {
        let name = format!("{}/f32", input.name);
        value = graph.push(OnnxOp::Cast { to: Elem::Real }, &[value], &name, Site::NONE)?[0];
    }
    if let Some(perm) = perm {
        let name = format!("{}/turned", input.name);
        value = graph.push(OnnxOp::Transpose { perm }, &[value], &name, Site::NONE)?[0];
    }
    Ok(value)
}
