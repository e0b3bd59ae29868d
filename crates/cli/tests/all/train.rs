//! `train`, `eval` and `sample`: from images to a run folder, and from there to losses and images.

use std::path::Path;
use std::time::{Duration, Instant};

use pixelrnn::training::{Run, checkpoint_weights, model_of};
use serde_json::Value;

use crate::run::{Ran, bad, command, names, run_in};

/// Small digits, so that a step takes milliseconds on any engine.
const DATA: &str = "digits,limit=90,size=4x4";
const MODEL: [&str; 11] = [
    "train",
    "digits-diagonal",
    "--set",
    "height=4",
    "--set",
    "width=4",
    "--set",
    "layers=1",
    "--set",
    "h=12",
    "--engine=tract",
];

fn train(folder: &Path, out: &str, more: &[&str]) -> Ran {
    let all = [&MODEL[..], &["--data", DATA, "--seed", "3", "--out", out, "-q"], more].concat();
    run_in(folder, &all)
}

fn resume<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "--resume", "--engine=tract", "-q", "--out", out], more].concat()
}

fn good(ran: &Ran) -> &str {
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    &ran.out
}

const FILES: [&str; 6] = [
    "best.safetensors",
    "curve.png",
    "last.safetensors",
    "log.jsonl",
    "model.pixelrnn",
    "run.json",
];

#[test]
fn from_images_to_figures_and_samples() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let ran =
        train(path, "run", &["--epochs", "3", "--json", "--optimizer", "adam", "--lr", "0.01"]);
    let object: Value = serde_json::from_str(good(&ran)).unwrap();
    // 81 of the 90 images are for training, in 6 batches.
    assert_eq!((&object["reason"], &object["step"]), (&"budget".into(), &18.into()), "{object}");
    assert_eq!(names(&path.join("run")), FILES);
    let log = std::fs::read_to_string(path.join("run/log.jsonl")).unwrap();
    let lines: Vec<Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let nats: Vec<f64> = lines
        .iter()
        .filter(|l| l["event"] == "validation")
        .map(|l| l["nats"].as_f64().unwrap())
        .collect();
    // For sixteen pixels of 17 levels, an untrained model has 16 ln 17 = 45.3 nats.
    assert!(nats.len() == 3 && nats[2] < nats[0] && nats[2] < 45.0, "{nats:?}");

    let eval = |more: &[&str]| {
        let all = [&["eval", "run", "--split", "test", "--engine=tract", "-q", "--json"], more];
        serde_json::from_str::<Value>(good(&run_in(path, &all.concat()))).unwrap()
    };
    let figures = eval(&[]);
    let per_image = figures["nats_per_image"].as_f64().unwrap();
    let per_dim = figures["bits_per_dim"].as_f64().unwrap();
    assert!((per_dim - per_image / 16.0 / f64::ln(2.0)).abs() < 1e-9, "{figures}");
    // The result does not depend on the batch size, even if the last batch is smaller.
    let others = eval(&["--batch", "7"])["nats_per_image"].as_f64().unwrap();
    assert!((others - per_image).abs() < 1e-4, "{others} {per_image}");

    let sample = |name: &str, more: &[&str]| {
        let all =
            [&["sample", "run", "-n", "3", "--engine=tract", "-q", "-o", name], more].concat();
        good(&run_in(path, &all));
        std::fs::read(path.join(name)).unwrap()
    };
    let first = sample("a.npy", &["--seed", "5"]);
    assert_eq!(sample("b.npy", &["--seed", "5"]), first);
    assert_eq!(sample("c.npy", &["--seed", "5", "--method", "naive"]), first);
    assert_ne!(sample("d.npy", &["--seed", "6"]), first);
    let levels = &first[first.len() - 3 * 16..];
    assert!(levels.iter().all(|&level| level < 17) && levels.iter().any(|&l| l > 0), "{levels:?}");
    let grid = sample("e.PNG", &["--complete", DATA, "--keep-rows", "2", "--completions", "2"]);
    assert_eq!(&grid[..4], b"\x89PNG");

    // Images of the user, which have no test split.
    let complete = |name: &str, completions: &str, seed: &str| {
        let own = ["--complete", "npy:a.npy,levels=17", "--keep-rows", "2"];
        let bytes =
            sample(name, &[&own[..], &["--completions", completions, "--seed", seed]].concat());
        bytes[bytes.len() - 48 * completions.parse::<usize>().unwrap()..].to_vec()
    };
    let (one, two) = (complete("f.npy", "1", "1"), complete("g.npy", "2", "1"));
    for image in 0..3 {
        let kept = &levels[16 * image..16 * image + 8];
        let of = |all: &[u8], place: usize| all[16 * place..16 * place + 16].to_vec();
        assert_eq!(&of(&one, image)[..8], kept);
        assert_eq!(&of(&two, 2 * image + 1)[..8], kept);
        assert_eq!(of(&one, image), of(&two, 2 * image), "one more changes nothing");
    }
    assert_ne!(complete("h.npy", "1", "2"), one);

    // Without `--engine`, tract is used if ONNX Runtime is not available, with a warning.
    let ran = run_in(path, &["eval", "run", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("warning") && ran.out.contains("\"tract\""), "{}{}", ran.out, ran.err);
}

