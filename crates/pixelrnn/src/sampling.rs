//! Images drawn from a model: with caches, in about the time of one forward pass, or naively.
//!
//! Randomness is an input. Each image has a stream of its own, so that image `i` of a seed is the
//! same whatever the batch, the method or the machine, but for a draw that falls within rounding of
//! a boundary.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use ndarray::Axis;
use pixelrnn_passes::Weights;
use pixelrnn_runtime::{Engine, Program, Session};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::compare::prepare;
use crate::{Array, Batch, Declaration, Error, ExportOptions, GraphKind, Image, SampleOptions};

/// How images are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With the graph of [`GraphKind::Sample`].
    Cached,
    /// The forward graph once for every value: slow, for comparison.
    Naive,
}

/// Values that are kept instead of drawn.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Levels, `[N, H, W, C]`.
    pub levels: &'a Array,
    /// So many rows of them are kept, from the top.
    pub rows: usize,
}

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub struct Sampling<'a> {
    pub method: Method,
    /// Logits are divided by it.
    pub temperature: f64,
    /// Uniform numbers at least 0 and below 1, `[N, H, W, C]`.
    pub uniform: &'a Array,
    pub given: Option<Given<'a>>,
}

/// Images a call at most.
pub const BATCH: usize = 16;
/// Images a call at least, for calls to be made at the same time: within a call a second thread gains
/// nothing.
const LEAST: usize = 4;

/// Uniform numbers for so many images, `[N, H, W, C]`.
pub fn uniform(model: &Declaration, count: usize, seed: u64) -> Array {
    streams(model, 0..count as u64, seed)
}

/// Uniform numbers for so many completions of each of so many images, `[N, H, W, C]`, the completions
/// of an image behind each other. A completion's numbers do not depend on how many there are.
pub fn uniform_completions(
    model: &Declaration,
    count: usize,
    completions: usize,
    seed: u64,
) -> Array {
    let all = (0..count as u64).flat_map(|i| (0..completions as u64).map(move |k| i | k << 32));
    streams(model, all, seed)
}

fn streams(model: &Declaration, streams: impl Iterator<Item = u64>, seed: u64) -> Array {
    let image = model.image();
    let mut numbers = Vec::new();
    let mut count = 0;
    for stream in streams {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        // As many bits as an f32 holds, so that none is rounded up to 1.
        let unit = || (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
        numbers.extend(std::iter::repeat_with(unit).take(image.values()));
        count += 1;
    }
    let mut all = Array::zeros(shape(model, count));
    all.iter_mut().zip(numbers).for_each(|(to, u)| *to = u);
    all
}

/// Of so many images.
fn shape(model: &Declaration, count: usize) -> Vec<usize> {
    let image = model.image();
    vec![count, image.height, image.width, image.colours]
}

/// How a model is compiled to draw so many images a call on an engine.
pub fn options<'a>(
    engine: &dyn Engine,
    weights: &'a Weights,
    batch: Batch,
    sample: SampleOptions,
) -> ExportOptions<'a> {
    // Stacked slices are copied for other engines' sake alone.
    let portable = engine.name() == "tract";
    ExportOptions { batch, sample, portable, ..ExportOptions::with_weights(weights) }
}

/// Whether what is to be drawn suits the model.
fn check(model: &Declaration, sampling: &Sampling) -> Result<(), Error> {
    let refuse = |text: String| Err(Error::Sampling(text));
    let count = sampling.uniform.shape().first().copied().unwrap_or(0);
    let expected = shape(model, count);
    let levels = model.image().levels;
    let given = sampling.given.map(|given| ("given levels", given.levels));
    for (what, array) in [("uniform numbers", sampling.uniform)].into_iter().chain(given) {
        if array.shape() != expected {
            let found = array.shape();
            return refuse(format!("{what} of {} are {expected:?}, not {found:?}", model.name()));
        }
    }
    if let Some(u) = sampling.uniform.iter().find(|u| !(0.0..1.0).contains(*u)) {
        return refuse(format!("uniform numbers are at least 0 and below 1, not {u}"));
    }
    if let Some(given) = &sampling.given {
        let kept = given.levels.slice_axis(Axis(1), (..given.rows.min(expected[1])).into());
        let is_level = |l: &&f32| l.fract() == 0.0 && (0.0..levels as f32).contains(*l);
        if let Some(level) = kept.iter().find(|l| !is_level(l)) {
            return refuse(format!("a given level is from 0 to {}, not {level}", levels - 1));
        }
    }
    Ok(())
}

