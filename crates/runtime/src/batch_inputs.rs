//! What a model's graphs are given for a batch: images and the values of conditions.

use ndarray::Axis;
use pixelrnn_graph::{Array, Role};
use pixelrnn_ops::condition::Source;
use pixelrnn_ops::{ConditionKind, PixelGraph};

/// Why a batch of a data set cannot be given to a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The graph has no input for images.
    #[error("`{graph}` is a graph without an image")]
    NoImage {
        /// The name of the graph.
        graph: String,
    },
    /// The model is class-conditional, and there are no labels.
    #[error(
        "the model is class-conditional ({classes} classes), but the data have no labels: use a source \
         with labels (MNIST with its label files, CIFAR-10, one folder per class, an array `labels` \
         in an .npz), or a model without a condition"
    )]
    NoLabels {
        /// The classes of the model.
        classes: usize,
    },
    /// The data have no array for a condition of the model.
    #[error(
        "the model is conditioned on `{name}` ({about}), but the data have no array of this name: use an \
         .npz with arrays such as `train_{name}` and `test_{name}`, and `,conditions={name}`"
    )]
    NoCondition {
        /// The condition.
        name: String,
        /// What it is.
        about: String,
    },
    /// Values of the data do not suit a condition of the model.
    #[error("the data do not suit the condition `{name}` ({about}): {reason}")]
    Condition {
        /// The condition.
        name: String,
        /// What it is.
        about: String,
        /// What is wrong.
        reason: String,
    },
}

impl BatchError {
    /// What is wrong with the values of a condition that come from data.
    pub fn condition(name: &str, kind: ConditionKind, fault: ConditionFault) -> BatchError {
        let (name, about) = (name.to_string(), kind.about());
        let reason = match fault {
            ConditionFault::Missing => {
                return match kind.source() {
                    Source::Labels => BatchError::NoLabels { classes: kind.number() },
                    Source::Array => BatchError::NoCondition { name, about },
                };
            }
            ConditionFault::Count { found, images } => {
                format!("expected one value per image ({images}), found {found}")
            }
            ConditionFault::Value(reason) => reason,
        };
        BatchError::Condition { name, about, reason }
    }
}

/// Values of conditions for some images, as they come from a data set or a user.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConditionValues<'a> {
    /// The class of each image.
    pub labels: Option<&'a [u32]>,
    /// Arrays by the names of the conditions. The first axis counts the images.
    pub arrays: &'a [(String, Array)],
}

/// What is wrong with the values of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum ConditionFault {
    /// There are none.
    Missing,
    /// Not one for each image.
    Count {
        /// How many there are.
        found: usize,
        /// The number of images.
        images: usize,
    },
    /// A wrong shape, or a value that does not suit.
    Value(String),
}

impl ConditionValues<'_> {
    /// The values of one condition for `images` images of this height and width, as its input takes them.
    ///
    /// # Errors
    /// There are none, not one for each image, or they do not suit the kind.
    pub fn of(
        &self,
        name: &str,
        kind: ConditionKind,
        images: usize,
        size: [usize; 2],
    ) -> Result<Array, ConditionFault> {
        let values = match kind.source() {
            Source::Labels => self.labels.map(|labels| {
                let labels = labels.iter().map(|&label| label as f32);
                ndarray::Array1::from_iter(labels).into_dyn()
            }),
            Source::Array => {
                self.arrays.iter().find(|(known, _)| known == name).map(|(_, array)| array.clone())
            }
        };
        let values = values.ok_or(ConditionFault::Missing)?;
        let found = if values.ndim() == 0 { 0 } else { values.len_of(Axis(0)) };
        if found != images {
            return Err(ConditionFault::Count { found, images });
        }
        kind.take(values, size).map_err(ConditionFault::Value)
    }
}

/// The inputs that come from the data, by the names that a model's graphs have for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchInputs {
    /// The images.
    pub image: String,
    /// The conditions.
    pub conditions: Vec<(String, ConditionKind)>,
    /// The height and width of the images.
    size: [usize; 2],
}

impl BatchInputs {
    /// Those of a graph, by the roles of its inputs.
    ///
    /// # Errors
    /// The graph reads no image.
    pub fn of(graph: &PixelGraph) -> Result<BatchInputs, BatchError> {
        let image = graph.input_as(Role::Image);
        let image = image.ok_or_else(|| BatchError::NoImage { graph: graph.name.clone() })?;
        let size = match graph.ty(image.value).extents(1)[..] {
            [_, _, height, width] => [height, width],
            _ => [1, 1],
        };
        let inputs = graph.inputs().iter();
        let given = inputs.filter_map(|i| Some((i.name.clone(), ConditionKind::of(i.role)?)));
        Ok(BatchInputs { image: image.name.clone(), conditions: given.collect(), size })
    }

    /// The inputs for images and the values of their conditions.
    ///
    /// # Errors
    /// The model reads a condition, and there are no values of it, or they do not suit it.
    pub fn feeds(
        &self,
        images: Array,
        values: ConditionValues,
    ) -> Result<Vec<(&str, Array)>, BatchError> {
        let count = images.shape().first().copied().unwrap_or(0);
        let mut feeds = vec![(self.image.as_str(), images)];
        for (name, kind) in &self.conditions {
            let array = values.of(name, *kind, count, self.size);
            let array = array.map_err(|fault| BatchError::condition(name, *kind, fault))?;
            feeds.push((name, array));
        }
        Ok(feeds)
    }
}
