//! What `train` writes in addition to the run itself: events on standard output, a CSV file, event
//! files for TensorBoard, and pictures of samples.

use std::path::PathBuf;

use pixelrnn::sampling::{self, SampleMethod, Sampling};
use pixelrnn::training::data::Split;
use pixelrnn::training::{Event, Prepared, Run};
use pixelrnn::{Array, Declaration, Weights, files};
use serde_json::{Map, Value, json};

use crate::curve;
use crate::exit::Failure;
use crate::grid::Grid;
use crate::out::Out;
use crate::tensorboard::Events;

/// The version of the events of `--events`. It changes when a field is renamed or removed.
const VERSION: u32 = 1;

/// The heading of the options on validation, checkpoints and records.
pub const PROGRESS: &str = "Validation, checkpoints and records";

/// The arguments that choose what is written.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = PROGRESS)]
pub struct Records {
    /// Print events as JSON lines; the last line is the result
    #[arg(long)]
    pub events: bool,
    /// Also write the log as RUN/log.csv
    #[arg(long)]
    pub csv: bool,
    /// Also write event files for TensorBoard into RUN/tensorboard
    #[arg(long)]
    pub tensorboard: bool,
    /// Draw samples every N steps into RUN/samples
    #[arg(long, value_name = "N", value_parser = crate::parse::at_least_one)]
    pub sample_every: Option<u64>,
}

/// Turns an object into an event, with version and name as its first fields.
pub fn event(name: &str, object: &Value) -> Value {
    let mut all = Map::new();
    all.insert("version".to_string(), json!(VERSION));
    all.insert("event".to_string(), json!(name));
    let fields = object.as_object().into_iter().flatten().filter(|(key, _)| *key != "event");
    all.extend(fields.map(|(key, value)| (key.clone(), value.clone())));
    Value::Object(all)
}

/// Writes the records of one training session. A failure does not stop the training. The first one
/// is kept, and reported at the end.
pub struct Recorder {
    records: Records,
    out: Out,
    run: Run,
    tensorboard: Option<Events>,
    failure: Option<Failure>,
}

impl Recorder {
    /// A recorder for a run.
    pub fn new(records: &Records, run: &Run, out: &Out) -> Recorder {
        let (records, run) = (records.clone(), run.clone());
        Recorder { records, out: *out, run, tensorboard: None, failure: None }
    }

