//! Options of an analysis.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::layout::Layout;

/// Options of an analysis: what to analyze, and the limits of memory and time.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name of the input that is the image. By default, the first input without an initializer
    /// that has four axes of floats, or else the most similar one.
    pub input: Option<String>,
    /// The name of the output that holds the logits. By default, the first output.
    pub output: Option<String>,
    /// Colors, height and width, if the file leaves them open.
    pub image: Option<[usize; 3]>,
    /// The layout of the input. By default `chw`, or `hwc` if only the last axis is short.
    pub input_layout: Option<Layout>,
    /// The layout of the output. By default, the only one that fits; if several fit, it must be
    /// given.
    pub output_layout: Option<Layout>,
    /// The number of logits per value, to decide between layouts.
    pub levels: Option<usize>,
    /// The order of the colors of a pixel. By default [`Order::Rgb`], or [`Order::Pixel`] if the
    /// output has no separate colors.
    pub order: Option<Order>,
    /// The smallest and the largest value of the image. By default -1 and 255.
    pub range: Option<(f64, f64)>,
    /// Whether to look for conditions under which an unproved model would be causal. By default
    /// true.
    pub conditions: bool,
    /// The memory limit for sets, tensors and files together, in bytes. By default 2 GiB.
    pub memory: usize,
    /// The time limit. By default 60 seconds.
    pub time: Duration,
    /// The folder of the model, in which external weights are looked for.
    /// [`check_file`](crate::check_file) sets it.
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
    /// The smallest and the largest value of the image.
    pub fn bounds(&self) -> (f64, f64) {
        self.range.unwrap_or((-1.0, 255.0))
    }
}

/// The order of the colors of a pixel: which colors of its own pixel an output may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// The earlier colors.
    Rgb,
    /// The later colors.
    Bgr,
    /// None: a pixel is predicted as a whole.
    Pixel,
}

/// The error for text that is not an order; it contains the text.
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
