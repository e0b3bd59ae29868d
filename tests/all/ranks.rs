//! Work divided among ranks: here threads of one process, each with an engine of its own, which send each other messages
//! as the ranks of an MPI job do. `crates/cli/tests/mpi.rs` does the same with MPI.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use pixelrnn::runtime::world::{World, WorldError};
use pixelrnn::runtime::{DistributedEngine, Engine, EngineKind, Options, open_one};
use pixelrnn::sampling::{SampleMethod, Sampling, draw, uniform};
use pixelrnn::training::data::{Spec, Split};
use pixelrnn::training::{Event, Observer, Trained, Trainer, evaluate};
use pixelrnn::{Array, Error, Optimizer};

use crate::common::{weights, zoo};

/// A thread that is a rank. Every message is a list of bytes from one rank to another.
struct Member {
    rank: usize,
    to: Vec<Sender<Vec<u8>>>,
    from: Vec<Mutex<Receiver<Vec<u8>>>>,
}

/// The members of a world.
fn members(size: usize) -> Vec<Arc<dyn World>> {
    let mut to: Vec<Vec<Sender<Vec<u8>>>> = (0..size).map(|_| Vec::new()).collect();
    let mut all = Vec::new();
    for rank in 0..size {
        let mut from = Vec::new();
        for to in &mut to {
            let (sender, receiver) = channel();
            to.push(sender);
            from.push(Mutex::new(receiver));
        }
        all.push((rank, from));
    }
    let member = |((rank, from), to)| -> Arc<dyn World> { Arc::new(Member { rank, to, from }) };
    all.into_iter().zip(to).map(member).collect()
}

impl Member {
    fn give(&self, to: usize, bytes: Vec<u8>) -> Result<(), WorldError> {
        self.to[to].send(bytes).map_err(|_| WorldError::Failed(format!("rank {to} is gone")))
    }

    fn take(&self, from: usize) -> Result<Vec<u8>, WorldError> {
        let receiver = self.from[from].lock().unwrap();
        receiver.recv().map_err(|_| WorldError::Failed(format!("rank {from} is gone")))
    }
}

impl World for Member {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn send(&self, to: usize, values: &[f32]) -> Result<(), WorldError> {
        self.give(to, values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    fn receive(&self, from: usize, values: &mut [f32]) -> Result<(), WorldError> {
        let bytes = self.take(from)?;
        if bytes.len() != 4 * values.len() {
            return Err(WorldError::Failed(format!("rank {from} sent another count")));
        }
        for (to, bytes) in values.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *to = f32::from_le_bytes(*bytes);
        }
        Ok(())
    }

    fn broadcast(&self, values: &mut [f32]) -> Result<(), WorldError> {
        match self.rank {
            0 => (1..self.size()).try_for_each(|rank| self.send(rank, values)),
            _ => self.receive(0, values),
        }
    }

    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, WorldError> {
        (0..self.size()).try_for_each(|rank| self.give(rank, own.to_vec()))?;
        (0..self.size()).map(|rank| self.take(rank)).collect()
    }
}

/// What each rank makes of it.
fn on_ranks<T: Send>(size: usize, work: impl Fn(Arc<dyn World>) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let ranks = members(size).into_iter().map(|world| scope.spawn(move || work(world)));
        let ranks: Vec<_> = ranks.collect();
        ranks.into_iter().map(|rank| rank.join().expect("no panic")).collect()
    })
}

fn one_thread() -> Options {
    let mut options = Options::default();
    options.ort.intra_threads = Some(1);
    options
}

/// 57 images to train on, in batches of 8: the last one has a single image, so most ranks have none of it.
fn begin(folder: &Path, kind: EngineKind) -> Trainer {
    let model = zoo("digits-pixelcnn", &[("height", 4), ("width", 4), ("layers", 1), ("h", 4)]);
    Trainer::new(folder)
        .model(&model)
        .data("digits,limit=57,size=4x4")
        .optimizer(Optimizer::ADAM)
        .ema(0.9)
        .clip(5.0)
        .batch(8)
        .shards(5)
        .validate_every(5)
        .engine_with(kind, one_thread())
}

