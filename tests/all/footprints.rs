//! Footprints are correct and exact: if an input element changes, exactly those output elements change that
//! read it according to the footprint. `verify_causality` relies on this.

use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use pixelrnn::internal::graph::{Operation, Type};
use pixelrnn::internal::ops::{Domain, Env, Grid, Mul, Op, Reading, Sample};
use pixelrnn::internal::passes::causality::causality;
use pixelrnn::{Array, Declaration, Source};

use crate::common::{Numbers, weights};
use crate::ops::reference;

/// Operators whose footprint is everything. They are expanded first, or come after the logits.
fn coarse(mnemonic: &str) -> bool {
    ["scan", "row_lstm", "diagonal_bilstm", "lstm_sweep", "draw"].contains(&mnemonic)
        || mnemonic.ends_with("_nll")
        || mnemonic.ends_with("nll_slope")
        || mnemonic.ends_with("_gradient")
}

/// Inputs that never depend on an image, which footprints leave out.
const UNFOLLOWED: [(&str, &[usize]); 2] = [("masked_conv", &[1, 2]), ("state_conv", &[1])];

/// The index of an input, and the index of an element in it.
type Element = (usize, usize);

/// The indices of the elements in a part of a tensor.
fn elements(part: &[Range<usize>], extents: &[usize]) -> Vec<usize> {
    let mut all = vec![0];
    for (range, extent) in part.iter().zip(extents) {
        assert!(range.start <= range.end && range.end <= *extent, "{part:?} of {extents:?}");
        all = all.iter().flat_map(|base| range.clone().map(move |i| base * extent + i)).collect();
    }
    all
}

/// The elements that each element of the result reads according to the footprint.
fn said(
    sample: &Sample,
    grids: &[Grid],
    constants: &[Option<&Array>],
) -> Vec<Rc<BTreeSet<Element>>> {
    let types: Vec<&Type> = sample.inputs.iter().collect();
    let grids: Vec<&Grid> = grids.iter().collect();
    let result = sample.op.infer(&types).expect("fits").remove(0);
    let reading = Reading { types: &types, result: &result, grids: &grids, constants };
    let footprint = sample.op.footprint(&reading);
    let extents = result.extents(1);
    let ends: Vec<usize> = footprint.grid.axes.iter().filter_map(|b| b.last().copied()).collect();
    assert_eq!(ends, extents, "the grid covers the result");
    let mut all: Vec<Rc<BTreeSet<Element>>> = vec![Rc::default(); extents.iter().product()];
    let mut cells: Vec<Vec<Range<usize>>> = vec![vec![]];
    for bounds in &footprint.grid.axes {
        let longer = |cell: &Vec<Range<usize>>| {
            let cell = cell.clone();
            let with = move |b: &[usize]| {
                let mut longer = cell.clone();
                longer.push(b[0]..b[1]);
                longer
            };
            bounds.windows(2).map(with)
        };
        cells = cells.iter().flat_map(longer).collect();
    }
    for cell in cells {
        let mut read = BTreeSet::new();
        (footprint.reads)(&cell, &mut |input, part| {
            let extents = types[input].extents(1);
            read.extend(elements(part, &extents).into_iter().map(|e| (input, e)));
        });
        // Every element is in one cell.
        let read = Rc::new(read);
        for element in elements(&cell, &extents) {
            assert!(all[element].is_empty(), "two cells have element {element}");
            all[element] = Rc::clone(&read);
        }
    }
    all
}

/// The elements that each element of the result reads, found by changing each input element.
fn found_by_change(sample: &Sample, inputs: &[Array<f64>]) -> Vec<BTreeSet<Element>> {
    let eval = |inputs: &[Array<f64>]| {
        let inputs: Vec<&Array<f64>> = inputs.iter().collect();
        sample.op.eval(&Env { batch: 1 }, &inputs).expect("evaluates").remove(0)
    };
    let before = eval(inputs);
    let mut all = vec![BTreeSet::new(); before.len()];
    let mut inputs = inputs.to_vec();
    for i in 0..inputs.len() {
        for e in 0..inputs[i].len() {
            let slot = |a: &mut Array<f64>, x: f64| {
                std::mem::replace(a.iter_mut().nth(e).expect("an element"), x)
            };
            let old = slot(&mut inputs[i], 0.0);
            let others = match sample.domains[i] {
                Domain::Levels(levels) => (0..levels).map(|level| level as f64).collect(),
                // A number on the other side of zero, where all derivatives jump.
                _ => vec![-old - 0.125],
            };
            for other in others {
                slot(&mut inputs[i], other);
                let after = eval(&inputs);
                for (set, (a, b)) in all.iter_mut().zip(before.iter().zip(after.iter())) {
                    if a != b {
                        set.insert((i, e));
                    }
                }
            }
            slot(&mut inputs[i], old);
        }
    }
    all
}

/// Positive random numbers, not near zero.
fn inputs_of(sample: &Sample, numbers: &mut Numbers) -> Vec<Array<f64>> {
    let draw = |(ty, domain): (&Type, &Domain)| match domain {
        Domain::Levels(levels) => numbers.levels(ty.extents(1), *levels).mapv(f64::from),
        _ => Array::<f64>::from_shape_simple_fn(ty.extents(1), || 0.5 + numbers.unit()),
    };
    sample.inputs.iter().zip(&sample.domains).map(draw).collect()
}

