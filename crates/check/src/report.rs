//! The report of an analysis.

use crate::layout::Layout;
use crate::options::Order;
use crate::own::{Holds, Question};
use crate::sets::Sets;
use crate::store::Granted;
use crate::text::shown;

/// A color of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The color, from 0.
    pub colour: usize,
    /// The row, from 0.
    pub row: usize,
    /// The column, from 0.
    pub column: usize,
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Causal, proved for all images in the range.
    Causal,
    /// Causal if the conditions of the report hold.
    Conditional,
    /// Unknown: an operator that is not modeled exactly may cause a leak.
    Uncertain,
    /// There is a leak.
    Leaks,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Causal => "causal",
            Verdict::Conditional => "conditional",
            Verdict::Uncertain => "uncertain",
            Verdict::Leaks => "leaks",
        })
    }
}

/// The role of an input of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The image.
    Image,
    /// A condition, such as a label: independent of the image, and finite.
    Condition,
    /// A parameter. The verdict holds for all parameters that keep every value finite.
    Weights,
    /// No output depends on it.
    Unused,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Role::Image => "image",
            Role::Condition => "condition",
            Role::Weights => "weights",
            Role::Unused => "unused",
        })
    }
}

/// An input of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRole {
    /// The name of the input.
    pub name: String,
    /// Its role.
    pub role: Role,
}

/// An operator that is not modeled exactly, with the first node that uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncertain {
    /// The operator.
    pub op_type: String,
    /// The first node with it.
    pub node: String,
}

/// The first output that leaks, and the first value that it must not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The output.
    pub output: Position,
    /// The value that it must not read.
    pub input: Position,
}

/// One of several checks of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The input that was taken as the image.
    pub input: String,
    /// The output that was checked.
    pub output: String,
    /// Height and width.
    pub size: [usize; 2],
    /// The verdict of this check.
    pub verdict: Verdict,
    /// The number of outputs that leak.
    pub leaking_outputs: usize,
    /// The number of outputs.
    pub outputs: usize,
}

/// The dependencies of the outputs of a model, and the verdict.
#[non_exhaustive]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// The colors of the image.
    pub colours: usize,
    /// The height of the image.
    pub height: usize,
    /// The width of the image.
    pub width: usize,
    /// Logits (or parameters) for each output.
    pub levels: usize,
    /// Whether an output stands for a whole pixel, not for one color of it.
    pub whole_pixels: bool,
    /// The order in which values are predicted.
    pub order: Order,
    /// The image's least and largest value.
    pub range: (f64, f64),
    /// What the metadata say of a file that this project wrote.
    pub holds: Option<Holds>,
    /// Whether an output may read the value at its own place: a drawn value reads the random number
    /// that it is drawn with.
    pub own_place: bool,
    /// All that was asked of a file of which more than one thing was; this report is one of them.
    pub parts: Vec<Part>,
    /// The input that is the image.
    pub input: String,
    /// The output that holds the logits, and how it is laid out.
    pub output: String,
    /// The layout of the output.
    pub output_layout: Layout,
    /// All inputs.
    pub inputs: Vec<InputRole>,
    /// Nodes that the output needs, those of bodies not counted.
    pub nodes: usize,
    /// Numbers in weights: float constants of the graph, masks of zeros and ones aside, and inputs
    /// beside the image.
    pub parameters: usize,
    /// The number of outputs that leak.
    pub leaking_outputs: usize,
    /// The first leak, if there is one.
    pub leak: Option<Leak>,
    /// The share of earlier values that are never read.
    pub blind_share: f64,
    /// The operators that are not modeled exactly.
    pub uncertain: Vec<Uncertain>,
    /// The conditions of the verdict.
    pub conditions: Vec<String>,
    /// Pixel orders in which a leaking model would be causal.
    pub hint: Option<String>,
    pub(crate) sets: Sets,
    /// For each output its set.
    pub(crate) ids: Vec<u32>,
    pub(crate) granted: crate::store::Assume,
    pub(crate) question: Question,
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, {} of {} leak", self.verdict, self.leaking_outputs, self.outputs())
    }
}

impl Report {
    /// The number of outputs: one per color of each pixel, or one per pixel.
    pub fn outputs(&self) -> usize {
        self.ids.len()
    }

    /// The number of values of the image.
    pub fn values(&self) -> usize {
        self.colours * self.height * self.width
    }

    /// How many different sets were met.
    pub fn distinct_sets(&self) -> usize {
        self.sets.distinct()
    }

    fn rank(&self, colour: usize) -> usize {
        if self.order == Order::Bgr { self.colours - 1 - colour } else { colour }
    }

