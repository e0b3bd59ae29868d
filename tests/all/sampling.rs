//! Drawn images are the same as if the whole network were run for every value, have the right frequencies,
//! can be completed and tempered, and can be drawn by an outer loop.

use std::collections::BTreeMap;

use ndarray::Axis;
use pixelrnn::internal::ops::{Env, evaluate};
use pixelrnn::internal::passes::bind;
use pixelrnn::prelude::*;
use pixelrnn::runtime::{Engine, Program, Session};
use pixelrnn::sampling::{BATCH, Given, SampleMethod, Sampling};
use pixelrnn::{Array, Declaration, Weights};

use crate::common::{Numbers, engines, weights, zoo};
use crate::declared::declared;

/// Uniform numbers that are this close to the boundary between two levels are moved, since rounding could
/// change the level.
const NEAR: f64 = 1e-5;
/// The probability with which a correct model fails a chi-square test.
const P_VALUE: f64 = 1e-4;
/// The value that chi-square exceeds with this probability, by degrees of freedom.
const CHI_SQUARE: [(usize, f64); 2] = [(15, 44.263), (63, 113.505)];

fn small(name: &str, colours: usize, levels: usize) -> Declaration {
    let size = [("h", 4), ("layers", 2), ("height", 4), ("width", 3)];
    let mut list = size.to_vec();
    list.extend([("colours", colours), ("levels", levels)]);
    zoo(name, &list)
}

fn uniform(model: &Declaration, count: usize, seed: u64) -> Array {
    let i = model.image();
    let mut numbers = Numbers::new(seed);
    let shape = vec![count, i.height, i.width, i.colours];
    Array::from_shape_simple_fn(shape, || numbers.unit() as f32)
}

/// Loads a graph of a kind.
fn session(
    engine: &dyn Engine,
    model: &Declaration,
    kind: GraphKind,
    options: &ExportOptions,
) -> Box<dyn Session> {
    let onnx = model.export(kind, options).unwrap_or_else(|e| panic!("{e}"));
    let graph = model.graph_with(kind, options).expect("a graph");
    let names: Vec<String> = graph.parameters().map(|(i, _)| i.name.clone()).collect();
    let mut part = options.weights.expect("weights").clone();
    part.retain(|name, _| names.contains(name));
    let graph = bind(&graph, &part).expect("fits");
    let program = Program { name: model.name(), onnx: &onnx, graph: Some(&graph) };
    engine.load(&program).unwrap_or_else(|e| panic!("{}: {e}", model.name()))
}

/// Runs a graph and returns the image that it draws.
fn draw(
    engine: &dyn Engine,
    model: &Declaration,
    options: &ExportOptions,
    inputs: &[(&str, &Array)],
) -> Array {
    drawn(&mut *session(engine, model, GraphKind::Sample, options), inputs)
}

fn drawn(session: &mut dyn Session, inputs: &[(&str, &Array)]) -> Array {
    session.run(inputs).unwrap_or_else(|e| panic!("{e}")).remove(0).1
}

/// Draws without caches: runs the forward graph once for every value, and draws the next value from its
/// logits.
fn naive(model: &Declaration, weights: &Weights, uniform: &mut Array, temperature: f64) -> Array {
    let i = model.image();
    let onnx = model.export(GraphKind::Forward, &ExportOptions::with_weights(weights));
    let onnx = onnx.unwrap_or_else(|e| panic!("{e}"));
    let program = Program { name: model.name(), onnx: &onnx, graph: None };
    let mut session = engines()[2].load(&program).expect("loads");
    let count = uniform.shape()[0];
    let mut image = Array::zeros(vec![count, i.colours, i.height, i.width]);
    for y in 0..i.height {
        for x in 0..i.width {
            for c in 0..i.colours {
                let logits = session.run(&[("image", &image)]).expect("runs").remove(0).1;
                for n in 0..count {
                    let at = |l: usize| match i.levels {
                        2 => l as f64 * f64::from(logits[[n, c, y, x].as_slice()]),
                        _ => f64::from(logits[[n, c, l, y, x].as_slice()]),
                    };
                    let p: Vec<f64> = (0..i.levels).map(|l| (at(l) / temperature).exp()).collect();
                    let total: f64 = p.iter().sum();
                    let step = |cdf: &mut f64, p: &f64| {
                        *cdf += p / total;
                        Some(*cdf)
                    };
                    let cdf: Vec<f64> = p[..i.levels - 1].iter().scan(0.0, step).collect();
                    let u = &mut uniform[[n, y, x, c]];
                    while cdf.iter().any(|b| (b - f64::from(*u)).abs() < NEAR) {
                        *u = (*u + 3.0 * NEAR as f32).fract();
                    }
                    let level = cdf.iter().filter(|&&b| b <= f64::from(*u)).count();
                    image[[n, c, y, x]] = level as f32;
                }
            }
        }
    }
    image.permuted_axes(vec![0, 2, 3, 1]).as_standard_layout().into_owned()
}