/// Draws images: levels, `[N, H, W, C]`. `progress` hears how many images are done, in parts.
///
/// # Errors
/// A model that is not causal, weights that do not fit, numbers that do not suit the model, a
/// temperature that is not above zero, or what the engine finds.
pub fn draw(
    model: &Declaration,
    weights: &Weights,
    engine: &dyn Engine,
    sampling: &Sampling,
    progress: &mut dyn FnMut(f64),
) -> Result<Array, Error> {
    let sample =
        SampleOptions { temperature: sampling.temperature, complete: sampling.given.is_some() };
    sample.check()?;
    check(model, sampling)?;
    let count = sampling.uniform.shape()[0];
    let workers = engine.threads().min(count / LEAST).max(1);
    // Calls of one size, as even as can be, and as many for each worker.
    let calls = count.div_ceil(BATCH).next_multiple_of(workers).max(1);
    let size = count.div_ceil(calls).max(1);
    let kind = match sampling.method {
        Method::Cached => GraphKind::Sample,
        Method::Naive => {
            model.prove()?;
            GraphKind::Forward
        }
    };
    let options = options(engine, weights, Batch::Fixed(size), sample);
    let prepared = prepare(model, kind, weights, &options)?;
    let (onnx, graph) = (&prepared.onnx[..], Some(&prepared.graph));
    let program = Program { name: model.name(), onnx, graph };
    let threads = engine.threads() / workers;
    let sessions = (0..workers).map(|_| engine.load_on(&program, threads));
    let sessions: Vec<Box<dyn Session>> = sessions.collect::<Result<_, _>>()?;

    let starts: Vec<usize> = (0..count).step_by(size).collect();
    let next = AtomicUsize::new(0);
    let mut images = Array::zeros(sampling.uniform.shape());
    let mut shares = vec![0.0; starts.len()];
    thread::scope(|scope| {
        let (sender, receiver) = channel();
        for mut session in sessions {
            let (sender, starts, next) = (sender.clone(), &starts, &next);
            scope.spawn(move || {
                loop {
                    let call = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&start) = starts.get(call) else { break };
                    let told = |share| drop(sender.send((call, News::Share(share))));
                    let drawn = one_call(model, &mut *session, sampling, start, size, &told);
                    // Nobody listens any more once something went wrong.
                    if sender.send((call, News::Done(drawn))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (call, news) in receiver {
            let (start, end) = (starts[call], (starts[call] + size).min(count));
            shares[call] = match news {
                News::Share(share) => share * (end - start) as f64,
                News::Done(drawn) => {
                    let drawn = drawn?;
                    let all = ndarray::Slice::from(..end - start);
                    let to = ndarray::Slice::from(start..end);
                    images.slice_axis_mut(Axis(0), to).assign(&drawn.slice_axis(Axis(0), all));
                    (end - start) as f64
                }
            };
            progress(shares.iter().sum());
        }
        Ok(images)
    })
}

/// What a worker says of a call.
enum News {
    /// How much of it is done.
    Share(f64),
    /// Its images.
    Done(Result<Array, Error>),
}

/// The images from `start` on, so many.
fn one_call(
    model: &Declaration,
    session: &mut dyn Session,
    sampling: &Sampling,
    start: usize,
    size: usize,
    told: &dyn Fn(f64),
) -> Result<Array, Error> {
    let end = (start + size).min(sampling.uniform.shape()[0]);
    let uniform = part(sampling.uniform, start, end, size);
    let mut mask = Array::zeros(uniform.shape());
    let mut given = Array::zeros(uniform.shape());
    if let Some(all) = &sampling.given {
        let rows = all.rows.min(model.image().height);
        mask.slice_axis_mut(Axis(1), (..rows).into()).fill(1.0);
        given = part(all.levels, start, end, size);
    }
    match sampling.method {
        Method::Cached => {
            let mut inputs = vec![("uniform", &uniform)];
            if sampling.given.is_some() {
                inputs.extend([("given", &given), ("mask", &mask)]);
            }
            Ok(session.run(&inputs)?.remove(0).1)
        }
        Method::Naive => {
            naive(model, session, [&uniform, &given, &mask], sampling.temperature, told)
        }
    }
}

/// One batch, value by value; `done` hears which share of it is.
fn naive(
    model: &Declaration,
    session: &mut dyn Session,
    [uniform, given, mask]: [&Array; 3],
    temperature: f64,
    done: &dyn Fn(f64),
) -> Result<Array, Error> {
    let Image { height, width, colours, levels } = model.image();
    let size = uniform.shape()[0];
    let mut images = Array::zeros(vec![size, colours, height, width]);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        for c in 0..colours {
            let logits = session.run(&[("image", &images)])?.remove(0).1;
            for n in 0..size {
                let at = [n, y, x, c];
                let scaled = |l: usize| match levels {
                    2 => l as f64 * f64::from(logits[[n, c, y, x].as_slice()]) / temperature,
                    _ => f64::from(logits[[n, c, l, y, x].as_slice()]) / temperature,
                };
                images[[n, c, y, x].as_slice()] = match mask[at.as_slice()] > 0.0 {
                    true => given[at.as_slice()],
                    false => level((0..levels).map(scaled), f64::from(uniform[at.as_slice()])),
                };
            }
        }
        done((y * width + x + 1) as f64 / (height * width) as f64);
    }
    Ok(images.permuted_axes(vec![0, 2, 3, 1]).as_standard_layout().into_owned())
}

/// The level whose share of the cumulative probabilities a uniform number falls into.
fn level(logits: impl Iterator<Item = f64> + Clone, uniform: f64) -> f32 {
    let max = logits.clone().fold(f64::MIN, f64::max);
    let shares: Vec<f64> = logits.map(|l| (l - max).exp()).collect();
    let mark = uniform * shares.iter().sum::<f64>();
    let mut cdf = 0.0;
    let below = shares[..shares.len() - 1].iter().take_while(|&&share| {
        cdf += share;
        cdf <= mark
    });
    below.count() as f32
}

/// Images `start..end`, and zeros up to a whole batch.
fn part(all: &Array, start: usize, end: usize, size: usize) -> Array {
    let mut shape = all.shape().to_vec();
    shape[0] = size;
    let mut part = Array::zeros(shape);
    let from = ndarray::Slice::from(start..end);
    let to = ndarray::Slice::from(..end - start);
    part.slice_axis_mut(Axis(0), to).assign(&all.slice_axis(Axis(0), from));
    part
}