    /// Finishes the records. Returns the first failure, if there was one.
    pub fn finish(&mut self) -> Result<(), Failure> {
        if self.records.csv {
            self.attempt(|this| curve::write_csv(&this.run, &this.csv_path()));
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Whether samples are due after this step.
    pub fn wants_samples(&self, step: u64) -> bool {
        self.records.sample_every.is_some_and(|every| step.is_multiple_of(every))
    }

    /// Records a line of the log.
    pub fn logged(&mut self, line: &Value) {
        let name = line["event"].as_str().unwrap_or_default();
        // The result has more information than the last line of the log.
        if self.records.events && name != "stop" {
            self.attempt(|this| this.print(&event(name, line)));
        }
        if self.records.tensorboard {
            self.attempt(|this| this.scalars(name, line));
        }
        if self.records.csv && name == "validation" {
            self.attempt(|this| curve::write_csv(&this.run, &this.csv_path()));
        }
    }

    /// Records an event that is not in the log.
    pub fn happened(&mut self, what: &Event) {
        if let (Event::Checkpoint { step }, true) = (what, self.records.events) {
            self.attempt(|this| this.print(&event("checkpoint", &json!({ "step": step }))));
        }
    }

    /// Draws samples into a picture.
    pub fn sample(&mut self, step: u64, prepared: &Prepared, weights: &Weights) {
        self.attempt(|this| this.draw(step, prepared, weights));
    }

    fn attempt(&mut self, work: impl FnOnce(&mut Recorder) -> Result<(), Failure>) {
        if let Err(failure) = work(self) {
            self.failure.get_or_insert(failure);
        }
    }

    fn csv_path(&self) -> PathBuf {
        self.run.folder().join("log.csv")
    }

    fn print(&self, event: &Value) -> Result<(), Failure> {
        self.out.bytes(format!("{event}\n").as_bytes())
    }

    /// The event file. It is created with the first event, which contains the step that the session
    /// starts from.
    fn board(&mut self, step: u64) -> Result<&mut Events, Failure> {
        let folder = self.run.folder().join("tensorboard");
        let events = match self.tensorboard.take() {
            Some(events) => events,
            None => Events::create(&folder, step).map_err(unwritten(folder))?,
        };
        Ok(self.tensorboard.insert(events))
    }

    fn scalars(&mut self, name: &str, line: &Value) -> Result<(), Failure> {
        let step = line["step"].as_u64().unwrap_or(0);
        let split = match name {
            "step" => "train",
            "validation" => "validation",
            _ => return self.board(step).map(drop),
        };
        let (nats, bits) = (format!("nats_per_image/{split}"), format!("bits_per_dim/{split}"));
        let named = [
            (nats.as_str(), &line["nats"]),
            (bits.as_str(), &line["bits_per_dim"]),
            ("learning_rate", &line["lr"]),
            ("images_per_second", &line["images_per_second"]),
        ];
        let values: Vec<(&str, f64)> =
            named.into_iter().filter_map(|(tag, v)| Some((tag, v.as_f64()?))).collect();
        let folder = self.run.folder().join("tensorboard");
        self.board(step)?.scalars(step, &values).map_err(unwritten(folder))
    }

    fn draw(&mut self, step: u64, prepared: &Prepared, weights: &Weights) -> Result<(), Failure> {
        let model = prepared.model();
        let layout = Layout::of(model);
        // The same random numbers each time, so that differences between pictures are due to
        // training.
        let uniform = sampling::uniform(model, layout.count, prepared.recipe().seed);
        let conditions = conditions(prepared, layout.count)?;
        let request = Sampling {
            method: SampleMethod::Cached,
            temperature: 1.0,
            uniform: &uniform,
            given: None,
            labels: layout.labels.as_deref(),
            conditions: &conditions,
        };
        let drawn = sampling::draw(model, weights, prepared.engine(), &request, &mut |_| {})?;
        let grid = Grid::rows(&drawn, layout.columns, model.image().levels);
        let folder = self.run.folder().join("samples");
        std::fs::create_dir_all(&folder).map_err(unwritten(folder.clone()))?;
        let path = folder.join(format!("step-{step:08}.png"));
        let png = grid.png(&path)?;
        files::write_own(&path, &png)?;
        if self.records.events {
            let file = path.display().to_string();
            self.print(&event("sample", &json!({ "step": step, "file": file })))?;
        }
        if self.records.tensorboard {
            let size = grid.size();
            let folder = self.run.folder().join("tensorboard");
            self.board(step)?.picture(step, "samples", size, &png).map_err(unwritten(folder))?;
        }
        Ok(())
    }
}

/// The conditions for samples of a model with conditions: those of the first validation images, or
/// of training images if there are none.
fn conditions(prepared: &Prepared, count: usize) -> Result<Vec<(String, Array)>, Failure> {
    let data = prepared.data();
    let images = data.images(Split::Valid).or_else(|_| data.images(Split::Train));
    let images = images.map_err(Failure::data)?;
    let rows: Vec<usize> = (0..count).map(|i| i % images.count().max(1)).collect();
    let mut arrays = Vec::new();
    for (name, _) in prepared.model().conditions() {
        if let Some(array) = images.condition(name, &rows).map_err(Failure::data)? {
            arrays.push((name.clone(), array));
        }
    }
    Ok(arrays)
}

/// The arrangement of the samples.
struct Layout {
    count: usize,
    columns: usize,
    /// The class of each sample.
    labels: Option<Vec<u32>>,
}

impl Layout {
    /// Four by four images. For a model with classes: one column per class, at most 16.
    fn of(model: &Declaration) -> Layout {
        let Some((_, classes)) = model.label() else {
            return Layout { count: 16, columns: 4, labels: None };
        };
        let columns = classes.clamp(1, 16);
        let count = columns * (16 / columns).max(2);
        let labels = (0..count).map(|i| (i % columns) as u32).collect();
        Layout { count, columns, labels: Some(labels) }
    }
}

fn unwritten(path: PathBuf) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| pixelrnn::Error::Io { path, doing: "write", error }.into()
}