/// Weights that are large enough for the network, and not only the uniform numbers, to matter.
fn loud(model: &Declaration, seed: u64) -> Weights {
    let mut weights = weights(model, seed);
    weights.values_mut().for_each(|w| w.mapv_inplace(|x| 2.5 * x));
    weights
}

const BATCHES: [Batch; 2] = [Batch::Fixed(3), Batch::Symbolic];

fn cached_is_naive(model: &Declaration, temperature: f64, batches: &[Batch]) {
    let weights = loud(model, 21);
    let mut uniform = uniform(model, 3, 4);
    let expected = naive(model, &weights, &mut uniform, temperature);
    let changed = naive(model, &loud(model, 22), &mut uniform.clone(), temperature);
    assert_ne!(expected, changed, "the weights matter");
    let sample = SampleOptions { temperature, complete: false };
    for &batch in batches {
        let options = ExportOptions { batch, sample, ..ExportOptions::with_weights(&weights) };
        for engine in engines() {
            let found = draw(&**engine, model, &options, &[("uniform", &uniform)]);
            assert_eq!(expected, found, "{} {:?}", engine.name(), model.settings());
        }
    }
}

#[test]
fn cached_images_are_the_naive_ones() {
    for name in ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal"] {
        for (colours, levels) in [(1, 2), (1, 256), (3, 2), (1, 17), (3, 256)] {
            // How a batch is written does not depend on colors and levels.
            let batches = if levels == 2 { &BATCHES[..] } else { &BATCHES[..1] };
            cached_is_naive(&small(name, colours, levels), 1.0, batches);
        }
    }
    for name in ["row", "diagonal", "mixed"] {
        cached_is_naive(&declared(name, &[("height", 3), ("width", 4)]), 1.0, &BATCHES);
    }
}

#[test]
fn temperature_divides_the_logits() {
    for levels in [2, 9] {
        cached_is_naive(&small("digits-diagonal", 2, levels), 0.6, &BATCHES[..1]);
    }
    // A temperature so low that only the most likely level is drawn, and one so high that all levels are
    // equally likely. The results still equal those of naive sampling.
    for levels in [2, 9] {
        let model = small("digits-diagonal", 2, levels);
        let weights = loud(&model, 21);
        let uniform = uniform(&model, 3, 4);
        for temperature in [1e-38, 1e38] {
            let drawn = [SampleMethod::Cached, SampleMethod::Naive].map(|method| {
                let request = Sampling {
                    method,
                    temperature,
                    uniform: std::slice::from_ref(&uniform),
                    given: None,
                    labels: None,
                    conditions: &[],
                };
                let engine = &*engines()[2];
                let drawn =
                    pixelrnn::sampling::draw(&model, &weights, engine, &request, &mut |_| {});
                drawn.unwrap_or_else(|e| panic!("{e}"))
            });
            assert_eq!(drawn[0], drawn[1], "{levels} levels, {temperature}");
        }
    }
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-40, 1e60] {
        let sample = SampleOptions { temperature, complete: false };
        let options = ExportOptions { sample, ..ExportOptions::default() };
        let model = small("digits-diagonal", 1, 2);
        for kind in [GraphKind::Sample, GraphKind::Step] {
            assert!(model.graph_with(kind, &options).is_err(), "{temperature}");
        }
    }
}

/// A uniform number near zero draws the first level with a positive probability. The largest f32 below one
/// never draws a level that does not exist.
#[test]
fn extreme_numbers_draw_levels_that_are_there() {
    for levels in [2, 256] {
        let model = small("digits-row-lstm", 1, levels);
        let weights = weights(&model, 3);
        let options = ExportOptions::with_weights(&weights);
        for (u, level) in [(0.0, 0.0), (1.0 - f32::EPSILON / 2.0, (levels - 1) as f32)] {
            let uniform = uniform(&model, 2, 1).mapv(|_| u);
            for engine in engines() {
                let found = draw(&**engine, &model, &options, &[("uniform", &uniform)]);
                assert!(found.iter().all(|&x| x == level), "{} {u}: {found}", engine.name());
            }
        }
    }
}

