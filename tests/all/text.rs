//! The text form of graphs: a printed graph can be read back, damaged text gives an error with its line, and
//! the verifier rejects invalid graphs.

use pixelrnn::internal::graph::text::read;
use pixelrnn::internal::graph::{Dim, Fault, Operation, Role, TextError, Type, verify};
use pixelrnn::internal::ops::{Add, Op, PixelGraph, Relu, Scan};
use pixelrnn::internal::passes::expand::expand;
use pixelrnn::internal::passes::loss;
use pixelrnn::internal::passes::unroll::unroll;

use crate::common::{Numbers, small_zoo};
use crate::declared::declared;
use crate::ops::graph_of;

#[track_caller]
fn assert_reads_back(graph: &PixelGraph) {
    let text = graph.to_string();
    match read::<Op>(&text) {
        Ok(again) => {
            assert_eq!(again.to_string(), text);
            assert!(again == *graph, "the text is the same, the graph is not:\n{text}");
        }
        Err(error) => panic!("{error}\n{text}"),
    }
}

#[test]
fn operators_read_back() {
    for sample in Op::samples() {
        assert_reads_back(&graph_of(&sample));
    }
}

#[test]
fn models_read_back() {
    let mut models = small_zoo(|_| true, None);
    models.extend(["row", "diagonal", "mixed"].map(|name| declared(name, &[])));
    for model in models {
        let graph = model.graph();
        assert!(!graph.doc.is_empty());
        assert_reads_back(graph);
        assert_reads_back(&loss(graph).expect("has logits"));
        let expanded = expand(graph).expect("expands");
        assert_reads_back(&expanded);
        assert_reads_back(&unroll(&expanded).expect("unrolls"));
    }
}

#[test]
fn names_and_numbers_of_all_kinds_read_back() {
    let mut graph = PixelGraph::new("a \"name\" with\nlines, \\ and \u{1f4a5}\0");
    graph.doc = "tab\t, bell \u{7}, 'quotes', ; no comment, } no end".into();
    let x = graph.input("x y", Type::real([Dim::N, Dim::Batch(3), Dim::Fixed(2)]), Role::Local);
    let y = graph.push(Relu.into(), &[x], "%0 = relu", None).expect("fits");
    graph.output("body {", y[0]);
    assert_reads_back(&graph);
}

const SMALL: &str = r#"graph "g" {
  ; a comment
  input %0 "x": real[N, 3]
  param %1 "w": real[1, 3] uniform(4)
  %2 = mul(%0, %1) "a" @10..17 : real[N, 3]
  %3 = relu(%2) "b" : real[N, 3]
  output "y" = %3
}
"#;

#[test]
fn damaged_text_is_an_error_on_its_line() {
    read::<Op>(SMALL).expect("reads");
    let cases = [
        ("graph \"g\"", "grph \"g\"", 1, "expected `graph`"),
        ("input %0", "inptu %0", 3, "`inptu` does not begin a line"),
        ("real[N, 3]\n  param", "reel[N, 3]\n  param", 3, "unknown element kind `reel`"),
        ("real[1, 3]", "real[1, ]", 4, "invalid extent ``"),
        ("uniform(4)", "normal(4)", 4, "unknown initialization `normal`"),
        ("uniform(4)", "uniform(four)", 4, "invalid number `four`"),
        ("mul(%0, %1)", "mul(%0, %3)", 5, "%3 is used before it is defined"),
        ("mul(%0, %1)", "mul(%0)", 5, "`a` (mul) takes 2 inputs, got 1"),
        ("real[1, 3]", "real[1, 4]", 5, "incompatible types"),
        ("mul(", "mull(", 5, "unknown operator `mull`"),
        ("@10..17", "@10.17", 5, "expected `.`"),
        ("\"a\" @10..17 : real[N, 3]", "\"a\" : real[N, 4]", 5, "is real[N, 3], not real[N, 4]"),
        ("\"b\" : real", "\"b\" : int", 6, "is real[N, 3], not int[N, 3]"),
        ("%3 = relu", "%3, %4 = relu", 6, "`b` has 1 results, not 2"),
        ("= %3\n}", "= %9\n}", 7, "%9 is used before it is defined"),
        ("}\n", "", 8, "expected a word"),
        ("}\n", "}\ngraph", 9, "expected the end of the text, found `g`"),
        ("\"y\"", "\"y", 7, "unterminated string"),
    ];
    for (from, to, line, reason) in cases {
        assert!(SMALL.contains(from), "{from}");
        match read::<Op>(&SMALL.replacen(from, to, 1)) {
            Ok(_) => panic!("{to} is not refused"),
            Err(TextError { line: found, reason: said }) => {
                assert!(said.contains(reason), "{to}: line {found}: {said}");
                // The reader may already be at the next word.
                assert!((line..=line + 1).contains(&found), "{to}: line {found}: {said}");
            }
        }
    }
}

