//! Editor support inside a model: completion, hover, go to definition, and renaming of hyper-parameters.
//!
//! Every name in the model appears again in real Rust, with the span of the user's token, as a path into a
//! module that contains all names allowed in that place: layers and blocks at the beginning of a statement,
//! hyper-parameters in arithmetic, the keywords and named arguments of a layer between its parentheses. All
//! of this is under `cfg(rust_analyzer)`, which only rust-analyzer sets. So an unknown name does not cause a
//! second, confusing error from rustc, but an editor can still complete it.
//!
//! For completion, rust-analyzer expands the macro twice: with the text as it is, and with a marker inserted
//! at the cursor. It looks up the marker in the second expansion, and completes the name at the same offset
//! of the first. This leads to three rules:
//! - This part comes first in the expansion, and the uses come before the modules that they refer to. The
//!   text of the model, the documentation and the errors differ between the two expansions.
//! - The uses are generated from the tokens, not from the syntax tree, which may lack a half-typed part.
//! - Where a name is missing, a path is generated nevertheless, with [`HOLE`] at its end.

use std::collections::BTreeMap;

use pixelrnn_syntax::ast::Model;
use pixelrnn_syntax::is_rust_keyword;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};
use syn::Path;

use crate::attributes::conditions;
use crate::head::Head;
use walk::{Module, Walker};

mod walk;

/// Stands for a missing name.
const HOLE: &str = "__missing";

/// Generates the names that the model uses, as Rust. `model` with its `defaults` is used as far as it could
/// be parsed.
pub(crate) fn support(head: &Head, model: Option<&Model>, defaults: &[usize]) -> TokenStream {
    let mut walker = Walker::default();
    walker.model(head);
    let krate = &head.krate;
    let uses = walker.uses.iter().map(|(module, name)| {
        let path = match module {
            // A path without a module, in case `krate` has no meaning inside a module.
            Module::Layers => quote!(#krate::layers),
            module => {
                let module = module.name();
                quote!(__names::#module)
            }
        };
        quote!(let _ = #path::#name;)
    });
    let again = &walker.again;
    let fields = model.map(|model| fields(model, &walker));
    let names = names(head, model, defaults, &walker);
    let conditions = conditions(&head.attributes);
    quote! {
        #conditions
        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(rust_analyzer)]
            #[allow(unused, deprecated, non_upper_case_globals)]
            const _: () = {
                fn __uses() { #(#uses)* }
                fn __again() { #(let _ = __names::maps::#again;)* }
                #fields
                #names
            };
        };
    }
}

/// Generates uses of the hyper-parameters as fields of the struct, so that renaming a field renames all its
/// uses.
fn fields(model: &Model, walker: &Walker) -> TokenStream {
    let field = |name: &&Ident| model.fields.iter().any(|field| *name == &field.name.text);
    let value = |module: &Module| matches!(module, Module::Values | Module::Arguments(_));
    let uses = walker.uses.iter().filter(|(module, _)| value(module));
    let fields = uses.map(|(_, name)| name).filter(field);
    let model = format_ident!("{}", model.name.text);
    quote!(fn __fields(__model: &#model) { #(let _ = __model.#fields;)* })
}

/// Generates the modules that the uses refer to.
fn names(head: &Head, model: Option<&Model>, defaults: &[usize], walker: &Walker) -> TokenStream {
    let krate = inside(&head.krate);
    let mut values = Constants::default();
    for field in &head.fields {
        let declared = model.into_iter().flat_map(|model| &model.fields).zip(defaults);
        let mut declared = declared.filter(|(declared, _)| field.name == declared.name.text);
        let default = declared.next().map_or(1, |(_, default)| *default);
        let default = Literal::usize_unsuffixed(default);
        let constant = quote!(::core::primitive::usize = #default);
        values.add(&field.name, &constant);
    }
    let map = quote!(() = ());
    let mut maps = Constants::default();
    maps.add(&Ident::new("image", Span::call_site()), &map);
    for name in &walker.maps {
        maps.add(name, &map);
    }
    let mut image = Constants::default();
    for word in ["colors", "colours"] {
        image.word(word, " The number of color channels, 1 or 3.");
    }
    image.word("levels", " The number of values that a pixel's channel can have.");

    let mut modules: BTreeMap<Ident, TokenStream> = BTreeMap::new();
    for (module, _) in &walker.uses {
        let mut constants = Constants::default();
        let mut globs = TokenStream::new();
        match module {
            Module::Arguments(layer) => {
                globs = quote!(
                    pub use super::values::*;
                );
                for parameter in layer.parameters {
                    constants.words(layer, parameter);
                    // Without `=`, the name refers to the hyper-parameter.
                    if !head.fields.iter().any(|field| field.name == parameter.name) {
                        constants.argument(layer, parameter);
                    }
                }
            }
            Module::Names(layer) => {
                for parameter in layer.parameters {
                    constants.argument(layer, parameter);
                }
            }
            Module::Words(layer, parameter) => constants.words(layer, parameter),
            _ => continue,
        }
        let constants = constants.out;
        modules.insert(module.name(), quote!(#globs #constants));
    }
    let (words, contents): (Vec<_>, Vec<_>) = modules.into_iter().unzip();
    let (values, maps, image) = (values.out, maps.out, image.out);
    quote! {
        mod __names {
            pub mod maps { #maps }
            pub mod values { pub use super::maps::*; #values }
            pub mod statement {
                pub use #krate::layers::*;
                pub use #krate::blocks::*;
                pub use super::maps::*;
            }
            pub mod image { #image }
            #(pub mod #words { #contents })*
        }
    }
}

/// Converts `path` for use in a module inside a module.
fn inside(path: &Path) -> TokenStream {
    let first = path.segments.first().map(|segment| segment.ident.to_string());
    match first.as_deref() {
        _ if path.leading_colon.is_some() => quote!(#path),
        Some("self") => {
            let rest = path.segments.iter().skip(1);
            quote!(super::super #(::#rest)*)
        }
        Some("super") => quote!(super::super::#path),
        _ => quote!(#path),
    }
}

/// The constants of one module, without duplicates.
#[derive(Default)]
struct Constants {
    names: Vec<String>,
    out: TokenStream,
}

impl Constants {
    /// Adds the constant `name` with a type and a value.
    fn add(&mut self, name: &Ident, constant: &TokenStream) {
        let text = name.to_string();
        if !is_rust_keyword(&text) && !self.names.contains(&text) {
            self.out.extend(quote!(pub const #name: #constant;));
            self.names.push(text);
        }
    }

    fn word(&mut self, name: &str, doc: &str) {
        if !is_rust_keyword(name) && !self.names.iter().any(|other| other == name) {
            self.out.extend(quote!(#[doc = #doc]));
            self.add(&Ident::new(name, Span::call_site()), &quote!(() = ()));
        }
    }

    /// Adds the keywords that are allowed for `parameter`.
    fn words(&mut self, layer: &walk::Layer, parameter: &walk::Parameter) {
        for word in walk::words(parameter) {
            self.word(word, &format!(" `{}` of `{}`.", parameter.name, layer.usage));
        }
    }

    fn argument(&mut self, layer: &walk::Layer, parameter: &walk::Parameter) {
        self.word(parameter.name, &format!(" An argument of `{}`.", layer.usage));
    }
}

#[cfg(test)]
mod tests;
