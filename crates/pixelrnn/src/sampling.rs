//! Sampling: draws images from a model, either incrementally, in about the time of one forward pass, or
//! naively.
//!
//! Random numbers are an input. Each image has its own random stream, so image `i` of a seed does not depend
//! on the batch, the method or the machine, unless a random number is within rounding of the boundary between
//! two levels.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use ndarray::Axis;
use pixelrnn_graph::{Condition, Dim, Role, Site, Type};
use pixelrnn_ops::condition::Source;
use pixelrnn_ops::{ClampUniform, Distribution, Draw, Env, PixelGraph, evaluate};
use pixelrnn_passes::{CausalProof, GraphEndpoints, PassError, ProvedScale, Scale, Weights};
use pixelrnn_runtime::world::{World, gather_arrays};
use pixelrnn_runtime::{ConditionFault, ConditionValues, Engine, EngineError, Program, Session};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::compare::{Prepared, prepare};
use crate::{Array, Batch, Declaration, Error, ExportOptions, GraphKind, Image, SampleOptions};

/// The sampling method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SampleMethod {
    /// Incremental sampling with the graph of [`GraphKind::Sample`].
    Cached,
    /// One forward pass per value: slow, for comparison.
    Naive,
}

impl SampleMethod {
    /// Every method.
    pub const ALL: [SampleMethod; 2] = [SampleMethod::Cached, SampleMethod::Naive];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            SampleMethod::Cached => "cached",
            SampleMethod::Naive => "naive",
        }
    }
}

pixelrnn_graph::named!(SampleMethod, "sampling method");

/// The given part of images to complete.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Levels, `[N, H, W, C]`.
    pub levels: &'a Array,
    /// The number of rows that are kept, from the top.
    pub rows: usize,
}

/// The arguments of [`draw`].
#[derive(Clone, Copy, Debug)]
pub struct Sampling<'a> {
    /// How values are drawn.
    pub method: SampleMethod,
    /// The temperature: logits are divided by it.
    pub temperature: f64,
    /// Uniform random numbers in [0, 1), `[N, H, W, C]`: one array per scale, in the order of
    /// [`Declaration::scales`].
    pub uniform: &'a [Array],
    /// The part of each image that is given, for completion.
    pub given: Option<Given<'a>>,
    /// The class of each image, for a class-conditional model.
    pub labels: Option<&'a [u32]>,
    /// The values of the other conditions by name, such as maps. The first axis is the image.
    pub conditions: &'a [(String, Array)],
}

/// The largest number of images per call.
pub const BATCH: usize = 16;
/// The smallest number of images per call if calls run in parallel.
const LEAST: usize = 4;

/// Uniform random numbers for `count` images, in the form of [`Sampling::uniform`].
pub fn uniform(model: &Declaration, count: usize, seed: u64) -> Vec<Array> {
    streams(model, 0..count as u64, seed)
}

/// Uniform random numbers for `completions` completions of each of `count` images. The completions of an
/// image are next to each other. The numbers of a completion do not depend on how many there are.
pub fn uniform_completions(
    model: &Declaration,
    count: usize,
    completions: usize,
    seed: u64,
) -> Vec<Array> {
    let all = (0..count as u64).flat_map(|i| (0..completions as u64).map(move |k| i | k << 32));
    streams(model, all, seed)
}

fn streams(model: &Declaration, streams: impl Iterator<Item = u64>, seed: u64) -> Vec<Array> {
    let mut numbers: Vec<Vec<f32>> = vec![Vec::new(); model.scales().len()];
    let mut count = 0;
    for stream in streams {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        // 24 bits: an f32 represents these numbers exactly, so none is rounded up to 1.
        let mut unit = || (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
        // The numbers of the image itself are drawn first.
        for (scale, numbers) in model.scales().iter().zip(&mut numbers).rev() {
            let values: usize = shape(model, scale, 1).iter().product();
            numbers.extend(std::iter::repeat_with(&mut unit).take(values));
        }
        count += 1;
    }
    let array = |(scale, numbers): (&Scale, Vec<f32>)| {
        let mut all = Array::zeros(shape(model, scale, count));
        all.iter_mut().zip(numbers).for_each(|(to, u)| *to = u);
        all
    };
    model.scales().iter().zip(numbers).map(array).collect()
}

/// The shape of `count` images of a scale, `[N, H, W, C]`.
fn shape(model: &Declaration, scale: &Scale, count: usize) -> Vec<usize> {
    let Image { height, width, colours, .. } = model.image();
    vec![count, height / scale.factor, width / scale.factor, colours]
}

/// The export options for drawing a batch of images per call on an engine.
pub fn options<'a>(
    engine: &dyn Engine,
    weights: &'a Weights,
    batch: Batch,
    sample: SampleOptions,
) -> ExportOptions<'a> {
    // Only other engines need portable models, in which stacked slices are copied.
    let (portable, native) = (engine.portable_only(), engine.native());
    ExportOptions { batch, sample, portable, native, ..ExportOptions::with_weights(weights) }
}

