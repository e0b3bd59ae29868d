//! The picture of `check`: the context of chosen outputs.

use std::path::Path;

use pixelrnn::{Causality, files};

use super::{Report, place};
use crate::canvas::{Canvas, Colour, word_width};
use crate::exit::Failure;

/// The legend of the picture, printed with the report.
pub const LEGEND: &str = "one panel for each output
  blue: earlier, read; amber: earlier, never read; black: the output's own pixel;
  gray: later, not read; red: read although not earlier (a leak)";

/// Appended to the legend for images with several colors.
pub const LEGEND_OF_COLOURS: &str =
    "  a blue pixel with an amber dot: read in some of its colors\n";

/// The number of panels if the user chooses no outputs.
pub const USUAL_PANELS: usize = 6;

/// Maximal number of panels of a picture.
pub const MAX_PANELS: usize = 48;

const PAPER: Colour = [0xff, 0xff, 0xff];
const INK: Colour = [0x1b, 0x1f, 0x24];
const FAINT: Colour = [0x6b, 0x72, 0x80];
const READ: Colour = [0x2f, 0x6d, 0xb5];
const UNREAD: Colour = [0xf2, 0xa9, 0x3b];
const LATER: Colour = [0xe4, 0xe7, 0xeb];
const LEAK: Colour = [0xd6, 0x27, 0x28];

const COLUMNS: usize = 3;
const MARGIN: usize = 28;
const GAP: usize = 28;
/// The height of a caption, including the space below it.
const CAPTION: usize = 24;
/// Approximate length of the longer side of a panel, in pixels.
const PANEL: usize = 232;

const WORDS: [(Colour, &str); 5] = [
    (READ, "read"),
    (UNREAD, "earlier, never read"),
    (INK, "the output"),
    (LATER, "later, not read"),
    (LEAK, "leak"),
];

/// Draws the context of these outputs into a file.
pub fn write(report: &Report, outputs: &[usize], path: &Path) -> Result<(), Failure> {
    Ok(files::write(path, &draw(report, outputs).png(path)?)?)
}

fn draw(report: &Report, outputs: &[usize]) -> Canvas {
    let causality = &report.causality;
    let cell = (PANEL / causality.height.max(causality.width)).clamp(2, 29);
    let panel = [causality.width * cell + 1, causality.height * cell + 1];
    let (columns, rows) = (outputs.len().clamp(1, COLUMNS), outputs.len().div_ceil(COLUMNS).max(1));
    let title = file_name(&report.name);
    let legend: usize = WORDS.iter().map(|(_, word)| entry_width(word)).sum();
    let width = (columns * (panel[0] + GAP) - GAP).max(legend).max(word_width(title, 2));
    let body = MARGIN + 44;
    let foot = body + rows * (CAPTION + panel[1] + GAP);
    let mut canvas = Canvas::new(width + 2 * MARGIN, foot + 14 + MARGIN, PAPER);
    canvas.word([MARGIN, MARGIN], 2, INK, title);
    let about = match causality.leaking_outputs {
        0 => format!("causal, {:.2} % of earlier values never read", 100.0 * causality.blind_share),
        n => format!("not causal: {n} of {} outputs leak", causality.outputs()),
    };
    let colour = if causality.causal() { FAINT } else { LEAK };
    canvas.word([MARGIN, MARGIN + 22], 1, colour, &about);
    for (i, &output) in outputs.iter().enumerate() {
        let x = MARGIN + i % COLUMNS * (panel[0] + GAP);
        let y = body + i / COLUMNS * (CAPTION + panel[1] + GAP);
        canvas.word([x, y + 8], 1, INK, &format!("output {}", place(causality, output)));
        draw_panel(&mut canvas, [x, y + CAPTION], cell, causality, output);
    }
    let mut x = MARGIN;
    for (colour, word) in WORDS {
        canvas.fill([x, foot], [11, 11], colour);
        canvas.word([x + 17, foot + 2], 1, INK, word);
        x += entry_width(word);
    }
    canvas
}

fn entry_width(word: &str) -> usize {
    17 + word_width(word, 1) + 22
}

fn file_name(name: &str) -> &str {
    Path::new(name).file_name().and_then(|n| n.to_str()).unwrap_or(name)
}

fn draw_panel(canvas: &mut Canvas, [x, y]: [usize; 2], cell: usize, c: &Causality, output: usize) {
    // Grid lines between the cells, if the cells are large enough.
    let line = usize::from(cell >= 4);
    canvas.fill([x, y], [c.width * cell + line, c.height * cell + line], PAPER);
    for pixel in 0..c.width * c.height {
        let corner = [x + pixel % c.width * cell + line, y + pixel / c.width * cell + line];
        let side = cell - line;
        let (colour, dot) = colours(c, output, pixel);
        canvas.fill(corner, [side, side], colour);
        if let Some(dot) = dot {
            let inset = side / 4;
            let size = side - 2 * inset;
            canvas.fill([corner[0] + inset, corner[1] + inset], [size, size], dot);
        }
    }
}

/// The color of a pixel, and of the dot in it if there is one.
fn colours(c: &Causality, output: usize, pixel: usize) -> (Colour, Option<Colour>) {
    let own = output / c.colours;
    let values = pixel * c.colours..(pixel + 1) * c.colours;
    let read = |range: std::ops::Range<usize>| range.filter(|&i| c.reads.get(output, i)).count();
    if pixel == own {
        let leaks = read(output..values.end) > 0;
        (INK, leaks.then_some(LEAK))
    } else if pixel > own {
        (if read(values) > 0 { LEAK } else { LATER }, None)
    } else {
        match read(values) {
            0 => (UNREAD, None),
            n if n == c.colours => (READ, None),
            // The output depends on some of the pixel's colors, but not on all.
            _ => (READ, Some(UNREAD)),
        }
    }
}
