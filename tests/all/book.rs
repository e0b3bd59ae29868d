//! The book in `docs`. Its tables are generated from the tables of the code, its models compile, and its
//! links lead to files that exist.
//!
//! A chapter marks what is generated: `<!-- generated: NAME -->`, the text, `<!-- end -->`.
//! `PIXELRNN_BLESS=1` rewrites these sections. The commands of the book are tested in
//! `crates/cli/tests/all/book.rs`, its Rust code as documentation tests of the crate `pixelrnn`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pixelrnn::internal::graph::{Condition, Elem, OutputRole, Role, Type};
use pixelrnn::internal::onnx::OnnxGraph;
use pixelrnn::internal::ops::condition::Source as ValueSource;
use pixelrnn::internal::ops::{ConditionKind, PixelGraph};
use pixelrnn::internal::passes::pipeline::{LOWERING, MAKING};
use pixelrnn::internal::syntax::layers::{Default as Preset, Kind, LAYERS, Layer};
use pixelrnn::training::data;
use pixelrnn::{Declaration, ExportOptions, GraphKind, RULES, SampleOptions, Source};

use crate::common::{root, zoo};

/// The chapters, by file name.
fn chapters() -> BTreeMap<String, String> {
    let folder = root().join("docs/src");
    let entries = fs::read_dir(&folder).expect("the book").map(|e| e.expect("an entry").path());
    let pages = entries.filter(|path| path.extension().is_some_and(|e| e == "md"));
    pages
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("a chapter"))
        })
        .collect()
}

/// Formats 1234567 as 1,234,567.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a table in Markdown.
fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.map(String::from)) + &format!("|{}\n", "---|".repeat(N));
    rows.into_iter().for_each(|row| text.push_str(&line(&row)));
    text
}

/// Generates one row for each argument of each layer.
fn arguments() -> String {
    let rows = LAYERS.iter().flat_map(|layer| {
        let name = format!("`{}`", layer.name);
        if layer.parameters.is_empty() {
            return vec![[name, "none".into(), String::new(), String::new()]];
        }
        let row = |parameter: &pixelrnn::internal::syntax::layers::Parameter| {
            let value = match parameter.kind {
                Kind::Kernel { odd: true } => "height x width, both odd".to_string(),
                Kind::Kernel { odd: false } => "height x width".to_string(),
                Kind::Number => "a number, at least 1".to_string(),
                Kind::Odd => "an odd number".to_string(),
                Kind::Word(words) => {
                    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(" or ")
                }
                Kind::Map => "a map".to_string(),
            };
            let default = match (parameter.default, parameter.kind) {
                (Preset::Required, _) => "required".to_string(),
                (Preset::Number(n), _) => format!("`{n}`"),
                (Preset::Word(i), Kind::Word(words)) => format!("`{}`", words[i]),
                _ => "left out".to_string(),
            };
            [name.clone(), format!("`{}`", parameter.name), value, default]
        };
        layer.parameters.iter().map(row).collect()
    });
    table(["layer", "argument", "value", "default"], rows)
}

/// A call of a layer with its required arguments only.
fn call(layer: &Layer) -> String {
    let required = layer.parameters.iter().filter(|p| p.default == Preset::Required);
    let values = required.map(|parameter| match parameter.kind {
        Kind::Kernel { odd: true } => "3 x 3",
        Kind::Kernel { odd: false } => "2 x 2",
        Kind::Number | Kind::Odd => "4",
        Kind::Word(words) => words[words.len() - 1],
        Kind::Map => "map",
    });
    let values: Vec<&str> = values.collect();
    match values.is_empty() {
        true => layer.name.to_string(),
        false => format!("{}({})", layer.name, values.join(", ")),
    }
}