/// Checks that the arguments match the model, and returns the number of images.
fn check(model: &Declaration, sampling: &Sampling) -> Result<usize, Error> {
    let refuse = |text: String| Err(Error::Sampling(text));
    let scales = model.scales();
    if sampling.uniform.len() != scales.len() {
        let (found, expected) = (sampling.uniform.len(), scales.len());
        let name = model.name();
        return refuse(format!(
            "{name} has {expected} scales, found uniform numbers for {found}: expected one array per scale"
        ));
    }
    let count = sampling.uniform.last().map_or(0, |all| all.shape().first().copied().unwrap_or(0));
    let pairs = sampling.uniform.iter().zip(scales).map(|(all, s)| ("uniform numbers", all, s));
    let given = sampling.given.iter().zip(scales.last());
    for (what, array, scale) in pairs.chain(given.map(|(g, s)| ("given levels", g.levels, s))) {
        let expected = shape(model, scale, count);
        if array.shape() != expected {
            let found = array.shape();
            return refuse(format!(
                "{what} of {}: expected shape {expected:?}, found {found:?}",
                model.name()
            ));
        }
    }
    let numbers = sampling.uniform.iter().flatten();
    if let Some(u) = numbers.into_iter().find(|u| !(0.0..1.0).contains(*u)) {
        return refuse(format!("invalid uniform number {u}: expected at least 0 and below 1"));
    }
    if let Some(given) = &sampling.given {
        let (levels, height) = (model.image().levels, model.image().height);
        let kept = given.levels.slice_axis(Axis(1), (..given.rows.min(height)).into());
        let is_level = |l: &&f32| l.fract() == 0.0 && (0.0..levels as f32).contains(*l);
        if let Some(level) = kept.iter().find(|l| !is_level(l)) {
            return refuse(format!("invalid given level {level}: expected 0 to {}", levels - 1));
        }
    }
    Ok(count)
}

/// The values of all conditions for `count` images, in the form of the graphs' inputs.
fn conditions(
    model: &Declaration,
    sampling: &Sampling,
    count: usize,
) -> Result<Vec<(String, Array)>, Error> {
    let refuse = |text: String| Err(Error::Sampling(text));
    let model_name = model.name();
    if model.label().is_none() && sampling.labels.is_some() {
        return refuse(format!("{model_name} is not class-conditional, but labels are given"));
    }
    let reads = |name: &str| {
        let mut arrays = model.conditions().iter().filter(|(_, k)| k.source() == Source::Array);
        arrays.any(|(known, _)| known == name)
    };
    if let Some((name, _)) = sampling.conditions.iter().find(|(name, _)| !reads(name)) {
        return refuse(format!("{model_name} does not read a condition `{name}` from an array"));
    }
    let size = [model.image().height, model.image().width];
    let values = ConditionValues { labels: sampling.labels, arrays: sampling.conditions };
    let mut all = Vec::new();
    for (name, kind) in model.conditions() {
        let what = format!("`{name}` ({})", kind.about());
        match values.of(name, *kind, count, size) {
            Ok(array) => all.push((name.clone(), array)),
            Err(ConditionFault::Missing) => {
                return refuse(format!(
                    "{model_name} is conditioned on {what}: values are missing"
                ));
            }
            Err(ConditionFault::Count { found, .. }) => {
                return refuse(format!(
                    "expected {count} values of {what}, one per image, found {found}"
                ));
            }
            Err(ConditionFault::Value(reason)) => {
                return refuse(format!("the values of {what} do not suit {model_name}: {reason}"));
            }
        }
    }
    Ok(all)
}

