//! The type that a model becomes, its `Default` and its `pixelrnn::Model`.

use pixelrnn_graph::Source;
use pixelrnn_syntax::ast::{Expr, Field, Model};
use proc_macro2::{Ident, Literal, TokenStream, TokenTree};
use quote::quote;

use crate::rebuild::Rebuilt;

/// The struct and its implementations; `defaults` are those of the fields, in order.
pub(crate) fn item(
    model: &Model,
    defaults: &[usize],
    source: &Source,
    rebuilt: &Rebuilt,
) -> TokenStream {
    let name = Ident::new(&model.name.text, rebuilt.span(model.name.span));
    let text_of_name = &model.name.text;
    let visibility = visibility(model, source, rebuilt);
    let docs = docs(model, defaults, source);
    let fields: Vec<Ident> = model
        .fields
        .iter()
        .map(|field| Ident::new(&field.name.text, rebuilt.span(field.name.span)))
        .collect();
    let texts_of_fields = model.fields.iter().map(|field| &field.name.text);
    let field_docs = model.fields.iter().zip(defaults).map(|(field, default)| {
        let docs = field.docs.iter().cloned();
        let blank = (!field.docs.is_empty()).then(String::new);
        attributes(docs.chain(blank).chain([format!(" Default: {default}.")]))
    });
    let numbers = defaults.iter().map(|&default| Literal::usize_suffixed(default));
    let (text, line_offset) = (&rebuilt.text, rebuilt.line_offset);
    let settings = if fields.is_empty() {
        quote!(::std::vec::Vec::new())
    } else {
        quote!(::core::convert::From::from([#((#texts_of_fields, self.#fields)),*]))
    };
    // `From::from` by its full path: without a prelude, `String::from` is not found.
    quote! {
        #docs
        #[derive(
            ::core::clone::Clone,
            ::core::marker::Copy,
            ::core::fmt::Debug,
            ::core::cmp::PartialEq,
            ::core::cmp::Eq,
        )]
        #visibility struct #name {
            #(#field_docs pub #fields: ::core::primitive::usize,)*
        }

        #[automatically_derived]
        impl ::core::default::Default for #name {
            fn default() -> Self {
                #name { #(#fields: #numbers,)* }
            }
        }

        #[automatically_derived]
        impl ::pixelrnn::Model for #name {
            const NAME: &'static ::core::primitive::str = #text_of_name;

            fn source() -> ::pixelrnn::Source {
                ::pixelrnn::Source {
                    name: ::core::convert::From::from(::core::file!()),
                    text: ::core::convert::From::from(#text),
                    line_offset: #line_offset,
                }
            }

            fn settings(
                &self,
            ) -> ::std::vec::Vec<(&'static ::core::primitive::str, ::core::primitive::usize)> {
                #settings
            }
        }
    }
}

/// `pub` and what may follow it, with the span of `pub`. The parser has let nothing else through,
/// but for comments and attributes that document nothing, which it has reported.
fn visibility(model: &Model, source: &Source, rebuilt: &Rebuilt) -> TokenStream {
    let Some(place) = model.visibility else { return TokenStream::new() };
    let span = rebuilt.span(place);
    let text = source.excerpt(place);
    let sober = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_:()".contains(c);
    let tokens = if text.chars().all(sober) { text.parse().ok() } else { None };
    let tokens: TokenStream = tokens.unwrap_or_else(|| quote!(pub));
    let spanned = tokens.into_iter().map(|mut token: TokenTree| {
        token.set_span(span);
        token
    });
    spanned.collect()
}

/// The user's docs, then the hyper-parameters and the image, as lines of documentation.
fn docs(model: &Model, defaults: &[usize], source: &Source) -> TokenStream {
    let mut lines = model.docs.clone();
    if lines.is_empty() {
        lines.push(" An autoregressive image model.".to_string());
    }
    let show = |expr: &Expr| plain(source.excerpt(expr.span()));
    let image = &model.image;
    lines.push(String::new());
    lines.push(format!(
        " Images: `{} x {}` (height x width), colours `{}`, levels `{}`.",
        show(&image.height),
        show(&image.width),
        show(&image.colours),
        show(&image.levels),
    ));
    if !model.fields.is_empty() {
        lines.extend(
            ["", " # Hyper-parameters", "", " | name | default | |", " |---|---|---|"]
                .map(String::from),
        );
    }
    for (field, default) in model.fields.iter().zip(defaults) {
        lines.push(format!(" | `{}` | {default} | {} |", field.name.text, about(field)));
    }
    attributes(lines)
}

/// The first paragraph of a field's docs, fit for a cell of a table.
fn about(field: &Field) -> String {
    let paragraph = field.docs.iter().map(|line| line.trim()).take_while(|line| !line.is_empty());
    paragraph.collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Without line breaks.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn attributes(lines: impl IntoIterator<Item = String>) -> TokenStream {
    lines.into_iter().map(|line| quote!(#[doc = #line])).collect()
}

#[cfg(test)]
mod tests {
    use super::item;
    use crate::rebuild::rebuild;

    fn of(text: &str) -> String {
        let rebuilt = rebuild(text.parse().expect("tokens"));
        let source = pixelrnn_graph::Source::new("f", rebuilt.text.as_str());
        let (model, diagnostics) = pixelrnn_syntax::parse(text);
        assert_eq!(diagnostics, []);
        let model = model.expect("a model");
        let defaults = pixelrnn_syntax::defaults(&model).0;
        item(&model, &defaults, &source, &rebuilt).to_string()
    }

    #[test]
    fn docs_tell_the_numbers() {
        let out = of("/// Mine.\nM { /// Units of\n/// a|b.\n h: usize = 4 * 4 }\n\
            image 2 *\n h x 28, colours 1, levels 2;");
        for line in [
            "\" Mine.\"",
            "\" Images: `2 * h x 28` (height x width), colours `1`, levels `2`.\"",
            "\" | `h` | 16 | Units of a\\\\|b. |\"",
            "\" Default: 16.\"",
        ] {
            assert!(out.contains(line), "{line}: {out}");
        }
    }

    #[test]
    fn visibility_is_the_users() {
        let image = "image 1 x 1, colours 1, levels 2;";
        for (written, expected) in [
            ("", "] struct M"),
            ("pub", "] pub struct M"),
            ("pub(crate)", "] pub (crate) struct M"),
            ("pub(in crate::a)", "] pub (in crate :: a) struct M"),
        ] {
            let out = of(&format!("{written} M; {image}"));
            assert!(out.contains(expected), "{expected}: {out}");
            assert!(out.contains("Vec :: new ()"), "no field, no settings: {out}");
        }
    }
}
