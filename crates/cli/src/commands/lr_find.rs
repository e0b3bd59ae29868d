//! `pixelrnn lr-find`: suggests a learning rate.

use std::path::PathBuf;

use pixelrnn::lr_finder::{self, Found, Sweep};
use pixelrnn::runtime::EngineKind;
use pixelrnn::training::{self, data::Spec};
use pixelrnn::{Optimizer, files};
use serde_json::{Value, json};

use crate::arguments::{COMMON, Global};
use crate::datasets::{announce, for_model};
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::interrupt;
use crate::model::{LoadedWeights, ModelArguments, WeightArguments};
use crate::out::Out;
use crate::parse;
use crate::plot::{Axis, Format, Line, Plot, Style};
use crate::progress::Bar;
use crate::table::plural;

/// Suggest a learning rate: train briefly with a growing one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The learning rate grows exponentially from --from to --to, in one training run that is thrown away.
The suggestion is one tenth of the rate with the lowest smoothed loss, or the rate at which the loss
falls fastest if that is lower. It is a starting point for `train --lr`, best with a schedule that
lowers it. The plot shows the loss by learning rate.

Example:
  pixelrnn lr-find digits-gated --data digits --optimizer adam -o lr.png")]
pub struct LrFind {
    #[command(flatten)]
    model: ModelArguments,
    /// Training data
    #[arg(long, value_name = "SPEC", value_parser = parse::spec)]
    data: Spec,
    /// Plot to write: `.png` or `.svg`
    #[arg(short, long, value_name = "F")]
    output: Option<PathBuf>,
    #[arg(long, value_name = "RULE", value_parser = parse::optimizer(), help = parse::rules(),
          hide_possible_values = true)]
    optimizer: Option<Optimizer>,
    /// Clip the gradient to this norm
    #[arg(long, value_name = "NORM", value_parser = parse::positive)]
    clip: Option<f64>,
    /// Images per step
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = parse::some)]
    batch: u16,
    /// Number of steps
    #[arg(long, value_name = "N", default_value_t = 150, value_parser = parse::whole::<u32>(20..=100_000))]
    steps: u32,
    /// First learning rate
    #[arg(long, value_name = "X", default_value = "1e-6", value_parser = parse::positive)]
    from: f64,
    /// Last learning rate
    #[arg(long, value_name = "X", default_value = "1", value_parser = parse::positive)]
    to: f64,
    /// Random seed for `binarize=sample` and shuffling
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse::seed)]
    seed: u64,
    #[command(flatten)]
    weights: WeightArguments,
    /// Engine: `ort`, `ort-cuda`, `tract`, `reference` [default: ort, else tract]
    #[arg(long, value_name = "NAME", value_parser = parse::engine(), hide_possible_values = true,
          help_heading = COMMON)]
    engine: Option<EngineKind>,
}

impl LrFind {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        if self.from >= self.to {
            return usage(format!(
                "invalid --from {:e}: expected a learning rate below --to, {:e}",
                self.from, self.to
            ));
        }
        let format = self.output.as_deref().map(Format::of).transpose()?;
        self.output.as_deref().map_or(Ok(()), files::writable)?;
        let model = self.model.load()?;
        model.prove()?;
        let LoadedWeights { weights, .. } = self.weights.load(&self.model, &model)?;
        let data = for_model(&self.data, &model).load(self.seed).map_err(Failure::data)?.hold_out();
        announce(&data, out);
        if let Some(warning) = training::unused_classes(&model, &data) {
            out.warn(&warning);
        }
        let engine = engines::best(self.engine, global, out)?;
        let batch = usize::from(self.batch);
        let optimizer = Optimizer { clip: self.clip, ..self.rule() };
        let sweep = Sweep {
            model: &model,
            data: &data,
            weights: &weights,
            optimizer: &optimizer,
            batch,
            shards: training::shards(&*engine, batch),
            engine: &*engine,
            rates: [self.from, self.to],
            steps: self.steps,
        };
        let bar = Bar::counting(out, u64::from(self.steps), "steps");
        let found =
            lr_finder::find(&sweep, &interrupt::flag(out), &mut |done| bar.set(u64::from(done)))?;
        bar.clear();
        if self.steps < 100 {
            out.warn("with fewer than 100 steps, the suggestion is often too high");
        }
        let mut text = self.text(&found, model.name());
        if let (Some(path), Some(format)) = (&self.output, format) {
            match plot(&found, model.name(), self.rule().rule.name) {
                Some(plot) => files::write(path, &plot.render(format, path)?)?,
                None => return usage("there is nothing to draw: no step had a finite loss"),
            }
            text.push_str(&format!("\n{}: the loss by learning rate", path.display()));
        }
        out.answer(&text, &self.json(&found, model.name(), engine.name()))?;
        Ok(ExitCode::of(found.suggestion.is_some()))
    }

    fn rule(&self) -> Optimizer {
        self.optimizer.unwrap_or(Optimizer::RMSPROP)
    }

    fn text(&self, found: &Found, model: &str) -> String {
        let steps = plural(found.steps.len(), "step");
        let (rule, last) =
            (self.rule().rule.name, found.steps.last().map_or(self.from, |s| s.rate));
        let end = if found.diverged { ", where the loss exploded" } else { "" };
        let swept =
            format!("{model} with {rule}: {steps} from {:.1e} to {last:.1e}{end}", self.from);
        match found.suggestion {
            Some(rate) => format!("{swept}\nsuggested: --lr {rate:.1e}"),
            None => format!(
                "{swept}\nno suggestion: the loss never fell. Start lower with --from, or take more --steps"
            ),
        }
    }

    fn json(&self, found: &Found, model: &str, engine: &str) -> Value {
        let step = |s: &lr_finder::SweepStep| json!({ "lr": s.rate, "nats_per_image": s.loss, "smoothed": s.smoothed });
        json!({
            "model": model,
            "optimizer": self.rule().rule.name,
            "batch": self.batch,
            "engine": engine,
            "suggestion": found.suggestion,
            "diverged": found.diverged,
            "steps": found.steps.iter().map(step).collect::<Vec<_>>(),
            "output": self.output.as_ref().map(|path| path.display().to_string()),
        })
    }
}

/// The plot of the loss over the learning rate; `None` if there were no steps.
fn plot(found: &Found, model: &str, rule: &str) -> Option<Plot> {
    let (first, last) = (found.steps.first()?, found.steps.last()?);
    let smoothed = found.steps.iter().map(|s| s.smoothed);
    let low = smoothed.clone().fold(f64::INFINITY, f64::min);
    // Losses far above that of the initial weights are of no interest, so the plot ends there.
    let high = smoothed.fold(0.0, f64::max).min(first.smoothed + 0.5 * (first.smoothed - low));
    let room = ((high - low) * 0.08).max(1e-6);
    let points = |value: fn(&lr_finder::SweepStep) -> f64| {
        found.steps.iter().map(|s| (s.rate, value(s))).collect::<Vec<_>>()
    };
    let line = |label: &str, style, points| Line { label: label.to_string(), style, points };
    Some(Plot {
        title: format!("{model}: learning rate of {rule}"),
        x: Axis { label: "learning rate".to_string(), range: [first.rate, last.rate], log: true },
        y: Axis {
            label: "nats per image".to_string(),
            range: [low - room, high + room],
            log: false,
        },
        lines: vec![
            line("loss of each step", Style::Background, points(|s| s.loss)),
            line("smoothed", Style::Solid(0), points(|s| s.smoothed)),
        ],
        mark: found.suggestion,
    })
}
