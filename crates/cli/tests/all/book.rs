//! Runs the commands in the book.
//!
//! In a chapter of `docs/src`, or in the README, a block ```` ```console,tested ```` or ````
//! ```sh,tested ```` has commands that must exit with code 0, or with `exit=N` with code N. For a
//! block with `exact` instead of `tested`, the output must be the one that is shown;
//! `PIXELRNN_BLESS=1` rewrites it. A block with `file=NAME` is written to that file first. The
//! commands of a chapter run in order in a folder of their own, without ONNX Runtime. Training and
//! `quickstart` are shortened, so that this takes only seconds.

use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use crate::npz::edges;
use crate::run::{good, run_in};

/// What a block requires.
struct Demand {
    exact: bool,
    code: i32,
}

fn demand(info: &str) -> Option<Demand> {
    let mut words = info.split(',');
    let shell = ["console", "sh"].contains(&words.next()?);
    let words: Vec<&str> = words.collect();
    let exact = words.contains(&"exact");
    let code = words.iter().find_map(|word| word.strip_prefix("exit=")?.parse().ok()).unwrap_or(0);
    (shell && (exact || words.contains(&"tested"))).then_some(Demand { exact, code })
}

/// The words of a command, and the file that its output is redirected to.
fn words(line: &str) -> (Vec<String>, Option<String>) {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == ' ' => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    if let Some(comment) = words.iter().position(|word| word == "#") {
        words.truncate(comment);
    }
    let file = words.iter().position(|word| word == ">").map(|at| words.split_off(at)[1].clone());
    (words, file)
}

/// A shortened command: two steps of training, with an embedded engine.
fn shortened(mut words: Vec<String>) -> Vec<String> {
    let budgets = ["--epochs", "--steps", "--minutes"];
    match words[0].as_str() {
        "train" => {
            let resumed = words.iter().any(|word| word == "--resume");
            for i in 0..words.len() {
                if budgets.contains(&words[i].as_str()) {
                    words[i] = "--steps".into();
                    words[i + 1] = if resumed { "4" } else { "2" }.into();
                }
            }
            if !words.iter().any(|word| word == "--engine") {
                words.extend(["--engine".into(), "tract".into()]);
            }
        }
        "quickstart" => words.extend(["--epochs".into(), "1".into()]),
        _ => {}
    }
    words
}

/// Creates the folder of pictures for the chapter on folders: two classes, training and test
/// images.
fn photos(folder: &Path) {
    for split in ["train", "test"] {
        for (class, slope) in [("disks", 3), ("stripes", 7)] {
            let folder = folder.join("shapes").join(split).join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..12 {
                let file =
                    BufWriter::new(fs::File::create(folder.join(format!("{i:03}.png"))).unwrap());
                let mut encoder = png::Encoder::new(file, 48, 36);
                encoder.set_color(png::ColorType::Rgb);
                let bytes: Vec<u8> =
                    (0..48 * 36 * 3).map(|j| ((j / 3 * slope + 31 * i) % 251) as u8).collect();
                encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
            }
        }
    }
}

/// Whether outputs are to be rewritten.
fn bless() -> bool {
    std::env::var_os("PIXELRNN_BLESS").is_some()
}

/// Runs the blocks of a page. Returns the page with the actual outputs, and a list of problems.
fn run_page(name: &str, text: &str) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    photos(folder.path());
    edges(folder.path());
    let mut new = String::new();
    let mut wrong = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        new.push_str(line);
        new.push('\n');
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        if let Some((_, file)) = info.split_once("file=") {
            let inside = lines.clone().take_while(|inner| !inner.starts_with("```"));
            let text: Vec<&str> = inside.collect();
            fs::write(folder.path().join(file), text.join("\n")).unwrap();
        }
        let demand = demand(info);
        let mut shown: Vec<&str> = Vec::new();
        for inner in lines.by_ref().take_while(|inner| !inner.starts_with("```")) {
            shown.push(inner);
        }
        let Some(Demand { exact, code }) = demand else {
            shown.iter().for_each(|inner| new.push_str(&format!("{inner}\n")));
            new.push_str("```\n");
            continue;
        };
        let mut made = String::new();
        let mut i = 0;
        while i < shown.len() {
            let prompt = shown[i].strip_prefix("$ ");
            let mut command = match (prompt, info.starts_with("sh")) {
                (Some(command), _) => command.to_string(),
                (None, true) => shown[i].to_string(),
                // A line of output, or a line between commands.
                (None, false) => {
                    if !exact {
                        made.push_str(&format!("{}\n", shown[i]));
                    }
                    i += 1;
                    continue;
                }
            };
            made.push_str(&format!("{}\n", shown[i]));
            i += 1;
            while command.ends_with('\\') {
                command.pop();
                command.push_str(shown[i].trim());
                made.push_str(&format!("{}\n", shown[i]));
                i += 1;
            }
            let (mut all, file) = words(&command);
            if all.is_empty() {
                continue;
            }
            assert_eq!(all.remove(0), "pixelrnn", "{name}: only `pixelrnn` is run: {command}");
            let arguments = if exact { all } else { shortened(all) };
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let ran = run_in(folder.path(), &arguments);
            if ran.code != code {
                wrong.push(format!(
                    "{name}: {command}: exit code {} instead of {code}\n{}{}",
                    ran.code, ran.out, ran.err
                ));
            }
            match file {
                Some(file) => fs::write(folder.path().join(file), &ran.out).unwrap(),
                None if exact => {
                    for line in ran.err.lines().chain(ran.out.lines()) {
                        made.push_str(&format!("{}\n", line.trim_end()));
                    }
                }
                None => {}
            }
        }
        let before: String = shown.iter().map(|inner| format!("{inner}\n")).collect();
        if exact && made != before && !bless() {
            wrong.push(format!("{name}: shows\n{before}where the program says\n{made}"));
        }
        new.push_str(&made);
        new.push_str("```\n");
    }
    (new, wrong)
}

#[test]
fn every_command_is_in_the_book() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/commands.md");
    let chapter = fs::read_to_string(path).unwrap();
    let help = good(&["--help"]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        let section = format!("## {command}\n");
        assert!(command == "help" || chapter.contains(&section), "{command}");
    }
}

#[test]
fn commands_of_the_book() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages: Vec<PathBuf> = fs::read_dir(root.join("docs/src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    pages.push(root.join("README.md"));
    let bless = bless();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let run = |path: &PathBuf| {
            let text = fs::read_to_string(path).unwrap();
            let (new, wrong) = run_page(&path.file_name().unwrap().to_string_lossy(), &text);
            if bless && new != text {
                fs::write(path, new).unwrap();
            }
            wrong
        };
        let threads: Vec<_> = pages.iter().map(|path| scope.spawn(move || run(path))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a page")).collect()
    });
    let commands = "`PIXELRNN_BLESS=1 cargo test -p pixelrnn-cli --test all book` rewrites outputs";
    assert!(wrong.is_empty(), "{}\n{commands}", wrong.join("\n"));
}
