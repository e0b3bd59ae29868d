//! An interrupted and resumed run ends in the same state as an uninterrupted one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use pixelrnn_train::{Event, Observer, Reason, Recipe, Run};
use serde_json::Value;

use super::common::{bits, finish, go, recipe};

/// Stops a run after some steps.
struct After<'a>(u64, &'a AtomicBool);

impl Observer for After<'_> {
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Step { step, .. } if *step >= self.0) {
            self.1.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_resumed_run_ends_with_the_same_bits() {
    interrupted(&recipe(28));
}

#[test]
fn so_does_one_that_divides_its_batches() {
    interrupted(&Recipe { shards: 3, ..recipe(28) });
}

fn interrupted(recipe: &Recipe) {
    let folder = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    for path in [&whole, &parts] {
        std::fs::create_dir(path).unwrap();
    }
    let expected = finish(&whole, recipe);
    // Within an epoch, at its end, at a validation, and twice at the same step.
    for step in [3, 11, 15, 15, 22] {
        let stop = AtomicBool::new(false);
        let outcome = go(&parts, recipe, &mut After(step, &stop), &stop).unwrap();
        assert_eq!(outcome.reason, Reason::Stopped);
    }
    let found = finish(&parts, recipe);
    assert_eq!(bits(&whole), bits(&parts));
    assert_eq!(found.progress.best, expected.progress.best);
    assert!(expected.progress.best.is_some());
    assert_eq!((found.progress.step, found.reason), (28, Reason::Budget));
    // An interruption adds lines to the log, and changes none.
    let lines = |path: &Path| -> Vec<(Value, Value, Value)> {
        let log = std::fs::read_to_string(Run::new(path).log_path()).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines = lines.filter(|line| line["event"] == "step" || line["event"] == "validation");
        lines.map(|l| (l["event"].clone(), l["step"].clone(), l["nats"].clone())).collect()
    };
    let (whole, parts) = (lines(&whole), lines(&parts));
    assert!(whole.len() > 5, "{whole:?}");
    let missing: Vec<_> = whole.iter().filter(|line| !parts.contains(line)).collect();
    assert!(missing.is_empty(), "{missing:?} are not among {parts:?}");
}

#[test]
fn the_seed_of_the_data_matters() {
    // Different seeds must differ; otherwise the test above could not fail.
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    for path in [&one, &other] {
        std::fs::create_dir(path).unwrap();
    }
    finish(&one, &recipe(6));
    finish(&other, &recipe(7));
    assert_ne!(bits(&one), bits(&other));
}

#[test]
fn the_log_has_each_step_once() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { log_every: 1, ..recipe(12) };
    let stop = AtomicBool::new(false);
    go(folder.path(), &recipe, &mut After(6, &stop), &stop).unwrap();
    let run = Run::new(folder.path());
    // As if the run had been killed some steps after its last checkpoint, while it wrote a line.
    let mut log = std::fs::read_to_string(run.log_path()).unwrap();
    log.push_str("{\"event\":\"step\",\"step\":7,\"nats\":1.0}\n{\"event\":\"st");
    std::fs::write(run.log_path(), log).unwrap();
    finish(folder.path(), &recipe);
    let log = std::fs::read_to_string(run.log_path()).unwrap();
    let lines: Vec<Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let of = |event: &str| -> Vec<u64> {
        let lines = lines.iter().filter(|l| l["event"] == event);
        lines.map(|l| l["step"].as_u64().unwrap()).collect()
    };
    assert_eq!(of("step"), (1..=12).collect::<Vec<u64>>());
    assert_eq!(of("validation"), [5, 10, 12]);
    assert_eq!(of("start"), [0, 6]);
    assert!(lines.iter().all(|l| l["nats"] != 1.0));
}

#[test]
fn it_learns() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = finish(folder.path(), &recipe(200));
    let log = std::fs::read_to_string(Run::new(folder.path()).log_path()).unwrap();
    let nats = log.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    let nats: Vec<f64> =
        nats.filter(|l| l["event"] == "step").filter_map(|l| l["nats"].as_f64()).collect();
    let (first, last) = (nats[0], nats[nats.len() - 1]);
    assert!(last < 0.95 * first, "{first} to {last}");
    assert_eq!(outcome.steps_per_epoch, 12);
}

#[test]
fn patience_ends_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = recipe(1000);
    // The learning rate is too small to change anything, so no validation is better than the first.
    recipe.learning_rate = 1e-30;
    recipe.patience = Some(2);
    let outcome = finish(folder.path(), &recipe);
    assert_eq!((outcome.reason, outcome.progress.step), (Reason::Patience, 15));
}
