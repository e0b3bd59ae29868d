//! Pictures of several images, arranged in rows and columns.

use std::path::Path;

use pixelrnn::Array;

use crate::canvas::{Canvas, Colour};
use crate::exit::Failure;

/// A grid of images.
pub struct Grid<'a> {
    /// For each cell, a batch, the index of an image in it, and how many rows of that image are
    /// shown.
    cells: Vec<(&'a Array, usize, usize)>,
    columns: usize,
    levels: usize,
}

const GAP: usize = 2;
const PAPER: Colour = [0x60, 0x66, 0x70];
const HIDDEN: Colour = [0x3b, 0x52, 0x70];

impl<'a> Grid<'a> {
    /// A grid with about as many rows as columns.
    pub fn square(images: &'a Array, levels: usize) -> Grid<'a> {
        let count = images.shape()[0];
        let columns = (1..).find(|c| c * c >= count).unwrap_or(1);
        let height = images.shape()[1];
        Grid { cells: (0..count).map(|i| (images, i, height)).collect(), columns, levels }
    }

    /// A grid with `columns` images in each row.
    pub fn rows(images: &'a Array, columns: usize, levels: usize) -> Grid<'a> {
        Grid { columns: columns.max(1), ..Grid::square(images, levels) }
    }

    /// One row per image: the original, the part that is kept, the completions.
    pub fn completed(
        images: &'a Array,
        given: &'a Array,
        copies: usize,
        rows: usize,
        levels: usize,
    ) -> Grid<'a> {
        let height = images.shape()[1];
        let mut cells = Vec::new();
        for first in (0..images.shape()[0]).step_by(copies) {
            cells.extend([(given, first, height), (given, first, rows)]);
            cells.extend((first..first + copies).map(|i| (images, i, height)));
        }
        Grid { cells, columns: copies + 2, levels }
    }

    /// The height, width and number of colors of an image.
    fn shape(&self) -> [usize; 3] {
        self.cells.first().map_or([1, 1, 1], |c| [1, 2, 3].map(|axis| c.0.shape()[axis]))
    }

    /// The enlargement: pixels of the picture per pixel of an image. Small images are enlarged
    /// more.
    fn scale(&self) -> usize {
        let [height, width, _] = self.shape();
        (64 / height.max(width).max(1)).clamp(1, 8)
    }

    /// The width and height of the picture in pixels.
    pub fn size(&self) -> [usize; 2] {
        let [height, width, _] = self.shape();
        let rows = self.cells.len().div_ceil(self.columns);
        let [tall, wide] = [height, width].map(|n| n * self.scale() + GAP);
        [self.columns * wide + GAP, rows * tall + GAP]
    }

    /// The picture as the bytes of a PNG file; `path` is for errors.
    ///
    /// # Errors
    /// [`Failure::Picture`] if it cannot be encoded.
    pub fn png(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        let [height, width, colours] = self.shape();
        let scale = self.scale();
        let [tall, wide] = [height, width].map(|n| n * scale + GAP);
        let [total_width, total_height] = self.size();
        let mut canvas = Canvas::new(total_width, total_height, PAPER);
        for (at, &(images, image, shown)) in self.cells.iter().enumerate() {
            let left = at % self.columns * wide + GAP;
            let top = at / self.columns * tall + GAP;
            for y in 0..height {
                for x in 0..width {
                    let value = |c: usize| {
                        let c = c.min(colours - 1);
                        let level = images[[image, y, x, c].as_slice()];
                        (level * 255.0 / (self.levels - 1) as f32).round() as u8
                    };
                    let colour = if y < shown { [value(0), value(1), value(2)] } else { HIDDEN };
                    canvas.fill([left + x * scale, top + y * scale], [scale, scale], colour);
                }
            }
        }
        canvas.png(path)
    }
}
