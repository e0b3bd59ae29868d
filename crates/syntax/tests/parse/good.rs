//! Texts that parse, and what they mean. Trees are printed with every parenthesis.

use pixelrnn_syntax::ast::{Arg, ArgValue, Call, Expr, Kind, Model, Statement};
use pixelrnn_syntax::{defaults, parse};

/// The beginning of most texts.
const HEAD: &str = "M { h: usize = 16, w: usize = h / 3 } image 28 x 28, colours 1, levels 2;";

fn model(text: &str) -> Model {
    let (model, diagnostics) = parse(text);
    assert_eq!(diagnostics, [], "{text}");
    model.unwrap_or_else(|| panic!("no model: {text}"))
}

fn expr(e: &Expr) -> String {
    match e {
        Expr::Int { value, .. } => value.to_string(),
        Expr::Name(name) => name.text.clone(),
        Expr::Binary { op, left, right, .. } => {
            format!("({} {} {})", expr(left), op.symbol(), expr(right))
        }
        Expr::Call(call) => self::call(call),
        Expr::Method { receiver, call } => format!("{}.{}", expr(receiver), self::call(call)),
    }
}

fn call(call: &Call) -> String {
    let args: Vec<String> = call.args.iter().map(arg).collect();
    format!("{}({})", call.name.text, args.join(", "))
}

fn arg(arg: &Arg) -> String {
    let value = match &arg.value {
        ArgValue::Expr(e) => expr(e),
        ArgValue::Kernel { height, width } => format!("{}x{}", expr(height), expr(width)),
    };
    arg.name.as_ref().map_or(value.clone(), |name| format!("{}={value}", name.text))
}

fn body(statements: &[Statement]) -> String {
    statements.iter().map(statement).collect::<Vec<_>>().join(" ")
}

fn statement(statement: &Statement) -> String {
    let kind = match &statement.kind {
        Kind::Layer(layer) => call(layer),
        Kind::Value(value) => expr(value),
        Kind::Values(values, _) => {
            format!("({})", values.iter().map(expr).collect::<Vec<_>>().join(", "))
        }
        Kind::Block(block) => {
            let count = block.count.as_ref().map_or(String::new(), |count| expr(count) + " ");
            let with: Vec<&str> = block.with.iter().map(|name| name.text.as_str()).collect();
            let with = if with.is_empty() { String::new() } else { format!("{with:?} ") };
            format!("{:?} {count}{with}{{ {} }}", block.kind, body(&block.body))
        }
    };
    let kind = statement.targets.as_ref().map_or(kind.clone(), |targets| {
        let names: Vec<&str> = targets.names.iter().map(|name| name.text.as_str()).collect();
        match targets.tuple {
            true => format!("({}) = {kind}", names.join(", ")),
            false => format!("{} = {kind}", names.join(", ")),
        }
    });
    statement.label.as_ref().map_or(kind.clone(), |label| format!("{}: {kind}", label.text))
}

#[test]
fn bodies() {
    let cases = [
        ("", ""),
        ("relu; logits;", "relu() logits()"),
        ("relu();", "relu()"),
        ("stem: masked_conv(7 x 7, A, 2 * h);", "stem: masked_conv(7x7, A, (2 * h))"),
        ("conv(7x7);", "conv(7x7)"),
        ("conv(7x 7); conv(7 x7); conv(1_1x1_1);", "conv(7x7) conv(7x7) conv(11x11)"),
        (
            "conv(h x w); conv(7xh); conv(h x7); conv(hx7);",
            "conv(hxw) conv(7xh) conv(hx7) conv(hx7)",
        ),
        ("conv(2 * h x w + 1);", "conv((2 * h)x(w + 1))"),
        ("conv(x x x, x);", "conv(xxx, x)"),
        ("conv((h) x (w));", "conv(hxw)"),
        ("f(1 + 2 * 3 - 4 / 2);", "f(((1 + (2 * 3)) - (4 / 2)))"),
        ("f(1 - 2 - 3, (1 + 2) * 3,);", "f(((1 - 2) - 3), ((1 + 2) * 3))"),
        ("f(2, A, bias = zero, size = 3 x 3);", "f(2, A, bias=zero, size=3x3)"),
        ("repeat h { relu; }", "Repeat h { relu() }"),
        ("repeat 2 * (h - 1) { }", "Repeat (2 * (h - 1)) {  }"),
        (
            "body: repeat 3 { residual { a: f(h); b; } } collect { g; } block { }",
            "body: Repeat 3 { Residual { a: f(h) b() } } Collect { g() } Plain {  }",
        ),
        ("image: relu; repeat: relu; x: x;", "image: relu() repeat: relu() x: x()"),
        ("// a comment\nrelu; /* and /* another */ ; */ logits; // the end", "relu() logits()"),
        ("y = x.f(3 x 3).g + h(2) * z;", "y = (x.f(3x3).g() + (h(2) * z))"),
        ("up: v.above(k x k, A, 2 * p);", "up: v.above(kxk, A, (2 * p))"),
        ("(v, x) = gated(image, image, 7, A);", "(v, x) = gated(image, image, 7, A)"),
        ("first: (v, x) = gated(v, x,);", "first: (v, x) = gated(v, x)"),
        ("(a + b).relu(); x.relu;", "(a + b).relu() x.relu()"),
        ("f(x, bias = m.conv(1 x 1, 4 * h) + n);", "f(x, bias=(m.conv(1x1, (4 * h)) + n))"),
        (
            "repeat h with (v, x) { (v, y) = g(v, x); (v, x + y) }",
            "Repeat h [\"v\", \"x\"] { (v, y) = g(v, x) (v, (x + y)) }",
        ),
        ("repeat 2 with (x) { x.relu() } relu;", "Repeat 2 [\"x\"] { x.relu() } relu()"),
        ("scale small: every 2 { relu; } relu;", "small: Scale 2 { relu() } relu()"),
        (
            "scale: relu; condition: relu; block: f(2);",
            "scale: relu() condition: relu() block: f(2)",
        ),
        ("//// four slashes are a plain comment\nrelu; /*** so are stars ***/ /**/", "relu()"),
    ];
    for (text, expected) in cases {
        let text = format!("{HEAD} {text}");
        assert_eq!(body(&model(&text).body), expected, "{text}");
    }
}

