//! Errors and warnings. They name the place and the numbers, and say what would be correct.

use std::path::Path;

use crate::run::{Ran, bad, good, run, run_in, tiny};

/// Writes an array of f32 as a NumPy file.
fn npy(path: &Path, shape: &str, values: impl Iterator<Item = f32>) {
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}").into_bytes();
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(b' ');
    }
    header.push(b'\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header);
    values.for_each(|value| bytes.extend(value.to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}

/// Creates a folder of gray pictures, 4 x 4, in two named classes.
fn pictures(folder: &Path) {
    for (class, slope) in [("cats", 5), ("dogs", 11)] {
        let folder = folder.join("pets").join(class);
        std::fs::create_dir_all(&folder).unwrap();
        for i in 0..20 {
            let file = std::fs::File::create(folder.join(format!("{i:02}.png"))).unwrap();
            let mut encoder = png::Encoder::new(std::io::BufWriter::new(file), 4, 4);
            encoder.set_color(png::ColorType::Grayscale);
            let bytes: Vec<u8> = (0..16).map(|j| ((j * slope + 31 * i) % 251) as u8).collect();
            encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
        }
    }
}

const SMALL: [&str; 10] = [
    "--set",
    "height=4",
    "--set",
    "width=4",
    "--set",
    "layers=1",
    "--set",
    "h=4",
    "--engine=tract",
    "--steps=1",
];

fn train(folder: &Path, more: &[&str]) -> Ran {
    run_in(folder, &[&["train"], more, &SMALL[..]].concat())
}

#[test]
fn a_file_that_is_no_model_gives_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let python = "import torch\nimport torch.nn as nn\n\nclass Model(nn.Module):\n    def forward(self, \
                  image):\n        return self.net(image) * 2.5e3\n";
    std::fs::write(path.join("m.py"), python.repeat(10)).unwrap();
    let ran = run_in(path, &["check", "m.py"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("does not look like a model file"), "{}", ran.err);
    assert!(ran.err.matches("error:").count() == 1 && ran.err.lines().count() < 12, "{}", ran.err);
    // Of many errors in a model, only the first few are shown.
    let wrong = "nosuch(3); ".repeat(20);
    let model = format!("pub M {{ }}\nimage 4 x 4, colors 1, levels 2;\n{wrong}\n");
    std::fs::write(path.join("m.pixelrnn"), model).unwrap();
    let ran = run_in(path, &["check", "m.pixelrnn"]);
    let shown = ran.err.matches("error:").count();
    assert!(
        (1..=8).contains(&shown) && ran.err.contains("more errors in m.pixelrnn"),
        "{}",
        ran.err
    );
}

#[test]
fn negative_numbers_are_refused_with_the_range() {
    let with = |option: &str, value: &str| {
        let arguments =
            ["train", "digits-diagonal", "--data", "digits", "--out", "r", option, value];
        bad(&arguments)
    };
    for (option, value, expected) in [
        ("--clip", "-1", "invalid value '-1' for '--clip <NORM>': expected a positive number"),
        ("--lr", "-1e-3", "expected a positive number"),
        ("--ema", "-0.5", "expected a number above 0 and below 1"),
        ("--steps", "-3", "expected a whole number, at least 1"),
        ("--batch", "0", "expected a whole number from 1 to 65535"),
        ("--warmup", "-1", "expected a whole number, at least 0"),
        ("--seed", "-1", "expected a whole number, at least 0"),
        ("--minutes", "-1", "expected a positive number"),
    ] {
        let text = with(option, value);
        assert!(text.contains(expected) && !text.contains("tip:"), "{option} {value}: {text}");
    }
    let sample = ["sample", "digits-diagonal", "-o", "a.png", "--temperature", "-1"];
    assert!(bad(&sample).contains("expected a positive number"));
    let export = ["export", "digits-diagonal", "-o", "a.onnx", "--temperature", "0"];
    assert!(bad(&export).contains("expected a positive number"));
}

#[test]
fn limits_and_files_are_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // A file of 104 KiB, which exceeds the limit.
    let export = ["export", "digits-diagonal", "-o", "m.onnx", "-q"];
    assert_eq!(run_in(path, &export).code, 0);
    let ran = run_in(path, &["check", "m.onnx", "--memory", "1"]);
    assert!(ran.code == 2 && ran.err.contains("more than the 1 byte allowed"), "{}", ran.err);
    assert!(!ran.err.contains(" 0 "), "{}", ran.err);
    // Enough for the file, but not for the analysis.
    let ran = run_in(path, &["check", "m.onnx", "--memory", "112KiB"]);
    assert!(ran.code == 2 && ran.err.contains("of 112 KiB allowed"), "{}", ran.err);
    assert_eq!(bad(&["check", "nothere.onnx"]).matches("nothere.onnx").count(), 1);
    let ran = run_in(path, &["check", "m.onnx", "--at", "1,1,3"]);
    let expected = "invalid --at 1,1,3: expected row 0 to 7, column 0 to 7, color 0";
    assert!(ran.code == 2 && ran.err.contains(expected), "{}", ran.err);
}

#[test]
fn options_without_effect_are_refused() {
    let export = |more: &[&str]| {
        let all = [&tiny("export", "digits-pixelcnn")[..], &["-o", "a.onnx"], more].concat();
        bad(&all)
    };
    let text = export(&["--graph", "nll", "--optimizer", "adam"]);
    assert!(text.contains("`--optimizer adam` has no effect on `--graph nll`"), "{text}");
    let compare = |graph| bad(&["compare", "digits-pixelcnn", "--graph", graph]);
    assert!(compare("sample").contains("compare `forward`, which has the same logits"));
    assert!(compare("update").contains("it reads no images. Expected `forward`, `nll`"));
    assert!(compare("other").contains("expected `forward`, `nll`, `grad`, `train`"));
}

#[test]
fn a_resumed_run_says_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let data = ["--data", "digits,limit=90,size=4x4", "-q"];
    let ran = train(path, &[&["digits-diagonal", "--out", "run"], &data[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let resume = |more: &[&str]| {
        let all = [&["train", "--resume", "--out", "run", "--engine=tract"], more].concat();
        let ran = run_in(path, &all);
        assert_eq!(ran.code, 2, "{}", ran.err);
        ran.err
    };
    let text = resume(&["digits-diagonal", "--set", "height=4", "--set", "layers=1"]);
    assert!(
        text.contains("width is 4 in the run, and 8 here; h is")
            || text.contains("h is 4 in the run, and 16 here"),
        "{text}"
    );
    assert!(text.contains("width is 4 in the run, and 8 here"), "{text}");
    assert!(!text.contains('"') && !text.contains("layers"), "{text}");
    let text = resume(&["digits-row-lstm"]);
    assert!(text.contains("the run has DigitsDiagonal, not DigitsRowLstm"), "{text}");
}

#[test]
fn sizes_that_differ_are_numbers() {
    let text = bad(&["train", "mnist-diagonal", "--data", "digits", "--steps=1", "--out", "r"]);
    assert!(text.contains("`--set height=8 --set width=8`") && !text.contains("=H"), "{text}");
    let small = ["--set", "height=4", "--set", "width=6"];
    let all = ["eval", "digits-diagonal", "--data", "digits", "--engine=tract"];
    let text = bad(&[&all[..], &small].concat());
    assert!(text.contains("or the images with `,size=4x6`"), "{text}");
}

#[test]
fn a_range_that_the_values_do_not_use_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let values = (0..20 * 16).map(|i| (i % 16) as f32 / 15.0);
    npy(&path.join("unit.npy"), "20, 4, 4", values);
    let data = |range: &str| {
        let ran = run_in(path, &["data", &format!("npy:unit.npy,range={range}")]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let text = data("-1:1");
    assert!(text.contains("from about 0.004 to 1.000 only, although `range=-1:1`"), "{text}");
    assert!(text.contains("the levels 128 to 255"), "{text}");
    assert!(data("0:65535").contains("although `range=0:65535`"));
    assert!(!data("0:1").contains("although"));
}

#[test]
fn classes_have_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    pictures(path);
    let data = ["--data", "images:pets,levels=17", "--out", "run"];
    let ran = train(path, &[&["digits-gated-class"], &data[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let expected = "conditioned on `label` with 10 classes, but images:pets,levels=17 has 2: the classes 2 to 9";
    assert!(ran.err.contains(expected), "{}", ran.err);
    let sample = |label: &str, out: &str| {
        let all = ["sample", "run", "-n", "4", "--engine=tract", "-q", "-o", out, "--label", label];
        run_in(path, &all)
    };
    for (label, out) in [("dogs", "a.npy"), ("1", "b.npy"), ("cats", "c.npy")] {
        let ran = sample(label, out);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{label}");
    }
    let [a, b, c] = ["a.npy", "b.npy", "c.npy"].map(|f| std::fs::read(path.join(f)).unwrap());
    assert!(a == b && a != c, "dogs are class 1");
    let ran = sample("dog", "d.npy");
    let expected = "unknown class; did you mean `dogs`? The classes are cats, dogs";
    assert!(ran.code == 2 && ran.err.contains(expected), "{}", ran.err);
    let text = bad(&["sample", "digits-gated-class", "-o", "a.npy", "--label", "dog"]);
    assert!(text.contains("the classes have no names"), "{text}");

    // The program says which class a completion has.
    let complete = ["sample", "run", "--engine=tract", "-o", "e.npy", "-n", "2", "--complete"];
    let more = ["images:pets,levels=17", "--keep-rows", "2", "--split", "train"];
    let ran = run_in(path, &[&complete[..], &more].concat());
    assert!(ran.code == 0 && ran.err.contains("completed as its own class"), "{}", ran.err);
    let ran = run_in(path, &[&complete[..], &more, &["--label", "cats"]].concat());
    assert!(ran.code == 0 && !ran.err.contains("own class"), "{}", ran.err);

    // Classes are compared by name.
    let eval = || {
        let data = "--data=images:pets,levels=17";
        run_in(path, &["eval", "run", "--engine=tract", "--split=train", "-q", data])
    };
    assert_eq!(eval().code, 0);
    std::fs::rename(path.join("pets/dogs"), path.join("pets/hounds")).unwrap();
    let ran = eval();
    let expected = "class `hounds` is unknown to the model, which was trained on `cats`, `dogs`";
    assert!(ran.code == 2 && ran.err.contains(expected), "{}", ran.err);
}

#[test]
fn declarations_and_checks_speak_plainly() {
    for entry in pixelrnn::zoo::ZOO {
        let text = good(&["zoo", entry.name]);
        assert!(text.contains("colors ") && !text.contains("colours"), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let export = ["export", "digits-multiscale", "-o", "m.onnx", "--graph", "nll", "-q"];
    assert_eq!(run_in(path, &export).code, 0);
    let ran = run_in(path, &["check", "m.onnx"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.out.contains("scales/") && !ran.out.contains("asked"), "{}", ran.out);
    assert!(ran.out.contains("4 x 4 pixels: causal"), "{}", ran.out);
    assert!(ran.out.contains("outside of the receptive field"), "{}", ran.out);
}

#[test]
fn trained_models_are_at_hand() {
    let text = good(&["zoo", "--trained"]);
    assert!(text.contains("mnist-diagonal ") && text.contains("digits-gated-class "), "{text}");
    let object = crate::run::json(&["zoo", "--trained"]);
    let digits = &object["models"][0];
    assert_eq!(digits["name"], "digits-gated-class");
    // The list states the loss that these weights really have.
    let eval = crate::run::json(&["eval", "digits-gated-class", "--trained", "--engine=tract"]);
    let [found, said] = [&eval, digits].map(|o| o["nats_per_image"].as_f64().unwrap());
    assert!((found - said).abs() < 1e-3, "{found} {said}");
    assert_eq!(
        (&eval["images"], &eval["weights"]["trained"]),
        (&digits["test_images"], &"digits-gated-class".into())
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let draw =
        |more: &[&str]| run_in(path, &[&["sample", "--engine=tract", "-n", "10"], more].concat());
    let ran = draw(&["digits-gated-class", "--trained", "--label", "all", "-o", "a.png"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let ran = draw(&["mnist-gated", "--trained", "-o", "a.png"]);
    assert!(
        ran.code == 2 && ran.err.contains("`--trained` knows digits-gated-class, mnist-diagonal"),
        "{}",
        ran.err
    );
    let ran = draw(&["mnist-diagonal", "--trained", "--init-seed", "1", "-o", "a.png"]);
    assert!(ran.code == 2 && ran.err.contains("cannot be combined"), "{}", ran.err);
    let ran = draw(&["digits-gated-class", "--label", "1", "-o", "a.png"]);
    assert!(ran.err.contains("untrained") && ran.err.contains("`--trained` uses"), "{}", ran.err);
    let text = bad(&["eval", "mnist-diagonal", "--trained", "--engine=tract"]);
    assert!(text.contains("binarized MNIST") && text.contains("--data npz:"), "{text}");

    // Other commands accept `--trained`, too.
    let export =
        ["export", "mnist-diagonal", "--trained", "--graph", "nll", "-o", "m.onnx", "--json"];
    let ran = run_in(path, &export);
    assert!(ran.code == 0 && ran.out.contains("\"trained\": \"mnist-diagonal\""), "{}", ran.out);
    let ran = run(&["compare", "digits-gated-class", "--trained", "--engine", "reference,tract"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let bench =
        ["bench", "digits-gated-class", "--trained", "--engine=tract", "--runs=1", "--graph=nll"];
    assert_eq!(run(&bench).code, 0);
}
