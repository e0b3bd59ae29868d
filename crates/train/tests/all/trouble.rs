//! Errors are reported, and no saved file is lost.

use std::sync::atomic::AtomicBool;

use pixelrnn_train::{Event, Observer, Recipe, TrainError, load};

use super::common::{finish, go, plain, recipe};

#[test]
fn a_loss_that_is_no_number_names_step_and_layer() {
    let folder = tempfile::tempdir().unwrap();
    let error = go(folder.path(), &plain(1e38), &mut (), &AtomicBool::new(false)).unwrap_err();
    let text = error.to_string();
    let TrainError::NotFinite { what, place, .. } = error else { panic!("{text}") };
    assert!((2..5).any(|step| what.ends_with(&format!("in step {step}"))), "{text}");
    assert!(place.contains('`'), "{text}");
    assert!(text.contains("--clip") && text.contains("Lower the learning rate"), "{text}");
    let (state, progress) = load(&folder.path().join("last.safetensors")).unwrap();
    assert!(state.values().flatten().all(|x| x.is_finite()));
    assert_eq!(progress.step, 0);
}

/// The weights are finite, but the likelihood is not.
#[test]
fn a_validation_that_is_no_number_is_never_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { validate_every: Some(1), ..plain(1e37) };
    let error = go(folder.path(), &recipe, &mut (), &AtomicBool::new(false)).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, TrainError::NotFinite { .. }), "{text}");
    assert!(text.contains("validation after step"), "{text}");
    let best = load(&folder.path().join("best.safetensors")).ok();
    assert!(best.is_none_or(|(_, progress)| progress.best.unwrap().nats.is_finite()));
    let (_, progress) = load(&folder.path().join("last.safetensors")).unwrap();
    assert!(progress.best.is_none_or(|best| best.nats.is_finite()));
}

#[test]
fn a_run_without_its_checkpoint_does_not_restart() {
    for lost in ["best.safetensors", "log.jsonl"] {
        let folder = tempfile::tempdir().unwrap();
        finish(folder.path(), &recipe(6));
        let read = |name: &str| std::fs::read(folder.path().join(name)).ok();
        std::fs::remove_file(folder.path().join("last.safetensors")).unwrap();
        // Either of the other files shows that there were steps.
        std::fs::remove_file(folder.path().join(lost)).unwrap();
        let before = ["best.safetensors", "log.jsonl"].map(read);
        let error = go(folder.path(), &recipe(9), &mut (), &AtomicBool::new(false)).unwrap_err();
        assert!(matches!(error, TrainError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("last.safetensors"), "{error}");
        assert_eq!(["best.safetensors", "log.jsonl"].map(read), before);
    }
}

/// Starts a second run in the same folder as soon as the first one reports a step.
#[cfg(unix)]
#[test]
fn a_folder_is_trained_in_once_at_a_time() {
    struct Second<'a>(&'a std::path::Path, Option<TrainError>);
    impl Observer for Second<'_> {
        fn event(&mut self, event: &Event) {
            if let Event::Step { step: 1, .. } = event {
                let stop = AtomicBool::new(false);
                self.1 = go(self.0, &recipe(3), &mut (), &stop).err();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut second = Second(folder.path(), None);
    go(folder.path(), &recipe(3), &mut second, &AtomicBool::new(false)).unwrap();
    assert!(matches!(second.1, Some(TrainError::Busy { .. })), "{:?}", second.1);
    // The folder is free again.
    go(folder.path(), &recipe(4), &mut (), &AtomicBool::new(false)).unwrap();
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let error = go(&gone, &plain(0.1), &mut (), &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(&error, TrainError::Io { path, .. } if path.starts_with(&gone)), "{error}");
}