/// Each file of two runs that holds results.
fn assert_same_runs(a: &Path, b: &Path) {
    use std::fs::read;
    // Where a run is interrupted, the mean losses of steps begin again.
    let losses = |run: &Path| {
        let log = String::from_utf8(read(run.join("log.jsonl")).unwrap()).unwrap();
        let lines = log.lines().map(|l| l.parse::<serde_json::Value>().unwrap());
        let of = |line: serde_json::Value| (line["event"].to_string(), line["nats"].to_string());
        lines.map(of).filter(|(event, _)| event.contains("validation")).collect::<Vec<_>>()
    };
    assert_eq!(losses(a), losses(b));
    let state = |run: &Path, name: &str| {
        let bytes = read(run.join(name)).unwrap();
        let all = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut all: Vec<_> =
            all.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect();
        all.sort();
        all
    };
    for name in ["best.safetensors", "last.safetensors"] {
        assert_eq!(state(a, name), state(b, name), "{name}");
    }
    let settings = |run: &Path| String::from_utf8(read(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(settings(a), settings(b));
}

fn results(trained: Vec<Result<Trained, Error>>) -> Vec<Trained> {
    trained.into_iter().map(|trained| trained.unwrap_or_else(|e| panic!("{e}"))).collect()
}

#[test]
fn ranks_train_to_the_same_bits_as_shards() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, sizes) in [(EngineKind::Ort, &[2, 3, 5][..]), (EngineKind::Tract, &[3])] {
        let alone = folder.path().join(format!("{kind}-alone"));
        let expected = begin(&alone, kind).steps(16).train().unwrap();
        for &size in sizes {
            let run = folder.path().join(format!("{kind}-{size}"));
            let train = |world| begin(&run, kind).world(world).steps(16).train();
            for trained in results(on_ranks(size, train)) {
                assert!(trained.weights == expected.weights, "{kind} on {size} ranks");
                assert_eq!(trained.outcome.loss, expected.outcome.loss);
                assert_eq!(trained.outcome.validation, expected.outcome.validation);
            }
            assert_same_runs(&alone, &run);
        }
    }
}

#[test]
fn a_run_goes_on_with_another_number_of_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let kind = EngineKind::Ort;
    let path = |name| folder.path().join(name);
    begin(&path("alone"), kind).steps(14).train().unwrap();
    let go_on = |name| Trainer::new(path(name)).resume().engine_with(kind, one_thread()).steps(14);

    results(on_ranks(3, |world| begin(&path("first"), kind).world(world).steps(10).train()));
    go_on("first").train().unwrap();
    begin(&path("second"), kind).steps(10).train().unwrap();
    results(on_ranks(2, |world| go_on("second").world(world).train()));
    for name in ["first", "second"] {
        assert_same_runs(&path("alone"), &path(name));
    }
}

/// Stops rank 0 alone, after a step.
struct Stops<'a>(u64, &'a AtomicBool);

impl Observer for Stops<'_> {
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Step { step, .. } if *step == self.0) {
            self.1.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn rank_0_decides_when_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let outcomes = on_ranks(3, |world| {
        let leads = world.leads();
        let prepared = begin(folder.path(), EngineKind::Ort).world(world).minutes(10.0).prepare();
        let stop = AtomicBool::new(false);
        // Other ranks have no observer: this one would stop them sooner.
        let own = if leads { 4 } else { 2 };
        prepared.unwrap().train(&mut Stops(own, &stop), &stop).unwrap()
    });
    for outcome in outcomes {
        assert_eq!((outcome.steps, outcome.reason.name()), (4, "stopped"));
    }
}

