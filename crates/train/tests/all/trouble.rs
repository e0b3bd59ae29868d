//! What goes wrong is said, and costs nothing that was saved.

use std::sync::atomic::AtomicBool;

use pixelrnn_train::{TrainError, load};

use super::common::{go, plain};

#[test]
fn a_loss_that_is_no_number_names_step_and_layer() {
    let folder = tempfile::tempdir().unwrap();
    let error = go(folder.path(), &plain(1e38), &mut (), &AtomicBool::new(false)).unwrap_err();
    let text = error.to_string();
    let TrainError::NotFinite { step, place, .. } = error else { panic!("{text}") };
    assert!((2..5).contains(&step), "{text}");
    assert!(place.contains('`'), "{text}");
    assert!(text.contains("--clip") && text.contains("lower learning rate"), "{text}");
    let (state, progress) = load(&folder.path().join("last.safetensors")).unwrap();
    assert!(state.values().flatten().all(|x| x.is_finite()));
    assert_eq!(progress.step, 0);
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let error = go(&gone, &plain(0.1), &mut (), &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(&error, TrainError::Io { path, .. } if path.starts_with(&gone)), "{error}");
}