#[test]
fn what_cannot_be_written_is_said_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for output in ["gone/a.png", "."] {
        // This would run for minutes if it started.
        let name = if output == "." { "folder.png" } else { output };
        if output == "." {
            std::fs::create_dir(path.join(name)).unwrap();
        }
        let arguments =
            ["sample", "cifar-diagonal", "--engine=tract", "--method", "naive", "-o", name];
        let start = Instant::now();
        let ran = run_in(path, &arguments);
        assert!(ran.code == 2 && ran.err.contains(name), "{}", ran.err);
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let more = ["--steps", "120", "--ema", "0.9", "--checkpoint-every", "0.001"];
    good(&train(path, "whole", &more));
    let first = [&MODEL[..], &["--data", DATA, "--seed", "3", "--out", "killed", "-q"], &more];
    let first = first.concat();
    let last = path.join("killed/last.safetensors");
    let mut kills = 0;
    for i in 0..20 {
        let arguments = if i == 0 { first.clone() } else { resume("killed", &[]) };
        let mut child = command(path, &arguments).spawn().unwrap();
        // Checkpoints are written continuously. The program is killed at different moments after a
        // new one, so that sometimes the next is being written.
        let before = std::fs::read(&last).ok();
        let deadline = Instant::now() + Duration::from_secs(60);
        while child.try_wait().unwrap().is_none()
            && std::fs::read(&last).ok() == before
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_micros(300));
        }
        std::thread::sleep(Duration::from_micros(700 * i));
        child.kill().unwrap();
        kills += usize::from(!child.wait().unwrap().success());
    }
    assert!(kills > 3, "only {kills} of 20 were killed");
    good(&run_in(path, &resume("killed", &[])));
    assert_eq!(names(&path.join("killed")), FILES, "nothing else is left");
    let weights = |name: &str, file: &str| {
        let run = Run::new(path.join(name));
        let model = model_of(&run, &[]).unwrap();
        checkpoint_weights(&run.folder().join(file), &model).unwrap()
    };
    for file in ["last.safetensors", "best.safetensors"] {
        assert!(weights("whole", file) == weights("killed", file), "{file}");
    }
}

/// A limit on the file size simulates a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    good(&train(path, "run", &["--steps", "3"]));
    let last = path.join("run/last.safetensors");
    let before = std::fs::read(&last).unwrap();
    assert!(before.len() > 40_000, "{}", before.len());
    let program = env!("CARGO_BIN_EXE_pixelrnn");
    let script = format!("trap '' XFSZ; ulimit -f 32; exec {program} \"$@\"");
    let arguments = resume("run", &["--steps", "6"]);
    let mut shell = command(path, &[]);
    let environment: Vec<_> =
        shell.get_envs().map(|(k, v)| (k.to_owned(), v.map(|v| v.to_owned()))).collect();
    shell = std::process::Command::new("/bin/sh");
    shell.current_dir(path).args(["-c", &script, "sh"]).args(&arguments);
    for (name, value) in environment {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output = shell.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains(".safetensors: File too large") && !error.contains("unfinished"),
        "{error}"
    );
    assert_eq!(std::fs::read(&last).unwrap(), before);
    let left = names(&path.join("run"));
    assert!(left.iter().all(|name| FILES.contains(&name.as_str())), "{left:?}");
    // With enough space again, the run continues.
    good(&run_in(path, &resume("run", &["--steps", "6"])));
}