/// Draws images: levels, `[N, H, W, C]`. Calls `progress` with the number of images done, which may be
/// fractional. The ranks of the engine's world share the work, and each of them returns all images.
///
/// # Errors
/// [`Error`] if the model is not causal, the weights, the random numbers or other arguments do not match the
/// model, the temperature is invalid, or the engine fails.
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
    let count = check(model, sampling)?;
    let conditions = &conditions(model, sampling, count)?;
    let world = engine.world();
    let workers = (engine.threads() * world.size()).min(count / LEAST).max(1);
    // All calls have the same size, as even as possible, and each worker has the same number of calls.
    let calls = count.div_ceil(BATCH).next_multiple_of(workers).max(1);
    let size = count.div_ceil(calls).max(1);
    // The ranks take calls in turns.
    let starts = (0..count).step_by(size).skip(world.rank()).step_by(world.size());
    let starts: Vec<usize> = starts.collect();
    let workers = engine.threads().min(workers).min(starts.len()).max(1);
    let proof = model.prove()?;
    let options = options(engine, weights, Batch::Fixed(size), sample);
    let programs = match sampling.method {
        SampleMethod::Cached => vec![prepare(model, GraphKind::Sample, weights, &options)?],
        SampleMethod::Naive => {
            let scales = proof.scales().iter();
            let forward = |proved: &ProvedScale| model.forward_of(proved, weights, &options);
            scales.map(forward).collect::<Result<_, _>>()?
        }
    };
    let threads = (engine.threads() / workers).max(1);
    let load = |prepared: &Prepared| {
        let (onnx, graph) = (&prepared.onnx[..], Some(&prepared.graph));
        engine.load_on(&Program { name: model.name(), onnx, graph }, threads)
    };
    let mut sessions: Vec<Vec<Box<dyn Session>>> = Vec::new();
    for _ in 0..workers {
        sessions.push(programs.iter().map(load).collect::<Result<_, _>>()?);
    }

    let next = AtomicUsize::new(0);
    let Image { height, width, colours, .. } = model.image();
    let mut images = Array::zeros(vec![count, height, width, colours]);
    let mut shares = vec![0.0; starts.len()];
    let own: usize = starts.iter().map(|start| size.min(count - start)).sum();
    let drawn: Result<Array, Error> = thread::scope(|scope| {
        let (sender, receiver) = channel();
        for mut session in sessions {
            let (sender, starts, next, proof) = (sender.clone(), &starts, &next, &proof);
            scope.spawn(move || {
                loop {
                    let call = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&start) = starts.get(call) else { break };
                    let observe = |share| drop(sender.send((call, News::Share(share))));
                    let part = Part { start, end: (start + size).min(count), size };
                    let drawn =
                        one_call(model, proof, &mut session, sampling, conditions, &part, &observe);
                    // After an error, the receiver is dropped.
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
            // The other ranks are as far as this one.
            progress(shares.iter().sum::<f64>() * count as f64 / own as f64);
        }
        Ok(images)
    });
    let drawn = drawn?;
    if let Some(&start) = starts.first() {
        let part = Part { start, end: (start + size).min(count), size };
        likely(model, weights, engine, conditions, &drawn, &part)?;
    }
    Ok(of_ranks(&*world, drawn, size)?)
}

/// Fails if the likelihood of drawn images, `[N, H, W, C]`, is not finite: samplers draw some level even from
/// logits that are not numbers.
fn likely(
    model: &Declaration,
    weights: &Weights,
    engine: &dyn Engine,
    conditions: &[(String, Array)],
    images: &Array,
    part: &Part,
) -> Result<(), Error> {
    let options = options(engine, weights, Batch::Fixed(part.size), SampleOptions::default());
    let Prepared { onnx, graph, .. } = prepare(model, GraphKind::Nll, weights, &options)?;
    let levels = part.of(images).permuted_axes(vec![0, 3, 1, 2]).as_standard_layout().into_owned();
    let mut inputs: Vec<(&str, Array)> = Vec::new();
    for input in graph.inputs() {
        match input.role {
            Role::Image => inputs.push((&input.name, levels.clone())),
            Role::Condition(Condition::Given { .. }) => {
                let own = conditions.iter().find(|(name, _)| *name == input.name);
                inputs.extend(own.map(|(name, all)| (name.as_str(), part.of(all))));
            }
            _ => {}
        }
    }
    let inputs: Vec<(&str, &Array)> = inputs.iter().map(|(name, a)| (*name, a)).collect();
    let program = Program { name: model.name(), onnx: &onnx, graph: Some(&graph) };
    let nll = engine.load(&program)?.run(&inputs)?.remove(0).1;
    match nll.iter().take(part.end - part.start).find(|nll| !nll.is_finite()) {
        None => Ok(()),
        Some(nll) => Err(Error::Sampling(format!(
            "the images drawn mean nothing: their negative log-likelihood is {nll}, since the weights are \
             damaged, or too large for f32"
        ))),
    }
}

/// Puts together the images that the ranks have drawn, in calls of `size` images by turns.
fn of_ranks(world: &dyn World, mut images: Array, size: usize) -> Result<Array, EngineError> {
    if world.size() == 1 {
        return Ok(images);
    }
    let rows = |rank| (0..images.shape()[0]).filter(move |i| i / size % world.size() == rank);
    let own: Vec<usize> = rows(world.rank()).collect();
    let own = images.select(Axis(0), &own);
    let all = gather_arrays(world, &[("images".to_string(), own)])?;
    let rows: Vec<Vec<usize>> = (0..world.size()).map(|rank| rows(rank).collect()).collect();
    for (rows, arrays) in rows.iter().zip(all) {
        for (_, array) in arrays {
            let drawn = rows.iter().zip(array.outer_iter());
            drawn.for_each(|(&row, image)| images.index_axis_mut(Axis(0), row).assign(&image));
        }
    }
    Ok(images)
}

/// A message from a worker about a call.
enum News {
    /// The fraction of it that is done.
    Share(f64),
    /// Its images, or its error.
    Done(Result<Array, Error>),
}

/// The range of images of one call, `start..end`, padded with zeros to `size` images.
struct Part {
    start: usize,
    end: usize,
    size: usize,
}

impl Part {
    fn of(&self, all: &Array) -> Array {
        let mut shape = all.shape().to_vec();
        shape[0] = self.size;
        let mut part = Array::zeros(shape);
        let from = ndarray::Slice::from(self.start..self.end);
        let to = ndarray::Slice::from(..self.end - self.start);
        part.slice_axis_mut(Axis(0), to).assign(&all.slice_axis(Axis(0), from));
        part
    }
}

/// Draws the images of one call.
fn one_call(
    model: &Declaration,
    proof: &CausalProof,
    sessions: &mut [Box<dyn Session>],
    sampling: &Sampling,
    conditions: &[(String, Array)],
    part: &Part,
    observe: &dyn Fn(f64),
) -> Result<Array, Error> {
    let uniform: Vec<Array> = sampling.uniform.iter().map(|all| part.of(all)).collect();
    let whole = uniform.last().map_or(&[][..], |all| all.shape());
    let mut mask = Array::zeros(whole);
    let mut given = Array::zeros(whole);
    if let Some(all) = &sampling.given {
        let rows = all.rows.min(model.image().height);
        mask.slice_axis_mut(Axis(1), (..rows).into()).fill(1.0);
        given = part.of(all.levels);
    }
    let conditions = conditions.iter().map(|(name, all)| (name.as_str(), part.of(all)));
    let conditions: Vec<(&str, Array)> = conditions.collect();
    match sampling.method {
        SampleMethod::Cached => {
            let names: Vec<String> =
                model.scales().iter().map(|scale| format!("{}uniform", scale.prefix())).collect();
            let mut inputs: Vec<(&str, &Array)> =
                names.iter().map(String::as_str).zip(&uniform).collect();
            if sampling.given.is_some() {
                inputs.extend([("given", &given), ("mask", &mask)]);
            }
            inputs.extend(conditions.iter().map(|(name, all)| (*name, all)));
            Ok(sessions[0].run(&inputs)?.remove(0).1)
        }
        SampleMethod::Naive => {
            let naive = Naive { proof, uniform, given, mask, conditions };
            naive.draw(sessions, sampling.temperature, observe)
        }
    }
}

/// Draws one batch, value by value, with the forward graph of each scale.
struct Naive<'a> {
    proof: &'a CausalProof,
    uniform: Vec<Array>,
    given: Array,
    mask: Array,
    conditions: Vec<(&'a str, Array)>,
}

impl Naive<'_> {
    fn draw(
        &self,
        sessions: &mut [Box<dyn Session>],
        temperature: f64,
        observe: &dyn Fn(f64),
    ) -> Result<Array, Error> {
        let scales = self.proof.scales();
        let values: usize = self.uniform.iter().map(|all| all.len()).sum();
        let mut done = 0;
        // The drawn images [N, C, H, W] by the factor of their scale.
        let mut drawn: BTreeMap<usize, Array> = BTreeMap::new();
        for ((proved, session), uniform) in scales.iter().zip(sessions).zip(&self.uniform) {
            let before = done;
            let image = self.scale(proved, &mut **session, uniform, &drawn, temperature, &|n| {
                observe((before + n) as f64 / values as f64);
            })?;
            done += uniform.len();
            drawn.insert(proved.scale().factor, image);
        }
        let image = drawn.remove(&1).unwrap_or_default();
        Ok(image.permuted_axes(vec![0, 2, 3, 1]).as_standard_layout().into_owned())
    }

    /// The image of one scale, `[N, C, H, W]`.
    fn scale(
        &self,
        proved: &ProvedScale,
        session: &mut dyn Session,
        uniform: &Array,
        drawn: &BTreeMap<usize, Array>,
        temperature: f64,
        observe: &dyn Fn(usize),
    ) -> Result<Array, Error> {
        let graph = proved.graph();
        let ends = GraphEndpoints::of(graph).map_err(|e| Error::Sampling(e.into()))?;
        let [colours, height, width] = ends.dims();
        let (size, factor) = (uniform.shape()[0], proved.scale().factor);
        let drawer = Drawer::new(&ends, temperature)?;
        let mut images = Array::zeros(vec![size, colours, height, width]);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            for c in 0..colours {
                let mut inputs: Vec<(&str, &Array)> = Vec::new();
                for input in graph.inputs() {
                    match input.role {
                        Role::Image => inputs.push((&input.name, &images)),
                        Role::Condition(Condition::Scale { factor }) => {
                            inputs.extend(drawn.get(&factor).map(|all| (&*input.name, all)));
                        }
                        Role::Condition(Condition::Given { .. }) => {
                            let own = self.conditions.iter().find(|(name, _)| *name == input.name);
                            inputs.extend(own.map(|(name, all)| (*name, all)));
                        }
                        _ => {}
                    }
                }
                let parameters = session.run(&inputs)?.remove(0).1;
                let levels = drawer.draw(&parameters, uniform, [c, y, x])?;
                for (n, &level) in levels.iter().enumerate() {
                    let whole = [n, y * factor, x * factor, c];
                    images[[n, c, y, x].as_slice()] = match self.mask[whole.as_slice()] > 0.0 {
                        true => self.given[whole.as_slice()],
                        false => level,
                    };
                }
            }
            observe((y * width + x + 1) * colours * size);
        }
        Ok(images)
    }
}

