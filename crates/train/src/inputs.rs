//! What a model's graphs are given for a batch of a data set.

use pixelrnn_graph::{Array, Condition, Role};
use pixelrnn_ops::PixelGraph;

use crate::TrainError;

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
    pub fn of(graph: &PixelGraph) -> Result<BatchInputs, TrainError> {
        let image = graph.input_as(Role::Image);
        let image = image.ok_or_else(|| {
            TrainError::Mismatch(format!("`{}` is a graph without an image", graph.name))
        })?;
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
    ) -> Result<Vec<(&str, Array)>, TrainError> {
        let mut feeds = vec![(self.image.as_str(), images)];
        if let Some((name, classes)) = &self.label {
            let labels = labels.ok_or(TrainError::NoLabels { classes: *classes })?;
            if let Some(&label) = labels.iter().find(|&&label| label as usize >= *classes) {
                return Err(TrainError::Label { label, classes: *classes });
            }
            let labels = labels.iter().map(|&label| label as f32);
            feeds.push((name, ndarray::Array1::from_iter(labels).into_dyn()));
        }
        Ok(feeds)
    }
}
