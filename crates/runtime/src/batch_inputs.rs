//! The inputs of a model's graphs that a batch provides: images and the values of conditions.

use ndarray::Axis;
use pixelrnn_graph::{Array, Role};
use pixelrnn_ops::condition::Source;
use pixelrnn_ops::{ConditionKind, PixelGraph};

/// Why a batch of a data set cannot be used as inputs of a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The graph has no input for images.
    #[error("`{graph}` is a graph without an image")]
    NoImage {
        /// The name of the graph.
        graph: String,
    },
    /// The model is class-conditional, but there are no labels.
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
        /// A description of the condition.
        about: String,
    },
    /// The values of the data are not valid for a condition of the model.
    #[error("the data do not suit the condition `{name}` ({about}): {reason}")]
    Condition {
        /// The condition.
        name: String,
        /// A description of the condition.
        about: String,
        /// What is wrong with the values.
        reason: String,
    },
}

impl BatchError {
    /// The error for the values of a condition that come from data.
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

/// The values of conditions for some images, as given by a data set or a user.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConditionValues<'a> {
    /// The class of each image.
    pub labels: Option<&'a [u32]>,
    /// Arrays by the names of the conditions. The first axis is the image.
    pub arrays: &'a [(String, Array)],
}

/// What is wrong with the values of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum ConditionFault {
    /// There are no values.
    Missing,
    /// The number of values is not the number of images.
    Count {
        /// The number of values.
        found: usize,
        /// The number of images.
        images: usize,
    },
    /// A wrong shape, or an invalid value.
    Value(String),
}

impl ConditionValues<'_> {
    /// The values of one condition for `images` images of this height and width, in the form of its input.
    ///
    /// # Errors
    /// [`ConditionFault`] if there are no values, if their number is not that of the images, or if they are
    /// not valid for the kind of condition.
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

/// The names of a model's inputs that the data provide.
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
    /// Finds these inputs of a graph by their roles.
    ///
    /// # Errors
    /// [`BatchError::NoImage`] if the graph reads no image.
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

    /// The inputs of the graph for images and the values of their conditions.
    ///
    /// # Errors
    /// [`BatchError`] if the model reads a condition and its values are missing or invalid.
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
