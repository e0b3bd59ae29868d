//! `pixelrnn gpu-report`: everything worth knowing about a GPU machine, in one call.

mod child;
mod environment;
mod measure;
mod plan;
mod show;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pixelrnn::runtime::EngineKind;
use pixelrnn::{GraphKind, files};
use serde_json::{Value, json};

use crate::arguments::{COMMON, Global};
use crate::engines;
use crate::exit::{ExitCode, Failure, usage};
use crate::model;
use crate::out::Out;
use crate::parse;
use child::Ended;
use measure::Measure;
use plan::{Item, PEERS};

/// The script that times PyTorch and JAX.
const PEERS_SCRIPT: &str = include_str!("../../../assets/gpu_peers.py");

/// Benchmark a GPU and verify its results, with PyTorch and JAX beside it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
In this order, as far as the time allows: the environment, and what is missing of driver, CUDA and
cuDNN; the numbers of the engine beside those of `reference`; the nodes by the provider that ran
them, from ONNX Runtime's own profile; the speed of training steps, forward passes and sampling,
with Scan, unrolled and captured as CUDA graphs, with TF32 and without; PyTorch and JAX on the same
GPU, if they are installed. Every measurement is a process of its own with a time limit. After each,
report.json and report.txt are rewritten. No setting of the GPU is changed.

Exit code 1 if the engine disagrees with `reference`, 2 if nothing could be measured.

Example:
  pixelrnn gpu-report -o gpu-report")]
pub struct GpuReport {
    /// Models to measure [default: small models of the zoo for numbers, those of MNIST for speed]
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Override a hyper-parameter of the models that are named
    #[arg(long, value_name = "NAME=N", value_parser = parse::setting)]
    set: Vec<(String, usize)>,
    /// Folder for report.json and report.txt
    #[arg(short, long, value_name = "DIR", default_value = "gpu-report")]
    output: PathBuf,
    /// Time limit for everything, in minutes
    #[arg(long, value_name = "N", default_value_t = 5.0, value_parser = parse::positive)]
    minutes: f64,
    /// Images in a batch whose time is measured
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = parse::some)]
    batch: u16,
    /// Leave out PyTorch and JAX
    #[arg(long)]
    no_peers: bool,
    /// Engine to measure: `ort-cuda`, or `ort` to try the command on a CPU
    #[arg(long, value_name = "NAME", default_value = "ort-cuda", hide_possible_values = true,
          value_parser = parse::named::<EngineKind>(["ort-cuda", "ort"]), help_heading = COMMON)]
    engine: EngineKind,
    /// The measurement that a child makes.
    #[arg(long, hide = true)]
    measure: Option<Measure>,
    /// The graph of it.
    #[arg(long, hide = true, value_parser = parse::kind())]
    graph: Option<GraphKind>,
}

impl GpuReport {
    /// Runs the command.
    pub fn run(&self, global: &Global, out: &Out) -> Result<ExitCode, Failure> {
        if let Some(measure) = self.measure {
            out.answer("", &self.measure(measure, global)?)?;
            return Ok(ExitCode::Good);
        }
        if self.models.is_empty() && !self.set.is_empty() {
            return usage("`--set` applies to models that are named: name one, or leave it out");
        }
        for name in &self.models {
            // Whether it exists, and has these settings.
            model::load(name, &self.set)?;
        }
        let work = self.output.join(format!(".work-{}", std::process::id()));
        std::fs::create_dir_all(&work).map_err(|e| {
            Failure::Usage(format!("cannot create the folder {}: {e}", self.output.display()))
        })?;
        // Children run elsewhere.
        let work = std::path::absolute(&work).unwrap_or(work);
        let mut report = Report {
            arguments: self,
            global,
            out,
            begun: Instant::now(),
            stop: stop_flag(out),
            script: work.join("peers.py"),
            python: None,
            search: Vec::new(),
            value: json!({}),
            work,
        };
        let code = report.make();
        // Also after an error: nothing of it is worth keeping.
        let cleared = std::fs::remove_dir_all(&report.work);
        if let Err(error) = cleared {
            out.warn(&format!("cannot remove {}: {error}", report.work.display()));
        }
        let code = code?;
        out.answer(&show::text(&report.value), &report.value)?;
        Ok(code)
    }

