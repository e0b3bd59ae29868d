//! The likelihood is correct and in the right unit.

use pixelrnn::internal::ops::{Env, evaluate};
use pixelrnn::prelude::*;
use pixelrnn::runtime::Program;
use pixelrnn::{Array, Declaration};

use crate::common::{Numbers, engines, run, weights, zoo};

/// An untrained model of 256 levels has about 8 bits per dimension, one of two levels about 1.
#[test]
fn untrained_models() {
    for (name, levels, bits) in [
        ("cifar-pixelcnn", 256, 8.0),
        ("cifar-row-lstm", 256, 8.0),
        ("cifar-diagonal", 256, 8.0),
        ("digits-diagonal", 256, 8.0),
        ("mnist-pixelcnn", 2, 1.0),
    ] {
        let list = [("h", 8), ("layers", 1), ("height", 4), ("width", 4), ("levels", levels)];
        let model = zoo(name, &list);
        let weights = model.initialize(1);
        let images = Numbers::new(31).images(&model, 4);
        let options = ExportOptions::with_weights(&weights);
        let onnx = model.export(GraphKind::Nll, &options).unwrap_or_else(|e| panic!("{e}"));
        let program = Program { name, onnx: &onnx, graph: None };
        let nats = run(&*engines()[2], &program, &[vec![("image", &images)]]).remove(0).remove(0).1;
        assert_eq!(nats.shape(), [4]);
        for nats in nats {
            let found = f64::from(nats) / (2f64.ln() * model.image().values() as f64);
            assert!((found / bits - 1.0).abs() < 0.05, "{name}: {found} bits per dimension");
        }
    }
}

/// Computed by hand from the logits: minus the sum of the log-probabilities.
fn by_hand(model: &Declaration, logits: &Array<f64>, images: &Array) -> Vec<f64> {
    let i = model.image();
    let mut all = Vec::new();
    for n in 0..images.shape()[0] {
        let mut nats = 0.0;
        for c in 0..i.colours {
            for y in 0..i.height {
                for x in 0..i.width {
                    let level = images[[n, c, y, x]] as usize;
                    let probability = if i.levels == 2 {
                        let one = 1.0 / (1.0 + (-logits[[n, c, y, x]]).exp());
                        if level == 1 { one } else { 1.0 - one }
                    } else {
                        let e = |l: usize| logits[[n, c, l, y, x].as_slice()].exp();
                        e(level) / (0..i.levels).map(e).sum::<f64>()
                    };
                    nats -= probability.ln();
                }
            }
        }
        all.push(nats);
    }
    all
}

#[test]
fn nll_is_what_the_logits_say() {
    for levels in [2, 3, 16] {
        for colours in [1, 3] {
            let list = [("h", 4), ("layers", 1), ("height", 3), ("width", 4)];
            let mut list = list.to_vec();
            list.extend([("levels", levels), ("colours", colours)]);
            let model = zoo("digits-row-lstm", &list);
            let images = Numbers::new(33).images(&model, 3);
            let mut inputs: std::collections::BTreeMap<String, Array<f64>> =
                weights(&model, 34).into_iter().map(|(n, a)| (n, a.mapv(f64::from))).collect();
            inputs.insert("image".into(), images.mapv(f64::from));
            let env = Env { batch: 3 };
            let logits = evaluate(model.graph(), &env, &inputs).expect("evaluates").remove(0);
            let nll = model.graph_of(GraphKind::Nll).expect("a graph");
            let nll = evaluate(&nll, &env, &inputs).expect("evaluates").remove(0);
            for (a, b) in by_hand(&model, &logits, &images).into_iter().zip(nll) {
                assert!((a - b).abs() < 1e-9, "{levels} levels, {colours} colours: {a} {b}");
            }
        }
    }
}

/// Logits far from zero do not overflow: a certain and correct model has a likelihood of one.
#[test]
fn large_logits() {
    for levels in [2, 5] {
        let list = [("h", 3), ("layers", 1), ("height", 3), ("width", 3), ("levels", levels)];
        let model = zoo("digits-pixelcnn", &list);
        let mut weights = model.initialize(1);
        weights.get_mut("logits.weight").expect("is there").fill(0.0);
        let bias = weights.get_mut("logits.bias").expect("is there");
        bias.fill(-1000.0);
        *bias.iter_mut().last().expect("an element") = 1000.0;
        let sure = Array::from_elem(vec![1, 1, 3, 3], levels as f32 - 1.0);
        let wrong = Array::zeros(vec![1, 1, 3, 3]);
        let options = ExportOptions::with_weights(&weights);
        let onnx = model.export(GraphKind::Nll, &options).unwrap_or_else(|e| panic!("{e}"));
        let program = Program { name: "large", onnx: &onnx, graph: None };
        for engine in &engines()[1..] {
            let calls = [vec![("image", &sure)], vec![("image", &wrong)]];
            let found = run(&**engine, &program, &calls);
            let [right, wrong] = [0, 1].map(|i| found[i][0].1[[0].as_slice()]);
            assert_eq!(right, 0.0, "{}", engine.name());
            let far = if levels == 2 { 9.0 * 1000.0 } else { 9.0 * 2000.0 };
            assert!((wrong - far).abs() < 0.01, "{}: {wrong}", engine.name());
        }
    }
}
