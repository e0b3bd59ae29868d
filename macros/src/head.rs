//! The head of the item, as far as it is Rust: attributes, visibility, attributes of the fields.
//!
//! `syn` parses these, so everything that Rust allows there is allowed here, and tokens that come
//! through another macro (`$vis`, `$(#[$meta])*`) are understood. The rest of the input is the model
//! language; of the head it gets the docs, the visibility and the name.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, Lit, Meta, Path, Token, Visibility, token};

use crate::attributes::{is_cfg, is_doc};
use crate::rebuild::Pieces;

/// What the input says before the `image` line, and the rest of it.
pub(crate) struct Head {
    /// The attributes of the struct in the order written, docs among them; `#[pixelrnn(...)]` is not.
    pub attributes: Vec<Attribute>,
    /// The path of the crate `pixelrnn`.
    pub krate: Path,
    pub visibility: Visibility,
    /// The hyper-parameters as far as they can be read, with their attributes.
    pub fields: Vec<Field>,
    /// All tokens after the hyper-parameters, or after the name.
    pub body: TokenStream,
    /// What is wrong with the attributes.
    pub errors: Vec<syn::Error>,
    /// What `syn` says to a visibility that it does not know.
    pub visibility_error: Option<syn::Error>,
}

/// A hyper-parameter: its attributes, its name, and the tokens after its name.
pub(crate) struct Field {
    pub attributes: Vec<Attribute>,
    pub name: Ident,
    pub rest: TokenStream,
}

/// Splits the macro's input into its head, and the tokens that are the text of the model.
pub(crate) fn split(input: TokenStream) -> (Head, Pieces) {
    let parse = |input: ParseStream| Ok(head(input));
    // `head` takes all tokens and never fails, so neither does this.
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
    for attribute in attributes(input, &mut head.errors) {
        if attribute.path().is_ident("pixelrnn") {
            if let Err(error) = settings(&attribute, &mut krate) {
                head.errors.push(error);
            }
            continue;
        }
        if is_text(&attribute) {
            pieces.tokens(attribute.to_token_stream());
        }
        head.attributes.push(attribute);
    }
    head.krate = krate.unwrap_or(head.krate);

    let ahead = input.fork();
    match ahead.parse::<Visibility>() {
        Ok(visibility) => {
            let _ = input.parse::<Visibility>();
            pieces.tokens(visibility.to_token_stream());
            head.visibility = visibility;
        }
        // The model language has a word to say about it, too.
        Err(error) => head.visibility_error = Some(error),
    }
    // The name; or `struct Name`, which is reported where the text is parsed.
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

/// The outer attributes that stand here. One that is malformed is reported and left out.
fn attributes(input: ParseStream, errors: &mut Vec<syn::Error>) -> Vec<Attribute> {
    let mut attributes = Vec::new();
    while input.peek(Token![#]) && input.peek2(token::Bracket) {
        let tokens = (input.parse::<Token![#]>(), input.parse::<TokenTree>());
        let (Ok(pound), Ok(group)) = tokens else { break };
        match Attribute::parse_outer.parse2(quote!(#pound #group)) {
            Ok(parsed) => attributes.extend(parsed),
            Err(error) => errors.push(error),
        }
    }
    attributes
}

/// Whether an attribute is part of the model's text: docs that are written out.
fn is_text(attribute: &Attribute) -> bool {
    let Meta::NameValue(doc) = &attribute.meta else { return false };
    let literal = matches!(&doc.value, Expr::Lit(value) if matches!(value.lit, Lit::Str(_)));
    is_doc(attribute) && literal
}

/// `#[pixelrnn(crate = path)]`.
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

/// Reads the hyper-parameters into `head`; returns the tokens without the attributes.
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

/// Reads up to a comma; returns the tokens without the attributes.
fn field(input: ParseStream, head: &mut Head) -> TokenStream {
    let mut text = TokenStream::new();
    let attributes = attributes(input, &mut head.errors);
    for attribute in &attributes {
        if is_text(attribute) {
            text.extend(attribute.to_token_stream());
        } else if is_cfg(attribute) {
            let message = "a hyper-parameter cannot be left out: the layers would still name it";
            head.errors.push(syn::Error::new_spanned(attribute, message));
        }
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
            // A doc comment that is about nothing is reported where the text is parsed.
            let stray = attributes.iter().filter(|attribute| !is_text(attribute));
            let message = "this attribute stands before no hyper-parameter";
            head.errors.extend(stray.map(|at| syn::Error::new_spanned(at, message)));
        }
    }
    text
}