/// Draws levels with the operator of the cached sampler.
struct Drawer {
    graph: PixelGraph,
    distribution: Distribution,
}

impl Drawer {
    fn new(ends: &GraphEndpoints, temperature: f64) -> Result<Drawer, Error> {
        let distribution = ends.distribution;
        let mut graph = PixelGraph::new("draw");
        let column = |n: usize| Type::real([Dim::N, Dim::Fixed(n)]);
        let parameters = graph.input("parameters", column(distribution.parameters()), Role::Local);
        let u = graph.input("u", column(1), Role::Uniform);
        let failed = |error| PassError::Build { pass: "stream", error };
        let clamped = graph.push(ClampUniform.into(), &[u], "u_clamped", Site::NONE);
        let u = clamped.map_err(failed)?[0];
        let draw = Draw { distribution, factor: 1.0 / temperature };
        let level = graph.push(draw.into(), &[parameters, u], "level", Site::NONE);
        let level = level.map_err(failed)?[0];
        graph.output("level", level);
        Ok(Drawer { graph, distribution })
    }

    /// Draws the levels at one position of every image.
    fn draw(
        &self,
        parameters: &Array,
        uniform: &Array,
        [c, y, x]: [usize; 3],
    ) -> Result<Vec<f32>, Error> {
        let batch = uniform.shape()[0];
        let wide = self.distribution.has_axis();
        let own = |i: ndarray::IxDyn| {
            let at = if wide { vec![i[0], c, i[1], y, x] } else { vec![i[0], c, y, x] };
            f64::from(parameters[&at[..]])
        };
        let own = ndarray::ArrayD::from_shape_fn(vec![batch, self.distribution.parameters()], own);
        let u = |i: ndarray::IxDyn| f64::from(uniform[[i[0], y, x, c].as_slice()]);
        let u = ndarray::ArrayD::from_shape_fn(vec![batch, 1], u);
        let inputs = BTreeMap::from([("parameters".to_string(), own), ("u".to_string(), u)]);
        let levels = evaluate(&self.graph, &Env { batch }, &inputs)
            .map_err(|error| Error::Sampling(error.to_string()))?;
        Ok(levels[0].iter().map(|&level| level as f32).collect())
    }
}
