//! What a model's graphs are given for a batch of a data set.

use pixelrnn_graph::{Array, Condition, Role};
use pixelrnn_ops::PixelGraph;

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
    /// A label is not a class of the model.
    #[error(
        "the data contain the label {label}, but the model has the classes 0 to {}: change the number of \
         classes with `--set`, or use other data", classes - 1
    )]
    Label {
        /// The label.
        label: u32,
        /// The classes of the model.
        classes: usize,
    },
}

/// The inputs that come from the data, by the names that a model's graphs have for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchInputs {
    /// The images.
    pub image: String,
    /// The labels, and how many classes there are.
    pub label: Option<(String, usize)>,
}

impl BatchInputs {
    /// Those of a graph, by the roles of its inputs.
    ///
    /// # Errors
    /// The graph reads no image.
    pub fn of(graph: &PixelGraph) -> Result<BatchInputs, BatchError> {
        let image = graph.input_as(Role::Image);
        let image = image.ok_or_else(|| BatchError::NoImage { graph: graph.name.clone() })?;
        let label = graph.inputs().iter().find_map(|input| match input.role {
            Role::Condition(Condition::Label { classes }) => Some((input.name.clone(), classes)),
            _ => None,
        });
        Ok(BatchInputs { image: image.name.clone(), label })
    }

    /// The inputs for images and their labels.
    ///
    /// # Errors
    /// The model reads labels, and there are none, or one that is not a class of the model.
    pub fn feeds(
        &self,
        images: Array,
        labels: Option<&[u32]>,
    ) -> Result<Vec<(&str, Array)>, BatchError> {
        let mut feeds = vec![(self.image.as_str(), images)];
        if let Some((name, classes)) = &self.label {
            let labels = labels.ok_or(BatchError::NoLabels { classes: *classes })?;
            if let Some(&label) = labels.iter().find(|&&label| label as usize >= *classes) {
                return Err(BatchError::Label { label, classes: *classes });
            }
            let labels = labels.iter().map(|&label| label as f32);
            feeds.push((name, ndarray::Array1::from_iter(labels).into_dyn()));
        }
        Ok(feeds)
    }
}