/// Generates the shape of each layer's result for a map of 6 features, and the layer's weights.
fn weights() -> String {
    let rows = LAYERS.iter().map(|layer| {
        let call = call(layer);
        let head = "pub M image 8 x 8, colors 1, levels 17;\nstem: masked_conv(3 x 3, A, 6);\n";
        let tail = if layer.terminal { "" } else { "end: logits;" };
        // A skip connection needs a `collect` block whose result has the same number of features.
        let collected = "collect { L: CALL; back: masked_conv(1 x 1, B, 4); }";
        let bodies = ["L: CALL;", collected].map(|body| body.replace("CALL", &call));
        let [plain, collected] = bodies.map(|body| format!("{head}{body}\n{tail}"));
        // A result of another size is not the last layer's.
        let aside = format!("{head}L: {call};\nend: stem.logits;");
        let texts = [plain, collected, aside];
        let mut models = texts
            .iter()
            .map(|text| Declaration::from_source(Source::new("table", text.clone()), &[]));
        let model = models.find_map(Result::ok).unwrap_or_else(|| panic!("{}", texts[0]));
        let graph = model.graph();
        let mut made = graph.nodes().filter(|(id, _)| {
            let path = graph.layer_of(*id).unwrap_or_default();
            path == "L" || path.starts_with("L.") || path.starts_with("L/")
        });
        let result = made.next_back().map(|(_, node)| graph.ty(node.outputs[0]));
        let result = match layer.name {
            // Its result is its input.
            "skip" => "[N, 6, 8, 8]".to_string(),
            _ => shape(result.unwrap_or_else(|| panic!("{call} makes nothing"))),
        };
        let weights: Vec<String> = model
            .parameter_shapes()
            .into_iter()
            .filter_map(|(name, shape)| Some(format!("`{} {shape:?}`", name.strip_prefix("L.")?)))
            .collect();
        let weights = if weights.is_empty() { "none".to_string() } else { weights.join(", ") };
        [format!("`{call}`"), format!("`{result}`"), weights]
    });
    table(["call", "result", "weights"], rows)
}

fn shape(ty: &Type) -> String {
    let extents: Vec<String> = ty.shape.iter().map(|dim| dim.to_string()).collect();
    format!("[{}]", extents.join(", "))
}

/// Generates the table of update rules.
fn rules() -> String {
    let code = |items: Vec<String>| match items.is_empty() {
        true => "none".to_string(),
        false => items.join(", "),
    };
    let number = |x: f64| if x < 1e-3 { format!("{x:e}") } else { x.to_string() };
    let rows = RULES.iter().map(|rule| {
        let settings = rule.settings.iter().map(|&(name, x)| format!("`{name}` {}", number(x)));
        let slots = rule.slots.iter().map(|slot| format!("`p.{slot}`"));
        let counters = rule.counters.iter().map(|(name, _)| format!("`{name}`"));
        [
            format!("`{}`", rule.name),
            rule.about.to_string(),
            number(rule.usual_rate),
            code(settings.collect()),
            code(slots.chain(counters).collect()),
        ]
    });
    table(["rule", "what it is", "learning rate", "settings", "states"], rows)
}

/// Generates the table of the zoo.
fn models() -> String {
    let rows = pixelrnn::zoo::ZOO.iter().map(|entry| {
        let model = zoo(entry.name, &[]);
        let image = model.image();
        let parts = ["height", "width", "colors", "colours", "levels"];
        let settings = model.settings().iter().filter(|(name, _)| !parts.contains(&name.as_str()));
        let settings: Vec<String> = settings.map(|(name, n)| format!("{name} = {n}")).collect();
        let size = format!(
            "{} x {} x {}, {} levels",
            image.height, image.width, image.colours, image.levels
        );
        let classes = model.label().map_or(String::new(), |(_, n)| format!(", {n} classes"));
        let scales = match model.scales().len() {
            1 => String::new(),
            n => format!(", {n} scales"),
        };
        [
            format!("`{}`", entry.name),
            model.doc().to_string(),
            size + &classes + &scales,
            settings.join(", "),
            grouped(model.parameters()),
            entry.paper.to_string(),
        ]
    });
    table(["model", "what it is", "image", "settings", "parameters", "paper, test set"], rows)
}

/// Generates the table of passes, in order.
fn passes() -> String {
    let part = |name: &str, passes: &'static [pixelrnn::internal::passes::pipeline::Pass]| {
        let name = name.to_string();
        passes
            .iter()
            .map(move |pass| [name.clone(), format!("`{}`", pass.name), pass.about.to_string()])
    };
    table(["part", "pass", "what it does"], part("make", MAKING).chain(part("lower", LOWERING)))
}

