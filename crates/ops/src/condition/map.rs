//! `map c`: an image or a feature map of c features, as large as the image.

use pixelrnn_graph::{Array, BuildError, Dim, Type, Value};

use super::{Kind, Source};
use crate::PixelGraph;

/// `map c`: an image or a feature map with `c` numbers per pixel, at the model's own size.
///
/// Layers read it as it is, a map of `c` features without a mask: add it, through a
/// `conv(1 x 1, features, bias = none)`, to any map of the image's size. An array of the data set with the
/// condition's name holds the maps in training; `--condition NAME=FILE.npy` gives them in sampling.
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

    /// `[N, c, H, W]`, `[N, H, W, c]`, or `[N, H, W]` if c is 1. What could be either of the first two is the
    /// first.
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
        // The 24 bits of an f32's mantissa.
        (bits >> 8) as f32 / (1u32 << 24) as f32
    }

    fn about(self) -> String {
        match self.0 {
            1 => "a number for each pixel".to_string(),
            n => format!("{n} numbers for each pixel"),
        }
    }
}
