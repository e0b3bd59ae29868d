//! The size of an image.

use std::fmt;

/// Height, width and channels of every image of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values of a pixel: 1 for gray, 3 for red, green and blue.
    pub colours: usize,
}

impl Shape {
    /// Values of an image.
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
