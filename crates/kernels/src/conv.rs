//! Masked convolutions on pixel-major maps, tap by tap. Each tap is a product of contiguous blocks, so
//! nothing is copied before it is multiplied.

use std::ops::Range;

use crate::parts;
use crate::product::{View, product};

/// A convolution of stride one whose result is as large as its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Rows of the map.
    pub height: usize,
    /// Columns of the map.
    pub width: usize,
    /// Images, N.
    pub images: usize,
    /// Features of the input, F.
    pub inputs: usize,
    /// Features of the result, G.
    pub outputs: usize,
    /// Extents of the kernel.
    pub kernel: [usize; 2],
    /// Its center.
    pub center: [usize; 2],
    /// The taps that are read, as row and column of the kernel.
    pub taps: Vec<[usize; 2]>,
    /// The parts of the center tap's weight that are not zero: a range of inputs, and the outputs that read it.
    /// The mask leaves a third of the weight out where there are three colors.
    pub center_blocks: Vec<[Range<usize>; 2]>,
}

/// With fewer features than this, what the taps read is concatenated first: products with few columns are
/// slow.
const NARROW: usize = 8;

/// A block of pixels that a tap reads, and the block of results that reads it: the first pixel of each, and
/// the number of pixels.
struct Block {
    from: usize,
    to: usize,
    pixels: usize,
}

/// Restricts a product to some rows of the map.
enum Rows {
    Results(Range<usize>),
    Read(Range<usize>),
}

/// The positions along an axis of `extent` from which tap `at` of a kernel centered at `center` reads inside
/// the map, and the position that the first of them reads.
fn inside(extent: usize, at: usize, center: usize) -> (Range<usize>, usize) {
    let first = center.saturating_sub(at);
    let last = (extent + center).saturating_sub(at).min(extent);
    (first..last.max(first), (first + at).saturating_sub(center))
}

/// Visits a matrix of `rows x columns` in small blocks, so that it and its transpose stay in the cache.
#[inline(always)]
fn blocks(rows: usize, columns: usize, mut visit: impl FnMut(usize, usize)) {
    const SIDE: usize = 16;
    for top in (0..rows).step_by(SIDE) {
        for left in (0..columns).step_by(SIDE) {
            for i in top..rows.min(top + SIDE) {
                for j in left..columns.min(left + SIDE) {
                    visit(i, j);
                }
            }
        }
    }
}

impl Conv {
    fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The parts of a tap's weight to multiply by: inputs, outputs.
    fn weight_blocks(&self, tap: [usize; 2]) -> Vec<[Range<usize>; 2]> {
        match tap == self.center {
            true => self.center_blocks.clone(),
            false => vec![[0..self.inputs, 0..self.outputs]],
        }
    }

    fn narrow(&self) -> bool {
        self.inputs < NARROW && self.taps.len() > 1
    }

    /// The blocks of a tap: one per row, or one for all rows if they are contiguous. Only blocks whose
    /// results, or whose read pixels, are in the given rows.
    fn stretches(&self, [r, c]: [usize; 2], rows: &Rows) -> Vec<Block> {
        let (inside_rows, first) = inside(self.height, r, self.center[0]);
        let (columns, first_column) = inside(self.width, c, self.center[1]);
        // The rows of the results, and how many rows below them the tap reads.
        let down = first as isize - inside_rows.start as isize;
        let (start, end) = match rows {
            Rows::Results(rows) => (rows.start as isize, rows.end as isize),
            Rows::Read(rows) => (rows.start as isize - down, rows.end as isize - down),
        };
        let start = start.max(inside_rows.start as isize) as usize;
        let end = end.min(inside_rows.end as isize).max(start as isize) as usize;
        if start == end || columns.is_empty() {
            return Vec::new();
        }
        let read = |y: usize| (y as isize + down) as usize;
        if columns.len() == self.width {
            let (from, to) = (read(start) * self.width, start * self.width);
            return vec![Block { from, to, pixels: (end - start) * self.width }];
        }
        let row = |y: usize| Block {
            from: read(y) * self.width + first_column,
            to: y * self.width + columns.start,
            pixels: columns.len(),
        };
        (start..end).map(row).collect()
    }

    /// Divides the rows of the map into parts, one per thread. The division depends only on the map.
    pub fn parts(&self) -> Vec<Range<usize>> {
        parts(self.height)
    }

