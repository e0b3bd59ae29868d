//! Models exported by PyTorch, correct ones and faulty variants.
//! `tests/pytorch/make_check_files.py` writes the files. It also counts the leaking outputs, by
//! changing the image one value at a time.

use std::path::Path;

use pixelrnn_check::{Options, Verdict, check_file, trace};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/pytorch");

/// The rows of the table: a file, the number of leaking outputs, the number of outputs, and the
/// options to check it with.
fn rows() -> Vec<(String, usize, usize, Options)> {
    let table = std::fs::read_to_string(Path::new(FOLDER).join("table.txt")).expect("a table");
    let row = |line: &str| {
        let mut words = line.split(' ');
        let mut word = || words.next().expect("four words");
        let (name, leaks, outputs, order) = (word(), word(), word(), word());
        let options = Options { order: order.parse().ok(), ..Options::default() };
        let number = |w: &str| w.parse::<usize>().expect("a number");
        (name.to_string(), number(leaks), number(outputs), options)
    };
    table.lines().filter(|l| !l.starts_with('#')).map(row).collect()
}

#[test]
fn right_models_pass_and_faulty_twins_are_counted() {
    let rows = rows();
    assert!(rows.len() >= 40);
    for (name, leaks, outputs, options) in &rows {
        let path = Path::new(FOLDER).join(format!("{name}.onnx"));
        let r = check_file(&path, options).unwrap_or_else(|e| panic!("{name}: {e}"));
        let verdict = if *leaks == 0 { Verdict::Causal } else { Verdict::Leaks };
        assert_eq!((r.verdict, r.leaking_outputs), (verdict, *leaks), "{name}");
        assert_eq!(r.outputs(), *outputs, "{name}");
        assert!(r.uncertain.is_empty() || *leaks > 0, "{name}");
        if let Some(leak) = r.leak {
            let (bytes, options) = pixelrnn_check::load(&path, options).expect("read");
            let hops = trace(&bytes, &options, &r, leak.output, leak.input);
            assert!(!hops.expect(name).is_empty(), "{name}");
        }
    }
}

#[test]
fn the_files_say_nothing_of_the_machine_that_made_them() {
    let split = [["/ho", "me/"], ["/wo", "rk/"], ["/ro", "ot/"], ["/us", "r/"], ["/tm", "p/"]];
    let mut words: Vec<String> = split.iter().map(|parts| parts.concat()).collect();
    words.extend(["site-packages", ".py\"", "stack_trace"].map(String::from));
    for entry in std::fs::read_dir(FOLDER).expect("a folder") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a file");
        for word in &words {
            let found = bytes.windows(word.len()).any(|w| w == word.as_bytes());
            assert!(!found, "{}: {word}", path.display());
        }
    }
}
