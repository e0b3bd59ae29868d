//! Generates the struct of a model, its `Default` and its `pixelrnn::Model`.

use pixelrnn_graph::Source;
use pixelrnn_syntax::ast::{self, Expr, Model};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote};

use crate::attributes::{conditions, derives, is_deprecated, is_doc};
use crate::head::Head;
use crate::rebuild::Rebuilt;

/// Generates the struct and its implementations. `defaults` are those of the fields, in order.
pub(crate) fn item(
    head: &mut Head,
    model: &Model,
    defaults: &[usize],
    source: &Source,
    rebuilt: &Rebuilt,
) -> TokenStream {
    let name = Ident::new(&model.name.text, rebuilt.span(model.name.span));
    let text_of_name = &model.name.text;
    let derives = derives(&mut head.attributes);
    let conditions = conditions(&head.attributes);
    let Head { attributes, krate, visibility, .. } = &*head;
    // If the path is wrong, the error should be at the path.
    let at_fault = krate.segments.last().map_or_else(Span::call_site, |last| last.ident.span());
    let model_trait = Ident::new("Model", at_fault);
    let source_type = Ident::new("Source", at_fault);
    let docs = docs(head, model, defaults, source);
    let fields: Vec<Ident> = model
        .fields
        .iter()
        .map(|field| Ident::new(&field.name.text, rebuilt.span(field.name.span)))
        .collect();
    let texts_of_fields = model.fields.iter().map(|field| &field.name.text);
    let field_attributes =
        model.fields.iter().zip(defaults).map(|(field, default)| of_field(head, field, *default));
    let numbers = defaults.iter().map(|&default| Literal::usize_suffixed(default));
    // A deprecation warning is for users of the model, so it is allowed in the generated code. The attribute
    // is added only if needed, since the user may forbid it.
    let of_fields = head.fields.iter().flat_map(|field| &field.attributes);
    let deprecated = attributes.iter().chain(of_fields).any(is_deprecated);
    let lints = deprecated.then(|| quote!(#[allow(deprecated)]));
    let (text, line_offset) = (&rebuilt.text, rebuilt.line_offset);
    let settings = if fields.is_empty() {
        quote!(::std::vec::Vec::new())
    } else {
        quote!(::core::convert::From::from([#((#texts_of_fields, self.#fields)),*]))
    };
    // The derives come last, since attributes of the user's derives may come before them. `From::from` needs
    // its full path: without a prelude, `String::from` is not found.
    quote! {
        #(#attributes)*
        #docs
        #derives
        #visibility struct #name {
            #(#field_attributes pub #fields: ::core::primitive::usize,)*
        }

        #conditions
        #[automatically_derived]
        #lints
        impl ::core::default::Default for #name {
            fn default() -> Self {
                #name { #(#fields: #numbers,)* }
            }
        }

        #conditions
        #[automatically_derived]
        #lints
        impl #krate::#model_trait for #name {
            const NAME: &'static ::core::primitive::str = #text_of_name;

            fn source() -> #krate::#source_type {
                #krate::#source_type {
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

/// The attributes of a field as written, with its default as documentation.
fn of_field(head: &Head, field: &ast::Field, default: usize) -> TokenStream {
    let mut out = TokenStream::new();
    if let Some(written) = head.fields.iter().find(|written| written.name == field.name.text) {
        out.extend(written.attributes.iter().map(ToTokens::to_token_stream));
        if written.attributes.iter().any(is_doc) {
            out.extend(doc_lines([String::new()]));
        }
    }
    out.extend(doc_lines([format!(" Default: {default}.")]));
    out
}

/// The documentation after the user's: the image and the hyper-parameters.
fn docs(head: &Head, model: &Model, defaults: &[usize], source: &Source) -> TokenStream {
    let mut lines = Vec::new();
    if !head.attributes.iter().any(is_doc) {
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
    doc_lines(lines)
}

/// The first paragraph of a field's documentation, formatted for a cell of a table.
fn about(field: &ast::Field) -> String {
    let paragraph = field.docs.iter().map(|line| line.trim()).take_while(|line| !line.is_empty());
    paragraph.collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Removes line breaks.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn doc_lines(lines: impl IntoIterator<Item = String>) -> TokenStream {
    lines.into_iter().map(|line| quote!(#[doc = #line])).collect()
}

#[cfg(test)]
mod tests {
    use super::item;
    use crate::head::split;
    use crate::rebuild::rebuild;

    fn of(text: &str) -> String {
        let (mut head, pieces) = split(text.parse().expect("tokens"));
        let rebuilt = rebuild(pieces);
        let source = pixelrnn_graph::Source::new("f", rebuilt.text.as_str());
        let (model, diagnostics) = pixelrnn_syntax::parse(&rebuilt.text);
        assert_eq!(diagnostics, []);
        let model = model.expect("a model");
        let defaults = pixelrnn_syntax::defaults(&model).0;
        item(&mut head, &model, &defaults, &source, &rebuilt).to_string()
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
