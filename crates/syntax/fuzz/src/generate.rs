//! Turns bytes into declarations that parse and are often valid models.

use std::fmt::Write as _;

/// The largest nesting of blocks.
const DEPTH: usize = 3;

/// Generates a declaration. Every byte is one choice, so a small change of the bytes is a small change of the
/// text.
pub fn declaration(bytes: &[u8]) -> String {
    let mut of = Choices { bytes };
    let mut text = String::new();
    let (h, layers) = (of.below(6) + 1, of.below(4));
    let colours = of.pick(&[1, 1, 1, 2, 3, 4]);
    let _ = write!(text, "M {{ h: usize = {h}, layers: usize = {layers}, c: usize = {colours} }} ");
    let sides = [1, 2, 2, 3, 3, 4, 5, 14];
    let (height, width) = (of.pick(&sides), of.pick(&sides));
    let levels = of.pick(&["2", "2", "3", "17", "256", "1"]);
    let _ = write!(text, "image {height} x {width}, colours c, levels {levels}; ");
    if of.below(16) > 0 {
        let _ =
            write!(text, "stem: masked_conv({} x {}, A, {}); ", of.side(), of.side(), of.width());
    }
    of.body(&mut text, 0, &mut 0);
    if of.below(16) < 15 {
        text += "logits;";
    }
    text
}

/// The bytes that are left. After the last one, zeros.
struct Choices<'a> {
    bytes: &'a [u8],
}

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(first) % bound
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn side(&mut self) -> &'static str {
        self.pick(&["1", "3", "3", "5", "7", "1", "13", "25", "2 * h + 1", "255", "2", "h"])
    }

    /// Mostly of the same width, so that residual branches fit.
    fn width(&mut self) -> &'static str {
        self.pick(&["h", "h", "h", "h", "2 * h", "c", "c * h", "1", "5", "h - 2", "300", "70000"])
    }

    fn body(&mut self, text: &mut String, depth: usize, labels: &mut usize) {
        loop {
            *labels += 1;
            let label = *labels;
            match self.below(16) {
                // Also when there is nothing left to choose by.
                0 => return,
                1..=3 => {
                    let mask = self.pick(&["B", "B", "B", "A"]);
                    let (y, x, f) = (self.side(), self.side(), self.width());
                    let _ = write!(text, "l{label}: masked_conv({y} x {x}, {mask}, {f}); ");
                }
                4 => {
                    let (y, x, f) = (self.side(), self.side(), self.width());
                    let _ = write!(text, "l{label}: conv({y} x {x}, {f}); ");
                }
                5 | 6 => {
                    let (f, k) = (self.width(), self.side());
                    let initial = self.pick(&["", ", initial = learned", ", initial = zero"]);
                    let _ = write!(text, "l{label}: row_lstm({f}, kernel = {k}{initial}); ");
                }
                7 | 8 => {
                    let (f, initial) = (self.width(), self.pick(&["", ", learned"]));
                    let _ = write!(text, "l{label}: diagonal_bilstm({f}{initial}); ");
                }
                9 | 10 => *text += self.pick(&["relu; ", "tanh; ", "sigmoid; "]),
                11 => {
                    let f = self.width();
                    let _ = write!(text, "l{label}: skip({f}); ");
                }
                _ if depth == DEPTH => {}
                block => {
                    let head = match block {
                        12 => "residual".to_string(),
                        13 => "collect".to_string(),
                        14 => "block".to_string(),
                        // Few times: large numbers are for `model` to find, and slow.
                        _ => format!("repeat {}", self.pick(&["2", "layers", "3", "c", "h - 1"])),
                    };
                    let _ = write!(text, "b{label}: {head} {{ ");
                    self.body(text, depth + 1, labels);
                    *text += "} ";
                }
            }
        }
    }
}
