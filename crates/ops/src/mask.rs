//! Masks of convolution kernels (section 3.4): which taps an output feature may read.

use std::ops::Range;

use pixelrnn_graph::TypeError;

/// What the center tap may read. Feature k of F belongs to color group `floor(k * colours / F)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskKind {
    /// Earlier colors only. For the first layer.
    A,
    /// Earlier colors and the same color. For every other layer.
    B,
    /// No mask: every tap, also below and to the right. For maps that hold no pixels to be predicted, such as
    /// a conditioning image.
    Open,
    /// The center is in the last row of the kernel, and every tap is read: the rows above and the whole
    /// current row, in all colors. For maps in which a row depends on complete earlier rows only, such as the
    /// vertical stack of a Gated PixelCNN.
    Above,
}

impl MaskKind {
    /// The word in the text form.
    pub fn word(self) -> &'static str {
        match self {
            MaskKind::A => "A",
            MaskKind::B => "B",
            MaskKind::Open => "open",
            MaskKind::Above => "above",
        }
    }

    /// Parses the word of the text form.
    ///
    /// # Errors
    /// [`TypeError`] for any other word.
    pub fn from_word(word: &str) -> Result<MaskKind, TypeError> {
        match word {
            "A" => Ok(MaskKind::A),
            "B" => Ok(MaskKind::B),
            "open" => Ok(MaskKind::Open),
            "above" => Ok(MaskKind::Above),
            _ => Err(TypeError::attribute("mask", "must be A, B, open or above")),
        }
    }
}

/// The mask of a kernel `[height, width]`. Both are odd; for [`MaskKind::Above`] only the width is.
///
/// Output features may consist of `gates` equal parts (the gates of an LSTM). Each part has its own color
/// groups: if the groups were laid over the whole axis, a gate would read colors that its cell must not read.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// Which values a tap may read.
    pub kind: MaskKind,
    /// Height and width.
    pub kernel: [usize; 2],
    /// The colors of the image.
    pub colours: usize,
    /// The number of equal parts of the output features.
    pub gates: usize,
}

impl Mask {
    /// The row and column of the kernel's tap at the output's own pixel.
    pub fn centre(&self) -> [usize; 2] {
        let [height, width] = self.kernel;
        match self.kind {
            MaskKind::Above => [height.saturating_sub(1), width / 2],
            MaskKind::A | MaskKind::B | MaskKind::Open => [height / 2, width / 2],
        }
    }

    /// Whether every tap is read in full, by every output feature.
    pub fn is_open(&self) -> bool {
        matches!(self.kind, MaskKind::Open | MaskKind::Above)
    }

    /// Whether some output may read the tap at `row`, `column` of the kernel.
    pub fn live(&self, row: usize, column: usize) -> bool {
        let [cy, cx] = self.centre();
        match self.kind {
            MaskKind::Open | MaskKind::Above => true,
            MaskKind::A if row == cy && column == cx => self.colours > 1,
            _ => row < cy || (row == cy && column <= cx),
        }
    }

    /// Whether no output may read any tap. Any mask allows the first tap, unless it is the center.
    pub fn is_empty(&self) -> bool {
        !self.live(0, 0)
    }

    /// The taps that some output may read, in row-major order.
    pub fn taps(&self) -> Vec<[usize; 2]> {
        let all = (0..self.kernel[0]).flat_map(|r| (0..self.kernel[1]).map(move |c| [r, c]));
        all.filter(|&[r, c]| self.live(r, c)).collect()
    }

    /// The number of rows of the kernel down to the last one with a tap that is read; at least 1.
    pub fn live_rows(&self) -> usize {
        (0..self.kernel[0])
            .rev()
            .find(|&r| (0..self.kernel[1]).any(|c| self.live(r, c)))
            .map_or(1, |r| r + 1)
    }

    /// Whether the tap is masked by color group: the center of a mask A or B with several colors.
    pub fn grouped(&self, row: usize, column: usize) -> bool {
        !self.is_open() && self.colours > 1 && [row, column] == self.centre()
    }

