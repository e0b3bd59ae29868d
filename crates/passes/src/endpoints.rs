//! The endpoints of a declaration's graph: the image, and the parameters of its distribution.

use pixelrnn_graph::{OutputRole, Role, Value};
use pixelrnn_ops::{Distribution, PixelGraph};

/// The endpoints of a declaration's graph, found by the roles of its inputs and outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GraphEndpoints {
    /// The image, `[N, C, H, W]`.
    pub image: Value,
    /// The parameters of the distribution of every value of the image.
    pub output: Value,
    /// The distribution.
    pub distribution: Distribution,
    /// Colors of the image.
    pub colours: usize,
    /// Rows of the image.
    pub height: usize,
    /// Columns of the image.
    pub width: usize,
}

impl GraphEndpoints {
    /// Finds the endpoints of a graph.
    ///
    /// # Errors
    /// A message that says what the graph lacks.
    pub fn of(graph: &PixelGraph) -> Result<GraphEndpoints, &'static str> {
        let image = graph.input_as(Role::Image).ok_or("it has not one image")?.value;
        let mut outputs = graph.outputs().iter().filter_map(|o| match o.role {
            OutputRole::Parameters(distribution) => Some((o.value, distribution)),
            _ => None,
        });
        let (output, distribution) = match (outputs.next(), outputs.next()) {
            (Some(only), None) => only,
            _ => return Err("it has not one output for the parameters of a distribution"),
        };
        let ty = graph.ty(image);
        let &[_, colours, height, width] = &ty.extents(1)[..] else {
            return Err("its image is not [N, C, H, W]");
        };
        if graph.ty(output).shape != distribution.shape(ty) {
            return Err("its output has another size than its image");
        }
        if colours * height * width == 0 {
            return Err("its image is empty");
        }
        Ok(GraphEndpoints { image, output, distribution, colours, height, width })
    }

    /// The number of colors, rows and columns of the image.
    pub fn dims(&self) -> [usize; 3] {
        [self.colours, self.height, self.width]
    }
}