#[test]
fn what_ranks_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    let all_say = |results: Vec<Result<Trained, Error>>, text: &str| {
        for result in results {
            let error = result.expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        }
    };
    let few = |world| begin(&path("few"), EngineKind::Tract).world(world).steps(1);
    all_say(on_ranks(3, |world| few(world).shards(2).train()), "invalid number of shards 2");
    all_say(on_ranks(3, |world| few(world).batch(2).shards(2).train()), "invalid batch size 2");
    all_say(on_ranks(6, |world| few(world).train()), "for 6 ranks");
    let seeds = |world: Arc<dyn World>| {
        let rank = world.rank() as u64;
        few(world).seed(rank / 2).train()
    };
    all_say(on_ranks(3, seeds), "rank 2 was started with other settings than rank 0");
    assert!(!path("few").exists());
    // By default each rank has a shard, and as many as the others.
    let prepared = on_ranks(3, |world| {
        let trainer = Trainer::new(path("few")).world(world).steps(1).batch(32);
        let mut options = Options::default();
        options.ort.intra_threads = Some(3);
        let model = zoo("digits-pixelcnn", &[("layers", 1), ("h", 4)]);
        let trainer = trainer.model(&model).data("digits").engine_with(EngineKind::Ort, options);
        trainer.prepare().unwrap().recipe().shards
    });
    // 9 threads, but 32 images are 8 times 4 images.
    assert_eq!(prepared, [6, 6, 6]);

    let once = begin(&path("once"), EngineKind::Tract).shards(2);
    once.steps(1).train().unwrap();
    let go_on = |world| Trainer::new(path("once")).resume().world(world).steps(2).train();
    all_say(on_ranks(3, go_on), "Start at most 2 ranks");
    // An error of rank 0 alone reaches all.
    std::fs::write(path("once").join("last.safetensors"), b"?").unwrap();
    let results = on_ranks(2, go_on);
    let texts: Vec<String> =
        results.into_iter().map(|r| r.expect_err("damaged").to_string()).collect();
    assert!(texts[0].contains("is damaged") && texts[1].contains("rank 0 failed"), "{texts:?}");
}

#[test]
fn a_run_that_diverges_ends_on_all_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let errors = on_ranks(2, |world| {
        let wild = Optimizer { clip: None, ema: None, ..Optimizer::SGD };
        let run = begin(folder.path(), EngineKind::Ort).optimizer(wild).learning_rate(1e30);
        run.world(world).steps(50).train().expect_err("diverges").to_string()
    });
    assert!(errors[0].contains("Lower the learning rate"), "{errors:?}");
    assert!(errors[1].contains("Lower the learning rate"), "{errors:?}");
}

#[test]
fn ranks_evaluate_and_draw_what_one_process_does() {
    let model = zoo("digits-gated", &[("h", 4), ("layers", 1), ("levels", 4)]);
    let weights = weights(&model, 5);
    let data: Spec = "digits,limit=90,levels=4".parse().unwrap();
    let data = data.load(0).unwrap().hold_out();
    let open = || open_one(EngineKind::Ort, &one_thread()).unwrap_or_else(|e| panic!("{e}"));
    let figures = |engine: &dyn Engine| {
        let mut seen = 0;
        let count = &mut |done| seen = done;
        let figures = evaluate(&model, &weights, &data, Split::Train, 16, engine, count).unwrap();
        assert_eq!(seen, figures.images);
        (figures.nats_per_image.to_bits(), figures.images)
    };
    let images = |engine: &dyn Engine, count| -> Array {
        let uniform = uniform(&model, count, 3);
        let sampling = Sampling {
            method: SampleMethod::Cached,
            temperature: 1.0,
            uniform: &uniform,
            given: None,
            labels: None,
            conditions: &[],
        };
        draw(&model, &weights, engine, &sampling, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"))
    };
    let alone = open();
    let expected = figures(&*alone);
    let drawn: Vec<Array> = [1, 7, 37].map(|count| images(&*alone, count)).into();
    for size in [2, 3] {
        let found = on_ranks(size, |world| {
            let own = open();
            let engine = DistributedEngine::new(&*own, world);
            let drawn: Vec<Array> = [1, 7, 37].map(|count| images(&engine, count)).into();
            (figures(&engine), drawn)
        });
        for (rank, (figures, images)) in found.into_iter().enumerate() {
            assert_eq!(figures, expected, "rank {rank} of {size}");
            assert!(images == drawn, "rank {rank} of {size}");
        }
    }
}
