//! Options of an analysis.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::layout::Layout;

/// Options of an analysis: what to analyze, and limits of memory and time.
#[derive(Clone, Debug)]
pub struct Options {
    /// The input that is the image; by default the first with four axes of floats that no
    /// initializer sets, or what comes closest.
    pub input: Option<String>,
    /// The output that holds the logits; by default the first.
    pub output: Option<String>,
    /// Colors, height and width, where the file leaves them open.
    pub image: Option<[usize; 3]>,
    /// How the input is laid out; by default `chw`, or `hwc` if only the last axis is short.
    pub input_layout: Option<Layout>,
    /// How the output is laid out; by default whatever fits, an error if much does.
    pub output_layout: Option<Layout>,
    /// Logits for each value, to tell layouts apart.
    pub levels: Option<usize>,
    /// The order of the colors of a pixel; by default [`Order::Rgb`], or [`Order::Pixel`] where the
    /// output does not tell colors apart.
    pub order: Option<Order>,
    /// The least and the largest value that the image holds; by default -1 and 255.
    pub range: Option<(f64, f64)>,
    /// Whether to look for conditions under which a model is causal that cannot be proved so; by
    /// default true.
    pub conditions: bool,
    /// Bytes that sets, tensors and files may take together; by default 2 GiB.
    pub memory: usize,
    /// How long the analysis may take; by default 60 seconds.
    pub time: Duration,
    /// The model's folder, in which files with weights may lie. [`check_file`](crate::check_file)
    /// sets it.
    pub folder: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            input: None,
            output: None,
            image: None,
            input_layout: None,
            output_layout: None,
            levels: None,
            order: None,
            range: None,
            conditions: true,
            memory: 2 << 30,
            time: Duration::from_secs(60),
            folder: None,
        }
    }
}

impl Options {
    /// The range of the image.
    pub fn bounds(&self) -> (f64, f64) {
        self.range.unwrap_or((-1.0, 255.0))
    }
}

/// The order of the colors of a pixel: which colors of its own pixel an output may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// Earlier colors.
    Rgb,
    /// Later colors.
    Bgr,
    /// None: a pixel is predicted as a whole.
    Pixel,
}

/// An invalid order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid order `{0}`: expected rgb, bgr or pixel")]
pub struct OrderError(pub String);

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(text: &str) -> Result<Order, OrderError> {
        match text {
            "rgb" => Ok(Order::Rgb),
            "bgr" => Ok(Order::Bgr),
            "pixel" => Ok(Order::Pixel),
            _ => Err(OrderError(text.to_string())),
        }
    }
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Order::Rgb => "rgb",
            Order::Bgr => "bgr",
            Order::Pixel => "pixel",
        })
    }
}