/// Given values are kept. The others are drawn as if the given ones had been drawn.
#[test]
fn completion_keeps_what_is_given() {
    for (name, colours) in [("digits-diagonal", 3), ("digits-pixelcnn", 1)] {
        let model = small(name, colours, 5);
        let weights = loud(&model, 2);
        let sample = SampleOptions { complete: true, ..SampleOptions::default() };
        let options = ExportOptions { sample, ..ExportOptions::with_weights(&weights) };
        let plain = ExportOptions::with_weights(&weights);
        let (first, second) = (uniform(&model, 2, 5), uniform(&model, 2, 6));
        let mut numbers = Numbers::new(9);
        let mask = first.mapv(|_| numbers.below(2) as f32);
        for engine in engines() {
            let mut plain = session(&**engine, &model, GraphKind::Sample, &plain);
            let mut fresh = |uniform| drawn(&mut *plain, &[("uniform", uniform)]);
            let (one, other) = (fresh(&first), fresh(&second));
            let mut completing = session(&**engine, &model, GraphKind::Sample, &options);
            let mut complete = |uniform: &Array, given: &Array, mask: &Array| {
                drawn(&mut *completing, &[("uniform", uniform), ("given", given), ("mask", mask)])
            };
            // The result does not change if the given values are those that would be drawn anyway, or are not
            // kept.
            assert_eq!(complete(&first, &one, &mask), one);
            assert_eq!(complete(&first, &other, &mask.mapv(|_| 0.0)), one);
            assert_eq!(complete(&first, &other, &mask.mapv(|_| 1.0)), other);
            let mixed = complete(&first, &other, &mask);
            let kept = mixed.iter().zip(&other).zip(&mask);
            assert!(kept.filter(|(_, m)| **m == 1.0).all(|((a, b), _)| a == b));
            assert!(mixed != one && mixed != other);
            // Values that are not kept may be anything, and the mask may be 255 instead of 1.
            let holes = ndarray::Zip::from(&other).and(&mask);
            let holes = holes.map_collect(|&level, &m| if m == 1.0 { level } else { f32::NAN });
            assert_eq!(complete(&first, &holes, &mask.mapv(|m| 255.0 * m)), mixed);
        }
    }
}

/// The chi-square statistic of counts and exact probabilities.
fn chi_square(counts: &[usize], probabilities: &[f64]) -> f64 {
    let total: usize = counts.iter().sum();
    let term = |(&n, p): (&usize, &f64)| {
        let expected = p * total as f64;
        assert!(expected > 5.0, "too seldom for the test: {expected}");
        (n as f64 - expected).powi(2) / expected
    };
    counts.iter().zip(probabilities).map(term).sum()
}

/// All images of two levels. The bits of an image's index are its values in raster order, colors innermost.
fn all_images(model: &Declaration) -> Array {
    let i = model.image();
    let bits = i.height * i.width * i.colours;
    Array::from_shape_fn(vec![1 << bits, i.colours, i.height, i.width], |k| {
        let place = (k[2] * i.width + k[3]) * i.colours + k[1];
        (k[0] >> place & 1) as f32
    })
}

/// The exact probability of each image.
fn probabilities(model: &Declaration, weights: &Weights) -> Vec<f64> {
    let images = all_images(model);
    let graph = bind(&model.graph_of(GraphKind::Nll).expect("a graph"), weights).expect("fits");
    let inputs = BTreeMap::from([("image".to_string(), images.mapv(f64::from))]);
    let nll = evaluate(&graph, &Env { batch: images.shape()[0] }, &inputs).expect("evaluates");
    nll[0].iter().map(|nats| (-nats).exp()).collect()
}