    /// Converts the weight `[G, F, kh, kw]` to one matrix `[F, G]` for each tap that is read, for
    /// [`Conv::forward`].
    ///
    /// # Panics
    /// If the slice has the wrong length.
    pub fn matrices(&self, weight: &[f32]) -> Vec<f32> {
        let (f, g, taps) = (self.inputs, self.outputs, self.kernel[0] * self.kernel[1]);
        assert_eq!(weight.len(), f * g * taps, "the weight");
        let mut all = vec![0.0; self.taps.len() * f * g];
        for (&[r, c], matrix) in self.taps.iter().zip(all.chunks_exact_mut((f * g).max(1))) {
            let at = r * self.kernel[1] + c;
            blocks(f, g, |i, j| matrix[i * g + j] = weight[(j * f + i) * taps + at]);
        }
        all
    }

    /// Concatenates what all taps read for a row of results, `[W, N, K F]`.
    fn side_by_side(&self, x: &[f32], y: usize, out: &mut [f32]) {
        let (row, length) = (self.images * self.inputs, self.taps.len() * self.inputs);
        out.fill(0.0);
        for (k, &[r, c]) in self.taps.iter().enumerate() {
            let Some(from) = (y + r).checked_sub(self.center[0]).filter(|&y| y < self.height)
            else {
                continue;
            };
            let (columns, first) = inside(self.width, c, self.center[1]);
            for (i, x_to) in columns.enumerate() {
                let at = (from * self.width + first + i) * row;
                let place = x_to * self.images * length;
                let pairs = x[at..at + row].chunks_exact(self.inputs);
                for (n, values) in pairs.enumerate() {
                    let to = place + n * length + k * self.inputs;
                    out[to..to + self.inputs].copy_from_slice(values);
                }
            }
        }
    }

    /// Computes some rows of the result, `out [.., W, N, G]`, from `x [H, W, N, F]`, the matrices of the
    /// weight (see [`Conv::matrices`]) and `bias [G]`.
    ///
    /// # Panics
    /// If a slice has the wrong length.
    pub fn forward(
        &self,
        x: &[f32],
        [matrices, bias]: [&[f32]; 2],
        rows: Range<usize>,
        out: &mut [f32],
    ) {
        let (n, f, g) = (self.images, self.inputs, self.outputs);
        let row = self.width * n * g;
        assert_eq!(x.len(), self.pixels() * n * f, "the map");
        assert_eq!((bias.len(), out.len()), (g, rows.len() * row), "the bias and the result");
        assert_eq!(matrices.len(), self.taps.len() * f * g, "the matrices");
        out.chunks_exact_mut(g).for_each(|out| out.copy_from_slice(bias));
        if self.narrow() {
            let length = self.taps.len() * f;
            let mut read = vec![0.0; self.width * n * length];
            for (y, out) in rows.zip(out.chunks_exact_mut(row.max(1))) {
                self.side_by_side(x, y, &mut read);
                let shape = [self.width * n, length, g];
                product(out, g, shape, View::rows(&read, length), View::rows(matrices, g), true);
            }
            return;
        }
        let first = rows.start * self.width;
        let rows = Rows::Results(rows);
        for (tap, matrix) in self.taps.iter().zip(matrices.chunks_exact(f * g)) {
            for Block { from, to, pixels } in self.stretches(*tap, &rows) {
                let x = &x[from * n * f..(from + pixels) * n * f];
                let out = &mut out[(to - first) * n * g..(to - first + pixels) * n * g];
                for [i, o] in self.weight_blocks(*tap) {
                    let x = View::rows(&x[i.start..], f);
                    let matrix = View::rows(&matrix[i.start * g + o.start..], g);
                    let shape = [pixels * n, i.len(), o.len()];
                    product(&mut out[o.start..], g, shape, x, matrix, true);
                }
            }
        }
    }

