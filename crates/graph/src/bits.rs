//! A matrix of bits that records which inputs each output reads.

/// A matrix of bits, one row per output, one column per input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitRows {
    columns: usize,
    /// The number of words per row.
    stride: usize,
    words: Vec<u64>,
}

impl BitRows {
    /// A matrix of zeros.
    pub fn new(rows: usize, columns: usize) -> BitRows {
        let stride = columns.div_ceil(64);
        BitRows { columns, stride, words: vec![0; rows * stride] }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.words.len().checked_div(self.stride).unwrap_or(0)
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The words of a row, lowest column first.
    pub fn row(&self, row: usize) -> &[u64] {
        &self.words[row * self.stride..(row + 1) * self.stride]
    }

    /// The words of a row, mutable. Bits after the last column must stay zero.
    pub fn row_mut(&mut self, row: usize) -> &mut [u64] {
        &mut self.words[row * self.stride..(row + 1) * self.stride]
    }

    /// Whether a bit is set.
    pub fn get(&self, row: usize, column: usize) -> bool {
        self.row(row)[column / 64] >> (column % 64) & 1 == 1
    }

    /// Sets a bit.
    pub fn set(&mut self, row: usize, column: usize) {
        self.row_mut(row)[column / 64] |= 1 << (column % 64);
    }

    /// Sets all bits of a row that are set in `words`, a row of a matrix with the same number of columns.
    pub fn union(&mut self, row: usize, words: &[u64]) {
        for (mine, theirs) in self.row_mut(row).iter_mut().zip(words) {
            *mine |= theirs;
        }
    }

    /// The number of bits of a row that are set before a column.
    pub fn count_below(&self, row: usize, column: usize) -> usize {
        let words = self.row(row);
        let whole = words[..column / 64].iter().map(|w| w.count_ones() as usize).sum::<usize>();
        match column % 64 {
            0 => whole,
            rest => whole + (words[column / 64] & ((1 << rest) - 1)).count_ones() as usize,
        }
    }

    /// The first set bit of a row at or after a column.
    pub fn first_from(&self, row: usize, column: usize) -> Option<usize> {
        (column..self.columns).find(|&c| self.get(row, c))
    }
}
