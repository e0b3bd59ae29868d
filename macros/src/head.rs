//! The part of the input that is Rust: attributes, visibility, attributes of the fields.
//!
//! `syn` parses it, so everything that Rust allows is allowed here, and tokens that come from another macro
//! (`$vis`, `$(#[$meta])*`) are understood. The rest of the input is the model language. Of the head, the
//! model's text contains the documentation, the visibility and the name.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, Lit, Meta, Path, Token, Visibility, token};

use crate::attributes::{is_cfg, is_doc};
use crate::rebuild::Pieces;

/// The parts of the input before the `image` line, and the rest.
pub(crate) struct Head {
    /// The attributes of the struct in source order, including documentation but not `#[pixelrnn(...)]`.
    pub attributes: Vec<Attribute>,
    /// The path of the crate `pixelrnn`.
    pub krate: Path,
    pub visibility: Visibility,
    /// The hyper-parameters that could be parsed, with their attributes.
    pub fields: Vec<Field>,
    /// All tokens after the hyper-parameters, or after the name.
    pub body: TokenStream,
    /// Errors in the attributes.
    pub errors: Vec<syn::Error>,
    /// The error of `syn` for an invalid visibility.
    pub visibility_error: Option<syn::Error>,
}

/// A hyper-parameter: its attributes, its name, and the tokens after its name.
pub(crate) struct Field {
    pub attributes: Vec<Attribute>,
    pub name: Ident,
    pub rest: TokenStream,
}

/// Splits the macro's input into its head and the tokens of the model's text.
pub(crate) fn split(input: TokenStream) -> (Head, Pieces) {
    let parse = |input: ParseStream| Ok(head(input));
    // `head` consumes all tokens and never fails, so this does not fail either.
    parse.parse2(input).unwrap_or_else(|error| {
        let mut head = empty();
        head.errors.push(error);
        (head, Pieces::default())
    })
}

fn empty() -> Head {
    Head {
        attributes: Vec::new(),
        krate: syn::parse_quote!(::pixelrnn),
        visibility: Visibility::Inherited,
        fields: Vec::new(),
        body: TokenStream::new(),
        errors: Vec::new(),
        visibility_error: None,
    }
}

fn head(input: ParseStream) -> (Head, Pieces) {
    let mut head = empty();
    let mut pieces = Pieces::default();
    let mut krate = None;
    let mut text = TokenStream::new();
    for attribute in attributes(input, &mut text, &mut head.errors) {
        if !attribute.path().is_ident("pixelrnn") {
            head.attributes.push(attribute);
        } else if let Err(error) = settings(&attribute, &mut krate) {
            head.errors.push(error);
        }
    }
    pieces.tokens(text);
    head.krate = krate.unwrap_or(head.krate);

    let ahead = input.fork();
    match ahead.parse::<Visibility>() {
        Ok(visibility) => {
            let _ = input.parse::<Visibility>();
            pieces.tokens(visibility.to_token_stream());
            head.visibility = visibility;
        }
        // The parser of the model language also reports errors in it.
        Err(error) => head.visibility_error = Some(error),
    }
    // The name, or `struct Name`, which the parser of the text reports.
    for _ in 0..2 {
        if input.peek(Ident::peek_any)
            && let Ok(name) = input.call(Ident::parse_any)
        {
            pieces.tokens(name.to_token_stream());
        }
    }
    if input.peek(token::Brace)
        && let Ok(TokenTree::Group(group)) = input.parse()
    {
        let inside = fields(&group, &mut head);
        pieces.braces(&group, inside);
    }
    head.body = input.parse().unwrap_or_default();
    pieces.tokens(head.body.clone());
    (head, pieces)
}

