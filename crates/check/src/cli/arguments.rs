//! The options for ONNX files.

use std::time::Duration;

use crate::{Layout, Options, Order};

/// Options for an ONNX file: what the file leaves open, and limits.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "For an ONNX file")]
pub struct FileArguments {
    /// Name of the image input [default: detected by shape]
    #[arg(long, value_name = "NAME")]
    pub input: Option<String>,
    /// Name of the output that holds the logits [default: the first]
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,
    /// Image size, if the file leaves it open
    #[arg(long, value_name = "[CxH]xW", value_parser = image)]
    pub image: Option<[usize; 3]>,
    /// Layout of the input after the batch axis: `chw` or `hwc`
    #[arg(long, value_name = "LAYOUT")]
    pub input_layout: Option<Layout>,
    /// Layout of the output: `chw`, `lhw`, `(cl)hw`, `hwcl` (l: the levels)
    #[arg(long, value_name = "LAYOUT")]
    pub output_layout: Option<Layout>,
    /// Number of logits per value, if the layout is ambiguous
    #[arg(long, value_name = "N")]
    pub levels: Option<usize>,
    /// Smallest and largest value of the image [default: -1:255]
    #[arg(long, value_name = "LO:HI", value_parser = range, allow_hyphen_values = true)]
    pub range: Option<(f64, f64)>,
    /// Order of colors: `rgb`, `bgr` or `pixel` (whole pixels) [default: rgb]
    #[arg(long, value_name = "ORDER")]
    pub order: Option<Order>,
    /// Accept conditions that could not be proved
    #[arg(long)]
    pub assume: bool,
    /// Memory limit, e.g. `512MiB` or `4GiB` [default: 2GiB]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<usize>,
    /// Time limit in seconds [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub time: Option<Duration>,
}

impl FileArguments {
    /// The first of these flags that was given, for commands that reject them.
    pub fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("--input", self.input.is_some()),
            ("--output", self.output.is_some()),
            ("--image", self.image.is_some()),
            ("--input-layout", self.input_layout.is_some()),
            ("--output-layout", self.output_layout.is_some()),
            ("--levels", self.levels.is_some()),
            ("--range", self.range.is_some()),
            ("--order", self.order.is_some()),
            ("--assume", self.assume),
            ("--memory", self.memory.is_some()),
            ("--time", self.time.is_some()),
        ];
        given.iter().find(|(_, given)| *given).map(|(flag, _)| *flag)
    }

    /// These arguments as options of the library.
    pub fn options(&self) -> Options {
        let usual = Options::default();
        Options {
            input: self.input.clone(),
            output: self.output.clone(),
            image: self.image,
            input_layout: self.input_layout.clone(),
            output_layout: self.output_layout.clone(),
            levels: self.levels,
            order: self.order,
            range: self.range,
            memory: self.memory.unwrap_or(usual.memory),
            time: self.time.unwrap_or(usual.time),
            ..usual
        }
    }
}

/// Parses an image size: `HxW` or `CxHxW`.
pub fn image(text: &str) -> Result<[usize; 3], String> {
    let numbers: Option<Vec<usize>> =
        text.split('x').map(|n| n.trim().parse().ok().filter(|&n| n > 0)).collect();
    match numbers.as_deref() {
        Some(&[h, w]) => Ok([1, h, w]),
        Some(&[c, h, w]) => Ok([c, h, w]),
        _ => Err("expected HEIGHTxWIDTH or COLORSxHEIGHTxWIDTH, as in `3x32x32`".to_string()),
    }
}

/// Parses a range: `LO:HI`.
pub fn range(text: &str) -> Result<(f64, f64), String> {
    let number = |t: &str| t.trim().parse::<f64>().ok().filter(|x| x.is_finite());
    text.split_once(':')
        .and_then(|(lo, hi)| Some((number(lo)?, number(hi)?)))
        .filter(|(lo, hi)| lo <= hi)
        .ok_or_else(|| "expected two numbers LO:HI, the smaller first, e.g. `0:1`".to_string())
}

/// Parses a number of bytes, with or without a unit.
pub fn bytes(text: &str) -> Result<usize, String> {
    let fail = || "expected a size, as in `512MiB` or `4GiB`".to_string();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" | "kb" => 10,
        "m" | "mib" | "mb" => 20,
        "g" | "gib" | "gb" => 30,
        _ => return Err(fail()),
    };
    let number: usize = number.parse().map_err(|_| fail())?;
    number.checked_mul(1 << shift).filter(|&n| n > 0).ok_or_else(fail)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: Option<f64> = text.trim_end_matches('s').parse().ok();
    number
        .filter(|&s| s > 0.0 && s < 1e7)
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "expected a number of seconds, as in `60`".to_string())
}

/// The position of an output: row, column, and optionally color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The row, from 0.
    pub row: usize,
    /// The column, from 0.
    pub column: usize,
    /// The color, from 0; `None` for all colors of the pixel.
    pub colour: Option<usize>,
}

impl At {
    /// Returns an error message if the position is outside an image of this height, width and
    /// number of colors, and `None` if it is inside.
    pub fn outside(&self, [height, width, colours]: [usize; 3]) -> Option<String> {
        let &At { row, column, colour } = self;
        if row < height && column < width && colour.is_none_or(|c| c < colours) {
            return None;
        }
        let given = colour.map_or(String::new(), |c| format!(",{c}"));
        let range = |n: usize| if n == 1 { "0".to_string() } else { format!("0 to {}", n - 1) };
        Some(format!(
            "invalid --at {row},{column}{given}: expected row {}, column {}, color {}",
            range(height),
            range(width),
            range(colours)
        ))
    }
}

/// Parses a position: `ROW,COLUMN` or `ROW,COLUMN,COLOR`.
pub fn at(text: &str) -> Result<At, String> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[row, column]) => Ok(At { row, column, colour: None }),
        Some(&[row, column, c]) => Ok(At { row, column, colour: Some(c) }),
        _ => Err("expected ROW,COLUMN or ROW,COLUMN,COLOR, as in `3,5`".to_string()),
    }
}
