//! `classes n`: one of n classes per image.

use pixelrnn_graph::{Array, BuildError, Dim, Elem, Site, Type, Value};

use super::{Kind, Source};
use crate::{OneHot, PixelGraph};

/// `classes n`: one class per image, a whole number from 0 to `n - 1`.
///
/// Layers read it as a one-hot map `[N, n, 1, 1]`. To add it to a map, pass it through a
/// `conv(1 x 1, features)`. In training, the classes are the labels of the data set; in sampling, `--label`
/// chooses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes(pub usize);

impl Kind for Classes {
    const NAME: &'static str = "classes";
    const EXAMPLE: &'static str = "condition label: classes 10;";
    const MOST: usize = 1 << 16;
    const SOURCE: Source = Source::Labels;

    fn ty(self, _: [usize; 2]) -> Type {
        Type { elem: Elem::Int, shape: vec![Dim::N] }
    }

    fn map(self, graph: &mut PixelGraph, input: Value, name: &str) -> Result<Value, BuildError> {
        let one_hot = OneHot { classes: self.0 };
        Ok(graph.push(one_hot.into(), &[input], &format!("{name}/one_hot"), Site::NONE)?[0])
    }

    fn take(self, values: Array, _: [usize; 2]) -> Result<Array, String> {
        if values.ndim() != 1 {
            return Err(format!("expected one class per image, found {:?}", values.shape()));
        }
        let is_class = |class: f32| class.fract() == 0.0 && (0.0..self.0 as f32).contains(&class);
        match values.iter().find(|&&class| !is_class(class)) {
            Some(class) => {
                Err(format!("{class} is not a class: expected 0 to {}", self.0.saturating_sub(1)))
            }
            None => Ok(values),
        }
    }

    fn random(self, bits: u32) -> f32 {
        ((u64::from(bits) * self.0 as u64) >> 32) as f32
    }

    fn about(self) -> String {
        format!("the class of each image, 0 to {}", self.0.saturating_sub(1))
    }
}