#[test]
fn footprints_are_exact() {
    let mut numbers = Numbers::new(6);
    let mut checked = 0;
    for (k, sample) in Op::samples().iter().enumerate() {
        let mnemonic = sample.op.mnemonic();
        let types: Vec<&Type> = sample.inputs.iter().collect();
        if sample.op.infer(&types).expect("fits").len() != 1 {
            continue;
        }
        let what = format!("sample {k}, {mnemonic} {:?}", sample.op.attributes());
        let unfollowed = UNFOLLOWED.iter().find(|(m, _)| *m == mnemonic).map_or(&[][..], |u| u.1);
        let inputs = inputs_of(sample, &mut numbers);
        let mut found = found_by_change(sample, &inputs);
        if mnemonic == "select" {
            // `select` reads one of two inputs. The footprint must have the elements of either choice.
            let others = [&[inputs[0].mapv(|mask| -mask)], &inputs[1..]].concat();
            let others = found_by_change(sample, &others);
            found.iter_mut().zip(others).for_each(|(set, other)| set.extend(other));
        }
        found.iter_mut().for_each(|set| set.retain(|(input, _)| !unfollowed.contains(input)));
        let constants = vec![None; types.len()];
        let fine: Vec<Grid> = sample.inputs.iter().map(Grid::unit).collect();
        let whole: Vec<Grid> = sample.inputs.iter().map(Grid::whole).collect();
        // For any grids of the inputs, the footprint must not leave out an element that is read.
        for grids in [&fine, &whole] {
            for (e, (said, found)) in said(sample, grids, &constants).iter().zip(&found).enumerate()
            {
                let missing = found.difference(said).next();
                assert_eq!(missing, None, "{what}: element {e} reads more than is said");
            }
        }
        if coarse(mnemonic) {
            continue;
        }
        for (e, (said, found)) in said(sample, &fine, &constants).iter().zip(&found).enumerate() {
            let surplus = said.difference(found).next();
            assert_eq!(surplus, None, "{what}: element {e} reads less than is said");
        }
        checked += 1;
    }
    assert!(checked > 30, "{checked} samples");
}

/// A product with a constant does not read elements where the constant is zero.
#[test]
fn products_with_constants() {
    let (map, flags) = (Type::real([2usize, 3, 2]), Type::real([1usize, 3, 1]));
    let sample = Sample::new(Mul, [map, flags]);
    let flags = Array::from_shape_vec(vec![1, 3, 1], vec![1.0, 0.0, 2.5]).expect("fits");
    let mut inputs = inputs_of(&sample, &mut Numbers::new(8));
    inputs[1] = flags.mapv(f64::from);
    let mut found = found_by_change(&sample, &inputs);
    found.iter_mut().for_each(|set| set.retain(|(input, _)| *input == 0));
    let grids: Vec<Grid> = sample.inputs.iter().map(Grid::unit).collect();
    let mut said = said(&sample, &grids, &[None, Some(&flags)]);
    said.iter_mut().for_each(|set| Rc::make_mut(set).retain(|(input, _)| *input == 0));
    assert!(said.iter().map(|set| &**set).eq(&found), "{said:?} {found:?}");
    assert!(found.iter().any(BTreeSet::is_empty));
}

/// The dependences of whole layers, including recurrences, are those of their evaluation.
#[test]
fn the_sets_of_layers_are_exact() {
    let layers = [
        "masked_conv(3 x 3, B, 7)",
        "masked_conv(1 x 5, B, 6)",
        "conv(3 x 1, 6)",
        "row_lstm(6)",
        "row_lstm(5, kernel = 5, initial = learned)",
        "row_lstm(4, kernel = 1)",
        "diagonal_bilstm(6)",
        "diagonal_bilstm(5, initial = learned)",
    ];
    for layer in layers {
        for colours in [1, 3] {
            let text = format!(
                "M image 4 x 5, colours {colours}, levels 2; \
                 stem: masked_conv(3 x 3, A, 7); tanh; layer: {layer}; tanh; logits;"
            );
            let model = Declaration::from_source(Source::new("m", text), &[]);
            let model = model.unwrap_or_else(|e| panic!("{layer}: {e}"));
            let graph = model.graph();
            let sets = causality(graph).expect("analysed");
            let mut numbers = Numbers::new(9);
            let mut inputs: Vec<(String, Array)> = weights(&model, 5).into_iter().collect();
            inputs.push(("image".into(), numbers.array(vec![1, colours, 4, 5])));
            let last = inputs.len() - 1;
            let before = reference(graph, 1, &inputs).remove(0);
            let number = |c: usize, y: usize, x: usize| (y * 5 + x) * colours + c;
            for (c, y, x) in places(colours) {
                let at = [0, c, y, x];
                let old = inputs[last].1[at];
                inputs[last].1[at] = -1.5 * old + 0.25;
                let after = reference(graph, 1, &inputs).remove(0);
                inputs[last].1[at] = old;
                for (d, v, u) in places(colours) {
                    let changed = before[[0, d, v, u]] != after[[0, d, v, u]];
                    let said = sets.reads.get(number(d, v, u), number(c, y, x));
                    assert_eq!(
                        said, changed,
                        "{layer}, {colours} colours: output ({v}, {u}) colour {d}, \
                         input ({y}, {x}) colour {c}"
                    );
                }
            }
        }
    }
}

fn places(colours: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..colours * 20).map(move |i| (i % colours, i / colours / 5, i / colours % 5))
}
