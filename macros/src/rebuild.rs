//! Reconstructs the text of a token stream, and maps positions in the text back to spans.
//!
//! Every token is written at its line and column in the user's file. So the text is the body of the macro
//! call, except for plain comments, and its positions are also correct at run time. Tokens that come from
//! another macro, or from an editor that reports no positions, may have any positions. They are then written
//! one after another. The text has the same meaning; only its layout is lost. The map back to spans is
//! correct in both cases.

use proc_macro2::{Delimiter, Group, LineColumn, Span, TokenStream, TokenTree};

/// Positions with a larger gap than this are ignored.
const MAX_GAP: usize = 10_000;

/// A text, and the span of each of its tokens.
pub(crate) struct Rebuilt {
    pub text: String,
    /// The number of lines of the user's file before the text.
    pub line_offset: usize,
    /// The range of each token in `text`, in order and without overlap, and its span.
    tokens: Vec<(std::ops::Range<usize>, Span)>,
}

impl Rebuilt {
    /// The spans of the first and the last token that `place` touches. For a place between two tokens, this
    /// is the second one; for a place after all tokens, the last one.
    pub fn spans(&self, place: pixelrnn_graph::Span) -> (Span, Span) {
        let (start, end) = (place.start as usize, place.end as usize);
        let first = self.tokens.partition_point(|(range, _)| range.end <= start);
        let first = first.min(self.tokens.len().saturating_sub(1));
        let past = self.tokens.partition_point(|(range, _)| range.start < end);
        let last = past.saturating_sub(1).max(first);
        let span = |at: usize| self.tokens.get(at).map_or_else(Span::call_site, |(_, span)| *span);
        (span(first), span(last))
    }

    /// The span of the token at the start of `place`.
    pub fn span(&self, place: pixelrnn_graph::Span) -> Span {
        self.spans(place).0
    }
}

/// Reconstructs the text of tokens.
pub(crate) fn rebuild(pieces: Pieces) -> Rebuilt {
    let Pieces(pieces) = pieces;
    let first_line = pieces.first().map_or(1, |piece| piece.span.start().line);
    let line_offset = first_line.saturating_sub(1);
    let mut writer = Writer {
        out: Rebuilt { text: String::new(), line_offset, tokens: Vec::new() },
        line: first_line,
        column: 0,
        placed: placeable(&pieces),
        joint: true,
    };
    for piece in pieces {
        writer.write(piece);
    }
    writer.out
}

/// The tokens of a text, in order.
#[derive(Default)]
pub(crate) struct Pieces(Vec<Piece>);

impl Pieces {
    /// Adds all tokens of `stream`.
    pub fn tokens(&mut self, stream: TokenStream) {
        flatten(stream, &mut self.0);
    }

    /// Adds the braces of `group` with `inside` between them, instead of its own content.
    pub fn braces(&mut self, group: &Group, inside: TokenStream) {
        self.0.push(Piece::new("{", group.span_open()));
        self.tokens(inside);
        self.0.push(Piece::new("}", group.span_close()));
    }
}

/// A token that is not a group. The delimiters of a group are separate pieces.
struct Piece {
    text: String,
    span: Span,
    /// Whether it is joined to the next piece, like `'` in `'a`.
    joint: bool,
}

impl Piece {
    fn new(text: impl Into<String>, span: Span) -> Piece {
        Piece { text: text.into(), span, joint: false }
    }
}

