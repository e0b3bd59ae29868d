//! Texts with errors. Each file under `bad/` holds cases of one theme:
//!
//! ```text
//! === what the case shows
//! the text
//! ~ line:column `what is underlined` the message; (other places;) the help
//! ```
//! The `~` lines are all reported errors, in order. `PIXELRNN_BLESS=1` rewrites them.

use std::fmt::Write as _;
use std::path::Path;

use pixelrnn_graph::{Diagnostic, Source};
use pixelrnn_syntax::parse;

fn shown(source: &Source, diagnostic: &Diagnostic) -> String {
    let (line, column) = source.position(diagnostic.primary.span.start);
    let excerpt = source.excerpt(diagnostic.primary.span).escape_debug();
    let mut out = format!("~ {line}:{column} `{excerpt}` {}", diagnostic.message);
    if !diagnostic.primary.text.is_empty() {
        let _ = write!(out, " ({})", diagnostic.primary.text);
    }
    for label in &diagnostic.secondary {
        let _ = write!(out, "; {} at `{}`", label.text, source.excerpt(label.span));
    }
    if let Some(help) = &diagnostic.help {
        let _ = write!(out, "; {help}");
    }
    out
}

/// The cases of a file, with the expected errors replaced by the actual ones.
fn rerun(file: &str) -> String {
    let mut out = String::new();
    for case in file.split_inclusive("\n=== ").filter(|case| !case.is_empty()) {
        let (case, next) = case.strip_suffix("=== ").map_or((case, ""), |case| (case, "=== "));
        let (title, rest) = case.split_once('\n').unwrap_or((case, ""));
        let lines = rest.lines().filter(|line| !line.starts_with("~ "));
        let text = lines.collect::<Vec<_>>().join("\n");
        let source = Source::new("case", text.as_str());
        let (_, diagnostics) = parse(&text);
        assert!(!diagnostics.is_empty(), "no error in case: {title}");
        let _ = writeln!(out, "{title}\n{}", text.trim_end_matches('\n'));
        for diagnostic in &diagnostics {
            let _ = writeln!(out, "{}", shown(&source, diagnostic));
        }
        if !next.is_empty() {
            let _ = write!(out, "\n{next}");
        }
    }
    out
}

#[test]
fn messages_and_places() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parse/bad");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() >= 5, "cases are missing");
    let bless = std::env::var_os("PIXELRNN_BLESS").is_some();
    for path in files {
        let file = std::fs::read_to_string(&path).expect("a file of cases");
        let now = rerun(&file);
        if bless {
            std::fs::write(&path, now).expect("to bless");
        } else if now != file {
            let differs = file.lines().zip(now.lines()).find(|(was, is)| was != is);
            panic!("{}: first difference (expected, found):\n{differs:#?}", path.display());
        }
    }
}