/// Parses the outer attributes at this place. Those that are part of the model's text are added to `text`. A
/// malformed one is reported and left out.
fn attributes(
    input: ParseStream,
    text: &mut TokenStream,
    errors: &mut Vec<syn::Error>,
) -> Vec<Attribute> {
    let mut attributes = Vec::new();
    while input.peek(Token![#]) {
        let inner = input.peek2(Token![!]);
        if !inner && !input.peek2(token::Bracket) {
            break;
        }
        let Ok(pound) = input.parse::<Token![#]>() else { break };
        if inner {
            // `//!` or `#![...]`, which the parser of the text reports.
            pound.to_tokens(text);
            text.extend(input.parse::<TokenTree>());
            if input.peek(token::Bracket) {
                text.extend(input.parse::<TokenTree>());
            }
            continue;
        }
        let Ok(group) = input.parse::<TokenTree>() else { break };
        match Attribute::parse_outer.parse2(quote!(#pound #group)) {
            Ok(parsed) => {
                for attribute in parsed {
                    if is_text(&attribute) {
                        attribute.to_tokens(text);
                    }
                    attributes.push(attribute);
                }
            }
            Err(error) => errors.push(error),
        }
    }
    attributes
}

/// Whether an attribute is part of the model's text, as literal documentation is.
fn is_text(attribute: &Attribute) -> bool {
    let Meta::NameValue(doc) = &attribute.meta else { return false };
    let literal = matches!(&doc.value, Expr::Lit(value) if matches!(value.lit, Lit::Str(_)));
    is_doc(attribute) && literal
}

/// Parses `#[pixelrnn(crate = path)]`.
fn settings(attribute: &Attribute, krate: &mut Option<Path>) -> syn::Result<()> {
    attribute.parse_nested_meta(|meta| {
        if !meta.path.is_ident("crate") {
            return Err(meta.error("expected `crate = path::to::pixelrnn`"));
        }
        if krate.is_some() {
            return Err(meta.error("`crate` is given twice"));
        }
        let value = meta.value()?;
        if value.peek(syn::LitStr) {
            return Err(value.error("write the path without quotes: `crate = path::to::pixelrnn`"));
        }
        *krate = Some(value.call(Path::parse_mod_style)?);
        Ok(())
    })
}

/// Parses the hyper-parameters into `head`. Returns the tokens without the attributes.
fn fields(group: &Group, head: &mut Head) -> TokenStream {
    let parse = |input: ParseStream| {
        let mut text = TokenStream::new();
        while !input.is_empty() {
            text.extend(field(input, head));
        }
        Ok(text)
    };
    parse.parse2(group.stream()).unwrap_or_else(|_| group.stream())
}

/// Parses up to a comma. Returns the tokens without the attributes.
fn field(input: ParseStream, head: &mut Head) -> TokenStream {
    let mut text = TokenStream::new();
    let attributes = attributes(input, &mut text, &mut head.errors);
    for attribute in attributes.iter().filter(|attribute| is_cfg(attribute)) {
        let message = "`cfg` is not supported on a hyper-parameter: the layers would still use it";
        head.errors.push(syn::Error::new_spanned(attribute, message));
    }
    let mut name: Option<Ident> = None;
    let mut rest = TokenStream::new();
    while let Ok(token) = input.parse::<TokenTree>() {
        text.extend([token.clone()]);
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => break,
            TokenTree::Ident(ident) if name.is_none() && ident != "pub" => name = Some(ident),
            token => rest.extend([token]),
        }
    }
    match name {
        Some(name) => {
            let attributes = attributes.into_iter().filter(|a| !is_cfg(a)).collect();
            head.fields.push(Field { attributes, name, rest });
        }
        None => {
            // The parser of the text reports a doc comment that documents nothing.
            let stray = attributes.iter().filter(|attribute| !is_text(attribute));
            let message = "expected a hyper-parameter after this attribute";
            head.errors.extend(stray.map(|at| syn::Error::new_spanned(at, message)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
    use quote::{ToTokens, quote};

    use super::{Head, split};
    use crate::rebuild::rebuild;

    fn of(tokens: TokenStream) -> (Head, String) {
        let (head, pieces) = split(tokens);
        (head, rebuild(pieces).text)
    }

    fn shown(tokens: &[impl ToTokens]) -> String {
        quote!(#(#tokens)*).to_string()
    }

    #[test]
    fn attributes_leave_the_text_as_it_is() {
        let text = "/// Docs.\n#[derive(Hash)] #[doc = concat!()]\n/** More. */ pub(crate) M {\n    \
            /// Units.\n    #[serde(rename = \"x\")] h: usize = 2 * (3),\n    w: usize = h }\nimage;";
        let (head, rebuilt) = of(text.parse().expect("tokens"));
        let mut expected = text.to_string();
        for attribute in ["#[derive(Hash)]", "#[doc = concat!()]", "#[serde(rename = \"x\")]"] {
            expected = expected.replace(attribute, &" ".repeat(attribute.len()));
        }
        let lines = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(lines(&rebuilt), lines(&expected));
        assert_eq!(head.attributes.len(), 4);
        assert_eq!(head.visibility.to_token_stream().to_string(), "pub (crate)");
        let names: Vec<String> = head.fields.iter().map(|field| field.name.to_string()).collect();
        assert_eq!(names, ["h", "w"]);
        assert_eq!(head.fields[0].attributes.len(), 2);
        assert_eq!(head.fields[0].rest.to_string(), ": usize = 2 * (3)");
        assert_eq!(head.body.to_string(), "image ;");
        assert!(head.errors.is_empty());
    }

    /// As the macro variables `$vis:vis` and `$meta:meta` pass them.
    #[test]
    fn what_a_macro_passes_on_is_understood() {
        let none = |inside| TokenTree::Group(Group::new(Delimiter::None, inside));
        let (docs, derive) = (none(quote!(doc = "D")), none(quote!(derive(Hash))));
        for (visibility, expected) in [
            (quote!(), ""),
            (quote!(pub), "pub"),
            (quote!(pub(crate)), "pub (crate)"),
            (quote!(pub(in crate::a)), "pub (in crate :: a)"),
        ] {
            let visibility = none(visibility);
            let (head, text) =
                of(quote!(#[#docs] #[#derive] #visibility M { #[#docs] h: usize = 1 }));
            assert_eq!(head.visibility.to_token_stream().to_string(), expected);
            assert_eq!(shown(&head.attributes), "# [doc = \"D\"] # [derive (Hash)]");
            assert_eq!(shown(&head.fields[0].attributes), "# [doc = \"D\"]");
            let (model, diagnostics) =
                pixelrnn_syntax::parse(&format!("{text} image 1 x 1, colours 1, levels 2;"));
            assert_eq!(diagnostics, [], "{text}");
            assert_eq!(model.expect("a model").docs, ["D"]);
        }
    }

    #[test]
    fn inner_attributes_and_odd_visibilities_stay_in_the_text() {
        let text = "//! Inner.\n#![x]\n#[derive(A)] pub(in 3) M";
        let (head, rebuilt) = of(text.parse().expect("tokens"));
        assert_eq!(rebuilt, text.replace("#[derive(A)]", "            "));
        assert_eq!(head.attributes.len(), 1);
        assert!(head.visibility_error.is_some() && head.errors.is_empty());
    }
}