#[test]
fn conditions_and_blocks() {
    let model = model(&format!(
        "{HEAD} condition label: classes h; block b(v, k) {{ up = v.f(k x k); (up, v) }} relu;"
    ));
    let condition = &model.conditions[0];
    assert_eq!((condition.name.text.as_str(), expr(&condition.number)), ("label", "h".into()));
    let block = &model.definitions[0];
    let names: Vec<&str> = block.parameters.iter().map(|name| name.text.as_str()).collect();
    assert_eq!((block.name.text.as_str(), names), ("b", vec!["v", "k"]));
    assert_eq!(body(&block.body), "up = v.f(kxk) (up, v)");
    assert_eq!(body(&model.body), "relu()");
}

#[test]
fn heads() {
    let image = "image 2 * h x 28, colours 3, levels 1 + 1;";
    for (head, name, fields) in [
        ("M", "M", ""),
        ("M;", "M", ""),
        ("pub M { }", "M", ""),
        ("pub(crate) M { h: usize = 1_000 };", "M", "h=1000"),
        ("pub(in crate::a::b) M { h: usize = 2, }", "M", "h=2"),
        ("Image { x: usize = 2, y: usize = 3 * x, z: usize = y - x }", "Image", "x=2 y=6 z=4"),
        ("M { image: usize = 7, colours: usize = image / 2 }", "M", "image=7 colours=3"),
    ] {
        let model = model(&format!("{head} {image}"));
        assert_eq!(model.name.text, name);
        let (values, diagnostics) = defaults(&model);
        assert_eq!(diagnostics, [], "{head}");
        let pairs = model.fields.iter().zip(values);
        let pairs: Vec<String> = pairs.map(|(f, v)| format!("{}={v}", f.name.text)).collect();
        assert_eq!(pairs.join(" "), fields);
        assert_eq!(expr(&model.image.height), "(2 * h)");
        assert_eq!(expr(&model.image.levels), "(1 + 1)");
    }
}

#[test]
fn doc_comments() {
    let text = "\u{feff}/// One.\r\n/// Two \"quoted\".\n/** Three\n four */\n#[doc = \"five \\\"\\u{e9}\\x41\\\n      six\"]
        # [ doc = r#\"sev\"en\"# ]
        pub M { /// Width.\n h: usize = 1, #[doc=\"Depth.\"] d: usize = 2 }
        image 1x1, colours 1, levels 2;";
    let model = model(text);
    let expected = [" One.", " Two \"quoted\".", " Three", " four ", "five \"éAsix", "sev\"en"];
    assert_eq!(model.docs, expected);
    assert_eq!(model.fields[0].docs, [" Width."]);
    assert_eq!(model.fields[1].docs, ["Depth."]);
}

#[test]
fn the_front_page_example() {
    let model = model(
        "/// Diagonal BiLSTM on binarized MNIST: the paper's best.
        pub MnistDiagonal { h: usize = 16, layers: usize = 7 }

        image 28 x 28, colours 1, levels 2;

        stem: masked_conv(7 x 7, A, 2 * h);
        body: repeat layers {
            residual { lstm: diagonal_bilstm(h); up: masked_conv(1 x 1, B, 2 * h); }
        }
        head: relu; hidden: masked_conv(1 x 1, B, 32); relu; logits;",
    );
    let expected = "stem: masked_conv(7x7, A, (2 * h)) \
        body: Repeat layers { Residual { lstm: diagonal_bilstm(h) \
        up: masked_conv(1x1, B, (2 * h)) } } \
        head: relu() hidden: masked_conv(1x1, B, 32) relu() logits()";
    assert_eq!(body(&model.body), expected);
}
