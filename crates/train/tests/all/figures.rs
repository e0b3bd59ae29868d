//! Tests of the reported results.

use pixelrnn_data::{Dataset, Spec, Split};
use pixelrnn_passes::{Optimizer, RULES, Weights};
use pixelrnn_runtime::BatchInputs;
use pixelrnn_runtime::{Engine, Precision, Program, ReferenceEngine};
use pixelrnn_train::{Budget, Recipe, Schedule, evaluate, load, old_fingerprints};

use super::common::{data, finish, model, recipe};

#[test]
fn every_image_weighs_the_same() {
    let model = model(&Optimizer::RMSPROP);
    let engine = ReferenceEngine { precision: Precision::Double };
    let program = Program { name: "tiny", onnx: &[], graph: Some(&model.nll) };
    let mut session = engine.load(&program).unwrap();
    let data = data();
    let count = data.images(Split::Train).unwrap().count();
    let inputs = BatchInputs::of(&model.nll).unwrap();
    let mut figures = |batch| {
        evaluate(&mut *session, &inputs, &model.weights, &data, Split::Train, batch, &mut |_| {})
            .unwrap()
    };
    let one = figures(1);
    // The last batch has fewer images than the others, so a mean of the batches' means would differ.
    for batch in [4, 5, 1000] {
        let found = figures(batch);
        assert_eq!(found.images, count);
        assert!((found.nats_per_image - one.nats_per_image).abs() < 1e-9, "{found:?}, {one:?}");
    }
    assert!(!count.is_multiple_of(4) && !count.is_multiple_of(5));
    let bits = one.nats_per_image / std::f64::consts::LN_2 / 16.0;
    assert!((one.bits_per_dim - bits).abs() < 1e-12);
}

#[test]
fn averages_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(10);
    let outcome = finish(folder.path(), &recipe);
    let (state, _) = load(&folder.path().join("last.safetensors")).unwrap();
    let (best, progress) = load(&folder.path().join("best.safetensors")).unwrap();
    assert_eq!(progress.step, 10);
    let average = |name: &String| state[&format!("{name}.ema")].clone();
    let expected: Weights = best.keys().map(|name| (name.clone(), average(name))).collect();
    assert_eq!(best, expected);
    assert_ne!(best["stem.weight"], state["stem.weight"]);
    let model = model(&recipe.optimizer);
    let program = Program { name: "tiny", onnx: &[], graph: Some(&model.nll) };
    let engine = ReferenceEngine { precision: Precision::Single };
    let mut session = engine.load(&program).unwrap();
    let inputs = BatchInputs::of(&model.nll).unwrap();
    let figures =
        evaluate(&mut *session, &inputs, &best, &data(), Split::Valid, 3, &mut |_| {}).unwrap();
    let nats = outcome.validation.unwrap().nats;
    assert!((figures.nats_per_image - nats).abs() < 1e-5);
}

#[test]
fn an_untrained_model_of_digits_knows_next_to_nothing() {
    let spec: Spec = "digits,levels=2,size=4x4".parse().unwrap();
    let data = spec.load(0).unwrap();
    let model = model(&Optimizer::RMSPROP);
    let zero: Weights = model.weights.iter().map(|(n, a)| (n.clone(), a.mapv(|_| 0.0))).collect();
    let program = Program { name: "tiny", onnx: &[], graph: Some(&model.nll) };
    let mut session = ReferenceEngine::default().load(&program).unwrap();
    let inputs = BatchInputs::of(&model.nll).unwrap();
    let figures =
        evaluate(&mut *session, &inputs, &zero, &data, Split::Test, 64, &mut |_| {}).unwrap();
    assert!((figures.bits_per_dim - 1.0).abs() < 1e-6, "{figures:?}");
    assert_eq!(figures.images, 297);
}

#[test]
fn schedules() {
    let cosine = Schedule { warm_up: 4, ..Schedule::cosine(0.2) };
    assert_eq!(cosine.factor(0, 0.0), 0.25);
    assert_eq!(cosine.factor(10, 1.0), 0.2);
    assert!((cosine.factor(10, 0.5) - 0.6).abs() < 1e-12);
    assert_eq!(Schedule::linear(0.0).factor(0, 0.25), 0.75);
    assert_eq!(Schedule::CONSTANT.factor(9, 0.9), 1.0);
    for text in ["constant", "linear", "cosine", "cosine:0.1"] {
        assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
    }
    for wrong in ["", "cosin", "cosine:", "cosine:2", "cosine:NaN", "constant:0.1", "linear:-1"] {
        assert!(wrong.parse::<Schedule>().is_err(), "{wrong}");
    }
}

#[test]
fn recipes_read_back() {
    let mut all = recipe(3);
    for &rule in RULES {
        for budget in [Budget::Steps(3), Budget::Epochs(2), Budget::Minutes(0.5)] {
            let Optimizer { clip, ema, .. } = all.optimizer;
            all.optimizer = Optimizer { clip, ema, ..Optimizer::new(rule) };
            all.optimizer.settings[0] = 0.25;
            all.budget = budget;
            all.patience = Some(3);
            all.shards = 3;
            let mut json = all.json();
            assert_eq!(Recipe::from_json(&json), Ok(all.clone()));
            // The format of runs before there were shards.
            json.as_object_mut().unwrap().remove("shards");
            assert_eq!(Recipe::from_json(&json), Ok(Recipe { shards: 1, ..all.clone() }));
        }
    }
    assert!(Recipe::from_json(&serde_json::json!({})).is_err());
    let good = all.json();
    let wrong = [
        ("lr", serde_json::json!(0)),
        ("lr", serde_json::json!(-1e-3)),
        ("clip", serde_json::json!(0.0)),
        ("ema", serde_json::json!(1.0)),
        ("batch", serde_json::json!(0)),
        ("batch", serde_json::json!(65536)),
        ("shards", serde_json::json!(0)),
        ("shards", serde_json::json!(1000)),
        ("budget", serde_json::json!({ "steps": 0 })),
        ("budget", serde_json::json!({ "minutes": -1.0 })),
        ("validate_every", serde_json::json!(0)),
        ("patience", serde_json::json!(0)),
        ("checkpoint_every", serde_json::json!(-1.0)),
    ];
    for (name, value) in wrong {
        let mut json = good.clone();
        json[name] = value;
        let error = Recipe::from_json(&json).expect_err(name);
        assert!(error.contains(name), "{name}: {error}");
    }
}

#[test]
fn other_images_have_another_fingerprint() {
    let load = |spec: &str| spec.parse::<Spec>().unwrap().load(0).unwrap();
    let both = |data: &Dataset| [data.fingerprint(), old_fingerprints(data).unwrap()[1].clone()];
    let of = |spec: &str| both(&load(spec));
    let digits = of("digits");
    assert_eq!(of("digits"), digits);
    let others = ["digits,limit=1499", "digits,levels=2", "digits,size=4x4"].map(of);
    let held = both(&load("digits").hold_out());
    for (new, old) in others.iter().chain([&held]).map(|[new, old]| (new, old)) {
        assert!(*new != digits[0] && *old != digits[1]);
    }
    // The split of older versions, which did not shuffle. Old runs identify their images by it.
    let before = load("digits,shuffle=off").hold_out();
    let known = "22df138a91e5fe5e99cb3e9385eb93a3c529ddf10dcdc3fb6a326a6ffb570ef0";
    assert_eq!(old_fingerprints(&before).unwrap()[1], known);
}
