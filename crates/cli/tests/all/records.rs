//! The records of `train`, and the commands `curve` and `lr-find`.

use std::path::Path;

use serde_json::Value;

use crate::run::{Ran, bad, good, names, run_in};

const SMALL: [&str; 12] = [
    "--set",
    "height=4",
    "--set",
    "width=4",
    "--set",
    "layers=1",
    "--set",
    "h=4",
    "--data",
    "digits,limit=90,size=4x4",
    "--engine=tract",
    "-q",
];

fn train(folder: &Path, model: &str, out: &str, more: &[&str]) -> Ran {
    run_in(folder, &[&["train", model, "--out", out], &SMALL[..], more].concat())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object per line")).collect()
}

#[test]
fn a_run_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let records = ["--events", "--csv", "--tensorboard", "--sample-every", "25"];
    let ran = train(path, "digits-diagonal", "run", &[&records[..], &["--steps", "60"]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    let events = lines(&ran.out);
    assert!(events.iter().all(|e| e["version"] == 1), "{events:?}");
    let of = |name: &str| events.iter().filter(|e| e["event"] == name).collect::<Vec<_>>();
    assert_eq!(events[0]["event"], "start");
    assert_eq!((&events[0]["step"], &events[0]["engine"]), (&0.into(), &"tract".into()));
    assert!(of("step").len() >= 3 && !of("validation").is_empty() && !of("checkpoint").is_empty());
    let saved: Vec<u64> = of("checkpoint").iter().filter_map(|e| e["step"].as_u64()).collect();
    assert!(
        saved.windows(2).all(|pair| pair[0] < pair[1]) && saved.last() == Some(&60),
        "{saved:?}"
    );
    let files: Vec<&Value> = of("sample").iter().map(|e| &e["file"]).collect();
    assert_eq!(files, ["run/samples/step-00000025.png", "run/samples/step-00000050.png"]);
    // The last line is the result, and there is only one.
    let end = events.last().unwrap();
    assert_eq!((&end["event"], &end["step"]), (&"end".into(), &60.into()));
    assert_eq!((of("end").len(), &end["reason"]), (1, &"budget".into()));

    assert_eq!(
        names(&path.join("run/samples")),
        ["step-00000025.png", "step-00000050.png"],
        "samples at these steps alone"
    );
    let [first, second] = ["25", "50"].map(|step| {
        std::fs::read(path.join(format!("run/samples/step-000000{step}.png"))).unwrap()
    });
    assert!(first.starts_with(b"\x89PNG") && first != second, "the samples change");

    // The CSV file has the same rows as the log.
    let log = lines(&std::fs::read_to_string(path.join("run/log.jsonl")).unwrap());
    let counted = |e: &&Value| e["event"] == "step" || e["event"] == "validation";
    let table = std::fs::read_to_string(path.join("run/log.csv")).unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows[0].starts_with("event,step,epoch,nats,bits_per_dim,lr"), "{}", rows[0]);
    assert_eq!(rows.len() - 1, log.iter().filter(counted).count());
    for (row, line) in rows[1..].iter().zip(log.iter().filter(counted)) {
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(cells[0], line["event"].as_str().unwrap());
        assert_eq!(cells[1].parse::<u64>().ok(), line["step"].as_u64());
        assert_eq!(cells[3].parse::<f64>().ok(), line["nats"].as_f64());
    }

    // A resumed session writes an event file of its own. That of the first session stays.
    let events = names(&path.join("run/tensorboard"));
    assert!(events.len() == 1 && events[0].starts_with("events.out.tfevents."), "{events:?}");
    let bytes = std::fs::read(path.join("run/tensorboard").join(&events[0])).unwrap();
    for tag in ["nats_per_image/train", "bits_per_dim/validation", "learning_rate", "samples"] {
        let found = bytes.windows(tag.len()).filter(|w| *w == tag.as_bytes()).count();
        assert!(found >= 1, "{tag}");
    }
    let resumed = ["train", "--resume", "--out", "run", "--steps", "80", "--engine=tract", "-q"];
    let ran = run_in(path, &[&resumed[..], &["--tensorboard", "--events"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(lines(&ran.out)[0]["step"], 60);
    assert_eq!(names(&path.join("run/tensorboard")).len(), 2);
}

#[test]
fn classes_are_columns_of_samples() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--steps", "4", "--sample-every", "4"];
    let ran = train(folder.path(), "digits-gated-class", "run", &more);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    let file = std::fs::File::open(folder.path().join("run/samples/step-00000004.png")).unwrap();
    let picture = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
    // Ten classes by two images of 4 x 4, enlarged eight times, with gaps of two pixels.
    assert_eq!((picture.info().width, picture.info().height), (10 * 34 + 2, 2 * 34 + 2));
}

#[test]
fn records_that_cannot_be_written_are_an_error_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir_all(path.join("run")).unwrap();
    std::fs::write(path.join("run/samples"), "in the way").unwrap();
    let ran = train(path, "digits-diagonal", "run", &["--steps", "6", "--sample-every", "2"]);
    assert!(ran.code == 2 && ran.err.contains("run/samples"), "{}", ran.err);
    assert!(path.join("run/last.safetensors").exists(), "the training went on");
}

#[test]
fn curves_of_several_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (out, seed) in [("one", "1"), ("two", "2")] {
        let ran = train(path, "digits-diagonal", out, &["--epochs", "3", "--seed", seed]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    let curve = |more: &[&str]| run_in(path, &[&["curve", "one", "two", "-o"], more].concat());
    let ran = curve(&["c.svg", "--log", "--unit", "bits", "--x", "epoch", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let object: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&object["runs"][1]["run"], &object["runs"][1]["step"]),
        (&"two".into(), &18.into())
    );
    let svg = std::fs::read_to_string(path.join("c.svg")).unwrap();
    for word in ["epochs", "bits per dimension", ">\none", ">\ntwo"] {
        assert!(svg.contains(word), "{word}: {svg}");
    }
    let best = object["runs"][0]["best"]["nats_per_image"].as_f64().unwrap();
    assert!((10.0..60.0).contains(&best), "{best}");
    assert_eq!(curve(&["c.png", "-q"]).code, 0);
    assert!(std::fs::read(path.join("c.png")).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(curve(&["c.csv", "-q"]).code, 0);
    let table = std::fs::read_to_string(path.join("c.csv")).unwrap();
    assert!(table.starts_with("run,event,step,") && table.contains("\ntwo,validation,18,"));

    let refused = |more: &[&str], word: &str| {
        let ran = curve(more);
        assert!(ran.code == 2 && ran.err.contains(word), "{word}: {}", ran.err);
    };
    refused(&["c.gif"], ".png, .svg or .csv");
    refused(&["c.csv", "--log"], "apply to plots");
    assert!(bad(&["curve", "nothing", "-o", "c.png"]).contains("nothing is not a run folder"));
    let ran = train(path, "digits-diagonal", "short", &["--steps", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn a_learning_rate_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let find = |more: &[&str]| {
        let arguments = [&["lr-find", "digits-diagonal", "--optimizer", "adam"], &SMALL[..], more];
        run_in(path, &arguments.concat())
    };
    let ran = find(&["--json", "--steps", "60", "-o", "lr.png"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    let object: Value = serde_json::from_str(&ran.out).unwrap();
    let rate = object["suggestion"].as_f64().unwrap();
    // With a learning rate of 1e-5 nothing is learned here, and with 1 the training diverges.
    assert!((3e-4..0.2).contains(&rate), "{rate}");
    let steps = object["steps"].as_array().unwrap();
    assert!(steps.len() > 30 && steps[0]["lr"] == 1e-6, "{object}");
    assert!(std::fs::read(path.join("lr.png")).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(names(path), ["lr.png"], "the training is thrown away");

    // Far too low: the loss does not fall, so there is no suggestion.
    let ran = find(&["--steps", "20", "--from", "1e-12", "--to", "1e-11"]);
    assert!(ran.code == 1 && ran.out.contains("no suggestion"), "{}{}", ran.out, ran.err);
    let ran = find(&["--from", "1", "--to", "0.1"]);
    assert!(ran.code == 2 && ran.err.contains("below --to"), "{}", ran.err);
    assert!(good(&["lr-find", "--help"]).contains("--from"));
}

#[test]
fn time_is_measured_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let small = ["scaling", "digits-pixelcnn", "--engine=tract", "--runs=1", "--graph=forward,nll"];
    let small = [&small[..], &["--set", "h=2", "--batch=2"]].concat();
    let ran = run_in(
        path,
        &[&small[..], &["--vary", "layers=2,1", "-o", "cost.svg", "--json", "-q"]].concat(),
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    let values = answer["values"].as_array().unwrap();
    assert_eq!(values.iter().map(|v| &v["value"]).collect::<Vec<_>>(), [1, 2]);
    assert!(values[0]["parameters"].as_u64() < values[1]["parameters"].as_u64());
    for (value, graph) in values.iter().flat_map(|v| [(v, "forward"), (v, "nll")]) {
        let of = |r: &&Value| r["graph"] == graph;
        let result = value["results"].as_array().unwrap().iter().find(of).unwrap();
        assert!(result["median_ms"].as_f64().unwrap() > 0.0, "{answer}");
    }
    let plot = std::fs::read_to_string(path.join("cost.svg")).unwrap();
    assert!(plot.contains("layers") && plot.contains("milliseconds per call"), "{plot}");

    // Both sides at once, and the batch.
    for vary in ["side=2,4", "batch=1,2"] {
        let ran = run_in(path, &[&small[..], &["--vary", vary]].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("growth"), "{}", ran.out);
    }
    for (vary, says) in [
        ("depth=1,2", "no hyper-parameter `depth`"),
        ("layers=1", "at least two different values"),
        ("levels=1,2", "levels"),
    ] {
        let ran = run_in(path, &[&small[..], &["--vary", vary]].concat());
        assert!(ran.code == 2 && ran.err.contains(says), "{vary}: {}", ran.err);
    }
    let ran = run_in(path, &[&small[..], &["--vary", "h=1,2", "-o", "cost.gif"]].concat());
    assert!(ran.code == 2 && ran.err.contains(".svg"), "{}", ran.err);
}

/// Comments in the text of a model are not part of it.
#[test]
fn a_run_resumes_when_comments_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let model = "/// DOC\npub M { h: usize = 4, layers: usize = 1, }\nimage 4 x 4, colors 1, levels 17;\n\
                 stem: masked_conv(3 x 3, A, h); relu; logits;\n";
    let write = |text: &str| std::fs::write(path.join("m.pixelrnn"), text).unwrap();
    write(&model.replace("DOC", "One."));
    let ran = train(path, "m.pixelrnn", "run", &["--steps", "2"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    write(&model.replace("DOC", "Another text.\n// And a comment."));
    let resume =
        ["train", "m.pixelrnn", "--resume", "--out", "run", "--steps", "4", "--engine=tract", "-q"];
    let ran = run_in(path, &resume);
    assert_eq!(ran.code, 0, "{}", ran.err);
    write(&model.replace("relu;", ""));
    let ran = run_in(path, &resume);
    assert!(ran.code == 2 && ran.err.contains("differs from the model of the run"), "{}", ran.err);
}
