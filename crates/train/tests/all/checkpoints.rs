//! Checkpoints are read as they were written, or not at all.

use std::sync::atomic::AtomicBool;

use pixelrnn_data::Position;
use pixelrnn_graph::Array;
use pixelrnn_passes::Weights;
use pixelrnn_train::{Loss, Progress, Run, Score, TrainError, load, save};

use super::common::{finish, go, recipe};

fn progress() -> Progress {
    Progress {
        step: 7,
        position: Position { epoch: 2, step: 3 },
        seconds: 1.25,
        best: Some(Score { step: 5, nats: 0.1 + 0.2 }),
        since_best: 1,
        validated: Some(6),
        window: Loss { nats: 123.25, images: 32 },
    }
}

fn tensors() -> Weights {
    let mut weights = Weights::new();
    weights.insert("a.weight".into(), Array::from_elem(vec![2, 3], -0.0));
    weights.insert("b".into(), Array::from_elem(vec![1], f32::MIN_POSITIVE / 2.0));
    weights
}

#[test]
fn round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    save(&path, &tensors(), &progress()).unwrap();
    let (weights, found) = load(&path).unwrap();
    assert_eq!(found, progress());
    let bits = |w: &Weights| -> Vec<u32> { w.values().flatten().map(|x| x.to_bits()).collect() };
    assert_eq!(bits(&weights), bits(&tensors()));
    // The same content gives the same bytes.
    let first = std::fs::read(&path).unwrap();
    save(&path, &tensors(), &progress()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first);
}

#[test]
fn every_damaged_byte_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    save(&path, &tensors(), &progress()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        for bit in [1, 0x40] {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            std::fs::write(&path, bytes).unwrap();
            // White space in the header has no meaning.
            if let Ok((weights, found)) = load(&path) {
                assert_eq!((weights, found), (tensors(), progress()), "byte {at}");
                assert_eq!(whole[at] | 1, b' ' | 1, "byte {at}");
            }
        }
    }
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        assert!(matches!(load(&path), Err(TrainError::Damaged { .. })), "{end} bytes");
    }
}

#[test]
fn a_damaged_checkpoint_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    finish(folder.path(), &recipe(3));
    let path = Run::new(folder.path()).last_path();
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = go(folder.path(), &recipe(6), &mut (), &AtomicBool::new(false)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("last.safetensors") && text.contains("checksum"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}
