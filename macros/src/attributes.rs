//! Attributes that the macro passes on. It must know which of them are documentation, which can remove the
//! item, and which traits they derive.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Path, Token};

/// The traits that the macro derives.
const DERIVED: [&str; 5] = ["Clone", "Copy", "Debug", "PartialEq", "Eq"];

type List<T> = Punctuated<T, Token![,]>;

/// Whether this is `#[doc = ...]`, the form of a doc comment.
pub(crate) fn is_doc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc") && matches!(attribute.meta, Meta::NameValue(_))
}

/// Whether this makes its item deprecated, possibly under a condition.
pub(crate) fn is_deprecated(attribute: &Attribute) -> bool {
    let added = conditional(attribute).map_or(Vec::new(), |(_, then)| then);
    let is = |path: &Path| path.is_ident("deprecated");
    is(attribute.path()) || added.iter().any(|meta| is(meta.path()))
}

/// Whether this can remove its item.
pub(crate) fn is_cfg(attribute: &Attribute) -> bool {
    !condition(attribute).is_empty()
}

/// The `#[cfg(...)]` among `attributes`, which must be on everything that is generated.
pub(crate) fn conditions(attributes: &[Attribute]) -> TokenStream {
    attributes.iter().map(condition).collect()
}

/// The attribute if it is `#[cfg(...)]`, or that part of a `#[cfg_attr(...)]`.
fn condition(attribute: &Attribute) -> TokenStream {
    if attribute.path().is_ident("cfg") {
        return attribute.to_token_stream();
    }
    let Some((when, then)) = conditional(attribute) else { return TokenStream::new() };
    let then = then.iter().filter(|meta| meta.path().is_ident("cfg"));
    then.map(|cfg| quote!(#[cfg_attr(#when, #cfg)])).collect()
}

/// The condition of a `#[cfg_attr(...)]`, and the attributes that it adds.
fn conditional(attribute: &Attribute) -> Option<(Meta, Vec<Meta>)> {
    if !attribute.path().is_ident("cfg_attr") {
        return None;
    }
    let all = attribute.parse_args_with(List::<Meta>::parse_terminated).ok()?;
    let mut all = all.into_iter();
    Some((all.next()?, all.collect()))
}

/// Removes from `attributes` the derives of traits that the macro implements itself, and returns an attribute
/// that derives the other traits of the model.
///
/// `Default` is implemented with the numbers of the declaration, so a derived one is removed. Other derives
/// of the user are kept, since they may come from another crate. A conditional one is removed, since the
/// macro always derives the trait.
pub(crate) fn derives(attributes: &mut Vec<Attribute>) -> TokenStream {
    let mut ours = DERIVED.to_vec();
    let attributes_now = std::mem::take(attributes);
    *attributes = attributes_now
        .into_iter()
        .filter_map(|attribute| {
            if let Some(paths) = derive_list(&attribute.meta) {
                ours.retain(|name| !paths.iter().any(|path| last(path) == *name));
                let kept = without(paths, &["Default"]);
                return attribute_of(&attribute, kept.map(|kept| quote!(derive(#kept)))?);
            }
            let Some((when, then)) = conditional(&attribute) else { return Some(attribute) };
            if !then.iter().any(|meta| derive_list(meta).is_some()) {
                return Some(attribute);
            }
            let then: Vec<TokenStream> = then.iter().filter_map(unclashing).collect();
            if then.is_empty() {
                return None;
            }
            attribute_of(&attribute, quote!(cfg_attr(#when, #(#then),*)))
        })
        .collect();
    if ours.is_empty() {
        return TokenStream::new();
    }
    let ours = ours.into_iter().map(|name| {
        let module = Ident::new(module(name), Span::call_site());
        let name = Ident::new(name, Span::call_site());
        quote!(::core::#module::#name)
    });
    quote!(#[derive(#(#ours),*)])
}

fn module(name: &str) -> &'static str {
    match name {
        "Clone" => "clone",
        "Copy" => "marker",
        "Debug" => "fmt",
        _ => "cmp",
    }
}

/// A part of a `#[cfg_attr(...)]`, without derives of traits that are always derived.
fn unclashing(meta: &Meta) -> Option<TokenStream> {
    let Some(paths) = derive_list(meta) else { return Some(meta.to_token_stream()) };
    let kept = without(paths, &[&DERIVED[..], &["Default"]].concat())?;
    Some(quote!(derive(#kept)))
}

/// The paths in `derive(...)`.
fn derive_list(meta: &Meta) -> Option<List<Path>> {
    let Meta::List(list) = meta else { return None };
    if !list.path.is_ident("derive") {
        return None;
    }
    let paths = |input: ParseStream| List::parse_terminated_with(input, Path::parse_mod_style);
    paths.parse2(list.tokens.clone()).ok()
}

/// The paths that do not end in one of `names`; `None` if none is left.
fn without(paths: List<Path>, names: &[&str]) -> Option<List<Path>> {
    let kept: List<Path> =
        paths.into_iter().filter(|path| !names.contains(&last(path).as_str())).collect();
    (!kept.is_empty()).then_some(kept)
}

fn last(path: &Path) -> String {
    path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
}

/// `attribute` with other content.
fn attribute_of(attribute: &Attribute, meta: TokenStream) -> Option<Attribute> {
    let pound = &attribute.pound_token;
    Attribute::parse_outer.parse2(quote!(#pound [#meta])).ok()?.pop()
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse::Parser;

    use super::{Attribute, conditions, derives};

    fn of(text: &str) -> Vec<Attribute> {
        Attribute::parse_outer.parse_str(text).expect("attributes")
    }

    #[test]
    fn nothing_is_derived_twice() {
        for (given, kept, derived) in [
            ("", "", "Clone Copy Debug PartialEq Eq"),
            ("#[derive(Hash)]", "#[derive(Hash)]", "Clone Copy Debug PartialEq Eq"),
            ("#[derive(Clone, a::Debug)]", "#[derive(Clone, a::Debug)]", "Copy PartialEq Eq"),
            ("#[derive(Default)] #[x]", "#[x]", "Clone Copy Debug PartialEq Eq"),
            ("#[derive(Default, Eq)]", "#[derive(Eq)]", "Clone Copy Debug PartialEq"),
            (
                "#[derive(Clone, Copy, Debug, PartialEq, Eq)]",
                "#[derive(Clone, Copy, Debug, PartialEq, Eq)]",
                "",
            ),
            (
                "#[cfg_attr(x, derive(Clone, Default, Hash), derive(Eq), y)]",
                "#[cfg_attr(x, derive(Hash), y)]",
                "Clone Copy Debug PartialEq Eq",
            ),
            ("#[cfg_attr(x, derive(Eq))]", "", "Clone Copy Debug PartialEq Eq"),
            (
                "#[cfg_attr(x, y)] #[derive]",
                "#[cfg_attr(x, y)] #[derive]",
                "Clone Copy Debug PartialEq Eq",
            ),
        ] {
            let mut attributes = of(given);
            let ours = derives(&mut attributes).to_string();
            let expected = of(kept);
            assert_eq!(quote!(#(#attributes)*).to_string(), quote!(#(#expected)*).to_string());
            let ours: Vec<&str> = ours
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| word.starts_with(char::is_uppercase))
                .collect();
            assert_eq!(ours.join(" "), derived, "{given}");
        }
    }

    #[test]
    fn conditions_are_found() {
        let text = "#[cfg(a)] #[allow(b)] #[cfg_attr(c, cfg(d), e)] #[cfg_attr(f, g)] #[cfg_attr]";
        let expected = of("#[cfg(a)] #[cfg_attr(c, cfg(d))]");
        assert_eq!(conditions(&of(text)).to_string(), quote!(#(#expected)*).to_string());
    }
}
