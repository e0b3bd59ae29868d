//! Tests of editor support with rust-analyzer: requests at positions inside a model.
//!
//! ```text
//! cargo test -p pixelrnn-macro-tests --test editor -- --ignored --nocapture
//! ```
//! It needs the program `rust-analyzer` (`rustup component add rust-analyzer`), or its path in the variable
//! `RUST_ANALYZER`. The first run takes half a minute, since rust-analyzer builds the macro. So it does not
//! run by default.

use serde_json::{Value, json};

mod client;

use client::Client;
use pixelrnn_macro_tests as project;

/// Marks the cursor in the texts below.
const CURSOR: char = '|';

/// A model with `statements` between its first and its last layers.
fn file(head: &str, statements: &str) -> String {
    format!(
        "rnn::model! {{\n    /// A model.\n    #[pixelrnn(crate = rnn)]\n    {head}\n\n    \
        image 8 x 8, colours 1, levels 2;\n\n    stem: masked_conv(7 x 7, A, 2 * h);\n    \
        {statements}\n    logits;\n}}\n\nfn main() {{ let _ = Small {{ h: 3, layers: 1 }}; }}\n"
    )
}

const HEAD: &str =
    "pub Small {\n        /// Units.\n        h: usize = 4,\n        layers: usize = 2\n    }";

/// A text with its cursor, and the names that must be offered there (after `!`, names that must not).
const COMPLETIONS: &[(&str, &str)] = &[
    // Statements: layers and blocks, at the beginning and in the middle of a name, after labels, in blocks.
    ("row_l|", "row_lstm"),
    ("row_l|;", "row_lstm"),
    ("masked_c|onv(1 x 1, B, h);", "masked_conv"),
    ("|", "row_lstm repeat residual collect relu !h !None !layers"),
    ("up: |", "row_lstm residual !h"),
    ("up: masked_c|", "masked_conv !main"),
    ("relu; res|", "residual"),
    ("repeat layers { residual { up: masked_c| } }", "masked_conv"),
    ("repeat layers { diag|onal_bilstm(h); }", "diagonal_bilstm"),
    // Arithmetic.
    ("masked_conv(1 x 1, B, 2 * h|);", "h"),
    ("masked_conv(1 x 1, B, 2 * |);", "h layers !relu !None"),
    ("masked_conv(1 x 1, B, 2 * |", "h layers"),
    ("repeat lay| { relu; }", "layers"),
    ("repeat | { relu; }", "layers h"),
    ("masked_conv(2 * lay| + 1 x 1, B, h);", "layers"),
    // Arguments: keywords, names, hyper-parameters.
    ("masked_conv(1 x 1, |, h);", "A B mask features h"),
    ("row_lstm(h, initial = l|);", "learned"),
    ("row_lstm(h, initial = |);", "learned zero !h"),
    ("row_lstm(h, initial = ze|ro);", "zero"),
    ("row_lstm(h, ker|);", "kernel"),
    ("row_lstm(h, ker| = 3);", "kernel"),
    ("row_lstm(h, kernel = lay|);", "layers"),
    ("row_lstm(|);", "h kernel initial"),
    // Maps with names, and layers as methods of maps.
    ("up = x.con|", "conv"),
    ("up = x.con|v(1 x 1, h);", "conv"),
    ("x.masked_c|", "masked_conv"),
    ("x.|", "masked_conv relu !repeat !h"),
    ("upper = x.conv(1 x 1, h); up|", "upper"),
    ("upper = x.conv(1 x 1, h); y = upper + up|;", "upper"),
    ("upper = x.conv(1 x 1, h); residual { upp|.relu(); }", "upper"),
    ("condition label: classes 10; lab|", "label"),
    ("block gated(first, k) { fir| }", "first"),
    ("repeat layers with (first, x) { x.con| }", "conv"),
];

/// The same in the head of the model.
const HEADS: &[(&str, &str)] = &[
    ("pub Small { h: usize = 4, layers: usize = h| }", "h"),
    ("pub Small { h: usize = 4, layers: usize = 2 * | }", "h"),
];

fn labels(answer: &Value) -> Vec<String> {
    let items = answer.get("items").unwrap_or(answer).as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["label"].as_str().unwrap_or("").to_string()).collect()
}

fn complete(client: &mut Client, file: &str) -> Vec<String> {
    let at = file.find(CURSOR).expect("a cursor");
    let text = file.replacen(CURSOR, "", 1);
    client.edit(&text);
    labels(&client.ask("textDocument/completion", &text, at, json!({})))
}

