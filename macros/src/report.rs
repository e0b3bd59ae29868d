//! Converts diagnostics to code, which is the only way for a macro to report them on stable Rust.

use pixelrnn_graph::{Diagnostic, Severity, Source};
use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use crate::rebuild::Rebuilt;

/// Generates a `compile_error!` for every error, and the use of a deprecated item for every warning. Each has
/// the `#[cfg(...)]` of the model.
pub(crate) fn report(
    diagnostics: &[Diagnostic],
    source: &Source,
    rebuilt: &Rebuilt,
    conditions: &TokenStream,
) -> TokenStream {
    let report = |diagnostic: &Diagnostic| {
        let (start, end) = rebuilt.spans(diagnostic.primary.span);
        let text = text(diagnostic, source);
        let item = match diagnostic.severity {
            Severity::Error => compile_error(start, end, &text),
            Severity::Warning => warning(start, &text),
        };
        quote!(#conditions #item)
    };
    diagnostics.iter().map(report).collect()
}

/// The message, and then the remarks, one per line.
fn text(diagnostic: &Diagnostic, source: &Source) -> String {
    let mut lines = vec![diagnostic.message.clone()];
    if !diagnostic.primary.text.is_empty() {
        lines.push(diagnostic.primary.text.clone());
    }
    for label in &diagnostic.secondary {
        let (line, _) = source.position(label.span.start);
        lines.push(format!("  note: line {line}: {}", label.text));
    }
    lines.extend(diagnostic.help.iter().map(|help| format!("help: {help}")));
    lines.join("\n")
}

/// Generates `::core::compile_error! { "..." }`. rustc underlines it from its first token to its last.
fn compile_error(start: Span, end: Span, message: &str) -> TokenStream {
    let mut literal = Literal::string(message);
    literal.set_span(end);
    let mut group = Group::new(Delimiter::Brace, TokenTree::Literal(literal).into());
    group.set_span(end);
    let mut out = quote_spanned!(start=> ::core::compile_error!);
    out.extend([TokenTree::Group(group)]);
    out
}

/// Generates the use of a deprecated item. rustc warns about it and prints the note.
fn warning(span: Span, message: &str) -> TokenStream {
    let name = proc_macro2::Ident::new("model", span);
    let declared = proc_macro2::Ident::new("model", Span::call_site());
    quote! {
        const _: () = {
            #[deprecated(note = #message)]
            #[allow(non_upper_case_globals)]
            const #declared: () = ();
            #name
        };
    }
}

#[cfg(test)]
mod tests {
    use pixelrnn_graph::{Diagnostic, Severity, Source, Span};

    use proc_macro2::TokenStream;

    use super::{report, text};
    use crate::rebuild::{Pieces, rebuild};

    #[test]
    fn everything_is_said() {
        let mut source = Source::new("f", "a\nb\nc");
        source.line_offset = 10;
        let diagnostic = Diagnostic::error(Span::new(0, 1), "wrong")
            .remark("here")
            .also(Span::new(2, 3), "because of this")
            .also(Span::new(4, 5), "and that")
            .help("do right");
        let expected = "wrong\nhere\n  note: line 12: because of this\n  note: line 13: and that\n\
            help: do right";
        assert_eq!(text(&diagnostic, &source), expected);
    }

    #[test]
    fn errors_reach_from_token_to_token_and_warnings_do_not_fail() {
        let mut pieces = Pieces::default();
        pieces.tokens("alpha beta\n gamma".parse().expect("tokens"));
        let rebuilt = rebuild(pieces);
        let none = TokenStream::new();
        let source = Source::new("f", rebuilt.text.as_str());
        let span = Span::new(6, 17);
        let error = Diagnostic::error(span, "wrong");
        let mut warning = error.clone();
        warning.severity = Severity::Warning;
        let tokens: Vec<_> = report(&[error], &source, &rebuilt, &none).into_iter().collect();
        let see = |at: usize| tokens[at].span().source_text();
        assert_eq!(see(0).as_deref(), Some("beta"));
        assert_eq!(see(tokens.len() - 1).as_deref(), Some("gamma"));
        let warning = report(&[warning], &source, &rebuilt, &none).to_string();
        assert!(!warning.contains("compile_error") && warning.contains("\"wrong\""), "{warning}");
    }
}