    /// The number of a value of the image: rows, columns, colors in the order that was asked for.
    pub fn value(&self, p: Position) -> usize {
        (p.row * self.width + p.column) * self.colours + self.rank(p.colour)
    }

    /// The value with a number.
    pub fn position(&self, value: usize) -> Position {
        let pixel = value / self.colours;
        Position {
            colour: self.rank(value % self.colours),
            row: pixel / self.width,
            column: pixel % self.width,
        }
    }

    /// The number of an output.
    pub fn output_at(&self, p: Position) -> usize {
        if self.whole_pixels { p.row * self.width + p.column } else { self.value(p) }
    }

    /// The place of an output.
    pub fn output_position(&self, output: usize) -> Position {
        if self.whole_pixels {
            Position { colour: 0, row: output / self.width, column: output % self.width }
        } else {
            self.position(output)
        }
    }

    /// How many values an output may read: all with smaller numbers, and in a sampler its own.
    pub fn limit(&self, output: usize) -> usize {
        let (n, own) = (self.colours, usize::from(self.own_place));
        match (self.whole_pixels, self.order) {
            (true, _) => (output + own) * n,
            (false, Order::Pixel) => (output / n + own) * n,
            _ => output + own,
        }
    }

    /// This report as one of several.
    pub(crate) fn part(&self) -> Part {
        Part {
            input: self.input.clone(),
            output: self.output.clone(),
            size: [self.height, self.width],
            verdict: self.verdict,
            leaking_outputs: self.leaking_outputs,
            outputs: self.outputs(),
        }
    }

    fn id(&self, output: usize) -> u32 {
        self.ids.get(output).copied().unwrap_or(0)
    }

    /// The values that an output depends on, as runs `start..end` in order.
    pub fn reads(&self, output: usize) -> Vec<std::ops::Range<usize>> {
        self.sets.runs(self.id(output)).into_iter().map(|(a, b)| a..b).collect()
    }

    /// Whether an output depends on a value.
    pub fn depends(&self, output: usize, value: usize) -> bool {
        self.sets.holds(self.id(output), value)
    }

    /// How many values below a number an output reads.
    pub fn count_below(&self, output: usize, value: usize) -> usize {
        self.sets.count_below(self.id(output), value)
    }

    /// The first value at or after a number that an output reads.
    pub fn first_from(&self, output: usize, value: usize) -> Option<usize> {
        self.sets.first_from(self.id(output), value)
    }

    /// Counts leaks and what is never seen.
    pub(crate) fn judge(&mut self) {
        let (mut seen, mut all) = (0usize, 0usize);
        (self.leaking_outputs, self.leak) = (0, None);
        let mut counts: Option<(u32, usize, usize)> = None;
        for output in 0..self.outputs() {
            let (limit, id) = (self.limit(output), self.id(output));
            all += limit;
            seen += match counts {
                // Neighbors often share a set that ends before both.
                Some((last, end, n)) if last == id && end <= limit => n,
                _ => {
                    let n = self.sets.count_below(id, limit);
                    let end = self.sets.runs(id).last().map_or(0, |r| r.1);
                    counts = Some((id, end, n));
                    n
                }
            };
            if let Some(value) = self.sets.first_from(id, limit) {
                self.leaking_outputs += 1;
                let leak =
                    Leak { output: self.output_position(output), input: self.position(value) };
                self.leak.get_or_insert(leak);
            }
        }
        self.blind_share = if all == 0 { 0.0 } else { (all - seen) as f64 / all as f64 };
    }
}

/// What was granted, in words.
pub(crate) fn conditions(granted: &[Granted]) -> Vec<String> {
    let text = |g: &Granted| match g {
        Granted::Finite { node } => {
            format!("no value overflows or is NaN (first needed at `{}`)", shown(node))
        }
        Granted::Above { node, bound } => {
            format!("the scores stay above {} at `{}`", number(*bound), shown(node))
        }
        Granted::Within { node, spread } => format!(
            "the scores stay above {} and below {} at `{}`",
            number(-spread / 2.0),
            number(spread / 2.0),
            shown(node)
        ),
    };
    // Scores that stay within bounds stay above them.
    let implied = |g: &Granted| {
        match g {
        Granted::Above { node, bound } => granted.iter().any(|other| {
            matches!(other, Granted::Within { node: n, spread } if n == node && -spread / 2.0 >= *bound)
        }),
        _ => false,
    }
    };
    granted.iter().filter(|g| !implied(g)).map(text).collect()
}

fn number(x: f64) -> String {
    if x.abs() < 1e6 { format!("{:.0}", x.ceil()) } else { format!("{x:.3e}") }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}, {}) color {}", self.row, self.column, self.colour)
    }
}
