//! The size of an image.

use std::fmt;

/// Height, width and channels of every image of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The number of rows.
    pub height: usize,
    /// The number of columns.
    pub width: usize,
    /// The number of values per pixel: 1 for gray, 3 for red, green and blue.
    pub colours: usize,
}

impl Shape {
    /// The number of values of an image.
    pub fn values(self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.colours)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.height, self.width)?;
        match self.colours {
            1 => Ok(()),
            c => write!(f, " x {c}"),
        }
    }
}