    /// The color group of an output feature among `features`.
    pub fn output_group(&self, feature: usize, features: usize) -> usize {
        let part = (features / self.gates.max(1)).max(1);
        group(feature % part, part, self.colours)
    }

    /// Whether output feature `o` of `outputs` may read input feature `i` of `inputs` at a tap.
    pub fn allows(
        &self,
        o: usize,
        outputs: usize,
        i: usize,
        inputs: usize,
        tap: [usize; 2],
    ) -> bool {
        let [row, column] = tap;
        if !self.live(row, column) {
            return false;
        }
        if !self.grouped(row, column) {
            return true;
        }
        let (to, from) = (self.output_group(o, outputs), group(i, inputs, self.colours));
        match self.kind {
            MaskKind::A => from < to,
            _ => from <= to,
        }
    }

    /// The bounds of the color groups of `features` outputs, gate by gate, from 0 to `features`.
    pub fn output_bounds(&self, features: usize) -> Vec<usize> {
        let cut = |&k: &usize| {
            k == 0
                || k % (features / self.gates.max(1)).max(1) == 0
                || self.output_group(k, features) != self.output_group(k - 1, features)
        };
        (0..features).filter(cut).chain([features]).collect()
    }

    /// The parts of the center tap's weight that the mask leaves: ranges of input features, each with a range of
    /// the output features that read it. No two share an entry. With one color, or without a mask by color, it is
    /// the whole weight.
    pub fn center_blocks(&self, outputs: usize, inputs: usize) -> Vec<[Range<usize>; 2]> {
        let [row, column] = self.centre();
        if !self.grouped(row, column) {
            return vec![[0..inputs, 0..outputs]];
        }
        let bounds = self.output_bounds(outputs);
        let blocks = bounds.windows(2).map(|ends| {
            let reads = |&i: &usize| self.allows(ends[0], outputs, i, inputs, [row, column]);
            [0..(0..inputs).take_while(reads).count(), ends[0]..ends[1]]
        });
        blocks.filter(|[inputs, _]| !inputs.is_empty()).collect()
    }

    /// The number of inputs that the last output feature reads, which reads the most. Used as the fan-in for
    /// initialization.
    pub fn fan_in(&self, outputs: usize, inputs: usize) -> usize {
        let last = outputs.saturating_sub(1);
        let centre = self.centre();
        // Only at the center does the mask depend on the input feature.
        let at_centre =
            (0..inputs).filter(|&i| self.allows(last, outputs, i, inputs, centre)).count();
        let [height, width] = self.kernel;
        let around = match self.kind {
            MaskKind::Open | MaskKind::Above => (height * width).saturating_sub(1),
            MaskKind::A | MaskKind::B => centre[0] * width + centre[1],
        };
        around.saturating_mul(inputs).saturating_add(at_centre).max(1)
    }
}

/// The color group of feature `k` of `features`.
pub fn group(k: usize, features: usize, colours: usize) -> usize {
    k * colours / features.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The blocks of the center tap hold what the mask allows, once, and nothing else.
    #[test]
    fn blocks_are_the_mask() {
        for kind in [MaskKind::A, MaskKind::B] {
            for (colours, gates) in [(2, 1), (3, 1), (3, 4)] {
                for (outputs, inputs) in [(1, 1), (4, 2), (8, 3), (12, 7), (24, 16), (28, 10)] {
                    let mask = Mask { kind, kernel: [3, 3], colours, gates };
                    let mut times = vec![0; outputs * inputs];
                    for [i, o] in mask.center_blocks(outputs, inputs) {
                        for (o, i) in o.flat_map(|o| i.clone().map(move |i| (o, i))) {
                            times[o * inputs + i] += 1;
                        }
                    }
                    for (at, times) in times.into_iter().enumerate() {
                        let (o, i) = (at / inputs, at % inputs);
                        let allowed = mask.allows(o, outputs, i, inputs, [1, 1]);
                        assert_eq!(
                            times,
                            usize::from(allowed),
                            "{mask:?}, {o} of {outputs} reads {i}"
                        );
                    }
                }
            }
        }
    }
}