/// The meaning of an input.
fn meaning(role: Role, name: &str, levels: usize) -> String {
    match role {
        Role::State if name == "begun" => "0 before the first row, then 1".into(),
        Role::State if name.starts_with("state.") => {
            "for the first pixel of a row what `row` gave, then `.next` of the last `step`".into()
        }
        Role::State if name.starts_with("row.") => {
            "the slice of this pixel of what `row` gave".into()
        }
        Role::State if name.starts_with("done.") => {
            "what the `step`s of the last row gave, stacked".into()
        }
        Role::Image => format!("levels: whole numbers from 0 to {} as floats", levels - 1),
        Role::Condition(Condition::Given { .. }) => {
            ConditionKind::of(role).expect("a kind of the table").about()
        }
        Role::Condition(Condition::Scale { factor }) => {
            format!("one of {factor} pixels of one of {factor} rows, as levels")
        }
        Role::Uniform => "uniform random numbers, at least 0 and below 1".into(),
        Role::Given => "levels to keep where `mask` says so".into(),
        Role::Kept => "above 0.5: keep the level given; otherwise draw it".into(),
        Role::Parameter(_) => "a weight".into(),
        Role::State => "carried from call to call".into(),
        Role::Rate => "the learning rate of this step".into(),
        Role::Gradient => "the gradient of the loss with respect to `p`".into(),
        Role::Local => "carried from call to call".into(),
    }
}

/// The meaning of an output.
fn result<D: std::fmt::Debug>(role: &OutputRole<D>, name: &str, levels: usize) -> String {
    match role {
        OutputRole::Likelihood => "negative log-likelihood, nats per image".into(),
        OutputRole::Loss => "mean of `nll` over the batch, nats per image".into(),
        OutputRole::Gradient => "gradient of `loss` with respect to `p`".into(),
        OutputRole::Image => format!("levels, 0 to {}, as floats", levels - 1),
        _ if name == "pixel" => format!("levels, 0 to {}, as floats", levels - 1),
        _ if name.ends_with(".next") => "the input without `.next` in the next call".into(),
        _ if name.starts_with("done.") => "for the next `row`, stacked over the pixels".into(),
        _ if name.starts_with("row.") => "one slice for each `step` of the row".into(),
        _ if name.starts_with("state.") => "for the first `step` of the row".into(),
        _ if name.ends_with("logits") => "unnormalized log-probabilities of the levels".into(),
        _ if name.ends_with("parameters") => {
            "logits of the weights, means, logarithms of the scales".into()
        }
        _ => panic!("what is the output `{name}`?"),
    }
}

/// Generates the inputs and outputs of a graph: `KIND MODEL [complete]`.
fn graph(words: &[&str]) -> String {
    let kind: GraphKind = words[0].parse().expect("a kind of graph");
    let small = match zoo(words[1], &[]).settings().iter().any(|(name, _)| name == "layers") {
        true => vec![("layers", 1)],
        false => vec![],
    };
    let model = zoo(words[1], &small);
    let weights = model.initialize(0);
    let sample = SampleOptions { complete: words.contains(&"complete"), ..Default::default() };
    let options = ExportOptions {
        weights: (!kind.trains()).then_some(&weights),
        sample,
        ..ExportOptions::default()
    };
    let onnx = model.compile(kind, &options, &mut |_, _| {}).expect("a graph");
    let names: Vec<&str> = model.parameter_shapes().iter().map(|(name, _)| *name).collect();
    endpoints(&onnx, &names, model.image().levels)
}

/// Generates rows for inputs and outputs. Those that exist for each parameter become one row.
fn endpoints(onnx: &OnnxGraph, parameters: &[&str], levels: usize) -> String {
    let elem = |ty: &Type| match ty.elem {
        Elem::Real => "float32",
        Elem::Int => "int64",
        Elem::Bool => "bool",
        Elem::F16 => "float16",
        Elem::Bf16 => "bfloat16",
        Elem::Int8 => "int8",
        Elem::Byte => "uint8",
    };
    // `stem.weight.square.next` is `p.square.next`.
    let general = |name: &str| {
        let of = parameters.iter().filter(|p| {
            name.strip_prefix(**p).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let longest = of.max_by_key(|p| p.len())?;
        Some(format!("p{}", &name[longest.len()..]))
    };
    let inputs = onnx.inputs().iter().map(|input| {
        ("in", &input.name, onnx.ty(input.value), meaning(input.role, &input.name, levels))
    });
    let outputs = onnx.outputs().iter().map(|output| {
        ("out", &output.name, onnx.ty(output.value), result(&output.role, &output.name, levels))
    });
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for (way, name, ty, what) in inputs.chain(outputs) {
        let row = match general(name) {
            Some(general) => {
                if !seen.insert((way, general.clone())) {
                    continue;
                }
                let name = format!("`{general}` for each parameter `p`");
                [way.to_string(), name, elem(ty).into(), "as `p`".into(), what]
            }
            None => [
                way.to_string(),
                format!("`{name}`"),
                elem(ty).into(),
                format!("`{}`", shape(ty)),
                what,
            ],
        };
        rows.push(row);
    }
    table(["", "name", "type", "shape", "meaning"], rows)
}

/// Generates the messages of invalid declarations, one for each test case.
fn errors() -> String {
    let folder = root().join("tests/errors");
    let entries = fs::read_dir(&folder).expect("test cases").map(|e| e.expect("an entry").path());
    let mut cases: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    cases.sort();
    let rows = cases.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("a message");
        let first = |mark: &str| {
            let line = text.lines().find_map(|line| line.trim_start().strip_prefix(mark));
            line.unwrap_or_default().replace('|', "\\|")
        };
        let case = path.file_stem().expect("a name").to_string_lossy().into_owned();
        [first("error: "), first("= help: "), format!("`{case}`")]
    });
    table(["error", "help", "test case"], rows)
}