    fn measure(&self, measure: Measure, global: &Global) -> Result<Value, Failure> {
        let mut options = engines::options(global, None);
        options.ort.library.progress = None;
        match (measure, self.models.first(), self.graph) {
            (Measure::Libraries, ..) => Ok(measure::libraries()),
            (Measure::Engine, ..) => measure::engine(self.engine, &options),
            (Measure::Nodes, Some(name), Some(graph)) => {
                let model = model::load(name, &self.set)?;
                measure::nodes(&model, graph, self.engine, &options, &self.output)
            }
            (Measure::Nodes, ..) => usage("`--measure nodes` needs a model and `--graph`"),
        }
    }
}

/// A flag that Ctrl-C and SIGTERM set: the child is killed, and the report written as far as it is.
fn stop_flag(out: &Out) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    if ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).is_err() {
        out.warn(
            "cannot install the Ctrl-C handler: an interrupt will leave the report unfinished",
        );
    }
    stop
}

/// A report in the making.
struct Report<'a> {
    arguments: &'a GpuReport,
    global: &'a Global,
    out: &'a Out,
    begun: Instant,
    stop: Arc<AtomicBool>,
    /// Where children write what they need for a while.
    work: PathBuf,
    script: PathBuf,
    python: Option<PathBuf>,
    /// Folders that children look for libraries in, before those of the system.
    search: Vec<String>,
    value: Value,
}

