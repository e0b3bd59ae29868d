//! `map c`: an image or a feature map of c features, as large as the image.

use pixelrnn_graph::{Array, BuildError, Dim, Type, Value};

use super::{Kind, Source};
use crate::PixelGraph;

/// `map c`: an image or a feature map with `c` channels and the height and width of the model's image.
///
/// Layers read it as it is, without a mask. To add it to a map, pass it through a
/// `conv(1 x 1, features, bias = none)`. In training, the values are the array of the data set that has the
/// condition's name; in sampling, `--condition NAME=FILE.npy` gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map(pub usize);

impl Kind for Map {
    const NAME: &'static str = "map";
    const EXAMPLE: &'static str = "condition edges: map 1;";
    const MOST: usize = 1 << 12;
    const SOURCE: Source = Source::Array;

    fn ty(self, [height, width]: [usize; 2]) -> Type {
        Type::real([Dim::N, Dim::Fixed(self.0), Dim::Fixed(height), Dim::Fixed(width)])
    }

    fn map(self, _: &mut PixelGraph, input: Value, _: &str) -> Result<Value, BuildError> {
        Ok(input)
    }

    /// Accepts `[N, c, H, W]`, `[N, H, W, c]`, and `[N, H, W]` if c is 1. If a shape matches both of the
    /// first two, it is read as `[N, c, H, W]`.
    fn take(self, values: Array, [height, width]: [usize; 2]) -> Result<Array, String> {
        let features = self.0;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(format!("{value} is not a finite number"));
        }
        let found = values.shape().to_vec();
        let planes = [features, height, width];
        match found.get(1..) {
            Some(rest) if rest == planes => Ok(values),
            Some(rest) if rest == [height, width, features] => {
                let planes = values.permuted_axes(vec![0, 3, 1, 2]);
                Ok(planes.as_standard_layout().into_owned())
            }
            Some(rest) if features == 1 && rest == [height, width] => {
                Ok(values.insert_axis(ndarray::Axis(1)))
            }
            _ => Err(format!(
                "expected the shape [N, {features}, {height}, {width}], found {found:?}"
            )),
        }
    }

    fn random(self, bits: u32) -> f32 {
        // The upper 24 bits: an f32 has 24 bits of precision.
        (bits >> 8) as f32 / (1u32 << 24) as f32
    }

    fn about(self) -> String {
        match self.0 {
            1 => "a number for each pixel".to_string(),
            n => format!("{n} numbers for each pixel"),
        }
    }
}