/// Any text gives a graph or an error. A graph that was read can be printed and verified.
#[test]
fn damaged_text_never_panics() {
    let mut texts: Vec<String> = Op::samples().iter().map(|s| graph_of(s).to_string()).collect();
    texts.push(SMALL.into());
    let model = declared("diagonal", &[("h", 2), ("layers", 1)]);
    texts.push(expand(model.graph()).expect("expands").to_string());
    let mut numbers = Numbers::new(13);
    let (mut good, mut bad) = (0, 0);
    for text in &texts {
        let rounds = if text.len() > 5000 { 60 } else { 150 };
        for _ in 0..rounds {
            let mut damaged = damage(text, &mut numbers);
            if numbers.below(3) == 0 {
                damaged = damage(&damaged, &mut numbers);
            }
            match read::<Op>(&damaged) {
                Ok(graph) => {
                    good += 1;
                    let _ = verify(&graph);
                    let text = graph.to_string();
                    let again = read::<Op>(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
                    // NaN is not equal to itself.
                    assert!(again == graph || text.contains("NaN"), "{text}");
                }
                Err(error) => {
                    bad += 1;
                    assert!(error.line <= damaged.lines().count() + 1);
                    assert!(!error.reason.is_empty());
                }
            }
        }
    }
    assert!(good > 300 && bad > 1000, "{good} read, {bad} did not");
}

/// Changes a text in one place.
fn damage(text: &str, numbers: &mut Numbers) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    if chars.is_empty() {
        return String::new();
    }
    let at = numbers.below(chars.len());
    match numbers.below(6) {
        0 => drop(chars.remove(at)),
        1 => {
            let odd =
                ['%', '"', '{', '}', '[', ']', '(', ',', '=', ':', '\\', 'N', '-', '9', '\u{e9}'];
            chars[at] = odd[numbers.below(odd.len())];
        }
        2 => chars.truncate(at),
        3 | 4 => {
            // Replaces a number.
            let start = (at..chars.len()).find(|&i| chars[i].is_ascii_digit());
            if let Some(start) = start {
                let end = (start..chars.len()).find(|&i| !chars[i].is_ascii_digit());
                let end = end.unwrap_or(chars.len());
                let odd = [
                    "0",
                    "1",
                    "2",
                    "7",
                    "4294967296",
                    "9223372036854775807",
                    "18446744073709551615",
                ];
                let new = odd[numbers.below(odd.len())].chars();
                chars.splice(start..end, new);
            }
        }
        _ => {
            let mut lines: Vec<&str> = text.lines().collect();
            let (i, j) = (numbers.below(lines.len()), numbers.below(lines.len()));
            lines.swap(i, j);
            return lines.join("\n");
        }
    }
    chars.into_iter().collect()
}

#[test]
fn bodies_within_bodies_end_somewhere() {
    let deep = "graph \"g\" { input %0 \"x\": real[1] %1 = scan(%0) {states = 0} \"s\" body ";
    let error = read::<Op>(&deep.repeat(100_000)).expect_err("refused");
    assert_eq!(error.reason, "bodies are nested too deep");
}

fn faulty(build: impl FnOnce(&mut PixelGraph)) -> Fault {
    let mut graph = PixelGraph::new("g");
    build(&mut graph);
    verify(&graph).expect_err("the verifier refuses it")
}

fn ty() -> Type {
    Type::real([Dim::N, Dim::Fixed(2)])
}

#[test]
fn the_verifier_refuses_what_is_broken() {
    let twice = faulty(|g| {
        g.input("x", ty(), Role::Local);
        g.input("x", ty(), Role::Local);
    });
    assert_eq!(twice.to_string(), "two inputs have the name `x`");
    let twice = faulty(|g| {
        let x = g.input("x", ty(), Role::Local);
        g.output("y", x);
        g.output("y", x);
    });
    assert_eq!(twice.to_string(), "two outputs have the name `y`");
    let nameless = faulty(|g| {
        g.input("", ty(), Role::Local);
    });
    assert_eq!(nameless.to_string(), "one of the inputs has no name");
    let nameless = faulty(|g| {
        let x = g.input("x", ty(), Role::Local);
        g.push(Relu.into(), &[x], "", None).expect("fits");
    });
    assert_eq!(nameless.to_string(), "one of the nodes has no name");
    // A value of another graph does not exist in this one.
    let mut other = PixelGraph::new("other");
    let x = other.input("x", ty(), Role::Local);
    let far = other.push(Relu.into(), &[x], "r", None).expect("fits")[0];
    let order = faulty(|g| {
        g.input("x", ty(), Role::Local);
        g.output("y", far);
    });
    assert!(matches!(&order, Fault::Order { node, value } if node == "output y" && *value == far));
}

#[test]
fn the_verifier_looks_into_bodies() {
    let mut body = PixelGraph::new("body");
    let s = body.input("s", ty(), Role::Local);
    let x = body.input("s", ty(), Role::Local);
    let sum = body.push(Add.into(), &[s, x], "sum", None).expect("fits");
    body.output("s", sum[0]);
    let scan = Scan { body: Box::new(body), states: 1, invariants: 0, reverse: false };
    let fault = faulty(|g| {
        let s = g.input("s", ty(), Role::Local);
        let x = g.input("x", Type::real([Dim::Fixed(3), Dim::N, Dim::Fixed(2)]), Role::Local);
        g.push(scan.into(), &[s, x], "loop", None).expect("fits");
    });
    assert_eq!(fault.to_string(), "in the body of `loop`: two inputs have the name `s`");
}

/// A node whose name is taken gets a number. The builder rejects invalid inputs.
#[test]
fn the_builder_keeps_names_apart() {
    let mut graph = PixelGraph::new("g");
    let x = graph.input("x", ty(), Role::Local);
    for _ in 0..3 {
        graph.push(Relu.into(), &[x], "r", None).expect("fits");
    }
    let names: Vec<&str> = graph.nodes().map(|(_, n)| n.name.as_str()).collect();
    assert_eq!(names, ["r", "r_2", "r_3"]);
    verify(&graph).expect("is whole");
    let error = graph.push(Add.into(), &[x], "sum", None).expect_err("refused");
    assert_eq!(error.to_string(), "`sum` (add) takes 2 inputs, got 1");
    assert_eq!(Op::from(Relu).mnemonic(), "relu");
}