fn flatten(input: TokenStream, pieces: &mut Vec<Piece>) {
    let mut tokens = input.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) => {
                if let Some(comment) =
                    (punct.as_char() == '#').then(|| comment(punct.span())).flatten()
                {
                    // `///` arrives as `#[doc = "..."]` and `//!` as `#![doc = "..."]`. All their tokens have
                    // the span of the comment. Write the comment.
                    tokens
                        .next_if(|next| matches!(next, TokenTree::Punct(p) if p.as_char() == '!'));
                    tokens.next_if(|next| matches!(next, TokenTree::Group(_)));
                    pieces.push(Piece::new(comment, punct.span()));
                    continue;
                }
                let joint = punct.spacing() == proc_macro2::Spacing::Joint;
                pieces.push(Piece { text: punct.to_string(), span: punct.span(), joint });
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    // The content of a `macro_rules!` variable is one operand.
                    Delimiter::None if group.stream().into_iter().nth(1).is_some() => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                let delimiter =
                    |text: &str, span| (!text.is_empty()).then(|| Piece::new(text, span));
                pieces.extend(delimiter(open, group.span_open()));
                flatten(group.stream(), pieces);
                pieces.extend(delimiter(close, group.span_close()));
            }
            TokenTree::Ident(ident) => pieces.push(Piece::new(ident.to_string(), ident.span())),
            TokenTree::Literal(literal) => {
                pieces.push(Piece::new(literal.to_string(), literal.span()));
            }
        }
    }
}

/// The doc comment at `span`, if there is one.
fn comment(span: Span) -> Option<String> {
    let text = span.source_text()?;
    let comment = ["///", "/**", "//!", "/*!"].into_iter().any(|mark| text.starts_with(mark));
    comment.then_some(text)
}

/// Whether the positions of the pieces are consistent.
fn placeable(pieces: &[Piece]) -> bool {
    let starts: Vec<LineColumn> = pieces.iter().map(|piece| piece.span.start()).collect();
    starts.iter().all(|start| start.column <= MAX_GAP)
        && starts.windows(2).all(|pair| {
            let (a, b) = (pair[0], pair[1]);
            (a.line, a.column) <= (b.line, b.column) && b.line - a.line <= MAX_GAP
        })
}

/// Invariant: if the pieces are placed, `line` and `column` are the position in the user's file that
/// corresponds to the end of `out.text`.
struct Writer {
    out: Rebuilt,
    line: usize,
    column: usize,
    placed: bool,
    /// Whether the last piece is joined to the next one.
    joint: bool,
}

impl Writer {
    fn write(&mut self, piece: Piece) {
        if self.placed {
            self.go_to(piece.span.start());
        } else if !self.joint {
            self.push(" ");
        }
        if self.merges(&piece.text) {
            self.push(" ");
        }
        let start = self.out.text.len();
        self.push(&piece.text);
        self.out.tokens.push((start..self.out.text.len(), piece.span));
        self.joint = piece.joint;
        // Nothing may follow a line comment on its line. This holds in the user's file, but not here.
        if !self.placed && piece.text.starts_with("//") {
            self.push("\n");
        }
    }

    fn go_to(&mut self, place: LineColumn) {
        if place.line > self.line {
            self.push(&"\n".repeat(place.line - self.line));
        }
        if place.line == self.line && place.column >= self.column {
            self.push(&" ".repeat(place.column - self.column));
        } else if !self.joint {
            // Two tokens at the same position: the second one is moved.
            self.push(" ");
        }
    }

    /// Whether `next`, written directly after the last piece, would form another token with it.
    fn merges(&self, next: &str) -> bool {
        let word = |c: char| c == '_' || c.is_alphanumeric();
        match (self.out.text.chars().next_back(), next.chars().next()) {
            (Some(a), Some(b)) => (word(a) && word(b)) || (a == '/' && matches!(b, '/' | '*')),
            _ => false,
        }
    }

