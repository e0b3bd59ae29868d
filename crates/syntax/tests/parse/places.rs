//! Checks which text spans mark, in trees with and without errors.

use pixelrnn_graph::{Diagnostic, Source, Span};
use pixelrnn_syntax::ast::{Block, Kind};
use pixelrnn_syntax::{defaults, evaluate, parse};

fn excerpt(text: &str, span: Span) -> String {
    Source::new("test", text).excerpt(span).to_string()
}

#[test]
fn of_statements() {
    let text = "pub(crate) M image 4 x(5+1), colours 1, levels 2; \
        a: f(  7x7 , k = (1 + 2) * (3 - 1) ) ; r: repeat (2) { relu ; } logits;";
    let (model, diagnostics) = parse(text);
    assert_eq!(diagnostics, []);
    let model = model.expect("a model");
    let see = |span| excerpt(text, span);
    assert_eq!(model.visibility.map(see).as_deref(), Some("pub(crate)"));
    assert_eq!(see(model.image.span), "image 4 x(5+1), colours 1, levels 2");
    assert_eq!(see(model.image.width.span()), "5+1");
    let spans: Vec<String> = model.body.iter().map(|s| see(s.span())).collect();
    let expected = ["a: f(  7x7 , k = (1 + 2) * (3 - 1) )", "r: repeat (2) { relu ; }", "logits"];
    assert_eq!(spans, expected);
    let Kind::Layer(call) = &model.body[0].kind else { panic!("a layer") };
    assert_eq!(see(call.span), "f(  7x7 , k = (1 + 2) * (3 - 1) )");
    assert_eq!(see(call.args[0].span()), "7x7");
    assert_eq!(see(call.args[0].value.exprs()[1].span()), "7");
    assert_eq!(see(call.args[1].span()), "k = (1 + 2) * (3 - 1)");
    assert_eq!(see(call.args[1].value.span()), "(1 + 2) * (3 - 1)");
    let Kind::Block(Block { keyword, span, .. }) = &model.body[1].kind else { panic!("a block") };
    assert_eq!(see(keyword.span), "repeat");
    assert_eq!(see(*span), "repeat (2) { relu ; }");
}

/// The tree contains the parts that an editor completes, although the text is not finished.
#[test]
fn of_what_is_being_written() {
    let cases = [
        ("stem: mas\n body: repeat 3 { relu; }", "mas"),
        ("repeat 2 { residual { mas } } logits;", "mas"),
        ("stem: mas(7 x 7, A, 2 * ", "mas"),
        ("stem: mas(7 x 7, A, 2 * \n body: repeat 3 { relu; }", "mas"),
        ("repeat { mas; }", "mas"),
        ("repat 2 { mas; }", "mas"),
        ("relu; mas", "mas"),
    ];
    for (text, name) in cases {
        let text = format!("M image 1 x 1, colours 1, levels 2; {text}");
        let (model, diagnostics) = parse(&text);
        assert!(!diagnostics.is_empty(), "{text}");
        let tree = format!("{:?}", model.expect("a model"));
        assert!(tree.contains(&format!("Call {{ name: Ident {{ text: \"{name}\"")), "{text}");
    }
}

/// The text, the marked excerpt, the message, the help.
type Case = (&'static str, &'static str, &'static str, Option<&'static str>);

#[test]
fn of_defaults() {
    let cases: [Case; 6] = [
        (
            "a: usize = 2, b: usize = 1 - a",
            "1 - a",
            "`1 - 2` is negative",
            Some("sizes are whole numbers, 0 or larger"),
        ),
        (
            "a: usize = 3 / (2 - 2) + 1",
            "3 / (2 - 2)",
            "`3 / 0` divides by zero",
            Some("divide by 1 or more"),
        ),
        (
            "a: usize = 18446744073709551615 * 2",
            "18446744073709551615 * 2",
            "`18446744073709551615 * 2` is too large",
            Some("numbers go up to 18446744073709551615"),
        ),
        (
            "a: usize = b + 1, b: usize = 1",
            "b",
            "`b` is not known yet",
            Some("a default may use only the hyper-parameters before it"),
        ),
        (
            "layers: usize = 2, b: usize = 2 * leyers",
            "leyers",
            "unknown hyper-parameter `leyers`",
            Some("did you mean `layers`?"),
        ),
        ("h: usize = A", "A", "unknown hyper-parameter `A`", Some("expected a number")),
    ];
    for (fields, at, message, help) in cases {
        let text = format!("M {{ {fields} }} image 1 x 1, colours 1, levels 2;");
        let (model, diagnostics) = parse(&text);
        assert_eq!(diagnostics, []);
        let model = model.expect("a model");
        let (values, diagnostics) = defaults(&model);
        assert_eq!(values.len(), model.fields.len());
        let [Diagnostic { message: said, primary, help: helped, .. }] = &diagnostics[..] else {
            panic!("{text}: {diagnostics:?}")
        };
        assert_eq!(said, message);
        assert_eq!(excerpt(&text, primary.span), at, "{text}");
        assert_eq!(helped.as_deref(), help, "{text}");
    }
}

#[test]
fn evaluate_knows_its_scope() {
    let (model, _) = parse("M image h x 2 * (h - w), colours 1, levels 2;");
    let image = model.expect("a model").image;
    let scope = [("h", 8), ("w", 3)];
    assert_eq!(evaluate(&image.height, &scope), Ok(8));
    assert_eq!(evaluate(&image.width, &scope), Ok(10));
    let unknown = evaluate(&image.width, &[("v", 3)]).expect_err("h is not known");
    assert_eq!(unknown.help.as_deref(), Some("the hyper-parameters are: v"));
}
