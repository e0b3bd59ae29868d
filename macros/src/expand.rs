//! Expands the macro.

use pixelrnn_graph::{Severity, Source};
use proc_macro2::TokenStream;

use crate::attributes::conditions;
use crate::rebuild::rebuild;
use crate::{editor, head, item, report};

/// Expands the macro: splits off the head, reconstructs and checks the text, and generates the editor's part,
/// the item and the errors.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let (mut head, pieces) = head::split(input);
    let rebuilt = rebuild(pieces);
    let source = Source {
        // At compile time only line numbers are shown; rustc adds the file.
        name: "model!".to_string(),
        text: rebuilt.text.as_str().into(),
        line_offset: rebuilt.line_offset,
    };
    let mut diagnostics = pixelrnn_syntax::check(&source);
    let (model, _) = pixelrnn_syntax::parse(&source.text);
    let conditions = conditions(&head.attributes);
    let (defaults, wrong) = model.as_ref().map(pixelrnn_syntax::defaults).unwrap_or_default();
    // The check may have stopped before it evaluated the defaults, or may have reported their errors itself.
    if !diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        diagnostics.extend(wrong);
    }
    if diagnostics.is_empty() {
        head.errors.extend(head.visibility_error.take());
    }
    // Must be first; see the documentation of `editor`.
    let mut out = editor::support(&head, model.as_ref(), &defaults);
    if let Some(model) = &model {
        out.extend(item::item(&mut head, model, &defaults, &source, &rebuilt));
    }
    out.extend(report::report(&diagnostics, &source, &rebuilt, &conditions));
    for error in head.errors.iter().flatten() {
        out.extend(conditions.clone());
        out.extend(error.into_compile_error());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::expand;

    fn expanded(text: &str) -> String {
        expand(text.parse().expect("tokens")).to_string()
    }

    #[test]
    fn a_model_becomes_a_type() {
        let out = expanded(
            "/// Docs.\npub M { /// Width.\n h: usize = 8 / 2, w: usize = h + 1 }\n\
             image 28 x 28, colours 1, levels 2; stem: masked_conv(7x7, A, 2 * h); logits;",
        );
        for part in [
            "pub struct M {",
            "pub h : :: core :: primitive :: usize",
            "M { h : 4usize , w : 5usize",
            "const NAME : & 'static :: core :: primitive :: str = \"M\"",
            "__names :: statement :: masked_conv",
            "__model . h",
        ] {
            assert!(out.contains(part), "{part}: {out}");
        }
        assert!(!out.contains("compile_error"), "{out}");
    }

    #[test]
    fn the_type_is_there_in_spite_of_errors() {
        let out = expanded("M { h: usize, w: usize = 1 / 0 } image 28; a: relu");
        assert!(out.contains("struct M {"), "{out}");
        assert!(out.contains("h : 1usize , w : 1usize"), "{out}");
        // There is no default for `h`, no `x`, and no `;`.
        assert!(out.matches("compile_error").count() == 3, "{out}");
    }

    #[test]
    fn defaults_are_checked() {
        let out = expanded("M { w: usize = 1 / 0 } image 28 x 28, colours 1, levels 2; relu;");
        assert!(out.contains("`1 / 0` divides by zero"), "{out}");
    }

    #[test]
    fn nothing_is_an_error_too() {
        assert!(expanded("").contains("compile_error"));
        assert!(expanded("pub type {}").contains("keyword of Rust"));
    }

    /// Any tokens expand to Rust that can be parsed.
    #[test]
    fn the_expansion_always_parses() {
        let seed: Vec<&str> =
            "/// D\npub ( crate ) M { /// W\nh : usize = 16 , w : usize = h / 2 } \
            image 28 x 28 , colours 1 , levels 2 ; \
            a : conv ( 7x7 , A , 2 * h , b = w ) ; repeat h { residual { relu ; } } logits ;"
                .split(' ')
                .collect();
        let pieces = [
            "type",
            "self",
            "_",
            "r#type",
            "'a",
            "'c'",
            "\"s\"",
            "pub",
            "crate",
            "in",
            "::",
            "é",
            "1.5",
            "7x7",
            "#[doc = \"d\"]",
            "#![x]",
            "#[derive(Debug, A)]",
            "#[derive]",
            "#[cfg(x)]",
            "#[cfg_attr(x, cfg(y), derive(Copy, Default))]",
            "#[cfg_attr()]",
            "#[pixelrnn(crate = crate::x)]",
            "#[pixelrnn(crate)]",
            "#[= x]",
            "x = y + x.conv(1) ;",
            "(a, b) = c ;",
            ".",
            "//! i\n",
            "image",
            "repeat",
            "( )",
            "{ }",
            "[ ]",
            "h",
            ";",
            ",",
            "=",
            ":",
        ];
        let mut parsed = 0;
        for at in 0..seed.len() {
            for piece in pieces {
                for replaced in 0..3 {
                    let rest = seed.iter().skip(at + replaced);
                    let text: Vec<&str> =
                        seed[..at].iter().chain([&piece]).chain(rest).copied().collect();
                    let Ok(tokens) = text.join(" ").parse() else { continue };
                    let out = expand(tokens);
                    if let Err(error) = syn::parse2::<syn::File>(out.clone()) {
                        panic!("{error}: {text:?}: {out}");
                    }
                    parsed += 1;
                }
            }
        }
        assert!(parsed > 1000, "too few inputs were tokens: {parsed}");
    }
}
