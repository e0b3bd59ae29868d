//! Layouts: what each axis of a tensor means.

use std::fmt;
use std::str::FromStr;

/// What an axis, or a part of a merged axis, counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Colour,
    Row,
    Column,
    Level,
}

/// The layout of the axes after the batch axis, such as `chw`, `hwc`, `(cl)hw` or `(hwc)l`: one
/// letter each for color, height, width and level. Letters in parentheses share an axis; the first
/// of them varies slowest. Without `c` there is one color, without `l` one value per color.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    axes: Vec<Vec<Part>>,
}

/// An invalid layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid layout `{0}`: expected h and w, optionally c and l, once each, with parentheses for merged \
     axes, e.g. `(cl)hw`"
)]
pub struct LayoutError(pub String);

impl FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Layout, LayoutError> {
        let fail = || LayoutError(text.to_string());
        let mut axes: Vec<Vec<Part>> = Vec::new();
        let mut open = false;
        for c in text.chars() {
            let part = match c {
                'c' => Part::Colour,
                'h' => Part::Row,
                'w' => Part::Column,
                'l' => Part::Level,
                '(' if !open => {
                    open = true;
                    axes.push(Vec::new());
                    continue;
                }
                ')' if open && axes.last().is_some_and(|a| !a.is_empty()) => {
                    open = false;
                    continue;
                }
                _ => return Err(fail()),
            };
            if axes.iter().flatten().any(|&p| p == part) {
                return Err(fail());
            }
            match axes.last_mut() {
                Some(last) if open => last.push(part),
                _ => axes.push(vec![part]),
            }
        }
        let has = |part| axes.iter().flatten().any(|&p| p == part);
        if open || !has(Part::Row) || !has(Part::Column) {
            return Err(fail());
        }
        Ok(Layout { axes })
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for axis in &self.axes {
            let letters: String = axis
                .iter()
                .map(|p| match p {
                    Part::Colour => 'c',
                    Part::Row => 'h',
                    Part::Column => 'w',
                    Part::Level => 'l',
                })
                .collect();
            match axis.len() {
                1 => f.write_str(&letters)?,
                _ => write!(f, "({letters})")?,
            }
        }
        Ok(())
    }
}

/// The size of an image: colors, height, width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub colours: usize,
    pub height: usize,
    pub width: usize,
}

/// Where the values of an image are in a tensor: the strides of its axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    colour: usize,
    row: usize,
    column: usize,
    level: usize,
    pub levels: usize,
    /// Whether the layout has no color axis although the image has several colors: one element per
    /// pixel.
    pub whole: bool,
}

impl Placement {
    /// The index of the element for one level of one color of one pixel.
    pub fn element(&self, [c, y, x]: [usize; 3], level: usize) -> usize {
        c * self.colour + y * self.row + x * self.column + level * self.level
    }
}

impl Layout {
    /// Reads a shape (without its batch axis) as an image of the given size; `None` if it does not
    /// fit.
    pub(crate) fn place(&self, shape: &[usize], size: Size) -> Option<Placement> {
        if shape.len() != self.axes.len() {
            return None;
        }
        let mut p = Placement { colour: 0, row: 0, column: 0, level: 0, levels: 1, whole: false };
        let mut colours = 1;
        let mut stride = 1usize;
        for (i, (axis, &extent)) in self.axes.iter().zip(shape).enumerate().rev() {
            let others = self.extent(i, size)?;
            let mut left = extent;
            for part in axis.iter().rev() {
                let n = match part {
                    Part::Colour => {
                        colours = size.colours;
                        p.colour = stride;
                        size.colours
                    }
                    Part::Row => {
                        p.row = stride;
                        size.height
                    }
                    Part::Column => {
                        p.column = stride;
                        size.width
                    }
                    Part::Level => {
                        p.levels = extent.checked_div(others)?;
                        p.level = stride;
                        p.levels
                    }
                };
                if n == 0 || left % n != 0 {
                    return None;
                }
                left /= n;
                stride = stride.checked_mul(n)?;
            }
            if left != 1 {
                return None;
            }
        }
        p.whole = colours != size.colours;
        Some(p)
    }

    /// The extent of an axis in an image of the given size, with one level.
    pub(crate) fn extent(&self, axis: usize, size: Size) -> Option<usize> {
        let one = |part: &Part| match part {
            Part::Colour => size.colours,
            Part::Row => size.height,
            Part::Column => size.width,
            Part::Level => 1,
        };
        self.axes.get(axis)?.iter().map(one).try_fold(1usize, usize::checked_mul)
    }

    /// Reads a shape (without its batch axis) as an image of any size; `None` if it does not fit.
    pub(crate) fn image(&self, shape: &[usize]) -> Option<(Size, Placement)> {
        let extent = |part: Part| {
            let at = self.axes.iter().position(|a| a[..] == [part]);
            match at {
                Some(i) => shape.get(i).copied(),
                None => (part == Part::Colour).then_some(1),
            }
        };
        let size = Size {
            colours: extent(Part::Colour)?,
            height: extent(Part::Row)?,
            width: extent(Part::Column)?,
        };
        if size.colours == 0 || size.height == 0 || size.width == 0 {
            return None;
        }
        Some((size, self.place(shape, size)?))
    }
}

/// The layouts that are tried for parameters of whole pixels.
const WHOLE: [&str; 6] = ["lhw", "hwl", "hw", "(hw)l", "l(hw)", "(hw)"];

/// The layouts that are tried for logits if none is given.
const USUAL: [&str; 11] = [
    "(cl)hw", "hw(cl)", "clhw", "lchw", "chwl", "hwcl", "hw", "(hw)(cl)", "(hwc)l", "(cl)(hw)",
    "(hwc)",
];

/// Every common layout that reads a shape as logits. Of layouts that place all values identically,
/// only the first is returned.
pub(crate) fn readings(
    shape: &[usize],
    size: Size,
    levels: Option<usize>,
    whole: bool,
) -> Vec<(Layout, Placement)> {
    if whole {
        return fitting(&WHOLE, shape, size, levels, true);
    }
    let found = fitting(&USUAL, shape, size, levels, false);
    if found.is_empty() { fitting(&WHOLE, shape, size, levels, true) } else { found }
}

fn fitting(
    texts: &[&str],
    shape: &[usize],
    size: Size,
    levels: Option<usize>,
    whole: bool,
) -> Vec<(Layout, Placement)> {
    let mut found: Vec<(Layout, Placement)> = Vec::new();
    for text in texts {
        let Ok(layout) = text.parse::<Layout>() else { continue };
        let Some(place) =
            layout.place(shape, size).filter(|p| p.whole == whole || size.colours == 1)
        else {
            continue;
        };
        let alike = |other: &Placement| {
            // The strides of axes with extent one do not matter.
            let key = |p: &Placement| {
                let of = |n: usize, s: usize| if n > 1 { s } else { 0 };
                [
                    of(size.colours, p.colour),
                    of(size.height, p.row),
                    of(size.width, p.column),
                    of(p.levels, p.level),
                    p.levels,
                ]
            };
            key(other) == key(&place)
        };
        let fits = levels.is_none_or(|l| l == place.levels);
        if fits && !found.iter().any(|(_, p)| alike(p)) {
            found.push((layout, place));
        }
    }
    found
}