/// Generates the table of the kinds of conditions.
fn conditions() -> String {
    let code = |text: String| format!("`{text}`");
    let row = |kind: &ConditionKind| {
        let example = kind.example();
        let number = example.trim_end_matches(';').rsplit(' ').next().expect("a number");
        let kind = kind.with_number(number.parse().expect("a number"));
        let mut graph = PixelGraph::new("example");
        let ty = kind.ty([8, 8]);
        let input = graph.input("given", ty.clone(), kind.role());
        let map = kind.map(&mut graph, input, "given").expect("a map");
        let given = match kind.source() {
            ValueSource::Labels => "the labels of the data; `--label K`",
            ValueSource::Array => "an array of the data with its name; `--condition NAME=FILE.npy`",
        };
        let elem = match ty.elem {
            Elem::Int => "int64",
            _ => "float32",
        };
        [
            code(example.to_string()),
            kind.about(),
            format!("{elem} `{}`", shape(&ty)),
            code(shape(graph.ty(map))),
            given.to_string(),
        ]
    };
    let head = ["declaration", "values", "input, for 8 x 8 pixels", "map", "given by"];
    table(head, ConditionKind::ALL.iter().map(row))
}

/// Generates the text of a section.
fn generated(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    match words[0] {
        "arguments" => arguments(),
        "weights" => weights(),
        "rules" => rules(),
        "zoo" => models(),
        "passes" => passes(),
        "conditions" => conditions(),
        "graph" => graph(&words[1..]),
        "errors" => errors(),
        "data" => format!("```text\n{}```\n", data::help()),
        _ => panic!("nothing generates `{name}`"),
    }
}

#[test]
fn generated_sections_come_from_the_code() {
    const BEGIN: &str = "\n<!-- generated: ";
    const END: &str = "<!-- end -->\n";
    let bless = std::env::var_os("PIXELRNN_BLESS").is_some();
    let mut wrong = String::new();
    let mut used = BTreeSet::new();
    for (chapter, text) in chapters() {
        let mut new = String::new();
        let mut rest = text.as_str();
        while let Some(begin) = rest.find(BEGIN) {
            let (before, section) = rest.split_at(begin + 1);
            let (head, section) = section.split_once('\n').expect("a line");
            let name = head[BEGIN.len() - 1..].trim_end_matches("-->").trim();
            let end = section.find(END).unwrap_or_else(|| panic!("{chapter}: no end of {name}"));
            used.insert(name.split(' ').next().unwrap_or_default().to_string());
            let expected = format!("\n{}\n", generated(name));
            if section[..end] != expected {
                let _ = writeln!(wrong, "docs/src/{chapter}: the section `{name}` is not current");
            }
            new.push_str(&format!("{before}{head}\n{expected}{END}"));
            rest = &section[end + END.len()..];
        }
        new.push_str(rest);
        if bless && new != text {
            fs::write(root().join("docs/src").join(&chapter), new).expect("a chapter");
        }
    }
    let all =
        ["arguments", "weights", "rules", "zoo", "passes", "conditions", "graph", "errors", "data"];
    for name in all {
        assert!(used.contains(name), "no chapter has the generated section `{name}`");
    }
    assert!(
        bless || wrong.is_empty(),
        "{wrong}`PIXELRNN_BLESS=1 cargo test -p pixelrnn --test all book` rewrites them"
    );
}