    fn push(&mut self, text: &str) {
        self.out.text.push_str(text);
        self.line += text.matches('\n').count();
        let last = text.rsplit('\n').next().unwrap_or("");
        let column = if text.contains('\n') { 0 } else { self.column };
        self.column = column + last.chars().count();
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::{Group, Literal, Span, TokenStream, TokenTree};
    use quote::quote;

    use super::{Delimiter, Pieces, Rebuilt};

    fn rebuild(stream: TokenStream) -> Rebuilt {
        let mut pieces = Pieces::default();
        pieces.tokens(stream);
        super::rebuild(pieces)
    }

    fn of(text: &str) -> Rebuilt {
        rebuild(text.parse().expect("tokens"))
    }

    #[test]
    fn the_text_comes_back() {
        for text in [
            "pub M { h: usize = 16 }\n\nimage 28 x 28, colours 1;\n\n   a: conv(7x7, A, 2*h);",
            "/// One.\n/// Two.\npub M\n{\n    /// Ünïcode and \"quotes\" \\.\n    h: usize\n}",
            "/** a\n  block */ M; /** another */ image",
            "#[doc = \"written out\"] M #[doc=r\"raw\"] N",
            "'a' 'b \"two\nlines\" r#type 1.5 :: .. <>",
            "a\n\n\n\n\t\tb",
            "//! inner\nM",
        ] {
            let rebuilt = of(text);
            assert_eq!(rebuilt.text.trim_start(), text.replace('\t', " "));
        }
    }

    #[test]
    fn comments_leave_holes() {
        assert_eq!(of("a /* b */ c // d\n e").text, "a         c\n e");
    }

    #[test]
    fn columns_and_lines_are_those_of_the_file() {
        // The text has only the tokens of the call. The first line begins at the column of the first token.
        let file: TokenStream = "\n\n  model! {  M {\n  h }\n}".parse().expect("tokens");
        let Some(TokenTree::Group(call)) = file.into_iter().last() else { panic!("a group") };
        let rebuilt = rebuild(call.stream());
        assert_eq!(rebuilt.text, "            M {\n  h }");
        assert_eq!(rebuilt.line_offset, 2);
    }

    #[test]
    fn tokens_without_places_are_written_in_a_row() {
        let name = proc_macro2::Ident::new("M", Span::call_site());
        let sum = TokenTree::Group(Group::new(Delimiter::None, quote!(1 + 2)));
        let one = TokenTree::Group(Group::new(Delimiter::None, quote!(h)));
        let seven = TokenTree::Literal(Literal::u32_unsuffixed(7));
        let tokens =
            quote!(#[doc = "D"] pub #name { h: usize = 2 * #sum } 'a f(#one x #seven / 2););
        let text = rebuild(tokens).text;
        let plain: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            plain,
            "# [ doc = \"D\" ] pub M { h : usize = 2 * ( 1 + 2 ) } 'a f ( h x 7 / 2 ) ;"
        );
    }

    #[test]
    fn disorder_is_written_in_a_row() {
        let tokens: Vec<TokenTree> =
            "a b\n/// c\nd".parse::<TokenStream>().expect("tokens").into_iter().collect();
        let swapped = tokens[2..].iter().chain(&tokens[..2]).cloned().collect();
        let rebuilt = rebuild(swapped);
        assert_eq!(rebuilt.text, "/// c\n d a b");
        let places = ["/// c", "d", "a", "b"];
        for ((range, span), place) in rebuilt.tokens.iter().zip(places) {
            assert_eq!(&rebuilt.text[range.clone()], place);
            assert_eq!(span.source_text().as_deref(), Some(place));
        }
    }

    #[test]
    fn places_lead_back_to_tokens() {
        let text = "M  {\n  h: usize = 2 * h }\n/// doc\nrelu;";
        let rebuilt = of(text);
        assert_eq!(rebuilt.text, text);
        let see = |start: usize, end: usize| {
            let (a, b) = rebuilt.spans(pixelrnn_graph::Span::new(start, end));
            (a.source_text().unwrap_or_default(), b.source_text().unwrap_or_default())
        };
        let at = |part: &str| text.find(part).expect("a part");
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(see(0, 1), pair("M", "M"));
        assert_eq!(see(at("usize"), at("usize") + 2), pair("usize", "usize"));
        assert_eq!(see(at("2 * h"), at("2 * h") + 5), pair("2", "h"));
        assert_eq!(see(1, 1), pair("{", "{"), "between tokens: the next");
        assert_eq!(see(text.len(), text.len()), pair(";", ";"), "after the last: the last");
        assert_eq!(see(999, 9999), pair(";", ";"));
        assert_eq!(see(0, 9999), pair("M", ";"));
        // The span of an empty text is that of the macro call.
        let _ = of("").spans(pixelrnn_graph::Span::new(0, 0));
    }
}
