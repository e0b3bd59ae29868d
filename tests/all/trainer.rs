//! Training in one call: what a new run needs, and what may change when a run is resumed.

use std::path::Path;

use pixelrnn::runtime::EngineKind;
use pixelrnn::training::{Budget, Schedule, TrainError, Trainer, checkpoint_weights};
use pixelrnn::{Declaration, Error, Optimizer};

const DATA: &str = "digits,limit=40,size=4x4";

fn model(h: usize) -> Declaration {
    let set = [("height", 4), ("width", 4), ("layers", 1), ("h", h)];
    let set = set.map(|(name, n)| (name.to_string(), n));
    pixelrnn::zoo::find("digits-pixelcnn").unwrap().declare(&set).unwrap()
}

fn begin(folder: &Path) -> Trainer {
    Trainer::new(folder)
        .model(&model(4))
        .data(DATA)
        .optimizer(Optimizer::ADAM.with("beta1", 0.8).unwrap())
        .schedule(Schedule { warm_up: 2, ..Schedule::CONSTANT })
        .ema(0.9)
        .seed(3)
        .engine(EngineKind::Tract)
}

fn go_on(folder: &Path) -> Trainer {
    Trainer::new(folder).resume().engine(EngineKind::Tract)
}

fn refused(trainer: Trainer) -> String {
    trainer.prepare().err().expect("an error").to_string()
}

#[test]
fn a_run_goes_on_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    let all = begin(&whole).steps(9).train().unwrap();
    begin(&parts).steps(4).train().unwrap();
    // Model and images may be given again if they are the same.
    let rest = go_on(&parts).model(&model(4)).data(DATA).steps(9).train().unwrap();
    assert_eq!((all.outcome.progress.step, rest.outcome.steps), (9, 5));
    assert!(all.weights == rest.weights);
    let last =
        |run: &pixelrnn::training::Run| checkpoint_weights(&run.last_path(), &model(4)).unwrap();
    assert!(last(&all.run) == last(&rest.run));
    assert!(model(4).check_weights(&all.weights).is_ok());

    // Fine-tuning: starts from the folder of a run, or from given weights.
    let tuned = folder.path().join("tuned");
    let from = begin(&tuned).initial_file(&whole).steps(1).prepare().unwrap();
    drop(from);
    assert!(!tuned.exists(), "`prepare` writes nothing");
    begin(&tuned).initial_weights(all.weights.clone()).steps(1).train().unwrap();
    let wrong = begin(&folder.path().join("wrong")).model(&model(5));
    assert!(refused(wrong.initial_weights(all.weights).steps(1)).contains("do not fit"));
}

#[test]
fn what_a_new_run_needs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    assert!(refused(Trainer::new(&path).data(DATA).steps(1)).contains("missing model"));
    assert!(refused(Trainer::new(&path).model(&model(4)).steps(1)).contains("missing images"));
    assert!(refused(begin(&path)).contains("budget"));
    assert!(refused(begin(&path).epochs(0)).contains("budget"));
    assert!(refused(begin(&path).steps(1).batch(4).shards(5)).contains("the batch size, 4"));
    assert!(refused(begin(&path).steps(1).learning_rate(-1.0)).contains("`lr`"));
    assert!(refused(begin(&path).steps(1).data("digits,limit=x")).contains("limit"));
    assert!(refused(begin(&path).steps(1).data("digits")).contains("4 x 4"));
    assert!(refused(go_on(&path).steps(1)).contains("contains no run"));
    assert!(!path.exists());
}

#[test]
fn what_a_run_that_goes_on_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    begin(&path).steps(1).train().unwrap();
    let again = begin(&path).steps(2).prepare().err().unwrap();
    assert!(matches!(again, Error::Train(TrainError::Exists { .. })), "{again}");
    for (trainer, text) in [
        (go_on(&path).batch(8), "the batch from 16 to 8"),
        (go_on(&path).seed(4), "the seed from 3 to 4"),
        (go_on(&path).ema(0.99), "from 0.9 to 0.99"),
        (go_on(&path).optimizer(Optimizer::SGD), "the optimizer from adam to sgd"),
        (go_on(&path).model(&model(5)), "the model from"),
        (go_on(&path).data("digits,limit=41,size=4x4"), "have changed"),
        (go_on(&path).patience(0), "`patience`"),
    ] {
        let error = refused(trainer);
        assert!(error.contains(text), "{text}: {error}");
    }
    let other = Optimizer::ADAM.with("beta2", 0.9).unwrap();
    assert!(refused(go_on(&path).optimizer(other)).contains("beta2"));
    let weights = model(4).initialize(0);
    assert!(refused(go_on(&path).initial_weights(weights)).contains("checkpoint"));
    // Settings on which the state does not depend may change, and keep their new values.
    let schedule = Schedule::cosine(0.5);
    go_on(&path).steps(2).learning_rate(0.5e-3).schedule(schedule).clip(2.0).train().unwrap();
    let later = go_on(&path).prepare().unwrap();
    let recipe = later.recipe();
    assert_eq!((recipe.learning_rate, recipe.schedule), (0.5e-3, schedule));
    assert_eq!((recipe.optimizer.clip, recipe.budget), (Some(2.0), Budget::Steps(2)));
    assert_eq!(recipe.optimizer.settings()[0], 0.8);
}

#[test]
fn names_are_parsed_and_printed() {
    use pixelrnn::sampling::SampleMethod;
    use pixelrnn::training::data::Split;
    use pixelrnn::{ControlFlow, Dtype, GraphKind, ImageLayout, UnknownName};
    fn both<T>(all: &[T])
    where
        T: std::str::FromStr<Err = UnknownName> + std::fmt::Display + PartialEq + std::fmt::Debug,
    {
        for value in all {
            assert_eq!(&value.to_string().parse::<T>().unwrap(), value);
        }
        let error = "nothing".parse::<T>().unwrap_err().to_string();
        assert!(error.contains("`nothing`") && error.contains(&all[0].to_string()), "{error}");
    }
    both(&GraphKind::ALL);
    both(&Dtype::ALL);
    both(&ControlFlow::ALL);
    both(&ImageLayout::ALL);
    both(&EngineKind::ALL);
    both(&SampleMethod::ALL);
    both(&Split::ALL);
    assert_eq!("adamw".parse::<Optimizer>(), Ok(Optimizer::ADAMW));
    let error = Optimizer::SGD.with("beta1", 0.5).unwrap_err().to_string();
    assert!(error.contains("momentum"), "{error}");
}

#[test]
fn errors_have_sources() {
    use std::error::Error as _;
    let error = Declaration::from_file(Path::new("no/such/file.pixelrnn"), &[]).unwrap_err();
    let source = error.source().expect("the error of the system");
    assert!(source.downcast_ref::<std::io::Error>().is_some(), "{source}");
    let weights = pixelrnn::Weights::new();
    let options = pixelrnn::ExportOptions::with_weights(&weights);
    let error = model(4).export(pixelrnn::GraphKind::Nll, &options).unwrap_err();
    assert!(error.source().is_some(), "{error}");
}