#[test]
fn frequencies_are_the_exact_probabilities() {
    for name in ["digits-pixelcnn", "digits-row-lstm", "digits-diagonal"] {
        for ([height, width, colours], (freedom, limit)) in
            [[2, 2, 1], [2, 1, 3]].into_iter().zip(CHI_SQUARE)
        {
            let list = [("h", 3), ("layers", 1), ("height", height), ("width", width)];
            let mut list = list.to_vec();
            list.extend([("colours", colours), ("levels", 2)]);
            let model = zoo(name, &list);
            let weights = weights(&model, 14);
            let exact = probabilities(&model, &weights);
            assert_eq!(exact.len(), freedom + 1);
            assert!((exact.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let options = ExportOptions::with_weights(&weights);
            let uniform = uniform(&model, 100_000, 18);
            let images = draw(&*engines()[2], &model, &options, &[("uniform", &uniform)]);
            let mut counts = vec![0; exact.len()];
            for image in images.axis_iter(ndarray::Axis(0)) {
                let number = image.iter().enumerate().map(|(i, &x)| (x as usize) << i);
                counts[number.sum::<usize>()] += 1;
            }
            let found = chi_square(&counts, &exact);
            println!("{name} {height}x{width}x{colours}: {found:.1}, limit {limit}, p {P_VALUE}");
            assert!(found < limit, "{name}: chi-square {found}, limit {limit}");
            // The probabilities of another model must be rejected.
            let other = probabilities(&model, &crate::common::weights(&model, 15));
            assert!(chi_square(&counts, &other) > 10.0 * limit, "{name}: the test sees nothing");
        }
    }
}

/// The outer loop, as documented in the module `stream`. It knows nothing of the model.
fn drive(step: &mut dyn Session, row: &mut dyn Session, data: &[(&str, &Array)]) -> Array {
    let &[count, height, width, colours] = data[0].1.shape() else { panic!("[N, H, W, C]") };
    let shapes = |session: &dyn Session| -> Vec<(String, Vec<usize>)> {
        let extent = |e: &pixelrnn::runtime::Extent| match e {
            pixelrnn::runtime::Extent::Fixed(n) => *n,
            _ => count,
        };
        let shape = |t: &pixelrnn::runtime::Tensor| {
            t.shape.iter().flatten().map(extent).collect::<Vec<usize>>()
        };
        session.inputs().iter().map(|t| (t.name.clone(), shape(t))).collect()
    };
    let pixel_of = |a: &Array, y: usize, x: usize| {
        a.index_axis(ndarray::Axis(1), y).index_axis(ndarray::Axis(1), x).to_owned()
    };
    let mut between: BTreeMap<String, Array> =
        shapes(row).into_iter().map(|(name, shape)| (name, Array::zeros(shape))).collect();
    let mut image = Array::zeros(vec![count, height, width, colours]);
    for y in 0..height {
        let inputs: Vec<(&str, &Array)> = between.iter().map(|(n, a)| (n.as_str(), a)).collect();
        let begun: BTreeMap<String, Array> = row.run(&inputs).expect("runs").into_iter().collect();
        for name in between.keys().cloned().collect::<Vec<_>>() {
            if let Some(next) = begun.get(&format!("{name}.next")) {
                between.insert(name, next.clone());
            }
        }
        between.insert("begun".into(), Array::ones(vec![1]));
        let mut carried: BTreeMap<String, Array> = BTreeMap::new();
        let mut done: BTreeMap<String, Vec<Array>> = BTreeMap::new();
        for x in 0..width {
            let given = shapes(step).into_iter().map(|(name, _)| {
                let value = match data.iter().find(|(n, _)| *n == name) {
                    Some((_, all)) => pixel_of(all, y, x),
                    None if name.starts_with("row.") => {
                        begun[&name].index_axis(ndarray::Axis(0), x).to_owned()
                    }
                    None => match carried.get(&format!("{name}.next")) {
                        Some(value) => value.clone(),
                        None => begun[&name].clone(),
                    },
                };
                (name, value)
            });
            let given: Vec<(String, Array)> = given.collect();
            let inputs: Vec<(&str, &Array)> = given.iter().map(|(n, a)| (n.as_str(), a)).collect();
            let results = step.run(&inputs).expect("runs");
            for (name, value) in &results {
                if name == "pixel" {
                    let mut place = image.view_mut();
                    place.collapse_axis(ndarray::Axis(1), y);
                    place.collapse_axis(ndarray::Axis(2), x);
                    let shaped = value.to_shape(vec![count, 1, 1, colours]).expect("a pixel");
                    place.assign(&shaped);
                } else if name.starts_with("done.") {
                    done.entry(name.clone()).or_default().push(value.clone());
                }
            }
            carried = results.into_iter().collect();
        }
        for (name, slices) in done {
            let views: Vec<_> = slices.iter().map(|s| s.view()).collect();
            between.insert(name, ndarray::stack(ndarray::Axis(0), &views).expect("a row"));
        }
    }
    image
}

#[test]
fn the_loop_outside_draws_the_same() {
    let mut models: Vec<Declaration> =
        ["row", "diagonal", "mixed"].map(|n| declared(n, &[])).into();
    models.push(small("digits-pixelcnn", 1, 2));
    models.push(stateless());
    models.push(zoo("digits-diagonal", &[("h", 3), ("layers", 1), ("height", 1), ("width", 4)]));
    for model in &models {
        let weights = loud(model, 31);
        let uniform = uniform(model, 2, 33);
        let given = Array::ones(uniform.shape());
        let mut numbers = Numbers::new(34);
        let mask = uniform.mapv(|_| numbers.below(2) as f32);
        for complete in [false, true] {
            let sample = SampleOptions { temperature: 0.8, complete };
            let options = ExportOptions { sample, ..ExportOptions::with_weights(&weights) };
            let mut data = vec![("uniform", &uniform)];
            if complete {
                data.extend([("given", &given), ("mask", &mask)]);
            }
            for engine in engines() {
                let expected = draw(&**engine, model, &options, &data);
                let mut step = session(&**engine, model, GraphKind::Step, &options);
                let mut row = session(&**engine, model, GraphKind::Row, &options);
                let found = drive(&mut *step, &mut *row, &data);
                assert_eq!(expected, found, "{} on {}", model.name(), engine.name());
            }
        }
    }
}

/// A model in which no pixel reads its own row, so that nothing is carried from pixel to pixel.
fn stateless() -> Declaration {
    let text = "pub Columns { }\nimage 3 x 2, colours 1, levels 3;\n\
                stem: masked_conv(3 x 1, A, 3); logits;\n";
    Declaration::from_source(pixelrnn::Source::new("columns", text), &[]).expect("a model")
}

/// Logits that overflow are not numbers. A sampler would draw some level from them.
#[test]
fn images_of_no_likelihood_are_refused() {
    for name in ["digits-pixelcnn", "digits-gated-mixture", "digits-multiscale"] {
        let model = zoo(name, &[]);
        let weights = weights(&model, 21);
        let mut large = weights.clone();
        large.values_mut().for_each(|w| w.mapv_inplace(|x| 1e30 * x));
        let uniform = pixelrnn::sampling::uniform(&model, 3, 7);
        for method in [SampleMethod::Cached, SampleMethod::Naive] {
            let request = Sampling {
                method,
                temperature: 1.0,
                uniform: &uniform,
                given: None,
                labels: None,
                conditions: &[],
            };
            let draw = |weights: &Weights| {
                pixelrnn::sampling::draw(&model, weights, &*engines()[2], &request, &mut |_| {})
            };
            draw(&weights).unwrap_or_else(|e| panic!("{name}: {e}"));
            let error = draw(&large).expect_err(name).to_string();
            assert!(error.contains("negative log-likelihood is"), "{name}: {error}");
        }
    }
}

#[test]
fn the_library_draws_completes_and_repeats() {
    let model = small("digits-diagonal", 3, 9);
    let weights = loud(&model, 21);
    // One full batch and a partial one.
    let count = BATCH + 3;
    let numbers = pixelrnn::sampling::uniform(&model, count, 7);
    assert!(numbers[0].iter().all(|u| (0.0..1.0).contains(u)));
    let few = pixelrnn::sampling::uniform(&model, 2, 7);
    assert_eq!(few[0], numbers[0].slice_axis(Axis(0), (..2).into()), "streams of their own");
    let levels = pixelrnn::sampling::uniform(&model, count, 8)[0].mapv(|u| (9.0 * u).floor());
    for rows in [None, Some(2)] {
        let given = rows.map(|rows| Given { levels: &levels, rows });
        let drawn = [SampleMethod::Cached, SampleMethod::Naive].map(|method| {
            let request = Sampling {
                method,
                temperature: 0.8,
                uniform: &numbers,
                given,
                labels: None,
                conditions: &[],
            };
            let mut last = 0.0;
            let engine = &*engines()[2];
            let images = pixelrnn::sampling::draw(&model, &weights, engine, &request, &mut |n| {
                assert!(n >= last, "{n} after {last}");
                last = n;
            });
            assert_eq!(last, count as f64);
            images.unwrap_or_else(|e| panic!("{e}"))
        });
        assert_eq!(drawn[0], drawn[1], "{rows:?}");
        let upper = ndarray::Slice::from(..rows.unwrap_or(0));
        assert_eq!(
            drawn[0].slice_axis(Axis(1), upper),
            levels.slice_axis(Axis(1), upper),
            "{rows:?}"
        );
        assert_ne!(drawn[0], levels);
    }
    let request = Sampling {
        method: SampleMethod::Naive,
        temperature: 0.0,
        uniform: &numbers,
        given: None,
        labels: None,
        conditions: &[],
    };
    let engine = &*engines()[2];
    let refused = pixelrnn::sampling::draw(&model, &weights, engine, &request, &mut |_| {});
    assert!(refused.is_err());
}

/// If a color group has no features, some parameters are not read. They are weights of the model
/// nevertheless.
#[test]
fn parameters_that_are_not_read_do_not_matter() {
    let text = "pub Narrow { }\nimage 4 x 3, colours 3, levels 3;\nfirst: masked_conv(1 x 1, A, 1);\n\
                second: masked_conv(3 x 3, B, 6); logits;\n";
    let source = pixelrnn::Source::new("narrow", text);
    let model = Declaration::from_source(source, &[]).expect("a model");
    let weights = loud(&model, 3);
    let uniform = uniform(&model, 2, 4);
    let drawn = [SampleMethod::Cached, SampleMethod::Naive].map(|method| {
        let request = Sampling {
            method,
            temperature: 1.0,
            uniform: std::slice::from_ref(&uniform),
            given: None,
            labels: None,
            conditions: &[],
        };
        let engine = &*engines()[2];
        let drawn = pixelrnn::sampling::draw(&model, &weights, engine, &request, &mut |_| {});
        drawn.unwrap_or_else(|e| panic!("{e}"))
    });
    assert_eq!(drawn[0], drawn[1]);
}

/// Invalid arguments give an error that says what was expected.
#[test]
fn what_does_not_suit_is_refused() {
    let model = small("digits-row-lstm", 3, 9);
    let weights = weights(&model, 1);
    let right = uniform(&model, 2, 1);
    let levels = right.mapv(|_| 8.0);
    let refuse = |uniform: &Array, given: Option<&Array>, word: &str| {
        for method in [SampleMethod::Cached, SampleMethod::Naive] {
            let given = given.map(|levels| Given { levels, rows: 2 });
            let request = Sampling {
                method,
                temperature: 1.0,
                uniform: std::slice::from_ref(uniform),
                given,
                labels: None,
                conditions: &[],
            };
            let engine = &*engines()[2];
            let error = pixelrnn::sampling::draw(&model, &weights, engine, &request, &mut |_| {})
                .expect_err("does not suit");
            assert!(error.to_string().contains(word), "{error}");
        }
    };
    let maps = Array::zeros(vec![2, 3, 4, 3]);
    refuse(&maps, None, "[2, 4, 3, 3]");
    refuse(&Array::zeros(vec![]), None, "uniform numbers");
    refuse(&right.mapv(|_| 1.0), None, "below 1");
    refuse(&right.mapv(|_| f32::NAN), None, "below 1");
    refuse(&right, Some(&levels.slice_axis(Axis(0), (..1).into()).to_owned()), "given levels");
    for wrong in [9.0, -1.0, 0.5, f32::NAN] {
        refuse(&right, Some(&levels.mapv(|_| wrong)), "expected 0 to 8");
    }
}

/// An additional completion does not change the others.
#[test]
fn completions_have_numbers_of_their_own() {
    let model = small("digits-row-lstm", 1, 2);
    let of = |count, completions| {
        pixelrnn::sampling::uniform_completions(&model, count, completions, 3).remove(0)
    };
    let [two, three] = [2, 3].map(|completions| of(4, completions));
    assert_eq!((two.shape()[0], three.shape()[0]), (8, 12));
    for image in 0..4 {
        for completion in 0..2 {
            let [a, b] = [(&two, 2), (&three, 3)]
                .map(|(all, n)| all.index_axis(Axis(0), image * n + completion).to_owned());
            assert_eq!(a, b);
        }
    }
    assert_eq!(of(4, 1), pixelrnn::sampling::uniform(&model, 4, 3)[0]);
    let different: std::collections::BTreeSet<String> =
        three.outer_iter().map(|numbers| numbers.to_string()).collect();
    assert_eq!(different.len(), 12);
}
