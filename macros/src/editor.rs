//! What makes an editor understand the inside of a model: hover, go to definition, completion,
//! renaming of fields.
//!
//! The layers and hyper-parameters that a model names are named again in real Rust, with the spans
//! of the user's tokens: a layer as an item of `pixelrnn::layers`, a hyper-parameter as a field of
//! the model. All of it is under `cfg(rust_analyzer)`, which rust-analyzer sets and nothing else
//! does. So a name that does not exist costs no second, stranger error from rustc, and still is
//! there for an editor to complete.

use pixelrnn_graph::{Diagnostic, Span};
use pixelrnn_syntax::ast::{Expr, Ident, Kind, Model, Statement};
use pixelrnn_syntax::is_rust_keyword;
use proc_macro2::TokenStream;
use quote::quote;

use crate::rebuild::Rebuilt;

/// The names that `model` uses, as Rust; with the diagnostics of its check.
pub(crate) fn support(model: &Model, diagnostics: &[Diagnostic], rebuilt: &Rebuilt) -> TokenStream {
    let mut names = Names::default();
    for field in &model.fields {
        names.expr(&field.default);
    }
    let image = &model.image;
    for expr in [&image.height, &image.width, &image.colours, &image.levels] {
        names.expr(expr);
    }
    names.body(&model.body);

    // A word of a layer's own, such as `A`, is no field: a real reference would be an error in the
    // editor. A name that the check complains of is one that was to be a field, or is half typed.
    let wrong = |span: Span| diagnostics.iter().any(|diagnostic| diagnostic.primary.span == span);
    let field = |name: &&&Ident| {
        model.fields.iter().any(|field| field.name.text == name.text) || wrong(name.span)
    };
    let rust = |name: &Ident| proc_macro2::Ident::new(&name.text, rebuilt.span(name.span));
    // rustc parses this even though it leaves it out.
    let possible = |name: &&&Ident| !is_rust_keyword(&name.text);
    let layers = names.layers.iter().filter(possible).map(|name| rust(name));
    let fields = names.values.iter().filter(possible).filter(field).map(|name| rust(name));
    let model = proc_macro2::Ident::new(&model.name.text, proc_macro2::Span::call_site());
    quote! {
        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(rust_analyzer)]
            #[allow(unused)]
            fn __names(__model: #model) {
                #(let _ = ::pixelrnn::layers::#layers;)*
                #(let _ = __model.#fields;)*
            }
        };
    }
}

/// Every name used, in the order of the text.
#[derive(Default)]
struct Names<'a> {
    layers: Vec<&'a Ident>,
    values: Vec<&'a Ident>,
}

impl<'a> Names<'a> {
    fn expr(&mut self, expr: &'a Expr) {
        expr.names(&mut |name| self.values.push(name));
    }

    fn body(&mut self, body: &'a [Statement]) {
        for statement in body {
            match &statement.kind {
                Kind::Layer(call) => {
                    self.layers.push(&call.name);
                    for expr in call.args.iter().flat_map(|arg| arg.value.exprs()) {
                        self.expr(expr);
                    }
                }
                Kind::Block(block) => {
                    if let Some(count) = &block.count {
                        self.expr(count);
                    }
                    self.body(&block.body);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pixelrnn_graph::{Diagnostic, Span};

    use super::support;
    use crate::expand::expand;
    use crate::rebuild::rebuild;

    /// The expansion with the editor's part uncovered: layers are items, hyper-parameters are fields.
    #[test]
    fn what_an_editor_sees_compiles() {
        let text = "pub Seen { h: usize = 2, layers: usize = h } \
            image 4 + h x 6, colours 1, levels 2; stem: masked_conv(7 x 7, A, 2 * h); \
            repeat layers { residual { row_lstm(h, kernel = 3); up: masked_conv(1x1, B, 2 * h); } } \
            collect { relu; tanh; sigmoid; last: diagonal_bilstm(h, initial = learned); skip(h); } \
            logits;";
        let out = expand(text.parse().expect("tokens")).to_string();
        let seen = out.replacen("# [cfg (rust_analyzer)]", "", 1);
        assert_ne!(seen, out);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("editor.rs");
        std::fs::write(&path, format!("{seen}\nfn main() {{}}")).expect("to write");
        trybuild::TestCases::new().pass(&path);
    }

    #[test]
    fn names_are_named_again() {
        let text = "M { h: usize = 1, w: usize = h } image w x 28, colours 1, levels 2; \
            stem: conv(h x 7, A, 2 * ww, bias = zero); repeat h { type; relu; }";
        let rebuilt = rebuild(text.parse().expect("tokens"));
        let (model, _) = pixelrnn_syntax::parse(text);
        let at = text.find("ww").expect("it is there");
        let unknown = Diagnostic::error(Span::new(at, at + 2), "no such name");
        let out = support(&model.expect("a model"), &[unknown], &rebuilt).to_string();
        let uses = |prefix: &str| -> Vec<String> {
            let rest = out.split(prefix).skip(1);
            rest.map(|rest| rest.split(' ').next().unwrap_or("").to_string()).collect()
        };
        assert_eq!(uses(":: layers :: "), ["conv", "relu"]);
        assert_eq!(uses("__model . "), ["h", "w", "h", "ww", "h"]);
    }
}