    /// Adds to some rows of the cotangent of the map, `dx [.., W, N, F]`, the contribution of the cotangent
    /// of the result, `dy [H, W, N, G]`.
    ///
    /// # Panics
    /// If a slice has the wrong length.
    pub fn input_gradient(&self, dy: &[f32], weight: &[f32], rows: Range<usize>, dx: &mut [f32]) {
        let (n, f, g) = (self.images, self.inputs, self.outputs);
        let sizes = (rows.len() * self.width * n * f, self.pixels() * n * g);
        assert_eq!((dx.len(), dy.len()), sizes, "the cotangents");
        assert_eq!(weight.len(), f * g * self.kernel[0] * self.kernel[1], "the weight");
        // The weight of each tap as a matrix `[G, F]`.
        let all = self.kernel[0] * self.kernel[1];
        let mut matrix = vec![0.0; f * g];
        let first = rows.start * self.width;
        let rows = Rows::Read(rows);
        for tap in &self.taps {
            let at = tap[0] * self.kernel[1] + tap[1];
            matrix.iter_mut().zip(weight[at..].iter().step_by(all)).for_each(|(to, &w)| *to = w);
            for Block { from, to, pixels } in self.stretches(*tap, &rows) {
                let dy = &dy[to * n * g..(to + pixels) * n * g];
                let dx = &mut dx[(from - first) * n * f..(from - first + pixels) * n * f];
                for [i, o] in self.weight_blocks(*tap) {
                    let dy = View::rows(&dy[o.start..], g);
                    let matrix = View::rows(&matrix[o.start * f + i.start..], f);
                    let shape = [pixels * n, o.len(), i.len()];
                    product(&mut dx[i.start..], f, shape, dy, matrix, true);
                }
            }
        }
    }

    /// Computes the gradient of the weight of each tap, `sums [K, F, G]`, from a map `x [H, W, N, F]` and the
    /// cotangent of the result, `dy [H, W, N, G]`. If there are several parts, `sums [F, G]` is that of tap
    /// `part`; see [`Conv::weight_parts`].
    ///
    /// # Panics
    /// If a slice has the wrong length.
    pub fn weight_gradient(&self, x: &[f32], dy: &[f32], part: usize, sums: &mut [f32]) {
        let (n, f, g) = (self.images, self.inputs, self.outputs);
        let sizes = (self.pixels() * n * f, self.pixels() * n * g);
        assert_eq!((x.len(), dy.len()), sizes, "the map and the cotangent");
        sums.fill(0.0);
        if self.narrow() {
            assert_eq!(sums.len(), self.taps.len() * f * g, "the weight");
            let length = self.taps.len() * f;
            let mut read = vec![0.0; self.width * n * length];
            for (y, dy) in dy.chunks_exact((self.width * n * g).max(1)).enumerate() {
                self.side_by_side(x, y, &mut read);
                let read = View::rows(&read, length).transposed();
                product(sums, g, [length, self.width * n, g], read, View::rows(dy, g), true);
            }
            return;
        }
        assert_eq!(sums.len(), f * g, "the weight of a tap");
        for Block { from, to, pixels } in
            self.stretches(self.taps[part], &Rows::Results(0..self.height))
        {
            let x = &x[from * n * f..(from + pixels) * n * f];
            let dy = &dy[to * n * g..(to + pixels) * n * g];
            for [i, o] in self.weight_blocks(self.taps[part]) {
                let x = View::rows(&x[i.start..], f).transposed();
                let dy = View::rows(&dy[o.start..], g);
                let sums = &mut sums[i.start * g + o.start..];
                product(sums, g, [i.len(), pixels * n, o.len()], x, dy, true);
            }
        }
    }

    /// The number of parts of [`Conv::weight_gradient`]: one per tap, or one for all.
    pub fn weight_parts(&self) -> usize {
        if self.narrow() { 1 } else { self.taps.len() }
    }

    /// Copies the gradients of the weights of all taps, `[K, F, G]`, to `dw [G, F, kh, kw]`. Taps that are
    /// not read get zero.
    ///
    /// # Panics
    /// If a slice has the wrong length.
    pub fn weights_of_taps(&self, sums: &[f32], dw: &mut [f32]) {
        let (f, g, taps) = (self.inputs, self.outputs, self.kernel[0] * self.kernel[1]);
        assert_eq!((sums.len(), dw.len()), (self.taps.len() * f * g, f * g * taps), "the weight");
        dw.fill(0.0);
        for (&[r, c], sum) in self.taps.iter().zip(sums.chunks_exact((f * g).max(1))) {
            let at = r * self.kernel[1] + c;
            blocks(f, g, |i, j| dw[(j * f + i) * taps + at] = sum[i * g + j]);
        }
    }
}