/// The code blocks of a text: the words after the fence, and the content.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((info.to_string(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, block))) => *block += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without end");
    blocks
}

/// A block `pixelrnn` is a whole model; `pixelrnn,body` lacks the head; `pixelrnn,part` also lacks the first
/// and last layers. A block with `leaks` is a model that must be rejected because it leaks.
#[test]
fn models_of_the_book_are_causal() {
    let mut count = 0;
    for (chapter, text) in chapters() {
        for (info, block) in blocks(&text) {
            let mut words = info.split(',');
            if words.next() != Some("pixelrnn") {
                continue;
            }
            let words: Vec<&str> = words.collect();
            let part = words.contains(&"part");
            let mut model = block.clone();
            if part || words.contains(&"body") {
                let label = match block.contains("label") && !block.contains("condition ") {
                    true => "condition label: classes 10;\n",
                    false => "",
                };
                model = format!(
                    "M {{ h: usize = 6, layers: usize = 2 }}\nimage 8 x 8, colors 1, levels 17;\n\
                     {label}{block}"
                );
            }
            if part {
                model.push_str("relu; logits;\n");
            }
            let source = Source::new(chapter.clone(), model.clone());
            let declared = Declaration::from_source(source, &[])
                .unwrap_or_else(|e| panic!("{chapter}: {e}\n{model}"));
            let proof = declared.prove();
            let leaks = words.contains(&"leaks");
            assert_eq!(proof.is_err(), leaks, "{chapter}: {:?}\n{model}", proof.err());
            count += 1;
        }
    }
    assert!(count >= 8, "{count} models");
}

/// The anchors of a page, as GitHub and mdbook derive them from headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        let Some(title) = line.trim_start_matches('#').strip_prefix(' ') else { continue };
        if fenced || !line.starts_with('#') {
            continue;
        }
        let kept = title.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    found
}

#[test]
fn links_lead_somewhere() {
    let mut pages: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from).to_vec();
    pages.extend(chapters().into_keys().map(|name| Path::new("docs/src").join(name)));
    let mut wrong = Vec::new();
    for page in pages {
        let text = fs::read_to_string(root().join(&page)).expect("a page");
        for (start, _) in text.match_indices("](") {
            let link = text[start + 2..].split(')').next().unwrap_or_default();
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => root().join(&page),
                file => root().join(&page).parent().expect("a folder").join(file),
            };
            if !target.exists() {
                wrong.push(format!("{}: there is no {link}", page.display()));
            } else if !anchor.is_empty() {
                let target = fs::read_to_string(&target).expect("a page");
                if !anchors(&target).contains(anchor) {
                    wrong.push(format!("{}: no heading for {link}", page.display()));
                }
            }
            // Links of the book must stay inside the book: mdbook does not copy other files.
            if page.starts_with("docs/src") && file.starts_with("..") {
                wrong.push(format!("{}: {link} is outside of the book", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_out() {
    let chapters = chapters();
    for kind in GraphKind::ALL {
        let section = format!("<!-- generated: graph {kind} ");
        assert!(chapters["graphs.md"].contains(&section), "graphs.md has no table of `{kind}`");
    }
    let source = fs::read_to_string(root().join("crates/pixelrnn/src/blocks.rs")).expect("a file");
    for word in source.lines().filter_map(|line| line.strip_prefix("pub struct ")) {
        let word = word.trim_end_matches(';');
        assert!(chapters["language.md"].contains(word), "language.md does not tell of `{word}`");
    }
}

#[test]
fn rust_code_is_tested() {
    let tests = fs::read_to_string(root().join("crates/pixelrnn/src/lib.rs")).expect("a file");
    for (name, text) in chapters() {
        if blocks(&text).iter().any(|(info, _)| info.split(',').any(|word| word == "rust")) {
            assert!(
                tests.contains(&format!("docs/src/{name}")),
                "{name} is not a documentation test"
            );
        }
    }
}

#[test]
fn every_chapter_is_in_the_summary() {
    let chapters = chapters();
    let summary = &chapters["SUMMARY.md"];
    for name in chapters.keys().filter(|name| *name != "SUMMARY.md") {
        assert_eq!(summary.matches(&format!("({name})")).count(), 1, "{name}");
    }
}
