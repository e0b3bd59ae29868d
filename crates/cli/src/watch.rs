//! Shows a training run to the user: a progress bar, and a curve in the run folder.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use pixelrnn::Weights;
use pixelrnn::training::data::Shape;
use pixelrnn::training::{Event, Observer, Outcome, Prepared, Run, bits_per_dim};
use serde_json::Value;

use crate::curve;
use crate::exit::Failure;
use crate::out::Out;
use crate::progress::Bar;
use crate::records::{Recorder, Records};
use crate::table::grouped;

/// The number of positions of the bar.
const BAR: u64 = 1000;

/// Shows the progress of a run on a terminal, draws its learning curve in the run folder, and keeps
/// records.
pub struct Watch {
    out: Out,
    bar: Bar,
    shape: Shape,
    /// Images per second in the last steps.
    pub speed: f64,
    run: Run,
    curve: PathBuf,
    recorder: Recorder,
}

impl Watch {
    /// A watch that has seen no events yet.
    pub fn new(out: &Out, shape: Shape, run: &Run, records: &Records) -> Watch {
        Watch {
            out: *out,
            bar: Bar::new(out, BAR),
            shape,
            speed: 0.0,
            run: run.clone(),
            curve: run.folder().join("curve.png"),
            recorder: Recorder::new(records, run, out),
        }
    }

    /// Trains until the run stops or fails, then draws the curve.
    ///
    /// # Errors
    /// If the training fails, or a curve or a record cannot be written.
    pub fn train(&mut self, prepared: &Prepared, stop: &AtomicBool) -> Result<Outcome, Failure> {
        let mut watching = Watching { watch: self, prepared };
        let outcome = prepared.train(&mut watching, stop);
        self.bar.clear();
        let drawn = curve::write(&self.run, &self.curve);
        let recorded = self.recorder.finish();
        let outcome = outcome?;
        drawn?;
        recorded?;
        Ok(outcome)
    }
}

/// A watch for the duration of one training session.
struct Watching<'a> {
    watch: &'a mut Watch,
    prepared: &'a Prepared,
}

impl Observer for Watching<'_> {
    fn event(&mut self, event: &Event) {
        let watch = &mut *self.watch;
        watch.recorder.happened(event);
        match event {
            Event::Step { step, loss, images_per_second, spent, left, .. } => {
                watch.speed = *images_per_second;
                watch.bar.set((spent.min(1.0) * BAR as f64) as u64);
                watch.bar.say(format!(
                    "step {}  {}  {:.0} images/s  {} left",
                    grouped(usize::try_from(*step).unwrap_or(usize::MAX)),
                    figure(*loss, watch.shape),
                    images_per_second,
                    time(*left),
                ));
            }
            // `warn` is used here since the progress bar prints only on a terminal.
            Event::LostBest => watch.out.warn(
                "best.safetensors is missing although the log has a best validation; the next \
                 validation counts as the best",
            ),
            Event::Validating => watch.bar.say("validating".to_string()),
            Event::Validation { score, best } => {
                let best = if *best { ", the best so far" } else { "" };
                let nats = figure(score.nats, watch.shape);
                watch.bar.line(&format!("step {}: validation {nats}{best}", score.step));
                // The run continues without the curve. If it still fails at the end, that is an
                // error.
                let _ = curve::write(&watch.run, &watch.curve);
            }
            _ => {}
        }
    }

    fn logged(&mut self, line: &Value) {
        self.watch.recorder.logged(line);
    }

    fn wants_weights(&self, step: u64) -> bool {
        self.watch.recorder.wants_samples(step)
    }

    fn weights(&mut self, step: u64, weights: &Weights) {
        self.watch.bar.say("sampling".to_string());
        self.watch.recorder.sample(step, self.prepared, weights);
    }
}

/// A loss in both units: papers use nats for two levels, and bits per dimension for more.
pub fn figure(nats: f64, shape: Shape) -> String {
    let bits = bits_per_dim(nats, shape);
    if nats.abs() >= 1e6 {
        return format!("{nats:.1e} nats ({bits:.1e} bits/dim)");
    }
    format!("{nats:.2} nats ({bits:.4} bits/dim)")
}

fn time(seconds: f64) -> String {
    let s = seconds as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{}:{:02} min", s / 60, s % 60),
        _ => format!("{}:{:02} h", s / 3600, s % 3600 / 60),
    }
}