impl Report<'_> {
    fn make(&mut self) -> Result<ExitCode, Failure> {
        let GpuReport { engine, minutes, batch, .. } = self.arguments;
        self.value = json!({
            "pixelrnn": env!("CARGO_PKG_VERSION"),
            "engine": engine.name(),
            "minutes": minutes,
            "batch": batch,
            "complete": false,
        });
        let cuda = *engine == EngineKind::OrtCuda;
        self.environment(cuda);
        self.write()?;
        let opened = self.child(&self.measured("engine", &[]), self.left(60.0)).json();
        let works = opened.is_ok();
        self.value["environment"]["onnx_runtime"] = match opened {
            Ok(library) => library,
            Err(ended) => json!({ "error": ended.state().1 }),
        };
        if !works {
            self.out.warn(&format!("engine `{engine}` does not work: see the report"));
        }
        self.value["items"] = json!([]);
        if works {
            self.items()?;
        }
        let stopped = self.stop.load(Ordering::Relaxed);
        if cuda && !stopped {
            let after = environment::gpus(self.asking(), &self.stop)["gpus"].take();
            self.value["environment"]["unchanged"] =
                json!(settings(&after) == settings(&self.value["environment"]["gpus"]));
            self.value["environment"]["gpus_after"] = after;
        }
        self.value["seconds"] = json!(round(self.begun.elapsed().as_secs_f64()));
        self.value["complete"] = json!(works && !stopped && self.all_measured());
        self.write()?;
        let items = || self.value["items"].as_array().into_iter().flatten();
        let agree = |item: &Value| item["result"]["within"] != json!(false);
        let done = items().filter(|item| item["state"] == "done").count();
        match (done, items().all(agree)) {
            (0, _) => Ok(ExitCode::Bad),
            (_, agree) => Ok(ExitCode::of(agree)),
        }
    }

    fn all_measured(&self) -> bool {
        let mut items = self.value["items"].as_array().into_iter().flatten();
        items.all(|item| item["state"] == "done")
    }

    /// Fills in the environment, and finds out what children need to see the libraries.
    fn environment(&mut self, cuda: bool) {
        self.out.note("environment");
        let mut found = environment::gpus(self.asking(), &self.stop);
        let python = environment::python(self.asking(), &self.stop);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        found["os"] = json!(format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
        found["cores"] = json!(cores);
        found["python"] = python.clone().unwrap_or_default();
        self.python = found["python"]["executable"].as_str().map(PathBuf::from);
        if cuda {
            let opened = self.child(&self.measured("libraries", &[]), self.left(30.0)).json();
            let opened = opened
                .unwrap_or_else(|ended| json!({ environment::LIBRARIES[0].0: ended.state().1 }));
            let folders = environment::folders(python.as_ref());
            let libraries = environment::libraries(&opened, &folders);
            self.search = environment::needed_folders(&libraries);
            found["libraries"] = json!(libraries);
            found["library_folders"] = json!(self.search);
            found["missing"] = json!(environment::missing(&found));
        }
        self.value["environment"] = found;
    }

    /// Measures one item after the other.
    fn items(&mut self) -> Result<(), Failure> {
        let mut peers = Vec::new();
        let mut absent = Vec::new();
        for (package, name) in PEERS.iter().filter(|_| !self.arguments.no_peers) {
            match self.value["environment"]["python"][*package].is_string() {
                true => peers.push(*package),
                false => absent.push(*name),
            }
        }
        self.value["peers_not_found"] = json!(absent);
        if !peers.is_empty() {
            files::write(&self.script, PEERS_SCRIPT.as_bytes())?;
        }
        let items = plan::items(&self.arguments.models, self.arguments.engine, &peers);
        let count = |peer| items.iter().filter(|i| matches!(i, Item::Peer { .. }) == peer).count();
        // A third of the time at most is kept for the peers, 17 s for each call: JAX compiles for most of it.
        let all = self.arguments.minutes * 60.0;
        let kept = (17.0 * count(true) as f64).min(all / 3.0);
        for item in &items {
            let reserve = if matches!(item, Item::Peer { .. }) { 0.0 } else { kept };
            let left = self.left(item.limit().as_secs_f64() + reserve).as_secs_f64() - reserve;
            let begun = Instant::now();
            let ended = match left > 0.5 {
                true => self.child(&self.command(item), Duration::from_secs_f64(left)).json(),
                false => Err(Ended::TimedOut("no time was left".to_string())),
            };
            let seconds = round(begun.elapsed().as_secs_f64());
            self.add(item, ended, seconds)?;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        item: &Item,
        ended: Result<Value, Ended>,
        seconds: f64,
    ) -> Result<(), Failure> {
        let mut entry = item.json();
        entry["seconds"] = json!(seconds);
        match ended {
            Ok(result) => {
                (entry["state"], entry["result"]) = (json!("done"), result);
            }
            Err(ended) => {
                let (state, reason) = ended.state();
                (entry["state"], entry["reason"]) = (json!(state), json!(reason));
            }
        }
        let state = entry["state"].as_str().unwrap_or_default();
        self.out.note(&format!("{}: {state} ({seconds:.1} s)", item.name()));
        if let Some(items) = self.value["items"].as_array_mut() {
            items.push(entry);
        }
        self.write()
    }

    /// The arguments of a measurement of this command.
    fn measured(&self, name: &str, more: &[&str]) -> Vec<String> {
        let engine = self.arguments.engine.name();
        let words = ["gpu-report", "--measure", name, "--engine", engine];
        words.iter().chain(more).map(|word| (*word).to_string()).collect()
    }

    /// The program and the arguments of an item; nothing but arguments for this program.
    fn command(&self, item: &Item) -> Vec<String> {
        let engine = self.arguments.engine.name();
        let batch = self.arguments.batch.to_string();
        let set = || {
            let pairs = self.arguments.set.iter();
            pairs.flat_map(|(name, n)| ["--set".to_string(), format!("{name}={n}")])
        };
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_string()).collect::<Vec<_>>();
        let mut all = match item {
            Item::Compare { model, graph } => {
                let engines = format!("reference,{engine}");
                words(&["compare", model, "--graph", graph, "--engine", &engines])
            }
            Item::Nodes { model, graph } => {
                let folder = self.work.display().to_string();
                let mut all =
                    self.measured("nodes", &[model, "--graph", graph, "--output", &folder]);
                if self.arguments.models.is_empty() && *graph == "sample" {
                    // The same nodes, with fewer runs of each in the profile.
                    all.extend(words(&["--set", "height=8", "--set", "width=8"]));
                }
                all
            }
            Item::Bench { model, graph, variant } => {
                let flow = if variant.unroll { "unroll" } else { "scan" };
                let mut all = words(&[
                    "bench",
                    model,
                    "--graph",
                    graph,
                    "--engine",
                    engine,
                    "--batch",
                    &batch,
                    "--control-flow",
                    flow,
                ]);
                for (set, flag) in [(variant.graph, "--cuda-graph"), (variant.tf32, "--tf32")] {
                    if set {
                        all.push(flag.to_string());
                    }
                }
                all
            }
            Item::Peer { model, peer } => {
                let device = if engine == "ort-cuda" { "cuda" } else { "cpu" };
                let script = self.script.display().to_string();
                return words(&[
                    "python", &script, peer, model, "--device", device, "--batch", &batch,
                ]);
            }
        };
        all.extend(set());
        all
    }

    /// Runs this program, or Python, with these arguments.
    fn child(&self, arguments: &[String], limit: Duration) -> Ended {
        let python = arguments.first().is_some_and(|first| first == "python");
        let program = match python {
            true => self.python.clone().ok_or_else(|| "Python was not found".to_string()),
            false => std::env::current_exe().map_err(|e| format!("cannot find this program: {e}")),
        };
        let program = match program {
            Ok(program) => program,
            Err(reason) => return Ended::Failed(reason),
        };
        let mut command = Command::new(program);
        match python {
            true => command.args(&arguments[1..]),
            false => {
                command.args(arguments).args(["--quiet", "--json"]);
                if self.arguments.engine == EngineKind::Ort {
                    // What a GPU would run.
                    command.arg("--plain");
                }
                if let Some(path) = &self.global.ort_lib {
                    command.arg("--ort-lib").arg(path);
                }
                command.env("PIXELRNN_OFFLINE", "1")
            }
        };
        command.env("TMPDIR", &self.work).env("NO_COLOR", "1");
        if !python && !self.search.is_empty() {
            let own = std::env::var_os(environment::SEARCH).unwrap_or_default();
            let folders = self.search.iter().map(PathBuf::from);
            let own = std::env::split_paths(&own).filter(|p| !p.as_os_str().is_empty());
            let own: Vec<PathBuf> = own.collect();
            if let Ok(joined) = std::env::join_paths(folders.chain(own)) {
                command.env(environment::SEARCH, joined);
            }
        }
        child::run(&mut command, limit, &self.stop)
    }

    /// The time that is left, at most this many seconds.
    fn left(&self, most: f64) -> Duration {
        let left = self.arguments.minutes * 60.0 - self.begun.elapsed().as_secs_f64();
        Duration::from_secs_f64(left.clamp(0.0, most))
    }

    /// How long `nvidia-smi` or Python may take to answer; a little time even if none is left.
    fn asking(&self) -> Duration {
        self.left(20.0).max(Duration::from_secs(3))
    }

    /// Rewrites the files.
    fn write(&self) -> Result<(), Failure> {
        let write = |name: &str, text: String| {
            files::write(&Path::new(&self.arguments.output).join(name), text.as_bytes())
        };
        write("report.json", format!("{:#}\n", self.value))?;
        write("report.txt", format!("{}\n", show::text(&self.value).trim_end()))?;
        Ok(())
    }
}

/// The settings of the GPUs that nobody should change.
fn settings(gpus: &Value) -> Vec<Vec<Value>> {
    let fields = ["name", "clocks.max.sm", "power.limit", "persistence_mode", "mig.mode.current"];
    let of = |gpu: &Value| fields.iter().map(|field| gpu[*field].clone()).collect();
    gpus.as_array().into_iter().flatten().map(of).collect()
}

/// Rounds seconds to two decimals.
fn round(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}
