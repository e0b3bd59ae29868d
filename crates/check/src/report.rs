//! The report of an analysis.

use crate::layout::Layout;
use crate::options::Order;
use crate::own::{Holds, Question};
use crate::sets::Sets;
use crate::store::Granted;
use crate::text::shown;

/// A position in the image: one color of one pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The color, from 0.
    pub colour: usize,
    /// The row, from 0.
    pub row: usize,
    /// The column, from 0.
    pub column: usize,
}

/// The verdict on a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Proved causal for all images in the range.
    Causal,
    /// Causal if the conditions in the report hold.
    Conditional,
    /// Unknown: there may be a leak through an operator that is not modeled exactly.
    Uncertain,
    /// An output depends on a value that it must not depend on.
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
    /// The name of the operator.
    pub op_type: String,
    /// The name of the first node that uses it.
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

/// The result of one of several checks of the same file.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The name of the input that was taken as the image.
    pub input: String,
    /// The name of the output that was checked.
    pub output: String,
    /// Height and width of the image.
    pub size: [usize; 2],
    /// The verdict of this check.
    pub verdict: Verdict,
    /// The number of outputs that leak.
    pub leaking_outputs: usize,
    /// The number of outputs.
    pub outputs: usize,
}

/// The result of an analysis: the verdict, and what each output depends on.
#[non_exhaustive]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// The number of colors of the image.
    pub colours: usize,
    /// The height of the image.
    pub height: usize,
    /// The width of the image.
    pub width: usize,
    /// The number of logits (or parameters) per output.
    pub levels: usize,
    /// Whether an output stands for a whole pixel instead of one of its colors.
    pub whole_pixels: bool,
    /// The order in which values are predicted.
    pub order: Order,
    /// The smallest and the largest value of the image.
    pub range: (f64, f64),
    /// The metadata, if this project wrote the file.
    pub holds: Option<Holds>,
    /// Whether an output may depend on the value at its own position, as a sampled value depends on
    /// its own random number.
    pub own_place: bool,
    /// If several checks were made, the results of all of them; this report is one of them.
    pub parts: Vec<Part>,
    /// The name of the input that is the image.
    pub input: String,
    /// The name of the output that was checked.
    pub output: String,
    /// The layout of the output.
    pub output_layout: Layout,
    /// All inputs and their roles.
    pub inputs: Vec<InputRole>,
    /// The number of nodes in the file, with those in bodies.
    pub nodes: usize,
    /// The number of parameters: elements of float constants, except masks of zeros and ones, and
    /// of inputs other than the image.
    pub parameters: usize,
    /// The number of outputs that leak.
    pub leaking_outputs: usize,
    /// The first leak, if there is one.
    pub leak: Option<Leak>,
    /// The fraction of earlier values that outputs do not depend on, over all pairs of an output
    /// and an earlier value.
    pub blind_share: f64,
    /// The operators that are not modeled exactly.
    pub uncertain: Vec<Uncertain>,
    /// The conditions under which the verdict holds.
    pub conditions: Vec<String>,
    /// For a model that leaks: an order of pixels and colors in which it would be causal.
    pub hint: Option<String>,
    pub(crate) sets: Sets,
    /// The set that each output depends on.
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

    /// The number of different sets in the analysis.
    pub fn distinct_sets(&self) -> usize {
        self.sets.distinct()
    }

    fn rank(&self, colour: usize) -> usize {
        if self.order == Order::Bgr { self.colours - 1 - colour } else { colour }
    }

    /// The index of a value: by row, column, then color in the order of the report.
    pub fn value(&self, p: Position) -> usize {
        (p.row * self.width + p.column) * self.colours + self.rank(p.colour)
    }

    /// The position of the value with this index.
    pub fn position(&self, value: usize) -> Position {
        let pixel = value / self.colours;
        Position {
            colour: self.rank(value % self.colours),
            row: pixel / self.width,
            column: pixel % self.width,
        }
    }

    /// The index of the output at a position.
    pub fn output_at(&self, p: Position) -> usize {
        if self.whole_pixels { p.row * self.width + p.column } else { self.value(p) }
    }

    /// The position of the output with this index.
    pub fn output_position(&self, output: usize) -> Position {
        if self.whole_pixels {
            Position { colour: 0, row: output / self.width, column: output % self.width }
        } else {
            self.position(output)
        }
    }

    /// The number of values that an output may depend on: all with smaller indices, and in a
    /// sampler its own.
    pub fn limit(&self, output: usize) -> usize {
        let (n, own) = (self.colours, usize::from(self.own_place));
        match (self.whole_pixels, self.order) {
            (true, _) => (output + own) * n,
            (false, Order::Pixel) => (output / n + own) * n,
            _ => output + own,
        }
    }

    /// This report as one of several checks.
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

    /// The values that an output depends on, as ascending ranges of indices.
    pub fn reads(&self, output: usize) -> Vec<std::ops::Range<usize>> {
        self.sets.runs(self.id(output)).into_iter().map(|(a, b)| a..b).collect()
    }

    /// Whether an output depends on a value.
    pub fn depends(&self, output: usize, value: usize) -> bool {
        self.sets.holds(self.id(output), value)
    }

    /// The number of values with an index below `value` that an output depends on.
    pub fn count_below(&self, output: usize, value: usize) -> usize {
        self.sets.count_below(self.id(output), value)
    }

    /// The first value with an index of at least `value` that an output depends on.
    pub fn first_from(&self, output: usize, value: usize) -> Option<usize> {
        self.sets.first_from(self.id(output), value)
    }

    /// Counts the leaks, and computes the blind share.
    pub(crate) fn judge(&mut self) {
        let (mut seen, mut all) = (0usize, 0usize);
        (self.leaking_outputs, self.leak) = (0, None);
        let mut counts: Option<(u32, usize, usize)> = None;
        for output in 0..self.outputs() {
            let (limit, id) = (self.limit(output), self.id(output));
            all += limit;
            seen += match counts {
                // Neighboring outputs often have the same set, which ends before both: reuse its
                // count.
                Some((last, end, n)) if last == id && end <= limit => n,
                _ => {
                    let n = self.sets.count_below(id, limit);
                    let end = self.sets.runs(id).last().map_or(0, |r| r.1);
                    counts = (end <= limit).then_some((id, end, n));
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

/// The assumptions as conditions, in words.
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
    // The first condition implies the second: scores in a range have a lower bound, too.
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