/// Describes what is wrong with the `offered` names.
fn judge(case: &str, expected: &str, offered: &[String]) -> Option<String> {
    let offers = |name: &str| offered.iter().any(|label| label == name);
    let wrong: Vec<&str> = expected
        .split(' ')
        .filter(|name| name.strip_prefix('!').map_or(!offers(name), offers))
        .collect();
    println!("{case}\n    {}", offered.join(" "));
    (!wrong.is_empty()).then(|| format!("{case}\n  wrong: {wrong:?}\n  offered: {offered:?}\n"))
}

#[test]
#[ignore = "needs rust-analyzer; run by hand"]
fn an_editor_understands_a_model() {
    let good = file(
        HEAD,
        "row_lstm(h, initial = learned); masked_conv(1 x 1, B, layers); repeat 2 { relu; }",
    );
    let project = project::write("edited", &project::facade("rnn"), "main.rs", &good);
    let mut client = Client::start(&project, &project::target());
    let mut wrong = Vec::new();

    assert_eq!(client.diagnostics(), [""; 0], "a model without errors");
    navigate(&mut client, &good);
    client.edit(&file(HEAD, "rellu;"));
    let errors = client.diagnostics();
    assert!(errors.len() == 1 && errors[0].contains("did you mean `relu`"), "{errors:?}");

    for (statements, expected) in COMPLETIONS {
        let offered = complete(&mut client, &file(HEAD, statements));
        wrong.extend(judge(statements, expected, &offered));
    }
    for (head, expected) in HEADS {
        let offered = complete(&mut client, &file(head, "relu;"));
        wrong.extend(judge(head, expected, &offered));
    }
    let through = "macro_rules! through { ($($t:tt)*) => { rnn::model! { $($t)* } }; }\nthrough! {";
    for (statements, expected) in COMPLETIONS.iter().take(4) {
        let text = file(HEAD, statements).replacen("rnn::model! {", through, 1);
        wrong.extend(judge(
            &format!("through a macro: {statements}"),
            expected,
            &complete(&mut client, &text),
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Tests hover, go to definition and renaming.
fn navigate(client: &mut Client, text: &str) {
    client.edit(text);
    let at = |part: &str| text.find(part).expect(part);

    let hover = |client: &mut Client, part: &str| {
        let answer = client.ask("textDocument/hover", text, at(part), json!({}));
        answer["contents"]["value"].as_str().unwrap_or("").to_string()
    };
    for (part, said) in [
        ("row_lstm(", "the Row LSTM of section 3.1"),
        ("repeat", "in a row"),
        ("h, initial", "Units."),
        ("layers);", "= 2"),
        ("learned", "initial = zero or learned"),
        ("initial = ", "initial = zero or learned"),
        ("A, 2", "A or B"),
        ("Small", "struct Small"),
    ] {
        let told = hover(client, part);
        assert!(told.contains(said), "{part}: {told}");
    }

    let mut definitions = |part: &str| -> Vec<(String, u64)> {
        let answer = client.ask("textDocument/definition", text, at(part), json!({}));
        let targets = answer.as_array().cloned().unwrap_or_default();
        let place = |target: &Value| {
            let uri = target["uri"].as_str().or(target["targetUri"].as_str()).unwrap_or("");
            let range = target.get("targetSelectionRange").unwrap_or(&target["range"]);
            let name = uri.rsplit('/').next().unwrap_or("").to_string();
            (name, range["start"]["line"].as_u64().unwrap_or(0))
        };
        targets.iter().map(place).collect()
    };
    let line = |part: &str| text[..at(part)].matches('\n').count() as u64;
    assert_eq!(definitions("h, initial"), [("main.rs".to_string(), line("h: usize"))]);
    let layer = definitions("row_lstm(");
    assert!(layer.len() == 1 && layer[0].0 == "row_lstm.rs", "{layer:?}");

    // The declaration, two uses in the layers, one in `main`.
    for from in ["h: usize", "h, initial", "h: 3"] {
        assert_eq!(renamed(client, text, from), 4, "from `{from}`");
    }
    let text = file(HEAD, "upper = x.conv(1 x 1, h); upper = upper + y; upper.relu();");
    client.edit(&text);
    for from in ["upper = x", "upper = u", "upper + y", "upper.relu"] {
        assert_eq!(renamed(client, &text, from), 4, "from `{from}`");
    }
}

/// The number of places that change if the name at `from` is renamed.
fn renamed(client: &mut Client, text: &str, from: &str) -> usize {
    let at = text.find(from).expect(from);
    let answer = client.ask("textDocument/rename", text, at, json!({ "newName": "another" }));
    answer.to_string().matches("\"another\"").count()
}
