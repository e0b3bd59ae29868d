//! What goes wrong is said, and costs nothing that was saved.

use std::sync::atomic::AtomicBool;

use pixelrnn_train::{TrainError, files, load};

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

#[test]
fn a_file_that_cannot_be_made_is_an_error_without_a_name_drawn_by_chance() {
    let folder = tempfile::tempdir().unwrap();
    let error = files::write(&folder.path().join("gone").join("x"), b"x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    let text = error.to_string();
    assert!(!text.contains("unfinished") && !text.contains("gone"), "{text}");
    // What a writer left that was killed goes; anything else stays.
    std::fs::write(folder.path().join(".unfinished-x1"), "").unwrap();
    std::fs::write(folder.path().join("kept"), "").unwrap();
    files::sweep(folder.path()).unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap()).collect();
    assert_eq!(left.iter().map(|e| e.file_name()).collect::<Vec<_>>(), ["kept"]);
}
