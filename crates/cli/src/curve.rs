//! The loss curve of a run, from its log: training in gray, each column the mean of its steps, and
//! validation in blue.

use std::path::Path;

use pixelrnn::files;
use serde_json::Value;

use crate::canvas::{Canvas, Colour, word_width};
use crate::exit::Failure;

const PAPER: Colour = [0xff, 0xff, 0xff];
const INK: Colour = [0x1b, 0x1f, 0x24];
const GRID: Colour = [0xe4, 0xe7, 0xeb];
const TRAINING: Colour = [0x9a, 0xa1, 0xab];
const VALIDATION: Colour = [0x2f, 0x6d, 0xb5];

const SIZE: [usize; 2] = [720, 360];
const LEFT: usize = 70;
const TOP: usize = 40;
const BELOW: usize = 40;
/// The first steps are far above all others: the scale starts where this share of the values does.
const CUT: f64 = 0.98;

/// Losses by step, in nats per image.
#[derive(Default)]
struct Losses {
    training: Vec<(f64, f64)>,
    validation: Vec<(f64, f64)>,
}

impl Losses {
    fn read(log: &str) -> Losses {
        let mut losses = Losses::default();
        for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let Some(point) = line["step"].as_f64().zip(line["nats"].as_f64()) else { continue };
            match line["event"].as_str() {
                Some("step") => losses.training.push(point),
                Some("validation") => losses.validation.push(point),
                _ => {}
            }
        }
        losses
    }

    /// The lowest and the highest value that is shown.
    fn range(&self) -> Option<[f64; 2]> {
        let mut all: Vec<f64> = self
            .training
            .iter()
            .chain(&self.validation)
            .map(|p| p.1)
            .filter(|y| y.is_finite())
            .collect();
        all.sort_by(f64::total_cmp);
        let low = *all.first()?;
        let high = all[((all.len() - 1) as f64 * CUT) as usize];
        Some([low, if high > low { high } else { low + 1.0 }])
    }
}

/// Draws the curve of a log into a file; a log without losses draws nothing.
pub fn write(log: &Path, path: &Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(log).map_err(|error| pixelrnn::Error::Io {
        path: log.into(),
        doing: "read",
        error,
    })?;
    match draw(&Losses::read(&text)) {
        Some(canvas) => Ok(files::write_own(path, &canvas.png(path)?)?),
        None => Ok(()),
    }
}

fn draw(losses: &Losses) -> Option<Canvas> {
    let [low, high] = losses.range()?;
    let last = losses.training.iter().chain(&losses.validation).map(|p| p.0).fold(1.0, f64::max);
    let [width, height] = SIZE;
    let column = |step: f64| (step / last * (width - 1) as f64) as usize;
    let row = |y: f64| {
        let share = ((high - y) / (high - low)).clamp(0.0, 1.0);
        (share * (height - 1) as f64) as usize
    };

    let mut canvas = Canvas::new(LEFT + width + 20, TOP + height + BELOW, PAPER);
    canvas.word([LEFT, 14], 1, INK, "nats per image");
    for (x, colour, word) in [(140, TRAINING, "training"), (230, VALIDATION, "validation")] {
        canvas.fill([LEFT + x, 13], [11, 11], colour);
        canvas.word([LEFT + x + 17, 14], 1, INK, word);
    }
    for part in 0..=4 {
        let y = low + (high - low) * f64::from(part) / 4.0;
        let text = format!("{y:.2}");
        canvas.fill([LEFT, TOP + row(y)], [width, 1], GRID);
        let left = LEFT.saturating_sub(word_width(&text, 1) + 8);
        canvas.word([left, TOP + row(y).saturating_sub(4)], 1, INK, &text);
        let step = last * f64::from(part) / 4.0;
        let text = format!("{step:.0}");
        let left = (LEFT + column(step)).saturating_sub(word_width(&text, 1) / 2);
        canvas.word([left, TOP + height + 12], 1, INK, &text);
    }

    let mut sums = vec![(0.0, 0u32); width];
    for &(step, y) in losses.training.iter().filter(|p| p.1.is_finite()) {
        sums[column(step)].0 += y;
        sums[column(step)].1 += 1;
    }
    let means = sums.iter().enumerate().filter(|(_, s)| s.1 > 0);
    let training = means.map(|(x, &(sum, n))| [x, row(sum / f64::from(n))]);
    line(&mut canvas, training, TRAINING);
    let validation: Vec<[usize; 2]> =
        losses.validation.iter().map(|&(step, y)| [column(step), row(y)]).collect();
    line(&mut canvas, validation.iter().copied(), VALIDATION);
    for [x, y] in validation {
        canvas.fill(
            [(LEFT + x).saturating_sub(2), (TOP + y).saturating_sub(2)],
            [5, 5],
            VALIDATION,
        );
    }
    Some(canvas)
}

/// Joins points from left to right, column by column.
fn line(canvas: &mut Canvas, points: impl Iterator<Item = [usize; 2]>, colour: Colour) {
    let mut before: Option<[usize; 2]> = None;
    for [x, y] in points {
        let [x0, y0] = before.unwrap_or([x, y]);
        let mut at = y0;
        for column in x0..=x {
            let share = if x > x0 { (column - x0) as f64 / (x - x0) as f64 } else { 1.0 };
            let next = (y0 as f64 + share * (y as f64 - y0 as f64)).round() as usize;
            let (top, tall) = (at.min(next), at.abs_diff(next) + 2);
            canvas.fill([LEFT + column, TOP + top], [1, tall], colour);
            at = next;
        }
        before = Some([x, y]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_losses_and_leaves_the_first_peak_out() {
        let mut log = String::from("{\"event\":\"start\",\"step\":0}\n");
        for step in 1..200 {
            let nats = if step == 1 { 1e6 } else { 100.0 + 50.0 / f64::from(step) };
            log += &format!("{{\"event\":\"step\",\"step\":{step},\"nats\":{nats}}}\n");
        }
        log += "{\"event\":\"validation\",\"step\":199,\"nats\":99.5}\nbroken";
        let losses = Losses::read(&log);
        assert_eq!((losses.training.len(), losses.validation.len()), (199, 1));
        let [low, high] = losses.range().expect("values");
        assert!(low == 99.5 && high < 130.0, "{low} {high}");
        assert!(draw(&losses).is_some());
        assert!(draw(&Losses::default()).is_none());
    }
}
