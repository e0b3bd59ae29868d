//! Renders diagnostics as text, with excerpts of the source.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use pixelrnn_graph::{Diagnostic, Severity, Source, Span};

/// Up to `ALL` diagnostics are all rendered. Of more, the first `FIRST` are rendered and the others counted.
const ALL: usize = 8;
const FIRST: usize = 4;

/// Renders diagnostics with excerpts of the source, optionally in color. If there are many, renders the first
/// few and the number of the others.
pub fn render(source: &Source, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let count = diagnostics.len();
    let shown = if count > ALL { FIRST } else { count };
    let mut all: Vec<String> =
        diagnostics.iter().take(shown).map(|d| one(&renderer, source, d)).collect();
    if shown < count {
        all.push(format!("and {} more errors in {}", count - shown, source.name));
    }
    all.join("\n\n")
}

fn one(renderer: &Renderer, source: &Source, diagnostic: &Diagnostic) -> String {
    let text = &*source.text;
    let range = |span: Span| {
        let boundary = |n: u32| {
            let mut n = (n as usize).min(text.len());
            while !text.is_char_boundary(n) {
                n -= 1;
            }
            n
        };
        boundary(span.start)..boundary(span.end.max(span.start))
    };
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let primary = AnnotationKind::Primary.span(range(diagnostic.primary.span));
    let primary = match diagnostic.primary.text.as_str() {
        "" => primary,
        remark => primary.label(remark),
    };
    let secondary = diagnostic
        .secondary
        .iter()
        .map(|l| AnnotationKind::Context.span(range(l.span)).label(l.text.as_str()));
    let snippet = Snippet::source(text)
        .line_start(source.line_offset + 1)
        .path(source.name.as_str())
        .annotation(primary)
        .annotations(secondary);
    let mut group = level.primary_title(diagnostic.message.as_str()).element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}