#[test]
fn what_cannot_be_trained_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("file"), "").unwrap();
    let ran = train(path, "file", &["--steps", "3"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("file"), "{}", ran.err);
    let ran = train(path, "run", &[]);
    assert!(ran.err.contains("--steps"), "{}", ran.err);
    assert_eq!(names(path), ["file"]);
    let wrong = bad(&["train", "mnist-diagonal", "--data", "digits", "--steps", "1", "--out", "r"]);
    assert!(wrong.contains("28 x 28") && wrong.contains("8 x 8"), "{wrong}");
}

#[test]
fn a_run_goes_on_as_it_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    good(&train(path, "run", &["--steps", "2"]));
    let ran = train(path, "run", &["--steps", "4"]);
    assert!(ran.code == 2 && ran.err.contains("--resume"), "{}", ran.err);
    for (more, word) in [
        (["--batch", "8"], "batch from 16 to 8"),
        (["--seed", "8"], "seed from 3 to 8"),
        (["--shards", "2"], "shards from 1 to 2"),
        (["--optimizer", "sgd"], "rmsprop"),
    ] {
        let ran = run_in(path, &resume("run", &more));
        assert!(ran.code == 2 && ran.err.contains(word), "{word}: {}", ran.err);
    }
    let ran = run_in(path, &resume("nothing", &[]));
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = run_in(path, &resume("run", &["--set", "h=4"]));
    assert_eq!(ran.code, 2, "{}", ran.err);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let ran = train(path, "run", &["--steps", "1", "--shards", "17"]);
    assert!(ran.code == 2 && ran.err.contains("the batch size, 16"), "{}", ran.err);
    for option in ["--cuda-graph", "--tf32"] {
        let ran = train(path, "run", &["--steps", "1", option]);
        assert!(ran.code == 2 && ran.err.contains("needs `--engine ort-cuda`"), "{}", ran.err);
    }
    good(&train(path, "drawn", &["--steps", "1"]));
    // Too few images to hold out validation images.
    let of =
        [&["sample", "drawn", "-n", "4", "--engine=tract", "-q", "-o", "few.npy"][..]].concat();
    good(&run_in(path, &of));
    let few = |out, more: &[&str]| {
        let data = ["--data", "npy:few.npy,levels=17", "--steps", "1", "--out", out];
        run_in(path, &[&MODEL[..], &data, more].concat())
    };
    let ran = few("patient", &["--patience", "3"]);
    assert!(ran.code == 2 && ran.err.contains("--patience"), "{}", ran.err);
    let ran = few("short", &[]);
    assert!(ran.code == 0 && ran.out.contains("last.safetensors: the weights"), "{}", ran.out);
    assert!(!ran.out.contains("best.safetensors") && !ran.out.contains("eval"), "{}", ran.out);
    assert!(path.join("short/curve.png").exists() || ran.out.contains("1 step"));
}

/// Other images under the old name are detected. The same images under another name are accepted.
#[test]
fn a_run_keeps_its_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    good(&train(path, "first", &["--steps", "1"]));
    for (name, seed) in [("some.npy", "1"), ("other.npy", "2")] {
        let all = ["sample", "first", "-n", "40", "--engine=tract", "-q", "-o", name];
        good(&run_in(path, &[&all[..], &["--seed", seed]].concat()));
    }
    let data = ["--data", "npy:some.npy,levels=17", "--steps", "2", "--out", "run", "-q"];
    good(&run_in(path, &[&MODEL[..], &data].concat()));
    std::fs::rename(path.join("some.npy"), path.join("kept.npy")).unwrap();
    let before = std::fs::read(path.join("run/run.json")).unwrap();
    let ran = run_in(path, &resume("run", &["--steps", "3"]));
    assert!(ran.code == 2 && ran.err.contains("run.json"), "{}", ran.err);
    std::fs::copy(path.join("other.npy"), path.join("some.npy")).unwrap();
    let ran = run_in(path, &resume("run", &["--steps", "3"]));
    assert!(ran.code == 2 && ran.err.contains("have changed"), "{}", ran.err);
    assert_eq!(std::fs::read(path.join("run/run.json")).unwrap(), before);
    good(&run_in(path, &resume("run", &["--steps", "3", "--data", "npy:kept.npy,levels=17"])));
    // From now on, the run uses the new name.
    good(&run_in(path, &resume("run", &["--steps", "4"])));
}

