//! Runs that start from given weights, that diverge, or whose files have changed.

use std::path::Path;

use serde_json::Value;

use crate::run::{Ran, run_in};

const DATA: &str = "digits,limit=90,size=4x4";
const SIZE: [&str; 6] = ["--set", "height=4", "--set", "width=4", "--set", "layers=1"];

fn train(folder: &Path, model: &[&str], out: &str, more: &[&str]) -> Ran {
    let rest = ["--engine=tract", "--data", DATA, "--seed", "3", "-q", "--out", out];
    run_in(folder, &[&["train"], model, &rest, more].concat())
}

/// Trains 12 steps into the folder `run`.
fn trained(folder: &Path) {
    let model = [&["digits-diagonal", "--set", "h=4"][..], &SIZE].concat();
    let ran =
        train(folder, &model, "run", &["--steps", "12", "--optimizer", "adam", "--lr", "0.01"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

fn settings(folder: &Path, run: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(run).join("run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn first_loss(folder: &Path, run: &str) -> f64 {
    let log = std::fs::read_to_string(folder.join(run).join("log.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut steps = lines.filter(|line| line["event"] == "step");
    steps.next().unwrap()["nats"].as_f64().unwrap()
}

#[test]
fn a_new_run_starts_from_the_weights_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    trained(path);
    let model = [&["digits-diagonal", "--set", "h=4"][..], &SIZE].concat();
    let one = ["--steps", "1", "--lr", "1e-6"];
    let best = ["--weights", "run/best.safetensors"];
    for (model, out, more) in [
        (&["run"][..], "tuned", &one[..]),
        (&model, "from-run", &[&one[..], &["--weights", "run"]].concat()),
        (&model, "from-file", &[&one[..], &best].concat()),
        (&model, "fresh", &one),
    ] {
        let ran = train(path, model, out, more);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{out}");
    }
    let losses = ["tuned", "from-run", "from-file", "fresh"].map(|run| first_loss(path, run));
    assert!(losses[0] == losses[1] && losses[0] == losses[2], "{losses:?}");
    assert!(losses[0] < 0.95 * losses[3], "{losses:?}");
    // The origin of the weights is still recorded after the run was resumed.
    let origin = settings(path, "tuned")["initial_weights"].clone();
    assert_eq!(origin["file"], "run/best.safetensors");
    assert_eq!(origin["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(settings(path, "fresh")["initial_weights"], Value::Null);
    let resume = ["train", "--resume", "--engine=tract", "-q", "--out", "tuned", "--steps", "2"];
    assert_eq!(run_in(path, &resume).code, 0);
    assert_eq!(settings(path, "tuned")["initial_weights"], origin);
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name_and_shape() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    trained(path);
    for (model, more) in [
        (&["run", "--set", "h=6"][..], &[][..]),
        (&[&["digits-diagonal", "--set", "h=6"][..], &SIZE].concat(), &["--weights", "run"]),
    ] {
        let ran = train(path, model, "out", &[&["--steps", "1"], more].concat());
        assert_eq!(ran.code, 2, "{}", ran.err);
        for part in ["run/best.safetensors do not fit", "`stem.weight`", "[8, 1, ", "[12, 1, "] {
            assert!(ran.err.contains(part), "{part}: {}", ran.err);
        }
        assert!(!path.join("out").exists());
    }
    let other = [&["digits-row-lstm", "--set", "h=4"][..], &SIZE].concat();
    let ran = train(path, &other, "out", &["--steps", "1", "--weights", "run"]);
    assert!(ran.code == 2 && ran.err.contains("do not fit DigitsRowLstm"), "{}", ran.err);
    let ran = train(path, &["run"], "run", &["--resume", "--weights", "run"]);
    assert!(ran.code == 2 && ran.err.contains("cannot be used with"), "{}", ran.err);
    let ran = train(path, &["run"], "out", &["--steps", "0"]);
    assert!(ran.code == 2 && ran.err.contains("at least 1"), "{}", ran.err);
}

#[test]
fn a_run_that_diverges_says_so_and_keeps_its_last_good_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    trained(path);
    let more = ["--steps", "40", "--lr", "10", "--optimizer", "rmsprop", "--json"];
    let ran = train(path, &["run"], "wild", &more);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let object: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(object["reason"], "diverged");
    // The loss of an untrained model with sixteen pixels of 17 levels is 16 ln 17.
    assert!(object["loss"].as_f64().unwrap() > 2.0 * 16.0 * f64::ln(17.0), "{object}");
    let eval = ["eval", "run", "--engine=tract", "-q", "--json", "--split", "valid"];
    let nats = |weights: &str| {
        let ran = run_in(path, &[&eval[..], &["--weights", weights]].concat());
        let object: Value = serde_json::from_str(&ran.out).unwrap();
        object["nats_per_image"].as_f64().unwrap()
    };
    assert_eq!(nats("wild/last.safetensors"), nats("run/best.safetensors"));
    let ran = train(path, &["run"], "words", &more[..6]);
    assert_eq!(ran.code, 1, "{}", ran.err);
}

#[test]
fn a_lost_best_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    trained(path);
    std::fs::remove_file(path.join("run/best.safetensors")).unwrap();
    let eval = ["eval", "run", "--engine=tract", "-q"];
    let ran = run_in(path, &eval);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("best.safetensors") && ran.err.contains("--weights"), "{}", ran.err);
    let last = [&eval[..], &["--weights", "run/last.safetensors"]].concat();
    assert_eq!(run_in(path, &last).code, 0);
    let resume = ["train", "--resume", "--engine=tract", "--out", "run", "--steps", "18"];
    let ran = run_in(path, &resume);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("warning: best.safetensors is missing"), "{}", ran.err);
    assert!(path.join("run/best.safetensors").is_file());
}

#[test]
fn a_run_is_not_scored_on_other_images_of_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    trained(path);
    for (place, seed) in [("here", "1"), ("there", "2")] {
        std::fs::create_dir(path.join(place)).unwrap();
        let file = format!("{place}/some.npy");
        let all =
            ["sample", "run", "-n", "40", "--engine=tract", "-q", "--seed", seed, "-o", &file];
        assert_eq!(run_in(path, &all).code, 0);
    }
    let model = [&["digits-diagonal", "--set", "h=4"][..], &SIZE].concat();
    let data = ["--data", "npy:some.npy,levels=17", "--steps", "1", "--out", "run", "-q"];
    let here = path.join("here");
    let ran = run_in(&here, &[&["train", "--engine=tract"], &model[..], &data].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let eval = ["eval", "../here/run", "--engine=tract", "-q", "--split", "valid"];
    let there = path.join("there");
    let ran = run_in(&there, &eval);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    assert!(ran.err.contains("have changed") && ran.err.contains("--data"), "{}", ran.err);
    let explicit = [&eval[..], &["--data", "npy:some.npy,levels=17"]].concat();
    assert_eq!(run_in(&there, &explicit).code, 0);
    let home = ["eval", "run", "--engine=tract", "-q", "--split", "valid"];
    assert_eq!(run_in(&here, &home).code, 0);
    // Four of the 40 images are for validation, whether the run's images are used or the same ones
    // are given.
    let counted = |more: &[&str]| {
        let all = ["eval", "run", "--engine=tract", "-q", "--json", "--split", "train"];
        let ran = run_in(&here, &[&all[..], more].concat());
        serde_json::from_str::<Value>(&ran.out).unwrap()["images"].clone()
    };
    assert_eq!(counted(&[]), 36);
    assert_eq!(counted(&["--data", "npy:some.npy,levels=17"]), 36);
}

/// Invalid settings in an edited run are errors that name them; they are not ignored.
#[test]
fn wrong_settings_of_a_run_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    trained(path);
    for value in [Value::from("4"), Value::from(-4), Value::from(4.5), Value::Null] {
        let mut object = settings(path, "run");
        object["model"]["settings"]["h"] = value;
        std::fs::write(path.join("run/run.json"), object.to_string()).unwrap();
        let ran = run_in(path, &["eval", "run", "--engine=tract", "-q"]);
        assert_eq!(ran.code, 2, "{}", ran.out);
        assert!(ran.err.contains("run.json: `model.settings.h` is"), "{}", ran.err);
    }
}

/// Files of a run are not written through links.
#[cfg(unix)]
#[test]
fn files_of_a_run_are_not_written_through_links() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    trained(path);
    let resume = ["train", "--resume", "--engine=tract", "-q", "--out", "run", "--steps", "18"];
    for name in ["log.jsonl", "last.safetensors", "best.safetensors", "run.json", "curve.png"] {
        let (inside, outside) = (path.join("run").join(name), path.join(format!("kept-{name}")));
        std::fs::rename(&inside, &outside).unwrap();
        std::os::unix::fs::symlink(&outside, &inside).unwrap();
        let before = std::fs::read(&outside).unwrap();
        let ran = run_in(path, &resume);
        assert_eq!(ran.code, 2, "{name}: {}", ran.err);
        assert!(ran.err.contains(name) && ran.err.contains("it is a link"), "{}", ran.err);
        assert_eq!(std::fs::read(&outside).unwrap(), before, "{name}");
        std::fs::remove_file(&inside).unwrap();
        std::fs::rename(&outside, &inside).unwrap();
        // Restore the run for the next case.
        std::fs::remove_dir_all(path.join("run")).unwrap();
        trained(path);
    }
}