/// A checkpoint is verified by its checksum, whatever its name, and `eval` accepts any checkpoint.
#[test]
fn checkpoints_are_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    good(&train(path, "run", &["--epochs", "1", "--ema", "0.9"]));
    let eval = |weights: &str| {
        let all = ["eval", "run", "--engine=tract", "-q", "--json", "--weights", weights];
        run_in(path, &all)
    };
    let [best, last] = ["run/best.safetensors", "run/last.safetensors"]
        .map(|weights| serde_json::from_str::<Value>(good(&eval(weights))).unwrap());
    // There was only one validation, so both files have the averaged weights at the end.
    assert_eq!(best["nats_per_image"], last["nats_per_image"]);
    let mut bytes = std::fs::read(path.join("run/best.safetensors")).unwrap();
    let at = bytes.len() - 9;
    bytes[at] ^= 1;
    std::fs::write(path.join("flipped.safetensors"), bytes).unwrap();
    let ran = eval("flipped.safetensors");
    assert!(ran.code == 2 && ran.err.contains("checksum"), "{}", ran.err);
}

/// Conditional and Multi-Scale models are trained, stopped, resumed, evaluated and sampled.
#[test]
fn conditional_and_multi_scale_models_learn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let sizes = ["--set", "height=4", "--set", "width=4", "--set", "layers=1", "--set", "h=6"];
    for (name, draws) in
        [("digits-gated-class", &["--label", "all"][..]), ("digits-multiscale", &[])]
    {
        let train = |out: &str, steps: &str| {
            let all = [&["train", name], &sizes[..], &["--engine=tract", "-q", "--seed", "3"]];
            let rest = ["--data", DATA, "--optimizer", "adam", "--lr", "0.01", "--steps", steps];
            good(&run_in(path, &[&all.concat()[..], &rest, &["--out", out]].concat()));
        };
        let [whole, parts] = ["whole", "parts"].map(|part| format!("{name}-{part}"));
        train(&whole, "24");
        train(&parts, "10");
        good(&run_in(path, &resume(&parts, &["--steps", "24"])));
        let last = |out: &str| {
            let model = model_of(&Run::new(path.join(out)), &[]).unwrap();
            checkpoint_weights(&path.join(out).join("last.safetensors"), &model).unwrap()
        };
        assert!(last(&whole) == last(&parts), "{name}: a resumed run ends with the same bits");

        let eval = |more: &[&str]| {
            let all = ["eval", &whole, "--split", "test", "--engine=tract", "-q", "--json"];
            let found: Value =
                serde_json::from_str(good(&run_in(path, &[&all, more].concat()))).unwrap();
            found["nats_per_image"].as_f64().unwrap()
        };
        let (trained, fresh) = (eval(&[]), eval(&["--init-seed", "3"]));
        assert!(trained < 0.95 * fresh, "{name}: {trained}, before {fresh}");

        let sample = |file: &str, more: &[&str]| {
            let all = ["sample", &whole, "-n", "10", "--engine=tract", "-q", "-o", file];
            good(&run_in(path, &[&all, draws, more].concat()));
            std::fs::read(path.join(file)).unwrap()
        };
        assert!(sample("a.npy", &[]) == sample("b.npy", &["--method", "naive"]), "{name}");
    }
    let unlabeled = ["sample", "digits-gated-class-whole", "--engine=tract", "-o", "c.npy"];
    let ran = run_in(path, &unlabeled);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("--label"), "{}", ran.err);
    assert!(!path.join("c.npy").exists());
}
